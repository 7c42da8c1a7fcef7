#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pgtxn.h"
#include "lib/sink/pg_ddl_int.h"
#include "lib/sink/pg_dest_int.h"
#include "lib/types/ident.h"

/*
 * The end of a resync: in one transaction, every table is dropped and the one
 * that was loaded beside it takes its name. Rows that are flagged as deleted
 * are not in the source any more and come with no load: they are carried over.
 */

#define DEPENDENT_OBJECTS "2BP01"

static void
add_loaded_name(struct buf *sql, const PeerdWorker__MirrorTable *t)
{
	struct buf name;

	buf_init(&name, 4 * KIB);
	buf_printf(&name, "%s" RESYNC_SUFFIX, t->destination_name);
	pgconn_qualified(sql, t->destination_schema, buf_str(&name));
	buf_done(&name);
}

/* ---- rows flagged as deleted */

/*
 * Columns that both have, quoted; NULL unless the flag and the key are among
 * them, as when there is no old table.
 */
static const char common_query[] =
    "SELECT CASE WHEN bool_or(n.attname = $3) AND %s <@ array_agg(n.attname::text)"
    " THEN string_agg(quote_ident(n.attname), ', ') END"
    " FROM pg_attribute n JOIN pg_attribute o ON o.attname = n.attname"
    " AND o.atttypid = n.atttypid"
    " WHERE n.attrelid = to_regclass($1) AND o.attrelid = to_regclass($2)"
    " AND n.attnum > 0 AND n.attgenerated = ''";

static bool
find_common(struct pgconn *c, const char *old, const char *loaded, const char *flag,
    const PeerdWorker__MirrorTable *t, PGresult **res_r, struct err *err)
{
	struct buf keys, query;

	buf_init(&keys, PG_DDL_SQL_MAX);
	buf_init(&query, PG_DDL_SQL_MAX);
	pg_ddl_sql_key_array(&keys, t);
	buf_printf(&query, common_query, buf_str(&keys));
	*res_r = pgconn_query(c, err, buf_str(&query), 3, loaded, old, flag);
	buf_done(&keys);
	buf_done(&query);
	return *res_r != NULL;
}

static void
carry_sql(struct buf *sql, const char *old, const char *loaded, const char *flag,
    const PeerdWorker__MirrorTable *t, const char *columns)
{
	buf_printf(sql, "INSERT INTO %s (%s) SELECT %s FROM %s o WHERE o.", loaded, columns,
	    columns, old);
	pgconn_ident(sql, flag);
	buf_printf(sql, " AND NOT EXISTS (SELECT FROM %s n WHERE true", loaded);
	for (size_t i = 0; i < t->n_columns; i++) {
		if (t->columns[i]->key_position == 0)
			continue;
		buf_str_add(sql, " AND n.");
		pgconn_ident(sql, t->columns[i]->destination_name);
		buf_str_add(sql, " = o.");
		pgconn_ident(sql, t->columns[i]->destination_name);
	}
	buf_char(sql, ')');
}

static bool
carry_deleted(struct pgconn *c, const char *old, const char *loaded, const char *flag,
    const PeerdWorker__MirrorTable *t, struct err *err)
{
	struct buf sql;
	PGresult *res;
	bool ok = true;

	if (flag[0] == '\0' || !t->has_key)
		return true;
	if (!find_common(c, old, loaded, flag, t, &res, err))
		return false;
	if (!PQgetisnull(res, 0, 0)) {
		buf_init(&sql, PG_DDL_SQL_MAX);
		carry_sql(&sql, old, loaded, flag, t, pgcell(res, 0, 0));
		ok = pgconn_run_buf(c, &sql, err);
	}
	PQclear(res);
	return ok;
}

/* ---- names */

/* Names that the server made of the table's are made anew, where they are free. */
static const char index_query[] =
    "SELECT format('ALTER INDEX %I.%I RENAME TO %I', $1, name, wanted) FROM ("
    " SELECT x.relname AS name, $2 || substr(x.relname, length($2 || $3) + 1) AS wanted"
    " FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid"
    " JOIN pg_class r ON r.oid = i.indrelid JOIN pg_namespace s ON s.oid = r.relnamespace"
    " WHERE s.nspname = $1 AND r.relname = $2 AND starts_with(x.relname, $2 || $3)) i"
    " WHERE NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace"
    " WHERE s.nspname = $1 AND c.relname = wanted)";

static bool
rename_indexes(struct pgconn *c, const PeerdWorker__MirrorTable *t, struct err *err)
{
	PGresult *res = pgconn_query(c, err, index_query, 3, t->destination_schema,
	    t->destination_name, RESYNC_SUFFIX);
	bool ok = res != NULL;

	for (int i = 0; ok && i < PQntuples(res); i++)
		ok = pgconn_run(c, err, "%s", pgcell(res, i, 0));
	PQclear(res);
	return ok;
}

static bool
drop_table(struct pgconn *c, const char *name, struct err *err)
{
	if (pgconn_run(c, err, "DROP TABLE IF EXISTS %s", name))
		return true;
	if (strcmp(err->sqlstate, DEPENDENT_OBJECTS) == 0) {
		err->code = ERR_CONFIG;
		err_hint(err, "drop what depends on the table, then resume the mirror");
	}
	return false;
}

static bool
rename_loaded(struct pgconn *c, const char *loaded, const PeerdWorker__MirrorTable *t,
    struct err *err)
{
	struct buf sql;

	buf_init(&sql, 4 * KIB);
	buf_printf(&sql, "ALTER TABLE %s RENAME TO ", loaded);
	pgconn_ident(&sql, t->destination_name);
	return pgconn_run_buf(c, &sql, err) && rename_indexes(c, t, err);
}

static bool
swap_one(struct pgconn *c, const char *flag, const PeerdWorker__MirrorTable *t, struct err *err)
{
	struct buf old, loaded;
	bool ok;

	buf_init(&old, 4 * KIB);
	buf_init(&loaded, 4 * KIB);
	pgconn_qualified(&old, t->destination_schema, t->destination_name);
	add_loaded_name(&loaded, t);
	ok = carry_deleted(c, buf_str(&old), buf_str(&loaded), flag, t, err) &&
	    drop_table(c, buf_str(&old), err) && rename_loaded(c, buf_str(&loaded), t, err);
	if (!ok)
		err_context(err, "swapping in %s", buf_str(&loaded));
	buf_done(&old);
	buf_done(&loaded);
	return ok;
}

bool
pg_swap(struct pgconn *c, const PeerdbFlow__FlowConnectionConfigs *mirror,
    struct dest_tables tables, struct err *err)
{
	struct pgtxn txn;
	bool ok = true;

	if (!pgtxn_begin(&txn, c, err))
		return false;
	for (size_t i = 0; ok && i < tables.n; i++)
		ok = swap_one(c, mirror->soft_delete_col_name, tables.v[i], err);
	return pgtxn_end(&txn, ok, err);
}

bool
pg_discard(struct pgconn *c, const struct table_ident *name, struct err *err)
{
	struct buf sql;
	bool ok;

	buf_init(&sql, 4 * KIB);
	pgconn_qualified(&sql, name->schema, name->name);
	ok = drop_table(c, buf_str(&sql), err);
	buf_done(&sql);
	return ok;
}
