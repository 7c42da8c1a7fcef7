#include <check.h>
#include <stdlib.h>

#include "lib/base/slice.h"

static const uint8_t bytes[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09 };

static struct rbuf
reader(size_t n)
{
	return rbuf_of(slice_of(bytes, n));
}

static const struct {
	const char *a, *b;
	bool equal;
} pairs[] = {
	{ "", "", true },
	{ "a", "a", true },
	{ "a", "b", false },
	{ "a", "ab", false },
	{ "ab", "a", false },
};

START_TEST(equal_means_same_bytes)
{
	ck_assert(slice_eq(slice_str(pairs[_i].a), slice_str(pairs[_i].b)) == pairs[_i].equal);
}
END_TEST

START_TEST(null_and_empty_are_equal)
{
	ck_assert(slice_eq(slice_of(NULL, 0), slice_str("")));
}
END_TEST

START_TEST(integers_are_big_endian)
{
	struct rbuf r = reader(7);

	ck_assert_uint_eq(rbuf_u8(&r), 0x01);
	ck_assert_uint_eq(rbuf_u16(&r), 0x0203);
	ck_assert_uint_eq(rbuf_u32(&r), 0x04050607);
	ck_assert(rbuf_done(&r));
}
END_TEST

START_TEST(u64_is_big_endian)
{
	struct rbuf r = reader(8);

	ck_assert_uint_eq(rbuf_u64(&r), 0x0102030405060708ull);
	ck_assert(rbuf_done(&r));
}
END_TEST

START_TEST(what_is_put_reads_back)
{
	uint8_t p[14];
	struct rbuf r = rbuf_of(slice_of(p, sizeof(p)));

	put_u16(p, 0xfffe);
	put_u32(p + 2, 0x80000001);
	put_u64(p + 6, 0xfedcba9876543210ull);
	ck_assert_uint_eq(rbuf_u16(&r), 0xfffe);
	ck_assert_uint_eq(rbuf_u32(&r), 0x80000001);
	ck_assert_uint_eq(rbuf_u64(&r), 0xfedcba9876543210ull);
}
END_TEST

/* Every way of reading one byte more than there is. */
static uint64_t
read_u8(struct rbuf *r)
{
	return rbuf_u8(r);
}

static uint64_t
read_u16(struct rbuf *r)
{
	return rbuf_u16(r);
}

static uint64_t
read_u32(struct rbuf *r)
{
	return rbuf_u32(r);
}

static uint64_t
read_bytes(struct rbuf *r)
{
	return rbuf_bytes(r, 9).n;
}

static uint64_t
read_cstr(struct rbuf *r)
{
	return (uint64_t)rbuf_cstr(r)[0];
}

static const struct {
	uint64_t (*read)(struct rbuf *);
	size_t there;
} short_reads[] = {
	{ read_u8, 0 }, { read_u16, 1 }, { read_u32, 3 }, { rbuf_u64, 7 }, { read_bytes, 8 },
	{ read_cstr, 8 }, /* no NUL in it */
};

START_TEST(short_read_gives_nothing)
{
	struct rbuf r = reader(short_reads[_i].there);

	ck_assert_uint_eq(short_reads[_i].read(&r), 0);
	ck_assert(!rbuf_ok(&r));
	ck_assert(!rbuf_done(&r));
}
END_TEST

START_TEST(failure_is_sticky)
{
	struct rbuf r = reader(4);

	rbuf_u64(&r);
	ck_assert_uint_eq(rbuf_u8(&r), 0);
	ck_assert_uint_eq(rbuf_bytes(&r, 0).n, 0);
	ck_assert_str_eq(rbuf_cstr(&r), "");
	ck_assert(!rbuf_ok(&r));
}
END_TEST

START_TEST(left_over_is_not_done)
{
	struct rbuf r = reader(3);

	rbuf_u16(&r);
	ck_assert(rbuf_ok(&r));
	ck_assert(!rbuf_done(&r));
	ck_assert_uint_eq(rbuf_left(&r), 1);
}
END_TEST

START_TEST(string_ends_at_its_nul)
{
	struct rbuf r = rbuf_of(slice_of("ab\0\0c", 5));

	ck_assert_str_eq(rbuf_cstr(&r), "ab");
	ck_assert_str_eq(rbuf_cstr(&r), "");
	ck_assert(rbuf_ok(&r));
	ck_assert_uint_eq(rbuf_left(&r), 1);
}
END_TEST

START_TEST(a_huge_length_is_short)
{
	struct rbuf r = reader(4);

	ck_assert_uint_eq(rbuf_bytes(&r, SIZE_MAX).n, 0);
	ck_assert(!rbuf_ok(&r));
}
END_TEST

START_TEST(bytes_are_borrowed)
{
	struct rbuf r = reader(4);
	struct slice s;

	rbuf_u8(&r);
	s = rbuf_bytes(&r, 3);
	ck_assert_ptr_eq(s.p, bytes + 1);
	ck_assert_uint_eq(s.n, 3);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("slice");
	TCase *tc = tcase_create("slice");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, equal_means_same_bytes, 0, sizeof(pairs) / sizeof(pairs[0]));
	tcase_add_test(tc, null_and_empty_are_equal);
	tcase_add_test(tc, integers_are_big_endian);
	tcase_add_test(tc, u64_is_big_endian);
	tcase_add_test(tc, what_is_put_reads_back);
	tcase_add_loop_test(tc, short_read_gives_nothing, 0,
	    sizeof(short_reads) / sizeof(short_reads[0]));
	tcase_add_test(tc, failure_is_sticky);
	tcase_add_test(tc, left_over_is_not_done);
	tcase_add_test(tc, string_ends_at_its_nul);
	tcase_add_test(tc, a_huge_length_is_short);
	tcase_add_test(tc, bytes_are_borrowed);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
