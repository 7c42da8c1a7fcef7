/*
 * http1 - the bytes of an HTTP/1.x request
 *
 * A pure reader, RFC 9112 without the forgiving parts: folded headers, blanks
 * before a colon, two lengths for one body are refused, since a proxy in front
 * might read them otherwise. Lines may end with a bare LF.
 *
 *	n = http1_head_length(bytes)		0: not all there yet
 *	http1_head_parse(bytes[0..n], ...)
 *	then length bytes of body, or http1_chunks_feed() until done
 *
 * What comes out is NUL-terminated text without control characters, in the
 * caller's arena. The target is split but still percent-encoded; decode a
 * piece with http1_decode(), after splitting at '/', '&' and '='.
 *
 * Errors: ERR_INVALID, ERR_UNIMPLEMENTED, ERR_TOO_LARGE; where HTTP has a
 * status of its own for it, *status_r says so.
 */
#ifndef PEERD_WIRE_HTTP1_H
#define PEERD_WIRE_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"

struct arena;
struct buf;
struct err;

#define HTTP1_HEADERS_MAX 64

enum http1_framing {
	HTTP1_NO_BODY,
	HTTP1_LENGTH,
	HTTP1_CHUNKED
};

struct http1_header {
	const char *name;
	const char *value;
};

struct http1_head {
	const char *method;
	const char *path;  /* begins with '/', percent-encoded; "*" is possible */
	const char *query; /* after '?', percent-encoded; NULL when there is none */
	int minor;	   /* HTTP/1.<minor> */
	bool keep_alive;
	bool expect_continue;
	enum http1_framing framing;
	uint64_t length; /* of the body, for HTTP1_LENGTH */
	struct http1_header headers[HTTP1_HEADERS_MAX];
	size_t nheaders;
};

/* Bytes up to and including the empty line; 0 when it has not arrived. */
size_t http1_head_length(struct slice bytes);

/* Empty lines that some clients send between requests; to be dropped before a head. */
size_t http1_leading_blank(struct slice bytes);

bool http1_head_parse(struct slice head, struct arena *a, struct http1_head *head_r, int *status_r,
    struct err *err);

/* The value of a header, any case; NULL when absent. http1_header_count tells repetitions. */
const char *http1_header(const struct http1_head *h, const char *name);
size_t http1_header_count(const struct http1_head *h, const char *name);

/* Whether a comma separated header value holds the token, any case. */
bool http1_has_token(const char *value, const char *token);

/*
 * Percent-decoding; with plus, '+' is a blank, as in a query. Refuses bad
 * escapes, NUL and what is not UTF-8.
 */
bool http1_decode(struct arena *a, struct slice text, bool plus, const char **text_r,
    struct err *err);

/* Called with each decoded name=value of a query, in order; false stops. */
typedef bool http1_param_fn(void *arg, const char *name, const char *value, struct err *err);
bool http1_query_each(struct arena *a, const char *query, http1_param_fn *fn, void *arg,
    struct err *err);

/* ---- chunked bodies */

struct http1_chunks {
	int state;
	bool cr;	 /* the last byte was a CR */
	uint64_t left;	 /* bytes of the chunk still to come */
	unsigned digits; /* of its size, so far */
	size_t extra;	 /* bytes of extensions and trailers, which are dropped */
};

#define HTTP1_CHUNKS_INIT \
	{                 \
		0         \
	}

/* Decode what is there into out (bounded by its own ceiling); *used_r bytes were consumed. */
bool http1_chunks_feed(struct http1_chunks *c, struct slice in, size_t *used_r, struct buf *out,
    struct err *err);
bool http1_chunks_done(const struct http1_chunks *c);

#endif
