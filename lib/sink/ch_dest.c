#include <inttypes.h>
#include <poll.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/sink/ch_dest_int.h"
#include "lib/sink/ch_fence.h"
#include "lib/sink/sink.h"
#include "lib/types/ident.h"

#define STRAGGLERS_US	(60 * USEC_PER_SEC) /* how long an insert of a killed loader may take */
#define STRAGGLERS_WAIT 100		    /* ms between two looks */
#define COUNT_SECONDS	30

struct ch_dest {
	struct dest base;
	struct ch_side side;
	struct ch_meta *meta; /* NULL until it is asked for */
};

/* ---- pure */

static void
ch_address(const PeerdbPeers__Peer *peer, struct buf *to)
{
	const PeerdbPeers__ClickhouseConfig *cfg = peer->clickhouse_config;

	if (cfg->host != NULL && cfg->host[0] != '\0')
		buf_printf(to, "%s:%u", cfg->host, cfg->port);
}

/* ---- life */

static struct ch_side *
side_of(struct dest *d)
{
	return &((struct ch_dest *)d)->side;
}

static void
ch_close(struct dest *base)
{
	struct ch_dest *d = (struct ch_dest *)base;

	ch_meta_close(&d->meta);
	chclient_close(&d->side.c);
	free(d);
}

static bool
ch_open(const struct dest_config *cfg, struct dest **d_r, struct err *err)
{
	const struct chclient_config client = {
		.peer = cfg->peer->clickhouse_config,
		.intr = cfg->intr,
		.what = cfg->what,
		.connect_timeout = cfg->timeout,
	};
	struct ch_dest *d = xcalloc(1, sizeof(*d));

	d->base.ops = &dest_clickhouse;
	d->base.cfg = *cfg;
	d->side.peer = cfg->peer->clickhouse_config;
	d->side.mirror = cfg->mirror;
	if (!chclient_open(&client, &d->side.c, err)) {
		ch_close(&d->base);
		return false;
	}
	*d_r = &d->base;
	return true;
}

/* As it is now: another worker may have written since. */
static bool
read_meta(struct dest *base, struct ch_meta **m_r, struct err *err)
{
	struct ch_dest *d = (struct ch_dest *)base;

	ch_meta_close(&d->meta);
	if (!ch_meta_open(d->side.c, d->side.peer, d->side.mirror->flow_job_name, &d->meta, err))
		return false;
	*m_r = d->meta;
	return true;
}

/* ---- a peer */

static bool
ch_validate(struct dest *d, struct err *err)
{
	return chclient_check(side_of(d)->c, err);
}

static const char *
ch_version(struct dest *d)
{
	return chclient_caps(side_of(d)->c)->version;
}

/* ---- a mirror */

static bool
ch_check(struct dest *d, struct pgconn *src, struct dest_tables tables, bool again, struct err *err)
{
	(void)src;
	return ch_side_options(side_of(d), err) && chclient_check(side_of(d)->c, err) &&
	    ch_dest_check_tables(side_of(d), tables, again, err);
}

/*
 * Which tables are to be made. That the mirror makes them is remembered first:
 * a table that was made and is taken for somebody else's would be a pity, one
 * that is remembered and was not made is made next time.
 */
static bool
plan_tables(struct dest *d, struct ch_meta *m, struct arena *a, struct dest_tables tables,
    struct ch_table **missing, struct err *err)
{
	struct ch_meta_entry *new = arena_zalloc(a, (tables.n + 1) * sizeof(*new));
	const struct ch_found_table *found;
	struct ch_table *ct;
	size_t i, n = 0;

	for (i = 0; i < tables.n; i++) {
		if (!ch_side_table(side_of(d), a, table_new(a, (uint32_t)i, tables.v[i]), &ct,
			err) ||
		    !ch_side_find(side_of(d), a, ct, &found, err))
			return false;
		missing[i] = found == NULL ? ct : NULL;
		tables.v[i]->has_created = true;
		tables.v[i]->created = found == NULL ||
		    ch_meta_find(m, CH_META_CREATED, ct->name) != NULL;
		if (found == NULL)
			new[n++] = (struct ch_meta_entry){ .kind = CH_META_CREATED,
				.name = ct->name,
				.words = ct->t->source_label };
	}
	return ch_meta_put(m, new, n, err);
}

