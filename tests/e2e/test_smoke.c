/*
 * The main road, once: peers, mirror, snapshot, changes, drop.
 */
#include "tests/harness/mirror.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

START_TEST(rows_travel)
{
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 1000) i");
	mirror_run("smoke", "public.t", NULL);
	expect_equal("t");
	on_source("INSERT INTO t VALUES (1001, NULL)");
	on_source("UPDATE t SET v = 'changed' WHERE id %% 7 = 0");
	expect_equal("t");
	mirror_drop("smoke");
	sql_wait(rig.d, 1000, "1001", "SELECT count(*) FROM t");
}
END_TEST

static Suite *
smoke_suite(void)
{
	Suite *s = suite_create("smoke");
	TCase *tc = suite_case(s, "smoke", rig_clusters_init, rig_clusters_done, rig_init,
	    rig_done);

	suite_test(tc, rows_travel);
	return s;
}

int
main(void)
{
	return suite_main(smoke_suite());
}
