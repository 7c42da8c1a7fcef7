#include "tests/bench/report_int.h"

#include "tests/bench/workload.h"

static bool
is_listed(const struct workload *w, enum kind kind)
{
	return w->wanted && w->to == TO_KAFKA && w->kind == kind;
}

static void
print_time(const struct report *r, const struct bench *b, const struct workload *w)
{
	struct series broker = report_ratio(r, w, FIGURE_seconds, SIDE_DRAIN, SIDE_PEERD);
	struct series mock = report_ratio(r, w, FIGURE_seconds, SIDE_DRAIN, SIDE_MOCK);
	struct spread peerd = report_spread(r, w, SIDE_PEERD, FIGURE_seconds);
	double rate = peerd.median > 0 ? (double)workload_rows(b, w) / peerd.median : 0;

	printf("| %s | %s | %s | %s | %s | **%s** | %s | %s | **%s** | %s |\n", w->title,
	    cell_count(workload_rows(b, w)), cell_range(peerd), cell_count((int64_t)rate),
	    cell_range(report_spread(r, w, SIDE_DRAIN, FIGURE_seconds)),
	    cell_range(series_spread(&broker)), cell_at_least(broker, w->goal),
	    cell_range(report_spread(r, w, SIDE_MOCK, FIGURE_seconds)),
	    cell_range(series_spread(&mock)), cell_at_least(mock, w->goal));
}

static void
print_latency(const struct report *r, const struct workload *w)
{
	struct spread p99 = report_spread(r, w, SIDE_PEERD, FIGURE_p99_ms);

	printf("| %s | %s | %s | **%s** | %s | %s |\n", w->title,
	    cell_range(report_spread(r, w, SIDE_PEERD, FIGURE_p50_ms)),
	    cell_range(report_spread(r, w, SIDE_PEERD, FIGURE_p90_ms)), cell_range(p99),
	    cell_range(report_spread(r, w, SIDE_PEERD, FIGURE_max_ms)), cell_at_most(p99, w->goal));
}

static void
print_side_cpu(const struct report *r, const struct workload *w, enum side side)
{
	printf(" %s | %s | %s | %s | %s |",
	    cell_plain(report_spread(r, w, side, FIGURE_source_cpu)),
	    cell_plain(report_spread(r, w, side, FIGURE_worker_cpu)),
	    cell_plain(report_spread(r, w, side, FIGURE_engine_cpu)),
	    cell_plain(report_spread(r, w, side, FIGURE_machine_cpu)), cell_peak(r, w, side));
}

static void
print_cpu(const struct report *r, const struct workload *w)
{
	printf("| %s |", w->title);
	print_side_cpu(r, w, SIDE_PEERD);
	print_side_cpu(r, w, SIDE_MOCK);
	printf(" %s | %s |\n", cell_plain(report_spread(r, w, SIDE_DRAIN, FIGURE_source_cpu)),
	    cell_plain(report_spread(r, w, SIDE_DRAIN, FIGURE_worker_cpu)));
}

void
report_print_kafka(const struct report *r, const struct bench *b)
{
	const struct workload *w, *end = workloads + workload_count;

	printf(
	    "\n| Kafka | changes | peerd s | changes a second | drain s | drain / peerd | goal | "
	    "mock s | drain / mock | goal |\n"
	    "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (w = workloads; w < end; w++)
		if (is_listed(w, KIND_STREAM))
			print_time(r, b, w);
	printf("\n| Kafka, latency at 1,000 transactions a second, ms | p50 | p90 | p99 | max | "
	       "goal of p99 |\n"
	       "|---|---:|---:|---:|---:|---:|\n");
	for (w = workloads; w < end; w++)
		if (is_listed(w, KIND_LATENCY))
			print_latency(r, w);
	printf("\n| CPU seconds | peerd: source | worker | broker | machine | worker peak MiB | "
	       "mock: source | worker | broker | machine | worker peak MiB | drain: source | "
	       "reader |\n"
	       "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (w = workloads; w < end; w++)
		if (is_listed(w, KIND_STREAM) || is_listed(w, KIND_LATENCY))
			print_cpu(r, w);
}
