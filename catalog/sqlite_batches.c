#include "catalog/sqlite_int.h"

/* ---- a new batch */

static bool
batch_insert(struct catalog *c, const char *mirror, const struct catalog_batch *b, bool *new_r,
    struct err *err)
{
	struct stmt s = stmt_for(c, Q_BATCH_ADD);

	stmt_text(&s, mirror);
	stmt_int(&s, (int64_t)b->batch_id);
	stmt_int(&s, (int64_t)b->start_lsn);
	stmt_int(&s, (int64_t)b->end_lsn);
	stmt_int(&s, b->rows);
	stmt_int(&s, b->start_us);
	stmt_int(&s, b->end_us);
	if (!stmt_run(&s, err))
		return false;
	*new_r = sqlite3_changes(c->db) > 0;
	return true;
}

static bool
batch_total(struct catalog *c, const char *mirror, const struct catalog_batch *b, struct err *err)
{
	struct stmt s = stmt_for(c, Q_BATCH_TOTAL);

	stmt_text(&s, mirror);
	stmt_int(&s, (int64_t)b->batch_id);
	stmt_int(&s, b->rows);
	return stmt_run(&s, err);
}

static bool
batch_count(struct catalog *c, const char *mirror, const struct catalog_batch *b,
    const struct catalog_counts *counts, struct err *err)
{
	struct stmt s = stmt_for(c, Q_BATCH_COUNT);

	stmt_text(&s, mirror);
	stmt_text(&s, counts->destination);
	stmt_int(&s, counts->inserts);
	stmt_int(&s, counts->updates);
	stmt_int(&s, counts->deletes);
	stmt_int(&s, (int64_t)b->batch_id);
	return stmt_run(&s, err);
}

/* A forgotten batch stays known by forgotten_to, so that it is not counted again. */
static bool
batch_prune(struct catalog *c, const char *mirror, uint64_t newest, struct err *err)
{
	struct stmt prune = stmt_for(c, Q_BATCH_PRUNE), mark = stmt_for(c, Q_BATCH_PRUNED);
	int64_t to = (int64_t)newest - c->batches_kept;

	if (to <= 0)
		return true;
	stmt_text(&prune, mirror);
	stmt_int(&prune, to);
	if (!stmt_run(&prune, err))
		return false;
	stmt_text(&mark, mirror);
	stmt_int(&mark, to);
	return stmt_run(&mark, err);
}

static bool
batch_checkpoint(struct catalog *c, const char *mirror, lsn_t lsn, struct err *err)
{
	struct stmt s = stmt_for(c, Q_MIRROR_CHECKPOINT);

	stmt_text(&s, mirror);
	stmt_int(&s, (int64_t)lsn);
	return stmt_run_on(&s, "mirror", mirror, err);
}

static bool
batch_add(struct catalog *c, const char *mirror, const struct catalog_batch *b,
    const struct catalog_counts *counts, size_t n, struct err *err)
{
	bool new;
	size_t i;

	if (!batch_checkpoint(c, mirror, b->end_lsn, err) || !batch_insert(c, mirror, b, &new, err))
		return false;
	if (!new)
		return true;
	if (!batch_total(c, mirror, b, err))
		return false;
	for (i = 0; i < n; i++)
		if (!batch_count(c, mirror, b, &counts[i], err))
			return false;
	return batch_prune(c, mirror, b->batch_id, err);
}

void
catalog_batch_add(struct catalog *c, const char *mirror, const struct catalog_batch *b,
    const struct catalog_counts *counts, size_t n, catalog_done_fn *done, void *arg)
{
	struct err err = ERR_INIT;
	bool ok = write_begin(c, &err) && batch_add(c, mirror, b, counts, n, &err);

	write_end(c, ok, WRITE_GROUPED, &err, done, arg);
}

bool
batches_forget(struct catalog *c, const char *mirror, struct err *err)
{
	static const enum query forget[] = { Q_BATCHES_FORGET, Q_TOTALS_FORGET, Q_COUNTS_FORGET };
	struct stmt s;
	size_t i;

	for (i = 0; i < sizeof(forget) / sizeof(forget[0]); i++) {
		s = stmt_for(c, forget[i]);
		stmt_text(&s, mirror);
		if (!stmt_run(&s, err))
			return false;
	}
	return true;
}

