/*
 * pbfield - the fields of any protobuf-c message, by their descriptors
 *
 * What pbjson and pbutil share: is a field present, where is its value, how
 * is one added. Values are owned as protobuf_c_message_unpack() would have
 * it: strings, bytes, arrays and sub-messages are malloc'd, a string equal to
 * the field's default may be the default's own storage, and
 * protobuf_c_message_free_unpacked(msg, NULL) frees it all.
 *
 * A field "has a default" when the descriptor holds one: then it always has a
 * value, whether it is present or not. Maps are repeated messages whose
 * entries carry the name protoc gives them.
 *
 * Errors: none; a descriptor this file cannot serve is a bug.
 */
#ifndef PEERD_WIRE_PBFIELD_H
#define PEERD_WIRE_PBFIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#define PBFIELD_NAME_MAX 128

/* Room for one value of any type. */
union pbvalue {
	int32_t i32; /* also enums */
	int64_t i64;
	uint32_t u32;
	uint64_t u64;
	float f;
	double d;
	protobuf_c_boolean b;
	char *s;
	ProtobufCBinaryData bytes;
	ProtobufCMessage *msg;
};

ProtobufCMessage *pbmsg_new(const ProtobufCMessageDescriptor *desc);

/* NULL when there is none of that exact proto name. */
const ProtobufCFieldDescriptor *pbfield_find(const ProtobufCMessageDescriptor *desc,
    const char *name);

size_t pbfield_value_size(const ProtobufCFieldDescriptor *f);

static inline bool
pbfield_is_repeated(const ProtobufCFieldDescriptor *f)
{
	return f->label == PROTOBUF_C_LABEL_REPEATED;
}

static inline bool
pbfield_is_oneof(const ProtobufCFieldDescriptor *f)
{
	return (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* map<string, ...> of the message that desc describes */
bool pbfield_is_map(const ProtobufCMessageDescriptor *desc, const ProtobufCFieldDescriptor *f);

/* Given, or for a repeated field: not empty. */
bool pbfield_is_present(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f);

/* The number of the oneof's member that is set, 0 when none is. */
uint32_t pbfield_oneof_case(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f);

/* The i-th value; i is 0 for a field that is not repeated. Borrowed. */
size_t pbfield_count(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f);
void *pbfield_at(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, size_t i);

/* The sub-message of a present message field, or of the i-th entry. */
ProtobufCMessage *pbfield_msg(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
    size_t i);

/* Store a value, taking over what it owns; what was there before is freed. */
void pbfield_set(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, union pbvalue v);
void pbfield_append(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, union pbvalue v);

/* Make the field absent, freeing its value. */
void pbfield_clear(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f);

/* Free what a value owns, by the type of its field. */
void pbvalue_free(const ProtobufCFieldDescriptor *f, union pbvalue *v);

/* A copy that shares nothing with the original. */
union pbvalue pbvalue_copy(const ProtobufCFieldDescriptor *f, const void *at);

/* The name in JSON: protobuf's own lowerCamelCase rule ("redo_lSN" is "redoLSN"). */
void pbfield_json_name(const ProtobufCFieldDescriptor *f, char name_r[PBFIELD_NAME_MAX]);

#endif
