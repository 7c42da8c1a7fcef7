#include "lib/conn/pgparams.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"

#define SECRET "s3cret"

static PeerdbPeers__PostgresConfig cfg;
static PeerdbPeers__PostgresConfig__OptionsEntry entries[PGPARAMS_MAX + 1];
static PeerdbPeers__PostgresConfig__OptionsEntry *entry_list[PGPARAMS_MAX + 1];
static PeerdbPeers__ClientTlsConfig client;
static struct pgparams p;
static struct err err;

static char *
text(const char *s)
{
	return (char *)(uintptr_t)s; /* messages hold char *; nothing here writes to them */
}

static void
setup(void)
{
	peerdb_peers__postgres_config__init(&cfg);
	peerdb_peers__client_tls_config__init(&client);
	cfg.options = entry_list;
	err = (struct err)ERR_INIT;
}

static void
teardown(void)
{
	pgparams_done(&p);
}

static void
add_option(const char *key, const char *value)
{
	PeerdbPeers__PostgresConfig__OptionsEntry *e = &entries[cfg.n_options];

	peerdb_peers__postgres_config__options_entry__init(e);
	e->key = text(key);
	e->value = text(value);
	entry_list[cfg.n_options++] = e;
}

static void
build(void)
{
	ck_assert_msg(pgparams_build(&p, &cfg, "peerd orders", false, &err), "%s", err.msg);
}

/* What libpq will be given; NULL: nothing. A keyword twice would be a fault too. */
static const char *
param(const char *key)
{
	const char *value = NULL;
	int i;

	for (i = 0; i < p.n; i++) {
		if (strcmp(p.keys[i], key) != 0)
			continue;
		ck_assert_msg(value == NULL, "%s is there twice", key);
		value = p.values[i];
	}
	return value;
}

static void
assert_param(const char *key, const char *want)
{
	const char *value = param(key);

	if (want == NULL)
		ck_assert_msg(value == NULL, "%s=%s", key, value);
	else
		ck_assert_msg(value != NULL && strcmp(value, want) == 0, "%s=%s instead of %s", key,
		    value != NULL ? value : "(none)", want);
}

/* ---- fields */

START_TEST(fields_become_keywords)
{
	cfg.host = text("db.example.org");
	cfg.port = 5433;
	cfg.user = text("peerd");
	cfg.password = text(SECRET);
	cfg.database = text("shop");
	build();
	assert_param("host", "db.example.org");
	assert_param("port", "5433");
	assert_param("user", "peerd");
	assert_param("password", SECRET);
	assert_param("dbname", "shop");
}
END_TEST

static const char *const left_to_libpq[] = { "host", "port", "user", "password", "dbname",
	"sslmode", "sslrootcert", "sslcert", "sslkey", "hostaddr", "replication" };

START_TEST(what_is_not_given_is_left_to_libpq)
{
	build();
	assert_param(left_to_libpq[_i], NULL);
}
END_TEST

START_TEST(list_ends_with_null)
{
	build();
	ck_assert_ptr_null(p.keys[p.n]);
	ck_assert_ptr_null(p.values[p.n]);
}
END_TEST

static const struct {
	const char *given, *host; /* NULL: none */
} hosts[] = {
	{ "localhost", "localhost" },
	{ "127.0.0.1", "127.0.0.1" },
	{ "::1", "::1" },
	{ "[::1]", "::1" },
	{ "  db ", "db" },
	{ "db/path", "db" },
	{ "db?x=1", "db" },
	{ "a,b", "a,b" },
	{ "/var/run/postgresql", "/var/run/postgresql" },
	{ " /tmp", "/tmp" },
	{ "", NULL },
	{ "  ", NULL },
};

START_TEST(host_is_tidied)
{
	cfg.host = text(hosts[_i].given);
	build();
	assert_param("host", hosts[_i].host);
}
END_TEST

START_TEST(session_says_who_it_is)
{
	build();
	assert_param("application_name", "peerd orders");
	assert_param("client_encoding", "UTF8");
}
END_TEST

START_TEST(replication_is_asked_for)
{
	ck_assert(pgparams_build(&p, &cfg, "peerd", true, &err));
	assert_param("replication", "database");
}
END_TEST

