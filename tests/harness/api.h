/*
 * api - peerd's REST API as a client sees it
 *
 * One daemon at a time: api_use() says which. A call answers with the reply to
 * it, which stays valid until the next call. Paths start behind /api/v1 unless
 * they begin with "//", which stands for the server's root ("//healthz").
 *
 * field_at() follows a dotted path with names and array positions, for example
 * "peer.postgresConfig.password" or "mirrors.0.name"; field_text() gives what is
 * there as text ("(absent)" for nothing), so that one string comparison says all.
 */
#ifndef PEERD_HARNESS_API_H
#define PEERD_HARNESS_API_H

#include <cjson/cJSON.h>
#include <stdbool.h>

struct daemon;

struct reply {
	long status;
	const char *body;
	const char *headers;
	const cJSON *json; /* NULL when the body is no JSON */
};

void api_use(const struct daemon *d);

const struct reply *api_get(const char *path);
const struct reply *api_post(const char *path, const char *body);
const struct reply *api_call(const char *method, const char *path, const char *body);

/* With an Authorization header of the caller's choice, or none (NULL). */
const struct reply *api_call_as(const char *authorization, const char *method, const char *path,
    const char *body);

/* Fail the test, showing the body, unless the reply has this status. */
const struct reply *api_expect(long status, const struct reply *r);

const cJSON *field_at(const cJSON *json, const char *path);
char *field_text(const cJSON *json, const char *path);

/* The value of an Authorization header: Basic, with user and password. */
char *api_basic(const char *user, const char *password);

#endif
