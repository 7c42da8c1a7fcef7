#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/pgslot.h"
#include "lib/sink/dest.h"
#include "workers/cdc_int.h"

/*
 * Catching up, the stream is read in large pieces (pgrepl_set_pace()), or when
 * little has come for LAZY_US. A reader that takes each packet as it arrives
 * makes the walsender send one a message, which costs it twice the CPU.
 * Who is BEHIND_US behind does not mind the LAZY_US. A look that has brought
 * much is followed by another after MORE_US.
 */
#define BEHIND_US (100 * USEC_PER_MSEC)
#define LAZY_US	  (10 * USEC_PER_MSEC)
#define MORE_US	  300

/* What is taken in at once, before it is looked at: it bounds libpq's buffer. */
#define INTAKE_BYTES MIB
#define INTAKE_READS 16

/* How long a stop waits for the end of the transaction that is arriving. */
#define STOP_TX_US (3 * USEC_PER_SEC)

void
cdc_fail(struct cdc *c, const struct err *err)
{
	worker_exit_failed(c->w, err);
}

/* ---- batches to the sink */

static void
submit(struct cdc *c)
{
	struct batch *b = c->fill;

	batch_close(b);
	b->id = c->report.id;
	c->fill = c->spare;
	c->spare = NULL;
	sink_submit(c->sink, b);
}

void
cdc_note_position(struct cdc *c)
{
	if (c->spare == NULL || c->stopping || !batch_empty(c->fill) || !ledger_behind(&c->ledger))
		return;
	c->noted_at = clock_mono_us();
	batch_commit(c->fill, c->ledger.received, clock_wall_us());
	submit(c);
}

/* For how long may the batch be held back, so that more comes into it? As the sink likes it. */
static usec_t
wait_left(const struct cdc *c)
{
	const struct sink_appetite *a = &c->sink->appetite;
	usec_t age = clock_wall_us() - c->fill->opened_us;

	if (c->stopping || !(c->catching_up || a->always) || c->fill->nchanges >= a->changes)
		return 0;
	return age >= 0 && age < a->wait ? a->wait - age : 0;
}

static bool
is_due(const struct cdc *c)
{
	if (batch_empty(c->fill))
		return false;
	if (c->held.n > 0 || batch_full(c->fill, c->max_changes))
		return true;
	return batch_at_commit(c->fill) && wait_left(c) == 0;
}

/* Nothing else may happen until the batch has waited long enough. */
static void
come_back(struct cdc *c, usec_t wait)
{
	struct timeval tv = { .tv_sec = wait / USEC_PER_SEC, .tv_usec = wait % USEC_PER_SEC };

	if (wait > 0 && !event_pending(c->gather, EV_TIMEOUT, NULL))
		event_add(c->gather, &tv);
}

/* The sink is idle: is there something for it? */
static void
submit_if_due(struct cdc *c)
{
	struct err err = ERR_INIT;

	if (c->spare == NULL)
		return;
	if (is_due(c)) {
		submit(c);
		return;
	}
	if (!batch_empty(c->fill))
		come_back(c, wait_left(c));
	if (c->held.n > 0 && batch_empty(c->fill) && !cdc_release_held(c, &err))
		cdc_fail(c, &err);
}

static void
on_gathered(evutil_socket_t fd, short what, void *arg)
{
	submit_if_due(arg);
}

static void
update_blocked(struct cdc *c)
{
	bool blocked = c->held.n > 0 || (c->spare == NULL && batch_full(c->fill, c->max_changes));

	if (c->blocked && !blocked)
		event_active(c->readable, EV_READ, 0); /* libpq may hold messages already */
	c->blocked = blocked;
}

static void
start_reading(struct cdc *c)
{
	static const struct timeval lazily = { .tv_usec = LAZY_US }, more = { .tv_usec = MORE_US };

	if (c->pace == PGREPL_LOOKS)
		event_add(c->look, c->taken >= PGREPL_LOOK_BYTES ? &more : &lazily);
	else
		event_add(c->readable, c->pace == PGREPL_GULPS ? &lazily : NULL);
}

static void
stop_reading(struct cdc *c)
{
	event_del(c->readable);
	event_del(c->look);
}

static void
on_applied(void *arg, struct batch *b)
{
	struct cdc *c = arg;

	cdc_report_applied(c, b);
	batch_reset(b);
	c->spare = b;
	c->oldest_commit_us = batch_empty(c->fill) ? 0 : c->fill->commit_us;
	submit_if_due(c);
	update_blocked(c);
	if (!c->blocked && !c->stopping)
		start_reading(c);
	cdc_stop_if_drained(c);
}

