/*
 * The columns peerd adds by default: when a row was synced, and whether it is
 * deleted. A deleted row stays, flagged; a row that comes back is unflagged.
 */
#include "tests/harness/compare.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS 30000
#define ALIVE	"t WHERE NOT \"_PEERDB_IS_DELETED\""
#define FLAG_OF "SELECT \"_PEERDB_IS_DELETED\" FROM t WHERE id = "

static void
defaults_init(void)
{
	rig_init();
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 20) i");
}

static char *
added_columns(void)
{
	return sql_text(rig.d,
	    "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' "
	    "ORDER BY attname) FROM pg_attribute WHERE attrelid = 't'::regclass "
	    "AND attnum > 2 AND NOT attisdropped");
}

START_TEST(both_columns_are_added)
{
	mirror_run("defaults", "public.t", NULL);
	ck_assert_str_eq(
	    "_PEERDB_IS_DELETED boolean, _PEERDB_SYNCED_AT timestamp without time zone",
	    added_columns());
}
END_TEST

START_TEST(snapshot_fills_them)
{
	mirror_run("defaults", "public.t", NULL);
	sql_wait(rig.d, WAIT_MS, "20",
	    "SELECT count(*) FROM t WHERE \"_PEERDB_IS_DELETED\" IS FALSE "
	    "AND \"_PEERDB_SYNCED_AT\" BETWEEN timezone('UTC', now() - interval '1 minute') "
	    "AND timezone('UTC', now() + interval '1 minute')");
}
END_TEST

START_TEST(changes_move_synced_at)
{
	const char *before;

	mirror_run("defaults", "public.t", NULL);
	before = sql_text(rig.d, "SELECT max(\"_PEERDB_SYNCED_AT\") FROM t");
	on_source("UPDATE t SET v = 'x' WHERE id = 3");
	on_source("INSERT INTO t VALUES (21, 'y')");
	sql_wait(rig.d, WAIT_MS, "3,21",
	    "SELECT string_agg(id::text, ',' ORDER BY id) FROM t WHERE \"_PEERDB_SYNCED_AT\" > "
	    "'%s'",
	    before);
}
END_TEST

START_TEST(deleted_row_is_kept_and_flagged)
{
	mirror_run("defaults", "public.t", NULL);
	on_source("DELETE FROM t WHERE id = 7");
	sql_wait(rig.d, WAIT_MS, "t", FLAG_OF "7");
	ck_assert_str_eq("row 7", sql_text(rig.d, "SELECT v FROM t WHERE id = 7"));
	ck_assert_str_eq("1",
	    sql_text(rig.d, "SELECT count(*) FROM t WHERE \"_PEERDB_IS_DELETED\""));
}
END_TEST

START_TEST(reinserted_row_is_unflagged)
{
	mirror_run("defaults", "public.t", NULL);
	on_source("DELETE FROM t WHERE id = 7");
	sql_wait(rig.d, WAIT_MS, "t", FLAG_OF "7");
	on_source("INSERT INTO t VALUES (7, 'back')");
	sql_wait(rig.d, WAIT_MS, "f", FLAG_OF "7");
	ck_assert_str_eq("back", sql_text(rig.d, "SELECT v FROM t WHERE id = 7"));
}
END_TEST

START_TEST(row_born_and_deleted_in_one_batch)
{
	mirror_run("defaults", "public.t", NULL);
	on_source("BEGIN; INSERT INTO t VALUES (30, 'short'); DELETE FROM t WHERE id = 30; COMMIT");
	on_source("DELETE FROM t WHERE id = 8; INSERT INTO t VALUES (8, 'again')");
	on_source("DELETE FROM t WHERE id = 9; INSERT INTO t VALUES (9, 'twice'); DELETE FROM t "
		  "WHERE id = 9");
	sql_wait(rig.d, WAIT_MS, "t", FLAG_OF "9");
	ck_assert_str_eq("again", sql_text(rig.d, "SELECT v FROM " ALIVE " AND id = 8"));
	ck_assert_ptr_null(table_difference(rig.s, "t", rig.d, ALIVE, "id, v", NULL));
}
END_TEST

START_TEST(key_change_flags_the_old_row)
{
	mirror_run("defaults", "public.t", NULL);
	on_source("UPDATE t SET id = 100 WHERE id = 1");
	sql_wait(rig.d, WAIT_MS, "t", FLAG_OF "1");
	ck_assert_ptr_null(table_difference(rig.s, "t", rig.d, ALIVE, "id, v", NULL));
}
END_TEST

START_TEST(truncate_flags_all)
{
	mirror_run("defaults", "public.t", NULL);
	on_source("TRUNCATE t");
	on_source("INSERT INTO t VALUES (1, 'fresh')");
	sql_wait(rig.d, WAIT_MS, "fresh", "SELECT string_agg(v, ',') FROM " ALIVE);
	ck_assert_str_eq("19",
	    sql_text(rig.d, "SELECT count(*) FROM t WHERE \"_PEERDB_IS_DELETED\""));
}
END_TEST

START_TEST(soft_delete_without_a_key)
{
	on_source("CREATE TABLE heap (a int, v text)");
	on_source("ALTER TABLE heap REPLICA IDENTITY FULL");
	on_source("INSERT INTO heap VALUES (1, 'x'), (1, 'x'), (2, 'y')");
	mirror_run("defaults", "public.heap", NULL);
	on_source("DELETE FROM heap WHERE ctid = '(0,1)'");
	on_source("UPDATE heap SET v = 'z' WHERE a = 2");
	sql_wait(rig.d, WAIT_MS, "1xf 1xt 2zf",
	    "SELECT string_agg(a || v || left(\"_PEERDB_IS_DELETED\"::text, 1), ' ' "
	    "ORDER BY a, \"_PEERDB_IS_DELETED\") FROM heap");
}
END_TEST

START_TEST(own_names_are_used)
{
	mirror_run("defaults", "public.t",
	    "'soft_delete_col_name': 'Gone?', 'synced_at_col_name': 'synced \\\"at\\\"'");
	on_source("DELETE FROM t WHERE id = 7");
	sql_wait(rig.d, WAIT_MS, "t", "SELECT \"Gone?\" FROM t WHERE id = 7");
	ck_assert_str_eq("Gone? boolean, synced \"at\" timestamp without time zone",
	    added_columns());
}
END_TEST

START_TEST(empty_names_add_nothing)
{
	mirror_run("defaults", "public.t", "'soft_delete_col_name': '', 'synced_at_col_name': ''");
	ck_assert_str_eq("(null)", added_columns());
	on_source("DELETE FROM t WHERE id = 7");
	expect_equal("t");
}
END_TEST

static Suite *
defaults_suite(void)
{
	Suite *s = suite_create("defaults");
	TCase *tc = suite_case(s, "defaults", rig_clusters_init, rig_clusters_done, defaults_init,
	    rig_done);

	suite_test(tc, both_columns_are_added);
	suite_test(tc, snapshot_fills_them);
	suite_test(tc, changes_move_synced_at);
	suite_test(tc, deleted_row_is_kept_and_flagged);
	suite_test(tc, reinserted_row_is_unflagged);
	suite_test(tc, row_born_and_deleted_in_one_batch);
	suite_test(tc, key_change_flags_the_old_row);
	suite_test(tc, truncate_flags_all);
	suite_test(tc, soft_delete_without_a_key);
	suite_test(tc, own_names_are_used);
	suite_test(tc, empty_names_add_nothing);
	return s;
}

int
main(void)
{
	return suite_main(defaults_suite());
}
