/*
 * ClickHouse as a destination: peers, what is checked of a mirror, and the
 * initial load, also with loaders that are killed and answers that are lost.
 */
#include <signal.h>

#include "tests/harness/api.h"
#include "tests/harness/chrig.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/httpfault.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS	  30000
#define LOAD_ONLY "'initial_snapshot_only': true"
#define ROWS	  600000 /* of `big`: two full chunks and a bit */
#define ONE_BY_ONE \
	LOAD_ONLY  \
	", 'snapshot_max_parallel_workers': 1, 'snapshot_num_rows_per_partition': 10000000"

static void
load(const char *name, const char *tables, const char *options)
{
	mirror_create(name, tables, options);
	mirror_wait(name, "STATUS_COMPLETED");
}

static void
expect_failed(const char *name)
{
	if (!poll_until(WAIT_MS, strcmp(mirror_state(name), "STATUS_FAILED") == 0))
		test_fail("the mirror is %s", mirror_state(name));
}

/* What is remembered of the mirror m and has a name. */
#define KNOWN                                                                               \
	"SELECT kind, name, w FROM (SELECT kind, name, argMax(words, number) AS w,"         \
	" argMax(lsn, number) AS l FROM app._peerd_mirrors WHERE mirror = 'm' AND kind != " \
	"'loaded'"                                                                          \
	" GROUP BY kind, name) WHERE (w != '' OR l != 0) AND name != ''"

/* ---- peers */

static const struct {
	const char *what, *database, *user, *password;
	int port; /* 0: the server's */
	const char *words[2];
} bad_peers[] = {
	{ "password", "app", NULL, "wrong", 0, { "assword", "check the peer's user" } },
	{ "user", "app", "nobody", NULL, 0, { "nobody", "check the peer's user" } },
	{ "database", "nosuch", NULL, NULL, 0, { "database \\\"nosuch\\\" does not exist", "" } },
	{ "native port", "app", NULL, NULL, 9000, { "9000", "8123" } },
	{ "reader", "app", CLICKHOUSE_READER, NULL, 0, { "may not write", "grant" } },
	{ "own database", "system", NULL, NULL, 0, { "the server's own", "" } },
};

START_TEST(a_wrong_peer_is_refused_with_words)
{
	int port = bad_peers[_i].port != 0 ? bad_peers[_i].port : chrig.ch->port;
	const struct reply *r = api_post("/peers/create",
	    chrig_peer_body("wrong", port, bad_peers[_i].database, bad_peers[_i].user,
		bad_peers[_i].password, ""));

	ck_assert_msg(r->status == 400, "%ld %s", r->status, r->body);
	for (size_t i = 0; i < 2; i++)
		ck_assert_msg(strstr(r->body, bad_peers[_i].words[i]) != NULL, "%s: %s",
		    bad_peers[_i].what, r->body);
	ck_assert_ptr_null(strstr(r->body, "Tr0ub4dor"));
}
END_TEST

/* ---- what is loaded */

#define TYPES_DDL                                                                            \
	"CREATE TABLE kinds (id int PRIMARY KEY, b bool, s smallint, l bigint, r real,"      \
	" d double precision, n numeric(30, 8), t text, y bytea, u uuid, a int[], w text[]," \
	" c char(5), m money, g int4range, j jsonb)"
#define TYPES_ROWS                                                                           \
	"INSERT INTO kinds VALUES (1, true, -32768, 9223372036854775807, 1.5, -0.1,"         \
	" -1234567890123456789012.12345678, E'tab\\t back\\\\ nl\\n é', '\\x0001ff41',"     \
	" '6f2c2f0e-5d9c-4c39-9b93-5f7f3c1d0a01', '{1,NULL,-3}', '{a,\"b c\",NULL}', 'ab',"  \
	" 12.34, '[1,5)', '{\"k\": [1, 2.50]}'),"                                            \
	" (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}', '{}', NULL, NULL," \
	" NULL, NULL), (3, false, 0, 0, 0, 0, 1.00000001, '', '', "                          \
	"'00000000-0000-0000-0000-000000000000',"                                            \
	" '{0}', '{\"\"}', '', 0, 'empty', 'null')"

