/*
 * fault_clickhouse - nothing lost and nothing seen twice, whatever dies
 *
 *	fault_clickhouse [--short | --long] [--seed N] [--rounds N] [--seconds N]
 *
 * A mirror into ClickHouse runs under the load of bank.h: updates, deletes, key
 * changes, TRUNCATE, transactions over many tables. In every round something is
 * killed, restarted or cut off: the mirror worker, a snapshot worker, the
 * daemon, a backend of the source, the source, the engine; bodies of inserts
 * end in the middle, answers get lost although the engine has stored what was
 * sent, inserts arrive after their sender's death. After each fault changes
 * must arrive again within a deadline.
 *
 * Now and then the load pauses and both sides are compared: what SELECT ...
 * FINAL shows without deleted rows must equal the source, and no row of the
 * snapshot may be there twice, FINAL or not. Then the mirror is made anew, and
 * its snapshot is hit as well.
 *
 * The bank's `bag` is left out: it has no key but equal rows, which ClickHouse
 * makes one of.
 *
 * The seed decides which faults come when and what the load does; it is
 * printed. Exits 0 when all held, or when there is no engine to run with.
 */
#include "tests/harness/api.h"
#include "tests/harness/chrig.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/fault.h"
#include "tests/harness/httpfault.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"

#define SHORT_ROUNDS 15
#define ASK_MS	     10000
#define HIT_MS	     3000 /* how long a fault of the network lies in wait */
#define DOWN_MS	     1000 /* how long the engine is away at most */
#define BODY_BYTES   100000
#define FLUSH_MAX    2 /* seconds that changes are gathered for: 0 to this */

static const char tables[] = "public.accounts:accounts,public.tellers:tellers,"
			     "public.branches:branches,public.history:history,"
			     "public.items:items,public.docs:docs,public.scratch:scratch,"
			     "public.counters:counters,public.ballast:ballast,"
			     "public.marker:marker";

/* What makes a row of each table, on the source and there; and what tells rows apart. */
static const struct shown {
	const char *table, *key, *columns, *columns_there;
} shown[] = {
	{ "accounts", "id", "id, balance, filler", NULL },
	{ "tellers", "id", "id, balance", NULL },
	{ "branches", "id", "id, balance", NULL },
	{ "history", "at, account, delta",
	    "account, delta, (extract(epoch FROM at) * 1000000)::int8",
	    "account, delta, toUnixTimestamp64Micro(assumeNotNull(at))" },
	{ "items", "id", "id, code, v", NULL },
	{ "docs", "id", "id, n, digest, body", NULL },
	{ "scratch", "client, id", "client, id", NULL },
	{ "counters", "name", "name, n", NULL },
	{ "ballast", "id", "id, v", NULL },
	{ "marker", "id", "id, n", NULL },
};

#define SHOWN ((int)(sizeof(shown) / sizeof(*shown)))

static struct {
	struct clickhouse *engine;
	struct httpfault *proxy;
	int64_t snapshots, comparisons, rows;
} run;

/* ---- comparing */

static int64_t
marked(void)
{
	struct clickhouse_request ask = {
		.query = "SELECT max(n) FROM app.marker FINAL",
		.timeout_ms = ASK_MS,
	};
	struct clickhouse_reply reply = clickhouse_call(run.engine, &ask);
	long long n;

	return reply.status == 200 && sscanf(reply.body, "%lld", &n) == 1 ? n : -1;
}

static void
wait_caught_up(void)
{
	fault_mark();
	if (!poll_until(FAULT_CATCH_UP_MS, marked() >= fault.mark))
		fault_give_up(text("changes do not arrive any more; the mirror is %s: %s",
		    mirror_state(FAULT_MIRROR), mirror_errors(FAULT_MIRROR)));
}

