#include "tests/unit/sink/kafka_fixture.h"

#include "lib/base/clock.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define INT4 23
#define TEXT 25
#define ORIGIN \
	"\"checkpoint\":24,\"commit_time\":\"2024-02-29T13:01:02.500Z\",\"transaction_id\":571"

static const uint32_t id_int[] = { INT4, TEXT, TEXT, 0 };

/* ---- values; changes as in change_fixture.h, records between bars: key value */

static const struct {
	const char *env;
	const char *columns;
	const char *change;
	const char *records[KAFKA_RECORDS_MAX];
} builds[] = {
	/* peerdb-json */
	{ "", "id:1 z a", "+1|x|~",
	    { "{\"id\":1} {\"kind\":\"insert\",\"new\":{\"a\":null,\"id\":1,\"z\":\"x\"}," ORIGIN
	      ",\"source\":\"public.t0\"}" } },
	{ "", "id:1 z a", "=1|?|y",
	    { "{\"id\":1} {\"kind\":\"update\",\"new\":{\"a\":\"y\",\"id\":1}," ORIGIN
	      ",\"source\":\"public.t0\",\"unchanged_columns\":[\"z\"]}" } },
	{ "", "id:1 z a", "o1|old|b>1|?|y",
	    { "{\"id\":1} {\"kind\":\"update\",\"old\":{\"a\":\"b\",\"id\":1,\"z\":\"old\"},"
	      "\"new\":{\"a\":\"y\",\"id\":1}," ORIGIN
	      ",\"source\":\"public.t0\",\"unchanged_columns\":[\"z\"]}" } },
	{ "PEERD_KAFKA_UNCHANGED=fill", "id:1 z a", "o1|old|b>1|?|y",
	    { "{\"id\":1} {\"kind\":\"update\",\"old\":{\"a\":\"b\",\"id\":1,\"z\":\"old\"},"
	      "\"new\":{\"a\":\"y\",\"id\":1,\"z\":\"old\"}," ORIGIN
	      ",\"source\":\"public.t0\"}" } },
	{ "", "id:1 z a", "-1|~|~",
	    { "{\"id\":1} {\"kind\":\"delete\",\"old\":{\"id\":1}," ORIGIN
	      ",\"source\":\"public.t0\"}" } },
	{ "PEERD_KAFKA_TOMBSTONES=on", "id:1 z a", "k1|~|~>2|x|y",
	    { "{\"id\":1} {\"kind\":\"delete\",\"old\":{\"id\":1}," ORIGIN
	      ",\"source\":\"public.t0\"}",
		"{\"id\":1} ~",
		"{\"id\":2} {\"kind\":\"insert\",\"new\":{\"a\":\"y\",\"id\":2,\"z\":\"x\"}," ORIGIN
		",\"source\":\"public.t0\"}" } },
	/* an old key that is the same changes nothing, and is shown */
	{ "", "id:1 z a", "k1|~|~>1|x|y",
	    { "{\"id\":1} {\"kind\":\"update\",\"old\":{\"id\":1},\"new\":{\"a\":\"y\",\"id\":1,"
	      "\"z\":\"x\"}," ORIGIN ",\"source\":\"public.t0\"}" } },
	/* a key of two columns, in its own order; an unsent part of it comes from the old row */
	{ "", "id:2 z:1 a", "o1|k|b>1|?|y",
	    { "{\"z\":\"k\",\"id\":1} "
	      "{\"kind\":\"update\",\"old\":{\"a\":\"b\",\"id\":1,\"z\":\"k\"},"
	      "\"new\":{\"a\":\"y\",\"id\":1,\"z\":\"k\"}," ORIGIN ",\"source\":\"public.t0\"}" } },
	/* no key */
	{ "", "id z a", "x1|b|c",
	    { "~ {\"kind\":\"delete\",\"old\":{\"a\":\"c\",\"id\":1,\"z\":\"b\"}," ORIGIN
	      ",\"source\":\"public.t0\"}" } },

	/* plain-json */
	{ "PEERD_KAFKA_FORMAT=plain-json", "id:1 z a", "+1|x|~",
	    { "{\"id\":1} {\"id\":1,\"z\":\"x\",\"a\":null}" } },
	{ "PEERD_KAFKA_FORMAT=plain-json", "id:1 z a", "=1|?|y",
	    { "{\"id\":1} {\"id\":1,\"a\":\"y\"}" } },
	{ "PEERD_KAFKA_FORMAT=plain-json PEERD_KAFKA_TOMBSTONES=on", "id:1 z a", "-1|~|~",
	    { "{\"id\":1} ~" } },
	{ "PEERD_KAFKA_FORMAT=plain-json", "id:1 z a", "k1|~|~>2|x|y",
	    { "{\"id\":1} ~", "{\"id\":2} {\"id\":2,\"z\":\"x\",\"a\":\"y\"}" } },
	{ "PEERD_KAFKA_FORMAT=plain-json", "id z a", "x1|b|c",
	    { "~ {\"id\":1,\"z\":\"b\",\"a\":\"c\"}" } },

/* debezium-json */
#define SOURCE                                                                                    \
	"\"source\":{\"version\":\"" PEERD_VERSION "\",\"connector\":\"postgresql\",\"name\":"    \
	"\"orders\",\"db\":\"shop\",\"schema\":\"public\",\"table\":\"t0\",\"ts_ms\":"            \
	"1709211662500,\"snapshot\":\"false\",\"sequence\":\"[\\\"97500059720\\\",\\\"24\\\"]\"," \
	"\"txId\":571,\"lsn\":24,\"xmin\":null}"
#define TAIL(op) ",\"op\":\"" op "\",\"ts_ms\":1709211663000,\"transaction\":null}"
	{ "PEERD_KAFKA_FORMAT=debezium-json", "id:1 z a", "+1|x|~",
	    { "{\"id\":1} {\"before\":null,\"after\":{\"id\":1,\"z\":\"x\",\"a\":null}," SOURCE
		    TAIL("c") } },
	{ "PEERD_KAFKA_FORMAT=debezium-json", "id:1 z a", "=1|?|y",
	    { "{\"id\":1} {\"before\":null,\"after\":{\"id\":1,\"z\":"
	      "\"__debezium_unavailable_value\",\"a\":\"y\"}," SOURCE TAIL("u") } },
	{ "PEERD_KAFKA_FORMAT=debezium-json", "id:1 z a", "o1|old|b>1|?|y",
	    { "{\"id\":1} {\"before\":{\"id\":1,\"z\":\"old\",\"a\":\"b\"},\"after\":{\"id\":1,"
	      "\"z\":\"old\",\"a\":\"y\"}," SOURCE TAIL("u") } },
	{ "PEERD_KAFKA_FORMAT=debezium-json PEERD_KAFKA_TOMBSTONES=on", "id:1 z a", "-1|~|~",
	    { "{\"id\":1} {\"before\":{\"id\":1,\"z\":null,\"a\":null},\"after\":null," SOURCE TAIL(
		  "d"),
		"{\"id\":1} ~" } },
	{ "PEERD_KAFKA_FORMAT=debezium-json PEERD_KAFKA_TRANSACTION_TOPIC=tx", "id:1 z a", "+1|x|~",
	    { "{\"id\":1} {\"before\":null,\"after\":{\"id\":1,\"z\":\"x\",\"a\":null}," SOURCE
	      ",\"op\":\"c\",\"ts_ms\":1709211663000,\"transaction\":{\"id\":\"571:97500059720\","
	      "\"total_order\":8,\"data_collection_order\":4}}" } },
};

