#include <check.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/wire/pbjson.h"
#include "protos/route.pb-c.h"

static const ProtobufCMessageDescriptor *const types[] = {
	&peerdb_peers__peer__descriptor,
	&peerdb_peers__postgres_config__descriptor,
	&peerdb_peers__kafka_config__descriptor,
	&peerdb_flow__flow_connection_configs__descriptor,
	&peerdb_flow__flow_config_update__descriptor,
	&peerdb_flow__table_mapping__descriptor,
	&peerdb_flow__column_setting__descriptor,
	&peerdb_flow__int_partition_range__descriptor,
	&peerdb_flow__uint_partition_range__descriptor,
	&peerdb_route__create_peer_request__descriptor,
	&peerdb_route__create_cdcflow_request__descriptor,
	&peerdb_route__slot_info__descriptor,
	&peerdb_route__slot_lag_point__descriptor,
	&peerdb_route__cdcbatch__descriptor,
	&peerdb_route__total_rows_synced_by_mirror_response__descriptor,
	&peerdb_route__initial_load_summary_response__descriptor,
	&peerdb_route__drop_peer_response__descriptor,
	&peerdb_route__get_cdcbatches_request__descriptor,
	&peerdb_route__mirror_status_response__descriptor,
	&peerdb_route__get_mirror_row_counts_request__descriptor,
};

static const ProtobufCMessageDescriptor *
type_named(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i]->short_name, name) == 0)
			return types[i];
	ck_abort_msg("no type %s", name);
	return NULL;
}

static bool
parse(const char *type, const char *json, ProtobufCMessage **msg_r, struct err *err)
{
	return pbjson_parse(type_named(type), json, strlen(json), msg_r, err);
}

static ProtobufCMessage *
must_parse(const char *type, const char *json)
{
	struct err err = ERR_INIT;
	ProtobufCMessage *msg = NULL;

	ck_assert_msg(parse(type, json, &msg, &err), "%s: %s", json, err.msg);
	return msg;
}

static void
assert_prints(const ProtobufCMessage *msg, unsigned flags, const char *json)
{
	struct buf out;

	buf_init(&out, MIB);
	pbjson_print(msg, flags, &out);
	ck_assert_str_eq(buf_str(&out), json);
	buf_done(&out);
}

static void
free_msg(void *msg)
{
	protobuf_c_message_free_unpacked(msg, NULL);
}

/* ---- what is accepted, and how it reads back -------------------------- */

