#include <stdio.h>

#include "tests/unit/sink/ch_fixture.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define DOC  "docs/clickhouse.md"

/* ---- type texts */

static const struct {
	const char *text;
	const char *printed; /* NULL: not a type */
} texts[] = {
	{ "Int32", "Int32" },
	{ " Nullable( UInt8 ) ", "Nullable(UInt8)" },
	{ "Decimal(10,2)", "Decimal(10, 2)" },
	{ "Decimal(10)", "Decimal(10, 0)" },
	{ "Decimal256(38)", "Decimal(76, 38)" },
	{ "Decimal(77, 0)", NULL },
	{ "Decimal(5, 6)", NULL },
	{ "DateTime64(6, 'Europe/Berlin')", "DateTime64(6, 'Europe/Berlin')" },
	{ "DateTime64(10)", NULL },
	{ "DateTime('UTC')", "DateTime('UTC')" },
	{ "DateTime", "DateTime" },
	{ "Boolean", "Bool" },
	{ "FixedString(16)", "FixedString(16)" },
	{ "LowCardinality(Nullable(String))", "LowCardinality(Nullable(String))" },
	{ "Array(Array(LowCardinality(Nullable(String))))",
	    "Array(Array(LowCardinality(Nullable(String))))" },
	{ "Nullable(Array(Int8))", NULL },
	{ "Nullable(Nullable(Int8))", NULL },
	{ "Nullable(LowCardinality(String))", NULL },
	{ "Array(Int8", NULL },
	{ "Int8)", NULL },
	{ "Map(String, String)", NULL },
	{ "int32", NULL },
	{ "", NULL },
};

START_TEST(type_texts)
{
	struct ch_type t;

	fx_begin(CURRENT);
	if (texts[_i].printed == NULL) {
		ck_assert(!ch_type_parse(texts[_i].text, &t, &fx.err));
		ck_assert_int_eq(fx.err.code, ERR_CONFIG);
	} else {
		struct ch_column c = { .name = "c" };

		ck_assert_msg(ch_type_parse(texts[_i].text, &c.type, &fx.err), "%s", fx.err.msg);
		ck_assert_str_eq(fx_type(&c), texts[_i].printed);
	}
	fx_end();
}
END_TEST

/* ---- what columns become */

static const struct {
	const char *base;
	uint32_t oid;
	char kind;
	int dims;
	int precision, scale; /* numeric only, 0: unbounded */
	const char *current, *oldest;
} columns[] = {
	{ "bool", 16, 'b', 0, 0, 0, "Bool", "UInt8" },
	{ "numeric", 1700, 'b', 0, 10, 2, "Decimal(10, 2)", "Decimal(10, 2)" },
	{ "numeric", 1700, 'b', 0, 38, 38, "Decimal(38, 38)", "Decimal(38, 38)" },
	{ "numeric", 1700, 'b', 0, 39, 0, "Decimal(39, 0)", "String" },
	{ "numeric", 1700, 'b', 0, 76, 76, "Decimal(76, 76)", "String" },
	{ "numeric", 1700, 'b', 0, 77, 0, "String", "String" },
	{ "numeric", 1700, 'b', 0, 5, -2, "Decimal(7, 0)", "Decimal(7, 0)" },
	{ "numeric", 1700, 'b', 0, 3, 5, "Decimal(5, 5)", "Decimal(5, 5)" },
	{ "numeric", 1700, 'b', 0, 70, -10, "String", "String" },
	{ "numeric", 1700, 'b', 0, 0, 0, "Decimal(76, 38)", "String" },
	{ "numeric", 1700, 'b', 1, 10, 2, "Array(Nullable(Decimal(10, 2)))",
	    "Array(Nullable(Decimal(10, 2)))" },
	{ "date", 1082, 'b', 0, 0, 0, "Date32", "Date" },
	{ "timestamp", 1114, 'b', 0, 0, 0, "DateTime64(6, 'UTC')", "String" },
	{ "timestamp", 1114, 'b', 1, 0, 0, "Array(Nullable(DateTime64(6, 'UTC')))",
	    "Array(Nullable(String))" },
	{ "mood", 16500, 'e', 0, 0, 0, "LowCardinality(String)", "String" },
	{ "mood", 16500, 'e', 1, 0, 0, "Array(LowCardinality(Nullable(String)))",
	    "Array(Nullable(String))" },
	{ "jsonb", 3802, 'b', 1, 0, 0, "String", "String" },
	{ "int4", 23, 'b', 2, 0, 0, "Array(Array(Nullable(Int32)))",
	    "Array(Array(Nullable(Int32)))" },
	{ "vector", 16500, 'b', 0, 0, 0, "Array(Float32)", "Array(Float32)" },
	{ "vector", 16500, 'b', 1, 0, 0, "Array(Nullable(String))", "Array(Nullable(String))" },
	{ "comp", 16500, 'c', 0, 0, 0, "String", "String" },
	{ "int4", 16500, 'c', 0, 0, 0, "String", "String" }, /* a composite named like a type */
	{ "int4range", 3904, 'r', 1, 0, 0, "Array(Nullable(String))", "Array(Nullable(String))" },
};

