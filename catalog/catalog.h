/*
 * catalog - what the daemon remembers: peers, mirrors and their history
 *
 * Only peerd opens it, and one peerd at a time (a lock file in the directory
 * says so); workers send facts over lib/ipc and never come here. Protobuf
 * messages are stored packed and opaque; what holds secrets (peers, alerts) is
 * sealed on the way in and opened on the way out (catalog/seal.h).
 *
 * Answers come by completion. Every call takes a function and an argument for
 * it and answers exactly once: with err NULL when the thing is done, and for a
 * write that means durable on disk, else with the reason. The SQLite backend
 * runs the statement at once and usually answers before the call returns; a
 * backend behind a network would answer later. Callers must cope with both:
 * keep nothing on the stack that the completion needs, and use nothing after
 * the call that the completion may have freed. A completion may call the
 * catalog again. Calls take effect in the order in which they were made.
 *
 * Two kinds of writes:
 *   at once    state of any kind (peers, mirrors, wishes, generations, plans).
 *              Durable and answered before the call returns.
 *   grouped    facts that come often (batches, partitions, checkpoints, log
 *              lines, troubles). They join one open transaction, are seen by
 *              reads from then on, and become durable and are answered with the
 *              next write at once or catalog_flush(), which the owner calls on
 *              a timer (CATALOG_FLUSH_US). A daemon killed in between forgets
 *              the last of them: history for show, never state.
 * done may be NULL where nobody waits; a grouped failure then shows in
 * catalog_flush().
 *
 * Counted once: a batch is a fact by (mirror, batch_id). The counts of a batch
 * are added in the same transaction that stores it, and only when it is new.
 *
 * What rows and strings a completion is given are borrowed until it returns.
 * What is passed in is copied before the call returns. Times are wall clock
 * microseconds, 0 for none. Statuses are numbers of peerdb_flow.FlowStatus,
 * peer types of peerdb_peers.DBType.
 *
 * Errors: NOT_FOUND, EXISTS and IN_USE as their names say; TRANSIENT when the
 * disk is full or failing, CONFIG for what the operator must mend (a missing
 * key, a read-only directory, a newer schema), DATA for a damaged file.
 */
#ifndef PEERD_CATALOG_CATALOG_H
#define PEERD_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/slice.h"
#include "lib/wire/lsn.h"

struct catalog;
struct err;

#define CATALOG_FLUSH_US (100 * USEC_PER_MSEC)

/* How much history is kept for each mirror unless the options say otherwise. */
#define CATALOG_BATCHES_KEPT 100000
#define CATALOG_LOGS_KEPT    10000

struct catalog_options {
	const char *dir;      /* the state directory; made when missing */
	const char *keys;     /* PEERD_CATALOG_KEY; NULL: DIR/catalog.key, made when new */
	int64_t batches_kept; /* per mirror; 0: the default */
	int64_t logs_kept;    /* per mirror, roughly; 0: the default */
};

/* Creates or migrates the schema, and seals again what an older key sealed. Blocks. */
bool catalog_open(const struct catalog_options *o, struct catalog **c_r, struct err *err);

/* Durable: everything grouped so far. False when any grouped write since the last flush failed. */
bool catalog_flush(struct catalog *c, struct err *err);

/* Flushes. NULL is fine. */
void catalog_close(struct catalog **c);

typedef void catalog_done_fn(void *arg, const struct err *err);

/* ---- peers */

struct catalog_peer {
	int64_t id;
	const char *name;
	int32_t type;
	struct slice config; /* packed peerdb_peers.Peer, secrets in clear */
	usec_t created_us;
	usec_t updated_us;
};

typedef void catalog_peers_fn(void *arg, const struct err *err, const struct catalog_peer *rows,
    size_t n);

/* Ordered by name. */
void catalog_peers_load(struct catalog *c, catalog_peers_fn *fn, void *arg);

/* id and times of the row given are not looked at. EXISTS, or NOT_FOUND for update and delete. */
void catalog_peer_insert(struct catalog *c, const struct catalog_peer *p, catalog_done_fn *done,
    void *arg);
void catalog_peer_update(struct catalog *c, const struct catalog_peer *p, catalog_done_fn *done,
    void *arg);

/* IN_USE while mirrors name it; the err's subjects are those mirrors. */
void catalog_peer_delete(struct catalog *c, const char *name, catalog_done_fn *done, void *arg);

/* ---- mirrors */

enum catalog_wanted {
	CATALOG_WANT_RUNNING = 1,
	CATALOG_WANT_PAUSED = 2,
	CATALOG_WANT_DROPPED = 3,
};