static const struct {
	const char *type, *json;
	const char *present; /* printed with PBJSON_PRESENT_ONLY; NULL: as json */
} accepted[] = {
	{ "PostgresConfig", "", "{}" },
	{ "PostgresConfig", " \n", "{}" },
	{ "PostgresConfig", "{}", NULL },
	{ "DropPeerResponse", "{}", NULL },
	/* names in both spellings */
	{ "FlowConnectionConfigs", "{\"flow_job_name\":\"m\",\"maxBatchSize\":5}",
	    "{\"flowJobName\":\"m\",\"maxBatchSize\":5}" },
	{ "SlotInfo",
	    "{\"redo_lSN\":\"0/1\",\"restartLSN\":\"0/2\",\"confirmed_flush_lSN\":\"0/3\"}",
	    "{\"redoLSN\":\"0/1\",\"restartLSN\":\"0/2\",\"confirmedFlushLSN\":\"0/3\"}" },
	{ "TotalRowsSyncedByMirrorResponse", "{\"totalCountCDC\":1}", "{\"totalCountCDC\":\"1\"}" },
	{ "ColumnSetting", "{\"name\":\"a\",\"destination_name\":\"b\"}",
	    "{\"sourceName\":\"a\",\"destinationName\":\"b\"}" },
	/* integers as numbers and as strings */
	{ "PostgresConfig", "{\"port\":\"5432\"}", "{\"port\":5432}" },
	{ "PostgresConfig", "{\"port\":4294967295}", NULL },
	{ "PostgresConfig", "{\"port\":5.432e3}", "{\"port\":5432}" },
	{ "KafkaConfig", "{\"maxRecordBatchBytes\":\"-2147483648\"}",
	    "{\"maxRecordBatchBytes\":-2147483648}" },
	{ "IntPartitionRange", "{\"start\":-9007199254740991,\"end\":\"9223372036854775807\"}",
	    "{\"start\":\"-9007199254740991\",\"end\":\"9223372036854775807\"}" },
	{ "IntPartitionRange", "{\"start\":\"-9223372036854775808\"}", NULL },
	{ "UIntPartitionRange", "{\"start\":0,\"end\":\"18446744073709551615\"}",
	    "{\"start\":\"0\",\"end\":\"18446744073709551615\"}" },
	/* enums */
	{ "Peer", "{\"type\":3}", "{\"type\":\"POSTGRES\"}" },
	{ "Peer", "{\"type\":\"DBTYPE_UNKNOWN\"}", NULL },
	{ "Peer", "{\"type\":-1}", "{\"type\":\"DBTYPE_UNKNOWN\"}" },
	/* null is absent, "" and 0 and false are not */
	{ "PostgresConfig", "{\"host\":null,\"sshConfig\":null,\"options\":null}", "{}" },
	{ "PostgresConfig", "{\"host\":\"\",\"port\":0,\"disableTls\":false,\"sslmode\":\"\"}",
	    "{\"host\":\"\",\"port\":0,\"disableTls\":false,\"sslmode\":\"\"}" },
	{ "FlowConnectionConfigs", "{\"softDeleteColName\":\"\"}", NULL },
	/* oneofs */
	{ "Peer", "{\"kafka_config\":{\"servers\":[\"a\",\"b\"]}}",
	    "{\"kafkaConfig\":{\"servers\":[\"a\",\"b\"]}}" },
	{ "Peer", "{\"postgres_config\":{},\"kafka_config\":null}", "{\"postgresConfig\":{}}" },
	{ "FlowConfigUpdate", "{\"cdcFlowConfigUpdate\":{\"updatedEnv\":{\"A\":\"1\",\"\":\"\"}}}",
	    NULL },
	/* maps */
	{ "PostgresConfig", "{\"options\":{\"b\":\"2\",\"a\":\"1\"}}", NULL },
	{ "PostgresConfig", "{\"options\":\"connect_timeout=5 options='-c a=1'\"}",
	    "{\"options\":{\"connect_timeout\":\"5\",\"options\":\"-c a=1\"}}" },
	{ "PostgresConfig", "{\"options\":{}}", "{}" },
	/* times */
	{ "CDCBatch", "{\"startTime\":\"2026-01-02T03:04:05.5Z\",\"endTime\":null}",
	    "{\"startTime\":\"2026-01-02T03:04:05.500Z\"}" },
	/* floats and doubles */
	{ "SlotInfo", "{\"lagInMb\":0.1,\"restartToConfirmedMb\":1e30}",
	    "{\"lagInMb\":0.1,\"restartToConfirmedMb\":1e+30}" },
	{ "SlotLagPoint", "{\"time\":1767323045678.5,\"size\":\"0.1\"}",
	    "{\"time\":1767323045678.5,\"size\":0.1}" },
	{ "SlotLagPoint", "{\"time\":\"NaN\",\"size\":\"-Infinity\"}", NULL },
	/* text */
	{ "PostgresConfig", "{\"password\":\"\\u00e9\\\"\\n\\ud83d\\ude00\"}",
	    "{\"password\":\"\303\251\\\"\\n\360\237\230\200\"}" },
};

START_TEST(reads)
{
	ProtobufCMessage *msg = must_parse(accepted[_i].type, accepted[_i].json), *again;
	const char *present = accepted[_i].present != NULL ? accepted[_i].present
							   : accepted[_i].json;

	assert_prints(msg, PBJSON_PRESENT_ONLY, present);
	again = must_parse(accepted[_i].type, present);
	assert_prints(again, PBJSON_PRESENT_ONLY, present);
	free_msg(msg);
	free_msg(again);
}
END_TEST

/* ---- what is refused -------------------------------------------------- */

