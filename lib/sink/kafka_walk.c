#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/sink/kafka_int.h"

void
kafka_walk_init(struct kafka_walk *w, uint32_t ntables)
{
	w->touched = xcalloc(ntables + 1, sizeof(*w->touched));
	w->counts = xcalloc(ntables + 1, sizeof(*w->counts));
	w->found = arena_new(64 * KIB);
}

void
kafka_walk_done(struct kafka_walk *w)
{
	free(w->touched);
	free(w->counts);
	arena_free(&w->found);
}

/* ---- source transactions */

void
kafka_walk_forget(struct kafka_walk *w)
{
	uint32_t i;

	for (i = 0; i < w->ntouched; i++) {
		w->tables[w->touched[i]].changes = 0;
		w->tables[w->touched[i]].touched = false;
	}
	w->ntouched = 0;
	w->position = 0;
	w->open = false;
}

static struct kafka_origin
origin_of(const struct kafka_walk *w, const struct kafka_walk_table *wt)
{
	return (struct kafka_origin){
		.tx = &w->tx,
		.position = w->position,
		.table_position = wt != NULL ? wt->changes : 0,
		.lsn = w->tx.commit_lsn,
		.now_us = w->now,
	};
}

/* counts NULL: the begin */
static bool
tell_transaction(struct kafka_walk *w, const struct kafka_transaction_count *counts, uint32_t n,
    struct err *err)
{
	const struct kafka_origin o = origin_of(w, NULL);
	struct kafka_records list = { .n = 0 };

	if (w->tx.xid == 0)
		return true;
	return kafka_transaction_build(w->out->e, &o, counts, n, &list, err) &&
	    kafka_out_send(w->out, &list, err);
}

static bool
leave(struct kafka_walk *w, struct err *err)
{
	const struct kafka_walk_table *wt;
	uint32_t i;

	if (!w->open)
		return true;
	for (i = 0; i < w->ntouched; i++) {
		wt = &w->tables[w->touched[i]];
		w->counts[i] = (struct kafka_transaction_count){ wt->t, wt->changes };
	}
	if (!tell_transaction(w, w->counts, w->ntouched, err))
		return false;
	kafka_walk_forget(w);
	return true;
}

static bool
enter(struct kafka_walk *w, const struct transaction *tx, struct err *err)
{
	if (w->open && transaction_same(&w->tx, tx))
		return true; /* it goes on from the batch before */
	if (!leave(w, err))
		return false;
	w->tx = *tx;
	w->open = true;
	return tell_transaction(w, NULL, 0, err);
}

static void
count(struct kafka_walk *w, struct kafka_walk_table *wt)
{
	if (!wt->touched)
		w->touched[w->ntouched++] = wt->t->index;
	wt->touched = true;
	wt->changes++;
	w->position++;
}

/* ---- changes */

/* A value or a record that cannot be carried is the table's own trouble. */
static bool
table_failed(struct kafka_walk *w, struct kafka_walk_table *wt, struct err *err)
{
	if (err->code != ERR_DATA)
		return false;
	wt->stopped = true;
	w->on_table_error(w->arg, wt->t, err);
	err_clear(err);
	return true;
}

/*
 * Large values that did not change and were not sent: the source has them,
 * perhaps newer by now, unless the row is gone or has another key.
 */
static bool
fill(struct kafka_walk *w, const struct change *c, struct change *full_r, struct err *err)
{
	const struct row *found;

	*full_r = *c;
	if (c->new == NULL || c->new->unchanged == 0 || c->old_whole ||
	    w->out->opt->unchanged != KAFKA_UNCHANGED_FILL)
		return true;
	arena_reset(w->found);
	if (!w->find_row(w->arg, c->table, c->new, w->found, &found, err))
		return false;
	if (found != NULL)
		full_r->new = row_merge(w->found, c->table, found, c->new);
	return true;
}

static bool
send_change(struct kafka_walk *w, struct kafka_walk_table *wt, const struct change *c,
    struct err *err)
{
	const struct kafka_origin o = origin_of(w, wt);
	struct kafka_records list = { .n = 0 };
	struct change full;

	return fill(w, c, &full, err) &&
	    kafka_record_build(w->out->e, wt->kt, &full, &o, &list, err) &&
	    kafka_out_send(w->out, &list, err);
}

