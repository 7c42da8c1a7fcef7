#include "tests/bench/report_int.h"

#include "tests/bench/workload.h"
#include "tests/harness/fail.h"

/* ---- cells */

char *
cell_range(struct spread s)
{
	if (s.greatest <= 0)
		return text("-");
	return text("%.2f (%.2f-%.2f)", s.median, s.least, s.greatest);
}

char *
cell_plain(struct spread s)
{
	return s.greatest <= 0 ? text("-") : text("%.2f", s.median);
}

/* MiB. Memory is judged by the worst round. */
char *
cell_peak(const struct report *r, const struct workload *w, enum side side)
{
	double peak = report_spread(r, w, side, FIGURE_worker_peak_mib).greatest;

	return peak > 0 ? text("%.0f", peak) : text("-");
}

char *
cell_count(int64_t n)
{
	return n >= 10000 ? text("%lld k", (long long)n / 1000) : text("%lld", (long long)n);
}

static const char *
verdict(bool measured, bool reached)
{
	return !measured ? "" : reached ? " reached" : " missed";
}

char *
cell_at_least(struct series ratio, double goal)
{
	struct spread s = series_spread(&ratio);

	return text("%.2f%s", goal, verdict(ratio.n > 0, s.median >= goal));
}

char *
cell_at_most(struct spread s, double goal)
{
	return text("%.2f%s", goal, verdict(s.greatest > 0, s.median <= goal));
}

/* ---- tables of what goes to Postgres */

static bool
is_listed(const struct workload *w, enum kind kind)
{
	return w->wanted && w->to == TO_POSTGRES && w->kind == kind;
}

/* What bounds it: for a snapshot the pipe, for a stream the drain. */
static void
print_time(const struct report *r, const struct bench *b, const struct workload *w, enum side bound)
{
	struct series rival = report_ratio(r, w, FIGURE_seconds, SIDE_NATIVE, SIDE_PEERD);
	struct series limit = report_ratio(r, w, FIGURE_seconds, bound, SIDE_PEERD);

	printf("| %s | %s | %s | %s | **%s** | %s | %s | %s |", w->title,
	    cell_count(workload_rows(b, w)),
	    cell_range(report_spread(r, w, SIDE_NATIVE, FIGURE_seconds)),
	    cell_range(report_spread(r, w, SIDE_PEERD, FIGURE_seconds)),
	    cell_range(series_spread(&rival)), cell_at_least(rival, w->goal),
	    cell_range(report_spread(r, w, bound, FIGURE_seconds)),
	    cell_plain(series_spread(&limit)));
	if (bound == SIDE_PIPE)
		printf(" %s |", cell_at_least(limit, PIPE_GOAL));
	printf("\n");
}

static void
print_times(const struct report *r, const struct bench *b, enum kind kind, const char *head,
    enum side bound)
{
	bool begun = false;

	for (const struct workload *w = workloads; w < workloads + workload_count; w++) {
		if (!is_listed(w, kind))
			continue;
		if (!begun)
			printf("\n%s", head);
		begun = true;
		print_time(r, b, w, bound);
	}
}

static void
print_cpu(const struct report *r)
{
	printf("\n| CPU seconds | native: source | destination | machine | peerd: source | "
	       "destination | worker | machine | worker peak MiB | pipe: source | destination | "
	       "relay | drain: source | reader |\n"
	       "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (const struct workload *w = workloads; w < workloads + workload_count; w++) {
		if (!w->wanted || w->to != TO_POSTGRES)
			continue;
		printf("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n",
		    w->title, cell_plain(report_spread(r, w, SIDE_NATIVE, FIGURE_source_cpu)),
		    cell_plain(report_spread(r, w, SIDE_NATIVE, FIGURE_destination_cpu)),
		    cell_plain(report_spread(r, w, SIDE_NATIVE, FIGURE_machine_cpu)),
		    cell_plain(report_spread(r, w, SIDE_PEERD, FIGURE_source_cpu)),
		    cell_plain(report_spread(r, w, SIDE_PEERD, FIGURE_destination_cpu)),
		    cell_plain(report_spread(r, w, SIDE_PEERD, FIGURE_worker_cpu)),
		    cell_plain(report_spread(r, w, SIDE_PEERD, FIGURE_machine_cpu)),
		    cell_peak(r, w, SIDE_PEERD),
		    cell_plain(report_spread(r, w, SIDE_PIPE, FIGURE_source_cpu)),
		    cell_plain(report_spread(r, w, SIDE_PIPE, FIGURE_destination_cpu)),
		    cell_plain(report_spread(r, w, SIDE_PIPE, FIGURE_worker_cpu)),
		    cell_plain(report_spread(r, w, SIDE_DRAIN, FIGURE_source_cpu)),
		    cell_plain(report_spread(r, w, SIDE_DRAIN, FIGURE_worker_cpu)));
	}
}

static void
print_percentile(const struct report *r, const struct workload *w, enum figure f, double goal)
{
	struct series ratio = report_ratio(r, w, f, SIDE_PEERD, SIDE_NATIVE);
	struct spread s = series_spread(&ratio);

	printf("| %.3s | %s | %s | **%s** | %s |\n", figure_name(f),
	    cell_range(report_spread(r, w, SIDE_NATIVE, f)),
	    cell_range(report_spread(r, w, SIDE_PEERD, f)), cell_range(s),
	    goal > 0 ? cell_at_most(s, goal) : "");
}

static void
print_latency(const struct report *r, const struct workload *w)
{
	printf("\n| %s | native ms | peerd ms | peerd / native | goal |\n"
	       "|---|---:|---:|---:|---:|\n",
	    w->title);
	print_percentile(r, w, FIGURE_p50_ms, LATENCY_P50_GOAL);
	print_percentile(r, w, FIGURE_p90_ms, 0);
	print_percentile(r, w, FIGURE_p99_ms, LATENCY_P99_GOAL);
	print_percentile(r, w, FIGURE_max_ms, 0);
}

static void
print_postgres(const struct report *r, const struct bench *b)
{
	print_times(r, b, KIND_SNAPSHOT,
	    "| Postgres | rows | native s | peerd s | native / peerd | goal | pipe s | "
	    "pipe / peerd | goal |\n"
	    "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
	    SIDE_PIPE);
	print_times(r, b, KIND_STREAM,
	    "| Postgres | rows | native s | peerd s | native / peerd | goal | drain s | "
	    "drain / peerd |\n"
	    "|---|---:|---:|---:|---:|---:|---:|---:|\n",
	    SIDE_DRAIN);
	for (const struct workload *w = workloads; w < workloads + workload_count; w++)
		if (is_listed(w, KIND_LATENCY))
			print_latency(r, w);
	print_cpu(r);
}

void
report_print(const struct report *r, const struct bench *b)
{
	if (b->destination != NULL)
		print_postgres(r, b);
	if (b->engine != NULL)
		report_print_clickhouse(r, b);
	if (b->broker != NULL)
		report_print_kafka(r, b);
	fflush(stdout);
}
