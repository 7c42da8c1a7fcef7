#include "catalog/seal.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define NONCE_BYTES 12
#define TAG_BYTES   16
#define KEY_BASE64  44 /* 32 bytes: 43 digits and one '=' */

#define KEY_HINT                                                           \
	"PEERD_CATALOG_KEY takes base64 of 32 bytes, or id:base64, comma " \
	"separated; make a key with: openssl rand -base64 32"

/* ---- keys */

static void
key_name(struct seal_key *k)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];

	SHA256(k->key, sizeof(k->key), sum);
	snprintf(k->id, sizeof(k->id), "%02x%02x%02x%02x", sum[0], sum[1], sum[2], sum[3]);
}

static bool
key_id_valid(const char *id, size_t n)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t i;

	for (i = 0; i < n; i++)
		if (id[i] == '\0' || strchr(allowed, id[i]) == NULL)
			return false;
	return n > 0 && n <= SEAL_ID_MAX;
}

static bool
key_decode(const char *base64, size_t n, uint8_t key_r[SEAL_KEY_BYTES])
{
	uint8_t raw[KEY_BASE64 / 4 * 3];
	bool ok;

	ok = n == KEY_BASE64 && base64[n - 1] == '=' && base64[n - 2] != '=' &&
	    EVP_DecodeBlock(raw, (const uint8_t *)base64, KEY_BASE64) == (int)sizeof(raw);
	if (ok)
		memcpy(key_r, raw, SEAL_KEY_BYTES);
	mem_wipe(raw, sizeof(raw));
	return ok;
}

/* One key: n characters at text, "id:base64" or "base64". */
static bool
key_parse(const char *text, size_t n, struct seal_key *k, struct err *err)
{
	const char *colon = memchr(text, ':', n);
	const char *base64 = colon != NULL ? colon + 1 : text;
	size_t id_len = colon != NULL ? (size_t)(colon - text) : 0;

	if (colon != NULL && !key_id_valid(text, id_len)) {
		err_set(err, ERR_CONFIG, "a catalog key has a malformed id");
		return err_hint(err, "an id is 1 to %d letters, digits, '_', '.' or '-'",
		    SEAL_ID_MAX);
	}
	if (!key_decode(base64, (size_t)(text + n - base64), k->key)) {
		err_set(err, ERR_CONFIG, "a catalog key is not base64 of %d bytes", SEAL_KEY_BYTES);
		return err_hint(err, KEY_HINT);
	}
	if (colon == NULL) {
		key_name(k);
		return true;
	}
	memcpy(k->id, text, id_len);
	k->id[id_len] = '\0';
	return true;
}

static const struct seal_key *
ring_find(const struct seal_ring *ring, const char *id)
{
	size_t i;

	for (i = 0; i < ring->n; i++)
		if (strcmp(ring->keys[i].id, id) == 0)
			return &ring->keys[i];
	return NULL;
}

static bool
ring_push(struct seal_ring *ring, const struct seal_key *k, struct err *err)
{
	const struct seal_key *same = ring_find(ring, k->id);

	if (same != NULL && memcmp(same->key, k->key, sizeof(k->key)) == 0)
		return true;
	if (same != NULL)
		return err_set(err, ERR_CONFIG, "two different catalog keys have the id \"%s\"",
		    k->id);
	if (ring->n == SEAL_KEYS_MAX)
		return err_set(err, ERR_CONFIG, "more than %d catalog keys", SEAL_KEYS_MAX);
	ring->keys[ring->n++] = *k;
	return true;
}

bool
seal_ring_add(struct seal_ring *ring, const char *text, struct err *err)
{
	struct seal_key k;
	size_t n;
	bool ok;

	for (;;) {
		text += strspn(text, " \t\r\n");
		n = strcspn(text, ", \t\r\n");
		memset(&k, 0, sizeof(k));
		ok = key_parse(text, n, &k, err) && ring_push(ring, &k, err);
		mem_wipe(&k, sizeof(k));
		if (!ok)
			return false;
		text += n;
		text += strspn(text, " \t\r\n");
		if (*text == '\0')
			return true;
		if (*text++ != ',') {
			err_set(err, ERR_CONFIG, "catalog keys are not separated by commas");
			return err_hint(err, KEY_HINT);
		}
	}
}

void
seal_ring_done(struct seal_ring *ring)
{
	mem_wipe(ring, sizeof(*ring));
}

