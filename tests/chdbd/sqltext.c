#include "tests/chdbd/sqltext.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

struct scan {
	const char *p, *end;
	struct slice token;
	int depth; /* of parentheses */
};

/* Beyond the quoted thing that begins at p; quotes inside are doubled or escaped. */
static const char *
skip_quoted(const char *p, const char *end)
{
	char quote = *p++;

	while (p < end && *p != quote)
		p += *p == '\\' && p + 1 < end ? 2 : 1;
	return p < end ? p + 1 : end;
}

static const char *
skip_past(const char *p, const char *end, const char *mark)
{
	const char *at = memmem(p, (size_t)(end - p), mark, strlen(mark));

	return at != NULL ? at + strlen(mark) : end;
}

static bool
starts(const struct scan *s, const char *with)
{
	size_t n = strlen(with);

	return (size_t)(s->end - s->p) >= n && memcmp(s->p, with, n) == 0;
}

static void
skip_blanks(struct scan *s)
{
	while (s->p < s->end) {
		if (isspace((unsigned char)*s->p))
			s->p++;
		else if (starts(s, "--"))
			s->p = skip_past(s->p, s->end, "\n");
		else if (starts(s, "/*"))
			s->p = skip_past(s->p, s->end, "*/");
		else
			break;
	}
}

static bool
is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The next word, quoted thing or single character. */
static bool
next_token(struct scan *s)
{
	const char *begin;

	skip_blanks(s);
	begin = s->p;
	if (begin == s->end)
		return false;
	if (memchr("'\"`", *begin, 3) != NULL)
		s->p = skip_quoted(begin, s->end);
	else
		do
			s->p++;
		while (is_word_char(*begin) && s->p < s->end && is_word_char(*s->p));
	s->token = slice_of(begin, (size_t)(s->p - begin));
	s->depth += (*begin == '(') - (*begin == ')');
	return true;
}

static bool
token_is(const struct scan *s, const char *word)
{
	return s->token.n == strlen(word) &&
	    strncasecmp((const char *)s->token.p, word, s->token.n) == 0;
}

static bool
token_among(const struct scan *s, const char *const *words)
{
	for (; *words != NULL; words++)
		if (token_is(s, *words))
			return true;
	return false;
}

static enum sqltext_kind
take_format(struct scan *s, struct slice text, struct sqltext *parts_r)
{
	const char *format = (const char *)s->token.p;

	if (!next_token(s) || !is_word_char((char)s->token.p[0]))
		return SQLTEXT_STATEMENT; /* the engine will say what is wrong */
	parts_r->statement = slice_of(text.p, (size_t)(format - (const char *)text.p));
	snprintf(parts_r->format, sizeof(parts_r->format), "%.*s", (int)s->token.n,
	    (const char *)s->token.p);
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == ';'))
		s->p++;
	if (s->p < s->end && *s->p == '\r')
		s->p++;
	if (s->p < s->end && *s->p == '\n')
		s->p++;
	parts_r->rows = slice_of(s->p, (size_t)(s->end - s->p));
	return SQLTEXT_ROWS;
}

enum sqltext_kind
sqltext_split(struct slice text, struct sqltext *parts_r)
{
	static const char *const names_follow[] = { "INTO", "TABLE", ".", NULL };
	static const char *const sources[] = { "SELECT", "WITH", "VALUES", "FROM", "WATCH", NULL };
	struct scan s = { .p = (const char *)text.p, .end = (const char *)text.p + text.n };
	bool is_name = false;

	if (!next_token(&s) || !token_is(&s, "INSERT"))
		return SQLTEXT_STATEMENT;
	while (next_token(&s)) {
		if (s.depth == 0 && !is_name && token_is(&s, "FORMAT"))
			return take_format(&s, text, parts_r);
		if (s.depth == 0 && !is_name && token_among(&s, sources))
			return SQLTEXT_STATEMENT;
		is_name = token_among(&s, names_follow);
	}
	return SQLTEXT_OPEN;
}

bool
sqltext_is_single(struct slice text)
{
	struct scan s = { .p = (const char *)text.p, .end = (const char *)text.p + text.n };
	bool ended = false;

	while (next_token(&s)) {
		if (ended)
			return false;
		ended = token_is(&s, ";");
	}
	return true;
}
