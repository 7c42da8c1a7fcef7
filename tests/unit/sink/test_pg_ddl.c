#include "lib/sink/pg_ddl_int.h"

#include <check.h>

#include "lib/base/buf.h"
#include "lib/sink/pg_ddl_meta.h"

/* A column as the source's catalog gives it; key and primary are positions. */
struct col {
	const char *name;
	const char *type;
	int key;
	int primary;
};

#define COLS_MAX 8

/* A destination table built of literals. */
struct fixture {
	PeerdWorker__MirrorTable t;
	PeerdWorker__Column c[COLS_MAX];
	PeerdWorker__Column *ptr[COLS_MAX];
	struct pg_ddl_column cols[COLS_MAX];
	PeerdbFlow__FlowConnectionConfigs cfg;
};

static struct fixture fx;
static struct buf sql;

static char *
text(const char *s)
{
	return (char *)(uintptr_t)s; /* messages hold char *; nothing here writes to them */
}

static void
set_table(const char *schema, const char *name, const struct col *cols, size_t n)
{
	size_t i;

	peerd_worker__mirror_table__init(&fx.t);
	peerdb_flow__flow_connection_configs__init(&fx.cfg);
	fx.t.destination_schema = text(schema);
	fx.t.destination_name = text(name);
	fx.t.columns = fx.ptr;
	fx.t.n_columns = n;
	for (i = 0; i < n; i++) {
		peerd_worker__column__init(&fx.c[i]);
		fx.c[i].name = fx.c[i].destination_name = text(cols[i].name);
		fx.c[i].type_name = text(cols[i].type);
		fx.c[i].key_position = cols[i].key;
		fx.c[i].primary_position = cols[i].primary;
		fx.ptr[i] = &fx.c[i];
		fx.cols[i] = (struct pg_ddl_column){ .column = &fx.c[i] };
	}
}

static void
setup(void)
{
	static const struct col cols[] = { { "a", "integer", 2, 1 }, { "b", "text", 1, 2 },
		{ "c", "numeric(10,2)", 0, 0 } };

	buf_init(&sql, PG_DDL_SQL_MAX);
	set_table("public", "t", cols, 3);
}

static void
teardown(void)
{
	buf_done(&sql);
}

/* ---- CREATE TABLE */

START_TEST(peerds_columns_follow_the_tables)
{
	pg_ddl_sql_create(&sql, &fx.t, fx.cols, &fx.cfg);
	ck_assert_str_eq(buf_str(&sql),
	    "CREATE TABLE \"public\".\"t\" (\"a\" integer, \"b\" text, \"c\" numeric(10,2),"
	    " \"_PEERDB_SYNCED_AT\" TIMESTAMP DEFAULT CURRENT_TIMESTAMP,"
	    " \"_PEERDB_IS_DELETED\" BOOL DEFAULT FALSE)");
}
END_TEST

START_TEST(empty_names_leave_peerds_columns_out)
{
	fx.cfg.soft_delete_col_name = text("");
	fx.cfg.synced_at_col_name = text("");
	pg_ddl_sql_create(&sql, &fx.t, fx.cols, &fx.cfg);
	ck_assert_str_eq(buf_str(&sql),
	    "CREATE TABLE \"public\".\"t\" (\"a\" integer, \"b\" text, \"c\" numeric(10,2))");
}
END_TEST

START_TEST(a_column_carries_all_it_has)
{
	static const struct col cols[] = { { "a", "integer", 1, 1 }, { "name", "text", 0, 0 },
		{ "g", "integer", 0, 0 } };

	set_table("s", "t", cols, 3);
	fx.cfg.soft_delete_col_name = text("gone");
	fx.cfg.synced_at_col_name = text("");
	fx.cols[0].not_null = true;
	fx.c[1].destination_name = text("Na\"me");
	fx.c[1].collation = text("pg_catalog.\"C\"");
	fx.cols[1].collate = true;
	fx.c[2].generated = text("(a * 2)");
	pg_ddl_sql_create(&sql, &fx.t, fx.cols, &fx.cfg);
	ck_assert_str_eq(buf_str(&sql),
	    "CREATE TABLE \"s\".\"t\" (\"a\" integer NOT NULL,"
	    " \"Na\"\"me\" text COLLATE pg_catalog.\"C\","
	    " \"g\" integer GENERATED ALWAYS AS ((a * 2)) STORED, \"gone\" BOOL DEFAULT FALSE)");
}
END_TEST

