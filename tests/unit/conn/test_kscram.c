/*
 * SCRAM: the vector of RFC 7677, SHA-512 against the definition of RFC 5802
 * written with plain HMACs, and all that a server may say wrongly. Whatever it
 * says is kept in memory of exactly its size, so that a sanitizer sees a read
 * past the end.
 */
#include "lib/conn/kscram.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

#define NONCE	     "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT	     "W22ZaJ0SNY7soEsUEjb6gQ=="
#define SERVER_FIRST "r=" SERVER_NONCE ",s=" SALT ",i=4096"
#define CLIENT_FINAL "c=biws,r=" SERVER_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct kscram *scram;
static struct err err;

static void
setup(void)
{
	scram = kscram_new("SCRAM-SHA-256", "user", "pencil", NONCE);
	err = (struct err)ERR_INIT;
}

static void
teardown(void)
{
	kscram_free(&scram);
	ck_assert_ptr_null(scram);
	kscram_free(&scram);
}

static void
assert_slice(struct slice s, const char *want)
{
	ck_assert_msg(slice_eq(s, slice_str(want)), "\"%.*s\", not \"%s\"", (int)s.n,
	    (const char *)s.p, want);
}

static uint8_t *
exactly(const void *p, size_t n)
{
	uint8_t *copy = xmalloc(n);

	memcpy(copy, p, n);
	return copy;
}

static bool
answer_bytes(const void *p, size_t n, struct slice *final_r)
{
	uint8_t *copy = exactly(p, n);
	bool ok = kscram_answer(scram, slice_of(copy, n), final_r, &err);

	free(copy);
	return ok;
}

static bool
answer(const char *server_first, struct slice *final_r)
{
	return answer_bytes(server_first, strlen(server_first), final_r);
}

static bool
verify_bytes(const void *p, size_t n)
{
	uint8_t *copy = exactly(p, n);
	bool ok = kscram_verify(scram, slice_of(copy, n), &err);

	free(copy);
	return ok;
}

static bool
verify(const char *server_final)
{
	return verify_bytes(server_final, strlen(server_final));
}

static void
answer_well(void)
{
	struct slice final;

	ck_assert_msg(answer(SERVER_FIRST, &final), "%s", err.msg);
}

/* ---- what goes well */

START_TEST(the_vector_of_rfc_7677)
{
	struct slice final;

	assert_slice(kscram_first(scram), "n,,n=user,r=" NONCE);
	ck_assert_msg(answer(SERVER_FIRST, &final), "%s", err.msg);
	assert_slice(final, CLIENT_FINAL);
	ck_assert_msg(verify(SERVER_FINAL), "%s", err.msg);
	ck_assert_int_eq(err.code, ERR_NONE);
}
END_TEST

static void
mac(const uint8_t key[64], const char *text, uint8_t out_r[64])
{
	ck_assert_ptr_nonnull(
	    HMAC(EVP_sha512(), key, 64, (const uint8_t *)text, strlen(text), out_r, NULL));
}

/* Hi() of RFC 5802: the salt and a 1 signed with the password, and that again and again. */
static void
hi(const char *password, const char *salt, int iterations, uint8_t out_r[64])
{
	const EVP_MD *md = EVP_sha512();
	uint8_t u[64], block[64];
	size_t n = strlen(salt);

	memcpy(block, salt, n);
	put_u32(block + n, 1);
	HMAC(md, password, (int)strlen(password), block, n + 4, u, NULL);
	memcpy(out_r, u, 64);
	for (int i = 1; i < iterations; i++) {
		HMAC(md, password, (int)strlen(password), u, 64, block, NULL);
		memcpy(u, block, 64);
		for (size_t k = 0; k < 64; k++)
			out_r[k] ^= u[k];
	}
}

START_TEST(sha_512_is_as_defined)
{
	static const char auth[] =
	    "n=al=3Dice,r=abc,r=abcXYZ,s=c2FsdHlzYWx0,i=5000,c=biws,r=abcXYZ";
	uint8_t salted[64], key[64], stored[64], sig[64], text[89];
	struct slice final;
	char want[256];

	hi("p=w,d", "saltysalt", 5000, salted);
	mac(salted, "Client Key", key);
	ck_assert(EVP_Digest(key, 64, stored, NULL, EVP_sha512(), NULL) == 1);
	mac(stored, auth, sig);
	for (size_t i = 0; i < 64; i++)
		key[i] ^= sig[i];
	EVP_EncodeBlock(text, key, 64);
	snprintf(want, sizeof(want), "c=biws,r=abcXYZ,p=%s", text);

	kscram_free(&scram);
	scram = kscram_new("scram-sha-512", "al=ice", "p=w,d", "abc");
	ck_assert_msg(answer("r=abcXYZ,s=c2FsdHlzYWx0,i=5000", &final), "%s", err.msg);
	assert_slice(final, want);

	mac(salted, "Server Key", key);
	mac(key, auth, sig);
	EVP_EncodeBlock(text, sig, 64);
	snprintf(want, sizeof(want), "v=%s", text);
	ck_assert_msg(verify(want), "%s", err.msg);
	ck_assert(!verify(SERVER_FINAL)); /* as long as SHA-256 */
	ck_assert_int_eq(err.code, ERR_CONFIG);
}
END_TEST

