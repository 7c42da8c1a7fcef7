#include <stdlib.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/kerror.h"
#include "lib/conn/kwriter_int.h"

/* Of one request: partitions, and bytes after which no more are added. */
#define REQUEST_PARTITIONS 128
#define REQUEST_BYTES	   (4 * MIB)

#define UNKNOWN_TOPIC	      3
#define MESSAGE_TOO_LARGE     10
#define OUT_OF_ORDER_SEQUENCE 45
#define DUPLICATE_SEQUENCE    46

/* ---- records into batches */

static void
make_busy(struct kwriter *w, struct kwriter_partition *p)
{
	if (p->is_busy)
		return;
	p->is_busy = true;
	TAILQ_INSERT_TAIL(&w->busy, p, busy);
}

static void
rest(struct kwriter *w, struct kwriter_partition *p)
{
	p->is_busy = false;
	TAILQ_REMOVE(&w->busy, p, busy);
}

static void
keep_room(struct kwriter *w, struct kwriter_partition *p)
{
	if (w->room <= w->cfg.queue_bytes)
		return;
	w->room -= p->open.records.cap;
	buf_done(&p->open.records);
}

static void
close_batch(struct kwriter *w, struct kwriter_partition *p)
{
	const struct kbatch_form form = {
		.codec = w->cfg.codec,
		.level = w->cfg.level,
		.transactional = w->cfg.transactional_id != NULL,
		.producer = w->producer,
	};
	struct kwriter_batch *b;
	int32_t count = p->open.count;

	if (count == 0)
		return;
	w->bytes -= p->open.records.n;
	buf_reset(&w->packed);
	kbatch_close(&p->open, &form, p->sequence, &w->packed);
	if (buf_overflowed(&w->packed))
		bug("a batch is larger than the records in it allow");
	keep_room(w, p);
	/* after the greatest number comes 0 */
	p->sequence = (int32_t)(((uint32_t)p->sequence + (uint32_t)count) & INT32_MAX);
	b = xmalloc(sizeof(*b) + w->packed.n);
	b->sent = false;
	b->n = w->packed.n;
	memcpy(b->bytes, w->packed.p, b->n);
	STAILQ_INSERT_TAIL(&p->batches, b, next);
	w->bytes += b->n;
	w->nbatches++;
	if ((uint32_t)p->index == p->topic->sticky)
		p->topic->sticky = (uint32_t)rand_r(&w->seed) % p->topic->npartitions;
}

void
kwriter_close_all(struct kwriter *w)
{
	struct kwriter_partition *p;

	TAILQ_FOREACH(p, &w->busy, busy)
	close_batch(w, p);
}

/* Records that may go anywhere fill one batch after the other. */
static int32_t
choose(const struct kwriter_partitioner *by, const struct kwriter_topic *t, struct slice key)
{
	if (by->of == NULL || (key.p == NULL && by->any_null) || (key.n == 0 && by->any_empty))
		return (int32_t)t->sticky;
	return by->of(NULL, key.p, key.n, (int32_t)t->npartitions, NULL, NULL);
}

static struct kwriter_partition *
partition_for(const struct kwriter *w, const struct kwriter_topic *t,
    const struct kclient_record *r)
{
	int32_t n = (int32_t)t->npartitions, i = r->partition;

	if (i == KCLIENT_ANY_PARTITION)
		i = choose(w->cfg.partitioner, t, r->key);
	return i >= 0 && i < n ? &t->partitions[i] : NULL;
}

static bool
add(struct kwriter *w, struct kwriter_partition *p, const struct kclient_record *r)
{
	size_t n = p->open.records.n, cap = p->open.records.cap;
	bool ok = kbatch_add(&p->open, r);

	w->bytes += p->open.records.n - n;
	w->room += p->open.records.cap - cap;
	return ok;
}

bool
kwriter_put(struct kwriter *w, struct kwriter_topic *t, const struct kclient_record *r,
    struct err *err)
{
	struct kwriter_partition *p = partition_for(w, t, r);

	if (p == NULL)
		return err_set(err, ERR_CONFIG, "topic \"%s\" has no partition %d", t->name,
		    (int)r->partition);
	make_busy(w, p);
	if (add(w, p, r))
		return true;
	close_batch(w, p);
	return add(w, p, r) || kerror_set(err, MESSAGE_TOO_LARGE, NULL);
}

/* ---- batches into requests */

static int
by_topic(const void *a, const void *b)
{
	const struct kwriter_partition *p = *(struct kwriter_partition *const *)a;
	const struct kwriter_partition *q = *(struct kwriter_partition *const *)b;
	int names = strcmp(p->topic->name, q->topic->name);

	return names != 0 ? names : p->index - q->index;
}

