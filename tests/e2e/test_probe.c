/*
 * peerd-worker probe: one question about a database, one answer.
 */
#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/port.h"
#include "tests/harness/probe.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

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
}

static void
databases_done(void)
{
	sql_close(&rig.s);
	sql_close(&rig.d);
}

static const char *
source_peer(void)
{
	return probe_peer_json(rig.source, "src", "app", NULL);
}

/* The response to a question about the source, as JSON. */
static const cJSON *
ask_source(const char *method, const char *request)
{
	const struct probe_ask ask = { .method = method,
		.request = request,
		.peer = source_peer() };
	const struct probe_answer *a = probe_ask(&ask);

	if (a->err.code != ERR_NONE)
		test_fail("%s: %s", method, a->err.msg);
	return cJSON_Parse(a->response);
}

static char *
printed(const cJSON *json, const char *path)
{
	return cJSON_PrintUnformatted(field_at(json, path));
}

/* ---- peers */

START_TEST(a_good_peer_is_valid)
{
	const cJSON *r = ask_source("ValidatePeer", NULL);

	ck_assert_str_eq("VALID", field_text(r, "status"));
	ck_assert_str_eq("POSTGRES peer src is valid", field_text(r, "message"));
	ck_assert_str_eq("CREATED", field_text(ask_source("CreatePeer", NULL), "status"));
}
END_TEST

static const struct {
	const char *config; /* besides the port */
	const char *words, *hint;
} bad_peers[] = {
	{ "'host': 'localhost', 'user': 'postgres', 'database': 'app', 'password': 'hush-hush-1'",
	    "could not connect to localhost:", "check user and password" },
	{ "'host': 'localhost', 'user': 'nobody_here', 'database': 'app', 'password': "
	  "'hush-hush-1'",
	    "password authentication failed", "check user and password" },
	{ "'host': '%s', 'user': 'postgres', 'database': 'nope'",
	    "database \"nope\" does not exist", "create the database" },
	{ "'host': '%s', 'user': 'nobody_here', 'database': 'app'",
	    "role \"nobody_here\" does not exist", "create the role" },
	{ "'host': 'localhost', 'user': 'postgres', 'database': 'app', 'require_tls': true, "
	  "'password': 'hush-hush-1'",
	    "server does not support SSL", "sslmode" },
	{ "'host': 'no-such-host.invalid', 'user': 'postgres', 'database': 'app'",
	    "could not translate host name", "DNS" },
	{ "'host': '/nonexistent', 'user': 'postgres', 'database': 'app'",
	    "No such file or directory", "socket directory" },
};

START_TEST(a_bad_peer_is_explained)
{
	const char *config = text("%s", bad_peers[_i].config);
	const char *hole = strstr(config, "%s");
	struct probe_ask ask = { .method = "ValidatePeer" };
	const struct probe_answer *a;

	if (hole != NULL)
		config = text("%.*s%s%s", (int)(hole - config), config, rig.source->sockets,
		    hole + 2);
	ask.peer = json("{'name': 'bad', 'type': 3, 'postgres_config': {'port': '%d', %s}}",
	    rig.source->port, config);
	a = probe_ask(&ask);
	ck_assert_int_eq(a->err.code, ERR_CONFIG);
	ck_assert_msg(strncmp(a->err.msg, "failed to validate peer bad: ", 29) == 0, "%s",
	    a->err.msg);
	ck_assert_msg(strstr(a->err.msg, bad_peers[_i].words) != NULL, "%s", a->err.msg);
	ck_assert_msg(strstr(a->err.hint, bad_peers[_i].hint) != NULL, "%s: hint: %s", a->err.msg,
	    a->err.hint);
	ck_assert(strstr(a->err.msg, "hush") == NULL && strstr(a->err.hint, "hush") == NULL);
}
END_TEST

