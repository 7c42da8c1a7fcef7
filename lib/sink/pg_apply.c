#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/conn/pgconn.h"
#include "lib/sink/pg_int.h"

/*
 * A segment's run, phase by phase:
 *
 *	PIPELINE --- a COPY is next --> DRAIN --> COPY_START --> COPY_DATA --> COPY_END --> PIPELINE
 *	         --- all tasks sent --> DRAIN --> next segment, or the batch is applied
 *	any error: results are drained, then ROLLBACK --> the same segment, more carefully
 *
 * (libpq does not let COPY into a pipeline.) Nothing here blocks: when libpq
 * cannot go on, the phase is left as it is until the socket is ready.
 */

#define FLUSH_EVERY 32

enum step {
	STEP_AGAIN, /* progress was made, look again */
	STEP_WAIT,  /* for the server to say something */
	STEP_FULL,  /* the socket takes no more for now: wait until it does, or the server speaks */
	STEP_DONE,  /* the batch is applied, or the sink has failed */
};

/* ---- statements in flight */

void
pg_flight_push(struct pg_sink *s, struct in_flight f)
{
	if (s->flight_n == IN_FLIGHT_MAX)
		bug("more than %d statements in flight", IN_FLIGHT_MAX);
	s->flight[(s->flight_head + s->flight_n++) % IN_FLIGHT_MAX] = f;
}

static struct in_flight *
flight_first(struct pg_sink *s)
{
	return &s->flight[s->flight_head];
}

static void
flight_pop(struct pg_sink *s)
{
	s->flight_head = (s->flight_head + 1) % IN_FLIGHT_MAX;
	s->flight_n--;
	s->got_result = false;
}

/* ---- errors */

static void
sink_failed(struct pg_sink *s)
{
	s->phase = APPLY_IDLE;
	event_del(s->readable);
	event_del(s->writable);
	s->base.cb->on_error(s->base.cb->arg, &s->err);
}

static void
note_error(struct pg_sink *s, const PGresult *res, struct pg_table *pt)
{
	if (s->failing)
		return;
	s->failing = true;
	s->err_table = pt;
	pgconn_error(s->pq, res, &s->err);
	if (pt != NULL)
		err_context(&s->err, "destination table %s", pt->t->destination_label);
}

static void
warn_missing(struct pg_sink *s, struct pg_table *pt, uint32_t expected, long changed)
{
	char words[512];

	if (pt->missing_told)
		return;
	pt->missing_told = true;
	snprintf(words, sizeof(words),
	    "%ld of %u rows to change were not found in destination table"
	    " %s: was it modified there? (told once)",
	    (long)expected - changed, expected, pt->t->destination_label);
	s->base.cb->on_warning(s->base.cb->arg, words);
}

static void
check_count(struct pg_sink *s, const struct in_flight *f, PGresult *res)
{
	char *words = PQcmdTuples(res);
	long changed = strtol(words, NULL, 10);

	if (f->rows == 0 || words[0] == '\0' || changed >= (long)f->rows)
		return;
	if (f->pt != NULL) {
		warn_missing(s, f->pt, f->rows, changed);
		return;
	}
	if (!s->failing) {
		s->failing = true;
		s->err_table = NULL;
		err_set(&s->err, ERR_CONFIG, "the mirror's row in %s.peerdb_mirror_jobs is gone",
		    s->meta);
		err_hint(&s->err, "resync the mirror");
	}
}

/* ---- taking results */

static void
take_result(struct pg_sink *s, PGresult *res)
{
	struct in_flight *f = flight_first(s);

	switch (PQresultStatus(res)) {
	case PGRES_PIPELINE_SYNC:
		flight_pop(s);
		break;
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		s->got_result = true;
		check_count(s, f, res);
		break;
	case PGRES_PIPELINE_ABORTED:
		s->got_result = true;
		if (f->preparing != NULL)
			pg_stmt_prepared(f->preparing, false);
		break;
	default:
		s->got_result = true;
		if (f->preparing != NULL)
			pg_stmt_prepared(f->preparing, false);
		note_error(s, res, f->pt);
	}
}

/* Every result that is here already. False: the connection is gone. */
static bool
take_results(struct pg_sink *s)
{
	PGresult *res;

	while (s->flight_n > 0) {
		if (PQconsumeInput(s->pq) != 1)
			return false;
		if (PQisBusy(s->pq))
			return true;
		res = PQgetResult(s->pq);
		if (res != NULL) {
			take_result(s, res);
			PQclear(res);
		} else if (s->got_result) {
			flight_pop(s);
		} else {
			return PQstatus(s->pq) == CONNECTION_OK;
		}
	}
	return true;
}

/* Whatever was wrong before: without a connection it cannot be mended, with a new one it can. */
static enum step
connection_lost(struct pg_sink *s)
{
	s->failing = false;
	err_clear(&s->err);
	note_error(s, NULL, NULL);
	sink_failed(s);
	return STEP_DONE;
}

/* ---- phases */

