/*
 * The data path where it is easiest to lose something: kills between two steps
 * that must agree, a destination that stalls, servers with settings of their
 * own, definitions that change at the wrong moment.
 *
 * The destination commits asynchronously by default and writes its WAL late;
 * the source gives a silent client up after a few seconds.
 */
#include <signal.h>

#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/compare.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS		 30000
#define HARD		 "'soft_delete_col_name': '', 'synced_at_col_name': ''"
#define STALL_MS	 8000 /* longer than the source's wal_sender_timeout */
#define LOCK_WAITS	 "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
#define ALIVE		 "t WHERE NOT \"_PEERDB_IS_DELETED\""
#define SOURCE_CONF	 "wal_sender_timeout = '4s'\n"
#define DESTINATION_CONF "synchronous_commit = off\nwal_writer_delay = '10s'\n"

static void
clusters_init(void)
{
	rig.source = cluster_new("source", SOURCE_CONF);
	rig.destination = cluster_new("destination", DESTINATION_CONF);
}

static bool
errors_say(const char *word)
{
	return strstr(mirror_errors("path"), word) != NULL;
}

/* ---- statements */

START_TEST(update_that_sends_only_the_key)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, big text, hidden int)");
	on_source("ALTER TABLE t ALTER big SET STORAGE EXTERNAL");
	on_source("INSERT INTO t SELECT i, repeat('b', 9000), 0 FROM generate_series(1, 3) i");
	mirror_run("path",
	    "[{\"source_table_identifier\": \"public.t\","
	    " \"destination_table_identifier\": \"public.t\", \"exclude\": [\"hidden\"]}]",
	    HARD);
	on_source("UPDATE t SET hidden = 1 WHERE id = 1");
	on_source("UPDATE t SET id = 20, hidden = 2 WHERE id = 2");
	on_source("INSERT INTO t VALUES (4, 'end', 0)");
	if (!poll_until(WAIT_MS, table_difference(rig.s, "t", rig.d, "t", "id, big", NULL) == NULL))
		test_fail("differs, errors: %s", mirror_errors("path"));
	ck_assert_str_eq("", mirror_errors("path"));
}
END_TEST

START_TEST(key_moves_onto_a_deleted_one)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, n int, big text)");
	on_source("ALTER TABLE t ALTER big SET STORAGE EXTERNAL");
	on_source("INSERT INTO t SELECT i, 0, repeat('b', 9000) FROM generate_series(1, 3) i");
	mirror_run("path", "public.t", NULL);
	on_source("DELETE FROM t WHERE id = 2");
	sql_wait(rig.d, WAIT_MS, "2", "SELECT count(*) FROM " ALIVE);
	on_source("UPDATE t SET id = 2 WHERE id = 1"); /* what is in big does not travel */
	sql_wait(rig.d, WAIT_MS, "2,3", "SELECT string_agg(id::text, ',' ORDER BY id) FROM " ALIVE);
	ck_assert_ptr_null(table_difference(rig.s, "t", rig.d, ALIVE, "id, n, big", NULL));
	ck_assert_str_eq("", mirror_errors("path"));
}
END_TEST

/* Nothing there keeps a deleted row and its successor apart. */
START_TEST(deleted_row_returns_to_a_table_without_a_key)
{
	sql_exec(rig.d, "CREATE TABLE t (id int, v text)");
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
	mirror_run("path", "public.t", NULL);
	on_source("DELETE FROM t WHERE id = 1");
	sql_wait(rig.d, WAIT_MS, "1", "SELECT count(*) FROM " ALIVE);
	on_source("INSERT INTO t VALUES (1, 'back')");
	on_source("UPDATE t SET v = v || '!'");
	on_source("BEGIN; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (2, 'c'); COMMIT");
	on_source("UPDATE t SET id = 3 WHERE id = 2");
	sql_wait(rig.d, WAIT_MS, "1 back!, 3 c",
	    "SELECT string_agg(id || ' ' || v, ', ' ORDER BY id) FROM " ALIVE);
}
END_TEST

