#include <stdlib.h>
#include <strings.h>

#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conn/kclient_int.h"
#include "lib/conn/kwriter.h"

#define N(list) (sizeof(list) / sizeof((list)[0]))

/* Of one attempt to connect; kclient's own timeout is for all of them. */
#define CONNECT_US (10 * USEC_PER_SEC)

/* How long a broker may take for an answer: as librdkafka has it. */
#define REQUEST_TIMEOUT_MS 30000

/* ---- which options it knows */

static const char *const known[] = {
	"client.id",
	"compression.codec",
	"compression.type",
	"compression.level",
	"message.max.bytes",
	"queue.buffering.max.kbytes",
	"transaction.timeout.ms",
};

static const struct {
	const char *name;
	enum kbatch_codec codec;
} codecs[] = {
	{ "none", KBATCH_PLAIN },
	{ "lz4", KBATCH_LZ4 },
	{ "zstd", KBATCH_ZSTD },
};

static const char *const mechanisms[] = { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512" };

static const struct kwriter_partitioner partitioners[] = {
	{ "random", NULL, true, true },
	{ "consistent", rd_kafka_msg_partitioner_consistent, false, false },
	{ "consistent_random", rd_kafka_msg_partitioner_consistent, true, true },
	{ "murmur2", rd_kafka_msg_partitioner_murmur2, false, false },
	{ "murmur2_random", rd_kafka_msg_partitioner_murmur2, true, false },
	{ "fnv1a", rd_kafka_msg_partitioner_fnv1a, false, false },
	{ "fnv1a_random", rd_kafka_msg_partitioner_fnv1a, true, false },
};

/* librdkafka has checked the values. */
static const char *
value_of(const rd_kafka_conf_t *conf, const char *name, char *text, size_t size)
{
	if (rd_kafka_conf_get(conf, name, text, &size) != RD_KAFKA_CONF_OK)
		text[0] = '\0';
	return text;
}

static int64_t
number_of(const rd_kafka_conf_t *conf, const char *name)
{
	char text[32];

	return strtoll(value_of(conf, name, text, sizeof(text)), NULL, 10);
}

static char *
copy_of(const rd_kafka_conf_t *conf, const char *name)
{
	size_t size = 0;
	char *text;

	if (rd_kafka_conf_get(conf, name, NULL, &size) != RD_KAFKA_CONF_OK)
		return xstrdup("");
	text = xmalloc(size);
	value_of(conf, name, text, size);
	return text;
}

static bool
is_among(const char *const *list, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcasecmp(list[i], name) == 0)
			return true;
	return false;
}

static bool
knows_options(const PeerdbPeers__KafkaConfig *peer)
{
	size_t i;

	for (i = 0; i < peer->n_options; i++)
		if (!is_among(known, N(known), peer->options[i]->key))
			return false;
	return peer->username[0] == '\0' || is_among(mechanisms, N(mechanisms), peer->sasl);
}

static bool
take_codec(const rd_kafka_conf_t *conf, struct kwriter_config *cfg)
{
	char text[32];
	size_t i;

	value_of(conf, "compression.codec", text, sizeof(text));
	for (i = 0; i < N(codecs); i++)
		if (strcmp(codecs[i].name, text) == 0) {
			cfg->codec = codecs[i].codec;
			cfg->level = (int)number_of(conf, "compression.level");
			if (cfg->level < 0)
				cfg->level = 0; /* the codec's own */
			return true;
		}
	return false;
}

static bool
take_partitioner(const rd_kafka_conf_t *conf, struct kwriter_config *cfg)
{
	char text[32];
	size_t i;

	value_of(conf, "partitioner", text, sizeof(text));
	for (i = 0; i < N(partitioners); i++)
		if (strcmp(partitioners[i].name, text) == 0) {
			cfg->partitioner = &partitioners[i];
			return true;
		}
	return false;
}

/* ---- what it is told, and tells */

static bool
on_go_on(void *arg, struct err *err)
{
	return kclient_go_on(arg, err);
}

static void
on_trouble(void *arg, const struct err *err)
{
	kclient_note_trouble(arg, (int)err->code, err->msg);
}

