/*
 * Odd names of schemas, tables and columns: case, blanks, quotes, dots, Unicode.
 */
#include "tests/harness/api.h"
#include "tests/harness/compare.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define EQUAL_MS 30000

struct name_case {
	const char *schema, *table;
	const char *identifier; /* as a user writes it in the mapping; NULL: quoted by us */
};

static const struct name_case cases[] = {
	{ "public", "MixedCase", "public.MixedCase" },
	{ "public", "quoted_anyway", "\"public\".\"quoted_anyway\"" },
	{ "Upper", "with blank", "Upper.\"with blank\"" },
	{ "odd schema", "semi;colon--", NULL },
	{ "public", "dot.ted", NULL },
	{ "dots.too", "a.b.c", NULL },
	{ "public", "quo\"te", NULL },
	{ "quo\"\"tes", "\"", NULL },
	{ "public", "it's", NULL },
	{ "public", "back\\slash", NULL },
	{ "ünï çödé", "漢字😀", NULL },
	{ "public", "select", "public.select" },
	{ "public", "per%cent$s{}", NULL },
	{ "public", "x23456789012345678901234567890123456789012345678901234567890123", NULL },
	{ "public", "new\nline", NULL },
};

#define CASES ((int)(sizeof(cases) / sizeof(*cases)))

static char *
qualified(const struct name_case *k)
{
	return text("%s.%s", sql_ident(rig.s, k->schema), sql_ident(rig.s, k->table));
}

static void
names_init(void)
{
	char *list = text("%s", "");

	rig_clusters_init();
	rig_init();
	for (int i = 0; i < CASES; i++) {
		const struct name_case *k = &cases[i];
		const char *name = qualified(k);

		on_source("CREATE SCHEMA IF NOT EXISTS %s", sql_ident(rig.s, k->schema));
		on_source("CREATE TABLE %s (\"Id\" int PRIMARY KEY, \"a b\" text, \"c\"\"d\" int, "
			  "\"e.f\" int, \"order\" int, \"ü'\" text, \"g\\\" int)",
		    name);
		on_source("INSERT INTO %s SELECT i, i, i, i, i, i, i FROM generate_series(1, 50) i",
		    name);
		list = text("%s%s%s", list, i > 0 ? ", " : "",
		    k->identifier != NULL ? mapping(k->identifier, k->identifier)
					  : mapping(name, name));
	}
	mirror_run("names", text("[%s]", list), "'soft_delete_col_name': ''");
}

static void
names_done(void)
{
	rig_done();
	rig_clusters_done();
}

START_TEST(snapshot_arrives)
{
	table_expect_equal(rig.s, rig.d, qualified(&cases[_i]), EQUAL_MS);
}
END_TEST

START_TEST(changes_arrive)
{
	const char *name = qualified(&cases[_i]);

	on_source("INSERT INTO %s (\"Id\") VALUES (100)", name);
	on_source("UPDATE %s SET \"a b\" = 'it''s', \"c\"\"d\" = NULL WHERE \"Id\" < 10", name);
	on_source("UPDATE %s SET \"Id\" = -\"Id\" WHERE \"Id\" < 5", name);
	table_expect_equal(rig.s, rig.d, name, EQUAL_MS);
}
END_TEST

START_TEST(name_can_change_on_the_way)
{
	on_source("CREATE TABLE plain (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO plain VALUES (1, 'one')");
	mirror_run("renamed", text("[%s]", mapping("public.plain", "\"New Schema\".\"a.b\"")),
	    "'soft_delete_col_name': ''");
	on_source("INSERT INTO plain VALUES (2, 'two')");
	sql_wait(rig.d, EQUAL_MS, "1one 2two",
	    "SELECT string_agg(id || v, ' ' ORDER BY id) FROM \"New Schema\".\"a.b\"");
	mirror_drop("renamed");
}
END_TEST

START_TEST(excluded_columns_stay_away)
{
	const char *one = "[{\"source_table_identifier\": \"public.wide\", "
			  "\"destination_table_identifier\": \"public.wide\", "
			  "\"exclude\": [\"secret\", \"Big One\"]}]";

	on_source("CREATE TABLE wide (id int PRIMARY KEY, secret text, v text, \"Big One\" text)");
	on_source("INSERT INTO wide VALUES (1, 's', 'v', 'b')");
	mirror_run("excluded", one, "'soft_delete_col_name': '', 'synced_at_col_name': ''");
	on_source("INSERT INTO wide VALUES (2, 's2', 'v2', 'b2')");
	on_source("UPDATE wide SET secret = 'changed', v = 'v3' WHERE id = 1");
	sql_wait(rig.d, EQUAL_MS, "(1,v3) (2,v2)",
	    "SELECT string_agg(w::text, ' ' ORDER BY id) FROM wide w");
	mirror_drop("excluded");
}
END_TEST

static Suite *
names_suite(void)
{
	Suite *s = suite_create("names");
	TCase *tc = suite_case(s, "names", names_init, names_done, rig_reconnect, NULL);

	suite_loop(tc, snapshot_arrives, 0, CASES);
	suite_loop(tc, changes_arrive, 0, CASES);
	suite_test(tc, name_can_change_on_the_way);
	suite_test(tc, excluded_columns_stay_away);
	return s;
}

int
main(void)
{
	return suite_main(names_suite());
}
