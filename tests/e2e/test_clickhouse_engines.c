/*
 * The ClickHouse servers that other tests stand on, and what peerd counts on in
 * them: half a body inserts nothing, a repeated chunk leaves no second rows,
 * what was answered is there after kill -9. With the proxy that makes trouble.
 */
#include <sys/wait.h>
#include <pthread.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "tests/harness/clickhouse.h"
#include "tests/harness/fail.h"
#include "tests/harness/httpfault.h"
#include "tests/harness/poll.h"
#include "tests/harness/suite.h"

#define ROWS	  1000
#define BIG_ROWS  200000
#define WRITERS	  4
#define SEED	  1
#define WAIT_MS	  20000
#define INSERT	  "INSERT INTO t.r (id, v) FORMAT RowBinary"
#define ROW_BYTES 8 /* of the first 128 rows: u32 id, length, "row" */
#define ONE_BLOCK                                                     \
	"max_insert_block_size=10000000&min_insert_block_size_rows=0" \
	"&min_insert_block_size_bytes=0"

static struct clickhouse *servers[CLICKHOUSE_KINDS];
static struct clickhouse *ch;	/* of the test */
static struct httpfault *proxy; /* in front of it */

/* Rows (from ... from + n - 1, "row"). */
static void
add_rows(struct buf *b, uint32_t from, uint32_t n)
{
	for (uint32_t id = from; id < from + n; id++) {
		buf_add(b, &id, sizeof(id)); /* little-endian, as the machine */
		buf_char(b, 3);
		buf_str_add(b, "row");
	}
}

static struct clickhouse_reply
insert_to(const char *url, uint32_t from, uint32_t n, const char *settings)
{
	struct clickhouse_request r = { .url = url, .query = INSERT, .settings = settings };
	struct clickhouse_reply reply;
	struct buf b;

	buf_init(&b, 64 * MIB);
	add_rows(&b, from, n);
	r.body = b.p;
	r.body_len = b.n;
	reply = clickhouse_call(ch, &r);
	buf_done(&b);
	return reply;
}

static struct clickhouse_reply
insert(uint32_t from, uint32_t n, const char *settings)
{
	return insert_to(NULL, from, n, settings);
}

static void
expect_rows(int64_t n)
{
	ck_assert_int_eq(clickhouse_i64(ch, "SELECT count() FROM t.r"), n);
}

/* ---- the life of a server */

START_TEST(it_answers)
{
	struct clickhouse_request get = { .settings = "query=SELECT%201" };
	const char *version = clickhouse_text(ch, "SELECT version()");

	ck_assert_ptr_nonnull(strchr(version, '.'));
	ck_assert_str_eq(clickhouse_call(ch, &get).body, "1\n");
	ck_assert_str_eq(clickhouse_text(ch, "SELECT toDateTime(86400)"), "1970-01-02 00:00:00");
}
END_TEST

START_TEST(rows_come_back)
{
	struct clickhouse_reply reply = insert(0, ROWS, NULL);

	ck_assert_int_eq(reply.status, 200);
	if (ch->kind == CH_CURRENT)
		ck_assert_int_eq(reply.written, ROWS);
	expect_rows(ROWS);
	ck_assert_str_eq(clickhouse_text(ch, "SELECT * FROM t.r WHERE id = 7"), "7\trow");
	ck_assert_str_eq(clickhouse_text(ch, "SELECT sum(id) FROM t.r"), "499500");
}
END_TEST

START_TEST(a_wrong_password_is_refused)
{
	struct clickhouse_request r = { .query = "SELECT 1", .password = "wrong" };
	struct clickhouse_reply reply = clickhouse_call(ch, &r);

	ck_assert_int_eq(reply.status, ch->kind == CH_CURRENT ? 403 : 401);
	ck_assert_int_eq(reply.code, ch->kind == CH_CURRENT ? 516 : 193);
	r.user = "nobody";
	reply = clickhouse_call(ch, &r);
	ck_assert_int_eq(reply.code, ch->kind == CH_CURRENT ? 516 : 192);
}
END_TEST

