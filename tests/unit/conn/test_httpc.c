#include "tests/unit/conn/fake_http.h"

#include <event2/event.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/conn/httpc.h"
#include "lib/conn/pgconn.h"

#define DEADLINE_US (10 * USEC_PER_SEC)
#define PASSWORD    "s3cret"

static struct httpc *h;
static struct event_base *loop;
static struct httpc_config cfg;
static struct httpc_post post;
static struct httpc_answer answer;
static struct err err;

static const char *const headers[] = { "X-Key: " PASSWORD, NULL };

/* What came of the requests of the event loop. */
static struct {
	int done;
	int status[FAKE_REQUESTS_MAX]; /* by the request's number */
	struct err err;
	char body[64];
	bool free_all;
	int send_more;
} got;

static void
setup(void)
{
	fake_start();
	loop = event_base_new();
	cfg = (struct httpc_config){ .loop = loop,
		.host = "127.0.0.1",
		.port = fake.port,
		.headers = headers,
		.user_agent = "peerd test",
		.connect_timeout = 10 * USEC_PER_SEC,
		.stall_timeout = 20 * USEC_PER_SEC };
	post = (struct httpc_post){ .target = "/?a=b", .answer_max = MIB };
	err = (struct err)ERR_INIT;
}

static void
teardown(void)
{
	httpc_answer_done(&answer);
	httpc_free(&h);
	event_base_free(loop);
	fake_stop();
}

static void
open_client(void)
{
	ck_assert_msg(httpc_new(&cfg, &h, &err), "%s", err.msg);
}

static bool
call(void)
{
	if (h == NULL)
		open_client();
	httpc_answer_done(&answer);
	return httpc_call(h, &post, &answer, &err);
}

static void
on_done(void *arg, const struct httpc_answer *a, const struct err *e)
{
	int number = *(const int *)arg;

	got.done++;
	got.status[number] = a->status;
	snprintf(got.body, sizeof(got.body), "%s", buf_str(&a->body));
	if (e != NULL)
		got.err = *e;
	if (got.free_all)
		httpc_free(&h);
	else if (got.send_more-- > 0)
		httpc_send(h, &post, on_done, arg);
}

static void
turn_until(int done)
{
	usec_t until = clock_mono_us() + DEADLINE_US;
	struct timeval tv = { .tv_usec = 5000 };

	while (got.done < done) {
		event_base_loopexit(loop, &tv);
		event_base_loop(loop, EVLOOP_ONCE);
		ck_assert_msg(clock_mono_us() < until, "%d of %d requests done", got.done, done);
	}
}

static bool
head_has(size_t request, const char *line)
{
	return strcasestr(buf_str(&fake_seen(request)->head), line) != NULL;
}

/* ---- waiting */

START_TEST(an_answer_comes_back)
{
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "X-One: 1\r\nx-two:  2\r\n", "hello") });

	ck_assert_msg(call(), "%s", err.msg);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(buf_str(&answer.body), "hello");
	ck_assert_str_eq(httpc_header(&answer, "x-one"), "1");
	ck_assert_str_eq(httpc_header(&answer, "X-Two"), "2");
	ck_assert_ptr_null(httpc_header(&answer, "X-Three"));
	ck_assert_ptr_null(httpc_header(&answer, "X-On"));
}
END_TEST

START_TEST(a_request_has_what_it_should)
{
	const struct slice body[] = { slice_str("one "), slice_str(""), slice_str("two") };
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "", "") });

	post.body = body;
	post.nbody = 3;
	post.header = "Content-Encoding: lz4";
	ck_assert_msg(call(), "%s", err.msg);
	ck_assert_str_eq(buf_str(&fake_seen(0)->body), "one two");
	ck_assert(head_has(0, "POST /?a=b HTTP/1.1\r\n"));
	ck_assert(head_has(0, "\r\nContent-Length: 7\r\n"));
	ck_assert(head_has(0, "\r\nContent-Encoding: lz4\r\n"));
	ck_assert(head_has(0, "\r\nX-Key: " PASSWORD "\r\n"));
	ck_assert(head_has(0, "\r\nUser-Agent: peerd test\r\n"));
	ck_assert(!head_has(0, "Expect"));
	ck_assert(!head_has(0, "chunked"));
}
END_TEST

