/*
 * Types with a form of their own: bytea, JSON, hstore, points, PostGIS shapes,
 * vectors, bit strings.
 */
#include <math.h>
#include <string.h>

#include "lib/sink/ch_encode_int.h"
#include "lib/sink/kafka_value_int.h"

#define WKB_LITTLE_ENDIAN 1
#define WKB_POINT	  1
#define EWKB_HAS_SRID	  0x20000000u

enum kafka_put
kafka_read_words(struct kafka_writer *w, const struct ch_family *family, struct slice v,
    struct slice *words_r)
{
	static const struct ch_column none;
	enum ch_put put;
	size_t i = 0;

	buf_reset(&w->words);
	put = family->string.put(&none, v, true, &w->words);
	if (put == CH_PUT_OK && !buf_overflowed(&w->words)) {
		while (w->words.p[i++] & 0x80) /* the length before it */
			;
		*words_r = slice_of(w->words.p + i, w->words.n - i);
		return KAFKA_PUT_OK;
	}
	return put == CH_PUT_BAD ? KAFKA_PUT_BAD : KAFKA_PUT_LOSSY;
}

static enum kafka_put
put_words(struct kafka_writer *w, const struct kafka_column *c, const struct ch_family *family,
    struct slice v)
{
	enum kafka_put put;
	struct slice words;

	put = kafka_read_words(w, family, v, &words);
	return put == KAFKA_PUT_OK ? kafka_put_text(w, c, words) : put;
}

static void
put_base64_string(struct buf *out, struct slice bytes)
{
	buf_char(out, '"');
	kafka_put_base64(out, bytes);
	buf_char(out, '"');
}

/* ---- bytea: \x and hexadecimal digits */

static bool
bytea_digits(struct slice v, struct slice *hex_r)
{
	if (v.n < 2 || v.p[0] != '\\' || v.p[1] != 'x')
		return false;
	*hex_r = slice_of(v.p + 2, v.n - 2);
	return true;
}

static enum kafka_put
put_bytea(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	struct slice hex;

	buf_reset(&w->words);
	if (!bytea_digits(v, &hex) || !ch_hex_decode(hex, &w->words))
		return KAFKA_PUT_BAD;
	put_base64_string(w->out, buf_slice(&w->words));
	return KAFKA_PUT_OK;
}

static enum kafka_put
put_bytea_hex(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	struct slice hex;

	return bytea_digits(v, &hex) ? kafka_put_text(w, c, hex) : KAFKA_PUT_BAD;
}

static void
choose_bytea(struct kafka_column *c, struct arena *a, enum kafka_style style)
{
	if (c->opt->binary != KAFKA_BINARY_BYTES)
		c->schema = KAFKA_STRING;
	if (c->opt->binary == KAFKA_BINARY_HEX)
		c->put = put_bytea_hex;
}

/* ---- JSON: a string that holds it, or itself, digit for digit */

static enum kafka_put
put_json_itself(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	buf_add(w->out, v.p, v.n);
	return KAFKA_PUT_OK;
}

/* ---- hstore: a JSON object, its keys sorted */

static enum kafka_put
put_hstore(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	return put_words(w, c, &ch_family_hstore, v);
}

static enum kafka_put
put_hstore_itself(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	enum kafka_put put;
	struct slice words;

	put = kafka_read_words(w, &ch_family_hstore, v, &words);
	return put == KAFKA_PUT_OK ? put_json_itself(w, c, words) : put;
}

/* ---- points */

static enum kafka_put
put_point_words(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	return put_words(w, c, &ch_family_point, v);
}

/* A coordinate, its digits as they are, up to the character that ends it. */
static enum kafka_put
put_coordinate(struct buf *out, struct slice *v, char end, double *d_r)
{
	struct slice digits = *v, rest = *v;

	if (!ch_scan_double(&rest, false, d_r) || rest.n == 0 || rest.p[0] != (uint8_t)end)
		return KAFKA_PUT_BAD;
	digits.n = (size_t)(rest.p - digits.p);
	*v = slice_of(rest.p + 1, rest.n - 1);
	if (!isfinite(*d_r))
		return KAFKA_PUT_LOSSY;
	rest = digits;
	if (!kafka_scan_number(&rest) || rest.n > 0)
		return KAFKA_PUT_BAD;
	buf_add(out, digits.p, digits.n);
	return KAFKA_PUT_OK;
}

