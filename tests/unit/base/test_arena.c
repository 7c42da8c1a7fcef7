#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"

#define BLOCK 64

static struct arena *a;

static void
setup(void)
{
	a = arena_new(BLOCK);
}

static void
teardown(void)
{
	arena_free(&a);
	ck_assert_ptr_null(a);
}

START_TEST(free_takes_null)
{
	struct arena *none = NULL;

	arena_free(&none);
	ck_assert_ptr_null(none);
}
END_TEST

static const size_t sizes[] = { 0, 1, 7, 8, 9, BLOCK - 1, BLOCK, BLOCK + 1, 100 * BLOCK };

START_TEST(memory_is_aligned_and_whole)
{
	size_t n = sizes[_i];
	uint8_t *p;

	arena_alloc(a, 3);
	p = arena_alloc(a, n);
	ck_assert_uint_eq((uintptr_t)p % 8, 0);
	memset(p, 0xaa, n); /* the sanitizer watches */
}
END_TEST

START_TEST(pieces_do_not_overlap)
{
	uint8_t *p[32];
	int i;

	for (i = 0; i < 32; i++)
		memset(p[i] = arena_alloc(a, 13), i, 13);
	for (i = 0; i < 32; i++) {
		ck_assert_uint_eq(p[i][0], i);
		ck_assert_uint_eq(p[i][12], i);
	}
}
END_TEST

START_TEST(large_piece_leaves_small_ones_alone)
{
	char *small = arena_strdup(a, "small"), *after;

	memset(arena_alloc(a, 10 * BLOCK), 'l', 10 * BLOCK);
	after = arena_strdup(a, "after");
	ck_assert_str_eq(small, "small");
	ck_assert_str_eq(after, "after");
}
END_TEST

START_TEST(zalloc_clears_used_memory)
{
	uint8_t *p = arena_alloc(a, BLOCK);
	size_t i;

	memset(p, 0xff, BLOCK);
	arena_reset(a);
	p = arena_zalloc(a, BLOCK);
	for (i = 0; i < BLOCK; i++)
		ck_assert_uint_eq(p[i], 0);
}
END_TEST

START_TEST(reset_gives_the_same_block_again)
{
	void *first = arena_alloc(a, 8);

	arena_reset(a);
	ck_assert_ptr_eq(arena_alloc(a, 8), first);
}
END_TEST

START_TEST(used_counts_rounded_bytes)
{
	ck_assert_uint_eq(arena_used(a), 0);
	arena_alloc(a, 1);
	arena_alloc(a, 8);
	arena_alloc(a, 2 * BLOCK);
	ck_assert_uint_eq(arena_used(a), 8 + 8 + 2 * BLOCK);
}
END_TEST

START_TEST(reset_forgets_what_was_used)
{
	arena_alloc(a, 3 * BLOCK);
	arena_alloc(a, 3);
	arena_reset(a);
	ck_assert_uint_eq(arena_used(a), 0);
}
END_TEST

START_TEST(copies_are_terminated)
{
	ck_assert_str_eq(arena_strndup(a, "shopping", 4), "shop");
	ck_assert_str_eq(arena_strdup(a, ""), "");
	ck_assert_str_eq(arena_printf(a, "%s-%d", "slot", 7), "slot-7");
}
END_TEST

START_TEST(printf_takes_text_longer_than_a_block)
{
	char *s = arena_printf(a, "%0*d", 5 * BLOCK, 1);

	ck_assert_uint_eq(strlen(s), 5 * BLOCK);
}
END_TEST

START_TEST(dup_slice_outlives_its_lender)
{
	char text[] = "lent";
	struct slice s = arena_dup_slice(a, slice_str(text));

	memset(text, 'x', sizeof(text));
	ck_assert(slice_eq(s, slice_str("lent")));
}
END_TEST

START_TEST(dup_of_nothing_is_something)
{
	ck_assert_ptr_nonnull(arena_dup(a, NULL, 0));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("arena");
	TCase *tc = tcase_create("arena");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, free_takes_null);
	tcase_add_loop_test(tc, memory_is_aligned_and_whole, 0, sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_test(tc, pieces_do_not_overlap);
	tcase_add_test(tc, large_piece_leaves_small_ones_alone);
	tcase_add_test(tc, zalloc_clears_used_memory);
	tcase_add_test(tc, reset_gives_the_same_block_again);
	tcase_add_test(tc, used_counts_rounded_bytes);
	tcase_add_test(tc, reset_forgets_what_was_used);
	tcase_add_test(tc, copies_are_terminated);
	tcase_add_test(tc, printf_takes_text_longer_than_a_block);
	tcase_add_test(tc, dup_slice_outlives_its_lender);
	tcase_add_test(tc, dup_of_nothing_is_something);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
