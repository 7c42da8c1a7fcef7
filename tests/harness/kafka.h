/*
 * kafka - a throwaway Kafka cluster, and readers that are not ours
 *
 * kafka_new() starts one node or three of Apache Kafka (KRaft, each broker and
 * controller at once) on ports and directories of their own and returns when
 * all of them answer: some two seconds and 200 MB a node. They are adopted by
 * the janitor, so they survive the test that restarts them. The jars are
 * brought by scripts/install-kafka. Where those or Java are missing,
 * kafka_available() is false and says so aloud; a test of it must be left out
 * then, or make do with kafka_new_mock():
 *
 *	kafka_new_mock()	librdkafka's mock cluster: topics make themselves, with
 *				4 partitions; about 5 MB of each are kept; readers see
 *				what was aborted; only KAFKA_PLAIN; no call here that
 *				stops, restarts, makes topics or moves leaders
 *
 * Topics do not make themselves on real brokers. Data outlives any kind of
 * stop. A node that died is given up by the others after 2.5 s.
 *
 * Listeners: KAFKA_PLAIN lets everybody in; KAFKA_SASL wants KAFKA_USER with
 * KAFKA_PASSWORD by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; KAFKA_TLS wants a
 * client certificate, KAFKA_SASL_TLS user and password. The servers'
 * certificate, for 127.0.0.1 and localhost, is its own authority and the only
 * client certificate that is taken: k->cert and k->key.
 *
 * Nodes count from 1, partitions from 0. Calls fail the test with the server's
 * words.
 */
#ifndef PEERD_HARNESS_KAFKA_H
#define PEERD_HARNESS_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KAFKA_USER	"peerd"
#define KAFKA_PASSWORD	"Tr0ub4dor&3 \\'x<%>=+:"
#define KAFKA_NODES_MAX 3

enum kafka_listener {
	KAFKA_PLAIN,
	KAFKA_SASL,
	KAFKA_TLS,
	KAFKA_SASL_TLS,
	KAFKA_LISTENERS
};

enum kafka_use {
	KAFKA_FOR_TESTS, /* starts soonest */
	KAFKA_FOR_BENCH, /* is fastest once it is warm */
};

enum kafka_stop {
	KAFKA_POLITE, /* SIGTERM: leaders move away, logs are closed */
	KAFKA_KILL,   /* SIGKILL */
};

struct kafka_node {
	char *dir;
	char *log;
	int ports[KAFKA_LISTENERS];
	int controller_port;
};

struct kafka {
	const char *name;
	bool is_mock;
	enum kafka_use use;
	int nodes;
	struct kafka_node node[KAFKA_NODES_MAX]; /* node N is node[N - 1] */
	char *dir;
	char *cert, *key; /* PEM files; NULL for a mock */
	char *mock_servers;
};

bool kafka_available(void); /* says so on stderr when not */

struct kafka *kafka_new(const char *name, int nodes, enum kafka_use use);
struct kafka *kafka_new_mock(const char *name, int nodes);
void kafka_free(struct kafka **k); /* stops it; NULL is fine */

/* host:port of every node, with commas between: "bootstrap.servers". */
const char *kafka_servers(const struct kafka *k, enum kafka_listener listener);

void kafka_start(const struct kafka *k, int node);
void kafka_stop(const struct kafka *k, int node, enum kafka_stop how);
void kafka_restart(const struct kafka *k, int node, enum kafka_stop how);
pid_t kafka_pid(const struct kafka *k, int node); /* 0 when it is down */

/* ---- topics */

/* On every node. config: names and values in turn, then NULL; or NULL. */
void kafka_create_topic(const struct kafka *k, const char *topic, int partitions,
    const char *const *config);
void kafka_delete_topic(const struct kafka *k, const char *topic);
int kafka_partitions(const struct kafka *k, const char *topic);		   /* 0: no such topic */
int kafka_leader(const struct kafka *k, const char *topic, int partition); /* 0: nobody */

/* To the next node that has a copy, which is returned; two short Java programs. */
int kafka_move_leader(const struct kafka *k, const char *topic, int partition);

/* ---- reading: kcat, a process of its own */

struct kafka_header {
	const char *name;
	const char *value; /* NULL: a null header */
};

struct kafka_record {
	int partition;
	int64_t offset;
	int64_t time_ms;
	const char *key;   /* NULL: none */
	const char *value; /* NULL: a tombstone */
	const struct kafka_header *headers;
	size_t n_headers;
};

/* In the order of arrival: of offsets in a partition, of nothing across them. */
struct kafka_records {
	struct kafka_record *v;
	size_t n;
	struct arena *arena; /* everything is in it */
};

struct kafka_reading {
	size_t count;	       /* end after so many records; 0: at the present end of the topic */
	bool with_uncommitted; /* what is open or was aborted too */
	int64_t from;	       /* begin at this offset of each partition */
	int timeout_ms;	       /* 0: a minute */
};

/* Keys, values and headers must be UTF-8 without NUL. reading NULL: all that is committed. */
struct kafka_records kafka_read(const struct kafka *k, const char *topic,
    const struct kafka_reading *reading);
void kafka_records_free(struct kafka_records *r);

const char *kafka_header(const struct kafka_record *r, const char *name); /* NULL when not there */

#endif