START_TEST(a_request_without_body_has_length_nought)
{
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "", "") });

	ck_assert(call());
	ck_assert(head_has(0, "\r\nContent-Length: 0\r\n"));
}
END_TEST

/* Larger than any buffer on the way, in slices of odd sizes. */
START_TEST(a_large_body_arrives_whole)
{
	enum {
		N = 300,
		SIZE = 40009
	};
	static uint8_t bytes[N * SIZE];
	struct slice body[N];
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "", "") });

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t i = 0; i < N; i++)
		body[i] = slice_of(bytes + i * SIZE, SIZE);
	post.body = body;
	post.nbody = N;
	ck_assert_msg(call(), "%s", err.msg);
	ck_assert(slice_eq(buf_slice(&fake_seen(0)->body), slice_of(bytes, sizeof(bytes))));
}
END_TEST

START_TEST(a_connection_is_used_again)
{
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "", "") }, { FAKE_REPLY("404 No", "", "no") },
	    { FAKE_REPLY("200 OK", "", "") });

	for (int i = 0; i < 3; i++)
		ck_assert_msg(call(), "%s", err.msg);
	ck_assert_int_eq(fake_seen(2)->connection, 1);
}
END_TEST

/* The server closes a kept connection when the next request comes: it is sent again. */
START_TEST(a_stale_connection_is_replaced)
{
	const struct slice body = slice_str("data");
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "", "") }, { .close = true },
	    { FAKE_REPLY("200 OK", "", "") });

	post.body = &body;
	post.nbody = 1;
	ck_assert(call());
	ck_assert_msg(call(), "%s", err.msg);
	ck_assert_int_eq(fake_seen(2)->connection, 2);
	ck_assert_str_eq(buf_str(&fake_seen(2)->body), "data");
}
END_TEST

START_TEST(a_chunked_answer_is_joined)
{
	FAKE_SCRIPT({ .raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			     "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Last: yes\r\n\r\n" });

	ck_assert(call());
	ck_assert_str_eq(buf_str(&answer.body), "abcde");
	ck_assert_str_eq(httpc_header(&answer, "X-Last"), "yes");
}
END_TEST

START_TEST(a_compressed_answer_is_decoded)
{
	/* gzip of "hello" */
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
				    "Content-Length: 25\r\n\r\n"
				    "\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0"
				    "\x86\xa6\x10\x36\x05\0\0\0";
	FAKE_SCRIPT({ .raw = reply, .raw_bytes = sizeof(reply) - 1 });

	ck_assert_msg(call(), "%s", err.msg);
	ck_assert_str_eq(buf_str(&answer.body), "hello");
	ck_assert(head_has(0, "\r\nAccept-Encoding: gzip\r\n"));
}
END_TEST

START_TEST(a_redirect_is_not_followed)
{
	FAKE_SCRIPT({ FAKE_REPLY("302 Found", "Location: /elsewhere\r\n", "") });

	ck_assert(call());
	ck_assert_int_eq(answer.status, 302);
	ck_assert_uint_eq(fake_count(), 1);
}
END_TEST

/* The server does not want the rest of the body: what it says counts, not the broken pipe. */
START_TEST(an_early_answer_ends_the_upload)
{
	static uint8_t bytes[20 * MIB];
	const struct slice body = slice_of(bytes, sizeof(bytes));
	FAKE_SCRIPT({ FAKE_REPLY("500 No", "Connection: close\r\n", "parts"), .read_body = 100,
	    .close = true });

	post.body = &body;
	post.nbody = 1;
	ck_assert_msg(call(), "%s", err.msg);
	ck_assert_int_eq(answer.status, 500);
	ck_assert_str_eq(buf_str(&answer.body), "parts");
}
END_TEST

/* ---- what can go wrong */

