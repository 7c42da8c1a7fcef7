/*
 * tls - one certificate and key for both listeners
 *
 * TLS 1.2 and later. The key is checked against the certificate at once.
 * tls_reload() reads both files again: connections made from then on use what
 * it found; on failure the old ones stay in use.
 */
#ifndef PEERD_CONTROL_TLS_H
#define PEERD_CONTROL_TLS_H

#include <stdbool.h>

struct err;
struct tls_context;
struct ssl_st;

/* Errors: ERR_CONFIG naming the file. */
bool tls_open(const char *certificate, const char *key, struct tls_context **tls_r,
    struct err *err);
bool tls_reload(struct tls_context *tls, struct err *err);
void tls_free(struct tls_context **tls);

/* A server's end of a new connection; the caller's. */
struct ssl_st *tls_accept(struct tls_context *tls);

#endif
