/*
 * Much of it: large transactions in little memory, a snapshot under write
 * load, and an idle mirror beside a busy server.
 *
 * PEERD_TEST_LONG=1 runs the full sizes; without it they fit into CI.
 */
#include <signal.h>

#include "lib/base/clock.h"
#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/compare.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/janitor.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS	       180000
#define CONFIRM_MS     30000 /* the promise for an idle mirror */
#define IDLE_MS	       3000
#define IDLE_CPU_SHARE 0.01
#define HARD	       "'soft_delete_col_name': ''"

/* AddressSanitizer's shadow and quarantine count as resident, too. */
#if defined(__SANITIZE_ADDRESS__)
#define RSS_MAX_KB (768L * 1024)
#else
#define RSS_MAX_KB (64L * 1024)
#endif

static bool
is_long(void)
{
	const char *value = getenv("PEERD_TEST_LONG");

	return value != NULL && strcmp(value, "1") == 0;
}

static void
expect_small_worker(const char *mirror)
{
	long kb = proc_rss_kb(daemon_worker(text("mirror %s", mirror)), true);

	if (kb < 0 || kb > RSS_MAX_KB)
		test_fail("the worker took %ld KiB, more than %ld", kb, RSS_MAX_KB);
}

START_TEST(large_transaction_in_little_memory)
{
	int rows = is_long() ? 2000000 : 300000;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v text, n numeric)");
	mirror_run("large", "public.t", HARD);
	on_source("INSERT INTO t SELECT i, md5(i::text), i / 7.0 FROM generate_series(1, %d) i",
	    rows);
	table_expect_equal(rig.s, rig.d, "t", WAIT_MS);
	on_source("UPDATE t SET v = v || 'x' WHERE id %% 2 = 0");
	table_expect_equal(rig.s, rig.d, "t", WAIT_MS);
	on_source("BEGIN; DELETE FROM t WHERE id %% 3 = 0; UPDATE t SET id = -id WHERE id %% 5 = "
		  "0; COMMIT");
	table_expect_equal(rig.s, rig.d, "t", WAIT_MS);
	expect_small_worker("large");
}
END_TEST

START_TEST(large_transaction_is_visible_at_once)
{
	int rows = is_long() ? 500000 : 100000;
	char *counts;

	on_source("CREATE TABLE t (id int PRIMARY KEY)");
	mirror_run("large", "public.t", HARD);
	on_source("INSERT INTO t SELECT generate_series(1, %d)", rows);
	if (!poll_until(WAIT_MS,
		strcmp(counts = sql_text(rig.d, "SELECT count(*) FROM t"), "0") != 0))
		test_fail("nothing arrived");
	ck_assert_str_eq(text("%d", rows), counts);
}
END_TEST

/* Its commit comes when nothing else of it is left to be applied. */
START_TEST(transaction_that_ends_with_a_full_batch)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY)");
	mirror_run("large", "public.t", HARD ", 'max_batch_size': 10");
	on_source("INSERT INTO t SELECT generate_series(1, 20)");
	table_expect_equal(rig.s, rig.d, "t", WAIT_MS);
	mirror_change("large", "STATUS_PAUSED");
}
END_TEST

START_TEST(rows_of_many_megabytes)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text, b bytea)");
	on_source("ALTER TABLE t ALTER v SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL");
	on_source(
	    "INSERT INTO t SELECT i, repeat('v', 20000000 + i), NULL FROM generate_series(1, 3) i");
	mirror_run("wide", "public.t", HARD);
	on_source("INSERT INTO t VALUES (9, NULL, decode(repeat('ab', 30000000), 'hex'))");
	on_source("UPDATE t SET v = v || v WHERE id = 1");
	table_expect_equal(rig.s, rig.d, "t", WAIT_MS);
}
END_TEST

static pid_t
start_pgbench(void)
{
	const char *const argv[] = {
		cluster_program("pgbench"),
		"-n",
		"-c",
		"4",
		"-T",
		"600",
		"-R",
		"500",
		"-h",
		rig.source->sockets,
		"-p",
		text("%d", rig.source->port),
		"-U",
		CLUSTER_USER,
		"app",
		NULL,
	};
	struct proc_spec spec = { .argv = argv, .log = log_path("pgbench.log") };

	return proc_start(&spec);
}

static void
fill_with_pgbench(int scale)
{
	const char *const argv[] = {
		cluster_program("pgbench"),
		"-i",
		"-q",
		"-s",
		text("%d", scale),
		"-h",
		rig.source->sockets,
		"-p",
		text("%d", rig.source->port),
		"-U",
		CLUSTER_USER,
		"app",
		NULL,
	};
	struct proc_spec spec = { .argv = argv, .log = log_path("pgbench.log") };

	if (proc_run(&spec) != 0)
		test_fail("pgbench -i failed");
	on_source("ALTER TABLE pgbench_history REPLICA IDENTITY FULL");
}

