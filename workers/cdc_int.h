/*
 * cdc_int - what the files of the stream share
 *
 *	cdc.c		life: start, reading, batches to the sink, pause
 *	cdc_stream.c	messages of the stream into changes of a batch
 *	cdc_schema.c	a relation that has new columns
 *	cdc_find.c	a row of the source, asked for by the sink
 *	cdc_report.c	status to the source, progress and batches to the daemon
 *
 * A change travels: pgrepl (bytes) -> pgoutput (struct) -> relmap (row of a
 * table) -> batch -> sink -> destination's commit; then on_durable -> ledger
 * -> status to the source.
 */
#ifndef PEERD_WORKERS_CDC_INT_H
#define PEERD_WORKERS_CDC_INT_H

#include "lib/base/buf.h"
#include "lib/conn/pgrepl.h"
#include "lib/sink/sink.h"
#include "lib/types/relmap.h"
#include "workers/ledger.h"
#include "workers/worker.h"

/* What was applied since the last report to the daemon. */
struct report {
	uint64_t id; /* of the batch to be reported */
	lsn_t start_lsn, end_lsn;
	uint64_t rows;
	usec_t start_us, end_us;	/* wall clock */
	uint64_t (*counts)[CHANGE_OPS]; /* by table->index */
};

struct cdc {
	struct worker *w;
	struct pgrepl *repl;
	struct pgconn *watch; /* a plain connection to the source: position, definitions */
	struct sink *sink;
	struct sink_config sink_cfg;
	struct sink_callbacks sink_cb;
	struct relmap *rels;
	struct ledger ledger;

	struct event *readable;
	struct event *look;   /* of PGREPL_LOOKS */
	struct event *tick;   /* once a second */
	struct event *gather; /* while a batch waits for more changes */
	struct event *watch_readable;

	struct batch *fill;  /* being filled */
	struct batch *spare; /* empty, or NULL while the sink has it */
	uint32_t max_changes;
	bool catching_up; /* what arrives was committed a while ago: there is a backlog */
	enum pgrepl_pace pace;
	uint64_t taken;	  /* bytes, at the last look */
	bool blocked;	  /* fill is full and the sink busy: not reading */
	bool stopping;
	usec_t stop_deadline;

	bool in_tx;
	bool skip_tx; /* applied before the last stop */
	lsn_t resume_lsn;
	struct transaction tx; /* the one that is arriving, or arrived last */
	lsn_t lsn;	       /* of the message being taken */
	usec_t sent_us;	       /* when it was sent, by the source's clock */
	bool tables_changed;   /* the daemon is to be told, once that is durable */
	lsn_t tables_lsn;      /* end of the transaction it came with, once known */
	struct buf held;       /* a Relation message that waits for earlier rows to be applied */

	/* status and progress */
	lsn_t status_sent;
	usec_t status_at; /* mono */
	usec_t noted_at;  /* mono: the sink was given a position without changes */
	lsn_t source_lsn; /* its end of WAL, as last heard */
	bool watch_busy;
	usec_t watch_at;
	usec_t progress_at, report_at; /* mono */
	usec_t lag_us;		       /* of the last batch applied */
	usec_t oldest_commit_us; /* wall clock of the oldest commit not yet applied; 0: none */
	uint64_t rows_total, rows_before;
	usec_t rows_at;
	double rows_per_second;
	struct report report;
};

/* ---- cdc.c */

void cdc_fail(struct cdc *c, const struct err *err) __attribute__((noreturn));
void cdc_stop_if_drained(struct cdc *c);

/* When nothing is on its way: have the sink keep how far the source's WAL was read. */
void cdc_note_position(struct cdc *c);

/* ---- cdc_stream.c */

/* False: err is set. Sets c->held when the message must wait. */
bool cdc_message(struct cdc *c, struct slice bytes, struct err *err);

/* The held message may be taken now: nothing of earlier rows is on its way. */
bool cdc_release_held(struct cdc *c, struct err *err);

/* ---- cdc_schema.c */

bool cdc_columns_added(struct cdc *c, struct table *t, const struct pgoutput_relation *rel,
    struct err *err);

/* ---- cdc_find.c */

/* A sink's find_row(). */
bool cdc_find_row(void *cdc, const struct table *t, const struct row *row, struct arena *a,
    const struct row **row_r, struct err *err);

/* ---- cdc_report.c */

void cdc_report_applied(struct cdc *c, const struct batch *b);
void cdc_report_flush(struct cdc *c); /* once it is durable */
void cdc_report_tables(struct cdc *c);
void cdc_tick(evutil_socket_t fd, short what, void *arg);
bool cdc_send_status(struct cdc *c, struct err *err);
void cdc_watch_event(evutil_socket_t fd, short what, void *arg);

/* The end of the source's WAL, waiting for it; while c->watch is not asked anything. */
bool cdc_source_position(struct cdc *c, lsn_t *lsn_r, struct err *err);

/* Wait for the answer under way on c->watch, so that it can be asked something else. */
void cdc_watch_settle(struct cdc *c);

#endif
