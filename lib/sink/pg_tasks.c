#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/sink/pg_int.h"

/* From this many rows on, COPY's fixed cost (about a millisecond) is earned back. */
#define COPY_ROWS_MIN 1000

/* Keys of one array parameter: larger ones make the planner's choices worse, not better. */
#define ARRAY_KEYS_MAX 5000

/* ---- what a segment takes */

static struct task *
task_add(struct pg_sink *s, enum task_kind kind, struct pg_table *pt)
{
	struct task_list *l = &s->tasks;

	if (l->n == l->cap) {
		l->cap = l->cap > 0 ? l->cap * 2 : 32;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n] = (struct task){ .kind = kind, .pt = pt };
	return &l->v[l->n++];
}

static void
add_sql(struct pg_sink *s, const char *sql)
{
	task_add(s, TASK_SQL, NULL)->sql = sql;
}

static void
add_set(struct pg_sink *s, enum task_kind kind, enum pg_stmt_kind stmt, struct pg_table *pt,
    struct row_set set)
{
	struct task *task;

	if (set.n == 0)
		return;
	task = task_add(s, kind, pt);
	task->stmt = stmt;
	task->set = set;
}

static void
add_deletes(struct pg_sink *s, struct pg_table *pt, struct row_set set)
{
	bool soft = s->soft_delete[0] != '\0';
	/* a text value would have to be quoted into an array's text: rows serve as well */
	bool array = pt->t->nkeys == 1 && set.n > 1 && !set.rows[0]->text &&
	    pt->array_types[pt->t->keys[0]] != InvalidOid;

	if (array)
		add_set(s, TASK_KEYS, soft ? STMT_SOFT_DELETE_ARRAY : STMT_DELETE_ARRAY, pt, set);
	else
		add_set(s, TASK_ROWS, soft ? STMT_SOFT_DELETE : STMT_DELETE, pt, set);
}

static void
add_inserts(struct pg_sink *s, struct pg_table *pt, struct row_set set)
{
	bool soft = s->soft_delete[0] != '\0' && pt->unique;

	/* a key that comes back may still be there, flagged as deleted */
	if (soft && (s->mode == MODE_UPSERT || set.n < COPY_ROWS_MIN))
		add_set(s, TASK_ROWS, STMT_UPSERT, pt, set);
	else if (set.n < COPY_ROWS_MIN)
		add_set(s, TASK_ROWS, STMT_INSERT, pt, set);
	else
		add_set(s, TASK_COPY, STMT_INSERT, pt, set);
}

/*
 * Nothing on the destination keeps a row that is flagged as deleted and a
 * living one of its key apart: each insert has to see to it itself.
 */
static bool
dead_may_stay(const struct pg_sink *s, const struct pg_table *pt)
{
	return s->soft_delete[0] != '\0' && pt->t->nkeys > 0 && !pt->unique;
}

static void
add_table(struct pg_sink *s, const struct coalesced *c)
{
	struct pg_table *pt = &s->tables[c->table->index];
	struct task *task;

	if (c->ordered || s->mode == MODE_ORDERED || dead_may_stay(s, pt)) {
		task = task_add(s, TASK_ORDERED, pt);
		task->c = c;
		return;
	}
	add_deletes(s, pt, c->deletes);
	add_set(s, TASK_ROWS, STMT_UPDATE, pt, c->updates);
	add_set(s, TASK_SINGLES, STMT_UPDATE, pt, c->partials);
	/* before the living: keys of other bytes may be equal to theirs (1.0 and 1.00) */
	if (s->soft_delete[0] != '\0' && c->ghosts.n > 0) {
		add_inserts(s, pt, c->ghosts);
		add_deletes(s, pt, c->ghosts);
	}
	add_inserts(s, pt, c->inserts);
}

/*
 * The source's own order, over all tables: one list of changes, cut into runs
 * of one table each.
 */
static void
add_in_order(struct pg_sink *s, const struct segment *seg)
{
	const struct change **list = arena_alloc(s->arena, (seg->to - seg->from) * sizeof(*list));
	struct coalesced *c = NULL;
	const struct change *ch;
	uint32_t i, n = 0;

	for (i = seg->from; i < seg->to; i++) {
		ch = &s->b->changes[i];

		if (ch->table->stopped)
			continue;
		if (c == NULL || c->table != ch->table) {
			c = arena_zalloc(s->arena, sizeof(*c));
			c->table = ch->table;
			c->changes = list + n;
			task_add(s, TASK_ORDERED, &s->tables[ch->table->index])->c = c;
		}
		list[n++] = ch;
		c->nchanges++;
	}
}

