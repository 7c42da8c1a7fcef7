/*
 * latency - from COMMIT on the source to visible at the destination
 *
 * A writer inserts one row a transaction at a fixed rate and notes when COMMIT
 * has returned; a reader asks the target for the largest id again and again (see
 * target.h for the pauses) and notes the first sight of each. So a figure is at
 * most a pause and a look too large, on every side alike. The table is
 * latency(id bigint, ...); row 0 is there on both ends at the start.
 */
#ifndef PEERD_BENCH_LATENCY_H
#define PEERD_BENCH_LATENCY_H

#include <libpq-fe.h>

struct meter;
struct target;

struct latency_spec {
	PGconn *source;
	const struct target *target;
	int rate; /* transactions a second */
	int warm; /* rows that come first and do not count */
	int rows; /* rows that do */
};

/* In milliseconds. */
struct latency {
	double p50, p90, p99, max;
	double rate; /* transactions a second that were really made */
};

void latency_measure(const struct latency_spec *spec, struct meter *m, struct latency *l_r);

#endif
