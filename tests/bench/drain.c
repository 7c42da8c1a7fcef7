#include "tests/bench/drain.h"

#include <libpq-fe.h>
#include <sys/socket.h>
#include <poll.h>

#include "lib/base/clock.h"
#include "tests/bench/meter.h"
#include "tests/harness/fail.h"
#include "tests/harness/sql.h"

#define GULP_BYTES     (256 * 1024) /* read so much at once: the server then sends large pieces */
#define LAZY_MS	       10	    /* or what has come meanwhile */
#define READS_MAX      16
#define SILENCE_US     (60 * USEC_PER_SEC) /* nothing for so long means it will never end */
#define STATUS_SECONDS 5
#define WAL_HEADER     25 /* 'w', start, end, time */
#define STATUS_BYTES   34

struct reader {
	PGconn *conn;
	const char *marker;
	uint32_t marker_id; /* relation id of `marker`, 0 before it was announced */
	bool marked;	    /* the wanted row was seen */
	bool done;	    /* and its commit */
	usec_t answered;
	struct drained d;
};

/* Confirms nothing: the slot is a copy and is dropped afterwards. */
static void
send_status(struct reader *r)
{
	const char status[STATUS_BYTES] = { 'r' };

	r->answered = clock_mono_us();
	if (PQputCopyData(r->conn, status, sizeof(status)) != 1 || PQflush(r->conn) != 0)
		test_fail("could not answer the source: %s", PQerrorMessage(r->conn));
}

static uint32_t
get_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static uint64_t
get_u64(const char *p)
{
	return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

/* Relation 'R' u32 id, schema, name ... */
static void
on_relation(struct reader *r, const char *msg)
{
	const char *schema = msg + 5;

	if (strcmp(schema + strlen(schema) + 1, "marker") == 0)
		r->marker_id = get_u32(msg + 1);
}

/* Insert 'I' u32 id 'N' u16 columns, then 't' u32 length and the name */
static void
on_insert(struct reader *r, const char *msg, size_t n)
{
	size_t len = strlen(r->marker);

	if (get_u32(msg + 1) == r->marker_id && n == 13 + len &&
	    memcmp(msg + 13, r->marker, len) == 0)
		r->marked = true;
}

static void
count_change(struct reader *r, uint64_t lsn)
{
	if (r->marked)
		return;
	r->d.changes++;
	r->d.last_lsn = lsn;
}

static void
on_change(struct reader *r, uint64_t lsn, const char *msg, size_t n)
{
	switch (msg[0]) {
	case 'R':
		on_relation(r, msg);
		break;
	case 'I':
		on_insert(r, msg, n);
		count_change(r, lsn);
		break;
	case 'U':
	case 'D':
		count_change(r, lsn);
		break;
	case 'C':
		r->d.transactions += !r->marked;
		r->done = r->marked;
		break;
	}
}

static void
on_message(struct reader *r, const char *msg, size_t n)
{
	r->d.bytes += (int64_t)n;
	if (msg[0] == 'w')
		on_change(r, get_u64(msg + 1), msg + WAL_HEADER, n - WAL_HEADER);
	else if (msg[0] == 'k' && msg[n - 1] != 0)
		send_status(r);
}

/* Take in all that has arrived: libpq's buffer grows with every call until one read holds it. */
static void
read_more(struct reader *r)
{
	struct pollfd p = { .fd = PQsocket(r->conn), .events = POLLIN };
	int reads = 0;

	poll(&p, 1, LAZY_MS);
	do {
		if (PQconsumeInput(r->conn) == 0)
			test_fail("the source hung up: %s", PQerrorMessage(r->conn));
	} while (++reads < READS_MAX && poll(&p, 1, 0) > 0);
}

static void
read_all(struct reader *r, struct meter *m)
{
	usec_t heard = clock_mono_us();
	int64_t before = 0;
	char *msg;
	int n;

	while (!r->done) {
		while (!r->done && (n = PQgetCopyData(r->conn, &msg, 1)) > 0) {
			on_message(r, msg, (size_t)n);
			PQfreemem(msg);
		}
		if (r->done)
			break;
		if (n < 0)
			test_fail("the stream ended: %s", PQerrorMessage(r->conn));
		if (r->d.bytes > before)
			heard = clock_mono_us();
		else if (clock_mono_us() - heard > SILENCE_US)
			test_fail("the source has sent nothing for a minute");
		before = r->d.bytes;
		if (clock_mono_us() - r->answered > STATUS_SECONDS * USEC_PER_SEC)
			send_status(r);
		meter_tick(m);
		read_more(r);
	}
}

static void
start(struct reader *r, const char *slot, const char *publication)
{
	const int gulp = GULP_BYTES;
	PGresult *res;

	res = PQexec(r->conn,
	    text("START_REPLICATION SLOT %s LOGICAL 0/0 (proto_version '1', "
		 "publication_names '%s')",
		slot, publication));
	if (PQresultStatus(res) != PGRES_COPY_BOTH)
		test_fail("could not read slot %s: %s", slot, PQerrorMessage(r->conn));
	PQclear(res);
	setsockopt(PQsocket(r->conn), SOL_SOCKET, SO_RCVLOWAT, &gulp, sizeof(gulp));
}

void
drain_slot(const char *conninfo, const char *slot, const char *publication, const char *marker,
    struct meter *m, struct drained *d_r)
{
	struct reader r = { .marker = marker };
	usec_t began = clock_mono_us();
	double cpu = cpu_self();

	r.conn = sql_open(text("%s replication=database", conninfo));
	start(&r, slot, publication);
	read_all(&r, m);
	r.d.seconds = (double)(clock_mono_us() - began) / USEC_PER_SEC;
	r.d.cpu = cpu_self() - cpu;
	sql_close(&r.conn);
	*d_r = r.d;
}
