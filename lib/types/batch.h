/*
 * batch - changes in commit order, and where transactions end among them
 *
 * A batch is filled by the stream's reader and applied by a sink while a
 * second one fills. It is a list of segments, to be applied one after the
 * other: runs of row changes, and barriers (TRUNCATE, DDL, logical messages)
 * between them. A segment whose commit_lsn is set ends on a source commit: the destination
 * commits there, together with that position. The last segment may lack one:
 * a transaction larger than a batch goes on in the next batch, inside the
 * same destination transaction.
 *
 *	batch_begin()
 *	batch_add() / batch_truncate() / batch_ddl() / batch_message() ... batch_commit() ...
 *	batch_close()
 *
 * Everything a batch points to lives in its arena until batch_reset().
 */
#ifndef PEERD_TYPES_BATCH_H
#define PEERD_TYPES_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/types/row.h"
#include "lib/types/table.h"

enum change_op {
	CHANGE_INSERT,
	CHANGE_UPDATE,
	CHANGE_DELETE
};
#define CHANGE_OPS 3

struct change {
	struct table *table;
	const struct row *old; /* key or whole old row; NULL when the source sent none */
	const struct row *new; /* NULL for a delete */
	uint8_t op;
	bool old_whole; /* old has every column, not only the key */
};

/*
 * A source transaction with changes in a batch; a large one is in each batch it goes through.
 * A logical message that belongs to none stands as one of its own.
 */
struct transaction {
	uint32_t xid;	  /* 0: a message of no transaction */
	lsn_t commit_lsn; /* where its commit record begins */
	usec_t commit_us; /* source's wall clock */
	uint32_t from;	  /* its first change here; they go on to the next one's, or the end */
};

enum segment_kind {
	SEGMENT_CHANGES,
	SEGMENT_TRUNCATE,
	SEGMENT_DDL,
	SEGMENT_MESSAGE
};

/* Of pg_logical_emit_message(). */
struct logical_message {
	const char *prefix;
	struct slice content;
	lsn_t lsn; /* just behind it */
};

struct segment {
	enum segment_kind kind;
	uint32_t from, to;     /* CHANGES: indexes of batch->changes */
	struct table **tables; /* TRUNCATE: which */
	uint32_t ntables;
	bool cascade, restart;
	const char *sql; /* DDL: the destination's statement */
	const struct logical_message *message;
	lsn_t commit_lsn; /* LSN_INVALID: no source commit here */
};

struct batch {
	struct arena *arena;
	struct change *changes;
	uint32_t nchanges, changes_cap;
	struct transaction *transactions;
	uint32_t ntransactions, transactions_cap;
	struct segment *segments;
	uint32_t nsegments, segments_cap;
	uint64_t (*counts)[CHANGE_OPS]; /* [table->index][op] */
	uint32_t ntables;

	uint64_t id;	  /* counts from 1 per mirror */
	lsn_t start_lsn;  /* commit position of the first transaction in it */
	lsn_t end_lsn;	  /* end of the last commit in it; LSN_INVALID: none yet */
	usec_t opened_us; /* wall clock of the first change */
	usec_t commit_us; /* source's wall clock of the last commit */

	uint32_t open_from; /* first change not in a segment yet */
	uint32_t boundary;  /* changes before it are committed on the source */
};

struct batch *batch_new(uint32_t ntables);
void batch_free(struct batch **b);
void batch_reset(struct batch *b);

/* A message alone may end where a transaction's commit record begins. */
static inline bool
transaction_same(const struct transaction *a, const struct transaction *b)
{
	return a->commit_lsn == b->commit_lsn && a->xid == b->xid;
}

/* What follows belongs to tx; may be repeated. `from` is set here. */
void batch_begin(struct batch *b, const struct transaction *tx);

void batch_add(struct batch *b, struct table *t, enum change_op op, const struct row *old,
    bool old_whole, const struct row *new);
void batch_truncate(struct batch *b, struct table **tables, uint32_t ntables, bool cascade,
    bool restart);
void batch_ddl(struct batch *b, const char *sql); /* sql is copied */

void batch_message(struct batch *b, const struct logical_message *message); /* is copied */

/* Of a transaction that has changes, in this batch or in the one before. */
void batch_commit(struct batch *b, lsn_t end_lsn, usec_t commit_us);

/* No more will be added; segments are complete. */
void batch_close(struct batch *b);

/* Nothing to apply and nothing to commit. */
bool batch_empty(const struct batch *b);

/* At the ceiling of rows or bytes. max_changes: the mirror's own limit. */
bool batch_full(const struct batch *b, uint32_t max_changes);

/* Does everything in it belong to transactions that have committed? */
bool batch_at_commit(const struct batch *b);

#endif
