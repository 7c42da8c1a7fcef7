#include "lib/conn/kscram.h"

#include <assert.h>
#include <ctype.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define MESSAGE_MAX    4096 /* of a server; a broker's have about 100 bytes */
#define HASH_MAX       64
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
#define NONCE_BYTES    24
#define ITERATIONS_MIN 4096u /* RFC 7677, and Kafka's own */
#define ITERATIONS_MAX 10000000u
#define WORDS_MAX      120 /* of a server's refusal */

static const char gs2_header[] = "n,,"; /* no channel binding; in base64 biws */
static const char final_start[] = "c=biws,r=";

struct mechanism {
	const char *name;
	const EVP_MD *(*md)(void);
	size_t size;
};

static const struct mechanism mechanisms[] = {
	{ "SCRAM-SHA-256", EVP_sha256, 32 },
	{ "SCRAM-SHA-512", EVP_sha512, 64 },
};

struct kscram {
	const struct mechanism *mechanism;
	char *password;
	char *nonce;
	struct buf first;
	struct buf final;
	uint8_t signature[HASH_MAX]; /* that the server must show; once answered */
	bool answered;
};

/* ---- a field of a message: a letter, '=', and what goes on to the next comma */

struct field {
	char name;
	struct slice value;
};

static bool
field_take(struct slice *rest, struct field *f_r)
{
	const uint8_t *comma = rest->n > 0 ? memchr(rest->p, ',', rest->n) : NULL;
	size_t n = comma != NULL ? (size_t)(comma - rest->p) : rest->n;

	if (n < 3 || !isalpha(rest->p[0]) || rest->p[1] != '=' || n + 1 == rest->n)
		return false;
	*f_r = (struct field){ (char)rest->p[0], slice_of(rest->p + 2, n - 2) };
	if (comma != NULL)
		n++;
	*rest = slice_of(rest->p + n, rest->n - n);
	return true;
}

static bool
field_expect(struct slice *rest, char name, struct slice *value_r)
{
	struct field f;

	if (!field_take(rest, &f) || f.name != name)
		return false;
	*value_r = f.value;
	return true;
}

/* Fields nobody knows may follow; only 'm' stands for what must be understood. */
static bool
rest_is_harmless(struct slice rest)
{
	struct field f;

	while (rest.n > 0)
		if (!field_take(&rest, &f) || f.name == 'm')
			return false;
	return true;
}

static bool
is_printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
			return false;
	return true;
}

static bool
is_base64(struct slice s)
{
	size_t letters = s.n;

	while (letters > 0 && s.n - letters < 2 && s.p[letters - 1] == '=')
		letters--;
	for (size_t i = 0; i < letters; i++)
		if (!isalnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '/')
			return false;
	return s.n > 0 && s.n % 4 == 0;
}

/* libcrypto would skip blanks and take '=' anywhere, so the text is looked at before. */
static bool
base64_decode(struct slice text, uint8_t bytes_r[MESSAGE_MAX], size_t *n_r)
{
	int n;

	if (text.n > MESSAGE_MAX || !is_base64(text))
		return false;
	n = EVP_DecodeBlock(bytes_r, text.p, (int)text.n);
	if (n < 0)
		return false;
	*n_r = (size_t)n - (text.p[text.n - 1] == '=') - (text.p[text.n - 2] == '=');
	return true;
}

/* A number far too large comes out as one too large. */
static bool
number_read(struct slice text, uint64_t *v_r)
{
	uint64_t v = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (!isdigit(text.p[i]))
			return false;
		if (v <= ITERATIONS_MAX)
			v = v * 10 + (uint64_t)(text.p[i] - '0');
	}
	*v_r = v;
	return true;
}

/* ---- life */

static const struct mechanism *
mechanism_find(const char *name)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (strcasecmp(mechanisms[i].name, name) == 0)
			return &mechanisms[i];
	return NULL;
}

static char *
nonce_make(void)
{
	uint8_t bytes[NONCE_BYTES], text[BASE64_SIZE(NONCE_BYTES)];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		bug("libcrypto has no random bytes");
	EVP_EncodeBlock(text, bytes, sizeof(bytes));
	return xstrdup((const char *)text);
}

static void
put_username(struct buf *to, const char *name)
{
	for (; *name != '\0'; name++)
		if (*name == '=')
			buf_str_add(to, "=3D");
		else if (*name == ',')
			buf_str_add(to, "=2C");
		else
			buf_char(to, *name);
}

