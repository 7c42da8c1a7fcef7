/*
 * The bytes of requests: what is understood, and what is refused with which
 * status, so that no proxy in front can read a request differently.
 */
#include "lib/wire/http1.h"

#include <check.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

static struct arena *a;

static void
setup(void)
{
	a = arena_new(4096);
}

static void
teardown(void)
{
	arena_free(&a);
}

static bool
parse(const char *text, struct http1_head *h, int *status, struct err *err)
{
	struct slice bytes = slice_str(text);

	ck_assert_uint_eq(http1_head_length(bytes), bytes.n);
	*status = 400;
	return http1_head_parse(bytes, a, h, status, err);
}

START_TEST(head_is_understood)
{
	struct err err = ERR_INIT;
	struct http1_head h;
	int status;

	ck_assert(parse("POST /v1/a%20b?x=1&y HTTP/1.1\r\nHost: h\r\ncontent-LENGTH: 12\r\n"
			"X-Empty:\r\nX-Padded: \t a b \t\r\nExpect: 100-continue\r\n\r\n",
	    &h, &status, &err));
	ck_assert_str_eq(h.method, "POST");
	ck_assert_str_eq(h.path, "/v1/a%20b");
	ck_assert_str_eq(h.query, "x=1&y");
	ck_assert_int_eq(h.minor, 1);
	ck_assert_int_eq(h.framing, HTTP1_LENGTH);
	ck_assert_uint_eq(h.length, 12);
	ck_assert(h.keep_alive);
	ck_assert(h.expect_continue);
	ck_assert_str_eq(http1_header(&h, "x-empty"), "");
	ck_assert_str_eq(http1_header(&h, "X-PADDED"), "a b");
	ck_assert_ptr_null(http1_header(&h, "X-Absent"));
	ck_assert_uint_eq(http1_header_count(&h, "host"), 1);
}
END_TEST

