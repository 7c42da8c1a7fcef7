/*
 * The pipe: two connections read half the table's blocks each, inside one
 * exported snapshot, and hand what they read to COPY as it is; the key is built
 * at the end. No daemon, no slot, no state: what remains when all of that costs nothing.
 */
#include "tests/bench/side.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tests/bench/copy.h"
#include "tests/bench/workload.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/sql.h"

#define HALVES 2

/* As peerd builds keys. */
#define KEY_SETTINGS                           \
	"SET maintenance_work_mem = '512MB'; " \
	"SET max_parallel_maintenance_workers = 2; "

struct half {
	pthread_t thread;
	PGconn *from, *to;
};

/* One at a time. Threads make no texts: those are written before they start. */
static struct {
	PGconn *keeper; /* of the snapshot */
	const char *key;
	const char *copy_in, *add_key;
	struct half halves[HALVES];
	atomic_int left; /* halves under way */
	atomic_bool done;
} pipe_;

/* The table as the other sides make it, its key taken off. */
static void
pipe_ready(const struct bench *b, const struct workload *w)
{
	PGconn *c;

	workload_make_empty(b, w);
	c = cluster_connect(b->destination, TARGET_DB);
	pipe_.key = sql_text(c,
	    "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
	    "WHERE conrelid = '%s'::regclass AND contype = 'p'",
	    w->tables);
	sql_exec(c, "ALTER TABLE %s DROP CONSTRAINT %s_pkey", w->tables, w->tables);
	sql_close(&c);
}

static void *
copy_half(void *arg)
{
	struct half *h = arg;

	copy_begin(h->to, pipe_.copy_in, PGRES_COPY_IN);
	copy_relay(h->from, h->to);
	if (atomic_fetch_sub(&pipe_.left, 1) == 1) {
		copy_begin(h->to, pipe_.add_key, PGRES_COMMAND_OK);
		atomic_store(&pipe_.done, true);
	}
	return NULL;
}

static void
start_half(const struct bench *b, struct half *h, const char *snapshot, const char *copy_out)
{
	h->from = cluster_connect(b->source, SOURCE_DB);
	h->to = cluster_connect(b->destination, TARGET_DB);
	sql_exec(h->from, "BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '%s'",
	    snapshot);
	copy_begin(h->from, copy_out, PGRES_COPY_OUT);
	if (pthread_create(&h->thread, NULL, copy_half, h) != 0)
		test_fail("could not start a thread");
}

static void
pipe_snapshot(const struct bench *b, const struct workload *w)
{
	static const char *const operators[HALVES] = { "<", ">=" };
	const char *snapshot;
	int64_t middle;

	pipe_.keeper = cluster_connect(b->source, SOURCE_DB);
	sql_exec(pipe_.keeper, "BEGIN ISOLATION LEVEL REPEATABLE READ");
	snapshot = sql_text(pipe_.keeper, "SELECT pg_export_snapshot()");
	middle = sql_i64(pipe_.keeper,
	    "SELECT pg_relation_size('%s') / current_setting('block_size')::bigint / 2", w->tables);
	pipe_.copy_in = text("COPY %s FROM STDIN (FORMAT binary)", w->tables);
	pipe_.add_key = text(KEY_SETTINGS "ALTER TABLE %s ADD %s", w->tables, pipe_.key);
	atomic_store(&pipe_.left, HALVES);
	atomic_store(&pipe_.done, false);
	for (int i = 0; i < HALVES; i++)
		start_half(b, &pipe_.halves[i], snapshot,
		    text("COPY (SELECT * FROM %s WHERE ctid %s '(%lld,0)'::tid) "
			 "TO STDOUT (FORMAT binary)",
			w->tables, operators[i], (long long)middle));
}

static bool
pipe_copied(const struct target *t)
{
	return atomic_load(&pipe_.done);
}

static void
pipe_stop(const struct bench *b)
{
	for (int i = 0; i < HALVES; i++) {
		pthread_join(pipe_.halves[i].thread, NULL);
		sql_close(&pipe_.halves[i].from);
		sql_close(&pipe_.halves[i].to);
	}
	sql_close(&pipe_.keeper);
}

static char *
pipe_trouble(const struct bench *b)
{
	return text("see %s", b->destination->log);
}

const struct side_ops side_pipe = {
	.ready = pipe_ready,
	.snapshot = pipe_snapshot,
	.copied = pipe_copied,
	.stop = pipe_stop,
	.trouble = pipe_trouble,
};
