#include "catalog/sqlite_int.h"

/* ---- reading */

static void
state_read(const struct stmt *s, struct arena *a, struct catalog_mirror_state *state_r)
{
	state_r->wanted = (enum catalog_wanted)col_int(s, 6);
	state_r->status = (int32_t)col_int(s, 7);
	state_r->phase = (int32_t)col_int(s, 8);
	state_r->drop_stats = col_int(s, 9) != 0;
	state_r->skip_destination_drop = col_int(s, 10) != 0;
	state_r->error_code = (int32_t)col_int(s, 11);
	state_r->error = col_text(s, 12, a);
	state_r->error_hint = col_text(s, 13, a);
}

static bool
mirror_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_mirror *m = row_r;

	m->id = col_int(s, 0);
	m->name = col_text(s, 1, a);
	m->source = col_text(s, 2, a);
	m->destination = col_text(s, 3, a);
	m->config = col_blob(s, 4, a);
	m->tables = col_blob(s, 5, a);
	state_read(s, a, &m->state);
	m->generation = (uint64_t)col_int(s, 14);
	m->next_batch_id = (uint64_t)col_int(s, 15);
	m->checkpoint = (lsn_t)col_int(s, 16);
	m->created_us = col_int(s, 17);
	m->updated_us = col_int(s, 18);
	m->state_us = col_int(s, 19);
	return true;
}

void
catalog_mirrors_load(struct catalog *c, catalog_mirrors_fn *fn, void *arg)
{
	struct stmt s = stmt_for(c, Q_MIRRORS);
	struct err err = ERR_INIT;
	struct rows rows = { 0 };
	bool ok;

	ok = rows_read(&rows, &s, sizeof(struct catalog_mirror), mirror_read, &err);
	fn(arg, ok ? NULL : &err, rows.p, rows.n);
	rows_done(&rows);
}

/* ---- state history */

static bool
history_add(struct catalog *c, const char *mirror, int32_t from,
    const struct catalog_mirror_state *state, const char *event, struct err *err)
{
	struct stmt add = stmt_for(c, Q_HISTORY_ADD), prune = stmt_for(c, Q_HISTORY_PRUNE);

	stmt_text(&add, mirror);
	stmt_int(&add, from);
	stmt_int(&add, state->status);
	stmt_text(&add, event);
	stmt_text(&add, state->error);
	stmt_int(&add, clock_wall_us());
	if (!stmt_run(&add, err))
		return false;
	stmt_text(&prune, mirror);
	return stmt_run(&prune, err);
}

static bool
change_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_state_change *ch = row_r;

	ch->id = col_int(s, 0);
	ch->from = (int32_t)col_int(s, 1);
	ch->to = (int32_t)col_int(s, 2);
	ch->event = col_text(s, 3, a);
	ch->error = col_text(s, 4, a);
	ch->at_us = col_int(s, 5);
	return true;
}

void
catalog_history_list(struct catalog *c, const char *mirror, int64_t limit, catalog_history_fn *fn,
    void *arg)
{
	struct stmt s = stmt_for(c, Q_HISTORY);
	struct err err = ERR_INIT;
	struct rows rows = { 0 };
	bool ok;

	stmt_text(&s, mirror);
	stmt_int(&s, limit);
	ok = rows_read(&rows, &s, sizeof(struct catalog_state_change), change_read, &err);
	fn(arg, ok ? NULL : &err, rows.p, rows.n);
	rows_done(&rows);
}

/* ---- a new mirror */

static bool
peer_check_exists(struct catalog *c, const char *peer, struct err *err)
{
	struct stmt s = stmt_for(c, Q_PEER_EXISTS);
	int64_t exists;

	stmt_text(&s, peer);
	if (!stmt_number(&s, 0, &exists, err))
		return false;
	return exists != 0 || err_set(err, ERR_NOT_FOUND, "peer \"%s\" does not exist", peer);
}

static bool
mirror_insert_row(struct catalog *c, const struct catalog_mirror *m, struct err *err)
{
	struct stmt s = stmt_for(c, Q_MIRROR_INSERT);

	stmt_text(&s, m->name);
	stmt_text(&s, m->source);
	stmt_text(&s, m->destination);
	stmt_blob(&s, m->config);
	stmt_blob(&s, m->tables);
	stmt_int(&s, m->state.wanted);
	stmt_int(&s, m->state.status);
	stmt_int(&s, m->state.phase);
	stmt_int(&s, m->state.drop_stats);
	stmt_int(&s, m->state.skip_destination_drop);
	stmt_int(&s, m->state.error_code);
	stmt_text(&s, m->state.error);
	stmt_text(&s, m->state.error_hint);
	stmt_int(&s, clock_wall_us());
	if (stmt_run(&s, err))
		return true;
	if (err->code == ERR_EXISTS)
		err_set(err, ERR_EXISTS, "mirror \"%s\" exists already", m->name);
	return false;
}

static bool
mirror_insert(struct catalog *c, const struct catalog_mirror *m, struct err *err)
{
	return peer_check_exists(c, m->source, err) && peer_check_exists(c, m->destination, err) &&
	    mirror_insert_row(c, m, err) && batches_forget(c, m->name, err) &&
	    history_add(c, m->name, 0, &m->state, "created", err);
}

