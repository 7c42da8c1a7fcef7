#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conn/pginfo.h"
#include "lib/types/ident.h"
#include "workers/check.h"
#include "workers/probe_int.h"
#include "workers/resync.h"

/* ---- ValidateCDCMirror, CreateCDCFlow */

static bool
check_between(struct probe *p, struct check *ck, struct err *err)
{
	const PeerdbPeers__Peer *to = p->req->destination;
	bool ok;

	if (!probe_open(p, p->req->peer, &ck->src, err))
		return err_context(err, "source");
	if (!probe_open_dest(p, to, ck->mirror, &ck->dst, err)) {
		pgconn_close(&ck->src);
		err_context(err, "peer \"%s\"", to->name);
		return err_context(err, "destination");
	}
	ok = check_mirror(ck, err);
	pgconn_close(&ck->src);
	dest_close(&ck->dst);
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
	ck.kind = dest_ops_of(p->req->destination, err);
	return ck.kind != NULL &&
	    (!ck.mirror->resync ||
		resync_names(req->connection_configs, p->req->destination, err)) &&
	    check_shape(&ck, err) && probe_config(p->req->peer, &ck.source, err) &&
	    check_between(p, &ck, err);
}

/* ---- GetMirrorRowCounts */

#define ALL_COUNTS_US (50 * USEC_PER_SEC) /* the daemon gives a mirror's probe a minute */

struct sides {
	struct pgconn *src;
	struct dest *dst;
	usec_t deadline;
};

/* What cannot be counted is -1: a dropped table says nothing about the others. */
static void
count_source(const struct sides *s, PeerdbRoute__MirrorTableRowCounts *t)
{
	struct err ignored = ERR_INIT;
	struct table_ident name;
	bool approximate = false;

	t->has_source_count = t->has_source_is_approximate = true;
	t->source_count = -1;
	if (ident_parse_table(t->source_table, &name, &ignored))
		pginfo_count_rows(s->src, &name, "", s->deadline, &t->source_count, &approximate,
		    &ignored);
	t->source_is_approximate = approximate;
}

static void
count_destination(const struct sides *s, PeerdbRoute__MirrorTableRowCounts *t)
{
	struct err ignored = ERR_INIT;
	struct dest_count count = { .rows = -1 };

	dest_count(s->dst, t->destination_table, s->deadline, &count, &ignored);
	t->has_destination_count = t->has_destination_is_approximate = true;
	t->destination_count = count.rows;
	t->destination_is_approximate = count.approximate;
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
add_counts(const struct sides *s, const PeerdbFlow__TableMapping *map,
    PeerdbRoute__GetMirrorRowCountsResponse *r)
{
	PeerdbRoute__MirrorTableRowCounts *t;

	PROBE_ADD(r, table_counts, peerdb_route__mirror_table_row_counts__init, t);
	t->source_table = xstrdup(map->source_table_identifier);
	t->destination_table = xstrdup(map->destination_table_identifier);
	count_source(s, t);
	count_destination(s, t);
}

static bool
open_sides(struct probe *p, struct sides *s, struct err *err)
{
	const PeerdbPeers__Peer *to = p->req->destination;

	if (!probe_open(p, p->req->peer, &s->src, err))
		return false;
	return probe_open_dest(p, to, p->req->mirror, &s->dst, err) ||
	    (to != NULL && err_context(err, "peer \"%s\"", to->name));
}

bool
probe_row_counts(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out,
    struct err *err)
{
	const PeerdbRoute__GetMirrorRowCountsRequest *req =
	    (const PeerdbRoute__GetMirrorRowCountsRequest *)in;
	PeerdbRoute__GetMirrorRowCountsResponse *r = (PeerdbRoute__GetMirrorRowCountsResponse *)out;
	const PeerdbFlow__FlowConnectionConfigs *m = p->req->mirror;
	struct sides s = { .deadline = clock_mono_us() + ALL_COUNTS_US };
	size_t i;
	bool ok;

	if (m == NULL)
		return err_set(err, ERR_INVALID, "the mirror's configuration is missing");
	ok = open_sides(p, &s, err);
	for (i = 0; ok && i < m->n_table_mappings; i++)
		if (is_asked_for(req, m->table_mappings[i]->source_table_identifier))
			add_counts(&s, m->table_mappings[i], r);
	pgconn_close(&s.src);
	dest_close(&s.dst);
	return ok;
}
