#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/sink/kafka_int.h"
#include "lib/sink/sink.h"

/*
 * Two threads. The event loop's hands over a batch and goes on reading; ours
 * makes records of it, sends them and commits, all of which may wait, and tells
 * the loop by notes and an eventfd. What belongs to which:
 *
 *	loop	cfg, callbacks, tables' states, timer
 *	thread	client, encoder, walk, progress; the batch, from submit() to the note
 *		that it is applied
 *	both	what `lock` is over
 *
 * While the thread has no batch (and has told so) the loop may touch its things
 * under the lock: table_changed() does.
 *
 * With exactly_once: a Kafka transaction begins with a batch and is committed
 * when that is in, so that a lone change is seen soon, and changes that come
 * meanwhile make up the next one. Large batches follow one another, and a commit
 * stops the sending for tens of milliseconds: then a transaction goes on over
 * several batches, for COMMIT_US. It never ends inside a source transaction.
 *
 * Without: what is sent is seen at once, and the position follows, once a
 * second at most, when all before it is stored.
 *
 * A transaction that the brokers could not take is aborted and sent again, if
 * all of it is in the batch at hand; else the worker starts again from the
 * position.
 */

#define CONNECT_TIMEOUT (30 * USEC_PER_SEC)
#define COMMIT_US	(200 * USEC_PER_MSEC)
#define POSITION_US	USEC_PER_SEC
#define WATCH_SECONDS	2
#define REPEATS_MAX	3

/* A batch of so many changes or bytes is likely to be followed by another. */
#define LARGE_CHANGES 10000
#define LARGE_BYTES   (BATCH_BYTES_MAX / 2)

static const struct sink_appetite appetite = { .changes = 20000, .wait = 50 * USEC_PER_MSEC };

enum note_kind {
	NOTE_APPLIED,
	NOTE_DURABLE,
	NOTE_TABLE_ERROR,
	NOTE_FIND,
	NOTE_ERROR
};

/* A row that the thread asks the loop for, and waits. */
struct find {
	const struct table *t;
	const struct row *row;
	struct arena *a;
	const struct row *found;
	struct err err;
	bool done;
};

/* From the thread to the loop. */
struct note {
	struct note *next;
	enum note_kind kind;
	struct batch *b;
	lsn_t lsn;
	struct table *t;
	struct find *find;
	struct err err;
};

struct kafka_sink {
	struct sink base;
	const struct sink_config *cfg;
	struct kafka_options opt;
	char id[KAFKA_ID_SIZE];
	struct arena *arena;
	struct kafka_encoder *e;
	struct kclient *k;
	struct kafka_out out;
	struct kafka_walk walk;
	struct kafka_progress_config progress_cfg;
	struct kafka_progress *progress;
	struct event *readable; /* there are notes */
	struct event *watch;	/* while the thread is at work */

	/* the thread's */
	bool begun;	   /* records were sent since the last commit */
	usec_t begun_at;   /* the first of them */
	usec_t settled_at; /* the last commit of a position */
	lsn_t applied;	   /* end of the last source commit that was sent */
	lsn_t settled;	   /* the position that is stored */
	bool carried;	   /* begun with an earlier batch */

	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct batch *b; /* to be applied, or being applied */
	bool taken;
	bool drain;
	bool stop;
	struct note *first, **last;
	int wakeup; /* eventfd */
};

/* ---- notes */

