/*
 * Finding a destination by its peer, and what of it needs no server.
 */
#include "lib/sink/dest.h"

#include <check.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/sink/loader.h"
#include "lib/sink/sink.h"
#include "lib/types/ident.h"

static PeerdbPeers__PostgresConfig postgres;
static PeerdbPeers__Peer peer;

static void
init(void)
{
	peerdb_peers__postgres_config__init(&postgres);
	peerdb_peers__peer__init(&peer);
	peer.name = (char *)"p";
	peer.config_case = PEERDB_PEERS__PEER__CONFIG_POSTGRES_CONFIG;
	peer.postgres_config = &postgres;
}

/* ---- kinds */

START_TEST(postgres_is_found)
{
	struct err err = ERR_INIT;

	ck_assert_ptr_eq(&dest_postgres, dest_ops_of(&peer, &err));
	ck_assert_int_eq(ERR_NONE, err.code);
}
END_TEST

#define NOBODYS_CASE 99

static const struct {
	PeerdbPeers__Peer__ConfigCase config_case;
	enum err_code code;
	const char *msg;
} refusals[] = {
	{ PEERDB_PEERS__PEER__CONFIG__NOT_SET, ERR_INVALID, "the peer has no configuration" },
	{ NOBODYS_CASE, ERR_UNIMPLEMENTED, "peer \"p\" is of a type that is not supported" },
};

START_TEST(others_are_refused)
{
	const struct dest_config dest = { .peer = &peer };
	const struct loader_config loader = { .peer = &peer };
	const struct sink_config sink = { .peer = &peer };
	struct dest *d = NULL;
	struct loader *l = NULL;
	struct err err = ERR_INIT;

	peer.config_case = refusals[_i].config_case;
	ck_assert_ptr_null(dest_ops_of(&peer, &err));
	ck_assert_int_eq(refusals[_i].code, err.code);
	ck_assert_str_eq(refusals[_i].msg, err.msg);
	ck_assert(!dest_open(&dest, &d, &err) && !dest_loader_open(&loader, &l, &err));
	ck_assert_ptr_null(dest_sink_new(&sink, &err));
	ck_assert_ptr_null(d);
	ck_assert_ptr_null(l);
}
END_TEST

START_TEST(a_refusal_names_what_works)
{
	struct err err = ERR_INIT;

	peer.config_case = NOBODYS_CASE;
	dest_ops_of(&peer, &err);
	ck_assert_msg(strstr(err.hint, "POSTGRES") != NULL, "%s", err.hint);
	ck_assert_ptr_null(dest_ops_of(NULL, &err));
	ck_assert_int_eq(ERR_INVALID, err.code);
}
END_TEST

START_TEST(handles_close_themselves)
{
	struct dest *d = NULL;
	struct loader *l = NULL;

	dest_close(&d);
	loader_close(&l);
	ck_assert_ptr_null(d);
	ck_assert_ptr_null(l);
}
END_TEST

/* ---- Postgres */

static const struct {
	const char *host;
	uint32_t port;
	const char *text;
} addresses[] = {
	{ NULL, 0, "" },
	{ "", 6000, "" },
	{ "db", 0, "db:5432" },
	{ "db", 6000, "db:6000" },
};

START_TEST(a_peer_is_where_it_is)
{
	struct buf text;

	buf_init(&text, 256);
	postgres.host = (char *)addresses[_i].host;
	postgres.port = addresses[_i].port;
	dest_postgres.address(&peer, &text);
	ck_assert_str_eq(addresses[_i].text, buf_str(&text));
	buf_done(&text);
}
END_TEST

static const struct {
	struct table_ident name;
	bool good;
} names[] = {
	{ { "public", "pg_t" }, true }, { { "Pg_x", "t" }, true }, { { "pg_catalog", "t" }, false },
	{ { "pg_mine", "t" }, false }, { { "information_schema", "t" }, false },
	{ { "", "t" }, false }, /* there is no table without a schema */
};

