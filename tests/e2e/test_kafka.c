/*
 * Kafka as a destination, against a real broker and read by kcat: peers that
 * are refused, changes and snapshots, and that each record is there once and in
 * its key's order whoever is killed meanwhile.
 */
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/files.h"
#include "tests/harness/kafka.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS	 40000
#define KEYS_MAX 4000
#define TEXT_MAX (64 * MIB)

/* Topics are named after mirrors, so that tests share a broker. */
#define ENV(more)                                                                                  \
	"'env': {'PEERD_KAFKA_TOPIC': '{mirror}.{table}', 'PEERD_KAFKA_FORMAT': 'plain-json'" more \
	"}"
#define STREAM_ONLY "'do_initial_snapshot': false, "

static struct kafka *kafka;

static void
broker_init(void)
{
	rig_source_init();
	kafka = kafka_new("kafka", 1, KAFKA_FOR_TESTS);
}

static void
broker_done(void)
{
	kafka_free(&kafka);
	rig_clusters_done();
}

static char *
peer(const char *name, const char *servers, const char *more)
{
	return json("{'peer': {'name': '%s', 'type': 9, 'kafka_config': {'servers': ['%s']%s}}}",
	    name, servers, more);
}

static void
test_init(void)
{
	rig_init();
	api_expect(200,
	    api_post("/peers/create",
		peer("dst", kafka_servers(kafka, KAFKA_PLAIN), ", 'disable_tls': true")));
}

/* ---- peers */

static const struct {
	const char *what;
	enum kafka_listener listener;
	const char *servers; /* NULL: the broker's */
	const char *more;
	const char *words[2];
} bad_peers[] = {
	{ "nobody there", KAFKA_PLAIN, "127.0.0.1:1", ", 'disable_tls': true",
	    { "onnection refused", "check host and port" } },
	{ "no such host", KAFKA_PLAIN, "no-such-host.invalid:9092", ", 'disable_tls': true",
	    { "no-such-host.invalid", "check the host" } },
	{ "TLS where there is none", KAFKA_PLAIN, NULL, "", { "SSL", "disable_tls" } },
	{ "wrong password", KAFKA_SASL, NULL,
	    ", 'disable_tls': true, 'username': 'peerd', 'password': 'wr0ng',"
	    " 'sasl': 'SCRAM-SHA-256'",
	    { "uthentication", "check username" } },
	{ "unknown option", KAFKA_PLAIN, NULL,
	    ", 'disable_tls': true, 'options': {'linger.mss': '5'}", { "linger.mss", "options" } },
	{ "reserved option", KAFKA_PLAIN, NULL,
	    ", 'disable_tls': true, 'options': {'transactional.id': 'x'}",
	    { "transactional.id", "peerd" } },
	{ "unknown partitioner", KAFKA_PLAIN, NULL,
	    ", 'disable_tls': true, 'partitioner': 'clever'", { "clever", "StickyKey" } },
	{ "unknown authority", KAFKA_SASL_TLS, NULL,
	    ", 'username': 'peerd', 'password': 'wr0ng', 'sasl': 'PLAIN'",
	    { "ertificate", "root_ca" } },
};

START_TEST(a_wrong_peer_is_refused_with_words)
{
	const char *servers = bad_peers[_i].servers != NULL
	    ? bad_peers[_i].servers
	    : kafka_servers(kafka, bad_peers[_i].listener);
	const struct reply *r = api_post("/peers/create",
	    peer("wrong", servers, bad_peers[_i].more));

	ck_assert_msg(r->status == 400, "%ld %s", r->status, r->body);
	for (size_t i = 0; i < 2; i++)
		ck_assert_msg(strstr(r->body, bad_peers[_i].words[i]) != NULL, "%s: %s",
		    bad_peers[_i].what, r->body);
	ck_assert_ptr_null(strstr(r->body, "wr0ng"));
}
END_TEST

/* ---- reading topics */

static struct kafka_records
read_topic(const char *mirror, const char *table)
{
	return kafka_read(kafka, text("%s.%s", mirror, table), NULL);
}

struct row {
	const char *key;
	const char *value;
};

