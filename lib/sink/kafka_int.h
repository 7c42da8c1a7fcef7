/*
 * kafka_int - what the files of a Kafka destination share
 *
 *	kafka_dest.c	the handle and its calls (dest.h)
 *	kafka_load.c	rows of a snapshot (loader.h)
 *	kafka_sink.c, kafka_apply.c changes (sink.h): kafka_sink_int.h
 *	kafka_walk.c	a batch as records, in the order of its changes
 *	kafka_out.c	records to the client; those that are too large
 *	kafka_progress.c what is remembered
 *
 * What records look like is kafka_format.h's business.
 */
#ifndef PEERD_SINK_KAFKA_INT_H
#define PEERD_SINK_KAFKA_INT_H

#include <stdbool.h>

#include "lib/conn/kclient.h"
#include "lib/sink/kafka_format.h"
#include "lib/sink/kafka_options.h"
#include "lib/sink/kafka_progress.h"

struct dest_config;
struct loader;
struct loader_config;

#define KAFKA_ID_SIZE 256

/* A mirror's transactional id: who writes under it shuts out whoever did before. */
const char *kafka_transactional_id(const char *mirror, char *to);

/* And that of whoever loads a partition of a table, by its index. */
const char *kafka_loader_id(const char *mirror, uint32_t table, int32_t partition, char *to);

/* ---- kafka_out.c */

struct kafka_out {
	struct kclient *k;
	struct kafka_encoder *e;
	const struct kafka_options *opt;
};

/*
 * All of them or, with ERR_DATA, none: one is larger than records may be, and
 * the mirror is to stop the table then. What the client says otherwise.
 */
bool kafka_out_send(struct kafka_out *out, const struct kafka_records *list, struct err *err);

/* ---- kafka_walk.c */

/* What the walk keeps of a table. */
struct kafka_walk_table {
	struct table *t;
	struct kafka_table *kt;
	uint64_t changes; /* of the transaction under way */
	bool touched;	  /* by it: is in walk->touched */
	bool stopped;
};

/* Where in the stream we are: a transaction may go through many batches. */
struct kafka_walk {
	struct kafka_out *out;
	struct kafka_walk_table *tables; /* by table->index */
	struct transaction tx;
	uint64_t position; /* of the next change in it */
	bool open;	   /* in a transaction */
	uint32_t *touched; /* indexes of its tables */
	uint32_t ntouched;
	struct kafka_transaction_count *counts; /* room for as many */
	usec_t now;

	struct arena *found; /* a row that was looked for */

	/* The table cannot go on; its changes are left out from here on. */
	void (*on_table_error)(void *arg, struct table *t, const struct err *err);
	/* As sink.h has it. */
	bool (*find_row)(void *arg, const struct table *t, const struct row *row, struct arena *a,
	    const struct row **row_r, struct err *err);
	void *arg;
};

/* ntables: as many as `tables` has, which is the caller's. */
void kafka_walk_init(struct kafka_walk *w, uint32_t ntables);
void kafka_walk_done(struct kafka_walk *w);

/* Send the batch. Fails as the client does. */
bool kafka_walk_batch(struct kafka_walk *w, const struct batch *b, struct err *err);

/* What was sent of the transaction under way came to nothing. */
void kafka_walk_forget(struct kafka_walk *w);

/* ---- kafka_load.c */

bool kafka_loader_open(const struct loader_config *cfg, struct loader **l_r, struct err *err);

#endif
