/*
 * Rows of text COPY: values between tabs, rows end in a newline; \N is NULL,
 * and a backslash takes the next character as it is but for b f n r t v.
 */
#include <string.h>

#include "lib/base/err.h"
#include "lib/sink/kafka_format_int.h"

static uint8_t
unescape(uint8_t c)
{
	static const char letters[] = "bfnrtv", meant[] = "\b\f\n\r\t\v";
	const char *at = c != '\0' ? strchr(letters, c) : NULL;

	return at != NULL ? (uint8_t)meant[at - letters] : c;
}

/* The escapes of a value taken out, into e->copy, which has room for all of the row. */
static struct slice
take_out(struct kafka_encoder *e, struct slice s)
{
	uint8_t *to = e->copy.p + e->copy.n;
	size_t i, n = 0;

	for (i = 0; i < s.n; i++)
		to[n++] = s.p[i] == '\\' && i + 1 < s.n ? unescape(s.p[++i]) : s.p[i];
	e->copy.n += n;
	return slice_of(to, n);
}

static struct row_value
read_value(struct kafka_encoder *e, struct slice s)
{
	struct row_value v = { .len = ROW_NULL };

	if (s.n == 2 && s.p[0] == '\\' && s.p[1] == 'N')
		return v;
	if (memchr(s.p, '\\', s.n) != NULL)
		s = take_out(e, s);
	v.len = (uint32_t)s.n;
	v.p = s.p;
	return v;
}

static bool
read_row(struct kafka_encoder *e, struct kafka_table *kt, struct slice row)
{
	const uint8_t *at = row.p, *end = row.p + row.n, *tab;
	uint16_t i;

	for (i = 0; i < kt->t->ncols; i++) {
		tab = memchr(at, '\t', (size_t)(end - at));
		if ((tab == NULL) != (i + 1 == kt->t->ncols))
			return false;
		tab = tab != NULL ? tab : end;
		kt->new[i] = read_value(e, slice_of(at, (size_t)(tab - at)));
		at = tab + 1;
	}
	return true;
}

bool
kafka_copy_next(struct kafka_encoder *e, struct kafka_table *kt, struct slice *rows,
    const struct row_value **values_r, struct err *err)
{
	const uint8_t *newline;
	struct slice row;

	if (rows->n == 0)
		return false;
	newline = memchr(rows->p, '\n', rows->n);
	if (newline == NULL)
		return err_set(err, ERR_PROTOCOL, "a row of COPY does not end: table %s",
		    kt->t->source_label);
	row = slice_of(rows->p, (size_t)(newline - rows->p));
	buf_reset(&e->copy);
	if (buf_room(&e->copy, row.n) == NULL || !read_row(e, kt, row))
		return err_set(err, ERR_PROTOCOL, "malformed row of COPY: table %s",
		    kt->t->source_label);
	*rows = slice_of(newline + 1, rows->n - row.n - 1);
	*values_r = kt->new;
	return true;
}
