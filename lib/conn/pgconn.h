/*
 * pgconn - a connection to a Postgres server
 *
 * libpq underneath, so any host form, sslmode and option that libpq takes
 * works. A pgconn adds: parameters from a peer's configuration (certificates
 * given as text included), session settings that make values leave the server
 * in one canonical form, errors in the form of lib/base/err.h (the server's
 * message, detail and hint in full, never a secret), and waiting that can be
 * interrupted.
 *
 * Two ways of use: pgconn_exec() and its kin wait for the answer (setup,
 * probes, snapshot planning); the data path takes pgconn_pq() and drives the
 * libpq handle itself from its event loop.
 *
 * Errors: SQLSTATE classes 08, 53, 57P, 40, a server that is read-only and a
 * lost connection are ERR_TRANSIENT; 22, 23 are ERR_DATA; everything else the server refuses is
 * ERR_CONFIG. err.sqlstate holds the server's code. A stop asked for while
 * waiting cancels the statement: ERR_CANCELLED.
 */
#ifndef PEERD_CONN_PGCONN_H
#define PEERD_CONN_PGCONN_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "protos/peers.pb-c.h"

struct err;
struct pgconn;

enum pgconn_mode {
	PGCONN_PLAIN,
	PGCONN_REPLICATION, /* logical replication commands and SQL */
};

/*
 * While a call waits for the server it also watches fd (if >= 0). When fd is
 * readable, check(arg) is called: false means stop, the call fails with
 * ERR_CANCELLED. Kept by reference; must outlive the connection.
 */
struct pgconn_interrupt {
	int fd;
	bool (*check)(void *arg);
	void *arg;
};

/* what: for messages and application_name ("peerd orders"). timeout: for connecting. */
bool pgconn_open(const PeerdbPeers__PostgresConfig *cfg, const char *what, enum pgconn_mode mode,
    usec_t timeout, const struct pgconn_interrupt *intr, struct pgconn **c_r, struct err *err);
void pgconn_close(struct pgconn **c);

PGconn *pgconn_pq(struct pgconn *c);
int pgconn_version(const struct pgconn *c); /* 150004 for 15.4 */

/* Does the server run on this machine, as far as the address tells? */
bool pgconn_is_local(const struct pgconn *c);

/* One statement, results to the caller (PQclear); NULL on error. nparams text parameters follow. */
PGresult *pgconn_exec(struct pgconn *c, struct err *err, const char *sql);
PGresult *pgconn_query(struct pgconn *c, struct err *err, const char *sql, int nparams, ...);

/* A statement whose result does not matter; formatted. */
bool pgconn_run(struct pgconn *c, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for text built in a buffer, which is freed whatever comes of it. */
bool pgconn_run_buf(struct pgconn *c, struct buf *sql, struct err *err);

/* The results at the end of a COPY; rows_r: the count in its command tag. */
bool pgconn_copy_end(struct pgconn *c, int64_t *rows_r, struct err *err);

/* Fill err from a failed result (or, res NULL, from the connection's state). */
bool pgconn_error(PGconn *pq, const PGresult *res, struct err *err);

/* Append an identifier or literal, quoted. */
void pgconn_ident(struct buf *b, const char *name);
void pgconn_qualified(struct buf *b, const char *schema, const char *name);
void pgconn_literal(struct buf *b, const char *value);

/* An array literal, as a parameter: into an empty buf, element by element, then end it. */
void pgconn_array_add(struct buf *b, const char *element);
const char *pgconn_array_end(struct buf *b);

/* A cell as text ("" for NULL), as a number, as a truth value. */
static inline const char *
pgcell(const PGresult *res, int row, int col)
{
	return PQgetvalue(res, row, col);
}
int64_t pgcell_i64(const PGresult *res, int row, int col);
bool pgcell_bool(const PGresult *res, int row, int col);

#endif
