/*
 * kafka_format_int - between the encoder and the formats
 *
 * A format writes the value of a record into e->w.out; everything else (key,
 * headers, which records a change makes) is the same for all of them. What
 * does not change from row to row is written once, in prepare().
 */
#ifndef PEERD_SINK_KAFKA_FORMAT_INT_H
#define PEERD_SINK_KAFKA_FORMAT_INT_H

#include "lib/base/buf.h"
#include "lib/sink/kafka_format.h"
#include "lib/sink/kafka_topic.h"
#include "lib/sink/kafka_value.h"
#include "lib/wire/lsn.h"
#include "lib/wire/rfc3339.h"

/* X(name, header and kind, Debezium's letter) */
#define KAFKA_OPS(X)                 \
	X(INSERT, "insert", "c")     \
	X(UPDATE, "update", "u")     \
	X(DELETE, "delete", "d")     \
	X(READ, "read", "r")         \
	X(TRUNCATE, "truncate", "t") \
	X(DDL, "ddl", "ddl")         \
	X(MESSAGE, "message", "m")   \
	X(BEGIN, "begin", "")        \
	X(END, "end", "")            \
	X(TOMBSTONE, "tombstone", "")

enum kafka_op {
#define X(name, ...) KAFKA_OP_##name,
	KAFKA_OPS(X)
#undef X
};

const char *kafka_op_name(enum kafka_op op);
const char *kafka_op_letter(enum kafka_op op);

/* Something that becomes the value of one record. */
struct kafka_event {
	enum kafka_op op;
	const struct row_value *old, *new; /* NULL: none; never both in a delete or insert */
	bool old_whole;			   /* else old has the key's values only */
	const struct kafka_origin *o;
	lsn_t lsn;
	const struct kafka_control *control; /* TRUNCATE, DDL, MESSAGE */
};

struct kafka_table {
	const struct table *t;
	char topic[KAFKA_TOPIC_MAX + 1];
	struct kafka_column *cols; /* t->ncols of them, in table order */
	uint16_t *order;	   /* in which a row's members are written */
	char version[17];	   /* of its columns: their hash in hexadecimal */
	/* around a key and a value: the schema, if there is one */
	struct slice key_before, value_before;
	const char *after;
	struct slice label;	     /* of the table, at the source */
	struct slice source;	     /* what of a value's "source" is always the same */
	struct row_value *old, *new; /* values of the change under way */
};

/* What is the same for all changes of a transaction, as text. */
struct kafka_transaction_text {
	struct transaction of;
	struct lsn_text lsn;
	char time[RFC3339_SIZE];
	char xid_digits[12];
	struct slice commit_lsn, commit_time, xid; /* those texts; empty at first */
};

struct kafka_encoder {
	struct kafka_encoder_config cfg;
	const struct kafka_format *format;
	struct kafka_writer w;
	struct kafka_transaction_text tx;
	char topics[KAFKA_TOPIC_KINDS][KAFKA_TOPIC_MAX + 1];
	struct lsn_text lsn;
	struct slice mirror;
	char part[48];
	/* of the change under way: two keys, two values, ids of its records */
	struct buf keys[2], values[2], ids, unchanged;
	struct buf copy; /* a row of COPY without escapes */
};

struct kafka_format {
	const char *name;
	enum kafka_style style;
	bool sorted;	/* a row's members by name, else as the table has them */
	bool fills;	/* unchanged columns are filled from the old row where it is whole */
	bool key_links; /* the two records of a changed key name each other's key */
	void (*prepare)(struct kafka_encoder *e, struct arena *a, struct kafka_table *kt);
	/* Nothing written: no value. */
	bool (*value)(struct kafka_encoder *e, const struct kafka_table *kt,
	    const struct kafka_event *ev, struct err *err);
	/* ev->control; kt is NULL but for TRUNCATE */
	void (*control)(struct kafka_encoder *e, const struct kafka_table *kt,
	    const struct kafka_event *ev);
};

extern const struct kafka_format kafka_format_peerdb, kafka_format_debezium, kafka_format_plain;

/* ---- rows */

enum kafka_row {
	KAFKA_ROW_KEY,	 /* key columns alone */
	KAFKA_ROW_KNOWN, /* all but those whose value is not known */
	KAFKA_ROW_ALL	 /* those too, with what stands for it */
};

/* A JSON object. */
bool kafka_put_row(struct kafka_encoder *e, const struct kafka_table *kt,
    const struct row_value *values, enum kafka_row which, struct err *err);

/* "label":value */
bool kafka_put_member(struct kafka_encoder *e, const struct kafka_table *kt, uint16_t col,
    struct row_value v, struct err *err);

/* ---- keys (kafka_key.c) */

bool kafka_has_key(const struct kafka_encoder *e, const struct kafka_table *kt);

/* Into out; nothing for a table whose records have none. */
bool kafka_key_build(struct kafka_encoder *e, const struct kafka_table *kt,
    const struct row_value *values, struct buf *out, struct err *err);

/* ---- schemas: a field of a struct, in the terms of Kafka Connect's JsonConverter */

#define KAFKA_FIELD(type, optional, name) \
	"{\"type\":\"" type "\",\"optional\":" optional ",\"field\":\"" name "\"}"

/* ---- headers (kafka_format_headers.c) */

/* Texts of the transaction and the position; to be called once a change. */
void kafka_note_origin(struct kafka_encoder *e, const struct kafka_origin *o, lsn_t lsn);

/* Append the id of one record; role "" or a letter that sets it apart from the change's others. */
struct slice kafka_id_of(struct kafka_encoder *e, const struct kafka_origin *o, const char *role);

static inline void
kafka_add_header(struct kafka_record *r, const char *name, struct slice value)
{
	if (r->nheaders < KAFKA_RECORD_HEADERS_MAX)
		r->headers[r->nheaders++] = (struct kclient_header){ slice_str(name), value };
}

void kafka_add_headers(struct kafka_encoder *e, const struct kafka_table *kt, enum kafka_op op,
    const struct kafka_origin *o, struct slice id, struct kafka_record *r);

/* ---- control records, alike in peerdb-json and plain-json */

void kafka_control_plain(struct kafka_encoder *e, const struct kafka_table *kt,
    const struct kafka_event *ev);

/* The writer's out, as a shorthand. */
static inline struct buf *
kafka_out(struct kafka_encoder *e)
{
	return e->w.out;
}

static inline void
kafka_add(struct buf *out, struct slice s)
{
	buf_add(out, s.p, s.n);
}

#endif
