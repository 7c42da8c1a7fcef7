#include "lib/sink/ch_types.h"

#include "lib/base/err.h"
#include "lib/conn/chcaps.h"
#include "lib/sink/ch_encode_int.h"

#define FIRST_LOCAL_OID 16384 /* extensions' and users' types */
#define VARHDRSZ	4     /* what a numeric's modifier is shifted by */

#define DECIMAL_MAX	    76 /* Decimal256 */
#define DECIMAL_NARROW_MAX  38 /* Decimal128 */
#define UNBOUNDED_PRECISION 76
#define UNBOUNDED_SCALE	    38

/* ---- the mapping; docs/clickhouse.md has the same table */

#define F(name) (&ch_family_##name)

// clang-format off
static const struct ch_pg_type pg_types[] = {
	/* people write,     typname,       oid,  family,         ClickHouse,             binary */
	{ "boolean",         "bool",        16,   F(bool),        "Bool",                   true },
	{ "smallint",        "int2",        21,   F(int),         "Int16",                  true },
	{ "integer",         "int4",        23,   F(int),         "Int32",                  true },
	{ "bigint",          "int8",        20,   F(int),         "Int64",                  true },
	{ "real",            "float4",      700,  F(float4),      "Float32",                true },
	{ "double precision","float8",      701,  F(float8),      "Float64",                true },
	{ "numeric",         "numeric",     1700, F(numeric),     "Decimal(76, 38)",        true },
	{ "\"char\"",        "char",        18,   F(char),        "FixedString(1)",         true },
	{ "text",            "text",        25,   F(text),        "String",                 true },
	{ "varchar",         "varchar",     1043, F(text),        "String",                 true },
	{ "char(n)",         "bpchar",      1042, F(text),        "String",                 true },
	{ "name",            "name",        19,   F(text),        "String",                 true },
	{ "citext",          "citext",      0,    F(text),        "String",                 true },
	{ "bytea",           "bytea",       17,   F(bytea),       "String",                 true },
	{ "json",            "json",        114,  F(json),        "String",                 true },
	{ "jsonb",           "jsonb",       3802, F(jsonb),       "String",                 true },
	{ "uuid",            "uuid",        2950, F(uuid),        "UUID",                   true },
	{ "date",            "date",        1082, F(date),        "Date32",                 true },
	{ "time",            "time",        1083, F(time),        "DateTime64(6, 'UTC')",   true },
	{ "timetz",          "timetz",      1266, F(timetz),      "String",                 true },
	{ "timestamp",       "timestamp",   1114, F(timestamp),   "DateTime64(6, 'UTC')",   true },
	{ "timestamptz",     "timestamptz", 1184, F(timestamptz), "DateTime64(6, 'UTC')",   true },
	{ "interval",        "interval",    1186, F(interval),    "String",                 true },
	{ "inet",            "inet",        869,  F(inet),        "String",                 true },
	{ "cidr",            "cidr",        650,  F(inet),        "String",                 true },
	{ "macaddr",         "macaddr",     829,  F(macaddr),     "String",                 true },
	{ "macaddr8",        "macaddr8",    774,  F(macaddr),     "String",                 true },
	{ "bit",             "bit",         1560, F(bit),         "String",                 true },
	{ "varbit",          "varbit",      1562, F(bit),         "String",                 true },
	{ "oid",             "oid",         26,   F(oid),         "String",                 true },
	{ "xid",             "xid",         28,   F(oid),         "String",                 true },
	{ "point",           "point",       600,  F(point),       "String",                 true },
	{ "hstore",          "hstore",      0,    F(hstore),      "String",                 true },
	{ "vector",          "vector",      0,    F(vector),      "Array(Float32)",         true },
	{ "halfvec",         "halfvec",     0,    F(halfvec),     "Array(Float32)",         true },
	{ "sparsevec",       "sparsevec",   0,    F(sparsevec),   "Array(Float32)",         true },
	{ "geometry",        "geometry",    0,    F(geometry),    "String",                 true },
	{ "geography",       "geography",   0,    F(geometry),    "String",                 true },
};

static const struct ch_pg_type pg_enum =
	{ "enum",            "",            0,    F(text),        "LowCardinality(String)", true };
static const struct ch_pg_type pg_other =
	{ "any other type",  "",            0,    F(other),       "String",                 false };
// clang-format on

#undef F

#define PG_TYPES (sizeof(pg_types) / sizeof(pg_types[0]))

