/*
 * PostGIS shapes as WKT: SRID=4326;POINT Z (1 2 3)
 *
 * Extended WKB, which is the binary form and, in hexadecimal, the text form:
 *
 *	u8 byte order (1: little-endian), u32 kind, u32 SRID if the kind has bit 29;
 *	bit 31: has Z, bit 30: has M; then by kind points, counts, or shapes again
 */
#include <ctype.h>
#include <math.h>

#include "lib/sink/ch_encode_int.h"

#define HAS_Z	  0x80000000u
#define HAS_M	  0x40000000u
#define HAS_SRID  0x20000000u
#define KIND_MASK 0x0fffffffu
#define DEPTH_MAX 16 /* collections in collections */

struct wkb {
	struct rbuf r;
	struct buf *out;
	bool little; /* byte order of the shape that is being read */
	unsigned coordinates;
};

static uint32_t
wkb_u32(struct wkb *w)
{
	uint32_t v = rbuf_u32(&w->r);

	return w->little ? __builtin_bswap32(v) : v;
}

static double
wkb_double(struct wkb *w)
{
	uint64_t bits = rbuf_u64(&w->r);
	double d;

	if (w->little)
		bits = __builtin_bswap64(bits);
	memcpy(&d, &bits, 8);
	return d;
}

/* Counts promise at least so many bytes each. */
static bool
wkb_count(struct wkb *w, size_t least, uint32_t *n_r)
{
	*n_r = wkb_u32(w);
	return rbuf_ok(&w->r) && *n_r <= rbuf_left(&w->r) / least;
}

/* POINT EMPTY, but MULTIPOINT(EMPTY) */
static void
put_empty(struct wkb *w)
{
	if (w->out->n > 0 && isupper(w->out->p[w->out->n - 1]))
		buf_char(w->out, ' ');
	buf_str_add(w->out, "EMPTY");
}

static bool
put_position(struct wkb *w)
{
	unsigned i;

	for (i = 0; i < w->coordinates; i++) {
		if (i > 0)
			buf_char(w->out, ' ');
		ch_format_double(wkb_double(w), false, w->out);
	}
	return rbuf_ok(&w->r);
}

static bool
put_positions(struct wkb *w)
{
	uint32_t n, i;

	if (!wkb_count(w, 8 * (size_t)w->coordinates, &n))
		return false;
	if (n == 0)
		put_empty(w);
	for (i = 0; i < n; i++) {
		buf_char(w->out, i > 0 ? ',' : '(');
		if (!put_position(w))
			return false;
	}
	if (n > 0)
		buf_char(w->out, ')');
	return true;
}

static bool
put_rings(struct wkb *w)
{
	uint32_t n, i;

	if (!wkb_count(w, 4, &n))
		return false;
	if (n == 0)
		put_empty(w);
	for (i = 0; i < n; i++) {
		buf_char(w->out, i > 0 ? ',' : '(');
		if (!put_positions(w))
			return false;
	}
	if (n > 0)
		buf_char(w->out, ')');
	return true;
}

/* A point without coordinates is written as NaN. */
static bool
put_single(struct wkb *w)
{
	struct rbuf before = w->r;

	if (isnan(wkb_double(w))) {
		w->r = before;
		rbuf_bytes(&w->r, 8 * (size_t)w->coordinates);
		put_empty(w);
		return rbuf_ok(&w->r);
	}
	w->r = before;
	buf_char(w->out, '(');
	if (!put_position(w))
		return false;
	buf_char(w->out, ')');
	return true;
}

static bool put_shape(struct wkb *w, unsigned depth, bool named);

static bool
put_shapes(struct wkb *w, unsigned depth, bool named)
{
	uint32_t n, i;

	if (!wkb_count(w, 5, &n))
		return false;
	if (n == 0)
		put_empty(w);
	for (i = 0; i < n; i++) {
		buf_char(w->out, i > 0 ? ',' : '(');
		if (!put_shape(w, depth + 1, named))
			return false;
	}
	if (n > 0)
		buf_char(w->out, ')');
	return true;
}

