#include "lib/conn/pgtypes.h"

#include <inttypes.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pgtxn.h"
#include "lib/conn/pgtypes_int.h"

/* ---- schemas, collations */

static bool
exists(struct pgconn *c, const char *query, const char *name, bool *yes_r, struct err *err)
{
	PGresult *res = pgconn_query(c, err, query, 1, name);

	if (res == NULL)
		return false;
	*yes_r = PQntuples(res) > 0;
	PQclear(res);
	return true;
}

bool
pgtypes_has_collation(struct pgconn *c, const char *qualified, bool *yes_r, struct err *err)
{
	return exists(c,
	    "SELECT 1 FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace"
	    " WHERE quote_ident(n.nspname) || '.' || quote_ident(c.collname) = $1 AND "
	    "c.collencoding"
	    " IN (-1, (SELECT encoding FROM pg_database WHERE datname = current_database()))",
	    qualified, yes_r, err);
}

bool
pgtypes_make_schema(struct pgconn *c, const char *schema, struct err *err)
{
	struct buf sql;
	bool there;

	if (!exists(c, "SELECT 1 FROM pg_namespace WHERE nspname = $1", schema, &there, err))
		return false;
	if (there)
		return true;
	buf_init(&sql, KIB);
	buf_str_add(&sql, "CREATE SCHEMA IF NOT EXISTS ");
	pgconn_ident(&sql, schema);
	if (pgconn_run_buf(c, &sql, err))
		return true;
	err_context(err, "could not create schema \"%s\" on the destination", schema);
	if (err->code != ERR_CONFIG)
		return false;
	return err_hint(err,
	    "create the schema on the destination yourself, or let the peer's user"
	    " do so: GRANT CREATE ON DATABASE");
}

/* ---- one type */

/*
 * An array depends on its element by pg_type.typarray alone (other types have
 * elements too), a multirange on its range; a composite of an extension is
 * known to pg_depend by its relation.
 */
static const char type_query[] =
    "SELECT t.typtype, n.nspname, t.typname,"
    " CASE WHEN e.typarray = t.oid THEN e.oid WHEN t.typbasetype <> 0 THEN t.typbasetype"
    "  ELSE coalesce(%s, 0) END,"
    " t.typrelid, coalesce(c.relkind, 'c') <> 'c', x.extname, xn.nspname"
    " FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace"
    " LEFT JOIN pg_type e ON e.oid = t.typelem"
    " LEFT JOIN pg_class c ON c.oid = t.typrelid"
    " LEFT JOIN pg_depend d ON d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass"
    "  AND (d.classid = 'pg_type'::regclass AND d.objid = t.oid"
    "   OR d.classid = 'pg_class'::regclass AND d.objid = t.typrelid)"
    " LEFT JOIN pg_extension x ON x.oid = d.refobjid"
    " LEFT JOIN pg_namespace xn ON xn.oid = x.extnamespace"
    " WHERE t.oid = $1::oid";

static bool
load_type(struct pgtypes_walk *w, uint32_t oid, struct pgtype *t_r, struct err *err)
{
	char query[sizeof(type_query) + 128], text[16];
	PGresult *res;
	bool ok = true;

	snprintf(query, sizeof(query), type_query,
	    pgconn_version(w->src) >= 140000
		? "(SELECT rngtypid FROM pg_range WHERE rngmultitypid = t.oid)"
		: "NULL::oid");
	snprintf(text, sizeof(text), "%" PRIu32, oid);
	res = pgconn_query(w->src, err, query, 1, text);
	if (res == NULL)
		return false;
	if (PQntuples(res) != 1)
		ok = err_set(err, ERR_TRANSIENT, "type %" PRIu32 " vanished from the source", oid);
	else
		*t_r = (struct pgtype){
			.oid = oid,
			.kind = pgcell(res, 0, 0)[0],
			.schema = arena_strdup(w->a, pgcell(res, 0, 1)),
			.name = arena_strdup(w->a, pgcell(res, 0, 2)),
			.part = (uint32_t)pgcell_i64(res, 0, 3),
			.relid = (uint32_t)pgcell_i64(res, 0, 4),
			.of_table = pgcell_bool(res, 0, 5),
			.extension = arena_strdup(w->a, pgcell(res, 0, 6)),
			.extension_schema = arena_strdup(w->a, pgcell(res, 0, 7)),
		};
	PQclear(res);
	return ok;
}

