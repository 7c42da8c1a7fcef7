/*
 * Rows that the destination has already: an UPDATE does not send large values
 * that it did not touch, and the new version of a row needs all of them.
 */
#include <inttypes.h>

#include "lib/base/limits.h"
#include "lib/sink/ch_int.h"

#define KEY_BYTES_MAX (16 * MIB) /* of one kind of literal in one question */

/* ---- literals: a key's column as a list of texts, as CAST reads them */

static uint64_t
get_le(const uint8_t *p, unsigned width)
{
	uint64_t v = 0;

	memcpy(&v, p, width);
	return v;
}

static int64_t
sign_extend(uint64_t v, unsigned width)
{
	unsigned shift = 64 - 8 * width;

	return (int64_t)(v << shift) >> shift;
}

static void
put_int(struct slice v, struct buf *to)
{
	buf_printf(to, "%" PRId64, sign_extend(get_le(v.p, (unsigned)v.n), (unsigned)v.n));
}

static void
put_uint(struct slice v, struct buf *to)
{
	buf_printf(to, "%" PRIu64, get_le(v.p, (unsigned)v.n));
}

static void
put_string(struct slice v, struct buf *to)
{
	struct rbuf r = rbuf_of(v);

	while (rbuf_left(&r) > 0 && (rbuf_u8(&r) & 0x80) != 0)
		continue; /* the length */
	ch_literal(to, slice_of(r.p, rbuf_left(&r)));
}

static void
put_uuid(struct slice v, struct buf *to)
{
	uint64_t high = get_le(v.p, 8), low = get_le(v.p + 8, 8);

	buf_printf(to, "'%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64 "'",
	    high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffffffffffff);
}

/*
 * element: the type that the list's texts are read as, NULL: the column's own.
 * to: what makes the column's type of it, as a function of x.
 */
static const struct literal {
	enum ch_kind kind;
	uint8_t width, precision; /* 0: any */
	void (*put)(struct slice v, struct buf *to);
	const char *element;
	const char *to;
} literals[] = {
	{ CH_BOOL, 0, 0, put_uint, "UInt8", "x" },
	{ CH_INT, 1, 0, put_int, NULL, NULL },
	{ CH_INT, 2, 0, put_int, NULL, NULL },
	{ CH_INT, 4, 0, put_int, NULL, NULL },
	{ CH_INT, 8, 0, put_int, NULL, NULL },
	{ CH_UINT, 1, 0, put_uint, NULL, NULL },
	{ CH_UINT, 2, 0, put_uint, NULL, NULL },
	{ CH_UINT, 4, 0, put_uint, NULL, NULL },
	{ CH_UINT, 8, 0, put_uint, NULL, NULL },
	{ CH_STRING, 0, 0, put_string, "String", NULL },
	{ CH_UUID, 0, 0, put_uuid, "UUID", NULL },
	{ CH_DATE, 0, 0, put_uint, "UInt16", "CAST(x AS Date)" },
	{ CH_DATE32, 0, 0, put_int, "Int32", "toDate32(x)" },
	{ CH_DATETIME, 0, 0, put_uint, "UInt32", "CAST(x AS DateTime)" },
	{ CH_DATETIME64, 0, 6, put_int, "Int64", "fromUnixTimestamp64Micro(x)" },
};

static const struct literal *
literal_of(const struct ch_type *t)
{
	const struct literal *l;
	size_t i;

	for (i = 0; i < sizeof(literals) / sizeof(literals[0]); i++) {
		l = &literals[i];
		if (l->kind == t->kind && t->dims == 0 && (l->width == 0 || l->width == t->width) &&
		    (l->precision == 0 || l->precision == t->precision))
			return l;
	}
	return NULL;
}

bool
ch_toast_can_ask(const struct ch_table *ct)
{
	uint16_t i;

	for (i = 0; i < ct->t->nkeys; i++)
		if (literal_of(&ct->cols[ct->t->keys[i]].type) == NULL)
			return false;
	return ct->t->nkeys > 0;
}

