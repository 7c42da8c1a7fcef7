/*
 * kwire - requests and answers of Kafka's protocol, as bytes
 *
 * What a writer needs of it, in the last versions before the "flexible" ones,
 * which brokers from 1.0 on understand (Event Hubs and Redpanda too). Nothing
 * here does I/O. A request is appended to a buffer, length and header included;
 * an answer is what follows the correlation id, and is read with checks: a
 * reader returns false for bytes that are not such an answer, and has then told
 * its callbacks of a part of it at most.
 *
 * Source: https://kafka.apache.org/protocol, and the *Request.json and
 * *Response.json files in Kafka's clients/src/main/resources/common/message.
 */
#ifndef PEERD_CONN_KWIRE_H
#define PEERD_CONN_KWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/slice.h"

enum kwire_api {
	KWIRE_PRODUCE = 0,
	KWIRE_METADATA = 3,
	KWIRE_FIND_COORDINATOR = 10,
	KWIRE_SASL_HANDSHAKE = 17,
	KWIRE_API_VERSIONS = 18,
	KWIRE_INIT_PRODUCER_ID = 22,
	KWIRE_ADD_PARTITIONS = 24,
	KWIRE_END_TXN = 26,
	KWIRE_SASL_AUTHENTICATE = 36
};

/* Who writes: the brokers' name for him, which a later one under his id makes worthless. */
struct kwire_producer {
	int64_t id;
	int16_t epoch;
};

/* Brokers know versions between these of a request: ask for one we both know. */
struct kwire_range {
	int16_t min, max;
};

/* ---- requests: begin, body, end; returns what end() wants */

size_t kwire_begin(struct buf *b, enum kwire_api api, int16_t version, int32_t correlation,
    const char *client_id);
void kwire_end(struct buf *b, size_t begun);

void kwire_put_string(struct buf *b, const char *s); /* NULL: null */
void kwire_put_bytes(struct buf *b, struct slice s);

/* Bodies whole. Versions: METADATA 1 to 4, FIND_COORDINATOR 1, the others 0. */
void kwire_put_metadata(struct buf *b, int16_t version, const char *const *topics, uint32_t n);
void kwire_put_find_coordinator(struct buf *b, const char *transactional_id);
void kwire_put_init_producer_id(struct buf *b, const char *transactional_id, int32_t timeout_ms);
void kwire_put_end_txn(struct buf *b, const char *transactional_id, struct kwire_producer producer,
    bool commit);

/*
 * Bodies in pieces: the head says how many topics follow, each of them how many
 * partitions. PRODUCE 3 to 7, ADD_PARTITIONS 0.
 */
void kwire_put_produce(struct buf *b, const char *transactional_id, int32_t timeout_ms,
    uint32_t topics);
void kwire_put_add_partitions(struct buf *b, const char *transactional_id,
    struct kwire_producer producer, uint32_t topics);
void kwire_put_topic(struct buf *b, const char *topic, uint32_t partitions);
void kwire_put_partition(struct buf *b, int32_t partition);
void kwire_put_batch(struct buf *b, int32_t partition, struct slice batch);

/* ---- answers */

/* range_r: of the request in question; {0, -1} when the broker does not know it. */
bool kwire_read_versions(struct slice answer, enum kwire_api api, int16_t *error_r,
    struct kwire_range *range_r);

struct kwire_broker {
	int32_t id;
	struct slice host;
	int32_t port;
};

/* Names are lent. The brokers come first, then each topic before its partitions. */
struct kwire_metadata_fns {
	void (*broker)(void *arg, const struct kwire_broker *b);
	void (*topic)(void *arg, struct slice name, int16_t error, uint32_t partitions);
	void (*partition)(void *arg, int32_t partition, int16_t error, int32_t leader);
};

bool kwire_read_metadata(struct slice answer, int16_t version, const struct kwire_metadata_fns *fns,
    void *arg);
bool kwire_read_coordinator(struct slice answer, int16_t *error_r, struct kwire_broker *b_r);
bool kwire_read_producer(struct slice answer, int16_t *error_r, struct kwire_producer *p_r);
bool kwire_read_end_txn(struct slice answer, int16_t *error_r);

typedef void kwire_partition_fn(void *arg, struct slice topic, int32_t partition, int16_t error);

bool kwire_read_produce(struct slice answer, int16_t version, kwire_partition_fn *fn, void *arg);
bool kwire_read_add_partitions(struct slice answer, kwire_partition_fn *fn, void *arg);

/* mechanisms_r: a list for people, separated by blanks, added. */
bool kwire_read_handshake(struct slice answer, int16_t *error_r, struct buf *mechanisms_r);

/* words_r: the broker's, may be empty; token_r: the mechanism's own next message. */
bool kwire_read_authenticate(struct slice answer, int16_t *error_r, struct slice *words_r,
    struct slice *token_r);

#endif
