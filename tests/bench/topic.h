/*
 * topic - a reader of a Kafka topic that is not peerd's
 *
 * A consumer of librdkafka's in this process, which sees what is committed, of
 * all partitions, from the beginning on. The topic must be there. A record that
 * topic_next() gives out is lent until the next call.
 */
#ifndef PEERD_BENCH_TOPIC_H
#define PEERD_BENCH_TOPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/slice.h"

struct topic;

struct topic_record {
	struct slice key;
	struct slice value; /* p is NULL: a tombstone */
};

struct topic *topic_open(const char *servers, const char *name, int partitions);
void topic_close(struct topic **t); /* NULL is fine */

/* Waits so long for one; false: nothing has come. */
bool topic_next(struct topic *t, int wait_ms, struct topic_record *r_r);

/* Have all partitions been read to where they ended when that was last looked at? */
bool topic_at_end(const struct topic *t);

/* The integer behind the last `"name":` of a JSON object; false: there is none. */
bool topic_number(struct slice object, const char *label, int64_t *n_r);

#endif
