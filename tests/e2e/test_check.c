/*
 * What a mirror needs of its servers: each thing that can be missing is refused
 * with the cause and the next step, and looking leaves nothing behind.
 */
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/probe.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define ROLE	 "app_role"
#define ROLE_SQL "CREATE ROLE " ROLE " LOGIN REPLICATION PASSWORD '" PROBE_ROLE_PASSWORD "'; "

static void
fresh(const struct cluster *c, PGconn **conn_r)
{
	PGconn *admin;

	cluster_wipe(c);
	admin = cluster_connect(c, "postgres");
	sql_exec(admin, "CREATE DATABASE app");
	sql_close(&admin);
	*conn_r = cluster_connect(c, "app");
}

static void
databases_init(void)
{
	fresh(rig.source, &rig.s);
	fresh(rig.destination, &rig.d);
	sql_exec(rig.s, "CREATE TABLE t (id int PRIMARY KEY, v text)");
}

static void
databases_done(void)
{
	sql_close(&rig.s);
	sql_close(&rig.d);
}

struct check_case {
	const char *name;
	const char *source, *destination;   /* statements, or NULL */
	const char *mapping;		    /* NULL: public.t to public.t */
	const char *options;		    /* more of connection_configs, ", ..." */
	bool source_role, destination_role; /* connect as ROLE */
	enum err_code code;
	const char *words, *hint;
};

static const char plain_mapping[] = "{'source_table_identifier': 'public.t', "
				    "'destination_table_identifier': 'public.t'}";

static const struct probe_answer *
validate(const struct check_case *cc, const char *source, const char *destination)
{
	struct probe_ask ask = { .method = "ValidateCDCMirror",
		.peer = source,
		.destination = destination };

	ask.request = json("{'connection_configs': {'flow_job_name': 'm', 'source_name': 'src', "
			   "'destination_name': 'dst', 'do_initial_snapshot': true, "
			   "'table_mappings': [%s]%s}}",
	    cc->mapping != NULL ? cc->mapping : plain_mapping,
	    cc->options != NULL ? cc->options : "");
	return probe_ask(&ask);
}

static void
expect_nothing_left(void)
{
	ck_assert_str_eq("",
	    sql_text(rig.s,
		"SELECT coalesce(string_agg(slot_name, ','), '') FROM pg_replication_slots "
		"WHERE slot_name LIKE 'peerflow%%' AND slot_name <> 'peerflow_slot_m'"));
	ck_assert_str_eq("",
	    sql_text(rig.s,
		"SELECT coalesce(string_agg(pubname, ','), '') FROM pg_publication "
		"WHERE pubname LIKE 'peer%%'"));
	ck_assert_str_eq("",
	    sql_text(rig.d,
		"SELECT coalesce(string_agg(nspname, ','), '') FROM pg_namespace "
		"WHERE nspname LIKE '\\_peerdb%%'"));
}

static const struct probe_answer *
run_case(const struct check_case *cc)
{
	if (cc->source != NULL)
		sql_exec(rig.s, "%s", cc->source);
	if (cc->destination != NULL)
		sql_exec(rig.d, "%s", cc->destination);
	return validate(cc,
	    probe_peer_json(rig.source, "src", "app", cc->source_role ? ROLE : NULL),
	    probe_peer_json(rig.destination, "dst", "app", cc->destination_role ? ROLE : NULL));
}

