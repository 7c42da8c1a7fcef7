#include "catalog/sqlite_int.h"

#include "lib/base/arena.h"

#define LOAD_ARENA (16 * 1024)

/* "" when the mirror has no ledger. */
static bool
load_id(struct catalog *c, const char *mirror, struct arena *a, const char **id_r, struct err *err)
{
	struct stmt s = stmt_for(c, Q_LOAD_ID);
	enum stmt_step step;

	stmt_text(&s, mirror);
	step = stmt_next(&s, err);
	if (step == STMT_ERROR)
		return false;
	*id_r = step == STMT_ROW ? col_text(&s, 0, a) : "";
	if (step == STMT_ROW)
		stmt_end(&s);
	return true;
}

/* Whether the stored ledger is that of this attempt. */
static bool
load_is(struct catalog *c, const char *mirror, const char *snapshot_id, bool *same_r,
    struct err *err)
{
	struct arena *a = arena_new(LOAD_ARENA);
	const char *stored;
	bool ok = load_id(c, mirror, a, &stored, err);

	if (ok)
		*same_r = strcmp(stored, snapshot_id) == 0;
	arena_free(&a);
	return ok;
}

/* ---- the plan */

static bool
plan_begin(struct catalog *c, const char *mirror, const char *snapshot_id, struct err *err)
{
	struct stmt old = stmt_for(c, Q_LOAD_FORGET), new = stmt_for(c, Q_LOAD_PLAN);

	stmt_text(&old, mirror);
	if (!stmt_run(&old, err))
		return false;
	stmt_text(&new, mirror);
	stmt_text(&new, snapshot_id);
	stmt_int(&new, clock_wall_us());
	if (stmt_run(&new, err))
		return true;
	if (err->code == ERR_IN_USE)
		err_set(err, ERR_NOT_FOUND, "mirror \"%s\" does not exist", mirror);
	return false;
}

static bool
plan_table(struct catalog *c, const char *mirror, const struct catalog_load_table *t,
    struct err *err)
{
	struct stmt s = stmt_for(c, Q_LOAD_TABLE);

	stmt_text(&s, mirror);
	stmt_int(&s, t->index);
	stmt_text(&s, t->source);
	stmt_text(&s, t->destination);
	stmt_int(&s, t->partitions_total);
	stmt_int(&s, t->rows_estimated);
	stmt_int(&s, t->state);
	return stmt_run(&s, err);
}

static bool
load_plan(struct catalog *c, const char *mirror, const char *snapshot_id,
    const struct catalog_load_table *tables, size_t n, struct err *err)
{
	bool same;
	size_t i;

	if (!load_is(c, mirror, snapshot_id, &same, err))
		return false;
	if (same)
		return true;
	if (!plan_begin(c, mirror, snapshot_id, err))
		return false;
	for (i = 0; i < n; i++)
		if (!plan_table(c, mirror, &tables[i], err))
			return false;
	return true;
}

void
catalog_load_plan(struct catalog *c, const char *mirror, const char *snapshot_id,
    const struct catalog_load_table *tables, size_t n, catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && load_plan(c, mirror, snapshot_id, tables, n, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

/* ---- partitions and states */

static bool
load_partition(struct catalog *c, const char *mirror, const char *snapshot_id,
    const struct catalog_partition *p, struct err *err)
{
	struct stmt s = stmt_for(c, Q_LOAD_PARTITION);
	bool same;

	if (!load_is(c, mirror, snapshot_id, &same, err))
		return false;
	if (!same)
		return err_set(err, ERR_NOT_FOUND,
		    "snapshot \"%s\" of mirror \"%s\" is not the current one", snapshot_id, mirror);
	stmt_text(&s, mirror);
	stmt_int(&s, p->table);
	stmt_int(&s, p->partition);
	stmt_text(&s, p->range);
	stmt_int(&s, p->rows);
	stmt_int(&s, p->bytes);
	stmt_int(&s, p->start_us);
	stmt_int(&s, p->end_us);
	if (stmt_run(&s, err))
		return true;
	if (err->code == ERR_IN_USE)
		err_set(err, ERR_NOT_FOUND, "snapshot \"%s\" of mirror \"%s\" has no table %d",
		    snapshot_id, mirror, p->table);
	return false;
}

void
catalog_load_partition(struct catalog *c, const char *mirror, const char *snapshot_id,
    const struct catalog_partition *p, catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && load_partition(c, mirror, snapshot_id, p, &err);

	write_end(c, ok, WRITE_GROUPED, &err, done, arg);
}

static bool
load_set_state(struct catalog *c, const char *mirror, const char *source,
    enum catalog_load_state state, struct err *err)
{
	struct stmt s = stmt_for(c, Q_LOAD_STATE);

	stmt_text(&s, mirror);
	stmt_text(&s, source);
	stmt_int(&s, state);
	return stmt_run_on(&s, "snapshot of table", source, err);
}

void
catalog_load_set_state(struct catalog *c, const char *mirror, const char *source,
    enum catalog_load_state state, catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && load_set_state(c, mirror, source, state, &err);

	write_end(c, ok, WRITE_GROUPED, &err, done, arg);
}

/* ---- reading */

static bool
load_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_load_table *t = row_r;

	t->index = (int32_t)col_int(s, 0);
	t->source = col_text(s, 1, a);
	t->destination = col_text(s, 2, a);
	t->partitions_total = (int32_t)col_int(s, 3);
	t->rows_estimated = col_int(s, 4);
	t->state = (enum catalog_load_state)col_int(s, 5);
	t->partitions_done = (int32_t)col_int(s, 6);
	t->rows = col_int(s, 7);
	t->bytes = col_int(s, 8);
	t->start_us = col_int(s, 9);
	t->end_us = t->partitions_done >= t->partitions_total ? col_int(s, 10) : 0;
	t->busy_us = col_int(s, 11);
	return true;
}

void
catalog_load_list(struct catalog *c, const char *mirror, catalog_load_fn *fn, void *arg)
{
	struct arena *a = arena_new(LOAD_ARENA);
	struct stmt s = stmt_for(c, Q_LOAD_TABLES);
	struct err err = ERR_INIT;
	struct rows rows = { 0 };
	const char *id;
	bool ok = load_id(c, mirror, a, &id, &err);

	if (ok) {
		stmt_text(&s, mirror);
		ok = rows_read(&rows, &s, sizeof(struct catalog_load_table), load_read, &err);
	}
	fn(arg, ok ? NULL : &err, ok ? id : "", rows.p, rows.n);
	rows_done(&rows);
	arena_free(&a);
}

static bool
partition_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_partition *p = row_r;

	p->table = (int32_t)col_int(s, 0);
	p->partition = (int32_t)col_int(s, 1);
	p->rows = col_int(s, 2);
	p->bytes = col_int(s, 3);
	p->start_us = col_int(s, 4);
	p->end_us = col_int(s, 5);
	p->range = col_text(s, 6, a);
	return true;
}

void
catalog_partitions_list(struct catalog *c, const char *mirror, catalog_partitions_fn *fn, void *arg)
{
	struct stmt s = stmt_for(c, Q_LOAD_PARTITIONS);
	struct err err = ERR_INIT;
	struct rows rows = { 0 };
	bool ok;

	stmt_text(&s, mirror);
	ok = rows_read(&rows, &s, sizeof(struct catalog_partition), partition_read, &err);
	fn(arg, ok ? NULL : &err, rows.p, rows.n);
	rows_done(&rows);
}
