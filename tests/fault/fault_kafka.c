/*
 * fault_kafka - every record once, in order, transactions whole, whatever dies
 *
 *	fault_kafka [--short | --long] [--seed N] [--rounds N] [--seconds N]
 *
 * A mirror into Kafka runs under the load of bank.h: updates, deletes, key
 * changes, TRUNCATE, transactions over many tables. In every round something is
 * killed, restarted or moved: the mirror worker, a snapshot worker, the daemon,
 * a backend of the source, the source, a broker, a partition's leader (with
 * --long, which has three brokers). After each fault changes must arrive again
 * within a deadline.
 *
 * kcat, a read_committed consumer, rebuilds the tables from the topics
 * (kafka_state.h), in one of two layouts that take turns with every snapshot:
 *
 *	one topic of one partition for all tables: each time it has been read
 *	to its end the tables must satisfy the bank's invariants, which only
 *	states do that the source once had. So no transaction was torn.
 *
 *	a topic for each table, three partitions: read in the end.
 *
 * In the end, and before the mirror is made anew now and then, the load stops.
 * No id of a record may have been seen twice, all partitions must be in the
 * order of the source's commits, and what was rebuilt must equal the source.
 *
 * The seed decides which faults come when and what the load does; it is
 * printed. Exits 0 when all held, or when there is no broker to run with.
 */
#include "tests/harness/api.h"
#include "tests/harness/bank.h"
#include "tests/harness/cluster.h"
#include "tests/harness/compare.h"
#include "tests/harness/fail.h"
#include "tests/harness/fault.h"
#include "tests/harness/kafka.h"
#include "tests/harness/kafka_state.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/sql.h"

#define HIT_MS	     5000
#define DOWN_MS	     1000 /* how long a broker is away at most */
#define SHORT_ROUNDS 5
#define CLIENTS	     2
#define EACH_PARTS   3
#define FAR_BEHIND   10000 /* records that had come since the reader looked before */

static struct {
	struct kafka *kafka;
	struct cluster *reader;
	PGconn *rebuilt;
	bool is_one_topic;
	int64_t next; /* offset in the one topic */
	int64_t snapshots, records, states, comparisons, rows;
} run;

/* ---- reading */

static const char *
topic_of(const char *table)
{
	return run.is_one_topic ? text("bank%d", (int)run.snapshots)
				: text("bank%d.%s", (int)run.snapshots, table);
}

static void
take_in(const char *topic, const struct kafka_reading *reading)
{
	struct kafka_records rs = kafka_read(run.kafka, topic, reading);

	kafka_state_add(run.rebuilt, topic, &rs);
	run.records += (int64_t)rs.n;
	/* a load that is faster than its reader would never let it catch up */
	if (fault.load != NULL && rs.n > FAR_BEHIND)
		bank_load_pause(fault.load, true);
	if (rs.n > 0)
		run.next = rs.v[rs.n - 1].offset + 1;
	kafka_records_free(&rs);
}

static void
expect_right(const char *words)
{
	if (words != NULL)
		fault_give_up(words);
}

/* What the one topic shows now must be a state of the source's. */
static int64_t
marked_in_one(void)
{
	const char *words;

	take_in(topic_of(NULL), &(struct kafka_reading){ .from = run.next });
	expect_right(kafka_state_fold(run.rebuilt));
	words = bank_check(run.rebuilt);
	if (words == NULL || strcmp(words, "ok") != 0)
		fault_give_up(text("the topic shows a state that the source never had:%s", words));
	run.states++;
	return bank_marked(run.rebuilt);
}

static int64_t
marked_in_its_own(void)
{
	struct kafka_records rs = kafka_read(run.kafka, topic_of("marker"), NULL);
	const char *at = rs.n > 0 ? strstr(rs.v[rs.n - 1].value, "\"n\":") : NULL;
	long long n = -1;

	if (at != NULL)
		(void)sscanf(at, "\"n\":%lld", &n);
	kafka_records_free(&rs);
	return n;
}

