/*
 * A replication stream of any bytes, taken the way of the data path: decoded,
 * mapped to rows of tables, gathered in a batch, coalesced. What is not
 * refused must keep its promises: rows hold what the tuple held, segments
 * cover the changes, a key is in one set.
 *
 * Input: records. A record's first byte says whether it holds a message as it
 * is, behind a byte of length, or a few choices of which a message is built
 * that makes sense, but for one byte that may be spoiled. The tables are
 * announced before, so that changes reach rows at once.
 */
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/types/coalesce.h"
#include "lib/types/relmap.h"
#include "tests/unit/types/table_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TABLES 3

static const char *const columns[TABLES] = { "id:1 x y ~z", "a:2 b:1 c", "p q" };

struct stream {
	struct table *tables[TABLES];
	struct relmap *rels;
	struct batch *b;
};

static void
expect(bool holds)
{
	if (!holds)
		abort();
}

static void
check_refusal(const struct err *err, enum err_code code)
{
	expect(err->code == code && err->msg[0] != '\0');
}

/* ---- messages */

static void
take_relation(struct stream *s, const struct pgoutput_relation *rel)
{
	struct rbuf cols = rel->cols;
	struct err err = ERR_INIT;
	struct table *t;
	uint16_t i;

	for (i = 0; i < rel->ncols; i++)
		expect(pgoutput_next_column(&cols).name != NULL);
	expect(rbuf_done(&cols));
	if (relmap_relation(s->rels, rel, &t, &err) == RELMAP_MISMATCH) {
		check_refusal(&err, ERR_DATA);
		t->stopped = true;
	}
}

static void
check_tuple(const struct pgoutput_tuple *tuple)
{
	struct rbuf values = tuple->values;
	uint16_t i;

	for (i = 0; i < tuple->ncols; i++)
		pgoutput_next_value(&values);
	expect(rbuf_ok(&values));
}

/* A row taken apart and put together again is the same row. */
static void
check_row(struct arena *a, const struct table *t, const struct row *r)
{
	struct row_value v[FIXTURE_COLS];
	struct row *again;

	row_values(r, t->ncols, v);
	again = row_new(a, r->lsn, v, t->ncols, r->text);
	expect(again->size == r->size && again->unchanged == r->unchanged);
	expect(memcmp(again->data, r->data, r->size) == 0);
	expect(row_key_compare(t, r, again) == 0 && row_key_hash(t, r) == row_key_hash(t, again));
}

static bool
take_tuple(struct stream *s, const struct table *t, relid_t relid,
    const struct pgoutput_tuple *tuple, const struct row **row_r)
{
	struct err err = ERR_INIT;

	check_tuple(tuple);
	if (!relmap_row(s->rels, relid, tuple, 0, s->b->arena, row_r, &err)) {
		check_refusal(&err, ERR_PROTOCOL);
		return false;
	}
	check_row(s->b->arena, t, *row_r);
	return true;
}

static void
take_change(struct stream *s, enum change_op op, const struct pgoutput_change *ch)
{
	const struct row *old = NULL, *new = NULL;
	struct err err = ERR_INIT;
	struct table *t;

	if (!relmap_table(s->rels, ch->relid, &t, &err)) {
		check_refusal(&err, ERR_PROTOCOL);
		return;
	}
	if (t == NULL || (op != CHANGE_INSERT && !relmap_identifies(s->rels, ch->relid)) ||
	    (ch->old_form != '\0' && !take_tuple(s, t, ch->relid, &ch->old, &old)) ||
	    (ch->has_new && !take_tuple(s, t, ch->relid, &ch->new, &new)))
		return;
	if (new != NULL)
		new = row_complete_key(s->b->arena, t, old, new);
	if (new == NULL && ch->has_new)
		return;
	batch_add(s->b, t, op, old, ch->old_form == 'O', new);
}

static void
take_truncate(struct stream *s, const struct pgoutput_truncate *tr)
{
	struct rbuf ids = tr->relids;
	struct err err = ERR_INIT;
	struct table *t;
	uint32_t i;

	for (i = 0; i < tr->nrels; i++)
		if (relmap_table(s->rels, rbuf_u32(&ids), &t, &err) && t != NULL)
			batch_truncate(s->b, &t, 1, false, false);
	expect(rbuf_done(&ids));
}