/* As the other side prints them. */
#define TYPES_SOURCE                                                                              \
	"SELECT id, b::int, s, l, r, d, n, t, encode(y, 'hex'), u, array_to_string(a, ',', '-')," \
	" array_to_string(w, ',', '-'), c, m, g, j FROM kinds ORDER BY id"
#define TYPES_DESTINATION                                                       \
	"SELECT id, toUInt8(b), s, l, r, d, n, t, lower(hex(y)), u,"            \
	" arrayStringConcat(arrayMap(x -> ifNull(toString(x), '-'), a), ','),"  \
	" arrayStringConcat(arrayMap(x -> ifNull(x, '-'), w), ','), c, m, g, j" \
	" FROM app.kinds ORDER BY id"

START_TEST(every_kind_of_value_arrives)
{
	on_source(TYPES_DDL);
	on_source("SET lc_monetary = 'C'");
	on_source("%s", TYPES_ROWS);
	load("kinds", "public.kinds:kinds", LOAD_ONLY);
	chrig_expect_equal(TYPES_SOURCE, TYPES_DESTINATION, 0);
}
END_TEST

static void
make_small_tables(void)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 1000) i");
	on_source("CREATE TABLE \"odd.Name\" (\"i`d\" int PRIMARY KEY, \"a'b\\c\" text)");
	on_source("INSERT INTO \"odd.Name\" VALUES (1, 'x'), (2, NULL)");
	on_source("CREATE TABLE keyless (a int, b text)");
	on_source("INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (NULL, NULL)");
	on_source("CREATE TABLE nothing (id int PRIMARY KEY)");
}

START_TEST(tables_of_every_shape_arrive)
{
	make_small_tables();
	load("shapes",
	    "public.t:plain,public.\"odd.Name\":\"odd.Name\",public.keyless,public.nothing",
	    LOAD_ONLY);
	chrig_expect_equal("SELECT * FROM t ORDER BY id", "SELECT id, v FROM app.plain ORDER BY id",
	    0);
	chrig_expect_equal("SELECT * FROM \"odd.Name\" ORDER BY 1",
	    "SELECT `i\\`d`, `a'b\\\\c` FROM app.`odd.Name` ORDER BY 1", 0);
	chrig_expect_equal("SELECT * FROM keyless ORDER BY a, b",
	    "SELECT a, b FROM app.`public.keyless` ORDER BY a, b", 0);
	chrig_expect_equal("SELECT count(*) FROM nothing",
	    "SELECT count() FROM app.`public.nothing`", 0);
	ck_assert_str_eq(clickhouse_text(chrig.ch,
			     "SELECT sum(_peerdb_version), sum(_peerdb_is_deleted),"
			     " min(_peerdb_synced_at) > now() - 3600 FROM app.plain"),
	    "0\t0\t1");
	ck_assert_str_eq(
	    field_text(api_expect(200,
			   api_post("/mirrors/row_counts", json("{'flow_job_name': 'shapes'}")))
			   ->json,
		"tableCounts.0.destinationCount"),
	    "1000");
}
END_TEST

/* Rows are cut into chunks by their size, too; one may be larger than a chunk. */
START_TEST(large_rows_arrive)
{
	on_source("CREATE TABLE large (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO large SELECT i, repeat(md5(i::text), 65536) FROM"
		  " generate_series(1, 40) i");
	on_source("INSERT INTO large VALUES (41, repeat('0123456789abcdef', 5000000))");
	load("large", "public.large:large", LOAD_ONLY);
	chrig_expect_equal("SELECT id, length(v), md5(v) FROM large ORDER BY id",
	    "SELECT id, length(v), lower(hex(MD5(v))) FROM app.large ORDER BY id", 0);
}
END_TEST

/* A dropped mirror leaves its tables, and no word of itself. */
START_TEST(a_dropped_mirror_is_forgotten)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v int[])");
	on_source("INSERT INTO t VALUES (1, NULL)");
	mirror_create("m", "public.t:t", LOAD_ONLY);
	expect_failed("m");
	ck_assert_str_eq(clickhouse_text(chrig.ch, KNOWN), "created\tt\tpublic.t");
	mirror_drop("m");
	ck_assert_str_eq(clickhouse_text(chrig.ch, KNOWN), "");
	ck_assert_str_eq(clickhouse_text(chrig.ch, "EXISTS TABLE app.t"), "1");
}
END_TEST