static void
start_segment(struct pg_sink *s, enum pg_mode mode)
{
	s->mode = mode;
	s->failing = false;
	s->err_table = NULL;
	err_clear(&s->err);
	pg_tasks_build(s, &s->b->segments[s->segment]);
	s->phase = APPLY_PIPELINE;
	if (PQenterPipelineMode(s->pq) != 1)
		bug("cannot enter pipeline mode");
}

static enum step
send_sync(struct pg_sink *s)
{
	if (PQpipelineSync(s->pq) != 1)
		return connection_lost(s);
	pg_flight_push(s, (struct in_flight){ .sync = true });
	s->phase = APPLY_DRAIN;
	return STEP_AGAIN;
}

static enum step
step_pipeline(struct pg_sink *s)
{
	struct task *task;
	bool done = false;

	if (s->failing || s->task == s->tasks.n)
		return send_sync(s);
	task = &s->tasks.v[s->task];
	if (task->kind == TASK_COPY)
		return send_sync(s);
	/* two statements at most, each with its PREPARE, and the sync */
	if (s->flight_n + 5 > IN_FLIGHT_MAX)
		return STEP_WAIT;
	if (!pg_task_send(s, task, &done))
		return connection_lost(s);
	if (done)
		s->task++;
	/* the server keeps results to itself until told, and the place for them is limited */
	if (++s->unflushed >= FLUSH_EVERY) {
		s->unflushed = 0;
		if (PQsendFlushRequest(s->pq) != 1)
			return connection_lost(s);
	}
	return PQflush(s->pq) == 1 ? STEP_FULL : STEP_AGAIN;
}

static enum step
start_rollback(struct pg_sink *s)
{
	const char *sql = s->tx_open ? "ROLLBACK TO SAVEPOINT peerd; RELEASE SAVEPOINT peerd"
				     : "ROLLBACK";

	if (PQsendQuery(s->pq, sql) != 1)
		return connection_lost(s);
	pg_flight_push(s, (struct in_flight){ .rows = 0 });
	s->phase = APPLY_ROLLBACK;
	return STEP_AGAIN;
}

static enum step
start_copy(struct pg_sink *s)
{
	struct task *task = &s->tasks.v[s->task];
	struct buf sql;
	bool sent;

	buf_init(&sql, MIB);
	pg_copy_sql(task->pt, task->set.rows[0]->text, &sql);
	sent = PQsendQuery(s->pq, buf_str(&sql)) == 1;
	buf_done(&sql);
	if (!sent)
		return connection_lost(s);
	buf_reset(&s->scratch);
	pg_copy_header(task->set.rows[0]->text, &s->scratch);
	s->phase = APPLY_COPY_START;
	return STEP_AGAIN;
}

static enum step
segment_done(struct pg_sink *s)
{
	const struct segment *seg = &s->b->segments[s->segment];
	struct batch *b = s->b;

	s->tx_open = seg->commit_lsn == LSN_INVALID;
	if (!s->tx_open) {
		s->applied_lsn = seg->commit_lsn;
		pg_stops_kept(s);
	}
	if (++s->segment < b->nsegments) {
		start_segment(s, MODE_FAST);
		return STEP_AGAIN;
	}
	s->phase = APPLY_IDLE;
	s->b = NULL;
	event_del(s->writable);
	pg_barrier_schedule(s);
	s->base.cb->on_applied(s->base.cb->arg, b);
	return STEP_DONE;
}

static enum step
step_drain(struct pg_sink *s)
{
	if (s->flight_n > 0)
		return STEP_WAIT;
	if (PQexitPipelineMode(s->pq) != 1)
		bug("cannot leave pipeline mode: %s", PQerrorMessage(s->pq));
	if (s->failing)
		return start_rollback(s);
	return s->task < s->tasks.n ? start_copy(s) : segment_done(s);
}

/* The COPY failed at once (true), or may begin. */
static enum step
step_copy_start(struct pg_sink *s)
{
	PGresult *res;

	if (PQconsumeInput(s->pq) != 1)
		return connection_lost(s);
	if (PQflush(s->pq) == 1 || PQisBusy(s->pq))
		return STEP_WAIT;
	res = PQgetResult(s->pq);
	s->phase = PQresultStatus(res) == PGRES_COPY_IN ? APPLY_COPY_DATA : APPLY_COPY_END;
	if (s->phase == APPLY_COPY_END)
		note_error(s, res, s->tasks.v[s->task].pt);
	PQclear(res);
	return STEP_AGAIN;
}

/* Fill the scratch buffer with rows up to a chunk; the trailer follows the last row. */
static void
fill_chunk(struct pg_sink *s, struct task *task)
{
	while (s->scratch.n < COPY_CHUNK_BYTES && task->at < task->set.n)
		pg_copy_row(task->pt, task->set.rows[task->at++], &s->scratch);
	if (task->at == task->set.n)
		pg_copy_trailer(task->set.rows[0]->text, &s->scratch);
	if (buf_overflowed(&s->scratch))
		bug("COPY row over the scratch buffer's ceiling");
}

