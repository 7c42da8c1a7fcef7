#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "tests/unit/sink/sink_fixture.h"

/* Columns that peerd adds: none, one of them, both. */
enum own {
	NONE,
	SOFT,
	SYNCED,
	BOTH
};

#define T	"\"copy\".\"d0\""
#define FALSE_	"\"_del\" = FALSE"
#define TRUE_	"\"_del\" = TRUE"
#define SYNCED_ "\"_at\" = CURRENT_TIMESTAMP"

/* A row marks with ? the columns that are left out. */
static const struct {
	const char *columns;
	enum pg_stmt_kind kind;
	uint32_t nrows;
	const char *row; /* NULL: all columns */
	enum own own;
	const char *sql;
	uint32_t nparams;
} cases[] = {
	{ "id:1 x", STMT_INSERT, 1, NULL, BOTH,
	    "INSERT INTO " T " (\"id\", \"x\") OVERRIDING SYSTEM VALUE VALUES ($1, $2)", 2 },
	{ "id:1 x", STMT_INSERT, 3, NULL, BOTH,
	    "INSERT INTO " T " (\"id\", \"x\") OVERRIDING SYSTEM VALUE"
	    " VALUES ($1, $2), ($3, $4), ($5, $6)",
	    6 },

	{ "id:1 x", STMT_UPSERT, 1, NULL, NONE,
	    "INSERT INTO " T " (\"id\", \"x\") OVERRIDING SYSTEM VALUE VALUES ($1, $2)"
	    " ON CONFLICT (\"id\") DO UPDATE SET \"id\" = EXCLUDED.\"id\", \"x\" = EXCLUDED.\"x\"",
	    2 },
	{ "b:2 x a:1", STMT_UPSERT, 2, NULL, BOTH,
	    "INSERT INTO " T " (\"b\", \"x\", \"a\") OVERRIDING SYSTEM VALUE"
	    " VALUES ($1, $2, $3), ($4, $5, $6) ON CONFLICT (\"a\", \"b\") DO UPDATE SET"
	    " \"b\" = EXCLUDED.\"b\", \"x\" = EXCLUDED.\"x\", \"a\" = EXCLUDED.\"a\", " FALSE_
	    ", " SYNCED_,
	    6 },

	{ "id:1 x", STMT_UPDATE, 1, NULL, NONE,
	    "UPDATE " T " AS d SET \"x\" = $2 WHERE d.\"id\" = $1", 2 },
	{ "id:1 x", STMT_UPDATE, 1, NULL, SOFT,
	    "UPDATE " T " AS d SET \"x\" = $2, " FALSE_ " WHERE d.\"id\" = $1", 2 },
	{ "id:1 x", STMT_UPDATE, 1, NULL, SYNCED,
	    "UPDATE " T " AS d SET \"x\" = $2, " SYNCED_ " WHERE d.\"id\" = $1", 2 },
	{ "b:2 x a:1 y", STMT_UPDATE, 1, NULL, NONE,
	    "UPDATE " T " AS d SET \"x\" = $2, \"y\" = $4 WHERE d.\"a\" = $3 AND d.\"b\" = $1", 4 },
	{ "id:1 x y", STMT_UPDATE, 1, "1|?|b", NONE,
	    "UPDATE " T " AS d SET \"y\" = $2 WHERE d.\"id\" = $1", 2 },
	{ "x y id:1", STMT_UPDATE, 1, "?|b|1", BOTH,
	    "UPDATE " T " AS d SET \"y\" = $1, " FALSE_ ", " SYNCED_ " WHERE d.\"id\" = $2", 2 },
	/* nothing to set: the row is touched all the same */
	{ "id:1 x", STMT_UPDATE, 1, "1|?", NONE,
	    "UPDATE " T " AS d SET \"id\" = d.\"id\" WHERE d.\"id\" = $1", 1 },
	{ "a:1 b:2", STMT_UPDATE, 1, NULL, NONE,
	    "UPDATE " T " AS d SET \"a\" = d.\"a\" WHERE d.\"a\" = $1 AND d.\"b\" = $2", 2 },
	{ "id:1 x", STMT_UPDATE, 1, "1|?", SYNCED,
	    "UPDATE " T " AS d SET " SYNCED_ " WHERE d.\"id\" = $1", 1 },
	{ "id:1 x", STMT_UPDATE, 2, NULL, BOTH,
	    "UPDATE " T " AS d SET \"x\" = v.c1, " FALSE_ ", " SYNCED_
	    " FROM (VALUES ($1, $2), ($3, $4)) AS v(c0, c1) WHERE d.\"id\" = v.c0",
	    4 },
	{ "b:2 x a:1", STMT_UPDATE, 2, NULL, NONE,
	    "UPDATE " T " AS d SET \"x\" = v.c1 FROM (VALUES ($1, $2, $3), ($4, $5, $6))"
	    " AS v(c0, c1, c2) WHERE d.\"a\" = v.c2 AND d.\"b\" = v.c0",
	    6 },
	{ "id:1", STMT_UPDATE, 2, NULL, NONE,
	    "UPDATE " T " AS d SET \"id\" = d.\"id\" FROM (VALUES ($1), ($2)) AS v(c0)"
	    " WHERE d.\"id\" = v.c0",
	    2 },

	{ "id:1 x", STMT_MOVE, 1, NULL, NONE,
	    "UPDATE " T " AS d SET \"id\" = $1, \"x\" = $2 WHERE d.\"id\" = $3", 3 },
	{ "id:1 x y", STMT_MOVE, 1, "1|?|b", BOTH,
	    "UPDATE " T " AS d SET \"id\" = $1, \"y\" = $2, " FALSE_ ", " SYNCED_
	    " WHERE d.\"id\" = $3",
	    3 },
	/* the old key's parameters come in the order of the columns */
	{ "b:2 x a:1", STMT_MOVE, 1, NULL, NONE,
	    "UPDATE " T " AS d SET \"b\" = $1, \"x\" = $2, \"a\" = $3"
	    " WHERE d.\"b\" = $4 AND d.\"a\" = $5",
	    5 },

	{ "id:1 x", STMT_DELETE, 1, NULL, BOTH, "DELETE FROM " T " AS d WHERE d.\"id\" = $1", 1 },
	{ "b:2 x a:1", STMT_DELETE, 1, NULL, NONE,
	    "DELETE FROM " T " AS d WHERE d.\"b\" = $1 AND d.\"a\" = $2", 2 },
	{ "b:2 x a:1", STMT_DELETE, 2, NULL, NONE,
	    "DELETE FROM " T " AS d USING (VALUES ($1, $2), ($3, $4)) AS v(c0, c2)"
	    " WHERE d.\"a\" = v.c2 AND d.\"b\" = v.c0",
	    4 },
	{ "x id:1", STMT_DELETE_ARRAY, 1, NULL, NONE,
	    "DELETE FROM " T " AS d WHERE d.\"id\" = ANY ($1)", 1 },
	{ "id:1 x", STMT_DELETE_DEAD, 1, NULL, BOTH,
	    "DELETE FROM " T " AS d WHERE d.\"id\" = $1 AND d.\"_del\" IS TRUE", 1 },

	{ "id:1 x", STMT_SOFT_DELETE, 1, NULL, BOTH,
	    "UPDATE " T " AS d SET " TRUE_ ", " SYNCED_ " WHERE d.\"id\" = $1", 1 },
	{ "id:1 x", STMT_SOFT_DELETE, 2, NULL, SOFT,
	    "UPDATE " T " AS d SET " TRUE_ " FROM (VALUES ($1), ($2)) AS v(c0)"
	    " WHERE d.\"id\" = v.c0",
	    2 },
	{ "id:1 x", STMT_SOFT_DELETE_ARRAY, 1, NULL, BOTH,
	    "UPDATE " T " AS d SET " TRUE_ ", " SYNCED_ " WHERE d.\"id\" = ANY ($1)", 1 },

	{ "x y", STMT_DELETE_WHOLE, 1, NULL, NONE,
	    "DELETE FROM " T " AS d WHERE (d.tableoid, d.ctid) = (SELECT w.tableoid, w.ctid"
	    " FROM " T " AS w WHERE w.\"x\"::text IS NOT DISTINCT FROM $1::text"
	    " AND w.\"y\"::text IS NOT DISTINCT FROM $2::text LIMIT 1)",
	    2 },
	{ "x", STMT_SOFT_DELETE_WHOLE, 1, NULL, BOTH,
	    "UPDATE " T " AS d SET " TRUE_ ", " SYNCED_ " WHERE (d.tableoid, d.ctid) ="
	    " (SELECT w.tableoid, w.ctid FROM " T " AS w WHERE w.\"x\"::text IS NOT DISTINCT FROM"
	    " $1::text AND w.\"_del\" IS NOT TRUE LIMIT 1)",
	    1 },
	{ "x y", STMT_UPDATE_WHOLE, 1, NULL, NONE,
	    "UPDATE " T " AS d SET \"x\" = $1, \"y\" = $2 WHERE (d.tableoid, d.ctid) ="
	    " (SELECT w.tableoid, w.ctid FROM " T " AS w WHERE w.\"x\"::text IS NOT DISTINCT FROM"
	    " $3::text AND w.\"y\"::text IS NOT DISTINCT FROM $4::text LIMIT 1)",
	    4 },
};

