#include <sys/random.h>

#include "lib/base/events.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/sink/ch_int.h"

#define CONNECT_TIMEOUT	 (30 * USEC_PER_SEC)
#define CHECKPOINT_EVERY USEC_PER_SEC
#define SQL_MAX		 (16 * MIB)

/* ---- what is wrong */

void
ch_sink_fail(struct ch_sink *s, const struct err *err)
{
	s->base.cb->on_error(s->base.cb->arg, err);
}

void
ch_sink_stop_table(struct ch_sink *s, struct table *t, const struct err *why)
{
	s->base.cb->on_table_error(s->base.cb->arg, t, why);
}

/* ---- tables */

/* Values are written as the types that the table has: it may have been there before the mirror. */
static bool
bind_target(struct ch_sink *s, struct ch_target *g, struct err *err)
{
	struct ch_table *ct;

	if (!ch_side_bind(&s->side, s->arena, g->t, &ct, err))
		return false;
	g->insert = ch_ddl_insert(ct, "", s->arena);
	s->tables[g->t->index] = ct;
	g->nsettings = ch_insert_settings(ct, g->settings);
	g->unbound = false;
	return true;
}

/* ---- opening */

/* What an earlier worker left out, though the daemon may never have heard of it. */
static void
take_stopped(struct ch_sink *s, struct ch_target *g)
{
	const struct ch_meta_entry *e = ch_meta_find(s->meta, CH_META_STOPPED, g->t->source_label);
	struct err why = ERR_INIT;

	if (e == NULL)
		return;
	g->stop_kept = true;
	if (g->t->stopped)
		return;
	err_set(&why, ERR_DATA, "%s", e->words);
	err_hint(&why, "%s", e->hint);
	ch_sink_stop_table(s, g->t, &why);
}

/* ClickHouse likes few and large inserts; but no change waits longer than idle_timeout_seconds. */
static void
choose_appetite(struct ch_sink *s)
{
	uint64_t idle = s->cfg->mirror->idle_timeout_seconds, wait = s->side.opt.flush_seconds;

	s->base.appetite = (struct sink_appetite){
		.changes = BATCH_CHANGES_MAX,
		.wait = (usec_t)(idle > 0 && idle < wait ? idle : wait) * USEC_PER_SEC,
		.always = true,
	};
}

static bool
open_client(struct ch_sink *s, struct err *err)
{
	const PeerdbPeers__ClickhouseConfig *peer = s->cfg->peer->clickhouse_config;
	const char *mirror = s->cfg->mirror->flow_job_name;
	struct chclient_config cfg = {
		.peer = peer,
		.loop = s->cfg->loop,
		.intr = s->cfg->intr,
		.what = arena_printf(s->arena, "peerd_%s", mirror),
		.connect_timeout = CONNECT_TIMEOUT,
	};

	s->side = (struct ch_side){ .peer = peer, .mirror = s->cfg->mirror };
	return chclient_open(&cfg, &s->side.c, err) && ch_side_options(&s->side, err) &&
	    ch_meta_open(s->side.c, peer, mirror, &s->meta, err) && ch_meta_create(s->meta, err);
}

static bool
ch_open(struct sink *sk, lsn_t *checkpoint_r, struct err *err)
{
	struct ch_sink *s = (struct ch_sink *)sk;
	lsn_t lsn;
	uint32_t i;

	if (!open_client(s, err))
		return err_context(err, "destination");
	choose_appetite(s);
	for (i = 0; i < s->cfg->ntables; i++) {
		take_stopped(s, &s->targets[i]);
		if (!s->targets[i].t->stopped && !bind_target(s, &s->targets[i], err))
			return err_context(err, "destination");
	}
	lsn = ch_meta_checkpoint(s->meta);
	s->before = s->applied_lsn = s->checkpoint_lsn = s->durable_lsn = lsn;
	*checkpoint_r = lsn;
	return true;
}

/* ---- the position: behind the rows that it speaks of, together with tables that stopped */

