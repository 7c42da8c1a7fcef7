/*
 * snapshot_int - what the files of an initial load share
 *
 *	snapshot.c	life: a clean destination, handing out work, the end
 *	snapshot_cut.c	the plan of a load: tables into partitions
 *	snapshot_plan.c	its arithmetic
 *	snapshot_source.c	the connection that holds the snapshot
 *	snapshot_worker.c	the children's side
 */
#ifndef PEERD_WORKERS_SNAPSHOT_INT_H
#define PEERD_WORKERS_SNAPSHOT_INT_H

#include <sys/types.h>

#include "workers/snapshot_source.h"
#include "workers/worker.h"

#define CHILDREN_MAX 64

enum task_state {
	TASK_WAITING,
	TASK_ASSIGNED,
	TASK_DONE
};

struct partition {
	uint32_t table;
	int32_t number;	      /* within the table */
	const char *relation; /* quoted */
	char where[96];
	enum task_state state;
};

struct load_table {
	struct table *t;
	uint32_t first, count; /* partitions */
	uint32_t waiting, done;
	int64_t rows; /* of finished partitions */
	int64_t rows_estimated;
	enum task_state keys;
	bool started;
};

/* A snapshot worker. Its task is a partition, or the keys of a table (partition NULL). */
struct child {
	struct snapshot *sn;
	pid_t pid;
	struct ipc *ipc;
	bool ready;
	struct partition *partition;
	struct load_table *keys;
	int64_t rows;	/* of the partition under way */
	struct err err; /* why it said it failed */
};

struct snapshot {
	struct worker *w;
	struct snapshot_source src;
	struct event *src_readable;
	struct dest *dst; /* taken over */
	char id[40];	  /* of this attempt */
	struct partition *parts;
	uint32_t nparts, parts_cap;
	struct load_table *tables;
	struct child children[CHILDREN_MAX];
	uint32_t nchildren;
	unsigned deaths;
	usec_t progress_at;
};

/* ---- snapshot_cut.c */

/* Every table of the mirror into partitions: sn->tables, sn->parts. */
bool snapshot_cut(struct snapshot *sn, struct err *err);
void snapshot_tell_plan(struct snapshot *sn);

/* How many snapshot workers a table is worth. */
uint32_t snapshot_workers_per_table(const struct snapshot *sn);

#endif