/* {"x":1.5,"y":-2,"wkb":"AQEAAA...","srid":null} */
static enum kafka_put
put_point(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	uint8_t wkb[21] = { WKB_LITTLE_ENDIAN, WKB_POINT };
	enum kafka_put put;
	struct slice rest;
	double x, y;

	if (v.n == 0 || v.p[0] != '(')
		return KAFKA_PUT_BAD;
	rest = slice_of(v.p + 1, v.n - 1);
	buf_str_add(w->out, "{\"x\":");
	put = put_coordinate(w->out, &rest, ',', &x);
	if (put != KAFKA_PUT_OK)
		return put;
	buf_str_add(w->out, ",\"y\":");
	put = put_coordinate(w->out, &rest, ')', &y);
	if (put != KAFKA_PUT_OK || rest.n > 0)
		return put != KAFKA_PUT_OK ? put : KAFKA_PUT_BAD;
	memcpy(wkb + 5, &x, sizeof(x));
	memcpy(wkb + 13, &y, sizeof(y));
	buf_str_add(w->out, ",\"wkb\":");
	put_base64_string(w->out, slice_of(wkb, sizeof(wkb)));
	buf_str_add(w->out, ",\"srid\":null}");
	return KAFKA_PUT_OK;
}

/* ---- PostGIS: hexadecimal digits of EWKB: byte order, u32 type and flags, u32 SRID if flagged */

static enum kafka_put
put_geometry_words(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	return put_words(w, c, &ch_family_geometry, v);
}

static uint32_t
ewkb_u32(const uint8_t *p, bool little)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return little ? v : __builtin_bswap32(v);
}

static enum kafka_put
put_geometry(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	struct slice wkb;
	bool little;

	buf_reset(&w->words);
	if (!ch_hex_decode(v, &w->words) || w->words.n < 5)
		return KAFKA_PUT_BAD;
	wkb = buf_slice(&w->words);
	little = wkb.p[0] == WKB_LITTLE_ENDIAN;
	buf_str_add(w->out, "{\"wkb\":");
	put_base64_string(w->out, wkb);
	buf_str_add(w->out, ",\"srid\":");
	if (wkb.n >= 9 && (ewkb_u32(wkb.p + 1, little) & EWKB_HAS_SRID) != 0)
		kafka_put_u64(w->out, ewkb_u32(wkb.p + 5, little));
	else
		buf_str_add(w->out, "null");
	buf_char(w->out, '}');
	return KAFKA_PUT_OK;
}

/* ---- pgvector: [1,2.5] is JSON already */

static enum kafka_put
put_vector(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	struct slice rest;

	if (v.n < 2 || v.p[0] != '[')
		return KAFKA_PUT_BAD;
	rest = slice_of(v.p + 1, v.n - 1);
	while (kafka_scan_number(&rest) && rest.n > 0) {
		if (rest.n == 1 && rest.p[0] == ']')
			return put_json_itself(w, c, v);
		if (rest.p[0] != ',')
			break;
		rest = slice_of(rest.p + 1, rest.n - 1);
	}
	return KAFKA_PUT_BAD;
}

/* ---- bit strings: in Debezium a boolean for one bit, else bytes, the last bit first */

static enum kafka_put
put_one_bit(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	if (v.n != 1 || (v.p[0] != '0' && v.p[0] != '1'))
		return KAFKA_PUT_BAD;
	buf_str_add(w->out, v.p[0] == '1' ? "true" : "false");
	return KAFKA_PUT_OK;
}

