#include "lib/sink/kafka_options.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/sink/kafka_format.h"
#include "lib/wire/kvtext.h"

#define PREFIX	       "PEERD_KAFKA_"
#define TOPIC_PAIR_MAX 4096
#define NEAR	       6 /* letters that a misspelt name may differ in */

struct option;

typedef bool set_fn(const struct option *o, const char *value, void *field);

/* values: what may be said, as people read it; a choice's words in the order of its enum. */
struct option {
	const char *name;
	set_fn *set;
	size_t field; /* of struct kafka_options */
	const char *values;
	const char *fallback;
	const char *meaning;
	uint32_t most; /* of a number */
};

/* ---- kinds of values */

static bool
set_bool(const struct option *o, const char *value, void *field)
{
	return str_to_bool(value, field);
}

/* The position of word in a list like "fail, dead-letter, split"; -1: not in it. */
static int
find_word(const char *list, const char *word, size_t n)
{
	size_t len;
	int i;

	for (i = 0; *list != '\0'; i++) {
		len = strcspn(list, ",");
		if (len == n && strncasecmp(list, word, n) == 0)
			return i;
		list += len;
		list += strspn(list, ", ");
	}
	return -1;
}

static bool
set_choice(const struct option *o, const char *value, void *field)
{
	int i = find_word(o->values, value, strlen(value));

	if (i < 0)
		return false;
	*(uint32_t *)field = (uint32_t)i;
	return true;
}

static bool
set_flags(const struct option *o, const char *value, void *field)
{
	uint32_t flags = 0;
	size_t n;
	int i;

	while (*value != '\0') {
		n = strcspn(value, ", ");
		i = find_word(o->values, value, n);
		if (i < 0)
			return false;
		flags |= 1u << i;
		value += n;
		value += strspn(value, ", ");
	}
	*(uint32_t *)field = flags;
	return true;
}

static bool
set_number(const struct option *o, const char *value, void *field)
{
	struct err ignored = ERR_INIT;
	uint64_t v;

	if (!str_to_u64(value, 0, o->most, &v, &ignored))
		return false;
	*(uint32_t *)field = (uint32_t)v;
	return true;
}

static bool
set_text(const struct option *o, const char *value, void *field)
{
	*(const char **)field = value;
	return true;
}

static bool
set_pairs(const struct option *o, const char *value, void *field)
{
	struct err ignored = ERR_INIT;
	struct buf key, text;
	const char *at = value;
	bool ok, more = true;

	buf_init(&key, TOPIC_PAIR_MAX);
	buf_init(&text, TOPIC_PAIR_MAX);
	do
		ok = kvtext_next(&at, &key, &text, &more, &ignored);
	while (ok && more);
	buf_done(&key);
	buf_done(&text);
	return ok && set_text(o, value, field);
}

static bool
set_format(const struct option *o, const char *value, void *field)
{
	const struct kafka_format *f = kafka_format_find(value);

	if (f == NULL)
		return false;
	*(const struct kafka_format **)field = f;
	return true;
}

/* PeerDB's name: false does not forbid anything there. */
static bool
set_force_create(const struct option *o, const char *value, void *field)
{
	bool on;

	if (!set_bool(o, value, &on))
		return false;
	*(bool *)field |= on;
	return true;
}

/* ---- the table; docs/kafka.md has the same */

#define F(field) offsetof(struct kafka_options, field)
#define BOOL	 "true, false"

