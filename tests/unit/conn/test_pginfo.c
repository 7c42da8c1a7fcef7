/*
 * What pginfo makes of the catalog's answers. The server is a script: the
 * calls of pgconn.h that pginfo uses are defined here and give out prepared
 * rows in order.
 */
#include <check.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pginfo.h"

#define COLUMN_CELLS 17

struct pgconn {
	struct {
		int ncells;
		const char *cells[8 * COLUMN_CELLS]; /* ends with NULL */
	} answers[3];
	int asked;
};

static PGresult *
answer(struct pgconn *c)
{
	PGresult *res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	int n = c->answers[c->asked].ncells, i;
	PGresAttDesc attrs[COLUMN_CELLS] = { 0 };

	for (i = 0; i < n; i++)
		attrs[i].name = (char *)"";
	PQsetResultAttrs(res, n, attrs);
	for (i = 0; c->answers[c->asked].cells[i] != NULL; i++)
		PQsetvalue(res, i / n, i % n, (char *)c->answers[c->asked].cells[i],
		    (int)strlen(c->answers[c->asked].cells[i]));
	c->asked++;
	return res;
}

PGresult *
pgconn_query(struct pgconn *c, struct err *err, const char *sql, int nparams, ...)
{
	return answer(c);
}

int64_t
pgcell_i64(const PGresult *res, int row, int col)
{
	return strtoll(PQgetvalue(res, row, col), NULL, 10);
}

bool
pgcell_bool(const PGresult *res, int row, int col)
{
	return PQgetvalue(res, row, col)[0] == 't';
}

/* oid, relkind, relpersistence, relreplident, name, key index, system */
#define RELATION(kind, persistence, identity, key)                                       \
	{                                                                                \
		7,                                                                       \
		{                                                                        \
			"16400", kind, persistence, identity, "public.t", key, "f", NULL \
		}                                                                        \
	}

/*
 * name, oid, modifier, type, not null, key, primary, binary, generated, array, collation;
 * what it is made of: oid, modifier, name, kind, dimensions, delimiter
 */
#define COLUMN(name, key, primary, generated)                                                \
	name, "23", "-1", "integer", "t", key, primary, "t", generated, "f", "", "23", "-1", \
	    "int4", "b", "0", ","

static char source[] = "public.t", destination[] = "other.\"u.v\"";

static PeerdbFlow__TableMapping
mapping(void)
{
	PeerdbFlow__TableMapping map = PEERDB_FLOW__TABLE_MAPPING__INIT;

	map.source_table_identifier = source;
	map.destination_table_identifier = destination;
	return map;
}

static void
table_free(PeerdWorker__MirrorTable *t)
{
	protobuf_c_message_free_unpacked(&t->base, NULL);
}

/* ---- what comes out */

static struct pgconn
two_columns(const char *identity, const char *key_index, const char *key)
{
	struct pgconn c = { .answers = {
				RELATION("r", "p", identity, key_index),
				{ COLUMN_CELLS,
				    { COLUMN("a", key, "2", ""), COLUMN("b", "0", "1", ""),
					NULL } },
			    } };

	return c;
}

START_TEST(a_table_is_read)
{
	struct pgconn c = two_columns("d", "16401", "1");
	PeerdbFlow__TableMapping map = mapping();
	PeerdWorker__MirrorTable *t;
	struct err err = ERR_INIT;

	ck_assert_msg(pginfo_load_table(&c, &map, &t, &err), "%s", err.msg);
	ck_assert_uint_eq(t->relid, 16400);
	ck_assert_str_eq(t->source_schema, "public");
	ck_assert_str_eq(t->destination_schema, "other");
	ck_assert_str_eq(t->destination_name, "u.v");
	ck_assert(t->has_key && !t->partitioned);
	ck_assert_uint_eq(t->n_columns, 2);
	ck_assert_str_eq(t->columns[0]->destination_name, "a");
	ck_assert_int_eq(t->columns[0]->key_position, 1);
	ck_assert_int_eq(t->columns[0]->primary_position, 2);
	ck_assert(t->columns[0]->binary && t->columns[0]->not_null);
	ck_assert_uint_eq(t->columns[0]->base_oid, 23);
	ck_assert_str_eq(t->columns[0]->base_name, "int4");
	ck_assert_str_eq(t->columns[0]->base_kind, "b");
	ck_assert_int_eq(t->columns[0]->base_modifier, -1);
	ck_assert_int_eq(t->columns[0]->dimensions, 0);
	table_free(t);
}
END_TEST

