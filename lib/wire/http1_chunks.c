#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/wire/http1.h"

/*
 * chunk    1*HEX [ ';' extension ] CRLF  bytes CRLF
 * body     chunks, then "0" CRLF, trailer lines, an empty line
 */
enum chunk_state {
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_DATA,
	CHUNK_DATA_END, /* CR LF behind the data */
	CHUNK_TRAILER,	/* at the start of a trailer line */
	CHUNK_TRAILER_LINE,
	CHUNK_DONE,
};

#define CHUNK_DIGITS_MAX 15 /* fits 64 bits */
#define CHUNK_EXTRA_MAX	 (16 * 1024)

static bool
chunk_size_end(struct http1_chunks *c, struct err *err)
{
	if (c->digits == 0)
		return err_set(err, ERR_INVALID, "malformed chunk in the body");
	c->digits = 0;
	c->state = c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
	return true;
}

static bool
chunk_size(struct http1_chunks *c, uint8_t b, struct err *err)
{
	uint8_t low = b | 0x20;

	if (b == '\n')
		return chunk_size_end(c, err);
	if (b == ';' || b == ' ') {
		c->state = CHUNK_EXTENSION;
		return true;
	}
	if (!((b >= '0' && b <= '9') || (low >= 'a' && low <= 'f')) ||
	    ++c->digits > CHUNK_DIGITS_MAX)
		return err_set(err, ERR_INVALID, "malformed chunk in the body");
	c->left = c->left << 4 | (uint64_t)(b <= '9' ? b - '0' : low - 'a' + 10);
	return true;
}

static bool
chunk_extra(struct http1_chunks *c, struct err *err)
{
	if (++c->extra > CHUNK_EXTRA_MAX)
		return err_set(err, ERR_TOO_LARGE, "too much beside the chunks of the body");
	return true;
}

/* One byte outside of chunk data, line ends being LF alone. */
static bool
chunk_byte(struct http1_chunks *c, uint8_t b, struct err *err)
{
	switch ((enum chunk_state)c->state) {
	case CHUNK_SIZE:
		return chunk_size(c, b, err);
	case CHUNK_EXTENSION:
		return b == '\n' ? chunk_size_end(c, err) : chunk_extra(c, err);
	case CHUNK_DATA_END:
		if (b != '\n')
			return err_set(err, ERR_INVALID, "malformed chunk in the body");
		c->state = CHUNK_SIZE;
		return true;
	case CHUNK_TRAILER:
		c->state = b == '\n' ? CHUNK_DONE : CHUNK_TRAILER_LINE;
		return chunk_extra(c, err);
	case CHUNK_TRAILER_LINE:
		if (b == '\n')
			c->state = CHUNK_TRAILER;
		return chunk_extra(c, err);
	case CHUNK_DATA:
	case CHUNK_DONE:
		break;
	}
	return true;
}

/* A CR is only right before LF. */
static bool
chunk_line_byte(struct http1_chunks *c, uint8_t b, struct err *err)
{
	if (c->cr && b != '\n')
		return err_set(err, ERR_INVALID, "malformed chunk in the body");
	c->cr = b == '\r';
	return c->cr || chunk_byte(c, b, err);
}

bool
http1_chunks_feed(struct http1_chunks *c, struct slice in, size_t *used_r, struct buf *out,
    struct err *err)
{
	size_t used = 0, n;

	while (used < in.n && c->state != CHUNK_DONE) {
		if (c->state != CHUNK_DATA) {
			if (!chunk_line_byte(c, in.p[used++], err))
				return false;
			continue;
		}
		n = in.n - used < c->left ? in.n - used : (size_t)c->left;
		buf_add(out, in.p + used, n);
		used += n;
		c->left -= n;
		if (c->left == 0)
			c->state = CHUNK_DATA_END;
	}
	*used_r = used;
	return true;
}

bool
http1_chunks_done(const struct http1_chunks *c)
{
	return c->state == CHUNK_DONE;
}