static void
wait_caught_up(void)
{
	fault_mark();
	if (!poll_until(FAULT_CATCH_UP_MS,
		(run.is_one_topic ? marked_in_one() : marked_in_its_own()) >= fault.mark))
		fault_give_up(text("changes do not arrive any more; the mirror is %s: %s",
		    mirror_state(FAULT_MIRROR), mirror_errors(FAULT_MIRROR)));
	if (fault.load != NULL)
		bank_load_pause(fault.load, false);
}

/* ---- comparing */

static void
take_in_each(void)
{
	for (int i = 0; bank_table_names[i] != NULL; i++)
		take_in(topic_of(bank_table_names[i]), NULL);
	expect_right(kafka_state_fold(run.rebuilt));
}

/*
 * The source stands still, and everything is there: partitions learn one after
 * the other that a Kafka transaction was committed, but the next, with the
 * second mark, begins when all have.
 */
static void
compare_all(void)
{
	PGconn *s;
	int64_t rows = 0;

	fault_load_stop();
	wait_caught_up();
	wait_caught_up();
	if (!run.is_one_topic)
		take_in_each();
	expect_right(kafka_state_disorder(run.rebuilt));
	s = cluster_connect(fault.source, FAULT_DATABASE);
	for (int i = 0; bank_table_names[i] != NULL; i++) {
		const char *t = bank_table_names[i];

		expect_right(table_difference(s, t, run.rebuilt, t, table_columns(s, t), &rows));
		run.rows += rows;
	}
	sql_close(&s);
	run.comparisons++;
}

/* ---- the mirror */

static void
load_start(void)
{
	fault.load = bank_load_start(fault.source, FAULT_DATABASE, CLIENTS,
	    fault.seed + (uint64_t)fault.round);
}

static void
create_mirror(void)
{
	run.snapshots++;
	run.is_one_topic = run.snapshots % 2 == 1;
	run.next = 0;
	kafka_state_forget(run.rebuilt);
	mirror_create(FAULT_MIRROR, bank_tables,
	    text(FAULT_SNAPSHOT_OPTIONS
		", 'env': {'PEERD_KAFKA_TOPIC': '%s', 'PEERD_KAFKA_PARTITIONS': '%d',"
		" 'PEERD_KAFKA_FORMAT': 'plain-json', 'PEERD_KAFKA_KEYLESS': 'hash',"
		" 'PEERD_KAFKA_CONTROL': 'truncate'}",
		topic_of("{table}"), run.is_one_topic ? 1 : EACH_PARTS));
}

/* ---- faults */

static int
any_node(void)
{
	return 1 + (int)fault_up_to((unsigned)run.kafka->nodes);
}

static bool
kill_broker(void)
{
	kafka_restart(run.kafka, any_node(), KAFKA_KILL);
	return true;
}

static bool
restart_broker(void)
{
	kafka_restart(run.kafka, any_node(), KAFKA_POLITE);
	return true;
}

static bool
kill_broker_for_a_while(void)
{
	int node = any_node();

	kafka_stop(run.kafka, node, KAFKA_KILL);
	(void)poll_until((int)fault_up_to(DOWN_MS), false);
	kafka_start(run.kafka, node);
	return true;
}

static bool
kill_broker_and_worker(void)
{
	int node = any_node();
	bool hit;

	kafka_stop(run.kafka, node, KAFKA_KILL);
	hit = fault_kill_mirror_worker();
	kafka_start(run.kafka, node);
	return hit;
}

/* Of rows, of what peerd remembers, or of the coordinators of transactions. */
static bool
move_leader(void)
{
	const char *const topics[] = { topic_of("accounts"), "_peerd_progress",
		"__transaction_state" };
	const char *topic = topics[fault_up_to(3)];
	int partitions = kafka_partitions(run.kafka, topic);

	if (partitions == 0)
		return false;
	kafka_move_leader(run.kafka, topic, (int)fault_up_to((unsigned)partitions));
	return true;
}

/* As soon as there is one. */
static bool
kill_loader(void)
{
	bool hit = false;

	(void)poll_until(HIT_MS, (hit = fault_kill_snapshot_worker()) || fault_mirror_runs());
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
	{ "kill -9 the mirror worker", 27, fault_kill_mirror_worker },
	{ "kill -9 the daemon", 12, fault_kill_daemon },
	{ "restart the daemon", 4, fault_restart_daemon },
	{ "kill -9 a source backend", 7, fault_kill_source_backend },
	{ "crash the source cluster", 4, fault_crash_source },
	{ "restart the source cluster", 2, fault_restart_source },
	{ "kill -9 a broker", 14, kill_broker },
	{ "restart a broker", 5, restart_broker },
	{ "kill -9 a broker for a while", 6, kill_broker_for_a_while },
	{ "kill -9 a broker and the worker", 6, kill_broker_and_worker },
	{ "move a leader", 9, move_leader },
	{ "pause and resume", 4, pause_and_resume },
};