static const struct {
	const char *type, *json, *words;
	const char *hint; /* NULL: none asked for */
} refused[] = {
	/* unknown names */
	{ "FlowConnectionConfigs", "{\"max_batch_sizes\":1}", "unknown field \"max_batch_sizes\"",
	    "did you mean \"max_batch_size\"?" },
	{ "FlowConnectionConfigs", "{\"maxBachSize\":1}", "unknown field \"maxBachSize\"",
	    "did you mean \"max_batch_size\"?" },
	{ "CreateCDCFlowRequest",
	    "{\"connection_configs\":{\"table_mappings\":[{},{\"exlude\":[]}]}}",
	    "field \"connection_configs.table_mappings[1]\": unknown field \"exlude\"",
	    "did you mean \"exclude\"?" },
	{ "IntPartitionRange", "{\"zzzzzzzzzz\":1}", "unknown field", "known fields: start, end" },
	{ "DropPeerResponse", "{\"x\":1}", "unknown field \"x\"", "no fields" },
	{ "PostgresConfig", "{\"a\\nb\":1}", "unknown field with a name of 3 bytes", NULL },
	{ "PostgresConfig", "{\"\":1}", "unknown field \"\"", NULL },
	{ "PostgresConfig", "{\"Host\":\"x\"}", "unknown field \"Host\"",
	    "did you mean \"host\"?" },
	{ "Peer", "{\"name\":\"a\",\"type\":2,\"snowflake_config\":{}}", "SNOWFLAKE",
	    "POSTGRES, CLICKHOUSE, KAFKA" },
	{ "Peer", "{\"mysqlConfig\":{}}", "MYSQL", NULL },
	/* given twice */
	{ "PostgresConfig", "{\"host\":\"a\",\"host\":\"b\"}", "field \"host\": given twice",
	    NULL },
	{ "TableMapping", "{\"partitionKey\":\"a\",\"partition_key\":\"a\"}",
	    "field \"partition_key\": given twice", NULL },
	{ "PostgresConfig", "{\"host\":null,\"host\":\"b\"}", "given twice", NULL },
	{ "PostgresConfig", "{\"options\":{\"b\":\"\",\"a\":\"1\",\"b\":\"2\"}}",
	    "field \"options\": a key is given twice", NULL },
	{ "PostgresConfig", "{\"options\":\"a=1 a=2\"}",
	    "field \"options\": a keyword is given twice", NULL },
	{ "Peer", "{\"postgres_config\":{},\"kafka_config\":{}}",
	    "field \"kafka_config\": cannot be given beside \"postgres_config\"", NULL },
	/* wrong kinds */
	{ "PostgresConfig", "[]", "expected an object", NULL },
	{ "PostgresConfig", "\"x\"", "expected an object", NULL },
	{ "PostgresConfig", "null", "expected an object", NULL },
	{ "PostgresConfig", "{\"host\":5}", "field \"host\": expected a string", NULL },
	{ "PostgresConfig", "{\"host\":[\"x\"]}", "field \"host\": expected a string", NULL },
	{ "PostgresConfig", "{\"require_tls\":\"true\"}",
	    "field \"require_tls\": expected true or false", NULL },
	{ "PostgresConfig", "{\"require_tls\":1}", "expected true or false", NULL },
	{ "PostgresConfig", "{\"ssh_config\":\"x\"}", "field \"ssh_config\": expected an object",
	    NULL },
	{ "PostgresConfig", "{\"options\":[]}", "field \"options\": expected an object", NULL },
	{ "PostgresConfig", "{\"options\":{\"a\":1}}", "field \"options.a\": expected a string",
	    NULL },
	{ "PostgresConfig", "{\"options\":{\"a\":null}}", "field \"options.a\": expected a string",
	    NULL },
	{ "PostgresConfig", "{\"options\":\"a\"}", "field \"options\": expected keyword = value",
	    NULL },
	{ "KafkaConfig", "{\"servers\":\"a\"}", "field \"servers\": expected an array", NULL },
	{ "KafkaConfig", "{\"servers\":[\"a\",null]}", "field \"servers[1]\": expected a string",
	    NULL },
	{ "CDCBatch", "{\"start_time\":5}", "field \"start_time\": expected a time", NULL },
	{ "CDCBatch", "{\"start_time\":\"yesterday\"}", "expected a time", NULL },
	{ "SlotLagPoint", "{\"time\":\"1x\"}", "field \"time\": expected a number", NULL },
	{ "SlotLagPoint", "{\"time\":\"\"}", "expected a number", NULL },
	{ "SlotLagPoint", "{\"time\":true}", "expected a number", NULL },
	/* enums */
	{ "Peer", "{\"type\":\"postgres\"}", "field \"type\": expected a name or number of DBType",
	    "POSTGRES" },
	{ "Peer", "{\"type\":4}", "expected a name or number of DBType", "POSTGRES" },
	{ "Peer", "{\"type\":3.5}", "expected a whole number", NULL },
	{ "Peer", "{\"type\":\"3\"}", "expected a name or number", NULL },
	{ "Peer", "{\"type\":true}", "expected a name or number", NULL },
	/* numbers that do not fit */
	{ "PostgresConfig", "{\"port\":-1}",
	    "field \"port\": expected a whole number from 0 to 4294967295", NULL },
	{ "PostgresConfig", "{\"port\":4294967296}", "from 0 to 4294967295", NULL },
	{ "PostgresConfig", "{\"port\":1.5}", "expected a whole number", NULL },
	{ "PostgresConfig", "{\"port\":\"5432x\"}", "expected a whole number", NULL },
	{ "PostgresConfig", "{\"port\":\"\"}", "expected a whole number", NULL },
	{ "PostgresConfig", "{\"port\":\" 1\"}", "expected a whole number", NULL },
	{ "PostgresConfig", "{\"port\":true}", "expected a whole number", NULL },
	{ "PostgresConfig", "{\"port\":1e999}", "too large", NULL },
	{ "KafkaConfig", "{\"max_record_batch_bytes\":2147483648}",
	    "from -2147483648 to 2147483647", NULL },
	{ "IntPartitionRange", "{\"start\":9007199254740993}", "too large to be exact",
	    "write it as a string" },
	{ "IntPartitionRange", "{\"start\":9007199254740992}", "too large to be exact", NULL },
	{ "IntPartitionRange", "{\"start\":\"9223372036854775808\"}", "expected a whole number",
	    NULL },
	{ "UIntPartitionRange", "{\"start\":\"18446744073709551616\"}",
	    "from 0 to 18446744073709551615", NULL },
	{ "UIntPartitionRange", "{\"start\":\"-1\"}", "expected a whole number", NULL },
	{ "UIntPartitionRange", "{\"start\":-1}", "expected a whole number", NULL },
	{ "SlotLagPoint", "{\"time\":1e999}", "out of range", NULL },
	{ "SlotInfo", "{\"lag_in_mb\":1e39}", "field \"lag_in_mb\": the number is out of range",
	    NULL },
	/* not JSON at all */
	{ "Peer", "{\"name\":\"a\"", "invalid JSON at byte", NULL },
	{ "Peer", "{} {}", "invalid JSON at byte 3: text after the end", NULL },
	{ "Peer", "{\"name\":\"\377\"}", "invalid JSON at byte 9: not UTF-8", NULL },
	{ "Peer", "{\"name\":\"a\\u0000b\"}", "NUL", NULL },
};

