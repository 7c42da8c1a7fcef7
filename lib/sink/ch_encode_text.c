/*
 * Texts, bytes, JSON, and types that ClickHouse takes as text.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "lib/sink/ch_encode_int.h"

/* ---- strings whose length comes last: one byte is kept free for it */

void
ch_put_count(struct buf *out, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		buf_char(out, (char)(n | 0x80));
	buf_char(out, (char)n);
}

size_t
ch_string_begin(struct buf *out)
{
	buf_char(out, 0);
	return out->n;
}

enum ch_put
ch_string_end(struct buf *out, size_t begun)
{
	size_t n, more = 0, left;
	uint8_t *p;

	if (buf_overflowed(out))
		return CH_PUT_OK;
	n = out->n - begun;
	for (left = n >> 7; left > 0; left >>= 7)
		more++;
	if (more > 0 && buf_room(out, more) == NULL)
		return CH_PUT_OK;
	p = out->p + begun - 1;
	memmove(p + 1 + more, p + 1, n);
	for (left = n; left >= 0x80; left >>= 7)
		*p++ = (uint8_t)(left | 0x80);
	*p = (uint8_t)left;
	out->n += more;
	return CH_PUT_OK;
}

/* ---- as it is */

static enum ch_put
put_text(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	return ch_put_bytes(out, v.p, v.n);
}

enum ch_put
ch_put_fixed(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	uint8_t *to;

	if (v.n > c->type.length)
		return CH_PUT_LOSSY;
	to = buf_room(out, c->type.length);
	if (to == NULL)
		return CH_PUT_OK;
	memset(to, 0, c->type.length);
	memcpy(to, v.p, v.n);
	out->n += c->type.length;
	return CH_PUT_OK;
}

/* Types that are read as text only: their binary form never comes. */
static enum ch_put
put_other(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	return text ? ch_put_bytes(out, v.p, v.n) : CH_PUT_BAD;
}

/* ---- "char": one byte; in text nothing stands for 0 and \ooo for one over 127 */

static bool
octal_digit(uint8_t c)
{
	return c >= '0' && c <= '7';
}

static bool
read_char(struct slice v, bool text, uint8_t *byte_r)
{
	const uint8_t *p = v.p;

	if (text && v.n == 4 && p[0] == '\\' && octal_digit(p[1]) && octal_digit(p[2]) &&
	    octal_digit(p[3])) {
		*byte_r = (uint8_t)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
		return true;
	}
	*byte_r = v.n > 0 ? p[0] : 0;
	return v.n <= 1;
}

static enum ch_put
put_char(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	uint8_t byte;

	if (!read_char(v, text, &byte))
		return CH_PUT_BAD;
	if (c->type.kind == CH_STRING)
		return ch_put_bytes(out, &byte, byte != 0);
	buf_add(out, &byte, 1);
	return CH_PUT_OK;
}

/* ---- bytea */

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
hex_decode(struct slice hex, uint8_t *to)
{
	int high, low;
	size_t i;

	for (i = 0; i + 1 < hex.n; i += 2) {
		high = hex_digit(hex.p[i]);
		low = hex_digit(hex.p[i + 1]);
		if (high < 0 || low < 0)
			return false;
		*to++ = (uint8_t)(high << 4 | low);
	}
	return i == hex.n;
}

bool
ch_hex_decode(struct slice hex, struct buf *bytes)
{
	uint8_t *to = buf_room(bytes, hex.n / 2);

	if (to == NULL || !hex_decode(hex, to))
		return false;
	bytes->n += hex.n / 2;
	return true;
}

static void
hex_encode(struct slice v, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to = buf_room(out, 2 * v.n);
	size_t i;

	if (to == NULL)
		return;
	for (i = 0; i < v.n; i++) {
		*to++ = (uint8_t)digits[v.p[i] >> 4];
		*to++ = (uint8_t)digits[v.p[i] & 15];
	}
	out->n += 2 * v.n;
}

static void
base64_encode(struct slice v, struct buf *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = (v.n + 2) / 3 * 4, i;
	uint8_t *to = buf_room(out, n);
	uint32_t three;

	if (to == NULL)
		return;
	for (i = 0; i < v.n; i += 3) {
		three = (uint32_t)v.p[i] << 16;
		three |= i + 1 < v.n ? (uint32_t)v.p[i + 1] << 8 : 0;
		three |= i + 2 < v.n ? v.p[i + 2] : 0;
		*to++ = (uint8_t)digits[three >> 18];
		*to++ = (uint8_t)digits[three >> 12 & 63];
		*to++ = (uint8_t)(i + 1 < v.n ? digits[three >> 6 & 63] : '=');
		*to++ = (uint8_t)(i + 2 < v.n ? digits[three & 63] : '=');
	}
	out->n += n;
}

static void
put_bytea_format(enum ch_binary_format format, struct slice v, struct buf *out)
{
	size_t at;

	if (format == CH_BINARY_RAW) {
		ch_put_bytes(out, v.p, v.n);
		return;
	}
	at = ch_string_begin(out);
	if (format == CH_BINARY_HEX)
		hex_encode(v, out);
	else
		base64_encode(v, out);
	ch_string_end(out, at);
}

static enum ch_put
put_bytea(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	struct buf bytes;
	bool ok;

	if (!text) {
		put_bytea_format(c->opt->binary, v, out);
		return CH_PUT_OK;
	}
	buf_init(&bytes, v.n);
	ok = v.n >= 2 && v.p[0] == '\\' && v.p[1] == 'x' &&
	    ch_hex_decode(slice_of(v.p + 2, v.n - 2), &bytes);
	if (ok)
		put_bytea_format(c->opt->binary, buf_slice(&bytes), out);
	buf_done(&bytes);
	return ok ? CH_PUT_OK : CH_PUT_BAD;
}

