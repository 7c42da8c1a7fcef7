#include "lib/sink/ch_ddl.h"

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/conn/chcaps.h"

#define SHARD	     "_shard"
#define SQL_MAX	     MIB   /* 1600 columns with long names and types */
#define DEDUP_WINDOW 10000 /* inserts that a table remembers: far more than a load has under way */
#define REPLICA_PATH "/clickhouse/tables/{uuid}/{shard}"
#define REPLICA_OLD  "/clickhouse/tables/{shard}"

/* ---- names and texts */

/* As ClickHouse writes it itself: what it says of a table is compared with this. */
static void
quote(struct buf *sql, const char *s, char mark)
{
	static const char controls[] = "\b\f\n\r\t", letters[] = "bfnrt";
	const char *control;

	buf_char(sql, mark);
	for (; *s != '\0'; s++) {
		control = strchr(controls, *s);
		if (control != NULL || *s == mark || *s == '\\')
			buf_char(sql, '\\');
		buf_char(sql, control != NULL ? letters[control - controls] : *s);
	}
	buf_char(sql, mark);
}

void
ch_quote_name(struct buf *sql, const char *name)
{
	quote(sql, name, '`');
}

void
ch_quote_text(struct buf *sql, const char *text)
{
	quote(sql, text, '\'');
}

static void
add_name(const struct ch_table *ct, const char *suffix, const char *shard, struct buf *sql)
{
	char name[CH_NAME_MAX + 32];
	struct buf whole;

	buf_init(&whole, sizeof(name));
	buf_printf(&whole, "%s%s%s", ct->name, suffix, shard);
	ch_quote_name(sql, ct->place.database);
	buf_char(sql, '.');
	ch_quote_name(sql, buf_str(&whole));
	buf_done(&whole);
}

void
ch_ddl_name(const struct ch_table *ct, const char *suffix, struct buf *sql)
{
	add_name(ct, suffix, "", sql);
}

static bool
on_cluster(const struct ch_table *ct)
{
	return ct->place.cluster != NULL && ct->place.cluster[0] != '\0';
}

static void
add_cluster(const struct ch_table *ct, struct buf *sql)
{
	if (!on_cluster(ct))
		return;
	buf_str_add(sql, " ON CLUSTER ");
	ch_quote_name(sql, ct->place.cluster);
}

/* Where the rows are: the shard's table on a cluster. */
static const char *
rows_in(const struct ch_table *ct)
{
	return on_cluster(ct) ? SHARD : "";
}

static void
add_statement(struct ch_statements *list, struct arena *a, struct buf *sql)
{
	list->sql[list->n++] = arena_strndup(a, buf_str(sql), sql->n);
	buf_reset(sql);
}

/* ---- engines */

// clang-format off
static const struct {
	PeerdbFlow__TableEngine engine;
	const char *name;
	bool replicated; /* whatever the peer says */
	bool versioned;
	bool merge_tree;
} engines[] = {
	{ PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLACING_MERGE_TREE,
	    "ReplacingMergeTree", false, true, true },
	{ PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_MERGE_TREE,
	    "MergeTree", false, false, true },
	{ PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_NULL,
	    "Null", false, false, false },
	{ PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLICATED_REPLACING_MERGE_TREE,
	    "ReplacingMergeTree", true, true, true },
	{ PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLICATED_MERGE_TREE,
	    "MergeTree", true, false, true },
	{ PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_COALESCING_MERGE_TREE,
	    "CoalescingMergeTree", false, false, true },
};
// clang-format on

static unsigned
engine_index(const struct ch_table *ct)
{
	unsigned i;

	for (i = 0; i < sizeof(engines) / sizeof(engines[0]) - 1; i++)
		if (engines[i].engine == ct->engine)
			break;
	return i;
}

static bool
is_replicated(const struct ch_table *ct)
{
	unsigned e = engine_index(ct);

	return engines[e].merge_tree && (engines[e].replicated || ct->place.replicated);
}

/* The path tells tables apart by uuid where databases are Atomic, else by name. */
static void
add_replica_path(const struct ch_table *ct, const char *suffix, struct buf *sql)
{
	struct buf path;

	buf_init(&path, KIB);
	if (ct->caps->exchange)
		buf_str_add(&path, REPLICA_PATH);
	else
		buf_printf(&path, REPLICA_OLD "/%s/%s%s", ct->place.database, ct->name, suffix);
	ch_quote_text(sql, buf_str(&path));
	buf_str_add(sql, ", '{replica}'");
	buf_done(&path);
}