bool
ch_mapping_at(unsigned i, struct ch_mapping *m_r)
{
	const struct ch_pg_type *t = i < PG_TYPES ? &pg_types[i]
	    : i == PG_TYPES			  ? &pg_enum
						  : &pg_other;

	if (i > PG_TYPES + 1)
		return false;
	*m_r = (struct ch_mapping){ t->postgres, t->clickhouse, t->binary };
	return true;
}

static const struct ch_pg_type *
pg_type_of(const PeerdWorker__Column *def)
{
	uint32_t oid = def->base_oid != 0 ? def->base_oid : def->type_oid;
	size_t i;

	if (def->base_kind[0] == 'e')
		return &pg_enum;
	for (i = 0; def->base_kind[0] == 'b' && i < PG_TYPES; i++) {
		if (pg_types[i].oid != 0 && pg_types[i].oid == oid)
			return &pg_types[i];
		if (pg_types[i].oid == 0 && oid >= FIRST_LOCAL_OID &&
		    strcmp(pg_types[i].typname, def->base_name) == 0)
			return &pg_types[i];
	}
	return &pg_other;
}

static bool
is_json(const struct ch_source *s)
{
	return s->type->family == &ch_family_json || s->type->family == &ch_family_jsonb;
}

static bool
is_vector(const struct ch_source *s)
{
	return s->type->family == &ch_family_vector || s->type->family == &ch_family_halfvec ||
	    s->type->family == &ch_family_sparsevec;
}

static struct ch_source
source_of(const PeerdWorker__Column *def)
{
	struct ch_source s = {
		.type = pg_type_of(def),
		.modifier = def->base_oid != 0 ? def->base_modifier : def->type_modifier,
		.dims = (uint8_t)(def->dimensions < 6 ? def->dimensions : 6),
		.delimiter = def->delimiter[0],
	};

	/* arrays of what is an array in ClickHouse itself stay text */
	if (s.dims > 0 && is_vector(&s))
		s.type = &pg_other;
	return s;
}

bool
ch_column_binary_ok(const PeerdWorker__Column *def)
{
	return source_of(def).type->binary;
}

/* ---- which ClickHouse type */

static bool
is_unbounded_numeric(const struct ch_source *s)
{
	return s->type->family == &ch_family_numeric && s->modifier < VARHDRSZ;
}

/*
 * numeric(p, s). A negative scale means more digits before the point, a scale
 * beyond the precision fewer digits, all of them after it.
 */
