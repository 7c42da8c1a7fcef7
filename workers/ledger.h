/*
 * ledger - what the source may forget
 *
 * Pure arithmetic on positions, kept by one mirror's stream: what has been
 * received, what was handed to the sink and what is durable there. The
 * position to confirm is the durable one while anything is on its way; when
 * nothing is, everything received counts as done, so an idle mirror on a busy
 * server holds back no WAL. It never goes backwards.
 */
#ifndef PEERD_WORKERS_LEDGER_H
#define PEERD_WORKERS_LEDGER_H

#include <stdbool.h>

#include "lib/wire/lsn.h"

struct ledger {
	lsn_t received; /* every commit before it has arrived */
	lsn_t pending;	/* end of the last commit that has something to apply */
	lsn_t durable;
	lsn_t confirmed;
	bool open; /* a transaction with changes has begun and not committed */
};

static inline void
ledger_init(struct ledger *l, lsn_t start)
{
	*l = (struct ledger){ .received = start,
		.pending = start,
		.durable = start,
		.confirmed = start };
}

/* Everything before lsn was received, and no transaction is half received. */
void ledger_received(struct ledger *l, lsn_t lsn);
void ledger_change(struct ledger *l);		 /* something to apply, of an open transaction */
void ledger_commit(struct ledger *l, lsn_t end); /* the transaction ends here */
void ledger_durable(struct ledger *l, lsn_t lsn);

bool ledger_idle(const struct ledger *l); /* nothing is on its way */
lsn_t ledger_confirm(struct ledger *l);	  /* what to tell the source now */

#endif
