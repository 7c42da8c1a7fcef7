/*
 * Dates and times. Postgres counts days and microseconds from 2000-01-01, and
 * so do the integers here; the column's offset leads to 1970.
 */
#include "lib/sink/ch_encode_int.h"

#define US_PER_SECOND 1000000ll
#define US_PER_MINUTE (60 * US_PER_SECOND)
#define US_PER_HOUR   (60 * US_PER_MINUTE)
#define US_PER_DAY    (24 * US_PER_HOUR)
#define DAYS_TO_2000  730425  /* from 0000-03-01 to 2000-01-01 */
#define YEAR_MAX      5874897 /* of a date; timestamps end sooner */

/* ---- calendar (proleptic Gregorian; years count on through 0, which is 1 BC) */

static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t era, of_era;
	int of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	of_era = year - era * 400;
	of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
	return era * 146097 + of_era - DAYS_TO_2000;
}

static int64_t
date_of(int64_t days, int *month_r, int *day_r)
{
	int64_t era, of_era, year;
	int of_year, month;

	days += DAYS_TO_2000;
	era = (days >= 0 ? days : days - 146096) / 146097;
	of_era = days - era * 146097;
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = (int)(of_era - (365 * year + year / 4 - year / 100));
	month = (5 * of_year + 2) / 153;
	*day_r = of_year - (153 * month + 2) / 5 + 1;
	*month_r = month < 10 ? month + 3 : month - 9;
	return year + era * 400 + (*month_r <= 2);
}

/* ---- reading text: each takes what it knows from the front of s */

