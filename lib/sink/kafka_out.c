#include "lib/base/err.h"
#include "lib/sink/kafka_int.h"

static bool
send_one(struct kafka_out *out, const struct kafka_record *r, struct err *err)
{
	const struct kclient_record to = {
		.topic = r->topic,
		.partition = KCLIENT_ANY_PARTITION,
		.key = r->key,
		.value = r->value,
		.headers = r->headers,
		.nheaders = r->nheaders,
	};

	return kclient_send(out->k, &to, err);
}

static bool
refuse(const struct kafka_record *r, size_t most, struct err *err)
{
	err_set(err, ERR_DATA,
	    "a record for topic \"%s\" has %zu bytes, more than the %zu that records may have: key "
	    "%.200s",
	    r->topic, kafka_record_bytes(r), most,
	    r->key.p != NULL && r->key.n <= 200 ? (const char *)r->key.p : "");
	return err_hint(err,
	    "raise max.message.bytes of the topic and the peer's max_record_batch_bytes, or set"
	    " PEERD_KAFKA_OVERSIZE to split or dead-letter");
}

static bool
send_parts(struct kafka_out *out, const struct kafka_record *r, size_t most, struct err *err)
{
	struct kafka_record part;
	unsigned i;

	for (i = 0; kafka_record_part(out->e, r, most, i, &part); i++)
		if (!send_one(out, &part, err))
			return false;
	return true;
}

static bool
send_large(struct kafka_out *out, const struct kafka_record *r, size_t most, struct err *err)
{
	struct kafka_record letter;

	if (out->opt->oversize == KAFKA_OVERSIZE_SPLIT)
		return send_parts(out, r, most, err);
	kafka_record_bury(out->e, r, most, &letter);
	return send_one(out, &letter, err);
}

/* Before the first of them is sent: may all be, in some way? */
static bool
check(struct kafka_out *out, const struct kafka_records *list, size_t most, struct err *err)
{
	struct kafka_record part;
	unsigned i;

	for (i = 0; i < list->n; i++) {
		if (kafka_record_bytes(&list->v[i]) <= most ||
		    out->opt->oversize == KAFKA_OVERSIZE_DEAD_LETTER)
			continue;
		if (out->opt->oversize == KAFKA_OVERSIZE_FAIL ||
		    !kafka_record_part(out->e, &list->v[i], most, 0, &part))
			return refuse(&list->v[i], most, err);
	}
	return true;
}

bool
kafka_out_send(struct kafka_out *out, const struct kafka_records *list, struct err *err)
{
	size_t most = kclient_record_max(out->k);
	const struct kafka_record *r;

	if (!check(out, list, most, err))
		return false;
	for (r = list->v; r < list->v + list->n; r++)
		if (!(kafka_record_bytes(r) <= most ? send_one(out, r, err)
						    : send_large(out, r, most, err)))
			return false;
	return true;
}
