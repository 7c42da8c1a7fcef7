#include "tests/harness/rig.h"

#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/compare.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/sql.h"

#define EQUAL_MS 30000

struct rig rig;

void
rig_clusters_init(void)
{
	rig.source = cluster_new("source", NULL);
	rig.destination = cluster_new("destination", NULL);
}

void
rig_source_init(void)
{
	rig.source = cluster_new("source", NULL);
}

void
rig_clusters_done(void)
{
	cluster_free(&rig.source);
	cluster_free(&rig.destination);
}

static void
make_fresh_database(const struct cluster *c)
{
	PGconn *conn;

	if (c == NULL)
		return;
	cluster_wipe(c);
	conn = cluster_connect(c, "postgres");
	sql_exec(conn, "CREATE DATABASE app");
	sql_close(&conn);
}

static PGconn *
connect_to_app(const struct cluster *c)
{
	PGconn *conn = cluster_connect(c, "app");

	sql_exec(conn, "SET statement_timeout = '120s'");
	return conn;
}

/* What the parent process opened stays open for it; ours are new. */
void
rig_reconnect(void)
{
	rig.s = connect_to_app(rig.source);
	if (rig.destination != NULL)
		rig.d = connect_to_app(rig.destination);
}

void
rig_init(void)
{
	make_fresh_database(rig.source);
	make_fresh_database(rig.destination);
	rig_reconnect();
	rig.daemon = daemon_new("peerd");
	api_use(rig.daemon);
	peer_create("src", rig.source, "app");
	if (rig.destination != NULL)
		peer_create("dst", rig.destination, "app");
}

/* Slots of dropped mirrors are leaks; those of living mirrors are the daemon's business. */
static void
drop_mirrors(void)
{
	const struct reply *r = api_expect(200, api_get("/mirrors/list"));
	char *names[64];
	size_t n = 0;

	for (int i = 0; n < 64 && field_at(r->json, text("mirrors.%d", i)) != NULL; i++)
		names[n++] = field_text(r->json, text("mirrors.%d.name", i));
	for (size_t i = 0; i < n; i++)
		mirror_drop(names[i]);
}

void
rig_done(void)
{
	drop_mirrors();
	sql_wait(rig.s, 5000, "(null)",
	    "SELECT string_agg(slot_name, ', ') FROM "
	    "pg_replication_slots WHERE slot_name LIKE 'peerflow%%' OR temporary");
	daemon_free(&rig.daemon);
	sql_close(&rig.s);
	sql_close(&rig.d);
}

void
rig_expect_no_trace(const char *name)
{
	sql_wait(rig.s, 5000, "(null)",
	    "SELECT string_agg(slot_name, ', ') "
	    "FROM pg_replication_slots");
	sql_wait(rig.s, 5000, "(null)",
	    "SELECT string_agg(pubname, ', ') FROM pg_publication "
	    "WHERE pubname LIKE 'peerflow%%' OR pubname LIKE '\\_peerdb%%'");
	sql_wait(rig.d, 5000, "(null)",
	    "SELECT string_agg(relname, ', ') FROM pg_class c "
	    "JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND nspname "
	    "NOT IN ('pg_catalog', 'information_schema', '_peerdb_internal')");
	if (strcmp(mirror_state(name), "STATUS_UNKNOWN") != 0)
		test_fail("mirror %s is %s, but should not exist", name, mirror_state(name));
}

void
rig_wait_confirmed(const char *mirror, int ms)
{
	const char *now = sql_text(rig.s, "SELECT pg_current_wal_lsn()");

	sql_wait(rig.s, ms, "t",
	    "SELECT confirmed_flush_lsn >= '%s' FROM pg_replication_slots "
	    "WHERE slot_name = 'peerflow_slot_%s'",
	    now, mirror);
}

void
on_source(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sql_exec(rig.s, "%s", text_v(fmt, ap));
	va_end(ap);
}

void
on_both(const char *fmt, ...)
{
	const char *statement;
	va_list ap;

	va_start(ap, fmt);
	statement = text_v(fmt, ap);
	va_end(ap);
	sql_exec(rig.s, "%s", statement);
	sql_exec(rig.d, "%s", statement);
}

void
expect_equal(const char *table)
{
	const char *columns = table_columns(rig.s, table);
	const char *words;

	if (!poll_until(EQUAL_MS,
		(words = table_difference(rig.s, table, rig.d, table, columns, NULL)) == NULL))
		test_fail("after %d ms: %s\nerrors: %s", EQUAL_MS, words, mirror_errors(""));
}
