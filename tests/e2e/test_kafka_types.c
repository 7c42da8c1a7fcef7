/*
 * Every type arrives in Kafka as it left Postgres, in the snapshot, as a change
 * and in an update, in every value format.
 *
 * Nothing of peerd reads: kcat brings the records, and SQL makes of a JSON value
 * what Postgres takes as input (struct form). Read as the column's type it must
 * print as the source's value does. Each type has a table: the values singly, an
 * array of them with a NULL inside, an empty one, and one of two dimensions.
 */
#include "lib/base/buf.h"
#include "lib/base/limits.h"
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
#define VALUES_MAX     12
#define CHANGES_FROM   1000 /* ids of rows that are inserted while the mirrors run */
#define LINE_MAX_BYTES (32 * MIB)

/* ---- formats: a mirror each, all tables in one topic */

enum {
	PEERDB,
	PLAIN,
	DEBEZIUM,
	SCHEMAS,
	FORMATS
};

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

/* ---- forms; @ is the JSON value, $ the type */

#define PLAIN_TEXT "(@ #>> '{}')"
#define BASE64	   "decode(" PLAIN_TEXT ", 'base64')"
#define ISO	   "iso(" PLAIN_TEXT ")"
#define NUMBER	   PLAIN_TEXT "::bigint"

/*
 * What $ takes as input. carried: of a source's value @ in debezium-json, may it
 * arrive at all? If not it is NULL there. printed: instead of the value's own text.
 */
struct form {
	const char *read[FORMATS]; /* NULL: as the format before */
	const char *carried[FORMATS];
	const char *printed[FORMATS];
};

static const struct form as_printed = { .read = { PLAIN_TEXT } };
static const struct form labels = { .read = { PLAIN_TEXT } };
static const struct form bytes = { .read = { "'\\x' || encode(" BASE64 ", 'hex')" } };
static const struct form document = {
	.read = { PLAIN_TEXT, "@::text", PLAIN_TEXT },
	/* JSON's null is the column's null where documents are not texts */
	.carried = { NULL, "btrim(@::text) <> 'null'", "true" },
	.printed = { NULL, "replace(btrim(@::text), '\\u0000', '\\u2400')", "@::text" },
};
static const struct form variable = {
	.read = { PLAIN_TEXT, NULL, "unscaled(decode(@->>'value', 'base64'), (@->>'scale')::int)",
	    PLAIN_TEXT },
	.carried = { NULL, NULL, "@::text !~ '[a-z]'", "true" },
};
static const struct form decimal = {
	.read = { PLAIN_TEXT, NULL, "unscaled(" BASE64 ", scale_of('$'))", PLAIN_TEXT },
	.carried = { NULL, NULL, "@::text !~ '[a-z]'", "true" },
};
static const struct form day = { .read = { PLAIN_TEXT, ISO, "day(" NUMBER ")" } };
static const struct form clock_us = {
	.read = { PLAIN_TEXT, NULL, "span(" NUMBER ")::text" },
};
static const struct form clock_ms = {
	.read = { PLAIN_TEXT, NULL, "span(" NUMBER " * 1000)::text", "span(" NUMBER ")::text" },
};
static const struct form moment = {
	.read = { PLAIN_TEXT, ISO, "moment(" NUMBER ")" },
	.carried = { NULL, NULL, "(@ < '294247-01-01' OR @ = 'infinity')" },
};
static const struct form moment_ms = {
	.read = { PLAIN_TEXT, ISO, "moment(" NUMBER " * 1000)", "moment(" NUMBER ")" },
};
static const struct form moment_of_zone = { .read = { PLAIN_TEXT, ISO } };
static const struct form duration = {
	.read = { "parts(" PLAIN_TEXT "::json)", PLAIN_TEXT },
};
static const struct form place = {
	.read = { "replace(substr(" PLAIN_TEXT ", 6), ' ', ',')", NULL,
	    "format('(%s,%s)', @->>'x', @->>'y')" },
	.carried = { NULL, NULL, "@::text !~ '[NI]'" },
};
static const struct form pairs = {
	.read = { "pairs(" PLAIN_TEXT "::json)", "pairs(@)", "pairs(" PLAIN_TEXT "::json)" },
};
static const struct form one_bit = {
	.read = { PLAIN_TEXT, NULL, "(" PLAIN_TEXT "::bool)::int::text" },
};
/* The number of bits is lost: there are eight, sixteen, ... */
static const struct form bits = {
	.read = { PLAIN_TEXT, NULL, "bits(" BASE64 ")" },
	.printed = { NULL, NULL, "lpad(@::text, (length(@) + 7) / 8 * 8, '0')" },
};

struct type_case {
	const char *type;
	const struct form *form;
	const char *values[VALUES_MAX]; /* SQL expressions; NULL ends */
};