START_TEST(a_reader_only_reads)
{
	struct clickhouse_request r = { .user = CLICKHOUSE_READER };

	r.query = "SELECT 1";
	ck_assert_int_eq(clickhouse_call(ch, &r).status, 200);
	r.query = "CREATE DATABASE t2";
	ck_assert_int_eq(clickhouse_call(ch, &r).code, 164);
}
END_TEST

START_TEST(a_get_only_reads)
{
	struct clickhouse_request r = { .settings = "query=CREATE%20DATABASE%20t2" };

	ck_assert_int_eq(clickhouse_call(ch, &r).code, 164);
}
END_TEST

static const struct {
	const char *statement;
	int code, status; /* the status of today's; long ago it was less choosy */
} wrong[] = {
	{ "SELECT count() FROM t.nosuch", 60, 404 },
	{ "SELECT count() FROM nosuch.r", 81, 404 },
	{ "SELECT nosuch FROM t.r", 47, 404 },
	{ "SELECT 1 FROM", 62, 400 },
	{ "SELECT 1; SELECT 2", 62, 400 },
	{ "INSERT INTO t.r FORMAT TabSeparated\nx\ty\n", 27, 400 },
};

START_TEST(errors_have_a_code)
{
	struct clickhouse_request r = { 0 };
	struct clickhouse_reply reply;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		r.body = wrong[i].statement;
		r.body_len = strlen(wrong[i].statement);
		reply = clickhouse_call(ch, &r);
		ck_assert_msg(reply.code == wrong[i].code, "%s: %s", wrong[i].statement,
		    reply.body);
		if (ch->kind == CH_CURRENT)
			ck_assert_int_eq(reply.status, wrong[i].status);
	}
}
END_TEST

START_TEST(data_survive_both_ends)
{
	ck_assert_int_eq(insert(0, ROWS, NULL).status, 200);
	clickhouse_restart(ch, CLICKHOUSE_KILL);
	expect_rows(ROWS);
	clickhouse_restart(ch, CLICKHOUSE_POLITE);
	expect_rows(ROWS);
	ck_assert_str_eq(clickhouse_text(ch, "SELECT * FROM t.r WHERE id = 7"), "7\trow");
}
END_TEST

/* ---- what inserts promise */

