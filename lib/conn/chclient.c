#include "lib/conn/chclient.h"

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/chclient_int.h"
#include "lib/conn/chparams.h"

#define CONNECT_TIMEOUT (10 * USEC_PER_SEC)
#define STALL_TIMEOUT	(300 * USEC_PER_SEC)
#define STATEMENT_MAX	(16 * MIB)

/* ---- requests that wait */

/* text_r: of the answer, the caller's buffer from here on; NULL: not wanted. */
static bool
call(struct chclient *c, const struct ch_post *post, struct buf *text_r, struct err *err)
{
	struct err why = ERR_INIT;
	struct httpc_answer http;
	struct ch_answer answer;
	struct chpost p;
	bool ok;

	chpost_build(&p, c, post);
	ok = httpc_call(c->http, &p.http, &http, &why);
	ok = chanswer_read(&p, &http, ok ? NULL : &why, &answer, err);
	if (ok && text_r != NULL) {
		*text_r = http.body;
		http.body = (struct buf){ .max = 0 };
	}
	httpc_answer_done(&http);
	chpost_done(&p);
	return ok;
}

bool
chclient_insert(struct chclient *c, const struct ch_post *post, struct err *err)
{
	return call(c, post, NULL, err);
}

bool
chclient_query(struct chclient *c, struct arena *a, const char *sql, struct ch_rows *rows_r,
    struct err *err)
{
	char *formatted = xasprintf("%s\nFORMAT TabSeparated", sql);
	struct ch_post post = { .sql = formatted };
	struct buf text;
	bool ok = call(c, &post, &text, err);

	free(formatted);
	if (!ok)
		return false;
	ok = ch_rows_parse(a, buf_slice(&text), rows_r, err);
	buf_done(&text);
	return ok;
}

bool
chclient_run(struct chclient *c, struct err *err, const char *fmt, ...)
{
	struct ch_post post = { .settings = NULL };
	struct buf sql;
	va_list ap;
	bool ok;

	buf_init(&sql, STATEMENT_MAX);
	va_start(ap, fmt);
	buf_vprintf(&sql, fmt, ap);
	va_end(ap);
	post.sql = buf_str(&sql);
	ok = buf_overflowed(&sql)
	    ? err_set(err, ERR_TOO_LARGE, "a statement of more than %u bytes", STATEMENT_MAX)
	    : call(c, &post, NULL, err);
	buf_done(&sql);
	return ok;
}

/* ---- requests that do not */

struct chclient_request {
	LIST_ENTRY(chclient_request) entry;
	struct chclient *c;
	struct httpc_request *http;
	struct chpost post;
	chclient_done_fn *done;
	void *arg;
};

static void
request_free(struct chclient_request *rq)
{
	LIST_REMOVE(rq, entry);
	chpost_done(&rq->post);
	free(rq);
}

static void
on_done(void *arg, const struct httpc_answer *http, const struct err *http_err)
{
	struct chclient_request *rq = arg;
	chclient_done_fn *done = rq->done;
	void *done_arg = rq->arg;
	struct ch_answer answer = { .has_written = false };
	struct err err = ERR_INIT;

	(void)chanswer_read(&rq->post, http, http_err, &answer, &err);
	request_free(rq);
	done(done_arg, &answer, err.code != ERR_NONE ? &err : NULL);
}

struct chclient_request *
chclient_send(struct chclient *c, const struct ch_post *post, chclient_done_fn *done, void *arg)
{
	struct chclient_request *rq = xcalloc(1, sizeof(*rq));

	rq->c = c;
	rq->done = done;
	rq->arg = arg;
	chpost_build(&rq->post, c, post);
	LIST_INSERT_HEAD(&c->requests, rq, entry);
	rq->http = httpc_send(c->http, &rq->post.http, on_done, rq);
	return rq;
}

void
chclient_cancel(struct chclient_request **rq)
{
	if (*rq == NULL)
		return;
	httpc_cancel(&(*rq)->http);
	request_free(*rq);
	*rq = NULL;
}

/* ---- opening and closing */

static usec_t
or_default(usec_t given, usec_t usual)
{
	return given > 0 ? given : usual;
}

static bool
make_http(struct chclient *c, const struct chclient_config *cfg, struct err *err)
{
	struct chparams params;
	bool ok = chparams_build(&params, cfg->peer, err);

	params.http.loop = cfg->loop;
	params.http.intr = cfg->intr;
	params.http.user_agent = cfg->what;
	params.http.connect_timeout = or_default(cfg->connect_timeout, CONNECT_TIMEOUT);
	params.http.stall_timeout = or_default(cfg->stall_timeout, STALL_TIMEOUT);
	ok = ok && httpc_new(&params.http, &c->http, err);
	c->compress = params.compress;
	chparams_done(&params);
	return ok;
}

/* A server that answers in another language closes the connection, or waits. */
static void
hint_at_port(struct err *err)
{
	if (err->code == ERR_TRANSIENT || err->code == ERR_TIMEOUT)
		err_hint(err,
		    "check the peer's host and port, and that both sides speak TLS or neither"
		    " (disable_tls; the usual ports are 8443 with TLS, 8123 without)");
}

static bool
ask_version(struct chclient *c, struct err *err)
{
	struct arena *a = arena_new(KIB);
	struct ch_rows rows;
	bool ok = chclient_query(c, a, "SELECT version()", &rows, err);

	if (!ok)
		hint_at_port(err);
	else if (rows.nrows != 1)
		ok = err_set(err, ERR_PROTOCOL, "the server does not tell its version");
	else
		ok = ch_caps_of(ch_cell_str(&rows, 0, 0), &c->caps, err);
	arena_free(&a);
	return ok;
}

bool
chclient_open(const struct chclient_config *cfg, struct chclient **c_r, struct err *err)
{
	struct chclient *c = xcalloc(1, sizeof(*c));

	LIST_INIT(&c->requests);
	/* the database is named from the second request on: it may not be there */
	if (!make_http(c, cfg, err) || !ask_version(c, err)) {
		chclient_close(&c);
		return false;
	}
	c->database = xstrdup(cfg->peer->database[0] != '\0' ? cfg->peer->database : "default");
	*c_r = c;
	return true;
}

void
chclient_close(struct chclient **cp)
{
	struct chclient *c = *cp;
	struct chclient_request *rq;

	*cp = NULL;
	if (c == NULL)
		return;
	while ((rq = LIST_FIRST(&c->requests)) != NULL)
		chclient_cancel(&rq);
	httpc_free(&c->http);
	free(c->database);
	free(c);
}

const struct ch_caps *
chclient_caps(const struct chclient *c)
{
	return &c->caps;
}

const char *
chclient_database(const struct chclient *c)
{
	return c->database;
}
