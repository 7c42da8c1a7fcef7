/*
 * table_fixture - mirrored tables and rows written as text
 *
 * A table is its columns: "id:1 part:2 note" has three, the first two are its
 * key in that order. "~" before a name leaves the column out of what travels
 * (a generated one). Every column is of type text without modifier.
 *
 * A row is its values between bars: "7|~|?|" has a value, a NULL, an unchanged
 * TOAST value and an empty text.
 *
 * All memory is the given arena's.
 */
#ifndef PEERD_UNIT_TABLE_FIXTURE_H
#define PEERD_UNIT_TABLE_FIXTURE_H

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/types/row.h"
#include "lib/types/table.h"

#define FIXTURE_COLS	  16
#define FIXTURE_TYPE	  25 /* text */
#define FIXTURE_RELID(ix) (16384 + (ix))

static inline PeerdWorker__Column *
fixture_column(struct arena *a, const char *spec, size_t n)
{
	PeerdWorker__Column *c = arena_alloc(a, sizeof(*c));
	const char *colon = memchr(spec, ':', n);

	peerd_worker__column__init(c);
	if (spec[0] == '~') {
		c->generated = arena_strdup(a, "(1)");
		spec++;
		n--;
	}
	c->name = arena_strndup(a, spec, colon != NULL ? (size_t)(colon - spec) : n);
	c->type_name = arena_strdup(a, "text");
	c->type_oid = FIXTURE_TYPE;
	if (colon != NULL)
		c->key_position = (int32_t)strtol(colon + 1, NULL, 10);
	return c;
}

static inline PeerdWorker__MirrorTable *
fixture_def(struct arena *a, uint32_t index, const char *columns)
{
	PeerdWorker__MirrorTable *def = arena_alloc(a, sizeof(*def));
	size_t n;

	peerd_worker__mirror_table__init(def);
	def->relid = FIXTURE_RELID(index);
	def->source_schema = arena_strdup(a, "public");
	def->source_name = arena_printf(a, "t%u", index);
	def->destination_schema = arena_strdup(a, "copy");
	def->destination_name = arena_printf(a, "d%u", index);
	def->columns = arena_alloc(a, FIXTURE_COLS * sizeof(PeerdWorker__Column *));
	for (; *columns != '\0'; columns += n + strspn(columns + n, " ")) {
		n = strcspn(columns, " ");
		def->columns[def->n_columns++] = fixture_column(a, columns, n);
	}
	return def;
}

static inline struct table *
fixture_table(struct arena *a, uint32_t index, const char *columns)
{
	return table_new(a, index, fixture_def(a, index, columns));
}

/* A row in text form, or in binary form if the table's rows are. */
static inline struct row *
fixture_row(struct arena *a, const struct table *t, const char *values)
{
	struct row_value v[FIXTURE_COLS];
	uint16_t i;
	size_t n;

	for (i = 0; i < t->ncols; i++, values += n + (values[n] == '|')) {
		n = strcspn(values, "|");
		v[i].p = (const uint8_t *)values;
		v[i].len = (uint32_t)n;
		if (n == 1 && *values == '~')
			v[i].len = ROW_NULL;
		if (n == 1 && *values == '?')
			v[i].len = ROW_UNCHANGED;
	}
	return row_new(a, 0, v, t->ncols, !t->binary);
}

/* The other way round, appended. */
static inline void
fixture_row_print(struct buf *b, const struct table *t, const struct row *r)
{
	struct row_value v[FIXTURE_COLS];
	uint16_t i;

	row_values(r, t->ncols, v);
	for (i = 0; i < t->ncols; i++) {
		buf_str_add(b, i > 0 ? "|" : "");
		if (v[i].len == ROW_NULL)
			buf_char(b, '~');
		else if (v[i].len == ROW_UNCHANGED)
			buf_char(b, '?');
		else
			buf_add(b, v[i].p, v[i].len);
	}
}

static inline const char *
fixture_row_text(struct arena *a, const struct table *t, const struct row *r)
{
	struct buf b;
	const char *text;

	buf_init(&b, 4096);
	fixture_row_print(&b, t, r);
	text = arena_strdup(a, buf_str(&b));
	buf_done(&b);
	return text;
}

#endif
