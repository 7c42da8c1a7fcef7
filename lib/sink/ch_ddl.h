/*
 * ch_ddl - statements for ClickHouse's tables, and checks of tables that exist
 *
 * Pure text: nothing here talks to a server. Statements are allocated in the
 * given arena and run in the order of the list.
 *
 * Identifiers stand in backquotes, with backquote and backslash escaped.
 *
 * On a cluster every table is two: NAME_shard with the rows, on every node,
 * and NAME, a Distributed table over it. Inserts and queries use NAME.
 *
 * Errors: ERR_CONFIG in words that name table and column, and a hint.
 */
#ifndef PEERD_SINK_CH_DDL_H
#define PEERD_SINK_CH_DDL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/sink/ch_types.h"

struct err;

#define CH_STATEMENTS_MAX 8

struct ch_statements {
	const char *sql[CH_STATEMENTS_MAX];
	unsigned n;
};

/* `name`, 'text' */
void ch_quote_name(struct buf *sql, const char *name);
void ch_quote_text(struct buf *sql, const char *text);

/* `database`.`name` of the table, with a suffix to the name ("" or "_resync"). */
void ch_ddl_name(const struct ch_table *ct, const char *suffix, struct buf *sql);

enum ch_create {
	CH_CREATE_IF_MISSING,
	CH_CREATE_ANEW /* drop one that is there first */
};

bool ch_ddl_create(const struct ch_table *ct, const char *suffix, enum ch_create how,
    struct arena *a, struct ch_statements *list_r, struct err *err);

/* INSERT INTO ... (columns) FORMAT RowBinary, as ch_encode_row() and ch_encode_copy_row() write */
const char *ch_ddl_insert(const struct ch_table *ct, const char *suffix, struct arena *a);

/* The same with one more UInt8 at the end of each row, unless column is NULL. */
const char *ch_ddl_insert_fenced(const struct ch_table *ct, const char *column, struct arena *a);

void ch_ddl_truncate(const struct ch_table *ct, const char *suffix, struct arena *a,
    struct ch_statements *list_r);
void ch_ddl_drop(const struct ch_table *ct, const char *suffix, struct arena *a,
    struct ch_statements *list_r);

/* NAME_resync takes NAME's place, the old rows go. */
void ch_ddl_swap(const struct ch_table *ct, const char *suffix, struct arena *a,
    struct ch_statements *list_r);

/*
 * A new column. old_value: what older rows show, as Postgres' text of the
 * value, or NULL for NULL (the type's default if it has no NULL).
 */
void ch_ddl_add_column(const struct ch_table *ct, const struct ch_column *c, const char *old_value,
    struct arena *a, struct ch_statements *list_r);

/* ---- a table that exists already */

/* A row of system.columns. */
struct ch_found_column {
	const char *name;
	const char *type;
	const char *default_kind; /* "", DEFAULT, MATERIALIZED, ALIAS, EPHEMERAL */
};

/* Of system.tables, and its columns. */
struct ch_found_table {
	const char *engine;
	const char *engine_full;
	const char *sorting_key; /* "a, b" */
	const struct ch_found_column *cols;
	unsigned ncols;
};

/* SELECT of what ch_found_table wants; TabSeparated, first table (one row), then columns. */
const char *ch_ddl_table_query(const struct ch_table *ct, struct arena *a);
const char *ch_ddl_columns_query(const struct ch_table *ct, struct arena *a);

/*
 * May the mirror write into it? All that is wrong with it goes into the
 * message. On success the columns are bound to the types that were found.
 */
bool ch_ddl_check(struct ch_table *ct, const struct ch_found_table *found, struct err *err);

#endif
