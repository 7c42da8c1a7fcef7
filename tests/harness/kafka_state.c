#include "tests/harness/kafka_state.h"

#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "tests/harness/fail.h"
#include "tests/harness/kafka.h"
#include "tests/harness/sql.h"

#define LINE_MAX_BYTES (4 * MIB)

/*
 * A record's place in the source's order is its commit, its number there, and
 * of a changed key first the delete. A row is known by its record's key; n says
 * how many rows are alike, which without key may be many.
 */
static const char schema[] =
    "CREATE AGGREGATE merged (jsonb) (SFUNC = jsonb_concat, STYPE = jsonb, INITCOND = '{}');"
    "CREATE UNLOGGED TABLE fresh (topic text, part int, off bigint, at bigint, tab text, op text,"
    " key text, value jsonb, id text);"
    "CREATE UNLOGGED TABLE records (topic text, part int, off bigint, id text PRIMARY KEY,"
    " place numeric);"
    "CREATE TABLE state (tab text, key text, n bigint NOT NULL, value jsonb,"
    " PRIMARY KEY (tab, key)) PARTITION BY LIST (tab);"
    "CREATE FUNCTION place(op text, id text) RETURNS numeric IMMUTABLE LANGUAGE sql AS $$"
    " SELECT CASE WHEN op = 'read' THEN 0 ELSE"
    " ((split_part(id, ':', 1)::pg_lsn - '0/0') * 10000000000 + split_part(id, ':', 2)::bigint)"
    " * 2 + (id NOT LIKE '%:delete')::int END $$";

static const char outdated[] =
    "DELETE FROM fresh WHERE op = 'read' AND split_part(id, '/', 1) <> (SELECT split_part(id, "
    "'/', 1) FROM fresh WHERE op = 'read' ORDER BY at DESC, off DESC LIMIT 1)";

static const char note[] =
    "INSERT INTO records SELECT topic, part, off, id, place(op, id) FROM fresh";

/* Of a table's truncations the last one counts; there may be thousands. */
static const char truncated[] =
    "DELETE FROM state WHERE tab IN (SELECT tab FROM fresh WHERE op = 'truncate');"
    "DELETE FROM fresh f USING (SELECT tab, max(place(op, id)) AS last FROM fresh"
    " WHERE op = 'truncate' GROUP BY tab) t WHERE t.tab = f.tab AND place(f.op, f.id) <= t.last";

/* Columns that did not change may be left out: the others are laid over what was there. */
static const char fold[] = "INSERT INTO state SELECT tab, key,"
			   " sum(CASE op WHEN 'delete' THEN -1 WHEN 'update' THEN 0 ELSE 1 END),"
			   " merged(value ORDER BY place(op, id)) FROM fresh GROUP BY tab, key"
			   " ON CONFLICT (tab, key) DO UPDATE SET n = state.n + excluded.n,"
			   " value = state.value || excluded.value;"
			   "TRUNCATE fresh";

static const char wrong[] = "SELECT format('%s: %s is there %s times', tab, key, n) FROM state"
			    " WHERE n < 0 LIMIT 1";

static const char disorder[] =
    "SELECT format('%s [%s]: %s at offset %s stands behind what came later', topic, part, id, "
    "off) FROM (SELECT *, lag(place) OVER (PARTITION BY topic, part ORDER BY off) AS before"
    " FROM records) r WHERE before > place LIMIT 1";

static void
make_view(PGconn *here, PGconn *source, const char *table)
{
	const char *columns = sql_text(source,
	    "SELECT string_agg(format('(value->>%%L)::%%s AS %%I', attname, format_type(atttypid, "
	    "atttypmod), attname), ', ' ORDER BY attnum) FROM pg_attribute"
	    " WHERE attrelid = '%s'::regclass AND attnum > 0 AND NOT attisdropped",
	    table);

	sql_exec(here, "CREATE UNLOGGED TABLE state_%s PARTITION OF state FOR VALUES IN ('%s')",
	    table, table);
	sql_exec(here,
	    "CREATE VIEW %s AS SELECT %s FROM state, generate_series(1, n) WHERE tab = '%s'", table,
	    columns, table);
}

