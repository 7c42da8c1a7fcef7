/*
 * compare - are two tables of two clusters equal, row by row?
 *
 * Every row becomes its text (which for equal types is equal exactly when the
 * values are), both sides are streamed sorted and merged here: what EXCEPT ALL
 * both ways would find. The columns are the source's, unless given, so columns
 * that peerd adds do not count.
 *
 * `from` is what stands behind FROM, so a condition may follow the table name:
 * "t WHERE NOT \"_PEERDB_IS_DELETED\"".
 */
#ifndef PEERD_HARNESS_COMPARE_H
#define PEERD_HARNESS_COMPARE_H

#include <libpq-fe.h>
#include <stdint.h>

/* The columns of a table, quoted and comma-separated, without generated and dropped ones. */
char *table_columns(PGconn *c, const char *table);

/*
 * NULL when equal; else the first differing rows, "< " only in a, "> " only in
 * b, or the words of a server that cannot be asked (there is no such table yet).
 */
const char *table_difference(PGconn *a, const char *from_a, PGconn *b, const char *from_b,
    const char *columns, int64_t *rows_r);

/* Fail the test unless the table is equal on both sides, now or within the time. */
void table_expect_equal(PGconn *a, PGconn *b, const char *table, int ms);

#endif