static void
post(struct kafka_sink *s, const struct note *n)
{
	struct note *copy = xmalloc(sizeof(*copy));
	uint64_t one = 1;

	*copy = *n;
	copy->next = NULL;
	pthread_mutex_lock(&s->lock);
	if (n->kind == NOTE_APPLIED) {
		s->b = NULL;
		s->taken = false;
	}
	*s->last = copy;
	s->last = &copy->next;
	pthread_mutex_unlock(&s->lock);
	while (write(s->wakeup, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void
post_error(struct kafka_sink *s, const struct err *err)
{
	const struct note n = { .kind = NOTE_ERROR, .err = *err };

	post(s, &n);
}

static void
on_table_error(void *arg, struct table *t, const struct err *err)
{
	const struct note n = { .kind = NOTE_TABLE_ERROR, .t = t, .err = *err };
	struct kafka_sink *s = arg;

	kafka_progress_add_stopped(s->progress, t->source_label, err->msg, err->hint);
	post(s, &n);
}

static bool
find_row(void *arg, const struct table *t, const struct row *row, struct arena *a,
    const struct row **row_r, struct err *err)
{
	struct find f = { .t = t, .row = row, .a = a };
	const struct note n = { .kind = NOTE_FIND, .find = &f };
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

static void
answer_find(struct kafka_sink *s, struct find *f)
{
	const struct sink_callbacks *cb = s->base.cb;

	cb->find_row(cb->arg, f->t, f->row, f->a, &f->found, &f->err);
	pthread_mutex_lock(&s->lock);
	f->done = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
}

static struct note *
take_notes(struct kafka_sink *s)
{
	struct note *list;
	uint64_t n;

	while (read(s->wakeup, &n, sizeof(n)) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&s->lock);
	list = s->first;
	s->first = NULL;
	s->last = &s->first;
	pthread_mutex_unlock(&s->lock);
	return list;
}

static void
tell(struct kafka_sink *s, const struct note *n)
{
	const struct sink_callbacks *cb = s->base.cb;

	switch (n->kind) {
	case NOTE_APPLIED:
		cb->on_applied(cb->arg, n->b);
		break;
	case NOTE_DURABLE:
		cb->on_durable(cb->arg, n->lsn);
		break;
	case NOTE_TABLE_ERROR:
		cb->on_table_error(cb->arg, n->t, &n->err);
		break;
	case NOTE_FIND:
		answer_find(s, n->find);
		break;
	case NOTE_ERROR:
		cb->on_error(cb->arg, &n->err);
		break;
	}
}

static void
on_notes(evutil_socket_t fd, short what, void *arg)
{
	struct kafka_sink *s = arg;
	struct note *n, *next;

	(void)fd;
	(void)what;
	for (n = take_notes(s); n != NULL; n = next) {
		next = n->next;
		tell(s, n);
		free(n);
	}
}

/* ---- the thread: sending and committing */

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

/* The position, in the transaction of the records or behind them. */
static bool
settle(struct kafka_sink *s, struct err *err)
{
	if (!s->opt.exactly_once && !kclient_commit(s->k, err))
		return false;
	kafka_progress_set_lsn(s->progress, s->applied);
	if (!kafka_progress_send(s->progress, s->k, err) || !kclient_commit(s->k, err))
		return false;
	s->begun = false;
	s->carried = false;
	s->settled = s->applied;
	s->settled_at = clock_mono_us();
	return true;
}

static void
post_settled(struct kafka_sink *s)
{
	const struct note n = { .kind = NOTE_DURABLE, .lsn = s->settled };

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
	return !is_due(s, b) || settle(s, err);
}

static bool
start_over(struct kafka_sink *s, lsn_t before)
{
	struct err ignored = ERR_INIT;

	if (s->carried || !kclient_may_repeat(s->k) || !kclient_abort(s->k, &ignored))
		return false;
	kafka_walk_forget(&s->walk);
	s->begun = false;
	s->applied = before;
	return true;
}

static void
apply(struct kafka_sink *s, struct batch *b)
{
	const struct note applied = { .kind = NOTE_APPLIED, .b = b };
	lsn_t before = s->applied, settled = s->settled;
	struct err err = ERR_INIT;
	unsigned repeats = 0;

	while (!send_batch(s, b, &err)) {
		if (repeats++ == REPEATS_MAX || !start_over(s, before)) {
			post_error(s, &err);
			return;
		}
		err_clear(&err);
	}
	s->carried = s->begun;
	post(s, &applied);
	if (s->settled != settled)
		post_settled(s);
}

static void
apply_nothing(struct kafka_sink *s)
{
	struct err err = ERR_INIT;

	if (settle(s, &err))
		post_settled(s);
	else
		post_error(s, &err);
}

/* ---- the thread: waiting */

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
		if (settles && (s->drain || clock_mono_us() >= settle_at(s)))
			break;
		if (settles)
			wait_until(s, settle_at(s));
		else
			pthread_cond_wait(&s->work, &s->lock);
	}
	stop = s->stop;
	*b_r = s->taken ? NULL : s->b;
	s->taken = s->b != NULL;
	pthread_mutex_unlock(&s->lock);
	return !stop;
}

static void *
run(void *arg)
{
	struct kafka_sink *s = arg;
	struct batch *b;

	while (wait_for_work(s, &b)) {
		if (b != NULL)
			apply(s, b);
		else
			apply_nothing(s);
	}
	return NULL;
}

/* Signals are the event loop's business. */
static bool
start_thread(struct kafka_sink *s, struct err *err)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	s->running = pthread_create(&s->thread, NULL, run, s) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return s->running || err_set(err, ERR_TRANSIENT, "could not start a thread");
}

/* ---- opening */

static bool
open_client(struct kafka_sink *s, struct err *err)
{
	const PeerdbFlow__FlowConnectionConfigs *mirror = s->cfg->mirror;
	struct kclient_config cfg = {
		.peer = s->cfg->peer->kafka_config,
		.role = KCLIENT_WRITER,
		.what = kafka_transactional_id(mirror->flow_job_name, s->id),
		.transactional_id = s->opt.exactly_once ? s->id : NULL,
		.timeout = CONNECT_TIMEOUT,
		.intr = s->cfg->intr,
	};

	s->progress_cfg = (struct kafka_progress_config){
		.peer = s->cfg->peer->kafka_config,
		.mirror = mirror->flow_job_name,
		.what = s->id,
		.timeout = CONNECT_TIMEOUT,
		.intr = s->cfg->intr,
	};
	s->progress = kafka_progress_new(&s->progress_cfg);
	return kclient_open(&cfg, &s->k, err) && kclient_connect(s->k, err) &&
	    kclient_fence(s->k, err) && kafka_progress_read(s->progress, err);
}

static bool
make_table(struct kafka_sink *s, struct table *t, struct err *err)
{
	return kafka_table_new(s->e, s->arena, t, &s->walk.tables[t->index].kt, err);
}

static bool
make_encoder(struct kafka_sink *s, struct err *err)
{
	const struct kafka_encoder_config cfg = {
		.opt = &s->opt,
		.mirror = s->cfg->mirror->flow_job_name,
		.database = s->cfg->database,
	};

	s->e = kafka_encoder_new(&cfg, err);
	s->out = (struct kafka_out){ .k = s->k, .e = s->e, .opt = &s->opt };
	return s->e != NULL;
}

/* What an earlier worker left out, though the daemon may never have heard of it. */
static void
take_stopped(struct kafka_sink *s, struct table *t)
{
	const struct kafka_stopped *k = kafka_progress_stopped(s->progress, t->source_label);
	struct err why = ERR_INIT;

	if (k == NULL || t->stopped)
		return;
	err_set(&why, ERR_DATA, "%s", k->error);
	err_hint(&why, "%s", k->hint);
	s->base.cb->on_table_error(s->base.cb->arg, t, &why);
}

static bool
kafka_open(struct sink *sk, lsn_t *checkpoint_r, struct err *err)
{
	struct kafka_sink *s = (struct kafka_sink *)sk;
	uint32_t i;

	if (!kafka_options_from(s->cfg->mirror, &s->opt, err))
		return false;
	if (!open_client(s, err))
		return err_context(err, "destination");
	kafka_progress_rest(s->progress);
	if (!make_encoder(s, err))
		return err_context(err, "destination");
	for (i = 0; i < s->cfg->ntables; i++) {
		take_stopped(s, s->cfg->tables[i]);
		if (!make_table(s, s->cfg->tables[i], err))
			return err_context(err, "destination");
	}
	s->applied = s->settled = kafka_progress_lsn(s->progress);
	*checkpoint_r = s->settled;
	return start_thread(s, err);
}

/* ---- the loop's side */

/* Trouble with the brokers is librdkafka's to deal with; people shall know why nothing moves. */
static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = { .tv_sec = WATCH_SECONDS };
	struct kafka_sink *s = arg;
	char words[512];
	bool busy;

	(void)fd;
	(void)what;
	pthread_mutex_lock(&s->lock);
	busy = s->b != NULL || s->drain;
	pthread_mutex_unlock(&s->lock);
	if (!busy)
		return;
	if (kclient_trouble(s->k, words, sizeof(words)))
		s->base.cb->on_warning(s->base.cb->arg, words);
	event_add(s->watch, &again);
}

