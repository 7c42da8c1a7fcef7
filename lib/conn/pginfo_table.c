#include "lib/conn/pginfo.h"

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conn/pgconn.h"
#include "lib/types/ident.h"

/* A table on its way from the catalog to a message. */
struct load {
	struct pgconn *src;
	const PeerdbFlow__TableMapping *map;
	bool need_key; /* changes will follow the snapshot */
	struct table_ident from, to;
	char relid[16];	    /* as a parameter */
	char key_index[16]; /* "0" when there is none */
	char *sql_name;	    /* quoted as the server would */
	PeerdWorker__MirrorTable *t;
	char *lost_key; /* a key column that does not travel */
	bool has_primary;
	bool lost_primary;
};

/* ---- the relation */

static const char relation_query[] =
    "SELECT c.oid, c.relkind, c.relpersistence, c.relreplident,"
    " format('%I.%I', n.nspname, c.relname), coalesce(k.indexrelid, 0), c.oid < 16384"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_index k ON k.indrelid = c.oid AND k.indisvalid AND k.indimmediate"
    " AND CASE c.relreplident WHEN 'n' THEN false WHEN 'i' THEN k.indisreplident"
    " ELSE k.indisprimary END"
    " WHERE n.nspname = $1 AND c.relname = $2";

static const char *
relkind_name(char relkind)
{
	switch (relkind) {
	case 'v':
		return "a view";
	case 'm':
		return "a materialized view";
	case 'f':
		return "a foreign table";
	case 'S':
		return "a sequence";
	case 'i':
	case 'I':
		return "an index";
	case 'c':
		return "a composite type";
	default:
		return "not a table";
	}
}

static bool
fail_missing(const char *schema, const char *name, struct err *err)
{
	char text[IDENT_TEXT_MAX];

	ident_format(schema, name, text);
	err_set(err, ERR_CONFIG, "source tables do not exist: %s", text);
	err_reason(err, "SOURCE_TABLE_MISSING");
	err_subject(err, text);
	return err_hint(err, "names are case-sensitive; check them with \\d in psql");
}

static bool
refuse_kind(const struct load *l, char relkind, char persistence, bool system, struct err *err)
{
	if (relkind != 'r' && relkind != 'p') {
		err_set(err, ERR_CONFIG, "%s is %s, only tables can be mirrored", l->sql_name,
		    relkind_name(relkind));
		return err_hint(err, "mirror the tables it is made of");
	}
	if (system)
		return err_set(err, ERR_CONFIG, "%s is a system table, which cannot be mirrored",
		    l->sql_name);
	if (persistence != 'p') {
		err_set(err, ERR_CONFIG, "%s is %s, its changes are not in the WAL", l->sql_name,
		    persistence == 'u' ? "unlogged" : "temporary");
		return err_hint(err, "ALTER TABLE %s SET LOGGED", l->sql_name);
	}
	return true;
}

static bool
find_relation(struct load *l, struct err *err)
{
	PeerdWorker__MirrorTable *t = l->t;
	PGresult *res;
	bool ok;

	res = pgconn_query(l->src, err, relation_query, 2, l->from.schema, l->from.name);
	if (res == NULL)
		return false;
	if (PQntuples(res) == 0) {
		PQclear(res);
		return fail_missing(l->from.schema, l->from.name, err);
	}
	str_copy(l->relid, sizeof(l->relid), pgcell(res, 0, 0));
	str_copy(l->key_index, sizeof(l->key_index), pgcell(res, 0, 5));
	l->sql_name = xstrdup(pgcell(res, 0, 4));
	t->has_relid = true;
	t->relid = (uint32_t)pgcell_i64(res, 0, 0);
	t->replica_identity = xstrdup(pgcell(res, 0, 3));
	t->has_partitioned = true;
	t->partitioned = pgcell(res, 0, 1)[0] == 'p';
	ok = refuse_kind(l, pgcell(res, 0, 1)[0], pgcell(res, 0, 2)[0], pgcell_bool(res, 0, 6),
	    err);
	PQclear(res);
	return ok;
}

/* ---- columns */