/* ---- reading */

static bool
batch_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_batch *b = row_r;

	b->batch_id = (uint64_t)col_int(s, 0);
	b->start_lsn = (lsn_t)col_int(s, 1);
	b->end_lsn = (lsn_t)col_int(s, 2);
	b->rows = col_int(s, 3);
	b->start_us = col_int(s, 4);
	b->end_us = col_int(s, 5);
	return true;
}

static bool
batches_read(struct catalog *c, const char *mirror, const struct paging *pg, struct rows *rows,
    struct err *err)
{
	struct stmt s = stmt_for(c, pg->up ? Q_BATCHES_UP : Q_BATCHES_DOWN);

	stmt_text(&s, mirror);
	paging_bind(pg, &s);
	if (!rows_read(rows, &s, sizeof(struct catalog_batch), batch_read, err))
		return false;
	paging_turn(pg, rows, sizeof(struct catalog_batch));
	return true;
}

static bool
batches_page(struct catalog *c, const char *mirror, bool ascending, const struct rows *rows,
    struct catalog_page *page_r, struct err *err)
{
	const struct catalog_batch *first = rows->p;
	struct stmt s = stmt_for(c, Q_BATCHES_PAGE);

	stmt_text(&s, mirror);
	stmt_int(&s, rows->n > 0 ? (int64_t)first->batch_id : 0);
	if (!paging_read(&s, ascending, page_r, err))
		return false;
	if (rows->n == 0)
		page_r->skipped = 0;
	return true;
}

void
catalog_batches_list(struct catalog *c, const char *mirror, const struct catalog_range *range,
    catalog_batches_fn *fn, void *arg)
{
	struct paging pg = paging_of(range);
	struct catalog_page page = { 0 };
	struct err err = ERR_INIT;
	struct rows rows = { 0 };

	if (batches_read(c, mirror, &pg, &rows, &err) &&
	    batches_page(c, mirror, range->ascending, &rows, &page, &err))
		fn(arg, NULL, rows.p, rows.n, &page);
	else
		fn(arg, &err, NULL, 0, &page);
	rows_done(&rows);
}

static bool
counts_read(const struct stmt *s, struct arena *a, void *row_r, struct err *err)
{
	struct catalog_counts *counts = row_r;

	counts->destination = col_text(s, 0, a);
	counts->inserts = col_int(s, 1);
	counts->updates = col_int(s, 2);
	counts->deletes = col_int(s, 3);
	counts->latest_batch_id = (uint64_t)col_int(s, 4);
	return true;
}

void
catalog_counts_list(struct catalog *c, const char *mirror, catalog_counts_fn *fn, void *arg)
{
	struct stmt s = stmt_for(c, Q_COUNTS);
	struct err err = ERR_INIT;
	struct rows rows = { 0 };
	bool ok;

	stmt_text(&s, mirror);
	ok = rows_read(&rows, &s, sizeof(struct catalog_counts), counts_read, &err);
	fn(arg, ok ? NULL : &err, rows.p, rows.n);
	rows_done(&rows);
}

void
catalog_totals_get(struct catalog *c, const char *mirror, catalog_totals_fn *fn, void *arg)
{
	struct stmt s = stmt_for(c, Q_TOTALS);
	struct err err = ERR_INIT;
	struct catalog_totals t;

	stmt_text(&s, mirror);
	if (stmt_next(&s, &err) != STMT_ROW) {
		fn(arg, &err, NULL);
		return;
	}
	t = (struct catalog_totals){
		.batches = col_int(&s, 0),
		.batch_rows = col_int(&s, 1),
		.inserts = col_int(&s, 2),
		.updates = col_int(&s, 3),
		.deletes = col_int(&s, 4),
		.snapshot_rows = col_int(&s, 5),
	};
	stmt_end(&s);
	fn(arg, NULL, &t);
}
