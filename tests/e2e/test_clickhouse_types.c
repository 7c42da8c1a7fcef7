/*
 * Every type arrives in ClickHouse as it left Postgres, in the snapshot and as a
 * change, in binary and as text.
 *
 * Neither side asks peerd: what Postgres prints of a value is compared with what
 * ClickHouse prints, both brought to one form by SQL (struct form), as
 * hexadecimal digits. Each type has a table with the values singly, arrays of
 * them with a NULL inside, empty and of two dimensions. The rows of its snapshot
 * come again as changes, with ids of their own; then every row is updated
 * beside its values, so that large ones are not sent again.
 */
#include "tests/harness/chrig.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS	   60000
#define VALUES_MAX 14
#define COPIES_AT  1000 /* id of a change = id of the snapshot's row + this */
#define EAGER	   "'env': {'PEERD_CLICKHOUSE_FLUSH_SECONDS': '0'}"

/* ---- one form for both sides; @ is the value */

struct form {
	const char *postgres, *clickhouse;
	bool is_text_long_ago; /* the old server has a String of what Postgres prints */
};

#define UTC_FORM(moment) "to_char(" moment ", 'YYYY-MM-DD HH24:MI:SS.US')"
#define PART(name, field, type) \
	"'\"" name "\":' || nullif(trim_scale(extract(" field " FROM @)::" type "), 0)"

static const struct form as_printed = { "format('%s', @)", "toString(@)", false };
static const struct form truth = { "(@)::int::text", "toString(toUInt8(@))", false };
static const struct form floating = {
	"replace(replace(lower(format('%s', @)), 'infinity', 'inf'), 'e+', 'e')",
	"toString(@)",
	false,
};
/* Decimals have no zeros at the end. */
static const struct form exact = {
	"trim_scale(@)::text",
	"replaceRegexpOne(replaceRegexpOne(toString(@), '([.][0-9]*?)0+$', '\\\\1'), '[.]$', '')",
	false,
};
static const struct form bytes = { "encode(@, 'hex')", "lower(hex(@))", false };
static const struct form one_byte = { "(@)::text", "replaceAll(toString(@), '\\0', '')", false };
static const struct form time_of_day = {
	UTC_FORM("timestamp '1970-01-01' + (@ - time '00:00')"),
	"toString(@)",
	true,
};
static const struct form moment = { UTC_FORM("@"), "toString(@)", true };
static const struct form moment_of_zone = { UTC_FORM("@ AT TIME ZONE 'UTC'"), "toString(@)", true };
static const struct form duration = {
	"'{' || concat_ws(',', " PART("hours", "hour", "numeric") ", " PART("minutes", "minute",
	    "numeric") ", " PART("seconds", "second", "numeric") ", " PART("days", "day",
	    "numeric") ", " PART("months", "month", "numeric") ", " PART("years", "year",
	    "numeric") ", '\"valid\":true') || '}'",
	"toString(@)",
	false,
};
static const struct form place = {
	"format('POINT(%s %s)', (@)[0], (@)[1])",
	"toString(@)",
	false,
};
static const struct form pairs = {
	"(SELECT '{' || coalesce(string_agg(to_json(key) || ':' || coalesce(to_json(value)::text, "
	"'null'), ',' ORDER BY key COLLATE \"C\"), '') || '}' FROM each(@))",
	"toString(@)",
	false,
};
static const struct form list_as_json = { "array_to_json(@)::text", "toString(@)", false };

/* ---- types and their values */

enum shape {
	WITH_ARRAYS,
	ALONE,	     /* no arrays of it */
	JSON_ARRAYS, /* arrays are one text */
	IS_ARRAY,
};

struct type_case {
	const char *type;
	const struct form *form;
	enum shape shape;
	const char *values[VALUES_MAX]; /* SQL expressions; NULL ends */
	const char *modern[VALUES_MAX]; /* more, which the old server cannot hold */
};

