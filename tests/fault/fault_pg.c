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
#include <getopt.h>
#include <signal.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "tests/harness/api.h"
#include "tests/harness/bank.h"
#include "tests/harness/cluster.h"
#include "tests/harness/compare.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/janitor.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"
#include "tests/harness/sql.h"

#define CLIENTS	       3
#define CATCH_UP_MS    120000
#define SNAPSHOT_MS    180000
#define FAULT_DELAY_MS 300
#define ANEW_EVERY     7 /* rounds between two snapshots, on average */
#define MIRROR	       "bank"
#define ROLE	       "mirror_role"
#define ROLE_PASSWORD  "role-secret"
#define OPTIONS                                                                 \
	"'soft_delete_col_name': '', 'snapshot_num_rows_per_partition': 2000, " \
	"'snapshot_max_parallel_workers': 2, 'snapshot_num_tables_in_parallel': 2"

static struct {
	uint64_t seed, random;
	int rounds, scale;
	usec_t end; /* no new round begins after it */
	struct cluster *source, *destination;
	struct daemon *daemon;
	struct bank_load *load;
	PGconn *d; /* the reader of the destination; NULL while that is down */
	int64_t mark;
	int64_t states; /* of the destination that were read and right */
	int64_t snapshots;
	int round;
} run = { .rounds = 20, .scale = 1 };

static unsigned
up_to(unsigned n)
{
	return (unsigned)(bank_random(&run.random) % n);
}

/* ---- looking at the destination */

static void
give_up(const char *words)
{
	test_fail("fault_pg: round %d, seed %llu: %s", run.round, (unsigned long long)run.seed,
	    words);
}

