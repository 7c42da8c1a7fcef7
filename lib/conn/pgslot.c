#include "lib/conn/pgslot.h"

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "lib/conn/pgconn.h"

#define SQL_MAX (4 * MIB)

/* ---- names */

static bool
given_is_ours(const char *given, const char *prefix, const char *mirror)
{
	return given == NULL || given[0] == '\0' ||
	    (str_starts(given, prefix) && strcmp(given + strlen(prefix), mirror) == 0);
}

bool
pgslot_name_is_ours(const PeerdbFlow__FlowConnectionConfigs *cfg)
{
	return given_is_ours(cfg->replication_slot_name, PGSLOT_PREFIX, cfg->flow_job_name);
}

bool
pgslot_publication_is_ours(const PeerdbFlow__FlowConnectionConfigs *cfg)
{
	return given_is_ours(cfg->publication_name, PGSLOT_PUB_PREFIX, cfg->flow_job_name);
}

const char *
pgslot_name(struct arena *a, const PeerdbFlow__FlowConnectionConfigs *cfg)
{
	if (pgslot_name_is_ours(cfg))
		return arena_printf(a, "%s%s", PGSLOT_PREFIX, cfg->flow_job_name);
	return arena_strdup(a, cfg->replication_slot_name);
}

const char *
pgslot_publication(struct arena *a, const PeerdbFlow__FlowConnectionConfigs *cfg)
{
	if (pgslot_publication_is_ours(cfg))
		return arena_printf(a, "%s%s", PGSLOT_PUB_PREFIX, cfg->flow_job_name);
	return arena_strdup(a, cfg->publication_name);
}

/* ---- publication */

static void
add_table_list(struct buf *sql, PeerdWorker__MirrorTable *const *tables, size_t ntables)
{
	size_t i;

	for (i = 0; i < ntables; i++) {
		buf_str_add(sql, i == 0 ? " TABLE ONLY " : ", ONLY ");
		pgconn_qualified(sql, tables[i]->source_schema, tables[i]->source_name);
	}
}

/* Published as of the root of a partition tree: leaves come and go, the mirror knows the root. */
static void
add_options(struct buf *sql, int version, const char *open)
{
	buf_printf(sql, "%spublish = 'insert, update, delete, truncate'", open);
	if (version >= 130000)
		buf_str_add(sql, ", publish_via_partition_root = true");
	buf_char(sql, ')');
}

static bool
publication_create(struct pgconn *c, const char *publication,
    PeerdWorker__MirrorTable *const *tables, size_t ntables, struct err *err)
{
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql, "CREATE PUBLICATION ");
	pgconn_ident(&sql, publication);
	buf_str_add(&sql, " FOR");
	add_table_list(&sql, tables, ntables);
	add_options(&sql, pgconn_version(c), " WITH (");
	return pgconn_run_buf(c, &sql, err);
}

/* Both statements in one transaction, for no reader shall see the half of it. */
static bool
publication_fit(struct pgconn *c, const char *publication, PeerdWorker__MirrorTable *const *tables,
    size_t ntables, struct err *err)
{
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql, "ALTER PUBLICATION ");
	pgconn_ident(&sql, publication);
	buf_str_add(&sql, " SET");
	add_table_list(&sql, tables, ntables);
	buf_str_add(&sql, "; ALTER PUBLICATION ");
	pgconn_ident(&sql, publication);
	add_options(&sql, pgconn_version(c), " SET (");
	return pgconn_run_buf(c, &sql, err);
}

static bool
is_wanted(const char *relid, PeerdWorker__MirrorTable *const *tables, size_t ntables)
{
	uint64_t oid;
	size_t i;
	struct err ignored = ERR_INIT;

	if (!str_to_u64(relid, 1, UINT32_MAX, &oid, &ignored))
		return false;
	for (i = 0; i < ntables; i++)
		if (tables[i]->relid == oid)
			return true;
	return false;
}

/* One row a published table, after the publication's own row; no row: it does not exist. */
static const char publication_query[] =
    "SELECT p.puballtables OR NOT (p.pubinsert AND p.pubupdate AND p.pubdelete AND "
    "p.pubtruncate%s),"
    " r.prrelid FROM pg_catalog.pg_publication p"
    " LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid WHERE p.pubname = $1";

