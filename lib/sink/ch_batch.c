#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/limits.h"
#include "lib/sink/ch_int.h"

/* What grows while a table's changes are looked at in their order. */
struct gather {
	struct arena *a;
	const struct ch_table *ct;
	const struct table *t;
	struct ch_images *im;
	uint32_t *slots; /* by key: number of its newest image + 1; 0 is free */
	uint32_t mask;
	bool merges, wide;
};

/* ---- the table */

bool
ch_batch_merges(const struct ch_table *ct)
{
	return ct->engine == PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLACING_MERGE_TREE ||
	    ct->engine == PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLICATED_REPLACING_MERGE_TREE;
}

bool
ch_batch_is_wide(const struct ch_table *ct)
{
	uint16_t i;

	for (i = 0; ct->t->nkeys > 0 && i < ct->norder; i++)
		if (!ct->t->cols[ct->order[i]].key)
			return ch_batch_merges(ct);
	return false;
}

/* ---- versions */

/*
 * A row's version is the WAL position of its change, or that of the commit
 * before its transaction if that is later. Writers of one key wait for each
 * other, so its changes have ascending positions; but for an INSERT, which is
 * in the WAL before it waits for whoever deletes a row of the same key.
 * With the commit, versions of one key ascend from transaction to transaction.
 */
static uint64_t
version_of(const struct row *row, lsn_t before)
{
	return row->lsn > before ? row->lsn : before;
}

lsn_t
ch_batch_before_next(const struct batch *b, lsn_t before)
{
	uint32_t n = b->ntransactions;

	if (n > 0 && !batch_at_commit(b))
		n--; /* it goes on in the next batch */
	return n > 0 ? b->transactions[n - 1].commit_lsn : before;
}

/* ---- keys */

static uint64_t
key_hash(const struct table *t, const struct row *r)
{
	return t->nkeys > 0 ? row_key_hash(t, r) : XXH3_64bits(r->data, r->size);
}

