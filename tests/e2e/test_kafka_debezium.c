/*
 * debezium-json as Debezium's own software takes it: Kafka Connect's
 * JsonConverter reads the records, ExtractNewRecordState makes rows of them
 * (tests/debezium/Reader.java), and the rows are the source's. Schemas are as
 * Debezium documents them.
 *
 * A mirror each for what differs; they carry the same snapshot and changes.
 */
#include "tests/harness/api.h"
#include "tests/harness/debezium.h"
#include "tests/harness/fail.h"
#include "tests/harness/kafka.h"
#include "tests/harness/mirror.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS	    60000
#define PLACEHOLDER "__debezium_unavailable_value"

static struct kafka *kafka;

/* ---- columns of the table "typed" */

#define CONNECT(name)  "org.apache.kafka.connect.data." name
#define DEBEZIUM(name) "io.debezium." name

/* clang-format off */
static const struct {
	const char *type;
	const char *schema; /* as the reader prints it */
	const char *values[2];
} columns[] = {
	{ "smallint", "int16", { "-32768", "7" } },
	{ "integer", "int32", { "2147483647", "-7" } },
	{ "bigint", "int64", { "-9223372036854775808", "9007199254740993" } },
	{ "oid", "int64", { "4294967295", "0" } },
	{ "real", "float32", { "0.1", "3.4028235e38" } },
	{ "double precision", "float64", { "0.1", "-4.9e-324" } },
	{ "boolean", "boolean", { "true", "false" } },
	{ "numeric(20,5)", "bytes " CONNECT("Decimal") " {scale=5, connect.decimal.precision=20}",
	    { "-123456789012345.00010", "0" } },
	{ "numeric(5,-2)", "bytes " CONNECT("Decimal") " {scale=-2, connect.decimal.precision=5}",
	    { "1234500", "-100" } },
	{ "numeric", "struct " DEBEZIUM("data.VariableScaleDecimal"),
	    { "123456789012345678901234567890.10", "-1e-30" } },
	{ "text", "string", { "E'tab\\t \\\" \\\\ é漢😀'", "''" } },
	{ "varchar(20)", "string", { "'null'", "'  blanks  '" } },
	{ "char(5)", "string", { "'ab'", "'ééééé'" } },
	{ "mood", "string", { "'hap py'", "'sad'" } },
	{ "inet", "string", { "'10.0.0.1/8'", "'::1'" } },
	{ "bytea", "bytes", { "'\\x00ff5c270a'", "''" } },
	{ "date", "int32 " DEBEZIUM("time.Date"), { "'2024-02-29'", "'0001-01-01'" } },
	{ "time", "int64 " DEBEZIUM("time.MicroTime"), { "'23:59:59.999999'", "'00:00'" } },
	{ "time(3)", "int32 " DEBEZIUM("time.Time"), { "'13:01:02.5'", "'00:00:00.001'" } },
	{ "timetz", "string " DEBEZIUM("time.ZonedTime"), { "'09:25:00+03'", "'00:00:00.000001-08:30'" } },
	{ "timestamp", "int64 " DEBEZIUM("time.MicroTimestamp"),
	    { "'2024-02-29 13:01:02.123456'", "'1901-12-31 23:59:59.999999'" } },
	{ "timestamp(3)", "int64 " DEBEZIUM("time.Timestamp"),
	    { "'2024-02-29 13:01:02.123'", "'1901-12-31 23:59:59.999'" } },
	{ "timestamptz", "string " DEBEZIUM("time.ZonedTimestamp"),
	    { "'2024-02-29 13:01:02.5+02'", "'1901-12-31 23:59:59.999999-08'" } },
	{ "interval", "string " DEBEZIUM("time.Interval"),
	    { "'1 year 2 mons -3 days 04:05:06.789'", "'-00:00:01'" } },
	{ "uuid", "string " DEBEZIUM("data.Uuid"), { "'2f1c5e0b-9a7d-4c33-8000-0123456789ab'", "NULL" } },
	{ "jsonb", "string " DEBEZIUM("data.Json"),
	    { "'{\"a\": [1, null, \"x\\\"y\"], \"n\": 12345678901234567890.10}'", "'\"text\"'" } },
	{ "xml", "string " DEBEZIUM("data.Xml"), { "'<a b=\"1\">&lt;é</a>'", "'text only'" } },
	{ "bit(13)", "bytes " DEBEZIUM("data.Bits") " {length=13}", { "B'1010101010101'", "B'0000000000001'" } },
	{ "point", "struct " DEBEZIUM("data.geometry.Point"), { "'(1.5,-2)'", "'(0.1,1e300)'" } },
	{ "int[]", "array of int32", { "'{1,NULL,-3}'", "'{}'" } },
	{ "text[]", "array of string", { "'{\"a,b\",NULL,\"NULL\",\"q\\\"\"}'", "'{x}'" } },
	{ "text[][]", "array of array of string", { "'{{a,b},{c,NULL}}'", "'{}'" } },
	{ "bool[]", "array of boolean", { "'{t,f}'", "NULL" } },
	{ "numeric(10,2)[]", "array of bytes " CONNECT("Decimal") " {scale=2, connect.decimal.precision=10}",
	    { "'{12.50,NULL,-0.01}'", "'{}'" } },
	{ "timestamptz[]", "array of string " DEBEZIUM("time.ZonedTimestamp"),
	    { "'{2024-02-29 13:01:02.5+02}'", "'{NULL}'" } },
	{ "date[]", "array of int32 " DEBEZIUM("time.Date"), { "'{2024-02-29,1969-12-31}'", "'{}'" } },
};
/* clang-format on */

