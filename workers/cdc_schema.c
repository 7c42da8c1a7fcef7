#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/conn/pginfo.h"
#include "lib/sink/dest.h"
#include "lib/sink/pg_ddl.h"
#include "workers/cdc_int.h"

/*
 * ADD COLUMN on the source. The stream says only the new column's type id and
 * name, so the definition is read from the source's catalog; what it needs on
 * the destination (a type, perhaps) is made first, outside the stream's
 * transaction, and the column itself travels as a DDL segment in its place
 * among the changes.
 */

static const PeerdbFlow__TableMapping *
find_mapping(const struct cdc *c, const struct table *t)
{
	const PeerdWorker__Config *cfg = c->w->config;

	return cfg->mirror->table_mappings[t->index];
}

static bool
is_known(const struct table *t, const PeerdWorker__Column *col)
{
	uint16_t i;

	for (i = 0; i < t->ncols; i++)
		if (strcmp(t->cols[i].name, col->name) == 0)
			return true;
	return false;
}

static bool
prepare_columns(struct cdc *c, PeerdWorker__MirrorTable *def, struct err *err)
{
	struct dest *dst = NULL;
	bool ok;

	if (!worker_open_dest(c->w, &dst, err))
		return false;
	dest_choose_forms(dst->ops, (struct dest_tables){ &def, 1 });
	ok = dest_prepare_columns(dst, c->watch, def, err);
	dest_close(&dst);
	return ok;
}

/*
 * A default that is computed for each row (a sequence, a random number) rewrote
 * the table on the source, and a rewrite is not in the stream.
 */
static bool
warn_of_computed_default(struct cdc *c, const struct table *t, const PeerdWorker__Column *col,
    struct err *err)
{
	char relid[16];
	PGresult *res;

	snprintf(relid, sizeof(relid), "%u", t->relid);
	res = pgconn_query(c->watch, err,
	    "SELECT FROM pg_attribute WHERE attrelid = $1::oid"
	    " AND attname = $2 AND (atthasdef OR attidentity <> '')",
	    2, relid, col->name);
	if (res != NULL && PQntuples(res) > 0)
		worker_log(c->w, LOG_LEVEL_WARN,
		    "table %s: rows that were there before column \"%s\" have NULL in it on the"
		    " destination: what its default computed for them on the source does not "
		    "travel",
		    t->source_label, col->name);
	PQclear(res);
	return res != NULL;
}

static bool
add_column(struct cdc *c, struct table *t, const PeerdWorker__Column *col, struct err *err)
{
	const char *sql;
	char *value = NULL;

	if (!pg_ddl_column_default(c->watch, t->relid, col->name, c->w->mirror, &value, err) ||
	    (value == NULL && !warn_of_computed_default(c, t, col, err)) ||
	    !c->sink->ops->ddl_add_column(c->sink, t, col, value, c->w->mirror, &sql, err))
		return false;
	batch_ddl(c->fill, sql);
	ledger_change(&c->ledger);
	worker_log(c->w, LOG_LEVEL_INFO, "table %s: column \"%s\" added", t->source_label,
	    col->name);
	return true;
}

/* The columns stay in their places, the new ones follow: prepared rows keep their meaning. */
static void
extend_table(struct cdc *c, struct table *t, const PeerdWorker__MirrorTable *def)
{
	struct table *fresh = table_new(c->w->mirror, t->index, def);
	struct column *cols = arena_zalloc(c->w->mirror,
	    ((size_t)t->ncols + fresh->ncols) * sizeof(*cols));
	uint16_t i, j, n = t->ncols;

	memcpy(cols, t->cols, t->ncols * sizeof(*cols));
	for (i = 0; i < fresh->ncols; i++) {
		for (j = 0; j < n && strcmp(cols[j].name, fresh->cols[i].name) != 0; j++)
			;
		if (j == n)
			cols[n++] = fresh->cols[i];
	}
	t->cols = cols;
	t->ncols = n;
	t->def = def;
}

/*
 * A type that cannot travel in binary form, in a stream that does: the table is
 * marked, and the worker starts again with a stream in text form, in which the
 * column is met again. The destination is left alone: what of this transaction
 * stands before the column comes once more, too.
 */
static bool
switch_to_text(struct cdc *c, const struct table *t, const PeerdWorker__Column *col,
    struct err *err)
{
	size_t i;

	for (i = 0; i < t->def->n_columns; i++) {
		t->def->columns[i]->has_binary = true;
		t->def->columns[i]->binary = false;
	}
	c->tables_changed = true;
	cdc_report_tables(c);
	return err_set(err, ERR_TRANSIENT,
	    "column \"%s\" of %s needs values in text form:"
	    " reconnecting",
	    col->name, t->source_label);
}

static bool
is_announced(const struct pgoutput_relation *rel, const char *name)
{
	struct rbuf cols = rel->cols;
	uint16_t i;

	for (i = 0; i < rel->ncols; i++)
		if (strcmp(pgoutput_next_column(&cols).name, name) == 0)
			return true;
	return false;
}

/*
 * The catalog may be ahead of the stream: columns added later are left for the
 * message that announces them, or the stream would seem to have lost them.
 */
static void
forget_later_columns(const struct table *t, const struct pgoutput_relation *rel,
    PeerdWorker__MirrorTable *def)
{
	size_t i, kept = 0;

	for (i = 0; i < def->n_columns; i++) {
		PeerdWorker__Column *col = def->columns[i];

		if (col->generated[0] != '\0' || is_known(t, col) || is_announced(rel, col->name))
			def->columns[kept++] = col;
		else
			peerd_worker__column__free_unpacked(col, NULL);
	}
	def->n_columns = kept;
}

/*
 * The stream hands a transaction over once its commit is written, which is a
 * moment before others see it. Its lock on the table goes last of all.
 */
static bool
wait_for_commit(struct cdc *c, const struct table *t, struct err *err)
{
	struct buf name;
	bool ok;

	buf_init(&name, KIB);
	pgconn_qualified(&name, t->source_schema, t->source_name);
	ok = pgconn_run(c->watch, err, "SET lock_timeout = '5s'") &&
	    pgconn_run(c->watch, err, "SELECT FROM %s LIMIT 0", buf_str(&name));
	buf_done(&name);
	return ok;
}

bool
cdc_columns_added(struct cdc *c, struct table *t, const struct pgoutput_relation *rel,
    struct err *err)
{
	PeerdWorker__MirrorTable *def = NULL;
	size_t i;

	if (!wait_for_commit(c, t, err) ||
	    !pginfo_load_table(c->watch, find_mapping(c, t), &def, err)) {
		/* dropped since, or otherwise not what it was: no concern of the other tables */
		if (err->code == ERR_CONFIG)
			err->code = ERR_DATA;
		return false;
	}
	def->has_created = true;
	def->created = t->def->created;
	forget_later_columns(t, rel, def);
	if (!prepare_columns(c, def, err))
		return false;
	for (i = 0; i < def->n_columns; i++) {
		const PeerdWorker__Column *col = def->columns[i];

		if (col->generated[0] != '\0' || is_known(t, col))
			continue;
		if (t->binary && !col->binary)
			return switch_to_text(c, t, col, err);
		if (!add_column(c, t, col, err))
			return false;
	}
	extend_table(c, t, def);
	sink_table_changed(c->sink, t);
	if (!relmap_remap(c->rels, rel, err))
		return false;
	c->tables_changed = true; /* told once it is durable */
	return true;
}
