/*
 * pgtxn - a transaction that is the caller's if one is open, else our own
 *
 * What changes definitions on a destination may be called by itself or inside
 * the transaction of a batch. pgtxn_begin() opens one only if none is open;
 * pgtxn_end() commits its own if ok, rolls it back if not, and passes ok on.
 * In a transaction of the caller's, both leave it as it is.
 *
 *	if (!pgtxn_begin(&txn, c, err))
 *		return false;
 *	ok = do_this(c, err) && do_that(c, err);
 *	return pgtxn_end(&txn, ok, err);
 *
 * Errors: as pgconn.h; the first error is the one that is kept.
 */
#ifndef PEERD_CONN_PGTXN_H
#define PEERD_CONN_PGTXN_H

#include <stdbool.h>

struct err;
struct pgconn;

struct pgtxn {
	struct pgconn *c;
	bool own;
};

bool pgtxn_begin(struct pgtxn *txn, struct pgconn *c, struct err *err);

/* With the lock that orders the definitions peerd's workers make in one database. */
bool pgtxn_begin_ddl(struct pgtxn *txn, struct pgconn *c, struct err *err);

bool pgtxn_end(struct pgtxn *txn, bool ok, struct err *err);

#endif