START_TEST(refuses)
{
	ProtobufCMessage *msg = NULL;
	struct err err = ERR_INIT;

	ck_assert_msg(!parse(refused[_i].type, refused[_i].json, &msg, &err), "%s",
	    refused[_i].json);
	ck_assert_ptr_null(msg);
	ck_assert_msg(strstr(err.msg, refused[_i].words) != NULL, "%s: %s", refused[_i].json,
	    err.msg);
	if (refused[_i].hint != NULL)
		ck_assert_msg(strstr(err.hint, refused[_i].hint) != NULL, "%s: %s",
		    refused[_i].json, err.hint);
}
END_TEST

START_TEST(foreign_peers_are_unimplemented)
{
	ProtobufCMessage *msg = NULL;
	struct err err = ERR_INIT;

	ck_assert(!parse("Peer", "{\"eventhub_group_config\":{}}", &msg, &err));
	ck_assert_int_eq(err.code, ERR_UNIMPLEMENTED);
	ck_assert(!parse("PostgresConfig", "{\"mysql_config\":{}}", &msg, &err));
	ck_assert_int_eq(err.code, ERR_INVALID);
}
END_TEST

START_TEST(errors_keep_secrets)
{
	ProtobufCMessage *msg = NULL;
	struct err err = ERR_INIT;

	ck_assert(!parse("PostgresConfig", "{\"port\":\"hunter2\"}", &msg, &err));
	ck_assert_ptr_null(strstr(err.msg, "hunter2"));
	ck_assert(!parse("PostgresConfig", "{\"options\":\"password='hunter2\"}", &msg, &err));
	ck_assert_ptr_null(strstr(err.msg, "hunter2"));
	ck_assert(!parse("PostgresConfig", "{\"password\":{\"hunter2\":1}}", &msg, &err));
	ck_assert_ptr_null(strstr(err.msg, "hunter2"));
}
END_TEST

/* ---- output ----------------------------------------------------------- */

START_TEST(prints_every_default)
{
	ProtobufCMessage *msg = must_parse("SlotInfo", "{}");

	assert_prints(msg, 0,
	    "{\"slotName\":\"\",\"redoLSN\":\"\",\"restartLSN\":\"\",\"active\":false,\"lagInMb\":"
	    "0,"
	    "\"confirmedFlushLSN\":\"\",\"walStatus\":\"\",\"currentLSN\":\"\","
	    "\"restartToConfirmedMb\":0,\"confirmedToCurrentMb\":0,\"waitEventType\":\"\","
	    "\"waitEvent\":\"\",\"backendState\":\"\",\"logicalDecodingWorkMemMb\":\"0\"}");
	free_msg(msg);
	msg = must_parse("CDCBatch", "{}");
	assert_prints(msg, 0,
	    "{\"startLsn\":\"0\",\"endLsn\":\"0\",\"numRows\":0,\"batchId\":\"0\"}");
	free_msg(msg);
	msg = must_parse("InitialLoadSummaryResponse", "{}");
	assert_prints(msg, 0, "{\"tableSummaries\":[]}");
	free_msg(msg);
	msg = must_parse("Peer", "{}");
	assert_prints(msg, 0, "{\"name\":\"\",\"type\":\"BIGQUERY\"}");
	free_msg(msg);
}
END_TEST

