/*
 * resync - a load beside the tables that it replaces
 *
 * A resync is an initial load whose tables have RESYNC_SUFFIX (lib/sink/dest.h)
 * behind their names, until they are loaded and take the place of those that
 * were there: these show their old rows until then. What the names are is
 * decided here and nowhere else:
 *
 *	resync_begin()	a worker's configuration: from here on it is one of a load
 *	resync_clear()	before setup: what an earlier attempt left goes
 *	resync_end()	behind the load: the tables are swapped, all names are right again
 *
 * Whoever is killed before the daemon has heard of the end begins at the
 * beginning, which is right at any time: nothing of a resync is ever resumed.
 * Destinations without tables (Kafka) are simply loaded again.
 */
#ifndef PEERD_WORKERS_RESYNC_H
#define PEERD_WORKERS_RESYNC_H

#include <stdbool.h>

#include "protos/flow.pb-c.h"
#include "protos/peers.pb-c.h"
#include "protos/worker.pb-c.h"

struct dest;
struct err;

/*
 * The tables' names on the destination get the suffix. ERR_CONFIG: a name is
 * too long for it, or another table's with it. mirror's strings are allocated with malloc().
 */
bool resync_names(PeerdbFlow__FlowConnectionConfigs *mirror, const PeerdbPeers__Peer *destination,
    struct err *err);

/*
 * When it is not loaded yet and to be resynced: whatever the phase is, it
 * becomes the SETUP of an initial load.
 */
bool resync_begin(PeerdWorker__Config *config, struct err *err);

/* Tables of the names with the suffix go, as far as they are there. */
bool resync_clear(struct dest *d, const PeerdbFlow__FlowConnectionConfigs *mirror, struct err *err);

/* Swap, then take the suffix off the definitions and the mirror's mappings. */
bool resync_end(struct dest *d, PeerdbFlow__FlowConnectionConfigs *mirror,
    PeerdWorker__MirrorTable **defs, size_t n, struct err *err);

#endif
