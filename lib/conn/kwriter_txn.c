#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/kerror.h"
#include "lib/conn/kwriter_int.h"

#define PARTITIONS_MAX 512 /* of one request */

/* A transaction's end is written to its partitions after it was confirmed, within milliseconds. */
#define MARKERS_US (2 * USEC_PER_MSEC)

#define COORDINATOR_NOT_AVAILABLE 15
#define NOT_COORDINATOR		  16
#define CONCURRENT_TRANSACTIONS	  51

/* ---- the coordinator */

static void
forget_coordinator(struct kwriter *w, int code)
{
	if (code == COORDINATOR_NOT_AVAILABLE || code == NOT_COORDINATOR)
		w->coordinator = NULL;
}

/* False without err: not yet. */
static bool
find_coordinator(struct kwriter *w, struct err *err)
{
	struct kwriter_broker *any = kwriter_reach_any(w, err);
	struct kwire_broker found;
	int32_t correlation;
	struct buf answer;
	int16_t code;
	bool ok;

	if (any == NULL)
		return false;
	kwire_put_find_coordinator(kconn_request(any->conn, KWIRE_FIND_COORDINATOR, &correlation),
	    w->cfg.transactional_id);
	if (!kwriter_ask(w, any, KWIRE_FIND_COORDINATOR, correlation, &answer, err))
		return false;
	ok = kwire_read_coordinator(buf_slice(&answer), &code, &found);
	if (!ok)
		err_set(err, ERR_PROTOCOL, "a coordinator cannot be read");
	else if (code == 0)
		w->coordinator = kwriter_add_broker(w, &found);
	else if (!kerror_is_passing(code))
		kerror_set(err, code, NULL);
	buf_done(&answer);
	return w->coordinator != NULL;
}

/* Connected; NULL without err: not now. */
static struct kwriter_broker *
coordinator(struct kwriter *w, struct err *err)
{
	struct kwriter_broker *b;

	if (w->coordinator == NULL && !find_coordinator(w, err))
		return NULL;
	b = kwriter_reach(w, w->coordinator, err);
	if (b == NULL)
		w->coordinator = NULL; /* it may have moved */
	return b;
}

/* ---- partitions of a transaction */

static uint32_t
gather(const struct kwriter *w, struct kwriter_partition **list)
{
	struct kwriter_partition *p;
	uint32_t n = 0;

	TAILQ_FOREACH(p, &w->busy, busy)
	if (p->part == KWRITER_PART_NONE && n < PARTITIONS_MAX)
		list[n++] = p;
	return n;
}

static void
ask_for(struct kwriter *w, struct kwriter_broker *b, struct kwriter_partition **list, uint32_t n)
{
	uint32_t topics = kwriter_sort(list, n), i;
	int32_t correlation;
	struct buf *to;

	to = kconn_request(b->conn, KWIRE_ADD_PARTITIONS, &correlation);
	kwire_put_add_partitions(to, w->cfg.transactional_id, w->producer, topics);
	for (i = 0; i < n; i++) {
		if (i == 0 || list[i]->topic != list[i - 1]->topic)
			kwire_put_topic(to, list[i]->topic->name,
			    kwriter_same_topic(list + i, n - i));
		kwire_put_partition(to, list[i]->index);
		list[i]->part = KWRITER_PART_ASKED;
	}
	kwriter_sent(b, KWIRE_ADD_PARTITIONS, correlation, list, n);
	w->in_txn = true;
	w->adding = true;
}

bool
kwriter_add_partitions(struct kwriter *w, struct err *err)
{
	struct kwriter_partition **list;
	struct kwriter_broker *b;
	uint32_t n;

	if (w->cfg.transactional_id == NULL || w->adding || clock_mono_us() < w->add_again_at)
		return true;
	list = xcalloc(PARTITIONS_MAX, sizeof(*list));
	n = gather(w, list);
	b = n > 0 ? coordinator(w, err) : NULL;
	if (b != NULL) {
		ask_for(w, b, list, n);
		return true;
	}
	free(list);
	if (n > 0)
		kwriter_wake(w, clock_mono_us() + KWRITER_BACKOFF_US);
	return err->code == ERR_NONE;
}

static void
add_later(struct kwriter *w, struct kwriter_partition *p, usec_t wait)
{
	p->part = KWRITER_PART_NONE;
	w->add_again_at = clock_mono_us() + wait;
	kwriter_wake(w, w->add_again_at);
}

struct taking {
	struct kwriter *w;
	const struct kwriter_request *rq;
};

static void
on_added(void *arg, struct slice topic, int32_t index, int16_t code)
{
	struct taking *t = arg;
	struct kwriter_partition *p = kwriter_take_named(t->rq, topic, index);

	if (p == NULL)
		return;
	if (code == 0) {
		p->part = KWRITER_PART_TAKEN;
		return;
	}
	add_later(t->w, p, code == CONCURRENT_TRANSACTIONS ? MARKERS_US : KWRITER_BACKOFF_US);
	forget_coordinator(t->w, code);
	if (!kerror_is_passing(code))
		kwriter_fail(t->w, code, p->topic->name);
	else if (code != CONCURRENT_TRANSACTIONS)
		kwriter_trouble(t->w, code, p->topic->name);
}

