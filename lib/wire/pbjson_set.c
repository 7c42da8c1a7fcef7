/*
 * pbjson_set - one field from text, found by a dotted name
 */
#include "lib/wire/pbjson_int.h"

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/wire/pbjson.h"

/* The last part of the name: a repeated field gains an entry, others are set. */
static bool
set_leaf(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const char *text, ProtobufCMessage *msg)
{
	cJSON item = { .type = cJSON_String, .valuestring = (char *)(uintptr_t)text };
	union pbvalue value;

	if (!pbfield_is_repeated(f) || pbfield_is_map(msg->descriptor, f))
		return pbjson_read_member(r, path, f, &item, msg);
	if (!pbjson_read_value(r, path, f, &item, &value))
		return false;
	pbfield_append(msg, f, value);
	return true;
}

static bool
set_map_entry(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCFieldDescriptor *f, const char *key, const char *text, ProtobufCMessage *msg)
{
	union pbvalue entry = { .msg = pbmsg_new(f->descriptor) };
	const ProtobufCFieldDescriptor *fields = entry.msg->descriptor->fields;
	struct pbjson_path here = { .up = path, .name = key };

	if (!set_leaf(r, &here, &fields[1], text, entry.msg)) {
		pbvalue_free(f, &entry);
		return false;
	}
	pbfield_set(entry.msg, &fields[0], (union pbvalue){ .s = xstrdup(key) });
	pbfield_append(msg, f, entry);
	return true;
}

static ProtobufCMessage *
enter_message(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	if (!pbfield_is_present(msg, f))
		pbfield_set(msg, f, (union pbvalue){ .msg = pbmsg_new(f->descriptor) });
	return pbfield_msg(msg, f, 0);
}

static bool
set_at(const struct pbjson_reader *r, const struct pbjson_path *path, const char *name,
    const char *text, ProtobufCMessage *msg)
{
	const char *dot = strchr(name, '.');
	struct pbjson_path here = { .up = path };
	const ProtobufCFieldDescriptor *f;
	char first[PBFIELD_NAME_MAX];

	str_copy(first, sizeof(first), name);
	if (dot != NULL && (size_t)(dot - name) < sizeof(first))
		first[dot - name] = '\0';
	f = pbjson_lookup(msg->descriptor, first);
	if (f == NULL)
		return pbjson_unknown(r, path, msg->descriptor, first);
	here.name = f->name;
	if (dot == NULL)
		return set_leaf(r, &here, f, text, msg);
	if (pbfield_is_map(msg->descriptor, f))
		return set_map_entry(r, &here, f, dot + 1, text, msg);
	if (pbfield_is_repeated(f) || f->type != PROTOBUF_C_TYPE_MESSAGE)
		return pbjson_fail(r, &here, "has no fields of its own");
	return set_at(r, &here, dot + 1, text, enter_message(msg, f));
}

bool
pbjson_set_field(ProtobufCMessage *msg, const char *name, const char *text, struct err *err)
{
	struct pbjson_reader r = { .err = err, .text = true };

	if (!str_utf8_valid(text, strlen(text)) || !str_utf8_valid(name, strlen(name)))
		return err_set(err, ERR_INVALID, "not UTF-8");
	return set_at(&r, NULL, name, text, msg);
}
