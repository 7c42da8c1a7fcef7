#include "tests/harness/poll.h"

#define STEP_MIN_MS 2
#define STEP_MAX_MS 10

struct poll_wait
poll_begin(int ms)
{
	return (struct poll_wait){
		.end = clock_mono_us() + ms * USEC_PER_MSEC,
		.step_ms = STEP_MIN_MS,
	};
}

bool
poll_again(struct poll_wait *w)
{
	struct timespec pause = { .tv_nsec = w->step_ms * 1000000L };

	if (clock_mono_us() >= w->end)
		return false;
	nanosleep(&pause, NULL);
	if (w->step_ms < STEP_MAX_MS)
		w->step_ms *= 2;
	return true;
}
