#include "workers/cdc_int.h"

#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/mem.h"

#define REPORT_US	  USEC_PER_SEC /* batches to the daemon: merged up to this */
#define PROGRESS_IDLE_US  (10 * USEC_PER_SEC)
#define STATUS_IDLE_US	  (10 * USEC_PER_SEC)
#define STATUS_BLOCKED_US (500 * USEC_PER_MSEC)
#define NOTE_US		  (10 * USEC_PER_SEC)
#define WATCH_US	  (2 * USEC_PER_SEC)
#define WATCH_IDLE_US	  (10 * USEC_PER_SEC)

/* ---- batches: many small ones become one row of the daemon's history */

void
cdc_report_applied(struct cdc *c, const struct batch *b)
{
	struct report *r = &c->report;
	uint32_t i, op;

	if (r->rows == 0) {
		r->start_lsn = b->start_lsn;
		r->start_us = b->opened_us;
	}
	if (b->end_lsn != LSN_INVALID) {
		r->end_lsn = b->end_lsn;
		c->lag_us = clock_wall_us() - b->commit_us;
	}
	r->end_us = clock_wall_us();
	r->rows += b->nchanges;
	c->rows_total += b->nchanges;
	for (i = 0; i < b->ntables; i++)
		for (op = 0; op < CHANGE_OPS; op++)
			r->counts[i][op] += b->counts[i][op];
}

static void
fill_counts(struct cdc *c, PeerdWorker__Batch *msg, PeerdWorker__Batch__Counts *counts,
    PeerdWorker__Batch__Counts **list)
{
	const struct report *r = &c->report;
	PeerdWorker__Batch__Counts *n;
	uint32_t i;

	for (i = 0; i < c->w->ntables; i++) {
		const uint64_t *by_op = r->counts[i];

		if (by_op[CHANGE_INSERT] + by_op[CHANGE_UPDATE] + by_op[CHANGE_DELETE] == 0)
			continue;
		n = &counts[msg->n_counts];
		*n = (PeerdWorker__Batch__Counts)PEERD_WORKER__BATCH__COUNTS__INIT;
		n->destination = (char *)c->w->tables[i]->destination_label;
		n->has_inserts = n->has_updates = n->has_deletes = true;
		n->inserts = (int64_t)by_op[CHANGE_INSERT];
		n->updates = (int64_t)by_op[CHANGE_UPDATE];
		n->deletes = (int64_t)by_op[CHANGE_DELETE];
		list[msg->n_counts++] = n;
	}
	msg->counts = list;
}

void
cdc_report_tables(struct cdc *c)
{
	PeerdWorker__SetupDone msg = PEERD_WORKER__SETUP_DONE__INIT;
	PeerdWorker__MirrorTable *copies, **defs;
	uint32_t i;

	if (!c->tables_changed)
		return;
	copies = xcalloc(c->w->ntables, sizeof(*copies));
	defs = xcalloc(c->w->ntables, sizeof(PeerdWorker__MirrorTable *));
	for (i = 0; i < c->w->ntables; i++) {
		const struct table *t = c->w->tables[i];

		/* the definition knows only the state it came with */
		defs[i] = &copies[i];
		copies[i] = *t->def;
		copies[i].has_state = true;
		copies[i].state = t->stopped ? PEERD_WORKER__TABLE_STATE__TABLE_ERROR
					     : PEERD_WORKER__TABLE_STATE__TABLE_RUNNING;
		copies[i].error = (char *)t->error;
		copies[i].error_hint = (char *)t->error_hint;
	}
	msg.n_tables = c->w->ntables;
	msg.tables = defs;
	ipc_send(c->w->ipc, IPC_TABLES, 0, &msg);
	free(defs);
	free(copies);
	c->tables_changed = false;
}

/*
 * New columns are told once the destination has them for good: a worker that
 * is told of a column relies on it.
 */
static bool
tables_are_durable(const struct cdc *c)
{
	return c->tables_lsn != LSN_INVALID &&
	    (ledger_idle(&c->ledger) || c->ledger.durable >= c->tables_lsn);
}

void
cdc_report_flush(struct cdc *c)
{
	PeerdWorker__Batch msg = PEERD_WORKER__BATCH__INIT;
	PeerdWorker__Batch__Counts *counts, **list;
	struct report *r = &c->report;

	if (tables_are_durable(c))
		cdc_report_tables(c);
	if (r->rows == 0)
		return;
	counts = xcalloc(c->w->ntables, sizeof(*counts));
	list = xcalloc(c->w->ntables, sizeof(PeerdWorker__Batch__Counts *));
	msg.has_batch_id = msg.has_start_lsn = msg.has_end_lsn = msg.has_rows = true;
	msg.has_start_us = msg.has_end_us = true;
	msg.batch_id = r->id++;
	msg.start_lsn = r->start_lsn;
	msg.end_lsn = r->end_lsn;
	msg.rows = (int64_t)r->rows;
	msg.start_us = r->start_us;
	msg.end_us = r->end_us;
	fill_counts(c, &msg, counts, list);
	ipc_send(c->w->ipc, IPC_BATCH, 0, &msg);
	free(list);
	free(counts);
	r->rows = 0;
	memset(r->counts, 0, c->w->ntables * sizeof(*r->counts));
	c->report_at = clock_mono_us();
}

/* ---- the source's position */

static const char position_query[] =
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
    " ELSE pg_current_wal_flush_lsn() END";