#define DIGITS(n) "repeat('1234567890', 120)::char(" #n ")::text"
#define MEGABYTE  "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 32768) i)"

/* clang-format off */
static const struct type_case numbers[] = {
	{ "bool", &truth, WITH_ARRAYS, { "true", "false" }, { NULL } },
	{ "int2", &as_printed, WITH_ARRAYS, { "-32768", "32767", "0" }, { NULL } },
	{ "int4", &as_printed, WITH_ARRAYS, { "-2147483648", "2147483647", "0" }, { NULL } },
	{ "int8", &as_printed, WITH_ARRAYS, { "-9223372036854775808", "9223372036854775807" }, { NULL } },
	{ "float4", &floating, WITH_ARRAYS, { "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "1e-45",
	    "3.4028235e38", "0.1", "-1.5" }, { NULL } },
	{ "float8", &floating, WITH_ARRAYS, { "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "4.9e-324",
	    "1.7976931348623157e308", "0.1", "123456789.12345679" }, { NULL } },
	{ "numeric", &exact, WITH_ARRAYS, { "0", "0.000", "-1", "10000.00010000", "0.5",
	    "99999999999999999999999999999999999999.99999999999999999999999999999999999999",
	    "-99999999999999999999999999999999999999.99999999999999999999999999999999999999",
	    "1e-38", "-1e37", "12345678901234567890.1234567890" }, { NULL } },
	{ "numeric(9,2)", &exact, WITH_ARRAYS, { "9999999.99", "-9999999.99", "-0.01", "0" }, { NULL } },
	{ "numeric(18,18)", &exact, WITH_ARRAYS, { "0.999999999999999999", "-0.000000000000000001" }, { NULL } },
	{ "numeric(38,0)", &exact, WITH_ARRAYS, { "12345678901234567890", "-1" },
	    /* toString() of so many digits runs over its buffer in 18.16 */
	    { "99999999999999999999999999999999999999", "-99999999999999999999999999999999999999" } },
	{ "numeric(5,-2)", &exact, WITH_ARRAYS, { "1234500", "-9999900" }, { NULL } },
	{ "numeric(2,5)", &exact, WITH_ARRAYS, { "0.00099", "-0.00001" }, { NULL } },
	{ "numeric(76,20)", &exact, WITH_ARRAYS, { DIGITS(56) "::numeric", "-0.00000000000000000001" }, { NULL } },
	{ "numeric(100,50)", &as_printed, WITH_ARRAYS, { DIGITS(50) "::numeric", "'NaN'", "-0.5" }, { NULL } },
	{ "oid", &as_printed, WITH_ARRAYS, { "4294967295", "0" }, { NULL } },
	{ "xid", &as_printed, WITH_ARRAYS, { "'4294967295'" }, { NULL } },
};

