#include <poll.h>
#include <stdlib.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/kerror.h"
#include "lib/conn/kwriter_int.h"

#define BODY_MAX (16 * MIB)
#define LOOK_US	 (50 * USEC_PER_MSEC)

/* ---- requests */

struct kwriter_request *
kwriter_sent(struct kwriter_broker *b, enum kwire_api api, int32_t correlation,
    struct kwriter_partition **partitions, uint32_t n)
{
	struct kwriter_request *rq = xcalloc(1, sizeof(*rq));

	kconn_end(b->conn);
	rq->api = api;
	rq->correlation = correlation;
	rq->sent_at = clock_mono_us();
	rq->partitions = partitions;
	rq->npartitions = n;
	STAILQ_INSERT_TAIL(&b->requests, rq, next);
	b->nrequests++;
	return rq;
}

static struct kwriter_request *
take_first(struct kwriter_broker *b)
{
	struct kwriter_request *rq = STAILQ_FIRST(&b->requests);

	if (rq == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&b->requests, next);
	b->nrequests--;
	return rq;
}

static void
free_request(struct kwriter_request *rq)
{
	free(rq->partitions);
	free(rq);
}

struct kwriter_partition *
kwriter_take_named(const struct kwriter_request *rq, struct slice topic, int32_t index)
{
	struct kwriter_partition *p;
	uint32_t i;

	for (i = 0; i < rq->npartitions; i++) {
		p = rq->partitions[i];
		if (p != NULL && p->index == index && slice_eq(slice_str(p->topic->name), topic)) {
			rq->partitions[i] = NULL;
			return p;
		}
	}
	return NULL;
}

/* ---- connections that are lost */

static void
give_up(struct kwriter *w, struct kwriter_request *rq)
{
	if (rq->api == KWIRE_PRODUCE)
		kwriter_unsend(w, rq);
	else if (rq->api == KWIRE_ADD_PARTITIONS)
		kwriter_unask(w, rq);
	else if (rq->answer != NULL)
		rq->answer->lost = true;
	free_request(rq);
}

void
kwriter_drop(struct kwriter *w, struct kwriter_broker *b, const struct err *why)
{
	struct kwriter_request *rq;

	if (b->conn == NULL)
		return;
	kconn_close(&b->conn);
	while ((rq = take_first(b)) != NULL) {
		give_up(w, rq);
		w->stale = true;
	}
	if (w->stale && why->code != ERR_NONE)
		kwriter_tell(w, why);
}

/* ---- answers */

static void
keep_answer(struct kwriter_answer *to, struct slice body)
{
	buf_init(&to->body, BODY_MAX);
	buf_add(&to->body, body.p, body.n);
	to->done = true;
}

static bool
take_answer(struct kwriter *w, struct kwriter_broker *b, const struct kconn_answer *a)
{
	struct kwriter_request *rq = take_first(b);
	bool ok = true;

	if (rq == NULL)
		return false;
	if (rq->correlation != a->correlation) {
		give_up(w, rq);
		return false;
	}
	if (rq->api == KWIRE_PRODUCE)
		ok = kwriter_take_produced(w, b, rq, a->body);
	else if (rq->api == KWIRE_ADD_PARTITIONS)
		ok = kwriter_take_added(w, rq, a->body);
	else if (rq->answer != NULL)
		keep_answer(rq->answer, a->body);
	free_request(rq);
	return ok;
}

static void
serve(struct kwriter *w, struct kwriter_broker *b)
{
	struct kconn_answer a;
	struct err err = ERR_INIT;

	if (kconn_io(b->conn, &err))
		while (kconn_next(b->conn, &a, &err))
			if (!take_answer(w, b, &a)) {
				err_set(&err, ERR_PROTOCOL, "%s: an answer cannot be read",
				    kconn_name(b->conn));
				break;
			}
	if (err.code != ERR_NONE)
		kwriter_drop(w, b, &err);
}

