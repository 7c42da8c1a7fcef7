#include "workers/ledger.h"

static lsn_t
lsn_max(lsn_t a, lsn_t b)
{
	return a > b ? a : b;
}

void
ledger_received(struct ledger *l, lsn_t lsn)
{
	l->received = lsn_max(l->received, lsn);
}

void
ledger_change(struct ledger *l)
{
	l->open = true;
}

void
ledger_commit(struct ledger *l, lsn_t end)
{
	if (l->open)
		l->pending = lsn_max(l->pending, end);
	l->open = false;
	l->received = lsn_max(l->received, end);
}

void
ledger_durable(struct ledger *l, lsn_t lsn)
{
	l->durable = lsn_max(l->durable, lsn);
}

bool
ledger_idle(const struct ledger *l)
{
	return !l->open && l->durable >= l->pending;
}

bool
ledger_behind(const struct ledger *l)
{
	return ledger_idle(l) && l->durable < l->received;
}