static struct row *
find_row(struct row *rows, size_t *n, const char *key)
{
	size_t i;

	for (i = 0; i < *n; i++)
		if (strcmp(rows[i].key, key) == 0)
			return &rows[i];
	if (*n == KEYS_MAX)
		test_fail("too many keys");
	rows[*n] = (struct row){ .key = key };
	return &rows[(*n)++];
}

static int
compare_values(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->value, ((const struct row *)b)->value);
}

/* What a reader who applies the records in order has in the end, a row a line, sorted. */
static char *
rebuilt(const char *mirror, const char *table)
{
	struct kafka_records rs = read_topic(mirror, table);
	static struct row rows[KEYS_MAX];
	size_t n = 0, i, alive = 0;
	struct buf b;
	char *copy;

	for (i = 0; i < rs.n; i++)
		find_row(rows, &n, rs.v[i].key)->value = rs.v[i].value;
	for (i = 0; i < n; i++)
		if (rows[i].value != NULL)
			rows[alive++] = rows[i];
	qsort(rows, alive, sizeof(rows[0]), compare_values);
	buf_init(&b, TEXT_MAX);
	for (i = 0; i < alive; i++)
		buf_printf(&b, "%s\n", rows[i].value);
	copy = text("%s", buf_str(&b));
	buf_done(&b);
	kafka_records_free(&rs);
	return copy;
}

/* Tables of these tests are (id int, v int), or with a text w. */
static char *
as_lines(const char *table)
{
	return sql_text(rig.s,
	    "SELECT coalesce(string_agg(r, E'\\n' ORDER BY r COLLATE \"C\") || E'\\n', '')"
	    " FROM (SELECT replace(row_to_json(t)::text, ' ', '') AS r FROM %s t) x",
	    table);
}

static void
expect_rebuilt(const char *mirror, const char *table)
{
	char *a = NULL, *b = NULL;

	if (!poll_until(WAIT_MS, strcmp(a = as_lines(table), b = rebuilt(mirror, table)) == 0))
		test_fail("%s\nsource:\n%.1500s\nKafka:\n%.1500s\nerrors: %s", table, a, b,
		    mirror_errors(mirror));
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* No two records of the topic tell of the same. */
static void
expect_no_repetition(const char *mirror, const char *table)
{
	struct kafka_records rs = read_topic(mirror, table);
	const char **ids = calloc(rs.n + 1, sizeof(*ids));
	size_t i;

	for (i = 0; i < rs.n; i++) {
		ids[i] = kafka_header(&rs.v[i], "peerd.id");
		ck_assert_ptr_nonnull(ids[i]);
	}
	qsort(ids, rs.n, sizeof(*ids), compare_texts);
	for (i = 1; i < rs.n; i++)
		if (strcmp(ids[i - 1], ids[i]) == 0)
			test_fail("%s.%s has two records \"%s\"", mirror, table, ids[i]);
	free(ids);
	kafka_records_free(&rs);
}

/* ---- changes */

START_TEST(changes_arrive)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v int)");
	on_source("INSERT INTO t SELECT i, 0 FROM generate_series(1, 100) i");
	mirror_run("changes", "public.t", ENV(", 'PEERD_KAFKA_PARTITIONS': '3'"));
	expect_rebuilt("changes", "t");
	on_source("INSERT INTO t VALUES (101, 1), (102, NULL)");
	on_source("UPDATE t SET v = v + 1 WHERE id <= 50");
	on_source("DELETE FROM t WHERE id BETWEEN 10 AND 20");
	on_source("UPDATE t SET id = id + 1000 WHERE id BETWEEN 30 AND 40");
	on_source("BEGIN; INSERT INTO t VALUES (7000, 1); DELETE FROM t WHERE id = 7000; COMMIT");
	expect_rebuilt("changes", "t");
	ck_assert_int_eq(kafka_partitions(kafka, "changes.t"), 3);
	expect_no_repetition("changes", "t");
}
END_TEST

/* ---- every way in */

