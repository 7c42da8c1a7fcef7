/*
 * debezium-json: the envelope of Debezium's Postgres connector (version 2):
 *
 *	before, after, source{...}, op (c u d r t m), ts_ms, transaction
 *
 * and with schemas {"schema":...,"payload":...} around key and value. The
 * schema of a table is written once. Columns outside the key are optional in
 * it, whatever the source says: a deleted row has no values for them.
 */
#include <string.h>

#include "lib/sink/kafka_format_int.h"

/* ---- source */

static void
put_source_head(const struct kafka_encoder *e, struct buf *out)
{
	buf_str_add(out,
	    "{\"version\":\"" PEERD_VERSION "\",\"connector\":\"postgresql\",\"name\":");
	kafka_json_string(out, e->mirror);
	buf_str_add(out, ",\"db\":");
	kafka_json_string(out, slice_str(e->cfg.database));
}

static void
put_source_table(const char *schema, const char *name, struct buf *out)
{
	buf_str_add(out, ",\"schema\":");
	kafka_json_string(out, slice_str(schema));
	buf_str_add(out, ",\"table\":");
	kafka_json_string(out, slice_str(name));
}

/* Position of the transaction and of the change: texts of both order all events. */
static void
put_sequence(const struct kafka_event *ev, struct buf *out)
{
	buf_str_add(out, ",\"sequence\":\"[");
	if (ev->o->tx != NULL) {
		buf_str_add(out, "\\\"");
		kafka_put_u64(out, ev->o->tx->commit_lsn);
		buf_str_add(out, "\\\"");
	} else {
		buf_str_add(out, "null");
	}
	buf_str_add(out, ",\\\"");
	kafka_put_u64(out, ev->lsn);
	buf_str_add(out, "\\\"]\"");
}

static void
put_source_position(const struct kafka_event *ev, struct buf *out)
{
	const struct transaction *tx = ev->o->tx;

	buf_str_add(out, ",\"ts_ms\":");
	kafka_put_i64(out, (tx != NULL ? tx->commit_us : ev->o->now_us) / USEC_PER_MSEC);
	buf_str_add(out, tx != NULL ? ",\"snapshot\":\"false\"" : ",\"snapshot\":\"true\"");
	put_sequence(ev, out);
	buf_str_add(out, ",\"txId\":");
	if (tx != NULL && tx->xid != 0)
		kafka_put_u64(out, tx->xid);
	else
		buf_str_add(out, "null");
	buf_str_add(out, ",\"lsn\":");
	kafka_put_u64(out, ev->lsn);
	buf_str_add(out, ",\"xmin\":null}");
}

/* ---- envelope */

static void
put_transaction(const struct kafka_encoder *e, const struct kafka_event *ev, struct buf *out)
{
	const struct kafka_origin *o = ev->o;

	buf_str_add(out, ",\"transaction\":");
	if (o->tx == NULL || o->tx->xid == 0 || e->cfg.opt->transaction_topic[0] == '\0') {
		buf_str_add(out, "null");
		return;
	}
	buf_printf(out, "{\"id\":\"%u:%llu\",\"total_order\":", o->tx->xid,
	    (unsigned long long)o->tx->commit_lsn);
	kafka_put_u64(out, o->position + 1);
	buf_str_add(out, ",\"data_collection_order\":");
	kafka_put_u64(out, o->table_position + 1);
	buf_char(out, '}');
}

static void
put_tail(const struct kafka_encoder *e, const struct kafka_event *ev, struct buf *out)
{
	buf_str_add(out, ",\"op\":\"");
	buf_str_add(out, kafka_op_letter(ev->op));
	buf_str_add(out, "\",\"ts_ms\":");
	kafka_put_i64(out, ev->o->now_us / USEC_PER_MSEC);
	put_transaction(e, ev, out);
}

static bool
put_image(struct kafka_encoder *e, const struct kafka_table *kt, const struct row_value *values,
    struct err *err)
{
	if (values != NULL)
		return kafka_put_row(e, kt, values, KAFKA_ROW_ALL, err);
	buf_str_add(e->w.out, "null");
	return true;
}

static bool
put_value(struct kafka_encoder *e, const struct kafka_table *kt, const struct kafka_event *ev,
    struct err *err)
{
	struct buf *out = e->w.out;

	kafka_add(out, kt->value_before);
	buf_str_add(out, "{\"before\":");
	if (!put_image(e, kt, ev->old, err))
		return false;
	buf_str_add(out, ",\"after\":");
	if (!put_image(e, kt, ev->new, err))
		return false;
	buf_str_add(out, ",\"source\":");
	kafka_add(out, kt->source);
	put_source_position(ev, out);
	put_tail(e, ev, out);
	buf_char(out, '}');
	buf_str_add(out, kt->after);
	return true;
}

/* ---- schemas */

static void
put_fields(const struct kafka_table *kt, bool key, struct buf *out)
{
	const struct table *t = kt->t;
	uint16_t n = key ? t->nkeys : t->ncols, i, col;

	buf_str_add(out, "\"type\":\"struct\",\"fields\":[");
	for (i = 0; i < n; i++) {
		col = key ? t->keys[i] : i;
		buf_str_add(out, i > 0 ? ",{" : "{");
		kafka_column_schema(&kt->cols[col], !t->cols[col].key, out);
		buf_str_add(out, ",\"field\":");
		kafka_json_string(out, slice_str(kt->cols[col].name));
		buf_char(out, '}');
	}
	if (key && n == 0)
		buf_str_add(out, "{\"type\":\"string\",\"optional\":false,\"field\":\"hash\"}");
	buf_char(out, ']');
}

