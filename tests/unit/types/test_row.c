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

static const struct {
	const char *values;
	uint16_t unchanged;
} rows[] = {
	{ "1|a|b", 0 },
	{ "||", 0 },
	{ "~|~|~", 0 },
	{ "1|~|", 0 },
	{ "1|?|~", 1 },
	{ "1|?|?", 2 },
	{ "a long value that is longer than any number|x|y", 0 },
};

START_TEST(text_row_gives_back_its_values)
{
	struct table *t = fixture_table(a, 0, "id:1 x y");
	struct row *r = fixture_row(a, t, rows[_i].values);

	ck_assert(r->text);
	ck_assert_str_eq(fixture_row_text(a, t, r), rows[_i].values);
	ck_assert_uint_eq(r->unchanged, rows[_i].unchanged);
}
END_TEST

START_TEST(binary_row_gives_back_its_values)
{
	struct table *t = fixture_table(a, 0, "id:1 x y");
	struct row *r;

	t->binary = true;
	r = fixture_row(a, t, rows[_i].values);
	ck_assert(!r->text);
	ck_assert_str_eq(fixture_row_text(a, t, r), rows[_i].values);
	ck_assert_uint_eq(r->unchanged, rows[_i].unchanged);
}
END_TEST

/* The body of a binary COPY row: big-endian length and bytes, -1 for NULL. */
START_TEST(binary_row_is_a_copy_row)
{
	static const char want[] = "\0\0\0\2ab\xff\xff\xff\xff\0\0\0\0";
	struct table *t = fixture_table(a, 0, "id:1 x y");
	struct row *r;

	t->binary = true;
	r = fixture_row(a, t, "ab|~|");
	ck_assert_uint_eq(r->size, sizeof(want) - 1);
	ck_assert_mem_eq(r->data, want, r->size);
}
END_TEST

START_TEST(text_values_are_strings)
{
	struct table *t = fixture_table(a, 0, "id:1 x y");
	struct row *r = fixture_row(a, t, "ab||~");
	struct row_value v[3];

	row_values(r, 3, v);
	ck_assert_str_eq((const char *)v[0].p, "ab");
	ck_assert_str_eq((const char *)v[1].p, "");
	ck_assert_uint_eq(r->size, 4 + 3 + 4 + 1 + 4);
}
END_TEST

/* Whole rows, which differ in more than their keys; order of the keys a, b. */
static const struct {
	const char *columns, *x, *y;
	int order;
} keys[] = {
	{ "k:1 v", "1|a", "1|b", 0 },
	{ "k:1 v", "1|a", "1|?", 0 },
	{ "k:1 v", "1|a", "2|a", -1 },
	{ "k:1 v", "b|a", "a|b", 1 },
	{ "k:1 v", "a|x", "ab|x", -1 }, /* a prefix comes first */
	{ "k:1 v", "|x", "a|x", -1 },
	{ "k:1 v", "9|x", "10|x", 1 }, /* bytes, not numbers */
	{ "v k:1", "a|1", "b|1", 0 },
	{ "v k:1", "a|1", "a|2", -1 },
	{ "v k:1", "~|1", "long value|1", 0 },
	{ "a:1 b:2", "1|2", "1|2", 0 },
	{ "a:1 b:2", "1|9", "2|1", -1 },
	{ "a:1 b:2", "1|2", "1|1", 1 },
	{ "a:2 b:1", "1|9", "2|1", 1 },	   /* the key's order, not the columns' */
	{ "a:1 b:2", "1|12", "11|2", -1 }, /* the same bytes, cut elsewhere */
	{ "a:1 b:2", "|a", "a|", -1 },
	{ "k:1 v", "~|a", "~|b", 0 },
	{ "k:1 v", "a|x", "~|x", -1 }, /* NULL comes last */
	{ "k:1 v", "~|x", "|x", 1 },
	{ "k:1 v", "?|x", "a|x", 1 },
};

START_TEST(keys_compare)
{
	struct table *t = fixture_table(a, 0, keys[_i].columns);
	struct row *x = fixture_row(a, t, keys[_i].x), *y = fixture_row(a, t, keys[_i].y);
	int c = row_key_compare(t, x, y), back = row_key_compare(t, y, x);

	ck_assert_int_eq((c > 0) - (c < 0), keys[_i].order);
	ck_assert_int_eq((back > 0) - (back < 0), -keys[_i].order);
}
END_TEST

START_TEST(hash_agrees_with_comparison)
{
	struct table *t = fixture_table(a, 0, keys[_i].columns);
	struct row *x = fixture_row(a, t, keys[_i].x), *y = fixture_row(a, t, keys[_i].y);

	ck_assert((row_key_hash(t, x) == row_key_hash(t, y)) == (keys[_i].order == 0));
}
END_TEST

