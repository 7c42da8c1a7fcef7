/*
 * Starting a process: what it gets and what it does not get. The "worker" is
 * a shell script that says on the channel what it sees.
 */
#include "lib/ipc/spawn.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

static char script[] = "/tmp/peerd-test-spawn-XXXXXX";

static void
script_write(const char *text)
{
	int fd = open(script, O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	ck_assert_int_eq(chmod(script, 0700), 0);
}

/* Run the script and collect all it wrote on fd 3 until it closed it. */
static int
script_run(const char *text, const char *name, char *said, size_t size)
{
	struct err err = ERR_INIT;
	struct pollfd pfd = { .events = POLLIN };
	size_t n = 0;
	ssize_t got = 1;
	int status;
	pid_t pid;

	script_write(text);
	ck_assert_msg(spawn_worker(script, "mirror", name, &pid, &pfd.fd, &err), "%s", err.msg);
	while (got > 0 && n + 1 < size) {
		ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
		got = read(pfd.fd, said + n, size - 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	said[n] = '\0';
	fd_close(&pfd.fd);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void
setup(void)
{
	int fd = mkstemp(script);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void
teardown(void)
{
	unlink(script);
}

START_TEST(arguments_and_exit_status)
{
	char said[256];
	int status = script_run("#!/bin/sh\necho \"$# $1 $2\" >&3\nexit 7\n", "orders", said,
	    sizeof(said));

	ck_assert_str_eq(said, "2 mirror orders\n");
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 7);
	script_run("#!/bin/sh\necho \"$# $1 $2\" >&3\n", NULL, said, sizeof(said));
	ck_assert_str_eq(said, "1 mirror \n");
}
END_TEST

START_TEST(only_four_descriptors)
{
	int leaked = open("/dev/null", O_RDONLY); /* without close-on-exec, on purpose */
	char said[1024];

	ck_assert_int_ge(dup2(leaked, 100), 0);
	script_run("#!/bin/sh\nfor n in 0 1 2 3 4 5 6 7 8 9 100; do "
		   "test -e /proc/$$/fd/$n && echo $n; done >&3\n"
		   "readlink /proc/$$/fd/0 >&3\n",
	    "m", said, sizeof(said));
	ck_assert_str_eq(said, "0\n1\n2\n3\n/dev/null\n");
	close(leaked);
	close(100);
}
END_TEST

/* In a process of its own, as descriptor 3 is Check's: does the script's word arrive? */
static int
speak_with_three_free(void)
{
	struct pollfd pfd = { .events = POLLIN };
	struct err err = ERR_INIT;
	char said[8] = "";
	pid_t pid;

	close(3);
	if (!spawn_worker(script, "mirror", "m", &pid, &pfd.fd, &err))
		return 1;
	if (poll(&pfd, 1, 10000) != 1 || read(pfd.fd, said, 4) != 4)
		return 2;
	return strcmp(said, "here") == 0 && waitpid(pid, NULL, 0) == pid ? 0 : 3;
}

START_TEST(the_channel_may_be_descriptor_three_already)
{
	int status;
	pid_t pid;

	script_write("#!/bin/sh\necho here >&3\n");
	pid = fork();
	if (pid == 0)
		_exit(speak_with_three_free());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(secrets_of_the_daemon_stay_with_it)
{
	char said[512];

	setenv("PEERD_PASSWORD", "sesame", 1);
	setenv("PEERD_CATALOG_KEY", "sesame", 1);
	setenv("PEERD_TEST_OTHER", "kept", 1);
	script_run("#!/bin/sh\necho \"$PEERD_PASSWORD$PEERD_CATALOG_KEY$PEERD_TEST_OTHER\" >&3\n",
	    "m", said, sizeof(said));
	ck_assert_str_eq(said, "kept\n");
}
END_TEST

START_TEST(signals_are_as_a_program_expects_them)
{
	unsigned long long blocked, ignored;
	char said[512];
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	script_run("#!/bin/sh\ngrep -E 'Sig(Blk|Ign)' /proc/self/status >&3\n", "m", said,
	    sizeof(said));
	ck_assert_int_eq(sscanf(said, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored), 2);
	ck_assert_uint_eq(blocked, 0);
	/* 32 and 33 are the C library's own: whoever started the test decides, nobody else can */
	ck_assert_uint_eq(ignored & 0x7fffffff, 0);
}
END_TEST

START_TEST(a_missing_program_is_told_in_words)
{
	struct err err = ERR_INIT;
	pid_t pid = -1;
	int fd = -1;

	ck_assert(!spawn_worker("/nonexistent/peerd-worker", "mirror", "m", &pid, &fd, &err));
	ck_assert_int_eq(err.code, ERR_TRANSIENT);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/peerd-worker"));
	ck_assert_int_eq(pid, -1);
	ck_assert_int_eq(fd, -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("spawn");
	TCase *tc = tcase_create("spawn");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, arguments_and_exit_status);
	tcase_add_test(tc, only_four_descriptors);
	tcase_add_test(tc, the_channel_may_be_descriptor_three_already);
	tcase_add_test(tc, secrets_of_the_daemon_stay_with_it);
	tcase_add_test(tc, signals_are_as_a_program_expects_them);
	tcase_add_test(tc, a_missing_program_is_told_in_words);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