static const struct fault_kind snapshot_faults[] = {
	{ "kill -9 a snapshot worker", 40, kill_loader },
	{ "kill -9 the mirror worker", 15, fault_kill_mirror_worker },
	{ "kill -9 the daemon", 10, fault_kill_daemon },
	{ "kill -9 a source backend", 8, fault_kill_source_backend },
	{ "crash the source cluster", 4, fault_crash_source },
	{ "kill -9 a broker", 15, kill_broker },
	{ "move a leader", 8, move_leader },
};

/* ---- rounds */

static const char *
inflict(const struct fault_kind *list)
{
	const struct fault_kind *f = fault_choose(list);

	while (f->inflict == move_leader && run.kafka->nodes == 1)
		f = fault_choose(list);
	return text("%s%s", f->name, f->inflict() ? "" : " (nothing to hit)");
}

static const char *
steady_round(void)
{
	(void)poll_until((int)fault_up_to(FAULT_DELAY_MS), false);
	return inflict(steady_faults);
}

/* A new snapshot, hit while it is under way. */
static const char *
snapshot_round(void)
{
	const char *words;

	compare_all();
	mirror_drop(FAULT_MIRROR);
	load_start();
	create_mirror();
	(void)poll_until((int)fault_up_to(FAULT_DELAY_MS * 4), fault_mirror_runs());
	words = inflict(snapshot_faults);
	fault_mirror_wait();
	return text("new snapshot, %s", words);
}

static void
one_round(void)
{
	usec_t began = clock_mono_us();
	const char *words = fault_up_to(FAULT_ANEW_EVERY) == 0 ? snapshot_round() : steady_round();

	wait_caught_up();
	printf("round %d/%d  %-50s %6.1f s  %lld states read, %lld transactions\n", fault.round,
	    fault.rounds, words, (double)(clock_mono_us() - began) / (double)USEC_PER_SEC,
	    (long long)run.states, (long long)fault_commits());
	fflush(stdout);
}

/* ---- begin and end */

static void
make_reader(void)
{
	PGconn *s = cluster_connect(fault.source, FAULT_DATABASE);

	run.reader = cluster_new("reader", NULL);
	fault_make_database(run.reader);
	run.rebuilt = cluster_connect(run.reader, FAULT_DATABASE);
	kafka_state_init(run.rebuilt, s, bank_table_names);
	sql_close(&s);
}

static void
begin(int argc, char **argv)
{
	fault_begin(argc, argv, "fault_kafka", SHORT_ROUNDS);
	make_reader();
	run.kafka = kafka_new("kafka", fault.scale > 1 ? KAFKA_NODES_MAX : 1, KAFKA_FOR_TESTS);
	api_expect(200,
	    api_post("/peers/create",
		json("{'peer': {'name': 'dst', 'type': 'KAFKA', 'kafka_config': {'servers': "
		     "['%s'], 'disable_tls': true}}}",
		    kafka_servers(run.kafka, KAFKA_PLAIN))));
	load_start();
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
	sql_close(&run.rebuilt);
	cluster_free(&run.reader);
	kafka_free(&run.kafka);
	printf("fault_kafka: seed %llu: %d rounds, %lld snapshots, %lld source transactions; %lld "
	       "records read, none twice; %lld states, none torn; compared %lld times, %lld rows, "
	       "all equal\n",
	    (unsigned long long)fault.seed, fault.round, (long long)run.snapshots,
	    (long long)fault_commits(), (long long)run.records, (long long)run.states,
	    (long long)run.comparisons, (long long)run.rows);
}

int
main(int argc, char **argv)
{
	if (!kafka_available())
		return 0;
	begin(argc, argv);
	while (fault_next_round())
		one_round();
	finish();
	return 0;
}
