#include "lib/conn/pgtypes_int.h"

#include <inttypes.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/conn/pgconn.h"

/* An enum of 10,000 labels of full length is 1.3 MiB. */
#define SQL_MAX (4 * MIB)

/* ---- looking */

/* All cells of a query about one object, row by row; NULL reads "". */
static bool
query_list(struct pgtypes_walk *w, struct pgconn *c, const char *query, uint32_t oid,
    struct pgtypes_list *l_r, struct err *err)
{
	struct pgtypes_list l;
	PGresult *res;
	char text[16];
	int row, col, ncols;

	snprintf(text, sizeof(text), "%" PRIu32, oid);
	res = pgconn_query(c, err, query, 1, text);
	if (res == NULL)
		return false;
	ncols = PQnfields(res);
	l.n = (size_t)PQntuples(res) * (size_t)ncols;
	l.v = arena_alloc(w->a, l.n * sizeof(*l.v) + 1);
	for (row = 0; row < PQntuples(res); row++)
		for (col = 0; col < ncols; col++)
			l.v[row * ncols + col] = arena_strdup(w->a, pgcell(res, row, col));
	PQclear(res);
	*l_r = l;
	return true;
}

/* The same for an object that must be there: at least one row. */
static bool
query_row(struct pgtypes_walk *w, const char *query, uint32_t oid, struct pgtypes_list *l_r,
    struct err *err)
{
	if (!query_list(w, w->src, query, oid, l_r, err))
		return false;
	return l_r->n > 0 || err_set(err, ERR_TRANSIENT, "the type vanished from the source");
}

/* What stands on the destination under the type's name. */
struct found {
	uint32_t oid; /* 0: nothing */
	uint32_t relid;
	char kind;
};

static bool
look_up(struct pgtypes_walk *w, const struct pgtype *t, struct found *f_r, struct err *err)
{
	PGresult *res;

	res = pgconn_query(w->dst, err,
	    "SELECT t.oid, t.typrelid, t.typtype FROM pg_type t JOIN pg_namespace n"
	    " ON n.oid = t.typnamespace WHERE n.nspname = $1 AND t.typname = $2",
	    2, t->schema, t->name);
	if (res == NULL)
		return false;
	*f_r = (struct found){ .oid = 0 };
	if (PQntuples(res) > 0)
		*f_r = (struct found){
			.oid = (uint32_t)pgcell_i64(res, 0, 0),
			.relid = (uint32_t)pgcell_i64(res, 0, 1),
			.kind = pgcell(res, 0, 2)[0],
		};
	PQclear(res);
	return true;
}

static bool
look_for_kind(struct pgtypes_walk *w, const struct pgtype *t, struct found *f_r, struct err *err)
{
	if (!look_up(w, t, f_r, err))
		return false;
	if (f_r->oid == 0 || f_r->kind == t->kind)
		return true;
	err_set(err, ERR_CONFIG, "the destination has another kind of type under this name");
	return err_hint(err, "drop or rename the type \"%s\".\"%s\" of the destination", t->schema,
	    t->name);
}

/* The destination's collation of that name, or "" where it has none: values stay the same. */
static bool
usable_collation(struct pgtypes_walk *w, const char **collation, struct err *err)
{
	bool there = true;

	if ((*collation)[0] != '\0' && !pgtypes_has_collation(w->dst, *collation, &there, err))
		return false;
	if (!there)
		*collation = "";
	return true;
}

/* ---- doing */

static bool
create(struct pgtypes_walk *w, const struct pgtype *t, struct buf *sql, struct err *err)
{
	if (!pgtypes_make_schema(w->dst, t->schema, err)) {
		buf_done(sql);
		return false;
	}
	if (pgconn_run_buf(w->dst, sql, err))
		return true;
	err_context(err, "could not create the type on the destination");
	if (err->code != ERR_CONFIG || err->hint[0] != '\0')
		return false;
	return err_hint(err,
	    "create the type \"%s\".\"%s\" on the destination yourself, then retry", t->schema,
	    t->name);
}

/* ---- enum */

static const char labels_query[] =
    "SELECT enumlabel FROM pg_enum WHERE enumtypid = $1::oid ORDER BY enumsortorder";

bool
pgtypes_make_enum(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	struct pgtypes_list want, have;
	struct found f;
	struct buf sql;

	if (!look_for_kind(w, t, &f, err) ||
	    !query_list(w, w->src, labels_query, t->oid, &want, err))
		return false;
	if (f.oid != 0 && !query_list(w, w->dst, labels_query, f.oid, &have, err))
		return false;
	buf_init(&sql, SQL_MAX);
	if (f.oid == 0)
		pgtypes_sql_enum(&sql, t, &want);
	else
		pgtypes_sql_enum_add(&sql, t, &want, &have);
	if (sql.n > 0)
		return create(w, t, &sql, err);
	buf_done(&sql);
	return true;
}

