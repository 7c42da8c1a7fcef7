#include "lib/sink/ch_ddl.h"
#include "tests/unit/sink/ch_fixture.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/*
 * public.t: id integer not null (key), part text not null, note date; its
 * mapping and mirror are the test's to change before table() is called.
 */
static PeerdWorker__MirrorTable def;
static PeerdbFlow__TableMapping map;
static PeerdbFlow__ColumnSetting settings[3];
static PeerdbFlow__FlowConnectionConfigs mirror;
static struct ch_place place;

static void
begin(const char *version)
{
	static PeerdWorker__Column *cols[3];
	static PeerdbFlow__ColumnSetting *set[3];
	static PeerdbFlow__TableMapping *maps = &map;
	int i;

	fx_begin(version);
	peerd_worker__mirror_table__init(&def);
	peerdb_flow__table_mapping__init(&map);
	peerdb_flow__flow_connection_configs__init(&mirror);
	cols[0] = fx_column("id", "int4", 23, 'b', 0);
	cols[1] = fx_column("part", "text", 25, 'b', 0);
	cols[2] = fx_column("note", "date", 1082, 'b', 0);
	cols[0]->key_position = 1;
	cols[0]->not_null = cols[1]->not_null = true;
	for (i = 0; i < 3; i++) {
		peerdb_flow__column_setting__init(&settings[i]);
		settings[i].source_name = cols[i]->name;
		set[i] = &settings[i];
	}
	def.source_schema = arena_strdup(fx.a, "public");
	def.source_name = arena_strdup(fx.a, "t");
	def.destination_schema = arena_strdup(fx.a, "");
	def.destination_name = arena_strdup(fx.a, "t");
	def.columns = cols;
	def.n_columns = 3;
	map.source_table_identifier = arena_strdup(fx.a, "public.t");
	map.columns = set;
	map.n_columns = 3;
	mirror.table_mappings = &maps;
	mirror.n_table_mappings = 1;
	place = (struct ch_place){ .database = "db", .cluster = "" };
}

static struct ch_table *
try_table(void)
{
	struct ch_table_config cfg = { &mirror, &fx.opt, &fx.caps, place };
	struct ch_table *ct = NULL;

	err_clear(&fx.err);
	if (!ch_table_new(fx.a, &cfg, table_new(fx.a, 0, &def), &ct, &fx.err))
		return NULL;
	return ct;
}

static struct ch_table *
table(void)
{
	struct ch_table *ct = try_table();

	ck_assert_msg(ct != NULL, "%s", fx.err.msg);
	return ct;
}

static const char *
create(void)
{
	struct ch_statements list;

	ck_assert(ch_ddl_create(table(), "", CH_CREATE_IF_MISSING, fx.a, &list, &fx.err));
	return list.sql[0];
}

/* What stands in it from a word on. */
static const char *
from(const char *sql, const char *word)
{
	const char *p = strstr(sql, word);

	ck_assert_msg(p != NULL, "no %s in %s", word, sql);
	return p;
}

/* ---- CREATE TABLE */

#define DROP_SETTINGS " SETTINGS max_table_size_to_drop = 0"

START_TEST(a_table_on_a_current_server)
{
	begin(CURRENT);
	ck_assert_str_eq(create(),
	    "CREATE TABLE IF NOT EXISTS `db`.`t` (`id` Int32, `part` String, "
	    "`note` Nullable(Date32), `_peerdb_synced_at` DateTime64(9) DEFAULT now64(), "
	    "`_peerdb_is_deleted` UInt8, `_peerdb_version` UInt64) "
	    "ENGINE = ReplacingMergeTree(`_peerdb_version`, `_peerdb_is_deleted`) "
	    "ORDER BY (`id`) SETTINGS non_replicated_deduplication_window = 10000");
	fx_end();
}
END_TEST

START_TEST(a_table_on_the_oldest_server)
{
	begin(OLDEST);
	ck_assert_str_eq(create(),
	    "CREATE TABLE IF NOT EXISTS `db`.`t` (`id` Int32, `part` String, "
	    "`note` Nullable(Date), `_peerdb_synced_at` DateTime DEFAULT now(), "
	    "`_peerdb_is_deleted` UInt8, `_peerdb_version` UInt64) "
	    "ENGINE = ReplacingMergeTree(`_peerdb_version`) ORDER BY (`id`)");
	fx_end();
}
END_TEST