static const struct check_case refused[] = {
	/* the configuration */
	{ .name = "no schema",
	    .mapping =
		"{'source_table_identifier': 't', 'destination_table_identifier': 'public.t'}",
	    .code = ERR_CONFIG,
	    .words = "expected schema.table" },
	{ .name = "a source twice",
	    .mapping = "{'source_table_identifier': 'public.t', "
		       "'destination_table_identifier': 'public.a'}, "
		       "{'source_table_identifier': 'public.t', "
		       "'destination_table_identifier': 'public.b'}",
	    .code = ERR_INVALID,
	    .words = "source table public.t is in table_mappings twice" },
	{ .name = "reserved destination schema",
	    .mapping = "{'source_table_identifier': 'public.t', "
		       "'destination_table_identifier': 'pg_catalog.t'}",
	    .code = ERR_CONFIG,
	    .words = "belongs to the server" },
	{ .name = "missing table, snapshot only",
	    .options = ", 'initial_snapshot_only': true",
	    .mapping = "{'source_table_identifier': 'public.nope', "
		       "'destination_table_identifier': 'public.t'}",
	    .code = ERR_CONFIG,
	    .words = "source tables do not exist: public.nope" },
	{ .name = "unknown excluded column",
	    .mapping = "{'source_table_identifier': 'public.t', "
		       "'destination_table_identifier': 'public.t', 'exclude': ['nope']}",
	    .code = ERR_CONFIG,
	    .words = "excluded column \"nope\" does not exist in public.t" },
	{ .name = "excluded key",
	    .mapping = "{'source_table_identifier': 'public.t', "
		       "'destination_table_identifier': 'public.t', 'exclude': ['id']}",
	    .code = ERR_CONFIG,
	    .words = "\"id\" belongs to the key",
	    .hint = "REPLICA IDENTITY FULL" },
	{ .name = "own column's name is taken",
	    .options = ", 'synced_at_col_name': 'v'",
	    .code = ERR_CONFIG,
	    .words = "synced_at_col_name",
	    .hint = "another name" },

	/* the source's tables */
	{ .name = "view",
	    .source = "CREATE VIEW w AS SELECT 1 AS a",
	    .mapping = "{'source_table_identifier': 'public.w', "
		       "'destination_table_identifier': 'public.w'}",
	    .code = ERR_CONFIG,
	    .words = "public.w is a view" },
	{ .name = "unlogged",
	    .source = "ALTER TABLE t SET UNLOGGED",
	    .code = ERR_CONFIG,
	    .words = "unlogged",
	    .hint = "SET LOGGED" },
	{ .name = "no key",
	    .source = "ALTER TABLE t DROP CONSTRAINT t_pkey",
	    .code = ERR_CONFIG,
	    .words = "public.t has no replica identity",
	    .hint = "ALTER TABLE public.t ADD PRIMARY KEY" },
	{ .name = "identity nothing",
	    .source = "ALTER TABLE t REPLICA IDENTITY NOTHING",
	    .code = ERR_CONFIG,
	    .words = "has no replica identity",
	    .hint = "ALTER TABLE public.t REPLICA IDENTITY DEFAULT" },
	{ .name = "deferrable key",
	    .source = "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id) DEFERRABLE",
	    .code = ERR_CONFIG,
	    .words = "has no replica identity",
	    .hint = "deferrable" },
	{ .name = "a partition without the root's identity",
	    .source = "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); "
		      "CREATE TABLE p1 PARTITION OF p DEFAULT; "
		      "ALTER TABLE p1 REPLICA IDENTITY NOTHING",
	    .mapping = "{'source_table_identifier': 'public.p', "
		       "'destination_table_identifier': 'public.p'}",
	    .code = ERR_CONFIG,
	    .words = "partition public.p1 of public.p",
	    .hint = "ALTER TABLE public.p1 REPLICA IDENTITY FULL" },

	/* rights on the source */
	{ .name = "no replication right",
	    .source = "CREATE ROLE " ROLE " LOGIN PASSWORD '" PROBE_ROLE_PASSWORD "'",
	    .source_role = true,
	    .code = ERR_CONFIG,
	    .words = "may not start replication",
	    .hint = "ALTER ROLE \"app_role\" REPLICATION" },
	{ .name = "no right to read",
	    .source = ROLE_SQL "GRANT CREATE ON DATABASE app TO " ROLE,
	    .source_role = true,
	    .code = ERR_CONFIG,
	    .words = "may not read column id of public.t",
	    .hint = "GRANT SELECT ON public.t TO app_role" },
	{ .name = "no right on the schema",
	    .source = ROLE_SQL "CREATE SCHEMA hidden; CREATE TABLE hidden.h (id int PRIMARY KEY)",
	    .mapping = "{'source_table_identifier': 'hidden.h', "
		       "'destination_table_identifier': 'public.h'}",
	    .source_role = true,
	    .code = ERR_CONFIG,
	    .words = "may not use schema hidden",
	    .hint = "GRANT USAGE ON SCHEMA hidden TO app_role" },
	{ .name = "row security",
	    .source = ROLE_SQL "GRANT SELECT ON t TO " ROLE
			       "; ALTER TABLE t ENABLE ROW LEVEL SECURITY",
	    .source_role = true,
	    .code = ERR_CONFIG,
	    .words = "row-level security hides rows of public.t",
	    .hint = "BYPASSRLS" },
	{ .name = "no right to publish",
	    .source = ROLE_SQL "GRANT SELECT ON t TO " ROLE,
	    .source_role = true,
	    .code = ERR_CONFIG,
	    .words = "may not create a publication",
	    .hint = "GRANT CREATE ON DATABASE \"app\" TO \"app_role\"" },
	{ .name = "not the owner",
	    .source = ROLE_SQL "GRANT SELECT ON t TO " ROLE
			       "; GRANT CREATE ON DATABASE app TO " ROLE,
	    .source_role = true,
	    .code = ERR_CONFIG,
	    .words = "does not own public.t",
	    .hint = "CREATE PUBLICATION \"peerflow_pub_m\" FOR TABLE \"public\".\"t\"" },

	/* a given publication */
	{ .name = "unknown publication",
	    .options = ", 'publication_name': 'p'",
	    .code = ERR_CONFIG,
	    .words = "publication \"p\" does not exist",
	    .hint = "CREATE PUBLICATION \"p\" FOR TABLE \"public\".\"t\"" },
	{ .name = "publication without the table",
	    .source = "CREATE PUBLICATION p",
	    .options = ", 'publication_name': 'p'",
	    .code = ERR_CONFIG,
	    .words = "tables are not in publication \"p\": public.t",
	    .hint = "ALTER PUBLICATION \"p\" ADD TABLE public.t" },
	{ .name = "publication of inserts",
	    .source = "CREATE PUBLICATION p FOR TABLE t WITH (publish = 'insert')",
	    .options = ", 'publication_name': 'p'",
	    .code = ERR_CONFIG,
	    .words = "does not publish insert, update and delete",
	    .hint = "SET (publish = " },
	{ .name = "publication with a row filter",
	    .source = "CREATE PUBLICATION p FOR TABLE t WHERE (id > 3)",
	    .options = ", 'publication_name': 'p'",
	    .code = ERR_CONFIG,
	    .words = "leaves out rows of public.t" },
	{ .name = "publication with a column list",
	    .source = "CREATE PUBLICATION p FOR TABLE t (id)",
	    .options = ", 'publication_name': 'p'",
	    .code = ERR_CONFIG,
	    .words = "leaves out column \"v\" of public.t" },
	{ .name = "publication by leaves",
	    .source = "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); "
		      "CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE PUBLICATION p FOR TABLE p",
	    .mapping = "{'source_table_identifier': 'public.p', "
		       "'destination_table_identifier': 'public.p'}",
	    .options = ", 'publication_name': 'p'",
	    .code = ERR_CONFIG,
	    .words = "tables are not in publication",
	    .hint = "publish_via_partition_root = true" },

	/* the slot */
	{ .name = "slot of another plugin",
	    .source = "SELECT pg_create_logical_replication_slot('s', 'test_decoding')",
	    .options = ", 'replication_slot_name': 's'",
	    .code = ERR_CONFIG,
	    .words = "not a logical slot of pgoutput" },
	{ .name = "default slot exists",
	    .source = "SELECT pg_create_logical_replication_slot('peerflow_slot_m', 'pgoutput')",
	    .code = ERR_CONFIG,
	    .words = "replication slot \"peerflow_slot_m\" already exists",
	    .hint = "pg_drop_replication_slot('peerflow_slot_m')" },
	{ .name = "slot with a bad name",
	    .options = ", 'replication_slot_name': 'Not a slot'",
	    .code = ERR_INVALID,
	    .words = "is not valid" },

	/* the destination */
	{ .name = "no right to make the schema",
	    .destination = ROLE_SQL,
	    .destination_role = true,
	    .code = ERR_CONFIG,
	    .words = "schema \"_peerdb_internal\" does not exist",
	    .hint = "GRANT CREATE ON DATABASE \"app\" TO \"app_role\"" },
	{ .name = "no right to make the table",
	    .destination = ROLE_SQL "GRANT CREATE ON DATABASE app TO " ROLE
				    "; REVOKE CREATE ON SCHEMA public FROM public",
	    .destination_role = true,
	    .code = ERR_CONFIG,
	    .words = "may not create tables in schema public",
	    .hint = "GRANT USAGE, CREATE ON SCHEMA public TO \"app_role\"" },
	{ .name = "no right to write",
	    .destination = ROLE_SQL "GRANT CREATE ON DATABASE app TO " ROLE
				    "; CREATE TABLE t (id int PRIMARY KEY, v text)"
				    "; GRANT SELECT, INSERT ON t TO " ROLE,
	    .destination_role = true,
	    .code = ERR_CONFIG,
	    .words = "lacks UPDATE, DELETE, TRUNCATE on public.t",
	    .hint = "GRANT UPDATE, DELETE, TRUNCATE ON public.t TO \"app_role\"" },
	{ .name = "rows are there",
	    .destination = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1)",
	    .code = ERR_CONFIG,
	    .words = "already has existing rows",
	    .hint = "TRUNCATE public.t" },
	{ .name = "a view is there",
	    .destination = "CREATE VIEW t AS SELECT 1 AS id",
	    .code = ERR_CONFIG,
	    .words = "is not a table" },
	{ .name = "column missing there",
	    .destination = "CREATE TABLE t (id int PRIMARY KEY)",
	    .code = ERR_CONFIG,
	    .words = "not found in destination table public.t",
	    .hint = "ADD COLUMN \"v\" text" },
	{ .name = "type differs there",
	    .destination = "CREATE TABLE t (id text PRIMARY KEY, v text)",
	    .code = ERR_CONFIG,
	    .words = "does not match destination column \"id\"" },
	{ .name = "required extra column there",
	    .destination = "CREATE TABLE t (id int PRIMARY KEY, v text, extra int NOT NULL)",
	    .code = ERR_CONFIG,
	    .words = "column \"extra\" of destination table public.t is NOT NULL",
	    .hint = "DROP NOT NULL" },
	{ .name = "generated there",
	    .destination = "CREATE TABLE t (id int PRIMARY KEY,"
			   " v text GENERATED ALWAYS AS ('x') STORED)",
	    .code = ERR_CONFIG,
	    .words = "is generated and cannot be written" },
	{ .name = "identity there",
	    .destination =
		"CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)",
	    .code = ERR_CONFIG,
	    .words = "cannot be updated",
	    .hint = "ALTER COLUMN \"id\" SET GENERATED BY DEFAULT" },
};

