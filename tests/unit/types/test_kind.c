#include <check.h>
#include <stdlib.h>

#include "lib/types/kind.h"

static const struct {
	const char *typname;
	char typtype;
	bool array;
	const char *kind;
} rows[] = {
	{ "int4", 'b', false, "int32" },
	{ "int4", 'b', true, "array_int32" },
	{ "char", 'b', false, "qchar" },
	{ "bytea", 'b', true, "array_string" },
	{ "text", 'b', false, "string" },
	{ "text", 'b', true, "array_string" },
	{ "mood", 'e', false, "enum" },
	{ "mood", 'e', true, "array_enum" },
	{ "int4", 'd', false, "string" }, /* a domain that is named like a type */
	{ "int4range", 'r', false, "string" },
	{ "numeric", 'b', false, "numeric" },
};

START_TEST(names)
{
	ck_assert_str_eq(kind_of_postgres(rows[_i].typname, rows[_i].typtype, rows[_i].array),
	    rows[_i].kind);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kind");
	TCase *tc = tcase_create("kind");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, names, 0, sizeof(rows) / sizeof(rows[0]));
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
