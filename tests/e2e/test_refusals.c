/*
 * A refused request changes nothing, says why in one sentence and what to do
 * next, and gives no secret away.
 */
#include "lib/base/str.h"
#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"
#include "tests/harness/tables.h"

#define SECRET "wr0ng-s3cret"

static void
refusals_init(void)
{
	rig_init();
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("CREATE TABLE no_key (a int, v text)");
	on_source("CREATE TABLE identity_nothing (id int PRIMARY KEY)");
	on_source("ALTER TABLE identity_nothing REPLICA IDENTITY NOTHING");
	on_source("CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY)");
	on_source("CREATE VIEW a_view AS SELECT * FROM t");
	on_source("INSERT INTO t VALUES (1, 'one')");
	on_source("CREATE TABLE other (id int PRIMARY KEY)");
	on_source("CREATE PUBLICATION lacks_t FOR TABLE other");
	on_source("CREATE ROLE plain LOGIN PASSWORD '" SECRET "'");
	on_source("GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain");
	on_source("CREATE ROLE blind LOGIN REPLICATION PASSWORD '" SECRET "'");
}

static void
expect_one_sentence(const struct reply *r)
{
	const char *message = field_text(r->json, "message");

	if (strchr(message, '\n') != NULL || strlen(message) < 12)
		test_fail("not one sentence: %s", message);
	if (strstr(r->body, "Tr0ub4dor") != NULL || strstr(r->body, SECRET) != NULL)
		test_fail("a secret stands in: %s", r->body);
}

/* Status and code, and what must stand in the body: message, hint or details. */
static void
expect_refusal(const struct reply *r, long status, const char *code, const char *word)
{
	api_expect(status, r);
	if (strcmp(field_text(r->json, "code"), code) != 0)
		test_fail("the code is not %s: %s", code, r->body);
	if (strstr(r->body, word) == NULL)
		test_fail("\"%s\" does not stand in: %s", word, r->body);
	expect_one_sentence(r);
}

/* ---- peers */

struct peer_case {
	const char *config; /* ' for ", @ for the source's port */
	long status;
	const char *code, *word;
};

#define HERE  "'host': 'localhost', 'port': @, "
#define PLAIN "'user': 'plain', 'password': '" SECRET "', "

/* clang-format off */
static const struct peer_case peer_cases[] = {
	{ HERE "'user': 'postgres', 'password': '" SECRET "', 'database': 'app'", 400, "9", "password" },
	{ HERE PLAIN "'database': 'nope'", 400, "9", "nope" },
	{ "'host': '127.0.0.1', 'port': 1, 'user': 'u', 'database': 'd'", 400, "9", "refused" },
	{ "'host': 'no-such-host.invalid', 'port': 5432, 'user': 'u', 'database': 'd'", 400, "9",
	    "no-such-host.invalid" },
	{ HERE PLAIN "'database': 'app', 'sslmode': 'require'", 400, "9", "SSL" },
	{ HERE PLAIN "'database': 'app', 'sslmode': 'sometimes'", 400, "3", "sslmode" },
	{ "'host': 'localhost', 'port': 99999, 'user': 'u', 'database': 'd'", 400, "3", "port" },
	{ "'host': 'localhost', 'port': 'many', 'user': 'u', 'database': 'd'", 400, "3", "port" },
	{ HERE PLAIN "'databse': 'app'", 400, "3", "database" },
	{ HERE PLAIN "'database': ['app']", 400, "3", "database" },
};
/* clang-format on */

#define PEER_CASES ((int)(sizeof(peer_cases) / sizeof(*peer_cases)))

static const char *
peer_request(const struct peer_case *k)
{
	return json("{'peer': {'name': 'refused', 'type': 3, 'postgres_config': {%s}}}",
	    table_sql(k->config, text("%d", rig.source->port)));
}