/*
 * `walk` follows every column's type down to what its binary form is made of:
 * domain to base, range to subtype, array to element. The value may travel in
 * binary if every step is safe. Base types must be Postgres' own (their
 * hand-given oids, below 10000, mean the same on every server) and have both
 * functions. Arrays carry their element's oid, so an array must be Postgres'
 * own too; enums and ranges carry none, so a user's are fine. Composites carry
 * oids. reg* types are oids of the server's own objects. The input functions of
 * int2vector and oidvector refuse the binary form of an empty one.
 *
 * `made` takes one path down, through domains and one array, to the type that
 * the value or its elements are made of; the innermost modifier counts.
 */
static const char columns_query[] =
    "WITH RECURSIVE walk(root, oid) AS ("
    " SELECT atttypid, atttypid FROM pg_attribute"
    "  WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped"
    " UNION SELECT w.root, s.oid FROM walk w JOIN pg_type t ON t.oid = w.oid,"
    "  LATERAL (SELECT t.typbasetype WHERE t.typtype = 'd'"
    "   UNION ALL SELECT t.typelem WHERE t.typtype = 'b' AND t.typlen = -1 AND t.typelem <> 0"
    "   UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid) s(oid)"
    "), verdict(root, safe) AS ("
    " SELECT w.root, bool_and(CASE t.typtype"
    "  WHEN 'b' THEN t.oid < 10000 AND t.typsend <> 0 AND t.typreceive <> 0"
    "   AND t.typname !~ "
    "'^(reg|(int2|oid)vector$|pg_node_tree|pg_ndistinct|pg_dependencies|pg_mcv_list|pg_brin_)'"
    "  WHEN 'm' THEN t.oid < 10000"
    "  ELSE t.typtype IN ('e', 'd', 'r') END)"
    " FROM walk w JOIN pg_type t ON t.oid = w.oid GROUP BY w.root) "
    "SELECT a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod),"
    " a.attnotnull, coalesce(array_position(k.indkey[0:k.indnkeyatts - 1], a.attnum), 0),"
    " coalesce(array_position(p.indkey[0:p.indnkeyatts - 1], a.attnum), 0), v.safe,"
    " CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) ELSE '' END,"
    " t.typlen = -1 AND t.typelem <> 0 AND t.typtype = 'b',"
    " CASE WHEN a.attcollation <> t.typcollation"
    "  THEN format('%I.%I', cn.nspname, co.collname) ELSE '' END,"
    " made.oid, made.typmod, made.typname, made.typtype, made.dims, made.typdelim"
    " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN verdict v ON v.root = t.oid"
    " JOIN LATERAL (WITH RECURSIVE down(oid, typmod, declared, dims, depth) AS ("
    "   SELECT a.atttypid, a.atttypmod, a.attndims::int, 0, 0"
    "   UNION ALL SELECT s.*, w.depth + 1 FROM down w JOIN pg_type t ON t.oid = w.oid,"
    "    LATERAL (SELECT t.typbasetype, t.typtypmod, t.typndims, w.dims WHERE t.typtype = 'd'"
    "     UNION ALL SELECT t.typelem, w.typmod, 0, greatest(w.declared, 1)"
    "      FROM pg_type e WHERE w.dims = 0 AND e.oid = t.typelem AND e.typarray = t.oid) s)"
    "  SELECT w.oid, w.typmod, w.dims, t.typname, t.typtype, t.typdelim"
    "  FROM down w JOIN pg_type t ON t.oid = w.oid ORDER BY w.depth DESC LIMIT 1) made ON true"
    " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " LEFT JOIN pg_index k ON k.indexrelid = $2::oid"
    " LEFT JOIN pg_index p ON p.indrelid = a.attrelid AND p.indisprimary"
    " LEFT JOIN pg_collation co ON co.oid = a.attcollation"
    " LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace"
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

static bool
is_excluded(const PeerdbFlow__TableMapping *map, const char *column)
{
	for (size_t i = 0; i < map->n_exclude; i++)
		if (strcmp(map->exclude[i], column) == 0)
			return true;
	return false;
}

static const char *
destination_column(const PeerdbFlow__TableMapping *map, const char *column)
{
	for (size_t i = 0; i < map->n_columns; i++)
		if (strcmp(map->columns[i]->source_name, column) == 0 &&
		    map->columns[i]->destination_name[0] != '\0')
			return map->columns[i]->destination_name;
	return column;
}