static const struct {
	PeerdbFlow__TableEngine engine;
	bool replicated;
	const char *sql;
} engines[] = {
	{ PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_MERGE_TREE, false, "ENGINE = MergeTree() ORDER BY" },
	{ PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_NULL, true, "ENGINE = Null" },
	{ PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_COALESCING_MERGE_TREE, false,
	    "ENGINE = CoalescingMergeTree() ORDER BY" },
	{ PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLICATED_MERGE_TREE, false,
	    "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}') "
	    "ORDER BY" },
	{ PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLACING_MERGE_TREE, true,
	    "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', "
	    "'{replica}', `_peerdb_version`, `_peerdb_is_deleted`) ORDER BY" },
};

START_TEST(engines_of_the_mapping)
{
	const char *sql;

	begin(CURRENT);
	map.engine = engines[_i].engine;
	place.replicated = engines[_i].replicated;
	sql = from(create(), "ENGINE");
	ck_assert_msg(strncmp(sql, engines[_i].sql, strlen(engines[_i].sql)) == 0, "%s", sql);
	fx_end();
}
END_TEST

START_TEST(an_engine_the_server_lacks_is_refused)
{
	begin(OLDEST);
	map.engine = PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_COALESCING_MERGE_TREE;
	ck_assert_ptr_null(try_table());
	ck_assert_int_eq(fx.err.code, ERR_CONFIG);
	fx_end();
}
END_TEST

START_TEST(ordering_comes_before_the_rest_of_the_key)
{
	begin(CURRENT);
	settings[1].ordering = 2;
	settings[2].ordering = 1;
	ck_assert_str_eq(from(create(), "ORDER"),
	    "ORDER BY (`note`, `part`, `id`) SETTINGS allow_nullable_key = 1, "
	    "non_replicated_deduplication_window = 10000");
	map.engine = PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_MERGE_TREE;
	ck_assert(strncmp(from(create(), "ORDER"), "ORDER BY (`note`, `part`) ", 26) == 0);
	fx_end();
}
END_TEST

START_TEST(key_columns_keep_their_declared_order)
{
	begin(CURRENT);
	def.columns[1]->key_position = 1;
	def.columns[0]->key_position = 2;
	ck_assert(strncmp(from(create(), "ORDER"), "ORDER BY (`part`, `id`) ", 24) == 0);
	fx_end();
}
END_TEST

START_TEST(a_table_without_a_key)
{
	begin(CURRENT);
	def.columns[0]->key_position = 0;
	ck_assert(strncmp(from(create(), "ORDER"), "ORDER BY (`id`, `part`, `note`) ", 32) == 0);
	mirror.initial_snapshot_only = true; /* equal rows stay apart */
	ck_assert(
	    strncmp(from(create(), "ENGINE"), "ENGINE = MergeTree() ORDER BY tuple() ", 38) == 0);
	fx_end();
}
END_TEST

START_TEST(an_old_server_refuses_null_in_the_key)
{
	struct ch_statements list;

	begin(OLDEST);
	settings[2].ordering = 1;
	ck_assert(!ch_ddl_create(table(), "", CH_CREATE_IF_MISSING, fx.a, &list, &fx.err));
	ck_assert_int_eq(fx.err.code, ERR_CONFIG);
	ck_assert(strstr(fx.err.msg, "\"note\"") != NULL);
	fx_end();
}
END_TEST

START_TEST(partitions)
{
	begin(CURRENT);
	settings[0].partitioning = 2;
	settings[1].partitioning = 1;
	ck_assert(strstr(create(), " PARTITION BY (`part`, `id`) ORDER BY (`id`) ") != NULL);
	map.partition_by_expr = arena_strdup(fx.a, "toYYYYMM(note)");
	ck_assert(strstr(create(), " PARTITION BY (toYYYYMM(note)) ORDER BY") != NULL);
	fx_end();
}
END_TEST

