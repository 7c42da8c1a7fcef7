#include "lib/wire/rfc3339.h"

#include <ctype.h>

#define MIN_SECONDS INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define MAX_SECONDS INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

void
rfc3339_print(int64_t seconds, int32_t nanos, char text_r[RFC3339_SIZE])
{
	time_t t = (time_t)(seconds < MIN_SECONDS ? MIN_SECONDS
		: seconds > MAX_SECONDS		  ? MAX_SECONDS
						  : seconds);
	char fraction[16] = "";
	struct tm tm;

	gmtime_r(&t, &tm);
	if (nanos <= 0 || nanos > 999999999)
		;
	else if (nanos % 1000000 == 0)
		snprintf(fraction, sizeof(fraction), ".%03d", nanos / 1000000);
	else if (nanos % 1000 == 0)
		snprintf(fraction, sizeof(fraction), ".%06d", nanos / 1000);
	else
		snprintf(fraction, sizeof(fraction), ".%09d", nanos);
	snprintf(text_r, RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u%sZ",
	    (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
	    (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
	    (unsigned)tm.tm_sec % 100, fraction);
}

/* Exactly `digits` digits at *p, which moves past them. */
static bool
take_number(const char **p, int digits, int min, int max, int *v_r)
{
	int v = 0;

	for (int i = 0; i < digits; i++, ++*p) {
		if (!isdigit((unsigned char)**p))
			return false;
		v = v * 10 + (**p - '0');
	}
	*v_r = v;
	return v >= min && v <= max;
}

static bool
take_char(const char **p, const char *any_of)
{
	if (**p == '\0' || strchr(any_of, **p) == NULL)
		return false;
	++*p;
	return true;
}

/* "." and 1 to 9 digits; absent is fine */
static bool
take_fraction(const char **p, int32_t *nanos_r)
{
	int32_t nanos = 0, unit = 100000000;

	*nanos_r = 0;
	if (**p != '.')
		return true;
	++*p;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); ++*p, unit /= 10) {
		if (unit == 0)
			return false;
		nanos += (**p - '0') * unit;
	}
	*nanos_r = nanos;
	return true;
}

/* "Z" or "+hh:mm"; minutes are what to take off to get UTC */
static bool
take_offset(const char **p, int *minutes_r)
{
	int sign, hours, minutes;

	*minutes_r = 0;
	if (take_char(p, "Zz"))
		return true;
	sign = **p == '-' ? -1 : 1;
	if (!take_char(p, "+-") || !take_number(p, 2, 0, 23, &hours) || !take_char(p, ":") ||
	    !take_number(p, 2, 0, 59, &minutes))
		return false;
	*minutes_r = sign * (hours * 60 + minutes);
	return true;
}

static bool
take_date_time(const char **p, struct tm *tm)
{
	*tm = (struct tm){ 0 };
	if (!take_number(p, 4, 1, 9999, &tm->tm_year) || !take_char(p, "-") ||
	    !take_number(p, 2, 1, 12, &tm->tm_mon) || !take_char(p, "-") ||
	    !take_number(p, 2, 1, 31, &tm->tm_mday) || !take_char(p, "Tt ") ||
	    !take_number(p, 2, 0, 23, &tm->tm_hour) || !take_char(p, ":") ||
	    !take_number(p, 2, 0, 59, &tm->tm_min) || !take_char(p, ":") ||
	    !take_number(p, 2, 0, 59, &tm->tm_sec))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return true;
}

bool
rfc3339_parse(const char *text, int64_t *seconds_r, int32_t *nanos_r)
{
	const char *p = text;
	int32_t nanos;
	int64_t seconds;
	int minutes, day;
	struct tm tm;

	if (!take_date_time(&p, &tm) || !take_fraction(&p, &nanos) || !take_offset(&p, &minutes) ||
	    *p != '\0')
		return false;
	day = tm.tm_mday;
	seconds = (int64_t)timegm(&tm);
	if (tm.tm_mday != day) /* February 30th became March */
		return false;
	seconds -= (int64_t)minutes * 60;
	if (seconds < MIN_SECONDS || seconds > MAX_SECONDS)
		return false;
	*seconds_r = seconds;
	*nanos_r = nanos;
	return true;
}