static const struct failure {
	struct fake_step step;
	enum err_code code;
	const char *words;
} failures[] = {
	{ { .close = true }, ERR_TRANSIENT, "closed without an answer" },
	{ { FAKE_REPLY("200 OK", "", "half"), .missing = 6, .close = true }, ERR_TRANSIENT,
	    "connection was cut" },
	{ { .raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", .close = true },
	    ERR_TRANSIENT, "connection was cut" },
	{ { .raw = "SSH-2.0-OpenSSH_9.2\r\n", .close = true }, ERR_CONFIG, "does not speak HTTP" },
	{ { FAKE_REPLY("200 OK", "Content-Encoding: gzip\r\n", "hello") }, ERR_PROTOCOL,
	    "could not be decompressed" },
};

START_TEST(a_failure_has_its_class)
{
	const struct failure *f = &failures[_i];

	fake_script(&f->step, 1);
	ck_assert(!call());
	ck_assert_msg(err.code == f->code, "%s: %s", err_code_name(err.code), err.msg);
	ck_assert_msg(strstr(err.msg, f->words) != NULL, "%s", err.msg);
	ck_assert_ptr_null(strstr(err.msg, PASSWORD));
}
END_TEST

START_TEST(what_came_before_the_cut_is_there)
{
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "X-One: 1\r\n", "half"), .missing = 6, .close = true });

	ck_assert(!call());
	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(buf_str(&answer.body), "half");
	ck_assert_str_eq(httpc_header(&answer, "X-One"), "1");
}
END_TEST

START_TEST(an_answer_has_its_ceiling)
{
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "", "hello") });

	post.answer_max = 4;
	ck_assert(!call());
	ck_assert_int_eq(err.code, ERR_TOO_LARGE);
}
END_TEST

START_TEST(silence_ends)
{
	FAKE_SCRIPT({ .hang = true });

	cfg.stall_timeout = USEC_PER_SEC;
	ck_assert(!call());
	ck_assert_int_eq(err.code, ERR_TIMEOUT);
	ck_assert_msg(strstr(err.msg, "no answer from 127.0.0.1:") != NULL, "%s", err.msg);
}
END_TEST

START_TEST(nobody_listens)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, n), 0);
	getsockname(fd, (struct sockaddr *)&at, &n);
	cfg.port = ntohs(at.sin_port);
	ck_assert(!call());
	ck_assert_int_eq(err.code, ERR_TRANSIENT);
	ck_assert_msg(strstr(err.msg, "could not connect") != NULL, "%s", err.msg);
	ck_assert_str_ne(err.hint, "");
	close(fd);
}
END_TEST

START_TEST(an_unknown_host_is_for_the_user)
{
	cfg.host = "no-such-host.invalid";
	ck_assert(!call());
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_str_eq(err.sqlstate, "08001");
}
END_TEST

static const char *const bad_hosts[] = { "", "a/b", "https://a", "a b", "u@h" };

START_TEST(a_host_is_not_a_url)
{
	cfg.host = bad_hosts[_i];
	ck_assert(!httpc_new(&cfg, &h, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
}
END_TEST

/* ---- told to stop */

static bool
check_stop(void *arg)
{
	return *(const bool *)arg;
}

START_TEST(a_wait_can_be_interrupted)
{
	bool go_on = false;
	int fds[2];
	struct pgconn_interrupt intr = { .check = check_stop, .arg = &go_on };
	FAKE_SCRIPT({ .hang = true });

	ck_assert(fd_socketpair(fds, &err));
	intr.fd = fds[0];
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	cfg.intr = &intr;
	ck_assert(!call());
	ck_assert_int_eq(err.code, ERR_CANCELLED);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}
END_TEST

/* ---- from the event loop */

static int numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7 };

START_TEST(requests_run_side_by_side)
{
	/* the first is answered by nobody until the others are through */
	FAKE_SCRIPT({ .hang = true }, { FAKE_REPLY("200 OK", "", "") },
	    { FAKE_REPLY("200 OK", "", "") });
	struct httpc_request *first;

	open_client();
	first = httpc_send(h, &post, on_done, &numbers[0]);
	while (fake_count() == 0)
		event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	httpc_send(h, &post, on_done, &numbers[1]);
	httpc_send(h, &post, on_done, &numbers[2]);
	ck_assert_int_eq(got.done, 0);
	turn_until(2);
	ck_assert_int_eq(got.status[1], 200);
	ck_assert_int_eq(got.status[2], 200);
	httpc_cancel(&first);
	ck_assert_ptr_null(first);
	ck_assert_int_eq(got.done, 2);
}
END_TEST

START_TEST(done_may_send_on_the_same_connection)
{
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "", "") }, { FAKE_REPLY("200 OK", "", "") },
	    { FAKE_REPLY("200 OK", "", "end") });

	got.send_more = 2;
	open_client();
	httpc_send(h, &post, on_done, &numbers[0]);
	turn_until(3);
	ck_assert_str_eq(got.body, "end");
	ck_assert_int_eq(fake_seen(2)->connection, 1);
}
END_TEST

