#include "tests/unit/conn/chclient_fixture.h"

#include <lz4frame.h>
#include <zlib.h>

#include "lib/base/clock.h"

#define DEADLINE_US (10 * USEC_PER_SEC)

/* ---- opening */

START_TEST(opening_asks_for_the_version)
{
	FAKE_SCRIPT(NEW);

	open_client();
	ck_assert_str_eq(chclient_caps(c)->version, "26.7.2.1");
	ck_assert_str_eq(chclient_database(c), "sh`op");
	ck_assert(head_has(0, "\r\nX-ClickHouse-User: u ser\r\n"));
	ck_assert(head_has(0, "\r\nX-ClickHouse-Key: " PASSWORD "\r\n"));
	ck_assert(!head_has(0, "database="));
	ck_assert_str_eq(buf_str(&fake_seen(0)->body), "SELECT version()\nFORMAT TabSeparated");
}
END_TEST

START_TEST(an_old_server_is_refused_with_words)
{
	FAKE_SCRIPT(VERSION("1.1.543"));

	ck_assert(!chclient_open(&cfg, &c, &err));
	ck_assert_str_eq(err.msg, "ClickHouse 1.1.543 is too old");
	ck_assert_str_eq(err.hint, "peerd works with ClickHouse 18.16 and newer");
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(the_native_port_says_so)
{
	FAKE_SCRIPT({ FAKE_REPLY("400 Bad Request", "",
	    "Port 9000 is for clickhouse-client program\r\nYou must use port 8123 for "
	    "HTTP.\r\n") });

	ck_assert(!chclient_open(&cfg, &c, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.msg, "must use port 8123") != NULL, "%s", err.msg);
}
END_TEST

START_TEST(a_server_that_hangs_up_hints_at_tls)
{
	FAKE_SCRIPT({ .close = true });

	ck_assert(!chclient_open(&cfg, &c, &err));
	ck_assert_int_eq(err.code, ERR_TRANSIENT);
	ck_assert_msg(strstr(err.hint, "8443") != NULL, "%s", err.hint);
}
END_TEST

/* ---- statements */

START_TEST(rows_are_split_and_unescaped)
{
	FAKE_SCRIPT(NEW, { OK("1\ta\\tb\\n\\\\\\'\n2\t\\N\n\\0x\t\xc3\xa4\n") });
	struct ch_rows rows;

	open_client();
	ck_assert_msg(chclient_query(c, a, "SELECT x, y", &rows, &err), "%s", err.msg);
	ck_assert_uint_eq(rows.nrows, 3);
	ck_assert_uint_eq(rows.ncols, 2);
	ck_assert_str_eq(ch_cell_str(&rows, 0, 0), "1");
	ck_assert_str_eq(ch_cell_str(&rows, 0, 1), "a\tb\n\\'");
	ck_assert_ptr_null(ch_cell(&rows, 1, 1).p);
	ck_assert_str_eq(ch_cell_str(&rows, 1, 1), "");
	ck_assert(slice_eq(ch_cell(&rows, 2, 0), slice_of("\0x", 2)));
	ck_assert_str_eq(ch_cell_str(&rows, 2, 1), "\xc3\xa4");
	ck_assert(head_has(1, "&database=sh%60op"));
	ck_assert(head_has(1, "wait_end_of_query=1"));
	ck_assert(!head_has(1, "SELECT"));
}
END_TEST

START_TEST(no_rows_are_no_error)
{
	FAKE_SCRIPT(NEW, { OK("") }, { OK("\n") });
	struct ch_rows rows;

	open_client();
	ck_assert(chclient_query(c, a, "SELECT x", &rows, &err));
	ck_assert_uint_eq(rows.nrows, 0);
	ck_assert(chclient_query(c, a, "SELECT ''", &rows, &err));
	ck_assert_uint_eq(rows.nrows, 1);
	ck_assert_str_eq(ch_cell_str(&rows, 0, 0), "");
}
END_TEST

static const char *const not_rows[] = { "a", "a\tb\nc\n", "a\nb\tc\n", "a\tb\tc\nd\n", "a\nb" };

START_TEST(other_text_is_no_rows)
{
	struct ch_rows rows;

	ck_assert(!ch_rows_parse(a, slice_str(not_rows[_i]), &rows, &err));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
}
END_TEST

START_TEST(a_nul_byte_is_no_row)
{
	struct ch_rows rows;

	ck_assert(!ch_rows_parse(a, slice_of("a\0b\n", 4), &rows, &err));
}
END_TEST

START_TEST(statements_are_formatted)
{
	FAKE_SCRIPT(NEW, { OK("") });

	open_client();
	ck_assert(chclient_run(c, &err, "DROP TABLE %s", "t"));
	ck_assert_str_eq(buf_str(&fake_seen(1)->body), "DROP TABLE t");
}
END_TEST

/* A user who may only read may not set anything either. */
START_TEST(only_large_answers_are_asked_for_compressed)
{
	const struct ch_post small = { .sql = "SELECT 1" },
			     large = { .sql = "SELECT 1", .large_answer = true };
	FAKE_SCRIPT(NEW, { OK("") }, { OK("") });

	peer.compression = text("lz4");
	open_client();
	ck_assert(chclient_insert(c, &small, &err));
	ck_assert(chclient_insert(c, &large, &err));
	ck_assert(
	    !head_has(0, "enable_http_compression") && !head_has(1, "enable_http_compression"));
	ck_assert(head_has(2, "&enable_http_compression=1"));
}
END_TEST

START_TEST(names_and_values_are_quoted)
{
	struct buf b;

	buf_init(&b, KIB);
	ch_qualified(&b, "a`b", "c\\d'");
	ch_literal(&b, slice_of("it's `\\\n\0", 9));
	ck_assert_str_eq(buf_str(&b), "`a\\`b`.`c\\\\d'`'it\\'s `\\\\\n\\0'");
	buf_done(&b);
}
END_TEST

/* ---- inserts */

static const struct slice data[] = { { (const uint8_t *)"\1\0\2", 3 },
	{ (const uint8_t *)"xy", 2 } };

static struct ch_post
insert_post(void)
{
	static const struct ch_setting settings[] = { { "max_insert_block_size", "1000" } };

	return (struct ch_post){ .sql = "INSERT INTO t (`a b`) FORMAT RowBinary",
		.settings = settings,
		.nsettings = 1,
		.body = data,
		.nbody = 2,
		.token = "m/1/t&0",
		.rows = 2 };
}

static bool
insert(void)
{
	const struct ch_post post = insert_post();

	open_client();
	return chclient_insert(c, &post, &err);
}

START_TEST(an_insert_sends_data_only)
{
	FAKE_SCRIPT(NEW, { OK("") });

	ck_assert_msg(insert(), "%s", err.msg);
	ck_assert(slice_eq(buf_slice(&fake_seen(1)->body), slice_of("\1\0\2xy", 5)));
	ck_assert(head_has(1, "&query=INSERT%20INTO%20t%20%28%60a%20b%60%29%20FORMAT%20RowBinary"));
	ck_assert(head_has(1, "&insert_deduplication_token=m%2F1%2Ft%260&"));
	ck_assert(head_has(1, "&max_insert_block_size=1000&"));
	ck_assert(head_has(1, "&async_insert=0&"));
	ck_assert(head_has(1, "\r\nContent-Length: 5\r\n"));
	ck_assert(!head_has(1, "Content-Encoding"));
}
END_TEST

START_TEST(an_old_server_gets_no_new_settings)
{
	FAKE_SCRIPT(OLD, { OK("") });

	peer.compression = text("lz4");
	ck_assert_msg(insert(), "%s", err.msg);
	ck_assert(!head_has(1, "insert_deduplication_token"));
	ck_assert(!head_has(1, "async_insert"));
}
END_TEST

static struct buf
gunzip(const struct buf *packed)
{
	z_stream z = { .next_in = packed->p, .avail_in = (uInt)packed->n };
	struct buf out;

	buf_init(&out, 64 * MIB);
	ck_assert_int_eq(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
	z.next_out = buf_room(&out, 2 * MIB);
	z.avail_out = 2 * MIB;
	ck_assert_int_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
	ck_assert_uint_eq(z.avail_in, 0);
	out.n = z.total_out;
	inflateEnd(&z);
	return out;
}

static const struct {
	const char *compression;
	const char *sql; /* NULL: the insert's */
	size_t slices, size;
} framed[] = {
	{ "", NULL, 2, 1 },
	{ "", NULL, 50, 30011 },
	{ "lz4", NULL, 50, 30011 },
	{ "", "DROP TABLE t", 0, 0 },
};

/* It would take half of a body for the whole of it. */
START_TEST(a_body_for_an_old_server_has_an_end)
{
	static uint8_t bytes[50 * 30011];
	struct ch_post post = insert_post();
	struct slice slices[50], whole;
	struct buf out;
	FAKE_SCRIPT(OLD, { OK("") });

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 50000 < 25000 ? (uint8_t)(i * i * 2654435761u >> 17) : 'a';
	for (size_t i = 0; i < framed[_i].slices; i++)
		slices[i] = slice_of(bytes + i * framed[_i].size, framed[_i].size);
	post.body = slices;
	post.nbody = framed[_i].slices;
	whole = slice_of(bytes, framed[_i].slices * framed[_i].size);
	if (framed[_i].sql != NULL) {
		post = (struct ch_post){ .sql = framed[_i].sql };
		whole = slice_str(framed[_i].sql);
	}
	peer.compression = text(framed[_i].compression);
	open_client();
	ck_assert_msg(chclient_insert(c, &post, &err), "%s", err.msg);
	ck_assert(!head_has(0, "Content-Encoding"));
	ck_assert(head_has(1, "\r\nContent-Encoding: gzip\r\n"));
	out = gunzip(&fake_seen(1)->body);
	ck_assert(slice_eq(buf_slice(&out), whole));
	if (framed[_i].compression[0] != '\0')
		ck_assert_uint_lt(fake_seen(1)->body.n, out.n);
	buf_done(&out);
}
END_TEST

/* URLs have their limits. */
START_TEST(a_long_statement_goes_before_the_data)
{
	struct ch_post post = insert_post();
	struct buf sql;
	FAKE_SCRIPT(NEW, { OK("") });

	buf_init(&sql, MIB);
	buf_str_add(&sql, "INSERT INTO t (a");
	for (int i = 0; i < 5000; i++)
		buf_str_add(&sql, ",b");
	buf_str_add(&sql, ") FORMAT RowBinary");
	post.sql = buf_str(&sql);
	open_client();
	ck_assert_msg(chclient_insert(c, &post, &err), "%s", err.msg);
	ck_assert(!head_has(1, "&query="));
	buf_str_add(&sql, "\n");
	buf_add(&sql, "\1\0\2xy", 5);
	ck_assert(slice_eq(buf_slice(&fake_seen(1)->body), buf_slice(&sql)));
	buf_done(&sql);
}
END_TEST

static struct buf
unpack(const struct buf *packed)
{
	LZ4F_dctx *ctx;
	struct buf out;
	size_t from = 0, n, to, left = 1;

	buf_init(&out, 64 * MIB);
	ck_assert(!LZ4F_isError(LZ4F_createDecompressionContext(&ctx, LZ4F_VERSION)));
	while (left != 0) {
		n = packed->n - from;
		to = 64 * KIB;
		left = LZ4F_decompress(ctx, buf_room(&out, to), &to, packed->p + from, &n, NULL);
		ck_assert_msg(!LZ4F_isError(left), "%s", LZ4F_getErrorName(left));
		ck_assert(left == 0 || n > 0 || to > 0);
		out.n += to;
		from += n;
	}
	ck_assert_uint_eq(from, packed->n);
	LZ4F_freeDecompressionContext(ctx);
	return out;
}

START_TEST(a_body_is_compressed_as_one_frame)
{
	enum {
		N = 50,
		SIZE = 30011
	};
	static uint8_t bytes[N * SIZE];
	struct slice slices[N];
	struct ch_post post = insert_post();
	struct buf out;
	FAKE_SCRIPT(NEW, { OK("") });

	for (size_t i = 0; i < sizeof(bytes); i++) /* some of it cannot be compressed */
		bytes[i] = i / SIZE % 2 ? (uint8_t)(i * i * 2654435761u >> 17) : 'a';
	for (size_t i = 0; i < N; i++)
		slices[i] = slice_of(bytes + i * SIZE, SIZE);
	post.body = slices;
	post.nbody = N;
	peer.compression = text("lz4");
	open_client();
	ck_assert_msg(chclient_insert(c, &post, &err), "%s", err.msg);
	ck_assert(head_has(1, "\r\nContent-Encoding: lz4\r\n"));
	ck_assert_uint_lt(fake_seen(1)->body.n, sizeof(bytes));
	out = unpack(&fake_seen(1)->body);
	ck_assert(slice_eq(buf_slice(&out), slice_of(bytes, sizeof(bytes))));
	buf_done(&out);
}
END_TEST

#define SUMMARY(rows) \
	"X-ClickHouse-Summary: {\"read_rows\":\"9\",\"written_rows\":\"" rows "\"}\r\n"

static const struct {
	struct fake_step step;
	bool ok;
} summaries[] = {
	{ { FAKE_REPLY("200 OK", SUMMARY("2"), "") }, true },
	{ { FAKE_REPLY("200 OK", SUMMARY("4"), "") }, true }, /* a view wrote, too */
	{ { FAKE_REPLY("200 OK", SUMMARY("0"), "") }, true }, /* the token was known */
	{ { FAKE_REPLY("200 OK", SUMMARY("1"), "") }, false },
};

START_TEST(written_rows_are_compared)
{
	struct fake_step steps[] = { NEW, summaries[_i].step };

	fake_script(steps, 2);
	ck_assert_int_eq(insert(), summaries[_i].ok);
	if (!summaries[_i].ok)
		ck_assert_str_eq(err.msg, "of 2 rows sent, ClickHouse has written 1");
}
END_TEST

/* ---- what the server's errors mean */

#define OLD_UNKNOWN_TABLE                                                                  \
	"Code: 60, e.displayText() = DB::Exception: Table a.b doesn't exist., e.what() = " \
	"DB::Exception\n"

static const struct {
	struct fake_step step;
	enum err_code code;
	const char *sqlstate;
	const char *words; /* the message, or its beginning */
	bool slow;
} errors[] = {
	{ { FAKE_REPLY("404 Not Found", CODE("60"),
	      "Code: 60. DB::Exception: Table a.b doesn't exist. (UNKNOWN_TABLE) "
	      "(version 26.7.2.1 (x))\n") },
	    ERR_CONFIG, "42P01", "ClickHouse: Table a.b doesn't exist. (UNKNOWN_TABLE) (code 60)",
	    false },
	{ { FAKE_REPLY("500 Internal Server Error", "", OLD_UNKNOWN_TABLE) }, ERR_CONFIG, "42P01",
	    "ClickHouse: Table a.b doesn't exist. (code 60)", false },
	{ { FAKE_REPLY("404 Not Found", CODE("81"), "") }, ERR_CONFIG, "3D000", "", false },
	{ { FAKE_REPLY("403 Forbidden", CODE("516"), "") }, ERR_CONFIG, "28P01", "", false },
	{ { FAKE_REPLY("401 Unauthorized", CODE("194"), "") }, ERR_CONFIG, "28P01", "", false },
	{ { FAKE_REPLY("403 Forbidden", CODE("497"), "") }, ERR_CONFIG, "42501", "", false },
	{ { FAKE_REPLY("400 Bad Request", CODE("62"), "") }, ERR_CONFIG, "", "", false },
	{ { FAKE_REPLY("400 Bad Request", CODE("33"), "") }, ERR_DATA, "22000", "", false },
	{ { FAKE_REPLY("500 No", CODE("252"), "") }, ERR_TRANSIENT, "53400", "", true },
	{ { FAKE_REPLY("500 No", CODE("241"), "") }, ERR_TRANSIENT, "53200", "", true },
	{ { FAKE_REPLY("500 No", CODE("202"), "") }, ERR_TRANSIENT, "53300", "", true },
	{ { FAKE_REPLY("500 No", CODE("242"), "") }, ERR_TRANSIENT, "57P03", "", false },
	{ { FAKE_REPLY("500 No", CODE("999"), "") }, ERR_TRANSIENT, "57P03", "", false },
	/* the status counts only where the server says nothing */
	{ { FAKE_REPLY("200 OK", CODE("241"), "") }, ERR_TRANSIENT, "53200", "", true },
	{ { FAKE_REPLY("502 Bad Gateway", "", "<html>nginx") }, ERR_TRANSIENT, "",
	    "the server is not available (status 502): <html>nginx", false },
	{ { FAKE_REPLY("500 No", "", "") }, ERR_TRANSIENT, "",
	    "the server is not available (status 500)", false },
	{ { FAKE_REPLY("429 Slow", "", "") }, ERR_TRANSIENT, "", "too many requests", true },
	{ { FAKE_REPLY("401 Unauthorized", "", "") }, ERR_CONFIG, "28P01",
	    "user or password is not accepted", false },
	{ { FAKE_REPLY("403 Forbidden", "", "") }, ERR_CONFIG, "28000", "access is refused",
	    false },
	{ { FAKE_REPLY("413 Large", "", "") }, ERR_CONFIG, "", "a proxy refuses", false },
	{ { FAKE_REPLY("302 Found", "Location: https://x.example/?key=1\r\n", "") }, ERR_CONFIG, "",
	    "the server answers with a redirect (status 302) to https://x.example/", false },
	/* after a good beginning */
	{ { FAKE_REPLY("200 OK", "", OLD_UNKNOWN_TABLE) }, ERR_CONFIG, "42P01",
	    "ClickHouse: Table a.b doesn't exist.", false },
	{ { .raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		   "ff\r\n1\t2\nCode: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT) "
		   "(version 24.3.1.2)\n",
	      .close = true },
	    ERR_TRANSIENT, "53200", "ClickHouse: Memory limit exceeded.", true },
	{ { FAKE_REPLY("200 OK", "X-ClickHouse-Exception-Tag: abc\r\n",
	      "1\t2\r\n__exception__\r\nabc\r\nCode: 395. DB::Exception: thrown\r\n35 "
	      "abc\r\n__exception__\r\n      ") },
	    ERR_CONFIG, "", "ClickHouse: thrown", false },
	{ { FAKE_REPLY("200 OK", "", "half"), .missing = 6, .close = true }, ERR_TRANSIENT, "",
	    "the connection was cut", false },
};

START_TEST(an_error_has_its_class)
{
	struct fake_step steps[] = { NEW, errors[_i].step };

	fake_script(steps, 2);
	ck_assert(!insert());
	ck_assert_msg(err.code == errors[_i].code, "%s: %s", err_code_name(err.code), err.msg);
	ck_assert_str_eq(err.sqlstate, errors[_i].sqlstate);
	ck_assert_msg(strncmp(err.msg, errors[_i].words, strlen(errors[_i].words)) == 0, "%s",
	    err.msg);
	ck_assert_int_eq(chclient_is_overloaded(&err), errors[_i].slow);
	ck_assert(strstr(err.msg, "key=1") == NULL && strstr(err.msg, PASSWORD) == NULL);
}
END_TEST

/* Rows that speak of exceptions are rows. */
static const char *const innocent[] = {
	"1\tCode: 60. DB::Exception: x (version 1)\n",
	"Code: 60. DB::Exception: x (version 1)\t1\n",
	"Code: 60\n",
	"Code: x DB::Exception: x (version 1)\n",
};

START_TEST(data_is_not_an_error)
{
	char reply[512];
	struct fake_step steps[] = { NEW, { .raw = reply } };
	struct ch_rows rows;

	snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(innocent[_i]), innocent[_i]);
	fake_script(steps, 2);
	open_client();
	ck_assert_msg(chclient_query(c, a, "SELECT", &rows, &err), "%s", err.msg);
	ck_assert_uint_eq(rows.nrows, 1);
}
END_TEST

/* ---- from the event loop */

static struct {
	int done;
	struct err err;
	char text[64];
	bool close;
} got;

static void
on_done(void *arg, const struct ch_answer *answer, const struct err *e)
{
	got.done++;
	if (e != NULL)
		got.err = *e;
	else
		snprintf(got.text, sizeof(got.text), "%.*s", (int)answer->text.n,
		    (const char *)answer->text.p);
	if (got.close)
		chclient_close(&c);
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

START_TEST(inserts_and_statements_run_in_the_loop)
{
	const struct ch_post in = insert_post(), select = { .sql = "SELECT 1" };
	FAKE_SCRIPT(NEW, { OK("") }, { OK("1\n") });

	open_client();
	chclient_send(c, &in, on_done, NULL);
	ck_assert_int_eq(got.done, 0);
	turn_until(1);
	ck_assert(slice_eq(buf_slice(&fake_seen(1)->body), slice_of("\1\0\2xy", 5)));
	chclient_send(c, &select, on_done, NULL);
	turn_until(2);
	ck_assert_str_eq(got.text, "1\n");
}
END_TEST

START_TEST(an_error_comes_in_the_loop)
{
	const struct ch_post in = insert_post();
	FAKE_SCRIPT(NEW, { FAKE_REPLY("500 No", CODE("252"), "") });

	open_client();
	chclient_send(c, &in, on_done, NULL);
	turn_until(1);
	ck_assert(chclient_is_overloaded(&got.err));
}
END_TEST

START_TEST(done_may_close_the_client)
{
	const struct ch_post in = insert_post();
	FAKE_SCRIPT(NEW, { OK("") }, { .hang = true });

	got.close = true;
	open_client();
	chclient_send(c, &in, on_done, NULL);
	chclient_send(c, &in, on_done, NULL); /* whichever is answered first */
	turn_until(1);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(a_cancelled_request_says_nothing)
{
	const struct ch_post in = insert_post();
	struct chclient_request *rq;
	FAKE_SCRIPT(NEW, { .hang = true }, { OK("") });

	open_client();
	rq = chclient_send(c, &in, on_done, NULL);
	while (fake_count() < 2)
		event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	chclient_cancel(&rq);
	ck_assert_ptr_null(rq);
	chclient_send(c, &in, on_done, NULL);
	turn_until(1);
	ck_assert_int_eq(got.err.code, ERR_NONE);
}
END_TEST

/* ---- all of them */

static void
add_pure_tests(TCase *tc)
{
	LOOP(tc, other_text_is_no_rows, not_rows);
	tcase_add_test(tc, a_nul_byte_is_no_row);
	tcase_add_test(tc, names_and_values_are_quoted);
}

static void
add_request_tests(TCase *tc)
{
	tcase_add_test(tc, opening_asks_for_the_version);
	tcase_add_test(tc, an_old_server_is_refused_with_words);
	tcase_add_test(tc, the_native_port_says_so);
	tcase_add_test(tc, a_server_that_hangs_up_hints_at_tls);
	tcase_add_test(tc, rows_are_split_and_unescaped);
	tcase_add_test(tc, no_rows_are_no_error);
	tcase_add_test(tc, statements_are_formatted);
	tcase_add_test(tc, only_large_answers_are_asked_for_compressed);
	tcase_add_test(tc, an_insert_sends_data_only);
	tcase_add_test(tc, an_old_server_gets_no_new_settings);
	LOOP(tc, a_body_for_an_old_server_has_an_end, framed);
	tcase_add_test(tc, a_long_statement_goes_before_the_data);
	tcase_add_test(tc, a_body_is_compressed_as_one_frame);
	LOOP(tc, written_rows_are_compared, summaries);
	LOOP(tc, an_error_has_its_class, errors);
	LOOP(tc, data_is_not_an_error, innocent);
	tcase_add_test(tc, inserts_and_statements_run_in_the_loop);
	tcase_add_test(tc, an_error_comes_in_the_loop);
	tcase_add_test(tc, done_may_close_the_client);
	tcase_add_test(tc, a_cancelled_request_says_nothing);
}

int
main(void)
{
	Suite *s = suite_create("chclient");
	TCase *tc = tcase_create("chclient");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	add_pure_tests(tc);
	add_request_tests(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
