#include "lib/control/peer_check.h"

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/wire/pbutil.h"

#define PORT_MAX	      65535
#define KAFKA_BATCH_BYTES_MIN 1000 /* librdkafka takes no less */

/* DBType, the member of Peer.config that goes with it, and its name in JSON */
struct peer_kind {
	int type;
	int config_case;
	const char *field;
	/* Of its configuration. */
	bool (*check)(const PeerdbPeers__Peer *peer, struct err *err);
};

static bool check_postgres(const PeerdbPeers__Peer *peer, struct err *err);
static bool check_clickhouse(const PeerdbPeers__Peer *peer, struct err *err);
static bool check_kafka(const PeerdbPeers__Peer *peer, struct err *err);

static const struct peer_kind peer_kinds[] = {
	{ PEERDB_PEERS__DBTYPE__POSTGRES, PEERDB_PEERS__PEER__CONFIG_POSTGRES_CONFIG,
	    "postgres_config", check_postgres },
	{ PEERDB_PEERS__DBTYPE__CLICKHOUSE, PEERDB_PEERS__PEER__CONFIG_CLICKHOUSE_CONFIG,
	    "clickhouse_config", check_clickhouse },
	{ PEERDB_PEERS__DBTYPE__KAFKA, PEERDB_PEERS__PEER__CONFIG_KAFKA_CONFIG, "kafka_config",
	    check_kafka },
};

static const struct peer_kind *
peer_kind_find(int type)
{
	for (size_t i = 0; i < sizeof(peer_kinds) / sizeof(peer_kinds[0]); i++)
		if (peer_kinds[i].type == type)
			return &peer_kinds[i];
	return NULL;
}

const char *
peer_type_name(int type)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(
	    &peerdb_peers__dbtype__descriptor, type);

	return v != NULL ? v->name : "unknown type";
}

bool
name_check(const char *name, const char *what, struct err *err)
{
	size_t n = strlen(name);

	if (n == 0)
		return err_set(err, ERR_INVALID, "%s is required", what);
	if (n > IDENT_MAX)
		return err_set(err, ERR_INVALID, "%s is longer than %d bytes", what, IDENT_MAX);
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == n &&
	    strchr("0123456789", name[0]) == NULL)
		return true;
	err_set(err, ERR_INVALID, "%s \"%s\" is not valid", what, name);
	return err_hint(err,
	    "use lower-case letters, digits and underscores, not beginning with a "
	    "digit");
}

bool
peer_check_serves(const PeerdbPeers__Peer *peer, struct err *err)
{
	const struct peer_kind *kind = peer_kind_find((int)peer->type);

	if (kind != NULL)
		return true;
	err_set(err, ERR_UNIMPLEMENTED, "peers of type %s are not supported",
	    peer_type_name((int)peer->type));
	return err_hint(err, "the types that work are POSTGRES, CLICKHOUSE and KAFKA");
}

static void
note_placeholder(char **secret, void *arg)
{
	if (strcmp(*secret, PB_REDACTED) == 0)
		*(bool *)arg = true;
}

/* A peer as `info` shows it, sent back as a new one, has lost its secrets. */
static bool
check_placeholders(const PeerdbPeers__Peer *peer, struct err *err)
{
	PeerdbPeers__Peer *copy = (PeerdbPeers__Peer *)pb_copy(&peer->base);
	bool found = false;

	pb_secrets(&copy->base, note_placeholder, &found);
	peerdb_peers__peer__free_unpacked(copy, NULL);
	if (!found)
		return true;
	err_set(err, ERR_INVALID, "a secret of peer \"%s\" is only the placeholder \"%s\"",
	    peer->name, PB_REDACTED);
	return err_hint(err, "send the secret itself");
}

/* ---- Postgres */

static bool
check_sslmode(const char *mode, struct err *err)
{
	static const char *const modes[] = { "disable", "allow", "prefer", "require", "verify-ca",
		"verify-full" };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(mode, modes[i]) == 0)
			return true;
	err_set(err, ERR_INVALID, "postgres_config.sslmode \"%s\" is not one of libpq's", mode);
	return err_hint(err, "disable, allow, prefer, require, verify-ca or verify-full");
}

static bool
check_postgres(const PeerdbPeers__Peer *peer, struct err *err)
{
	const PeerdbPeers__PostgresConfig *pg = peer->postgres_config;
	bool whole = pg->connection_string != NULL && pg->connection_string[0] != '\0';

	if (pg->host[0] == '\0' && !whole && pg->n_options == 0) {
		err_set(err, ERR_INVALID, "postgres_config.host is required");
		return err_hint(err, "give host, or a whole connection_string");
	}
	if (pg->port > PORT_MAX)
		return err_set(err, ERR_INVALID, "postgres_config.port %u is not a port", pg->port);
	if (pg->sslmode != NULL && pg->sslmode[0] != '\0' && !check_sslmode(pg->sslmode, err))
		return false;
	if (pg->ssh_config != NULL)
		return err_set(err, ERR_UNIMPLEMENTED,
		    "postgres_config.ssh_config is not available in this version of peerd");
	if (pg->auth_type != PEERDB_PEERS__POSTGRES_AUTH_TYPE__POSTGRES_PASSWORD ||
	    pg->aws_auth != NULL)
		return err_set(err, ERR_UNIMPLEMENTED,
		    "IAM authentication is not available in this version of peerd");
	return true;
}

/* ---- ClickHouse */

static bool
has_text(const char *s)
{
	return s != NULL && s[0] != '\0';
}

