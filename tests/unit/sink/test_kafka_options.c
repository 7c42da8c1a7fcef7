#include <stdio.h>

#include "lib/sink/kafka_topic.h"
#include "tests/unit/sink/kafka_fixture.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define DOC  "docs/kafka.md"

START_TEST(defaults)
{
	fx_begin("PEERDB_NULLABLE=true clickhouse_thing=whatever");
	ck_assert_ptr_eq(fx.opt.format, kafka_format_find("peerdb-json"));
	ck_assert(fx.opt.exactly_once && fx.opt.topic_create && fx.opt.headers);
	ck_assert(!fx.opt.tombstones && !fx.opt.schemas);
	ck_assert_uint_eq(fx.opt.partitions, 0);
	ck_assert_uint_eq(fx.opt.decimals, KAFKA_DECIMALS_AUTO);
	ck_assert_uint_eq(fx.opt.oversize, KAFKA_OVERSIZE_FAIL);
	ck_assert_uint_eq(fx.opt.lossy, KAFKA_LOSSY_ERROR);
	ck_assert_uint_eq(fx.opt.controls, 0);
	ck_assert_str_eq(fx.opt.topic, "");
	ck_assert_str_eq(fx.opt.transaction_topic, "");
	fx_end();
}
END_TEST

START_TEST(settings)
{
	fx_begin(
	    "PEERD_KAFKA_FORMAT=Debezium-JSON peerd_kafka_exactly_once=off "
	    "PEERD_KAFKA_PARTITIONS=12 PEERD_KAFKA_OVERSIZE=dead-letter "
	    "PEERD_KAFKA_CONTROL=message,\ttruncate PEERD_KAFKA_TIMES=connect "
	    "PEERD_KAFKA_TOPIC_CONFIG=cleanup.policy=compact\tretention.ms=-1 on_lossy_value=null");
	ck_assert_ptr_eq(fx.opt.format, kafka_format_find("debezium-json"));
	ck_assert(!fx.opt.exactly_once);
	ck_assert_uint_eq(fx.opt.partitions, 12);
	ck_assert_uint_eq(fx.opt.oversize, KAFKA_OVERSIZE_DEAD_LETTER);
	ck_assert_uint_eq(fx.opt.controls, KAFKA_CONTROL_MESSAGE | KAFKA_CONTROL_TRUNCATE);
	ck_assert_uint_eq(fx.opt.times, KAFKA_TIMES_CONNECT);
	ck_assert_str_eq(fx.opt.topic_config, "cleanup.policy=compact retention.ms=-1");
	ck_assert_uint_eq(fx.opt.lossy, KAFKA_LOSSY_NULL);
	fx_end();
}
END_TEST

static const struct {
	const char *env;
	bool create;
} creation[] = {
	{ "PEERD_KAFKA_TOPIC_CREATE=false", false },
	{ "PEERD_KAFKA_TOPIC_CREATE=false PEERDB_QUEUE_FORCE_TOPIC_CREATION=true", true },
	{ "PEERDB_QUEUE_FORCE_TOPIC_CREATION=false", true },
};

START_TEST(force_creation)
{
	fx_begin(creation[_i].env);
	ck_assert(fx.opt.topic_create == creation[_i].create);
	fx_end();
}
END_TEST

static const struct {
	const char *env;
	const char *words;
	const char *hint;
} refused[] = {
	{ "PEERD_KAFKA_FORMAT=avro",
	    "PEERD_KAFKA_FORMAT is \"avro\", expected peerdb-json, debezium-json, plain-json", "" },
	{ "PEERD_KAFKA_HEADERS=maybe", "PEERD_KAFKA_HEADERS is \"maybe\", expected true, false",
	    "" },
	{ "PEERD_KAFKA_PARTITIONS=-1", "PEERD_KAFKA_PARTITIONS is \"-1\", expected 0 to 100000",
	    "" },
	{ "PEERD_KAFKA_REPLICATION_FACTOR=101",
	    "PEERD_KAFKA_REPLICATION_FACTOR is \"101\", expected 0 to 100", "" },
	{ "PEERD_KAFKA_CONTROL=truncate,drop",
	    "PEERD_KAFKA_CONTROL is \"truncate,drop\", expected truncate, ddl, message", "" },
	{ "PEERD_KAFKA_TOPIC_CONFIG=compact",
	    "PEERD_KAFKA_TOPIC_CONFIG is \"compact\", expected `name=value` pairs", "" },
	{ "PEERD_KAFKA_OVERSIZE=fai",
	    "PEERD_KAFKA_OVERSIZE is \"fai\", expected fail, "
	    "dead-letter, split",
	    "" },
	{ "PEERD_KAFKA_FORMATS=plain-json", "there is no setting \"PEERD_KAFKA_FORMATS\"",
	    "did you mean PEERD_KAFKA_FORMAT?" },
	{ "peerd_kafka_something_else_entirely=1",
	    "there is no setting \"peerd_kafka_something_else_entirely\"", "" },
};