/* ---- TLS */

enum presence {
	ABSENT,
	NO,
	YES
};

/* require_tls and disable_tls (whose presence matters), a CA, skip_cert_verification, sslmode. */
static const struct {
	bool require;
	enum presence disable;
	bool ca, skip;
	const char *given, *sslmode;
	bool ca_used;
} tls[] = {
	{ false, ABSENT, false, false, NULL, NULL, false },
	{ false, NO, false, false, NULL, "require", false },
	{ false, YES, false, false, NULL, NULL, false },
	{ true, ABSENT, false, false, NULL, "require", false },
	{ true, NO, false, false, NULL, "require", false },
	{ true, YES, false, false, NULL, "require", false },
	/* with a certificate authority the server's name is checked */
	{ true, ABSENT, true, false, NULL, "verify-full", true },
	{ false, NO, true, false, NULL, "verify-full", true },
	{ false, ABSENT, true, false, NULL, NULL, true },
	/* unless told not to: libpq verifies as soon as it has an authority */
	{ true, ABSENT, true, true, NULL, "require", false },
	{ true, ABSENT, false, true, NULL, "require", false },
	{ false, ABSENT, true, true, NULL, NULL, false },
	/* sslmode wins over all of them */
	{ true, NO, true, false, "disable", "disable", true },
	{ true, ABSENT, true, true, "verify-ca", "verify-ca", true },
	{ false, YES, false, false, "require", "require", false },
	{ false, ABSENT, false, false, "", NULL, false },
};

static void
set_tls(int i)
{
	cfg.require_tls = tls[i].require;
	cfg.has_disable_tls = tls[i].disable != ABSENT;
	cfg.disable_tls = tls[i].disable == YES;
	cfg.root_ca = tls[i].ca ? text("PEM of the CA") : NULL;
	cfg.skip_cert_verification = tls[i].skip;
	cfg.sslmode = text(tls[i].given);
}

START_TEST(tls_fields_make_the_mode)
{
	set_tls(_i);
	build();
	assert_param("sslmode", tls[_i].sslmode);
}
END_TEST

START_TEST(ca_is_given_where_it_serves)
{
	set_tls(_i);
	build();
	ck_assert((param("sslrootcert") != NULL) == tls[_i].ca_used);
}
END_TEST

/* The tls fields ask for encryption; a connection string that asks for more keeps it. */
static const struct {
	const char *in_string;
	bool ca;
	const char *sslmode;
} stricter[] = {
	{ "disable", false, "require" },
	{ "prefer", false, "require" },
	{ "require", false, "require" },
	{ "verify-ca", false, "verify-ca" },
	{ "verify-full", false, "verify-full" },
	{ "verify-ca", true, "verify-full" },
};

START_TEST(tls_fields_only_tighten_a_connection_string)
{
	char conninfo[64];

	snprintf(conninfo, sizeof(conninfo), "host=db sslmode=%s", stricter[_i].in_string);
	cfg.connection_string = conninfo;
	cfg.require_tls = true;
	cfg.root_ca = stricter[_i].ca ? text("PEM of the CA") : NULL;
	build();
	assert_param("sslmode", stricter[_i].sslmode);
}
END_TEST

