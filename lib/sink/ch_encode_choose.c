/*
 * Which codec carries a family's values in a ClickHouse type, and within which
 * limits. What is not in the rules is a combination that does not work.
 */
#include "lib/conn/chcaps.h"
#include "lib/sink/ch_encode_int.h"

#define US_PER_SECOND 1000000ll
#define US_PER_DAY    (86400 * US_PER_SECOND)

/* days, counted from 2000-01-01 as Postgres does */
#define DAY_1900   (-36524)
#define DAY_1925   (-27393)
#define DAY_1970   (-10957)
#define DAY_2106   38716  /* 2106-01-01: where old servers' calendars end */
#define DAY_2149   54578  /* 2149-06-06, the last a u16 counts to */
#define DAY_2283   103678 /* 2283-11-11 */
#define DAY_2299   109572 /* 2299-12-31 */
#define SECOND_MAX 4294967295ll

struct rule {
	const struct ch_family *family;
	enum ch_kind kind;
	uint8_t least_width; /* of a float that holds every value */
	struct ch_codec codec;
};

// clang-format off
static const struct rule rules[] = {
	{ &ch_family_bool,        CH_BOOL,         0, { ch_put_int, false } },
	{ &ch_family_bool,        CH_INT,          0, { ch_put_int, false } },
	{ &ch_family_bool,        CH_UINT,         0, { ch_put_int, false } },
	{ &ch_family_int,         CH_INT,          0, { ch_put_int, false } },
	{ &ch_family_int,         CH_UINT,         0, { ch_put_int, false } },
	{ &ch_family_oid,         CH_INT,          0, { ch_put_int, false } },
	{ &ch_family_oid,         CH_UINT,         0, { ch_put_int, false } },
	{ &ch_family_float4,      CH_FLOAT,        4, { ch_put_float4, false } },
	{ &ch_family_float8,      CH_FLOAT,        8, { ch_put_float8, false } },
	{ &ch_family_numeric,     CH_DECIMAL,      0, { ch_put_decimal, false } },
	{ &ch_family_numeric,     CH_INT,          0, { ch_put_numeric_int, false } },
	{ &ch_family_numeric,     CH_UINT,         0, { ch_put_numeric_int, false } },
	{ &ch_family_numeric,     CH_FLOAT,        4, { ch_put_numeric_float, false } },
	{ &ch_family_text,        CH_FIXED_STRING, 0, { ch_put_fixed, false } },
	{ &ch_family_uuid,        CH_UUID,         0, { ch_put_uuid, false } },
	{ &ch_family_date,        CH_DATE,         0, { ch_put_int, false } },
	{ &ch_family_date,        CH_DATE32,       0, { ch_put_int, false } },
	{ &ch_family_time,        CH_DATETIME64,   0, { ch_put_int, false } },
	{ &ch_family_time,        CH_TIME64,       0, { ch_put_int, false } },
	{ &ch_family_timestamp,   CH_DATETIME,     0, { ch_put_int, false } },
	{ &ch_family_timestamp,   CH_DATETIME64,   0, { ch_put_int, false } },
	{ &ch_family_timestamptz, CH_DATETIME,     0, { ch_put_int, false } },
	{ &ch_family_timestamptz, CH_DATETIME64,   0, { ch_put_int, false } },
	{ &ch_family_json,        CH_JSON,         0, { ch_put_json, false } },
	{ &ch_family_jsonb,       CH_JSON,         0, { ch_put_json, false } },
};

/* of a value that is an array in ClickHouse and none in Postgres */
static const struct rule vector_rules[] = {
	{ &ch_family_vector,      CH_FLOAT,        4, { ch_put_vector, true } },
	{ &ch_family_halfvec,     CH_FLOAT,        4, { ch_put_halfvec, true } },
	{ &ch_family_sparsevec,   CH_FLOAT,        4, { ch_put_sparsevec, true } },
};
// clang-format on

static const struct ch_codec array_text = { ch_put_array_text, true };
static const struct ch_codec json_array = { ch_put_json_array, true };

/* ---- limits, in the units of the source */

static void
limit_int(struct ch_column *c)
{
	int bits = c->type.width < 8 ? c->type.width * 8 : 64;
	bool is_unsigned = c->type.kind != CH_INT;

	if (bits == 64) {
		c->min = is_unsigned ? 0 : INT64_MIN;
		c->max = INT64_MAX;
		return;
	}
	c->min = is_unsigned ? 0 : -(1ll << (bits - 1));
	c->max = is_unsigned ? (1ll << bits) - 1 : (1ll << (bits - 1)) - 1;
}

