#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"

static struct err err;

static void
setup(void)
{
	memset(&err, 'x', sizeof(err));
	err_clear(&err);
}

START_TEST(set_returns_false)
{
	ck_assert(!err_set(&err, ERR_CONFIG, "no table \"%s\"", "t"));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_str_eq(err.msg, "no table \"t\"");
}
END_TEST

START_TEST(set_forgets_what_was_before)
{
	err_set(&err, ERR_DATA, "first");
	err_hint(&err, "do this");
	err_reason(&err, "R");
	err_subject(&err, "s");
	memcpy(err.sqlstate, "23505", 6);
	err_set(&err, ERR_CONFIG, "second");
	ck_assert_str_eq(err.msg, "second");
	ck_assert_str_eq(err.hint, "");
	ck_assert_str_eq(err.reason, "");
	ck_assert_str_eq(err.subjects, "");
	ck_assert_str_eq(err.sqlstate, "");
}
END_TEST

START_TEST(hint_keeps_the_message)
{
	err_set(&err, ERR_CONFIG, "words");
	ck_assert(!err_hint(&err, "set %s", "wal_level"));
	ck_assert_str_eq(err.msg, "words");
	ck_assert_str_eq(err.hint, "set wal_level");
}
END_TEST

START_TEST(context_is_added_outermost_last)
{
	err_set(&err, ERR_DATA, "value out of range");
	ck_assert(!err_context(&err, "column \"%s\"", "due"));
	err_context(&err, "mirror orders");
	ck_assert_str_eq(err.msg, "value out of range: column \"due\": mirror orders");
	ck_assert_int_eq(err.code, ERR_DATA);
}
END_TEST

/* Whatever the alignment, no half of the two bytes of "ä" is left. */
START_TEST(no_character_is_cut_in_half)
{
	char words[ERR_MSG_MAX + 8];
	size_t n;

	memset(words, 'x', sizeof(words));
	for (n = (size_t)_i; n + 3 < sizeof(words); n += 2)
		memcpy(words + n, "\xc3\xa4", 2);
	words[n] = '\0';
	err_set(&err, ERR_DATA, "%s", words);
	n = strlen(err.msg);
	ck_assert(n >= ERR_MSG_MAX - 3);
	ck_assert(memcmp(err.msg, words, n) == 0);
	ck_assert_int_eq((unsigned char)err.msg[n - 1], 0xa4);
}
END_TEST

START_TEST(long_message_is_cut)
{
	char words[ERR_MSG_MAX + 10];

	memset(words, 'w', sizeof(words));
	words[sizeof(words) - 1] = '\0';
	err_set(&err, ERR_DATA, "%s", words);
	ck_assert_uint_eq(strlen(err.msg), ERR_MSG_MAX - 1);
}
END_TEST

/* Free bytes behind the message, and how much of ": context" is there afterwards. */
static const struct {
	size_t room;
	const char *tail;
} contexts[] = {
	{ 0, "" },
	{ 1, "" },
	{ 2, "" },
	{ 3, ": c" },
	{ 4, ": co" },
	{ 9, ": context" },
	{ 10, ": context" },
};

START_TEST(context_stays_inside_the_message)
{
	size_t n = ERR_MSG_MAX - 1 - contexts[_i].room;

	memset(err.msg, 'm', n);
	err.msg[n] = '\0';
	ck_assert(!err_context(&err, "context"));
	ck_assert_str_eq(err.msg + n, contexts[_i].tail);
}
END_TEST

START_TEST(subjects_are_lines)
{
	err_subject(&err, "public.a");
	err_subject(&err, "public.b");
	ck_assert_str_eq(err.subjects, "public.a\npublic.b");
}
END_TEST

START_TEST(subjects_stay_inside)
{
	int i;

	for (i = 0; i < 200; i++)
		err_subject(&err, "public.table");
	ck_assert_uint_eq(strlen(err.subjects), ERR_SUBJECTS_MAX - 1);
}
END_TEST

/* What the contract promises of each code (docs/api.md). */
static const struct {
	enum err_code code;
	const char *name;
	int grpc, http;
	const char *sqlstate;
	enum err_policy policy;
} codes[] = {
	{ ERR_NONE, "NONE", 0, 200, "00000", ERR_POLICY_NEVER },
	{ ERR_TRANSIENT, "TRANSIENT", 14, 503, "08006", ERR_POLICY_RETRY },
	{ ERR_CONFIG, "CONFIG", 9, 400, "55000", ERR_POLICY_USER },
	{ ERR_DATA, "DATA", 9, 400, "22000", ERR_POLICY_USER },
	{ ERR_PROTOCOL, "PROTOCOL", 13, 500, "08P01", ERR_POLICY_BOUNDED },
	{ ERR_CANCELLED, "CANCELLED", 1, 499, "57014", ERR_POLICY_NEVER },
	{ ERR_BUG, "BUG", 13, 500, "XX000", ERR_POLICY_BOUNDED },
	{ ERR_INVALID, "INVALID", 3, 400, "22023", ERR_POLICY_USER },
	{ ERR_NOT_FOUND, "NOT_FOUND", 5, 404, "42704", ERR_POLICY_USER },
	{ ERR_EXISTS, "EXISTS", 6, 409, "42710", ERR_POLICY_USER },
	{ ERR_IN_USE, "IN_USE", 9, 409, "55006", ERR_POLICY_USER },
	{ ERR_UNAUTHENTICATED, "UNAUTHENTICATED", 16, 401, "28P01", ERR_POLICY_USER },
	{ ERR_UNIMPLEMENTED, "UNIMPLEMENTED", 12, 501, "0A000", ERR_POLICY_USER },
	{ ERR_TOO_LARGE, "TOO_LARGE", 8, 413, "54000", ERR_POLICY_USER },
	{ ERR_TIMEOUT, "TIMEOUT", 4, 504, "57014", ERR_POLICY_RETRY },
};

START_TEST(code_has_its_answers)
{
	enum err_code code = codes[_i].code;

	ck_assert_str_eq(err_code_name(code), codes[_i].name);
	ck_assert_int_eq(err_grpc_code(code), codes[_i].grpc);
	ck_assert_int_eq(err_http_status(code), codes[_i].http);
	ck_assert_str_eq(err_sqlstate(code), codes[_i].sqlstate);
	ck_assert_int_eq(err_policy(code), codes[_i].policy);
}
END_TEST

START_TEST(every_code_is_tested)
{
	ck_assert_uint_eq(sizeof(codes) / sizeof(codes[0]), ERR_COUNT);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("err");
	TCase *tc = tcase_create("err");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, set_returns_false);
	tcase_add_test(tc, set_forgets_what_was_before);
	tcase_add_loop_test(tc, no_character_is_cut_in_half, 0, 2);
	tcase_add_test(tc, hint_keeps_the_message);
	tcase_add_test(tc, context_is_added_outermost_last);
	tcase_add_test(tc, long_message_is_cut);
	tcase_add_loop_test(tc, context_stays_inside_the_message, 0,
	    sizeof(contexts) / sizeof(contexts[0]));
	tcase_add_test(tc, subjects_are_lines);
	tcase_add_test(tc, subjects_stay_inside);
	tcase_add_loop_test(tc, code_has_its_answers, 0, sizeof(codes) / sizeof(codes[0]));
	tcase_add_test(tc, every_code_is_tested);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