START_TEST(inserts_work_side_by_side)
{
	pid_t pids[WRITERS];
	int status;

	for (uint32_t i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(insert(i * BIG_ROWS, BIG_ROWS, NULL).status == 200 ? 0 : 1);
	}
	for (size_t i = 0; i < WRITERS; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	expect_rows((int64_t)WRITERS * BIG_ROWS);
	ck_assert_int_eq(clickhouse_i64(ch, "SELECT uniqExact(id) FROM t.r"),
	    (int64_t)WRITERS * BIG_ROWS);
}
END_TEST

START_TEST(a_repeated_token_leaves_no_second_rows)
{
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(
		    insert(0, BIG_ROWS, ONE_BLOCK "&insert_deduplication_token=a").status, 200);
	expect_rows(BIG_ROWS);
	ck_assert_int_eq(insert(0, ROWS, ONE_BLOCK "&insert_deduplication_token=b").status, 200);
	expect_rows(BIG_ROWS + ROWS);
}
END_TEST

START_TEST(a_token_outlives_the_server)
{
	ck_assert_int_eq(insert(0, ROWS, ONE_BLOCK "&insert_deduplication_token=a").status, 200);
	clickhouse_restart(ch, CLICKHOUSE_KILL);
	ck_assert_int_eq(insert(0, ROWS, ONE_BLOCK "&insert_deduplication_token=a").status, 200);
	expect_rows(ROWS);
}
END_TEST

START_TEST(one_insert_is_one_block)
{
	ck_assert_int_eq(insert(0, BIG_ROWS, ONE_BLOCK).status, 200);
	ck_assert_int_eq(clickhouse_i64(ch,
			     "SELECT count() FROM system.parts "
			     "WHERE database = 't' AND table = 'r'"),
	    1);
}
END_TEST

/* ---- trouble on the way */

/* Stored, not deflated: what matters here is the frame. */
static size_t
gzip(struct slice plain, uint8_t *out, size_t size)
{
	z_stream z = { .next_in = (Bytef *)plain.p, .avail_in = (uInt)plain.n };

	ck_assert_int_eq(
	    deflateInit2(&z, Z_NO_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY),
	    Z_OK);
	z.next_out = out;
	z.avail_out = (uInt)size;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static unsigned
trouble(enum httpfault_kind kind, uint64_t bytes)
{
	return httpfault_add(proxy,
	    (struct httpfault_rule){ .kind = kind,
		.match = "INSERT INTO t.r",
		.bytes = bytes,
		.times = 1 });
}

START_TEST(without_rules_all_passes)
{
	ck_assert_int_eq(insert_to(httpfault_url(proxy), 0, BIG_ROWS, NULL).status, 200);
	expect_rows(BIG_ROWS);
	ck_assert_uint_eq(httpfault_requests(proxy), 1);
}
END_TEST

/* Cut the insert's body after so many bytes; how many rows the server then has. */
static int64_t
rows_of_a_cut(const struct clickhouse_request *r, uint64_t bytes)
{
	struct clickhouse_request q = *r;
	unsigned rule;

	clickhouse_exec(ch, "TRUNCATE TABLE t.r");
	httpfault_clear(proxy);
	rule = trouble(HTTPFAULT_CUT_REQUEST, bytes);
	q.url = httpfault_url(proxy);
	ck_assert_int_eq(clickhouse_call(ch, &q).status, 0);
	ck_assert_uint_eq(httpfault_hits(proxy, rule), 1);
	ck_assert(poll_until(WAIT_MS,
	    clickhouse_i64(ch, "SELECT count() FROM system.processes") == 1)); /* ourselves */
	return clickhouse_i64(ch, "SELECT count() FROM t.r");
}

/* Also where a row ends: the length in the head tells that more was to come. */
START_TEST(half_a_body_inserts_nothing)
{
	static const uint64_t cuts[] = { 0, 10 * ROW_BYTES, 10 * ROW_BYTES + 3,
		ROW_BYTES * (ROWS - 1) };
	struct clickhouse_request r = { .query = INSERT, .settings = ONE_BLOCK };
	struct buf b;

	buf_init(&b, MIB);
	add_rows(&b, 0, ROWS);
	r.body = b.p;
	r.body_len = b.n;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++)
		ck_assert_int_eq(rows_of_a_cut(&r, cuts[i]), 0);
	buf_done(&b);
}
END_TEST

/* Long ago the length was not looked at, and a body ended where the connection did. */
START_TEST(the_old_server_takes_half_a_body_for_whole)
{
	struct clickhouse_request r = { .query = INSERT };
	struct buf b;

	buf_init(&b, MIB);
	add_rows(&b, 0, ROWS);
	r.body = b.p;
	r.body_len = b.n;
	(void)rows_of_a_cut(&r, 10 * ROW_BYTES);
	clickhouse_wait(ch, WAIT_MS, "10", "SELECT count() FROM t.r");
	ck_assert_int_eq(rows_of_a_cut(&r, 10 * ROW_BYTES + 3), 0);
	buf_done(&b);
}
END_TEST

/* The frame of gzip has an end of its own. */
START_TEST(half_a_gzip_body_inserts_nothing)
{
	struct clickhouse_request r = { .query = INSERT, .header = "Content-Encoding: gzip" };
	uint8_t coded[ROWS * ROW_BYTES + 64];
	struct buf b;

	buf_init(&b, MIB);
	add_rows(&b, 0, ROWS);
	r.body = coded;
	r.body_len = gzip(buf_slice(&b), coded, sizeof(coded));
	buf_done(&b);
	for (uint64_t cut = 0; cut < r.body_len; cut += cut < 20 ? 5 : 321)
		ck_assert_int_eq(rows_of_a_cut(&r, cut), 0);
	ck_assert_int_eq(rows_of_a_cut(&r, r.body_len - 1), 0);
	ck_assert_int_eq(clickhouse_call(ch, &r).status, 200);
	expect_rows(ROWS);
}
END_TEST

START_TEST(an_answer_is_swallowed)
{
	trouble(HTTPFAULT_SWALLOW, 0);
	ck_assert_int_eq(insert_to(httpfault_url(proxy), 0, ROWS, NULL).status, 0);
	clickhouse_wait(ch, WAIT_MS, "1000", "SELECT count() FROM t.r");
}
END_TEST

START_TEST(an_answer_is_cut)
{
	struct clickhouse_request r = { .query = "SELECT number FROM system.numbers LIMIT 1000" };

	httpfault_add(proxy,
	    (struct httpfault_rule){ .kind = HTTPFAULT_CUT_ANSWER, .bytes = 1500 });
	r.url = httpfault_url(proxy);
	ck_assert_int_eq(clickhouse_call(ch, &r).status, 0);
}
END_TEST

START_TEST(a_refusal_reaches_no_server)
{
	struct clickhouse_reply reply;

	httpfault_add(proxy,
	    (struct httpfault_rule){ .kind = HTTPFAULT_REFUSE,
		.status = 503,
		.headers = "Retry-After: 1\r\n",
		.body = "come later" });
	reply = insert_to(httpfault_url(proxy), 0, BIG_ROWS, NULL);
	ck_assert_int_eq(reply.status, 503);
	ck_assert_str_eq(reply.body, "come later");
	ck_assert_ptr_nonnull(strstr(reply.headers, "Retry-After: 1"));
	expect_rows(0);
}
END_TEST

static void *
insert_through_proxy(void *arg)
{
	*(struct clickhouse_reply *)arg = insert_to(httpfault_url(proxy), 0, ROWS, NULL);
	return NULL;
}

START_TEST(a_request_is_held)
{
	struct clickhouse_reply reply = { 0 };
	pthread_t thread;

	trouble(HTTPFAULT_HOLD, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, insert_through_proxy, &reply), 0);
	ck_assert(poll_until(WAIT_MS, httpfault_waiting(proxy) == 1));
	httpfault_release(proxy);
	pthread_join(thread, NULL);
	ck_assert_int_eq(reply.status, 200);
	expect_rows(ROWS);
}
END_TEST

