/*
 * client - one call after another to peerd's REST API
 *
 * Over the Unix socket, where the file's mode is the key, or over HTTP(S) with
 * a password. A call blocks until it is answered. The body of the last answer,
 * good or bad, stays in client_body() until the next call.
 *
 * Errors: what peerd said, with its hint, by the code that fits the status;
 * ERR_TRANSIENT when it could not be reached.
 */
#ifndef PEERD_CMD_PEERCTL_CLIENT_H
#define PEERD_CMD_PEERCTL_CLIENT_H

#include <stdbool.h>

struct client;
struct err;

struct client_config {
	const char *socket;   /* used when url is NULL */
	const char *url;      /* "http://host:3000", without a path */
	const char *password; /* NULL: none; only sent to a url */
	const char *ca_file;  /* NULL: the system's certificates */
	long timeout_s;
};

/* The strings must live as long as the client. */
struct client *client_new(const struct client_config *config);
void client_free(struct client **c);

/* path is below /api/v1 and begins with '/'; body NULL: none. */
bool client_call(struct client *c, const char *method, const char *path, const char *body,
    struct err *err);
const char *client_body(const struct client *c);

#endif
