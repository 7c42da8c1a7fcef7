#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "lib/sink/ch_dest_int.h"
#include "lib/types/ident.h"

/* ---- names */

bool
ch_dest_check_name(const struct table_ident *name, struct err *err)
{
	if (name->schema[0] != '\0' || strcmp(name->name, CH_META_TABLE) != 0)
		return true;
	err_set(err, ERR_CONFIG, "table \"" CH_META_TABLE "\" is where peerd keeps its own books");
	return err_hint(err, "choose another destination_table_identifier");
}

/* "a.b".c and a."b.c" are one name here. */
static bool
check_distinct(const struct ch_table *const *tables, size_t n, struct err *err)
{
	size_t i, j;

	for (i = 1; i < n; i++)
		for (j = 0; j < i; j++)
			if (strcmp(tables[i]->name, tables[j]->name) == 0)
				return err_set(err, ERR_CONFIG,
				    "%s and %s are both mapped to table \"%s\"",
				    tables[j]->t->source_label, tables[i]->t->source_label,
				    tables[i]->name);
	return true;
}

/* ---- a table that is there */

static bool
is_view(const char *engine)
{
	return strcmp(engine, "View") == 0 || strcmp(engine, "MaterializedView") == 0 ||
	    strcmp(engine, "LiveView") == 0 || strcmp(engine, "WindowView") == 0;
}

static bool
refuse_view(const struct ch_table *ct, const char *engine, struct err *err)
{
	err_set(err, ERR_CONFIG, "\"%s\" in ClickHouse is a %s and cannot be written to", ct->name,
	    engine);
	return err_hint(err, "choose another destination_table_identifier");
}

static bool
check_empty(struct ch_side *s, struct arena *a, const struct ch_table *ct, struct err *err)
{
	struct ch_rows rows;
	struct buf sql;
	bool ok;

	buf_init(&sql, MIB);
	buf_str_add(&sql, "SELECT 1 FROM ");
	ch_ddl_name(ct, "", &sql);
	buf_str_add(&sql, " LIMIT 1");
	ok = chclient_query(s->c, a, buf_str(&sql), &rows, err);
	buf_done(&sql);
	if (!ok || rows.nrows == 0)
		return ok;
	err_set(err, ERR_CONFIG, "table \"%s\" in ClickHouse already has existing rows", ct->name);
	return err_hint(err,
	    "truncate it, set do_initial_snapshot to false if the rows are the source's, or"
	    " PEERDB_CLICKHOUSE_INITIAL_LOAD_ALLOW_NON_EMPTY_TABLES in the mirror's env to true to"
	    " load beside them");
}

static bool
check_found(struct ch_side *s, struct arena *a, struct ch_table *ct,
    const struct ch_found_table *found, bool again, struct err *err)
{
	bool may_have_rows = !s->mirror->do_initial_snapshot || s->opt.keep_rows || again;

	if (is_view(found->engine))
		return refuse_view(ct, found->engine, err);
	return ch_ddl_check(ct, found, err) && (may_have_rows || check_empty(s, a, ct, err));
}

/* ---- a table that is to be made */

/* A row of the columns' defaults, for the expression to be tried on. */
static void
add_sample(const struct ch_table *ct, struct buf *sql)
{
	char type[CH_TYPE_TEXT_MAX];
	uint16_t i;

	for (i = 0; i < ct->t->ncols; i++) {
		buf_printf(sql, "%sCAST([], 'Array(%s)')[1] AS ", i > 0 ? ", " : "",
		    ch_type_format(&ct->cols[i].type, type));
		ch_quote_name(sql, ct->cols[i].name);
	}
}

static bool
check_partition_by(struct ch_side *s, struct arena *a, const struct ch_table *ct, struct err *err)
{
	const char *expr = ct->map->partition_by_expr;
	struct err why = ERR_INIT;
	struct ch_rows rows;
	struct buf sql;
	bool ok;

	if (expr == NULL || expr[0] == '\0')
		return true;
	buf_init(&sql, MIB);
	buf_printf(&sql, "SELECT (%s) FROM (SELECT ", expr);
	add_sample(ct, &sql);
	buf_char(&sql, ')');
	ok = chclient_query(s->c, a, buf_str(&sql), &rows, &why);
	buf_done(&sql);
	if (ok || err_policy(why.code) == ERR_POLICY_RETRY)
		return ok || (*err = why, false);
	err_set(err, ERR_CONFIG, "invalid partition expression (%s) for table %s: %s", expr,
	    ct->name, why.msg);
	return err_hint(err, "mend partition_by_expr of the table's mapping");
}

/* The statement is thrown away; what stands in its way is not. */
static bool
check_creatable(struct ch_side *s, struct arena *a, const struct ch_table *ct, struct err *err)
{
	struct ch_statements ignored;

	return ch_ddl_create(ct, "", CH_CREATE_IF_MISSING, a, &ignored, err) &&
	    check_partition_by(s, a, ct, err);
}

/* ---- a resync */

static bool
refuse_foreign(const struct ch_table *ct, struct err *err)
{
	err_set(err, ERR_CONFIG, "table \"%s\" in ClickHouse is not of the mirror's making",
	    ct->name);
	return err_hint(err,
	    "rename or drop it: a resync loads a table under this name before it is swapped in");
}

/* What an earlier attempt left is gone by now. */
static bool
check_loaded(struct ch_side *s, struct arena *a, const struct ch_table *ct,
    const struct ch_found_table *found, struct err *err)
{
	const struct ch_found_table *replaced;
	struct ch_table *own;

	if (found != NULL)
		return refuse_foreign(ct, err);
	if (!ch_side_replaced(s, a, ct, &own, &replaced, err))
		return false;
	if (replaced != NULL && is_view(replaced->engine))
		return refuse_view(own, replaced->engine, err);
	return check_creatable(s, a, ct, err);
}

/* ---- all */

static bool
check_table(struct ch_side *s, struct arena *a, struct ch_table *ct, bool again, struct err *err)
{
	const struct ch_found_table *found;

	if (!ch_side_find(s, a, ct, &found, err))
		return false;
	if (s->mirror->resync)
		return check_loaded(s, a, ct, found, err);
	return found != NULL ? check_found(s, a, ct, found, again, err)
			     : check_creatable(s, a, ct, err);
}

bool
ch_dest_check_tables(struct ch_side *s, struct dest_tables tables, bool again, struct err *err)
{
	struct arena *a = arena_new(64 * KIB);
	const struct ch_table **made = arena_zalloc(a, (tables.n + 1) * sizeof(*made));
	struct ch_table *ct;
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < tables.n; i++) {
		ok = ch_side_table(s, a, table_new(a, (uint32_t)i, tables.v[i]), &ct, err) &&
		    check_table(s, a, ct, again, err);
		made[i] = ok ? ct : NULL;
	}
	ok = ok && check_distinct(made, tables.n, err);
	arena_free(&a);
	return ok;
}
