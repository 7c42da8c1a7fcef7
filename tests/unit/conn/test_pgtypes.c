#include "lib/conn/pgtypes_int.h"

#include <check.h>

#include "lib/base/buf.h"

static const struct pgtype mood = { .kind = 'e', .schema = "public", .name = "mood" };
static struct buf sql;

static void
setup(void)
{
	buf_init(&sql, 1 << 20);
}

static void
teardown(void)
{
	buf_done(&sql);
}

/* A list of up to eight labels, ended by the first NULL. */
#define LABELS_MAX 8

static struct pgtypes_list
list_of(const char *const *labels)
{
	struct pgtypes_list l = { .v = (const char **)(uintptr_t)labels };

	while (l.n < LABELS_MAX && labels[l.n] != NULL)
		l.n++;
	return l;
}

/* ---- enums */

START_TEST(an_enum_keeps_its_labels_in_order)
{
	static const struct pgtype t = { .kind = 'e', .schema = "S", .name = "Mo\"od" };
	static const char *const labels[LABELS_MAX] = { "sad", "it's", "back\\slash" };
	struct pgtypes_list l = list_of(labels);

	pgtypes_sql_enum(&sql, &t, &l);
	ck_assert_str_eq(buf_str(&sql),
	    "CREATE TYPE \"S\".\"Mo\"\"od\" AS ENUM"
	    " ('sad', 'it''s',  E'back\\\\slash')");
}
END_TEST

START_TEST(an_enum_may_be_empty)
{
	struct pgtypes_list none = { .n = 0 };

	pgtypes_sql_enum(&sql, &mood, &none);
	ck_assert_str_eq(buf_str(&sql), "CREATE TYPE \"public\".\"mood\" AS ENUM ()");
}
END_TEST

#define ADD "ALTER TYPE \"public\".\"mood\" ADD VALUE IF NOT EXISTS "

static const struct {
	const char *want[LABELS_MAX], *have[LABELS_MAX], *expected;
} enum_rows[] = {
	{ { "a", "b" }, { "a", "b" }, "" },
	{ { "a", "b" }, { "b", "x", "a" }, "" },
	{ { "a", "b" }, { "a" }, ADD "'b' AFTER 'a'; " },
	{ { "a", "b" }, { "b" }, ADD "'a' BEFORE 'b'; " },
	{ { "a", "b", "c" }, { "x", "c" }, ADD "'a' BEFORE 'x'; " ADD "'b' AFTER 'a'; " },
	{ { "a", "b" }, { NULL }, ADD "'a'; " ADD "'b' AFTER 'a'; " },
};

START_TEST(missing_labels_are_added_where_they_belong)
{
	struct pgtypes_list want = list_of(enum_rows[_i].want);
	struct pgtypes_list have = list_of(enum_rows[_i].have);

	pgtypes_sql_enum_add(&sql, &mood, &want, &have);
	ck_assert_str_eq(buf_str(&sql), enum_rows[_i].expected);
}
END_TEST

/* ---- domains */

static const char *const checks[LABELS_MAX] = { "pos itive", "CHECK ((VALUE > 0))", "later",
	"CHECK ((VALUE < 9)) NOT VALID" };

START_TEST(a_domain_keeps_what_it_demands)
{
	static const struct pgtype t = { .kind = 'd', .schema = "s", .name = "d" };
	const struct pgtypes_domain d = { .base = "text",
		.collation = "pg_catalog.\"C\"",
		.default_expr = "'x'::text",
		.not_null = true,
		.checks = list_of(checks) };

	pgtypes_sql_domain(&sql, &t, &d);
	ck_assert_str_eq(buf_str(&sql),
	    "CREATE DOMAIN \"s\".\"d\" AS text COLLATE pg_catalog.\"C\" DEFAULT 'x'::text NOT NULL;"
	    " ALTER DOMAIN \"s\".\"d\" ADD CONSTRAINT \"pos itive\" CHECK ((VALUE > 0));"
	    " ALTER DOMAIN \"s\".\"d\" ADD CONSTRAINT \"later\" CHECK ((VALUE < 9)) NOT VALID");
}
END_TEST

START_TEST(a_bare_domain_is_short)
{
	static const struct pgtype t = { .kind = 'd', .schema = "s", .name = "d" };
	const struct pgtypes_domain d = { .base = "numeric(10,2)",
		.collation = "",
		.default_expr = "" };

	pgtypes_sql_domain(&sql, &t, &d);
	ck_assert_str_eq(buf_str(&sql), "CREATE DOMAIN \"s\".\"d\" AS numeric(10,2)");
}
END_TEST

/* ---- composites, ranges */

START_TEST(a_composite_lists_its_attributes)
{
	static const struct pgtype t = { .kind = 'c', .schema = "s", .name = "c" };
	static const char *const attrs[LABELS_MAX] = { "a", "integer", "", "B b", "text",
		"pg_catalog.\"C\"" };
	struct pgtypes_list l = list_of(attrs);

	pgtypes_sql_composite(&sql, &t, &l);
	ck_assert_str_eq(buf_str(&sql),
	    "CREATE TYPE \"s\".\"c\" AS (\"a\" integer,"
	    " \"B b\" text COLLATE pg_catalog.\"C\")");
}
END_TEST

static const struct {
	struct pgtypes_range r;
	const char *expected;
} range_rows[] = {
	{ { "double precision", "", "", "", "", "" },
	    "CREATE TYPE \"s\".\"r\" AS RANGE (SUBTYPE = double precision)" },
	{ { "text", "pg_catalog.text_pattern_ops", "pg_catalog.\"C\"", "pg_catalog.f", "m", "M r" },
	    "CREATE TYPE \"s\".\"r\" AS RANGE (SUBTYPE = text,"
	    " SUBTYPE_OPCLASS = pg_catalog.text_pattern_ops, COLLATION = pg_catalog.\"C\","
	    " SUBTYPE_DIFF = pg_catalog.f, MULTIRANGE_TYPE_NAME = \"m\".\"M r\")" },
};

START_TEST(a_range_names_only_what_is_not_the_default)
{
	static const struct pgtype t = { .kind = 'r', .schema = "s", .name = "r" };

	pgtypes_sql_range(&sql, &t, &range_rows[_i].r);
	ck_assert_str_eq(buf_str(&sql), range_rows[_i].expected);
}
END_TEST

#define ROWS(a) (int)(sizeof(a) / sizeof((a)[0]))

int
main(void)
{
	Suite *s = suite_create("pgtypes");
	TCase *tc = tcase_create("pgtypes");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_enum_keeps_its_labels_in_order);
	tcase_add_test(tc, an_enum_may_be_empty);
	tcase_add_loop_test(tc, missing_labels_are_added_where_they_belong, 0, ROWS(enum_rows));
	tcase_add_test(tc, a_domain_keeps_what_it_demands);
	tcase_add_test(tc, a_bare_domain_is_short);
	tcase_add_test(tc, a_composite_lists_its_attributes);
	tcase_add_loop_test(tc, a_range_names_only_what_is_not_the_default, 0, ROWS(range_rows));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
