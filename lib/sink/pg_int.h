/*
 * pg_int - what the files of the Postgres sink share
 *
 *	pg_sink.c	life of the sink: connections, checkpoint, durability
 *	pg_apply.c	the machine that applies a batch, one segment after the other
 *	pg_tasks.c	what a segment takes: an ordered list of tasks
 *	pg_stmt.c	statements: their texts, their preparation, their parameters
 *	pg_copy.c	rows into COPY data
 *
 * One segment is applied as one run of tasks, pipelined in as few round trips
 * as COPY allows. When a constraint objects, the run is rolled back and made
 * again in a more careful mode; see enum pg_mode.
 */
#ifndef PEERD_SINK_PG_INT_H
#define PEERD_SINK_PG_INT_H

#include <event2/event.h>
#include <libpq-fe.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/sink/sink.h"
#include "lib/types/coalesce.h"

struct pg_stmt;

/* A mirrored table on the destination. */
struct pg_table {
	struct table *t;
	char *name; /* quoted, qualified */
	Oid *types; /* of the destination's columns, in table order */
	Oid *array_types;
	char **equals; /* the equality operator of each key column */
	bool untyped;  /* a column added meanwhile: its type's id is not known */
	bool unique;   /* a unique index on exactly the key */
	struct pg_stmt *stmts;
	bool missing_told; /* the warning about missing rows was given */
	bool stop_sent;	   /* the run under way records that the table is stopped */
	bool stop_kept;	   /* that is committed */
};

enum pg_stmt_kind {
	STMT_INSERT,	   /* rows of all columns */
	STMT_UPSERT,	   /* the same, taking over a row that is there */
	STMT_UPDATE,	   /* rows of all sent columns, matched by key */
	STMT_MOVE,	   /* one row: sent columns, then the old key it is matched by */
	STMT_DELETE,	   /* rows of key columns */
	STMT_DELETE_ARRAY, /* one array of single-column keys */
	STMT_DELETE_DEAD,  /* one key: its row, if that is flagged as deleted */
	STMT_SOFT_DELETE,
	STMT_SOFT_DELETE_ARRAY,
	STMT_DELETE_WHOLE, /* one row of all columns, matched whole */
	STMT_SOFT_DELETE_WHOLE,
	STMT_UPDATE_WHOLE, /* one row: new columns, then old columns */
	STMT_CHECKPOINT,
	STMT_KINDS
};

/*
 * How careful a run is. FAST trusts the stream: a new row is new. UPSERT lets
 * inserts take over rows that are there (a soft-deleted row under the same
 * key). ORDERED repeats every change in the source's own order, one by one,
 * as the source's constraints saw them.
 */
enum pg_mode {
	MODE_FAST,
	MODE_UPSERT,
	MODE_ORDERED
};

enum task_kind {
	TASK_SQL,     /* one statement without parameters */
	TASK_ROWS,    /* a set through multi-row statements */
	TASK_SINGLES, /* a set of partial updates, row by row */
	TASK_KEYS,    /* a set of single-column keys through array parameters */
	TASK_COPY,
	TASK_ORDERED, /* a table's changes one by one */
	TASK_CHECKPOINT,
};

struct task {
	enum task_kind kind;
	enum pg_stmt_kind stmt;
	struct pg_table *pt; /* NULL: of no table */
	struct row_set set;
	const struct coalesced *c; /* ORDERED */
	const char *sql;
	uint32_t at; /* how far it has been sent */
};

struct task_list {
	struct task *v;
	uint32_t n, cap;
};

/* A statement sent whose result has not come. */
struct in_flight {
	struct pg_table *pt;
	struct pg_stmt *preparing; /* a PREPARE of it */
	uint32_t rows;		   /* it should change this many; 0: whatever */
	bool sync;
};

#define IN_FLIGHT_MAX 256

