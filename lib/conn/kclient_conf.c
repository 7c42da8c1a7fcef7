#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/conn/kclient_int.h"

/*
 * A worker has 128 MiB with all of its queues. In librdkafka a record under way
 * takes a kilobyte beyond its own: each of its headers is a piece of memory. More of
 * them than the processor's caches hold cost a third of the speed, and these are
 * tens of milliseconds of sending.
 */
#define QUEUE_KBYTES   "32768"
#define QUEUE_MESSAGES "10000"

/* librdkafka's own default */
#define RECORD_BATCH_BYTES 1000000

/* Of message.max.bytes, for what Kafka puts around a record. */
#define RECORD_OVERHEAD 512

#define SERVERS_MAX (64 * KIB)

struct setting {
	const char *name;
	const char *value;
};

static const struct setting common[] = {
	{ "socket.keepalive.enable", "true" },
	{ "reconnect.backoff.max.ms", "2000" },
	{ "log_level", "3" },
};

/*
 * A source transaction lies in one Kafka transaction, however large it is: the
 * brokers are asked for as long as they allow by default.
 */
static const struct setting writer[] = {
	{ "enable.idempotence", "true" },
	{ "compression.codec", "lz4" },
	{ "partitioner", "murmur2_random" },
	{ "queue.buffering.max.kbytes", QUEUE_KBYTES },
	{ "queue.buffering.max.messages", QUEUE_MESSAGES },
	{ "delivery.report.only.error", "true" },
};

static const struct setting transactional[] = {
	{ "linger.ms", "5" }, /* a commit waits for nothing */
	{ "transaction.timeout.ms", "900000" },
	{ "message.timeout.ms", "900000" },
};

/* Sent soon; tried until it is in, or we are told to stop. */
static const struct setting not_transactional[] = {
	{ "linger.ms", "0.5" },
	{ "message.timeout.ms", "0" },
};

static const struct setting reader[] = {
	{ "enable.partition.eof", "true" },
	{ "auto.offset.reset", "earliest" },
	{ "allow.auto.create.topics", "false" },
	{ "fetch.wait.max.ms", "10" },
	{ "fetch.error.backoff.ms", "50" },
	{ "queued.max.messages.kbytes", "16384" },
};

/* What the guarantees rest on is not for the peer to choose. */
static const char *const reserved[] = {
	"transactional.id",
	"enable.idempotence",
	"delivery.report.only.error",
	"enable.partition.eof",
	"isolation.level",
	"log.queue",
};

#define N(list) (sizeof(list) / sizeof((list)[0]))

/* ---- partitioners */

/* PeerDB's names first; those that look at no key spread records as they come. */
static const struct setting partitioners[] = {
	{ "StickyKey", "murmur2_random" },
	{ "Sticky", "random" },
	{ "RoundRobin", "random" },
	{ "LeastBackup", "random" },
	{ "Manual", "murmur2_random" },
	{ "random", "random" },
	{ "consistent", "consistent" },
	{ "consistent_random", "consistent_random" },
	{ "murmur2", "murmur2" },
	{ "murmur2_random", "murmur2_random" },
	{ "fnv1a", "fnv1a" },
	{ "fnv1a_random", "fnv1a_random" },
};

const char *
kclient_partitioner(const char *name)
{
	size_t i;

	for (i = 0; i < N(partitioners); i++)
		if (strcasecmp(partitioners[i].name, name) == 0)
			return partitioners[i].value;
	return NULL;
}

/* ---- setting */

static bool
set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
	char words[KCLIENT_WORDS];

	if (rd_kafka_conf_set(conf, name, value, words, sizeof(words)) == RD_KAFKA_CONF_OK)
		return true;
	return err_set(err, ERR_CONFIG, "%s", words);
}

static bool
set_all(rd_kafka_conf_t *conf, const struct setting *list, size_t n, struct err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!set(conf, list[i].name, list[i].value, err))
			return false;
	return true;
}

/* Optional text: absent and empty are the same. */
static bool
set_text(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
	return value == NULL || value[0] == '\0' || set(conf, name, value, err);
}

static bool
set_servers(rd_kafka_conf_t *conf, const PeerdbPeers__KafkaConfig *peer, struct err *err)
{
	struct buf list;
	size_t i;
	bool ok;

	buf_init(&list, SERVERS_MAX);
	for (i = 0; i < peer->n_servers; i++)
		buf_printf(&list, "%s%s", i > 0 ? "," : "", peer->servers[i]);
	ok = list.n > 0 ? set(conf, "bootstrap.servers", buf_str(&list), err)
			: err_set(err, ERR_CONFIG, "kafka_config.servers is required");
	buf_done(&list);
	return ok;
}

static bool
set_sasl(rd_kafka_conf_t *conf, const PeerdbPeers__KafkaConfig *peer, struct err *err)
{
	if (peer->username[0] == '\0')
		return true;
	return set(conf, "sasl.mechanism", peer->sasl, err) &&
	    set(conf, "sasl.username", peer->username, err) &&
	    set(conf, "sasl.password", peer->password, err);
}