static void
add_engine(const struct ch_table *ct, const char *suffix, struct buf *sql)
{
	unsigned e = engine_index(ct);
	bool replicated = is_replicated(ct);

	buf_printf(sql, " ENGINE = %s%s", replicated ? "Replicated" : "", engines[e].name);
	if (!engines[e].merge_tree)
		return;
	buf_char(sql, '(');
	if (replicated)
		add_replica_path(ct, suffix, sql);
	if (engines[e].versioned) {
		buf_str_add(sql, replicated ? ", " : "");
		ch_quote_name(sql, CH_VERSION_COLUMN);
		if (ct->caps->is_deleted) {
			buf_str_add(sql, ", ");
			ch_quote_name(sql, ct->deleted_column);
		}
	}
	buf_char(sql, ')');
}

/* ---- PARTITION BY, ORDER BY, SETTINGS */

static int32_t
partitioning_of(const struct ch_table *ct, uint16_t col)
{
	const char *name = ct->t->cols[col].name;

	for (size_t i = 0; i < ct->map->n_columns; i++)
		if (strcmp(ct->map->columns[i]->source_name, name) == 0)
			return ct->map->columns[i]->partitioning;
	return 0;
}

/* Columns with a partitioning, smallest first; returns whether one may be NULL. */
static bool
add_partition_columns(const struct ch_table *ct, struct buf *sql)
{
	int32_t least, last = 0;
	bool nullable = false;
	uint16_t i, found;

	for (;; last = least) {
		least = INT32_MAX;
		for (i = 0, found = 0; i < ct->t->ncols; i++)
			if (partitioning_of(ct, i) > last && partitioning_of(ct, i) < least) {
				least = partitioning_of(ct, i);
				found = i;
			}
		if (least == INT32_MAX)
			return nullable;
		buf_str_add(sql, last == 0 ? "" : ", ");
		ch_quote_name(sql, ct->cols[found].name);
		nullable |= ct->cols[found].type.nullable;
	}
}

static bool
add_partition(const struct ch_table *ct, struct buf *sql)
{
	const char *expr = ct->map->partition_by_expr;
	struct buf cols;
	bool nullable;

	if (expr != NULL && expr[0] != '\0') {
		buf_printf(sql, " PARTITION BY (%s)", expr);
		return true; /* it may be NULL for all we know */
	}
	buf_init(&cols, SQL_MAX);
	nullable = add_partition_columns(ct, &cols);
	if (cols.n > 0)
		buf_printf(sql, " PARTITION BY (%s)", buf_str(&cols));
	buf_done(&cols);
	return nullable;
}

static bool
add_order(const struct ch_table *ct, struct buf *sql)
{
	bool nullable = false;
	uint16_t i;

	buf_str_add(sql, " ORDER BY ");
	if (ct->norder == 0 && ct->schema_column == NULL) {
		buf_str_add(sql, "tuple()");
		return false;
	}
	buf_char(sql, '(');
	if (ct->schema_column != NULL)
		ch_quote_name(sql, ct->schema_column);
	for (i = 0; i < ct->norder; i++) {
		buf_str_add(sql, i > 0 || ct->schema_column != NULL ? ", " : "");
		ch_quote_name(sql, ct->cols[ct->order[i]].name);
		nullable |= ct->cols[ct->order[i]].type.nullable;
	}
	buf_char(sql, ')');
	return nullable;
}

static void
add_settings(const struct ch_table *ct, bool nullable_key, struct buf *sql)
{
	const char *before = " SETTINGS ";

	if (nullable_key && ct->caps->nullable_key) {
		buf_printf(sql, "%sallow_nullable_key = 1", before);
		before = ", ";
	}
	if (ct->caps->dedup_token && !is_replicated(ct))
		buf_printf(sql, "%snon_replicated_deduplication_window = %d", before, DEDUP_WINDOW);
}

/* ---- CREATE TABLE */

static void
add_columns(const struct ch_table *ct, struct buf *sql)
{
	char type[CH_TYPE_TEXT_MAX];
	uint16_t i;

	buf_str_add(sql, " (");
	for (i = 0; i < ct->t->ncols; i++) {
		ch_quote_name(sql, ct->cols[i].name);
		buf_printf(sql, " %s, ", ch_type_format(&ct->cols[i].type, type));
	}
	if (ct->schema_column != NULL) {
		ch_quote_name(sql, ct->schema_column);
		buf_str_add(sql,
		    ct->caps->low_cardinality ? " LowCardinality(String), " : " String, ");
	}
	if (ct->synced_column != NULL) {
		ch_quote_name(sql, ct->synced_column);
		buf_str_add(sql,
		    ct->caps->datetime64 ? " DateTime64(9) DEFAULT now64(), "
					 : " DateTime DEFAULT now(), ");
	}
	ch_quote_name(sql, ct->deleted_column);
	buf_str_add(sql, " UInt8, ");
	ch_quote_name(sql, CH_VERSION_COLUMN);
	buf_str_add(sql, " UInt64)");
}

