/*
 * Dates, times and intervals. peerdb-json keeps to PeerDB's spelling, plain-json
 * to ISO 8601; Debezium counts days, milliseconds or microseconds, and writes
 * what has a zone as ISO 8601.
 *
 * Postgres' text: 2024-02-29, 13:01:02.5, 13:01:02.5+02, "2024-02-29 13:01:02.5",
 * "2024-02-29 13:01:02.5+00"; years before Christ end in " BC", years may have
 * more than four digits; infinity, -infinity.
 */
#include <string.h>

#include "lib/base/clock.h"
#include "lib/sink/ch_encode_int.h"
#include "lib/sink/kafka_value_int.h"

#define EPOCH_DAYS	10957 /* from 1970-01-01 to 2000-01-01 */
#define FRACTION_DIGITS 6

/* What Debezium has for the ends of time: those of the JDBC driver, and of 32 bits. */
#define INFINITY_US	  9223372036825200000ll
#define MINUS_INFINITY_US (-9223372036832400000ll)

static bool
is_infinite(struct slice v)
{
	return kafka_is(v, "infinity") || kafka_is(v, "-infinity");
}

/* ---- the pieces of a text */

struct moment {
	struct slice year, month_day;	   /* "2024", "-02-29"; empty for a time */
	struct slice time, fraction, zone; /* "13:01:02", "5", "+02" */
	bool bc;
};

enum part {
	DIGIT = 1,
	DASH = 2,
	COLON = 4,
	PLUS = 8,
	DOT = 16,
	UNIT = 32 /* of "years", "mons" and "days" */
};

static const uint8_t part_of[256] = {
	['0'] = DIGIT,
	['1'] = DIGIT,
	['2'] = DIGIT,
	['3'] = DIGIT,
	['4'] = DIGIT,
	['5'] = DIGIT,
	['6'] = DIGIT,
	['7'] = DIGIT,
	['8'] = DIGIT,
	['9'] = DIGIT,
	['-'] = DASH,
	[':'] = COLON,
	['+'] = PLUS,
	['.'] = DOT,
	['y'] = UNIT,
	['e'] = UNIT,
	['a'] = UNIT,
	['r'] = UNIT,
	['s'] = UNIT,
	['m'] = UNIT,
	['o'] = UNIT,
	['n'] = UNIT,
	['d'] = UNIT,
};

/* The longest front of s that consists of these; s moves past it. */
static struct slice
take(struct slice *s, unsigned of)
{
	struct slice front = *s;
	size_t n = 0;

	while (n < s->n && (part_of[s->p[n]] & of) != 0)
		n++;
	front.n = n;
	*s = slice_of(s->p + n, s->n - n);
	return front;
}

static bool
take_char(struct slice *s, char c)
{
	if (s->n == 0 || s->p[0] != (uint8_t)c)
		return false;
	*s = slice_of(s->p + 1, s->n - 1);
	return true;
}

static void
split_date(struct slice *s, struct moment *m)
{
	m->year = take(s, DIGIT);
	m->month_day = take(s, DASH | DIGIT);
}

static void
split_time(struct slice *s, struct moment *m)
{
	m->time = take(s, DIGIT | COLON);
	if (take_char(s, '.'))
		m->fraction = take(s, DIGIT);
	m->zone = take(s, PLUS | DASH | DIGIT | COLON);
}

static bool
split(struct slice s, bool date, bool time, struct moment *m)
{
	*m = (struct moment){ .bc = false };
	if (s.n > 3 && memcmp(s.p + s.n - 3, " BC", 3) == 0) {
		m->bc = true;
		s.n -= 3;
	}
	if (date)
		split_date(&s, m);
	if (date && time && !take_char(&s, ' '))
		return false;
	if (time)
		split_time(&s, m);
	return s.n == 0 && (!date || (m->year.n >= 4 && m->month_day.n == 6)) &&
	    (!time || m->time.n == 8) && m->fraction.n <= FRACTION_DIGITS && m->zone.n <= 9;
}

static void
add(struct buf *out, struct slice s)
{
	buf_add(out, s.p, s.n);
}

/* ---- ISO 8601 */

