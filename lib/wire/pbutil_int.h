/*
 * pbutil_int - what the files of pbutil share: redacted secrets in a patch
 */
#ifndef PEERD_WIRE_PBUTIL_INT_H
#define PEERD_WIRE_PBUTIL_INT_H

#include <stdbool.h>

#include "lib/wire/pbfield.h"

/* A secret field that says nothing but PB_REDACTED. */
bool pb_is_redacted(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f);

/* The same for the i-th entry of a map. */
bool pb_is_redacted_entry(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, size_t i);

/* Where the map holds the entry with the key of `like`; NULL when it has none. */
const void *pb_stored_entry(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
    const ProtobufCMessage *like);

#endif