/* ---- the question */

/* The columns asked for: the key's in its order, then those that an image lacks. */
static uint16_t
list_columns(const struct ch_table *ct, const struct ch_image *images, uint32_t n, uint16_t *list)
{
	bool wide = ch_batch_is_wide(ct), want[COLUMNS_MAX] = { false };
	const struct table *t = ct->t;
	uint16_t i, count = 0;
	const uint8_t *at;
	uint32_t j;

	for (j = 0; j < n; j++)
		for (i = 0, at = images[j].row->data; images[j].lookup != NULL && i < t->ncols; i++)
			want[i] |= row_next(images[j].row, &at).len == ROW_UNCHANGED;
	for (i = 0; i < t->nkeys; i++)
		list[count++] = t->keys[i];
	for (i = 0; i < t->ncols; i++)
		if (!t->cols[i].key && (want[i] || wide))
			list[count++] = i;
	return count;
}

/* A column of the key, as RowBinary has it. */
static bool
encode_key_column(const struct ch_table *ct, uint16_t col, const struct row *row, struct buf *out,
    struct err *err)
{
	const uint8_t *at = row->data;
	uint16_t i;

	for (i = 0; i < col; i++)
		row_next(row, &at);
	return ch_encode_value(&ct->cols[col], row_next(row, &at), row->text, out, err);
}

static bool
add_list(const struct ch_table *ct, uint16_t col, const struct ch_image *images, uint32_t n,
    struct buf *list, struct err *err)
{
	const struct ch_type *type = &ct->cols[col].type;
	const struct literal *l = literal_of(type);
	struct buf bytes;
	bool ok = true;
	uint32_t i;

	buf_init(&bytes, KEY_BYTES_MAX);
	buf_char(list, '[');
	for (i = 0; i < n && ok; i++) {
		if (images[i].lookup == NULL)
			continue;
		buf_reset(&bytes);
		ok = encode_key_column(ct, col, images[i].lookup, &bytes, err);
		if (list->n > 1)
			buf_char(list, ',');
		if (ok)
			l->put(slice_of(bytes.p + type->nullable, bytes.n - type->nullable), list);
	}
	buf_char(list, ']');
	buf_done(&bytes);
	return ok;
}

/* An array of the column's type as an expression. */
static bool
add_array(const struct ch_table *ct, uint16_t col, const struct ch_image *images, uint32_t n,
    struct buf *sql, struct err *err)
{
	struct ch_type type = ct->cols[col].type;
	const struct literal *l = literal_of(&type);
	char text[CH_TYPE_TEXT_MAX];
	struct buf list;
	bool ok;

	buf_init(&list, KEY_BYTES_MAX);
	type.nullable = type.low_cardinality = false;
	ok = add_list(ct, col, images, n, &list, err);
	if (l->to != NULL)
		buf_printf(sql, "arrayMap(x -> %s, ", l->to);
	buf_str_add(sql, "CAST(");
	ch_literal(sql, buf_slice(&list));
	buf_printf(sql, " AS Array(%s))", l->element ? l->element : ch_type_format(&type, text));
	if (l->to != NULL)
		buf_char(sql, ')');
	if (ok && buf_overflowed(&list))
		ok = err_set(err, ERR_TOO_LARGE, "keys of %s are too large", ct->t->source_label);
	buf_done(&list);
	return ok;
}

static void
add_names(const struct ch_table *ct, const uint16_t *list, uint16_t n, struct buf *sql)
{
	uint16_t i;

	for (i = 0; i < n; i++) {
		buf_str_add(sql, i > 0 ? ", " : "");
		ch_quote_name(sql, ct->cols[list[i]].name);
	}
}