uint32_t
kwriter_sort(struct kwriter_partition **list, uint32_t n)
{
	uint32_t i, topics = 0;

	qsort(list, n, sizeof(*list), by_topic);
	for (i = 0; i < n; i += kwriter_same_topic(list + i, n - i))
		topics++;
	return topics;
}

uint32_t
kwriter_same_topic(struct kwriter_partition **list, uint32_t n)
{
	uint32_t i = 1;

	while (i < n && list[i]->topic == list[0]->topic)
		i++;
	return i;
}

static struct kwriter_batch *
first_unsent(const struct kwriter_partition *p)
{
	struct kwriter_batch *b;

	STAILQ_FOREACH(b, &p->batches, next)
	if (!b->sent)
		return b;
	return NULL;
}

/* What was not confirmed once is alone on its way. */
static bool
may_send(const struct kwriter *w, const struct kwriter_partition *p, usec_t now)
{
	if (w->cfg.transactional_id != NULL && p->part != KWRITER_PART_TAKEN)
		return false;
	return p->again_at <= now && p->nsent < (p->proven ? KWRITER_INFLIGHT_MAX : 1) &&
	    first_unsent(p) != NULL;
}

/* Where the partition's batches go, when a request may go there now. */
static struct kwriter_broker *
leader_of(struct kwriter *w, const struct kwriter_partition *p, struct err *err)
{
	struct kwriter_broker *b = kwriter_broker(w, p->leader);

	if (b == NULL) {
		w->stale = true;
		return NULL;
	}
	if (b->nrequests >= KWRITER_INFLIGHT_MAX)
		return NULL;
	return kwriter_reach(w, b, err);
}

static uint32_t
gather(struct kwriter *w, const struct kwriter_broker *to, struct kwriter_partition **list)
{
	usec_t now = clock_mono_us();
	struct kwriter_partition *p;
	size_t bytes = 0;
	uint32_t n = 0;

	TAILQ_FOREACH(p, &w->busy, busy)
	{
		if (n == REQUEST_PARTITIONS || bytes >= REQUEST_BYTES)
			break;
		if (p->leader != to->id || !may_send(w, p, now))
			continue;
		list[n++] = p;
		bytes += first_unsent(p)->n;
	}
	return n;
}

static void
put_batches(struct buf *to, struct kwriter_partition **list, uint32_t n)
{
	struct kwriter_batch *b;
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (i == 0 || list[i]->topic != list[i - 1]->topic)
			kwire_put_topic(to, list[i]->topic->name,
			    kwriter_same_topic(list + i, n - i));
		b = first_unsent(list[i]);
		kwire_put_batch(to, list[i]->index, slice_of(b->bytes, b->n));
		b->sent = true;
		list[i]->nsent++;
	}
}

static void
send_request(struct kwriter *w, struct kwriter_broker *b)
{
	struct kwriter_partition **list = xcalloc(REQUEST_PARTITIONS, sizeof(*list));
	uint32_t n = gather(w, b, list);
	int32_t correlation;
	struct buf *to;

	to = kconn_request(b->conn, KWIRE_PRODUCE, &correlation);
	kwire_put_produce(to, w->cfg.transactional_id, w->cfg.request_timeout_ms,
	    kwriter_sort(list, n));
	put_batches(to, list, n);
	kwriter_sent(b, KWIRE_PRODUCE, correlation, list, n);
}

static struct kwriter_broker *
find_work(struct kwriter *w, struct err *err)
{
	usec_t now = clock_mono_us();
	struct kwriter_partition *p;
	struct kwriter_broker *b;

	TAILQ_FOREACH(p, &w->busy, busy)
	{
		if (!may_send(w, p, now))
			continue;
		b = leader_of(w, p, err);
		if (b != NULL || err->code != ERR_NONE)
			return b;
	}
	return NULL;
}

bool
kwriter_produce(struct kwriter *w, struct err *err)
{
	struct kwriter_broker *b;

	while ((b = find_work(w, err)) != NULL)
		send_request(w, b);
	return err->code == ERR_NONE;
}

/* ---- what came of them */

static struct kwriter_batch *
first_sent(const struct kwriter_partition *p)
{
	struct kwriter_batch *b;

	STAILQ_FOREACH(b, &p->batches, next)
	if (b->sent)
		return b;
	return NULL;
}

/*
 * After trouble only when no older batch waits to be sent again, and nothing is
 * still on its way: answers are told apart by the order of what was sent.
 */
