/*
 * The end of a resync: the loaded table and the old one change places, then the
 * old one goes. Tables are swapped one by one; whoever is killed in between
 * loads all of them again.
 */
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/sink/ch_dest_int.h"

bool
ch_side_discard(struct ch_side *s, const struct table_ident *name, struct err *err)
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
	if (ok) {
		ch_ddl_drop(&ct, "", a, &list);
		ok = ch_side_run(s, &list, err);
	}
	arena_free(&a);
	return ok;
}

/* Where there is no table to be replaced, an empty one is made for the moment. */
static bool
swap_one(struct ch_side *s, struct arena *a, const PeerdWorker__MirrorTable *t, struct err *err)
{
	struct ch_statements make, swap;
	struct ch_table *ct;

	if (!ch_side_table(s, a, table_new(a, 0, t), &ct, err) ||
	    !ch_ddl_create(ct, "", CH_CREATE_IF_MISSING, a, &make, err))
		return false;
	ch_ddl_swap(ct, RESYNC_SUFFIX, a, &swap);
	return (ch_side_run(s, &make, err) && ch_side_run(s, &swap, err)) ||
	    err_context(err, "swapping in \"%s" RESYNC_SUFFIX "\"", ct->name);
}

bool
ch_side_swap(struct ch_side *s, struct dest_tables tables, struct err *err)
{
	struct arena *a = arena_new(64 * KIB);
	bool ok = true;

	for (size_t i = 0; ok && i < tables.n; i++)
		ok = swap_one(s, a, tables.v[i], err);
	arena_free(&a);
	return ok;
}
