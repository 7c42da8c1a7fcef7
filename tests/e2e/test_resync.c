/*
 * Resync: a mirror's tables are loaded again beside those that are there,
 * which can be read until the new ones take their place.
 */
#include <signal.h>

#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS 30000
#define HARD	"'soft_delete_col_name': ''"
#define SLOW	", 'snapshot_num_rows_per_partition': 500, 'snapshot_max_parallel_workers': 1"
#define LEFT	"SELECT count(*) FROM pg_class WHERE relname LIKE '%%resync%%'"

static void
resync_init(void)
{
	rig_init();
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source(
	    "CREATE TABLE \"Odd.name\" (\"Key\" int, k2 text, v text, PRIMARY KEY (k2, \"Key\"))");
	on_source("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 20000) i");
	on_source(
	    "INSERT INTO \"Odd.name\" SELECT i, 'k', 'row ' || i FROM generate_series(1, 100) i");
}

#define TABLES "public.t,public.\"Odd.name\""

static void
ask(void)
{
	api_expect(200,
	    api_post("/mirrors/state_change",
		json("{'flow_job_name': 'm', 'requested_flow_state': 'STATUS_RESYNC'}")));
}

/* Nothing that a stream could mend. */
static void
damage(void)
{
	sql_exec(rig.d, "UPDATE t SET v = 'wrong' WHERE id %% 2 = 0");
	sql_exec(rig.d, "DELETE FROM t WHERE id %% 3 = 0");
	sql_exec(rig.d, "INSERT INTO t VALUES (1000000, 'nobody knows it')");
}

static void
expect_mended(void)
{
	sql_wait(rig.d, WAIT_MS, "0", "SELECT count(*) FROM t WHERE v = 'wrong'");
	mirror_wait("m", "STATUS_RUNNING");
	expect_equal("t");
	expect_equal("\"Odd.name\"");
	on_source("INSERT INTO t VALUES (500000, 'new')");
	on_source("DELETE FROM \"Odd.name\" WHERE \"Key\" = 1");
	expect_equal("t");
	expect_equal("\"Odd.name\"");
	ck_assert_str_eq("0", sql_text(rig.d, LEFT));
	ck_assert_str_eq("1", sql_text(rig.s, "SELECT count(*) FROM pg_replication_slots"));
}

START_TEST(rows_that_differ_are_mended)
{
	mirror_run("m", TABLES, HARD);
	damage();
	ask();
	expect_mended();
	ck_assert_str_eq("t_pkey",
	    sql_text(rig.d,
		"SELECT conname FROM pg_constraint WHERE conrelid = 't'::regclass"
		" AND contype = 'p'"));
	ask(); /* and again */
	sql_wait(rig.d, WAIT_MS, "0", LEFT);
	mirror_wait("m", "STATUS_RUNNING");
	expect_equal("t");
}
END_TEST

static void
pause_it(void)
{
	mirror_change("m", "STATUS_PAUSED");
}

static void
let_it_fail(void)
{
	mirror_change("m", "STATUS_PAUSED");
	sql_wait(rig.s, WAIT_MS, "f", "SELECT active FROM pg_replication_slots");
	on_source("SELECT pg_drop_replication_slot('peerflow_slot_m')");
	api_expect(200,
	    api_post("/mirrors/state_change",
		json("{'flow_job_name': 'm', 'requested_flow_state': 'STATUS_RUNNING'}")));
	mirror_wait("m", "STATUS_FAILED");
}

static void (*const states[])(void) = { pause_it, let_it_fail };

START_TEST(a_mirror_that_rests_can_be_resynced)
{
	mirror_run("m", TABLES, HARD);
	states[_i]();
	damage();
	on_source("INSERT INTO t VALUES (300000, 'missed')");
	ask();
	expect_mended();
}
END_TEST

START_TEST(a_completed_mirror_completes_again)
{
	mirror_create("m", TABLES, HARD ", 'initial_snapshot_only': true");
	mirror_wait("m", "STATUS_COMPLETED");
	on_source("UPDATE t SET v = 'later'");
	damage();
	ask();
	expect_equal("t");
	mirror_wait("m", "STATUS_COMPLETED");
	ck_assert_str_eq("0", sql_text(rig.d, LEFT));
	ck_assert_str_eq("0", sql_text(rig.s, "SELECT count(*) FROM pg_replication_slots"));
}
END_TEST

/* Whoever wants to read t must wait, until the lock is let go. */
static PGconn *
stop_the_load(void)
{
	PGconn *lock = cluster_connect(rig.source, "app");

	sql_exec(lock, "BEGIN");
	sql_exec(lock, "LOCK TABLE t");
	return lock;
}

