/*
 * ch_numeric - Postgres numeric values as wide integers
 *
 * A value is scaled to an integer, exactly or not at all: value * 10^scale in
 * two's complement, little-endian, in 4, 8, 16 or 32 bytes. Pure.
 *
 * Binary form of Postgres (all big-endian):
 *
 *	u16 ndigits, i16 weight, u16 sign, u16 dscale, then ndigits u16 of 0..9999:
 *	value = sum of digit[i] * 10000^(weight - i)
 *	sign 0x0000 plus, 0x4000 minus, 0xc000 NaN, 0xd000 +Infinity, 0xf000 -Infinity
 */
#ifndef PEERD_SINK_CH_NUMERIC_H
#define PEERD_SINK_CH_NUMERIC_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/slice.h"

enum ch_numeric {
	CH_NUMERIC_OK,
	CH_NUMERIC_TOO_LARGE, /* or NaN, an infinity, or with more digits after the point */
	CH_NUMERIC_MALFORMED
};

/* What the integer may be. */
struct ch_wide {
	uint8_t bytes;	/* 1, 2, 4, 8, 16, 32 */
	uint8_t scale;	/* digits after the point that are kept */
	uint8_t digits; /* most digits in all; 0: as many as fit the bytes */
	bool is_unsigned;
};

enum ch_numeric ch_numeric_scale(struct slice v, bool text, const struct ch_wide *w, uint8_t *to);

/* The text that Postgres prints, from the binary form; false: malformed. */
bool ch_numeric_format(struct slice binary, struct buf *out);

#endif
