#include "lib/conn/pgconn.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/pgparams.h"

struct pgconn {
	PGconn *pq;
	const struct pgconn_interrupt *intr;
};

/*
 * One canonical output form, whatever the server's or the role's defaults are:
 * text values must mean the same to the destination, floats must round-trip.
 */
static const char session_settings[] =
    "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3;"
    " SET bytea_output = 'hex'; SET timezone = 'UTC'; SET xmloption = 'content';"
    " SET lc_monetary = 'C'; SET statement_timeout = 0; SET lock_timeout = 0;"
    " SET idle_in_transaction_session_timeout = 0; SET search_path = ''";

/* Time limits that later versions brought: how long we wait is never theirs to say. */
static const struct {
	int version;
	const char *sql;
} later_settings[] = {
	{ 140000, "SET idle_session_timeout = 0" },
	{ 170000, "SET transaction_timeout = 0" },
};

/* ---- errors */

static enum err_code
sqlstate_code(const char *state)
{
	static const struct {
		const char *prefix;
		enum err_code code;
	} rows[] = {
		{ "08", ERR_TRANSIENT },
		{ "53", ERR_TRANSIENT },
		{ "57P", ERR_TRANSIENT },
		{ "57014", ERR_CANCELLED },
		{ "40", ERR_TRANSIENT },
		{ "55P03", ERR_TRANSIENT }, /* lock_not_available */
		{ "55006", ERR_TRANSIENT }, /* object_in_use: a slot's old reader */
		{ "25P03", ERR_TRANSIENT },
		{ "25006", ERR_TRANSIENT }, /* read-only: a standby about to be promoted */
		{ "58", ERR_TRANSIENT },
		{ "XX", ERR_TRANSIENT },
		{ "22", ERR_DATA },
		{ "23", ERR_DATA },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strncmp(state, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].code;
	return ERR_CONFIG;
}

/* libpq's messages end in a line break and may have several, indented lines. */
static void
one_line(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (strchr(" \t\n", *s) == NULL)
			*to++ = *s;
		else if (strchr(" \t\n", s[1]) == NULL) /* NUL counts as found */
			*to++ = ' ';
	}
	*to = '\0';
}

static bool
error_from_connection(PGconn *pq, struct err *err)
{
	err_set(err, ERR_TRANSIENT, "%s", pq != NULL ? PQerrorMessage(pq) : "out of memory");
	one_line(err->msg);
	if (err->msg[0] == '\0')
		err_set(err, ERR_TRANSIENT, "connection to the server was lost");
	return false;
}

bool
pgconn_error(PGconn *pq, const PGresult *res, struct err *err)
{
	const char *state, *text, *detail, *hint;

	state = res != NULL ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
	if (state == NULL)
		return error_from_connection(pq, err);
	text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
	err_set(err, sqlstate_code(state), "%s%s%s%s", text, detail != NULL ? " (" : "",
	    detail != NULL ? detail : "", detail != NULL ? ")" : "");
	one_line(err->msg);
	if (hint != NULL)
		err_hint(err, "%s", hint);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", state);
	return false;
}

/* ---- waiting */

static bool
interrupted(struct pgconn *c, struct err *err)
{
	if (c->intr->check(c->intr->arg))
		return false;
	err_set(err, ERR_CANCELLED, "asked to stop");
	return true;
}

static bool
wait_fd(struct pgconn *c, short events, int timeout_ms, struct err *err)
{
	struct pollfd fds[2];
	int n;

	for (;;) {
		fds[0] = (struct pollfd){ .fd = PQsocket(c->pq), .events = events };
		fds[1] = (struct pollfd){ .fd = c->intr != NULL ? c->intr->fd : -1,
			.events = POLLIN };
		n = poll(fds, 2, timeout_ms);
		if (n < 0 && errno != EINTR)
			return err_set(err, ERR_TRANSIENT, "could not wait for the server: %s",
			    strerror(errno));
		if (n == 0)
			return err_set(err, ERR_TIMEOUT, "the server did not answer in time");
		if (n > 0 && fds[1].revents != 0 && interrupted(c, err))
			return false;
		if (n > 0 && fds[0].revents != 0)
			return true;
	}
}

/* ---- opening and closing */

static bool
connect_loop(struct pgconn *c, usec_t timeout, struct err *err)
{
	usec_t deadline = clock_mono_us() + timeout, left;
	PostgresPollingStatusType st = PGRES_POLLING_WRITING;

	while (st == PGRES_POLLING_READING || st == PGRES_POLLING_WRITING) {
		left = deadline - clock_mono_us();
		if (left <= 0)
			return err_set(err, ERR_TIMEOUT, "no answer within %d s",
			    (int)(timeout / USEC_PER_SEC));
		if (!wait_fd(c, st == PGRES_POLLING_READING ? POLLIN : POLLOUT,
			(int)(left / USEC_PER_MSEC) + 1, err))
			return false;
		st = PQconnectPoll(c->pq);
	}
	return st == PGRES_POLLING_OK || error_from_connection(c->pq, err);
}

