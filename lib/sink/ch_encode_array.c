/*
 * Arrays. One walk over the text form and one over the binary form call the
 * same visitor, which writes Array(T), a JSON text or Postgres' own text.
 *
 * Binary form (big-endian):
 *
 *	u32 dimensions, u32 has NULLs, u32 element type, per dimension u32 count
 *	and i32 lower bound, then per element i32 length (-1: NULL) and bytes
 *
 * Text form: {1,NULL,"a \"b\""}, nested braces for more dimensions, and lower
 * bounds before it when they are not 1: [0:2]={1,2,3}
 */
#include <ctype.h>
#include <strings.h>

#include "lib/sink/ch_encode_int.h"

#define DIMS_MAX 6 /* Postgres' MAXDIM */

struct visit {
	const struct ch_column *c;
	bool text;
	struct buf *out;
	void (*open)(struct visit *v, uint32_t count);
	enum ch_put (*item)(struct visit *v, struct row_value element);
	void (*close)(struct visit *v);
	/* what the walk found */
	unsigned dims;
	struct slice bounds; /* "[0:2]" */
	/* texts only: is a separator due? */
	bool first;
};

/* ---- binary form */

struct binary_array {
	struct rbuf r;
	uint32_t counts[DIMS_MAX];
	unsigned dims;
};

static enum ch_put
walk_binary_level(struct visit *v, struct binary_array *a, unsigned level)
{
	enum ch_put put = CH_PUT_OK;
	struct row_value e;
	uint32_t i;

	v->open(v, a->counts[level]);
	for (i = 0; i < a->counts[level] && put == CH_PUT_OK; i++) {
		if (level + 1 < a->dims) {
			put = walk_binary_level(v, a, level + 1);
			continue;
		}
		e.len = rbuf_u32(&a->r);
		e.p = rbuf_bytes(&a->r, e.len == ROW_NULL ? 0 : e.len).p;
		put = rbuf_ok(&a->r) ? v->item(v, e) : CH_PUT_BAD;
	}
	v->close(v);
	return put;
}

/* Every element takes 4 bytes at least, so counts that promise more are wrong. */
static bool
read_binary_header(struct binary_array *a, struct buf *bounds)
{
	uint64_t all = 1;
	bool shifted = false;
	int32_t low[DIMS_MAX];
	unsigned i;

	a->dims = rbuf_u32(&a->r);
	rbuf_bytes(&a->r, 8);
	if (a->dims > DIMS_MAX)
		return false;
	for (i = 0; i < a->dims; i++) {
		a->counts[i] = rbuf_u32(&a->r);
		low[i] = (int32_t)rbuf_u32(&a->r);
		shifted |= low[i] != 1;
		if (a->counts[i] == 0 || all > UINT32_MAX)
			return false;
		all *= a->counts[i];
	}
	for (i = 0; shifted && i < a->dims; i++)
		buf_printf(bounds, "[%d:%lld]", low[i], low[i] + (long long)a->counts[i] - 1);
	return rbuf_ok(&a->r) && (a->dims == 0 || all <= rbuf_left(&a->r) / 4);
}

/* ---- text form */

/* Past one element, quoted or not, or a whole nested array; NULL: it does not end. */
static const uint8_t *
skip_item(const uint8_t *p, const uint8_t *end, char delimiter)
{
	bool quoted = false;
	unsigned depth = 0;

	for (; p < end; p++) {
		if (*p == '\\')
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && *p == '{')
			depth++;
		else if (!quoted && *p == '}' && depth-- == 0)
			return p;
		else if (!quoted && depth == 0 && *p == (uint8_t)delimiter)
			return p;
	}
	return NULL;
}

/* p stands behind the opening brace. */
static bool
count_items(const uint8_t *p, const uint8_t *end, char delimiter, uint32_t *n_r)
{
	uint32_t n = 1;

	while ((p = skip_item(p, end, delimiter)) != NULL && *p != '}') {
		p++;
		n++;
	}
	*n_r = n;
	return p != NULL;
}

static enum ch_put
visit_escaped(struct visit *v, struct slice s)
{
	struct row_value e;
	enum ch_put put;
	struct buf plain;
	size_t i;

	buf_init(&plain, s.n + 1);
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		buf_char(&plain, (char)s.p[i]);
	}
	e = (struct row_value){ .len = (uint32_t)plain.n, .p = plain.p };
	put = v->item(v, e);
	buf_done(&plain);
	return put;
}

