#include "tests/bench/measure.h"

#include "lib/base/clock.h"
#include "tests/bench/copy.h"
#include "tests/bench/drain.h"
#include "tests/bench/engine.h"
#include "tests/bench/side.h"
#include "tests/bench/workload.h"
#include "tests/harness/clickhouse.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/kafka.h"
#include "tests/harness/sql.h"

#define STATE_POLL_NS 20000000 /* a state costs the side that is asked more than a row */
#define END_SECONDS   120
#define LATENCY_RATE  1000
#define WARM_SECONDS  1

/* One measurement under way. */
struct run {
	const struct bench *b;
	struct workload *w;
	enum side side;
	const struct side_ops *ops; /* NULL for the limits, which have no target either */
	struct target target;
	usec_t began;
	double cpu; /* ours until then */
};

static const struct side_ops *const side_table[SIDE_COUNT] = {
	[SIDE_NATIVE] = &side_native,
	[SIDE_PEERD] = &side_peerd,
	[SIDE_MOCK] = &side_mock,
	[SIDE_PIPE] = &side_pipe,
};

bool
measure_applies(const struct workload *w, enum side side)
{
	static const bool table[TO_COUNT][KIND_COUNT][SIDE_COUNT] = {
		[TO_POSTGRES] = {
			[KIND_SNAPSHOT] = { [SIDE_NATIVE] = true, [SIDE_PEERD] = true,
			    [SIDE_PIPE] = true },
			[KIND_STREAM] = { [SIDE_NATIVE] = true, [SIDE_PEERD] = true,
			    [SIDE_DRAIN] = true },
			[KIND_LATENCY] = { [SIDE_NATIVE] = true, [SIDE_PEERD] = true },
		},
		[TO_CLICKHOUSE] = {
			[KIND_SNAPSHOT] = { [SIDE_PEERD] = true, [SIDE_DRAIN] = true,
			    [SIDE_ENGINE] = true },
			[KIND_STREAM] = { [SIDE_PEERD] = true, [SIDE_DRAIN] = true,
			    [SIDE_ENGINE] = true },
			[KIND_LATENCY] = { [SIDE_PEERD] = true },
		},
		[TO_KAFKA] = {
			[KIND_STREAM] = { [SIDE_PEERD] = true, [SIDE_MOCK] = true,
			    [SIDE_DRAIN] = true },
			[KIND_LATENCY] = { [SIDE_PEERD] = true },
		},
	};

	return table[w->to][w->kind][side];
}

static void
checkpoint(const struct bench *b)
{
	PGconn *conn;

	sql_exec(b->src, "CHECKPOINT");
	if (b->destination == NULL)
		return;
	conn = cluster_connect(b->destination, "postgres");
	sql_exec(conn, "CHECKPOINT");
	sql_close(&conn);
}

static bool
at_end(const struct run *r, const char *marker)
{
	return marker != NULL ? r->target.ops->has_all(&r->target, marker)
			      : r->ops->copied(&r->target);
}

/* Until the marker row is there, or (NULL) the snapshot is complete. */
static void
wait_end(const struct run *r, const char *marker)
{
	const struct timespec pause = {
		.tv_nsec = marker != NULL ? r->target.ops->all_pause_ns : STATE_POLL_NS,
	};

	while (!at_end(r, marker)) {
		if (clock_mono_us() - r->began > END_SECONDS * USEC_PER_SEC)
			test_fail("%s of %s has not ended after %d s: %s", r->w->name,
			    side_name(r->side), END_SECONDS, r->ops->trouble(r->b));
		meter_tick(r->b->meter);
		nanosleep(&pause, NULL);
	}
}

/* The server that the rows go to, if it is none of Postgres'. */
static pid_t
engine_pid(const struct run *r)
{
	if (r->w->to == TO_CLICKHOUSE)
		return clickhouse_pid(r->b->engine);
	if (r->w->to == TO_KAFKA)
		return kafka_pid(r->side == SIDE_MOCK ? r->b->mock : r->b->broker, 1);
	return 0;
}

static void
begin(struct run *r)
{
	checkpoint(r->b);
	meter_begin(r->b->meter, engine_pid(r));
	r->cpu = cpu_self();
	r->began = clock_mono_us();
}

static void
end(const struct run *r, struct measure *m)
{
	m->seconds = (double)(clock_mono_us() - r->began) / USEC_PER_SEC;
	meter_end(r->b->meter, &m->usage);
}

/* Everybody must have done the same work. */
static void
check_digest(const struct run *r)
{
	const char *digest;

	if (r->w->compared || r->w->kind == KIND_LATENCY || r->target.ops->digest == NULL)
		return;
	if (r->w->to != TO_POSTGRES && r->w->digest == NULL)
		r->w->digest = sql_text(r->b->src, "SELECT %s FROM %s", r->w->check, r->w->tables);
	digest = r->target.ops->digest(&r->target);
	if (r->w->digest == NULL)
		r->w->digest = digest;
	else if (strcmp(r->w->digest, digest) != 0)
		test_fail("%s: %s does not end up equal: %s, not %s", r->w->name,
		    side_name(r->side), digest, r->w->digest);
	else
		r->w->compared = true;
}