#define COLUMNS ((int)(sizeof(columns) / sizeof(*columns)))

/* Behind the key's: one of each column's values, or NULLs. */
static char *
values(int which)
{
	char *all = text("%s", "");

	for (int i = 0; i < COLUMNS; i++)
		all = text("%s, %s", all, which < 2 ? columns[i].values[which] : "NULL");
	return all;
}

static void
create_typed(void)
{
	char *all = text("%s", "");

	for (int i = 0; i < COLUMNS; i++)
		all = text("%s, c%d %s", all, i, columns[i].type);
	on_source("CREATE TYPE mood AS ENUM ('sad', 'hap py')");
	on_source("CREATE TABLE typed (id int PRIMARY KEY%s)", all);
	for (int i = 0; i < 3; i++)
		on_source("INSERT INTO typed VALUES (%d%s)", i + 1, values(i));
}

/* Rows of 1, 2, 3 are in the snapshot. */
static void
change_typed(void)
{
	on_source("BEGIN; INSERT INTO typed VALUES (4%s);"
		  " UPDATE typed SET c0 = c0 + 1, c1 = NULL WHERE id = 2; COMMIT",
	    values(0));
	on_source("UPDATE typed SET id = 11 WHERE id = 1");
	on_source("DELETE FROM typed WHERE id = 3");
}

/* ---- mirrors */

static const struct {
	const char *name;
	const char *tables;
	const char *env;
} mirrors[] = {
	{ "plain", "public.typed,public.simple", "'PEERD_KAFKA_TOMBSTONES': 'true'" },
	{ "schemas", "public.typed,public.wide",
	    "'PEERD_KAFKA_SCHEMAS': 'true', 'PEERD_KAFKA_TOMBSTONES': 'true',"
	    " 'PEERD_KAFKA_CONTROL': 'truncate', 'PEERD_KAFKA_TRANSACTION_TOPIC': '{mirror}.tx'" },
	{ "connect", "public.calendar",
	    "'PEERD_KAFKA_SCHEMAS': 'true', 'PEERD_KAFKA_TIMES': 'connect',"
	    " 'PEERD_KAFKA_DECIMALS': 'string'" },
};

#define MIRRORS ((int)(sizeof(mirrors) / sizeof(*mirrors)))

static void
create_wide(void)
{
	on_source("CREATE TABLE wide (id int PRIMARY KEY, n int, t text, b bytea, j jsonb,"
		  " ts text[], tm text[][], i int[], l bigint[], d date[])");
	for (const char *column = "tbj"; *column != '\0'; column++)
		on_source("ALTER TABLE wide ALTER %c SET STORAGE EXTERNAL", *column);
	on_source("ALTER TABLE wide ALTER ts SET STORAGE EXTERNAL, ALTER tm SET STORAGE EXTERNAL,"
		  " ALTER i SET STORAGE EXTERNAL, ALTER l SET STORAGE EXTERNAL,"
		  " ALTER d SET STORAGE EXTERNAL");
	on_source("INSERT INTO wide SELECT 1, 0, s, s::bytea, to_jsonb(s), ARRAY[s], ARRAY[[s]],"
		  " array_fill(1, ARRAY[5000]), array_fill(1, ARRAY[5000]),"
		  " array_fill(date '2024-02-29', ARRAY[5000]) FROM repeat('x', 5000) s");
}