static size_t
list_stopped(const struct ch_sink *s, struct ch_meta_entry *entries, size_t n)
{
	uint32_t i;

	for (i = 0; i < s->cfg->ntables; i++) {
		const struct ch_target *g = &s->targets[i];

		if (!g->t->stopped || g->stop_kept)
			continue;
		entries[n++] = (struct ch_meta_entry){
			.kind = CH_META_STOPPED,
			.name = g->t->source_label,
			.words = g->t->error,
			.hint = g->t->error_hint,
		};
	}
	return n;
}

static void
note_stops_kept(struct ch_sink *s)
{
	uint32_t i;

	for (i = 0; i < s->cfg->ntables; i++)
		if (s->targets[i].t->stopped)
			s->targets[i].stop_kept = true;
}

static void
checkpoint_send(struct ch_sink *s)
{
	struct ch_meta_entry *entries = xcalloc(s->cfg->ntables + 1, sizeof(*entries));
	size_t n = 0;

	entries[n++] = (struct ch_meta_entry){
		.kind = CH_META_CHECKPOINT,
		.lsn = s->applied_lsn,
	};
	n = list_stopped(s, entries, n);
	note_stops_kept(s);
	buf_reset(&s->checkpoint_sql);
	ch_meta_statement(s->meta, entries, n, &s->checkpoint_sql);
	free(entries);
	s->checkpoint_busy = true;
	s->checkpoint_lsn = s->applied_lsn;
	s->checkpoint_at = clock_mono_us();
	s->checkpoint.post = (struct ch_post){ .sql = buf_str(&s->checkpoint_sql) };
	ch_call_send(&s->checkpoint);
}

static bool
checkpoint_wanted(const struct ch_sink *s)
{
	return !s->checkpoint_busy && s->applied_lsn > s->durable_lsn;
}

static void
checkpoint_tick(evutil_socket_t fd, short what, void *arg)
{
	struct ch_sink *s = arg;

	if (checkpoint_wanted(s))
		checkpoint_send(s);
}

static void
checkpoint_schedule(struct ch_sink *s)
{
	usec_t wait = s->checkpoint_at + CHECKPOINT_EVERY - clock_mono_us();
	struct timeval tv = { .tv_sec = wait / USEC_PER_SEC, .tv_usec = wait % USEC_PER_SEC };

	if (!checkpoint_wanted(s))
		return;
	if (s->draining || wait <= 0)
		checkpoint_send(s);
	else if (!event_pending(s->checkpoint_timer, EV_TIMEOUT, NULL))
		event_add(s->checkpoint_timer, &tv);
}

static void
checkpoint_done(void *arg, const struct ch_answer *answer, const struct err *err)
{
	struct ch_sink *s = arg;

	if (err != NULL) {
		ch_sink_fail(s, err);
		return;
	}
	s->checkpoint_busy = false;
	s->durable_lsn = s->checkpoint_lsn;
	s->draining &= s->durable_lsn < s->applied_lsn;
	checkpoint_schedule(s);
	s->base.cb->on_durable(s->base.cb->arg, s->durable_lsn);
}

static void
ch_drain(struct sink *sk)
{
	struct ch_sink *s = (struct ch_sink *)sk;

	s->draining = s->applied_lsn > s->durable_lsn;
	checkpoint_schedule(s);
}

/* ---- barriers: statements, one after the other */

static void
add_step(struct ch_sink *s, const char *sql, size_t n)
{
	const char **more = arena_alloc(s->run, (s->nsteps + 1) * sizeof(*more));

	if (s->nsteps > 0)
		memcpy(more, s->steps, s->nsteps * sizeof(*more));
	more[s->nsteps++] = arena_strndup(s->run, sql, n);
	s->steps = more;
}

static void
add_truncates(struct ch_sink *s, const struct segment *seg)
{
	struct ch_statements list;
	uint32_t i;
	unsigned j;

	for (i = 0; i < seg->ntables; i++) {
		if (seg->tables[i]->stopped)
			continue;
		ch_ddl_truncate(s->tables[seg->tables[i]->index], "", s->run, &list);
		for (j = 0; j < list.n; j++)
			add_step(s, list.sql[j], strlen(list.sql[j]));
	}
}

