#include "lib/conn/kwire.h"

#define ACKS_ALL       (-1)
#define NULL_LENGTH    (-1)
#define TRANSACTION_ID 1 /* what a coordinator is asked for, and not a group */
#define LENGTH_BYTES   4

/* The first versions that have these. */
#define METADATA_CLUSTER   2
#define METADATA_THROTTLE  3
#define METADATA_NO_MAKING 4
#define PRODUCE_LOG_START  5

/* ---- requests */

size_t
kwire_begin(struct buf *b, enum kwire_api api, int16_t version, int32_t correlation,
    const char *client_id)
{
	size_t begun = b->n;

	buf_u32(b, 0); /* end() knows */
	buf_u16(b, (uint16_t)api);
	buf_u16(b, (uint16_t)version);
	buf_u32(b, (uint32_t)correlation);
	kwire_put_string(b, client_id);
	return begun;
}

void
kwire_end(struct buf *b, size_t begun)
{
	if (!buf_overflowed(b))
		put_u32(b->p + begun, (uint32_t)(b->n - begun - LENGTH_BYTES));
}

void
kwire_put_string(struct buf *b, const char *s)
{
	if (s == NULL) {
		buf_u16(b, (uint16_t)NULL_LENGTH);
		return;
	}
	buf_u16(b, (uint16_t)strlen(s));
	buf_str_add(b, s);
}

void
kwire_put_bytes(struct buf *b, struct slice s)
{
	buf_u32(b, (uint32_t)s.n);
	buf_add(b, s.p, s.n);
}

void
kwire_put_metadata(struct buf *b, int16_t version, const char *const *topics, uint32_t n)
{
	uint32_t i;

	buf_u32(b, n);
	for (i = 0; i < n; i++)
		kwire_put_string(b, topics[i]);
	if (version >= METADATA_NO_MAKING)
		buf_char(b, false); /* topics are not made by asking for them */
}

void
kwire_put_find_coordinator(struct buf *b, const char *transactional_id)
{
	kwire_put_string(b, transactional_id);
	buf_char(b, TRANSACTION_ID);
}

void
kwire_put_init_producer_id(struct buf *b, const char *transactional_id, int32_t timeout_ms)
{
	kwire_put_string(b, transactional_id);
	buf_u32(b, (uint32_t)timeout_ms);
}

static void
put_writer(struct buf *b, const char *transactional_id, struct kwire_producer producer)
{
	kwire_put_string(b, transactional_id);
	buf_u64(b, (uint64_t)producer.id);
	buf_u16(b, (uint16_t)producer.epoch);
}

void
kwire_put_end_txn(struct buf *b, const char *transactional_id, struct kwire_producer producer,
    bool commit)
{
	put_writer(b, transactional_id, producer);
	buf_char(b, commit);
}

void
kwire_put_produce(struct buf *b, const char *transactional_id, int32_t timeout_ms, uint32_t topics)
{
	kwire_put_string(b, transactional_id);
	buf_u16(b, (uint16_t)ACKS_ALL);
	buf_u32(b, (uint32_t)timeout_ms);
	buf_u32(b, topics);
}

void
kwire_put_add_partitions(struct buf *b, const char *transactional_id,
    struct kwire_producer producer, uint32_t topics)
{
	put_writer(b, transactional_id, producer);
	buf_u32(b, topics);
}

void
kwire_put_topic(struct buf *b, const char *topic, uint32_t partitions)
{
	kwire_put_string(b, topic);
	buf_u32(b, partitions);
}

void
kwire_put_partition(struct buf *b, int32_t partition)
{
	buf_u32(b, (uint32_t)partition);
}

void
kwire_put_batch(struct buf *b, int32_t partition, struct slice batch)
{
	kwire_put_partition(b, partition);
	kwire_put_bytes(b, batch);
}

/* ---- answers */

static int16_t
get_i16(struct rbuf *r)
{
	return (int16_t)rbuf_u16(r);
}

static int32_t
get_i32(struct rbuf *r)
{
	return (int32_t)rbuf_u32(r);
}

/* Null is read as an empty one. */
static struct slice
get_sized(struct rbuf *r, int64_t n)
{
	if (n < NULL_LENGTH)
		r->failed = true;
	return rbuf_bytes(r, n > 0 ? (size_t)n : 0);
}

static struct slice
get_string(struct rbuf *r)
{
	return get_sized(r, get_i16(r));
}

static struct slice
get_bytes(struct rbuf *r)
{
	return get_sized(r, get_i32(r));
}

/* How many follow. Each of them has bytes of its own: no more than there are bytes. */
static uint32_t
get_count(struct rbuf *r)
{
	int32_t n = get_i32(r);

	if (n < NULL_LENGTH || n > (int64_t)rbuf_left(r))
		r->failed = true;
	return r->failed || n < 0 ? 0 : (uint32_t)n;
}

static void
skip_i32s(struct rbuf *r)
{
	uint32_t n = get_count(r);

	rbuf_bytes(r, (size_t)n * sizeof(int32_t));
}

bool
kwire_read_versions(struct slice answer, enum kwire_api api, int16_t *error_r,
    struct kwire_range *range_r)
{
	struct rbuf r = rbuf_of(answer);
	struct kwire_range range;
	uint32_t n;
	int16_t of;

	*range_r = (struct kwire_range){ .min = 0, .max = -1 };
	*error_r = get_i16(&r);
	for (n = get_count(&r); n > 0 && rbuf_ok(&r); n--) {
		of = get_i16(&r);
		range.min = get_i16(&r);
		range.max = get_i16(&r);
		if (of == (int16_t)api && rbuf_ok(&r))
			*range_r = range;
	}
	return rbuf_done(&r);
}

