/*
 * report_int - the results as the report's own files share them
 */
#ifndef PEERD_BENCH_REPORT_INT_H
#define PEERD_BENCH_REPORT_INT_H

#include "tests/bench/report.h"

#define ROUNDS_MAX 100

/* The figures of one workload on one side, by name, so that tables and file use one list. */
#define FIGURES(X)                                   \
	X(seconds, m->seconds)                       \
	X(source_cpu, m->usage.source)               \
	X(destination_cpu, m->usage.destination)     \
	X(worker_cpu, m->usage.worker)               \
	X(daemon_cpu, m->usage.daemon)               \
	X(machine_cpu, m->usage.machine)             \
	X(worker_peak_mib, m->usage.worker_peak_mib) \
	X(p50_ms, m->latency.p50)                    \
	X(p90_ms, m->latency.p90)                    \
	X(p99_ms, m->latency.p99)                    \
	X(max_ms, m->latency.max)

enum figure {
#define X(name, from) FIGURE_##name,
	FIGURES(X)
#undef X
	FIGURE_COUNT
};

/* Values of the rounds so far, and what they say together. */
struct series {
	double v[ROUNDS_MAX];
	int n;
};

struct spread {
	double median, least, greatest;
};

struct spread series_spread(const struct series *s);

const char *figure_name(enum figure f);
const struct series *report_series(const struct report *r, const struct workload *w, enum side side,
    enum figure f);

/* Round by round a / b of one figure. */
struct series report_ratio(const struct report *r, const struct workload *w, enum figure f,
    enum side a, enum side b);

#endif