static bool
set_security(rd_kafka_conf_t *conf, const PeerdbPeers__KafkaConfig *peer, struct err *err)
{
	static const char *const protocols[2][2] = {
		{ "plaintext", "sasl_plaintext" },
		{ "ssl", "sasl_ssl" },
	};
	bool tls = !peer->disable_tls, sasl = peer->username[0] != '\0';

	return set(conf, "security.protocol", protocols[tls][sasl], err) &&
	    set_sasl(conf, peer, err) && set_text(conf, "ssl.ca.pem", peer->root_ca, err) &&
	    set_text(conf, "ssl.certificate.pem", peer->certificate, err) &&
	    set_text(conf, "ssl.key.pem", peer->private_key, err);
}

static bool
set_batch_bytes(rd_kafka_conf_t *conf, int32_t bytes, struct err *err)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", bytes);
	return set(conf, "message.max.bytes", text, err) && set(conf, "batch.size", text, err);
}

static bool
set_partitioner(rd_kafka_conf_t *conf, const char *name, struct err *err)
{
	const char *ours = kclient_partitioner(name);

	if (name[0] == '\0')
		return true;
	if (ours != NULL)
		return set(conf, "partitioner", ours, err);
	err_set(err, ERR_CONFIG, "kafka_config.partitioner \"%s\" is not known", name);
	return err_hint(err,
	    "StickyKey (by the record's key, as Kafka's own clients do) or another of PeerDB's or"
	    " librdkafka's names");
}

/* A message must not outlive its transaction. */
static bool
set_transaction_timeout(rd_kafka_conf_t *conf, usec_t timeout, struct err *err)
{
	char ms[24];

	snprintf(ms, sizeof(ms), "%lld", (long long)(timeout / USEC_PER_MSEC));
	return set(conf, "message.timeout.ms", ms, err) &&
	    set(conf, "transaction.timeout.ms", ms, err);
}

static bool
set_writer(rd_kafka_conf_t *conf, const struct kclient_config *cfg, struct err *err)
{
	const PeerdbPeers__KafkaConfig *peer = cfg->peer;
	int32_t bytes = peer->max_record_batch_bytes;

	if (!set_all(conf, writer, N(writer), err) ||
	    !set_batch_bytes(conf, bytes > 0 ? bytes : RECORD_BATCH_BYTES, err) ||
	    !set_partitioner(conf, peer->partitioner, err))
		return false;
	if (cfg->transactional_id == NULL)
		return set_all(conf, not_transactional, N(not_transactional), err);
	return set_all(conf, transactional, N(transactional), err) &&
	    set(conf, "transactional.id", cfg->transactional_id, err) &&
	    (cfg->transaction_timeout == 0 ||
		set_transaction_timeout(conf, cfg->transaction_timeout, err));
}

static bool
set_role(rd_kafka_conf_t *conf, const struct kclient_config *cfg, struct err *err)
{
	if (cfg->role == KCLIENT_WRITER)
		return set_writer(conf, cfg, err);
	return set_all(conf, reader, N(reader), err) &&
	    set(conf, "isolation.level",
		cfg->role == KCLIENT_PEEKER ? "read_uncommitted" : "read_committed", err);
}

static bool
set_option(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
	size_t i;

	for (i = 0; i < N(reserved); i++)
		if (strcmp(reserved[i], name) == 0)
			return err_set(err, ERR_CONFIG,
			    "kafka_config.options: \"%s\" is for peerd to set", name);
	return set(conf, name, value, err) || err_context(err, "kafka_config.options.%s", name);
}

/* What holds for records is whatever was set last. */
static size_t
record_max(const rd_kafka_conf_t *conf)
{
	char text[32] = "";
	size_t size = sizeof(text);

	if (rd_kafka_conf_get(conf, "message.max.bytes", text, &size) != RD_KAFKA_CONF_OK)
		return RECORD_BATCH_BYTES - RECORD_OVERHEAD;
	return (size_t)strtoul(text, NULL, 10) - RECORD_OVERHEAD;
}

static bool
fill(struct kclient *k, rd_kafka_conf_t *conf, struct err *err)
{
	const PeerdbPeers__KafkaConfig *peer = k->cfg.peer;
	size_t i;

	if (!set_all(conf, common, N(common), err) || !set(conf, "client.id", k->cfg.what, err) ||
	    !set_servers(conf, peer, err) || !set_security(conf, peer, err) ||
	    !set_role(conf, &k->cfg, err))
		return false;
	for (i = 0; i < peer->n_options; i++)
		if (!set_option(conf, peer->options[i]->key, peer->options[i]->value, err))
			return false;
	k->record_max = record_max(conf);
	return true;
}

bool
kclient_conf(struct kclient *k, rd_kafka_conf_t **conf_r, struct err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	if (!fill(k, conf, err)) {
		rd_kafka_conf_destroy(conf);
		return false;
	}
	*conf_r = conf;
	return true;
}