/* A partition that came later logs its rows by something else than the root's key. */
START_TEST(partition_of_another_identity_stops_the_table)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)");
	on_source("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100)");
	on_source("CREATE TABLE t2 (id int NOT NULL, v text UNIQUE NOT NULL)");
	mirror_run("path", "public.t", HARD);
	on_source("ALTER TABLE t2 REPLICA IDENTITY USING INDEX t2_v_key");
	on_source("ALTER TABLE t ATTACH PARTITION t2 FOR VALUES FROM (100) TO (200)");
	on_source("INSERT INTO t VALUES (1, 'a'), (101, 'b')");
	expect_equal("t");
	on_source("DELETE FROM t WHERE id = 101");
	if (!poll_until(WAIT_MS, errors_say("replica identity")))
		test_fail("no word of it: %s", mirror_errors("path"));
}
END_TEST

/* Keys that are equal and yet differ: the row born and gone must not take the other along. */
START_TEST(equal_keys_of_other_bytes)
{
	on_source("CREATE TABLE t (id numeric PRIMARY KEY, v text)");
	mirror_run("path", "public.t", NULL);
	on_source(
	    "BEGIN; INSERT INTO t VALUES (1.0, 'a'); UPDATE t SET id = 1.00, v = 'b'; COMMIT");
	sql_wait(rig.d, WAIT_MS, "1.00 b", "SELECT string_agg(id || ' ' || v, ',') FROM " ALIVE);
	on_source("DELETE FROM t");
	sql_wait(rig.d, WAIT_MS, "(null)", "SELECT string_agg(id || ' ' || v, ',') FROM " ALIVE);
}
END_TEST

/* Old rows then name another column: applied as they are, changes would hit none or a wrong one. */
START_TEST(other_replica_identity_stops_the_table)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, code int NOT NULL UNIQUE, v text)");
	on_source("INSERT INTO t SELECT i, -i, 'v' FROM generate_series(1, 10) i");
	on_source("CREATE TABLE u (id int PRIMARY KEY)");
	mirror_run("path", "public.t,public.u", HARD);
	on_source("ALTER TABLE t REPLICA IDENTITY USING INDEX t_code_key");
	on_source("INSERT INTO t VALUES (11, -11, 'still carried')");
	expect_equal("t");
	on_source("UPDATE t SET id = id + 1 WHERE id = 11");
	on_source("INSERT INTO u VALUES (1)");
	expect_equal("u");
	if (!poll_until(WAIT_MS, errors_say("replica identity")))
		test_fail("no word of it: %s", mirror_errors("path"));
	ck_assert_str_eq("66", sql_text(rig.d, "SELECT sum(id) FROM t"));
	ck_assert_str_eq("STATUS_RUNNING", mirror_state("path"));
}
END_TEST

START_TEST(full_identity_given_up)
{
	on_source("CREATE TABLE t (a int NOT NULL UNIQUE, v text)");
	on_source("ALTER TABLE t REPLICA IDENTITY FULL");
	on_source("INSERT INTO t VALUES (1, 'x'), (2, 'y')");
	on_source("CREATE TABLE u (id int PRIMARY KEY)");
	mirror_run("path", "public.t,public.u", HARD);
	on_source("ALTER TABLE t REPLICA IDENTITY USING INDEX t_a_key");
	on_source("UPDATE t SET v = 'z' WHERE a = 1");
	on_source("INSERT INTO u VALUES (1)");
	expect_equal("u");
	if (!poll_until(WAIT_MS, errors_say("replica identity")))
		test_fail("no word of it: %s", mirror_errors("path"));
	ck_assert_str_eq("STATUS_RUNNING", mirror_state("path"));
}
END_TEST

/* ---- a destination that stalls */

/* A session on the destination in whose way nothing is written to the table. */
static PGconn *
lock_table(const char *table)
{
	PGconn *c = cluster_connect(rig.destination, "app");

	sql_exec(c, "BEGIN; LOCK TABLE %s IN SHARE MODE", table);
	return c;
}

