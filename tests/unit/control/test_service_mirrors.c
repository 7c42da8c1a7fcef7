/*
 * Mirrors through the service, with workers that behave well and badly.
 */
#include "tests/unit/control/service_fixture.h"

START_TEST(a_mirror_runs_pauses_resumes_and_goes)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", LOADS), "good-peerflow");
	run_until(mirror_is_in("good", "RUNNING"));
	run_until(overview_has("\"lagBytes\":\"77\""));
	ck_assert(has("\"rowsLoaded\":\"100\""));
	ck_assert(has("\"rowsSynced\":\"12\""));
	ck_assert(has("\"state\":\"running\""));
	ask_state("good", "PAUSED", "{}");
	run_until(mirror_is_in("good", "PAUSED"));
	ask_state("good", "PAUSED", "{}");
	ck_assert(overview_has("\"workerPid\":0"));
	ask_state("good", "RUNNING", "{}");
	run_until(mirror_is_in("good", "RUNNING"));
	ask_state("good", "TERMINATING", "{}");
	run_until(strstr(api("MirrorStatus", "{\"flow_job_name\":\"good\"}"), "NOT_FOUND") != NULL);
	ck_assert_int_eq(last_state, PEERDB_FLOW__FLOW_STATUS__STATUS_UNKNOWN);
	expect("DropPeer", "{\"peer_name\":\"a\"}", "{}");
}
END_TEST

START_TEST(history_is_told)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", LOADS), "good-peerflow");
	run_until(overview_has("\"rowsSynced\":\"12\""));
	expect("CDCBatches", "{\"flow_job_name\":\"good\",\"limit\":2}",
	    "\"batchId\":\"2\"}],\"total\":3,\"page\":1");
	ck_assert(has("[{\"startLsn\":\"0\",\"endLsn\":\"4099\",\"numRows\":4"));
	expect("GetCDCBatches", "{\"flow_job_name\":\"good\",\"limit\":2,\"before_id\":2}",
	    "\"batchId\":\"1\"}],\"total\":3,\"page\":2");
	expect("CDCBatches", "{\"flow_job_name\":\"good\",\"limit\":1,\"after_id\":1}",
	    "\"batchId\":\"2\"}],\"total\":3,\"page\":2");
	expect("CDCBatches", "{\"flow_job_name\":\"good\",\"limit\":1,\"ascending\":true}",
	    "\"batchId\":\"1\"}],\"total\":3,\"page\":1");
	expect("CDCTableTotalCounts", "{\"flow_job_name\":\"good\"}",
	    "\"totalData\":{\"totalCount\":\"12\",\"insertsCount\":\"9\",\"updatesCount\":\"0\","
	    "\"deletesCount\":\"3\"}");
	expect("TotalRowsSyncedByMirror", "{\"flow_job_name\":\"good\"}",
	    "{\"totalCountCDC\":\"12\",\"totalCountInitialLoad\":\"100\",\"totalCount\":\"112\"}");
	expect("TotalRowsSyncedByMirror", "{\"flow_job_name\":\"good\",\"exclude_cdc\":true}",
	    "\"totalCount\":\"100\"");
	expect("InitialLoadSummary", "{\"parent_mirror_name\":\"good\"}",
	    "\"numPartitionsCompleted\":2,\"numPartitionsTotal\":2,\"numRowsSynced\":\"100\","
	    "\"avgTimePerPartitionMs\":\"2000\"");
	expect("ListMirrorLogs", "{\"flow_job_name\":\"goo\",\"num_per_page\":100}",
	    "STATUS_SNAPSHOT -> STATUS_RUNNING (snapshot_done)");
	expect("ListMirrorLogs", "{\"flow_job_name\":\"good\",\"level\":\"error\"}",
	    "\"errors\":[]");
	expect("MirrorStatus", "{\"flow_job_name\":\"good\",\"include_flow_info\":true}",
	    "\"rowsSynced\":\"12\"");
	ck_assert(has("\"fetchCompleted\":true,\"consolidateCompleted\":true"));
	ck_assert(has("\"sourceType\":\"POSTGRES\""));
	expect("MirrorStatus",
	    "{\"flow_job_name\":\"good\",\"include_flow_info\":true,"
	    "\"exclude_batches\":true,\"exclude_snapshot_status\":true}",
	    "\"cdcBatches\":[]");
	ck_assert(!has("snapshotStatus"));
	expect("ListMirrors", "{}", "\"workflowId\":\"good-peerflow\",\"name\":\"good\"");
	expect("ListMirrorNames", "{}", "{\"names\":[\"good\"]}");
}
END_TEST

