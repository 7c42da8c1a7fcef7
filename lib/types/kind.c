#include "lib/types/kind.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *typname, *kind, *array; /* array NULL: array_string */
} kinds[] = {
	{ "bool", "bool", "array_bool" },
	{ "int2", "int16", "array_int16" },
	{ "int4", "int32", "array_int32" },
	{ "int8", "int64", "array_int64" },
	{ "float4", "float32", "array_float32" },
	{ "float8", "float64", "array_float64" },
	{ "char", "qchar", NULL },
	{ "bytea", "bytes", NULL },
	{ "json", "json", "array_json" },
	{ "jsonb", "jsonb", "array_jsonb" },
	{ "uuid", "uuid", "array_uuid" },
	{ "date", "date", "array_date" },
	{ "time", "time", NULL },
	{ "timetz", "timetz", NULL },
	{ "timestamp", "timestamp", "array_timestamp" },
	{ "timestamptz", "timestamptz", "array_timestamptz" },
	{ "interval", "interval", "array_interval" },
	{ "numeric", "numeric", "array_numeric" },
	{ "cidr", "cidr", NULL },
	{ "inet", "inet", NULL },
	{ "macaddr", "macaddr", NULL },
	{ "point", "point", NULL },
	{ "geometry", "geometry", NULL },
	{ "geography", "geography", NULL },
	{ "hstore", "hstore", NULL },
	{ "vector", "array_float32", NULL },
	{ "halfvec", "array_float32", NULL },
	{ "sparsevec", "array_float32", NULL },
};

const char *
kind_of_postgres(const char *typname, char typtype, bool array)
{
	size_t i;

	if (typtype == 'e')
		return array ? "array_enum" : "enum";
	for (i = 0; typtype == 'b' && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].typname, typname) == 0)
			return !array		     ? kinds[i].kind
			    : kinds[i].array != NULL ? kinds[i].array
						     : "array_string";
	return array ? "array_string" : "string";
}
