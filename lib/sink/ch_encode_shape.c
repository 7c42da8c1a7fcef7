/*
 * Types with a form of their own in ClickHouse: points, hstore, vectors,
 * PostGIS shapes.
 */
#include <math.h>
#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/sink/ch_encode_int.h"

static bool
scan_char(struct slice *s, char c)
{
	if (s->n == 0 || s->p[0] != (uint8_t)c)
		return false;
	*s = slice_of(s->p + 1, s->n - 1);
	return true;
}

/* ---- point: POINT(x y) */

static enum ch_put
put_point(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	double x, y;
	size_t at;

	if (text) {
		if (!scan_char(&v, '(') || !ch_scan_double(&v, false, &x) || !scan_char(&v, ',') ||
		    !ch_scan_double(&v, false, &y) || !scan_char(&v, ')') || v.n > 0)
			return CH_PUT_BAD;
	} else {
		if (v.n != 16)
			return CH_PUT_BAD;
		x = ch_get_double(v.p);
		y = ch_get_double(v.p + 8);
	}
	at = ch_string_begin(out);
	buf_str_add(out, "POINT(");
	ch_format_double(x, false, out);
	buf_char(out, ' ');
	ch_format_double(y, false, out);
	buf_char(out, ')');
	return ch_string_end(out, at);
}

/*
 * ---- hstore: a JSON object with sorted keys
 *
 * Binary: u32 pairs, then per pair u32 length and key, i32 length (-1: NULL)
 * and value. Text: "k"=>"v", "n"=>NULL with backslashes before quotes.
 */

struct pair {
	struct slice key, value;
	bool null;
};

struct pairs {
	struct pair *v;
	size_t n, cap;
	struct buf
	    plain; /* texts without their escapes; as long as the source, so it never moves */
};

static void
pairs_add(struct pairs *p, const struct pair *pair)
{
	if (p->n == p->cap) {
		p->cap = p->cap > 0 ? 2 * p->cap : 16;
		p->v = xrealloc(p->v, p->cap * sizeof(*p->v));
	}
	p->v[p->n++] = *pair;
}

static bool
read_hstore_binary(struct slice s, struct pairs *pairs)
{
	struct rbuf r = rbuf_of(s);
	uint32_t n = rbuf_u32(&r), i, len;
	struct pair p;

	for (i = 0; i < n && rbuf_ok(&r); i++) {
		p.key = rbuf_bytes(&r, rbuf_u32(&r));
		len = rbuf_u32(&r);
		p.null = len == ROW_NULL;
		p.value = rbuf_bytes(&r, p.null ? 0 : len);
		pairs_add(pairs, &p);
	}
	return rbuf_done(&r);
}

static bool
scan_quoted(struct slice *s, struct buf *plain, struct slice *v_r)
{
	size_t from = plain->n, i;

	if (!scan_char(s, '"'))
		return false;
	for (i = 0; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\')
			i++;
		if (i < s->n)
			buf_char(plain, (char)s->p[i]);
	}
	if (i >= s->n)
		return false;
	*v_r = slice_of(plain->p + from, plain->n - from);
	*s = slice_of(s->p + i + 1, s->n - i - 1);
	return true;
}

static bool
scan_word(struct slice *s, const char *word)
{
	size_t n = strlen(word);

	if (s->n < n || memcmp(s->p, word, n) != 0)
		return false;
	*s = slice_of(s->p + n, s->n - n);
	return true;
}

static bool
read_hstore_text(struct slice s, struct pairs *pairs)
{
	struct pair p;

	buf_init(&pairs->plain, s.n + 1);
	buf_room(&pairs->plain, s.n);
	while (s.n > 0) {
		if (!scan_quoted(&s, &pairs->plain, &p.key) || !scan_word(&s, "=>"))
			return false;
		p.null = scan_word(&s, "NULL");
		p.value = slice_of(s.p, 0);
		if (!p.null && !scan_quoted(&s, &pairs->plain, &p.value))
			return false;
		pairs_add(pairs, &p);
		if (s.n > 0 && !scan_word(&s, ", "))
			return false;
	}
	return true;
}

