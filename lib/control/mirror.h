/*
 * mirror - one mirror, in the daemon's memory
 *
 * What the operator wants (wanted) and what is (state, phase) are separate;
 * mirror_fsm.h says how events move the latter and what is to be done then.
 * Every change is a struct mirror_change in the mirror's queue: one after the
 * other each is stepped through the table, stored in the catalog, applied to
 * memory, and only then acted upon. So nothing is done that a restart of
 * peerd would not know of.
 *
 * mirror.c		memory, the queue of changes
 * mirror_act.c		what is done: start, drain, stop, back off, drop, forget
 * mirror_facts.c	what the worker says
 */
#ifndef PEERD_CONTROL_MIRROR_H
#define PEERD_CONTROL_MIRROR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "catalog/catalog.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/control/uthash.h"
#include "lib/ipc/ipc.h"
#include "lib/types/backoff.h"
#include "lib/types/mirror_fsm.h"
#include "protos/worker.pb-c.h"

struct child;
struct child_end;
struct event;
struct mirror_counts;
struct service;

/* A table of the snapshot, durable rows and those under way. */
struct mirror_load {
	char *source;
	char *destination;
	int32_t partitions_total;
	int32_t partitions_done;
	int64_t rows_estimated;
	int64_t rows_durable;
	int64_t rows;
};

typedef void mirror_changed_fn(void *arg, const struct err *err);

struct mirror_change {
	STAILQ_ENTRY(mirror_change) entry;
	enum mirror_event event;
	enum catalog_wanted wanted; /* 0: as it is */
	bool drop_stats;
	bool skip_destination_drop;
	struct err why;		 /* to show beside the state, or none */
	mirror_changed_fn *done; /* NULL: nobody waits */
	void *arg;
	struct mirror_step step; /* while it is being stored */
};

struct mirror {
	UT_hash_handle hh;
	struct service *svc;
	struct log_subject subject;
	int64_t id;
	char *name;
	PeerdbFlow__FlowConnectionConfigs *config;
	PeerdWorker__SetupDone *tables; /* NULL before SETUP is done */
	usec_t created_us;

	enum catalog_wanted wanted;
	mirror_state_t state;
	mirror_state_t phase;
	bool drop_stats;
	bool skip_destination_drop;
	struct err error; /* shown beside the state */
	STAILQ_HEAD(, mirror_change) changes;
	bool storing; /* the first of them is with the catalog */
	struct event *store_again;

	struct child *child; /* the worker, or NULL */
	uint64_t generation;
	bool starting; /* its generation is with the catalog */
	bool asked_to_stop;
	bool dropped;	   /* it said so */
	bool in_trouble;   /* it said so, and not that it is over */
	struct err failed; /* what it said, or none */
	struct backoff backoff;
	unsigned attempts; /* bounded ones, at this checkpoint */
	struct event *retry;
	struct event *proof; /* a minute up */
	uint64_t starts;

	struct mirror_load *load;
	size_t nload;
	char *snapshot_id;

	uint64_t next_batch_id;
	uint64_t batches;
	int64_t rows_synced;
	struct mirror_counts *counts; /* by table, since peerd started */
	lsn_t source_lsn;
	lsn_t received_lsn;
	lsn_t confirmed_lsn;
	int64_t lag_bytes; /* -1: unknown */
	int64_t lag_us;
	double rows_per_second;
	int64_t worker_rss;
	int64_t worker_cpu_us;
};

/* ---- memory */

/* From a row of the catalog; NULL with err when it does not unpack. */
struct mirror *mirror_new(struct service *svc, const struct catalog_mirror *row, struct err *err);
void mirror_free(struct mirror **m);
/* Read from the catalog how far the snapshot and the stream have come. */
void mirror_recall(struct mirror *m);

int64_t mirror_rows_loaded(const struct mirror *m);
struct mirror_load *mirror_load_find(struct mirror *m, const char *source);
void mirror_load_reset(struct mirror *m, const char *snapshot_id, size_t n);

/* ---- changes */

/* change is copied. done: once; err: illegal in that state, or not stored. */
void mirror_change(struct mirror *m, const struct mirror_change *change);
void mirror_event(struct mirror *m, enum mirror_event event);

/* Show, or with NULL no longer show, a trouble that leaves the state alone. */
void mirror_show_error(struct mirror *m, const struct err *why);

/* A line for the people who read the mirror's log; to the catalog alone. */
void mirror_note(struct mirror *m, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- what is done */

void mirror_act(struct mirror *m, enum mirror_action action);

/* After peerd's start: go on from what the catalog says. */
void mirror_begin(struct mirror *m);

/* Let the worker end and start again, as its peers have changed. */
void mirror_restart_worker(struct mirror *m);

/* peerd stops: ask the worker to end. */
void mirror_shut(struct mirror *m);

/* The worker did something that only a healthy one does. */
void mirror_proved_healthy(struct mirror *m);

/* ---- what the worker says */

extern const struct ipc_handler mirror_handlers[];

#endif
