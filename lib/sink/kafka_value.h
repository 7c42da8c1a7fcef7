/*
 * kafka_value - a Postgres value, in text form, as JSON
 *
 * One table (kafka_value.c) gives for every Postgres type its family: how it
 * is written in each style, and its schema in Kafka Connect's terms. Types
 * that are not in it are strings with Postgres' own text; docs/kafka.md shows
 * what becomes of which type.
 *
 *	kafka_column_init()	once a column
 *	kafka_put_value()	append a value
 *	kafka_put_absent()	append what stands for a value that is not known
 *	kafka_column_schema()	append its schema, without braces
 *
 * Numbers never pass through a double. NULL is null. Arrays are JSON arrays,
 * nested by their dimensions; lower bounds are not kept.
 *
 * What is appended before a failure is the caller's to take back.
 */
#ifndef PEERD_SINK_KAFKA_VALUE_H
#define PEERD_SINK_KAFKA_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/slice.h"
#include "lib/sink/kafka_options.h"
#include "lib/types/row.h"
#include "protos/worker.pb-c.h"

struct kafka_column;
struct kafka_writer;

enum kafka_style {
	KAFKA_STYLE_PEERDB,
	KAFKA_STYLE_PLAIN,
	KAFKA_STYLE_DEBEZIUM
};
#define KAFKA_STYLES 3

enum kafka_put {
	KAFKA_PUT_OK,
	KAFKA_PUT_LOSSY, /* the format cannot carry it */
	KAFKA_PUT_BAD	 /* no value of the source's type */
};

typedef enum kafka_put kafka_put_fn(struct kafka_writer *w, const struct kafka_column *c,
    struct slice v);

struct kafka_column {
	const char *name;   /* on the destination */
	struct slice label; /* "name": with its quotes and colon */
	kafka_put_fn *put;  /* of a value, or of an array's element */
	const char *schema; /* "type":"int32", of a value or an element */
	const char *absent; /* JSON: what stands for a value that is not known */
	const struct kafka_options *opt;
	bool array;
	bool strict;	/* the schema names the dimensions: values must have as many */
	uint8_t dims;	/* as declared */
	char delimiter; /* between an array's elements in text */
	int32_t modifier;
};

/* Where values are written, and room for taking escapes out of them. */
struct kafka_writer {
	struct buf *out;
	struct buf plain; /* an element of an array */
	struct buf words; /* a value under way */
};

void kafka_writer_init(struct kafka_writer *w);
void kafka_writer_done(struct kafka_writer *w);

void kafka_column_init(struct kafka_column *c, struct arena *a, const PeerdWorker__Column *def,
    enum kafka_style style, const struct kafka_options *opt);

/* v is not ROW_UNCHANGED. */
enum kafka_put kafka_put_value(struct kafka_writer *w, const struct kafka_column *c,
    struct row_value v);
void kafka_put_absent(struct kafka_writer *w, const struct kafka_column *c);
void kafka_column_schema(const struct kafka_column *c, bool optional, struct buf *out);

/* ---- JSON, for whoever writes it */

void kafka_json_string(struct buf *out, struct slice s); /* with its quotes */
void kafka_put_i64(struct buf *out, int64_t v);
void kafka_put_u64(struct buf *out, uint64_t v);
void kafka_put_base64(struct buf *out, struct slice bytes);

#endif