static const struct type_case texts[] = {
	{ "text", &as_printed, WITH_ARRAYS, { "''", "'é漢字😀'", "E'tab\\t nl\\n cr\\r back\\\\ quote'' \" \\b\\f\\v'",
	    "'\\N'", "'\\.'", "E'\\x01\\x7f'", "'{a,\"b\"}'", "'NULL'", "'null'", "'  '" }, { NULL } },
	{ "varchar", &as_printed, WITH_ARRAYS, { "'  blanks  '", "''" }, { NULL } },
	{ "varchar(5)", &as_printed, WITH_ARRAYS, { "'ééééé'", "''" }, { NULL } },
	{ "char(5)", &as_printed, WITH_ARRAYS, { "'ab'", "'ééééé'", "''" }, { NULL } },
	{ "name", &as_printed, WITH_ARRAYS, { "'n'", "repeat('é', 31)", "''" }, { NULL } },
	{ "\"char\"", &one_byte, WITH_ARRAYS, { "'a'", "''", "'\"'", "'\\'" }, { NULL } },
	{ "citext", &as_printed, WITH_ARRAYS, { "'MiXed'", "''" }, { NULL } },
	{ "bytea", &bytes, WITH_ARRAYS, { "''", "'\\x00ff5c270a'", "decode(repeat('00ff', 5000), 'hex')" }, { NULL } },
	{ "uuid", &as_printed, WITH_ARRAYS, { "'00000000-0000-0000-0000-000000000000'",
	    "'01234567-89ab-cdef-fedc-ba9876543210'" }, { NULL } },
	{ "json", &as_printed, JSON_ARRAYS, { "'{\"a\" :  1, \"a\":2 }'", "' [1,2 ]'", "'1e1000'", "'\"\\u0000\"'",
	    "'null'", "('1' || repeat('0', 1000))::json", "('0.' || repeat('7', 1001))::json", "'\"<&>\\\\\"'" }, { NULL } },
	{ "jsonb", &as_printed, JSON_ARRAYS, { "'{\"b\":1,\"aa\":[2,null]}'", "'1e1000'", "'null'", "'[]'",
	    "'\"\\u00e9\"'", "('1' || repeat('0', 1000))::jsonb", "('0.' || repeat('7', 1001))::jsonb" }, { NULL } },
	{ "mood", &as_printed, WITH_ARRAYS, { "'sad'", "'hap py'", "'quo\"te'", "'ünï'" }, { NULL } },
	{ "hstore", &pairs, WITH_ARRAYS, { "'a=>1, \"b c\"=>NULL, \"quo\\\"te\"=>\"x\\\\y\"'", "''" }, { NULL } },
	{ "bit(13)", &as_printed, WITH_ARRAYS, { "B'1010101010101'" }, { NULL } },
	{ "varbit", &as_printed, WITH_ARRAYS, { "B''", "B'1'", "B'101010101010101010'" }, { NULL } },
	{ "inet", &as_printed, WITH_ARRAYS, { "'::1'", "'10.0.0.1/8'", "'::ffff:1.2.3.4/128'", "'0.0.0.0/0'" }, { NULL } },
	{ "cidr", &as_printed, WITH_ARRAYS, { "'10.0.0.0/8'", "'2001:db8::/32'" }, { NULL } },
	{ "macaddr", &as_printed, WITH_ARRAYS, { "'08:00:2b:01:02:03'" }, { NULL } },
	{ "macaddr8", &as_printed, WITH_ARRAYS, { "'08:00:2b:01:02:03:04:05'" }, { NULL } },
};

static const struct type_case times[] = {
	{ "date", &as_printed, WITH_ARRAYS, { "'1970-01-02'", "'2000-02-29'", "'2105-12-31'" },
	    { "'1900-01-01'", "'1969-12-31'", "'2299-12-31'" } },
	{ "time", &time_of_day, WITH_ARRAYS, { "'00:00'", "'24:00:00'", "'23:59:59.999999'", "'12:34:56.7'" }, { NULL } },
	{ "time(0)", &time_of_day, WITH_ARRAYS, { "'23:59:59'" }, { NULL } },
	{ "timetz", &as_printed, WITH_ARRAYS, { "'24:00:00-15:59:59'", "'00:00+15:59:59'", "'09:25:00+03'" }, { NULL } },
	{ "timestamp", &moment, WITH_ARRAYS, { "'1970-01-01'", "'1999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.5'",
	    "'1900-01-01'", "'2299-12-31 23:59:59.999999'", "'2026-03-29 02:30:00'" }, { NULL } },
	{ "timestamp(3)", &moment, WITH_ARRAYS, { "'2026-01-02 03:04:05.678'" }, { NULL } },
	{ "timestamptz", &moment_of_zone, WITH_ARRAYS, { "'1970-01-01 00:00:00+14'", "'1900-01-01 00:00:00+00'",
	    "'2299-12-31 23:59:59.999999+00'", "'2026-03-29 02:30:00.000001-11'" }, { NULL } },
	{ "interval", &duration, WITH_ARRAYS, { "'5 years 2 months 29 days 1 minute 2.22 seconds'", "'0'",
	    "'178000000 years'", "'-178000000 years'", "'1 mon -1 day 00:00:00.000001'", "'-2147483648 days'",
	    "'13 months 40 days 30:00:00'", "'-00:00:00.5'" }, { NULL } },
	{ "interval year to month", &duration, WITH_ARRAYS, { "'3 years 4 months'" }, { NULL } },
};

