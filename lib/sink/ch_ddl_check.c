/*
 * A table that was there before the mirror: may it be written to?
 */
#include <ctype.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "lib/sink/ch_ddl.h"

#define COMPLAINTS_MAX (ERR_MSG_MAX - 256)

/* ---- questions to the server */

static void
add_where(const struct ch_table *ct, const char *name_column, struct buf *sql)
{
	buf_str_add(sql, " WHERE database = ");
	ch_quote_text(sql, ct->place.database);
	buf_printf(sql, " AND %s = ", name_column);
	ch_quote_text(sql, ct->name);
}

static const char *
query(const struct ch_table *ct, const char *select, const char *name_column, const char *tail,
    struct arena *a)
{
	const char *text;
	struct buf sql;

	buf_init(&sql, 16 * KIB);
	buf_str_add(&sql, select);
	add_where(ct, name_column, &sql);
	buf_str_add(&sql, tail);
	text = arena_strndup(a, buf_str(&sql), sql.n);
	buf_done(&sql);
	return text;
}

const char *
ch_ddl_table_query(const struct ch_table *ct, struct arena *a)
{
	return query(ct, "SELECT engine, engine_full, sorting_key FROM system.tables", "name", "",
	    a);
}

const char *
ch_ddl_columns_query(const struct ch_table *ct, struct arena *a)
{
	/* in the order of the table, which system.columns keeps */
	return query(ct, "SELECT name, type, default_kind FROM system.columns", "table", "", a);
}

/* ---- complaints: all of them, one after the other */

struct check {
	struct ch_table *ct;
	const struct ch_found_table *found;
	struct buf words;
};