START_TEST(silence_after_storing)
{
	struct clickhouse_request r = { .query = "INSERT INTO t.r VALUES (1, 'x')",
		.timeout_ms = 500 };

	trouble(HTTPFAULT_STALL, 0);
	r.url = httpfault_url(proxy);
	ck_assert_int_eq(clickhouse_call(ch, &r).status, 0);
	clickhouse_wait(ch, WAIT_MS, "1", "SELECT count() FROM t.r");
}
END_TEST

START_TEST(rules_skip_and_end)
{
	httpfault_add(proxy,
	    (struct httpfault_rule){ .kind = HTTPFAULT_REFUSE,
		.match = "INSERT INTO t.r",
		.skip = 1,
		.times = 1,
		.status = 500 });
	ck_assert_int_eq(insert_to(httpfault_url(proxy), 0, 1, NULL).status, 200);
	ck_assert_int_eq(insert_to(httpfault_url(proxy), 1, 1, NULL).status, 500);
	ck_assert_int_eq(insert_to(httpfault_url(proxy), 2, 1, NULL).status, 200);
	expect_rows(2);
}
END_TEST

START_TEST(chance_repeats_itself)
{
	unsigned hits[2];

	for (int i = 0; i < 2; i++) {
		httpfault_free(&proxy);
		proxy = httpfault_new(ch->port, SEED);
		httpfault_add(proxy,
		    (struct httpfault_rule){ .kind = HTTPFAULT_REFUSE,
			.percent = 50,
			.status = 500 });
		for (uint32_t n = 0; n < 40; n++)
			(void)insert_to(httpfault_url(proxy), n, 1, NULL);
		hits[i] = httpfault_hits(proxy, 0);
	}
	ck_assert_uint_eq(hits[0], hits[1]);
	ck_assert_uint_gt(hits[0], 5);
	ck_assert_uint_lt(hits[0], 35);
}
END_TEST

