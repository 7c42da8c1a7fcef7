/*
 * From a change to its records: which ones, with which key, value and headers.
 */
#include <string.h>

#include "lib/base/err.h"
#include "lib/sink/kafka_format_int.h"

/* ---- the values of a change */

/* Take from the old row what the new one lacks: key columns always, others if asked to. */
static void
complete_new(struct kafka_encoder *e, struct kafka_table *kt, bool old_whole)
{
	bool fill = e->format->fills || e->cfg.opt->unchanged == KAFKA_UNCHANGED_FILL;
	const struct table *t = kt->t;
	uint16_t i;

	for (i = 0; i < t->ncols; i++) {
		if (kt->new[i].len != ROW_UNCHANGED || kt->old[i].len == ROW_UNCHANGED)
			continue;
		if (t->cols[i].key || (old_whole && (fill || t->nkeys == 0)))
			kt->new[i] = kt->old[i];
	}
}

static void
load_values(struct kafka_encoder *e, struct kafka_table *kt, const struct change *c)
{
	uint16_t n = kt->t->ncols;

	if (c->old != NULL)
		row_values(c->old, n, kt->old);
	if (c->new != NULL)
		row_values(c->new, n, kt->new);
	if (c->old != NULL && c->new != NULL)
		complete_new(e, kt, c->old_whole);
}

/* A JSON array of the names of columns whose values are not known; nothing if all are. */
static void
list_unchanged(struct kafka_encoder *e, const struct kafka_table *kt,
    const struct row_value *values)
{
	struct buf *out = &e->unchanged;
	uint16_t i, col;
	char before = '[';

	buf_reset(out);
	for (i = 0; values != NULL && i < kt->t->ncols; i++) {
		col = kt->order[i];
		if (values[col].len != ROW_UNCHANGED)
			continue;
		buf_char(out, before);
		before = ',';
		kafka_json_string(out, slice_str(kt->cols[col].name));
	}
	if (before == ',')
		buf_char(out, ']');
}

/* ---- one record */

static struct kafka_record *
add_record(struct kafka_encoder *e, const struct kafka_table *kt, enum kafka_op op,
    const struct kafka_origin *o, const char *role, struct kafka_records *records)
{
	struct kafka_record *r = &records->v[records->n++];

	r->topic = kt->topic;
	r->key = r->value = slice_of(NULL, 0);
	r->nheaders = 0;
	kafka_add_headers(e, kt, op, o, kafka_id_of(e, o, role), r);
	return r;
}

static struct slice
content(const struct buf *b)
{
	return b->n > 0 ? buf_slice(b) : slice_of(NULL, 0);
}

/* which: of the two keys and values */
static bool
add_event(struct kafka_encoder *e, const struct kafka_table *kt, const struct kafka_event *ev,
    int which, const char *role, struct kafka_records *records, struct err *err)
{
	struct kafka_record *r;

	buf_reset(&e->values[which]);
	list_unchanged(e, kt, ev->new);
	e->w.out = &e->values[which];
	if (!e->format->value(e, kt, ev, err))
		return false;
	r = add_record(e, kt, ev->op, ev->o, role, records);
	r->key = content(&e->keys[which]);
	r->value = content(&e->values[which]);
	if (e->unchanged.n > 0 && e->cfg.opt->headers)
		kafka_add_header(r, "peerd.unchanged_columns", buf_slice(&e->unchanged));
	return true;
}

/* A record of the key alone, unless the one before is that already. */
static void
add_tombstone(struct kafka_encoder *e, const struct kafka_table *kt, const struct kafka_origin *o,
    int which, struct kafka_records *records)
{
	struct kafka_record *r;

	if (!e->cfg.opt->tombstones || e->keys[which].n == 0 ||
	    records->v[records->n - 1].value.p == NULL)
		return;
	r = add_record(e, kt, KAFKA_OP_TOMBSTONE, o, ":tombstone", records);
	r->key = content(&e->keys[which]);
}

/* ---- the records of a change; key and value 1 are those of an old key that goes away */

