#include "lib/conn/kbatch.h"

#include <lz4frame.h>
#include <zstd.h>

#include "lib/base/log.h"

#define MAGIC	      2
#define HEADER_BYTES  61
#define LENGTH_AT     8 /* what is before it, and itself, is not counted */
#define CRC_AT	      17
#define CRC_FROM      21
#define TRANSACTIONAL 0x10
#define VARINT_MAX    10

/* ---- CRC-32C */

/* Of the reversed polynomial 0x82f63b78, for four bits. */
static const uint32_t crc_of_nibble[16] = {
	0x00000000,
	0x105ec76f,
	0x20bd8ede,
	0x30e349b1,
	0x417b1dbc,
	0x5125dad3,
	0x61c69362,
	0x7198540d,
	0x82f63b78,
	0x92a8fc17,
	0xa24bb5a6,
	0xb21572c9,
	0xc38d26c4,
	0xd3d3e1ab,
	0xe330a81a,
	0xf36e6f75,
};

static uint32_t
crc_bytes(uint32_t crc, const uint8_t *p, size_t n)
{
	for (; n > 0; n--) {
		crc ^= *p++;
		crc = crc >> 4 ^ crc_of_nibble[crc & 15];
		crc = crc >> 4 ^ crc_of_nibble[crc & 15];
	}
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
crc_words(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t c = crc, word;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		c = __builtin_ia32_crc32di(c, word);
	}
	return crc_bytes((uint32_t)c, p, n);
}
#endif

uint32_t
kbatch_crc32c(uint32_t crc, const void *p, size_t n)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_words(~crc, p, n);
#endif
	return ~crc_bytes(~crc, p, n);
}

/* ---- records */

static size_t
varint_size(uint64_t zigzag)
{
	size_t n = 1;

	for (; zigzag >= 0x80; zigzag >>= 7)
		n++;
	return n;
}

static uint8_t *
put_zigzag(uint8_t *p, uint64_t zigzag)
{
	for (; zigzag >= 0x80; zigzag >>= 7)
		*p++ = (uint8_t)zigzag | 0x80;
	*p++ = (uint8_t)zigzag;
	return p;
}

/* Of what is not negative; twice it is its zigzag form. */
static uint8_t *
put_varint(uint8_t *p, size_t v)
{
	return put_zigzag(p, (uint64_t)v << 1);
}

static size_t
sized_size(size_t n)
{
	return varint_size((uint64_t)n << 1) + n;
}

static uint8_t *
put_sized(uint8_t *p, const void *bytes, size_t n)
{
	p = put_varint(p, n);
	if (n > 0)
		memcpy(p, bytes, n);
	return p + n;
}

static size_t
maybe_size(struct slice s)
{
	return s.p != NULL ? sized_size(s.n) : 1;
}

static uint8_t *
put_maybe(uint8_t *p, struct slice s)
{
	if (s.p != NULL)
		return put_sized(p, s.p, s.n);
	*p++ = 1; /* -1 */
	return p;
}

/* What follows the record's length. */
static size_t
body_size(const struct kclient_record *r, int32_t at)
{
	size_t n = 2 + varint_size((uint64_t)at << 1) + maybe_size(r->key) + maybe_size(r->value) +
	    varint_size((uint64_t)r->nheaders << 1);
	unsigned i;

	for (i = 0; i < r->nheaders; i++)
		n += sized_size(r->headers[i].name.n) + maybe_size(r->headers[i].value);
	return n;
}

static uint8_t *
put_record(uint8_t *p, const struct kclient_record *r, int32_t at, size_t size)
{
	unsigned i;

	p = put_varint(p, size);
	*p++ = 0; /* attributes: there are none */
	*p++ = 0; /* later than the first by */
	p = put_varint(p, (size_t)at);
	p = put_maybe(p, r->key);
	p = put_maybe(p, r->value);
	p = put_varint(p, r->nheaders);
	for (i = 0; i < r->nheaders; i++) {
		p = put_sized(p, r->headers[i].name.p, r->headers[i].name.n);
		p = put_maybe(p, r->headers[i].value);
	}
	return p;
}