/* At least 2 kB each after compression, so that they are stored apart. */
static const struct type_case large[] = {
	{ "text", &as_printed, ALONE, { MEGABYTE, "repeat('x', 3000000)", "''" }, { NULL } },
	{ "bytea", &bytes, ALONE, { "convert_to(" MEGABYTE ", 'UTF8')" }, { NULL } },
	{ "json", &as_printed, ALONE, { "to_json(" MEGABYTE ")" }, { NULL } },
	{ "jsonb", &as_printed, ALONE, { "jsonb_build_array(" MEGABYTE ", 1e1000, NULL)" }, { NULL } },
	{ "text[] NOT NULL", &as_printed, IS_ARRAY, { "ARRAY[" MEGABYTE ", NULL, '']",
	    "(SELECT array_agg(md5(i::text)) FROM generate_series(1, 10000) i)" }, { NULL } },
	{ "numeric(1000,0)", &as_printed, ALONE, { DIGITS(1000) "::numeric" }, { NULL } },
};

/* Columns that are read as text. */
static const struct type_case others[] = {
	{ "money", &as_printed, WITH_ARRAYS, { "'-92233720368547758.08'", "'92233720368547758.07'", "0" }, { NULL } },
	{ "xml", &as_printed, WITH_ARRAYS, { "'<a b=\"1\">&lt;é</a>'", "'text only'" }, { NULL } },
	{ "jsonpath", &as_printed, WITH_ARRAYS, { "'$.a[*] ? (@ > 1)'", "'strict $'" }, { NULL } },
	{ "point", &place, WITH_ARRAYS, { "'(1.5,-2)'", "'(0.1,1e-7)'", "'(NaN,Infinity)'" }, { NULL } },
	{ "lseg", &as_printed, WITH_ARRAYS, { "'[(0,0),(1,1)]'" }, { NULL } },
	{ "line", &as_printed, WITH_ARRAYS, { "'{1,-1,0}'" }, { NULL } },
	{ "path", &as_printed, WITH_ARRAYS, { "'[(0,0),(1,1),(2,0)]'", "'((0,0),(1,1),(2,0))'" }, { NULL } },
	{ "box", &as_printed, WITH_ARRAYS, { "'(1,1),(0,0)'", "'(Infinity,1),(0,-Infinity)'" }, { NULL } },
	{ "polygon", &as_printed, WITH_ARRAYS, { "'((0,0),(1,1),(2,0))'" }, { NULL } },
	{ "circle", &as_printed, WITH_ARRAYS, { "'<(0,0),0>'", "'<(1,2),3.5>'" }, { NULL } },
	{ "tsvector", &as_printed, WITH_ARRAYS, { "''", "'''a b'':1A,2B c'" }, { NULL } },
	{ "tsquery", &as_printed, WITH_ARRAYS, { "''", "'a & !b <2> c:*A'", "'''q u'' | b'" }, { NULL } },
	{ "pg_lsn", &as_printed, WITH_ARRAYS, { "'FFFFFFFF/FFFFFFFF'", "'0/0'" }, { NULL } },
	{ "txid_snapshot", &as_printed, WITH_ARRAYS, { "'10:20:10,14,15'" }, { NULL } },
	{ "pg_snapshot", &as_printed, WITH_ARRAYS, { "'10:20:10,14,15'" }, { NULL } },
	{ "xid8", &as_printed, WITH_ARRAYS, { "'18446744073709551615'" }, { NULL } },
	{ "tid", &as_printed, WITH_ARRAYS, { "'(4294967295,65535)'" }, { NULL } },
	{ "int2vector", &as_printed, ALONE, { "'1 -2 3'", "''" }, { NULL } },
	{ "regtype", &as_printed, WITH_ARRAYS, { "'integer'", "'text'" }, { NULL } },
};

