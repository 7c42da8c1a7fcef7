/*
 * kafka_options - a mirror's settings that concern Kafka
 *
 * They come from the mirror's env, under the names of one table
 * (kafka_options.c); docs/kafka.md shows the same table, and a test compares
 * them. What the env does not name has its default. Names of other
 * destinations and of peerd itself are left alone.
 *
 * Strings are borrowed from the mirror, which outlives the options.
 *
 * Errors: ERR_INVALID for a value that is not understood, and for a name that
 * begins with PEERD_KAFKA_ and is not in the table, with the nearest that is.
 */
#ifndef PEERD_SINK_KAFKA_OPTIONS_H
#define PEERD_SINK_KAFKA_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "protos/flow.pb-c.h"

struct err;
struct kafka_format;

enum kafka_decimals {
	KAFKA_DECIMALS_STRING,
	KAFKA_DECIMALS_PRECISE,
	KAFKA_DECIMALS_DOUBLE,
	KAFKA_DECIMALS_AUTO /* the format's own */
};

enum kafka_times {
	KAFKA_TIMES_ADAPTIVE,
	KAFKA_TIMES_MICROSECONDS,
	KAFKA_TIMES_CONNECT
};

enum kafka_binary {
	KAFKA_BINARY_BYTES, /* base64 in JSON, of type bytes in a schema */
	KAFKA_BINARY_BASE64,
	KAFKA_BINARY_HEX
};

enum kafka_unchanged {
	KAFKA_UNCHANGED_LIST,
	KAFKA_UNCHANGED_FILL
};

enum kafka_keyless {
	KAFKA_KEYLESS_NONE,
	KAFKA_KEYLESS_HASH
};

enum kafka_oversize {
	KAFKA_OVERSIZE_FAIL,
	KAFKA_OVERSIZE_DEAD_LETTER,
	KAFKA_OVERSIZE_SPLIT
};

enum kafka_lossy {
	KAFKA_LOSSY_ERROR,
	KAFKA_LOSSY_NULL
};

/* What control records are written of; bits. */
enum kafka_controls {
	KAFKA_CONTROL_TRUNCATE = 1,
	KAFKA_CONTROL_DDL = 2,
	KAFKA_CONTROL_MESSAGE = 4
};

struct kafka_options {
	const struct kafka_format *format;
	bool exactly_once;
	const char *topic; /* template; "": as the table is called on the destination */
	bool topic_create;
	uint32_t partitions;	     /* 0: the broker's default */
	uint32_t replication_factor; /* 0: the broker's default */
	const char *topic_config;    /* pairs as kvtext_next() reads them */
	bool headers;
	bool tombstones;
	bool schemas;
	uint32_t decimals; /* enum kafka_decimals, and so on */
	uint32_t times;
	uint32_t binary;
	uint32_t unchanged;
	uint32_t keyless;
	uint32_t oversize;
	uint32_t lossy;
	uint32_t controls;	       /* bits of enum kafka_controls */
	const char *control_topic;     /* template of the mirror's name alone, as the next two */
	const char *transaction_topic; /* "": none */
	const char *dead_letter_topic;
};

bool kafka_options_from(const PeerdbFlow__FlowConnectionConfigs *mirror,
    struct kafka_options *opt_r, struct err *err);

/* ---- the table, for docs and tests */

struct kafka_option_words {
	const char *name;
	const char *values; /* "true or false" */
	const char *fallback;
	const char *meaning;
};

/* The i-th option; false after the last. */
bool kafka_option_at(unsigned i, struct kafka_option_words *o_r);

#endif
