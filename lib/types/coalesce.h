/*
 * coalesce - what a run of changes amounts to, per table and key
 *
 * Many changes of one row become its last state; what is left has one entry a
 * key and can be applied as sets: deletes, then updates, then inserts. The
 * destination shows only the state at the end of the run, so nothing between
 * is visible and nothing is lost.
 *
 * A table whose changes cannot be told apart by key (no key, a key changed
 * while a TOAST value stayed unsent, a stream that contradicts itself) comes
 * back as `ordered`: apply its changes one by one in their order.
 *
 * Updates and deletes are sorted by key bytes, which for the usual keys walks
 * the destination's index and heap in order. Pure: no I/O; memory from the
 * arena given.
 */
#ifndef PEERD_TYPES_COALESCE_H
#define PEERD_TYPES_COALESCE_H

#include "lib/types/batch.h"

struct row_set {
	const struct row **rows;
	uint32_t n;
};

struct coalesced {
	struct table *table;
	const struct change **changes; /* all of the table's, in order */
	uint32_t nchanges;
	bool ordered;		 /* the sets below are empty then */
	struct row_set deletes;	 /* rows that hold at least the key */
	struct row_set updates;	 /* whole new rows, the key unchanged */
	struct row_set partials; /* updates with unchanged columns left */
	struct row_set inserts;
	struct row_set ghosts; /* inserted and deleted within the run: last state */
};

/* One entry per table that the run touches and that is not stopped, in order of first touch. */
struct coalesced *coalesce(struct arena *a, const struct batch *b, uint32_t from, uint32_t to,
    uint32_t *n_r);

#endif
