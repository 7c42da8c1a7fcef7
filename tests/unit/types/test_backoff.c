#include "lib/types/backoff.h"

#include <check.h>

START_TEST(delays_double_up_to_the_ceiling)
{
	static const usec_t expected[] = { 500, 1000, 2000, 4000, 6000, 6000, 6000 };
	struct backoff b = { .first = 500, .max = 6000 };

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		ck_assert_int_eq(backoff_next(&b, 0), expected[i]);
	backoff_reset(&b);
	ck_assert_int_eq(backoff_next(&b, 0), 500);
}
END_TEST

START_TEST(the_spread_is_the_upper_half)
{
	struct backoff low = { .first = 1000, .max = 1000 };
	struct backoff mid = low;

	ck_assert_int_eq(backoff_next(&low, UINT32_MAX), 500);
	ck_assert_int_eq(backoff_next(&mid, UINT32_MAX / 2), 751);
}
END_TEST

START_TEST(a_million_failures_do_not_overflow)
{
	struct backoff b = { .first = 1, .max = 60 * USEC_PER_SEC, .failures = 1000000 };

	ck_assert_int_eq(backoff_next(&b, 0), 60 * USEC_PER_SEC);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("backoff");
	TCase *tc = tcase_create("backoff");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, delays_double_up_to_the_ceiling);
	tcase_add_test(tc, the_spread_is_the_upper_half);
	tcase_add_test(tc, a_million_failures_do_not_overflow);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
