/*
 * Changes into ClickHouse: what a SELECT ... FINAL shows is what the source has,
 * whoever was killed or cut off on the way.
 */
#include <signal.h>

#include "tests/harness/api.h"
#include "tests/harness/chrig.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/httpfault.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS	     60000
#define SEED	     1
#define ONLY_CHANGES "'do_initial_snapshot': false, 'env': {'PEERD_CLICKHOUSE_FLUSH_SECONDS': '0'}"
#define AT_EASE	     "'do_initial_snapshot': false" /* gathering for a second */

/* A table there has the rows that it has on the source. Columns are separated by ", ". */
static void
expect_same(const char *table, const char *columns)
{
	chrig_expect_equal(text("SELECT %s FROM %s ORDER BY %.*s", columns, table,
			       (int)strcspn(columns, ","), columns),
	    text("SELECT %s FROM app.%s FINAL WHERE _peerdb_is_deleted = 0 ORDER BY %.*s", columns,
		table, (int)strcspn(columns, ","), columns),
	    WAIT_MS);
}

static void
change_and_expect(const char *statement, const char *table, const char *columns)
{
	on_source("%s", statement);
	expect_same(table, columns);
}

static int64_t
count_there(const char *where)
{
	return clickhouse_i64(chrig.ch, "SELECT count() FROM app.t FINAL WHERE %s", where);
}

/* ---- changes */

static const char *const changes[] = {
	"INSERT INTO t VALUES (1, 'one', 1), (2, 'two', NULL), (3, 'three', 3)",
	"UPDATE t SET v = 'zwei' WHERE id = 2",
	"DELETE FROM t WHERE id = 1",
	"UPDATE t SET id = 4 WHERE id = 3",
	"INSERT INTO t VALUES (1, 'again', 10)",
	"BEGIN; INSERT INTO t VALUES (5, 'five', 5); UPDATE t SET v = 'fuenf' WHERE id = 5;"
	" DELETE FROM t WHERE id = 5; COMMIT",
	"BEGIN; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (2, 'new', 2); COMMIT",
	"BEGIN; UPDATE t SET id = 9 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2;"
	" UPDATE t SET id = 2 WHERE id = 9; COMMIT",
	"UPDATE t SET v = NULL, n = n + 1",
};

#define NCHANGES (sizeof(changes) / sizeof(changes[0]))

static void
create_t(void)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text, n int)");
}

START_TEST(changes_arrive_one_by_one)
{
	create_t();
	mirror_run("m", "public.t:t", ONLY_CHANGES);
	for (size_t i = 0; i < NCHANGES; i++)
		change_and_expect(changes[i], "t", "id, v, n");
	/* of what was deleted a row is left that says so */
	ck_assert_int_eq(clickhouse_i64(chrig.ch,
			     "SELECT argMax(_peerdb_is_deleted, _peerdb_version) FROM app.t WHERE "
			     "id = 5"),
	    1);
}
END_TEST

START_TEST(changes_arrive_at_once)
{
	create_t();
	mirror_run("m", "public.t:t", AT_EASE);
	for (size_t i = 0; i < NCHANGES; i++)
		on_source("%s", changes[i]);
	expect_same("t", "id, v, n");
}
END_TEST

START_TEST(rows_that_were_loaded_change)
{
	create_t();
	on_source("%s", changes[0]);
	mirror_run("m", "public.t:t", NULL);
	expect_same("t", "id, v, n");
	change_and_expect("UPDATE t SET v = 'b' WHERE id = 1; DELETE FROM t WHERE id = 2", "t",
	    "id, v, n");
}
END_TEST

START_TEST(truncate_empties_the_table)
{
	create_t();
	mirror_run("m", "public.t:t", ONLY_CHANGES);
	change_and_expect("INSERT INTO t SELECT i, 'x', i FROM generate_series(1, 100) i", "t",
	    "id, v, n");
	change_and_expect(
	    "BEGIN; INSERT INTO t VALUES (200, 'a', 1); TRUNCATE t; INSERT INTO t VALUES (1, "
	    "'b', 2); COMMIT",
	    "t", "id, v, n");
	ck_assert_int_eq(clickhouse_i64(chrig.ch, "SELECT count() FROM app.t"), 1);
}
END_TEST

static void
wait_for_column(const char *name)
{
	clickhouse_wait(chrig.ch, WAIT_MS, "1",
	    "SELECT count() FROM system.columns WHERE database = 'app' AND table = 't' AND name = "
	    "'%s'",
	    name);
}

