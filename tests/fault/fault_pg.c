/*
 * fault_pg - exactly once, whatever dies
 *
 *	fault_pg [--short | --long] [--seed N] [--rounds N] [--seconds N]
 *
 * A mirror runs under the load of bank.h. In every round something is killed
 * or restarted at a random moment: the mirror worker, the daemon, a snapshot
 * worker, a server process of the source or the destination, a whole cluster.
 * Now and then the mirror is made anew, so that its snapshot is hit as well.
 * All the while the destination is read: each state it shows must satisfy the
 * bank's invariants, which only states that the source once had do. After each
 * fault changes must arrive again within a deadline. In the end the load
 * stops, and every table must be equal row by row.
 *
 * The seed decides which faults come when and what the load does; it is
 * printed. Exits 0 when all held.
 */
#include "tests/harness/bank.h"
#include "tests/harness/cluster.h"
#include "tests/harness/compare.h"
#include "tests/harness/fail.h"
#include "tests/harness/fault.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/sql.h"

#define SHORT_ROUNDS 20
#define OPTIONS	     "'soft_delete_col_name': '', " FAULT_SNAPSHOT_OPTIONS

static struct {
	struct cluster *destination;
	PGconn *d;	/* the reader of the destination; NULL while that is down */
	int64_t states; /* of the destination that were read and right */
	int64_t snapshots;
} run;

/* ---- looking at the destination */

/* Read one state, if the destination answers at all. */
static void
check_once(void)
{
	const char *words;

	if (run.d == NULL || PQstatus(run.d) != CONNECTION_OK) {
		sql_close(&run.d);
		run.d = cluster_try_connect(run.destination, FAULT_DATABASE);
	}
	if (run.d == NULL)
		return;
	words = bank_check(run.d);
	if (words == NULL)
		return;
	if (strcmp(words, "ok") != 0)
		fault_give_up(
		    text("the destination shows a state that the source never had:%s", words));
	run.states++;
}

static bool
checked_and_marked(int64_t n)
{
	check_once();
	return run.d != NULL && bank_marked(run.d) >= n;
}

static void
check_for(int ms)
{
	(void)poll_until(ms, (check_once(), false));
}

/* ---- the mirror */

static void
wait_caught_up(void)
{
	fault_mark();
	if (!poll_until(FAULT_CATCH_UP_MS, checked_and_marked(fault.mark)))
		fault_give_up(text("changes do not arrive any more; the mirror is %s: %s",
		    mirror_state(FAULT_MIRROR), mirror_errors(FAULT_MIRROR)));
}

static void
create_mirror(void)
{
	mirror_create(FAULT_MIRROR, bank_tables, OPTIONS);
	run.snapshots++;
}

static void
drop_destination_tables(void)
{
	PGconn *c = cluster_connect(run.destination, FAULT_DATABASE);

	for (int i = 0; bank_table_names[i] != NULL; i++)
		sql_exec(c, "DROP TABLE IF EXISTS %s", bank_table_names[i]);
	sql_close(&c);
}

/* ---- faults */

static bool
kill_destination_backend(void)
{
	return fault_kill_backend(run.destination);
}

static bool
terminate_backends(void)
{
	return fault_terminate_backends(fault_up_to(2) == 0 ? fault.source : run.destination);
}

static bool
crash_destination(void)
{
	cluster_restart(run.destination, CLUSTER_IMMEDIATE);
	return true;
}

static bool
restart_destination(void)
{
	cluster_restart(run.destination, CLUSTER_FAST);
	return true;
}

static bool
kill_worker_and_destination(void)
{
	bool hit = fault_kill_mirror_worker();

	return kill_destination_backend() && hit;
}

static bool
pause_and_resume(void)
{
	mirror_change(FAULT_MIRROR, "STATUS_PAUSED");
	check_for((int)fault_up_to(FAULT_DELAY_MS));
	mirror_change(FAULT_MIRROR, "STATUS_RUNNING");
	return true;
}

