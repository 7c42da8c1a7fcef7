/*
 * The data path where it is easiest to lose something: kills between two steps
 * that must agree, a destination that stalls, servers with settings of their
 * own, definitions that change at the wrong moment.
 *
 * The destination commits asynchronously by default and writes its WAL late;
 * the source gives a silent client up after a few seconds.
 */
#include <signal.h>

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

#define WAIT_MS	    30000
#define HARD	    "'soft_delete_col_name': '', 'synced_at_col_name': ''"
#define ALIVE	    "t WHERE NOT \"_PEERDB_IS_DELETED\""
#define SOURCE_CONF "wal_sender_timeout = '4s'\n"
#define DESTINATION_CONF "synchronous_commit = off\nwal_writer_delay = '10s'\n"

static void
clusters_init(void)
{
	rig.source = cluster_new("source", SOURCE_CONF);
	rig.destination = cluster_new("destination", DESTINATION_CONF);
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

/* Keys that are equal and yet differ: the row born and gone must not take the other along. */
START_TEST(equal_keys_of_other_bytes)
{
	on_source("CREATE TABLE t (id numeric PRIMARY KEY, v text)");
	mirror_run("path", "public.t", NULL);
	on_source("BEGIN; INSERT INTO t VALUES (1.0, 'a'); UPDATE t SET id = 1.00, v = 'b'; COMMIT");
	sql_wait(rig.d, WAIT_MS, "1.00 b", "SELECT string_agg(id || ' ' || v, ',') FROM " ALIVE);
	on_source("DELETE FROM t");
	sql_wait(rig.d, WAIT_MS, "(null)", "SELECT string_agg(id || ' ' || v, ',') FROM " ALIVE);
}
END_TEST

static bool
errors_say(const char *word)
{
	return strstr(mirror_errors("path"), word) != NULL;
}

/* Old rows then name another column: applied as they are, changes would hit no row or a wrong one. */
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

/* ---- suites */

static Suite *
datapath_suite(void)
{
	Suite *s = suite_create("datapath");
	TCase *tc =
	    suite_case(s, "datapath", clusters_init, rig_clusters_done, rig_init, rig_done);

	suite_test(tc, update_that_sends_only_the_key);
	suite_test(tc, key_moves_onto_a_deleted_one);
	suite_test(tc, equal_keys_of_other_bytes);
	suite_test(tc, other_replica_identity_stops_the_table);
	suite_test(tc, full_identity_given_up);
	return s;
}

int
main(void)
{
	return suite_main(datapath_suite());
}