/* ---- JSON: the very text; jsonb's binary form has a version before it */

static bool
json_text(const struct ch_column *c, struct slice *v, bool text)
{
	if (text || c->source.type->family != &ch_family_jsonb)
		return true;
	if (v->n < 1 || v->p[0] != 1)
		return false;
	*v = slice_of(v->p + 1, v->n - 1);
	return true;
}

static enum ch_put
put_json_string(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	return json_text(c, &v, text) ? ch_put_bytes(out, v.p, v.n) : CH_PUT_BAD;
}

/* The type JSON holds objects only. */
enum ch_put
ch_put_json(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	size_t i = 0;

	if (!json_text(c, &v, text))
		return CH_PUT_BAD;
	while (i < v.n && isspace(v.p[i]))
		i++;
	if (i == v.n || v.p[i] != '{')
		return CH_PUT_LOSSY;
	return ch_put_bytes(out, v.p, v.n);
}

/* ---- uuid */

static bool
read_uuid(struct slice v, bool text, uint8_t *bytes)
{
	static const uint8_t starts[] = { 0, 9, 14, 19, 24 }, lengths[] = { 8, 4, 4, 4, 12 };
	int i;

	if (!text) {
		memcpy(bytes, v.p, v.n == 16 ? 16 : 0);
		return v.n == 16;
	}
	if (v.n != 36)
		return false;
	for (i = 0; i < 5; i++) {
		if (i > 0 && v.p[starts[i] - 1] != '-')
			return false;
		if (!hex_decode(slice_of(v.p + starts[i], lengths[i]), bytes))
			return false;
		bytes += lengths[i] / 2;
	}
	return true;
}

enum ch_put
ch_put_uuid(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	uint8_t bytes[16];
	uint64_t half[2];

	if (!read_uuid(v, text, bytes))
		return CH_PUT_BAD;
	half[0] = ch_get_u64(bytes);
	half[1] = ch_get_u64(bytes + 8);
	buf_add(out, half, 16);
	return CH_PUT_OK;
}

static enum ch_put
put_uuid_string(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	static const uint8_t groups[] = { 4, 2, 2, 2, 6 };
	uint8_t bytes[16], *at = bytes;
	size_t begun;
	int i;

	if (!read_uuid(v, text, bytes))
		return CH_PUT_BAD;
	begun = ch_string_begin(out);
	for (i = 0; i < 5; at += groups[i++]) {
		if (i > 0)
			buf_char(out, '-');
		hex_encode(slice_of(at, groups[i]), out);
	}
	return ch_string_end(out, begun);
}

/*
 * ---- inet and cidr
 *
 * u8 family (2: IPv4, 3: IPv6), u8 bits of the mask, u8 cidr?, u8 length, address
 */

static enum ch_put
put_inet(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	char address[INET6_ADDRSTRLEN];
	unsigned bits, whole;
	size_t at;

	if (text)
		return ch_put_bytes(out, v.p, v.n);
	if (v.n < 4 || (v.p[0] != 2 && v.p[0] != 3) || v.p[3] != (v.p[0] == 2 ? 4 : 16) ||
	    v.n != 4u + v.p[3])
		return CH_PUT_BAD;
	inet_ntop(v.p[0] == 2 ? AF_INET : AF_INET6, v.p + 4, address, sizeof(address));
	bits = v.p[1];
	whole = v.p[3] * 8u;
	at = ch_string_begin(out);
	buf_str_add(out, address);
	if (bits != whole || v.p[2] != 0)
		buf_printf(out, "/%u", bits);
	return ch_string_end(out, at);
}

static enum ch_put
put_macaddr(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	size_t at, i;

	if (text)
		return ch_put_bytes(out, v.p, v.n);
	if (v.n != 6 && v.n != 8)
		return CH_PUT_BAD;
	at = ch_string_begin(out);
	for (i = 0; i < v.n; i++)
		buf_printf(out, i > 0 ? ":%02x" : "%02x", v.p[i]);
	return ch_string_end(out, at);
}

/* ---- bit strings: u32 bits, then bytes with the first bit on top */

static enum ch_put
put_bit(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	uint32_t bits, i;
	size_t at;

	if (text)
		return ch_put_bytes(out, v.p, v.n);
	if (v.n < 4)
		return CH_PUT_BAD;
	bits = ch_get_u32(v.p);
	if ((uint64_t)bits + 7 < (v.n - 4) * 8 || (v.n - 4) * 8 < bits)
		return CH_PUT_BAD;
	at = ch_string_begin(out);
	for (i = 0; i < bits; i++)
		buf_char(out, v.p[4 + i / 8] >> (7 - i % 8) & 1 ? '1' : '0');
	return ch_string_end(out, at);
}

/* ---- */

const struct ch_family ch_family_text = { .string = { put_text, false } };
const struct ch_family ch_family_char = { .string = { put_char, false } };
const struct ch_family ch_family_bytea = { .string = { put_bytea, false } };
const struct ch_family ch_family_json = { .string = { put_json_string, false } };
const struct ch_family ch_family_jsonb = { .string = { put_json_string, false } };
const struct ch_family ch_family_uuid = { .string = { put_uuid_string, false } };
const struct ch_family ch_family_inet = { .string = { put_inet, false } };
const struct ch_family ch_family_macaddr = { .string = { put_macaddr, false } };
const struct ch_family ch_family_bit = { .string = { put_bit, false } };
const struct ch_family ch_family_other = { .string = { put_other, false } };
