#include "tests/bench/measure.h"

#include "lib/base/clock.h"
#include "tests/bench/drain.h"
#include "tests/bench/side.h"
#include "tests/bench/workload.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/sql.h"

#define MARKER_POLL_NS 5000000
#define STATE_POLL_NS  20000000 /* a state costs the side that is asked more than a row */
#define END_SECONDS    120
#define LATENCY_RATE   1000
#define WARM_SECONDS   1

/* One measurement under way. */
struct run {
	const struct bench *b;
	struct workload *w;
	enum side side;
	const struct side_ops *ops; /* NULL: drain */
	PGconn *target;		    /* opened before the meter begins, so not counted */
	usec_t began;
};

static const struct side_ops *const side_table[SIDE_COUNT] = {
	[SIDE_NATIVE] = &side_native,
	[SIDE_PEERD] = &side_peerd,
};

bool
measure_applies(const struct workload *w, enum side side)
{
	return side != SIDE_DRAIN || w->kind == KIND_STREAM;
}

static void
checkpoint(const struct bench *b)
{
	PGconn *conn = cluster_connect(b->destination, "postgres");

	sql_exec(b->src, "CHECKPOINT");
	sql_exec(conn, "CHECKPOINT");
	sql_close(&conn);
}

static bool
marker_visible(const struct run *r, const char *name)
{
	const char *params[] = { name };
	PGresult *res = PQexecPrepared(r->target, "marker", 1, params, NULL, NULL, 0);
	bool there = PQntuples(res) == 1;

	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		test_fail("could not look for the marker: %s", PQerrorMessage(r->target));
	PQclear(res);
	return there;
}

static bool
at_end(const struct run *r, const char *marker)
{
	return marker != NULL ? marker_visible(r, marker) : r->ops->copied(r->b, r->target);
}

/* Until the marker row is there, or (NULL) the snapshot is complete. */
static void
wait_end(const struct run *r, const char *marker)
{
	const struct timespec pause = {
		.tv_nsec = marker != NULL ? MARKER_POLL_NS : STATE_POLL_NS,
	};

	while (!at_end(r, marker)) {
		if (clock_mono_us() - r->began > END_SECONDS * USEC_PER_SEC)
			test_fail("%s of %s has not ended after %d s: %s", r->w->name,
			    side_name(r->side), END_SECONDS, r->ops->trouble(r->b));
		meter_tick(r->b->meter);
		nanosleep(&pause, NULL);
	}
}

static void
begin(struct run *r)
{
	checkpoint(r->b);
	meter_begin(r->b->meter);
	r->began = clock_mono_us();
}

static void
end(const struct run *r, struct measure *m)
{
	m->seconds = (double)(clock_mono_us() - r->began) / USEC_PER_SEC;
	meter_end(r->b->meter, &m->usage);
}

/* Both sides must have done the same work. */
static void
check_digest(const struct run *r)
{
	const char *digest;

	if (r->w->compared || r->w->kind == KIND_LATENCY)
		return;
	digest = workload_digest(r->b, r->w);
	if (r->w->digest == NULL)
		r->w->digest = digest;
	else if (strcmp(r->w->digest, digest) != 0)
		test_fail("%s: the sides do not end up equal:%s against%s", r->w->name,
		    r->w->digest, digest);
	else
		r->w->compared = true;
}

static void
run_snapshot(struct run *r, struct measure *m)
{
	begin(r);
	r->ops->snapshot(r->b, r->w);
	wait_end(r, NULL);
	end(r, m);
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
run_drain(struct run *r, struct measure *m)
{
	struct drained d;

	workload_copy_slot(r->b, r->w);
	begin(r);
	drain_slot(bench_conninfo(r->b->source, SOURCE_DB), RUN_SLOT, workload_publication(r->w),
	    r->w->name, r->b->meter, &d);
	end(r, m);
	m->usage.worker = d.cpu;
	if (d.changes != workload_rows(r->b, r->w))
		test_fail("%s holds %lld changes, not %lld", r->w->name, (long long)d.changes,
		    (long long)workload_rows(r->b, r->w));
}

static void
run_latency(struct run *r, struct measure *m)
{
	struct latency_spec spec = {
		.source = cluster_connect(r->b->source, SOURCE_DB),
		.destination = r->target,
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

struct measure
measure_run(const struct bench *b, struct workload *w, enum side side)
{
	static void (*const runs[])(struct run *, struct measure *) = {
		[KIND_SNAPSHOT] = run_snapshot,
		[KIND_STREAM] = run_stream,
		[KIND_LATENCY] = run_latency,
	};
	struct run r = { .b = b, .w = w, .side = side, .ops = side_table[side] };
	struct measure m = { 0 };

	if (r.ops == NULL) {
		run_drain(&r, &m);
		workload_drop_slots(b);
		return m;
	}
	workload_reset_target(b, w);
	r.ops->ready(b, w);
	r.target = cluster_connect(b->destination, TARGET_DB);
	if (w->kind != KIND_SNAPSHOT)
		PQclear(
		    PQprepare(r.target, "marker", "SELECT 1 FROM marker WHERE name = $1", 0, NULL));
	runs[w->kind](&r, &m);
	check_digest(&r);
	sql_close(&r.target);
	r.ops->stop(b);
	workload_drop_slots(b);
	return m;
}
