/*
 * TLS against a server with a certificate of its own making.
 */
#include "tests/unit/conn/fake_http.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/conn/httpc.h"

static struct httpc *h;
static struct httpc_config cfg;
static struct httpc_answer answer;
static struct err err;

static X509 *server_cert;

static char *
pem_text(X509 *x509, EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long n;

	if (x509 != NULL)
		PEM_write_bio_X509(bio, x509);
	else
		PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(bio, &data);
	text = xstrndup(data, (size_t)n);
	BIO_free(bio);
	return text;
}

/* Signed by itself, for db.example. */
static X509 *
make_certificate(EVP_PKEY *pkey)
{
	X509 *x509 = X509_new();
	X509_NAME *name = X509_get_subject_name(x509);
	X509_EXTENSION *san;

	san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:db.example");
	X509_set_version(x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), -60);
	X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"db.example",
	    -1, -1, 0);
	X509_set_issuer_name(x509, name);
	X509_set_pubkey(x509, pkey);
	X509_add_ext(x509, san, -1);
	ck_assert_int_gt(X509_sign(x509, pkey, EVP_sha256()), 0);
	X509_EXTENSION_free(san);
	return x509;
}

static char *root_ca, *private_key;

static void
setup(void)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");

	fake.tls = SSL_CTX_new(TLS_server_method());
	server_cert = make_certificate(pkey);
	SSL_CTX_use_certificate(fake.tls, server_cert);
	SSL_CTX_use_PrivateKey(fake.tls, pkey);
	root_ca = pem_text(server_cert, NULL);
	private_key = pem_text(NULL, pkey);
	EVP_PKEY_free(pkey);
	fake_start();
	cfg = (struct httpc_config){ .https = true,
		.host = "127.0.0.1",
		.port = fake.port,
		.user_agent = "peerd test",
		.connect_timeout = 10 * USEC_PER_SEC,
		.stall_timeout = 20 * USEC_PER_SEC };
	err = (struct err)ERR_INIT;
}

static void
teardown(void)
{
	httpc_answer_done(&answer);
	httpc_free(&h);
	fake_stop();
	SSL_CTX_free(fake.tls);
	X509_free(server_cert);
	free(root_ca);
	free(private_key);
}

static bool
call(void)
{
	const struct httpc_post post = { .target = "/", .answer_max = MIB };

	ck_assert_msg(httpc_new(&cfg, &h, &err), "%s", err.msg);
	return httpc_call(h, &post, &answer, &err);
}

START_TEST(the_certificate_is_checked_against_its_name)
{
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "", "ok") });

	cfg.tls.root_ca = root_ca;
	cfg.tls.name = "db.example";
	ck_assert_msg(call(), "%s", err.msg);
	ck_assert_str_eq(buf_str(&answer.body), "ok");
}
END_TEST

START_TEST(an_unknown_authority_is_refused)
{
	cfg.tls.name = "db.example";
	ck_assert(!call());
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_str_eq(err.sqlstate, "08001");
	ck_assert_msg(strstr(err.hint, "root_ca") != NULL, "%s", err.hint);
}
END_TEST

START_TEST(another_name_is_refused)
{
	cfg.tls.root_ca = root_ca;
	ck_assert(!call());
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.hint, "tls_host") != NULL, "%s", err.hint);
}
END_TEST

START_TEST(a_client_certificate_is_shown)
{
	X509_STORE *store = SSL_CTX_get_cert_store(fake.tls);
	FAKE_SCRIPT({ FAKE_REPLY("200 OK", "", "ok") });

	X509_STORE_add_cert(store, server_cert);
	SSL_CTX_set_verify(fake.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	cfg.tls.root_ca = cfg.tls.certificate = root_ca;
	cfg.tls.private_key = private_key;
	cfg.tls.name = "db.example";
	ck_assert_msg(call(), "%s", err.msg);
}
END_TEST

/* Before 1.3 a server says so in the handshake. */
START_TEST(a_missing_client_certificate_is_for_the_user)
{
	SSL_CTX_set_max_proto_version(fake.tls, TLS1_2_VERSION);
	SSL_CTX_set_verify(fake.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	cfg.tls.root_ca = root_ca;
	cfg.tls.name = "db.example";
	ck_assert(!call());
	ck_assert_msg(err.code == ERR_CONFIG, "%s", err.msg);
}
END_TEST

START_TEST(rubbish_is_no_certificate)
{
	cfg.tls.root_ca = root_ca;
	cfg.tls.certificate = "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n";
	cfg.tls.private_key = private_key;
	cfg.tls.name = "db.example";
	ck_assert(!call());
	ck_assert_msg(err.code == ERR_CONFIG, "%s", err.msg);
}
END_TEST

/* TLS to a server that speaks none. */
START_TEST(a_plain_server_is_for_the_user)
{
	SSL_CTX_free(fake.tls);
	fake.tls = NULL;
	fake.greeting = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	ck_assert(!call());
	ck_assert_msg(err.code == ERR_CONFIG, "%s", err.msg);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("httpc_tls");
	TCase *tc = tcase_create("httpc_tls");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_certificate_is_checked_against_its_name);
	tcase_add_test(tc, an_unknown_authority_is_refused);
	tcase_add_test(tc, another_name_is_refused);
	tcase_add_test(tc, a_client_certificate_is_shown);
	tcase_add_test(tc, a_missing_client_certificate_is_for_the_user);
	tcase_add_test(tc, rubbish_is_no_certificate);
	tcase_add_test(tc, a_plain_server_is_for_the_user);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
