/*
 * The snapshot ledger: a plan and its partitions, sums, and a new attempt that
 * wipes the old one.
 */
#include "tests/unit/catalog/fixture.h"

static struct {
	char id[32];
	size_t n;
	struct catalog_load_table t[4];
	char source[64];
	char destination[64];
} seen;

static void
on_load(void *arg, const struct err *why, const char *snapshot_id,
    const struct catalog_load_table *rows, size_t n)
{
	on_done(arg, why);
	snprintf(seen.id, sizeof(seen.id), "%s", snapshot_id);
	seen.n = n;
	if (n == 0)
		return;
	memcpy(seen.t, rows, n * sizeof(rows[0]));
	snprintf(seen.source, sizeof(seen.source), "%s", rows[0].source);
	snprintf(seen.destination, sizeof(seen.destination), "%s", rows[0].destination);
}

static void
load(void)
{
	catalog_load_list(cat, "m", on_load, NULL);
	expect(ERR_NONE);
}

static void
plan(const char *snapshot_id)
{
	struct catalog_load_table tables[] = {
		{ .index = 0,
		    .source = "public.a",
		    .destination = "copy.a",
		    .partitions_total = 2,
		    .rows_estimated = 1000 },
		{ .index = 1, .source = "public.b", .destination = "copy.b" },
	};

	catalog_load_plan(cat, "m", snapshot_id, tables, 2, on_done, NULL);
	expect(ERR_NONE);
}

static struct catalog_partition
partition(int32_t table, int32_t number)
{
	return (struct catalog_partition){ .table = table,
		.partition = number,
		.rows = 100,
		.bytes = 4000,
		.start_us = 1000 + number,
		.end_us = 3000 + number,
		.range = "(0,0)..(10,0)" };
}

static void
finish(const char *snapshot_id, int32_t table, int32_t number, enum err_code code)
{
	struct catalog_partition p = partition(table, number);

	catalog_load_partition(cat, "m", snapshot_id, &p, on_done, NULL);
	if (code == ERR_NONE)
		ck_assert(catalog_flush(cat, &err));
	expect(code);
}

