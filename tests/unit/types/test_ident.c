#include <check.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/types/ident.h"

static const struct {
	const char *text, *schema, *name;
	const char *canonical; /* NULL: as text */
} good[] = {
	{ "public.orders", "public", "orders", NULL },
	{ "Public.Orders", "Public", "Orders", NULL },
	{ "\"public\".\"orders\"", "public", "orders", "public.orders" },
	{ "\"a.b\".\"c.d\"", "a.b", "c.d", NULL },
	{ "public.\"say \"\"hi\"\"\"", "public", "say \"hi\"", "public.say \"hi\"" },
	{ "public.\"\"\"x\"", "public", "\"x", NULL },
	{ "public.two words", "public", "two words", NULL },
	{ "schéma.täbelle", "schéma", "täbelle", NULL },
	{ "s.a\"b", "s", "a\"b", NULL },
};

START_TEST(reads_and_writes)
{
	struct table_ident t, again;
	struct err err = ERR_INIT;
	char text[IDENT_TEXT_MAX];

	ck_assert_msg(ident_parse_table(good[_i].text, &t, &err), "%s", err.msg);
	ck_assert_str_eq(t.schema, good[_i].schema);
	ck_assert_str_eq(t.name, good[_i].name);
	ident_format(t.schema, t.name, text);
	ck_assert_str_eq(text, good[_i].canonical != NULL ? good[_i].canonical : good[_i].text);
	ck_assert(ident_parse_table(text, &again, &err));
	ck_assert(ident_equal(&t, &again));
}
END_TEST

static const struct {
	const char *text, *words;
} bad[] = {
	{ "", "empty part" },
	{ "orders", "expected schema.table" },
	{ "\"orders\"", "expected schema.table" },
	{ ".", "empty part" },
	{ ".t", "empty part" },
	{ "s.", "empty part" },
	{ "s.\"\"", "empty part" },
	{ "a.b.c", "not of the form schema.table" },
	{ "\"a\"b.c", "not of the form schema.table" },
	{ "a.\"b\"c", "not of the form schema.table" },
	{ "a.\"b", "not closed" },
	{ "a.\"b\"\"", "not closed" },
	{ "a.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "longer than 63" },
};

START_TEST(a_target_may_have_one_part)
{
	struct table_ident t;
	struct err err = ERR_INIT;
	char text[IDENT_TEXT_MAX];

	ck_assert(ident_parse_target("orders", &t, &err));
	ck_assert_str_eq(t.schema, "");
	ck_assert_str_eq(ident_format(t.schema, t.name, text), "orders");
	ck_assert(ident_parse_target("\"a.b\"", &t, &err));
	ck_assert_str_eq(t.name, "a.b");
	ck_assert_str_eq(ident_format(t.schema, t.name, text), "\"a.b\"");
	ck_assert(ident_parse_target("public.orders", &t, &err));
	ck_assert_str_eq(t.schema, "public");
	ck_assert(!ident_parse_target("a.b.c", &t, &err));
	ck_assert(!ident_parse_target("", &t, &err));
}
END_TEST

START_TEST(refuses_in_words)
{
	struct table_ident t = { .schema = "kept", .name = "kept" };
	struct err err = ERR_INIT;

	ck_assert(!ident_parse_table(bad[_i].text, &t, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.msg, bad[_i].words) != NULL, "%s", err.msg);
	ck_assert_str_eq(t.schema, "kept");
}
END_TEST

START_TEST(longest_names_fit)
{
	char part[IDENT_MAX + 1], text[IDENT_TEXT_MAX];
	struct table_ident t;
	struct err err = ERR_INIT;

	memset(part, '"', IDENT_MAX);
	part[IDENT_MAX] = '\0';
	ident_format(part, part, text);
	ck_assert_uint_eq(strlen(text), 4 * IDENT_MAX + 5);
	ck_assert(ident_parse_table(text, &t, &err));
	ck_assert_str_eq(t.name, part);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ident");
	TCase *tc = tcase_create("ident");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, reads_and_writes, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_test(tc, a_target_may_have_one_part);
	tcase_add_loop_test(tc, refuses_in_words, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, longest_names_fit);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
