/*
 * seal - secrets at rest: AES-256-GCM under a ring of named keys
 *
 * A ring holds the keys that may open; the first key added is the one that
 * seals. A sealed value is the key's id and a blob:
 *
 *	nonce (12 random bytes)   ciphertext (as long as the plain text)   tag (16)
 *
 * Bound to its place: the table and the row's name are authenticated with it,
 * so a blob moved to another row does not open.
 *
 * Keys are written as text, comma separated, each base64 of 32 bytes with an
 * optional name: "2026:q83v...=,old:EjRW...=". A key without a name is called
 * by the first eight hex digits of its SHA-256.
 *
 * Errors: CONFIG for keys that are malformed or missing, DATA for a blob that
 * was damaged or sealed by another key of the same name. No error text holds
 * key material. Keys are wiped when the ring goes.
 */
#ifndef PEERD_CATALOG_SEAL_H
#define PEERD_CATALOG_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"

struct arena;
struct err;

#define SEAL_KEY_BYTES	  32
#define SEAL_KEYS_MAX	  16
#define SEAL_ID_MAX	  32
#define SEAL_KEY_TEXT_MAX 48 /* base64 of a key and its NUL, rounded up */

struct seal_key {
	char id[SEAL_ID_MAX + 1];
	uint8_t key[SEAL_KEY_BYTES];
};

struct seal_ring {
	struct seal_key keys[SEAL_KEYS_MAX];
	size_t n; /* keys[0] seals */
};

struct sealed {
	const char *key_id;
	struct slice blob;
};

/* Add the keys of a text. One that is there already (name and bytes) is passed over. */
bool seal_ring_add(struct seal_ring *ring, const char *text, struct err *err);
void seal_ring_done(struct seal_ring *ring);

/* A new random key as text, without a name. */
bool seal_key_make(char text_r[SEAL_KEY_TEXT_MAX], struct err *err);

/* The result lives in the arena (the key id in the ring). */
bool seal_close(const struct seal_ring *ring, const char *table, const char *row,
    struct slice plain, struct arena *a, struct sealed *sealed_r, struct err *err);
bool seal_open(const struct seal_ring *ring, const char *table, const char *row,
    const struct sealed *sealed, struct arena *a, struct slice *plain_r, struct err *err);

#endif