static void
read_made_of(PeerdWorker__Column *c, const PGresult *res, int row)
{
	c->has_base_oid = c->has_base_modifier = c->has_dimensions = true;
	c->base_oid = (uint32_t)pgcell_i64(res, row, 11);
	c->base_modifier = (int32_t)pgcell_i64(res, row, 12);
	c->base_name = xstrdup(pgcell(res, row, 13));
	c->base_kind = xstrdup(pgcell(res, row, 14));
	c->dimensions = (int32_t)pgcell_i64(res, row, 15);
	c->delimiter = xstrdup(pgcell(res, row, 16));
}

static PeerdWorker__Column *
read_column(const struct load *l, const PGresult *res, int row)
{
	PeerdWorker__Column *c = xmalloc(sizeof(*c));

	peerd_worker__column__init(c);
	c->name = xstrdup(pgcell(res, row, 0));
	c->destination_name = xstrdup(destination_column(l->map, c->name));
	c->has_type_oid = c->has_type_modifier = c->has_not_null = c->has_key_position = true;
	c->has_primary_position = c->has_binary = c->has_array = true;
	c->type_oid = (uint32_t)pgcell_i64(res, row, 1);
	c->type_modifier = (int32_t)pgcell_i64(res, row, 2);
	c->type_name = xstrdup(pgcell(res, row, 3));
	c->not_null = pgcell_bool(res, row, 4);
	c->key_position = (int32_t)pgcell_i64(res, row, 5);
	c->primary_position = (int32_t)pgcell_i64(res, row, 6);
	c->binary = pgcell_bool(res, row, 7);
	c->generated = xstrdup(pgcell(res, row, 8));
	c->array = pgcell_bool(res, row, 9);
	c->collation = xstrdup(pgcell(res, row, 10));
	read_made_of(c, res, row);
	return c;
}

/* Note what the key loses when this column's value does not travel. */
static void
note_absent(struct load *l, const PGresult *res, int row, bool excluded)
{
	if (pgcell_i64(res, row, 5) > 0 && l->lost_key == NULL)
		l->lost_key = xstrdup(pgcell(res, row, 0));
	if (pgcell_i64(res, row, 6) > 0 && excluded)
		l->lost_primary = true;
}

static void
read_columns(struct load *l, const PGresult *res)
{
	PeerdWorker__MirrorTable *t = l->t;
	bool excluded;
	int i;

	t->columns = xcalloc((size_t)PQntuples(res) + 1, sizeof(*t->columns));
	for (i = 0; i < PQntuples(res); i++) {
		excluded = is_excluded(l->map, pgcell(res, i, 0));
		l->has_primary |= pgcell_i64(res, i, 6) > 0;
		if (excluded || pgcell(res, i, 8)[0] != '\0')
			note_absent(l, res, i, excluded);
		if (!excluded)
			t->columns[t->n_columns++] = read_column(l, res, i);
	}
}

static bool
column_exists(const PGresult *res, const char *name)
{
	for (int i = 0; i < PQntuples(res); i++)
		if (strcmp(pgcell(res, i, 0), name) == 0)
			return true;
	return false;
}

/* Every column that the mapping speaks of must be there. */
static bool
check_mapping(const struct load *l, const PGresult *res, struct err *err)
{
	const PeerdbFlow__TableMapping *map = l->map;
	size_t i;

	for (i = 0; i < map->n_exclude; i++)
		if (!column_exists(res, map->exclude[i]))
			return err_set(err, ERR_CONFIG,
			    "excluded column \"%s\" does not exist in %s", map->exclude[i],
			    l->sql_name);
	for (i = 0; i < map->n_columns; i++)
		if (!column_exists(res, map->columns[i]->source_name))
			return err_set(err, ERR_CONFIG,
			    "column \"%s\" of the mapping does not exist in %s",
			    map->columns[i]->source_name, l->sql_name);
	return true;
}

