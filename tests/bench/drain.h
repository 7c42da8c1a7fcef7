/*
 * drain - read a slot as fast as the source can fill it, and keep nothing
 *
 * What no reader of the slot can beat. It reads lazily, as a reader that is
 * behind should: a walsender that finds its socket full sends many messages in
 * one packet and needs half the CPU. Ends with the transaction that inserts
 * the wanted row into `marker`.
 */
#ifndef PEERD_BENCH_DRAIN_H
#define PEERD_BENCH_DRAIN_H

#include <stdint.h>

struct meter;

struct drained {
	double seconds; /* from the connection to the end */
	double cpu;	/* of the reader */
	int64_t changes;
	int64_t transactions;
	int64_t bytes;
	uint64_t last_lsn; /* where the last change before the marker is */
};

/* conninfo without the replication keyword; the meter is ticked on the way. */
void drain_slot(const char *conninfo, const char *slot, const char *publication, const char *marker,
    struct meter *m, struct drained *d_r);

#endif
