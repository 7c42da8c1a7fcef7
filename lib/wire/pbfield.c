#include "lib/wire/pbfield.h"

#include <assert.h>
#include <ctype.h>

#include "lib/base/mem.h"

#define MEMBER(type, msg, offset)  ((type *)((char *)(msg) + (offset)))
#define CMEMBER(type, msg, offset) ((const type *)((const char *)(msg) + (offset)))

ProtobufCMessage *
pbmsg_new(const ProtobufCMessageDescriptor *desc)
{
	ProtobufCMessage *msg = xmalloc(desc->sizeof_message);

	protobuf_c_message_init(desc, msg);
	return msg;
}

const ProtobufCFieldDescriptor *
pbfield_find(const ProtobufCMessageDescriptor *desc, const char *name)
{
	return protobuf_c_message_descriptor_get_field_by_name(desc, name);
}

size_t
pbfield_value_size(const ProtobufCFieldDescriptor *f)
{
	static const size_t sizes[] = {
		[PROTOBUF_C_TYPE_INT32] = sizeof(int32_t),
		[PROTOBUF_C_TYPE_SINT32] = sizeof(int32_t),
		[PROTOBUF_C_TYPE_SFIXED32] = sizeof(int32_t),
		[PROTOBUF_C_TYPE_INT64] = sizeof(int64_t),
		[PROTOBUF_C_TYPE_SINT64] = sizeof(int64_t),
		[PROTOBUF_C_TYPE_SFIXED64] = sizeof(int64_t),
		[PROTOBUF_C_TYPE_UINT32] = sizeof(uint32_t),
		[PROTOBUF_C_TYPE_FIXED32] = sizeof(uint32_t),
		[PROTOBUF_C_TYPE_UINT64] = sizeof(uint64_t),
		[PROTOBUF_C_TYPE_FIXED64] = sizeof(uint64_t),
		[PROTOBUF_C_TYPE_FLOAT] = sizeof(float),
		[PROTOBUF_C_TYPE_DOUBLE] = sizeof(double),
		[PROTOBUF_C_TYPE_BOOL] = sizeof(protobuf_c_boolean),
		[PROTOBUF_C_TYPE_ENUM] = sizeof(int32_t),
		[PROTOBUF_C_TYPE_STRING] = sizeof(char *),
		[PROTOBUF_C_TYPE_BYTES] = sizeof(ProtobufCBinaryData),
		[PROTOBUF_C_TYPE_MESSAGE] = sizeof(ProtobufCMessage *),
	};

	return sizes[f->type];
}

/*
 * protoc turns `map<string, V> env` of message M into `repeated M.EnvEntry env`
 * with key = 1 and value = 2; the C descriptor says nothing more than that.
 */
bool
pbfield_is_map(const ProtobufCMessageDescriptor *desc, const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *entry = f->descriptor;
	char json[PBFIELD_NAME_MAX], expect[PBFIELD_NAME_MAX + sizeof("Entry")];

	if (!pbfield_is_repeated(f) || f->type != PROTOBUF_C_TYPE_MESSAGE || entry->n_fields != 2)
		return false;
	pbfield_json_name(f, json);
	json[0] = (char)toupper((unsigned char)json[0]);
	snprintf(expect, sizeof(expect), "%sEntry", json);
	return strcmp(entry->short_name, expect) == 0 &&
	    strncmp(entry->name, desc->name, strlen(desc->name)) == 0 &&
	    entry->fields[0].type == PROTOBUF_C_TYPE_STRING &&
	    strcmp(entry->fields[0].name, "key") == 0 &&
	    strcmp(entry->fields[1].name, "value") == 0;
}

uint32_t
pbfield_oneof_case(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	return *CMEMBER(uint32_t, msg, f->quantifier_offset);
}

static bool
is_pointer_type(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE;
}

bool
pbfield_is_present(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	if (pbfield_is_repeated(f))
		return pbfield_count(msg, f) > 0;
	if (pbfield_is_oneof(f))
		return pbfield_oneof_case(msg, f) == f->id;
	if (is_pointer_type(f)) {
		const void *p = *CMEMBER(void *, msg, f->offset);

		return p != NULL && p != f->default_value;
	}
	if (f->label == PROTOBUF_C_LABEL_OPTIONAL)
		return *CMEMBER(protobuf_c_boolean, msg, f->quantifier_offset) != 0;
	return true;
}

size_t
pbfield_count(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	if (pbfield_is_repeated(f))
		return *CMEMBER(size_t, msg, f->quantifier_offset);
	return pbfield_is_present(msg, f) ? 1 : 0;
}

void *
pbfield_at(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, size_t i)
{
	char *base = (char *)(uintptr_t)msg + f->offset;

	if (pbfield_is_repeated(f))
		base = *(char **)base;
	return base + i * pbfield_value_size(f);
}

ProtobufCMessage *
pbfield_msg(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, size_t i)
{
	assert(f->type == PROTOBUF_C_TYPE_MESSAGE);
	return *(ProtobufCMessage **)pbfield_at(msg, f, i);
}

