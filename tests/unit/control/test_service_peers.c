/*
 * Peers through the service; and calls as such: abandoned, unknown, too early.
 */
#include "tests/unit/control/service_fixture.h"

START_TEST(create_again_and_update)
{
	expect("CreatePeer", PEER("a", "source") "}", "{\"status\":\"CREATED\",\"message\":\"\"}");
	expect("CreatePeer", PEER("a", "source") "}", "CREATED");
	expect("CreatePeer", PEER("a", "bad") "}", "EXISTS");
	ck_assert(has("postgres_config.host"));
	ck_assert(!has("password"));
	ck_assert_str_eq(last_status, "FAILED");
	expect("CreatePeer",
	    "{\"allow_update\":true,\"peer\":{\"name\":\"a\",\"type\":3,"
	    "\"postgres_config\":{\"host\":\"elsewhere\"}}}",
	    "CREATED");
	expect("GetPeerInfo", "{\"peer_name\":\"a\"}",
	    "\"host\":\"elsewhere\",\"port\":5432,\"user\":\"u\",\"password\":\"********\"");
	/* the password is still there: the very same is no change */
	expect("CreatePeer", PEER("a", "elsewhere") "}", "CREATED");
	expect("CreatePeer",
	    "{\"allow_update\":true,\"peer\":{\"name\":\"a\",\"type\":3,"
	    "\"postgres_config\":{\"host\":\"bad\"}}}",
	    "CONFIG failed to validate peer a: ");
	expect("GetPeerInfo", "{\"peer_name\":\"a\"}", "elsewhere");
}
END_TEST

START_TEST(create_survives_a_restart)
{
	expect("CreatePeer", PEER("a", "source") "}", "CREATED");
	close_service(false);
	open_service();
	expect("CreatePeer", PEER("a", "source") "}", "CREATED");
	expect("CreatePeer", PEER("a", "other") "}", "EXISTS");
}
END_TEST

#define KAFKA(fields) "{\"peer\":{\"name\":\"x\",\"type\":\"KAFKA\",\"kafka_config\":{" fields "}}}"
#define CLICKHOUSE(fields) \
	"{\"peer\":{\"name\":\"x\",\"type\":8,\"clickhouse_config\":{" fields "}}}"
#define CH_BASE(host) "\"host\":\"" host "\",\"user\":\"u\",\"database\":\"d\""

static const struct {
	const char *json;
	const char *words;
} refused[] = {
	{ "{}", "INVALID peer is required" },
	{ PEER("", "source") "}", "INVALID peer name is required" },
	{ PEER("Upper", "source") "}", "INVALID peer name \"Upper\"" },
	{ PEER("x-y", "source") "}", "INVALID peer name \"x-y\"" },
	{ PEER("x", "") "}", "INVALID postgres_config.host is required" },
	{ PEER("x", "bad") "}", "CONFIG failed to validate peer x: server is too old" },
	{ PEER("x", "gone") "}", "CONFIG failed to validate peer x: connection refused" },
	{ PEER("x", "crash") "}", "BUG failed to validate peer x: worker was killed by signal 9" },
	{ "{\"peer\":{\"name\":\"x\"}}", "INVALID peer type is required" },
	{ "{\"peer\":{\"name\":\"x\",\"type\":\"POSTGRES\"}}", "has no postgres_config" },
	{ "{\"peer\":{\"name\":\"x\",\"type\":\"SNOWFLAKE\"}}",
	    "UNIMPLEMENTED peers of type SNOWFLAKE" },
	{ "{\"peer\":{\"name\":\"x\",\"type\":\"CLICKHOUSE\"}}", "has no clickhouse_config" },
	{ CLICKHOUSE(""), "INVALID clickhouse_config.host is required" },
	{ CLICKHOUSE("\"host\":\"h\""), "INVALID clickhouse_config.user is required" },
	{ CLICKHOUSE("\"host\":\"h\",\"user\":\"u\""),
	    "INVALID clickhouse_config.database is required" },
	{ CLICKHOUSE(CH_BASE("http://h:1")), "INVALID clickhouse_config.host is not a host name" },
	{ CLICKHOUSE(CH_BASE("h")), "INVALID clickhouse_config.port is required" },
	{ CLICKHOUSE(CH_BASE("h") ",\"port\":65536"),
	    "INVALID clickhouse_config.port 65536 is not" },
	{ CLICKHOUSE(CH_BASE("h") ",\"port\":9000"),
	    "INVALID clickhouse_config.port 9000 is ClickHouse's native protocol" },
	{ CLICKHOUSE(CH_BASE("h") ",\"port\":9440"),
	    "INVALID clickhouse_config.port 9440 is ClickHouse's native protocol" },
	{ CLICKHOUSE(CH_BASE("h") ",\"port\":8443,\"certificate\":\"c\""),
	    "INVALID clickhouse_config has only one of certificate and private_key" },
	{ CLICKHOUSE(CH_BASE("h") ",\"port\":8443,\"compression\":\"zstd\""),
	    "INVALID clickhouse_config.compression \"zstd\"" },
	{ CLICKHOUSE(CH_BASE("h") ",\"port\":8443,\"password\":\"********\""),
	    "only the placeholder" },
	{ "{\"peer\":{\"name\":\"x\",\"type\":9}}", "has no kafka_config" },
	{ KAFKA(""), "INVALID kafka_config.servers is required" },
	{ KAFKA("\"servers\":[\"b:1\"],\"username\":\"u\",\"sasl\":\"GSSAPI\""),
	    "INVALID kafka_config.sasl \"GSSAPI\"" },
	{ KAFKA("\"servers\":[\"b:1\"],\"private_key\":\"sesame\""),
	    "INVALID kafka_config has only one of certificate and private_key" },
	{ KAFKA("\"servers\":[\"b:1\"],\"max_record_batch_bytes\":1"),
	    "INVALID kafka_config.max_record_batch_bytes 1" },
	{ KAFKA("\"servers\":[\"b:1\"],\"options\":{\"ssl.key.pem\":\"********\"}"),
	    "only the placeholder" },
	{ "{\"peer\":{\"name\":\"x\",\"type\":3,\"postgres_config\":{\"host\":\"h\","
	  "\"port\":65536}}}",
	    "INVALID postgres_config.port" },
	{ "{\"peer\":{\"name\":\"x\",\"type\":3,\"postgres_config\":{\"host\":\"h\","
	  "\"password\":\"********\"}}}",
	    "only the placeholder" },
	{ "{\"peer\":{\"name\":\"x\",\"type\":3,\"postgres_config\":{\"host\":\"h\","
	  "\"sslmode\":\"sometimes\"}}}",
	    "INVALID postgres_config.sslmode" },
	{ "{\"peer\":{\"name\":\"x\",\"type\":3,\"postgres_config\":{\"host\":\"h\","
	  "\"ssh_config\":{}}}}",
	    "UNIMPLEMENTED postgres_config.ssh_config" },
};