START_TEST(columns_are_added)
{
	create_t();
	mirror_run("m", "public.t:t", ONLY_CHANGES);
	change_and_expect("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)", "t", "id, v, n");
	on_source("ALTER TABLE t ADD COLUMN w text, ADD COLUMN d text NOT NULL DEFAULT '`; b'");
	on_source("UPDATE t SET w = 'a; b' WHERE id = 1");
	wait_for_column("d");
	expect_same("t", "id, v, n, w, d");
	on_source("BEGIN; INSERT INTO t VALUES (3, 'c', 3, 'w', 'x'); ALTER TABLE t ADD COLUMN x "
		  "bigint; UPDATE t SET x = 5 WHERE id = 2; COMMIT");
	wait_for_column("x");
	expect_same("t", "id, v, n, w, d, x");
}
END_TEST

/* ---- JSON */

static void
expect_json(void)
{
	chrig_expect_equal("SELECT id, j, replace(b::text, ': ', ':'), v FROM t ORDER BY id",
	    "SELECT id, CAST(j AS Nullable(String)), toString(b), v FROM app.t FINAL ORDER BY id",
	    WAIT_MS);
}

/* Numbers and the order of keys are the type's own affair. */
START_TEST(json_goes_into_columns_of_its_type)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, j json, b jsonb NOT NULL, v text)");
	on_source("ALTER TABLE t ALTER b SET STORAGE EXTERNAL");
	on_source(
	    "INSERT INTO t VALUES (1, '{\"a\":1}', '{\"b\":\"x\"}', 'v'), (2, NULL, '{}', '')");
	mirror_run("m", "public.t:t", "'env': {'PEERDB_CLICKHOUSE_ENABLE_JSON': 'true'}");
	ck_assert_str_eq(
	    clickhouse_text(chrig.ch, "SELECT DISTINCT toTypeName(j), toTypeName(b) FROM app.t"),
	    "Nullable(JSON)\tJSON");
	expect_json();
	on_source("INSERT INTO t VALUES (3, '{\"a\":3}', jsonb_build_object('c', repeat('y', "
		  "9000)), 'w')");
	on_source("UPDATE t SET j = '{\"a\":4}' WHERE id = 2");
	expect_json();
	on_source("UPDATE t SET v = 'z' WHERE id = 3");
	expect_json();
}
END_TEST

/* ---- values that are not sent */

static void
create_docs(void)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, doc text, n int)");
	on_source("ALTER TABLE t ALTER doc SET STORAGE EXTERNAL");
}

#define DOCS "INSERT INTO t SELECT i, repeat(md5(i::text), 300), 0 FROM generate_series(1, 20) i"

START_TEST(values_that_are_not_sent_are_kept)
{
	create_docs();
	mirror_run("m", "public.t:t", ONLY_CHANGES);
	change_and_expect(DOCS, "t", "id, doc, n");
	change_and_expect("UPDATE t SET n = n + 1", "t", "id, doc, n");
	change_and_expect("UPDATE t SET id = id + 100 WHERE id < 5", "t", "id, doc, n");
	change_and_expect("BEGIN; UPDATE t SET n = 7; UPDATE t SET doc = 'x' || doc WHERE id = 7;"
			  " UPDATE t SET n = 8; COMMIT",
	    "t", "id, doc, n");
	change_and_expect("BEGIN; UPDATE t SET id = 300 WHERE id = 8; INSERT INTO t VALUES (8, "
			  "'new', 8); UPDATE t SET n = 9; COMMIT",
	    "t", "id, doc, n");
}
END_TEST

/* The destination has no such row: it is the source's that has the value. */
START_TEST(values_that_nobody_sent_come_from_the_source)
{
	create_docs();
	on_source(DOCS);
	mirror_run("m", "public.t:t", ONLY_CHANGES);
	change_and_expect("UPDATE t SET n = 1", "t", "id, doc, n");
}
END_TEST

/* id says what the key is; the values do not fit one line of rows() */
static const char *const key_types[][2] = {
	{ "bigint", "i::bigint * 4000000000 - 9000000000" },
	{ "smallint", "-i" },
	{ "text", "'it''s \\ ' || i" },
	{ "uuid", "md5(i::text)::uuid" },
	{ "date", "date '1999-12-30' + i" },
	{ "timestamptz", "timestamptz '2020-01-01 00:00:00.123456+00' + i * interval '1.5 s'" },
	{ "timestamp", "timestamp '1969-12-31 23:59:55' + i * interval '1.000001 s'" },
	{ "boolean", "i = 1" },
	{ "numeric(10, 2)", "i / 3.0" }, /* asked of the source */
	{ "bytea", "decode(md5(i::text), 'hex')" },
};

