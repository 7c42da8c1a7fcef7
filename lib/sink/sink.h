/*
 * sink - where changes go
 *
 * One destination, driven from the worker's event loop. A sink keeps the
 * mirror's checkpoint: the source position up to which everything is applied.
 *
 *	sink_open()		once; waits for the destination; gives the checkpoint
 *	sink_submit(batch)	returns at once; one batch at a time
 *	  on_applied(batch)	the batch is visible as far as it holds source commits;
 *				the batch is the caller's again
 *	  on_durable(lsn)	everything up to lsn survives the destination's crash:
 *				the source may forget it
 *	sink_drain()		ask for on_durable() soon, because nothing more will come
 *	sink_close()		at any time; an open transaction is abandoned
 *
 * on_table_error() tells that one table cannot go on, or could not when the
 * sink was open before; the owner calls table_stop(). Its changes are left out
 * from then on, which the sink remembers beside the checkpoint, and the batch
 * is applied without it. on_error() ends the sink: only sink_close() may follow. Callbacks come
 * from the event loop, never from inside sink_submit().
 *
 * Batches arrive in order. A batch whose last segment has no commit_lsn
 * leaves the destination's transaction open for the next one.
 */
#ifndef PEERD_SINK_SINK_H
#define PEERD_SINK_SINK_H

#include <stdbool.h>

#include "lib/base/clock.h"
#include "lib/types/batch.h"
#include "lib/wire/lsn.h"

struct err;
struct sink;

/*
 * How much a sink likes to get at once: a batch that is not full waits for more
 * changes until it has so many, or is so old. While there is a backlog only, unless
 * the sink dislikes small batches altogether.
 */
struct sink_appetite {
	uint32_t changes;
	usec_t wait;
	bool always;
};

struct sink_callbacks {
	void (*on_applied)(void *arg, struct batch *b);
	void (*on_durable)(void *arg, lsn_t lsn);
	void (*on_table_error)(void *arg, struct table *t, const struct err *err);
	void (*on_warning)(void *arg, const char *words);
	/*
	 * The row that the source has now under the key of `row`, in the stream's
	 * form, in a; NULL: there is none. Waits for the source.
	 */
	bool (*find_row)(void *arg, const struct table *t, const struct row *row, struct arena *a,
	    const struct row **row_r, struct err *err);
	void (*on_error)(void *arg, const struct err *err);
	void *arg;
};

struct sink_ops {
	const char *name;
	/* checkpoint_r: LSN_INVALID when the mirror has none yet. */
	bool (*open)(struct sink *sk, lsn_t *checkpoint_r, struct err *err);
	void (*submit)(struct sink *sk, struct batch *b);
	void (*drain)(struct sink *sk);
	/* The table's columns were extended: forget what was prepared for it. */
	void (*table_changed)(struct sink *sk, struct table *t);
	/*
	 * Destination's statement for a new column, allocated in a. old_value: what
	 * rows that are there already have in it, as Postgres' text; NULL for NULL.
	 */
	bool (*ddl_add_column)(struct sink *sk, struct table *t, const PeerdWorker__Column *col,
	    const char *old_value, struct arena *a, const char **sql_r, struct err *err);
	void (*close)(struct sink *sk);
};

/* First member of every sink. */
struct sink {
	const struct sink_ops *ops;
	const struct sink_callbacks *cb;
	struct sink_appetite appetite; /* once it is open; so is the next */
	bool wants_messages;	       /* logical messages; else batches have none */
};

static inline bool
sink_open(struct sink *sk, lsn_t *checkpoint_r, struct err *err)
{
	return sk->ops->open(sk, checkpoint_r, err);
}

static inline void
sink_submit(struct sink *sk, struct batch *b)
{
	sk->ops->submit(sk, b);
}

static inline void
sink_drain(struct sink *sk)
{
	sk->ops->drain(sk);
}

static inline void
sink_table_changed(struct sink *sk, struct table *t)
{
	sk->ops->table_changed(sk, t);
}

/* *sk is NULL afterwards; NULL is fine. */
static inline void
sink_close(struct sink **sk)
{
	if (*sk != NULL)
		(*sk)->ops->close(*sk);
	*sk = NULL;
}

/* ---- constructors */

struct event_base;
struct pgconn_interrupt;

struct sink_config {
	struct event_base *loop;
	const PeerdbFlow__FlowConnectionConfigs *mirror;
	const PeerdbPeers__Peer *peer;
	const char *database; /* on the source */
	struct table **tables;
	uint32_t ntables;
	const struct pgconn_interrupt *intr; /* while open() waits */
	const struct sink_callbacks *cb;
};

/* Everything in cfg is borrowed and outlives the sink. */
struct sink *sink_pg_new(const struct sink_config *cfg);
struct sink *sink_clickhouse_new(const struct sink_config *cfg);
struct sink *sink_kafka_new(const struct sink_config *cfg);

#endif