START_TEST(old_rows_can_be_read_meanwhile)
{
	PGconn *lock;

	mirror_run("m", TABLES, HARD);
	damage();
	lock = stop_the_load();
	ask();
	ck_assert(poll_until(WAIT_MS, strcmp(mirror_state("m"), "STATUS_RUNNING") != 0));
	ck_assert_str_ne("0", sql_text(rig.d, "SELECT count(*) FROM t WHERE v = 'wrong'"));
	sql_close(&lock);
	expect_mended();
}
END_TEST

static void
kill_the_worker(void)
{
	pid_t pid = daemon_worker("mirror m");

	if (pid > 0)
		kill(pid, SIGKILL);
}

static void
kill_the_daemon(void)
{
	daemon_kill(rig.daemon);
	daemon_start(rig.daemon);
}

static void (*const killers[])(void) = { kill_the_worker, kill_the_daemon };

/* Moments are taken as they come: before, in and behind the load. */
START_TEST(whoever_is_killed_it_ends_right)
{
	mirror_run("m", TABLES, HARD SLOW);
	damage();
	ask();
	for (int i = 0; i < 4; i++) {
		(void)poll_until(50 * (i + 1), strcmp(mirror_state("m"), "STATUS_RUNNING") == 0);
		killers[_i]();
	}
	expect_mended();
}
END_TEST

START_TEST(it_can_be_dropped_meanwhile)
{
	PGconn *lock;

	mirror_run("m", TABLES, HARD);
	lock = stop_the_load();
	ask();
	ck_assert(poll_until(WAIT_MS, strcmp(mirror_state("m"), "STATUS_RUNNING") != 0));
	mirror_drop("m");
	sql_close(&lock);
	ck_assert_str_eq("20000", sql_text(rig.d, "SELECT count(*) FROM t"));
	ck_assert_str_eq("0", sql_text(rig.d, LEFT));
	ck_assert_str_eq("0", sql_text(rig.s, "SELECT count(*) FROM pg_replication_slots"));
}
END_TEST

START_TEST(a_view_holds_its_table)
{
	mirror_run("m", "public.t", HARD);
	sql_exec(rig.d, "CREATE VIEW shown AS SELECT * FROM t");
	ask();
	ck_assert(poll_until(WAIT_MS, strcmp(mirror_state("m"), "STATUS_FAILED") == 0));
	ck_assert_msg(strstr(mirror_errors("m"), "view public.shown") != NULL, "%s",
	    mirror_errors("m"));
	ck_assert_str_eq("20000", sql_text(rig.d, "SELECT count(*) FROM shown"));
	/* nothing was loaded in vain */
	ck_assert_str_eq("0", sql_text(rig.d, LEFT));
	sql_exec(rig.d, "DROP VIEW shown");
	mirror_change("m", "STATUS_RUNNING");
	expect_equal("t");
	ck_assert_str_eq("0", sql_text(rig.d, LEFT));
}
END_TEST

/* A name that we need is not ours yet. */
START_TEST(a_table_of_somebody_else_is_left_alone)
{
	mirror_run("m", "public.t", HARD);
	sql_exec(rig.d, "CREATE TABLE t_resync AS SELECT 1 AS one");
	ask();
	ck_assert(poll_until(WAIT_MS, strcmp(mirror_state("m"), "STATUS_FAILED") == 0));
	ck_assert_msg(strstr(mirror_errors("m"), "t_resync") != NULL, "%s", mirror_errors("m"));
	ck_assert_str_eq("1", sql_text(rig.d, "SELECT one FROM t_resync"));
	ck_assert_str_eq("20000", sql_text(rig.d, "SELECT count(*) FROM t"));
	sql_exec(rig.d, "ALTER TABLE t_resync RENAME TO mine");
	mirror_change("m", "STATUS_RUNNING");
	expect_equal("t");
	/* what was ours for a while is not for ever */
	sql_exec(rig.d, "ALTER TABLE mine RENAME TO t_resync");
	ask();
	ck_assert(poll_until(WAIT_MS, strcmp(mirror_state("m"), "STATUS_FAILED") == 0));
	ck_assert_str_eq("1", sql_text(rig.d, "SELECT one FROM t_resync"));
	/* nor does the drop of the mirror take it */
	mirror_drop("m");
	ck_assert_str_eq("1", sql_text(rig.d, "SELECT one FROM t_resync"));
}
END_TEST

START_TEST(tables_may_not_get_in_each_others_way)
{
	const struct reply *r;

	r = api_post("/flows/cdc/create",
	    mirror_body("m", "public.t,public.\"Odd.name\":public.t_resync",
		HARD ", 'resync': true"));
	ck_assert_msg(r->status == 400, "%ld %s", r->status, r->body);
	ck_assert_msg(strstr(r->body, "t_resync") != NULL, "%s", r->body);
}
END_TEST