/* Without allow_nullable_key the key must do without NULL. */
static bool
check_nullable_key(const struct ch_table *ct, struct err *err)
{
	uint16_t i;

	for (i = 0; i < ct->norder && !ct->caps->nullable_key; i++)
		if (ct->cols[ct->order[i]].type.nullable) {
			err_set(err, ERR_CONFIG,
			    "column \"%s\" of %s may be NULL and belongs to the key, which "
			    "ClickHouse %s does not allow",
			    ct->cols[ct->order[i]].name, ct->t->source_label, ct->caps->version);
			return err_hint(err, "ALTER TABLE ... ALTER COLUMN \"%s\" SET NOT NULL",
			    ct->t->cols[ct->order[i]].name);
		}
	return true;
}

static void
create_rows(const struct ch_table *ct, const char *suffix, struct buf *sql)
{
	bool nullable;

	buf_str_add(sql, "CREATE TABLE IF NOT EXISTS ");
	add_name(ct, suffix, rows_in(ct), sql);
	add_cluster(ct, sql);
	add_columns(ct, sql);
	add_engine(ct, suffix, sql);
	if (!engines[engine_index(ct)].merge_tree)
		return;
	nullable = add_partition(ct, sql);
	nullable |= add_order(ct, sql);
	add_settings(ct, nullable, sql);
}

/* Distributed(cluster, database, table, sharding key, policy) */
static void
create_distributed(const struct ch_table *ct, const char *suffix, struct buf *sql)
{
	struct buf shard;

	buf_init(&shard, KIB);
	buf_printf(&shard, "%s%s" SHARD, ct->name, suffix);
	buf_str_add(sql, "CREATE TABLE IF NOT EXISTS ");
	add_name(ct, suffix, "", sql);
	add_cluster(ct, sql);
	add_columns(ct, sql);
	buf_str_add(sql, " ENGINE = Distributed(");
	ch_quote_text(sql, ct->place.cluster);
	buf_str_add(sql, ", ");
	ch_quote_text(sql, ct->place.database);
	buf_str_add(sql, ", ");
	ch_quote_text(sql, buf_str(&shard));
	if (ct->map->sharding_key[0] != '\0')
		buf_printf(sql, ", %s", ct->map->sharding_key);
	if (ct->map->sharding_key[0] != '\0' && ct->map->policy_name[0] != '\0') {
		buf_str_add(sql, ", ");
		ch_quote_text(sql, ct->map->policy_name);
	}
	buf_char(sql, ')');
	buf_done(&shard);
}

bool
ch_ddl_create(const struct ch_table *ct, const char *suffix, enum ch_create how, struct arena *a,
    struct ch_statements *list_r, struct err *err)
{
	struct buf sql;

	if (engines[engine_index(ct)].merge_tree && !check_nullable_key(ct, err))
		return false;
	list_r->n = 0;
	if (how == CH_CREATE_ANEW)
		ch_ddl_drop(ct, suffix, a, list_r);
	buf_init(&sql, SQL_MAX);
	create_rows(ct, suffix, &sql);
	add_statement(list_r, a, &sql);
	if (on_cluster(ct)) {
		create_distributed(ct, suffix, &sql);
		add_statement(list_r, a, &sql);
	}
	buf_done(&sql);
	return true;
}

/* ---- INSERT */

static const char *
insert(const struct ch_table *ct, const char *suffix, const char *last, struct arena *a)
{
	const char *text;
	struct buf sql;
	uint16_t i;

	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql, "INSERT INTO ");
	ch_ddl_name(ct, suffix, &sql);
	buf_str_add(&sql, " (");
	for (i = 0; i < ct->t->ncols; i++) {
		ch_quote_name(&sql, ct->cols[i].name);
		buf_str_add(&sql, ", ");
	}
	if (ct->schema_column != NULL) {
		ch_quote_name(&sql, ct->schema_column);
		buf_str_add(&sql, ", ");
	}
	ch_quote_name(&sql, ct->deleted_column);
	buf_str_add(&sql, ", ");
	ch_quote_name(&sql, CH_VERSION_COLUMN);
	if (last != NULL) {
		buf_str_add(&sql, ", ");
		ch_quote_name(&sql, last);
	}
	buf_str_add(&sql, ") FORMAT RowBinary");
	text = arena_strndup(a, buf_str(&sql), sql.n);
	buf_done(&sql);
	return text;
}

