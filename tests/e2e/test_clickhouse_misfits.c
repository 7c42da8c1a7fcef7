/*
 * What ClickHouse cannot hold: values that do not fit their column's type, and
 * types that an old server lacks. Nothing is changed in silence: a value is
 * refused with words that lead to its row, or replaced where that was asked for.
 */
#include "tests/harness/api.h"
#include "tests/harness/chrig.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/rig.h"
#include "tests/harness/suite.h"

#define WAIT_MS	  60000
#define EAGER	  "'env': {'PEERD_CLICKHOUSE_FLUSH_SECONDS': '0'}"
#define ENV(more) "'env': {'PEERD_CLICKHOUSE_FLUSH_SECONDS': '0', " more "}"

/* ---- values that do not fit */

static const struct misfit {
	const char *type, *value;
	const char *instead; /* what ClickHouse shows for it when NULL is asked for */
} misfits[] = {
	{ "numeric", "'NaN'", "\\N" },
	{ "numeric", "'Infinity'", "\\N" },
	{ "numeric", "'-Infinity'", "\\N" },
	{ "numeric", "1e38", "\\N" },
	{ "numeric", "repeat('9', 77)::numeric", "\\N" },
	{ "numeric", "repeat('9', 131072)::numeric", "\\N" },
	{ "numeric", "('0.' || repeat('7', 16383))::numeric", "\\N" },
	{ "numeric(10,2)", "'NaN'", "\\N" },
	{ "date", "'infinity'", "\\N" },
	{ "date", "'-infinity'", "\\N" },
	{ "date", "'4713-01-01 BC'", "\\N" },
	{ "date", "'1899-12-31'", "\\N" },
	{ "date", "'2300-01-01'", "\\N" },
	{ "date", "'5874897-12-31'", "\\N" },
	{ "timestamp", "'infinity'", "\\N" },
	{ "timestamp", "'-infinity'", "\\N" },
	{ "timestamp", "'4713-01-01 00:00:00 BC'", "\\N" },
	{ "timestamp", "'1899-12-31 23:59:59.999999'", "\\N" },
	{ "timestamp", "'2300-01-01'", "\\N" },
	{ "timestamp", "'294276-12-31 23:59:59.999999'", "\\N" },
	{ "timestamptz", "'infinity'", "\\N" },
	{ "timestamptz", "'4713-01-02 00:00:00+00 BC'", "\\N" },
	{ "timestamptz", "'294276-12-31 23:59:59.999999+00'", "\\N" },
	{ "int[]", "NULL", "[]" },
	{ "int[]", "'{{1,2},{3,4}}'", "[]" },
	{ "int[][]", "'{1,2}'", "[]" },
	{ "numeric[]", "'{1,NaN,2}'", "[1,NULL,2]" },
	{ "date[]", "'{infinity,2026-01-01}'", "[NULL,'2026-01-01']" },
	{ "timestamptz[]", "ARRAY['-infinity'::timestamptz, NULL]", "[NULL,NULL]" },
};

#define MISFITS ((int)(sizeof(misfits) / sizeof(*misfits)))

/* Each in the snapshot and as a change, in a table of its own; and a row that fits. */
static char *
create_misfits(const char *settings)
{
	char *tables = text("%s", "");

	on_source("SET TimeZone = 'UTC'");
	for (int i = 0; i < MISFITS; i++) {
		on_source("CREATE TABLE misfit_%d (id int PRIMARY KEY, v %s)", i, misfits[i].type);
		on_source("INSERT INTO misfit_%d VALUES (1, %s)", i, misfits[i].value);
		tables = text("%s%s{\"source_table_identifier\": \"public.misfit_%d\", "
			      "\"destination_table_identifier\": \"misfit_%d\"%s}",
		    tables, i > 0 ? ", " : "", i, i, settings);
	}
	return text("[%s]", tables);
}

START_TEST(a_misfit_is_null_by_choice)
{
	mirror_run("misfits", create_misfits(""), ENV("'on_lossy_value': 'null'"));
	for (int i = 0; i < MISFITS; i++)
		on_source("INSERT INTO misfit_%d SELECT 2, v FROM misfit_%d", i, i);
	for (int i = 0; i < MISFITS; i++)
		clickhouse_wait(chrig.ch, WAIT_MS,
		    text("1\t%s\n2\t%s", misfits[i].instead, misfits[i].instead),
		    "SELECT id, v FROM app.misfit_%d FINAL ORDER BY id", i);
}
END_TEST

START_TEST(a_text_holds_every_value)
{
	mirror_run("misfits",
	    create_misfits(
		", \"columns\": [{\"source_name\": \"v\", \"destination_type\": \"String\"}]"),
	    EAGER);
	for (int i = 0; i < MISFITS; i++)
		on_source("INSERT INTO misfit_%d SELECT 2, v FROM misfit_%d", i, i);
	for (int i = 0; i < MISFITS; i++)
		chrig_expect_equal(text("SELECT id, CASE WHEN v IS NOT NULL THEN format('%%s', v) "
					"END FROM misfit_%d "
					"ORDER BY id",
				       i),
		    text("SELECT id, v FROM app.misfit_%d FINAL ORDER BY id", i), WAIT_MS);
}
END_TEST

