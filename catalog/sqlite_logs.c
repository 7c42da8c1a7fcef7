#include "catalog/sqlite_int.h"

/* The bound is looked after once in so many lines, so a mirror may have this many over it. */
#define LOG_PRUNE_EVERY 64

static bool
log_prune(struct catalog *c, const char *mirror, struct err *err)
{
	struct stmt s = stmt_for(c, Q_LOG_PRUNE);

	if (sqlite3_last_insert_rowid(c->db) % LOG_PRUNE_EVERY != 0)
		return true;
	stmt_text(&s, mirror);
	stmt_int(&s, c->logs_kept);
	return stmt_run(&s, err);
}

static bool
log_add(struct catalog *c, const struct catalog_log *l, struct err *err)
{
	struct stmt s = stmt_for(c, Q_LOG_ADD);

	stmt_text(&s, l->mirror);
	stmt_text(&s, l->level);
	stmt_text(&s, l->message);
	stmt_int(&s, l->at_us);
	return stmt_run(&s, err) && log_prune(c, l->mirror, err);
}

void
catalog_log_add(struct catalog *c, const struct catalog_log *l, catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && log_add(c, l, &err);

	write_end(c, ok, WRITE_GROUPED, &err, done, arg);
}

static bool
log_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_log *l = row_r;

	l->id = col_int(s, 0);
	l->mirror = col_text(s, 1, a);
	l->level = col_text(s, 2, a);
	l->message = col_text(s, 3, a);
	l->at_us = col_int(s, 4);
	return true;
}

static bool
logs_read(struct catalog *c, const struct catalog_log_filter *f, struct rows *rows, struct err *err)
{
	struct paging pg = paging_of(&f->range);
	struct stmt s = stmt_for(c, pg.up ? Q_LOGS_UP : Q_LOGS_DOWN);

	stmt_text(&s, f->mirror);
	stmt_text(&s, f->level);
	paging_bind(&pg, &s);
	if (!rows_read(rows, &s, sizeof(struct catalog_log), log_read, err))
		return false;
	paging_turn(&pg, rows, sizeof(struct catalog_log));
	return true;
}

static bool
logs_page(struct catalog *c, const struct catalog_log_filter *f, const struct rows *rows,
    struct catalog_page *page_r, struct err *err)
{
	const struct catalog_log *first = rows->p;
	struct stmt s = stmt_for(c, Q_LOGS_PAGE);

	stmt_text(&s, f->mirror);
	stmt_text(&s, f->level);
	stmt_int(&s, rows->n > 0 ? first->id : 0);
	if (!paging_read(&s, f->range.ascending, page_r, err))
		return false;
	if (rows->n == 0)
		page_r->skipped = 0;
	return true;
}

void
catalog_logs_list(struct catalog *c, const struct catalog_log_filter *f, catalog_logs_fn *fn,
    void *arg)
{
	struct catalog_page page = { 0 };
	struct err err = ERR_INIT;
	struct rows rows = { 0 };

	if (logs_read(c, f, &rows, &err) && logs_page(c, f, &rows, &page, &err))
		fn(arg, NULL, rows.p, rows.n, &page);
	else
		fn(arg, &err, NULL, 0, &page);
	rows_done(&rows);
}