static const struct fault_kind steady_faults[] = {
	{ "kill -9 the mirror worker", 30, fault_kill_mirror_worker },
	{ "kill -9 the daemon", 15, fault_kill_daemon },
	{ "restart the daemon", 5, fault_restart_daemon },
	{ "kill -9 a source backend", 10, fault_kill_source_backend },
	{ "kill -9 a destination backend", 15, kill_destination_backend },
	{ "terminate the mirror's backends", 5, terminate_backends },
	{ "crash the source cluster", 4, fault_crash_source },
	{ "crash the destination cluster", 4, crash_destination },
	{ "restart the source cluster", 2, fault_restart_source },
	{ "restart the destination cluster", 2, restart_destination },
	{ "kill -9 worker and destination backend", 4, kill_worker_and_destination },
	{ "pause and resume", 4, pause_and_resume },
};

static const struct fault_kind snapshot_faults[] = {
	{ "kill -9 a snapshot worker", 35, fault_kill_snapshot_worker },
	{ "kill -9 the mirror worker", 20, fault_kill_mirror_worker },
	{ "kill -9 the daemon", 15, fault_kill_daemon },
	{ "kill -9 a source backend", 10, fault_kill_source_backend },
	{ "kill -9 a destination backend", 10, kill_destination_backend },
	{ "crash the source cluster", 5, fault_crash_source },
	{ "crash the destination cluster", 5, crash_destination },
};

/* ---- rounds */

static const char *
steady_round(void)
{
	const struct fault_kind *f = fault_choose(steady_faults);

	check_for((int)fault_up_to(FAULT_DELAY_MS));
	return text("%s%s", f->name, f->inflict() ? "" : " (nothing to hit)");
}

/* A new snapshot, hit while it is under way; its tables count again once it has run through. */
static const char *
snapshot_round(void)
{
	const struct fault_kind *f = fault_choose(snapshot_faults);
	bool hit;

	mirror_drop(FAULT_MIRROR);
	drop_destination_tables();
	create_mirror();
	(void)poll_until((int)fault_up_to(FAULT_DELAY_MS * 4), fault_mirror_runs());
	hit = f->inflict();
	fault_mirror_wait();
	return text("new snapshot, %s%s", f->name, hit ? "" : " (nothing to hit)");
}

static void
one_round(void)
{
	usec_t began = clock_mono_us();
	const char *words = fault_up_to(FAULT_ANEW_EVERY) == 0 ? snapshot_round() : steady_round();

	wait_caught_up();
	printf("round %d/%d  %-58s %6.1f s  %lld states read, %lld transactions\n", fault.round,
	    fault.rounds, words, (double)(clock_mono_us() - began) / (double)USEC_PER_SEC,
	    (long long)run.states, (long long)fault_commits());
	fflush(stdout);
}

/* ---- begin and end */

static void
begin(int argc, char **argv)
{
	fault_begin(argc, argv, "fault_pg", SHORT_ROUNDS);
	run.destination = cluster_new("destination", NULL);
	fault_make_database(run.destination);
	fault_create_peer("dst", run.destination);
	fault_load_start();
	create_mirror();
	fault_mirror_wait();
	wait_caught_up();
}

static int64_t
compare_all(void)
{
	PGconn *s = cluster_connect(fault.source, FAULT_DATABASE);
	PGconn *d = cluster_connect(run.destination, FAULT_DATABASE);
	int64_t rows, sum = 0;
	const char *words;

	for (int i = 0; bank_table_names[i] != NULL; i++) {
		const char *t = bank_table_names[i];

		words = table_difference(s, t, d, t, table_columns(s, t), &rows);
		if (words != NULL)
			fault_give_up(words);
		sum += rows;
	}
	sql_close(&s);
	sql_close(&d);
	return sum;
}

static void
finish(void)
{
	int64_t rows;

	fault_load_stop();
	wait_caught_up();
	rows = compare_all();
	mirror_drop(FAULT_MIRROR);
	sql_close(&run.d);
	fault_end();
	cluster_free(&run.destination);
	printf("fault_pg: seed %llu: %d rounds, %lld snapshots, %lld source transactions, %lld "
	       "states of the destination read, none wrong; %lld rows compared, all equal\n",
	    (unsigned long long)fault.seed, fault.round, (long long)run.snapshots,
	    (long long)fault_commits(), (long long)run.states, (long long)rows);
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	while (fault_next_round())
		one_round();
	finish();
	return 0;
}
