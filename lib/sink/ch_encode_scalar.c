/*
 * Numbers, and whatever else is one integer for Postgres and for ClickHouse.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/limits.h"
#include "lib/sink/ch_encode_int.h"
#include "lib/sink/ch_numeric.h"

#define NUMBER_TEXT_MAX 64 /* of a float: 17 digits, sign, point, exponent */

/* ---- integers */

static bool
read_int_text(struct slice v, int64_t *v_r)
{
	bool minus = v.n > 0 && v.p[0] == '-';
	uint64_t n = 0;
	size_t i;

	if (v.n <= minus || v.n > 20)
		return false;
	for (i = minus; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(v.p[i] - '0'), &n))
			return false;
	}
	if (n > (uint64_t)INT64_MAX + minus)
		return false;
	*v_r = minus ? (int64_t)-n : (int64_t)n;
	return true;
}

static bool
read_int(struct slice v, bool text, int64_t *v_r)
{
	if (text)
		return read_int_text(v, v_r);
	switch (v.n) {
	case 8:
		*v_r = (int64_t)ch_get_u64(v.p);
		return true;
	case 4:
		*v_r = (int32_t)ch_get_u32(v.p);
		return true;
	case 2:
		*v_r = (int16_t)(v.p[0] << 8 | v.p[1]);
		return true;
	default:
		return false;
	}
}

static bool
read_oid(struct slice v, bool text, int64_t *v_r)
{
	if (text)
		return read_int_text(v, v_r);
	if (v.n != 4)
		return false;
	*v_r = ch_get_u32(v.p);
	return true;
}

static void
format_int(int64_t v, struct buf *out)
{
	buf_printf(out, "%lld", (long long)v);
}

/* "t", or "true" as a cast to text prints it */
static bool
read_bool(struct slice v, bool text, int64_t *v_r)
{
	if (v.n == 0 || (!text && v.n != 1))
		return false;
	*v_r = text ? v.p[0] == 't' : v.p[0] != 0;
	return !text || v.p[0] == 't' || v.p[0] == 'f';
}

static void
format_bool(int64_t v, struct buf *out)
{
	buf_char(out, v != 0 ? 't' : 'f');
}

enum ch_put
ch_put_int(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	uint8_t *to, width = c->type.width;
	int64_t i;

	if (!c->source.type->family->read(v, text, &i))
		return CH_PUT_BAD;
	if (i < c->min || i > c->max)
		return CH_PUT_LOSSY;
	i = (i + c->offset) * c->multiply;
	if (c->divide != 1) {
		if (i % c->divide != 0)
			return CH_PUT_LOSSY;
		i /= c->divide;
	}
	to = buf_room(out, width);
	if (to == NULL)
		return CH_PUT_OK;
	if (width > 8)
		memset(to + 8, i < 0 ? 0xff : 0, width - 8u);
	memcpy(to, &i, width < 8 ? width : 8u);
	out->n += width;
	return CH_PUT_OK;
}

enum ch_put
ch_put_formatted(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	const struct ch_family *f = c->source.type->family;
	int64_t i;
	size_t at;

	if (!f->read(v, text, &i))
		return CH_PUT_BAD;
	at = ch_string_begin(out);
	f->format(i, out);
	return ch_string_end(out, at);
}

/* ---- floating point */

bool
ch_scan_double(struct slice *s, bool single, double *d_r)
{
	char copy[NUMBER_TEXT_MAX], *end;
	size_t n = s->n < sizeof(copy) - 1 ? s->n : sizeof(copy) - 1;

	if (n == 0 || s->p[0] <= ' ')
		return false;
	memcpy(copy, s->p, n);
	copy[n] = '\0';
	*d_r = single ? (double)strtof(copy, &end) : strtod(copy, &end);
	if (end == copy)
		return false;
	*s = slice_of(s->p + (end - copy), s->n - (size_t)(end - copy));
	return true;
}

