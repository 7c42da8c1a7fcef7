/*
 * buf - bytes that grow, up to a ceiling given at birth
 *
 * The storage is the caller's, the bytes are the buffer's. Writing past the
 * ceiling stores nothing more and marks the buffer (buf_overflowed), so a
 * writer checks once at the end. The bytes are always NUL-terminated beyond
 * their length, so buf_str() works for text at any moment.
 */
#ifndef PEERD_BASE_BUF_H
#define PEERD_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"

struct buf {
	uint8_t *p;
	size_t n; /* bytes in use */
	size_t cap;
	size_t max;
	bool overflowed;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);  /* frees; may be called on a zeroed struct */
void buf_reset(struct buf *b); /* empty, keeps the memory */

uint8_t *buf_grow(struct buf *b, size_t n); /* buf_room(), where there is none yet */

/* Room for n more bytes, or NULL (and overflowed); the caller adds to b->n what it used. */
static inline uint8_t *
buf_room(struct buf *b, size_t n)
{
	if (n < b->cap - b->n && n <= b->max - b->n && !b->overflowed)
		return b->p + b->n;
	return buf_grow(b, n);
}

static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
	uint8_t *to = buf_room(b, n);

	if (to == NULL)
		return;
	if (n > 0)
		memcpy(to, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

static inline void
buf_str_add(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void
buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
void buf_u16(struct buf *b, uint16_t v); /* big-endian */
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_consume(struct buf *b, size_t n); /* drop n bytes from the front */

static inline const char *
buf_str(const struct buf *b)
{
	return b->p != NULL ? (const char *)b->p : "";
}

static inline struct slice
buf_slice(const struct buf *b)
{
	return slice_of(b->p, b->n);
}

static inline bool
buf_overflowed(const struct buf *b)
{
	return b->overflowed;
}

/* The text so far as a malloc'd string of the caller's; the buffer is emptied. */
char *buf_take(struct buf *b);

#endif
