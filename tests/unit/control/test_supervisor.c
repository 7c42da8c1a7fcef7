/*
 * Children that leave, hang, and die. The "worker" is a shell script.
 */
#include "lib/control/supervisor.h"

#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/ipc/ipc.h"

static char script[] = "/tmp/peerd-unit-supervisor-XXXXXX";
static struct event_base *base;
static struct supervisor *sup;
static struct child *child;
static struct child_end last_end;
static int ends;
static int nones;

static void
on_hello(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	(void)request_id;
	(void)msg;
	child_set_deadline(arg, 0, NULL);
}

static const struct ipc_handler handlers[] = {
	{ IPC_HELLO, on_hello },
	{ 0, NULL },
};

static void
on_end(void *arg, const struct child_end *end)
{
	(void)arg;
	ends++;
	last_end = *end;
}

static void
on_none(void *arg)
{
	(void)arg;
	nones++;
}

static void
turn(void)
{
	struct timeval tick = { .tv_usec = 5000 };

	event_base_loopexit(base, &tick);
	event_base_loop(base, EVLOOP_ONCE);
}

#define run_until(condition)                                                             \
	do {                                                                             \
		usec_t deadline_ = clock_mono_us() + 20 * USEC_PER_SEC;                  \
		while (!(condition)) {                                                   \
			ck_assert_msg(clock_mono_us() < deadline_, "waited in vain: %s", \
			    #condition);                                                 \
			turn();                                                          \
		}                                                                        \
	} while (0)

static void
start(const char *text)
{
	const struct child_owner owner = { handlers, on_end, NULL };
	struct err err = ERR_INIT;
	int fd = open(script, O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	ck_assert_int_eq(chmod(script, 0700), 0);
	child = child_start(sup, "mirror", "m", 1, &owner, &err);
	ck_assert_msg(child != NULL, "%s", err.msg);
}

static void
setup(void)
{
	close(mkstemp(script));
	base = event_base_new();
	sup = supervisor_new(base, script);
}

static void
teardown(void)
{
	supervisor_free(&sup);
	event_base_free(base);
	unlink(script);
}

static const struct {
	const char *text;
	enum err_code code;
	const char *words;
} exits[] = {
	{ "#!/bin/sh\nexit 0\n", ERR_NONE, "" },
	{ "#!/bin/sh\nexit 5\n", ERR_BUG, "exited with status 5" },
	{ "#!/bin/sh\nexit 71\n", ERR_BUG, "out of memory" },
	{ "#!/bin/sh\nkill -SEGV $$\n", ERR_BUG, "killed by signal 11" },
	{ "#!/nonexistent/interpreter\n", ERR_TRANSIENT, "could not be executed" },
	{ "#!/bin/sh\nhead -c 100 /dev/zero >&3\nsleep 100\n", ERR_PROTOCOL, "unknown type" },
};

START_TEST(how_a_child_ended)
{
	start(exits[_i].text);
	run_until(ends == 1);
	ck_assert_int_eq(last_end.why.code, exits[_i].code);
	ck_assert_msg(strstr(last_end.why.msg, exits[_i].words) != NULL, "%s", last_end.why.msg);
	ck_assert(!last_end.stopping);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(a_missed_deadline_kills)
{
	start("#!/bin/sh\nexec sleep 100\n");
	child_set_deadline(child, 50, "did not become ready");
	run_until(ends == 1);
	ck_assert(last_end.killed);
	ck_assert_int_eq(last_end.why.code, ERR_TIMEOUT);
	ck_assert_str_eq(last_end.why.msg, "did not become ready");
}
END_TEST

START_TEST(the_ladder_sends_sigterm)
{
	start("#!/bin/sh\nexec sleep 100\n");
	child_stop(child, 50);
	run_until(ends == 1);
	ck_assert(last_end.stopping);
	ck_assert(!last_end.killed);
	ck_assert_int_eq(WTERMSIG(last_end.status), SIGTERM);
}
END_TEST

/* A script says that it is ready by taking the right to write to itself away. */
static bool
script_is_ready(void)
{
	struct stat st;

	return stat(script, &st) == 0 && (st.st_mode & 0777) == 0500;
}

START_TEST(the_ladder_ends_with_sigkill)
{
	start("#!/bin/sh\ntrap '' TERM\nchmod 500 $0\nwhile :; do sleep 1; done\n");
	run_until(script_is_ready());
	child_stop(child, 10);
	run_until(ends == 1);
	ck_assert(last_end.killed);
	ck_assert_int_eq(WTERMSIG(last_end.status), SIGKILL);
}
END_TEST

START_TEST(one_that_closes_its_channel_must_go)
{
	start("#!/bin/sh\nexec 3>&-\nexec sleep 100\n");
	run_until(ends == 1);
	ck_assert_int_eq(WTERMSIG(last_end.status), SIGTERM);
}
END_TEST

START_TEST(a_grandchild_may_hold_the_channel)
{
	start("#!/bin/sh\nsleep 4 >/dev/null 2>&1 &\nexit 0\n");
	run_until(ends == 1);
	ck_assert_int_eq(last_end.why.code, ERR_NONE);
}
END_TEST

START_TEST(a_released_child_is_reaped_unheard)
{
	start("#!/bin/sh\nexec sleep 100\n");
	child_release(&child, 10);
	ck_assert_ptr_null(child);
	supervisor_on_none(sup, on_none, NULL);
	ck_assert_int_eq(nones, 0);
	run_until(nones == 1);
	ck_assert_int_eq(ends, 0);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(no_children_is_told_at_once)
{
	supervisor_on_none(sup, on_none, NULL);
	ck_assert_int_eq(nones, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("supervisor");
	TCase *tc = tcase_create("supervisor");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 40);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, how_a_child_ended, 0, sizeof(exits) / sizeof(exits[0]));
	tcase_add_test(tc, a_missed_deadline_kills);
	tcase_add_test(tc, the_ladder_sends_sigterm);
	tcase_add_test(tc, the_ladder_ends_with_sigkill);
	tcase_add_test(tc, one_that_closes_its_channel_must_go);
	tcase_add_test(tc, a_grandchild_may_hold_the_channel);
	tcase_add_test(tc, a_released_child_is_reaped_unheard);
	tcase_add_test(tc, no_children_is_told_at_once);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