/* Its drop asks neither peer for anything. */
START_TEST(a_completed_mirror_has_left_nothing_to_remember)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY)");
	on_source("INSERT INTO t VALUES (1), (2)");
	load("m", "public.t:t", LOAD_ONLY);
	ck_assert_str_eq(clickhouse_text(chrig.ch, KNOWN), "");
	mirror_drop("m");
	chrig_expect_equal("SELECT id FROM t ORDER BY id", "SELECT id FROM app.t ORDER BY id", 0);
}
END_TEST

/* ---- what is checked before */

#define TABLE(columns)                                                                       \
	"CREATE TABLE app.t (" columns ", _peerdb_is_deleted UInt8, _peerdb_version UInt64)" \
	" ENGINE = ReplacingMergeTree(_peerdb_version) ORDER BY id"
#define ONE_ROW "INSERT INTO app.t (id, v) VALUES (7, 'x')"

static const struct {
	const char *what;
	const char *statements[2]; /* on the destination */
	const char *tables;	   /* NULL: public.t to t */
	const char *options;	   /* more of them */
	const char *words;	   /* NULL: it is taken */
} checks[] = {
	{ "rows", { TABLE("id Int32, v Nullable(String)"), ONE_ROW }, NULL, "",
	    "already has existing rows" },
	{ "rows that are welcome", { TABLE("id Int32, v Nullable(String)"), ONE_ROW }, NULL,
	    ", 'env': {'PEERDB_CLICKHOUSE_INITIAL_LOAD_ALLOW_NON_EMPTY_TABLES': 'true'}", NULL },
	{ "other types that hold the values",
	    { TABLE("id Int64, v Nullable(String), more Int32 DEFAULT 5") }, NULL, "", NULL },
	{ "a column is missing", { TABLE("id Int32") }, NULL, "",
	    "column \\\"v\\\" Nullable(String) is missing" },
	{ "a type does not suit", { TABLE("id Date, v Nullable(String)") }, NULL, "",
	    "does not hold integer" },
	{ "a view", { "CREATE VIEW app.t AS SELECT 1 AS id" }, NULL, "", "is a View" },
	{ "peerd's own table", { NULL }, "public.t:_peerd_mirrors", "", "its own books" },
	{ "a setting", { NULL }, NULL, ", 'env': {'PEERDB_NULLABLE': 'maybe'}",
	    "expected true or false" },
	{ "one name twice", { NULL }, "public.t:a.b,public.u:\"a.b\"", "",
	    "are both mapped to table" },
	{ "too many parts", { NULL }, "public.t:a.b.c", "", "not of the form" },
	{ "a partition expression", { NULL },
	    "[{\"source_table_identifier\": \"public.t\", \"destination_table_identifier\": \"t\","
	    " \"partition_by_expr\": \"nosuch(id)\"}]",
	    "", "invalid partition expression (nosuch(id))" },
	{ "a partition expression that works", { NULL },
	    "[{\"source_table_identifier\": \"public.t\", \"destination_table_identifier\": \"t\","
	    " \"partition_by_expr\": \"id % 4\"}]",
	    "", NULL },
};

START_TEST(a_mirror_is_checked_before)
{
	const char *tables = checks[_i].tables != NULL ? checks[_i].tables : "public.t:t";
	const char *options = text("%s%s", LOAD_ONLY, checks[_i].options);
	const struct reply *r;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("CREATE TABLE u (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t VALUES (1, 'one'), (2, NULL), (3, 'three')");
	for (size_t i = 0; i < 2 && checks[_i].statements[i] != NULL; i++)
		clickhouse_exec(chrig.ch, "%s", checks[_i].statements[i]);
	r = api_post("/flows/cdc/create", mirror_body("m", tables, options));
	if (checks[_i].words != NULL) {
		ck_assert_msg(r->status == 400, "%s: %ld %s", checks[_i].what, r->status, r->body);
		ck_assert_msg(strstr(r->body, checks[_i].words) != NULL, "%s: %s", checks[_i].what,
		    r->body);
		ck_assert_str_eq(mirror_state("m"), "STATUS_UNKNOWN");
		return;
	}
	api_expect(200, r);
	mirror_wait("m", "STATUS_COMPLETED");
	chrig_expect_equal("SELECT id, v FROM t ORDER BY id",
	    "SELECT id, v FROM app.t WHERE id != 7 ORDER BY id", 0);
}
END_TEST

