#include "tests/unit/sink/kafka_fixture.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define LOCAL 16500 /* an extension's type */

/* ---- every type in every style */

static const struct {
	const char *type;
	uint32_t oid;
	int32_t modifier;
	const char *text;
	const char *peerdb; /* NULL in the others: the same */
	const char *plain;
	const char *debezium;
} values[] = {
	{ "bool", 16, -1, "t", "true", NULL, NULL },
	{ "bool", 16, -1, "f", "false", NULL, NULL },
	{ "bool", 16, -1, "yes", "BAD", NULL, NULL },
	{ "bool", 16, -1, NULL, "null", NULL, NULL },
	{ "int2", 21, -1, "-32768", "-32768", NULL, NULL },
	{ "int4", 23, -1, "2147483647", "2147483647", NULL, NULL },
	{ "int8", 20, -1, "-9223372036854775808", "-9223372036854775808", NULL, NULL },
	{ "int8", 20, -1, "9007199254740993", "9007199254740993", NULL, NULL },
	{ "int8", 20, -1, "1,2", "BAD", NULL, NULL },
	{ "int8", 20, -1, "", "BAD", NULL, NULL },
	{ "oid", 26, -1, "4294967295", "4294967295", NULL, NULL },
	{ "float4", 700, -1, "1e-45", "1e-45", NULL, NULL },
	{ "float8", 701, -1, "1.7976931348623157e+308", "1.7976931348623157e+308", NULL, NULL },
	{ "float8", 701, -1, "-0", "-0", NULL, NULL },
	{ "float8", 701, -1, "NaN", "\"NaN\"", NULL, NULL },
	{ "float8", 701, -1, "-Infinity", "\"-Infinity\"", NULL, NULL },
	{ "float8", 701, -1, "nan", "BAD", NULL, NULL },
	{ "text", 25, -1, "", "\"\"", NULL, NULL },
	{ "text", 25, -1, "a\"b\\c/d\b\f\n\r\t\x01\x1f\x7f",
	    "\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"", NULL, NULL },
	{ "varchar", 1043, 14, "na\xc3\xafve \xf0\x9f\x90\x98", "\"na\xc3\xafve \xf0\x9f\x90\x98\"",
	    NULL, NULL },
	{ "bpchar", 1042, 8, "ab  ", "\"ab  \"", NULL, NULL },
	{ "char", 18, -1, "\\377", "\"\\\\377\"", NULL, NULL },
	{ "bytea", 17, -1, "\\x", "\"\"", NULL, NULL },
	{ "bytea", 17, -1, "\\x000000ff", "\"AAAA/w==\"", NULL, NULL },
	{ "bytea", 17, -1, "\\x0", "BAD", NULL, NULL },
	{ "bytea", 17, -1, "abc", "BAD", NULL, NULL },
	{ "json", 114, -1, "{\"a\": 1.000000000000000000001}",
	    "\"{\\\"a\\\": 1.000000000000000000001}\"", "{\"a\": 1.000000000000000000001}",
	    "\"{\\\"a\\\": 1.000000000000000000001}\"" },
	{ "jsonb", 3802, -1, "null", "\"null\"", "null", "\"null\"" },
	{ "uuid", 2950, -1, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
	    "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"", NULL, NULL },
	{ "xml", 142, -1, "<a b=\"1\"/>", "\"<a b=\\\"1\\\"/>\"", NULL, NULL },

	{ "numeric", 1700, -1, "-0.00", "\"-0.00\"", NULL, "{\"scale\":2,\"value\":\"AA==\"}" },
	{ "numeric", 1700, -1, "12345678901234567890.123", "\"12345678901234567890.123\"", NULL,
	    "{\"scale\":3,\"value\":\"Ap1Ctk52cUJEyw==\"}" },
	{ "numeric", 1700, -1, "NaN", "\"NaN\"", NULL, "LOSSY" },
	{ "numeric", 1700, -1, "-Infinity", "\"-Infinity\"", NULL, "LOSSY" },
	{ "numeric", 1700, -1, "1x", "\"1x\"", NULL, "BAD" },

	{ "date", 1082, -1, "2024-02-29", "\"2024-02-29\"", NULL, "19782" },
	{ "date", 1082, -1, "0044-03-15 BC", "\"0044-03-15 BC\"", "\"-0043-03-15\"", "-735160" },
	{ "date", 1082, -1, "0001-01-01 BC", "\"0001-01-01 BC\"", "\"0000-01-01\"", "-719528" },
	{ "date", 1082, -1, "5874897-12-31", "\"5874897-12-31\"", "\"+5874897-12-31\"",
	    "2145042905" },
	{ "date", 1082, -1, "infinity", "\"infinity\"", NULL, "2147483647" },
	{ "date", 1082, -1, "-infinity", "\"-infinity\"", NULL, "-2147483648" },
	{ "time", 1083, -1, "09:25:00.5", "\"9:25:00.500000\"", "\"09:25:00.5\"", "33900500000" },
	{ "time", 1083, -1, "24:00:00", "\"24:00:00.000000\"", "\"24:00:00\"", "86400000000" },
	{ "time", 1083, -1, "25:00", "BAD", "\"25:00\"", "BAD" },
	{ "timetz", 1266, -1, "09:25:00+03", "\"09:25:00+03\"", "\"09:25:00+03:00\"",
	    "\"09:25:00+03:00\"" },
	{ "timetz", 1266, -1, "09:25:00.123456-00:19:32", "\"09:25:00.123456-00:19:32\"", NULL,
	    NULL },
	{ "timestamp", 1114, -1, "2024-02-29 13:01:02.5", "\"2024-02-29 13:01:02.5\"",
	    "\"2024-02-29T13:01:02.5\"", "1709211662500000" },
	{ "timestamp", 1114, -1, "1969-12-31 23:59:59.999999", "\"1969-12-31 23:59:59.999999\"",
	    "\"1969-12-31T23:59:59.999999\"", "-1" },
	{ "timestamp", 1114, -1, "4713-01-01 00:00:00 BC", "\"4713-01-01 00:00:00 BC\"",
	    "\"-4712-01-01T00:00:00\"", "-210863520000000000" },
	{ "timestamp", 1114, -1, "294276-12-31 23:59:59.999999", "\"294276-12-31 23:59:59.999999\"",
	    "\"+294276-12-31T23:59:59.999999\"", "LOSSY" },
	{ "timestamp", 1114, -1, "infinity", "\"infinity\"", NULL, "9223372036825200000" },
	{ "timestamp", 1114, -1, "-infinity", "\"-infinity\"", NULL, "-9223372036832400000" },
	{ "timestamp", 1114, 3, "1969-12-31 23:59:59.999", "\"1969-12-31 23:59:59.999\"",
	    "\"1969-12-31T23:59:59.999\"", "-1" },
	{ "timestamptz", 1184, -1, "2024-02-29 13:01:02.5+00", "\"2024-02-29 13:01:02.5+0000\"",
	    "\"2024-02-29T13:01:02.5Z\"", "\"2024-02-29T13:01:02.500000Z\"" },
	{ "timestamptz", 1184, 0, "2024-02-29 13:01:02+00", "\"2024-02-29 13:01:02+0000\"",
	    "\"2024-02-29T13:01:02Z\"", NULL },
	{ "timestamptz", 1184, -1, "0044-03-15 00:00:00+00 BC", "\"0044-03-15 00:00:00+0000 BC\"",
	    "\"-0043-03-15T00:00:00Z\"", "\"-0043-03-15T00:00:00.000000Z\"" },
	{ "timestamptz", 1184, -1, "infinity", "\"infinity\"", NULL, NULL },
	{ "timestamptz", 1184, -1, "yesterday", "BAD", NULL, NULL },
	{ "interval", 1186, -1, "1 year 2 mons -3 days +04:05:06.789",
	    "\"{\\\"hours\\\":4,\\\"minutes\\\":5,\\\"seconds\\\":6.789,\\\"days\\\":-3,"
	    "\\\"months\\\":2,\\\"years\\\":1,\\\"valid\\\":true}\"",
	    "\"P1Y2M-3DT4H5M6.789S\"", NULL },
	{ "interval", 1186, -1, "-00:00:00.000001",
	    "\"{\\\"seconds\\\":-0.000001,\\\"valid\\\":true}\"", "\"P0Y0M0DT0H0M-0.000001S\"",
	    NULL },
	{ "interval", 1186, -1, "-178000000 years",
	    "\"{\\\"years\\\":-178000000,\\\"valid\\\":true}\"", "\"P-178000000Y0M0DT0H0M0S\"",
	    NULL },
	{ "interval", 1186, -1, "infinity", "\"infinity\"", NULL, NULL },
	{ "interval", 1186, -1, "soon", "BAD", NULL, NULL },

	{ "point", 600, -1, "(1.5,-2)", "\"POINT(1.5 -2)\"", NULL,
	    "{\"x\":1.5,\"y\":-2,\"wkb\":\"AQEAAAAAAAAAAAD4PwAAAAAAAADA\",\"srid\":null}" },
	{ "point", 600, -1, "(NaN,1)", "\"POINT(NaN 1)\"", NULL, "LOSSY" },
	{ "point", 600, -1, "(1.5", "BAD", NULL, NULL },
	{ "bit", 1560, 1, "1", "\"1\"", NULL, "true" },
	{ "bit", 1560, 9, "100000001", "\"100000001\"", NULL, "\"AQE=\"" },
	{ "varbit", 1562, -1, "101", "\"101\"", NULL, "\"BQ==\"" },
	{ "varbit", 1562, -1, "", "\"\"", NULL, NULL },
	{ "hstore", LOCAL, -1, "\"b\"=>NULL, \"a\"=>\"1\\\"\"",
	    "\"{\\\"a\\\":\\\"1\\\\\\\"\\\",\\\"b\\\":null}\"", "{\"a\":\"1\\\"\",\"b\":null}",
	    "\"{\\\"a\\\":\\\"1\\\\\\\"\\\",\\\"b\\\":null}\"" },
	{ "hstore", LOCAL, -1, "\"a\"", "BAD", NULL, NULL },
	{ "vector", LOCAL, -1, "[1,2.5,-3e-05]", "[1,2.5,-3e-05]", NULL, NULL },
	{ "vector", LOCAL, -1, "[1,]", "BAD", NULL, NULL },
	{ "halfvec", LOCAL, -1, "[1]", "[1]", NULL, NULL },
	{ "sparsevec", LOCAL, -1, "{1:1.5}/3", "\"{1:1.5}/3\"", NULL, NULL },
	{ "geometry", LOCAL, -1, "0101000020E6100000000000000000F03F0000000000000040",
	    "\"SRID=4326;POINT(1 2)\"", NULL,
	    "{\"wkb\":\"AQEAACDmEAAAAAAAAAAA8D8AAAAAAAAAQA==\",\"srid\":4326}" },
	{ "ltree", LOCAL, -1, "a.b", "\"a.b\"", NULL, NULL },
	{ "money", 790, -1, "$1,234.50", "\"$1,234.50\"", NULL, NULL },
	{ "inet", 869, -1, "10.0.0.1/8", "\"10.0.0.1/8\"", NULL, NULL },
	{ "int4range", 3904, -1, "[1,10)", "\"[1,10)\"", NULL, NULL },
	{ "tsvector", 3614, -1, "'a':1 'b'", "\"'a':1 'b'\"", NULL, NULL },

	{ "int4[]", 23, -1, "{}", "[]", NULL, NULL },
	{ "int4[]", 23, -1, "{1,NULL,-3}", "[1,null,-3]", NULL, NULL },
	{ "int4[][]", 23, -1, "{{1,2},{3,4}}", "[[1,2],[3,4]]", NULL, NULL },
	{ "int4[]", 23, -1, "[0:2]={1,2,3}", "[1,2,3]", NULL, NULL },
	{ "int4[]", 23, -1, NULL, "null", NULL, NULL },
	{ "int4[]", 23, -1, "{1,2", "BAD", NULL, NULL },
	{ "int4[]", 23, -1, "{1}}", "BAD", NULL, NULL },
	{ "int4[]", 23, -1, "{1,}", "BAD", NULL, NULL },
	{ "int4[]", 23, -1, "{,1}", "BAD", NULL, NULL },
	{ "int4[]", 23, -1, "{1}{2}", "BAD", NULL, NULL },
	{ "int4[]", 23, -1, "", "BAD", NULL, NULL },
	{ "int4[]", 23, -1, "{{{{{{{1}}}}}}}", "BAD", NULL, NULL },
	{ "text[]", 25, -1, "{a,\"NULL\",NULL,\"b \\\"c\\\\\",\"\",\"{x,y}\"}",
	    "[\"a\",\"NULL\",null,\"b \\\"c\\\\\",\"\",\"{x,y}\"]", NULL, NULL },
	{ "text[]", 25, -1, "{\"\\\"\"}", "[\"\\\"\"]", NULL, NULL },
	{ "text[]", 25, -1, "{\"a\\", "BAD", NULL, NULL },
	{ "text[]", 25, -1, "{\"a", "BAD", NULL, NULL },
	{ "bool[]", 16, -1, "{t,f}", "[true,false]", NULL, NULL },
	{ "bytea[]", 17, -1, "{\"\\\\x000000ff\"}", "[\"AAAA/w==\"]", NULL, NULL },
	{ "json[]", 114, -1, "{\"{\\\"a\\\": 1}\"}", "[\"{\\\"a\\\": 1}\"]", "[{\"a\": 1}]",
	    "[\"{\\\"a\\\": 1}\"]" },
	{ "numeric[]", 1700, -1, "{1.5,NaN}", "[\"1.5\",\"NaN\"]", NULL, "LOSSY" },
	{ "timestamptz[]", 1184, -1, "{\"2024-02-29 13:01:02.5+00\",infinity}",
	    "[\"2024-02-29 13:01:02.5+0000\",\"infinity\"]",
	    "[\"2024-02-29T13:01:02.5Z\",\"infinity\"]",
	    "[\"2024-02-29T13:01:02.500000Z\",\"infinity\"]" },
	{ "box[]", 603, -1, "{(1,1),(0,0);(2,2),(1,1)}", "[\"(1,1),(0,0)\",\"(2,2),(1,1)\"]", NULL,
	    NULL },
};

START_TEST(every_type)
{
	const char *const *expected = &values[_i].peerdb;
	const char *same = values[_i].peerdb;
	int style;

	fx_begin("");
	for (style = 0; style < KAFKA_STYLES; style++) {
		if (expected[style] != NULL)
			same = expected[style];
		ck_assert_str_eq(
		    fx_value((enum kafka_style)style,
			fx_column(values[_i].type, values[_i].oid, values[_i].modifier),
			values[_i].text),
		    same);
	}
	fx_end();
}
END_TEST

/* ---- Debezium's decimals: the unscaled number as bytes */

static const struct {
	int precision, scale;
	const char *text;
	const char *base64;
} decimals[] = {
	{ 10, 0, "0", "AA==" },
	{ 10, 0, "1", "AQ==" },
	{ 10, 0, "-1", "/w==" },
	{ 10, 2, "1.27", "fw==" },
	{ 10, 2, "1.28", "AIA=" },
	{ 10, 2, "-1.28", "gA==" },
	{ 10, 2, "-1.29", "/38=" },
	{ 10, 2, "2.55", "AP8=" },
	{ 10, 2, "2.56", "AQA=" },
	{ 10, 2, "-123.45", "z8c=" },
	{ 10, 0, "999999999", "O5rJ/w==" },
	{ 10, 0, "1000000000", "O5rKAA==" },
	{ 10, 0, "2147483648", "AIAAAAA=" },
	{ 10, 0, "-2147483648", "gAAAAA==" },
	{ 10, 0, "-4294967296", "/wAAAAA=" },
	{ 19, 0, "-9223372036854775808", "gAAAAAAAAAA=" },
	{ 20, 0, "18446744073709551615", "AP//////////" },
	{ 38, 0, "-99999999999999999999999999999999999999", "tMSzV6V5O4X2dd3AAAAAAQ==" },
	{ 40, 20, "99999999999999999999.99999999999999999999", "HWMp8cNcpL+rufVg//////8=" },
	{ 5, -2, "12300", "ew==" },
	{ 5, -2, "0", "AA==" },
};

START_TEST(precise_decimals)
{
	const char *value;

	fx_begin("PEERD_KAFKA_FORMAT=debezium-json");
	value = fx_value(KAFKA_STYLE_DEBEZIUM,
	    fx_column("numeric", 1700, fx_numeric(decimals[_i].precision, decimals[_i].scale)),
	    decimals[_i].text);
	ck_assert_str_eq(value, arena_printf(fx.a, "\"%s\"", decimals[_i].base64));
	fx_end();
}
END_TEST

/* As many digits as Postgres has before the point. */
START_TEST(long_numeric)
{
	char *text;

	fx_begin("");
	text = arena_alloc(fx.a, 131073);
	memset(text, '9', 131072);
	text[131072] = '\0';
	ck_assert_str_eq(fx_value(KAFKA_STYLE_PEERDB, fx_column("numeric", 1700, -1), text),
	    arena_printf(fx.a, "\"%s\"", text));
	/* 131072 digits are 54427 bytes, in base64 four thirds of it */
	ck_assert_uint_eq(
	    strlen(fx_value(KAFKA_STYLE_DEBEZIUM, fx_column("numeric", 1700, -1), text)),
	    strlen("{\"scale\":0,\"value\":\"\"}") + (54427 + 2) / 3 * 4);
	fx_end();
}
END_TEST

/* ---- options change the form */

static const struct {
	const char *env;
	enum kafka_style style;
	const char *type;
	uint32_t oid;
	int32_t modifier;
	const char *text;
	const char *json;
} modes[] = {
	{ "PEERD_KAFKA_DECIMALS=precise", KAFKA_STYLE_PLAIN, "numeric", 1700, -1,
	    "12345678901234567890.123", "12345678901234567890.123" },
	{ "PEERD_KAFKA_DECIMALS=double", KAFKA_STYLE_DEBEZIUM, "numeric", 1700, -1, "1.50",
	    "1.50" },
	{ "PEERD_KAFKA_DECIMALS=double", KAFKA_STYLE_DEBEZIUM, "numeric", 1700, -1, "NaN",
	    "\"NaN\"" },
	{ "PEERD_KAFKA_DECIMALS=string", KAFKA_STYLE_DEBEZIUM, "numeric", 1700, -1, "1.50",
	    "\"1.50\"" },
	{ "PEERD_KAFKA_BINARY=hex", KAFKA_STYLE_PEERDB, "bytea", 17, -1, "\\x00ff", "\"00ff\"" },
	{ "PEERD_KAFKA_BINARY=base64", KAFKA_STYLE_PEERDB, "bytea", 17, -1, "\\x000000ff",
	    "\"AAAA/w==\"" },
	{ "PEERD_KAFKA_TIMES=connect", KAFKA_STYLE_DEBEZIUM, "timestamp", 1114, -1,
	    "1969-12-31 23:59:59.9999", "-1" },
	{ "PEERD_KAFKA_TIMES=connect", KAFKA_STYLE_DEBEZIUM, "time", 1083, -1, "00:00:01.5",
	    "1500" },
	{ "PEERD_KAFKA_TIMES=microseconds", KAFKA_STYLE_DEBEZIUM, "timestamp", 1114, 3,
	    "1970-01-01 00:00:01.5", "1500000" },
	{ "PEERD_KAFKA_TIMES=adaptive", KAFKA_STYLE_DEBEZIUM, "time", 1083, 3, "00:00:01.5",
	    "1500" },
	{ "PEERD_KAFKA_TIMES=connect", KAFKA_STYLE_PLAIN, "time", 1083, -1, "00:00:01.5",
	    "\"00:00:01.5\"" },
	{ "PEERD_KAFKA_SCHEMAS=on", KAFKA_STYLE_DEBEZIUM, "int4[]", 23, -1, "{{1}}", "LOSSY" },
	{ "PEERD_KAFKA_SCHEMAS=on", KAFKA_STYLE_DEBEZIUM, "int4[][]", 23, -1, "{{1}}", "[[1]]" },
	{ "PEERD_KAFKA_SCHEMAS=on", KAFKA_STYLE_DEBEZIUM, "int4[][]", 23, -1, "{}", "[]" },
};

START_TEST(handling_modes)
{
	fx_begin(modes[_i].env);
	ck_assert_str_eq(fx_value(modes[_i].style,
			     fx_column(modes[_i].type, modes[_i].oid, modes[_i].modifier),
			     modes[_i].text),
	    modes[_i].json);
	fx_end();
}
END_TEST

/* ---- schemas */

/* of the characters of __debezium_unavailable_value */
#define CODES                                                 \
	"95,95,100,101,98,101,122,105,117,109,95,117,110,97," \
	"118,97,105,108,97,98,108,101,95,118,97,108,117,101"

static const struct {
	const char *env;
	const char *type;
	uint32_t oid;
	int32_t modifier;
	const char *schema;
	const char *absent;
} schemas[] = {
	{ "", "int2", 21, -1, "\"type\":\"int16\"", "null" },
	{ "", "text", 25, -1, "\"type\":\"string\"", "\"__debezium_unavailable_value\"" },
	{ "", "bytea", 17, -1, "\"type\":\"bytes\"",
	    "\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\"" },
	{ "PEERD_KAFKA_BINARY=hex", "bytea", 17, -1, "\"type\":\"string\"",
	    "\"__debezium_unavailable_value\"" },
	{ "", "jsonb", 3802, -1,
	    "\"type\":\"string\",\"name\":\"io.debezium.data.Json\",\"version\":1",
	    "\"__debezium_unavailable_value\"" },
	{ "", "numeric", 1700, 655366,
	    "\"type\":\"bytes\",\"name\":\"org.apache.kafka.connect.data.Decimal\",\"version\":1,"
	    "\"parameters\":{\"scale\":\"2\",\"connect.decimal.precision\":\"10\"}",
	    "\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\"" },
	{ "PEERD_KAFKA_DECIMALS=double", "numeric", 1700, 655366, "\"type\":\"double\"", "null" },
	{ "PEERD_KAFKA_TIMES=connect", "date", 1082, -1,
	    "\"type\":\"int32\",\"name\":\"org.apache.kafka.connect.data.Date\",\"version\":1",
	    "null" },
	{ "", "timestamp", 1114, 3,
	    "\"type\":\"int64\",\"name\":\"io.debezium.time.Timestamp\",\"version\":1", "null" },
	{ "", "varbit", 1562, -1,
	    "\"type\":\"bytes\",\"name\":\"io.debezium.data.Bits\",\"version\":1,"
	    "\"parameters\":{\"length\":\"2147483647\"}",
	    "\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\"" },
	{ "", "text[]", 25, -1,
	    "\"type\":\"array\",\"items\":{\"type\":\"string\",\"optional\":true}",
	    "[\"__debezium_unavailable_value\"]" },
	{ "", "int4[][]", 23, -1,
	    "\"type\":\"array\",\"items\":{\"type\":\"array\",\"optional\":true,\"items\":{"
	    "\"type\":\"int32\",\"optional\":true}}",
	    "[[" CODES "]]" },
	{ "", "text[][]", 25, -1,
	    "\"type\":\"array\",\"items\":{\"type\":\"array\",\"optional\":true,\"items\":{"
	    "\"type\":\"string\",\"optional\":true}}",
	    "[[\"__debezium_unavailable_value\"]]" },
	{ "", "int8[]", 20, -1,
	    "\"type\":\"array\",\"items\":{\"type\":\"int64\",\"optional\":true}", "[" CODES "]" },
	{ "", "int2[]", 21, -1,
	    "\"type\":\"array\",\"items\":{\"type\":\"int16\",\"optional\":true}", "null" },
};

START_TEST(connect_schemas)
{
	struct kafka_column c;
	char *whole;

	fx_begin(schemas[_i].env);
	kafka_column_init(&c, fx.a,
	    fx_column(schemas[_i].type, schemas[_i].oid, schemas[_i].modifier),
	    KAFKA_STYLE_DEBEZIUM, &fx.opt);
	kafka_column_schema(&c, true, &fx.out);
	ck_assert_str_eq(buf_str(&fx.out),
	    arena_printf(fx.a, "%s,\"optional\":true", schemas[_i].schema));
	whole = arena_printf(fx.a, "{%s}", buf_str(&fx.out));
	fx_check_json(whole, strlen(whole));
	buf_reset(&fx.out);
	kafka_put_absent(&fx.w, &c);
	ck_assert_str_eq(buf_str(&fx.out), schemas[_i].absent);
	fx_end();
}
END_TEST

/* An enum, a range or a composite of the user's is text, whatever its name. */
START_TEST(other_kinds_are_text)
{
	PeerdWorker__Column *def;

	fx_begin("");
	def = fx_column("hstore", LOCAL, -1);
	def->base_kind = arena_strdup(fx.a, "e");
	ck_assert_str_eq(fx_value(KAFKA_STYLE_DEBEZIUM, def, "plum"), "\"plum\"");
	fx_end();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kafka_value");
	TCase *tc = tcase_create("kafka_value");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, every_type, 0, N(values));
	tcase_add_loop_test(tc, precise_decimals, 0, N(decimals));
	tcase_add_test(tc, long_numeric);
	tcase_add_loop_test(tc, handling_modes, 0, N(modes));
	tcase_add_loop_test(tc, connect_schemas, 0, N(schemas));
	tcase_add_test(tc, other_kinds_are_text);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
