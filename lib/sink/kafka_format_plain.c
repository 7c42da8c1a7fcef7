/*
 * plain-json: the row and nothing else; what happened to it is in the headers.
 * A delete has no value, so that compaction forgets the key; that of a table
 * without key has the old row.
 */
#include "lib/sink/kafka_format_int.h"

static bool
put_value(struct kafka_encoder *e, const struct kafka_table *kt, const struct kafka_event *ev,
    struct err *err)
{
	if (ev->new != NULL)
		return kafka_put_row(e, kt, ev->new, KAFKA_ROW_KNOWN, err);
	return kafka_has_key(e, kt) || kafka_put_row(e, kt, ev->old, KAFKA_ROW_KNOWN, err);
}

const struct kafka_format kafka_format_plain = {
	.name = "plain-json",
	.style = KAFKA_STYLE_PLAIN,
	.value = put_value,
	.control = kafka_control_plain,
};