static char *
lines_there(const struct shown *s)
{
	return text("SELECT concat_ws('\\t', %s) AS line FROM app.%s FINAL "
		    "WHERE _peerdb_is_deleted = 0 ORDER BY %s",
	    s->columns_there != NULL ? s->columns_there : s->columns, s->table, s->key);
}

/* Number and digest of the rows are short, and equal when all is well. */
static void
compare(const struct shown *s)
{
	const char *here = sql_text(rig.s,
	    "SELECT count(*) || ' ' || md5(coalesce(string_agg(concat_ws(E'\\t', %s), E'\\n' "
	    "ORDER BY %s), '')) FROM %s",
	    s->columns, s->key, s->table);
	const char *there = clickhouse_text(run.engine,
	    "SELECT concat(toString(count()), ' ', lower(hex(MD5(arrayStringConcat("
	    "groupArray(line), '\\n'))))) FROM (%s)",
	    lines_there(s));

	if (strcmp(here, there) != 0) {
		chrig_expect_equal(
		    text("SELECT %s FROM %s ORDER BY %s", s->columns, s->table, s->key),
		    text("%s FORMAT TSVRaw", lines_there(s)), 0);
		fault_give_up(
		    text("%s has rows and digest %s, but there %s", s->table, here, there));
	}
	run.rows += strtoll(there, NULL, 10);
}

static void
expect_none_twice(const struct shown *s)
{
	int64_t twice = clickhouse_i64(run.engine,
	    "SELECT count() - uniqExact(%s) FROM app.%s WHERE _peerdb_version = 0", s->key,
	    s->table);

	if (twice != 0)
		fault_give_up(text("%lld rows of the snapshot of %s are there twice",
		    (long long)twice, s->table));
}

/* The source stands still, and everything is there. */
static void
compare_all(void)
{
	fault_load_stop();
	wait_caught_up();
	rig.s = cluster_connect(fault.source, FAULT_DATABASE);
	for (int i = 0; i < SHOWN; i++) {
		compare(&shown[i]);
		expect_none_twice(&shown[i]);
	}
	sql_close(&rig.s);
	run.comparisons++;
}

/* ---- the mirror */

static void
create_mirror(void)
{
	mirror_create(FAULT_MIRROR, tables,
	    text(FAULT_SNAPSHOT_OPTIONS ", 'env': {'PEERD_CLICKHOUSE_FLUSH_SECONDS': '%u'}",
		fault_up_to(FLUSH_MAX + 1)));
	run.snapshots++;
}

static void
drop_tables(void)
{
	for (int i = 0; i < SHOWN; i++)
		clickhouse_exec(run.engine, "DROP TABLE app.%s", shown[i].table);
}

/* ---- faults of the engine */

static bool
kill_engine(void)
{
	clickhouse_restart(run.engine, CLICKHOUSE_KILL);
	return true;
}

static bool
stop_engine_for_a_while(void)
{
	clickhouse_stop(run.engine, CLICKHOUSE_POLITE);
	(void)poll_until((int)fault_up_to(DOWN_MS), marked() >= 0);
	clickhouse_start(run.engine);
	return true;
}

static bool
kill_engine_and_worker(void)
{
	clickhouse_stop(run.engine, CLICKHOUSE_KILL);
	fault_kill_mirror_worker();
	clickhouse_start(run.engine);
	return true;
}

/* ---- faults on the way; rules stay until the round's end */

/* For one of the next requests. */
static unsigned
set_trap(struct httpfault_rule rule)
{
	rule.match = rule.match != NULL ? rule.match : "INSERT INTO";
	rule.skip = fault_up_to(4);
	return httpfault_add(run.proxy, rule);
}

/* And perhaps for some more. */
static bool
trap(struct httpfault_rule rule)
{
	unsigned number;

	rule.times = 1 + fault_up_to(3);
	number = set_trap(rule);
	return poll_until(HIT_MS, httpfault_hits(run.proxy, number) > 0);
}