static void
limit_date(struct ch_column *c)
{
	bool wide = c->caps->wide_dates;

	c->offset = -DAY_1970;
	if (c->type.kind == CH_DATE) {
		c->min = c->caps->date32 ? DAY_1970 : DAY_1970 + 1; /* 0 was "0000-00-00" */
		c->max = c->caps->date32 ? DAY_2149 : DAY_2106 - 1;
	} else {
		c->min = wide ? DAY_1900 : DAY_1925;
		c->max = wide ? DAY_2299 : DAY_2283;
	}
}

static void
limit_ticks(struct ch_column *c)
{
	int p;

	for (p = c->type.precision; p < 6; p++)
		c->divide *= 10;
	for (; p > 6; p--)
		c->multiply *= 10;
}

static void
limit_time(struct ch_column *c)
{
	c->min = 0;
	c->max = US_PER_DAY; /* 24:00:00 is one */
	limit_ticks(c);
}

static void
limit_timestamp(struct ch_column *c)
{
	bool wide = c->caps->wide_dates;

	c->offset = -DAY_1970 * US_PER_DAY;
	if (c->type.kind == CH_DATETIME) {
		c->min = DAY_1970 * US_PER_DAY + (c->caps->date32 ? 0 : US_PER_SECOND);
		c->max = DAY_1970 * US_PER_DAY + SECOND_MAX * US_PER_SECOND;
		c->divide = US_PER_SECOND;
		return;
	}
	c->min = (wide ? DAY_1900 : DAY_1925) * US_PER_DAY;
	c->max = ((wide ? DAY_2299 : DAY_2283) + 1) * US_PER_DAY - 1;
	limit_ticks(c);
	if (c->max > INT64_MAX / c->multiply - c->offset)
		c->max = INT64_MAX / c->multiply - c->offset;
}

static const struct {
	const struct ch_family *family;
	void (*set)(struct ch_column *c);
} limits[] = {
	{ &ch_family_bool, limit_int },
	{ &ch_family_int, limit_int },
	{ &ch_family_oid, limit_int },
	{ &ch_family_date, limit_date },
	{ &ch_family_time, limit_time },
	{ &ch_family_timestamp, limit_timestamp },
	{ &ch_family_timestamptz, limit_timestamp },
};

static void
set_limits(struct ch_column *c)
{
	size_t i;

	c->offset = 0;
	c->multiply = c->divide = 1;
	c->min = INT64_MIN;
	c->max = INT64_MAX;
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i].family == c->source.type->family)
			limits[i].set(c);
}

/* ---- the choice */

static const struct ch_codec *
find_rule(const struct rule *r, size_t n, const struct ch_column *c)
{
	for (; n > 0; n--, r++)
		if (r->family == c->source.type->family && r->kind == c->type.kind &&
		    c->type.width >= r->least_width)
			return &r->codec;
	return NULL;
}

/* A value, or the elements of an array. */
static const struct ch_codec *
choose_scalar(const struct ch_column *c)
{
	const struct ch_family *f = c->source.type->family;

	if (c->type.kind == CH_STRING)
		return &f->string;
	if (f == &ch_family_char && c->type.kind == CH_FIXED_STRING && c->type.length == 1)
		return &f->string;
	return find_rule(rules, sizeof(rules) / sizeof(rules[0]), c);
}

static const struct ch_codec *
choose(const struct ch_column *c)
{
	const struct ch_family *f = c->source.type->family;
	bool string = c->type.kind == CH_STRING;

	if (c->source.dims > 0 && c->type.dims == 0)
		return !string					    ? NULL
		    : f == &ch_family_json || f == &ch_family_jsonb ? &json_array
								    : &array_text;
	if (c->source.dims == 0 && c->type.dims == 1 && !c->type.nullable)
		return find_rule(vector_rules, sizeof(vector_rules) / sizeof(vector_rules[0]), c);
	if (c->source.dims == 0 && c->type.dims > 0)
		return NULL;
	return choose_scalar(c);
}

bool
ch_codec_choose(struct ch_column *c)
{
	c->codec = choose(c);
	if (c->codec != NULL)
		set_limits(c);
	return c->codec != NULL;
}
