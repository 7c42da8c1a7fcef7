/*
 * kafka_value_int - between the type table and the files of values
 *
 * A family is how the values of some types are written in each style. Where
 * that depends on the column or on the mirror's settings, choose() settles it
 * once: it may replace put and schema.
 */
#ifndef PEERD_SINK_KAFKA_VALUE_INT_H
#define PEERD_SINK_KAFKA_VALUE_INT_H

#include "lib/sink/kafka_value.h"

struct kafka_family {
	kafka_put_fn *put[KAFKA_STYLES];
	const char *schema; /* in Kafka Connect's terms, as Debezium has it */
	void (*choose)(struct kafka_column *c, struct arena *a, enum kafka_style style);
};

#define KAFKA_ALL_STYLES(put)       \
	{                           \
		(put), (put), (put) \
	}
#define KAFKA_STRING		"\"type\":\"string\""
#define KAFKA_NAMED(type, name) "\"type\":\"" type "\",\"name\":\"" name "\",\"version\":1"

extern const struct kafka_family kafka_family_numeric, kafka_family_date, kafka_family_time,
    kafka_family_timetz, kafka_family_timestamp, kafka_family_timestamptz, kafka_family_interval,
    kafka_family_bytea, kafka_family_json, kafka_family_hstore, kafka_family_point,
    kafka_family_geometry, kafka_family_geography, kafka_family_vector, kafka_family_halfvec,
    kafka_family_bit;

kafka_put_fn kafka_put_text, kafka_put_number, kafka_put_array;

/*
 * The value in the words docs/clickhouse.md gives for a type that is a String
 * there, in w->words.
 */
struct ch_family;
enum kafka_put kafka_read_words(struct kafka_writer *w, const struct ch_family *family,
    struct slice v, struct slice *words_r);

/* A JSON number at the start of s, which moves past it. */
bool kafka_scan_number(struct slice *s);

static inline bool
kafka_is(struct slice s, const char *word)
{
	return slice_eq(s, slice_str(word));
}

#endif