static enum kafka_put
put_bits(struct kafka_writer *w, const struct kafka_column *c, struct slice v)
{
	size_t n = (v.n + 7) / 8, i, bit;
	uint8_t *bytes;

	buf_reset(&w->words);
	bytes = buf_room(&w->words, n);
	if (bytes == NULL)
		return KAFKA_PUT_LOSSY;
	memset(bytes, 0, n);
	for (i = 0; i < v.n; i++) {
		bit = v.n - 1 - i;
		if (v.p[i] == '1')
			bytes[bit / 8] |= (uint8_t)(1 << bit % 8);
		else if (v.p[i] != '0')
			return KAFKA_PUT_BAD;
	}
	put_base64_string(w->out, slice_of(bytes, n));
	return KAFKA_PUT_OK;
}

/* The modifier is the length; varbit may have none. */
static void
choose_bit(struct kafka_column *c, struct arena *a, enum kafka_style style)
{
	if (style != KAFKA_STYLE_DEBEZIUM)
		return;
	if (c->modifier == 1) {
		c->put = put_one_bit;
		c->schema = "\"type\":\"boolean\"";
		return;
	}
	c->schema = arena_printf(a,
	    KAFKA_NAMED("bytes", "io.debezium.data.Bits") ",\"parameters\":{\"length\":\"%d\"}",
	    c->modifier > 0 ? c->modifier : INT32_MAX);
}

/* ---- */

#define JSON_SCHEMA KAFKA_NAMED("string", "io.debezium.data.Json")
#define GEOMETRY_SCHEMA(name)                                         \
	"\"type\":\"struct\",\"fields\":["                            \
	"{\"type\":\"bytes\",\"optional\":false,\"field\":\"wkb\"},"  \
	"{\"type\":\"int32\",\"optional\":true,\"field\":\"srid\"}]," \
	"\"name\":\"io.debezium.data.geometry." name "\",\"version\":1"
#define VECTOR_SCHEMA(type, name)                                                  \
	"\"type\":\"array\",\"items\":{\"type\":\"" type "\",\"optional\":false}," \
	"\"name\":\"io.debezium.data." name "\",\"version\":1"

const struct kafka_family kafka_family_bytea = { KAFKA_ALL_STYLES(put_bytea), "\"type\":\"bytes\"",
	choose_bytea };
const struct kafka_family kafka_family_json = { { kafka_put_text, put_json_itself, kafka_put_text },
	JSON_SCHEMA, NULL };
const struct kafka_family kafka_family_hstore = { { put_hstore, put_hstore_itself, put_hstore },
	JSON_SCHEMA, NULL };
const struct kafka_family kafka_family_point = { { put_point_words, put_point_words, put_point },
	"\"type\":\"struct\",\"fields\":["
	"{\"type\":\"double\",\"optional\":false,\"field\":\"x\"},"
	"{\"type\":\"double\",\"optional\":false,\"field\":\"y\"},"
	"{\"type\":\"bytes\",\"optional\":true,\"field\":\"wkb\"},"
	"{\"type\":\"int32\",\"optional\":true,\"field\":\"srid\"}],"
	"\"name\":\"io.debezium.data.geometry.Point\",\"version\":1",
	NULL };
const struct kafka_family kafka_family_geometry = {
	{ put_geometry_words, put_geometry_words, put_geometry }, GEOMETRY_SCHEMA("Geometry"), NULL
};
const struct kafka_family kafka_family_geography = {
	{ put_geometry_words, put_geometry_words, put_geometry }, GEOMETRY_SCHEMA("Geography"), NULL
};
const struct kafka_family kafka_family_vector = { KAFKA_ALL_STYLES(put_vector),
	VECTOR_SCHEMA("double", "DoubleVector"), NULL };
const struct kafka_family kafka_family_halfvec = { KAFKA_ALL_STYLES(put_vector),
	VECTOR_SCHEMA("float", "FloatVector"), NULL };
const struct kafka_family kafka_family_bit = { { kafka_put_text, kafka_put_text, put_bits },
	KAFKA_NAMED("bytes", "io.debezium.data.Bits"), choose_bit };
