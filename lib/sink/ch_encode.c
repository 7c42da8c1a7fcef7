#include "lib/sink/ch_encode.h"

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "lib/sink/ch_encode_int.h"

#define SHOWN_MAX 64 /* bytes of a value in a message */
#define KEY_MAX	  512

/* ---- no value */

void
ch_put_default(const struct ch_type *t, struct buf *out)
{
	size_t n = t->kind == CH_FIXED_STRING ? t->length : t->width > 0 ? t->width : 1;
	uint8_t *to;

	if (t->kind == CH_JSON) {
		ch_put_bytes(out, "{}", 2);
		return;
	}
	to = buf_room(out, n);
	if (to == NULL)
		return;
	memset(to, 0, n);
	out->n += n;
}

void
ch_encode_absent(const struct ch_column *c, struct buf *out)
{
	if (c->type.dims > 0)
		buf_char(out, 0);
	else if (c->type.nullable)
		buf_char(out, 1);
	else
		ch_put_default(&c->type, out);
}

/* ---- a scalar, or an element */

static void
put_instead(const struct ch_column *c, struct buf *out)
{
	if (c->type.nullable)
		buf_char(out, 1);
	else
		ch_put_default(&c->type, out);
}

/* What does not fit is replaced if the mirror wants that. */
static enum ch_put
replace(const struct ch_column *c, size_t at, struct buf *out)
{
	if (!c->opt->lossy_null)
		return CH_PUT_LOSSY;
	out->n = at;
	put_instead(c, out);
	if (c->cleared != NULL)
		++*c->cleared;
	return CH_PUT_OK;
}

static inline enum ch_put
put_element(const struct ch_column *c, struct row_value v, bool text, struct buf *out)
{
	size_t at = out->n;
	enum ch_put put;

	if (v.len == ROW_NULL) {
		if (!c->type.nullable && c->opt->nullable)
			return replace(c, at, out);
		put_instead(c, out);
		return CH_PUT_OK;
	}
	if (c->type.nullable)
		buf_char(out, 0);
	put = c->codec->put(c, slice_of(v.p, v.len), text, out);
	return put == CH_PUT_LOSSY ? replace(c, at, out) : put;
}

enum ch_put
ch_put_element(const struct ch_column *c, struct row_value v, bool text, struct buf *out)
{
	return put_element(c, v, text, out);
}

/* ---- a column's value */

/* An array has no NULL: one is as little at home here as one with more dimensions. */
static enum ch_put
put_array(const struct ch_column *c, struct row_value v, bool text, struct buf *out)
{
	size_t at = out->n;
	enum ch_put put = CH_PUT_LOSSY;

	if (v.len != ROW_NULL)
		put = (c->codec->whole ? c->codec->put : ch_put_array)(c, slice_of(v.p, v.len),
		    text, out);
	else if (!c->opt->nullable)
		return buf_char(out, 0), CH_PUT_OK;
	if (put != CH_PUT_LOSSY || !c->opt->lossy_null)
		return put;
	out->n = at;
	buf_char(out, 0);
	if (c->cleared != NULL)
		++*c->cleared;
	return CH_PUT_OK;
}

static inline enum ch_put
put_value(const struct ch_column *c, struct row_value v, bool text, struct buf *out)
{
	return c->type.dims == 0 ? put_element(c, v, text, out) : put_array(c, v, text, out);
}

/* ---- words */

static size_t
cut_utf8(const uint8_t *p, size_t n, size_t most)
{
	if (n <= most)
		return n;
	while (most > 0 && (p[most] & 0xc0) == 0x80)
		most--;
	return most;
}

static void
show_bytes(struct slice s, struct buf *to)
{
	size_t n = cut_utf8(s.p, s.n, SHOWN_MAX), i;

	for (i = 0; i < n; i++)
		buf_char(to, (char)(s.p[i] < ' ' ? ' ' : s.p[i]));
	if (n < s.n)
		buf_str_add(to, "...");
}

/* A value for people. An array in binary form is shown by its length alone. */
static void
show_value(const struct ch_column *c, struct row_value v, bool text, struct buf *to)
{
	struct slice s = slice_of(v.p, v.len);
	struct buf written;
	size_t at = 0;

	if (v.len == ROW_NULL) {
		buf_str_add(to, "NULL");
		return;
	}
	if (text) {
		show_bytes(s, to);
		return;
	}
	if (c->source.dims > 0) {
		buf_printf(to, "(an array of %u bytes)", v.len);
		return;
	}
	buf_init(&written, v.len * 8ull + KIB);
	if (c->words->put(c, s, text, &written) == CH_PUT_OK && written.n > 0) {
		while (at < written.n && written.p[at] & 0x80)
			at++;
		show_bytes(slice_of(written.p + at + 1, written.n - at - 1), to);
	}
	buf_done(&written);
}

static bool
refuse_value(const struct ch_column *c, struct row_value v, bool text, enum ch_put why,
    struct err *err)
{
	char type[CH_TYPE_TEXT_MAX];
	struct buf shown;

