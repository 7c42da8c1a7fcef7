/*
 * When a write is durable, who hears of it and when, and what a full disk or a
 * kill does to it.
 */
#include "tests/unit/catalog/fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const struct catalog_mirror_state running = {
	.wanted = CATALOG_WANT_RUNNING,
	.status = PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING,
	.phase = PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING,
};

static void
add_log(catalog_done_fn *done)
{
	struct catalog_log l = { .mirror = "m", .level = "info", .message = "line" };

	catalog_log_add(cat, &l, done, NULL);
}

START_TEST(a_grouped_write_is_answered_by_the_flush)
{
	add_log(on_done);
	add_log(on_done);
	ck_assert_int_eq(answer.calls, 0);
	ck_assert_str_eq(sql("SELECT count(*) FROM logs"), "0");
	ck_assert(catalog_flush(cat, &err));
	ck_assert_int_eq(answer.calls, 2);
	ck_assert_str_eq(sql("SELECT count(*) FROM logs"), "2");
	ck_assert(catalog_flush(cat, &err));
	ck_assert_int_eq(answer.calls, 2);
}
END_TEST

START_TEST(a_write_at_once_takes_the_group_along)
{
	add_log(on_done);
	catalog_mirror_set_state(cat, "m", &running, "x", NULL, NULL);
	expect(ERR_NONE);
	ck_assert_str_eq(sql("SELECT count(*) FROM logs"), "1");
	ck_assert_str_eq(sql("SELECT status FROM v_mirrors"), "STATUS_RUNNING");
}
END_TEST

START_TEST(closing_keeps_the_group)
{
	add_log(on_done);
	reopen();
	expect(ERR_NONE);
	ck_assert_str_eq(sql("SELECT count(*) FROM logs"), "1");
}
END_TEST

START_TEST(a_failed_write_is_undone_alone)
{
	struct catalog_batch b = { .batch_id = 1 };

	add_log(NULL);
	catalog_batch_add(cat, "nobody", &b, NULL, 0, on_done, NULL);
	expect(ERR_NOT_FOUND);
	catalog_peer_delete(cat, "src", on_done, NULL);
	expect(ERR_IN_USE);
	ck_assert(catalog_flush(cat, &err));
	ck_assert_str_eq(sql("SELECT count(*) FROM logs"), "1");
}
END_TEST

START_TEST(a_failure_nobody_waits_for_shows_in_the_flush)
{
	struct catalog_batch b = { .batch_id = 1 };

	catalog_batch_add(cat, "nobody", &b, NULL, 0, NULL, NULL);
	add_log(NULL);
	ck_assert(!catalog_flush(cat, &err));
	ck_assert_int_eq(err.code, ERR_NOT_FOUND);
	ck_assert(catalog_flush(cat, &err));
	ck_assert_str_eq(sql("SELECT count(*) FROM logs"), "1");
}
END_TEST

static void
write_again(void *arg, const struct err *why)
{
	int *depth = arg;

	ck_assert_ptr_null(why);
	if (--*depth > 0)
		catalog_mirror_set_checkpoint(cat, "m", 100 - (lsn_t)*depth, write_again, depth);
	add_log(on_done);
}

START_TEST(a_completion_may_write_again)
{
	int depth = 3;

	catalog_mirror_set_checkpoint(cat, "m", 1, write_again, &depth);
	while (depth > 0)
		ck_assert(catalog_flush(cat, &err));
	ck_assert(catalog_flush(cat, &err));
	ck_assert_int_eq(answer.calls, 3);
	ck_assert_str_eq(sql("SELECT count(*) FROM logs"), "3");
	ck_assert_str_eq(sql("SELECT checkpoint FROM mirrors"), "99");
}
END_TEST

/* ---- the file may grow no more: as if the disk were full */

static void
limit_files(rlim_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_full_disk_is_said_and_survived)
{
	struct catalog_log l = { .mirror = "m", .level = "info" };
	char *line = xcalloc(1, 2000001);

	memset(line, 'x', 2000000);
	l.message = line;
	limit_files(1000000);
	catalog_log_add(cat, &l, on_done, NULL);
	catalog_mirror_set_state(cat, "m", &running, "x", on_done, NULL);
	ck_assert_int_eq(answer.calls, 2);
	ck_assert_int_eq(answer.err.code, ERR_TRANSIENT);
	ck_assert_msg(answer.err.hint[0] != '\0', "%s", answer.err.msg);
	answer.calls = 0;
	ck_assert(!catalog_flush(cat, &err));
	ck_assert_int_eq(err.code, ERR_TRANSIENT);

	limit_files(RLIM_INFINITY);
	catalog_mirror_set_state(cat, "m", &running, "x", on_done, NULL);
	expect(ERR_NONE);
	ck_assert_str_eq(sql("SELECT status FROM v_mirrors"), "STATUS_RUNNING");
	ck_assert_str_eq(sql("SELECT count(*) FROM logs"), "0");
	free(line);
}
END_TEST

/* ---- the process is killed */

static void
write_and_die(void)
{
	open_catalog();
	catalog_mirror_set_state(cat, "m", &running, "x", on_done, NULL);
	expect(ERR_NONE);
	add_log(on_done);
	raise(SIGKILL);
}

START_TEST(a_kill_forgets_the_group_and_no_more)
{
	int status;
	pid_t pid;

	catalog_close(&cat);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		write_and_die();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	open_catalog();
	ck_assert_str_eq(sql("SELECT status FROM v_mirrors"), "STATUS_RUNNING");
	ck_assert_str_eq(sql("SELECT count(*) FROM logs"), "0");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("writes");

	tcase_add_checked_fixture(tc, setup_mirror, remove_dir);
	tcase_add_test(tc, a_grouped_write_is_answered_by_the_flush);
	tcase_add_test(tc, a_write_at_once_takes_the_group_along);
	tcase_add_test(tc, closing_keeps_the_group);
	tcase_add_test(tc, a_failed_write_is_undone_alone);
	tcase_add_test(tc, a_failure_nobody_waits_for_shows_in_the_flush);
	tcase_add_test(tc, a_completion_may_write_again);
	tcase_add_test(tc, a_full_disk_is_said_and_survived);
	tcase_add_test(tc, a_kill_forgets_the_group_and_no_more);
	return run_suite("writes", tc);
}