static void
link_keys(struct kafka_encoder *e, struct kafka_record *gone, struct kafka_record *come)
{
	if (!e->format->key_links || !e->cfg.opt->headers)
		return;
	kafka_add_header(gone, "__debezium.newkey", content(&e->keys[0]));
	kafka_add_header(come, "__debezium.oldkey", content(&e->keys[1]));
}

static bool
build_rekey(struct kafka_encoder *e, const struct kafka_table *kt, const struct kafka_event *ev,
    struct kafka_records *records, struct err *err)
{
	struct kafka_event gone = *ev, come = *ev;

	gone.op = KAFKA_OP_DELETE;
	gone.new = NULL;
	come.op = KAFKA_OP_INSERT;
	come.old = NULL;
	if (!add_event(e, kt, &gone, 1, ":delete", records, err))
		return false;
	add_tombstone(e, kt, ev->o, 1, records);
	if (!add_event(e, kt, &come, 0, "", records, err))
		return false;
	link_keys(e, &records->v[0], &records->v[records->n - 1]);
	return true;
}

static bool
build_event(struct kafka_encoder *e, const struct kafka_table *kt, const struct kafka_event *ev,
    struct kafka_records *records, struct err *err)
{
	const struct row_value *identity = ev->new != NULL ? ev->new : ev->old;

	if (!kafka_key_build(e, kt, identity, &e->keys[0], err))
		return false;
	if (ev->op == KAFKA_OP_UPDATE && ev->old != NULL && e->keys[0].n > 0) {
		if (!kafka_key_build(e, kt, ev->old, &e->keys[1], err))
			return false;
		if (!slice_eq(buf_slice(&e->keys[0]), buf_slice(&e->keys[1])))
			return build_rekey(e, kt, ev, records, err);
	}
	if (!add_event(e, kt, ev, 0, "", records, err))
		return false;
	if (ev->op == KAFKA_OP_DELETE)
		add_tombstone(e, kt, ev->o, 0, records);
	return true;
}

static bool
build(struct kafka_encoder *e, const struct kafka_table *kt, const struct kafka_event *ev,
    struct kafka_records *records_r, struct err *err)
{
	int i;

	records_r->n = 0;
	kafka_note_origin(e, ev->o, ev->lsn);
	if (!build_event(e, kt, ev, records_r, err))
		return err_context(err, "change at %s", lsn_str(ev->lsn));
	for (i = 0; i < 2; i++) {
		if (!buf_overflowed(&e->keys[i]) && !buf_overflowed(&e->values[i]))
			continue;
		records_r->n = 0;
		buf_done(&e->values[i]);
		buf_init(&e->values[i], KAFKA_RECORD_MAX);
		return err_set(err, ERR_DATA,
		    "a record is larger than 1 GiB: table %s, change at %s", kt->t->source_label,
		    lsn_str(ev->lsn));
	}
	return true;
}

bool
kafka_record_build(struct kafka_encoder *e, struct kafka_table *kt, const struct change *c,
    const struct kafka_origin *o, struct kafka_records *records_r, struct err *err)
{
	static const enum kafka_op ops[CHANGE_OPS] = {
		[CHANGE_INSERT] = KAFKA_OP_INSERT,
		[CHANGE_UPDATE] = KAFKA_OP_UPDATE,
		[CHANGE_DELETE] = KAFKA_OP_DELETE,
	};
	struct kafka_event ev = {
		.op = ops[c->op],
		.old = c->old != NULL ? kt->old : NULL,
		.new = c->new != NULL ? kt->new : NULL,
		.old_whole = c->old_whole,
		.o = o,
		.lsn = c->new != NULL ? c->new->lsn : c->old->lsn,
	};

	load_values(e, kt, c);
	return build(e, kt, &ev, records_r, err);
}

bool
kafka_snapshot_build(struct kafka_encoder *e, struct kafka_table *kt,
    const struct row_value *values, const struct kafka_origin *o, struct kafka_records *records_r,
    struct err *err)
{
	struct kafka_event ev = { .op = KAFKA_OP_READ, .new = values, .o = o, .lsn = o->lsn };

	return build(e, kt, &ev, records_r, err);
}
