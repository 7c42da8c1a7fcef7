/*
 * The Kafka client: what it says of a configuration, and what it does with
 * librdkafka's mock cluster, which has transactions but hides nothing that was
 * aborted.
 */
#include <check.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/conn/kclient_int.h"
#include "lib/conn/kerror.h"

#define TIMEOUT (20 * USEC_PER_SEC)
#define TOPIC	"t"

static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *mock;
static char *servers[1];
static PeerdbPeers__KafkaConfig peer;

static void
mock_init(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char words[256];

	rd_kafka_conf_set(conf, "log_level", "3", words, sizeof(words));
	host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof(words));
	ck_assert_msg(host != NULL, "%s", words);
	mock = rd_kafka_mock_cluster_new(host, 1);
	rd_kafka_mock_topic_create(mock, TOPIC, 1, 1);
	servers[0] = (char *)rd_kafka_mock_cluster_bootstraps(mock);
	peerdb_peers__kafka_config__init(&peer);
	peer.n_servers = 1;
	peer.servers = servers;
	peer.disable_tls = true;
}

static void
mock_done(void)
{
	rd_kafka_mock_cluster_destroy(mock);
	rd_kafka_destroy(host);
}

static struct kclient *
open_client(enum kclient_role role, const char *id)
{
	const struct kclient_config cfg = {
		.peer = &peer,
		.role = role,
		.what = "test",
		.transactional_id = id,
		.timeout = TIMEOUT,
	};
	struct err err = ERR_INIT;
	struct kclient *k;

	ck_assert_msg(kclient_open(&cfg, &k, &err) && kclient_connect(k, &err) &&
		kclient_fence(k, &err),
	    "%s", err.msg);
	return k;
}

static void
send_text(struct kclient *k, const char *value)
{
	static const struct kclient_header headers[] = {
		{ { (const uint8_t *)"h", 1 }, { (const uint8_t *)"1", 1 } },
	};
	const struct kclient_record r = {
		.topic = TOPIC,
		.partition = KCLIENT_ANY_PARTITION,
		.key = slice_str("k"),
		.value = value != NULL ? slice_str(value) : slice_of(NULL, 0),
		.headers = headers,
		.nheaders = 1,
	};
	struct err err = ERR_INIT;

	ck_assert_msg(kclient_send(k, &r, &err), "%s", err.msg);
}

/* Appends the value and a comma, '-' for a tombstone. */
static bool
gather(void *arg, const struct kclient_message *m, struct err *err)
{
	char *all = arg;
	size_t n = strlen(all);

	if (m->value.p == NULL)
		snprintf(all + n, 256 - n, "-,");
	else
		snprintf(all + n, 256 - n, "%.*s,", (int)m->value.n, (const char *)m->value.p);
	return true;
}

static const char *
read_all(int64_t *offset)
{
	struct kclient *k = open_client(KCLIENT_READER, NULL);
	static char all[256];
	struct err err = ERR_INIT;
	int64_t end;

	all[0] = '\0';
	ck_assert_msg(kclient_read(k, TOPIC, 0, offset, &end, gather, all, &err), "%s", err.msg);
	ck_assert_int_ge(*offset, end);
	kclient_close(&k);
	ck_assert_ptr_null(k);
	return all;
}

/* ---- configuration */

static void
set_servers(void)
{
	peer.n_servers = 0;
}

static void
set_sasl(void)
{
	peer.username = (char *)"u";
	peer.password = (char *)"sesame";
	peer.sasl = (char *)"SCRAM-SHA-1024";
}

static void
set_partitioner(void)
{
	peer.partitioner = (char *)"clever";
}

static void
set_ca(void)
{
	peer.disable_tls = false;
	peer.root_ca = (char *)"no certificate";
}

static void
set_options(const char *name, const char *value)
{
	static PeerdbPeers__KafkaConfig__OptionsEntry entry, *list[1] = { &entry };

	peerdb_peers__kafka_config__options_entry__init(&entry);
	entry.key = (char *)name;
	entry.value = (char *)value;
	peer.options = list;
	peer.n_options = 1;
}