void
kafka_state_init(PGconn *here, PGconn *source, const char *const *tables)
{
	sql_exec(here, "%s", schema);
	for (; *tables != NULL; tables++)
		make_view(here, source, *tables);
}

/* ---- taking records in */

static void
copy_text(struct buf *b, const char *s, char end)
{
	if (s == NULL)
		s = "\\N";
	else
		for (; *s != '\0'; s++) {
			if (*s == '\\' || *s == '\n' || *s == '\t' || *s == '\r')
				buf_char(b, '\\');
			buf_char(b, *s);
		}
	buf_str_add(b, s);
	buf_char(b, end);
}

static const char *
header(const struct kafka_record *r, const char *name)
{
	const char *value = kafka_header(r, name);

	if (value == NULL)
		test_fail("the record %s = %s has no header %s", r->key, r->value, name);
	return value;
}

static void
copy_record(struct buf *b, const char *topic, const struct kafka_record *r)
{
	const char *table = header(r, "peerd.table");
	const char *dot = strchr(table, '.');

	copy_text(b, topic, '\t');
	buf_printf(b, "%d\t%lld\t%lld\t", r->partition, (long long)r->offset,
	    (long long)r->time_ms);
	copy_text(b, dot != NULL ? dot + 1 : table, '\t');
	copy_text(b, header(r, "peerd.op"), '\t');
	copy_text(b, r->key, '\t');
	copy_text(b, r->value, '\t');
	copy_text(b, header(r, "peerd.id"), '\n');
}

static void
end_copy(PGconn *here)
{
	PGresult *res;

	if (PQputCopyEnd(here, NULL) != 1)
		test_fail("could not take records in: %s", PQerrorMessage(here));
	while ((res = PQgetResult(here)) != NULL) {
		if (PQresultStatus(res) != PGRES_COMMAND_OK)
			test_fail("could not take records in: %s", PQresultErrorMessage(res));
		PQclear(res);
	}
}

void
kafka_state_add(PGconn *here, const char *topic, const struct kafka_records *rs)
{
	PGresult *res = PQexec(here, "COPY fresh FROM STDIN");
	struct buf line;

	if (PQresultStatus(res) != PGRES_COPY_IN)
		test_fail("could not take records in: %s", PQerrorMessage(here));
	PQclear(res);
	buf_init(&line, LINE_MAX_BYTES);
	for (size_t i = 0; i < rs->n; i++) {
		buf_reset(&line);
		copy_record(&line, topic, &rs->v[i]);
		if (PQputCopyData(here, buf_str(&line), (int)line.n) != 1)
			test_fail("could not take records in: %s", PQerrorMessage(here));
	}
	buf_done(&line);
	end_copy(here);
}

/* ---- folding */

/* NULL, or the server's words. */
static const char *
tried(PGconn *here, const char *statements)
{
	PGresult *res = PQexec(here, statements);
	const char *words = PQresultStatus(res) != PGRES_COMMAND_OK
	    ? text("%s", PQresultErrorMessage(res))
	    : NULL;

	PQclear(res);
	return words;
}

/* The query's first value; NULL when it has no row. */
static const char *
asked(PGconn *here, const char *query)
{
	PGresult *res = PQexec(here, query);
	const char *words = NULL;

	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		words = text("%s", PQresultErrorMessage(res));
	else if (PQntuples(res) > 0)
		words = text("%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	return words;
}

const char *
kafka_state_fold(PGconn *here)
{
	static const char *const steps[] = { outdated, note, truncated, fold };
	const char *words = NULL;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps) && words == NULL; i++)
		words = tried(here, steps[i]);
	return words != NULL ? words : asked(here, wrong);
}

const char *
kafka_state_disorder(PGconn *here)
{
	return asked(here, disorder);
}

void
kafka_state_forget(PGconn *here)
{
	sql_exec(here, "TRUNCATE fresh, records, state");
}
