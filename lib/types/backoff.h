/*
 * backoff - how long to wait before trying again
 *
 * A pure value: no clock, no timer, no memory. The caller keeps it, asks
 * backoff_next() after each failure and calls backoff_reset() when success
 * was proved. Delays double from first to max; each is spread over its upper
 * half, so that many who failed together do not come back together.
 *
 * Errors: none. Bugs: asserts 0 < first and first <= max.
 */
#ifndef PEERD_TYPES_BACKOFF_H
#define PEERD_TYPES_BACKOFF_H

#include <stdint.h>

#include "lib/base/clock.h"

struct backoff {
	usec_t first;
	usec_t max;
	unsigned failures;
};

/* random: any 32 bits. */
usec_t backoff_next(struct backoff *b, uint32_t random);
void backoff_reset(struct backoff *b);

#endif
