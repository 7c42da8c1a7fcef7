/*
 * Kafka's writer: what was sent and committed is in its partition once and in
 * order, whatever the brokers answered. Most of it is asked of brokers of our
 * own, which check what librdkafka's mock cluster does not (fake_kafka.h); that
 * one says whether records look to a reader, and are spread, as librdkafka's do.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "lib/base/err.h"
#include "lib/conn/kclient_int.h"
#include "tests/unit/conn/fake_kafka.h"

#define TIMEOUT	      (10 * USEC_PER_SEC)
#define SOON	      (2 * USEC_PER_SEC)
#define RECORDS	      400
#define RECORD_BYTES  120 /* seven of them are a batch */
#define BATCH_BYTES   "1000"
#define OPTIONS_MAX   3
#define N(list)	      (sizeof(list) / sizeof((list)[0]))
#define MOCK_KEYS     300
#define MOCK_SPREAD   7 /* partitions */
#define MOCK_TEXT_MAX (16 * KIB)

static const char *const ids[] = { NULL, "id" };

static PeerdbPeers__KafkaConfig peer;
static PeerdbPeers__KafkaConfig__OptionsEntry entries[OPTIONS_MAX], *options[OPTIONS_MAX];
static char *servers[1];
static usec_t timeout = TIMEOUT;

/* ---- clients */

static void
set_option(const char *name, const char *value)
{
	PeerdbPeers__KafkaConfig__OptionsEntry *e = &entries[peer.n_options];

	peerdb_peers__kafka_config__options_entry__init(e);
	e->key = (char *)(uintptr_t)name;
	e->value = (char *)(uintptr_t)value;
	options[peer.n_options++] = e;
	peer.options = options;
}

static void
set_peer(const char *server)
{
	peerdb_peers__kafka_config__init(&peer);
	servers[0] = (char *)(uintptr_t)server;
	peer.servers = servers;
	peer.n_servers = 1;
	peer.disable_tls = true;
}

static void
fake_init(void)
{
	fake_start();
	set_peer(fake.servers);
	set_option("compression.codec", "none");
	set_option("message.max.bytes", BATCH_BYTES);
}

static struct kclient *
new_client(enum kclient_role role, const char *id)
{
	const struct kclient_config cfg = {
		.peer = &peer,
		.role = role,
		.what = "test",
		.transactional_id = id,
		.timeout = timeout,
	};
	struct err err = ERR_INIT;
	struct kclient *k;

	ck_assert_msg(kclient_open(&cfg, &k, &err), "%s", err.msg);
	return k;
}

static struct kclient *
open_client(enum kclient_role role, const char *id)
{
	struct kclient *k = new_client(role, id);
	struct err err = ERR_INIT;

	ck_assert_msg(kclient_connect(k, &err) && kclient_fence(k, &err), "%s", err.msg);
	return k;
}

static struct kclient *
open_writer(const char *id)
{
	struct kclient *k = open_client(KCLIENT_WRITER, id);

	ck_assert_ptr_nonnull(k->own);
	return k;
}

static bool
send_bytes(struct kclient *k, int32_t partition, uint32_t number, size_t n, struct err *err)
{
	static uint8_t value[64 * KIB];
	const struct kclient_record r = {
		.topic = FAKE_TOPIC,
		.partition = partition,
		.value = slice_of(value, n),
	};

	put_u32(value, number);
	return kclient_send(k, &r, err);
}

static bool
send_number(struct kclient *k, uint32_t number, struct err *err)
{
	return send_bytes(k, (int32_t)(number % FAKE_PARTITIONS), number, RECORD_BYTES, err);
}

/* As a sink does it: after a commit that was asked for twice another epoch is wanted. */
static bool
begin(struct kclient *k, struct err *err)
{
	if (kclient_begin(k, err))
		return true;
	ck_assert_msg(kclient_may_repeat(k), "%s", err->msg);
	err_clear(err);
	return kclient_abort(k, err) && kclient_begin(k, err);
}

static bool
send_some(struct kclient *k, uint32_t from, uint32_t n, struct err *err)
{
	uint32_t i;

	if (!begin(k, err))
		return false;
	for (i = from; i < from + n; i++)
		if (!send_number(k, i, err))
			return false;
	return true;
}

