/*
 * The life of a mirror: pause, resume, terminate, restart of the daemon, and
 * the ways to begin (snapshot only, no snapshot, a slot that exists).
 */
#include <signal.h>

#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS	  30000
#define HARD	  "'soft_delete_col_name': ''"
#define SLOTS	  "SELECT count(*) FROM pg_replication_slots"
#define PUBLISHED "SELECT count(*) FROM pg_publication"

static void
life_init(void)
{
	rig_init();
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 1000) i");
}

static void
run_t(void)
{
	mirror_run("life", "public.t", HARD);
	expect_equal("t");
}

START_TEST(slot_and_publication_have_their_names)
{
	run_t();
	ck_assert_str_eq("peerflow_slot_life",
	    sql_text(rig.s,
		"SELECT slot_name FROM pg_replication_slots "
		"WHERE NOT temporary"));
	ck_assert_str_eq("peerflow_pub_life",
	    sql_text(rig.s, "SELECT pubname FROM pg_publication"));
}
END_TEST

START_TEST(pause_holds_and_resume_catches_up)
{
	run_t();
	mirror_change("life", "STATUS_PAUSED");
	ck_assert(poll_until(WAIT_MS, daemon_worker("mirror life") == 0));
	on_source("UPDATE t SET v = 'while paused' WHERE id <= 10");
	ck_assert_str_eq("0", sql_text(rig.d, "SELECT count(*) FROM t WHERE v = 'while paused'"));
	mirror_change("life", "STATUS_RUNNING");
	expect_equal("t");
}
END_TEST

START_TEST(pause_finishes_what_was_received)
{
	run_t();
	on_source("UPDATE t SET v = 'before pause'");
	expect_equal("t");
	mirror_change("life", "STATUS_PAUSED");
	/* the server notices a little later that its reader has gone */
	sql_wait(rig.s, 10000, "t",
	    "SELECT confirmed_flush_lsn > '0/0' AND NOT active FROM pg_replication_slots");
}
END_TEST

START_TEST(pause_and_resume_can_be_repeated)
{
	run_t();
	mirror_change("life", "STATUS_RUNNING");
	mirror_change("life", "STATUS_PAUSED");
	mirror_change("life", "STATUS_PAUSED");
	mirror_change("life", "STATUS_RUNNING");
	on_source("DELETE FROM t WHERE id %% 2 = 0");
	expect_equal("t");
}
END_TEST

START_TEST(terminate_leaves_only_the_tables)
{
	run_t();
	mirror_drop("life");
	ck_assert_str_eq("0", sql_text(rig.s, SLOTS));
	ck_assert_str_eq("0", sql_text(rig.s, PUBLISHED));
	ck_assert_str_eq("1000", sql_text(rig.d, "SELECT count(*) FROM t"));
	ck_assert_str_eq("0",
	    sql_text(rig.d,
		"SELECT count(*) FROM pg_stat_activity WHERE datname = 'app' "
		"AND application_name LIKE 'peerd%%'"));
}
END_TEST

START_TEST(terminate_works_while_paused)
{
	run_t();
	mirror_change("life", "STATUS_PAUSED");
	mirror_drop("life");
	ck_assert_str_eq("0", sql_text(rig.s, SLOTS));
}
END_TEST

START_TEST(name_can_be_used_again)
{
	run_t();
	mirror_drop("life");
	sql_exec(rig.d, "DROP TABLE t");
	on_source("DELETE FROM t WHERE id > 500");
	run_t();
}
END_TEST

START_TEST(snapshot_only_completes)
{
	mirror_create("life", "public.t", HARD ", 'initial_snapshot_only': true");
	mirror_wait("life", "STATUS_COMPLETED");
	expect_equal("t");
	ck_assert_str_eq("0", sql_text(rig.s, SLOTS));
	ck_assert_str_eq("0", sql_text(rig.s, PUBLISHED));
	ck_assert(poll_until(WAIT_MS, daemon_worker("mirror life") == 0));
	ck_assert_str_eq("", mirror_errors("life"));
}
END_TEST

