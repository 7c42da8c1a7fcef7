#include <check.h>
#include <stdlib.h>

#include "tests/unit/sink/sink_fixture.h"

static struct buf out;

static void
setup(void)
{
	fx_begin("id:1 x y");
	buf_init(&out, 4096);
}

static void
teardown(void)
{
	buf_done(&out);
	fx_end();
}

static void
assert_bytes(const char *want, size_t n)
{
	ck_assert_uint_eq(out.n, n);
	ck_assert_mem_eq(out.p, want, n);
}

static const struct {
	bool text;
	const char *sql;
} statements[] = {
	{ true, "COPY \"copy\".\"d0\" (\"id\", \"x\"\"y\", \"y\") FROM STDIN" },
	{ false, "COPY \"copy\".\"d0\" (\"id\", \"x\"\"y\", \"y\") FROM STDIN (FORMAT binary)" },
};

START_TEST(statement_names_the_columns)
{
	fx.pt[0].t->cols[1].destination = "x\"y";
	pg_copy_sql(&fx.pt[0], statements[_i].text, &out);
	ck_assert_str_eq(buf_str(&out), statements[_i].sql);
}
END_TEST

static const struct {
	const char *row, *line;
} lines[] = {
	{ "1|a|b", "1\ta\tb\n" },
	{ "1|~|", "1\t\\N\t\n" },
	{ "||", "\t\t\n" },
	{ "~|~|~", "\\N\t\\N\t\\N\n" },
	{ "1|\\N|\\.", "1\t\\\\N\t\\\\.\n" },
	{ "1|a\tb|c\nd", "1\ta\\tb\tc\\nd\n" },
	{ "1|\r\v|\b\f", "1\t\\r\\v\t\\b\\f\n" },
	{ "1|\\\\|\\", "1\t\\\\\\\\\t\\\\\n" },
	{ "1|caf\xc3\xa9|'\"", "1\tcaf\xc3\xa9\t'\"\n" },
};

START_TEST(text_row_is_escaped)
{
	pg_copy_row(&fx.pt[0], fixture_row(fx.a, fx.pt[0].t, lines[_i].row), &out);
	ck_assert_str_eq(buf_str(&out), lines[_i].line);
}
END_TEST

START_TEST(text_needs_no_frame)
{
	pg_copy_header(true, &out);
	pg_copy_trailer(true, &out);
	ck_assert_uint_eq(out.n, 0);
}
END_TEST

START_TEST(binary_header)
{
	static const char want[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";

	pg_copy_header(false, &out);
	assert_bytes(want, sizeof(want)); /* 11 bytes of signature, two numbers */
}
END_TEST

START_TEST(binary_row)
{
	static const char want[] = "\0\3\0\0\0\1"
				   "7\377\377\377\377\0\0\0\0";

	fx.pt[0].t->binary = true;
	pg_copy_row(&fx.pt[0], fixture_row(fx.a, fx.pt[0].t, "7|~|"), &out);
	assert_bytes(want, sizeof(want) - 1);
}
END_TEST

START_TEST(binary_trailer)
{
	pg_copy_trailer(false, &out);
	assert_bytes("\377\377", 2);
}
END_TEST

START_TEST(rows_follow_each_other)
{
	pg_copy_row(&fx.pt[0], fixture_row(fx.a, fx.pt[0].t, "1|a|b"), &out);
	pg_copy_row(&fx.pt[0], fixture_row(fx.a, fx.pt[0].t, "2|c|~"), &out);
	ck_assert_str_eq(buf_str(&out), "1\ta\tb\n2\tc\t\\N\n");
}
END_TEST

START_TEST(a_value_that_does_not_fit_is_noticed)
{
	const char *wide = arena_printf(fx.a, "1|%04096d|b", 0);

	pg_copy_row(&fx.pt[0], fixture_row(fx.a, fx.pt[0].t, wide), &out);
	ck_assert(buf_overflowed(&out));
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *s = suite_create("pg_copy");
	TCase *tc = tcase_create("pg_copy");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	LOOP(tc, statement_names_the_columns, statements);
	LOOP(tc, text_row_is_escaped, lines);
	tcase_add_test(tc, text_needs_no_frame);
	tcase_add_test(tc, binary_header);
	tcase_add_test(tc, binary_row);
	tcase_add_test(tc, binary_trailer);
	tcase_add_test(tc, rows_follow_each_other);
	tcase_add_test(tc, a_value_that_does_not_fit_is_noticed);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
