#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/wire/pbjson.h"
#include "lib/wire/pbutil.h"
#include "protos/route.pb-c.h"

#define PEER   (&peerdb_peers__peer__descriptor)
#define MIRROR (&peerdb_flow__flow_connection_configs__descriptor)

static ProtobufCMessage *
message(const ProtobufCMessageDescriptor *desc, const char *json)
{
	ProtobufCMessage *msg = NULL;
	struct err err = ERR_INIT;

	ck_assert_msg(pbjson_parse(desc, json, strlen(json), &msg, &err), "%s: %s", json, err.msg);
	return msg;
}

static void
assert_is(const ProtobufCMessage *msg, const char *json)
{
	struct buf out;

	buf_init(&out, MIB);
	pbjson_print(msg, PBJSON_PRESENT_ONLY, &out);
	ck_assert_str_eq(buf_str(&out), json);
	buf_done(&out);
}

static void
free_msg(void *msg)
{
	protobuf_c_message_free_unpacked(msg, NULL);
}

/* ---- diff -------------------------------------------------------------- */

static const struct {
	const ProtobufCMessageDescriptor *desc;
	const char *a, *b, *names;
} diffs[] = {
	{ PEER, "{}", "{}", "" },
	{ PEER, "{\"name\":\"a\"}", "{\"name\":\"b\"}", "name" },
	{ PEER, "{\"type\":0}", "{}", "" },
	{ PEER, "{\"type\":3}", "{\"type\":8,\"name\":\"x\"}", "name, type" },
	/* an absent field equals its default, and only that */
	{ MIRROR, "{\"max_batch_size\":1000000,\"soft_delete_col_name\":\"_PEERDB_IS_DELETED\"}",
	    "{}", "" },
	{ MIRROR, "{\"soft_delete_col_name\":\"\"}", "{}", "soft_delete_col_name" },
	{ MIRROR, "{\"do_initial_snapshot\":false}", "{}", "do_initial_snapshot" },
	{ PEER, "{\"postgres_config\":{\"sslmode\":\"\"}}", "{\"postgres_config\":{}}",
	    "postgres_config.sslmode" },
	/* sub-messages and oneofs */
	{ PEER, "{\"postgres_config\":{\"port\":1,\"user\":\"u\"}}",
	    "{\"postgres_config\":{\"port\":2}}", "postgres_config.port, postgres_config.user" },
	{ PEER, "{\"postgres_config\":{\"ssh_config\":{\"host\":\"a\"}}}",
	    "{\"postgres_config\":{\"ssh_config\":{\"host\":\"b\"}}}",
	    "postgres_config.ssh_config.host" },
	{ PEER, "{\"postgres_config\":{\"ssh_config\":{}}}", "{\"postgres_config\":{}}",
	    "postgres_config.ssh_config" },
	{ PEER, "{\"postgres_config\":{}}", "{\"kafka_config\":{}}",
	    "postgres_config, kafka_config" },
	/* lists and maps: order carries no meaning, number does */
	{ MIRROR, "{\"flags\":[\"a\",\"b\"]}", "{\"flags\":[\"b\",\"a\"]}", "" },
	{ MIRROR, "{\"flags\":[\"a\",\"b\",\"a\"]}", "{\"flags\":[\"b\",\"a\",\"b\"]}", "flags" },
	{ MIRROR, "{\"env\":{\"a\":\"1\",\"b\":\"2\"}}", "{\"env\":{\"b\":\"2\",\"a\":\"1\"}}",
	    "" },
	{ MIRROR, "{\"env\":{\"a\":\"1\"}}", "{\"env\":{\"a\":\"2\"}}", "env" },
	{ MIRROR,
	    "{\"table_mappings\":[{\"source_table_identifier\":\"a.a\",\"exclude\":[\"x\",\"y\"]},"
	    "{\"source_table_identifier\":\"b.b\"}]}",
	    "{\"table_mappings\":[{\"source_table_identifier\":\"b.b\",\"engine\":0},"
	    "{\"source_table_identifier\":\"a.a\",\"exclude\":[\"y\",\"x\"]}]}",
	    "" },
	{ MIRROR, "{\"table_mappings\":[{\"exclude\":[\"x\"]}]}", "{\"table_mappings\":[{}]}",
	    "table_mappings" },
	{ MIRROR, "{\"flags\":[\"a\"]}", "{}", "flags" },
};

