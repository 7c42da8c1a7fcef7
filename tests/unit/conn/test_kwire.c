/*
 * Kafka's protocol: requests against bytes written down by hand, and answers
 * written down by hand, which are read whole, cut short, lengthened and
 * falsified. Bytes are noted as hex digits, and as text between apostrophes. An
 * answer is kept in memory of exactly its size, so that a sanitizer sees a read
 * past the end.
 */
#include "lib/conn/kwire.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/base/mem.h"

#define OUT_MAX	       (64 * 1024)
#define MECHANISMS_MAX 16

static const struct kwire_producer producer = { .id = 0x0102030405060708, .epoch = 0x0a0b };

static struct buf out;	/* a request */
static struct buf said; /* what was read of an answer */
static unsigned calls;	/* of callbacks */

static void
setup(void)
{
	buf_init(&out, OUT_MAX);
	buf_init(&said, 1024 * 1024);
	calls = 0;
}

static void
teardown(void)
{
	buf_done(&out);
	buf_done(&said);
}

/* ---- the notation */

static uint8_t
digit(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c);

	ck_assert_msg(at != NULL && c != '\0', "'%c' is not a digit", c);
	return (uint8_t)(at - digits);
}

static void
put_note(struct buf *b, const char *note)
{
	const char *end;

	while (*note != '\0')
		if (*note == ' ') {
			note++;
		} else if (*note == '\'') {
			end = strchr(note + 1, '\'');
			ck_assert_ptr_nonnull(end);
			buf_add(b, note + 1, (size_t)(end - note) - 1);
			note = end + 1;
		} else {
			buf_char(b, (char)(digit(note[0]) << 4 | digit(note[1])));
			note += 2;
		}
}

static void
expect(const char *note)
{
	struct buf want;

	buf_init(&want, OUT_MAX);
	put_note(&want, note);
	ck_assert_uint_eq(out.n, want.n);
	ck_assert_mem_eq(out.p, want.p, want.n);
	buf_done(&want);
}

/* ---- requests */

START_TEST(a_request_has_its_length_and_a_header)
{
	kwire_end(&out, kwire_begin(&out, KWIRE_FIND_COORDINATOR, 1, 0x01020304, "peerd"));
	expect("0000000f 000a 0001 01020304 0005'peerd'");
}
END_TEST

START_TEST(a_client_may_have_no_name)
{
	kwire_end(&out, kwire_begin(&out, KWIRE_API_VERSIONS, 0, -2, NULL));
	expect("0000000a 0012 0000 fffffffe ffff");
}
END_TEST

START_TEST(requests_follow_each_other)
{
	size_t begun;

	kwire_end(&out, kwire_begin(&out, KWIRE_API_VERSIONS, 0, 1, NULL));
	begun = kwire_begin(&out, KWIRE_SASL_HANDSHAKE, 1, 2, "");
	kwire_put_string(&out, "PLAIN");
	kwire_end(&out, begun);
	expect("0000000a 0012 0000 00000001 ffff"
	       "00000011 0011 0001 00000002 0000 0005'PLAIN'");
}
END_TEST

START_TEST(a_request_without_room_is_marked)
{
	out.max = 20;
	kwire_put_string(&out, "twelve bytes");
	kwire_end(&out, kwire_begin(&out, KWIRE_PRODUCE, 7, 1, NULL));
	ck_assert(buf_overflowed(&out));
}
END_TEST

START_TEST(strings_and_bytes)
{
	kwire_put_string(&out, NULL);
	kwire_put_string(&out, "");
	kwire_put_string(&out, "abc");
	kwire_put_bytes(&out, slice_of("", 0));
	kwire_put_bytes(&out, slice_of("\0x", 2));
	expect("ffff 0000 0003'abc' 00000000 00000002 00'x'");
}
END_TEST