/* Read one state, if the destination answers at all. */
static void
check_once(void)
{
	const char *words;

	if (run.d == NULL || PQstatus(run.d) != CONNECTION_OK) {
		sql_close(&run.d);
		run.d = cluster_try_connect(run.destination, "app");
	}
	if (run.d == NULL)
		return;
	words = bank_check(run.d);
	if (words == NULL)
		return;
	if (strcmp(words, "ok") != 0)
		give_up(text("the destination shows a state that the source never had:%s", words));
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

/* The source may be on its way down or up still: what was done to it lasts a while. */
static bool
mark_written(void)
{
	PGconn *c = cluster_try_connect(run.source, "app");
	bool ok = c != NULL && bank_mark(c, run.mark);

	sql_close(&c);
	return ok;
}

static void
write_mark(void)
{
	run.mark++;
	if (!poll_until(CATCH_UP_MS, mark_written()))
		give_up("the source does not come back");
}

static void
wait_caught_up(void)
{
	write_mark();
	if (!poll_until(CATCH_UP_MS, checked_and_marked(run.mark)))
		give_up(text("changes do not arrive any more; the mirror is %s: %s",
		    mirror_state(MIRROR), mirror_errors(MIRROR)));
}

static void
create_mirror(void)
{
	mirror_create(MIRROR, bank_tables, OPTIONS);
	run.snapshots++;
}

static bool
is_running(void)
{
	const char *state = mirror_state(MIRROR);

	if (strcmp(state, "STATUS_FAILED") == 0)
		give_up(text("the mirror failed: %s", mirror_errors(MIRROR)));
	return strcmp(state, "STATUS_RUNNING") == 0;
}

static void
wait_until_running(void)
{
	if (!poll_until(SNAPSHOT_MS, is_running()))
		give_up(text("the snapshot does not end: %s", mirror_errors(MIRROR)));
}

static void
drop_destination_tables(void)
{
	PGconn *c = cluster_connect(run.destination, "app");

	for (int i = 0; bank_table_names[i] != NULL; i++)
		sql_exec(c, "DROP TABLE IF EXISTS %s", bank_table_names[i]);
	sql_close(&c);
}

/* ---- faults; each says whether it found something to hit */

static bool
kill_process(pid_t pid)
{
	return pid > 0 && kill(pid, SIGKILL) == 0;
}

static bool
kill_mirror_worker(void)
{
	return kill_process(daemon_worker("mirror " MIRROR));
}

static bool
kill_snapshot_worker(void)
{
	return kill_process(daemon_worker("snapshot " MIRROR));
}

static bool
kill_daemon(void)
{
	daemon_kill(run.daemon);
	daemon_start(run.daemon);
	return true;
}

static bool
restart_daemon(void)
{
	daemon_stop(run.daemon);
	daemon_start(run.daemon);
	return true;
}

static bool
kill_source_backend(void)
{
	return cluster_kill_backend(run.source, "usename = '" ROLE "'");
}

static bool
kill_destination_backend(void)
{
	return cluster_kill_backend(run.destination, "usename = '" ROLE "'");
}

static bool
terminate_backends(void)
{
	struct cluster *c = up_to(2) == 0 ? run.source : run.destination;
	PGconn *conn = cluster_try_connect(c, "postgres");
	bool hit = conn != NULL &&
	    sql_try(conn,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		"WHERE usename = '" ROLE "'");

	sql_close(&conn);
	return hit;
}

static bool
crash_source(void)
{
	cluster_restart(run.source, CLUSTER_IMMEDIATE);
	return true;
}

static bool
crash_destination(void)
{
	cluster_restart(run.destination, CLUSTER_IMMEDIATE);
	return true;
}

static bool
restart_source(void)
{
	cluster_restart(run.source, CLUSTER_FAST);
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
	bool hit = kill_mirror_worker();

	return kill_destination_backend() && hit;
}

static bool
pause_and_resume(void)
{
	mirror_change(MIRROR, "STATUS_PAUSED");
	check_for((int)up_to(FAULT_DELAY_MS));
	mirror_change(MIRROR, "STATUS_RUNNING");
	return true;
}

struct fault {
	const char *name;
	int share;
	bool (*inflict)(void);
};

static const struct fault steady_faults[] = {
	{ "kill -9 the mirror worker", 30, kill_mirror_worker },
	{ "kill -9 the daemon", 15, kill_daemon },
	{ "restart the daemon", 5, restart_daemon },
	{ "kill -9 a source backend", 10, kill_source_backend },
	{ "kill -9 a destination backend", 15, kill_destination_backend },
	{ "terminate the mirror's backends", 5, terminate_backends },
	{ "crash the source cluster", 4, crash_source },
	{ "crash the destination cluster", 4, crash_destination },
	{ "restart the source cluster", 2, restart_source },
	{ "restart the destination cluster", 2, restart_destination },
	{ "kill -9 worker and destination backend", 4, kill_worker_and_destination },
	{ "pause and resume", 4, pause_and_resume },
};

static const struct fault snapshot_faults[] = {
	{ "kill -9 a snapshot worker", 35, kill_snapshot_worker },
	{ "kill -9 the mirror worker", 20, kill_mirror_worker },
	{ "kill -9 the daemon", 15, kill_daemon },
	{ "kill -9 a source backend", 10, kill_source_backend },
	{ "kill -9 a destination backend", 10, kill_destination_backend },
	{ "crash the source cluster", 5, crash_source },
	{ "crash the destination cluster", 5, crash_destination },
};

static const struct fault *
choose(const struct fault *faults)
{
	int at = (int)up_to(100);

	while (at >= faults->share)
		at -= (faults++)->share;
	return faults;
}

/* ---- rounds */

static const char *
steady_round(void)
{
	const struct fault *f = choose(steady_faults);

	check_for((int)up_to(FAULT_DELAY_MS));
	return text("%s%s", f->name, f->inflict() ? "" : " (nothing to hit)");
}

/* A new snapshot, hit while it is under way; its tables count again once it has run through. */
static const char *
snapshot_round(void)
{
	const struct fault *f = choose(snapshot_faults);
	bool hit;

	mirror_drop(MIRROR);
	drop_destination_tables();
	create_mirror();
	(void)poll_until((int)up_to(FAULT_DELAY_MS * 4), is_running());
	hit = f->inflict();
	wait_until_running();
	return text("new snapshot, %s%s", f->name, hit ? "" : " (nothing to hit)");
}

static void
one_round(void)
{
	usec_t began = clock_mono_us();
	const char *words = up_to(ANEW_EVERY) == 0 ? snapshot_round() : steady_round();

	wait_caught_up();
	printf("round %d/%d  %-58s %6.1f s  %lld states read, %lld transactions\n", run.round,
	    run.rounds, words, (double)(clock_mono_us() - began) / (double)USEC_PER_SEC,
	    (long long)run.states, (long long)bank_load_commits(run.load));
	fflush(stdout);
}

/* ---- begin and end */

static void
make_database(const struct cluster *c, bool fill)
{
	PGconn *conn = cluster_connect(c, "postgres");

	sql_exec(conn, "CREATE ROLE " ROLE " LOGIN SUPERUSER PASSWORD '" ROLE_PASSWORD "'");
	sql_exec(conn, "CREATE DATABASE app");
	sql_close(&conn);
	if (!fill)
		return;
	conn = cluster_connect(c, "app");
	bank_create(conn, run.scale);
	sql_close(&conn);
}

static void
create_peer(const char *name, const struct cluster *c)
{
	api_expect(200,
	    api_post("/peers/create",
		json("{'peer': {'name': '%s', 'type': 'POSTGRES', 'postgres_config': "
		     "{'host': 'localhost', "
		     "'port': %d, 'user': '" ROLE "', 'password': '" ROLE_PASSWORD
		     "', 'database': 'app'}}}",
		    name, c->port)));
}

static void
begin(void)
{
	run.source = cluster_new("source", NULL);
	run.destination = cluster_new("destination", NULL);
	make_database(run.source, true);
	make_database(run.destination, false);
	run.daemon = daemon_new("peerd");
	api_use(run.daemon);
	create_peer("src", run.source);
	create_peer("dst", run.destination);
	run.load = bank_load_start(run.source, "app", CLIENTS, run.seed);
	create_mirror();
	wait_until_running();
	wait_caught_up();
}

static int64_t
compare_all(void)
{
	PGconn *s = cluster_connect(run.source, "app");
	PGconn *d = cluster_connect(run.destination, "app");
	int64_t rows, sum = 0;
	const char *words;

	for (int i = 0; bank_table_names[i] != NULL; i++) {
		const char *t = bank_table_names[i];

		words = table_difference(s, t, d, t, table_columns(s, t), &rows);
		if (words != NULL)
			give_up(words);
		sum += rows;
	}
	sql_close(&s);
	sql_close(&d);
	return sum;
}

static void
finish(void)
{
	int64_t commits = bank_load_commits(run.load), rows;

	bank_load_stop(&run.load);
	wait_caught_up();
	rows = compare_all();
	mirror_drop(MIRROR);
	sql_close(&run.d);
	daemon_free(&run.daemon);
	cluster_free(&run.source);
	cluster_free(&run.destination);
	printf("fault_pg: seed %llu: %d rounds, %lld snapshots, %lld source transactions, %lld "
	       "states of the "
	       "destination read, none wrong; %lld rows compared, all equal\n",
	    (unsigned long long)run.seed, run.round, (long long)run.snapshots, (long long)commits,
	    (long long)run.states, (long long)rows);
}

static uint64_t
number(const char *words, uint64_t max)
{
	struct err err = ERR_INIT;
	uint64_t n = 0;

	if (!str_to_u64(words, 0, max, &n, &err))
		test_fail("fault_pg: %s", err.msg);
	return n;
}

static void
read_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "short", no_argument, NULL, 'S' },
		{ "long", no_argument, NULL, 'L' },
		{ "seed", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t seconds = 180;
	int c;

	run.seed = (uint64_t)clock_wall_us() % 1000000;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'L') {
			run.rounds = 200;
			run.scale = 5;
			seconds = 7200;
		} else if (c == 's')
			run.seed = number(optarg, UINT64_MAX);
		else if (c == 'r')
			run.rounds = (int)number(optarg, 1000000);
		else if (c == 't')
			seconds = number(optarg, 1000000);
		else if (c != 'S')
			exit(2);
	}
	run.random = run.seed;
	run.end = clock_mono_us() + (usec_t)seconds * USEC_PER_SEC;
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	printf("fault_pg: seed %llu, %d rounds\n", (unsigned long long)run.seed, run.rounds);
	janitor_start();
	begin();
	while (run.round < run.rounds && clock_mono_us() < run.end) {
		run.round++;
		one_round();
	}
	finish();
	return 0;
}
