#include "lib/control/http_rest.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/util.h>
#include <utlist.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/control/http_auth.h"
#include "lib/control/http_rest_int.h"
#include "lib/control/metrics.h"
#include "lib/control/service.h"

/* Guessers at many addresses shall not fill the port by being made to wait. */
#define HELD_MAX 64

/* ---- refusals that wait, so that guessing passwords is slow */

static void
pending_free(struct http_pending *p)
{
	if (p->delay != NULL) {
		DL_DELETE(p->rest->held, p);
		p->rest->nheld--;
		event_free(p->delay);
	}
	free(p->refusal);
	free(p);
}

static void
release(struct http_pending *p)
{
	http_reply_error(p->req, 0, p->refusal, NULL);
	pending_free(p);
}

static void
on_delay_over(evutil_socket_t fd, short what, void *arg)
{
	release(arg);
}

static void
hold(struct http_rest *rest, struct http_request *req, const struct err *err, int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct http_pending *p = xcalloc(1, sizeof(*p));

	p->rest = rest;
	p->req = req;
	p->refusal = xmalloc(sizeof(*err));
	*p->refusal = *err;
	p->delay = evtimer_new(rest->base, on_delay_over, p);
	DL_APPEND(rest->held, p);
	rest->nheld++;
	evtimer_add(p->delay, &tv);
	req->user = p;
}

/* ---- what an answer is found again by */

#define REQUEST_ID_HEADER "x-peerdb-request-id"
#define REQUEST_ID_MAX	  64

/* The client's own, when it may stand in a header and a log; else a new one. */
static void
add_request_id(struct http_request *req)
{
	static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.";
	const char *given = http_request_header(req, REQUEST_ID_HEADER);
	unsigned char random[8] = { 0 };
	uint64_t id;

	if (given != NULL && given[0] != '\0' && strlen(given) <= REQUEST_ID_MAX &&
	    given[strspn(given, allowed)] == '\0') {
		http_reply_header(req, REQUEST_ID_HEADER, "%s", given);
		return;
	}
	evutil_secure_rng_get_bytes(random, sizeof(random));
	memcpy(&id, random, sizeof(id));
	http_reply_header(req, REQUEST_ID_HEADER, "%016llx", (unsigned long long)id);
}

/* ---- who may come in */

static bool
refuse_credentials(struct http_rest *rest, struct http_request *req, enum http_auth_verdict verdict,
    int delay_ms)
{
	struct err err = ERR_INIT;

	if (verdict == HTTP_AUTH_TOO_MANY) {
		err_set(&err, ERR_TOO_LARGE, "too many wrong passwords from this address");
		err_hint(&err, "wait half a minute");
		http_reply_header(req, "Retry-After", "%d",
		    (int)(HTTP_AUTH_WAIT_MAX / USEC_PER_SEC));
		http_reply_error(req, 429, &err, NULL);
		return false;
	}
	err_set(&err, ERR_UNAUTHENTICATED, "%s",
	    verdict == HTTP_AUTH_WRONG ? "the password is wrong" : "a password is needed");
	err_hint(&err,
	    "send HTTP Basic authentication with any user name, "
	    "or \"Authorization: Bearer\" and the password");
	http_reply_header(req, "WWW-Authenticate", "Basic realm=\"peerd\", charset=\"UTF-8\"");
	if (delay_ms > 0 && rest->nheld < HELD_MAX)
		hold(rest, req, &err, delay_ms);
	else
		http_reply_error(req, 0, &err, NULL);
	return false;
}

static bool
check_credentials(struct http_rest *rest, struct http_request *req)
{
	enum http_auth_verdict verdict;
	int delay_ms;

	if (req->local)
		return true;
	verdict = http_auth_check(rest->auth, req->address,
	    http_request_header(req, "Authorization"),
	    http_request_header_count(req, "Authorization"), clock_mono_us(), &delay_ms);
	return verdict == HTTP_AUTH_OK || refuse_credentials(rest, req, verdict, delay_ms);
}

static bool
is_own_name(struct arena *a, const char *host)
{
	char *name = arena_strdup(a, host), *end;
	struct in_addr v4;

	if (name[0] == '[')
		return true; /* an IPv6 address */
	end = strrchr(name, ':');
	if (end != NULL)
		*end = '\0';
	return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &v4) == 1;
}

/*
 * A web page elsewhere must not reach peerd through the browser of somebody
 * on this machine: neither as itself, nor, where no password protects, under a
 * name of its own that it makes lead here.
 */
static bool
check_origin(const struct http_rest *rest, struct http_request *req)
{
	const char *origin = http_request_header(req, "Origin");
	const char *host = http_request_header(req, "Host"), *name;
	struct err err = ERR_INIT;

	if (req->local || host == NULL)
		return true;
	name = origin != NULL ? strstr(origin, "://") : NULL;
	if (origin != NULL && (name == NULL || strcasecmp(name + 3, host) != 0)) {
		err_set(&err, ERR_UNAUTHENTICATED, "requests from other web sites are refused");
		http_reply_error(req, 403, &err, NULL);
		return false;
	}
	if (!http_auth_needed(rest->auth) && !is_own_name(req->arena, host)) {
		err_set(&err, ERR_UNAUTHENTICATED,
		    "without a password peerd answers to localhost only");
		err_hint(&err, "set PEERD_PASSWORD, or use http://localhost");
		http_reply_error(req, 403, &err, NULL);
		return false;
	}
	return true;
}

