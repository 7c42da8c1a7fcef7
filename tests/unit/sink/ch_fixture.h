/*
 * ch_fixture - columns and tables for ClickHouse, without a server
 *
 * A column is made as pginfo would find it; a value is text, or hexadecimal
 * digits for the binary form. What is written comes back as hexadecimal digits.
 */
#ifndef PEERD_UNIT_CH_FIXTURE_H
#define PEERD_UNIT_CH_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/conn/chcaps.h"
#include "lib/sink/ch_encode.h"
#include "lib/sink/ch_types.h"

#define CURRENT "26.7.2.1"
#define OLDEST	"18.16.1"

struct ch_fixture {
	struct arena *a;
	struct ch_caps caps;
	struct ch_options opt;
	struct buf out;
	struct err err;
};

static struct ch_fixture fx;

static inline void
fx_begin(const char *version)
{
	memset(&fx, 0, sizeof(fx));
	fx.a = arena_new(65536);
	fx.opt.nullable = true;
	buf_init(&fx.out, 64 * MIB);
	ck_assert(ch_caps_of(version, &fx.caps, &fx.err));
}

static inline void
fx_end(void)
{
	buf_done(&fx.out);
	arena_free(&fx.a);
}

static inline PeerdWorker__Column *
fx_column(const char *name, const char *base, uint32_t oid, char kind, int dims)
{
	PeerdWorker__Column *c = arena_alloc(fx.a, sizeof(*c));

	peerd_worker__column__init(c);
	c->name = arena_strdup(fx.a, name);
	c->destination_name = c->name;
	c->type_name = arena_printf(fx.a, "%s%s", base, dims > 0 ? "[]" : "");
	c->type_oid = c->base_oid = oid;
	c->base_name = arena_strdup(fx.a, base);
	c->base_kind = arena_printf(fx.a, "%c", kind);
	c->dimensions = dims;
	return c;
}

/* typmod of numeric(precision, scale) */
static inline int32_t
fx_numeric(int precision, int scale)
{
	return (int32_t)(((uint32_t)precision << 16 | ((uint32_t)scale & 0x7ff)) + 4);
}

/* type: what the mapping asks for, or NULL. */
static inline bool
fx_init(struct ch_column *c, PeerdWorker__Column *def, const char *type)
{
	PeerdbFlow__ColumnSetting set = PEERDB_FLOW__COLUMN_SETTING__INIT;

	err_clear(&fx.err);
	set.destination_type = arena_strdup(fx.a, type != NULL ? type : "");
	return ch_column_init(c, def, type != NULL ? &set : NULL, &fx.opt, &fx.caps, &fx.err);
}

static inline const char *
fx_type(const struct ch_column *c)
{
	return ch_type_format(&c->type, arena_alloc(fx.a, CH_TYPE_TEXT_MAX));
}

static inline struct slice
fx_unhex(const char *hex)
{
	size_t n = strlen(hex) / 2, i;
	uint8_t *p = arena_alloc(fx.a, n + 1);
	unsigned v;

	for (i = 0; i < n; i++) {
		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &v), 1);
		p[i] = (uint8_t)v;
	}
	return slice_of(p, n);
}

static inline const char *
fx_hex(const void *from, size_t n)
{
	const uint8_t *p = from;
	struct buf b;
	const char *text;

	buf_init(&b, 2 * n + 1);
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%02x", p[i]);
	text = arena_strdup(fx.a, buf_str(&b));
	buf_done(&b);
	return text;
}

/* What a value becomes; NULL when it is refused (fx.err says why). */
static inline const char *
fx_encode(const struct ch_column *c, struct slice v, bool text)
{
	/* memory of its own, without a NUL, so that a read past the end is seen */
	uint8_t *copy = malloc(v.n > 0 ? v.n : 1);
	struct row_value value = { .len = (uint32_t)v.n, .p = copy };
	bool ok;

	if (v.n > 0)
		memcpy(copy, v.p, v.n);
	buf_reset(&fx.out);
	err_clear(&fx.err);
	ok = ch_encode_value(c, value, text, &fx.out, &fx.err);
	free(copy);
	ck_assert(ok || fx.out.n == 0);
	return ok ? fx_hex(fx.out.p, fx.out.n) : NULL;
}

static inline const char *
fx_encode_null(const struct ch_column *c)
{
	struct row_value value = { .len = ROW_NULL };

	buf_reset(&fx.out);
	err_clear(&fx.err);
	if (!ch_encode_value(c, value, true, &fx.out, &fx.err))
		return NULL;
	return fx_hex(fx.out.p, fx.out.n);
}

#endif