const char *
ch_ddl_insert(const struct ch_table *ct, const char *suffix, struct arena *a)
{
	return insert(ct, suffix, NULL, a);
}

const char *
ch_ddl_insert_fenced(const struct ch_table *ct, const char *column, struct arena *a)
{
	return insert(ct, "", column, a);
}

/* ---- other statements */

void
ch_ddl_truncate(const struct ch_table *ct, const char *suffix, struct arena *a,
    struct ch_statements *list_r)
{
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	list_r->n = 0;
	buf_str_add(&sql, "TRUNCATE TABLE ");
	add_name(ct, suffix, rows_in(ct), &sql);
	add_cluster(ct, &sql);
	add_statement(list_r, a, &sql);
	buf_done(&sql);
}

static void
drop(const struct ch_table *ct, const char *suffix, const char *shard, struct arena *a,
    struct ch_statements *list)
{
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	buf_str_add(&sql, "DROP TABLE IF EXISTS ");
	add_name(ct, suffix, shard, &sql);
	add_cluster(ct, &sql);
	if (ct->caps->create_or_replace) /* Atomic databases put dropping off else */
		buf_str_add(&sql, " SYNC");
	if (ct->caps->drop_any_size) /* servers guard large tables against slips of the hand */
		buf_str_add(&sql, " SETTINGS max_table_size_to_drop = 0");
	add_statement(list, a, &sql);
	buf_done(&sql);
}

void
ch_ddl_drop(const struct ch_table *ct, const char *suffix, struct arena *a,
    struct ch_statements *list_r)
{
	list_r->n = 0;
	drop(ct, suffix, "", a, list_r);
	if (on_cluster(ct))
		drop(ct, suffix, SHARD, a, list_r);
}

static void
rename_one(const struct ch_table *ct, const char *from, const char *to, const char *shard,
    struct buf *sql)
{
	add_name(ct, from, shard, sql);
	buf_str_add(sql, " TO ");
	add_name(ct, to, shard, sql);
}

/*
 * In one step where the server can. Else the old table steps aside first, in
 * one RENAME with the new one taking its place.
 */
static void
swap(const struct ch_table *ct, const char *suffix, const char *shard, struct arena *a,
    struct ch_statements *list)
{
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	if (ct->caps->exchange) {
		buf_str_add(&sql, "EXCHANGE TABLES ");
		add_name(ct, suffix, shard, &sql);
		buf_str_add(&sql, " AND ");
		add_name(ct, "", shard, &sql);
	} else {
		buf_str_add(&sql, "RENAME TABLE ");
		rename_one(ct, "", "_peerdb_old", shard, &sql);
		buf_str_add(&sql, ", ");
		rename_one(ct, suffix, "", shard, &sql);
		buf_str_add(&sql, ", ");
		rename_one(ct, "_peerdb_old", suffix, shard, &sql);
	}
	add_cluster(ct, &sql);
	add_statement(list, a, &sql);
	buf_done(&sql);
}

void
ch_ddl_swap(const struct ch_table *ct, const char *suffix, struct arena *a,
    struct ch_statements *list_r)
{
	list_r->n = 0;
	swap(ct, suffix, rows_in(ct), a, list_r);
	drop(ct, suffix, "", a, list_r);
	if (on_cluster(ct))
		drop(ct, suffix, SHARD, a, list_r);
}

static void
add_column(const struct ch_table *ct, const struct ch_column *c, const char *old_value,
    const char *shard, struct buf *sql)
{
	char type[CH_TYPE_TEXT_MAX];

	ch_type_format(&c->type, type);
	buf_str_add(sql, "ALTER TABLE ");
	add_name(ct, "", shard, sql);
	add_cluster(ct, sql);
	buf_printf(sql, " ADD COLUMN %s", ct->caps->if_not_exists ? "IF NOT EXISTS " : "");
	ch_quote_name(sql, c->name);
	buf_printf(sql, " %s", type);
	if (old_value == NULL)
		return;
	buf_str_add(sql, " DEFAULT CAST(");
	ch_quote_text(sql, old_value);
	buf_str_add(sql, " AS ");
	buf_printf(sql, "%s)", type);
}

void
ch_ddl_add_column(const struct ch_table *ct, const struct ch_column *c, const char *old_value,
    struct arena *a, struct ch_statements *list_r)
{
	struct buf sql;

	buf_init(&sql, SQL_MAX);
	list_r->n = 0;
	add_column(ct, c, old_value, rows_in(ct), &sql);
	add_statement(list_r, a, &sql);
	if (on_cluster(ct)) {
		add_column(ct, c, NULL, "", &sql);
		add_statement(list_r, a, &sql);
	}
	buf_done(&sql);
}
