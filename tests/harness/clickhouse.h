/*
 * clickhouse - a throwaway ClickHouse server, of today or of long ago
 *
 *	CH_CURRENT	today's engine, libchdb behind tests/chdbd
 *	CH_OLD		Debian's server 18.16
 *
 * clickhouse_new() makes a data directory in the temporary directory, starts
 * the server on a port of its own and returns when it answers. The server is
 * adopted by the janitor, so it survives the test that restarts it. The engines
 * are brought by scripts/install-clickhouse; a test of one that is not there
 * must be left out, which clickhouse_available() says aloud:
 *
 *	if (clickhouse_available(CH_OLD))
 *		suite_add_tcase(...)
 *
 * CLICKHOUSE_USER may do everything, CLICKHOUSE_READER may only read; both have
 * CLICKHOUSE_PASSWORD, and nobody else is let in. There is a database "default",
 * but in CH_CURRENT it is not of the engine Atomic, as elsewhere: tests make
 * databases of their own, which are.
 *
 * Statements run as CLICKHOUSE_USER and fail the test on any error, with the
 * server's words. Results are tab separated texts without the last line feed
 * that live as long as the process. Names carry their database: db.table.
 */
#ifndef PEERD_HARNESS_CLICKHOUSE_H
#define PEERD_HARNESS_CLICKHOUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CLICKHOUSE_USER	    "peerd"
#define CLICKHOUSE_READER   "reader"
#define CLICKHOUSE_PASSWORD "Tr0ub4dor&3 \\'\"<x>%2B:+" /* every byte of it needs quoting */

struct buf;

enum clickhouse_kind {
	CH_CURRENT,
	CH_OLD,
	CLICKHOUSE_KINDS
};

enum clickhouse_stop {
	CLICKHOUSE_POLITE, /* SIGTERM: requests under way may end */
	CLICKHOUSE_KILL,   /* SIGKILL */
};

struct clickhouse {
	enum clickhouse_kind kind;
	const char *name;
	char *data;
	char *log;
	char *url; /* http://127.0.0.1:PORT */
	int port;
};

bool clickhouse_available(enum clickhouse_kind kind);	     /* says so on stderr when not */
const char *clickhouse_kind_name(enum clickhouse_kind kind); /* "current", "old" */

struct clickhouse *clickhouse_new(enum clickhouse_kind kind, const char *name);
void clickhouse_free(struct clickhouse **c); /* stops it; NULL is fine */

void clickhouse_start(const struct clickhouse *c);
void clickhouse_stop(const struct clickhouse *c, enum clickhouse_stop how);
void clickhouse_restart(const struct clickhouse *c, enum clickhouse_stop how);
pid_t clickhouse_pid(const struct clickhouse *c); /* 0 when it is down */

void clickhouse_exec(const struct clickhouse *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool clickhouse_try(const struct clickhouse *c, const char *statement); /* false on any error */
char *clickhouse_text(const struct clickhouse *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int64_t clickhouse_i64(const struct clickhouse *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What a SELECT answers, byte for byte: for formats that are no text. */
void clickhouse_fetch(const struct clickhouse *c, const char *statement, struct buf *to);

/* Poll until the result is `expected`; errors count as "not yet". */
void clickhouse_wait(const struct clickhouse *c, int ms, const char *expected, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Drop every database the tests left. */
void clickhouse_wipe(const struct clickhouse *c);

/* ---- a request as one likes it */

struct clickhouse_request {
	const char *url;      /* of whom to ask; NULL: the server's */
	const char *query;    /* goes into the URL; NULL: the body has it */
	const char *settings; /* further parameters, encoded: "a=1&b=2"; or NULL */
	const void *body;
	size_t body_len;
	const char *user, *password; /* NULL: CLICKHOUSE_USER, CLICKHOUSE_PASSWORD */
	const char *header;	     /* one more, or NULL */
	long timeout_ms;	     /* 0: a minute */
};

struct clickhouse_reply {
	long status;	     /* 0: there was no answer */
	int code;	     /* of the exception in the body, else 0 */
	int64_t written;     /* rows by X-ClickHouse-Summary; -1 when it does not say */
	const char *headers; /* both live as long as the process */
	const char *body;
};

struct clickhouse_reply clickhouse_call(const struct clickhouse *c,
    const struct clickhouse_request *r);

#endif
