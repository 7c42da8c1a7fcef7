/*
 * Resync into ClickHouse: the tables are loaded again under other names and
 * change places with those that were there.
 */
#include <signal.h>

#include "tests/harness/api.h"
#include "tests/harness/chrig.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/httpfault.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/rig.h"
#include "tests/harness/suite.h"

#define WAIT_MS 60000
#define ROWS	50000
#define LEFT                                                                                   \
	"SELECT count() FROM system.tables WHERE database = 'app' AND (name LIKE '%%resync%%'" \
	" OR name LIKE '%%old%%')"

static void
create_t(void)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, %d) i", ROWS);
}

static void
ask(void)
{
	api_expect(200,
	    api_post("/mirrors/state_change",
		json("{'flow_job_name': 'm', 'requested_flow_state': 'STATUS_RESYNC'}")));
}

static void
damage(void)
{
	clickhouse_exec(chrig.ch, "TRUNCATE TABLE app.t");
	clickhouse_exec(chrig.ch,
	    "INSERT INTO app.t (id, v, _peerdb_version) VALUES (1000000, 'nobody knows it', 1)");
}

static void
expect_rows(void)
{
	chrig_expect_equal("SELECT id, v FROM t ORDER BY id",
	    "SELECT id, v FROM app.t FINAL WHERE _peerdb_is_deleted = 0 ORDER BY id", WAIT_MS);
}

static void
expect_mended(void)
{
	if (!poll_until(WAIT_MS,
		clickhouse_i64(chrig.ch, "SELECT count() FROM app.t WHERE id = 1000000") == 0))
		test_fail("the mirror is %s: %s", mirror_state("m"), mirror_errors("m"));
	mirror_wait("m", "STATUS_RUNNING");
	ck_assert_int_eq(clickhouse_i64(chrig.ch, "SELECT count() FROM app.t"), ROWS);
	ck_assert_int_eq(clickhouse_i64(chrig.ch, LEFT), 0);
	on_source("UPDATE t SET v = 'changed' WHERE id = 5");
	on_source("DELETE FROM t WHERE id = 6");
	on_source("INSERT INTO t VALUES (300000, 'new')");
	expect_rows();
}

START_TEST(rows_that_differ_are_mended)
{
	create_t();
	mirror_run("m", "public.t:t", "");
	damage();
	ask();
	expect_mended();
}
END_TEST

/* Its rows go all at once: there is no moment with half of them. */
START_TEST(a_reader_sees_the_old_rows_or_the_new)
{
	httpfault_add(chrig.proxy,
	    (struct httpfault_rule){ .kind = HTTPFAULT_HOLD,
		.match = "INSERT INTO `app`.`t_resync`" });

	create_t();
	mirror_run("m", "public.t:t", "");
	damage();
	ask();
	ck_assert(poll_until(WAIT_MS, httpfault_waiting(chrig.proxy) > 0));
	ck_assert_int_eq(clickhouse_i64(chrig.ch, "SELECT count() FROM app.t"), 1);
	httpfault_clear(chrig.proxy);
	httpfault_release(chrig.proxy);
	expect_mended();
}
END_TEST

START_TEST(it_makes_the_table_that_is_gone)
{
	create_t();
	mirror_run("m", "public.t:t", "");
	clickhouse_exec(chrig.ch, "DROP TABLE app.t");
	ask();
	if (!poll_until(WAIT_MS,
		clickhouse_i64(chrig.ch,
		    "SELECT count() FROM system.tables WHERE database = 'app' AND name = 't'") ==
		    1))
		test_fail("%s", mirror_errors("m"));
	expect_mended();
}
END_TEST

START_TEST(a_killed_worker_begins_again)
{
	create_t();
	mirror_run("m", "public.t:t", "");
	damage();
	ask();
	for (int i = 0; i < 4; i++) {
		pid_t pid;

		(void)poll_until(60 * (i + 1), strcmp(mirror_state("m"), "STATUS_RUNNING") == 0);
		pid = daemon_worker("mirror m");
		if (pid > 0)
			kill(pid, SIGKILL);
	}
	expect_mended();
}
END_TEST