#define FIELD(type, optional, name) KAFKA_FIELD(type, optional, name) ","

/* Debezium knows the rows of a snapshot by this being its Enum. */
#define SNAPSHOT_FIELD                                                                     \
	"{\"type\":\"string\",\"optional\":true,\"name\":\"io.debezium.data.Enum\","       \
	"\"version\":1,\"parameters\":{\"allowed\":\"true,first,first_in_data_collection," \
	"last_in_data_collection,last,false,incremental\"},\"default\":\"false\","         \
	"\"field\":\"snapshot\"},"

/* clang-format off */
static const char source_schema[] = "{\"type\":\"struct\",\"fields\":["
    FIELD("string", "false", "version")
    FIELD("string", "false", "connector")
    FIELD("string", "false", "name")
    FIELD("string", "false", "db")
    FIELD("string", "false", "schema")
    FIELD("string", "false", "table")
    FIELD("int64", "false", "ts_ms")
    SNAPSHOT_FIELD
    FIELD("string", "true", "sequence")
    FIELD("int64", "true", "txId")
    FIELD("int64", "true", "lsn")
    KAFKA_FIELD("int64", "true", "xmin")
    "],\"optional\":false,\"name\":\"io.debezium.connector.postgresql.Source\","
    "\"field\":\"source\"},";

/* What put_tail() writes. */
static const char tail_schema[] =
    FIELD("string", "false", "op")
    FIELD("int64", "true", "ts_ms")
    "{\"type\":\"struct\",\"fields\":["
    FIELD("string", "false", "id")
    FIELD("int64", "false", "total_order")
    KAFKA_FIELD("int64", "false", "data_collection_order")
    "],\"optional\":true,\"name\":\"event.block\",\"version\":1,\"field\":\"transaction\"}";
/* clang-format on */

static void
put_image_schema(const struct kafka_table *kt, const char *field, struct buf *out)
{
	buf_char(out, '{');
	put_fields(kt, false, out);
	buf_printf(out, ",\"optional\":true,\"name\":\"%s.Value\",\"field\":\"%s\"},", kt->topic,
	    field);
}

static void
put_envelope_schema(const struct kafka_table *kt, struct buf *out)
{
	buf_str_add(out, "{\"schema\":{\"type\":\"struct\",\"fields\":[");
	put_image_schema(kt, "before", out);
	put_image_schema(kt, "after", out);
	buf_str_add(out, source_schema);
	buf_str_add(out, tail_schema);
	buf_printf(out,
	    "],\"optional\":false,\"name\":\"%s.Envelope\",\"version\":1},\"payload\":", kt->topic);
}

static void
put_key_schema(const struct kafka_table *kt, struct buf *out)
{
	buf_str_add(out, "{\"schema\":{");
	put_fields(kt, true, out);
	buf_printf(out, ",\"optional\":false,\"name\":\"%s.Key\"},\"payload\":", kt->topic);
}

static struct slice
keep(struct arena *a, struct buf *text)
{
	struct slice s = arena_dup_slice(a, buf_slice(text));

	buf_reset(text);
	return s;
}

static void
prepare(struct kafka_encoder *e, struct arena *a, struct kafka_table *kt)
{
	struct buf text;

	buf_init(&text, KAFKA_RECORD_MAX);
	put_source_head(e, &text);
	put_source_table(kt->t->source_schema, kt->t->source_name, &text);
	kt->source = keep(a, &text);
	if (e->cfg.opt->schemas) {
		put_key_schema(kt, &text);
		kt->key_before = keep(a, &text);
		put_envelope_schema(kt, &text);
		kt->value_before = keep(a, &text);
		kt->after = "}";
	}
	buf_done(&text);
}

/* ---- control records */

static void
put_control_body(const struct kafka_event *ev, struct buf *out)
{
	const struct kafka_control *c = ev->control;

	if (ev->op == KAFKA_OP_DDL) {
		buf_str_add(out, ",\"ddl\":");
		kafka_json_string(out, slice_str(c->text));
	} else if (ev->op == KAFKA_OP_MESSAGE) {
		buf_str_add(out, ",\"message\":{\"prefix\":");
		kafka_json_string(out, slice_str(c->text));
		buf_str_add(out, ",\"content\":\"");
		kafka_put_base64(out, c->content);
		buf_str_add(out, "\"}");
	}
}

static void
put_source(const struct kafka_encoder *e, const struct kafka_table *kt, struct buf *out)
{
	if (kt != NULL) {
		kafka_add(out, kt->source);
		return;
	}
	put_source_head(e, out);
	put_source_table("", "", out);
}

/* A TRUNCATE has the envelope and its schema; the others have no rows and no schema. */
static void
put_control(struct kafka_encoder *e, const struct kafka_table *kt, const struct kafka_event *ev)
{
	struct buf *out = e->w.out;

	if (kt != NULL)
		kafka_add(out, kt->value_before);
	buf_str_add(out,
	    kt != NULL ? "{\"before\":null,\"after\":null,\"source\":" : "{\"source\":");
	put_source(e, kt, out);
	put_source_position(ev, out);
	put_tail(e, ev, out);
	put_control_body(ev, out);
	buf_char(out, '}');
	if (kt != NULL)
		buf_str_add(out, kt->after);
}

const struct kafka_format kafka_format_debezium = {
	.name = "debezium-json",
	.style = KAFKA_STYLE_DEBEZIUM,
	.fills = true,
	.key_links = true,
	.prepare = prepare,
	.value = put_value,
	.control = put_control,
};