START_TEST(refuses)
{
	const struct check_case *cc = &refused[_i];
	const struct probe_answer *a = run_case(cc);

	ck_assert_msg(a->err.code == cc->code && strstr(a->err.msg, cc->words) != NULL,
	    "%s: %s: %s", cc->name, err_code_name(a->err.code), a->err.msg);
	ck_assert_msg(cc->hint == NULL || strstr(a->err.hint, cc->hint) != NULL, "%s: hint: %s",
	    cc->name, a->err.hint);
	ck_assert(strstr(a->err.msg, PROBE_ROLE_PASSWORD) == NULL);
	expect_nothing_left();
}
END_TEST

static const struct check_case accepted[] = {
	{ .name = "plain" },
	{ .name = "schema and table are made",
	    .mapping = "{'source_table_identifier': '\\\"public\\\".\\\"t\\\"', "
		       "'destination_table_identifier': 'new_schema.t'}" },
	{ .name = "least rights",
	    .source = ROLE_SQL "GRANT CREATE ON DATABASE app TO " ROLE
			       "; ALTER TABLE t OWNER TO " ROLE,
	    .destination = ROLE_SQL "GRANT CREATE ON DATABASE app TO " ROLE
				    "; GRANT CREATE ON SCHEMA public TO " ROLE,
	    .source_role = true,
	    .destination_role = true },
	{ .name = "given publication needs no ownership",
	    .source = ROLE_SQL "GRANT SELECT ON t TO " ROLE "; CREATE PUBLICATION p FOR TABLE t",
	    .options = ", 'publication_name': 'p'",
	    .source_role = true },
	{ .name = "publication for all tables",
	    .source = "CREATE PUBLICATION p FOR ALL TABLES",
	    .options = ", 'publication_name': 'p'" },
	{ .name = "publication for a schema",
	    .source = "CREATE PUBLICATION p FOR TABLES IN SCHEMA public",
	    .options = ", 'publication_name': 'p'" },
	{ .name = "column list without an excluded column",
	    .source = "CREATE PUBLICATION p FOR TABLE t (id)",
	    .mapping = "{'source_table_identifier': 'public.t', "
		       "'destination_table_identifier': 'public.t', 'exclude': ['v']}",
	    .options = ", 'publication_name': 'p'" },
	{ .name = "given slot exists",
	    .source = "SELECT pg_create_logical_replication_slot('s', 'pgoutput')",
	    .options = ", 'replication_slot_name': 's'" },
	{ .name = "identity full without a key",
	    .source = "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t REPLICA IDENTITY FULL" },
	{ .name = "partitioned",
	    .source = "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); "
		      "CREATE TABLE p1 PARTITION OF p DEFAULT",
	    .mapping = "{'source_table_identifier': 'public.p', "
		       "'destination_table_identifier': 'public.p'}" },
	{ .name = "snapshot only needs no key",
	    .source = "ALTER TABLE t DROP CONSTRAINT t_pkey",
	    .options = ", 'initial_snapshot_only': true" },
	{ .name = "a wider table is there",
	    .destination = "CREATE TABLE t (id bigint PRIMARY KEY, v text, extra int NOT NULL"
			   " DEFAULT 7)" },
};

