/*
 * sqlite_int - what the files of the SQLite backend share (catalog/ only)
 *
 * Statements: every text of queries.h is prepared when the catalog opens, so
 * that taking one cannot fail:
 *
 *	struct stmt s = stmt_for(c, Q_PEER_DELETE);
 *	stmt_text(&s, name);
 *	return stmt_run(&s, err);
 *
 * Parameters are bound in order; what they point to must live until the
 * statement has run. A statement is reset after its last row or a failure; one
 * that is left early needs stmt_end(). Column reads copy into the arena given.
 *
 * Writes: write_begin() opens the transaction if none is open and a savepoint
 * in it; write_end() ends the savepoint, commits (or leaves that to a flush),
 * and answers. Whatever fails in between is undone alone:
 *
 *	ok = write_begin(c, &err) && peer_delete(c, name, &err);
 *	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
 */
#ifndef PEERD_CATALOG_SQLITE_INT_H
#define PEERD_CATALOG_SQLITE_INT_H

#include <sqlite3.h>

#include "catalog/catalog.h"
#include "catalog/queries.h"
#include "catalog/seal.h"
#include "lib/base/err.h"

struct arena;

enum query {
#define X(name, sql) Q_##name,
	CATALOG_QUERIES(X)
#undef X
	Q_COUNT
};

/* Who waits for the open transaction to become durable. */
struct waiter {
	catalog_done_fn *done;
	void *arg;
};

struct catalog {
	sqlite3 *db;
	sqlite3_stmt *stmts[Q_COUNT];
	struct seal_ring ring;
	int lock_fd;
	int64_t batches_kept;
	int64_t logs_kept;
	bool in_savepoint;
	struct waiter *waiters;
	size_t n_waiters, waiters_cap;
	struct err lost; /* the first grouped failure since the last flush */
};

/* ---- plain SQLite */

/* Fill err from the connection's last error; returns false. */
bool sqlite_fail(sqlite3 *db, struct err *err);
bool sqlite_exec(sqlite3 *db, const char *sql, struct err *err);

/* ---- statements */

struct stmt {
	struct catalog *c;
	sqlite3_stmt *st;
	int bound;
	int rc; /* the first failure of a bind */
};

bool stmt_prepare_all(struct catalog *c, struct err *err);
void stmt_finalize_all(struct catalog *c);

struct stmt stmt_for(struct catalog *c, enum query q);
void stmt_text(struct stmt *s, const char *v); /* NULL is "" */
void stmt_int(struct stmt *s, int64_t v);
void stmt_blob(struct stmt *s, struct slice v);

enum stmt_step {
	STMT_ROW,
	STMT_DONE,
	STMT_ERROR
};

/* To the end; rows are not looked at. */
bool stmt_run(struct stmt *s, struct err *err);

/* The same, and NOT_FOUND "mirror "x" does not exist" unless a row was touched. */
bool stmt_run_on(struct stmt *s, const char *kind, const char *name, struct err *err);
enum stmt_step stmt_next(struct stmt *s, struct err *err);
void stmt_end(struct stmt *s);

/* One row with one number; `none` when there is no row. */
bool stmt_number(struct stmt *s, int64_t none, int64_t *v_r, struct err *err);

/* col_text is never NULL. */
int64_t col_int(const struct stmt *s, int i);
const char *col_text(const struct stmt *s, int i, struct arena *a);
struct slice col_blob(const struct stmt *s, int i, struct arena *a);

/* ---- writes */

enum write_kind {
	WRITE_AT_ONCE,
	WRITE_GROUPED
};

bool write_begin(struct catalog *c, struct err *err);
void write_end(struct catalog *c, bool ok, enum write_kind kind, struct err *err,
    catalog_done_fn *done, void *arg);

/* ---- rows of a result: begin as { 0 }, freed by rows_done() */

struct rows {
	void *p;
	size_t n, cap;
	struct arena *strings; /* what the rows point to; NULL before rows_read() */
};

/* Fills one zeroed row from the statement's current one. */
typedef bool row_read_fn(const struct stmt *s, struct arena *a, void *row_r, struct err *err);

/* All that a bound statement gives, each row of `size` bytes. None after a failure. */
bool rows_read(struct rows *r, struct stmt *s, size_t size, row_read_fn *read, struct err *err);
void rows_done(struct rows *r);

/* ---- pages of a list: which end of the range to read from, and where a page stands in it */

struct paging {
	bool up;	       /* read in ascending order */
	bool reverse;	       /* and turn round what was read */
	int64_t before, after; /* bounds, always set */
	int64_t limit;
};

struct paging paging_of(const struct catalog_range *range);
void paging_bind(const struct paging *pg, struct stmt *s);
void paging_turn(const struct paging *pg, struct rows *rows, size_t size);

/* Runs a statement giving (all, those with lower ids, those with higher ids than the first). */
bool paging_read(struct stmt *s, bool ascending, struct catalog_page *page_r, struct err *err);

/* ---- what one file does for another */

/* Open whatever an older key sealed and seal it with the current one. */
bool peers_reseal(struct catalog *c, struct err *err);
bool alerts_reseal(struct catalog *c, struct err *err);

/* Forget batches, counts and totals of a mirror. */
bool batches_forget(struct catalog *c, const char *mirror, struct err *err);

#endif