static void complain(struct check *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
complain(struct check *k, const char *fmt, ...)
{
	va_list ap;

	if (k->words.n > 0)
		buf_str_add(&k->words, "; ");
	va_start(ap, fmt);
	buf_vprintf(&k->words, fmt, ap);
	va_end(ap);
}

static const struct ch_found_column *
find_column(const struct check *k, const char *name)
{
	for (unsigned i = 0; i < k->found->ncols; i++)
		if (strcmp(k->found->cols[i].name, name) == 0)
			return &k->found->cols[i];
	return NULL;
}

/* Can it be inserted into? Gives NULL, with words, if not. */
static const struct ch_found_column *
writable_column(struct check *k, const char *name, const char *type)
{
	const struct ch_found_column *f = find_column(k, name);

	if (f == NULL) {
		complain(k, "column \"%s\" %s is missing", name, type);
		return NULL;
	}
	if (strcmp(f->default_kind, "MATERIALIZED") == 0 || strcmp(f->default_kind, "ALIAS") == 0) {
		complain(k, "column \"%s\" is %s, so nothing can be inserted into it", name,
		    f->default_kind);
		return NULL;
	}
	return f;
}

static void
check_column(struct check *k, struct ch_column *c)
{
	char wanted[CH_TYPE_TEXT_MAX];
	const struct ch_found_column *f;
	struct err why = ERR_INIT;

	ch_type_format(&c->type, wanted);
	f = writable_column(k, c->name, wanted);
	if (f != NULL && !ch_column_bind(c, f->type, &why))
		complain(k, "column \"%s\" is %s, which does not hold %s; %s does", c->name,
		    f->type, c->def->type_name, wanted);
}

static void
check_own_column(struct check *k, const char *name, const char *type)
{
	const struct ch_found_column *f = writable_column(k, name, type);

	if (f != NULL && strcmp(f->type, type) != 0 && strcmp(f->type, "Bool") != 0 &&
	    strcmp(f->type, "LowCardinality(String)") != 0)
		complain(k, "column \"%s\" is %s instead of %s", name, f->type, type);
}

static void
check_columns(struct check *k)
{
	uint16_t i;

	for (i = 0; i < k->ct->t->ncols; i++)
		check_column(k, &k->ct->cols[i]);
	check_own_column(k, k->ct->deleted_column, "UInt8");
	check_own_column(k, CH_VERSION_COLUMN, "UInt64");
	if (k->ct->schema_column != NULL)
		check_own_column(k, k->ct->schema_column, "String");
}

/* ---- engine and order */

/* ReplacingMergeTree, also as Replicated... and Shared... */
static bool
is_engine(const char *engine, const char *name)
{
	size_t n = strlen(engine), m = strlen(name);

	if (n < m || strcmp(engine + n - m, name) != 0)
		return false;
	n -= m;
	return n == 0 || strncmp(engine, "Replicated", n) == 0 || strncmp(engine, "Shared", n) == 0;
}

static bool
keeps_versions(const struct ch_table *ct)
{
	return ct->engine == PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLACING_MERGE_TREE ||
	    ct->engine == PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLICATED_REPLACING_MERGE_TREE;
}

static void
check_engine(struct check *k)
{
	const char *engine = k->found->engine, *full = k->found->engine_full;

	if (!keeps_versions(k->ct) || is_engine(engine, "Distributed") || is_engine(engine, "Null"))
		return;
	if (!is_engine(engine, "ReplacingMergeTree"))
		complain(k,
		    "its engine is %s, which would keep every version of a row; "
		    "ReplacingMergeTree(" CH_VERSION_COLUMN ") keeps the last",
		    engine);
	else if (full[0] != '\0' && strstr(full, CH_VERSION_COLUMN) == NULL)
		complain(k,
		    "its engine %s does not go by " CH_VERSION_COLUMN
		    ", so an older version of a row could win",
		    engine);
}

/* Is the name one of the words of "a, b, toDate(c)"? Some servers keep "(a)" as it was written. */
static bool
orders_by(const char *sorting_key, const char *name)
{
	const char *first = sorting_key + (sorting_key[0] == '('), *p;
	size_t n = strlen(name);

	for (p = first; (p = strstr(p, name)) != NULL; p++)
		if ((p == first || p[-1] == ' ' || p[-1] == '`') &&
		    (p[n] == '\0' || p[n] == ',' || p[n] == '`' ||
			(first > sorting_key && p[n] == ')' && p[n + 1] == '\0')))
			return true;
	return false;
}

/* A name that needs it stands there quoted. */
static bool
orders_by_quoted(const char *sorting_key, const char *name)
{
	struct buf quoted;
	bool found;

	buf_init(&quoted, KIB);
	ch_quote_name(&quoted, name);
	found = strstr(sorting_key, buf_str(&quoted)) != NULL;
	buf_done(&quoted);
	return found;
}

/* Rows of equal order become one, so all of the key must be in it. */
static void
check_order(struct check *k)
{
	const struct table *t = k->ct->t;
	const char *name;
	uint16_t i;

	if (!keeps_versions(k->ct) || !is_engine(k->found->engine, "ReplacingMergeTree"))
		return;
	for (i = 0; i < t->nkeys; i++) {
		name = k->ct->cols[t->keys[i]].name;
		if (!orders_by(k->found->sorting_key, name) &&
		    !orders_by_quoted(k->found->sorting_key, name))
			complain(k,
			    "column \"%s\" of the key is not in its ORDER BY (%s), so different "
			    "rows would become one",
			    name, k->found->sorting_key);
	}
}

bool
ch_ddl_check(struct ch_table *ct, const struct ch_found_table *found, struct err *err)
{
	struct check k = { .ct = ct, .found = found };
	bool ok;

	buf_init(&k.words, COMPLAINTS_MAX);
	check_engine(&k);
	check_order(&k);
	check_columns(&k);
	ok = k.words.n == 0;
	if (!ok) {
		err_set(err, ERR_CONFIG, "table \"%s\" in ClickHouse does not suit %s: %s",
		    ct->name, ct->t->source_label, buf_str(&k.words));
		err_hint(err, "change it, drop it so that it is created, or map %s to another name",
		    ct->t->source_label);
	}
	buf_done(&k.words);
	return ok;
}