static void
debezium_init(void)
{
	rig_source_init();
	kafka = kafka_new("kafka", 1, KAFKA_FOR_TESTS);
	debezium_compile();
	rig_init();
	api_expect(200,
	    api_post("/peers/create",
		json("{'peer': {'name': 'dst', 'type': 'KAFKA', 'kafka_config': {'servers': "
		     "['%s'], 'disable_tls': true}}}",
		    kafka_servers(kafka, KAFKA_PLAIN))));
	create_typed();
	create_wide();
	on_source("CREATE TABLE simple (id int PRIMARY KEY, name text, ok bool, tags text[]);"
		  "INSERT INTO simple VALUES (1, 'é\"', true, '{a,NULL}'), (2, '', NULL, '{}')");
	on_source("CREATE TABLE calendar (id int PRIMARY KEY, d date, t time(3), ts timestamp(3),"
		  " n numeric);"
		  "INSERT INTO calendar VALUES (1, '2024-02-29', '13:01:02.5',"
		  " '1901-12-31 23:59:59.999', 1.50), (2, NULL, NULL, NULL, 'NaN')");
	for (int i = 0; i < MIRRORS; i++)
		mirror_run(mirrors[i].name, mirrors[i].tables,
		    text("'env': {'PEERD_KAFKA_FORMAT': 'debezium-json',"
			 " 'PEERD_KAFKA_TOPIC': '{mirror}.{table}', %s}",
			mirrors[i].env));
	change_typed();
	on_source("UPDATE wide SET n = 1; TRUNCATE wide");
	on_source("UPDATE simple SET id = 3 WHERE id = 1; DELETE FROM simple WHERE id = 2;"
		  " INSERT INTO simple VALUES (4, 'new', false, NULL)");
	on_source("DELETE FROM calendar WHERE id = 2; INSERT INTO calendar VALUES (3)");
	for (int i = 0; i < MIRRORS; i++)
		rig_wait_confirmed(mirrors[i].name, WAIT_MS);
}

static void
debezium_end(void)
{
	rig_done(); /* the mirrors are dropped: the broker is asked */
	debezium_done();
	kafka_free(&kafka);
	rig_clusters_done();
}

/* ---- what was read: a table of the source, "line", in the order of arrival */

static void
read_topic(const char *topic, const char *mode)
{
	char *rest = debezium_read(kafka, topic, mode), *line;

	sql_exec(rig.s, "CREATE TEMP TABLE got (at serial, line json)");
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			sql_exec(rig.s, "INSERT INTO got (line) VALUES (%s)",
			    sql_literal(rig.s, line));
}

/* A blank between lines, of each what the expression makes of it. */
static char *
each(const char *expression)
{
	return sql_text(rig.s,
	    "SELECT string_agg(%s, ' ' ORDER BY at) FROM got"
	    " WHERE line->'key' IS NOT NULL",
	    expression);
}

/* What a table has that keeps the last row of each key is what the source's has. */
static void
expect_rebuilt(const char *table)
{
	char *there = sql_text(rig.s,
	    "SELECT string_agg(r::text, E'\\n' ORDER BY (r).id) FROM ("
	    "SELECT json_populate_record(NULL::%s, line->'row') AS r FROM ("
	    "SELECT DISTINCT ON (line->'key'->>'id') line FROM got"
	    " WHERE line->'row' IS NOT NULL ORDER BY line->'key'->>'id', at DESC) last"
	    " WHERE line->>'row' IS NOT NULL AND line->'row'->>'__deleted' IS DISTINCT FROM "
	    "'true') x",
	    table);

	ck_assert_str_eq(there,
	    sql_text(rig.s, "SELECT string_agg(r::text, E'\\n' ORDER BY id) FROM %s r", table));
}

/* ---- */

START_TEST(columns_have_debeziums_schemas)
{
	char *there, *expected = text("%s", "");

	read_topic("schemas.typed", "tombstone");
	there = sql_text(rig.s,
	    "SELECT string_agg(c.value, E'\\n') FROM got,"
	    " json_each_text(line->'columns') c WHERE c.key <> 'id'");
	for (int i = 0; i < COLUMNS; i++)
		expected = text("%s%s%s", expected, i > 0 ? "\n" : "", columns[i].schema);
	ck_assert_str_eq(there, expected);
}
END_TEST

/* What becomes of each record: "-" it is dropped, "0" it is a tombstone. */
static const struct {
	const char *topic;
	const char *mode;
	const char *rows; /* the op each, "~" of a tombstone */
} modes[] = {
	{ "schemas.typed", "tombstone", "r r r c u d0 ~- c d0 ~-" },
	{ "schemas.typed", "rewrite", "r r r c u d ~- c d ~-" },
	{ "schemas.typed", "rewrite-with-tombstone", "r r r c u d ~0 c d ~0" },
	{ "plain.typed", "schemaless", "r r r c u d0 ~0 c d0 ~0" },
};

#define MODES ((int)(sizeof(modes) / sizeof(*modes)))

static char *
fates(void)
{
	return each("coalesce(line->>'op', '~') || CASE WHEN line->'row' IS NULL THEN '-'"
		    " WHEN line->>'row' IS NULL THEN '0' ELSE '' END");
}

