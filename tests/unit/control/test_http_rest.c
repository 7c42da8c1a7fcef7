/*
 * The REST face: who comes in, what request a call is made of, and how its
 * outcome is told.
 */
#include "tests/unit/control/http_fixture.h"

#define LIST "GET /v1/peers/list HTTP/1.1\r\nHost: localhost\r\n"

/* ---- who comes in */

static const struct {
	const char *header;
	int status;
} credentials[] = {
	{ "", 401 },
	{ "Authorization: Bearer " PASSWORD "\r\n", 200 },
	{ "Authorization: bearer " PASSWORD "\r\n", 200 },
	{ "Authorization: Basic OnMzY3JldDogd2l0aCBhIGNvbG9u\r\n", 200 },
	{ "Authorization: Basic YWRtaW46czNjcmV0OiB3aXRoIGEgY29sb24=\r\n", 200 },
	{ "Authorization: Basic OnMzY3JldA==\r\n", 401 },
	{ "Authorization: Basic !!!\r\n", 401 },
	{ "Authorization: Basic\r\n", 401 },
	{ "Authorization: Bearer " PASSWORD "x\r\n", 401 },
	{ "Authorization: Bearer \r\n", 401 },
	{ "Authorization: Digest x\r\n", 401 },
	{ "Authorization: Bearer " PASSWORD "\r\nAuthorization: Bearer " PASSWORD "\r\n", 401 },
};

START_TEST(password_is_asked_for)
{
	struct client c;
	struct buf text;
	int status;

	buf_init(&text, 4096);
	buf_printf(&text, LIST "%s\r\n", credentials[_i].header);
	status = ask(&c, buf_str(&text));
	ck_assert_int_eq(status, credentials[_i].status);
	ck_assert_uint_eq(fake.calls, status == 200);
	if (status == 401) {
		ck_assert(reply_has(&c, "\r\nWWW-Authenticate: Basic realm=\"peerd\""));
		ck_assert(reply_has(&c, "\"code\":16"));
	}
	client_close(&c);
	buf_done(&text);
}
END_TEST

START_TEST(guessing_is_slowed_down)
{
	usec_t start = clock_mono_us(), fast, slow;
	struct client c;

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(ask(&c, LIST "Authorization: Bearer x\r\n\r\n"), 401);
		client_close(&c);
	}
	fast = clock_mono_us() - start;
	start = clock_mono_us();
	ck_assert_int_eq(ask(&c, LIST "Authorization: Bearer x\r\n\r\n"), 401);
	client_close(&c);
	slow = clock_mono_us() - start;
	ck_assert_msg(slow >= 240 * USEC_PER_MSEC, "the fourth took %lld us after %lld us",
	    (long long)slow, (long long)fast);
	ck_assert_int_eq(ask(&c, LIST AUTH "\r\n"), 200);
	client_close(&c);
}
END_TEST

START_TEST(held_refusals_survive_clients_and_stop)
{
	struct client c[6];

	for (int i = 0; i < 6; i++) {
		client_open(&c[i]);
		client_send(&c[i], LIST "Authorization: Bearer x\r\n\r\n");
	}
	CLIENT_WAIT(&c[2], replies(&c[2]) == 1);
	client_close(&c[4]);
	http_rest_stop(rest, NULL, NULL);
	CLIENT_WAIT(&c[5], c[5].closed);
	ck_assert_int_eq(reply_status(&c[5]), 401);
	for (int i = 0; i < 6; i++)
		if (i != 4)
			client_close(&c[i]);
}
END_TEST

START_TEST(unix_socket_needs_no_password)
{
	struct http_rest_options options = http_options();
	struct client c;

	http_rest_free(&rest);
	options.socket_path = socket_path;
	start_server(&options);
	client_open_unix(&c);
	client_send(&c, LIST "\r\n");
	CLIENT_WAIT(&c, replies(&c) == 1);
	ck_assert_int_eq(reply_status(&c), 200);
	ck_assert_str_eq(fake.principal, "control socket");
	client_close(&c);
}
END_TEST