struct kscram *
kscram_new(const char *mechanism, const char *username, const char *password, const char *nonce)
{
	const struct mechanism *found = mechanism_find(mechanism);
	struct kscram *s;

	if (found == NULL)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->mechanism = found;
	s->password = xstrdup(password);
	s->nonce = nonce != NULL ? xstrdup(nonce) : nonce_make();
	buf_init(&s->first, 3 * strlen(username) + strlen(s->nonce) + sizeof("n,,n=,r="));
	buf_str_add(&s->first, gs2_header);
	buf_str_add(&s->first, "n=");
	put_username(&s->first, username);
	buf_str_add(&s->first, ",r=");
	buf_str_add(&s->first, s->nonce);
	buf_init(&s->final, MESSAGE_MAX + sizeof(final_start) + 3 + BASE64_SIZE(HASH_MAX));
	return s;
}

void
kscram_free(struct kscram **s)
{
	if (*s == NULL)
		return;
	mem_wipe((*s)->password, strlen((*s)->password));
	MEM_FREE((*s)->password);
	MEM_FREE((*s)->nonce);
	buf_done(&(*s)->first);
	buf_done(&(*s)->final);
	mem_wipe(*s, sizeof(**s));
	MEM_FREE(*s);
}

struct slice
kscram_first(struct kscram *s)
{
	return buf_slice(&s->first);
}

/* ---- what the server wants */

struct challenge {
	struct slice nonce;
	uint8_t salt[MESSAGE_MAX];
	size_t nsalt;
	uint64_t iterations;
};

static bool
check_nonce(const struct kscram *s, struct slice nonce, struct err *err)
{
	size_t ours = strlen(s->nonce);

	if (!is_printable(nonce))
		return err_set(err, ERR_PROTOCOL, "the server's SCRAM nonce is malformed");
	if (nonce.n <= ours || memcmp(nonce.p, s->nonce, ours) != 0)
		return err_set(err, ERR_PROTOCOL,
		    "the server's SCRAM nonce does not begin with ours and go on");
	return true;
}

static bool
check_iterations(uint64_t n, struct err *err)
{
	if (n < ITERATIONS_MIN) {
		err_set(err, ERR_CONFIG,
		    "the server asks for %u iterations of SCRAM, at least %u"
		    " are needed to keep the password from being guessed",
		    (unsigned)n, ITERATIONS_MIN);
		return err_hint(err, "set the user's password on the broker anew, with more");
	}
	if (n > ITERATIONS_MAX) {
		err_set(err, ERR_CONFIG,
		    "the server asks for more than %u iterations of SCRAM, which take too long",
		    ITERATIONS_MAX);
		return err_hint(err, "set the user's password on the broker anew, with fewer");
	}
	return true;
}

static bool
challenge_read(const struct kscram *s, struct slice msg, struct challenge *c_r, struct err *err)
{
	struct slice rest = msg, salt, iterations;

	if (msg.n > MESSAGE_MAX || !field_expect(&rest, 'r', &c_r->nonce) ||
	    !field_expect(&rest, 's', &salt) || !field_expect(&rest, 'i', &iterations) ||
	    !number_read(iterations, &c_r->iterations) || !rest_is_harmless(rest))
		return err_set(err, ERR_PROTOCOL, "the server's first SCRAM message is malformed");
	if (!base64_decode(salt, c_r->salt, &c_r->nsalt))
		return err_set(err, ERR_PROTOCOL, "the server's SCRAM salt is not base64");
	return check_nonce(s, c_r->nonce, err) && check_iterations(c_r->iterations, err);
}

/* ---- proof and signature */

struct keys {
	uint8_t salted[HASH_MAX]; /* the password, salted and iterated */
	uint8_t client[HASH_MAX];
	uint8_t stored[HASH_MAX]; /* the hash of the client's: what a server keeps of it */
	uint8_t server[HASH_MAX];
};

static bool
sign(const struct mechanism *m, const uint8_t *key, struct slice text, uint8_t *mac_r)
{
	return HMAC(m->md(), key, (int)m->size, text.p, text.n, mac_r, NULL) != NULL;
}

static bool
keys_derive(const struct kscram *s, const struct challenge *c, struct keys *k_r)
{
	const struct mechanism *m = s->mechanism;

	return PKCS5_PBKDF2_HMAC(s->password, (int)strlen(s->password), c->salt, (int)c->nsalt,
		   (int)c->iterations, m->md(), (int)m->size, k_r->salted) == 1 &&
	    sign(m, k_r->salted, slice_str("Client Key"), k_r->client) &&
	    EVP_Digest(k_r->client, m->size, k_r->stored, NULL, m->md(), NULL) == 1 &&
	    sign(m, k_r->salted, slice_str("Server Key"), k_r->server);
}

