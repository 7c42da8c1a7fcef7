/*
 * pbjson - protobuf-c messages as JSON and back
 *
 * Driven by the descriptors alone: proto3's JSON mapping over cJSON. What a
 * descriptor cannot say (other spellings of a field, fields of peer types that
 * peerd does not serve) stands in the tables of pbjson_dialect.c.
 *
 * Output: lowerCamelCase names; fields with a default always, others when
 * present; arrays and maps even when empty; enums as names; 64-bit integers as
 * decimal strings; bytes as base64; Timestamp as RFC 3339; maps as objects.
 *
 * Input: camelCase or snake_case; enum names or numbers; integers as numbers
 * or decimal strings, but from 2^53 on only as strings, since a JSON number
 * need not survive there; null is absent; no text at all is an empty message.
 * map<string, string> also as one string of libpq's keyword = value pairs.
 * Anything else is refused: unknown or repeated fields, two members of one
 * oneof, wrong kinds, numbers out of range.
 *
 * The message belongs to the caller: protobuf_c_message_free_unpacked(m, NULL).
 *
 * Errors: ERR_INVALID naming the field by its path, with the nearest known
 * name as hint; never a value, which may be a secret. ERR_UNIMPLEMENTED for
 * configurations of other peer types.
 */
#ifndef PEERD_WIRE_PBJSON_H
#define PEERD_WIRE_PBJSON_H

#include <stdbool.h>
#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

struct buf;
struct err;

enum pbjson_flags {
	PBJSON_PRESENT_ONLY = 1, /* leave out what is not set, defaults too */
};

bool pbjson_parse(const ProtobufCMessageDescriptor *desc, const char *json, size_t n,
    ProtobufCMessage **msg_r, struct err *err);

/* The same for a server's answer: fields of a newer server are passed over. */
bool pbjson_parse_reply(const ProtobufCMessageDescriptor *desc, const char *json, size_t n,
    ProtobufCMessage **msg_r, struct err *err);

/*
 * Set one field from text: a query or path parameter, key=value on a command
 * line. Dots lead into messages and maps (ssh_config.host, options.sslcert);
 * repeated fields gain an entry. On error the message may hold empty
 * sub-messages on the way, but no value.
 */
bool pbjson_set_field(ProtobufCMessage *msg, const char *name, const char *text, struct err *err);

void pbjson_print(const ProtobufCMessage *msg, unsigned flags, struct buf *out);

/* "?" for a number without a name. */
const char *pbjson_enum_name(const ProtobufCEnumDescriptor *desc, int value);

#endif