static const struct way {
	const char *name;
	enum kafka_listener listener;
	const char *mechanism;	/* NULL: no user */
	bool authority, client; /* certificates */
	const char *options;
} ways[] = {
	{ "plain", KAFKA_SASL, "PLAIN", false, false, "" },
	{ "scram256", KAFKA_SASL, "SCRAM-SHA-256", false, false, "" },
	{ "scram512", KAFKA_SASL_TLS, "SCRAM-SHA-512", true, false, "" },
	{ "client", KAFKA_TLS, NULL, true, true, "" },
	{ "zstd", KAFKA_PLAIN, NULL, false, false, "'compression.codec': 'zstd'" },
	/* and what peerd's own writer leaves to librdkafka */
	{ "gzip", KAFKA_PLAIN, NULL, false, false, "'compression.codec': 'gzip'" },
	{ "linger", KAFKA_SASL_TLS, "PLAIN", true, false, "'linger.ms': '1'" },
};

/* As the inside of a JSON string that json() leaves alone. */
static char *
escaped(const char *s)
{
	struct buf b;
	char *copy;

	buf_init(&b, TEXT_MAX);
	for (; *s != '\0'; s++)
		if (*s == '\'' || *s == '"' || *s == '\\' || (unsigned char)*s < ' ')
			buf_printf(&b, "\\u%04x", *s);
		else
			buf_char(&b, *s);
	copy = text("%s", buf_str(&b));
	buf_done(&b);
	return copy;
}

static char *
peer_by(const struct way *w)
{
	bool tls = w->listener == KAFKA_TLS || w->listener == KAFKA_SASL_TLS;
	char *more = text(", 'disable_tls': %s, 'options': {%s}", tls ? "false" : "true",
	    w->options);

	if (w->mechanism != NULL)
		more = text("%s, 'username': '%s', 'password': '%s', 'sasl': '%s'", more,
		    KAFKA_USER, escaped(KAFKA_PASSWORD), w->mechanism);
	if (w->authority)
		more = text("%s, 'root_ca': '%s'", more, escaped(file_read(kafka->cert)));
	if (w->client)
		more = text("%s, 'certificate': '%s', 'private_key': '%s'", more,
		    escaped(file_read(kafka->cert)), escaped(file_read(kafka->key)));
	return peer("dst", kafka_servers(kafka, w->listener), more);
}

START_TEST(changes_arrive_by_every_way_in)
{
	const struct way *w = &ways[_i];

	api_expect(200, api_post("/peers/create", peer_by(w)));
	on_source("CREATE TABLE t (id int PRIMARY KEY, v int)");
	on_source("INSERT INTO t SELECT i, 0 FROM generate_series(1, 100) i");
	mirror_run(w->name, "public.t", ENV(""));
	expect_rebuilt(w->name, "t");
	on_source("UPDATE t SET v = v + 1 WHERE id <= 50");
	on_source("DELETE FROM t WHERE id BETWEEN 10 AND 20");
	expect_rebuilt(w->name, "t");
	expect_no_repetition(w->name, "t");
}
END_TEST

/* ---- what it is like */

START_TEST(a_transaction_of_several_tables_is_seen_whole)
{
	struct kafka_records t, u;
	static const struct kafka_reading two = { .count = 2 };

	on_source("CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE u (id int PRIMARY KEY, "
		  "v int)");
	mirror_run("whole", "public.t,public.u", STREAM_ONLY ENV(""));
	on_source("BEGIN; INSERT INTO t VALUES (1, 1); INSERT INTO u VALUES (1, 2);"
		  " INSERT INTO t VALUES (2, 3); INSERT INTO u VALUES (2, 4); COMMIT");
	t = kafka_read(kafka, "whole.t", &two);
	u = read_topic("whole", "u");
	ck_assert_uint_eq(u.n, 2);
	ck_assert_str_eq(kafka_header(&t.v[0], "peerd.xid"), kafka_header(&u.v[1], "peerd.xid"));
	ck_assert_str_eq(kafka_header(&t.v[0], "peerd.table"), "public.t");
	kafka_records_free(&t);
	kafka_records_free(&u);
}
END_TEST

