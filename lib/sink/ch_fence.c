#include "lib/sink/ch_fence.h"

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"

#define PREFIX	"_peerd_load_"
#define SQL_MAX MIB

/* ---- names */

/* Attempts have no underscore in their name, mirrors may. */
static const char *
column_name(const struct ch_side *s, struct arena *a, const char *attempt)
{
	return arena_printf(a, PREFIX "%s_%s", attempt, s->mirror->flow_job_name);
}

static bool
is_ours(const struct ch_side *s, const char *column)
{
	const char *mirror;

	if (!str_starts(column, PREFIX))
		return false;
	mirror = strchr(column + strlen(PREFIX), '_');
	return mirror != NULL && strcmp(mirror + 1, s->mirror->flow_job_name) == 0;
}

static bool
is_fence(const struct ch_side *s, const struct ch_found_column *c)
{
	return strcmp(c->default_kind, "EPHEMERAL") == 0 && is_ours(s, c->name);
}

/* ---- may the table have one? */

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static bool
can_have(const struct ch_side *s, const struct ch_found_table *found)
{
	return found != NULL && chclient_caps(s->c)->ephemeral && s->peer->cluster[0] == '\0' &&
	    (ends_with(found->engine, "MergeTree") || strcmp(found->engine, "Null") == 0);
}

/* ---- statements */

/* One ALTER, so that there is always a fence. False: nothing to do. */
static bool
add_changes(const struct ch_side *s, const struct ch_found_table *found, const char *column,
    struct buf *sql)
{
	const char *before = " ";
	bool there = false;
	unsigned i;

	for (i = 0; i < found->ncols; i++) {
		if (!is_fence(s, &found->cols[i]))
			continue;
		if (strcmp(found->cols[i].name, column) == 0) {
			there = true;
			continue;
		}
		buf_printf(sql, "%sDROP COLUMN IF EXISTS ", before);
		ch_quote_name(sql, found->cols[i].name);
		before = ", ";
	}
	if (!there) {
		buf_printf(sql, "%sADD COLUMN IF NOT EXISTS ", before);
		ch_quote_name(sql, column);
		buf_str_add(sql, " UInt8 EPHEMERAL 0");
		before = ", ";
	}
	return before[0] == ',';
}

bool
ch_fence_raise(struct ch_side *s, struct arena *a, const struct ch_table *ct, const char *attempt,
    struct err *err)
{
	const struct ch_found_table *found;
	struct err why = ERR_INIT;
	struct buf sql;
	bool ok = true;

	if (!ch_side_find(s, a, ct, &found, err))
		return false;
	if (!can_have(s, found))
		return true;
	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql, "ALTER TABLE ");
	ch_ddl_name(ct, "", &sql);
	if (add_changes(s, found, column_name(s, a, attempt), &sql))
		ok = chclient_run(s->c, &why, "%s", buf_str(&sql));
	buf_done(&sql);
	if (ok || strcmp(why.sqlstate, "42501") == 0)
		return true;
	*err = why;
	return err_context(err, "table \"%s\" of the destination", ct->name);
}

bool
ch_fence_look(const struct ch_side *s, struct arena *a, const struct ch_found_table *found,
    const char *attempt, const char **column_r, struct err *err)
{
	const char *wanted = column_name(s, a, attempt), *column = NULL;
	unsigned i;

	for (i = 0; i < found->ncols; i++) {
		if (!is_fence(s, &found->cols[i]))
			continue;
		if (strcmp(found->cols[i].name, wanted) != 0)
			return err_set(err, ERR_TRANSIENT, CH_ANOTHER_ATTEMPT);
		column = wanted;
	}
	*column_r = column;
	return true;
}

bool
ch_fence_tells(const char *column, const struct err *err)
{
	return column != NULL && strcmp(err->sqlstate, "42703") == 0 &&
	    strstr(err->msg, column) != NULL;
}

static bool
drop_column(struct ch_side *s, const char *table, const char *column, struct err *err)
{
	struct buf sql;
	bool ok;

	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql, "ALTER TABLE ");
	ch_qualified(&sql, chclient_database(s->c), table);
	buf_str_add(&sql, " DROP COLUMN IF EXISTS ");
	ch_ident(&sql, column);
	ok = chclient_run(s->c, err, "%s", buf_str(&sql));
	buf_done(&sql);
	return ok || err_context(err, "table \"%s\" of the destination", table);
}

bool
ch_fence_lower(struct ch_side *s, const struct ch_table *ct, const char *column, struct err *err)
{
	return column == NULL || drop_column(s, ct->name, column, err);
}

/* ---- all tables of the database, whichever the mirror had */

static bool
find_all(struct ch_side *s, struct arena *a, struct ch_rows *rows_r, struct err *err)
{
	struct buf sql;
	bool ok;

	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql,
	    "SELECT table, name FROM system.columns WHERE default_kind = 'EPHEMERAL' AND"
	    " database = ");
	ch_literal(&sql, slice_str(chclient_database(s->c)));
	ok = chclient_query(s->c, a, buf_str(&sql), rows_r, err);
	buf_done(&sql);
	return ok;
}

bool
ch_fence_forget(struct ch_side *s, struct err *err)
{
	struct arena *a;
	struct ch_rows rows;
	const char *column;
	bool ok;

	if (!chclient_caps(s->c)->ephemeral)
		return true;
	a = arena_new(16 * KIB);
	ok = find_all(s, a, &rows, err);
	for (size_t i = 0; ok && i < rows.nrows; i++) {
		column = ch_cell_str(&rows, i, 1);
		ok = !is_ours(s, column) || drop_column(s, ch_cell_str(&rows, i, 0), column, err);
	}
	arena_free(&a);
	return ok;
}
