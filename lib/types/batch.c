#include "lib/types/batch.h"

#include "lib/base/limits.h"
#include "lib/base/mem.h"

#define BATCH_ARENA_BLOCK (256 * KIB)

struct batch *
batch_new(uint32_t ntables)
{
	struct batch *b = xcalloc(1, sizeof(*b));

	b->arena = arena_new(BATCH_ARENA_BLOCK);
	b->ntables = ntables;
	b->counts = xcalloc(ntables, sizeof(*b->counts));
	return b;
}

void
batch_free(struct batch **b)
{
	if (*b == NULL)
		return;
	arena_free(&(*b)->arena);
	free((*b)->changes);
	free((*b)->transactions);
	free((*b)->segments);
	free((*b)->counts);
	MEM_FREE(*b);
}

void
batch_reset(struct batch *b)
{
	arena_reset(b->arena);
	b->nchanges = b->ntransactions = b->nsegments = b->open_from = b->boundary = 0;
	b->start_lsn = b->end_lsn = LSN_INVALID;
	b->opened_us = b->commit_us = 0;
	memset(b->counts, 0, b->ntables * sizeof(*b->counts));
}

static void
note_opened(struct batch *b)
{
	if (b->opened_us == 0)
		b->opened_us = clock_wall_us();
}

void
batch_begin(struct batch *b, const struct transaction *tx)
{
	uint32_t n = b->ntransactions;

	if (n > 0 && transaction_same(&b->transactions[n - 1], tx))
		return;
	if (n == b->transactions_cap) {
		b->transactions_cap = n > 0 ? n * 2 : 64;
		b->transactions = xrealloc(b->transactions,
		    b->transactions_cap * sizeof(*b->transactions));
	}
	b->transactions[n] = *tx;
	b->transactions[n].from = b->nchanges;
	b->ntransactions++;
}

void
batch_add(struct batch *b, struct table *t, enum change_op op, const struct row *old,
    bool old_whole, const struct row *new)
{
	if (b->nchanges == b->changes_cap) {
		b->changes_cap = b->changes_cap > 0 ? b->changes_cap * 2 : 1024;
		b->changes = xrealloc(b->changes, b->changes_cap * sizeof(*b->changes));
	}
	note_opened(b);
	b->changes[b->nchanges++] = (struct change){
		.table = t,
		.op = op,
		.old = old,
		.old_whole = old_whole,
		.new = new,
	};
	b->counts[t->index][op]++;
}

static struct segment *
add_segment(struct batch *b, enum segment_kind kind)
{
	struct segment *s;

	if (b->nsegments == b->segments_cap) {
		b->segments_cap = b->segments_cap > 0 ? b->segments_cap * 2 : 8;
		b->segments = xrealloc(b->segments, b->segments_cap * sizeof(*b->segments));
	}
	s = &b->segments[b->nsegments++];
	*s = (struct segment){ .kind = kind };
	return s;
}

static void
add_changes(struct batch *b, uint32_t to)
{
	struct segment *s;

	if (b->open_from == to)
		return;
	s = add_segment(b, SEGMENT_CHANGES);
	s->from = b->open_from;
	s->to = to;
	b->open_from = to;
}

/* Turn the changes not yet in a segment into one, or into two around the last commit. */
static void
flush_open(struct batch *b)
{
	if (b->boundary > b->open_from) {
		add_changes(b, b->boundary);
		b->segments[b->nsegments - 1].commit_lsn = b->end_lsn;
	}
	add_changes(b, b->nchanges);
}

void
batch_truncate(struct batch *b, struct table **tables, uint32_t ntables, bool cascade, bool restart)
{
	struct segment *s;

	flush_open(b);
	note_opened(b);
	s = add_segment(b, SEGMENT_TRUNCATE);
	s->tables = arena_dup(b->arena, tables, ntables * sizeof(*tables));
	s->ntables = ntables;
	s->cascade = cascade;
	s->restart = restart;
}

void
batch_ddl(struct batch *b, const char *sql)
{
	flush_open(b);
	note_opened(b);
	add_segment(b, SEGMENT_DDL)->sql = arena_strdup(b->arena, sql);
}

void
batch_message(struct batch *b, const struct logical_message *message)
{
	struct logical_message *copy = arena_dup(b->arena, message, sizeof(*message));

	copy->prefix = arena_strdup(b->arena, message->prefix);
	copy->content = arena_dup_slice(b->arena, message->content);
	flush_open(b);
	note_opened(b);
	add_segment(b, SEGMENT_MESSAGE)->message = copy;
}

/*
 * With no change since the last segment, that segment is what commits here. In
 * a batch that has none yet, it is the transaction that the batch before left
 * open: a segment without changes commits it.
 */
void
batch_commit(struct batch *b, lsn_t end_lsn, usec_t commit_us)
{
	if (b->start_lsn == LSN_INVALID)
		b->start_lsn = end_lsn;
	b->end_lsn = end_lsn;
	b->commit_us = commit_us;
	b->boundary = b->nchanges;
	if (b->open_from < b->nchanges)
		return;
	note_opened(b);
	if (b->nsegments == 0)
		add_segment(b, SEGMENT_CHANGES);
	b->segments[b->nsegments - 1].commit_lsn = end_lsn;
}

void
batch_close(struct batch *b)
{
	flush_open(b);
}

bool
batch_empty(const struct batch *b)
{
	return b->nchanges == 0 && b->nsegments == 0;
}

bool
batch_full(const struct batch *b, uint32_t max_changes)
{
	return b->nchanges >= max_changes || b->nchanges >= BATCH_CHANGES_MAX ||
	    b->nsegments >= BATCH_CHANGES_MAX || arena_used(b->arena) >= BATCH_BYTES_MAX;
}

bool
batch_at_commit(const struct batch *b)
{
	if (b->open_from < b->nchanges)
		return b->boundary == b->nchanges;
	return b->nsegments == 0 || b->segments[b->nsegments - 1].commit_lsn != LSN_INVALID;
}