static void
on_durable(void *arg, lsn_t lsn)
{
	struct cdc *c = arg;
	struct err err = ERR_INIT;

	ledger_durable(&c->ledger, lsn);
	if (c->stopping || clock_mono_us() - c->report_at >= USEC_PER_SEC)
		cdc_report_flush(c);
	if (!cdc_send_status(c, &err))
		cdc_fail(c, &err);
	cdc_stop_if_drained(c);
}

static void
on_table_error(void *arg, struct table *t, const struct err *why)
{
	struct cdc *c = arg;

	worker_stop_table(c->w, t, why);
}

static void
on_warning(void *arg, const char *words)
{
	struct cdc *c = arg;

	worker_log(c->w, LOG_LEVEL_WARN, "%s", words);
}

static void
on_error(void *arg, const struct err *err)
{
	cdc_fail(arg, err);
}

/* ---- reading */

static void
on_keepalive(struct cdc *c, const struct pgrepl_msg *m)
{
	struct err err = ERR_INIT;

	if (m->wal_end > c->source_lsn)
		c->source_lsn = m->wal_end;
	if (!c->in_tx)
		ledger_received(&c->ledger, m->wal_end);
	if (!m->reply_wanted)
		return;
	cdc_note_position(c); /* a server that shuts down waits until all of it is confirmed */
	if (!cdc_send_status(c, &err))
		cdc_fail(c, &err);
}

/* Take the messages that libpq holds complete. Returns false when reading is blocked. */
static bool
take_messages(struct cdc *c)
{
	struct err err = ERR_INIT;
	struct pgrepl_msg m;

	while (!c->blocked) {
		switch (pgrepl_next(c->repl, &m, &err)) {
		case PGREPL_NONE:
			return true;
		case PGREPL_ERROR:
			cdc_fail(c, &err);
		case PGREPL_KEEPALIVE:
			on_keepalive(c, &m);
			break;
		case PGREPL_DATA:
			c->lsn = m.lsn;
			c->sent_us = m.sent_us;
			if (!cdc_message(c, m.bytes, &err))
				cdc_fail(c, &err);
			c->catching_up = m.sent_us - c->tx.commit_us > BEHIND_US;
			break;
		}
		if (c->held.n > 0 || batch_full(c->fill, c->max_changes)) {
			submit_if_due(c);
			update_blocked(c);
		}
	}
	return false;
}

/*
 * Take in what the socket holds, all of it: with what is left in it its window
 * stays closed, and the walsender's TCP tries again in 200 ms. libpq's buffer
 * doubles with every call, so few calls will do. Says in c->taken how much came.
 */
static void
take_in(struct cdc *c)
{
	uint64_t start = pgrepl_bytes(c->repl);
	struct err err = ERR_INIT;
	unsigned reads = 0;
	size_t waiting;

	if (!take_messages(c))
		return;
	do {
		waiting = pgrepl_waiting(c->repl);
		if (!pgrepl_read(c->repl, &err))
			cdc_fail(c, &err);
	} while (waiting > 0 && waiting < INTAKE_BYTES && ++reads < INTAKE_READS);
	take_messages(c);
	c->taken = pgrepl_bytes(c->repl) - start;
	if (c->taken == 0)
		c->catching_up = false;
}

static void
set_pace(struct cdc *c, bool lazy)
{
	if (lazy == (c->pace != PGREPL_EAGER))
		return;
	c->pace = pgrepl_set_pace(c->repl, lazy);
	stop_reading(c);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct cdc *c = arg;

	if (c->stopping && !c->in_tx) {
		stop_reading(c);
		return;
	}
	take_in(c);
	set_pace(c, c->catching_up);
	submit_if_due(c);
	update_blocked(c);
	if (c->blocked)
		stop_reading(c);
	else
		start_reading(c);
	cdc_stop_if_drained(c);
}

/* ---- stopping */

/*
 * Read on to the end of the transaction that is arriving, for a moment; then
 * let the sink finish, make it durable, tell the source, and go. Whatever is
 * cut off here comes again.
 */
void
cdc_stop(struct cdc *c)
{
	if (c->stopping)
		return;
	c->stopping = true;
	c->stop_deadline = clock_mono_us() + STOP_TX_US;
	if (!c->in_tx)
		stop_reading(c);
	submit_if_due(c);
	cdc_stop_if_drained(c);
}

