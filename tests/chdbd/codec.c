#include "tests/chdbd/codec.h"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/wire/http1.h"

#define GZIP_WINDOW (MAX_WBITS + 16) /* zlib's way to ask for gzip's frame */

struct codec {
	const char *name;
	int window; /* of zlib */
	bool (*open)(struct decoder *d);
	bool (
	    *feed)(struct decoder *d, const uint8_t *in, size_t *in_n, uint8_t *out, size_t *out_n);
	void (*close)(struct decoder *d);
	void (*encode)(const struct codec *c, struct slice in, struct buf *out);
};

struct decoder {
	const struct codec *codec;
	bool at_end; /* of a frame */
	union {
		z_stream z;
		LZ4F_dctx *lz4;
		ZSTD_DCtx *zstd;
	} u;
};

/* ---- gzip and deflate */

static bool
zlib_open(struct decoder *d)
{
	return inflateInit2(&d->u.z, d->codec->window) == Z_OK;
}

static bool
zlib_feed(struct decoder *d, const uint8_t *in, size_t *in_n, uint8_t *out, size_t *out_n)
{
	z_stream *z = &d->u.z;
	int rc;

	z->next_in = (Bytef *)in;
	z->avail_in = (uInt)*in_n;
	z->next_out = out;
	z->avail_out = (uInt)*out_n;
	if (d->at_end && *in_n > 0)
		inflateReset(z); /* gzip members may follow each other */
	rc = inflate(z, Z_NO_FLUSH);
	*in_n -= z->avail_in;
	*out_n -= z->avail_out;
	d->at_end = rc == Z_STREAM_END;
	return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR;
}

static void
zlib_close(struct decoder *d)
{
	inflateEnd(&d->u.z);
}

static void
zlib_encode(const struct codec *c, struct slice in, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)in.p, .avail_in = (uInt)in.n };

	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, c->window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	z.avail_out = (uInt)deflateBound(&z, in.n);
	z.next_out = buf_room(out, z.avail_out);
	if (z.next_out != NULL && deflate(&z, Z_FINISH) == Z_STREAM_END)
		out->n += z.total_out;
	deflateEnd(&z);
}

/* ---- lz4 */

static bool
lz4_open(struct decoder *d)
{
	return !LZ4F_isError(LZ4F_createDecompressionContext(&d->u.lz4, LZ4F_VERSION));
}

static bool
lz4_feed(struct decoder *d, const uint8_t *in, size_t *in_n, uint8_t *out, size_t *out_n)
{
	size_t hint = LZ4F_decompress(d->u.lz4, out, out_n, in, in_n, NULL);

	d->at_end = hint == 0;
	return !LZ4F_isError(hint);
}

static void
lz4_close(struct decoder *d)
{
	LZ4F_freeDecompressionContext(d->u.lz4);
}

static void
lz4_encode(const struct codec *c, struct slice in, struct buf *out)
{
	size_t bound = LZ4F_compressFrameBound(in.n, NULL);
	uint8_t *room = buf_room(out, bound);
	size_t n = room != NULL ? LZ4F_compressFrame(room, bound, in.p, in.n, NULL) : 0;

	out->n += LZ4F_isError(n) ? 0 : n;
}

/* ---- zstd */

static bool
zstd_open(struct decoder *d)
{
	d->u.zstd = ZSTD_createDCtx();
	return d->u.zstd != NULL;
}

static bool
zstd_feed(struct decoder *d, const uint8_t *in, size_t *in_n, uint8_t *out, size_t *out_n)
{
	ZSTD_inBuffer from = { .src = in, .size = *in_n };
	ZSTD_outBuffer to = { .dst = out, .size = *out_n };
	size_t hint = ZSTD_decompressStream(d->u.zstd, &to, &from);

	*in_n = from.pos;
	*out_n = to.pos;
	d->at_end = hint == 0;
	return !ZSTD_isError(hint);
}

static void
zstd_close(struct decoder *d)
{
	ZSTD_freeDCtx(d->u.zstd);
}

static void
zstd_encode(const struct codec *c, struct slice in, struct buf *out)
{
	size_t bound = ZSTD_compressBound(in.n);
	uint8_t *room = buf_room(out, bound);
	size_t n = room != NULL ? ZSTD_compress(room, bound, in.p, in.n, 1) : 0;

	out->n += ZSTD_isError(n) ? 0 : n;
}

/* ---- all of them, the preferred first */

static const struct codec codecs[] = {
	{ "lz4", 0, lz4_open, lz4_feed, lz4_close, lz4_encode },
	{ "zstd", 0, zstd_open, zstd_feed, zstd_close, zstd_encode },
	{ "gzip", GZIP_WINDOW, zlib_open, zlib_feed, zlib_close, zlib_encode },
	{ "deflate", MAX_WBITS, zlib_open, zlib_feed, zlib_close, zlib_encode },
};

#define CODECS (sizeof(codecs) / sizeof(*codecs))

const struct codec *
codec_find(const char *name)
{
	for (size_t i = 0; i < CODECS; i++)
		if (strcasecmp(codecs[i].name, name) == 0)
			return &codecs[i];
	return NULL;
}

const struct codec *
codec_choose(const char *accept_encoding)
{
	for (size_t i = 0; i < CODECS; i++)
		if (http1_has_token(accept_encoding, codecs[i].name))
			return &codecs[i];
	return NULL;
}

const char *
codec_name(const struct codec *c)
{
	return c->name;
}

void
codec_encode(const struct codec *c, struct slice in, struct buf *out)
{
	c->encode(c, in, out);
}

struct decoder *
decoder_new(const struct codec *c)
{
	struct decoder *d = xcalloc(1, sizeof(*d));

	d->codec = c;
	if (!c->open(d))
		abort(); /* out of memory */
	return d;
}

void
decoder_free(struct decoder **d)
{
	if (*d == NULL)
		return;
	(*d)->codec->close(*d);
	MEM_FREE(*d);
}

bool
decoder_feed(struct decoder *d, struct slice *in, struct buf *out)
{
	size_t used, made;
	uint8_t *room;

	if (in->n == 0 && d->at_end)
		return true; /* a decoder asked again would wait for another frame */
	do {
		used = in->n;
		made = out->max - out->n;
		room = buf_room(out, made);
		if (!d->codec->feed(d, in->p, &used, room, &made))
			return false;
		in->p += used;
		in->n -= used;
		out->n += made;
	} while (in->n > 0 && out->n < out->max && used + made > 0);
	return true;
}

bool
decoder_whole(const struct decoder *d)
{
	return d->at_end;
}
