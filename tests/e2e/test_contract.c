/*
 * The contract's own commands, as people type them, and what is answered.
 */
#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/janitor.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS 30000

#define expect_field(path, value) ck_assert_str_eq(value, field_text(last->json, path))

static const struct reply *last;

static void
get(const char *path)
{
	last = api_expect(200, api_get(path));
}

static void
post(const char *path, const char *body)
{
	last = api_expect(200, api_post(path, body));
}

static void
contract_init(void)
{
	rig_init();
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i");
}

/* ---- connect */

/* The contract's line, run by a shell; BASE and PASSWORD are set for it. */
static int
shell(const char *line)
{
	const char *const argv[] = {
		"/bin/sh",
		"-c",
		text("PASSWORD='%s'; BASE=http://localhost:%d; %s", DAEMON_PASSWORD,
		    rig.daemon->http_port, line),
		NULL,
	};
	struct proc_spec spec = { .argv = argv, .log = log_path("shell.log") };

	return proc_run(&spec);
}

START_TEST(curl_line_of_the_contract)
{
	ck_assert_int_eq(0,
	    shell("curl -fsS $BASE/api/v1/peers/list "
		  "-H \"Authorization: Basic $(printf ':%s' \"$PASSWORD\" | base64)\""));
}
END_TEST

START_TEST(curl_with_user_option)
{
	ck_assert_int_eq(0,
	    shell("curl -fsS -u \":$PASSWORD\" $BASE/v1/peers/list | grep -q items"));
}
END_TEST

START_TEST(any_user_name_will_do)
{
	api_expect(200,
	    api_call_as(api_basic("admin", DAEMON_PASSWORD), "GET", "/peers/list", NULL));
}
END_TEST

START_TEST(bearer_password)
{
	api_expect(200, api_call_as("Bearer " DAEMON_PASSWORD, "GET", "/peers/list", NULL));
}
END_TEST

START_TEST(no_password_is_401_with_challenge)
{
	last = api_expect(401, api_call_as(NULL, "GET", "/peers/list", NULL));
	ck_assert_ptr_nonnull(strcasestr(last->headers, "\nWWW-Authenticate: "));
	expect_field("code", "16");
}
END_TEST

