/*
 * kbatch - records on their way into one partition
 *
 * Records are put into an open batch as they come, in the form that Kafka
 * keeps: nothing is copied but their bytes, once. kbatch_close() compresses
 * them and puts the batch's header before them; the result is what a Produce
 * request carries, and what is sent again if need be.
 *
 * All records of a batch bear the time of its first. Their key and value may
 * have no bytes, or not be there at all (p is NULL).
 *
 * Source: Kafka's documentation, "Message Format" (magic 2), and
 * DefaultRecordBatch.java; CRC-32C is RFC 3720's.
 */
#ifndef PEERD_CONN_KBATCH_H
#define PEERD_CONN_KBATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/conn/kclient.h"
#include "lib/conn/kwire.h"

enum kbatch_codec {
	KBATCH_PLAIN = 0,
	KBATCH_LZ4 = 3,
	KBATCH_ZSTD = 4
};

/* Begun zeroed, with records.max set: buf_init(&open.records, max). */
struct kbatch_open {
	struct buf records;
	int32_t count;
	int64_t at_ms; /* wall time of the first */
};

struct kbatch_form {
	enum kbatch_codec codec;
	int level; /* of compression; 0: the codec's own */
	bool transactional;
	struct kwire_producer producer;
};

/* False: there is no room for it below records.max. */
bool kbatch_add(struct kbatch_open *open, const struct kclient_record *r);

/*
 * The batch, appended; the open one is empty again and keeps its memory.
 * sequence: of the first record, counted per partition and producer.
 */
void kbatch_close(struct kbatch_open *open, const struct kbatch_form *form, int32_t sequence,
    struct buf *to);

/* Of n bytes after those that have given crc, 0 to begin with. */
uint32_t kbatch_crc32c(uint32_t crc, const void *p, size_t n);

#endif