/*
 * libpq passes on why a server refused a connection, but not its SQLSTATE. A
 * refusal for good is the user's to mend; the code tells others of which kind
 * it is. The first that fits counts.
 */
static void
classify_connect_error(struct err *err)
{
	static const struct {
		const char *words;
		const char *sqlstate;
	} for_good[] = {
		{ "authentication failed", "28P01" },
		{ "no password supplied", "28P01" },
		{ "no pg_hba.conf entry", "28000" },
		{ "is not permitted to log in", "28000" },
		{ "must be superuser or replication role", "42501" },
		{ "permission denied", "42501" },
		{ "does not exist", "28000" }, /* the role, or the database */
		{ "SSL", "08001" },
		{ "certificate", "08001" },
		{ "could not translate host name", "08001" },
	};
	size_t i, n = sizeof(for_good) / sizeof(for_good[0]);

	for (i = 0; i < n && strstr(err->msg, for_good[i].words) == NULL; i++)
		;
	if (err->code == ERR_TRANSIENT && i < n) {
		err->code = ERR_CONFIG;
		snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", for_good[i].sqlstate);
	}
	if (err->hint[0] == '\0')
		err_hint(err, "%s",
		    err->code == ERR_CONFIG
			? "check the peer's user, password, database, TLS settings and the server's"
			  " pg_hba.conf"
			: "check the peer's host and port, and that the server is running");
}

static bool
set_session(struct pgconn *c, struct err *err)
{
	size_t i;

	if (!pgconn_run(c, err, "%s", session_settings))
		return false;
	for (i = 0; i < sizeof(later_settings) / sizeof(later_settings[0]); i++)
		if (pgconn_version(c) >= later_settings[i].version &&
		    !pgconn_run(c, err, "%s", later_settings[i].sql))
			return false;
	return true;
}

bool
pgconn_open(const PeerdbPeers__PostgresConfig *cfg, const char *what, enum pgconn_mode mode,
    usec_t timeout, const struct pgconn_interrupt *intr, struct pgconn **c_r, struct err *err)
{
	struct pgconn *c = xcalloc(1, sizeof(*c));
	struct pgparams params;

	c->intr = intr;
	if (!pgparams_build(&params, cfg, what, mode == PGCONN_REPLICATION, err))
		goto fail;
	c->pq = PQconnectStartParams(params.keys, params.values, 1);
	if (c->pq == NULL || PQstatus(c->pq) == CONNECTION_BAD) {
		error_from_connection(c->pq, err);
		goto fail_connect;
	}
	PQsetNoticeProcessor(c->pq, pgparams_ignore_notice, NULL);
	if (!connect_loop(c, timeout, err))
		goto fail_connect;
	pgparams_done(&params);
	if (!set_session(c, err)) {
		pgconn_close(&c);
		return false;
	}
	*c_r = c;
	return true;
fail_connect:
	classify_connect_error(err);
fail:
	pgparams_done(&params);
	pgconn_close(&c);
	return false;
}

void
pgconn_close(struct pgconn **c)
{
	if (*c == NULL)
		return;
	PQfinish((*c)->pq);
	MEM_FREE(*c);
}

PGconn *
pgconn_pq(struct pgconn *c)
{
	return c->pq;
}

bool
pgconn_is_local(const struct pgconn *c)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t n = sizeof(ss);

	if (getpeername(PQsocket(c->pq), (struct sockaddr *)&ss, &n) < 0)
		return false;
	switch (ss.ss_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		return ntohl(((struct sockaddr_in *)&ss)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&ss)->sin6_addr);
	default:
		return false;
	}
}

int
pgconn_version(const struct pgconn *c)
{
	return PQserverVersion(c->pq);
}

/* ---- statements */

static void
cancel_statement(PGconn *pq)
{
	PGcancel *cancel = PQgetCancel(pq);
	char words[256];

	if (cancel != NULL && !PQcancel(cancel, words, sizeof(words)))
		PQreset(pq); /* could not cancel: drop the connection instead */
	PQfreeCancel(cancel);
}

/* The last result of the statement under way; an error result wins over later ones. */
static PGresult *
collect(struct pgconn *c, struct err *err)
{
	PGresult *res = NULL, *next;
	ExecStatusType st;

	for (;;) {
		while (PQisBusy(c->pq)) {
			if (!wait_fd(c, POLLIN, -1, err)) {
				cancel_statement(c->pq);
				PQclear(res);
				return NULL;
			}
			if (!PQconsumeInput(c->pq))
				break;
		}
		next = PQgetResult(c->pq);
		if (next == NULL)
			return res;
		if (res != NULL && PQresultStatus(res) == PGRES_FATAL_ERROR) {
			PQclear(next);
			continue;
		}
		PQclear(res);
		res = next;
		st = PQresultStatus(res);
		if (st == PGRES_COPY_BOTH || st == PGRES_COPY_IN || st == PGRES_COPY_OUT)
			return res;
	}
}