static const struct type_case ranges[] = {
	{ "int4range", &as_printed, WITH_ARRAYS, { "'empty'", "'(,)'", "'[1,10)'" }, { NULL } },
	{ "int8range", &as_printed, WITH_ARRAYS, { "'[-9223372036854775808,9223372036854775807)'" }, { NULL } },
	{ "numrange", &as_printed, WITH_ARRAYS, { "'(,Infinity]'", "'[NaN,NaN]'", "'(0.10,1.20]'" }, { NULL } },
	{ "tsrange", &as_printed, WITH_ARRAYS, { "'[-infinity,\"2026-01-01 00:00:00\"]'", "'empty'" }, { NULL } },
	{ "tstzrange", &as_printed, WITH_ARRAYS, { "'[\"2026-01-01 00:00:00+00\",)'" }, { NULL } },
	{ "daterange", &as_printed, WITH_ARRAYS, { "'[2026-01-01,2026-02-01)'", "'(,infinity)'" }, { NULL } },
	{ "int4multirange", &as_printed, WITH_ARRAYS, { "'{}'", "'{[1,3),[5,)}'" }, { NULL } },
	{ "nummultirange", &as_printed, WITH_ARRAYS, { "'{[0.1,0.2],(1,2)}'" }, { NULL } },
	{ "tstzmultirange", &as_printed, WITH_ARRAYS, { "'{(,\"2026-01-01 00:00:00+00\")}'" }, { NULL } },
	{ "floatrange", &as_printed, WITH_ARRAYS, { "'[0.1,Infinity)'", "'empty'" }, { NULL } },
};

static const struct type_case of_users[] = {
	{ "\"Other Schema\".\"Odd Type\"", &as_printed, WITH_ARRAYS, { "'x'", "'Y y'" }, { NULL } },
	{ "posint", &as_printed, WITH_ARRAYS, { "1", "2147483647" }, { NULL } },
	{ "cents", &exact, WITH_ARRAYS, { "0.01", "99999999.99" }, { NULL } },
	{ "deep", &as_printed, WITH_ARRAYS, { "5" }, { NULL } },
	{ "moods NOT NULL", &as_printed, IS_ARRAY, { "'{ok,NULL,\"hap py\"}'", "'{}'" }, { NULL } },
	{ "pair", &as_printed, WITH_ARRAYS, { "ROW(1, 'x,\"y\" (z)', 'ok')", "ROW(NULL, NULL, NULL)",
	    "ROW(2, '', 'ünï')" }, { NULL } },
	{ "nest", &as_printed, WITH_ARRAYS, { "ROW(ROW(1, 'in', 'sad'), ARRAY['ok', NULL]::mood[], 3, "
	    "ARRAY[ROW(1,'a','ok')]::pair[])" }, { NULL } },
};
/* clang-format on */

#define GROUP(list) #list, list, sizeof(list) / sizeof(*(list))

static const struct group {
	const char *name;
	const struct type_case *cases;
	size_t n;
} groups[] = {
	{ GROUP(numbers) },
	{ GROUP(texts) },
	{ GROUP(times) },
	{ GROUP(large) },
	{ GROUP(others) },
	{ GROUP(ranges) },
	{ GROUP(of_users) },
};

#define GROUPS	      7
#define BINARY_GROUPS 4 /* the first ones: every column of them may travel in binary */

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
	    "CREATE TYPE floatrange AS RANGE (subtype = float8)");
}

