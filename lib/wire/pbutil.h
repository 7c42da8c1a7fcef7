/*
 * pbutil - what can be done with any protobuf-c message
 *
 * Copy, compare, merge, and the treatment of secrets. All by descriptors; the
 * only knowledge of particular messages is the table of secret fields in
 * pbutil_secret.c.
 *
 * Presence: C code that fills a message sets has_x for each number it stores,
 * or calls pb_mark_set() once at the end; without it packing (and so copying)
 * leaves the field out. Reading needs no care: an absent field that has a
 * default holds it.
 *
 * Errors: none.
 */
#ifndef PEERD_WIRE_PBUTIL_H
#define PEERD_WIRE_PBUTIL_H

#include <stdbool.h>

#include <protobuf-c/protobuf-c.h>

struct buf;

/* What stands in place of a secret in every answer. */
#define PB_REDACTED "********"

/* A deep copy, the caller's: protobuf_c_message_free_unpacked(m, NULL). NULL gives NULL. */
ProtobufCMessage *pb_copy(const ProtobufCMessage *msg);

/* Set has_x where a number differs from its default, in sub-messages too. */
void pb_mark_set(ProtobufCMessage *msg);

/*
 * The names of the fields in which two messages of one type differ, as
 * "a, b.c"; true when there are none. An absent field equals its default. The
 * order of repeated values carries no meaning in a configuration and is not
 * compared. names may be NULL.
 */
bool pb_diff(const ProtobufCMessage *a, const ProtobufCMessage *b, struct buf *names);

/*
 * Lay patch over base: what is present in patch replaces what base has,
 * sub-messages field by field, lists and maps as a whole (an empty list is the
 * same as none). Another member of a oneof replaces the one there was. A
 * secret that says PB_REDACTED leaves the stored one alone.
 */
void pb_merge(ProtobufCMessage *base, const ProtobufCMessage *patch);

/*
 * Call fn for every secret in msg that is present and not empty. fn may
 * replace the malloc'd string, freeing the old one.
 */
void pb_secrets(ProtobufCMessage *msg, void (*fn)(char **secret, void *arg), void *arg);

/* Every secret becomes PB_REDACTED. */
void pb_redact(ProtobufCMessage *msg);

#endif