void
cdc_stop_if_drained(struct cdc *c)
{
	struct err err = ERR_INIT;

	if (!c->stopping)
		return;
	if (!ledger_idle(&c->ledger)) {
		sink_drain(c->sink);
		if ((c->in_tx || c->ledger.open) && clock_mono_us() > c->stop_deadline)
			worker_exit_done(c->w);
		return;
	}
	cdc_report_flush(c);
	if (!cdc_send_status(c, &err))
		cdc_fail(c, &err);
	worker_exit_done(c->w);
}

/* ---- starting */

static bool
open_sink(struct cdc *c, lsn_t *checkpoint_r, struct err *err)
{
	c->sink_cb = (struct sink_callbacks){
		.on_applied = on_applied,
		.on_durable = on_durable,
		.on_table_error = on_table_error,
		.on_warning = on_warning,
		.find_row = cdc_find_row,
		.on_error = on_error,
		.arg = c,
	};
	c->sink_cfg = (struct sink_config){
		.loop = c->w->loop,
		.mirror = c->w->config->mirror,
		.peer = c->w->config->destination,
		.database = PQdb(pgconn_pq(c->watch)),
		.tables = c->w->tables,
		.ntables = c->w->ntables,
		.intr = &c->w->intr,
		.cb = &c->sink_cb,
	};
	c->sink = dest_sink_new(&c->sink_cfg, err);
	if (c->sink == NULL || !sink_open(c->sink, checkpoint_r, err))
		return false;
	if (*checkpoint_r == LSN_INVALID) {
		err_set(err, ERR_CONFIG, "the destination has no position of mirror \"%s\"",
		    c->w->config->mirror->flow_job_name);
		return err_hint(err, "was its metadata schema dropped? resync the mirror");
	}
	return true;
}

/* The source was told of durable positions only: what is ahead of them was not our doing. */
static bool
check_slot_position(const char *slot, const struct pgslot_state *st, lsn_t from, struct err *err)
{
	if (st->confirmed <= from)
		return true;
	err_set(err, ERR_CONFIG,
	    "replication slot \"%s\" is at %s, past the mirror's position %s: it was made anew or"
	    " moved on, or the destination was set back",
	    slot, lsn_str(st->confirmed), lsn_str(from));
	return err_hint(err, "changes in between are lost to the mirror: resync it");
}

/* A leftover of a killed worker may still be attached for a moment; help the server notice. */
static bool
free_slot(struct cdc *c, const char *slot, lsn_t from, struct err *err)
{
	struct pgslot_state st;
	PGresult *res;

	if (!pgslot_read(c->watch, slot, &st, err))
		return false;
	if (!st.exists) {
		err_set(err, ERR_CONFIG, "replication slot \"%s\" does not exist any more", slot);
		return err_hint(err, "changes since then are lost to the mirror: resync it");
	}
	if (!pgslot_usable(slot, &st, err) || !check_slot_position(slot, &st, from, err) ||
	    st.active_pid == 0)
		return err->code == ERR_NONE;
	res = pgconn_query(c->watch, err,
	    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
	    " WHERE slot_name = $1 AND active_pid IS NOT NULL",
	    1, slot);
	PQclear(res);
	return res != NULL;
}

/* Values may travel in binary form if every column of every table may. */
static bool
choose_form(struct cdc *c)
{
	bool binary = pgconn_version(c->watch) >= 140000;
	uint32_t i;

	for (i = 0; i < c->w->ntables; i++)
		if (!c->w->tables[i]->binary && !c->w->tables[i]->stopped)
			binary = false;
	for (i = 0; i < c->w->ntables; i++)
		c->w->tables[i]->binary = binary;
	return binary;
}

/*
 * A source that was set back would be asked for what it is only going to write:
 * everything up to there would be left out.
 */
static bool
check_position(struct cdc *c, lsn_t from, struct err *err)
{
	lsn_t end;

	if (!cdc_source_position(c, &end, err))
		return false;
	if (from <= end)
		return true;
	err_set(err, ERR_CONFIG,
	    "the mirror's position is %s, but the source's WAL ends at %s: was it"
	    " restored from a backup?",
	    lsn_str(from), lsn_str(end));
	return err_hint(err, "resync the mirror");
}

static bool
is_published(const PGresult *res, const struct table *t)
{
	int i;

	for (i = 0; i < PQntuples(res); i++)
		if ((relid_t)pgcell_i64(res, i, 0) == t->relid)
			return true;
	return false;
}

