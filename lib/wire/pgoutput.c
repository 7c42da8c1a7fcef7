#include "lib/wire/pgoutput.h"

#include "lib/base/err.h"

/*
 * Begin     'B'  u64 final lsn   i64 commit time   u32 xid
 * Commit    'C'  u8 flags   u64 commit lsn   u64 end lsn   i64 commit time
 * Origin    'O'  u64 lsn   cstr name
 * Relation  'R'  u32 relid   cstr schema   cstr name   u8 identity   u16 ncols
 *                then per column:  u8 key   cstr name   u32 type   i32 modifier
 * Type      'Y'  u32 oid   cstr schema   cstr name
 * Insert    'I'  u32 relid   'N' tuple
 * Update    'U'  u32 relid   ['K' | 'O' tuple]   'N' tuple
 * Delete    'D'  u32 relid   'K' | 'O' tuple
 * Truncate  'T'  u32 nrels   u8 flags   nrels times u32 relid
 * Message   'M'  u8 flags   u64 lsn   cstr prefix   u32 length   bytes
 *
 * tuple     u16 ncols, then per column:  'n' | 'u' | 't' u32 len bytes | 'b' u32 len bytes
 *
 * An empty schema name means pg_catalog.
 */

struct pgoutput_column
pgoutput_next_column(struct rbuf *r)
{
	struct pgoutput_column c;

	c.key = (rbuf_u8(r) & 1) != 0;
	c.name = rbuf_cstr(r);
	c.type_oid = rbuf_u32(r);
	c.type_modifier = (int32_t)rbuf_u32(r);
	return c;
}

static void
decode_begin(struct rbuf *r, struct pgoutput_msg *m)
{
	m->begin.final_lsn = rbuf_u64(r);
	m->begin.commit_time = (int64_t)rbuf_u64(r);
	m->begin.xid = rbuf_u32(r);
}

static void
decode_commit(struct rbuf *r, struct pgoutput_msg *m)
{
	rbuf_u8(r);
	m->commit.commit_lsn = rbuf_u64(r);
	m->commit.end_lsn = rbuf_u64(r);
	m->commit.commit_time = (int64_t)rbuf_u64(r);
}

static void
decode_origin(struct rbuf *r, struct pgoutput_msg *m)
{
	rbuf_u64(r);
	rbuf_cstr(r);
}

static void
decode_relation(struct rbuf *r, struct pgoutput_msg *m)
{
	struct pgoutput_relation *rel = &m->relation;
	uint16_t i;

	rel->relid = rbuf_u32(r);
	rel->schema = rbuf_cstr(r);
	rel->name = rbuf_cstr(r);
	rel->identity = (char)rbuf_u8(r);
	rel->ncols = rbuf_u16(r);
	if (rel->schema[0] == '\0')
		rel->schema = "pg_catalog";
	rel->cols = *r;
	for (i = 0; i < rel->ncols && rbuf_ok(r); i++)
		pgoutput_next_column(r);
}

static void
decode_type(struct rbuf *r, struct pgoutput_msg *m)
{
	rbuf_u32(r);
	rbuf_cstr(r);
	rbuf_cstr(r);
}

static void
decode_tuple(struct rbuf *r, struct pgoutput_tuple *t)
{
	struct pgoutput_value v;
	uint16_t i;

	t->ncols = rbuf_u16(r);
	t->values = *r;
	for (i = 0; i < t->ncols && rbuf_ok(r); i++) {
		v = pgoutput_next_value(r);
		if (v.form != 'n' && v.form != 'u' && v.form != 't' && v.form != 'b')
			r->failed = true;
	}
}

static void
decode_change(struct rbuf *r, struct pgoutput_msg *m)
{
	struct pgoutput_change *c = &m->change;
	char form;

	c->relid = rbuf_u32(r);
	form = (char)rbuf_u8(r);
	c->old_form = '\0';
	c->has_new = false;
	if (form == 'K' || form == 'O') {
		c->old_form = form;
		decode_tuple(r, &c->old);
		if (m->kind == PGOUTPUT_UPDATE)
			form = (char)rbuf_u8(r);
	}
	if (form == 'N') {
		c->has_new = true;
		decode_tuple(r, &c->new);
	}
	/* an insert has only the new tuple, a delete only the old, an update at least the new */
	if (c->has_new != (m->kind != PGOUTPUT_DELETE) ||
	    (c->old_form != '\0' && m->kind == PGOUTPUT_INSERT) ||
	    (c->old_form == '\0' && m->kind == PGOUTPUT_DELETE))
		r->failed = true;
}

static void
decode_truncate(struct rbuf *r, struct pgoutput_msg *m)
{
	struct pgoutput_truncate *t = &m->truncate;
	struct slice ids;

	t->nrels = rbuf_u32(r);
	t->flags = rbuf_u8(r);
	ids = rbuf_bytes(r, (size_t)t->nrels * 4);
	t->relids = rbuf_of(ids);
}

static void
decode_message(struct rbuf *r, struct pgoutput_msg *m)
{
	struct pgoutput_message *msg = &m->message;

	msg->transactional = (rbuf_u8(r) & 1) != 0;
	msg->lsn = rbuf_u64(r);
	msg->prefix = rbuf_cstr(r);
	msg->content = rbuf_bytes(r, rbuf_u32(r));
}

static void (*const decoders[128])(struct rbuf *, struct pgoutput_msg *) = {
	[PGOUTPUT_BEGIN] = decode_begin,
	[PGOUTPUT_COMMIT] = decode_commit,
	[PGOUTPUT_ORIGIN] = decode_origin,
	[PGOUTPUT_RELATION] = decode_relation,
	[PGOUTPUT_TYPE] = decode_type,
	[PGOUTPUT_INSERT] = decode_change,
	[PGOUTPUT_UPDATE] = decode_change,
	[PGOUTPUT_DELETE] = decode_change,
	[PGOUTPUT_TRUNCATE] = decode_truncate,
	[PGOUTPUT_MESSAGE] = decode_message,
};

bool
pgoutput_decode(struct slice bytes, struct pgoutput_msg *msg_r, struct err *err)
{
	struct rbuf r = rbuf_of(bytes);
	uint8_t kind = rbuf_u8(&r);
	struct pgoutput_msg m;

	if (kind >= 128 || decoders[kind] == NULL)
		return err_set(err, ERR_PROTOCOL, "unknown replication message of kind 0x%02x",
		    kind);
	m.kind = kind;
	decoders[kind](&r, &m);
	if (!rbuf_done(&r))
		return err_set(err, ERR_PROTOCOL, "malformed replication message \"%c\"", kind);
	*msg_r = m;
	return true;
}
