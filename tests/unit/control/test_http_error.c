/*
 * Errors as bodies, byte for byte.
 */
#include "lib/control/http_error.h"

#include <check.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/wire/json.h"
#include "protos/flow.pb-c.h"

#define INFO	"{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":"
#define FAILURE "{\"@type\":\"type.googleapis.com/google.rpc.PreconditionFailure\",\"violations\":["

static const struct {
	enum err_code code;
	const char *msg, *hint, *reason, *subjects[3];
	struct http_error_extra extra;
	const char *json;
} cases[] = {
	{ ERR_NOT_FOUND, "no", NULL, NULL, { NULL }, { NULL, -1 },
	    "{\"code\":5,\"message\":\"no\",\"details\":[]}" },
	{ ERR_CONFIG, "no", "do \"this\"", NULL, { NULL }, { NULL, -1 },
	    "{\"code\":9,\"message\":\"no\",\"hint\":\"do \\\"this\\\"\",\"details\":[]}" },
	{ ERR_CONFIG, "no", NULL, "SOURCE_VALIDATION_FAILED", { NULL }, { "FAILED", -1 },
	    "{\"code\":9,\"message\":\"no\",\"details\":[" INFO "\"SOURCE_VALIDATION_FAILED\","
	    "\"domain\":\"peerdb.io\",\"metadata\":{}}],\"status\":\"FAILED\"}" },
	{ ERR_CONFIG, "no", NULL, "SOURCE_TABLE_MISSING", { "s.a", "s.b" }, { NULL, -1 },
	    "{\"code\":9,\"message\":\"no\",\"details\":[" INFO "\"SOURCE_TABLE_MISSING\","
	    "\"domain\":\"peerdb.io\",\"metadata\":{}}," FAILURE
	    "{\"type\":\"SOURCE_TABLE_MISSING\",\"subject\":\"s.a\",\"description\":\"no\"},"
	    "{\"type\":\"SOURCE_TABLE_MISSING\",\"subject\":\"s.b\",\"description\":\"no\"}]}]}" },
	{ ERR_CONFIG, "no", NULL, "TABLES_NOT_IN_PUBLICATION", { "pub", "s.a" }, { NULL, -1 },
	    "{\"code\":9,\"message\":\"no\",\"details\":[" INFO "\"TABLES_NOT_IN_PUBLICATION\","
	    "\"domain\":\"peerdb.io\",\"metadata\":{\"publication\":\"pub\"}}," FAILURE
	    "{\"type\":\"TABLES_NOT_IN_PUBLICATION\",\"subject\":\"s.a\",\"description\":\"no\"}]}]"
	    "}" },
	{ ERR_EXISTS, "no", NULL, "MIRROR", { NULL }, { NULL, -1 },
	    "{\"code\":6,\"message\":\"no\",\"details\":[" INFO "\"MIRROR\","
	    "\"domain\":\"peerdb.io\",\"metadata\":{\"offendingField\":\"flow_job_name\"}}]}" },
	{ ERR_NOT_FOUND, "no", NULL, NULL, { NULL },
	    { NULL, PEERDB_FLOW__FLOW_STATUS__STATUS_UNKNOWN },
	    "{\"code\":5,\"message\":\"no\",\"details\":[],\"currentFlowState\":\"STATUS_"
	    "UNKNOWN\"}" },
	{ ERR_DATA, "bytes \xff\xfe here", NULL, NULL, { NULL }, { NULL, -1 },
	    "{\"code\":9,\"message\":\"bytes ?? here\",\"details\":[]}" },
};

START_TEST(error_as_body)
{
	struct err err = ERR_INIT;
	struct buf out;

	err_set(&err, cases[_i].code, "%s", cases[_i].msg);
	if (cases[_i].hint != NULL)
		err_hint(&err, "%s", cases[_i].hint);
	if (cases[_i].reason != NULL)
		err_reason(&err, cases[_i].reason);
	for (int i = 0; i < 3 && cases[_i].subjects[i] != NULL; i++)
		err_subject(&err, cases[_i].subjects[i]);
	buf_init(&out, 65536);
	http_error_print(&err, &cases[_i].extra, &out);
	ck_assert_str_eq(buf_str(&out), cases[_i].json);
	buf_done(&out);
}
END_TEST

START_TEST(cut_off_message_is_still_json)
{
	struct err err = ERR_INIT;
	cJSON *tree = NULL;
	struct buf out;

	err.code = ERR_DATA;
	for (size_t i = 0; i + 1 < sizeof(err.msg); i++)
		err.msg[i] = i % 2 == 0 ? '\xc3' : '\xa4';
	buf_init(&out, 65536);
	http_error_print(&err, NULL, &out);
	ck_assert_msg(json_parse(buf_str(&out), out.n, &tree, &err), "%s", err.msg);
	cJSON_Delete(tree);
	buf_done(&out);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http_error");
	TCase *tc = tcase_create("http_error");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, error_as_body, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(tc, cut_off_message_is_still_json);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
