/*
 * pbjson_value - one JSON value into one protobuf value
 */
#include "lib/wire/pbjson_int.h"

#include <math.h>

#include <openssl/evp.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

/* Beyond this a double skips integers, so the number may not be what was written. */
#define EXACT_DOUBLE_MAX 9007199254740992.0

typedef bool read_fn(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r);

static bool
expected(const struct pbjson_reader *r, const struct pbjson_path *path, const char *what)
{
	return pbjson_fail(r, path, "expected %s", what);
}

static bool
read_whole(const struct pbjson_reader *r, const struct pbjson_path *path, const cJSON *item,
    int64_t min, int64_t max, int64_t *v_r)
{
	double d = item->valuedouble;
	struct err ignored;

	if (cJSON_IsString(item) && str_to_i64(item->valuestring, min, max, v_r, &ignored))
		return true;
	if (cJSON_IsNumber(item) && fabs(d) >= EXACT_DOUBLE_MAX) {
		pbjson_fail(r, path, "the number is too large to be exact in JSON");
		return err_hint(r->err, "write it as a string");
	}
	if (!cJSON_IsNumber(item) || d != floor(d) || d < (double)min || d > (double)max)
		return pbjson_fail(r, path, "expected a whole number from %lld to %lld",
		    (long long)min, (long long)max);
	*v_r = (int64_t)d;
	return true;
}

static bool
read_i32(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	int64_t v;

	if (!read_whole(r, path, item, INT32_MIN, INT32_MAX, &v))
		return false;
	v_r->i32 = (int32_t)v;
	return true;
}

static bool
read_u32(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	int64_t v;

	if (!read_whole(r, path, item, 0, UINT32_MAX, &v))
		return false;
	v_r->u32 = (uint32_t)v;
	return true;
}

static bool
read_i64(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	return read_whole(r, path, item, INT64_MIN, INT64_MAX, &v_r->i64);
}

static bool
read_u64(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	struct err ignored;
	int64_t v;

	if (cJSON_IsString(item)) {
		if (!str_to_u64(item->valuestring, 0, UINT64_MAX, &v_r->u64, &ignored))
			return pbjson_fail(r, path, "expected a whole number from 0 to %llu",
			    (unsigned long long)UINT64_MAX);
		return true;
	}
	if (!read_whole(r, path, item, 0, INT64_MAX, &v))
		return false;
	v_r->u64 = (uint64_t)v;
	return true;
}

static bool
read_double_text(const char *text, double *d_r)
{
	double d;
	char *end;

	if (strcmp(text, "NaN") == 0)
		*d_r = NAN;
	else if (strcmp(text, "Infinity") == 0)
		*d_r = INFINITY;
	else if (strcmp(text, "-Infinity") == 0)
		*d_r = -INFINITY;
	else {
		d = strtod(text, &end);
		if (text[0] == '\0' || strspn(text, "0123456789+-.eE") != strlen(text) ||
		    *end != '\0' || !isfinite(d))
			return false;
		*d_r = d;
	}
	return true;
}

static bool
read_number(const struct pbjson_reader *r, const struct pbjson_path *path, const cJSON *item,
    double *d_r)
{
	double d = item->valuedouble;

	if (cJSON_IsString(item)) {
		if (!read_double_text(item->valuestring, &d))
			return expected(r, path, "a number");
	} else if (!cJSON_IsNumber(item)) {
		return expected(r, path, "a number");
	} else if (!isfinite(d)) {
		return pbjson_fail(r, path, "the number is out of range");
	}
	*d_r = d;
	return true;
}

static bool
read_double(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	return read_number(r, path, item, &v_r->d);
}

static bool
read_float(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	double d;

	if (!read_number(r, path, item, &d))
		return false;
	v_r->f = (float)d;
	if (isfinite(d) && !isfinite(v_r->f))
		return pbjson_fail(r, path, "the number is out of range");
	return true;
}

static bool
read_bool(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	bool is_text = r->text && cJSON_IsString(item);
	bool is_true = is_text && strcmp(item->valuestring, "true") == 0;

	if (!cJSON_IsBool(item) && !is_true &&
	    !(is_text && strcmp(item->valuestring, "false") == 0))
		return expected(r, path, "true or false");
	v_r->b = cJSON_IsTrue(item) || is_true;
	return true;
}