START_TEST(stalled_destination_keeps_the_source_waiting)
{
	PGconn *lock;
	pid_t worker;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	mirror_run("path", "public.t", HARD ", 'max_batch_size': 10");
	worker = daemon_worker("mirror path");
	lock = lock_table("t");
	for (int i = 0; i < 50; i++)
		on_source(
		    "INSERT INTO t SELECT i, repeat('x', 5000) FROM generate_series(%d, %d) i",
		    i * 100, i * 100 + 99);
	sql_wait(rig.d, WAIT_MS, "1", LOCK_WAITS);
	(void)poll_until(STALL_MS, false); /* what is waited for is the source's patience */
	sql_close(&lock);
	/* a count first: to compare all of it over and over is more work than to apply it */
	sql_wait(rig.d, 2 * WAIT_MS, "5000", "SELECT count(*) FROM t");
	expect_equal("t");
	ck_assert_int_eq(worker, daemon_worker("mirror path"));
	ck_assert_str_eq("", mirror_errors("path"));
}
END_TEST

/* What the source was told to forget is on the destination's disk, whatever its default. */
START_TEST(confirmed_changes_survive_a_crash)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	mirror_run("path", "public.t", HARD);
	for (int i = 1; i <= 5; i++) {
		on_source("INSERT INTO t VALUES (%d, 'x')", i);
		rig_wait_confirmed("path", WAIT_MS);
	}
	mirror_change("path", "STATUS_PAUSED");
	sql_close(&rig.d);
	cluster_restart(rig.destination, CLUSTER_IMMEDIATE);
	sql_close(&rig.s);
	rig_reconnect();
	ck_assert_str_eq("5", sql_text(rig.d, "SELECT count(*) FROM t"));
	mirror_change("path", "STATUS_RUNNING");
	on_source("INSERT INTO t VALUES (6, 'x')");
	expect_equal("t");
}
END_TEST

/* Sessions that wait for work are no idle ones. */
START_TEST(timeouts_of_the_servers_do_not_count)
{
	static const char *const settings[] = { "idle_session_timeout",
		"idle_in_transaction_session_timeout", "statement_timeout", "lock_timeout" };
	pid_t worker;

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		on_both("ALTER ROLE postgres SET %s = '1s'", settings[i]);
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	mirror_run("path", "public.t", HARD);
	worker = daemon_worker("mirror path");
	(void)poll_until(3000, false);
	on_source("INSERT INTO t VALUES (1, 'x')");
	expect_equal("t");
	on_both("ALTER ROLE postgres RESET ALL");
	ck_assert_int_eq(worker, daemon_worker("mirror path"));
	ck_assert_str_eq("", mirror_errors("path"));
}
END_TEST

/* ---- definitions */

/* Looked at when the stream begins: what happened before is lost to the table. */
START_TEST(table_that_left_the_publication_is_stopped)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY)");
	on_source("CREATE TABLE u (id int PRIMARY KEY)");
	on_source("CREATE TABLE gone (id int PRIMARY KEY)");
	on_source("CREATE PUBLICATION mine FOR TABLE t, u, gone");
	mirror_run("path", "public.t,public.u,public.gone", HARD ", 'publication_name': 'mine'");
	mirror_change("path", "STATUS_PAUSED");
	on_source("ALTER PUBLICATION mine DROP TABLE t");
	on_source("DROP TABLE gone");
	on_source("ALTER TABLE u RENAME TO renamed");
	on_source("INSERT INTO t VALUES (1)");
	on_source("INSERT INTO renamed VALUES (1)");
	mirror_change("path", "STATUS_RUNNING");
	sql_wait(rig.d, WAIT_MS, "1", "SELECT count(*) FROM u");
	ck_assert(poll_until(WAIT_MS, errors_say("public.t") && errors_say("public.gone")));
	ck_assert(!errors_say("public.u"));
	ck_assert_str_eq("STATUS_RUNNING", mirror_state("path"));
}
END_TEST

