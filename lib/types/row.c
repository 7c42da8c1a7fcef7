#include "lib/types/row.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/limits.h"
#include "lib/types/table.h"

struct row *
row_new(struct arena *a, lsn_t lsn, const struct row_value *values, uint16_t ncols, bool text)
{
	size_t size = 0, extra = text ? 1 : 0;
	struct row *r;
	uint8_t *to;
	uint16_t i;

	for (i = 0; i < ncols; i++)
		size += 4 + (values[i].len < ROW_UNCHANGED ? values[i].len + extra : 0);
	r = arena_alloc(a, sizeof(*r) + size);
	r->lsn = lsn;
	r->size = (uint32_t)size;
	r->unchanged = 0;
	r->text = text;
	for (i = 0, to = r->data; i < ncols; i++) {
		put_u32(to, values[i].len);
		to += 4;
		if (values[i].len == ROW_UNCHANGED)
			r->unchanged++;
		if (values[i].len >= ROW_UNCHANGED)
			continue;
		memcpy(to, values[i].p, values[i].len);
		to += values[i].len;
		if (text)
			*to++ = '\0';
	}
	return r;
}

void
row_values(const struct row *r, uint16_t ncols, struct row_value *values_r)
{
	const uint8_t *at = r->data;
	uint16_t i;

	for (i = 0; i < ncols; i++)
		values_r[i] = row_next(r, &at);
}

/* Value of column col; keys mostly stand first, so walking is cheap. */
static struct row_value
row_column(const struct row *r, uint16_t col)
{
	const uint8_t *at = r->data;

	while (col-- > 0)
		row_next(r, &at);
	return row_next(r, &at);
}

uint64_t
row_key_hash(const struct table *t, const struct row *r)
{
	struct row_value v;
	uint64_t h = 0;
	uint16_t i;

	for (i = 0; i < t->nkeys; i++) {
		v = row_column(r, t->keys[i]);
		h = XXH3_64bits_withSeed(v.p, v.len < ROW_UNCHANGED ? v.len : 0, h + v.len);
	}
	return h;
}

int
row_key_compare(const struct table *t, const struct row *a, const struct row *b)
{
	struct row_value x, y;
	uint16_t i;
	int c;

	for (i = 0; i < t->nkeys; i++) {
		x = row_column(a, t->keys[i]);
		y = row_column(b, t->keys[i]);
		c = 0;
		/* a value that is not there has no bytes; its length sorts it last */
		if (x.len < ROW_UNCHANGED && y.len < ROW_UNCHANGED)
			c = memcmp(x.p, y.p, x.len < y.len ? x.len : y.len);
		if (c != 0)
			return c;
		if (x.len != y.len)
			return x.len < y.len ? -1 : 1;
	}
	return 0;
}

struct row *
row_merge(struct arena *a, const struct table *t, const struct row *older, const struct row *newer)
{
	const uint8_t *old_at = older->data, *new_at = newer->data;
	struct row_value values[COLUMNS_MAX], old;
	uint16_t i;

	for (i = 0; i < t->ncols; i++) {
		old = row_next(older, &old_at);
		values[i] = row_next(newer, &new_at);
		if (values[i].len == ROW_UNCHANGED)
			values[i] = old;
	}
	return row_new(a, newer->lsn, values, t->ncols, newer->text);
}

bool
row_has_key(const struct table *t, const struct row *r)
{
	uint16_t i;

	for (i = 0; i < t->nkeys; i++)
		if (row_column(r, t->keys[i]).len >= ROW_UNCHANGED)
			return false;
	return true;
}

const struct row *
row_complete_key(struct arena *a, const struct table *t, const struct row *old,
    const struct row *new)
{
	struct row_value values[COLUMNS_MAX];
	uint16_t i, key, missing = 0;

	row_values(new, t->ncols, values);
	for (i = 0; i < t->nkeys; i++) {
		key = t->keys[i];
		if (values[key].len != ROW_UNCHANGED)
			continue;
		if (old == NULL)
			return NULL;
		values[key] = row_column(old, key);
		missing++;
	}
	return missing > 0 ? row_new(a, new->lsn, values, t->ncols, new->text) : new;
}
