/*
 * Records that the broker does not take: in pieces, or told of.
 */
#include <string.h>

#include "lib/sink/kafka_format_int.h"

#define RECORD_OVERHEAD 100  /* of a record in a batch of its own: lengths, CRC, timestamps */
#define HEADER_OVERHEAD 10   /* two lengths */
#define PART_HEADER_MAX 64   /* peerd.part and its value */
#define TOLD_MAX	1024 /* a header larger than this is not repeated in a dead letter */

size_t
kafka_record_bytes(const struct kafka_record *r)
{
	size_t n = RECORD_OVERHEAD + r->key.n + r->value.n;
	unsigned i;

	for (i = 0; i < r->nheaders; i++)
		n += HEADER_OVERHEAD + r->headers[i].name.n + r->headers[i].value.n;
	return n;
}

bool
kafka_record_part(struct kafka_encoder *e, const struct kafka_record *r, size_t most, unsigned i,
    struct kafka_record *part_r)
{
	size_t fixed = kafka_record_bytes(r) - r->value.n + PART_HEADER_MAX, room, parts, from;

	if (fixed >= most || r->value.n == 0)
		return false;
	room = most - fixed;
	parts = (r->value.n + room - 1) / room;
	if (i >= parts)
		return false;
	from = i * room;
	*part_r = *r;
	part_r->value = slice_of(r->value.p + from, i + 1 < parts ? room : r->value.n - from);
	snprintf(e->part, sizeof(e->part), "%u/%zu", i + 1, parts);
	kafka_add_header(part_r, "peerd.part", slice_str(e->part));
	return true;
}

static void
put_letter(struct buf *out, const struct kafka_record *r, size_t most)
{
	buf_str_add(out, "{\"reason\":\"record too large\",\"topic\":");
	kafka_json_string(out, slice_str(r->topic));
	buf_printf(out, ",\"key_bytes\":%zu,\"value_bytes\":%zu,\"maximum_bytes\":%zu}", r->key.n,
	    r->value.n, most);
}

void
kafka_record_bury(struct kafka_encoder *e, const struct kafka_record *r, size_t most,
    struct kafka_record *letter_r)
{
	struct kafka_record letter = { .topic = e->topics[KAFKA_TOPIC_DEAD_LETTERS] };
	unsigned i;

	buf_reset(&e->copy);
	put_letter(&e->copy, r, most);
	letter.value = buf_slice(&e->copy);
	for (i = 0; i < r->nheaders; i++)
		if (r->headers[i].value.n <= TOLD_MAX)
			letter.headers[letter.nheaders++] = r->headers[i];
	if (kafka_record_bytes(&letter) + r->key.n <= most)
		letter.key = r->key;
	*letter_r = letter;
}