START_TEST(records_of_a_change)
{
	unsigned i;

	fx_begin(builds[_i].env);
	fx_table(builds[_i].columns, id_int);
	fx_record(builds[_i].change);
	for (i = 0; i < fx.records.n; i++) {
		struct kafka_record *r = &fx.records.v[i];

		ck_assert_str_eq(r->topic, "copy.d0");
		ck_assert_ptr_nonnull(builds[_i].records[i]);
		ck_assert_str_eq(arena_printf(fx.a, "%s %s", fx_text(r->key), fx_text(r->value)),
		    builds[_i].records[i]);
	}
	ck_assert(i == KAFKA_RECORDS_MAX || builds[_i].records[i] == NULL);
	fx_end();
}
END_TEST

/* ---- tables without key whose records have one */

START_TEST(hashes_of_rows)
{
	const char *inserted, *changed, *gone;

	fx_begin("PEERD_KAFKA_KEYLESS=hash");
	fx_table("id z", id_int);
	fx_record("+1|~");
	inserted = fx_text(fx.records.v[0].key);
	ck_assert_uint_eq(strlen(inserted), strlen("{\"hash\":\"0123456789abcdef\"}"));
	fx_record("x1|~");
	ck_assert_str_eq(fx_text(fx.records.v[0].key), inserted);
	fx_record("+1|");
	ck_assert_str_ne(fx_text(fx.records.v[0].key), inserted);
	fx_record("o1|~>2|~");
	ck_assert_uint_eq(fx.records.n, 2);
	gone = fx_text(fx.records.v[0].key);
	changed = fx_text(fx.records.v[1].key);
	ck_assert_str_eq(gone, inserted);
	fx_record("+2|~");
	ck_assert_str_eq(fx_text(fx.records.v[0].key), changed);
	fx_end();
}
END_TEST

