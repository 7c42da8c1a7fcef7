#include "lib/types/coalesce.h"

/* What is known of one key: was it there before the run, is it there after, and how it looks. */
struct entry {
	const struct row *row; /* last image, or the row that named the key */
	bool before;
	bool after;
};

struct keymap {
	struct arena *arena;
	const struct table *table;
	struct entry *entries; /* in order of first touch */
	uint32_t n;
	uint32_t *slots; /* entry number + 1; 0 is free */
	uint32_t mask;
};

static void
keymap_init(struct keymap *m, struct arena *a, const struct table *t, uint32_t max_entries)
{
	uint32_t size = 16;

	while (size < max_entries * 2)
		size *= 2;
	*m = (struct keymap){ .arena = a, .table = t, .mask = size - 1 };
	m->slots = arena_zalloc(a, size * sizeof(*m->slots));
	m->entries = arena_alloc(a, max_entries * sizeof(*m->entries));
}

/* The entry of row's key; a new one has row == NULL. */
static struct entry *
keymap_get(struct keymap *m, const struct row *row)
{
	uint32_t i = (uint32_t)row_key_hash(m->table, row) & m->mask;
	struct entry *e;

	for (; m->slots[i] != 0; i = (i + 1) & m->mask) {
		e = &m->entries[m->slots[i] - 1];
		if (row_key_compare(m->table, e->row, row) == 0)
			return e;
	}
	m->slots[i] = m->n + 1;
	e = &m->entries[m->n++];
	*e = (struct entry){ .row = NULL };
	return e;
}

static bool
put_insert(struct keymap *m, const struct row *new)
{
	struct entry *e = keymap_get(m, new);

	if (e->row != NULL && e->after)
		return false; /* inserted twice: the stream contradicts itself */
	e->row = new;
	e->after = true;
	return true;
}

static bool
put_delete(struct keymap *m, const struct row *old)
{
	struct entry *e = keymap_get(m, old);

	if (e->row == NULL)
		*e = (struct entry){ .row = old, .before = true };
	e->after = false;
	return true;
}

static bool
put_update(struct keymap *m, const struct row *new)
{
	struct entry *e = keymap_get(m, new);

	if (e->row == NULL) {
		*e = (struct entry){ .row = new, .before = true, .after = true };
		return true;
	}
	if (!e->after)
		return false;
	e->row = new->unchanged > 0 ? row_merge(m->arena, m->table, e->row, new) : new;
	return true;
}

/* The row moves to another key: its old key goes, the new one comes. */
static bool
put_key_update(struct keymap *m, const struct row *old, const struct row *new)
{
	struct entry *e = keymap_get(m, old);

	if (new->unchanged > 0 && e->row != NULL && e->after)
		new = row_merge(m->arena, m->table, e->row, new);
	if (e->row == NULL)
		*e = (struct entry){ .row = old, .before = true };
	e->after = false;
	/* a value that nobody sent is still in the destination's row under the old key */
	return new->unchanged == 0 && put_insert(m, new);
}

static bool
put_change(struct keymap *m, const struct change *c)
{
	const struct row *new = c->new;

	if (c->op == CHANGE_INSERT)
		return put_insert(m, new);
	if (c->op == CHANGE_DELETE)
		return put_delete(m, c->old);
	if (c->old_whole && new->unchanged > 0)
		new = row_merge(m->arena, m->table, c->old, new);
	if (c->old != NULL && row_key_compare(m->table, c->old, new) != 0)
		return put_key_update(m, c->old, new);
	return put_update(m, new);
}

static void
set_add(struct row_set *s, const struct row *row)
{
	s->rows[s->n++] = row;
}

static void
set_init(struct row_set *s, struct arena *a, uint32_t max)
{
	s->rows = arena_alloc(a, max * sizeof(*s->rows));
	s->n = 0;
}

static int
compare_keys(const void *a, const void *b, void *table)
{
	const struct row *const *x = a, *const *y = b;

	return row_key_compare(table, *x, *y);
}

static void
set_sort(struct row_set *s, struct table *t)
{
	qsort_r(s->rows, s->n, sizeof(*s->rows), compare_keys, t);
}

static struct row_set *
set_for(struct coalesced *c, const struct entry *e)
{
	if (!e->after)
		return e->before ? &c->deletes : &c->ghosts;
	if (!e->before)
		return &c->inserts;
	return e->row->unchanged > 0 ? &c->partials : &c->updates;
}

static void
collect_sets(struct arena *a, struct coalesced *c, const struct keymap *m)
{
	uint32_t i;

	set_init(&c->deletes, a, m->n);
	set_init(&c->updates, a, m->n);
	set_init(&c->partials, a, m->n);
	set_init(&c->inserts, a, m->n);
	set_init(&c->ghosts, a, m->n);
	for (i = 0; i < m->n; i++)
		set_add(set_for(c, &m->entries[i]), m->entries[i].row);
	set_sort(&c->deletes, c->table);
	set_sort(&c->updates, c->table);
}

static bool
only_inserts(const struct coalesced *c)
{
	uint32_t i;

	for (i = 0; i < c->nchanges; i++)
		if (c->changes[i]->op != CHANGE_INSERT)
			return false;
	return true;
}

static void
coalesce_table(struct arena *a, struct coalesced *c)
{
	struct keymap m;
	uint32_t i;

	if (only_inserts(c)) {
		set_init(&c->inserts, a, c->nchanges);
		for (i = 0; i < c->nchanges; i++)
			set_add(&c->inserts, c->changes[i]->new);
		return;
	}
	c->ordered = c->table->nkeys == 0;
	if (c->ordered)
		return;
	/* a key update touches two keys */
	keymap_init(&m, a, c->table, c->nchanges * 2);
	for (i = 0; i < c->nchanges; i++) {
		if (!put_change(&m, c->changes[i])) {
			c->ordered = true;
			return;
		}
	}
	collect_sets(a, c, &m);
}

/* Sort the changes by table, keeping their order within each. */
static struct coalesced *
group_by_table(struct arena *a, const struct batch *b, uint32_t from, uint32_t to, uint32_t *n_r)
{
	uint32_t *counts = arena_zalloc(a, b->ntables * sizeof(*counts));
	struct coalesced **of = arena_zalloc(a, b->ntables * sizeof(struct coalesced *));
	struct coalesced *list, *c;
	uint32_t i, n = 0, touched = 0;

	for (i = from; i < to; i++)
		if (counts[b->changes[i].table->index]++ == 0)
			touched++;
	list = arena_zalloc(a, touched * sizeof(*list));
	for (i = from; i < to; i++) {
		struct table *t = b->changes[i].table;

		if (t->stopped)
			continue;
		c = of[t->index];
		if (c == NULL) {
			c = of[t->index] = &list[n++];
			c->table = t;
			c->changes = arena_alloc(a, counts[t->index] * sizeof(*c->changes));
		}
		c->changes[c->nchanges++] = &b->changes[i];
	}
	*n_r = n;
	return list;
}

struct coalesced *
coalesce(struct arena *a, const struct batch *b, uint32_t from, uint32_t to, uint32_t *n_r)
{
	struct coalesced *list = group_by_table(a, b, from, to, n_r);
	uint32_t i;

	for (i = 0; i < *n_r; i++)
		coalesce_table(a, &list[i]);
	return list;
}