static int
compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
	int order = n > 0 ? memcmp(x->key.p, y->key.p, n) : 0;

	return order != 0 ? order : (x->key.n > y->key.n) - (x->key.n < y->key.n);
}

/* As encoding/json of Go writes strings, so that what reads PeerDB's tables reads these. */
static void
put_json_text(struct slice s, struct buf *out)
{
	size_t i;
	uint8_t c;

	buf_char(out, '"');
	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n' || c == '\r' || c == '\t')
			buf_printf(out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
		else if (c < 0x20 || c == '<' || c == '>' || c == '&')
			buf_printf(out, "\\u%04x", c);
		else
			buf_char(out, (char)c);
	}
	buf_char(out, '"');
}

static void
put_pairs(const struct pairs *pairs, struct buf *out)
{
	size_t i;

	buf_char(out, '{');
	for (i = 0; i < pairs->n; i++) {
		if (i > 0)
			buf_char(out, ',');
		put_json_text(pairs->v[i].key, out);
		buf_char(out, ':');
		if (pairs->v[i].null)
			buf_str_add(out, "null");
		else
			put_json_text(pairs->v[i].value, out);
	}
	buf_char(out, '}');
}

static enum ch_put
put_hstore(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	struct pairs pairs = { .n = 0 };
	bool ok = text ? read_hstore_text(v, &pairs) : read_hstore_binary(v, &pairs);
	size_t at;

	if (ok) {
		if (pairs.n > 1)
			qsort(pairs.v, pairs.n, sizeof(*pairs.v), compare_pairs);
		at = ch_string_begin(out);
		put_pairs(&pairs, out);
		ch_string_end(out, at);
	}
	buf_done(&pairs.plain);
	free(pairs.v);
	return ok ? CH_PUT_OK : CH_PUT_BAD;
}

/*
 * ---- pgvector: Array(Float32)
 *
 * vector   text [1,2.5]         binary u16 dimensions, u16 0, f32...
 * halfvec  the same             binary u16 dimensions, u16 0, f16...
 * sparsevec text {1:1.5,9:2}/10 binary u32 dimensions, u32 n, u32 0, u32 index..., f32...
 */

#define SPARSE_DIMS_MAX 1000000000 /* pgvector's own */

static void
put_float(struct buf *out, float f)
{
	buf_add(out, &f, 4);
}

static float
half_to_float(unsigned h)
{
	int exponent = h >> 10 & 31;
	float mantissa = (float)(h & 1023), f;

	if (exponent == 31)
		f = mantissa != 0 ? NAN : INFINITY;
	else if (exponent == 0)
		f = ldexpf(mantissa, -24);
	else
		f = ldexpf(mantissa + 1024, exponent - 25);
	return h >> 15 ? -f : f;
}

static bool
put_vector_text(struct slice v, struct buf *out)
{
	uint64_t n = 0;
	double d;
	size_t i;

	if (v.n < 2 || v.p[0] != '[')
		return false;
	for (i = 0; i < v.n; i++)
		n += v.p[i] == ',';
	ch_put_count(out, v.n == 2 ? 0 : n + 1);
	scan_char(&v, '[');
	for (; v.n > 1; scan_char(&v, ',')) {
		if (!ch_scan_double(&v, true, &d) || v.n == 0)
			return false;
		put_float(out, (float)d);
	}
	return scan_char(&v, ']');
}

static bool
put_vector_binary(struct slice v, size_t width, struct buf *out)
{
	size_t n, i;
	const uint8_t *p = v.p + 4;

	if (v.n < 4)
		return false;
	n = (size_t)v.p[0] << 8 | v.p[1];
	if (v.n != 4 + n * width)
		return false;
	ch_put_count(out, n);
	for (i = 0; i < n; i++, p += width)
		put_float(out,
		    width == 4 ? ch_get_float(p) : half_to_float((unsigned)p[0] << 8 | p[1]));
	return true;
}

enum ch_put
ch_put_vector(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	return (text ? put_vector_text(v, out) : put_vector_binary(v, 4, out)) ? CH_PUT_OK
									       : CH_PUT_BAD;
}

