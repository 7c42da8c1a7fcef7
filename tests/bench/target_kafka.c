/*
 * A table's topic is made before the run, and its readers stand ready: what is
 * timed is records only. In the mock cluster topics make themselves, and it
 * keeps but a part of what it gets: there the end is what peerd has confirmed
 * to the source.
 */
#include "lib/base/mem.h"
#include "tests/bench/target.h"
#include "tests/bench/topic.h"
#include "tests/bench/workload.h"
#include "tests/harness/fail.h"
#include "tests/harness/kafka.h"
#include "tests/harness/sql.h"

#define PARTITIONS 4 /* as the mock cluster's have */
#define READ_MS	   1000
#define KEYS_MAX   8000000 /* more than any workload has */

struct topics {
	struct topic *marker, *table;
	bool marked;	  /* the wanted row was seen */
	char *key;	  /* "id": as it stands in a record */
	uint8_t *arrived; /* by id */
	int64_t last, room;
};

static void
make_topic(const struct kafka *k, const char *name)
{
	if (kafka_partitions(k, name) > 0)
		kafka_delete_topic(k, name);
	kafka_create_topic(k, name, PARTITIONS, NULL);
}

static struct topic *
read_topic(const struct target *t, const char *name)
{
	return topic_open(kafka_servers(t->b->broker, KAFKA_PLAIN), name, PARTITIONS);
}

static char *
label_of(const char *column)
{
	return text("\"%s\":", column);
}

static void
broker_open(struct target *t)
{
	struct topics *s = xcalloc(1, sizeof(*s));

	make_topic(t->b->broker, t->w->tables);
	make_topic(t->b->broker, "marker");
	s->marker = read_topic(t, "marker");
	s->key = label_of(t->w->key);
	if (t->w->kind == KIND_LATENCY) {
		s->table = read_topic(t, t->w->tables);
		s->room = KEYS_MAX;
		s->arrived = xcalloc((size_t)s->room, 1);
	}
	t->topics = s;
}

static void
broker_close(struct target *t)
{
	topic_close(&t->topics->marker);
	topic_close(&t->topics->table);
	MEM_FREE(t->topics->arrived);
	MEM_FREE(t->topics);
}

/* A Kafka transaction is seen whole, and the marker is in the last. */
static bool
broker_has_all(const struct target *t, const char *marker)
{
	const char *key = text("{\"name\":\"%s\"}", marker);
	struct topics *s = t->topics;
	struct topic_record r;

	while (!s->marked && topic_next(s->marker, 0, &r))
		s->marked = slice_eq(r.key, slice_str(key));
	return s->marked;
}

static int64_t
broker_last_id(const struct target *t)
{
	struct topics *s = t->topics;
	struct topic_record r;
	int64_t id;

	while (topic_next(s->table, 0, &r))
		if (topic_number(r.key, s->key, &id) && id >= 0 && id < s->room)
			s->arrived[id] = 1;
	while (s->last + 1 < s->room && s->arrived[s->last + 1])
		s->last++;
	return s->last;
}

/* ---- what a reader makes of a topic: the last row of each key, and how many came */

struct sums {
	int64_t *of; /* by key */
	int64_t keys;
	int64_t records;
};

static void
add_record(struct sums *sums, const struct topics *s, const char *summed,
    const struct topic_record *r)
{
	int64_t key, n;

	if (!topic_number(r->key, s->key, &key) || key < 0 || key >= sums->keys)
		test_fail("a record has the key %.*s", (int)r->key.n, (const char *)r->key.p);
	if (!topic_number(r->value, summed, &n))
		test_fail("a record has no %s: %.*s", summed, (int)r->value.n,
		    (const char *)r->value.p);
	sums->of[key] = n;
	sums->records++;
}

static char *
broker_digest(const struct target *t)
{
	struct sums sums = { .keys = KEYS_MAX };
	struct topic *topic = read_topic(t, t->w->tables);
	const char *summed = label_of(t->w->summed);
	struct topic_record r;
	int64_t sum = 0;

	sums.of = xcalloc((size_t)sums.keys, sizeof(*sums.of));
	while (!topic_at_end(topic))
		while (topic_next(topic, READ_MS, &r))
			add_record(&sums, t->topics, summed, &r);
	for (int64_t i = 0; i < sums.keys; i++)
		sum += sums.of[i];
	topic_close(&topic);
	MEM_FREE(sums.of);
	if (sums.records != workload_rows(t->b, t->w))
		test_fail("%s: %lld records, not %lld", t->w->name, (long long)sums.records,
		    (long long)workload_rows(t->b, t->w));
	return text("%lld", (long long)sum);
}

const struct target_ops target_kafka_ops = {
	.open = broker_open,
	.close = broker_close,
	.has_all = broker_has_all,
	.last_id = broker_last_id,
	.digest = broker_digest,
	.all_pause_ns = 5000000,
	.id_pause_ns = 100000,
};

/* ---- the mock */

static void
mock_nothing(struct target *t)
{
	(void)t;
}

static bool
mock_has_all(const struct target *t, const char *marker)
{
	(void)marker;
	return sql_i64(t->b->src,
		   "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" RUN_SLOT "' "
		   "AND confirmed_flush_lsn - '0/0' > %llu",
		   (unsigned long long)t->w->last_lsn) > 0;
}

const struct target_ops target_mock_ops = {
	.open = mock_nothing,
	.close = mock_nothing,
	.has_all = mock_has_all,
	.all_pause_ns = 5000000,
};