/* Base types are code in the server: none can be made from here. */
static bool
refuse_base(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	(void)w;
	err_set(err, ERR_CONFIG, "a base type cannot be copied to the destination");
	return err_hint(err,
	    "create the type \"%s\".\"%s\" on the destination, or exclude the column", t->schema,
	    t->name);
}

static const struct {
	char kind;
	bool (*make)(struct pgtypes_walk *, const struct pgtype *, struct err *);
} makers[] = {
	{ 'b', refuse_base },
	{ 'c', pgtypes_make_composite },
	{ 'd', pgtypes_make_domain },
	{ 'e', pgtypes_make_enum },
	{ 'r', pgtypes_make_range },
};

static bool
make_type(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	size_t i;

	if (t->extension[0] != '\0')
		return pgtypes_make_extension(w, t, err);
	if (t->part != 0 && !pgtypes_ensure(w, t->part, err))
		return false;
	if (t->part != 0 && t->kind != 'd')
		return true; /* an array or multirange comes with its part */
	for (i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		if (makers[i].kind == t->kind)
			return makers[i].make(w, t, err);
	return err_set(err, ERR_CONFIG, "a type of kind '%c' cannot be copied", t->kind);
}

static bool
seen_before(struct pgtypes_walk *w, uint32_t oid)
{
	size_t i;

	for (i = 0; i < w->nseen; i++)
		if (w->seen[i] == oid)
			return true;
	if (w->nseen == w->seen_room) {
		w->seen_room = w->seen_room * 2 + 16;
		w->seen = xrealloc(w->seen, w->seen_room * sizeof(*w->seen));
	}
	w->seen[w->nseen++] = oid;
	return false;
}

bool
pgtypes_ensure(struct pgtypes_walk *w, uint32_t oid, struct err *err)
{
	struct pgtype t;

	if (oid < PGTYPES_FIRST_USER_OID || seen_before(w, oid))
		return true;
	if (!load_type(w, oid, &t, err))
		return false;
	return make_type(w, &t, err) || err_context(err, "type \"%s\".\"%s\"", t.schema, t.name);
}

/* ---- columns */

static bool
copy_column(struct pgtypes_walk *w, const PeerdWorker__MirrorTable *table,
    const PeerdWorker__Column *column, struct err *err)
{
	return pgtypes_ensure(w, column->type_oid, err) ||
	    err_context(err, "column \"%s\" of %s.%s", column->name, table->source_schema,
		table->source_name);
}

static bool
copy_table(struct pgtypes_walk *w, const PeerdWorker__MirrorTable *table, struct err *err)
{
	size_t i;

	for (i = 0; i < table->n_columns; i++)
		if (!copy_column(w, table, table->columns[i], err))
			return false;
	return true;
}

static void
walk_init(struct pgtypes_walk *w, struct pgconn *src, struct pgconn *dst,
    PeerdWorker__MirrorTable *const *tables, size_t ntables)
{
	*w = (struct pgtypes_walk){ .src = src,
		.dst = dst,
		.tables = tables,
		.ntables = ntables,
		.a = arena_new(4 * KIB) };
}

static void
walk_done(struct pgtypes_walk *w)
{
	arena_free(&w->a);
	MEM_FREE(w->seen);
}

bool
pgtypes_copy(struct pgconn *src, struct pgconn *dst, PeerdWorker__MirrorTable *const *tables,
    size_t ntables, struct err *err)
{
	struct pgtypes_walk w;
	struct pgtxn txn;
	size_t i;
	bool ok;

	if (!pgtxn_begin_ddl(&txn, dst, err))
		return false;
	walk_init(&w, src, dst, tables, ntables);
	ok = true;
	for (i = 0; ok && i < ntables; i++)
		ok = copy_table(&w, tables[i], err);
	walk_done(&w);
	return pgtxn_end(&txn, ok, err);
}