/* One that waits in the proxy until it is let go. */
static bool
catch_one(enum httpfault_kind kind)
{
	unsigned number = set_trap((struct httpfault_rule){ .kind = kind, .times = 1 });

	return poll_until(HIT_MS, httpfault_hits(run.proxy, number) > 0) &&
	    poll_until(FAULT_CATCH_UP_MS, httpfault_waiting(run.proxy) > 0);
}

static bool
cut_insert(void)
{
	return trap((struct httpfault_rule){
	    .kind = HTTPFAULT_CUT_REQUEST,
	    .bytes = fault_up_to(fault_up_to(2) == 0 ? 100 : BODY_BYTES),
	});
}

static bool
swallow_answer(void)
{
	return trap((struct httpfault_rule){ .kind = HTTPFAULT_SWALLOW });
}

static bool
swallow_truncate(void)
{
	return trap((struct httpfault_rule){ .kind = HTTPFAULT_SWALLOW, .match = "TRUNCATE" });
}

static bool
cut_answer(void)
{
	return trap((struct httpfault_rule){
	    .kind = HTTPFAULT_CUT_ANSWER,
	    .bytes = fault_up_to(200),
	});
}

static bool
refuse_for_too_many_parts(void)
{
	return trap((struct httpfault_rule){
	    .kind = HTTPFAULT_REFUSE,
	    .status = 500,
	    .headers = "X-ClickHouse-Exception-Code: 252\r\n",
	    .body = "Code: 252. DB::Exception: Too many parts (300). (TOO_MANY_PARTS)\n",
	});
}

static bool
refuse_as_gateway(void)
{
	return trap((struct httpfault_rule){ .kind = HTTPFAULT_REFUSE, .status = 503 });
}

static bool
close_behind(void)
{
	return trap((struct httpfault_rule){ .kind = HTTPFAULT_CLOSE_BEHIND });
}

static void
clear_the_way(void)
{
	httpfault_clear(run.proxy);
	httpfault_release(run.proxy);
}

/* Stored, but nobody is told; who waited dies. */
static bool
kill_who_waits(bool (*kill_it)(void))
{
	bool hit = catch_one(HTTPFAULT_STALL) && kill_it();

	clear_the_way();
	return hit;
}

static bool
kill_waiting_worker(void)
{
	return kill_who_waits(fault_kill_mirror_worker);
}

static bool
kill_waiting_loader(void)
{
	return kill_who_waits(fault_kill_snapshot_worker);
}

/* What the worker sent last arrives when its successor has gone on. */
static bool
deliver_after_death(void)
{
	bool hit = catch_one(HTTPFAULT_HOLD) && fault_kill_mirror_worker();

	httpfault_clear(run.proxy);
	wait_caught_up();
	httpfault_release(run.proxy);
	return hit;
}

static bool
pause_and_resume(void)
{
	mirror_change(FAULT_MIRROR, "STATUS_PAUSED");
	mirror_change(FAULT_MIRROR, "STATUS_RUNNING");
	return true;
}

static const struct fault_kind steady_faults[] = {
	{ "kill -9 the mirror worker", 15, fault_kill_mirror_worker },
	{ "kill -9 the daemon", 8, fault_kill_daemon },
	{ "restart the daemon", 3, fault_restart_daemon },
	{ "kill -9 a source backend", 5, fault_kill_source_backend },
	{ "crash the source cluster", 3, fault_crash_source },
	{ "restart the source cluster", 2, fault_restart_source },
	{ "kill -9 the engine", 9, kill_engine },
	{ "stop the engine for a while", 6, stop_engine_for_a_while },
	{ "kill -9 engine and worker", 6, kill_engine_and_worker },
	{ "cut an insert in the middle", 9, cut_insert },
	{ "lose an insert's answer", 7, swallow_answer },
	{ "lose a TRUNCATE's answer", 3, swallow_truncate },
	{ "cut an insert's answer", 4, cut_answer },
	{ "too many parts", 3, refuse_for_too_many_parts },
	{ "503 from a gateway", 3, refuse_as_gateway },
	{ "close connections that were to stay", 2, close_behind },
	{ "kill -9 the worker, its insert was stored", 5, kill_waiting_worker },
	{ "an insert arrives after the worker's death", 5, deliver_after_death },
	{ "pause and resume", 2, pause_and_resume },
};