START_TEST(rows_are_counted)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", STREAMS), "good-peerflow");
	expect("GetMirrorRowCounts", "{\"flow_job_name\":\"good\"}",
	    "{\"tableCounts\":[{\"sourceTable\":\"public.t\","
	    "\"destinationTable\":\"destination\",\"sourceCount\":\"100\"");
	expect("GetMirrorRowCounts",
	    "{\"flow_job_name\":\"good\",\"source_tables\":[\"public.t\"]}", "\"public.t\"");
	expect("GetMirrorRowCounts",
	    "{\"flow_job_name\":\"good\",\"source_tables\":[\"public.t\",\"public.u\"]}",
	    "NOT_FOUND mirror \"good\" has no source table \"public.u\"");
	expect("GetMirrorRowCounts", "{\"flow_job_name\":\"other\"}",
	    "NOT_FOUND mirror \"other\" does not exist");
	ck_assert_int_eq(last_state, PEERDB_FLOW__FLOW_STATUS__STATUS_UNKNOWN);
	expect("CreatePeer",
	    "{\"allow_update\":true,\"disable_validation\":true,\"peer\":{\"name\":\"a\","
	    "\"type\":3,\"postgres_config\":{\"host\":\"gone\"}}}",
	    "CREATED");
	expect("GetMirrorRowCounts", "{\"flow_job_name\":\"good\"}",
	    "TRANSIENT connection refused");
}
END_TEST

START_TEST(a_snapshot_alone_completes)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", LOADS ",\"initial_snapshot_only\":true"), "good");
	run_until(mirror_is_in("good", "COMPLETED"));
	run_until(overview_has("\"workerPid\":0"));
	ck_assert(has("\"errorMessage\":\"\""));
	ask_state("good", "PAUSED", "CONFIG illegal state change");
	ck_assert_int_eq(last_state, PEERDB_FLOW__FLOW_STATUS__STATUS_COMPLETED);
	ask_state("good", "RUNNING", "CONFIG illegal state change");
	ask_state("good", "TERMINATED", "{}");
	expect("MirrorStatus", "{\"flow_job_name\":\"good\"}", "NOT_FOUND");
}
END_TEST

#define GOOD_INFO "{\"flow_job_name\":\"good\",\"include_flow_info\":true}"

static bool
runs_and_is_in_sync(void)
{
	return mirror_is_in("good", "RUNNING") &&
	    strstr(api("MirrorStatus", GOOD_INFO), "\"resync\":false") != NULL;
}

START_TEST(a_mirror_is_resynced)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", STREAMS), "good-peerflow");
	run_until(overview_has("\"rowsSynced\":\"12\""));
	ask_state("good", "RESYNC", "{}");
	ask_state("good", "RESYNC", "{}");
	run_until(runs_and_is_in_sync());
	run_until(overview_has("\"rowsSynced\":\"24\""));
	ck_assert(has("\"rowsLoaded\":\"100\""));
	expect("ListMirrorLogs", "{\"flow_job_name\":\"good\",\"num_per_page\":100}",
	    "STATUS_RUNNING -> STATUS_RESYNC (resync_asked)");
	ck_assert(has("STATUS_RESYNC -> STATUS_SETUP"));
	expect("CreateCDCFlow", MIRROR("good", STREAMS), "good-peerflow");
	ask_state("good", "PAUSED", "{}");
	run_until(mirror_is_in("good", "PAUSED"));
	ask_state("good", "RESYNC", "{}");
	run_until(runs_and_is_in_sync());
}
END_TEST