START_TEST(names_differences)
{
	ProtobufCMessage *a = message(diffs[_i].desc, diffs[_i].a);
	ProtobufCMessage *b = message(diffs[_i].desc, diffs[_i].b);
	struct buf names;

	buf_init(&names, MIB);
	ck_assert_int_eq(pb_diff(a, b, &names), diffs[_i].names[0] == '\0');
	ck_assert_str_eq(buf_str(&names), diffs[_i].names);
	buf_reset(&names);
	ck_assert_int_eq(pb_diff(b, a, &names), diffs[_i].names[0] == '\0');
	ck_assert_str_eq(buf_str(&names), diffs[_i].names);
	ck_assert_int_eq(pb_diff(a, b, NULL), diffs[_i].names[0] == '\0');
	ck_assert(pb_diff(a, a, NULL));
	buf_done(&names);
	free_msg(a);
	free_msg(b);
}
END_TEST

/* ---- merge ------------------------------------------------------------- */

static const struct {
	const ProtobufCMessageDescriptor *desc;
	const char *base, *patch, *merged;
} merges[] = {
	{ PEER, "{\"name\":\"a\",\"type\":\"POSTGRES\"}", "{}",
	    "{\"name\":\"a\",\"type\":\"POSTGRES\"}" },
	{ PEER, "{\"name\":\"a\"}", "{\"name\":\"\"}", "{\"name\":\"\"}" },
	{ PEER, "{\"postgres_config\":{\"host\":\"h\",\"password\":\"p\",\"port\":1}}",
	    "{\"postgres_config\":{\"port\":2}}",
	    "{\"postgresConfig\":{\"host\":\"h\",\"port\":2,\"password\":\"p\"}}" },
	{ PEER, "{\"postgres_config\":{\"password\":\"p\",\"root_ca\":\"r\"}}",
	    "{\"postgres_config\":{\"password\":\"********\",\"root_ca\":\"s\"}}",
	    "{\"postgresConfig\":{\"password\":\"p\",\"rootCa\":\"s\"}}" },
	{ PEER, "{\"postgres_config\":{\"host\":\"h\"}}",
	    "{\"postgres_config\":{\"host\":\"********\"}}",
	    "{\"postgresConfig\":{\"host\":\"********\"}}" },
	{ PEER, "{}", "{\"postgres_config\":{\"host\":\"h\"}}",
	    "{\"postgresConfig\":{\"host\":\"h\"}}" },
	{ PEER, "{\"kafka_config\":{\"servers\":[\"a\"]}}", "{\"postgres_config\":{}}",
	    "{\"postgresConfig\":{}}" },
	{ MIRROR, "{\"flags\":[\"a\",\"b\"],\"env\":{\"a\":\"1\"}}", "{\"flags\":[\"c\"]}",
	    "{\"env\":{\"a\":\"1\"},\"flags\":[\"c\"]}" },
	{ MIRROR, "{\"env\":{\"a\":\"1\",\"api_token\":\"t\"}}",
	    "{\"env\":{\"b\":\"2\",\"api_token\":\"********\",\"new_token\":\"********\"}}",
	    "{\"env\":{\"b\":\"2\",\"api_token\":\"t\"}}" },
};

START_TEST(merges_what_is_present)
{
	ProtobufCMessage *base = message(merges[_i].desc, merges[_i].base);
	ProtobufCMessage *patch = message(merges[_i].desc, merges[_i].patch);

	pb_merge(base, patch);
	free_msg(patch); /* nothing is shared with it */
	assert_is(base, merges[_i].merged);
	free_msg(base);
}
END_TEST

/* ---- copy and presence -------------------------------------------------- */

START_TEST(copies_deeply)
{
	ProtobufCMessage *a = message(MIRROR,
	    "{\"flow_job_name\":\"m\",\"soft_delete_col_name\":\"\","
	    "\"table_mappings\":[{\"exclude\":[\"x\"]}],\"env\":{\"a\":\"b\"}}");
	ProtobufCMessage *b = pb_copy(a);

	ck_assert(pb_diff(a, b, NULL));
	free_msg(a);
	assert_is(b,
	    "{\"flowJobName\":\"m\",\"tableMappings\":[{\"exclude\":[\"x\"]}],"
	    "\"softDeleteColName\":\"\",\"env\":{\"a\":\"b\"}}");
	free_msg(b);
	ck_assert_ptr_null(pb_copy(NULL));
}
END_TEST

START_TEST(marks_what_c_code_filled_in)
{
	PeerdbRoute__MirrorOverview m = PEERDB_ROUTE__MIRROR_OVERVIEW__INIT;
	PeerdbRoute__TableOverview t = PEERDB_ROUTE__TABLE_OVERVIEW__INIT;
	PeerdbRoute__TableOverview *tables[] = { &t };
	ProtobufCMessage *copy;

	m.status = PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING;
	m.lag_bytes = 0;
	m.rows_per_second = 1.5;
	m.tables = tables;
	m.n_tables = 1;
	t.rows_loaded = 7;
	copy = pb_copy(&m.base);
	assert_is(copy, "{\"tables\":[{}]}");
	free_msg(copy);
	pb_mark_set(&m.base);
	copy = pb_copy(&m.base);
	assert_is(copy,
	    "{\"status\":\"STATUS_RUNNING\",\"lagBytes\":\"0\",\"rowsPerSecond\":1.5,"
	    "\"tables\":[{\"rowsLoaded\":\"7\"}]}");
	free_msg(copy);
}
END_TEST

