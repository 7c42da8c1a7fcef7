/*
 * http_auth - is this the password?
 *
 * "Basic" with any user name, or "Bearer". One password for all, compared in
 * constant time; more than one Authorization header is refused.
 *
 * A client address that keeps guessing is slowed down: each wrong password
 * moves the time of its next answer further away, one after the other, so
 * guessing on many connections at once gains nothing. An address with more
 * than HTTP_AUTH_WAIT_MAX of waiting ahead is not listened to any more until
 * that has passed. Nothing here waits: the caller delays its answer by
 * *delay_ms_r. Addresses are forgotten after ten minutes of peace; the table
 * is bounded, the longest quiet goes first. Being asked without any password
 * is not a guess.
 *
 * Time is the caller's (clock_mono_us).
 */
#ifndef PEERD_CONTROL_HTTP_AUTH_H
#define PEERD_CONTROL_HTTP_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/clock.h"

#define HTTP_AUTH_WAIT_MAX (30 * USEC_PER_SEC)

struct http_auth;

enum http_auth_verdict {
	HTTP_AUTH_OK,
	HTTP_AUTH_MISSING, /* no or unknown credentials */
	HTTP_AUTH_WRONG,
	HTTP_AUTH_TOO_MANY, /* the password was not even looked at */
};

/* password NULL or "": nobody is asked for one. */
struct http_auth *http_auth_new(const char *password);
void http_auth_free(struct http_auth **auth);
bool http_auth_needed(const struct http_auth *auth);

/*
 * header: the value of Authorization, NULL when absent; count: how many there
 * were. delay_ms_r: how long to hold back the answer (OK: 0).
 */
enum http_auth_verdict http_auth_check(struct http_auth *auth, const char *address,
    const char *header, size_t count, usec_t now, int *delay_ms_r);

#endif
