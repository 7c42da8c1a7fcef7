/*
 * clock - time, in microseconds everywhere
 *
 * Wall time counts from the Unix epoch; mono time only serves differences.
 * Postgres timestamps count from 2000-01-01 (PG_EPOCH_US).
 */
#ifndef PEERD_BASE_CLOCK_H
#define PEERD_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t usec_t;

#define USEC_PER_SEC  ((usec_t)1000000)
#define USEC_PER_MSEC ((usec_t)1000)
#define PG_EPOCH_US   ((usec_t)946684800 * USEC_PER_SEC)

usec_t clock_wall_us(void);
usec_t clock_mono_us(void);

/* RFC 3339 in UTC with milliseconds: "2026-01-02T03:04:05.678Z"; size at least 32. */
void clock_format(usec_t wall, char *to, size_t size);

#endif