static void
deliver(struct kclient *k, uint32_t from, uint32_t n)
{
	struct err err = ERR_INIT;

	ck_assert_msg(send_some(k, from, n, &err) && kclient_commit(k, &err), "%s", err.msg);
}

static void
abort_all(struct kclient *k)
{
	struct err err = ERR_INIT;

	ck_assert_msg(kclient_abort(k, &err), "%s", err.msg);
}

/* ---- what the brokers have */

/* Numbers from 0 on, each once, in its partition, in order. */
static void
assert_has(uint32_t n)
{
	uint32_t i, p;

	pthread_mutex_lock(&fake.lock);
	fake_hear_late(true);
	ck_assert_uint_eq(fake.complaints, 0);
	for (p = 0; p < FAKE_PARTITIONS; p++) {
		const struct fake_log *log = &fake.logs[p];

		for (i = 0; i < log->committed; i++)
			ck_assert_uint_eq(log->records[i], i * FAKE_PARTITIONS + p);
		ck_assert_uint_eq(log->committed, n / FAKE_PARTITIONS);
	}
	pthread_mutex_unlock(&fake.lock);
}

static unsigned
fired(void)
{
	unsigned n;

	pthread_mutex_lock(&fake.lock);
	n = fake.fired;
	pthread_mutex_unlock(&fake.lock);
	return n;
}

static void
set_odds(unsigned seed, unsigned odds)
{
	pthread_mutex_lock(&fake.lock);
	fake.seed = seed;
	fake.odds = odds;
	pthread_mutex_unlock(&fake.lock);
}

static void
set_fault(const struct fake_fault *f)
{
	fake_set_faults(f, 1);
}

/* ---- what is survived without a word */

static const struct fake_fault survived[] = {
	{ KWIRE_PRODUCE, FAKE_REFUSE, 3, 4, 6, 0 },
	{ KWIRE_PRODUCE, FAKE_REFUSE, 6, 4, 3, 0 },
	{ KWIRE_PRODUCE, FAKE_REFUSE, 7, 4, 3, 0 },
	{ KWIRE_PRODUCE, FAKE_DO_REFUSE, 7, 4, 3, 0 },
	{ KWIRE_PRODUCE, FAKE_REFUSE, 19, 0, 3, 0 },
	{ KWIRE_PRODUCE, FAKE_DO_REFUSE, 20, 4, 3, 0 },
	{ KWIRE_PRODUCE, FAKE_REFUSE, 56, 4, 3, 0 },
	{ KWIRE_PRODUCE, FAKE_DO_REFUSE, 46, 4, 3, 0 },
	{ KWIRE_PRODUCE, FAKE_CUT, 0, 4, 2, 0 },
	{ KWIRE_PRODUCE, FAKE_DO_CUT, 0, 4, 2, 0 },
	{ KWIRE_PRODUCE, FAKE_CUT_DO, 0, 4, 1, 0 },
	{ KWIRE_PRODUCE, FAKE_HALF, 0, 4, 2, 0 },
	{ KWIRE_PRODUCE, FAKE_GARBAGE, 0, 4, 2, 0 },
	{ KWIRE_PRODUCE, FAKE_OTHER_ID, 0, 4, 2, 0 },
	{ KWIRE_PRODUCE, FAKE_OTHER_PLACE, 0, 4, 2, 0 },
	{ KWIRE_PRODUCE, FAKE_MOVE, 0, 4, 1, 0 },
	{ KWIRE_PRODUCE, FAKE_DOWN, 0, 4, 1, 0 },
	{ KWIRE_METADATA, FAKE_CUT, 0, 1, 1, 0 },
	{ KWIRE_INIT_PRODUCER_ID, FAKE_REFUSE, 14, 0, 2, 0 },
	{ KWIRE_INIT_PRODUCER_ID, FAKE_REFUSE, 15, 0, 2, 0 },
	{ KWIRE_INIT_PRODUCER_ID, FAKE_REFUSE, 16, 0, 2, 0 },
	{ KWIRE_INIT_PRODUCER_ID, FAKE_REFUSE, 51, 0, 2, 0 },
	{ KWIRE_INIT_PRODUCER_ID, FAKE_DO_CUT, 0, 0, 1, 0 },
};

