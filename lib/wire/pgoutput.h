/*
 * pgoutput - the messages of Postgres' logical replication stream
 *
 * Protocol version 1 (no streaming of open transactions, no two-phase). Bytes
 * to structs only: nothing here knows a table. Everything a message points to
 * is borrowed from the bytes decoded and dies with them.
 *
 * Format: PostgreSQL documentation, "Logical Replication Message Formats";
 * src/backend/replication/logical/proto.c. It is drawn in pgoutput.c.
 *
 * Errors: ERR_PROTOCOL for a message that is short, has bytes left over, or
 * is of an unknown kind.
 */
#ifndef PEERD_WIRE_PGOUTPUT_H
#define PEERD_WIRE_PGOUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/slice.h"
#include "lib/wire/lsn.h"

struct err;

enum pgoutput_kind {
	PGOUTPUT_BEGIN = 'B',
	PGOUTPUT_COMMIT = 'C',
	PGOUTPUT_ORIGIN = 'O',
	PGOUTPUT_RELATION = 'R',
	PGOUTPUT_TYPE = 'Y',
	PGOUTPUT_INSERT = 'I',
	PGOUTPUT_UPDATE = 'U',
	PGOUTPUT_DELETE = 'D',
	PGOUTPUT_TRUNCATE = 'T',
	PGOUTPUT_MESSAGE = 'M',
};

struct pgoutput_begin {
	lsn_t final_lsn;     /* of the commit record: orders transactions */
	int64_t commit_time; /* microseconds since 2000-01-01 */
	uint32_t xid;
};

struct pgoutput_commit {
	lsn_t commit_lsn;
	lsn_t end_lsn; /* just behind the commit record: where to resume */
	int64_t commit_time;
};

struct pgoutput_relation {
	relid_t relid;
	const char *schema;
	const char *name;
	char identity; /* pg_class.relreplident */
	uint16_t ncols;
	struct rbuf cols; /* validated; read with pgoutput_next_column() */
};

struct pgoutput_column {
	bool key;
	const char *name;
	uint32_t type_oid;
	int32_t type_modifier;
};

/* A tuple: ncols values in relation order, validated; read with pgoutput_next_value(). */
struct pgoutput_tuple {
	uint16_t ncols;
	struct rbuf values;
};

struct pgoutput_value {
	char form; /* 'n' NULL, 'u' unchanged TOAST, 't' text, 'b' binary */
	struct slice bytes;
};

struct pgoutput_change {
	relid_t relid;
	char old_form; /* 0 none, 'K' key columns only, 'O' whole old row */
	bool has_new;
	struct pgoutput_tuple old;
	struct pgoutput_tuple new;
};

#define PGOUTPUT_TRUNCATE_CASCADE 1
#define PGOUTPUT_TRUNCATE_RESTART 2

struct pgoutput_truncate {
	uint8_t flags;
	uint32_t nrels;
	struct rbuf relids; /* nrels times u32 */
};

/* Of pg_logical_emit_message(). */
struct pgoutput_message {
	bool transactional; /* belongs to the transaction that is arriving, else to none */
	lsn_t lsn;	    /* just behind it */
	const char *prefix;
	struct slice content;
};

struct pgoutput_msg {
	enum pgoutput_kind kind;
	union {
		struct pgoutput_begin begin;
		struct pgoutput_commit commit;
		struct pgoutput_relation relation;
		struct pgoutput_change change; /* insert, update, delete */
		struct pgoutput_truncate truncate;
		struct pgoutput_message message;
	};
};

bool pgoutput_decode(struct slice bytes, struct pgoutput_msg *msg_r, struct err *err);

/* The tuple and relation were validated by pgoutput_decode(), so these cannot fail. */
static inline struct pgoutput_value
pgoutput_next_value(struct rbuf *r)
{
	struct pgoutput_value v = { .form = (char)rbuf_u8(r) };

	if (v.form == 't' || v.form == 'b')
		v.bytes = rbuf_bytes(r, rbuf_u32(r));
	return v;
}

struct pgoutput_column pgoutput_next_column(struct rbuf *r);

#endif