/* ---- headers */

static const struct {
	const char *name;
	const char *value; /* NULL: none of this name */
} headers[] = {
	{ "peerd.mirror", "orders" },
	{ "peerd.table", "public.t0" },
	{ "peerd.op", "update" },
	{ "peerd.lsn", "0/18" },
	{ "peerd.commit_time", "2024-02-29T13:01:02.500Z" },
	{ "peerd.xid", "571" },
	{ "peerd.id", "16/B374D848:7" },
	{ "peerd.unchanged_columns", "[\"z\"]" },
	{ "__debezium.newkey", NULL },
};

START_TEST(headers_of_a_change)
{
	const char *value;

	fx_begin("");
	fx_table("id:1 z a", id_int);
	fx_record("=1|?|y");
	value = fx_header(0, headers[_i].name);
	if (headers[_i].value == NULL)
		ck_assert_ptr_null(value);
	else
		ck_assert_str_eq(value, headers[_i].value);
	fx_end();
}
END_TEST

START_TEST(headers_of_a_changed_key)
{
	fx_begin("PEERD_KAFKA_FORMAT=debezium-json PEERD_KAFKA_TOMBSTONES=on");
	fx_table("id:1 z a", id_int);
	fx_record("k1|~|~>2|x|y");
	ck_assert_uint_eq(fx.records.n, 3);
	ck_assert_str_eq(fx_header(0, "__debezium.newkey"), "{\"id\":2}");
	ck_assert_str_eq(fx_header(2, "__debezium.oldkey"), "{\"id\":1}");
	ck_assert_str_eq(fx_header(0, "peerd.id"), "16/B374D848:7:delete");
	ck_assert_str_eq(fx_header(1, "peerd.id"), "16/B374D848:7:tombstone");
	ck_assert_str_eq(fx_header(2, "peerd.id"), "16/B374D848:7");
	ck_assert_str_eq(fx_header(1, "peerd.op"), "tombstone");
	ck_assert_str_eq(fx_header(2, "peerd.op"), "insert");
	fx_end();
}
END_TEST

START_TEST(headers_may_be_off)
{
	fx_begin("PEERD_KAFKA_HEADERS=off PEERD_KAFKA_FORMAT=debezium-json");
	fx_table("id:1 z a", id_int);
	fx_record("k1|~|~>2|?|y");
	ck_assert_uint_eq(fx.records.v[0].nheaders, 0);
	ck_assert_uint_eq(fx.records.v[1].nheaders, 0);
	fx_end();
}
END_TEST

