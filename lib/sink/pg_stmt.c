#include <uthash.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/sink/pg_int.h"

#define SQL_MAX	       (4 * MIB)
#define PARAMS_MAX     65535 /* of one statement: the protocol's u16 */
#define NAME_MAX_BYTES 32

/* Key of the cache: kind, rows, and a bit per column that is left out. */
struct stmt_key {
	uint8_t kind;
	uint8_t pad;
	uint16_t nrows;
	uint8_t left_out[(COLUMNS_MAX + 7) / 8];
};

struct pg_stmt {
	struct stmt_key key;
	char name[NAME_MAX_BYTES];
	char *sql;
	Oid *types;
	uint32_t nparams;
	bool prepared;
	UT_hash_handle hh;
};

/* ---- text */

/* While a statement's text grows: where it goes and which parameters it has. */
struct writer {
	struct pg_sink *s;
	struct pg_table *pt;
	const struct stmt_key *key;
	struct buf sql;
	Oid *types;
	uint32_t n;
};

static bool
left_out(const struct writer *w, uint16_t col)
{
	return (w->key->left_out[col / 8] >> (col % 8) & 1) != 0;
}

static void
param(struct writer *w, Oid type)
{
	w->types[w->n++] = type;
	buf_printf(&w->sql, "$%u", w->n);
}

/* A column that was added on the way: its type's oid here is not known, its name is. */
static void
value_param(struct writer *w, uint16_t col)
{
	param(w, w->pt->types[col]);
	if (w->pt->types[col] == InvalidOid)
		buf_printf(&w->sql, "::%s", w->pt->t->cols[col].type_name);
}

static void
ident(struct writer *w, uint16_t col)
{
	pgconn_ident(&w->sql, w->pt->t->cols[col].destination);
}

static void
separator(struct writer *w, bool *first, const char *between)
{
	if (!*first)
		buf_str_add(&w->sql, between);
	*first = false;
}

/* "synced at" and "not deleted" of a row that was just written. */
static void
set_own_columns(struct writer *w, bool *first, bool deleted)
{
	if (w->s->soft_delete[0] != '\0') {
		separator(w, first, ", ");
		pgconn_ident(&w->sql, w->s->soft_delete);
		buf_str_add(&w->sql, deleted ? " = TRUE" : " = FALSE");
	}
	if (w->s->synced_at[0] != '\0') {
		separator(w, first, ", ");
		pgconn_ident(&w->sql, w->s->synced_at);
		buf_str_add(&w->sql, " = CURRENT_TIMESTAMP");
	}
}

/* (VALUES ($1, $2), ($3, $4)) of the columns that pick() chooses, row by row. */
static void
values_list(struct writer *w, bool (*pick)(const struct writer *, uint16_t))
{
	uint32_t row;
	uint16_t i;
	bool first;

	buf_str_add(&w->sql, "VALUES ");
	for (row = 0; row < w->key->nrows; row++) {
		buf_str_add(&w->sql, row > 0 ? ", (" : "(");
		for (i = 0, first = true; i < w->pt->t->ncols; i++) {
			if (!pick(w, i))
				continue;
			separator(w, &first, ", ");
			value_param(w, i);
		}
		buf_char(&w->sql, ')');
	}
}

static bool
pick_sent(const struct writer *w, uint16_t col)
{
	return !left_out(w, col);
}

static bool
pick_key(const struct writer *w, uint16_t col)
{
	return w->pt->t->cols[col].key;
}

/* AS v(c0, c3): names of the columns of values_list(). */
static void
values_alias(struct writer *w, bool (*pick)(const struct writer *, uint16_t))
{
	bool first = true;
	uint16_t i;

	buf_str_add(&w->sql, ") AS v(");
	for (i = 0; i < w->pt->t->ncols; i++) {
		if (!pick(w, i))
			continue;
		separator(w, &first, ", ");
		buf_printf(&w->sql, "c%u", i);
	}
	buf_char(&w->sql, ')');
}

/* WHERE d.key = v.key, for every key column. */
static void
where_values(struct writer *w)
{
	const struct table *t = w->pt->t;
	uint16_t i;

	for (i = 0; i < t->nkeys; i++) {
		buf_str_add(&w->sql, i > 0 ? " AND d." : " WHERE d.");
		ident(w, t->keys[i]);
		buf_printf(&w->sql, " %s v.c%u", w->pt->equals[i], t->keys[i]);
	}
}

