/*
 * kwriter - records into a Kafka cluster, as fast as it takes them
 *
 * peerd's own producer: idempotent, and transactional if it has a transactional
 * id. kclient.h uses it wherever the peer's options are among those that it
 * knows, and librdkafka's elsewhere; there is what the calls promise, in the
 * order in which they are made. It has no thread: what is to be done is done
 * inside the calls, by the one thread that makes them, and all but
 * kwriter_send() wait for the brokers. kwriter_send() waits only while as much
 * is under way as may be.
 *
 * How nothing is lost, doubled or out of order: every batch of a partition has
 * a sequence number, and is kept until the partition's leader has confirmed it.
 * When a connection is lost or a leader has moved, the batches that were not
 * confirmed are sent again as they are, oldest first, one at a time until one
 * is confirmed; the leader knows those that it has by their number. A
 * transaction that cannot go on is ended by asking for another epoch, which
 * aborts it and makes worthless what is still on its way.
 */
#ifndef PEERD_CONN_KWRITER_H
#define PEERD_CONN_KWRITER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/conn/kbatch.h"
#include "lib/conn/kconn.h"

struct kwriter;

/* Which partition a record goes to. */
struct kwriter_partitioner {
	const char *name; /* as librdkafka has it, whose the function is */
	int32_t (*of)(const rd_kafka_topic_t *none, const void *key, size_t n, int32_t partitions,
	    void *no_opaque, void *no_message); /* NULL: it does not matter */
	bool any_null, any_empty;		/* for keys that are not there, or have no bytes */
};

/* Strings are lent for as long as the writer lives. */
struct kwriter_config {
	struct kconn_config conn;     /* its go_on() is asked whenever the writer waits */
	const char *servers;	      /* host:port, separated by commas */
	const char *transactional_id; /* NULL: none */
	int32_t transaction_timeout_ms;
	int32_t request_timeout_ms;
	size_t batch_bytes; /* of records, not compressed: a record may have as many */
	size_t queue_bytes; /* what may be under way */
	enum kbatch_codec codec;
	int level;
	const struct kwriter_partitioner *partitioner;
	usec_t timeout; /* for kwriter_connect() and kwriter_fence() */

	/* Trouble that is being dealt with. */
	void (*on_trouble)(void *arg, const struct err *err);
	void *arg;
};

struct kwriter *kwriter_new(const struct kwriter_config *cfg);
void kwriter_free(struct kwriter **w);

/* brokers_r: how many the cluster has. */
bool kwriter_connect(struct kwriter *w, uint32_t *brokers_r, struct err *err);

/* A name for those that write now; whoever wrote under the transactional id is shut out. */
bool kwriter_fence(struct kwriter *w, struct err *err);
bool kwriter_begin(struct kwriter *w, struct err *err);
bool kwriter_send(struct kwriter *w, const struct kclient_record *r, struct err *err);
bool kwriter_commit(struct kwriter *w, struct err *err);
bool kwriter_abort(struct kwriter *w, struct err *err);
bool kwriter_may_repeat(const struct kwriter *w);

#endif