START_TEST(pgbench_during_and_after_the_snapshot)
{
	static const char *const tables[] = { "pgbench_accounts", "pgbench_branches",
		"pgbench_tellers", "pgbench_history" };
	pid_t load;

	fill_with_pgbench(is_long() ? 50 : 3);
	load = start_pgbench();
	mirror_run("bench",
	    "public.pgbench_accounts,public.pgbench_branches,public.pgbench_tellers,"
	    "public.pgbench_history",
	    HARD
	    ", 'snapshot_num_rows_per_partition': 50000, 'snapshot_num_tables_in_parallel': 2");
	sql_wait(rig.d, WAIT_MS, "t", "SELECT count(*) > 1000 FROM pgbench_history");
	kill(load, SIGTERM);
	if (!proc_wait_gone(load, 10000))
		test_fail("pgbench does not stop");
	rig_wait_confirmed("bench", WAIT_MS);
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		table_expect_equal(rig.s, rig.d, tables[i], WAIT_MS);
	ck_assert_str_eq("f", sql_text(rig.d, "SELECT sum(delta) IS NULL FROM pgbench_history"));
	expect_small_worker("bench");
}
END_TEST

START_TEST(idle_mirror_lets_the_slot_follow)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY)");
	on_source("CREATE TABLE busy (id int PRIMARY KEY, v text)");
	mirror_run("idle", "public.t", HARD);
	on_source("INSERT INTO busy SELECT i, repeat('x', 500) FROM generate_series(1, 50000) i");
	rig_wait_confirmed("idle", CONFIRM_MS);
	on_source("CREATE DATABASE beside"); /* WAL of another database */
	rig_wait_confirmed("idle", CONFIRM_MS);
}
END_TEST

static double
cpu_of_worker_and_daemon(void)
{
	return proc_cpu_seconds(daemon_worker("mirror idle")) + proc_cpu_seconds(rig.daemon->pid);
}

START_TEST(idle_mirror_uses_no_cpu)
{
	double before;

	on_source("CREATE TABLE t (id int PRIMARY KEY)");
	on_source("INSERT INTO t VALUES (1)");
	mirror_run("idle", "public.t", HARD);
	expect_equal("t");
	rig_wait_confirmed("idle", CONFIRM_MS);
	before = cpu_of_worker_and_daemon();
	(void)poll_until(IDLE_MS, false); /* a share of CPU is measured over time */
	if (cpu_of_worker_and_daemon() - before > IDLE_CPU_SHARE * IDLE_MS / 1000.0 + 0.02)
		test_fail("idle worker and daemon used %.2f s of CPU in %d ms",
		    cpu_of_worker_and_daemon() - before, IDLE_MS);
}
END_TEST

START_TEST(one_row_does_not_wait_for_the_idle_timeout)
{
	usec_t began;

	on_source("CREATE TABLE t (id int PRIMARY KEY)");
	mirror_run("quick", "public.t", HARD ", 'idle_timeout_seconds': 60");
	for (int i = 1; i <= 5; i++) {
		on_source("INSERT INTO t VALUES (%d)", i);
		began = clock_mono_us();
		sql_wait(rig.d, WAIT_MS, text("%d", i), "SELECT count(*) FROM t");
		if (clock_mono_us() - began > 2 * USEC_PER_SEC)
			test_fail("row %d took %lld ms", i,
			    (long long)((clock_mono_us() - began) / USEC_PER_MSEC));
	}
}
END_TEST

START_TEST(many_tables)
{
	char *list = text("public.t1");

	for (int i = 1; i <= 200; i++) {
		on_source("CREATE TABLE t%d (id int PRIMARY KEY, v text)", i);
		on_source("INSERT INTO t%d VALUES (1, 'x')", i);
		if (i > 1)
			list = text("%s,public.t%d", list, i);
	}
	mirror_run("many", list, HARD ", 'snapshot_num_tables_in_parallel': 4");
	on_source(
	    "DO $$ BEGIN FOR i IN 1..200 LOOP EXECUTE format('INSERT INTO t%%s VALUES (2)', i); "
	    "END LOOP; END $$");
	for (int i = 1; i <= 200; i++)
		expect_equal(text("t%d", i));
}
END_TEST

static Suite *
large_suite(void)
{
	Suite *s = suite_create("large");
	TCase *tc = suite_case(s, "large", rig_clusters_init, rig_clusters_done, rig_init,
	    rig_done);

	tcase_set_timeout(tc, 900);
	suite_test(tc, large_transaction_in_little_memory);
	suite_test(tc, large_transaction_is_visible_at_once);
	suite_test(tc, transaction_that_ends_with_a_full_batch);
	suite_test(tc, rows_of_many_megabytes);
	suite_test(tc, pgbench_during_and_after_the_snapshot);
	suite_test(tc, idle_mirror_lets_the_slot_follow);
	suite_test(tc, idle_mirror_uses_no_cpu);
	suite_test(tc, one_row_does_not_wait_for_the_idle_timeout);
	suite_test(tc, many_tables);
	return s;
}

int
main(void)
{
	return suite_main(large_suite());
}
