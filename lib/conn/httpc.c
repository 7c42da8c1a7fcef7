#include "lib/conn/httpc.h"

#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/httpc_int.h"
#include "lib/conn/pgconn.h"

#define HEADER_MAX	(64 * KIB)
#define STALL_BYTES	1L /* a second, on average */
#define WAIT_MS		1000
#define KEEPALIVE_S	30L
#define CONNECTIONS_MAX 16L /* kept while idle */

/* ---- the body out, the answer in: what libcurl calls */

static size_t
on_read(char *to, size_t size, size_t n, void *arg)
{
	struct httpc_request *rq = arg;
	size_t room = size * n, used = 0, take;

	while (rq->slice < rq->nbody && used < room) {
		take = rq->body[rq->slice].n - rq->offset;
		if (take > room - used)
			take = room - used;
		if (take > 0)
			memcpy(to + used, rq->body[rq->slice].p + rq->offset, take);
		used += take;
		rq->offset += take;
		if (rq->offset == rq->body[rq->slice].n) {
			rq->slice++;
			rq->offset = 0;
		}
	}
	return used;
}

/* Back to the beginning, for a request that is sent again. */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
	struct httpc_request *rq = arg;

	if (offset != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	rq->slice = rq->offset = 0;
	return CURL_SEEKFUNC_OK;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct httpc_request *rq = arg;

	buf_add(&rq->answer.body, p, size * n);
	return buf_overflowed(&rq->answer.body) ? 0 : size * n;
}

/* Lines come one by one, each answer's status line first ("100 Continue" is one too). */
static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct httpc_request *rq = arg;
	size_t len = size * n;

	if (len >= 5 && memcmp(p, "HTTP/", 5) == 0) {
		buf_reset(&rq->answer.header);
		return len;
	}
	while (len > 0 && (p[len - 1] == '\n' || p[len - 1] == '\r'))
		len--;
	if (len > 0) {
		buf_add(&rq->answer.header, p, len);
		buf_char(&rq->answer.header, '\0');
	}
	return buf_overflowed(&rq->answer.header) ? 0 : size * n;
}

/* ---- a request */

static void
set_body(CURL *e, struct httpc_request *rq)
{
	curl_off_t total = 0;

	for (size_t i = 0; i < rq->nbody; i++)
		total += (curl_off_t)rq->body[i].n;
	curl_easy_setopt(e, CURLOPT_POST, 1L);
	curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, total);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(e, CURLOPT_READDATA, rq);
	curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(e, CURLOPT_SEEKDATA, rq);
}

static void
set_answer(CURL *e, struct httpc_request *rq)
{
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, rq);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, rq);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, rq->why);
	curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip"); /* in every libcurl and server */
}

static void
set_connection(CURL *e, const struct httpc *h)
{
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S / 3);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(h->connect_timeout / USEC_PER_MSEC));
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)(h->stall_timeout / USEC_PER_SEC));
	curl_easy_setopt(e, CURLOPT_CONNECT_TO, h->connect_to);
}

static void
set_pem(CURL *e, CURLoption file, CURLoption blob, bool is_file, const char *text)
{
	struct curl_blob pem = { .flags = CURL_BLOB_NOCOPY };

	if (text == NULL)
		return;
	if (is_file) {
		curl_easy_setopt(e, file, text);
		return;
	}
	pem.data = (void *)(uintptr_t)text;
	pem.len = strlen(text);
	curl_easy_setopt(e, blob, &pem);
}

static void
set_tls(CURL *e, const struct httpc *h)
{
	set_pem(e, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, h->files, h->certificate);
	set_pem(e, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB, h->files, h->private_key);
	set_pem(e, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB, h->files, h->root_ca);
}

static struct httpc_request *
request_new(struct httpc *h, const struct httpc_post *post)
{
	struct httpc_request *rq = xcalloc(1, sizeof(*rq));
	char *url = xasprintf("%s%s", h->origin, post->target);

	rq->h = h;
	rq->body = post->body;
	rq->nbody = post->nbody;
	rq->easy = curl_easy_init();
	if (rq->easy == NULL)
		bug("libcurl gives no handle");
	buf_init(&rq->answer.body, post->answer_max);
	buf_init(&rq->answer.header, HEADER_MAX);
	if (post->header != NULL) {
		rq->own_header = (struct curl_slist){ .next = h->headers };
		rq->own_header.data = (char *)(uintptr_t)post->header;
	}
	curl_easy_setopt(rq->easy, CURLOPT_URL, url);
	curl_easy_setopt(rq->easy, CURLOPT_PRIVATE, rq);
	curl_easy_setopt(rq->easy, CURLOPT_USERAGENT, h->user_agent);
	curl_easy_setopt(rq->easy, CURLOPT_HTTPHEADER,
	    post->header != NULL ? &rq->own_header : h->headers);
	set_connection(rq->easy, h);
	set_tls(rq->easy, h);
	set_body(rq->easy, rq);
	set_answer(rq->easy, rq);
	free(url);
	return rq;
}