/* WHERE d.key = $n. The parameters come in the order of the table's columns. */
static void
where_params(struct writer *w)
{
	const struct table *t = w->pt->t;
	bool first = true;
	uint16_t i, k;

	for (i = 0; i < t->ncols; i++) {
		if (!t->cols[i].key)
			continue;
		for (k = 0; t->keys[k] != i; k++)
			;
		buf_str_add(&w->sql, first ? " WHERE d." : " AND d.");
		first = false;
		ident(w, i);
		buf_printf(&w->sql, " %s ", w->pt->equals[k]);
		value_param(w, i);
	}
}

/* One row that has all these values. Compared as text: every type has that, and it is exact. */
static void
where_whole(struct writer *w)
{
	uint16_t i;

	buf_printf(&w->sql, " WHERE (d.tableoid, d.ctid) = (SELECT w.tableoid, w.ctid FROM %s AS w",
	    w->pt->name);
	for (i = 0; i < w->pt->t->ncols; i++) {
		buf_str_add(&w->sql, i > 0 ? " AND w." : " WHERE w.");
		ident(w, i);
		buf_str_add(&w->sql, "::text IS NOT DISTINCT FROM ");
		value_param(w, i);
		buf_str_add(&w->sql, "::text");
	}
	if (w->s->soft_delete[0] != '\0') {
		buf_str_add(&w->sql, " AND w.");
		pgconn_ident(&w->sql, w->s->soft_delete);
		buf_str_add(&w->sql, " IS NOT TRUE");
	}
	buf_str_add(&w->sql, " LIMIT 1)");
}

static void
insert_text(struct writer *w)
{
	uint16_t i;

	buf_printf(&w->sql, "INSERT INTO %s (", w->pt->name);
	for (i = 0; i < w->pt->t->ncols; i++) {
		buf_str_add(&w->sql, i > 0 ? ", " : "");
		ident(w, i);
	}
	buf_str_add(&w->sql, ") OVERRIDING SYSTEM VALUE ");
	values_list(w, pick_sent);
}

static void
upsert_text(struct writer *w)
{
	const struct table *t = w->pt->t;
	bool first = true;
	uint16_t i;

	insert_text(w);
	buf_str_add(&w->sql, " ON CONFLICT (");
	for (i = 0; i < t->nkeys; i++) {
		buf_str_add(&w->sql, i > 0 ? ", " : "");
		ident(w, t->keys[i]);
	}
	buf_str_add(&w->sql, ") DO UPDATE SET ");
	for (i = 0; i < t->ncols; i++) {
		separator(w, &first, ", ");
		ident(w, i);
		buf_str_add(&w->sql, " = EXCLUDED.");
		ident(w, i);
	}
	set_own_columns(w, &first, false);
}

/* There is nothing to set: touch the row all the same, so that it counts. */
static void
touch_key(struct writer *w)
{
	ident(w, w->pt->t->keys[0]);
	buf_str_add(&w->sql, " = d.");
	ident(w, w->pt->t->keys[0]);
}

/* SET of the sent columns that are not key, from v.cN or from parameters. */
static void
set_columns(struct writer *w, bool from_values, bool with_key)
{
	bool first = true;
	uint16_t i;

	for (i = 0; i < w->pt->t->ncols; i++) {
		if (left_out(w, i) || (w->pt->t->cols[i].key && !with_key))
			continue;
		separator(w, &first, ", ");
		ident(w, i);
		buf_str_add(&w->sql, " = ");
		if (from_values)
			buf_printf(&w->sql, "v.c%u", i);
		else
			value_param(w, i);
	}
	set_own_columns(w, &first, false);
	if (first)
		touch_key(w);
}

/* One row needs no VALUES list; the parameters are the same: sent columns in table order. */
static void
update_one_text(struct writer *w)
{
	const struct table *t = w->pt->t;
	uint32_t number[COLUMNS_MAX];
	bool first = true;
	uint16_t i;

	buf_printf(&w->sql, "UPDATE %s AS d SET ", w->pt->name);
	for (i = 0; i < t->ncols; i++) {
		if (left_out(w, i))
			continue;
		w->types[w->n] = w->pt->types[i];
		number[i] = ++w->n;
		if (t->cols[i].key)
			continue;
		separator(w, &first, ", ");
		ident(w, i);
		buf_printf(&w->sql, " = $%u", number[i]);
	}
	set_own_columns(w, &first, false);
	if (first)
		touch_key(w);
	for (i = 0; i < t->nkeys; i++) {
		buf_str_add(&w->sql, i > 0 ? " AND d." : " WHERE d.");
		ident(w, t->keys[i]);
		buf_printf(&w->sql, " %s $%u", w->pt->equals[i], number[t->keys[i]]);
	}
}

