#include <stdio.h>

#include "lib/sink/ch_numeric.h"
#include "tests/unit/sink/ch_fixture.h"
#include "tests/unit/sink/ch_vectors.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* ---- both forms of every value give the same bytes */

static struct ch_column
vector_column(const struct ch_vector *v, const char *type)
{
	struct ch_column c;

	ck_assert_msg(fx_init(&c, fx_column("c", v->base, v->oid, v->kind, v->dims), type), "%s",
	    fx.err.msg);
	return c;
}

static void
compare_forms(const struct ch_vector *v, const struct ch_column *c)
{
	const char *from_text = fx_encode(c, slice_str(v->text), true);
	enum err_code code = fx.err.code;
	const char *from_binary;

	ck_assert_msg(ch_column_binary_ok(c->def), "%s is read in binary form", v->base);
	from_binary = fx_encode(c, fx_unhex(v->binary), false);
	ck_assert_int_eq(fx.err.code, code);
	ck_assert_int_ne(code, ERR_PROTOCOL);
	ck_assert_msg((from_text == NULL) == (from_binary == NULL), "%s '%s': %s", v->base, v->text,
	    fx.err.msg);
	if (from_text != NULL)
		ck_assert_str_eq(from_text, from_binary);
}

START_TEST(both_forms_give_the_same_bytes)
{
	const struct ch_vector *v = &ch_vectors[_i];
	struct ch_column c;

	fx_begin(CURRENT);
	c = vector_column(v, NULL);
	compare_forms(v, &c);
	c = vector_column(v, "String");
	compare_forms(v, &c);
	fx.opt.lossy_null = true;
	fx.opt.binary = CH_BINARY_HEX;
	c = vector_column(v, NULL);
	compare_forms(v, &c);
	ck_assert_int_eq(fx.err.code, ERR_NONE);
	fx_end();
}
END_TEST

START_TEST(both_forms_give_the_same_bytes_for_an_old_server)
{
	struct ch_column c;

	fx_begin(OLDEST);
	c = vector_column(&ch_vectors[_i], NULL);
	compare_forms(&ch_vectors[_i], &c);
	fx_end();
}
END_TEST

/* Whoever asks for String gets what Postgres prints, but for the types with a form of their own. */
START_TEST(a_string_is_what_postgres_prints)
{
	static const char *const own[] = { "float4", "float8", "bytea", "interval", "point",
		"hstore", "char", "json", "jsonb" };
	const struct ch_vector *v = &ch_vectors[_i];
	struct ch_column c;
	size_t i;
	const uint8_t *p;

	for (i = 0; i < N(own); i++)
		if (strcmp(own[i], v->base) == 0)
			return;
	fx_begin(CURRENT);
	c = vector_column(v, "String");
	ck_assert(fx_encode(&c, fx_unhex(v->binary), false) != NULL);
	for (p = fx.out.p + 1; *p++ & 0x80;)
		;
	ck_assert_uint_eq(fx.out.n - (size_t)(p - fx.out.p), strlen(v->text));
	ck_assert_mem_eq(p, v->text, strlen(v->text));
	fx_end();
}
END_TEST

/* ---- the bytes themselves */

#define LOSSY "does not fit"

