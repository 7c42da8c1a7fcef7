#include "lib/wire/pbutil.h"

#include <assert.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/wire/pbfield.h"
#include "lib/wire/pbutil_int.h"

ProtobufCMessage *
pb_copy(const ProtobufCMessage *msg)
{
	ProtobufCMessage *copy;
	uint8_t *packed;
	size_t n;

	if (msg == NULL)
		return NULL;
	n = protobuf_c_message_get_packed_size(msg);
	packed = xmalloc(n + 1);
	protobuf_c_message_pack(msg, packed);
	copy = protobuf_c_message_unpack(msg->descriptor, NULL, n, packed);
	mem_wipe(packed, n);
	free(packed);
	assert(copy != NULL);
	return copy;
}

/* ---- presence ---------------------------------------------------------- */

static bool
is_optional_number(const ProtobufCFieldDescriptor *f)
{
	return f->label == PROTOBUF_C_LABEL_OPTIONAL && !pbfield_is_oneof(f) &&
	    f->type < PROTOBUF_C_TYPE_STRING;
}

/* `blank` is an empty message of the same type: its members are the defaults. */
static void
mark_number(ProtobufCMessage *msg, const ProtobufCMessage *blank, const ProtobufCFieldDescriptor *f)
{
	const void *at = pbfield_at(msg, f, 0);
	union pbvalue v = { 0 };

	if (pbfield_is_present(msg, f) ||
	    memcmp(at, pbfield_at(blank, f, 0), pbfield_value_size(f)) == 0)
		return;
	memcpy(&v, at, pbfield_value_size(f));
	pbfield_set(msg, f, v);
}

void
pb_mark_set(ProtobufCMessage *msg)
{
	ProtobufCMessage *blank = pbmsg_new(msg->descriptor);

	for (unsigned i = 0; i < msg->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &msg->descriptor->fields[i];

		if (is_optional_number(f))
			mark_number(msg, blank, f);
		else if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			for (size_t k = 0; k < pbfield_count(msg, f); k++)
				pb_mark_set(pbfield_msg(msg, f, k));
	}
	free(blank);
}

/* ---- comparison -------------------------------------------------------- */

static int compare_messages(const ProtobufCMessage *a, const ProtobufCMessage *b);