/* k0, k1 ... of the arrays side by side */
static void
add_aliases(uint16_t n, struct buf *sql)
{
	uint16_t i;

	for (i = 0; i < n; i++)
		buf_printf(sql, "%sk%u", i > 0 ? ", " : "", i);
}

/*
 * (a, b) IN (SELECT k0, k1 FROM (SELECT CAST('[...]' AS ...) AS k0, ... AS k1) ARRAY JOIN k0, k1)
 *
 * Long lists as one literal each are read fast, and the set is compared with
 * the table's index.
 */
static bool
add_condition(const struct ch_table *ct, const struct ch_image *images, uint32_t n, struct buf *sql,
    struct err *err)
{
	const struct table *t = ct->t;
	uint16_t i;

	buf_str_add(sql, " WHERE (");
	add_names(ct, t->keys, t->nkeys, sql);
	buf_str_add(sql, ") IN (SELECT ");
	add_aliases(t->nkeys, sql);
	buf_str_add(sql, " FROM (SELECT ");
	for (i = 0; i < t->nkeys; i++) {
		buf_str_add(sql, i > 0 ? ", " : "");
		if (!add_array(ct, t->keys[i], images, n, sql, err))
			return false;
		buf_printf(sql, " AS k%u", i);
	}
	buf_str_add(sql, ") ARRAY JOIN ");
	add_aliases(t->nkeys, sql);
	buf_char(sql, ')');
	return true;
}

bool
ch_toast_query(const struct ch_table *ct, const struct ch_image *images, uint32_t n,
    struct buf *sql, struct err *err)
{
	uint16_t list[COLUMNS_MAX], count = list_columns(ct, images, n, list);

	buf_str_add(sql, "SELECT ");
	add_names(ct, list, count, sql);
	buf_str_add(sql, ", ");
	ch_quote_name(sql, ct->deleted_column);
	buf_printf(sql, ", `%s` FROM ", CH_VERSION_COLUMN);
	ch_ddl_name(ct, "", sql);
	if (!add_condition(ct, images, n, sql, err))
		return false;
	if (ct->schema_column != NULL) {
		buf_str_add(sql, " AND ");
		ch_quote_name(sql, ct->schema_column);
		buf_str_add(sql, " = ");
		ch_literal(sql, slice_str(ct->t->source_schema));
	}
	buf_printf(sql, " ORDER BY `%s` DESC LIMIT 1 BY ", CH_VERSION_COLUMN);
	if (ch_batch_is_wide(ct))
		add_names(ct, ct->order, ct->norder, sql);
	else
		add_names(ct, ct->t->keys, ct->t->nkeys, sql);
	buf_str_add(sql, " FORMAT RowBinary");
	if (buf_overflowed(sql))
		return err_set(err, ERR_TOO_LARGE, "keys of %s are too large", ct->t->source_label);
	return true;
}

/* ---- the answer */

static uint64_t
read_varint(struct rbuf *r)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = rbuf_u8(r);
		v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while ((byte & 0x80) != 0 && shift < 64);
	return v;
}

static void
skip_scalar(struct rbuf *r, const struct ch_type *t)
{
	if (t->nullable && rbuf_u8(r) != 0)
		return;
	if (t->kind == CH_FIXED_STRING)
		rbuf_bytes(r, t->length);
	else
		rbuf_bytes(r, t->width > 0 ? t->width : read_varint(r));
}

static void
skip_value(struct rbuf *r, const struct ch_type *t, unsigned dims)
{
	uint64_t n;

	if (dims == 0) {
		skip_scalar(r, t);
		return;
	}
	for (n = read_varint(r); n > 0 && rbuf_ok(r); n--)
		skip_value(r, t, dims - 1);
}

static uint64_t
read_version(struct rbuf *r)
{
	struct slice v = rbuf_bytes(r, 8);

	return v.n == 8 ? get_le(v.p, 8) : 0;
}