static void
check_type(int row, const char *version, const char *expected)
{
	PeerdWorker__Column *def;
	struct ch_column c;

	fx_begin(version);
	def = fx_column("c", columns[row].base, columns[row].oid, columns[row].kind,
	    columns[row].dims);
	if (columns[row].precision > 0)
		def->base_modifier = fx_numeric(columns[row].precision, columns[row].scale);
	def->not_null = true;
	ck_assert_msg(fx_init(&c, def, NULL), "%s", fx.err.msg);
	ck_assert_str_eq(fx_type(&c), expected);
	fx_end();
}

START_TEST(columns_get_their_types)
{
	check_type(_i, CURRENT, columns[_i].current);
	check_type(_i, OLDEST, columns[_i].oldest);
}
END_TEST

START_TEST(domains_are_their_base_types)
{
	PeerdWorker__Column *def;
	struct ch_column c;

	fx_begin(CURRENT);
	def = fx_column("c", "numeric", 1700, 'b', 0);
	def->type_oid = 16999;
	def->base_modifier = fx_numeric(4, 1);
	ck_assert(fx_init(&c, def, NULL));
	ck_assert_str_eq(fx_type(&c), "Nullable(Decimal(4, 1))");
	fx_end();
}
END_TEST

/* ---- settings */

static const struct {
	const char *key, *value, *base;
	uint32_t oid;
	const char *type; /* NULL: the value is refused */
} settings[] = {
	{ "PEERDB_NULLABLE", "false", "int4", 23, "Int32" },
	{ "PEERDB_NULLABLE", "true", "int4", 23, "Nullable(Int32)" },
	{ "PEERDB_NULLABLE", "maybe", "int4", 23, NULL },
	{ "PEERDB_CLICKHOUSE_UNBOUNDED_NUMERIC_AS_STRING", "1", "numeric", 1700,
	    "Nullable(String)" },
	{ "PEERDB_CLICKHOUSE_ENABLE_JSON", "true", "jsonb", 3802, "Nullable(JSON)" },
	{ "PEERDB_CLICKHOUSE_BINARY_FORMAT", "hex", "bytea", 17, "Nullable(String)" },
	{ "PEERDB_CLICKHOUSE_BINARY_FORMAT", "octal", "bytea", 17, NULL },
	{ "on_lossy_value", "null", "int4", 23, "Nullable(Int32)" },
	{ "on_lossy_value", "ignore", "int4", 23, NULL },
	{ "PEERD_CLICKHOUSE_FLUSH_SECONDS", "0", "int4", 23, "Nullable(Int32)" },
	{ "PEERD_CLICKHOUSE_FLUSH_SECONDS", "soon", "int4", 23, NULL },
	{ "PEERD_CLICKHOUSE_FLUSH_SECONDS", "3601", "int4", 23, NULL },
	{ "SOMETHING_ELSE", "x", "int4", 23, "Nullable(Int32)" },
};