static const struct fake_fault survived_in_transactions[] = {
	{ KWIRE_FIND_COORDINATOR, FAKE_REFUSE, 15, 0, 2, 0 },
	{ KWIRE_FIND_COORDINATOR, FAKE_CUT, 0, 0, 1, 0 },
	{ KWIRE_INIT_PRODUCER_ID, FAKE_MOVE, 0, 0, 1, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_REFUSE, 14, 0, 2, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_REFUSE, 15, 0, 2, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_REFUSE, 16, 0, 2, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_REFUSE, 51, 0, 2, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_CUT, 0, 0, 2, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_DO_CUT, 0, 0, 2, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_HALF, 0, 0, 1, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_GARBAGE, 0, 0, 1, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_OTHER_ID, 0, 0, 1, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_OTHER_PLACE, 0, 0, 1, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_MOVE, 0, 0, 1, 0 },
	{ KWIRE_END_TXN, FAKE_REFUSE, 14, 0, 2, 0 },
	{ KWIRE_END_TXN, FAKE_REFUSE, 15, 0, 2, 0 },
	{ KWIRE_END_TXN, FAKE_REFUSE, 16, 0, 2, 0 },
	{ KWIRE_END_TXN, FAKE_REFUSE, 51, 0, 2, 0 },
	{ KWIRE_END_TXN, FAKE_CUT, 0, 0, 1, 0 },
	{ KWIRE_END_TXN, FAKE_DO_CUT, 0, 0, 2, 0 },
	{ KWIRE_END_TXN, FAKE_HALF, 0, 0, 1, 0 },
	{ KWIRE_END_TXN, FAKE_OTHER_ID, 0, 0, 1, 0 },
	{ KWIRE_END_TXN, FAKE_MOVE, 0, 0, 1, 0 },
	{ KWIRE_END_TXN, FAKE_DOWN, 0, 0, 1, 0 },
};

/* In the second half it is answered well: whatever was left behind would show there. */
static void
survive(const char *id, const struct fake_fault *f)
{
	struct kclient *k;

	set_fault(f);
	k = open_writer(id);
	deliver(k, 0, RECORDS);
	deliver(k, RECORDS, RECORDS);
	kclient_close(&k);
	ck_assert_uint_gt(fired(), 0);
	assert_has(2 * RECORDS);
}

START_TEST(trouble_is_survived)
{
	survive(ids[0], &survived[_i]);
}
END_TEST

START_TEST(trouble_in_a_transaction_is_survived)
{
	survive(ids[1],
	    (size_t)_i < N(survived) ? &survived[_i]
				     : &survived_in_transactions[(size_t)_i - N(survived)]);
}
END_TEST

/* Leaders that know only the last batches say of older ones that they are there already. */
START_TEST(what_is_there_already_was_sent)
{
	static const struct fake_fault f = { KWIRE_PRODUCE, FAKE_DO_CUT, 0, 2, 3, 0 };

	fake.duplicates_named = true;
	survive(ids[_i], &f);
}
END_TEST

/* All of it at once, in an order that the loop's number stands for. */
START_TEST(any_mixture_is_survived)
{
	struct kclient *k;
	int i;

	k = open_writer(ids[_i % 2]); /* a server that is named alone is asked once */
	set_odds((unsigned)_i, 150);
	for (i = 0; i < 4; i++)
		deliver(k, (uint32_t)i * RECORDS, RECORDS);
	kclient_close(&k);
	ck_assert_uint_gt(fired(), 0);
	assert_has(4 * RECORDS);
}
END_TEST

/*
 * The first batch is refused though it is stored, the second confirmed, and the
 * third, which is slow, refused: its refusal is not the first one's, which may
 * have been sent again by then, and is confirmed.
 */
START_TEST(answers_are_of_the_batch_that_they_are_of)
{
	static const struct fake_fault faults[] = {
		{ KWIRE_PRODUCE, FAKE_DO_REFUSE, 7, 1, 1, 2 },
		{ KWIRE_PRODUCE, FAKE_REFUSE, 19, 3, 1, 1 },
	};
	struct kclient *k = open_writer(ids[_i]);
	struct err err = ERR_INIT;
	uint32_t i;

	fake_set_faults(faults, N(faults));
	ck_assert(kclient_begin(k, &err));
	for (i = 0; i < 7; i++)
		ck_assert(send_bytes(k, 0, i, RECORD_BYTES, &err));
	ck_assert_msg(kclient_commit(k, &err), "%s", err.msg);
	ck_assert(kclient_begin(k, &err));
	for (; i < 28; i++)
		ck_assert(send_bytes(k, 0, i, RECORD_BYTES, &err));
	ck_assert_msg(kclient_commit(k, &err), "%s", err.msg);
	kclient_close(&k);
	ck_assert_uint_eq(fired(), 2);
	ck_assert_uint_eq(fake.logs[0].committed, 28);
	for (i = 0; i < 28; i++)
		ck_assert_uint_eq(fake.logs[0].records[i], i);
}
END_TEST