/* Another transaction, other texts; another shape of the table, another version. */
START_TEST(headers_follow)
{
	const char *version;

	fx_begin("");
	fx_table("id:1 z a", id_int);
	fx_record("+1|x|y");
	version = fx_header(0, "peerd.schema_version");
	fx.tx = (struct transaction){ .xid = 572, .commit_lsn = 0x17, .commit_us = -1 };
	fx_record("+1|x|y");
	ck_assert_str_eq(fx_header(0, "peerd.xid"), "572");
	ck_assert_str_eq(fx_header(0, "peerd.id"), "0/17:7");
	ck_assert_str_eq(fx_header(0, "peerd.commit_time"), "1969-12-31T23:59:59.999999Z");
	ck_assert_str_eq(fx_header(0, "peerd.schema_version"), version);
	kafka_encoder_free(&fx.e);
	fx_table("id:1 z b", id_int);
	fx_record("+1|x|y");
	ck_assert_str_ne(fx_header(0, "peerd.schema_version"), version);
	fx_end();
}
END_TEST

/* ---- snapshot */

static const struct {
	const char *env;
	const char *value;
} snapshots[] = {
	{ "",
	    "{\"kind\":\"insert\",\"new\":{\"a\":\"b\\tc\\\\d\",\"id\":1,\"z\":null},"
	    "\"checkpoint\":0,\"commit_time\":\"0001-01-01T00:00:00Z\",\"transaction_id\":0,"
	    "\"source\":\"public.t0\"}" },
	{ "PEERD_KAFKA_FORMAT=plain-json", "{\"id\":1,\"z\":null,\"a\":\"b\\tc\\\\d\"}" },
	{ "PEERD_KAFKA_FORMAT=debezium-json",
	    "{\"before\":null,\"after\":{\"id\":1,\"z\":null,\"a\":\"b\\tc\\\\d\"},\"source\":{"
	    "\"version\":\"" PEERD_VERSION "\",\"connector\":\"postgresql\",\"name\":\"orders\","
	    "\"db\":\"shop\",\"schema\":\"public\",\"table\":\"t0\",\"ts_ms\":1709211663000,"
	    "\"snapshot\":\"true\",\"sequence\":\"[null,\\\"23\\\"]\",\"txId\":null,\"lsn\":23,"
	    "\"xmin\":null},\"op\":\"r\",\"ts_ms\":1709211663000,\"transaction\":null}" },
};

START_TEST(rows_of_copy)
{
	struct kafka_origin o = { .lsn = 0x17,
		.partition = "snap/0/3",
		.now_us = 1709211663000000 };
	static const char text[] = "1\t\\N\tb\\tc\\\\d\n2\tx\t\n";
	struct slice rows = slice_of(text, sizeof(text) - 1);
	const struct row_value *values;

	fx_begin(snapshots[_i].env);
	fx_table("id:1 z a", id_int);
	ck_assert(kafka_copy_next(fx.e, fx.kt, &rows, &values, &fx.err));
	ck_assert(kafka_snapshot_build(fx.e, fx.kt, values, &o, &fx.records, &fx.err));
	ck_assert_uint_eq(fx.records.n, 1);
	ck_assert_str_eq(fx_text(fx.records.v[0].key), "{\"id\":1}");
	ck_assert_str_eq(fx_text(fx.records.v[0].value), snapshots[_i].value);
	ck_assert_str_eq(fx_header(0, "peerd.op"), "read");
	ck_assert_str_eq(fx_header(0, "peerd.id"), "snap/0/3:0");
	ck_assert_str_eq(fx_header(0, "peerd.lsn"), "0/17");
	ck_assert_ptr_null(fx_header(0, "peerd.xid"));
	ck_assert(kafka_copy_next(fx.e, fx.kt, &rows, &values, &fx.err));
	ck_assert_uint_eq(values[2].len, 0);
	ck_assert(!kafka_copy_next(fx.e, fx.kt, &rows, &values, &fx.err));
	ck_assert_uint_eq(rows.n, 0);
	ck_assert_int_eq(fx.err.code, ERR_NONE);
	fx_end();
}
END_TEST

static const char *const bad_copies[] = { "1\tx\ty", "1\tx\n", "1\tx\ty\tz\n", "\n" };

START_TEST(malformed_copy)
{
	struct slice rows = slice_str(bad_copies[_i]);
	const struct row_value *values;

	fx_begin("");
	fx_table("id:1 z a", id_int);
	ck_assert(!kafka_copy_next(fx.e, fx.kt, &rows, &values, &fx.err));
	ck_assert_int_eq(fx.err.code, ERR_PROTOCOL);
	ck_assert_uint_gt(rows.n, 0);
	fx_end();
}
END_TEST

