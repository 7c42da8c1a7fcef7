/*
 * The source's tables change under the mirror: added columns arrive, what
 * cannot be carried stops that table with words while the others go on.
 */
#include "tests/harness/api.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"
#include "tests/harness/tables.h"

#define WORDS_MS 30000
#define ROWS_100 "INSERT INTO @ (id, v) SELECT i, 'row ' || i FROM generate_series(1, 100) i"

/* clang-format off */
static const struct table_case cases[] = {
	{
		.name = "add_column",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text)",
		.rows = ROWS_100,
		.changes = {
			"ALTER TABLE @ ADD COLUMN n int; INSERT INTO @ VALUES (101, 'a', 1)",
			"UPDATE @ SET n = id WHERE id < 10",
			"ALTER TABLE @ ADD COLUMN \"Odd one\" text[]; UPDATE @ SET \"Odd one\" = '{a,NULL}'",
			"INSERT INTO @ (id) VALUES (102); ALTER TABLE @ ADD COLUMN j jsonb;"
			"INSERT INTO @ (id, j) VALUES (103, '{}')",
		},
	}, {
		.name = "add_column_with_default",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text)",
		.rows = ROWS_100,
		.changes = {
			"ALTER TABLE @ ADD COLUMN n int NOT NULL DEFAULT 42; INSERT INTO @ VALUES (101, 'a')",
			"ALTER TABLE @ ADD COLUMN t text DEFAULT 'it''s'; UPDATE @ SET v = NULL WHERE id = 5",
			"INSERT INTO @ VALUES (102, 'b', 7, NULL)",
		},
	}, {
		.name = "add_column_of_own_type",
		.not_mirrored = "DO $$ BEGIN CREATE TYPE shade AS ENUM ('light', 'dark');"
				"EXCEPTION WHEN duplicate_object THEN NULL; END $$",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text)",
		.rows = ROWS_100,
		.changes = {
			"ALTER TABLE @ ADD COLUMN s shade; UPDATE @ SET s = 'dark' WHERE id < 10",
		},
	}, {
		.name = "ddl_without_rows",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text)",
		.rows = ROWS_100,
		.changes = {
			"CREATE INDEX ON @ (v); ANALYZE @; COMMENT ON TABLE @ IS 'x'",
			"ALTER TABLE @ ALTER v SET DEFAULT 'd'; ALTER TABLE @ SET (fillfactor = 50)",
			"INSERT INTO @ (id) VALUES (101)",
		},
	}, {
		.name = "rewritten",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text)",
		.rows = ROWS_100,
		.changes = {
			"DELETE FROM @ WHERE id % 2 = 0", "VACUUM FULL @", "CLUSTER @ USING @_pkey",
			"UPDATE @ SET v = 'after'",
		},
	}, {
		.name = "generated",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text,"
		       "double_id int GENERATED ALWAYS AS (id * 2) STORED, z int)",
		.rows = ROWS_100,
		.changes = {
			"INSERT INTO @ (id, v, z) VALUES (101, 'a', 5)",
			"UPDATE @ SET id = -id, z = 1 WHERE id < 10",
			"DELETE FROM @ WHERE id = 50",
		},
	}, {
		.name = "partitioned",
		.ddl = "CREATE TABLE @ (id int, region text, v text, PRIMARY KEY (id, region)) "
		       "PARTITION BY LIST (region);"
		       "CREATE TABLE @_eu PARTITION OF @ FOR VALUES IN ('eu') PARTITION BY RANGE (id);"
		       "CREATE TABLE @_eu_low PARTITION OF @_eu FOR VALUES FROM (MINVALUE) TO (50);"
		       "CREATE TABLE @_eu_high PARTITION OF @_eu FOR VALUES FROM (50) TO (MAXVALUE);"
		       "CREATE TABLE @_us PARTITION OF @ FOR VALUES IN ('us')",
		.rows = "INSERT INTO @ SELECT i, CASE WHEN i % 2 = 0 THEN 'eu' ELSE 'us' END, 'v' || i "
			"FROM generate_series(1, 100) i",
		.changes = {
			"INSERT INTO @ SELECT i, 'eu', 'n' FROM generate_series(201, 210) i",
			"UPDATE @ SET region = 'us' WHERE id IN (2, 4, 60)",
			"UPDATE @ SET id = id + 100 WHERE region = 'eu' AND id < 20",
			"DELETE FROM @ WHERE id % 10 = 0",
			/* attached later, columns in another order */
			"CREATE TABLE @_asia (v text, dropped int, region text NOT NULL, id int NOT NULL);"
			"ALTER TABLE @_asia DROP dropped; INSERT INTO @ VALUES (1000, 'us', 'x');"
			"ALTER TABLE @ ATTACH PARTITION @_asia FOR VALUES IN ('asia');"
			"INSERT INTO @ SELECT i, 'asia', 'late' FROM generate_series(1, 30) i",
			"UPDATE @ SET v = 'later' WHERE region = 'asia' AND id < 10",
			"DELETE FROM @_asia WHERE id > 20",
			"TRUNCATE @; INSERT INTO @ VALUES (1, 'eu', 'fresh')",
		},
	}, {
		.name = "inherited_alone",
		.not_mirrored = "CREATE TABLE @_parent (id int, v text)",
		.ddl = "CREATE TABLE @ (PRIMARY KEY (id)) INHERITS (@_parent)",
		.rows = ROWS_100,
		.changes = { "UPDATE @ SET v = 'x' WHERE id < 10", "DELETE FROM @_parent WHERE id > 90" },
	}, {
		.name = "dropped_before",
		.ddl = "CREATE TABLE @ (gone int, id int PRIMARY KEY, gone2 text, v text);"
		       "ALTER TABLE @ DROP gone, DROP gone2",
		.rows = ROWS_100,
		.changes = { "UPDATE @ SET v = 'x' WHERE id < 10", "DELETE FROM @ WHERE id > 90" },
	},
};
/* clang-format on */