START_TEST(a_closed_port_is_explained)
{
	struct probe_ask ask = { .method = "ValidatePeer" };
	const struct probe_answer *a;

	ask.peer = json("{'name': 'bad', 'type': 3, 'postgres_config': {'host': '127.0.0.1', "
			"'port': %d, 'user': 'u', 'database': 'd', 'password': 'hush'}}",
	    port_take());
	a = probe_ask(&ask);
	ck_assert_int_eq(a->err.code, ERR_CONFIG);
	ck_assert_msg(strstr(a->err.msg, "Connection refused") != NULL, "%s", a->err.msg);
	ck_assert_msg(strstr(a->err.hint, "listen_addresses") != NULL, "%s", a->err.hint);
	ck_assert(strstr(a->err.msg, "hush") == NULL);
}
END_TEST

START_TEST(other_methods_are_refused)
{
	const struct probe_ask ask = { .method = "ListPeers", .peer = source_peer() };

	ck_assert_int_eq(probe_ask(&ask)->err.code, ERR_UNIMPLEMENTED);
}
END_TEST

START_TEST(the_version_is_told)
{
	ck_assert_str_eq(sql_text(rig.s, "SHOW server_version"),
	    field_text(ask_source("GetPeerInfo", NULL), "version"));
}
END_TEST

/* ---- looking around */

START_TEST(schemas_and_publications_are_listed)
{
	sql_exec(rig.s, "CREATE SCHEMA \"Odd.One\"; CREATE PUBLICATION p2; CREATE PUBLICATION p1");
	ck_assert_str_eq("[\"Odd.One\",\"public\"]",
	    printed(ask_source("GetSchemas", NULL), "schemas"));
	ck_assert_str_eq("[\"p1\",\"p2\"]",
	    printed(ask_source("GetPublications", NULL), "publicationNames"));
}
END_TEST

START_TEST(tables_are_listed)
{
	const cJSON *r;

	sql_exec(rig.s,
	    "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int);"
	    "CREATE TABLE c (id int); ALTER TABLE c REPLICA IDENTITY FULL;"
	    "CREATE TABLE p (id int) PARTITION BY RANGE (id);"
	    "CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE VIEW w AS SELECT 1;"
	    "INSERT INTO p SELECT generate_series(1, 1000);"
	    "CREATE SCHEMA \"x.y\"; CREATE TABLE \"x.y\".\"T z\" (id int)");
	r = ask_source("GetTablesInSchema", json("{'schema_name': 'public', 'cdc_enabled': true}"));
	ck_assert_str_eq("a", field_text(r, "tables.0.tableName"));
	ck_assert_str_eq("true", field_text(r, "tables.0.canMirror"));
	ck_assert_str_eq("b", field_text(r, "tables.1.tableName"));
	ck_assert_str_eq("false", field_text(r, "tables.1.canMirror"));
	ck_assert_str_eq("true", field_text(r, "tables.2.canMirror"));
	ck_assert_str_eq("true", field_text(r, "tables.2.isReplicaIdentityFull"));
	ck_assert_str_eq("p", field_text(r, "tables.3.tableName"));
	ck_assert_str_ne("0 bytes", field_text(r, "tables.3.tableSize"));
	ck_assert_str_eq("(absent)", field_text(r, "tables.4.tableName"));
	r = ask_source("GetTablesInSchema", json("{'schema_name': 'public'}"));
	ck_assert_str_eq("true", field_text(r, "tables.1.canMirror"));
	ck_assert_str_eq("[\"public.a\",\"public.b\",\"public.c\",\"public.p\",\"public.p1\","
			 "\"\\\"x.y\\\".T z\"]",
	    printed(ask_source("GetAllTables", NULL), "tables"));
}
END_TEST

