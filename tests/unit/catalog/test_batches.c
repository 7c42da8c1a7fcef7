/*
 * Batches are counted once, whatever comes twice; pages of them and of the log
 * lines; the bound on both.
 */
#include "tests/unit/catalog/fixture.h"

#define ROWS_MAX 64

static struct {
	size_t n;
	int64_t ids[ROWS_MAX];
	struct catalog_batch first;
	struct catalog_page page;
	struct catalog_counts counts;
	char destination[64];
	struct catalog_totals totals;
	char message[64];
} seen;

static void
on_batches(void *arg, const struct err *why, const struct catalog_batch *rows, size_t n,
    const struct catalog_page *page)
{
	size_t i;

	on_done(arg, why);
	seen.n = n;
	seen.page = *page;
	for (i = 0; i < n && i < ROWS_MAX; i++)
		seen.ids[i] = (int64_t)rows[i].batch_id;
	if (n > 0)
		seen.first = rows[0];
}

static void
on_counts(void *arg, const struct err *why, const struct catalog_counts *rows, size_t n)
{
	on_done(arg, why);
	seen.n = n;
	if (n == 0)
		return;
	seen.counts = rows[0];
	snprintf(seen.destination, sizeof(seen.destination), "%s", rows[0].destination);
}

static void
on_totals(void *arg, const struct err *why, const struct catalog_totals *t)
{
	on_done(arg, why);
	seen.totals = *t;
}

static void
on_logs(void *arg, const struct err *why, const struct catalog_log *rows, size_t n,
    const struct catalog_page *page)
{
	size_t i;

	on_done(arg, why);
	seen.n = n;
	seen.page = *page;
	for (i = 0; i < n && i < ROWS_MAX; i++)
		seen.ids[i] = rows[i].id;
	if (n > 0)
		snprintf(seen.message, sizeof(seen.message), "%s", rows[0].message);
}

static void
add_batch(uint64_t id)
{
	struct catalog_counts counts[] = {
		{ .destination = "public.a", .inserts = 5, .updates = 2, .deletes = 1 },
		{ .destination = "public.b", .inserts = 2 },
	};
	struct catalog_batch b = { .batch_id = id,
		.start_lsn = id * 16,
		.end_lsn = id * 16 + 8,
		.rows = 10,
		.start_us = 1000,
		.end_us = 2000 };

	catalog_batch_add(cat, "m", &b, counts, 2, NULL, NULL);
}

static void
list(struct catalog_range range)
{
	catalog_batches_list(cat, "m", &range, on_batches, NULL);
	expect(ERR_NONE);
}

static void
expect_totals(int64_t batches)
{
	catalog_totals_get(cat, "m", on_totals, NULL);
	expect(ERR_NONE);
	ck_assert_int_eq(seen.totals.batches, batches);
	ck_assert_int_eq(seen.totals.batch_rows, 10 * batches);
	ck_assert_int_eq(seen.totals.inserts, 7 * batches);
	ck_assert_int_eq(seen.totals.updates, 2 * batches);
	ck_assert_int_eq(seen.totals.deletes, batches);
}

START_TEST(nothing_counts_nothing)
{
	expect_totals(0);
	list((struct catalog_range){ .limit = 10 });
	ck_assert_uint_eq(seen.n, 0);
	ck_assert_int_eq(seen.page.total, 0);
}
END_TEST

START_TEST(a_batch_comes_back)
{
	add_batch(1);
	list((struct catalog_range){ .limit = 10 });
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_uint_eq(seen.first.batch_id, 1);
	ck_assert_uint_eq(seen.first.start_lsn, 16);
	ck_assert_uint_eq(seen.first.end_lsn, 24);
	ck_assert_int_eq(seen.first.rows, 10);
	ck_assert_int_eq(seen.first.start_us, 1000);
	ck_assert_int_eq(seen.first.end_us, 2000);
}
END_TEST

START_TEST(counts_add_up_by_table)
{
	add_batch(1);
	add_batch(2);
	catalog_counts_list(cat, "m", on_counts, NULL);
	expect(ERR_NONE);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_str_eq(seen.destination, "public.a");
	ck_assert_int_eq(seen.counts.inserts, 10);
	ck_assert_int_eq(seen.counts.updates, 4);
	ck_assert_int_eq(seen.counts.deletes, 2);
	ck_assert_uint_eq(seen.counts.latest_batch_id, 2);
	expect_totals(2);
}
END_TEST

START_TEST(a_batch_counts_once)
{
	add_batch(1);
	add_batch(1);
	ck_assert(catalog_flush(cat, &err));
	reopen();
	add_batch(1);
	expect_totals(1);
}
END_TEST

START_TEST(a_batch_moves_the_checkpoint)
{
	add_batch(2);
	add_batch(1);
	ck_assert(catalog_flush(cat, &err));
	ck_assert_str_eq(sql("SELECT checkpoint FROM v_mirrors"), "0/28");
}
END_TEST

START_TEST(a_batch_of_no_mirror_is_refused)
{
	struct catalog_batch b = { .batch_id = 1 };

	catalog_batch_add(cat, "other", &b, NULL, 0, on_done, NULL);
	expect(ERR_NOT_FOUND);
	ck_assert_str_eq(sql("SELECT count(*) FROM v_batches"), "0");
}
END_TEST