void
ch_format_double(double d, bool single, struct buf *out)
{
	char text[NUMBER_TEXT_MAX];
	int digits = single ? 6 : 15;
	double again;

	if (isnan(d) || isinf(d)) {
		buf_str_add(out, isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
		return;
	}
	do {
		snprintf(text, sizeof(text), "%.*g", digits++, d);
		again = single ? (double)strtof(text, NULL) : strtod(text, NULL);
	} while (again != d && digits <= 17);
	buf_str_add(out, text);
}

static bool
read_double(struct slice v, bool text, bool single, double *d_r)
{
	if (text)
		return ch_scan_double(&v, single, d_r) && v.n == 0;
	if (v.n != (single ? 4 : 8))
		return false;
	*d_r = single ? (double)ch_get_float(v.p) : ch_get_double(v.p);
	return true;
}

static enum ch_put
put_double(double d, uint8_t width, struct buf *out)
{
	float f = (float)d;

	buf_add(out, width == 4 ? (void *)&f : (void *)&d, width);
	return CH_PUT_OK;
}

enum ch_put
ch_put_float4(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	double d;

	return read_double(v, text, true, &d) ? put_double(d, c->type.width, out) : CH_PUT_BAD;
}

enum ch_put
ch_put_float8(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	double d;

	return read_double(v, text, false, &d) ? put_double(d, c->type.width, out) : CH_PUT_BAD;
}

static enum ch_put
put_float_string(struct slice v, bool text, bool single, struct buf *out)
{
	size_t at;
	double d;

	if (!read_double(v, text, single, &d))
		return CH_PUT_BAD;
	at = ch_string_begin(out);
	ch_format_double(d, single, out);
	return ch_string_end(out, at);
}

static enum ch_put
put_float4_string(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	return put_float_string(v, text, true, out);
}

static enum ch_put
put_float8_string(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	return put_float_string(v, text, false, out);
}

/* ---- numeric */

static enum ch_put
put_wide(struct slice v, bool text, const struct ch_wide *w, struct buf *out)
{
	uint8_t *to = buf_room(out, w->bytes);
	static const enum ch_put result[] = {
		[CH_NUMERIC_OK] = CH_PUT_OK,
		[CH_NUMERIC_TOO_LARGE] = CH_PUT_LOSSY,
		[CH_NUMERIC_MALFORMED] = CH_PUT_BAD,
	};
	enum ch_numeric got;

	if (to == NULL)
		return CH_PUT_OK;
	got = ch_numeric_scale(v, text, w, to);
	if (got == CH_NUMERIC_OK)
		out->n += w->bytes;
	return result[got];
}

enum ch_put
ch_put_decimal(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	struct ch_wide w = {
		.bytes = c->type.width,
		.scale = c->type.scale,
		.digits = c->type.precision,
	};

	return put_wide(v, text, &w, out);
}

enum ch_put
ch_put_numeric_int(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	struct ch_wide w = { .bytes = c->type.width, .is_unsigned = c->type.kind == CH_UINT };

	return put_wide(v, text, &w, out);
}

static enum ch_put
put_numeric_string(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	size_t at;

	if (text)
		return ch_put_bytes(out, v.p, v.n);
	at = ch_string_begin(out);
	if (!ch_numeric_format(v, out))
		return CH_PUT_BAD;
	return ch_string_end(out, at);
}

/* The nearest float: whoever asks for a float column asks for that. */
enum ch_put
ch_put_numeric_float(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	struct buf digits;
	bool ok;
	double d;

	buf_init(&digits, MIB);
	if (text)
		buf_add(&digits, v.p, v.n);
	ok = (text || ch_numeric_format(v, &digits)) && digits.n > 0;
	d = ok ? strtod(buf_str(&digits), NULL) : 0;
	buf_done(&digits);
	return ok ? put_double(d, c->type.width, out) : CH_PUT_BAD;
}

/* ---- */

const struct ch_family ch_family_bool = { read_bool, format_bool, { ch_put_formatted, false } };
const struct ch_family ch_family_int = { read_int, format_int, { ch_put_formatted, false } };
const struct ch_family ch_family_oid = { read_oid, format_int, { ch_put_formatted, false } };
const struct ch_family ch_family_float4 = { .string = { put_float4_string, false } };
const struct ch_family ch_family_float8 = { .string = { put_float8_string, false } };
const struct ch_family ch_family_numeric = { .string = { put_numeric_string, false } };