bool
kbatch_add(struct kbatch_open *open, const struct kclient_record *r)
{
	size_t size = body_size(r, open->count);
	uint8_t *p;

	if (size + VARINT_MAX > open->records.max - open->records.n)
		return false;
	p = buf_room(&open->records, size + VARINT_MAX);
	if (open->count++ == 0)
		open->at_ms = clock_wall_us() / USEC_PER_MSEC;
	p = put_record(p, r, open->count - 1, size);
	open->records.n = (size_t)(p - open->records.p);
	return true;
}

/* ---- batches */

/* Kafka's readers want blocks that can be read one by one. */
static LZ4F_preferences_t
lz4_preferences(int level)
{
	return (LZ4F_preferences_t){
		.frameInfo = { .blockMode = LZ4F_blockIndependent, .blockSizeID = LZ4F_max64KB },
		.compressionLevel = level,
	};
}

/* 0: it did not get smaller. */
static size_t
pack(const struct kbatch_form *form, struct slice from, struct buf *to)
{
	LZ4F_preferences_t lz4 = lz4_preferences(form->level);
	bool is_lz4 = form->codec == KBATCH_LZ4;
	size_t room = is_lz4 ? LZ4F_compressFrameBound(from.n, &lz4) : ZSTD_compressBound(from.n);
	uint8_t *p = buf_room(to, room);
	size_t n;

	if (p == NULL)
		return 0;
	n = is_lz4 ? LZ4F_compressFrame(p, room, from.p, from.n, &lz4)
		   : ZSTD_compress(p, room, from.p, from.n, form->level);
	if (is_lz4 ? LZ4F_isError(n) : ZSTD_isError(n))
		return 0;
	return n < from.n ? n : 0;
}

static enum kbatch_codec
put_records(const struct kbatch_open *open, const struct kbatch_form *form, struct buf *to)
{
	size_t n = form->codec != KBATCH_PLAIN ? pack(form, buf_slice(&open->records), to) : 0;

	if (n > 0) {
		to->n += n;
		return form->codec;
	}
	buf_add(to, open->records.p, open->records.n);
	return KBATCH_PLAIN;
}

static void
put_header(uint8_t *p, const struct kbatch_open *open, const struct kbatch_form *form,
    enum kbatch_codec codec, int32_t sequence, size_t size)
{
	uint16_t attributes = (uint16_t)(codec | (form->transactional ? TRANSACTIONAL : 0));

	put_u64(p, 0); /* offset: the broker's business */
	put_u32(p + LENGTH_AT, (uint32_t)(size - LENGTH_AT - 4));
	put_u32(p + 12, UINT32_MAX); /* leader's epoch: so too */
	p[16] = MAGIC;
	put_u16(p + CRC_FROM, attributes);
	put_u32(p + 23, (uint32_t)(open->count - 1));
	put_u64(p + 27, (uint64_t)open->at_ms); /* of the first */
	put_u64(p + 35, (uint64_t)open->at_ms); /* and of the last */
	put_u64(p + 43, (uint64_t)form->producer.id);
	put_u16(p + 51, (uint16_t)form->producer.epoch);
	put_u32(p + 53, (uint32_t)sequence);
	put_u32(p + 57, (uint32_t)open->count);
	put_u32(p + CRC_AT, kbatch_crc32c(0, p + CRC_FROM, size - CRC_FROM));
}

void
kbatch_close(struct kbatch_open *open, const struct kbatch_form *form, int32_t sequence,
    struct buf *to)
{
	size_t begun = to->n;
	enum kbatch_codec codec;

	if (buf_room(to, HEADER_BYTES) == NULL)
		return;
	to->n += HEADER_BYTES;
	codec = put_records(open, form, to);
	if (!buf_overflowed(to))
		put_header(to->p + begun, open, form, codec, sequence, to->n - begun);
	buf_reset(&open->records);
	open->count = 0;
}
