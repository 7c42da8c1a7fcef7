#include "workers/setup.h"

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pginfo.h"
#include "lib/conn/pgslot.h"
#include "lib/sink/dest.h"
#include "workers/check.h"

/* One setup under way. */
struct run {
	const struct setup *s;
	const PeerdbFlow__FlowConnectionConfigs *mirror;
	struct arena *a; /* request: of this run */
	PeerdWorker__SetupDone *done;
};

/* ---- looking */

static struct dest_tables
tables_of(const struct run *r)
{
	return (struct dest_tables){ r->done->tables, r->done->n_tables };
}

/* A repetition must not trip over what an earlier attempt made: `again` is always true. */
static bool
check_tables(struct run *r, struct err *err)
{
	const struct check ck = {
		.mirror = r->mirror,
		.source = r->s->config->source->postgres_config,
		.src = r->s->src,
		.kind = r->s->dst->ops,
		.dst = r->s->dst,
		.again = true,
	};

	return check_shape(&ck, err) && check_source(&ck, r->done, err) &&
	    dest_check(ck.dst, ck.src, tables_of(r), ck.again, err);
}

static bool
find_tables(struct run *r, struct err *err)
{
	if (!r->mirror->skip_validation)
		return check_tables(r, err);
	if (!pginfo_load_tables(r->s->src, r->mirror, r->done, err))
		return false;
	dest_choose_forms(r->s->dst->ops, tables_of(r));
	return true;
}

/* ---- destination */

/*
 * As long as the daemon has not heard of a finished setup, nothing that is
 * known there of a load is of use: another mirror of this name left it, or an
 * attempt that starts over.
 */
static bool
prepare_destination(struct run *r, struct err *err)
{
	bool starts_over = r->mirror->do_initial_snapshot &&
	    r->s->config->phase == PEERDB_FLOW__FLOW_STATUS__STATUS_SETUP;

	return dest_prepare(r->s->dst, r->s->src, tables_of(r), err) &&
	    (!starts_over || dest_restart(r->s->dst, err));
}

/* ---- source */

/*
 * The slot of a mirror without initial snapshot. A checkpoint from before the
 * slot's time belongs to another stream: it goes first, so that a crash
 * between the steps cannot pair it with the new slot.
 */
static bool
ensure_slot(struct run *r, struct err *err)
{
	const char *slot = r->done->slot;
	struct pgslot_state st;
	lsn_t lsn;

	if (!pgslot_read(r->s->src, slot, &st, err))
		return false;
	if (st.exists) {
		if (!pgslot_usable(slot, &st, err))
			return false;
		lsn = st.confirmed;
	} else if (!dest_restart(r->s->dst, err) || !pgslot_create(r->s->src, slot, &lsn, err)) {
		return false;
	}
	r->done->has_consistent_lsn = true;
	r->done->consistent_lsn = lsn;
	return dest_checkpoint_init(r->s->dst, lsn, err);
}

/* The publication comes before the slot: the slot decodes with the catalog of its own time. */
static bool
prepare_source(struct run *r, struct err *err)
{
	PeerdWorker__SetupDone *done = r->done;

	if (r->mirror->initial_snapshot_only)
		return true;
	done->slot = xstrdup(pgslot_name(r->a, r->mirror));
	done->publication = xstrdup(pgslot_publication(r->a, r->mirror));
	if (pgslot_publication_is_ours(r->mirror) &&
	    !pgslot_publication_ensure(r->s->src, done->publication, done->tables, done->n_tables,
		err))
		return false;
	return r->mirror->do_initial_snapshot || ensure_slot(r, err);
}

/* ---- all */

bool
setup_run(const struct setup *s, PeerdWorker__SetupDone **done_r, struct err *err)
{
	struct run r = { .s = s, .mirror = s->config->mirror };
	bool ok;

	r.a = arena_new(4 * KIB);
	r.done = xmalloc(sizeof(*r.done));
	peerd_worker__setup_done__init(r.done);
	ok = find_tables(&r, err) && prepare_destination(&r, err) && prepare_source(&r, err);
	arena_free(&r.a);
	if (ok)
		*done_r = r.done;
	else
		protobuf_c_message_free_unpacked(&r.done->base, NULL);
	return ok;
}