START_TEST(a_mirror_pauses_and_resumes)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v int)");
	mirror_run("pauses", "public.t", STREAM_ONLY ENV(""));
	on_source("INSERT INTO t VALUES (1, 1)");
	expect_rebuilt("pauses", "t");
	mirror_change("pauses", "STATUS_PAUSED");
	on_source("INSERT INTO t VALUES (2, 2)");
	mirror_change("pauses", "STATUS_RUNNING");
	expect_rebuilt("pauses", "t");
	expect_no_repetition("pauses", "t");
	rig_wait_confirmed("pauses", WAIT_MS);
}
END_TEST

START_TEST(a_large_transaction_is_one)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v int)");
	mirror_run("large", "public.t", STREAM_ONLY "'max_batch_size': 500, " ENV(""));
	on_source("BEGIN; INSERT INTO t SELECT i, 0 FROM generate_series(1, 3000) i;"
		  " UPDATE t SET v = 1; COMMIT");
	expect_rebuilt("large", "t");
	expect_no_repetition("large", "t");
}
END_TEST

START_TEST(a_new_column_arrives)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v int)");
	mirror_run("column", "public.t", STREAM_ONLY ENV(""));
	on_source("INSERT INTO t VALUES (1, 1)");
	expect_rebuilt("column", "t");
	on_source("BEGIN; DELETE FROM t; ALTER TABLE t ADD COLUMN w text;"
		  " INSERT INTO t VALUES (2, 2, 'x'); COMMIT");
	expect_rebuilt("column", "t");
}
END_TEST

START_TEST(a_value_that_was_not_sent_is_filled_in)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v int, w text);"
		  " ALTER TABLE t ALTER w SET STORAGE EXTERNAL");
	mirror_run("fills", "public.t", STREAM_ONLY ENV(", 'PEERD_KAFKA_UNCHANGED': 'fill'"));
	on_source("INSERT INTO t SELECT i, 0, repeat('x', 5000) FROM generate_series(1, 5) i");
	on_source("UPDATE t SET v = v + 1");
	expect_rebuilt("fills", "t");
}
END_TEST

START_TEST(records_that_are_too_large_stop_their_table)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v int, w text);"
		  " CREATE TABLE u (id int PRIMARY KEY, v int)");
	mirror_run("oversize", "public.t,public.u", STREAM_ONLY ENV(""));
	on_source("INSERT INTO t VALUES (1, 1, repeat('x', 2000000))");
	on_source("INSERT INTO u VALUES (1, 1)");
	expect_rebuilt("oversize", "u");
	if (!poll_until(WAIT_MS, strstr(mirror_errors("oversize"), "bytes, more than") != NULL))
		test_fail("errors: %s", mirror_errors("oversize"));
	on_source("INSERT INTO t VALUES (2, 1, 'small')");
	on_source("INSERT INTO u VALUES (2, 1)");
	expect_rebuilt("oversize", "u");
	ck_assert_str_eq(rebuilt("oversize", "t"), "");
}
END_TEST

START_TEST(records_that_are_too_large_are_split)
{
	struct kafka_records rs;
	size_t n = 0;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v int, w text)");
	mirror_run("split", "public.t", STREAM_ONLY ENV(", 'PEERD_KAFKA_OVERSIZE': 'split'"));
	on_source("INSERT INTO t VALUES (1, 1, repeat('x', 2000000))");
	rs = kafka_read(kafka, "split.t", &(struct kafka_reading){ .count = 3 });
	for (size_t i = 0; i < rs.n; i++) {
		ck_assert_ptr_nonnull(kafka_header(&rs.v[i], "peerd.part"));
		n += strlen(rs.v[i].value);
	}
	ck_assert_uint_gt(n, 2000000);
	kafka_records_free(&rs);
}
END_TEST

START_TEST(topics_that_are_missing_are_refused_if_wished)
{
	const struct reply *r;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v int)");
	r = api_post("/flows/cdc/create",
	    mirror_body("refused", "public.t", ENV(", 'PEERD_KAFKA_TOPIC_CREATE': 'false'")));
	ck_assert_int_eq(r->status, 400);
	ck_assert_ptr_nonnull(strstr(r->body, "does not exist"));
	ck_assert_ptr_nonnull(strstr(r->body, "PEERD_KAFKA_TOPIC_CREATE"));
}
END_TEST