/* What changes when a mirror's state does; stored as a whole, with the config if one is given. */
struct catalog_mirror_state {
	enum catalog_wanted wanted;
	int32_t status;		    /* what is */
	int32_t phase;		    /* SETUP, SNAPSHOT, RUNNING: where to go on from */
	bool drop_stats;	    /* with WANT_DROPPED: forget batches, counts and logs too */
	bool skip_destination_drop; /* with WANT_DROPPED */
	int32_t error_code;	    /* enum err_code; 0: none */
	const char *error;	    /* NULL or "": none */
	const char *error_hint;
	struct slice config; /* to be stored with it, as below; empty: it stays as it is */
};

struct catalog_mirror {
	int64_t id;
	const char *name;
	const char *source; /* peer names */
	const char *destination;
	struct slice config; /* packed peerdb_flow.FlowConnectionConfigs */
	struct slice tables; /* packed peerd_worker.SetupDone; empty before that */
	struct catalog_mirror_state state;
	uint64_t generation;	/* of the worker started last */
	uint64_t next_batch_id; /* one past the last stored */
	lsn_t checkpoint;	/* for show: the destination keeps the one that counts */
	usec_t created_us;
	usec_t updated_us;
	usec_t state_us; /* of the last change of status */
};

typedef void catalog_mirrors_fn(void *arg, const struct err *err, const struct catalog_mirror *rows,
    size_t n);

/* Ordered by name. */
void catalog_mirrors_load(struct catalog *c, catalog_mirrors_fn *fn, void *arg);

/*
 * Name, peers, config, tables and state are looked at. EXISTS for the name,
 * NOT_FOUND for a peer. History of a dropped mirror of the same name goes,
 * except its log and state history: the new one counts from batch 1.
 */
void catalog_mirror_insert(struct catalog *c, const struct catalog_mirror *m, catalog_done_fn *done,
    void *arg);

/* The rest is NOT_FOUND for an unknown name. */
void catalog_mirror_set_config(struct catalog *c, const char *name, struct slice config,
    catalog_done_fn *done, void *arg);
void catalog_mirror_set_tables(struct catalog *c, const char *name, struct slice tables,
    catalog_done_fn *done, void *arg);

/* A row of state history (with the event, e.g. "setup_done") is written when status changes. */
void catalog_mirror_set_state(struct catalog *c, const char *name,
    const struct catalog_mirror_state *s, const char *event, catalog_done_fn *done, void *arg);

/* Never goes down: storing one that is not above the stored is an ERR_BUG. */
void catalog_mirror_set_generation(struct catalog *c, const char *name, uint64_t generation,
    catalog_done_fn *done, void *arg);

/* Grouped; one below the stored is ignored. */
void catalog_mirror_set_checkpoint(struct catalog *c, const char *name, lsn_t lsn,
    catalog_done_fn *done, void *arg);

/* Grouped: a trouble that is being retried beside an unchanged state; why NULL: it is over. */
void catalog_mirror_set_error(struct catalog *c, const char *name, const struct err *why,
    catalog_done_fn *done, void *arg);

/* The row, its snapshot ledger and tags; batches, counts, logs and history only if drop_stats. */
void catalog_mirror_delete(struct catalog *c, const char *name, bool drop_stats,
    catalog_done_fn *done, void *arg);

/* One row of v_state_history. */
struct catalog_state_change {
	int64_t id;
	int32_t from; /* STATUS_UNKNOWN (0) for the first */
	int32_t to;
	const char *event;
	const char *error; /* "" */
	usec_t at_us;
};

typedef void catalog_history_fn(void *arg, const struct err *err,
    const struct catalog_state_change *rows, size_t n);

/* Newest first. */
void catalog_history_list(struct catalog *c, const char *mirror, int64_t limit,
    catalog_history_fn *fn, void *arg);

/* ---- snapshot ledger: the last attempt of each mirror */

enum catalog_load_state {
	CATALOG_LOAD_WAITING = 0,
	CATALOG_LOAD_LOADING = 1,
	CATALOG_LOAD_INDEXING = 2,
	CATALOG_LOAD_DONE = 3,
	CATALOG_LOAD_ERROR = 4,
};

/* The first five fields are the plan; the rest is summed up from the partitions. */
struct catalog_load_table {
	int32_t index;	    /* from 0, the order of the plan */
	const char *source; /* schema.table */
	const char *destination;
	int32_t partitions_total;
	int64_t rows_estimated;
	enum catalog_load_state state;
	int32_t partitions_done;
	int64_t rows;
	int64_t bytes;
	usec_t start_us; /* of the first partition */
	usec_t end_us;	 /* of the last; 0 while any is missing */
	usec_t busy_us;	 /* sum over the finished partitions */
};

