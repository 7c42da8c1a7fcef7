#include "workers/cdc_int.h"

static bool
on_begin(struct cdc *c, const struct pgoutput_msg *m, struct slice bytes, struct err *err)
{
	c->in_tx = true;
	c->skip_tx = m->begin.final_lsn < c->resume_lsn;
	c->tx = (struct transaction){
		.xid = m->begin.xid,
		.commit_lsn = m->begin.final_lsn,
		.commit_us = m->begin.commit_time + PG_EPOCH_US,
	};
	return true;
}

static void
commit(struct cdc *c, lsn_t end_lsn, usec_t commit_us)
{
	batch_commit(c->fill, end_lsn, commit_us);
	if (c->oldest_commit_us == 0)
		c->oldest_commit_us = commit_us;
}

static bool
on_commit(struct cdc *c, const struct pgoutput_msg *m, struct slice bytes, struct err *err)
{
	c->in_tx = false;
	if (!c->skip_tx && c->ledger.open)
		commit(c, m->commit.end_lsn, c->tx.commit_us);
	ledger_commit(&c->ledger, m->commit.end_lsn);
	if (c->tables_lsn == LSN_INVALID)
		c->tables_lsn = m->commit.end_lsn;
	return true;
}

/* The sink records it as it does a change, so that the position does not go past it alone. */
static void
stop_table(struct cdc *c, struct table *t, const struct err *why)
{
	worker_stop_table(c->w, t, why);
	ledger_change(&c->ledger);
}

static bool
on_relation(struct cdc *c, const struct pgoutput_msg *m, struct slice bytes, struct err *err)
{
	struct err why = ERR_INIT;
	struct table *t;

	switch (relmap_relation(c->rels, &m->relation, &t, &why)) {
	case RELMAP_MISMATCH:
		stop_table(c, t, &why);
		return true;
	case RELMAP_COLUMNS_ADDED:
		/* rows of the old form must be out of the way before the table changes */
		if (!batch_empty(c->fill) || c->spare == NULL) {
			buf_add(&c->held, bytes.p, bytes.n);
			return true;
		}
		cdc_watch_settle(c);
		if (cdc_columns_added(c, t, &m->relation, &why)) {
			c->tables_lsn = LSN_INVALID;
			return true;
		}
		if (why.code != ERR_DATA) {
			*err = why;
			return false;
		}
		stop_table(c, t, &why);
		return true;
	default:
		return true;
	}
}

/* Which row it was cannot be told, so the table cannot go on. Returns true, as the stream can. */
static bool
stop_unidentified(struct cdc *c, struct table *t)
{
	struct err why = ERR_INIT;

	err_set(&why, ERR_DATA,
	    "the replica identity of %s changed on the source, its changes do"
	    " not name their rows any more",
	    t->source_label);
	err_hint(&why, "resync the mirror to load the table anew");
	stop_table(c, t, &why);
	return true;
}

static bool
on_change(struct cdc *c, const struct pgoutput_msg *m, struct slice bytes, struct err *err)
{
	static const enum change_op ops[128] = {
		[PGOUTPUT_INSERT] = CHANGE_INSERT,
		[PGOUTPUT_UPDATE] = CHANGE_UPDATE,
		[PGOUTPUT_DELETE] = CHANGE_DELETE,
	};
	const struct pgoutput_change *ch = &m->change;
	const struct row *old = NULL, *new = NULL;
	struct arena *a = c->fill->arena;
	struct table *t;

	if (c->skip_tx)
		return true;
	if (!relmap_table(c->rels, ch->relid, &t, err))
		return false;
	if (t == NULL)
		return true;
	if (m->kind != PGOUTPUT_INSERT && !relmap_identifies(c->rels, ch->relid))
		return stop_unidentified(c, t);
	if ((ch->old_form != '\0' &&
		!relmap_row(c->rels, ch->relid, &ch->old, c->lsn, a, &old, err)) ||
	    (ch->has_new && !relmap_row(c->rels, ch->relid, &ch->new, c->lsn, a, &new, err)))
		return false;
	if (ch->old_form == 'K' && !row_has_key(t, old))
		return stop_unidentified(c, t);
	if (new != NULL &&new->unchanged > 0) {
		new = row_complete_key(a, t, old, new);
		if (new == NULL)
			return stop_unidentified(c, t);
	}
	batch_begin(c->fill, &c->tx);
	batch_add(c->fill, t, ops[m->kind], old, ch->old_form == 'O', new);
	ledger_change(&c->ledger);
	return true;
}