static const struct {
	enum kwire_api api;
	const char *number;
} apis[] = {
	{ KWIRE_PRODUCE, "0000" },
	{ KWIRE_METADATA, "0003" },
	{ KWIRE_FIND_COORDINATOR, "000a" },
	{ KWIRE_SASL_HANDSHAKE, "0011" },
	{ KWIRE_API_VERSIONS, "0012" },
	{ KWIRE_INIT_PRODUCER_ID, "0016" },
	{ KWIRE_ADD_PARTITIONS, "0018" },
	{ KWIRE_END_TXN, "001a" },
	{ KWIRE_SASL_AUTHENTICATE, "0024" },
};

START_TEST(requests_have_kafkas_numbers)
{
	kwire_end(&out, kwire_begin(&out, apis[_i].api, 0, 0, NULL));
	buf_consume(&out, 4);
	out.n = 2;
	expect(apis[_i].number);
}
END_TEST

START_TEST(metadata_asks_for_topics)
{
	static const char *const topics[] = { "orders", "b" };

	kwire_put_metadata(&out, 1, topics, 2);
	kwire_put_metadata(&out, 3, topics, 1);
	kwire_put_metadata(&out, 1, NULL, 0);
	expect("00000002 0006'orders' 0001'b'"
	       "00000001 0006'orders'"
	       "00000000");
}
END_TEST

START_TEST(metadata_does_not_make_topics)
{
	static const char *const topics[] = { "orders" };

	kwire_put_metadata(&out, 4, topics, 1);
	expect("00000001 0006'orders' 00");
}
END_TEST

START_TEST(find_coordinator_is_for_a_transaction)
{
	kwire_put_find_coordinator(&out, "peerd-1");
	expect("0007'peerd-1' 01");
}
END_TEST

START_TEST(init_producer_id_with_a_transaction_or_without)
{
	kwire_put_init_producer_id(&out, "peerd-1", 60000);
	kwire_put_init_producer_id(&out, NULL, 1);
	expect("0007'peerd-1' 0000ea60  ffff 00000001");
}
END_TEST

START_TEST(end_txn_commits_or_aborts)
{
	kwire_put_end_txn(&out, "t", producer, true);
	kwire_put_end_txn(&out, "t", producer, false);
	expect("0001't' 0102030405060708 0a0b 01"
	       "0001't' 0102030405060708 0a0b 00");
}
END_TEST

START_TEST(add_partitions_names_each)
{
	kwire_put_add_partitions(&out, "t", producer, 2);
	kwire_put_topic(&out, "orders", 2);
	kwire_put_partition(&out, 0);
	kwire_put_partition(&out, 5);
	kwire_put_topic(&out, "b", 1);
	kwire_put_partition(&out, 1);
	expect("0001't' 0102030405060708 0a0b 00000002"
	       "0006'orders' 00000002 00000000 00000005"
	       "0001'b' 00000001 00000001");
}
END_TEST

START_TEST(produce_waits_for_all_in_step)
{
	kwire_put_produce(&out, "t", 30000, 1);
	kwire_put_topic(&out, "orders", 2);
	kwire_put_batch(&out, 0, slice_str("first"));
	kwire_put_batch(&out, 7, slice_str("second"));
	expect("0001't' ffff 00007530 00000001"
	       "0006'orders' 00000002 00000000 00000005'first' 00000007 00000006'second'");
}
END_TEST

START_TEST(produce_outside_a_transaction)
{
	kwire_put_produce(&out, NULL, 1, 0);
	expect("ffff ffff 00000001 00000000");
}
END_TEST

/* ---- answers: each reader says what it has read */

static void
say_partition(void *arg, struct slice topic, int32_t partition, int16_t error)
{
	calls++;
	buf_printf(arg, "%.*s/%d: %d; ", (int)topic.n, (const char *)topic.p, partition, error);
}

static void
say_broker(void *arg, const struct kwire_broker *b)
{
	calls++;
	buf_printf(arg, "broker %d %.*s:%d; ", b->id, (int)b->host.n, (const char *)b->host.p,
	    b->port);
}

static void
say_topic(void *arg, struct slice name, int16_t error, uint32_t partitions)
{
	calls++;
	buf_printf(arg, "topic %.*s: %d, has %u; ", (int)name.n, (const char *)name.p, error,
	    partitions);
}

