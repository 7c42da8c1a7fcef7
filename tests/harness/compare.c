#include "tests/harness/compare.h"

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "tests/harness/fail.h"
#include "tests/harness/poll.h"
#include "tests/harness/sql.h"

#define SHOWN_MAX   8
#define SHOWN_BYTES 200

struct stream {
	PGconn *c;
	char *line; /* the current row; NULL at the end */
	int n;
};

struct merge {
	struct buf found;
	int64_t equal;
	int shown;
};

char *
table_columns(PGconn *c, const char *table)
{
	return sql_text(c,
	    "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) "
	    "FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
	    "AND attgenerated = ''",
	    sql_literal(c, table));
}

static void
stream_next(struct stream *s)
{
	PGresult *res;

	PQfreemem(s->line);
	s->line = NULL;
	s->n = PQgetCopyData(s->c, &s->line, 0);
	if (s->n >= 0)
		return;
	res = PQgetResult(s->c);
	if (s->n == -2 || PQresultStatus(res) != PGRES_COMMAND_OK)
		test_fail("could not read rows to compare: %s", PQerrorMessage(s->c));
	PQclear(res);
	while ((res = PQgetResult(s->c)) != NULL)
		PQclear(res);
}

/* The server's words when it refuses: the table, or a column, may not be there yet. */
static const char *
stream_begin(struct stream *s, PGconn *c, const char *from, const char *columns)
{
	PGresult *res = PQexec(c,
	    text("COPY (SELECT ROW(%s)::text COLLATE \"C\" FROM %s ORDER BY 1) "
		 "TO STDOUT",
		columns, from));
	const char *words = NULL;

	*s = (struct stream){ .c = c };
	if (PQresultStatus(res) == PGRES_COPY_OUT)
		stream_next(s);
	else
		words = text("%s", PQerrorMessage(c));
	PQclear(res);
	return words;
}

static void
stream_end(struct stream *s)
{
	while (s->line != NULL)
		stream_next(s);
}

/* The escapes of COPY text keep the order of all bytes above the backslash's peers equal on
 * both sides, and equality is all that the merge needs beyond one common order. */
static int
stream_compare(const struct stream *a, const struct stream *b)
{
	int shorter, order;

	if (a->line == NULL || b->line == NULL)
		return a->line != NULL ? -1 : 1;
	shorter = a->n < b->n ? a->n : b->n;
	order = memcmp(a->line, b->line, (size_t)shorter);
	return order != 0 ? order : a->n - b->n;
}

static void
show(struct merge *m, char side, const struct stream *s)
{
	if (m->shown++ < SHOWN_MAX)
		buf_printf(&m->found, "%c %.*s\n", side,
		    s->n > SHOWN_BYTES ? SHOWN_BYTES : s->n - 1, s->line);
}

static void
merge_step(struct merge *m, struct stream *a, struct stream *b)
{
	int order = stream_compare(a, b);

	if (order == 0)
		m->equal++;
	if (order < 0)
		show(m, '<', a);
	if (order > 0)
		show(m, '>', b);
	if (order <= 0)
		stream_next(a);
	if (order >= 0)
		stream_next(b);
}

const char *
table_difference(PGconn *a, const char *from_a, PGconn *b, const char *from_b, const char *columns,
    int64_t *rows_r)
{
	struct merge m = { .equal = 0 };
	struct stream left, right;
	const char *words = stream_begin(&right, b, from_b, columns);

	if (words != NULL)
		return words;
	words = stream_begin(&left, a, from_a, columns);
	if (words != NULL) {
		stream_end(&right);
		return words;
	}
	buf_init(&m.found, 1 * MIB);
	while (left.line != NULL || right.line != NULL)
		merge_step(&m, &left, &right);
	if (m.shown > 0)
		words = text("%s and %s differ in %d rows (%lld are equal):\n%s", from_a, from_b,
		    m.shown, (long long)m.equal, buf_str(&m.found));
	buf_done(&m.found);
	if (rows_r != NULL)
		*rows_r = m.equal;
	return words;
}

void
table_expect_equal(PGconn *a, PGconn *b, const char *table, int ms)
{
	const char *columns = table_columns(a, table);
	const char *words;

	if (!poll_until(ms, (words = table_difference(a, table, b, table, columns, NULL)) == NULL))
		test_fail("after %d ms: %s", ms, words);
}