START_TEST(a_resync_outlives_a_crash_of_the_daemon)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", LOADS), "good-peerflow");
	run_until(mirror_is_in("good", "RUNNING"));
	ask_state("good", "RESYNC", "{}");
	ck_assert(mirror_is_in("good", "RESYNC"));
	close_service(false);
	open_service();
	expect("MirrorStatus", GOOD_INFO, "\"resync\":true");
	run_until(runs_and_is_in_sync());
}
END_TEST

START_TEST(what_is_created_with_resync_is_an_ordinary_mirror_soon)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", LOADS ",\"resync\":true"), "good-peerflow");
	run_until(runs_and_is_in_sync());
	expect("CreateCDCFlow", MIRROR("good", LOADS ",\"resync\":true"), "good-peerflow");
	expect("CreateCDCFlow", MIRROR("good", LOADS), "good-peerflow");
}
END_TEST

START_TEST(failed_and_completed_are_resynced)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", LOADS ",\"initial_snapshot_only\":true"), "good");
	run_until(mirror_is_in("good", "COMPLETED"));
	ask_state("good", "RESYNC", "{}");
	run_until(mirror_is_in("good", "COMPLETED"));
	expect("MirrorStatus", GOOD_INFO, "\"resync\":false");
	expect("CreateCDCFlow", MIRROR("config", LOADS), "config-peerflow");
	run_until(mirror_is_in("config", "FAILED"));
	ask_state("config", "RESYNC", "{}");
	run_until(mirror_is_in("config", "FAILED"));
	ask_state("config", "TERMINATING", "{}");
	run_until(
	    strstr(api("MirrorStatus", "{\"flow_job_name\":\"config\"}"), "NOT_FOUND") != NULL);
}
END_TEST

START_TEST(what_the_user_must_mend_fails_and_resumes)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("config", STREAMS), "config-peerflow");
	run_until(mirror_is_in("config", "FAILED"));
	ck_assert(overview_has(
	    "\"errorMessage\":\"wal_level is \\\"replica\\\"\",\"errorHint\":\"mend it\""));
	ask_state("config", "PAUSED", "CONFIG illegal state change");
	ck_assert_str_eq(last_err.hint, "a failed mirror can be resumed, resynced or terminated");
	expect("CreatePeer",
	    "{\"allow_update\":true,\"peer\":{\"name\":\"a\",\"type\":3,"
	    "\"postgres_config\":{\"host\":\"mended\"}}}",
	    "CREATED");
	ck_assert(mirror_is_in("config", "FAILED"));
	ask_state("config", "RUNNING", "{}");
	run_until(mirror_is_in("config", "RUNNING"));
	ck_assert(overview_has("\"errorMessage\":\"\""));
}
END_TEST

START_TEST(a_refused_password_is_trouble_not_failure)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("auth", STREAMS), "auth-peerflow");
	run_until(overview_has("\"rowsSynced\":\"12\""));
	ask_state("auth", "PAUSED", "{}");
	run_until(mirror_is_in("auth", "PAUSED"));
	ask_state("auth", "RUNNING", "{}");
	run_until(overview_has("\"errorMessage\":\"password authentication failed\""));
	ck_assert(mirror_is_in("auth", "RUNNING"));
	expect("CreatePeer",
	    "{\"allow_update\":true,\"peer\":{\"name\":\"a\",\"type\":3,"
	    "\"postgres_config\":{\"host\":\"mended\"}}}",
	    "CREATED");
	run_until(overview_has("\"errorMessage\":\"\""));
	ck_assert(mirror_is_in("auth", "RUNNING"));
}
END_TEST