#define NKEY_TYPES ((int)(sizeof(key_types) / sizeof(key_types[0])))

START_TEST(rows_are_found_by_keys_of_many_types)
{
	for (int i = 0; i < NKEY_TYPES; i++) {
		on_source("CREATE TABLE k%d (k %s, j int, doc text, n int, PRIMARY KEY (k, j))", i,
		    key_types[i][0]);
		on_source("ALTER TABLE k%d ALTER doc SET STORAGE EXTERNAL", i);
	}
	mirror_run("m",
	    "public.k0:k0,public.k1:k1,public.k2:k2,public.k3:k3,public.k4:k4,"
	    "public.k5:k5,public.k6:k6,public.k7:k7,public.k8:k8,public.k9:k9",
	    ONLY_CHANGES);
	for (int i = 0; i < NKEY_TYPES; i++) {
		on_source("INSERT INTO k%d SELECT %s, i, repeat(md5(i::text), 300), 0 FROM "
			  "generate_series(1, 20) i",
		    i, key_types[i][1]);
		expect_same(text("k%d", i), "j, doc, n");
		on_source("UPDATE k%d SET n = 1", i);
		expect_same(text("k%d", i), "j, doc, n");
	}
}
END_TEST

/* ---- ways to keep rows */

START_TEST(a_row_moves_when_it_is_sorted_by_more_than_its_key)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text, n int NOT NULL)");
	mirror_run("m",
	    json("[{'source_table_identifier': 'public.t', 'destination_table_identifier': 't',"
		 " 'columns': [{'source_name': 'n', 'ordering': 1}]}]"),
	    ONLY_CHANGES);
	change_and_expect("INSERT INTO t SELECT i, 'x', i FROM generate_series(1, 10) i", "t",
	    "id, v, n");
	change_and_expect("UPDATE t SET n = n + 1", "t", "id, v, n");
	change_and_expect("UPDATE t SET n = n + 1, id = id + 100 WHERE id < 3; DELETE FROM t WHERE "
			  "id = 7",
	    "t", "id, v, n");
	change_and_expect(
	    "BEGIN; UPDATE t SET n = 50 WHERE id = 5; UPDATE t SET n = 51 WHERE id = "
	    "5; DELETE FROM t WHERE id = 6; INSERT INTO t VALUES (6, 'y', 99); COMMIT",
	    "t", "id, v, n");
}
END_TEST

START_TEST(other_engines_keep_every_change)
{
	create_t();
	mirror_run("m",
	    json("[{'source_table_identifier': 'public.t', 'destination_table_identifier': 't',"
		 " 'engine': 'CH_ENGINE_MERGE_TREE'}]"),
	    AT_EASE);
	on_source("BEGIN; INSERT INTO t VALUES (1, 'a', 1); UPDATE t SET v = 'b'; DELETE FROM t; "
		  "COMMIT");
	clickhouse_wait(chrig.ch, WAIT_MS, "1\ta\t0\n1\tb\t0\n1\tb\t1",
	    "SELECT id, v, _peerdb_is_deleted FROM app.t ORDER BY _peerdb_version");
}
END_TEST

START_TEST(the_deleted_flag_has_the_name_one_likes)
{
	create_t();
	mirror_run("m", "public.t:t", ONLY_CHANGES ", 'soft_delete_col_name': 'gone'");
	on_source("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)");
	on_source("DELETE FROM t WHERE id = 1");
	clickhouse_wait(chrig.ch, WAIT_MS, "1\t1\n2\t0",
	    "SELECT id, argMax(gone, _peerdb_version) FROM app.t GROUP BY id ORDER BY id");
}
END_TEST

START_TEST(hard_deletes_leave_nothing_to_see)
{
	create_t();
	mirror_run("m", "public.t:t",
	    ONLY_CHANGES ", 'soft_delete_col_name': '', 'synced_at_col_name': ''");
	change_and_expect("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)", "t", "id, v, n");
	change_and_expect("DELETE FROM t WHERE id = 1", "t", "id, v, n");
	if (chrig.kind == CH_CURRENT)
		ck_assert_int_eq(count_there("1"), 1);
}
END_TEST

/* ---- what does not fit */