/* ---- what moves rows */

static void
run_snapshot(struct run *r, struct measure *m)
{
	begin(r);
	r->ops->snapshot(r->b, r->w);
	wait_end(r, NULL);
	end(r, m);
	if (r->side == SIDE_PIPE)
		m->usage.worker = cpu_self() - r->cpu;
}

static void
run_stream(struct run *r, struct measure *m)
{
	workload_copy_slot(r->b, r->w);
	begin(r);
	r->ops->stream(r->b, r->w);
	wait_end(r, r->w->name);
	end(r, m);
}

static void
run_latency(struct run *r, struct measure *m)
{
	struct latency_spec spec = {
		.source = cluster_connect(r->b->source, SOURCE_DB),
		.target = &r->target,
		.rate = LATENCY_RATE,
		.warm = LATENCY_RATE * WARM_SECONDS,
		.rows = (int)workload_rows(r->b, r->w),
	};

	sql_exec(spec.source, "TRUNCATE latency");
	sql_exec(spec.source, "DELETE FROM marker WHERE name = '%s'", r->w->name);
	workload_new_slot(r->b);
	begin(r);
	r->ops->stream(r->b, r->w);
	sql_exec(spec.source, "INSERT INTO latency VALUES (0, 0, now(), 0, 'first')");
	sql_exec(spec.source, "INSERT INTO marker VALUES ('%s')", r->w->name);
	wait_end(r, r->w->name);
	latency_measure(&spec, r->b->meter, &m->latency);
	end(r, m);
	sql_close(&spec.source);
}

static void
run_mover(struct run *r, struct measure *m)
{
	static void (*const runs[])(struct run *, struct measure *) = {
		[KIND_SNAPSHOT] = run_snapshot,
		[KIND_STREAM] = run_stream,
		[KIND_LATENCY] = run_latency,
	};

	r->target = target_open(r->b, r->w, r->side);
	r->ops->ready(r->b, r->w);
	runs[r->w->kind](r, m);
	check_digest(r);
	target_close(&r->target);
	r->ops->stop(r->b);
}

/* ---- what only reads or only writes */

static void
drain_table(struct run *r, struct measure *m)
{
	PGconn *conn;

	begin(r);
	conn = cluster_connect(r->b->source, SOURCE_DB);
	copy_begin(conn, text("COPY %s TO STDOUT (FORMAT binary)", r->w->tables), PGRES_COPY_OUT);
	copy_discard(conn, r->b->meter);
	end(r, m);
	m->usage.worker = cpu_self() - r->cpu;
	sql_close(&conn);
}

static void
drain_backlog(struct run *r, struct measure *m)
{
	struct drained d;

	workload_copy_slot(r->b, r->w);
	begin(r);
	drain_slot(bench_conninfo(r->b->source, SOURCE_DB), RUN_SLOT, workload_publication(r->w),
	    r->w->name, r->b->meter, &d);
	end(r, m);
	m->usage.worker = d.cpu;
	r->w->last_lsn = d.last_lsn;
	if (d.changes != workload_rows(r->b, r->w))
		test_fail("%s holds %lld changes, not %lld", r->w->name, (long long)d.changes,
		    (long long)workload_rows(r->b, r->w));
}

void
measure_learn_end(const struct bench *b, struct workload *w)
{
	(void)measure_run(b, w, SIDE_DRAIN);
}

static void
run_drain(struct run *r, struct measure *m)
{
	if (r->w->kind == KIND_SNAPSHOT)
		drain_table(r, m);
	else
		drain_backlog(r, m);
}

static void
run_engine(struct run *r, struct measure *m)
{
	struct engine_rows rows;
	double share;

	engine_take_rows(r->b->engine, r->w->tables, &rows);
	share = (double)workload_rows(r->b, r->w) / (double)rows.count;
	begin(r);
	engine_insert_rows(r->b->engine, &rows);
	end(r, m);
	engine_drop_rows(&rows);
	m->seconds *= share;
	m->usage.engine *= share;
	m->usage.machine *= share;
}

struct measure
measure_run(const struct bench *b, struct workload *w, enum side side)
{
	struct run r = { .b = b, .w = w, .side = side, .ops = side_table[side] };
	struct measure m = { 0 };

	if (r.ops != NULL)
		run_mover(&r, &m);
	else if (side == SIDE_DRAIN)
		run_drain(&r, &m);
	else
		run_engine(&r, &m);
	workload_drop_slots(b);
	return m;
}