START_TEST(it_loads_beside_a_table_that_was_there)
{
	create_t();
	clickhouse_exec(chrig.ch,
	    "CREATE TABLE app.t (id Int32, v String) ENGINE = MergeTree ORDER BY id");
	clickhouse_exec(chrig.ch, "INSERT INTO app.t VALUES (1000000, 'of another time')");
	mirror_create("m", "public.t:t", "'resync': true");
	mirror_wait("m", "STATUS_RUNNING");
	expect_mended();
}
END_TEST

#define OWN_TABLE                                                               \
	"CREATE TABLE app.t (id Int32, v String, mine UInt8 DEFAULT 7,"         \
	" _peerdb_synced_at DateTime DEFAULT now(), _peerdb_is_deleted UInt8,"  \
	" _peerdb_version UInt64) ENGINE = ReplacingMergeTree(_peerdb_version)" \
	" PARTITION BY id %% 2 ORDER BY id"
#define MINE "SELECT count() FROM app.t WHERE mine = 7"

START_TEST(a_table_that_was_there_keeps_its_shape)
{
	create_t();
	on_source("ALTER TABLE t ALTER v SET NOT NULL");
	clickhouse_exec(chrig.ch, OWN_TABLE);
	clickhouse_exec(chrig.ch,
	    "INSERT INTO app.t (id, v, _peerdb_version) VALUES (1000000, 'of another time', 1)");
	mirror_create("m", "public.t:t", "'resync': true");
	mirror_wait("m", "STATUS_RUNNING");
	ck_assert_int_eq(clickhouse_i64(chrig.ch, MINE), ROWS);
	damage();
	ask();
	expect_mended();
	ck_assert_int_ge(clickhouse_i64(chrig.ch, MINE), ROWS);
}
END_TEST

START_TEST(a_table_of_somebody_else_is_left_alone)
{
	create_t();
	mirror_run("m", "public.t:t", "");
	clickhouse_exec(chrig.ch, "CREATE TABLE app.t_resync (one UInt8) ENGINE = Memory");
	ask();
	if (!poll_until(WAIT_MS, strcmp(mirror_state("m"), "STATUS_FAILED") == 0))
		test_fail("the mirror is %s", mirror_state("m"));
	ck_assert_msg(strstr(mirror_errors("m"), "t_resync") != NULL, "%s", mirror_errors("m"));
	mirror_drop("m");
	ck_assert_int_eq(clickhouse_i64(chrig.ch, "SELECT count() FROM app.t_resync"), 0);
}
END_TEST

static void
make_ordinary(const char *query, const char *settings)
{
	const struct clickhouse_request r = { .query = query, .settings = settings, .body = "" };
	struct clickhouse_reply reply = clickhouse_call(chrig.ch, &r);

	ck_assert_msg(reply.status == 200, "%s", reply.body);
}

START_TEST(where_tables_cannot_be_exchanged_they_are_renamed)
{
	if (chrig.kind == CH_CURRENT) {
		clickhouse_exec(chrig.ch, "DROP DATABASE app");
		make_ordinary("CREATE DATABASE app ENGINE = Ordinary",
		    "allow_deprecated_database_ordinary=1");
	}
	create_t();
	mirror_run("m", "public.t:t", "");
	damage();
	ask();
	/* for a moment there is no table */
	clickhouse_wait(chrig.ch, WAIT_MS, "0", "SELECT count() FROM app.t WHERE id = 1000000");
	expect_mended();
}
END_TEST

static void
add_tests(TCase *tc, enum clickhouse_kind kind)
{
	(void)kind;
	suite_test(tc, rows_that_differ_are_mended);
	suite_test(tc, a_reader_sees_the_old_rows_or_the_new);
	suite_test(tc, it_makes_the_table_that_is_gone);
	suite_test(tc, a_killed_worker_begins_again);
	suite_test(tc, it_loads_beside_a_table_that_was_there);
	suite_test(tc, a_table_that_was_there_keeps_its_shape);
	suite_test(tc, a_table_of_somebody_else_is_left_alone);
	suite_test(tc, where_tables_cannot_be_exchanged_they_are_renamed);
}

int
main(void)
{
	return suite_main(chrig_suite("clickhouse_resync", add_tests));
}
