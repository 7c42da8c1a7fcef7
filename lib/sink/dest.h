/*
 * dest - a destination, of whatever kind
 *
 * One table of functions for each kind of peer that a mirror can write to,
 * found by the peer's configuration (dest_ops_of). Changes go through a sink
 * (sink.h), rows of a snapshot through loaders (loader.h); both are made here.
 * Everything else that is asked of a destination is asked of a struct dest, a
 * handle with connections of its own. Its calls wait for the server and can
 * be interrupted; one handle is one thread's.
 *
 *	dest_open()		connects
 *	dest_validate()		a peer: is it of use?
 *	dest_version()
 *	dest_check()		a mirror: will it work? changes nothing
 *	dest_prepare()		what a mirror needs there is made
 *	dest_restart()		nothing of an earlier stream or load is known any more
 *	dest_checkpoint_init()	changes are to follow from here
 *	dest_take_over()	shuts out workers that an earlier one left behind
 *	dest_load_begin()	the tables are empty and wait for loaders
 *	dest_extend()		a table has new columns
 *	dest_prepare_columns()	the same while changes flow, in which they travel
 *	dest_discard()		a table that a resync left
 *	dest_swap()		the loaded tables replace those that were there
 *	dest_forget()		the mirror was dropped
 *	dest_count()		how many rows has a table?
 *	dest_close()		at any time
 *
 * A mirror's life: prepare; then restart and checkpoint_init when it only
 * streams; else take_over, load_begin, extend where needed, loaders, and
 * checkpoint_init last of all. A resync is such a load of tables whose names
 * end in RESYNC_SUFFIX: discarded before setup, swapped in behind the loaders.
 * Then the sink opens and finds the checkpoint.
 * Every call may be repeated and may be killed anywhere.
 *
 * Errors: ERR_CONFIG for what the user must change, with the next step as hint
 * and names in the words; ERR_TRANSIENT for a server that is away. Opening says
 * nothing of which peer it was: the caller knows.
 */
#ifndef PEERD_SINK_DEST_H
#define PEERD_SINK_DEST_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/clock.h"
#include "lib/wire/lsn.h"
#include "protos/flow.pb-c.h"
#include "protos/peers.pb-c.h"
#include "protos/worker.pb-c.h"

struct buf;
struct dest;
struct err;
struct loader;
struct loader_config;
struct pgconn;
struct pgconn_interrupt;
struct sink;
struct sink_config;
struct table_ident;

#define RESYNC_SUFFIX "_resync"

/* Copied; what it points to is borrowed and outlives the handle. */
struct dest_config {
	const PeerdbPeers__Peer *peer;
	const PeerdbFlow__FlowConnectionConfigs *mirror; /* NULL: only a peer's calls */
	const char *what;				 /* our name, for the server */
	usec_t timeout;					 /* for connecting */
	const struct pgconn_interrupt *intr;		 /* while calls wait; or NULL */
};

/* The tables of a mirror, as pginfo_load_tables() found them on the source. */
struct dest_tables {
	PeerdWorker__MirrorTable *const *v;
	size_t n;
};

struct dest_count {
	int64_t rows;
	bool approximate;
};

struct dest_ops {
	const char *name; /* of its kind: POSTGRES */
	PeerdbPeers__Peer__ConfigCase config_case;

	/* ---- pure */

	/* Where the peer is, for people: "db:5432"; nothing for the client's default. */
	void (*address)(const PeerdbPeers__Peer *peer, struct buf *to);
	/* May a table have this name there? */
	bool (*check_name)(const struct table_ident *name, struct err *err);
	/*
	 * May values of the column travel in binary form, as far as its type
	 * tells? column->binary says what would do between two Postgres.
	 */
	bool (*binary_ok)(const PeerdWorker__Column *column);

	/* ---- constructors */

	bool (*open)(const struct dest_config *cfg, struct dest **d_r, struct err *err);
	struct sink *(*sink_new)(const struct sink_config *cfg);
	bool (*loader_open)(const struct loader_config *cfg, struct loader **l_r, struct err *err);

	/* ---- of a peer */

	bool (*validate)(struct dest *d, struct err *err);
	const char *(*version)(struct dest *d); /* as the server has it; lives as long as d */

	/* ---- of a mirror */

