#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/sink/dest.h"
#include "workers/check_int.h"

#define CONNECT_TIMEOUT (10 * USEC_PER_SEC)

/* ---- the server: can changes be decoded, may we? */

static bool
check_wal_level(const struct pginfo_server *s, struct err *err)
{
	if (strcmp(s->wal_level, "logical") == 0)
		return true;
	err_set(err, ERR_CONFIG, "wal_level on the source is \"%s\", \"logical\" is needed",
	    s->wal_level);
	return err_hint(err,
	    "ALTER SYSTEM SET wal_level = logical, then restart the source"
	    " (on managed servers: rds.logical_replication = 1 or cloudsql.logical_decoding = on)");
}

static bool
check_role(const struct pginfo_server *s, struct err *err)
{
	struct buf role;

	if (s->replication)
		return true;
	buf_init(&role, CHECK_TEXT_MAX);
	pgconn_ident(&role, s->role);
	err_set(err, ERR_CONFIG, "role %s may not start replication on the source", buf_str(&role));
	err_hint(err, "ALTER ROLE %s REPLICATION (on Amazon RDS: GRANT rds_replication TO %s)",
	    buf_str(&role), buf_str(&role));
	buf_done(&role);
	return false;
}

static bool
check_senders(const struct pginfo_server *s, struct err *err)
{
	if (s->max_wal_senders < 2)
		err_set(err, ERR_CONFIG,
		    "max_wal_senders on the source is %d, at least 2 are needed",
		    s->max_wal_senders);
	else if (s->wal_senders >= s->max_wal_senders)
		err_set(err, ERR_CONFIG, "all %d WAL senders of the source are in use",
		    s->max_wal_senders);
	else
		return true;
	return err_hint(err, "ALTER SYSTEM SET max_wal_senders = %d, then restart the source",
	    s->max_wal_senders + 10);
}

static bool
check_standby(const struct pginfo_server *s, struct err *err)
{
	if (!s->in_recovery)
		return true;
	if (s->version < 160000) {
		err_set(err, ERR_CONFIG,
		    "the source is a standby of version %d, changes can be read there from 16 on",
		    s->version / 10000);
		return err_hint(err, "point the peer at the primary");
	}
	if (s->hot_standby_feedback)
		return true;
	err_set(err, ERR_CONFIG, "the source is a standby without hot_standby_feedback");
	return err_hint(err,
	    "ALTER SYSTEM SET hot_standby_feedback = on, then"
	    " SELECT pg_reload_conf() on the source");
}

/* A role may have the right and pg_hba.conf or a pooler still be in the way. */
static bool
check_replication_connection(const struct check *ck, struct err *err)
{
	struct pgconn *repl = NULL;
	PGresult *res = NULL;

	if (pgconn_open(ck->source, "peerd check", PGCONN_REPLICATION, CONNECT_TIMEOUT, NULL, &repl,
		err))
		res = pgconn_exec(repl, err, "IDENTIFY_SYSTEM");
	PQclear(res);
	pgconn_close(&repl);
	if (res != NULL)
		return true;
	err_context(err, "replication connection to the source");
	return err_hint(err,
	    "the source must let the role in with replication=database;"
	    " a connection pooler in between cannot pass it on");
}

static bool
check_changes(const struct check *ck, const struct pginfo_server *s, struct err *err)
{
	return check_wal_level(s, err) && check_role(s, err) && check_senders(s, err) &&
	    check_standby(s, err) && check_replication_connection(ck, err);
}

/* ---- the tables */

static const char missing_query[] =
    "SELECT w.s, w.t FROM unnest($1::text[], $2::text[]) WITH ORDINALITY w(s, t, i)"
    " WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    "  WHERE n.nspname = w.s AND c.relname = w.t) ORDER BY w.i";

static PGresult *
query_missing(const struct check *ck, struct err *err)
{
	const PeerdbFlow__FlowConnectionConfigs *m = ck->mirror;
	struct buf schemas, names;
	struct table_ident t;
	PGresult *res = NULL;
	size_t i;

	buf_init(&schemas, CHECK_TEXT_MAX);
	buf_init(&names, CHECK_TEXT_MAX);
	for (i = 0; i < m->n_table_mappings; i++) {
		if (!ident_parse_table(m->table_mappings[i]->source_table_identifier, &t, err))
			goto out;
		pgconn_array_add(&schemas, t.schema);
		pgconn_array_add(&names, t.name);
	}
	res = pgconn_query(ck->src, err, missing_query, 2, pgconn_array_end(&schemas),
	    pgconn_array_end(&names));
out:
	buf_done(&schemas);
	buf_done(&names);
	return res;
}

