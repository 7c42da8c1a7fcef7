#include "workers/drop.h"

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pgslot.h"
#include "lib/sink/pg_ddl_meta.h"

#define CONNECT_TIMEOUT (15 * USEC_PER_SEC)

/* A walsender told to end does so at its next message; a busy server may need a moment. */
#define SLOT_TIMEOUT (20 * USEC_PER_SEC)

static bool
open_peer(const PeerdWorker__Config *config, const PeerdbPeers__Peer *peer,
    const struct pgconn_interrupt *intr, struct pgconn **c_r, struct err *err)
{
	if (peer->config_case != PEERDB_PEERS__PEER__CONFIG_POSTGRES_CONFIG)
		return err_set(err, ERR_UNIMPLEMENTED, "peer \"%s\" is not a Postgres peer",
		    peer->name);
	return pgconn_open(peer->postgres_config, config->name, PGCONN_PLAIN, CONNECT_TIMEOUT, intr,
	    c_r, err);
}

/* The slot first: it is what holds back WAL. */
static bool
drop_from(struct pgconn *src, const PeerdbFlow__FlowConnectionConfigs *mirror, struct arena *a,
    struct err *err)
{
	if (pgslot_name_is_ours(mirror) &&
	    !pgslot_drop(src, pgslot_name(a, mirror), SLOT_TIMEOUT, err))
		return false;
	return !pgslot_publication_is_ours(mirror) ||
	    pgslot_publication_drop(src, pgslot_publication(a, mirror), err);
}

static bool
drop_source(const PeerdWorker__Config *config, const struct pgconn_interrupt *intr, struct err *err)
{
	struct arena *a = arena_new(4 * KIB);
	struct pgconn *src = NULL;
	bool ok;

	ok = open_peer(config, config->source, intr, &src, err) &&
	    drop_from(src, config->mirror, a, err);
	pgconn_close(&src);
	arena_free(&a);
	return ok || err_context(err, "dropping mirror \"%s\" on its source", config->name);
}

static bool
drop_destination(const PeerdWorker__Config *config, const struct pgconn_interrupt *intr,
    struct err *err)
{
	struct pgconn *dst = NULL;
	bool ok;

	ok = open_peer(config, config->destination, intr, &dst, err) &&
	    pg_ddl_meta_forget(dst, pg_ddl_meta_schema(config->destination->postgres_config),
		config->name, err);
	pgconn_close(&dst);
	return ok || err_context(err, "dropping mirror \"%s\" on its destination", config->name);
}

bool
drop_run(const PeerdWorker__Config *config, const struct pgconn_interrupt *intr, struct err *err)
{
	return (config->skip_source_drop || drop_source(config, intr, err)) &&
	    (config->skip_destination_drop || drop_destination(config, intr, err));
}
