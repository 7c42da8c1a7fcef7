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
 * that was loaded beside it takes its name, its owner and its grants. Rows that
 * are flagged as deleted are not in the source any more and come with no load:
 * they are carried over.
 *
 * Which tables peerd made is remembered (peerd_created_tables): another one that
 * happens to have a name that we need is never dropped.
 */

#define DEPENDENT_OBJECTS  "2BP01"
#define LOCK_NOT_AVAILABLE "55P03"
#define SUFFIX_LEN	   (sizeof(RESYNC_SUFFIX) - 1)

static void
add_loaded_name(struct buf *sql, const PeerdWorker__MirrorTable *t)
{
	struct buf name;

	buf_init(&name, 4 * KIB);
	buf_printf(&name, "%s" RESYNC_SUFFIX, t->destination_name);
	pgconn_qualified(sql, t->destination_schema, buf_str(&name));
	buf_done(&name);
}

static void
add_created_tables(struct buf *sql, const char *meta)
{
	buf_init(sql, 4 * KIB);
	pgconn_qualified(sql, meta, "peerd_created_tables");
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
run_all(struct pgconn *c, const PGresult *statements, struct err *err)
{
	for (int i = 0; i < PQntuples(statements); i++)
		if (!pgconn_run(c, err, "%s", pgcell(statements, i, 0)))
			return false;
	return true;
}

static bool
rename_indexes(struct pgconn *c, const PeerdWorker__MirrorTable *t, struct err *err)
{
	PGresult *res = pgconn_query(c, err, index_query, 3, t->destination_schema,
	    t->destination_name, RESYNC_SUFFIX);
	bool ok = res != NULL && run_all(c, res, err);

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
		err_hint(err,
		    "drop what depends on the table, then resume the mirror; make it again when"
		    " the mirror runs");
	}
	return false;
}

/* ---- owner, grants, comment */

/* Statements that give the table called $3 what the one called $1 has; $2 will be called $3. */
static const char rights_query[] =
    "WITH o AS (SELECT * FROM pg_class WHERE oid = to_regclass($1)),"
    " n AS (SELECT * FROM pg_class WHERE oid = to_regclass($2)),"
    " g AS (SELECT '' AS columns, a.* FROM o, aclexplode(o.relacl) a UNION ALL"
    "  SELECT format(' (%I)', c.attname), a.* FROM o JOIN pg_attribute c ON c.attrelid = o.oid"
    "  JOIN pg_attribute d ON d.attname = c.attname, n, aclexplode(c.attacl) a"
    "  WHERE d.attrelid = n.oid AND NOT c.attisdropped)"
    " SELECT format('GRANT %s%s ON TABLE %s TO %s%s', privilege_type, columns, $3::text,"
    "  CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,"
    "  CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), 1 FROM g, o"
    "  WHERE grantee <> o.relowner"
    " UNION ALL SELECT format('COMMENT ON TABLE %s IS %L', $3::text, obj_description(oid,"
    "  'pg_class')), 2 FROM o WHERE obj_description(oid, 'pg_class') IS NOT NULL"
    " UNION ALL SELECT format('ALTER TABLE %s OWNER TO %I', $3::text,"
    "  pg_get_userbyid(o.relowner)), 3 FROM o, n WHERE o.relowner <> n.relowner"
    " ORDER BY 2, 1";

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

/* What was loaded is from now on what we made of this name. */
static bool
remember_swap(struct pgconn *c, const char *created_tables, const char *mirror,
    const PeerdWorker__MirrorTable *t, struct err *err)
{
	struct buf sql;
	PGresult *res;

	buf_init(&sql, 4 * KIB);
	buf_printf(&sql,
	    "WITH gone AS (DELETE FROM %s WHERE mirror_name = $1 AND schema_name = $2"
	    " AND table_name = $3 || $4) INSERT INTO %s (mirror_name, schema_name, table_name)"
	    " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
	    created_tables, created_tables);
	res = pgconn_query(c, err, buf_str(&sql), 4, mirror, t->destination_schema,
	    t->destination_name, RESYNC_SUFFIX);
	buf_done(&sql);
	PQclear(res);
	return res != NULL;
}

static bool
replace_table(struct pgconn *c, const char *old, const char *loaded,
    const PeerdWorker__MirrorTable *t, struct err *err)
{
	PGresult *rights = pgconn_query(c, err, rights_query, 3, old, loaded, old);
	bool ok;

	ok = rights != NULL && drop_table(c, old, err) && rename_loaded(c, loaded, t, err) &&
	    run_all(c, rights, err);
	PQclear(rights);
	return ok;
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
	    replace_table(c, buf_str(&old), buf_str(&loaded), t, err);
	if (!ok)
		err_context(err, "swapping in %s", buf_str(&loaded));
	buf_done(&old);
	buf_done(&loaded);
	return ok;
}

bool
pg_swap(struct pgconn *c, const PeerdbFlow__FlowConnectionConfigs *mirror, const char *meta,
    struct dest_tables tables, struct err *err)
{
	struct buf created;
	struct pgtxn txn;
	bool ok = true;

