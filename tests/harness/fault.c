#include "tests/harness/fault.h"

#include <getopt.h>
#include <signal.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "tests/harness/api.h"
#include "tests/harness/bank.h"
#include "tests/harness/cluster.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/janitor.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/sql.h"

#define CLIENTS	      3
#define SNAPSHOT_MS   180000
#define LONG_ROUNDS   200
#define SHORT_SECONDS 180
#define LONG_SECONDS  7200
#define LONG_SCALE    5
#define OF_THE_MIRROR "usename = '" FAULT_ROLE "'"

struct fault_run fault;

/* ---- options and chance */

static uint64_t
number(const char *words, uint64_t max)
{
	struct err err = ERR_INIT;
	uint64_t n = 0;

	if (!str_to_u64(words, 0, max, &n, &err))
		test_fail("%s: %s", fault.name, err.msg);
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
	uint64_t seconds = SHORT_SECONDS;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'L') {
			fault.rounds = LONG_ROUNDS;
			fault.scale = LONG_SCALE;
			seconds = LONG_SECONDS;
		} else if (c == 's')
			fault.seed = number(optarg, UINT64_MAX);
		else if (c == 'r')
			fault.rounds = (int)number(optarg, 1000000);
		else if (c == 't')
			seconds = number(optarg, 1000000);
		else if (c != 'S')
			exit(2);
	}
	fault.end = clock_mono_us() + (usec_t)seconds * USEC_PER_SEC;
}

unsigned
fault_up_to(unsigned n)
{
	return (unsigned)(bank_random(&fault.random) % n);
}

const struct fault_kind *
fault_choose(const struct fault_kind *list)
{
	int at = (int)fault_up_to(100);

	while (at >= list->share)
		at -= (list++)->share;
	fault.inflicted = list->name;
	return list;
}

bool
fault_next_round(void)
{
	if (fault.round == fault.rounds || clock_mono_us() > fault.end)
		return false;
	fault.round++;
	return true;
}

void
fault_give_up(const char *words)
{
	test_fail("%s: round %d (%s), seed %llu: %s", fault.name, fault.round, fault.inflicted,
	    (unsigned long long)fault.seed, words);
}

/* ---- begin and end */

void
fault_make_database(const struct cluster *c)
{
	PGconn *conn = cluster_connect(c, "postgres");

	sql_exec(conn,
	    "CREATE ROLE " FAULT_ROLE " LOGIN SUPERUSER PASSWORD '" FAULT_ROLE_PASSWORD "'");
	sql_exec(conn, "CREATE DATABASE " FAULT_DATABASE);
	sql_close(&conn);
}

void
fault_create_peer(const char *name, const struct cluster *c)
{
	api_expect(200,
	    api_post("/peers/create",
		json("{'peer': {'name': '%s', 'type': 'POSTGRES', 'postgres_config': "
		     "{'host': 'localhost', 'port': %d, 'user': '" FAULT_ROLE
		     "', 'password': '" FAULT_ROLE_PASSWORD "', 'database': '" FAULT_DATABASE
		     "'}}}",
		    name, c->port)));
}

void
fault_begin(int argc, char **argv, const char *name, int rounds)
{
	PGconn *conn;

	fault = (struct fault_run){
		.name = name,
		.seed = (uint64_t)clock_wall_us() % 1000000,
		.rounds = rounds,
		.scale = 1,
		.inflicted = "nothing yet",
	};
	read_options(argc, argv);
	fault.random = fault.seed;
	printf("%s: seed %llu, %d rounds\n", name, (unsigned long long)fault.seed, fault.rounds);
	janitor_start();
	fault.source = cluster_new("source", NULL);
	fault_make_database(fault.source);
	conn = cluster_connect(fault.source, FAULT_DATABASE);
	bank_create(conn, fault.scale);
	sql_close(&conn);
	fault.daemon = daemon_new("peerd");
	api_use(fault.daemon);
	fault_create_peer("src", fault.source);
}

void
fault_end(void)
{
	daemon_free(&fault.daemon);
	cluster_free(&fault.source);
}

/* The load of a seed goes on otherwise every time it is started. */
void
fault_load_start(void)
{
	fault.load = bank_load_start(fault.source, FAULT_DATABASE, CLIENTS,
	    fault.seed + (uint64_t)fault.round);
}

void
fault_load_stop(void)
{
	fault.commits += bank_load_commits(fault.load);
	bank_load_stop(&fault.load);
}

int64_t
fault_commits(void)
{
	return fault.commits + (fault.load != NULL ? bank_load_commits(fault.load) : 0);
}

/* ---- the mirror */

/* The source may be on its way down or up still: what was done to it lasts a while. */
static bool
mark_written(void)
{
	PGconn *c = cluster_try_connect(fault.source, FAULT_DATABASE);
	bool ok = c != NULL && bank_mark(c, fault.mark);

	sql_close(&c);
	return ok;
}

void
fault_mark(void)
{
	fault.mark++;
	if (!poll_until(FAULT_CATCH_UP_MS, mark_written()))
		fault_give_up("the source does not come back");
}

bool
fault_mirror_runs(void)
{
	const char *state = mirror_state(FAULT_MIRROR);

	if (strcmp(state, "STATUS_FAILED") == 0)
		fault_give_up(text("the mirror failed: %s", mirror_errors(FAULT_MIRROR)));
	return strcmp(state, "STATUS_RUNNING") == 0;
}

void
fault_mirror_wait(void)
{
	if (!poll_until(SNAPSHOT_MS, fault_mirror_runs()))
		fault_give_up(text("the snapshot does not end: %s", mirror_errors(FAULT_MIRROR)));
}

/* ---- faults */

bool
fault_kill_process(pid_t pid)
{
	return pid > 0 && kill(pid, SIGKILL) == 0;
}

bool
fault_kill_mirror_worker(void)
{
	return fault_kill_process(daemon_worker("mirror " FAULT_MIRROR));
}

bool
fault_kill_snapshot_worker(void)
{
	return fault_kill_process(daemon_worker("snapshot " FAULT_MIRROR));
}

bool
fault_kill_daemon(void)
{
	daemon_kill(fault.daemon);
	daemon_start(fault.daemon);
	return true;
}

bool
fault_restart_daemon(void)
{
	daemon_stop(fault.daemon);
	daemon_start(fault.daemon);
	return true;
}

bool
fault_kill_backend(const struct cluster *c)
{
	return cluster_kill_backend(c, OF_THE_MIRROR);
}

bool
fault_kill_source_backend(void)
{
	return fault_kill_backend(fault.source);
}

bool
fault_terminate_backends(const struct cluster *c)
{
	PGconn *conn = cluster_try_connect(c, "postgres");
	bool hit = conn != NULL &&
	    sql_try(conn,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " OF_THE_MIRROR);

	sql_close(&conn);
	return hit;
}

bool
fault_crash_source(void)
{
	cluster_restart(fault.source, CLUSTER_IMMEDIATE);
	return true;
}

bool
fault_restart_source(void)
{
	cluster_restart(fault.source, CLUSTER_FAST);
	return true;
}
