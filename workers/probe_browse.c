#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/types/ident.h"
#include "lib/types/kind.h"
#include "workers/probe_int.h"

/* Connect, ask, hang up: one query with up to two parameters. NULL on failure. */
static PGresult *
ask(struct probe *p, struct err *err, const char *sql, int nparams, const char *a, const char *b)
{
	struct pgconn *c;
	PGresult *res;

	if (!probe_open(p, p->req->peer, &c, err))
		return NULL;
	res = pgconn_query(c, err, sql, nparams, a, b);
	pgconn_close(&c);
	return res;
}

#define USER_SCHEMA "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"

bool
probe_schemas(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out, struct err *err)
{
	PeerdbRoute__PeerSchemasResponse *r = (PeerdbRoute__PeerSchemasResponse *)out;
	PGresult *res = ask(p, err,
	    "SELECT n.nspname FROM pg_namespace n WHERE " USER_SCHEMA " ORDER BY 1", 0, NULL, NULL);

	(void)in;
	if (res == NULL)
		return false;
	for (int i = 0; i < PQntuples(res); i++)
		probe_add_string(&r->schemas, &r->n_schemas, pgcell(res, i, 0));
	PQclear(res);
	return true;
}

bool
probe_publications(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out,
    struct err *err)
{
	PeerdbRoute__PeerPublicationsResponse *r = (PeerdbRoute__PeerPublicationsResponse *)out;
	PGresult *res = ask(p, err, "SELECT pubname FROM pg_publication ORDER BY 1", 0, NULL, NULL);

	(void)in;
	if (res == NULL)
		return false;
	for (int i = 0; i < PQntuples(res); i++)
		probe_add_string(&r->publication_names, &r->n_publication_names, pgcell(res, i, 0));
	PQclear(res);
	return true;
}

bool
probe_all_tables(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out,
    struct err *err)
{
	PeerdbRoute__AllTablesResponse *r = (PeerdbRoute__AllTablesResponse *)out;
	char text[IDENT_TEXT_MAX];
	PGresult *res = ask(p, err,
	    "SELECT n.nspname, c.relname FROM pg_class c"
	    " JOIN pg_namespace n ON n.oid = c.relnamespace"
	    " WHERE c.relkind IN ('r', 'p') AND " USER_SCHEMA " ORDER BY 1, 2",
	    0, NULL, NULL);

	(void)in;
	if (res == NULL)
		return false;
	for (int i = 0; i < PQntuples(res); i++)
		probe_add_string(&r->tables, &r->n_tables,
		    ident_format(pgcell(res, i, 0), pgcell(res, i, 1), text));
	PQclear(res);
	return true;
}

/* A partitioned table is as large as its partitions. */
static const char tables_query[] =
    "SELECT c.relname, c.relreplident = 'f', pg_size_pretty(CASE c.relkind WHEN 'r'"
    "  THEN pg_total_relation_size(c.oid) ELSE coalesce((SELECT sum(pg_total_relation_size(relid))"
    "   FROM pg_partition_tree(c.oid) WHERE isleaf), 0)::int8 END),"
    " c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid"
    "  AND i.indisvalid AND i.indimmediate AND CASE c.relreplident WHEN 'd' THEN i.indisprimary"
    "  WHEN 'i' THEN i.indisreplident ELSE false END)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1";

bool
probe_tables(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out, struct err *err)
{
	const PeerdbRoute__SchemaTablesRequest *req = (const PeerdbRoute__SchemaTablesRequest *)in;
	PeerdbRoute__SchemaTablesResponse *r = (PeerdbRoute__SchemaTablesResponse *)out;
	PeerdbRoute__TableResponse *t;
	PGresult *res = ask(p, err, tables_query, 1, req->schema_name, NULL);

	if (res == NULL)
		return false;
	for (int i = 0; i < PQntuples(res); i++) {
		PROBE_ADD(r, tables, peerdb_route__table_response__init, t);
		t->table_name = xstrdup(pgcell(res, i, 0));
		t->table_size = xstrdup(pgcell(res, i, 2));
		t->has_can_mirror = t->has_is_replica_identity_full = true;
		t->is_replica_identity_full = pgcell_bool(res, i, 1);
		t->can_mirror = !req->cdc_enabled || pgcell_bool(res, i, 3);
	}
	PQclear(res);
	return true;
}

static const char columns_query[] =
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(k.key, false),"
    " c.relreplident = 'f' OR coalesce(k.identity, false), coalesce(e.typname, t.typname),"
    " coalesce(e.typtype, t.typtype), e.oid IS NOT NULL"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid"
    " LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typlen = -1 AND t.typtype = 'b'"
    " LEFT JOIN LATERAL (SELECT bool_or(i.indisprimary), bool_or(i.indimmediate"
    "   AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident"
    "    ELSE false END) FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid"
    "   AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])) k(key, identity) ON true"
    " WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped"
    " ORDER BY a.attnum";

bool
probe_columns(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out, struct err *err)
{
	const PeerdbRoute__TableColumnsRequest *req = (const PeerdbRoute__TableColumnsRequest *)in;
	PeerdbRoute__TableColumnsResponse *r = (PeerdbRoute__TableColumnsResponse *)out;
	PeerdbRoute__ColumnsItem *c;
	PGresult *res = ask(p, err, columns_query, 2, req->schema_name, req->table_name);

	if (res == NULL)
		return false;
	for (int i = 0; i < PQntuples(res); i++) {
		PROBE_ADD(r, columns, peerdb_route__columns_item__init, c);
		c->name = xstrdup(pgcell(res, i, 0));
		c->type = xstrdup(pgcell(res, i, 1));
		c->has_is_key = c->has_is_replica_identity = true;
		c->is_key = pgcell_bool(res, i, 2);
		c->is_replica_identity = pgcell_bool(res, i, 3);
		c->qkind = xstrdup(kind_of_postgres(pgcell(res, i, 4), pgcell(res, i, 5)[0],
		    pgcell_bool(res, i, 6)));
	}
	PQclear(res);
	if (r->n_columns == 0)
		return err_set(err, ERR_NOT_FOUND, "table %s.%s does not exist on peer \"%s\"",
		    req->schema_name, req->table_name, p->req->peer->name);
	return true;
}