/* ---- schemas: every value agrees with the schema beside it */

static void check_struct(const cJSON *schema, const cJSON *value);

static void
check_structs(const cJSON *schema, const cJSON *list)
{
	const cJSON *value;

	ck_assert(cJSON_IsArray(list));
	cJSON_ArrayForEach(value, list)
	{
		check_struct(schema, value);
	}
}

static void
check_struct(const cJSON *schema, const cJSON *value)
{
	const cJSON *field, *member;

	cJSON_ArrayForEach(field, cJSON_GetObjectItem(schema, "fields"))
	{
		const char *type = cJSON_GetObjectItem(field, "type")->valuestring;

		member = cJSON_GetObjectItem(value,
		    cJSON_GetObjectItem(field, "field")->valuestring);
		ck_assert_ptr_nonnull(member);
		if (cJSON_IsNull(member))
			ck_assert(cJSON_IsTrue(cJSON_GetObjectItem(field, "optional")));
		else if (strcmp(type, "struct") == 0)
			check_struct(field, member);
		else if (strcmp(type, "array") == 0)
			check_structs(cJSON_GetObjectItem(field, "items"), member);
		else
			ck_assert(strcmp(type, "string") == 0 ? cJSON_IsString(member)
							      : cJSON_IsNumber(member));
	}
	ck_assert_int_eq(cJSON_GetArraySize(cJSON_GetObjectItem(schema, "fields")),
	    cJSON_GetArraySize(value));
}

static void
check_with_schema(struct slice text, const char *name)
{
	cJSON *tree = cJSON_ParseWithLength((const char *)text.p, text.n), *schema;

	ck_assert_ptr_nonnull(tree);
	schema = cJSON_GetObjectItem(tree, "schema");
	ck_assert_str_eq(cJSON_GetObjectItem(schema, "name")->valuestring, name);
	check_struct(schema, cJSON_GetObjectItem(tree, "payload"));
	cJSON_Delete(tree);
}

static const char *const with_schema[] = { "+1|x|~", "=1|?|y", "-1|~|~", "o1|x|y>1|?|z",
	"k1|~|~>2|x|y" };

START_TEST(values_agree_with_schemas)
{
	unsigned i;

	fx_begin("PEERD_KAFKA_FORMAT=debezium-json PEERD_KAFKA_SCHEMAS=on "
		 "PEERD_KAFKA_TRANSACTION_TOPIC=tx");
	fx_table("id:1 z a", id_int);
	fx_record(with_schema[_i]);
	for (i = 0; i < fx.records.n; i++) {
		check_with_schema(fx.records.v[i].key, "copy.d0.Key");
		check_with_schema(fx.records.v[i].value, "copy.d0.Envelope");
	}
	fx_end();
}
END_TEST

START_TEST(hashes_have_a_schema)
{
	fx_begin("PEERD_KAFKA_FORMAT=debezium-json PEERD_KAFKA_SCHEMAS=on "
		 "PEERD_KAFKA_KEYLESS=hash");
	fx_table("id z", id_int);
	fx_record("+1|x");
	check_with_schema(fx.records.v[0].key, "copy.d0.Key");
	fx_end();
}
END_TEST

/* ---- control records */

