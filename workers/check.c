#include "workers/check.h"

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/sink/dest.h"
#include "workers/check_int.h"

/* ---- what the checks share */

const char *
check_array_relids(struct buf *b, const PeerdWorker__SetupDone *tables)
{
	char relid[16];

	for (size_t i = 0; i < tables->n_tables; i++) {
		snprintf(relid, sizeof(relid), "%u", tables->tables[i]->relid);
		pgconn_array_add(b, relid);
	}
	return pgconn_array_end(b);
}

bool
check_is_mirrored(const PeerdWorker__MirrorTable *t, const char *column)
{
	for (size_t i = 0; i < t->n_columns; i++)
		if (strcmp(t->columns[i]->name, column) == 0)
			return true;
	return false;
}

/* ---- shape */

/* As the API has it: empty, or a plain type name with modifiers. */
static bool
destination_type_valid(const char *type)
{
	if (type[0] == '\0')
		return true;
	if (!((type[0] | 0x20) >= 'a' && (type[0] | 0x20) <= 'z'))
		return false;
	return type[strspn(type,
		   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "0123456789(),")] == '\0';
}

static bool
check_columns(const PeerdbFlow__TableMapping *map, struct err *err)
{
	for (size_t i = 0; i < map->n_columns; i++)
		if (!destination_type_valid(map->columns[i]->destination_type))
			return err_set(err, ERR_INVALID,
			    "destination_type \"%s\" of column \"%s\" is not the name of a type",
			    map->columns[i]->destination_type, map->columns[i]->source_name);
	return true;
}

static int
compare_idents(const void *a, const void *b)
{
	const struct table_ident *x = a, *y = b;
	int order = strcmp(x->schema, y->schema);

	return order != 0 ? order : strcmp(x->name, y->name);
}

/* Sorts them. */
static bool
check_distinct(struct table_ident *idents, size_t n, const char *side, struct err *err)
{
	char text[IDENT_TEXT_MAX];
	size_t i;

	qsort(idents, n, sizeof(*idents), compare_idents);
	for (i = 1; i < n; i++)
		if (ident_equal(&idents[i - 1], &idents[i]))
			return err_set(err, ERR_INVALID, "%s table %s is in table_mappings twice",
			    side, ident_format(idents[i].schema, idents[i].name, text));
	return true;
}

static bool
check_mappings(const struct check *ck, struct table_ident *from, struct table_ident *to,
    struct err *err)
{
	const PeerdbFlow__FlowConnectionConfigs *m = ck->mirror;

	for (size_t i = 0; i < m->n_table_mappings; i++)
		if (!ident_parse_table(m->table_mappings[i]->source_table_identifier, &from[i],
			err) ||
		    !ident_parse_target(m->table_mappings[i]->destination_table_identifier, &to[i],
			err) ||
		    !ck->kind->check_name(&to[i], err) || !check_columns(m->table_mappings[i], err))
			return false;
	return check_distinct(from, m->n_table_mappings, "source", err) &&
	    check_distinct(to, m->n_table_mappings, "destination", err);
}

bool
check_shape(const struct check *ck, struct err *err)
{
	const PeerdbFlow__FlowConnectionConfigs *m = ck->mirror;
	struct table_ident *from, *to;
	bool ok;

	if (m->n_table_mappings == 0)
		return err_set(err, ERR_INVALID, "table_mappings is empty");
	if (m->initial_snapshot_only && !m->do_initial_snapshot)
		return err_set(err, ERR_INVALID,
		    "initial_snapshot_only needs do_initial_snapshot to be true");
	if (m->soft_delete_col_name[0] != '\0' &&
	    strcmp(m->soft_delete_col_name, m->synced_at_col_name) == 0)
		return err_set(err, ERR_INVALID,
		    "soft_delete_col_name and synced_at_col_name are both \"%s\"",
		    m->synced_at_col_name);
	from = xcalloc(m->n_table_mappings, sizeof(*from));
	to = xcalloc(m->n_table_mappings, sizeof(*to));
	ok = check_mappings(ck, from, to, err);
	free(from);
	free(to);
	return ok;
}

/* ---- all */

bool
check_mirror(const struct check *ck, struct err *err)
{
	PeerdWorker__SetupDone *tables = xmalloc(sizeof(*tables));
	bool ok;

	peerd_worker__setup_done__init(tables);
	ok = check_shape(ck, err) && check_source(ck, tables, err) &&
	    dest_check(ck->dst, ck->src, (struct dest_tables){ tables->tables, tables->n_tables },
		ck->again, err);
	protobuf_c_message_free_unpacked(&tables->base, NULL);
	return ok;
}