/* Tables that the reader has stopped are remembered with the next position. */
static void
note_stopped(struct kafka_sink *s)
{
	struct table *t;
	uint32_t i;

	for (i = 0; i < s->cfg->ntables; i++) {
		t = s->cfg->tables[i];
		if (!t->stopped || s->walk.tables[i].stopped)
			continue;
		s->walk.tables[i].stopped = true;
		kafka_progress_add_stopped(s->progress, t->source_label, t->error, t->error_hint);
	}
}

static void
kafka_submit(struct sink *sk, struct batch *b)
{
	static const struct timeval soon = { .tv_sec = WATCH_SECONDS };
	struct kafka_sink *s = (struct kafka_sink *)sk;

	pthread_mutex_lock(&s->lock);
	if (s->b != NULL)
		bug("a batch was submitted while another is applied");
	note_stopped(s);
	s->b = b;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	if (!event_pending(s->watch, EV_TIMEOUT, NULL))
		event_add(s->watch, &soon);
}

static void
kafka_drain(struct sink *sk)
{
	struct kafka_sink *s = (struct kafka_sink *)sk;

	pthread_mutex_lock(&s->lock);
	s->drain = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
}

static void
kafka_table_changed(struct sink *sk, struct table *t)
{
	struct kafka_sink *s = (struct kafka_sink *)sk;
	struct err err = ERR_INIT;

	pthread_mutex_lock(&s->lock);
	if (!make_table(s, t, &err)) {
		s->walk.tables[t->index].stopped = true;
		kafka_progress_add_stopped(s->progress, t->source_label, err.msg, err.hint);
	}
	pthread_mutex_unlock(&s->lock);
	if (err.code != ERR_NONE)
		s->base.cb->on_table_error(s->base.cb->arg, t, &err);
}

