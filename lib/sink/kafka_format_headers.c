/*
 * Headers, alike in all formats. What is the same for a whole transaction is
 * written once for it.
 */
#include <string.h>

#include "lib/sink/kafka_format_int.h"

static void
note_transaction(struct kafka_encoder *e, const struct transaction *tx)
{
	struct kafka_transaction_text *text = &e->tx;
	usec_t us = tx->commit_us % USEC_PER_SEC;

	if (text->of.commit_lsn == tx->commit_lsn && text->of.xid == tx->xid &&
	    text->of.commit_us == tx->commit_us && text->xid.n > 0)
		return;
	text->of = *tx;
	us += us < 0 ? USEC_PER_SEC : 0;
	rfc3339_print((tx->commit_us - us) / USEC_PER_SEC, (int32_t)us * 1000, text->time);
	text->lsn = lsn_format(tx->commit_lsn);
	snprintf(text->xid_digits, sizeof(text->xid_digits), "%u", tx->xid);
	text->commit_lsn = slice_of(text->lsn.s, text->lsn.n);
	text->commit_time = slice_str(text->time);
	text->xid = slice_str(text->xid_digits);
}

void
kafka_note_origin(struct kafka_encoder *e, const struct kafka_origin *o, lsn_t lsn)
{
	buf_reset(&e->ids);
	buf_room(&e->ids, KAFKA_RECORDS_MAX * KIB); /* so that ids stay where they are */
	if (o->tx != NULL)
		note_transaction(e, o->tx);
	if (e->cfg.opt->headers)
		e->lsn = lsn_format(lsn);
}

struct slice
kafka_id_of(struct kafka_encoder *e, const struct kafka_origin *o, const char *role)
{
	size_t from = e->ids.n;

	if (!e->cfg.opt->headers)
		return slice_of(NULL, 0);
	kafka_add(&e->ids, o->tx != NULL ? e->tx.commit_lsn : slice_str(o->partition));
	buf_char(&e->ids, ':');
	kafka_put_u64(&e->ids, o->position);
	buf_str_add(&e->ids, role);
	return slice_of(e->ids.p + from, e->ids.n - from);
}

void
kafka_add_headers(struct kafka_encoder *e, const struct kafka_table *kt, enum kafka_op op,
    const struct kafka_origin *o, struct slice id, struct kafka_record *r)
{
	if (!e->cfg.opt->headers)
		return;
	kafka_add_header(r, "peerd.mirror", e->mirror);
	if (kt != NULL)
		kafka_add_header(r, "peerd.table", kt->label);
	kafka_add_header(r, "peerd.op", slice_str(kafka_op_name(op)));
	kafka_add_header(r, "peerd.lsn", slice_of(e->lsn.s, e->lsn.n));
	if (o->tx != NULL) {
		kafka_add_header(r, "peerd.commit_time", e->tx.commit_time);
		if (o->tx->xid != 0)
			kafka_add_header(r, "peerd.xid", e->tx.xid);
	}
	if (kt != NULL)
		kafka_add_header(r, "peerd.schema_version", slice_of(kt->version, 16));
	kafka_add_header(r, "peerd.id", id);
}
