/*
 * loader - where the rows of a snapshot go
 *
 * One snapshot worker's end of a destination. The worker reads a partition of
 * a source table with COPY and hands the rows over as they come:
 *
 *	dest_loader_open()	once (dest.h); waits for the destination
 *	loader_begin()		one partition; perhaps its rows are there already
 *	  loader_select()	how its rows are to be read
 *	  loader_put()		rows, any number of times
 *	loader_end()		all of them are stored, and the partition's mark
 *	loader_build_keys()	when all partitions of a table are in
 *	loader_close()		at any time; a partition under way is abandoned
 *
 * A partition is in whole and once, or not at all: whoever is killed between
 * begin and end leaves nothing that a successor's begin does not remove, shut
 * out, or load again over itself. What end() has answered is durable.
 *
 * put() takes whole rows of COPY, in the order they were read: a slice never
 * ends inside one. Slices are COPY_CHUNK_BYTES long at least, save the last
 * one, and beyond that only to the end of a row, however large that is. The
 * first of a partition begins with the header of the binary form, the last
 * ends with its trailer (lib/sink/pg_copy.c writes both). Borrowed: the bytes
 * are gone when put() returns. It may block as long as the destination is busy.
 *
 * Errors: as the destination's connection gives them. ERR_TRANSIENT from
 * begin() when another attempt at the snapshot has shut this one out. After an
 * error only loader_close() may follow.
 */
#ifndef PEERD_SINK_LOADER_H
#define PEERD_SINK_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/slice.h"
#include "lib/types/table.h"
#include "protos/flow.pb-c.h"
#include "protos/peers.pb-c.h"

struct buf;
struct err;
struct loader;

/* It and everything in it is borrowed and outlives the loader. */
struct loader_config {
	const PeerdbPeers__Peer *peer;
	const PeerdbFlow__FlowConnectionConfigs *mirror;
	const char *database;	 /* on the source */
	const char *snapshot_id; /* of the attempt, as given to dest_load_begin() */
	const char *what;	 /* our name, for the server */
	usec_t timeout;		 /* for connecting */
	/* something to tell people that is no error; may be NULL */
	void (*on_warning)(void *arg, const char *words);
	void *arg;
};

struct loader_ops {
	/*
	 * Append the SELECT list, in table order (a column may be read as
	 * something else: "c"::text), and say whether COPY shall be binary.
	 */
	bool (*select)(struct loader *l, const struct table *t, struct buf *list);
	/* *before_r: the rows a killed worker had stored already, then end() must
	 * not follow; LOADER_NEW when the partition is to be loaded. */
	bool (*begin)(struct loader *l, const struct table *t, int32_t partition, int64_t *before_r,
	    struct err *err);
	bool (*put)(struct loader *l, struct slice rows, struct err *err);
	/* rows: what the source says it sent; another count stored is ERR_BUG. */
	bool (*end)(struct loader *l, int64_t rows, struct err *err);
	bool (*build_keys)(struct loader *l, const struct table *t, struct err *err);
	void (*close)(struct loader *l);
};

#define LOADER_NEW (-1)

/* First member of every loader. */
struct loader {
	const struct loader_ops *ops;
	const struct loader_config *cfg;
};

static inline bool
loader_select(struct loader *l, const struct table *t, struct buf *list)
{
	return l->ops->select(l, t, list);
}

static inline bool
loader_begin(struct loader *l, const struct table *t, int32_t partition, int64_t *before_r,
    struct err *err)
{
	return l->ops->begin(l, t, partition, before_r, err);
}

static inline bool
loader_put(struct loader *l, struct slice rows, struct err *err)
{
	return l->ops->put(l, rows, err);
}

static inline bool
loader_end(struct loader *l, int64_t rows, struct err *err)
{
	return l->ops->end(l, rows, err);
}

static inline bool
loader_build_keys(struct loader *l, const struct table *t, struct err *err)
{
	return l->ops->build_keys(l, t, err);
}

/* *l is NULL afterwards; NULL is fine. */
static inline void
loader_close(struct loader **l)
{
	if (*l != NULL)
		(*l)->ops->close(*l);
	*l = NULL;
}

#endif
