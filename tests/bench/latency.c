#include "tests/bench/latency.h"

#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "tests/bench/meter.h"
#include "tests/harness/fail.h"

#define POLL_NS 100000
#define LATE_US (20 * USEC_PER_SEC) /* after the last commit everything must be there */

struct run {
	const struct latency_spec *spec;
	int n;
	usec_t *committed, *seen; /* per row */
	_Atomic usec_t ended;	  /* when the last row was committed; 0 before */
	int seen_count;
};

static PGresult *
run_prepared(PGconn *c, const char *name, const char *param, ExecStatusType want)
{
	PGresult *res = PQexecPrepared(c, name, param != NULL, &param, NULL, NULL, 0);

	if (PQresultStatus(res) != want)
		test_fail("latency: %s", PQerrorMessage(c));
	return res;
}

static void
prepare(PGconn *c, const char *name, const char *statement)
{
	PGresult *res = PQprepare(c, name, statement, 0, NULL);

	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		test_fail("latency: %s", PQerrorMessage(c));
	PQclear(res);
}

/* How many of our rows are visible. */
static int
look(const struct run *r)
{
	PGresult *res = run_prepared(r->spec->destination, "latency_look", NULL, PGRES_TUPLES_OK);
	struct err err;
	int64_t id = 0;

	if (!str_to_i64(PQgetvalue(res, 0, 0), 0, INT32_MAX, &id, &err))
		test_fail("latency: %s", err.msg);
	PQclear(res);
	return (int)id;
}

static void *
reader(void *arg)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	struct run *r = arg;

	while (r->seen_count < r->n) {
		int visible = look(r);
		usec_t now = clock_mono_us();
		usec_t ended = atomic_load(&r->ended);

		while (r->seen_count < visible)
			r->seen[r->seen_count++] = now;
		if (ended != 0 && now - ended > LATE_US)
			test_fail("latency: only %d of %d rows arrived", r->seen_count, r->n);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void
wait_until(usec_t when)
{
	struct timespec t = { .tv_sec = when / USEC_PER_SEC,
		.tv_nsec = when % USEC_PER_SEC * 1000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		continue;
}

static void
writer(struct run *r, struct meter *m)
{
	usec_t began = clock_mono_us();
	char id[16];

	for (int i = 0; i < r->n; i++) {
		wait_until(began + USEC_PER_SEC * i / r->spec->rate);
		snprintf(id, sizeof(id), "%d", i + 1);
		PQclear(run_prepared(r->spec->source, "latency_write", id, PGRES_COMMAND_OK));
		r->committed[i] = clock_mono_us();
		if (i % r->spec->rate == 0) /* rarely: a tick delays the next row */
			meter_tick(m);
	}
	atomic_store(&r->ended, clock_mono_us());
}

static int
compare_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static struct latency
summarize(const struct run *r)
{
	const usec_t *seen = r->seen + r->spec->warm, *committed = r->committed + r->spec->warm;
	int n = r->spec->rows;
	double *ms = xcalloc((size_t)n, sizeof(*ms));
	struct latency l;

	for (int i = 0; i < n; i++)
		ms[i] = (double)(seen[i] - committed[i]) / USEC_PER_MSEC;
	qsort(ms, (size_t)n, sizeof(*ms), compare_double);
	l = (struct latency){
		.p50 = ms[n / 2],
		.p90 = ms[(int)(n * 0.9)],
		.p99 = ms[(int)(n * 0.99)],
		.max = ms[n - 1],
		.rate = (n - 1) * 1e6 / (double)(committed[n - 1] - committed[0]),
	};
	MEM_FREE(ms);
	return l;
}

void
latency_measure(const struct latency_spec *spec, struct meter *m, struct latency *l_r)
{
	struct run r = { .spec = spec, .n = spec->warm + spec->rows };
	pthread_t thread;

	r.committed = xcalloc((size_t)r.n, sizeof(*r.committed));
	r.seen = xcalloc((size_t)r.n, sizeof(*r.seen));
	prepare(spec->source, "latency_write",
	    "INSERT INTO latency VALUES ($1::bigint, 0, now(), 0, 'latency')");
	prepare(spec->destination, "latency_look", "SELECT max(id) FROM latency");
	if (pthread_create(&thread, NULL, reader, &r) != 0)
		test_fail("could not start a thread");
	writer(&r, m);
	pthread_join(thread, NULL);
	*l_r = summarize(&r);
	MEM_FREE(r.committed);
	MEM_FREE(r.seen);
}