START_TEST(a_value_that_does_not_fit_stops_its_table_alone)
{
	create_t();
	on_source("CREATE TABLE u (id int PRIMARY KEY, tags int[])");
	mirror_run("m", "public.t:t,public.u:u", ONLY_CHANGES);
	on_source("BEGIN; INSERT INTO u VALUES (1, '{1}'), (77, NULL); INSERT INTO t VALUES "
		  "(1, 'a', 1); COMMIT");
	expect_same("t", "id, v, n");
	ck_assert_msg(poll_until(WAIT_MS, strstr(mirror_errors("m"), "(77)") != NULL), "%s",
	    mirror_errors("m"));
	ck_assert_int_eq(clickhouse_i64(chrig.ch, "SELECT count() FROM app.u"), 0);
	/* also after a restart, whatever comes */
	mirror_change("m", "STATUS_PAUSED");
	on_source("INSERT INTO u VALUES (2, '{2}'); INSERT INTO t VALUES (2, 'b', 2)");
	mirror_change("m", "STATUS_RUNNING");
	expect_same("t", "id, v, n");
	ck_assert_int_eq(clickhouse_i64(chrig.ch, "SELECT count() FROM app.u"), 0);
}
END_TEST

static const char *
warnings(void)
{
	return api_expect(200,
	    api_post("/mirrors/logs",
		json("{'flow_job_name': 'm', 'level': 'warn', 'num_per_page': 20}")))
	    ->body;
}

START_TEST(a_value_that_does_not_fit_is_cleared_if_wanted)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, tags int[], n int)");
	mirror_run("m", "public.t:t",
	    "'do_initial_snapshot': false, 'env': {'on_lossy_value': 'null'}");
	on_source("INSERT INTO t VALUES (1, '{1,2}', 1), (2, NULL, 2)");
	clickhouse_wait(chrig.ch, WAIT_MS, "1\t2\t1\n2\t0\t2",
	    "SELECT id, length(tags), n FROM app.t FINAL ORDER BY id");
	ck_assert(poll_until(WAIT_MS, strstr(warnings(), "1 values so far did not fit") != NULL));
}
END_TEST

/* ---- pausing */

/* The worker has got what the source has written by now: it says so when it is asked. */
static void
wait_received(void)
{
	const char *now = sql_text(rig.s, "SELECT pg_current_wal_lsn()");

	sql_wait(rig.s, WAIT_MS, "t", "SELECT bool_and(write_lsn >= '%s') FROM pg_stat_replication",
	    now);
}

START_TEST(a_pause_does_not_wait)
{
	on_source("ALTER DATABASE app SET wal_sender_timeout = '4s'");
	create_t();
	mirror_run("m", "public.t:t",
	    "'do_initial_snapshot': false, 'env': {'PEERD_CLICKHOUSE_FLUSH_SECONDS': '50'}");
	on_source("INSERT INTO t VALUES (1, 'a', 1)");
	wait_received();
	ck_assert_int_eq(count_there("1"), 0);
	mirror_change("m", "STATUS_PAUSED");
	ck_assert_int_eq(count_there("1"), 1);
	on_source("INSERT INTO t VALUES (2, 'b', 2)");
	mirror_change("m", "STATUS_RUNNING");
	wait_received();
	mirror_change("m", "STATUS_PAUSED");
	ck_assert_int_eq(count_there("1"), 2);
}
END_TEST

START_TEST(the_source_may_forget_what_was_written)
{
	create_t();
	mirror_run("m", "public.t:t", AT_EASE);
	on_source("INSERT INTO t VALUES (1, 'a', 1)");
	rig_wait_confirmed("m", WAIT_MS);
	ck_assert_int_eq(count_there("1"), 1);
}
END_TEST

/* ---- trouble */

#define ROUNDS 40

/* One transaction; rows come, change, move and go, most with a value that is not sent. */
static void
make_round(int i)
{
	on_source("BEGIN;"
		  " INSERT INTO t SELECT g, repeat(md5(g::text), 100), 0"
		  " FROM generate_series(%d, %d) g;"
		  " UPDATE t SET n = n + 1 WHERE id %% 7 = %d;"
		  " UPDATE t SET id = id + 1000000 WHERE id %% 50 = %d AND id < 1000000;"
		  " DELETE FROM t WHERE id %% 40 = %d; COMMIT",
	    i * 100, i * 100 + 99, i % 7, i % 50, i % 40);
}

static void
begin_docs(void)
{
	create_docs();
	mirror_run("m", "public.t:t", ONLY_CHANGES);
}

