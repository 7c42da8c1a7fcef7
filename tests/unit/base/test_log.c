#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/log.h"

static const struct log_subject orders = { "mirror=orders pid=12" };

/* Every test has a process of its own: its standard error becomes a file to be read back. */
static int captured;
static char line[32768];

static void
setup(void)
{
	captured = memfd_create("stderr", 0);
	ck_assert_int_ge(captured, 0);
	ck_assert_int_ge(dup2(captured, STDERR_FILENO), 0);
	log_set_program("peerd-test");
}

static const char *
logged(void)
{
	ssize_t n = pread(captured, line, sizeof(line) - 1, 0);

	ck_assert_int_ge(n, 0);
	line[n] = '\0';
	return line;
}

/* A line without its time stamp, whose form is checked here. */
static const char *
after_time(const char *s)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
	size_t i;

	for (i = 0; form[i] != '\0'; i++) {
		if (form[i] == 'd')
			ck_assert_msg(s[i] >= '0' && s[i] <= '9', "%s", s);
		else
			ck_assert_int_eq(s[i], form[i]);
	}
	return s + i;
}

static const struct {
	void (*log)(const struct log_subject *, const char *, ...);
	const struct log_subject *subject;
	const char *line;
} lines[] = {
	{ log_info, NULL, "info  peerd-test: words 7\n" },
	{ log_warn, NULL, "warn  peerd-test: words 7\n" },
	{ log_error, NULL, "error peerd-test: words 7\n" },
	{ log_info, &(struct log_subject){ "" }, "info  peerd-test: words 7\n" },
	{ log_warn, &orders, "warn  peerd-test mirror=orders pid=12: words 7\n" },
};

START_TEST(a_line_says_who_and_what)
{
	lines[_i].log(lines[_i].subject, "words %d", 7);
	ck_assert_str_eq(after_time(logged()), lines[_i].line);
}
END_TEST

START_TEST(line_breaks_become_blanks)
{
	log_info(NULL, "%s", "a\nb\r\nc");
	ck_assert_str_eq(after_time(logged()), "info  peerd-test: a b  c\n");
}
END_TEST

START_TEST(long_words_are_cut_into_one_line)
{
	char *words = malloc(20000);

	memset(words, 'w', 20000);
	words[19999] = '\0';
	log_info(&orders, "%s", words);
	free(words);
	logged();
	ck_assert_uint_lt(strlen(line), 10000);
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
}
END_TEST

START_TEST(levels_have_names)
{
	ck_assert_str_eq(log_level_name(LOG_LEVEL_INFO), "info");
	ck_assert_str_eq(log_level_name(LOG_LEVEL_WARN), "warn");
	ck_assert_str_eq(log_level_name(LOG_LEVEL_ERROR), "error");
}
END_TEST

START_TEST(bug_aborts)
{
	bug("cannot be: %d", 1);
}
END_TEST

/* Leaves the abort's place in standard error; seen through the signal handler. */
static void
on_abort(int sig)
{
	bool told = strstr(logged(), "test_log.c") != NULL &&
	    strstr(line, ": cannot be: 2\n") != NULL;

	_exit(told ? 0 : 1);
}

START_TEST(bug_says_where)
{
	signal(SIGABRT, on_abort);
	bug("cannot be: %d", 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("log");
	TCase *tc = tcase_create("log");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, a_line_says_who_and_what, 0, sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(tc, line_breaks_become_blanks);
	tcase_add_test(tc, long_words_are_cut_into_one_line);
	tcase_add_test(tc, levels_have_names);
	tcase_add_test_raise_signal(tc, bug_aborts, SIGABRT);
	tcase_add_exit_test(tc, bug_says_where, 0);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
