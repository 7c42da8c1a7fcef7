#include "lib/wire/json.h"

#include <ctype.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

/* A cursor over the text; the checks below move it past what they accept. */
struct scan {
	const char *start;
	const char *p;
	const char *end;
	unsigned depth;
	size_t values;
	struct err *err;
};

static bool
scan_fail(struct scan *s, const char *at, const char *what)
{
	return err_set(s->err, ERR_INVALID, "invalid JSON at byte %zu: %s", (size_t)(at - s->start),
	    what);
}

static bool
scan_hex4(const char *p, const char *end, unsigned *code_r)
{
	unsigned code = 0;

	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		if (!isxdigit((unsigned char)p[i]))
			return false;
		code = code * 16 +
		    (unsigned)(isdigit((unsigned char)p[i]) ? p[i] - '0'
							    : (p[i] | 0x20) - 'a' + 10);
	}
	*code_r = code;
	return true;
}

/* At 'u': four hex digits, and a low surrogate after a high one. */
static bool
scan_unicode_escape(struct scan *s)
{
	const char *at = s->p - 1;
	unsigned code, low;

	if (!scan_hex4(s->p + 1, s->end, &code))
		return scan_fail(s, at, "\\u wants four hexadecimal digits");
	if (code == 0)
		return scan_fail(s, at, "a string may not contain the NUL character");
	s->p += 5;
	if (code >= 0xdc00 && code <= 0xdfff)
		return scan_fail(s, at, "low surrogate without a high one");
	if (code < 0xd800 || code > 0xdfff)
		return true;
	if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u' ||
	    !scan_hex4(s->p + 2, s->end, &low) || low < 0xdc00 || low > 0xdfff)
		return scan_fail(s, at, "high surrogate without a low one");
	s->p += 6;
	return true;
}

static bool
scan_escape(struct scan *s)
{
	const char *at = s->p++;

	if (s->p == s->end || *s->p == '\0' || strchr("\"\\/bfnrtu", *s->p) == NULL)
		return scan_fail(s, at, "unknown escape");
	if (*s->p == 'u')
		return scan_unicode_escape(s);
	s->p++;
	return true;
}

static bool
scan_string(struct scan *s)
{
	const char *open = s->p++;

	while (s->p < s->end && *s->p != '"') {
		if ((unsigned char)*s->p < 0x20)
			return scan_fail(s, s->p, "control character in a string");
		if (*s->p != '\\')
			s->p++;
		else if (!scan_escape(s))
			return false;
	}
	if (s->p == s->end)
		return scan_fail(s, open, "the string has no end");
	s->p++;
	return true;
}

static bool
scan_digits(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && isdigit((unsigned char)*s->p))
		s->p++;
	return s->p > from;
}

/* -? (0 | [1-9][0-9]*) (.[0-9]+)? ([eE][+-]?[0-9]+)? */
static bool
scan_number(struct scan *s)
{
	const char *from = s->p;
	bool ok;

	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0') {
		s->p++;
		ok = s->p == s->end || !isdigit((unsigned char)*s->p);
	} else {
		ok = scan_digits(s);
	}
	if (ok && s->p < s->end && *s->p == '.') {
		s->p++;
		ok = scan_digits(s);
	}
	if (ok && s->p < s->end && (*s->p | 0x20) == 'e') {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		ok = scan_digits(s);
	}
	return ok ? true : scan_fail(s, from, "malformed number");
}

static bool
scan_open(struct scan *s)
{
	if (++s->depth > JSON_DEPTH_MAX)
		return scan_fail(s, s->p, "nested too deeply");
	s->p++;
	return true;
}

/* One token, of those that cJSON reads too kindly; it judges their order. */
static bool
scan_token(struct scan *s)
{
	char c = *s->p;

	if (c == '"')
		return scan_string(s);
	if (c == '-' || isdigit((unsigned char)c))
		return scan_number(s);
	if (c == '{' || c == '[')
		return scan_open(s);
	if ((unsigned char)c < 0x20 && c != '\t' && c != '\n' && c != '\r')
		return scan_fail(s, s->p, "control character");
	if ((c == '}' || c == ']') && s->depth > 0)
		s->depth--;
	s->p++;
	return true;
}

static bool
scan_text(const char *text, size_t n, struct err *err)
{
	struct scan s = { .start = text, .p = text, .end = text + n, .err = err };

	while (s.p < s.end) {
		/* every value but the first follows one of these */
		if (*s.p == ',' || *s.p == '[' || *s.p == ':')
			s.values++;
		if (!scan_token(&s))
			return false;
	}
	if (s.values > JSON_VALUES_MAX)
		return err_set(err, ERR_TOO_LARGE, "the JSON text has more than %u values",
		    JSON_VALUES_MAX);
	return true;
}

static size_t
utf8_bad_offset(const char *text, size_t n)
{
	size_t at = 0, step;

	while (at < n) {
		for (step = 1; step <= 4 && at + step <= n; step++)
			if (str_utf8_valid(text + at, step))
				break;
		if (step > 4 || at + step > n)
			break;
		at += step;
	}
	return at;
}

void
json_use_our_memory(void)
{
	static bool done;
	cJSON_Hooks hooks = { .malloc_fn = xmalloc, .free_fn = free };

	if (!done)
		cJSON_InitHooks(&hooks);
	done = true;
}

static size_t
skip_blanks(const char *text, size_t at, size_t n)
{
	while (at < n && strchr(" \t\r\n", text[at]) != NULL && text[at] != '\0')
		at++;
	return at;
}

bool
json_parse(const char *text, size_t n, cJSON **tree_r, struct err *err)
{
	const char *end = NULL;
	cJSON *tree;
	size_t at;

	if (!str_utf8_valid(text, n))
		return err_set(err, ERR_INVALID, "invalid JSON at byte %zu: not UTF-8",
		    utf8_bad_offset(text, n));
	if (!scan_text(text, n, err))
		return false;
	json_use_our_memory();
	tree = cJSON_ParseWithLengthOpts(text, n, &end, false);
	at = end != NULL ? (size_t)(end - text) : 0;
	if (tree == NULL)
		return err_set(err, ERR_INVALID, "invalid JSON at byte %zu: %s", at,
		    skip_blanks(text, at, n) + 1 >= n ? "the text ends too early"
						      : "unexpected text");
	at = skip_blanks(text, at, n);
	if (at != n) {
		cJSON_Delete(tree);
		return err_set(err, ERR_INVALID, "invalid JSON at byte %zu: text after the end",
		    at);
	}
	*tree_r = tree;
	return true;
}

cJSON *
json_text(const char *s)
{
	size_t n = strlen(s), step;
	struct buf clean;
	cJSON *item;

	if (str_utf8_valid(s, n))
		return cJSON_CreateString(s);
	buf_init(&clean, n);
	for (size_t i = 0; i < n; i += step) {
		for (step = 1; step <= 4 && i + step <= n; step++)
			if (str_utf8_valid(s + i, step))
				break;
		if (step > 4 || i + step > n) {
			step = 1;
			buf_char(&clean, '?');
		} else {
			buf_add(&clean, s + i, step);
		}
	}
	item = cJSON_CreateString(buf_str(&clean));
	buf_done(&clean);
	return item;
}
