#include "tests/harness/kafka_int.h"

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "tests/harness/fail.h"
#include "tests/harness/files.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"

#define SETTLE_MS 30000
#define WORDS_MAX 512

rd_kafka_t *
kafka_client(const char *servers)
{
	static const char *const settings[][2] = {
		{ "reconnect.backoff.ms", "20" },
		{ "reconnect.backoff.max.ms", "200" },
		{ "topic.metadata.refresh.sparse", "false" },
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char words[WORDS_MAX];
	rd_kafka_t *client;

	rd_kafka_conf_set_log_cb(conf, NULL); /* nodes that are down are not worth a word */
	rd_kafka_conf_set(conf, "bootstrap.servers", servers, NULL, 0);
	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		rd_kafka_conf_set(conf, settings[i][0], settings[i][1], NULL, 0);
	client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof(words));
	if (client == NULL)
		test_fail("could not make a Kafka client: %s", words);
	return client;
}

int
kafka_count_brokers(rd_kafka_t *client, int node)
{
	const struct rd_kafka_metadata *m;
	bool is_there = false;
	int n;

	if (rd_kafka_metadata(client, 0, NULL, &m, KAFKA_ANSWER_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	n = m->broker_cnt;
	for (int i = 0; i < n; i++)
		is_there |= m->brokers[i].id == node;
	rd_kafka_metadata_destroy(m);
	return is_there ? n : 0;
}

/* ---- making and removing: what both requests have in common */

struct request {
	rd_kafka_t *client;
	rd_kafka_AdminOptions_t *options;
	rd_kafka_queue_t *answers;
};

static struct request
request_begin(const struct kafka *k)
{
	struct request r;

	if (k->is_mock)
		test_fail("the mock cluster's topics make themselves");
	r.client = kafka_client(kafka_servers(k, KAFKA_PLAIN));
	r.options = rd_kafka_AdminOptions_new(r.client, RD_KAFKA_ADMIN_OP_ANY);
	r.answers = rd_kafka_queue_new(r.client);
	rd_kafka_AdminOptions_set_request_timeout(r.options, SETTLE_MS, NULL, 0);
	rd_kafka_AdminOptions_set_operation_timeout(r.options, SETTLE_MS, NULL, 0);
	return r;
}

static void
fail_for(const char *what, const char *topic, rd_kafka_resp_err_t code, const char *words)
{
	test_fail("could not %s topic %s: %s", what, topic,
	    words != NULL ? words : rd_kafka_err2str(code));
}

static void
request_end(struct request *r, const char *what, const char *topic)
{
	rd_kafka_event_t *e = rd_kafka_queue_poll(r->answers, 2 * SETTLE_MS);
	const rd_kafka_topic_result_t **results = NULL;
	size_t n = 0;

	if (e == NULL)
		test_fail("could not %s topic %s: no answer", what, topic);
	if (rd_kafka_event_error(e) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail_for(what, topic, rd_kafka_event_error(e), rd_kafka_event_error_string(e));
	if (rd_kafka_event_CreateTopics_result(e) != NULL)
		results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(e),
		    &n);
	else if (rd_kafka_event_DeleteTopics_result(e) != NULL)
		results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(e),
		    &n);
	for (size_t i = 0; i < n; i++)
		if (rd_kafka_topic_result_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
			fail_for(what, topic, rd_kafka_topic_result_error(results[i]),
			    rd_kafka_topic_result_error_string(results[i]));
	rd_kafka_event_destroy(e);
	rd_kafka_queue_destroy(r->answers);
	rd_kafka_AdminOptions_destroy(r->options);
	rd_kafka_destroy(r->client);
}

/* ---- asking */

/* What the client's cluster says of a topic: its partitions, and how many of them have a leader. */
struct topic_state {
	int partitions;
	int led;
};

static const char *
node_address(const struct kafka *k, int node)
{
	return text("127.0.0.1:%d", k->node[node - 1].ports[KAFKA_PLAIN]);
}

static const struct rd_kafka_metadata *
ask_of_topic(rd_kafka_t *client, const char *topic)
{
	rd_kafka_topic_t *t = rd_kafka_topic_new(client, topic, NULL);
	const struct rd_kafka_metadata *m;
	rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, t, &m, KAFKA_ANSWER_MS);

	rd_kafka_topic_destroy(t);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? m : NULL;
}

static struct topic_state
topic_state(rd_kafka_t *client, const char *topic)
{
	const struct rd_kafka_metadata *m = ask_of_topic(client, topic);
	struct topic_state s = { 0, 0 };

	if (m == NULL)
		return s;
	for (int i = 0; i < m->topic_cnt; i++) {
		s.partitions = m->topics[i].partition_cnt;
		for (int p = 0; p < s.partitions; p++)
			s.led += m->topics[i].partitions[p].leader > 0;
	}
	rd_kafka_metadata_destroy(m);
	return s;
}

/* Every node that runs knows the topic with so many partitions, each with a leader. */
static void
wait_known(const struct kafka *k, const char *topic, int partitions)
{
	for (int node = 1; node <= k->nodes; node++) {
		rd_kafka_t *client;
		struct topic_state s;
		bool ok;

		if (kafka_pid(k, node) == 0)
			continue;
		client = kafka_client(node_address(k, node));
		ok = poll_until(SETTLE_MS,
		    (s = topic_state(client, topic)).partitions == partitions &&
			s.led == partitions);
		rd_kafka_destroy(client);
		if (!ok)
			test_fail("node %d knows %d partitions of %s, not %d", node, s.partitions,
			    topic, partitions);
	}
}

void
kafka_create_topic(const struct kafka *k, const char *topic, int partitions,
    const char *const *config)
{
	struct request r = request_begin(k);
	rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, partitions, k->nodes, NULL, 0);

	for (; config != NULL && config[0] != NULL; config += 2)
		rd_kafka_NewTopic_set_config(wanted, config[0], config[1]);
	rd_kafka_CreateTopics(r.client, &wanted, 1, r.options, r.answers);
	request_end(&r, "create", topic);
	rd_kafka_NewTopic_destroy(wanted);
	wait_known(k, topic, partitions);
}