static bool
refuse_method(struct http_request *req, const char *allow)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_UNIMPLEMENTED, "this path does not take %s", req->method);
	err_hint(&err, "use %s", allow);
	http_reply_header(req, "Allow", "%s", allow);
	http_reply_error(req, 405, &err, NULL);
	return false;
}

static bool
refuse_path(struct http_request *req)
{
	const char *nearest = http_route_nearest(req->path);
	struct err err = ERR_INIT;

	err_set(&err, ERR_NOT_FOUND, "there is nothing at this path");
	if (nearest != NULL)
		err_hint(&err, "did you mean /api/v1%s?", nearest);
	else
		err_hint(&err, "the API is at /api/v1, for example /api/v1/mirrors/list");
	http_reply_error(req, 0, &err, NULL);
	return false;
}

static bool
admit_page(struct http_rest *rest, const struct http_page *page, struct http_request *req)
{
	if (!page->is_open(rest) && !check_credentials(rest, req))
		return false;
	if (strcmp(req->method, "GET") != 0 && strcmp(req->method, "HEAD") != 0)
		return refuse_method(req, "GET, HEAD");
	return true;
}

static bool
on_admit(void *arg, struct http_request *req)
{
	const struct http_page *page = http_page_find(req->path);
	struct http_rest *rest = arg;
	struct http_match match;

	add_request_id(req);
	if (page != NULL)
		return admit_page(rest, page, req);
	if (!check_credentials(rest, req) || !check_origin(rest, req))
		return false;
	http_route_match(req->method, req->path, &match);
	if (match.route != NULL)
		return true;
	return match.allow[0] != '\0' ? refuse_method(req, match.allow) : refuse_path(req);
}

static void
on_serve(void *arg, struct http_request *req)
{
	const struct http_page *page = http_page_find(req->path);
	struct http_rest *rest = arg;
	struct http_match match;

	if (page != NULL) {
		page->serve(rest, req);
		return;
	}
	http_route_match(req->method, req->path, &match);
	http_call_serve(rest, req, &match);
}

static void
on_gone(void *arg, struct http_request *req)
{
	struct http_pending *p = req->user;

	if (p == NULL)
		return;
	rpc_abandon(&p->call);
	pending_free(p);
}

/* Before admit, when the head could not be read, or after it, when the body could not. */
static void
on_refuse(void *arg, struct http_request *req, int status, const struct err *err)
{
	if (req->method[0] == '\0')
		add_request_id(req);
	http_reply_error(req, status, err, NULL);
}

/* ---- life */

static bool
listen_at_all(struct http_rest *rest, const struct http_rest_options *o, struct err *err)
{
	if (o->socket_path != NULL && !http_server_listen_unix(rest->server, o->socket_path, err))
		return false;
	if (o->listen == NULL)
		return true;
	if (!http_server_listen_tcp(rest->server, o->listen, o->tls, err))
		return false;
	if (http_auth_needed(rest->auth) || http_server_is_loopback(rest->server))
		return true;
	err_set(err, ERR_CONFIG, "refusing to listen on %s without a password", o->listen);
	return err_hint(err, "set PEERD_PASSWORD or --password-file, or listen on 127.0.0.1");
}

bool
http_rest_new(const struct http_rest_options *options, struct http_rest **rest_r, struct err *err)
{
	struct http_rest *rest = xcalloc(1, sizeof(*rest));
	const struct http_handler handler = {
		.admit = on_admit,
		.serve = on_serve,
		.gone = on_gone,
		.refuse = on_refuse,
		.arg = rest,
	};

	rest->base = options->base;
	rest->svc = options->svc;
	rest->metrics = options->metrics;
	rest->open_metrics = options->open_metrics;
	rest->auth = http_auth_new(options->password);
	rest->server = http_server_new(options->base, &handler, options->limits);
	metrics_registry_add(rest->metrics, metrics_of_http, rest->server);
	if (!listen_at_all(rest, options, err)) {
		http_rest_free(&rest);
		return false;
	}
	*rest_r = rest;
	return true;
}

void
http_rest_stop(struct http_rest *rest, void (*on_quiet)(void *arg), void *arg)
{
	struct http_pending *p, *next;

	DL_FOREACH_SAFE(rest->held, p, next)
	release(p);
	http_server_quiesce(rest->server, on_quiet, arg);
}

void
http_rest_free(struct http_rest **rest)
{
	if (*rest == NULL)
		return;
	metrics_registry_remove((*rest)->metrics, metrics_of_http, (*rest)->server);
	http_server_free(&(*rest)->server);
	http_auth_free(&(*rest)->auth);
	MEM_FREE(*rest);
}

uint16_t
http_rest_port(const struct http_rest *rest)
{
	return http_server_port(rest->server);
}