START_TEST(accepts)
{
	const struct probe_answer *a = run_case(&accepted[_i]);

	ck_assert_msg(a->err.code == ERR_NONE, "%s: %s: %s", accepted[_i].name,
	    err_code_name(a->err.code), a->err.msg);
	ck_assert_str_eq("{}", a->response);
	expect_nothing_left();
}
END_TEST

START_TEST(missing_tables_are_named)
{
	const struct check_case cc = {
		.mapping = "{'source_table_identifier': 'public.no', "
			   "'destination_table_identifier': 'public.no'}, "
			   "{'source_table_identifier': 'public.t', "
			   "'destination_table_identifier': 'public.t'}, "
			   "{'source_table_identifier': 'nope.T', "
			   "'destination_table_identifier': 'public.u'}",
	};
	const struct probe_answer *a = run_case(&cc);

	ck_assert_str_eq("source tables do not exist: public.no, nope.T", a->err.msg);
	ck_assert_str_eq("SOURCE_TABLE_MISSING", a->err.reason);
	ck_assert_str_eq("public.no\nnope.T", a->err.subjects);
}
END_TEST

START_TEST(a_table_is_not_mirrored_onto_itself)
{
	const struct check_case cc = { .name = "itself" };
	const char *peer = probe_peer_json(rig.source, "src", "app", NULL);
	const struct probe_answer *a = validate(&cc, peer, peer);

	ck_assert_int_eq(a->err.code, ERR_CONFIG);
	ck_assert_msg(strstr(a->err.msg, "in the same database") != NULL, "%s", a->err.msg);
}
END_TEST

