#include "tests/harness/sql.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "tests/harness/fail.h"
#include "tests/harness/poll.h"

#define RECOVERY_MS 30000

void
sql_ignore_notice(void *arg, const char *words)
{
}

/* A server that crashes hangs up, one that recovers says so; both soon let one in again. */
static bool
is_open_or_refused(PGconn **c, const char *conninfo)
{
	const char *words;

	PQfinish(*c);
	*c = PQconnectdb(conninfo);
	words = PQerrorMessage(*c);
	return PQstatus(*c) == CONNECTION_OK ||
	    (strstr(words, "the database system is ") == NULL &&
		strstr(words, "closed the connection") == NULL);
}

PGconn *
sql_open(const char *conninfo)
{
	PGconn *c = NULL;

	(void)poll_until(RECOVERY_MS, is_open_or_refused(&c, conninfo));
	if (PQstatus(c) != CONNECTION_OK)
		test_fail("could not connect to %s: %s", conninfo, PQerrorMessage(c));
	PQsetNoticeProcessor(c, sql_ignore_notice, NULL);
	return c;
}

bool
sql_is_open(const PGconn *c)
{
	return c != NULL && PQstatus(c) == CONNECTION_OK;
}

void
sql_close(PGconn **c)
{
	PQfinish(*c);
	*c = NULL;
}

static bool
is_ok(const PGresult *res)
{
	ExecStatusType s = PQresultStatus(res);

	return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || s == PGRES_EMPTY_QUERY;
}

/* Run it and copy the first value out; "(null)" for NULL or no row. */
static char *
run(PGconn *c, const char *statement)
{
	PGresult *res = PQexec(c, statement);
	char *value;

	if (!is_ok(res))
		test_fail("%.2000s\nfailed: %s", statement, PQerrorMessage(c));
	if (PQntuples(res) == 0 || PQnfields(res) == 0 || PQgetisnull(res, 0, 0))
		value = text("(null)");
	else
		value = text("%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	return value;
}

void
sql_exec(PGconn *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	run(c, text_v(fmt, ap));
	va_end(ap);
}

bool
sql_try(PGconn *c, const char *statement)
{
	PGresult *res = PQexec(c, statement);
	bool ok = is_ok(res);

	PQclear(res);
	return ok;
}

char *
sql_text(PGconn *c, const char *fmt, ...)
{
	va_list ap;
	char *value;

	va_start(ap, fmt);
	value = run(c, text_v(fmt, ap));
	va_end(ap);
	return value;
}

int64_t
sql_i64(PGconn *c, const char *fmt, ...)
{
	struct err err = ERR_INIT;
	va_list ap;
	int64_t v = 0;

	va_start(ap, fmt);
	if (!str_to_i64(run(c, text_v(fmt, ap)), INT64_MIN, INT64_MAX, &v, &err))
		test_fail("%s: %s", fmt, err.msg);
	va_end(ap);
	return v;
}

void
sql_wait(PGconn *c, int ms, const char *expected, const char *fmt, ...)
{
	const char *statement, *last = "";
	va_list ap;

	va_start(ap, fmt);
	statement = text_v(fmt, ap);
	va_end(ap);
	if (!poll_until(ms, strcmp(last = run(c, statement), expected) == 0))
		test_fail("%s\nis still \"%s\" after %d ms, not \"%s\"", statement, last, ms,
		    expected);
}

char *
sql_ident(PGconn *c, const char *name)
{
	char *quoted = PQescapeIdentifier(c, name, strlen(name));
	char *copy = text("%s", quoted);

	PQfreemem(quoted);
	return copy;
}

char *
sql_literal(PGconn *c, const char *value)
{
	char *quoted = PQescapeLiteral(c, value, strlen(value));
	char *copy = text("%s", quoted);

	PQfreemem(quoted);
	return copy;
}
