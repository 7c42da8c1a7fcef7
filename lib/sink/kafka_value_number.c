/*
 * numeric. As a string or a number the digits are Postgres' own. "precise" is
 * Kafka Connect's Decimal: the digits without point as a big-endian two's
 * complement integer in base64, the scale being in the schema; and for numeric
 * without precision Debezium's VariableScaleDecimal, {"scale":2,"value":...}.
 */
#include <ctype.h>
#include <string.h>

#include "lib/sink/kafka_value_int.h"

#define VARHDRSZ    4 /* what a numeric's modifier is shifted by */
#define LIMB_BITS   32
#define LIMB_DIGITS 9 /* decimal digits that are taken at once */

/* ---- modifier: precision in the upper half, scale in 11 bits */

static int
precision_of(const struct kafka_column *c)
{
	return (c->modifier - VARHDRSZ) >> 16 & 0xffff;
}

static int
scale_of(const struct kafka_column *c)
{
	return (((c->modifier - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
}

/* ---- digits to an integer: little-endian limbs in w->words */

static uint32_t *
limbs(struct buf *b)
{
	return (uint32_t *)(void *)b->p;
}

static void
multiply_add(struct buf *b, uint32_t by, uint32_t add)
{
	size_t n = b->n / sizeof(uint32_t), i;
	uint64_t carry = add;

	for (i = 0; i < n; i++) {
		carry += (uint64_t)limbs(b)[i] * by;
		limbs(b)[i] = (uint32_t)carry;
		carry >>= LIMB_BITS;
	}
	if (carry > 0) {
		add = (uint32_t)carry;
		buf_add(b, &add, sizeof(add));
	}
}

/* The digits of v, a point among them left out. */
static void
read_digits(struct slice v, struct buf *b)
{
	uint32_t chunk = 0, power = 1;
	size_t i;

	buf_reset(b);
	for (i = 0; i < v.n; i++) {
		if (!isdigit(v.p[i]))
			continue;
		chunk = chunk * 10 + (v.p[i] - '0');
		power *= 10;
		if (power == 1000000000) {
			multiply_add(b, power, chunk);
			chunk = 0;
			power = 1;
		}
	}
	multiply_add(b, power, chunk);
}

static void
negate(struct buf *b)
{
	size_t n = b->n / sizeof(uint32_t), i;
	uint64_t carry = 1;

	for (i = 0; i < n; i++) {
		carry += (uint32_t)~limbs(b)[i];
		limbs(b)[i] = (uint32_t)carry;
		carry >>= LIMB_BITS;
	}
}

/* Turn the limbs into the fewest bytes that keep the sign, highest first. */
static struct slice
big_endian(struct buf *b, bool minus)
{
	uint32_t sign = 0, limb;
	uint8_t extend = 0;
	size_t n, i;

	buf_add(b, &sign, sizeof(sign));
	if (minus)
		negate(b);
	n = b->n / sizeof(uint32_t);
	for (i = 0; i < n / 2; i++) {
		limb = limbs(b)[i];
		limbs(b)[i] = limbs(b)[n - 1 - i];
		limbs(b)[n - 1 - i] = limb;
	}
	for (i = 0; i < n; i++)
		limbs(b)[i] = __builtin_bswap32(limbs(b)[i]);
	if (b->p[0] & 0x80)
		extend = 0xff;
	for (i = 0; i + 1 < b->n && b->p[i] == extend && ((b->p[i + 1] ^ extend) & 0x80) == 0; i++)
		;
	return slice_of(b->p + i, b->n - i);
}

/* ---- precise */

static bool
is_number(struct slice v)
{
	return kafka_scan_number(&v) && v.n == 0;
}

static bool
is_special(struct slice v)
{
	return kafka_is(v, "NaN") || kafka_is(v, "Infinity") || kafka_is(v, "-Infinity");
}

static enum kafka_put
put_unscaled(struct kafka_writer *w, struct slice v)
{
	bool minus = v.p[0] == '-';

	read_digits(v, &w->words);
	if (buf_overflowed(&w->words))
		return KAFKA_PUT_LOSSY;
	buf_char(w->out, '"');
	kafka_put_base64(w->out, big_endian(&w->words, minus));
	buf_char(w->out, '"');
	return KAFKA_PUT_OK;
}

/* Postgres writes all digits after the point that the scale says, and zeros for a negative one. */
static enum kafka_put
put_decimal(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	int scale = scale_of(c);

	if (!is_number(v))
		return is_special(v) ? KAFKA_PUT_LOSSY : KAFKA_PUT_BAD;
	for (; scale < 0 && v.n > 1 && v.p[v.n - 1] == '0'; scale++)
		v.n--;
	return put_unscaled(w, v);
}

static enum kafka_put
put_variable(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	const uint8_t *point;
	enum kafka_put put;

	if (!is_number(v))
		return is_special(v) ? KAFKA_PUT_LOSSY : KAFKA_PUT_BAD;
	point = memchr(v.p, '.', v.n);
	buf_str_add(w->out, "{\"scale\":");
	kafka_put_u64(w->out, point != NULL ? (uint64_t)(v.p + v.n - point - 1) : 0);
	buf_str_add(w->out, ",\"value\":");
	put = put_unscaled(w, v);
	buf_char(w->out, '}');
	return put;
}

static void
choose_precise(struct kafka_column *c, struct arena *a)
{
	if (c->modifier < VARHDRSZ) {
		c->put = put_variable;
		c->schema = "\"type\":\"struct\",\"fields\":["
			    "{\"type\":\"int32\",\"optional\":false,\"field\":\"scale\"},"
			    "{\"type\":\"bytes\",\"optional\":false,\"field\":\"value\"}],"
			    "\"name\":\"io.debezium.data.VariableScaleDecimal\",\"version\":1";
		return;
	}
	c->put = put_decimal;
	c->schema = arena_printf(a,
	    KAFKA_NAMED("bytes",
		"org.apache.kafka.connect.data.Decimal") ",\"parameters\":"
							 "{\"scale\":\"%d\",\"connect.decimal."
							 "precision\":\"%d\"}",
	    scale_of(c), precision_of(c));
}

static void
choose_numeric(struct kafka_column *c, struct arena *a, enum kafka_style style)
{
	enum kafka_decimals how = (enum kafka_decimals)c->opt->decimals;

	if (how == KAFKA_DECIMALS_AUTO)
		how = style == KAFKA_STYLE_DEBEZIUM ? KAFKA_DECIMALS_PRECISE
						    : KAFKA_DECIMALS_STRING;
	if (how == KAFKA_DECIMALS_STRING)
		return;
	c->put = kafka_put_number;
	c->schema = "\"type\":\"double\"";
	if (how == KAFKA_DECIMALS_PRECISE && style == KAFKA_STYLE_DEBEZIUM)
		choose_precise(c, a);
}

const struct kafka_family kafka_family_numeric = { KAFKA_ALL_STYLES(kafka_put_text), KAFKA_STRING,
	choose_numeric };
