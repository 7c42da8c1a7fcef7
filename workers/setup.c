#include "workers/setup.h"

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pginfo.h"
#include "lib/conn/pgslot.h"
#include "lib/conn/pgtypes.h"
#include "lib/sink/pg_ddl.h"
#include "lib/sink/pg_ddl_meta.h"
#include "workers/check.h"

/* One setup under way. */
struct run {
	const struct setup *s;
	const PeerdbFlow__FlowConnectionConfigs *mirror;
	const char *meta_schema;
	struct arena *a; /* request: of this run */
	PeerdWorker__SetupDone *done;
};

static const PeerdbPeers__PostgresConfig *
postgres_of(const PeerdbPeers__Peer *peer)
{
	return peer->config_case == PEERDB_PEERS__PEER__CONFIG_POSTGRES_CONFIG
	    ? peer->postgres_config
	    : NULL;
}

/* ---- looking */

/* A repetition must not trip over what an earlier attempt made: `again` is always true. */
static bool
find_tables(struct run *r, struct err *err)
{
	const PeerdWorker__Config *config = r->s->config;
	const struct check ck = {
		.mirror = r->mirror,
		.source = postgres_of(config->source),
		.destination = postgres_of(config->destination),
		.src = r->s->src,
		.dst = r->s->dst,
		.again = true,
	};

	if (ck.source == NULL || ck.destination == NULL)
		return err_set(err, ERR_UNIMPLEMENTED, "a mirror runs between two Postgres peers");
	r->meta_schema = pg_ddl_meta_schema(ck.destination);
	if (r->mirror->skip_validation)
		return pginfo_load_tables(r->s->src, r->mirror, r->done, err);
	return check_shape(&ck, err) && check_source(&ck, r->done, err) &&
	    check_destination(&ck, r->done, err);
}

/* ---- destination */

/* Values for a table that was found must suit the types it has. */
static bool
prepare_table(struct run *r, PeerdWorker__MirrorTable *t, struct err *err)
{
	bool created;

	if (!pg_ddl_prepare(r->s->dst, t, r->mirror, r->meta_schema,
		!r->mirror->do_initial_snapshot, &created, err))
		return false;
	t->has_created = true;
	t->created = created;
	return created || pginfo_match_destination(r->s->dst, t, err);
}

/*
 * As long as the daemon has not heard of a finished setup, nothing that is
 * known here of a load is of use: another mirror of this name left it, or an
 * attempt that starts over.
 */
static bool
prepare_metadata(struct run *r, struct err *err)
{
	if (!pg_ddl_metadata(r->s->dst, r->meta_schema, err))
		return false;
	return !r->mirror->do_initial_snapshot ||
	    r->s->config->phase != PEERDB_FLOW__FLOW_STATUS__STATUS_SETUP ||
	    pg_ddl_meta_restart(r->s->dst, r->meta_schema, r->mirror->flow_job_name, err);
}

static bool
prepare_destination(struct run *r, struct err *err)
{
	PeerdWorker__SetupDone *done = r->done;
	size_t i;

	if (!prepare_metadata(r, err) ||
	    !pgtypes_copy(r->s->src, r->s->dst, done->tables, done->n_tables, err))
		return false;
	for (i = 0; i < done->n_tables; i++)
		if (!prepare_table(r, done->tables[i], err))
			return false;
	return true;
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
	const char *mirror = r->mirror->flow_job_name, *slot = r->done->slot;
	struct pgslot_state st;
	lsn_t lsn;

	if (!pgslot_read(r->s->src, slot, &st, err))
		return false;
	if (st.exists) {
		if (!pgslot_usable(slot, &st, err))
			return false;
		lsn = st.confirmed;
	} else if (!pg_ddl_meta_restart(r->s->dst, r->meta_schema, mirror, err) ||
	    !pgslot_create(r->s->src, slot, &lsn, err)) {
		return false;
	}
	r->done->has_consistent_lsn = true;
	r->done->consistent_lsn = lsn;
	return pg_ddl_meta_checkpoint_init(r->s->dst, r->meta_schema, mirror, lsn, err);
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
