#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conn/kclient_int.h"
#include "lib/conn/pgconn.h"

#define PURGE_ALL (RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)

/* ---- errors */

/* What waiting does not help against. */
static const struct {
	rd_kafka_resp_err_t code;
	const char *hint;
} lasting[] = {
	{ RD_KAFKA_RESP_ERR__AUTHENTICATION, "check username, password and sasl" },
	{ RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, "check username, password and sasl" },
	{ RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, "check sasl" },
	{ RD_KAFKA_RESP_ERR__SSL, "check root_ca, certificate, private_key and disable_tls" },
	{ RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
	    "allow the user to describe, create and write the topic" },
	{ RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
	    "allow the user IdempotentWrite, or to create topics, on the cluster" },
	{ RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
	    "allow the user to write and describe transactional ids that begin with \"peerd-\"" },
	{ RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT,
	    "set transaction.timeout.ms in the peer's options to what the brokers allow"
	    " (transaction.max.timeout.ms)" },
	{ RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
	    "raise max.message.bytes of the topic, or lower the peer's max_record_batch_bytes" },
	{ RD_KAFKA_RESP_ERR_INVALID_MSG, "does the topic demand keys (cleanup.policy=compact)?" },
	{ RD_KAFKA_RESP_ERR_INVALID_RECORD,
	    "does the topic demand keys (cleanup.policy=compact)?" },
	{ RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
	    "there are fewer brokers: set PEERD_KAFKA_REPLICATION_FACTOR" },
	{ RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, "check PEERD_KAFKA_PARTITIONS" },
	{ RD_KAFKA_RESP_ERR_INVALID_CONFIG, "check PEERD_KAFKA_TOPIC_CONFIG" },
	{ RD_KAFKA_RESP_ERR_POLICY_VIOLATION, "the cluster has a policy for new topics" },
	{ RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "was the topic deleted? create it again" },
	{ RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "was the topic deleted? create it again" },
	{ RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, "" },
	{ RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, "" },
};

static bool
is_fenced(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
	    code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/*
 * Before 2.6.1 librdkafka sent its nonce twice (its issue 4895), which Kafka 4 takes for a
 * forgery. It calls that invalid credentials, as it does a wrong password.
 */
#define SCRAM_MENDED 0x020601

static bool
may_be_forgery(rd_kafka_resp_err_t code, const char *words)
{
	return (code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
		   code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED) &&
	    strstr(words, "SCRAM") != NULL && rd_kafka_version() >> 8 < SCRAM_MENDED;
}

bool
kclient_fail(struct err *err, rd_kafka_resp_err_t code, const char *words)
{
	size_t i;

	if (may_be_forgery(code, words)) {
		err_set(err, ERR_CONFIG, "%s", words);
		return err_hint(err,
		    "check username, password and sasl; brokers of Kafka 4 refuse SCRAM whatever "
		    "the"
		    " password unless librdkafka is 2.6.1 or newer, and this is %s: install a newer"
		    " one, or use sasl PLAIN with TLS",
		    rd_kafka_version_str());
	}
	for (i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++)
		if (lasting[i].code == code) {
			err_set(err, ERR_CONFIG, "%s", words);
			return err_hint(err, "%s", lasting[i].hint);
		}
	if (is_fenced(code))
		return err_set(err, ERR_TRANSIENT,
		    "another worker has taken over, or the transaction took longer than the"
		    " brokers allow: %s",
		    words);
	return err_set(err, ERR_TRANSIENT, "%s", words);
}

bool
kclient_refused(struct kclient *k, struct err *err)
{
	bool refused;

	rd_kafka_poll(k->rk, 0);
	pthread_mutex_lock(&k->lock);
	refused = k->all_down || k->trouble == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
	    k->trouble == RD_KAFKA_RESP_ERR__SSL;
	if (refused)
		kclient_fail(err, k->trouble, k->words);
	pthread_mutex_unlock(&k->lock);
	return refused;
}

bool
kclient_timed_out(struct kclient *k, const char *what, struct err *err)
{
	pthread_mutex_lock(&k->lock);
	if (k->words[0] != '\0')
		kclient_fail(err, k->trouble, k->words);
	else
		err_set(err, ERR_TRANSIENT, "no answer within %d s",
		    (int)(k->cfg.timeout / USEC_PER_SEC));
	pthread_mutex_unlock(&k->lock);
	return err_context(err, "%s", what);
}

/* ---- what librdkafka tells, from calls of ours or from threads of its own */

static void
on_error(rd_kafka_t *rk, int code, const char *reason, void *arg)
{
	struct kclient *k = arg;

	(void)rk;
	pthread_mutex_lock(&k->lock);
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		k->all_down = true;
		if (k->words[0] != '\0')
			reason = NULL; /* why each of them is says more */
	}
	if (reason != NULL) {
		k->trouble_new |= strcmp(k->words, reason) != 0;
		k->trouble = (rd_kafka_resp_err_t)code;
		str_copy(k->words, sizeof(k->words), reason);
	}
	pthread_mutex_unlock(&k->lock);
}

