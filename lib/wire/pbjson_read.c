/*
 * pbjson_read - JSON objects, arrays and maps into messages
 */
#include "lib/wire/pbjson_int.h"

#include <assert.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/wire/json.h"
#include "lib/wire/kvtext.h"
#include "lib/wire/pbjson.h"
#include "lib/wire/rfc3339.h"

#define FIELDS_MAX 256 /* in one message; bounds the set of those seen */

static void
path_print(const struct pbjson_path *path, struct buf *out)
{
	if (path == NULL)
		return;
	path_print(path->up, out);
	if (path->name == NULL)
		buf_printf(out, "[%d]", path->index);
	else
		buf_printf(out, "%s%s", out->n > 0 ? "." : "",
		    pbjson_is_showable(path->name) ? path->name : "?");
}

bool
pbjson_fail(const struct pbjson_reader *r, const struct pbjson_path *path, const char *fmt, ...)
{
	struct buf where, what;
	va_list ap;

	buf_init(&where, ERR_MSG_MAX / 2);
	buf_init(&what, ERR_MSG_MAX / 2);
	path_print(path, &where);
	va_start(ap, fmt);
	buf_vprintf(&what, fmt, ap);
	va_end(ap);
	if (where.n == 0)
		err_set(r->err, ERR_INVALID, "%s", buf_str(&what));
	else
		err_set(r->err, ERR_INVALID, "field \"%s\": %s", buf_str(&where), buf_str(&what));
	buf_done(&where);
	buf_done(&what);
	return false;
}

bool
pbjson_is_timestamp(const ProtobufCMessageDescriptor *desc)
{
	return strcmp(desc->name, "google.protobuf.Timestamp") == 0;
}

static bool
read_timestamp(const struct pbjson_reader *r, const struct pbjson_path *path, const cJSON *item,
    ProtobufCMessage *msg)
{
	union pbvalue seconds = { 0 }, nanos = { 0 };

	if (!cJSON_IsString(item) || !rfc3339_parse(item->valuestring, &seconds.i64, &nanos.i32))
		return pbjson_fail(r, path, "expected a time such as \"2026-01-02T03:04:05Z\"");
	pbfield_set(msg, pbfield_find(msg->descriptor, "seconds"), seconds);
	pbfield_set(msg, pbfield_find(msg->descriptor, "nanos"), nanos);
	return true;
}

/* ---- maps ------------------------------------------------------------ */

static ProtobufCMessage *
map_find(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, const char *key)
{
	for (size_t i = 0; i < pbfield_count(msg, f); i++) {
		ProtobufCMessage *entry = pbfield_msg(msg, f, i);
		char **have = pbfield_at(entry, &entry->descriptor->fields[0], 0);

		if (*have != NULL && strcmp(*have, key) == 0)
			return entry;
	}
	return NULL;
}

static void
map_append(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, const char *key,
    union pbvalue value)
{
	union pbvalue entry = { .msg = pbmsg_new(f->descriptor) };
	const ProtobufCFieldDescriptor *fields = entry.msg->descriptor->fields;

	pbfield_set(entry.msg, &fields[0], (union pbvalue){ .s = xstrdup(key) });
	pbfield_set(entry.msg, &fields[1], value);
	pbfield_append(msg, f, entry);
}

