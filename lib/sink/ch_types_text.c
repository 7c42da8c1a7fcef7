/*
 * The text of ClickHouse types: Array(Nullable(Decimal(10, 2))).
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/sink/ch_types.h"

#define PRECISION_MAX 76
#define TICKS_MAX     9 /* digits of a second */

// clang-format off
static const struct {
	const char *name;
	enum ch_kind kind;
	uint8_t width;
} plain[] = {
	{ "Bool",   CH_BOOL,  1 },  { "Boolean", CH_BOOL,  1 },
	{ "Int8",   CH_INT,   1 },  { "Int16",   CH_INT,   2 },  { "Int32",  CH_INT,  4 },
	{ "Int64",  CH_INT,   8 },  { "Int128",  CH_INT,   16 }, { "Int256", CH_INT,  32 },
	{ "UInt8",  CH_UINT,  1 },  { "UInt16",  CH_UINT,  2 },  { "UInt32", CH_UINT, 4 },
	{ "UInt64", CH_UINT,  8 },  { "UInt128", CH_UINT,  16 }, { "UInt256", CH_UINT, 32 },
	{ "Float32", CH_FLOAT, 4 }, { "Float64", CH_FLOAT, 8 },
	{ "String", CH_STRING, 0 }, { "UUID",    CH_UUID,  16 },
	{ "Date",   CH_DATE,  2 },  { "Date32",  CH_DATE32, 4 }, { "DateTime", CH_DATETIME, 4 },
	{ "JSON",   CH_JSON,  0 },
};
// clang-format on

/* ---- parsing: a cursor over the text */

static void
skip_blanks(const char **p)
{
	while (isspace((unsigned char)**p))
		++*p;
}

static bool
take_char(const char **p, char c)
{
	skip_blanks(p);
	if (**p != c)
		return false;
	++*p;
	return true;
}

/* A name, and the opening brace behind it if there is one. */
static bool
take_word(const char **p, char *to, size_t size)
{
	size_t n = 0;

	skip_blanks(p);
	while (isalnum((unsigned char)**p) && n + 1 < size)
		to[n++] = *(*p)++;
	to[n] = '\0';
	return n > 0;
}

static bool
take_number(const char **p, unsigned max, unsigned *n_r)
{
	char *end;
	unsigned long n;

	skip_blanks(p);
	if (!isdigit((unsigned char)**p))
		return false;
	n = strtoul(*p, &end, 10);
	*p = end;
	*n_r = (unsigned)n;
	return n <= max;
}

static bool
take_zone(const char **p, char *to, size_t size)
{
	size_t n = 0;

	if (!take_char(p, '\''))
		return false;
	while (**p != '\0' && **p != '\'' && n + 1 < size)
		to[n++] = *(*p)++;
	to[n] = '\0';
	return take_char(p, '\'');
}

/* Decimal(p, s), and Decimal32(s) to Decimal256(s), whose width says p. */
static bool
parse_decimal(const char **p, const char *word, struct ch_type *t)
{
	static const struct {
		const char *name;
		unsigned precision;
	} widths[] = { { "Decimal32", 9 }, { "Decimal64", 18 }, { "Decimal128", 38 },
		{ "Decimal256", 76 } };
	unsigned precision = 0, scale = 0;
	size_t i;

	for (i = 0; i < 4; i++)
		if (strcmp(word, widths[i].name) == 0)
			precision = widths[i].precision;
	if (!take_char(p, '('))
		return false;
	if (precision == 0) {
		if (!take_number(p, PRECISION_MAX, &precision) || precision == 0)
			return false;
		if (take_char(p, ',') && !take_number(p, precision, &scale))
			return false;
	} else if (!take_number(p, precision, &scale)) {
		return false;
	}
	t->kind = CH_DECIMAL;
	t->precision = (uint8_t)precision;
	t->scale = (uint8_t)scale;
	t->width = precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32;
	return take_char(p, ')');
}

/* DateTime64(6, 'UTC'), Time64(6) */
static bool
parse_ticks(const char **p, enum ch_kind kind, struct ch_type *t)
{
	unsigned precision = 3;

	t->kind = kind;
	t->width = 8;
	if (take_char(p, '(')) {
		if (!take_number(p, TICKS_MAX, &precision))
			return false;
		if (take_char(p, ',') &&
		    (kind == CH_TIME64 || !take_zone(p, t->zone, sizeof(t->zone))))
			return false;
		if (!take_char(p, ')'))
			return false;
	}
	t->precision = (uint8_t)precision;
	return true;
}