/* ---- values that do not fit */

START_TEST(a_value_that_does_not_fit_ends_the_load)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v int[])");
	on_source("INSERT INTO t VALUES (1, '{1}'), (77, NULL)");
	mirror_create("m", "public.t:t", LOAD_ONLY);
	expect_failed("m");
	ck_assert_msg(strstr(mirror_errors("m"), "column \"v\"") != NULL &&
		strstr(mirror_errors("m"), "public.t, key (id) = (77)") != NULL,
	    "%s", mirror_errors("m"));
}
END_TEST

START_TEST(or_is_cleared_and_counted)
{
	const struct reply *r;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v int[])");
	on_source("INSERT INTO t VALUES (1, '{1}'), (77, NULL), (78, NULL)");
	load("m", "public.t:t", LOAD_ONLY ", 'env': {'on_lossy_value': 'null'}");
	ck_assert_str_eq(clickhouse_text(chrig.ch, "SELECT id, length(v) FROM app.t ORDER BY id"),
	    "1\t1\n77\t0\n78\t0");
	r = api_expect(200,
	    api_post("/mirrors/logs",
		json("{'flow_job_name': 'm', 'level': 'all', 'num_per_page': 50}")));
	ck_assert_msg(strstr(r->body, "2 values that ClickHouse cannot hold") != NULL, "%s",
	    r->body);
}
END_TEST

/* ---- accidents */

static void
make_big(void)
{
	on_source("CREATE TABLE big (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO big SELECT i, md5(i::text) FROM generate_series(1, %d) i", ROWS);
}

#define BIG_SOURCE	"SELECT count(*), sum(id), sum(length(v)) FROM big"
#define BIG_DESTINATION "SELECT count(), sum(id), sum(length(v)) FROM app.big"

/* Rows that were stored twice are there until a merge where a token tells nothing. */
static void
expect_big_once(bool exact)
{
	if (exact)
		chrig_expect_equal(BIG_SOURCE, BIG_DESTINATION, 0);
	chrig_expect_equal(BIG_SOURCE, BIG_DESTINATION " FINAL", 0);
}

static unsigned
on_insert(enum httpfault_kind kind, unsigned skip)
{
	return httpfault_add(chrig.proxy,
	    (struct httpfault_rule){
		.kind = kind,
		.match = "INSERT INTO `app`.`big`",
		.skip = skip,
		.times = 1,
		.bytes = 1000000,
		.status = 500,
		.headers = "X-ClickHouse-Exception-Code: 252\r\n",
		.body = "Code: 252. DB::Exception: Too many parts (300). (TOO_MANY_PARTS)",
	    });
}

static void
wait_for_hit(unsigned rule)
{
	if (!poll_until(WAIT_MS, httpfault_hits(chrig.proxy, rule) > 0))
		test_fail("no chunk came: %s", mirror_errors(""));
}

START_TEST(a_killed_loader_leaves_no_double_rows)
{
	unsigned rule;

	make_big();
	rule = on_insert(HTTPFAULT_HOLD, 1);
	mirror_create("m", "public.big:big", ONE_BY_ONE);
	wait_for_hit(rule);
	kill(daemon_worker("snapshot m"), SIGKILL);
	httpfault_release(chrig.proxy);
	mirror_wait("m", "STATUS_COMPLETED");
	expect_big_once(chrig.kind == CH_CURRENT);
}
END_TEST

START_TEST(a_killed_mirror_worker_starts_over)
{
	unsigned rule;

	make_big();
	rule = on_insert(HTTPFAULT_HOLD, 1);
	mirror_create("m", "public.big:big", ONE_BY_ONE);
	wait_for_hit(rule);
	kill(daemon_worker("mirror m"), SIGKILL);
	httpfault_release(chrig.proxy);
	mirror_wait("m", "STATUS_COMPLETED");
	expect_big_once(true);
}
END_TEST

/* ---- a chunk that comes when others have begun anew */

#define FENCES                                                                    \
	"SELECT count() FROM system.columns WHERE database = 'app' AND name LIKE" \
	" '\\_peerd\\_load\\_%%'"

