/*
 * report_int - the results as the report's own files share them
 */
#ifndef PEERD_BENCH_REPORT_INT_H
#define PEERD_BENCH_REPORT_INT_H

#include "tests/bench/report.h"

#define ROUNDS_MAX 100

/* The figures of one workload on one side, by name, so that tables and file use one list. */
#define FIGURES(X)                                       \
	X(seconds, m->seconds)                           \
	X(source_cpu, m->usage.source)                   \
	X(destination_cpu, m->usage.destination)         \
	X(worker_cpu, m->usage.worker)                   \
	X(daemon_cpu, m->usage.daemon)                   \
	X(engine_cpu, m->usage.engine)                   \
	X(machine_cpu, m->usage.machine)                 \
	X(least_seconds, usage_least_seconds(&m->usage)) \
	X(busy, usage_busy(&m->usage, m->seconds))       \
	X(worker_peak_mib, m->usage.worker_peak_mib)     \
	X(p50_ms, m->latency.p50)                        \
	X(p90_ms, m->latency.p90)                        \
	X(p99_ms, m->latency.p99)                        \
	X(max_ms, m->latency.max)

enum figure {
#define X(name, from) FIGURE_##name,
	FIGURES(X)
#undef X
	FIGURE_COUNT
};

/* What a format costs, likewise. */
#define COSTS(X)                     \
	X(seconds, c->seconds)       \
	X(megabytes, c->megabytes)   \
	X(client_cpu, c->client_cpu) \
	X(engine_cpu, c->engine_cpu)

enum cost {
#define X(name, from) COST_##name,
	COSTS(X)
#undef X
	COST_COUNT
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

const char *cost_name(enum cost c);
const struct series *report_costs(const struct report *r, enum format f, enum cost c);

/* ---- cells of tables; "-" when nothing was measured */

struct spread report_spread(const struct report *r, const struct workload *w, enum side side,
    enum figure f);
char *cell_range(struct spread s); /* "3.31 (3.20-3.42)" */
char *cell_plain(struct spread s);
char *cell_count(int64_t n);
char *cell_peak(const struct report *r, const struct workload *w, enum side side);

char *cell_at_least(struct series ratio, double goal); /* "0.80 reached" */
char *cell_at_most(struct spread s, double goal);

/* The tables of what goes to ClickHouse, and to Kafka. */
void report_print_clickhouse(const struct report *r, const struct bench *b);
void report_print_kafka(const struct report *r, const struct bench *b);

#endif