static PGresult *
finish(struct pgconn *c, bool sent, struct err *err)
{
	PGresult *res;

	if (!sent) {
		error_from_connection(c->pq, err);
		return NULL;
	}
	res = collect(c, err);
	if (res == NULL) {
		if (err->code == ERR_NONE)
			error_from_connection(c->pq, err);
		return NULL;
	}
	if (PQresultStatus(res) == PGRES_FATAL_ERROR || PQresultStatus(res) == PGRES_BAD_RESPONSE) {
		pgconn_error(c->pq, res, err);
		PQclear(res);
		return NULL;
	}
	return res;
}

PGresult *
pgconn_exec(struct pgconn *c, struct err *err, const char *sql)
{
	err_clear(err);
	return finish(c, PQsendQuery(c->pq, sql) == 1, err);
}

#define PARAMS_MAX 16

PGresult *
pgconn_query(struct pgconn *c, struct err *err, const char *sql, int nparams, ...)
{
	const char *values[PARAMS_MAX];
	va_list ap;
	int i;

	if (nparams > PARAMS_MAX)
		bug("%d parameters for one query", nparams);
	va_start(ap, nparams);
	for (i = 0; i < nparams; i++)
		values[i] = va_arg(ap, const char *);
	va_end(ap);
	err_clear(err);
	return finish(c, PQsendQueryParams(c->pq, sql, nparams, NULL, values, NULL, NULL, 0) == 1,
	    err);
}

bool
pgconn_run(struct pgconn *c, struct err *err, const char *fmt, ...)
{
	struct buf sql;
	PGresult *res;
	va_list ap;

	buf_init(&sql, 16 << 20);
	va_start(ap, fmt);
	buf_vprintf(&sql, fmt, ap);
	va_end(ap);
	res = pgconn_exec(c, err, buf_str(&sql));
	buf_done(&sql);
	if (res == NULL)
		return false;
	PQclear(res);
	return true;
}

bool
pgconn_run_buf(struct pgconn *c, struct buf *sql, struct err *err)
{
	PGresult *res = NULL;

	if (buf_overflowed(sql))
		err_set(err, ERR_TOO_LARGE, "a statement of more than %zu bytes", sql->max);
	else
		res = pgconn_exec(c, err, buf_str(sql));
	buf_done(sql);
	PQclear(res);
	return res != NULL;
}

bool
pgconn_copy_end(struct pgconn *c, int64_t *rows_r, struct err *err)
{
	bool ok = true;
	PGresult *res;

	while ((res = PQgetResult(c->pq)) != NULL) {
		if (PQresultStatus(res) == PGRES_COMMAND_OK)
			*rows_r = strtoll(PQcmdTuples(res), NULL, 10);
		else if (ok)
			ok = pgconn_error(c->pq, res, err);
		PQclear(res);
	}
	return ok;
}

/* ---- text */

void
pgconn_ident(struct buf *b, const char *name)
{
	buf_char(b, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"')
			buf_char(b, '"');
		buf_char(b, *name);
	}
	buf_char(b, '"');
}

void
pgconn_qualified(struct buf *b, const char *schema, const char *name)
{
	pgconn_ident(b, schema);
	buf_char(b, '.');
	pgconn_ident(b, name);
}

/* E'' form when a backslash is in it, so that it means the same under any setting. */
void
pgconn_literal(struct buf *b, const char *value)
{
	if (strchr(value, '\\') != NULL)
		buf_str_add(b, " E");
	buf_char(b, '\'');
	for (; *value != '\0'; value++) {
		if (*value == '\'' || *value == '\\')
			buf_char(b, *value);
		buf_char(b, *value);
	}
	buf_char(b, '\'');
}

void
pgconn_array_add(struct buf *b, const char *element)
{
	buf_char(b, b->n == 0 ? '{' : ',');
	buf_char(b, '"');
	for (; *element != '\0'; element++) {
		if (*element == '"' || *element == '\\')
			buf_char(b, '\\');
		buf_char(b, *element);
	}
	buf_char(b, '"');
}

const char *
pgconn_array_end(struct buf *b)
{
	buf_str_add(b, b->n == 0 ? "{}" : "}");
	return buf_str(b);
}

int64_t
pgcell_i64(const PGresult *res, int row, int col)
{
	return strtoll(PQgetvalue(res, row, col), NULL, 10);
}

bool
pgcell_bool(const PGresult *res, int row, int col)
{
	return PQgetvalue(res, row, col)[0] == 't';
}