static bool
publication_fits(const PGresult *res, PeerdWorker__MirrorTable *const *tables, size_t ntables)
{
	int i;

	if ((size_t)PQntuples(res) != ntables || pgcell_bool(res, 0, 0))
		return false;
	for (i = 0; i < PQntuples(res); i++)
		if (!is_wanted(pgcell(res, i, 1), tables, ntables))
			return false;
	return true;
}

/* An unneeded ALTER would invalidate the caches of every walsender, so look first. */
bool
pgslot_publication_ensure(struct pgconn *c, const char *publication,
    PeerdWorker__MirrorTable *const *tables, size_t ntables, struct err *err)
{
	char query[512];
	PGresult *res;
	bool ok;

	snprintf(query, sizeof(query), publication_query,
	    pgconn_version(c) >= 130000 ? " AND p.pubviaroot" : "");
	res = pgconn_query(c, err, query, 1, publication);
	if (res == NULL)
		ok = false;
	else if (PQntuples(res) == 0)
		ok = publication_create(c, publication, tables, ntables, err);
	else
		ok = publication_fits(res, tables, ntables) ||
		    publication_fit(c, publication, tables, ntables, err);
	PQclear(res);
	return ok || err_context(err, "publication \"%s\"", publication);
}

bool
pgslot_publication_drop(struct pgconn *c, const char *publication, struct err *err)
{
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql, "DROP PUBLICATION IF EXISTS ");
	pgconn_ident(&sql, publication);
	return pgconn_run_buf(c, &sql, err) || err_context(err, "publication \"%s\"", publication);
}

/* ---- slot: reading */

static lsn_t
cell_lsn(const PGresult *res, int row, int col)
{
	lsn_t lsn = LSN_INVALID;

	(void)lsn_parse(pgcell(res, row, col), &lsn); /* NULL reads "": stays invalid */
	return lsn;
}

bool
pgslot_read(struct pgconn *c, const char *slot, struct pgslot_state *st_r, struct err *err)
{
	struct pgslot_state st = { .exists = false };
	char query[512];
	PGresult *res;

	snprintf(query, sizeof(query),
	    "SELECT temporary, active_pid, confirmed_flush_lsn, restart_lsn, plugin, database,"
	    " database = pg_catalog.current_database(), %s"
	    " FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
	    pgconn_version(c) >= 130000 ? "wal_status" : "''");
	res = pgconn_query(c, err, query, 1, slot);
	if (res == NULL)
		return err_context(err, "replication slot \"%s\"", slot);
	if (PQntuples(res) == 1) {
		st.exists = true;
		st.temporary = pgcell_bool(res, 0, 0);
		st.active_pid = (int)pgcell_i64(res, 0, 1);
		st.confirmed = cell_lsn(res, 0, 2);
		st.restart = cell_lsn(res, 0, 3);
		str_copy(st.plugin, sizeof(st.plugin), pgcell(res, 0, 4));
		str_copy(st.database, sizeof(st.database), pgcell(res, 0, 5));
		st.here = pgcell_bool(res, 0, 6);
		str_copy(st.wal_status, sizeof(st.wal_status), pgcell(res, 0, 7));
		st.lost = strcmp(st.wal_status, "lost") == 0 || st.restart == LSN_INVALID;
	}
	PQclear(res);
	*st_r = st;
	return true;
}

bool
pgslot_usable(const char *slot, const struct pgslot_state *st, struct err *err)
{
	if (!st->exists)
		err_set(err, ERR_CONFIG, "replication slot \"%s\" does not exist", slot);
	else if (strcmp(st->plugin, "pgoutput") != 0)
		err_set(err, ERR_CONFIG,
		    "replication slot \"%s\" is not a logical slot of pgoutput", slot);
	else if (!st->here)
		err_set(err, ERR_CONFIG, "replication slot \"%s\" belongs to database \"%s\"", slot,
		    st->database);
	else if (st->temporary)
		err_set(err, ERR_CONFIG, "replication slot \"%s\" is temporary", slot);
	else if (st->lost)
		err_set(err, ERR_CONFIG,
		    "replication slot \"%s\" is lost: the source removed WAL it needs", slot);
	else
		return true;
	return err_hint(err,
	    st->lost ? "resync the mirror; raise max_slot_wal_keep_size on the source"
		     : "choose another replication_slot_name, or leave it empty");
}