	if (!pgtxn_begin(&txn, c, err))
		return false;
	add_created_tables(&created, meta);
	for (size_t i = 0; ok && i < tables.n; i++)
		ok = swap_one(c, mirror->soft_delete_col_name, tables.v[i], err) &&
		    remember_swap(c, buf_str(&created), mirror->flow_job_name, tables.v[i], err);
	buf_done(&created);
	return pgtxn_end(&txn, ok, err);
}

/* ---- what was left behind */

static bool
exists(struct pgconn *c, const char *name, bool *yes_r, struct err *err)
{
	PGresult *res = pgconn_query(c, err, "SELECT to_regclass($1) IS NOT NULL", 1, name);

	if (res == NULL)
		return false;
	*yes_r = pgcell_bool(res, 0, 0);
	PQclear(res);
	return true;
}

static bool
is_recorded(struct pgconn *c, const char *created_tables, const char *mirror,
    const struct table_ident *name, bool *yes_r, struct err *err)
{
	struct buf sql;
	PGresult *res;

	buf_init(&sql, 4 * KIB);
	buf_printf(&sql,
	    "SELECT 1 FROM %s WHERE mirror_name = $1 AND schema_name = $2 AND table_name = $3",
	    created_tables);
	res = pgconn_query(c, err, buf_str(&sql), 3, mirror, name->schema, name->name);
	buf_done(&sql);
	if (res == NULL)
		return false;
	*yes_r = PQntuples(res) > 0;
	PQclear(res);
	return true;
}

static bool
is_ours(struct pgconn *c, const char *meta, const char *mirror, const struct table_ident *name,
    bool *yes_r, struct err *err)
{
	struct buf created;
	bool kept, ok;

	*yes_r = false;
	add_created_tables(&created, meta);
	ok = exists(c, buf_str(&created), &kept, err) &&
	    (!kept || is_recorded(c, buf_str(&created), mirror, name, yes_r, err));
	buf_done(&created);
	return ok;
}

bool
pg_discard(struct pgconn *c, const char *meta, const char *mirror, const struct table_ident *name,
    struct err *err)
{
	struct buf sql;
	bool ours, ok;

	if (!is_ours(c, meta, mirror, name, &ours, err))
		return false;
	if (!ours)
		return true;
	buf_init(&sql, 4 * KIB);
	pgconn_qualified(&sql, name->schema, name->name);
	ok = drop_table(c, buf_str(&sql), err);
	buf_done(&sql);
	return ok;
}

/* ---- can it be replaced? */

static bool
check_plain(struct pgconn *c, const char *name, struct err *err)
{
	PGresult *res = pgconn_query(c, err,
	    "SELECT 1 FROM pg_class WHERE oid = to_regclass($1) AND (relkind = 'p' OR"
	    " relispartition)",
	    1, name);
	bool plain;

	if (res == NULL)
		return false;
	plain = PQntuples(res) == 0;
	PQclear(res);
	if (plain)
		return true;
	err_set(err, ERR_CONFIG, "destination table %s is partitioned, or a partition", name);
	return err_hint(err,
	    "a resync would put a plain table in its place: drop the mirror, empty the table and"
	    " create the mirror again");
}

/* The server knows best what stands in the way; whoever reads the table goes first. */
static bool
try_drop(struct pgconn *c, const char *name, struct err *err)
{
	struct err why = ERR_INIT;
	bool ok;

	if (!pgconn_run(c, err, "BEGIN; SET LOCAL lock_timeout = '500ms'"))
		return false;
	ok = drop_table(c, name, &why) || strcmp(why.sqlstate, LOCK_NOT_AVAILABLE) == 0;
	if (!ok)
		*err = why;
	return pgconn_run(c, ok ? err : &why, "ROLLBACK") && ok;
}

static bool
refuse_foreign(const PeerdWorker__MirrorTable *t, struct err *err)
{
	err_set(err, ERR_CONFIG, "destination table \"%s\".\"%s\" is not of the mirror's making",
	    t->destination_schema, t->destination_name);
	return err_hint(err,
	    "rename or drop it: a resync loads a table under this name before it is swapped in");
}

bool
pg_check_replaced(const struct pg_check *ck, const PeerdWorker__MirrorTable *t, bool there,
    struct err *err)
{
	size_t n = strlen(t->destination_name);
	char own[IDENT_MAX + 1];
	struct buf sql;
	bool ok;

	if (there)
		return refuse_foreign(t, err);
	if (n <= SUFFIX_LEN)
		return true;
	snprintf(own, sizeof(own), "%.*s", (int)(n - SUFFIX_LEN), t->destination_name);
	buf_init(&sql, 4 * KIB);
	pgconn_qualified(&sql, t->destination_schema, own);
	ok = check_plain(ck->dst, buf_str(&sql), err) && try_drop(ck->dst, buf_str(&sql), err);
	buf_done(&sql);
	return ok || err_context(err, "a resync replaces the table");
}