START_TEST(no_password_means_loopback_only)
{
	struct http_rest_options options = http_options();
	struct err err = ERR_INIT;

	http_rest_free(&rest);
	options.password = "";
	options.listen = "0.0.0.0:0";
	ck_assert(!http_rest_new(&options, &rest, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_str_ne(err.hint, "");
}
END_TEST

static const struct {
	const char *headers;
	int with_password;
	int without;
} origins[] = {
	{ "Host: localhost:3000\r\n", 200, 200 },
	{ "Host: 127.0.0.1:3000\r\n", 200, 200 },
	{ "Host: [::1]:3000\r\n", 200, 200 },
	{ "Host: localhost:3000\r\nOrigin: http://localhost:3000\r\n", 200, 200 },
	{ "Host: peerd.example.org\r\n", 200, 403 },
	{ "Host: localhost:3000\r\nOrigin: http://evil.example.org\r\n", 403, 403 },
	{ "Host: localhost:3000\r\nOrigin: null\r\n", 403, 403 },
};

START_TEST(other_web_sites_stay_out)
{
	struct http_rest_options options = http_options();
	struct client c;
	struct buf text;

	buf_init(&text, 4096);
	buf_printf(&text, "GET /v1/peers/list HTTP/1.1\r\n" AUTH "%s\r\n", origins[_i].headers);
	ck_assert_int_eq(ask(&c, buf_str(&text)), origins[_i].with_password);
	client_close(&c);

	http_rest_free(&rest);
	options.password = NULL;
	start_server(&options);
	ck_assert_int_eq(ask(&c, buf_str(&text)), origins[_i].without);
	client_close(&c);
	buf_done(&text);
}
END_TEST

/* ---- requests become calls */

static const struct {
	const char *method, *target, *body;
	const char *rpc, *request;
} good[] = {
	{ "GET", "/v1/peers/list", NULL, "ListPeers", "{}" },
	{ "GET", "/api/v1/peers/list", NULL, "ListPeers", "{}" },
	{ "GET", "/api/v1/peers/info/a%20b", NULL, "GetPeerInfo", "{\"peerName\":\"a b\"}" },
	{ "GET", "/v1/peers/info/a%2Fb", NULL, "GetPeerInfo", "{\"peerName\":\"a/b\"}" },
	{ "GET", "/v1/peers/info/100%25", NULL, "GetPeerInfo", "{\"peerName\":\"100%\"}" },
	{ "GET", "/v1/peers/info/a+b", NULL, "GetPeerInfo", "{\"peerName\":\"a+b\"}" },
	{ "GET", "/v1/peers/tables?peer_name=p&schemaName=s+t&cdc_enabled=true", NULL,
	    "GetTablesInSchema",
	    "{\"peerName\":\"p\",\"schemaName\":\"s t\",\"cdcEnabled\":true}" },
	{ "GET", "/v1/mirrors/cdc/batches/m?limit=5&beforeId=-1", NULL, "GetCDCBatches",
	    "{\"flowJobName\":\"m\",\"limit\":5,\"beforeId\":\"-1\"}" },
	{ "GET", "/v1/peers/list", "", "ListPeers", "{}" },
	{ "DELETE", "/v1/alerts/config/7", NULL, "DeleteAlertConfig", "{\"id\":7}" },
	{ "GET", "/v1/scripts/-1", NULL, "GetScripts", "{\"id\":-1}" },
	{ "POST", "/v1/peers/drop", "{\"peer_name\":\"p\"}", "DropPeer", "{\"peerName\":\"p\"}" },
	{ "POST", "/v1/peers/drop", "", "DropPeer", "{}" },
	{ "POST", "/v1/peers/drop?peer_name=p", "", "DropPeer", "{\"peerName\":\"p\"}" },
	{ "POST", "/v1/mirrors/cdc/batches", "{\"flowJobName\":\"m\"}", "CDCBatches",
	    "{\"flowJobName\":\"m\"}" },
};

START_TEST(request_becomes_a_call)
{
	struct client c;

	ck_assert_int_eq(call(&c, good[_i].method, good[_i].target,
			     "Content-Type: application/x-www-form-urlencoded\r\n", good[_i].body),
	    200);
	ck_assert_str_eq(fake.method, good[_i].rpc);
	ck_assert_str_eq(buf_str(&fake.request), good[_i].request);
	ck_assert_str_eq(fake.principal, "127.0.0.1");
	client_close(&c);
}
END_TEST

static const struct {
	const char *method, *target, *body;
	int status;
	const char *says;
} bad[] = {
	{ "GET", "/", NULL, 404, "/api/v1" },
	{ "GET", "/v1", NULL, 404, "\"code\":5" },
	{ "GET", "/v1/peers/lists", NULL, 404, "did you mean /api/v1/peers/list?" },
	{ "GET", "/v2/peers/list", NULL, 404, "\"code\":5" },
	{ "GET", "/v1x/peers/list", NULL, 404, "\"code\":5" },
	{ "GET", "/v1/peers/info/", NULL, 404, "\"code\":5" },
	{ "GET", "/v1/peers/info/a/b", NULL, 404, "\"code\":5" },
	{ "POST", "/v1/peers/list", "{}", 405, "\r\nAllow: GET, HEAD\r\n" },
	{ "GET", "/v1/peers/create", NULL, 405, "\r\nAllow: POST\r\n" },
	{ "PUT", "/v1/dynamic_settings", "{}", 405, "\r\nAllow: GET, HEAD, POST\r\n" },
	{ "BREW", "/v1/version", NULL, 405, "\r\nAllow: GET, HEAD\r\n" },
	{ "POST", "/metrics", "{}", 405, "\r\nAllow: GET, HEAD\r\n" },
	{ "GET", "/v1/peers/tables?per_name=p", NULL, 400, "per_name" },
	{ "GET", "/v1/peers/tables?per_name=p", NULL, 400, "\"hint\":" },
	{ "GET", "/v1/peers/tables?cdc_enabled=perhaps", NULL, 400, "cdc_enabled" },
	{ "GET", "/v1/peers/tables?peer_name=%ff", NULL, 400, "UTF-8" },
	{ "GET", "/v1/peers/tables?peer_name=a&peer_name=b", NULL, 400, "peer_name" },
	{ "GET", "/v1/peers/info/a?peer_name=b", NULL, 400, "peer_name" },
	{ "GET", "/v1/scripts/x", NULL, 400, "\"id\\\"" },
	{ "POST", "/v1/peers/drop", "{", 400, "\"code\":3" },
	{ "POST", "/v1/peers/drop", "peer_name=p", 400, "must be one JSON object" },
	{ "POST", "/v1/peers/drop", "[]", 400, "\"code\":3" },
	{ "POST", "/v1/peers/drop", "{\"peer_name\":\"\xff\"}", 400, "UTF-8" },
	{ "POST", "/v1/peers/drop", "{\"peer_nam\":\"p\"}", 400, "peer_nam" },
	{ "POST", "/v1/peers/drop", "{\"peer_name\":1}", 400, "peer_name" },
};

START_TEST(bad_request_is_refused_with_words)
{
	struct client c;

	ck_assert_int_eq(call(&c, bad[_i].method, bad[_i].target, "", bad[_i].body),
	    bad[_i].status);
	ck_assert_msg(reply_has(&c, bad[_i].says), "%s", buf_str(&c.got));
	ck_assert(reply_has(&c, "\"message\":"));
	ck_assert_uint_eq(fake.calls, 0);
	client_close(&c);
}
END_TEST

START_TEST(compressed_body_is_refused)
{
	struct client c;

	ck_assert_int_eq(call(&c, "POST", "/v1/peers/drop", "Content-Encoding: gzip\r\n", "{}"),
	    400);
	client_close(&c);
}
END_TEST

START_TEST(secrets_do_not_come_back)
{
	struct client c;

	ck_assert_int_eq(call(&c, "POST", "/v1/peers/create", "",
			     "{\"peer\":{\"name\":\"p\",\"postgres_config\":{\"password\":"
			     "\"hunter2\",\"prt\":1}}}"),
	    400);
	ck_assert(!reply_has(&c, "hunter2"));
	ck_assert(reply_has(&c, "\"status\":\"FAILED\""));
	client_close(&c);
}
END_TEST

/* ---- outcomes */

static const struct {
	const char *given;
	bool kept;
} request_ids[] = {
	{ "abc-1.2_Z", true },
	{ "", false },
	{ "a b", false },
	{ "<script>", false },
};

START_TEST(answer_carries_the_request_id)
{
	struct client c;
	char line[128];

	snprintf(line, sizeof(line), "x-peerdb-request-id: %s\r\n", request_ids[_i].given);
	ck_assert_int_eq(call(&c, "GET", "/v1/peers/list", line, NULL), 200);
	ck_assert_int_eq(reply_has(&c, line), request_ids[_i].kept);
	ck_assert(reply_has(&c, "\r\nx-peerdb-request-id: "));
	client_close(&c);
	ck_assert_int_eq(ask(&c, "nonsense\r\n\r\n"), 400);
	ck_assert(reply_has(&c, "\r\nx-peerdb-request-id: "));
	client_close(&c);
}
END_TEST

START_TEST(response_message_with_its_defaults)
{
	struct client c;

	ck_assert_int_eq(call(&c, "GET", "/v1/peers/list", "", NULL), 200);
	ck_assert_str_eq(reply_body(&c),
	    "{\"items\":[],\"sourceItems\":[],\"destinationItems\":[]}");
	ck_assert(reply_has(&c, "\r\nContent-Type: application/json\r\n"));
	client_close(&c);
}
END_TEST

START_TEST(response_comes_later)
{
	struct client c;

	fake.pend = true;
	client_open(&c);
	client_send(&c, LIST AUTH "\r\n");
	WAIT_FOR(fake.nwaiting == 1);
	fake_complete();
	CLIENT_WAIT(&c, replies(&c) == 1);
	ck_assert_int_eq(reply_status(&c), 200);
	client_close(&c);
}
END_TEST

START_TEST(every_error_has_its_status)
{
	struct client c;
	char code[32];

	err_set(&fake.fail, (enum err_code)_i, "words");
	ck_assert_int_eq(call(&c, "GET", "/v1/peers/list", "", NULL),
	    err_http_status((enum err_code)_i));
	snprintf(code, sizeof(code), "\"code\":%d,", err_grpc_code((enum err_code)_i));
	ck_assert(reply_has(&c, code));
	client_close(&c);
}
END_TEST

START_TEST(failed_call_tells_its_status_and_state)
{
	struct client c;

	err_set(&fake.fail, ERR_CONFIG, "no");
	fake.status_name = "FAILED";
	ck_assert_int_eq(call(&c, "POST", "/v1/peers/create", "", "{}"), 400);
	ck_assert(reply_has(&c, "\"status\":\"FAILED\""));
	client_close(&c);
	fake.status_name = NULL;
	fake.mirror_state = PEERDB_FLOW__FLOW_STATUS__STATUS_UNKNOWN;
	err_set(&fake.fail, ERR_NOT_FOUND, "no");
	ck_assert_int_eq(call(&c, "POST", "/v1/mirrors/status", "", "{}"), 404);
	ck_assert(reply_has(&c, "\"currentFlowState\":\"STATUS_UNKNOWN\""));
	client_close(&c);
}
END_TEST

/* ---- pages */

START_TEST(health_needs_no_password)
{
	struct client c;

	ck_assert_int_eq(ask(&c, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
	client_close(&c);
	ck_assert_int_eq(ask(&c, "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
	client_close(&c);
	fake.ready = false;
	ck_assert_int_eq(ask(&c, "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n"), 503);
	ck_assert(reply_has(&c, "\"code\":14"));
	client_close(&c);
}
END_TEST

START_TEST(metrics_want_the_password)
{
	struct client c;

	ck_assert_int_eq(ask(&c, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"), 401);
	client_close(&c);
	ck_assert_int_eq(call(&c, "GET", "/metrics", "", NULL), 200);
	ck_assert(reply_has(&c, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	ck_assert(reply_has(&c, "\npeerd_http_requests_total{code=\"401\"} 1\n"));
	ck_assert(reply_has(&c, "\npeerd_mirror_lag_seconds{mirror=\"orders\"} 1.5\n"));
	client_close(&c);
}
END_TEST

START_TEST(metrics_may_be_open)
{
	struct http_rest_options options = http_options();
	struct client c;

	http_rest_free(&rest);
	options.open_metrics = true;
	start_server(&options);
	ck_assert_int_eq(ask(&c, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
	client_close(&c);
}
END_TEST

static Suite *
rest_suite(void)
{
	Suite *s = suite_create("http_rest");
	TCase *tc = tcase_create("http_rest");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, http_setup, http_teardown);
	tcase_add_loop_test(tc, password_is_asked_for, 0, COUNT(credentials));
	tcase_add_test(tc, guessing_is_slowed_down);
	tcase_add_test(tc, held_refusals_survive_clients_and_stop);
	tcase_add_test(tc, unix_socket_needs_no_password);
	tcase_add_test(tc, no_password_means_loopback_only);
	tcase_add_loop_test(tc, other_web_sites_stay_out, 0, COUNT(origins));
	tcase_add_loop_test(tc, request_becomes_a_call, 0, COUNT(good));
	tcase_add_loop_test(tc, bad_request_is_refused_with_words, 0, COUNT(bad));
	tcase_add_test(tc, compressed_body_is_refused);
	tcase_add_test(tc, secrets_do_not_come_back);
	tcase_add_loop_test(tc, answer_carries_the_request_id, 0, COUNT(request_ids));
	tcase_add_test(tc, response_message_with_its_defaults);
	tcase_add_test(tc, response_comes_later);
	tcase_add_loop_test(tc, every_error_has_its_status, ERR_TRANSIENT, ERR_COUNT);
	tcase_add_test(tc, failed_call_tells_its_status_and_state);
	tcase_add_test(tc, health_needs_no_password);
	tcase_add_test(tc, metrics_want_the_password);
	tcase_add_test(tc, metrics_may_be_open);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return http_run(rest_suite());
}