START_TEST(a_collation_the_destination_lacks_is_left_out)
{
	fx.t.n_columns = 1;
	fx.c[0].collation = text("public.german");
	fx.cfg.soft_delete_col_name = text("");
	fx.cfg.synced_at_col_name = text("");
	pg_ddl_sql_create(&sql, &fx.t, fx.cols, &fx.cfg);
	ck_assert_str_eq(buf_str(&sql), "CREATE TABLE \"public\".\"t\" (\"a\" integer)");
}
END_TEST

START_TEST(odd_names_are_quoted)
{
	set_table("Odd \"s.c", "Tab.le é", (const struct col[]){ { "select", "date", 1, 0 } }, 1);
	pg_ddl_sql_unique(&sql, &fx.t);
	ck_assert_str_eq(buf_str(&sql),
	    "CREATE UNIQUE INDEX ON \"Odd \"\"s.c\".\"Tab.le é\" (\"select\")");
}
END_TEST

/* ---- ALTER TABLE */

static const struct {
	const char *synced, *deleted, *expected;
} own_rows[] = {
	{ "", "", "" },
	{ "S", "",
	    "ALTER TABLE \"public\".\"t\" ADD COLUMN IF NOT EXISTS \"S\" TIMESTAMP"
	    " DEFAULT CURRENT_TIMESTAMP" },
	{ "", "D",
	    "ALTER TABLE \"public\".\"t\" ADD COLUMN IF NOT EXISTS \"D\" BOOL DEFAULT FALSE" },
	{ "S", "D",
	    "ALTER TABLE \"public\".\"t\" ADD COLUMN IF NOT EXISTS \"S\" TIMESTAMP"
	    " DEFAULT CURRENT_TIMESTAMP, ADD COLUMN IF NOT EXISTS \"D\" BOOL DEFAULT FALSE" },
};

START_TEST(an_existing_table_gets_peerds_columns)
{
	fx.cfg.synced_at_col_name = text(own_rows[_i].synced);
	fx.cfg.soft_delete_col_name = text(own_rows[_i].deleted);
	pg_ddl_sql_own_columns(&sql, &fx.t, &fx.cfg);
	ck_assert_str_eq(buf_str(&sql), own_rows[_i].expected);
}
END_TEST

START_TEST(an_added_column_shows_its_default_in_old_rows)
{
	fx.cols[2].default_expr = "'1.50'::numeric(10,2)";
	fx.cols[2].not_null = true;
	pg_ddl_sql_add_column(&sql, &fx.t, &fx.cols[2]);
	ck_assert_str_eq(buf_str(&sql),
	    "ALTER TABLE \"public\".\"t\" ADD COLUMN IF NOT EXISTS \"c\" numeric(10,2)"
	    " DEFAULT '1.50'::numeric(10,2) NOT NULL");
}
END_TEST

/* ---- keys */

START_TEST(keys_follow_their_positions)
{
	pg_ddl_sql_primary(&sql, &fx.t);
	ck_assert_str_eq(buf_str(&sql),
	    "ALTER TABLE \"public\".\"t\" ADD PRIMARY KEY (\"a\", \"b\")");
	buf_reset(&sql);
	pg_ddl_sql_unique(&sql, &fx.t);
	ck_assert_str_eq(buf_str(&sql), "CREATE UNIQUE INDEX ON \"public\".\"t\" (\"b\", \"a\")");
}
END_TEST