START_TEST(old_batches_are_forgotten_but_stay_counted)
{
	uint64_t id;

	options.batches_kept = 5;
	reopen();
	for (id = 1; id <= 20; id++)
		add_batch(id);
	list((struct catalog_range){ .limit = 50 });
	ck_assert_uint_eq(seen.n, 5);
	ck_assert_int_eq(seen.ids[4], 16);
	add_batch(3);
	list((struct catalog_range){ .limit = 50 });
	ck_assert_uint_eq(seen.n, 5);
	expect_totals(20);
}
END_TEST

/* ---- pages: batches 1 to 9 */

static const struct {
	struct catalog_range range;
	int64_t ids[4]; /* up to a 0 */
	int64_t skipped;
} pages[] = {
	{ { .limit = 3 }, { 9, 8, 7 }, 0 },
	{ { .limit = 3, .ascending = true }, { 1, 2, 3 }, 0 },
	{ { .limit = 3, .before_id = 7 }, { 6, 5, 4 }, 3 },
	{ { .limit = 3, .before_id = 7, .ascending = true }, { 4, 5, 6 }, 3 },
	{ { .limit = 3, .after_id = 4 }, { 7, 6, 5 }, 2 },
	{ { .limit = 3, .after_id = 4, .ascending = true }, { 5, 6, 7 }, 4 },
	{ { .limit = 3, .after_id = 2, .before_id = 5 }, { 4, 3 }, 5 },
	{ { .limit = 3, .before_id = 2 }, { 1 }, 8 },
	{ { .limit = 3, .before_id = 1 }, { 0 }, 0 },
	{ { .limit = 0 }, { 0 }, 0 },
	{ { .limit = -1 }, { 0 }, 0 },
};

START_TEST(batches_come_in_pages)
{
	uint64_t id;
	size_t i;

	for (id = 1; id <= 9; id++)
		add_batch(id);
	list(pages[_i].range);
	for (i = 0; pages[_i].ids[i] != 0; i++)
		ck_assert_int_eq(seen.ids[i], pages[_i].ids[i]);
	ck_assert_uint_eq(seen.n, i);
	ck_assert_int_eq(seen.page.total, 9);
	ck_assert_int_eq(seen.page.skipped, pages[_i].skipped);
}
END_TEST

/* ---- logs */

static void
add_log(const char *mirror, const char *level, const char *message)
{
	struct catalog_log l = { .mirror = mirror, .level = level, .message = message, .at_us = 1 };

	catalog_log_add(cat, &l, NULL, NULL);
}

static void
list_logs(const char *mirror, const char *level, struct catalog_range range)
{
	struct catalog_log_filter f = { .mirror = mirror, .level = level, .range = range };

	catalog_logs_list(cat, &f, on_logs, NULL);
	expect(ERR_NONE);
}

START_TEST(log_lines_are_filtered)
{
	add_log("orders", "info", "one");
	add_log("orders_old", "error", "two");
	add_log("other", "error", "three");
	add_log("", "info", "of the daemon");
	list_logs(NULL, NULL, (struct catalog_range){ .limit = 10 });
	ck_assert_uint_eq(seen.n, 4);
	ck_assert_str_eq(seen.message, "of the daemon");
	list_logs("orders", "", (struct catalog_range){ .limit = 1 });
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.message, "two");
	ck_assert_int_eq(seen.page.total, 2);
	list_logs("orders", "info", (struct catalog_range){ .limit = 10 });
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.message, "one");
	list_logs("", "error", (struct catalog_range){ .limit = 10, .before_id = 3 });
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.message, "two");
	ck_assert_int_eq(seen.page.skipped, 1);
}
END_TEST

START_TEST(log_lines_are_bounded)
{
	int i;

	options.logs_kept = 10;
	reopen();
	add_log("quiet", "info", "kept");
	for (i = 0; i < 300; i++)
		add_log("m", "info", "line");
	list_logs("m", NULL, (struct catalog_range){ .limit = 5 });
	ck_assert_int_ge(seen.page.total, 10);
	ck_assert_int_lt(seen.page.total, 10 + 64);
	list_logs("quiet", NULL, (struct catalog_range){ .limit = 5 });
	ck_assert_int_eq(seen.page.total, 1);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("batches");

	tcase_add_checked_fixture(tc, setup_mirror, remove_dir);
	tcase_add_test(tc, nothing_counts_nothing);
	tcase_add_test(tc, a_batch_comes_back);
	tcase_add_test(tc, counts_add_up_by_table);
	tcase_add_test(tc, a_batch_counts_once);
	tcase_add_test(tc, a_batch_moves_the_checkpoint);
	tcase_add_test(tc, a_batch_of_no_mirror_is_refused);
	tcase_add_test(tc, old_batches_are_forgotten_but_stay_counted);
	tcase_add_loop_test(tc, batches_come_in_pages, 0, sizeof(pages) / sizeof(pages[0]));
	tcase_add_test(tc, log_lines_are_filtered);
	tcase_add_test(tc, log_lines_are_bounded);
	return run_suite("batches", tc);
}
