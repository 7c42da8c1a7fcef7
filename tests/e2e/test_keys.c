/*
 * Rows find their row: every kind of key and replica identity, changed keys,
 * unchanged TOAST, TRUNCATE, and constraints that the destination checks.
 */
#include "tests/harness/fail.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"
#include "tests/harness/tables.h"

#define ROWS_100 "INSERT INTO @ SELECT i, 'row ' || i FROM generate_series(1, 100) i"

/* clang-format off */
static const struct table_case cases[] = {
	{
		.name = "plain",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text)",
		.rows = ROWS_100,
		.changes = {
			"INSERT INTO @ SELECT i, 'row ' || i FROM generate_series(101, 120) i",
			"UPDATE @ SET v = v || '!' WHERE id % 3 = 0",
			"DELETE FROM @ WHERE id % 5 = 0",
			"UPDATE @ SET v = v",
			"UPDATE @ SET v = NULL WHERE id < 10",
		},
	}, {
		.name = "starts_empty",
		.ddl = "CREATE TABLE @ (id bigint PRIMARY KEY, v text NOT NULL)",
		.changes = { ROWS_100, "DELETE FROM @" },
	}, {
		.name = "composite_key",
		.ddl = "CREATE TABLE @ (a int, v int, b text, PRIMARY KEY (b, a))",
		.rows = "INSERT INTO @ SELECT i, i, 'k' || i % 7 FROM generate_series(1, 100) i",
		.changes = {
			"UPDATE @ SET v = -v WHERE b = 'k3'",
			"DELETE FROM @ WHERE a > 50 AND b = 'k1'",
			"UPDATE @ SET b = 'moved' WHERE a IN (10, 20)",
			"UPDATE @ SET a = a + 1000, b = b || '''\"'",
		},
	}, {
		.name = "key_change",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text)",
		.rows = ROWS_100,
		.changes = {
			"UPDATE @ SET id = id + 1000 WHERE id <= 50",
			"UPDATE @ SET id = -id",
			"UPDATE @ SET id = 0 WHERE id = -51; UPDATE @ SET id = -51 WHERE id = -52;"
			"UPDATE @ SET id = -52 WHERE id = 0",
			"UPDATE @ SET id = 7, v = 'both' WHERE id = -60; DELETE FROM @ WHERE id = 7",
			"UPDATE @ SET id = 8 WHERE id = -61; UPDATE @ SET id = 9 WHERE id = 8;"
			"UPDATE @ SET id = -61 WHERE id = 9",
		},
	}, {
		.name = "key_reuse",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text)",
		.rows = ROWS_100,
		.changes = {
			"DELETE FROM @ WHERE id = 1; INSERT INTO @ VALUES (1, 'again')",
			"INSERT INTO @ VALUES (500, 'a'); DELETE FROM @ WHERE id = 500;"
			"INSERT INTO @ VALUES (500, 'b'); UPDATE @ SET v = 'c' WHERE id = 500",
			"UPDATE @ SET id = 501 WHERE id = 500; INSERT INTO @ VALUES (500, 'd')",
			"INSERT INTO @ VALUES (600, 'gone'); DELETE FROM @ WHERE id = 600",
			"DELETE FROM @ WHERE id = 2; UPDATE @ SET id = 2 WHERE id = 3",
		},
	}, {
		.name = "one_row_often",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v int)",
		.rows = "INSERT INTO @ VALUES (1, 0), (2, 0)",
		.changes = {
			"DO $$ BEGIN FOR i IN 1..2000 LOOP UPDATE @ SET v = v + i WHERE id = 1; END LOOP; END $$",
			"DO $$ BEGIN FOR i IN 1..200 LOOP UPDATE @ SET v = v + i WHERE id = 2; COMMIT; END LOOP; END $$",
		},
	}, {
		.name = "subtransactions",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text)",
		.changes = {
			"DO $$ BEGIN FOR i IN 1..200 LOOP BEGIN INSERT INTO @ VALUES (i, 'x');"
			"IF i % 2 = 0 THEN RAISE EXCEPTION 'undo'; END IF; EXCEPTION WHEN raise_exception THEN NULL;"
			"END; END LOOP; END $$",
		},
	}, {
		.name = "identity_index",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v int, code text NOT NULL UNIQUE);"
		       "ALTER TABLE @ REPLICA IDENTITY USING INDEX @_code_key",
		.rows = "INSERT INTO @ SELECT i, i, 'c' || i FROM generate_series(1, 100) i",
		.changes = {
			"UPDATE @ SET v = 0 WHERE id < 20",
			"UPDATE @ SET id = id + 1000 WHERE id < 30",
			"UPDATE @ SET code = code || 'x' WHERE v = 0",
			"DELETE FROM @ WHERE id % 4 = 0",
		},
	}, {
		.name = "identity_index_alone",
		.ddl = "CREATE TABLE @ (b int NOT NULL, v int, a text NOT NULL);"
		       "CREATE UNIQUE INDEX @_ix ON @ (a, b); ALTER TABLE @ REPLICA IDENTITY USING INDEX @_ix",
		.rows = "INSERT INTO @ SELECT i, i, 'c' || i FROM generate_series(1, 100) i",
		.changes = {
			"UPDATE @ SET v = NULL WHERE b < 20",
			"UPDATE @ SET a = 'new' || b WHERE b < 30",
			"DELETE FROM @ WHERE b % 4 = 0",
		},
	}, {
		.name = "full_with_key",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text); ALTER TABLE @ REPLICA IDENTITY FULL",
		.rows = ROWS_100,
		.changes = {
			"UPDATE @ SET v = NULL WHERE id < 20",
			"UPDATE @ SET id = -id WHERE id < 30",
			"DELETE FROM @ WHERE v IS NULL",
		},
	}, {
		.name = "full_without_key",
		.ddl = "CREATE TABLE @ (a int, v text); ALTER TABLE @ REPLICA IDENTITY FULL",
		.rows = ROWS_100,
		.changes = {
			"UPDATE @ SET v = NULL WHERE a < 20",
			"UPDATE @ SET a = NULL WHERE v IS NULL AND a > 10",
			"INSERT INTO @ VALUES (NULL, NULL)",
			"DELETE FROM @ WHERE a IS NULL AND v IS NULL",
			"UPDATE @ SET v = a::text",
		},
	}, {
		.name = "full_duplicates",
		.ddl = "CREATE TABLE @ (a int, v text); ALTER TABLE @ REPLICA IDENTITY FULL",
		.rows = "INSERT INTO @ SELECT i % 3, NULLIF(i % 2, 0)::text FROM generate_series(1, 60) i",
		.changes = {
			"DELETE FROM @ WHERE ctid = (SELECT min(ctid) FROM @ WHERE a = 1)",
			"UPDATE @ SET v = 'one of them' WHERE ctid = (SELECT min(ctid) FROM @ WHERE a = 2)",
			"INSERT INTO @ SELECT 1, '1' FROM generate_series(1, 5)",
			"DELETE FROM @ WHERE ctid IN (SELECT ctid FROM @ WHERE a = 0 LIMIT 7)",
			"UPDATE @ SET a = 9 WHERE ctid IN (SELECT ctid FROM @ WHERE a = 1 LIMIT 4);"
			"DELETE FROM @ WHERE ctid IN (SELECT ctid FROM @ WHERE a = 9 LIMIT 2);"
			"INSERT INTO @ VALUES (9, '1'), (9, '1')",
		},
	}, {
		/* rows that "=" cannot tell apart, or has no opinion on */
		.name = "full_odd_equality",
		.ddl = "CREATE TABLE @ (n numeric, f float8, j json, p point, c char(4));"
		       "ALTER TABLE @ REPLICA IDENTITY FULL",
		.rows = "INSERT INTO @ VALUES (1.0, '-0', '{\"a\":1}', '(1,2)', 'a'),"
			"(1.00, '0', '{\"a\": 1}', '(NaN,2)', 'a'), ('NaN', 'NaN', NULL, NULL, NULL)",
		.changes = {
			"DELETE FROM @ WHERE n::text = '1.00'",
			"UPDATE @ SET j = '[ ]' WHERE f::text = '-0'",
			"UPDATE @ SET c = 'x' WHERE n = 'NaN'",
			"DELETE FROM @ WHERE f = 'NaN'",
		},
	}, {
		.name = "toast",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, n int, big text, raw bytea);"
		       "ALTER TABLE @ ALTER big SET STORAGE EXTERNAL, ALTER raw SET STORAGE EXTERNAL",
		.rows = "INSERT INTO @ SELECT i, 0, repeat(i::text, 1500000), decode(repeat('0f', 9000), 'hex')"
			"FROM generate_series(1, 6) i",
		.changes = {
			"UPDATE @ SET n = 1",
			"UPDATE @ SET raw = NULL WHERE id = 1; UPDATE @ SET big = 'short' WHERE id = 2;"
			"UPDATE @ SET n = 2 WHERE id = 3",
			"UPDATE @ SET n = 3 WHERE id = 4; UPDATE @ SET big = repeat('z', 2000000) WHERE id = 4;"
			"UPDATE @ SET n = 4 WHERE id = 4",
			"UPDATE @ SET id = 60, n = 5 WHERE id = 6",
			"UPDATE @ SET id = 50 WHERE id = 5; UPDATE @ SET n = 6 WHERE id = 50",
			"INSERT INTO @ VALUES (7, 0, repeat('new', 700000), NULL); UPDATE @ SET n = 7 WHERE id = 7",
			"UPDATE @ SET n = 8 WHERE id = 7; DELETE FROM @ WHERE id = 7;"
			"INSERT INTO @ VALUES (7, 9, NULL, decode(repeat('aa', 10000), 'hex'))",
			"UPDATE @ SET n = n + 1",
		},
	}, {
		.name = "toast_full",
		.ddl = "CREATE TABLE @ (a int, n int, big text); ALTER TABLE @ ALTER big SET STORAGE EXTERNAL;"
		       "ALTER TABLE @ REPLICA IDENTITY FULL",
		.rows = "INSERT INTO @ SELECT i, 0, repeat(i::text, 30000) FROM generate_series(1, 6) i",
		.changes = {
			"UPDATE @ SET n = 1 WHERE a < 4",
			"UPDATE @ SET n = 2 WHERE a = 1; UPDATE @ SET big = NULL WHERE a = 1",
			"DELETE FROM @ WHERE a = 2",
		},
	}, {
		.name = "toast_in_key",
		.ddl = "CREATE TABLE @ (k text PRIMARY KEY, n int, big text);"
		       "ALTER TABLE @ ALTER k SET STORAGE EXTERNAL, ALTER big SET STORAGE EXTERNAL",
		.rows = "INSERT INTO @ SELECT repeat(i::text, 2500), 0, repeat('b', 5000) FROM generate_series(1, 6) i",
		.changes = {
			"UPDATE @ SET n = 1",
			"UPDATE @ SET k = 'short' WHERE k LIKE '1%'",
			"DELETE FROM @ WHERE k LIKE '2%'",
		},
	}, {
		.name = "truncated",
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, v text)",
		.rows = ROWS_100,
		.changes = {
			"TRUNCATE @",
			ROWS_100,
			"INSERT INTO @ VALUES (101, 'lost'); TRUNCATE @; INSERT INTO @ VALUES (1, 'kept')",
			"TRUNCATE @; TRUNCATE @ RESTART IDENTITY",
			"INSERT INTO @ VALUES (2, 'end')",
		},
	}, {
		.name = "wide",
		.ddl = "DO $$ BEGIN EXECUTE 'CREATE TABLE @ (id int PRIMARY KEY, ' || (SELECT string_agg("
		       "'c' || i || ' int', ', ') FROM generate_series(1, 1500) i) || ')'; END $$",
		.rows = "INSERT INTO @ (id, c1, c1500) SELECT i, i, -i FROM generate_series(1, 20) i",
		.changes = {
			"UPDATE @ SET c700 = id WHERE id < 10",
			"INSERT INTO @ (id, c2) SELECT i, i FROM generate_series(21, 30) i",
		},
	}, {
		.name = "unique_swap",
		.prepared = true,
		.ddl = "CREATE TABLE @ (id int PRIMARY KEY, u int UNIQUE, v text NOT NULL CHECK (v <> ''))",
		.rows = "INSERT INTO @ SELECT i, i, 'v' FROM generate_series(1, 100) i",
		.changes = {
			"UPDATE @ SET u = 1000 WHERE id = 1; UPDATE @ SET u = 1 WHERE id = 2;"
			"UPDATE @ SET u = 2 WHERE id = 1",
			"DELETE FROM @ WHERE id = 3; INSERT INTO @ VALUES (200, 3, 'v');"
			"UPDATE @ SET u = NULL WHERE id = 200; INSERT INTO @ VALUES (201, 3, 'v')",
			"UPDATE @ SET u = u + 5000 WHERE id > 50; UPDATE @ SET u = u - 4990 WHERE id > 50 AND id < 90",
		},
	}, {
		.name = "defaults_and_serial",
		.ddl = "CREATE TABLE @ (id serial PRIMARY KEY, i int GENERATED ALWAYS AS IDENTITY,"
		       "t timestamptz NOT NULL DEFAULT now(), v text DEFAULT 'd' COLLATE \"C\")",
		.rows = "INSERT INTO @ (v) SELECT i::text FROM generate_series(1, 10) i",
		.changes = { "INSERT INTO @ DEFAULT VALUES", "UPDATE @ SET v = NULL, t = 'infinity'" },
	},
};
/* clang-format on */

