#include "lib/types/backoff.h"

#include <assert.h>

usec_t
backoff_next(struct backoff *b, uint32_t random)
{
	usec_t delay = b->first;

	assert(b->first > 0 && b->first <= b->max);
	for (unsigned i = 0; i < b->failures && delay < b->max; i++)
		delay *= 2;
	if (delay > b->max)
		delay = b->max;
	b->failures++;
	return delay - (usec_t)((double)random / UINT32_MAX * (double)(delay / 2));
}

void
backoff_reset(struct backoff *b)
{
	b->failures = 0;
}
