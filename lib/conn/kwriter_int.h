/*
 * kwriter_int - what the files of Kafka's writer share
 *
 *	kwriter.c		life, and the calls
 *	kwriter_cluster.c	brokers, who leads what, who coordinates
 *	kwriter_io.c		requests out, answers in
 *	kwriter_produce.c	batches, from the first record to their confirmation
 *	kwriter_txn.c		producer's name, partitions of a transaction, its end
 *
 * Work is done in kwriter_turn(): what is ready goes out, and what has come in
 * is taken. A call that needs an answer before it can go on uses kwriter_ask(),
 * which takes what comes in meanwhile but begins nothing new.
 */
#ifndef PEERD_CONN_KWRITER_INT_H
#define PEERD_CONN_KWRITER_INT_H

#include <sys/queue.h>

#include "lib/base/err.h"
#include "lib/conn/kwriter.h"

/* As many requests, and so batches of a partition, as a leader can tell repetitions among. */
#define KWRITER_INFLIGHT_MAX 5

#define KWRITER_STEP_MS	   200 /* between two looks at go_on() */
#define KWRITER_BACKOFF_US (20 * USEC_PER_MSEC)
#define KWRITER_NOBODY	   (-1)

/* On its way into a partition, ready to be sent; kept until confirmed. */
struct kwriter_batch {
	STAILQ_ENTRY(kwriter_batch) next;
	bool sent; /* and neither confirmed nor refused yet */
	size_t n;
	uint8_t bytes[];
};

enum kwriter_part {
	KWRITER_PART_NONE,
	KWRITER_PART_ASKED,
	KWRITER_PART_TAKEN
};

struct kwriter_partition {
	struct kwriter_topic *topic;
	int32_t index;
	int32_t leader;
	enum kwriter_part part; /* of the transaction under way */
	struct kbatch_open open;
	STAILQ_HEAD(, kwriter_batch) batches; /* oldest first */
	uint32_t nsent;
	int32_t sequence; /* of the next batch's first record */
	bool proven;	  /* a batch was confirmed since the last trouble: several may be out */
	bool is_busy;	  /* is in w->busy */
	usec_t failed_at; /* the first of the failures since a success; or 0 */
	usec_t again_at;  /* not before */
	TAILQ_ENTRY(kwriter_partition) busy;
};

struct kwriter_topic {
	char *name;
	struct kwriter_partition *partitions;
	uint32_t npartitions;
	int16_t error;	 /* of the last look at it */
	uint32_t sticky; /* where records without a key go, for a while */
};

/* Sent, and not answered. */
struct kwriter_request {
	STAILQ_ENTRY(kwriter_request) next;
	enum kwire_api api;
	int32_t correlation;
	usec_t sent_at;
	struct kwriter_partition **partitions; /* that it concerns */
	uint32_t npartitions;
	struct kwriter_answer *answer; /* of kwriter_ask() */
};

/* The body is the asker's to free. */
struct kwriter_answer {
	bool done;
	bool lost;
	struct buf body;
};

struct kwriter_broker {
	int32_t id; /* KWRITER_NOBODY: known by its address alone */
	char *host;
	uint16_t port;
	struct kconn *conn;
	STAILQ_HEAD(, kwriter_request) requests;
	uint32_t nrequests;
	unsigned failures; /* to connect, in a row */
	usec_t again_at;   /* not before */
};

struct kwriter {
	struct kwriter_config cfg;
	struct kwriter_broker **brokers;
	uint32_t nbrokers;
	struct kwriter_topic **topics;
	uint32_t ntopics, last_topic;
	struct kwriter_topic *topic_at;	      /* while metadata is read */
	TAILQ_HEAD(, kwriter_partition) busy; /* with records that are not confirmed */
	struct buf packed;		      /* a batch while it is made */
	size_t bytes;			      /* of records and batches */
	size_t room;			      /* that the open batches have */
	uint32_t nbatches;		      /* that are not confirmed */
	bool stale;			      /* who leads what has to be asked */
	usec_t looked_at;		      /* the last time that it was */

	struct kwriter_broker *coordinator;
	struct kwire_producer producer;
	bool in_txn; /* partitions were taken into it, or may have been */
	bool adding; /* an answer to that is awaited */
	usec_t add_again_at;
	usec_t wake_at;
	unsigned seed;

	bool failed; /* what is under way cannot go on, and why */
	struct err why;
	bool may_repeat;
	struct err trouble; /* the last */
};

/* ---- kwriter.c */