START_TEST(without_transactions_changes_arrive_too)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v int)");
	on_source("INSERT INTO t SELECT i, 0 FROM generate_series(1, 1000) i");
	mirror_run("least", "public.t", ENV(", 'PEERD_KAFKA_EXACTLY_ONCE': 'false'"));
	on_source("UPDATE t SET v = v + 1 WHERE id %% 3 = 0");
	expect_rebuilt("least", "t");
	mirror_change("least", "STATUS_PAUSED");
	on_source("DELETE FROM t WHERE id %% 7 = 0");
	mirror_change("least", "STATUS_RUNNING");
	expect_rebuilt("least", "t");
	rig_wait_confirmed("least", WAIT_MS);
}
END_TEST

/* ---- accidents: of each key every version is there once, in order */

#define CHURN_KEYS 50
#define CHURNS	   3000

/* Both tables change in each transaction, a key's v by one. */
static PGconn *
start_churn(void)
{
	PGconn *c;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE u (id int PRIMARY KEY, "
		  "v int)");
	on_source("INSERT INTO t SELECT i, 0 FROM generate_series(1, %d) i; INSERT INTO u SELECT * "
		  "FROM t",
	    CHURN_KEYS);
	on_source(
	    "CREATE PROCEDURE churn(n int) LANGUAGE plpgsql AS $$ DECLARE k int; BEGIN"
	    " FOR i IN 1..n LOOP k := 1 + floor(random() * %d);"
	    " UPDATE t SET v = v + 1 WHERE id = k; UPDATE u SET v = v + 1 WHERE id = k; COMMIT;"
	    " PERFORM pg_sleep(0.001); END LOOP; END $$",
	    CHURN_KEYS);
	c = cluster_connect(rig.source, "app");
	return c;
}

static void
churn(PGconn *c)
{
	ck_assert_int_eq(PQsendQuery(c, text("CALL churn(%d)", CHURNS)), 1);
}

static void
end_churn(PGconn **c)
{
	PGresult *res = PQgetResult(*c);

	ck_assert_msg(PQresultStatus(res) == PGRES_COMMAND_OK, "%s", PQresultErrorMessage(res));
	PQclear(res);
	sql_close(c);
}

static int
version_in(const char *value)
{
	const char *at = strstr(value, "\"v\":");

	if (at == NULL)
		test_fail("no version in %s", value);
	return (int)strtol(at + 4, NULL, 10);
}

static void
expect_every_version_once(const char *mirror, const char *table)
{
	struct kafka_records rs = read_topic(mirror, table);
	static struct row rows[KEYS_MAX];
	struct row *r;
	size_t n = 0, i;

	for (i = 0; i < rs.n; i++) {
		r = find_row(rows, &n, rs.v[i].key);
		if (version_in(rs.v[i].value) != (r->value == NULL ? 0 : version_in(r->value) + 1))
			test_fail("%s.%s: after %s comes %s", mirror, table,
			    r->value != NULL ? r->value : "nothing", rs.v[i].value);
		r->value = rs.v[i].value;
	}
	ck_assert_uint_eq(n, CHURN_KEYS);
	kafka_records_free(&rs);
}

static void
expect_all_is_well(const char *mirror)
{
	expect_rebuilt(mirror, "t");
	expect_rebuilt(mirror, "u");
	expect_every_version_once(mirror, "t");
	expect_every_version_once(mirror, "u");
	expect_no_repetition(mirror, "t");
}

static char *
confirmed(void)
{
	return sql_text(rig.s,
	    "SELECT coalesce(max(confirmed_flush_lsn)::text, '') FROM "
	    "pg_replication_slots");
}

/* Until the source was told that something more has arrived. */
static void
wait_for_progress(void)
{
	char *before = confirmed();

	if (!poll_until(WAIT_MS, strcmp(confirmed(), before) != 0))
		test_fail("nothing moves");
}

