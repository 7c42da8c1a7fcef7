#include "lib/sink/kafka_value.h"

#include <ctype.h>
#include <string.h>

#include <openssl/evp.h>

#include "lib/sink/kafka_format.h"
#include "lib/sink/kafka_value_int.h"

#define FIRST_LOCAL_OID 16384 /* extensions' and users' types */
#define DIMS_MAX	6     /* Postgres' MAXDIM */

#define UNAVAILABLE	   "\"__debezium_unavailable_value\""
#define UNAVAILABLE_BASE64 "\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\""
#define UNAVAILABLE_CODES                                     \
	"95,95,100,101,98,101,122,105,117,109,95,117,110,97," \
	"118,97,105,108,97,98,108,101,95,118,97,108,117,101"

/* ---- JSON */

/* What follows the backslash; 'u': the code in hexadecimal; 0: as it is. */
static const char escapes[256] = {
	[0] = 'u',
	[1] = 'u',
	[2] = 'u',
	[3] = 'u',
	[4] = 'u',
	[5] = 'u',
	[6] = 'u',
	[7] = 'u',
	['\b'] = 'b',
	['\t'] = 't',
	['\n'] = 'n',
	[11] = 'u',
	['\f'] = 'f',
	['\r'] = 'r',
	[14] = 'u',
	[15] = 'u',
	[16] = 'u',
	[17] = 'u',
	[18] = 'u',
	[19] = 'u',
	[20] = 'u',
	[21] = 'u',
	[22] = 'u',
	[23] = 'u',
	[24] = 'u',
	[25] = 'u',
	[26] = 'u',
	[27] = 'u',
	[28] = 'u',
	[29] = 'u',
	[30] = 'u',
	[31] = 'u',
	['"'] = '"',
	['\\'] = '\\',
};

static void
add_escaped(struct buf *out, struct slice s)
{
	size_t from = 0, i;
	char escape;

	for (i = 0; i < s.n; i++) {
		escape = escapes[s.p[i]];
		if (escape == 0)
			continue;
		buf_add(out, s.p + from, i - from);
		from = i + 1;
		buf_char(out, '\\');
		buf_char(out, escape);
		if (escape == 'u')
			buf_printf(out, "%04x", s.p[i]);
	}
	buf_add(out, s.p + from, s.n - from);
}

void
kafka_json_string(struct buf *out, struct slice s)
{
	buf_char(out, '"');
	add_escaped(out, s);
	buf_char(out, '"');
}

void
kafka_put_u64(struct buf *out, uint64_t v)
{
	char digits[20];
	size_t n = 0;

	do
		digits[sizeof(digits) - ++n] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	buf_add(out, digits + sizeof(digits) - n, n);
}