static const ProtobufCFieldDescriptor *
map_value_field(const ProtobufCFieldDescriptor *f)
{
	return &((const ProtobufCMessageDescriptor *)f->descriptor)->fields[1];
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, so that a million keys cost no more than sorting them. */
static bool
has_duplicate_keys(const cJSON *object)
{
	size_t n = (size_t)cJSON_GetArraySize(object), i = 0;
	const char **keys = xmalloc((n + 1) * sizeof(*keys));
	bool duplicate = false;
	const cJSON *item;

	cJSON_ArrayForEach(item, object) keys[i++] = item->string;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (i = 1; i < n && !duplicate; i++)
		duplicate = strcmp(keys[i - 1], keys[i]) == 0;
	free(keys);
	return duplicate;
}

static bool
read_map_text(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const char *text, ProtobufCMessage *msg)
{
	bool more = true, ok = true;
	struct err why = ERR_INIT;
	struct buf key, value;

	buf_init(&key, HTTP_BODY_MAX);
	buf_init(&value, HTTP_BODY_MAX);
	while ((ok = kvtext_next(&text, &key, &value, &more, &why)) && more) {
		if (map_find(msg, f, buf_str(&key)) != NULL) {
			ok = err_set(&why, ERR_INVALID, "a keyword is given twice");
			break;
		}
		map_append(msg, f, buf_str(&key), (union pbvalue){ .s = xstrdup(buf_str(&value)) });
	}
	buf_done(&key);
	buf_done(&value);
	return ok ? true : pbjson_fail(r, path, "%s", why.msg);
}

static bool
read_map(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *object, ProtobufCMessage *msg)
{
	const ProtobufCFieldDescriptor *vf = map_value_field(f);
	const cJSON *item;

	if (cJSON_IsString(object) && vf->type == PROTOBUF_C_TYPE_STRING)
		return read_map_text(r, path, f, object->valuestring, msg);
	if (!cJSON_IsObject(object))
		return pbjson_fail(r, path, "expected an object");
	if (has_duplicate_keys(object))
		return pbjson_fail(r, path, "a key is given twice");
	cJSON_ArrayForEach(item, object)
	{
		struct pbjson_path here = { .up = path, .name = item->string };
		union pbvalue value;

		if (!pbjson_read_value(r, &here, vf, item, &value))
			return false;
		map_append(msg, f, item->string, value);
	}
	return true;
}

/* ---- members and messages -------------------------------------------- */

static bool
read_array(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *array, ProtobufCMessage *msg)
{
	const cJSON *item;
	int i = 0;

	if (!cJSON_IsArray(array))
		return pbjson_fail(r, path, "expected an array");
	cJSON_ArrayForEach(item, array)
	{
		struct pbjson_path here = { .up = path, .index = i++ };
		union pbvalue value;

		if (!pbjson_read_value(r, &here, f, item, &value))
			return false;
		pbfield_append(msg, f, value);
	}
	return true;
}

static bool
oneof_is_free(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const ProtobufCMessage *msg)
{
	uint32_t now = pbfield_oneof_case(msg, f);

	if (now == 0 || now == f->id)
		return true;
	return pbjson_fail(r, path, "cannot be given beside \"%s\"",
	    protobuf_c_message_descriptor_get_field(msg->descriptor, now)->name);
}

bool
pbjson_read_member(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const cJSON *item, ProtobufCMessage *msg)
{
	union pbvalue value;

	if (pbfield_is_map(msg->descriptor, f))
		return read_map(r, path, f, item, msg);
	if (pbfield_is_repeated(f))
		return read_array(r, path, f, item, msg);
	if (pbfield_is_oneof(f) && !oneof_is_free(r, path, f, msg))
		return false;
	if (!pbjson_read_value(r, path, f, item, &value))
		return false;
	pbfield_set(msg, f, value);
	return true;
}

bool
pbjson_read_message(const struct pbjson_reader *r, const struct pbjson_path *path,
    const cJSON *object, ProtobufCMessage *msg)
{
	uint64_t seen[FIELDS_MAX / 64] = { 0 };
	const cJSON *item;

	assert(msg->descriptor->n_fields <= FIELDS_MAX);
	if (pbjson_is_timestamp(msg->descriptor))
		return read_timestamp(r, path, object, msg);
	if (!cJSON_IsObject(object))
		return pbjson_fail(r, path, "expected an object");
	cJSON_ArrayForEach(item, object)
	{
		const ProtobufCFieldDescriptor *f = pbjson_lookup(msg->descriptor, item->string);
		struct pbjson_path here = { .up = path, .name = f != NULL ? f->name : "" };
		size_t i = f != NULL ? (size_t)(f - msg->descriptor->fields) : 0;

		if (f == NULL && r->lenient)
			continue;
		if (f == NULL)
			return pbjson_unknown(r, path, msg->descriptor, item->string);
		if (seen[i / 64] & UINT64_C(1) << i % 64)
			return pbjson_fail(r, &here, "given twice");
		seen[i / 64] |= UINT64_C(1) << i % 64;
		if (!cJSON_IsNull(item) && !pbjson_read_member(r, &here, f, item, msg))
			return false;
	}
	return true;
}

/* ---- the calls -------------------------------------------------------- */

static bool
parse_with(const struct pbjson_reader *r, const ProtobufCMessageDescriptor *desc, const char *json,
    size_t n, ProtobufCMessage **msg_r)
{
	ProtobufCMessage *msg;
	cJSON *tree = NULL;
	bool ok = true;
	size_t blanks = 0;

	while (blanks < n && json[blanks] != '\0' && strchr(" \t\r\n", json[blanks]) != NULL)
		blanks++;
	if (blanks < n && !json_parse(json, n, &tree, r->err))
		return false;
	msg = pbmsg_new(desc);
	if (tree != NULL)
		ok = pbjson_read_message(r, NULL, tree, msg);
	cJSON_Delete(tree);
	if (ok)
		*msg_r = msg;
	else
		protobuf_c_message_free_unpacked(msg, NULL);
	return ok;
}

bool
pbjson_parse(const ProtobufCMessageDescriptor *desc, const char *json, size_t n,
    ProtobufCMessage **msg_r, struct err *err)
{
	struct pbjson_reader r = { .err = err };

	return parse_with(&r, desc, json, n, msg_r);
}

bool
pbjson_parse_reply(const ProtobufCMessageDescriptor *desc, const char *json, size_t n,
    ProtobufCMessage **msg_r, struct err *err)
{
	struct pbjson_reader r = { .err = err, .lenient = true };

	return parse_with(&r, desc, json, n, msg_r);
}