static void
take_logical_message(struct stream *s, const struct pgoutput_message *m)
{
	batch_message(s->b,
	    &(struct logical_message){
		.prefix = m->prefix,
		.content = m->content,
		.lsn = m->lsn,
	    });
	if (!m->transactional)
		batch_commit(s->b, m->lsn | 1, 0);
}

static void
take_message(struct stream *s, struct slice bytes)
{
	struct err err = ERR_INIT;
	struct pgoutput_msg m;

	if (!pgoutput_decode(bytes, &m, &err))
		check_refusal(&err, ERR_PROTOCOL);
	else if (m.kind == PGOUTPUT_RELATION)
		take_relation(s, &m.relation);
	else if (m.kind == PGOUTPUT_INSERT)
		take_change(s, CHANGE_INSERT, &m.change);
	else if (m.kind == PGOUTPUT_UPDATE)
		take_change(s, CHANGE_UPDATE, &m.change);
	else if (m.kind == PGOUTPUT_DELETE)
		take_change(s, CHANGE_DELETE, &m.change);
	else if (m.kind == PGOUTPUT_TRUNCATE)
		take_truncate(s, &m.truncate);
	else if (m.kind == PGOUTPUT_MESSAGE)
		take_logical_message(s, &m.message);
	else if (m.kind == PGOUTPUT_COMMIT)
		batch_commit(s->b, m.commit.end_lsn | 1, m.commit.commit_time);
}

/* In memory of its own, whose borders the sanitizer guards. */
static void
take_copy(struct stream *s, const void *p, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);

	memcpy(copy, p, n);
	take_message(s, slice_of(copy, n));
	free(copy);
}

/* ---- the batch */

/* Sorted, and no key twice. */
static void
check_order(const struct table *t, struct row_set set)
{
	uint32_t i;

	for (i = 1; i < set.n; i++)
		expect(row_key_compare(t, set.rows[i - 1], set.rows[i]) < 0);
}

static void
check_sets(struct arena *a, const struct batch *b, const struct segment *seg)
{
	struct coalesced *list;
	uint32_t i, n;

	list = coalesce(a, b, seg->from, seg->to, &n);
	expect(n <= TABLES);
	for (i = 0; i < n; i++) {
		const struct coalesced *c = &list[i];

		expect(c->nchanges > 0);
		expect(c->deletes.n + c->updates.n + c->partials.n + c->inserts.n + c->ghosts.n <=
		    2 * c->nchanges);
		check_order(c->table, c->deletes);
		check_order(c->table, c->updates);
	}
}

static void
check_batch(struct arena *a, struct batch *b)
{
	uint32_t i, at = 0;

	batch_close(b);
	for (i = 0; i < b->nsegments; i++) {
		const struct segment *seg = &b->segments[i];

		if (seg->kind != SEGMENT_CHANGES)
			continue;
		expect(seg->from == at && seg->to >= seg->from);
		at = seg->to;
		check_sets(a, b, seg);
	}
	expect(at == b->nchanges);
}

/* ---- announcements */

static void
announce(struct stream *s, const struct table *t)
{
	struct buf b;
	size_t i;

	buf_init(&b, 4096);
	buf_char(&b, 'R');
	buf_u32(&b, t->relid);
	buf_add(&b, t->source_schema, strlen(t->source_schema) + 1);
	buf_add(&b, t->source_name, strlen(t->source_name) + 1);
	buf_char(&b, t->nkeys > 0 ? 'd' : 'f');
	buf_u16(&b, (uint16_t)t->def->n_columns);
	for (i = 0; i < t->def->n_columns; i++) {
		buf_char(&b, t->def->columns[i]->key_position > 0);
		buf_add(&b, t->def->columns[i]->name, strlen(t->def->columns[i]->name) + 1);
		buf_u32(&b, FIXTURE_TYPE);
		buf_u32(&b, UINT32_MAX);
	}
	take_copy(s, b.p, b.n);
	buf_done(&b);
}