/* ---- what is not survived */

static const struct {
	struct fake_fault fault;
	bool may_repeat;
	enum err_code code;
} failures[] = {
	{ { KWIRE_PRODUCE, FAKE_REFUSE, 45, 2, 1, 0 }, true, ERR_TRANSIENT },
	{ { KWIRE_PRODUCE, FAKE_REFUSE, 47, 2, 1, 0 }, false, ERR_TRANSIENT },
	{ { KWIRE_PRODUCE, FAKE_REFUSE, 90, 2, 1, 0 }, false, ERR_TRANSIENT },
	{ { KWIRE_PRODUCE, FAKE_REFUSE, 10, 2, 1, 0 }, false, ERR_CONFIG },
	{ { KWIRE_ADD_PARTITIONS, FAKE_REFUSE, 49, 0, 1, 0 }, true, ERR_TRANSIENT },
	{ { KWIRE_ADD_PARTITIONS, FAKE_REFUSE, 47, 0, 1, 0 }, false, ERR_TRANSIENT },
	{ { KWIRE_ADD_PARTITIONS, FAKE_REFUSE, 90, 0, 1, 0 }, false, ERR_TRANSIENT },
	{ { KWIRE_END_TXN, FAKE_REFUSE, 48, 0, 1, 0 }, false, ERR_TRANSIENT },
	{ { KWIRE_END_TXN, FAKE_REFUSE, 47, 0, 1, 0 }, false, ERR_TRANSIENT },
	{ { KWIRE_END_TXN, FAKE_REFUSE, 90, 0, 1, 0 }, false, ERR_TRANSIENT },
};

START_TEST(a_failure_is_said_and_aborted)
{
	struct kclient *k = open_writer("id");
	struct err err = ERR_INIT;

	set_fault(&failures[_i].fault);
	ck_assert(!send_some(k, 0, RECORDS, &err) || !kclient_commit(k, &err));
	ck_assert_msg(err.code == failures[_i].code, "%s", err.msg);
	ck_assert_int_eq(kclient_may_repeat(k), failures[_i].may_repeat);
	err_clear(&err);
	ck_assert(!kclient_begin(k, &err));
	abort_all(k);
	deliver(k, 0, RECORDS);
	kclient_close(&k);
	assert_has(RECORDS);
}
END_TEST

/* Somebody else has asked for an epoch: the brokers say so of themselves. */
START_TEST(who_was_shut_out_writes_no_more)
{
	struct kclient *k = open_writer("id"), *other;
	struct err err = ERR_INIT;

	ck_assert(send_some(k, 0, RECORDS / 2, &err));
	other = open_writer("id");
	ck_assert(!send_some(k, RECORDS / 2, RECORDS / 2, &err) || !kclient_commit(k, &err));
	ck_assert_msg(err.code == ERR_TRANSIENT, "%s", err.msg);
	ck_assert(!kclient_may_repeat(k));
	kclient_close(&k);
	deliver(other, 0, RECORDS);
	kclient_close(&other);
	assert_has(RECORDS);
}
END_TEST

/* It may be committed, and is: sending it again would double it. */
START_TEST(an_unknown_outcome_is_not_repeated)
{
	static const struct fake_fault faults[] = {
		{ KWIRE_END_TXN, FAKE_DO_CUT, 0, 0, 1, 0 },
		{ KWIRE_END_TXN, FAKE_STOP, 0, 1, 1, 0 },
	};
	struct kclient *k = open_writer("id");
	struct err err = ERR_INIT;

	fake.client = k;
	fake_set_faults(faults, N(faults));
	ck_assert(send_some(k, 0, RECORDS, &err));
	ck_assert(!kclient_commit(k, &err));
	ck_assert_int_eq(err.code, ERR_CANCELLED);
	ck_assert(!kclient_may_repeat(k));
	kclient_close(&k);
	assert_has(RECORDS);
}
END_TEST

