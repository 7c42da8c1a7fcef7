/*
 * Record keys: an object of the key columns, in key order, so that all
 * changes of a row go to one partition. A table without key has none, or by
 * option a hash of the whole row.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/sink/kafka_format_int.h"

#include "lib/base/err.h"

bool
kafka_has_key(const struct kafka_encoder *e, const struct kafka_table *kt)
{
	return kt->t->nkeys > 0 || e->cfg.opt->keyless == KAFKA_KEYLESS_HASH;
}

/* NULL and the empty text differ by the length that is hashed. */
static uint64_t
hash_row(const struct kafka_table *kt, const struct row_value *values)
{
	uint64_t hash = 0;
	uint16_t i;

	for (i = 0; i < kt->t->ncols; i++) {
		hash = XXH3_64bits_withSeed(&values[i].len, sizeof(values[i].len), hash);
		if (values[i].len < ROW_UNCHANGED)
			hash = XXH3_64bits_withSeed(values[i].p, values[i].len, hash);
	}
	return hash;
}

static bool
put_key_columns(struct kafka_encoder *e, const struct kafka_table *kt,
    const struct row_value *values, struct err *err)
{
	const struct table *t = kt->t;
	struct row_value v;
	uint16_t i;

	buf_char(e->w.out, '{');
	for (i = 0; i < t->nkeys; i++) {
		v = values[t->keys[i]];
		if (v.len == ROW_UNCHANGED)
			return err_set(err, ERR_DATA,
			    "the source did not send the key: column \"%s\" of %s",
			    kt->cols[t->keys[i]].name, t->source_label);
		if (i > 0)
			buf_char(e->w.out, ',');
		if (!kafka_put_member(e, kt, t->keys[i], v, err))
			return false;
	}
	buf_char(e->w.out, '}');
	return true;
}

bool
kafka_key_build(struct kafka_encoder *e, const struct kafka_table *kt,
    const struct row_value *values, struct buf *out, struct err *err)
{
	buf_reset(out);
	if (!kafka_has_key(e, kt))
		return true;
	e->w.out = out;
	kafka_add(out, kt->key_before);
	if (kt->t->nkeys == 0)
		buf_printf(out, "{\"hash\":\"%016llx\"}", (unsigned long long)hash_row(kt, values));
	else if (!put_key_columns(e, kt, values, err))
		return false;
	buf_str_add(out, kt->after);
	return true;
}
