/*
 * Answers of Kafka's brokers, from anybody: the first byte chooses reader and
 * version, the rest is the answer. Whatever it is, what is lent lies within it,
 * and what is told of is no more than it has bytes.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/conn/kwire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MECHANISMS_MAX 256

static struct slice whole;
static size_t told;

static void
expect(bool holds)
{
	if (!holds)
		abort();
}

static void
expect_lent(struct slice s)
{
	expect(s.n == 0 || (s.p >= whole.p && s.n <= (size_t)(whole.p + whole.n - s.p)));
}

static void
count(void)
{
	expect(++told <= whole.n);
}

static void
on_broker(void *arg, const struct kwire_broker *b)
{
	expect_lent(b->host);
	count();
}

static void
on_topic(void *arg, struct slice name, int16_t error, uint32_t partitions)
{
	expect_lent(name);
	expect(partitions <= whole.n);
	count();
}

static void
on_leader(void *arg, int32_t partition, int16_t error, int32_t leader)
{
	count();
}

static void
on_partition(void *arg, struct slice topic, int32_t partition, int16_t error)
{
	expect_lent(topic);
	count();
}

static void
try_versions(int16_t version)
{
	struct kwire_range range;
	int16_t error;

	kwire_read_versions(whole, KWIRE_PRODUCE, &error, &range);
}

static void
try_metadata(int16_t version)
{
	static const struct kwire_metadata_fns fns = { on_broker, on_topic, on_leader };

	kwire_read_metadata(whole, version, &fns, NULL);
}

static void
try_coordinator(int16_t version)
{
	struct kwire_broker b;
	int16_t error;

	kwire_read_coordinator(whole, &error, &b);
	expect_lent(b.host);
}

static void
try_producer(int16_t version)
{
	struct kwire_producer p;
	int16_t error;

	expect(kwire_read_producer(whole, &error, &p) == (whole.n == 16));
}

static void
try_end_txn(int16_t version)
{
	int16_t error;

	expect(kwire_read_end_txn(whole, &error) == (whole.n == 6));
}

static void
try_produce(int16_t version)
{
	kwire_read_produce(whole, version, on_partition, NULL);
}

static void
try_add_partitions(int16_t version)
{
	kwire_read_add_partitions(whole, on_partition, NULL);
}

static void
try_handshake(int16_t version)
{
	struct buf mechanisms;
	int16_t error;

	buf_init(&mechanisms, MECHANISMS_MAX);
	kwire_read_handshake(whole, &error, &mechanisms);
	expect(mechanisms.n <= MECHANISMS_MAX);
	buf_done(&mechanisms);
}

static void
try_authenticate(int16_t version)
{
	struct slice words, token;
	int16_t error;

	kwire_read_authenticate(whole, &error, &words, &token);
	expect_lent(words);
	expect_lent(token);
}

static const struct {
	void (*reader)(int16_t version);
	int16_t version;
} readers[] = {
	{ try_versions, 0 },
	{ try_metadata, 1 },
	{ try_metadata, 2 },
	{ try_metadata, 3 },
	{ try_metadata, 4 },
	{ try_coordinator, 1 },
	{ try_producer, 0 },
	{ try_end_txn, 0 },
	{ try_produce, 3 },
	{ try_produce, 4 },
	{ try_produce, 5 },
	{ try_produce, 6 },
	{ try_produce, 7 },
	{ try_add_partitions, 0 },
	{ try_handshake, 1 },
	{ try_authenticate, 0 },
};

#define READERS (sizeof(readers) / sizeof(readers[0]))

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *answer;

	if (size < 1)
		return 0;
	answer = malloc(size - 1 > 0 ? size - 1 : 1); /* its end is watched */
	memcpy(answer, data + 1, size - 1);
	whole = slice_of(answer, size - 1);
	told = 0;
	readers[data[0] % READERS].reader(readers[data[0] % READERS].version);
	free(answer);
	return 0;
}
