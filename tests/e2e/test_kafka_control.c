/*
 * Records of what is no row, against a real broker and read by kcat: TRUNCATE,
 * DDL and logical messages, each where it stands among the changes, and
 * nothing twice when the worker is started again.
 */
#include <signal.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "tests/harness/api.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/kafka.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/rig.h"
#include "tests/harness/suite.h"

#define WAIT_MS 40000

/* One topic for all, of one partition: records are in the order in which they were sent. */
#define OPTIONS(controls)                                                              \
	"'do_initial_snapshot': false, 'env': {'PEERD_KAFKA_TOPIC': '{mirror}',"       \
	" 'PEERD_KAFKA_CONTROL_TOPIC': '{mirror}', 'PEERD_KAFKA_FORMAT': 'plain-json'" \
	", 'PEERD_KAFKA_CONTROL': '" controls "'}"

static struct kafka *kafka;

static void
broker_init(void)
{
	rig_source_init();
	kafka = kafka_new("kafka", 1, KAFKA_FOR_TESTS);
}

static void
broker_done(void)
{
	kafka_free(&kafka);
	rig_clusters_done();
}

static void
test_init(void)
{
	rig_init();
	api_expect(200,
	    api_post("/peers/create",
		json("{'peer': {'name': 'dst', 'type': 'KAFKA', 'kafka_config': {'servers': "
		     "['%s'], 'disable_tls': true}}}",
		    kafka_servers(kafka, KAFKA_PLAIN))));
	on_source("CREATE TABLE t (id int PRIMARY KEY, v int)");
}

/* What a control record tells, without what is another each time. */
static const char *
told(const char *value)
{
	const char *end = strstr(value, ",\"checkpoint\"");

	return end != NULL ? text("%.*s}", (int)(end - value), value) : value;
}

/* A line each: what happened, and the value; blanks where a transaction ends. */
static char *
lines(const char *topic)
{
	struct kafka_records rs = kafka_read(kafka, topic, NULL);
	const char *xid, *before = NULL;
	struct buf b;
	char *copy;

	buf_init(&b, MIB);
	for (size_t i = 0; i < rs.n; i++, before = xid) {
		xid = kafka_header(&rs.v[i], "peerd.xid");
		xid = xid != NULL ? xid : "none";
		if (i > 0 && strcmp(xid, before) != 0)
			buf_char(&b, '\n');
		buf_printf(&b, "%s %s\n", kafka_header(&rs.v[i], "peerd.op"),
		    rs.v[i].value != NULL ? told(rs.v[i].value) : "");
	}
	copy = text("%s", buf_str(&b));
	buf_done(&b);
	kafka_records_free(&rs);
	return copy;
}

static void
expect_lines(const char *mirror, const char *expected)
{
	char *there = NULL;

	if (!poll_until(WAIT_MS, strcmp(there = lines(mirror), expected) == 0))
		test_fail("expected:\n%s\nthere:\n%s\nerrors: %s", expected, there,
		    mirror_errors(mirror));
}

START_TEST(what_is_no_row_stands_in_its_place)
{
	mirror_run("place", "public.t", OPTIONS("truncate, ddl, message"));
	on_source("INSERT INTO t VALUES (1, 1)");
	on_source("BEGIN; INSERT INTO t VALUES (2, 2);"
		  " SELECT pg_logical_emit_message(true, 'audit', 'abc'); TRUNCATE t;"
		  " INSERT INTO t VALUES (3, 3); COMMIT");
	on_source("BEGIN; TRUNCATE t; COMMIT");
	on_source("SELECT pg_logical_emit_message(true, 'only', '')");
	on_source("SELECT pg_logical_emit_message(false, 'alone', '\\x00ff'::bytea)");
	on_source("BEGIN; INSERT INTO t VALUES (4, 4);"
		  " SELECT pg_logical_emit_message(false, 'early', 'abc'); COMMIT");
	on_source("ALTER TABLE t ADD COLUMN w text; INSERT INTO t VALUES (5, 5, 'w')");
	expect_lines("place",
	    "insert {\"id\":1,\"v\":1}\n"
	    "\n"
	    "insert {\"id\":2,\"v\":2}\n"
	    "message {\"kind\":\"message\",\"prefix\":\"audit\",\"content\":\"YWJj\"}\n"
	    "truncate {\"kind\":\"truncate\"}\n"
	    "insert {\"id\":3,\"v\":3}\n"
	    "\n"
	    "truncate {\"kind\":\"truncate\"}\n"
	    "\n"
	    "message {\"kind\":\"message\",\"prefix\":\"only\",\"content\":\"\"}\n"
	    "\n"
	    "message {\"kind\":\"message\",\"prefix\":\"alone\",\"content\":\"AP8=\"}\n"
	    "message {\"kind\":\"message\",\"prefix\":\"early\",\"content\":\"YWJj\"}\n"
	    "\n"
	    "insert {\"id\":4,\"v\":4}\n"
	    "\n"
	    "ddl {\"kind\":\"ddl\",\"ddl\":\"ALTER TABLE public.t ADD COLUMN \\\"w\\\" text\"}\n"
	    "insert {\"id\":5,\"v\":5,\"w\":\"w\"}\n");
	rig_wait_confirmed("place", WAIT_MS);
}
END_TEST