#define CASES ((int)(sizeof(cases) / sizeof(*cases)))

static void
ddl_init(void)
{
	tables_init(cases, CASES, "ddl", "'soft_delete_col_name': '', 'synced_at_col_name': ''");
	sql_exec(rig.d, "CREATE TYPE other AS ENUM ('x')");
}

START_TEST(step_by_step)
{
	table_step(&cases[_i]);
}
END_TEST

START_TEST(in_a_burst)
{
	table_burst(&cases[_i]);
}
END_TEST

/* ---- what stops a table */

struct stop_case {
	const char *name;
	const char *change;
	const char *word; /* must stand in the error, beside the table's name */
};

static const struct stop_case stops[] = {
	{ "drops", "ALTER TABLE drops DROP COLUMN extra", "extra" },
	{ "renames", "ALTER TABLE renames RENAME extra TO other", "extra" },
	{ "retypes", "ALTER TABLE retypes ALTER extra TYPE bigint", "extra" },
};

#define STOPS ((int)(sizeof(stops) / sizeof(*stops)))

static void
stop_init(void)
{
	rig_init();
	for (int i = 0; i < STOPS; i++) {
		on_source("CREATE TABLE %s (id int PRIMARY KEY, extra int, v text)", stops[i].name);
		on_source("INSERT INTO %s SELECT i, i, 'v' FROM generate_series(1, 10) i",
		    stops[i].name);
	}
	on_source("CREATE TABLE bystander (id int PRIMARY KEY)");
	mirror_run("stop", "public.drops,public.renames,public.retypes,public.bystander",
	    "'soft_delete_col_name': ''");
}

static bool
error_says(const char *table, const char *word)
{
	const char *errors = mirror_errors("stop");

	return strstr(errors, table) != NULL && strstr(errors, word) != NULL;
}

START_TEST(change_stops_its_table_with_words)
{
	const struct stop_case *k = &stops[_i];

	on_source("%s", k->change);
	on_source("INSERT INTO %s (id, v) VALUES (11, 'after')", k->name);
	if (!poll_until(WORDS_MS, error_says(k->name, k->word)))
		test_fail("no error names %s and %s: %s", k->name, k->word, mirror_errors("stop"));
}
END_TEST

START_TEST(others_go_on)
{
	const struct stop_case *k = &stops[_i];

	on_source("%s", k->change);
	on_source("INSERT INTO %s (id, v) VALUES (11, 'after')", k->name);
	for (int i = 1; i <= 5; i++) {
		on_source("INSERT INTO bystander VALUES (%d)", i);
		expect_equal("bystander");
	}
	ck_assert_str_eq("STATUS_RUNNING", mirror_state("stop"));
	rig_wait_confirmed("stop", WORDS_MS);
	for (int i = 0; i < STOPS; i++)
		if (i != _i)
			on_source("UPDATE %s SET v = 'still'", stops[i].name);
	for (int i = 0; i < STOPS; i++)
		if (i != _i)
			expect_equal(stops[i].name);
}
END_TEST

/* ---- DDL that no table of the mirror notices */

START_TEST(ddl_elsewhere_is_ignored)
{
	on_source("CREATE TABLE elsewhere (id int PRIMARY KEY)");
	on_source("INSERT INTO elsewhere VALUES (1)");
	on_source("DROP TABLE elsewhere");
	on_source("INSERT INTO bystander VALUES (1)");
	expect_equal("bystander");
	ck_assert_str_eq("", mirror_errors("stop"));
}
END_TEST

static Suite *
ddl_suite(void)
{
	Suite *s = suite_create("ddl");
	TCase *tc = suite_case(s, "tables", ddl_init, tables_done, rig_reconnect, NULL);
	TCase *stop = suite_case(s, "stop", rig_clusters_init, rig_clusters_done, stop_init,
	    rig_done);

	suite_loop(tc, step_by_step, 0, CASES);
	suite_loop(tc, in_a_burst, 0, CASES);
	suite_loop(stop, change_stops_its_table_with_words, 0, STOPS);
	suite_loop(stop, others_go_on, 0, STOPS);
	suite_test(stop, ddl_elsewhere_is_ignored);
	return s;
}

int
main(void)
{
	return suite_main(ddl_suite());
}