START_TEST(none_before_the_plan)
{
	load();
	ck_assert_str_eq(seen.id, "");
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

START_TEST(the_plan_comes_back)
{
	plan("s1");
	reopen();
	load();
	ck_assert_str_eq(seen.id, "s1");
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_str_eq(seen.source, "public.a");
	ck_assert_str_eq(seen.destination, "copy.a");
	ck_assert_int_eq(seen.t[0].partitions_total, 2);
	ck_assert_int_eq(seen.t[0].rows_estimated, 1000);
	ck_assert_int_eq(seen.t[0].partitions_done, 0);
	ck_assert_int_eq(seen.t[0].rows, 0);
	ck_assert_int_eq(seen.t[0].start_us, 0);
	ck_assert_int_eq(seen.t[1].index, 1);
}
END_TEST

START_TEST(partitions_add_up)
{
	plan("s1");
	finish("s1", 0, 1, ERR_NONE);
	load();
	ck_assert_int_eq(seen.t[0].partitions_done, 1);
	ck_assert_int_eq(seen.t[0].end_us, 0);
	finish("s1", 0, 0, ERR_NONE);
	load();
	ck_assert_int_eq(seen.t[0].partitions_done, 2);
	ck_assert_int_eq(seen.t[0].rows, 200);
	ck_assert_int_eq(seen.t[0].bytes, 8000);
	ck_assert_int_eq(seen.t[0].start_us, 1000);
	ck_assert_int_eq(seen.t[0].end_us, 3001);
	ck_assert_int_eq(seen.t[0].busy_us, 4000);
}
END_TEST

START_TEST(a_partition_counts_once)
{
	plan("s1");
	finish("s1", 0, 0, ERR_NONE);
	finish("s1", 0, 0, ERR_NONE);
	load();
	ck_assert_int_eq(seen.t[0].partitions_done, 1);
	ck_assert_int_eq(seen.t[0].rows, 100);
}
END_TEST

START_TEST(the_same_plan_again_changes_nothing)
{
	plan("s1");
	finish("s1", 0, 0, ERR_NONE);
	plan("s1");
	load();
	ck_assert_int_eq(seen.t[0].partitions_done, 1);
}
END_TEST

START_TEST(another_attempt_wipes_the_ledger)
{
	plan("s1");
	finish("s1", 0, 0, ERR_NONE);
	plan("s2");
	load();
	ck_assert_str_eq(seen.id, "s2");
	ck_assert_int_eq(seen.t[0].partitions_done, 0);
	finish("s1", 0, 1, ERR_NOT_FOUND);
	load();
	ck_assert_int_eq(seen.t[0].partitions_done, 0);
}
END_TEST

START_TEST(a_partition_belongs_to_a_planned_table)
{
	plan("s1");
	finish("s1", 7, 0, ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(answer.err.msg, "has no table 7"));
}
END_TEST

START_TEST(a_plan_belongs_to_a_mirror)
{
	catalog_load_plan(cat, "other", "s1", NULL, 0, on_done, NULL);
	expect(ERR_NOT_FOUND);
	ck_assert_str_eq(answer.err.msg, "mirror \"other\" does not exist");
}
END_TEST

START_TEST(tables_have_states)
{
	plan("s1");
	catalog_load_set_state(cat, "m", "public.a", CATALOG_LOAD_INDEXING, NULL, NULL);
	load();
	ck_assert_int_eq(seen.t[0].state, CATALOG_LOAD_INDEXING);
	ck_assert_int_eq(seen.t[1].state, CATALOG_LOAD_WAITING);
	catalog_load_set_state(cat, "m", "public.c", CATALOG_LOAD_DONE, on_done, NULL);
	expect(ERR_NOT_FOUND);
}
END_TEST

static size_t n_partitions;
static struct catalog_partition last;
static char last_range[32];

static void
on_partitions(void *arg, const struct err *why, const struct catalog_partition *rows, size_t n)
{
	on_done(arg, why);
	n_partitions = n;
	last = rows[n - 1];
	snprintf(last_range, sizeof(last_range), "%s", last.range);
}

START_TEST(partitions_are_listed)
{
	plan("s1");
	finish("s1", 0, 1, ERR_NONE);
	finish("s1", 0, 0, ERR_NONE);
	catalog_partitions_list(cat, "m", on_partitions, NULL);
	expect(ERR_NONE);
	ck_assert_uint_eq(n_partitions, 2);
	ck_assert_int_eq(last.partition, 1);
	ck_assert_int_eq(last.rows, 100);
	ck_assert_int_eq(last.end_us, 3001);
	ck_assert_str_eq(last_range, "(0,0)..(10,0)");
}
END_TEST

START_TEST(the_ledger_goes_with_the_mirror)
{
	plan("s1");
	finish("s1", 0, 0, ERR_NONE);
	catalog_mirror_delete(cat, "m", false, on_done, NULL);
	expect(ERR_NONE);
	ck_assert_str_eq(sql("SELECT (SELECT count(*) FROM snapshots) +"
			     " (SELECT count(*) FROM snapshot_tables) +"
			     " (SELECT count(*) FROM snapshot_partitions)"),
	    "0");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("load");

	tcase_add_checked_fixture(tc, setup_mirror, remove_dir);
	tcase_add_test(tc, none_before_the_plan);
	tcase_add_test(tc, the_plan_comes_back);
	tcase_add_test(tc, partitions_add_up);
	tcase_add_test(tc, a_partition_counts_once);
	tcase_add_test(tc, the_same_plan_again_changes_nothing);
	tcase_add_test(tc, another_attempt_wipes_the_ledger);
	tcase_add_test(tc, a_partition_belongs_to_a_planned_table);
	tcase_add_test(tc, a_plan_belongs_to_a_mirror);
	tcase_add_test(tc, tables_have_states);
	tcase_add_test(tc, partitions_are_listed);
	tcase_add_test(tc, the_ledger_goes_with_the_mirror);
	return run_suite("load", tc);
}
