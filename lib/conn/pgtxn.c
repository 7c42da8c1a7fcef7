#include "lib/conn/pgtxn.h"

#include <inttypes.h>

#include "lib/base/err.h"
#include "lib/conn/pgconn.h"

/* Known to every peerd: "peerd" in ASCII. */
#define DDL_LOCK_KEY INT64_C(0x7065657264)

bool
pgtxn_begin(struct pgtxn *txn, struct pgconn *c, struct err *err)
{
	txn->c = c;
	txn->own = PQtransactionStatus(pgconn_pq(c)) == PQTRANS_IDLE;
	return !txn->own || pgconn_run(c, err, "BEGIN");
}

bool
pgtxn_begin_ddl(struct pgtxn *txn, struct pgconn *c, struct err *err)
{
	if (!pgtxn_begin(txn, c, err))
		return false;
	return pgconn_run(c, err, "SELECT pg_catalog.pg_advisory_xact_lock(%" PRId64 ")",
		   DDL_LOCK_KEY) ||
	    pgtxn_end(txn, false, err);
}

bool
pgtxn_end(struct pgtxn *txn, bool ok, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (!txn->own)
		return ok;
	if (ok)
		return pgconn_run(txn->c, err, "COMMIT");
	(void)pgconn_run(txn->c, &ignored, "ROLLBACK");
	return false;
}