/* The first request to end a transaction is heard when the next one is under way. */
START_TEST(a_late_end_is_not_of_the_next)
{
	static const struct fake_fault f = { KWIRE_END_TXN, FAKE_CUT_DO, 0, 0, 1, 0 };
	struct kclient *k;
	struct err err = ERR_INIT;

	fake.lateness = FAKE_VERY_LATE;
	set_option("queue.buffering.max.kbytes", "4");
	k = open_writer("id");
	set_fault(&f);
	deliver(k, 0, RECORDS);
	ck_assert_msg(send_some(k, RECORDS, RECORDS / 2, &err), "%s", err.msg);
	pthread_mutex_lock(&fake.lock);
	ck_assert_uint_gt(fake.late.n, 0);
	ck_assert_uint_gt(fake.logs[0].n, fake.logs[0].committed);
	fake_hear_late(true);
	pthread_mutex_unlock(&fake.lock);
	abort_all(k);
	deliver(k, RECORDS, RECORDS);
	kclient_close(&k);
	assert_has(2 * RECORDS);
}
END_TEST

/* ---- aborted in the middle */

static const struct fake_fault under_way[] = {
	{ KWIRE_PRODUCE, FAKE_REFUSE, 19, 2, 1, 9 },
	{ KWIRE_PRODUCE, FAKE_CUT_DO, 0, 2, 1, 0 },
	{ KWIRE_PRODUCE, FAKE_DO_CUT, 0, 2, 1, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_REFUSE, 51, 0, 1, 9 },
	{ KWIRE_ADD_PARTITIONS, FAKE_DO_CUT, 0, 0, 1, 0 },
	{ KWIRE_INIT_PRODUCER_ID, FAKE_DO_CUT, 0, 0, 1, 0 },
	{ KWIRE_INIT_PRODUCER_ID, FAKE_MOVE, 0, 0, 1, 0 },
};

START_TEST(what_was_aborted_is_gone)
{
	struct kclient *k = open_writer("id");
	struct err err = ERR_INIT;

	deliver(k, 0, RECORDS);
	set_fault(&under_way[_i]);
	ck_assert_msg(send_some(k, RECORDS, RECORDS / 2, &err), "%s", err.msg);
	abort_all(k);
	deliver(k, RECORDS, RECORDS);
	kclient_close(&k);
	ck_assert_uint_gt(fired(), 0);
	assert_has(2 * RECORDS);
}
END_TEST

/* ---- bounds */

START_TEST(a_full_queue_is_waited_for)
{
	struct kclient *k;

	set_option("queue.buffering.max.kbytes", "4");
	k = open_writer(ids[_i]);
	deliver(k, 0, 2 * RECORDS);
	kclient_close(&k);
	assert_has(2 * RECORDS);
}
END_TEST

START_TEST(too_large_a_record_is_refused_alone)
{
	struct kclient *k = open_writer(NULL);
	struct err err = ERR_INIT;

	deliver(k, 0, RECORDS / 2);
	ck_assert(!send_bytes(k, 0, 0, 2000, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.hint, "max_record_batch_bytes"));
	deliver(k, RECORDS / 2, RECORDS / 2);
	kclient_close(&k);
	assert_has(RECORDS);
}
END_TEST

START_TEST(a_partition_that_is_not_there_is_refused)
{
	struct kclient *k = open_writer(NULL);
	struct err err = ERR_INIT;

	ck_assert(!send_bytes(k, FAKE_PARTITIONS, 0, RECORD_BYTES, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.msg, "has no partition 4") != NULL, "%s", err.msg);
	kclient_close(&k);
}
END_TEST

START_TEST(an_unknown_topic_is_refused_in_words)
{
	const struct kclient_record r = { .topic = "other", .partition = 0 };
	usec_t began = clock_mono_us();
	struct err err = ERR_INIT;
	struct kclient *k;

	timeout = USEC_PER_SEC / 2;
	k = open_writer("id");
	ck_assert(kclient_begin(k, &err) && !kclient_send(k, &r, &err));
	ck_assert_int_ge(clock_mono_us() - began, timeout);
	ck_assert_int_lt(clock_mono_us() - began, timeout + SOON);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.msg, "topic \"other\"") != NULL, "%s", err.msg);
	ck_assert_ptr_nonnull(strstr(err.hint, "create it again"));
	kclient_close(&k);
}
END_TEST