static bool
check_clickhouse_required(const PeerdbPeers__ClickhouseConfig *ch, struct err *err)
{
	const struct {
		const char *name, *value;
	} fields[] = {
		{ "host", ch->host },
		{ "user", ch->user },
		{ "database", ch->database },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!has_text(fields[i].value))
			return err_set(err, ERR_INVALID, "clickhouse_config.%s is required",
			    fields[i].name);
	if (strpbrk(ch->host, "/?#@ \t\r\n") == NULL)
		return true;
	err_set(err, ERR_INVALID, "clickhouse_config.host is not a host name");
	return err_hint(err, "give the bare name or address; port and disable_tls are fields");
}

/* Servers listen for HTTP beside their native protocol, which peerd does not speak. */
static bool
check_clickhouse_port(uint32_t port, struct err *err)
{
	static const struct {
		uint32_t native, http;
		const char *tls;
	} ports[] = {
		{ 9000, 8123, "without TLS" },
		{ 9440, 8443, "with TLS" },
	};

	if (port == 0) {
		err_set(err, ERR_INVALID, "clickhouse_config.port is required");
		return err_hint(err, "usually 8443 (HTTP with TLS) or 8123 (without)");
	}
	if (port > PORT_MAX)
		return err_set(err, ERR_INVALID, "clickhouse_config.port %u is not a port", port);
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (port == ports[i].native) {
			err_set(err, ERR_INVALID,
			    "clickhouse_config.port %u is ClickHouse's native protocol", port);
			return err_hint(err, "give the port of its HTTP interface, usually %u (%s)",
			    ports[i].http, ports[i].tls);
		}
	return true;
}

/* PeerDB stages rows in an object store. */
static bool
has_staging(const PeerdbPeers__ClickhouseConfig *ch)
{
	return ch->s3 != NULL || has_text(ch->s3_path) || has_text(ch->access_key_id) ||
	    has_text(ch->secret_access_key) || has_text(ch->region) || has_text(ch->endpoint);
}

const char *
peer_check_note(const PeerdbPeers__Peer *peer)
{
	if (peer->config_case == PEERDB_PEERS__PEER__CONFIG_CLICKHOUSE_CONFIG &&
	    has_staging(peer->clickhouse_config))
		return "s3, s3_path, access_key_id, secret_access_key, region and endpoint are not"
		       " used: rows go straight into the tables";
	return NULL;
}

static bool
check_clickhouse(const PeerdbPeers__Peer *peer, struct err *err)
{
	const PeerdbPeers__ClickhouseConfig *ch = peer->clickhouse_config;

	if (!check_clickhouse_required(ch, err) || !check_clickhouse_port(ch->port, err))
		return false;
	if (has_text(ch->certificate) != has_text(ch->private_key)) {
		err_set(err, ERR_INVALID,
		    "clickhouse_config has only one of certificate and private_key");
		return err_hint(err, "give both, or neither");
	}
	if (ch->compression[0] == '\0' || strcmp(ch->compression, "none") == 0 ||
	    strcmp(ch->compression, "lz4") == 0)
		return true;
	return err_set(err, ERR_INVALID,
	    "clickhouse_config.compression \"%s\" is neither none nor lz4", ch->compression);
}

/* ---- Kafka */

static bool
check_kafka_sasl(const PeerdbPeers__KafkaConfig *k, struct err *err)
{
	static const char *const mechanisms[] = { "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512" };

	if (k->username[0] == '\0')
		return true;
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (strcmp(k->sasl, mechanisms[i]) == 0)
			return true;
	err_set(err, ERR_INVALID, "kafka_config.sasl \"%s\" is not supported", k->sasl);
	return err_hint(err, "with a username it is one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512");
}

static bool
check_kafka(const PeerdbPeers__Peer *peer, struct err *err)
{
	const PeerdbPeers__KafkaConfig *k = peer->kafka_config;

	if (k->n_servers == 0 || k->servers[0][0] == '\0') {
		err_set(err, ERR_INVALID, "kafka_config.servers is required");
		return err_hint(err, "a list of brokers, each as host:port");
	}
	if (has_text(k->certificate) != has_text(k->private_key)) {
		err_set(err, ERR_INVALID,
		    "kafka_config has only one of certificate and private_key");
		return err_hint(err, "give both, or neither");
	}
	if (k->has_max_record_batch_bytes && k->max_record_batch_bytes < KAFKA_BATCH_BYTES_MIN)
		return err_set(err, ERR_INVALID,
		    "kafka_config.max_record_batch_bytes %d is less than %d",
		    k->max_record_batch_bytes, KAFKA_BATCH_BYTES_MIN);
	return check_kafka_sasl(k, err);
}

/* ---- any */

bool
peer_check(const PeerdbPeers__Peer *peer, struct err *err)
{
	const struct peer_kind *kind = peer_kind_find((int)peer->type);

	if (!name_check(peer->name, "peer name", err))
		return false;
	if (!peer->has_type) {
		err_set(err, ERR_INVALID, "peer type is required");
		return err_hint(err, "one of POSTGRES, CLICKHOUSE, KAFKA");
	}
	if (!peer_check_serves(peer, err))
		return false;
	if ((int)peer->config_case != kind->config_case) {
		err_set(err, ERR_INVALID, "peer \"%s\" of type %s has no %s", peer->name,
		    peer_type_name(kind->type), kind->field);
		return err_hint(err, "give its connection in %s", kind->field);
	}
	return kind->check(peer, err) && check_placeholders(peer, err);
}