START_TEST(settings_are_read_from_env)
{
	PeerdbFlow__FlowConnectionConfigs mirror = PEERDB_FLOW__FLOW_CONNECTION_CONFIGS__INIT;
	PeerdbFlow__FlowConnectionConfigs__EnvEntry entry =
	    PEERDB_FLOW__FLOW_CONNECTION_CONFIGS__ENV_ENTRY__INIT;
	PeerdbFlow__FlowConnectionConfigs__EnvEntry *env = &entry;
	struct ch_column c;
	bool ok;

	fx_begin(CURRENT);
	entry.key = arena_strdup(fx.a, settings[_i].key);
	entry.value = arena_strdup(fx.a, settings[_i].value);
	mirror.env = &env;
	mirror.n_env = 1;
	ok = ch_options_from(&mirror, &fx.opt, &fx.err);
	ck_assert_int_eq(ok, settings[_i].type != NULL);
	if (!ok) {
		ck_assert_int_eq(fx.err.code, ERR_INVALID);
		ck_assert(strstr(fx.err.msg, settings[_i].key) != NULL);
	} else {
		ck_assert(
		    fx_init(&c, fx_column("c", settings[_i].base, settings[_i].oid, 'b', 0), NULL));
		ck_assert_str_eq(fx_type(&c), settings[_i].type);
	}
	fx_end();
}
END_TEST

START_TEST(time64_is_asked_for_by_a_flag)
{
	PeerdbFlow__FlowConnectionConfigs mirror = PEERDB_FLOW__FLOW_CONNECTION_CONFIGS__INIT;
	char flag[] = "clickhouse_time64_enabled", *flags = flag;
	struct ch_column c;

	fx_begin(CURRENT);
	mirror.flags = &flags;
	mirror.n_flags = 1;
	ck_assert(ch_options_from(&mirror, &fx.opt, &fx.err));
	ck_assert(fx_init(&c, fx_column("c", "time", 1083, 'b', 0), NULL));
	ck_assert_str_eq(fx_type(&c), "Nullable(Time64(6))");
	fx_end();
	fx_begin(OLDEST);
	ck_assert(ch_options_from(&mirror, &fx.opt, &fx.err));
	ck_assert(fx_init(&c, fx_column("c", "time", 1083, 'b', 0), NULL));
	ck_assert_str_eq(fx_type(&c), "Nullable(String)");
	fx_end();
}
END_TEST

/* ---- types that the mapping asks for, or that a table has */

static const struct {
	const char *version, *base;
	uint32_t oid;
	const char *type;
	bool ok;
} overrides[] = {
	{ CURRENT, "int8", 20, "UInt64", true },
	{ CURRENT, "int8", 20, "String", true },
	{ CURRENT, "int8", 20, "Float64", false },
	{ CURRENT, "int8", 20, "Date32", false },
	{ CURRENT, "numeric", 1700, "Int256", true },
	{ OLDEST, "numeric", 1700, "Int256", false },
	{ CURRENT, "numeric", 1700, "Float64", true },
	{ CURRENT, "float8", 701, "Float32", false },
	{ CURRENT, "timestamp", 1114, "DateTime('UTC')", true },
	{ OLDEST, "timestamp", 1114, "DateTime64(6)", false },
	{ OLDEST, "timestamp", 1114, "DateTime", true },
	{ CURRENT, "timestamp", 1114, "Int64", false },
	{ CURRENT, "text", 25, "FixedString(16)", true },
	{ CURRENT, "text", 25, "UUID", false },
	{ CURRENT, "text", 25, "Strin", false },
	{ CURRENT, "text", 25, "Array(String)", false },
	{ CURRENT, "vector", 20000, "String", true },
	{ CURRENT, "vector", 20000, "Array(Int32)", false },
};

START_TEST(types_of_the_mapping)
{
	struct ch_column c;
	bool ok;

	fx_begin(overrides[_i].version);
	ok = fx_init(&c, fx_column("c", overrides[_i].base, overrides[_i].oid, 'b', 0),
	    overrides[_i].type);
	ck_assert_msg(ok == overrides[_i].ok, "%s as %s: %s", overrides[_i].base,
	    overrides[_i].type, fx.err.msg);
	if (!ok) {
		ck_assert_int_eq(fx.err.code, ERR_CONFIG);
		ck_assert(strstr(fx.err.msg, "\"c\"") != NULL);
	}
	fx_end();
}
END_TEST

