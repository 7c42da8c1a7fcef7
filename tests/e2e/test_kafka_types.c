/*
 * Every type arrives in Kafka as it left Postgres, in the snapshot, as a change
 * and in an update, in every value format.
 *
 * Nothing of peerd reads: kcat brings the records, and SQL makes of a JSON value
 * what Postgres takes as input (kafka_type_cases.h). Read as the column's type it must
 * print as the source's value does. Each type has a table: the values singly, an
 * array of them with a NULL inside, an empty one, and one of two dimensions.
 */
#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "tests/e2e/kafka_type_cases.h"
#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/kafka.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS	       60000
#define CHANGES_FROM   1000 /* ids of rows that are inserted while the mirrors run */
#define LINE_MAX_BYTES (32 * MIB)

/* ---- formats: a mirror each, all tables in one topic */

static const struct {
	const char *name; /* of mirror and topic */
	const char *env;
	const char *row; /* where in a record's value it is */
} formats[FORMATS] = {
	[PEERDB] = { "peerdb", "'PEERD_KAFKA_FORMAT': 'peerdb-json'", "value->'new'" },
	[PLAIN] = { "plain", "'PEERD_KAFKA_FORMAT': 'plain-json'",
	    /* JSON takes it, but no text of Postgres' can hold it */
	    "replace(value::text, '\\u0000', '\\u2400')::json" },
	[DEBEZIUM] = { "debezium",
	    "'PEERD_KAFKA_FORMAT': 'debezium-json', 'on_lossy_value': 'null'", "value->'after'" },
	[SCHEMAS] = { "schemas",
	    "'PEERD_KAFKA_FORMAT': 'debezium-json', 'on_lossy_value': 'null',"
	    " 'PEERD_KAFKA_SCHEMAS': 'true', 'PEERD_KAFKA_DECIMALS': 'string',"
	    " 'PEERD_KAFKA_TIMES': 'microseconds'",
	    "value->'payload'->'after'" },
};

/* No value of these can be made by input. */
#define UNREACHABLE                                                              \
	"'gtsvector', 'pg_brin_bloom_summary', 'pg_brin_minmax_multi_summary', " \
	"'pg_dependencies', "                                                    \
	"'pg_mcv_list', 'pg_ndistinct', 'pg_node_tree'"

static void
make_user_types(void)
{
	on_source(
	    "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE SCHEMA \"Other Schema\";"
	    "CREATE TYPE mood AS ENUM ('sad', 'ok', 'hap py', 'quo\"te', 'ünï');"
	    "CREATE TYPE \"Other Schema\".\"Odd Type\" AS ENUM ('x', 'Y y');"
	    "CREATE DOMAIN posint AS int CHECK (VALUE > 0);"
	    "CREATE DOMAIN cents AS numeric(10,2);"
	    "CREATE DOMAIN moods AS mood[];"
	    "CREATE DOMAIN deep AS posint CHECK (VALUE < 10);"
	    "CREATE TYPE pair AS (a int, b text, c mood);"
	    "CREATE TYPE nest AS (p pair, m mood[], i posint, q pair[]);"
	    "CREATE TYPE floatrange AS RANGE (subtype = float8);"
	    "CREATE TYPE moodrange AS RANGE (subtype = mood);"
	    "CREATE TABLE at_home (id int PRIMARY KEY)");
}

/* ---- reading values back */

/* A form with the value in place of every @ and the type in place of $. */
static char *
filled(const char *form, const char *value, const char *type)
{
	char *all = text("%s", "");
	size_t n;

	for (; *form != '\0'; form += n + (form[n] != '\0')) {
		n = strcspn(form, "@$");
		all = text("%s%.*s%s", all, (int)n, form,
		    form[n] == '@'	 ? value
			: form[n] == '$' ? type
					 : "");
	}
	return all;
}

static const char *
chosen(const char *const list[FORMATS], int format, const char *otherwise)
{
	for (; format >= 0; format--)
		if (list[format] != NULL)
			return list[format];
	return otherwise;
}

/* ---- rows */

static bool
is_array(const struct type_case *k)
{
	return k->form == &labels;
}