static bool
same_key(const struct table *t, const struct row *a, const struct row *b)
{
	if (t->nkeys > 0)
		return row_key_compare(t, a, b) == 0;
	return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static uint32_t *
slot_of(const struct gather *g, const struct row *row)
{
	uint32_t i = (uint32_t)key_hash(g->t, row) & g->mask;

	while (g->slots[i] != 0 && !same_key(g->t, g->im->v[g->slots[i] - 1].row, row))
		i = (i + 1) & g->mask;
	return &g->slots[i];
}

static struct ch_image *
newest(const struct gather *g, const struct row *row)
{
	uint32_t slot = *slot_of(g, row);

	return slot != 0 ? &g->im->v[slot - 1] : NULL;
}

static struct row_value
column(const struct row *r, uint16_t col)
{
	const uint8_t *at = r->data;

	while (col-- > 0)
		row_next(r, &at);
	return row_next(r, &at);
}

/* Is the row sorted in at the same place? What was not sent is as it was. */
static bool
same_place(const struct ch_table *ct, const struct row *a, const struct row *b)
{
	struct row_value x, y;
	uint16_t i;

	for (i = 0; i < ct->norder; i++) {
		x = column(a, ct->order[i]);
		y = column(b, ct->order[i]);
		if (x.len == ROW_UNCHANGED || y.len == ROW_UNCHANGED)
			continue;
		if (x.len != y.len || (x.len != ROW_NULL && memcmp(x.p, y.p, x.len) != 0))
			return false;
	}
	return true;
}

/* ---- images */

static void
append(struct gather *g, const struct ch_image *im)
{
	*slot_of(g, im->row) = g->im->n + 1;
	g->im->v[g->im->n++] = *im;
}

/* What the destination has under its key is the newer image's business then. */
static void
step_aside(struct ch_image *old, uint64_t version)
{
	if (old->deleted)
		return;
	old->deleted = true;
	old->version = version;
	old->lookup = NULL;
}

/* The image that was the newest steps aside when it stands at another place in the table. */
static void
put(struct gather *g, const struct ch_image *im)
{
	struct ch_image *old = newest(g, im->row);

	if (old == NULL || !g->merges) {
		append(g, im);
	} else if (g->wide && !same_place(g->ct, old->row, im->row)) {
		step_aside(old, im->version);
		append(g, im);
	} else {
		*old = *im;
	}
}

/* Rows without a key may be equal: those that came in this run are counted. */
static uint32_t
copies(const struct gather *g, const struct row *row)
{
	const struct ch_image *old = g->t->nkeys == 0 ? newest(g, row) : NULL;

	return old != NULL ? old->copies : 0;
}

static void
put_alive(struct gather *g, const struct row *row, const struct row *lookup, uint64_t version)
{
	struct ch_image im = {
		.row = row,
		.lookup = lookup,
		.version = version,
		.copies = copies(g, row) + 1,
	};

	put(g, &im);
}

/* A deleted row keeps the values that are known of it. */
static void
put_deleted(struct gather *g, const struct change *c, uint64_t version)
{
	const struct ch_image *old = newest(g, c->old);
	uint32_t left = copies(g, c->old);
	struct ch_image im = {
		.row = c->old,
		.version = version,
		.copies = left > 0 ? left - 1 : 0,
		.deleted = left < 2,
	};

	if (!c->old_whole && old != NULL && !old->deleted) {
		im.row = old->row;
		im.lookup = g->wide ? old->lookup : NULL;
	} else if (!c->old_whole && g->wide) {
		im.lookup = c->old;
	}
	put(g, &im);
}

/* The old row stands where the new one will not replace it. */
static bool
leaves_place(const struct gather *g, const struct change *c)
{
	if (c->old == NULL)
		return false;
	return !same_key(g->t, c->old, c->new) ||
	    (g->wide && c->old_whole && !same_place(g->ct, c->old, c->new));
}

/* Values that were not sent: from the old row, from this run, in the end from the destination. */
static void
put_update(struct gather *g, const struct change *c, uint64_t version)
{
	const struct row *from = c->old != NULL ? c->old : c->new, *new = c->new;
	const struct ch_image *old = newest(g, from);
	const struct row *lookup = NULL;

	if (old != NULL && old->deleted)
		old = NULL;
	if (new->unchanged > 0 && c->old_whole)
		new = row_merge(g->a, g->t, c->old, new);
	if (new->unchanged > 0 && old != NULL)
		new = row_merge(g->a, g->t, old->row, new);
	if (new->unchanged > 0 || (g->wide && !c->old_whole))
		lookup = old != NULL ? old->lookup : from;
	if (leaves_place(g, c))
		put_deleted(g, c, version);
	put_alive(g, new, lookup, version);
}

static void
put_change(struct gather *g, const struct change *c, lsn_t before)
{
	uint64_t version = version_of(c->new != NULL ? c->new : c->old, before);

	switch (c->op) {
	case CHANGE_INSERT:
		put_alive(g, c->new, NULL, version);
		break;
	case CHANGE_UPDATE:
		put_update(g, c, version);
		break;
	case CHANGE_DELETE:
		put_deleted(g, c, version);
		break;
	}
}

/* ---- a run */

static void
gather_init(struct gather *g, struct arena *a, const struct ch_table *ct, struct ch_images *im,
    uint32_t max)
{
	uint32_t size = 16;

	while (size < max * 2)
		size *= 2;
	*im = (struct ch_images){ .ct = ct };
	im->v = arena_alloc(a, max * sizeof(*im->v));
	*g = (struct gather){
		.a = a,
		.ct = ct,
		.t = ct->t,
		.im = im,
		.slots = arena_zalloc(a, size * sizeof(*g->slots)),
		.mask = size - 1,
		.merges = ch_batch_merges(ct),
		.wide = ch_batch_is_wide(ct),
	};
}

/* By table->index: how many images its changes may give. */
static uint32_t *
count_images(struct arena *a, const struct batch *b, uint32_t from, uint32_t to)
{
	uint32_t *max = arena_zalloc(a, b->ntables * sizeof(*max)), i;
	const struct change *c;

	for (i = from; i < to; i++) {
		c = &b->changes[i];
		max[c->table->index] += c->op == CHANGE_UPDATE && c->old != NULL ? 2 : 1;
	}
	return max;
}

/* The commit before the transaction that change i belongs to; *tx ascends with i. */
static lsn_t
commit_before(const struct batch *b, uint32_t i, uint32_t *tx, lsn_t before)
{
	while (*tx + 1 < b->ntransactions && b->transactions[*tx + 1].from <= i)
		++*tx;
	return *tx > 0 ? b->transactions[*tx - 1].commit_lsn : before;
}

struct ch_images *
ch_batch_images(struct arena *a, const struct batch *b, uint32_t from, uint32_t to, lsn_t before,
    const struct ch_table *const *tables, uint32_t *n_r)
{
	uint32_t *max = count_images(a, b, from, to), *number, i, n = 0, tx = 0;
	struct ch_images *list;
	struct gather *gathers;

	number = arena_zalloc(a, b->ntables * sizeof(*number));
	for (i = 0; i < b->ntables; i++)
		n += max[i] > 0;
	list = arena_zalloc(a, n * sizeof(*list));
	gathers = arena_zalloc(a, n * sizeof(*gathers));
	for (i = from, n = 0; i < to; i++) {
		const struct change *c = &b->changes[i];
		uint32_t t = c->table->index;

		if (c->table->stopped)
			continue;
		if (number[t] == 0) {
			gather_init(&gathers[n], a, tables[t], &list[n], max[t]);
			number[t] = ++n;
		}
		put_change(&gathers[number[t] - 1], c, commit_before(b, i, &tx, before));
	}
	*n_r = n;
	return list;
}

/* ---- rows of an insert */

/* Values one by one: some of them are bytes that the destination had. */
static bool
encode_spliced(const struct ch_table *ct, const struct ch_image *im, const struct ch_found *f,
    struct buf *out, struct err *err)
{
	const uint8_t *at = im->row->data;
	struct row_value v;
	uint16_t i;

	for (i = 0; i < ct->t->ncols; i++) {
		v = row_next(im->row, &at);
		if (v.len == ROW_UNCHANGED)
			buf_add(out, f->values[i].p, f->values[i].n);
		else if (!ch_encode_value(&ct->cols[i], v, im->row->text, out, err))
			return err_context(err, "%s", ct->t->source_label);
	}
	ch_encode_meta(ct, im->version, false, out);
	return true;
}

static void
encode_found_deleted(const struct ch_table *ct, const struct ch_found *f, uint64_t version,
    struct buf *out)
{
	uint16_t i;

	for (i = 0; i < ct->t->ncols; i++)
		buf_add(out, f->values[i].p, f->values[i].n);
	ch_encode_meta(ct, version, true, out);
}

/* Does the row that was found stand where the image will? */
static bool
found_same_place(const struct ch_table *ct, const struct ch_image *im, const struct ch_found *f)
{
	bool same = true;
	struct buf bytes;
	struct err err = ERR_INIT;
	uint16_t i, col;

	buf_init(&bytes, WAL_MESSAGE_MAX);
	for (i = 0; i < ct->norder && same; i++) {
		struct row_value v = column(im->row, col = ct->order[i]);

		if (v.len == ROW_UNCHANGED)
			continue;
		buf_reset(&bytes);
		same = ch_encode_value(&ct->cols[col], v, im->row->text, &bytes, &err) &&
		    slice_eq(buf_slice(&bytes), f->values[col]);
	}
	buf_done(&bytes);
	return same;
}

/* Rows under the same key that the image would leave beside itself. */
static void
encode_others(const struct ch_table *ct, const struct ch_image *im, const struct ch_founds *part,
    struct buf *out, uint64_t *rows)
{
	size_t i;

	for (i = 0; i < part->n; i++) {
		if (part->v[i].deleted || part->v[i].version > im->version ||
		    (!im->deleted && found_same_place(ct, im, &part->v[i])))
			continue;
		encode_found_deleted(ct, &part->v[i], im->version, out);
		++*rows;
	}
}

bool
ch_batch_encode(const struct ch_table *ct, const struct ch_image *im, const struct ch_founds *part,
    struct buf *out, uint64_t *rows, struct err *err)
{
	size_t begun = out->n;

	if (im->skip)
		return true;
	if (im->lookup != NULL && ch_batch_is_wide(ct)) {
		encode_others(ct, im, part, out, rows);
		/* of a deleted row it is only the key that is known */
		if (im->deleted && im->row == im->lookup)
			return true;
	}
	if (im->row->unchanged > 0 && !im->deleted) {
		if (!encode_spliced(ct, im, &part->v[0], out, err)) {
			out->n = begun;
			return false;
		}
	} else if (!ch_encode_row(ct, im->row, im->version, im->deleted, out, err)) {
		out->n = begun;
		return false;
	}
	++*rows;
	return true;
}
