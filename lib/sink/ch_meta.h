/*
 * ch_meta - what peerd remembers in a ClickHouse destination
 *
 * ClickHouse has no transactions, so it stands beside the data, not with it:
 * what is written here is written after the rows that it speaks of were
 * acknowledged, and rows that come twice meanwhile are harmless by version.
 *
 * Table `_peerd_mirrors` in the peer's database holds the entries of all
 * mirrors: ReplacingMergeTree(number) ORDER BY (mirror, kind, name). Of each
 * entry the row with the highest number counts. Numbers of a handle are above
 * all that were there when it was opened, by a whole epoch (the upper 32 bits),
 * so a straggling write of a worker that was killed never wins, whatever the
 * clocks say. Nothing is removed but by a newer row without lsn and words: such
 * an entry is not there.
 *
 *	kind		name		lsn		words		hint
 *	checkpoint	""		changes up to here are in
 *	stopped		source table			why		what to do
 *	created		table (bare)			its source
 *	snapshot	""				the attempt's id
 *	loaded		see ch_load.c	rows		attempt's id
 *
 * A handle knows the entries (but those of kind loaded, of which there may be
 * many) as they were when it was opened, and as it wrote them since.
 *
 *	ch_meta_open()		reads; a table that is not there holds nothing
 *	ch_meta_create()	makes the table, unless it is there
 *	ch_meta_put()		writes, waiting; an insert of any number of entries
 *				comes whole or not at all
 *	ch_meta_statement()	the same as a statement for chclient_send(); the
 *				handle takes the entries for written at once
 *
 * Writing may be repeated. A handle belongs to one thread and borrows the
 * client, which outlives it.
 *
 * Errors: as chclient.h.
 */
#ifndef PEERD_SINK_CH_META_H
#define PEERD_SINK_CH_META_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/wire/lsn.h"
#include "protos/peers.pb-c.h"

struct buf;
struct ch_meta;
struct chclient;
struct err;

#define CH_META_TABLE "_peerd_mirrors"

/* X(kind, as it stands in the table) */
#define CH_META_KINDS(X)            \
	X(CHECKPOINT, "checkpoint") \
	X(STOPPED, "stopped")       \
	X(CREATED, "created")       \
	X(SNAPSHOT, "snapshot")     \
	X(LOADED, "loaded")

enum ch_meta_kind {
#define X(kind, text) CH_META_##kind,
	CH_META_KINDS(X)
#undef X
};

/* NULL stands for "". Given: copied. Found: lives as long as the handle. */
struct ch_meta_entry {
	enum ch_meta_kind kind;
	const char *name;
	uint64_t lsn;
	const char *words;
	const char *hint;
};

bool ch_meta_open(struct chclient *c, const PeerdbPeers__ClickhouseConfig *peer, const char *mirror,
    struct ch_meta **m_r, struct err *err);
void ch_meta_close(struct ch_meta **m);

bool ch_meta_create(struct ch_meta *m, struct err *err);

/* ---- what is known */

/* NULL: not there. Never of kind loaded. */
const struct ch_meta_entry *ch_meta_find(const struct ch_meta *m, enum ch_meta_kind kind,
    const char *name);

/* LSN_INVALID: there is none. */
lsn_t ch_meta_checkpoint(const struct ch_meta *m);

/* Ask the server: of kind loaded, or what another process may have changed. */
bool ch_meta_look(struct ch_meta *m, enum ch_meta_kind kind, const char *name, bool *there_r,
    uint64_t *lsn_r, struct err *err);
bool ch_meta_is_attempt(struct ch_meta *m, const char *snapshot_id, bool *yes_r, struct err *err);

/* ---- writing */

bool ch_meta_put(struct ch_meta *m, const struct ch_meta_entry *entries, size_t n, struct err *err);

/* sql: appended to. */
void ch_meta_statement(struct ch_meta *m, const struct ch_meta_entry *entries, size_t n,
    struct buf *sql);

/* Checkpoint, stopped tables, the snapshot's attempt: the mirror starts from nothing. */
bool ch_meta_restart(struct ch_meta *m, struct err *err);

/* Everything of the mirror. */
bool ch_meta_forget(struct ch_meta *m, struct err *err);

#endif
