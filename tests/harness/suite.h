/*
 * suite - the main function of a Check program
 *
 *	int
 *	main(void)
 *	{
 *		return suite_main(names_suite());
 *	}
 *
 * Puts the janitor above the program, runs the suite and returns the exit
 * status. Each test runs in a process of its own.
 *
 * suite_case() adds a test case with the two usual pairs of fixtures; any of
 * them may be NULL. suite_test() and suite_loop() add tests to it: all of them,
 * or with PEERD_TEST_ONLY=word in the environment those with the word in their
 * names.
 */
#ifndef PEERD_HARNESS_SUITE_H
#define PEERD_HARNESS_SUITE_H

#include <check.h>

#define SUITE_TEST_TIMEOUT_S 180

int suite_main(Suite *s);
TCase *suite_case(Suite *s, const char *name, void (*program_init)(void),
    void (*program_done)(void), void (*test_init)(void), void (*test_done)(void));
void suite_test(TCase *tc, const TTest *test);
void suite_loop(TCase *tc, const TTest *test, int from, int to); /* _i from ... to - 1 */

#endif