static void
add_changes(struct pg_sink *s, const struct segment *seg)
{
	struct coalesced *list;
	uint32_t i, n;

	if (s->mode == MODE_ORDERED) {
		add_in_order(s, seg);
		return;
	}
	list = coalesce(s->arena, s->b, seg->from, seg->to, &n);
	for (i = 0; i < n; i++)
		add_table(s, &list[i]);
}

static void
soft_truncate(struct pg_sink *s, struct pg_table *pt)
{
	struct buf sql;

	buf_init(&sql, 4096);
	buf_printf(&sql, "UPDATE %s SET ", pt->name);
	pgconn_ident(&sql, s->soft_delete);
	buf_str_add(&sql, " = TRUE");
	if (s->synced_at[0] != '\0') {
		buf_str_add(&sql, ", ");
		pgconn_ident(&sql, s->synced_at);
		buf_str_add(&sql, " = CURRENT_TIMESTAMP");
	}
	buf_str_add(&sql, " WHERE ");
	pgconn_ident(&sql, s->soft_delete);
	buf_str_add(&sql, " IS NOT TRUE");
	add_sql(s, arena_strdup(s->arena, buf_str(&sql)));
	buf_done(&sql);
}

/* One statement for all of them, since they may refer to each other. */
static void
add_truncate(struct pg_sink *s, const struct segment *seg)
{
	struct buf sql;
	uint32_t i, n = 0;

	buf_init(&sql, MIB);
	for (i = 0; i < seg->ntables; i++) {
		if (seg->tables[i]->stopped)
			continue;
		if (s->soft_delete[0] != '\0') {
			soft_truncate(s, &s->tables[seg->tables[i]->index]);
			continue;
		}
		buf_printf(&sql, "%s%s", n++ > 0 ? ", " : "TRUNCATE ",
		    s->tables[seg->tables[i]->index].name);
	}
	if (n > 0) {
		buf_str_add(&sql, seg->restart ? " RESTART IDENTITY" : "");
		add_sql(s, arena_strdup(s->arena, buf_str(&sql)));
	}
	buf_done(&sql);
}

/*
 * What is left out must be known as long as the position that passes it by:
 * whoever hears of the error otherwise may die before having written it down.
 */
static void
record_stop(struct pg_sink *s, struct pg_table *pt)
{
	const char *const values[] = { s->cfg->mirror->flow_job_name, pt->t->destination_schema,
		pt->t->destination_name, pt->t->error, pt->t->error_hint };
	struct buf sql;
	size_t i;

	buf_init(&sql, 64 * KIB);
	buf_str_add(&sql, "INSERT INTO ");
	pgconn_qualified(&sql, s->meta, "peerd_stopped_tables");
	buf_str_add(&sql, " (mirror_name, schema_name, table_name, error, error_hint) VALUES (");
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		buf_str_add(&sql, i > 0 ? ", " : "");
		pgconn_literal(&sql, values[i]);
	}
	buf_str_add(&sql, ") ON CONFLICT DO NOTHING");
	add_sql(s, arena_strdup(s->arena, buf_str(&sql)));
	buf_done(&sql);
}

static void
record_stops(struct pg_sink *s)
{
	struct pg_table *pt;
	uint32_t i;

	for (i = 0; i < s->cfg->ntables; i++) {
		pt = &s->tables[i];
		pt->stop_sent = pt->t->stopped && !pt->stop_kept;
		if (pt->stop_sent)
			record_stop(s, pt);
	}
}

void
pg_stops_kept(struct pg_sink *s)
{
	uint32_t i;

	for (i = 0; i < s->cfg->ntables; i++)
		if (s->tables[i].stop_sent)
			s->tables[i].stop_kept = true;
}