static void
create_table(int i)
{
	on_source("CREATE TABLE type_%d (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, v %s)", i,
	    cases[i].type);
	if (!is_array(&cases[i]))
		on_source("ALTER TABLE type_%d ADD a %s[], ADD m %s[][]", i, cases[i].type,
		    cases[i].type);
}

/* The values of a case with ids from base on, then NULLs and arrays. */
static void
insert_values(int i, int base)
{
	const struct type_case *k = &cases[i];
	char *list = text("NULL");
	int n = 0;

	for (; n < VALUES_MAX && k->values[n] != NULL; n++) {
		on_source("INSERT INTO type_%d (id, v) VALUES (%d, %s)", i, base + n, k->values[n]);
		list = text("%s, CAST(%s AS %s)", list, k->values[n], k->type);
	}
	on_source("INSERT INTO type_%d (id) VALUES (%d)", i, base + n++);
	if (is_array(k))
		return;
	on_source("INSERT INTO type_%d (id, a) VALUES (%d, ARRAY[%s]::%s[])", i, base + n, list,
	    k->type);
	on_source("INSERT INTO type_%d (id, a, m) VALUES (%d, '{}', "
		  "array_fill(CAST(%s AS %s), ARRAY[2,2], ARRAY[-1,3])::%s[])",
	    i, base + n + 1, k->values[0], k->type, k->type);
}

/* ---- bringing records here */

static struct kafka *kafka;

static void
put_escaped(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\' || *s == '\n' || *s == '\t' || *s == '\r')
			buf_char(b, '\\');
		buf_char(b, *s);
	}
}

static void
put_record(struct buf *b, int format, const struct kafka_record *r)
{
	buf_reset(b);
	buf_printf(b, "%d\t%s\t%s\t%lld\t", format, strchr(kafka_header(r, "peerd.table"), '.') + 1,
	    kafka_header(r, "peerd.op"), (long long)r->offset);
	put_escaped(b, r->value);
	buf_char(b, '\n');
	if (PQputCopyData(rig.s, buf_str(b), (int)b->n) != 1)
		test_fail("COPY: %s", PQerrorMessage(rig.s));
}

static void
bring_records(int format)
{
	struct kafka_records rs = kafka_read(kafka, formats[format].name, NULL);
	PGresult *res = PQexec(rig.s, "COPY brought (format, tab, op, off, value) FROM STDIN");
	struct buf line;

	ck_assert_int_eq(PQresultStatus(res), PGRES_COPY_IN);
	PQclear(res);
	buf_init(&line, LINE_MAX_BYTES);
	for (size_t i = 0; i < rs.n; i++)
		put_record(&line, format, &rs.v[i]);
	buf_done(&line);
	PQputCopyEnd(rig.s, NULL);
	while ((res = PQgetResult(rig.s)) != NULL) {
		ck_assert_msg(PQresultStatus(res) == PGRES_COMMAND_OK, "%s",
		    PQresultErrorMessage(res));
		PQclear(res);
	}
	kafka_records_free(&rs);
	sql_exec(rig.s,
	    "INSERT INTO got SELECT format, tab, op, off, substring(j::text, "
	    "'\"id\":([0-9]+)')::int, j FROM (SELECT *, %s AS "
	    "j FROM brought WHERE format = %d AND op <> 'delete') x",
	    formats[format].row, format);
}

static bool
has_last(int format)
{
	struct kafka_records rs = kafka_read(kafka, formats[format].name, NULL);
	bool last = rs.n > 0 &&
	    strcmp(kafka_header(&rs.v[rs.n - 1], "peerd.table"), "public.last") == 0;

	kafka_records_free(&rs);
	return last;
}

static void
run_mirrors(void)
{
	char *tables = text("public.last");

	for (int i = 0; i < CASES; i++)
		tables = text("%s,public.type_%d", tables, i);
	api_expect(200,
	    api_post("/peers/create",
		json("{'peer': {'name': 'dst', 'type': 'KAFKA', 'kafka_config': {'servers': "
		     "['%s'], 'disable_tls': true}}}",
		    kafka_servers(kafka, KAFKA_PLAIN))));
	for (int f = 0; f < FORMATS; f++)
		mirror_run(formats[f].name, tables,
		    text("'env': {'PEERD_KAFKA_TOPIC': '{mirror}', 'PEERD_KAFKA_PARTITIONS': '1', "
			 "%s}",
			formats[f].env));
}

