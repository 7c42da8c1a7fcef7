/*
 * Records that are no rows: TRUNCATE, DDL, logical messages, and the begin and
 * end of transactions.
 */
#include <string.h>

#include "lib/sink/kafka_format_int.h"

static struct kafka_record *
only_record(struct kafka_encoder *e, const char *topic, struct kafka_records *records)
{
	struct kafka_record *r = &records->v[0];

	records->n = 1;
	*r = (struct kafka_record){ .topic = topic };
	buf_reset(&e->values[0]);
	e->w.out = &e->values[0];
	return r;
}

static enum kafka_op
control_op(enum kafka_controls kind)
{
	return kind == KAFKA_CONTROL_TRUNCATE ? KAFKA_OP_TRUNCATE
	    : kind == KAFKA_CONTROL_DDL	      ? KAFKA_OP_DDL
					      : KAFKA_OP_MESSAGE;
}

bool
kafka_control_build(struct kafka_encoder *e, const struct kafka_control *c,
    const struct kafka_origin *o, struct kafka_records *records_r, struct err *err)
{
	const struct kafka_table *kt = c->kind == KAFKA_CONTROL_TRUNCATE ? c->table : NULL;
	struct kafka_event ev = { .op = control_op(c->kind), .o = o, .lsn = o->lsn, .control = c };
	struct kafka_record *r;

	records_r->n = 0;
	if ((e->cfg.opt->controls & c->kind) == 0)
		return true;
	kafka_note_origin(e, o, o->lsn);
	r = only_record(e, kt != NULL ? kt->topic : e->topics[KAFKA_TOPIC_CONTROL], records_r);
	e->format->control(e, kt, &ev);
	r->value = buf_slice(&e->values[0]);
	/* a message alone may end where a transaction's commit begins */
	kafka_add_headers(e, kt, ev.op, o, kafka_id_of(e, o, o->tx->xid == 0 ? ":message" : ""), r);
	return true;
}

/* ---- transactions: as Debezium's transaction metadata, in all formats */

#define METADATA(name) "io.debezium.connector.common.TransactionMetadata" name

/* clang-format off */
static const char key_schema[] = "{\"schema\":{\"type\":\"struct\",\"fields\":["
    KAFKA_FIELD("string", "false", "id")
    "],\"optional\":false,\"name\":\"" METADATA("Key") "\",\"version\":1},\"payload\":";

static const char value_schema[] = "{\"schema\":{\"type\":\"struct\",\"fields\":["
    KAFKA_FIELD("string", "false", "status") ","
    KAFKA_FIELD("string", "false", "id") ","
    KAFKA_FIELD("int64", "true", "event_count") ","
    "{\"type\":\"array\",\"items\":{\"type\":\"struct\",\"fields\":["
	KAFKA_FIELD("string", "false", "data_collection") ","
	KAFKA_FIELD("int64", "false", "event_count")
	"],\"optional\":true,\"name\":\"event.collection\",\"version\":1},"
	"\"optional\":true,\"field\":\"data_collections\"},"
    KAFKA_FIELD("int64", "false", "ts_ms")
    "],\"optional\":false,\"name\":\"" METADATA("Value") "\",\"version\":1},\"payload\":";
/* clang-format on */

static bool
has_schemas(const struct kafka_encoder *e)
{
	return e->format->style == KAFKA_STYLE_DEBEZIUM && e->cfg.opt->schemas;
}

static void
put_counts(struct buf *out, const struct kafka_transaction_count *counts, unsigned n)
{
	uint64_t all = 0;
	unsigned i;

	for (i = 0; i < n; i++)
		all += counts[i].changes;
	buf_str_add(out, ",\"event_count\":");
	kafka_put_u64(out, all);
	buf_str_add(out, ",\"data_collections\":[");
	for (i = 0; i < n; i++) {
		buf_str_add(out, i > 0 ? ",{\"data_collection\":" : "{\"data_collection\":");
		kafka_json_string(out, slice_str(counts[i].t->source_label));
		buf_str_add(out, ",\"event_count\":");
		kafka_put_u64(out, counts[i].changes);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void
put_transaction_key(const struct kafka_encoder *e, const struct transaction *tx, struct buf *out)
{
	buf_str_add(out, has_schemas(e) ? key_schema : "");
	buf_printf(out, "{\"id\":\"%u:%llu\"}", tx->xid, (unsigned long long)tx->commit_lsn);
	buf_str_add(out, has_schemas(e) ? "}" : "");
}

/* counts NULL: of its begin */
static void
put_transaction_value(const struct kafka_encoder *e, const struct transaction *tx,
    const struct kafka_transaction_count *counts, unsigned n, struct buf *out)
{
	buf_str_add(out, has_schemas(e) ? value_schema : "");
	buf_printf(out, "{\"status\":\"%s\",\"id\":\"%u:%llu\",\"ts_ms\":%lld",
	    counts == NULL ? "BEGIN" : "END", tx->xid, (unsigned long long)tx->commit_lsn,
	    (long long)(tx->commit_us / USEC_PER_MSEC));
	if (counts != NULL)
		put_counts(out, counts, n);
	else
		buf_str_add(out, ",\"event_count\":null,\"data_collections\":null");
	buf_str_add(out, has_schemas(e) ? "}}" : "}");
}

bool
kafka_transaction_build(struct kafka_encoder *e, const struct kafka_origin *o,
    const struct kafka_transaction_count *counts, unsigned ncounts, struct kafka_records *records_r,
    struct err *err)
{
	enum kafka_op op = counts == NULL ? KAFKA_OP_BEGIN : KAFKA_OP_END;
	struct buf *key = &e->keys[0], *out = &e->values[0];
	struct kafka_record *r;

	records_r->n = 0;
	if (e->topics[KAFKA_TOPIC_TRANSACTIONS][0] == '\0')
		return true;
	kafka_note_origin(e, o, o->lsn);
	r = only_record(e, e->topics[KAFKA_TOPIC_TRANSACTIONS], records_r);
	buf_reset(key);
	put_transaction_key(e, o->tx, key);
	put_transaction_value(e, o->tx, counts, ncounts, out);
	r->key = buf_slice(key);
	r->value = buf_slice(out);
	kafka_add_headers(e, NULL, op, o, kafka_id_of(e, o, op == KAFKA_OP_END ? ":end" : ":begin"),
	    r);
	return true;
}