static void
update_text(struct writer *w)
{
	if (w->key->nrows == 1) {
		update_one_text(w);
		return;
	}
	buf_printf(&w->sql, "UPDATE %s AS d SET ", w->pt->name);
	set_columns(w, true, false);
	buf_str_add(&w->sql, " FROM (");
	values_list(w, pick_sent);
	values_alias(w, pick_sent);
	where_values(w);
}

static void
move_text(struct writer *w)
{
	buf_printf(&w->sql, "UPDATE %s AS d SET ", w->pt->name);
	set_columns(w, false, true);
	where_params(w);
}

static void
update_whole_text(struct writer *w)
{
	buf_printf(&w->sql, "UPDATE %s AS d SET ", w->pt->name);
	set_columns(w, false, true);
	where_whole(w);
}

/* DELETE FROM t AS d, or the soft form of it. */
static void
delete_head(struct writer *w, bool soft)
{
	bool first = true;

	if (!soft) {
		buf_printf(&w->sql, "DELETE FROM %s AS d", w->pt->name);
		return;
	}
	buf_printf(&w->sql, "UPDATE %s AS d SET ", w->pt->name);
	set_own_columns(w, &first, true);
}

static bool
is_soft(const struct writer *w)
{
	return w->key->kind == STMT_SOFT_DELETE || w->key->kind == STMT_SOFT_DELETE_ARRAY ||
	    w->key->kind == STMT_SOFT_DELETE_WHOLE;
}

static void
delete_text(struct writer *w)
{
	delete_head(w, is_soft(w));
	if (w->key->nrows == 1) {
		where_params(w);
		return;
	}
	buf_str_add(&w->sql, is_soft(w) ? " FROM (" : " USING (");
	values_list(w, pick_key);
	values_alias(w, pick_key);
	where_values(w);
}

/* A row that is flagged as deleted makes room for a living one of its key. */
static void
delete_dead_text(struct writer *w)
{
	delete_head(w, false);
	where_params(w);
	buf_str_add(&w->sql, " AND d.");
	pgconn_ident(&w->sql, w->s->soft_delete);
	buf_str_add(&w->sql, " IS TRUE");
}

static void
delete_array_text(struct writer *w)
{
	uint16_t key = w->pt->t->keys[0];

	delete_head(w, is_soft(w));
	buf_str_add(&w->sql, " WHERE d.");
	ident(w, key);
	buf_printf(&w->sql, " %s ANY (", w->pt->equals[0]);
	param(w, w->pt->array_types[key]);
	buf_char(&w->sql, ')');
}

static void
delete_whole_text(struct writer *w)
{
	delete_head(w, is_soft(w));
	where_whole(w);
}

static void
checkpoint_text(struct writer *w)
{
	buf_str_add(&w->sql, "UPDATE ");
	pgconn_qualified(&w->sql, w->s->meta, "peerdb_mirror_jobs");
	buf_str_add(&w->sql, " SET lsn_offset = ");
	param(w, 20 /* int8 */);
	buf_str_add(&w->sql, ", sync_batch_id = ");
	param(w, 20);
	buf_str_add(&w->sql, ", updated_at = now() WHERE mirror_job_name = ");
	pgconn_literal(&w->sql, w->s->cfg->mirror->flow_job_name);
}

static void (*const texts[STMT_KINDS])(struct writer *) = {
	[STMT_INSERT] = insert_text,
	[STMT_UPSERT] = upsert_text,
	[STMT_UPDATE] = update_text,
	[STMT_MOVE] = move_text,
	[STMT_DELETE] = delete_text,
	[STMT_DELETE_ARRAY] = delete_array_text,
	[STMT_DELETE_DEAD] = delete_dead_text,
	[STMT_SOFT_DELETE] = delete_text,
	[STMT_SOFT_DELETE_ARRAY] = delete_array_text,
	[STMT_DELETE_WHOLE] = delete_whole_text,
	[STMT_SOFT_DELETE_WHOLE] = delete_whole_text,
	[STMT_UPDATE_WHOLE] = update_whole_text,
	[STMT_CHECKPOINT] = checkpoint_text,
};

/* ---- the cache */

