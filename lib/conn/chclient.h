/*
 * chclient - a ClickHouse server over its HTTP interface
 *
 * A client is made from a peer's configuration; chclient_open() asks the
 * server for its version and knows from then on what it can do (chcaps.h).
 * Statements and inserts go out as requests of httpc.h, waiting
 * (chclient_query, chclient_insert) or not (chclient_send). The server answers
 * only when it is through (wait_end_of_query), so an answer of 200 means done:
 * for an insert, that the server has stored it.
 *
 * A request may have been carried out although its answer was lost. Whoever
 * repeats an insert gives a token, or rows whose version says that they are
 * the same.
 *
 * Data of an insert is lent until its end and, when the peer wants it so,
 * compressed first; answers called large come compressed then. Servers that
 * would take half a body for whole get it in a frame that has an end.
 * Rows the server says it wrote are compared with those sent, where both are
 * known.
 *
 * Errors, by the server's exception code (chclient_error.c has the table):
 * ERR_TRANSIENT when waiting helps, and chclient_is_overloaded() when going
 * slower does; ERR_DATA for values and types that do not fit; ERR_CONFIG for
 * the rest, with sqlstate 28P01 (password), 42501 (rights), 42P01 (no such
 * table), 3D000 (no such database), 08001 (TLS, host). What httpc.h says too.
 * No message holds a secret.
 */
#ifndef PEERD_CONN_CHCLIENT_H
#define PEERD_CONN_CHCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/slice.h"
#include "lib/conn/chcaps.h"
#include "protos/peers.pb-c.h"

struct arena;
struct buf;
struct chclient;
struct chclient_request;
struct err;
struct event_base;
struct pgconn_interrupt;

/* Everything in it is lent while open() runs; loop and intr until close(). */
struct chclient_config {
	const PeerdbPeers__ClickhouseConfig *peer;
	struct event_base *loop;	     /* NULL: no chclient_send() */
	const struct pgconn_interrupt *intr; /* while calls wait; or NULL */
	const char *what;		     /* our name, for the server's query log */
	usec_t connect_timeout;		     /* 0: ten seconds */
	usec_t stall_timeout;		     /* the longest silence of a server; 0: five minutes */
};

bool chclient_open(const struct chclient_config *cfg, struct chclient **c_r, struct err *err);
void chclient_close(struct chclient **c); /* requests under way are cancelled */

const struct ch_caps *chclient_caps(const struct chclient *c);
const char *chclient_database(const struct chclient *c); /* the peer's; requests run in it */

/* Is the peer of use: does its database exist, may we make tables there? Changes nothing. */
bool chclient_check(struct chclient *c, struct err *err);

/* ---- statements */

/* What a SELECT gave. Cells are unescaped; p is NULL for NULL. All of it lives in the arena. */
struct ch_rows {
	size_t nrows;
	size_t ncols;
	const struct slice *cells; /* nrows * ncols, NUL-terminated */
};

static inline struct slice
ch_cell(const struct ch_rows *rows, size_t row, size_t col)
{
	return rows->cells[row * rows->ncols + col];
}

/* As text; "" for NULL. */
static inline const char *
ch_cell_str(const struct ch_rows *rows, size_t row, size_t col)
{
	struct slice cell = ch_cell(rows, row, col);

	return cell.p != NULL ? (const char *)cell.p : "";
}

/* A SELECT without FORMAT. */
bool chclient_query(struct chclient *c, struct arena *a, const char *sql, struct ch_rows *rows_r,
    struct err *err);

/* A statement without an answer; formatted. */
bool chclient_run(struct chclient *c, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Rows of FORMAT TabSeparated; ERR_PROTOCOL unless every row has as many cells. */
bool ch_rows_parse(struct arena *a, struct slice text, struct ch_rows *rows_r, struct err *err);

/* ---- requests */

struct ch_setting {
	const char *name;
	const char *value;
};

struct ch_post {
	const char *sql; /* for an insert it ends with "FORMAT RowBinary" or another's name */
	const struct ch_setting *settings;
	size_t nsettings;
	bool large_answer; /* worth compressing, when the peer wants that */

	/* an insert: */
	const struct slice *body; /* lent until the end; no slices: a statement */
	size_t nbody;
	const char *token; /* insert_deduplication_token; not sent to servers without */
	uint64_t rows;	   /* in the body, to be compared with what was written; 0: unknown */
};

struct ch_answer {
	struct slice text; /* of a statement */
	bool has_written;
	uint64_t written_rows; /* in all tables, materialized views included */
};

/* err: NULL when it was carried out. Both are the callee's only until it returns. */
typedef void chclient_done_fn(void *arg, const struct ch_answer *answer, const struct err *err);

/* Returns at once; done() comes from the event loop, and the request is gone then. */
struct chclient_request *chclient_send(struct chclient *c, const struct ch_post *post,
    chclient_done_fn *done, void *arg);
void chclient_cancel(struct chclient_request **rq); /* before done(), which then does not come */

/* The same, waiting. */
bool chclient_insert(struct chclient *c, const struct ch_post *post, struct err *err);

/* The server asks for fewer, larger or later inserts; a transient error's other half. */
bool chclient_is_overloaded(const struct err *err);

/* ---- text for statements */

/* Append an identifier (`quoted`) or a string literal ('quoted'). */
void ch_ident(struct buf *b, const char *name);
void ch_qualified(struct buf *b, const char *database, const char *name);
void ch_literal(struct buf *b, struct slice value);

#endif
