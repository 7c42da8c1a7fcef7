#include "catalog/sqlite_int.h"

#include "lib/base/arena.h"

#define PEERS_ARENA (16 * 1024)

/* ---- reading */

static bool
peer_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_peer *p = row_r;
	struct sealed sealed;

	p->id = col_int(s, 0);
	p->name = col_text(s, 1, a);
	p->type = (int32_t)col_int(s, 2);
	sealed.blob = col_blob(s, 3, a);
	sealed.key_id = col_text(s, 4, a);
	p->created_us = col_int(s, 5);
	p->updated_us = col_int(s, 6);
	return seal_open(&s->c->ring, "peers", p->name, &sealed, a, &p->config, err);
}

static bool
peers_read(struct catalog *c, struct rows *rows, struct err *err)
{
	struct stmt s = stmt_for(c, Q_PEERS);

	return rows_read(rows, &s, sizeof(struct catalog_peer), peer_read, err);
}

void
catalog_peers_load(struct catalog *c, catalog_peers_fn *fn, void *arg)
{
	struct err err = ERR_INIT;
	struct rows rows = { 0 };
	bool ok = peers_read(c, &rows, &err);

	fn(arg, ok ? NULL : &err, rows.p, rows.n);
	rows_done(&rows);
}

/* ---- writing */

static bool
peer_write(struct catalog *c, enum query q, const struct catalog_peer *p, struct err *err)
{
	struct arena *a = arena_new(PEERS_ARENA);
	struct stmt s = stmt_for(c, q);
	struct sealed sealed;
	bool ok = false;

	if (seal_close(&c->ring, "peers", p->name, p->config, a, &sealed, err)) {
		stmt_text(&s, p->name);
		stmt_int(&s, p->type);
		stmt_blob(&s, sealed.blob);
		stmt_text(&s, sealed.key_id);
		stmt_int(&s, clock_wall_us());
		ok = stmt_run_on(&s, "peer", p->name, err);
	}
	arena_free(&a);
	if (!ok && err->code == ERR_EXISTS)
		err_set(err, ERR_EXISTS, "peer \"%s\" exists already", p->name);
	return ok;
}

void
catalog_peer_insert(struct catalog *c, const struct catalog_peer *p, catalog_done_fn *done,
    void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && peer_write(c, Q_PEER_INSERT, p, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

void
catalog_peer_update(struct catalog *c, const struct catalog_peer *p, catalog_done_fn *done,
    void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && peer_write(c, Q_PEER_UPDATE, p, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

/* Fails with the names of the mirrors that use the peer. */
static bool
peer_check_unused(struct catalog *c, const char *name, struct err *err)
{
	struct stmt s = stmt_for(c, Q_PEER_USERS);
	struct err in_use = ERR_INIT;
	enum stmt_step step;

	stmt_text(&s, name);
	while ((step = stmt_next(&s, err)) == STMT_ROW) {
		if (in_use.code == ERR_NONE)
			err_set(&in_use, ERR_IN_USE, "peer \"%s\" is used by mirrors", name);
		err_subject(&in_use, (const char *)sqlite3_column_text(s.st, 0));
	}
	if (step == STMT_ERROR)
		return false;
	if (in_use.code == ERR_NONE)
		return true;
	err_hint(&in_use, "drop the mirrors first");
	*err = in_use;
	return false;
}

static bool
peer_delete(struct catalog *c, const char *name, struct err *err)
{
	struct stmt s = stmt_for(c, Q_PEER_DELETE);

	if (!peer_check_unused(c, name, err))
		return false;
	stmt_text(&s, name);
	return stmt_run_on(&s, "peer", name, err);
}

void
catalog_peer_delete(struct catalog *c, const char *name, catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && peer_delete(c, name, &err);

	write_end(c, ok, WRITE_AT_ONCE, &err, done, arg);
}

/* ---- key rotation */

static bool
peer_reseal(struct catalog *c, const struct catalog_peer *p, struct arena *a, struct err *err)
{
	struct stmt s = stmt_for(c, Q_PEER_RESEAL);
	struct sealed sealed;

	if (!seal_close(&c->ring, "peers", p->name, p->config, a, &sealed, err))
		return false;
	stmt_text(&s, p->name);
	stmt_blob(&s, sealed.blob);
	stmt_text(&s, sealed.key_id);
	return stmt_run(&s, err);
}

/* Opens every peer, so that a wrong key shows when peerd starts and not later. */
bool
peers_reseal(struct catalog *c, struct err *err)
{
	const struct catalog_peer *p;
	struct rows rows = { 0 };
	bool ok;
	size_t i;

	ok = peers_read(c, &rows, err);
	for (i = 0; ok && i < rows.n; i++) {
		p = (const struct catalog_peer *)rows.p + i;
		ok = peer_reseal(c, p, rows.strings, err);
	}
	rows_done(&rows);
	return ok;
}
