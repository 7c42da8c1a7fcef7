/*
 * What peerd remembers in a Kafka cluster: the records' texts, there and back.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/sink/kafka_progress.h"

static const struct kafka_progress_config cfg = { .mirror = "orders", .what = "test" };
static struct kafka_progress *p;

static void
init(void)
{
	p = kafka_progress_new(&cfg);
}

static void
done(void)
{
	kafka_progress_free(&p);
	ck_assert_ptr_null(p);
}

static void
take(const char *key, const char *value)
{
	struct err err = ERR_INIT;

	ck_assert_msg(kafka_progress_take(p, key, value, &err), "%s", err.msg);
}

static void
expect_text(const char *expected)
{
	char *s = kafka_progress_text(p);

	ck_assert_str_eq(s, expected);
	free(s);
}

static const char *const texts[] = {
	"{}",
	"{\"lsn\":\"0/16B3748\"}",
	"{\"snapshot\":\"64b0-12\"}",
	"{\"lsn\":\"FFFFFFFF/FFFFFFFF\",\"snapshot\":\"a\",\"stopped\":[{\"table\":\"public.t\","
	"\"error\":\"it "
	"\\\"broke\\\"\",\"hint\":\"\"},{\"table\":\"b\",\"error\":\"x\",\"hint\":\"y\"}"
	"]}",
};

START_TEST(texts_read_back_the_same)
{
	take("orders", "{\"lsn\":\"0/1\",\"snapshot\":\"z\",\"stopped\":[{\"table\":\"q\"}]}");
	take("orders", texts[_i]);
	expect_text(texts[_i]);
}
END_TEST

START_TEST(a_tombstone_forgets)
{
	take("orders", texts[3]);
	ck_assert_str_eq(kafka_progress_stopped(p, "public.t")->error, "it \"broke\"");
	take("orders", NULL);
	ck_assert_uint_eq(kafka_progress_lsn(p), LSN_INVALID);
	ck_assert_str_eq(kafka_progress_snapshot(p), "");
	ck_assert_ptr_null(kafka_progress_stopped(p, "public.t"));
}
END_TEST

START_TEST(a_table_stops_for_its_first_reason)
{
	kafka_progress_add_stopped(p, "t", "first", "");
	kafka_progress_add_stopped(p, "t", "second", "");
	expect_text("{\"stopped\":[{\"table\":\"t\",\"error\":\"first\",\"hint\":\"\"}]}");
}
END_TEST

START_TEST(marks_belong_to_an_attempt)
{
	take("orders", "{\"snapshot\":\"a\"}");
	take("orders/a/3/17", "{\"rows\":200000,\"done\":false}");
	ck_assert_int_eq(kafka_progress_loaded(p, 3, 17).rows, 200000);
	ck_assert(!kafka_progress_loaded(p, 3, 17).done);
	take("orders/a/3/17", "{\"rows\":200005,\"done\":true}");
	ck_assert_int_eq(kafka_progress_loaded(p, 3, 17).rows, 200005);
	ck_assert(kafka_progress_loaded(p, 3, 17).done);
	ck_assert_int_eq(kafka_progress_loaded(p, 3, 1).rows, 0);
	take("orders", "{\"snapshot\":\"b\"}");
	ck_assert_int_eq(kafka_progress_loaded(p, 3, 17).rows, 0);
	take("orders", "{\"snapshot\":\"a\"}");
	take("orders/a/3/17", NULL);
	ck_assert_int_eq(kafka_progress_loaded(p, 3, 17).rows, 0);
}
END_TEST

static const char *const foreign[][2] = {
	{ "orders", "" },
	{ "orders", "[" },
	{ "orders", "17" },
	{ "orders", "{\"lsn\":\"x\"}" },
	{ "orders/a/1/2", "{}" },
	{ "orders/a/1/2", "{\"rows\":\"1\"}" },
};

START_TEST(what_is_not_ours_is_said)
{
	struct err err = ERR_INIT;

	ck_assert(!kafka_progress_take(p, foreign[_i][0], foreign[_i][1], &err));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(err.msg, foreign[_i][0]));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kafka_progress");
	TCase *tc = tcase_create("kafka_progress");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, init, done);
	tcase_add_loop_test(tc, texts_read_back_the_same, 0, 4);
	tcase_add_test(tc, a_tombstone_forgets);
	tcase_add_test(tc, a_table_stops_for_its_first_reason);
	tcase_add_test(tc, marks_belong_to_an_attempt);
	tcase_add_loop_test(tc, what_is_not_ours_is_said, 0, 6);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