static const struct {
	const char *env;
	enum kafka_controls kind;
	const char *topic;
	const char *value; /* its beginning; NULL: no record */
} controls[] = {
	{ "", KAFKA_CONTROL_TRUNCATE, NULL, NULL },
	{ "PEERD_KAFKA_CONTROL=ddl", KAFKA_CONTROL_TRUNCATE, NULL, NULL },
	{ "PEERD_KAFKA_CONTROL=truncate", KAFKA_CONTROL_TRUNCATE, "copy.d0",
	    "{\"kind\":\"truncate\",\"checkpoint\":24,\"commit_time\":\"2024-02-29T13:01:02.500Z\","
	    "\"transaction_id\":571,\"source\":\"public.t0\"}" },
	{ "PEERD_KAFKA_CONTROL=ddl", KAFKA_CONTROL_DDL, "orders.control",
	    "{\"kind\":\"ddl\",\"ddl\":\"ALTER \\\"t\\\"\",\"checkpoint\":24," },
	{ "PEERD_KAFKA_CONTROL=message PEERD_KAFKA_CONTROL_TOPIC=c.{mirror}", KAFKA_CONTROL_MESSAGE,
	    "c.orders",
	    "{\"kind\":\"message\",\"prefix\":\"ALTER \\\"t\\\"\",\"content\":\"AAH/\"," },
	{ "PEERD_KAFKA_CONTROL=truncate PEERD_KAFKA_FORMAT=debezium-json", KAFKA_CONTROL_TRUNCATE,
	    "copy.d0", "{\"before\":null,\"after\":null,\"source\":{" },
	{ "PEERD_KAFKA_CONTROL=message PEERD_KAFKA_FORMAT=debezium-json", KAFKA_CONTROL_MESSAGE,
	    "orders.control", "{\"source\":{" },
};

START_TEST(control_records)
{
	struct kafka_origin o = { .tx = &fx.tx, .position = 2, .lsn = 24 };
	struct kafka_control c = { .kind = controls[_i].kind,
		.text = "ALTER \"t\"",
		.content = slice_of("\0\1\xff", 3) };
	struct kafka_record *r = &fx.records.v[0];

	fx_begin(controls[_i].env);
	fx_table("id:1 z a", id_int);
	c.table = fx.kt;
	ck_assert(kafka_control_build(fx.e, &c, &o, &fx.records, &fx.err));
	ck_assert_uint_eq(fx.records.n, controls[_i].value != NULL);
	if (controls[_i].value != NULL) {
		ck_assert_str_eq(r->topic, controls[_i].topic);
		ck_assert_ptr_null(r->key.p);
		fx_check_json((const char *)r->value.p, r->value.n);
		ck_assert(strncmp(fx_text(r->value), controls[_i].value,
			      strlen(controls[_i].value)) == 0);
		ck_assert_str_eq(fx_header(0, "peerd.id"), "16/B374D848:2");
	}
	fx_end();
}
END_TEST

static const char *const alone[] = { "peerdb-json", "debezium-json" };

START_TEST(a_message_of_no_transaction_has_an_id_of_its_own)
{
	const struct transaction none = { .commit_lsn = 24, .commit_us = 1 };
	const struct kafka_origin o = { .tx = &none, .lsn = 24 };
	const struct kafka_control c = { .kind = KAFKA_CONTROL_MESSAGE, .text = "p" };
	const char *value;
	char env[128];

	snprintf(env, sizeof(env),
	    "PEERD_KAFKA_CONTROL=message PEERD_KAFKA_TRANSACTION_TOPIC=t PEERD_KAFKA_FORMAT=%s",
	    alone[_i]);
	fx_begin(env);
	fx_table("id:1 z a", id_int);
	ck_assert(kafka_control_build(fx.e, &c, &o, &fx.records, &fx.err));
	value = fx_text(fx.records.v[0].value);
	ck_assert_msg(_i == 0 ? strstr(value, "\"transaction_id\":0}") != NULL
			      : strstr(value, "\"txId\":null") != NULL &&
		    strstr(value, "\"transaction\":null") != NULL,
	    "%s", value);
	ck_assert_str_eq(fx_header(0, "peerd.id"), "0/18:0:message");
	ck_assert_ptr_null(fx_header(0, "peerd.xid"));
	fx_end();
}
END_TEST