START_TEST(columns_that_peerd_adds_have_names_of_the_mirror)
{
	begin(CURRENT);
	mirror.soft_delete_col_name = arena_strdup(fx.a, "Gone");
	mirror.synced_at_col_name = arena_strdup(fx.a, "");
	fx.opt.source_schema = true;
	ck_assert(strstr(create(),
		      "`_peerdb_source_schema` LowCardinality(String), `Gone` UInt8, "
		      "`_peerdb_version` UInt64)") != NULL);
	ck_assert(strstr(create(), "ORDER BY (`_peerdb_source_schema`, `id`)") != NULL);
	ck_assert_str_eq(ch_ddl_insert(table(), "_resync", fx.a),
	    "INSERT INTO `db`.`t_resync` (`id`, `part`, `note`, `_peerdb_source_schema`, `Gone`, "
	    "`_peerdb_version`) FORMAT RowBinary");
	mirror.soft_delete_col_name = arena_strdup(fx.a, "part");
	ck_assert_ptr_null(try_table());
	ck_assert_int_eq(fx.err.code, ERR_CONFIG);
	fx_end();
}
END_TEST

START_TEST(a_generated_column_is_left_out)
{
	begin(CURRENT);
	def.columns[1]->generated = arena_strdup(fx.a, "id::text");
	ck_assert_str_eq(ch_ddl_insert(table(), "", fx.a),
	    "INSERT INTO `db`.`t` (`id`, `note`, `_peerdb_is_deleted`, `_peerdb_version`) "
	    "FORMAT RowBinary");
	fx_end();
}
END_TEST

START_TEST(on_a_cluster_a_table_is_two)
{
	struct ch_statements list;

	begin(CURRENT);
	place.cluster = "c'1";
	map.sharding_key = arena_strdup(fx.a, "cityHash64(id)");
	map.policy_name = arena_strdup(fx.a, "fast");
	ck_assert(ch_ddl_create(table(), "", CH_CREATE_ANEW, fx.a, &list, &fx.err));
	ck_assert_uint_eq(list.n, 4);
	ck_assert_str_eq(list.sql[0],
	    "DROP TABLE IF EXISTS `db`.`t` ON CLUSTER `c'1` SYNC" DROP_SETTINGS);
	ck_assert_str_eq(list.sql[1],
	    "DROP TABLE IF EXISTS `db`.`t_shard` ON CLUSTER `c'1` SYNC" DROP_SETTINGS);
	ck_assert(strncmp(list.sql[2],
		      "CREATE TABLE IF NOT EXISTS `db`.`t_shard` ON CLUSTER `c'1` (`id`", 62) == 0);
	ck_assert_str_eq(from(list.sql[3], "ENGINE"),
	    "ENGINE = Distributed('c\\'1', 'db', 't_shard', cityHash64(id), 'fast')");
	ch_ddl_truncate(table(), "", fx.a, &list);
	ck_assert_str_eq(list.sql[0], "TRUNCATE TABLE `db`.`t_shard` ON CLUSTER `c'1`");
	fx_end();
}
END_TEST

/* ---- other statements */

START_TEST(an_insert_may_have_a_fence)
{
	begin(CURRENT);
	ck_assert_str_eq(ch_ddl_insert_fenced(table(), "_peerd_load_1_m", fx.a),
	    "INSERT INTO `db`.`t` (`id`, `part`, `note`, `_peerdb_is_deleted`, `_peerdb_version`, "
	    "`_peerd_load_1_m`) FORMAT RowBinary");
	ck_assert_str_eq(ch_ddl_insert_fenced(table(), NULL, fx.a),
	    ch_ddl_insert(table(), "", fx.a));
	fx_end();
}
END_TEST

