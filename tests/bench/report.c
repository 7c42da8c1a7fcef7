#include "tests/bench/report_int.h"

#include "lib/base/mem.h"
#include "tests/bench/workload.h"
#include "tests/harness/fail.h"

#define WORKLOADS_MAX 32

struct report {
	struct series series[WORKLOADS_MAX][SIDE_COUNT][FIGURE_COUNT];
	struct series costs[FORMAT_COUNT][COST_COUNT];
};

struct report *
report_new(void)
{
	if (workload_count > WORKLOADS_MAX)
		test_fail("more than %d workloads", WORKLOADS_MAX);
	return xcalloc(1, sizeof(struct report));
}

void
report_free(struct report **r)
{
	MEM_FREE(*r);
}

const char *
figure_name(enum figure f)
{
	static const char *const names[] = {
#define X(name, from) #name,
		FIGURES(X)
#undef X
	};

	return names[f];
}

const char *
cost_name(enum cost c)
{
	static const char *const names[] = {
#define X(name, from) #name,
		COSTS(X)
#undef X
	};

	return names[c];
}

static double
figure_of(const struct measure *m, enum figure f)
{
	const double all[] = {
#define X(name, from) from,
		FIGURES(X)
#undef X
	};

	return all[f];
}

const struct series *
report_series(const struct report *r, const struct workload *w, enum side side, enum figure f)
{
	return &r->series[w - workloads][side][f];
}

const struct series *
report_costs(const struct report *r, enum format f, enum cost c)
{
	return &r->costs[f][c];
}

struct spread
report_spread(const struct report *r, const struct workload *w, enum side side, enum figure f)
{
	return series_spread(report_series(r, w, side, f));
}

static int
compare_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct spread
series_spread(const struct series *s)
{
	struct series sorted = *s;
	int mid = s->n / 2;

	if (s->n == 0)
		return (struct spread){ 0 };
	qsort(sorted.v, (size_t)s->n, sizeof(*sorted.v), compare_double);
	return (struct spread){
		.median = s->n % 2 == 1 ? sorted.v[mid] : (sorted.v[mid - 1] + sorted.v[mid]) / 2,
		.least = sorted.v[0],
		.greatest = sorted.v[s->n - 1],
	};
}

struct series
report_ratio(const struct report *r, const struct workload *w, enum figure f, enum side a,
    enum side b)
{
	const struct series *x = report_series(r, w, a, f), *y = report_series(r, w, b, f);
	struct series ratio = { .n = x->n < y->n ? x->n : y->n };

	for (int i = 0; i < ratio.n; i++)
		ratio.v[i] = y->v[i] > 0 ? x->v[i] / y->v[i] : 0;
	return ratio;
}

static void
print_line(const struct bench *b, const struct workload *w, enum side side, int round,
    const struct measure *m)
{
	const struct usage *u = &m->usage;

	printf("round %d  %-15s %-6s  ", round, w->name, side_name(side));
	if (w->kind == KIND_LATENCY)
		printf("p50 %.2f  p90 %.2f  p99 %.2f  max %.1f ms", m->latency.p50, m->latency.p90,
		    m->latency.p99, m->latency.max);
	else
		printf("%6.2f s  %5.0f k rows/s", m->seconds,
		    (double)workload_rows(b, w) / m->seconds / 1e3);
	printf("  cpu: source %.2f", u->source);
	if (w->to == TO_POSTGRES)
		printf("  destination %.2f", u->destination);
	else
		printf("  %s %.2f", w->to == TO_KAFKA ? "broker" : "engine", u->engine);
	if (side == SIDE_PEERD || side == SIDE_MOCK)
		printf("  worker %.2f (%.0f MiB)  peerd %.2f", u->worker, u->worker_peak_mib,
		    u->daemon);
	else if (side == SIDE_DRAIN || side == SIDE_PIPE)
		printf("  %s %.2f", side_name(side), u->worker);
	printf("  machine %.2f\n", u->machine);
	fflush(stdout);
}

void
report_add(struct report *r, const struct bench *b, const struct workload *w, enum side side,
    int round, const struct measure *m)
{
	for (int f = 0; f < FIGURE_COUNT; f++) {
		struct series *s = &r->series[w - workloads][side][f];

		s->v[s->n++] = figure_of(m, f);
	}
	print_line(b, w, side, round, m);
}

void
report_add_cost(struct report *r, enum format f, int round, const struct format_cost *c)
{
	const double all[] = {
#define X(name, from) from,
		COSTS(X)
#undef X
	};

	for (int i = 0; i < COST_COUNT; i++) {
		struct series *s = &r->costs[f][i];

		s->v[s->n++] = all[i];
	}
	printf("round %d  %-15s  a million rows: %.2f s  %.0f MB  cpu: client %.2f  engine %.2f\n",
	    round, format_title(f), c->seconds, c->megabytes, c->client_cpu, c->engine_cpu);
	fflush(stdout);
}
