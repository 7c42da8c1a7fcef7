#include "tests/bench/side.h"

#include "tests/bench/workload.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/sql.h"

#define SUBSCRIPTION "bench"

/* A subscription wants the tables to be there, key and all. */
static void
native_ready(const struct bench *b, const struct workload *w)
{
	if (w->kind == KIND_SNAPSHOT)
		workload_make_empty(b, w);
}

static void
subscribe(const struct bench *b, const struct workload *w, const char *options)
{
	PGconn *conn = cluster_connect(b->destination, TARGET_DB);

	sql_exec(conn,
	    "CREATE SUBSCRIPTION " SUBSCRIPTION " CONNECTION %s PUBLICATION %s WITH (%s)",
	    sql_literal(conn, bench_conninfo(b->source, SOURCE_DB)), workload_publication(w),
	    options);
	sql_close(&conn);
}

static void
native_snapshot(const struct bench *b, const struct workload *w)
{
	subscribe(b, w, "slot_name = '" RUN_SLOT "'");
}

static bool
native_copied(const struct target *t)
{
	return sql_i64(t->conn,
		   "SELECT count(*) FROM pg_subscription_rel "
		   "WHERE srsubstate NOT IN ('s', 'r')") == 0;
}

static void
native_stream(const struct bench *b, const struct workload *w)
{
	subscribe(b, w, "create_slot = false, slot_name = '" RUN_SLOT "', copy_data = false");
}

static void
native_stop(const struct bench *b)
{
	PGconn *conn = cluster_connect(b->destination, TARGET_DB);

	sql_exec(conn, "ALTER SUBSCRIPTION " SUBSCRIPTION " DISABLE");
	sql_exec(conn, "ALTER SUBSCRIPTION " SUBSCRIPTION " SET (slot_name = NONE)");
	sql_exec(conn, "DROP SUBSCRIPTION " SUBSCRIPTION);
	sql_close(&conn);
}

static char *
native_trouble(const struct bench *b)
{
	return text("see %s", b->destination->log);
}

const struct side_ops side_native = {
	.ready = native_ready,
	.snapshot = native_snapshot,
	.copied = native_copied,
	.stream = native_stream,
	.stop = native_stop,
	.trouble = native_trouble,
};
