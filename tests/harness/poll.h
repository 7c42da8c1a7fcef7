/*
 * poll - waiting for something to become true, with a deadline
 *
 * Tests never sleep for a fixed time: they say what they wait for and how long
 * at most. poll_until() evaluates its condition at once, then again every few
 * milliseconds, and yields whether it came true in time.
 *
 *	if (!poll_until(5000, file_exists(path)))
 *		test_fail("%s did not appear", path);
 *
 * Units: milliseconds of the monotonic clock. Errors: none.
 */
#ifndef PEERD_HARNESS_POLL_H
#define PEERD_HARNESS_POLL_H

#include <stdbool.h>

#include "lib/base/clock.h"

struct poll_wait {
	usec_t end;
	int step_ms; /* grows from 2 to 10, so that short waits stay short */
};

struct poll_wait poll_begin(int ms);
bool poll_again(struct poll_wait *w); /* pauses a step; false when the time is up */

#define poll_until(ms, cond)                                    \
	__extension__({                                         \
		struct poll_wait wait_ = poll_begin(ms);        \
		bool true_;                                     \
                                                                \
		while (!(true_ = (cond)) && poll_again(&wait_)) \
			continue;                               \
		true_;                                          \
	})

#endif
