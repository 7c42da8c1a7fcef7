/*
 * err - what went wrong, whose business it is, and what to do next
 *
 * Every fallible function takes a `struct err *` as its last argument, returns
 * false and fills it; on success it leaves it alone. The storage is the
 * caller's (usually the stack) and needs no teardown. The code decides policy
 * everywhere: ERR_CODES is the one table that maps it to the gRPC number, the
 * HTTP status, the SQLSTATE and whether trying again can help.
 *
 * Messages follow Postgres' style guide: lower case, no full stop, quoted
 * names; the next step goes into the hint. No message may hold a secret.
 * Context is added on the way up with err_context(), outermost last.
 */
#ifndef PEERD_BASE_ERR_H
#define PEERD_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

/* X(name, gRPC code, HTTP status, SQLSTATE, policy) */
#define ERR_CODES(X)                                                                    \
	X(NONE, 0, 200, "00000", NEVER)                                                 \
	X(TRANSIENT, 14, 503, "08006", RETRY)  /* connection lost, server restarting */ \
	X(CONFIG, 9, 400, "55000", USER)       /* the user must change something */     \
	X(DATA, 9, 400, "22000", USER)	       /* a value or table cannot be carried */ \
	X(PROTOCOL, 13, 500, "08P01", BOUNDED) /* a peer spoke nonsense */              \
	X(CANCELLED, 1, 499, "57014", NEVER)   /* we were asked to stop */              \
	X(BUG, 13, 500, "XX000", BOUNDED)      /* our own invariant broke */            \
	X(INVALID, 3, 400, "22023", USER)      /* a malformed request */                \
	X(NOT_FOUND, 5, 404, "42704", USER)                                             \
	X(EXISTS, 6, 409, "42710", USER)                                                \
	X(IN_USE, 9, 409, "55006", USER) /* dropping what others need */                \
	X(UNAUTHENTICATED, 16, 401, "28P01", USER)                                      \
	X(UNIMPLEMENTED, 12, 501, "0A000", USER)                                        \
	X(TOO_LARGE, 8, 413, "54000", USER)                                             \
	X(TIMEOUT, 4, 504, "57014", RETRY)

enum err_code {
#define X(name, ...) ERR_##name,
	ERR_CODES(X)
#undef X
	ERR_COUNT
};

/* What a supervisor does about it. */
enum err_policy {
	ERR_POLICY_NEVER,   /* not an error, or asked for */
	ERR_POLICY_RETRY,   /* without limit, with growing delays */
	ERR_POLICY_BOUNDED, /* a few times at the same position, then the user's */
	ERR_POLICY_USER,    /* not before something was changed */
};

#define ERR_MSG_MAX	 2048
#define ERR_HINT_MAX	 1024
#define ERR_SUBJECTS_MAX 1024

struct err {
	enum err_code code;
	char msg[ERR_MSG_MAX];
	char hint[ERR_HINT_MAX];	 /* the next step; may be empty */
	char reason[64];		 /* API detail, e.g. SOURCE_TABLE_MISSING; may be empty */
	char subjects[ERR_SUBJECTS_MAX]; /* API detail: newline separated names; may be empty */
	char sqlstate[6];		 /* a server's own SQLSTATE, if one caused this; else "" */
};

#define ERR_INIT                 \
	{                        \
		.code = ERR_NONE \
	}

/* Fill and return false, so that `return err_set(...)` works. A later set replaces an earlier. */
bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool err_vset(struct err *err, enum err_code code, const char *fmt, va_list ap);

/* Add the next step; returns false too. */
bool err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Append ": context" to the message; returns false too. */
bool err_context(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* API details: one reason and the names it is about. */
void err_reason(struct err *err, const char *reason);
void err_subject(struct err *err, const char *name);

void err_clear(struct err *err);

const char *err_code_name(enum err_code code); /* "TRANSIENT" */
int err_grpc_code(enum err_code code);
int err_http_status(enum err_code code);
const char *err_sqlstate(enum err_code code);
enum err_policy err_policy(enum err_code code);

#endif
