#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/kclient_int.h"
#include "lib/conn/kerror.h"

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
		kerror_set(err, k->lost, k->lost_words);
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
		kerror_set(err, rd_kafka_fatal_error(k->rk, NULL, 0), words);
	else if (!lost_one(k, err))
		kerror_set(err, rd_kafka_error_code(e), rd_kafka_error_string(e));
	k->may_repeat = abort && err->code == ERR_TRANSIENT;
	rd_kafka_error_destroy(e);
	return false;
}

static bool
may_repeat(const struct kclient *k)
{
	return k->may_repeat;
}

/* ---- transactions */

static bool
fence(struct kclient *k, struct err *err)
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

static bool
begin(struct kclient *k, struct err *err)
{
	rd_kafka_error_t *e;

	if (!k->transactional)
		return true; /* what was lost stays lost: nothing is sent again */
	forget_lost(k);
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
			return kerror_set(err, code, words);
		if (lost_one(k, err) || !kclient_go_on(k, err))
			return false;
	}
	rd_kafka_poll(k->rk, 0);
	return !lost_one(k, err);
}

static bool
commit(struct kclient *k, struct err *err)
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

static bool
abort_it(struct kclient *k, struct err *err)
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

/* librdkafka copies what it is given; its interface just does not say so. */
static void
set_bytes(rd_kafka_vu_t *v, rd_kafka_vtype_t type, struct slice s)
{
	v->vtype = type;
	v->u.mem.ptr = (void *)s.p;
	v->u.mem.size = s.n;
}

static void
set_header(rd_kafka_vu_t *v, const struct kclient_header *h)
{
	v->vtype = RD_KAFKA_VTYPE_HEADER;
	v->u.header.name = (const char *)h->name.p;
	v->u.header.val = h->value.p;
	v->u.header.size = (ssize_t)h->value.n;
}

/* Member by member: each of them is padded to 64 bytes, which need not be zero. */
static size_t
describe(rd_kafka_topic_t *topic, const struct kclient_record *r, rd_kafka_vu_t *v)
{
	size_t n = 0;
	unsigned i;

	v[n].vtype = RD_KAFKA_VTYPE_RKT;
	v[n++].u.rkt = topic;
	v[n].vtype = RD_KAFKA_VTYPE_PARTITION;
	v[n++].u.i32 = r->partition;
	v[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
	v[n++].u.i = RD_KAFKA_MSG_F_COPY;
	if (r->key.p != NULL)
		set_bytes(&v[n++], RD_KAFKA_VTYPE_KEY, r->key);
	set_bytes(&v[n++], RD_KAFKA_VTYPE_VALUE, r->value);
	for (i = 0; i < r->nheaders; i++)
		set_header(&v[n++], &r->headers[i]);
	return n;
}

/* A transaction that has failed takes no more records, and says why when it is to end. */
static bool
refused_record(struct kclient *k, rd_kafka_error_t *e, struct err *err)
{
	if (rd_kafka_error_code(e) != RD_KAFKA_RESP_ERR__STATE || !k->transactional)
		return fail_of(k, e, err);
	if (commit(k, err))
		bug("a transaction takes no records and is in order");
	rd_kafka_error_destroy(e);
	return false;
}

static bool
send_record(struct kclient *k, const struct kclient_record *r, struct err *err)
{
	rd_kafka_topic_t *topic = topic_of(k, r->topic);
	rd_kafka_vu_t v[5 + KCLIENT_HEADERS_MAX];
	rd_kafka_error_t *e;
	size_t n;

	if (topic == NULL)
		return kerror_set(err, rd_kafka_last_error(), "no topic");
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

const struct kclient_writer kclient_by_librdkafka = {
	.connect = kclient_connect_librdkafka,
	.fence = fence,
	.begin = begin,
	.send = send_record,
	.commit = commit,
	.abort = abort_it,
	.may_repeat = may_repeat,
};
