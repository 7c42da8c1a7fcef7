/*
 * request - one request of ClickHouse's HTTP interface, answered by the engine
 *
 *	/ping					"Ok."
 *	/?query=...&database=...&SETTING=...	a statement; POST to change anything
 *
 * Statement and rows are the parameter `query` followed by the body. Who asks
 * is told by X-ClickHouse-User and -Key, basic authorization or the URL. What
 * this server does not do, although ClickHouse would (sessions, the native
 * compression of `compress` and `decompress`), it refuses with NOT_IMPLEMENTED.
 */
#ifndef PEERD_CHDBD_REQUEST_H
#define PEERD_CHDBD_REQUEST_H

#include <stdbool.h>

struct http;
struct http_request;

/* Two users of one password: who may do everything, and who may only read. */
struct users {
	const char *owner;
	const char *reader;
	const char *password;
};

/* false: the connection is of no more use */
bool request_serve(struct http *h, const struct http_request *r, const struct users *users);

#endif
