/*
 * One connection: bytes in, requests to the handler, replies out.
 *
 *	HEAD -> BODY -> SERVE -> WRITE -> IDLE -> HEAD ...
 *	                              \-> LINGER (the request was not read to its end)
 *
 * Callbacks are deferred by libevent, so http_reply() inside a handler never
 * re-enters this file, and only the step functions free a connection.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <utlist.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/control/http_int.h"
#include "lib/control/tls.h"
#include "lib/wire/http1.h"

#define REQUEST_ARENA_BLOCK 4096
#define REPLY_HEADERS_MAX   (16 * KIB)
#define ADDRESS_MAX	    64

enum phase {
	PHASE_HEAD,
	PHASE_BODY,
	PHASE_SERVE,
	PHASE_WRITE,
	PHASE_IDLE,
	PHASE_LINGER
};

/* What is kept beside what the handler sees. */
struct exchange {
	struct http_request req; /* first: the handler's pointer is ours */
	struct http_conn *c;
	struct http1_head head;
	struct http1_chunks chunks;
	struct buf body;
	struct buf reply_headers;
	bool whole; /* the body has been read to its end */
};

struct http_conn {
	struct http_port *port;
	struct http_conn *prev, *next;
	struct bufferevent *bev;
	struct event *deadline;
	enum phase phase;
	usec_t since;
	struct exchange *x; /* NULL: no request */
	bool eof;	    /* the client sends no more */
	bool close;	    /* after this reply */
	bool linger;	    /* the client may still be sending */
	char address[ADDRESS_MAX];
};

enum step {
	STEP_WAIT,
	STEP_AGAIN
};

/* ---- phases and their deadlines */

static int
phase_ms(const struct http_limits *l, enum phase phase)
{
	const int ms[] = {
		[PHASE_HEAD] = l->head_ms,
		[PHASE_BODY] = l->body_ms,
		[PHASE_SERVE] = 0, /* the service has deadlines of its own */
		[PHASE_WRITE] = l->write_ms,
		[PHASE_IDLE] = l->idle_ms,
		[PHASE_LINGER] = l->linger_ms,
	};

	return ms[phase];
}

static void
conn_enter(struct http_conn *c, enum phase phase)
{
	int ms = phase_ms(&c->port->server->limits, phase);
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	c->phase = phase;
	c->since = clock_mono_us();
	if (ms > 0)
		evtimer_add(c->deadline, &tv);
	else
		evtimer_del(c->deadline);
}

struct http_conn *
http_conn_next(const struct http_conn *c)
{
	return c->next;
}

bool
http_conn_is_idle(const struct http_conn *c)
{
	return c->phase == PHASE_IDLE;
}

bool
http_conn_has_request(const struct http_conn *c)
{
	return c->x != NULL || c->phase == PHASE_WRITE;
}

int64_t
http_conn_since(const struct http_conn *c)
{
	return c->since;
}

/* ---- a request's life */

static struct exchange *
exchange_new(struct http_conn *c)
{
	struct exchange *x = xcalloc(1, sizeof(*x));

	x->c = c;
	x->req.arena = arena_new(REQUEST_ARENA_BLOCK);
	x->req.address = arena_strdup(x->req.arena, c->address);
	x->req.local = c->port->local;
	x->req.method = "";
	x->req.path = "";
	x->head.minor = 1;
	buf_init(&x->body, c->port->server->limits.body_bytes);
	buf_init(&x->reply_headers, REPLY_HEADERS_MAX);
	c->x = x;
	return x;
}

static void
exchange_end(struct http_conn *c)
{
	struct exchange *x = c->x;

	c->x = NULL;
	buf_done(&x->body);
	buf_done(&x->reply_headers);
	arena_free(&x->req.arena);
	free(x);
}

