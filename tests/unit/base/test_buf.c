#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"

#define CEILING 1000

static struct buf b;

static void
setup(void)
{
	buf_init(&b, CEILING);
}

static void
teardown(void)
{
	buf_done(&b);
}

START_TEST(is_text_from_birth)
{
	ck_assert_str_eq(buf_str(&b), "");
	ck_assert_uint_eq(buf_slice(&b).n, 0);
}
END_TEST

START_TEST(text_stays_terminated)
{
	buf_str_add(&b, "ab");
	buf_char(&b, 'c');
	buf_printf(&b, "%d", 12);
	buf_add(&b, "xyz", 2);
	ck_assert_str_eq(buf_str(&b), "abc12xy");
	ck_assert_uint_eq(b.n, 7);
}
END_TEST

START_TEST(integers_are_big_endian)
{
	static const uint8_t want[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };

	buf_u16(&b, 0x0102);
	buf_u32(&b, 0x03040506);
	buf_u64(&b, 0x0708090a0b0c0d0eull);
	ck_assert_uint_eq(b.n, sizeof(want));
	ck_assert_mem_eq(b.p, want, sizeof(want));
}
END_TEST

START_TEST(takes_up_to_its_ceiling)
{
	char text[CEILING];

	memset(text, 'x', sizeof(text));
	buf_add(&b, text, sizeof(text));
	ck_assert(!buf_overflowed(&b));
	ck_assert_uint_eq(strlen(buf_str(&b)), CEILING);
}
END_TEST

START_TEST(one_byte_more_is_refused_whole)
{
	char text[CEILING];

	memset(text, 'x', sizeof(text));
	buf_str_add(&b, "ab");
	buf_add(&b, text, CEILING - 1);
	ck_assert(buf_overflowed(&b));
	ck_assert_str_eq(buf_str(&b), "ab");
}
END_TEST

START_TEST(overflow_is_sticky)
{
	buf_printf(&b, "%0*d", CEILING + 1, 1);
	buf_char(&b, 'c');
	ck_assert(buf_overflowed(&b));
	ck_assert_uint_eq(b.n, 0);
}
END_TEST

START_TEST(reset_clears_overflow)
{
	buf_printf(&b, "%0*d", CEILING + 1, 1);
	buf_reset(&b);
	buf_str_add(&b, "again");
	ck_assert(!buf_overflowed(&b));
	ck_assert_str_eq(buf_str(&b), "again");
}
END_TEST

START_TEST(room_is_not_yet_content)
{
	uint8_t *to = buf_room(&b, 300);

	ck_assert_uint_eq(b.n, 0);
	memset(to, 'r', 300);
	b.n += 300;
	buf_char(&b, '!');
	ck_assert_uint_eq(strlen(buf_str(&b)), 301);
}
END_TEST

/* What is left of "abcdef" after consuming n bytes. */
static const struct {
	size_t n;
	const char *left;
} consumed[] = { { 0, "abcdef" }, { 1, "bcdef" }, { 5, "f" }, { 6, "" }, { 7, "" } };

START_TEST(consume_drops_the_front)
{
	buf_str_add(&b, "abcdef");
	buf_consume(&b, consumed[_i].n);
	ck_assert_str_eq(buf_str(&b), consumed[_i].left);
	ck_assert_uint_eq(b.n, strlen(consumed[_i].left));
}
END_TEST

START_TEST(take_leaves_an_empty_buffer)
{
	char *s;

	buf_str_add(&b, "mine");
	s = buf_take(&b);
	ck_assert_str_eq(s, "mine");
	ck_assert_str_eq(buf_str(&b), "");
	buf_str_add(&b, "next");
	ck_assert_str_eq(s, "mine");
	free(s);
}
END_TEST

START_TEST(take_of_nothing_is_empty_text)
{
	char *s = buf_take(&b);

	ck_assert_str_eq(s, "");
	free(s);
}
END_TEST

START_TEST(done_may_be_called_twice)
{
	buf_str_add(&b, "x");
	buf_done(&b);
	buf_done(&b);
	ck_assert_str_eq(buf_str(&b), "");
	ck_assert_uint_eq(b.max, CEILING);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("buf");
	TCase *tc = tcase_create("buf");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, is_text_from_birth);
	tcase_add_test(tc, text_stays_terminated);
	tcase_add_test(tc, integers_are_big_endian);
	tcase_add_test(tc, takes_up_to_its_ceiling);
	tcase_add_test(tc, one_byte_more_is_refused_whole);
	tcase_add_test(tc, overflow_is_sticky);
	tcase_add_test(tc, reset_clears_overflow);
	tcase_add_test(tc, room_is_not_yet_content);
	tcase_add_loop_test(tc, consume_drops_the_front, 0, sizeof(consumed) / sizeof(consumed[0]));
	tcase_add_test(tc, take_leaves_an_empty_buffer);
	tcase_add_test(tc, take_of_nothing_is_empty_text);
	tcase_add_test(tc, done_may_be_called_twice);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
