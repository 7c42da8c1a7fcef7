#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conn/kclient_int.h"
#include "lib/conn/kerror.h"
#include "lib/conn/pgconn.h"

#define PURGE_ALL (RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)

bool
kclient_refused(struct kclient *k, struct err *err)
{
	bool refused;

	rd_kafka_poll(k->rk, 0);
	pthread_mutex_lock(&k->lock);
	refused = k->all_down || k->trouble == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
	    k->trouble == RD_KAFKA_RESP_ERR__SSL;
	if (refused)
		kerror_set(err, k->trouble, k->words);
	pthread_mutex_unlock(&k->lock);
	return refused;
}

bool
kclient_timed_out(struct kclient *k, const char *what, struct err *err)
{
	pthread_mutex_lock(&k->lock);
	if (k->words[0] != '\0')
		kerror_set(err, k->trouble, k->words);
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
	(void)rk;
	kclient_note_trouble(arg, code, reason);
}

void
kclient_note_trouble(struct kclient *k, int code, const char *reason)
{
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
	kclient_free_own(k);
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
	if (k->cfg.role == KCLIENT_WRITER && kclient_take_own(k, conf)) {
		k->writer = &kclient_by_own;
		rd_kafka_conf_destroy(conf);
		return true;
	}
	k->writer = &kclient_by_librdkafka;
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

void
kclient_note_version(struct kclient *k, int brokers)
{
	free(k->version);
	k->version = xasprintf("librdkafka %s, %d broker%s", rd_kafka_version_str(), brokers,
	    brokers == 1 ? "" : "s");
}

bool
kclient_connect_librdkafka(struct kclient *k, struct err *err)
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
	kclient_note_version(k, md->broker_cnt);
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

/* ---- a writer's calls */

bool
kclient_connect(struct kclient *k, struct err *err)
{
	return k->writer->connect(k, err);
}

bool
kclient_fence(struct kclient *k, struct err *err)
{
	return k->writer->fence(k, err);
}

bool
kclient_begin(struct kclient *k, struct err *err)
{
	return k->writer->begin(k, err);
}

bool
kclient_send(struct kclient *k, const struct kclient_record *r, struct err *err)
{
	return k->writer->send(k, r, err);
}

bool
kclient_commit(struct kclient *k, struct err *err)
{
	return k->writer->commit(k, err);
}

bool
kclient_abort(struct kclient *k, struct err *err)
{
	return k->writer->abort(k, err);
}

bool
kclient_may_repeat(const struct kclient *k)
{
	return k->writer->may_repeat(k);
}
