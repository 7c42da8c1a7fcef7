#include <errno.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/kclient_int.h"
#include "lib/conn/kerror.h"
#include "lib/wire/kvtext.h"

#define PAIR_MAX (4 * KIB)

/* How long a reader that stands before an open transaction waits for its end. */
#define OPEN_WAIT (USEC_PER_SEC / 2)

/* ---- finding */

static bool
is_missing(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
	    code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

/* A topic that was made a moment ago may have no leader yet. */
static bool
has_leaders(const struct rd_kafka_metadata_topic *t)
{
	int i;

	for (i = 0; i < t->partition_cnt; i++)
		if (t->partitions[i].leader < 0)
			return false;
	return t->partition_cnt > 0;
}

/* done_r: false to ask again. */
static bool
take_topic(const struct rd_kafka_metadata *md, uint32_t *partitions_r, bool *done_r,
    struct err *err)
{
	const struct rd_kafka_metadata_topic *t = md->topics;

	*done_r = md->topic_cnt == 1 && (is_missing(t->err) || has_leaders(t));
	if (*done_r)
		*partitions_r = is_missing(t->err) ? 0 : (uint32_t)t->partition_cnt;
	else if (md->topic_cnt == 1 && t->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
		return kerror_set(err, t->err, rd_kafka_err2str(t->err));
	return true;
}

static bool
ask_for_topic(struct kclient *k, rd_kafka_topic_t *topic, uint32_t *partitions_r, struct err *err)
{
	usec_t deadline = clock_mono_us() + k->cfg.timeout;
	const struct rd_kafka_metadata *md;
	bool done = false, ok = true;

	while (ok && !done) {
		if (rd_kafka_metadata(k->rk, 0, topic, &md, KCLIENT_STEP_MS) ==
		    RD_KAFKA_RESP_ERR_NO_ERROR) {
			ok = take_topic(md, partitions_r, &done, err);
			rd_kafka_metadata_destroy(md);
		} else if (kclient_refused(k, err)) {
			return false;
		}
		if (ok && !done && clock_mono_us() > deadline)
			return kclient_timed_out(k, "looking for topics", err);
		ok = ok && kclient_go_on(k, err);
	}
	return ok;
}

bool
kclient_find_topic(struct kclient *k, const char *name, uint32_t *partitions_r, struct err *err)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(k->rk, name, NULL);
	bool ok;

	if (topic == NULL)
		return kerror_set(err, rd_kafka_last_error(),
		    rd_kafka_err2str(rd_kafka_last_error()));
	ok = ask_for_topic(k, topic, partitions_r, err);
	rd_kafka_topic_destroy(topic);
	return ok || err_context(err, "topic \"%s\"", name);
}

/* ---- making */

static bool
set_config(rd_kafka_NewTopic_t *new, const char *pairs, struct err *err)
{
	struct buf name, value;
	bool ok, more = true;

	buf_init(&name, PAIR_MAX);
	buf_init(&value, PAIR_MAX);
	while ((ok = kvtext_next(&pairs, &name, &value, &more, err)) && more)
		rd_kafka_NewTopic_set_config(new, buf_str(&name), buf_str(&value));
	buf_done(&name);
	buf_done(&value);
	return ok;
}

static bool
describe_topic(const struct kclient_topic *t, rd_kafka_NewTopic_t **new_r, struct err *err)
{
	char words[KCLIENT_WORDS];
	int partitions = t->partitions > 0 ? (int)t->partitions : -1;
	int replicas = t->replication_factor > 0 ? (int)t->replication_factor : -1;
	rd_kafka_NewTopic_t *new = rd_kafka_NewTopic_new(t->name, partitions, replicas, words,
	    sizeof(words));

	if (new == NULL)
		return err_set(err, ERR_CONFIG, "%s", words);
	if (!set_config(new, t->config, err)) {
		rd_kafka_NewTopic_destroy(new);
		return false;
	}
	*new_r = new;
	return true;
}

static bool
take_created(rd_kafka_event_t *ev, bool *created_r, struct err *err)
{
	const rd_kafka_topic_result_t **results;
	rd_kafka_resp_err_t code;
	const char *words;
	size_t n;

	if (rd_kafka_event_error(ev) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kerror_set(err, rd_kafka_event_error(ev), rd_kafka_event_error_string(ev));
	results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(ev), &n);
	if (n != 1)
		return err_set(err, ERR_PROTOCOL, "the brokers did not say whether it was made");
	code = rd_kafka_topic_result_error(results[0]);
	*created_r = code == RD_KAFKA_RESP_ERR_NO_ERROR;
	if (*created_r || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
		return true;
	words = rd_kafka_topic_result_error_string(results[0]);
	return kerror_set(err, code, words != NULL ? words : rd_kafka_err2str(code));
}

static bool
await_created(struct kclient *k, rd_kafka_queue_t *q, bool *created_r, struct err *err)
{
	rd_kafka_event_t *ev;
	bool ok;

	/* the request has a time limit of its own */
	while ((ev = rd_kafka_queue_poll(q, KCLIENT_STEP_MS)) == NULL)
		if (!kclient_go_on(k, err))
			return false;
	ok = take_created(ev, created_r, err);
	rd_kafka_event_destroy(ev);
	return ok;
}

bool
kclient_create_topic(struct kclient *k, const struct kclient_topic *t, bool *created_r,
    struct err *err)
{
	rd_kafka_NewTopic_t *new;
	rd_kafka_queue_t *q;
	bool ok;

	if (!describe_topic(t, &new, err))
		return err_context(err, "topic \"%s\"", t->name);
	q = rd_kafka_queue_new(k->rk);
	rd_kafka_CreateTopics(k->rk, &new, 1, NULL, q);
	ok = await_created(k, q, created_r, err);
	rd_kafka_queue_destroy(q);
	rd_kafka_NewTopic_destroy(new);
	return ok || err_context(err, "could not create topic \"%s\"", t->name);
}

/* ---- reading */

struct reading {
	struct kclient *k;
	rd_kafka_topic_t *topic;
	int32_t partition;
	int64_t offset;
	int64_t end;
	bool at_end; /* as far as a reader may see */
	usec_t moved_at;
	kclient_message_fn *fn;
	void *arg;
};

static void
note_end(struct reading *r)
{
	int64_t low, high;

	if (rd_kafka_get_watermark_offsets(r->k->rk, rd_kafka_topic_name(r->topic), r->partition,
		&low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
	    high > r->end)
		r->end = high;
}

static bool
take_message(struct reading *r, const rd_kafka_message_t *m, struct err *err)
{
	const struct kclient_message ours = {
		.key = slice_of(m->key, m->key_len),
		.value = slice_of(m->payload, m->len),
	};

	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		r->at_end = true;
		r->offset = m->offset; /* past marks of transactions, which are no records */
		note_end(r);
		return true;
	}
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kerror_set(err, m->err, rd_kafka_message_errstr(m));
	r->at_end = false;
	r->moved_at = clock_mono_us();
	r->offset = m->offset + 1;
	return r->fn(r->arg, &ours, err);
}

/* Nothing has come for a while: are we before an open transaction, or is nobody there? */
static bool
may_rest(struct reading *r, bool *rest_r, struct err *err)
{
	usec_t idle = clock_mono_us() - r->moved_at;

	rd_kafka_poll(r->k->rk, 0);
	*rest_r = r->at_end && idle > OPEN_WAIT;
	if (*rest_r || idle <= r->k->cfg.timeout)
		return kclient_go_on(r->k, err);
	return kclient_timed_out(r->k, "reading", err);
}

static bool
read_on(struct reading *r, struct err *err)
{
	rd_kafka_message_t *m;
	bool ok = true, rest = false;

	while (ok && !rest && (!r->at_end || r->offset < r->end)) {
		m = rd_kafka_consume(r->topic, r->partition, KCLIENT_STEP_MS);
		if (m == NULL) {
			ok = may_rest(r, &rest, err);
			continue;
		}
		ok = take_message(r, m, err);
		rd_kafka_message_destroy(m);
	}
	return ok;
}

static bool
find_end(struct reading *r, const char *topic, struct err *err)
{
	usec_t deadline = clock_mono_us() + r->k->cfg.timeout;
	int64_t low;

	while (rd_kafka_query_watermark_offsets(r->k->rk, topic, r->partition, &low, &r->end,
		   5 * KCLIENT_STEP_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (kclient_refused(r->k, err) || !kclient_go_on(r->k, err))
			return false;
		if (clock_mono_us() > deadline)
			return kclient_timed_out(r->k, "asking for a partition's end", err);
	}
	return true;
}

static bool
read_from(struct reading *r, int64_t *offset, struct err *err)
{
	bool ok;

	if (rd_kafka_consume_start(r->topic, r->partition,
		*offset > 0 ? *offset : RD_KAFKA_OFFSET_BEGINNING) < 0)
		return kerror_set(err, rd_kafka_last_error(),
		    rd_kafka_err2str(rd_kafka_last_error()));
	r->moved_at = clock_mono_us();
	ok = read_on(r, err);
	rd_kafka_consume_stop(r->topic, r->partition);
	if (ok && r->offset > *offset)
		*offset = r->offset;
	return ok;
}

bool
kclient_read(struct kclient *k, const char *topic, int32_t partition, int64_t *offset,
    int64_t *end_r, kclient_message_fn *fn, void *arg, struct err *err)
{
	struct reading r = {
		.k = k,
		.partition = partition,
		.offset = -1,
		.fn = fn,
		.arg = arg,
	};
	bool ok;

	if (!find_end(&r, topic, err))
		return err_context(err, "topic \"%s\"", topic);
	r.topic = rd_kafka_topic_new(k->rk, topic, NULL);
	if (r.topic == NULL)
		return err_set(err, ERR_CONFIG, "topic \"%s\": %s", topic,
		    rd_kafka_err2str(rd_kafka_last_error()));
	ok = read_from(&r, offset, err);
	rd_kafka_topic_destroy(r.topic);
	*end_r = r.end;
	return ok || err_context(err, "topic \"%s\"", topic);
}
