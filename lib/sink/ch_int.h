/*
 * ch_int - what the files of ClickHouse's sink share
 *
 *	ch_sink.c	life: open, batches, barriers between runs of changes, checkpoint
 *	ch_flow.c	a table's share of a run: look up, encode, insert
 *	ch_batch.c	changes become images, images become rows of an insert	(pure)
 *	ch_toast.c	rows that are there already: the question, the answer	(pure)
 *	ch_call.c	one request, again and again while the server is in trouble
 *
 * Changes of several source transactions go out in one insert a table: there
 * are no transactions to keep them apart. A row's version orders the changes
 * of its key (see ch_version()), so whatever is sent again, in whatever batches,
 * changes nothing. When all inserts of a batch are acknowledged it is applied;
 * the position is written behind it, at most once a second.
 *
 * Tables whose engine merges rows by version get one image a key and run; in
 * other engines every change is appended.
 */
#ifndef PEERD_SINK_CH_INT_H
#define PEERD_SINK_CH_INT_H

#include <event2/event.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/conn/chclient.h"
#include "lib/sink/ch_ddl.h"
#include "lib/sink/ch_dest_int.h"
#include "lib/sink/ch_encode.h"
#include "lib/sink/ch_meta.h"
#include "lib/sink/ch_types.h"
#include "lib/sink/sink.h"
#include "lib/types/backoff.h"

/* ---- ch_batch.c */

/*
 * How a row shall look after the run. A deleted one holds its key at least, and
 * NULL where nothing is known.
 */
struct ch_image {
	const struct row *row;
	/*
	 * What is missing in row stands in the destination's row under this key:
	 * values that were not sent, or the place it is sorted at. NULL: nothing.
	 */
	const struct row *lookup;
	uint64_t version;
	uint32_t copies; /* table without a key: equal rows that the run left */
	bool deleted;
	bool skip; /* superseded: nothing to write */
};

struct ch_images {
	const struct ch_table *ct;
	struct ch_image *v;
	uint32_t n;
};

/*
 * What changes from ... to - 1 come to, per table that they touch and that is
 * not stopped. tables: by table->index. before: the source commit before the
 * batch's first transaction. Memory, images included, is the arena's.
 */
struct ch_images *ch_batch_images(struct arena *a, const struct batch *b, uint32_t from,
    uint32_t to, lsn_t before, const struct ch_table *const *tables, uint32_t *n_r);

/* The commit before the first transaction of the batch that follows b. */
lsn_t ch_batch_before_next(const struct batch *b, lsn_t before);

/* Does a change of one row's values move it in the table: is it sorted by more than its key? */
bool ch_batch_is_wide(const struct ch_table *ct);

/* Does the engine keep but the last version of a row? */
bool ch_batch_merges(const struct ch_table *ct);

/* ---- ch_toast.c */

/* A row of the destination. */
struct ch_found {
	struct slice key;	    /* its columns as RowBinary */
	const struct slice *values; /* by table column; p is NULL for those not asked for */
	uint64_t version;
	bool deleted;
};

/* The newest row for each place in the order, sorted by key, then the newest first. */
struct ch_founds {
	struct ch_found *v;
	size_t n;
};

/* Can rows of the table be asked for by key? Some types have no literal on all servers. */
bool ch_toast_can_ask(const struct ch_table *ct);

/* SELECT of the rows that the images want to see. False: a key does not fit its type. */
bool ch_toast_query(const struct ch_table *ct, const struct ch_image *images, uint32_t n,
    struct buf *sql, struct err *err);

/* answer is borrowed by what comes out. images: those that were asked for. */
bool ch_toast_parse(const struct ch_table *ct, const struct ch_image *images, uint32_t n,
    struct slice answer, struct arena *a, struct ch_founds *founds_r, struct err *err);

/* The rows under the image's lookup key: a part of founds. */
bool ch_toast_find(const struct ch_table *ct, const struct ch_image *im,
    const struct ch_founds *founds, struct ch_founds *part_r, struct err *err);

/*
 * Does the image lack values that the rows found do not have? Sets im->skip when
 * they are of a later change: everything up to there was written once before.
 */
bool ch_toast_is_missing(const struct ch_table *ct, struct ch_image *im,
    const struct ch_founds *part);

/* Append the image's rows: one, or also those that make way for it. */
bool ch_batch_encode(const struct ch_table *ct, const struct ch_image *im,
    const struct ch_founds *part, struct buf *out, uint64_t *rows, struct err *err);

/* ---- ch_call.c */

struct ch_sink;

/* err: NULL when it was carried out. Both are gone when it returns. */
typedef void ch_call_fn(void *arg, const struct ch_answer *answer, const struct err *err);

/* post and what it points to are lent from ch_call_send() until done(). */
struct ch_call {
	struct ch_sink *s;
	struct ch_post post;
	ch_call_fn *done;
	void *arg;
	struct chclient_request *rq;
	struct event *timer;
	struct backoff backoff;
	usec_t failing_since; /* mono; 0: it is not */
};

void ch_call_init(struct ch_call *c, struct ch_sink *s, ch_call_fn *done, void *arg);
void ch_call_send(struct ch_call *c);
void ch_call_done(struct ch_call *c); /* cancels; may be called twice */

/* ---- ch_sink.c, ch_flow.c */

/* A table of the mirror, by table->index. */
struct ch_target {
	struct table *t;
	const char *insert;
	struct ch_setting settings[CH_INSERT_SETTINGS_MAX];
	size_t nsettings;
	bool stop_kept;	       /* the destination knows that the table is stopped */
	bool unbound;	       /* columns were added */
	uint64_t cleared_told; /* values that did not fit, as last told */
	usec_t told_at;	       /* mono; 0: never */
};

struct ch_flow;

struct ch_sink {
	struct sink base;
	const struct sink_config *cfg;
	struct arena *arena; /* as long as the sink */
	struct ch_side side; /* the client, and what tables are made with */
	struct ch_meta *meta;
	struct ch_target *targets;
	const struct ch_table **tables; /* by table->index; NULL: stopped since before */

	/* the batch under way */
	struct batch *b;
	struct arena *run; /* a run's */
	struct event *notify;
	uint32_t segment;     /* the first not yet done */
	uint32_t segment_end; /* the one after those under way */
	lsn_t before;	      /* the source commit before the batch's first transaction */

	struct ch_flow *flows; /* of the run, one a table */
	uint32_t nflows, next_flow, active;
	uint64_t tokens; /* given out so far */
	uint64_t nonce;	 /* tells this process' tokens from another's */

	struct ch_call barrier;
	const char **steps; /* of the barrier: statements */
	size_t nsteps, step;

	/* position */
	struct ch_call checkpoint;
	struct buf checkpoint_sql;
	struct event *checkpoint_timer;
	lsn_t applied_lsn, checkpoint_lsn, durable_lsn;
	usec_t checkpoint_at; /* mono */
	bool checkpoint_busy, draining;

	usec_t warned_at; /* mono */
};

/* From the event loop; ends in ch_sink_run_done(), perhaps before it returns. */
void ch_flow_start(struct ch_sink *s, struct ch_images *images, uint32_t n);
void ch_flow_cancel(struct ch_sink *s);

void ch_sink_run_done(struct ch_sink *s);
void ch_sink_fail(struct ch_sink *s, const struct err *err);
void ch_sink_stop_table(struct ch_sink *s, struct table *t, const struct err *why);

#endif
