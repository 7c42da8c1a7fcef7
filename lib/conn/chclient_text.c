#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/conn/chclient_int.h"

/* ---- rows of TabSeparated */

/*
 * Cells end with a tab or, the last of a row, with a line break; \N is NULL,
 * and a backslash goes before what would otherwise end the cell.
 */
static char
unescaped(char c)
{
	static const char from[] = "bfrnt0", to[] = "\b\f\r\n\t";
	const char *at = strchr(from, c);

	return at != NULL && c != '\0' ? to[at - from] : c;
}

/* In place: what comes out is no longer. The byte after it becomes NUL. */
static struct slice
unescape(char *cell, size_t n)
{
	size_t to = 0;

	if (n == 2 && cell[0] == '\\' && cell[1] == 'N')
		return slice_of(NULL, 0);
	for (size_t i = 0; i < n; i++)
		if (cell[i] == '\\' && i + 1 < n)
			cell[to++] = unescaped(cell[++i]);
		else
			cell[to++] = cell[i];
	cell[to] = '\0';
	return slice_of(cell, to);
}

static size_t
count_byte(struct slice text, char c)
{
	size_t count = 0;

	for (size_t i = 0; i < text.n; i++)
		count += text.p[i] == (uint8_t)c;
	return count;
}

static bool
not_rows(struct err *err)
{
	return err_set(err, ERR_PROTOCOL, "the server's answer is not a table of rows");
}

bool
ch_rows_parse(struct arena *a, struct slice text, struct ch_rows *rows_r, struct err *err)
{
	struct ch_rows rows = { .nrows = count_byte(text, '\n') };
	size_t ncells = rows.nrows + count_byte(text, '\t'), n = 0, row_start = 0;
	char *cell, *end, *stop;
	struct slice *cells;

	if (text.n == 0) {
		*rows_r = rows;
		return true;
	}
	if (text.p[text.n - 1] != '\n')
		return not_rows(err);
	cells = arena_alloc(a, ncells * sizeof(*cells));
	cell = arena_strndup(a, (const char *)text.p, text.n);
	end = cell + text.n;
	rows.ncols = ncells / rows.nrows;
	for (; cell < end; cell = stop + 1) {
		stop = cell + strcspn(cell, "\t\n");
		if (stop >= end || *stop == '\0')
			return not_rows(err);
		if (*stop == '\n' && n + 1 - row_start != rows.ncols)
			return not_rows(err);
		if (*stop == '\n')
			row_start = n + 1;
		cells[n++] = unescape(cell, (size_t)(stop - cell));
	}
	rows.cells = cells;
	*rows_r = rows;
	return true;
}

/* ---- text for statements */

static void
quoted(struct buf *b, char quote, struct slice text)
{
	buf_char(b, quote);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == (uint8_t)quote || text.p[i] == '\\')
			buf_char(b, '\\');
		if (text.p[i] == '\0')
			buf_str_add(b, "\\0");
		else
			buf_char(b, (char)text.p[i]);
	}
	buf_char(b, quote);
}

void
ch_ident(struct buf *b, const char *name)
{
	quoted(b, '`', slice_str(name));
}

void
ch_qualified(struct buf *b, const char *database, const char *name)
{
	ch_ident(b, database);
	buf_char(b, '.');
	ch_ident(b, name);
}

void
ch_literal(struct buf *b, struct slice value)
{
	quoted(b, '\'', value);
}