static enum ch_put
visit_text(struct visit *v, struct slice s)
{
	bool quoted = s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"';
	struct row_value e;

	if (!quoted && s.n == 4 && strncasecmp((const char *)s.p, "NULL", 4) == 0)
		return v->item(v, (struct row_value){ .len = ROW_NULL });
	if (quoted)
		s = slice_of(s.p + 1, s.n - 2);
	if (memchr(s.p, '\\', s.n) != NULL)
		return visit_escaped(v, s);
	e = (struct row_value){ .len = (uint32_t)s.n, .p = s.p };
	return v->item(v, e);
}

/* *at stands behind an opening brace, in the end behind its closing one. */
static enum ch_put
walk_text_level(struct visit *v, const uint8_t **at, const uint8_t *end, unsigned level)
{
	char delimiter = v->c->source.delimiter;
	enum ch_put put = CH_PUT_OK;
	const uint8_t *stop;
	uint32_t n, i;

	if (!count_items(*at, end, delimiter, &n))
		return CH_PUT_BAD;
	v->open(v, n);
	for (i = 0; i < n && put == CH_PUT_OK; i++) {
		if ((**at == '{') != (level + 1 < v->dims))
			return CH_PUT_BAD;
		stop = skip_item(*at, end, delimiter);
		if (**at == '{') {
			++*at;
			put = walk_text_level(v, at, end, level + 1);
		} else {
			put = visit_text(v, slice_of(*at, (size_t)(stop - *at)));
			*at = stop;
		}
		if (put == CH_PUT_OK && (*at != stop || *at >= end))
			return CH_PUT_BAD;
		++*at;
	}
	v->close(v);
	return put;
}

/* Take "[0:2][1:4]=" off the front. */
static bool
read_text_header(struct visit *v, struct slice *s)
{
	const uint8_t *equals;
	unsigned i;

	if (s->n > 0 && s->p[0] == '[') {
		equals = memchr(s->p, '=', s->n);
		if (equals == NULL)
			return false;
		v->bounds = slice_of(s->p, (size_t)(equals - s->p));
		*s = slice_of(equals + 1, s->n - v->bounds.n - 1);
	}
	if (s->n < 2 || s->p[0] != '{' || s->p[s->n - 1] != '}')
		return false;
	for (i = 0; i < s->n && s->p[i] == '{'; i++)
		;
	v->dims = s->n == 2 ? 0 : i;
	return i <= DIMS_MAX;
}

/* ---- the walk: begin() hears the dimensions before anything is visited */

typedef enum ch_put visit_begin_fn(struct visit *v);

static enum ch_put
walk_text(struct visit *v, struct slice s, visit_begin_fn *begin)
{
	const uint8_t *at, *end;
	enum ch_put put;

	if (!read_text_header(v, &s))
		return CH_PUT_BAD;
	put = begin(v);
	if (put != CH_PUT_OK)
		return put;
	if (v->dims == 0) {
		v->open(v, 0);
		v->close(v);
		return CH_PUT_OK;
	}
	at = s.p + 1;
	end = s.p + s.n;
	put = walk_text_level(v, &at, end, 0);
	return put == CH_PUT_OK && at != end ? CH_PUT_BAD : put;
}

static enum ch_put
walk_binary(struct visit *v, struct slice s, visit_begin_fn *begin)
{
	struct binary_array a = { .r = rbuf_of(s) };
	enum ch_put put = CH_PUT_BAD;
	struct buf bounds;

	buf_init(&bounds, 512);
	if (read_binary_header(&a, &bounds)) {
		v->dims = a.dims;
		v->bounds = buf_slice(&bounds);
		put = begin(v);
		if (put == CH_PUT_OK && a.dims > 0)
			put = walk_binary_level(v, &a, 0);
		if (put == CH_PUT_OK && a.dims == 0) {
			v->open(v, 0);
			v->close(v);
		}
		if (put == CH_PUT_OK && !rbuf_done(&a.r))
			put = CH_PUT_BAD;
	}
	buf_done(&bounds);
	return put;
}

static enum ch_put
walk(struct visit *v, struct slice s, visit_begin_fn *begin)
{
	v->first = true;
	return v->text ? walk_text(v, s, begin) : walk_binary(v, s, begin);
}

/* ---- Array(T) */

/* The type says how deep it is; nothing in it is nothing at any depth. */
static enum ch_put
array_begin(struct visit *v)
{
	return v->dims == 0 || v->dims == v->c->type.dims ? CH_PUT_OK : CH_PUT_LOSSY;
}

static void
array_open(struct visit *v, uint32_t count)
{
	ch_put_count(v->out, count);
}

static enum ch_put
array_item(struct visit *v, struct row_value e)
{
	return ch_put_element(v->c, e, v->text, v->out);
}

static void
array_close(struct visit *v)
{
}