/* The length of the first statement of several: up to a semicolon outside quotes. */
static size_t
statement_length(const char *sql)
{
	char quote = '\0';
	size_t i;

	for (i = 0; sql[i] != '\0' && (quote != '\0' || sql[i] != ';'); i++) {
		if (quote != '\0' && sql[i] == '\\' && sql[i + 1] != '\0')
			i++;
		else if (quote != '\0')
			quote = sql[i] == quote ? '\0' : quote;
		else if (sql[i] == '\'' || sql[i] == '`')
			quote = sql[i];
	}
	return i;
}

static void
add_ddl(struct ch_sink *s, const char *sql)
{
	size_t n;

	for (; *sql != '\0'; sql += n + (sql[n] == ';')) {
		n = statement_length(sql);
		add_step(s, sql, n);
	}
}

/* When all columns that come together were added they have types. */
static bool
bind_extended(struct ch_sink *s, struct err *err)
{
	const struct batch *b = s->b;
	uint32_t i;

	if (s->segment_end < b->nsegments && b->segments[s->segment_end].kind == SEGMENT_DDL)
		return true;
	for (i = 0; i < s->cfg->ntables; i++)
		if (s->targets[i].unbound && !s->targets[i].t->stopped &&
		    !bind_target(s, &s->targets[i], err))
			return false;
	return true;
}

static void
barrier_next(struct ch_sink *s)
{
	struct err err = ERR_INIT;

	if (s->step < s->nsteps) {
		s->barrier.post = (struct ch_post){ .sql = s->steps[s->step] };
		ch_call_send(&s->barrier);
	} else if (bind_extended(s, &err)) {
		ch_sink_run_done(s);
	} else {
		ch_sink_fail(s, &err);
	}
}

/* A server without IF NOT EXISTS complains when a column is added again. */
static bool
is_there_already(const struct ch_sink *s, const struct err *err)
{
	return !chclient_caps(s->side.c)->if_not_exists &&
	    strstr(err->msg, "already exists") != NULL;
}

static void
barrier_done(void *arg, const struct ch_answer *answer, const struct err *err)
{
	struct ch_sink *s = arg;

	if (err != NULL && !is_there_already(s, err)) {
		ch_sink_fail(s, err);
		return;
	}
	s->step++;
	barrier_next(s);
}

static void
barrier_begin(struct ch_sink *s, const struct segment *seg)
{
	s->nsteps = s->step = 0;
	if (seg->kind == SEGMENT_TRUNCATE)
		add_truncates(s, seg);
	else
		add_ddl(s, seg->sql);
	barrier_next(s);
}

/* ---- batches: runs of changes, and barriers between them */

/* The changes of all segments up to the next barrier. */
static void
run_begin(struct ch_sink *s)
{
	const struct segment *seg = s->b->segments;
	uint32_t i, n, from = UINT32_MAX, to = 0;
	struct ch_images *images;

	for (i = s->segment; i < s->b->nsegments && seg[i].kind == SEGMENT_CHANGES; i++) {
		if (seg[i].from == seg[i].to)
			continue; /* a commit alone */
		if (from == UINT32_MAX)
			from = seg[i].from;
		to = seg[i].to;
	}
	s->segment_end = i;
	if (from == UINT32_MAX)
		from = to;
	images = ch_batch_images(s->run, s->b, from, to, s->before, s->tables, &n);
	ch_flow_start(s, images, n);
}

static void
batch_done(struct ch_sink *s)
{
	struct batch *b = s->b;

	s->b = NULL;
	s->before = ch_batch_before_next(b, s->before);
	checkpoint_schedule(s);
	s->base.cb->on_applied(s->base.cb->arg, b);
}

static void
step(struct ch_sink *s)
{
	const struct segment *seg;

	arena_reset(s->run);
	if (s->segment == s->b->nsegments) {
		batch_done(s);
		return;
	}
	seg = &s->b->segments[s->segment];
	s->segment_end = s->segment + 1;
	if (seg->kind == SEGMENT_CHANGES)
		run_begin(s);
	else
		barrier_begin(s, seg);
}

/*
 * Behind a barrier the position is written at once: a TRUNCATE that came again
 * would show an empty table until all that follows has come again too.
 */