static void
set_own(enum own own)
{
	fx.s.soft_delete = own == SOFT || own == BOTH ? "_del" : "";
	fx.s.synced_at = own == SYNCED || own == BOTH ? "_at" : "";
}

static const struct row *
row_or_null(const char *values)
{
	return values != NULL ? fixture_row(fx.a, fx.pt[0].t, values) : NULL;
}

/* Send a statement with parameters that do not matter; a wrong number of them is a bug. */
static void
send_statement(struct pg_table *pt, struct pg_stmt *st, uint32_t nparams)
{
	uint32_t i;

	pg_param_reset(&fx.s);
	for (i = 0; i < nparams; i++)
		pg_param_value(&fx.s, (struct row_value){ .len = ROW_NULL }, true);
	ck_assert(pg_stmt_send(&fx.s, pt, st, 1));
}

static const char *
prepared_sql(void)
{
	const char *tab = strchr(buf_str(&fx.prepared), '\t');

	return arena_strndup(fx.a, tab + 1, strcspn(tab + 1, "\n"));
}

START_TEST(statement_has_its_text)
{
	struct pg_stmt *st;

	fx_begin(cases[_i].columns);
	set_own(cases[_i].own);
	st = pg_stmt_get(&fx.s, &fx.pt[0], cases[_i].kind, cases[_i].nrows,
	    row_or_null(cases[_i].row));
	send_statement(&fx.pt[0], st, cases[_i].nparams);
	ck_assert_str_eq(prepared_sql(), cases[_i].sql);
	fx_end();
}
END_TEST