enum apply_phase {
	APPLY_IDLE,
	APPLY_PIPELINE,	  /* sending tasks, taking results */
	APPLY_DRAIN,	  /* sync sent, taking results up to it */
	APPLY_COPY_START, /* COPY sent, waiting for its go-ahead */
	APPLY_COPY_DATA,
	APPLY_COPY_END, /* waiting for its result */
	APPLY_ROLLBACK, /* waiting for the rollback's result */
};

struct pg_sink {
	struct sink base;
	const struct sink_config *cfg;
	const char *meta;	 /* metadata schema */
	const char *soft_delete; /* column name or "" */
	const char *synced_at;
	struct pgconn *conn; /* applies */
	PGconn *pq;
	struct event *readable, *writable;
	struct pg_table *tables; /* by table->index */

	/* the batch being applied */
	struct batch *b;
	uint32_t segment;
	enum apply_phase phase;
	enum pg_mode mode;
	bool tx_open; /* from an earlier batch of the same source transaction */
	bool failing; /* err is set; results are being drained */
	struct err err;
	struct pg_table *err_table;
	struct arena *arena; /* of the run: coalesced sets, task texts */
	struct task_list tasks;
	uint32_t task;
	struct in_flight flight[IN_FLIGHT_MAX];
	uint32_t flight_head, flight_n;
	uint32_t unflushed; /* statements since results were last asked for */
	bool got_result;    /* of the statement at flight_head */

	/* parameters of the statement being sent */
	const char **values;
	int *lengths, *formats;
	uint32_t nparams, params_cap;
	struct buf scratch;
	struct pg_stmt *own_stmts; /* of no table: the checkpoint */
	unsigned stmt_names;

	/* durability (pg_sink.c) */
	struct pgconn *barrier;
	struct event *barrier_readable, *barrier_timer;
	bool barrier_busy;
	lsn_t applied_lsn, barrier_lsn, durable_lsn;
	struct event *notify; /* defers callbacks out of sink_submit() */
};

/* ---- pg_stmt.c */

/* unchanged: a row whose ROW_UNCHANGED columns are left out, or NULL. nrows: rows a statement. */
struct pg_stmt *pg_stmt_get(struct pg_sink *s, struct pg_table *pt, enum pg_stmt_kind kind,
    uint32_t nrows, const struct row *unchanged);
void pg_stmt_forget(struct pg_table *pt);
void pg_stmt_free_all(struct pg_stmt **list);

/* Parameters are collected in the sink, then the statement is sent (prepared first if need be). */
void pg_param_reset(struct pg_sink *s);
void pg_param_value(struct pg_sink *s, struct row_value v, bool text);
bool pg_stmt_send(struct pg_sink *s, struct pg_table *pt, struct pg_stmt *st, uint32_t rows);
void pg_stmt_prepared(struct pg_stmt *st, bool ok);

/* Largest number of rows one statement of the table may take out of left. */
uint32_t pg_stmt_rows(const struct pg_table *pt, uint32_t left);

/* ---- pg_tasks.c */

void pg_tasks_build(struct pg_sink *s, const struct segment *seg);

/* The run is committed: what it recorded of stopped tables need not be recorded again. */
void pg_stops_kept(struct pg_sink *s);

/* Send the next statement of a task that is not a COPY; *done_r when none is left. */
bool pg_task_send(struct pg_sink *s, struct task *task, bool *done_r);

/* ---- pg_copy.c */

void pg_copy_sql(const struct pg_table *pt, bool text, struct buf *sql);
void pg_copy_header(bool text, struct buf *out);
void pg_copy_row(const struct pg_table *pt, const struct row *r, struct buf *out);
void pg_copy_trailer(bool text, struct buf *out);

/* ---- pg_apply.c */

void pg_apply_start(struct pg_sink *s, struct batch *b);

/* What was applied last shall become durable soon. */
void pg_barrier_schedule(struct pg_sink *s);
void pg_apply_event(evutil_socket_t fd, short what, void *arg);
void pg_flight_push(struct pg_sink *s, struct in_flight f);

#endif
