#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/kclient_int.h"

#define COMMIT_STEP_MS 500
#define ROOM_STEP_MS   5 /* the queue holds tens of milliseconds of sending */

/* ---- what failed */

static void
forget_lost(struct kclient *k)
{
	pthread_mutex_lock(&k->lock);
	k->lost = RD_KAFKA_RESP_ERR_NO_ERROR;
	pthread_mutex_unlock(&k->lock);
	k->may_repeat = false;
}

/* A record that could not be delivered is the cause of what fails after it. */
static bool
lost_one(struct kclient *k, struct err *err)
{
	bool lost;

	pthread_mutex_lock(&k->lock);
	lost = k->lost != RD_KAFKA_RESP_ERR_NO_ERROR;
	if (lost)
		kclient_fail(err, k->lost, k->lost_words);
	pthread_mutex_unlock(&k->lock);
	return lost;
}

/* Frees it. */
static bool
fail_of(struct kclient *k, rd_kafka_error_t *e, struct err *err)
{
	char words[KCLIENT_WORDS];
	bool abort = rd_kafka_error_txn_requires_abort(e) != 0;

	/* the first fatal error is the cause of those that follow */
	if (rd_kafka_error_is_fatal(e) && rd_kafka_fatal_error(k->rk, words, sizeof(words)) != 0)
		kclient_fail(err, rd_kafka_fatal_error(k->rk, NULL, 0), words);
	else if (!lost_one(k, err))
		kclient_fail(err, rd_kafka_error_code(e), rd_kafka_error_string(e));
	k->may_repeat = abort && err->code == ERR_TRANSIENT;
	rd_kafka_error_destroy(e);
	return false;
}

bool
kclient_may_repeat(const struct kclient *k)
{
	return k->may_repeat;
}

/* ---- transactions */

bool
kclient_fence(struct kclient *k, struct err *err)
{
	usec_t deadline = clock_mono_us() + k->cfg.timeout;
	rd_kafka_error_t *e;

	if (!k->transactional)
		return true;
	while ((e = rd_kafka_init_transactions(k->rk, KCLIENT_STEP_MS)) != NULL) {
		if (!rd_kafka_error_is_retriable(e))
			return fail_of(k, e, err);
		rd_kafka_error_destroy(e);
		if (kclient_refused(k, err) || !kclient_go_on(k, err))
			return false;
		if (clock_mono_us() > deadline)
			return kclient_timed_out(k, "beginning transactions", err);
	}
	return true;
}

bool
kclient_begin(struct kclient *k, struct err *err)
{
	rd_kafka_error_t *e;

	forget_lost(k);
	if (!k->transactional)
		return true;
	e = rd_kafka_begin_transaction(k->rk);
	return e == NULL || fail_of(k, e, err);
}

static bool
flush(struct kclient *k, struct err *err)
{
	char words[KCLIENT_WORDS];
	rd_kafka_resp_err_t code;

	while (rd_kafka_flush(k->rk, COMMIT_STEP_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		code = rd_kafka_fatal_error(k->rk, words, sizeof(words));
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
			return kclient_fail(err, code, words);
		if (lost_one(k, err) || !kclient_go_on(k, err))
			return false;
	}
	rd_kafka_poll(k->rk, 0);
	return !lost_one(k, err);
}

bool
kclient_commit(struct kclient *k, struct err *err)
{
	rd_kafka_error_t *e;

	if (!k->transactional)
		return flush(k, err);
	while ((e = rd_kafka_commit_transaction(k->rk, COMMIT_STEP_MS)) != NULL) {
		if (!rd_kafka_error_is_retriable(e))
			return fail_of(k, e, err);
		rd_kafka_error_destroy(e);
		if (!kclient_go_on(k, err))
			return false;
	}
	return true;
}

bool
kclient_abort(struct kclient *k, struct err *err)
{
	rd_kafka_error_t *e;

	if (!k->transactional)
		return true;
	while ((e = rd_kafka_abort_transaction(k->rk, COMMIT_STEP_MS)) != NULL) {
		if (!rd_kafka_error_is_retriable(e))
			return fail_of(k, e, err);
		rd_kafka_error_destroy(e);
		if (!kclient_go_on(k, err))
			return false;
	}
	return true;
}

/* ---- records */

static rd_kafka_topic_t *
topic_of(struct kclient *k, const char *name)
{
	uint32_t i, n;

	for (n = 0; n < k->ntopics; n++) {
		i = (k->last_topic + n) % k->ntopics;
		if (strcmp(rd_kafka_topic_name(k->topics[i]), name) == 0) {
			k->last_topic = i;
			return k->topics[i];
		}
	}
	k->topics = xrealloc(k->topics, (k->ntopics + 1) * sizeof(rd_kafka_topic_t *));
	k->topics[k->ntopics] = rd_kafka_topic_new(k->rk, name, NULL);
	if (k->topics[k->ntopics] == NULL)
		return NULL;
	k->last_topic = k->ntopics;
	return k->topics[k->ntopics++];
}

static rd_kafka_vu_t
bytes_of(rd_kafka_vtype_t type, struct slice s)
{
	/* librdkafka copies what it is given; its interface just does not say so */
	return (rd_kafka_vu_t){ .vtype = type, .u.mem = { (void *)s.p, s.n } };
}

static size_t
describe(rd_kafka_topic_t *topic, const struct kclient_record *r, rd_kafka_vu_t *v)
{
	const struct kclient_header *h;
	size_t n = 0;

	v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic };
	v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = r->partition };
	v[n++] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY };
	if (r->key.p != NULL)
		v[n++] = bytes_of(RD_KAFKA_VTYPE_KEY, r->key);
	v[n++] = bytes_of(RD_KAFKA_VTYPE_VALUE, r->value);
	for (h = r->headers; h < r->headers + r->nheaders; h++) {
		v[n] = (rd_kafka_vu_t){ .vtype = RD_KAFKA_VTYPE_HEADER };
		v[n].u.header.name = h->name;
		v[n].u.header.val = h->value.p;
		v[n++].u.header.size = (ssize_t)h->value.n;
	}
	return n;
}

/* A transaction that has failed takes no more records, and says why when it is to end. */
static bool
refused_record(struct kclient *k, rd_kafka_error_t *e, struct err *err)
{
	if (rd_kafka_error_code(e) != RD_KAFKA_RESP_ERR__STATE || !k->transactional)
		return fail_of(k, e, err);
	if (kclient_commit(k, err))
		bug("a transaction takes no records and is in order");
	rd_kafka_error_destroy(e);
	return false;
}

bool
kclient_send(struct kclient *k, const struct kclient_record *r, struct err *err)
{
	rd_kafka_topic_t *topic = topic_of(k, r->topic);
	rd_kafka_vu_t v[5 + KCLIENT_HEADERS_MAX];
	rd_kafka_error_t *e;
	size_t n;

	if (topic == NULL)
		return kclient_fail(err, rd_kafka_last_error(), "no topic");
	n = describe(topic, r, v);
	while ((e = rd_kafka_produceva(k->rk, v, n)) != NULL) {
		if (rd_kafka_error_code(e) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			return refused_record(k, e, err);
		rd_kafka_error_destroy(e);
		rd_kafka_poll(k->rk, ROOM_STEP_MS);
		if (lost_one(k, err) || !kclient_go_on(k, err))
			return false;
	}
	return true;
}