/* In a resync a table that takes the place of somebody else's is shaped like that. */
static bool
create_table(struct dest *d, struct ch_meta *m, struct arena *a, const struct ch_table *ct,
    PeerdWorker__MirrorTable *t, struct err *err)
{
	struct ch_statements list;
	bool done = false;

	if (d->cfg.mirror->resync &&
	    !ch_side_create_like_replaced(side_of(d), m, a, ct, &done, err))
		return false;
	t->created = !done;
	return done ||
	    (ch_ddl_create(ct, "", CH_CREATE_IF_MISSING, a, &list, err) &&
		ch_side_run(side_of(d), &list, err));
}

static bool
prepare_tables(struct dest *d, struct ch_meta *m, struct arena *a, struct dest_tables tables,
    struct err *err)
{
	struct ch_table **missing = arena_zalloc(a, (tables.n + 1) * sizeof(*missing)), *ct;
	bool ok = plan_tables(d, m, a, tables, missing, err);
	size_t i;

	for (i = 0; ok && i < tables.n; i++)
		ok = missing[i] != NULL
		    ? create_table(d, m, a, missing[i], tables.v[i], err)
		    : ch_side_bind(side_of(d), a, table_new(a, (uint32_t)i, tables.v[i]), &ct, err);
	return ok;
}

static bool
ch_prepare(struct dest *d, struct pgconn *src, struct dest_tables tables, struct err *err)
{
	struct arena *a = arena_new(64 * KIB);
	struct ch_meta *m;
	bool ok;

	(void)src;
	ok = ch_side_options(side_of(d), err) && read_meta(d, &m, err) && ch_meta_create(m, err) &&
	    prepare_tables(d, m, a, tables, err);
	arena_free(&a);
	return ok;
}

/* Every type is the server's own. */
static bool
ch_prepare_columns(struct dest *d, struct pgconn *src, PeerdWorker__MirrorTable *t, struct err *err)
{
	(void)d;
	(void)src;
	(void)t;
	(void)err;
	return true;
}

static bool
ch_restart(struct dest *d, struct err *err)
{
	struct ch_meta *m;

	return read_meta(d, &m, err) && ch_meta_restart(m, err);
}

static bool
ch_checkpoint_init(struct dest *d, lsn_t lsn, struct err *err)
{
	const struct ch_meta_entry e = { .kind = CH_META_CHECKPOINT, .lsn = lsn };
	struct ch_meta *m;

	return read_meta(d, &m, err) &&
	    (ch_meta_checkpoint(m) != LSN_INVALID || ch_meta_put(m, &e, 1, err));
}

/*
 * ClickHouse knows no locks. Who streams is told by the slot, which one
 * walsender has at a time; what a worker that was killed still gets in is older
 * by version than what its successor writes of the same rows, or the same, and
 * by number in the metadata. Loaders look whether their attempt is still on.
 * When the server crashes, how much of what it acknowledged it finds again is
 * its own affair (settings fsync_after_insert, insert_quorum).
 */
static bool
ch_take_over(struct dest *d, lsn_t *checkpoint_r, struct err *err)
{
	struct ch_meta *m;

	if (!read_meta(d, &m, err))
		return false;
	*checkpoint_r = ch_meta_checkpoint(m);
	return true;
}

/* ---- load */

/*
 * An insert that was received whole goes on when its sender is gone, and would
 * land behind a TRUNCATE. It bears our name.
 */
static bool
count_stragglers(struct dest *d, struct arena *a, uint64_t *n_r, struct err *err)
{
	struct ch_rows rows;
	struct buf sql;
	bool ok;

	buf_init(&sql, MIB);
	buf_str_add(&sql,
	    "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO %'"
	    " AND http_user_agent = ");
	ch_literal(&sql, slice_str(d->cfg.what));
	ok = chclient_query(side_of(d)->c, a, buf_str(&sql), &rows, err);
	buf_done(&sql);
	if (ok)
		*n_r = strtoull(ch_cell_str(&rows, 0, 0), NULL, 10);
	return ok;
}

