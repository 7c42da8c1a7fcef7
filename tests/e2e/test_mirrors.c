/*
 * Mirrors through the API: create, repeat, status, lists, counts and logs.
 */
#include "tests/e2e/contract.h"
#include "tests/harness/api.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

START_TEST(mirror_create_answers_its_workflow)
{
	post("/flows/cdc/create", mirror_body("m", "public.t", NULL));
	expect_field("workflowId", "m-peerflow");
	mirror_wait("m", "STATUS_RUNNING");
}
END_TEST

START_TEST(mirror_repeated_is_success)
{
	mirror_run("m", "public.t", NULL);
	post("/flows/cdc/create", mirror_body("m", "public.t", NULL));
	expect_field("workflowId", "m-peerflow");
	get("/mirrors/list");
	ck_assert_int_eq(1, cJSON_GetArraySize(field_at(last->json, "mirrors")));
}
END_TEST

START_TEST(mirror_with_other_config_is_409)
{
	mirror_run("m", "public.t", NULL);
	last = api_expect(409,
	    api_post("/flows/cdc/create", mirror_body("m", "public.t", "'max_batch_size': 77")));
	ck_assert_ptr_nonnull(strstr(field_text(last->json, "message"), "max_batch_size"));
}
END_TEST

START_TEST(attach_to_existing_is_success)
{
	char *body;

	mirror_run("m", "public.t", NULL);
	body = mirror_body("m", "public.t", "'max_batch_size': 77");
	post("/flows/cdc/create", text("{\"attach_to_existing\": true, %s", body + 1));
	expect_field("workflowId", "m-peerflow");
}
END_TEST

START_TEST(validate_leaves_no_trace)
{
	post("/mirrors/cdc/validate", mirror_body("m", "public.t", NULL));
	rig_expect_no_trace("m");
}
END_TEST

START_TEST(status_without_flow_info)
{
	mirror_run("m", "public.t", NULL);
	post("/mirrors/status", json("{'flowJobName': 'm'}"));
	expect_field("flowJobName", "m");
	expect_field("currentFlowState", "STATUS_RUNNING");
	expect_field("cdcStatus", "(absent)");
}
END_TEST

START_TEST(status_with_flow_info)
{
	mirror_run("m", "public.t", NULL);
	post("/mirrors/status", json("{'flowJobName': 'm', 'includeFlowInfo': true}"));
	expect_field("cdcStatus.config.flowJobName", "m");
	expect_field("cdcStatus.config.sourceName", "src");
	expect_field("cdcStatus.config.tableMappings.0.sourceTableIdentifier", "public.t");
	expect_field("cdcStatus.config.idleTimeoutSeconds", "60");
	expect_field("cdcStatus.config.maxBatchSize", "1000000");
	expect_field("cdcStatus.config.softDeleteColName", "_PEERDB_IS_DELETED");
	expect_field("cdcStatus.config.syncedAtColName", "_PEERDB_SYNCED_AT");
	expect_field("cdcStatus.config.snapshotMaxParallelWorkers", "4");
	expect_field("cdcStatus.sourceType", "POSTGRES");
	expect_field("cdcStatus.destinationType", "POSTGRES");
}
END_TEST

START_TEST(status_tells_the_snapshot)
{
	mirror_run("m", "public.t", NULL);
	post("/mirrors/status", json("{'flowJobName': 'm', 'includeFlowInfo': true}"));
	expect_field("cdcStatus.snapshotStatus.clones.0.tableName", "public.t");
	expect_field("cdcStatus.snapshotStatus.clones.0.numRowsSynced", "100");
	expect_field("cdcStatus.snapshotStatus.clones.0.numPartitionsCompleted",
	    field_text(last->json, "cdcStatus.snapshotStatus.clones.0.numPartitionsTotal"));
}
END_TEST

START_TEST(status_of_unknown_mirror)
{
	last = api_expect(404, api_post("/mirrors/status", json("{'flowJobName': 'nobody'}")));
	expect_field("code", "5");
	expect_field("currentFlowState", "STATUS_UNKNOWN");
}
END_TEST

START_TEST(mirrors_are_listed)
{
	mirror_run("m", "public.t", NULL);
	get("/mirrors/list");
	expect_field("mirrors.0.name", "m");
	expect_field("mirrors.0.workflowId", "m-peerflow");
	expect_field("mirrors.0.sourceName", "src");
	expect_field("mirrors.0.destinationType", "POSTGRES");
	expect_field("mirrors.0.isCdc", "true");
	expect_field("mirrors.0.status", "STATUS_RUNNING");
	get("/mirrors/names");
	expect_field("names.0", "m");
}
END_TEST

static bool
counted(const char *path, const char *expected)
{
	get("/mirrors/cdc/table_total_counts/m");
	return strcmp(field_text(last->json, path), expected) == 0;
}

START_TEST(changes_are_counted_by_table)
{
	mirror_run("m", "public.t", NULL);
	on_source("INSERT INTO t VALUES (101), (102), (103)");
	on_source("UPDATE t SET v = 'x' WHERE id IN (1, 2)");
	on_source("DELETE FROM t WHERE id = 5");
	if (!poll_until(WAIT_MS, counted("totalData.totalCount", "6")))
		test_fail("the counts are %s", last->body);
	expect_field("tablesData.0.tableName", "public.t");
	expect_field("tablesData.0.counts.insertsCount", "3");
	expect_field("tablesData.0.counts.updatesCount", "2");
	expect_field("tablesData.0.counts.deletesCount", "1");
}
END_TEST

