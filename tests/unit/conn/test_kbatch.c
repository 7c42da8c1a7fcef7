/*
 * Batches are read back by a reader of this file's own, which shares nothing
 * with the writer: header, varints, compression and checksum are done anew, the
 * last bit by bit.
 */
#include "lib/conn/kbatch.h"

#include <check.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <zstd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"

#define RECORDS_MAX  (64 * 1024 * 1024)
#define HEADER_BYTES 61
#define LONG_BYTES   20000
#define HEADERS	     3
#define SEQUENCE     0x01020304
#define COUNT(rows)  ((int)(sizeof(rows) / sizeof((rows)[0])))

static const struct kwire_producer producer = { .id = 0x1112131415161718, .epoch = 0x191a };

static struct kbatch_open open;
static struct buf out;
static uint8_t long_text[LONG_BYTES], noise[LONG_BYTES];

static void
setup(void)
{
	uint32_t x = 2463534242;
	size_t i;

	for (i = 0; i < LONG_BYTES; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		noise[i] = (uint8_t)(x >> 11);
		long_text[i] = (uint8_t)("a long text "[i % 12]);
	}
	buf_init(&open.records, RECORDS_MAX);
	buf_init(&out, 2 * RECORDS_MAX);
}

static void
teardown(void)
{
	buf_done(&open.records);
	buf_done(&out);
}

/* ---- checksums */