/* The broker is there, but silent. What it waits for itself it gives up in half of this. */
static void
check_patience(struct kwriter *w, struct kwriter_broker *b, usec_t now)
{
	const struct kwriter_request *rq = STAILQ_FIRST(&b->requests);
	usec_t patience = 2 * w->cfg.request_timeout_ms * USEC_PER_MSEC;
	struct err err = ERR_INIT;

	if (rq == NULL || now - rq->sent_at < patience)
		return;
	err_set(&err, ERR_TRANSIENT, "%s: no answer within %d s", kconn_name(b->conn),
	    (int)(patience / USEC_PER_SEC));
	kwriter_drop(w, b, &err);
}

bool
kwriter_move(struct kwriter *w, int wait_ms, struct err *err)
{
	struct pollfd *fds = xcalloc(w->nbrokers + 1, sizeof(*fds));
	uint32_t i, n = w->nbrokers;
	usec_t now;

	for (i = 0; i < n; i++) {
		fds[i].fd = w->brokers[i]->conn != NULL ? kconn_fd(w->brokers[i]->conn) : -1;
		if (fds[i].fd >= 0)
			fds[i].events = kconn_events(w->brokers[i]->conn);
	}
	poll(fds, n, wait_ms);
	now = clock_mono_us();
	for (i = 0; i < n; i++) {
		if (w->brokers[i]->conn != NULL && fds[i].revents != 0)
			serve(w, w->brokers[i]);
		if (w->brokers[i]->conn != NULL)
			check_patience(w, w->brokers[i], now);
	}
	free(fds);
	return w->cfg.conn.go_on(w->cfg.conn.arg, err);
}

bool
kwriter_ask(struct kwriter *w, struct kwriter_broker *b, enum kwire_api api, int32_t correlation,
    struct buf *body_r, struct err *err)
{
	struct kwriter_answer answer = { .done = false };
	struct kwriter_request *rq = kwriter_sent(b, api, correlation, NULL, 0);

	rq->answer = &answer;
	while (!answer.done && !answer.lost)
		if (!kwriter_move(w, KWRITER_STEP_MS, err)) {
			if (answer.done)
				buf_done(&answer.body);
			else if (!answer.lost)
				rq->answer = NULL; /* nobody waits for it */
			return false;
		}
	*body_r = answer.body;
	return answer.done;
}

/* ---- turns */

void
kwriter_wake(struct kwriter *w, usec_t at)
{
	if (w->wake_at == 0 || at < w->wake_at)
		w->wake_at = at;
}

/* What is to be tried again is not slept through. */
static int
wait_of(struct kwriter *w, int most_ms)
{
	usec_t now = clock_mono_us(), left = w->wake_at - now;

	if (w->wake_at == 0 || most_ms == 0)
		return most_ms;
	if (left <= 0) {
		w->wake_at = 0;
		return 0;
	}
	left = (left + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
	return left < most_ms ? (int)left : most_ms;
}

static bool
failed(const struct kwriter *w, struct err *err)
{
	if (w->failed)
		*err = w->why;
	return w->failed;
}

/* Not sooner than a moment after the last look, which may have shown the same. */
static bool
look_again(struct kwriter *w, struct err *err)
{
	if (!w->stale)
		return true;
	if (clock_mono_us() < w->looked_at + LOOK_US) {
		kwriter_wake(w, w->looked_at + LOOK_US);
		return true;
	}
	return kwriter_look(w, err) || err->code == ERR_NONE;
}

bool
kwriter_turn(struct kwriter *w, int wait_ms, struct err *err)
{
	if (failed(w, err) || !look_again(w, err) || !kwriter_add_partitions(w, err) ||
	    !kwriter_produce(w, err) || !kwriter_move(w, wait_of(w, wait_ms), err))
		return false;
	return !failed(w, err);
}

bool
kwriter_pause(struct kwriter *w, usec_t us, struct err *err)
{
	usec_t until = clock_mono_us() + us, now;

	while ((now = clock_mono_us()) < until)
		if (!kwriter_move(w, (int)((until - now) / USEC_PER_MSEC) + 1, err))
			return false;
	return true;
}