START_TEST(full_identity_without_a_key_matches_whole_rows)
{
	struct pgconn c = two_columns("f", "0", "0");
	PeerdbFlow__TableMapping map = mapping();
	PeerdWorker__MirrorTable *t;
	struct err err = ERR_INIT;

	ck_assert_msg(pginfo_load_table(&c, &map, &t, &err), "%s", err.msg);
	ck_assert(!t->has_key);
	table_free(t);
}
END_TEST

START_TEST(full_identity_survives_an_excluded_key)
{
	struct pgconn c = { .answers = {
				RELATION("r", "p", "f", "16401"),
				{ COLUMN_CELLS,
				    { COLUMN("a", "1", "1", ""), COLUMN("b", "2", "2", ""),
					NULL } },
			    } };
	PeerdbFlow__TableMapping map = mapping();
	char *exclude[] = { (char *)"a" };
	PeerdWorker__MirrorTable *t;
	struct err err = ERR_INIT;

	map.n_exclude = 1;
	map.exclude = exclude;
	ck_assert_msg(pginfo_load_table(&c, &map, &t, &err), "%s", err.msg);
	ck_assert(!t->has_key);
	ck_assert_uint_eq(t->n_columns, 1);
	ck_assert_int_eq(t->columns[0]->key_position, 0);
	ck_assert_int_eq(t->columns[0]->primary_position, 0);
	ck_assert_str_eq(t->excluded[0], "a");
	table_free(t);
}
END_TEST

START_TEST(columns_are_renamed)
{
	struct pgconn c = two_columns("d", "16401", "1");
	PeerdbFlow__ColumnSetting setting = PEERDB_FLOW__COLUMN_SETTING__INIT;
	PeerdbFlow__ColumnSetting *settings[] = { &setting };
	PeerdbFlow__TableMapping map = mapping();
	PeerdWorker__MirrorTable *t;
	struct err err = ERR_INIT;

	setting.source_name = (char *)"b";
	setting.destination_name = (char *)"B 2";
	map.n_columns = 1;
	map.columns = settings;
	ck_assert_msg(pginfo_load_table(&c, &map, &t, &err), "%s", err.msg);
	ck_assert_str_eq(t->columns[1]->name, "b");
	ck_assert_str_eq(t->columns[1]->destination_name, "B 2");
	table_free(t);

	c.asked = 0;
	setting.destination_name = (char *)"a";
	ck_assert(!pginfo_load_table(&c, &map, &t, &err));
	ck_assert_str_eq(err.msg,
	    "two columns of public.t would both be named \"a\" on the destination");
}
END_TEST

START_TEST(a_snapshot_alone_needs_no_key)
{
	struct pgconn c = two_columns("d", "0", "0");
	PeerdbFlow__FlowConnectionConfigs cfg = PEERDB_FLOW__FLOW_CONNECTION_CONFIGS__INIT;
	PeerdWorker__SetupDone *done = malloc(sizeof(*done));
	PeerdbFlow__TableMapping map = mapping(), *maps[] = { &map };
	struct err err = ERR_INIT;

	peerd_worker__setup_done__init(done);
	cfg.n_table_mappings = 1;
	cfg.table_mappings = maps;
	ck_assert(!pginfo_load_tables(&c, &cfg, done, &err));
	ck_assert_uint_eq(done->n_tables, 0);
	c.asked = 0;
	cfg.initial_snapshot_only = true;
	ck_assert_msg(pginfo_load_tables(&c, &cfg, done, &err), "%s", err.msg);
	ck_assert_uint_eq(done->n_tables, 1);
	ck_assert(!done->tables[0]->has_key);
	protobuf_c_message_free_unpacked(&done->base, NULL);
}
END_TEST

/* ---- what is refused */