bool
kwriter_take_added(struct kwriter *w, const struct kwriter_request *rq, struct slice body)
{
	struct taking t = { .w = w, .rq = rq };
	bool ok = kwire_read_add_partitions(body, on_added, &t);

	kwriter_unask(w, rq);
	return ok;
}

void
kwriter_unask(struct kwriter *w, const struct kwriter_request *rq)
{
	uint32_t i;

	w->adding = false;
	for (i = 0; i < rq->npartitions; i++)
		if (rq->partitions[i] != NULL)
			add_later(w, rq->partitions[i], KWRITER_BACKOFF_US);
}

/* ---- the producer's name */

/* False without err: to be tried again. */
static bool
try_name(struct kwriter *w, struct err *err)
{
	bool transactional = w->cfg.transactional_id != NULL;
	struct kwriter_broker *b = transactional ? coordinator(w, err) : kwriter_reach_any(w, err);
	int32_t correlation;
	struct buf answer;
	int16_t code;
	bool ok;

	if (b == NULL)
		return false;
	kwire_put_init_producer_id(kconn_request(b->conn, KWIRE_INIT_PRODUCER_ID, &correlation),
	    w->cfg.transactional_id, transactional ? w->cfg.transaction_timeout_ms : INT32_MAX);
	if (!kwriter_ask(w, b, KWIRE_INIT_PRODUCER_ID, correlation, &answer, err))
		return false;
	ok = kwire_read_producer(buf_slice(&answer), &code, &w->producer);
	buf_done(&answer);
	if (!ok)
		return err_set(err, ERR_PROTOCOL, "a producer's id cannot be read");
	if (code == 0)
		return true;
	forget_coordinator(w, code);
	if (!kerror_is_passing(code))
		return kerror_set(err, code, NULL);
	if (code != CONCURRENT_TRANSACTIONS)
		kwriter_trouble(w, code, "beginning transactions");
	return false;
}

bool
kwriter_name_producer(struct kwriter *w, struct err *err)
{
	usec_t deadline = clock_mono_us() + w->cfg.timeout;

	while (!try_name(w, err)) {
		if (err->code != ERR_NONE)
			return false;
		if (clock_mono_us() > deadline)
			return kwriter_timed_out(w, "beginning transactions", err);
		if (!kwriter_pause(w, KWRITER_BACKOFF_US, err))
			return false;
	}
	return true;
}

/* ---- the end of a transaction */

/* False without err: to be tried again. lost_r: set when a request may be heard late. */
static bool
try_end(struct kwriter *w, usec_t *wait_r, bool *lost_r, struct err *err)
{
	struct kwriter_broker *b = coordinator(w, err);
	int32_t correlation;
	struct buf answer;
	int16_t code;
	bool ok;

	*wait_r = KWRITER_BACKOFF_US;
	if (b == NULL)
		return false;
	kwire_put_end_txn(kconn_request(b->conn, KWIRE_END_TXN, &correlation),
	    w->cfg.transactional_id, w->producer, true);
	if (!kwriter_ask(w, b, KWIRE_END_TXN, correlation, &answer, err)) {
		*lost_r = true;
		return false;
	}
	ok = kwire_read_end_txn(buf_slice(&answer), &code);
	buf_done(&answer);
	if (!ok)
		return err_set(err, ERR_PROTOCOL, "a transaction's end cannot be read");
	if (code == 0)
		return true;
	forget_coordinator(w, code);
	if (!kerror_is_passing(code))
		return kerror_set(err, code, NULL);
	if (code == CONCURRENT_TRANSACTIONS)
		*wait_r = MARKERS_US;
	else
		kwriter_trouble(w, code, "committing");
	return false;
}

/* Heard late, it would end the next transaction; but not one of another epoch. */
static void
require_another_epoch(struct kwriter *w)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_TRANSIENT,
	    "the connection was lost while committing: begin again under another epoch");
	kwriter_fail_as(w, &err);
}

/* Whatever happens after the first request: it may have been heard. */
bool
kwriter_end_txn(struct kwriter *w, struct err *err)
{
	struct kwriter_partition *p;
	bool lost = false;
	uint32_t i, n;
	usec_t wait;

	if (!w->in_txn)
		return true;
	while (!try_end(w, &wait, &lost, err))
		if (err->code != ERR_NONE || !kwriter_pause(w, wait, err)) {
			kwriter_fail_as(w, err);
			w->may_repeat = false;
			return false;
		}
	w->in_txn = false;
	for (i = 0; i < w->ntopics; i++)
		for (n = 0; n < w->topics[i]->npartitions; n++) {
			p = &w->topics[i]->partitions[n];
			p->part = KWRITER_PART_NONE;
		}
	if (lost)
		require_another_epoch(w);
	return true;
}