static struct pg_stmt *
stmt_new(struct pg_sink *s, struct pg_table *pt, const struct stmt_key *key)
{
	uint32_t cap = pt != NULL ? (uint32_t)pt->t->ncols * (key->nrows + 1u) + 8 : 8;
	struct writer w = { .s = s, .pt = pt, .key = key, .types = xcalloc(cap, sizeof(Oid)) };
	struct pg_stmt *st = xcalloc(1, sizeof(*st));

	buf_init(&w.sql, SQL_MAX);
	texts[key->kind](&w);
	if (buf_overflowed(&w.sql))
		bug("statement text over %u bytes", SQL_MAX);
	st->key = *key;
	st->sql = buf_take(&w.sql);
	st->types = w.types;
	st->nparams = w.n;
	return st;
}

struct pg_stmt *
pg_stmt_get(struct pg_sink *s, struct pg_table *pt, enum pg_stmt_kind kind, uint32_t nrows,
    const struct row *unchanged)
{
	struct pg_stmt **list = pt != NULL ? &pt->stmts : &s->own_stmts, *st;
	struct stmt_key key = { .kind = (uint8_t)kind, .nrows = (uint16_t)nrows };
	const uint8_t *at;
	uint16_t i;

	if (unchanged != NULL && unchanged->unchanged > 0)
		for (i = 0, at = unchanged->data; i < pt->t->ncols; i++)
			if (row_next(unchanged, &at).len == ROW_UNCHANGED)
				key.left_out[i / 8] |= (uint8_t)(1u << (i % 8));
	HASH_FIND(hh, *list, &key, sizeof(key), st);
	if (st == NULL) {
		st = stmt_new(s, pt, &key);
		HASH_ADD(hh, *list, key, sizeof(st->key), st);
	}
	return st;
}

void
pg_stmt_free_all(struct pg_stmt **list)
{
	struct pg_stmt *st, *next;

	HASH_ITER (hh, *list, st, next) {
		HASH_DEL(*list, st);
		free(st->sql);
		free(st->types);
		free(st);
	}
}

/* The server keeps the prepared ones until the session ends: rare, and harmless. */
void
pg_stmt_forget(struct pg_table *pt)
{
	pg_stmt_free_all(&pt->stmts);
}

void
pg_stmt_prepared(struct pg_stmt *st, bool ok)
{
	st->prepared = ok;
}

uint32_t
pg_stmt_rows(const struct pg_table *pt, uint32_t left)
{
	static const uint32_t steps[] = { 100, 10 };
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (left >= steps[i] && steps[i] * pt->t->ncols <= PARAMS_MAX)
			return steps[i];
	return 1;
}

/* ---- sending */

void
pg_param_reset(struct pg_sink *s)
{
	s->params_cap = s->params_cap > 0 ? s->params_cap : 1024;
	if (s->values == NULL) {
		s->values = xcalloc(s->params_cap, sizeof(*s->values));
		s->lengths = xcalloc(s->params_cap, sizeof(*s->lengths));
		s->formats = xcalloc(s->params_cap, sizeof(*s->formats));
	}
	s->nparams = 0;
}

void
pg_param_value(struct pg_sink *s, struct row_value v, bool text)
{
	if (s->nparams == s->params_cap) {
		s->params_cap *= 2;
		s->values = xrealloc(s->values, s->params_cap * sizeof(*s->values));
		s->lengths = xrealloc(s->lengths, s->params_cap * sizeof(*s->lengths));
		s->formats = xrealloc(s->formats, s->params_cap * sizeof(*s->formats));
	}
	s->values[s->nparams] = v.len == ROW_NULL ? NULL : (const char *)v.p;
	s->lengths[s->nparams] = (int)v.len;
	s->formats[s->nparams] = text ? 0 : 1;
	s->nparams++;
}

bool
pg_stmt_send(struct pg_sink *s, struct pg_table *pt, struct pg_stmt *st, uint32_t rows)
{
	if (s->nparams != st->nparams)
		bug("%u parameters for a statement that takes %u", s->nparams, st->nparams);
	if (!st->prepared) {
		/* a fresh name each time: whether an earlier try got through may be unknown */
		snprintf(st->name, sizeof(st->name), "peerd_%u", ++s->stmt_names);
		if (PQsendPrepare(s->pq, st->name, st->sql, (int)st->nparams, st->types) != 1)
			return false;
		st->prepared = true;
		pg_flight_push(s, (struct in_flight){ .pt = pt, .preparing = st });
	}
	if (PQsendQueryPrepared(s->pq, st->name, (int)s->nparams, s->values, s->lengths, s->formats,
		1) != 1)
		return false;
	pg_flight_push(s, (struct in_flight){ .pt = pt, .rows = rows });
	return true;
}
