/*
 * Arrays: {1,NULL,"a \"b\""}, nested braces for more dimensions, and lower
 * bounds before it when they are not 1: [0:2]={1,2,3}. One pass: braces become
 * brackets, elements are written as their type is.
 */
#include <string.h>
#include <strings.h>

#include "lib/sink/kafka_value_int.h"

#define DEPTH_MAX 6 /* Postgres' MAXDIM */

struct walk {
	struct kafka_writer *w;
	const struct kafka_column *c;
	const uint8_t *p, *end;
	unsigned depth;
	bool due;    /* an element or a nested array must come */
	bool opened; /* a brace was just opened: nothing may come, too */
};

/* Take backslashes out of what stands in quotes; p ends behind the closing one. */
static bool
read_quoted(struct walk *k, struct slice *s_r)
{
	struct buf *plain = &k->w->plain;
	const uint8_t *from = ++k->p;

	buf_reset(plain);
	for (; k->p < k->end && *k->p != '"'; k->p++) {
		if (*k->p != '\\')
			continue;
		buf_add(plain, from, (size_t)(k->p - from));
		from = ++k->p;
		if (k->p >= k->end)
			return false;
	}
	if (k->p >= k->end)
		return false;
	if (plain->n == 0) {
		*s_r = slice_of(from, (size_t)(k->p - from));
	} else {
		buf_add(plain, from, (size_t)(k->p - from));
		*s_r = buf_slice(plain);
	}
	k->p++;
	return !buf_overflowed(plain);
}

static struct slice
read_bare(struct walk *k)
{
	const uint8_t *from = k->p;

	while (k->p < k->end && *k->p != (uint8_t)k->c->delimiter && *k->p != '}' && *k->p != '{')
		k->p++;
	return slice_of(from, (size_t)(k->p - from));
}

static enum kafka_put
put_element(struct walk *k)
{
	struct slice s;

	if (!k->due || k->depth == 0)
		return KAFKA_PUT_BAD;
	if (k->c->strict && k->depth != k->c->dims)
		return KAFKA_PUT_LOSSY;
	k->due = k->opened = false;
	if (*k->p == '"')
		return read_quoted(k, &s) ? k->c->put(k->w, k->c, s) : KAFKA_PUT_BAD;
	s = read_bare(k);
	if (s.n == 4 && strncasecmp((const char *)s.p, "NULL", 4) == 0) {
		buf_str_add(k->w->out, "null");
		return KAFKA_PUT_OK;
	}
	return s.n > 0 ? k->c->put(k->w, k->c, s) : KAFKA_PUT_BAD;
}

static enum kafka_put
open_brace(struct walk *k)
{
	if (!k->due || k->depth == DEPTH_MAX)
		return KAFKA_PUT_BAD;
	k->depth++;
	k->opened = true;
	k->p++;
	buf_char(k->w->out, '[');
	return KAFKA_PUT_OK;
}

static enum kafka_put
close_brace(struct walk *k)
{
	if (k->depth == 0 || (k->due && !k->opened))
		return KAFKA_PUT_BAD;
	k->depth--;
	k->due = k->opened = false;
	k->p++;
	buf_char(k->w->out, ']');
	return KAFKA_PUT_OK;
}

static enum kafka_put
next_item(struct walk *k)
{
	if (k->depth == 0 || k->due)
		return KAFKA_PUT_BAD;
	k->due = true;
	k->p++;
	buf_char(k->w->out, ',');
	return KAFKA_PUT_OK;
}

static enum kafka_put
step(struct walk *k)
{
	if (*k->p == '{')
		return open_brace(k);
	if (*k->p == '}')
		return close_brace(k);
	if (*k->p == (uint8_t)k->c->delimiter)
		return next_item(k);
	return put_element(k);
}

enum kafka_put
kafka_put_array(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	struct walk k = { .w = w, .c = c, .p = v.p, .end = v.p + v.n, .due = true };
	enum kafka_put put = KAFKA_PUT_OK;

	if (v.n > 0 && v.p[0] == '[') {
		k.p = memchr(v.p, '=', v.n);
		if (k.p == NULL)
			return KAFKA_PUT_BAD;
		k.p++;
	}
	if (k.p >= k.end || *k.p != '{')
		return KAFKA_PUT_BAD;
	while (put == KAFKA_PUT_OK && k.p < k.end)
		put = step(&k);
	if (put == KAFKA_PUT_OK && (k.depth > 0 || k.due))
		return KAFKA_PUT_BAD;
	return put;
}
