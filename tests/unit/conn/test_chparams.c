#include "lib/conn/chparams.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/err.h"

static PeerdbPeers__ClickhouseConfig peer;
static struct chparams params;
static struct err err;

static char *
text(const char *s)
{
	return (char *)(uintptr_t)s; /* messages hold char *; nothing here writes to them */
}

static void
setup(void)
{
	peerdb_peers__clickhouse_config__init(&peer);
	peer.host = text("db.example");
	peer.port = 8443;
	peer.user = text("u");
	peer.password = text("p");
	err = (struct err)ERR_INIT;
}

static void
teardown(void)
{
	chparams_done(&params);
}

static void
build(void)
{
	ck_assert_msg(chparams_build(&params, &peer, &err), "%s", err.msg);
}

static const struct {
	uint32_t port;
	int disable_tls; /* -1: not given */
	const char *root_ca;
	bool https;
} schemes[] = {
	{ 8443, -1, "", true },
	{ 8443, 0, "", true },
	{ 8443, 1, "", false },
	{ 443, -1, "", true },
	{ 8123, -1, "", false },
	{ 8123, 0, "", true },
	{ 8123, -1, "-----BEGIN CERTIFICATE-----", true },
};

START_TEST(tls_unless_told_otherwise)
{
	peer.port = schemes[_i].port;
	peer.has_disable_tls = schemes[_i].disable_tls >= 0;
	peer.disable_tls = schemes[_i].disable_tls == 1;
	peer.root_ca = text(schemes[_i].root_ca);
	build();
	ck_assert_int_eq(params.http.https, schemes[_i].https);
}
END_TEST

static const struct {
	const char *compression;
	const char *host;
	int compress; /* -1: refused */
} compressions[] = {
	{ "", "db.example", 1 },
	{ "", "localhost", 0 },
	{ "", "127.0.0.2", 0 },
	{ "", "::1", 0 },
	{ "lz4", "localhost", 1 },
	{ "none", "db.example", 0 },
	{ "zstd", "db.example", -1 },
};

START_TEST(compression_depends_on_the_way)
{
	bool ok;

	peer.compression = text(compressions[_i].compression);
	peer.host = text(compressions[_i].host);
	ok = chparams_build(&params, &peer, &err);
	ck_assert_int_eq(ok, compressions[_i].compress >= 0);
	if (ok)
		ck_assert_int_eq(params.compress, compressions[_i].compress);
}
END_TEST

static const char *const bad_passwords[] = { " x", "x ", "x\r\nHost: y", "x\ty" };

START_TEST(a_password_must_fit_into_a_header)
{
	peer.password = text(bad_passwords[_i]);
	ck_assert(!chparams_build(&params, &peer, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_null(strstr(err.msg, peer.password));
}
END_TEST

START_TEST(half_a_certificate_is_refused)
{
	peer.certificate = text("-----BEGIN CERTIFICATE-----");
	ck_assert(!chparams_build(&params, &peer, &err));
	ck_assert_str_eq(err.msg, "only one of certificate and private_key is given");
}
END_TEST

START_TEST(an_authority_is_pem_text)
{
	peer.root_ca = text("LS0tLS1CRUdJTi");
	ck_assert(!chparams_build(&params, &peer, &err));
	ck_assert_str_eq(err.msg, "root_ca is not PEM text (-----BEGIN ...)");
}
END_TEST

static void
write_file(const char *dir, const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
}

static void
remove_directory(const char *dir)
{
	static const char *const names[] = { "tls.crt", "tls.key", "ca.crt" };
	char path[128];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(a_certificate_directory_goes_first)
{
	char dir[] = "/tmp/peerd-test-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(dir));
	write_file(dir, "tls.crt");
	peer.tls_certificate_directory = dir;
	peer.certificate = text("-----BEGIN CERTIFICATE-----");
	ck_assert(!chparams_build(&params, &peer, &err));
	ck_assert_msg(strstr(err.msg, "tls.key") != NULL, "%s", err.msg);
	chparams_done(&params);
	write_file(dir, "tls.key");
	build();
	ck_assert(params.http.tls.files);
	ck_assert_ptr_null(params.http.tls.root_ca);
	chparams_done(&params);
	write_file(dir, "ca.crt");
	build();
	ck_assert_ptr_nonnull(strstr(params.http.tls.root_ca, "/ca.crt"));
	remove_directory(dir);
}
END_TEST

#define LOOP(tc, test, rows) \
	tcase_add_loop_test(tc, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))

int
main(void)
{
	Suite *s = suite_create("chparams");
	TCase *tc = tcase_create("chparams");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	LOOP(tc, tls_unless_told_otherwise, schemes);
	LOOP(tc, compression_depends_on_the_way, compressions);
	LOOP(tc, a_password_must_fit_into_a_header, bad_passwords);
	tcase_add_test(tc, half_a_certificate_is_refused);
	tcase_add_test(tc, an_authority_is_pem_text);
	tcase_add_test(tc, a_certificate_directory_goes_first);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
