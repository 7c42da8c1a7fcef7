/*
 * fake_kafka_broker - what brokers keep, and answer; for fake_kafka.h
 *
 * What a real cluster promises to a producer is kept: sequence numbers are
 * checked per partition and epoch, the last five batches are known when they
 * come again, a transaction's records count when it is committed, and another
 * epoch aborts it. So what the partitions have in the end shows what a writer
 * lost, doubled or disordered. Not here: the markers' delay, replicas,
 * compression, and more than one transactional id.
 */
#ifndef PEERD_TESTS_FAKE_KAFKA_BROKER_H
#define PEERD_TESTS_FAKE_KAFKA_BROKER_H

#include <check.h>
#include <pthread.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/kbatch.h"
#include "lib/conn/kclient.h"
#include "lib/conn/kwire.h"

#define FAKE_TOPIC	"t"
#define FAKE_BROKERS	3
#define FAKE_PARTITIONS 4
#define FAKE_RECORDS	4096 /* of a partition, at most */
#define FAKE_CONNS	32
#define FAKE_KNOWN	5 /* batches that are known when they come again */
#define FAKE_HOLD_US	(100 * USEC_PER_MSEC)
#define FAKE_REFUSALS	2 /* connections to a broker that is down; then it is up */
#define FAKE_LATE	3 /* requests, before one whose connection was cut is heard */
#define FAKE_VERY_LATE	UINT32_MAX

#define FAKE_UNKNOWN_TOPIC   3
#define FAKE_NOT_LEADER	     6
#define FAKE_NOT_COORDINATOR 16
#define FAKE_OUT_OF_ORDER    45
#define FAKE_DUPLICATE	     46
#define FAKE_OLD_EPOCH	     47
#define FAKE_TXN_STATE	     48

enum fake_deed {
	FAKE_REFUSE,	  /* nothing is done */
	FAKE_DO_REFUSE,	  /* it is done, and refused nevertheless */
	FAKE_CUT,	  /* nothing is done, the connection is closed */
	FAKE_DO_CUT,	  /* it is done first */
	FAKE_CUT_DO,	  /* and afterwards: later */
	FAKE_HALF,	  /* done, half the answer, closed */
	FAKE_GARBAGE,	  /* done, and what is said of it is noise */
	FAKE_OTHER_ID,	  /* done, the answer is another request's */
	FAKE_OTHER_PLACE, /* done, the answer names a partition that was not asked for */
	FAKE_MOVE,	  /* other brokers lead, and coordinate, from before it on */
	FAKE_DOWN,	  /* the broker goes away for a while */
	FAKE_STOP	  /* the client is told to stop, and the broker says nothing */
};

struct fake_fault {
	enum kwire_api api;
	enum fake_deed deed;
	int16_t code;
	unsigned skip; /* requests that are served well before */
	unsigned times;
	unsigned hold; /* until so many more have come behind it, or for a while */
};

struct fake_log {
	uint32_t records[FAKE_RECORDS];
	uint32_t n, committed;
	int64_t producer;
	int16_t epoch;
	int32_t next;		   /* sequence number */
	int32_t known[FAKE_KNOWN]; /* first numbers of the last batches, a ring */
	uint32_t batches;
	bool added; /* to the transaction */
};

struct fake_kconn {
	int fd; /* -1: free */
	int broker;
	struct buf in;
	bool silent;
	usec_t held; /* until; 0: no */
};

static struct {
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows, while the thread runs */
	int wake[2];
	char servers[64];
	int listeners[FAKE_BROKERS];
	uint16_t ports[FAKE_BROKERS];
	unsigned refusals[FAKE_BROKERS];
	struct fake_kconn conns[FAKE_CONNS];
	struct fake_log logs[FAKE_PARTITIONS];
	int leader; /* of partition 0; of the others the brokers after it, in turn */
	int64_t last_producer;
	int16_t epoch; /* of the transactional id, whose number is 1 */
	bool ongoing;
	const struct fake_fault *faults;
	size_t nfaults;
	unsigned requests[64]; /* by their kind */
	unsigned fired;
	unsigned odds; /* of 1000, for any fault; 0: only those above */
	unsigned seed;
	bool duplicates_named;	/* a batch that is known is answered with a code */
	struct kclient *client; /* for FAKE_STOP */
	struct buf late;
	int late_broker;
	unsigned late_in, lateness;
	unsigned complaints; /* requests that are not as they should be */
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- reading requests */

static struct slice
fake_string(struct rbuf *r)
{
	int16_t n = (int16_t)rbuf_u16(r);

	return n < 0 ? slice_of(NULL, 0) : rbuf_bytes(r, (size_t)n);
}

static int64_t
fake_varint(struct rbuf *r)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t c;

