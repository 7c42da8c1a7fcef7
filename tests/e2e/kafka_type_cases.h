/*
 * kafka_type_cases - every type's values, and how each format's are read back
 *
 * Written from docs/kafka.md alone. A form is SQL that makes of a JSON value
 * what the type takes as input; the functions that it calls (make_...) are to
 * be made before.
 */
#ifndef PEERD_E2E_KAFKA_TYPE_CASES_H
#define PEERD_E2E_KAFKA_TYPE_CASES_H

#include <stddef.h>

#define VALUES_MAX 12

/* Value formats, as far as they differ. */
enum {
	PEERDB,
	PLAIN,
	DEBEZIUM,
	SCHEMAS,
	FORMATS
};

/* ---- functions of the source that forms call */

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

#endif
