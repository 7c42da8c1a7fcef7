/*
 * sql - talking to a Postgres cluster from a test
 *
 * A thin layer over libpq that fails the test on any error, with the statement
 * and the server's words. Results are texts that live as long as the process.
 */
#ifndef PEERD_HARNESS_SQL_H
#define PEERD_HARNESS_SQL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

PGconn *sql_open(const char *conninfo);
void sql_ignore_notice(void *arg, const char *words); /* a PQnoticeProcessor */
bool sql_is_open(const PGconn *c);
void sql_close(PGconn **c);

void sql_exec(PGconn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool sql_try(PGconn *c, const char *statement); /* false on error, which is not the test's */
char *sql_text(PGconn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int64_t sql_i64(PGconn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Poll until the query's first value is `expected` (a NULL or no row reads "(null)"). */
void sql_wait(PGconn *c, int ms, const char *expected, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* An identifier or a literal, quoted. */
char *sql_ident(PGconn *c, const char *name);
char *sql_literal(PGconn *c, const char *value);

#endif
