/*
 * A post on its way out and its answer on its way in.
 *
 *	POST /?database=D&wait_end_of_query=1&SETTING=VALUE...[&query=INSERT ...]
 *	[statement and line break] [data]
 *
 * The statement of an insert travels in the URL, but in front of the data when
 * it is long: servers limit the URL, 18.16 to 16 KiB.
 *
 * Old servers take a connection's end for the body's, and half a body for a
 * whole one. The frame of gzip has an end of its own, so they get all bodies in
 * it, be it just for that.
 */
#include <inttypes.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conn/chclient_int.h"

#define TARGET_MAX MIB
#define SQL_IN_URL (4 * KIB) /* three times as long when encoded, at worst */
#define ANSWER_MAX (64 * MIB)
#define PACK_MIN   (4 * KIB) /* less is not worth compressing */

/* ---- out */

static void
add_param(struct buf *to, const char *name, const char *value)
{
	buf_char(to, '&');
	buf_str_add(to, name);
	buf_char(to, '=');
	httpc_encode(to, value);
}

static char *
build_target(const struct chclient *c, const struct ch_post *post, bool sql_in_url)
{
	struct buf to;

	buf_init(&to, TARGET_MAX);
	buf_str_add(&to, "/?wait_end_of_query=1");
	if (c->database != NULL)
		add_param(&to, "database", c->database);
	if (c->compress && post->large_answer)
		add_param(&to, "enable_http_compression", "1");
	if (post->nbody > 0 && c->caps.async_insert)
		add_param(&to, "async_insert", "0");
	if (post->token != NULL && c->caps.dedup_token)
		add_param(&to, "insert_deduplication_token", post->token);
	for (size_t i = 0; i < post->nsettings; i++)
		add_param(&to, post->settings[i].name, post->settings[i].value);
	if (sql_in_url)
		add_param(&to, "query", post->sql);
	if (buf_overflowed(&to))
		bug("a request's settings take more than %u bytes", TARGET_MAX);
	return buf_take(&to);
}

/* The body's slices are the caller's, with the statement before them if that goes there. */
static void
put_front(struct chpost *p, const struct ch_post *post)
{
	p->front = post->nbody > 0 ? xasprintf("%s\n", post->sql) : xstrdup(post->sql);
	p->slices = xcalloc(post->nbody + 1, sizeof(*p->slices));
	p->slices[0] = slice_str(p->front);
	if (post->nbody > 0)
		memcpy(p->slices + 1, post->body, post->nbody * sizeof(*p->slices));
	p->http.body = p->slices;
	p->http.nbody = post->nbody + 1;
}

static void
replace_body(struct chpost *p, const char *header)
{
	free(p->slices);
	p->slices = xcalloc(1, sizeof(*p->slices));
	p->slices[0] = buf_slice(&p->packed);
	p->http.body = p->slices;
	p->http.nbody = 1;
	p->http.header = header;
}

static void
pack(struct chpost *p, const struct chclient *c, bool is_insert)
{
	bool known = c->caps.year > 0; /* not while its version is asked for */

	if (known && !c->caps.whole_body) {
		chpack_gzip(p->http.body, p->http.nbody, c->compress, &p->packed);
		replace_body(p, "Content-Encoding: gzip");
	} else if (c->compress && is_insert &&
	    chpack_size(p->http.body, p->http.nbody) >= PACK_MIN) {
		chpack_lz4(p->http.body, p->http.nbody, &p->packed);
		replace_body(p, "Content-Encoding: lz4");
	}
}

void
chpost_build(struct chpost *p, const struct chclient *c, const struct ch_post *post)
{
	bool in_url = post->nbody > 0 && strlen(post->sql) <= SQL_IN_URL;

	*p = (struct chpost){ .rows = post->rows, .token = post->token != NULL };
	p->target = build_target(c, post, in_url);
	p->http = (struct httpc_post){ .target = p->target,
		.body = post->body,
		.nbody = post->nbody,
		.answer_max = ANSWER_MAX };
	if (!in_url)
		put_front(p, post);
	pack(p, c, post->nbody > 0);
}

void
chpost_done(struct chpost *p)
{
	MEM_FREE(p->target);
	MEM_FREE(p->front);
	MEM_FREE(p->slices);
	buf_done(&p->packed);
}

/* ---- in */

/* X-ClickHouse-Summary: {"read_rows":"0",...,"written_rows":"5",...} */
static void
read_summary(const struct httpc_answer *http, struct ch_answer *answer)
{
	static const char key[] = "\"written_rows\":\"";
	const char *text = httpc_header(http, "X-ClickHouse-Summary"), *at;

	at = text != NULL ? strstr(text, key) : NULL;
	if (at == NULL)
		return;
	answer->written_rows = strtoull(at + strlen(key), NULL, 10);
	answer->has_written = true;
}

/* A server that knew the token writes nothing; views may make it write more. */
static bool
check_written(const struct chpost *p, const struct ch_answer *answer, struct err *err)
{
	if (p->rows == 0 || !answer->has_written || answer->written_rows >= p->rows ||
	    (p->token && answer->written_rows == 0))
		return true;
	return err_set(err, ERR_PROTOCOL,
	    "of %" PRIu64 " rows sent, ClickHouse has written %" PRIu64, p->rows,
	    answer->written_rows);
}

bool
chanswer_read(const struct chpost *p, const struct httpc_answer *http, const struct err *http_err,
    struct ch_answer *answer_r, struct err *err)
{
	struct ch_answer answer = { .text = buf_slice(&http->body) };

	/* what a server says before it cuts the connection tells more than the cut */
	if (http_err != NULL && !cherror_exception(http, err))
		*err = *http_err;
	if (http_err != NULL || !cherror_check(http, err))
		return false;
	read_summary(http, &answer);
	if (!check_written(p, &answer, err))
		return false;
	*answer_r = answer;
	return true;
}