static void
types_init(void)
{
	rig_source_init();
	rig_init();
	kafka = kafka_new("kafka", 1, KAFKA_FOR_TESTS);
	on_source("ALTER DATABASE app SET TimeZone = 'UTC'; ALTER DATABASE app SET lc_monetary = "
		  "'C'; SET TimeZone = 'UTC'; SET lc_monetary = 'C'; CREATE ROLE guest");
	make_user_types();
	on_source("%s; %s; %s; %s", make_iso, make_numbers, make_times, make_pairs);
	on_source("CREATE TABLE last (id int PRIMARY KEY);"
		  "CREATE TABLE brought (format int, tab text, op text, off bigint, value json);"
		  "CREATE TABLE got (format int, tab text, op text, off bigint, id int, row json)");
	for (int i = 0; i < CASES; i++) {
		create_table(i);
		insert_values(i, 0);
	}
	run_mirrors();
	for (int i = 0; i < CASES; i++) {
		insert_values(i, CHANGES_FROM);
		on_source("UPDATE type_%d SET n = 1 WHERE id < %d", i, CHANGES_FROM);
	}
	on_source("INSERT INTO last VALUES (1)");
	for (int f = 0; f < FORMATS; f++) {
		if (!poll_until(WAIT_MS, has_last(f)))
			test_fail("%s: %s", formats[f].name, mirror_errors(formats[f].name));
		bring_records(f);
	}
}

static void
types_done(void)
{
	rig_done(); /* the mirrors are dropped: the broker is asked */
	kafka_free(&kafka);
	rig_clusters_done();
}

/* ---- comparing */

/* A value of the source, and one of a record, as text. */
static char *
printed(const struct type_case *k, int format, const char *value)
{
	return text("CASE WHEN %s IS DISTINCT FROM NULL AND %s THEN %s END", value,
	    filled(chosen(k->form->carried, format, "true"), value, k->type),
	    filled(chosen(k->form->printed, format, "format('%s', @)"), value, k->type));
}

static char *
read_back(const struct type_case *k, int format, const char *j)
{
	bool own_text = chosen(k->form->printed, format, NULL) != NULL;
	char *words = filled(chosen(k->form->read, format, NULL), j, k->type);

	return text("CASE WHEN %s::text <> 'null' THEN %s END", j,
	    own_text ? words : text("format('%%s', (%s)::%s)", words, k->type));
}

/* The elements, in order, of an array of so many dimensions; "null" for NULLs. */
/* In debezium-json an array is NULL as a whole if an element of it does not fit. */
static char *
elements_of_source(const struct type_case *k, int format, const char *array)
{
	const char *fits = format < DEBEZIUM
	    ? "true"
	    : filled(chosen(k->form->carried, format, "true"), "e", k->type);

	return text("CASE WHEN cardinality(%s) = 0 THEN 'empty' ELSE (SELECT '[1:' || "
		    "array_length(%s, 1) || ']' || coalesce('[1:' || array_length(%s, 2) || ']', "
		    "'') || string_agg(coalesce(%s, 'null'), '|' ORDER BY i) FROM (SELECT "
		    "unnest(%s) AS e, generate_series(1, cardinality(%s)) AS i) u HAVING "
		    "bool_and(coalesce(%s, true))) END",
	    array, array, array, printed(k, format, "e"), array, array, fits);
}

static char *
elements_of_list(const struct type_case *k, int format, const char *j)
{
	return text("CASE WHEN %s::text = '[]' THEN 'empty' ELSE (SELECT '[1:' || count(*) || ']' "
		    "|| string_agg(coalesce(%s, 'null'), '|' ORDER BY i) FROM "
		    "json_array_elements(%s) WITH ORDINALITY u(e, i)) END",
	    j, read_back(k, format, "e"), j);
}

