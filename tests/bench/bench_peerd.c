/*
 * bench_peerd - peerd against its rivals and against what the machine allows
 *
 * Throwaway servers, one set of prepared backlogs, the sides in turn. What
 * the figures mean and how to read them: docs/benchmarks.md.
 */
#include <getopt.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "tests/bench/measure.h"
#include "tests/bench/report_int.h"
#include "tests/bench/side.h"
#include "tests/bench/workload.h"
#include "tests/harness/clickhouse.h"
#include "tests/harness/cluster.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/janitor.h"
#include "tests/harness/kafka.h"
#include "tests/harness/sql.h"

#define SETTINGS                      \
	"fsync = on\n"                \
	"full_page_writes = on\n"     \
	"shared_buffers = '1GB'\n"    \
	"max_wal_size = '8GB'\n"      \
	"max_worker_processes = 20\n" \
	"wal_retrieve_retry_interval = '100ms'\n"

static const char usage[] =
    "usage: scripts/bench [--only LIST] [--sides LIST] [--rounds N] [--scale F] [--output FILE]\n"
    "\n"
    "  --only    what to measure: postgres, clickhouse, kafka, snapshot, cdc, latency, or\n"
    "            names of cases (all)\n"
    "  --sides   native, peerd, mock, pipe, drain, engine (all)\n"
    "  --rounds  how often (3)\n"
    "  --scale   size of the data, 1 being the full run (BENCH_SCALE, else 1)\n"
    "  --output  the JSON file (build/bench.json)\n"
    "\n"
    "cases:";

static void __attribute__((noreturn)) print_usage(FILE *to)
{
	fputs(usage, to);
	for (size_t i = 0; i < workload_count; i++)
		fprintf(to, " %s", workloads[i].name);
	fputc('\n', to);
	exit(to == stdout ? 0 : 2);
}

const char *
side_name(enum side s)
{
	static const char *const names[] = {
		[SIDE_NATIVE] = "native",
		[SIDE_PEERD] = "peerd",
		[SIDE_MOCK] = "mock",
		[SIDE_PIPE] = "pipe",
		[SIDE_DRAIN] = "drain",
		[SIDE_ENGINE] = "engine",
	};

	return names[s];
}

const char *
destination_name(enum destination to)
{
	static const char *const names[] = {
		[TO_POSTGRES] = "postgres",
		[TO_CLICKHOUSE] = "clickhouse",
		[TO_KAFKA] = "kafka",
	};

	return names[to];
}

void
bench_say(const char *fmt, ...)
{
	static usec_t began;
	usec_t now = clock_mono_us();
	va_list ap;

	if (began == 0)
		began = now;
	va_start(ap, fmt);
	fprintf(stderr, "%4lld s  %s\n", (long long)((now - began) / USEC_PER_SEC),
	    text_v(fmt, ap));
	va_end(ap);
}

/* In a connection string a value is quoted by ' and its ' and \ by \. */
char *
bench_conninfo(const struct cluster *c, const char *database)
{
	char quoted[2 * sizeof(CLUSTER_PASSWORD)];
	size_t n = 0;

	for (const char *p = CLUSTER_PASSWORD; *p != '\0'; p++) {
		if (*p == '\'' || *p == '\\')
			quoted[n++] = '\\';
		quoted[n++] = *p;
	}
	return text("host=127.0.0.1 port=%d user=%s password='%.*s' dbname=%s", c->port,
	    CLUSTER_USER, (int)n, quoted, database);
}

/* Is this one of those that `name` stands for? */
static bool
is_called(const struct workload *w, const char *name)
{
	static const char *const kinds[KIND_COUNT] = {
		[KIND_SNAPSHOT] = "snapshot",
		[KIND_STREAM] = "cdc",
		[KIND_LATENCY] = "latency",
		[KIND_FORMATS] = "formats",
	};

	return strcmp(name, w->name) == 0 || strcmp(name, kinds[w->kind]) == 0 ||
	    strcmp(name, destination_name(w->to)) == 0;
}

static void
want(const char *list)
{
	char *rest = text("%s", list), *name;

	while ((name = strsep(&rest, ",")) != NULL) {
		bool known = false;

		for (struct workload *w = workloads; w < workloads + workload_count; w++)
			if (is_called(w, name))
				w->wanted = known = true;
		if (!known)
			print_usage(stderr);
	}
}