void
catalog_mirror_insert(struct catalog *c, const struct catalog_mirror *m, catalog_done_fn *done,
    void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && mirror_insert(c, m, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

/* ---- changes */

static bool
mirror_set_blob(struct catalog *c, enum query q, const char *name, struct slice v, struct err *err)
{
	struct stmt s = stmt_for(c, q);

	stmt_text(&s, name);
	stmt_blob(&s, v);
	stmt_int(&s, clock_wall_us());
	return stmt_run_on(&s, "mirror", name, err);
}

void
catalog_mirror_set_config(struct catalog *c, const char *name, struct slice config,
    catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && mirror_set_blob(c, Q_MIRROR_CONFIG, name, config, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

void
catalog_mirror_set_tables(struct catalog *c, const char *name, struct slice tables,
    catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && mirror_set_blob(c, Q_MIRROR_TABLES, name, tables, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

static bool
mirror_write_state(struct catalog *c, const char *name, const struct catalog_mirror_state *state,
    struct err *err)
{
	struct stmt s = stmt_for(c, Q_MIRROR_STATE);

	stmt_text(&s, name);
	stmt_int(&s, state->wanted);
	stmt_int(&s, state->status);
	stmt_int(&s, state->phase);
	stmt_int(&s, state->drop_stats);
	stmt_int(&s, state->skip_destination_drop);
	stmt_int(&s, state->error_code);
	stmt_text(&s, state->error);
	stmt_text(&s, state->error_hint);
	stmt_int(&s, clock_wall_us());
	return stmt_run_on(&s, "mirror", name, err);
}

static bool
mirror_set_state(struct catalog *c, const char *name, const struct catalog_mirror_state *state,
    const char *event, struct err *err)
{
	struct stmt s = stmt_for(c, Q_MIRROR_STATUS);
	int64_t before;

	stmt_text(&s, name);
	return stmt_number(&s, state->status, &before, err) &&
	    mirror_write_state(c, name, state, err) &&
	    (state->config.n == 0 ||
		mirror_set_blob(c, Q_MIRROR_CONFIG, name, state->config, err)) &&
	    (before == state->status || history_add(c, name, (int32_t)before, state, event, err));
}

void
catalog_mirror_set_state(struct catalog *c, const char *name,
    const struct catalog_mirror_state *state, const char *event, catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && mirror_set_state(c, name, state, event, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

static bool
mirror_set_generation(struct catalog *c, const char *name, uint64_t generation, struct err *err)
{
	struct stmt get = stmt_for(c, Q_MIRROR_GENERATION_GET);
	struct stmt set = stmt_for(c, Q_MIRROR_GENERATION);
	int64_t stored;

	stmt_text(&get, name);
	if (!stmt_number(&get, -1, &stored, err))
		return false;
	if (stored >= 0 && generation <= (uint64_t)stored)
		return err_set(err, ERR_BUG, "generation %llu of mirror \"%s\" was used before",
		    (unsigned long long)generation, name);
	stmt_text(&set, name);
	stmt_int(&set, (int64_t)generation);
	return stmt_run_on(&set, "mirror", name, err);
}

void
catalog_mirror_set_generation(struct catalog *c, const char *name, uint64_t generation,
    catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && mirror_set_generation(c, name, generation, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

static bool
mirror_set_checkpoint(struct catalog *c, const char *name, lsn_t lsn, struct err *err)
{
	struct stmt s = stmt_for(c, Q_MIRROR_CHECKPOINT);

	stmt_text(&s, name);
	stmt_int(&s, (int64_t)lsn);
	return stmt_run_on(&s, "mirror", name, err);
}

void
catalog_mirror_set_checkpoint(struct catalog *c, const char *name, lsn_t lsn, catalog_done_fn *done,
    void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && mirror_set_checkpoint(c, name, lsn, &err);

	write_end(c, ok, WRITE_GROUPED, &err, done, arg);
}

static bool
mirror_set_error(struct catalog *c, const char *name, const struct err *why, struct err *err)
{
	struct stmt s = stmt_for(c, Q_MIRROR_ERROR);

	stmt_text(&s, name);
	stmt_int(&s, why != NULL ? why->code : ERR_NONE);
	stmt_text(&s, why != NULL ? why->msg : "");
	stmt_text(&s, why != NULL ? why->hint : "");
	return stmt_run_on(&s, "mirror", name, err);
}

void
catalog_mirror_set_error(struct catalog *c, const char *name, const struct err *why,
    catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && mirror_set_error(c, name, why, &err);

	write_end(c, ok, WRITE_GROUPED, &err, done, arg);
}

/* ---- the end of a mirror; ledger and tags go with the row */

static bool
forget(struct catalog *c, enum query q, const char *mirror, struct err *err)
{
	struct stmt s = stmt_for(c, q);

	stmt_text(&s, mirror);
	return stmt_run(&s, err);
}

static bool
mirror_delete(struct catalog *c, const char *name, bool drop_stats, struct err *err)
{
	struct stmt s = stmt_for(c, Q_MIRROR_DELETE);

	stmt_text(&s, name);
	if (!stmt_run_on(&s, "mirror", name, err))
		return false;
	return !drop_stats ||
	    (batches_forget(c, name, err) && forget(c, Q_LOGS_FORGET, name, err) &&
		forget(c, Q_HISTORY_FORGET, name, err));
}

void
catalog_mirror_delete(struct catalog *c, const char *name, bool drop_stats, catalog_done_fn *done,
    void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && mirror_delete(c, name, drop_stats, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}
