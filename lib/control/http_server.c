#include "lib/control/http_server.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/control/http_int.h"

const struct http_limits http_limits_default = {
	.head_bytes = 16 * KIB,
	.body_bytes = HTTP_BODY_MAX,
	.connections = 256,
	.head_ms = 10 * 1000,
	.body_ms = 60 * 1000,
	.write_ms = 60 * 1000,
	.idle_ms = 75 * 1000,
	.linger_ms = 2 * 1000,
};

static void
on_quiet(evutil_socket_t fd, short what, void *arg)
{
	struct http_server *s = arg;

	if (s->on_quiet != NULL)
		s->on_quiet(s->quiet_arg);
}

struct http_server *
http_server_new(struct event_base *base, const struct http_handler *handler,
    const struct http_limits *limits)
{
	struct http_server *s = xcalloc(1, sizeof(*s));

	s->base = base;
	s->handler = *handler;
	s->limits = limits != NULL ? *limits : http_limits_default;
	s->tcp.server = s;
	s->unix_socket.server = s;
	s->unix_socket.local = true;
	s->loopback = true;
	s->quiet = event_new(base, -1, 0, on_quiet, s);
	return s;
}

/* ---- room for newcomers */

static void
port_pause(struct http_port *port, bool pause)
{
	if (port->paused == pause)
		return;
	port->paused = pause;
	for (size_t i = 0; i < port->nlisteners; i++)
		pause ? evconnlistener_disable(port->listeners[i])
		      : evconnlistener_enable(port->listeners[i]);
}

static struct http_conn *
longest_idle(const struct http_port *port)
{
	struct http_conn *found = NULL;

	for (struct http_conn *c = port->conns; c != NULL; c = http_conn_next(c))
		if (http_conn_is_idle(c) &&
		    (found == NULL || http_conn_since(c) < http_conn_since(found)))
			found = c;
	return found;
}

/* Full: somebody idle leaves, or the next one waits outside. */
static void
port_make_room(struct http_port *port)
{
	struct http_conn *idle;

	if (port->nconns < port->server->limits.connections)
		return;
	idle = longest_idle(port);
	if (idle != NULL)
		http_conn_free(idle);
	else
		port_pause(port, true);
}

void
http_port_on_freed(struct http_port *port)
{
	struct http_server *s = port->server;

	if (s->quiescing && http_server_connections(s) == 0)
		event_active(s->quiet, EV_TIMEOUT, 0);
	if (!s->quiescing && port->nconns < s->limits.connections)
		port_pause(port, false);
}

/* ---- accepting */

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa, int len,
    void *arg)
{
	struct http_port *port = arg;
	char address[NI_MAXHOST] = "";

	if (!port->local)
		(void)getnameinfo(sa, (socklen_t)len, address, sizeof(address), NULL, 0,
		    NI_NUMERICHOST);
	http_conn_new(port, fd, address);
	port_make_room(port);
}

/* Out of descriptors, most likely: stop accepting until a connection ends. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct http_port *port = arg;

	if (port->nconns > 0)
		port_pause(port, true);
}

static void
port_listen(struct http_port *port, int fd)
{
	struct evconnlistener *listener;

	listener = evconnlistener_new(port->server->base, on_accept, port,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (listener == NULL)
		bug("no listener for descriptor %d", fd);
	evconnlistener_set_error_cb(listener, on_accept_error);
	port->listeners[port->nlisteners++] = listener;
}

bool
http_server_listen_tcp(struct http_server *s, const char *where, struct tls_context *tls,
    struct err *err)
{
	struct listen_set set;

	if (!listen_tcp(where, &set, err))
		return false;
	s->tcp.tls = tls;
	s->tcp.number = set.port;
	s->loopback = set.loopback;
	for (size_t i = 0; i < set.n; i++)
		port_listen(&s->tcp, set.fds[i]);
	return true;
}

bool
http_server_listen_unix(struct http_server *s, const char *path, struct err *err)
{
	int fd;

	if (!listen_unix(path, &fd, err))
		return false;
	s->socket_path = xstrdup(path);
	port_listen(&s->unix_socket, fd);
	return true;
}

uint16_t
http_server_port(const struct http_server *s)
{
	return s->tcp.number;
}

bool
http_server_is_loopback(const struct http_server *s)
{
	return s->loopback;
}

/* ---- leaving */

static void
port_close_listeners(struct http_port *port)
{
	for (size_t i = 0; i < port->nlisteners; i++)
		evconnlistener_free(port->listeners[i]);
	port->nlisteners = 0;
}

static void
port_close_conns(struct http_port *port, bool with_request)
{
	struct http_conn *c, *next;

	for (c = port->conns; c != NULL; c = next) {
		next = http_conn_next(c);
		if (with_request || !http_conn_has_request(c))
			http_conn_free(c);
	}
}

void
http_server_quiesce(struct http_server *s, void (*done)(void *arg), void *arg)
{
	if (s->quiescing)
		return;
	s->quiescing = true;
	s->on_quiet = done;
	s->quiet_arg = arg;
	port_close_listeners(&s->tcp);
	port_close_listeners(&s->unix_socket);
	if (s->socket_path != NULL)
		(void)unlink(s->socket_path);
	MEM_FREE(s->socket_path);
	if (http_server_connections(s) == 0)
		event_active(s->quiet, EV_TIMEOUT, 0);
	port_close_conns(&s->tcp, false);
	port_close_conns(&s->unix_socket, false);
}

void
http_server_free(struct http_server **s)
{
	if (*s == NULL)
		return;
	http_server_quiesce(*s, NULL, NULL);
	port_close_conns(&(*s)->tcp, true);
	port_close_conns(&(*s)->unix_socket, true);
	event_free((*s)->quiet);
	MEM_FREE(*s);
}

/* ---- what metrics show */

unsigned
http_server_connections(const struct http_server *s)
{
	return s->tcp.nconns + s->unix_socket.nconns;
}

void
http_server_each_status(const struct http_server *s,
    void (*fn)(void *arg, int status, uint64_t count), void *arg)
{
	for (int i = 0; i < HTTP_STATUS_END - HTTP_STATUS_MIN; i++)
		if (s->statuses[i] > 0)
			fn(arg, i + HTTP_STATUS_MIN, s->statuses[i]);
}
