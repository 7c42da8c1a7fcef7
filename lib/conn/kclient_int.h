/*
 * kclient_int - what the files of the Kafka client share
 *
 *	kclient.c	life: connecting, trouble, being stopped
 *	kclient_conf.c	a peer's configuration in librdkafka's terms
 *	kclient_topic.c	topics, and reading them
 *	kclient_send.c	a writer's calls, by librdkafka
 *	kclient_own.c	the same by kwriter.h, which is several times as fast but knows
 *			only the common options
 */
#ifndef PEERD_CONN_KCLIENT_INT_H
#define PEERD_CONN_KCLIENT_INT_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/err.h"
#include "lib/conn/kclient.h"

/* How long a call of librdkafka may wait before we look whether to go on. */
#define KCLIENT_STEP_MS 200

#define KCLIENT_WORDS 512

struct kwriter;

/* What a writer does; kclient.h says what it promises. */
struct kclient_writer {
	bool (*connect)(struct kclient *k, struct err *err);
	bool (*fence)(struct kclient *k, struct err *err);
	bool (*begin)(struct kclient *k, struct err *err);
	bool (*send)(struct kclient *k, const struct kclient_record *r, struct err *err);
	bool (*commit)(struct kclient *k, struct err *err);
	bool (*abort)(struct kclient *k, struct err *err);
	bool (*may_repeat)(const struct kclient *k);
};

extern const struct kclient_writer kclient_by_librdkafka, kclient_by_own;

/* Copies, for as long as the own writer lives. */
struct kclient_own {
	char *servers;
	char *client_id;
	char *transactional_id;
	char *mechanism;
	char *username;
	char *secrets[4]; /* wiped at the end */
};

struct kclient {
	rd_kafka_t *rk; /* NULL: has a writer of its own */
	const struct kclient_writer *writer;
	struct kwriter *own;
	struct kclient_own settings;
	struct kclient_config cfg;
	bool transactional;
	bool may_repeat;
	size_t record_max;
	char *version;

	/* topics that records went to; the last one first looked at */
	rd_kafka_topic_t **topics;
	uint32_t ntopics, last_topic;

	atomic_bool stopped;
	pthread_mutex_t lock; /* of what librdkafka's threads tell us, below */
	rd_kafka_resp_err_t trouble;
	bool trouble_new;
	bool all_down;
	char words[KCLIENT_WORDS];
	rd_kafka_resp_err_t lost; /* the first record that could not be delivered since begin */
	char lost_words[KCLIENT_WORDS];
};

/* ---- kclient_conf.c, kclient_own.c */

bool kclient_conf(struct kclient *k, rd_kafka_conf_t **conf_r, struct err *err);

/* Does the own writer know all that the peer asks for? Then k->own is made. */
bool kclient_take_own(struct kclient *k, const rd_kafka_conf_t *conf);
void kclient_free_own(struct kclient *k);

/* ---- kclient.c */

/* Trouble that is being dealt with; from any thread. */
void kclient_note_trouble(struct kclient *k, int code, const char *words);

void kclient_note_version(struct kclient *k, int brokers);
bool kclient_connect_librdkafka(struct kclient *k, struct err *err);

/* False: err says who stopped us. */
bool kclient_go_on(struct kclient *k, struct err *err);

/* Has the cluster refused us for good? err says so. */
bool kclient_refused(struct kclient *k, struct err *err);

/* Nothing has answered in time; err has the last trouble's words. Returns false. */
bool kclient_timed_out(struct kclient *k, const char *what, struct err *err);

#endif