START_TEST(done_may_free_everything)
{
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "", "") }, { .hang = true });

	got.free_all = true;
	open_client();
	httpc_send(h, &post, on_done, &numbers[0]);
	httpc_send(h, &post, on_done, &numbers[1]); /* whichever is answered first */
	turn_until(1);
	ck_assert_ptr_null(h);
	while (event_base_loop(loop, 0) == 0) /* what turn_until() asked for is over */
		continue;
	ck_assert_int_eq(event_base_loop(loop, EVLOOP_NONBLOCK), 1); /* nothing is watched */
}
END_TEST

START_TEST(a_cut_is_told_in_the_loop)
{
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "", "half"), .missing = 6, .close = true });

	open_client();
	httpc_send(h, &post, on_done, &numbers[0]);
	turn_until(1);
	ck_assert_int_eq(got.err.code, ERR_TRANSIENT);
	ck_assert_str_eq(got.body, "half");
}
END_TEST

START_TEST(silence_ends_in_the_loop)
{
	FAKE_SCRIPT({ .hang = true });

	cfg.stall_timeout = USEC_PER_SEC;
	open_client();
	httpc_send(h, &post, on_done, &numbers[0]);
	turn_until(1);
	ck_assert_int_eq(got.err.code, ERR_TIMEOUT);
}
END_TEST

START_TEST(text_is_percent_encoded)
{
	struct buf to;

	buf_init(&to, KIB);
	httpc_encode(&to, "a b&c=`d`\n\xc3\xa4~._-9");
	ck_assert_str_eq(buf_str(&to), "a%20b%26c%3D%60d%60%0A%C3%A4~._-9");
	buf_done(&to);
}
END_TEST

#define LOOP(tc, test, rows) \
	tcase_add_loop_test(tc, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))

static TCase *
waiting_tests(void)
{
	TCase *tc = tcase_create("waiting");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_answer_comes_back);
	tcase_add_test(tc, a_request_has_what_it_should);
	tcase_add_test(tc, a_request_without_body_has_length_nought);
	tcase_add_test(tc, a_large_body_arrives_whole);
	tcase_add_test(tc, a_connection_is_used_again);
	tcase_add_test(tc, a_stale_connection_is_replaced);
	tcase_add_test(tc, a_chunked_answer_is_joined);
	tcase_add_test(tc, a_compressed_answer_is_decoded);
	tcase_add_test(tc, a_redirect_is_not_followed);
	tcase_add_test(tc, an_early_answer_ends_the_upload);
	LOOP(tc, a_failure_has_its_class, failures);
	tcase_add_test(tc, what_came_before_the_cut_is_there);
	tcase_add_test(tc, an_answer_has_its_ceiling);
	tcase_add_test(tc, silence_ends);
	tcase_add_test(tc, nobody_listens);
	tcase_add_test(tc, an_unknown_host_is_for_the_user);
	LOOP(tc, a_host_is_not_a_url, bad_hosts);
	tcase_add_test(tc, a_wait_can_be_interrupted);
	tcase_add_test(tc, text_is_percent_encoded);
	return tc;
}

static TCase *
loop_tests(void)
{
	TCase *tc = tcase_create("loop");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, requests_run_side_by_side);
	tcase_add_test(tc, done_may_send_on_the_same_connection);
	tcase_add_test(tc, done_may_free_everything);
	tcase_add_test(tc, a_cut_is_told_in_the_loop);
	tcase_add_test(tc, silence_ends_in_the_loop);
	return tc;
}

int
main(void)
{
	Suite *s = suite_create("httpc");
	SRunner *sr;
	int failed;

	suite_add_tcase(s, waiting_tests());
	suite_add_tcase(s, loop_tests());
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