START_TEST(wrong_passwords_are_401)
{
	static const char *const wrong[] = {
		"Bearer wrong",
		"Bearer ",
		"Basic",
		"Basic !!!",
		"Digest x",
		"Bearer correct horse: battery",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		api_expect(401, api_call_as(wrong[i], "GET", "/peers/list", NULL));
	api_expect(401, api_call_as(api_basic("", "wrong"), "GET", "/peers/list", NULL));
}
END_TEST

START_TEST(health_needs_no_password)
{
	api_expect(200, api_call_as(NULL, "GET", "//healthz", NULL));
	api_expect(200, api_call_as(NULL, "GET", "//readyz", NULL));
}
END_TEST

START_TEST(metrics_need_the_password)
{
	api_expect(401, api_call_as(NULL, "GET", "//metrics", NULL));
	last = api_expect(200, api_get("//metrics"));
	ck_assert_ptr_nonnull(strstr(last->body, "# TYPE "));
}
END_TEST

START_TEST(both_prefixes_answer)
{
	get("//v1/version");
	get("//api/v1/version");
	ck_assert_str_ne("", field_text(last->json, "version"));
}
END_TEST

START_TEST(instance_is_ready)
{
	get("/instance/info");
	expect_field("status", "INSTANCE_STATUS_READY");
}
END_TEST

START_TEST(what_is_not_built_answers_501)
{
	static const char *const paths[] = { "/scripts/-1", "/dynamic_settings", "/alerts/config",
		"/instance/maintenance/status", "/flows/tags/x" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		last = api_expect(501, api_get(paths[i]));
		expect_field("code", "12");
	}
}
END_TEST

START_TEST(unknown_path_is_404_and_method_405)
{
	last = api_get("/no/such/path");
	ck_assert_int_eq(404, last->status);
	expect_field("code", "5");
	last = api_call("DELETE", "/peers/list", NULL);
	ck_assert_int_eq(405, last->status);
}
END_TEST

/* ---- peers */

/* The create body with other words for host, port and type. */
static char *
pg_peer(const char *name, const char *type, const char *host, const char *port)
{
	cJSON *body = cJSON_Parse(peer_body(name, rig.source, "app", host));
	cJSON *peer = cJSON_GetObjectItem(body, "peer");
	cJSON *config = cJSON_GetObjectItem(peer, "postgres_config");
	char *words, *copy;

	cJSON_ReplaceItemInObject(peer, "type", cJSON_Parse(type));
	cJSON_ReplaceItemInObject(config, "port", cJSON_Parse(port));
	words = cJSON_PrintUnformatted(body);
	copy = text("%s", words);
	cJSON_free(words);
	cJSON_Delete(body);
	return copy;
}

static char *
port_number(void)
{
	return text("%d", rig.source->port);
}

static char *
port_string(void)
{
	return text("\"%d\"", rig.source->port);
}

START_TEST(peer_with_numbers_on_localhost)
{
	post("/peers/create", pg_peer("one", "3", "localhost", port_number()));
	expect_field("status", "CREATED");
}
END_TEST

START_TEST(peer_with_strings_on_127_0_0_1)
{
	post("/peers/create", pg_peer("one", "\"POSTGRES\"", "127.0.0.1", port_string()));
	expect_field("status", "CREATED");
}
END_TEST

START_TEST(peer_on_other_addresses)
{
	post("/peers/create", pg_peer("socket", "3", rig.source->sockets, port_number()));
	if (cluster_listens_on(rig.source, "::1"))
		post("/peers/create", pg_peer("v6", "3", "::1", port_number()));
}
END_TEST

START_TEST(peer_with_camel_case_fields)
{
	char *body = pg_peer("camel", "3", NULL, port_number());
	char *at = strstr(body, "postgres_config");

	memcpy(at, "postgresConfig\"", 15);
	at[15] = ' ';
	post("/peers/create", body);
}
END_TEST

START_TEST(peer_by_connection_string)
{
	post("/peers/create",
	    text("{\"peer\": {\"name\": \"dsn\", \"type\": 3, \"postgres_config\": "
		 "{\"connection_string\": "
		 "\"postgresql:///app?host=%s&port=%d&user=postgres&connect_timeout=5\"}}}",
		rig.source->sockets, rig.source->port));
}
END_TEST

START_TEST(peer_with_libpq_options)
{
	post("/peers/create",
	    text("{\"peer\": {\"name\": \"opts\", \"type\": 3, \"postgres_config\": {\"host\": "
		 "\"%s\", "
		 "\"port\": %d, \"user\": \"postgres\", \"database\": \"app\", \"sslmode\": "
		 "\"disable\", "
		 "\"options\": {\"connect_timeout\": \"5\", \"application_name\": \"mine\"}}}}",
		rig.source->sockets, rig.source->port));
}
END_TEST

START_TEST(peer_repeated_is_success)
{
	post("/peers/create", pg_peer("twice", "3", NULL, port_number()));
	post("/peers/create", pg_peer("twice", "\"POSTGRES\"", NULL, port_string()));
	expect_field("status", "CREATED");
	get("/peers/list");
	ck_assert_int_eq(3, cJSON_GetArraySize(field_at(last->json, "items")));
}
END_TEST

START_TEST(peer_with_other_config_is_409)
{
	post("/peers/create", pg_peer("twice", "3", "localhost", port_number()));
	last = api_expect(409,
	    api_post("/peers/create", pg_peer("twice", "3", "127.0.0.1", port_number())));
	expect_field("code", "6");
	expect_field("status", "FAILED");
	ck_assert_ptr_nonnull(strstr(field_text(last->json, "message"), "host"));
	get("/peers/info/twice");
	expect_field("peer.postgresConfig.host", "localhost");
}
END_TEST

START_TEST(allow_update_updates_and_keeps_the_secret)
{
	post("/peers/create", pg_peer("up", "3", "localhost", port_number()));
	post("/peers/create",
	    json("{'allow_update': true, 'peer': {'name': 'up', 'type': 3, 'postgres_config': "
		 "{'host': '127.0.0.1'}}}"));
	get("/peers/info/up");
	expect_field("peer.postgresConfig.host", "127.0.0.1");
	expect_field("peer.postgresConfig.user", "postgres");
	get("/peers/schemas?peer_name=up"); /* which needs the password */
}
END_TEST

START_TEST(info_hides_secrets)
{
	get("/peers/info/src");
	expect_field("peer.name", "src");
	expect_field("peer.type", "POSTGRES");
	expect_field("peer.postgresConfig.password", "********");
	ck_assert_ptr_null(strstr(last->body, "Tr0ub4dor"));
}
END_TEST

START_TEST(peer_type_and_lists)
{
	get("/peers/type/src");
	expect_field("peerType", "POSTGRES");
	get("/peers/list");
	expect_field("items.0.type", "POSTGRES");
	ck_assert_int_eq(2, cJSON_GetArraySize(field_at(last->json, "sourceItems")));
	ck_assert_int_eq(2, cJSON_GetArraySize(field_at(last->json, "destinationItems")));
}
END_TEST

START_TEST(validate_changes_nothing)
{
	post("/peers/validate", pg_peer("new", "3", NULL, port_number()));
	expect_field("status", "VALID");
	api_expect(404, api_get("/peers/info/new"));
}
END_TEST

START_TEST(unvalidated_peer_is_stored)
{
	post("/peers/create",
	    json("{'disable_validation': true, 'peer': {'name': 'later', 'type': 3, "
		 "'postgres_config': "
		 "{'host': 'nowhere.invalid', 'port': 5432, 'user': 'u', 'database': 'd'}}}"));
	get("/peers/type/later");
}
END_TEST

START_TEST(peer_is_dropped)
{
	post("/peers/create", pg_peer("gone", "3", NULL, port_number()));
	post("/peers/drop", json("{'peer_name': 'gone'}"));
	api_expect(404, api_get("/peers/info/gone"));
	api_expect(404, api_post("/peers/drop", json("{'peer_name': 'gone'}")));
}
END_TEST

START_TEST(peer_in_use_is_not_dropped)
{
	mirror_run("uses_it", "public.t", NULL);
	last = api_expect(409, api_post("/peers/drop", json("{'peer_name': 'dst'}")));
	ck_assert_ptr_nonnull(strstr(field_text(last->json, "message"), "uses_it"));
	get("/peers/info/dst");
}
END_TEST

START_TEST(peers_survive_a_restart)
{
	daemon_stop(rig.daemon);
	daemon_start(rig.daemon);
	get("/peers/info/src");
	expect_field("peer.postgresConfig.password", "********");
	mirror_run("after", "public.t", NULL);
}
END_TEST

/* ---- mirrors */

START_TEST(mirror_create_answers_its_workflow)
{
	post("/flows/cdc/create", mirror_body("m", "public.t", NULL));
	expect_field("workflowId", "m-peerflow");
	mirror_wait("m", "STATUS_RUNNING");
}
END_TEST

START_TEST(mirror_repeated_is_success)
{
	mirror_run("m", "public.t", NULL);
	post("/flows/cdc/create", mirror_body("m", "public.t", NULL));
	expect_field("workflowId", "m-peerflow");
	get("/mirrors/list");
	ck_assert_int_eq(1, cJSON_GetArraySize(field_at(last->json, "mirrors")));
}
END_TEST

START_TEST(mirror_with_other_config_is_409)
{
	mirror_run("m", "public.t", NULL);
	last = api_expect(409,
	    api_post("/flows/cdc/create", mirror_body("m", "public.t", "'max_batch_size': 77")));
	ck_assert_ptr_nonnull(strstr(field_text(last->json, "message"), "max_batch_size"));
}
END_TEST

START_TEST(attach_to_existing_is_success)
{
	char *body;

	mirror_run("m", "public.t", NULL);
	body = mirror_body("m", "public.t", "'max_batch_size': 77");
	post("/flows/cdc/create", text("{\"attach_to_existing\": true, %s", body + 1));
	expect_field("workflowId", "m-peerflow");
}
END_TEST

START_TEST(validate_leaves_no_trace)
{
	post("/mirrors/cdc/validate", mirror_body("m", "public.t", NULL));
	rig_expect_no_trace("m");
}
END_TEST

START_TEST(status_without_flow_info)
{
	mirror_run("m", "public.t", NULL);
	post("/mirrors/status", json("{'flowJobName': 'm'}"));
	expect_field("flowJobName", "m");
	expect_field("currentFlowState", "STATUS_RUNNING");
	expect_field("cdcStatus", "(absent)");
}
END_TEST

START_TEST(status_with_flow_info)
{
	mirror_run("m", "public.t", NULL);
	post("/mirrors/status", json("{'flowJobName': 'm', 'includeFlowInfo': true}"));
	expect_field("cdcStatus.config.flowJobName", "m");
	expect_field("cdcStatus.config.sourceName", "src");
	expect_field("cdcStatus.config.tableMappings.0.sourceTableIdentifier", "public.t");
	expect_field("cdcStatus.config.idleTimeoutSeconds", "60");
	expect_field("cdcStatus.config.maxBatchSize", "1000000");
	expect_field("cdcStatus.config.softDeleteColName", "_PEERDB_IS_DELETED");
	expect_field("cdcStatus.config.syncedAtColName", "_PEERDB_SYNCED_AT");
	expect_field("cdcStatus.config.snapshotMaxParallelWorkers", "4");
	expect_field("cdcStatus.sourceType", "POSTGRES");
	expect_field("cdcStatus.destinationType", "POSTGRES");
}
END_TEST

START_TEST(status_tells_the_snapshot)
{
	mirror_run("m", "public.t", NULL);
	post("/mirrors/status", json("{'flowJobName': 'm', 'includeFlowInfo': true}"));
	expect_field("cdcStatus.snapshotStatus.clones.0.tableName", "public.t");
	expect_field("cdcStatus.snapshotStatus.clones.0.numRowsSynced", "100");
	expect_field("cdcStatus.snapshotStatus.clones.0.numPartitionsCompleted",
	    field_text(last->json, "cdcStatus.snapshotStatus.clones.0.numPartitionsTotal"));
}
END_TEST

START_TEST(status_of_unknown_mirror)
{
	last = api_expect(404, api_post("/mirrors/status", json("{'flowJobName': 'nobody'}")));
	expect_field("code", "5");
	expect_field("currentFlowState", "STATUS_UNKNOWN");
}
END_TEST

START_TEST(mirrors_are_listed)
{
	mirror_run("m", "public.t", NULL);
	get("/mirrors/list");
	expect_field("mirrors.0.name", "m");
	expect_field("mirrors.0.workflowId", "m-peerflow");
	expect_field("mirrors.0.sourceName", "src");
	expect_field("mirrors.0.destinationType", "POSTGRES");
	expect_field("mirrors.0.isCdc", "true");
	expect_field("mirrors.0.status", "STATUS_RUNNING");
	get("/mirrors/names");
	expect_field("names.0", "m");
}
END_TEST

static bool
counted(const char *path, const char *expected)
{
	get("/mirrors/cdc/table_total_counts/m");
	return strcmp(field_text(last->json, path), expected) == 0;
}

START_TEST(changes_are_counted_by_table)
{
	mirror_run("m", "public.t", NULL);
	on_source("INSERT INTO t VALUES (101), (102), (103)");
	on_source("UPDATE t SET v = 'x' WHERE id IN (1, 2)");
	on_source("DELETE FROM t WHERE id = 5");
	if (!poll_until(WAIT_MS, counted("totalData.totalCount", "6")))
		test_fail("the counts are %s", last->body);
	expect_field("tablesData.0.tableName", "public.t");
	expect_field("tablesData.0.counts.insertsCount", "3");
	expect_field("tablesData.0.counts.updatesCount", "2");
	expect_field("tablesData.0.counts.deletesCount", "1");
}
END_TEST

static bool
rows_synced(const char *cdc)
{
	get("/mirrors/total_rows_synced/m");
	return strcmp(field_text(last->json, "totalCountCDC"), cdc) == 0;
}

START_TEST(rows_are_summed)
{
	mirror_run("m", "public.t", NULL);
	on_source("INSERT INTO t VALUES (101), (102), (103)");
	if (!poll_until(WAIT_MS, rows_synced("3")))
		test_fail("the sums are %s", last->body);
	expect_field("totalCountInitialLoad", "100");
	expect_field("totalCount", "103");
}
END_TEST

static bool
has_batch(void)
{
	get("/mirrors/cdc/batches/m");
	return field_at(last->json, "cdcBatches.0.endTime") != NULL;
}

START_TEST(batches_are_listed)
{
	mirror_run("m", "public.t", NULL);
	on_source("INSERT INTO t VALUES (101)");
	if (!poll_until(WAIT_MS, has_batch()))
		test_fail("no batch: %s", last->body);
	expect_field("cdcBatches.0.numRows", "1");
	expect_field("total", "1");
	post("/mirrors/cdc/batches", json("{'flow_job_name': 'm', 'limit': 10}"));
	expect_field("cdcBatches.0.batchId", "1");
}
END_TEST

START_TEST(logs_are_listed)
{
	mirror_run("m", "public.t", NULL);
	post("/mirrors/logs", json("{'flow_job_name': 'm', 'level': 'all', 'num_per_page': 10}"));
	expect_field("errors.0.flowName", "m");
	ck_assert_ptr_null(strstr(last->body, "Tr0ub4dor"));
}
END_TEST

START_TEST(overview_tells_everything_at_once)
{
	mirror_run("m", "public.t", NULL);
	get("/mirrors/overview");
	expect_field("mirrors.0.name", "m");
	expect_field("mirrors.0.status", "STATUS_RUNNING");
	expect_field("mirrors.0.tables.0.sourceTable", "public.t");
}
END_TEST

START_TEST(metrics_name_the_mirror)
{
	mirror_run("m", "public.t", NULL);
	last = api_expect(200, api_get("//metrics"));
	ck_assert_ptr_nonnull(strstr(last->body, "mirror=\"m\""));
}
END_TEST

START_TEST(update_of_a_peer_reconnects_its_mirrors)
{
	mirror_run("m", "public.t", "'soft_delete_col_name': ''");
	post("/peers/create",
	    json("{'allow_update': true, 'peer': {'name': 'src', 'type': 3, 'postgres_config': "
		 "{'host': '127.0.0.1'}}}"));
	on_source("INSERT INTO t VALUES (101, 'after')");
	expect_equal("t");
	mirror_wait("m", "STATUS_RUNNING");
}
END_TEST

START_TEST(log_file_holds_no_secret)
{
	mirror_run("m", "public.t", NULL);
	daemon_stop(rig.daemon);
	ck_assert(!daemon_log_has(rig.daemon, "Tr0ub4dor"));
	ck_assert(!daemon_log_has(rig.daemon, DAEMON_PASSWORD));
	daemon_start(rig.daemon);
}
END_TEST

static void
add_connect_tests(TCase *tc)
{
	suite_test(tc, curl_line_of_the_contract);
	suite_test(tc, curl_with_user_option);
	suite_test(tc, any_user_name_will_do);
	suite_test(tc, bearer_password);
	suite_test(tc, no_password_is_401_with_challenge);
	suite_test(tc, wrong_passwords_are_401);
	suite_test(tc, health_needs_no_password);
	suite_test(tc, metrics_need_the_password);
	suite_test(tc, both_prefixes_answer);
	suite_test(tc, instance_is_ready);
	suite_test(tc, what_is_not_built_answers_501);
	suite_test(tc, unknown_path_is_404_and_method_405);
}

static void
add_peer_tests(TCase *tc)
{
	suite_test(tc, peer_with_numbers_on_localhost);
	suite_test(tc, peer_with_strings_on_127_0_0_1);
	suite_test(tc, peer_on_other_addresses);
	suite_test(tc, peer_with_camel_case_fields);
	suite_test(tc, peer_by_connection_string);
	suite_test(tc, peer_with_libpq_options);
	suite_test(tc, peer_repeated_is_success);
	suite_test(tc, peer_with_other_config_is_409);
	suite_test(tc, allow_update_updates_and_keeps_the_secret);
	suite_test(tc, info_hides_secrets);
	suite_test(tc, peer_type_and_lists);
	suite_test(tc, validate_changes_nothing);
	suite_test(tc, unvalidated_peer_is_stored);
	suite_test(tc, peer_is_dropped);
	suite_test(tc, peer_in_use_is_not_dropped);
	suite_test(tc, peers_survive_a_restart);
}

static void
add_mirror_tests(TCase *tc)
{
	suite_test(tc, mirror_create_answers_its_workflow);
	suite_test(tc, mirror_repeated_is_success);
	suite_test(tc, mirror_with_other_config_is_409);
	suite_test(tc, attach_to_existing_is_success);
	suite_test(tc, validate_leaves_no_trace);
	suite_test(tc, status_without_flow_info);
	suite_test(tc, status_with_flow_info);
	suite_test(tc, status_tells_the_snapshot);
	suite_test(tc, status_of_unknown_mirror);
	suite_test(tc, mirrors_are_listed);
	suite_test(tc, changes_are_counted_by_table);
	suite_test(tc, rows_are_summed);
	suite_test(tc, batches_are_listed);
	suite_test(tc, logs_are_listed);
	suite_test(tc, overview_tells_everything_at_once);
	suite_test(tc, metrics_name_the_mirror);
	suite_test(tc, update_of_a_peer_reconnects_its_mirrors);
	suite_test(tc, log_file_holds_no_secret);
}

static Suite *
contract_suite(void)
{
	Suite *s = suite_create("contract");
	TCase *tc = suite_case(s, "contract", rig_clusters_init, rig_clusters_done, contract_init,
	    rig_done);

	add_connect_tests(tc);
	add_peer_tests(tc);
	add_mirror_tests(tc);
	return s;
}

int
main(void)
{
	return suite_main(contract_suite());
}