void
ch_sink_run_done(struct ch_sink *s)
{
	bool barrier = s->b->segments[s->segment].kind != SEGMENT_CHANGES;

	for (; s->segment < s->segment_end; s->segment++)
		if (s->b->segments[s->segment].commit_lsn != LSN_INVALID)
			s->applied_lsn = s->b->segments[s->segment].commit_lsn;
	if (barrier && checkpoint_wanted(s))
		checkpoint_send(s);
	/* from the loop, so that many barriers are no deep recursion */
	event_active(s->notify, 0, 0);
}

static void
on_notify(evutil_socket_t fd, short what, void *arg)
{
	step(arg);
}

static void
ch_submit(struct sink *sk, struct batch *b)
{
	struct ch_sink *s = (struct ch_sink *)sk;

	if (s->b != NULL)
		bug("a batch was submitted while another is applied");
	s->b = b;
	s->segment = 0;
	event_active(s->notify, 0, 0);
}

/* ---- columns that come */

static void
ch_table_changed(struct sink *sk, struct table *t)
{
	((struct ch_sink *)sk)->targets[t->index].unbound = true;
}

static const PeerdbFlow__ColumnSetting *
find_setting(const PeerdbFlow__TableMapping *map, const char *column)
{
	size_t i;

	for (i = 0; i < map->n_columns; i++)
		if (strcmp(map->columns[i]->source_name, column) == 0)
			return map->columns[i];
	return NULL;
}

static bool
ch_add_column_text(struct sink *sk, struct table *t, const PeerdWorker__Column *col,
    const char *old_value, struct arena *a, const char **sql_r, struct err *err)
{
	struct ch_sink *s = (struct ch_sink *)sk;
	const struct ch_table *ct = s->tables[t->index];
	struct ch_statements list;
	struct ch_column c;
	const char *sql = "";
	unsigned i;

	if (!ch_column_init(&c, col, find_setting(ct->map, col->name), &s->side.opt, ct->caps, err))
		return err_context(err, "%s", t->source_label);
	ch_ddl_add_column(ct, &c, old_value, a, &list);
	for (i = 0; i < list.n; i++)
		sql = arena_printf(a, "%s%s;", sql, list.sql[i]);
	*sql_r = sql;
	return true;
}

/* ---- birth and death */

static void
ch_close(struct sink *sk)
{
	struct ch_sink *s = (struct ch_sink *)sk;

	ch_flow_cancel(s);
	ch_call_done(&s->barrier);
	ch_call_done(&s->checkpoint);
	event_done(&s->notify);
	event_done(&s->checkpoint_timer);
	ch_meta_close(&s->meta);
	chclient_close(&s->side.c);
	buf_done(&s->checkpoint_sql);
	arena_free(&s->run);
	arena_free(&s->arena);
	free(s->targets);
	free(s->tables);
	free(s);
}

static const struct sink_ops ch_sink_ops = {
	.name = "clickhouse",
	.open = ch_open,
	.submit = ch_submit,
	.drain = ch_drain,
	.table_changed = ch_table_changed,
	.ddl_add_column = ch_add_column_text,
	.close = ch_close,
};

struct sink *
sink_clickhouse_new(const struct sink_config *cfg)
{
	struct ch_sink *s = xcalloc(1, sizeof(*s));
	uint32_t i;

	s->base.ops = &ch_sink_ops;
	s->base.cb = cfg->cb;
	s->cfg = cfg;
	s->arena = arena_new(64 * KIB);
	s->run = arena_new(256 * KIB);
	s->notify = event_new(cfg->loop, -1, 0, on_notify, s);
	s->checkpoint_timer = event_new(cfg->loop, -1, 0, checkpoint_tick, s);
	buf_init(&s->checkpoint_sql, SQL_MAX);
	ch_call_init(&s->barrier, s, barrier_done, s);
	ch_call_init(&s->checkpoint, s, checkpoint_done, s);
	if (getrandom(&s->nonce, sizeof(s->nonce), 0) != sizeof(s->nonce))
		s->nonce = (uint64_t)clock_wall_us();
	s->targets = xcalloc(cfg->ntables, sizeof(*s->targets));
	s->tables = xcalloc(cfg->ntables, sizeof(struct ch_table *));
	for (i = 0; i < cfg->ntables; i++)
		s->targets[i].t = cfg->tables[i];
	return &s->base;
}