/* Of a table that is not published nothing is sent, which looks like a table at rest. */
static bool
stop_unpublished(struct cdc *c, const char *publication, struct err *err)
{
	struct err why = ERR_INIT;
	struct table *t;
	PGresult *res;
	uint32_t i;

	res = pgconn_query(c->watch, err,
	    "SELECT c.oid FROM pg_publication b"
	    " LEFT JOIN pg_publication_tables p USING (pubname)"
	    " LEFT JOIN pg_namespace n ON n.nspname = p.schemaname"
	    " LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename"
	    " WHERE b.pubname = $1",
	    1, publication);
	if (res == NULL)
		return false;
	if (PQntuples(res) == 0) {
		PQclear(res);
		err_set(err, ERR_CONFIG, "publication \"%s\" does not exist any more", publication);
		return err_hint(err, "resync the mirror");
	}
	for (i = 0; i < c->w->ntables; i++) {
		t = c->w->tables[i];
		if (t->stopped || is_published(res, t))
			continue;
		err_set(&why, ERR_DATA, "%s is not in publication \"%s\" any more", t->source_label,
		    publication);
		err_hint(&why, "changes since then are lost to the mirror: resync it");
		worker_stop_table(c->w, t, &why);
	}
	PQclear(res);
	return true;
}

static bool
asks_for_messages(struct cdc *c)
{
	if (!c->sink->wants_messages)
		return false;
	if (pgconn_version(c->watch) >= 140000)
		return true;
	worker_log(c->w, LOG_LEVEL_WARN,
	    "the source sends no logical messages: it would need Postgres 14 or newer");
	return false;
}

static bool
start_stream(struct cdc *c, struct pgconn **conn, const char *slot, const char *publication,
    lsn_t from, struct err *err)
{
	const struct pgrepl_wants wants = {
		.from = from,
		.binary = choose_form(c),
		.messages = asks_for_messages(c),
	};

	return pgrepl_start(conn, slot, publication, &wants, &c->repl, err);
}

static bool
open_stream(struct cdc *c, lsn_t from, struct err *err)
{
	const PeerdbFlow__FlowConnectionConfigs *cfg = c->w->config->mirror;
	const char *slot = pgslot_name(c->w->mirror, cfg);
	const char *publication = pgslot_publication(c->w->mirror, cfg);
	struct pgconn *conn = NULL;
	bool ok;

	ok = free_slot(c, slot, from, err) && check_position(c, from, err) &&
	    stop_unpublished(c, publication, err) &&
	    worker_connect(c->w, true, PGCONN_REPLICATION, &conn, err) &&
	    start_stream(c, &conn, slot, publication, from, err);
	pgconn_close(&conn);
	return ok;
}

static void
watch_events(struct cdc *c)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct event_base *loop = c->w->loop;

	c->readable = event_new(loop, pgrepl_fd(c->repl), EV_READ | EV_PERSIST, on_readable, c);
	c->look = event_new(loop, -1, 0, on_readable, c);
	c->tick = event_new(loop, -1, EV_PERSIST, cdc_tick, c);
	c->gather = event_new(loop, -1, 0, on_gathered, c);
	PQsetnonblocking(pgconn_pq(c->watch), 1);
	c->watch_readable = event_new(loop, PQsocket(pgconn_pq(c->watch)), EV_READ | EV_PERSIST,
	    cdc_watch_event, c);
	start_reading(c);
	event_add(c->tick, &second);
	event_add(c->watch_readable, NULL);
	event_active(c->readable, EV_READ, 0);
}

bool
cdc_start(struct worker *w, struct err *err)
{
	struct cdc *c = xcalloc(1, sizeof(*c));
	lsn_t checkpoint;

	c->w = w;
	c->max_changes = w->config->mirror->max_batch_size > 0 ? w->config->mirror->max_batch_size
							       : BATCH_CHANGES_MAX;
	buf_init(&c->held, WAL_MESSAGE_MAX);
	c->fill = batch_new(w->ntables);
	c->spare = batch_new(w->ntables);
	c->report.id = w->config->next_batch_id;
	c->report.counts = xcalloc(w->ntables, sizeof(*c->report.counts));
	c->rels = relmap_new(w->tables, w->ntables);
	if (!worker_connect(w, true, PGCONN_PLAIN, &c->watch, err) ||
	    !open_sink(c, &checkpoint, err) || !open_stream(c, checkpoint, err))
		return false;
	c->resume_lsn = checkpoint;
	ledger_init(&c->ledger, checkpoint);
	c->rows_at = clock_mono_us();
	watch_events(c);
	w->cdc = c; /* from here on a stop is the stream's business */
	return true;
}