START_TEST(columns_are_described)
{
	const cJSON *r;

	sql_exec(rig.s,
	    "CREATE TYPE mood AS ENUM ('good', 'bad');"
	    "CREATE TABLE t (a varchar(7), b numeric(10, 2)[], c mood, d bigint NOT NULL,"
	    " e int NOT NULL, PRIMARY KEY (e) INCLUDE (a)); CREATE UNIQUE INDEX i ON t (d);"
	    "ALTER TABLE t REPLICA IDENTITY USING INDEX i");
	r = ask_source("GetColumns", json("{'schema_name': 'public', 'table_name': 't'}"));
	ck_assert_str_eq("{\"name\":\"a\",\"type\":\"character varying(7)\",\"isKey\":false,"
			 "\"qkind\":\"string\",\"isReplicaIdentity\":false}",
	    printed(r, "columns.0"));
	ck_assert_str_eq("numeric(10,2)[]", field_text(r, "columns.1.type"));
	ck_assert_str_eq("array_numeric", field_text(r, "columns.1.qkind"));
	ck_assert_str_eq("enum", field_text(r, "columns.2.qkind"));
	ck_assert_str_eq("public.mood", field_text(r, "columns.2.type"));
	ck_assert_str_eq("false", field_text(r, "columns.3.isKey"));
	ck_assert_str_eq("true", field_text(r, "columns.3.isReplicaIdentity"));
	ck_assert_str_eq("true", field_text(r, "columns.4.isKey"));
	ck_assert_str_eq("false", field_text(r, "columns.4.isReplicaIdentity"));
}
END_TEST

START_TEST(an_unknown_table_has_no_columns)
{
	const struct probe_ask ask = { .method = "GetColumns",
		.request = json("{'schema_name': 'public', 'table_name': 'nope'}"),
		.peer = source_peer() };
	const struct probe_answer *a = probe_ask(&ask);

	ck_assert_int_eq(a->err.code, ERR_NOT_FOUND);
	ck_assert_str_eq("table public.nope does not exist on peer \"src\"", a->err.msg);
}
END_TEST

START_TEST(slots_are_described)
{
	struct probe_ask ask = { .method = "GetSlotInfo", .peer = source_peer(), .slot = "custom" };
	const cJSON *r;

	sql_exec(rig.s,
	    "SELECT pg_create_logical_replication_slot(n, 'pgoutput') "
	    "FROM unnest('{other,custom,peerflow_slot_x}'::name[]) n");
	r = cJSON_Parse(probe_ask(&ask)->response);
	ck_assert_str_eq("custom", field_text(r, "slotData.0.slotName"));
	ck_assert_str_eq("other", field_text(r, "slotData.1.slotName"));
	ck_assert_str_eq("peerflow_slot_x", field_text(r, "slotData.2.slotName"));
	ck_assert_str_eq("false", field_text(r, "slotData.0.active"));
	ck_assert_str_eq("reserved", field_text(r, "slotData.0.walStatus"));
	ck_assert_str_eq("64", field_text(r, "slotData.0.logicalDecodingWorkMemMb"));
	ck_assert_str_eq(sql_text(rig.s,
			     "SELECT confirmed_flush_lsn FROM pg_replication_slots "
			     "WHERE slot_name = 'custom'"),
	    field_text(r, "slotData.0.confirmedFlushLSN"));
	ck_assert_ptr_nonnull(strchr(field_text(r, "slotData.0.currentLSN"), '/'));
	ck_assert_ptr_nonnull(strchr(field_text(r, "slotData.0.redoLSN"), '/'));
	ask.request = json("{'peerdb_managed_only': true}");
	r = cJSON_Parse(probe_ask(&ask)->response);
	ck_assert_str_eq("custom", field_text(r, "slotData.0.slotName"));
	ck_assert_str_eq("peerflow_slot_x", field_text(r, "slotData.1.slotName"));
	ck_assert_str_eq("(absent)", field_text(r, "slotData.2.slotName"));
}
END_TEST

START_TEST(own_sessions_are_shown)
{
	const cJSON *r;

	sql_exec(rig.s, "SET application_name = 'peerd m'");
	r = ask_source("GetStatInfo", NULL);
	ck_assert_str_eq("idle", field_text(r, "statData.0.state"));
	ck_assert_str_eq("SET application_name = 'peerd m'", field_text(r, "statData.0.query"));
	ck_assert_str_eq(text("%d", PQbackendPID(rig.s)), field_text(r, "statData.0.pid"));
	ck_assert_str_eq("(absent)", field_text(r, "statData.1.pid"));
}
END_TEST

/* ---- row counts */

