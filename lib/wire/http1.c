#include "lib/wire/http1.h"

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

/* RFC 9110's token: method and header names */
static bool
is_token_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
is_token(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!is_token_char((unsigned char)*s))
			return false;
	return true;
}

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return true;
	return false;
}

static bool
refuse(int *status_r, int status, struct err *err, enum err_code code, const char *what)
{
	*status_r = status;
	return err_set(err, code, "%s", what);
}

static bool
malformed(int *status_r, struct err *err, const char *what)
{
	return refuse(status_r, 400, err, ERR_INVALID, what);
}

size_t
http1_leading_blank(struct slice bytes)
{
	size_t n = 0;

	while (n < bytes.n && (bytes.p[n] == '\r' || bytes.p[n] == '\n'))
		n++;
	return n;
}

size_t
http1_head_length(struct slice bytes)
{
	const uint8_t *end, *p = bytes.p, *nl;

	if (bytes.n == 0)
		return 0;
	end = bytes.p + bytes.n;
	while (p < end && (nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		p = nl + 1;
		if (p < end && *p == '\n')
			return (size_t)(p + 1 - bytes.p);
		if (p + 1 < end && p[0] == '\r' && p[1] == '\n')
			return (size_t)(p + 2 - bytes.p);
	}
	return 0;
}

/* Cut the next line off text, without its CR LF; NULL at the end. */
static char *
next_line(char **text)
{
	char *line = *text, *nl;

	if (line == NULL || *line == '\0')
		return NULL;
	nl = strchr(line, '\n');
	*text = nl != NULL ? nl + 1 : NULL;
	if (nl != NULL)
		*nl = '\0';
	if (nl != NULL && nl > line && nl[-1] == '\r')
		nl[-1] = '\0';
	return line;
}

/* "http://host/path" is what a proxy is sent: only the path matters here. */
static const char *
strip_authority(const char *target)
{
	const char *slash;

	if (strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0)
		return target;
	slash = strchr(strstr(target, "//") + 2, '/');
	return slash != NULL ? slash : "/";
}

static bool
parse_version(const char *version, struct http1_head *h, int *status_r, struct err *err)
{
	if (strcmp(version, "HTTP/1.1") == 0) {
		h->minor = 1;
		return true;
	}
	if (strcmp(version, "HTTP/1.0") == 0)
		return true;
	if (!str_starts(version, "HTTP/"))
		return malformed(status_r, err, "malformed request line");
	return refuse(status_r, 505, err, ERR_UNIMPLEMENTED,
	    "this HTTP version is not supported, use HTTP/1.1");
}

/* method SP target SP version */
static bool
parse_request_line(char *line, struct http1_head *h, int *status_r, struct err *err)
{
	char *target = line != NULL ? strchr(line, ' ') : NULL;
	char *version = target != NULL ? strchr(target + 1, ' ') : NULL;
	char *query;

	if (version == NULL)
		return malformed(status_r, err, "malformed request line");
	*target++ = '\0';
	*version++ = '\0';
	if (!is_token(line) || has_control(target) || strpbrk(target, "\t") != NULL ||
	    strchr(version, ' ') != NULL)
		return malformed(status_r, err, "malformed request line");
	if (!parse_version(version, h, status_r, err))
		return false;
	query = strchr(target, '?');
	if (query != NULL)
		*query++ = '\0';
	h->method = line;
	h->path = strip_authority(target);
	h->query = query;
	if (h->path[0] != '/' && strcmp(h->path, "*") != 0)
		return malformed(status_r, err, "the request target must begin with a slash");
	return true;
}

/* name ":" OWS value OWS */
static bool
parse_header(char *line, struct http1_head *h, int *status_r, struct err *err)
{
	char *value = strchr(line, ':'), *end;

	if (value == NULL)
		return malformed(status_r, err, "malformed header line");
	*value++ = '\0';
	if (!is_token(line))
		return malformed(status_r, err, "malformed header name");
	value += strspn(value, " \t");
	for (end = value + strlen(value); end > value && (end[-1] == ' ' || end[-1] == '\t'); end--)
		end[-1] = '\0';
	if (has_control(value))
		return malformed(status_r, err, "control character in a header");
	if (h->nheaders == HTTP1_HEADERS_MAX)
		return refuse(status_r, 431, err, ERR_TOO_LARGE, "too many headers");
	h->headers[h->nheaders++] = (struct http1_header){ .name = line, .value = value };
	return true;
}

const char *
http1_header(const struct http1_head *h, const char *name)
{
	for (size_t i = 0; i < h->nheaders; i++)
		if (strcasecmp(h->headers[i].name, name) == 0)
			return h->headers[i].value;
	return NULL;
}

size_t
http1_header_count(const struct http1_head *h, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < h->nheaders; i++)
		n += strcasecmp(h->headers[i].name, name) == 0;
	return n;
}

