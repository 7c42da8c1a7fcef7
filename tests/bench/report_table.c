#include "tests/bench/report_int.h"

#include "tests/bench/workload.h"
#include "tests/harness/fail.h"

static struct spread
spread_of(const struct report *r, const struct workload *w, enum side side, enum figure f)
{
	return series_spread(report_series(r, w, side, f));
}

/* "3.31 (3.20-3.42)", or "-" when nothing was measured. */
static char *
with_range(struct spread s)
{
	if (s.greatest <= 0)
		return text("-");
	return text("%.2f (%.2f-%.2f)", s.median, s.least, s.greatest);
}

static char *
plain(struct spread s)
{
	return s.greatest <= 0 ? text("-") : text("%.2f", s.median);
}

/* Memory is judged by the worst round. */
static char *
peak_of(const struct report *r, const struct workload *w)
{
	double peak = spread_of(r, w, SIDE_PEERD, FIGURE_worker_peak_mib).greatest;

	return peak > 0 ? text("%.0f", peak) : text("-");
}

static char *
thousands(int64_t n)
{
	return n >= 10000 ? text("%lld k", (long long)n / 1000) : text("%lld", (long long)n);
}

static const char *
verdict(bool measured, bool reached)
{
	return !measured ? "" : reached ? " reached" : " missed";
}

static void
print_times(const struct report *r, const struct bench *b)
{
	printf("| case | rows | native s | peerd s | native / peerd | goal | drain s |\n"
	       "|---|---:|---:|---:|---:|---:|---:|\n");
	for (const struct workload *w = workloads; w < workloads + workload_count; w++) {
		struct series ratio = report_ratio(r, w, FIGURE_seconds, SIDE_NATIVE, SIDE_PEERD);
		struct spread s = series_spread(&ratio);

		if (!w->wanted || w->kind == KIND_LATENCY)
			continue;
		printf("| %s | %s | %s | %s | **%s** | %.2f%s | %s |\n", w->title,
		    thousands(workload_rows(b, w)),
		    with_range(spread_of(r, w, SIDE_NATIVE, FIGURE_seconds)),
		    with_range(spread_of(r, w, SIDE_PEERD, FIGURE_seconds)), with_range(s), w->goal,
		    verdict(ratio.n > 0, s.median >= w->goal),
		    plain(spread_of(r, w, SIDE_DRAIN, FIGURE_seconds)));
	}
}

static void
print_cpu(const struct report *r)
{
	printf("\n| CPU seconds | native: source | destination | machine | peerd: source | "
	       "destination "
	       "| worker | machine | worker peak MiB | drain: source | reader |\n"
	       "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (const struct workload *w = workloads; w < workloads + workload_count; w++) {
		if (!w->wanted)
			continue;
		printf("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", w->title,
		    plain(spread_of(r, w, SIDE_NATIVE, FIGURE_source_cpu)),
		    plain(spread_of(r, w, SIDE_NATIVE, FIGURE_destination_cpu)),
		    plain(spread_of(r, w, SIDE_NATIVE, FIGURE_machine_cpu)),
		    plain(spread_of(r, w, SIDE_PEERD, FIGURE_source_cpu)),
		    plain(spread_of(r, w, SIDE_PEERD, FIGURE_destination_cpu)),
		    plain(spread_of(r, w, SIDE_PEERD, FIGURE_worker_cpu)),
		    plain(spread_of(r, w, SIDE_PEERD, FIGURE_machine_cpu)), peak_of(r, w),
		    plain(spread_of(r, w, SIDE_DRAIN, FIGURE_source_cpu)),
		    plain(spread_of(r, w, SIDE_DRAIN, FIGURE_worker_cpu)));
	}
}

static void
print_percentile(const struct report *r, const struct workload *w, enum figure f, double goal)
{
	struct series ratio = report_ratio(r, w, f, SIDE_PEERD, SIDE_NATIVE);
	struct spread s = series_spread(&ratio);

	printf("| %.3s | %s | %s | **%s** | ", figure_name(f),
	    with_range(spread_of(r, w, SIDE_NATIVE, f)), with_range(spread_of(r, w, SIDE_PEERD, f)),
	    with_range(s));
	if (goal > 0)
		printf("%.2f%s", goal, verdict(ratio.n > 0, s.median <= goal));
	printf(" |\n");
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

static bool
any_wanted(bool latency)
{
	for (const struct workload *w = workloads; w < workloads + workload_count; w++)
		if (w->wanted && (w->kind == KIND_LATENCY) == latency)
			return true;
	return false;
}

void
report_print(const struct report *r, const struct bench *b)
{
	printf("\n");
	if (any_wanted(false))
		print_times(r, b);
	for (const struct workload *w = workloads; w < workloads + workload_count; w++)
		if (w->wanted && w->kind == KIND_LATENCY)
			print_latency(r, w);
	print_cpu(r);
	fflush(stdout);
}