/* What a control record says. */
static bool
kafka_add_column_text(struct sink *sk, struct table *t, const PeerdWorker__Column *col,
    const char *default_expr, struct arena *a, const char **sql_r, struct err *err)
{
	(void)sk;
	(void)default_expr;
	(void)err;
	*sql_r = arena_printf(a, "ALTER TABLE %s ADD COLUMN \"%s\" %s", t->source_label, col->name,
	    col->type_name);
	return true;
}

/* ---- birth and death */

static void
stop_thread(struct kafka_sink *s)
{
	if (!s->running)
		return;
	kclient_stop(s->k);
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
}

static void
free_notes(struct kafka_sink *s)
{
	struct note *n, *next;

	for (n = s->first; n != NULL; n = next) {
		next = n->next;
		free(n);
	}
}

static void
kafka_close(struct sink *sk)
{
	struct kafka_sink *s = (struct kafka_sink *)sk;

	stop_thread(s);
	event_free(s->readable);
	event_free(s->watch);
	fd_close(&s->wakeup);
	free_notes(s);
	kafka_progress_free(&s->progress);
	kclient_close(&s->k);
	kafka_encoder_free(&s->e);
	kafka_walk_done(&s->walk);
	free(s->walk.tables);
	pthread_cond_destroy(&s->work);
	pthread_mutex_destroy(&s->lock);
	arena_free(&s->arena);
	free(s);
}

static const struct sink_ops kafka_sink_ops = {
	.name = "kafka",
	.open = kafka_open,
	.submit = kafka_submit,
	.drain = kafka_drain,
	.table_changed = kafka_table_changed,
	.ddl_add_column = kafka_add_column_text,
	.close = kafka_close,
};

static void
init_lock(struct kafka_sink *s)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (pthread_mutex_init(&s->lock, NULL) != 0 || pthread_cond_init(&s->work, &attr) != 0)
		bug("no mutex");
	pthread_condattr_destroy(&attr);
	s->last = &s->first;
	s->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wakeup < 0)
		bug("no eventfd");
}

static void
init_walk(struct kafka_sink *s)
{
	uint32_t i, n = s->cfg->ntables;

	kafka_walk_init(&s->walk, n);
	s->walk.out = &s->out;
	s->walk.on_table_error = on_table_error;
	s->walk.find_row = find_row;
	s->walk.arg = s;
	s->walk.tables = xcalloc(n + 1, sizeof(*s->walk.tables));
	for (i = 0; i < n; i++)
		s->walk.tables[i].t = s->cfg->tables[i];
}

struct sink *
sink_kafka_new(const struct sink_config *cfg)
{
	struct kafka_sink *s = xcalloc(1, sizeof(*s));

	s->base.ops = &kafka_sink_ops;
	s->base.cb = cfg->cb;
	s->base.appetite = appetite;
	s->cfg = cfg;
	s->arena = arena_new(64 * KIB);
	init_lock(s);
	init_walk(s);
	s->readable = event_new(cfg->loop, s->wakeup, EV_READ | EV_PERSIST, on_notes, s);
	s->watch = event_new(cfg->loop, -1, 0, on_watch, s);
	event_add(s->readable, NULL);
	return &s->base;
}
