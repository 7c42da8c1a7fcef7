#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pginfo.h"
#include "lib/conn/pgtypes.h"
#include "lib/sink/pg_ddl.h"
#include "lib/sink/pg_dest_int.h"
#include "lib/sink/pg_fence.h"
#include "lib/sink/sink.h"
#include "lib/types/ident.h"

struct pg_dest {
	struct dest base;
	struct pgconn *conn;
	const char *meta; /* metadata schema */
};

static struct pgconn *
conn_of(struct dest *d)
{
	return ((struct pg_dest *)d)->conn;
}

static const char *
meta_of(struct dest *d)
{
	return ((struct pg_dest *)d)->meta;
}

static const char *
mirror_of(struct dest *d)
{
	return d->cfg.mirror->flow_job_name;
}

/* ---- pure */

static void
pg_address(const PeerdbPeers__Peer *peer, struct buf *to)
{
	const PeerdbPeers__PostgresConfig *cfg = peer->postgres_config;

	if (cfg->host != NULL && cfg->host[0] != '\0')
		buf_printf(to, "%s:%u", cfg->host, cfg->port != 0 ? cfg->port : 5432);
}

/* What pginfo found is meant for Postgres. */
static bool
pg_binary_ok(const PeerdWorker__Column *column)
{
	return column->binary;
}

/* ---- life */

static void
pg_close(struct dest *d)
{
	struct pg_dest *pg = (struct pg_dest *)d;

	pgconn_close(&pg->conn);
	free(pg);
}

static bool
pg_open(const struct dest_config *cfg, struct dest **d_r, struct err *err)
{
	struct pg_dest *pg = xcalloc(1, sizeof(*pg));

	pg->base.ops = &dest_postgres;
	pg->base.cfg = *cfg;
	pg->meta = pg_ddl_meta_schema(cfg->peer->postgres_config);
	/* what is told to be done must be on the disk, whatever the server's default */
	if (pgconn_open(cfg->peer->postgres_config, cfg->what, PGCONN_PLAIN, cfg->timeout,
		cfg->intr, &pg->conn, err) &&
	    (cfg->mirror == NULL || pgconn_run(pg->conn, err, "SET synchronous_commit = on"))) {
		*d_r = &pg->base;
		return true;
	}
	pg_close(&pg->base);
	return false;
}

bool
pg_session_replicates(struct pgconn *c, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (pgconn_run(c, &ignored, "SET session_replication_role = replica") ||
	    PQstatus(pgconn_pq(c)) == CONNECTION_OK)
		return true;
	return err_set(err, ERR_TRANSIENT, "%s", ignored.msg);
}

/* ---- a peer */

static bool
pg_validate(struct dest *d, struct err *err)
{
	struct pginfo_server s;

	return pginfo_load_server(conn_of(d), &s, err) && pginfo_check_server(&s, "server", err);
}

static const char *
pg_version(struct dest *d)
{
	const char *version = PQparameterStatus(pgconn_pq(conn_of(d)), "server_version");

	return version != NULL ? version : "";
}

/* ---- a mirror */

static bool
pg_check(struct dest *d, struct pgconn *src, struct dest_tables tables, bool again, struct err *err)
{
	const struct pg_check ck = {
		.src = src,
		.dst = conn_of(d),
		.mirror = d->cfg.mirror,
		.meta_schema = meta_of(d),
		.tables = tables,
		.again = again,
	};

	return pg_check_run(&ck, err);
}

/* Values for a table that was found must suit the types it has. */
static bool
match(struct dest *d, PeerdWorker__MirrorTable *t, struct err *err)
{
	return t->created || pginfo_match_destination(conn_of(d), t, err);
}

static bool
prepare_table(struct dest *d, PeerdWorker__MirrorTable *t, struct err *err)
{
	const PeerdbFlow__FlowConnectionConfigs *m = d->cfg.mirror;
	bool created;

	if (!pg_ddl_prepare(conn_of(d), t, m, meta_of(d), !m->do_initial_snapshot, &created, err))
		return false;
	t->has_created = true;
	t->created = created;
	return match(d, t, err);
}

static bool
pg_prepare(struct dest *d, struct pgconn *src, struct dest_tables tables, struct err *err)
{
	size_t i;

	if (!pg_ddl_metadata(conn_of(d), meta_of(d), err) ||
	    !pgtypes_copy(src, conn_of(d), tables.v, tables.n, err))
		return false;
	for (i = 0; i < tables.n; i++)
		if (!prepare_table(d, tables.v[i], err))
			return false;
	return true;
}

