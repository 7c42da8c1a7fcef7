#include "lib/sink/ch_numeric.h"

#include <string.h>

#include "lib/sink/ch_encode_int.h"

#define GROUP	   10000 /* base of the binary form */
#define GROUP_LEN  4
#define LIMBS	   4
#define CHUNK_FULL 100000000000000ull /* 10^14: one more group still fits a limb */

#define DIGITS_MAX    78 /* 2^256 has so many */
#define NARROW_DIGITS 18 /* so many fit 8 bytes whatever they are */

#define SIGN_MINUS    0x4000
#define SIGN_SPECIAL  0xc000 /* these two bits: NaN or an infinity */
#define SIGN_NAN      0xc000
#define SIGN_PLUS_INF 0xd000

static const uint32_t powers[] = { 1, 10, 100, 1000, 10000 };

/* ---- an unsigned integer that grows digit by digit */

struct wide {
	uint64_t limb[LIMBS]; /* least significant first */
	int limbs;
	uint64_t chunk, factor; /* digits that are not in the limbs yet: limbs * factor + chunk */
	bool overflow;
};

static void
wide_flush(struct wide *w)
{
	unsigned __int128 carry = w->chunk;
	int i;

	for (i = 0; i < w->limbs; i++) {
		carry += (unsigned __int128)w->limb[i] * w->factor;
		w->limb[i] = (uint64_t)carry;
		carry >>= 64;
	}
	w->overflow |= carry != 0;
	w->chunk = 0;
	w->factor = 1;
}

static inline void
wide_push(struct wide *w, uint32_t base, uint32_t digit)
{
	w->chunk = w->chunk * base + digit;
	w->factor *= base;
	if (w->factor >= CHUNK_FULL)
		wide_flush(w);
}

/* Is anything set from this bit on? */
static bool
wide_reaches(const struct wide *w, int bit)
{
	int i = bit / 64;

	if (i < LIMBS && w->limb[i] >> bit % 64 != 0)
		return true;
	for (i++; i < LIMBS; i++)
		if (w->limb[i] != 0)
			return true;
	return false;
}

static bool
wide_is_zero(const struct wide *w)
{
	return !wide_reaches(w, 0);
}

static void
wide_negate(struct wide *w)
{
	unsigned __int128 sum = 1;
	int i;

	for (i = 0; i < LIMBS; i++) {
		sum += ~w->limb[i];
		w->limb[i] = (uint64_t)sum;
		sum >>= 64;
	}
}

static void
wide_decrement(struct wide *w)
{
	int i = 0;

	while (i < LIMBS && w->limb[i]-- == 0)
		i++;
}

/* Store with its sign if it is in range: of negative numbers there is one more. */
static enum ch_numeric
wide_store(struct wide *w, bool negative, const struct ch_wide *want, uint8_t *to)
{
	int bits = want->bytes * 8 - (want->is_unsigned ? 0 : 1);
	struct wide rest;

	wide_flush(w);
	if (w->overflow)
		return CH_NUMERIC_TOO_LARGE;
	if (negative && !wide_is_zero(w)) {
		rest = *w;
		wide_decrement(&rest);
		if (want->is_unsigned || wide_reaches(&rest, bits))
			return CH_NUMERIC_TOO_LARGE;
		wide_negate(w);
	} else if (wide_reaches(w, bits)) {
		return CH_NUMERIC_TOO_LARGE;
	}
	memcpy(to, w->limb, want->bytes); /* this machine is little-endian, like RowBinary */
	return CH_NUMERIC_OK;
}

static struct wide
wide_new(const struct ch_wide *want)
{
	return (struct wide){ .limbs = (want->bytes + 7) / 8, .factor = 1 };
}

/* ---- binary form */

struct binary {
	const uint8_t *digits;
	int ndigits, weight, dscale;
	unsigned sign;
};

static unsigned
get_u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool
binary_read(struct slice v, struct binary *b)
{
	if (v.n < 8)
		return false;
	b->ndigits = (int)get_u16(v.p);
	b->weight = (int16_t)get_u16(v.p + 2);
	b->sign = get_u16(v.p + 4);
	b->dscale = (int)get_u16(v.p + 6);
	b->digits = v.p + 8;
	return v.n == 8 + 2 * (size_t)b->ndigits;
}