static const char *const unknown[] = { "", "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS" };

START_TEST(other_mechanisms_are_not_known)
{
	ck_assert_ptr_null(kscram_new(unknown[_i], "user", "pencil", NULL));
}
END_TEST

static const struct {
	const char *user;
	const char *sent;
} users[] = {
	{ "a,b=c", "n,,n=a=2Cb=3Dc,r=x" },
	{ "=2C", "n,,n==3D2C,r=x" },
	{ ",,,===", "n,,n==2C=2C=2C=3D=3D=3D,r=x" },
	{ "j\xc3\xbcrgen", "n,,n=j\xc3\xbcrgen,r=x" },
	{ "", "n,,n=,r=x" },
};

START_TEST(a_username_is_escaped)
{
	kscram_free(&scram);
	scram = kscram_new("SCRAM-SHA-256", users[_i].user, "pencil", "x");
	assert_slice(kscram_first(scram), users[_i].sent);
}
END_TEST

START_TEST(a_nonce_of_our_own_is_never_the_same)
{
	static const char start[] = "n,,n=u,r=";
	struct kscram *a = kscram_new("SCRAM-SHA-256", "u", "p", NULL);
	struct kscram *b = kscram_new("SCRAM-SHA-256", "u", "p", NULL);
	struct slice first = kscram_first(a);
	size_t n = strlen(start);

	ck_assert_uint_ge(first.n, n + 24);
	ck_assert(slice_eq(slice_of(first.p, n), slice_str(start)));
	for (size_t i = n; i < first.n; i++)
		ck_assert(first.p[i] > 0x20 && first.p[i] < 0x7f && first.p[i] != ',');
	ck_assert(!slice_eq(first, kscram_first(b)));
	kscram_free(&a);
	kscram_free(&b);
}
END_TEST

START_TEST(fields_nobody_knows_may_follow)
{
	struct slice final;

	ck_assert_msg(answer(SERVER_FIRST ",x=1,Y=a=b", &final), "%s", err.msg);
	ck_assert(!verify(SERVER_FINAL)); /* they were signed too */
	answer_well();
	ck_assert_msg(verify(SERVER_FINAL ",x=1"), "%s", err.msg);
}
END_TEST

/* ---- what a server may say wrongly at first */