static void
request_free(struct httpc_request *rq)
{
	if (rq->easy != NULL)
		curl_easy_cleanup(rq->easy);
	httpc_answer_done(&rq->answer);
	free(rq);
}

/* Take the handle from its multi and see what came of it. */
static void
request_end(struct httpc_request *rq, CURLM *multi, CURLcode code, struct err *err)
{
	long status = 0;

	curl_easy_getinfo(rq->easy, CURLINFO_RESPONSE_CODE, &status);
	rq->answer.status = (int)status;
	if (code != CURLE_OK)
		httpc_error(rq, code, err);
	curl_multi_remove_handle(multi, rq->easy);
	curl_easy_cleanup(rq->easy);
	rq->easy = NULL;
}

/* ---- the end */

static void
free_secret(char *text)
{
	if (text != NULL)
		mem_wipe(text, strlen(text));
	free(text);
}

static void
destroy(struct httpc *h)
{
	if (h->loop != NULL) {
		curl_multi_cleanup(h->multi);
		event_free(h->timer);
	}
	curl_multi_cleanup(h->waiting);
	for (struct curl_slist *s = h->headers; s != NULL; s = s->next)
		mem_wipe(s->data, strlen(s->data));
	curl_slist_free_all(h->headers);
	curl_slist_free_all(h->connect_to);
	free_secret(h->certificate);
	free_secret(h->private_key);
	free_secret(h->root_ca);
	free(h->origin);
	free(h->address);
	free(h->user_agent);
	free(h);
	curl_global_cleanup();
}

void
httpc_free(struct httpc **hp)
{
	struct httpc *h = *hp;
	struct httpc_request *rq;

	*hp = NULL;
	if (h == NULL)
		return;
	while ((rq = LIST_FIRST(&h->requests)) != NULL)
		httpc_cancel(&rq);
	if (h->delivering)
		h->doomed = true; /* deliver() is still at it */
	else
		destroy(h);
}

/* ---- from the event loop */

/* done() may send, cancel others and free the whole. */
static void
deliver(struct httpc *h)
{
	struct httpc_request *rq;
	struct err err;
	CURLMsg *msg;
	int left;

	h->delivering = true;
	while (!h->doomed && (msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &rq);
		LIST_REMOVE(rq, entry);
		err_clear(&err);
		request_end(rq, h->multi, msg->data.result, &err);
		rq->done(rq->arg, &rq->answer, err.code != ERR_NONE ? &err : NULL);
		request_free(rq);
	}
	h->delivering = false;
	if (h->doomed)
		destroy(h);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	int action = (what & EV_READ ? CURL_CSELECT_IN : 0) |
	    (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	struct httpc *h = arg;
	int running;

	curl_multi_socket_action(h->multi, fd, action, &running);
	deliver(h);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct httpc *h = arg;
	int running;

	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	deliver(h);
}

/* libcurl wants a socket watched, differently watched, or not any more. */
static int
on_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct event *ev = socket_arg;
	struct httpc *h = arg;
	short events = EV_PERSIST;

	if (ev != NULL)
		event_free(ev);
	ev = NULL;
	if (what != CURL_POLL_REMOVE) {
		events |= what != CURL_POLL_OUT ? EV_READ : 0;
		events |= what != CURL_POLL_IN ? EV_WRITE : 0;
		ev = event_new(h->loop, fd, events, on_event, h);
		event_add(ev, NULL);
	}
	curl_multi_assign(h->multi, fd, ev);
	return 0;
}

static int
on_set_timer(CURLM *multi, long ms, void *arg)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct httpc *h = arg;

	if (ms < 0)
		event_del(h->timer);
	else
		event_add(h->timer, &tv);
	return 0;
}

struct httpc_request *
httpc_send(struct httpc *h, const struct httpc_post *post, httpc_done_fn *done, void *arg)
{
	struct httpc_request *rq = request_new(h, post);

	rq->done = done;
	rq->arg = arg;
	LIST_INSERT_HEAD(&h->requests, rq, entry);
	curl_multi_add_handle(h->multi, rq->easy);
	return rq;
}

void
httpc_cancel(struct httpc_request **rq)
{
	if (*rq == NULL)
		return;
	LIST_REMOVE(*rq, entry);
	curl_multi_remove_handle((*rq)->h->multi, (*rq)->easy);
	request_free(*rq);
	*rq = NULL;
}

/* ---- waiting */

static bool
interrupted(const struct pgconn_interrupt *intr, const struct curl_waitfd *wake, struct err *err)
{
	if (wake->revents == 0 || intr->check(intr->arg))
		return false;
	err_set(err, ERR_CANCELLED, "asked to stop");
	return true;
}