START_TEST(prints_contract_defaults)
{
	ProtobufCMessage *msg = must_parse("FlowConnectionConfigs", "{}");

	assert_prints(msg, 0,
	    "{\"flowJobName\":\"\",\"tableMappings\":[],\"maxBatchSize\":1000000,"
	    "\"idleTimeoutSeconds\":\"60\",\"cdcStagingPath\":\"\",\"publicationName\":\"\","
	    "\"replicationSlotName\":\"\",\"snapshotNumRowsPerPartition\":1000000,"
	    "\"snapshotStagingPath\":\"\",\"snapshotMaxParallelWorkers\":4,"
	    "\"snapshotNumTablesInParallel\":1,\"resync\":false,\"initialSnapshotOnly\":false,"
	    "\"softDeleteColName\":\"_PEERDB_IS_DELETED\",\"syncedAtColName\":\"_PEERDB_SYNCED_"
	    "AT\","
	    "\"script\":\"\",\"system\":\"Q\",\"sourceName\":\"\",\"destinationName\":\"\",\"env\":"
	    "{},"
	    "\"version\":0,\"snapshotNumPartitionsOverride\":0,\"flags\":[]}");
	free_msg(msg);
}
END_TEST

START_TEST(prints_what_c_code_filled_in)
{
	PeerdbRoute__TotalRowsSyncedByMirrorResponse totals =
	    PEERDB_ROUTE__TOTAL_ROWS_SYNCED_BY_MIRROR_RESPONSE__INIT;
	PeerdbPeers__Peer peer = PEERDB_PEERS__PEER__INIT;

	totals.totalcount = INT64_MIN; /* no has_: the value counts */
	assert_prints(&totals.base, 0,
	    "{\"totalCountCDC\":\"0\",\"totalCountInitialLoad\":\"0\","
	    "\"totalCount\":\"-9223372036854775808\"}");
	peer.name = (char *)(uintptr_t) "bad \377 byte\303";
	peer.type = 4; /* no such number */
	assert_prints(&peer.base, 0, "{\"name\":\"bad ? byte?\",\"type\":4}");
}
END_TEST

START_TEST(floats_are_short_and_exact)
{
	static const float values[] = { 0.1f, 1.0f / 3, 16777216, 3.4028235e38f, 1e-45f, -0.0f };
	PeerdbRoute__SlotInfo slot = PEERDB_ROUTE__SLOT_INFO__INIT, *back;
	struct err err = ERR_INIT;
	struct buf out;

	buf_init(&out, MIB);
	slot.has_lag_in_mb = 1;
	slot.lag_in_mb = values[_i];
	pbjson_print(&slot.base, PBJSON_PRESENT_ONLY, &out);
	ck_assert_uint_lt(out.n, 32);
	ck_assert(pbjson_parse(slot.base.descriptor, buf_str(&out), out.n,
	    (ProtobufCMessage **)&back, &err));
	ck_assert_mem_eq(&back->lag_in_mb, &values[_i], sizeof(float));
	free_msg(back);
	buf_done(&out);
}
END_TEST

START_TEST(enum_names)
{
	ck_assert_str_eq(pbjson_enum_name(&peerdb_flow__flow_status__descriptor, 5),
	    "STATUS_SNAPSHOT");
	ck_assert_str_eq(pbjson_enum_name(&peerdb_peers__dbtype__descriptor, -1), "DBTYPE_UNKNOWN");
	ck_assert_str_eq(pbjson_enum_name(&peerdb_peers__dbtype__descriptor, 4), "?");
}
END_TEST

/* ---- bytes: no message of the contract has any, so one is made here ---- */

struct blob {
	ProtobufCMessage base;
	protobuf_c_boolean has_data;
	ProtobufCBinaryData data;
};

static void blob_init(struct blob *b);