static void
take_sides(struct bench *b, const char *list)
{
	char *rest = text("%s", list), *name;

	while ((name = strsep(&rest, ",")) != NULL) {
		int s = 0;

		while (s < SIDE_COUNT && strcmp(name, side_name(s)) != 0)
			s++;
		if (s == SIDE_COUNT)
			print_usage(stderr);
		b->with[s] = true;
	}
}

static int
rounds_of(const char *s)
{
	struct err err;
	uint64_t n;

	if (!str_to_u64(s, 1, ROUNDS_MAX, &n, &err))
		print_usage(stderr);
	return (int)n;
}

static double
scale_of(const char *s)
{
	char *end;
	double scale = strtod(s, &end);

	if (*s == '\0' || *end != '\0' || !(scale > 0 && scale <= 100))
		print_usage(stderr);
	return scale;
}

static void
take_options(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		{ "only", required_argument, NULL, 'n' },
		{ "sides", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "scale", required_argument, NULL, 'x' },
		{ "output", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *only = "postgres,clickhouse,kafka",
		   *sides = "native,peerd,mock,pipe,drain,engine";
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'n':
			only = optarg;
			break;
		case 's':
			sides = optarg;
			break;
		case 'r':
			b->rounds = rounds_of(optarg);
			break;
		case 'x':
			b->scale = scale_of(optarg);
			break;
		case 'o':
			b->output = optarg;
			break;
		default:
			print_usage(c == 'h' ? stdout : stderr);
		}
	if (optind != argc)
		print_usage(stderr);
	want(only);
	take_sides(b, sides);
}

static bool
is_wanted(enum destination to)
{
	for (const struct workload *w = workloads; w < workloads + workload_count; w++)
		if (w->wanted && w->to == to)
			return true;
	return false;
}

/* Without a server the rest is still worth measuring. */
static void
leave_out(enum destination to)
{
	for (struct workload *w = workloads; w < workloads + workload_count; w++)
		if (w->to == to)
			w->wanted = false;
}

static void
open_postgres(struct bench *b)
{
	PGconn *conn;

	bench_say("starting Postgres, the destination");
	b->destination = cluster_new("destination", SETTINGS);
	conn = cluster_connect(b->destination, "postgres");
	sql_exec(conn, "CREATE DATABASE " TARGET_DB);
	sql_close(&conn);
}

static void
open_clickhouse(struct bench *b)
{
	bench_say("starting ClickHouse");
	b->engine = clickhouse_new(CH_CURRENT, "clickhouse");
}

static void
open_kafka(struct bench *b)
{
	bench_say("starting Kafka");
	b->broker = kafka_new("kafka", 1, KAFKA_FOR_BENCH);
	b->mock = kafka_new_mock("kafkamock", 1);
}

static void
prepare_all(struct bench *b)
{
	workload_prepare_source(b);
	b->src = cluster_connect(b->source, SOURCE_DB);
	for (const struct workload *w = workloads; w < workloads + workload_count; w++) {
		if (!w->wanted)
			continue;
		if (w->kind == KIND_FORMATS)
			formats_prepare(b, (int)workload_rows(b, w));
		else
			workload_prepare(b, w);
	}
}

static void
open_all(struct bench *b)
{
	if (is_wanted(TO_CLICKHOUSE) && !clickhouse_available(CH_CURRENT))
		leave_out(TO_CLICKHOUSE);
	if (is_wanted(TO_KAFKA) && !kafka_available())
		leave_out(TO_KAFKA);
	bench_say("starting Postgres, the source");
	b->source = cluster_new("source", SETTINGS);
	if (is_wanted(TO_POSTGRES))
		open_postgres(b);
	if (is_wanted(TO_CLICKHOUSE))
		open_clickhouse(b);
	if (is_wanted(TO_KAFKA))
		open_kafka(b);
	prepare_all(b);
	if (b->with[SIDE_PEERD] || b->with[SIDE_MOCK])
		side_peerd_open(b);
	b->meter = meter_new((struct meter_roots){
	    .source = cluster_pid(b->source),
	    .destination = b->destination != NULL ? cluster_pid(b->destination) : 0,
	    .daemon = b->daemon != NULL ? b->daemon->pid : 0,
	});
	b->report = report_new();
}

