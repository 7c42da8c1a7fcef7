#include "workers/drop.h"

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pgslot.h"
#include "lib/sink/dest.h"
#include "workers/resync.h"

#define CONNECT_TIMEOUT (15 * USEC_PER_SEC)

/* A walsender told to end does so at its next message; a busy server may need a moment. */
#define SLOT_TIMEOUT (20 * USEC_PER_SEC)

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

	ok = pgconn_open(config->source->postgres_config, config->name, PGCONN_PLAIN,
		 CONNECT_TIMEOUT, intr, &src, err) &&
	    drop_from(src, config->mirror, a, err);
	pgconn_close(&src);
	arena_free(&a);
	return ok || err_context(err, "dropping mirror \"%s\" on its source", config->name);
}

static bool
drop_destination(const PeerdWorker__Config *config, const struct pgconn_interrupt *intr,
    struct err *err)
{
	const struct dest_config cfg = {
		.peer = config->destination,
		.mirror = config->mirror,
		.what = config->name,
		.timeout = CONNECT_TIMEOUT,
		.intr = intr,
	};
	struct dest *dst = NULL;
	bool ok;

	ok = dest_open(&cfg, &dst, err) &&
	    (!config->mirror->resync || resync_clear(dst, config->mirror, err)) &&
	    dest_forget(dst, err);
	dest_close(&dst);
	return ok || err_context(err, "dropping mirror \"%s\" on its destination", config->name);
}

bool
drop_run(const PeerdWorker__Config *config, const struct pgconn_interrupt *intr, struct err *err)
{
	return (config->skip_source_drop || drop_source(config, intr, err)) &&
	    (config->skip_destination_drop || drop_destination(config, intr, err));
}