/* "A, B, C", or as many as fit */
static void
enum_hint(const struct pbjson_reader *r, const ProtobufCEnumDescriptor *e)
{
	char list[ERR_HINT_MAX / 2] = "";
	size_t n = 0;

	for (unsigned i = 0; i < e->n_values && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i > 0 ? ", " : "",
		    e->values[i].name);
	err_hint(r->err, "known names: %s", list);
}

static bool
read_enum(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	const ProtobufCEnumDescriptor *e = f->descriptor;
	const ProtobufCEnumValue *value = NULL;
	struct err ignored;
	int64_t number;

	if (cJSON_IsString(item)) {
		value = protobuf_c_enum_descriptor_get_value_by_name(e, item->valuestring);
		if (value == NULL && r->text &&
		    str_to_i64(item->valuestring, INT32_MIN, INT32_MAX, &number, &ignored))
			value = protobuf_c_enum_descriptor_get_value(e, (int)number);
	} else if (cJSON_IsNumber(item)) {
		if (!read_whole(r, path, item, INT32_MIN, INT32_MAX, &number))
			return false;
		value = protobuf_c_enum_descriptor_get_value(e, (int)number);
	}
	if (value == NULL) {
		pbjson_fail(r, path, "expected a name or number of %s", e->short_name);
		enum_hint(r, e);
		return false;
	}
	v_r->i32 = value->value;
	return true;
}

static bool
read_string(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	if (!cJSON_IsString(item))
		return expected(r, path, "a string");
	v_r->s = xstrdup(item->valuestring);
	return true;
}

/* Base64, padded, in either alphabet. */
static bool
is_base64(const char *text)
{
	size_t n = strlen(text), used;

	used = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_");
	return n % 4 == 0 && n - used <= 2 && strspn(text + used, "=") == n - used;
}

static bool
read_bytes(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	uint8_t *text, *data;
	size_t n;
	int len;

	if (!cJSON_IsString(item) || !is_base64(item->valuestring))
		return expected(r, path, "base64");
	text = (uint8_t *)xstrdup(item->valuestring);
	n = strlen(item->valuestring);
	for (size_t i = 0; i < n; i++)
		text[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
	data = xmalloc(n / 4 * 3 + 1);
	len = EVP_DecodeBlock(data, text, (int)n);
	for (size_t i = n; len > 0 && i > 0 && text[i - 1] == '='; i--)
		len--;
	free(text);
	v_r->bytes = (ProtobufCBinaryData){ .len = len > 0 ? (size_t)len : 0, .data = data };
	return true;
}

static bool
read_message(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	ProtobufCMessage *msg = pbmsg_new(f->descriptor);

	if (!pbjson_read_message(r, path, item, msg)) {
		protobuf_c_message_free_unpacked(msg, NULL);
		return false;
	}
	v_r->msg = msg;
	return true;
}

bool
pbjson_read_value(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, union pbvalue *v_r)
{
	static read_fn *const readers[] = {
		[PROTOBUF_C_TYPE_INT32] = read_i32,
		[PROTOBUF_C_TYPE_SINT32] = read_i32,
		[PROTOBUF_C_TYPE_SFIXED32] = read_i32,
		[PROTOBUF_C_TYPE_INT64] = read_i64,
		[PROTOBUF_C_TYPE_SINT64] = read_i64,
		[PROTOBUF_C_TYPE_SFIXED64] = read_i64,
		[PROTOBUF_C_TYPE_UINT32] = read_u32,
		[PROTOBUF_C_TYPE_FIXED32] = read_u32,
		[PROTOBUF_C_TYPE_UINT64] = read_u64,
		[PROTOBUF_C_TYPE_FIXED64] = read_u64,
		[PROTOBUF_C_TYPE_FLOAT] = read_float,
		[PROTOBUF_C_TYPE_DOUBLE] = read_double,
		[PROTOBUF_C_TYPE_BOOL] = read_bool,
		[PROTOBUF_C_TYPE_ENUM] = read_enum,
		[PROTOBUF_C_TYPE_STRING] = read_string,
		[PROTOBUF_C_TYPE_BYTES] = read_bytes,
		[PROTOBUF_C_TYPE_MESSAGE] = read_message,
	};
	union pbvalue v = { 0 };

	if (!readers[f->type](r, path, f, item, &v))
		return false;
	*v_r = v;
	return true;
}
