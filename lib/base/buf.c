#include "lib/base/buf.h"
#include "lib/base/mem.h"

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .max = b->max };
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->overflowed = false;
	if (b->p != NULL)
		b->p[0] = '\0';
}

uint8_t *
buf_grow(struct buf *b, size_t n)
{
	size_t cap = b->cap > 0 ? b->cap : 256;

	if (b->overflowed || n > b->max - b->n) {
		b->overflowed = true;
		return NULL;
	}
	if (b->p == NULL || b->n + n + 1 > b->cap) {
		while (cap < b->n + n + 1)
			cap *= 2;
		b->p = xrealloc(b->p, cap);
		b->cap = cap;
	}
	return b->p + b->n;
}

void
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	uint8_t *to;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	to = buf_room(b, (size_t)n);
	if (to != NULL) {
		vsnprintf((char *)to, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void
buf_u16(struct buf *b, uint16_t v)
{
	uint8_t be[2];

	put_u16(be, v);
	buf_add(b, be, sizeof(be));
}

void
buf_u32(struct buf *b, uint32_t v)
{
	uint8_t be[4];

	put_u32(be, v);
	buf_add(b, be, sizeof(be));
}

void
buf_u64(struct buf *b, uint64_t v)
{
	uint8_t be[8];

	put_u64(be, v);
	buf_add(b, be, sizeof(be));
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n >= b->n) {
		buf_reset(b);
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
	b->p[b->n] = '\0';
}

char *
buf_take(struct buf *b)
{
	char *s = b->p != NULL ? (char *)b->p : xstrdup("");

	*b = (struct buf){ .max = b->max };
	return s;
}
