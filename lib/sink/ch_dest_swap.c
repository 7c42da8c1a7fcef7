/*
 * A resync: tables are loaded beside those that they replace. A table of ours
 * is made anew, as the mirror wants it by now; one that was found and suits is
 * copied in shape, its engine and settings are its owner's choice. In the end
 * the two change places, then the old one goes. Tables are swapped one by one;
 * whoever is killed in between loads all of them again.
 *
 * What we made is remembered (ch_meta.h): another table that happens to have a
 * name that we need is never dropped.
 */
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "lib/sink/ch_dest_int.h"

#define SUFFIX_LEN (sizeof(RESYNC_SUFFIX) - 1)

/* ---- before the load */

bool
ch_side_discard(struct ch_side *s, const struct ch_meta *m, const struct table_ident *name,
    struct err *err)
{
	struct arena *a = arena_new(4 * KIB);
	char bare[CH_NAME_MAX + 1];
	const struct ch_table ct = {
		.caps = chclient_caps(s->c),
		.place = ch_side_place(s),
		.name = bare,
	};
	struct ch_statements list;
	bool ok;

	ok = ch_side_name(name, bare, err);
	if (ok && ch_meta_find(m, CH_META_CREATED, bare) != NULL) {
		ch_ddl_drop(&ct, "", a, &list);
		ok = ch_side_run(s, &list, err);
	}
	arena_free(&a);
	return ok;
}

bool
ch_side_replaced(struct ch_side *s, struct arena *a, const struct ch_table *loaded,
    struct ch_table **ct_r, const struct ch_found_table **found_r, struct err *err)
{
	PeerdWorker__MirrorTable *def = arena_alloc(a, sizeof(*def));
	size_t n = strlen(loaded->t->destination_name);

	*def = *loaded->t->def;
	def->destination_name = arena_strndup(a, loaded->t->destination_name,
	    n > SUFFIX_LEN ? n - SUFFIX_LEN : n);
	return ch_side_table(s, a, table_new(a, loaded->t->index, def), ct_r, err) &&
	    ch_side_find(s, a, *ct_r, found_r, err);
}

/* A replica's path in Keeper cannot be had twice, and on a cluster a table is two. */
static bool
may_be_copied(const struct ch_side *s, struct ch_table *ct, const struct ch_found_table *found)
{
	struct err ignored = ERR_INIT;

	return found != NULL && s->peer->cluster[0] == '\0' &&
	    !str_starts(found->engine, "Replicated") && ch_ddl_check(ct, found, &ignored);
}

static bool
create_like(struct ch_side *s, const struct ch_table *loaded, const struct ch_table *ct,
    struct err *err)
{
	struct buf sql;
	bool ok;

	buf_init(&sql, 4 * KIB);
	buf_str_add(&sql, "CREATE TABLE IF NOT EXISTS ");
	ch_ddl_name(loaded, "", &sql);
	buf_str_add(&sql, " AS ");
	ch_ddl_name(ct, "", &sql);
	ok = chclient_run(s->c, err, "%s", buf_str(&sql));
	buf_done(&sql);
	return ok;
}

bool
ch_side_create_like_replaced(struct ch_side *s, const struct ch_meta *m, struct arena *a,
    const struct ch_table *loaded, bool *done_r, struct err *err)
{
	const struct ch_found_table *found;
	struct ch_table *ct;

	if (!ch_side_replaced(s, a, loaded, &ct, &found, err))
		return false;
	*done_r = ch_meta_find(m, CH_META_CREATED, ct->name) == NULL && may_be_copied(s, ct, found);
	return !*done_r || create_like(s, loaded, ct, err);
}

/* ---- behind it */

/* Databases of the old kind know tables by name only and cannot exchange them. */
static bool
can_exchange(struct ch_side *s, struct arena *a, bool *yes_r, struct err *err)
{
	struct ch_rows rows;
	struct buf sql;
	bool ok;

	*yes_r = chclient_caps(s->c)->exchange;
	if (!*yes_r)
		return true;
	buf_init(&sql, 4 * KIB);
	buf_str_add(&sql, "SELECT engine = 'Ordinary' FROM system.databases WHERE name = ");
	ch_literal(&sql, slice_str(chclient_database(s->c)));
	ok = chclient_query(s->c, a, buf_str(&sql), &rows, err);
	buf_done(&sql);
	if (ok)
		*yes_r = rows.nrows == 0 || strcmp(ch_cell_str(&rows, 0, 0), "0") == 0;
	return ok;
}

/* Where there is no table to be replaced, an empty one is made for the moment. */
static bool
swap_one(struct ch_side *s, struct arena *a, const PeerdWorker__MirrorTable *t, bool exchange,
    struct ch_table **ct_r, struct err *err)
{
	struct ch_caps caps = *chclient_caps(s->c);
	struct ch_statements make, swap;
	struct ch_table *ct;

	if (!ch_side_table(s, a, table_new(a, 0, t), &ct, err) ||
	    !ch_ddl_create(ct, "", CH_CREATE_IF_MISSING, a, &make, err))
		return false;
	caps.exchange = exchange;
	ct->caps = &caps;
	ch_ddl_swap(ct, RESYNC_SUFFIX, a, &swap);
	ct->caps = chclient_caps(s->c);
	*ct_r = ct;
	return (ch_side_run(s, &make, err) && ch_side_run(s, &swap, err)) ||
	    err_context(err, "swapping in \"%s" RESYNC_SUFFIX "\"", ct->name);
}

/* The other name is not ours any more; whose shape the table has, stays as it was. */
static bool
remember_swap(struct ch_meta *m, struct arena *a, const struct ch_table *ct, struct err *err)
{
	const struct ch_meta_entry entries[] = {
		{ .kind = CH_META_CREATED, .name = arena_printf(a, "%s" RESYNC_SUFFIX, ct->name) },
		{ .kind = CH_META_CREATED, .name = ct->name, .words = ct->t->source_label },
	};

	return ch_meta_put(m, entries, ct->t->def->created ? 2 : 1, err);
}

bool
ch_side_swap(struct ch_side *s, struct ch_meta *m, struct dest_tables tables, struct err *err)
{
	struct arena *a = arena_new(64 * KIB);
	struct ch_table *ct;
	bool exchange, ok;

	ok = can_exchange(s, a, &exchange, err);
	for (size_t i = 0; ok && i < tables.n; i++)
		ok = swap_one(s, a, tables.v[i], exchange, &ct, err) &&
		    remember_swap(m, a, ct, err);
	arena_free(&a);
	return ok;
}
