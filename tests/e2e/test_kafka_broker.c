/*
 * The Kafka clusters that other tests stand on, and what peerd counts on in
 * them: a transaction is visible whole or not at all, what was acknowledged is
 * there after kill -9, leaders move, listeners refuse whom they should refuse.
 * Written by librdkafka and kcat, read by kcat.
 */
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <unistd.h>

#include "tests/harness/fail.h"
#include "tests/harness/files.h"
#include "tests/harness/janitor.h"
#include "tests/harness/kafka.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"
#include "tests/harness/suite.h"

#define WAIT_MS	    30000
#define COMMIT_MS   20000
#define WORDS_MAX   512
#define MANY	    1000
#define OPTIONS_MAX 16

static struct kafka *one, *three, *mock;

static void
one_init(void)
{
	one = kafka_new("kafka", 1, KAFKA_FOR_TESTS);
}

static void
one_done(void)
{
	kafka_free(&one);
}

static void
three_init(void)
{
	three = kafka_new("kafka3", 3, KAFKA_FOR_TESTS);
}

static void
three_done(void)
{
	kafka_free(&three);
}

static void
mock_init(void)
{
	mock = kafka_new_mock("kafkamock", 3);
}

static void
mock_done(void)
{
	kafka_free(&mock);
}

/* A topic of the test's own. */
static const char *
own_topic(const struct kafka *k, const char *name, int partitions)
{
	const char *topic = text("%s.%d", name, (int)getpid());

	kafka_create_topic(k, topic, partitions, NULL);
	return topic;
}

/* ---- a producer, with a transactional id or without */

static rd_kafka_t *
producer_new(const struct kafka *k, const char *transactional_id)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char words[WORDS_MAX];
	rd_kafka_t *rk;

	rd_kafka_conf_set_log_cb(conf, NULL);
	rd_kafka_conf_set(conf, "bootstrap.servers", kafka_servers(k, KAFKA_PLAIN), NULL, 0);
	rd_kafka_conf_set(conf, "enable.idempotence", "true", NULL, 0);
	rd_kafka_conf_set(conf, "linger.ms", "0", NULL, 0);
	if (transactional_id != NULL)
		rd_kafka_conf_set(conf, "transactional.id", transactional_id, NULL, 0);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof(words));
	ck_assert_msg(rk != NULL, "%s", words);
	return rk;
}

static void
succeeds(rd_kafka_error_t *error)
{
	ck_assert_msg(error == NULL, "%s", rd_kafka_error_string(error));
}

static void
send_one(rd_kafka_t *rk, const char *topic, const char *key, const char *value)
{
	rd_kafka_resp_err_t code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
	    RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE((void *)value, strlen(value)),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADER("op", "i", 1),
	    RD_KAFKA_V_END);

	ck_assert_msg(code == RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(code));
}

static void
send_many(rd_kafka_t *rk, const char *topic, const char *value, int n)
{
	for (int i = 0; i < n; i++)
		send_one(rk, topic, text("key %d", i), value);
}

