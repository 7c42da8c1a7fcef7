#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pginfo.h"
#include "lib/sink/pg_dest_int.h"
#include "lib/types/ident.h"

/* ---- names */

bool
pg_dest_check_name(const struct table_ident *name, struct err *err)
{
	if (name->schema[0] == '\0')
		return err_set(err, ERR_CONFIG,
		    "table name '%s' has no schema, expected schema.table", name->name);
	if (!str_starts(name->schema, "pg_") && strcmp(name->schema, "information_schema") != 0)
		return true;
	err_set(err, ERR_CONFIG, "destination schema \"%s\" belongs to the server", name->schema);
	return err_hint(err, "choose a schema whose name does not begin with pg_");
}

/* ---- the server */

static bool
check_writable(const struct pginfo_server *s, struct err *err)
{
	if (!s->in_recovery)
		return true;
	err_set(err, ERR_CONFIG, "the destination is a standby and cannot be written to");
	return err_hint(err, "point the peer at the primary");
}

/* A mirror onto its own source would feed on itself. */
static bool
check_not_itself(const struct pg_check *ck, const struct pginfo_server *dst, struct err *err)
{
	const PeerdWorker__MirrorTable *t, *u;
	struct pginfo_server src;
	size_t i, j;

	if (!pginfo_load_server(ck->src, &src, err))
		return false;
	if (src.system_identifier == 0 || src.system_identifier != dst->system_identifier ||
	    src.database_oid != dst->database_oid)
		return true;
	for (i = 0; i < ck->tables.n; i++)
		for (j = 0; j < ck->tables.n; j++) {
			t = ck->tables.v[i];
			u = ck->tables.v[j];
			if (strcmp(t->destination_name, u->source_name) != 0 ||
			    strcmp(t->destination_schema, u->source_schema) != 0)
				continue;
			err_set(err, ERR_CONFIG,
			    "%s.%s is a source and a destination of the mirror"
			    " in the same database",
			    u->source_schema, u->source_name);
			return err_hint(err, "choose another destination table or peer");
		}
	return true;
}

/* ---- where things are to be made */

static bool
refuse_create_schema(const struct pginfo_server *s, const char *schema, struct err *err)
{
	err_set(err, ERR_CONFIG,
	    "schema \"%s\" does not exist on the destination and role \"%s\" may"
	    " not create it",
	    schema, s->role);
	return err_hint(err,
	    "GRANT CREATE ON DATABASE \"%s\" TO \"%s\", or CREATE SCHEMA \"%s\""
	    " AUTHORIZATION \"%s\"",
	    s->database, s->role, schema, s->role);
}

static const char metadata_query[] =
    "SELECT has_schema_privilege(n.oid, 'USAGE') AND (has_schema_privilege(n.oid, 'CREATE')"
    "  OR EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid"
    "   AND c.relname = 'peerdb_mirror_jobs'))"
    " FROM pg_namespace n WHERE n.nspname = $1";

/* The checkpoint lives beside the data. */
static bool
check_metadata(const struct pg_check *ck, const struct pginfo_server *s, struct err *err)
{
	PGresult *res = pgconn_query(ck->dst, err, metadata_query, 1, ck->meta_schema);
	bool exists, usable;

	if (res == NULL)
		return false;
	exists = PQntuples(res) > 0;
	usable = exists && pgcell_bool(res, 0, 0);
	PQclear(res);
	if (!exists)
		return s->create_database || refuse_create_schema(s, ck->meta_schema, err);
	if (usable)
		return true;
	err_set(err, ERR_CONFIG,
	    "role \"%s\" may not use schema \"%s\" of the destination, where the"
	    " mirror's position is kept",
	    s->role, ck->meta_schema);
	return err_hint(err, "GRANT USAGE, CREATE ON SCHEMA \"%s\" TO \"%s\"", ck->meta_schema,
	    s->role);
}

/* ---- the tables */

static const char tables_query[] =
    "SELECT n.oid IS NOT NULL, has_schema_privilege(n.oid, 'USAGE'),"
    " has_schema_privilege(n.oid, 'CREATE'), c.oid, c.relkind,"
    " format('%I.%I', w.s, w.t), quote_ident(w.s), concat_ws(', ',"
    "  CASE WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN 'SELECT' END,"
    "  CASE WHEN NOT has_table_privilege(c.oid, 'INSERT') THEN 'INSERT' END,"
    "  CASE WHEN NOT has_table_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END,"
    "  CASE WHEN NOT has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END,"
    "  CASE WHEN NOT has_table_privilege(c.oid, 'TRUNCATE') THEN 'TRUNCATE' END),"
    " row_security_active(c.oid)"
    " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY w(s, t, i)"
    " LEFT JOIN pg_namespace n ON n.nspname = w.s"
    " LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.t ORDER BY w.i";