void
kafka_delete_topic(const struct kafka *k, const char *topic)
{
	struct request r = request_begin(k);
	rd_kafka_DeleteTopic_t *wanted = rd_kafka_DeleteTopic_new(topic);

	rd_kafka_DeleteTopics(r.client, &wanted, 1, r.options, r.answers);
	request_end(&r, "delete", topic);
	rd_kafka_DeleteTopic_destroy(wanted);
	wait_known(k, topic, 0);
}

int
kafka_partitions(const struct kafka *k, const char *topic)
{
	rd_kafka_t *client = kafka_client(kafka_servers(k, KAFKA_PLAIN));
	int n = topic_state(client, topic).partitions;

	rd_kafka_destroy(client);
	return n;
}

/* ---- leaders */

struct leadership {
	int leader;
	int n;
	int copies[KAFKA_NODES_MAX];
};

static struct leadership
leadership(const char *servers, const char *topic, int partition)
{
	rd_kafka_t *client = kafka_client(servers);
	const struct rd_kafka_metadata *m = ask_of_topic(client, topic);
	struct leadership l = { 0 };

	if (m != NULL && m->topic_cnt == 1 && partition < m->topics[0].partition_cnt) {
		const struct rd_kafka_metadata_partition *p = &m->topics[0].partitions[partition];

		l.leader = p->leader > 0 ? p->leader : 0;
		for (int i = 0; i < p->replica_cnt && l.n < KAFKA_NODES_MAX; i++)
			l.copies[l.n++] = p->replicas[i];
	}
	if (m != NULL)
		rd_kafka_metadata_destroy(m);
	rd_kafka_destroy(client);
	return l;
}

int
kafka_leader(const struct kafka *k, const char *topic, int partition)
{
	return leadership(kafka_servers(k, KAFKA_PLAIN), topic, partition).leader;
}

/* Each node that runs has heard of it; they hear one after the other. */
static bool
all_say_leader(const struct kafka *k, const char *topic, int partition, int leader)
{
	for (int node = 1; node <= k->nodes; node++)
		if (kafka_pid(k, node) != 0 &&
		    leadership(node_address(k, node), topic, partition).leader != leader)
			return false;
	return true;
}

/* The same copies in an order that begins after the leader: the first is the one preferred. */
static char *
plan(const struct leadership *l, const char *topic, int partition, int *preferred_r)
{
	const char *copies = "";
	int at = 0;

	while (at < l->n - 1 && l->copies[at] != l->leader)
		at++;
	for (int i = 1; i <= l->n; i++)
		copies = text("%s%s%d", copies, i > 1 ? "," : "", l->copies[(at + i) % l->n]);
	*preferred_r = l->copies[(at + 1) % l->n];
	return json("{'version': 1, 'partitions': [{'topic': '%s', 'partition': %d, "
		    "'replicas': [%s]}]}",
	    topic, partition, copies);
}

int
kafka_move_leader(const struct kafka *k, const char *topic, int partition)
{
	struct leadership l = leadership(kafka_servers(k, KAFKA_PLAIN), topic, partition);
	const char *file = text("%s/plan.json", k->dir);
	const char *const reassign[] = { "--bootstrap-server", kafka_servers(k, KAFKA_PLAIN),
		"--reassignment-json-file", file, "--execute", NULL };
	const char *const elect[] = { "--bootstrap-server", kafka_servers(k, KAFKA_PLAIN),
		"--election-type", "PREFERRED", "--topic", topic, text("--partition=%d", partition),
		NULL };
	int preferred;

	if (l.leader == 0 || l.n < 2)
		test_fail("partition %d of %s has nowhere to go", partition, topic);
	file_write(file, plan(&l, topic, partition, &preferred));
	kafka_run_tool(k, "org.apache.kafka.tools.reassign.ReassignPartitionsCommand", reassign);
	kafka_run_tool(k, "org.apache.kafka.tools.LeaderElectionCommand", elect);
	if (!poll_until(SETTLE_MS, all_say_leader(k, topic, partition, preferred)))
		test_fail("node %d did not come to lead partition %d of %s: %s", preferred,
		    partition, topic, file_read(KAFKA_TOOL_LOG(k)));
	return preferred;
}
