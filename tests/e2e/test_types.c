/*
 * Every type arrives as it left: in the snapshot, as a change, and in an update.
 *
 * One mirror holds a table a type: the values singly, an array of them with a
 * NULL inside, an empty array, and a two-dimensional one with lower bounds of
 * its own. Rows are compared as text on both sides.
 */
#include <stdbool.h>

#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define VALUES_MAX 12

struct type_case {
	const char *type;
	const char *values[VALUES_MAX]; /* SQL expressions; NULL ends */
};

/* clang-format off */
static const struct type_case cases[] = {
	{ "bool", { "true", "false" } },
	{ "bytea", { "''", "'\\x00ff5c270a'", "decode(repeat('00ff', 5000), 'hex')" } },
	{ "int2", { "-32768", "32767", "0" } },
	{ "int4", { "-2147483648", "2147483647" } },
	{ "int8", { "-9223372036854775808", "9223372036854775807" } },
	{ "float4", { "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "1e-45", "3.4028235e38", "0.1" } },
	{ "float8", { "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "4.9e-324", "0.1",
	    "1.7976931348623157e308" } },
	{ "numeric", { "'NaN'", "'Infinity'", "'-Infinity'", "0", "0.000", "-1e-16383", "1e131071",
	    "repeat('9', 131072)::numeric", "('0.' || repeat('7', 16383))::numeric", "10000.00010000" } },
	{ "numeric(10,2)", { "99999999.99", "-0.01", "'NaN'" } },
	{ "numeric(5,-2)", { "1234500", "-9999900" } },
	{ "money", { "'-92233720368547758.08'", "'92233720368547758.07'", "0" } },
	{ "date", { "'4713-01-01 BC'", "'5874897-12-31'", "'infinity'", "'-infinity'", "'2000-02-29'" } },
	{ "time", { "'00:00'", "'24:00:00'", "'23:59:59.999999'" } },
	{ "time(0)", { "'23:59:59'" } },
	{ "timetz", { "'24:00:00-15:59:59'", "'00:00+15:59:59'", "'09:25:00+03'" } },
	{ "timestamp", { "'4713-01-01 00:00:00 BC'", "'294276-12-31 23:59:59.999999'", "'infinity'",
	    "'-infinity'", "'1999-12-31 23:59:59.999999'", "'0001-12-31 00:00:00 BC'" } },
	{ "timestamp(3)", { "'2026-01-02 03:04:05.678'" } },
	{ "timestamptz", { "'4713-01-02 00:00:00+00 BC'", "'294276-12-31 23:59:59.999999+00'",
	    "'infinity'", "'-infinity'", "'1970-01-01 00:00:00+14'" } },
	{ "interval", { "'178000000 years'", "'-178000000 years'", "'1 mon -1 day 00:00:00.000001'",
	    "'0'", "'-2147483648 days'", "'13 months 40 days 30:00:00'" } },
	{ "interval year to month", { "'3 years 4 months'" } },
	{ "interval second(2)", { "'4.56 seconds'" } },
	{ "text", { "''", "'é漢字😀'", "E'tab\\t nl\\n cr\\r back\\\\ quote'' \" \\b\\f\\v'",
	    "'\\N'", "'\\.'", "repeat('x', 100000)", "E'\\x01\\x7f'", "'{a,\"b\"}'", "'NULL'", "'null'" } },
	{ "varchar(5)", { "''", "'ééééé'" } },
	{ "varchar", { "'  blanks  '" } },
	{ "char(5)", { "''", "'ab'", "'ééééé'" } },
	{ "bpchar", { "'ab   '" } },
	{ "name", { "''", "'n'", "repeat('é', 31)" } },
	{ "\"char\"", { "'a'", "''", "'\"'", "'\\'" } },
	{ "json", { "'{\"a\" :  1, \"a\":2 }'", "' [1,2 ]'", "'1e1000'", "'\"\\u0000\"'", "'null'",
	    "'123456789012345678901234567890.10'" } },
	{ "jsonb", { "'{\"b\":1,\"aa\":[2,null]}'", "'1e1000'", "'null'", "'[]'", "'\"\\u00e9\"'",
	    "'123456789012345678901234567890.10'" } },
	{ "jsonpath", { "'$.a[*] ? (@ > 1)'", "'strict $'" } },
	{ "xml", { "'<a b=\"1\">&lt;é</a>'", "'text only'", "'<?xml version=\"1.0\"?><a/>'" } },
	{ "uuid", { "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'" } },
	{ "inet", { "'::1'", "'10.0.0.1/8'", "'::ffff:1.2.3.4/128'", "'0.0.0.0/0'" } },
	{ "cidr", { "'10.0.0.0/8'", "'2001:db8::/32'" } },
	{ "macaddr", { "'08:00:2b:01:02:03'" } },
	{ "macaddr8", { "'08:00:2b:01:02:03:04:05'" } },
	{ "bit", { "B'1'", "B'0'" } },
	{ "bit(13)", { "B'1010101010101'" } },
	{ "varbit", { "B''", "B'1'", "B'101010101010101010'" } },
	{ "varbit(8)", { "B'10101'" } },
	{ "point", { "'(NaN,Infinity)'", "'(1.5,-0)'" } },
	{ "lseg", { "'[(0,0),(1,1)]'" } },
	{ "line", { "'{1,-1,0}'" } },
	{ "path", { "'[(0,0),(1,1),(2,0)]'", "'((0,0),(1,1),(2,0))'" } },
	{ "box", { "'(1,1),(0,0)'", "'(Infinity,1),(0,-Infinity)'" } },
	{ "polygon", { "'((0,0),(1,1),(2,0))'" } },
	{ "circle", { "'<(0,0),0>'", "'<(1,2),3.5>'" } },
	{ "tsvector", { "''", "'''a b'':1A,2B c'", "to_tsvector('english', 'the quick brown foxes')" } },
	{ "tsquery", { "''", "'a & !b <2> c:*A'", "'''q u'' | b'" } },
	{ "int4range", { "'empty'", "'(,)'", "'[1,10)'" } },
	{ "int8range", { "'[-9223372036854775808,9223372036854775807)'" } },
	{ "numrange", { "'(,Infinity]'", "'[NaN,NaN]'", "'(0.10,1.20]'" } },
	{ "tsrange", { "'[-infinity,\"2026-01-01 00:00:00\"]'", "'empty'" } },
	{ "tstzrange", { "'[\"2026-01-01 00:00:00+00\",)'" } },
	{ "daterange", { "'[2026-01-01,2026-02-01)'", "'(,infinity)'" } },
	{ "int4multirange", { "'{}'", "'{[1,3),[5,)}'" } },
	{ "int8multirange", { "'{[1,3)}'" } },
	{ "nummultirange", { "'{[0.1,0.2],(1,2)}'" } },
	{ "tsmultirange", { "'{[\"2026-01-01 00:00:00\",\"2026-01-02 00:00:00\")}'" } },
	{ "tstzmultirange", { "'{(,\"2026-01-01 00:00:00+00\")}'" } },
	{ "datemultirange", { "'{[2026-01-01,2026-02-01),[2027-01-01,)}'" } },
	{ "pg_lsn", { "'FFFFFFFF/FFFFFFFF'", "'0/0'" } },
	{ "txid_snapshot", { "'10:20:10,14,15'" } },
	{ "pg_snapshot", { "'10:20:10,14,15'" } },
	{ "oid", { "4294967295", "0" } },
	{ "xid", { "'4294967295'" } },
	{ "xid8", { "'18446744073709551615'" } },
	{ "cid", { "'4294967295'" } },
	{ "tid", { "'(4294967295,65535)'" } },
	{ "int2vector", { "'1 -2 3'", "''" } },
	{ "oidvector", { "'1 4294967295'" } },
	{ "refcursor", { "'a cursor'" } },
	{ "aclitem", { "'postgres=arwdDxt/postgres'", "'=r/postgres'" } },
	{ "regproc", { "'now'" } },
	{ "regprocedure", { "'sum(integer)'" } },
	{ "regoper", { "'||/'" } },
	{ "regoperator", { "'+(integer,integer)'" } },
	{ "regclass", { "'pg_class'", "'at_home'" } },
	{ "regcollation", { "'\"C\"'" } },
	{ "regtype", { "'integer'", "'mood'" } },
	{ "regrole", { "'postgres'", "'guest'" } },
	{ "regnamespace", { "'pg_catalog'", "'\"Other Schema\"'" } },
	{ "regconfig", { "'english'" } },
	{ "regdictionary", { "'simple'" } },
	/* types of the user */
	{ "mood", { "'sad'", "'ok'", "'hap py'", "'quo\"te'", "'ünï'" } },
	{ "\"Other Schema\".\"Odd Type\"", { "'x'", "'Y y'" } },
	{ "posint", { "1", "2147483647" } },
	{ "cents", { "0.01", "99999999.99" } },
	{ "moods", { "'{ok,NULL,\"hap py\"}'", "'{}'" } },
	{ "deep", { "5" } },
	{ "pair", { "ROW(1, 'x,\"y\" (z)', 'ok')", "ROW(NULL, NULL, NULL)", "ROW(2, '', 'ünï')" } },
	{ "nest", { "ROW(ROW(1, 'in', 'sad'), ARRAY['ok', NULL]::mood[], 3, ARRAY[ROW(1,'a','ok')]::pair[])" } },
	{ "floatrange", { "'[0.1,Infinity)'", "'empty'" } },
	{ "moodrange", { "'[sad,\"hap py\"]'" } },
	{ "moodmultirange", { "'{[sad,ok)}'" } },
	{ "citext", { "'MiXed'" } },
	{ "hstore", { "'a=>1, \"b c\"=>NULL'", "''" } },
};
/* clang-format on */

#define CASES ((int)(sizeof(cases) / sizeof(*cases)))

/* No value of these can be made by input. */
#define UNREACHABLE                                                              \
	"'gtsvector', 'pg_brin_bloom_summary', 'pg_brin_minmax_multi_summary', " \
	"'pg_dependencies', "                                                    \
	"'pg_mcv_list', 'pg_ndistinct', 'pg_node_tree'"

static void
make_user_types(PGconn *c)
{
	sql_exec(c, "CREATE EXTENSION citext");
	sql_exec(c, "CREATE EXTENSION hstore");
	sql_exec(c, "CREATE SCHEMA \"Other Schema\"");
	sql_exec(c, "CREATE TYPE mood AS ENUM ('sad', 'ok', 'hap py', 'quo\"te', 'ünï')");
	sql_exec(c, "CREATE TYPE \"Other Schema\".\"Odd Type\" AS ENUM ('x', 'Y y')");
	sql_exec(c, "CREATE DOMAIN posint AS int CHECK (VALUE > 0)");
	sql_exec(c, "CREATE DOMAIN cents AS numeric(10,2)");
	sql_exec(c, "CREATE DOMAIN moods AS mood[]");
	sql_exec(c, "CREATE DOMAIN deep AS posint CHECK (VALUE < 10)");
	sql_exec(c, "CREATE TYPE pair AS (a int, b text, c mood)");
	sql_exec(c, "CREATE TYPE nest AS (p pair, m mood[], i posint, q pair[])");
	sql_exec(c, "CREATE TYPE floatrange AS RANGE (subtype = float8)");
	sql_exec(c, "CREATE TYPE moodrange AS RANGE (subtype = mood)");
	sql_exec(c, "CREATE TABLE at_home (id int PRIMARY KEY)");
}

/* The values of a case with ids from base on, then NULLs and arrays. */
static void
insert_values(int i, int base)
{
	const struct type_case *k = &cases[i];
	char *list = text("NULL");
	int n = 0;

	for (; n < VALUES_MAX && k->values[n] != NULL; n++) {
		on_source("INSERT INTO type_%d (id, v) VALUES (%d, %s)", i, base + n, k->values[n]);
		list = text("%s, CAST(%s AS %s)", list, k->values[n], k->type);
	}
	on_source("INSERT INTO type_%d VALUES (%d, NULL, ARRAY[%s]::%s[], NULL)", i, base + n, list,
	    k->type);
	on_source("INSERT INTO type_%d VALUES (%d, NULL, '{}', "
		  "array_fill(CAST(%s AS %s), ARRAY[2,2], ARRAY[-1,3])::%s[])",
	    i, base + n + 1, k->values[0], k->type, k->type);
}

static void
types_init(void)
{
	char *tables = text("public.type_0");

	rig_clusters_init();
	rig_init();
	sql_exec(rig.d, "CREATE TYPE shifts_oids AS ENUM ('so', 'that', 'no', 'oid', 'matches')");
	on_both("CREATE ROLE guest");
	make_user_types(rig.s);
	make_user_types(rig.d);
	for (int i = 0; i < CASES; i++) {
		on_source("CREATE TABLE type_%d (id int PRIMARY KEY, v %s, a %s[], m %s[])", i,
		    cases[i].type, cases[i].type, cases[i].type);
		insert_values(i, 0);
		if (i > 0)
			tables = text("%s,public.type_%d", tables, i);
	}
	mirror_run("types", tables, "'soft_delete_col_name': ''");
}

static void
types_done(void)
{
	rig_done();
	rig_clusters_done();
}

START_TEST(every_builtin_type_has_a_case)
{
	char *names = text("NULL");

	for (int i = 0; i < CASES; i++)
		names = text("%s, %s", names, sql_literal(rig.s, cases[i].type));
	ck_assert_str_eq("(null)",
	    sql_text(rig.s,
		"SELECT string_agg(typname, ' ') FROM pg_type "
		"WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') "
		"AND typcategory <> 'A' AND typname NOT IN (" UNREACHABLE ") "
		"AND oid NOT IN (SELECT to_regtype(c)::oid FROM unnest(ARRAY[%s]) c "
		"WHERE to_regtype(c) IS NOT NULL)",
		names));
}
END_TEST

START_TEST(snapshot_carries)
{
	expect_equal(text("type_%d", _i));
}
END_TEST

START_TEST(declared_type_is_kept)
{
	static const char query[] = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
				    "WHERE attrelid = 'type_%d'::regclass AND attname = 'v'";

	ck_assert_str_eq(sql_text(rig.s, query, _i), sql_text(rig.d, query, _i));
}
END_TEST

START_TEST(changes_carry)
{
	insert_values(_i, 1000);
	expect_equal(text("type_%d", _i));
}
END_TEST

START_TEST(updates_carry)
{
	on_source("UPDATE type_%d t SET v = o.v, a = t.m, m = t.a FROM type_%d o "
		  "WHERE o.id = (SELECT max(id) - 2 FROM type_%d) AND t.id < 1000",
	    _i, _i, _i);
	on_source("UPDATE type_%d SET v = %s WHERE v IS NULL", _i, cases[_i].values[0]);
	expect_equal(text("type_%d", _i));
}
END_TEST

/* Types that only the source has are made at the destination. */
START_TEST(missing_types_are_made)
{
	on_source("CREATE SCHEMA lib");
	on_source("CREATE TYPE lib.size AS ENUM ('s', 'm', 'x l')");
	on_source("CREATE DOMAIN lib.percent AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100)");
	on_source("CREATE TYPE lib.box AS (size lib.size, full_by lib.percent)");
	on_source("CREATE TYPE lib.span AS RANGE (subtype = lib.size)");
	on_source("CREATE TABLE shelf (id int PRIMARY KEY, s lib.size, p lib.percent, b lib.box, "
		  "r lib.span, a lib.box[])");
	on_source("INSERT INTO shelf VALUES (1, 'x l', 99.5, ('m', 1), '[s,m]', ARRAY[('s', "
		  "2)::lib.box])");
	mirror_run("shelf", "public.shelf", "'soft_delete_col_name': ''");
	expect_equal("shelf");
	on_source("INSERT INTO shelf VALUES (2, 's', NULL, (NULL, 1), 'empty', '{}')");
	on_source("INSERT INTO shelf (id) VALUES (3)");
	expect_equal("shelf");
	mirror_drop("shelf");
}
END_TEST

static Suite *
types_suite(void)
{
	Suite *s = suite_create("types");
	TCase *tc = suite_case(s, "types", types_init, types_done, rig_reconnect, NULL);

	suite_test(tc, every_builtin_type_has_a_case);
	suite_loop(tc, declared_type_is_kept, 0, CASES);
	suite_loop(tc, snapshot_carries, 0, CASES);
	suite_loop(tc, changes_carry, 0, CASES);
	suite_loop(tc, updates_carry, 0, CASES);
	suite_test(tc, missing_types_are_made);
	return s;
}

int
main(void)
{
	return suite_main(types_suite());
}