START_TEST(records_without_a_key_are_spread)
{
	struct kclient *k = open_writer(NULL);
	uint32_t i, p, all = 0;
	struct err err = ERR_INIT;

	for (i = 0; i < 2 * RECORDS; i++)
		ck_assert_msg(send_bytes(k, KCLIENT_ANY_PARTITION, i, RECORD_BYTES, &err), "%s",
		    err.msg);
	ck_assert_msg(kclient_commit(k, &err), "%s", err.msg);
	kclient_close(&k);
	for (p = 0; p < FAKE_PARTITIONS; p++) {
		ck_assert_uint_gt(fake.logs[p].committed, 0);
		all += fake.logs[p].committed;
		for (i = 1; i < fake.logs[p].committed; i++)
			ck_assert_uint_gt(fake.logs[p].records[i], fake.logs[p].records[i - 1]);
	}
	ck_assert_uint_eq(all, 2 * RECORDS);
}
END_TEST

/* ---- being stopped */

static const enum kwire_api waited_for[] = { KWIRE_API_VERSIONS, KWIRE_METADATA,
	KWIRE_FIND_COORDINATOR, KWIRE_INIT_PRODUCER_ID, KWIRE_ADD_PARTITIONS, KWIRE_PRODUCE,
	KWIRE_END_TXN };

START_TEST(who_is_stopped_waits_no_more)
{
	struct fake_fault f = { waited_for[_i], FAKE_STOP, 0, 0, 1, 0 };
	struct kclient *k = new_client(KCLIENT_WRITER, "id");
	usec_t began = clock_mono_us();
	struct err err = ERR_INIT;

	fake.client = k;
	set_fault(&f);
	ck_assert(!kclient_connect(k, &err) || !kclient_fence(k, &err) ||
	    !send_some(k, 0, RECORDS, &err) || !kclient_commit(k, &err));
	ck_assert_msg(err.code == ERR_CANCELLED, "%s", err.msg);
	ck_assert_int_lt(clock_mono_us() - began, SOON);
	ck_assert(!kclient_may_repeat(k));
	kclient_close(&k);
}
END_TEST

START_TEST(who_is_stopped_waits_for_no_queue)
{
	static const struct fake_fault f = { KWIRE_PRODUCE, FAKE_STOP, 0, 0, 1, 0 };
	usec_t began = clock_mono_us();
	struct err err = ERR_INIT;
	struct kclient *k;

	set_option("queue.buffering.max.kbytes", "4");
	k = open_writer(NULL);
	fake.client = k;
	set_fault(&f);
	ck_assert(!send_some(k, 0, RECORDS, &err));
	ck_assert_int_eq(err.code, ERR_CANCELLED);
	ck_assert_int_lt(clock_mono_us() - began, SOON);
	kclient_close(&k);
}
END_TEST

/* ---- as librdkafka does it, by its mock cluster */

static rd_kafka_t *host;
static rd_kafka_mock_cluster_t *mock;

static void
mock_init(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char words[256];

	rd_kafka_conf_set(conf, "log_level", "3", words, sizeof(words));
	host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof(words));
	ck_assert_msg(host != NULL, "%s", words);
	mock = rd_kafka_mock_cluster_new(host, FAKE_BROKERS);
	rd_kafka_mock_topic_create(mock, "own", MOCK_SPREAD, 1);
	rd_kafka_mock_topic_create(mock, "librdkafka", MOCK_SPREAD, 1);
	set_peer(rd_kafka_mock_cluster_bootstraps(mock));
}

static void
mock_done(void)
{
	rd_kafka_mock_cluster_destroy(mock);
	rd_kafka_destroy(host);
}

/* Keys of all lengths from 0 on. */
static void
write_keys(struct kclient *k, const char *topic)
{
	char key[MOCK_KEYS];
	struct err err = ERR_INIT;
	struct kclient_record r = { .topic = topic, .partition = KCLIENT_ANY_PARTITION };
	size_t i;

	ck_assert(kclient_begin(k, &err));
	for (i = 1; i < MOCK_KEYS; i++) {
		memset(key, (int)(i * 7), sizeof(key));
		r.key = slice_of(key, i);
		r.value = slice_of(&i, sizeof(i));
		ck_assert_msg(kclient_send(k, &r, &err), "%s", err.msg);
	}
	ck_assert_msg(kclient_commit(k, &err), "%s", err.msg);
	kclient_close(&k);
}