static bool
check_destination_names(const struct load *l, struct err *err)
{
	const PeerdWorker__MirrorTable *t = l->t;
	size_t i, j;

	for (i = 0; i < t->n_columns; i++)
		for (j = 0; j < i; j++)
			if (strcmp(t->columns[i]->destination_name,
				t->columns[j]->destination_name) == 0)
				return err_set(err, ERR_CONFIG,
				    "two columns of %s would both be named \"%s\" on the "
				    "destination",
				    l->sql_name, t->columns[i]->destination_name);
	if (t->n_columns == 0)
		return err_set(err, ERR_CONFIG, "no column of %s is left to mirror", l->sql_name);
	return true;
}

static bool
load_columns(struct load *l, struct err *err)
{
	PGresult *res = pgconn_query(l->src, err, columns_query, 2, l->relid, l->key_index);
	bool ok;

	if (res == NULL)
		return false;
	ok = check_mapping(l, res, err);
	if (ok)
		read_columns(l, res);
	PQclear(res);
	return ok && check_destination_names(l, err);
}

/* ---- the key */

static void
forget_key(PeerdWorker__MirrorTable *t)
{
	for (size_t i = 0; i < t->n_columns; i++)
		t->columns[i]->key_position = 0;
	t->has_key = false;
}

static bool
refuse_no_key(const struct load *l, struct err *err)
{
	const char *identity = l->t->replica_identity;

	err_set(err, ERR_CONFIG, "%s has no replica identity, its changes cannot be followed",
	    l->sql_name);
	if (identity[0] == 'n' && l->has_primary)
		return err_hint(err, "ALTER TABLE %s REPLICA IDENTITY DEFAULT", l->sql_name);
	if (l->has_primary)
		return err_hint(err,
		    "its primary key cannot serve (deferrable or not chosen): "
		    "ALTER TABLE %s REPLICA IDENTITY FULL",
		    l->sql_name);
	return err_hint(err,
	    "ALTER TABLE %s ADD PRIMARY KEY (...), or ALTER TABLE %s"
	    " REPLICA IDENTITY FULL",
	    l->sql_name, l->sql_name);
}

static bool
refuse_lost_key(const struct load *l, struct err *err)
{
	bool excluded = is_excluded(l->map, l->lost_key);

	err_set(err, ERR_CONFIG, "column \"%s\" belongs to the key of %s and is %s", l->lost_key,
	    l->sql_name, excluded ? "excluded" : "generated, so its value does not travel");
	if (excluded)
		err_hint(err,
		    "take it out of the excluded columns, or ALTER TABLE %s"
		    " REPLICA IDENTITY FULL",
		    l->sql_name);
	else
		err_hint(err, "ALTER TABLE %s REPLICA IDENTITY FULL", l->sql_name);
	return false;
}

/* Decide what changes are matched by. A key that lost a column matches nothing. */
static bool
settle_key(struct load *l, struct err *err)
{
	PeerdWorker__MirrorTable *t = l->t;
	bool whole = t->replica_identity[0] == 'f' || !l->need_key;
	bool none = strcmp(l->key_index, "0") == 0;
	size_t i;

	t->has_has_key = true;
	if (none && !whole)
		return refuse_no_key(l, err);
	if (l->lost_key != NULL && !whole)
		return refuse_lost_key(l, err);
	if (none || l->lost_key != NULL)
		forget_key(t);
	for (i = 0; l->lost_primary && i < t->n_columns; i++)
		t->columns[i]->primary_position = 0;
	return true;
}

/*
 * A partition logs old rows by its own identity while changes arrive under the
 * root's name: the partition's must contain the root's.
 */
static const char partitions_query[] =
    "SELECT format('%I.%I', n.nspname, c.relname), c.relkind"
    " FROM pg_partition_tree($1::oid::regclass) p JOIN pg_class c ON c.oid = p.relid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.isleaf AND (c.relkind <> 'r'"
    " OR $3 = 't' AND c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_index i"
    "  WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate"
    "  AND CASE c.relreplident WHEN 'd' THEN i.indisprimary"
    "   WHEN 'i' THEN i.indisreplident ELSE false END"
    "  AND (SELECT array_agg(a.attname) FROM pg_attribute a, pg_index k"
    "    WHERE k.indexrelid = $2::oid AND a.attrelid = k.indrelid"
    "    AND a.attnum = ANY (k.indkey[0:k.indnkeyatts - 1]))"
    "   <@ (SELECT array_agg(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid"
    "    AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))))"
    " ORDER BY c.relname LIMIT 1";

