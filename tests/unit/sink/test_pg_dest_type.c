#include <check.h>
#include <stdlib.h>

#include "lib/sink/pg_dest_type.h"

#define NUMERIC_MOD(p, s) (((p) << 16 | ((s)&0x7ff)) + 4)
#define VARCHAR_MOD(n)	  ((n) + 4)

static const struct {
	struct pg_type from, to;
	bool fits;
} rows[] = {
	/* the same */
	{ { 23, -1, "integer" }, { 23, -1, "integer" }, true },
	{ { 1042, 9, "character(5)" }, { 1042, 9, "character(5)" }, true },

	/* wider and narrower */
	{ { 21, -1, "smallint" }, { 23, -1, "integer" }, true },
	{ { 21, -1, "smallint" }, { 20, -1, "bigint" }, true },
	{ { 23, -1, "integer" }, { 20, -1, "bigint" }, true },
	{ { 20, -1, "bigint" }, { 23, -1, "integer" }, false },
	{ { 23, -1, "integer" }, { 1700, -1, "numeric" }, false },
	{ { 700, -1, "real" }, { 701, -1, "double precision" }, false },
	{ { 1043, VARCHAR_MOD(5), "character varying(5)" }, { 25, -1, "text" }, true },
	{ { 1042, VARCHAR_MOD(5), "character(5)" }, { 25, -1, "text" }, true },
	{ { 25, -1, "text" }, { 1043, -1, "character varying" }, false },

	/* lengths */
	{ { 1043, VARCHAR_MOD(5), "" }, { 1043, VARCHAR_MOD(9), "" }, true },
	{ { 1043, VARCHAR_MOD(9), "" }, { 1043, VARCHAR_MOD(5), "" }, false },
	{ { 1043, VARCHAR_MOD(9), "" }, { 1043, -1, "" }, true },
	{ { 1015, VARCHAR_MOD(9), "" }, { 1015, VARCHAR_MOD(5), "" }, false },
	{ { 1560, 3, "bit(3)" }, { 1560, 4, "bit(4)" }, false },
	{ { 1562, 3, "bit varying(3)" }, { 1562, 4, "bit varying(4)" }, true },

	/* precision and scale */
	{ { 1700, NUMERIC_MOD(10, 2), "" }, { 1700, NUMERIC_MOD(5, 1), "" }, false },
	{ { 1700, NUMERIC_MOD(5, 2), "" }, { 1700, NUMERIC_MOD(10, 4), "" }, true },
	{ { 1700, NUMERIC_MOD(5, 2), "" }, { 1700, NUMERIC_MOD(6, 4), "" }, false },
	{ { 1700, NUMERIC_MOD(5, -2), "" }, { 1700, NUMERIC_MOD(7, 0), "" }, true },
	{ { 1700, NUMERIC_MOD(5, -2), "" }, { 1700, NUMERIC_MOD(6, 0), "" }, false },
	{ { 1700, -1, "" }, { 1700, NUMERIC_MOD(10, 4), "" }, true },
	{ { 1700, NUMERIC_MOD(5, 2), "" }, { 1700, -1, "" }, true },
	{ { 1184, 3, "" }, { 1184, 6, "" }, true },
	{ { 1184, 6, "" }, { 1184, 3, "" }, false },
	{ { 1184, -1, "" }, { 1184, 3, "" }, false },
	{ { 1184, 3, "" }, { 1184, -1, "" }, true },

	/* a user's own, by name: oids differ between servers */
	{ { 16400, -1, "app.mood" }, { 17000, -1, "app.mood" }, true },
	{ { 16400, -1, "app.mood" }, { 16400, -1, "app.moo" }, false },
	{ { 16400, -1, "app.mood" }, { 16400, -1, "other.mood" }, false },
	{ { 16400, -1, "app.mood" }, { 25, -1, "text" }, false },
	{ { 25, -1, "text" }, { 16400, -1, "app.mood" }, false },
	{ { 16500, 4, "gis.geometry(Point,4326)" }, { 17500, -1, "gis.geometry" }, true },
	{ { 16500, 4, "gis.geometry(Point,4326)" }, { 17500, 8, "gis.geometry(Point,3857)" },
	    false },
	{ { 13226, -1, "information_schema.sql_identifier" },
	    { 13115, -1, "information_schema.sql_identifier" }, true },
};

START_TEST(fits_or_not)
{
	ck_assert_msg(pg_type_fits(&rows[_i].from, &rows[_i].to) == rows[_i].fits,
	    "row %d: %u(%d) into %u(%d)", _i, rows[_i].from.oid, rows[_i].from.modifier,
	    rows[_i].to.oid, rows[_i].to.modifier);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pg_dest_type");
	TCase *tc = tcase_create("pg_dest_type");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, fits_or_not, 0, sizeof(rows) / sizeof(rows[0]));
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