/* A key that was not sent has no bytes to be compared with those of one that was. */
START_TEST(missing_key_is_not_read)
{
	struct table *t = fixture_table(a, 0, "v k:1");
	struct row *sent = fixture_row(a, t, "x|a key of many bytes, more than are left");
	struct row *built = fixture_row(a, t, "x|?");
	struct row *exact = malloc(sizeof(*exact) + built->size);

	memcpy(exact, built, sizeof(*exact) + built->size);
	ck_assert_int_gt(row_key_compare(t, exact, sent), 0);
	ck_assert_int_lt(row_key_compare(t, sent, exact), 0);
	free(exact);
}
END_TEST

static const struct {
	const char *older, *newer, *merged;
	uint16_t unchanged;
} merges[] = {
	{ "1|a|b", "1|c|d", "1|c|d", 0 },
	{ "1|a|b", "1|?|d", "1|a|d", 0 },
	{ "1|a|b", "1|?|?", "1|a|b", 0 },
	{ "1|~|b", "1|?|d", "1|~|d", 0 },
	{ "1|a|b", "1|~|?", "1|~|b", 0 },
	{ "1|?|b", "1|c|?", "1|c|b", 0 },
	{ "1|?|b", "1|?|d", "1|?|d", 1 },
	{ "1|a|b", "2|?|?", "2|a|b", 0 },
};

START_TEST(merge_fills_what_was_not_sent)
{
	struct table *t = fixture_table(a, 0, "id:1 x y");
	struct row *r = row_merge(a, t, fixture_row(a, t, merges[_i].older),
	    fixture_row(a, t, merges[_i].newer));

	ck_assert_str_eq(fixture_row_text(a, t, r), merges[_i].merged);
	ck_assert_uint_eq(r->unchanged, merges[_i].unchanged);
}
END_TEST

/* Columns a and b are the key, b first; "" for old: none was sent. */
static const struct {
	const char *old, *new, *complete; /* NULL: nowhere */
} completions[] = {
	{ "", "1|2|x", "1|2|x" },
	{ "", "1|2|?", "1|2|?" },
	{ "", "?|2|x", NULL },
	{ "1|2|~", "3|4|x", "3|4|x" },
	{ "1|2|~", "?|4|x", "1|4|x" },
	{ "1|2|~", "?|?|x", "1|2|x" },
	{ "1|2|y", "?|4|?", "1|4|?" },
};

START_TEST(key_is_completed_from_the_old_row)
{
	struct table *t = fixture_table(a, 0, "a:2 b:1 x");
	const char *old = completions[_i].old;
	const struct row *r;

	r = row_complete_key(a, t, old[0] != '\0' ? fixture_row(a, t, old) : NULL,
	    fixture_row(a, t, completions[_i].new));
	if (completions[_i].complete == NULL)
		ck_assert_ptr_null(r);
	else
		ck_assert_str_eq(fixture_row_text(a, t, r), completions[_i].complete);
}
END_TEST

START_TEST(a_complete_row_is_not_copied)
{
	struct table *t = fixture_table(a, 0, "id:1 x");
	struct row *r = fixture_row(a, t, "1|?");

	ck_assert_ptr_eq(row_complete_key(a, t, NULL, r), r);
}
END_TEST

START_TEST(key_without_a_value_is_none)
{
	struct table *t = fixture_table(a, 0, "id:1 note part:2");

	ck_assert(row_has_key(t, fixture_row(a, t, "1|~|x")));
	ck_assert(row_has_key(t, fixture_row(a, t, "|?|x")));
	ck_assert(!row_has_key(t, fixture_row(a, t, "1|n|~")));
	ck_assert(!row_has_key(t, fixture_row(a, t, "?|n|x")));
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *s = suite_create("row");
	TCase *tc = tcase_create("row");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	LOOP(tc, text_row_gives_back_its_values, rows);
	LOOP(tc, binary_row_gives_back_its_values, rows);
	tcase_add_test(tc, binary_row_is_a_copy_row);
	tcase_add_test(tc, text_values_are_strings);
	LOOP(tc, keys_compare, keys);
	LOOP(tc, hash_agrees_with_comparison, keys);
	tcase_add_test(tc, missing_key_is_not_read);
	LOOP(tc, merge_fills_what_was_not_sent, merges);
	LOOP(tc, key_is_completed_from_the_old_row, completions);
	tcase_add_test(tc, a_complete_row_is_not_copied);
	tcase_add_test(tc, key_without_a_value_is_none);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