static const struct {
	const char *text;
	enum err_code code;
	const char *words;
} bad_firsts[] = {
	{ "r=" NONCE ",s=" SALT ",i=4096", ERR_PROTOCOL, "does not begin with ours and go on" },
	{ "r=" NONCE "\x7f,s=" SALT ",i=4096", ERR_PROTOCOL, "nonce is malformed" },
	{ "r=" NONCE " 1,s=" SALT ",i=4096", ERR_PROTOCOL, "nonce is malformed" },
	{ "r=" NONCE "\xc3\xbc,s=" SALT ",i=4096", ERR_PROTOCOL, "nonce is malformed" },
	{ "r=rOprNGfwEbeRWgbNEkqo123,s=" SALT ",i=4096", ERR_PROTOCOL, "does not begin with" },
	{ "r=123" NONCE ",s=" SALT ",i=4096", ERR_PROTOCOL, "does not begin with" },
	{ "r=x,s=" SALT ",i=4096", ERR_PROTOCOL, "does not begin with" },
	{ "r=,s=" SALT ",i=4096", ERR_PROTOCOL, "malformed" },
	{ "s=" SALT ",i=4096", ERR_PROTOCOL, "malformed" },
	{ "r=" SERVER_NONCE ",i=4096", ERR_PROTOCOL, "malformed" },
	{ "r=" SERVER_NONCE ",s=" SALT, ERR_PROTOCOL, "malformed" },
	{ "s=" SALT ",r=" SERVER_NONCE ",i=4096", ERR_PROTOCOL, "malformed" },
	{ "m=x," SERVER_FIRST, ERR_PROTOCOL, "malformed" },
	{ SERVER_FIRST ",m=x", ERR_PROTOCOL, "malformed" },
	{ SERVER_FIRST ",", ERR_PROTOCOL, "malformed" },
	{ SERVER_FIRST ",x", ERR_PROTOCOL, "malformed" },
	{ SERVER_FIRST ",x=", ERR_PROTOCOL, "malformed" },
	{ SERVER_FIRST ",1=x", ERR_PROTOCOL, "malformed" },
	{ "r:" SERVER_NONCE ",s=" SALT ",i=4096", ERR_PROTOCOL, "malformed" },
	{ "," SERVER_FIRST, ERR_PROTOCOL, "malformed" },
	{ "r=" SERVER_NONCE ",s=,i=4096", ERR_PROTOCOL, "malformed" },
	{ "r=" SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ,i=4096", ERR_PROTOCOL, "not base64" },
	{ "r=" SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ=,i=4096", ERR_PROTOCOL, "not base64" },
	{ "r=" SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6g===,i=4096", ERR_PROTOCOL, "not base64" },
	{ "r=" SERVER_NONCE ",s=W2=ZaJ0SNY7soEsUEjb6gQ==,i=4096", ERR_PROTOCOL, "not base64" },
	{ "r=" SERVER_NONCE ",s=W22Z-J0SNY7soEsUEjb6gQ==,i=4096", ERR_PROTOCOL, "not base64" },
	{ "r=" SERVER_NONCE ",s= W22ZaJ0SNY7soEsUEjb6gQ==   ,i=4096", ERR_PROTOCOL, "not base64" },
	{ "r=" SERVER_NONCE ",s====,i=4096", ERR_PROTOCOL, "not base64" },
	{ "r=" SERVER_NONCE ",s=====,i=4096", ERR_PROTOCOL, "not base64" },
	{ "r=" SERVER_NONCE ",s=" SALT ",i=many", ERR_PROTOCOL, "malformed" },
	{ "r=" SERVER_NONCE ",s=" SALT ",i=-4096", ERR_PROTOCOL, "malformed" },
	{ "r=" SERVER_NONCE ",s=" SALT ",i=4096 ", ERR_PROTOCOL, "malformed" },
	{ "r=" SERVER_NONCE ",s=" SALT ",i=0", ERR_CONFIG, "asks for 0 iterations" },
	{ "r=" SERVER_NONCE ",s=" SALT ",i=4095", ERR_CONFIG, "asks for 4095 iterations" },
	{ "r=" SERVER_NONCE ",s=" SALT ",i=10000001", ERR_CONFIG, "more than 10000000" },
	{ "r=" SERVER_NONCE ",s=" SALT ",i=4294971392", ERR_CONFIG, "more than 10000000" },
	{ "r=" SERVER_NONCE ",s=" SALT ",i=18446744073709555712", ERR_CONFIG,
	    "more than 10000000" },
};

START_TEST(a_wrong_challenge_is_refused)
{
	struct slice final = slice_str("untouched");

	ck_assert(!answer(bad_firsts[_i].text, &final));
	ck_assert_int_eq(err.code, bad_firsts[_i].code);
	ck_assert_msg(strstr(err.msg, bad_firsts[_i].words) != NULL, "%s", err.msg);
	assert_slice(final, "untouched");
}
END_TEST

START_TEST(a_challenge_cut_short_is_refused)
{
	struct slice final;

	for (size_t n = 0; n < strlen(SERVER_FIRST); n++) {
		err_clear(&err);
		ck_assert_msg(!answer_bytes(SERVER_FIRST, n, &final), "%d bytes", (int)n);
		ck_assert_int_ne(err.code, ERR_NONE);
	}
}
END_TEST

START_TEST(a_nul_does_not_end_a_message)
{
	static const char nonce[] = "r=" NONCE "\0x,s=" SALT ",i=4096";
	static const char count[] = "r=" SERVER_NONCE ",s=" SALT ",i=4096\0";
	struct slice final;

	ck_assert(!answer_bytes(nonce, sizeof(nonce) - 1, &final));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
	err_clear(&err);
	ck_assert(!answer_bytes(count, sizeof(count) - 1, &final));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
}
END_TEST

/* A message of n bytes: the start, as many letters as it takes, the end. */
static char *
long_message(const char *start, const char *end, size_t n)
{
	size_t filled = n - strlen(start) - strlen(end);
	char *filler = xmalloc(filled + 1), *text;

	memset(filler, 'A', filled);
	filler[filled] = '\0';
	text = xasprintf("%s%s%s", start, filler, end);
	free(filler);
	return text;
}

START_TEST(a_message_has_a_ceiling)
{
	char *fits = long_message("r=" NONCE, ",s=" SALT ",i=4096", 4096);
	char *over = long_message("r=" NONCE, ",s=" SALT ",i=4096", 4097);
	char *final_over = long_message(SERVER_FINAL ",x=", "", 4097);
	struct slice final;

	ck_assert(!answer(over, &final));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
	ck_assert_msg(answer(fits, &final), "%s", err.msg);
	ck_assert_uint_gt(final.n, 4096 - 64);
	ck_assert_uint_eq(final.p[final.n - 1], '=');
	answer_well();
	err_clear(&err);
	ck_assert(!verify(final_over));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
	free(fits);
	free(over);
	free(final_over);
}
END_TEST

/* ---- what a server may say wrongly in the end */

static const struct {
	const char *text;
	enum err_code code;
	const char *words;
} bad_finals[] = {
	{ "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ERR_CONFIG, "does not know" },
	{ "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=", ERR_CONFIG, "does not know" },
	{ "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl9", ERR_CONFIG, "does not know" },
	{ "v=6rri", ERR_CONFIG, "does not know" },
	{ "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4A", ERR_CONFIG, "does not know" },
	{ "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4", ERR_PROTOCOL, "malformed" },
	{ "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G.=", ERR_PROTOCOL, "malformed" },
	{ "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl9 G4=", ERR_PROTOCOL, "malformed" },
	{ "v=", ERR_PROTOCOL, "malformed" },
	{ "", ERR_PROTOCOL, "malformed" },
	{ "e=", ERR_PROTOCOL, "malformed" },
	{ "x=1", ERR_PROTOCOL, "malformed" },
	{ "x=1," SERVER_FINAL, ERR_PROTOCOL, "malformed" },
	{ "m=1," SERVER_FINAL, ERR_PROTOCOL, "malformed" },
	{ SERVER_FINAL ",m=1", ERR_PROTOCOL, "malformed" },
	{ SERVER_FINAL ",", ERR_PROTOCOL, "malformed" },
	{ SERVER_FINAL "\n", ERR_PROTOCOL, "malformed" },
	{ "e=invalid-proof", ERR_CONFIG, "login: invalid-proof" },
	{ "e=no, not you", ERR_CONFIG, "login: no, not you" },
	{ "e=a\nb\x1b[m\xc3\xbc", ERR_CONFIG, "login: a?b?[m??" },
};

START_TEST(a_wrong_end_is_refused)
{
	answer_well();
	ck_assert(!verify(bad_finals[_i].text));
	ck_assert_int_eq(err.code, bad_finals[_i].code);
	ck_assert_msg(strstr(err.msg, bad_finals[_i].words) != NULL, "%s", err.msg);
}
END_TEST

START_TEST(an_end_cut_short_is_refused)
{
	answer_well();
	for (size_t n = 0; n < strlen(SERVER_FINAL); n++)
		ck_assert_msg(!verify_bytes(SERVER_FINAL, n), "%d bytes", (int)n);
	ck_assert(verify(SERVER_FINAL));
}
END_TEST

START_TEST(a_refusals_words_are_cut)
{
	char *text = long_message("e=", "", 1000);

	answer_well();
	ck_assert(!verify(text));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_uint_lt(strlen(err.msg), 200);
	free(text);
}
END_TEST

START_TEST(another_password_has_another_proof)
{
	struct slice final;

	kscram_free(&scram);
	scram = kscram_new("SCRAM-SHA-256", "user", "pencils", NONCE);
	ck_assert(answer(SERVER_FIRST, &final));
	ck_assert(!slice_eq(final, slice_str(CLIENT_FINAL)));
	ck_assert(!verify(SERVER_FINAL));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_null(strstr(err.msg, "pencils"));
}
END_TEST

START_TEST(to_verify_without_an_answer_is_a_bug)
{
	verify(SERVER_FINAL);
}
END_TEST

START_TEST(to_verify_after_a_failed_answer_is_a_bug)
{
	struct slice final;

	answer_well();
	ck_assert(!answer("r=x", &final));
	verify(SERVER_FINAL);
}
END_TEST

#define LOOP(tc, test, rows) \
	tcase_add_loop_test(tc, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))

int
main(void)
{
	Suite *s = suite_create("kscram");
	TCase *tc = tcase_create("kscram");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_vector_of_rfc_7677);
	tcase_add_test(tc, sha_512_is_as_defined);
	LOOP(tc, other_mechanisms_are_not_known, unknown);
	LOOP(tc, a_username_is_escaped, users);
	tcase_add_test(tc, a_nonce_of_our_own_is_never_the_same);
	tcase_add_test(tc, fields_nobody_knows_may_follow);
	LOOP(tc, a_wrong_challenge_is_refused, bad_firsts);
	tcase_add_test(tc, a_challenge_cut_short_is_refused);
	tcase_add_test(tc, a_nul_does_not_end_a_message);
	tcase_add_test(tc, a_message_has_a_ceiling);
	LOOP(tc, a_wrong_end_is_refused, bad_finals);
	tcase_add_test(tc, an_end_cut_short_is_refused);
	tcase_add_test(tc, a_refusals_words_are_cut);
	tcase_add_test(tc, another_password_has_another_proof);
	tcase_add_test_raise_signal(tc, to_verify_without_an_answer_is_a_bug, SIGABRT);
	tcase_add_test_raise_signal(tc, to_verify_after_a_failed_answer_is_a_bug, SIGABRT);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