void
kafka_put_i64(struct buf *out, int64_t v)
{
	if (v < 0)
		buf_char(out, '-');
	kafka_put_u64(out, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void
kafka_put_base64(struct buf *out, struct slice bytes)
{
	uint8_t *to = buf_room(out, (bytes.n + 2) / 3 * 4 + 1);

	if (to != NULL && bytes.n > 0)
		out->n += (size_t)EVP_EncodeBlock(to, bytes.p, (int)bytes.n);
}

static size_t
digits(struct slice s, size_t i)
{
	size_t n = 0;

	while (i + n < s.n && isdigit(s.p[i + n]))
		n++;
	return n;
}

bool
kafka_scan_number(struct slice *s)
{
	size_t i = s->n > 0 && s->p[0] == '-' ? 1 : 0, n = digits(*s, i);

	if (n == 0 || (n > 1 && s->p[i] == '0'))
		return false;
	i += n;
	if (i < s->n && s->p[i] == '.') {
		n = digits(*s, i + 1);
		if (n == 0)
			return false;
		i += 1 + n;
	}
	if (i < s->n && (s->p[i] | 0x20) == 'e') {
		i += i + 1 < s->n && (s->p[i + 1] == '-' || s->p[i + 1] == '+') ? 2 : 1;
		n = digits(*s, i);
		if (n == 0)
			return false;
		i += n;
	}
	*s = slice_of(s->p + i, s->n - i);
	return true;
}

/* ---- values that need no thought */

enum kafka_put
kafka_put_text(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	kafka_json_string(w->out, v);
	return KAFKA_PUT_OK;
}

static enum kafka_put
put_bool(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	if (v.n != 1 || (v.p[0] != 't' && v.p[0] != 'f'))
		return KAFKA_PUT_BAD;
	buf_str_add(w->out, v.p[0] == 't' ? "true" : "false");
	return KAFKA_PUT_OK;
}

/* The digits as they are; what JSON has no number for is a string. */
enum kafka_put
kafka_put_number(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	struct slice rest = v;

	if (kafka_scan_number(&rest) && rest.n == 0) {
		buf_add(w->out, v.p, v.n);
		return KAFKA_PUT_OK;
	}
	if (!kafka_is(v, "NaN") && !kafka_is(v, "Infinity") && !kafka_is(v, "-Infinity"))
		return KAFKA_PUT_BAD;
	return kafka_put_text(w, c, v);
}

/* ---- the types; docs/kafka.md shows what becomes of them */

#define TEXT(name, schema) \
	static const struct kafka_family name = { KAFKA_ALL_STYLES(kafka_put_text), schema, NULL }
#define NUMBER(name, type)                                                            \
	static const struct kafka_family name = { KAFKA_ALL_STYLES(kafka_put_number), \
		"\"type\":\"" type "\"", NULL }

static const struct kafka_family family_bool = { KAFKA_ALL_STYLES(put_bool), "\"type\":\"boolean\"",
	NULL };
NUMBER(family_int2, "int16");
NUMBER(family_int4, "int32");
NUMBER(family_int8, "int64");
NUMBER(family_float4, "float");
NUMBER(family_float8, "double");
TEXT(family_text, KAFKA_STRING);
TEXT(family_uuid, KAFKA_NAMED("string", "io.debezium.data.Uuid"));
TEXT(family_xml, KAFKA_NAMED("string", "io.debezium.data.Xml"));
TEXT(family_ltree, KAFKA_NAMED("string", "io.debezium.data.Ltree"));

struct type {
	const char *name;
	uint32_t oid; /* 0: an extension's, known by its name */
	const struct kafka_family *family;
};

// clang-format off
static const struct type types[] = {
	{ "bool",        16,   &family_bool },
	{ "int2",        21,   &family_int2 },
	{ "int4",        23,   &family_int4 },
	{ "int8",        20,   &family_int8 },
	{ "oid",         26,   &family_int8 },
	{ "float4",      700,  &family_float4 },
	{ "float8",      701,  &family_float8 },
	{ "numeric",     1700, &kafka_family_numeric },
	{ "bytea",       17,   &kafka_family_bytea },
	{ "json",        114,  &kafka_family_json },
	{ "jsonb",       3802, &kafka_family_json },
	{ "uuid",        2950, &family_uuid },
	{ "xml",         142,  &family_xml },
	{ "date",        1082, &kafka_family_date },
	{ "time",        1083, &kafka_family_time },
	{ "timetz",      1266, &kafka_family_timetz },
	{ "timestamp",   1114, &kafka_family_timestamp },
	{ "timestamptz", 1184, &kafka_family_timestamptz },
	{ "interval",    1186, &kafka_family_interval },
	{ "point",       600,  &kafka_family_point },
	{ "bit",         1560, &kafka_family_bit },
	{ "varbit",      1562, &kafka_family_bit },
	{ "hstore",      0,    &kafka_family_hstore },
	{ "ltree",       0,    &family_ltree },
	{ "vector",      0,    &kafka_family_vector },
	{ "halfvec",     0,    &kafka_family_halfvec },
	{ "geometry",    0,    &kafka_family_geometry },
	{ "geography",   0,    &kafka_family_geography },
};
// clang-format on

static const struct kafka_family *
family_of(const PeerdWorker__Column *def)
{
	uint32_t oid = def->base_oid != 0 ? def->base_oid : def->type_oid;
	size_t i;

	for (i = 0; def->base_kind[0] == 'b' && i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].oid != 0 && types[i].oid == oid)
			return types[i].family;
		if (types[i].oid == 0 && oid >= FIRST_LOCAL_OID &&
		    strcmp(types[i].name, def->base_name) == 0)
			return types[i].family;
	}
	return &family_text;
}