START_TEST(rows_are_counted_on_both_sides)
{
	struct probe_ask ask = { .method = "GetMirrorRowCounts",
		.peer = source_peer(),
		.destination = probe_peer_json(rig.destination, "dst", "app", NULL) };
	const cJSON *r;

	sql_exec(rig.s,
	    "CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 10);"
	    "CREATE TABLE u (id int)");
	sql_exec(rig.d,
	    "CREATE TABLE t (id int, gone bool);"
	    "INSERT INTO t SELECT i, i > 8 FROM generate_series(1, 10) i");
	ask.mirror = json(
	    "{'flow_job_name': 'm', 'soft_delete_col_name': 'gone', 'table_mappings': ["
	    "{'source_table_identifier': 'public.t', "
	    "'destination_table_identifier': 'public.t'}, "
	    "{'source_table_identifier': 'public.u', "
	    "'destination_table_identifier': 'public.nope'}]}");
	r = cJSON_Parse(probe_ask(&ask)->response);
	ck_assert_str_eq("{\"sourceTable\":\"public.t\",\"destinationTable\":\"public.t\","
			 "\"sourceCount\":\"10\",\"destinationCount\":\"8\","
			 "\"sourceIsApproximate\":false,\"destinationIsApproximate\":false}",
	    printed(r, "tableCounts.0"));
	ck_assert_str_eq("0", field_text(r, "tableCounts.1.sourceCount"));
	ck_assert_str_eq("-1", field_text(r, "tableCounts.1.destinationCount"));
	ask.request = json("{'flow_job_name': 'm', 'source_tables': ['public.u']}");
	r = cJSON_Parse(probe_ask(&ask)->response);
	ck_assert_str_eq("public.u", field_text(r, "tableCounts.0.sourceTable"));
	ck_assert_str_eq("(absent)", field_text(r, "tableCounts.1.sourceTable"));
}
END_TEST

/* The statement under way is cancelled, not left to the server. */
START_TEST(a_probe_ends_with_its_asker)
{
	struct probe_ask ask = { .method = "GetMirrorRowCounts",
		.peer = source_peer(),
		.destination = probe_peer_json(rig.destination, "dst", "app", NULL) };
	struct probe_run run;

	sql_exec(rig.s, "CREATE TABLE t (id int)");
	sql_exec(rig.s, "BEGIN");
	sql_exec(rig.s, "LOCK TABLE t");
	ask.mirror = json("{'table_mappings': [{'source_table_identifier': 'public.t', "
			  "'destination_table_identifier': 'public.t'}]}");
	run = probe_begin(&ask);
	sql_wait(rig.s, 5000, "1",
	    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass");
	probe_hang_up(&run, 5000);
	sql_wait(rig.s, 5000, "0",
	    "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass");
	sql_exec(rig.s, "COMMIT");
}
END_TEST

START_TEST(nothing_stays_open)
{
	ask_source("GetSchemas", NULL);
	sql_wait(rig.s, 5000, "0",
	    "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'peerd%%'");
}
END_TEST

static void
add_peer_tests(TCase *tc)
{
	suite_test(tc, a_good_peer_is_valid);
	suite_loop(tc, a_bad_peer_is_explained, 0, sizeof(bad_peers) / sizeof(bad_peers[0]));
	suite_test(tc, a_closed_port_is_explained);
	suite_test(tc, other_methods_are_refused);
	suite_test(tc, the_version_is_told);
}

int
main(void)
{
	Suite *s = suite_create("probe");
	TCase *tc = suite_case(s, "questions", rig_clusters_init, rig_clusters_done, databases_init,
	    databases_done);

	add_peer_tests(tc);
	suite_test(tc, schemas_and_publications_are_listed);
	suite_test(tc, tables_are_listed);
	suite_test(tc, columns_are_described);
	suite_test(tc, an_unknown_table_has_no_columns);
	suite_test(tc, slots_are_described);
	suite_test(tc, own_sessions_are_shown);
	suite_test(tc, rows_are_counted_on_both_sides);
	suite_test(tc, a_probe_ends_with_its_asker);
	suite_test(tc, nothing_stays_open);
	return suite_main(s);
}