static void
flush(rd_kafka_t *rk)
{
	ck_assert_int_eq(rd_kafka_flush(rk, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void
produce(const struct kafka *k, const char *topic, const char *value, int n)
{
	rd_kafka_t *rk = producer_new(k, NULL);

	send_many(rk, topic, value, n);
	flush(rk);
	rd_kafka_destroy(rk);
}

/* ---- readers */

static size_t
count_of(const struct kafka_records *rs, const char *value)
{
	size_t n = 0;

	for (size_t i = 0; i < rs->n; i++)
		n += rs->v[i].value != NULL && strcmp(rs->v[i].value, value) == 0;
	return n;
}

static void
expect_count(const struct kafka *k, const char *topic, bool with_uncommitted, const char *value,
    size_t n)
{
	struct kafka_reading how = { .with_uncommitted = with_uncommitted };
	struct kafka_records rs = kafka_read(k, topic, &how);

	ck_assert_uint_eq(count_of(&rs, value), n);
	kafka_records_free(&rs);
}

/* ---- one node */

START_TEST(test_kcat_writes_what_kcat_reads)
{
	const char *topic = own_topic(one, "kcat", 1);
	const char *input = tmp_path("input.%d", (int)getpid());
	const char *const argv[] = { "kcat", "-P", "-b", kafka_servers(one, KAFKA_PLAIN), "-t",
		topic, "-K:", "-Z", "-H", "mirror=orders", "-H", "op=u", "-l", input, NULL };
	struct proc_spec spec = { .argv = argv };
	struct kafka_records rs;

	file_write(input, "1:{\"id\": 1, \"name\": \"\xc3\xa4\\u0001\"}\n2:\n");
	ck_assert_int_eq(proc_run(&spec), 0);
	unlink(input);
	rs = kafka_read(one, topic, NULL);
	ck_assert_uint_eq(rs.n, 2);
	ck_assert_str_eq(rs.v[0].key, "1");
	ck_assert_str_eq(rs.v[0].value, "{\"id\": 1, \"name\": \"\xc3\xa4\\u0001\"}");
	ck_assert_int_eq(rs.v[0].partition, 0);
	ck_assert_int_eq(rs.v[0].offset, 0);
	ck_assert_int_gt(rs.v[0].time_ms, 0);
	ck_assert_uint_eq(rs.v[0].n_headers, 2);
	ck_assert_str_eq(kafka_header(&rs.v[0], "mirror"), "orders");
	ck_assert_str_eq(kafka_header(&rs.v[0], "op"), "u");
	ck_assert_ptr_null(kafka_header(&rs.v[0], "lsn"));
	ck_assert_str_eq(rs.v[1].key, "2");
	ck_assert_ptr_null(rs.v[1].value);
	kafka_records_free(&rs);
}
END_TEST

START_TEST(test_topics_are_made_as_asked)
{
	static const char *const compacted[] = { "cleanup.policy", "compact", NULL };
	const char *topic = text("made.%d", (int)getpid());

	ck_assert_int_eq(kafka_partitions(one, topic), 0);
	kafka_create_topic(one, topic, 3, compacted);
	ck_assert_int_eq(kafka_partitions(one, topic), 3);
	ck_assert_int_eq(kafka_leader(one, topic, 2), 1);
	kafka_delete_topic(one, topic);
	ck_assert_int_eq(kafka_partitions(one, topic), 0);
}
END_TEST

START_TEST(test_a_topic_does_not_make_itself)
{
	const char *topic = text("nobody-made-it.%d", (int)getpid());
	rd_kafka_t *rk = producer_new(one, NULL);

	send_one(rk, topic, "1", "v");
	ck_assert(!poll_until(1000, rd_kafka_flush(rk, 100) == RD_KAFKA_RESP_ERR_NO_ERROR));
	rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_destroy(rk);
	ck_assert_int_eq(kafka_partitions(one, topic), 0);
}
END_TEST

START_TEST(test_a_reader_may_stop_after_some)
{
	const char *topic = own_topic(one, "some", 2);
	struct kafka_reading how = { .count = 7 };
	struct kafka_records rs;

	produce(one, topic, "v", MANY);
	rs = kafka_read(one, topic, &how);
	ck_assert_uint_eq(rs.n, 7);
	kafka_records_free(&rs);
	expect_count(one, topic, false, "v", MANY);
}
END_TEST

START_TEST(test_only_committed_transactions_are_visible)
{
	const char *topic = own_topic(one, "tx", 3);
	rd_kafka_t *rk = producer_new(one, topic);

	succeeds(rd_kafka_init_transactions(rk, WAIT_MS));
	succeeds(rd_kafka_begin_transaction(rk));
	send_many(rk, topic, "committed", 30);
	succeeds(rd_kafka_commit_transaction(rk, COMMIT_MS));

	succeeds(rd_kafka_begin_transaction(rk));
	send_many(rk, topic, "aborted", 20);
	flush(rk);
	succeeds(rd_kafka_abort_transaction(rk, COMMIT_MS));

	succeeds(rd_kafka_begin_transaction(rk));
	send_many(rk, topic, "open", 10);
	flush(rk);

	expect_count(one, topic, false, "committed", 30);
	expect_count(one, topic, false, "aborted", 0);
	expect_count(one, topic, false, "open", 0);
	expect_count(one, topic, true, "aborted", 20);
	expect_count(one, topic, true, "open", 10);

	succeeds(rd_kafka_commit_transaction(rk, COMMIT_MS));
	expect_count(one, topic, false, "open", 10);
	rd_kafka_destroy(rk);
}
END_TEST

START_TEST(test_a_second_writer_shuts_the_first_out)
{
	const char *topic = own_topic(one, "fence", 1);
	rd_kafka_t *first = producer_new(one, topic), *second = producer_new(one, topic);
	rd_kafka_error_t *error;

	succeeds(rd_kafka_init_transactions(first, WAIT_MS));
	succeeds(rd_kafka_begin_transaction(first));
	send_one(first, topic, "1", "first");
	flush(first);
	succeeds(rd_kafka_init_transactions(second, WAIT_MS));
	error = rd_kafka_commit_transaction(first, COMMIT_MS);
	ck_assert_ptr_nonnull(error);
	ck_assert(rd_kafka_error_is_fatal(error));
	rd_kafka_error_destroy(error);
	expect_count(one, topic, false, "first", 0);
	rd_kafka_destroy(first);
	rd_kafka_destroy(second);
}
END_TEST

START_TEST(test_what_was_acknowledged_survives_kill)
{
	const char *topic = own_topic(one, "kill", 3);
	rd_kafka_t *rk = producer_new(one, topic);
	pid_t before = kafka_pid(one, 1);

	succeeds(rd_kafka_init_transactions(rk, WAIT_MS));
	succeeds(rd_kafka_begin_transaction(rk));
	send_many(rk, topic, "before", MANY);
	succeeds(rd_kafka_commit_transaction(rk, COMMIT_MS));

	kafka_restart(one, 1, KAFKA_KILL);
	ck_assert_int_ne(kafka_pid(one, 1), before);
	expect_count(one, topic, false, "before", MANY);

	/* and the writer goes on */
	succeeds(rd_kafka_begin_transaction(rk));
	send_many(rk, topic, "after", 1);
	succeeds(rd_kafka_commit_transaction(rk, COMMIT_MS));
	expect_count(one, topic, false, "after", 1);
	rd_kafka_destroy(rk);
}
END_TEST

START_TEST(test_a_node_stops_when_asked)
{
	const char *topic = own_topic(one, "stop", 1);

	produce(one, topic, "v", 10);
	kafka_stop(one, 1, KAFKA_POLITE);
	ck_assert_int_eq(kafka_pid(one, 1), 0);
	kafka_start(one, 1);
	expect_count(one, topic, false, "v", 10);
}
END_TEST

/* ---- listeners */

enum certificate {
	NO_CA,
	WITH_CA,
	WITH_CLIENT,
};

static const struct door {
	enum kafka_listener listener;
	const char *protocol;
	const char *mechanism; /* NULL: no user */
	const char *password;
	enum certificate certificate;
	bool opens;
} doors[] = {
	{ KAFKA_SASL, "sasl_plaintext", "PLAIN", KAFKA_PASSWORD, NO_CA, true },
	{ KAFKA_SASL, "sasl_plaintext", "PLAIN", "wrong", NO_CA, false },
	{ KAFKA_SASL, "sasl_plaintext", "SCRAM-SHA-256", KAFKA_PASSWORD, NO_CA, true },
	{ KAFKA_SASL, "sasl_plaintext", "SCRAM-SHA-256", "wrong", NO_CA, false },
	{ KAFKA_SASL, "sasl_plaintext", "SCRAM-SHA-512", KAFKA_PASSWORD, NO_CA, true },
	{ KAFKA_SASL, "sasl_plaintext", "SCRAM-SHA-512", "wrong", NO_CA, false },
	{ KAFKA_SASL, "plaintext", NULL, NULL, NO_CA, false },
	{ KAFKA_TLS, "ssl", NULL, NULL, WITH_CLIENT, true },
	{ KAFKA_TLS, "ssl", NULL, NULL, WITH_CA, false },
	{ KAFKA_TLS, "ssl", NULL, NULL, NO_CA, false },
	{ KAFKA_SASL_TLS, "sasl_ssl", "PLAIN", KAFKA_PASSWORD, WITH_CA, true },
	{ KAFKA_SASL_TLS, "sasl_ssl", "SCRAM-SHA-512", KAFKA_PASSWORD, WITH_CA, true },
	{ KAFKA_SASL_TLS, "sasl_ssl", "SCRAM-SHA-512", KAFKA_PASSWORD, NO_CA, false },
};

static void
configure_door(rd_kafka_conf_t *conf, const struct door *d)
{
	const char *const options[][2] = {
		{ "bootstrap.servers", kafka_servers(one, d->listener) },
		{ "security.protocol", d->protocol },
		{ "sasl.mechanism", d->mechanism },
		{ "sasl.username", d->mechanism != NULL ? KAFKA_USER : NULL },
		{ "sasl.password", d->password },
		{ "ssl.ca.location", d->certificate >= WITH_CA ? one->cert : NULL },
		{ "ssl.certificate.location", d->certificate >= WITH_CLIENT ? one->cert : NULL },
		{ "ssl.key.location", d->certificate >= WITH_CLIENT ? one->key : NULL },
	};
	char words[WORDS_MAX];

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (options[i][1] != NULL &&
		    rd_kafka_conf_set(conf, options[i][0], options[i][1], words, sizeof(words)) !=
			RD_KAFKA_CONF_OK)
			ck_abort_msg("%s", words);
}

START_TEST(test_listeners_let_in_whom_they_should)
{
	const struct door *d = &doors[_i];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const struct rd_kafka_metadata *m;
	rd_kafka_resp_err_t code;
	char words[WORDS_MAX];
	rd_kafka_t *rk;

	rd_kafka_conf_set_log_cb(conf, NULL);
	configure_door(conf, d);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof(words));
	ck_assert_msg(rk != NULL, "%s", words);
	code = rd_kafka_metadata(rk, 0, NULL, &m, d->opens ? WAIT_MS : 2000);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_metadata_destroy(m);
	ck_assert_msg((code == RD_KAFKA_RESP_ERR_NO_ERROR) == d->opens, "%s %s: %s", d->protocol,
	    d->mechanism != NULL ? d->mechanism : "", rd_kafka_err2str(code));
	rd_kafka_destroy(rk);
}
END_TEST

/* ---- three nodes */

START_TEST(test_a_leader_moves)
{
	const char *topic = own_topic(three, "move", 1);
	int before = kafka_leader(three, topic, 0), after;

	produce(three, topic, "before", 10);
	after = kafka_move_leader(three, topic, 0);
	ck_assert_int_ne(after, before);
	ck_assert_int_eq(kafka_leader(three, topic, 0), after);
	produce(three, topic, "after", 10);
	expect_count(three, topic, false, "before", 10);
	expect_count(three, topic, false, "after", 10);
}
END_TEST

START_TEST(test_another_node_leads_when_the_leader_dies)
{
	const char *topic = own_topic(three, "death", 1);
	rd_kafka_t *rk = producer_new(three, topic);
	int dead = kafka_leader(three, topic, 0), next;

	succeeds(rd_kafka_init_transactions(rk, WAIT_MS));
	succeeds(rd_kafka_begin_transaction(rk));
	send_many(rk, topic, "before", MANY);
	succeeds(rd_kafka_commit_transaction(rk, COMMIT_MS));

	kafka_stop(three, dead, KAFKA_KILL);
	ck_assert(poll_until(WAIT_MS, (next = kafka_leader(three, topic, 0)) != 0 && next != dead));
	succeeds(rd_kafka_begin_transaction(rk));
	send_many(rk, topic, "after", MANY);
	succeeds(rd_kafka_commit_transaction(rk, WAIT_MS));
	expect_count(three, topic, false, "before", MANY);
	expect_count(three, topic, false, "after", MANY);

	kafka_start(three, dead);
	expect_count(three, topic, false, "after", MANY);
	rd_kafka_destroy(rk);
}
END_TEST

/* ---- the mock cluster */

START_TEST(test_the_mock_cluster_keeps_records)
{
	const char *topic = text("mocked.%d", (int)getpid());
	struct kafka_records rs;

	produce(mock, topic, "v", MANY);
	rs = kafka_read(mock, topic, NULL);
	ck_assert_uint_eq(count_of(&rs, "v"), MANY);
	ck_assert_str_eq(kafka_header(&rs.v[0], "op"), "i");
	kafka_records_free(&rs);
}
END_TEST

START_TEST(test_the_mock_cluster_takes_transactions)
{
	const char *topic = text("mocked-tx.%d", (int)getpid());
	rd_kafka_t *rk = producer_new(mock, topic);

	succeeds(rd_kafka_init_transactions(rk, WAIT_MS));
	succeeds(rd_kafka_begin_transaction(rk));
	send_many(rk, topic, "committed", 10);
	succeeds(rd_kafka_commit_transaction(rk, COMMIT_MS));
	rd_kafka_destroy(rk);
	expect_count(mock, topic, false, "committed", 10);
}
END_TEST

static void
add_one(Suite *s)
{
	TCase *tc = suite_case(s, "one node", one_init, one_done, NULL, NULL);

	suite_test(tc, test_kcat_writes_what_kcat_reads);
	suite_test(tc, test_topics_are_made_as_asked);
	suite_test(tc, test_a_topic_does_not_make_itself);
	suite_test(tc, test_a_reader_may_stop_after_some);
	suite_test(tc, test_only_committed_transactions_are_visible);
	suite_test(tc, test_a_second_writer_shuts_the_first_out);
	suite_loop(tc, test_listeners_let_in_whom_they_should, 0,
	    (int)(sizeof(doors) / sizeof(*doors)));
	suite_test(tc, test_what_was_acknowledged_survives_kill);
	suite_test(tc, test_a_node_stops_when_asked);
}

static void
add_three(Suite *s)
{
	TCase *tc = suite_case(s, "three nodes", three_init, three_done, NULL, NULL);

	suite_test(tc, test_a_leader_moves);
	suite_test(tc, test_another_node_leads_when_the_leader_dies);
}

static void
add_mock(Suite *s)
{
	TCase *tc = suite_case(s, "mock cluster", mock_init, mock_done, NULL, NULL);

	suite_test(tc, test_the_mock_cluster_keeps_records);
	suite_test(tc, test_the_mock_cluster_takes_transactions);
}

int
main(void)
{
	Suite *s = suite_create("kafka broker");

	if (kafka_available()) {
		add_one(s);
		add_three(s);
	}
	add_mock(s);
	return suite_main(s);
}