static PGresult *
query_tables(const struct pg_check *ck, struct err *err)
{
	struct buf schemas, names;
	PGresult *res;
	size_t i;

	buf_init(&schemas, PG_CHECK_TEXT_MAX);
	buf_init(&names, PG_CHECK_TEXT_MAX);
	for (i = 0; i < ck->tables.n; i++) {
		pgconn_array_add(&schemas, ck->tables.v[i]->destination_schema);
		pgconn_array_add(&names, ck->tables.v[i]->destination_name);
	}
	res = pgconn_query(ck->dst, err, tables_query, 2, pgconn_array_end(&schemas),
	    pgconn_array_end(&names));
	buf_done(&schemas);
	buf_done(&names);
	return res;
}

/* The table, or its schema too, is still to be made. */
static bool
check_creatable(const struct pginfo_server *s, const PGresult *res, int row,
    const PeerdWorker__MirrorTable *t, struct err *err)
{
	if (!pgcell_bool(res, row, 0))
		return s->create_database || refuse_create_schema(s, t->destination_schema, err);
	if (pgcell_bool(res, row, 1) && pgcell_bool(res, row, 2))
		return true;
	err_set(err, ERR_CONFIG,
	    "role \"%s\" may not create tables in schema %s of the destination", s->role,
	    pgcell(res, row, 6));
	return err_hint(err, "GRANT USAGE, CREATE ON SCHEMA %s TO \"%s\"", pgcell(res, row, 6),
	    s->role);
}

static bool
check_usable(const struct pginfo_server *s, const PGresult *res, int row, struct err *err)
{
	const char *name = pgcell(res, row, 5), *relkind = pgcell(res, row, 4);

	if (relkind[0] != 'r' && relkind[0] != 'p') {
		err_set(err, ERR_CONFIG, "%s exists on the destination and is not a table", name);
		return err_hint(err, "choose another destination_table_identifier");
	}
	if (!pgcell_bool(res, row, 1)) {
		err_set(err, ERR_CONFIG, "role \"%s\" may not use schema %s of the destination",
		    s->role, pgcell(res, row, 6));
		return err_hint(err, "GRANT USAGE ON SCHEMA %s TO \"%s\"", pgcell(res, row, 6),
		    s->role);
	}
	if (pgcell(res, row, 7)[0] != '\0') {
		err_set(err, ERR_CONFIG, "role \"%s\" lacks %s on %s of the destination", s->role,
		    pgcell(res, row, 7), name);
		return err_hint(err, "GRANT %s ON %s TO \"%s\"", pgcell(res, row, 7), name,
		    s->role);
	}
	if (!pgcell_bool(res, row, 8))
		return true;
	err_set(err, ERR_CONFIG,
	    "row-level security of %s on the destination applies to role \"%s\"", name, s->role);
	return err_hint(err, "ALTER ROLE \"%s\" BYPASSRLS", s->role);
}

/* peerd's own columns stand beside the table's. */
static bool
check_column_names(const struct pg_check *ck, const PeerdWorker__MirrorTable *t, struct err *err)
{
	const char *const ours[] = { ck->mirror->soft_delete_col_name,
		ck->mirror->synced_at_col_name };
	const char *const options[] = { "soft_delete_col_name", "synced_at_col_name" };
	size_t i, j;

	for (i = 0; i < t->n_columns; i++)
		for (j = 0; j < 2; j++) {
			if (strcmp(t->columns[i]->destination_name, ours[j]) != 0)
				continue;
			err_set(err, ERR_CONFIG,
			    "%s.%s has a column \"%s\" already, which is also"
			    " the mirror's %s",
			    t->source_schema, t->source_name, ours[j], options[j]);
			return err_hint(err,
			    "set %s to another name, or to \"\" for no such column", options[j]);
		}
	return true;
}

static bool
check_table(const struct pg_check *ck, const struct pginfo_server *s, const PGresult *res, int row,
    const PeerdWorker__MirrorTable *t, struct err *err)
{
	if (!check_column_names(ck, t, err) ||
	    (ck->mirror->resync && !pg_check_replaced(ck, t, !PQgetisnull(res, row, 3), err)))
		return false;
	if (PQgetisnull(res, row, 3))
		return check_creatable(s, res, row, t, err);
	return check_usable(s, res, row, err) &&
	    pg_check_existing(ck, t, pgcell(res, row, 3), pgcell(res, row, 5), err);
}

bool
pg_check_run(const struct pg_check *ck, struct err *err)
{
	struct pginfo_server s;
	PGresult *res;
	bool ok = true;
	size_t i;

	if (!pginfo_load_server(ck->dst, &s, err) || !pginfo_check_server(&s, "destination", err) ||
	    !check_writable(&s, err) || !check_not_itself(ck, &s, err) ||
	    !check_metadata(ck, &s, err))
		return false;
	res = query_tables(ck, err);
	if (res == NULL)
		return false;
	for (i = 0; ok && i < ck->tables.n; i++)
		ok = check_table(ck, &s, res, (int)i, ck->tables.v[i], err);
	PQclear(res);
	return ok;
}
