/*
 * kscram - a client's side of SCRAM, by which a Kafka broker checks a password
 *
 * RFC 5802 with SHA-256 or SHA-512 (RFC 7677), without channel binding. Four
 * texts prove to each side that the other knows the password, and neither sends
 * it. Text in, text out: nothing here reads or writes a socket.
 *
 *	us	n,,n=user,r=NONCE			kscram_first()
 *	server	r=NONCE+ITS,s=SALT,i=ITERATIONS		kscram_answer()
 *	us	c=biws,r=NONCE+ITS,p=PROOF
 *	server	v=SIGNATURE, or e=WORDS			kscram_verify()
 *
 * The calls come in this order. The answer takes as long as the server's
 * iterations, which are bounded: the most that is allowed is some seconds.
 * User name and password go as they are, without SASLprep, as Kafka has them.
 *
 * A server whose signature was not verified may be anybody.
 *
 * Errors: ERR_PROTOCOL for a message that is malformed or does not belong to
 * ours; ERR_CONFIG for what somebody must look at: too few or too many
 * iterations, a refusal, a server that does not know the password. No words
 * hold a secret; a server's own are cut, and printable ASCII. Bugs: asserts
 * that verify comes after an answer that went well.
 */
#ifndef PEERD_CONN_KSCRAM_H
#define PEERD_CONN_KSCRAM_H

#include <stdbool.h>

#include "lib/base/slice.h"

struct err;
struct kscram;

/* "SCRAM-SHA-256" or "SCRAM-SHA-512" in any case, or NULL is returned; the texts are copied.
 * Without a nonce one is made of random bytes: only a test gives it. */
struct kscram *kscram_new(const char *mechanism, const char *username, const char *password,
    const char *nonce);
void kscram_free(struct kscram **s); /* wipes the password */

/* What is lent is lent until the next call. */
struct slice kscram_first(struct kscram *s);
bool kscram_answer(struct kscram *s, struct slice server_first, struct slice *final_r,
    struct err *err);
bool kscram_verify(struct kscram *s, struct slice server_final, struct err *err);

#endif
