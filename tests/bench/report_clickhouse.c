#include "tests/bench/report_int.h"

#include "tests/bench/workload.h"
#include "tests/harness/fail.h"

static bool
is_listed(const struct workload *w, bool latency)
{
	return w->wanted && w->to == TO_CLICKHOUSE && w->kind != KIND_FORMATS &&
	    (w->kind == KIND_LATENCY) == latency;
}

static void
print_time(const struct report *r, const struct bench *b, const struct workload *w)
{
	struct series drain = report_ratio(r, w, FIGURE_seconds, SIDE_DRAIN, SIDE_PEERD);
	struct series engine = report_ratio(r, w, FIGURE_seconds, SIDE_ENGINE, SIDE_PEERD);
	struct spread peerd = report_spread(r, w, SIDE_PEERD, FIGURE_seconds);
	double rate = peerd.median > 0 ? (double)workload_rows(b, w) / peerd.median : 0;

	printf("| %s | %s | %s | %s | %s | **%s** | %s | %s | %s |\n", w->title,
	    cell_count(workload_rows(b, w)), cell_range(peerd), cell_count((int64_t)rate),
	    cell_range(report_spread(r, w, SIDE_DRAIN, FIGURE_seconds)),
	    cell_range(series_spread(&drain)), cell_at_least(drain, w->goal),
	    cell_range(report_spread(r, w, SIDE_ENGINE, FIGURE_seconds)),
	    cell_plain(series_spread(&engine)));
}

static void
print_times(const struct report *r, const struct bench *b)
{
	printf("\n| ClickHouse | rows | peerd s | rows a second | source alone s | "
	       "source / peerd | goal | engine alone s | engine / peerd |\n"
	       "|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (const struct workload *w = workloads; w < workloads + workload_count; w++)
		if (is_listed(w, false))
			print_time(r, b, w);
}

static void
print_latency(const struct report *r, const struct workload *w)
{
	struct spread p99 = report_spread(r, w, SIDE_PEERD, FIGURE_p99_ms);

	printf("\n| ClickHouse, ms | p50 | p90 | p99 | max | goal of p99 |\n"
	       "|---|---:|---:|---:|---:|---:|\n"
	       "| %s | %s | %s | **%s** | %s | %s |\n",
	    w->title, cell_range(report_spread(r, w, SIDE_PEERD, FIGURE_p50_ms)),
	    cell_range(report_spread(r, w, SIDE_PEERD, FIGURE_p90_ms)), cell_range(p99),
	    cell_range(report_spread(r, w, SIDE_PEERD, FIGURE_max_ms)), cell_at_most(p99, w->goal));
}

static void
print_cpu_line(const struct report *r, const struct workload *w)
{
	struct spread busy = report_spread(r, w, SIDE_PEERD, FIGURE_busy);

	printf("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", w->title,
	    cell_plain(report_spread(r, w, SIDE_PEERD, FIGURE_source_cpu)),
	    cell_plain(report_spread(r, w, SIDE_PEERD, FIGURE_worker_cpu)),
	    cell_plain(report_spread(r, w, SIDE_PEERD, FIGURE_engine_cpu)),
	    cell_plain(report_spread(r, w, SIDE_PEERD, FIGURE_machine_cpu)),
	    cell_plain(report_spread(r, w, SIDE_PEERD, FIGURE_least_seconds)),
	    busy.greatest > 0 ? text("%.0f %%", busy.median) : text("-"),
	    cell_peak(r, w, SIDE_PEERD),
	    cell_plain(report_spread(r, w, SIDE_DRAIN, FIGURE_source_cpu)),
	    cell_plain(report_spread(r, w, SIDE_DRAIN, FIGURE_worker_cpu)),
	    cell_plain(report_spread(r, w, SIDE_ENGINE, FIGURE_engine_cpu)));
}

static void
print_cpu(const struct report *r)
{
	printf("\n| CPU seconds | peerd: source | worker | engine | machine | all / cores | "
	       "cores busy | worker peak MiB | source alone: source | reader | "
	       "engine alone: engine |\n"
	       "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
	for (const struct workload *w = workloads; w < workloads + workload_count; w++)
		if (is_listed(w, false) || is_listed(w, true))
			print_cpu_line(r, w);
}

static void
print_formats(const struct report *r)
{
	printf("\n| a million rows into ClickHouse | MB sent | client CPU s | engine CPU s | "
	       "together | s |\n"
	       "|---|---:|---:|---:|---:|---:|\n");
	for (int f = 0; f < FORMAT_COUNT; f++) {
		struct spread client = series_spread(report_costs(r, f, COST_client_cpu));
		struct spread engine = series_spread(report_costs(r, f, COST_engine_cpu));

		printf("| %s | %.0f | %s | %s | %.2f | %s |\n", format_title(f),
		    series_spread(report_costs(r, f, COST_megabytes)).median, cell_plain(client),
		    cell_range(engine), client.median + engine.median,
		    cell_range(series_spread(report_costs(r, f, COST_seconds))));
	}
}

static bool
any_listed(bool latency)
{
	for (const struct workload *w = workloads; w < workloads + workload_count; w++)
		if (is_listed(w, latency))
			return true;
	return false;
}

void
report_print_clickhouse(const struct report *r, const struct bench *b)
{
	if (any_listed(false))
		print_times(r, b);
	for (const struct workload *w = workloads; w < workloads + workload_count; w++)
		if (is_listed(w, true))
			print_latency(r, w);
	if (any_listed(false) || any_listed(true))
		print_cpu(r);
	if (report_costs(r, 0, COST_seconds)->n > 0)
		print_formats(r);
}