static void
two_tables(void)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("CREATE TABLE u (id int PRIMARY KEY, v text)");
	mirror_run("path", "public.t,public.u", HARD);
}

/* The worker dies after it knows of the column and before the destination has it. */
START_TEST(killed_before_the_new_column_is_there)
{
	PGconn *lock;

	two_tables();
	lock = lock_table("t");
	on_source("INSERT INTO u VALUES (1, 'before')");
	on_source(
	    "BEGIN; ALTER TABLE t ADD COLUMN n int; INSERT INTO t VALUES (1, 'a', 1); COMMIT");
	sql_wait(rig.d, WAIT_MS, "1", LOCK_WAITS);
	sql_wait(rig.s, WAIT_MS, "t",
	    "SELECT confirmed_flush_lsn > restart_lsn FROM pg_replication_slots");
	(void)poll_until(1500, false); /* the worker may tell the daemon too early, or not at all */
	kill(daemon_worker("mirror path"), SIGKILL);
	sql_close(&lock);
	expect_equal("t");
	expect_equal("u");
	ck_assert_str_eq("STATUS_RUNNING", mirror_state("path"));
}
END_TEST

START_TEST(columns_added_while_paused)
{
	two_tables();
	mirror_change("path", "STATUS_PAUSED");
	on_source("ALTER TABLE t ADD COLUMN a int DEFAULT 5; INSERT INTO t VALUES (1, 'a', 1)");
	on_source("ALTER TABLE t ADD COLUMN b text DEFAULT 'b'; INSERT INTO t VALUES (2, 'b', 2)");
	on_source("INSERT INTO t SELECT i FROM generate_series(10, 60) i");
	on_source("UPDATE t SET a = a + 1, b = id::text");
	mirror_change("path", "STATUS_RUNNING");
	expect_equal("t");
	kill(daemon_worker("mirror path"), SIGKILL);
	on_source("ALTER TABLE t ADD COLUMN c int; UPDATE t SET c = id");
	expect_equal("t");
}
END_TEST

static bool
warned(const char *words)
{
	const struct reply *r = api_post("/mirrors/logs",
	    json("{'flow_job_name': 'path', 'level': 'warn', 'num_per_page': 20}"));

	return strstr(api_expect(200, r)->body, words) != NULL;
}

/* A table rewritten with values that no change brings is at least spoken of. */
START_TEST(computed_default_is_warned_of)
{
	two_tables();
	on_source("INSERT INTO t SELECT i, 'v' FROM generate_series(1, 10) i");
	expect_equal("t");
	on_source("ALTER TABLE t ADD COLUMN n serial; INSERT INTO t VALUES (11, 'v')");
	sql_wait(rig.d, WAIT_MS, "11", "SELECT count(*) FROM t");
	ck_assert_str_eq("11 11",
	    sql_text(rig.d, "SELECT id || ' ' || n FROM t WHERE n IS NOT NULL"));
	if (!poll_until(WAIT_MS, warned("before column")))
		test_fail("no word of it");
}
END_TEST

/* In a stream of binary values a column arrives whose values are text; its table is in use. */
START_TEST(text_column_in_the_middle_of_a_transaction)
{
	on_source("CREATE TYPE pair AS (a int, b text)");
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	mirror_run("path", "public.t", HARD ", 'max_batch_size': 10");
	on_source("BEGIN; INSERT INTO t SELECT i, 'v' FROM generate_series(1, 25) i;"
		  "ALTER TABLE t ADD COLUMN p pair;"
		  "UPDATE t SET p = (id, 'it''s') WHERE id > 3; COMMIT");
	on_source("INSERT INTO t VALUES (100, NULL, NULL)");
	expect_equal("t");
	on_source("UPDATE t SET p = NULL, v = NULL WHERE id < 20");
	expect_equal("t");
	ck_assert_str_eq("STATUS_RUNNING", mirror_state("path"));
}
END_TEST