START_TEST(every_kind_is_tested)
{
	bool seen[STMT_KINDS] = { [STMT_CHECKPOINT] = true };
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		seen[cases[i].kind] = true;
	for (i = 0; i < STMT_KINDS; i++)
		ck_assert_msg(seen[i], "kind %zu", i);
}
END_TEST

/* ---- with one table "id:1 x" */

static void
setup(void)
{
	fx_begin("id:1 x");
}

static void
teardown(void)
{
	fx_end();
}

START_TEST(checkpoint_has_its_text)
{
	fx.mirror.flow_job_name = arena_strdup(fx.a, "or'ders");
	send_statement(NULL, pg_stmt_get(&fx.s, NULL, STMT_CHECKPOINT, 1, NULL), 2);
	ck_assert_str_eq(prepared_sql(),
	    "UPDATE \"_peerdb_internal\".\"peerdb_mirror_jobs\" SET lsn_offset = $1, sync_batch_id "
	    "= $2,"
	    " updated_at = now() WHERE mirror_job_name = 'or''ders'");
	ck_assert_uint_eq(fx.last_types[0], 20);
	ck_assert_uint_eq(fx.last_types[1], 20);
}
END_TEST

START_TEST(names_are_quoted)
{
	fx.pt[0].t->cols[1].destination = "we\"ird";
	send_statement(&fx.pt[0], pg_stmt_get(&fx.s, &fx.pt[0], STMT_UPDATE, 1, NULL), 2);
	ck_assert_ptr_nonnull(strstr(prepared_sql(), "SET \"we\"\"ird\" = $2"));
}
END_TEST

