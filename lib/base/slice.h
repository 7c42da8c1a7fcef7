/*
 * slice - borrowed bytes, and a reader over them
 *
 * A slice never owns what it points to and dies with its lender (a network
 * message, an arena). arena_dup_slice() keeps a copy.
 *
 * rbuf reads big-endian integers and strings from a slice. Failure is sticky:
 * after the first short read every further read gives 0 or an empty slice and
 * rbuf_ok() is false, so a decoder reads all its fields and asks once at the
 * end: rbuf_done() is true when nothing failed and nothing is left over.
 */
#ifndef PEERD_BASE_SLICE_H
#define PEERD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *p;
	size_t n;
};

static inline struct slice
slice_of(const void *p, size_t n)
{
	return (struct slice){ .p = p, .n = n };
}

static inline struct slice
slice_str(const char *s)
{
	return slice_of(s, strlen(s));
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

struct rbuf {
	const uint8_t *p;
	const uint8_t *end;
	bool failed;
};

static inline struct rbuf
rbuf_of(struct slice s)
{
	return (struct rbuf){ .p = s.p, .end = s.p + s.n };
}

static inline size_t
rbuf_left(const struct rbuf *r)
{
	return (size_t)(r->end - r->p);
}

/* The next n bytes, borrowed; an empty slice and failure when there are fewer. */
static inline struct slice
rbuf_bytes(struct rbuf *r, size_t n)
{
	struct slice s = { .p = r->p, .n = n };

	if (r->failed || n > rbuf_left(r)) {
		r->failed = true;
		return (struct slice){ .p = r->p, .n = 0 };
	}
	r->p += n;
	return s;
}

static inline uint8_t
rbuf_u8(struct rbuf *r)
{
	struct slice s = rbuf_bytes(r, 1);

	return s.n == 1 ? s.p[0] : 0;
}

static inline uint16_t
rbuf_u16(struct rbuf *r)
{
	struct slice s = rbuf_bytes(r, 2);

	return s.n == 2 ? (uint16_t)(s.p[0] << 8 | s.p[1]) : 0;
}

static inline uint32_t
rbuf_u32(struct rbuf *r)
{
	struct slice s = rbuf_bytes(r, 4);
	uint32_t v;

	if (s.n != 4)
		return 0;
	memcpy(&v, s.p, 4);
	return __builtin_bswap32(v);
}

static inline uint64_t
rbuf_u64(struct rbuf *r)
{
	struct slice s = rbuf_bytes(r, 8);
	uint64_t v;

	if (s.n != 8)
		return 0;
	memcpy(&v, s.p, 8);
	return __builtin_bswap64(v);
}

/* A NUL-terminated string inside the slice, borrowed, the NUL consumed. "" on failure. */
const char *rbuf_cstr(struct rbuf *r);

static inline bool
rbuf_ok(const struct rbuf *r)
{
	return !r->failed;
}

static inline bool
rbuf_done(const struct rbuf *r)
{
	return !r->failed && r->p == r->end;
}

/* Store big-endian integers; the room is the caller's business. */
static inline void
put_u16(uint8_t *p, uint16_t v)
{
	v = __builtin_bswap16(v);
	memcpy(p, &v, 2);
}

static inline void
put_u32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}

static inline void
put_u64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
}

#endif