static bool
scan_digits(struct slice *s, int least, int most, int64_t *v_r)
{
	int64_t v = 0;
	int n = 0;

	while (n < most && (size_t)n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		v = v * 10 + (s->p[n++] - '0');
	if (n < least)
		return false;
	*s = slice_of(s->p + n, s->n - (size_t)n);
	*v_r = v;
	return true;
}

static bool
scan_char(struct slice *s, char c)
{
	if (s->n == 0 || s->p[0] != (uint8_t)c)
		return false;
	*s = slice_of(s->p + 1, s->n - 1);
	return true;
}

/* .5 is half a second */
static bool
scan_fraction(struct slice *s, int64_t *us_r)
{
	struct slice before = *s;
	int64_t v;
	int n;

	if (!scan_digits(s, 1, 6, &v))
		return false;
	for (n = (int)(before.n - s->n); n < 6; n++)
		v *= 10;
	*us_r = v;
	return true;
}

bool
ch_scan_time(struct slice *s, int64_t *us_r)
{
	int64_t h, m, sec, us = 0;

	if (!scan_digits(s, 1, 10, &h) || !scan_char(s, ':') || !scan_digits(s, 2, 2, &m) ||
	    !scan_char(s, ':') || !scan_digits(s, 2, 2, &sec))
		return false;
	if (scan_char(s, '.') && !scan_fraction(s, &us))
		return false;
	us += m * US_PER_MINUTE + sec * US_PER_SECOND;
	return m <= 59 && sec <= 59 && !__builtin_mul_overflow(h, US_PER_HOUR, us_r) &&
	    !__builtin_add_overflow(*us_r, us, us_r);
}

/* +02, -03:30, +00:19:32; nothing is zero */
static bool
scan_zone(struct slice *s, int64_t *us_r)
{
	int64_t h = 0, m = 0, sec = 0;
	bool west = scan_char(s, '-');

	if (!west && !scan_char(s, '+')) {
		*us_r = 0;
		return true;
	}
	if (!scan_digits(s, 2, 2, &h) || (scan_char(s, ':') && !scan_digits(s, 2, 2, &m)) ||
	    (scan_char(s, ':') && !scan_digits(s, 2, 2, &sec)))
		return false;
	*us_r = h * US_PER_HOUR + m * US_PER_MINUTE + sec * US_PER_SECOND;
	if (west)
		*us_r = -*us_r;
	return true;
}

struct ymd {
	int64_t year, month, day;
};

static bool
scan_ymd(struct slice *s, struct ymd *d)
{
	return scan_digits(s, 4, 7, &d->year) && scan_char(s, '-') &&
	    scan_digits(s, 2, 2, &d->month) && scan_char(s, '-') && scan_digits(s, 2, 2, &d->day) &&
	    d->month >= 1 && d->month <= 12 && d->day >= 1 && d->day <= 31 && d->year <= YEAR_MAX;
}

/* What is left is " BC" or nothing. */
static bool
scan_era(struct slice s, struct ymd *d, int64_t *days_r)
{
	if (slice_eq(s, slice_str(" BC")))
		d->year = 1 - d->year;
	else if (s.n > 0)
		return false;
	*days_r = days_of(d->year, (int)d->month, (int)d->day);
	return true;
}

static bool
scan_infinity(struct slice s, int64_t *v_r)
{
	if (slice_eq(s, slice_str("infinity")))
		*v_r = INT64_MAX;
	else if (slice_eq(s, slice_str("-infinity")))
		*v_r = INT64_MIN;
	else
		return false;
	return true;
}

/* ---- the families' values */

static bool
read_date(struct slice v, bool text, int64_t *v_r)
{
	struct ymd d;
	int32_t days;

	if (text)
		return scan_infinity(v, v_r) || (scan_ymd(&v, &d) && scan_era(v, &d, v_r));
	if (v.n != 4)
		return false;
	days = (int32_t)ch_get_u32(v.p);
	*v_r = days == INT32_MAX ? INT64_MAX : days == INT32_MIN ? INT64_MIN : days;
	return true;
}

static bool
read_time(struct slice v, bool text, int64_t *v_r)
{
	int64_t us;

	if (text) {
		if (!ch_scan_time(&v, &us) || v.n > 0)
			return false;
	} else {
		if (v.n != 8)
			return false;
		us = (int64_t)ch_get_u64(v.p);
	}
	if (us < 0 || us > US_PER_DAY)
		return false;
	*v_r = us;
	return true;
}

static bool
read_timestamp_text(struct slice v, int64_t *v_r)
{
	int64_t us, zone, days;
	struct ymd d;

	if (scan_infinity(v, v_r))
		return true;
	if (!scan_ymd(&v, &d) || !scan_char(&v, ' ') || !ch_scan_time(&v, &us) ||
	    !scan_zone(&v, &zone) || !scan_era(v, &d, &days) || us > US_PER_DAY)
		return false;
	return !__builtin_mul_overflow(days, US_PER_DAY, v_r) &&
	    !__builtin_add_overflow(*v_r, us - zone, v_r);
}

static bool
read_timestamp(struct slice v, bool text, int64_t *v_r)
{
	if (text)
		return read_timestamp_text(v, v_r);
	if (v.n != 8)
		return false;
	*v_r = (int64_t)ch_get_u64(v.p);
	return true;
}

/* ---- printing, as Postgres does */

static bool
format_infinity(int64_t v, struct buf *out)
{
	if (v != INT64_MAX && v != INT64_MIN)
		return false;
	buf_str_add(out, v > 0 ? "infinity" : "-infinity");
	return true;
}

static void
trim_zeros(struct buf *out)
{
	while (out->n > 0 && out->p[out->n - 1] == '0')
		out->p[--out->n] = '\0';
}

/* Returns whether the year is one before Christ. */
static bool
format_ymd(int64_t days, struct buf *out)
{
	int month, day;
	int64_t year = date_of(days, &month, &day);
	bool bc = year <= 0;

	buf_printf(out, "%04lld-%02d-%02d", (long long)(bc ? 1 - year : year), month, day);
	return bc;
}

void
ch_format_date(int64_t days, struct buf *out)
{
	if (!format_infinity(days, out) && format_ymd(days, out))
		buf_str_add(out, " BC");
}

void
ch_format_time(int64_t us, struct buf *out)
{
	buf_printf(out, "%02lld:%02lld:%02lld", (long long)(us / US_PER_HOUR),
	    (long long)(us / US_PER_MINUTE % 60), (long long)(us / US_PER_SECOND % 60));
	us %= US_PER_SECOND;
	if (us == 0)
		return;
	buf_printf(out, ".%06lld", (long long)us);
	trim_zeros(out);
}

static void
format_moment(int64_t us, const char *zone, struct buf *out)
{
	int64_t days = us / US_PER_DAY, rest = us % US_PER_DAY;
	bool bc;

	if (format_infinity(us, out))
		return;
	if (rest < 0) {
		rest += US_PER_DAY;
		days--;
	}
	bc = format_ymd(days, out);
	buf_char(out, ' ');
	ch_format_time(rest, out);
	buf_str_add(out, zone);
	if (bc)
		buf_str_add(out, " BC");
}

static void
format_timestamp(int64_t us, struct buf *out)
{
	format_moment(us, "", out);
}

static void
format_timestamptz(int64_t us, struct buf *out)
{
	format_moment(us, "+00", out);
}

/* ---- timetz: its offset is part of the value, so it stays text */

static void
format_offset(int32_t seconds_west, struct buf *out)
{
	int32_t s = seconds_west < 0 ? -seconds_west : seconds_west;

	buf_printf(out, "%c%02d", seconds_west > 0 ? '-' : '+', s / 3600);
	if (s % 3600 != 0)
		buf_printf(out, ":%02d", s / 60 % 60);
	if (s % 60 != 0)
		buf_printf(out, ":%02d", s % 60);
}

static enum ch_put
put_timetz(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	int32_t west;
	int64_t us;
	size_t at;

	if (text)
		return ch_put_bytes(out, v.p, v.n);
	if (v.n != 12)
		return CH_PUT_BAD;
	us = (int64_t)ch_get_u64(v.p);
	west = (int32_t)ch_get_u32(v.p + 8);
	if (us < 0 || us > US_PER_DAY || west < -86400 || west > 86400)
		return CH_PUT_BAD;
	at = ch_string_begin(out);
	ch_format_time(us, out);
	format_offset(west, out);
	return ch_string_end(out, at);
}

/* ---- interval: {"hours":4,"days":3,"months":2,"years":1,"valid":true} */

struct interval {
	int64_t us;
	int64_t days, months;
};

static bool
scan_unit(struct slice *s, struct interval *v, int64_t n)
{
	static const struct {
		const char *name;
		bool days;
		int months;
	} units[] = { { "year", false, 12 }, { "mon", false, 1 }, { "day", true, 0 } };
	size_t len, i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		len = strlen(units[i].name);
		if (s->n < len || memcmp(s->p, units[i].name, len) != 0)
			continue;
		*s = slice_of(s->p + len, s->n - len);
		scan_char(s, 's');
		if (units[i].days)
			v->days = n;
		else
			v->months += n * units[i].months;
		return true;
	}
	return false;
}