START_TEST(broken_workers_are_tried_a_few_times)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("crash", STREAMS), "peerflow");
	expect("CreateCDCFlow", MIRROR("noise", STREAMS), "peerflow");
	expect("CreateCDCFlow", MIRROR("table", STREAMS), "peerflow");
	run_until(overview_has("killed by signal 9"));
	run_until(overview_has("a frame of unknown type"));
	run_until(overview_has("a table without a name"));
	run_until(mirror_is_in("crash", "FAILED"));
	run_until(mirror_is_in("noise", "FAILED"));
	run_until(mirror_is_in("table", "FAILED"));
	expect("ListMirrorLogs", "{\"flow_job_name\":\"crash\",\"level\":\"error\"}",
	    "\"total\":6");
	ask_state("crash", "TERMINATING", "{}");
	run_until(strcmp(api("ListMirrorNames", "{}"), "{\"names\":[\"noise\",\"table\"]}") == 0);
}
END_TEST

START_TEST(a_restart_goes_on_where_it_was)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", LOADS), "good-peerflow");
	expect("CreateCDCFlow", MIRROR("good2", LOADS), "good2-peerflow");
	run_until(overview_has("\"rowsSynced\":\"12\""));
	run_until(mirror_is_in("good2", "RUNNING"));
	ask_state("good2", "PAUSED", "{}");
	run_until(mirror_is_in("good2", "PAUSED"));
	close_service(true);
	open_service();
	ck_assert(mirror_is_in("good2", "PAUSED"));
	ck_assert(mirror_is_in("good", "RUNNING"));
	run_until(overview_has("\"rowsSynced\":\"24\""));
	ck_assert(has("\"rowsLoaded\":\"100\""));
	expect("CDCBatches", "{\"flow_job_name\":\"good\"}", "\"total\":6");
	close_service(false);
	open_service();
	run_until(overview_has("\"rowsSynced\":\"36\""));
	ck_assert(mirror_is_in("good2", "PAUSED"));
}
END_TEST

START_TEST(a_pause_outlives_a_crash_of_the_daemon)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", LOADS), "good-peerflow");
	run_until(mirror_is_in("good", "RUNNING"));
	ask_state("good", "PAUSED", "{}");
	close_service(false);
	open_service();
	run_until(mirror_is_in("good", "PAUSED"));
	ask_state("good", "TERMINATING", "{}");
	close_service(false);
	open_service();
	run_until(strcmp(api("ListMirrorNames", "{}"), "{\"names\":[]}") == 0);
}
END_TEST

START_TEST(create_again)
{
	make_peers();
	expect("CreateCDCFlow", MIRROR("good", LOADS), "good-peerflow");
	expect("CreateCDCFlow", MIRROR("good", LOADS), "good-peerflow");
	expect("CreateCDCFlow", MIRROR("good", LOADS ",\"max_batch_size\":1000000"),
	    "good-peerflow");
	expect("CreateCDCFlow", MIRROR("good", STREAMS ",\"max_batch_size\":7"),
	    "EXISTS mirror with name good already exists");
	ck_assert(has("max_batch_size"));
	ck_assert(has("do_initial_snapshot"));
	ck_assert_str_eq(last_err.reason, "MIRROR");
	expect("ValidateCDCMirror", MIRROR("good", LOADS), "EXISTS");
	expect("CreateCDCFlow",
	    "{\"attach_to_existing\":true,\"connection_configs\":{\"flow_job_name\":\"good\"}}",
	    "good-peerflow");
	expect("CreateCDCFlow",
	    MIRROR("other", LOADS ",\"replication_slot_name\":\"peerflow_slot_good\""),
	    "belongs to mirror \"good\"");
}
END_TEST

