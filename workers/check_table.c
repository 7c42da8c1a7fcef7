#include "lib/base/err.h"
#include "lib/conn/pgconn.h"
#include "workers/check_int.h"
#include "workers/check_type.h"

/* Columns as the destination has them: name, type, and what an INSERT must or may not give. */
static const char columns_query[] =
    "SELECT a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod),"
    " a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', a.attgenerated <> '',"
    " pg_has_role(c.relowner, 'USAGE')"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped";

struct existing {
	const struct check *ck;
	const PeerdWorker__MirrorTable *t;
	const char *sql_name;
	const PGresult *columns;
};

static int
find_column(const struct existing *x, const char *name)
{
	for (int i = 0; i < PQntuples(x->columns); i++)
		if (strcmp(pgcell(x->columns, i, 0), name) == 0)
			return i;
	return -1;
}

static bool
refuse_type(const struct existing *x, const PeerdWorker__Column *c, int row, struct err *err)
{
	err_set(err, ERR_CONFIG,
	    "column \"%s\" of %s.%s is %s and does not match destination column"
	    " \"%s\" of %s, which is %s",
	    c->name, x->t->source_schema, x->t->source_name, c->type_name, c->destination_name,
	    x->sql_name, pgcell(x->columns, row, 3));
	return err_hint(err, "ALTER TABLE %s ALTER COLUMN \"%s\" TYPE %s on the destination",
	    x->sql_name, c->destination_name, c->type_name);
}

static bool
check_column(const struct existing *x, const PeerdWorker__Column *c, struct err *err)
{
	struct check_type from = { c->type_oid, c->type_modifier, c->type_name }, to;
	int row = find_column(x, c->destination_name);

	if (row < 0) {
		err_set(err, ERR_CONFIG,
		    "column \"%s\" of %s.%s is not found in destination table %s",
		    c->destination_name, x->t->source_schema, x->t->source_name, x->sql_name);
		return err_hint(err, "ALTER TABLE %s ADD COLUMN \"%s\" %s, or exclude the column",
		    x->sql_name, c->destination_name, c->type_name);
	}
	if (pgcell_bool(x->columns, row, 5)) {
		err_set(err, ERR_CONFIG,
		    "column \"%s\" of destination table %s is generated and"
		    " cannot be written",
		    c->destination_name, x->sql_name);
		return err_hint(err,
		    "ALTER TABLE %s ALTER COLUMN \"%s\" DROP EXPRESSION, or exclude the"
		    " column",
		    x->sql_name, c->destination_name);
	}
	to.oid = (uint32_t)pgcell_i64(x->columns, row, 1);
	to.modifier = (int32_t)pgcell_i64(x->columns, row, 2);
	to.name = pgcell(x->columns, row, 3);
	return check_type_fits(&from, &to) || refuse_type(x, c, row, err);
}

static bool
is_written(const struct existing *x, const char *column)
{
	const PeerdbFlow__FlowConnectionConfigs *m = x->ck->mirror;

	for (size_t i = 0; i < x->t->n_columns; i++)
		if (strcmp(x->t->columns[i]->destination_name, column) == 0)
			return x->t->columns[i]->generated[0] == '\0';
	return strcmp(column, m->soft_delete_col_name) == 0 ||
	       strcmp(column, m->synced_at_col_name) == 0;
}

/* A column that only the destination has gets its default with every row. */
static bool
check_extra(const struct existing *x, int row, struct err *err)
{
	const char *name = pgcell(x->columns, row, 0);

	if (!pgcell_bool(x->columns, row, 4) || is_written(x, name))
		return true;
	err_set(err, ERR_CONFIG,
	    "column \"%s\" of destination table %s is NOT NULL, has no default and"
	    " no source column",
	    name, x->sql_name);
	return err_hint(err, "ALTER TABLE %s ALTER COLUMN \"%s\" DROP NOT NULL", x->sql_name, name);
}

/* peerd adds its own columns, which only the table's owner may. */
static bool
check_own_column(
    const struct existing *x, const char *name, const char *definition, struct err *err)
{
	if (name[0] == '\0' || find_column(x, name) >= 0 || PQntuples(x->columns) == 0 ||
	    pgcell_bool(x->columns, 0, 6))
		return true;
	err_set(err, ERR_CONFIG,
	    "destination table %s has no column \"%s\" and belongs to another role", x->sql_name,
	    name);
	return err_hint(err,
	    "ALTER TABLE %s ADD COLUMN \"%s\" %s, or do without it: set its name in"
	    " the mirror to \"\"",
	    x->sql_name, name, definition);
}

static bool
check_columns(const struct existing *x, struct err *err)
{
	const PeerdbFlow__FlowConnectionConfigs *m = x->ck->mirror;
	size_t i;
	int row;

	for (i = 0; i < x->t->n_columns; i++)
		if (x->t->columns[i]->generated[0] == '\0' &&
		    !check_column(x, x->t->columns[i], err))
			return false;
	for (row = 0; row < PQntuples(x->columns); row++)
		if (!check_extra(x, row, err))
			return false;
	return check_own_column(
		   x, m->soft_delete_col_name, "boolean NOT NULL DEFAULT false", err) &&
	       check_own_column(x, m->synced_at_col_name, "timestamp DEFAULT now()", err);
}

static bool
check_empty(const struct check *ck, const char *sql_name, struct err *err)
{
	struct buf sql;
	PGresult *res;
	bool full;

	if (!ck->mirror->do_initial_snapshot || ck->mirror->resync || ck->again)
		return true;
	buf_init(&sql, CHECK_TEXT_MAX);
	buf_printf(&sql, "SELECT EXISTS (SELECT FROM %s)", sql_name);
	res = pgconn_exec(ck->dst, err, buf_str(&sql));
	buf_done(&sql);
	if (res == NULL)
		return false;
	full = pgcell_bool(res, 0, 0);
	PQclear(res);
	if (!full)
		return true;
	err_set(err, ERR_CONFIG, "destination table %s already has existing rows", sql_name);
	return err_hint(err,
	    "TRUNCATE %s on the destination, or set do_initial_snapshot to false if"
	    " the rows are the source's",
	    sql_name);
}

bool
check_existing_table(const struct check *ck, const PeerdWorker__MirrorTable *t, const char *relid,
    const char *sql_name, struct err *err)
{
	struct existing x = { .ck = ck, .t = t, .sql_name = sql_name };
	PGresult *res = pgconn_query(ck->dst, err, columns_query, 1, relid);
	bool ok;

	if (res == NULL)
		return false;
	x.columns = res;
	ok = check_columns(&x, err);
	PQclear(res);
	return ok && check_empty(ck, sql_name, err);
}