/* Until the one transfer of h->waiting is through; false: we were told to stop. */
static bool
wait_through(struct httpc *h, struct err *err)
{
	struct curl_waitfd wake = { .fd = -1, .events = CURL_WAIT_POLLIN };
	int running = 0;

	if (h->intr != NULL)
		wake.fd = h->intr->fd;
	for (;;) {
		curl_multi_perform(h->waiting, &running);
		if (running == 0)
			return true;
		wake.revents = 0;
		curl_multi_poll(h->waiting, &wake, wake.fd >= 0 ? 1 : 0, WAIT_MS, NULL);
		if (interrupted(h->intr, &wake, err))
			return false;
	}
}

bool
httpc_call(struct httpc *h, const struct httpc_post *post, struct httpc_answer *answer_r,
    struct err *err)
{
	struct httpc_request *rq = request_new(h, post);
	CURLcode code = CURLE_OK;
	struct err why = ERR_INIT;
	CURLMsg *msg;
	int left;

	curl_multi_add_handle(h->waiting, rq->easy);
	if (wait_through(h, &why)) {
		msg = curl_multi_info_read(h->waiting, &left);
		code = msg != NULL ? msg->data.result : CURLE_RECV_ERROR;
	}
	request_end(rq, h->waiting, code, &why);
	*answer_r = rq->answer;
	rq->answer = (struct httpc_answer){ .status = 0 };
	request_free(rq);
	if (why.code == ERR_NONE)
		return true;
	*err = why;
	return false;
}

/* ---- answers */

void
httpc_answer_done(struct httpc_answer *answer)
{
	buf_done(&answer->body);
	buf_done(&answer->header);
}

const char *
httpc_header(const struct httpc_answer *answer, const char *name)
{
	const char *line = buf_str(&answer->header), *end = line + answer->header.n;
	const char *found = NULL;
	size_t n = strlen(name);

	for (; line < end; line += strlen(line) + 1)
		if (strncasecmp(line, name, n) == 0 && line[n] == ':')
			found = line + n + 1 + strspn(line + n + 1, " \t");
	return found;
}

void
httpc_encode(struct buf *to, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	size_t n;

	while (*text != '\0') {
		n = strspn(text, plain);
		buf_add(to, text, n);
		text += n;
		if (*text != '\0')
			buf_printf(to, "%%%02X", (unsigned char)*text++);
	}
}

/* ---- opening and closing */

static CURLM *
multi_new(void)
{
	CURLM *multi = curl_multi_init();

	if (multi == NULL)
		bug("libcurl gives no handle");
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
	return multi;
}

static void
join_loop(struct httpc *h, struct event_base *loop)
{
	h->loop = loop;
	h->multi = multi_new();
	h->timer = evtimer_new(loop, on_timer, h);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
}

/* An IPv6 address stands in brackets in a URL. */
static char *
in_url(const char *host)
{
	return strchr(host, ':') != NULL && host[0] != '[' ? xasprintf("[%s]", host)
							   : xstrdup(host);
}

/* The certificate's name becomes the URL's host; the address to dial is told beside it. */
static void
set_address(struct httpc *h, const struct httpc_config *cfg)
{
	bool other = cfg->tls.name != NULL && cfg->tls.name[0] != '\0' && cfg->https;
	char *host = in_url(cfg->host), *name = in_url(other ? cfg->tls.name : cfg->host), *map;

	h->origin = xasprintf("http%s://%s:%u", cfg->https ? "s" : "", name, cfg->port);
	if (other) {
		map = xasprintf("%s:%u:%s:%u", name, cfg->port, host, cfg->port);
		h->connect_to = curl_slist_append(NULL, map);
		free(map);
	}
	h->address = xasprintf("%s:%u", host, cfg->port);
	free(host);
	free(name);
}

static char *
dup_text(const char *s)
{
	return s != NULL && s[0] != '\0' ? xstrdup(s) : NULL;
}

bool
httpc_new(const struct httpc_config *cfg, struct httpc **h_r, struct err *err)
{
	struct httpc *h;

	if (strpbrk(cfg->host, "/?#@ \t\r\n") != NULL || cfg->host[0] == '\0')
		return err_set(err, ERR_CONFIG, "\"%s\" is not a host name", cfg->host);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	h = xcalloc(1, sizeof(*h));
	LIST_INIT(&h->requests);
	set_address(h, cfg);
	h->user_agent = xstrdup(cfg->user_agent);
	h->files = cfg->tls.files;
	h->certificate = dup_text(cfg->tls.certificate);
	h->private_key = dup_text(cfg->tls.private_key);
	h->root_ca = dup_text(cfg->tls.root_ca);
	h->connect_timeout = cfg->connect_timeout;
	h->stall_timeout = cfg->stall_timeout;
	h->intr = cfg->intr;
	/* nothing is gained from asking first whether a body is welcome */
	h->headers = curl_slist_append(NULL, "Expect:");
	h->headers = curl_slist_append(h->headers, "Content-Type: application/octet-stream");
	for (size_t i = 0; cfg->headers != NULL && cfg->headers[i] != NULL; i++)
		h->headers = curl_slist_append(h->headers, cfg->headers[i]);
	h->waiting = multi_new();
	if (cfg->loop != NULL)
		join_loop(h, cfg->loop);
	*h_r = h;
	return true;
}