static bool
check_partitions(struct load *l, struct err *err)
{
	PGresult *res;
	bool ok;

	if (!l->t->partitioned)
		return true;
	res = pgconn_query(l->src, err, partitions_query, 3, l->relid,
	    l->t->has_key ? l->key_index : "0", l->need_key ? "t" : "f");
	if (res == NULL)
		return false;
	ok = PQntuples(res) == 0;
	if (!ok && pgcell(res, 0, 1)[0] != 'r') {
		err_set(err, ERR_CONFIG, "partition %s of %s is %s, its rows cannot be mirrored",
		    pgcell(res, 0, 0), l->sql_name, relkind_name(pgcell(res, 0, 1)[0]));
	} else if (!ok) {
		err_set(err, ERR_CONFIG,
		    "partition %s of %s does not log what its rows are identified by",
		    pgcell(res, 0, 0), l->sql_name);
		err_hint(err, "ALTER TABLE %s REPLICA IDENTITY FULL", pgcell(res, 0, 0));
	}
	PQclear(res);
	return ok;
}

/* ---- all of it */

static void
copy_excluded(PeerdWorker__MirrorTable *t, const PeerdbFlow__TableMapping *map)
{
	size_t i;

	if (map->n_exclude == 0)
		return;
	t->excluded = xcalloc(map->n_exclude, sizeof(*t->excluded));
	for (i = 0; i < map->n_exclude; i++)
		t->excluded[i] = xstrdup(map->exclude[i]);
	t->n_excluded = map->n_exclude;
}

static PeerdWorker__MirrorTable *
table_new(const struct load *l)
{
	PeerdWorker__MirrorTable *t = xmalloc(sizeof(*t));

	peerd_worker__mirror_table__init(t);
	t->source_schema = xstrdup(l->from.schema);
	t->source_name = xstrdup(l->from.name);
	t->destination_schema = xstrdup(l->to.schema);
	t->destination_name = xstrdup(l->to.name);
	copy_excluded(t, l->map);
	return t;
}

static void
table_free(PeerdWorker__MirrorTable **t)
{
	if (*t != NULL)
		protobuf_c_message_free_unpacked(&(*t)->base, NULL);
	*t = NULL;
}

static bool
load_table(struct pgconn *src, const PeerdbFlow__TableMapping *map, bool need_key,
    PeerdWorker__MirrorTable **t_r, struct err *err)
{
	struct load l = { .src = src, .map = map, .need_key = need_key };
	bool ok;

	if (!ident_parse_table(map->source_table_identifier, &l.from, err) ||
	    !ident_parse_target(map->destination_table_identifier, &l.to, err))
		return false;
	l.t = table_new(&l);
	ok = find_relation(&l, err) && load_columns(&l, err) && settle_key(&l, err) &&
	    check_partitions(&l, err);
	if (!ok)
		table_free(&l.t);
	else
		*t_r = l.t;
	free(l.sql_name);
	free(l.lost_key);
	return ok;
}

bool
pginfo_load_table(struct pgconn *src, const PeerdbFlow__TableMapping *map,
    PeerdWorker__MirrorTable **t_r, struct err *err)
{
	return load_table(src, map, true, t_r, err);
}

bool
pginfo_load_tables(struct pgconn *src, const PeerdbFlow__FlowConnectionConfigs *cfg,
    PeerdWorker__SetupDone *into, struct err *err)
{
	size_t before = into->n_tables, i;

	into->tables = xrealloc(into->tables,
	    (before + cfg->n_table_mappings + 1) * sizeof(*into->tables));
	for (i = 0; i < cfg->n_table_mappings; i++) {
		if (!load_table(src, cfg->table_mappings[i], !cfg->initial_snapshot_only,
			&into->tables[into->n_tables], err)) {
			while (into->n_tables > before)
				table_free(&into->tables[--into->n_tables]);
			return false;
		}
		into->n_tables++;
	}
	return true;
}
