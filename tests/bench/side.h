/*
 * side - one way of moving rows, as the measurements drive it
 *
 * Calls come in this order, for every measurement on a fresh target database:
 * ready (not timed), then snapshot or stream (the clock starts before it), for
 * a snapshot copied until it is true, then stop (not timed).
 *
 * snapshot: copy the workload's tables and follow from there; copied is true
 * once they are complete, with their keys, and in the stream's hands.
 * stream: follow RUN_SLOT into tables that exist, copying nothing.
 */
#ifndef PEERD_BENCH_SIDE_H
#define PEERD_BENCH_SIDE_H

#include "tests/bench/bench.h"

struct side_ops {
	void (*ready)(const struct bench *b, const struct workload *w);
	void (*snapshot)(const struct bench *b, const struct workload *w);
	bool (*copied)(const struct bench *b, PGconn *target);
	void (*stream)(const struct bench *b, const struct workload *w);
	void (*stop)(const struct bench *b);
	char *(*trouble)(const struct bench *b); /* words on why it does not get on */
};

extern const struct side_ops side_native, side_peerd;

/* Start the daemon and make its peers; the target database must exist. */
void side_peerd_open(struct bench *b);
void side_peerd_close(struct bench *b);

#endif