START_TEST(peer_is_refused)
{
	const struct peer_case *k = &peer_cases[_i];

	expect_refusal(api_post("/peers/create", peer_request(k)), k->status, k->code, k->word);
	api_expect(404, api_get("/peers/info/refused"));
}
END_TEST

START_TEST(refused_peer_carries_status_failed)
{
	const struct reply *r = api_post("/peers/create", peer_request(&peer_cases[0]));

	ck_assert_str_eq("FAILED", field_text(r->json, "status"));
}
END_TEST

START_TEST(refused_update_keeps_the_old_peer)
{
	expect_refusal(
	    api_post("/peers/create",
		json("{'allow_update': true, 'peer': {'name': 'src', 'type': 3, 'postgres_config': "
		     "{'password': '" SECRET "'}}}")),
	    400, "9", "password");
	mirror_run("fine", "public.t", NULL);
}
END_TEST

START_TEST(unsupported_peer_types)
{
	expect_refusal(
	    api_post("/peers/create", json("{'peer': {'name': 'refused', 'type': 'SNOWFLAKE'}}")),
	    501, "12", "POSTGRES");
	expect_refusal(api_post("/peers/create", json("{'peer': {'name': 'refused', 'type': 7}}")),
	    501, "12", "POSTGRES");
	api_expect(404, api_get("/peers/info/refused"));
}
END_TEST

/* ---- mirrors */

struct mirror_case {
	const char *name, *tables, *options;
	long status;
	const char *code, *word;
};

#define LONG_NAME "a23456789012345678901234567890123456789012345678901234567890"

/* clang-format off */
static const struct mirror_case mirror_cases[] = {
	{ "m", "public.missing,public.t", NULL, 400, "9", "public.missing" },
	{ "m", "nowhere.t", NULL, 400, "9", "nowhere.t" },
	{ "m", "public.no_key", NULL, 400, "9", "REPLICA IDENTITY" },
	{ "m", "public.identity_nothing", NULL, 400, "9", "REPLICA IDENTITY" },
	{ "m", "public.a_view", NULL, 400, "9", "a_view" },
	{ "m", "public.unlogged", NULL, 400, "9", "unlogged" },
	{ "m", "t", NULL, 400, "9", "schema" },
	{ "m", "a.b.c", NULL, 400, "9", "a.b.c" },
	{ "m", "public.", NULL, 400, "9", "public." },
	{ "m", "[]", NULL, 400, "3", "table_mappings" },
	{ "m", "public.t,public.t:public.u", NULL, 400, "3", "public.t" },
	{ "m", "public.t,public.other:public.t", NULL, 400, "3", "public.t" },
	{ "Bad Name", "public.t", NULL, 400, "3", "flow_job_name" },
	{ "", "public.t", NULL, 400, "3", "flow_job_name" },
	{ LONG_NAME, "public.t", NULL, 400, "3", "flow_job_name" },
	{ "m", "public.t", "'publication_name': 'missing_pub'", 400, "9", "missing_pub" },
	{ "m", "public.t", "'publication_name': 'lacks_t'", 400, "9", "lacks_t" },
	{ "m", "public.t", "'do_initial_snapshot': false, 'initial_snapshot_only': true", 400, "3",
	    "initial_snapshot_only" },
	{ "m", "public.t", "'max_batch_sise': 5", 400, "3", "max_batch_size" },
	{ "m", "public.t", "'max_batch_size': 'lots'", 400, "3", "max_batch_size" },
	{ "m", "public.t", "'max_batch_size': -1", 400, "3", "max_batch_size" },
	{ "m", "[{'source_table_identifier': 'public.t', 'destination_table_identifier': 'public.t',"
	    "'exclude': ['id']}]", NULL, 400, "9", "id" },
	{ "m", "[{'source_table_identifier': 'public.t', 'destination_table_identifier': 'public.t',"
	    "'exclude': ['nope']}]", NULL, 400, "9", "nope" },
};
/* clang-format on */