#define CASES ((int)(sizeof(cases) / sizeof(*cases)))

static void
keys_init(void)
{
	tables_init(cases, CASES, "keys", "'soft_delete_col_name': '', 'synced_at_col_name': ''");
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

START_TEST(key_is_made_at_the_destination)
{
	static const char query[] = "SELECT string_agg(attname, ',' ORDER BY ord) FROM pg_index, "
				    "unnest(indkey) WITH ORDINALITY "
				    "k(num, ord) JOIN pg_attribute ON attnum = num "
				    "WHERE attrelid = indrelid AND indisprimary AND indrelid = "
				    "'composite_key_step'::regclass";

	ck_assert_str_eq("b,a", sql_text(rig.s, query));
	ck_assert_str_eq("b,a", sql_text(rig.d, query));
}
END_TEST

START_TEST(not_null_is_made_at_the_destination)
{
	ck_assert_str_eq("t",
	    sql_text(rig.d,
		"SELECT attnotnull FROM pg_attribute WHERE attname = 'code' "
		"AND attrelid = 'identity_index_step'::regclass"));
}
END_TEST

static Suite *
keys_suite(void)
{
	Suite *s = suite_create("keys");
	TCase *tc = suite_case(s, "keys", keys_init, tables_done, rig_reconnect, NULL);

	suite_test(tc, key_is_made_at_the_destination);
	suite_test(tc, not_null_is_made_at_the_destination);
	suite_loop(tc, step_by_step, 0, CASES);
	suite_loop(tc, in_a_burst, 0, CASES);
	return s;
}

int
main(void)
{
	return suite_main(keys_suite());
}