START_TEST(transaction_records)
{
	struct kafka_origin o = { .tx = &fx.tx, .position = 5, .lsn = 24 };
	struct kafka_transaction_count counts[1];
	struct kafka_record *r = &fx.records.v[0];

	fx_begin("PEERD_KAFKA_TRANSACTION_TOPIC={mirror}.tx");
	fx_table("id:1 z a", id_int);
	counts[0] = (struct kafka_transaction_count){ fx.t, 5 };
	ck_assert_str_eq(kafka_encoder_topic(fx.e, KAFKA_TOPIC_TRANSACTIONS), "orders.tx");
	ck_assert(kafka_transaction_build(fx.e, &o, NULL, 0, &fx.records, &fx.err));
	ck_assert_str_eq(r->topic, "orders.tx");
	ck_assert_str_eq(fx_text(r->key), "{\"id\":\"571:97500059720\"}");
	ck_assert_str_eq(fx_text(r->value),
	    "{\"status\":\"BEGIN\",\"id\":\"571:97500059720\",\"ts_ms\":1709211662500,"
	    "\"event_count\":null,\"data_collections\":null}");
	ck_assert(kafka_transaction_build(fx.e, &o, counts, 1, &fx.records, &fx.err));
	ck_assert_str_eq(fx_text(r->value),
	    "{\"status\":\"END\",\"id\":\"571:97500059720\",\"ts_ms\":1709211662500,"
	    "\"event_count\":5,\"data_collections\":[{\"data_collection\":\"public.t0\","
	    "\"event_count\":5}]}");
	fx_end();
}
END_TEST

START_TEST(transactions_agree_with_schemas)
{
	struct kafka_origin o = { .tx = &fx.tx, .position = 5, .lsn = 24 };
	struct kafka_transaction_count counts[1];
	unsigned i;

	fx_begin("PEERD_KAFKA_TRANSACTION_TOPIC=tx PEERD_KAFKA_SCHEMAS=on "
		 "PEERD_KAFKA_FORMAT=debezium-json");
	fx_table("id:1 z a", id_int);
	counts[0] = (struct kafka_transaction_count){ fx.t, 5 };
	for (i = 0; i < 2; i++) {
		ck_assert(kafka_transaction_build(fx.e, &o, i > 0 ? counts : NULL, i, &fx.records,
		    &fx.err));
		check_with_schema(fx.records.v[0].key,
		    "io.debezium.connector.common.TransactionMetadataKey");
		check_with_schema(fx.records.v[0].value,
		    "io.debezium.connector.common.TransactionMetadataValue");
	}
	fx_end();
}
END_TEST

START_TEST(snapshot_is_an_enum)
{
	fx_begin("PEERD_KAFKA_FORMAT=debezium-json PEERD_KAFKA_SCHEMAS=on");
	fx_table("id:1 z a", id_int);
	fx_record("+1|x|y");
	ck_assert_ptr_nonnull(strstr(fx_text(fx.records.v[0].value),
	    "{\"type\":\"string\",\"optional\":true,\"name\":\"io.debezium.data.Enum\","
	    "\"version\":1,\"parameters\":{\"allowed\":\"true,first,"));
	fx_end();
}
END_TEST

/* ---- records that are too large */

START_TEST(parts_make_up_the_whole)
{
	struct kafka_record part;
	struct buf whole;
	unsigned i;

	fx_begin("");
	fx_table("id:1 z a", id_int);
	fx_record("+1|0123456789012345678901234567890123456789|y");
	buf_init(&whole, MIB);
	for (i = 0; kafka_record_part(fx.e, &fx.records.v[0], 512, i, &part); i++) {
		ck_assert_uint_le(kafka_record_bytes(&part), 512);
		ck_assert(slice_eq(part.key, fx.records.v[0].key));
		buf_add(&whole, part.value.p, part.value.n);
	}
	ck_assert_uint_gt(i, 1);
	ck_assert(slice_eq(buf_slice(&whole), fx.records.v[0].value));
	ck_assert(kafka_record_part(fx.e, &fx.records.v[0], 512, 0, &part));
	ck_assert_str_eq((const char *)part.headers[part.nheaders - 1].name.p, "peerd.part");
	ck_assert_str_eq(fx_text(part.headers[part.nheaders - 1].value),
	    arena_printf(fx.a, "1/%u", i));
	ck_assert(!kafka_record_part(fx.e, &fx.records.v[0], 100, 0, &part));
	buf_done(&whole);
	fx_end();
}
END_TEST

