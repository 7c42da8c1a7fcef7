#include "tests/chdbd/request.h"

#include <ctype.h>
#include <openssl/evp.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "tests/chdbd/codec.h"
#include "tests/chdbd/engine.h"
#include "tests/chdbd/exception.h"
#include "tests/chdbd/http.h"
#include "tests/chdbd/sqltext.h"

#define TEXT_MAX  (512 * MIB) /* of a statement that is not streamed */
#define REPLY_MAX (1024u * MIB)
#define WORDS_MAX (1 * MIB)
#define LOG_BYTES 200

struct work {
	struct http *http;
	const struct http_request *request;
	struct session *session;
	struct insert *insert;
	struct buf text;  /* the statement, as far as it is not streamed */
	struct buf words; /* of the exception; empty while all is well */
	struct answer answer;
	struct progress progress;
	usec_t began;
	bool has_answer, is_cut, is_reader;
};

/* ---- who asks */

struct login {
	const char *user, *password;
};

static struct login
login_of_basic(struct arena *a, const char *coded)
{
	size_t n = strlen(coded);
	unsigned char *plain = arena_zalloc(a, n + 3);
	char *colon;

	EVP_DecodeBlock(plain, (const unsigned char *)coded, (int)n);
	colon = strchr((char *)plain, ':');
	if (colon == NULL)
		return (struct login){ "", "" };
	*colon = '\0';
	return (struct login){ (char *)plain, colon + 1 };
}

static struct login
login_of(const struct http_request *r)
{
	const char *user = http1_header(&r->head, "X-ClickHouse-User");
	const char *key = http1_header(&r->head, "X-ClickHouse-Key");
	const char *basic = http1_header(&r->head, "Authorization");

	if (user == NULL && basic != NULL && strncasecmp(basic, "Basic ", 6) == 0)
		return login_of_basic(r->arena, basic + 6);
	if (user == NULL) {
		user = http_param(r, "user");
		key = http_param(r, "password");
	}
	return (struct login){
		.user = user != NULL ? user : "default",
		.password = key != NULL ? key : "",
	};
}

static bool
let_in(struct work *w, const struct users *users)
{
	struct login login = login_of(w->request);

	w->is_reader = strcmp(login.user, users->reader) == 0;
	if ((w->is_reader || strcmp(login.user, users->owner) == 0) &&
	    str_equal_const_time(login.password, users->password))
		return true;
	exception_write(&w->words, EXCEPTION_AUTHENTICATION_FAILED,
	    "%s: Authentication failed: password is incorrect, or there is no user with such name",
	    login.user);
	return false;
}

/* ---- settings */

/* A literal or a name: what stands between the quotes, escaped. */
static void
add_quoted(struct buf *to, char quote, const char *s)
{
	buf_char(to, quote);
	for (; *s != '\0'; s++) {
		if (*s == quote || *s == '\\')
			buf_char(to, '\\');
		buf_char(to, *s);
	}
	buf_char(to, quote);
}