static const struct {
	const char *json;
	const char *words;
} refused[] = {
	{ "{}", "INVALID connection_configs is required" },
	{ MIRROR("", LOADS), "INVALID flow_job_name is required" },
	{ MIRROR("Upper", LOADS), "INVALID flow_job_name \"Upper\"" },
	{ MIRROR("1st", LOADS), "INVALID flow_job_name \"1st\"" },
	{ MIRROR("a-b", LOADS), "INVALID flow_job_name \"a-b\"" },
	{ MIRROR("a23456789012345678901234567890123456789012345678901", LOADS), "too long" },
	{ MIRROR("m", ""), "INVALID do_initial_snapshot is required" },
	{ MIRROR("m", STREAMS ",\"initial_snapshot_only\":true"), "INVALID initial_snapshot_only" },
	{ MIRROR("m", LOADS ",\"replication_slot_name\":\"Bad Slot\""),
	    "INVALID replication_slot_name" },
	{ MIRROR("m", STREAMS ",\"resync\":true"), "INVALID resync needs do_initial_snapshot" },
	{ MIRROR("m", LOADS ",\"script\":\"x\""), "UNIMPLEMENTED scripts" },
	{ "{\"connection_configs\":{\"flow_job_name\":\"m\",\"source_name\":\"a\","
	  "\"destination_name\":\"b\",\"do_initial_snapshot\":true}}",
	    "INVALID table_mappings" },
	{ "{\"connection_configs\":{\"flow_job_name\":\"m\",\"destination_name\":\"b\"}}",
	    "INVALID source_name is required" },
	{ "{\"connection_configs\":{\"flow_job_name\":\"m\",\"source_name\":\"a\"}}",
	    "INVALID destination_name is required" },
	{ "{\"connection_configs\":{\"flow_job_name\":\"m\",\"source_name\":\"nobody\","
	  "\"destination_name\":\"b\",\"do_initial_snapshot\":true,\"table_mappings\":["
	  "{\"source_table_identifier\":\"s.t\",\"destination_table_identifier\":\"s.t\"}]}}",
	    "NOT_FOUND peer \"nobody\"" },
	{ "{\"connection_configs\":{\"flow_job_name\":\"m\",\"source_name\":\"a\","
	  "\"destination_name\":\"b\",\"do_initial_snapshot\":true,\"table_mappings\":["
	  "{\"source_table_identifier\":\"s.t\",\"destination_table_identifier\":\"s.t\"},"
	  "{\"source_table_identifier\":\"\\\"s\\\".t\",\"destination_table_identifier\":\"s.u\"}]}"
	  "}",
	    "INVALID source table s.t is mapped more than once" },
	{ "{\"connection_configs\":{\"flow_job_name\":\"m\",\"source_name\":\"a\","
	  "\"destination_name\":\"b\",\"do_initial_snapshot\":true,\"table_mappings\":["
	  "{\"source_table_identifier\":\"s.t\",\"destination_table_identifier\":\"s.t\"},"
	  "{\"source_table_identifier\":\"s.u\",\"destination_table_identifier\":\"s.t\"}]}}",
	    "INVALID destination table s.t is mapped more than once" },
	{ "{\"connection_configs\":{\"flow_job_name\":\"m\",\"source_name\":\"a\","
	  "\"destination_name\":\"b\",\"do_initial_snapshot\":true,\"table_mappings\":["
	  "{\"source_table_identifier\":\"t\",\"destination_table_identifier\":\"s.t\"}]}}",
	    "CONFIG table name" },
};

START_TEST(a_refused_create_leaves_nothing)
{
	make_peers();
	expect("CreateCDCFlow", refused[_i].json, refused[_i].words);
	expect("ValidateCDCMirror", refused[_i].json, refused[_i].words);
	ck_assert_str_eq(api("ListMirrorNames", "{}"), "{\"names\":[]}");
}
END_TEST

