/*
 * Passwords and the patience with those who guess them; time is the test's.
 */
#include "lib/control/http_auth.h"

#include <check.h>
#include <stdio.h>

static struct http_auth *auth;
static usec_t now;

static void
setup(void)
{
	auth = http_auth_new("right");
	now = 1000 * USEC_PER_SEC;
}

static void
teardown(void)
{
	http_auth_free(&auth);
}

static enum http_auth_verdict
try(const char *address, const char *header, int *delay_ms)
{
	return http_auth_check(auth, address, header, header != NULL, now, delay_ms);
}

START_TEST(nobody_is_asked_without_a_password)
{
	struct http_auth *open = http_auth_new("");
	int delay;

	ck_assert(!http_auth_needed(open));
	ck_assert(http_auth_needed(auth));
	ck_assert_int_eq(http_auth_check(open, "::1", NULL, 0, now, &delay), HTTP_AUTH_OK);
	http_auth_free(&open);
	ck_assert_ptr_null(open);
	http_auth_free(&open);
}
END_TEST

START_TEST(delays_grow_to_a_bound)
{
	static const int steps[] = { 0, 0, 0, 250, 500, 1000, 2000, 4000, 4000 };
	int delay;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		ck_assert_int_eq(try("10.0.0.1", "Bearer wrong", &delay), HTTP_AUTH_WRONG);
		ck_assert_int_eq(delay, steps[i]);
		now += (usec_t)delay * USEC_PER_MSEC;
	}
}
END_TEST

START_TEST(guessing_in_parallel_gains_nothing)
{
	int delay, last = 0, guesses = 0;

	while (try("10.0.0.1", "Bearer wrong", &delay) == HTTP_AUTH_WRONG) {
		ck_assert_int_ge(delay, last);
		last = delay;
		ck_assert_int_lt(++guesses, 20);
	}
	ck_assert_int_gt(last, 30 * 1000);
	/* even the right one is not looked at now */
	ck_assert_int_eq(try("10.0.0.1", "Bearer right", &delay), HTTP_AUTH_TOO_MANY);
	now += (usec_t)last * USEC_PER_MSEC;
	ck_assert_int_eq(try("10.0.0.1", "Bearer right", &delay), HTTP_AUTH_OK);
	ck_assert_int_eq(delay, 0);
}
END_TEST

START_TEST(others_are_not_slowed_down)
{
	int delay;

	for (int i = 0; i < 20; i++)
		try("2001:db8::1", "Bearer wrong", &delay);
	ck_assert_int_eq(try("2001:db8::ffff", "Bearer right", &delay), HTTP_AUTH_TOO_MANY);
	ck_assert_int_eq(try("2001:db8:0:1::1", "Bearer right", &delay), HTTP_AUTH_OK);
	ck_assert_int_eq(try("10.0.0.1", "Bearer wrong", &delay), HTTP_AUTH_WRONG);
	ck_assert_int_eq(delay, 0);
}
END_TEST

START_TEST(asking_without_a_password_is_no_guess)
{
	int delay;

	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(try("10.0.0.1", NULL, &delay), HTTP_AUTH_MISSING);
		ck_assert_int_eq(delay, 0);
	}
}
END_TEST

START_TEST(peace_is_forgiven)
{
	int delay;

	for (int i = 0; i < 20; i++)
		try("10.0.0.1", "Bearer wrong", &delay);
	now += 601 * USEC_PER_SEC;
	ck_assert_int_eq(try("10.0.0.1", "Bearer wrong", &delay), HTTP_AUTH_WRONG);
	ck_assert_int_eq(delay, 0);
}
END_TEST

START_TEST(the_table_is_bounded)
{
	char address[32];
	int delay;

	for (int i = 0; i < 20000; i++) {
		snprintf(address, sizeof(address), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		now++;
		ck_assert_int_eq(try(address, "Bearer wrong", &delay), HTTP_AUTH_WRONG);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http_auth");
	TCase *tc = tcase_create("http_auth");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nobody_is_asked_without_a_password);
	tcase_add_test(tc, delays_grow_to_a_bound);
	tcase_add_test(tc, guessing_in_parallel_gains_nothing);
	tcase_add_test(tc, others_are_not_slowed_down);
	tcase_add_test(tc, asking_without_a_password_is_no_guess);
	tcase_add_test(tc, peace_is_forgiven);
	tcase_add_test(tc, the_table_is_bounded);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