bool
cdc_source_position(struct cdc *c, lsn_t *lsn_r, struct err *err)
{
	PGresult *res = pgconn_exec(c->watch, err, position_query);
	bool ok = res != NULL &&
	    (lsn_parse(pgcell(res, 0, 0), lsn_r) ||
		err_set(err, ERR_PROTOCOL, "the source does not tell its position"));

	PQclear(res);
	return ok;
}

/* Asked beside the stream, which only tells how far it has read. */
static void
ask_position(struct cdc *c, usec_t now)
{
	PGconn *pq = pgconn_pq(c->watch);
	struct err err = ERR_INIT;

	if (c->watch_busy)
		return;
	c->watch_at = now;
	c->watch_busy = true;
	if (PQsendQuery(pq, position_query) != 1 || PQflush(pq) < 0) {
		pgconn_error(pq, NULL, &err);
		cdc_fail(c, &err);
	}
}

static void
take_position(struct cdc *c)
{
	PGresult *res = PQgetResult(pgconn_pq(c->watch));
	lsn_t lsn;

	if (res == NULL)
		c->watch_busy = false;
	else if (PQresultStatus(res) == PGRES_TUPLES_OK && lsn_parse(pgcell(res, 0, 0), &lsn))
		c->source_lsn = lsn;
	PQclear(res);
}

void
cdc_watch_event(evutil_socket_t fd, short what, void *arg)
{
	struct cdc *c = arg;
	PGconn *pq = pgconn_pq(c->watch);
	struct err err = ERR_INIT;

	if (PQconsumeInput(pq) != 1 || PQstatus(pq) != CONNECTION_OK) {
		pgconn_error(pq, NULL, &err);
		cdc_fail(c, &err);
	}
	while (c->watch_busy && !PQisBusy(pq))
		take_position(c);
}

void
cdc_watch_settle(struct cdc *c)
{
	while (c->watch_busy)
		take_position(c);
}

/* ---- once a second */

bool
cdc_send_status(struct cdc *c, struct err *err)
{
	c->status_sent = c->ledger.durable;
	c->status_at = clock_mono_us();
	return pgrepl_status(c->repl, c->ledger.received, c->status_sent, err);
}

static void
resource_use(PeerdWorker__Progress *msg)
{
	long pages = 0, resident = 0;
	struct rusage use;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f != NULL) {
		if (fscanf(f, "%ld %ld", &pages, &resident) != 2)
			resident = 0;
		fclose(f);
	}
	getrusage(RUSAGE_SELF, &use);
	msg->has_rss_bytes = msg->has_cpu_us = true;
	msg->rss_bytes = resident * sysconf(_SC_PAGESIZE);
	msg->cpu_us = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * USEC_PER_SEC +
	    use.ru_utime.tv_usec + use.ru_stime.tv_usec;
}

static int64_t
lag_us(const struct cdc *c)
{
	if (ledger_idle(&c->ledger))
		return 0;
	if (c->oldest_commit_us != 0)
		return clock_wall_us() - c->oldest_commit_us;
	return c->lag_us;
}

static void
send_progress(struct cdc *c, usec_t now)
{
	PeerdWorker__Progress msg = PEERD_WORKER__PROGRESS__INIT;
	lsn_t done = ledger_idle(&c->ledger) ? c->ledger.received : c->ledger.durable;
	char lag[48] = "";

	c->rows_per_second = (double)(c->rows_total - c->rows_before) * USEC_PER_SEC /
	    (double)(now - c->rows_at + 1);
	c->rows_before = c->rows_total;
	c->rows_at = now;
	msg.has_source_lsn = msg.has_received_lsn = msg.has_confirmed_lsn = true;
	msg.has_lag_bytes = msg.has_lag_us = msg.has_rows_per_second = true;
	msg.source_lsn = c->source_lsn;
	msg.received_lsn = c->ledger.received;
	msg.confirmed_lsn = c->ledger.durable;
	msg.lag_bytes = c->source_lsn > done ? (int64_t)(c->source_lsn - done) : 0;
	msg.lag_us = lag_us(c);
	msg.rows_per_second = c->rows_per_second;
	resource_use(&msg);
	ipc_send(c->w->ipc, IPC_PROGRESS, 0, &msg);
	c->progress_at = now;
	snprintf(lag, sizeof(lag), "RUNNING lag %lld B", (long long)msg.lag_bytes);
	worker_title(c->w, lag);
}

/*
 * The source gives up a client that says nothing for wal_sender_timeout. Its
 * own questions go unheard while reading is blocked, so it hears from us unasked.
 */
static bool
status_due(struct cdc *c, usec_t now)
{
	return c->ledger.durable != c->status_sent ||
	    now - c->status_at >= (c->blocked ? STATUS_BLOCKED_US : STATUS_IDLE_US);
}

void
cdc_tick(evutil_socket_t fd, short what, void *arg)
{
	struct cdc *c = arg;
	usec_t now = clock_mono_us();
	bool moving = !ledger_idle(&c->ledger) || c->rows_total != c->rows_before;
	struct err err = ERR_INIT;

	if (now - c->watch_at >= (moving ? WATCH_US : WATCH_IDLE_US))
		ask_position(c, now);
	if (ledger_idle(&c->ledger) && now - c->report_at >= REPORT_US)
		cdc_report_flush(c);
	if (moving || c->rows_per_second > 0 || now - c->progress_at >= PROGRESS_IDLE_US)
		send_progress(c, now);
	if (status_due(c, now) && !cdc_send_status(c, &err))
		cdc_fail(c, &err);
	if (now - c->noted_at >= NOTE_US)
		cdc_note_position(c);
	cdc_stop_if_drained(c);
}