static const struct option options[] = {
	{ "PEERD_KAFKA_FORMAT", set_format, F(format), "peerdb-json, debezium-json, plain-json",
	    "peerdb-json", "what values look like", 0 },
	{ "PEERD_KAFKA_EXACTLY_ONCE", set_bool, F(exactly_once), BOOL, "true",
	    "records go out in Kafka transactions that hold whole source transactions; else each "
	    "at least once, sooner",
	    0 },
	{ "PEERD_KAFKA_TOPIC", set_text, F(topic), "a template", "",
	    "the topics' names, of `{mirror}`, `{schema}` and `{table}`; without one a topic is "
	    "called as the destination table",
	    0 },
	{ "PEERD_KAFKA_TOPIC_CREATE", set_bool, F(topic_create), BOOL, "true",
	    "topics that are missing are created; else the mirror is refused", 0 },
	{ "PEERDB_QUEUE_FORCE_TOPIC_CREATION", set_force_create, F(topic_create), BOOL, "false",
	    "PeerDB's name: `true` turns `PEERD_KAFKA_TOPIC_CREATE` on", 0 },
	{ "PEERD_KAFKA_PARTITIONS", set_number, F(partitions), "0 to 100000", "0",
	    "of a topic that is created; 0: the broker's default", 100000 },
	{ "PEERD_KAFKA_REPLICATION_FACTOR", set_number, F(replication_factor), "0 to 100", "0",
	    "of a topic that is created; 0: the broker's default", 100 },
	{ "PEERD_KAFKA_TOPIC_CONFIG", set_pairs, F(topic_config), "`name=value` pairs", "",
	    "of a topic that is created: `cleanup.policy=compact retention.ms=-1`", 0 },
	{ "PEERD_KAFKA_HEADERS", set_bool, F(headers), BOOL, "true", "records have headers", 0 },
	{ "PEERD_KAFKA_TOMBSTONES", set_bool, F(tombstones), BOOL, "false",
	    "a delete is followed by a record of its key without value, so that compaction forgets "
	    "the key",
	    0 },
	{ "PEERD_KAFKA_SCHEMAS", set_bool, F(schemas), BOOL, "false",
	    "debezium-json: each key and value carries its schema (`schemas.enable` there)", 0 },
	{ "PEERD_KAFKA_DECIMALS", set_choice, F(decimals), "string, precise, double, auto", "auto",
	    "how `numeric` is written (`decimal.handling.mode`); auto: precise in debezium-json, "
	    "else string",
	    0 },
	{ "PEERD_KAFKA_TIMES", set_choice, F(times), "adaptive, microseconds, connect", "adaptive",
	    "debezium-json: the unit of dates and times (`time.precision.mode`)", 0 },
	{ "PEERD_KAFKA_BINARY", set_choice, F(binary), "bytes, base64, hex", "bytes",
	    "how `bytea` is written (`binary.handling.mode`); bytes and base64 differ only in a "
	    "schema",
	    0 },
	{ "PEERD_KAFKA_UNCHANGED", set_choice, F(unchanged), "list, fill", "list",
	    "columns whose large value did not change and was not sent: left out and listed, or "
	    "filled in",
	    0 },
	{ "PEERD_KAFKA_KEYLESS", set_choice, F(keyless), "none, hash", "none",
	    "the key of records of a table without key: none, or a hash of the row", 0 },
	{ "PEERD_KAFKA_OVERSIZE", set_choice, F(oversize), "fail, dead-letter, split", "fail",
	    "a record larger than the broker takes: the table stops, or it is told of in the dead "
	    "letter topic, or it goes in pieces",
	    0 },
	{ "PEERD_KAFKA_DEAD_LETTER_TOPIC", set_text, F(dead_letter_topic), "a template",
	    "{mirror}.dead-letter", "where oversized records are told of", 0 },
	{ "PEERD_KAFKA_CONTROL", set_flags, F(controls), "truncate, ddl, message", "",
	    "what besides rows makes records", 0 },
	{ "PEERD_KAFKA_CONTROL_TOPIC", set_text, F(control_topic), "a template", "{mirror}.control",
	    "where DDL and logical messages go", 0 },
	{ "PEERD_KAFKA_TRANSACTION_TOPIC", set_text, F(transaction_topic), "a template", "",
	    "where the begin and end of each source transaction are told; none without one", 0 },
	{ "on_lossy_value", set_choice, F(lossy), "error, null", "error",
	    "a value that the format cannot carry: the table stops, or it is null", 0 },
};

#define OPTIONS (sizeof(options) / sizeof(options[0]))

bool
kafka_option_at(unsigned i, struct kafka_option_words *o_r)
{
	if (i >= OPTIONS)
		return false;
	*o_r = (struct kafka_option_words){ options[i].name, options[i].values, options[i].fallback,
		options[i].meaning };
	return true;
}

/* ---- reading */

static bool
refuse_name(const char *name, struct err *err)
{
	unsigned distance, least = NEAR + 1;
	const char *nearest = NULL;
	size_t i;

	for (i = 0; i < OPTIONS; i++) {
		distance = str_distance(options[i].name, name);
		if (distance < least) {
			least = distance;
			nearest = options[i].name;
		}
	}
	err_set(err, ERR_INVALID, "there is no setting \"%.64s\"", name);
	return nearest != NULL ? err_hint(err, "did you mean %s?", nearest) : false;
}

static bool
apply(struct kafka_options *opt, const char *name, const char *value, struct err *err)
{
	size_t i;

	for (i = 0; i < OPTIONS && strcasecmp(options[i].name, name) != 0; i++)
		;
	if (i == OPTIONS)
		return strncasecmp(name, PREFIX, strlen(PREFIX)) != 0 || refuse_name(name, err);
	if (!options[i].set(&options[i], value, (char *)opt + options[i].field))
		return err_set(err, ERR_INVALID, "%s is \"%.64s\", expected %s", options[i].name,
		    value, options[i].values);
	return true;
}

bool
kafka_options_from(const PeerdbFlow__FlowConnectionConfigs *mirror, struct kafka_options *opt_r,
    struct err *err)
{
	struct kafka_options opt = { .format = NULL };
	size_t i;

	for (i = 0; i < OPTIONS; i++)
		if (!apply(&opt, options[i].name, options[i].fallback, err))
			return err_context(err, "default");
	for (i = 0; i < mirror->n_env; i++)
		if (!apply(&opt, mirror->env[i]->key, mirror->env[i]->value, err))
			return false;
	*opt_r = opt;
	return true;
}