	/* again: what is there already may be our own, of an earlier attempt. */
	bool (*check)(struct dest *d, struct pgconn *src, struct dest_tables tables, bool again,
	    struct err *err);
	/*
	 * Metadata, types, tables. Sets each table's `created` (the mirror made
	 * it, now or earlier), and takes `binary` from columns whose values must
	 * go as text into a table that was found.
	 */
	bool (*prepare)(struct dest *d, struct pgconn *src, struct dest_tables tables,
	    struct err *err);
	/*
	 * What a table's columns need there before they can be added, outside of
	 * the stream of changes: types, say.
	 */
	bool (*prepare_columns)(struct dest *d, struct pgconn *src, PeerdWorker__MirrorTable *t,
	    struct err *err);
	bool (*restart)(struct dest *d, struct err *err);
	/* Set the position, durably, unless there is one. */
	bool (*checkpoint_init)(struct dest *d, lsn_t lsn, struct err *err);
	/*
	 * From here on until close nobody else writes for the mirror. The position
	 * that is given is final (LSN_INVALID: none) and, should the server
	 * crash, will be found again.
	 */
	bool (*take_over)(struct dest *d, lsn_t *checkpoint_r, struct err *err);
	/*
	 * An attempt at the snapshot: no loader of another one stores anything
	 * from here on, what they stored is gone, and so is the checkpoint.
	 */
	bool (*load_begin)(struct dest *d, const char *snapshot_id, struct dest_tables tables,
	    struct err *err);
	/*
	 * The source has more columns in `fresh` than in `old`: add them. `fresh`
	 * is completed as prepare() completes it; `created` is set already.
	 */
	bool (*extend)(struct dest *d, struct pgconn *src, const PeerdWorker__MirrorTable *old,
	    PeerdWorker__MirrorTable *fresh, struct err *err);
	/*
	 * Drop the table, if it is there and the mirror made it. NULL, as swap
	 * is: rows are loaded into place again.
	 */
	bool (*discard)(struct dest *d, const struct table_ident *name, struct err *err);
	/*
	 * Each table, by its own name, goes and is replaced by the one with the
	 * suffix; it may be missing. All at once where the server can.
	 */
	bool (*swap)(struct dest *d, struct dest_tables tables, struct err *err);
	/* What is known of the mirror, not its tables. Missing things are fine. */
	bool (*forget)(struct dest *d, struct err *err);
	/* Rows the mirror shows: not those flagged as deleted. deadline: monotonic. */
	bool (*count)(struct dest *d, const char *identifier, usec_t deadline,
	    struct dest_count *count_r, struct err *err);

	void (*close)(struct dest *d);
};

/* First member of every handle. */
struct dest {
	const struct dest_ops *ops;
	struct dest_config cfg;
};

/* ERR_UNIMPLEMENTED, naming the kinds that work; ERR_INVALID for no configuration. */
const struct dest_ops *dest_ops_of(const PeerdbPeers__Peer *peer, struct err *err);

/* By dest_ops_of(cfg->peer). */
bool dest_open(const struct dest_config *cfg, struct dest **d_r, struct err *err);
bool dest_loader_open(const struct loader_config *cfg, struct loader **l_r, struct err *err);
struct sink *dest_sink_new(const struct sink_config *cfg, struct err *err); /* NULL on error */

/* Set `binary` of every column by ops->binary_ok(): right after the tables were looked up. */
void dest_choose_forms(const struct dest_ops *ops, struct dest_tables tables);

static inline bool
dest_validate(struct dest *d, struct err *err)
{
	return d->ops->validate(d, err);
}

static inline const char *
dest_version(struct dest *d)
{
	return d->ops->version(d);
}

static inline bool
dest_check(struct dest *d, struct pgconn *src, struct dest_tables tables, bool again,
    struct err *err)
{
	return d->ops->check(d, src, tables, again, err);
}

static inline bool
dest_prepare(struct dest *d, struct pgconn *src, struct dest_tables tables, struct err *err)
{
	return d->ops->prepare(d, src, tables, err);
}

static inline bool
dest_prepare_columns(struct dest *d, struct pgconn *src, PeerdWorker__MirrorTable *t,
    struct err *err)
{
	return d->ops->prepare_columns(d, src, t, err);
}

static inline bool
dest_restart(struct dest *d, struct err *err)
{
	return d->ops->restart(d, err);
}

static inline bool
dest_checkpoint_init(struct dest *d, lsn_t lsn, struct err *err)
{
	return d->ops->checkpoint_init(d, lsn, err);
}

static inline bool
dest_take_over(struct dest *d, lsn_t *checkpoint_r, struct err *err)
{
	return d->ops->take_over(d, checkpoint_r, err);
}

static inline bool
dest_load_begin(struct dest *d, const char *snapshot_id, struct dest_tables tables, struct err *err)
{
	return d->ops->load_begin(d, snapshot_id, tables, err);
}

static inline bool
dest_extend(struct dest *d, struct pgconn *src, const PeerdWorker__MirrorTable *old,
    PeerdWorker__MirrorTable *fresh, struct err *err)
{
	return d->ops->extend(d, src, old, fresh, err);
}

static inline bool
dest_discard(struct dest *d, const struct table_ident *name, struct err *err)
{
	return d->ops->discard(d, name, err);
}

static inline bool
dest_swap(struct dest *d, struct dest_tables tables, struct err *err)
{
	return d->ops->swap(d, tables, err);
}

static inline bool
dest_forget(struct dest *d, struct err *err)
{
	return d->ops->forget(d, err);
}

static inline bool
dest_count(struct dest *d, const char *identifier, usec_t deadline, struct dest_count *count_r,
    struct err *err)
{
	return d->ops->count(d, identifier, deadline, count_r, err);
}

/* *d is NULL afterwards; NULL is fine. */
static inline void
dest_close(struct dest **d)
{
	if (*d != NULL)
		(*d)->ops->close(*d);
	*d = NULL;
}

/* ---- the kinds */

extern const struct dest_ops dest_postgres;
extern const struct dest_ops dest_clickhouse;
extern const struct dest_ops dest_kafka;

#endif
