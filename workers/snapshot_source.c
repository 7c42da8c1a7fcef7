#include "workers/snapshot_source.h"

#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/pginfo.h"
#include "lib/sink/dest.h"

#define SLOT_DROP_TIMEOUT (30 * USEC_PER_SEC)
#define SQL_MAX		  (4 * MIB)

/* ---- the snapshot */

static bool
enter_transaction(struct worker *w, struct snapshot_source *s, struct err *err)
{
	return worker_connect(w, true, PGCONN_PLAIN, &s->conn, err) &&
	    pgconn_run(s->conn, err, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

/* The slot's own snapshot lives only until its connection's next command: take it over. */
static bool
enter_slots_snapshot(struct worker *w, struct snapshot_source *s, struct err *err)
{
	const char *slot = pgslot_name(w->mirror, w->config->mirror);
	struct pgconn *plain = NULL, *repl = NULL;
	struct pgslot_point point;
	bool ok;

	ok = worker_connect(w, true, PGCONN_PLAIN, &plain, err) &&
	    pgslot_drop(plain, slot, SLOT_DROP_TIMEOUT, err) &&
	    worker_connect(w, true, PGCONN_REPLICATION, &repl, err) &&
	    enter_transaction(w, s, err) && pgslot_create_exported(repl, slot, &point, err) &&
	    pgconn_run(s->conn, err, "SET TRANSACTION SNAPSHOT '%s'", point.snapshot);
	pgconn_close(&plain);
	pgconn_close(&repl);
	if (ok)
		s->lsn = point.lsn;
	return ok;
}

static bool
export_snapshot(struct snapshot_source *s, struct err *err)
{
	PGresult *res = pgconn_exec(s->conn, err, "SELECT pg_export_snapshot()");

	if (res == NULL)
		return false;
	snprintf(s->name, sizeof(s->name), "%s", pgcell(res, 0, 0));
	PQclear(res);
	return true;
}

bool
snapshot_lock(struct pgconn *c, PeerdWorker__MirrorTable *const *tables, size_t n, struct err *err)
{
	struct buf sql;
	size_t i;

	buf_init(&sql, SQL_MAX);
	for (i = 0; i < n; i++) {
		buf_str_add(&sql, i > 0 ? ", " : "LOCK TABLE ");
		pgconn_qualified(&sql, tables[i]->source_schema, tables[i]->source_name);
	}
	buf_str_add(&sql, " IN ACCESS SHARE MODE");
	return pgconn_run_buf(c, &sql, err);
}

static bool
lock_tables(struct worker *w, struct snapshot_source *s, struct err *err)
{
	PeerdWorker__MirrorTable **defs = worker_defs(w);
	bool ok = snapshot_lock(s->conn, defs, w->ntables, err);

	free(defs);
	return ok;
}

bool
snapshot_source_open(struct worker *w, struct snapshot_source *s, struct err *err)
{
	bool entered = w->config->mirror->initial_snapshot_only ? enter_transaction(w, s, err)
								: enter_slots_snapshot(w, s, err);

	return entered && export_snapshot(s, err) && lock_tables(w, s, err);
}

bool
snapshot_source_check(struct snapshot_source *s, struct err *err)
{
	return pgconn_run(s->conn, err, "SELECT 1");
}

void
snapshot_source_close(struct snapshot_source *s)
{
	pgconn_close(&s->conn);
}

/* ---- definitions */

static const PeerdWorker__Column *
find_column(const PeerdWorker__MirrorTable *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++)
		if (strcmp(t->columns[i]->name, name) == 0)
			return t->columns[i];
	return NULL;
}

static bool
is_same(const PeerdWorker__MirrorTable *a, const PeerdWorker__MirrorTable *b)
{
	size_t n = protobuf_c_message_get_packed_size(&a->base);
	uint8_t *x, *y;
	bool same;

	if (protobuf_c_message_get_packed_size(&b->base) != n)
		return false;
	x = xmalloc(2 * n + 1);
	y = x + n;
	protobuf_c_message_pack(&a->base, x);
	protobuf_c_message_pack(&b->base, y);
	same = memcmp(x, y, n) == 0;
	free(x);
	return same;
}

static bool
check_kept(const PeerdWorker__MirrorTable *old, const PeerdWorker__MirrorTable *fresh,
    struct err *err)
{
	const PeerdWorker__Column *was, *is;
	size_t i;

	for (i = 0; i < old->n_columns; i++) {
		was = old->columns[i];
		is = find_column(fresh, was->name);
		if (is != NULL && is->type_oid == was->type_oid &&
		    is->type_modifier == was->type_modifier)
			continue;
		err_set(err, ERR_CONFIG,
		    "column \"%s\" of %s.%s was dropped, renamed or changed its type after the"
		    " mirror was created",
		    was->name, old->source_schema, old->source_name);
		return err_hint(err, "resync the mirror");
	}
	return true;
}

/* What the snapshot shows of a table, with what only setup knew of it. */
static bool
refresh_table(struct snapshot_source *s, struct dest *dst, const PeerdWorker__MirrorTable *old,
    PeerdWorker__MirrorTable *fresh, bool *changed_r, struct err *err)
{
	fresh->has_created = old->has_created;
	fresh->created = old->created;
	fresh->has_state = old->has_state;
	fresh->state = old->state;
	if (!check_kept(old, fresh, err) || !dest_extend(dst, s->conn, old, fresh, err))
		return false;
	if (!is_same(old, fresh))
		*changed_r = true;
	return true;
}

bool
snapshot_source_refresh(struct worker *w, struct snapshot_source *s, struct dest *dst,
    struct err *err)
{
	PeerdWorker__SetupDone *now = xmalloc(sizeof(*now));
	bool changed = false, ok;
	uint32_t i;

	peerd_worker__setup_done__init(now);
	ok = pginfo_load_tables(s->conn, w->config->mirror, now, err);
	if (ok)
		dest_choose_forms(dst->ops, (struct dest_tables){ now->tables, now->n_tables });
	for (i = 0; ok && i < w->ntables; i++)
		ok = refresh_table(s, dst, w->tables[i]->def, now->tables[i], &changed, err);
	if (ok && changed) {
		worker_set_tables(w, now->tables, now->n_tables); /* now lives on */
		ipc_send(w->ipc, IPC_TABLES, 0, now);
	} else {
		protobuf_c_message_free_unpacked(&now->base, NULL);
	}
	return ok;
}
