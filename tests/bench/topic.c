#include "tests/bench/topic.h"

#include <librdkafka/rdkafka.h>

#include "lib/base/mem.h"
#include "tests/harness/fail.h"

#define PARTITIONS_MAX 32
#define WORDS_MAX      512

struct topic {
	rd_kafka_t *rk;
	rd_kafka_message_t *lent;
	int partitions;
	bool ended[PARTITIONS_MAX];
};

static rd_kafka_conf_t *
configure(const char *servers)
{
	const char *const settings[][2] = {
		{ "bootstrap.servers", servers },
		{ "group.id", "bench" }, /* demanded, but never joined */
		{ "isolation.level", "read_committed" },
		{ "enable.partition.eof", "true" },
		{ "enable.auto.commit", "false" },
		{ "auto.offset.reset", "earliest" },
		/* partitions that come late wait for the end of a request without them */
		{ "fetch.wait.max.ms", "10" },
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char words[WORDS_MAX];

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], words, sizeof(words)) !=
		    RD_KAFKA_CONF_OK)
			test_fail("a reader of topics: %s", words);
	return conf;
}

static void
assign(struct topic *t, const char *name)
{
	rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(t->partitions);

	for (int i = 0; i < t->partitions; i++)
		rd_kafka_topic_partition_list_add(all, name, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
	if (rd_kafka_assign(t->rk, all) != RD_KAFKA_RESP_ERR_NO_ERROR)
		test_fail("could not read topic %s", name);
	rd_kafka_topic_partition_list_destroy(all);
}

struct topic *
topic_open(const char *servers, const char *name, int partitions)
{
	struct topic *t = xcalloc(1, sizeof(*t));
	char words[WORDS_MAX];

	if (partitions < 1 || partitions > PARTITIONS_MAX)
		test_fail("topic %s has %d partitions", name, partitions);
	t->partitions = partitions;
	t->rk = rd_kafka_new(RD_KAFKA_CONSUMER, configure(servers), words, sizeof(words));
	if (t->rk == NULL)
		test_fail("a reader of topics: %s", words);
	rd_kafka_poll_set_consumer(t->rk);
	assign(t, name);
	return t;
}

static void
give_back(struct topic *t)
{
	if (t->lent != NULL)
		rd_kafka_message_destroy(t->lent);
	t->lent = NULL;
}

void
topic_close(struct topic **t)
{
	if (*t == NULL)
		return;
	give_back(*t);
	rd_kafka_consumer_close((*t)->rk);
	rd_kafka_destroy((*t)->rk);
	MEM_FREE(*t);
}

/* The end of a partition is told as an error; others pass, for a broker may be slow to know. */
bool
topic_next(struct topic *t, int wait_ms, struct topic_record *r_r)
{
	const rd_kafka_message_t *m;

	give_back(t);
	m = t->lent = rd_kafka_consumer_poll(t->rk, wait_ms);
	if (m == NULL)
		return false;
	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
		t->ended[m->partition] = true;
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return false;
	t->ended[m->partition] = false;
	*r_r = (struct topic_record){ slice_of(m->key, m->key_len), slice_of(m->payload, m->len) };
	return true;
}

bool
topic_at_end(const struct topic *t)
{
	for (int i = 0; i < t->partitions; i++)
		if (!t->ended[i])
			return false;
	return true;
}

bool
topic_number(struct slice object, const char *label, int64_t *n_r)
{
	size_t len = strlen(label);
	const uint8_t *p = NULL, *end = object.p + object.n;

	for (const uint8_t *from = object.p;
	     (from = memmem(from, (size_t)(end - from), label, len)) != NULL; from += len)
		p = from + len;
	if (p == NULL)
		return false;
	*n_r = strtoll((const char *)p, NULL, 10); /* an object ends in '}' */
	return true;
}