START_TEST(a_killed_worker_repeats_nothing)
{
	PGconn *c = start_churn();

	mirror_run("killed", "public.t,public.u", ENV(", 'PEERD_KAFKA_PARTITIONS': '2'"));
	churn(c);
	for (int i = 0; i < 5; i++) {
		wait_for_progress();
		kill(daemon_worker("mirror killed"), SIGKILL);
	}
	end_churn(&c);
	expect_all_is_well("killed");
}
END_TEST

START_TEST(a_killed_broker_repeats_nothing)
{
	PGconn *c = start_churn();

	mirror_run("broker", "public.t,public.u", ENV(", 'PEERD_KAFKA_PARTITIONS': '2'"));
	churn(c);
	for (int i = 0; i < 2; i++) {
		wait_for_progress();
		kafka_restart(kafka, 1, KAFKA_KILL);
	}
	end_churn(&c);
	expect_all_is_well("broker");
}
END_TEST

/* ---- the snapshot */

static bool
has_warning(const char *mirror, const char *words)
{
	const struct reply *r = api_post("/mirrors/logs",
	    json("{'flow_job_name': '%s', 'level': 'warn', 'num_per_page': 20}", mirror));

	return strstr(api_expect(200, r)->body, words) != NULL;
}

#define SNAPSHOT_ROWS 600000 /* three chunks */

/* One that has stored a part of its partition, and one that has begun to go on. */
static void
kill_loaders(void)
{
	static const struct kafka_reading seen = { .count = 1 },
					  begun = { .count = 1, .with_uncommitted = true };
	const struct kafka_reading *const moments[] = { &begun, &seen };
	struct kafka_records rs;

	if (!poll_until(WAIT_MS, kafka_partitions(kafka, "loads.big") > 0))
		test_fail("no topic");
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		rs = kafka_read(kafka, "loads.big", moments[i]);
		kafka_records_free(&rs);
		kill(daemon_worker("snapshot loads"), SIGKILL);
	}
}

START_TEST(a_killed_loader_repeats_nothing)
{
	struct kafka_records rs;

	on_source("CREATE TABLE big (id int PRIMARY KEY, v int)");
	on_source("INSERT INTO big SELECT i, i FROM generate_series(1, %d) i", SNAPSHOT_ROWS);
	mirror_create("loads", "public.big",
	    "'initial_snapshot_only': true, 'snapshot_max_parallel_workers': 1,"
	    " 'snapshot_num_rows_per_partition': 10000000, " ENV(""));
	kill_loaders();
	mirror_wait("loads", "STATUS_COMPLETED");
	ck_assert(has_warning("loads", "a snapshot worker ended early"));
	rs = read_topic("loads", "big");
	ck_assert_uint_eq(rs.n, SNAPSHOT_ROWS);
	kafka_records_free(&rs);
	expect_no_repetition("loads", "big");
}
END_TEST

/* Somebody who was killed in the middle of a partition of the snapshot. */
static rd_kafka_t *
leave_open(const char *transactional_id, const char *key)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char words[256] = "";
	rd_kafka_t *rk;

	rd_kafka_conf_set(conf, "bootstrap.servers", kafka_servers(kafka, KAFKA_PLAIN), words,
	    sizeof(words));
	rd_kafka_conf_set(conf, "transactional.id", transactional_id, words, sizeof(words));
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof(words));
	ck_assert_msg(rk != NULL, "%s", words);
	ck_assert_ptr_null(rd_kafka_init_transactions(rk, WAIT_MS));
	ck_assert_ptr_null(rd_kafka_begin_transaction(rk));
	rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("_peerd_progress"), RD_KAFKA_V_PARTITION(0),
	    RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_END);
	ck_assert_int_eq(rd_kafka_flush(rk, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
	return rk;
}

START_TEST(a_loader_that_is_gone_hides_nothing)
{
	rd_kafka_t *gone;
	rd_kafka_error_t *e;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v int)");
	on_source("INSERT INTO t SELECT i, 0 FROM generate_series(1, 100) i");
	if (kafka_partitions(kafka, "_peerd_progress") == 0)
		kafka_create_topic(kafka, "_peerd_progress", 1, NULL);
	gone = leave_open("peerd-hidden-snapshot-3-7", "hidden/0-0/3/7");
	mirror_run("hidden", "public.t", ENV(""));
	expect_rebuilt("hidden", "t");
	e = rd_kafka_commit_transaction(gone, WAIT_MS);
	ck_assert(e != NULL && rd_kafka_error_is_fatal(e));
	rd_kafka_error_destroy(e);
	rd_kafka_destroy(gone);
}
END_TEST