struct catalog_partition {
	int32_t table; /* catalog_load_table.index */
	int32_t partition;
	int64_t rows;
	int64_t bytes;
	usec_t start_us;
	usec_t end_us;
	const char *range; /* for people; NULL or "" for none */
};

typedef void catalog_load_fn(void *arg, const struct err *err, const char *snapshot_id,
    const struct catalog_load_table *rows, size_t n);
typedef void catalog_partitions_fn(void *arg, const struct err *err,
    const struct catalog_partition *rows, size_t n);

/* At once. Another snapshot_id than the stored one wipes the ledger, the same changes nothing. */
void catalog_load_plan(struct catalog *c, const char *mirror, const char *snapshot_id,
    const struct catalog_load_table *tables, size_t n, catalog_done_fn *done, void *arg);

/* Grouped. A partition stored already is left as it is; NOT_FOUND for one of another attempt. */
void catalog_load_partition(struct catalog *c, const char *mirror, const char *snapshot_id,
    const struct catalog_partition *p, catalog_done_fn *done, void *arg);
void catalog_load_set_state(struct catalog *c, const char *mirror, const char *source,
    enum catalog_load_state state, catalog_done_fn *done, void *arg);

/* A mirror without a ledger has no rows and snapshot_id "". */
void catalog_load_list(struct catalog *c, const char *mirror, catalog_load_fn *fn, void *arg);
void catalog_partitions_list(struct catalog *c, const char *mirror, catalog_partitions_fn *fn,
    void *arg);

/* ---- batches and counts */

struct catalog_batch {
	uint64_t batch_id; /* from 1 in each mirror */
	lsn_t start_lsn;
	lsn_t end_lsn;
	int64_t rows;
	usec_t start_us;
	usec_t end_us;
};

struct catalog_counts {
	const char *destination; /* schema.table */
	int64_t inserts;
	int64_t updates;
	int64_t deletes;
	uint64_t latest_batch_id; /* not looked at by catalog_batch_add() */
};

/* Where a page of a list stands in the whole. */
struct catalog_page {
	int64_t total;	 /* rows that match, on all pages */
	int64_t skipped; /* of them, those before this page */
};

/* Batch ids, or log ids; 0: no bound. Newest first unless ascending. limit 0: no rows. */
struct catalog_range {
	int64_t before_id; /* only ids below */
	int64_t after_id;  /* only ids above */
	int64_t limit;
	bool ascending;
};

typedef void catalog_batches_fn(void *arg, const struct err *err, const struct catalog_batch *rows,
    size_t n, const struct catalog_page *page);
typedef void catalog_counts_fn(void *arg, const struct err *err, const struct catalog_counts *rows,
    size_t n);

/* Grouped. Stores the batch, adds its counts, moves the checkpoint; nothing when it is known. */
void catalog_batch_add(struct catalog *c, const char *mirror, const struct catalog_batch *b,
    const struct catalog_counts *counts, size_t n, catalog_done_fn *done, void *arg);

/* Of the batches kept; older ones live on in the counts and totals. */
void catalog_batches_list(struct catalog *c, const char *mirror, const struct catalog_range *range,
    catalog_batches_fn *fn, void *arg);

/* Since the mirror was created, by destination table, ordered by name. */
void catalog_counts_list(struct catalog *c, const char *mirror, catalog_counts_fn *fn, void *arg);

struct catalog_totals {
	int64_t batches; /* ever, not only those kept */
	int64_t batch_rows;
	int64_t inserts; /* of catalog_counts_list() */
	int64_t updates;
	int64_t deletes;
	int64_t snapshot_rows; /* of the ledger */
};

typedef void catalog_totals_fn(void *arg, const struct err *err, const struct catalog_totals *t);

void catalog_totals_get(struct catalog *c, const char *mirror, catalog_totals_fn *fn, void *arg);

/* ---- log lines people see */

struct catalog_log {
	int64_t id;
	const char *mirror; /* "" for the daemon itself */
	const char *level;  /* info, warn, error */
	const char *message;
	usec_t at_us;
};

struct catalog_log_filter {
	const char *mirror; /* substring of the name; NULL or "": all */
	const char *level;  /* NULL or "": all */
	struct catalog_range range;
};

typedef void catalog_logs_fn(void *arg, const struct err *err, const struct catalog_log *rows,
    size_t n, const struct catalog_page *page);

/* Grouped. id is not looked at. */
void catalog_log_add(struct catalog *c, const struct catalog_log *l, catalog_done_fn *done,
    void *arg);
void catalog_logs_list(struct catalog *c, const struct catalog_log_filter *f, catalog_logs_fn *fn,
    void *arg);

#endif