bool
seal_key_make(char text_r[SEAL_KEY_TEXT_MAX], struct err *err)
{
	uint8_t key[SEAL_KEY_BYTES];

	if (RAND_bytes(key, sizeof(key)) != 1)
		return err_set(err, ERR_TRANSIENT, "the system gave no random bytes");
	EVP_EncodeBlock((uint8_t *)text_r, key, sizeof(key));
	mem_wipe(key, sizeof(key));
	return true;
}

/* ---- sealing and opening: nonce | ciphertext | tag */

/* The place is "table/row": tables have no slash in their names, so it says both unambiguously. */
static bool
cipher_begin(EVP_CIPHER_CTX *ctx, const struct seal_key *k, const uint8_t *nonce, const char *table,
    const char *row, int seal)
{
	int n;

	return EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, k->key, nonce, seal) == 1 &&
	    EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)table, (int)strlen(table)) == 1 &&
	    EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)"/", 1) == 1 &&
	    EVP_CipherUpdate(ctx, NULL, &n, (const uint8_t *)row, (int)strlen(row)) == 1;
}

static bool
cipher_seal(const struct seal_key *k, const char *table, const char *row, struct slice plain,
    uint8_t *blob)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t *text = blob + NONCE_BYTES, *tag = text + plain.n;
	int n = 0;
	bool ok;

	ok = ctx != NULL && RAND_bytes(blob, NONCE_BYTES) == 1 &&
	    cipher_begin(ctx, k, blob, table, row, 1) &&
	    (plain.n == 0 || EVP_CipherUpdate(ctx, text, &n, plain.p, (int)plain.n) == 1) &&
	    EVP_CipherFinal_ex(ctx, text + n, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

static bool
cipher_open(const struct seal_key *k, const char *table, const char *row, struct slice blob,
    uint8_t *plain)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	size_t text_len = blob.n - NONCE_BYTES - TAG_BYTES;
	const uint8_t *text = blob.p + NONCE_BYTES;
	uint8_t tag[TAG_BYTES];
	int n = 0;
	bool ok;

	memcpy(tag, text + text_len, TAG_BYTES);
	ok = ctx != NULL && cipher_begin(ctx, k, blob.p, table, row, 0) &&
	    (text_len == 0 || EVP_CipherUpdate(ctx, plain, &n, text, (int)text_len) == 1) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
	    EVP_CipherFinal_ex(ctx, plain + n, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

bool
seal_close(const struct seal_ring *ring, const char *table, const char *row, struct slice plain,
    struct arena *a, struct sealed *sealed_r, struct err *err)
{
	const struct seal_key *k = &ring->keys[0];
	size_t n = NONCE_BYTES + plain.n + TAG_BYTES;
	uint8_t *blob = arena_alloc(a, n);

	if (ring->n == 0)
		return err_set(err, ERR_CONFIG, "there is no catalog key to seal with");
	if (!cipher_seal(k, table, row, plain, blob))
		return err_set(err, ERR_BUG, "could not seal %s \"%s\"", table, row);
	*sealed_r = (struct sealed){ .key_id = k->id, .blob = slice_of(blob, n) };
	return true;
}

bool
seal_open(const struct seal_ring *ring, const char *table, const char *row,
    const struct sealed *sealed, struct arena *a, struct slice *plain_r, struct err *err)
{
	const struct seal_key *k = ring_find(ring, sealed->key_id);
	size_t overhead = NONCE_BYTES + TAG_BYTES;
	uint8_t *plain;

	if (k == NULL) {
		err_set(err, ERR_CONFIG,
		    "the catalog key \"%s\", which sealed %s \"%s\", was not given", sealed->key_id,
		    table, row);
		return err_hint(err,
		    "add it to PEERD_CATALOG_KEY behind the current one, or put "
		    "the file catalog.key of this directory back");
	}
	if (sealed->blob.n < overhead)
		return err_set(err, ERR_DATA, "the sealed value of %s \"%s\" is damaged", table,
		    row);
	plain = arena_alloc(a, sealed->blob.n - overhead + 1);
	if (!cipher_open(k, table, row, sealed->blob, plain)) {
		err_set(err, ERR_DATA,
		    "the sealed value of %s \"%s\" does not open with key \"%s\"", table, row,
		    k->id);
		return err_hint(err,
		    "the value was damaged, or another key of that name sealed it");
	}
	*plain_r = slice_of(plain, sealed->blob.n - overhead);
	return true;
}
