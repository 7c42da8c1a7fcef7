/*
 * httpfault_int - a client's connection, shared by the two files of httpfault
 *
 * httpfault.c keeps rules and threads, httpfault_pass.c passes requests on and
 * makes the trouble. A struct client belongs to its thread alone.
 */
#ifndef PEERD_HARNESS_HTTPFAULT_INT_H
#define PEERD_HARNESS_HTTPFAULT_INT_H

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/base/slice.h"
#include "lib/wire/http1.h"
#include "tests/harness/httpfault.h"

#define HTTPFAULT_HEAD_MAX    (1 * MIB)
#define HTTPFAULT_PIECE_BYTES (64 * KIB)

struct arena;
struct slot;

/* One client's connection, and the request it is at. */
struct client {
	struct httpfault *f;
	struct slot *slot;
	int fd, server;
	bool is_deaf; /* the server has stopped reading; it may have answered, though */
	struct buf in;
	struct arena *arena; /* lives for the request */
	struct http1_head head;
	struct slice head_bytes;
	struct httpfault_rule fate;
};

/* One request from its head to its fate; false when the connection is of no more use. */
bool client_serve(struct client *c);

/* The fate of a request, which counts it. */
struct httpfault_rule httpfault_fate(struct httpfault *f, struct slice request);
void httpfault_wait(struct httpfault *f); /* until httpfault_release(), or the end */
int httpfault_server(const struct httpfault *f);

#endif
