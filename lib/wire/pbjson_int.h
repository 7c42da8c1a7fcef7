/*
 * pbjson_int - what the files of pbjson share
 */
#ifndef PEERD_WIRE_PBJSON_INT_H
#define PEERD_WIRE_PBJSON_INT_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "lib/wire/pbfield.h"

struct err;

/* Where the reader is, as a chain from the innermost name outwards. */
struct pbjson_path {
	const struct pbjson_path *up;
	const char *name; /* NULL for an array's element */
	int index;
};

struct pbjson_reader {
	struct err *err;
	bool lenient; /* pass over unknown fields */
	bool text;    /* scalars come as text: "true" is a bool, "3" an enum */
};

/* Fill err with `field "a.b[2].c": what`, returns false. */
bool pbjson_fail(const struct pbjson_reader *r, const struct pbjson_path *path, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* One value of the field's type; nothing is owned by v_r on failure. */
bool pbjson_read_value(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r);
bool pbjson_read_message(const struct pbjson_reader *r, const struct pbjson_path *path,
    const cJSON *item, ProtobufCMessage *msg);
bool pbjson_read_member(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, ProtobufCMessage *msg);

/* The field a key stands for, in either spelling or by an alias; NULL if none. */
const ProtobufCFieldDescriptor *pbjson_lookup(const ProtobufCMessageDescriptor *desc,
    const char *key);

/* Refuse a key that pbjson_lookup() does not know. */
bool pbjson_unknown(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCMessageDescriptor *desc, const char *key);

/* Short and without control characters: fit to be repeated in a message. */
bool pbjson_is_showable(const char *key);

bool pbjson_is_timestamp(const ProtobufCMessageDescriptor *desc);

#endif