static void
stream_begin(struct stream *s, struct arena *a)
{
	uint32_t i;

	for (i = 0; i < TABLES; i++)
		s->tables[i] = fixture_table(a, i, columns[i]);
	s->tables[1]->binary = true;
	s->rels = relmap_new(s->tables, TABLES);
	s->b = batch_new(TABLES);
	for (i = 0; i < TABLES; i++)
		announce(s, s->tables[i]);
}

/* ---- records */

static void
build_value(struct buf *b, const struct table *t, uint8_t choice)
{
	uint32_t n = choice >> 2 & 3, i;

	if ((choice & 3) < 2) {
		buf_char(b, (choice & 3) == 0 ? 'n' : 'u');
		return;
	}
	buf_char(b, t->binary ? 'b' : 't');
	buf_u32(b, n);
	for (i = 0; i < n; i++)
		buf_char(b, (char)('a' + (choice >> 4)));
}

/* Short values of few letters, so that keys meet again. */
static void
build_tuple(struct buf *b, char form, const struct table *t, struct rbuf *in)
{
	size_t i;

	buf_char(b, form);
	buf_u16(b, (uint16_t)t->def->n_columns);
	for (i = 0; i < t->def->n_columns; i++)
		build_value(b, t, rbuf_u8(in));
}

static void
build_change(struct buf *b, char kind, const struct table *t, char old_form, struct rbuf *in)
{
	buf_char(b, kind);
	buf_u32(b, t->relid);
	if (kind != 'I' && (kind == 'D' || old_form != '\0'))
		build_tuple(b, old_form != '\0' ? old_form : 'K', t, in);
	if (kind != 'D')
		build_tuple(b, 'N', t, in);
}

static void
build_commit(struct buf *b, uint8_t choice)
{
	buf_char(b, 'C');
	buf_char(b, 0);
	buf_u64(b, choice);
	buf_u64(b, choice);
	buf_u64(b, choice);
}

static void
build_truncate(struct buf *b, const struct table *t)
{
	buf_char(b, 'T');
	buf_u32(b, 1);
	buf_char(b, 0);
	buf_u32(b, t->relid);
}

static void
build_logical_message(struct buf *b, uint8_t choice)
{
	buf_char(b, 'M');
	buf_char(b, choice >> 3 & 1);
	buf_u64(b, choice);
	buf_add(b, "p", 2);
	buf_u32(b, 1);
	buf_char(b, 'c');
}

static void
build_message(struct buf *b, const struct stream *s, uint8_t choice, struct rbuf *in)
{
	const struct table *t = s->tables[(choice >> 3 & 3) % TABLES];
	char old_form = "\0KO\0"[choice >> 5 & 3];

	switch (choice & 7) {
	case 0:
		build_commit(b, choice);
		break;
	case 1:
		build_truncate(b, t);
		break;
	case 2:
	case 3:
		build_change(b, 'I', t, '\0', in);
		break;
	case 4:
		build_change(b, 'D', t, old_form, in);
		break;
	case 5:
		build_logical_message(b, choice);
		break;
	default:
		build_change(b, 'U', t, old_form, in);
	}
}

static void
spoil(struct buf *b, uint8_t mask, uint8_t place)
{
	b->p[place % b->n] ^= mask;
}

static void
take_record(struct stream *s, struct rbuf *in)
{
	uint8_t choice = rbuf_u8(in);
	struct slice bytes;
	struct buf b;

	if (choice >= 0x80) {
		bytes = rbuf_bytes(in, rbuf_u8(in));
		take_copy(s, bytes.p, bytes.n);
		return;
	}
	buf_init(&b, 4096);
	build_message(&b, s, choice, in);
	choice = rbuf_u8(in);
	if (choice >= 0xf0)
		spoil(&b, rbuf_u8(in), rbuf_u8(in));
	take_copy(s, b.p, b.n);
	buf_done(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rbuf in = rbuf_of(slice_of(data, size));
	struct arena *a = arena_new(4096);
	struct stream s;

	stream_begin(&s, a);
	while (rbuf_ok(&in) && rbuf_left(&in) > 0)
		take_record(&s, &in);
	check_batch(a, s.b);
	relmap_free(&s.rels);
	batch_free(&s.b);
	arena_free(&a);
	return 0;
}
