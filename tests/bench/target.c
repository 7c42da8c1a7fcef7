#include "tests/bench/target.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "tests/bench/workload.h"
#include "tests/harness/clickhouse.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/sql.h"

/* ---- Postgres */

static void
prepare(PGconn *c, const char *name, const char *statement)
{
	PGresult *res = PQprepare(c, name, statement, 0, NULL);

	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		test_fail("%s: %s", statement, PQerrorMessage(c));
	PQclear(res);
}

static PGresult *
look(PGconn *c, const char *name, const char *param)
{
	PGresult *res = PQexecPrepared(c, name, param != NULL, &param, NULL, NULL, 0);

	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		test_fail("could not look for the %s: %s", name, PQerrorMessage(c));
	return res;
}

static void
pg_open(struct target *t)
{
	workload_reset_target(t->b, t->w);
	t->conn = cluster_connect(t->b->destination, TARGET_DB);
	if (t->w->kind != KIND_SNAPSHOT)
		prepare(t->conn, "marker", "SELECT 1 FROM marker WHERE name = $1");
	if (t->w->kind == KIND_LATENCY)
		prepare(t->conn, "last id", "SELECT max(id) FROM latency");
}

static bool
pg_has_all(const struct target *t, const char *marker)
{
	PGresult *res = look(t->conn, "marker", marker);
	bool there = PQntuples(res) == 1;

	PQclear(res);
	return there;
}

static int64_t
pg_last_id(const struct target *t)
{
	PGresult *res = look(t->conn, "last id", NULL);
	struct err err;
	int64_t id;

	if (!str_to_i64(PQgetvalue(res, 0, 0), 0, INT32_MAX, &id, &err))
		test_fail("latency: %s", err.msg);
	PQclear(res);
	return id;
}

static char *
pg_digest(const struct target *t)
{
	return workload_digest(t->b, t->w);
}

static void
pg_close(struct target *t)
{
	sql_close(&t->conn);
}

static const struct target_ops pg_ops = {
	.open = pg_open,
	.close = pg_close,
	.has_all = pg_has_all,
	.last_id = pg_last_id,
	.digest = pg_digest,
	.all_pause_ns = 5000000,
	.id_pause_ns = 100000,
};

/* ---- ClickHouse: a statement is a request, and the tables appear when peerd makes them */

static void
ch_open(struct target *t)
{
	clickhouse_exec(t->b->engine, "DROP DATABASE IF EXISTS " TARGET_DB);
	clickhouse_exec(t->b->engine, "CREATE DATABASE " TARGET_DB);
}

static bool
is_there(const struct target *t, const char *table)
{
	return clickhouse_i64(t->b->engine, "EXISTS TABLE " TARGET_DB ".%s", table) == 1;
}

/* Tables move on their own: the marker may be there before the last rows of another. */
static bool
ch_has_all(const struct target *t, const char *marker)
{
	return is_there(t, "marker") &&
	    clickhouse_i64(t->b->engine,
		"SELECT count() FROM " TARGET_DB ".marker WHERE name = '%s'", marker) > 0 &&
	    (t->w->last_lsn == 0 ||
		clickhouse_i64(t->b->engine,
		    "SELECT max(_peerdb_version) >= %llu FROM " TARGET_DB ".%s",
		    (unsigned long long)t->w->last_lsn, t->w->tables) == 1);
}

static int64_t
ch_last_id(const struct target *t)
{
	return clickhouse_i64(t->b->engine, "SELECT max(id) FROM " TARGET_DB ".%s FINAL",
	    t->w->tables);
}

static char *
ch_digest(const struct target *t)
{
	return clickhouse_text(t->b->engine,
	    "SELECT %s FROM " TARGET_DB ".%s FINAL WHERE _peerdb_is_deleted = 0", t->w->check,
	    t->w->tables);
}

static void
ch_close(struct target *t)
{
	(void)t;
}

static const struct target_ops ch_ops = {
	.open = ch_open,
	.close = ch_close,
	.has_all = ch_has_all,
	.last_id = ch_last_id,
	.digest = ch_digest,
	.all_pause_ns = 50000000,
	.id_pause_ns = 20000000,
};

/* ---- any */

struct target
target_open(const struct bench *b, const struct workload *w, enum side side)
{
	static const struct target_ops *const kinds[TO_COUNT] = {
		[TO_POSTGRES] = &pg_ops,
		[TO_CLICKHOUSE] = &ch_ops,
		[TO_KAFKA] = &target_kafka_ops,
	};
	struct target t = { .ops = kinds[w->to], .b = b, .w = w };

	if (side == SIDE_MOCK)
		t.ops = &target_mock_ops;
	t.ops->open(&t);
	return t;
}

void
target_close(struct target *t)
{
	t->ops->close(t);
}
