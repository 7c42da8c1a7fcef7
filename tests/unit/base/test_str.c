#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

static const struct {
	const char *text;
	uint64_t min, max, value;
} u64_good[] = {
	{ "0", 0, 10, 0 },
	{ "10", 0, 10, 10 },
	{ "007", 0, 10, 7 },
	{ "18446744073709551615", 0, UINT64_MAX, UINT64_MAX },
};

START_TEST(u64_reads)
{
	struct err err = ERR_INIT;
	uint64_t v = 99;

	ck_assert(str_to_u64(u64_good[_i].text, u64_good[_i].min, u64_good[_i].max, &v, &err));
	ck_assert_uint_eq(v, u64_good[_i].value);
	ck_assert_int_eq(err.code, ERR_NONE);
}
END_TEST

static const struct {
	const char *text;
	uint64_t min, max;
	const char *words;
} u64_bad[] = {
	{ "", 0, 10, "not a whole number" },
	{ " 1", 0, 10, "not a whole number" },
	{ "1 ", 0, 10, "not a whole number" },
	{ "+1", 0, 10, "not a whole number" },
	{ "-1", 0, UINT64_MAX, "not a whole number" },
	{ "1.5", 0, 10, "not a whole number" },
	{ "0x10", 0, 100, "not a whole number" },
	{ "ten", 0, 10, "not a whole number" },
	{ "11", 0, 10, "11 is out of range (0 to 10)" },
	{ "4", 5, 10, "4 is out of range (5 to 10)" },
	{ "18446744073709551616", 0, UINT64_MAX, "out of range" },
};

START_TEST(u64_refuses)
{
	struct err err = ERR_INIT;
	uint64_t v = 99;

	ck_assert(!str_to_u64(u64_bad[_i].text, u64_bad[_i].min, u64_bad[_i].max, &v, &err));
	ck_assert_uint_eq(v, 99);
	ck_assert_int_eq(err.code, ERR_INVALID);
	ck_assert_msg(strstr(err.msg, u64_bad[_i].words) != NULL, "%s", err.msg);
}
END_TEST

static const struct {
	const char *text;
	int64_t min, max, value;
} i64_good[] = {
	{ "-5", -5, 5, -5 },
	{ "5", -5, 5, 5 },
	{ "-0", -5, 5, 0 },
	{ "-9223372036854775808", INT64_MIN, 0, INT64_MIN },
	{ "9223372036854775807", 0, INT64_MAX, INT64_MAX },
};

START_TEST(i64_reads)
{
	struct err err = ERR_INIT;
	int64_t v = 99;

	ck_assert(str_to_i64(i64_good[_i].text, i64_good[_i].min, i64_good[_i].max, &v, &err));
	ck_assert_int_eq(v, i64_good[_i].value);
}
END_TEST

static const char *const i64_bad[] = { "", "-", "--1", "- 1", "+1", "1-", " -1", "-6", "6",
	"-9223372036854775809", "9223372036854775808" };

START_TEST(i64_refuses)
{
	struct err err = ERR_INIT;
	int64_t v = 99;

	ck_assert(!str_to_i64(i64_bad[_i], -5, 5, &v, &err));
	ck_assert_int_eq(v, 99);
	ck_assert_int_eq(err.code, ERR_INVALID);
}
END_TEST

static const struct {
	const char *from;
	size_t size;
	const char *to;
	bool fits;
} copies[] = {
	{ "", 1, "", true },
	{ "abc", 4, "abc", true },
	{ "abc", 3, "ab", false },
	{ "abc", 1, "", false },
};

START_TEST(copy_is_always_terminated)
{
	char to[8];

	memset(to, 'x', sizeof(to));
	ck_assert(str_copy(to, copies[_i].size, copies[_i].from) == copies[_i].fits);
	ck_assert_str_eq(to, copies[_i].to);
	ck_assert_int_eq(to[copies[_i].size], 'x');
}
END_TEST

static const struct {
	const char *s, *prefix;
	bool starts;
} prefixes[] = {
	{ "abc", "", true },
	{ "abc", "ab", true },
	{ "abc", "abc", true },
	{ "ab", "abc", false },
	{ "abc", "b", false },
};

START_TEST(starts_with)
{
	ck_assert(str_starts(prefixes[_i].s, prefixes[_i].prefix) == prefixes[_i].starts);
}
END_TEST

