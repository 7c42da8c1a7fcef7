/*
 * pgrepl - read a logical replication slot
 *
 * A pgconn in replication mode, put into streaming by pgrepl_start() (which
 * waits for the server) and read without blocking afterwards: the owner
 * watches PQsocket(pgconn_pq()) and calls pgrepl_next() until it says NONE.
 * Slices are borrowed and die with the next call. pgrepl_status() tells the
 * server what is received and what it may forget; call it on every keepalive
 * that asks for a reply and at least every few seconds.
 *
 * Format: PostgreSQL documentation, "Streaming Replication Protocol".
 *
 * Errors: ERR_TRANSIENT when the stream ends or the connection breaks,
 * ERR_CONFIG when the slot or publication is missing, ERR_PROTOCOL.
 */
#ifndef PEERD_CONN_PGREPL_H
#define PEERD_CONN_PGREPL_H

#include <stdbool.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/slice.h"
#include "lib/wire/lsn.h"

struct err;
struct pgconn;
struct pgrepl;

enum pgrepl_event {
	PGREPL_NONE, /* nothing complete is here: wait until readable */
	PGREPL_DATA, /* one message of the output plugin */
	PGREPL_KEEPALIVE,
	PGREPL_ERROR, /* the stream is over, see err */
};

struct pgrepl_msg {
	struct slice bytes; /* DATA: a pgoutput message */
	lsn_t lsn;	    /* DATA: of the change's WAL record */
	lsn_t wal_end;	    /* the server's position; no change before it is still to come
				 * except those already sent */
	usec_t sent_us;	    /* the server's wall clock when it sent this */
	bool reply_wanted;  /* KEEPALIVE: answer at once */
};

/* Each but the first is for Postgres 14 and newer. */
struct pgrepl_wants {
	lsn_t from;    /* the first position */
	bool binary;   /* values in binary form */
	bool messages; /* logical messages */
};

/* Takes over the connection. */
bool pgrepl_start(struct pgconn **conn, const char *slot, const char *publication,
    const struct pgrepl_wants *wants, struct pgrepl **r_r, struct err *err);
void pgrepl_free(struct pgrepl **r);

int pgrepl_fd(const struct pgrepl *r);

/* Take in what the socket has, without blocking; pgrepl_next() then finds it. */
bool pgrepl_read(struct pgrepl *r, struct err *err);
enum pgrepl_event pgrepl_next(struct pgrepl *r, struct pgrepl_msg *msg_r, struct err *err);

/* received: everything before it is here. flushed: the slot may forget everything before it. */
bool pgrepl_status(struct pgrepl *r, lsn_t received, lsn_t flushed, struct err *err);

/* Bytes that the socket holds and pgrepl_read() would take (of TLS: with its overhead). */
size_t pgrepl_waiting(const struct pgrepl *r);

/*
 * How the socket is to be read: EAGER as soon as there is anything, for who must
 * not wait; else in large pieces, which cost the server half as much to send.
 */
enum pgrepl_pace {
	PGREPL_EAGER,
	PGREPL_GULPS, /* it counts as readable only when there is much */
	PGREPL_LOOKS  /* it is to be looked at now and then, readable or not */
};

/* lazy: returns which of the lazy ones suits the connection. */
enum pgrepl_pace pgrepl_set_pace(struct pgrepl *r, bool lazy);

/* That a look has brought so much means that there is more, which it has made room for. */
#define PGREPL_LOOK_BYTES (128 * KIB)

/* Bytes of messages handed out so far: how busy the stream is. */
uint64_t pgrepl_bytes(const struct pgrepl *r);

#endif