static uint32_t
crc_by_bits(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;
	int bit;

	for (; n > 0; n--, p++)
		for (crc ^= *p, bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
	return ~crc;
}

START_TEST(checksums_are_the_known_ones)
{
	static const uint8_t zeros[32];
	uint8_t ones[32];

	memset(ones, 0xff, sizeof(ones));
	ck_assert_uint_eq(kbatch_crc32c(0, "", 0), 0);
	ck_assert_uint_eq(kbatch_crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(kbatch_crc32c(0, zeros, sizeof(zeros)), 0x8a9136aa);
	ck_assert_uint_eq(kbatch_crc32c(0, ones, sizeof(ones)), 0x62a8ab43);
}
END_TEST

START_TEST(a_checksum_is_the_same_anywhere_and_in_pieces)
{
	size_t at, n, cut;
	uint32_t want;

	for (at = 0; at < 16; at++)
		for (n = 0; n <= 64; n++) {
			want = crc_by_bits(noise + at, n);
			for (cut = 0; cut <= n; cut++)
				ck_assert_uint_eq(kbatch_crc32c(kbatch_crc32c(0, noise + at, cut),
						      noise + at + cut, n - cut),
				    want);
		}
}
END_TEST

/* ---- the reader */

struct batch {
	int64_t offset, first_ms, last_ms, producer;
	int32_t length, last_delta, sequence, count;
	uint32_t leader_epoch, crc;
	uint16_t attributes, epoch;
	uint8_t magic;
	struct slice body;
	uint8_t *records; /* owned: the body made plain */
	size_t nrecords;
};

static void
unpack(struct batch *b)
{
	size_t room = RECORDS_MAX, used = b->body.n, left = 0;
	LZ4F_dctx *ctx;

	b->records = xmalloc(room);
	switch (b->attributes & 7) {
	case 0:
		memcpy(b->records, b->body.p, b->body.n);
		b->nrecords = b->body.n;
		break;
	case 3:
		ck_assert(!LZ4F_isError(LZ4F_createDecompressionContext(&ctx, LZ4F_VERSION)));
		left = LZ4F_decompress(ctx, b->records, &room, b->body.p, &used, NULL);
		LZ4F_freeDecompressionContext(ctx);
		ck_assert_uint_eq(left, 0);
		ck_assert_uint_eq(used, b->body.n);
		b->nrecords = room;
		break;
	case 4:
		b->nrecords = ZSTD_decompress(b->records, room, b->body.p, b->body.n);
		ck_assert(!ZSTD_isError(b->nrecords));
		break;
	default:
		ck_abort_msg("codec %d", b->attributes & 7);
	}
}

static void
read_header(struct batch *b, struct rbuf *r)
{
	b->offset = (int64_t)rbuf_u64(r);
	b->length = (int32_t)rbuf_u32(r);
	b->leader_epoch = rbuf_u32(r);
	b->magic = rbuf_u8(r);
	b->crc = rbuf_u32(r);
	b->attributes = rbuf_u16(r);
	b->last_delta = (int32_t)rbuf_u32(r);
	b->first_ms = (int64_t)rbuf_u64(r);
	b->last_ms = (int64_t)rbuf_u64(r);
	b->producer = (int64_t)rbuf_u64(r);
	b->epoch = rbuf_u16(r);
	b->sequence = (int32_t)rbuf_u32(r);
	b->count = (int32_t)rbuf_u32(r);
	ck_assert(rbuf_ok(r));
}

/* The one batch that the bytes are, and what holds of every batch of ours. */
static struct batch
read_batch(struct slice bytes)
{
	struct rbuf r = rbuf_of(bytes);
	struct batch b = { 0 };

	read_header(&b, &r);
	ck_assert_uint_eq(bytes.n - rbuf_left(&r), HEADER_BYTES);
	ck_assert_int_eq(b.offset, 0);
	ck_assert_uint_eq((size_t)b.length, bytes.n - 12);
	ck_assert_uint_eq(b.leader_epoch, UINT32_MAX);
	ck_assert_uint_eq(b.magic, 2);
	ck_assert_uint_eq(b.crc, crc_by_bits(bytes.p + 21, bytes.n - 21));
	ck_assert_int_eq(b.last_delta, b.count - 1);
	ck_assert_int_eq(b.first_ms, b.last_ms);
	b.body = rbuf_bytes(&r, rbuf_left(&r));
	unpack(&b);
	return b;
}

static int64_t
get_varint(struct rbuf *r)
{
	uint64_t v = 0;
	uint8_t byte = 0x80;
	int shift;

	for (shift = 0; (byte & 0x80) != 0 && shift < 64; shift += 7) {
		byte = rbuf_u8(r);
		v |= (uint64_t)(byte & 0x7f) << shift;
	}
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static bool
sized_is(struct rbuf *r, struct slice want)
{
	int64_t n = get_varint(r);
	struct slice s = rbuf_bytes(r, n > 0 ? (size_t)n : 0);

	return rbuf_ok(r) && n == (want.p != NULL ? (int64_t)want.n : -1) && slice_eq(s, want);
}

/* No asserts here: each of Check's is a write to a file. */
static bool
record_is(struct rbuf *r, const struct kclient_record *want, int32_t at)
{
	int64_t size = get_varint(r);
	struct rbuf body = rbuf_of(rbuf_bytes(r, (size_t)size));
	bool same = rbuf_u8(&body) == 0 /* attributes */ && get_varint(&body) == 0 /* time */;
	unsigned i;

	same = same && get_varint(&body) == at && sized_is(&body, want->key) &&
	    sized_is(&body, want->value) && get_varint(&body) == want->nheaders;
	for (i = 0; same && i < want->nheaders; i++)
		same = sized_is(&body, want->headers[i].name) &&
		    sized_is(&body, want->headers[i].value);
	return same && rbuf_done(&body);
}

/* ---- records to write */

typedef struct kclient_record maker_fn(int32_t i);

static const struct kclient_header headers[HEADERS] = {
	{ .name = { (const uint8_t *)"source", 6 }, .value = { (const uint8_t *)"pg", 2 } },
	{ .name = { (const uint8_t *)"", 0 }, .value = { NULL, 0 } },
	{ .name = { (const uint8_t *)"empty", 5 }, .value = { (const uint8_t *)"", 0 } },
};

static struct kclient_record
mixed(int32_t i)
{
	static const size_t keys[] = { 0, 1, 63, 64, 65, 200 }, values[] = { 0, 3, 90, 127, 128 };
	struct kclient_record r = { .headers = headers, .nheaders = (unsigned)i % (HEADERS + 1) };

	if (i % 7 != 0)
		r.key = slice_of(long_text + i % 12, keys[i % 6]);
	if (i % 5 != 0)
		r.value = slice_of(long_text + i % 12, i % 1000 == 1 ? 16384 : values[i % 4 + 1]);
	if (i % 11 == 10)
		r.value = slice_of("", 0);
	return r;
}

static struct kclient_record
bare(int32_t i)
{
	return (struct kclient_record){ 0 };
}

static struct kclient_record
of_noise(int32_t i)
{
	return (struct kclient_record){ .key = slice_of(noise, 16),
		.value = slice_of(noise + 16, LONG_BYTES - 16) };
}

static void
add(maker_fn *make, int32_t n)
{
	struct kclient_record r;
	int32_t i;

	for (i = 0; i < n; i++) {
		r = make(i);
		if (!kbatch_add(&open, &r) || open.count != i + 1)
			ck_abort_msg("record %d", i);
	}
}

static void
expect_batch(struct slice bytes, maker_fn *make, int32_t n, enum kbatch_codec codec)
{
	struct batch b = read_batch(bytes);
	struct kclient_record want;
	struct rbuf r = rbuf_of(slice_of(b.records, b.nrecords));
	int32_t i;

	ck_assert_int_eq(b.count, n);
	ck_assert_int_eq(b.attributes & 7, codec);
	for (i = 0; i < n; i++) {
		want = make(i);
		if (!record_is(&r, &want, i))
			ck_abort_msg("record %d", i);
	}
	ck_assert(rbuf_done(&r));
	free(b.records);
}

static void
close_as(enum kbatch_codec codec, int level)
{
	struct kbatch_form form = { .codec = codec, .level = level, .producer = producer };

	kbatch_close(&open, &form, SEQUENCE, &out);
	ck_assert(!buf_overflowed(&out));
}

/* ---- what comes back */

static const enum kbatch_codec codecs[] = { KBATCH_PLAIN, KBATCH_LZ4, KBATCH_ZSTD };
static const int32_t counts[] = { 1, 2, 63, 64, 65, 8191, 8192, 8193, 70000 };

START_TEST(records_come_back)
{
	enum kbatch_codec codec = codecs[_i % COUNT(codecs)];
	int32_t n = counts[_i / COUNT(codecs)];

	add(mixed, n);
	close_as(codec, 0);
	/* the first has neither key nor value: there is nothing to make smaller */
	expect_batch(buf_slice(&out), mixed, n, n == 1 ? KBATCH_PLAIN : codec);
}
END_TEST

START_TEST(records_of_nothing_come_back)
{
	add(bare, 1000);
	close_as(codecs[_i], 0);
	expect_batch(buf_slice(&out), bare, 1000, codecs[_i]);
}
END_TEST

START_TEST(what_does_not_get_smaller_goes_as_it_is)
{
	add(of_noise, 1);
	close_as(codecs[_i], 0);
	expect_batch(buf_slice(&out), of_noise, 1, KBATCH_PLAIN);
}
END_TEST

START_TEST(a_level_is_the_codecs)
{
	add(mixed, 2000);
	close_as(codecs[_i], 9);
	expect_batch(buf_slice(&out), mixed, 2000, codecs[_i]);
}
END_TEST

START_TEST(a_record_byte_for_byte)
{
	static const uint8_t bytes[] = { 0x1c, 0, 0, 0, 0x01, 0x0a, 'o', 'r', 'd', 'e', 'r', 0x02,
		0x02, 'k', 0x01, /* and the next */ 0x0e, 0, 0, 0x02, 0x02, 'k', 0x00, 0x00 };
	static const struct kclient_header header = { .name = { (const uint8_t *)"k", 1 } };
	struct kclient_record r = { .value = slice_str("order"),
		.headers = &header,
		.nheaders = 1 };

	ck_assert(kbatch_add(&open, &r));
	r = (struct kclient_record){ .key = slice_str("k"), .value = slice_str("") };
	ck_assert(kbatch_add(&open, &r));
	close_as(KBATCH_PLAIN, 0);
	ck_assert_uint_eq(out.n, HEADER_BYTES + sizeof(bytes));
	ck_assert_mem_eq(out.p + HEADER_BYTES, bytes, sizeof(bytes));
}
END_TEST

START_TEST(a_batch_says_who_wrote_it)
{
	struct kbatch_form form = { .transactional = _i == 1, .producer = producer };
	int64_t before = clock_wall_us() / USEC_PER_MSEC;
	struct batch b;

	add(mixed, 3);
	kbatch_close(&open, &form, SEQUENCE, &out);
	b = read_batch(buf_slice(&out));
	ck_assert_uint_eq(b.attributes, _i == 1 ? 0x10 : 0);
	ck_assert_int_eq(b.producer, producer.id);
	ck_assert_uint_eq(b.epoch, (uint16_t)producer.epoch);
	ck_assert_int_eq(b.sequence, SEQUENCE);
	ck_assert_int_ge(b.first_ms, before);
	ck_assert_int_le(b.first_ms, clock_wall_us() / USEC_PER_MSEC);
	free(b.records);
}
END_TEST

START_TEST(a_compressed_batch_may_be_transactional)
{
	struct kbatch_form form = { .codec = codecs[_i], .transactional = true };
	struct batch b;

	add(mixed, 100);
	kbatch_close(&open, &form, 0, &out);
	b = read_batch(buf_slice(&out));
	ck_assert_uint_eq(b.attributes, 0x10 | (unsigned)codecs[_i]);
	free(b.records);
}
END_TEST

START_TEST(a_closed_batch_is_begun_anew)
{
	const uint8_t *memory;
	size_t first;

	add(mixed, 100);
	memory = open.records.p;
	close_as(KBATCH_LZ4, 0);
	first = out.n;
	ck_assert_int_eq(open.count, 0);
	ck_assert_uint_eq(open.records.n, 0);
	ck_assert_ptr_eq(open.records.p, memory);
	add(bare, 50);
	close_as(KBATCH_PLAIN, 0);
	expect_batch(slice_of(out.p, first), mixed, 100, KBATCH_LZ4);
	expect_batch(slice_of(out.p + first, out.n - first), bare, 50, KBATCH_PLAIN);
}
END_TEST

/* FLG: version 01, then the bit of independent blocks; more than one of 64 KB. */
START_TEST(lz4_blocks_are_independent)
{
	add(mixed, 8192);
	ck_assert_uint_gt(open.records.n, 2 * 64 * 1024);
	close_as(KBATCH_LZ4, 0);
	ck_assert_mem_eq(out.p + HEADER_BYTES, "\x04\x22\x4d\x18", 4);
	ck_assert_uint_eq(out.p[HEADER_BYTES + 4] >> 6, 1);
	ck_assert_uint_eq(out.p[HEADER_BYTES + 4] & 0x20, 0x20);
	ck_assert_uint_eq(out.p[HEADER_BYTES + 5] >> 4 & 7, 4);
}
END_TEST

/* ---- the ceiling */

START_TEST(what_has_no_room_changes_nothing)
{
	struct kclient_record big = of_noise(0);
	struct buf before;
	int32_t n;

	open.records.max = 3 * LONG_BYTES;
	for (n = 0; kbatch_add(&open, &big); n++)
		before = open.records;
	ck_assert_int_eq(n, 2);
	ck_assert_int_eq(open.count, n);
	ck_assert_uint_eq(open.records.n, before.n);
	ck_assert(!buf_overflowed(&open.records));
	close_as(KBATCH_PLAIN, 0);
	expect_batch(buf_slice(&out), of_noise, n, KBATCH_PLAIN);
}
END_TEST

START_TEST(a_first_record_may_have_no_room)
{
	struct kclient_record big = of_noise(0);

	open.records.max = LONG_BYTES;
	ck_assert(!kbatch_add(&open, &big));
	ck_assert_int_eq(open.count, 0);
	ck_assert_uint_eq(open.records.n, 0);
	ck_assert_int_eq(open.at_ms, 0);
	add(mixed, 6);
	close_as(KBATCH_PLAIN, 0);
	expect_batch(buf_slice(&out), mixed, 6, KBATCH_PLAIN);
}
END_TEST

START_TEST(the_ceiling_is_never_passed)
{
	struct kclient_record r;
	int32_t n;

	open.records.max = (size_t)_i;
	for (n = 0; r = mixed(n % 6), kbatch_add(&open, &r); n++)
		ck_assert_uint_le(open.records.n, open.records.max);
	ck_assert_int_eq(open.count, n);
	ck_assert(!buf_overflowed(&open.records));
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, checksums_are_the_known_ones);
	tcase_add_test(tc, a_checksum_is_the_same_anywhere_and_in_pieces);
	tcase_add_loop_test(tc, records_come_back, 0, COUNT(codecs) * COUNT(counts));
	tcase_add_loop_test(tc, records_of_nothing_come_back, 0, COUNT(codecs));
	tcase_add_loop_test(tc, what_does_not_get_smaller_goes_as_it_is, 0, COUNT(codecs));
	tcase_add_loop_test(tc, a_level_is_the_codecs, 0, COUNT(codecs));
	tcase_add_test(tc, a_record_byte_for_byte);
	tcase_add_loop_test(tc, a_batch_says_who_wrote_it, 0, 2);
	tcase_add_loop_test(tc, a_compressed_batch_may_be_transactional, 0, COUNT(codecs));
	tcase_add_test(tc, a_closed_batch_is_begun_anew);
	tcase_add_test(tc, lz4_blocks_are_independent);
	tcase_add_test(tc, what_has_no_room_changes_nothing);
	tcase_add_test(tc, a_first_record_may_have_no_room);
	tcase_add_loop_test(tc, the_ceiling_is_never_passed, 0, 300);
}

int
main(void)
{
	Suite *s = suite_create("kbatch");
	TCase *tc = tcase_create("kbatch");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	add_tests(tc);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
