#include "lib/sink/pg_ddl_int.h"

#include "lib/base/buf.h"
#include "lib/conn/pgconn.h"

static void
add_table(struct buf *sql, const PeerdWorker__MirrorTable *t)
{
	pgconn_qualified(sql, t->destination_schema, t->destination_name);
}

/* ---- columns */

/*
 * Generated columns are stored whatever they are on the source: a virtual one
 * shows the same values that way on every version.
 */
static void
add_column(struct buf *sql, const struct pg_ddl_column *col)
{
	const PeerdWorker__Column *c = col->column;

	pgconn_ident(sql, c->destination_name);
	buf_printf(sql, " %s", c->type_name);
	if (col->collate)
		buf_printf(sql, " COLLATE %s", c->collation);
	if (c->generated[0] != '\0')
		buf_printf(sql, " GENERATED ALWAYS AS (%s) STORED", c->generated);
	else if (col->default_expr != NULL)
		buf_printf(sql, " DEFAULT %s", col->default_expr);
	if (col->not_null)
		buf_str_add(sql, " NOT NULL");
}

/* peerd's own columns, each behind `lead`, with `between` from the second on. */
static void
add_own_columns(struct buf *sql, const PeerdbFlow__FlowConnectionConfigs *cfg, const char *lead,
    const char *between)
{
	const struct {
		const char *name;
		const char *definition;
	} own[] = {
		{ cfg->synced_at_col_name, "TIMESTAMP DEFAULT CURRENT_TIMESTAMP" },
		{ cfg->soft_delete_col_name, "BOOL DEFAULT FALSE" },
	};
	const char *sep = "";
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (own[i].name[0] == '\0')
			continue;
		buf_printf(sql, "%s%s", sep, lead);
		pgconn_ident(sql, own[i].name);
		buf_printf(sql, " %s", own[i].definition);
		sep = between;
	}
}

void
pg_ddl_sql_create(struct buf *sql, const PeerdWorker__MirrorTable *t,
    const struct pg_ddl_column *cols, const PeerdbFlow__FlowConnectionConfigs *cfg)
{
	size_t i;

	buf_str_add(sql, "CREATE TABLE ");
	add_table(sql, t);
	buf_str_add(sql, " (");
	for (i = 0; i < t->n_columns; i++) {
		if (i > 0)
			buf_str_add(sql, ", ");
		add_column(sql, &cols[i]);
	}
	add_own_columns(sql, cfg, ", ", "");
	buf_char(sql, ')');
}

void
pg_ddl_sql_add_column(struct buf *sql, const PeerdWorker__MirrorTable *t,
    const struct pg_ddl_column *col)
{
	buf_str_add(sql, "ALTER TABLE ");
	add_table(sql, t);
	buf_str_add(sql, " ADD COLUMN IF NOT EXISTS ");
	add_column(sql, col);
}

void
pg_ddl_sql_own_columns(struct buf *sql, const PeerdWorker__MirrorTable *t,
    const PeerdbFlow__FlowConnectionConfigs *cfg)
{
	if (cfg->synced_at_col_name[0] == '\0' && cfg->soft_delete_col_name[0] == '\0')
		return;
	buf_str_add(sql, "ALTER TABLE ");
	add_table(sql, t);
	add_own_columns(sql, cfg, " ADD COLUMN IF NOT EXISTS ", ",");
}

/* ---- keys */

static int
key_position(const PeerdWorker__Column *c)
{
	return c->key_position;
}

static int
primary_position(const PeerdWorker__Column *c)
{
	return c->primary_position;
}

typedef int position_fn(const PeerdWorker__Column *c);

static const PeerdWorker__Column *
column_at(const PeerdWorker__MirrorTable *t, position_fn *position, int at)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++)
		if (position(t->columns[i]) == at)
			return t->columns[i];
	return NULL;
}

/* "a", "b" in the order of the positions 1, 2 ...; each name written by `write`. */
static void
add_columns_at(struct buf *sql, const PeerdWorker__MirrorTable *t, position_fn *position,
    void (*write)(struct buf *, const char *))
{
	const PeerdWorker__Column *c;
	int at;

	for (at = 1; (c = column_at(t, position, at)) != NULL; at++) {
		if (at > 1)
			buf_str_add(sql, ", ");
		write(sql, c->destination_name);
	}
}

bool
pg_ddl_has_primary(const PeerdWorker__MirrorTable *t)
{
	return column_at(t, primary_position, 1) != NULL;
}

bool
pg_ddl_key_is_primary(const PeerdWorker__MirrorTable *t)
{
	size_t i;

	if (!t->has_key)
		return false;
	for (i = 0; i < t->n_columns; i++)
		if ((t->columns[i]->key_position > 0) != (t->columns[i]->primary_position > 0))
			return false;
	return pg_ddl_has_primary(t);
}

void
pg_ddl_sql_primary(struct buf *sql, const PeerdWorker__MirrorTable *t)
{
	buf_str_add(sql, "ALTER TABLE ");
	add_table(sql, t);
	buf_str_add(sql, " ADD PRIMARY KEY (");
	add_columns_at(sql, t, primary_position, pgconn_ident);
	buf_char(sql, ')');
}

void
pg_ddl_sql_unique(struct buf *sql, const PeerdWorker__MirrorTable *t)
{
	buf_str_add(sql, "CREATE UNIQUE INDEX ON ");
	add_table(sql, t);
	buf_str_add(sql, " (");
	add_columns_at(sql, t, key_position, pgconn_ident);
	buf_char(sql, ')');
}

void
pg_ddl_sql_key_array(struct buf *sql, const PeerdWorker__MirrorTable *t)
{
	buf_str_add(sql, "ARRAY[");
	add_columns_at(sql, t, key_position, pgconn_literal);
	buf_str_add(sql, "]::text[]");
}

/* ---- rows */

void
pg_ddl_sql_truncate(struct buf *sql, PeerdWorker__MirrorTable *const *tables, size_t ntables)
{
	size_t i;

	buf_str_add(sql, "TRUNCATE ");
	for (i = 0; i < ntables; i++) {
		if (i > 0)
			buf_str_add(sql, ", ");
		add_table(sql, tables[i]);
	}
}