/* All that are missing at once, so that one round mends the request. */
static bool
check_exist(const struct check *ck, struct err *err)
{
	PGresult *res = query_missing(ck, err);
	char text[IDENT_TEXT_MAX];
	struct buf names;
	int i;

	if (res == NULL)
		return false;
	if (PQntuples(res) == 0) {
		PQclear(res);
		return true;
	}
	buf_init(&names, CHECK_TEXT_MAX);
	for (i = 0; i < PQntuples(res); i++)
		buf_printf(&names, "%s%s", i > 0 ? ", " : "",
		    ident_format(pgcell(res, i, 0), pgcell(res, i, 1), text));
	err_set(err, ERR_CONFIG, "source tables do not exist: %s", buf_str(&names));
	err_hint(err, "create them, or correct source_table_identifier (names are case-sensitive)");
	err_reason(err, "SOURCE_TABLE_MISSING");
	for (i = 0; i < PQntuples(res); i++)
		err_subject(err, ident_format(pgcell(res, i, 0), pgcell(res, i, 1), text));
	buf_done(&names);
	PQclear(res);
	return false;
}

/*
 * The snapshot reads partitions by themselves, so rights are needed on each;
 * row security would hide rows from it without a word.
 */
static const char rights_query[] =
    "WITH w(root, i) AS (SELECT * FROM unnest($1::oid[]) WITH ORDINALITY),"
    " rel(root, i, oid) AS (SELECT root, i, root FROM w UNION SELECT w.root, w.i, p.relid"
    "  FROM w, LATERAL pg_partition_tree(w.root::regclass) p WHERE p.isleaf) "
    "SELECT rel.i - 1, format('%I.%I', n.nspname, c.relname), quote_ident(n.nspname),"
    " NOT has_schema_privilege(n.oid, 'USAGE'), row_security_active(c.oid), a.attname,"
    " quote_ident(a.attname), quote_ident(current_user)"
    " FROM rel JOIN pg_class c ON c.oid = rel.oid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    "  AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')"
    " WHERE a.attname IS NOT NULL OR row_security_active(c.oid)"
    "  OR NOT has_schema_privilege(n.oid, 'USAGE') ORDER BY rel.i, c.relname, a.attnum";

/* One row of what is wrong; true when it does not matter. */
static bool
check_right(const PGresult *res, int row, const PeerdWorker__SetupDone *tables, struct err *err)
{
	const char *name = pgcell(res, row, 1), *role = pgcell(res, row, 7);

	if (pgcell_bool(res, row, 3)) {
		err_set(err, ERR_CONFIG, "role %s may not use schema %s of the source", role,
		    pgcell(res, row, 2));
		return err_hint(err, "GRANT USAGE ON SCHEMA %s TO %s", pgcell(res, row, 2), role);
	}
	if (pgcell_bool(res, row, 4)) {
		err_set(err, ERR_CONFIG, "row-level security hides rows of %s from role %s", name,
		    role);
		return err_hint(err, "ALTER ROLE %s BYPASSRLS", role);
	}
	if (!check_is_mirrored(tables->tables[pgcell_i64(res, row, 0)], pgcell(res, row, 5)))
		return true;
	err_set(err, ERR_CONFIG, "role %s may not read column %s of %s", role, pgcell(res, row, 6),
	    name);
	return err_hint(err, "GRANT SELECT ON %s TO %s", name, role);
}

static bool
check_rights(const struct check *ck, const PeerdWorker__SetupDone *tables, struct err *err)
{
	struct buf relids;
	PGresult *res;
	bool ok = true;
	int i;

	buf_init(&relids, CHECK_TEXT_MAX);
	res = pgconn_query(ck->src, err, rights_query, 1, check_array_relids(&relids, tables));
	buf_done(&relids);
	if (res == NULL)
		return false;
	for (i = 0; ok && i < PQntuples(res); i++)
		ok = check_right(res, i, tables, err);
	PQclear(res);
	return ok;
}

/* ---- all */

bool
check_source(const struct check *ck, PeerdWorker__SetupDone *tables, struct err *err)
{
	struct pginfo_server s;

	if (!pginfo_load_server(ck->src, &s, err) || !pginfo_check_server(&s, "source", err))
		return false;
	if (!ck->mirror->initial_snapshot_only && !check_changes(ck, &s, err))
		return false;
	if (!check_exist(ck, err) || !pginfo_load_tables(ck->src, ck->mirror, tables, err) ||
	    !check_rights(ck, tables, err))
		return false;
	dest_choose_forms(ck->kind, (struct dest_tables){ tables->tables, tables->n_tables });
	if (ck->mirror->initial_snapshot_only)
		return true;
	return check_publication(ck, &s, tables, err) && check_slot(ck, &s, err);
}