static void
say_leader(void *arg, int32_t partition, int16_t error, int32_t leader)
{
	calls++;
	buf_printf(arg, "%d: %d, led by %d; ", partition, error, leader);
}

static bool
read_versions(struct slice answer, int16_t version)
{
	struct kwire_range range;
	int16_t error;
	bool ok = kwire_read_versions(answer, KWIRE_METADATA, &error, &range);

	buf_printf(&said, "%d, %d to %d", error, range.min, range.max);
	return ok;
}

static bool
read_metadata(struct slice answer, int16_t version)
{
	static const struct kwire_metadata_fns fns = { say_broker, say_topic, say_leader };

	return kwire_read_metadata(answer, version, &fns, &said);
}

static bool
read_coordinator(struct slice answer, int16_t version)
{
	struct kwire_broker b;
	int16_t error;
	bool ok = kwire_read_coordinator(answer, &error, &b);

	buf_printf(&said, "%d, ", error);
	say_broker(&said, &b);
	return ok;
}

static bool
read_producer(struct slice answer, int16_t version)
{
	struct kwire_producer p;
	int16_t error;
	bool ok = kwire_read_producer(answer, &error, &p);

	buf_printf(&said, "%d, %" PRIx64 " %d", error, (uint64_t)p.id, p.epoch);
	return ok;
}

static bool
read_end_txn(struct slice answer, int16_t version)
{
	int16_t error;
	bool ok = kwire_read_end_txn(answer, &error);

	buf_printf(&said, "%d", error);
	return ok;
}

static bool
read_produce(struct slice answer, int16_t version)
{
	return kwire_read_produce(answer, version, say_partition, &said);
}

static bool
read_add_partitions(struct slice answer, int16_t version)
{
	return kwire_read_add_partitions(answer, say_partition, &said);
}

static bool
read_handshake(struct slice answer, int16_t version)
{
	int16_t error;
	bool ok = kwire_read_handshake(answer, &error, &said);

	buf_printf(&said, ", %d", error);
	return ok;
}

static bool
read_authenticate(struct slice answer, int16_t version)
{
	struct slice words, token;
	int16_t error;
	bool ok = kwire_read_authenticate(answer, &error, &words, &token);

	buf_printf(&said, "%d, \"%.*s\", \"%.*s\"", error, (int)words.n, (const char *)words.p,
	    (int)token.n, (const char *)token.p);
	return ok;
}

typedef bool reader_fn(struct slice answer, int16_t version);

static bool
read_exactly(reader_fn *reader, int16_t version, const void *p, size_t n)
{
	uint8_t *copy = xmalloc(n);
	bool ok;

	memcpy(copy, p, n);
	buf_reset(&said);
	calls = 0;
	ok = reader(slice_of(copy, n), version);
	free(copy);
	return ok;
}

#define BROKERS "00000002 00000001 0002'b1' 00002384 ffff  00000002 0002'b2' 00002385 0002'r1'"
#define TOPICS                                                                    \
	"00000003 0000 0006'orders' 00 00000002"                                  \
	"  0000 00000000 00000001  00000002 00000001 00000002  00000001 00000001" \
	"  0005 00000001 ffffffff  00000000  ffffffff"                            \
	" 0003 0004'none' 00 00000000"                                            \
	" ffff ffff 01 ffffffff"
#define METADATA_SAID                                                                  \
	"broker 1 b1:9092; broker 2 b2:9093; topic orders: 0, has 2; 0: 0, led by 1; " \
	"1: 5, led by -1; topic none: 3, has 0; topic : -1, has 0; "
#define OFFSETS	      "1122334455667788 ffffffffffffffff"
#define PRODUCED_SAID "a/0: 0; a/7: 6; b/1: -1; "
#define PRODUCED(log_start)                                                                      \
	"00000003"                                                                               \
	" 0001'a' 00000002 00000000 0000 " OFFSETS log_start " 00000007 0006 " OFFSETS log_start \
	" 0001'b' 00000001 00000001 ffff " OFFSETS log_start " ffff 00000000"                    \
	" 00000009"

