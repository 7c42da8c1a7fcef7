/*
 * The settings of a mirror's env that say how values are written.
 */
#include <stddef.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/sink/ch_types.h"

/* Each sets the field at `field`; false: the value is none of those allowed. */
static bool
set_bool(const char *v, void *field)
{
	return str_to_bool(v, field);
}

static bool
set_lossy(const char *v, void *field)
{
	bool null = strcasecmp(v, "null") == 0;

	*(bool *)field = null;
	return null || strcasecmp(v, "error") == 0;
}

static bool
set_binary(const char *v, void *field)
{
	static const char *const formats[] = {
		[CH_BINARY_RAW] = "raw",
		[CH_BINARY_HEX] = "hex",
		[CH_BINARY_BASE64] = "base64",
	};
	unsigned i;

	for (i = 0; i < 3; i++)
		if (strcasecmp(formats[i], v) == 0) {
			*(enum ch_binary_format *)field = (enum ch_binary_format)i;
			return true;
		}
	return false;
}

static bool
set_flush(const char *v, void *field)
{
	struct err err = ERR_INIT;

	return str_to_u64(v, 0, 3600, field, &err);
}

#define F(name) offsetof(struct ch_options, name)

static const struct {
	const char *name;
	bool (*set)(const char *value, void *field);
	size_t field;
	const char *values;
} settings[] = {
	{ "on_lossy_value", set_lossy, F(lossy_null), "error or null" },
	{ "PEERDB_NULLABLE", set_bool, F(nullable), "true or false" },
	{ "PEERDB_CLICKHOUSE_BINARY_FORMAT", set_binary, F(binary), "raw, hex or base64" },
	{ "PEERDB_CLICKHOUSE_UNBOUNDED_NUMERIC_AS_STRING", set_bool, F(numeric_as_string),
	    "true or false" },
	{ "PEERD_CLICKHOUSE_FLUSH_SECONDS", set_flush, F(flush_seconds), "0 to 3600" },
	{ "PEERDB_CLICKHOUSE_ENABLE_JSON", set_bool, F(json_type), "true or false" },
	{ "PEERDB_CLICKHOUSE_INITIAL_LOAD_ALLOW_NON_EMPTY_TABLES", set_bool, F(keep_rows),
	    "true or false" },
	{ "PEERDB_SOURCE_SCHEMA_AS_DESTINATION_COLUMN", set_bool, F(source_schema),
	    "true or false" },
};

static bool
apply(struct ch_options *o, const char *name, const char *value, struct err *err)
{
	size_t i;

	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (strcasecmp(settings[i].name, name) == 0 &&
		    !settings[i].set(value, (char *)o + settings[i].field))
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