static bool
wait_for_stragglers(struct dest *d, struct arena *a, struct err *err)
{
	usec_t deadline = clock_mono_us() + STRAGGLERS_US;
	uint64_t n;

	for (;;) {
		if (!count_stragglers(d, a, &n, err))
			return false;
		if (n == 0)
			return true;
		if (clock_mono_us() > deadline)
			return err_set(err, ERR_TRANSIENT,
			    "%" PRIu64 " inserts of an earlier load are still under way", n);
		poll(NULL, 0, STRAGGLERS_WAIT);
	}
}

static bool
fence_table(struct dest *d, struct arena *a, const PeerdWorker__MirrorTable *t,
    const char *snapshot_id, struct err *err)
{
	struct ch_table *ct;

	return ch_side_table(side_of(d), a, table_new(a, 0, t), &ct, err) &&
	    ch_fence_raise(side_of(d), a, ct, snapshot_id, err);
}

/* Tables that were found and may have had rows before are left alone. */
static bool
empty_table(struct dest *d, struct arena *a, const PeerdWorker__MirrorTable *t, struct err *err)
{
	struct ch_statements list;
	struct ch_table *ct;

	if (!t->created && side_of(d)->opt.keep_rows)
		return true;
	if (!ch_side_table(side_of(d), a, table_new(a, 0, t), &ct, err))
		return false;
	ch_ddl_truncate(ct, "", a, &list);
	return ch_side_run(side_of(d), &list, err) ||
	    err_context(err, "table \"%s\" of the destination", ct->name);
}

/* What came through before the fence was up is waited for, what comes later is refused. */
static bool
clear_tables(struct dest *d, struct arena *a, const char *snapshot_id, struct dest_tables tables,
    struct err *err)
{
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < tables.n; i++)
		ok = fence_table(d, a, tables.v[i], snapshot_id, err);
	ok = ok && wait_for_stragglers(d, a, err);
	for (i = 0; ok && i < tables.n; i++)
		ok = empty_table(d, a, tables.v[i], err);
	return ok;
}

static bool
ch_load_begin(struct dest *d, const char *snapshot_id, struct dest_tables tables, struct err *err)
{
	const struct ch_meta_entry attempt = { .kind = CH_META_SNAPSHOT, .words = snapshot_id };
	struct arena *a = arena_new(64 * KIB);
	struct ch_meta *m;
	bool ok;

	ok = ch_side_options(side_of(d), err) && read_meta(d, &m, err) && ch_meta_restart(m, err) &&
	    ch_meta_put(m, &attempt, 1, err) && clear_tables(d, a, snapshot_id, tables, err);
	arena_free(&a);
	return ok;
}

/* ---- new columns */

static bool
has_column(const struct ch_found_table *t, const char *name)
{
	for (unsigned i = 0; i < t->ncols; i++)
		if (strcmp(t->cols[i].name, name) == 0)
			return true;
	return false;
}

static bool
add_columns(struct dest *d, struct arena *a, const struct table *t, struct err *err)
{
	const struct ch_found_table *found;
	struct ch_statements list;
	struct ch_table *ct;
	uint16_t i;

	if (!ch_side_table(side_of(d), a, t, &ct, err) ||
	    !ch_side_find(side_of(d), a, ct, &found, err))
		return false;
	for (i = 0; found != NULL && i < t->ncols; i++) {
		if (has_column(found, ct->cols[i].name))
			continue;
		ch_ddl_add_column(ct, &ct->cols[i], NULL, a, &list);
		if (!ch_side_run(side_of(d), &list, err))
			return false;
	}
	return ch_side_bind(side_of(d), a, t, &ct, err);
}

static bool
ch_extend(struct dest *d, struct pgconn *src, const PeerdWorker__MirrorTable *old,
    PeerdWorker__MirrorTable *fresh, struct err *err)
{
	struct arena *a;
	bool ok;

	(void)src;
	if (fresh->n_columns == old->n_columns)
		return true;
	a = arena_new(16 * KIB);
	ok = ch_side_options(side_of(d), err) && add_columns(d, a, table_new(a, 0, fresh), err);
	arena_free(&a);
	return ok;
}

static bool
ch_discard(struct dest *d, const struct table_ident *name, struct err *err)
{
	struct ch_meta *m;

	return read_meta(d, &m, err) && ch_side_discard(side_of(d), m, name, err);
}

