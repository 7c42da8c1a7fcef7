#include "lib/sink/pg_dest_type.h"

#include <string.h>

#define FIRST_LOCAL_OID 10000 /* from here on servers number types by themselves */
#define VARHDRSZ	4     /* added to most modifiers */

enum {
	INT8 = 20,
	INT2 = 21,
	INT4 = 23,
	TEXT = 25,
	BPCHAR = 1042,
	VARCHAR = 1043,
	BPCHAR_ARRAY = 1014,
	VARCHAR_ARRAY = 1015,
	TIME = 1083,
	TIMETZ = 1266,
	TIMESTAMP = 1114,
	TIMESTAMPTZ = 1184,
	TIME_ARRAY = 1183,
	TIMETZ_ARRAY = 1270,
	TIMESTAMP_ARRAY = 1115,
	TIMESTAMPTZ_ARRAY = 1185,
	VARBIT = 1562,
	VARBIT_ARRAY = 1563,
	NUMERIC = 1700,
	NUMERIC_ARRAY = 1231,
};

/* ---- modifiers of the same type; from and to differ and to is not -1 */

static bool
length_fits(int32_t from, int32_t to)
{
	return from == -1 || to >= from;
}

static bool
precision_fits(int32_t from, int32_t to)
{
	return from != -1 && to >= from; /* none means all six digits */
}

/* precision in the high half, scale in the low 11 bits, signed */
static bool
numeric_fits(int32_t from, int32_t to)
{
	int32_t from_precision, from_scale, to_precision, to_scale;

	if (from == -1)
		return true;
	from_precision = (from - VARHDRSZ) >> 16 & 0xffff;
	to_precision = (to - VARHDRSZ) >> 16 & 0xffff;
	from_scale = (((from - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	to_scale = (((to - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	return to_scale >= from_scale && to_precision - to_scale >= from_precision - from_scale;
}

static const struct {
	uint32_t oid;
	bool (*fits)(int32_t from, int32_t to);
} modifiers[] = {
	{ VARCHAR, length_fits },
	{ VARCHAR_ARRAY, length_fits },
	{ BPCHAR, length_fits },
	{ BPCHAR_ARRAY, length_fits },
	{ VARBIT, length_fits },
	{ VARBIT_ARRAY, length_fits },
	{ NUMERIC, numeric_fits },
	{ NUMERIC_ARRAY, numeric_fits },
	{ TIME, precision_fits },
	{ TIME_ARRAY, precision_fits },
	{ TIMETZ, precision_fits },
	{ TIMETZ_ARRAY, precision_fits },
	{ TIMESTAMP, precision_fits },
	{ TIMESTAMP_ARRAY, precision_fits },
	{ TIMESTAMPTZ, precision_fits },
	{ TIMESTAMPTZ_ARRAY, precision_fits },
};

static bool
modifier_fits(uint32_t oid, int32_t from, int32_t to)
{
	size_t i;

	if (to == -1 || from == to)
		return true;
	for (i = 0; i < sizeof(modifiers) / sizeof(modifiers[0]); i++)
		if (modifiers[i].oid == oid)
			return modifiers[i].fits(from, to);
	return false;
}

/* ---- types */

static const struct {
	uint32_t from, to;
} widenings[] = {
	{ INT2, INT4 },
	{ INT2, INT8 },
	{ INT4, INT8 },
	{ VARCHAR, TEXT },
	{ BPCHAR, TEXT },
};

static bool
is_widening(uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < sizeof(widenings) / sizeof(widenings[0]); i++)
		if (widenings[i].from == from && widenings[i].to == to)
			return true;
	return false;
}

bool
pg_type_fits(const struct pg_type *from, const struct pg_type *to)
{
	size_t n;

	if (from->oid < FIRST_LOCAL_OID || to->oid < FIRST_LOCAL_OID)
		return from->oid == to->oid ? modifier_fits(from->oid, from->modifier, to->modifier)
					    : is_widening(from->oid, to->oid);
	/* a user's type: the same name, and the same modifier or none */
	n = strlen(to->name);
	return strncmp(from->name, to->name, n) == 0 &&
	    (from->name[n] == '\0' || from->name[n] == '(');
}