/* The client's key, hidden by a signature that only who has the stored key can make. */
static bool
proof_make(const struct kscram *s, const struct challenge *c, struct slice auth,
    uint8_t proof_r[HASH_MAX], uint8_t signature_r[HASH_MAX])
{
	struct keys k;
	bool ok;

	ok = keys_derive(s, c, &k) && sign(s->mechanism, k.stored, auth, proof_r) &&
	    sign(s->mechanism, k.server, auth, signature_r);
	for (size_t i = 0; ok && i < s->mechanism->size; i++)
		proof_r[i] ^= k.client[i];
	mem_wipe(&k, sizeof(k));
	return ok;
}

/* All that was said: our first message without its header, the server's, our final one so far. */
static void
auth_text(const struct kscram *s, struct slice server_first, struct buf *auth)
{
	size_t header = sizeof(gs2_header) - 1;

	buf_init(auth, s->first.n + server_first.n + s->final.n + 2);
	buf_add(auth, s->first.p + header, s->first.n - header);
	buf_char(auth, ',');
	buf_add(auth, server_first.p, server_first.n);
	buf_char(auth, ',');
	buf_add(auth, s->final.p, s->final.n);
}

static bool
final_make(struct kscram *s, const struct challenge *c, struct slice server_first)
{
	uint8_t proof[HASH_MAX], text[BASE64_SIZE(HASH_MAX)];
	struct buf auth;
	bool ok;

	buf_reset(&s->final);
	buf_str_add(&s->final, final_start);
	buf_add(&s->final, c->nonce.p, c->nonce.n);
	auth_text(s, server_first, &auth);
	ok = proof_make(s, c, buf_slice(&auth), proof, s->signature);
	buf_done(&auth);
	if (!ok)
		return false;
	EVP_EncodeBlock(text, proof, (int)s->mechanism->size);
	buf_str_add(&s->final, ",p=");
	buf_str_add(&s->final, (const char *)text);
	return true;
}

bool
kscram_answer(struct kscram *s, struct slice server_first, struct slice *final_r, struct err *err)
{
	struct challenge c;

	s->answered = false;
	if (!challenge_read(s, server_first, &c, err))
		return false;
	if (!final_make(s, &c, server_first))
		return err_set(err, ERR_BUG, "libcrypto could not compute the SCRAM proof");
	s->answered = true;
	*final_r = buf_slice(&s->final);
	return true;
}

/* ---- what the server shows */

static bool
set_malformed(struct err *err)
{
	return err_set(err, ERR_PROTOCOL, "the server's final SCRAM message is malformed");
}

static bool
set_refused(struct slice words, struct err *err)
{
	char text[WORDS_MAX + 1];
	size_t n = words.n < WORDS_MAX ? words.n : WORDS_MAX;

	for (size_t i = 0; i < n; i++)
		text[i] = words.p[i] >= 0x20 && words.p[i] < 0x7f ? (char)words.p[i] : '?';
	text[n] = '\0';
	err_set(err, ERR_CONFIG, "the server refused the SCRAM login: %s", text);
	return err_hint(err, "check username, password and sasl");
}

static bool
signature_is_right(const struct kscram *s, const uint8_t *theirs, size_t n)
{
	return n == s->mechanism->size && CRYPTO_memcmp(theirs, s->signature, n) == 0;
}

bool
kscram_verify(struct kscram *s, struct slice server_final, struct err *err)
{
	uint8_t theirs[MESSAGE_MAX];
	struct slice rest = server_final;
	struct field f;
	size_t n;

	assert(s->answered);
	if (server_final.n > MESSAGE_MAX || !field_take(&rest, &f))
		return set_malformed(err);
	if (f.name == 'e')
		return set_refused(slice_of(server_final.p + 2, server_final.n - 2), err);
	if (f.name != 'v' || !rest_is_harmless(rest) || !base64_decode(f.value, theirs, &n))
		return set_malformed(err);
	if (!signature_is_right(s, theirs, n)) {
		err_set(err, ERR_CONFIG,
		    "the server's SCRAM signature is wrong: it does not know the user's password");
		return err_hint(err, "check that the address is the broker's");
	}
	return true;
}