static unsigned
binary_digit(const struct binary *b, int i)
{
	return i >= 0 && i < b->ndigits ? get_u16(b->digits + 2 * i) : 0;
}

static int
decimal_length(unsigned group)
{
	return group >= 1000 ? 4 : group >= 100 ? 3 : group >= 10 ? 2 : 1;
}

/* Digits of the scaled integer; 0 or less when all of them stand after the scale. */
static int
binary_length(const struct binary *b, int scale)
{
	return b->weight * GROUP_LEN + decimal_length(binary_digit(b, 0)) + scale;
}

static bool
binary_rest_is_zero(const struct binary *b, int from)
{
	for (int i = from < 0 ? 0 : from; i < b->ndigits; i++)
		if (binary_digit(b, i) != 0)
			return false;
	return true;
}

static bool
binary_is_valid(const struct binary *b)
{
	for (int i = 0; i < b->ndigits; i++)
		if (binary_digit(b, i) >= GROUP)
			return false;
	return true;
}

/* How many groups stand before the point, and whole ones behind it that are kept. */
static int
binary_groups(const struct binary *b, const struct ch_wide *want)
{
	return b->ndigits == 0 ? 0 : b->weight + 1 + want->scale / GROUP_LEN;
}

/* Up to 18 digits, as most numbers are: plain arithmetic. */
static enum ch_numeric
scale_narrow(const struct binary *b, const struct ch_wide *want, uint8_t *to)
{
	int groups = binary_groups(b, want), partial = want->scale % GROUP_LEN, i;
	unsigned last, cut = powers[GROUP_LEN - partial];
	int64_t v = 0;

	for (i = 0; i < groups; i++)
		v = v * GROUP + binary_digit(b, i);
	if (partial > 0) {
		last = binary_digit(b, groups++);
		if (last % cut != 0)
			return CH_NUMERIC_TOO_LARGE;
		v = v * powers[partial] + last / cut;
	}
	if (!binary_rest_is_zero(b, groups))
		return CH_NUMERIC_TOO_LARGE;
	if (b->sign == SIGN_MINUS)
		v = -v;
	memcpy(to, &v, want->bytes == 4 ? 4 : 8);
	return CH_NUMERIC_OK;
}

static enum ch_numeric
scale_wide(const struct binary *b, const struct ch_wide *want, uint8_t *to)
{
	int groups = binary_groups(b, want), partial = want->scale % GROUP_LEN, i;
	struct wide w = wide_new(want);
	unsigned last, cut = powers[GROUP_LEN - partial];

	for (i = 0; i < groups; i++)
		wide_push(&w, GROUP, binary_digit(b, i));
	if (partial > 0 && b->ndigits > 0) {
		last = binary_digit(b, groups++);
		if (last % cut != 0)
			return CH_NUMERIC_TOO_LARGE;
		wide_push(&w, powers[partial], last / cut);
	}
	if (!binary_rest_is_zero(b, groups))
		return CH_NUMERIC_TOO_LARGE;
	return wide_store(&w, b->sign == SIGN_MINUS, want, to);
}

static enum ch_numeric
scale_binary(struct slice v, const struct ch_wide *want, uint8_t *to)
{
	int most = want->digits > 0 ? want->digits : DIGITS_MAX;
	struct binary b;
	bool leading;

	if (!binary_read(v, &b) || !binary_is_valid(&b))
		return CH_NUMERIC_MALFORMED;
	if ((b.sign & SIGN_SPECIAL) == SIGN_SPECIAL)
		return CH_NUMERIC_TOO_LARGE;
	leading = binary_digit(&b, 0) != 0;
	if (leading && binary_length(&b, want->scale) > most)
		return CH_NUMERIC_TOO_LARGE;
	/* a zero in front, which Postgres does not send, says nothing of the length */
	return leading && most <= NARROW_DIGITS ? scale_narrow(&b, want, to)
						: scale_wide(&b, want, to);
}

