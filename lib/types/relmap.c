#include "lib/types/relmap.h"

#include <uthash.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"

#define NOT_CARRIED (-1) /* excluded or generated: in the stream, not in the table */

struct rel {
	relid_t relid;
	struct table *table; /* NULL: ignored */
	bool identifies;     /* old rows have the key that the table is matched by */
	uint16_t ncols;
	int16_t *to; /* stream column -> table column, or NOT_CARRIED */
	UT_hash_handle hh;
};

struct relmap {
	struct table **tables;
	uint32_t ntables;
	struct rel *rels;
	struct rel *last; /* most changes follow one of the same table */
};

struct relmap *
relmap_new(struct table **tables, uint32_t ntables)
{
	struct relmap *m = xcalloc(1, sizeof(*m));

	m->tables = tables;
	m->ntables = ntables;
	return m;
}

void
relmap_free(struct relmap **m)
{
	struct rel *r, *next;

	if (*m == NULL)
		return;
	HASH_ITER (hh, (*m)->rels, r, next) {
		HASH_DEL((*m)->rels, r);
		free(r->to);
		free(r);
	}
	MEM_FREE(*m);
}

static struct rel *
rel_get(struct relmap *m, relid_t relid)
{
	struct rel *r;

	if (m->last != NULL && m->last->relid == relid)
		return m->last;
	HASH_FIND(hh, m->rels, &relid, sizeof(relid), r);
	if (r != NULL)
		m->last = r;
	return r;
}

static struct rel *
rel_put(struct relmap *m, relid_t relid)
{
	struct rel *r = rel_get(m, relid);

	if (r != NULL)
		return r;
	r = xcalloc(1, sizeof(*r));
	r->relid = relid;
	HASH_ADD(hh, m->rels, relid, sizeof(r->relid), r);
	return r;
}

static struct table *
find_table(struct relmap *m, const struct pgoutput_relation *rel)
{
	struct table *t;
	uint32_t i;

	for (i = 0; i < m->ntables; i++) {
		t = m->tables[i];
		if (t->relid == rel->relid)
			return t;
	}
	/* dropped and created again under the same name, it has another id */
	for (i = 0; i < m->ntables; i++) {
		t = m->tables[i];
		if (strcmp(t->source_schema, rel->schema) == 0 &&
		    strcmp(t->source_name, rel->name) == 0)
			return t;
	}
	return NULL;
}

static int
find_column(const struct table *t, const char *name)
{
	uint16_t i;

	for (i = 0; i < t->ncols; i++)
		if (strcmp(t->cols[i].name, name) == 0)
			return i;
	return -1;
}

static bool
deliberately_left_out(const struct table *t, const char *name)
{
	const PeerdWorker__MirrorTable *def = t->def;
	size_t i;

	for (i = 0; i < def->n_excluded; i++)
		if (strcmp(def->excluded[i], name) == 0)
			return true;
	for (i = 0; i < def->n_columns; i++)
		if (def->columns[i]->generated[0] != '\0' &&
		    strcmp(def->columns[i]->name, name) == 0)
			return true;
	return false;
}

static bool
mismatch(struct err *err, const struct table *t, const char *column, const char *what)
{
	err_set(err, ERR_DATA, "column \"%s\" of %s %s on the source", column, t->source_label,
	    what);
	return err_hint(err,
	    "the table's changes stop here, other tables go on; resync the mirror to load"
	    " the table in its new form");
}

/* Map every stream column; counts the unknown ones. False: a known column changed its type. */
static bool
map_columns(struct rel *r, const struct table *t, const struct pgoutput_relation *rel, bool *seen,
    unsigned *unknown_r, struct err *err)
{
	struct rbuf cols = rel->cols;
	struct pgoutput_column c;
	uint16_t i;
	int to;

	r->to = xrealloc(r->to, rel->ncols * sizeof(*r->to));
	r->ncols = rel->ncols;
	r->identifies = t->nkeys > 0 || rel->identity == 'f';
	*unknown_r = 0;
	for (i = 0; i < rel->ncols; i++) {
		c = pgoutput_next_column(&cols);
		to = find_column(t, c.name);
		r->to[i] = (int16_t)to;
		if (to < 0 && !deliberately_left_out(t, c.name))
			(*unknown_r)++;
		if (to < 0)
			continue;
		seen[to] = true;
		if (t->cols[to].key && !c.key)
			r->identifies = false;
		if (c.type_oid != t->cols[to].type_oid ||
		    c.type_modifier != t->cols[to].type_modifier)
			return mismatch(err, t, c.name, "changed its type");
	}
	return true;
}