/* What is under way came to nothing; the first failure is kept. */
void kwriter_fail(struct kwriter *w, int16_t code, const char *what);
void kwriter_fail_as(struct kwriter *w, const struct err *err);

/* Somebody should know of it, though it is being dealt with. */
void kwriter_trouble(struct kwriter *w, int16_t code, const char *what);
void kwriter_tell(struct kwriter *w, const struct err *err);

/* err has the last trouble's words; returns false. */
bool kwriter_timed_out(struct kwriter *w, const char *what, struct err *err);

/* ---- kwriter_cluster.c */

bool kwriter_find_bootstrap(struct kwriter *w, struct err *err);
uint32_t kwriter_count_brokers(const struct kwriter *w);
struct kwriter_broker *kwriter_broker(struct kwriter *w, int32_t id);
struct kwriter_broker *kwriter_add_broker(struct kwriter *w, const struct kwire_broker *found);

/* Connected, now or before; NULL: not now. err is set for what the user must change. */
struct kwriter_broker *kwriter_reach(struct kwriter *w, struct kwriter_broker *b, struct err *err);
struct kwriter_broker *kwriter_reach_any(struct kwriter *w, struct err *err);

/* Ask who leads what. False without err: nobody could be asked. */
bool kwriter_look(struct kwriter *w, struct err *err);

/* Waits until the cluster knows the topic; NULL: it does not, or err says else why. */
struct kwriter_topic *kwriter_topic(struct kwriter *w, const char *name, struct err *err);
void kwriter_free_cluster(struct kwriter *w);

/* ---- kwriter_io.c */

/* The request in the connection's buffer is whole. Takes the list. */
struct kwriter_request *kwriter_sent(struct kwriter_broker *b, enum kwire_api api,
    int32_t correlation, struct kwriter_partition **partitions, uint32_t n);

/* As kwriter_sent(), and wait for the answer. False without err: the connection was lost. */
bool kwriter_ask(struct kwriter *w, struct kwriter_broker *b, enum kwire_api api,
    int32_t correlation, struct buf *body_r, struct err *err);

/* One of the request's partitions, the first time that it is asked for; else NULL. */
struct kwriter_partition *kwriter_take_named(const struct kwriter_request *rq, struct slice topic,
    int32_t index);

/* Close the connection; what was not answered is as if it had not been sent. */
void kwriter_drop(struct kwriter *w, struct kwriter_broker *b, const struct err *why);

/* Move bytes, take answers; waits at most so long for the first of them. */
bool kwriter_move(struct kwriter *w, int wait_ms, struct err *err);

/* One turn of the work; waits at most so long. False: what is under way has failed. */
bool kwriter_turn(struct kwriter *w, int wait_ms, struct err *err);

/* There will be something to do then. */
void kwriter_wake(struct kwriter *w, usec_t at);
bool kwriter_pause(struct kwriter *w, usec_t us, struct err *err);

/* ---- kwriter_produce.c */

bool kwriter_put(struct kwriter *w, struct kwriter_topic *t, const struct kclient_record *r,
    struct err *err);
void kwriter_close_all(struct kwriter *w);
bool kwriter_produce(struct kwriter *w, struct err *err);

/* False: the answer cannot be read. */
bool kwriter_take_produced(struct kwriter *w, const struct kwriter_broker *b,
    const struct kwriter_request *rq, struct slice body);

/* Those of the request that have no answer are to be sent again; were there any? */
bool kwriter_unsend(struct kwriter *w, const struct kwriter_request *rq);

/* Records and batches are gone, and counted from 0 again. */
void kwriter_forget_all(struct kwriter *w);

/* By topic; returns how many topics there are. */
uint32_t kwriter_sort(struct kwriter_partition **list, uint32_t n);

/* How many at the list's head are of one topic. */
uint32_t kwriter_same_topic(struct kwriter_partition **list, uint32_t n);

/* ---- kwriter_txn.c */

/* Tell the coordinator of partitions that the transaction has not been to. */
bool kwriter_add_partitions(struct kwriter *w, struct err *err);
bool kwriter_take_added(struct kwriter *w, const struct kwriter_request *rq, struct slice body);
void kwriter_unask(struct kwriter *w, const struct kwriter_request *rq);

/* A producer's id and epoch, new ones; with a transactional id they end what was open. */
bool kwriter_name_producer(struct kwriter *w, struct err *err);
bool kwriter_end_txn(struct kwriter *w, struct err *err);

#endif
