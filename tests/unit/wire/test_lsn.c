#include <check.h>
#include <stdlib.h>

#include "lib/wire/lsn.h"

static const struct {
	lsn_t lsn;
	const char *text;
} both_ways[] = {
	{ LSN_INVALID, "0/0" },
	{ 1, "0/1" },
	{ 0x16b374d848ull, "16/B374D848" },
	{ 0x100000000ull, "1/0" },
	{ 0xffffffffull, "0/FFFFFFFF" },
	{ UINT64_MAX, "FFFFFFFF/FFFFFFFF" },
};

START_TEST(prints_as_postgres_does)
{
	ck_assert_str_eq(lsn_str(both_ways[_i].lsn), both_ways[_i].text);
}
END_TEST

START_TEST(reads_what_it_prints)
{
	lsn_t lsn = 42;

	ck_assert(lsn_parse(both_ways[_i].text, &lsn));
	ck_assert_uint_eq(lsn, both_ways[_i].lsn);
}
END_TEST

static const struct {
	const char *text;
	lsn_t lsn;
} also_good[] = { { "16/b374d848", 0x16b374d848ull }, { "00000001/00000002", 0x100000002ull } };

START_TEST(reads_other_spellings)
{
	lsn_t lsn = 42;

	ck_assert(lsn_parse(also_good[_i].text, &lsn));
	ck_assert_uint_eq(lsn, also_good[_i].lsn);
}
END_TEST

static const char *const bad[] = { "", "/", "0", "0/", "/0", "0/0/0", "0//0", " 0/0", "0/0 ",
	"0/ 0", "+1/0", "-1/0", "0x1/0", "g/0", "0/g", "123456789/0", "0/123456789",
	"000000001/00000001", "FFFFFFFF/FFFFFFFFF" };

START_TEST(refuses_the_rest)
{
	lsn_t lsn = 42;

	ck_assert(!lsn_parse(bad[_i], &lsn));
	ck_assert_uint_eq(lsn, 42);
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *s = suite_create("lsn");
	TCase *tc = tcase_create("lsn");
	SRunner *sr = srunner_create(s);
	int failed;

	LOOP(tc, prints_as_postgres_does, both_ways);
	LOOP(tc, reads_what_it_prints, both_ways);
	LOOP(tc, reads_other_spellings, also_good);
	LOOP(tc, refuses_the_rest, bad);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