enum shape {
	SHAPE_SINGLE,
	SHAPE_POSITIONS,
	SHAPE_RINGS,
	SHAPE_SHAPES, /* whose kind is clear */
	SHAPE_NAMED   /* of any kind */
};

static const struct {
	const char *name;
	enum shape shape;
} kinds[] = {
	[1] = { "POINT", SHAPE_SINGLE },
	[2] = { "LINESTRING", SHAPE_POSITIONS },
	[3] = { "POLYGON", SHAPE_RINGS },
	[4] = { "MULTIPOINT", SHAPE_SHAPES },
	[5] = { "MULTILINESTRING", SHAPE_SHAPES },
	[6] = { "MULTIPOLYGON", SHAPE_SHAPES },
	[7] = { "GEOMETRYCOLLECTION", SHAPE_NAMED },
	[8] = { "CIRCULARSTRING", SHAPE_POSITIONS },
	[9] = { "COMPOUNDCURVE", SHAPE_NAMED },
	[10] = { "CURVEPOLYGON", SHAPE_NAMED },
	[11] = { "MULTICURVE", SHAPE_NAMED },
	[12] = { "MULTISURFACE", SHAPE_NAMED },
	[15] = { "POLYHEDRALSURFACE", SHAPE_SHAPES },
	[16] = { "TIN", SHAPE_SHAPES },
	[17] = { "TRIANGLE", SHAPE_RINGS },
};

static bool
put_body(struct wkb *w, enum shape shape, unsigned depth)
{
	switch (shape) {
	case SHAPE_SINGLE:
		return put_single(w);
	case SHAPE_POSITIONS:
		return put_positions(w);
	case SHAPE_RINGS:
		return put_rings(w);
	default:
		return put_shapes(w, depth, shape == SHAPE_NAMED);
	}
}

static void
put_name(struct wkb *w, uint32_t kind)
{
	buf_str_add(w->out, kinds[kind & KIND_MASK].name);
	if (kind & (HAS_Z | HAS_M))
		buf_printf(w->out, " %s%s ", kind & HAS_Z ? "Z" : "", kind & HAS_M ? "M" : "");
}

static bool
put_shape(struct wkb *w, unsigned depth, bool named)
{
	struct wkb outer = *w;
	uint32_t kind, srid;
	bool ok;

	w->little = rbuf_u8(&w->r) != 0;
	kind = wkb_u32(w);
	if (depth > DEPTH_MAX || (kind & KIND_MASK) >= sizeof(kinds) / sizeof(kinds[0]) ||
	    kinds[kind & KIND_MASK].name == NULL)
		return false;
	srid = kind & HAS_SRID ? wkb_u32(w) : 0;
	if (srid != 0 && depth == 0)
		buf_printf(w->out, "SRID=%u;", srid);
	if (named)
		put_name(w, kind);
	w->coordinates = 2 + ((kind & HAS_Z) != 0) + ((kind & HAS_M) != 0);
	ok = put_body(w, kinds[kind & KIND_MASK].shape, depth);
	w->little = outer.little;
	w->coordinates = outer.coordinates;
	return ok;
}

static enum ch_put
put_geometry(const struct ch_column *c, struct slice v, bool text, struct buf *out)
{
	struct wkb w = { .out = out };
	struct buf bytes;
	size_t at;
	bool ok;

	buf_init(&bytes, v.n + 1);
	if (text && !ch_hex_decode(v, &bytes)) {
		buf_done(&bytes);
		return CH_PUT_BAD;
	}
	w.r = rbuf_of(text ? buf_slice(&bytes) : v);
	at = ch_string_begin(out);
	ok = put_shape(&w, 0, true) && rbuf_done(&w.r);
	buf_done(&bytes);
	/* a kind of shape that is not known here */
	return ok ? ch_string_end(out, at) : CH_PUT_LOSSY;
}

const struct ch_family ch_family_geometry = { .string = { put_geometry, false } };