START_TEST(a_refused_create_leaves_nothing)
{
	expect("CreatePeer", refused[_i].json, refused[_i].words);
	ck_assert_str_eq(last_status, "FAILED");
	ck_assert(!has("sesame"));
	expect("ValidatePeer", refused[_i].json, refused[_i].words);
	ck_assert_str_eq(last_status, "INVALID");
	ck_assert_str_eq(api("ListPeers", "{}"),
	    "{\"items\":[],\"sourceItems\":[],\"destinationItems\":[]}");
}
END_TEST

START_TEST(validation_can_be_spared)
{
	expect("CreatePeer",
	    "{\"disable_validation\":true,\"peer\":{\"name\":\"x\",\"type\":3,"
	    "\"postgres_config\":{\"host\":\"crash\"}}}",
	    "CREATED");
	expect("GetPeerInfo", "{\"peer_name\":\"x\"}", "\"version\":\"\"");
}
END_TEST

START_TEST(a_clickhouse_peer_is_a_peer)
{
	expect("CreatePeer",
	    "{\"disable_validation\":true,\"peer\":{\"name\":\"x\",\"type\":\"CLICKHOUSE\","
	    "\"clickhouse_config\":{" CH_BASE("h") ",\"port\":\"8443\",\"compression\":\"lz4\","
						   "\"s3_path\":\"s3://b/p\",\"certificate\":\"c\","
						   "\"private_key\":\"k\"}}}",
	    "CREATED");
	ck_assert(
	    has("s3_path, access_key_id, secret_access_key, region and endpoint are not used"));
	expect("GetPeerType", "{\"peer_name\":\"x\"}", "{\"peerType\":\"CLICKHOUSE\"}");
	expect("CreatePeer",
	    "{\"disable_validation\":true,\"peer\":{\"name\":\"y\",\"type\":\"CLICKHOUSE\","
	    "\"clickhouse_config\":{" CH_BASE("h") ",\"port\":8443}}}",
	    "CREATED");
	ck_assert(!has("not used"));
}
END_TEST