/* ---- tables and rows */

static bool
has_arrays(const struct type_case *k)
{
	return k->shape == WITH_ARRAYS || k->shape == JSON_ARRAYS;
}

static void
create_table(const struct type_case *k, int i)
{
	on_source("CREATE TABLE type_%d (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, v %s)", i,
	    k->type);
	if (has_arrays(k))
		on_source("ALTER TABLE type_%d ADD a %s[] NOT NULL DEFAULT '{}', "
			  "ADD m %s[][] NOT NULL DEFAULT '{}'",
		    i, k->type, k->type);
}

static void
insert_arrays(const struct type_case *k, int i, int id, const char *list)
{
	on_source("INSERT INTO type_%d (id, a) VALUES (%d, ARRAY[%s]::%s[])", i, id, list, k->type);
	on_source("INSERT INTO type_%d (id, a, m) SELECT %d, a, ARRAY[a, a] FROM type_%d "
		  "WHERE id = %d",
	    i, id + 1, i, id);
	on_source("INSERT INTO type_%d (id, m) VALUES (%d, "
		  "array_fill(CAST(%s AS %s), ARRAY[2,3], ARRAY[-1,3])::%s[])",
	    i, id + 2, k->values[0], k->type, k->type);
}

static void
insert_rows(const struct type_case *k, int i)
{
	char *list = text("NULL");
	int id = 1;

	for (int set = 0; set < 2; set++) {
		const char *const *values = set == 0 ? k->values : k->modern;

		for (; *values != NULL && (set == 0 || chrig.kind == CH_CURRENT); values++) {
			on_source("INSERT INTO type_%d (id, v) VALUES (%d, %s)", i, id++, *values);
			list = text("%s, CAST(%s AS %s)", list, *values, k->type);
		}
	}
	if (k->shape != IS_ARRAY)
		on_source("INSERT INTO type_%d (id) VALUES (%d)", i, id++);
	if (has_arrays(k))
		insert_arrays(k, i, id, list);
}

/* The rows once more: peerd sees them as changes. */
static void
repeat_rows(const struct type_case *k, int i)
{
	const char *columns = has_arrays(k) ? "v, a, m" : "v";

	on_source("INSERT INTO type_%d (id, %s) SELECT id + %d, %s FROM type_%d", i, columns,
	    COPIES_AT, columns, i);
}

/* ---- what both sides print */

/* A form with its value in place of every @. */
static char *
filled(const char *form, const char *value)
{
	char *all = text("%s", "");
	size_t n;

	for (; *form != '\0'; form += n + (form[n] == '@')) {
		n = strcspn(form, "@");
		all = text("%s%.*s%s", all, (int)n, form, form[n] == '@' ? value : "");
	}
	return all;
}

static char *
hex_of_postgres(const struct form *f, const char *value)
{
	const char *form = chrig.kind == CH_OLD && f->is_text_long_ago ? as_printed.postgres
								       : f->postgres;

	return text("CASE WHEN %s IS DISTINCT FROM NULL THEN encode(convert_to(%s, 'UTF8'), 'hex') "
		    "ELSE 'null' END",
	    value, filled(form, value));
}

static char *
hex_of_clickhouse(const struct form *f, const char *value)
{
	return text("ifNull(lower(hex(%s)), 'null')", filled(f->clickhouse, value));
}

static char *
array_of_postgres(const struct form *f, const char *array)
{
	return text("cardinality(%s) || ':' || coalesce((SELECT string_agg(%s, ',' ORDER BY i) "
		    "FROM generate_subscripts(%s, 1) i), '')",
	    array, hex_of_postgres(f, text("(%s)[i]", array)), array);
}

static char *
array_of_clickhouse(const struct form *f, const char *array)
{
	return text(
	    "concat(toString(length(%s)), ':', arrayStringConcat(arrayMap(e -> %s, %s), ','))",
	    array, hex_of_clickhouse(f, "e"), array);
}