/* ---- domain */

static const char domain_query[] =
    "SELECT format_type(t.typbasetype, t.typtypmod), t.typnotnull,"
    " coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault),"
    " quote_ident(n.nspname) || '.' || quote_ident(c.collname)"
    " FROM pg_type t JOIN pg_type b ON b.oid = t.typbasetype"
    " LEFT JOIN pg_collation c ON c.oid = t.typcollation AND t.typcollation <> b.typcollation"
    " LEFT JOIN pg_namespace n ON n.oid = c.collnamespace WHERE t.oid = $1::oid";

static const char checks_query[] = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
				   " WHERE contypid = $1::oid AND contype = 'c' ORDER BY conname";

bool
pgtypes_make_domain(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	struct pgtypes_domain d;
	struct pgtypes_list row;
	struct found f;
	struct buf sql;

	if (!look_for_kind(w, t, &f, err))
		return false;
	if (f.oid != 0)
		return true;
	if (!query_row(w, domain_query, t->oid, &row, err) ||
	    !query_list(w, w->src, checks_query, t->oid, &d.checks, err))
		return false;
	d.base = row.v[0];
	d.not_null = row.v[1][0] == 't';
	d.default_expr = row.v[2];
	d.collation = row.v[3];
	if (!usable_collation(w, &d.collation, err))
		return false;
	buf_init(&sql, SQL_MAX);
	pgtypes_sql_domain(&sql, t, &d);
	return create(w, t, &sql, err);
}

/* ---- composite */

#define ATTR_CELLS 3 /* of the list that pgtypes_sql_composite() takes */

static const char attrs_query[] =
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod),"
    " quote_ident(n.nspname) || '.' || quote_ident(c.collname)"
    " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    " LEFT JOIN pg_collation c ON c.oid = a.attcollation AND a.attcollation <> t.typcollation"
    " LEFT JOIN pg_namespace n ON n.oid = c.collnamespace"
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

static const char attr_types_query[] =
    "SELECT atttypid FROM pg_attribute"
    " WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum";

static bool
ensure_attributes(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	struct pgtypes_list oids;
	size_t i;

	if (!query_list(w, w->src, attr_types_query, t->relid, &oids, err))
		return false;
	for (i = 0; i < oids.n; i++)
		if (!pgtypes_ensure(w, (uint32_t)strtoul(oids.v[i], NULL, 10), err))
			return false;
	return true;
}

