#include "lib/wire/pbutil.h"

#include "lib/base/mem.h"
#include "lib/wire/pbutil_int.h"

/* Every field that the protos mark as secret. All are strings. */
static const struct {
	const char *message;
	const char *field;
} secret_fields[] = {
	{ "peerdb_peers.SSHConfig", "password" },
	{ "peerdb_peers.SSHConfig", "private_key" },
	{ "peerdb_peers.SSHConfig", "host_key" },
	{ "peerdb_peers.ClientTlsConfig", "certificate" },
	{ "peerdb_peers.ClientTlsConfig", "private_key" },
	{ "peerdb_peers.AWSAuthStaticCredentialsConfig", "access_key_id" },
	{ "peerdb_peers.AWSAuthStaticCredentialsConfig", "secret_access_key" },
	{ "peerdb_peers.PostgresConfig", "password" },
	{ "peerdb_peers.PostgresConfig", "root_ca" },
	{ "peerdb_peers.PostgresConfig", "connection_string" },
	{ "peerdb_peers.S3Config", "access_key_id" },
	{ "peerdb_peers.S3Config", "secret_access_key" },
	{ "peerdb_peers.S3Config", "root_ca" },
	{ "peerdb_peers.ClickhouseConfig", "password" },
	{ "peerdb_peers.ClickhouseConfig", "access_key_id" },
	{ "peerdb_peers.ClickhouseConfig", "secret_access_key" },
	{ "peerdb_peers.ClickhouseConfig", "certificate" },
	{ "peerdb_peers.ClickhouseConfig", "private_key" },
	{ "peerdb_peers.ClickhouseConfig", "root_ca" },
	{ "peerdb_peers.KafkaConfig", "password" },
	{ "peerdb_peers.KafkaConfig", "certificate" },
	{ "peerdb_peers.KafkaConfig", "private_key" },
	{ "peerdb_peers.KafkaConfig", "root_ca" },
};

/* A map's value is secret when its key contains one of these, in any case. */
static const char *const secret_words[] = { "password", "passwd", "secret", "token", "key.pem" };

static bool
is_secret_field(const ProtobufCMessageDescriptor *desc, const ProtobufCFieldDescriptor *f)
{
	for (size_t i = 0; i < sizeof(secret_fields) / sizeof(secret_fields[0]); i++)
		if (strcmp(desc->name, secret_fields[i].message) == 0 &&
		    strcmp(f->name, secret_fields[i].field) == 0)
			return true;
	return false;
}

static bool
is_secret_key(const char *key)
{
	for (size_t i = 0; i < sizeof(secret_words) / sizeof(secret_words[0]); i++)
		if (key != NULL && strcasestr(key, secret_words[i]) != NULL)
			return true;
	return false;
}

static char **
entry_string(const ProtobufCMessage *entry, unsigned which)
{
	return pbfield_at(entry, &entry->descriptor->fields[which], 0);
}

/* Where the entry keeps its secret; NULL when it is none. */
static char **
entry_secret(const ProtobufCMessage *entry)
{
	if (entry->descriptor->fields[1].type != PROTOBUF_C_TYPE_STRING ||
	    !is_secret_key(*entry_string(entry, 0)))
		return NULL;
	return entry_string(entry, 1);
}

bool
pb_is_redacted(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	return is_secret_field(msg->descriptor, f) && pbfield_is_present(msg, f) &&
	    strcmp(*(char **)pbfield_at(msg, f, 0), PB_REDACTED) == 0;
}

bool
pb_is_redacted_entry(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, size_t i)
{
	char **secret;

	if (!pbfield_is_map(msg->descriptor, f))
		return false;
	secret = entry_secret(pbfield_msg(msg, f, i));
	return secret != NULL && *secret != NULL && strcmp(*secret, PB_REDACTED) == 0;
}

const void *
pb_stored_entry(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
    const ProtobufCMessage *like)
{
	const char *key = *entry_string(like, 0);

	for (size_t i = 0; i < pbfield_count(msg, f); i++) {
		const char *have = *entry_string(pbfield_msg(msg, f, i), 0);

		if (have != NULL && strcmp(have, key) == 0)
			return pbfield_at(msg, f, i);
	}
	return NULL;
}

static void
visit(char **secret, void (*fn)(char **secret, void *arg), void *arg)
{
	if (secret != NULL && *secret != NULL && **secret != '\0')
		fn(secret, arg);
}

static void
visit_subs(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
    void (*fn)(char **secret, void *arg), void *arg)
{
	bool map = pbfield_is_map(msg->descriptor, f);

	for (size_t i = 0; i < pbfield_count(msg, f); i++) {
		ProtobufCMessage *sub = pbfield_msg(msg, f, i);

		if (map)
			visit(entry_secret(sub), fn, arg);
		else
			pb_secrets(sub, fn, arg);
	}
}

void
pb_secrets(ProtobufCMessage *msg, void (*fn)(char **secret, void *arg), void *arg)
{
	for (unsigned i = 0; i < msg->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &msg->descriptor->fields[i];

		if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			visit_subs(msg, f, fn, arg);
		else if (is_secret_field(msg->descriptor, f) && pbfield_is_present(msg, f))
			visit(pbfield_at(msg, f, 0), fn, arg);
	}
}

static void
redact_one(char **secret, void *arg)
{
	mem_wipe(*secret, strlen(*secret));
	free(*secret);
	*secret = xstrdup(PB_REDACTED);
}

void
pb_redact(ProtobufCMessage *msg)
{
	pb_secrets(msg, redact_one, NULL);
}