START_TEST(a_column_that_cannot_be_bound_stays_as_it_was)
{
	struct ch_column c;

	fx_begin(CURRENT);
	ck_assert(fx_init(&c, fx_column("c", "int4", 23, 'b', 0), NULL));
	ck_assert(!ch_column_bind(&c, "Date32", &fx.err));
	ck_assert_str_eq(fx.err.msg,
	    "column \"c\" is int4 on the source, which Date32 does not hold");
	ck_assert_str_eq(fx.err.hint, "Int32 does");
	ck_assert_str_eq(fx_encode(&c, slice_str("1"), true), "0001000000");
	fx_end();
}
END_TEST

/* ---- the source's SELECT list */

START_TEST(types_without_a_decoder_are_read_as_text)
{
	struct ch_column c;
	struct buf sql;

	fx_begin(CURRENT);
	buf_init(&sql, 1024);
	ck_assert(fx_init(&c, fx_column("a\"b", "int4", 23, 'b', 0), NULL));
	ch_column_select(&c, &sql);
	ck_assert_str_eq(buf_str(&sql), "\"a\"\"b\"");
	buf_reset(&sql);
	ck_assert(fx_init(&c, fx_column("r", "int4range", 3904, 'r', 0), NULL));
	ck_assert(!ch_column_binary_ok(c.def));
	ch_column_select(&c, &sql);
	ck_assert_str_eq(buf_str(&sql),
	    "CASE WHEN \"r\" IS DISTINCT FROM NULL THEN format('%s', \"r\") END");
	buf_done(&sql);
	fx_end();
}
END_TEST

/* ---- the documentation shows the same table */

static bool
doc_has(const char *doc, const struct ch_mapping *m)
{
	char row[256];

	snprintf(row, sizeof(row), "| `%s` | `%s` | %s |", m->postgres, m->clickhouse,
	    m->binary ? "binary" : "text");
	if (strncmp(m->postgres, "any ", 4) == 0)
		snprintf(row, sizeof(row), "| %s | `%s` | text |", m->postgres, m->clickhouse);
	return strstr(doc, row) != NULL;
}

START_TEST(the_documentation_has_every_type)
{
	struct ch_mapping m;
	struct buf doc;
	unsigned i, rows = 0;
	const char *p;
	FILE *f;
	size_t n;
	uint8_t *to;

	f = fopen(DOC, "r");
	ck_assert_msg(f != NULL, "%s is read from the top of the tree", DOC);
	buf_init(&doc, MIB);
	while ((to = buf_room(&doc, 4096)) != NULL && (n = fread(to, 1, 4096, f)) > 0)
		doc.n += n;
	buf_char(&doc, '\n');
	fclose(f);
	for (i = 0; ch_mapping_at(i, &m); i++)
		ck_assert_msg(doc_has(buf_str(&doc), &m), "no row of the table has %s, %s",
		    m.postgres, m.clickhouse);
	for (p = buf_str(&doc); (p = strstr(p, "` | binary |")) != NULL; p++)
		rows++;
	for (p = buf_str(&doc); (p = strstr(p, "` | text |")) != NULL; p++)
		rows++;
	ck_assert_uint_eq(rows, i);
	buf_done(&doc);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ch_types");
	TCase *tc = tcase_create("types");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, type_texts, 0, N(texts));
	tcase_add_loop_test(tc, columns_get_their_types, 0, N(columns));
	tcase_add_test(tc, domains_are_their_base_types);
	tcase_add_loop_test(tc, settings_are_read_from_env, 0, N(settings));
	tcase_add_test(tc, time64_is_asked_for_by_a_flag);
	tcase_add_loop_test(tc, types_of_the_mapping, 0, N(overrides));
	tcase_add_test(tc, a_column_that_cannot_be_bound_stays_as_it_was);
	tcase_add_test(tc, types_without_a_decoder_are_read_as_text);
	tcase_add_test(tc, the_documentation_has_every_type);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
