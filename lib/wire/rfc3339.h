/*
 * rfc3339 - points in time as text
 *
 * Seconds count from 1970 in UTC. Printing gives "2026-01-02T03:04:05Z" with
 * 3, 6 or 9 digits of a second when there are any; parsing takes any number of
 * digits up to 9 and any offset. Years 1 to 9999.
 *
 * Errors: false, for text that is no such time.
 */
#ifndef PEERD_WIRE_RFC3339_H
#define PEERD_WIRE_RFC3339_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RFC3339_SIZE 40

void rfc3339_print(int64_t seconds, int32_t nanos, char text_r[RFC3339_SIZE]);
bool rfc3339_parse(const char *text, int64_t *seconds_r, int32_t *nanos_r);

#endif