/* 1 BC is the year 0; a year of more than four digits has a sign. */
static void
put_iso_date(struct buf *out, const struct moment *m)
{
	long year = 0;
	size_t i;

	for (i = 0; i < m->year.n && i < 8; i++)
		year = year * 10 + (m->year.p[i] - '0');
	if (m->bc && year > 1)
		buf_printf(out, "-%04ld", year - 1);
	else if (m->bc)
		buf_str_add(out, "0000");
	else if (m->year.n > 4)
		buf_char(out, '+');
	if (!m->bc)
		add(out, m->year);
	add(out, m->month_day);
}

/* digits: as many after the point, -1: as there are */
static void
put_iso_time(struct buf *out, const struct moment *m, int digits)
{
	size_t n = digits < 0 ? m->fraction.n : (size_t)digits, i;

	add(out, m->time);
	if (n == 0 && m->fraction.n == 0)
		return;
	buf_char(out, '.');
	add(out, m->fraction);
	for (i = m->fraction.n; i < n; i++)
		buf_char(out, '0');
}

static void
put_iso_zone(struct buf *out, const struct moment *m)
{
	if (kafka_is(m->zone, "+00")) {
		buf_char(out, 'Z');
		return;
	}
	add(out, m->zone);
	if (m->zone.n == 3)
		buf_str_add(out, ":00");
}

static enum kafka_put
put_iso(struct kafka_writer *w, const struct kafka_column *c, struct slice v, bool date, int digits)
{
	struct moment m;

	if (date && is_infinite(v))
		return kafka_put_text(w, c, v);
	if (!split(v, date, true, &m))
		return KAFKA_PUT_BAD;
	buf_char(w->out, '"');
	if (date) {
		put_iso_date(w->out, &m);
		buf_char(w->out, 'T');
	}
	put_iso_time(w->out, &m, digits);
	if (m.zone.n > 0)
		put_iso_zone(w->out, &m);
	buf_char(w->out, '"');
	return KAFKA_PUT_OK;
}

static enum kafka_put
put_iso_timestamp(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	return put_iso(w, c, v, true, -1);
}

/* As many digits of a second as the type has. */
static enum kafka_put
put_zoned_timestamp(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	return put_iso(w, c, v, true, c->modifier < 0 ? FRACTION_DIGITS : c->modifier);
}

static enum kafka_put
put_iso_timetz(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	return put_iso(w, c, v, false, -1);
}

static enum kafka_put
put_iso_only_date(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	struct moment m;

	if (is_infinite(v))
		return kafka_put_text(w, c, v);
	if (!split(v, true, false, &m))
		return KAFKA_PUT_BAD;
	buf_char(w->out, '"');
	put_iso_date(w->out, &m);
	buf_char(w->out, '"');
	return KAFKA_PUT_OK;
}

/* ---- PeerDB's spelling, where it is not Postgres' */

/* Hours without a leading zero, six digits: 9:25:00.500000 */
static enum kafka_put
put_peerdb_time(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	struct moment m;

	if (!split(v, false, true, &m))
		return KAFKA_PUT_BAD;
	if (m.time.p[0] == '0')
		m.time = slice_of(m.time.p + 1, m.time.n - 1);
	buf_char(w->out, '"');
	put_iso_time(w->out, &m, FRACTION_DIGITS);
	buf_char(w->out, '"');
	return KAFKA_PUT_OK;
}

/* The offset has minutes and no colon: 2024-02-29 13:01:02.5+0000 */
static enum kafka_put
put_peerdb_timestamptz(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	struct moment m;
	size_t i;

	if (is_infinite(v))
		return kafka_put_text(w, c, v);
	if (!split(v, true, true, &m))
		return KAFKA_PUT_BAD;
	buf_char(w->out, '"');
	add(w->out, m.year);
	add(w->out, m.month_day);
	buf_char(w->out, ' ');
	put_iso_time(w->out, &m, -1);
	for (i = 0; i < m.zone.n; i++)
		if (m.zone.p[i] != ':')
			buf_char(w->out, (char)m.zone.p[i]);
	buf_str_add(w->out, m.zone.n == 3 ? "00" : "");
	buf_str_add(w->out, m.bc ? " BC\"" : "\"");
	return KAFKA_PUT_OK;
}

/* ---- Debezium's numbers */