/* ---- slot: making */

/* The server's "already exists" is the one refusal callers act on. */
static bool
create_failed(const char *slot, struct err *err)
{
	if (strcmp(err->sqlstate, "42710") == 0)
		err->code = ERR_EXISTS;
	else if (strcmp(err->sqlstate, "53400") == 0)
		err->code = ERR_CONFIG; /* all slots taken: waiting does not help */
	return err_context(err, "could not create replication slot \"%s\"", slot);
}

bool
pgslot_create_exported(struct pgconn *repl, const char *slot, struct pgslot_point *point_r,
    struct err *err)
{
	struct pgslot_point point;
	struct buf cmd;
	PGresult *res;
	bool ok = true;

	buf_init(&cmd, KIB);
	buf_str_add(&cmd, "CREATE_REPLICATION_SLOT ");
	pgconn_ident(&cmd, slot);
	buf_str_add(&cmd, " LOGICAL pgoutput EXPORT_SNAPSHOT");
	res = pgconn_exec(repl, err, buf_str(&cmd));
	buf_done(&cmd);
	if (res == NULL)
		return create_failed(slot, err);
	if (PQntuples(res) != 1 || PQnfields(res) < 3 ||
	    !lsn_parse(pgcell(res, 0, 1), &point.lsn) ||
	    !str_copy(point.snapshot, sizeof(point.snapshot), pgcell(res, 0, 2)))
		ok = err_set(err, ERR_PROTOCOL,
		    "unexpected answer to the creation of replication slot \"%s\"", slot);
	PQclear(res);
	if (ok)
		*point_r = point;
	return ok;
}

bool
pgslot_create(struct pgconn *c, const char *slot, lsn_t *lsn_r, struct err *err)
{
	PGresult *res;
	bool ok = true;

	res = pgconn_query(c, err,
	    "SELECT lsn FROM pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')", 1,
	    slot);
	if (res == NULL)
		return create_failed(slot, err);
	if (PQntuples(res) != 1 || !lsn_parse(pgcell(res, 0, 0), lsn_r))
		ok = err_set(err, ERR_PROTOCOL,
		    "unexpected answer to the creation of replication slot \"%s\"", slot);
	PQclear(res);
	return ok;
}

/* ---- slot: dropping */

/* The server waits for us: it is asked to sleep, so that an interrupt still ends the wait. */
static bool
terminate_reader(struct pgconn *c, int pid, struct err *err)
{
	char text[16];
	PGresult *res;

	snprintf(text, sizeof(text), "%d", pid);
	res = pgconn_query(c, err,
	    "SELECT pg_catalog.pg_terminate_backend($1::int), pg_catalog.pg_sleep(0.05)", 1, text);
	PQclear(res);
	return res != NULL;
}

static bool
drop_once(struct pgconn *c, const char *slot, struct err *err)
{
	PGresult *res;

	res = pgconn_query(c, err, "SELECT pg_catalog.pg_drop_replication_slot($1)", 1, slot);
	PQclear(res);
	return res != NULL;
}

/* A slot that became active, or vanished, between the look and the deed is looked at again. */
static bool
changed_meanwhile(const struct err *err)
{
	return strcmp(err->sqlstate, "55006") == 0 || strcmp(err->sqlstate, "42704") == 0;
}

bool
pgslot_drop(struct pgconn *c, const char *slot, usec_t timeout, struct err *err)
{
	usec_t deadline = clock_mono_us() + timeout;
	struct pgslot_state st;

	do {
		if (!pgslot_read(c, slot, &st, err))
			return false;
		if (!st.exists)
			return true;
		if (st.active_pid == 0 && drop_once(c, slot, err))
			return true;
		if (st.active_pid == 0 && !changed_meanwhile(err))
			return err_context(err, "could not drop replication slot \"%s\"", slot);
		if (st.active_pid != 0 && !terminate_reader(c, st.active_pid, err))
			return err_context(err,
			    "could not end the reader of replication slot \"%s\"", slot);
	} while (clock_mono_us() < deadline);
	err_set(err, ERR_TRANSIENT,
	    "replication slot \"%s\" is still in use by process %d of the source", slot,
	    st.active_pid);
	return err_hint(err, "SELECT pg_terminate_backend(%d) as a superuser of the source",
	    st.active_pid);
}
