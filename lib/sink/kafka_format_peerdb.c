/*
 * peerdb-json: {"kind","old","new","checkpoint","commit_time","transaction_id",
 * "source","unchanged_columns"}, members that have no value left out. A row of
 * the snapshot is an insert of transaction 0 at the beginning of time.
 */
#include "lib/sink/kafka_format_int.h"

#define NO_COMMIT_TIME "0001-01-01T00:00:00Z"

static bool
put_old(struct kafka_encoder *e, const struct kafka_table *kt, const struct kafka_event *ev,
    struct err *err)
{
	if (ev->old == NULL)
		return true;
	buf_str_add(e->w.out, ",\"old\":");
	return kafka_put_row(e, kt, ev->old, ev->old_whole ? KAFKA_ROW_KNOWN : KAFKA_ROW_KEY, err);
}

static bool
put_new(struct kafka_encoder *e, const struct kafka_table *kt, const struct kafka_event *ev,
    struct err *err)
{
	if (ev->new == NULL)
		return true;
	buf_str_add(e->w.out, ",\"new\":");
	return kafka_put_row(e, kt, ev->new, KAFKA_ROW_KNOWN, err);
}

static void
put_origin(struct kafka_encoder *e, const struct kafka_event *ev, struct buf *out)
{
	const struct transaction *tx = ev->o->tx;

	buf_str_add(out, ",\"checkpoint\":");
	kafka_put_u64(out, tx != NULL ? ev->lsn : 0);
	buf_str_add(out, ",\"commit_time\":\"");
	kafka_add(out, tx != NULL ? e->tx.commit_time : slice_str(NO_COMMIT_TIME));
	buf_str_add(out, "\",\"transaction_id\":");
	kafka_add(out, tx != NULL ? e->tx.xid : slice_str("0"));
}

static bool
put_value(struct kafka_encoder *e, const struct kafka_table *kt, const struct kafka_event *ev,
    struct err *err)
{
	struct buf *out = e->w.out;

	buf_str_add(out, "{\"kind\":\"");
	buf_str_add(out, kafka_op_name(ev->op == KAFKA_OP_READ ? KAFKA_OP_INSERT : ev->op));
	buf_char(out, '"');
	if (!put_old(e, kt, ev, err) || !put_new(e, kt, ev, err))
		return false;
	put_origin(e, ev, out);
	kafka_add(out, kt->source);
	if (e->unchanged.n > 0) {
		buf_str_add(out, ",\"unchanged_columns\":");
		kafka_add(out, buf_slice(&e->unchanged));
	}
	buf_char(out, '}');
	return true;
}

static void
prepare(struct kafka_encoder *e, struct arena *a, struct kafka_table *kt)
{
	struct buf text;

	buf_init(&text, MIB);
	buf_str_add(&text, ",\"source\":");
	kafka_json_string(&text, kt->label);
	kt->source = arena_dup_slice(a, buf_slice(&text));
	buf_done(&text);
}

/* {"kind":"ddl","ddl":"ALTER TABLE ..."} and the origin as above */
void
kafka_control_plain(struct kafka_encoder *e, const struct kafka_table *kt,
    const struct kafka_event *ev)
{
	const struct kafka_control *c = ev->control;
	struct buf *out = e->w.out;

	buf_printf(out, "{\"kind\":\"%s\"", kafka_op_name(ev->op));
	if (ev->op != KAFKA_OP_TRUNCATE) {
		buf_str_add(out, ev->op == KAFKA_OP_DDL ? ",\"ddl\":" : ",\"prefix\":");
		kafka_json_string(out, slice_str(c->text));
	}
	if (ev->op == KAFKA_OP_MESSAGE) {
		buf_str_add(out, ",\"content\":\"");
		kafka_put_base64(out, c->content);
		buf_char(out, '"');
	}
	put_origin(e, ev, out);
	if (kt != NULL) {
		buf_str_add(out, ",\"source\":");
		kafka_json_string(out, kt->label);
	}
	buf_char(out, '}');
}

const struct kafka_format kafka_format_peerdb = {
	.name = "peerdb-json",
	.style = KAFKA_STYLE_PEERDB,
	.sorted = true,
	.prepare = prepare,
	.value = put_value,
	.control = kafka_control_plain,
};