static const char *const late_engines[] = {
	"CH_ENGINE_REPLACING_MERGE_TREE",
	"CH_ENGINE_MERGE_TREE",
	"CH_ENGINE_COALESCING_MERGE_TREE",
};

/* Chunks small enough to be on their way as a whole: a partition each. */
static void
create_late(const char *engine)
{
	on_source("CREATE TABLE late (id int PRIMARY KEY)");
	on_source("INSERT INTO late SELECT generate_series(1, 3000)");
	mirror_create("m",
	    text("[{\"source_table_identifier\": \"public.late\","
		 " \"destination_table_identifier\": \"late\", \"engine\": \"%s\"}]",
		engine),
	    LOAD_ONLY ", 'snapshot_max_parallel_workers': 1,"
		      " 'snapshot_num_rows_per_partition': 1000");
}

static unsigned
hold_late(unsigned times)
{
	return httpfault_add(chrig.proxy,
	    (struct httpfault_rule){ .kind = HTTPFAULT_HOLD,
		.match = "INSERT INTO `app`.`late`",
		.skip = 1,
		.times = times });
}

/* Rows that are gone since, whichever engine it is, tell of a chunk that got through. */
static void
begin_anew(unsigned rule)
{
	wait_for_hit(rule);
	on_source("DELETE FROM late WHERE id %% 2 = 0");
	kill(daemon_worker("mirror m"), SIGKILL);
}

static void
expect_late_once(void)
{
	ck_assert(poll_until(WAIT_MS, httpfault_open(chrig.proxy) == 0));
	chrig_expect_equal("SELECT count(*), sum(id) FROM late",
	    "SELECT count(), sum(id) FROM app.late", 0);
	ck_assert_int_eq(clickhouse_i64(chrig.ch, FENCES), 0);
}

START_TEST(a_chunk_that_comes_after_the_next_load_is_refused)
{
	unsigned rule = hold_late(1);

	create_late(late_engines[_i]);
	begin_anew(rule);
	mirror_wait("m", "STATUS_COMPLETED");
	httpfault_release(chrig.proxy);
	expect_late_once();
}
END_TEST

START_TEST(a_chunk_that_comes_into_the_next_load_is_refused)
{
	unsigned rule = hold_late(2);

	create_late(late_engines[_i]);
	begin_anew(rule);
	if (!poll_until(WAIT_MS, httpfault_waiting(chrig.proxy) == 2))
		test_fail("no second load: %s", mirror_errors(""));
	httpfault_release(chrig.proxy);
	mirror_wait("m", "STATUS_COMPLETED");
	expect_late_once();
}
END_TEST

/* A table's other columns are not ours, however alike. */
START_TEST(a_load_removes_the_fence_of_its_own_mirror_only)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY)");
	on_source("INSERT INTO t VALUES (1), (2)");
	clickhouse_exec(chrig.ch,
	    "CREATE TABLE app.t (id Int32, _peerdb_is_deleted UInt8, _peerdb_version UInt64,"
	    " `_peerd_load_1-1_m` UInt8 EPHEMERAL 0, `_peerd_load_1-1_a_m` UInt8 EPHEMERAL 0)"
	    " ENGINE = ReplacingMergeTree(_peerdb_version) ORDER BY id");
	load("m", "public.t:t", LOAD_ONLY);
	chrig_expect_equal("SELECT id FROM t ORDER BY id", "SELECT id FROM app.t ORDER BY id", 0);
	ck_assert_str_eq(clickhouse_text(chrig.ch,
			     "SELECT name FROM system.columns WHERE database = 'app' AND"
			     " default_kind = 'EPHEMERAL'"),
	    "_peerd_load_1-1_a_m");
}
END_TEST

START_TEST(a_mirror_dropped_while_it_loads_leaves_tables_as_they_were)
{
	unsigned rule = hold_late(1);

	create_late(late_engines[0]);
	wait_for_hit(rule);
	ck_assert_int_eq(clickhouse_i64(chrig.ch, FENCES), 1);
	mirror_drop("m");
	ck_assert_int_eq(clickhouse_i64(chrig.ch, FENCES), 0);
	httpfault_release(chrig.proxy);
}
END_TEST