START_TEST(swapping)
{
	struct ch_statements list;

	begin(CURRENT);
	ch_ddl_swap(table(), "_resync", fx.a, &list);
	ck_assert_uint_eq(list.n, 2);
	ck_assert_str_eq(list.sql[0], "EXCHANGE TABLES `db`.`t_resync` AND `db`.`t`");
	ck_assert_str_eq(list.sql[1], "DROP TABLE IF EXISTS `db`.`t_resync` SYNC" DROP_SETTINGS);
	fx_end();
	begin(OLDEST);
	ch_ddl_swap(table(), "_resync", fx.a, &list);
	ck_assert_str_eq(list.sql[0],
	    "RENAME TABLE `db`.`t` TO `db`.`t_peerdb_old`, `db`.`t_resync` TO `db`.`t`, "
	    "`db`.`t_peerdb_old` TO `db`.`t_resync`");
	ck_assert_str_eq(list.sql[1], "DROP TABLE IF EXISTS `db`.`t_resync`");
	fx_end();
}
END_TEST

START_TEST(adding_a_column)
{
	struct ch_statements list;
	struct ch_column c;

	begin(CURRENT);
	ck_assert(fx_init(&c, fx_column("n`\tw", "int4", 23, 'b', 0), NULL));
	ch_ddl_add_column(table(), &c, NULL, fx.a, &list);
	ck_assert_str_eq(list.sql[0],
	    "ALTER TABLE `db`.`t` ADD COLUMN IF NOT EXISTS `n\\`\\tw` Nullable(Int32)");
	ch_ddl_add_column(table(), &c, "it's", fx.a, &list);
	ck_assert(strstr(list.sql[0], " DEFAULT CAST('it\\'s' AS Nullable(Int32))") != NULL);
	fx_end();
}
END_TEST

START_TEST(names)
{
	struct {
		const char *schema, *name, *expected;
	} rows[] = {
		{ "", "orders", "orders" },
		{ "public", "orders", "public.orders" },
		{ NULL, "a b", "a b" },
		{ "x", "", NULL },
	};
	char to[CH_NAME_MAX + 1], longest[CH_NAME_MAX + 2];
	size_t i;

	begin(CURRENT);
	for (i = 0; i < N(rows); i++) {
		def.destination_schema = (char *)rows[i].schema;
		def.destination_name = (char *)rows[i].name;
		ck_assert_int_eq(ch_table_name(&def, to, &fx.err), rows[i].expected != NULL);
		if (rows[i].expected != NULL)
			ck_assert_str_eq(to, rows[i].expected);
	}
	memset(longest, 'x', sizeof(longest));
	longest[CH_NAME_MAX + 1] = '\0';
	def.destination_schema = NULL;
	def.destination_name = longest;
	ck_assert(!ch_table_name(&def, to, &fx.err));
	longest[CH_NAME_MAX] = '\0';
	ck_assert(ch_table_name(&def, to, &fx.err));
	fx_end();
}
END_TEST

/* ---- tables that exist */

#define GOOD_ENGINE "ReplacingMergeTree"
#define GOOD_FULL   "ReplacingMergeTree(_peerdb_version, _peerdb_is_deleted) ORDER BY id"

static const struct {
	const char *engine, *full, *sorting_key, *id, *note, *note_kind;
	const char *complaint; /* NULL: it will do */
} found[] = {
	{ GOOD_ENGINE, GOOD_FULL, "id", "Int32", "Nullable(Date32)", "", NULL },
	{ GOOD_ENGINE, GOOD_FULL, "part, id", "Int64", "String", "DEFAULT", NULL },
	{ "SharedReplacingMergeTree", GOOD_FULL, "id", "Int32", "Date", "", NULL },
	{ "ReplicatedReplacingMergeTree", GOOD_FULL, "id", "Int32", "Date32", "", NULL },
	{ "Distributed", "", "", "Int32", "Date32", "", NULL },
	{ "MergeTree", "", "id", "Int32", "Date32", "", "its engine is MergeTree" },
	{ "Log", "", "", "Int32", "Date32", "", "its engine is Log" },
	{ GOOD_ENGINE, "ReplacingMergeTree ORDER BY id", "id", "Int32", "Date32", "",
	    "does not go by _peerdb_version" },
	{ GOOD_ENGINE, GOOD_FULL, "idx, toDate(id)", "Int32", "Date32", "",
	    "column \"id\" of the key is not in its ORDER BY" },
	{ GOOD_ENGINE, GOOD_FULL, "id", "UUID", "Date32", "",
	    "column \"id\" is UUID, which does not hold int4; Int32 does" },
	{ GOOD_ENGINE, GOOD_FULL, "id", "Map(String, String)", "Date32", "",
	    "column \"id\" is Map(String, String)" },
	{ GOOD_ENGINE, GOOD_FULL, "id", "Int32", "Date32", "ALIAS", "column \"note\" is ALIAS" },
	{ GOOD_ENGINE, GOOD_FULL, "id", "Int32", NULL, "",
	    "column \"note\" Nullable(Date32) is missing" },
};

