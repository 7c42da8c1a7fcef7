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
	    text->of.commit_us == tx->commit_us && text->xid[0] != '\0')
		return;
	text->of = *tx;
	us += us < 0 ? USEC_PER_SEC : 0;
	rfc3339_print((tx->commit_us - us) / USEC_PER_SEC, (int32_t)us * 1000, text->commit_time);
	memcpy(text->commit_lsn, lsn_str(tx->commit_lsn), LSN_TEXT_MAX);
	snprintf(text->xid, sizeof(text->xid), "%u", tx->xid);
}

void
kafka_note_origin(struct kafka_encoder *e, const struct kafka_origin *o, lsn_t lsn)
{
	buf_reset(&e->ids);
	buf_room(&e->ids, KAFKA_RECORDS_MAX * KIB); /* so that ids stay where they are */
	if (o->tx != NULL)
		note_transaction(e, o->tx);
	if (e->cfg.opt->headers)
		memcpy(e->lsn, lsn_str(lsn), LSN_TEXT_MAX);
}

struct slice
kafka_id_of(struct kafka_encoder *e, const struct kafka_origin *o, const char *role)
{
	size_t from = e->ids.n;

	if (!e->cfg.opt->headers)
		return slice_of(NULL, 0);
	buf_str_add(&e->ids, o->tx != NULL ? e->tx.commit_lsn : o->partition);
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
	kafka_add_header(r, "peerd.mirror", slice_str(e->cfg.mirror));
	if (kt != NULL)
		kafka_add_header(r, "peerd.table", slice_str(kt->t->source_label));
	kafka_add_header(r, "peerd.op", slice_str(kafka_op_name(op)));
	kafka_add_header(r, "peerd.lsn", slice_str(e->lsn));
	if (o->tx != NULL) {
		kafka_add_header(r, "peerd.commit_time", slice_str(e->tx.commit_time));
		if (o->tx->xid != 0)
			kafka_add_header(r, "peerd.xid", slice_str(e->tx.xid));
	}
	if (kt != NULL)
		kafka_add_header(r, "peerd.schema_version", slice_of(kt->version, 16));
	kafka_add_header(r, "peerd.id", id);
}
