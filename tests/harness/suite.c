#include "tests/harness/suite.h"

#include "tests/harness/fail.h"
#include "tests/harness/janitor.h"

/* The test programs themselves are short-lived: what they keep until exit is no leak. */
int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return 1;
}

TCase *
suite_case(Suite *s, const char *name, void (*program_init)(void), void (*program_done)(void),
    void (*test_init)(void), void (*test_done)(void))
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, SUITE_TEST_TIMEOUT_S);
	tcase_add_unchecked_fixture(tc, program_init, program_done);
	tcase_add_checked_fixture(tc, test_init, test_done);
	suite_add_tcase(s, tc);
	return tc;
}

static bool
is_wanted(const TTest *test)
{
	const char *word = getenv("PEERD_TEST_ONLY");

	return word == NULL || strstr(test->name, word) != NULL;
}

void
suite_test(TCase *tc, const TTest *test)
{
	if (is_wanted(test))
		tcase_add_test(tc, test);
}

void
suite_loop(TCase *tc, const TTest *test, int from, int to)
{
	if (is_wanted(test))
		tcase_add_loop_test(tc, test, from, to);
}

int
suite_main(Suite *s)
{
	SRunner *runner;
	int failed;

	test_under_check = true;
	janitor_start();
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