#define MIRROR_CASES ((int)(sizeof(mirror_cases) / sizeof(*mirror_cases)))

static const char *
mirror_request(const struct mirror_case *k)
{
	return mirror_body(k->name, *k->tables == '[' ? json("%s", k->tables) : k->tables,
	    k->options);
}

START_TEST(mirror_is_refused)
{
	const struct mirror_case *k = &mirror_cases[_i];

	expect_refusal(api_post("/flows/cdc/create", mirror_request(k)), k->status, k->code,
	    k->word);
	rig_expect_no_trace("m");
}
END_TEST

START_TEST(validate_refuses_the_same)
{
	const struct mirror_case *k = &mirror_cases[_i];

	expect_refusal(api_post("/mirrors/cdc/validate", mirror_request(k)), k->status, k->code,
	    k->word);
	rig_expect_no_trace("m");
}
END_TEST

START_TEST(missing_tables_stand_in_the_details)
{
	const struct reply *r = api_post("/flows/cdc/create",
	    mirror_body("m", "public.missing,public.gone", NULL));

	ck_assert_ptr_nonnull(strstr(r->body, "SOURCE_TABLE_MISSING"));
	ck_assert_ptr_nonnull(strstr(r->body, "public.gone"));
}
END_TEST

START_TEST(absent_do_initial_snapshot)
{
	expect_refusal(
	    api_post("/flows/cdc/create",
		text(
		    "{\"connection_configs\": {\"flow_job_name\": \"m\", \"source_name\": \"src\", "
		    "\"destination_name\": \"dst\", \"table_mappings\": [%s]}}",
		    mapping("public.t", "public.t"))),
	    400, "3", "do_initial_snapshot");
	rig_expect_no_trace("m");
}
END_TEST

static const char *
with_peers(const char *source, const char *destination)
{
	return text("{\"connection_configs\": {\"flow_job_name\": \"m\", \"source_name\": \"%s\", "
		    "\"destination_name\": \"%s\", \"do_initial_snapshot\": true, "
		    "\"table_mappings\": [%s]}}",
	    source, destination, mapping("public.t", "public.t"));
}

START_TEST(unknown_peers)
{
	expect_refusal(api_post("/flows/cdc/create", with_peers("nope", "dst")), 404, "5", "nope");
	expect_refusal(api_post("/flows/cdc/create", with_peers("src", "nope")), 404, "5", "nope");
	rig_expect_no_trace("m");
}
END_TEST

static void
peer_as(const char *name, const char *role)
{
	api_expect(200,
	    api_post("/peers/create",
		json("{'peer': {'name': '%s', 'type': 3, 'postgres_config': {'host': 'localhost', "
		     "'port': %d, 'user': '%s', 'password': '" SECRET "', 'database': 'app'}}}",
		    name, rig.source->port, role)));
}

START_TEST(no_replication_right)
{
	peer_as("plain_src", "plain");
	expect_refusal(api_post("/flows/cdc/create", with_peers("plain_src", "dst")), 400, "9",
	    "REPLICATION");
	rig_expect_no_trace("m");
}
END_TEST

START_TEST(no_select_right)
{
	peer_as("blind_src", "blind");
	expect_refusal(api_post("/flows/cdc/create", with_peers("blind_src", "dst")), 400, "9",
	    "SELECT");
	rig_expect_no_trace("m");
}
END_TEST

START_TEST(no_create_right_at_the_destination)
{
	sql_exec(rig.d, "CREATE ROLE plain LOGIN PASSWORD '" SECRET "'");
	api_expect(200,
	    api_post("/peers/create",
		json("{'peer': {'name': 'plain_dst', 'type': 3, 'postgres_config': {'host': "
		     "'localhost', "
		     "'port': %d, 'user': 'plain', 'password': '" SECRET "', 'database': 'app'}}}",
		    rig.destination->port)));
	expect_refusal(api_post("/flows/cdc/create", with_peers("src", "plain_dst")), 400, "9",
	    "CREATE");
	rig_expect_no_trace("m");
}
END_TEST