/* clang-format off */
static const struct type_case cases[] = {
	{ "bool", &as_printed, { "true", "false" } },
	{ "bytea", &bytes, { "''", "'\\x00ff5c270a'", "decode(repeat('00ff', 5000), 'hex')" } },
	{ "int2", &as_printed, { "-32768", "32767", "0" } },
	{ "int4", &as_printed, { "-2147483648", "2147483647" } },
	{ "int8", &as_printed, { "-9223372036854775808", "9223372036854775807" } },
	{ "float4", &as_printed, { "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "1e-45", "3.4028235e38", "0.1" } },
	{ "float8", &as_printed, { "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "4.9e-324", "0.1",
	    "1.7976931348623157e308" } },
	{ "numeric", &variable, { "'NaN'", "'Infinity'", "'-Infinity'", "0", "0.000", "-1e-16383", "1e131071",
	    "repeat('9', 131072)::numeric", "('0.' || repeat('7', 16383))::numeric", "10000.00010000" } },
	{ "numeric(10,2)", &decimal, { "99999999.99", "-0.01", "'NaN'" } },
	{ "numeric(5,-2)", &decimal, { "1234500", "-9999900" } },
	{ "money", &as_printed, { "'-92233720368547758.08'", "'92233720368547758.07'", "0" } },
	{ "date", &day, { "'4713-01-01 BC'", "'5874897-12-31'", "'infinity'", "'-infinity'", "'2000-02-29'" } },
	{ "time", &clock_us, { "'00:00'", "'24:00:00'", "'23:59:59.999999'" } },
	{ "time(0)", &clock_ms, { "'23:59:59'" } },
	{ "timetz", &as_printed, { "'24:00:00-15:59:59'", "'00:00+15:59:59'", "'09:25:00+03'" } },
	{ "timestamp", &moment, { "'4713-01-01 00:00:00 BC'", "'294276-12-31 23:59:59.999999'", "'infinity'",
	    "'-infinity'", "'1999-12-31 23:59:59.999999'", "'0001-12-31 00:00:00 BC'" } },
	{ "timestamp(3)", &moment_ms, { "'2026-01-02 03:04:05.678'" } },
	{ "timestamptz", &moment_of_zone, { "'4713-01-02 00:00:00+00 BC'", "'294276-12-31 23:59:59.999999+00'",
	    "'infinity'", "'-infinity'", "'1970-01-01 00:00:00+14'" } },
	{ "interval", &duration, { "'178000000 years'", "'-178000000 years'", "'1 mon -1 day 00:00:00.000001'",
	    "'0'", "'-2147483648 days'", "'13 months 40 days 30:00:00'" } },
	{ "interval year to month", &duration, { "'3 years 4 months'" } },
	{ "interval second(2)", &duration, { "'4.56 seconds'" } },
	{ "text", &as_printed, { "''", "'é漢字😀'", "E'tab\\t nl\\n cr\\r back\\\\ quote'' \" \\b\\f\\v'",
	    "'\\N'", "'\\.'", "repeat('x', 100000)", "E'\\x01\\x7f'", "'{a,\"b\"}'", "'NULL'", "'null'" } },
	{ "varchar(5)", &as_printed, { "''", "'ééééé'" } },
	{ "varchar", &as_printed, { "'  blanks  '" } },
	{ "char(5)", &as_printed, { "''", "'ab'", "'ééééé'" } },
	{ "bpchar", &as_printed, { "'ab   '" } },
	{ "name", &as_printed, { "''", "'n'", "repeat('é', 31)" } },
	{ "\"char\"", &as_printed, { "'a'", "''", "'\"'", "'\\'" } },
	{ "json", &document, { "'{\"a\" :  1, \"a\":2 }'", "' [1,2 ]'", "'1e1000'", "'\"\\u0000\"'", "'null'",
	    "'123456789012345678901234567890.10'" } },
	{ "jsonb", &document, { "'{\"b\":1,\"aa\":[2,null]}'", "'1e1000'", "'null'", "'[]'", "'\"\\u00e9\"'",
	    "'123456789012345678901234567890.10'" } },
	{ "jsonpath", &as_printed, { "'$.a[*] ? (@ > 1)'", "'strict $'" } },
	{ "xml", &as_printed, { "'<a b=\"1\">&lt;é</a>'", "'text only'", "'<?xml version=\"1.0\"?><a/>'" } },
	{ "uuid", &as_printed, { "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'" } },
	{ "inet", &as_printed, { "'::1'", "'10.0.0.1/8'", "'::ffff:1.2.3.4/128'", "'0.0.0.0/0'" } },
	{ "cidr", &as_printed, { "'10.0.0.0/8'", "'2001:db8::/32'" } },
	{ "macaddr", &as_printed, { "'08:00:2b:01:02:03'" } },
	{ "macaddr8", &as_printed, { "'08:00:2b:01:02:03:04:05'" } },
	{ "bit", &one_bit, { "B'1'", "B'0'" } },
	{ "bit(13)", &bits, { "B'1010101010101'" } },
	{ "varbit", &bits, { "B''", "B'1'", "B'101010101010101010'" } },
	{ "varbit(8)", &bits, { "B'10101'" } },
	{ "point", &place, { "'(NaN,Infinity)'", "'(1.5,-0)'" } },
	{ "lseg", &as_printed, { "'[(0,0),(1,1)]'" } },
	{ "line", &as_printed, { "'{1,-1,0}'" } },
	{ "path", &as_printed, { "'[(0,0),(1,1),(2,0)]'", "'((0,0),(1,1),(2,0))'" } },
	{ "box", &as_printed, { "'(1,1),(0,0)'", "'(Infinity,1),(0,-Infinity)'" } },
	{ "polygon", &as_printed, { "'((0,0),(1,1),(2,0))'" } },
	{ "circle", &as_printed, { "'<(0,0),0>'", "'<(1,2),3.5>'" } },
	{ "tsvector", &as_printed, { "''", "'''a b'':1A,2B c'", "to_tsvector('english', 'the quick brown foxes')" } },
	{ "tsquery", &as_printed, { "''", "'a & !b <2> c:*A'", "'''q u'' | b'" } },
	{ "int4range", &as_printed, { "'empty'", "'(,)'", "'[1,10)'" } },
	{ "int8range", &as_printed, { "'[-9223372036854775808,9223372036854775807)'" } },
	{ "numrange", &as_printed, { "'(,Infinity]'", "'[NaN,NaN]'", "'(0.10,1.20]'" } },
	{ "tsrange", &as_printed, { "'[-infinity,\"2026-01-01 00:00:00\"]'", "'empty'" } },
	{ "tstzrange", &as_printed, { "'[\"2026-01-01 00:00:00+00\",)'" } },
	{ "daterange", &as_printed, { "'[2026-01-01,2026-02-01)'", "'(,infinity)'" } },
	{ "int4multirange", &as_printed, { "'{}'", "'{[1,3),[5,)}'" } },
	{ "int8multirange", &as_printed, { "'{[1,3)}'" } },
	{ "nummultirange", &as_printed, { "'{[0.1,0.2],(1,2)}'" } },
	{ "tsmultirange", &as_printed, { "'{[\"2026-01-01 00:00:00\",\"2026-01-02 00:00:00\")}'" } },
	{ "tstzmultirange", &as_printed, { "'{(,\"2026-01-01 00:00:00+00\")}'" } },
	{ "datemultirange", &as_printed, { "'{[2026-01-01,2026-02-01),[2027-01-01,)}'" } },
	{ "pg_lsn", &as_printed, { "'FFFFFFFF/FFFFFFFF'", "'0/0'" } },
	{ "txid_snapshot", &as_printed, { "'10:20:10,14,15'" } },
	{ "pg_snapshot", &as_printed, { "'10:20:10,14,15'" } },
	{ "oid", &as_printed, { "4294967295", "0" } },
	{ "xid", &as_printed, { "'4294967295'" } },
	{ "xid8", &as_printed, { "'18446744073709551615'" } },
	{ "cid", &as_printed, { "'4294967295'" } },
	{ "tid", &as_printed, { "'(4294967295,65535)'" } },
	{ "int2vector", &as_printed, { "'1 -2 3'", "''" } },
	{ "oidvector", &as_printed, { "'1 4294967295'" } },
	{ "refcursor", &as_printed, { "'a cursor'" } },
	{ "aclitem", &as_printed, { "'postgres=arwdDxt/postgres'", "'=r/postgres'" } },
	{ "regproc", &as_printed, { "'now'" } },
	{ "regprocedure", &as_printed, { "'sum(integer)'" } },
	{ "regoper", &as_printed, { "'||/'" } },
	{ "regoperator", &as_printed, { "'+(integer,integer)'" } },
	{ "regclass", &as_printed, { "'pg_class'", "'at_home'" } },
	{ "regcollation", &as_printed, { "'\"C\"'" } },
	{ "regtype", &as_printed, { "'integer'", "'mood'" } },
	{ "regrole", &as_printed, { "'postgres'", "'guest'" } },
	{ "regnamespace", &as_printed, { "'pg_catalog'", "'\"Other Schema\"'" } },
	{ "regconfig", &as_printed, { "'english'" } },
	{ "regdictionary", &as_printed, { "'simple'" } },
	/* types of the user */
	{ "mood", &as_printed, { "'sad'", "'ok'", "'hap py'", "'quo\"te'", "'ünï'" } },
	{ "\"Other Schema\".\"Odd Type\"", &as_printed, { "'x'", "'Y y'" } },
	{ "posint", &as_printed, { "1", "2147483647" } },
	{ "cents", &decimal, { "0.01", "99999999.99" } },
	{ "moods", &labels, { "'{ok,NULL,\"hap py\"}'", "'{}'" } },
	{ "deep", &as_printed, { "5" } },
	{ "pair", &as_printed, { "ROW(1, 'x,\"y\" (z)', 'ok')", "ROW(NULL, NULL, NULL)", "ROW(2, '', 'ünï')" } },
	{ "nest", &as_printed, { "ROW(ROW(1, 'in', 'sad'), ARRAY['ok', NULL]::mood[], 3, ARRAY[ROW(1,'a','ok')]::pair[])" } },
	{ "floatrange", &as_printed, { "'[0.1,Infinity)'", "'empty'" } },
	{ "moodrange", &as_printed, { "'[sad,\"hap py\"]'" } },
	{ "moodmultirange", &as_printed, { "'{[sad,ok)}'" } },
	{ "citext", &as_printed, { "'MiXed'" } },
	{ "hstore", &pairs, { "'a=>1, \"b c\"=>NULL'", "''" } },
};
/* clang-format on */

#define CASES ((int)(sizeof(cases) / sizeof(*cases)))

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

/* ---- reading values back, from docs/kafka.md alone */

/* ISO 8601 knows a year 0 and signs. */
static const char make_iso[] =
    "CREATE FUNCTION iso(t text) RETURNS text LANGUAGE sql AS $$ SELECT CASE"
    " WHEN t ~ '^-?[0-9]+-' AND (t LIKE '-%' OR t LIKE '0000-%') THEN"
    "  lpad((1 + substring(t, '^-?([0-9]+)')::int)::text, 4, '0') ||"
    "  substring(t, '^-?[0-9]+(.*)$') || ' BC' ELSE ltrim(t, '+') END $$";

static const char make_numbers[] =
    "CREATE FUNCTION unscaled(b bytea, scale int) RETURNS text LANGUAGE plpgsql AS $$"
    " DECLARE n numeric := 0; part bytea; BEGIN"
    " FOR i IN 0..(length(b) - 1) / 6 LOOP part := substr(b, i * 6 + 1, 6);"
    "  n := n * (256::numeric ^ length(part))::numeric(20, 0) +"
    "   ('x' || lpad(encode(part, 'hex'), 16, '0'))::bit(64)::bigint; END LOOP;"
    " IF get_byte(b, 0) > 127 THEN n := n - trunc(256::numeric ^ length(b)); END IF;"
    " RETURN CASE WHEN scale > 0 THEN round(n * ('1e-' || scale)::numeric, scale)"
    "  ELSE n * ('1e' || -scale)::numeric END; END $$;"
    "CREATE FUNCTION scale_of(type text) RETURNS int LANGUAGE sql AS $$"
    " SELECT coalesce(substring(type, ',(-?[0-9]+)')::int, 2) $$;"
    "CREATE FUNCTION bits(b bytea) RETURNS text LANGUAGE sql AS $$"
    " SELECT coalesce(string_agg(get_byte(b, i)::bit(8)::text, '' ORDER BY i DESC), '')"
    " FROM generate_series(0, length(b) - 1) i $$";

static const char make_times[] =
    "CREATE FUNCTION span(us bigint) RETURNS interval LANGUAGE sql AS $$"
    " SELECT us / 1000000 * interval '1 second' + us % 1000000 * interval '1 us' $$;"
    "CREATE FUNCTION day(n bigint) RETURNS text LANGUAGE sql AS $$ SELECT CASE n"
    " WHEN 2147483647 THEN 'infinity' WHEN -2147483648 THEN '-infinity'"
    " ELSE (date '1970-01-01' + n::int)::text END $$;"
    "CREATE FUNCTION moment(us bigint) RETURNS text LANGUAGE sql AS $$ SELECT CASE us"
    " WHEN 9223372036825200000 THEN 'infinity' WHEN -9223372036832400000 THEN '-infinity'"
    " ELSE (timestamp 'epoch' + us / 86400000000 * interval '1 day' +"
    "  span(us % 86400000000))::text END $$;"
    "CREATE FUNCTION parts(j json) RETURNS text LANGUAGE sql AS $$"
    " SELECT coalesce(string_agg(value || ' ' || key, ' '), '0') FROM json_each_text(j) WHERE key "
    "<> 'valid' $$";

static const char make_pairs[] =
    "CREATE FUNCTION pairs(j json) RETURNS text LANGUAGE sql AS $$"
    " SELECT coalesce(hstore(array_agg(key), array_agg(value)), '')::text"
    " FROM json_each_text(j) $$";

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