void
http_conn_free(struct http_conn *c)
{
	struct http_port *port = c->port;

	if (c->x != NULL) {
		port->server->handler.gone(port->server->handler.arg, &c->x->req);
		exchange_end(c);
	}
	DL_DELETE(port->conns, c);
	port->nconns--;
	event_free(c->deadline);
	bufferevent_free(c->bev);
	free(c);
	http_port_on_freed(port);
}

/* The transport's own errors; the handler words them and replies at once. */
static void
conn_refuse(struct http_conn *c, int status, const struct err *err)
{
	const struct http_handler *h = &c->port->server->handler;

	if (c->x == NULL)
		exchange_new(c);
	conn_enter(c, PHASE_SERVE);
	h->refuse(h->arg, &c->x->req, status, err);
}

static void
conn_serve(struct http_conn *c)
{
	const struct http_handler *h = &c->port->server->handler;
	struct exchange *x = c->x;

	x->whole = true;
	x->req.body = buf_slice(&x->body);
	conn_enter(c, PHASE_SERVE);
	h->serve(h->arg, &x->req);
}

/* ---- reading */

static enum step
step_too_long(struct http_conn *c, int status, const char *what)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_TOO_LARGE, "the request's %s exceeds %zu bytes", what,
	    status == 413 ? c->port->server->limits.body_bytes
			  : c->port->server->limits.head_bytes);
	err_hint(&err, "no call needs that much, check what is being sent");
	conn_refuse(c, status, &err);
	return STEP_WAIT;
}

/* The head is known: shall the body be read? */
static enum step
step_admit(struct http_conn *c)
{
	const struct http_server *s = c->port->server;
	struct exchange *x = c->x;

	x->req.method = x->head.method;
	x->req.path = x->head.path;
	x->req.query = x->head.query;
	x->whole = x->head.framing == HTTP1_NO_BODY;
	conn_enter(c, PHASE_SERVE);
	if (!s->handler.admit(s->handler.arg, &x->req))
		return STEP_WAIT;
	if (x->whole) {
		conn_serve(c);
		return STEP_WAIT;
	}
	if (x->head.framing == HTTP1_LENGTH && x->head.length > s->limits.body_bytes)
		return step_too_long(c, 413, "body");
	if (x->head.expect_continue)
		evbuffer_add_printf(bufferevent_get_output(c->bev),
		    "HTTP/1.1 100 Continue\r\n\r\n");
	conn_enter(c, PHASE_BODY);
	return STEP_AGAIN;
}

static enum step
step_parse(struct http_conn *c, struct slice head)
{
	struct exchange *x = exchange_new(c);
	struct err err = ERR_INIT;
	int status = 400;
	bool ok = http1_head_parse(head, x->req.arena, &x->head, &status, &err);

	evbuffer_drain(bufferevent_get_input(c->bev), head.n);
	if (ok)
		return step_admit(c);
	conn_refuse(c, status, &err);
	return STEP_WAIT;
}

/* Blanks between requests are dropped; what is there then, up to a head's ceiling and one more. */
static struct slice
peek_head(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t n = evbuffer_get_contiguous_space(in), max = c->port->server->limits.head_bytes + 1;

	evbuffer_drain(in, http1_leading_blank(slice_of(evbuffer_pullup(in, (ssize_t)n), n)));
	n = evbuffer_get_length(in) < max ? evbuffer_get_length(in) : max;
	return slice_of(evbuffer_pullup(in, (ssize_t)n), n);
}

static enum step
step_head(struct http_conn *c)
{
	struct slice bytes = peek_head(c);
	size_t n = http1_head_length(bytes);

	if (n > 0 && n <= c->port->server->limits.head_bytes)
		return step_parse(c, slice_of(bytes.p, n));
	if (bytes.n > c->port->server->limits.head_bytes)
		return step_too_long(c, 431, "head");
	if (c->eof)
		http_conn_free(c);
	else if (bytes.n > 0 && c->phase == PHASE_IDLE)
		conn_enter(c, PHASE_HEAD);
	return STEP_WAIT;
}

