/*
 * worker - the life of `peerd-worker mirror NAME`
 *
 * HELLO, CONFIG, then what the configuration's phase asks for: setup, snapshot,
 * streaming, or the drop. One event loop; the long synchronous steps (setup,
 * planning a snapshot) wait through pgconn, which lets the loop run whenever
 * the daemon says something.
 *
 * A worker ends in one of three ways, each by worker_exit_*(): done (0, after
 * DRAINED, DROPPED or the end of a snapshot-only mirror), failed (FAILED with
 * the error, then its exit status), or orphaned (the daemon is gone). None of
 * them needs the data path's consent: whatever is not durable is sent again.
 */
#ifndef PEERD_WORKERS_WORKER_H
#define PEERD_WORKERS_WORKER_H

#include <stdbool.h>

#include <event2/event.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/conn/pgconn.h"
#include "lib/ipc/ipc.h"
#include "lib/types/table.h"
#include "protos/worker.pb-c.h"

struct cdc;
struct dest;
struct snapshot;

struct worker {
	struct event_base *loop;
	struct ipc *ipc;
	struct log_subject subject;
	struct arena *mirror; /* lives as long as the worker */
	struct pgconn_interrupt intr;
	PeerdWorker__Config *config;
	const PeerdbPeers__PostgresConfig *source;
	struct table **tables;
	uint32_t ntables;
	bool stopping;		   /* asked to, or the daemon is gone */
	bool pause;		   /* the operator's wish: answer DRAINED */
	struct cdc *cdc;	   /* while streaming */
	struct snapshot *snapshot; /* while loading */
};

/* The roles of the program; each returns the exit status. */
int worker_main(const char *mirror);
int snapshot_worker_main(const char *mirror);

/* Open a connection to the source, or to the destination when that is Postgres. */
bool worker_connect(struct worker *w, bool source, enum pgconn_mode mode, struct pgconn **c_r,
    struct err *err);

bool worker_open_dest(struct worker *w, struct dest **d_r, struct err *err);

void worker_log(struct worker *w, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Build w->tables from definitions; they must outlive the worker. */
void worker_set_tables(struct worker *w, PeerdWorker__MirrorTable **defs, size_t n);

/* The definitions of all tables; the array is the caller's to free(). */
PeerdWorker__MirrorTable **worker_defs(const struct worker *w);

/* The snapshot is complete and its position stored: go on streaming, or end. */
void worker_snapshot_done(struct worker *w, lsn_t lsn);

/* Tell of a table's state. err may be NULL. */
void worker_table_state(struct worker *w, const struct table *t, PeerdWorker__TableState state,
    const struct err *err);

/* The table cannot be carried on; the others can. */
void worker_stop_table(struct worker *w, struct table *t, const struct err *why);

void worker_title(struct worker *w, const char *state);

void worker_exit_failed(struct worker *w, const struct err *err) __attribute__((noreturn));
void worker_exit_done(struct worker *w) __attribute__((noreturn));

/* ---- cdc.c: streaming */

bool cdc_start(struct worker *w, struct err *err);
void cdc_stop(struct cdc *c); /* finish what can be finished quickly, then exit */

/* ---- snapshot.c: the initial load */

bool snapshot_start(struct worker *w, struct err *err);

#endif
