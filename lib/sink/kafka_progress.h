/*
 * kafka_progress - what peerd remembers in a Kafka cluster
 *
 * Records of topic `_peerd_progress`, which has one partition and is compacted:
 * of each key the last record counts. A mirror has one record of its own, and
 * while it loads one for each partition of its snapshot:
 *
 *	orders			{"lsn":"0/16B3748","snapshot":"64b0-12","stopped":
 *				 [{"table":"public.t","error":"...","hint":"..."}]}
 *	orders/64b0-12/3/17	{"rows":200000,"done":false}
 *
 * lsn: the source's changes up to here are in the topics; absent: none yet.
 * snapshot: the attempt at a snapshot that is on. stopped: tables that go on no
 * more. rows: so many of the partition's rows are in, in the order in which the
 * snapshot gives them.
 *
 * With transactions such a record is written in the one that holds the rows it
 * speaks of; without, after they were stored.
 *
 *	kafka_progress_new()	nothing is asked yet
 *	kafka_progress_create()	makes the topic, unless it is there
 *	kafka_progress_read()	what is there now
 *	kafka_progress_send()	the mirror's record as it is known here, by a writer
 *
 * Reading waits for no transaction but the mirror's own: what others have left
 * open hides only what concerns them. Who sets out a new attempt need not wait
 * for the loaders of the last one, which may have been killed: shut_out() ends
 * what they have left open. A handle is one thread's.
 *
 * Errors: as kclient.h; ERR_PROTOCOL for records that are none of ours.
 */
#ifndef PEERD_SINK_KAFKA_PROGRESS_H
#define PEERD_SINK_KAFKA_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/wire/lsn.h"
#include "protos/peers.pb-c.h"

struct err;
struct kafka_progress;
struct kclient;
struct pgconn_interrupt;

#define KAFKA_PROGRESS_TOPIC "_peerd_progress"

/* It and everything in it is lent until close. */
struct kafka_progress_config {
	const PeerdbPeers__KafkaConfig *peer;
	const char *mirror;
	const char *what; /* our name, for the brokers */
	usec_t timeout;
	const struct pgconn_interrupt *intr;

	/* Of a partition whose mark is hidden, or may hide others; NULL: they are waited for. */
	bool (*shut_out)(void *arg, uint32_t table, int32_t partition, struct err *err);
	void *arg;
};

struct kafka_stopped {
	char *table; /* on the source */
	char *error;
	char *hint;
};

/* Nothing of a partition is there: rows 0, not done. */
struct kafka_loaded {
	int64_t rows;
	bool done;
};

struct kafka_progress *kafka_progress_new(const struct kafka_progress_config *cfg);
void kafka_progress_free(struct kafka_progress **p);

/* replication_factor: 0 for the broker's default. */
bool kafka_progress_create(struct kafka_progress *p, uint32_t replication_factor, struct err *err);
bool kafka_progress_read(struct kafka_progress *p, struct err *err);

/* No connection is kept until the next read. */
void kafka_progress_rest(struct kafka_progress *p);

/* ---- what is known */

lsn_t kafka_progress_lsn(const struct kafka_progress *p);	     /* LSN_INVALID: none */
const char *kafka_progress_snapshot(const struct kafka_progress *p); /* "": none */
const struct kafka_stopped *kafka_progress_stopped(const struct kafka_progress *p,
    const char *table); /* NULL: goes on */
struct kafka_loaded kafka_progress_loaded(const struct kafka_progress *p, uint32_t table,
    int32_t partition); /* of the present attempt */

/* ---- changing it; known to others once it was sent and committed */

void kafka_progress_set_lsn(struct kafka_progress *p, lsn_t lsn);
void kafka_progress_set_snapshot(struct kafka_progress *p, const char *id); /* "": none */
void kafka_progress_add_stopped(struct kafka_progress *p, const char *table, const char *error,
    const char *hint);
void kafka_progress_clear(struct kafka_progress *p); /* position, attempt, stopped tables */

bool kafka_progress_send(const struct kafka_progress *p, struct kclient *writer, struct err *err);
bool kafka_progress_send_loaded(const struct kafka_progress *p, struct kclient *writer,
    uint32_t table, int32_t partition, struct kafka_loaded loaded, struct err *err);

/* Tombstones: for marks of partitions, and for the mirror's record if `all`. */
bool kafka_progress_send_forget(const struct kafka_progress *p, struct kclient *writer, bool all,
    struct err *err);

/* ---- the records' texts, for tests: malloc'd */

char *kafka_progress_text(const struct kafka_progress *p);
bool kafka_progress_take(struct kafka_progress *p, const char *key, const char *text,
    struct err *err); /* text NULL: a tombstone */

#endif