START_TEST(a_key_is_an_array_of_literals)
{
	fx.c[0].destination_name = text("it's");
	fx.c[1].destination_name = text("back\\slash");
	pg_ddl_sql_key_array(&sql, &fx.t);
	ck_assert_str_eq(buf_str(&sql), "ARRAY[ E'back\\\\slash', 'it''s']::text[]");
}
END_TEST

static const struct {
	struct col cols[2];
	bool has_key, has_primary, key_is_primary;
} key_rows[] = {
	{ { { "a", "int", 1, 1 }, { "b", "int", 2, 2 } }, true, true, true },
	{ { { "a", "int", 2, 1 }, { "b", "int", 1, 2 } }, true, true, true },  /* another order */
	{ { { "a", "int", 1, 1 }, { "b", "int", 0, 2 } }, true, true, false }, /* a part of it */
	{ { { "a", "int", 1, 0 }, { "b", "int", 0, 1 } }, true, true, false }, /* USING INDEX */
	{ { { "a", "int", 1, 0 }, { "b", "int", 0, 0 } }, true, false, false },
	{ { { "a", "int", 0, 0 }, { "b", "int", 0, 0 } }, false, false, false },
	{ { { "a", "int", 0, 1 }, { "b", "int", 0, 0 } }, false, true, false }, /* matched whole */
};

START_TEST(a_unique_index_is_needed_beside_another_primary_key)
{
	set_table("public", "t", key_rows[_i].cols, 2);
	fx.t.has_key = key_rows[_i].has_key;
	ck_assert_int_eq(pg_ddl_has_primary(&fx.t), key_rows[_i].has_primary);
	ck_assert_int_eq(pg_ddl_key_is_primary(&fx.t), key_rows[_i].key_is_primary);
}
END_TEST

/* ---- rows, metadata */

START_TEST(tables_are_emptied_together)
{
	PeerdWorker__MirrorTable *const two[] = { &fx.t, &fx.t };

	pg_ddl_sql_truncate(&sql, two, 2);
	ck_assert_str_eq(buf_str(&sql), "TRUNCATE \"public\".\"t\", \"public\".\"t\"");
}
END_TEST

START_TEST(the_metadata_schema_has_a_default)
{
	PeerdbPeers__PostgresConfig cfg = PEERDB_PEERS__POSTGRES_CONFIG__INIT;

	ck_assert_str_eq(pg_ddl_meta_schema(&cfg), "_peerdb_internal");
	cfg.metadata_schema = text("");
	ck_assert_str_eq(pg_ddl_meta_schema(&cfg), "_peerdb_internal");
	cfg.metadata_schema = text("mine");
	ck_assert_str_eq(pg_ddl_meta_schema(&cfg), "mine");
}
END_TEST

#define ROWS(a) (int)(sizeof(a) / sizeof((a)[0]))

int
main(void)
{
	Suite *s = suite_create("pg_ddl");
	TCase *tc = tcase_create("pg_ddl");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, peerds_columns_follow_the_tables);
	tcase_add_test(tc, empty_names_leave_peerds_columns_out);
	tcase_add_test(tc, a_column_carries_all_it_has);
	tcase_add_test(tc, a_collation_the_destination_lacks_is_left_out);
	tcase_add_test(tc, odd_names_are_quoted);
	tcase_add_loop_test(tc, an_existing_table_gets_peerds_columns, 0, ROWS(own_rows));
	tcase_add_test(tc, an_added_column_shows_its_default_in_old_rows);
	tcase_add_test(tc, keys_follow_their_positions);
	tcase_add_test(tc, a_key_is_an_array_of_literals);
	tcase_add_loop_test(tc, a_unique_index_is_needed_beside_another_primary_key, 0,
	    ROWS(key_rows));
	tcase_add_test(tc, tables_are_emptied_together);
	tcase_add_test(tc, the_metadata_schema_has_a_default);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