static const struct fault_kind snapshot_faults[] = {
	{ "kill -9 a snapshot worker", 20, fault_kill_snapshot_worker },
	{ "kill -9 a snapshot worker, its rows were stored", 10, kill_waiting_loader },
	{ "kill -9 the mirror worker", 13, fault_kill_mirror_worker },
	{ "kill -9 the daemon", 9, fault_kill_daemon },
	{ "kill -9 a source backend", 6, fault_kill_source_backend },
	{ "crash the source cluster", 4, fault_crash_source },
	{ "kill -9 the engine", 10, kill_engine },
	{ "cut an insert in the middle", 12, cut_insert },
	{ "lose an insert's answer", 12, swallow_answer },
	{ "503 from a gateway", 4, refuse_as_gateway },
};

/* ---- rounds */

static const char *
inflict(const struct fault_kind *f)
{
	return text("%s%s", f->name, f->inflict() ? "" : " (nothing to hit)");
}

static const char *
steady_round(void)
{
	(void)poll_until((int)fault_up_to(FAULT_DELAY_MS), (marked(), false));
	return inflict(fault_choose(steady_faults));
}

/* A new snapshot, hit while it is under way. */
static const char *
snapshot_round(void)
{
	const char *words;

	compare_all();
	mirror_drop(FAULT_MIRROR);
	drop_tables();
	fault_load_start();
	create_mirror();
	(void)poll_until((int)fault_up_to(FAULT_DELAY_MS * 4), fault_mirror_runs());
	words = inflict(fault_choose(snapshot_faults));
	fault_mirror_wait();
	return text("new snapshot, %s", words);
}

static void
one_round(void)
{
	usec_t began = clock_mono_us();
	const char *words = fault_up_to(FAULT_ANEW_EVERY) == 0 ? snapshot_round() : steady_round();

	clear_the_way();
	wait_caught_up();
	printf("round %d/%d  %-62s %6.1f s  %lld rows compared, %lld transactions\n", fault.round,
	    fault.rounds, words, (double)(clock_mono_us() - began) / (double)USEC_PER_SEC,
	    (long long)run.rows, (long long)fault_commits());
	fflush(stdout);
}

/* ---- begin and end */

static void
begin(int argc, char **argv)
{
	fault_begin(argc, argv, "fault_clickhouse", SHORT_ROUNDS);
	run.engine = chrig.ch = clickhouse_new(CH_CURRENT, "engine");
	run.proxy = httpfault_new(run.engine->port, fault.seed);
	clickhouse_exec(run.engine, "CREATE DATABASE app");
	api_expect(200,
	    api_post("/peers/create",
		chrig_peer_body("dst", httpfault_port(run.proxy), "app", NULL, NULL, "")));
	fault_load_start();
	create_mirror();
	fault_mirror_wait();
	wait_caught_up();
}

static void
finish(void)
{
	compare_all();
	mirror_drop(FAULT_MIRROR);
	fault_end();
	httpfault_free(&run.proxy);
	clickhouse_free(&run.engine);
	printf("fault_clickhouse: seed %llu: %d rounds, %lld snapshots, %lld source transactions; "
	       "compared %lld times, %lld rows, all equal, none twice\n",
	    (unsigned long long)fault.seed, fault.round, (long long)run.snapshots,
	    (long long)fault_commits(), (long long)run.comparisons, (long long)run.rows);
}

int
main(int argc, char **argv)
{
	if (!clickhouse_available(CH_CURRENT))
		return 0;
	begin(argc, argv);
	while (fault_next_round())
		one_round();
	finish();
	return 0;
}