static bool
rows_synced(const char *cdc)
{
	get("/mirrors/total_rows_synced/m");
	return strcmp(field_text(last->json, "totalCountCDC"), cdc) == 0;
}

START_TEST(rows_are_summed)
{
	mirror_run("m", "public.t", NULL);
	on_source("INSERT INTO t VALUES (101), (102), (103)");
	if (!poll_until(WAIT_MS, rows_synced("3")))
		test_fail("the sums are %s", last->body);
	expect_field("totalCountInitialLoad", "100");
	expect_field("totalCount", "103");
}
END_TEST

/* A row that is flagged as deleted is there, and is not counted. */
START_TEST(rows_are_counted_on_both_sides)
{
	mirror_run("m", "public.t", NULL);
	on_source("DELETE FROM t WHERE id = 5");
	sql_wait(rig.d, WAIT_MS, "1", "SELECT count(*) FROM t WHERE \"_PEERDB_IS_DELETED\"");
	post("/mirrors/row_counts", json("{'flowJobName': 'm'}"));
	expect_field("tableCounts.0.sourceTable", "public.t");
	expect_field("tableCounts.0.sourceCount", "99");
	expect_field("tableCounts.0.destinationCount", "99");
	api_expect(404, api_post("/mirrors/row_counts", json("{'flowJobName': 'other'}")));
}
END_TEST

static bool
has_batch(void)
{
	get("/mirrors/cdc/batches/m");
	return field_at(last->json, "cdcBatches.0.endTime") != NULL;
}

START_TEST(batches_are_listed)
{
	mirror_run("m", "public.t", NULL);
	on_source("INSERT INTO t VALUES (101)");
	if (!poll_until(WAIT_MS, has_batch()))
		test_fail("no batch: %s", last->body);
	expect_field("cdcBatches.0.numRows", "1");
	expect_field("total", "1");
	post("/mirrors/cdc/batches", json("{'flow_job_name': 'm', 'limit': 10}"));
	expect_field("cdcBatches.0.batchId", "1");
}
END_TEST

START_TEST(logs_are_listed)
{
	mirror_run("m", "public.t", NULL);
	post("/mirrors/logs", json("{'flow_job_name': 'm', 'level': 'all', 'num_per_page': 10}"));
	expect_field("errors.0.flowName", "m");
	ck_assert_ptr_null(strstr(last->body, "Tr0ub4dor"));
}
END_TEST

START_TEST(overview_tells_everything_at_once)
{
	mirror_run("m", "public.t", NULL);
	get("/mirrors/overview");
	expect_field("mirrors.0.name", "m");
	expect_field("mirrors.0.status", "STATUS_RUNNING");
	expect_field("mirrors.0.tables.0.sourceTable", "public.t");
}
END_TEST

START_TEST(metrics_name_the_mirror)
{
	mirror_run("m", "public.t", NULL);
	last = api_expect(200, api_get("//metrics"));
	ck_assert_ptr_nonnull(strstr(last->body, "mirror=\"m\""));
}
END_TEST

START_TEST(update_of_a_peer_reconnects_its_mirrors)
{
	mirror_run("m", "public.t", "'soft_delete_col_name': ''");
	post("/peers/create",
	    json("{'allow_update': true, 'peer': {'name': 'src', 'type': 3, 'postgres_config': "
		 "{'host': '127.0.0.1'}}}"));
	on_source("INSERT INTO t VALUES (101, 'after')");
	expect_equal("t");
	mirror_wait("m", "STATUS_RUNNING");
}
END_TEST

START_TEST(log_file_holds_no_secret)
{
	mirror_run("m", "public.t", NULL);
	daemon_stop(rig.daemon);
	ck_assert(!daemon_log_has(rig.daemon, "Tr0ub4dor"));
	ck_assert(!daemon_log_has(rig.daemon, DAEMON_PASSWORD));
	daemon_start(rig.daemon);
}
END_TEST

static void
add_tests(TCase *tc)
{
	suite_test(tc, mirror_create_answers_its_workflow);
	suite_test(tc, mirror_repeated_is_success);
	suite_test(tc, mirror_with_other_config_is_409);
	suite_test(tc, attach_to_existing_is_success);
	suite_test(tc, validate_leaves_no_trace);
	suite_test(tc, status_without_flow_info);
	suite_test(tc, status_with_flow_info);
	suite_test(tc, status_tells_the_snapshot);
	suite_test(tc, status_of_unknown_mirror);
	suite_test(tc, mirrors_are_listed);
	suite_test(tc, changes_are_counted_by_table);
	suite_test(tc, rows_are_summed);
	suite_test(tc, rows_are_counted_on_both_sides);
	suite_test(tc, batches_are_listed);
	suite_test(tc, logs_are_listed);
	suite_test(tc, overview_tells_everything_at_once);
	suite_test(tc, metrics_name_the_mirror);
	suite_test(tc, update_of_a_peer_reconnects_its_mirrors);
	suite_test(tc, log_file_holds_no_secret);
}

static Suite *
mirrors_suite(void)
{
	Suite *s = suite_create("mirrors");
	TCase *tc = suite_case(s, "mirrors", rig_clusters_init, rig_clusters_done, contract_init,
	    rig_done);

	add_tests(tc);
	return s;
}

int
main(void)
{
	return suite_main(mirrors_suite());
}
