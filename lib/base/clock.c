#include "lib/base/clock.h"

static usec_t
clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

usec_t
clock_wall_us(void)
{
	return clock_read(CLOCK_REALTIME);
}

usec_t
clock_mono_us(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

void
clock_format(usec_t wall, char *to, size_t size)
{
	usec_t part = wall % USEC_PER_SEC;
	time_t sec = (time_t)(wall / USEC_PER_SEC);
	struct tm tm;
	char day[24];

	if (part < 0) {
		part += USEC_PER_SEC;
		sec--;
	}
	gmtime_r(&sec, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(to, size, "%s.%03dZ", day, (int)(part / 1000));
}