START_TEST(destination_names_count)
{
	fx.pt[0].t->cols[1].destination = "other";
	send_statement(&fx.pt[0], pg_stmt_get(&fx.s, &fx.pt[0], STMT_INSERT, 1, NULL), 2);
	ck_assert_ptr_nonnull(strstr(prepared_sql(), "(\"id\", \"other\")"));
}
END_TEST

START_TEST(parameters_have_the_destinations_types)
{
	fx.types[1] = 1700;
	send_statement(&fx.pt[0], pg_stmt_get(&fx.s, &fx.pt[0], STMT_INSERT, 1, NULL), 2);
	ck_assert_uint_eq(fx.last_types[0], FX_TYPE);
	ck_assert_uint_eq(fx.last_types[1], 1700);
}
END_TEST

START_TEST(array_parameter_has_the_array_type)
{
	send_statement(&fx.pt[0], pg_stmt_get(&fx.s, &fx.pt[0], STMT_DELETE_ARRAY, 1, NULL), 1);
	ck_assert_uint_eq(fx.last_types[0], FX_ARRAY_TYPE);
}
END_TEST

START_TEST(a_column_just_added_is_cast_by_name)
{
	fx.types[1] = InvalidOid;
	send_statement(&fx.pt[0], pg_stmt_get(&fx.s, &fx.pt[0], STMT_INSERT, 1, NULL), 2);
	ck_assert_ptr_nonnull(strstr(prepared_sql(), "VALUES ($1, $2::text)"));
}
END_TEST

START_TEST(same_statement_is_prepared_once)
{
	struct pg_stmt *st = pg_stmt_get(&fx.s, &fx.pt[0], STMT_UPDATE, 10, NULL);

	ck_assert_ptr_eq(pg_stmt_get(&fx.s, &fx.pt[0], STMT_UPDATE, 10, NULL), st);
	send_statement(&fx.pt[0], st, 20);
	send_statement(&fx.pt[0], st, 20);
	ck_assert_int_eq(fx.prepares, 1);
}
END_TEST

/* What makes another statement of UPDATE, one row, all columns. */
static const struct {
	enum pg_stmt_kind kind;
	uint32_t nrows;
	const char *row;
} others[] = { { STMT_UPSERT, 1, NULL }, { STMT_UPDATE, 10, NULL }, { STMT_UPDATE, 1, "1|?" } };

START_TEST(other_statements_are_others)
{
	struct pg_stmt *st = pg_stmt_get(&fx.s, &fx.pt[0], STMT_UPDATE, 1, NULL);

	ck_assert_ptr_ne(pg_stmt_get(&fx.s, &fx.pt[0], others[_i].kind, others[_i].nrows,
			     row_or_null(others[_i].row)),
	    st);
}
END_TEST

START_TEST(a_row_with_all_values_leaves_nothing_out)
{
	ck_assert_ptr_eq(pg_stmt_get(&fx.s, &fx.pt[0], STMT_UPDATE, 1, row_or_null("1|~")),
	    pg_stmt_get(&fx.s, &fx.pt[0], STMT_UPDATE, 1, NULL));
}
END_TEST

