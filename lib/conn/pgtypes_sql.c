#include "lib/conn/pgtypes_int.h"

#include "lib/base/buf.h"
#include "lib/conn/pgconn.h"

static void
add_collate(struct buf *sql, const char *collation)
{
	if (collation[0] != '\0')
		buf_printf(sql, " COLLATE %s", collation);
}

void
pgtypes_sql_enum(struct buf *sql, const struct pgtype *t, const struct pgtypes_list *labels)
{
	size_t i;

	buf_str_add(sql, "CREATE TYPE ");
	pgconn_qualified(sql, t->schema, t->name);
	buf_str_add(sql, " AS ENUM (");
	for (i = 0; i < labels->n; i++) {
		if (i > 0)
			buf_str_add(sql, ", ");
		pgconn_literal(sql, labels->v[i]);
	}
	buf_char(sql, ')');
}

static bool
list_has(const struct pgtypes_list *l, const char *s)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i], s) == 0)
			return true;
	return false;
}

/* A label goes behind its predecessor, which exists by then; the first goes before all others. */
static void
add_label(struct buf *sql, const struct pgtype *t, const struct pgtypes_list *want, size_t i,
    const struct pgtypes_list *have)
{
	buf_str_add(sql, "ALTER TYPE ");
	pgconn_qualified(sql, t->schema, t->name);
	buf_str_add(sql, " ADD VALUE IF NOT EXISTS ");
	pgconn_literal(sql, want->v[i]);
	if (i > 0 || have->n > 0) {
		buf_str_add(sql, i > 0 ? " AFTER " : " BEFORE ");
		pgconn_literal(sql, i > 0 ? want->v[i - 1] : have->v[0]);
	}
	buf_str_add(sql, "; ");
}

void
pgtypes_sql_enum_add(struct buf *sql, const struct pgtype *t, const struct pgtypes_list *want,
    const struct pgtypes_list *have)
{
	size_t i;

	for (i = 0; i < want->n; i++)
		if (!list_has(have, want->v[i]))
			add_label(sql, t, want, i, have);
}

/* Checks come by ALTER DOMAIN, for CREATE DOMAIN knows no NOT VALID. */
void
pgtypes_sql_domain(struct buf *sql, const struct pgtype *t, const struct pgtypes_domain *d)
{
	size_t i;

	buf_str_add(sql, "CREATE DOMAIN ");
	pgconn_qualified(sql, t->schema, t->name);
	buf_printf(sql, " AS %s", d->base);
	add_collate(sql, d->collation);
	if (d->default_expr[0] != '\0')
		buf_printf(sql, " DEFAULT %s", d->default_expr);
	if (d->not_null)
		buf_str_add(sql, " NOT NULL");
	for (i = 0; i + 1 < d->checks.n; i += 2) {
		buf_str_add(sql, "; ALTER DOMAIN ");
		pgconn_qualified(sql, t->schema, t->name);
		buf_str_add(sql, " ADD CONSTRAINT ");
		pgconn_ident(sql, d->checks.v[i]);
		buf_printf(sql, " %s", d->checks.v[i + 1]);
	}
}

void
pgtypes_sql_composite(struct buf *sql, const struct pgtype *t, const struct pgtypes_list *attrs)
{
	size_t i;

	buf_str_add(sql, "CREATE TYPE ");
	pgconn_qualified(sql, t->schema, t->name);
	buf_str_add(sql, " AS (");
	for (i = 0; i + 2 < attrs->n; i += 3) {
		if (i > 0)
			buf_str_add(sql, ", ");
		pgconn_ident(sql, attrs->v[i]);
		buf_printf(sql, " %s", attrs->v[i + 1]);
		add_collate(sql, attrs->v[i + 2]);
	}
	buf_char(sql, ')');
}

static void
add_range_option(struct buf *sql, const char *option, const char *value)
{
	if (value[0] != '\0')
		buf_printf(sql, ", %s = %s", option, value);
}

void
pgtypes_sql_range(struct buf *sql, const struct pgtype *t, const struct pgtypes_range *r)
{
	buf_str_add(sql, "CREATE TYPE ");
	pgconn_qualified(sql, t->schema, t->name);
	buf_printf(sql, " AS RANGE (SUBTYPE = %s", r->subtype);
	add_range_option(sql, "SUBTYPE_OPCLASS", r->opclass);
	add_range_option(sql, "COLLATION", r->collation);
	add_range_option(sql, "SUBTYPE_DIFF", r->diff);
	if (r->multirange[0] != '\0') {
		buf_str_add(sql, ", MULTIRANGE_TYPE_NAME = ");
		pgconn_qualified(sql, r->multirange_schema, r->multirange);
	}
	buf_char(sql, ')');
}
