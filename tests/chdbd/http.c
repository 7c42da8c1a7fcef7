#include "tests/chdbd/http.h"

#include <sys/socket.h>
#include <errno.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "tests/chdbd/codec.h"

#define IN_BYTES    (1 * MIB) /* a head must fit; a body comes in pieces of up to as much */
#define ARENA_BYTES (16 * KIB)

struct http {
	int fd;
	struct buf in; /* received, not yet used */
	size_t used;   /* bytes of `in` that the last piece lent out */
	struct http_request request;
	struct http1_chunks chunks;
	uint64_t left; /* bytes of a body with a length */
	struct buf dechunked, plain;
	struct slice coded; /* of the body, not yet decoded */
	struct decoder *decoder;
	bool known;    /* the Content-Encoding is */
	bool expected; /* the client waits for "100 Continue" */
	enum http_body body;
};

struct http *
http_new(int fd)
{
	struct http *h = xcalloc(1, sizeof(*h));

	h->fd = fd;
	buf_init(&h->in, IN_BYTES);
	buf_init(&h->dechunked, IN_BYTES);
	buf_init(&h->plain, IN_BYTES);
	h->request.arena = arena_new(ARENA_BYTES);
	h->body = HTTP_BODY_END;
	return h;
}

void
http_free(struct http **h)
{
	fd_close(&(*h)->fd);
	decoder_free(&(*h)->decoder);
	arena_free(&(*h)->request.arena);
	buf_done(&(*h)->in);
	buf_done(&(*h)->dechunked);
	buf_done(&(*h)->plain);
	MEM_FREE(*h);
}

/* Receive what is there, at least a byte. */
static bool
fill(struct http *h)
{
	size_t room = h->in.max - h->in.n;
	uint8_t *to = buf_room(&h->in, room);
	ssize_t n;

	do
		n = room > 0 ? recv(h->fd, to, room, 0) : 0;
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	h->in.n += (size_t)n;
	return true;
}