static int
compare_bytes(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int c = n > 0 ? memcmp(a->data, b->data, n) : 0;

	return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

/* Some total order of the values of one field; 0 when they are equal. */
static int
compare_values(const ProtobufCFieldDescriptor *f, const void *a, const void *b)
{
	const char *s, *t;

	switch (f->type) {
	case PROTOBUF_C_TYPE_MESSAGE:
		return compare_messages(*(ProtobufCMessage *const *)a,
		    *(ProtobufCMessage *const *)b);
	case PROTOBUF_C_TYPE_STRING:
		s = *(char *const *)a;
		t = *(char *const *)b;
		return strcmp(s != NULL ? s : "", t != NULL ? t : "");
	case PROTOBUF_C_TYPE_BYTES:
		return compare_bytes(a, b);
	default:
		return memcmp(a, b, pbfield_value_size(f));
	}
}

static int
compare_elements(const void *a, const void *b, void *field)
{
	return compare_values(field, *(void *const *)a, *(void *const *)b);
}

/* The places of a repeated field's values, in the order of compare_values(). */
static void **
sorted_elements(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	size_t n = pbfield_count(msg, f);
	void **at = xmalloc((n + 1) * sizeof(*at));

	for (size_t i = 0; i < n; i++)
		at[i] = pbfield_at(msg, f, i);
	qsort_r(at, n, sizeof(*at), compare_elements, (void *)(uintptr_t)f);
	return at;
}

static int
compare_lists(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *a,
    const ProtobufCMessage *b)
{
	size_t n = pbfield_count(a, f), m = pbfield_count(b, f);
	void **in_a, **in_b;
	int c = 0;

	if (n != m)
		return n < m ? -1 : 1;
	in_a = sorted_elements(a, f);
	in_b = sorted_elements(b, f);
	for (size_t i = 0; i < n && c == 0; i++)
		c = compare_values(f, in_a[i], in_b[i]);
	free(in_a);
	free(in_b);
	return c;
}

static int
compare_fields(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *a,
    const ProtobufCMessage *b)
{
	bool in_a = pbfield_is_present(a, f), in_b = pbfield_is_present(b, f);

	if (pbfield_is_repeated(f))
		return compare_lists(f, a, b);
	if (!in_a && !in_b)
		return 0;
	if (in_a != in_b && (f->default_value == NULL || pbfield_is_oneof(f)))
		return in_a ? 1 : -1;
	return compare_values(f, pbfield_at(a, f, 0), pbfield_at(b, f, 0));
}

static int
compare_messages(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	int c = 0;

	assert(a->descriptor == b->descriptor);
	for (unsigned i = 0; i < a->descriptor->n_fields && c == 0; i++)
		c = compare_fields(&a->descriptor->fields[i], a, b);
	return c;
}

static void
name_differences(const char *prefix, const ProtobufCMessage *a, const ProtobufCMessage *b,
    struct buf *names)
{
	char name[4 * PBFIELD_NAME_MAX];

	for (unsigned i = 0; i < a->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &a->descriptor->fields[i];
		bool nested = f->type == PROTOBUF_C_TYPE_MESSAGE && !pbfield_is_repeated(f) &&
		    pbfield_is_present(a, f) && pbfield_is_present(b, f);

		if (compare_fields(f, a, b) == 0)
			continue;
		snprintf(name, sizeof(name), "%s%s%s", prefix, f->name, nested ? "." : "");
		if (nested)
			name_differences(name, pbfield_msg(a, f, 0), pbfield_msg(b, f, 0), names);
		else
			buf_printf(names, "%s%s", names->n > 0 ? ", " : "", name);
	}
}

bool
pb_diff(const ProtobufCMessage *a, const ProtobufCMessage *b, struct buf *names)
{
	if (compare_messages(a, b) == 0)
		return true;
	if (names != NULL)
		name_differences("", a, b, names);
	return false;
}

/* ---- merging ----------------------------------------------------------- */

static void
merge_list(ProtobufCMessage *base, const ProtobufCMessage *patch, const ProtobufCFieldDescriptor *f)
{
	ProtobufCMessage *merged = pbmsg_new(base->descriptor);
	size_t n = pbfield_count(patch, f);

	for (size_t i = 0; i < n; i++) {
		const void *from = pbfield_at(patch, f, i);

		if (pb_is_redacted_entry(patch, f, i))
			from = pb_stored_entry(base, f, pbfield_msg(patch, f, i));
		if (from != NULL)
			pbfield_append(merged, f, pbvalue_copy(f, from));
	}
	pbfield_clear(base, f);
	n = pbfield_count(merged, f);
	for (size_t i = 0; i < n; i++)
		pbfield_append(base, f, pbvalue_copy(f, pbfield_at(merged, f, i)));
	protobuf_c_message_free_unpacked(merged, NULL);
}

static void
merge_field(ProtobufCMessage *base, const ProtobufCMessage *patch,
    const ProtobufCFieldDescriptor *f)
{
	if (pbfield_is_repeated(f))
		merge_list(base, patch, f);
	else if (f->type == PROTOBUF_C_TYPE_MESSAGE && pbfield_is_present(base, f))
		pb_merge(pbfield_msg(base, f, 0), pbfield_msg(patch, f, 0));
	else
		pbfield_set(base, f, pbvalue_copy(f, pbfield_at(patch, f, 0)));
}

void
pb_merge(ProtobufCMessage *base, const ProtobufCMessage *patch)
{
	assert(base->descriptor == patch->descriptor);
	for (unsigned i = 0; i < base->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &base->descriptor->fields[i];

		if (pbfield_is_present(patch, f) && !pb_is_redacted(patch, f))
			merge_field(base, patch, f);
	}
}