/* ---- settings of the source's server */

static void
expect_refused_by(const char *settings, const char *sql, const char *words, const char *hint)
{
	const struct check_case cc = { .name = "settings" };
	struct cluster *c = cluster_new("tight", settings);
	PGconn *conn = cluster_connect(c, "postgres");
	const struct probe_answer *a;

	sql_exec(conn, "CREATE TABLE t (id int PRIMARY KEY)");
	if (sql != NULL)
		sql_exec(conn, "%s", sql);
	sql_close(&conn);
	a = validate(&cc, probe_peer_json(c, "src", "postgres", NULL),
	    probe_peer_json(rig.destination, "dst", "app", NULL));
	cluster_free(&c);
	ck_assert_int_eq(a->err.code, ERR_CONFIG);
	ck_assert_msg(strstr(a->err.msg, words) != NULL, "%s", a->err.msg);
	ck_assert_msg(strstr(a->err.hint, hint) != NULL, "%s", a->err.hint);
}

START_TEST(wal_level_is_named)
{
	expect_refused_by("wal_level = replica", NULL, "wal_level on the source is \"replica\"",
	    "ALTER SYSTEM SET wal_level = logical");
}
END_TEST

START_TEST(senders_are_counted)
{
	expect_refused_by("max_wal_senders = 1", NULL, "max_wal_senders on the source is 1",
	    "ALTER SYSTEM SET max_wal_senders = 11");
}
END_TEST

START_TEST(slots_are_counted)
{
	expect_refused_by("max_replication_slots = 1",
	    "SELECT pg_create_physical_replication_slot('taken')",
	    "all 1 replication slots of the source are in use",
	    "ALTER SYSTEM SET max_replication_slots = 11");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("check");
	TCase *tc = suite_case(s, "mirrors", rig_clusters_init, rig_clusters_done, databases_init,
	    databases_done);

	suite_loop(tc, refuses, 0, sizeof(refused) / sizeof(refused[0]));
	suite_loop(tc, accepts, 0, sizeof(accepted) / sizeof(accepted[0]));
	suite_test(tc, missing_tables_are_named);
	suite_test(tc, a_table_is_not_mirrored_onto_itself);
	suite_test(tc, wal_level_is_named);
	suite_test(tc, senders_are_counted);
	suite_test(tc, slots_are_counted);
	return suite_main(s);
}
