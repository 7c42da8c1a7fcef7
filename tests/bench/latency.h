/*
 * latency - from COMMIT on the source to visible at the destination
 *
 * A writer inserts one row a transaction at a fixed rate and notes when COMMIT
 * has returned; a reader polls the destination for the largest id about every
 * 100 us and notes the first sight of each. So a figure is at most that much
 * too large, on either side alike. The
 * table is latency(id bigint, ...); row 0 is there on both sides at the start.
 */
#ifndef PEERD_BENCH_LATENCY_H
#define PEERD_BENCH_LATENCY_H

#include <libpq-fe.h>

struct meter;

struct latency_spec {
	PGconn *source, *destination;
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