START_TEST(refusals)
{
	struct kafka_options opt = { .partitions = 77 };

	fx_begin("");
	fx_set_env(refused[_i].env);
	ck_assert(!kafka_options_from(&fx.mirror, &opt, &fx.err));
	ck_assert_int_eq(fx.err.code, ERR_INVALID);
	ck_assert_str_eq(fx.err.msg, refused[_i].words);
	ck_assert_str_eq(fx.err.hint, refused[_i].hint);
	ck_assert_uint_eq(opt.partitions, 77);
	fx_end();
}
END_TEST

/* ---- topics */

static const struct {
	const char *template;
	const char *schema, *table;
	const char *topic; /* NULL: refused */
} topics[] = {
	{ "", "public", "orders", "public.orders" },
	{ "", "", "orders", "orders" },
	{ "cdc.{mirror}.{schema}.{table}", "public", "orders", "cdc.m1.public.orders" },
	{ "all", "public", "orders", "all" },
	{ "{table", "public", "orders", NULL },
	{ "{database}.{table}", "public", "orders", NULL },
	{ "", "public", "odd name", NULL },
	{ "", "public",
	    "gr\xc3\xb6\xc3\x9f"
	    "e",
	    NULL },
	{ "{schema}", "..", "x", NULL },
};

START_TEST(topic_names)
{
	char topic[KAFKA_TOPIC_MAX + 1] = "as it was";
	PeerdWorker__MirrorTable *def;
	bool ok;

	fx_begin("");
	def = fixture_def(fx.a, 0, "id:1");
	def->destination_schema = arena_strdup(fx.a, topics[_i].schema);
	def->destination_name = arena_strdup(fx.a, topics[_i].table);
	ok = kafka_topic_of(topics[_i].template, "m1", table_new(fx.a, 0, def), topic, &fx.err);
	ck_assert(ok == (topics[_i].topic != NULL));
	ck_assert_str_eq(topic, ok ? topics[_i].topic : "as it was");
	ck_assert(ok || fx.err.code == ERR_CONFIG || fx.err.code == ERR_INVALID);
	fx_end();
}
END_TEST

/* 249 characters are taken, 250 are not. */
START_TEST(topic_length)
{
	char topic[KAFKA_TOPIC_MAX + 1];
	char *template;

	fx_begin("");
	template = arena_zalloc(fx.a, KAFKA_TOPIC_MAX + 2);
	memset(template, 'a', KAFKA_TOPIC_MAX);
	ck_assert(kafka_topic_of(template, "m", NULL, topic, &fx.err));
	ck_assert_uint_eq(strlen(topic), KAFKA_TOPIC_MAX);
	template[KAFKA_TOPIC_MAX] = 'a';
	ck_assert(!kafka_topic_of(template, "m", NULL, topic, &fx.err));
	ck_assert_int_eq(fx.err.code, ERR_CONFIG);
	ck_assert(!kafka_topic_of("{table}", "m", NULL, topic, &fx.err));
	ck_assert_int_eq(fx.err.code, ERR_INVALID);
	fx_end();
}
END_TEST

/* ---- the page has the same table, line by line */

static char *
read_doc(void)
{
	FILE *f = fopen(DOC, "r");
	struct buf text;
	size_t n;
	uint8_t *to;

	ck_assert_msg(f != NULL, "cannot open %s", DOC);
	buf_init(&text, MIB);
	do {
		to = buf_room(&text, 4096);
		n = fread(to, 1, 4096, f);
		text.n += n;
	} while (n > 0);
	fclose(f);
	buf_char(&text, '\n');
	return buf_take(&text);
}

START_TEST(the_documentation_has_every_setting)
{
	struct kafka_option_words o;
	char *doc = read_doc(), *at;
	unsigned i, rows = 0;

	fx_begin("");
	for (i = 0; kafka_option_at(i, &o); i++) {
		char *line = arena_printf(fx.a, "\n| `%s` | %s | %s%s%s | %s |\n", o.name, o.values,
		    o.fallback[0] != '\0' ? "`" : "", o.fallback, o.fallback[0] != '\0' ? "`" : "",
		    o.meaning);

		ck_assert_msg(strstr(doc, line) != NULL, "%s lacks the line%s", DOC, line);
	}
	for (at = doc; (at = strstr(at, "\n| `PEERD")) != NULL; at++)
		rows++;
	ck_assert_uint_eq(rows + 1, i); /* and on_lossy_value */
	free(doc);
	fx_end();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kafka_options");
	TCase *tc = tcase_create("kafka_options");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, defaults);
	tcase_add_test(tc, settings);
	tcase_add_loop_test(tc, force_creation, 0, N(creation));
	tcase_add_loop_test(tc, refusals, 0, N(refused));
	tcase_add_loop_test(tc, topic_names, 0, N(topics));
	tcase_add_test(tc, topic_length);
	tcase_add_test(tc, the_documentation_has_every_setting);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
