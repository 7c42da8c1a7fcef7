#include <errno.h>
#include <unistd.h>

#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/sink/kafka_sink_int.h"

#define COMMIT_US   (500 * USEC_PER_MSEC)
#define IDLE_US	    (10 * USEC_PER_MSEC)
#define POSITION_US USEC_PER_SEC
#define REPEATS_MAX 3

#define LOOK_TIMEOUT (5 * USEC_PER_SEC)

/* A batch of so many changes or bytes is likely to be followed by another. */
#define LARGE_CHANGES 10000
#define LARGE_BYTES   (BATCH_BYTES_MAX / 2)

/* ---- notes */

static void
post(struct kafka_sink *s, const struct kafka_note *n)
{
	struct kafka_note *copy = xmalloc(sizeof(*copy));
	uint64_t one = 1;

	*copy = *n;
	copy->next = NULL;
	pthread_mutex_lock(&s->lock);
	if (n->kind == KAFKA_NOTE_APPLIED) {
		s->b = NULL;
		s->taken = false;
	}
	*s->last = copy;
	s->last = &copy->next;
	pthread_mutex_unlock(&s->lock);
	while (write(s->wakeup, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static bool
post_error(struct kafka_sink *s, const struct err *err)
{
	const struct kafka_note n = { .kind = KAFKA_NOTE_ERROR, .err = *err };

	post(s, &n);
	return false;
}

void
kafka_apply_table_error(void *arg, struct table *t, const struct err *err)
{
	const struct kafka_note n = { .kind = KAFKA_NOTE_TABLE_ERROR, .t = t, .err = *err };
	struct kafka_sink *s = arg;

	kafka_progress_add_stopped(s->progress, t->source_label, err->msg, err->hint);
	post(s, &n);
}

bool
kafka_apply_find_row(void *arg, const struct table *t, const struct row *row, struct arena *a,
    const struct row **row_r, struct err *err)
{
	struct kafka_find f = { .t = t, .row = row, .a = a };
	const struct kafka_note n = { .kind = KAFKA_NOTE_FIND, .find = &f };
	struct kafka_sink *s = arg;

	post(s, &n);
	pthread_mutex_lock(&s->lock);
	while (!f.done && !s->stop)
		pthread_cond_wait(&s->work, &s->lock);
	if (!f.done)
		err_set(&f.err, ERR_CANCELLED, "interrupted");
	pthread_mutex_unlock(&s->lock);
	if (f.err.code != ERR_NONE) {
		*err = f.err;
		return false;
	}
	*row_r = f.found;
	return true;
}

/* ---- sending and committing */

static bool
at_commit(const struct kafka_sink *s)
{
	return !s->walk.open;
}

static bool
wants_to_settle(const struct kafka_sink *s)
{
	return s->applied > s->settled && (at_commit(s) || !s->opt.exactly_once);
}

static usec_t
settle_at(const struct kafka_sink *s)
{
	return s->opt.exactly_once ? s->begun_at + COMMIT_US : s->settled_at + POSITION_US;
}

/* When no batch follows what was sent last. */
static usec_t
settle_idle_at(const struct kafka_sink *s)
{
	usec_t at = settle_at(s), idle = s->applied_at + IDLE_US;

	return s->opt.exactly_once && idle < at ? idle : at;
}

static bool
is_draining(struct kafka_sink *s)
{
	bool draining;

	pthread_mutex_lock(&s->lock);
	draining = s->drain;
	pthread_mutex_unlock(&s->lock);
	return draining;
}

static bool
is_large(const struct batch *b)
{
	return b->nchanges >= LARGE_CHANGES || arena_used(b->arena) >= LARGE_BYTES;
}

static bool
is_due(struct kafka_sink *s, const struct batch *b)
{
	return wants_to_settle(s) &&
	    ((s->opt.exactly_once && !is_large(b)) || clock_mono_us() >= settle_at(s) ||
		is_draining(s));
}

static bool
send_position(struct kafka_sink *s, struct err *err)
{
	kafka_progress_set_lsn(s->progress, s->applied);
	return kafka_progress_send(s->progress, s->k, err);
}

/* In the transaction of the records. */
static bool
settle_strictly(struct kafka_sink *s, struct err *err)
{
	if (!send_position(s, err) || !kclient_commit(s->k, err))
		return false;
	s->settled = s->applied;
	return true;
}

/* Behind the records, which go on: to wait for the position would hold up the next ones. */
static bool
settle_loosely(struct kafka_sink *s, struct err *err)
{
	if (!kclient_commit(s->k, err))
		return false;
	s->settled = s->sent;
	if (s->applied > s->sent && !send_position(s, err))
		return false;
	s->sent = s->applied;
	return true;
}

static bool
settle(struct kafka_sink *s, struct err *err)
{
	if (!(s->opt.exactly_once ? settle_strictly(s, err) : settle_loosely(s, err)))
		return false;
	s->begun = false;
	s->carried = false;
	s->settled_at = clock_mono_us();
	return true;
}

static void
post_settled(struct kafka_sink *s)
{
	const struct kafka_note n = { .kind = KAFKA_NOTE_DURABLE, .lsn = s->settled };

	pthread_mutex_lock(&s->lock);
	s->drain = s->drain && s->applied > s->settled;
	pthread_mutex_unlock(&s->lock);
	post(s, &n);
}

static bool
begin(struct kafka_sink *s, struct err *err)
{
	if (s->begun)
		return true;
	if (!kclient_begin(s->k, err))
		return false;
	s->begun = true;
	s->begun_at = clock_mono_us();
	return true;
}

static bool
send_batch(struct kafka_sink *s, const struct batch *b, struct err *err)
{
	if (!begin(s, err) || !kafka_walk_batch(&s->walk, b, err))
		return false;
	if (b->end_lsn != LSN_INVALID)
		s->applied = b->end_lsn;
	s->applied_at = clock_mono_us();
	if (is_due(s, b))
		return settle(s, err);
	/* what follows at once makes the client send; what does not must not wait for it */
	return s->opt.exactly_once || is_large(b) || kclient_commit(s->k, err);
}

/* Another worker may have come, and gone on from where this one has committed. */
static bool
is_still_ours(const struct kafka_sink *s)
{
	struct kafka_progress_config cfg = s->progress_cfg;
	struct kafka_progress *p;
	struct err ignored = ERR_INIT;
	bool ours;

	cfg.intr = NULL; /* the loop's */
	cfg.timeout = LOOK_TIMEOUT;
	p = kafka_progress_new(&cfg);
	ours = kafka_progress_read(p, &ignored) && kafka_progress_lsn(p) == s->settled;
	kafka_progress_free(&p);
	return ours;
}

static bool
start_over(struct kafka_sink *s, lsn_t before)
{
	struct err ignored = ERR_INIT;

	if (s->carried || !kclient_may_repeat(s->k) || !kclient_abort(s->k, &ignored) ||
	    !is_still_ours(s))
		return false;
	kafka_walk_forget(&s->walk);
	s->begun = false;
	s->applied = before;
	return true;
}

/* After a failure what is under way must never be committed. */
static bool
apply(struct kafka_sink *s, struct batch *b)
{
	const struct kafka_note applied = { .kind = KAFKA_NOTE_APPLIED, .b = b };
	lsn_t before = s->applied, settled = s->settled;
	struct err err = ERR_INIT;
	unsigned repeats = 0;

	while (!send_batch(s, b, &err)) {
		if (repeats++ == REPEATS_MAX || !start_over(s, before))
			return post_error(s, &err);
		err_clear(&err);
	}
	s->carried = s->begun;
	post(s, &applied);
	if (s->settled != settled)
		post_settled(s);
	return true;
}

static bool
apply_nothing(struct kafka_sink *s)
{
	struct err err = ERR_INIT;

	if (!settle(s, &err))
		return post_error(s, &err);
	post_settled(s);
	return true;
}

/* ---- waiting */

static void
wait_until(struct kafka_sink *s, usec_t mono)
{
	const struct timespec at = {
		.tv_sec = mono / USEC_PER_SEC,
		.tv_nsec = mono % USEC_PER_SEC * 1000,
	};

	pthread_cond_timedwait(&s->work, &s->lock, &at);
}

/* A batch; or NULL to settle. False: to end. */
static bool
wait_for_work(struct kafka_sink *s, struct batch **b_r)
{
	bool settles = wants_to_settle(s), stop;

	pthread_mutex_lock(&s->lock);
	while (!s->stop && (s->b == NULL || s->taken)) {
		if (settles && (s->drain || clock_mono_us() >= settle_idle_at(s)))
			break;
		if (settles)
			wait_until(s, settle_idle_at(s));
		else
			pthread_cond_wait(&s->work, &s->lock);
	}
	stop = s->stop;
	*b_r = s->taken ? NULL : s->b;
	s->taken = s->b != NULL;
	pthread_mutex_unlock(&s->lock);
	return !stop;
}

void *
kafka_apply_run(void *arg)
{
	struct kafka_sink *s = arg;
	struct batch *b;
	bool ok = true;

	while (ok && wait_for_work(s, &b))
		ok = b != NULL ? apply(s, b) : apply_nothing(s);
	return NULL;
}
