#include "lib/wire/pbjson_int.h"

#include "lib/base/err.h"
#include "lib/base/str.h"

/* Further spellings that people use for a field. */
static const struct {
	const char *message;
	const char *key;
	const char *field;
} aliases[] = {
	{ "peerdb_flow.ColumnSetting", "name", "source_name" },
};

/* Configurations of peer types that are known by name and not served. */
static const struct {
	const char *key;
	const char *camel;
	const char *type;
} foreign_configs[] = {
	{ "bigquery_config", "bigqueryConfig", "BIGQUERY" },
	{ "snowflake_config", "snowflakeConfig", "SNOWFLAKE" },
	{ "mongo_config", "mongoConfig", "MONGO" },
	{ "s3_config", "s3Config", "S3" },
	{ "sqlserver_config", "sqlserverConfig", "SQLSERVER" },
	{ "mysql_config", "mysqlConfig", "MYSQL" },
	{ "pubsub_config", "pubsubConfig", "PUBSUB" },
	{ "eventhub_group_config", "eventhubGroupConfig", "EVENTHUBS" },
	{ "elasticsearch_config", "elasticsearchConfig", "ELASTICSEARCH" },
	{ "cockroachdb_config", "cockroachdbConfig", "COCKROACHDB" },
};

/* Longest unknown name that an error repeats. */
#define SHOWN_KEY_MAX 64

const ProtobufCFieldDescriptor *
pbjson_lookup(const ProtobufCMessageDescriptor *desc, const char *key)
{
	char json[PBFIELD_NAME_MAX];

	for (unsigned i = 0; i < desc->n_fields; i++) {
		pbfield_json_name(&desc->fields[i], json);
		if (strcmp(key, desc->fields[i].name) == 0 || strcmp(key, json) == 0)
			return &desc->fields[i];
	}
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(desc->name, aliases[i].message) == 0 && strcmp(key, aliases[i].key) == 0)
			return pbfield_find(desc, aliases[i].field);
	return NULL;
}

static const char *
foreign_type(const ProtobufCMessageDescriptor *desc, const char *key)
{
	if (strcmp(desc->name, "peerdb_peers.Peer") != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(foreign_configs) / sizeof(foreign_configs[0]); i++)
		if (strcmp(key, foreign_configs[i].key) == 0 ||
		    strcmp(key, foreign_configs[i].camel) == 0)
			return foreign_configs[i].type;
	return NULL;
}

/* The known name that is few enough typing errors away, or NULL. */
static const char *
nearest_name(const ProtobufCMessageDescriptor *desc, const char *key)
{
	const char *best = NULL;
	unsigned best_distance = (unsigned)(strlen(key) / 3 + 1), d, camel;
	char json[PBFIELD_NAME_MAX];

	for (unsigned i = 0; i < desc->n_fields; i++) {
		pbfield_json_name(&desc->fields[i], json);
		d = str_distance(key, desc->fields[i].name);
		camel = str_distance(key, json);
		d = camel < d ? camel : d;
		if (d <= best_distance && (best == NULL || d < best_distance)) {
			best = desc->fields[i].name;
			best_distance = d;
		}
	}
	return best;
}

bool
pbjson_is_showable(const char *key)
{
	size_t n = strlen(key);

	if (n > SHOWN_KEY_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)key[i] < 0x20 || key[i] == 0x7f)
			return false;
	return true;
}

static bool
hint_known_names(const struct pbjson_reader *r, const ProtobufCMessageDescriptor *desc)
{
	char list[ERR_HINT_MAX / 2] = "";
	size_t n = 0;

	for (unsigned i = 0; i < desc->n_fields && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i > 0 ? ", " : "",
		    desc->fields[i].name);
	if (desc->n_fields == 0)
		return err_hint(r->err, "there are no fields here");
	if (n >= sizeof(list))
		return false;
	return err_hint(r->err, "known fields: %s", list);
}

bool
pbjson_unknown(const struct pbjson_reader *r, const struct pbjson_path *path,
    const ProtobufCMessageDescriptor *desc, const char *key)
{
	const char *type = foreign_type(desc, key), *near;

	if (type != NULL) {
		err_set(r->err, ERR_UNIMPLEMENTED, "peers of type %s are not supported", type);
		return err_hint(r->err, "supported types: POSTGRES, CLICKHOUSE, KAFKA");
	}
	if (!pbjson_is_showable(key))
		return pbjson_fail(r, path, "unknown field with a name of %zu bytes", strlen(key));
	pbjson_fail(r, path, "unknown field \"%s\"", key);
	near = nearest_name(desc, key);
	if (near != NULL)
		return err_hint(r->err, "did you mean \"%s\"?", near);
	return hint_known_names(r, desc);
}
