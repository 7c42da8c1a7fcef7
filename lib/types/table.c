#include "lib/types/table.h"

#include "lib/base/err.h"

static void
fill_columns(struct arena *a, struct table *t)
{
	const PeerdWorker__MirrorTable *def = t->def;
	const PeerdWorker__Column *from;
	struct column *c;
	size_t i;

	t->cols = arena_zalloc(a, def->n_columns * sizeof(*t->cols));
	t->keys = arena_zalloc(a, def->n_columns * sizeof(*t->keys));
	t->binary = true;
	for (i = 0; i < def->n_columns; i++) {
		from = def->columns[i];
		if (from->generated[0] != '\0')
			continue;
		c = &t->cols[t->ncols];
		c->name = from->name;
		c->destination = from->destination_name != NULL ? from->destination_name
								: from->name;
		c->type_name = from->type_name;
		c->type_oid = from->type_oid;
		c->type_modifier = from->type_modifier;
		c->key = from->key_position > 0;
		if (c->key) {
			t->keys[from->key_position - 1] = t->ncols;
			t->nkeys++;
		}
		if (!from->binary)
			t->binary = false;
		t->ncols++;
	}
}

/* schema.table; a destination may have no schemas. */
static const char *
label(struct arena *a, const char *schema, const char *name)
{
	bool bare = schema == NULL || schema[0] == '\0';

	return arena_printf(a, "%s%s%s", bare ? "" : schema, bare ? "" : ".", name);
}

struct table *
table_new(struct arena *mirror, uint32_t index, const PeerdWorker__MirrorTable *def)
{
	struct table *t = arena_zalloc(mirror, sizeof(*t));

	t->index = index;
	t->def = def;
	t->relid = def->relid;
	t->source_schema = def->source_schema;
	t->source_name = def->source_name;
	t->destination_schema = def->destination_schema;
	t->destination_name = def->destination_name;
	t->source_label = label(mirror, def->source_schema, def->source_name);
	t->destination_label = label(mirror, def->destination_schema, def->destination_name);
	t->stopped = def->state == PEERD_WORKER__TABLE_STATE__TABLE_ERROR;
	t->error = def->error;
	t->error_hint = def->error_hint;
	fill_columns(mirror, t);
	return t;
}

void
table_stop(struct arena *a, struct table *t, const struct err *why)
{
	if (t->stopped)
		return;
	t->stopped = true;
	t->error = arena_strdup(a, why->msg);
	t->error_hint = arena_strdup(a, why->hint);
}
