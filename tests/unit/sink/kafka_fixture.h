/*
 * kafka_fixture - columns, tables and records for Kafka, without a broker
 *
 *	fx_begin("NAME=value ...")	options as a mirror's env has them
 *	fx_value(...)			what one value becomes
 *	fx_table(), fx_record()		what changes of a table become
 *	fx_end()
 *
 * Whatever is written must be JSON to a reader that knows nothing of peerd.
 */
#ifndef PEERD_UNIT_KAFKA_FIXTURE_H
#define PEERD_UNIT_KAFKA_FIXTURE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/sink/kafka_format.h"
#include "lib/sink/kafka_value.h"
#include "lib/wire/json.h"
#include "tests/unit/types/change_fixture.h"

#define FX_ENV_MAX 8
#define FX_LSN	   24 /* of every change */

struct kafka_fixture {
	struct arena *a;
	PeerdbFlow__FlowConnectionConfigs mirror;
	struct kafka_options opt;
	struct kafka_encoder *e;
	struct kafka_table *kt;
	struct table *t;
	struct batch *b;
	struct transaction tx;
	struct kafka_records records;
	struct kafka_writer w;
	struct buf out;
	struct err err;
};

static struct kafka_fixture fx;

/* One setting; blanks in a value are written as tabs. */
static inline void
fx_add_env(char *pair)
{
	PeerdbFlow__FlowConnectionConfigs__EnvEntry *entry = arena_alloc(fx.a, sizeof(*entry));
	char *equals = strchr(pair, '='), *p;

	ck_assert_ptr_nonnull(equals);
	*equals = '\0';
	for (p = equals + 1; *p != '\0'; p++)
		if (*p == '\t')
			*p = ' ';
	peerdb_flow__flow_connection_configs__env_entry__init(entry);
	entry->key = pair;
	entry->value = equals + 1;
	fx.mirror.env[fx.mirror.n_env++] = entry;
}

static inline void
fx_set_env(const char *env)
{
	char *text = arena_strdup(fx.a, env), *pair;

	peerdb_flow__flow_connection_configs__init(&fx.mirror);
	fx.mirror.env = arena_zalloc(fx.a, FX_ENV_MAX * sizeof(*fx.mirror.env));
	while ((pair = strsep(&text, " ")) != NULL)
		if (*pair != '\0')
			fx_add_env(pair);
}

static inline void
fx_begin(const char *env)
{
	static const struct transaction tx = { .xid = 571,
		.commit_lsn = 0x16B374D848,
		.commit_us = 1709211662500000 };

	memset(&fx, 0, sizeof(fx));
	fx.a = arena_new(65536);
	fx.tx = tx;
	fx_set_env(env);
	ck_assert_msg(kafka_options_from(&fx.mirror, &fx.opt, &fx.err), "%s", fx.err.msg);
	kafka_writer_init(&fx.w);
	buf_init(&fx.out, 64 * MIB);
	fx.w.out = &fx.out;
	fx.b = batch_new(4);
}

static inline void
fx_end(void)
{
	kafka_encoder_free(&fx.e);
	kafka_writer_done(&fx.w);
	buf_done(&fx.out);
	batch_free(&fx.b);
	arena_free(&fx.a);
}

static inline void
fx_check_json(const char *text, size_t n)
{
	struct err err = ERR_INIT;
	cJSON *tree;

	ck_assert_msg(json_parse(text, n, &tree, &err), "%s: %s", err.msg, text);
	cJSON_Delete(tree);
}

/* ---- values */

/* base: pg_type's name, "[]" behind it for an array; modifier: -1 for none. */
static inline PeerdWorker__Column *
fx_column(const char *base, uint32_t oid, int32_t modifier)
{
	PeerdWorker__Column *c = arena_alloc(fx.a, sizeof(*c));
	const char *brackets = strchr(base, '[');

	peerd_worker__column__init(c);
	c->name = arena_strdup(fx.a, "c");
	c->type_name = arena_strdup(fx.a, base);
	c->base_name = arena_strndup(fx.a, base, strcspn(base, "["));
	c->base_oid = oid;
	c->base_modifier = modifier;
	for (; brackets != NULL; brackets = strchr(brackets + 1, '['))
		c->dimensions++;
	if (oid == 603) /* box */
		c->delimiter = arena_strdup(fx.a, ";");
	return c;
}