static bool
pg_prepare_columns(struct dest *d, struct pgconn *src, PeerdWorker__MirrorTable *t, struct err *err)
{
	return pgtypes_copy(src, conn_of(d), &t, 1, err);
}

static bool
pg_restart(struct dest *d, struct err *err)
{
	return pg_ddl_meta_restart(conn_of(d), meta_of(d), mirror_of(d), err);
}

static bool
pg_checkpoint_init(struct dest *d, lsn_t lsn, struct err *err)
{
	return pg_ddl_meta_checkpoint_init(conn_of(d), meta_of(d), mirror_of(d), lsn, err);
}

static bool
pg_take_over(struct dest *d, lsn_t *checkpoint_r, struct err *err)
{
	return pg_fence(conn_of(d), mirror_of(d), err) &&
	    pg_ddl_meta_checkpoint_read(conn_of(d), meta_of(d), mirror_of(d), checkpoint_r, err);
}

/* Forgetting the earlier attempts waits for those that are in the middle of a partition. */
static bool
pg_load_begin(struct dest *d, const char *snapshot_id, struct dest_tables tables, struct err *err)
{
	return pg_restart(d, err) &&
	    pg_load_announce(conn_of(d), meta_of(d), mirror_of(d), snapshot_id, err) &&
	    pg_ddl_truncate_all(conn_of(d), tables.v, tables.n, err);
}

static bool
has_column(const PeerdWorker__MirrorTable *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++)
		if (strcmp(t->columns[i]->name, name) == 0)
			return true;
	return false;
}

/* How a table of somebody else's computes its columns is his business. */
static bool
is_wanted(const PeerdWorker__MirrorTable *old, const PeerdWorker__Column *c)
{
	return !has_column(old, c->name) && (c->generated[0] == '\0' || old->created);
}

static bool
pg_extend(struct dest *d, struct pgconn *src, const PeerdWorker__MirrorTable *old,
    PeerdWorker__MirrorTable *fresh, struct err *err)
{
	bool types = false;
	size_t i;

	for (i = 0; i < fresh->n_columns; i++) {
		if (!is_wanted(old, fresh->columns[i]))
			continue;
		if (!types && !pg_prepare_columns(d, src, fresh, err))
			return false;
		types = true;
		if (!pg_ddl_add_column(conn_of(d), fresh, fresh->columns[i], NULL, err))
			return false;
	}
	return match(d, fresh, err);
}

static bool
pg_dest_discard(struct dest *d, const struct table_ident *name, struct err *err)
{
	return pg_discard(conn_of(d), meta_of(d), mirror_of(d), name, err);
}

static bool
pg_dest_swap(struct dest *d, struct dest_tables tables, struct err *err)
{
	return pg_swap(conn_of(d), d->cfg.mirror, meta_of(d), tables, err);
}

static bool
pg_forget(struct dest *d, struct err *err)
{
	return pg_ddl_meta_forget(conn_of(d), meta_of(d), mirror_of(d), err);
}

static bool
pg_count(struct dest *d, const char *identifier, usec_t deadline, struct dest_count *count_r,
    struct err *err)
{
	struct table_ident t;

	return ident_parse_table(identifier, &t, err) &&
	    pginfo_count_rows(conn_of(d), &t, d->cfg.mirror->soft_delete_col_name, deadline,
		&count_r->rows, &count_r->approximate, err);
}

const struct dest_ops dest_postgres = {
	.name = "POSTGRES",
	.config_case = PEERDB_PEERS__PEER__CONFIG_POSTGRES_CONFIG,
	.address = pg_address,
	.check_name = pg_dest_check_name,
	.binary_ok = pg_binary_ok,
	.open = pg_open,
	.sink_new = sink_pg_new,
	.loader_open = pg_loader_open,
	.validate = pg_validate,
	.version = pg_version,
	.check = pg_check,
	.prepare = pg_prepare,
	.prepare_columns = pg_prepare_columns,
	.restart = pg_restart,
	.checkpoint_init = pg_checkpoint_init,
	.take_over = pg_take_over,
	.load_begin = pg_load_begin,
	.extend = pg_extend,
	.discard = pg_dest_discard,
	.swap = pg_dest_swap,
	.forget = pg_forget,
	.count = pg_count,
	.close = pg_close,
};