/* Only what could not be delivered is reported at all. */
static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
	struct kclient *k = arg;

	(void)rk;
	if (m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		return;
	pthread_mutex_lock(&k->lock);
	if (k->lost == RD_KAFKA_RESP_ERR_NO_ERROR) {
		k->lost = m->err;
		snprintf(k->lost_words, sizeof(k->lost_words), "topic \"%s\": %s",
		    rd_kafka_topic_name(m->rkt), rd_kafka_err2str(m->err));
	}
	pthread_mutex_unlock(&k->lock);
}

/* on_error() hears of all that concerns us, in fewer words. */
static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *line)
{
	(void)rk;
	(void)level;
	(void)facility;
	(void)line;
}

bool
kclient_trouble(struct kclient *k, char *words_r, size_t size)
{
	bool new;

	pthread_mutex_lock(&k->lock);
	new = k->trouble_new;
	k->trouble_new = false;
	if (new)
		str_copy(words_r, size, k->words);
	pthread_mutex_unlock(&k->lock);
	return new;
}

/* ---- being stopped */

void
kclient_stop(struct kclient *k)
{
	atomic_store(&k->stopped, true);
}

void
kclient_hand_over(struct kclient *k)
{
	k->cfg.intr = NULL;
}

static bool
interrupted(const struct pgconn_interrupt *intr)
{
	struct pollfd fd = { .fd = intr->fd, .events = POLLIN };

	return intr->fd >= 0 && poll(&fd, 1, 0) > 0 && !intr->check(intr->arg);
}

bool
kclient_go_on(struct kclient *k, struct err *err)
{
	if (!atomic_load(&k->stopped) && (k->cfg.intr == NULL || !interrupted(k->cfg.intr)))
		return true;
	return err_set(err, ERR_CANCELLED, "interrupted");
}

/* ---- life */

static void
forget_topics(struct kclient *k)
{
	uint32_t i;

	for (i = 0; i < k->ntopics; i++)
		rd_kafka_topic_destroy(k->topics[i]);
	MEM_FREE(k->topics);
	k->ntopics = 0;
}

void
kclient_close(struct kclient **kp)
{
	struct kclient *k = *kp;

	*kp = NULL;
	if (k == NULL)
		return;
	forget_topics(k);
	if (k->rk != NULL) {
		if (k->cfg.role == KCLIENT_WRITER)
			rd_kafka_purge(k->rk, PURGE_ALL);
		rd_kafka_destroy(k->rk);
	}
	pthread_mutex_destroy(&k->lock);
	free(k->version);
	free(k);
}

static bool
make(struct kclient *k, struct err *err)
{
	char words[KCLIENT_WORDS];
	rd_kafka_conf_t *conf;

	if (!kclient_conf(k, &conf, err))
		return false;
	rd_kafka_conf_set_opaque(conf, k);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_log_cb(conf, on_log);
	if (k->cfg.role == KCLIENT_WRITER)
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	k->rk = rd_kafka_new(k->cfg.role == KCLIENT_WRITER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER,
	    conf, words, sizeof(words));
	if (k->rk != NULL)
		return true;
	rd_kafka_conf_destroy(conf);
	return err_set(err, ERR_CONFIG, "%s", words);
}

bool
kclient_open(const struct kclient_config *cfg, struct kclient **k_r, struct err *err)
{
	struct kclient *k = xcalloc(1, sizeof(*k));

	k->cfg = *cfg;
	k->transactional = cfg->role == KCLIENT_WRITER && cfg->transactional_id != NULL;
	if (pthread_mutex_init(&k->lock, NULL) != 0)
		bug("no mutex");
	if (!make(k, err)) {
		kclient_close(&k);
		return false;
	}
	*k_r = k;
	return true;
}

static void
note_version(struct kclient *k, const struct rd_kafka_metadata *md)
{
	free(k->version);
	k->version = xasprintf("librdkafka %s, %d broker%s", rd_kafka_version_str(), md->broker_cnt,
	    md->broker_cnt == 1 ? "" : "s");
}

bool
kclient_connect(struct kclient *k, struct err *err)
{
	usec_t deadline = clock_mono_us() + k->cfg.timeout;
	const struct rd_kafka_metadata *md;

	while (
	    rd_kafka_metadata(k->rk, 0, NULL, &md, KCLIENT_STEP_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (kclient_refused(k, err) || !kclient_go_on(k, err))
			return false;
		if (clock_mono_us() > deadline)
			return kclient_timed_out(k, "connecting", err);
	}
	note_version(k, md);
	rd_kafka_metadata_destroy(md);
	return true;
}

const char *
kclient_version(struct kclient *k)
{
	return k->version != NULL ? k->version : "";
}

size_t
kclient_record_max(const struct kclient *k)
{
	return k->record_max;
}