static const struct {
	struct pgconn server;
	const char *exclude;
	const char *msg, *hint;
} refused[] = {
	{ { .answers = { { 7, { NULL } } } }, NULL, "source tables do not exist: public.t",
	    "case-sensitive" },
	{ { .answers = { RELATION("v", "p", "d", "0") } }, NULL,
	    "public.t is a view, only tables can be mirrored", "" },
	{ { .answers = { RELATION("f", "p", "d", "0") } }, NULL,
	    "public.t is a foreign table, only tables can be mirrored", "" },
	{ { .answers = { RELATION("r", "u", "d", "16401") } }, NULL,
	    "public.t is unlogged, its changes are not in the WAL", "SET LOGGED" },
	{ { .answers = { RELATION("r", "p", "d", "0"),
		{ COLUMN_CELLS, { COLUMN("a", "0", "0", ""), NULL } } } },
	    NULL, "public.t has no replica identity, its changes cannot be followed",
	    "ALTER TABLE public.t ADD PRIMARY KEY (...)" },
	{ { .answers = { RELATION("r", "p", "n", "0"),
		{ COLUMN_CELLS, { COLUMN("a", "0", "1", ""), NULL } } } },
	    NULL, "public.t has no replica identity, its changes cannot be followed",
	    "ALTER TABLE public.t REPLICA IDENTITY DEFAULT" },
	{ { .answers = { RELATION("r", "p", "d", "16401"),
		{ COLUMN_CELLS,
		    { COLUMN("a", "1", "1", ""), COLUMN("b", "0", "0", ""), NULL } } } },
	    "a", "column \"a\" belongs to the key of public.t and is excluded", "take it out" },
	{ { .answers = { RELATION("r", "p", "d", "16401"),
		{ COLUMN_CELLS, { COLUMN("a", "1", "1", "1 + 1"), NULL } } } },
	    NULL,
	    "column \"a\" belongs to the key of public.t and is generated, so its value does not"
	    " travel",
	    "REPLICA IDENTITY FULL" },
	{ { .answers = { RELATION("r", "p", "d", "16401"),
		{ COLUMN_CELLS, { COLUMN("a", "1", "1", ""), NULL } } } },
	    "x", "excluded column \"x\" does not exist in public.t", "" },
	{ { .answers = { RELATION("r", "p", "f", "0"),
		{ COLUMN_CELLS, { COLUMN("a", "0", "0", ""), NULL } } } },
	    "a", "no column of public.t is left to mirror", "" },
	{ { .answers = { RELATION("p", "p", "d", "16401"),
		{ COLUMN_CELLS, { COLUMN("a", "1", "1", ""), NULL } },
		{ 2, { "public.t1", "r", NULL } } } },
	    NULL, "partition public.t1 of public.t does not log what its rows are identified by",
	    "ALTER TABLE public.t1 REPLICA IDENTITY FULL" },
	{ { .answers = { RELATION("p", "p", "d", "16401"),
		{ COLUMN_CELLS, { COLUMN("a", "1", "1", ""), NULL } },
		{ 2, { "public.t1", "f", NULL } } } },
	    NULL, "partition public.t1 of public.t is a foreign table, its rows cannot be mirrored",
	    "" },
};

START_TEST(refuses_in_words)
{
	struct pgconn c = refused[_i].server;
	char *exclude[] = { (char *)refused[_i].exclude };
	PeerdbFlow__TableMapping map = mapping();
	PeerdWorker__MirrorTable *t = NULL;
	struct err err = ERR_INIT;

	map.n_exclude = exclude[0] != NULL;
	map.exclude = exclude;
	ck_assert(!pginfo_load_table(&c, &map, &t, &err));
	ck_assert_ptr_null(t);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_str_eq(err.msg, refused[_i].msg);
	ck_assert_msg(strstr(err.hint, refused[_i].hint) != NULL, "hint: %s", err.hint);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pginfo");
	TCase *tc = tcase_create("pginfo");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, a_table_is_read);
	tcase_add_test(tc, full_identity_without_a_key_matches_whole_rows);
	tcase_add_test(tc, full_identity_survives_an_excluded_key);
	tcase_add_test(tc, columns_are_renamed);
	tcase_add_test(tc, a_snapshot_alone_needs_no_key);
	tcase_add_loop_test(tc, refuses_in_words, 0, sizeof(refused) / sizeof(refused[0]));
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
