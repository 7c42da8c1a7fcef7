/*
 * kerror - what Kafka's error codes mean for a mirror
 *
 * Brokers' codes are positive, those of librdkafka itself negative; both have
 * librdkafka's numbers and words.
 */
#ifndef PEERD_CONN_KERROR_H
#define PEERD_CONN_KERROR_H

#include <stdbool.h>

#include "lib/base/err.h"

/*
 * ERR_CONFIG with a hint for what waiting does not help against, otherwise
 * ERR_TRANSIENT. words NULL: librdkafka's for the code. Returns false.
 */
bool kerror_set(struct err *err, int code, const char *words);

/* Somebody else writes under our transactional id. */
bool kerror_is_fencing(int code);

/* Among a broker's answers: the same request may succeed in a moment, or with another broker. */
bool kerror_is_passing(int code);

#endif