static void
bound_decimal(struct ch_type *t, int32_t modifier)
{
	int precision = (modifier - VARHDRSZ) >> 16 & 0xffff;
	int scale = (((modifier - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;

	if (scale < 0) {
		precision -= scale;
		scale = 0;
	}
	if (precision < scale)
		precision = scale;
	if (precision > DECIMAL_MAX) {
		*t = (struct ch_type){ .kind = CH_STRING };
		return;
	}
	t->precision = (uint8_t)precision;
	t->scale = (uint8_t)scale;
}

static void
set_decimal_width(struct ch_type *t)
{
	t->width = t->precision <= 9 ? 4 : t->precision <= 18 ? 8 : t->precision <= 38 ? 16 : 32;
}

static void
make_string(struct ch_type *t)
{
	t->kind = CH_STRING;
	t->width = t->precision = t->scale = 0;
	t->zone[0] = '\0';
}

/* The nearest type that the server has and that holds every value. */
static void
fall_back(struct ch_type *t, const struct ch_caps *caps)
{
	if (t->kind == CH_BOOL && !caps->bool_type)
		t->kind = CH_UINT;
	if (t->kind == CH_DATE32 && !caps->date32) {
		t->kind = CH_DATE;
		t->width = 2;
	}
	if (t->kind == CH_DATETIME64 && !caps->datetime64)
		make_string(t);
	if (t->kind == CH_DECIMAL && t->precision > DECIMAL_NARROW_MAX && !caps->wide_numbers)
		make_string(t);
	if (!caps->low_cardinality)
		t->low_cardinality = false;
}

static void
adapt_type(struct ch_type *t, const struct ch_source *s, const struct ch_options *opt,
    const struct ch_caps *caps)
{
	if (s->type->family == &ch_family_numeric) {
		if (!is_unbounded_numeric(s))
			bound_decimal(t, s->modifier);
		else if (opt->numeric_as_string)
			make_string(t);
		if (t->kind == CH_DECIMAL)
			set_decimal_width(t);
	}
	if (s->type->family == &ch_family_time && opt->time64 && caps->time64) {
		t->kind = CH_TIME64;
		t->zone[0] = '\0';
	}
	if (is_json(s) && s->dims == 0 && opt->json_type && caps->json)
		t->kind = CH_JSON;
	fall_back(t, caps);
	if (s->dims > 0 && !is_json(s))
		t->dims = s->dims;
}

static bool
server_has(const struct ch_type *t, const struct ch_caps *caps)
{
	struct ch_type other = *t;

	fall_back(&other, caps);
	return other.kind == t->kind && other.low_cardinality == t->low_cardinality &&
	    (t->kind != CH_JSON || caps->json) && (t->kind != CH_TIME64 || caps->time64) &&
	    ((t->kind != CH_INT && t->kind != CH_UINT) || t->width <= 8 || caps->wide_numbers);
}

/* ---- a column */

static bool
refuse_type(const struct ch_column *c, const char *type_text, struct err *err)
{
	char own[CH_TYPE_TEXT_MAX];
	struct ch_type t;

	err_set(err, ERR_CONFIG, "column \"%s\" is %s on the source, which %s does not hold",
	    c->def->name, c->def->type_name, type_text);
	if (!ch_type_parse(c->source.type->clickhouse, &t, NULL))
		return false;
	adapt_type(&t, &c->source, c->opt, c->caps);
	return err_hint(err, "%s does", ch_type_format(&t, own));
}

bool
ch_column_bind(struct ch_column *c, const char *type_text, struct err *err)
{
	struct ch_type chosen = c->type;

	if (!ch_type_parse(type_text, &c->type, err)) {
		c->type = chosen;
		return err_context(err, "column \"%s\"", c->name);
	}
	if (ch_codec_choose(c))
		return true;
	c->type = chosen;
	ch_codec_choose(c);
	return refuse_type(c, type_text, err);
}

/* destination_type of the mapping: any type that has a codec. NULLs as for the usual type. */
static bool
override_type(struct ch_column *c, const char *type_text, struct err *err)
{
	bool nullable = c->type.nullable;

	if (!ch_column_bind(c, type_text, err))
		return false;
	if (!server_has(&c->type, c->caps))
		return err_set(err, ERR_CONFIG,
		    "ClickHouse %s does not have the type %s of column \"%s\"", c->caps->version,
		    type_text, c->name);
	c->type.nullable |= nullable;
	return true;
}

bool
ch_column_init(struct ch_column *c, const PeerdWorker__Column *def,
    const PeerdbFlow__ColumnSetting *set, const struct ch_options *opt, const struct ch_caps *caps,
    struct err *err)
{
	bool nullable = opt->nullable || (set != NULL && set->nullable_enabled);

	*c = (struct ch_column){
		.def = def,
		.name = def->destination_name != NULL && def->destination_name[0] != '\0'
		    ? def->destination_name
		    : def->name,
		.source = source_of(def),
		.opt = opt,
		.caps = caps,
	};
	c->words = &c->source.type->family->string;
	if (!ch_type_parse(c->source.type->clickhouse, &c->type, err))
		return false;
	adapt_type(&c->type, &c->source, opt, caps);
	c->type.nullable = nullable && !is_vector(&c->source) &&
	    (!def->not_null || c->type.dims > 0);
	if (!ch_codec_choose(c))
		return err_set(err, ERR_BUG, "no encoder for type %s of column \"%s\"",
		    def->type_name, def->name);
	if (set != NULL && set->destination_type[0] != '\0')
		return override_type(c, set->destination_type, err);
	return true;
}

static void
quote_ident(struct buf *sql, const char *name)
{
	buf_char(sql, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"')
			buf_char(sql, '"');
		buf_char(sql, *name);
	}
	buf_char(sql, '"');
}

/*
 * A cast to text is not what a type's output function prints (boolean, inet,
 * char(n)); format() is. IS DISTINCT FROM NULL, because a composite of
 * NULLs IS NULL.
 */
void
ch_column_select(const struct ch_column *c, struct buf *sql)
{
	if (ch_column_binary_ok(c->def)) {
		quote_ident(sql, c->def->name);
		return;
	}
	buf_str_add(sql, "CASE WHEN ");
	quote_ident(sql, c->def->name);
	buf_str_add(sql, " IS DISTINCT FROM NULL THEN format('%s', ");
	quote_ident(sql, c->def->name);
	buf_str_add(sql, ") END");
}