	if (why == CH_PUT_BAD) {
		err_set(err, ERR_PROTOCOL, "malformed %s value of type %s",
		    text ? "text" : "binary", c->def->type_name);
		return err_context(err, "column \"%s\"", c->def->name);
	}
	buf_init(&shown, KIB);
	show_value(c, v, text, &shown);
	err_set(err, ERR_DATA, "%s does not fit %s", buf_str(&shown),
	    ch_type_format(&c->type, type));
	buf_done(&shown);
	err_context(err, "column \"%s\"", c->def->name);
	return err_hint(err,
	    "set destination_type of the column to one that holds it, such as "
	    "Nullable(String), or on_lossy_value=null to store NULL or the type's default");
}

bool
ch_encode_value(const struct ch_column *c, struct row_value v, bool text, struct buf *out,
    struct err *err)
{
	size_t at = out->n;
	enum ch_put put = put_value(c, v, text, out);

	if (put == CH_PUT_OK)
		return true;
	out->n = at;
	return refuse_value(c, v, text, put, err);
}

/* ---- rows */

/* The values of a row one after the other, from either source. */
struct cells {
	const uint8_t *p;
	bool copy; /* of the snapshot: no NUL after texts, the form is each column's own */
	bool text;
};

static inline struct row_value
next_cell(struct cells *at, const struct ch_column *c, bool *text_r)
{
	struct row_value v = { .len = ch_get_u32(at->p), .p = at->p + 4 };

	*text_r = at->copy ? !c->source.type->binary : at->text;
	at->p += 4;
	if (v.len < ROW_UNCHANGED)
		at->p += v.len + (!at->copy && at->text ? 1 : 0);
	return v;
}

static bool
is_key(const struct ch_table *ct, uint16_t col)
{
	return ct->t->cols[col].key;
}

/* ": public.t, key (id) = (7)" */
static bool
add_row_context(const struct ch_table *ct, struct cells at, struct err *err)
{
	struct buf names, values;
	struct row_value v;
	uint16_t i;
	bool text;

	buf_init(&names, KEY_MAX);
	buf_init(&values, KEY_MAX);
	for (i = 0; i < ct->t->ncols; i++) {
		v = next_cell(&at, &ct->cols[i], &text);
		if (!is_key(ct, i))
			continue;
		buf_printf(&names, "%s%s", names.n > 0 ? ", " : "", ct->t->cols[i].name);
		buf_str_add(&values, values.n > 0 ? ", " : "");
		if (v.len != ROW_UNCHANGED)
			show_value(&ct->cols[i], v, text, &values);
	}
	if (names.n > 0)
		err_context(err, "%s, key (%s) = (%s)", ct->t->source_label, buf_str(&names),
		    buf_str(&values));
	else
		err_context(err, "%s", ct->t->source_label);
	buf_done(&names);
	buf_done(&values);
	return false;
}

static bool
encode_cells(const struct ch_table *ct, struct cells at, bool deleted, struct buf *out,
    struct err *err)
{
	const struct ch_column *c = ct->cols, *end = c + ct->t->ncols;
	struct cells row = at;
	struct row_value v;
	bool text;

	for (; c < end; c++) {
		v = next_cell(&at, c, &text);
		if (v.len == ROW_UNCHANGED && !deleted) {
			err_set(err, ERR_BUG, "the value of column \"%s\" is not known", c->name);
			return add_row_context(ct, row, err);
		}
		if (v.len >= ROW_UNCHANGED && deleted)
			ch_encode_absent(c, out);
		else if (!ch_encode_value(c, v, text, out, err))
			return add_row_context(ct, row, err);
	}
	return true;
}

void
ch_encode_meta(const struct ch_table *ct, uint64_t version, bool deleted, struct buf *out)
{
	if (ct->schema_column != NULL)
		ch_put_bytes(out, ct->t->source_schema, strlen(ct->t->source_schema));
	buf_char(out, deleted ? 1 : 0);
	buf_add(out, &version, sizeof(version));
}

bool
ch_encode_row(const struct ch_table *ct, const struct row *r, uint64_t version, bool deleted,
    struct buf *out, struct err *err)
{
	struct cells at = { .p = r->data, .text = r->text };
	size_t begun = out->n;

	if (!encode_cells(ct, at, deleted, out, err)) {
		out->n = begun;
		return false;
	}
	ch_encode_meta(ct, version, deleted, out);
	return true;
}

/* Past one row of COPY, whose lengths are checked on the way. */
static bool
skip_copy_row(struct rbuf *rows, uint16_t ncols)
{
	uint32_t len;
	uint16_t i;

	if (rbuf_u16(rows) != ncols)
		return false;
	for (i = 0; i < ncols; i++) {
		len = rbuf_u32(rows);
		rbuf_bytes(rows, len == ROW_NULL ? 0 : len);
	}
	return rbuf_ok(rows);
}

bool
ch_encode_copy_row(const struct ch_table *ct, struct rbuf *rows, struct buf *out, struct err *err)
{
	struct cells at = { .p = rows->p + 2, .copy = true };
	size_t begun = out->n;

	if (!skip_copy_row(rows, ct->t->ncols))
		return err_set(err, ERR_PROTOCOL, "malformed row in the snapshot of %s",
		    ct->t->source_label);
	if (!encode_cells(ct, at, false, out, err)) {
		out->n = begun;
		return false;
	}
	ch_encode_meta(ct, 0, false, out);
	return true;
}
