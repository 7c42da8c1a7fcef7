#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"

/* Dates checked with date -u -d @SECONDS. */
static const struct {
	usec_t wall;
	const char *text;
} times[] = {
	{ 0, "1970-01-01T00:00:00.000Z" },
	{ 999, "1970-01-01T00:00:00.000Z" },
	{ 1000, "1970-01-01T00:00:00.001Z" },
	{ PG_EPOCH_US, "2000-01-01T00:00:00.000Z" },
	{ 951782400 * USEC_PER_SEC, "2000-02-29T00:00:00.000Z" },
	{ 1767323045 * USEC_PER_SEC + 678 * USEC_PER_MSEC + 999, "2026-01-02T03:04:05.678Z" },
	{ 253402300799 * USEC_PER_SEC + 999999, "9999-12-31T23:59:59.999Z" },
	{ -1, "1969-12-31T23:59:59.999Z" },
	{ -1500 * USEC_PER_MSEC, "1969-12-31T23:59:58.500Z" },
};

START_TEST(formats_in_utc)
{
	char text[32];

	setenv("TZ", "America/New_York", 1);
	clock_format(times[_i].wall, text, sizeof(text));
	ck_assert_str_eq(text, times[_i].text);
}
END_TEST

static const usec_t extremes[] = { INT64_MIN, INT64_MAX };

START_TEST(any_time_fits)
{
	char text[32];

	memset(text, 'x', sizeof(text));
	clock_format(extremes[_i], text, sizeof(text));
	ck_assert_ptr_nonnull(memchr(text, '\0', sizeof(text)));
	ck_assert_int_eq(text[strlen(text) - 1], 'Z');
}
END_TEST

START_TEST(mono_does_not_go_back)
{
	usec_t before = clock_mono_us();

	ck_assert_int_ge(clock_mono_us(), before);
}
END_TEST

START_TEST(wall_is_after_this_was_written)
{
	ck_assert_int_gt(clock_wall_us(), 1735689600 * USEC_PER_SEC);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("clock");
	TCase *tc = tcase_create("clock");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, formats_in_utc, 0, sizeof(times) / sizeof(times[0]));
	tcase_add_loop_test(tc, any_time_fits, 0, sizeof(extremes) / sizeof(extremes[0]));
	tcase_add_test(tc, mono_does_not_go_back);
	tcase_add_test(tc, wall_is_after_this_was_written);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