/* What the catalog says of one table is no reason to end the others. */
START_TEST(table_dropped_before_its_column_could_be_read)
{
	two_tables();
	mirror_change("path", "STATUS_PAUSED");
	on_source("ALTER TABLE t ADD COLUMN n int; INSERT INTO t VALUES (1, 'a', 1)");
	on_source("DROP TABLE t");
	on_source("INSERT INTO u VALUES (1, 'b')");
	mirror_change("path", "STATUS_RUNNING");
	expect_equal("u");
	ck_assert_str_eq("STATUS_RUNNING", mirror_state("path"));
	ck_assert(poll_until(WAIT_MS, errors_say("public.t")));
}
END_TEST

/* ---- stopped tables */

/* Its destination refuses what the source has. */
static void
stop_table_t(void)
{
	sql_exec(rig.d, "CREATE TABLE t (id int PRIMARY KEY, v text CHECK (v <> 'bad'))");
	two_tables();
	on_source("INSERT INTO t VALUES (1, 'good')");
	expect_equal("t");
}

static void
expect_t_stopped(void)
{
	on_source("INSERT INTO t VALUES (3, 'good again')");
	on_source("INSERT INTO u VALUES (3, 'beside it')");
	expect_equal("u");
	ck_assert_str_eq("1", sql_text(rig.d, "SELECT string_agg(id::text, ',') FROM t"));
	ck_assert(poll_until(WAIT_MS, errors_say("public.t")));
}

/* The position moves past what was left out: that it was must be as durable. */
START_TEST(stop_is_remembered_though_the_daemon_died)
{
	stop_table_t();
	kill(rig.daemon->pid, SIGSTOP);
	on_source("INSERT INTO t VALUES (2, 'bad')");
	on_source("INSERT INTO u VALUES (2, 'goes on')");
	expect_equal("u");
	daemon_kill(rig.daemon);
	ck_assert(poll_until(WAIT_MS, daemon_worker("") == 0));
	daemon_start(rig.daemon);
	expect_t_stopped();
}
END_TEST

START_TEST(stop_outlives_a_new_column_elsewhere)
{
	stop_table_t();
	on_source("INSERT INTO t VALUES (2, 'bad')");
	ck_assert(poll_until(WAIT_MS, errors_say("public.t")));
	on_source("ALTER TABLE u ADD COLUMN n int; INSERT INTO u VALUES (2, 'b', 2)");
	expect_equal("u");
	rig_wait_confirmed("path", WAIT_MS);
	daemon_stop(rig.daemon);
	daemon_start(rig.daemon);
	expect_t_stopped();
}
END_TEST

/* ---- positions */

START_TEST(source_that_was_set_back_is_refused)
{
	two_tables();
	mirror_change("path", "STATUS_PAUSED");
	sql_exec(rig.d,
	    "UPDATE _peerdb_internal.peerdb_mirror_jobs SET lsn_offset = 1::bigint << 50");
	api_expect(200,
	    api_post("/mirrors/state_change",
		json("{'flow_job_name': 'path', 'requested_flow_state': 'STATUS_RUNNING'}")));
	mirror_wait("path", "STATUS_FAILED");
	ck_assert(errors_say("restored from a backup"));
}
END_TEST

/* ---- the initial load */

#define SMALL_PARTITIONS ", 'snapshot_num_rows_per_partition': 10000"

/* Wait until rows are being copied. */
static void
start_loading(void)
{
	pid_t pid;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 400000) i");
	on_source("DELETE FROM t WHERE id %% 2 = 0");
	mirror_create("path", "public.t", HARD SMALL_PARTITIONS);
	if (!poll_until(WAIT_MS,
		(pid = daemon_worker("snapshot path")) != 0 &&
		    strstr(proc_title(pid), "partition") != NULL))
		test_fail("no snapshot worker began: %s", mirror_errors("path"));
}

