/*
 * tables - what happens to one table, told as data
 *
 * A case is a table with rows (for the snapshot) and changes (each one a
 * transaction of one or more statements). It exists twice: NAME_step, where
 * every change is awaited on the destination before the next is made, and
 * NAME_burst, where all are made at once and meet in one batch.
 *
 *	tables_init(cases, n)	both clusters, a daemon, and one mirror of all
 *	table_step(&cases[i])	fails unless equal after every change
 *	table_burst(&cases[i])	fails unless equal at the end
 *
 * In the SQL, @ stands for the table's name.
 */
#ifndef PEERD_HARNESS_TABLES_H
#define PEERD_HARNESS_TABLES_H

#include <stdbool.h>

#define TABLE_CHANGES_MAX 10

struct table_case {
	const char *name;
	const char *ddl;  /* CREATE TABLE @ ... */
	const char *rows; /* INSERT INTO @ ..., or NULL */
	const char *changes[TABLE_CHANGES_MAX];
	bool prepared;		  /* the destination's table is made beforehand, by the same ddl */
	const char *not_mirrored; /* SQL run before, for tables around it; or NULL */
};

void tables_init(const struct table_case *cases, int n, const char *mirror, const char *options);
void tables_done(void);

void table_step(const struct table_case *k);
void table_burst(const struct table_case *k);

/* The statement with @ replaced. */
char *table_sql(const char *sql, const char *name);

#endif