START_TEST(the_servers_own_schemas_are_refused)
{
	struct err err = ERR_INIT;

	ck_assert(dest_postgres.check_name(&names[_i].name, &err) == names[_i].good);
	ck_assert_int_eq(names[_i].good ? ERR_NONE : ERR_CONFIG, err.code);
}
END_TEST

/* ---- ClickHouse */

START_TEST(clickhouse_is_found)
{
	PeerdbPeers__ClickhouseConfig config = PEERDB_PEERS__CLICKHOUSE_CONFIG__INIT;
	struct err err = ERR_INIT;
	struct buf text;

	config.host = (char *)"ch";
	config.port = 8443;
	peer.config_case = PEERDB_PEERS__PEER__CONFIG_CLICKHOUSE_CONFIG;
	peer.clickhouse_config = &config;
	ck_assert_ptr_eq(&dest_clickhouse, dest_ops_of(&peer, &err));
	buf_init(&text, 256);
	dest_clickhouse.address(&peer, &text);
	ck_assert_str_eq("ch:8443", buf_str(&text));
	buf_done(&text);
}
END_TEST

static const struct {
	struct table_ident name;
	bool good;
} clickhouse_names[] = {
	{ { "", "orders" }, true },
	{ { "public", "orders" }, true },
	{ { "public", "_peerd_mirrors" }, true }, /* one name with a dot */
	{ { "", "_peerd_mirrors" }, false },
};

START_TEST(the_books_are_not_written_over)
{
	struct err err = ERR_INIT;

	ck_assert(dest_clickhouse.check_name(&clickhouse_names[_i].name, &err) ==
	    clickhouse_names[_i].good);
	ck_assert_int_eq(clickhouse_names[_i].good ? ERR_NONE : ERR_CONFIG, err.code);
}
END_TEST

/* ---- forms */

static bool
only_integers(const PeerdWorker__Column *c)
{
	return c->type_oid == 23;
}

START_TEST(forms_are_the_destinations_choice)
{
	static const struct dest_ops odd = { .binary_ok = only_integers };
	PeerdWorker__Column cols[2], *list[] = { &cols[0], &cols[1] };
	PeerdWorker__MirrorTable t = PEERD_WORKER__MIRROR_TABLE__INIT, *tables[] = { &t };

	peerd_worker__column__init(&cols[0]);
	peerd_worker__column__init(&cols[1]);
	cols[0].type_oid = 23;
	cols[1].type_oid = 25;
	cols[1].binary = true;
	t.n_columns = 2;
	t.columns = list;
	dest_choose_forms(&dest_postgres, (struct dest_tables){ tables, 1 });
	ck_assert(!cols[0].binary && cols[1].binary);
	dest_choose_forms(&odd, (struct dest_tables){ tables, 1 });
	ck_assert(cols[0].binary && !cols[1].binary);
	ck_assert(cols[0].has_binary && cols[1].has_binary);
}
END_TEST

static Suite *
dest_suite(void)
{
	Suite *s = suite_create("dest");
	TCase *tc = tcase_create("dest");

	tcase_add_checked_fixture(tc, init, NULL);
	tcase_add_test(tc, postgres_is_found);
	tcase_add_loop_test(tc, others_are_refused, 0, sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tc, a_refusal_names_what_works);
	tcase_add_test(tc, handles_close_themselves);
	tcase_add_loop_test(tc, a_peer_is_where_it_is, 0, sizeof(addresses) / sizeof(addresses[0]));
	tcase_add_loop_test(tc, the_servers_own_schemas_are_refused, 0,
	    sizeof(names) / sizeof(names[0]));
	tcase_add_test(tc, clickhouse_is_found);
	tcase_add_loop_test(tc, the_books_are_not_written_over, 0,
	    sizeof(clickhouse_names) / sizeof(clickhouse_names[0]));
	tcase_add_test(tc, forms_are_the_destinations_choice);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	SRunner *sr = srunner_create(dest_suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