static bool
ch_swap(struct dest *d, struct dest_tables tables, struct err *err)
{
	struct ch_meta *m;

	return ch_side_options(side_of(d), err) && read_meta(d, &m, err) &&
	    ch_side_swap(side_of(d), m, tables, err);
}

static bool
ch_forget(struct dest *d, struct err *err)
{
	struct ch_meta *m;

	return read_meta(d, &m, err) && ch_fence_forget(side_of(d), err) && ch_meta_forget(m, err);
}

/* ---- counting */

/* Only some engines take FINAL, and only they need it. */
static bool
find_final(struct chclient *c, struct arena *a, const char *name, const char **final_r,
    struct err *err)
{
	struct ch_rows rows;
	struct buf sql;
	const char *engine;
	bool ok;

	buf_init(&sql, MIB);
	buf_str_add(&sql, "SELECT engine FROM system.tables WHERE database = ");
	ch_literal(&sql, slice_str(chclient_database(c)));
	buf_str_add(&sql, " AND name = ");
	ch_literal(&sql, slice_str(name));
	ok = chclient_query(c, a, buf_str(&sql), &rows, err);
	buf_done(&sql);
	if (!ok)
		return false;
	if (rows.nrows == 0)
		return err_set(err, ERR_NOT_FOUND, "table \"%s\" does not exist", name);
	engine = ch_cell_str(&rows, 0, 0);
	*final_r = strstr(engine, "ReplacingMergeTree") != NULL ||
		strstr(engine, "CoalescingMergeTree") != NULL || strcmp(engine, "Distributed") == 0
	    ? " FINAL"
	    : "";
	return true;
}

static bool
count_rows(struct dest *d, struct arena *a, const char *name, usec_t deadline, int64_t *rows_r,
    struct err *err)
{
	int64_t seconds = (deadline - clock_mono_us()) / USEC_PER_SEC;
	struct chclient *c = side_of(d)->c;
	const char *final = "";
	struct ch_rows rows;
	struct buf sql;
	bool ok;

	if (seconds <= 0)
		return err_set(err, ERR_TIMEOUT, "no time left to count");
	if (!find_final(c, a, name, &final, err))
		return false;
	buf_init(&sql, MIB);
	buf_str_add(&sql, "SELECT count() FROM ");
	ch_qualified(&sql, chclient_database(c), name);
	buf_printf(&sql, "%s WHERE ", final);
	ch_ident(&sql, ch_deleted_column(a, d->cfg.mirror));
	buf_printf(&sql, " = 0 SETTINGS max_execution_time = %d",
	    (int)(seconds < COUNT_SECONDS ? seconds : COUNT_SECONDS));
	ok = chclient_query(c, a, buf_str(&sql), &rows, err);
	buf_done(&sql);
	if (ok)
		*rows_r = strtoll(ch_cell_str(&rows, 0, 0), NULL, 10);
	return ok;
}

static bool
ch_count(struct dest *d, const char *identifier, usec_t deadline, struct dest_count *count_r,
    struct err *err)
{
	struct arena *a = arena_new(4 * KIB);
	char name[CH_NAME_MAX + 1];
	int64_t rows = 0;
	struct table_ident ident;
	bool ok = ident_parse_target(identifier, &ident, err) && ch_side_name(&ident, name, err) &&
	    count_rows(d, a, name, deadline, &rows, err);

	if (ok)
		*count_r = (struct dest_count){ .rows = rows };
	arena_free(&a);
	return ok;
}

const struct dest_ops dest_clickhouse = {
	.name = "CLICKHOUSE",
	.config_case = PEERDB_PEERS__PEER__CONFIG_CLICKHOUSE_CONFIG,
	.address = ch_address,
	.check_name = ch_dest_check_name,
	.binary_ok = ch_column_binary_ok,
	.open = ch_open,
	.sink_new = sink_clickhouse_new,
	.loader_open = ch_loader_open,
	.validate = ch_validate,
	.version = ch_version,
	.check = ch_check,
	.prepare = ch_prepare,
	.prepare_columns = ch_prepare_columns,
	.restart = ch_restart,
	.checkpoint_init = ch_checkpoint_init,
	.take_over = ch_take_over,
	.load_begin = ch_load_begin,
	.extend = ch_extend,
	.discard = ch_discard,
	.swap = ch_swap,
	.forget = ch_forget,
	.count = ch_count,
	.close = ch_close,
};