static bool
on_truncate(struct cdc *c, const struct pgoutput_msg *m, struct slice bytes, struct err *err)
{
	struct rbuf ids = m->truncate.relids;
	struct table **list, *t;
	uint32_t i, n = 0;

	if (c->skip_tx)
		return true;
	list = arena_alloc(c->fill->arena, m->truncate.nrels * sizeof(struct table *));
	for (i = 0; i < m->truncate.nrels; i++) {
		if (!relmap_table(c->rels, rbuf_u32(&ids), &t, err))
			return false;
		if (t != NULL)
			list[n++] = t;
	}
	if (n == 0)
		return true;
	batch_begin(c->fill, &c->tx);
	batch_truncate(c->fill, list, n, (m->truncate.flags & PGOUTPUT_TRUNCATE_CASCADE) != 0,
	    (m->truncate.flags & PGOUTPUT_TRUNCATE_RESTART) != 0);
	ledger_change(&c->ledger);
	return true;
}

/*
 * Outside of transactions it comes as soon as it is read, between two of them,
 * and is one of its own that ends where the message does.
 */
static bool
on_message(struct cdc *c, const struct pgoutput_msg *m, struct slice bytes, struct err *err)
{
	const struct pgoutput_message *msg = &m->message;

	if (msg->transactional ? c->skip_tx : msg->lsn <= c->resume_lsn)
		return true;
	if (!msg->transactional)
		c->tx = (struct transaction){ .commit_lsn = msg->lsn, .commit_us = c->sent_us };
	batch_begin(c->fill, &c->tx);
	batch_message(c->fill,
	    &(struct logical_message){
		.prefix = msg->prefix,
		.content = msg->content,
		.lsn = msg->lsn,
	    });
	ledger_change(&c->ledger);
	if (!msg->transactional) {
		commit(c, msg->lsn, c->tx.commit_us);
		ledger_commit(&c->ledger, msg->lsn);
	}
	return true;
}

static bool
on_other(struct cdc *c, const struct pgoutput_msg *m, struct slice bytes, struct err *err)
{
	return true;
}

static bool (*const handlers[128])(struct cdc *, const struct pgoutput_msg *, struct slice,
    struct err *) = {
	[PGOUTPUT_BEGIN] = on_begin,
	[PGOUTPUT_COMMIT] = on_commit,
	[PGOUTPUT_ORIGIN] = on_other,
	[PGOUTPUT_RELATION] = on_relation,
	[PGOUTPUT_TYPE] = on_other,
	[PGOUTPUT_INSERT] = on_change,
	[PGOUTPUT_UPDATE] = on_change,
	[PGOUTPUT_DELETE] = on_change,
	[PGOUTPUT_TRUNCATE] = on_truncate,
	[PGOUTPUT_MESSAGE] = on_message,
};

bool
cdc_message(struct cdc *c, struct slice bytes, struct err *err)
{
	struct pgoutput_msg m;

	return pgoutput_decode(bytes, &m, err) && handlers[m.kind](c, &m, bytes, err);
}

bool
cdc_release_held(struct cdc *c, struct err *err)
{
	struct buf held = c->held;
	bool ok;

	buf_init(&c->held, held.max);
	ok = cdc_message(c, buf_slice(&held), err);
	buf_done(&held);
	return ok;
}