/* ---- wiring */

static void
add_for_both(TCase *tc)
{
	suite_test(tc, it_answers);
	suite_test(tc, rows_come_back);
	suite_test(tc, a_wrong_password_is_refused);
	suite_test(tc, a_reader_only_reads);
	suite_test(tc, a_get_only_reads);
	suite_test(tc, errors_have_a_code);
	suite_test(tc, data_survive_both_ends);
	suite_test(tc, inserts_work_side_by_side);
	suite_test(tc, one_insert_is_one_block);
	suite_test(tc, without_rules_all_passes);
	suite_test(tc, half_a_gzip_body_inserts_nothing);
	suite_test(tc, an_answer_is_swallowed);
	suite_test(tc, an_answer_is_cut);
	suite_test(tc, a_refusal_reaches_no_server);
	suite_test(tc, a_request_is_held);
	suite_test(tc, silence_after_storing);
	suite_test(tc, rules_skip_and_end);
	suite_test(tc, chance_repeats_itself);
}

/* What the old server does not know. */
static void
add_for_current(TCase *tc)
{
	suite_test(tc, a_repeated_token_leaves_no_second_rows);
	suite_test(tc, a_token_outlives_the_server);
	suite_test(tc, half_a_body_inserts_nothing);
}

static void
begin(enum clickhouse_kind kind)
{
	ch = servers[kind];
	clickhouse_wipe(ch);
	clickhouse_exec(ch, "CREATE DATABASE t");
	clickhouse_exec(ch,
	    "CREATE TABLE t.r (id UInt32, v String) ENGINE = MergeTree ORDER BY id%s",
	    kind == CH_CURRENT ? " SETTINGS non_replicated_deduplication_window = 1000" : "");
	proxy = httpfault_new(ch->port, SEED);
}

static void
begin_current(void)
{
	begin(CH_CURRENT);
}

static void
begin_old(void)
{
	begin(CH_OLD);
}

static void
end(void)
{
	httpfault_free(&proxy);
}

static void
start_current(void)
{
	servers[CH_CURRENT] = clickhouse_new(CH_CURRENT, "chdbd");
}

static void
start_old(void)
{
	servers[CH_OLD] = clickhouse_new(CH_OLD, "clickhouse");
}

static void
stop_all(void)
{
	clickhouse_free(&servers[CH_CURRENT]);
	clickhouse_free(&servers[CH_OLD]);
}

static Suite *
engines_suite(void)
{
	Suite *s = suite_create("clickhouse_engines");
	TCase *tc;

	if (clickhouse_available(CH_CURRENT)) {
		tc = suite_case(s, "current", start_current, stop_all, begin_current, end);
		add_for_both(tc);
		add_for_current(tc);
	}
	if (clickhouse_available(CH_OLD)) {
		tc = suite_case(s, "old", start_old, stop_all, begin_old, end);
		add_for_both(tc);
		suite_test(tc, the_old_server_takes_half_a_body_for_whole);
	}
	return s;
}

int
main(void)
{
	return suite_main(engines_suite());
}