static enum kafka_put
put_days(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	int64_t days;

	if (!ch_family_date.read(v, true, &days))
		return KAFKA_PUT_BAD;
	if (days == INT64_MAX || days == INT64_MIN)
		kafka_put_i64(w->out, days > 0 ? INT32_MAX : INT32_MIN);
	else
		kafka_put_i64(w->out, days + EPOCH_DAYS);
	return KAFKA_PUT_OK;
}

static enum kafka_put
put_micro_time(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	int64_t us;

	if (!ch_family_time.read(v, true, &us))
		return KAFKA_PUT_BAD;
	kafka_put_i64(w->out, us);
	return KAFKA_PUT_OK;
}

static enum kafka_put
put_milli_time(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	int64_t us;

	if (!ch_family_time.read(v, true, &us))
		return KAFKA_PUT_BAD;
	kafka_put_i64(w->out, us / USEC_PER_MSEC);
	return KAFKA_PUT_OK;
}

static enum kafka_put
read_timestamp(struct slice v, int64_t *us_r)
{
	int64_t us;

	if (!ch_family_timestamp.read(v, true, &us))
		return KAFKA_PUT_BAD;
	if (us == INT64_MAX || us == INT64_MIN)
		*us_r = us > 0 ? INFINITY_US : MINUS_INFINITY_US;
	else if (__builtin_add_overflow(us, PG_EPOCH_US, us_r))
		return KAFKA_PUT_LOSSY;
	return KAFKA_PUT_OK;
}

static enum kafka_put
put_micro_timestamp(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	enum kafka_put put;
	int64_t us;

	put = read_timestamp(v, &us);
	if (put == KAFKA_PUT_OK)
		kafka_put_i64(w->out, us);
	return put;
}

static enum kafka_put
put_milli_timestamp(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	enum kafka_put put;
	int64_t us;

	put = read_timestamp(v, &us);
	if (put == KAFKA_PUT_OK) /* downwards, before 1970 too */
		kafka_put_i64(w->out, us / USEC_PER_MSEC - (us % USEC_PER_MSEC < 0));
	return put;
}

struct unit {
	kafka_put_fn *put;
	const char *schema;
};

/* Connect's unit, or milliseconds if they hold the type's digits, or microseconds. */
static void
choose_unit(struct kafka_column *c, enum kafka_style style, const struct unit units[3])
{
	const struct unit *u = &units[2];

	if (style != KAFKA_STYLE_DEBEZIUM)
		return;
	if (c->opt->times == KAFKA_TIMES_CONNECT)
		u = &units[0];
	else if (c->opt->times == KAFKA_TIMES_ADAPTIVE && c->modifier >= 0 && c->modifier <= 3)
		u = &units[1];
	c->put = u->put;
	c->schema = u->schema;
}

static void
choose_date(struct kafka_column *c, struct arena *a, enum kafka_style style)
{
	if (style == KAFKA_STYLE_DEBEZIUM && c->opt->times == KAFKA_TIMES_CONNECT)
		c->schema = KAFKA_NAMED("int32", "org.apache.kafka.connect.data.Date");
}

static void
choose_time(struct kafka_column *c, struct arena *a, enum kafka_style style)
{
	static const struct unit units[] = {
		{ put_milli_time, KAFKA_NAMED("int32", "org.apache.kafka.connect.data.Time") },
		{ put_milli_time, KAFKA_NAMED("int32", "io.debezium.time.Time") },
		{ put_micro_time, KAFKA_NAMED("int64", "io.debezium.time.MicroTime") },
	};

	choose_unit(c, style, units);
}

static void
choose_timestamp(struct kafka_column *c, struct arena *a, enum kafka_style style)
{
	static const struct unit units[] = {
		{ put_milli_timestamp,
		    KAFKA_NAMED("int64", "org.apache.kafka.connect.data.Timestamp") },
		{ put_milli_timestamp, KAFKA_NAMED("int64", "io.debezium.time.Timestamp") },
		{ put_micro_timestamp, KAFKA_NAMED("int64", "io.debezium.time.MicroTimestamp") },
	};

	choose_unit(c, style, units);
}

/* ---- intervals: "1 year 2 mons -3 days -04:05:06.789" */

