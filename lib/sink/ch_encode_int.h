/*
 * ch_encode_int - between the type table and the files of encoders
 *
 * Every Postgres type belongs to a family. A family is how its values are read
 * and what they may be written as: ch_codec_of() finds the codec for a family
 * and a ClickHouse type. Families whose values are one integer (numbers,
 * dates, times) share codecs: read() makes the integer, the column's limits
 * and factors the ClickHouse value.
 */
#ifndef PEERD_SINK_CH_ENCODE_INT_H
#define PEERD_SINK_CH_ENCODE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/slice.h"
#include "lib/sink/ch_types.h"
#include "lib/types/row.h"

enum ch_put {
	CH_PUT_OK,
	CH_PUT_LOSSY, /* the type cannot hold it */
	CH_PUT_BAD    /* no value of the source's type */
};

/* Append the value to out. What was appended before a failure is the caller's to take back. */
typedef enum ch_put ch_put_fn(const struct ch_column *c, struct slice v, bool text,
    struct buf *out);

struct ch_codec {
	ch_put_fn *put;
	bool whole; /* writes what Array() needs too: the value is the whole column's */
};

struct ch_family {
	/* of families whose values are one integer, else NULL */
	bool (*read)(struct slice v, bool text, int64_t *v_r);
	void (*format)(int64_t v, struct buf *out); /* as Postgres prints it */
	/* as String, in the form docs/clickhouse.md gives */
	struct ch_codec string;
};

struct ch_pg_type {
	const char *postgres; /* as docs and people write it */
	const char *typname;
	uint32_t oid; /* 0: an extension's, known by its name */
	const struct ch_family *family;
	const char *clickhouse; /* on a current server */
	bool binary;		/* its binary form can be read */
};

/* ---- families */

extern const struct ch_family ch_family_bool, ch_family_int, ch_family_oid, ch_family_date,
    ch_family_time, ch_family_timestamp, ch_family_timestamptz, ch_family_float4, ch_family_float8,
    ch_family_numeric, ch_family_text, ch_family_char, ch_family_bytea, ch_family_json,
    ch_family_jsonb, ch_family_uuid, ch_family_timetz, ch_family_interval, ch_family_inet,
    ch_family_macaddr, ch_family_point, ch_family_bit, ch_family_hstore, ch_family_vector,
    ch_family_halfvec, ch_family_sparsevec, ch_family_geometry, ch_family_other;

/* The codec for the column's source and type, and its limits; false: there is none. */
bool ch_codec_choose(struct ch_column *c);

/* ---- codecs that ch_codec_choose() picks from */

ch_put_fn ch_put_int, ch_put_formatted, ch_put_float4, ch_put_float8, ch_put_decimal,
    ch_put_numeric_int, ch_put_numeric_float, ch_put_uuid, ch_put_fixed, ch_put_json, ch_put_vector,
    ch_put_halfvec, ch_put_sparsevec, ch_put_array, ch_put_array_text, ch_put_json_array;

/* ---- for the files of encoders */

static inline enum ch_put
ch_put_bytes(struct buf *out, const void *p, size_t n)
{
	uint8_t *to = buf_room(out, n + 5);
	size_t left = n;

	if (to == NULL)
		return CH_PUT_OK; /* overflowed: found out once a chunk */
	for (; left >= 0x80; left >>= 7, out->n++)
		*to++ = (uint8_t)(left | 0x80);
	*to++ = (uint8_t)left;
	if (n > 0)
		memcpy(to, p, n);
	out->n += n + 1;
	return CH_PUT_OK;
}

void ch_put_count(struct buf *out, uint64_t n);

/* A String whose length is known only once it is written. */
size_t ch_string_begin(struct buf *out);
enum ch_put ch_string_end(struct buf *out, size_t begun);

/* The shortest digits that read back the same. */
void ch_format_double(double d, bool single, struct buf *out);

/* A number at the start of s, no blanks; s moves past it. False: none there. */
bool ch_scan_double(struct slice *s, bool single, double *d_r);

/* One element: NULL, flag and value, or what stands for a value that does not fit. */
enum ch_put ch_put_element(const struct ch_column *c, struct row_value v, bool text,
    struct buf *out);

/* The default of the scalar (or of an array's elements). */
void ch_put_default(const struct ch_type *t, struct buf *out);

/* Append the bytes that hexadecimal digits stand for; false: it is something else. */
bool ch_hex_decode(struct slice hex, struct buf *bytes);

/* "2024-02-29", "13:01:02.5" */
void ch_format_date(int64_t days, struct buf *out);
void ch_format_time(int64_t us, struct buf *out);
bool ch_scan_time(struct slice *s, int64_t *us_r);

/* Big-endian, as Postgres sends. */
static inline uint32_t
ch_get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline uint64_t
ch_get_u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}

static inline double
ch_get_double(const uint8_t *p)
{
	uint64_t bits = ch_get_u64(p);
	double d;

	memcpy(&d, &bits, 8);
	return d;
}

static inline float
ch_get_float(const uint8_t *p)
{
	uint32_t bits = ch_get_u32(p);
	float f;

	memcpy(&f, &bits, 4);
	return f;
}

#endif
