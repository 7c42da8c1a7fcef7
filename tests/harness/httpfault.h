/*
 * httpfault - a proxy between an HTTP client and its server that makes trouble
 *
 * httpfault_new() listens on a port of its own and passes requests on to a
 * server on 127.0.0.1, in threads of the test process. Nothing goes wrong until
 * a rule says so:
 *
 *	httpfault_add(f, (struct httpfault_rule){
 *	    .kind = HTTPFAULT_SWALLOW, .match = "INSERT INTO", .skip = 2, .times = 1 });
 *
 * The first rule that matches a request is its fate. A rule matches when the
 * request, its URL decoded, holds the words `match`, but for the first `skip`
 * and after `times` such requests. Of bodies over 64 KiB only the URL is looked
 * at. With a `percent` a rule is taken by chance, out of the proxy's seed.
 *
 * Request bodies must have a length. To the server each request is a connection
 * of its own; to the client connections stay open as the client likes.
 */
#ifndef PEERD_HARNESS_HTTPFAULT_H
#define PEERD_HARNESS_HTTPFAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct httpfault;

enum httpfault_kind {
	HTTPFAULT_PASS,	       /* nothing: to count, or to spare what later rules match */
	HTTPFAULT_CUT_REQUEST, /* pass on `bytes` of the body, then hang up on both */
	HTTPFAULT_REFUSE,     /* answer with `status`, `headers`, `body`; the server sees nothing */
	HTTPFAULT_SWALLOW,    /* let the server do it, then hang up without its answer */
	HTTPFAULT_CUT_ANSWER, /* pass back `bytes` of the answer, head included, then hang up */
	HTTPFAULT_HOLD,	      /* wait for httpfault_release(), then pass on */
	HTTPFAULT_STALL,      /* let the server do it, be silent until released, then hang up */
	HTTPFAULT_CLOSE_BEHIND, /* answer, then close a connection that was to stay open */
};

struct httpfault_rule {
	enum httpfault_kind kind;
	const char *match; /* NULL: every request */
	unsigned skip;
	unsigned times;	  /* 0: for ever */
	unsigned percent; /* 0: always */
	uint64_t bytes;
	int status;
	const char *headers; /* lines with CR LF; NULL for none */
	const char *body;
};

struct httpfault *httpfault_new(int server_port, uint64_t seed);
void httpfault_free(struct httpfault **f); /* NULL is fine; releases and hangs up */

int httpfault_port(const struct httpfault *f);
const char *httpfault_url(const struct httpfault *f); /* http://127.0.0.1:PORT */

/* Returns the rule's number, which httpfault_hits() wants. Texts must live on. */
unsigned httpfault_add(struct httpfault *f, struct httpfault_rule rule);
void httpfault_clear(struct httpfault *f); /* no more rules; numbers start again */
void httpfault_release(struct httpfault *f);

unsigned httpfault_requests(struct httpfault *f);
unsigned httpfault_connections(struct httpfault *f); /* so far */
unsigned httpfault_open(struct httpfault *f); /* clients' connections, until served to the end */
unsigned httpfault_hits(struct httpfault *f, unsigned rule);
unsigned httpfault_waiting(struct httpfault *f); /* requests held or stalled now */

#endif