START_TEST(destination_table_has_rows)
{
	sql_exec(rig.d, "CREATE TABLE t (id int PRIMARY KEY, v text)");
	sql_exec(rig.d, "INSERT INTO t VALUES (1, 'mine')");
	expect_refusal(api_post("/flows/cdc/create", mirror_body("m", "public.t", NULL)), 400, "9",
	    "public.t");
	ck_assert_str_eq("1mine", sql_text(rig.d, "SELECT string_agg(id || v, '') FROM t"));
	ck_assert_str_eq("STATUS_UNKNOWN", mirror_state("m"));
}
END_TEST

START_TEST(destination_table_lacks_a_column)
{
	sql_exec(rig.d, "CREATE TABLE t (id int PRIMARY KEY)");
	expect_refusal(api_post("/flows/cdc/create", mirror_body("m", "public.t", NULL)), 400, "9",
	    "v");
	ck_assert_str_eq("1",
	    sql_text(rig.d,
		"SELECT count(*) FROM pg_attribute WHERE attnum > 0 "
		"AND attrelid = 't'::regclass"));
}
END_TEST

START_TEST(destination_column_of_another_type)
{
	sql_exec(rig.d, "CREATE TABLE t (id int PRIMARY KEY, v int)");
	expect_refusal(api_post("/flows/cdc/create", mirror_body("m", "public.t", NULL)), 400, "9",
	    "v");
}
END_TEST

/* ---- a source without logical WAL */

static struct cluster *plain_source;

static void
wal_level_init(void)
{
	rig_clusters_init();
	plain_source = cluster_new("replica", "wal_level = replica");
}

static void
wal_level_done(void)
{
	cluster_free(&plain_source);
	rig_clusters_done();
}

START_TEST(wal_level_replica)
{
	PGconn *c = cluster_connect(plain_source, "postgres");

	sql_exec(c, "CREATE TABLE t (id int PRIMARY KEY)");
	sql_close(&c);
	peer_create("replica", plain_source, "postgres");
	expect_refusal(api_post("/flows/cdc/create", with_peers("replica", "dst")), 400, "9",
	    "wal_level");
	rig_expect_no_trace("m");
}
END_TEST

/* ---- malformed requests and wrong moments */

struct body_case {
	const char *path, *body;
	long status;
	const char *code, *word;
};

/* clang-format off */
static const struct body_case body_cases[] = {
	{ "/peers/create", "{\"peer\": ", 400, "3", "JSON" },
	{ "/peers/create", "nonsense", 400, "3", "JSON" },
	{ "/peers/create", "[1, 2]", 400, "3", "object" },
	{ "/peers/create", "{}", 400, "3", "peer" },
	{ "/peers/create", "{} trailing", 400, "3", "JSON" },
	{ "/peers/create", "{\"peer\": {\"name\": \"bad \xff\xfe utf8\", \"type\": 3}}", 400, "3", "UTF-8" },
	{ "/peers/create", "{\"peer\": 5}", 400, "3", "peer" },
	{ "/peers/create", "{\"pear\": {}}", 400, "3", "peer" },
	{ "/peers/create", "{\"peer\": {\"name\": \"x\", \"type\": \"POSTGRESS\"}}", 400, "3", "POSTGRES" },
	{ "/peers/create", "{\"peer\": {\"name\": \"\", \"type\": 3}}", 400, "3", "name" },
	{ "/peers/drop", "{\"peer_name\": \"nobody\"}", 404, "5", "nobody" },
	{ "/flows/cdc/create", "{}", 400, "3", "connection_configs" },
	{ "/mirrors/state_change", "{\"flow_job_name\": \"nobody\", \"requested_flow_state\": \"STATUS_PAUSED\"}",
	    404, "5", "nobody" },
	{ "/mirrors/state_change", "{\"flow_job_name\": \"nobody\", \"requested_flow_state\": \"STATUS_DANCING\"}",
	    400, "3", "requested_flow_state" },
	{ "/mirrors/status", "{\"flowJobName\": 7}", 400, "3", "flow" },
};
/* clang-format on */