static void
confirm(struct kwriter *w, struct kwriter_partition *p, struct kwriter_batch *b)
{
	if (b == STAILQ_FIRST(&p->batches) && p->nsent == 0)
		p->proven = true;
	w->bytes -= b->n;
	w->nbatches--;
	STAILQ_REMOVE(&p->batches, b, kwriter_batch, next);
	free(b);
	p->failed_at = 0;
	if (STAILQ_EMPTY(&p->batches) && p->open.count == 0)
		rest(w, p);
}

static void
send_again(struct kwriter *w, struct kwriter_partition *p, struct kwriter_batch *b)
{
	usec_t now = clock_mono_us();

	b->sent = false;
	p->proven = false;
	p->again_at = now + KWRITER_BACKOFF_US;
	kwriter_wake(w, p->again_at);
	if (p->failed_at == 0)
		p->failed_at = now;
}

/* Those after one that was refused are refused for being out of order. */
static bool
is_passing(const struct kwriter *w, const struct kwriter_partition *p,
    const struct kwriter_batch *b, int16_t code)
{
	if (code == OUT_OF_ORDER_SEQUENCE)
		return b != STAILQ_FIRST(&p->batches);
	if (code == UNKNOWN_TOPIC && p->failed_at != 0 &&
	    clock_mono_us() - p->failed_at > w->cfg.timeout)
		return false;
	return kerror_is_passing(code);
}

static void
take_one(struct kwriter *w, struct kwriter_partition *p, int16_t code)
{
	struct kwriter_batch *b = first_sent(p);
	bool again;

	p->nsent--;
	if (code == 0 || code == DUPLICATE_SEQUENCE) {
		confirm(w, p, b);
		return;
	}
	again = is_passing(w, p, b, code);
	send_again(w, p, b);
	if (!again) {
		kwriter_fail(w, code, p->topic->name);
		return;
	}
	w->stale = true;
	if (code != OUT_OF_ORDER_SEQUENCE)
		kwriter_trouble(w, code, p->topic->name);
}

struct taking {
	struct kwriter *w;
	const struct kwriter_request *rq;
};

static void
on_produced(void *arg, struct slice topic, int32_t index, int16_t code)
{
	struct taking *t = arg;
	struct kwriter_partition *p = kwriter_take_named(t->rq, topic, index);

	if (p != NULL)
		take_one(t->w, p, code);
}

bool
kwriter_take_produced(struct kwriter *w, const struct kwriter_broker *b,
    const struct kwriter_request *rq, struct slice body)
{
	struct taking t = { .w = w, .rq = rq };
	bool ok = kwire_read_produce(body, kconn_version(b->conn, KWIRE_PRODUCE), on_produced, &t);

	return !kwriter_unsend(w, rq) && ok;
}

bool
kwriter_unsend(struct kwriter *w, const struct kwriter_request *rq)
{
	struct kwriter_partition *p;
	bool any = false;
	uint32_t i;

	for (i = 0; i < rq->npartitions; i++) {
		p = rq->partitions[i];
		if (p == NULL)
			continue;
		p->nsent--;
		send_again(w, p, first_sent(p));
		any = true;
	}
	return any;
}

/* ---- the end of all of it */

static void
forget(struct kwriter *w, struct kwriter_partition *p)
{
	struct kwriter_batch *b;

	while ((b = STAILQ_FIRST(&p->batches)) != NULL) {
		STAILQ_REMOVE_HEAD(&p->batches, next);
		free(b);
	}
	buf_reset(&p->open.records);
	p->open.count = 0;
	p->nsent = 0;
	rest(w, p);
}

/* An answer to what is forgotten must not be taken for one to what follows. */
void
kwriter_forget_all(struct kwriter *w)
{
	struct err forgotten = ERR_INIT;
	struct kwriter_partition *p;
	uint32_t i, n;

	for (i = 0; i < w->nbrokers; i++)
		if (w->brokers[i]->nrequests > 0)
			kwriter_drop(w, w->brokers[i], &forgotten);
	while ((p = TAILQ_FIRST(&w->busy)) != NULL)
		forget(w, p);
	for (i = 0; i < w->ntopics; i++)
		for (n = 0; n < w->topics[i]->npartitions; n++) {
			p = &w->topics[i]->partitions[n];
			p->part = KWRITER_PART_NONE;
			p->sequence = 0;
			p->proven = false;
			p->failed_at = p->again_at = 0;
		}
	w->bytes = 0;
	w->nbatches = 0;
}