/* ---- text form */

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool
text_is_special(struct slice v)
{
	if (v.n > 0 && v.p[0] == '-')
		v = slice_of(v.p + 1, v.n - 1);
	return slice_eq(v, slice_str("NaN")) || slice_eq(v, slice_str("Infinity"));
}

/* Digits from p on; returns where they end. Zeros before the first digit are not counted. */
static const uint8_t *
text_push(struct wide *w, const uint8_t *p, const uint8_t *end, int *digits)
{
	for (; p < end && is_digit(*p); p++) {
		if (*digits > 0 || *p != '0')
			++*digits;
		if (*digits > DIGITS_MAX)
			w->overflow = true; /* and no need to go on multiplying */
		if (!w->overflow)
			wide_push(w, 10, *p - '0');
	}
	return p;
}

static const uint8_t *
skip_zeros(const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p == '0')
		p++;
	return p;
}

static enum ch_numeric
scale_text(struct slice v, const struct ch_wide *want, uint8_t *to)
{
	const uint8_t *p = v.p, *end = v.p + v.n, *fraction, *kept;
	bool negative = v.n > 0 && v.p[0] == '-', exact = true;
	struct wide w = wide_new(want);
	int digits = 0, i;

	if (text_is_special(v))
		return CH_NUMERIC_TOO_LARGE;
	p += negative;
	fraction = text_push(&w, p, end, &digits);
	if (fraction == p)
		return CH_NUMERIC_MALFORMED;
	p = fraction;
	if (p < end && *p == '.') {
		fraction = ++p;
		kept = end - p > want->scale ? p + want->scale : end;
		p = text_push(&w, p, kept, &digits);
		exact = skip_zeros(p, end) == end;
	}
	while (p < end && is_digit(*p))
		p++;
	if (p != end)
		return CH_NUMERIC_MALFORMED;
	for (i = (int)(p - fraction); i < want->scale; i++)
		if (!w.overflow && digits > 0 && ++digits <= DIGITS_MAX)
			wide_push(&w, 10, 0);
	if (!exact || digits > (want->digits > 0 ? want->digits : DIGITS_MAX))
		return CH_NUMERIC_TOO_LARGE;
	return wide_store(&w, negative, want, to);
}

enum ch_numeric
ch_numeric_scale(struct slice v, bool text, const struct ch_wide *want, uint8_t *to)
{
	return text ? scale_text(v, want, to) : scale_binary(v, want, to);
}

/* ---- back to text */

static void
format_group(unsigned group, int from, int to, struct buf *out)
{
	for (int i = from; i < to; i++)
		buf_char(out, (char)('0' + group / powers[GROUP_LEN - 1 - i] % 10));
}

static void
format_special(unsigned sign, struct buf *out)
{
	buf_str_add(out,
	    sign == SIGN_NAN		? "NaN"
		: sign == SIGN_PLUS_INF ? "Infinity"
					: "-Infinity");
}

bool
ch_numeric_format(struct slice binary, struct buf *out)
{
	struct binary b;
	int i, left;

	if (!binary_read(binary, &b) || !binary_is_valid(&b))
		return false;
	if ((b.sign & SIGN_SPECIAL) == SIGN_SPECIAL) {
		format_special(b.sign, out);
		return true;
	}
	if (b.sign == SIGN_MINUS)
		buf_char(out, '-');
	if (b.weight < 0 || b.ndigits == 0)
		buf_char(out, '0');
	for (i = 0; b.ndigits > 0 && i <= b.weight; i++)
		format_group(binary_digit(&b, i),
		    i == 0 ? GROUP_LEN - decimal_length(binary_digit(&b, 0)) : 0, GROUP_LEN, out);
	if (b.dscale > 0)
		buf_char(out, '.');
	i = b.ndigits == 0 ? 0 : b.weight + 1;
	for (left = b.dscale; left > 0; left -= GROUP_LEN, i++)
		format_group(binary_digit(&b, i), 0, left < GROUP_LEN ? left : GROUP_LEN, out);
	return true;
}
