/*
 * TLS, with libcurl as a client that checks the certificate.
 */
#include "tests/unit/control/http_fixture.h"

#include <curl/curl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/control/tls.h"

static struct tls_context *tls;
static char certificate[64], key[64];

/* ---- a certificate for localhost, signed by itself */

static void
write_pem(const char *path, EVP_PKEY *pkey, X509 *x509)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	if (x509 != NULL)
		ck_assert_int_eq(PEM_write_X509(f, x509), 1);
	else
		ck_assert_int_eq(PEM_write_PrivateKey(f, pkey, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
}

static void
make_certificate(const char *certificate_path, const char *key_path)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	X509 *x509 = X509_new();
	X509_NAME *name = X509_get_subject_name(x509);
	X509_EXTENSION *san;

	san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
	X509_set_version(x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), -60);
	X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
	    -1, 0);
	X509_set_issuer_name(x509, name);
	X509_set_pubkey(x509, pkey);
	X509_add_ext(x509, san, -1);
	ck_assert_int_gt(X509_sign(x509, pkey, EVP_sha256()), 0);
	write_pem(key_path, pkey, NULL);
	write_pem(certificate_path, NULL, x509);
	X509_EXTENSION_free(san);
	X509_free(x509);
	EVP_PKEY_free(pkey);
}

static void
setup(void)
{
	struct http_rest_options options;
	struct err err = ERR_INIT;

	http_setup_base();
	curl_global_init(CURL_GLOBAL_ALL);
	snprintf(certificate, sizeof(certificate), "/tmp/peerd-test-%d.crt", (int)getpid());
	snprintf(key, sizeof(key), "/tmp/peerd-test-%d.key", (int)getpid());
	make_certificate(certificate, key);
	ck_assert_msg(tls_open(certificate, key, &tls, &err), "%s", err.msg);
	options = http_options();
	options.tls = tls;
	start_server(&options);
}

static void
teardown(void)
{
	http_teardown();
	tls_free(&tls);
	curl_global_cleanup();
	(void)unlink(certificate);
	(void)unlink(key);
}

/* ---- the client */

static size_t
on_data(char *p, size_t size, size_t n, void *arg)
{
	buf_add(arg, p, size * n);
	return size * n;
}

/* Perform while the server's loop turns; the result, and the status by status_r. */
static CURLcode
perform(CURL *easy, long *status_r)
{
	CURLM *multi = curl_multi_init();
	usec_t until = clock_mono_us() + DEADLINE_US;
	CURLcode result;
	CURLMsg *msg;
	int running, left;

	curl_multi_add_handle(multi, easy);
	do {
		curl_multi_perform(multi, &running);
		turn();
		ck_assert(clock_mono_us() < until);
	} while (running > 0);
	msg = curl_multi_info_read(multi, &left);
	ck_assert_ptr_nonnull(msg);
	result = msg->data.result;
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status_r);
	curl_multi_remove_handle(multi, easy);
	curl_multi_cleanup(multi);
	return result;
}

static CURL *
client_new(const char *path, const char *ca, struct buf *body)
{
	CURL *easy = curl_easy_init();
	char url[128];

	snprintf(url, sizeof(url), "https://localhost:%u%s", http_rest_port(rest), path);
	buf_init(body, 1 << 24);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
	curl_easy_setopt(easy, CURLOPT_USERPWD, "anybody:" PASSWORD);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(easy, CURLOPT_IPRESOLVE, CURL_IPRESOLVE_V4);
	return easy;
}

START_TEST(call_over_tls)
{
	struct buf body;
	CURL *easy = client_new("/api/v1/peers/list", certificate, &body);
	long status = 0;

	ck_assert_int_eq(perform(easy, &status), CURLE_OK);
	ck_assert_int_eq(status, 200);
	ck_assert_str_eq(buf_str(&body),
	    "{\"items\":[],\"sourceItems\":[],\"destinationItems\":[]}");
	curl_easy_cleanup(easy);
	buf_done(&body);
}
END_TEST

/* Larger than any buffer on the way, both ways. */
START_TEST(large_bodies_over_tls)
{
	struct buf body, request;
	CURL *easy = client_new("/api/v1/peers/drop", certificate, &body);
	long status = 0;

	buf_init(&request, 8 * MIB);
	buf_str_add(&request, "{\"peer_name\":\"");
	while (request.n < 4 * MIB)
		buf_str_add(&request, "0123456789abcdef");
	buf_str_add(&request, "\"}");
	buf_done(&fake.request);
	buf_init(&fake.request, 8 * MIB);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, buf_str(&request));
	ck_assert_int_eq(perform(easy, &status), CURLE_OK);
	ck_assert_int_eq(status, 200);
	ck_assert_uint_gt(fake.request.n, 4 * MIB);
	curl_easy_cleanup(easy);
	buf_done(&request);
	buf_done(&body);
}
END_TEST

START_TEST(too_large_body_over_tls)
{
	struct buf body;
	CURL *easy = client_new("/api/v1/peers/create", certificate, &body);
	char *request = xmalloc(10 * MIB + 1);
	long status = 0;

	memset(request, ' ', 10 * MIB);
	request[10 * MIB] = '\0';
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request);
	ck_assert_int_eq(perform(easy, &status), CURLE_OK);
	ck_assert_int_eq(status, 413);
	ck_assert_ptr_nonnull(strstr(buf_str(&body), "\"code\":8"));
	curl_easy_cleanup(easy);
	buf_done(&body);
	free(request);
}
END_TEST

START_TEST(plain_request_to_tls_port_is_dropped)
{
	struct client c;

	client_open(&c);
	client_send(&c, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
	CLIENT_WAIT(&c, c.closed);
	ck_assert(!reply_has(&c, "200 OK"));
	client_close(&c);
}
END_TEST

START_TEST(renewed_certificate_is_used)
{
	struct buf body;
	struct err err = ERR_INIT;
	long status = 0;
	CURL *easy;

	make_certificate(certificate, key);
	easy = client_new("/healthz", certificate, &body);
	ck_assert_int_ne(perform(easy, &status), CURLE_OK);
	ck_assert_msg(tls_reload(tls, &err), "%s", err.msg);
	ck_assert_int_eq(perform(easy, &status), CURLE_OK);
	ck_assert_int_eq(status, 200);
	curl_easy_cleanup(easy);
	buf_done(&body);
}
END_TEST

START_TEST(unusable_files_are_named)
{
	struct tls_context *other = NULL;
	struct err err = ERR_INIT;

	ck_assert(!tls_open("/nonexistent.crt", key, &other, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent.crt"));
	ck_assert(!tls_open(certificate, certificate, &other, &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "key"));
	(void)unlink(key);
	ck_assert(!tls_reload(tls, &err));
	ck_assert_ptr_null(other);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http_tls");
	TCase *tc = tcase_create("http_tls");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, call_over_tls);
	tcase_add_test(tc, large_bodies_over_tls);
	tcase_add_test(tc, too_large_body_over_tls);
	tcase_add_test(tc, plain_request_to_tls_port_is_dropped);
	tcase_add_test(tc, renewed_certificate_is_used);
	tcase_add_test(tc, unusable_files_are_named);
	suite_add_tcase(s, tc);
	return http_run(s);
}