static const struct {
	const char *text;
	bool keep_alive;
} connections[] = {
	{ "GET / HTTP/1.1\r\nHost: h\r\n\r\n", true },
	{ "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false },
	{ "GET / HTTP/1.1\r\nHost: h\r\nConnection: TE, Close\r\n\r\n", false },
	{ "GET / HTTP/1.1\r\nHost: h\r\nConnection: closed\r\n\r\n", true },
	{ "GET / HTTP/1.0\r\n\r\n", false },
	{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true },
	{ "GET / HTTP/1.1\nHost: h\n\n", true },
};

START_TEST(connection_is_kept_or_not)
{
	struct err err = ERR_INIT;
	struct http1_head h;
	int status;

	ck_assert(parse(connections[_i].text, &h, &status, &err));
	ck_assert_int_eq(h.keep_alive, connections[_i].keep_alive);
}
END_TEST

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"

static const struct {
	const char *text;
	int status;
} refused[] = {
	{ "GET\r\n\r\n", 400 },
	{ "GET /\r\n\r\n", 400 },
	{ " GET / HTTP/1.1\r\n\r\n", 400 },
	{ "GET  / HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400 },
	{ "G\x01T / HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "GET peers HTTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "GET / FTP/1.1\r\nHost: h\r\n\r\n", 400 },
	{ "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505 },
	{ "PRI * HTTP/2.0\r\n\r\n", 505 },
	{ "GET / HTTP/1.1\r\n\r\n", 400 },
	{ GET "Host: i\r\n\r\n", 400 },
	{ GET "No colon\r\n\r\n", 400 },
	{ GET "Blank : v\r\n\r\n", 400 },
	{ GET ": v\r\n\r\n", 400 },
	{ GET "A: b\r\n folded: c\r\n\r\n", 400 },
	{ GET "A: b\rc\r\n\r\n", 400 },
	{ GET "A: \x7f\r\n\r\n", 400 },
	{ GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400 },
	{ GET "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ GET "Content-Length: +1\r\n\r\n", 400 },
	{ GET "Content-Length: -1\r\n\r\n", 400 },
	{ GET "Content-Length: 1, 1\r\n\r\n", 400 },
	{ GET "Content-Length: 99999999999999999999\r\n\r\n", 400 },
	{ GET "Transfer-Encoding: gzip, chunked\r\n\r\n", 501 },
	{ "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ GET "Expect: tea\r\n\r\n", 417 },
};

START_TEST(malformed_head_is_refused)
{
	struct err err = ERR_INIT;
	struct http1_head h;
	int status;

	ck_assert_msg(!parse(refused[_i].text, &h, &status, &err), "taken: %s", refused[_i].text);
	ck_assert_int_eq(status, refused[_i].status);
	ck_assert_str_ne(err.msg, "");
}
END_TEST

START_TEST(nul_in_head_is_refused)
{
	static const char text[] = "GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n";
	struct err err = ERR_INIT;
	struct http1_head h;
	int status = 0;

	ck_assert(!http1_head_parse(slice_of(text, sizeof(text) - 1), a, &h, &status, &err));
	ck_assert_int_eq(status, 400);
}
END_TEST

START_TEST(headers_have_a_ceiling)
{
	struct err err = ERR_INIT;
	struct http1_head h;
	struct buf b;
	int status;

	buf_init(&b, 64 * 1024);
	buf_str_add(&b, GET);
	for (int i = 1; i < HTTP1_HEADERS_MAX; i++)
		buf_printf(&b, "X-%d: 1\r\n", i);
	buf_str_add(&b, "\r\n");
	ck_assert(parse(buf_str(&b), &h, &status, &err));
	b.n -= 2;
	buf_str_add(&b, "X: 1\r\n\r\n");
	ck_assert(!parse(buf_str(&b), &h, &status, &err));
	ck_assert_int_eq(status, 431);
	buf_done(&b);
}
END_TEST

START_TEST(head_ends_at_the_empty_line)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\nrest";
	size_t whole = sizeof(text) - 1 - strlen("rest");

	for (size_t n = 0; n < whole; n++)
		ck_assert_uint_eq(http1_head_length(slice_of(text, n)), 0);
	ck_assert_uint_eq(http1_head_length(slice_of(text, sizeof(text) - 1)), whole);
	ck_assert_uint_eq(http1_leading_blank(slice_str("\r\n\r\nGET")), 4);
	ck_assert_uint_eq(http1_leading_blank(slice_str("GET")), 0);
}
END_TEST

START_TEST(proxy_target_gives_its_path)
{
	struct err err = ERR_INIT;
	struct http1_head h;
	int status;

	ck_assert(parse("GET http://h:1/v1/x?y HTTP/1.1\r\nHost: h\r\n\r\n", &h, &status, &err));
	ck_assert_str_eq(h.path, "/v1/x");
	ck_assert_str_eq(h.query, "y");
	ck_assert(parse("GET HTTPS://h HTTP/1.1\r\nHost: h\r\n\r\n", &h, &status, &err));
	ck_assert_str_eq(h.path, "/");
}
END_TEST

/* ---- percent-encoding */

static const struct {
	const char *text;
	bool plus;
	const char *decoded; /* NULL: refused */
} encodings[] = {
	{ "", false, "" },
	{ "abc", false, "abc" },
	{ "a%20b", false, "a b" },
	{ "a+b", false, "a+b" },
	{ "a+b", true, "a b" },
	{ "%2B%2b", true, "++" },
	{ "%c3%A4", false, "\xc3\xa4" },
	{ "%", false, NULL },
	{ "%2", false, NULL },
	{ "%zz", false, NULL },
	{ "%00", false, NULL },
	{ "%c3", false, NULL },
	{ "\xff", false, NULL },
};

START_TEST(percent_encoding)
{
	const char *text = NULL;
	struct err err = ERR_INIT;
	bool ok = http1_decode(a, slice_str(encodings[_i].text), encodings[_i].plus, &text, &err);

	ck_assert_int_eq(ok, encodings[_i].decoded != NULL);
	if (ok)
		ck_assert_str_eq(text, encodings[_i].decoded);
}
END_TEST

static bool
collect(void *arg, const char *name, const char *value, struct err *err)
{
	buf_printf(arg, "[%s|%s]", name, value);
	return true;
}

static const struct {
	const char *query;
	const char *seen;
} queries[] = {
	{ NULL, "" },
	{ "", "" },
	{ "a=1", "[a|1]" },
	{ "a=1&b=2", "[a|1][b|2]" },
	{ "&&a&", "[a|]" },
	{ "a=b=c&=d", "[a|b=c][|d]" },
	{ "a%26b=c%3Dd+e", "[a&b|c=d e]" },
};

START_TEST(query_is_split_before_decoding)
{
	struct err err = ERR_INIT;
	struct buf seen;

	buf_init(&seen, 1024);
	ck_assert(http1_query_each(a, queries[_i].query, collect, &seen, &err));
	ck_assert_str_eq(buf_str(&seen), queries[_i].seen);
	buf_done(&seen);
}
END_TEST

START_TEST(bad_query_is_refused)
{
	struct err err = ERR_INIT;
	struct buf seen;

	buf_init(&seen, 1024);
	ck_assert(!http1_query_each(a, "a=%", collect, &seen, &err));
	ck_assert_int_eq(err.code, ERR_INVALID);
	buf_done(&seen);
}
END_TEST

/* ---- chunks */

/* Feed text in pieces of the given size; what is left over is returned. */
static bool
feed(const char *text, size_t piece, struct buf *out, size_t *left, struct err *err)
{
	struct http1_chunks c = HTTP1_CHUNKS_INIT;
	size_t n = strlen(text), at = 0, used;

	while (at < n && !http1_chunks_done(&c)) {
		size_t step = n - at < piece ? n - at : piece;

		if (!http1_chunks_feed(&c, slice_of(text + at, step), &used, out, err))
			return false;
		at += used;
	}
	*left = n - at;
	return http1_chunks_done(&c);
}

START_TEST(chunks_in_pieces)
{
	static const char text[] =
	    "3\r\nabc\r\n0A;ext=\"1\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET";
	struct err err = ERR_INIT;
	struct buf out;
	size_t left;

	for (size_t piece = 1; piece < sizeof(text); piece++) {
		buf_init(&out, 64);
		ck_assert(feed(text, piece, &out, &left, &err));
		ck_assert_str_eq(buf_str(&out), "abc0123456789");
		ck_assert_uint_eq(left, strlen("GET"));
		buf_done(&out);
	}
}
END_TEST

static const char *const bad_chunks[] = {
	"\r\n",
	"g\r\n",
	"-1\r\n",
	"1\rX",
	"1\r1\nab",
	"3\r\nabcd\r\n",
	"3\r\nabc\r0",
	"1000000000000000\r\n",
	";x\r\n",
};

START_TEST(malformed_chunks_are_refused)
{
	struct err err = ERR_INIT;
	struct buf out;
	size_t left;

	buf_init(&out, 64);
	ck_assert(!feed(bad_chunks[_i], 100, &out, &left, &err));
	ck_assert_int_eq(err.code, ERR_INVALID);
	buf_done(&out);
}
END_TEST

START_TEST(endless_trailers_are_refused)
{
	struct err err = ERR_INIT;
	struct buf text, out;
	size_t left;

	buf_init(&text, 64 * 1024);
	buf_init(&out, 64);
	buf_str_add(&text, "0\r\n");
	while (text.n < 40 * 1024)
		buf_str_add(&text, "T: t\r\n");
	ck_assert(!feed(buf_str(&text), 1000, &out, &left, &err));
	ck_assert_int_eq(err.code, ERR_TOO_LARGE);
	buf_done(&text);
	buf_done(&out);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

static Suite *
http1_suite(void)
{
	Suite *s = suite_create("http1");
	TCase *tc = tcase_create("http1");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, head_is_understood);
	tcase_add_loop_test(tc, connection_is_kept_or_not, 0, COUNT(connections));
	tcase_add_loop_test(tc, malformed_head_is_refused, 0, COUNT(refused));
	tcase_add_test(tc, nul_in_head_is_refused);
	tcase_add_test(tc, headers_have_a_ceiling);
	tcase_add_test(tc, head_ends_at_the_empty_line);
	tcase_add_test(tc, proxy_target_gives_its_path);
	tcase_add_loop_test(tc, percent_encoding, 0, COUNT(encodings));
	tcase_add_loop_test(tc, query_is_split_before_decoding, 0, COUNT(queries));
	tcase_add_test(tc, bad_query_is_refused);
	tcase_add_test(tc, chunks_in_pieces);
	tcase_add_loop_test(tc, malformed_chunks_are_refused, 0, COUNT(bad_chunks));
	tcase_add_test(tc, endless_trailers_are_refused);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	SRunner *sr = srunner_create(http1_suite());
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
