#include "tests/bench/latency.h"

#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "tests/bench/meter.h"
#include "tests/bench/target.h"
#include "tests/harness/fail.h"

#define TICK_US USEC_PER_SEC	    /* of the meter: rarely, for it delays the next look */
#define LATE_US (20 * USEC_PER_SEC) /* after the last commit everything must be there */

struct run {
	const struct latency_spec *spec;
	int n;
	usec_t *committed, *seen; /* per row */
	_Atomic usec_t ended;	  /* when the last row was committed; 0 before */
	int seen_count;
};

static void
prepare(PGconn *c)
{
	PGresult *res = PQprepare(c, "latency",
	    "INSERT INTO latency VALUES ($1::bigint, 0, now(), 0, 'latency')", 0, NULL);

	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		test_fail("latency: %s", PQerrorMessage(c));
	PQclear(res);
}

static void
write_row(PGconn *c, int id)
{
	char words[16];
	const char *param = words;
	PGresult *res;

	snprintf(words, sizeof(words), "%d", id);
	res = PQexecPrepared(c, "latency", 1, &param, NULL, NULL, 0);
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		test_fail("latency: %s", PQerrorMessage(c));
	PQclear(res);
}

static void
wait_until(usec_t when)
{
	struct timespec t = { .tv_sec = when / USEC_PER_SEC,
		.tv_nsec = when % USEC_PER_SEC * 1000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		continue;
}

static void *
writer(void *arg)
{
	struct run *r = arg;
	usec_t began = clock_mono_us();

	for (int i = 0; i < r->n; i++) {
		wait_until(began + USEC_PER_SEC * i / r->spec->rate);
		write_row(r->spec->source, i + 1);
		r->committed[i] = clock_mono_us();
	}
	atomic_store(&r->ended, clock_mono_us());
	return NULL;
}

static void
note_seen(struct run *r)
{
	int64_t visible = r->spec->target->ops->last_id(r->spec->target);
	usec_t now = clock_mono_us(), ended = atomic_load(&r->ended);

	while (r->seen_count < r->n && r->seen_count < visible)
		r->seen[r->seen_count++] = now;
	if (ended != 0 && now - ended > LATE_US)
		test_fail("latency: only %d of %d rows arrived", r->seen_count, r->n);
}

static void
reader(struct run *r, struct meter *m)
{
	const struct timespec pause = { .tv_nsec = r->spec->target->ops->id_pause_ns };
	usec_t ticked = clock_mono_us();

	while (r->seen_count < r->n) {
		note_seen(r);
		if (clock_mono_us() - ticked > TICK_US) {
			meter_tick(m);
			ticked = clock_mono_us();
		}
		nanosleep(&pause, NULL);
	}
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
	prepare(spec->source);
	if (pthread_create(&thread, NULL, writer, &r) != 0)
		test_fail("could not start a thread");
	reader(&r, m);
	pthread_join(thread, NULL);
	*l_r = summarize(&r);
	MEM_FREE(r.committed);
	MEM_FREE(r.seen);
}