static void
set_unknown(void)
{
	set_options("linger.mss", "1");
}

static void
set_wrong(void)
{
	set_options("linger.ms", "soon");
}

static void
set_reserved(void)
{
	set_options("isolation.level", "read_uncommitted");
}

static const struct {
	void (*set)(void);
	enum kclient_role role;
	const char *words;
} wrong[] = {
	{ set_servers, KCLIENT_WRITER, "servers is required" },
	{ set_sasl, KCLIENT_WRITER, "SCRAM-SHA-1024" },
	{ set_partitioner, KCLIENT_WRITER, "\"clever\" is not known" },
	{ set_ca, KCLIENT_READER, "CA" },
	{ set_unknown, KCLIENT_WRITER, "linger.mss" },
	{ set_wrong, KCLIENT_WRITER, "linger.ms" },
	{ set_reserved, KCLIENT_READER, "\"isolation.level\" is for peerd to set" },
};

START_TEST(a_wrong_configuration_is_refused_in_words)
{
	struct kclient_config cfg = { .peer = &peer, .role = wrong[_i].role, .what = "test" };
	struct err err = ERR_INIT;
	struct kclient *k = NULL;

	wrong[_i].set();
	ck_assert(!kclient_open(&cfg, &k, &err));
	ck_assert_ptr_null(k);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.msg, wrong[_i].words) != NULL, "%s", err.msg);
	ck_assert_ptr_null(strstr(err.msg, "sesame"));
}
END_TEST

START_TEST(the_peer_has_the_last_word)
{
	struct kclient *k;

	peer.has_max_record_batch_bytes = true;
	peer.max_record_batch_bytes = 5000;
	k = open_client(KCLIENT_WRITER, NULL);
	ck_assert_uint_lt(kclient_record_max(k), 5000);
	ck_assert_uint_gt(kclient_record_max(k), 4000);
	kclient_close(&k);
	set_options("message.max.bytes", "9000");
	k = open_client(KCLIENT_WRITER, NULL);
	ck_assert_uint_gt(kclient_record_max(k), 8000);
	kclient_close(&k);
}
END_TEST

START_TEST(partitioners_have_two_names)
{
	ck_assert_str_eq(kclient_partitioner("StickyKey"), "murmur2_random");
	ck_assert_str_eq(kclient_partitioner("roundrobin"), "random");
	ck_assert_str_eq(kclient_partitioner("consistent"), "consistent");
	ck_assert_ptr_null(kclient_partitioner(""));
}
END_TEST

static const struct {
	const char *words;
	bool is_scram;
} refusals[] = {
	{ "SASL authentication error: Authentication failed during authentication due to invalid"
	  " credentials with SASL mechanism SCRAM-SHA-512",
	    true },
	{ "SASL PLAIN mechanism handshake failed", false },
};

START_TEST(scram_may_fail_for_librdkafkas_age)
{
	bool is_old = rd_kafka_version() < 0x02060100;
	struct err err = ERR_INIT;

	kerror_set(&err, RD_KAFKA_RESP_ERR__AUTHENTICATION, refusals[_i].words);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_str_eq(err.msg, refusals[_i].words);
	ck_assert_ptr_nonnull(strstr(err.hint, "check username, password and sasl"));
	ck_assert_int_eq(strstr(err.hint, "Kafka 4") != NULL, refusals[_i].is_scram && is_old);
}
END_TEST

START_TEST(nobody_there_is_said_at_once)
{
	const struct kclient_config cfg = {
		.peer = &peer,
		.role = KCLIENT_READER,
		.what = "test",
		.timeout = TIMEOUT,
	};
	struct err err = ERR_INIT;
	struct kclient *k;

	servers[0] = (char *)"127.0.0.1:1";
	ck_assert(kclient_open(&cfg, &k, &err));
	ck_assert(!kclient_connect(k, &err));
	ck_assert_int_eq(err.code, ERR_TRANSIENT);
	ck_assert_msg(strstr(err.msg, "refused") != NULL, "%s", err.msg);
	kclient_close(&k);
}
END_TEST

