#include "workers/snapshot_plan.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MAX SNAPSHOT_PARTITIONS_MAX

static const struct {
	int64_t blocks, rows, wanted;
	bool ranges;
	int64_t per;
} plans[] = {
	/* as many blocks as hold the rows wanted */
	{ 1000, 100000, 10000, true, 100 },
	{ 1000, 100000, 100000, true, 1000 },
	{ 1000, 1000, 10, true, 10 },
	{ 3, 10, 1, true, 1 },
	/* never more than there are, never none */
	{ 1000, 100000, 1000000, true, 1000 },
	{ 1000, 100000, 1, true, 1 },
	{ 1, 100, 10, true, 1 },
	{ 0, 0, 10, true, 1 },
	{ 10, 1000, 0, true, 1 },
	/* rows unknown: 80 a block */
	{ 1000, -1, 8000, true, 100 },
	{ 1000, 0, 8000, true, 100 },
	{ 1000, -1, 1, true, 1 },
	/* not more partitions than the ceiling */
	{ 10 * MAX, 1000000000, 1, true, 10 },
	{ 10 * MAX + 1, 1000000000, 1, true, 11 },
	{ 10 * MAX, -1, 1, true, 10 },
	/* a source that cannot read a range of blocks reads all of them once */
	{ 1000, 100000, 1000, false, 1000 },
	{ 0, 0, 1000, false, 1 },
	/* the largest relation and the largest wish */
	{ UINT32_MAX, 1, UINT32_MAX, true, UINT32_MAX },
	{ UINT32_MAX, INT64_MAX, 1, true, UINT32_MAX / MAX + 1 },
	{ UINT32_MAX, -1, INT64_MAX, true, UINT32_MAX },
};

START_TEST(blocks_of_a_partition)
{
	ck_assert_int_eq(snapshot_blocks_per_partition(plans[_i].blocks, plans[_i].rows,
			     plans[_i].wanted, plans[_i].ranges),
	    plans[_i].per);
}
END_TEST

START_TEST(partitions_stay_under_the_ceiling)
{
	int64_t per = snapshot_blocks_per_partition(plans[_i].blocks, plans[_i].rows,
	    plans[_i].wanted, plans[_i].ranges);

	ck_assert_int_le((plans[_i].blocks + per - 1) / per, MAX);
}
END_TEST

static const struct {
	int64_t blocks, per, workers, even;
} evens[] = {
	{ 1000, 200, 4, 125 },				/* five become eight */
	{ 1000, 125, 4, 125 }, { 1000, 1000, 4, 1000 }, /* one stays one */
	{ 3, 1, 4, 1 },					/* there are not as many blocks */
	{ 1001, 500, 2, 251 }, { MAX, 1, 3, 1 },	/* the ceiling holds */
};

START_TEST(partitions_come_out_even)
{
	ck_assert_int_eq(snapshot_even_out(evens[_i].blocks, evens[_i].per, evens[_i].workers),
	    evens[_i].even);
}
END_TEST

static const struct {
	int64_t from, to;
	const char *condition;
} ranges[] = {
	{ 0, -1, "" },
	{ 0, 10, "ctid < '(10,0)'::tid" },
	{ 10, 20, "ctid >= '(10,0)'::tid AND ctid < '(20,0)'::tid" },
	{ 20, -1, "ctid >= '(20,0)'::tid" },
	{ 4294967294, 4294967295,
	    "ctid >= '(4294967294,0)'::tid AND ctid < '(4294967295,0)'::tid" },
};

START_TEST(condition_of_a_range)
{
	char where[128];

	snapshot_where(ranges[_i].from, ranges[_i].to, where, sizeof(where));
	ck_assert_str_eq(where, ranges[_i].condition);
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *s = suite_create("snapshot_plan");
	TCase *tc = tcase_create("snapshot_plan");
	SRunner *sr = srunner_create(s);
	int failed;

	LOOP(tc, blocks_of_a_partition, plans);
	LOOP(tc, partitions_stay_under_the_ceiling, plans);
	LOOP(tc, partitions_come_out_even, evens);
	LOOP(tc, condition_of_a_range, ranges);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