/* RFC 3629, with the borders of every sequence length. */
static const struct {
	const char *bytes;
	bool valid;
} utf8[] = {
	{ "", true },
	{ "plain", true },
	{ "\xc2\x80", true },
	{ "\xdf\xbf", true },
	{ "\xe0\xa0\x80", true },
	{ "\xed\x9f\xbf", true },
	{ "\xee\x80\x80", true },
	{ "\xef\xbf\xbf", true },
	{ "\xf0\x90\x80\x80", true },
	{ "\xf4\x8f\xbf\xbf", true },
	{ "a\xe2\x82\xac z", true },
	{ "\x80", false },
	{ "\xc0\x80", false }, /* NUL, too long */
	{ "\xc1\xbf", false },
	{ "\xc2", false },
	{ "\xc2 ", false },
	{ "\xe0\x9f\xbf", false }, /* too long */
	{ "\xe2\x82", false },
	{ "\xe2\x82 ", false },
	{ "\xed\xa0\x80", false }, /* a surrogate */
	{ "\xed\xbf\xbf", false },
	{ "\xf0\x8f\xbf\xbf", false }, /* too long */
	{ "\xf4\x90\x80\x80", false }, /* above the last code point */
	{ "\xf5\x80\x80\x80", false },
	{ "\xff", false },
	{ "ok\xfe", false },
};

START_TEST(utf8_is_checked)
{
	size_t n = strlen(utf8[_i].bytes);
	char *exact = malloc(n > 0 ? n : 1); /* without a NUL: reading on would be seen */

	memcpy(exact, utf8[_i].bytes, n);
	ck_assert(str_utf8_valid(exact, n) == utf8[_i].valid);
	free(exact);
}
END_TEST

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *a, *b;
	unsigned distance;
} distances[] = {
	{ "", "", 0 },
	{ "abc", "abc", 0 },
	{ "", "abc", 3 },
	{ "host", "hots", 2 },
	{ "port", "ports", 1 },
	{ "kitten", "sitting", 3 },
	{ "flaw", "lawn", 2 },
	{ X64, X64, 0 },
	{ X64 "x", "x", 64 },
	{ "x", X64 "x", 64 },
};

START_TEST(distance_counts_edits)
{
	ck_assert_uint_eq(str_distance(distances[_i].a, distances[_i].b), distances[_i].distance);
	ck_assert_uint_eq(str_distance(distances[_i].b, distances[_i].a), distances[_i].distance);
}
END_TEST

static const struct {
	const char *a, *b;
	bool equal;
} secrets[] = {
	{ "", "", true },
	{ "secret", "secret", true },
	{ "secret", "secreT", false },
	{ "Secret", "secret", false },
	{ "secre", "secret", false },
	{ "secrets", "secret", false },
	{ "", "secret", false },
	{ "secret", "", false },
};

START_TEST(secrets_compare)
{
	ck_assert(str_equal_const_time(secrets[_i].a, secrets[_i].b) == secrets[_i].equal);
}
END_TEST

static const struct {
	const char *word;
	bool known, value;
} bools[] = {
	{ "true", true, true },
	{ "T", true, true },
	{ "1", true, true },
	{ "On", true, true },
	{ "false", true, false },
	{ "f", true, false },
	{ "0", true, false },
	{ "OFF", true, false },
	{ "", false, false },
	{ "tru", false, false },
	{ "yes", false, false },
	{ "10", false, false },
};

START_TEST(words_for_yes_and_no)
{
	bool v = !bools[_i].value;

	ck_assert(str_to_bool(bools[_i].word, &v) == bools[_i].known);
	if (bools[_i].known)
		ck_assert(v == bools[_i].value);
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *s = suite_create("str");
	TCase *tc = tcase_create("str");
	SRunner *sr = srunner_create(s);
	int failed;

	LOOP(tc, u64_reads, u64_good);
	LOOP(tc, u64_refuses, u64_bad);
	LOOP(tc, i64_reads, i64_good);
	LOOP(tc, i64_refuses, i64_bad);
	LOOP(tc, copy_is_always_terminated, copies);
	LOOP(tc, starts_with, prefixes);
	LOOP(tc, utf8_is_checked, utf8);
	LOOP(tc, distance_counts_edits, distances);
	LOOP(tc, secrets_compare, secrets);
	LOOP(tc, words_for_yes_and_no, bools);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