static bool
parse_fixed_string(const char **p, struct ch_type *t)
{
	unsigned n;

	t->kind = CH_FIXED_STRING;
	if (!take_char(p, '(') || !take_number(p, 1u << 20, &n) || n == 0)
		return false;
	t->length = n;
	return take_char(p, ')');
}

static bool
parse_plain(const char **p, const char *word, struct ch_type *t)
{
	size_t i;

	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(plain[i].name, word) != 0)
			continue;
		t->kind = plain[i].kind;
		t->width = plain[i].width;
		if (t->kind == CH_DATETIME && take_char(p, '('))
			return take_zone(p, t->zone, sizeof(t->zone)) && take_char(p, ')');
		return true;
	}
	return false;
}

static bool
parse_scalar(const char **p, const char *word, struct ch_type *t)
{
	if (str_starts(word, "Decimal"))
		return parse_decimal(p, word, t);
	if (strcmp(word, "DateTime64") == 0)
		return parse_ticks(p, CH_DATETIME64, t);
	if (strcmp(word, "Time64") == 0)
		return parse_ticks(p, CH_TIME64, t);
	if (strcmp(word, "FixedString") == 0)
		return parse_fixed_string(p, t);
	return parse_plain(p, word, t);
}

/* Array( and Nullable( and LowCardinality( in the order ClickHouse allows, then a scalar. */
static bool
parse_type(const char **p, struct ch_type *t)
{
	unsigned open = 0, i;
	char word[24];

	for (;;) {
		if (!take_word(p, word, sizeof(word)))
			return false;
		if (strcmp(word, "Array") == 0 && !t->low_cardinality && !t->nullable &&
		    t->dims < 6)
			t->dims++;
		else if (strcmp(word, "LowCardinality") == 0 && !t->low_cardinality && !t->nullable)
			t->low_cardinality = true;
		else if (strcmp(word, "Nullable") == 0 && !t->nullable)
			t->nullable = true;
		else
			break;
		if (!take_char(p, '('))
			return false;
		open++;
	}
	if (!parse_scalar(p, word, t))
		return false;
	for (i = 0; i < open; i++)
		if (!take_char(p, ')'))
			return false;
	return true;
}

bool
ch_type_parse(const char *text, struct ch_type *t_r, struct err *err)
{
	struct ch_type t = { .width = 0 };
	const char *p = text;

	if (!parse_type(&p, &t) || (skip_blanks(&p), *p != '\0')) {
		if (err == NULL)
			return false;
		err_set(err, ERR_CONFIG, "\"%.100s\" is not a ClickHouse type that peerd writes",
		    text);
		return err_hint(err,
		    "docs/clickhouse.md lists the types, as in Decimal(10, 2) or "
		    "Nullable(String)");
	}
	*t_r = t;
	return true;
}

/* ---- printing */

static const char *
plain_name(const struct ch_type *t)
{
	size_t i;

	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (plain[i].kind == t->kind && plain[i].width == t->width)
			return plain[i].name;
	return "String";
}

static void
format_scalar(const struct ch_type *t, struct buf *out)
{
	switch (t->kind) {
	case CH_DECIMAL:
		buf_printf(out, "Decimal(%u, %u)", t->precision, t->scale);
		break;
	case CH_FIXED_STRING:
		buf_printf(out, "FixedString(%u)", t->length);
		break;
	case CH_DATETIME64:
		buf_printf(out, "DateTime64(%u", t->precision);
		if (t->zone[0] != '\0')
			buf_printf(out, ", '%s'", t->zone);
		buf_char(out, ')');
		break;
	case CH_TIME64:
		buf_printf(out, "Time64(%u)", t->precision);
		break;
	case CH_DATETIME:
		buf_str_add(out, "DateTime");
		if (t->zone[0] != '\0')
			buf_printf(out, "('%s')", t->zone);
		break;
	default:
		buf_str_add(out, plain_name(t));
	}
}

const char *
ch_type_format(const struct ch_type *t, char *to)
{
	struct buf out;
	unsigned i;

	buf_init(&out, CH_TYPE_TEXT_MAX);
	for (i = 0; i < t->dims; i++)
		buf_str_add(&out, "Array(");
	if (t->low_cardinality)
		buf_str_add(&out, "LowCardinality(");
	if (t->nullable)
		buf_str_add(&out, "Nullable(");
	format_scalar(t, &out);
	for (i = 0; i < t->dims + (unsigned)t->low_cardinality + t->nullable; i++)
		buf_char(&out, ')');
	str_copy(to, CH_TYPE_TEXT_MAX, buf_str(&out));
	buf_done(&out);
	return to;
}