/* An aborted pipeline took the PREPARE along: it comes again, under another name. */
START_TEST(failed_prepare_is_repeated)
{
	struct pg_stmt *st = pg_stmt_get(&fx.s, &fx.pt[0], STMT_DELETE, 1, NULL);

	send_statement(&fx.pt[0], st, 1);
	pg_stmt_prepared(st, false);
	send_statement(&fx.pt[0], st, 1);
	ck_assert_int_eq(fx.prepares, 2);
	ck_assert_int_eq(strncmp(buf_str(&fx.prepared), "peerd_1\t", 8), 0);
	ck_assert_ptr_nonnull(strstr(buf_str(&fx.prepared), "\npeerd_2\t"));
}
END_TEST

START_TEST(forgotten_statements_are_made_anew)
{
	send_statement(&fx.pt[0], pg_stmt_get(&fx.s, &fx.pt[0], STMT_DELETE, 1, NULL), 1);
	pg_stmt_forget(&fx.pt[0]);
	ck_assert_ptr_null(fx.pt[0].stmts);
	send_statement(&fx.pt[0], pg_stmt_get(&fx.s, &fx.pt[0], STMT_DELETE, 1, NULL), 1);
	ck_assert_int_eq(fx.prepares, 2);
}
END_TEST

START_TEST(wrong_number_of_parameters_is_a_bug)
{
	send_statement(&fx.pt[0], pg_stmt_get(&fx.s, &fx.pt[0], STMT_DELETE, 1, NULL), 2);
}
END_TEST

static const struct {
	uint16_t ncols;
	uint32_t left, rows;
} steps[] = {
	{ 2, 1, 1 },
	{ 2, 9, 1 },
	{ 2, 10, 10 },
	{ 2, 99, 10 },
	{ 2, 100, 100 },
	{ 2, 5000, 100 },
	{ 655, 100, 100 },
	{ 656, 100, 10 }, /* the protocol takes 65535 parameters */
	{ 1600, 100, 10 },
	{ 1600, 9, 1 },
};

START_TEST(rows_of_a_statement)
{
	fx.pt[0].t->ncols = steps[_i].ncols;
	ck_assert_uint_eq(pg_stmt_rows(&fx.pt[0], steps[_i].left), steps[_i].rows);
}
END_TEST

START_TEST(many_parameters_find_room)
{
	char row[64];
	uint32_t i;

	pg_param_reset(&fx.s);
	for (i = 0; i < 5000; i++) {
		snprintf(row, sizeof(row), "%u", i);
		pg_param_value(&fx.s, (struct row_value){ .len = 1, .p = (const uint8_t *)"v" },
		    i % 2 == 0);
	}
	ck_assert_uint_eq(fx.s.nparams, 5000);
	for (i = 0; i < 5000; i++) {
		ck_assert_str_eq(fx.s.values[i], "v");
		ck_assert_int_eq(fx.s.formats[i], i % 2 == 0 ? 0 : 1);
	}
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

static TCase *
one_table(void)
{
	TCase *tc = tcase_create("one table");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, checkpoint_has_its_text);
	tcase_add_test(tc, names_are_quoted);
	tcase_add_test(tc, destination_names_count);
	tcase_add_test(tc, parameters_have_the_destinations_types);
	tcase_add_test(tc, array_parameter_has_the_array_type);
	tcase_add_test(tc, a_column_just_added_is_cast_by_name);
	tcase_add_test(tc, same_statement_is_prepared_once);
	LOOP(tc, other_statements_are_others, others);
	tcase_add_test(tc, a_row_with_all_values_leaves_nothing_out);
	tcase_add_test(tc, failed_prepare_is_repeated);
	tcase_add_test(tc, forgotten_statements_are_made_anew);
	tcase_add_test_raise_signal(tc, wrong_number_of_parameters_is_a_bug, SIGABRT);
	LOOP(tc, rows_of_a_statement, steps);
	tcase_add_test(tc, many_parameters_find_room);
	return tc;
}

int
main(void)
{
	Suite *s = suite_create("pg_stmt");
	TCase *tc = tcase_create("texts");
	SRunner *sr = srunner_create(s);
	int failed;

	LOOP(tc, statement_has_its_text, cases);
	tcase_add_test(tc, every_kind_is_tested);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, one_table());
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
