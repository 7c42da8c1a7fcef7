/*
 * Bodies in the encodings of HTTP that servers read: one frame each, made whole
 * before it is sent, since its length is not known before.
 */
#include <lz4frame.h>
#include <zlib.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/conn/chclient_int.h"

#define LZ4_BLOCK   (256 * KIB)
#define GZIP_WINDOW (MAX_WBITS + 16) /* zlib's way to ask for gzip's frame */
#define GZIP_MEMORY 9		     /* the most: larger blocks */
#define GZIP_PIECE  (64 * MIB)	     /* zlib counts what it is given in 32 bits */

size_t
chpack_size(const struct slice *slices, size_t n)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += slices[i].n;
	return total;
}

/* ---- LZ4 */

static size_t
lz4(size_t result)
{
	if (LZ4F_isError(result))
		bug("LZ4: %s", LZ4F_getErrorName(result));
	return result;
}

void
chpack_lz4(const struct slice *slices, size_t nslices, struct buf *to)
{
	size_t total = chpack_size(slices, nslices), max, n;
	LZ4F_preferences_t how = { .frameInfo = { .contentSize = total,
				       .blockSizeID = LZ4F_max256KB } };
	LZ4F_cctx *ctx;
	uint8_t *room;

	/* each update wants room for the block that is not full yet as well */
	max = LZ4F_compressFrameBound(total, &how) + 2 * LZ4_BLOCK;
	buf_init(to, max);
	room = buf_room(to, max);
	lz4(LZ4F_createCompressionContext(&ctx, LZ4F_VERSION));
	n = lz4(LZ4F_compressBegin(ctx, room, max, &how));
	for (size_t i = 0; i < nslices; i++)
		n += lz4(
		    LZ4F_compressUpdate(ctx, room + n, max - n, slices[i].p, slices[i].n, NULL));
	n += lz4(LZ4F_compressEnd(ctx, room + n, max - n, NULL));
	LZ4F_freeCompressionContext(ctx);
	to->n = n;
}

/* ---- gzip */

static void
deflate_piece(z_stream *z, struct slice piece, int flush, size_t max)
{
	size_t left = max - z->total_out;
	int result;

	z->next_in = (Bytef *)piece.p;
	z->avail_in = (uInt)piece.n;
	z->avail_out = (uInt)(left < 2 * GZIP_PIECE ? left : 2 * GZIP_PIECE);
	result = deflate(z, flush);
	if (z->avail_in > 0 || result != (flush == Z_FINISH ? Z_STREAM_END : Z_OK))
		bug("zlib: error %d", result);
}

static void
deflate_slice(z_stream *z, struct slice s, size_t max)
{
	size_t from, n;

	for (from = 0; from < s.n; from += n) {
		n = s.n - from < GZIP_PIECE ? s.n - from : GZIP_PIECE;
		deflate_piece(z, slice_of(s.p + from, n), Z_NO_FLUSH, max);
	}
}

void
chpack_gzip(const struct slice *slices, size_t nslices, bool small, struct buf *to)
{
	int level = small ? Z_BEST_SPEED : Z_NO_COMPRESSION;
	size_t total = chpack_size(slices, nslices), max;
	z_stream z = { .zalloc = Z_NULL };

	if (deflateInit2(&z, level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		bug("zlib does not start");
	/* what a block that is ended early takes more, for each call */
	max = deflateBound(&z, total) + 64 * (nslices + total / GZIP_PIECE + 1);
	buf_init(to, max);
	z.next_out = buf_room(to, max);
	for (size_t i = 0; i < nslices; i++)
		deflate_slice(&z, slices[i], max);
	deflate_piece(&z, slice_of(NULL, 0), Z_FINISH, max);
	to->n = z.total_out;
	deflateEnd(&z);
}