START_TEST(a_partitioned_table_is_not_replaced)
{
	const struct reply *r;

	sql_exec(rig.d, "CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)");
	r = api_post("/flows/cdc/create", mirror_body("m", "public.t", HARD ", 'resync': true"));
	ck_assert_msg(r->status == 400, "%ld %s", r->status, r->body);
	ck_assert_msg(strstr(r->body, "partitioned") != NULL, "%s", r->body);
}
END_TEST

START_TEST(readers_keep_their_rights)
{
	mirror_run("m", "public.t", HARD);
	sql_exec(rig.d,
	    "DO $$ BEGIN CREATE ROLE reader; EXCEPTION WHEN duplicate_object THEN END $$");
	sql_exec(rig.d, "GRANT SELECT ON t TO reader WITH GRANT OPTION");
	sql_exec(rig.d, "GRANT UPDATE (v) ON t TO PUBLIC");
	sql_exec(rig.d, "COMMENT ON TABLE t IS 'it''s ours'");
	damage();
	ask();
	sql_wait(rig.d, WAIT_MS, "0", "SELECT count(*) FROM t WHERE v = 'wrong'");
	mirror_wait("m", "STATUS_RUNNING");
	ck_assert_str_eq("t f t it's ours",
	    sql_text(rig.d,
		"SELECT concat_ws(' ', has_table_privilege('reader', 't', 'SELECT WITH GRANT"
		" OPTION'), has_table_privilege('reader', 't', 'UPDATE'),"
		" has_column_privilege('reader', 't', 'v', 'UPDATE'),"
		" obj_description('t'::regclass))"));
	sql_exec(rig.d, "DROP OWNED BY reader");
}
END_TEST

START_TEST(a_mirror_can_begin_with_it)
{
	sql_exec(rig.d, "CREATE TABLE t (id int PRIMARY KEY, v text)");
	sql_exec(rig.d, "INSERT INTO t VALUES (7, 'of another time')");
	mirror_create("m", TABLES, HARD ", 'resync': true");
	mirror_wait("m", "STATUS_RUNNING");
	expect_equal("t");
	mirror_create("m", TABLES, HARD ", 'resync': true"); /* the same again: a success */
	expect_mended();
}
END_TEST

START_TEST(rows_flagged_as_deleted_stay)
{
	mirror_run("m", "public.t", "");
	on_source("DELETE FROM t WHERE id = 5");
	sql_wait(rig.d, WAIT_MS, "1", "SELECT count(*) FROM t WHERE \"_PEERDB_IS_DELETED\"");
	sql_exec(rig.d, "UPDATE t SET v = 'wrong' WHERE id = 6");
	ask();
	sql_wait(rig.d, WAIT_MS, "0", "SELECT count(*) FROM t WHERE v = 'wrong'");
	mirror_wait("m", "STATUS_RUNNING");
	ck_assert_str_eq("5|row 5",
	    sql_text(rig.d, "SELECT id || '|' || v FROM t WHERE \"_PEERDB_IS_DELETED\""));
	ck_assert_str_eq("20000", sql_text(rig.d, "SELECT count(*) FROM t"));
}
END_TEST

/* What stopped a table is the very thing that a resync is for. */
START_TEST(a_table_that_was_stopped_goes_on)
{
	mirror_run("m", "public.t", HARD);
	on_source("ALTER TABLE t DROP COLUMN v");
	on_source("INSERT INTO t VALUES (400000)");
	ck_assert(poll_until(WAIT_MS, strcmp(mirror_errors("m"), "") != 0));
	ask();
	expect_equal("t");
	on_source("INSERT INTO t VALUES (400001)");
	expect_equal("t");
}
END_TEST

static Suite *
resync_suite(void)
{
	Suite *s = suite_create("resync");
	TCase *tc = suite_case(s, "resync", rig_clusters_init, rig_clusters_done, resync_init,
	    rig_done);

	suite_test(tc, rows_that_differ_are_mended);
	suite_loop(tc, a_mirror_that_rests_can_be_resynced, 0, 2);
	suite_test(tc, a_completed_mirror_completes_again);
	suite_test(tc, old_rows_can_be_read_meanwhile);
	suite_loop(tc, whoever_is_killed_it_ends_right, 0, 2);
	suite_test(tc, it_can_be_dropped_meanwhile);
	suite_test(tc, a_view_holds_its_table);
	suite_test(tc, a_table_of_somebody_else_is_left_alone);
	suite_test(tc, tables_may_not_get_in_each_others_way);
	suite_test(tc, a_partitioned_table_is_not_replaced);
	suite_test(tc, readers_keep_their_rights);
	suite_test(tc, a_mirror_can_begin_with_it);
	suite_test(tc, rows_flagged_as_deleted_stay);
	suite_test(tc, a_table_that_was_stopped_goes_on);
	return s;
}

int
main(void)
{
	return suite_main(resync_suite());
}