static const struct {
	reader_fn *reader;
	int16_t version;
	const char *note;
	const char *says;
} answers[] = {
	{ read_versions, 0, "0000 00000003 0000 0000 0009  0003 0001 0004  0016 0000 0001",
	    "0, 1 to 4" },
	{ read_versions, 0, "0000 00000001 0000 0000 0009", "0, 0 to -1" },
	{ read_versions, 0, "0023 00000000", "35, 0 to -1" },
	{ read_versions, 0, "0000 ffffffff", "0, 0 to -1" },
	{ read_metadata, 1, BROKERS "00000001" TOPICS, METADATA_SAID },
	{ read_metadata, 2, BROKERS "0004'main' 00000001" TOPICS, METADATA_SAID },
	{ read_metadata, 2, BROKERS "ffff 00000001" TOPICS, METADATA_SAID },
	{ read_metadata, 3, "00000005" BROKERS "0004'main' 00000001" TOPICS, METADATA_SAID },
	{ read_metadata, 4, "00000005" BROKERS "ffff 00000001" TOPICS, METADATA_SAID },
	{ read_metadata, 4, "00000000 00000000 ffff ffffffff 00000000", "" },
	{ read_coordinator, 1, "00000000 0000 ffff 00000003 0002'b3' 00002384",
	    "0, broker 3 b3:9092; " },
	{ read_coordinator, 1, "00000001 000f 0004'wait' ffffffff 0000 ffffffff",
	    "15, broker -1 :-1; " },
	{ read_producer, 0, "00000000 0000 0102030405060708 0a0b", "0, 102030405060708 2571" },
	{ read_producer, 0, "00000000 0033 ffffffffffffffff ffff", "51, ffffffffffffffff -1" },
	{ read_end_txn, 0, "00000000 0000", "0" },
	{ read_end_txn, 0, "00000064 ffff", "-1" },
	{ read_produce, 3, PRODUCED(""), PRODUCED_SAID },
	{ read_produce, 4, PRODUCED(""), PRODUCED_SAID },
	{ read_produce, 5, PRODUCED(" 0000000000000001"), PRODUCED_SAID },
	{ read_produce, 6, PRODUCED(" 0000000000000001"), PRODUCED_SAID },
	{ read_produce, 7, PRODUCED(" ffffffffffffffff"), PRODUCED_SAID },
	{ read_produce, 7, "00000000 00000000", "" },
	{ read_add_partitions, 0,
	    "00000000 00000002 0001'a' 00000002 00000000 0000 00000007 0033"
	    " 0001'b' 00000001 00000001 ffff",
	    "a/0: 0; a/7: 51; b/1: -1; " },
	{ read_add_partitions, 0, "00000000 00000000", "" },
	{ read_handshake, 1, "0000 00000002 0005'PLAIN' 000d'SCRAM-SHA-256'",
	    "PLAIN SCRAM-SHA-256, 0" },
	{ read_handshake, 1, "0021 00000001 0006'GSSAPI'", "GSSAPI, 33" },
	{ read_handshake, 1, "0000 00000000", ", 0" },
	{ read_authenticate, 0, "0000 ffff 00000003'r=x'", "0, \"\", \"r=x\"" },
	{ read_authenticate, 0, "003a 0003'bad' 00000000", "58, \"bad\", \"\"" },
	{ read_authenticate, 0, "0000 0000 ffffffff", "0, \"\", \"\"" },
};

START_TEST(an_answer_is_read)
{
	put_note(&out, answers[_i].note);
	ck_assert(read_exactly(answers[_i].reader, answers[_i].version, out.p, out.n));
	ck_assert_str_eq(buf_str(&said), answers[_i].says);
}
END_TEST

START_TEST(an_answer_cut_short_is_refused)
{
	size_t n;

	put_note(&out, answers[_i].note);
	for (n = 0; n < out.n; n++)
		ck_assert_msg(!read_exactly(answers[_i].reader, answers[_i].version, out.p, n),
		    "%zu bytes", n);
}
END_TEST