static bool
keep_number(void *arg, const struct kclient_message *m, struct err *err)
{
	struct buf *all = arg;
	size_t i;

	(void)err;
	ck_assert_uint_eq(m->value.n, sizeof(i));
	memcpy(&i, m->value.p, sizeof(i));
	ck_assert_uint_eq(m->key.n, i);
	buf_printf(all, "%zu ", i);
	return true;
}

static char *
read_numbers(struct kclient *k, const char *topic, int32_t partition)
{
	struct err err = ERR_INIT;
	int64_t offset = 0, end;
	struct buf all;

	buf_init(&all, MOCK_TEXT_MAX);
	ck_assert_msg(kclient_read(k, topic, partition, &offset, &end, keep_number, &all, &err),
	    "%s", err.msg);
	ck_assert_int_ge(offset, end);
	return buf_take(&all);
}

static const char *const keyed[] = { "consistent", "consistent_random", "murmur2", "murmur2_random",
	"fnv1a", "fnv1a_random" };

START_TEST(keys_go_where_librdkafka_sends_them)
{
	struct kclient *k;
	char *ours, *theirs;
	int32_t p;

	peer.partitioner = (char *)(uintptr_t)keyed[_i];
	write_keys(open_writer(ids[_i % 2]), "own");
	set_option("linger.ms", "1");
	k = open_client(KCLIENT_WRITER, NULL);
	ck_assert_ptr_null(k->own);
	write_keys(k, "librdkafka");
	peer.n_options = 0;
	k = open_client(KCLIENT_READER, NULL);
	for (p = 0; p < MOCK_SPREAD; p++) {
		ours = read_numbers(k, "own", p);
		theirs = read_numbers(k, "librdkafka", p);
		ck_assert_str_ne(ours, "");
		ck_assert_str_eq(ours, theirs);
		free(ours);
		free(theirs);
	}
	kclient_close(&k);
}
END_TEST

static void
add_survivals(TCase *tc)
{
	tcase_add_loop_test(tc, trouble_is_survived, 0, (int)N(survived));
	tcase_add_loop_test(tc, trouble_in_a_transaction_is_survived, 0,
	    (int)(N(survived) + N(survived_in_transactions)));
	tcase_add_loop_test(tc, what_is_there_already_was_sent, 0, 2);
	tcase_add_loop_test(tc, any_mixture_is_survived, 0, 16);
	tcase_add_loop_test(tc, answers_are_of_the_batch_that_they_are_of, 0, 2);
}

static void
add_others(TCase *tc)
{
	tcase_add_loop_test(tc, a_failure_is_said_and_aborted, 0, (int)N(failures));
	tcase_add_test(tc, who_was_shut_out_writes_no_more);
	tcase_add_test(tc, an_unknown_outcome_is_not_repeated);
	tcase_add_test(tc, a_late_end_is_not_of_the_next);
	tcase_add_loop_test(tc, what_was_aborted_is_gone, 0, (int)N(under_way));
	tcase_add_loop_test(tc, a_full_queue_is_waited_for, 0, 2);
	tcase_add_test(tc, too_large_a_record_is_refused_alone);
	tcase_add_test(tc, a_partition_that_is_not_there_is_refused);
	tcase_add_test(tc, an_unknown_topic_is_refused_in_words);
	tcase_add_test(tc, records_without_a_key_are_spread);
	tcase_add_loop_test(tc, who_is_stopped_waits_no_more, 0, (int)N(waited_for));
	tcase_add_test(tc, who_is_stopped_waits_for_no_queue);
}

int
main(void)
{
	Suite *s = suite_create("kwriter");
	TCase *tc = tcase_create("faults"), *librdkafka = tcase_create("librdkafka");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, fake_init, fake_stop);
	tcase_set_timeout(tc, 60);
	add_survivals(tc);
	add_others(tc);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(librdkafka, mock_init, mock_done);
	tcase_set_timeout(librdkafka, 60);
	tcase_add_loop_test(librdkafka, keys_go_where_librdkafka_sends_them, 0, (int)N(keyed));
	suite_add_tcase(s, librdkafka);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