static const ProtobufCFieldDescriptor blob_fields[] = {
	{ .name = "data",
	    .id = 1,
	    .label = PROTOBUF_C_LABEL_OPTIONAL,
	    .type = PROTOBUF_C_TYPE_BYTES,
	    .quantifier_offset = offsetof(struct blob, has_data),
	    .offset = offsetof(struct blob, data) },
};
static const unsigned blob_sorted[] = { 0 };
static const ProtobufCIntRange blob_ranges[] = { { 1, 0 }, { 0, 1 } };
static const ProtobufCMessageDescriptor blob_descriptor = {
	.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
	.name = "test.Blob",
	.short_name = "Blob",
	.c_name = "Blob",
	.package_name = "test",
	.sizeof_message = sizeof(struct blob),
	.n_fields = 1,
	.fields = blob_fields,
	.fields_sorted_by_name = blob_sorted,
	.n_field_ranges = 1,
	.field_ranges = blob_ranges,
	.message_init = (ProtobufCMessageInit)blob_init,
};

static void
blob_init(struct blob *b)
{
	*b = (struct blob){ .base = { .descriptor = &blob_descriptor } };
}

static const struct {
	const char *text, *bytes;
	const char *printed; /* NULL: as text */
} base64_texts[] = {
	{ "", "", NULL },
	{ "YQ==", "a", NULL },
	{ "YWI=", "ab", NULL },
	{ "YWJj", "abc", NULL },
	{ "--__", "\373\357\377", "++//" },
};

START_TEST(bytes_are_base64)
{
	ProtobufCMessage *msg = NULL;
	struct err err = ERR_INIT;
	char json[64];
	struct blob *b;

	snprintf(json, sizeof(json), "{\"data\":\"%s\"}", base64_texts[_i].text);
	ck_assert(pbjson_parse(&blob_descriptor, json, strlen(json), &msg, &err));
	b = (struct blob *)msg;
	ck_assert(b->has_data);
	ck_assert_uint_eq(b->data.len, strlen(base64_texts[_i].bytes));
	ck_assert_mem_eq(b->data.data, base64_texts[_i].bytes, b->data.len);
	if (base64_texts[_i].printed != NULL)
		snprintf(json, sizeof(json), "{\"data\":\"%s\"}", base64_texts[_i].printed);
	assert_prints(msg, 0, json);
	free_msg(msg);
}
END_TEST

static const char *const not_base64[] = { "\"YQ\"", "\"Y===\"", "\"Y=Q=\"", "\"YW J\"", "5",
	"\"====\"" };

START_TEST(bytes_refuse_others)
{
	ProtobufCMessage *msg = NULL;
	struct err err = ERR_INIT;
	char json[64];

	snprintf(json, sizeof(json), "{\"data\":%s}", not_base64[_i]);
	ck_assert(!pbjson_parse(&blob_descriptor, json, strlen(json), &msg, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "base64"));
}
END_TEST

/* ---- a whole request --------------------------------------------------- */

static const char full_request[] =
    "{\"connectionConfigs\":{\"flowJobName\":\"orders\",\"tableMappings\":["
    "{\"sourceTableIdentifier\":\"public.a\",\"destinationTableIdentifier\":\"copy.a\","
    "\"partitionKey\":\"id\",\"exclude\":[\"x\",\"y z\"],\"columns\":[{\"sourceName\":\"s\","
    "\"destinationName\":\"d\",\"destinationType\":\"String\",\"ordering\":1,"
    "\"nullableEnabled\":true,\"partitioning\":2}],\"engine\":\"CH_ENGINE_NULL\","
    "\"shardingKey\":\"k\",\"policyName\":\"p\",\"partitionByExpr\":\"toDate(t)\"},"
    "{\"sourceTableIdentifier\":\"public.b\",\"destinationTableIdentifier\":\"copy.b\"}],"
    "\"maxBatchSize\":10,\"idleTimeoutSeconds\":\"5\",\"cdcStagingPath\":\"c\","
    "\"publicationName\":\"pub\",\"replicationSlotName\":\"slot\",\"doInitialSnapshot\":true,"
    "\"snapshotNumRowsPerPartition\":100,\"snapshotStagingPath\":\"s\","
    "\"snapshotMaxParallelWorkers\":2,\"snapshotNumTablesInParallel\":3,\"resync\":false,"
    "\"initialSnapshotOnly\":true,\"softDeleteColName\":\"\",\"syncedAtColName\":\"at\","
    "\"script\":\"l\",\"system\":\"PG\",\"sourceName\":\"src\",\"destinationName\":\"dst\","
    "\"env\":{\"A\":\"1\",\"B\":\"\"},\"version\":7,\"snapshotNumPartitionsOverride\":9,"
    "\"flags\":[\"f\"],\"skipValidation\":false},\"attachToExisting\":true}";