START_TEST(an_answer_too_long_is_refused)
{
	put_note(&out, answers[_i].note);
	buf_char(&out, '\0');
	ck_assert(!read_exactly(answers[_i].reader, answers[_i].version, out.p, out.n));
}
END_TEST

/* Numbers that mean another one are read as such; none makes a reader run away. */
START_TEST(no_number_in_an_answer_makes_much_work)
{
	static const uint32_t numbers[] = { 0x7fffffff, 0x80000000, 0xffffffff, 0x40000000, 0xff };
	uint8_t kept[4];
	size_t i, at;

	put_note(&out, answers[_i].note);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		for (at = 0; at + sizeof(kept) <= out.n; at++) {
			memcpy(kept, out.p + at, sizeof(kept));
			put_u32(out.p + at, numbers[i]);
			read_exactly(answers[_i].reader, answers[_i].version, out.p, out.n);
			ck_assert_uint_le(calls, out.n);
			memcpy(out.p + at, kept, sizeof(kept));
		}
}
END_TEST

#define METADATA_4(rest) "00000000 00000000 ffff 00000001" rest
#define PARTITION	 "00000001 0000 0001'a' 00 00000001 0000 00000000 00000001"

static const struct {
	reader_fn *reader;
	int16_t version;
	const char *note;
	unsigned calls; /* at most: of what came before the fault */
} bad_answers[] = {
	/* counts that the bytes do not have */
	{ read_versions, 0, "0000 7fffffff 0000 0000 0009", 0 },
	{ read_metadata, 1, "7fffffff 00000001 0002'b1' 00002384 ffff", 0 },
	{ read_metadata, 4, METADATA_4("7fffffff 0000 0001'a' 00 00000000"), 0 },
	{ read_metadata, 4, METADATA_4("00000001 0000 0001'a' 00 7fffffff"), 0 },
	{ read_metadata, 4, METADATA_4(PARTITION "7fffffff 00000000"), 1 },
	{ read_metadata, 4, METADATA_4(PARTITION "40000000 00000000"), 1 },
	{ read_metadata, 4, METADATA_4(PARTITION "00000000 40000000"), 1 },
	{ read_metadata, 4, METADATA_4(PARTITION "00000002 00000001 00000000"), 1 },
	{ read_produce, 7, "7fffffff 0001'a' 00000000 00000000", 0 },
	{ read_produce, 7, "00000001 0001'a' 7fffffff 00000000", 0 },
	{ read_add_partitions, 0, "00000000 7fffffff 0001'a' 00000000", 0 },
	{ read_add_partitions, 0, "00000000 00000001 0001'a' 7fffffff 00000000 0000", 0 },
	{ read_handshake, 1, "0000 7fffffff 0005'PLAIN'", 0 },
	/* negative ones other than null */
	{ read_versions, 0, "0000 fffffffe", 0 },
	{ read_versions, 0, "0000 80000000", 0 },
	{ read_metadata, 1, "fffffffe 00000001 00000000", 0 },
	{ read_metadata, 4, METADATA_4("80000000"), 0 },
	{ read_metadata, 4, METADATA_4("00000001 0000 0001'a' 00 fffffffe"), 0 },
	{ read_metadata, 4, METADATA_4(PARTITION "fffffffe 00000000"), 1 },
	{ read_metadata, 4, METADATA_4(PARTITION "00000000 80000000"), 1 },
	{ read_produce, 7, "fffffffe 00000000", 0 },
	{ read_produce, 7, "00000001 0001'a' fffffffe 00000000", 0 },
	{ read_add_partitions, 0, "00000000 fffffffe", 0 },
	{ read_handshake, 1, "0000 80000000", 0 },
	/* strings and bytes with such a length */
	{ read_metadata, 1, "00000001 00000001 fffe 00002384 ffff 00000001 00000000", 0 },
	{ read_metadata, 1, "00000001 00000001 8000 00002384 ffff 00000001 00000000", 0 },
	{ read_metadata, 1, "00000001 00000001 0000 00002384 fffe 00000001 00000000", 0 },
	{ read_metadata, 2, "00000000 fffe 00000001 00000000", 0 },
	{ read_metadata, 4, METADATA_4("00000001 0000 fffe 00 00000000"), 0 },
	{ read_metadata, 4, METADATA_4("00000001 0000 7fff 00 00000000"), 0 },
	{ read_coordinator, 1, "00000000 0000 fffe 00000003 0002'b3' 00002384", 1 },
	{ read_coordinator, 1, "00000000 0000 ffff 00000003 7fff'b3' 00002384", 1 },
	{ read_produce, 7, "00000001 fffe 00000000 00000000", 0 },
	{ read_add_partitions, 0, "00000000 00000001 fffe 00000000", 0 },
	{ read_handshake, 1, "0000 00000001 fffe", 0 },
	{ read_authenticate, 0, "0000 fffe 00000000", 0 },
	{ read_authenticate, 0, "0000 ffff 7fffffff'r=x'", 0 },
	{ read_authenticate, 0, "0000 ffff 80000000", 0 },
	{ read_authenticate, 0, "0000 ffff fffffffe", 0 },
	/* another version's */
	{ read_metadata, 1, BROKERS "0004'main' 00000001" TOPICS, 2 },
	{ read_metadata, 2, BROKERS "00000001" TOPICS, 2 },
	{ read_metadata, 2, "00000005" BROKERS "0004'main' 00000001" TOPICS, 5 },
	{ read_produce, 4, PRODUCED(" 0000000000000001"), 2 },
	{ read_produce, 5, PRODUCED(""), 2 },
};