/* ---- records */

static const char *const ids[] = { NULL, "id" };

START_TEST(what_was_committed_is_read)
{
	struct kclient *k = open_client(KCLIENT_WRITER, ids[_i]);
	struct err err = ERR_INIT;
	int64_t offset = 0;

	for (int i = 0; i < 2; i++) {
		ck_assert(kclient_begin(k, &err));
		send_text(k, i == 0 ? "a" : "b");
		send_text(k, NULL);
		ck_assert_msg(kclient_commit(k, &err), "%s", err.msg);
	}
	ck_assert_str_eq(read_all(&offset), "a,-,b,-,");
	ck_assert_str_eq(read_all(&offset), "");
	kclient_close(&k);
}
END_TEST

START_TEST(a_transaction_that_failed_is_sent_again)
{
	struct kclient *k = open_client(KCLIENT_WRITER, "id");
	struct err err = ERR_INIT;

	ck_assert(kclient_begin(k, &err));
	rd_kafka_mock_push_request_errors(mock, 24 /* AddPartitionsToTxn */, 1,
	    RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING);
	send_text(k, "a");
	ck_assert(!kclient_commit(k, &err));
	ck_assert_int_eq(err.code, ERR_TRANSIENT);
	ck_assert(kclient_may_repeat(k));
	err_clear(&err);
	ck_assert_msg(kclient_abort(k, &err), "%s", err.msg);
	ck_assert(kclient_begin(k, &err));
	send_text(k, "a");
	ck_assert_msg(kclient_commit(k, &err), "%s", err.msg);
	kclient_close(&k);
}
END_TEST

START_TEST(what_is_not_allowed_is_not_tried_again)
{
	struct kclient *k = open_client(KCLIENT_WRITER, "id");
	struct err err = ERR_INIT;

	ck_assert(kclient_begin(k, &err));
	rd_kafka_mock_push_request_errors(mock, 24 /* AddPartitionsToTxn */, 1,
	    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	send_text(k, "a");
	ck_assert(!kclient_commit(k, &err));
	ck_assert_msg(err.code == ERR_CONFIG, "%s", err.msg);
	ck_assert_ptr_nonnull(strstr(err.hint, "allow the user"));
	ck_assert(!kclient_may_repeat(k));
	kclient_close(&k);
}
END_TEST

START_TEST(a_stopped_client_ends_its_waiting)
{
	struct kclient *k = open_client(KCLIENT_WRITER, NULL);
	struct err err = ERR_INIT;

	ck_assert(kclient_begin(k, &err));
	send_text(k, "a");
	rd_kafka_mock_broker_set_down(mock, 1);
	kclient_stop(k);
	ck_assert(!kclient_commit(k, &err));
	ck_assert_int_eq(err.code, ERR_CANCELLED);
	kclient_close(&k);
}
END_TEST

START_TEST(topics_are_found)
{
	struct kclient *k = open_client(KCLIENT_READER, NULL);
	struct err err = ERR_INIT;
	uint32_t n;

	ck_assert_msg(kclient_find_topic(k, TOPIC, &n, &err), "%s", err.msg);
	ck_assert_uint_eq(n, 1);
	kclient_close(&k);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kclient");
	TCase *tc = tcase_create("kclient");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, mock_init, mock_done);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_wrong_configuration_is_refused_in_words, 0,
	    (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(tc, the_peer_has_the_last_word);
	tcase_add_test(tc, partitioners_have_two_names);
	tcase_add_loop_test(tc, scram_may_fail_for_librdkafkas_age, 0, 2);
	tcase_add_test(tc, nobody_there_is_said_at_once);
	tcase_add_loop_test(tc, what_was_committed_is_read, 0, 2);
	tcase_add_test(tc, a_transaction_that_failed_is_sent_again);
	tcase_add_test(tc, what_is_not_allowed_is_not_tried_again);
	tcase_add_test(tc, a_stopped_client_ends_its_waiting);
	tcase_add_test(tc, topics_are_found);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