/* The load begins anew with rows that have the column; no change will bring its values. */
START_TEST(column_added_before_the_load_began_anew)
{
	start_loading();
	mirror_change("path", "STATUS_PAUSED");
	on_source("CREATE TYPE mood AS ENUM ('well', 'ill')");
	on_source("ALTER TABLE t ADD COLUMN n int, ADD COLUMN m mood,"
		  " ADD COLUMN twice bigint GENERATED ALWAYS AS (id * 2::bigint) STORED");
	on_source("UPDATE t SET n = id, m = 'well'");
	mirror_change("path", "STATUS_RUNNING");
	mirror_wait("path", "STATUS_RUNNING");
	on_source("INSERT INTO t VALUES (0, 'a', 1, 'ill')");
	expect_equal("t");
	ck_assert_str_eq("6", sql_text(rig.d, "SELECT twice FROM t WHERE id = 3"));
	daemon_stop(rig.daemon);
	daemon_start(rig.daemon);
	on_source("INSERT INTO t VALUES (-1, 'b', 2, NULL)");
	expect_equal("t");
}
END_TEST

/* A rewrite between two partitions would move rows from the one to the other. */
START_TEST(rewrite_waits_for_the_load)
{
	pid_t pid;

	start_loading();
	on_source("SET lock_timeout = '10ms'");
	for (int i = 0; i < 30 && strcmp(mirror_state("path"), "STATUS_SNAPSHOT") == 0; i++) {
		if (i % 10 == 0 && (pid = daemon_worker("snapshot path")) > 0)
			kill(pid, SIGKILL);
		(void)sql_try(rig.s, "VACUUM FULL t");
	}
	on_source("SET lock_timeout = 0");
	mirror_wait("path", "STATUS_RUNNING");
	expect_equal("t");
}
END_TEST

/* Whoever still holds the mirror's lock may be about to commit what it received. */
START_TEST(leftover_session_ends_before_the_load)
{
	PGconn *leftover = cluster_connect(rig.destination, "app");

	sql_exec(leftover, "SELECT pg_advisory_lock(hashtextextended('peerd:path', 0))");
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t VALUES (1, 'x')");
	mirror_create("path", "public.t", HARD ", 'initial_snapshot_only': true");
	mirror_wait("path", "STATUS_COMPLETED");
	ck_assert(!sql_try(leftover, "SELECT 1"));
	sql_close(&leftover);
	expect_equal("t");
}
END_TEST

/* ---- suites */

static Suite *
datapath_suite(void)
{
	Suite *s = suite_create("datapath");
	TCase *tc = suite_case(s, "datapath", clusters_init, rig_clusters_done, rig_init, rig_done);

	suite_test(tc, update_that_sends_only_the_key);
	suite_test(tc, key_moves_onto_a_deleted_one);
	suite_test(tc, deleted_row_returns_to_a_table_without_a_key);
	suite_test(tc, partition_of_another_identity_stops_the_table);
	suite_test(tc, equal_keys_of_other_bytes);
	suite_test(tc, other_replica_identity_stops_the_table);
	suite_test(tc, full_identity_given_up);
	suite_test(tc, stalled_destination_keeps_the_source_waiting);
	suite_test(tc, confirmed_changes_survive_a_crash);
	suite_test(tc, timeouts_of_the_servers_do_not_count);
	suite_test(tc, table_that_left_the_publication_is_stopped);
	suite_test(tc, killed_before_the_new_column_is_there);
	suite_test(tc, columns_added_while_paused);
	suite_test(tc, stop_is_remembered_though_the_daemon_died);
	suite_test(tc, stop_outlives_a_new_column_elsewhere);
	suite_test(tc, source_that_was_set_back_is_refused);
	suite_test(tc, column_added_before_the_load_began_anew);
	suite_test(tc, rewrite_waits_for_the_load);
	suite_test(tc, leftover_session_ends_before_the_load);
	suite_test(tc, computed_default_is_warned_of);
	suite_test(tc, text_column_in_the_middle_of_a_transaction);
	suite_test(tc, table_dropped_before_its_column_could_be_read);
	return s;
}

int
main(void)
{
	return suite_main(datapath_suite());
}