START_TEST(a_wrong_answer_is_refused)
{
	put_note(&out, bad_answers[_i].note);
	ck_assert(!read_exactly(bad_answers[_i].reader, bad_answers[_i].version, out.p, out.n));
	ck_assert_uint_le(calls, bad_answers[_i].calls);
}
END_TEST

START_TEST(a_list_of_mechanisms_has_a_ceiling)
{
	int16_t error;

	put_note(&out, "0021 00000002 0005'PLAIN' 000d'SCRAM-SHA-256'");
	buf_done(&said);
	buf_init(&said, MECHANISMS_MAX);
	ck_assert(kwire_read_handshake(buf_slice(&out), &error, &said));
	ck_assert_int_eq(error, 33);
	ck_assert(buf_overflowed(&said));
	ck_assert_uint_le(said.n, MECHANISMS_MAX);
}
END_TEST

#define LOOP(tc, test, rows) \
	tcase_add_loop_test(tc, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))

static void
add_requests(TCase *tc)
{
	tcase_add_test(tc, a_request_has_its_length_and_a_header);
	tcase_add_test(tc, a_client_may_have_no_name);
	tcase_add_test(tc, requests_follow_each_other);
	tcase_add_test(tc, a_request_without_room_is_marked);
	tcase_add_test(tc, strings_and_bytes);
	LOOP(tc, requests_have_kafkas_numbers, apis);
	tcase_add_test(tc, metadata_asks_for_topics);
	tcase_add_test(tc, metadata_does_not_make_topics);
	tcase_add_test(tc, find_coordinator_is_for_a_transaction);
	tcase_add_test(tc, init_producer_id_with_a_transaction_or_without);
	tcase_add_test(tc, end_txn_commits_or_aborts);
	tcase_add_test(tc, add_partitions_names_each);
	tcase_add_test(tc, produce_waits_for_all_in_step);
	tcase_add_test(tc, produce_outside_a_transaction);
}

int
main(void)
{
	Suite *s = suite_create("kwire");
	TCase *tc = tcase_create("kwire");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	add_requests(tc);
	LOOP(tc, an_answer_is_read, answers);
	LOOP(tc, an_answer_cut_short_is_refused, answers);
	LOOP(tc, an_answer_too_long_is_refused, answers);
	LOOP(tc, no_number_in_an_answer_makes_much_work, answers);
	LOOP(tc, a_wrong_answer_is_refused, bad_answers);
	tcase_add_test(tc, a_list_of_mechanisms_has_a_ceiling);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