/* ---- secrets ------------------------------------------------------------- */

START_TEST(redacts)
{
	ProtobufCMessage *msg = message(PEER,
	    "{\"name\":\"p\",\"postgres_config\":{\"host\":\"h\","
	    "\"password\":\"1\",\"root_ca\":\"\",\"connection_string\":\"postgres://u:2@h\","
	    "\"ssh_config\":{\"user\":\"u\",\"private_key\":\"3\"},"
	    "\"client_tls\":{\"certificate\":\"4\",\"private_key\":\"5\"},"
	    "\"aws_auth\":{\"static_credentials\":{\"access_key_id\":\"6\"}},"
	    "\"options\":{\"sslPassword\":\"7\",\"passfile\":\"f\",\"sslcert\":\"c\"}}}");

	pb_redact(msg);
	assert_is(msg,
	    "{\"name\":\"p\",\"postgresConfig\":{\"host\":\"h\",\"password\":\"********\","
	    "\"sshConfig\":{\"user\":\"u\",\"privateKey\":\"********\"},\"rootCa\":\"\","
	    "\"awsAuth\":{\"staticCredentials\":{\"accessKeyId\":\"********\"}},"
	    "\"clientTls\":{\"certificate\":\"********\",\"privateKey\":\"********\"},"
	    "\"options\":{\"sslPassword\":\"********\",\"passfile\":\"f\",\"sslcert\":\"c\"},"
	    "\"connectionString\":\"********\"}}");
	free_msg(msg);
}
END_TEST

static void
count_secret(char **secret, void *arg)
{
	++*(int *)arg;
	free(*secret);
	*secret = xstrdup("sealed");
}

START_TEST(visits_secrets)
{
	ProtobufCMessage *msg = message(PEER,
	    "{\"clickhouse_config\":{\"user\":\"u\",\"password\":\"p\","
	    "\"secret_access_key\":\"\",\"s3\":{\"access_key_id\":\"k\"}}}");
	int n = 0;

	pb_secrets(msg, count_secret, &n);
	ck_assert_int_eq(n, 2);
	assert_is(msg,
	    "{\"clickhouseConfig\":{\"user\":\"u\",\"password\":\"sealed\","
	    "\"secretAccessKey\":\"\",\"s3\":{\"accessKeyId\":\"sealed\"}}}");
	free_msg(msg);
}
END_TEST

/*
 * The list of secrets is kept by hand: a field of a peer that is named like
 * one, in whatever sub-message, must be in it.
 */
static void
fill_suspects(ProtobufCMessage *msg, int *n)
{
	static const char *const words[] = { "password", "private_key", "secret", "access_key",
		"certificate", "root_ca", "host_key", "connection_string" };
	const ProtobufCMessageDescriptor *desc = msg->descriptor;

	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];
		bool suspect = false;

		for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
			suspect |= strstr(f->name, words[w]) != NULL;
		if (!suspect || f->type != PROTOBUF_C_TYPE_STRING ||
		    strcmp(f->name, "tls_certificate_directory") == 0)
			continue;
		*(char **)((char *)msg + f->offset) = xstrdup("hunter2");
		++*n;
	}
}

static const ProtobufCMessageDescriptor *const secretive[] = {
	&peerdb_peers__postgres_config__descriptor,
	&peerdb_peers__clickhouse_config__descriptor,
	&peerdb_peers__kafka_config__descriptor,
	&peerdb_peers__s3_config__descriptor,
	&peerdb_peers__sshconfig__descriptor,
	&peerdb_peers__client_tls_config__descriptor,
	&peerdb_peers__awsauth_static_credentials_config__descriptor,
};

START_TEST(no_secret_is_forgotten)
{
	ProtobufCMessage *msg = message(secretive[_i], "{}");
	int filled = 0, visited = 0;

	fill_suspects(msg, &filled);
	pb_secrets(msg, count_secret, &visited);
	ck_assert_int_gt(filled, 0);
	ck_assert_int_eq(visited, filled);
	free_msg(msg);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int
main(void)
{
	Suite *s = suite_create("pbutil");
	TCase *tc = tcase_create("pbutil");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, names_differences, 0, COUNT(diffs));
	tcase_add_loop_test(tc, merges_what_is_present, 0, COUNT(merges));
	tcase_add_test(tc, copies_deeply);
	tcase_add_test(tc, marks_what_c_code_filled_in);
	tcase_add_test(tc, redacts);
	tcase_add_test(tc, visits_secrets);
	tcase_add_loop_test(tc, no_secret_is_forgotten, 0, COUNT(secretive));
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
