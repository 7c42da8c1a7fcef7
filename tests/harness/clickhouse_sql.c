#include "tests/harness/clickhouse.h"

#include <curl/curl.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "tests/harness/fail.h"
#include "tests/harness/poll.h"

#define CALL_MS	  60000L
#define REPLY_MAX (1024u * MIB)

/* ---- one request */

static size_t
take_bytes(char *p, size_t size, size_t n, void *to)
{
	buf_add(to, p, size * n);
	return buf_overflowed(to) ? 0 : size * n;
}

static char *
url_of(CURL *h, const struct clickhouse *c, const struct clickhouse_request *r)
{
	const char *base = r->url != NULL ? r->url : c->url;
	char *encoded, *url;

	if (r->query == NULL)
		return text("%s%s%s", base, r->settings != NULL ? "/?" : "",
		    r->settings != NULL ? r->settings : "");
	encoded = curl_easy_escape(h, r->query, 0);
	url = text("%s/?query=%s%s%s", base, encoded, r->settings != NULL ? "&" : "",
	    r->settings != NULL ? r->settings : "");
	curl_free(encoded);
	return url;
}

static struct curl_slist *
headers_of(const struct clickhouse_request *r)
{
	struct curl_slist *list = NULL;

	list = curl_slist_append(list,
	    text("X-ClickHouse-User: %s", r->user != NULL ? r->user : CLICKHOUSE_USER));
	list = curl_slist_append(list,
	    text("X-ClickHouse-Key: %s", r->password != NULL ? r->password : CLICKHOUSE_PASSWORD));
	if (r->header != NULL)
		list = curl_slist_append(list, r->header);
	return curl_slist_append(list, "Expect:");
}

static void
prepare(CURL *h, const struct clickhouse_request *r, struct buf *headers, struct buf *body)
{
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, r->timeout_ms > 0 ? r->timeout_ms : CALL_MS);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, body);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, take_bytes);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, headers);
	if (r->query == NULL && r->body == NULL)
		return; /* a GET, which may only read */
	curl_easy_setopt(h, CURLOPT_POST, 1L);
	curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, r->body_len > 0 ? r->body : "");
}

static int
exception_code(const char *body)
{
	int code;

	return sscanf(body, "Code: %d", &code) == 1 ? code : 0;
}

static int64_t
written_rows(const char *headers)
{
	const char *at = strstr(headers, "\"written_rows\":\"");
	long long rows;

	return at != NULL && sscanf(at, "\"written_rows\":\"%lld", &rows) == 1 ? rows : -1;
}

/* The status; 0 when there was no answer. */
static long
perform(const struct clickhouse *c, const struct clickhouse_request *r, struct buf *headers,
    struct buf *body)
{
	CURL *h = curl_easy_init();
	struct curl_slist *list = headers_of(r);
	long status = 0;

	curl_easy_setopt(h, CURLOPT_URL, url_of(h, c, r));
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, list);
	prepare(h, r, headers, body);
	if (curl_easy_perform(h) == CURLE_OK)
		curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	curl_slist_free_all(list);
	curl_easy_cleanup(h);
	return status;
}

struct clickhouse_reply
clickhouse_call(const struct clickhouse *c, const struct clickhouse_request *r)
{
	struct clickhouse_reply reply;
	struct buf headers, body;

	buf_init(&headers, MIB);
	buf_init(&body, REPLY_MAX);
	reply.status = perform(c, r, &headers, &body);
	reply.headers = text("%s", buf_str(&headers));
	reply.body = text("%s", buf_str(&body));
	reply.code = reply.status != 200 ? exception_code(reply.body) : 0;
	reply.written = written_rows(reply.headers);
	buf_done(&headers);
	buf_done(&body);
	return reply;
}

void
clickhouse_fetch(const struct clickhouse *c, const char *statement, struct buf *to)
{
	struct clickhouse_request r = { .body = statement, .body_len = strlen(statement) };
	struct buf headers;
	long status;

	buf_init(&headers, MIB);
	status = perform(c, &r, &headers, to);
	buf_done(&headers);
	if (status != 200)
		test_fail("%.2000s\nfailed with status %ld: %.2000s", statement, status,
		    buf_str(to));
}

/* ---- statements */

static struct clickhouse_reply
ask(const struct clickhouse *c, const char *statement)
{
	struct clickhouse_request r = { .body = statement, .body_len = strlen(statement) };

	return clickhouse_call(c, &r);
}

/* The last line feed is the format's, not the value's. */
static char *
without_last_feed(const char *body)
{
	size_t n = strlen(body);

	return text("%.*s", (int)(n > 0 && body[n - 1] == '\n' ? n - 1 : n), body);
}

static char *
run(const struct clickhouse *c, const char *fmt, va_list ap)
{
	const char *statement = text_v(fmt, ap);
	struct clickhouse_reply reply = ask(c, statement);

	if (reply.status != 200)
		test_fail("%.2000s\nfailed with status %ld: %.2000s", statement, reply.status,
		    reply.body);
	return without_last_feed(reply.body);
}

void
clickhouse_exec(const struct clickhouse *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)run(c, fmt, ap);
	va_end(ap);
}

bool
clickhouse_try(const struct clickhouse *c, const char *statement)
{
	return ask(c, statement).status == 200;
}

char *
clickhouse_text(const struct clickhouse *c, const char *fmt, ...)
{
	va_list ap;
	char *value;

	va_start(ap, fmt);
	value = run(c, fmt, ap);
	va_end(ap);
	return value;
}

int64_t
clickhouse_i64(const struct clickhouse *c, const char *fmt, ...)
{
	struct err err;
	va_list ap;
	char *value;
	int64_t n;

	va_start(ap, fmt);
	value = run(c, fmt, ap);
	va_end(ap);
	if (!str_to_i64(value, INT64_MIN, INT64_MAX, &n, &err))
		test_fail("\"%s\" is not a number", value);
	return n;
}

static bool
is_now(const struct clickhouse *c, const char *statement, const char *expected, char **value_r)
{
	struct clickhouse_reply reply = ask(c, statement);

	*value_r = without_last_feed(reply.body);
	return reply.status == 200 && strcmp(*value_r, expected) == 0;
}

void
clickhouse_wait(const struct clickhouse *c, int ms, const char *expected, const char *fmt, ...)
{
	const char *statement;
	char *value = NULL;
	va_list ap;

	va_start(ap, fmt);
	statement = text_v(fmt, ap);
	va_end(ap);
	if (!poll_until(ms, is_now(c, statement, expected, &value)))
		test_fail("%s\nis \"%.2000s\", not \"%.2000s\", after %d ms", statement, value,
		    expected, ms);
}

void
clickhouse_wipe(const struct clickhouse *c)
{
	char *names = clickhouse_text(c,
	    "SELECT name FROM system.databases "
	    "WHERE lower(name) NOT IN ('default', 'system', 'information_schema')");

	for (char *name; (name = strsep(&names, "\n")) != NULL;)
		if (*name != '\0')
			clickhouse_exec(c, "DROP DATABASE `%s`", name);
}