START_TEST(peers_are_shown)
{
	make_peers();
	expect("ListPeers", "{}",
	    "{\"items\":[{\"name\":\"a\",\"type\":\"POSTGRES\"},"
	    "{\"name\":\"b\",\"type\":\"POSTGRES\"}],\"sourceItems\":[");
	expect("GetPeerType", "{\"peer_name\":\"a\"}", "{\"peerType\":\"POSTGRES\"}");
	expect("ValidatePeer", PEER("c", "source") "}",
	    "{\"status\":\"VALID\",\"message\":\"POSTGRES peer c is valid\"}");
	expect("GetPeerInfo", "{\"peer_name\":\"nobody\"}", "NOT_FOUND peer \"nobody\"");
	expect("GetPeerType", "{\"peer_name\":\"nobody\"}", "NOT_FOUND");
	expect("GetSchemas", "{\"peer_name\":\"nobody\"}", "NOT_FOUND");
	expect("GetSchemas", "{\"peer_name\":\"a\"}", "{\"schemas\":[]}");
	expect("GetSlotInfo", "{\"peer_name\":\"a\"}", "{\"slotData\":[]}");
}
END_TEST

START_TEST(drop)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", LOADS), "good-peerflow");
	expect("CreateCDCFlow", MIRROR("good2", LOADS), "good2-peerflow");
	expect("DropPeer", "{\"peer_name\":\"a\"}",
	    "IN_USE peer \"a\" is used by mirrors: good, good2");
	expect("DropPeer", "{\"peer_name\":\"nobody\"}", "NOT_FOUND");
	expect("DropPeer", "{}", "NOT_FOUND");
	expect("CreatePeer", PEER("c", "source") "}", "CREATED");
	expect("DropPeer", "{\"peer_name\":\"c\"}", "{}");
	expect("GetPeerType", "{\"peer_name\":\"c\"}", "NOT_FOUND");
}
END_TEST

START_TEST(an_abandoned_call_goes_on_unheard)
{
	int method = rpc_method_find("CreatePeer");
	struct rpc_call *call;

	buf_reset(&last);
	answered = false;
	call = rpc_begin(svc, (unsigned)method, request_parse(method, PEER("a", "source") "}"),
	    "test", on_answer, NULL);
	ck_assert_ptr_nonnull(call);
	rpc_abandon(&call);
	ck_assert_ptr_null(call);
	rpc_abandon(&call);
	run_until(strstr(api("ListPeers", "{}"), "\"name\":\"a\"") != NULL);
}
END_TEST

static void
note_stopped(void *arg)
{
	*(bool *)arg = true;
}

START_TEST(stopping_ends_calls_under_way)
{
	int method = rpc_method_find("CreatePeer");
	bool stopped = false;

	answered = false;
	rpc_begin(svc, (unsigned)method, request_parse(method, PEER("a", "source") "}"), "test",
	    on_answer, NULL);
	ck_assert(!answered);
	service_stop(svc, note_stopped, &stopped);
	ck_assert(answered);
	ck_assert(has("TRANSIENT"));
	ck_assert(!service_is_ready(svc));
	expect("GetVersion", "{}", "TRANSIENT peerd is stopping");
	run_until(stopped);
	close_service(false);
	open_service();
	expect("GetVersion", "{}", "{\"version\":\"test\"}");
	expect("GetInstanceInfo", "{}", "INSTANCE_STATUS_READY");
}
END_TEST

START_TEST(too_many_checks_at_once)
{
	int method = rpc_method_find("ValidatePeer");

	for (int i = 0; i < 32; i++)
		rpc_begin(svc, (unsigned)method, request_parse(method, PEER("a", "source") "}"),
		    "test", on_answer, NULL);
	expect("ValidatePeer", PEER("a", "source") "}",
	    "TRANSIENT failed to validate peer a: 32 checks");
	run_until(strstr(api("ValidatePeer", PEER("a", "source") "}"), "is valid") != NULL);
}
END_TEST

START_TEST(unknown_methods)
{
	ck_assert_int_eq(rpc_method_find("CreateWorld"), -1);
	ck_assert_int_eq(rpc_method_find(""), -1);
	expect("PostAlertConfig", "{}", "UNIMPLEMENTED PostAlertConfig is not available");
}
END_TEST

static int
run_suite(void)
{
	Suite *s = suite_create("service_peers");
	TCase *tc = tcase_create("service_peers");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, fixture_init, fixture_done);
	tcase_add_test(tc, create_again_and_update);
	tcase_add_test(tc, create_survives_a_restart);
	tcase_add_loop_test(tc, a_refused_create_leaves_nothing, 0,
	    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, validation_can_be_spared);
	tcase_add_test(tc, a_clickhouse_peer_is_a_peer);
	tcase_add_test(tc, peers_are_shown);
	tcase_add_test(tc, drop);
	tcase_add_test(tc, an_abandoned_call_goes_on_unheard);
	tcase_add_test(tc, stopping_ends_calls_under_way);
	tcase_add_test(tc, too_many_checks_at_once);
	tcase_add_test(tc, unknown_methods);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	fake_worker_main(argc, argv);
	return run_suite();
}