	do {
		c = rbuf_u8(r);
		v |= (uint64_t)(c & 0x7f) << shift;
		shift += 7;
	} while ((c & 0x80) != 0 && shift < 64 && rbuf_ok(r));
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static void
fake_complain(bool sound)
{
	fake.complaints += !sound;
}

/* ---- a partition */

static void
fake_append(struct fake_log *log, struct rbuf *r, int32_t count)
{
	struct slice one;
	struct rbuf rec, value;
	int64_t n;

	for (; count > 0 && rbuf_ok(r) && log->n < FAKE_RECORDS; count--) {
		n = fake_varint(r);
		one = rbuf_bytes(r, (size_t)n);
		rec = rbuf_of(one);
		rbuf_u8(&rec);
		fake_varint(&rec);
		fake_varint(&rec);
		n = fake_varint(&rec);
		rbuf_bytes(&rec, n > 0 ? (size_t)n : 0);
		n = fake_varint(&rec);
		value = rbuf_of(rbuf_bytes(&rec, n > 0 ? (size_t)n : 0));
		log->records[log->n++] = rbuf_u32(&value);
		fake_complain(rbuf_ok(&value));
	}
	fake_complain(rbuf_done(r) && count == 0);
}

static bool
fake_knows(const struct fake_log *log, int32_t first)
{
	uint32_t i, n = log->batches < FAKE_KNOWN ? log->batches : FAKE_KNOWN;

	for (i = 0; i < n; i++)
		if (log->known[i] == first)
			return true;
	return false;
}

/* What a leader says of a batch's number before it looks at the records. */
static int16_t
fake_admit(struct fake_log *log, int64_t producer, int16_t epoch, int32_t first, bool *fresh_r)
{
	*fresh_r = false;
	if (producer == log->producer && epoch < log->epoch)
		return FAKE_OLD_EPOCH;
	if (producer != log->producer || epoch > log->epoch) {
		if (first != 0)
			return FAKE_OUT_OF_ORDER;
		log->producer = producer;
		log->epoch = epoch;
		log->next = 0;
		log->batches = 0;
	}
	*fresh_r = first == log->next;
	if (*fresh_r)
		return 0;
	if (first < log->next && !fake_knows(log, first))
		return FAKE_DUPLICATE;
	if (first > log->next)
		return FAKE_OUT_OF_ORDER;
	return fake.duplicates_named ? FAKE_DUPLICATE : 0;
}

/*
 * Batch	i64 0  i32 length  i32 epoch  i8 magic  u32 crc  i16 attributes  i32 last
 *		i64 time  i64 time  i64 producer  i16 epoch  i32 first sequence  i32 records
 */
static int16_t
fake_store(struct fake_log *log, struct slice batch, bool transactional)
{
	struct rbuf r = rbuf_of(batch);
	int64_t producer;
	int32_t first, count;
	int16_t epoch, code;
	uint32_t crc;
	bool fresh;

	rbuf_bytes(&r, 17);
	crc = rbuf_u32(&r);
	fake_complain(kbatch_crc32c(0, r.p, rbuf_left(&r)) == crc);
	rbuf_bytes(&r, 22);
	producer = (int64_t)rbuf_u64(&r);
	epoch = (int16_t)rbuf_u16(&r);
	first = (int32_t)rbuf_u32(&r);
	count = (int32_t)rbuf_u32(&r);
	if (transactional && epoch < fake.epoch)
		return FAKE_OLD_EPOCH;
	if (transactional && !log->added)
		return FAKE_TXN_STATE;
	code = fake_admit(log, producer, epoch, first, &fresh);
	if (!fresh)
		return code;
	fake_append(log, &r, count);
	log->known[log->batches++ % FAKE_KNOWN] = first;
	log->next += count;
	if (!transactional)
		log->committed = log->n;
	return code;
}

static int
fake_leader(uint32_t partition)
{
	return (fake.leader + (int)partition) % FAKE_BROKERS;
}

static int
fake_coordinator(void)
{
	return (fake.leader + 1) % FAKE_BROKERS;
}

/* ---- what is asked, and the answers' bodies */

/* go: do it, and not only say the code; which is 0 for the truth. */
struct fake_task {
	int broker;
	int16_t version;
	bool go;
	int16_t code;
	bool other_place;
	struct rbuf r;
	struct buf *to;
};

static int16_t
fake_verdict(const struct fake_task *t, int16_t truth)
{
	return t->code != 0 ? t->code : truth;
}

static void
fake_versions(struct fake_task *t)
{
	static const int16_t kinds[][3] = {
		{ KWIRE_PRODUCE, 3, 7 },
		{ KWIRE_METADATA, 1, 4 },
		{ KWIRE_FIND_COORDINATOR, 0, 1 },
		{ KWIRE_INIT_PRODUCER_ID, 0, 0 },
		{ KWIRE_ADD_PARTITIONS, 0, 0 },
		{ KWIRE_END_TXN, 0, 0 },
	};
	const size_t n = sizeof(kinds) / sizeof(kinds[0]);
	size_t i, j;

	buf_u16(t->to, 0);
	buf_u32(t->to, (uint32_t)n);
	for (i = 0; i < n; i++)
		for (j = 0; j < 3; j++)
			buf_u16(t->to, (uint16_t)kinds[i][j]);
}

static void
fake_put_text(struct buf *to, struct slice s)
{
	buf_u16(to, (uint16_t)s.n);
	buf_add(to, s.p, s.n);
}

static void
fake_put_broker(struct buf *to, int broker)
{
	buf_u32(to, (uint32_t)broker + 1);
	fake_put_text(to, slice_str("127.0.0.1"));
	buf_u32(to, fake.ports[broker]);
}

static void
fake_put_topic(struct buf *to, struct slice name, int16_t code)
{
	bool known = slice_eq(name, slice_str(FAKE_TOPIC)) && code == 0;
	uint32_t i, n = known ? FAKE_PARTITIONS : 0;

	buf_u16(to, (uint16_t)(known || code != 0 ? code : FAKE_UNKNOWN_TOPIC));
	fake_put_text(to, name);
	buf_char(to, false);
	buf_u32(to, n);
	for (i = 0; i < n; i++) {
		buf_u16(to, 0);
		buf_u32(to, i);
		buf_u32(to, (uint32_t)fake_leader(i) + 1);
		buf_u32(to, 0);
		buf_u32(to, 0);
	}
}

static void
fake_metadata(struct fake_task *t)
{
	uint32_t i, n = rbuf_u32(&t->r);

	buf_u32(t->to, 0);
	buf_u32(t->to, FAKE_BROKERS);
	for (i = 0; i < FAKE_BROKERS; i++) {
		fake_put_broker(t->to, (int)i);
		buf_u16(t->to, UINT16_MAX);
	}
	buf_u16(t->to, UINT16_MAX);
	buf_u32(t->to, 1);
	buf_u32(t->to, n);
	for (i = 0; i < n && rbuf_ok(&t->r); i++)
		fake_put_topic(t->to, fake_string(&t->r), t->code);
	rbuf_u8(&t->r);
	fake_complain(rbuf_done(&t->r));
}

static void
fake_find_coordinator(struct fake_task *t)
{
	buf_u32(t->to, 0);
	buf_u16(t->to, (uint16_t)t->code);
	buf_u16(t->to, UINT16_MAX);
	fake_put_broker(t->to, fake_coordinator());
}

static void
fake_abort(void)
{
	uint32_t i;

	for (i = 0; i < FAKE_PARTITIONS; i++) {
		fake.logs[i].n = fake.logs[i].committed;
		fake.logs[i].added = false;
	}
	fake.ongoing = false;
}

static void
fake_init_producer(struct fake_task *t)
{
	bool transactional = fake_string(&t->r).p != NULL;
	int16_t code = 0;

	if (transactional && t->broker != fake_coordinator())
		code = FAKE_NOT_COORDINATOR;
	else if (t->go && transactional) {
		fake_abort();
		fake.epoch++;
	} else if (t->go)
		fake.last_producer++;
	buf_u32(t->to, 0);
	buf_u16(t->to, (uint16_t)fake_verdict(t, code));
	buf_u64(t->to, transactional ? 1 : (uint64_t)fake.last_producer + 1);
	buf_u16(t->to, transactional ? (uint16_t)fake.epoch : 0);
}

/* Is he who asks the one who writes now, and are we the one to ask? */
static int16_t
fake_check_writer(struct fake_task *t)
{
	int64_t id;
	int16_t epoch;

	fake_string(&t->r);
	id = (int64_t)rbuf_u64(&t->r);
	epoch = (int16_t)rbuf_u16(&t->r);
	fake_complain(id == 1);
	if (t->broker != fake_coordinator())
		return FAKE_NOT_COORDINATOR;
	return epoch == fake.epoch ? 0 : FAKE_OLD_EPOCH;
}

static uint32_t
fake_place(const struct fake_task *t, uint32_t partition)
{
	return t->other_place ? FAKE_PARTITIONS + 7 : partition;
}

static void
fake_add_partitions(struct fake_task *t)
{
	int16_t code = fake_check_writer(t);
	uint32_t topics = rbuf_u32(&t->r), n, i;

	buf_u32(t->to, 0);
	buf_u32(t->to, topics);
	for (; topics > 0 && rbuf_ok(&t->r); topics--) {
		fake_put_text(t->to, fake_string(&t->r));
		n = rbuf_u32(&t->r);
		buf_u32(t->to, n);
		for (; n > 0 && rbuf_ok(&t->r); n--) {
			i = rbuf_u32(&t->r) % FAKE_PARTITIONS;
			if (t->go && code == 0)
				fake.logs[i].added = fake.ongoing = true;
			buf_u32(t->to, fake_place(t, i));
			buf_u16(t->to, (uint16_t)fake_verdict(t, code));
		}
	}
	fake_complain(rbuf_done(&t->r));
}

static void
fake_end_txn(struct fake_task *t)
{
	int16_t code = fake_check_writer(t);
	uint32_t i;

	fake_complain(rbuf_u8(&t->r) == 1 && rbuf_done(&t->r));
	if (code == 0 && t->go && fake.ongoing) {
		for (i = 0; i < FAKE_PARTITIONS; i++)
			fake.logs[i].committed = fake.logs[i].n;
		fake_abort(); /* of nothing: all is committed */
	}
	buf_u32(t->to, 0);
	buf_u16(t->to, (uint16_t)fake_verdict(t, code));
}

static void
fake_put_produced(struct fake_task *t, uint32_t partition, int16_t code)
{
	buf_u32(t->to, fake_place(t, partition));
	buf_u16(t->to, (uint16_t)fake_verdict(t, code));
	buf_u64(t->to, 0);
	buf_u64(t->to, UINT64_MAX);
	buf_u64(t->to, 0);
}

static void
fake_produce(struct fake_task *t)
{
	bool transactional = fake_string(&t->r).p != NULL;
	uint32_t topics, n, i;
	struct slice batch;
	int16_t code;

	rbuf_u16(&t->r);
	rbuf_u32(&t->r);
	topics = rbuf_u32(&t->r);
	buf_u32(t->to, topics);
	for (; topics > 0 && rbuf_ok(&t->r); topics--) {
		fake_put_text(t->to, fake_string(&t->r));
		n = rbuf_u32(&t->r);
		buf_u32(t->to, n);
		for (; n > 0 && rbuf_ok(&t->r); n--) {
			i = rbuf_u32(&t->r) % FAKE_PARTITIONS;
			batch = rbuf_bytes(&t->r, rbuf_u32(&t->r));
			code = 0;
			if (fake_leader(i) != t->broker)
				code = FAKE_NOT_LEADER;
			else if (t->go)
				code = fake_store(&fake.logs[i], batch, transactional);
			fake_put_produced(t, i, code);
		}
	}
	buf_u32(t->to, 0);
	fake_complain(rbuf_done(&t->r));
}

static void
fake_do(enum kwire_api api, struct fake_task *t)
{
	static void (*const all[])(struct fake_task *) = {
		[KWIRE_PRODUCE] = fake_produce,
		[KWIRE_METADATA] = fake_metadata,
		[KWIRE_FIND_COORDINATOR] = fake_find_coordinator,
		[KWIRE_API_VERSIONS] = fake_versions,
		[KWIRE_INIT_PRODUCER_ID] = fake_init_producer,
		[KWIRE_ADD_PARTITIONS] = fake_add_partitions,
		[KWIRE_END_TXN] = fake_end_txn,
	};
	bool known = (size_t)api < sizeof(all) / sizeof(all[0]) && all[api] != NULL;

	fake_complain(known);
	if (known)
		all[api](t);
}

#endif
