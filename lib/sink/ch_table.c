/*
 * A mirrored table as ClickHouse has it: names, types, the order of rows.
 */
#include <ctype.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "lib/conn/chcaps.h"
#include "lib/sink/ch_types.h"
#include "lib/types/ident.h"

#define SCHEMA_COLUMN  "_peerdb_source_schema"
#define DELETED_COLUMN "_peerdb_is_deleted"

/* ---- names */

bool
ch_table_name(const PeerdWorker__MirrorTable *def, char *to, struct err *err)
{
	const char *schema = def->destination_schema != NULL ? def->destination_schema : "";
	const char *name = def->destination_name != NULL ? def->destination_name : "";
	struct buf text;
	bool ok;

	buf_init(&text, KIB);
	buf_printf(&text, "%s%s%s", schema, schema[0] != '\0' ? "." : "", name);
	ok = name[0] != '\0' && str_copy(to, CH_NAME_MAX + 1, buf_str(&text));
	if (!ok)
		err_set(err, ERR_CONFIG, "\"%s\" is not a name for a table in ClickHouse",
		    buf_str(&text));
	buf_done(&text);
	return ok;
}

static const char *
lower(struct arena *a, const char *s)
{
	char *copy = arena_strdup(a, s), *p;

	for (p = copy; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

/* PeerDB's own names are in lower case here, others stay as given. */
const char *
ch_deleted_column(struct arena *a, const PeerdbFlow__FlowConnectionConfigs *mirror)
{
	const char *name = mirror->soft_delete_col_name;

	if (name == NULL || name[0] == '\0' || strcasecmp(name, DELETED_COLUMN) == 0)
		return DELETED_COLUMN;
	return arena_strdup(a, name);
}

static void
name_columns(struct arena *a, const struct ch_table_config *cfg, struct ch_table *ct)
{
	const char *synced = cfg->mirror->synced_at_col_name;

	ct->deleted_column = ch_deleted_column(a, cfg->mirror);
	ct->synced_column = synced != NULL && synced[0] != '\0' ? lower(a, synced) : NULL;
	ct->schema_column = cfg->opt->source_schema ? SCHEMA_COLUMN : NULL;
}

/* No column of the source may have the name of one that peerd adds. */
static bool
check_names(const struct ch_table *ct, struct err *err)
{
	const char *own[] = { ct->deleted_column, ct->synced_column, ct->schema_column,
		CH_VERSION_COLUMN };
	uint16_t i;
	size_t j;

	for (i = 0; i < ct->t->ncols; i++)
		for (j = 0; j < 4; j++)
			if (own[j] != NULL && strcmp(ct->cols[i].name, own[j]) == 0) {
				err_set(err, ERR_CONFIG,
				    "column \"%s\" of %s has the name of a column that peerd adds",
				    own[j], ct->t->source_label);
				return err_hint(err,
				    "give it another destination_name, or the mirror another "
				    "soft_delete_col_name or synced_at_col_name");
			}
	return true;
}

/* ---- columns */

static bool
maps(const PeerdbFlow__TableMapping *map, const struct table *t)
{
	struct table_ident from;
	struct err err = ERR_INIT;

	return ident_parse_table(map->source_table_identifier, &from, &err) &&
	    strcmp(from.schema, t->source_schema) == 0 && strcmp(from.name, t->source_name) == 0;
}

static const PeerdbFlow__TableMapping *
find_mapping(const PeerdbFlow__FlowConnectionConfigs *mirror, const struct table *t)
{
	static const PeerdbFlow__TableMapping none = PEERDB_FLOW__TABLE_MAPPING__INIT;

	for (size_t i = 0; i < mirror->n_table_mappings; i++)
		if (maps(mirror->table_mappings[i], t))
			return mirror->table_mappings[i];
	return &none;
}

static const PeerdbFlow__ColumnSetting *
find_setting(const PeerdbFlow__TableMapping *map, const char *column)
{
	for (size_t i = 0; i < map->n_columns; i++)
		if (strcmp(map->columns[i]->source_name, column) == 0)
			return map->columns[i];
	return NULL;
}

static bool
init_columns(struct arena *a, const struct ch_table_config *cfg, struct ch_table *ct,
    struct err *err)
{
	const PeerdWorker__MirrorTable *def = ct->t->def;
	const PeerdWorker__Column *from;
	uint16_t n = 0;
	size_t i;

	ct->cols = arena_zalloc(a, ct->t->ncols * sizeof(*ct->cols));
	for (i = 0; i < def->n_columns && n < ct->t->ncols; i++) {
		from = def->columns[i];
		if (from->generated[0] != '\0')
			continue; /* its value does not travel */
		if (!ch_column_init(&ct->cols[n], from, find_setting(ct->map, from->name), cfg->opt,
			cfg->caps, err))
			return err_context(err, "%s", ct->t->source_label);
		ct->cols[n++].cleared = &ct->cleared;
	}
	return true;
}

/* ---- the order of rows */

static bool
is_ordered(const struct ch_table *ct, uint16_t col)
{
	for (uint16_t i = 0; i < ct->norder; i++)
		if (ct->order[i] == col)
			return true;
	return false;
}

static void
add_order(struct ch_table *ct, uint16_t col)
{
	if (!is_ordered(ct, col) && ct->cols[col].type.kind != CH_JSON)
		ct->order[ct->norder++] = col;
}

static int32_t
ordering_of(const struct ch_table *ct, uint16_t col)
{
	const PeerdbFlow__ColumnSetting *set = find_setting(ct->map, ct->t->cols[col].name);

	return set != NULL ? set->ordering : 0;
}

/* The columns with an ordering, smallest first. */
static void
order_as_mapped(struct ch_table *ct)
{
	int32_t least, last = 0;
	uint16_t i;

	for (;; last = least) {
		least = INT32_MAX;
		for (i = 0; i < ct->t->ncols; i++)
			if (ordering_of(ct, i) > last && ordering_of(ct, i) < least)
				least = ordering_of(ct, i);
		if (least == INT32_MAX)
			return;
		for (i = 0; i < ct->t->ncols; i++)
			if (ordering_of(ct, i) == least)
				add_order(ct, i);
	}
}

static bool
merges_rows(PeerdbFlow__TableEngine engine)
{
	return engine == PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLACING_MERGE_TREE ||
	    engine == PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLICATED_REPLACING_MERGE_TREE ||
	    engine == PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_COALESCING_MERGE_TREE;
}

/*
 * An engine that merges rows of equal order must order by the whole key, or it
 * would merge rows that are different; without a key, by everything.
 */
static void
settle_order(struct arena *a, struct ch_table *ct)
{
	uint16_t i;

	ct->order = arena_zalloc(a, (ct->t->ncols + 1u) * sizeof(*ct->order));
	order_as_mapped(ct);
	if (ct->norder > 0 && !merges_rows(ct->engine))
		return;
	for (i = 0; i < ct->t->nkeys; i++)
		add_order(ct, ct->t->keys[i]);
	for (i = 0; ct->t->nkeys == 0 && merges_rows(ct->engine) && i < ct->t->ncols; i++)
		add_order(ct, i);
}

/* ---- engine */

/* Rows of a table that is only loaded and has no key may be equal: they all stay. */
static PeerdbFlow__TableEngine
choose_engine(const struct ch_table *ct, const PeerdbFlow__FlowConnectionConfigs *mirror)
{
	PeerdbFlow__TableEngine engine = ct->map->engine;

	if (ct->t->nkeys > 0 || !mirror->initial_snapshot_only)
		return engine;
	if (engine == PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLACING_MERGE_TREE)
		return PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_MERGE_TREE;
	if (engine == PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLICATED_REPLACING_MERGE_TREE)
		return PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_REPLICATED_MERGE_TREE;
	return engine;
}

static bool
check_engine(const struct ch_table *ct, struct err *err)
{
	if (ct->engine == PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_COALESCING_MERGE_TREE &&
	    !ct->caps->coalescing_merge_tree)
		return err_set(err, ERR_CONFIG,
		    "ClickHouse %s does not have the engine CoalescingMergeTree that %s is "
		    "to have",
		    ct->caps->version, ct->t->source_label);
	return true;
}

bool
ch_table_new(struct arena *a, const struct ch_table_config *cfg, const struct table *t,
    struct ch_table **ct_r, struct err *err)
{
	struct ch_table *ct = arena_zalloc(a, sizeof(*ct));
	char name[CH_NAME_MAX + 1];

	ct->t = t;
	ct->map = find_mapping(cfg->mirror, t);
	ct->opt = cfg->opt;
	ct->caps = cfg->caps;
	ct->place = cfg->place;
	if (!ch_table_name(t->def, name, err))
		return false;
	ct->name = arena_strdup(a, name);
	ct->engine = choose_engine(ct, cfg->mirror);
	name_columns(a, cfg, ct);
	if (!check_engine(ct, err) || !init_columns(a, cfg, ct, err) || !check_names(ct, err))
		return false;
	settle_order(a, ct);
	*ct_r = ct;
	return true;
}