START_TEST(dead_letters)
{
	struct kafka_record letter;

	fx_begin("PEERD_KAFKA_OVERSIZE=dead-letter");
	fx_table("id:1 z a", id_int);
	fx_record("+1|x|y");
	kafka_record_bury(fx.e, &fx.records.v[0], 4096, &letter);
	ck_assert_str_eq(letter.topic, "orders.dead-letter");
	ck_assert_str_eq(fx_text(letter.key), "{\"id\":1}");
	ck_assert_str_eq(fx_text(letter.value),
	    arena_printf(fx.a,
		"{\"reason\":\"record too large\",\"topic\":\"copy.d0\",\"key_bytes\":8,"
		"\"value_bytes\":%zu,\"maximum_bytes\":4096}",
		fx.records.v[0].value.n));
	kafka_record_bury(fx.e, &fx.records.v[0], 10, &letter);
	ck_assert_ptr_null(letter.key.p);
	fx_end();
}
END_TEST

/* ---- errors */

static const struct {
	const char *env;
	const char *columns;
	const char *change;
	enum err_code code;
	const char *words;
} failures[] = {
	{ "", "id:1 z", "+x|y", ERR_PROTOCOL,
	    "\"x\" is no value of text: column \"id\" of public.t0: change at 0/18" },
	{ "", "id:1 z", "=?|y", ERR_DATA,
	    "the source did not send the key: column \"id\" of public.t0: change at 0/18" },
	{ "PEERD_KAFKA_FORMAT=debezium-json", "id:1 n", "+1|NaN", ERR_DATA,
	    "debezium-json cannot carry the text value NaN: column \"n\" of public.t0: change at "
	    "0/18" },
};

START_TEST(failures_name_the_place)
{
	static const uint32_t types[] = { INT4, 1700, 0 };

	fx_begin(failures[_i].env);
	fx_table(failures[_i].columns, types);
	ck_assert(!fx_try(failures[_i].change));
	ck_assert_int_eq(fx.err.code, failures[_i].code);
	ck_assert_str_eq(fx.err.msg, failures[_i].words);
	fx_end();
}
END_TEST

START_TEST(lossy_values_may_be_null)
{
	static const uint32_t types[] = { INT4, 1700, 0 };
	cJSON *tree;

	fx_begin("PEERD_KAFKA_FORMAT=debezium-json on_lossy_value=null");
	fx_table("id:1 n", types);
	fx_record("+1|NaN");
	tree = cJSON_Parse(fx_text(fx.records.v[0].value));
	ck_assert(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetObjectItem(tree, "after"), "n")));
	cJSON_Delete(tree);
	fx_end();
}
END_TEST

START_TEST(topics_are_checked)
{
	struct kafka_encoder_config cfg = { .mirror = "orders", .database = "" };

	fx_begin("PEERD_KAFKA_TRANSACTION_TOPIC={table}");
	cfg.opt = &fx.opt;
	ck_assert_ptr_null(kafka_encoder_new(&cfg, &fx.err));
	ck_assert_int_eq(fx.err.code, ERR_INVALID);
	fx_end();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kafka_format");
	TCase *tc = tcase_create("kafka_format");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, records_of_a_change, 0, N(builds));
	tcase_add_test(tc, hashes_of_rows);
	tcase_add_loop_test(tc, headers_of_a_change, 0, N(headers));
	tcase_add_test(tc, headers_of_a_changed_key);
	tcase_add_test(tc, headers_may_be_off);
	tcase_add_test(tc, headers_follow);
	tcase_add_loop_test(tc, rows_of_copy, 0, N(snapshots));
	tcase_add_loop_test(tc, malformed_copy, 0, N(bad_copies));
	tcase_add_loop_test(tc, values_agree_with_schemas, 0, N(with_schema));
	tcase_add_test(tc, hashes_have_a_schema);
	tcase_add_loop_test(tc, control_records, 0, N(controls));
	tcase_add_loop_test(tc, a_message_of_no_transaction_has_an_id_of_its_own, 0, 2);
	tcase_add_test(tc, transaction_records);
	tcase_add_test(tc, transactions_agree_with_schemas);
	tcase_add_test(tc, snapshot_is_an_enum);
	tcase_add_test(tc, parts_make_up_the_whole);
	tcase_add_test(tc, dead_letters);
	tcase_add_loop_test(tc, failures_name_the_place, 0, N(failures));
	tcase_add_test(tc, lossy_values_may_be_null);
	tcase_add_test(tc, topics_are_checked);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