static bool
read_length(struct exchange *x, struct evbuffer *in)
{
	size_t want = (size_t)x->head.length - x->body.n, have = evbuffer_get_length(in);
	size_t n = have < want ? have : want;
	uint8_t *room = buf_room(&x->body, n);

	if (room == NULL)
		return false;
	if (n > 0)
		(void)evbuffer_remove(in, room, n);
	x->body.n += n;
	room[n] = '\0';
	x->whole = x->body.n == x->head.length;
	return true;
}

static bool
read_chunked(struct exchange *x, struct evbuffer *in, struct err *err)
{
	size_t n, used;

	while (!x->whole && (n = evbuffer_get_contiguous_space(in)) > 0) {
		if (!http1_chunks_feed(&x->chunks, slice_of(evbuffer_pullup(in, (ssize_t)n), n),
			&used, &x->body, err))
			return false;
		evbuffer_drain(in, used);
		if (buf_overflowed(&x->body))
			return true;
		x->whole = http1_chunks_done(&x->chunks);
	}
	return true;
}

static enum step
step_body(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	struct exchange *x = c->x;
	struct err err = ERR_INIT;
	bool ok;

	ok = x->head.framing == HTTP1_CHUNKED ? read_chunked(x, in, &err) : read_length(x, in);
	if (buf_overflowed(&x->body))
		return step_too_long(c, 413, "body");
	if (!ok) {
		conn_refuse(c, err_http_status(err.code), &err);
		return STEP_WAIT;
	}
	if (x->whole)
		conn_serve(c);
	else if (c->eof)
		http_conn_free(c);
	return STEP_WAIT;
}

static enum step
step_nothing(struct http_conn *c)
{
	return STEP_WAIT;
}

static enum step
step_discard(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	evbuffer_drain(in, evbuffer_get_length(in));
	return STEP_WAIT;
}

/* What bytes from the client mean in each phase. */
static enum step (*const steps[])(struct http_conn *) = {
	[PHASE_HEAD] = step_head,
	[PHASE_BODY] = step_body,
	[PHASE_SERVE] = step_nothing, /* the next request waits */
	[PHASE_WRITE] = step_nothing,
	[PHASE_IDLE] = step_head,
	[PHASE_LINGER] = step_discard,
};

static void
conn_run(struct http_conn *c)
{
	while (steps[c->phase](c) == STEP_AGAIN)
		continue;
}

/* ---- writing */

static const char *
status_words(int status)
{
	static const struct {
		int status;
		const char *words;
	} table[] = {
		{ 200, "OK" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 499, "Client Closed Request" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].status == status)
			return table[i].words;
	return "Unknown";
}

void
http_reply_header(struct http_request *req, const char *name, const char *fmt, ...)
{
	struct exchange *x = (struct exchange *)req;
	va_list ap;

	buf_printf(&x->reply_headers, "%s: ", name);
	va_start(ap, fmt);
	buf_vprintf(&x->reply_headers, fmt, ap);
	va_end(ap);
	buf_str_add(&x->reply_headers, "\r\n");
}

static void
write_head(struct exchange *x, struct evbuffer *out, int status, const char *type, size_t length)
{
	time_t now = time(NULL);
	char date[64];
	struct tm tm;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
	evbuffer_add_printf(out,
	    "HTTP/1.1 %d %s\r\n"
	    "Date: %s\r\n"
	    "Content-Type: %s\r\n"
	    "Content-Length: %zu\r\n"
	    "Cache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\n"
	    "Connection: %s\r\n",
	    status, status_words(status), date, type, length, x->c->close ? "close" : "keep-alive");
	evbuffer_add(out, x->reply_headers.p, x->reply_headers.n);
	evbuffer_add(out, "\r\n", 2);
}

