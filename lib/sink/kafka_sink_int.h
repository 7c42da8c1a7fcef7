/*
 * kafka_sink_int - the two threads of the Kafka sink
 *
 *	kafka_sink.c	the event loop's: life, batches handed over, notes taken
 *	kafka_apply.c	the other: batches sent and committed
 *
 * The event loop hands over a batch and goes on reading. The thread makes
 * records of it, sends them and commits, all of which may wait, and tells the
 * loop by notes and an eventfd. What belongs to which:
 *
 *	loop	cfg, callbacks, tables' states, timer
 *	thread	client, encoder, walk, progress; the batch, from submit() to the note
 *		that it is applied
 *	both	what `lock` is over
 *
 * While the thread has no batch (and has told so) the loop may touch its things
 * under the lock: table_changed() does.
 *
 * With exactly_once: a Kafka transaction begins with a batch and is committed
 * when that is in, so that a lone change is seen soon, and changes that come
 * meanwhile make up the next one. Large batches follow one another, and a commit
 * stops the sending for tens of milliseconds: then a transaction goes on over
 * several batches, for a while. It never ends inside a source transaction.
 *
 * Without: what is sent is seen at once, and the position follows, once a
 * second at most, when all before it is stored. Nobody waits for the position
 * itself: it is known to be stored when the next one follows.
 *
 * A transaction that the brokers could not take is aborted and sent again, if
 * all of it is in the batch at hand; else the worker starts again from the
 * position.
 */
#ifndef PEERD_SINK_KAFKA_SINK_INT_H
#define PEERD_SINK_KAFKA_SINK_INT_H

#include <pthread.h>

#include "lib/base/err.h"
#include "lib/sink/kafka_int.h"
#include "lib/sink/sink.h"

enum kafka_note_kind {
	KAFKA_NOTE_APPLIED,
	KAFKA_NOTE_DURABLE,
	KAFKA_NOTE_TABLE_ERROR,
	KAFKA_NOTE_FIND,
	KAFKA_NOTE_ERROR
};

/* A row that the thread asks the loop for, and waits. */
struct kafka_find {
	const struct table *t;
	const struct row *row;
	struct arena *a;
	const struct row *found;
	struct err err;
	bool done;
};

/* From the thread to the loop. */
struct kafka_note {
	struct kafka_note *next;
	enum kafka_note_kind kind;
	struct batch *b;
	lsn_t lsn;
	struct table *t;
	struct kafka_find *find;
	struct err err;
};

struct kafka_sink {
	struct sink base;
	const struct sink_config *cfg;
	struct kafka_options opt;
	char id[KAFKA_ID_SIZE];
	struct arena *arena;
	struct kafka_encoder *e;
	struct kclient *k;
	struct kafka_out out;
	struct kafka_walk walk;
	struct kafka_progress_config progress_cfg;
	struct kafka_progress *progress;
	struct event *readable; /* there are notes */
	struct event *watch;	/* while the thread is at work */

	/* the thread's */
	bool begun;	   /* records were sent since the last commit */
	usec_t begun_at;   /* the first of them */
	usec_t applied_at; /* the last batch was sent */
	usec_t settled_at; /* the last commit of a position */
	lsn_t applied;	   /* end of the last source commit that was sent */
	lsn_t settled;	   /* the position that is stored */
	lsn_t sent;	   /* without exactly_once: the position that is on its way */
	bool carried;	   /* begun with an earlier batch */

	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct batch *b; /* to be applied, or being applied */
	bool taken;
	bool drain;
	bool stop;
	struct kafka_note *first, **last;
	int wakeup; /* eventfd */
};

/* ---- kafka_apply.c, for the thread */

void *kafka_apply_run(void *sink);

/* What the walk asks, see kafka_int.h. */
void kafka_apply_table_error(void *sink, struct table *t, const struct err *err);
bool kafka_apply_find_row(void *sink, const struct table *t, const struct row *row, struct arena *a,
    const struct row **row_r, struct err *err);

#endif
