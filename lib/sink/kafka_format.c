#include "lib/sink/kafka_format.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/sink/kafka_format_int.h"

/* ---- the formats */

static const struct kafka_format *const formats[] = {
	&kafka_format_peerdb,
	&kafka_format_debezium,
	&kafka_format_plain,
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

const struct kafka_format *
kafka_format_find(const char *name)
{
	size_t i;

	for (i = 0; i < FORMATS; i++)
		if (strcasecmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

const char *
kafka_op_name(enum kafka_op op)
{
	static const char *const names[] = {
#define X(name, words, letter) words,
		KAFKA_OPS(X)
#undef X
	};

	return names[op];
}

const char *
kafka_op_letter(enum kafka_op op)
{
	static const char *const letters[] = {
#define X(name, words, letter) letter,
		KAFKA_OPS(X)
#undef X
	};

	return letters[op];
}

/* ---- encoder */

static bool
name_topics(struct kafka_encoder *e, struct err *err)
{
	const struct kafka_options *opt = e->cfg.opt;
	const struct {
		enum kafka_topic_kind kind;
		const char *template;
		bool wanted;
	} kinds[] = {
		{ KAFKA_TOPIC_CONTROL, opt->control_topic,
		    (opt->controls & (KAFKA_CONTROL_DDL | KAFKA_CONTROL_MESSAGE)) != 0 },
		{ KAFKA_TOPIC_TRANSACTIONS, opt->transaction_topic,
		    opt->transaction_topic[0] != '\0' },
		{ KAFKA_TOPIC_DEAD_LETTERS, opt->dead_letter_topic,
		    opt->oversize == KAFKA_OVERSIZE_DEAD_LETTER },
	};
	size_t i;

	for (i = 0; i < KAFKA_TOPIC_KINDS; i++)
		if (kinds[i].wanted &&
		    !kafka_topic_of(kinds[i].template, e->cfg.mirror, NULL,
			e->topics[kinds[i].kind], err))
			return false;
	return true;
}

struct kafka_encoder *
kafka_encoder_new(const struct kafka_encoder_config *cfg, struct err *err)
{
	struct kafka_encoder *e = xcalloc(1, sizeof(*e));
	struct buf *const bufs[] = { &e->keys[0], &e->keys[1], &e->values[0], &e->values[1],
		&e->unchanged, &e->copy };
	size_t i;

	e->cfg = *cfg;
	e->mirror = slice_str(cfg->mirror);
	e->format = cfg->opt->format;
	kafka_writer_init(&e->w);
	buf_init(&e->ids, MIB);
	for (i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		buf_init(bufs[i], KAFKA_RECORD_MAX);
	if (!name_topics(e, err))
		kafka_encoder_free(&e);
	return e;
}

void
kafka_encoder_free(struct kafka_encoder **ep)
{
	struct kafka_encoder *e = *ep;
	int i;

	if (e == NULL)
		return;
	kafka_writer_done(&e->w);
	for (i = 0; i < 2; i++) {
		buf_done(&e->keys[i]);
		buf_done(&e->values[i]);
	}
	buf_done(&e->ids);
	buf_done(&e->unchanged);
	buf_done(&e->copy);
	free(e);
	*ep = NULL;
}

const char *
kafka_encoder_topic(const struct kafka_encoder *e, enum kafka_topic_kind kind)
{
	return e->topics[kind];
}

/* ---- tables */

static void
order_members(const struct kafka_table *kt, bool sorted)
{
	uint16_t i, j, moved;

	for (i = 0; i < kt->t->ncols; i++) {
		moved = i;
		for (j = i; sorted && j > 0; j--) {
			if (strcmp(kt->cols[kt->order[j - 1]].name, kt->cols[moved].name) <= 0)
				break;
			kt->order[j] = kt->order[j - 1];
		}
		kt->order[j] = moved;
	}
}

/* Of names, types and keys: another version means that rows look different. */
static uint64_t
hash_columns(const struct table *t)
{
	uint64_t hash = 0;
	uint16_t i;

	for (i = 0; i < t->ncols; i++) {
		hash = XXH3_64bits_withSeed(t->cols[i].destination, strlen(t->cols[i].destination),
		    hash);
		hash = XXH3_64bits_withSeed(t->cols[i].type_name, strlen(t->cols[i].type_name),
		    hash ^ t->cols[i].key);
	}
	return hash;
}

static void
make_columns(struct kafka_encoder *e, struct arena *a, struct kafka_table *kt)
{
	const PeerdWorker__MirrorTable *def = kt->t->def;
	uint16_t n = 0;
	size_t i;

	for (i = 0; i < def->n_columns; i++)
		if (def->columns[i]->generated[0] == '\0')
			kafka_column_init(&kt->cols[n++], a, def->columns[i], e->format->style,
			    e->cfg.opt);
}

bool
kafka_table_new(struct kafka_encoder *e, struct arena *a, const struct table *t,
    struct kafka_table **kt_r, struct err *err)
{
	struct kafka_table *kt = arena_zalloc(a, sizeof(*kt));

	kt->t = t;
	kt->label = slice_str(t->source_label);
	if (!kafka_topic_of(e->cfg.opt->topic, e->cfg.mirror, t, kt->topic, err))
		return false;
	kt->cols = arena_zalloc(a, t->ncols * sizeof(*kt->cols));
	kt->order = arena_zalloc(a, t->ncols * sizeof(*kt->order));
	kt->old = arena_zalloc(a, t->ncols * sizeof(*kt->old));
	kt->new = arena_zalloc(a, t->ncols * sizeof(*kt->new));
	kt->after = "";
	make_columns(e, a, kt);
	order_members(kt, e->format->sorted);
	snprintf(kt->version, sizeof(kt->version), "%016llx", (unsigned long long)hash_columns(t));
	if (e->format->prepare != NULL)
		e->format->prepare(e, a, kt);
	*kt_r = kt;
	return true;
}

/* ---- rows */

static bool
refuse_value(const struct kafka_encoder *e, const struct kafka_table *kt, uint16_t col,
    struct row_value v, bool bad, struct err *err)
{
	const char *type = kt->t->cols[col].type_name;
	int n = v.len < 64 ? (int)v.len : 64;

	if (bad)
		return err_set(err, ERR_PROTOCOL, "\"%.*s\" is no value of %s: column \"%s\" of %s",
		    n, v.p, type, kt->cols[col].name, kt->t->source_label);
	err_set(err, ERR_DATA, "%s cannot carry the %s value %.*s: column \"%s\" of %s",
	    e->format->name, type, n, v.p, kt->cols[col].name, kt->t->source_label);
	return err_hint(err,
	    "set on_lossy_value to null, or see docs/kafka.md for other ways to "
	    "write this type");
}

bool
kafka_put_member(struct kafka_encoder *e, const struct kafka_table *kt, uint16_t col,
    struct row_value v, struct err *err)
{
	const struct kafka_column *c = &kt->cols[col];
	struct buf *out = e->w.out;
	enum kafka_put put;
	size_t before;

	kafka_add(out, c->label);
	before = out->n;
	put = kafka_put_value(&e->w, c, v);
	if (put == KAFKA_PUT_OK)
		return true;
	if (put == KAFKA_PUT_BAD || e->cfg.opt->lossy == KAFKA_LOSSY_ERROR)
		return refuse_value(e, kt, col, v, put == KAFKA_PUT_BAD, err);
	out->n = before;
	buf_str_add(out, "null");
	return true;
}

static bool
is_left_out(const struct kafka_table *kt, uint16_t col, struct row_value v, enum kafka_row which)
{
	if (which == KAFKA_ROW_KEY)
		return kt->t->nkeys > 0 && !kt->t->cols[col].key;
	return which == KAFKA_ROW_KNOWN && v.len == ROW_UNCHANGED;
}

bool
kafka_put_row(struct kafka_encoder *e, const struct kafka_table *kt, const struct row_value *values,
    enum kafka_row which, struct err *err)
{
	struct buf *out = e->w.out;
	uint16_t i, col;
	char before = '{';

	for (i = 0; i < kt->t->ncols; i++) {
		col = kt->order[i];
		if (is_left_out(kt, col, values[col], which))
			continue;
		buf_char(out, before);
		before = ',';
		if (values[col].len == ROW_UNCHANGED) {
			kafka_add(out, kt->cols[col].label);
			kafka_put_absent(&e->w, &kt->cols[col]);
		} else if (!kafka_put_member(e, kt, col, values[col], err)) {
			return false;
		}
	}
	buf_str_add(out, before == '{' ? "{}" : "}");
	return true;
}