START_TEST(tables_that_exist_are_checked)
{
	struct ch_found_column cols[] = {
		{ "_peerdb_version", "UInt64", "" },
		{ "_peerdb_is_deleted", "UInt8", "" },
		{ "id", found[_i].id, "" },
		{ "part", "String", "" },
		{ "extra", "Map(String, String)", "" },
		{ "note", found[_i].note, found[_i].note_kind },
	};
	struct ch_found_table t = { found[_i].engine, found[_i].full, found[_i].sorting_key, cols,
		N(cols) - (found[_i].note == NULL) };
	struct ch_table *ct;
	bool ok;

	begin(CURRENT);
	ct = table();
	ok = ch_ddl_check(ct, &t, &fx.err);
	ck_assert_msg(ok == (found[_i].complaint == NULL), "%s", fx.err.msg);
	if (ok) {
		ck_assert_str_eq(fx_type(&ct->cols[2]), found[_i].note);
	} else {
		ck_assert_int_eq(fx.err.code, ERR_CONFIG);
		ck_assert_msg(strstr(fx.err.msg, found[_i].complaint) != NULL, "%s", fx.err.msg);
	}
	fx_end();
}
END_TEST

START_TEST(all_that_is_wrong_is_said)
{
	struct ch_found_column cols[] = { { "id", "UUID", "" } };
	struct ch_found_table t = { "MergeTree", "", "id", cols, 1 };

	begin(CURRENT);
	ck_assert(!ch_ddl_check(table(), &t, &fx.err));
	ck_assert(strstr(fx.err.msg, "engine") != NULL);
	ck_assert(strstr(fx.err.msg, "\"id\"") != NULL);
	ck_assert(strstr(fx.err.msg, "\"part\" String is missing") != NULL);
	ck_assert(strstr(fx.err.msg, "\"_peerdb_version\" UInt64 is missing") != NULL);
	fx_end();
}
END_TEST

START_TEST(questions_quote_names)
{
	begin(CURRENT);
	def.destination_name = arena_strdup(fx.a, "o'b\\");
	ck_assert_str_eq(ch_ddl_table_query(table(), fx.a),
	    "SELECT engine, engine_full, sorting_key FROM system.tables WHERE database = 'db' "
	    "AND name = 'o\\'b\\\\'");
	fx_end();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ch_ddl");
	TCase *tc = tcase_create("statements"), *check = tcase_create("existing tables");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, a_table_on_a_current_server);
	tcase_add_test(tc, a_table_on_the_oldest_server);
	tcase_add_loop_test(tc, engines_of_the_mapping, 0, N(engines));
	tcase_add_test(tc, an_engine_the_server_lacks_is_refused);
	tcase_add_test(tc, ordering_comes_before_the_rest_of_the_key);
	tcase_add_test(tc, key_columns_keep_their_declared_order);
	tcase_add_test(tc, a_table_without_a_key);
	tcase_add_test(tc, an_old_server_refuses_null_in_the_key);
	tcase_add_test(tc, partitions);
	tcase_add_test(tc, columns_that_peerd_adds_have_names_of_the_mirror);
	tcase_add_test(tc, a_generated_column_is_left_out);
	tcase_add_test(tc, on_a_cluster_a_table_is_two);
	tcase_add_test(tc, an_insert_may_have_a_fence);
	tcase_add_test(tc, swapping);
	tcase_add_test(tc, adding_a_column);
	tcase_add_test(tc, names);
	suite_add_tcase(s, tc);
	tcase_add_loop_test(check, tables_that_exist_are_checked, 0, N(found));
	tcase_add_test(check, all_that_is_wrong_is_said);
	tcase_add_test(check, questions_quote_names);
	suite_add_tcase(s, check);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