static const struct {
	const char *text;
	bool is_type;
} types[] = {
	{ "String", true },
	{ "Decimal(38, 10)", true },
	{ "DateTime64(6,'UTC')", true },
	{ "Nullable(DateTime64(6, 'America/Port-au-Prince'))", true },
	{ "DateTime('Etc/GMT+5')", true },
	{ " String", false },
	{ "8Int", false },
	{ "DateTime('UTC", false },
	{ "DateTime('a b')", false },
	{ "DateTime('a)')", false },
	{ "DateTime('a\\\\')", false },
	{ "String; DROP TABLE t", false },
	{ "String--", false },
	{ "String/**/", false },
	{ "`String`", false },
	{ "String\\n", false },
};

START_TEST(only_types_are_types)
{
	char json[1024];

	make_peers();
	snprintf(json, sizeof(json),
	    "{\"connection_configs\":{\"flow_job_name\":\"m\",\"source_name\":\"a\","
	    "\"destination_name\":\"b\",\"do_initial_snapshot\":true,\"table_mappings\":["
	    "{\"source_table_identifier\":\"s.t\",\"destination_table_identifier\":\"s.t\","
	    "\"columns\":[{\"source_name\":\"c\",\"destination_type\":\"%s\"}]}]}}",
	    types[_i].text);
	api("CreateCDCFlow", json);
	ck_assert_msg(has("is not a type") != types[_i].is_type, "%s: %s", types[_i].text,
	    buf_str(&last));
}
END_TEST

START_TEST(state_changes_that_cannot_be)
{
	make_peers();
	ask_state("nobody", "PAUSED", "NOT_FOUND mirror \"nobody\" does not exist");
	expect("CreateCDCFlow", MIRROR("good", LOADS), "good-peerflow");
	ask_state("good", "SNAPSHOT", "INVALID illegal state change requested: STATUS_SNAPSHOT");
	expect("FlowStateChange",
	    "{\"flow_job_name\":\"good\",\"requested_flow_state\":1,"
	    "\"flow_config_update\":{\"cdc_flow_config_update\":{\"batch_size\":5}}}",
	    "UNIMPLEMENTED flow_config_update");
	expect("CreateQRepFlow", "{}", "UNIMPLEMENTED CreateQRepFlow");
	expect("MirrorStatus", "{\"flow_job_name\":\"nobody\"}", "NOT_FOUND");
	expect("CDCBatches", "{\"flow_job_name\":\"nobody\"}", "NOT_FOUND");
	expect("CDCTableTotalCounts", "{\"flow_job_name\":\"nobody\"}", "NOT_FOUND");
	ck_assert_int_eq(last_state, PEERDB_FLOW__FLOW_STATUS__STATUS_UNKNOWN);
}
END_TEST

static int
run_suite(void)
{
	Suite *s = suite_create("service_mirrors");
	TCase *tc = tcase_create("service_mirrors");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, fixture_init, fixture_done);
	tcase_add_test(tc, a_mirror_runs_pauses_resumes_and_goes);
	tcase_add_test(tc, history_is_told);
	tcase_add_test(tc, rows_are_counted);
	tcase_add_test(tc, a_snapshot_alone_completes);
	tcase_add_test(tc, a_mirror_is_resynced);
	tcase_add_test(tc, a_resync_outlives_a_crash_of_the_daemon);
	tcase_add_test(tc, what_is_created_with_resync_is_an_ordinary_mirror_soon);
	tcase_add_test(tc, failed_and_completed_are_resynced);
	tcase_add_test(tc, what_the_user_must_mend_fails_and_resumes);
	tcase_add_test(tc, a_refused_password_is_trouble_not_failure);
	tcase_add_test(tc, broken_workers_are_tried_a_few_times);
	tcase_add_test(tc, a_restart_goes_on_where_it_was);
	tcase_add_test(tc, a_pause_outlives_a_crash_of_the_daemon);
	tcase_add_test(tc, create_again);
	tcase_add_loop_test(tc, only_types_are_types, 0, sizeof(types) / sizeof(types[0]));
	tcase_add_loop_test(tc, a_refused_create_leaves_nothing, 0,
	    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, state_changes_that_cannot_be);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	fake_worker_main(argc, argv);
	return run_suite();
}