static bool
walk_change(struct kafka_walk *w, const struct change *c, struct err *err)
{
	struct kafka_walk_table *wt = &w->tables[c->table->index];

	if (!wt->stopped && !send_change(w, wt, c, err) && !table_failed(w, wt, err))
		return false;
	count(w, wt);
	return true;
}

/* Several may begin at one change: those before the last had none of their own. */
static bool
walk_changes(struct kafka_walk *w, const struct batch *b, const struct segment *seg, uint32_t *next,
    struct err *err)
{
	uint32_t i;

	for (i = seg->from; i < seg->to; i++) {
		while (*next < b->ntransactions && b->transactions[*next].from <= i)
			if (!enter(w, &b->transactions[(*next)++], err))
				return false;
		if (!walk_change(w, &b->changes[i], err))
			return false;
	}
	return true;
}

/* ---- what stands between changes */

/* lsn: LSN_INVALID: that of the commit. */
static bool
tell(struct kafka_walk *w, const struct kafka_control *c, struct kafka_walk_table *wt, lsn_t lsn,
    struct err *err)
{
	struct kafka_origin o = origin_of(w, wt);
	struct kafka_records list = { .n = 0 };

	if (lsn != LSN_INVALID)
		o.lsn = lsn;
	if (!kafka_control_build(w->out->e, c, &o, &list, err) ||
	    !kafka_out_send(w->out, &list, err))
		return false;
	w->position++;
	return true;
}

static bool
walk_truncate(struct kafka_walk *w, const struct segment *seg, struct err *err)
{
	struct kafka_walk_table *wt;
	uint32_t i;

	for (i = 0; i < seg->ntables; i++) {
		wt = &w->tables[seg->tables[i]->index];
		if (!wt->stopped &&
		    !tell(w,
			&(struct kafka_control){
			    .kind = KAFKA_CONTROL_TRUNCATE,
			    .table = wt->kt,
			},
			wt, LSN_INVALID, err) &&
		    !table_failed(w, wt, err))
			return false;
	}
	return true;
}

static bool
walk_ddl(struct kafka_walk *w, const struct segment *seg, struct err *err)
{
	const struct kafka_control c = { .kind = KAFKA_CONTROL_DDL, .text = seg->sql };

	return tell(w, &c, NULL, LSN_INVALID, err);
}

static bool
walk_message(struct kafka_walk *w, const struct segment *seg, struct err *err)
{
	const struct kafka_control c = {
		.kind = KAFKA_CONTROL_MESSAGE,
		.text = seg->message->prefix,
		.content = seg->message->content,
	};

	return tell(w, &c, NULL, seg->message->lsn, err);
}

/* The one that the barrier belongs to: it is open, or the next, or both. */
static bool
enter_next(struct kafka_walk *w, const struct batch *b, uint32_t *next, struct err *err)
{
	const struct transaction *tx = &b->transactions[*next];

	if (*next == b->ntransactions || (w->open && !transaction_same(&w->tx, tx)))
		return true;
	(*next)++;
	return enter(w, tx, err);
}

static bool
walk_barrier(struct kafka_walk *w, const struct batch *b, const struct segment *seg, uint32_t *next,
    struct err *err)
{
	static bool (*const walks[])(struct kafka_walk *, const struct segment *, struct err *) = {
		[SEGMENT_TRUNCATE] = walk_truncate,
		[SEGMENT_DDL] = walk_ddl,
		[SEGMENT_MESSAGE] = walk_message,
	};

	return enter_next(w, b, next, err) && walks[seg->kind](w, seg, err);
}

bool
kafka_walk_batch(struct kafka_walk *w, const struct batch *b, struct err *err)
{
	const struct segment *seg;
	uint32_t next = 0;
	bool ok = true;

	w->now = clock_wall_us();
	for (seg = b->segments; ok && seg < b->segments + b->nsegments; seg++) {
		ok = seg->kind == SEGMENT_CHANGES ? walk_changes(w, b, seg, &next, err)
						  : walk_barrier(w, b, seg, &next, err);
		if (ok && seg->commit_lsn != LSN_INVALID)
			ok = leave(w, err);
	}
	return ok;
}