START_TEST(full_request_round_trip)
{
	ProtobufCMessage *msg = must_parse("CreateCDCFlowRequest", full_request), *unpacked;
	PeerdbFlow__FlowConnectionConfigs *c;
	uint8_t packed[4096];
	size_t n;

	c = ((PeerdbRoute__CreateCDCFlowRequest *)msg)->connection_configs;
	ck_assert_uint_eq(c->n_table_mappings, 2);
	ck_assert_str_eq(c->table_mappings[0]->columns[0]->destination_type, "String");
	ck_assert_uint_eq(c->idle_timeout_seconds, 5);
	ck_assert(c->has_skip_validation && !c->skip_validation);
	ck_assert_int_eq(c->system, PEERDB_FLOW__TYPE_SYSTEM__PG);
	assert_prints(msg, PBJSON_PRESENT_ONLY, full_request);

	/* and as bytes: what was given, "" and false too, survives the catalog */
	n = protobuf_c_message_pack(msg, packed);
	unpacked = protobuf_c_message_unpack(msg->descriptor, NULL, n, packed);
	ck_assert_ptr_nonnull(unpacked);
	assert_prints(unpacked, PBJSON_PRESENT_ONLY, full_request);
	free_msg(unpacked);
	free_msg(msg);
}
END_TEST

START_TEST(absent_snapshot_wish_is_seen)
{
	ProtobufCMessage *msg = must_parse("FlowConnectionConfigs", "{}");

	ck_assert(!((PeerdbFlow__FlowConnectionConfigs *)msg)->has_do_initial_snapshot);
	ck_assert_uint_eq(((PeerdbFlow__FlowConnectionConfigs *)msg)->max_batch_size, 1000000);
	free_msg(msg);
	msg = must_parse("FlowConnectionConfigs", "{\"do_initial_snapshot\":false}");
	ck_assert(((PeerdbFlow__FlowConnectionConfigs *)msg)->has_do_initial_snapshot);
	free_msg(msg);
}
END_TEST

START_TEST(replies_may_hold_more)
{
	static const char json[] = "{\"name\":\"a\",\"new\":{\"b\":[1]},\"name2\":null}";
	ProtobufCMessage *msg = NULL;
	struct err err = ERR_INIT;

	ck_assert(pbjson_parse_reply(type_named("Peer"), json, strlen(json), &msg, &err));
	assert_prints(msg, PBJSON_PRESENT_ONLY, "{\"name\":\"a\"}");
	free_msg(msg);
}
END_TEST

START_TEST(many_tables)
{
	ProtobufCMessage *msg = NULL;
	struct err err = ERR_INIT;
	struct buf json;

	buf_init(&json, 8 * MIB);
	buf_str_add(&json, "{\"table_mappings\":[");
	for (int i = 0; i < 10000; i++)
		buf_printf(&json, "%s{\"source_table_identifier\":\"public.t%d\"}", i ? "," : "",
		    i);
	buf_str_add(&json, "]}");
	ck_assert(
	    pbjson_parse(type_named("FlowConnectionConfigs"), buf_str(&json), json.n, &msg, &err));
	ck_assert_uint_eq(((PeerdbFlow__FlowConnectionConfigs *)msg)->n_table_mappings, 10000);
	ck_assert_str_eq(((PeerdbFlow__FlowConnectionConfigs *)msg)
			     ->table_mappings[9999]
			     ->source_table_identifier,
	    "public.t9999");
	free_msg(msg);
	buf_done(&json);
}
END_TEST

/* ---- single fields from text ------------------------------------------- */