START_TEST(changes_become_rows)
{
	read_topic(modes[_i].topic, modes[_i].mode);
	ck_assert_str_eq(fates(), modes[_i].rows);
}
END_TEST

START_TEST(truncates_are_left_out)
{
	read_topic("schemas.wide", "tombstone");
	ck_assert_str_eq(fates(), "r u t-");
}
END_TEST

START_TEST(rows_are_rebuilt)
{
	read_topic("schemas.typed", modes[_i].mode);
	expect_rebuilt("typed");
}
END_TEST

START_TEST(rows_without_schemas_are_rebuilt)
{
	read_topic("plain.simple", "schemaless");
	expect_rebuilt("simple");
}
END_TEST

START_TEST(connects_own_types_are_rebuilt)
{
	read_topic("connect.calendar", "rewrite");
	ck_assert_str_eq(sql_text(rig.s, "SELECT line->>'columns' FROM got WHERE at = 1"),
	    json("{'id':'int32','d':'int32 " CONNECT("Date") "','t':'int32 " CONNECT(
		"Time") "','ts':'int64 " CONNECT("Timestamp") "','n':'string',"
							      "'__deleted':'string'}"));
	expect_rebuilt("calendar");
}
END_TEST

/* Debezium tells the rows of a snapshot from changes, and orders those of a transaction. */
START_TEST(records_know_their_origin)
{
	read_topic("schemas.typed", "tombstone");
	ck_assert_str_eq(each("line->>'snapshot'"), "TRUE TRUE TRUE FALSE FALSE FALSE FALSE FALSE");
	ck_assert_str_eq(each("line->>'total_order'"), "1 2 1 1 1");
}
END_TEST

START_TEST(transactions_are_debeziums)
{
	read_topic("schemas.tx", "transactions");
	ck_assert_str_eq(sql_text(rig.s,
			     "SELECT string_agg(concat_ws(' ', line->>'status',"
			     " line->>'data_collections'), E'\\n' ORDER BY at)"
			     " FROM (SELECT * FROM got ORDER BY at LIMIT 4) x"),
	    "BEGIN\n"
	    "END [{\"data_collection\":\"public.typed\",\"event_count\":\"2\"}]\n"
	    "BEGIN\n"
	    "END [{\"data_collection\":\"public.typed\",\"event_count\":\"1\"}]");
}
END_TEST

/* What an update does not touch is not sent. */
static const struct {
	const char *columns;
	const char *expected; /* SQL */
} placeholders[] = {
	{ "t j", "'\"" PLACEHOLDER "\"'" },
	{ "b", "to_json('" PLACEHOLDER "'::bytea::text)" },
	{ "ts", "'[\"" PLACEHOLDER "\"]'" },
	{ "tm", "'[[\"" PLACEHOLDER "\"]]'" },
	{ "i l",
	    "(SELECT json_agg(ascii(c)::text) FROM regexp_split_to_table('" PLACEHOLDER
	    "', '') c)" },
	{ "d",
	    "(SELECT json_agg(date '1970-01-01' + ascii(c))"
	    " FROM regexp_split_to_table('" PLACEHOLDER "', '') c)" },
};

START_TEST(placeholders_are_debeziums)
{
	char *names = text("%s", placeholders[_i].columns), *name;

	read_topic("schemas.wide", "tombstone");
	while ((name = strsep(&names, " ")) != NULL)
		ck_assert_str_eq(sql_text(rig.s,
				     "SELECT replace((line->'row'->'%s')::text, ' ', '')"
				     " FROM got WHERE line->>'op' = 'u'",
				     name),
		    sql_text(rig.s, "SELECT replace(%s::text, ' ', '')",
			placeholders[_i].expected));
}
END_TEST

static Suite *
debezium_suite(void)
{
	Suite *s = suite_create("kafka debezium");
	TCase *tc = suite_case(s, "debezium", debezium_init, debezium_end, rig_reconnect, NULL);

	suite_test(tc, columns_have_debeziums_schemas);
	suite_loop(tc, changes_become_rows, 0, MODES);
	suite_test(tc, truncates_are_left_out);
	suite_loop(tc, rows_are_rebuilt, 0, MODES - 1);
	suite_test(tc, rows_without_schemas_are_rebuilt);
	suite_test(tc, connects_own_types_are_rebuilt);
	suite_test(tc, records_know_their_origin);
	suite_test(tc, transactions_are_debeziums);
	suite_loop(tc, placeholders_are_debeziums, 0,
	    (int)(sizeof(placeholders) / sizeof(*placeholders)));
	return s;
}

int
main(void)
{
	if (!kafka_available() || !debezium_available())
		return 0;
	return suite_main(debezium_suite());
}