/* Absent and empty are the same. */
static char *
dup_text(const char *s)
{
	return xstrdup(s != NULL ? s : "");
}

static void
take_connection(struct kclient *k, struct kconn_config *to)
{
	const PeerdbPeers__KafkaConfig *peer = k->cfg.peer;

	to->client_id = k->settings.client_id;
	to->tls = !peer->disable_tls;
	to->root_ca = k->settings.secrets[0] = dup_text(peer->root_ca);
	to->certificate = k->settings.secrets[1] = dup_text(peer->certificate);
	to->private_key = k->settings.secrets[2] = dup_text(peer->private_key);
	to->password = k->settings.secrets[3] = dup_text(peer->password);
	to->mechanism = k->settings.mechanism = dup_text(peer->sasl);
	to->username = k->settings.username = dup_text(peer->username);
	to->timeout = k->cfg.timeout < CONNECT_US ? k->cfg.timeout : CONNECT_US;
	to->go_on = on_go_on;
	to->arg = k;
}

bool
kclient_take_own(struct kclient *k, const rd_kafka_conf_t *conf)
{
	struct kwriter_config cfg = { .codec = KBATCH_PLAIN };

	if (!knows_options(k->cfg.peer) || !take_codec(conf, &cfg) || !take_partitioner(conf, &cfg))
		return false;
	k->settings.servers = copy_of(conf, "bootstrap.servers");
	k->settings.client_id = copy_of(conf, "client.id");
	take_connection(k, &cfg.conn);
	cfg.servers = k->settings.servers;
	if (k->transactional)
		k->settings.transactional_id = xstrdup(k->cfg.transactional_id);
	cfg.transactional_id = k->settings.transactional_id;
	cfg.transaction_timeout_ms = (int32_t)number_of(conf, "transaction.timeout.ms");
	cfg.request_timeout_ms = REQUEST_TIMEOUT_MS;
	cfg.batch_bytes = (size_t)number_of(conf, "message.max.bytes");
	cfg.queue_bytes = (size_t)number_of(conf, "queue.buffering.max.kbytes") * KIB;
	cfg.timeout = k->cfg.timeout;
	cfg.on_trouble = on_trouble;
	cfg.arg = k;
	k->own = kwriter_new(&cfg);
	return true;
}

void
kclient_free_own(struct kclient *k)
{
	char **secrets = k->settings.secrets;
	size_t i;

	kwriter_free(&k->own);
	for (i = 0; i < N(k->settings.secrets); i++) {
		if (secrets[i] != NULL)
			mem_wipe(secrets[i], strlen(secrets[i]));
		free(secrets[i]);
	}
	free(k->settings.servers);
	free(k->settings.client_id);
	free(k->settings.transactional_id);
	free(k->settings.mechanism);
	free(k->settings.username);
}

/* ---- the calls */

/* A transactional id is fenced when the caller says so. */
static bool
own_connect(struct kclient *k, struct err *err)
{
	uint32_t brokers;

	if (!kwriter_connect(k->own, &brokers, err) ||
	    (!k->transactional && !kwriter_fence(k->own, err)))
		return false;
	kclient_note_version(k, (int)brokers);
	return true;
}

static bool
own_fence(struct kclient *k, struct err *err)
{
	return !k->transactional || kwriter_fence(k->own, err);
}

static bool
own_begin(struct kclient *k, struct err *err)
{
	return kwriter_begin(k->own, err);
}

static bool
own_send(struct kclient *k, const struct kclient_record *r, struct err *err)
{
	return kwriter_send(k->own, r, err);
}

static bool
own_commit(struct kclient *k, struct err *err)
{
	return kwriter_commit(k->own, err);
}

static bool
own_abort(struct kclient *k, struct err *err)
{
	return !k->transactional || kwriter_abort(k->own, err);
}

static bool
own_may_repeat(const struct kclient *k)
{
	return kwriter_may_repeat(k->own);
}

const struct kclient_writer kclient_by_own = {
	.connect = own_connect,
	.fence = own_fence,
	.begin = own_begin,
	.send = own_send,
	.commit = own_commit,
	.abort = own_abort,
	.may_repeat = own_may_repeat,
};