static const struct {
	const char *type, *name, *text;
	const char *json; /* or the words of the error */
	bool ok;
} settings[] = {
	{ "PostgresConfig", "host", "db", "{\"host\":\"db\"}", true },
	{ "PostgresConfig", "port", "5432", "{\"port\":5432}", true },
	{ "PostgresConfig", "require_tls", "true", "{\"requireTls\":true}", true },
	{ "PostgresConfig", "requireTls", "false", "{\"requireTls\":false}", true },
	{ "PostgresConfig", "ssh_config.host", "h", "{\"sshConfig\":{\"host\":\"h\"}}", true },
	{ "PostgresConfig", "options.a.b", "c", "{\"options\":{\"a.b\":\"c\"}}", true },
	{ "PostgresConfig", "options", "a=1 b=2", "{\"options\":{\"a\":\"1\",\"b\":\"2\"}}", true },
	{ "PostgresConfig", "auth_type", "1", "{\"authType\":\"POSTGRES_IAM_AUTH\"}", true },
	{ "KafkaConfig", "servers", "a:9092", "{\"servers\":[\"a:9092\"]}", true },
	{ "CDCBatch", "start_time", "2026-01-02T03:04:05Z",
	    "{\"startTime\":\"2026-01-02T03:04:05Z\"}", true },
	{ "GetCDCBatchesRequest", "beforeId", "-1", "{\"beforeId\":\"-1\"}", true },
	{ "Peer", "postgres_config.user", "u", "{\"postgresConfig\":{\"user\":\"u\"}}", true },
	{ "PostgresConfig", "hots", "x", "unknown field \"hots\"", false },
	{ "PostgresConfig", "ssh_config.hots", "x", "field \"ssh_config\": unknown field", false },
	{ "PostgresConfig", "host.x", "x", "field \"host\": has no fields", false },
	{ "PostgresConfig", "port", "x", "field \"port\": expected a whole number", false },
	{ "PostgresConfig", "require_tls", "yes", "expected true or false", false },
	{ "PostgresConfig", "ssh_config", "x", "expected an object", false },
	{ "PostgresConfig", "", "x", "unknown field \"\"", false },
	{ "PostgresConfig", "host", "\377", "not UTF-8", false },
	{ "FlowConnectionConfigs", "table_mappings", "x", "expected an object", false },
	{ "FlowConnectionConfigs", "table_mappings.exclude", "x", "has no fields", false },
};

START_TEST(sets_fields)
{
	ProtobufCMessage *msg = must_parse(settings[_i].type, "{}");
	struct err err = ERR_INIT;
	bool ok = pbjson_set_field(msg, settings[_i].name, settings[_i].text, &err);

	ck_assert_msg(ok == settings[_i].ok, "%s: %s", settings[_i].name, err.msg);
	if (ok)
		assert_prints(msg, PBJSON_PRESENT_ONLY, settings[_i].json);
	else
		ck_assert_msg(strstr(err.msg, settings[_i].json) != NULL, "%s", err.msg);
	free_msg(msg);
}
END_TEST

START_TEST(sets_fields_together)
{
	ProtobufCMessage *msg = must_parse("Peer", "{}");
	struct err err = ERR_INIT;

	ck_assert(pbjson_set_field(msg, "postgres_config.host", "a", &err));
	ck_assert(pbjson_set_field(msg, "postgres_config.port", "1", &err));
	ck_assert(pbjson_set_field(msg, "postgres_config.options.x", "1", &err));
	ck_assert(pbjson_set_field(msg, "postgres_config.options.y", "2", &err));
	ck_assert(pbjson_set_field(msg, "postgres_config.host", "b", &err));
	assert_prints(msg, PBJSON_PRESENT_ONLY,
	    "{\"postgresConfig\":{\"host\":\"b\",\"port\":1,"
	    "\"options\":{\"x\":\"1\",\"y\":\"2\"}}}");
	ck_assert(pbjson_set_field(msg, "kafka_config.sasl", "PLAIN", &err));
	assert_prints(msg, PBJSON_PRESENT_ONLY, "{\"kafkaConfig\":{\"sasl\":\"PLAIN\"}}");
	free_msg(msg);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

static void
add_input_tests(Suite *s)
{
	TCase *tc = tcase_create("input");

	tcase_add_loop_test(tc, reads, 0, COUNT(accepted));
	tcase_add_loop_test(tc, refuses, 0, COUNT(refused));
	tcase_add_test(tc, foreign_peers_are_unimplemented);
	tcase_add_test(tc, errors_keep_secrets);
	tcase_add_test(tc, absent_snapshot_wish_is_seen);
	tcase_add_test(tc, replies_may_hold_more);
	tcase_add_test(tc, many_tables);
	tcase_add_loop_test(tc, sets_fields, 0, COUNT(settings));
	tcase_add_test(tc, sets_fields_together);
	suite_add_tcase(s, tc);
}

static void
add_output_tests(Suite *s)
{
	TCase *tc = tcase_create("output");

	tcase_add_test(tc, prints_every_default);
	tcase_add_test(tc, prints_contract_defaults);
	tcase_add_test(tc, prints_what_c_code_filled_in);
	tcase_add_loop_test(tc, floats_are_short_and_exact, 0, 6);
	tcase_add_test(tc, enum_names);
	tcase_add_loop_test(tc, bytes_are_base64, 0, COUNT(base64_texts));
	tcase_add_loop_test(tc, bytes_refuse_others, 0, COUNT(not_base64));
	tcase_add_test(tc, full_request_round_trip);
	suite_add_tcase(s, tc);
}

int
main(void)
{
	Suite *s = suite_create("pbjson");
	SRunner *sr;
	int failed;

	add_input_tests(s);
	add_output_tests(s);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