static char *
matrix_of_postgres(const struct form *f, const char *array)
{
	return text("coalesce(array_length(%s, 1), 0) || 'x' || coalesce(array_length(%s, 2), 0) "
		    "|| ':' || coalesce((SELECT string_agg(%s, ',' ORDER BY i, j) FROM "
		    "generate_subscripts(%s, 1) i, generate_subscripts(%s, 2) j), '')",
	    array, array, hex_of_postgres(f, text("(%s)[i][j]", array)), array, array);
}

static char *
matrix_of_clickhouse(const struct form *f, const char *array)
{
	return text("concat(toString(length(%s)), 'x', toString(length(%s[1])), ':', "
		    "arrayStringConcat(arrayMap(l -> arrayStringConcat(arrayMap(e -> %s, l), ','), "
		    "%s), ','))",
	    array, array, hex_of_clickhouse(f, "e"), array);
}

static char *
columns_of_postgres(const struct type_case *k)
{
	if (k->shape == IS_ARRAY)
		return array_of_postgres(k->form, "v");
	if (k->shape == JSON_ARRAYS)
		return text("%s, %s, %s", hex_of_postgres(k->form, "v"),
		    hex_of_postgres(&list_as_json, "a"), hex_of_postgres(&list_as_json, "m"));
	if (k->shape == ALONE)
		return hex_of_postgres(k->form, "v");
	return text("%s, %s, %s", hex_of_postgres(k->form, "v"), array_of_postgres(k->form, "a"),
	    matrix_of_postgres(k->form, "m"));
}

static char *
columns_of_clickhouse(const struct type_case *k)
{
	if (k->shape == IS_ARRAY)
		return array_of_clickhouse(k->form, "v");
	if (k->shape == JSON_ARRAYS)
		return text("%s, %s, %s", hex_of_clickhouse(k->form, "v"),
		    hex_of_clickhouse(&list_as_json, "a"), hex_of_clickhouse(&list_as_json, "m"));
	if (k->shape == ALONE)
		return hex_of_clickhouse(k->form, "v");
	return text("%s, %s, %s", hex_of_clickhouse(k->form, "v"),
	    array_of_clickhouse(k->form, "a"), matrix_of_clickhouse(k->form, "m"));
}

/* That all rows are there is found out first, which is cheaper to ask again and again. */
static void
expect_equal_values(const struct type_case *k, int i)
{
	chrig_expect_equal(text("SELECT count(*), sum(id), sum(n) FROM type_%d", i),
	    text("SELECT count(), sum(id), sum(n) FROM app.type_%d FINAL "
		 "WHERE _peerdb_is_deleted = 0",
		i),
	    WAIT_MS);
	chrig_expect_equal(
	    text("SELECT id, %s FROM type_%d ORDER BY id", columns_of_postgres(k), i),
	    text("SELECT id, %s FROM app.type_%d FINAL WHERE _peerdb_is_deleted = 0 ORDER BY id",
		columns_of_clickhouse(k), i),
	    0);
}

/* Whole values, as ClickHouse prints them by itself. */
static char *
rows_from(const struct type_case *k, int i, const char *which)
{
	return clickhouse_text(chrig.ch,
	    "SELECT id %% %d AS k, %s FROM app.type_%d FINAL WHERE id %s %d ORDER BY k", COPIES_AT,
	    has_arrays(k) ? "v, a, m" : "v", i, which, COPIES_AT);
}

static void
expect_snapshot_as_changes(const struct type_case *k, int i)
{
	const char *loaded = rows_from(k, i, "<");

	ck_assert_str_ne(loaded, "");
	if (strcmp(loaded, rows_from(k, i, ">=")) != 0)
		test_fail("%s: rows of the snapshot:\n%.1000s\nthe same as changes:\n%.1000s",
		    k->type, loaded, rows_from(k, i, ">="));
}