void
http_reply(struct http_request *req, int status, const char *content_type, struct slice body)
{
	struct exchange *x = (struct exchange *)req;
	struct http_conn *c = x->c;
	struct http_server *s = c->port->server;
	struct evbuffer *out = bufferevent_get_output(c->bev);

	if (status < HTTP_STATUS_MIN || status >= HTTP_STATUS_END)
		bug("reply with status %d", status);
	s->statuses[status - HTTP_STATUS_MIN]++;
	c->linger = !x->whole;
	c->close = !x->whole || !x->head.keep_alive || s->quiescing || c->port->paused;
	write_head(x, out, status, content_type, body.n);
	if (strcmp(x->head.method != NULL ? x->head.method : "", "HEAD") != 0)
		evbuffer_add(out, body.p, body.n);
	exchange_end(c);
	conn_enter(c, PHASE_WRITE);
}

/* Nobody may stay when peerd stops, and nobody idle while others wait outside. */
static bool
conn_must_leave(const struct http_conn *c)
{
	const struct http_port *port = c->port;

	return c->close || port->server->quiescing ||
	    (port->paused && evbuffer_get_length(bufferevent_get_input(c->bev)) == 0);
}

static void
conn_replied(struct http_conn *c)
{
	bool leave = conn_must_leave(c);

	if (leave && !c->linger) {
		http_conn_free(c);
		return;
	}
	/* so that a client still sending finds the reply, not a reset */
	if (leave && c->port->tls == NULL)
		(void)shutdown(bufferevent_getfd(c->bev), SHUT_WR);
	conn_enter(c, leave ? PHASE_LINGER : PHASE_IDLE);
	conn_run(c);
}

/* ---- libevent's callbacks */

static void
on_read(struct bufferevent *bev, void *arg)
{
	conn_run(arg);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct http_conn *c = arg;

	if (c->phase == PHASE_WRITE && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		conn_replied(c);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct http_conn *c = arg;

	if ((what & BEV_EVENT_CONNECTED) != 0)
		return;
	c->eof = true;
	/* half closed: the client may still be reading its reply */
	if ((what & BEV_EVENT_EOF) != 0 && c->phase == PHASE_WRITE)
		return;
	http_conn_free(c);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;
	bool began = c->x != NULL || evbuffer_get_length(bufferevent_get_input(c->bev)) > 0;
	struct err err = ERR_INIT;

	if ((c->phase != PHASE_HEAD && c->phase != PHASE_BODY) || !began) {
		http_conn_free(c);
		return;
	}
	err_set(&err, ERR_TIMEOUT, "the request did not arrive in time");
	conn_refuse(c, 408, &err);
}

/* ---- birth */

static struct bufferevent *
open_bufferevent(struct http_port *port, int fd)
{
	struct event_base *base = port->server->base;
	int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
	struct bufferevent *bev;

	if (port->tls == NULL)
		return bufferevent_socket_new(base, fd, options);
	bev = bufferevent_openssl_socket_new(base, fd, tls_accept(port->tls),
	    BUFFEREVENT_SSL_ACCEPTING, options);
	if (bev != NULL)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

void
http_conn_new(struct http_port *port, int fd, const char *address)
{
	struct http_conn *c = xcalloc(1, sizeof(*c));
	int on = 1;

	if (!port->local) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	c->port = port;
	(void)str_copy(c->address, sizeof(c->address), address);
	c->bev = open_bufferevent(port, fd);
	c->deadline = evtimer_new(port->server->base, on_deadline, c);
	if (c->bev == NULL || c->deadline == NULL)
		bug("no bufferevent for descriptor %d", fd);
	DL_APPEND(port->conns, c);
	port->nconns++;
	conn_enter(c, PHASE_HEAD);
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	/* what a client sends ahead of its turn stays in the kernel */
	bufferevent_setwatermark(c->bev, EV_READ, 0, 4 * port->server->limits.head_bytes);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

const char *
http_request_header(const struct http_request *req, const char *name)
{
	return http1_header(&((const struct exchange *)req)->head, name);
}

size_t
http_request_header_count(const struct http_request *req, const char *name)
{
	return http1_header_count(&((const struct exchange *)req)->head, name);
}
