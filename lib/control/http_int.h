/*
 * http_int - what http_server.c (listeners) and http_conn.c (one connection) share
 *
 * A connection belongs to its port and is in the port's list from accept to
 * http_conn_free(). It holds at most one request.
 */
#ifndef PEERD_CONTROL_HTTP_INT_H
#define PEERD_CONTROL_HTTP_INT_H

#include <event2/event.h>
#include <event2/listener.h>

#include "lib/control/http_server.h"
#include "lib/control/listen.h"

struct http_conn;

/* A kind of way in: its listeners, and its connections with their own ceiling. */
struct http_port {
	struct http_server *server;
	struct evconnlistener *listeners[LISTEN_MAX];
	size_t nlisteners;
	uint16_t number;	 /* TCP */
	bool local;		 /* the Unix socket */
	struct tls_context *tls; /* NULL: plain */
	struct http_conn *conns;
	unsigned nconns;
	bool paused; /* full: the kernel queues newcomers */
};

#define HTTP_STATUS_MIN 100
#define HTTP_STATUS_END 600

struct http_server {
	struct event_base *base;
	struct http_handler handler;
	struct http_limits limits;
	struct http_port tcp;
	struct http_port unix_socket;
	char *socket_path;
	bool loopback;
	bool quiescing;
	struct event *quiet; /* made active when the last connection is gone */
	void (*on_quiet)(void *arg);
	void *quiet_arg;
	uint64_t statuses[HTTP_STATUS_END - HTTP_STATUS_MIN];
};

/* Takes over fd. address: see struct http_request; copied. */
void http_conn_new(struct http_port *port, int fd, const char *address);
void http_conn_free(struct http_conn *c); /* tells the handler of a request that dies with it */

/* The next in the port's list. */
struct http_conn *http_conn_next(const struct http_conn *c);
bool http_conn_is_idle(const struct http_conn *c);     /* between two requests */
bool http_conn_has_request(const struct http_conn *c); /* being read, served or answered */
int64_t http_conn_since(const struct http_conn *c);    /* when its phase began, clock_mono_us */

/* Called by a connection once it is out of the list. */
void http_port_on_freed(struct http_port *port);

#endif