static const struct {
	enum httpfault_kind kind;
	bool stored; /* before the trouble: the old server has the rows twice */
} faults[] = {
	{ HTTPFAULT_SWALLOW, true },
	{ HTTPFAULT_CUT_ANSWER, true },
	{ HTTPFAULT_REFUSE, false },
	{ HTTPFAULT_CUT_REQUEST, true },
};

START_TEST(a_chunk_in_trouble_is_sent_again)
{
	unsigned rule;

	make_big();
	rule = on_insert(faults[_i].kind, 1);
	load("m", "public.big:big", ONE_BY_ONE);
	ck_assert_uint_eq(httpfault_hits(chrig.proxy, rule), 1);
	ck_assert_uint_eq(daemon_workers("snapshot m", (pid_t[1]){ 0 }, 1), 0);
	expect_big_once(chrig.kind == CH_CURRENT || !faults[_i].stored);
}
END_TEST

/* Rows of 17 bytes, cut where one ends: half a body looks like a whole one. */
START_TEST(half_a_chunk_adds_nothing)
{
	unsigned rule;

	on_source("CREATE TABLE half (id bigint PRIMARY KEY)");
	on_source("INSERT INTO half SELECT generate_series(1, 3000)");
	rule = httpfault_add(chrig.proxy,
	    (struct httpfault_rule){ .kind = HTTPFAULT_CUT_REQUEST,
		.match = "INSERT INTO `app`.`half`",
		.times = 1,
		.bytes = 1000 * 17 });
	load("m",
	    "[{\"source_table_identifier\": \"public.half\","
	    " \"destination_table_identifier\": \"half\", \"engine\": \"CH_ENGINE_MERGE_TREE\"}]",
	    LOAD_ONLY);
	ck_assert_uint_eq(httpfault_hits(chrig.proxy, rule), 1);
	chrig_expect_equal("SELECT count(*), sum(id) FROM half",
	    "SELECT count(), sum(id) FROM app.half", 0);
}
END_TEST

START_TEST(a_server_that_restarts_is_waited_for)
{
	unsigned rule;

	make_big();
	rule = on_insert(HTTPFAULT_HOLD, 1);
	mirror_create("m", "public.big:big", ONE_BY_ONE);
	wait_for_hit(rule);
	clickhouse_stop(chrig.ch, CLICKHOUSE_KILL);
	httpfault_release(chrig.proxy);
	clickhouse_start(chrig.ch);
	mirror_wait("m", "STATUS_COMPLETED");
	expect_big_once(chrig.kind == CH_CURRENT);
}
END_TEST

/* ---- wiring */

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static void
add_tests(TCase *tc, enum clickhouse_kind kind)
{
	suite_loop(tc, a_wrong_peer_is_refused_with_words, 0, COUNT(bad_peers));
	suite_test(tc, every_kind_of_value_arrives);
	suite_test(tc, tables_of_every_shape_arrive);
	suite_test(tc, large_rows_arrive);
	suite_test(tc, a_dropped_mirror_is_forgotten);
	suite_test(tc, a_completed_mirror_has_left_nothing_to_remember);
	suite_loop(tc, a_mirror_is_checked_before, 0, COUNT(checks));
	suite_test(tc, a_value_that_does_not_fit_ends_the_load);
	suite_test(tc, or_is_cleared_and_counted);
	suite_test(tc, a_killed_loader_leaves_no_double_rows);
	suite_test(tc, a_killed_mirror_worker_starts_over);
	suite_loop(tc, a_chunk_in_trouble_is_sent_again, 0, COUNT(faults));
	suite_test(tc, half_a_chunk_adds_nothing);
	suite_test(tc, a_server_that_restarts_is_waited_for);
	if (kind == CH_OLD)
		return;
	suite_loop(tc, a_chunk_that_comes_after_the_next_load_is_refused, 0, COUNT(late_engines));
	suite_loop(tc, a_chunk_that_comes_into_the_next_load_is_refused, 0, COUNT(late_engines));
	suite_test(tc, a_load_removes_the_fence_of_its_own_mirror_only);
	suite_test(tc, a_mirror_dropped_while_it_loads_leaves_tables_as_they_were);
}

int
main(void)
{
	return suite_main(chrig_suite("clickhouse_load", add_tests));
}