/* The table stops, with words that lead to the row; its neighbour goes on. */
static void
expect_stopped(int i)
{
	const char *key = text("4%d", i);
	const char *words = "";

	if (!poll_until(WAIT_MS,
		strstr(words = mirror_errors("misfits"), text("misfit_%d", i)) != NULL))
		test_fail("misfit_%d is not in the errors: %s", i, words);
	if (strstr(words, "\"v\"") == NULL || strstr(words, key) == NULL)
		test_fail("column and key %s of misfit_%d are not in the errors: %s", key, i,
		    words);
}

START_TEST(a_misfit_stops_its_table)
{
	const char *tables = create_misfits("");

	for (int i = 0; i < MISFITS; i++)
		on_source("DELETE FROM misfit_%d", i);
	on_source("CREATE TABLE good (id int PRIMARY KEY)");
	mirror_run("misfits",
	    text("%.*s, %s]", (int)strlen(tables) - 1, tables, mapping("public.good", "good")),
	    EAGER);
	for (int i = 0; i < MISFITS; i++) {
		on_source("INSERT INTO misfit_%d VALUES (4%d, %s)", i, i, misfits[i].value);
		expect_stopped(i);
	}
	on_source("INSERT INTO good VALUES (1)");
	clickhouse_wait(chrig.ch, WAIT_MS, "1", "SELECT count() FROM app.good");
	ck_assert_str_eq(mirror_state("misfits"), "STATUS_RUNNING");
}
END_TEST

START_TEST(a_misfit_in_the_snapshot_is_told)
{
	on_source("CREATE TABLE bad (id int PRIMARY KEY, v date)");
	on_source("INSERT INTO bad VALUES (6, '2026-01-01'), (77, 'infinity')");
	mirror_create("misfits", "public.bad:bad", EAGER);
	if (!poll_until(WAIT_MS, strstr(mirror_errors("misfits"), "77") != NULL))
		test_fail("the key is not in the errors: %s", mirror_errors("misfits"));
	ck_assert_ptr_nonnull(strstr(mirror_errors("misfits"), "bad"));
	ck_assert_ptr_nonnull(strstr(mirror_errors("misfits"), "\"v\""));
}
END_TEST

/* ---- what the old server lacks */

static const struct {
	const char *type, *clickhouse;
} substitutes[] = {
	{ "bool", "Nullable(UInt8)" },
	{ "numeric", "Nullable(String)" },
	{ "numeric(38,5)", "Nullable(Decimal(38, 5))" },
	{ "numeric(39,5)", "Nullable(String)" },
	{ "date", "Nullable(Date)" },
	{ "time", "Nullable(String)" },
	{ "timestamp", "Nullable(String)" },
	{ "timestamptz[]", "Array(Nullable(String))" },
	{ "uuid", "Nullable(UUID)" },
};

#define SUBSTITUTES ((int)(sizeof(substitutes) / sizeof(*substitutes)))

START_TEST(what_is_missing_is_replaced)
{
	char *columns = text("%s", "");

	for (int i = 0; i < SUBSTITUTES; i++)
		columns = text("%s, c%d %s", columns, i, substitutes[i].type);
	on_source("CREATE TABLE t (id int PRIMARY KEY%s)", columns);
	mirror_run("t", "public.t:t", EAGER);
	for (int i = 0; i < SUBSTITUTES; i++)
		ck_assert_str_eq(substitutes[i].clickhouse,
		    clickhouse_text(chrig.ch,
			"SELECT type FROM system.columns "
			"WHERE database = 'app' AND table = 't' AND name = 'c%d'",
			i));
}
END_TEST

static const char *const lacking[] = { "DateTime64(3)", "Date32", "Decimal(76,38)", "Int256",
	"JSON", "Time64(6)", "Bool" };

#define LACKING ((int)(sizeof(lacking) / sizeof(*lacking)))

START_TEST(what_is_missing_is_refused_when_asked_for)
{
	static const char *const sources[] = { "timestamp", "date", "numeric", "int8", "json",
		"time", "bool" };
	const struct reply *r;

	on_source("CREATE TABLE t (id int PRIMARY KEY, v %s)", sources[_i]);
	r = api_post("/flows/cdc/create",
	    mirror_body("t",
		text("[{\"source_table_identifier\": \"public.t\", "
		     "\"destination_table_identifier\": \"t\", \"columns\": "
		     "[{\"source_name\": \"v\", \"destination_type\": \"%s\"}]}]",
		    lacking[_i]),
		EAGER));
	ck_assert_msg(r->status == 400 && strstr(r->body, "does not have the type") != NULL &&
		strstr(r->body, lacking[_i]) != NULL,
	    "%s: %ld %s", lacking[_i], r->status, r->body);
}
END_TEST

static void
add_tests(TCase *tc, enum clickhouse_kind kind)
{
	suite_test(tc, a_misfit_in_the_snapshot_is_told);
	if (kind == CH_CURRENT) {
		suite_test(tc, a_misfit_is_null_by_choice);
		suite_test(tc, a_text_holds_every_value);
		suite_test(tc, a_misfit_stops_its_table);
	} else {
		suite_test(tc, what_is_missing_is_replaced);
		suite_loop(tc, what_is_missing_is_refused_when_asked_for, 0, LACKING);
	}
}

int
main(void)
{
	return suite_main(chrig_suite("clickhouse misfits", add_tests));
}
