#include <check.h>
#include <stdlib.h>

#include "tests/unit/types/table_fixture.h"

static struct arena *a;

static void
setup(void)
{
	a = arena_new(4096);
}

static void
teardown(void)
{
	arena_free(&a);
}

START_TEST(names_are_the_mirrors)
{
	struct table *t = fixture_table(a, 3, "id:1 note");

	ck_assert_uint_eq(t->index, 3);
	ck_assert_uint_eq(t->relid, FIXTURE_RELID(3));
	ck_assert_str_eq(t->source_label, "public.t3");
	ck_assert_str_eq(t->destination_label, "copy.d3");
}
END_TEST

START_TEST(a_destination_may_have_no_schemas)
{
	PeerdWorker__MirrorTable *def = fixture_def(a, 0, "id:1");

	def->destination_schema = (char *)"";
	ck_assert_str_eq(table_new(a, 0, def)->destination_label, "d0");
}
END_TEST

START_TEST(columns_keep_their_order)
{
	struct table *t = fixture_table(a, 0, "id:1 note");

	ck_assert_uint_eq(t->ncols, 2);
	ck_assert_str_eq(t->cols[0].name, "id");
	ck_assert_str_eq(t->cols[1].name, "note");
	ck_assert_uint_eq(t->cols[1].type_oid, FIXTURE_TYPE);
	ck_assert_int_eq(t->cols[1].type_modifier, -1);
}
END_TEST

START_TEST(destination_is_named_like_the_source)
{
	ck_assert_str_eq(fixture_table(a, 0, "id:1")->cols[0].destination, "id");
}
END_TEST

START_TEST(destination_may_have_another_name)
{
	PeerdWorker__MirrorTable *def = fixture_def(a, 0, "id:1 note");

	def->columns[1]->destination_name = arena_strdup(a, "remark");
	ck_assert_str_eq(table_new(a, 0, def)->cols[1].destination, "remark");
}
END_TEST

START_TEST(key_has_its_own_order)
{
	struct table *t = fixture_table(a, 0, "a:2 x b:3 c:1");

	ck_assert_uint_eq(t->nkeys, 3);
	ck_assert_uint_eq(t->keys[0], 3);
	ck_assert_uint_eq(t->keys[1], 0);
	ck_assert_uint_eq(t->keys[2], 2);
	ck_assert(t->cols[0].key && !t->cols[1].key && t->cols[2].key && t->cols[3].key);
}
END_TEST

START_TEST(no_key_is_no_key)
{
	ck_assert_uint_eq(fixture_table(a, 0, "x y")->nkeys, 0);
}
END_TEST

START_TEST(generated_columns_stay_behind)
{
	struct table *t = fixture_table(a, 0, "~twice id:1 ~thrice note");

	ck_assert_uint_eq(t->ncols, 2);
	ck_assert_str_eq(t->cols[0].name, "id");
	ck_assert_str_eq(t->cols[1].name, "note");
	ck_assert_uint_eq(t->keys[0], 0);
}
END_TEST

/* Which of three columns may travel in binary form: the table may if all of them may. */
static const struct {
	bool column[3];
	bool table;
} binary[] = {
	{ { true, true, true }, true },
	{ { false, true, true }, false },
	{ { true, true, false }, false },
	{ { false, false, false }, false },
};

START_TEST(binary_takes_every_column)
{
	PeerdWorker__MirrorTable *def = fixture_def(a, 0, "id:1 x y");
	size_t i;

	for (i = 0; i < def->n_columns; i++)
		def->columns[i]->binary = binary[_i].column[i];
	ck_assert(table_new(a, 0, def)->binary == binary[_i].table);
}
END_TEST

START_TEST(generated_column_does_not_hinder_binary)
{
	PeerdWorker__MirrorTable *def = fixture_def(a, 0, "id:1 ~twice");

	def->columns[0]->binary = true;
	ck_assert(table_new(a, 0, def)->binary);
}
END_TEST

static const struct {
	PeerdWorker__TableState state;
	bool stopped;
} states[] = {
	{ PEERD_WORKER__TABLE_STATE__TABLE_WAITING, false },
	{ PEERD_WORKER__TABLE_STATE__TABLE_RUNNING, false },
	{ PEERD_WORKER__TABLE_STATE__TABLE_ERROR, true },
};

START_TEST(table_in_error_is_stopped)
{
	PeerdWorker__MirrorTable *def = fixture_def(a, 0, "id:1");

	def->state = states[_i].state;
	ck_assert(table_new(a, 0, def)->stopped == states[_i].stopped);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("table");
	TCase *tc = tcase_create("table");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names_are_the_mirrors);
	tcase_add_test(tc, a_destination_may_have_no_schemas);
	tcase_add_test(tc, columns_keep_their_order);
	tcase_add_test(tc, destination_is_named_like_the_source);
	tcase_add_test(tc, destination_may_have_another_name);
	tcase_add_test(tc, key_has_its_own_order);
	tcase_add_test(tc, no_key_is_no_key);
	tcase_add_test(tc, generated_columns_stay_behind);
	tcase_add_loop_test(tc, binary_takes_every_column, 0, sizeof(binary) / sizeof(binary[0]));
	tcase_add_test(tc, generated_column_does_not_hinder_binary);
	tcase_add_loop_test(tc, table_in_error_is_stopped, 0, sizeof(states) / sizeof(states[0]));
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