enum ch_put
ch_put_array(const struct ch_column *c, struct slice s, bool text, struct buf *out)
{
	struct visit v = {
		.c = c,
		.text = text,
		.out = out,
		.open = array_open,
		.item = array_item,
		.close = array_close,
	};

	return walk(&v, s, array_begin);
}

/* ---- json[] as one JSON array */

static enum ch_put
text_begin(struct visit *v)
{
	return CH_PUT_OK;
}

static void
separate(struct visit *v)
{
	if (!v->first)
		buf_char(v->out, ',');
	v->first = false;
}

static void
json_open(struct visit *v, uint32_t count)
{
	separate(v);
	buf_char(v->out, '[');
	v->first = true;
}

static void
text_close(struct visit *v, char brace)
{
	buf_char(v->out, brace);
	v->first = false;
}

static void
json_close(struct visit *v)
{
	text_close(v, ']');
}

static enum ch_put
json_item(struct visit *v, struct row_value e)
{
	bool version = !v->text && v->c->source.type->family == &ch_family_jsonb;

	separate(v);
	if (e.len == ROW_NULL) {
		buf_str_add(v->out, "null");
		return CH_PUT_OK;
	}
	if (version && (e.len == 0 || e.p[0] != 1))
		return CH_PUT_BAD;
	buf_add(v->out, e.p + version, e.len - version);
	return CH_PUT_OK;
}

enum ch_put
ch_put_json_array(const struct ch_column *c, struct slice s, bool text, struct buf *out)
{
	struct visit v = {
		.c = c,
		.text = text,
		.out = out,
		.open = json_open,
		.item = json_item,
		.close = json_close,
	};
	size_t at = ch_string_begin(out);
	enum ch_put put = walk(&v, s, text_begin);

	return put == CH_PUT_OK ? ch_string_end(out, at) : put;
}

/* ---- an array in a String: as Postgres prints it, elements as their own String is */

static bool
needs_quotes(struct slice s, char delimiter)
{
	size_t i;

	if (s.n == 0 || (s.n == 4 && strncasecmp((const char *)s.p, "NULL", 4) == 0))
		return true;
	for (i = 0; i < s.n; i++)
		if (s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '{' || s.p[i] == '}' ||
		    s.p[i] == (uint8_t)delimiter || isspace(s.p[i]))
			return true;
	return false;
}

static void
put_quoted(struct slice s, struct buf *out)
{
	size_t i;

	buf_char(out, '"');
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_char(out, '\\');
		buf_char(out, (char)s.p[i]);
	}
	buf_char(out, '"');
}

/* The String that a codec wrote, without its length. */
static struct slice
written_string(const struct buf *b)
{
	size_t at = 0;

	while (at < b->n && b->p[at] & 0x80)
		at++;
	return slice_of(b->p + at + 1, b->n - at - 1);
}

static void
text_open(struct visit *v, uint32_t count)
{
	if (!v->first)
		buf_char(v->out, v->c->source.delimiter);
	v->first = true;
	buf_char(v->out, '{');
}

static void
text_close_brace(struct visit *v)
{
	text_close(v, '}');
}

static enum ch_put
text_item(struct visit *v, struct row_value e)
{
	struct slice s;
	struct buf one;
	enum ch_put put;

	if (!v->first)
		buf_char(v->out, v->c->source.delimiter);
	v->first = false;
	if (e.len == ROW_NULL) {
		buf_str_add(v->out, "NULL");
		return CH_PUT_OK;
	}
	buf_init(&one, v->out->max);
	put = v->c->words->put(v->c, slice_of(e.p, e.len), v->text, &one);
	if (put == CH_PUT_OK && !buf_overflowed(&one)) {
		s = written_string(&one);
		if (needs_quotes(s, v->c->source.delimiter))
			put_quoted(s, v->out);
		else
			buf_add(v->out, s.p, s.n);
	}
	buf_done(&one);
	return put;
}

/* Lower bounds, when they are not 1, stand before the array. */
static enum ch_put
text_bounds(struct visit *v)
{
	if (v->bounds.n == 0 || v->dims == 0)
		return CH_PUT_OK;
	buf_add(v->out, v->bounds.p, v->bounds.n);
	buf_char(v->out, '=');
	return CH_PUT_OK;
}

enum ch_put
ch_put_array_text(const struct ch_column *c, struct slice s, bool text, struct buf *out)
{
	struct visit v = {
		.c = c,
		.text = text,
		.out = out,
		.open = text_open,
		.item = text_item,
		.close = text_close_brace,
	};
	size_t at = ch_string_begin(out);
	enum ch_put put = walk(&v, s, text_bounds);

	return put == CH_PUT_OK ? ch_string_end(out, at) : put;
}
