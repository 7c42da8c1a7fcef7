/*
 * The initial load loses what it stands on: the connection that holds the
 * exported snapshot ends, and then a worker that would have to import it again.
 */
#include <signal.h>

#include "tests/harness/api.h"
#include "tests/harness/daemon.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS 30000
#define OPTIONS "'soft_delete_col_name': '', 'snapshot_num_rows_per_partition': 10000"

static void
snapshot_init(void)
{
	rig_init();
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 400000) i");
}

/* The number of a snapshot worker that has begun to load. */
static pid_t
loading_worker(void)
{
	pid_t pid = 0;

	ck_assert(poll_until(WAIT_MS,
	    (pid = daemon_worker("snapshot load")) != 0 &&
		strstr(proc_title(pid), "partition") != NULL));
	return pid;
}

START_TEST(lost_snapshot_starts_over)
{
	pid_t worker;

	mirror_create("load", "public.t", OPTIONS);
	worker = loading_worker();
	on_source("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		  " WHERE backend_type = 'walsender'");
	kill(worker, SIGKILL);
	on_source("UPDATE t SET v = 'changed' WHERE id %% 3 = 0");
	mirror_wait("load", "STATUS_RUNNING");
	expect_equal("t");
}
END_TEST

static Suite *
snapshot_suite(void)
{
	Suite *s = suite_create("snapshot");
	TCase *tc = suite_case(s, "lost", rig_clusters_init, rig_clusters_done, snapshot_init,
	    rig_done);

	suite_test(tc, lost_snapshot_starts_over);
	return s;
}

int
main(void)
{
	return suite_main(snapshot_suite());
}