/* Every tenth round somebody is in trouble; in the end nothing is lost. */
static void
survive(void (*trouble)(void))
{
	for (int i = 0; i < ROUNDS; i++) {
		make_round(i);
		if (i % 10 == 5)
			trouble();
	}
	expect_same("t", "id, n, length(doc), substring(doc,1,32)");
}

static void
kill_worker(void)
{
	pid_t pid = daemon_worker("mirror m");

	if (pid != 0)
		kill(pid, SIGKILL);
}

START_TEST(a_killed_worker_loses_nothing)
{
	begin_docs();
	survive(kill_worker);
}
END_TEST

static void
kill_server(void)
{
	clickhouse_restart(chrig.ch, CLICKHOUSE_KILL);
}

START_TEST(a_killed_server_loses_nothing)
{
	begin_docs();
	survive(kill_server);
}
END_TEST

static void
no_trouble(void)
{
}

static const struct httpfault_rule faults[] = {
	{ .kind = HTTPFAULT_CUT_REQUEST, .match = "INSERT INTO", .bytes = 1000, .times = 5 },
	{ .kind = HTTPFAULT_CUT_ANSWER, .bytes = 20, .times = 5 },
	{ .kind = HTTPFAULT_SWALLOW, .times = 5 },
	{ .kind = HTTPFAULT_CLOSE_BEHIND, .times = 5 },
	{ .kind = HTTPFAULT_REFUSE, .status = 503, .body = "try later", .times = 5 },
	{ .kind = HTTPFAULT_REFUSE,
	    .match = "INSERT INTO",
	    .times = 3,
	    .status = 500,
	    .headers = "X-ClickHouse-Exception-Code: 252\r\n",
	    .body = "Code: 252. DB::Exception: Too many parts (300). (TOO_MANY_PARTS) (version "
		    "26.7.2.1)" },
};

#define NFAULTS ((int)(sizeof(faults) / sizeof(faults[0])))

START_TEST(faults_lose_nothing)
{
	unsigned rule;

	begin_docs();
	rule = httpfault_add(chrig.proxy, faults[_i]);
	survive(no_trouble);
	ck_assert_uint_gt(httpfault_hits(chrig.proxy, rule), 0);
	httpfault_clear(chrig.proxy);
}
END_TEST

START_TEST(a_table_that_is_gone_is_told_of)
{
	create_t();
	mirror_run("m", "public.t:t", ONLY_CHANGES);
	change_and_expect("INSERT INTO t VALUES (1, 'a', 1)", "t", "id, v, n");
	clickhouse_exec(chrig.ch, "DROP TABLE app.t");
	on_source("INSERT INTO t VALUES (2, 'b', 2)");
	ck_assert_msg(poll_until(WAIT_MS, strcmp(mirror_state("m"), "STATUS_FAILED") == 0), "%s",
	    mirror_state("m"));
	ck_assert_msg(strstr(mirror_errors("m"), "app.t") != NULL, "%s", mirror_errors("m"));
}
END_TEST

static void
add_tests(TCase *tc, enum clickhouse_kind kind)
{
	suite_test(tc, changes_arrive_one_by_one);
	suite_test(tc, changes_arrive_at_once);
	suite_test(tc, rows_that_were_loaded_change);
	suite_test(tc, truncate_empties_the_table);
	suite_test(tc, columns_are_added);
	if (kind == CH_CURRENT)
		suite_test(tc, json_goes_into_columns_of_its_type);
	suite_test(tc, values_that_are_not_sent_are_kept);
	suite_test(tc, values_that_nobody_sent_come_from_the_source);
	suite_test(tc, rows_are_found_by_keys_of_many_types);
	suite_test(tc, a_row_moves_when_it_is_sorted_by_more_than_its_key);
	suite_test(tc, other_engines_keep_every_change);
	suite_test(tc, the_deleted_flag_has_the_name_one_likes);
	suite_test(tc, hard_deletes_leave_nothing_to_see);
	suite_test(tc, a_value_that_does_not_fit_stops_its_table_alone);
	suite_test(tc, a_value_that_does_not_fit_is_cleared_if_wanted);
	suite_test(tc, a_pause_does_not_wait);
	suite_test(tc, the_source_may_forget_what_was_written);
	suite_test(tc, a_killed_worker_loses_nothing);
	suite_test(tc, a_killed_server_loses_nothing);
	suite_loop(tc, faults_lose_nothing, 0, NFAULTS);
	suite_test(tc, a_table_that_is_gone_is_told_of);
}

int
main(void)
{
	return suite_main(chrig_suite("clickhouse_cdc", add_tests));
}