/* The fields of the time have its sign each. */
static bool
put_interval_time(struct buf *out, struct slice s, bool minus)
{
	static const char units[] = "HMS";
	struct slice digits;
	int i;

	for (i = 0; i < 3; i++) {
		digits = take(&s, i < 2 ? DIGIT : DIGIT | DOT);
		if (digits.n == 0 || (i < 2 && !take_char(&s, ':')))
			return false;
		while (digits.n > 1 && digits.p[0] == '0' && digits.p[1] != '.')
			digits = slice_of(digits.p + 1, digits.n - 1);
		if (minus && !kafka_is(digits, "0"))
			buf_char(out, '-');
		add(out, digits);
		buf_char(out, units[i]);
	}
	return s.n == 0;
}

struct interval {
	struct slice number[3]; /* of years, months, days; empty: none */
	struct slice time;
	bool minus; /* of the time */
};

static bool
split_interval(struct slice s, struct interval *v)
{
	static const char units[] = "ymd";
	struct slice before, number;
	const char *unit;

	while (s.n > 0) {
		before = s;
		number = take(&s, PLUS | DASH | DIGIT);
		if (number.n > 1 && number.p[0] == '+')
			number = slice_of(number.p + 1, number.n - 1);
		if (s.n > 1 && s.p[0] == ' ') {
			unit = s.p[1] != '\0' ? strchr(units, s.p[1]) : NULL;
			if (unit == NULL || number.n == 0)
				return false;
			v->number[unit - units] = number;
			take_char(&s, ' ');
			take(&s, UNIT);
		} else {
			v->minus = take_char(&before, '-');
			if (!v->minus)
				take_char(&before, '+');
			v->time = before;
			return true;
		}
		if (s.n > 0 && !take_char(&s, ' '))
			return false;
	}
	return true;
}

/* P<years>Y<months>M<days>DT<hours>H<minutes>M<seconds>S, all of them */
static enum kafka_put
put_iso_interval(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	static const char units[] = "YMD";
	struct interval parts = { .minus = false };
	int i;

	if (is_infinite(v))
		return kafka_put_text(w, c, v);
	if (v.n == 0 || !split_interval(v, &parts))
		return KAFKA_PUT_BAD;
	buf_str_add(w->out, "\"P");
	for (i = 0; i < 3; i++) {
		add(w->out, parts.number[i].n > 0 ? parts.number[i] : slice_str("0"));
		buf_char(w->out, units[i]);
	}
	buf_char(w->out, 'T');
	if (parts.time.n == 0)
		buf_str_add(w->out, "0H0M0S");
	else if (!put_interval_time(w->out, parts.time, parts.minus))
		return KAFKA_PUT_BAD;
	buf_char(w->out, '"');
	return KAFKA_PUT_OK;
}

/* {"hours":4,"days":3,"valid":true}, zeros left out, in a string */
static enum kafka_put
put_peerdb_interval(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	enum kafka_put put;
	struct slice words;

	if (is_infinite(v))
		return kafka_put_text(w, c, v);
	put = kafka_read_words(w, &ch_family_interval, v, &words);
	return put == KAFKA_PUT_OK ? kafka_put_text(w, c, words) : put;
}

/* ---- */

const struct kafka_family kafka_family_date = { { kafka_put_text, put_iso_only_date, put_days },
	KAFKA_NAMED("int32", "io.debezium.time.Date"), choose_date };
const struct kafka_family kafka_family_time = { { put_peerdb_time, kafka_put_text, put_micro_time },
	KAFKA_NAMED("int64", "io.debezium.time.MicroTime"), choose_time };
const struct kafka_family kafka_family_timetz = { { kafka_put_text, put_iso_timetz,
						      put_iso_timetz },
	KAFKA_NAMED("string", "io.debezium.time.ZonedTime"), NULL };
const struct kafka_family kafka_family_timestamp = { { kafka_put_text, put_iso_timestamp,
							 put_micro_timestamp },
	KAFKA_NAMED("int64", "io.debezium.time.MicroTimestamp"), choose_timestamp };
const struct kafka_family kafka_family_timestamptz = { { put_peerdb_timestamptz, put_iso_timestamp,
							   put_zoned_timestamp },
	KAFKA_NAMED("string", "io.debezium.time.ZonedTimestamp"), NULL };
const struct kafka_family kafka_family_interval = { { put_peerdb_interval, put_iso_interval,
							put_iso_interval },
	KAFKA_NAMED("string", "io.debezium.time.Interval"), NULL };