void
pg_tasks_build(struct pg_sink *s, const struct segment *seg)
{
	bool savepoint = s->tx_open;

	arena_reset(s->arena);
	s->tasks.n = 0;
	s->task = 0;
	add_sql(s, savepoint ? "SAVEPOINT peerd" : "BEGIN");
	if (seg->kind == SEGMENT_CHANGES)
		add_changes(s, seg);
	else if (seg->kind == SEGMENT_TRUNCATE)
		add_truncate(s, seg);
	else
		add_sql(s, seg->sql);
	if (savepoint)
		add_sql(s, "RELEASE SAVEPOINT peerd");
	if (seg->commit_lsn != LSN_INVALID) {
		record_stops(s);
		task_add(s, TASK_CHECKPOINT, NULL);
		add_sql(s, "COMMIT");
	}
}

/* ---- sending */

static void
add_row_params(struct pg_sink *s, const struct pg_table *pt, const struct row *r, bool keys_only)
{
	const uint8_t *at = r->data;
	struct row_value v;
	uint16_t i;

	for (i = 0; i < pt->t->ncols; i++) {
		v = row_next(r, &at);
		if (keys_only ? pt->t->cols[i].key : v.len != ROW_UNCHANGED)
			pg_param_value(s, v, r->text);
	}
}

static bool
is_key_statement(enum pg_stmt_kind kind)
{
	return kind == STMT_DELETE || kind == STMT_SOFT_DELETE;
}

static bool
send_rows(struct pg_sink *s, struct task *task)
{
	/* in a list of rows a parameter without a type would be taken for text */
	uint32_t n = task->pt->untyped ? 1 : pg_stmt_rows(task->pt, task->set.n - task->at), i;
	struct pg_stmt *st = pg_stmt_get(s, task->pt, task->stmt, n, NULL);

	pg_param_reset(s);
	for (i = 0; i < n; i++)
		add_row_params(s, task->pt, task->set.rows[task->at + i],
		    is_key_statement(task->stmt));
	task->at += n;
	return pg_stmt_send(s, task->pt, st, n);
}

static bool
send_single(struct pg_sink *s, struct task *task)
{
	const struct row *r = task->set.rows[task->at++];
	struct pg_stmt *st = pg_stmt_get(s, task->pt, task->stmt, 1, r);

	pg_param_reset(s);
	add_row_params(s, task->pt, r, false);
	return pg_stmt_send(s, task->pt, st, 1);
}

/*
 * A binary array (array_recv): u32 dimensions, u32 has NULLs, u32 element type,
 * per dimension u32 size and u32 lower bound, then the elements, each with its length.
 */
static bool
send_keys(struct pg_sink *s, struct task *task)
{
	uint16_t key = task->pt->t->keys[0], c;
	uint32_t n = task->set.n - task->at, i;
	struct buf *b = &s->scratch;
	struct row_value v = { 0 };
	const uint8_t *at;

	n = n < ARRAY_KEYS_MAX ? n : ARRAY_KEYS_MAX;
	buf_reset(b);
	buf_u32(b, 1);
	buf_u32(b, 0);
	buf_u32(b, task->pt->types[key]);
	buf_u32(b, n);
	buf_u32(b, 1);
	for (i = 0; i < n; i++) {
		at = task->set.rows[task->at + i]->data;
		for (c = 0; c <= key; c++)
			v = row_next(task->set.rows[task->at + i], &at);
		buf_u32(b, v.len);
		buf_add(b, v.p, v.len);
	}
	task->at += n;
	pg_param_reset(s);
	pg_param_value(s, (struct row_value){ .len = (uint32_t)b->n, .p = b->p }, false);
	return pg_stmt_send(s, task->pt, pg_stmt_get(s, task->pt, task->stmt, 1, NULL), n);
}

static bool
send_delete_dead(struct pg_sink *s, struct pg_table *pt, const struct row *row)
{
	struct pg_stmt *st = pg_stmt_get(s, pt, STMT_DELETE_DEAD, 1, NULL);
	bool ok;

	add_row_params(s, pt, row, true);
	ok = pg_stmt_send(s, pt, st, 0);
	pg_param_reset(s);
	return ok;
}

static bool
send_insert(struct pg_sink *s, struct pg_table *pt, const struct row *new)
{
	bool upsert = s->soft_delete[0] != '\0' && pt->unique;

	if (dead_may_stay(s, pt) && !send_delete_dead(s, pt, new))
		return false;
	add_row_params(s, pt, new, false);
	return pg_stmt_send(s, pt, pg_stmt_get(s, pt, upsert ? STMT_UPSERT : STMT_INSERT, 1, NULL),
	    1);
}

