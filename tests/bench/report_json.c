#include "tests/bench/report_int.h"

#include <sys/utsname.h>
#include <cjson/cJSON.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/bench/workload.h"
#include "tests/harness/clickhouse.h"
#include "tests/harness/fail.h"
#include "tests/harness/sql.h"

static void
add_spread(cJSON *to, const char *name, const struct series *s)
{
	struct spread all = series_spread(s);
	cJSON *o;

	if (s->n == 0 || all.greatest <= 0)
		return;
	o = cJSON_AddObjectToObject(to, name);
	cJSON_AddNumberToObject(o, "median", all.median);
	cJSON_AddNumberToObject(o, "min", all.least);
	cJSON_AddNumberToObject(o, "max", all.greatest);
	cJSON_AddItemToObject(o, "rounds", cJSON_CreateDoubleArray(s->v, s->n));
}

static void
add_side(cJSON *to, const struct report *r, const struct workload *w, enum side side)
{
	cJSON *o;

	if (report_series(r, w, side, FIGURE_seconds)->n == 0)
		return;
	o = cJSON_AddObjectToObject(to, side_name(side));
	for (int f = 0; f < FIGURE_COUNT; f++)
		add_spread(o, figure_name(f), report_series(r, w, side, f));
}

/* Of two sides; the first divided by the second. */
static const struct {
	const char *name;
	bool latency; /* or of times */
	enum figure figure;
	enum side a, b;
} ratios[] = {
	{ "ratio", false, FIGURE_seconds, SIDE_NATIVE, SIDE_PEERD },
	{ "ratio_pipe", false, FIGURE_seconds, SIDE_PIPE, SIDE_PEERD },
	{ "ratio_drain", false, FIGURE_seconds, SIDE_DRAIN, SIDE_PEERD },
	{ "ratio_drain_mock", false, FIGURE_seconds, SIDE_DRAIN, SIDE_MOCK },
	{ "ratio_engine", false, FIGURE_seconds, SIDE_ENGINE, SIDE_PEERD },
	{ "ratio_p50", true, FIGURE_p50_ms, SIDE_PEERD, SIDE_NATIVE },
	{ "ratio_p99", true, FIGURE_p99_ms, SIDE_PEERD, SIDE_NATIVE },
};

static void
add_ratios(cJSON *to, const struct report *r, const struct workload *w)
{
	for (size_t i = 0; i < sizeof(ratios) / sizeof(*ratios); i++) {
		struct series s = report_ratio(r, w, ratios[i].figure, ratios[i].a, ratios[i].b);

		if (ratios[i].latency == (w->kind == KIND_LATENCY))
			add_spread(to, ratios[i].name, &s);
	}
}

static void
add_goals(cJSON *to, const struct workload *w)
{
	bool rival = w->to == TO_POSTGRES;

	if (w->kind == KIND_LATENCY && rival) {
		cJSON_AddNumberToObject(to, "goal_p50", LATENCY_P50_GOAL);
		cJSON_AddNumberToObject(to, "goal_p99", LATENCY_P99_GOAL);
	} else {
		cJSON_AddNumberToObject(to, w->kind == KIND_LATENCY ? "goal_p99_ms" : "goal",
		    w->goal);
	}
	if (w->kind == KIND_SNAPSHOT && rival)
		cJSON_AddNumberToObject(to, "goal_pipe", PIPE_GOAL);
}

static cJSON *
formats_of(const struct report *r)
{
	cJSON *all = cJSON_CreateArray();

	for (int f = 0; f < FORMAT_COUNT; f++) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "format", format_title(f));
		for (int c = 0; c < COST_COUNT; c++)
			add_spread(o, cost_name(c), report_costs(r, f, c));
		cJSON_AddItemToArray(all, o);
	}
	return all;
}

static cJSON *
case_of(const struct report *r, const struct bench *b, const struct workload *w)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "name", w->name);
	cJSON_AddStringToObject(o, "title", w->title);
	cJSON_AddStringToObject(o, "destination", destination_name(w->to));
	cJSON_AddNumberToObject(o, "rows", (double)workload_rows(b, w));
	if (w->kind == KIND_FORMATS) {
		cJSON_AddItemToObject(o, "formats", formats_of(r));
		return o;
	}
	cJSON_AddNumberToObject(o, "transactions", (double)workload_transactions(b, w));
	cJSON_AddBoolToObject(o, "compared", w->compared);
	for (int s = 0; s < SIDE_COUNT; s++)
		add_side(o, r, w, s);
	add_goals(o, w);
	add_ratios(o, r, w);
	return o;
}

static void
add_machine(cJSON *to, const struct bench *b)
{
	cJSON *o = cJSON_AddObjectToObject(to, "machine");
	struct utsname u;

	uname(&u);
	cJSON_AddStringToObject(o, "kernel", text("%s %s %s", u.sysname, u.release, u.machine));
	cJSON_AddNumberToObject(o, "cores", (double)sysconf(_SC_NPROCESSORS_ONLN));
	cJSON_AddNumberToObject(o, "memory_mib",
	    (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1 << 20));
	cJSON_AddStringToObject(o, "postgres", sql_text(b->src, "SHOW server_version"));
	if (b->engine != NULL)
		cJSON_AddStringToObject(o, "clickhouse",
		    clickhouse_text(b->engine, "SELECT version()"));
}

void
report_write(const struct report *r, const struct bench *b)
{
	cJSON *all = cJSON_CreateObject(), *cases;
	char now[32], *printed;
	FILE *f;

	clock_format(clock_wall_us(), now, sizeof(now));
	cJSON_AddStringToObject(all, "ended", now);
	cJSON_AddStringToObject(all, "version", PEERD_VERSION);
	cJSON_AddNumberToObject(all, "scale", b->scale);
	cJSON_AddNumberToObject(all, "rounds", b->rounds);
	add_machine(all, b);
	cases = cJSON_AddArrayToObject(all, "cases");
	for (const struct workload *w = workloads; w < workloads + workload_count; w++)
		if (w->wanted)
			cJSON_AddItemToArray(cases, case_of(r, b, w));
	printed = cJSON_Print(all);
	f = fopen(b->output, "we");
	if (f == NULL || fprintf(f, "%s\n", printed) < 0 || fclose(f) != 0)
		test_fail("could not write %s: %m", b->output);
	cJSON_free(printed);
	cJSON_Delete(all);
}
