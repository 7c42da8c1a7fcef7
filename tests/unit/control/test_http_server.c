/*
 * The transport: framing, keep-alive, ceilings, deadlines and clients that
 * behave badly.
 */
#include "tests/unit/control/http_fixture.h"

#define HEALTH "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

static const struct http_limits quick = {
	.head_bytes = 16 * KIB,
	.body_bytes = 1024,
	.connections = 4,
	.head_ms = 200,
	.body_ms = 200,
	.write_ms = 200,
	.idle_ms = 200,
	.linger_ms = 200,
};

static void
restart_quick(void)
{
	struct http_rest_options options = http_options();

	http_rest_free(&rest);
	options.limits = &quick;
	start_server(&options);
}

START_TEST(connection_is_kept)
{
	struct client c;

	ck_assert_int_eq(ask(&c, HEALTH), 200);
	ck_assert(reply_has(&c, "Connection: keep-alive\r\n"));
	client_send(&c, HEALTH);
	CLIENT_WAIT(&c, replies(&c) == 2);
	ck_assert(!c.closed);
	client_close(&c);
}
END_TEST

START_TEST(connection_is_closed_when_asked)
{
	struct client c;

	ck_assert_int_eq(ask(&c, "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
	    200);
	CLIENT_WAIT(&c, c.closed);
	client_close(&c);
	ck_assert_int_eq(ask(&c, "GET /healthz HTTP/1.0\r\n\r\n"), 200);
	CLIENT_WAIT(&c, c.closed);
	client_close(&c);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
	static const char one[] = "POST /v1/peers/drop HTTP/1.1\r\nHost: h\r\n" AUTH
				  "Content-Length: 16\r\n\r\n{\"peerName\":\"a\"}" HEALTH;
	struct client c;
	struct buf many;
	const char *p;

	buf_init(&many, 1 << 20);
	for (int i = 0; i < 50; i++)
		buf_str_add(&many, one);
	client_open(&c);
	client_send(&c, buf_str(&many));
	CLIENT_WAIT(&c, replies(&c) == 100);
	ck_assert_uint_eq(fake.calls, 50);
	p = strstr(buf_str(&c.got), "\"ok\"");
	ck_assert_ptr_nonnull(p);
	ck_assert(strstr(buf_str(&c.got), "{}") < p);
	buf_done(&many);
	client_close(&c);
}
END_TEST

START_TEST(request_in_single_bytes)
{
	static const char text[] =
	    "POST /v1/peers/drop HTTP/1.1\r\nHost: h\r\n" AUTH
	    "Transfer-Encoding: chunked\r\n\r\n8\r\n{\"peerNa\r\n8\r\nme\":\"a\"}\r\n0\r\n\r\n";
	struct client c;

	client_open(&c);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		client_send_n(&c, text + i, 1);
	CLIENT_WAIT(&c, replies(&c) == 1);
	ck_assert_int_eq(reply_status(&c), 200);
	ck_assert_str_eq(buf_str(&fake.request), "{\"peerName\":\"a\"}");
	client_close(&c);
}
END_TEST

START_TEST(continue_is_said_before_the_body)
{
	struct client c;

	client_open(&c);
	client_send(&c,
	    "POST /v1/peers/drop HTTP/1.1\r\nHost: h\r\n" AUTH
	    "Expect: 100-continue\r\nContent-Length: 16\r\n\r\n");
	CLIENT_WAIT(&c, reply_has(&c, "HTTP/1.1 100 Continue\r\n\r\n"));
	client_send(&c, "{\"peerName\":\"a\"}");
	CLIENT_WAIT(&c, reply_has(&c, "HTTP/1.1 200 OK\r\n"));
	client_close(&c);
}
END_TEST

START_TEST(refused_before_the_body_is_sent)
{
	struct client c;

	ck_assert_int_eq(ask(&c,
			     "POST /v1/peers/drop HTTP/1.1\r\nHost: h\r\n"
			     "Expect: 100-continue\r\nContent-Length: 16\r\n\r\n"),
	    401);
	ck_assert(reply_has(&c, "Connection: close\r\n"));
	CLIENT_WAIT(&c, c.closed);
	client_close(&c);
}
END_TEST

START_TEST(large_body_is_refused_in_json)
{
	size_t n = 10 * MIB;
	char *body = xmalloc(n + 1);
	struct client c;

	memset(body, 'x', n);
	body[n] = '\0';
	ck_assert_int_eq(call(&c, "POST", "/v1/peers/create", "", body), 413);
	ck_assert(reply_has(&c, "\"message\":\"the request's body exceeds 8388608 bytes\""));
	ck_assert(reply_has(&c, "Content-Type: application/json\r\n"));
	ck_assert_uint_eq(fake.calls, 0);
	client_close(&c);
	free(body);
}
END_TEST

START_TEST(large_chunked_body_is_refused)
{
	struct client c;
	struct buf body;

	restart_quick();
	buf_init(&body, 1 << 20);
	buf_str_add(&body,
	    "POST /v1/peers/create HTTP/1.1\r\nHost: h\r\n" AUTH
	    "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 2000; i++)
		buf_str_add(&body, "1\r\nx\r\n");
	client_open(&c);
	client_send(&c, buf_str(&body));
	CLIENT_WAIT(&c, replies(&c) == 1);
	ck_assert_int_eq(reply_status(&c), 413);
	CLIENT_WAIT(&c, c.closed);
	buf_done(&body);
	client_close(&c);
}
END_TEST

START_TEST(large_head_is_refused)
{
	struct buf head;
	struct client c;

	buf_init(&head, 1 << 20);
	buf_str_add(&head, "GET /healthz HTTP/1.1\r\nHost: h\r\nX: ");
	for (int i = 0; i < 20000; i++)
		buf_char(&head, 'x');
	ck_assert_int_eq(ask(&c, buf_str(&head)), 431);
	CLIENT_WAIT(&c, c.closed);
	buf_done(&head);
	client_close(&c);
}
END_TEST

static const struct {
	const char *text;
	int status;
} malformed[] = {
	{ "nonsense\r\n\r\n", 400 },
	{ "GET / HTTP/3.0\r\n\r\n", 505 },
	{ "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "POST /v1/peers/drop HTTP/1.1\r\nHost: h\r\n" AUTH
	  "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
	    400 },
	{ "\x16\x03\x01 TLS\r\n\r\n", 400 },
};

START_TEST(malformed_requests_get_json_too)
{
	struct client c;

	ck_assert_int_eq(ask(&c, malformed[_i].text), malformed[_i].status);
	ck_assert(reply_has(&c, "{\"code\":"));
	CLIENT_WAIT(&c, c.closed);
	client_close(&c);
}
END_TEST

START_TEST(head_has_the_length_but_no_body)
{
	struct client c;

	client_open(&c);
	client_send(&c, "HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
	CLIENT_WAIT(&c, reply_has(&c, "\r\n\r\n"));
	ck_assert(reply_has(&c, "Content-Length: 15\r\n"));
	ck_assert_str_eq(reply_body(&c), "");
	client_close(&c);
}
END_TEST

/* ---- deadlines */

START_TEST(slow_head_is_cut_off)
{
	static const char text[] = "GET /healthz HTTP/1.1\r\nHost: h\r\nX-A-Header: ";
	usec_t start = clock_mono_us();
	struct client c;

	restart_quick();
	client_open(&c);
	for (size_t i = 0; replies(&c) == 0; i++) {
		client_send_n(&c, i < sizeof(text) - 1 ? text + i : "a", 1);
		client_poll(&c);
		ck_assert(clock_mono_us() - start < DEADLINE_US);
	}
	ck_assert_int_eq(reply_status(&c), 408);
	CLIENT_WAIT(&c, c.closed);
	client_close(&c);
}
END_TEST

static const char *const stalled[] = {
	"", /* nothing is ever sent */
	"POST /v1/peers/drop HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 16\r\n\r\n{",
	HEALTH, /* and then no second request */
};

START_TEST(stalled_client_is_closed)
{
	struct client c;

	restart_quick();
	client_open(&c);
	client_send(&c, stalled[_i]);
	CLIENT_WAIT(&c, c.closed);
	ck_assert_uint_eq(fake.calls, 0);
	client_close(&c);
}
END_TEST

START_TEST(client_that_does_not_read_is_closed)
{
	struct client c;
	int small = 4096;

	restart_quick();
	/* replies larger than socket buffers: the message is repeated for each subject */
	fake.fail.code = ERR_INVALID;
	memset(fake.fail.msg, 'm', sizeof(fake.fail.msg) - 1);
	memset(fake.fail.subjects, '\n', sizeof(fake.fail.subjects) - 1);
	for (size_t i = 0; i < sizeof(fake.fail.subjects) - 1; i += 2)
		fake.fail.subjects[i] = 's';
	snprintf(fake.fail.reason, sizeof(fake.fail.reason), "R");
	client_open(&c);
	(void)setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 0; i < 40; i++)
		(void)!send(c.fd, "GET /v1/peers/list HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n",
		    strlen("GET /v1/peers/list HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n"), MSG_NOSIGNAL);
	WAIT_FOR(fake.calls > 0);
	WAIT_FOR(send(c.fd, "\r\n", 2, MSG_NOSIGNAL) == -1 && errno != EAGAIN);
	client_close(&c);
}
END_TEST

/* ---- many clients */

START_TEST(newcomers_wait_while_all_are_busy)
{
	struct client busy[4], late;

	restart_quick();
	fake.pend = true;
	for (int i = 0; i < 4; i++) {
		client_open(&busy[i]);
		client_send(&busy[i], "GET /v1/peers/list HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n");
	}
	WAIT_FOR(fake.nwaiting == 4);
	client_open(&late);
	client_send(&late, HEALTH);
	for (int i = 0; i < 20; i++)
		client_poll(&late);
	ck_assert_uint_eq(late.got.n, 0);
	fake_complete();
	CLIENT_WAIT(&late, replies(&late) == 1);
	for (int i = 0; i < 4; i++) {
		CLIENT_WAIT(&busy[i], replies(&busy[i]) == 1);
		client_close(&busy[i]);
	}
	client_close(&late);
}
END_TEST

START_TEST(idle_client_makes_room)
{
	struct http_limits limits = quick;
	struct http_rest_options options = http_options();
	struct client c[5];

	limits.idle_ms = 60 * 1000;
	http_rest_free(&rest);
	options.limits = &limits;
	start_server(&options);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(ask(&c[i], HEALTH), 200);
	CLIENT_WAIT(&c[0], c[0].closed);
	for (int i = 0; i < 5; i++)
		client_close(&c[i]);
}
END_TEST

START_TEST(many_clients_at_once)
{
	struct client c[100];

	for (int i = 0; i < 100; i++) {
		client_open(&c[i]);
		client_send(&c[i],
		    i % 2 == 0 ? HEALTH
			       : "GET /v1/mirrors/list HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n");
	}
	for (int i = 0; i < 100; i++) {
		CLIENT_WAIT(&c[i], replies(&c[i]) == 1);
		ck_assert_int_eq(reply_status(&c[i]), 200);
		client_close(&c[i]);
	}
	ck_assert_uint_eq(fake.calls, 50);
}
END_TEST

/* ---- clients that leave */

START_TEST(client_leaves_during_a_call)
{
	struct client c;

	fake.pend = true;
	client_open(&c);
	client_send(&c, "GET /v1/peers/list HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n");
	WAIT_FOR(fake.nwaiting == 1);
	client_close(&c);
	WAIT_FOR(fake.abandoned == 1);
	fake_complete();
	ck_assert_int_eq(ask(&c, HEALTH), 200);
	client_close(&c);
}
END_TEST

START_TEST(client_leaves_within_a_request)
{
	struct client c;

	client_open(&c);
	client_send(&c,
	    "POST /v1/peers/drop HTTP/1.1\r\nHost: h\r\n" AUTH "Content-Length: 16\r\n\r\n{\"pe");
	client_close(&c);
	ck_assert_int_eq(ask(&c, HEALTH), 200);
	ck_assert_uint_eq(fake.calls, 0);
	client_close(&c);
}
END_TEST

START_TEST(half_closed_client_still_gets_its_reply)
{
	struct client c;

	client_open(&c);
	client_send(&c, HEALTH HEALTH);
	shutdown(c.fd, SHUT_WR);
	CLIENT_WAIT(&c, c.closed);
	ck_assert_uint_eq(replies(&c), 2);
	client_close(&c);
}
END_TEST

/* ---- stopping */

static void
note_quiet(void *arg)
{
	*(bool *)arg = true;
}

START_TEST(stop_lets_requests_end)
{
	struct client idle, waiting, late;
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(http_rest_port(rest)) };
	bool quiet = false;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fake.pend = true;
	ck_assert_int_eq(ask(&idle, HEALTH), 200);
	client_open(&waiting);
	client_send(&waiting, "GET /v1/peers/list HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n");
	WAIT_FOR(fake.nwaiting == 1);
	http_rest_stop(rest, note_quiet, &quiet);
	CLIENT_WAIT(&idle, idle.closed);
	ck_assert(!quiet);
	late.fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(late.fd, (struct sockaddr *)&sin, sizeof(sin)), -1);
	close(late.fd);
	fake_complete();
	CLIENT_WAIT(&waiting, waiting.closed);
	ck_assert_int_eq(reply_status(&waiting), 200);
	WAIT_FOR(quiet);
	client_close(&idle);
	client_close(&waiting);
}
END_TEST

