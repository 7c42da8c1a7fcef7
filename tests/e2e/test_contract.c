/*
 * The contract's own commands, as people type them, and what is answered.
 */
#include "tests/e2e/contract.h"
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

static Suite *
contract_suite(void)
{
	Suite *s = suite_create("contract");
	TCase *tc = suite_case(s, "contract", rig_clusters_init, rig_clusters_done, contract_init,
	    rig_done);

	add_connect_tests(tc);
	add_peer_tests(tc);
	return s;
}

int
main(void)
{
	return suite_main(contract_suite());
}
