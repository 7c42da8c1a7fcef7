#include "lib/conn/pgrepl.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"

struct pgrepl {
	struct pgconn *conn;
	char *msg; /* libpq's, of the last pgrepl_next() */
	uint64_t bytes;
};

/*
 * XLogData    'w'  u64 start   u64 end of WAL   i64 send time   payload
 * Keepalive   'k'  u64 end of WAL   i64 send time   u8 reply wanted
 * Status      'r'  u64 received   u64 flushed   u64 applied   i64 time   u8 reply wanted
 */
#define STATUS_BYTES 34

#define GULP_BYTES	  (256 * KIB)
#define NEAR_BUFFER_BYTES (208 * KIB) /* which the kernel doubles: what every system allows */

bool
pgrepl_start(struct pgconn **conn, const char *slot, const char *publication,
    const struct pgrepl_wants *wants, struct pgrepl **r_r, struct err *err)
{
	struct buf sql, pub;
	struct pgrepl *r;
	PGresult *res;

	buf_init(&sql, 4096);
	buf_init(&pub, 1024);
	pgconn_ident(&pub, publication);
	buf_str_add(&sql, "START_REPLICATION SLOT ");
	pgconn_ident(&sql, slot);
	buf_printf(&sql, " LOGICAL %s (proto_version '1', publication_names ",
	    lsn_str(wants->from));
	pgconn_literal(&sql, buf_str(&pub));
	buf_printf(&sql, "%s%s)", wants->binary ? ", binary 'true'" : "",
	    wants->messages ? ", messages 'true'" : "");
	res = pgconn_exec(*conn, err, buf_str(&sql));
	buf_done(&pub);
	buf_done(&sql);
	if (res == NULL)
		return err_context(err, "slot \"%s\"", slot);
	PQclear(res);
	if (PQsetnonblocking(pgconn_pq(*conn), 1) != 0)
		return pgconn_error(pgconn_pq(*conn), NULL, err);
	r = xcalloc(1, sizeof(*r));
	r->conn = *conn;
	*conn = NULL;
	*r_r = r;
	return true;
}

void
pgrepl_free(struct pgrepl **r)
{
	if (*r == NULL)
		return;
	PQfreemem((*r)->msg);
	pgconn_close(&(*r)->conn);
	MEM_FREE(*r);
}

int
pgrepl_fd(const struct pgrepl *r)
{
	return PQsocket(pgconn_pq(r->conn));
}

bool
pgrepl_read(struct pgrepl *r, struct err *err)
{
	PGconn *pq = pgconn_pq(r->conn);

	return PQconsumeInput(pq) == 1 || pgconn_error(pq, NULL, err);
}

/* The server ended the stream: with an error, or because it shuts down. */
static enum pgrepl_event
stream_ended(PGconn *pq, struct err *err)
{
	PGresult *res = PQgetResult(pq);

	if (res != NULL && PQresultStatus(res) == PGRES_FATAL_ERROR)
		pgconn_error(pq, res, err);
	else
		err_set(err, ERR_TRANSIENT, "the source ended the replication stream");
	PQclear(res);
	return PGREPL_ERROR;
}

static enum pgrepl_event
parse(struct pgrepl *r, int len, struct pgrepl_msg *m, struct err *err)
{
	struct rbuf in = rbuf_of(slice_of(r->msg, (size_t)len));
	uint8_t kind = rbuf_u8(&in);

	if (kind == 'w') {
		m->lsn = rbuf_u64(&in);
		m->wal_end = rbuf_u64(&in);
		m->sent_us = (usec_t)rbuf_u64(&in) + PG_EPOCH_US;
		m->bytes = slice_of(in.p, rbuf_left(&in));
		if (rbuf_ok(&in))
			return PGREPL_DATA;
	} else if (kind == 'k') {
		m->wal_end = rbuf_u64(&in);
		m->sent_us = (usec_t)rbuf_u64(&in) + PG_EPOCH_US;
		m->reply_wanted = rbuf_u8(&in) != 0;
		if (rbuf_done(&in))
			return PGREPL_KEEPALIVE;
	}
	err_set(err, ERR_PROTOCOL, "malformed message in the replication stream");
	return PGREPL_ERROR;
}

enum pgrepl_event
pgrepl_next(struct pgrepl *r, struct pgrepl_msg *msg_r, struct err *err)
{
	PGconn *pq = pgconn_pq(r->conn);
	int len;

	PQfreemem(r->msg);
	r->msg = NULL;
	len = PQgetCopyData(pq, &r->msg, 1);
	if (len == 0)
		return PGREPL_NONE;
	if (len == -1)
		return stream_ended(pq, err);
	if (len < 0) {
		pgconn_error(pq, NULL, err);
		return PGREPL_ERROR;
	}
	r->bytes += (uint64_t)len;
	return parse(r, len, msg_r, err);
}

bool
pgrepl_status(struct pgrepl *r, lsn_t received, lsn_t flushed, struct err *err)
{
	PGconn *pq = pgconn_pq(r->conn);
	uint8_t msg[STATUS_BYTES];

	msg[0] = 'r';
	put_u64(msg + 1, received);
	put_u64(msg + 9, flushed);
	put_u64(msg + 17, flushed);
	put_u64(msg + 25, (uint64_t)(clock_wall_us() - PG_EPOCH_US));
	msg[33] = 0;
	/* a full socket keeps it in libpq's buffer; the next flush sends it */
	if (PQputCopyData(pq, (const char *)msg, sizeof(msg)) != 1 || PQflush(pq) < 0)
		return pgconn_error(pq, NULL, err);
	return true;
}

size_t
pgrepl_waiting(const struct pgrepl *r)
{
	int n = 0;

	return ioctl(pgrepl_fd(r), FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

uint64_t
pgrepl_bytes(const struct pgrepl *r)
{
	return r->bytes;
}

/* ---- pace */

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* By TCP, and within a machine? */
static bool
is_near(int fd)
{
	union address here = { .any.sa_family = AF_UNSPEC }, there = here;
	socklen_t n = sizeof(here), m = sizeof(there);

	if (getsockname(fd, &here.any, &n) != 0 || getpeername(fd, &there.any, &m) != 0 ||
	    here.any.sa_family != there.any.sa_family)
		return false;
	if (here.any.sa_family == AF_INET)
		return here.in.sin_addr.s_addr == there.in.sin_addr.s_addr;
	return here.any.sa_family == AF_INET6 &&
	    memcmp(&here.in6.sin6_addr, &there.in6.sin6_addr, sizeof(struct in6_addr)) == 0;
}

/*
 * Far away, the packets that are under way make the server's TCP gather what
 * follows; it is enough not to be woken for each. Within a machine nothing is
 * ever under way, and each message goes alone while the window is open: it is
 * kept so small that it is closed most of the time. It must have room for the
 * largest packet, of 64 KiB, and small packets take much more than their bytes
 * of the buffer. A Unix socket takes the first option and does without.
 */
enum pgrepl_pace
pgrepl_set_pace(struct pgrepl *r, bool lazy)
{
	int fd = pgrepl_fd(r), gulp = lazy ? GULP_BYTES : 1;
	int window = lazy ? PGREPL_LOOK_BYTES : INT_MAX, buffer = NEAR_BUFFER_BYTES;

	if (is_near(fd) && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &window, sizeof(window)) == 0)
		return lazy ? PGREPL_LOOKS : PGREPL_EAGER;
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &gulp, sizeof(gulp));
	return lazy ? PGREPL_GULPS : PGREPL_EAGER;
}