static bool
send_delete(struct pg_sink *s, struct pg_table *pt, const struct row *old)
{
	bool soft = s->soft_delete[0] != '\0', whole = pt->t->nkeys == 0;
	enum pg_stmt_kind kind;

	if (whole)
		kind = soft ? STMT_SOFT_DELETE_WHOLE : STMT_DELETE_WHOLE;
	else
		kind = soft ? STMT_SOFT_DELETE : STMT_DELETE;
	add_row_params(s, pt, old, !whole);
	return pg_stmt_send(s, pt, pg_stmt_get(s, pt, kind, 1, NULL), 1);
}

/* The row keeps what was not sent by moving itself; a deleted one may lie where it goes. */
static bool
send_move(struct pg_sink *s, struct pg_table *pt, const struct row *old, const struct row *new)
{
	pg_param_reset(s);
	if (s->soft_delete[0] != '\0' && !send_delete_dead(s, pt, new))
		return false;
	add_row_params(s, pt, new, false);
	add_row_params(s, pt, old, true);
	return pg_stmt_send(s, pt, pg_stmt_get(s, pt, STMT_MOVE, 1, new), 1);
}

static bool
send_update(struct pg_sink *s, struct pg_table *pt, const struct change *c)
{
	const struct row *new = c->new;

	if (c->old_whole && new->unchanged > 0)
		new = row_merge(s->arena, pt->t, c->old, new);
	add_row_params(s, pt, new, false);
	if (pt->t->nkeys == 0) {
		add_row_params(s, pt, c->old, false);
		return pg_stmt_send(s, pt, pg_stmt_get(s, pt, STMT_UPDATE_WHOLE, 1, new), 1);
	}
	if (c->old == NULL || row_key_compare(pt->t, c->old, new) == 0)
		return pg_stmt_send(s, pt, pg_stmt_get(s, pt, STMT_UPDATE, 1, new), 1);
	return send_move(s, pt, c->old, new);
}

static bool
send_ordered(struct pg_sink *s, struct task *task)
{
	const struct change *c = task->c->changes[task->at++];

	pg_param_reset(s);
	if (c->op == CHANGE_INSERT)
		return send_insert(s, task->pt, c->new);
	if (c->op == CHANGE_DELETE)
		return send_delete(s, task->pt, c->old);
	return send_update(s, task->pt, c);
}

static bool
send_sql(struct pg_sink *s, struct task *task)
{
	task->at = 1;
	if (PQsendQueryParams(s->pq, task->sql, 0, NULL, NULL, NULL, NULL, 0) != 1)
		return false;
	pg_flight_push(s, (struct in_flight){ .pt = task->pt });
	return true;
}

static bool
send_checkpoint(struct pg_sink *s, struct task *task)
{
	uint8_t lsn[8], id[8];

	task->at = 1;
	put_u64(lsn, s->b->segments[s->segment].commit_lsn);
	put_u64(id, s->b->id);
	pg_param_reset(s);
	pg_param_value(s, (struct row_value){ .len = 8, .p = lsn }, false);
	pg_param_value(s, (struct row_value){ .len = 8, .p = id }, false);
	return pg_stmt_send(s, NULL, pg_stmt_get(s, NULL, STMT_CHECKPOINT, 1, NULL), 1);
}

bool
pg_task_send(struct pg_sink *s, struct task *task, bool *done_r)
{
	static bool (*const senders[])(struct pg_sink *, struct task *) = {
		[TASK_SQL] = send_sql,
		[TASK_ROWS] = send_rows,
		[TASK_SINGLES] = send_single,
		[TASK_KEYS] = send_keys,
		[TASK_ORDERED] = send_ordered,
		[TASK_CHECKPOINT] = send_checkpoint,
	};
	uint32_t total = task->kind == TASK_ORDERED		      ? task->c->nchanges
	    : task->kind == TASK_SQL || task->kind == TASK_CHECKPOINT ? 1
								      : task->set.n;

	if (!senders[task->kind](s, task))
		return false;
	*done_r = task->at >= total;
	return true;
}