static bool
is_among(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static bool
is_word(const char *name)
{
	const char *p = name;

	while (isalnum((unsigned char)*p) || *p == '_')
		p++;
	return p > name && *p == '\0';
}

static bool
set(struct work *w, const char *name, const char *value)
{
	struct buf text;
	bool ok;

	if (!is_word(name)) {
		exception_write(&w->words, EXCEPTION_BAD_ARGUMENTS, "Bad parameter %s", name);
		return false;
	}
	buf_init(&text, WORDS_MAX);
	buf_printf(&text, "SET %s = ", name);
	add_quoted(&text, '\'', value);
	ok = session_run(w->session, buf_str(&text), &w->words);
	buf_done(&text);
	return ok;
}

static bool
use(struct work *w, const char *database)
{
	struct buf text;
	bool ok;

	buf_init(&text, WORDS_MAX);
	buf_str_add(&text, "USE ");
	add_quoted(&text, '`', database);
	ok = session_run(w->session, buf_str(&text), &w->words);
	buf_done(&text);
	return ok;
}

/* Every parameter of the URL that means nothing to HTTP is a setting. */
static bool
apply_param(struct work *w, const char *name, const char *value)
{
	static const char *const ours[] = { "query", "user", "password", "query_id",
		"default_format", "wait_end_of_query", "buffer_size", "stacktrace", "quota_key",
		"database", NULL };
	static const char *const refused[] = { "session_id", "session_timeout", "session_check",
		"compress", "decompress", "role", NULL };

	if (is_among(name, ours))
		return true;
	if (is_among(name, refused)) {
		exception_write(&w->words, EXCEPTION_NOT_IMPLEMENTED,
		    "This test server does not know %s", name);
		return false;
	}
	return set(w, name, value);
}

static bool
apply_params(struct work *w)
{
	const struct http_request *r = w->request;
	const char *database = http_param(r, "database");

	if (database == NULL)
		database = http1_header(&r->head, "X-ClickHouse-Database");
	if (database != NULL && *database != '\0' && !use(w, database))
		return false;
	for (size_t i = 0; i < r->nparams; i++)
		if (!apply_param(w, r->params[i].name, r->params[i].value))
			return false;
	if (w->is_reader)
		return set(w, "readonly", "1");
	return strcmp(r->head.method, "POST") == 0 || set(w, "readonly", "2");
}

/* ---- the statement */

static bool
spoil(struct work *w, enum http_body body)
{
	if (body == HTTP_BODY_CUT)
		w->is_cut = true;
	if (body == HTTP_BODY_BAD)
		exception_write(&w->words, EXCEPTION_CANNOT_DECOMPRESS,
		    "The body is not what its Content-Encoding says");
	return body == HTTP_BODY_END;
}

static bool
read_rest(struct work *w)
{
	struct slice piece;
	enum http_body body;

	while ((body = http_body(w->http, &piece)) == HTTP_BODY_MORE)
		buf_add(&w->text, piece.p, piece.n);
	if (body == HTTP_BODY_END && buf_overflowed(&w->text)) {
		exception_write(&w->words, EXCEPTION_BAD_ARGUMENTS, "The statement is too large");
		return false;
	}
	return spoil(w, body);
}

static bool
run_statement(struct work *w)
{
	const char *format = http_param(w->request, "default_format");

	if (format == NULL)
		format = http1_header(&w->request->head, "X-ClickHouse-Format");
	if (w->text.n == 0) {
		exception_write(&w->words, EXCEPTION_SYNTAX_ERROR, "Syntax error: Empty query");
		return false;
	}
	if (!sqltext_is_single(buf_slice(&w->text))) {
		exception_write(&w->words, EXCEPTION_SYNTAX_ERROR,
		    "Syntax error (Multi-statements are not allowed)");
		return false;
	}
	w->has_answer = session_query(w->session, buf_slice(&w->text),
	    format != NULL ? format : "TabSeparated", &w->answer, &w->words);
	if (w->has_answer)
		w->progress = w->answer.progress;
	return w->has_answer;
}

/* Rows go to the engine as they come. */
static bool
run_insert(struct work *w, const struct sqltext *parts)
{
	struct slice piece = parts->rows;
	enum http_body body = HTTP_BODY_MORE;

	w->insert = insert_begin(w->session, parts->statement, parts->format, &w->words);
	if (w->insert == NULL)
		return false;
	for (; body == HTTP_BODY_MORE; body = http_body(w->http, &piece))
		if (piece.n > 0 && !insert_add(w->insert, piece, &w->words))
			return false;
	return spoil(w, body) && insert_end(&w->insert, &w->progress, &w->words);
}

static bool
run(struct work *w)
{
	const char *query = http_param(w->request, "query");
	struct sqltext parts;

	if (!http_body_known(w->http)) {
		exception_write(&w->words, EXCEPTION_NOT_IMPLEMENTED, "Unknown Content-Encoding");
		return false;
	}
	if (query != NULL && *query != '\0')
		buf_printf(&w->text, "%s\n", query);
	if (sqltext_split(buf_slice(&w->text), &parts) == SQLTEXT_ROWS)
		return run_insert(w, &parts);
	if (!read_rest(w))
		return false;
	if (sqltext_split(buf_slice(&w->text), &parts) == SQLTEXT_ROWS)
		return run_insert(w, &parts);
	return run_statement(w);
}

/* ---- the answer */

static void
add_headers(const struct work *w, struct buf *to)
{
	const struct progress *p = &w->progress;
	const char *id = http_param(w->request, "query_id");

	buf_printf(to,
	    "Content-Type: text/tab-separated-values; charset=UTF-8\r\n"
	    "X-ClickHouse-Server-Display-Name: chdbd\r\n"
	    "X-ClickHouse-Query-Id: %s\r\n"
	    "X-ClickHouse-Timezone: UTC\r\n"
	    "X-ClickHouse-Summary: {\"read_rows\":\"%llu\",\"read_bytes\":\"%llu\","
	    "\"written_rows\":\"%llu\",\"written_bytes\":\"%llu\",\"total_rows_to_read\":\"0\","
	    "\"elapsed_ns\":\"%lld\"}\r\n",
	    id != NULL && is_word(id) ? id : "none", (unsigned long long)p->read_rows,
	    (unsigned long long)p->read_bytes, (unsigned long long)p->written_rows,
	    (unsigned long long)p->written_bytes, (long long)(clock_mono_us() - w->began) * 1000);
}

static bool
reply_ok(struct work *w)
{
	const char *wanted = http1_header(&w->request->head, "Accept-Encoding");
	const char *allowed = http_param(w->request, "enable_http_compression"); /* 1 unless said */
	const struct codec *codec = codec_choose(wanted);
	struct slice bytes = w->has_answer ? w->answer.bytes : slice_of(NULL, 0);
	struct buf headers, coded;
	bool ok;

	buf_init(&headers, WORDS_MAX);
	buf_init(&coded, REPLY_MAX);
	add_headers(w, &headers);
	if (bytes.n > 0 && codec != NULL && (allowed == NULL || strcmp(allowed, "0") != 0)) {
		codec_encode(codec, bytes, &coded);
		buf_printf(&headers, "Content-Encoding: %s\r\n", codec_name(codec));
		bytes = buf_slice(&coded);
	}
	ok = http_reply(w->http, 200, buf_str(&headers), bytes);
	buf_done(&headers);
	buf_done(&coded);
	return ok;
}

static bool
reply_exception(struct work *w)
{
	int code = exception_code(buf_str(&w->words));
	int status = exception_status(code);
	struct buf headers;
	bool ok;

	if (w->words.p[w->words.n - 1] != '\n')
		buf_char(&w->words, '\n');
	fprintf(stderr, "%d: %.*s: %s", status, LOG_BYTES, buf_str(&w->text), buf_str(&w->words));
	buf_init(&headers, WORDS_MAX);
	add_headers(w, &headers);
	buf_printf(&headers, "X-ClickHouse-Exception-Code: %d\r\n", code);
	ok = http_reply(w->http, status, buf_str(&headers), buf_slice(&w->words));
	buf_done(&headers);
	return ok;
}

static bool
reply(struct work *w)
{
	if (w->is_cut)
		return false;
	return w->words.n == 0 ? reply_ok(w) : reply_exception(w);
}

static bool
serve_query(struct work *w, const struct users *users)
{
	bool keep;

	buf_init(&w->text, TEXT_MAX);
	buf_init(&w->words, WORDS_MAX);
	w->session = session_new();
	if (w->session == NULL)
		exception_write(&w->words, EXCEPTION_BAD_ARGUMENTS, "The engine has no session");
	else if (let_in(w, users) && apply_params(w))
		(void)run(w);
	insert_cancel(&w->insert);
	keep = reply(w);
	if (w->has_answer)
		answer_done(&w->answer);
	session_free(&w->session);
	buf_done(&w->text);
	buf_done(&w->words);
	return keep;
}

bool
request_serve(struct http *h, const struct http_request *r, const struct users *users)
{
	struct work w = { .http = h, .request = r, .began = clock_mono_us() };
	bool is_root = strcmp(r->head.path, "/") == 0;

	if (strcmp(r->head.path, "/ping") == 0 ||
	    (is_root && r->head.query == NULL && strcmp(r->head.method, "GET") == 0))
		return http_reply(h, 200, "", slice_str("Ok.\n"));
	if (!is_root)
		return http_reply(h, 404, "", slice_str("There is no such handle\n"));
	return serve_query(&w, users);
}