START_TEST(stop_without_clients_is_quiet_at_once)
{
	bool quiet = false;

	http_rest_stop(rest, note_quiet, &quiet);
	WAIT_FOR(quiet);
}
END_TEST

START_TEST(free_abandons_what_waits)
{
	struct client c;

	fake.pend = true;
	client_open(&c);
	client_send(&c, "GET /v1/peers/list HTTP/1.1\r\nHost: h\r\n" AUTH "\r\n");
	WAIT_FOR(fake.nwaiting == 1);
	http_rest_free(&rest);
	ck_assert_uint_eq(fake.abandoned, 1);
	client_close(&c);
}
END_TEST

static Suite *
server_suite(void)
{
	Suite *s = suite_create("http_server");
	TCase *tc = tcase_create("http_server");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, http_setup, http_teardown);
	tcase_add_test(tc, connection_is_kept);
	tcase_add_test(tc, connection_is_closed_when_asked);
	tcase_add_test(tc, pipelined_requests_are_answered_in_order);
	tcase_add_test(tc, request_in_single_bytes);
	tcase_add_test(tc, continue_is_said_before_the_body);
	tcase_add_test(tc, refused_before_the_body_is_sent);
	tcase_add_test(tc, large_body_is_refused_in_json);
	tcase_add_test(tc, large_chunked_body_is_refused);
	tcase_add_test(tc, large_head_is_refused);
	tcase_add_loop_test(tc, malformed_requests_get_json_too, 0, COUNT(malformed));
	tcase_add_test(tc, head_has_the_length_but_no_body);
	tcase_add_test(tc, slow_head_is_cut_off);
	tcase_add_loop_test(tc, stalled_client_is_closed, 0, COUNT(stalled));
	tcase_add_test(tc, client_that_does_not_read_is_closed);
	tcase_add_test(tc, newcomers_wait_while_all_are_busy);
	tcase_add_test(tc, idle_client_makes_room);
	tcase_add_test(tc, many_clients_at_once);
	tcase_add_test(tc, client_leaves_during_a_call);
	tcase_add_test(tc, client_leaves_within_a_request);
	tcase_add_test(tc, half_closed_client_still_gets_its_reply);
	tcase_add_test(tc, stop_lets_requests_end);
	tcase_add_test(tc, stop_without_clients_is_quiet_at_once);
	tcase_add_test(tc, free_abandons_what_waits);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return http_run(server_suite());
}