START_TEST(snapshot_only_needs_no_key)
{
	on_source("CREATE TABLE heap (a int)");
	on_source("INSERT INTO heap VALUES (1), (1), (NULL)");
	mirror_create("life", "public.heap", HARD ", 'initial_snapshot_only': true");
	mirror_wait("life", "STATUS_COMPLETED");
	expect_equal("heap");
}
END_TEST

START_TEST(without_snapshot_only_changes_arrive)
{
	mirror_run("life", "public.t", HARD ", 'do_initial_snapshot': false");
	on_source("INSERT INTO t VALUES (2001, 'new')");
	sql_wait(rig.d, WAIT_MS, "2001", "SELECT string_agg(id::text, ',') FROM t");
}
END_TEST

START_TEST(given_slot_and_publication_are_used)
{
	on_source("CREATE PUBLICATION mine FOR TABLE t");
	on_source("SELECT pg_create_logical_replication_slot('my_slot', 'pgoutput')");
	on_source("INSERT INTO t VALUES (2001, 'after the slot')");
	mirror_run("life", "public.t",
	    HARD ", 'do_initial_snapshot': false, 'publication_name': 'mine', "
		 "'replication_slot_name': 'my_slot'");
	sql_wait(rig.d, WAIT_MS, "2001", "SELECT string_agg(id::text, ',') FROM t");
	mirror_drop("life");
	ck_assert_str_eq("mine",
	    sql_text(rig.s, "SELECT string_agg(pubname, ',') FROM pg_publication"));
	on_source("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
}
END_TEST

START_TEST(daemon_restart_goes_on)
{
	run_t();
	daemon_stop(rig.daemon);
	on_source("UPDATE t SET v = 'while down' WHERE id <= 10");
	daemon_start(rig.daemon);
	mirror_wait("life", "STATUS_RUNNING");
	expect_equal("t");
}
END_TEST

START_TEST(daemon_death_ends_its_workers)
{
	run_t();
	daemon_kill(rig.daemon);
	ck_assert(poll_until(WAIT_MS, daemon_worker("") == 0));
	on_source("UPDATE t SET v = 'while down' WHERE id <= 10");
	daemon_start(rig.daemon);
	expect_equal("t");
}
END_TEST

START_TEST(paused_stays_paused_over_a_restart)
{
	run_t();
	mirror_change("life", "STATUS_PAUSED");
	daemon_stop(rig.daemon);
	daemon_start(rig.daemon);
	ck_assert_str_eq("STATUS_PAUSED", mirror_state("life"));
	ck_assert_int_eq(0, daemon_worker("mirror life"));
	mirror_change("life", "STATUS_RUNNING");
}
END_TEST

START_TEST(killed_worker_comes_back)
{
	pid_t first;

	run_t();
	first = daemon_worker("mirror life");
	ck_assert_int_gt(first, 0);
	kill(first, SIGKILL);
	on_source("UPDATE t SET v = 'after the kill' WHERE id <= 10");
	expect_equal("t");
	ck_assert_int_ne(first, daemon_worker("mirror life"));
}
END_TEST

START_TEST(destination_restart_is_survived)
{
	run_t();
	sql_close(&rig.d);
	cluster_restart(rig.destination, CLUSTER_FAST);
	on_source("UPDATE t SET v = 'after the restart' WHERE id <= 10");
	sql_close(&rig.s);
	rig_reconnect();
	expect_equal("t");
	ck_assert_str_eq("STATUS_RUNNING", mirror_state("life"));
}
END_TEST

START_TEST(source_restart_is_survived)
{
	run_t();
	sql_close(&rig.s);
	sql_close(&rig.d);
	cluster_restart(rig.source, CLUSTER_FAST);
	rig_reconnect();
	on_source("UPDATE t SET v = 'after the restart' WHERE id <= 10");
	expect_equal("t");
}
END_TEST

/* It waits for its readers until they have confirmed all, also what is not of their tables. */
START_TEST(source_stops_while_others_use_it)
{
	run_t();
	on_source("CREATE TABLE other AS SELECT generate_series(1, 100000)");
	sql_close(&rig.s);
	sql_close(&rig.d);
	cluster_restart(rig.source, CLUSTER_FAST);
	rig_reconnect();
	on_source("UPDATE t SET v = 'after the restart' WHERE id <= 10");
	expect_equal("t");
}
END_TEST

#define SLOT "'peerflow_slot_life'"

static const char *const slot_moves[] = {
	"SELECT pg_replication_slot_advance(" SLOT ", pg_current_wal_lsn())",
	"SELECT pg_drop_replication_slot(" SLOT ");"
	" SELECT pg_create_logical_replication_slot(" SLOT ", 'pgoutput')",
};

#define NSLOT_MOVES (sizeof(slot_moves) / sizeof(slot_moves[0]))

/* Without a word the changes that it does not have any more would be missing. */
START_TEST(slot_that_was_moved_is_told_of)
{
	run_t();
	mirror_change("life", "STATUS_PAUSED");
	on_source("UPDATE t SET v = 'unseen'");
	sql_wait(rig.s, WAIT_MS, "f", "SELECT active FROM pg_replication_slots");
	on_source("%s", slot_moves[_i]);
	api_expect(200,
	    api_post("/mirrors/state_change",
		"{\"flowJobName\": \"life\", \"requestedFlowState\": \"STATUS_RUNNING\"}"));
	mirror_wait("life", "STATUS_FAILED");
	ck_assert_msg(strstr(mirror_errors("life"), "past the mirror's position") != NULL, "%s",
	    mirror_errors("life"));
}
END_TEST

START_TEST(source_stops_while_the_mirror_is_paused)
{
	run_t();
	mirror_change("life", "STATUS_PAUSED");
	sql_close(&rig.s);
	sql_close(&rig.d);
	cluster_restart(rig.source, CLUSTER_FAST);
	rig_reconnect();
	mirror_change("life", "STATUS_RUNNING");
	on_source("UPDATE t SET v = 'x'");
	expect_equal("t");
}
END_TEST

START_TEST(two_mirrors_do_not_disturb_each_other)
{
	on_source("CREATE TABLE u (id int PRIMARY KEY, v text)");
	mirror_create("life", "public.t", HARD);
	mirror_create("other", "public.u", HARD);
	mirror_wait("life", "STATUS_RUNNING");
	mirror_wait("other", "STATUS_RUNNING");
	mirror_change("life", "STATUS_PAUSED");
	on_source("INSERT INTO u VALUES (1, 'goes on')");
	expect_equal("u");
	mirror_drop("life");
	on_source("INSERT INTO u VALUES (2, 'still')");
	expect_equal("u");
}
END_TEST

START_TEST(title_tells_state_and_no_secret)
{
	pid_t pid;

	run_t();
	pid = daemon_worker("mirror life");
	ck_assert(poll_until(WAIT_MS, strstr(proc_title(pid), "RUNNING") != NULL));
	ck_assert_ptr_null(strstr(proc_title(pid), CLUSTER_PASSWORD));
	ck_assert_ptr_null(strstr(proc_title(pid), "Tr0ub4dor"));
}
END_TEST

START_TEST(interrupted_snapshot_starts_over_and_ends_right)
{
	on_source("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1001, 200000) i");
	mirror_create("life", "public.t", HARD ", 'snapshot_num_rows_per_partition': 10000");
	ck_assert(poll_until(WAIT_MS,
	    daemon_worker("snapshot life") != 0 ||
		strcmp(mirror_state("life"), "STATUS_RUNNING") == 0));
	kill(daemon_worker("mirror life"), SIGKILL);
	on_source("UPDATE t SET v = 'changed' WHERE id %% 3 = 0");
	on_source("DELETE FROM t WHERE id %% 7 = 0");
	mirror_wait("life", "STATUS_RUNNING");
	expect_equal("t");
}
END_TEST

START_TEST(killed_snapshot_worker_is_survived)
{
	pid_t pid = 0;

	on_source("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1001, 200000) i");
	mirror_create("life", "public.t", HARD ", 'snapshot_num_rows_per_partition': 10000");
	ck_assert(poll_until(WAIT_MS,
	    (pid = daemon_worker("snapshot life")) != 0 ||
		strcmp(mirror_state("life"), "STATUS_RUNNING") == 0));
	if (pid != 0)
		kill(pid, SIGKILL);
	mirror_wait("life", "STATUS_RUNNING");
	expect_equal("t");
}
END_TEST

START_TEST(snapshot_can_be_paused)
{
	on_source("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1001, 200000) i");
	mirror_create("life", "public.t", HARD ", 'snapshot_num_rows_per_partition': 10000");
	mirror_change("life", "STATUS_PAUSED");
	ck_assert(poll_until(WAIT_MS, daemon_worker("") == 0));
	on_source("UPDATE t SET v = 'while paused' WHERE id %% 10 = 0");
	mirror_change("life", "STATUS_RUNNING");
	expect_equal("t");
}
END_TEST

START_TEST(snapshot_can_be_terminated)
{
	on_source("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1001, 200000) i");
	mirror_create("life", "public.t", HARD ", 'snapshot_num_rows_per_partition': 10000");
	mirror_drop("life");
	ck_assert_str_eq("0", sql_text(rig.s, SLOTS));
	ck_assert_str_eq("0", sql_text(rig.s, PUBLISHED));
}
END_TEST

static void
add_tests(TCase *tc)
{
	suite_test(tc, slot_and_publication_have_their_names);
	suite_test(tc, pause_holds_and_resume_catches_up);
	suite_test(tc, pause_finishes_what_was_received);
	suite_test(tc, pause_and_resume_can_be_repeated);
	suite_test(tc, terminate_leaves_only_the_tables);
	suite_test(tc, terminate_works_while_paused);
	suite_test(tc, name_can_be_used_again);
	suite_test(tc, snapshot_only_completes);
	suite_test(tc, snapshot_only_needs_no_key);
	suite_test(tc, without_snapshot_only_changes_arrive);
	suite_test(tc, given_slot_and_publication_are_used);
	suite_test(tc, two_mirrors_do_not_disturb_each_other);
	suite_test(tc, title_tells_state_and_no_secret);
}

static void
add_trouble_tests(TCase *tc)
{
	suite_test(tc, daemon_restart_goes_on);
	suite_test(tc, daemon_death_ends_its_workers);
	suite_test(tc, paused_stays_paused_over_a_restart);
	suite_test(tc, killed_worker_comes_back);
	suite_test(tc, destination_restart_is_survived);
	suite_test(tc, source_restart_is_survived);
	suite_test(tc, source_stops_while_others_use_it);
	suite_loop(tc, slot_that_was_moved_is_told_of, 0, NSLOT_MOVES);
	suite_test(tc, source_stops_while_the_mirror_is_paused);
	suite_test(tc, interrupted_snapshot_starts_over_and_ends_right);
	suite_test(tc, killed_snapshot_worker_is_survived);
	suite_test(tc, snapshot_can_be_paused);
	suite_test(tc, snapshot_can_be_terminated);
}

static Suite *
life_suite(void)
{
	Suite *s = suite_create("life");

	add_tests(suite_case(s, "life", rig_clusters_init, rig_clusters_done, life_init, rig_done));
	add_trouble_tests(
	    suite_case(s, "trouble", rig_clusters_init, rig_clusters_done, life_init, rig_done));
	return s;
}

int
main(void)
{
	return suite_main(life_suite());
}
