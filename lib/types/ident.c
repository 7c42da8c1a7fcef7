#include "lib/types/ident.h"

#include "lib/base/err.h"

/*
 * Append c to a part; what does not fit is counted, so that the caller sees a
 * part that is too long.
 */
static void
part_add(char *part, size_t *n, char c)
{
	if (*n < IDENT_MAX)
		part[*n] = c;
	(*n)++;
}

/* What follows an opening quote, up to and with the closing one; NULL when it never closes. */
static const char *
read_quoted(const char *s, char *part, size_t *n_r)
{
	for (*n_r = 0; *s != '\0'; s++) {
		if (*s == '"' && s[1] != '"')
			return s + 1;
		if (*s == '"')
			s++;
		part_add(part, n_r, *s);
	}
	return NULL;
}

static const char *
read_bare(const char *s, char *part, size_t *n_r)
{
	for (*n_r = 0; *s != '\0' && *s != '.'; s++)
		part_add(part, n_r, *s);
	return s;
}

/* One part; returns where it ends, or NULL with err filled. */
static const char *
read_part(const char *text, const char *s, char *part, struct err *err)
{
	const char *end;
	size_t n;

	end = *s == '"' ? read_quoted(s + 1, part, &n) : read_bare(s, part, &n);
	if (end == NULL) {
		err_set(err, ERR_CONFIG, "table name '%s': a double quote is not closed", text);
		return NULL;
	}
	if (n == 0) {
		err_set(err, ERR_CONFIG, "table name '%s' has an empty part, expected schema.table",
		    text);
		return NULL;
	}
	if (n > IDENT_MAX) {
		err_set(err, ERR_CONFIG, "table name '%s': a part is longer than %d bytes", text,
		    IDENT_MAX);
		return NULL;
	}
	part[n] = '\0';
	return end;
}

bool
ident_parse_target(const char *text, struct table_ident *t_r, struct err *err)
{
	struct table_ident t;
	const char *s;

	s = read_part(text, text, t.schema, err);
	if (s == NULL)
		return false;
	if (*s == '\0') {
		memcpy(t_r->name, t.schema, sizeof(t.schema));
		t_r->schema[0] = '\0';
		return true;
	}
	if (*s == '.')
		s = read_part(text, s + 1, t.name, err);
	if (s == NULL)
		return false;
	if (*s != '\0') {
		err_set(err, ERR_CONFIG, "table name '%s' is not of the form schema.table", text);
		return err_hint(err, "put a part that contains a dot into double quotes");
	}
	*t_r = t;
	return true;
}

bool
ident_parse_table(const char *text, struct table_ident *t_r, struct err *err)
{
	struct table_ident t;

	if (!ident_parse_target(text, &t, err))
		return false;
	if (t.schema[0] == '\0')
		return err_set(err, ERR_CONFIG,
		    "table name '%s' has no schema, expected schema.table", text);
	*t_r = t;
	return true;
}

bool
ident_equal(const struct table_ident *a, const struct table_ident *b)
{
	return strcmp(a->schema, b->schema) == 0 && strcmp(a->name, b->name) == 0;
}

static char *
format_part(char *to, const char *part)
{
	bool quote = part[0] == '"' || strchr(part, '.') != NULL;

	if (quote)
		*to++ = '"';
	for (; *part != '\0'; part++) {
		if (quote && *part == '"')
			*to++ = '"';
		*to++ = *part;
	}
	if (quote)
		*to++ = '"';
	return to;
}

const char *
ident_format(const char *schema, const char *name, char *to)
{
	char *p = to;

	if (schema[0] != '\0') {
		p = format_part(p, schema);
		*p++ = '.';
	}
	p = format_part(p, name);
	*p = '\0';
	return to;
}