/* "1 year 2 mons -3 days +04:05:06.789": intervalstyle postgres */
static bool
scan_interval(struct slice s, struct interval *v)
{
	struct slice before;
	int64_t n;
	bool minus;

	while (s.n > 0) {
		minus = scan_char(&s, '-');
		if (!minus)
			scan_char(&s, '+');
		before = s;
		if (!scan_digits(&s, 1, 10, &n))
			return false;
		if (scan_char(&s, ' ')) {
			if (!scan_unit(&s, v, minus ? -n : n))
				return false;
		} else {
			s = before;
			if (!ch_scan_time(&s, &v->us))
				return false;
			v->us = minus ? -v->us : v->us;
		}
		if (s.n > 0 && !scan_char(&s, ' '))
			return false;
	}
	return true;
}

/* -1, +1: infinite, as Postgres 17 knows it */
static int
interval_infinity(const struct interval *v)
{
	if (v->us == INT64_MAX && v->days == INT32_MAX && v->months == INT32_MAX)
		return 1;
	return v->us == INT64_MIN && v->days == INT32_MIN && v->months == INT32_MIN ? -1 : 0;
}

static bool
read_interval(struct slice s, bool text, struct interval *v)
{
	int64_t infinity;

	*v = (struct interval){ 0 };
	if (!text) {
		if (s.n != 16)
			return false;
		v->us = (int64_t)ch_get_u64(s.p);
		v->days = (int32_t)ch_get_u32(s.p + 8);
		v->months = (int32_t)ch_get_u32(s.p + 12);
		return true;
	}
	if (!scan_infinity(s, &infinity))
		return scan_interval(s, v);
	v->us = infinity;
	v->days = v->months = infinity > 0 ? INT32_MAX : INT32_MIN;
	return true;
}

static void
format_field(const char *name, int64_t v, struct buf *out)
{
	if (v != 0)
		buf_printf(out, "\"%s\":%lld,", name, (long long)v);
}

static void
format_seconds(int64_t us, struct buf *out)
{
	uint64_t all = us < 0 ? -(uint64_t)us : (uint64_t)us;

	if (us == 0)
		return;
	buf_printf(out, "\"seconds\":%s%llu", us < 0 ? "-" : "",
	    (unsigned long long)(all / US_PER_SECOND));
	if (all % US_PER_SECOND != 0) {
		buf_printf(out, ".%06llu", (unsigned long long)(all % US_PER_SECOND));
		trim_zeros(out);
	}
	buf_char(out, ',');
}

static enum ch_put
put_interval(const struct ch_column *c, struct slice s, bool text, struct buf *out)
{
	struct interval v;
	size_t at;
	int infinity;

	if (!read_interval(s, text, &v))
		return CH_PUT_BAD;
	at = ch_string_begin(out);
	infinity = interval_infinity(&v);
	if (infinity != 0) {
		buf_str_add(out, infinity > 0 ? "\"infinity\"" : "\"-infinity\"");
		return ch_string_end(out, at);
	}
	buf_char(out, '{');
	format_field("hours", v.us / US_PER_HOUR, out);
	format_field("minutes", v.us % US_PER_HOUR / US_PER_MINUTE, out);
	format_seconds(v.us % US_PER_MINUTE, out);
	format_field("days", v.days, out);
	format_field("months", v.months % 12, out);
	format_field("years", v.months / 12, out);
	buf_str_add(out, "\"valid\":true}");
	return ch_string_end(out, at);
}

/* ---- */

const struct ch_family ch_family_date = { read_date, ch_format_date, { ch_put_formatted, false } };
const struct ch_family ch_family_time = { read_time, ch_format_time, { ch_put_formatted, false } };
const struct ch_family ch_family_timestamp = { read_timestamp, format_timestamp,
	{ ch_put_formatted, false } };
const struct ch_family ch_family_timestamptz = { read_timestamp, format_timestamptz,
	{ ch_put_formatted, false } };
const struct ch_family ch_family_timetz = { .string = { put_timetz, false } };
const struct ch_family ch_family_interval = { .string = { put_interval, false } };
