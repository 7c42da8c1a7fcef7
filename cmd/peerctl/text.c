#include "cmd/peerctl/text.h"

#include <stdarg.h>
#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"

#define BAR_WIDTH 20

const char *
text_count(int64_t n, char to[TEXT_NUMBER])
{
	char digits[TEXT_NUMBER];
	int len = snprintf(digits, sizeof(digits), "%lld", (long long)n), first = n < 0, at = 0;

	for (int i = 0; i < len; i++) {
		if (i > first && (len - i) % 3 == 0)
			to[at++] = ',';
		to[at++] = digits[i];
	}
	to[at] = '\0';
	return to;
}

const char *
text_bytes(int64_t n, char to[TEXT_NUMBER])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)n / 1024;
	size_t unit = 0;

	if (n < 0)
		snprintf(to, TEXT_NUMBER, "-");
	else if (n < 1024)
		snprintf(to, TEXT_NUMBER, "%d B", (int)n);
	else {
		for (; v >= 1023.95; unit++)
			v /= 1024;
		snprintf(to, TEXT_NUMBER, "%.1f %s", v, units[unit]);
	}
	return to;
}

const char *
text_duration(int64_t ms, char to[TEXT_NUMBER])
{
	long long s = (long long)ms / 1000;

	if (ms < 0)
		snprintf(to, TEXT_NUMBER, "-");
	else if (s < 60)
		snprintf(to, TEXT_NUMBER, "%.1f s", (double)(ms / 100) / 10);
	else if (s < 3600)
		snprintf(to, TEXT_NUMBER, "%lld min %02lld s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(to, TEXT_NUMBER, "%lld h %02lld min", s / 3600, s / 60 % 60);
	else
		snprintf(to, TEXT_NUMBER, "%lld d %02lld h", s / 86400, s / 3600 % 24);
	return to;
}

void
text_add_bar(struct buf *out, double fraction)
{
	int full = (int)(fraction * BAR_WIDTH + 0.001);

	buf_char(out, '[');
	for (int i = 0; i < BAR_WIDTH; i++)
		buf_char(out, i < full ? '#' : '-');
	buf_char(out, ']');
}

void
text_add_clean(struct buf *out, const char *s)
{
	for (; *s != '\0'; s++)
		buf_char(out,
		    *s == '\n' || *s == '\t'			 ? ' '
			: (unsigned char)*s < 0x20 || *s == 0x7f ? '?'
								 : *s);
}

size_t
text_width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* ---- tables -------------------------------------------------------------- */

struct item {
	char *text;
	bool note;
};

struct table {
	const char *align;
	const char *const *heads;
	size_t columns;
	size_t width[TABLE_COLUMNS_MAX];
	size_t next; /* the column of the next cell */
	struct item *items;
	size_t n;
};

struct table *
table_new(const char *align, const char *const *heads)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->align = align;
	t->heads = heads;
	t->columns = strlen(align);
	for (size_t i = 0; i < t->columns; i++)
		t->width[i] = text_width(heads[i]);
	return t;
}

void
table_free(struct table **t)
{
	if (*t == NULL)
		return;
	for (size_t i = 0; i < (*t)->n; i++)
		free((*t)->items[i].text);
	free((*t)->items);
	MEM_FREE(*t);
}

static const char *
add_item(struct table *t, bool note, const char *fmt, va_list ap)
{
	struct buf raw, clean;

	buf_init(&raw, MIB);
	buf_init(&clean, MIB);
	buf_vprintf(&raw, fmt, ap);
	text_add_clean(&clean, buf_str(&raw));
	buf_done(&raw);
	t->items = xrealloc(t->items, (t->n + 1) * sizeof(*t->items));
	t->items[t->n] = (struct item){ .text = buf_take(&clean), .note = note };
	return t->items[t->n++].text;
}

void
table_cell(struct table *t, const char *fmt, ...)
{
	const char *text;
	va_list ap;
	size_t width;

	va_start(ap, fmt);
	text = add_item(t, false, fmt, ap);
	va_end(ap);
	width = text_width(text);
	if (width > t->width[t->next])
		t->width[t->next] = width;
	t->next = (t->next + 1) % t->columns;
}

void
table_note(struct table *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_item(t, true, fmt, ap);
	va_end(ap);
}

static void
print_cell(const struct table *t, size_t column, const char *text, struct buf *out)
{
	int pad = (int)(t->width[column] - text_width(text));
	bool last = column + 1 == t->columns;

	if (t->align[column] == 'r')
		buf_printf(out, "%*s%s", pad, "", text);
	else
		buf_printf(out, "%s%*s", text, last ? 0 : pad, "");
	buf_str_add(out, last ? "\n" : "  ");
}

void
table_print(const struct table *t, struct buf *out)
{
	size_t column = 0;

	for (size_t i = 0; i < t->columns; i++)
		print_cell(t, i, t->heads[i], out);
	for (size_t i = 0; i < t->n; i++) {
		if (t->items[i].note) {
			buf_printf(out, "%s\n", t->items[i].text);
			continue;
		}
		print_cell(t, column, t->items[i].text, out);
		column = (column + 1) % t->columns;
	}
}