static bool
send_all(struct http *h, struct slice bytes)
{
	ssize_t n;

	while (bytes.n > 0) {
		n = send(h->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes.p += n;
		bytes.n -= (size_t)n;
	}
	return true;
}

/* ---- heads */

static bool
keep_param(void *arg, const char *name, const char *value, struct err *err)
{
	struct http_request *r = arg;

	if (r->nparams == HTTP_PARAMS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d parameters", HTTP_PARAMS_MAX);
	r->params[r->nparams].name = name;
	r->params[r->nparams++].value = value;
	return true;
}

static void
begin_body(struct http *h)
{
	const struct http1_head *head = &h->request.head;
	const char *encoding = http1_header(head, "Content-Encoding");
	const struct codec *codec = encoding != NULL ? codec_find(encoding) : NULL;

	decoder_free(&h->decoder);
	if (codec != NULL && head->framing != HTTP1_NO_BODY)
		h->decoder = decoder_new(codec);
	h->known = encoding == NULL || codec != NULL || strcasecmp(encoding, "identity") == 0;
	h->expected = head->expect_continue;
	h->left = head->framing == HTTP1_LENGTH ? head->length : 0;
	h->chunks = (struct http1_chunks)HTTP1_CHUNKS_INIT;
	h->coded = slice_of(NULL, 0);
	h->body = head->framing == HTTP1_NO_BODY ? HTTP_BODY_END : HTTP_BODY_MORE;
	buf_reset(&h->plain);
}

static bool
read_head(struct http *h, int *status_r, struct err *err)
{
	struct http_request *r = &h->request;
	size_t n;

	while ((n = http1_head_length(buf_slice(&h->in))) == 0)
		if (!fill(h)) {
			*status_r = 0;
			return false;
		}
	arena_reset(r->arena);
	r->nparams = 0;
	if (!http1_head_parse(slice_of(h->in.p, n), r->arena, &r->head, status_r, err))
		return false;
	*status_r = 400;
	if (!http1_query_each(r->arena, r->head.query, keep_param, r, err))
		return false;
	buf_consume(&h->in, n);
	return true;
}

enum http_next
http_next(struct http *h, const struct http_request **request_r)
{
	struct err err = ERR_INIT;
	int status;

	if (!read_head(h, &status, &err)) {
		h->request.head.keep_alive = false;
		if (status != 0)
			http_reply(h, status, "", slice_str(err.msg));
		return HTTP_GONE;
	}
	begin_body(h);
	*request_r = &h->request;
	return HTTP_REQUEST;
}

const char *
http_param(const struct http_request *r, const char *name)
{
	for (size_t i = 0; i < r->nparams; i++)
		if (strcmp(r->params[i].name, name) == 0)
			return r->params[i].value;
	return NULL;
}

/* ---- bodies */

bool
http_body_known(const struct http *h)
{
	return h->known;
}

/* A piece of a body with a length, lent from what was received. */
static enum http_body
next_of_length(struct http *h, struct slice *piece_r)
{
	if (h->left == 0)
		return HTTP_BODY_END;
	if (h->in.n == 0 && !fill(h))
		return HTTP_BODY_CUT;
	h->used = h->in.n < h->left ? h->in.n : (size_t)h->left;
	h->left -= h->used;
	*piece_r = slice_of(h->in.p, h->used);
	return HTTP_BODY_MORE;
}

static enum http_body
next_of_chunks(struct http *h, struct slice *piece_r)
{
	struct err err = ERR_INIT;

	buf_reset(&h->dechunked);
	while (h->dechunked.n == 0) {
		if (http1_chunks_done(&h->chunks))
			return HTTP_BODY_END;
		if (h->in.n == 0 && !fill(h))
			return HTTP_BODY_CUT;
		if (!http1_chunks_feed(&h->chunks, buf_slice(&h->in), &h->used, &h->dechunked,
			&err))
			return HTTP_BODY_CUT;
		buf_consume(&h->in, h->used);
		h->used = 0;
	}
	*piece_r = buf_slice(&h->dechunked);
	return HTTP_BODY_MORE;
}

/* The next bytes as they were sent, the frame of chunks taken off. */
static enum http_body
next_raw(struct http *h, struct slice *piece_r)
{
	if (h->expected && !send_all(h, slice_str("HTTP/1.1 100 Continue\r\n\r\n")))
		return HTTP_BODY_CUT;
	h->expected = false;
	buf_consume(&h->in, h->used);
	h->used = 0;
	return h->request.head.framing == HTTP1_CHUNKED ? next_of_chunks(h, piece_r)
							: next_of_length(h, piece_r);
}

static enum http_body
next_decoded(struct http *h, struct slice *piece_r)
{
	bool was_full = h->plain.n == h->plain.max;
	enum http_body body;

	buf_reset(&h->plain);
	while (h->plain.n == 0) {
		if (h->coded.n == 0 && !was_full) {
			body = next_raw(h, &h->coded);
			if (body == HTTP_BODY_END && !decoder_whole(h->decoder))
				return HTTP_BODY_BAD;
			if (body != HTTP_BODY_MORE)
				return body;
		}
		was_full = false;
		if (!decoder_feed(h->decoder, &h->coded, &h->plain))
			return HTTP_BODY_BAD;
	}
	*piece_r = buf_slice(&h->plain);
	return HTTP_BODY_MORE;
}

enum http_body
http_body(struct http *h, struct slice *piece_r)
{
	if (h->body == HTTP_BODY_MORE)
		h->body = h->decoder != NULL ? next_decoded(h, piece_r) : next_raw(h, piece_r);
	return h->body;
}

/* What the request still sends, of whatever kind. */
static void
read_away(struct http *h)
{
	struct slice piece;

	if (h->expected || h->body == HTTP_BODY_CUT) {
		h->request.head.keep_alive = false; /* it is not known what comes next */
		return;
	}
	if (h->body != HTTP_BODY_END)
		while (next_raw(h, &piece) == HTTP_BODY_MORE)
			continue;
	buf_consume(&h->in, h->used);
	h->used = 0;
	h->body = HTTP_BODY_END;
}

/* ---- replies */

static const char *
reason(int status)
{
	return status < 300 ? "OK" : "Error";
}

bool
http_reply(struct http *h, int status, const char *headers, struct slice body)
{
	const struct http1_head *head = &h->request.head;
	struct buf out;
	bool ok;

	read_away(h);
	buf_init(&out, MIB);
	buf_printf(&out, "HTTP/1.1 %d %s\r\n%sContent-Length: %zu\r\nConnection: %s\r\n\r\n",
	    status, reason(status), headers, body.n, head->keep_alive ? "Keep-Alive" : "close");
	ok = send_all(h, buf_slice(&out));
	if (ok && (head->method == NULL || strcmp(head->method, "HEAD") != 0))
		ok = send_all(h, body);
	buf_done(&out);
	return ok && head->keep_alive;
}