static enum relmap_verdict
compare(struct rel *r, const struct table *t, const struct pgoutput_relation *rel, struct err *err)
{
	bool seen[COLUMNS_MAX] = { false };
	unsigned unknown;
	uint16_t i;

	if (rel->relid != t->relid) {
		err_set(err, ERR_DATA, "table %s was dropped and created again on the source",
		    t->source_label);
		err_hint(err, "resync the mirror to load the new table");
		return RELMAP_MISMATCH;
	}
	if (!map_columns(r, t, rel, seen, &unknown, err))
		return RELMAP_MISMATCH;
	for (i = 0; i < t->ncols; i++) {
		if (!seen[i]) {
			mismatch(err, t, t->cols[i].name, "was dropped or renamed");
			return RELMAP_MISMATCH;
		}
	}
	return unknown > 0 ? RELMAP_COLUMNS_ADDED : RELMAP_SAME;
}

enum relmap_verdict
relmap_relation(struct relmap *m, const struct pgoutput_relation *rel, struct table **t_r,
    struct err *err)
{
	struct rel *r = rel_put(m, rel->relid);

	r->table = find_table(m, rel);
	*t_r = r->table;
	if (r->table == NULL || r->table->stopped)
		return RELMAP_IGNORED;
	return compare(r, r->table, rel, err);
}

bool
relmap_remap(struct relmap *m, const struct pgoutput_relation *rel, struct err *err)
{
	struct rel *r = rel_get(m, rel->relid);

	switch (compare(r, r->table, rel, err)) {
	case RELMAP_SAME:
		return true;
	case RELMAP_COLUMNS_ADDED:
		return err_set(err, ERR_DATA,
		    "table %s changed again before its new columns could be read",
		    r->table->source_label);
	default:
		return false;
	}
}

bool
relmap_table(struct relmap *m, relid_t relid, struct table **t_r, struct err *err)
{
	struct rel *r = rel_get(m, relid);

	if (r == NULL)
		return err_set(err, ERR_PROTOCOL,
		    "change of relation %u, which was never announced", relid);
	*t_r = r->table != NULL && !r->table->stopped ? r->table : NULL;
	return true;
}

bool
relmap_identifies(struct relmap *m, relid_t relid)
{
	return rel_get(m, relid)->identifies;
}

static bool
take_value(const struct table *t, uint16_t col, struct pgoutput_value v, struct row_value *to,
    struct err *err)
{
	char expected = t->binary ? 'b' : 't';

	if (v.form == 'n' || v.form == 'u') {
		to->len = v.form == 'n' ? ROW_NULL : ROW_UNCHANGED;
		return true;
	}
	if (v.form != expected)
		return err_set(err, ERR_PROTOCOL,
		    "column \"%s\" of %s came in form '%c' instead of '%c'", t->cols[col].name,
		    t->source_label, v.form, expected);
	to->len = (uint32_t)v.bytes.n;
	to->p = v.bytes.p;
	return true;
}

bool
relmap_row(struct relmap *m, relid_t relid, const struct pgoutput_tuple *tuple, lsn_t lsn,
    struct arena *a, const struct row **row_r, struct err *err)
{
	struct row_value values[COLUMNS_MAX];
	struct rel *r = rel_get(m, relid);
	const struct table *t = r->table;
	struct rbuf in = tuple->values;
	struct pgoutput_value v;
	uint16_t i;

	if (tuple->ncols != r->ncols)
		return err_set(err, ERR_PROTOCOL, "tuple of %s has %u columns, announced were %u",
		    t->source_label, tuple->ncols, r->ncols);
	for (i = 0; i < tuple->ncols; i++) {
		v = pgoutput_next_value(&in);
		if (r->to[i] != NOT_CARRIED &&
		    !take_value(t, (uint16_t)r->to[i], v, &values[r->to[i]], err))
			return false;
	}
	*row_r = row_new(a, lsn, values, t->ncols, !t->binary);
	return true;
}