#define BODY_CASES ((int)(sizeof(body_cases) / sizeof(*body_cases)))

START_TEST(body_is_refused)
{
	const struct body_case *k = &body_cases[_i];

	expect_refusal(api_post(k->path, k->body), k->status, k->code, k->word);
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
	char *deep = text("{\"peer\": %*s%*s}", 100000, "", 100000, "");

	memset(deep + 9, '[', 100000);
	memset(deep + 9 + 100000, ']', 100000);
	expect_one_sentence(api_expect(400, api_post("/peers/create", deep)));
}
END_TEST

START_TEST(body_of_10_mb_is_refused)
{
	char *big = text("{\"peer\": {\"name\": \"%*s\"}}", 10 << 20, "");

	expect_refusal(api_post("/peers/create", big), 413, "8", "");
}
END_TEST

START_TEST(states_that_cannot_be_asked_for)
{
	static const char *const states[] = { "STATUS_SETUP", "STATUS_SNAPSHOT", "STATUS_COMPLETED",
		"STATUS_UNKNOWN", "STATUS_FAILED" };

	mirror_run("m", "public.t", NULL);
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		expect_refusal(
		    api_post("/mirrors/state_change",
			json("{'flow_job_name': 'm', 'requested_flow_state': '%s'}", states[i])),
		    400, "3", states[i]);
	ck_assert_str_eq("STATUS_RUNNING", mirror_state("m"));
}
END_TEST

START_TEST(completed_mirror_cannot_pause)
{
	mirror_create("m", "public.t", "'initial_snapshot_only': true");
	mirror_wait("m", "STATUS_COMPLETED");
	expect_refusal(api_post("/mirrors/state_change",
			   json("{'flow_job_name': 'm', 'requested_flow_state': 'STATUS_PAUSED'}")),
	    400, "9", "STATUS_COMPLETED");
	ck_assert_str_eq("STATUS_COMPLETED", mirror_state("m"));
}
END_TEST

static Suite *
refusals_suite(void)
{
	Suite *s = suite_create("refusals");
	TCase *tc = suite_case(s, "refusals", rig_clusters_init, rig_clusters_done, refusals_init,
	    rig_done);
	TCase *wal = suite_case(s, "wal level", wal_level_init, wal_level_done, rig_init, rig_done);

	suite_loop(tc, peer_is_refused, 0, PEER_CASES);
	suite_test(tc, refused_peer_carries_status_failed);
	suite_test(tc, refused_update_keeps_the_old_peer);
	suite_test(tc, unsupported_peer_types);
	suite_loop(tc, mirror_is_refused, 0, MIRROR_CASES);
	suite_loop(tc, validate_refuses_the_same, 0, MIRROR_CASES);
	suite_test(tc, missing_tables_stand_in_the_details);
	suite_test(tc, absent_do_initial_snapshot);
	suite_test(tc, unknown_peers);
	suite_test(tc, no_replication_right);
	suite_test(tc, no_select_right);
	suite_test(tc, no_create_right_at_the_destination);
	suite_test(tc, destination_table_has_rows);
	suite_test(tc, destination_table_lacks_a_column);
	suite_test(tc, destination_column_of_another_type);
	suite_loop(tc, body_is_refused, 0, BODY_CASES);
	suite_test(tc, deep_nesting_is_refused);
	suite_test(tc, body_of_10_mb_is_refused);
	suite_test(tc, states_that_cannot_be_asked_for);
	suite_test(tc, completed_mirror_cannot_pause);
	suite_test(wal, wal_level_replica);
	return s;
}

int
main(void)
{
	return suite_main(refusals_suite());
}