static enum step
step_copy_data(struct pg_sink *s)
{
	struct task *task = &s->tasks.v[s->task];
	int rc = PQflush(s->pq);

	if (rc != 0)
		return rc > 0 ? STEP_FULL : connection_lost(s);
	if (task->at == task->set.n && s->scratch.n == 0) {
		if (PQputCopyEnd(s->pq, NULL) != 1)
			return connection_lost(s);
		s->phase = APPLY_COPY_END;
		return STEP_AGAIN;
	}
	fill_chunk(s, task);
	rc = PQputCopyData(s->pq, (const char *)s->scratch.p, (int)s->scratch.n);
	if (rc < 0)
		return connection_lost(s);
	if (rc == 0)
		return STEP_FULL;
	buf_reset(&s->scratch);
	return STEP_AGAIN;
}

static enum step
step_copy_end(struct pg_sink *s)
{
	struct task *task = &s->tasks.v[s->task];
	PGresult *res;

	if (PQconsumeInput(s->pq) != 1)
		return connection_lost(s);
	if (PQflush(s->pq) == 1 || PQisBusy(s->pq))
		return STEP_WAIT;
	res = PQgetResult(s->pq);
	if (res != NULL) {
		if (PQresultStatus(res) != PGRES_COMMAND_OK)
			note_error(s, res, task->pt);
		PQclear(res);
		return STEP_AGAIN;
	}
	if (s->failing)
		return start_rollback(s);
	s->task++;
	s->phase = APPLY_PIPELINE;
	if (PQenterPipelineMode(s->pq) != 1)
		bug("cannot enter pipeline mode");
	return STEP_AGAIN;
}

/* ---- trying again */

/*
 * What the error of a rolled back run leads to: the same segment in a more
 * careful mode when a constraint objected, without the table when its values
 * cannot be taken, or the end of the sink.
 */
static enum step
after_rollback(struct pg_sink *s)
{
	bool constraint = strncmp(s->err.sqlstate, "23", 2) == 0;

	if (constraint && s->mode == MODE_FAST && s->soft_delete[0] != '\0') {
		start_segment(s, MODE_UPSERT);
	} else if (constraint && s->mode != MODE_ORDERED) {
		start_segment(s, MODE_ORDERED);
	} else if (s->err.code == ERR_DATA && s->err_table != NULL) {
		s->base.cb->on_table_error(s->base.cb->arg, s->err_table->t, &s->err);
		start_segment(s, MODE_FAST);
	} else {
		sink_failed(s);
		return STEP_DONE;
	}
	return STEP_AGAIN;
}

/*
 * The session is being ended, or an error at COMMIT took the whole transaction
 * along: then there is no savepoint any more, and that error is the one to tell.
 */
static enum step
rollback_failed(struct pg_sink *s, const PGresult *res)
{
	struct err err = ERR_INIT;

	pgconn_error(s->pq, res, &err);
	if (err_policy(err.code) == ERR_POLICY_RETRY)
		s->err = err;
	sink_failed(s);
	return STEP_DONE;
}

static enum step
step_rollback(struct pg_sink *s)
{
	enum step st = STEP_AGAIN;
	PGresult *res;

	if (PQconsumeInput(s->pq) != 1)
		return connection_lost(s);
	if (PQflush(s->pq) == 1 || PQisBusy(s->pq))
		return STEP_WAIT;
	res = PQgetResult(s->pq);
	if (res == NULL) {
		flight_pop(s);
		return after_rollback(s);
	}
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		st = rollback_failed(s, res);
	PQclear(res);
	return st;
}

/* ---- the loop's side */

/* Looking for results costs a system call: while statements can be sent, not after each. */
static bool
results_due(const struct pg_sink *s)
{
	return s->phase == APPLY_DRAIN ||
	    (s->phase == APPLY_PIPELINE && s->flight_n > IN_FLIGHT_MAX / 2);
}

static enum step
step(struct pg_sink *s)
{
	static enum step (*const steps[])(struct pg_sink *) = {
		[APPLY_PIPELINE] = step_pipeline,
		[APPLY_DRAIN] = step_drain,
		[APPLY_COPY_START] = step_copy_start,
		[APPLY_COPY_DATA] = step_copy_data,
		[APPLY_COPY_END] = step_copy_end,
		[APPLY_ROLLBACK] = step_rollback,
	};

	if (s->phase == APPLY_IDLE)
		return STEP_DONE;
	if (results_due(s) && !take_results(s))
		return connection_lost(s);
	return steps[s->phase](s);
}

static void
run(struct pg_sink *s)
{
	enum step st;

	do
		st = step(s);
	while (st == STEP_AGAIN);
	if (st == STEP_FULL || (st == STEP_WAIT && PQflush(s->pq) == 1))
		event_add(s->writable, NULL);
}

void
pg_apply_event(evutil_socket_t fd, short what, void *arg)
{
	struct pg_sink *s = arg;

	if (s->phase != APPLY_IDLE) {
		run(s);
		return;
	}
	/* an idle connection speaks only to say that it ends */
	if (PQconsumeInput(s->pq) != 1 || PQstatus(s->pq) != CONNECTION_OK)
		connection_lost(s);
}

void
pg_apply_start(struct pg_sink *s, struct batch *b)
{
	s->b = b;
	s->segment = 0;
	start_segment(s, MODE_FAST);
	run(s);
}