static struct kwire_broker
get_broker(struct rbuf *r)
{
	struct kwire_broker b;

	b.id = get_i32(r);
	b.host = get_string(r);
	b.port = get_i32(r);
	return b;
}

static void
get_metadata_partition(struct rbuf *r, const struct kwire_metadata_fns *fns, void *arg)
{
	int16_t error = get_i16(r);
	int32_t partition = get_i32(r), leader = get_i32(r);

	skip_i32s(r); /* replicas */
	skip_i32s(r); /* and those in step */
	if (rbuf_ok(r))
		fns->partition(arg, partition, error, leader);
}

static void
get_metadata_topic(struct rbuf *r, const struct kwire_metadata_fns *fns, void *arg)
{
	int16_t error = get_i16(r);
	struct slice name = get_string(r);
	uint32_t n;

	rbuf_u8(r); /* internal? */
	n = get_count(r);
	if (!rbuf_ok(r))
		return;
	fns->topic(arg, name, error, n);
	for (; n > 0 && rbuf_ok(r); n--)
		get_metadata_partition(r, fns, arg);
}

bool
kwire_read_metadata(struct slice answer, int16_t version, const struct kwire_metadata_fns *fns,
    void *arg)
{
	struct rbuf r = rbuf_of(answer);
	struct kwire_broker b;
	uint32_t n;

	if (version >= METADATA_THROTTLE)
		rbuf_u32(&r); /* for how long */
	for (n = get_count(&r); n > 0 && rbuf_ok(&r); n--) {
		b = get_broker(&r);
		get_string(&r); /* rack */
		if (rbuf_ok(&r))
			fns->broker(arg, &b);
	}
	if (version >= METADATA_CLUSTER)
		get_string(&r); /* its name */
	rbuf_u32(&r);		/* controller */
	for (n = get_count(&r); n > 0 && rbuf_ok(&r); n--)
		get_metadata_topic(&r, fns, arg);
	return rbuf_done(&r);
}

bool
kwire_read_coordinator(struct slice answer, int16_t *error_r, struct kwire_broker *b_r)
{
	struct rbuf r = rbuf_of(answer);

	rbuf_u32(&r); /* throttled for */
	*error_r = get_i16(&r);
	get_string(&r); /* its words */
	*b_r = get_broker(&r);
	return rbuf_done(&r);
}

bool
kwire_read_producer(struct slice answer, int16_t *error_r, struct kwire_producer *p_r)
{
	struct rbuf r = rbuf_of(answer);

	rbuf_u32(&r); /* throttled for */
	*error_r = get_i16(&r);
	p_r->id = (int64_t)rbuf_u64(&r);
	p_r->epoch = get_i16(&r);
	return rbuf_done(&r);
}

bool
kwire_read_end_txn(struct slice answer, int16_t *error_r)
{
	struct rbuf r = rbuf_of(answer);

	rbuf_u32(&r); /* throttled for */
	*error_r = get_i16(&r);
	return rbuf_done(&r);
}

bool
kwire_read_produce(struct slice answer, int16_t version, kwire_partition_fn *fn, void *arg)
{
	struct rbuf r = rbuf_of(answer);
	struct slice topic;
	uint32_t topics, n;
	int32_t partition;
	int16_t error;

	for (topics = get_count(&r); topics > 0 && rbuf_ok(&r); topics--) {
		topic = get_string(&r);
		for (n = get_count(&r); n > 0 && rbuf_ok(&r); n--) {
			partition = get_i32(&r);
			error = get_i16(&r);
			rbuf_u64(&r); /* offset of the first record */
			rbuf_u64(&r); /* time of the log */
			if (version >= PRODUCE_LOG_START)
				rbuf_u64(&r);
			if (rbuf_ok(&r))
				fn(arg, topic, partition, error);
		}
	}
	rbuf_u32(&r); /* throttled for */
	return rbuf_done(&r);
}

bool
kwire_read_add_partitions(struct slice answer, kwire_partition_fn *fn, void *arg)
{
	struct rbuf r = rbuf_of(answer);
	struct slice topic;
	uint32_t topics, n;
	int32_t partition;
	int16_t error;

	rbuf_u32(&r); /* throttled for */
	for (topics = get_count(&r); topics > 0 && rbuf_ok(&r); topics--) {
		topic = get_string(&r);
		for (n = get_count(&r); n > 0 && rbuf_ok(&r); n--) {
			partition = get_i32(&r);
			error = get_i16(&r);
			if (rbuf_ok(&r))
				fn(arg, topic, partition, error);
		}
	}
	return rbuf_done(&r);
}

bool
kwire_read_handshake(struct slice answer, int16_t *error_r, struct buf *mechanisms_r)
{
	struct rbuf r = rbuf_of(answer);
	struct slice name;
	uint32_t n;

	*error_r = get_i16(&r);
	for (n = get_count(&r); n > 0 && rbuf_ok(&r); n--) {
		name = get_string(&r);
		if (mechanisms_r->n > 0)
			buf_char(mechanisms_r, ' ');
		buf_add(mechanisms_r, name.p, name.n);
	}
	return rbuf_done(&r);
}

bool
kwire_read_authenticate(struct slice answer, int16_t *error_r, struct slice *words_r,
    struct slice *token_r)
{
	struct rbuf r = rbuf_of(answer);

	*error_r = get_i16(&r);
	*words_r = get_string(&r);
	*token_r = get_bytes(&r);
	return rbuf_done(&r);
}