bool
http1_has_token(const char *value, const char *token)
{
	size_t len = strlen(token), n;

	while (value != NULL && *value != '\0') {
		value += strspn(value, ", \t");
		n = strcspn(value, ", \t");
		if (n == len && strncasecmp(value, token, n) == 0)
			return true;
		value += n;
	}
	return false;
}

/* Two framings of one body, or one nobody knows, is how requests are smuggled. */
static bool
parse_framing(struct http1_head *h, int *status_r, struct err *err)
{
	const char *length = http1_header(h, "Content-Length");
	const char *coding = http1_header(h, "Transfer-Encoding");

	if (http1_header_count(h, "Content-Length") + http1_header_count(h, "Transfer-Encoding") >
	    1)
		return malformed(status_r, err, "more than one length for the body");
	if (coding != NULL) {
		if (strcasecmp(coding, "chunked") != 0)
			return refuse(status_r, 501, err, ERR_UNIMPLEMENTED,
			    "the only transfer encoding supported is chunked");
		if (h->minor == 0)
			return malformed(status_r, err, "chunked body in HTTP/1.0");
		h->framing = HTTP1_CHUNKED;
	}
	if (length != NULL) {
		if (!str_to_u64(length, 0, INT64_MAX, &h->length, err))
			return malformed(status_r, err, "malformed Content-Length");
		h->framing = h->length > 0 ? HTTP1_LENGTH : HTTP1_NO_BODY;
	}
	return true;
}

static bool
parse_connection(struct http1_head *h, int *status_r, struct err *err)
{
	const char *connection = http1_header(h, "Connection");
	const char *expect = http1_header(h, "Expect");

	h->keep_alive = h->minor == 1 ? !http1_has_token(connection, "close")
				      : http1_has_token(connection, "keep-alive");
	if (h->minor == 1 && http1_header_count(h, "Host") != 1)
		return malformed(status_r, err, "a request needs one Host header");
	if (expect == NULL || h->minor == 0)
		return true;
	if (strcasecmp(expect, "100-continue") != 0)
		return refuse(status_r, 417, err, ERR_INVALID, "unknown expectation");
	h->expect_continue = h->framing != HTTP1_NO_BODY;
	return true;
}

bool
http1_head_parse(struct slice head, struct arena *a, struct http1_head *head_r, int *status_r,
    struct err *err)
{
	struct http1_head h = { 0 };
	char *text = arena_strndup(a, (const char *)head.p, head.n), *line;

	if (memchr(head.p, '\0', head.n) != NULL)
		return malformed(status_r, err, "control character in the request");
	if (!parse_request_line(next_line(&text), &h, status_r, err))
		return false;
	while ((line = next_line(&text)) != NULL && *line != '\0')
		if (!parse_header(line, &h, status_r, err))
			return false;
	if (!parse_framing(&h, status_r, err) || !parse_connection(&h, status_r, err))
		return false;
	*head_r = h;
	return true;
}

/* ---- percent-encoding */

static int
hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at p, which is '%', stands for; -1 for a bad one and for NUL. */
static int
unescape(const uint8_t *p, size_t left)
{
	int hi = left > 2 ? hex_digit(p[1]) : -1;
	int lo = left > 2 ? hex_digit(p[2]) : -1;

	return hi < 0 || lo < 0 || (hi | lo) == 0 ? -1 : hi << 4 | lo;
}

bool
http1_decode(struct arena *a, struct slice text, bool plus, const char **text_r, struct err *err)
{
	char *out = arena_alloc(a, text.n + 1);
	size_t n = 0;
	int c;

	for (size_t i = 0; i < text.n; i++) {
		c = text.p[i];
		if (c == '%') {
			c = unescape(text.p + i, text.n - i);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c <= 0)
			return err_set(err, ERR_INVALID, "bad percent-encoding in the URL");
		out[n++] = (char)c;
	}
	out[n] = '\0';
	if (!str_utf8_valid(out, n))
		return err_set(err, ERR_INVALID, "the URL is not valid UTF-8");
	*text_r = out;
	return true;
}

static bool
query_param(struct arena *a, struct slice pair, http1_param_fn *fn, void *arg, struct err *err)
{
	const uint8_t *eq = memchr(pair.p, '=', pair.n);
	size_t n = eq != NULL ? (size_t)(eq - pair.p) : pair.n;
	const char *name, *value = "";

	if (!http1_decode(a, slice_of(pair.p, n), true, &name, err))
		return false;
	if (eq != NULL && !http1_decode(a, slice_of(eq + 1, pair.n - n - 1), true, &value, err))
		return false;
	return fn(arg, name, value, err);
}

bool
http1_query_each(struct arena *a, const char *query, http1_param_fn *fn, void *arg, struct err *err)
{
	size_t n;

	while (query != NULL && *query != '\0') {
		n = strcspn(query, "&");
		if (n > 0 && !query_param(a, slice_of(query, n), fn, arg, err))
			return false;
		query += n;
		query += *query == '&';
	}
	return true;
}