static inline int32_t
fx_numeric(int precision, int scale)
{
	return (int32_t)(((uint32_t)precision << 16 | ((uint32_t)scale & 0x7ff)) + 4);
}

/* JSON, or "LOSSY" or "BAD". text NULL: NULL. Memory of its own, so that a read past its end is seen. */
static inline const char *
fx_value(enum kafka_style style, PeerdWorker__Column *def, const char *text)
{
	static const char
	    *const failures[] = { [KAFKA_PUT_LOSSY] = "LOSSY", [KAFKA_PUT_BAD] = "BAD" };
	size_t n = text != NULL ? strlen(text) : 0;
	uint8_t *copy = malloc(n > 0 ? n : 1);
	struct row_value v = { text != NULL ? (uint32_t)n : ROW_NULL, copy };
	struct kafka_column c;
	enum kafka_put put;

	if (n > 0)
		memcpy(copy, text, n);
	kafka_column_init(&c, fx.a, def, style, &fx.opt);
	buf_reset(&fx.out);
	put = kafka_put_value(&fx.w, &c, v);
	free(copy);
	if (put != KAFKA_PUT_OK)
		return failures[put];
	fx_check_json(buf_str(&fx.out), fx.out.n);
	return buf_str(&fx.out);
}

/* ---- records */

static inline void
fx_encoder(void)
{
	struct kafka_encoder_config cfg = { .opt = &fx.opt,
		.mirror = "orders",
		.database = "shop" };

	fx.e = kafka_encoder_new(&cfg, &fx.err);
	ck_assert_msg(fx.e != NULL, "%s", fx.err.msg);
}

/* columns as in table_fixture.h; types: their oids in order, 0 ends them. */
static inline void
fx_table(const char *columns, const uint32_t *types)
{
	PeerdWorker__MirrorTable *def = fixture_def(fx.a, 0, columns);
	size_t i;

	for (i = 0; i < def->n_columns && types[i] != 0; i++)
		def->columns[i]->type_oid = types[i];
	fx.t = table_new(fx.a, 0, def);
	fx_encoder();
	ck_assert_msg(kafka_table_new(fx.e, fx.a, fx.t, &fx.kt, &fx.err), "%s", fx.err.msg);
}

static inline const struct row *
fx_row_at(const struct row *r, lsn_t lsn)
{
	struct row *copy;

	if (r == NULL)
		return NULL;
	copy = arena_dup(fx.a, r, sizeof(*r) + r->size);
	copy->lsn = lsn;
	return copy;
}

static inline bool
fx_try(const char *change)
{
	struct kafka_origin o = { .tx = &fx.tx,
		.position = 7,
		.table_position = 3,
		.now_us = 1709211663000000 };

	batch_reset(fx.b);
	fixture_changes(fx.b, fx.t, change);
	fx.b->changes[0].old = fx_row_at(fx.b->changes[0].old, FX_LSN);
	fx.b->changes[0].new = fx_row_at(fx.b->changes[0].new, FX_LSN);
	return kafka_record_build(fx.e, fx.kt, &fx.b->changes[0], &o, &fx.records, &fx.err);
}

/* The records of one change, written as in change_fixture.h. */
static inline void
fx_record(const char *change)
{
	unsigned i;

	ck_assert_msg(fx_try(change), "%s", fx.err.msg);
	for (i = 0; i < fx.records.n; i++) {
		if (fx.records.v[i].key.p != NULL)
			fx_check_json((const char *)fx.records.v[i].key.p, fx.records.v[i].key.n);
		if (fx.records.v[i].value.p != NULL)
			fx_check_json((const char *)fx.records.v[i].value.p,
			    fx.records.v[i].value.n);
	}
}

static inline const char *
fx_text(struct slice s)
{
	return s.p != NULL ? arena_strndup(fx.a, (const char *)s.p, s.n) : "~";
}

/* NULL: there is none of this name */
static inline const char *
fx_header(unsigned record, const char *name)
{
	const struct kafka_record *r = &fx.records.v[record];
	unsigned i;

	for (i = 0; i < r->nheaders; i++)
		if (strcmp((const char *)r->headers[i].name.p, name) == 0)
			return fx_text(r->headers[i].value);
	return NULL;
}

#endif
