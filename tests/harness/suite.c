#include "tests/harness/suite.h"

#include "tests/harness/fail.h"
#include "tests/harness/janitor.h"

/* The test programs themselves are short-lived: what they keep until exit is no leak. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
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