static bool
same_attributes(const struct pgtypes_list *a, const struct pgtypes_list *b)
{
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (i % ATTR_CELLS < 2 && strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

static bool
check_attributes(struct pgtypes_walk *w, const struct pgtype *t, const struct found *f,
    const struct pgtypes_list *want, struct err *err)
{
	struct pgtypes_list have;

	if (!query_list(w, w->dst, attrs_query, f->relid, &have, err))
		return false;
	if (same_attributes(want, &have))
		return true;
	err_set(err, ERR_CONFIG, "the destination has a type of this name with other attributes");
	return err_hint(err,
	    "give the type \"%s\".\"%s\" of the destination the attributes it has on"
	    " the source, or exclude the column",
	    t->schema, t->name);
}

/* A destination table brings a row type of its own, which has peerd's columns too. */
static bool
refuse_mirrored_row_type(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	size_t i;

	for (i = 0; t->of_table && i < w->ntables; i++)
		if (strcmp(w->tables[i]->destination_schema, t->schema) == 0 &&
		    strcmp(w->tables[i]->destination_name, t->name) == 0) {
			err_set(err, ERR_CONFIG,
			    "the row type of a table that is mirrored under the"
			    " same name cannot be copied");
			return err_hint(err,
			    "map the table \"%s\".\"%s\" to another name, or exclude"
			    " the column",
			    t->schema, t->name);
		}
	return true;
}

bool
pgtypes_make_composite(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	struct pgtypes_list attrs;
	struct found f;
	struct buf sql;
	size_t i;

	if (!refuse_mirrored_row_type(w, t, err) || !ensure_attributes(w, t, err) ||
	    !look_for_kind(w, t, &f, err) ||
	    !query_list(w, w->src, attrs_query, t->relid, &attrs, err))
		return false;
	if (f.oid != 0)
		return check_attributes(w, t, &f, &attrs, err);
	for (i = 0; i + 2 < attrs.n; i += ATTR_CELLS)
		if (!usable_collation(w, &attrs.v[i + 2], err))
			return false;
	buf_init(&sql, SQL_MAX);
	pgtypes_sql_composite(&sql, t, &attrs);
	return create(w, t, &sql, err);
}

/* ---- range */

/*
 * What the server fills in by itself is left out. A canonical function needs
 * code on the destination and only matters where ranges are computed; a
 * difference function of the user's own only speeds up GiST indexes.
 */
static const char range_query[] =
    "SELECT format_type(r.rngsubtype, NULL),"
    " CASE WHEN o.opcdefault THEN '' ELSE quote_ident(n.nspname) || '.' || quote_ident(o.opcname)"
    "  END,"
    " quote_ident(cn.nspname) || '.' || quote_ident(c.collname),"
    " CASE WHEN d.oid < 16384 THEN 'pg_catalog.' || quote_ident(d.proname) END, %s"
    " FROM pg_range r JOIN pg_opclass o ON o.oid = r.rngsubopc"
    " JOIN pg_namespace n ON n.oid = o.opcnamespace JOIN pg_type s ON s.oid = r.rngsubtype"
    " LEFT JOIN pg_collation c ON c.oid = r.rngcollation AND r.rngcollation <> s.typcollation"
    " LEFT JOIN pg_namespace cn ON cn.oid = c.collnamespace"
    " LEFT JOIN pg_proc d ON d.oid = r.rngsubdiff%s WHERE r.rngtypid = $1::oid";

static const char *
range_query_for(struct pgtypes_walk *w)
{
	bool multirange = pgconn_version(w->src) >= 140000 && pgconn_version(w->dst) >= 140000;

	return arena_printf(w->a, range_query, multirange ? "mn.nspname, m.typname" : "'', ''",
	    multirange ? " LEFT JOIN pg_type m ON m.oid = r.rngmultitypid"
			 " LEFT JOIN pg_namespace mn ON mn.oid = m.typnamespace"
		       : "");
}

/* The subtype is looked at here: to load_type() only multiranges and arrays have a part. */
static bool
ensure_subtype(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	struct pgtypes_list row;

	return query_row(w, "SELECT rngsubtype FROM pg_range WHERE rngtypid = $1::oid", t->oid,
		   &row, err) &&
	    pgtypes_ensure(w, (uint32_t)strtoul(row.v[0], NULL, 10), err);
}

bool
pgtypes_make_range(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	struct pgtypes_range r;
	struct pgtypes_list row;
	struct found f;
	struct buf sql;

	if (!ensure_subtype(w, t, err) || !look_for_kind(w, t, &f, err))
		return false;
	if (f.oid != 0)
		return true;
	if (!query_row(w, range_query_for(w), t->oid, &row, err))
		return false;
	r = (struct pgtypes_range){ row.v[0], row.v[1], row.v[2], row.v[3], row.v[4], row.v[5] };
	if (!usable_collation(w, &r.collation, err) ||
	    (r.multirange[0] != '\0' && !pgtypes_make_schema(w->dst, r.multirange_schema, err)))
		return false;
	buf_init(&sql, SQL_MAX);
	pgtypes_sql_range(&sql, t, &r);
	return create(w, t, &sql, err);
}

/* ---- types of an extension */

static bool
extension_available(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	PGresult *res;
	bool there;

	res = pgconn_query(w->dst, err, "SELECT 1 FROM pg_available_extensions WHERE name = $1", 1,
	    t->extension);
	if (res == NULL)
		return false;
	there = PQntuples(res) > 0;
	PQclear(res);
	if (there)
		return true;
	err_set(err, ERR_CONFIG, "the destination's server does not have the extension \"%s\"",
	    t->extension);
	return err_hint(err,
	    "install the extension's package on the destination's server, or exclude"
	    " the column");
}

static bool
create_extension(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	struct buf sql;

	if (!pgtypes_make_schema(w->dst, t->extension_schema, err))
		return false;
	buf_init(&sql, KIB);
	buf_str_add(&sql, "CREATE EXTENSION IF NOT EXISTS ");
	pgconn_ident(&sql, t->extension);
	buf_str_add(&sql, " WITH SCHEMA ");
	pgconn_ident(&sql, t->extension_schema);
	buf_str_add(&sql, " CASCADE");
	if (pgconn_run_buf(w->dst, &sql, err))
		return true;
	err_context(err, "could not create the extension \"%s\" on the destination", t->extension);
	if (err->code != ERR_CONFIG)
		return false;
	return err_hint(err,
	    "as a superuser of the destination: CREATE EXTENSION \"%s\" SCHEMA \"%s\"",
	    t->extension, t->extension_schema);
}

bool
pgtypes_make_extension(struct pgtypes_walk *w, const struct pgtype *t, struct err *err)
{
	struct found f;

	if (!look_up(w, t, &f, err))
		return false;
	if (f.oid != 0)
		return true;
	if (!extension_available(w, t, err) || !create_extension(w, t, err) ||
	    !look_up(w, t, &f, err))
		return false;
	if (f.oid != 0)
		return true;
	err_set(err, ERR_CONFIG,
	    "the destination's extension \"%s\" is in another schema, or of a"
	    " version that lacks this type",
	    t->extension);
	return err_hint(err, "on the destination: ALTER EXTENSION \"%s\" SET SCHEMA \"%s\"",
	    t->extension, t->extension_schema);
}
