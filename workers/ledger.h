/*
 * ledger - what the source may forget
 *
 * Pure arithmetic on positions, kept by one mirror's stream: what has been
 * received, what was handed to the sink and what is durable there. Only the
 * durable position is confirmed: the slot is never ahead of what the
 * destination remembers, so one that is must have been moved by somebody else.
 * A mirror at rest on a busy server falls behind like that; its position is
 * then written without any change (ledger_behind()), lest it hold back WAL.
 */
#ifndef PEERD_WORKERS_LEDGER_H
#define PEERD_WORKERS_LEDGER_H

#include <stdbool.h>

#include "lib/wire/lsn.h"

struct ledger {
	lsn_t received; /* every commit before it has arrived */
	lsn_t pending;	/* end of the last commit that has something to apply */
	lsn_t durable;	/* to be confirmed to the source; never goes backwards */
	bool open;	/* a transaction with changes has begun and not committed */
};

static inline void
ledger_init(struct ledger *l, lsn_t start)
{
	*l = (struct ledger){ .received = start, .pending = start, .durable = start };
}

/* Everything before lsn was received, and no transaction is half received. */
void ledger_received(struct ledger *l, lsn_t lsn);
void ledger_change(struct ledger *l);		 /* something to apply, of an open transaction */
void ledger_commit(struct ledger *l, lsn_t end); /* the transaction ends here */
void ledger_durable(struct ledger *l, lsn_t lsn);

bool ledger_idle(const struct ledger *l);   /* nothing is on its way */
bool ledger_behind(const struct ledger *l); /* and yet the durable position is not the last one */

#endif