void
pbvalue_free(const ProtobufCFieldDescriptor *f, union pbvalue *v)
{
	const ProtobufCBinaryData *def = f->default_value;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		if (v->s != f->default_value)
			free(v->s);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		if (def == NULL || v->bytes.data != def->data)
			free(v->bytes.data);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		if (v->msg != NULL)
			protobuf_c_message_free_unpacked(v->msg, NULL);
		break;
	default:
		break;
	}
	*v = (union pbvalue){ 0 };
}

union pbvalue
pbvalue_copy(const ProtobufCFieldDescriptor *f, const void *at)
{
	union pbvalue v = { 0 };
	ProtobufCMessage *sub;
	uint8_t *packed;
	size_t n;

	memcpy(&v, at, pbfield_value_size(f));
	if (f->type == PROTOBUF_C_TYPE_STRING) {
		v.s = xstrdup(v.s != NULL ? v.s : "");
	} else if (f->type == PROTOBUF_C_TYPE_BYTES) {
		packed = xmalloc(v.bytes.len + 1);
		if (v.bytes.len > 0)
			memcpy(packed, v.bytes.data, v.bytes.len);
		v.bytes.data = packed;
	} else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		n = protobuf_c_message_get_packed_size(v.msg);
		packed = xmalloc(n + 1);
		protobuf_c_message_pack(v.msg, packed);
		sub = protobuf_c_message_unpack(f->descriptor, NULL, n, packed);
		free(packed);
		assert(sub != NULL);
		v.msg = sub;
	}
	return v;
}

/* The member of a oneof that is set makes room for another one. */
static void
oneof_vacate(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	uint32_t now = pbfield_oneof_case(msg, f);
	const ProtobufCFieldDescriptor *old = protobuf_c_message_descriptor_get_field(
	    msg->descriptor, now);

	if (now != 0 && old != NULL)
		pbfield_clear(msg, old);
}

static void
presence_store(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, bool present)
{
	if (pbfield_is_oneof(f))
		*MEMBER(uint32_t, msg, f->quantifier_offset) = present ? f->id : 0;
	else if (f->label == PROTOBUF_C_LABEL_OPTIONAL && !is_pointer_type(f))
		*MEMBER(protobuf_c_boolean, msg, f->quantifier_offset) = present;
}

void
pbfield_set(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, union pbvalue v)
{
	assert(!pbfield_is_repeated(f));
	if (pbfield_is_oneof(f))
		oneof_vacate(msg, f);
	else
		pbfield_clear(msg, f);
	memcpy(pbfield_at(msg, f, 0), &v, pbfield_value_size(f));
	presence_store(msg, f, true);
}

/* Always asking for the next power of two makes all but a few of the calls free. */
void
pbfield_append(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, union pbvalue v)
{
	size_t *n = MEMBER(size_t, msg, f->quantifier_offset);
	void **array = MEMBER(void *, msg, f->offset);
	size_t size = pbfield_value_size(f), cap = 1;

	assert(pbfield_is_repeated(f));
	while (cap < *n + 1)
		cap *= 2;
	*array = xrealloc(*array, cap * size);
	memcpy((char *)*array + *n * size, &v, size);
	++*n;
}

static void
clear_repeated(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	size_t n = pbfield_count(msg, f);
	union pbvalue v = { 0 };

	for (size_t i = 0; i < n; i++) {
		memcpy(&v, pbfield_at(msg, f, i), pbfield_value_size(f));
		pbvalue_free(f, &v);
	}
	*MEMBER(size_t, msg, f->quantifier_offset) = 0;
	MEM_FREE(*MEMBER(void *, msg, f->offset));
}

void
pbfield_clear(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	size_t size = pbfield_value_size(f);
	union pbvalue v = { 0 };

	if (pbfield_is_repeated(f)) {
		clear_repeated(msg, f);
		return;
	}
	if (!pbfield_is_present(msg, f))
		return;
	memcpy(&v, pbfield_at(msg, f, 0), size);
	pbvalue_free(f, &v);
	if (f->default_value != NULL && f->type == PROTOBUF_C_TYPE_STRING)
		v.s = (char *)(uintptr_t)f->default_value;
	else if (f->default_value != NULL)
		memcpy(&v, f->default_value, size);
	memcpy(pbfield_at(msg, f, 0), &v, size);
	presence_store(msg, f, false);
}

void
pbfield_json_name(const ProtobufCFieldDescriptor *f, char name_r[PBFIELD_NAME_MAX])
{
	size_t n = 0;
	bool upper = false;

	for (const char *p = f->name; *p != '\0' && n < PBFIELD_NAME_MAX - 1; p++) {
		if (*p == '_') {
			upper = true;
			continue;
		}
		name_r[n++] = upper ? (char)toupper((unsigned char)*p) : *p;
		upper = false;
	}
	name_r[n] = '\0';
}