static void
close_all(struct bench *b)
{
	report_free(&b->report);
	meter_free(&b->meter);
	side_peerd_close(b);
	sql_close(&b->src);
	kafka_free(&b->mock);
	kafka_free(&b->broker);
	clickhouse_free(&b->engine);
	cluster_free(&b->destination);
	cluster_free(&b->source);
}

/*
 * A server that has just been made writes new WAL files, later it uses old ones
 * again: so the last snapshot, which is the largest, is loaded once for nothing.
 */
static void
warm_up_postgres(const struct bench *b)
{
	struct workload *largest = NULL;

	for (struct workload *w = workloads; w < workloads + workload_count; w++)
		if (w->wanted && w->kind == KIND_SNAPSHOT && w->to == TO_POSTGRES)
			largest = w;
	if (largest == NULL)
		return;
	(void)measure_run(b, largest, SIDE_PIPE);
}

static void
warm_up_clickhouse(const struct bench *b)
{
	for (struct workload *w = workloads; w < workloads + workload_count; w++) {
		if (!w->wanted || w->to != TO_CLICKHOUSE)
			continue;
		if (w->kind == KIND_STREAM)
			measure_learn_end(b, w);
		if (w->kind == KIND_FORMATS)
			(void)formats_measure(b, 0, (int)workload_rows(b, w));
	}
}

/* A broker is a Java program: what it does often becomes machine code, after a while. */
static void
warm_up_kafka(const struct bench *b)
{
	for (struct workload *w = workloads; w < workloads + workload_count; w++) {
		if (!w->wanted || w->to != TO_KAFKA)
			continue;
		if (w->kind == KIND_STREAM)
			measure_learn_end(b, w);
		if (b->with[SIDE_PEERD])
			(void)measure_run(b, w, SIDE_PEERD);
	}
}

static void
measure_one(const struct bench *b, struct workload *w, enum side side, int round)
{
	struct measure m;

	if (!b->with[side] || !measure_applies(w, side))
		return;
	m = measure_run(b, w, side);
	report_add(b->report, b, w, side, round, &m);
}

/* Who goes first changes every round. The limits come last: the engine's needs peerd's rows. */
static void
measure_sides(const struct bench *b, struct workload *w, int round)
{
	static const enum side movers[] = { SIDE_NATIVE, SIDE_PEERD, SIDE_MOCK, SIDE_PIPE };
	const int n = sizeof(movers) / sizeof(*movers);

	for (int i = 0; i < n; i++)
		measure_one(b, w, movers[(round - 1 + i) % n], round);
	measure_one(b, w, SIDE_DRAIN, round);
	if (b->with[SIDE_PEERD])
		measure_one(b, w, SIDE_ENGINE, round);
}

static void
measure_formats(const struct bench *b, const struct workload *w, int round)
{
	for (int f = 0; f < FORMAT_COUNT; f++) {
		struct format_cost c = formats_measure(b, f, (int)workload_rows(b, w));

		report_add_cost(b->report, f, round, &c);
	}
}

static void
measure_round(const struct bench *b, int round)
{
	for (struct workload *w = workloads; w < workloads + workload_count; w++) {
		if (!w->wanted)
			continue;
		if (w->kind == KIND_FORMATS)
			measure_formats(b, w, round);
		else
			measure_sides(b, w, round);
	}
}

int
main(int argc, char **argv)
{
	const char *scale = getenv("BENCH_SCALE");
	struct bench b = { .rounds = 3, .output = "build/bench.json" };

	b.scale = scale != NULL && *scale != '\0' ? scale_of(scale) : 1;
	take_options(&b, argc, argv);
	janitor_start();
	open_all(&b);
	bench_say("warming the servers up");
	warm_up_postgres(&b);
	warm_up_clickhouse(&b);
	warm_up_kafka(&b);
	bench_say("measuring");
	for (int round = 1; round <= b.rounds; round++) {
		measure_round(&b, round);
		report_write(b.report, &b); /* what a later failure must not lose */
	}
	report_print(b.report, &b);
	bench_say("done; the figures are in %s", b.output);
	close_all(&b);
	return 0;
}
