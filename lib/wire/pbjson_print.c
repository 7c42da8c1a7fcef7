/*
 * pbjson_print - messages as JSON
 */
#include "lib/wire/pbjson.h"

#include <math.h>

#include <openssl/evp.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/wire/json.h"
#include "lib/wire/pbfield.h"
#include "lib/wire/pbjson_int.h"
#include "lib/wire/rfc3339.h"

typedef cJSON *print_fn(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags);

static cJSON *print_message(const ProtobufCMessage *msg, unsigned flags);

static cJSON *
print_i32(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	return cJSON_CreateNumber(*(const int32_t *)at);
}

static cJSON *
print_u32(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	return cJSON_CreateNumber(*(const uint32_t *)at);
}

static cJSON *
print_i64(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)*(const int64_t *)at);
	return cJSON_CreateString(text);
}

static cJSON *
print_u64(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)*(const uint64_t *)at);
	return cJSON_CreateString(text);
}

static cJSON *
print_special_number(double d)
{
	return cJSON_CreateString(isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
}

static cJSON *
print_double(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	double d = *(const double *)at;

	return isfinite(d) ? cJSON_CreateNumber(d) : print_special_number(d);
}

/* The fewest digits that read back as the same float. */
static cJSON *
print_float(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	float v = *(const float *)at;
	char text[32];

	if (!isfinite(v))
		return print_special_number(v);
	for (int digits = 6; digits <= 9; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, (double)v);
		if (strtof(text, NULL) == v)
			break;
	}
	return cJSON_CreateRaw(text);
}

static cJSON *
print_bool(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	return cJSON_CreateBool(*(const protobuf_c_boolean *)at);
}

static cJSON *
print_enum(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	int v = *(const int32_t *)at;
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(f->descriptor, v);

	return value != NULL ? cJSON_CreateString(value->name) : cJSON_CreateNumber(v);
}

static cJSON *
print_string(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	const char *s = *(char *const *)at;

	return json_text(s != NULL ? s : "");
}

static cJSON *
print_bytes(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	const ProtobufCBinaryData *bytes = at;
	uint8_t *text = xcalloc(1, (bytes->len + 2) / 3 * 4 + 1);
	cJSON *item;

	if (bytes->len > 0)
		EVP_EncodeBlock(text, bytes->data, (int)bytes->len);
	item = cJSON_CreateString((const char *)text);
	free(text);
	return item;
}

static cJSON *
print_sub(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	return print_message(*(ProtobufCMessage *const *)at, flags);
}

static cJSON *
print_value(const ProtobufCFieldDescriptor *f, const void *at, unsigned flags)
{
	static print_fn *const printers[] = {
		[PROTOBUF_C_TYPE_INT32] = print_i32,
		[PROTOBUF_C_TYPE_SINT32] = print_i32,
		[PROTOBUF_C_TYPE_SFIXED32] = print_i32,
		[PROTOBUF_C_TYPE_INT64] = print_i64,
		[PROTOBUF_C_TYPE_SINT64] = print_i64,
		[PROTOBUF_C_TYPE_SFIXED64] = print_i64,
		[PROTOBUF_C_TYPE_UINT32] = print_u32,
		[PROTOBUF_C_TYPE_FIXED32] = print_u32,
		[PROTOBUF_C_TYPE_UINT64] = print_u64,
		[PROTOBUF_C_TYPE_FIXED64] = print_u64,
		[PROTOBUF_C_TYPE_FLOAT] = print_float,
		[PROTOBUF_C_TYPE_DOUBLE] = print_double,
		[PROTOBUF_C_TYPE_BOOL] = print_bool,
		[PROTOBUF_C_TYPE_ENUM] = print_enum,
		[PROTOBUF_C_TYPE_STRING] = print_string,
		[PROTOBUF_C_TYPE_BYTES] = print_bytes,
		[PROTOBUF_C_TYPE_MESSAGE] = print_sub,
	};

	return printers[f->type](f, at, flags);
}

static cJSON *
print_map(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, unsigned flags)
{
	cJSON *object = cJSON_CreateObject();

	for (size_t i = 0; i < pbfield_count(msg, f); i++) {
		const ProtobufCMessage *entry = pbfield_msg(msg, f, i);
		const ProtobufCFieldDescriptor *fields = entry->descriptor->fields;
		char *const *key = pbfield_at(entry, &fields[0], 0);

		cJSON_AddItemToObject(object, *key != NULL ? *key : "",
		    print_value(&fields[1], pbfield_at(entry, &fields[1], 0), flags));
	}
	return object;
}

static cJSON *
print_array(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, unsigned flags)
{
	cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; i < pbfield_count(msg, f); i++)
		cJSON_AddItemToArray(array, print_value(f, pbfield_at(msg, f, i), flags));
	return array;
}

/* A default stands in its member even when the field is absent. */
static bool
is_shown(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, unsigned flags)
{
	if (pbfield_is_present(msg, f))
		return true;
	if ((flags & PBJSON_PRESENT_ONLY) != 0 || pbfield_is_oneof(f))
		return false;
	return f->default_value != NULL || pbfield_is_repeated(f);
}

static cJSON *
print_timestamp(const ProtobufCMessage *msg)
{
	const int64_t *seconds = pbfield_at(msg, pbfield_find(msg->descriptor, "seconds"), 0);
	const int32_t *nanos = pbfield_at(msg, pbfield_find(msg->descriptor, "nanos"), 0);
	char text[RFC3339_SIZE];

	rfc3339_print(*seconds, *nanos, text);
	return cJSON_CreateString(text);
}

static cJSON *
print_message(const ProtobufCMessage *msg, unsigned flags)
{
	const ProtobufCMessageDescriptor *desc = msg->descriptor;
	char name[PBFIELD_NAME_MAX];
	cJSON *object, *item;

	if (pbjson_is_timestamp(desc))
		return print_timestamp(msg);
	object = cJSON_CreateObject();
	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];

		if (!is_shown(msg, f, flags))
			continue;
		if (pbfield_is_map(desc, f))
			item = print_map(msg, f, flags);
		else if (pbfield_is_repeated(f))
			item = print_array(msg, f, flags);
		else
			item = print_value(f, pbfield_at(msg, f, 0), flags);
		pbfield_json_name(f, name);
		cJSON_AddItemToObject(object, name, item);
	}
	return object;
}

void
pbjson_print(const ProtobufCMessage *msg, unsigned flags, struct buf *out)
{
	cJSON *tree;
	char *text;

	json_use_our_memory();
	tree = print_message(msg, flags);
	text = cJSON_PrintUnformatted(tree);
	buf_str_add(out, text);
	cJSON_free(text);
	cJSON_Delete(tree);
}

const char *
pbjson_enum_name(const ProtobufCEnumDescriptor *desc, int value)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(desc, value);

	return v != NULL ? v->name : "?";
}