/* Nothing can be swapped: each row is there once for each load, under ids of its own. */
START_TEST(a_resync_sends_the_snapshot_again)
{
	struct kafka_records rs;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v int)");
	on_source("INSERT INTO t SELECT i, 0 FROM generate_series(1, 100) i");
	mirror_run("again", "public.t", ENV(""));
	expect_rebuilt("again", "t");
	api_expect(200,
	    api_post("/mirrors/state_change",
		json("{'flow_job_name': 'again', 'requested_flow_state': 'STATUS_RESYNC'}")));
	mirror_wait("again", "STATUS_RUNNING");
	rs = read_topic("again", "t");
	ck_assert_uint_eq(rs.n, 200);
	kafka_records_free(&rs);
	on_source("UPDATE t SET v = v + 1 WHERE id <= 50");
	expect_rebuilt("again", "t");
	expect_no_repetition("again", "t");
}
END_TEST

/* ---- what is remembered */

START_TEST(a_dropped_mirror_is_forgotten)
{
	struct kafka_records rs;
	size_t i;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v int)");
	mirror_run("dropped", "public.t", STREAM_ONLY ENV(""));
	on_source("INSERT INTO t VALUES (1, 1)");
	expect_rebuilt("dropped", "t");
	mirror_drop("dropped");
	rs = kafka_read(kafka, "_peerd_progress", NULL);
	for (i = rs.n; i > 0 && strcmp(rs.v[i - 1].key, "dropped") != 0; i--)
		;
	ck_assert_uint_gt(i, 0);
	ck_assert_ptr_null(rs.v[i - 1].value);
	kafka_records_free(&rs);
	mirror_run("dropped", "public.t", STREAM_ONLY ENV(""));
	on_source("INSERT INTO t VALUES (2, 2)");
	expect_rebuilt("dropped", "t");
}
END_TEST

static Suite *
kafka_suite(void)
{
	Suite *s = suite_create("kafka");
	TCase *tc;

	tc = suite_case(s, "peers", broker_init, broker_done, test_init, rig_done);
	suite_loop(tc, a_wrong_peer_is_refused_with_words, 0,
	    (int)(sizeof(bad_peers) / sizeof(bad_peers[0])));

	tc = suite_case(s, "changes", broker_init, broker_done, test_init, rig_done);
	suite_test(tc, changes_arrive);
	suite_test(tc, a_transaction_of_several_tables_is_seen_whole);
	suite_test(tc, a_mirror_pauses_and_resumes);
	suite_test(tc, a_large_transaction_is_one);
	suite_test(tc, a_new_column_arrives);
	suite_test(tc, a_value_that_was_not_sent_is_filled_in);
	suite_test(tc, records_that_are_too_large_stop_their_table);
	suite_test(tc, records_that_are_too_large_are_split);
	suite_test(tc, topics_that_are_missing_are_refused_if_wished);
	suite_test(tc, without_transactions_changes_arrive_too);
	suite_test(tc, a_resync_sends_the_snapshot_again);
	suite_test(tc, a_dropped_mirror_is_forgotten);

	tc = suite_case(s, "ways", broker_init, broker_done, rig_init, rig_done);
	suite_loop(tc, changes_arrive_by_every_way_in, 0, (int)(sizeof(ways) / sizeof(ways[0])));

	tc = suite_case(s, "accidents", broker_init, broker_done, test_init, rig_done);
	suite_test(tc, a_killed_worker_repeats_nothing);
	suite_test(tc, a_killed_broker_repeats_nothing);
	suite_test(tc, a_killed_loader_repeats_nothing);
	suite_test(tc, a_loader_that_is_gone_hides_nothing);
	return s;
}

int
main(void)
{
	if (!kafka_available())
		return 0;
	return suite_main(kafka_suite());
}
