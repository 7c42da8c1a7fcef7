#include "lib/base/limits.h"
#include "lib/conn/pgconn.h"
#include "lib/sink/pg_int.h"

/*
 * Binary COPY (PostgreSQL documentation, COPY, "Binary Format"):
 *	"PGCOPY\n\377\r\n\0"  u32 flags  u32 extension length
 *	rows: u16 ncols, then per column u32 length (or -1) and bytes
 *	trailer: u16 -1
 * Text COPY: values separated by tabs, rows ended by line feeds, \N for NULL,
 * backslash escapes for what would be taken for one of these.
 */
static const char signature[] = "PGCOPY\n\377\r\n"; /* its final NUL belongs to it */

void
pg_copy_sql(const struct pg_table *pt, bool text, struct buf *sql)
{
	uint16_t i;

	buf_printf(sql, "COPY %s (", pt->name);
	for (i = 0; i < pt->t->ncols; i++) {
		buf_str_add(sql, i > 0 ? ", " : "");
		pgconn_ident(sql, pt->t->cols[i].destination);
	}
	buf_printf(sql, ") FROM STDIN%s", text ? "" : " (FORMAT binary)");
}

void
pg_copy_header(bool text, struct buf *out)
{
	if (text)
		return;
	buf_add(out, signature, sizeof(signature));
	buf_u32(out, 0);
	buf_u32(out, 0);
}

static void
escape(struct row_value v, struct buf *out)
{
	static const char codes[256] = {
		['\\'] = '\\',
		['\b'] = 'b',
		['\f'] = 'f',
		['\n'] = 'n',
		['\r'] = 'r',
		['\t'] = 't',
		['\v'] = 'v',
	};
	uint8_t *to = buf_room(out, (size_t)v.len * 2);
	uint32_t i;

	if (to == NULL)
		return;
	for (i = 0; i < v.len; i++) {
		if (codes[v.p[i]] == '\0') {
			*to++ = v.p[i];
		} else {
			*to++ = '\\';
			*to++ = (uint8_t)codes[v.p[i]];
		}
	}
	out->n = (size_t)(to - out->p);
}

static void
text_row(const struct pg_table *pt, const struct row *r, struct buf *out)
{
	const uint8_t *at = r->data;
	struct row_value v;
	uint16_t i;

	for (i = 0; i < pt->t->ncols; i++) {
		v = row_next(r, &at);
		if (i > 0)
			buf_char(out, '\t');
		if (v.len == ROW_NULL)
			buf_str_add(out, "\\N");
		else
			escape(v, out);
	}
	buf_char(out, '\n');
}

void
pg_copy_row(const struct pg_table *pt, const struct row *r, struct buf *out)
{
	if (r->text) {
		text_row(pt, r, out);
		return;
	}
	buf_u16(out, pt->t->ncols);
	buf_add(out, r->data, r->size);
}

void
pg_copy_trailer(bool text, struct buf *out)
{
	if (!text)
		buf_u16(out, 0xffff);
}
