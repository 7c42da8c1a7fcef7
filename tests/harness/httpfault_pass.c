#include "tests/harness/httpfault_int.h"

#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"

#define SMALL_BODY (64 * KIB) /* read whole before the request is passed on */
#define NOWHERE	   (-1)

/* ---- sockets */

static int
connected(int port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		fd_close(&fd);
	else
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static bool
send_all(int fd, struct slice bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes.p += n;
		bytes.n -= (size_t)n;
	}
	return true;
}

static bool
receive(int fd, struct buf *to, size_t max)
{
	uint8_t *room = buf_room(to, max);
	ssize_t n = room != NULL && max > 0 ? recv(fd, room, max, 0) : 0;

	if (n <= 0)
		return false;
	to->n += (size_t)n;
	return true;
}

/* ---- from client to server */

static bool
read_request(struct client *c)
{
	struct err err = ERR_INIT;
	size_t n;
	int status;

	while ((n = http1_head_length(buf_slice(&c->in))) == 0)
		if (!receive(c->fd, &c->in, HTTPFAULT_PIECE_BYTES))
			return false;
	arena_reset(c->arena);
	if (!http1_head_parse(slice_of(c->in.p, n), c->arena, &c->head, &status, &err) ||
	    c->head.framing == HTTP1_CHUNKED)
		return false;
	c->head_bytes = arena_dup_slice(c->arena, slice_of(c->in.p, n));
	buf_consume(&c->in, n);
	if (c->head.expect_continue && !send_all(c->fd, slice_str("HTTP/1.1 100 Continue\r\n\r\n")))
		return false;
	while (c->head.length < SMALL_BODY && c->in.n < c->head.length)
		if (!receive(c->fd, &c->in, (size_t)c->head.length - c->in.n))
			return false;
	return true;
}

/* The decoded URL and what has come of the body, for rules to look at. */
static struct httpfault_rule
find_fate(struct client *c)
{
	const char *query = "";
	struct err err;
	struct httpfault_rule fate;
	struct buf all;

	if (c->head.query != NULL &&
	    !http1_decode(c->arena, slice_str(c->head.query), true, &query, &err))
		query = c->head.query;
	buf_init(&all, 2 * HTTPFAULT_HEAD_MAX);
	buf_printf(&all, "%s %s?%s\n", c->head.method, c->head.path, query);
	buf_add(&all, c->in.p, c->in.n);
	fate = httpfault_fate(c->f, buf_slice(&all));
	buf_done(&all);
	return fate;
}

/* The head as it came, but for the connection: the server shall close its own. */
static bool
send_head(struct client *c)
{
	struct buf head;
	bool ok;

	buf_init(&head, 2 * HTTPFAULT_HEAD_MAX);
	buf_printf(&head, "%.*s", (int)strcspn((const char *)c->head_bytes.p, "\r\n"),
	    (const char *)c->head_bytes.p);
	for (size_t i = 0; i < c->head.nheaders; i++)
		if (strcasecmp(c->head.headers[i].name, "Connection") != 0 &&
		    strcasecmp(c->head.headers[i].name, "Expect") != 0)
			buf_printf(&head, "\r\n%s: %s", c->head.headers[i].name,
			    c->head.headers[i].value);
	buf_str_add(&head, "\r\nConnection: close\r\n\r\n");
	ok = send_all(c->server, buf_slice(&head));
	buf_done(&head);
	return ok;
}

/* Take so many bytes of the body from the client, and pass them on to who listens. */
static bool
pass_body(struct client *c, uint64_t bytes)
{
	c->is_deaf = c->server == NOWHERE;
	while (bytes > 0) {
		size_t n = c->in.n < bytes ? c->in.n : (size_t)bytes;

		if (n == 0 && !receive(c->fd, &c->in, HTTPFAULT_PIECE_BYTES))
			return false;
		if (n > 0 && !c->is_deaf)
			c->is_deaf = !send_all(c->server, slice_of(c->in.p, n));
		buf_consume(&c->in, n);
		bytes -= n;
	}
	return true;
}

static bool
pass_request(struct client *c, uint64_t bytes)
{
	c->server = connected(httpfault_server(c->f));
	return c->server >= 0 && send_head(c) && pass_body(c, bytes);
}

/* ---- from server to client */

/* The words in the head of an answer, in any case; NULL when they are not there. */
static uint8_t *
find_words(const struct buf *answer, size_t head, const char *words)
{
	size_t n = strlen(words);

	for (size_t i = 0; i + n <= head; i++)
		if (strncasecmp((const char *)answer->p + i, words, n) == 0)
			return answer->p + i;
	return NULL;
}

/* The server's "Connection: close" was meant for us, not for the client. */
static void
keep_open(struct buf *answer, size_t head)
{
	static const char closed[] = "\r\nConnection: close";
	static const char kept[] = "\r\nConnection: alive"; /* of the same length */
	uint8_t *at = find_words(answer, head, closed);

	if (at != NULL)
		memcpy(at, kept, sizeof(kept) - 1);
}

/*
 * Where an answer ends. The server hangs up behind each, and also when it dies
 * in the middle of one: the client must not wait for the rest of that.
 */