/* Through batches that end inside of a transaction, whose parts are one all the same. */
START_TEST(large_transactions_have_messages_too)
{
	struct kafka_records rs;
	const struct kafka_reading all = { .count = 1005 };

	mirror_run("large", "public.t", "'max_batch_size': 100, " OPTIONS("truncate, message"));
	on_source("BEGIN; INSERT INTO t SELECT i, 0 FROM generate_series(1, 500) i;"
		  " SELECT pg_logical_emit_message(true, 'a', 'middle');"
		  " INSERT INTO t SELECT i, 0 FROM generate_series(501, 1000) i; TRUNCATE t;"
		  " SELECT pg_logical_emit_message(true, 'a', 'end'); COMMIT");
	on_source("BEGIN; TRUNCATE t; SELECT pg_logical_emit_message(true, 'a', 'after'); COMMIT");
	rs = kafka_read(kafka, "large", &all);
	for (size_t i = 0; i < rs.n; i++) {
		const char *first = kafka_header(&rs.v[i < 1003 ? 0 : 1003], "peerd.xid");
		const char *id = kafka_header(&rs.v[i], "peerd.id");

		ck_assert_str_eq(kafka_header(&rs.v[i], "peerd.xid"), first);
		ck_assert_str_eq(strrchr(id, ':'), text(":%zu", i < 1003 ? i : i - 1003));
	}
	ck_assert_str_eq(kafka_header(&rs.v[500], "peerd.op"), "message");
	ck_assert_str_eq(kafka_header(&rs.v[1001], "peerd.op"), "truncate");
	ck_assert_str_ne(kafka_header(&rs.v[1003], "peerd.xid"),
	    kafka_header(&rs.v[0], "peerd.xid"));
	kafka_records_free(&rs);
}
END_TEST

#define MESSAGE_OF(content) \
	"message {\"kind\":\"message\",\"prefix\":\"p\",\"content\":\"" content "\"}\n"

START_TEST(messages_come_once)
{
	mirror_run("once", "public.t", OPTIONS("message"));
	on_source("SELECT pg_logical_emit_message(false, 'p', 'a')");
	expect_lines("once", MESSAGE_OF("YQ=="));
	ck_assert_int_eq(kill(daemon_worker("mirror once"), SIGKILL), 0);
	on_source("SELECT pg_logical_emit_message(false, 'p', 'b')");
	expect_lines("once", MESSAGE_OF("YQ==") MESSAGE_OF("Yg=="));
	mirror_change("once", "STATUS_PAUSED");
	on_source("SELECT pg_logical_emit_message(false, 'p', 'c')");
	mirror_change("once", "STATUS_RUNNING");
	expect_lines("once", MESSAGE_OF("YQ==") MESSAGE_OF("Yg==") MESSAGE_OF("Yw=="));
	rig_wait_confirmed("once", WAIT_MS);
}
END_TEST

START_TEST(nothing_is_told_that_nobody_asked_for)
{
	mirror_run("silent", "public.t", OPTIONS("ddl"));
	on_source("SELECT pg_logical_emit_message(false, 'p', 'a')");
	on_source("SELECT pg_logical_emit_message(true, 'p', 'a')");
	on_source("TRUNCATE t; INSERT INTO t VALUES (1, 1)");
	expect_lines("silent", "insert {\"id\":1,\"v\":1}\n");
}
END_TEST

static Suite *
control_suite(void)
{
	Suite *s = suite_create("kafka control records");
	TCase *tc = suite_case(s, "control", broker_init, broker_done, test_init, rig_done);

	suite_test(tc, what_is_no_row_stands_in_its_place);
	suite_test(tc, large_transactions_have_messages_too);
	suite_test(tc, messages_come_once);
	suite_test(tc, nothing_is_told_that_nobody_asked_for);
	return s;
}

int
main(void)
{
	if (!kafka_available())
		return 0;
	return suite_main(control_suite());
}