/* ---- columns */

static struct slice
make_label(struct arena *a, const char *name)
{
	struct slice label;
	struct buf text;

	buf_init(&text, KAFKA_RECORD_MAX);
	kafka_json_string(&text, slice_str(name));
	buf_char(&text, ':');
	label = arena_dup_slice(a, buf_slice(&text));
	buf_done(&text);
	return label;
}

/*
 * Debezium's placeholder is a text, in base64 where there are bytes. In an array
 * it is an element, or its characters are if those are integers. Other types
 * have none.
 */
static const char *
placeholder_of(const struct kafka_column *c)
{
	static const struct {
		const char *schema; /* begins with it */
		const char *value;
		bool element;
	} all[] = {
		{ KAFKA_STRING, UNAVAILABLE, false },
		{ "\"type\":\"bytes\"", UNAVAILABLE_BASE64, false },
		{ "\"type\":\"int32\"", UNAVAILABLE_CODES, true },
		{ "\"type\":\"int64\"", UNAVAILABLE_CODES, true },
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strncmp(c->schema, all[i].schema, strlen(all[i].schema)) == 0 &&
		    (c->array || !all[i].element))
			return all[i].value;
	return NULL;
}

/* Of an array in as many brackets as its schema has. */
static const char *
absent_of(const struct kafka_column *c, struct arena *a, enum kafka_style style)
{
	const char *absent = style == KAFKA_STYLE_DEBEZIUM ? placeholder_of(c) : NULL;
	int i;

	for (i = 0; absent != NULL && i < c->dims; i++)
		absent = arena_printf(a, "[%s]", absent);
	return absent != NULL ? absent : "null";
}

void
kafka_column_init(struct kafka_column *c, struct arena *a, const PeerdWorker__Column *def,
    enum kafka_style style, const struct kafka_options *opt)
{
	const struct kafka_family *f = family_of(def);

	*c = (struct kafka_column){
		.name = def->destination_name != NULL ? def->destination_name : def->name,
		.put = f->put[style],
		.schema = f->schema,
		.opt = opt,
		.array = def->dimensions > 0,
		.strict = style == KAFKA_STYLE_DEBEZIUM && opt->schemas,
		.dims = (uint8_t)(def->dimensions < DIMS_MAX ? def->dimensions : DIMS_MAX),
		.delimiter = def->delimiter[0],
		.modifier = def->base_oid != 0 ? def->base_modifier : def->type_modifier,
	};
	c->label = make_label(a, c->name);
	if (f->choose != NULL)
		f->choose(c, a, style);
	c->absent = absent_of(c, a, style);
}

void
kafka_column_schema(const struct kafka_column *c, bool optional, struct buf *out)
{
	int i;

	for (i = 0; i < c->dims; i++)
		buf_str_add(out,
		    i == 0 ? "\"type\":\"array\",\"items\":{"
			   : "\"type\":\"array\",\"optional\":true,\"items\":{");
	buf_str_add(out, c->schema);
	for (i = 0; i < c->dims; i++)
		buf_str_add(out, i == 0 ? ",\"optional\":true}" : "}");
	buf_printf(out, ",\"optional\":%s", optional ? "true" : "false");
}

/* ---- writing */

void
kafka_writer_init(struct kafka_writer *w)
{
	w->out = NULL;
	buf_init(&w->plain, KAFKA_RECORD_MAX);
	buf_init(&w->words, KAFKA_RECORD_MAX);
}

void
kafka_writer_done(struct kafka_writer *w)
{
	buf_done(&w->plain);
	buf_done(&w->words);
}

enum kafka_put
kafka_put_value(struct kafka_writer *w, const struct kafka_column *c, struct row_value v)
{
	struct slice s = slice_of(v.p, v.len);

	if (v.len == ROW_NULL) {
		buf_str_add(w->out, "null");
		return KAFKA_PUT_OK;
	}
	return c->array ? kafka_put_array(w, c, s) : c->put(w, c, s);
}

void
kafka_put_absent(struct kafka_writer *w, const struct kafka_column *c)
{
	buf_str_add(w->out, c->absent);
}
