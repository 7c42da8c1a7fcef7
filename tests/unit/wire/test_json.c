#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/wire/json.h"

static bool
parse(const char *text, size_t n, struct err *err)
{
	cJSON *tree = NULL;
	bool ok = json_parse(text, n, &tree, err);

	ck_assert_int_eq(ok, tree != NULL);
	cJSON_Delete(tree);
	return ok;
}

static const char *const good[] = {
	"{}",
	"[]",
	"null",
	"true",
	"0",
	"-0",
	"-1.5e+10",
	"1E3",
	"\"\"",
	" \t\r\n{ } \n",
	"{\"a\":[1,2,{\"b\":null}]}",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
	"\"g\303\274n \360\237\230\200\"",
};

START_TEST(accepts)
{
	struct err err = ERR_INIT;

	ck_assert_msg(parse(good[_i], strlen(good[_i]), &err), "%s: %s", good[_i], err.msg);
}
END_TEST

static const struct {
	const char *text;
	size_t at;
	const char *words;
} bad[] = {
	{ "", 0, "ends too early" },
	{ "{", 0, "ends too early" },
	{ "{\"a\":1", 5, "ends too early" },
	{ "{\"a\" 1}", 5, "unexpected" },
	{ "{\"a\":1,}", 7, "ends too early" },
	{ "{a:1}", 2, "unexpected" },
	{ "[1,2", 3, "ends too early" },
	{ "nul", 0, "unexpected" },
	{ "{} x", 3, "text after the end" },
	{ "{}{}", 2, "text after the end" },
	{ "01", 0, "malformed number" },
	{ "[1.]", 1, "malformed number" },
	{ "-", 0, "malformed number" },
	{ "1e", 0, "malformed number" },
	{ "[.5]", 1, "unexpected" },
	{ "+1", 0, "unexpected" },
	{ "\"abc", 0, "no end" },
	{ "\"a\\", 2, "unknown escape" },
	{ "\"\\x\"", 1, "unknown escape" },
	{ "\"\\u12g4\"", 1, "hexadecimal" },
	{ "\"\\u12", 1, "hexadecimal" },
	{ "\"a\\u0000b\"", 2, "NUL" },
	{ "\"\\udc00\"", 1, "low surrogate without" },
	{ "\"\\ud800\"", 1, "high surrogate without" },
	{ "\"\\ud800\\u0041\"", 1, "high surrogate without" },
	{ "\"a\nb\"", 2, "control character in a string" },
	{ "{\001}", 1, "control character" },
	{ "\"ok\377\"", 3, "not UTF-8" },
	{ "\"\303\274\300\200\"", 3, "not UTF-8" },
	{ "\"\355\240\200\"", 1, "not UTF-8" },
	{ "\"\303", 1, "not UTF-8" },
};

START_TEST(refuses_with_offset)
{
	struct err err = ERR_INIT;
	char where[64];

	ck_assert(!parse(bad[_i].text, strlen(bad[_i].text), &err));
	ck_assert_int_eq(err.code, ERR_INVALID);
	ck_assert_msg(strstr(err.msg, bad[_i].words) != NULL, "%s: %s", bad[_i].text, err.msg);
	snprintf(where, sizeof(where), "at byte %zu:", bad[_i].at);
	ck_assert_msg(strstr(err.msg, where) != NULL, "%s: %s", bad[_i].text, err.msg);
}
END_TEST

START_TEST(refuses_nul_byte)
{
	struct err err = ERR_INIT;

	ck_assert(!parse("{}\0", 3, &err));
	ck_assert(!parse("\"a\0b\"", 5, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "control character in a string"));
}
END_TEST

static void
nest(struct buf *text, int depth)
{
	buf_reset(text);
	for (int i = 0; i < depth; i++)
		buf_str_add(text, "{\"a\":[");
	for (int i = 0; i < depth; i++)
		buf_str_add(text, "]}");
}

START_TEST(bounds_depth)
{
	struct err err = ERR_INIT;
	struct buf text;

	buf_init(&text, 10 * MIB);
	nest(&text, JSON_DEPTH_MAX / 2);
	ck_assert(parse(buf_str(&text), text.n, &err));
	nest(&text, JSON_DEPTH_MAX / 2 + 1);
	ck_assert(!parse(buf_str(&text), text.n, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "nested too deeply"));
	nest(&text, 1000000);
	ck_assert(!parse(buf_str(&text), text.n, &err));
	buf_done(&text);
}
END_TEST

START_TEST(bounds_values)
{
	struct err err = ERR_INIT;
	struct buf text;

	buf_init(&text, 10 * MIB);
	buf_char(&text, '[');
	for (unsigned i = 0; i < JSON_VALUES_MAX; i++)
		buf_str_add(&text, "0,");
	buf_str_add(&text, "0]");
	ck_assert(!parse(buf_str(&text), text.n, &err));
	ck_assert_int_eq(err.code, ERR_TOO_LARGE);
	buf_done(&text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("json");
	TCase *tc = tcase_create("json");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, accepts, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tc, refuses_with_offset, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, refuses_nul_byte);
	tcase_add_test(tc, bounds_depth);
	tcase_add_test(tc, bounds_values);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