static struct ch_found
parse_row(const struct ch_table *ct, const uint16_t *list, uint16_t count, struct rbuf *r,
    struct arena *a)
{
	struct slice *values = arena_zalloc(a, ct->t->ncols * sizeof(*values));
	struct ch_found f = { .values = values, .key.p = r->p };
	const uint8_t *from;
	uint16_t i;

	for (i = 0; i < count; i++) {
		const struct ch_type *type = &ct->cols[list[i]].type;

		from = r->p;
		skip_value(r, type, type->dims);
		values[list[i]] = slice_of(from, (size_t)(r->p - from));
		if (i + 1 == ct->t->nkeys)
			f.key.n = (size_t)(r->p - f.key.p);
	}
	f.deleted = rbuf_u8(r) != 0;
	f.version = read_version(r);
	return f;
}

static int
compare_keys(struct slice a, struct slice b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	if (c != 0 || a.n == b.n)
		return c;
	return a.n < b.n ? -1 : 1;
}

static int
compare_founds(const void *a, const void *b)
{
	const struct ch_found *x = a, *y = b;
	int c = compare_keys(x->key, y->key);

	if (c != 0 || x->version == y->version)
		return c;
	return x->version > y->version ? -1 : 1;
}

bool
ch_toast_parse(const struct ch_table *ct, const struct ch_image *images, uint32_t n,
    struct slice answer, struct arena *a, struct ch_founds *founds_r, struct err *err)
{
	uint16_t list[COLUMNS_MAX], count = list_columns(ct, images, n, list);
	struct ch_founds founds = { .n = 0 };
	struct rbuf r = rbuf_of(answer);
	size_t cap = 64;

	founds.v = arena_alloc(a, cap * sizeof(*founds.v));
	while (rbuf_ok(&r) && rbuf_left(&r) > 0) {
		if (founds.n == cap) {
			struct ch_found *more = arena_alloc(a, 2 * cap * sizeof(*more));

			founds.v = memcpy(more, founds.v, cap * sizeof(*more));
			cap *= 2;
		}
		founds.v[founds.n++] = parse_row(ct, list, count, &r, a);
	}
	if (!rbuf_done(&r))
		return err_set(err, ERR_PROTOCOL, "malformed rows of %s from ClickHouse",
		    ct->t->source_label);
	qsort(founds.v, founds.n, sizeof(*founds.v), compare_founds);
	*founds_r = founds;
	return true;
}

bool
ch_toast_find(const struct ch_table *ct, const struct ch_image *im, const struct ch_founds *founds,
    struct ch_founds *part_r, struct err *err)
{
	size_t low = 0, high = founds->n, middle, end;
	struct buf key;
	uint16_t i;

	buf_init(&key, KEY_BYTES_MAX);
	for (i = 0; i < ct->t->nkeys; i++)
		if (!encode_key_column(ct, ct->t->keys[i], im->lookup, &key, err)) {
			buf_done(&key);
			return false;
		}
	while (low < high) {
		middle = low + (high - low) / 2;
		if (compare_keys(founds->v[middle].key, buf_slice(&key)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < founds->n && slice_eq(founds->v[end].key, buf_slice(&key)); end++)
		;
	buf_done(&key);
	*part_r = (struct ch_founds){ .v = founds->v + low, .n = end - low };
	return true;
}

/*
 * A row that is newer than the image, under the same key, tells that this is a
 * repetition: the image was written once and is superseded. Under another key
 * it is another row, which took the place of the one that moved away.
 */
bool
ch_toast_is_missing(const struct ch_table *ct, struct ch_image *im, const struct ch_founds *part)
{
	const struct ch_found *f = part->n > 0 ? &part->v[0] : NULL;

	if (im->row->unchanged == 0 || im->deleted)
		return false;
	if (f == NULL)
		return true;
	if (f->version > im->version) {
		im->skip = row_key_compare(ct->t, im->row, im->lookup) == 0;
		return !im->skip;
	}
	return f->deleted;
}
