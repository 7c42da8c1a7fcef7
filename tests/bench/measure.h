/*
 * measure - one workload, moved once by one side, timed
 *
 * Each measurement starts from the same state: a fresh target database, a
 * fresh copy of the slot, a checkpoint on both servers. The clock runs from
 * just before the call that creates the subscription or mirror until the end
 * is seen at the destination, looked for every few milliseconds.
 */
#ifndef PEERD_BENCH_MEASURE_H
#define PEERD_BENCH_MEASURE_H

#include "tests/bench/bench.h"
#include "tests/bench/latency.h"
#include "tests/bench/meter.h"

struct measure {
	double seconds;
	struct usage usage;
	struct latency latency; /* of KIND_LATENCY */
};

/* Does this side measure such a workload at all? */
bool measure_applies(const struct workload *w, enum side side);

/* Before the first run of a stream into a destination whose tables move on their own. */
void measure_learn_end(const struct bench *b, struct workload *w);

struct measure measure_run(const struct bench *b, struct workload *w, enum side side);

#endif