/* ---- a group */

static void
create_tables(const struct group *g)
{
	make_user_types();
	/* the session that prints shall print as peerd's does */
	on_source("SET TimeZone = 'UTC'; SET lc_monetary = 'C'");
	for (size_t i = 0; i < g->n; i++) {
		create_table(&g->cases[i], (int)i);
		insert_rows(&g->cases[i], (int)i);
	}
}

static char *
tables_of(const struct group *g)
{
	char *tables = text("public.type_0:type_0");

	for (size_t i = 1; i < g->n; i++)
		tables = text("%s,public.type_%zu:type_%zu", tables, i, i);
	return tables;
}

static void
carry(const struct group *g, const char *more_tables)
{
	int n = (int)g->n;

	create_tables(g);
	mirror_run("types", text("%s%s", tables_of(g), more_tables), EAGER);
	for (int i = 0; i < n; i++)
		expect_equal_values(&g->cases[i], i);
	for (int i = 0; i < n; i++)
		repeat_rows(&g->cases[i], i);
	for (int i = 0; i < n; i++)
		expect_equal_values(&g->cases[i], i);
	for (int i = 0; i < n; i++)
		expect_snapshot_as_changes(&g->cases[i], i);
	for (int i = 0; i < n; i++)
		on_source("UPDATE type_%d SET n = id + 7", i);
	for (int i = 0; i < n; i++)
		expect_equal_values(&g->cases[i], i);
}

START_TEST(values_arrive_in_binary)
{
	carry(&groups[_i], "");
}
END_TEST

/* One column without a binary form makes the stream of the whole mirror text. */
START_TEST(values_arrive_as_text)
{
	on_source("CREATE TABLE makes_text (id int PRIMARY KEY, v money)");
	carry(&groups[_i], ",public.makes_text:makes_text");
}
END_TEST

/* ---- names */

#define ODD_TABLE  "we'ird \"T\\ `x"
#define ODD_COLUMN "sel'ect \"\\ `y\t"

START_TEST(odd_names_arrive)
{
	char *table = sql_ident(rig.s, ODD_TABLE), *column = sql_ident(rig.s, ODD_COLUMN);

	on_source("CREATE SCHEMA \"Odd Schema\"");
	on_source("CREATE TABLE \"Odd Schema\".%s (\"öß id\" int, %s text, \"order\" text, "
		  "PRIMARY KEY (\"öß id\", %s))",
	    table, column, column);
	on_source("INSERT INTO \"Odd Schema\".%s VALUES (1, 'one', 'snapshot')", table);
	mirror_run("names",
	    text("[%s]", mapping(text("\"Odd Schema\".%s", table), text("%s", table))), EAGER);
	on_source("INSERT INTO \"Odd Schema\".%s VALUES (2, 'two', 'change'), (3, 'three', NULL)",
	    table);
	on_source("UPDATE \"Odd Schema\".%s SET \"order\" = 'changed' WHERE \"öß id\" = 1", table);
	on_source("DELETE FROM \"Odd Schema\".%s WHERE \"öß id\" = 3", table);
	chrig_expect_equal(text("SELECT * FROM \"Odd Schema\".%s ORDER BY 1", table),
	    "SELECT `öß id`, `sel'ect \"\\\\ \\`y\\t`, `order` FROM app.`we'ird \"T\\\\ \\`x` "
	    "FINAL "
	    "WHERE _peerdb_is_deleted = 0 ORDER BY 1",
	    WAIT_MS);
}
END_TEST

static void
add_tests(TCase *tc, enum clickhouse_kind kind)
{
	suite_loop(tc, values_arrive_in_binary, 0, BINARY_GROUPS);
	suite_loop(tc, values_arrive_as_text, 0, GROUPS);
	suite_test(tc, odd_names_arrive);
}

int
main(void)
{
	return suite_main(chrig_suite("clickhouse types", add_tests));
}