static char *
elements_of_matrix(const struct type_case *k, int format, const char *j)
{
	return text("(SELECT '[1:' || max(i) || '][1:' || max(l) || ']' || "
		    "string_agg(coalesce(%s, 'null'), '|' ORDER BY i, l) FROM "
		    "json_array_elements(%s) WITH ORDINALITY u(r, i), "
		    "json_array_elements(r) WITH ORDINALITY w(e, l))",
	    read_back(k, format, "e"), j);
}

static void
expect_column(int i, int format, const char *rows, const char *column, const char *source,
    const char *record)
{
	char *words = sql_text(rig.s,
	    "SELECT format('id %%s: %%s, but %%s: %%s', id, left(s, 300), left(r, 300), left(j, "
	    "300)) FROM (SELECT t.id, %s AS s, CASE WHEN g.id IS NULL THEN 'no record' ELSE %s END "
	    "AS r, (g.row->'%s')::text AS j FROM type_%d t LEFT JOIN got g ON g.id = t.id AND "
	    "g.tab = "
	    "'type_%d' AND g.format = %d AND %s) x WHERE s IS DISTINCT FROM r ORDER BY id LIMIT 1",
	    source, record, column, i, i, format, rows);

	if (strcmp(words, "(null)") != 0)
		test_fail("%s, %s, column %s: %s", cases[i].type, formats[format].name, column,
		    words);
}

static void
expect_values(int i, int format, const char *rows)
{
	const struct type_case *k = &cases[i];

	if (is_array(k)) {
		struct type_case element = { "mood", &as_printed, { NULL } };

		expect_column(i, format, rows, "v", elements_of_source(&element, format, "t.v"),
		    elements_of_list(&element, format, "nullif((g.row->'v')::text, 'null')::json"));
		return;
	}
	expect_column(i, format, rows, "v", printed(k, format, "t.v"),
	    read_back(k, format, "(g.row->'v')"));
	expect_column(i, format, rows, "a", elements_of_source(k, format, "t.a"),
	    elements_of_list(k, format, "nullif((g.row->'a')::text, 'null')::json"));
	expect_column(i, format, rows, "m", elements_of_source(k, format, "t.m"),
	    elements_of_matrix(k, format, "nullif((g.row->'m')::text, 'null')::json"));
}

START_TEST(every_builtin_type_has_a_case)
{
	char *names = text("NULL");

	for (int i = 0; i < CASES; i++)
		names = text("%s, %s", names, sql_literal(rig.s, cases[i].type));
	ck_assert_str_eq("(null)",
	    sql_text(rig.s,
		"SELECT string_agg(typname, ' ') FROM pg_type "
		"WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') "
		"AND typcategory <> 'A' AND typname NOT IN (" UNREACHABLE ") "
		"AND oid NOT IN (SELECT to_regtype(c)::oid FROM unnest(ARRAY[%s]) c "
		"WHERE to_regtype(c) IS NOT NULL)",
		names));
}
END_TEST

START_TEST(snapshot_carries)
{
	for (int f = 0; f < FORMATS; f++)
		expect_values(_i, f, "g.op = 'read' WHERE t.id < 1000");
}
END_TEST

START_TEST(changes_carry)
{
	for (int f = 0; f < FORMATS; f++)
		expect_values(_i, f, "g.op = 'insert' WHERE t.id >= 1000");
}
END_TEST

START_TEST(updates_carry)
{
	for (int f = 0; f < FORMATS; f++)
		expect_values(_i, f, "g.op = 'update' WHERE t.id < 1000");
}
END_TEST

static Suite *
types_suite(void)
{
	Suite *s = suite_create("kafka types");
	TCase *tc = suite_case(s, "types", types_init, types_done, rig_reconnect, NULL);

	suite_test(tc, every_builtin_type_has_a_case);
	suite_loop(tc, snapshot_carries, 0, CASES);
	suite_loop(tc, changes_carry, 0, CASES);
	suite_loop(tc, updates_carry, 0, CASES);
	return s;
}

int
main(void)
{
	if (!kafka_available())
		return 0;
	return suite_main(types_suite());
}
