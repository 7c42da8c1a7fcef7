#include <check.h>
#include <stdlib.h>

#include "lib/wire/rfc3339.h"

static const struct {
	const char *text;
	int64_t seconds;
	int32_t nanos;
	const char *printed; /* NULL: as text */
} good[] = {
	{ "1970-01-01T00:00:00Z", 0, 0, NULL },
	{ "2026-01-02T03:04:05Z", 1767323045, 0, NULL },
	{ "2026-01-02T03:04:05.678Z", 1767323045, 678000000, NULL },
	{ "2026-01-02T03:04:05.000678Z", 1767323045, 678000, NULL },
	{ "2026-01-02T03:04:05.000000678Z", 1767323045, 678, NULL },
	{ "2026-01-02t03:04:05.5z", 1767323045, 500000000, "2026-01-02T03:04:05.500Z" },
	{ "2026-01-02 05:34:05+02:30", 1767323045, 0, "2026-01-02T03:04:05Z" },
	{ "2026-01-01T22:04:05-05:00", 1767323045, 0, "2026-01-02T03:04:05Z" },
	{ "2024-02-29T00:00:00Z", 1709164800, 0, NULL },
	{ "0001-01-01T00:00:00Z", INT64_C(-62135596800), 0, NULL },
	{ "9999-12-31T23:59:59Z", INT64_C(253402300799), 0, NULL },
	{ "1969-12-31T23:59:59Z", -1, 0, NULL },
};

START_TEST(reads_and_prints)
{
	char text[RFC3339_SIZE];
	int64_t seconds;
	int32_t nanos;

	ck_assert(rfc3339_parse(good[_i].text, &seconds, &nanos));
	ck_assert_int_eq(seconds, good[_i].seconds);
	ck_assert_int_eq(nanos, good[_i].nanos);
	rfc3339_print(seconds, nanos, text);
	ck_assert_str_eq(text, good[_i].printed != NULL ? good[_i].printed : good[_i].text);
}
END_TEST

static const char *const bad[] = {
	"",
	"2026",
	"2026-01-02",
	"2026-01-02T03:04:05",
	"2026-13-02T03:04:05Z",
	"2026-02-30T03:04:05Z",
	"2025-02-29T03:04:05Z",
	"2026-01-02T24:00:00Z",
	"2026-01-02T03:60:05Z",
	"2026-01-02T03:04:05.Z",
	"2026-01-02T03:04:05.1234567890Z",
	"2026-01-02T03:04:05Zx",
	"0000-01-01T00:00:00Z",
	"0001-01-01T00:00:00+01:00",
	"9999-12-31T23:59:59-01:00",
	"2026-01-02T03:04:05+24:00",
	"2026-01-02T03:04:05+0100",
	" 2026-01-02T03:04:05Z",
	"-026-01-02T03:04:05Z",
};

START_TEST(refuses)
{
	int64_t seconds;
	int32_t nanos;

	ck_assert_msg(!rfc3339_parse(bad[_i], &seconds, &nanos), "%s", bad[_i]);
}
END_TEST

START_TEST(prints_anything_within_bounds)
{
	char text[RFC3339_SIZE];

	rfc3339_print(INT64_MAX, 5000000, text);
	ck_assert_str_eq(text, "9999-12-31T23:59:59.005Z");
	rfc3339_print(INT64_MIN, -1, text);
	ck_assert_str_eq(text, "0001-01-01T00:00:00Z");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("rfc3339");
	TCase *tc = tcase_create("rfc3339");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, reads_and_prints, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tc, refuses, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, prints_anything_within_bounds);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
