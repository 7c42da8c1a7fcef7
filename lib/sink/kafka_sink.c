#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/sink/kafka_sink_int.h"

#define CONNECT_TIMEOUT (30 * USEC_PER_SEC)
#define WATCH_SECONDS	2

static const struct sink_appetite appetite = { .changes = 20000, .wait = 50 * USEC_PER_MSEC };

/* ---- what the thread says */

static void
answer_find(struct kafka_sink *s, struct kafka_find *f)
{
	const struct sink_callbacks *cb = s->base.cb;

	cb->find_row(cb->arg, f->t, f->row, f->a, &f->found, &f->err);
	pthread_mutex_lock(&s->lock);
	f->done = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->lock);
}

static struct kafka_note *
take_notes(struct kafka_sink *s)
{
	struct kafka_note *list;
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
tell(struct kafka_sink *s, const struct kafka_note *n)
{
	const struct sink_callbacks *cb = s->base.cb;

	switch (n->kind) {
	case KAFKA_NOTE_APPLIED:
		cb->on_applied(cb->arg, n->b);
		break;
	case KAFKA_NOTE_DURABLE:
		cb->on_durable(cb->arg, n->lsn);
		break;
	case KAFKA_NOTE_TABLE_ERROR:
		cb->on_table_error(cb->arg, n->t, &n->err);
		break;
	case KAFKA_NOTE_FIND:
		answer_find(s, n->find);
		break;
	case KAFKA_NOTE_ERROR:
		cb->on_error(cb->arg, &n->err);
		break;
	}
}

static void
on_notes(evutil_socket_t fd, short what, void *arg)
{
	struct kafka_sink *s = arg;
	struct kafka_note *n, *next;

	(void)fd;
	(void)what;
	for (n = take_notes(s); n != NULL; n = next) {
		next = n->next;
		tell(s, n);
		free(n);
	}
}

/* ---- opening */

/* Signals are the event loop's business. */
static bool
start_thread(struct kafka_sink *s, struct err *err)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	s->running = pthread_create(&s->thread, NULL, kafka_apply_run, s) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return s->running || err_set(err, ERR_TRANSIENT, "could not start a thread");
}

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
	sk->wants_messages = (s->opt.controls & KAFKA_CONTROL_MESSAGE) != 0;
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
	kclient_hand_over(s->k);
	s->applied = s->settled = s->sent = kafka_progress_lsn(s->progress);
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
	struct kafka_note *n, *next;

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
	s->walk.on_table_error = kafka_apply_table_error;
	s->walk.find_row = kafka_apply_find_row;
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
