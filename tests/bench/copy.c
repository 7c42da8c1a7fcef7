#include "tests/bench/copy.h"

#include "tests/bench/meter.h"
#include "tests/harness/fail.h"

#define TICK_ROWS 1000

void
copy_begin(PGconn *c, const char *statement, ExecStatusType expected)
{
	PGresult *res = PQexec(c, statement);

	if (PQresultStatus(res) != expected)
		test_fail("%s: %s", statement, PQerrorMessage(c));
	PQclear(res);
}

static void
finish(PGconn *c)
{
	PGresult *res;

	while ((res = PQgetResult(c)) != NULL) {
		if (PQresultStatus(res) != PGRES_COMMAND_OK)
			test_fail("COPY failed: %s", PQerrorMessage(c));
		PQclear(res);
	}
}

void
copy_discard(PGconn *from, struct meter *m)
{
	int64_t rows = 0;
	char *row;

	while (PQgetCopyData(from, &row, 0) > 0) {
		PQfreemem(row);
		if (++rows % TICK_ROWS == 0)
			meter_tick(m);
	}
	finish(from);
}

void
copy_relay(PGconn *from, PGconn *to)
{
	char *row;
	int n;

	while ((n = PQgetCopyData(from, &row, 0)) > 0) {
		if (PQputCopyData(to, row, n) != 1)
			test_fail("could not write: %s", PQerrorMessage(to));
		PQfreemem(row);
	}
	if (PQputCopyEnd(to, NULL) != 1)
		test_fail("could not write: %s", PQerrorMessage(to));
	finish(from);
	finish(to);
}
