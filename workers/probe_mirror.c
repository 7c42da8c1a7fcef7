#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/types/ident.h"
#include "workers/check.h"
#include "workers/probe_int.h"

/* ---- ValidateCDCMirror, CreateCDCFlow */

static bool
check_between(struct probe *p, struct check *ck, struct err *err)
{
	bool ok;

	if (!probe_open(p, p->req->peer, &ck->src, err))
		return err_context(err, "source");
	if (!probe_open(p, p->req->destination, &ck->dst, err)) {
		pgconn_close(&ck->src);
		return err_context(err, "destination");
	}
	ok = check_mirror(ck, err);
	pgconn_close(&ck->src);
	pgconn_close(&ck->dst);
	return ok;
}

bool
probe_check_mirror(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out,
    struct err *err)
{
	const PeerdbRoute__CreateCDCFlowRequest *req = (const PeerdbRoute__CreateCDCFlowRequest *)
	    in;
	struct check ck = { .mirror = req->connection_configs };

	(void)out;
	if (ck.mirror == NULL)
		return err_set(err, ERR_INVALID, "connection_configs is missing");
	return check_shape(&ck, err) && probe_config(p->req->peer, &ck.source, err) &&
	    probe_config(p->req->destination, &ck.destination, err) && check_between(p, &ck, err);
}

/* ---- GetMirrorRowCounts */

#define COUNT_MS	30000		    /* one table on one side */
#define ALL_COUNTS_US	(50 * USEC_PER_SEC) /* the daemon gives a mirror's probe a minute */
#define EXACT_MAX_BYTES "10737418240"

struct side {
	struct pgconn *c;
	const char *deleted; /* column that flags deleted rows, or "" */
	usec_t deadline;
};

/* Large tables are estimated from the last analyze, partitions together. */
static const char size_query[] =
    "SELECT sum(pg_table_size(c.oid)) >= " EXACT_MAX_BYTES ","
    " sum(CASE WHEN c.relkind = 'r' THEN greatest(c.reltuples, 0) ELSE 0 END)::int8,"
    " EXISTS (SELECT FROM pg_attribute WHERE attrelid = r.oid AND attname = $3"
    "  AND NOT attisdropped)"
    " FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace JOIN pg_class c"
    "  ON c.oid = r.oid OR c.oid IN (SELECT relid FROM pg_partition_tree(r.oid) WHERE isleaf)"
    " WHERE n.nspname = $1 AND r.relname = $2 AND c.relkind IN ('r', 'p') GROUP BY r.oid";

static bool
count_exactly(struct side *s, const struct table_ident *t, bool flagged, int64_t *count_r,
    struct err *err)
{
	int64_t left = (s->deadline - clock_mono_us()) / USEC_PER_MSEC;
	struct buf sql;
	PGresult *res = NULL;

	if (left <= 0)
		return err_set(err, ERR_TIMEOUT, "no time left to count");
	buf_init(&sql, 4096);
	buf_str_add(&sql, "SELECT count(*) FROM ");
	pgconn_qualified(&sql, t->schema, t->name);
	if (flagged) {
		buf_str_add(&sql, " WHERE ");
		pgconn_ident(&sql, s->deleted);
		buf_str_add(&sql, " IS NOT TRUE");
	}
	if (pgconn_run(s->c, err, "SET statement_timeout = %d",
		(int)(left < COUNT_MS ? left : COUNT_MS)))
		res = pgconn_exec(s->c, err, buf_str(&sql));
	buf_done(&sql);
	if (res == NULL)
		return false;
	*count_r = pgcell_i64(res, 0, 0);
	PQclear(res);
	return true;
}

/* What cannot be counted is -1: a dropped table says nothing about the others. */
static void
count_rows(struct side *s, const char *identifier, int64_t *count_r, protobuf_c_boolean *approx_r)
{
	struct err ignored = ERR_INIT;
	struct table_ident t;
	PGresult *res;

	*count_r = -1;
	*approx_r = false;
	if (s->c == NULL || !ident_parse_table(identifier, &t, &ignored))
		return;
	res = pgconn_query(s->c, &ignored, size_query, 3, t.schema, t.name, s->deleted);
	if (res != NULL && PQntuples(res) == 1) {
		*approx_r = pgcell_bool(res, 0, 0);
		if (*approx_r)
			*count_r = pgcell_i64(res, 0, 1);
		else
			count_exactly(s, &t, pgcell_bool(res, 0, 2), count_r, &ignored);
	}
	PQclear(res);
}

static bool
is_asked_for(const PeerdbRoute__GetMirrorRowCountsRequest *req, const char *source)
{
	size_t i;

	for (i = 0; i < req->n_source_tables; i++)
		if (strcmp(req->source_tables[i], source) == 0)
			return true;
	return req->n_source_tables == 0;
}

static void
add_counts(PeerdbRoute__GetMirrorRowCountsResponse *r, struct side *src, struct side *dst,
    const PeerdbFlow__TableMapping *map)
{
	PeerdbRoute__MirrorTableRowCounts *t;

	PROBE_ADD(r, table_counts, peerdb_route__mirror_table_row_counts__init, t);
	t->source_table = xstrdup(map->source_table_identifier);
	t->destination_table = xstrdup(map->destination_table_identifier);
	t->has_source_count = t->has_destination_count = true;
	t->has_source_is_approximate = t->has_destination_is_approximate = true;
	count_rows(src, map->source_table_identifier, &t->source_count, &t->source_is_approximate);
	count_rows(dst, map->destination_table_identifier, &t->destination_count,
	    &t->destination_is_approximate);
}

bool
probe_row_counts(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out,
    struct err *err)
{
	const PeerdbRoute__GetMirrorRowCountsRequest *req =
	    (const PeerdbRoute__GetMirrorRowCountsRequest *)in;
	PeerdbRoute__GetMirrorRowCountsResponse *r = (PeerdbRoute__GetMirrorRowCountsResponse *)out;
	const PeerdbFlow__FlowConnectionConfigs *m = p->req->mirror;
	struct side src = { .deleted = "", .deadline = clock_mono_us() + ALL_COUNTS_US }, dst = src;
	size_t i;

	if (m == NULL)
		return err_set(err, ERR_INVALID, "the mirror's configuration is missing");
	dst.deleted = m->soft_delete_col_name;
	if (!probe_open(p, p->req->peer, &src.c, err) ||
	    !probe_open(p, p->req->destination, &dst.c, err)) {
		pgconn_close(&src.c);
		return false;
	}
	for (i = 0; i < m->n_table_mappings; i++)
		if (is_asked_for(req, m->table_mappings[i]->source_table_identifier))
			add_counts(r, &src, &dst, m->table_mappings[i]);
	pgconn_close(&src.c);
	pgconn_close(&dst.c);
	return true;
}