static const struct {
	const char *base;
	uint32_t oid;
	int32_t modifier;
	int dims;
	const char *type; /* destination_type */
	const char *text;
	const char *hex; /* after the byte that says "not NULL" */
} bytes[] = {
	{ "bool", 16, -1, 0, NULL, "t", "01" },
	{ "bool", 16, -1, 0, NULL, "true", "01" },
	{ "bool", 16, -1, 0, NULL, "false", "00" },
	{ "int2", 21, -1, 0, NULL, "-2", "feff" },
	{ "int4", 23, -1, 0, NULL, "305419896", "78563412" },
	{ "int8", 20, -1, 0, NULL, "-9223372036854775808", "0000000000000080" },
	{ "int4", 23, -1, 0, "Int8", "-128", "80" },
	{ "int4", 23, -1, 0, "Int8", "128", LOSSY },
	{ "int4", 23, -1, 0, "UInt32", "-1", LOSSY },
	{ "int8", 20, -1, 0, "Int128", "-2", "feffffffffffffffffffffffffffffff" },
	{ "oid", 26, -1, 0, "UInt32", "4294967295", "ffffffff" },
	{ "float4", 700, -1, 0, NULL, "1.5", "0000c03f" },
	{ "float8", 701, -1, 0, NULL, "-Infinity", "000000000000f0ff" },
	{ "float4", 700, -1, 0, "Float64", "0.5", "000000000000e03f" },
	/* numeric: limits of each width, and one more */
	{ "numeric", 1700, 589831, 0, NULL, "999999.999", "ffc99a3b" },
	{ "numeric", 1700, 589831, 0, NULL, "-999999.999", "013665c4" },
	{ "numeric", 1700, 589831, 0, NULL, "1000000", LOSSY },
	{ "numeric", 1700, 589831, 0, NULL, "NaN", LOSSY },
	{ "numeric", 1700, -1, 0, "Decimal(9, 2)", "1.230", "7b000000" },
	{ "numeric", 1700, -1, 0, "Decimal(9, 2)", "1.234", LOSSY },
	{ "numeric", 1700, -1, 0, "Decimal(18, 0)", "-1", "ffffffffffffffff" },
	{ "numeric", 1700, -1, 0, "Decimal(38, 0)", "18446744073709551616",
	    "00000000000000000100000000000000" },
	{ "numeric", 1700, -1, 0, "Decimal(38, 38)", "0.00000000000000000000000000000000000001",
	    "01000000000000000000000000000000" },
	{ "numeric", 1700, -1, 0, "Decimal(38, 38)", "0.000000000000000000000000000000000000001",
	    LOSSY },
	{ "numeric", 1700, -1, 0, "Decimal(76, 0)", "340282366920938463463374607431768211456",
	    "0000000000000000000000000000000001000000000000000000000000000000" },
	{ "numeric", 1700, -1, 0, "Decimal(76, 0)",
	    "9999999999999999999999999999999999999999999999999999999999999999999999999999",
	    "ffffffffffffffffff0f9571f1a57577792965e8abb46407b5159911a7cc1b16" },
	{ "numeric", 1700, -1, 0, "Decimal(76, 0)",
	    "10000000000000000000000000000000000000000000000000000000000000000000000000000",
	    LOSSY },
	{ "numeric", 1700, -1, 0, "Int8", "-128", "80" },
	{ "numeric", 1700, -1, 0, "Int8", "-129", LOSSY },
	{ "numeric", 1700, -1, 0, "UInt64", "18446744073709551615", "ffffffffffffffff" },
	{ "numeric", 1700, -1, 0, "UInt64", "18446744073709551616", LOSSY },
	{ "numeric", 1700, -1, 0, "UInt64", "-0.0", "0000000000000000" },
	{ "numeric", 1700, -1, 0, "Int64", "1.5", LOSSY },
	{ "numeric", 1700, -1, 0, "UInt256",
	    "115792089237316195423570985008687907853269984665640564039457584007913129639935",
	    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" },
	{ "numeric", 1700, -1, 0, "UInt256",
	    "115792089237316195423570985008687907853269984665640564039457584007913129639936",
	    LOSSY },
	{ "numeric", 1700, -1, 0, "Float64", "0.1", "9a9999999999b93f" },
	{ "numeric", 1700, -1, 0, "String", "12.3400", "0731322e33343030" },
	/* texts and bytes */
	{ "text", 25, -1, 0, NULL, "", "00" },
	{ "text", 25, -1, 0, NULL, "ab", "026162" },
	{ "text", 25, -1, 0, "FixedString(4)", "ab", "61620000" },
	{ "text", 25, -1, 0, "FixedString(4)", "abcde", LOSSY },
	{ "text", 25, -1, 0, "LowCardinality(String)", "ab", "026162" },
	{ "char", 18, -1, 0, NULL, "", "00" },
	{ "char", 18, -1, 0, NULL, "\\377", "ff" },
	{ "bytea", 17, -1, 0, NULL, "\\x00ff", "0200ff" },
	{ "json", 114, -1, 0, NULL, "{\"a\":  1e999}", "0d7b2261223a202031653939397d" },
	{ "json", 114, -1, 0, "JSON", " {}", "03207b7d" },
	{ "json", 114, -1, 0, "JSON", "[1]", LOSSY },
	{ "uuid", 2950, -1, 0, NULL, "00112233-4455-6677-8899-aabbccddeeff",
	    "7766554433221100ffeeddccbbaa9988" },
	/* days and moments */
	{ "date", 1082, -1, 0, NULL, "1970-01-02", "01000000" },
	{ "date", 1082, -1, 0, NULL, "1900-01-01", "219cffff" },
	{ "date", 1082, -1, 0, NULL, "2299-12-31", "d1d60100" },
	{ "date", 1082, -1, 0, NULL, "1899-12-31", LOSSY },
	{ "date", 1082, -1, 0, NULL, "2300-01-01", LOSSY },
	{ "date", 1082, -1, 0, NULL, "infinity", LOSSY },
	{ "date", 1082, -1, 0, NULL, "0044-03-15 BC", LOSSY },
	{ "date", 1082, -1, 0, "Date", "2149-06-06", "ffff" },
	{ "date", 1082, -1, 0, "Date", "1969-12-31", LOSSY },
	{ "timestamp", 1114, -1, 0, NULL, "1970-01-01 00:00:00.000001", "0100000000000000" },
	{ "timestamp", 1114, -1, 0, NULL, "1969-12-31 23:59:59.999999", "ffffffffffffffff" },
	{ "timestamp", 1114, -1, 0, NULL, "infinity", LOSSY },
	{ "timestamp", 1114, -1, 0, "DateTime64(3)", "1970-01-01 00:00:00.001",
	    "0100000000000000" },
	{ "timestamp", 1114, -1, 0, "DateTime64(3)", "1970-01-01 00:00:00.0001", LOSSY },
	{ "timestamp", 1114, -1, 0, "DateTime64(9)", "1970-01-01 00:00:00.000001",
	    "e803000000000000" },
	{ "timestamp", 1114, -1, 0, "DateTime64(9)", "2262-04-11 23:47:16.854775",
	    "d8fcffffffffff7f" },
	{ "timestamp", 1114, -1, 0, "DateTime64(9)", "2262-04-11 23:47:16.854776", LOSSY },
	{ "timestamp", 1114, -1, 0, "DateTime", "1970-01-01 00:00:01", "01000000" },
	{ "timestamp", 1114, -1, 0, "DateTime", "1970-01-01 00:00:01.5", LOSSY },
	{ "timestamptz", 1184, -1, 0, NULL, "1970-01-01 01:00:00+01", "0000000000000000" },
	{ "timestamptz", 1184, -1, 0, NULL, "1970-01-01 00:00:00-00:00:01", "40420f0000000000" },
	{ "timestamptz", 1184, -1, 0, "String", "1970-01-01 01:00:00+01",
	    "16313937302d30312d30312030303a30303a30302b3030" },
	{ "time", 1083, -1, 0, NULL, "00:00:01", "40420f0000000000" },
	{ "time", 1083, -1, 0, NULL, "24:00:00", "0060d71d14000000" },
	{ "time", 1083, -1, 0, "Time64(6)", "24:00:00", "0060d71d14000000" },
	/* arrays: elements have a byte for NULL of their own */
	{ "int2", 21, -1, 1, NULL, "{}", "00" },
	{ "int2", 21, -1, 1, NULL, "{1,NULL}", "0200010001" },
	{ "int2", 21, -1, 1, NULL, "[5:6]={1,2}", "02000100000200" },
	{ "int2", 21, -1, 1, NULL, "{{1},{2}}", LOSSY },
	{ "int2", 21, -1, 2, NULL, "{{1},{2}}",
	    "0201000100"
	    "01000200" },
	{ "int2", 21, -1, 2, NULL, "{}", "00" },
	{ "int2", 21, -1, 2, NULL, "{1}", LOSSY },
	{ "int2", 21, -1, 1, "Array(Array(Int16))", "{{1},{2}}",
	    "0201000100"
	    "01000200" },
	{ "int4", 23, -1, 1, "Array(Int8)", "{1,200}", LOSSY },
	{ "text", 25, -1, 1, NULL, "{\"a\\\"b\",\"NULL\",NULL,\"\"}",
	    "04"
	    "0003612262"
	    "00044e554c4c"
	    "01"
	    "0000" },
	{ "json", 114, -1, 1, NULL, "{\"{\\\"a\\\": 1}\",NULL}",
	    "0f5b7b2261223a20317d2c6e756c6c5d" },
	{ "vector", 20000, -1, 0, NULL, "[1,0.5]", "020000803f0000003f" },
	{ "vector", 20000, -1, 0, NULL, "[]", "00" },
	{ "sparsevec", 20000, -1, 0, NULL, "{2:1}/3", "03000000000000803f00000000" },
};

/* Is the byte for "not NULL" there? Not in arrays, which have it in the elements. */
static bool
has_flag(const struct ch_column *c)
{
	return c->type.nullable && c->type.dims == 0;
}

START_TEST(bytes_are_as_documented)
{
	struct ch_column c;
	PeerdWorker__Column *def;
	const char *hex;

	fx_begin(CURRENT);
	def = fx_column("c", bytes[_i].base, bytes[_i].oid, 'b', bytes[_i].dims);
	def->base_modifier = bytes[_i].modifier;
	ck_assert_msg(fx_init(&c, def, bytes[_i].type), "%s", fx.err.msg);
	hex = fx_encode(&c, slice_str(bytes[_i].text), true);
	if (strcmp(bytes[_i].hex, LOSSY) == 0) {
		ck_assert_msg(hex == NULL, "%s was taken: %s", bytes[_i].text, hex);
		ck_assert_int_eq(fx.err.code, ERR_DATA);
		ck_assert(strstr(fx.err.msg, LOSSY) != NULL);
	} else {
		ck_assert_msg(hex != NULL, "%s", fx.err.msg);
		ck_assert_str_eq(hex + (has_flag(&c) ? 2 : 0), bytes[_i].hex);
	}
	fx_end();
}
END_TEST

/* Groups of zeros in front or behind, which Postgres does not send, change nothing. */
START_TEST(numerics_with_idle_digits)
{
	static const char *const types[] = { "Decimal(9, 2)", "Decimal(76, 2)", "Int32" };
	static const char *const binary[] = {
		"0001"
		"0000"
		"0000"
		"0000"
		"0007",
		"0002"
		"0001"
		"0000"
		"0000"
		"0000"
		"0007",
		"0003"
		"0000"
		"0000"
		"0000"
		"0007"
		"0000"
		"0000",
		"0004"
		"0001"
		"0000"
		"0000"
		"0000"
		"0007"
		"0000"
		"0000",
	};
	struct ch_column c;
	const char *expected;
	size_t t, i;

	fx_begin(CURRENT);
	for (t = 0; t < N(types); t++) {
		ck_assert(fx_init(&c, fx_column("c", "numeric", 1700, 'b', 0), types[t]));
		expected = fx_encode(&c, slice_str("7"), true);
		ck_assert_ptr_nonnull(expected);
		for (i = 0; i < N(binary); i++)
			ck_assert_str_eq(fx_encode(&c, fx_unhex(binary[i]), false), expected);
	}
	fx_end();
}
END_TEST

/* ---- texts that types get in ClickHouse */

static const struct {
	const char *base;
	uint32_t oid;
	const char *text;
	const char *string;
} strings[] = {
	{ "interval", 1186, "5 years 2 mons 29 days 00:01:02.22",
	    "{\"minutes\":1,\"seconds\":2.22,\"days\":29,\"months\":2,\"years\":5,\"valid\":"
	    "true}" },
	{ "interval", 1186, "00:00:00", "{\"valid\":true}" },
	{ "interval", 1186, "-1 years -2 mons +3 days -04:05:06.7",
	    "{\"hours\":-4,\"minutes\":-5,\"seconds\":-6.7,\"days\":3,\"months\":-2,\"years\":-1,"
	    "\"valid\":true}" },
	{ "interval", 1186, "infinity", "\"infinity\"" },
	{ "point", 600, "(1.5,-2)", "POINT(1.5 -2)" },
	{ "timetz", 1266, "09:25:00+03", "09:25:00+03" },
	{ "hstore", 20000, "\"b\"=>NULL, \"a\"=>\"<1>\"",
	    "{\"a\":\"\\u003c1\\u003e\",\"b\":null}" },
	{ "geometry", 20000, "0101000000000000000000F03F0000000000000040", "POINT(1 2)" },
	{ "geometry", 20000, "0101000020E6100000000000000000F03F0000000000000040",
	    "SRID=4326;POINT(1 2)" },
	{ "geometry", 20000, "0101000080000000000000F03F00000000000000400000000000000840",
	    "POINT Z (1 2 3)" },
	{ "geometry", 20000, "0101000000000000000000F87F000000000000F87F", "POINT EMPTY" },
	{ "geometry", 20000,
	    "010200000002000000000000000000F03F000000000000004000000000000008400000000000001040",
	    "LINESTRING(1 2,3 4)" },
	{ "geometry", 20000,
	    "0104000000020000000101000000000000000000F03F0000000000000040"
	    "010100000000000000000008400000000000001040",
	    "MULTIPOINT((1 2),(3 4))" },
	{ "geometry", 20000,
	    "0107000000020000000101000000000000000000F03F0000000000000040010300000000000000",
	    "GEOMETRYCOLLECTION(POINT(1 2),POLYGON EMPTY)" },
	{ "int4range", 3904, "[1,5)", "[1,5)" },
};

START_TEST(some_types_have_a_text_of_their_own)
{
	struct ch_column c;
	char kind = strings[_i].oid == 3904 ? 'r' : 'b';

	fx_begin(CURRENT);
	ck_assert(fx_init(&c, fx_column("c", strings[_i].base, strings[_i].oid, kind, 0), NULL));
	ck_assert_str_eq(fx_type(&c), "Nullable(String)");
	ck_assert_msg(fx_encode(&c, slice_str(strings[_i].text), true) != NULL, "%s", fx.err.msg);
	ck_assert_uint_eq(fx.out.p[1], strlen(strings[_i].string));
	ck_assert_msg(memcmp(fx.out.p + 2, strings[_i].string, fx.out.n - 2) == 0, "%.*s",
	    (int)fx.out.n - 2, fx.out.p + 2);
	fx_end();
}
END_TEST

START_TEST(bytea_has_three_formats)
{
	static const char *const expected[] = {
		[CH_BINARY_RAW] = "000300ff10",
		[CH_BINARY_HEX] = "0006303066663130",
		[CH_BINARY_BASE64] = "000441503851",
	};
	struct ch_column c;
	unsigned i;

	fx_begin(CURRENT);
	for (i = 0; i < N(expected); i++) {
		fx.opt.binary = (enum ch_binary_format)i;
		ck_assert(fx_init(&c, fx_column("c", "bytea", 17, 'b', 0), NULL));
		ck_assert_str_eq(fx_encode(&c, slice_str("\\x00ff10"), true), expected[i]);
	}
	fx_end();
}
END_TEST

/* ---- long strings: the length takes more bytes than were kept free */

START_TEST(long_texts_have_long_lengths)
{
	static const size_t lengths[] = { 127, 128, 16383, 16384, 1u << 20 };
	struct ch_column c;
	uint64_t n = 0;
	char *digits;
	size_t i, at;

	fx_begin(CURRENT);
	ck_assert(fx_init(&c, fx_column("c", "varbit", 1562, 'b', 0), NULL));
	for (i = 0; i < N(lengths); i++) {
		struct buf value;

		buf_init(&value, 1u << 20);
		buf_u32(&value, (uint32_t)lengths[i]);
		for (at = 0; at < (lengths[i] + 7) / 8; at++)
			buf_char(&value, (char)0x80);
		ck_assert(fx_encode(&c, buf_slice(&value), false) != NULL);
		buf_done(&value);
		for (at = 1, n = 0; fx.out.p[at] & 0x80; at++)
			n |= (uint64_t)(fx.out.p[at] & 0x7f) << 7 * (at - 1);
		n |= (uint64_t)fx.out.p[at] << 7 * (at - 1);
		ck_assert_uint_eq(n, lengths[i]);
		ck_assert_uint_eq(fx.out.n, at + 1 + n);
		digits = (char *)fx.out.p + at + 1;
		ck_assert_int_eq(digits[0], '1');
		ck_assert_int_eq(digits[8], '1');
		ck_assert_int_eq(digits[9], '0');
	}
	fx_end();
}
END_TEST

/* ---- malformed input is told apart from what does not fit */

static const struct {
	const char *base;
	uint32_t oid;
	int dims;
	bool text;
	const char *value;
} malformed[] = {
	{ "int4", 23, 0, true, "12x" },
	{ "int4", 23, 0, true, "" },
	{ "int4", 23, 0, true, "-" },
	{ "int4", 23, 0, true, "99999999999999999999" },
	{ "int4", 23, 0, false,
	    "0102"
	    "03" },
	{ "bool", 16, 0, true, "x" },
	{ "float8", 701, 0, true, "1.5 " },
	{ "char", 18, 0, true, "\\399" },
	{ "numeric", 1700, 0, true, "1.2.3" },
	{ "numeric", 1700, 0, true, "-" },
	{ "numeric", 1700, 0, false, "00010000" },
	{ "numeric", 1700, 0, false,
	    "0001000000000000"
	    "2710" }, /* digit 10000 */
	{ "uuid", 2950, 0, true, "00112233-4455-6677-8899-aabbccddeefg" },
	{ "uuid", 2950, 0, false, "00" },
	{ "date", 1082, 0, true, "2024-13-01" },
	{ "date", 1082, 0, true, "2024-02-01x" },
	{ "timestamp", 1114, 0, true, "2024-02-01" },
	{ "time", 1083, 0, true, "24:00:00.000001" },
	{ "bytea", 17, 0, true, "\\x0" },
	{ "bytea", 17, 0, true, "abc" },
	{ "interval", 1186, 0, true, "1 eon" },
	{ "inet", 869, 0, false, "02200004" },
	{ "varbit", 1562, 0, false, "0000001100" },
	{ "point", 600, 0, true, "(1,2" },
	{ "jsonb", 3802, 0, false, "027b7d" },
	{ "hstore", 20000, 0, true, "\"a\"=>" },
	{ "hstore", 20000, 0, false, "00000001" },
	{ "vector", 20000, 0, true, "[1,2" },
	{ "vector", 20000, 0, false,
	    "00020000"
	    "3f800000" },
	{ "int4", 23, 1, true, "{1,2" },
	{ "int4", 23, 1, true, "{1,{2}}" },
	{ "int4", 23, 1, true, "{1}}" },
	{ "int4", 23, 1, true, "" },
	{ "text", 25, 1, true, "{\"a}" },
	{ "int4", 23, 1, false,
	    "00000001"
	    "00000000"
	    "00000017"
	    "7fffffff"
	    "00000001" },
	{ "int4", 23, 1, false,
	    "00000007"
	    "00000000"
	    "00000017" },
	{ "int4", 23, 1, false,
	    "00000001"
	    "00000000"
	    "00000017"
	    "00000001"
	    "00000001"
	    "00000004"
	    "000000" },
};

START_TEST(malformed_values_are_errors_of_the_protocol)
{
	struct ch_column c;
	struct slice v;

	fx_begin(CURRENT);
	fx.opt.lossy_null = true; /* which is no excuse */
	ck_assert(fx_init(&c,
	    fx_column("c", malformed[_i].base, malformed[_i].oid, 'b', malformed[_i].dims), NULL));
	v = malformed[_i].text ? slice_str(malformed[_i].value) : fx_unhex(malformed[_i].value);
	ck_assert_msg(fx_encode(&c, v, malformed[_i].text) == NULL, "%s was taken",
	    malformed[_i].value);
	ck_assert_int_eq(fx.err.code, ERR_PROTOCOL);
	fx_end();
}
END_TEST

/* ---- NULL, and values that do not fit */

START_TEST(null_follows_the_column)
{
	struct ch_column c;
	PeerdWorker__Column *def;

	fx_begin(CURRENT);
	ck_assert(fx_init(&c, fx_column("c", "int4", 23, 'b', 0), NULL));
	ck_assert_str_eq(fx_encode_null(&c), "01");
	ck_assert(fx_init(&c, fx_column("c", "int4", 23, 'b', 1), NULL));
	ck_assert_ptr_null(fx_encode_null(&c));
	ck_assert_int_eq(fx.err.code, ERR_DATA);
	ck_assert_str_eq(fx.err.msg, "NULL does not fit Array(Nullable(Int32)): column \"c\"");
	ck_assert(fx_init(&c, fx_column("c", "int4", 23, 'b', 1), "Nullable(String)"));
	ck_assert_str_eq(fx_encode_null(&c), "01");
	/* bound to a table that has no NULL */
	def = fx_column("c", "int4", 23, 'b', 0);
	ck_assert(fx_init(&c, def, NULL) && ch_column_bind(&c, "Int32", &fx.err));
	ck_assert_ptr_null(fx_encode_null(&c));
	fx.opt.lossy_null = true;
	ck_assert_str_eq(fx_encode_null(&c), "00000000");
	fx_end();
}
END_TEST

START_TEST(without_nullable_null_is_the_default)
{
	struct ch_column c;

	fx_begin(CURRENT);
	fx.opt.nullable = false;
	ck_assert(fx_init(&c, fx_column("c", "int4", 23, 'b', 0), NULL));
	ck_assert_str_eq(fx_type(&c), "Int32");
	ck_assert_str_eq(fx_encode_null(&c), "00000000");
	ck_assert(fx_init(&c, fx_column("c", "text", 25, 'b', 1), NULL));
	ck_assert_str_eq(fx_type(&c), "Array(String)");
	ck_assert_str_eq(fx_encode_null(&c), "00");
	ck_assert_str_eq(fx_encode(&c, slice_str("{a,NULL}"), true), "02016100");
	fx_end();
}
END_TEST

START_TEST(lossy_values_are_replaced_and_counted)
{
	struct ch_column c;
	uint64_t cleared = 0;

	fx_begin(CURRENT);
	fx.opt.lossy_null = true;
	ck_assert(fx_init(&c, fx_column("c", "date", 1082, 'b', 0), NULL));
	c.cleared = &cleared;
	ck_assert_str_eq(fx_encode(&c, slice_str("infinity"), true), "01");
	ck_assert(ch_column_bind(&c, "Date32", &fx.err));
	ck_assert_str_eq(fx_encode(&c, slice_str("infinity"), true), "00000000");
	ck_assert_uint_eq(cleared, 2);
	ck_assert(fx_init(&c, fx_column("c", "date", 1082, 'b', 1), NULL));
	c.cleared = &cleared;
	ck_assert_str_eq(fx_encode(&c, slice_str("{infinity,1970-01-01}"), true), "02010000000000");
	ck_assert_str_eq(fx_encode(&c, slice_str("{{1970-01-01}}"), true), "00");
	ck_assert_uint_eq(cleared, 4);
	fx_end();
}
END_TEST

static const char *const every_type[] = { "Bool", "Int8", "Int16", "Int32", "Int64", "Int128",
	"Int256", "Float32", "Float64", "Decimal(9, 2)", "Decimal(18, 2)", "Decimal(38, 2)",
	"Decimal(76, 2)", "UUID", "Date", "Date32", "DateTime", "DateTime64(6)", "Time64(6)",
	"String", "FixedString(7)", "JSON", "Array(Int32)" };
static const size_t default_sizes[] = { 1, 1, 2, 4, 8, 16, 32, 4, 8, 4, 8, 16, 32, 16, 2, 4, 4, 8,
	8, 1, 7, 3, 1 };

START_TEST(absent_values_have_their_types_size)
{
	struct ch_column c = { .name = "c" };

	fx_begin(CURRENT);
	ck_assert(ch_type_parse(every_type[_i], &c.type, &fx.err));
	ch_encode_absent(&c, &fx.out);
	ck_assert_uint_eq(fx.out.n, default_sizes[_i]);
	c.type.nullable = true;
	buf_reset(&fx.out);
	ch_encode_absent(&c, &fx.out);
	ck_assert_str_eq(fx_hex(fx.out.p, fx.out.n), c.type.dims > 0 ? "00" : "01");
	fx_end();
}
END_TEST

/* ---- rows */

static PeerdWorker__MirrorTable def = PEERD_WORKER__MIRROR_TABLE__INIT;
static PeerdbFlow__FlowConnectionConfigs mirror = PEERDB_FLOW__FLOW_CONNECTION_CONFIGS__INIT;

static struct ch_table *
two_columns(void)
{
	static PeerdWorker__Column *cols[2];
	static char schema[] = "public", name[] = "t", none[] = "";
	struct ch_table_config cfg = {
		.mirror = &mirror,
		.opt = &fx.opt,
		.caps = &fx.caps,
		.place = { .database = "db", .cluster = "" },
	};
	struct ch_table *ct;

	cols[0] = fx_column("id", "int4", 23, 'b', 0);
	cols[0]->key_position = 1;
	cols[0]->not_null = true;
	cols[1] = fx_column("d", "date", 1082, 'b', 0);
	def.source_schema = schema;
	def.source_name = def.destination_name = name;
	def.destination_schema = none;
	def.columns = cols;
	def.n_columns = 2;
	ck_assert_msg(ch_table_new(fx.a, &cfg, table_new(fx.a, 0, &def), &ct, &fx.err), "%s",
	    fx.err.msg);
	return ct;
}

/* A row from the bytes of its values, each with its length before it. */
static struct row *
row_of(const char *hex, bool text)
{
	struct slice s = fx_unhex(hex);
	struct row *r = arena_zalloc(fx.a, sizeof(*r) + s.n);

	r->size = (uint32_t)s.n;
	r->text = text;
	memcpy(r->data, s.p, s.n);
	return r;
}

START_TEST(a_row_ends_with_flag_and_version)
{
	struct ch_table *ct;

	fx_begin(CURRENT);
	ct = two_columns();
	ck_assert(ch_encode_row(ct,
	    row_of("00000004"
		   "00000007"
		   "00000004"
		   "00000000",
		false),
	    0x1122334455667788, false, &fx.out, &fx.err));
	ck_assert_str_eq(fx_hex(fx.out.p, fx.out.n),
	    "07000000"
	    "00cd2a0000"
	    "00"
	    "8877665544332211");
	fx_end();
}
END_TEST

START_TEST(a_deleted_row_needs_its_key_only)
{
	struct ch_table *ct;

	fx_begin(CURRENT);
	ct = two_columns();
	ck_assert(ch_column_bind(&ct->cols[1], "Date32", &fx.err));
	/* text: a NUL after each value */
	ck_assert(ch_encode_row(ct,
	    row_of("00000001"
		   "3700"
		   "ffffffff",
		true),
	    1, true, &fx.out, &fx.err));
	ck_assert_str_eq(fx_hex(fx.out.p, fx.out.n),
	    "07000000"
	    "00000000"
	    "01"
	    "0100000000000000");
	fx_end();
}
END_TEST

START_TEST(an_error_names_table_column_and_key)
{
	struct ch_table *ct;

	fx_begin(CURRENT);
	ct = two_columns();
	buf_char(&fx.out, 'x');
	ck_assert(!ch_encode_row(ct,
	    row_of("00000004"
		   "00000007"
		   "00000004"
		   "7fffffff",
		false),
	    1, false, &fx.out, &fx.err));
	ck_assert_int_eq(fx.err.code, ERR_DATA);
	ck_assert_str_eq(fx.err.msg,
	    "infinity does not fit Nullable(Date32): column \"d\": public.t, key (id) = (7)");
	ck_assert_uint_eq(fx.out.n, 1);
	fx_end();
}
END_TEST

START_TEST(copy_rows_follow_each_other)
{
	const char *rows = "0002"
			   "00000004"
			   "00000001"
			   "ffffffff"
			   "0002"
			   "00000004"
			   "00000002"
			   "00000004"
			   "00000000"
			   "0002"
			   "00000004"
			   "0000";
	struct ch_table *ct;
	struct rbuf r;

	fx_begin(CURRENT);
	ct = two_columns();
	r = rbuf_of(fx_unhex(rows));
	ck_assert(ch_encode_copy_row(ct, &r, &fx.out, &fx.err));
	ck_assert_str_eq(fx_hex(fx.out.p, fx.out.n),
	    "01000000"
	    "01"
	    "00"
	    "0000000000000000");
	ck_assert(ch_encode_copy_row(ct, &r, &fx.out, &fx.err));
	ck_assert_uint_eq(rbuf_left(&r), 8);
	ck_assert(!ch_encode_copy_row(ct, &r, &fx.out, &fx.err));
	ck_assert_int_eq(fx.err.code, ERR_PROTOCOL);
	fx_end();
}
END_TEST

START_TEST(a_value_that_was_not_sent_is_our_bug)
{
	struct ch_table *ct;

	fx_begin(CURRENT);
	ct = two_columns();
	ck_assert(!ch_encode_row(ct,
	    row_of("00000004"
		   "00000007"
		   "fffffffe",
		false),
	    1, false, &fx.out, &fx.err));
	ck_assert_int_eq(fx.err.code, ERR_BUG);
	fx_end();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ch_encode");
	TCase *tc = tcase_create("values"), *rows = tcase_create("rows");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, both_forms_give_the_same_bytes, 0, N(ch_vectors));
	tcase_add_loop_test(tc, both_forms_give_the_same_bytes_for_an_old_server, 0, N(ch_vectors));
	tcase_add_loop_test(tc, a_string_is_what_postgres_prints, 0, N(ch_vectors));
	tcase_add_loop_test(tc, bytes_are_as_documented, 0, N(bytes));
	tcase_add_test(tc, numerics_with_idle_digits);
	tcase_add_loop_test(tc, some_types_have_a_text_of_their_own, 0, N(strings));
	tcase_add_test(tc, bytea_has_three_formats);
	tcase_add_test(tc, long_texts_have_long_lengths);
	tcase_add_loop_test(tc, malformed_values_are_errors_of_the_protocol, 0, N(malformed));
	tcase_add_test(tc, null_follows_the_column);
	tcase_add_test(tc, without_nullable_null_is_the_default);
	tcase_add_test(tc, lossy_values_are_replaced_and_counted);
	tcase_add_loop_test(tc, absent_values_have_their_types_size, 0, N(every_type));
	suite_add_tcase(s, tc);
	tcase_add_test(rows, a_row_ends_with_flag_and_version);
	tcase_add_test(rows, a_deleted_row_needs_its_key_only);
	tcase_add_test(rows, an_error_names_table_column_and_key);
	tcase_add_test(rows, copy_rows_follow_each_other);
	tcase_add_test(rows, a_value_that_was_not_sent_is_our_bug);
	suite_add_tcase(s, rows);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
