/*
 * The settings of a mirror's env that say how values are written.
 */
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/sink/ch_types.h"

static bool
parse_bool(const char *s, bool *v_r)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "true", true }, { "t", true }, { "1", true }, { "on", true },
		{ "false", false }, { "f", false }, { "0", false }, { "off", false } };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(words[i].word, s) == 0) {
			*v_r = words[i].value;
			return true;
		}
	return false;
}

static bool
set_nullable(struct ch_options *o, const char *v)
{
	return parse_bool(v, &o->nullable);
}

static bool
set_numeric_as_string(struct ch_options *o, const char *v)
{
	return parse_bool(v, &o->numeric_as_string);
}

static bool
set_json_type(struct ch_options *o, const char *v)
{
	return parse_bool(v, &o->json_type);
}

static bool
set_source_schema(struct ch_options *o, const char *v)
{
	return parse_bool(v, &o->source_schema);
}

static bool
set_keep_rows(struct ch_options *o, const char *v)
{
	return parse_bool(v, &o->keep_rows);
}

static bool
set_lossy(struct ch_options *o, const char *v)
{
	o->lossy_null = strcasecmp(v, "null") == 0;
	return o->lossy_null || strcasecmp(v, "error") == 0;
}

static bool
set_binary(struct ch_options *o, const char *v)
{
	static const char *const formats[] = {
		[CH_BINARY_RAW] = "raw",
		[CH_BINARY_HEX] = "hex",
		[CH_BINARY_BASE64] = "base64",
	};
	unsigned i;

	for (i = 0; i < 3; i++)
		if (strcasecmp(formats[i], v) == 0) {
			o->binary = (enum ch_binary_format)i;
			return true;
		}
	return false;
}

static bool
set_flush(struct ch_options *o, const char *v)
{
	struct err err = ERR_INIT;

	return str_to_u64(v, 0, 3600, &o->flush_seconds, &err);
}

static const struct {
	const char *name;
	bool (*set)(struct ch_options *o, const char *value);
	const char *values;
} settings[] = {
	{ "on_lossy_value", set_lossy, "error or null" },
	{ "PEERDB_NULLABLE", set_nullable, "true or false" },
	{ "PEERDB_CLICKHOUSE_BINARY_FORMAT", set_binary, "raw, hex or base64" },
	{ "PEERDB_CLICKHOUSE_UNBOUNDED_NUMERIC_AS_STRING", set_numeric_as_string, "true or false" },
	{ "PEERD_CLICKHOUSE_FLUSH_SECONDS", set_flush, "0 to 3600" },
	{ "PEERDB_CLICKHOUSE_ENABLE_JSON", set_json_type, "true or false" },
	{ "PEERDB_CLICKHOUSE_INITIAL_LOAD_ALLOW_NON_EMPTY_TABLES", set_keep_rows, "true or false" },
	{ "PEERDB_SOURCE_SCHEMA_AS_DESTINATION_COLUMN", set_source_schema, "true or false" },
};

static bool
apply(struct ch_options *o, const char *name, const char *value, struct err *err)
{
	size_t i;

	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (strcasecmp(settings[i].name, name) == 0 && !settings[i].set(o, value))
			return err_set(err, ERR_INVALID, "%s is \"%.64s\", expected %s",
			    settings[i].name, value, settings[i].values);
	return true;
}

bool
ch_options_from(const PeerdbFlow__FlowConnectionConfigs *mirror, struct ch_options *opt_r,
    struct err *err)
{
	struct ch_options o = { .nullable = true, .flush_seconds = 1 };
	size_t i;

	for (i = 0; i < mirror->n_flags; i++)
		o.time64 |= strcmp(mirror->flags[i], "clickhouse_time64_enabled") == 0;
	for (i = 0; i < mirror->n_env; i++)
		if (!apply(&o, mirror->env[i]->key, mirror->env[i]->value, err))
			return false;
	*opt_r = o;
	return true;
}
