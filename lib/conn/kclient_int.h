/*
 * kclient_int - what the files of the Kafka client share
 *
 *	kclient.c	life: connecting, trouble, being stopped
 *	kclient_conf.c	a peer's configuration in librdkafka's terms
 *	kclient_topic.c	topics, and reading them
 *	kclient_send.c	transactions and records
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

struct kclient {
	rd_kafka_t *rk;
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

/* ---- kclient_conf.c */

bool kclient_conf(struct kclient *k, rd_kafka_conf_t **conf_r, struct err *err);

/* ---- kclient.c */

/* False: err says who stopped us. */
bool kclient_go_on(struct kclient *k, struct err *err);

/* err from librdkafka's code and words; returns false. */
bool kclient_fail(struct err *err, rd_kafka_resp_err_t code, const char *words);

/* Has the cluster refused us for good? err says so. */
bool kclient_refused(struct kclient *k, struct err *err);

/* Nothing has answered in time; err has the last trouble's words. Returns false. */
bool kclient_timed_out(struct kclient *k, const char *what, struct err *err);

#endif
