/*
 * kclient - a Kafka cluster
 *
 * A client is made from a peer's configuration and is either a reader or a
 * writer. Readers are librdkafka's; writers are our own (kwriter.h) unless the
 * peer's options ask for what only librdkafka has, and alike but for speed.
 * librdkafka has threads of its own; a client is used by one thread at a time,
 * and its calls wait, in steps, so that they can be interrupted: by the
 * configuration's interrupt, or from another thread by kclient_stop().
 *
 *	kclient_open()		nothing is connected yet; the configuration is checked
 *	kclient_connect()	waits until the cluster answers; says why it does not
 *	kclient_close()		what is under way is abandoned
 *
 * A reader knows topics, makes them, and reads a partition from end to end. A
 * writer sends records:
 *
 *	kclient_fence()		with a transactional id: whoever wrote under it before is
 *				shut out, and what he left uncommitted is gone
 *	kclient_begin()
 *	kclient_send()		any number; copies; waits while the queue is full
 *	kclient_commit()	waits until all is stored, and visible at once
 *	kclient_abort()		after a failure: none of it is visible, ever
 *
 * Without a transactional id begin, fence and abort do nothing, and commit
 * waits until all that was sent is stored. Either way a record that was sent is
 * stored once, and those of one key in order.
 *
 * The settings, lowest first: ours, the peer's fields, the peer's options.
 *
 * Errors: ERR_CONFIG for what the user must change (authentication, TLS,
 * rights, sizes, options); ERR_TRANSIENT for a cluster that is away, and for a
 * writer that was shut out; ERR_CANCELLED. Words are librdkafka's and the
 * broker's own, without secrets.
 */
#ifndef PEERD_CONN_KCLIENT_H
#define PEERD_CONN_KCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/slice.h"
#include "protos/peers.pb-c.h"

struct err;
struct kclient;
struct pgconn_interrupt;

enum kclient_role {
	KCLIENT_READER,
	KCLIENT_PEEKER, /* a reader, see kclient_read() */
	KCLIENT_WRITER
};

/* Lent while open() runs; intr until close(). */
struct kclient_config {
	const PeerdbPeers__KafkaConfig *peer;
	enum kclient_role role;
	const char *what;	      /* our name, for the brokers */
	const char *transactional_id; /* of a writer; or NULL */
	/*
	 * How long the brokers wait for the end of a transaction whose writer is
	 * gone; till then it hides what comes after it. 0: as long as they allow.
	 */
	usec_t transaction_timeout;
	usec_t timeout; /* for connecting, and for questions */
	const struct pgconn_interrupt *intr;
};

bool kclient_open(const struct kclient_config *cfg, struct kclient **k_r, struct err *err);
void kclient_close(struct kclient **k);
bool kclient_connect(struct kclient *k, struct err *err);

/* To another thread, for good: the interrupt is not looked at any more. */
void kclient_hand_over(struct kclient *k);

/* From any thread: the call under way and all that follow fail with ERR_CANCELLED. */
void kclient_stop(struct kclient *k);

/* Trouble that librdkafka is dealing with, once each time it is new. */
bool kclient_trouble(struct kclient *k, char *words_r, size_t size);

/* A partitioner by PeerDB's name or librdkafka's; NULL: there is none of this name. */
const char *kclient_partitioner(const char *name);

/* "librdkafka 2.0.2, 3 brokers" */
const char *kclient_version(struct kclient *k);

/* ---- topics, of a reader */

struct kclient_topic {
	const char *name;
	uint32_t partitions;	     /* 0: the broker's default */
	uint32_t replication_factor; /* 0: the broker's default */
	const char *config;	     /* pairs as kvtext_next() reads them */
};

/* 0: there is none of this name. */
bool kclient_find_topic(struct kclient *k, const char *name, uint32_t *partitions_r,
    struct err *err);

/* created_r: false when somebody else was faster. */
bool kclient_create_topic(struct kclient *k, const struct kclient_topic *t, bool *created_r,
    struct err *err);

/* ---- reading, of a reader */

struct kclient_message {
	struct slice key;
	struct slice value; /* p is NULL: a tombstone */
};

/* A record is lent to fn, which may refuse it and so end the reading. */
typedef bool kclient_message_fn(void *arg, const struct kclient_message *m, struct err *err);

/*
 * The records of a partition from *offset on; *offset moves past them. end_r:
 * where the log ended when it was asked. A reader comes to the end unless a
 * transaction is open still: it stops before that one, having waited a little.
 * A peeker reads what is not committed, and what never will be, too.
 */
bool kclient_read(struct kclient *k, const char *topic, int32_t partition, int64_t *offset,
    int64_t *end_r, kclient_message_fn *fn, void *arg, struct err *err);

/* ---- writing, of a writer */

#define KCLIENT_HEADERS_MAX   16 /* of a record */
#define KCLIENT_ANY_PARTITION (-1)

struct kclient_header {
	struct slice name; /* and a NUL behind it */
	struct slice value;
};

struct kclient_record {
	const char *topic;
	int32_t partition; /* KCLIENT_ANY_PARTITION: by the key */
	struct slice key;  /* p is NULL: none */
	struct slice value;
	const struct kclient_header *headers;
	unsigned nheaders;
};

/* What a record's key, value and headers may have in bytes. */
size_t kclient_record_max(const struct kclient *k);

bool kclient_fence(struct kclient *k, struct err *err);
bool kclient_begin(struct kclient *k, struct err *err);
bool kclient_send(struct kclient *k, const struct kclient_record *r, struct err *err);
bool kclient_commit(struct kclient *k, struct err *err);
bool kclient_abort(struct kclient *k, struct err *err);

/*
 * After a failed call: may what was sent since begin be sent again, once aborted?
 * abort() shuts out others like fence(), even one that began after this writer:
 * who repeats has to look first whether others have committed.
 */
bool kclient_may_repeat(const struct kclient *k);

#endif