static void
assert_file(const char *key, const char *content)
{
	char got[64];
	struct stat st;
	FILE *f = fopen(param(key), "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(got, 1, sizeof(got), f);
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	fclose(f);
	ck_assert_uint_eq(n, strlen(content));
	ck_assert_mem_eq(got, content, n);
	ck_assert_uint_eq(st.st_mode & 0777, 0600); /* libpq insists for a key */
}

START_TEST(certificates_are_files_in_memory)
{
	cfg.root_ca = text("the CA");
	client.certificate = text("the certificate");
	client.private_key = text("the key");
	cfg.client_tls = &client;
	build();
	assert_file("sslrootcert", "the CA");
	assert_file("sslcert", "the certificate");
	assert_file("sslkey", "the key");
	ck_assert_int_eq(strncmp(param("sslkey"), "/proc/self/fd/", 14), 0);
}
END_TEST

START_TEST(done_closes_the_files)
{
	char path[64];

	cfg.root_ca = text("the CA");
	build();
	snprintf(path, sizeof(path), "%s", param("sslrootcert"));
	pgparams_done(&p);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(p.n, 0);
}
END_TEST

static const struct {
	const char *certificate, *private_key;
} halves[] = { { "the certificate", "" }, { "", "the key" } };

START_TEST(half_a_client_certificate_is_refused)
{
	client.certificate = text(halves[_i].certificate);
	client.private_key = text(halves[_i].private_key);
	cfg.client_tls = &client;
	ck_assert(!pgparams_build(&p, &cfg, "peerd", false, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
}
END_TEST

START_TEST(empty_client_certificate_is_none)
{
	cfg.client_tls = &client;
	build();
	assert_param("sslcert", NULL);
}
END_TEST

/* Where the host comes from, and the address that is dialled. */
static const struct {
	const char *host, *conninfo, *hostaddr;
} named[] = {
	{ "127.0.0.1", NULL, "127.0.0.1" },
	{ "[::1]", NULL, "::1" },
	{ " 127.0.0.1 ", NULL, "127.0.0.1" },
	{ "", "host=127.0.0.1", "127.0.0.1" },
	{ "", "host=other hostaddr=127.0.0.9", "127.0.0.9" },
};

START_TEST(tls_host_is_what_the_certificate_must_say)
{
	cfg.host = text(named[_i].host);
	cfg.connection_string = text(named[_i].conninfo);
	cfg.tls_host = text("db.example.org");
	build();
	assert_param("host", "db.example.org");
	assert_param("hostaddr", named[_i].hostaddr);
}
END_TEST

/* No name: an empty label fails without asking anybody. */
START_TEST(host_that_does_not_resolve_is_told)
{
	cfg.host = text("no..such..host");
	cfg.tls_host = text("db.example.org");
	ck_assert(!pgparams_build(&p, &cfg, "peerd", false, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "no..such..host"));
}
END_TEST

/* ---- precedence: connection string, then fields, then options */

static const struct {
	const char *conninfo, *field, *option, *user;
} sources[] = {
	{ "user=string", "", NULL, "string" },
	{ "postgresql://string@db/shop", "", NULL, "string" },
	{ "user=string", "field", NULL, "field" },
	{ NULL, "field", "option", "option" },
	{ "user=string", "field", "option", "option" },
	{ "user=string", "", "option", "option" },
	{ "", "field", NULL, "field" },
};

START_TEST(later_source_wins)
{
	cfg.connection_string = text(sources[_i].conninfo);
	cfg.user = text(sources[_i].field);
	if (sources[_i].option != NULL)
		add_option("user", sources[_i].option);
	build();
	assert_param("user", sources[_i].user);
}
END_TEST

START_TEST(connection_string_may_be_a_uri)
{
	cfg.connection_string = text(
	    "postgresql://u:" SECRET "@db:5544/shop?connect_timeout=7&sslmode=require");
	build();
	assert_param("host", "db");
	assert_param("port", "5544");
	assert_param("password", SECRET);
	assert_param("dbname", "shop");
	assert_param("connect_timeout", "7");
	assert_param("sslmode", "require");
}
END_TEST

START_TEST(fields_left_out_do_not_hide_the_string)
{
	cfg.connection_string = text("host=db port=5544 dbname=shop sslmode=verify-full");
	build();
	assert_param("host", "db");
	assert_param("port", "5544");
	assert_param("dbname", "shop");
	assert_param("sslmode", "verify-full");
}
END_TEST

/* peerd's own settings too can be changed by the peer. */
static const struct {
	const char *key, *value;
} options[] = {
	{ "keepalives_idle", "300" },
	{ "application_name", "mine" },
	{ "connect_timeout", "5" },
	{ "options", "-c geqo=off" },
	{ "sslmode", "disable" },
	{ "target_session_attrs", "read-write" },
};

START_TEST(any_option_is_passed_on)
{
	cfg.require_tls = true;
	add_option(options[_i].key, options[_i].value);
	build();
	assert_param(options[_i].key, options[_i].value);
}
END_TEST

/* ---- refusals */

static void
break_connection_string(void)
{
	cfg.connection_string = text("host=db password=" SECRET " nonsense");
}

static void
break_connection_uri(void)
{
	cfg.connection_string = text(
	    "postgresql://u:" SECRET "@db:5432/shop?no_such_option=" SECRET);
}

static void
break_quoting(void)
{
	cfg.connection_string = text("password='" SECRET);
}

static void
ask_for_ssh(void)
{
	static PeerdbPeers__SSHConfig ssh;

	peerdb_peers__sshconfig__init(&ssh);
	ssh.password = text(SECRET);
	cfg.ssh_config = &ssh;
}

static void
ask_for_iam(void)
{
	cfg.auth_type = PEERDB_PEERS__POSTGRES_AUTH_TYPE__POSTGRES_IAM_AUTH;
}

static void
give_too_many_options(void)
{
	static char keys[PGPARAMS_MAX + 1][16];
	int i;

	for (i = 0; i <= PGPARAMS_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "option%d", i);
		add_option(keys[i], SECRET);
	}
}

static void
give_half_a_certificate(void)
{
	client.private_key = text(SECRET);
	cfg.client_tls = &client;
}

static void
give_a_wrong_host(void)
{
	cfg.host = text("no..such..host");
	cfg.tls_host = text("db.example.org");
}

static const struct {
	void (*spoil)(void);
	enum err_code code;
} refusals[] = {
	{ break_connection_string, ERR_CONFIG },
	{ break_connection_uri, ERR_CONFIG },
	{ break_quoting, ERR_CONFIG },
	{ ask_for_ssh, ERR_UNIMPLEMENTED },
	{ ask_for_iam, ERR_UNIMPLEMENTED },
	{ give_too_many_options, ERR_CONFIG },
	{ give_half_a_certificate, ERR_CONFIG },
	{ give_a_wrong_host, ERR_CONFIG },
};

START_TEST(refusal_has_its_code)
{
	refusals[_i].spoil();
	ck_assert(!pgparams_build(&p, &cfg, "peerd", false, &err));
	ck_assert_int_eq(err.code, refusals[_i].code);
	ck_assert_str_ne(err.msg, "");
}
END_TEST

START_TEST(refusal_tells_no_secret)
{
	cfg.password = text(SECRET);
	refusals[_i].spoil();
	ck_assert(!pgparams_build(&p, &cfg, "peerd", false, &err));
	ck_assert_ptr_null(strstr(err.msg, SECRET));
	ck_assert_ptr_null(strstr(err.hint, SECRET));
	ck_assert_ptr_null(strstr(err.subjects, SECRET));
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, fields_become_keywords);
	LOOP(tc, what_is_not_given_is_left_to_libpq, left_to_libpq);
	tcase_add_test(tc, list_ends_with_null);
	LOOP(tc, host_is_tidied, hosts);
	tcase_add_test(tc, session_says_who_it_is);
	tcase_add_test(tc, replication_is_asked_for);
	LOOP(tc, tls_fields_make_the_mode, tls);
	LOOP(tc, ca_is_given_where_it_serves, tls);
	LOOP(tc, tls_fields_only_tighten_a_connection_string, stricter);
	tcase_add_test(tc, certificates_are_files_in_memory);
	tcase_add_test(tc, done_closes_the_files);
	LOOP(tc, half_a_client_certificate_is_refused, halves);
	tcase_add_test(tc, empty_client_certificate_is_none);
	LOOP(tc, tls_host_is_what_the_certificate_must_say, named);
	tcase_add_test(tc, host_that_does_not_resolve_is_told);
	LOOP(tc, later_source_wins, sources);
	tcase_add_test(tc, connection_string_may_be_a_uri);
	tcase_add_test(tc, fields_left_out_do_not_hide_the_string);
	LOOP(tc, any_option_is_passed_on, options);
	LOOP(tc, refusal_has_its_code, refusals);
	LOOP(tc, refusal_tells_no_secret, refusals);
}

int
main(void)
{
	Suite *s = suite_create("pgparams");
	TCase *tc = tcase_create("pgparams");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