enum ch_put
ch_put_halfvec(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	return (text ? put_vector_text(v, out) : put_vector_binary(v, 2, out)) ? CH_PUT_OK
									       : CH_PUT_BAD;
}

/* All zeros, to be filled; NULL: too large, or no room. */
static uint8_t *
put_zeros(uint64_t n, struct buf *out)
{
	uint8_t *to;

	ch_put_count(out, n);
	to = buf_room(out, 4 * n);
	if (to == NULL)
		return NULL;
	memset(to, 0, 4 * n);
	out->n += 4 * n;
	return to;
}

static enum ch_put
put_sparse_text(struct slice v, struct buf *out)
{
	const uint8_t *slash = v.n > 0 ? memchr(v.p, '/', v.n) : NULL;
	double dims, index, d;
	struct slice tail;
	uint8_t *to;
	float f;

	if (slash == NULL || !scan_char(&v, '{'))
		return CH_PUT_BAD;
	tail = slice_of(slash + 1, (size_t)(v.p + v.n - slash) - 1);
	if (!ch_scan_double(&tail, false, &dims) || !(dims >= 0 && dims <= SPARSE_DIMS_MAX))
		return CH_PUT_BAD;
	to = put_zeros((uint64_t)dims, out);
	if (to == NULL)
		return CH_PUT_OK;
	for (; v.p < slash && *v.p != '}'; scan_char(&v, ',')) {
		if (!ch_scan_double(&v, false, &index) || !scan_char(&v, ':') ||
		    !ch_scan_double(&v, true, &d) || !(index >= 1 && index <= dims))
			return CH_PUT_BAD;
		f = (float)d;
		memcpy(to + 4 * ((size_t)index - 1), &f, 4);
	}
	return CH_PUT_OK;
}

static enum ch_put
put_sparse_binary(struct slice v, struct buf *out)
{
	uint32_t dims, n, i, index;
	uint8_t *to;
	float f;

	if (v.n < 12)
		return CH_PUT_BAD;
	dims = ch_get_u32(v.p);
	n = ch_get_u32(v.p + 4);
	if (dims > SPARSE_DIMS_MAX || n > dims || v.n != 12 + 8 * (uint64_t)n)
		return CH_PUT_BAD;
	to = put_zeros(dims, out);
	for (i = 0; to != NULL && i < n; i++) {
		index = ch_get_u32(v.p + 12 + 4 * (size_t)i);
		if (index >= dims)
			return CH_PUT_BAD;
		f = ch_get_float(v.p + 12 + 4 * ((size_t)n + i));
		memcpy(to + 4 * (size_t)index, &f, 4);
	}
	return CH_PUT_OK;
}

enum ch_put
ch_put_sparsevec(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	return text ? put_sparse_text(v, out) : put_sparse_binary(v, out);
}

/* As String: the text form, made from floats in both cases. */
static enum ch_put
put_vector_string(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	const struct ch_family *f = c->source.type->family;
	ch_put_fn *put = f == &ch_family_vector ? ch_put_vector
	    : f == &ch_family_halfvec		? ch_put_halfvec
						: ch_put_sparsevec;
	struct buf floats;
	enum ch_put done;
	size_t at, i = 0;
	float one;

	buf_init(&floats, out->max);
	done = put(c, v, text, &floats);
	if (done == CH_PUT_OK && floats.n > 0) {
		at = ch_string_begin(out);
		buf_char(out, '[');
		while (floats.p[i++] & 0x80)
			;
		for (; i + 4 <= floats.n; i += 4) {
			memcpy(&one, floats.p + i, 4);
			ch_format_double((double)one, true, out);
			buf_char(out, i + 8 <= floats.n ? ',' : ']');
		}
		ch_string_end(out, at);
	}
	buf_done(&floats);
	return done;
}

/* ---- */

const struct ch_family ch_family_point = { .string = { put_point, false } };
const struct ch_family ch_family_hstore = { .string = { put_hstore, false } };
const struct ch_family ch_family_vector = { .string = { put_vector_string, false } };
const struct ch_family ch_family_halfvec = { .string = { put_vector_string, false } };
const struct ch_family ch_family_sparsevec = { .string = { put_vector_string, false } };
