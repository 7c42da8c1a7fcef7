/*
 * kafka_format - the records that changes become
 *
 * An encoder turns one change, or one row of a snapshot, into one to three
 * records: topic, key, value and headers, ready for the producer. What they
 * look like is the mirror's format, an entry of one table (kafka_format_find)
 * and one file each; docs/kafka.md shows them field by field.
 *
 *	kafka_encoder_new()	once a sink or loader
 *	kafka_table_new()	once a table, and again when its columns changed
 *	kafka_record_build()	a change of the stream
 *	kafka_snapshot_build()	a row of the snapshot (kafka_copy_next() reads COPY)
 *	kafka_control_build()	TRUNCATE, DDL, a logical message
 *	kafka_transaction_build()  a transaction's begin or end
 *	kafka_record_part()	a piece of a record that is too large
 *	kafka_record_bury()	what is told of one that is not sent at all
 *	kafka_encoder_free()
 *
 * Rows must be in Postgres' text form, whatever the types: text is exact and
 * the same in stream and snapshot. Server settings as pgconn makes them (ISO
 * dates, UTC, interval style postgres, bytea in hex, UTF-8).
 *
 * One change is:
 *
 *	insert, read	one record
 *	update		one; if its key changed a delete of the old key (and a
 *			tombstone if they are on) and an insert of the new
 *	delete		one, and a tombstone if they are on
 *
 * Everything a struct kafka_records points to is the encoder's or the
 * table's, and goes away with the encoder's next call: the producer copies it.
 * Nothing is allocated for a change once the buffers have grown.
 *
 * An encoder is one thread's. Records are at most KAFKA_RECORD_MAX bytes;
 * whether the broker takes as much is the caller's question (records sizes:
 * kafka_record_bytes()).
 *
 * Errors: ERR_DATA for a value that the format cannot carry, with column,
 * table and position, and for a record over the maximum; ERR_PROTOCOL for
 * text that is no value of its type.
 */
#ifndef PEERD_SINK_KAFKA_FORMAT_H
#define PEERD_SINK_KAFKA_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/slice.h"
#include "lib/conn/kclient.h"
#include "lib/sink/kafka_options.h"
#include "lib/types/batch.h"
#include "lib/types/row.h"
#include "lib/types/table.h"

struct err;
struct kafka_encoder;
struct kafka_table;

#define KAFKA_RECORD_MAX	 (1024u * MIB) /* Kafka counts a record's bytes in 31 bits */
#define KAFKA_RECORD_HEADERS_MAX 12
#define KAFKA_RECORDS_MAX	 3

struct kafka_record {
	const char *topic;
	struct slice key;   /* p is NULL: none */
	struct slice value; /* p is NULL: none, a tombstone */
	struct kclient_header headers[KAFKA_RECORD_HEADERS_MAX];
	unsigned nheaders;
};

struct kafka_records {
	struct kafka_record v[KAFKA_RECORDS_MAX];
	unsigned n;
};

/* Where in the source's history something happened. */
struct kafka_origin {
	const struct transaction *tx; /* NULL: a snapshot */
	uint64_t position; /* among the transaction's changes, or the partition's rows; from 0 */
	uint64_t table_position; /* among the transaction's changes of this table; from 0 */
	lsn_t lsn; /* of the snapshot, or of the control event; else the row's is taken */
	const char *partition; /* of the snapshot: unlike every other, "<snapshot>/3/17" */
	usec_t now_us;	       /* wall clock */
};

/* Everything is borrowed and outlives the encoder. */
struct kafka_encoder_config {
	const struct kafka_options *opt;
	const char *mirror;
	const char *database; /* on the source; "" when it is not known */
};

/* NULL: a topic's name is wrong. */
struct kafka_encoder *kafka_encoder_new(const struct kafka_encoder_config *cfg, struct err *err);
void kafka_encoder_free(struct kafka_encoder **e);

/* Topics that belong to no table; "": the mirror does not want it. */
enum kafka_topic_kind {
	KAFKA_TOPIC_CONTROL,
	KAFKA_TOPIC_TRANSACTIONS,
	KAFKA_TOPIC_DEAD_LETTERS
};
#define KAFKA_TOPIC_KINDS 3

const char *kafka_encoder_topic(const struct kafka_encoder *e, enum kafka_topic_kind kind);

/* In a. The topic's name is settled and checked here. */
bool kafka_table_new(struct kafka_encoder *e, struct arena *a, const struct table *t,
    struct kafka_table **kt_r, struct err *err);

bool kafka_record_build(struct kafka_encoder *e, struct kafka_table *kt, const struct change *c,
    const struct kafka_origin *o, struct kafka_records *records_r, struct err *err);

/* values: a row's, in text form, in table order. */
bool kafka_snapshot_build(struct kafka_encoder *e, struct kafka_table *kt,
    const struct row_value *values, const struct kafka_origin *o, struct kafka_records *records_r,
    struct err *err);

/*
 * The next row of text COPY, its columns in table order; rows moves past it.
 * The values live until the encoder's next kafka_copy_next(). False with rows
 * empty: that was all. False otherwise: err says why.
 */
bool kafka_copy_next(struct kafka_encoder *e, struct kafka_table *kt, struct slice *rows,
    const struct row_value **values_r, struct err *err);

/* ---- control records */

struct kafka_control {
	enum kafka_controls kind;
	struct kafka_table *table; /* TRUNCATE: goes to the table's topic */
	const char *text;	   /* DDL: the statement; MESSAGE: its prefix */
	struct slice content;	   /* MESSAGE */
};

/* No record (n is 0) when the mirror does not want this kind. */
bool kafka_control_build(struct kafka_encoder *e, const struct kafka_control *c,
    const struct kafka_origin *o, struct kafka_records *records_r, struct err *err);

/* How many changes a transaction had, in all and by table. */
struct kafka_transaction_count {
	const struct table *t;
	uint64_t changes;
};

/* counts NULL: the begin. No record when the mirror has no transaction topic. */
bool kafka_transaction_build(struct kafka_encoder *e, const struct kafka_origin *o,
    const struct kafka_transaction_count *counts, unsigned ncounts, struct kafka_records *records_r,
    struct err *err);

/* ---- records that are too large */

/* What the broker counts against its limit: key, value and headers. */
size_t kafka_record_bytes(const struct kafka_record *r);

/*
 * The i-th piece of a record cut to at most `most` bytes each: same key and
 * headers, a piece of the value, and the header peerd.part, "1/3". False: i is
 * past the last, or not even the headers fit.
 */
bool kafka_record_part(struct kafka_encoder *e, const struct kafka_record *r, size_t most,
    unsigned i, struct kafka_record *part_r);

/* In its place, for the dead letter topic: same headers, the key, and what happened. */
void kafka_record_bury(struct kafka_encoder *e, const struct kafka_record *r, size_t most,
    struct kafka_record *letter_r);

/* ---- formats */

/* NULL: there is none of this name. */
const struct kafka_format *kafka_format_find(const char *name);

#endif