struct ending {
	bool is_chunked;
	uint64_t length; /* head included; UINT64_MAX: only the connection's end tells */
	uint64_t seen;
	char last[5]; /* the last bytes seen */
};

static const char last_chunk[] = "0\r\n\r\n";

static struct ending
ending_of(const struct buf *answer, size_t head)
{
	static const char words[] = "\r\nContent-Length:";
	const uint8_t *at = find_words(answer, head, words);
	struct ending e = { .length = UINT64_MAX };

	e.is_chunked = find_words(answer, head, "\r\nTransfer-Encoding: chunked") != NULL;
	if (at != NULL)
		e.length = head + strtoull((const char *)at + sizeof(words) - 1, NULL, 10);
	return e;
}

static void
ending_see(struct ending *e, const struct buf *piece)
{
	size_t n = piece->n < sizeof(e->last) ? piece->n : sizeof(e->last);

	memmove(e->last, e->last + n, sizeof(e->last) - n);
	memcpy(e->last + sizeof(e->last) - n, piece->p + piece->n - n, n);
	e->seen += piece->n;
}

static bool
ending_is_seen(const struct ending *e)
{
	return e->is_chunked ? memcmp(e->last, last_chunk, sizeof(e->last)) == 0
			     : e->seen == e->length;
}

/* Wait for the head of the answer; its length, 0 when the server hung up before. */
static size_t
receive_head(struct client *c, struct buf *answer)
{
	size_t n;

	while ((n = http1_head_length(buf_slice(answer))) == 0)
		if (!receive(c->server, answer, HTTPFAULT_PIECE_BYTES))
			return 0;
	return n;
}

/* Pass back at most so many bytes. true: all of it, and the client may ask again. */
static bool
pass_answer(struct client *c, uint64_t bytes)
{
	struct ending ending;
	struct buf answer;
	bool keep = false;
	size_t n;

	buf_init(&answer, HTTPFAULT_HEAD_MAX + HTTPFAULT_PIECE_BYTES);
	n = receive_head(c, &answer);
	ending = ending_of(&answer, n);
	keep_open(&answer, n);
	while (answer.n > 0) {
		ending_see(&ending, &answer);
		n = answer.n < bytes ? answer.n : (size_t)bytes;
		keep = send_all(c->fd, slice_of(answer.p, n)) && n == answer.n;
		bytes -= n;
		buf_reset(&answer);
		(void)receive(c->server, &answer, HTTPFAULT_PIECE_BYTES);
	}
	buf_done(&answer);
	return keep && c->head.keep_alive && ending_is_seen(&ending);
}

/* ---- the fates; true: the connection may go on */

static bool
fate_pass(struct client *c)
{
	return pass_request(c, c->head.length) && pass_answer(c, UINT64_MAX);
}

static bool
fate_cut_request(struct client *c)
{
	(void)pass_request(c, c->fate.bytes < c->head.length ? c->fate.bytes : c->head.length);
	return false;
}

static bool
fate_refuse(struct client *c)
{
	const char *body = c->fate.body != NULL ? c->fate.body : "";
	struct buf answer;
	bool ok;

	buf_init(&answer, HTTPFAULT_HEAD_MAX);
	buf_printf(&answer, "HTTP/1.1 %d Refused\r\n%sContent-Length: %zu\r\n\r\n%s",
	    c->fate.status, c->fate.headers != NULL ? c->fate.headers : "", strlen(body), body);
	ok = pass_body(c, c->head.length) && send_all(c->fd, buf_slice(&answer));
	buf_done(&answer);
	return ok && c->head.keep_alive;
}

static bool
fate_swallow(struct client *c)
{
	if (pass_request(c, c->head.length))
		(void)pass_answer(c, 0);
	return false;
}

static bool
fate_cut_answer(struct client *c)
{
	if (pass_request(c, c->head.length))
		(void)pass_answer(c, c->fate.bytes);
	return false;
}

static bool
fate_hold(struct client *c)
{
	httpfault_wait(c->f);
	return fate_pass(c);
}

static bool
fate_stall(struct client *c)
{
	(void)fate_swallow(c);
	httpfault_wait(c->f);
	return false;
}

static bool
fate_close_behind(struct client *c)
{
	(void)fate_pass(c);
	return false;
}

static bool (*const fates[])(struct client *c) = {
	[HTTPFAULT_PASS] = fate_pass,
	[HTTPFAULT_CUT_REQUEST] = fate_cut_request,
	[HTTPFAULT_REFUSE] = fate_refuse,
	[HTTPFAULT_SWALLOW] = fate_swallow,
	[HTTPFAULT_CUT_ANSWER] = fate_cut_answer,
	[HTTPFAULT_HOLD] = fate_hold,
	[HTTPFAULT_STALL] = fate_stall,
	[HTTPFAULT_CLOSE_BEHIND] = fate_close_behind,
};

/* ---- one request */

bool
client_serve(struct client *c)
{
	bool keep;

	if (!read_request(c))
		return false;
	c->fate = find_fate(c);
	c->server = NOWHERE;
	keep = fates[c->fate.kind](c);
	fd_close(&c->server);
	return keep;
}
