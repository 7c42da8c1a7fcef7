#include "lib/sink/ch_dest_int.h"

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/sink/ch_int.h"

bool
ch_side_options(struct ch_side *s, struct err *err)
{
	return ch_options_from(s->mirror, &s->opt, err);
}

struct ch_place
ch_side_place(const struct ch_side *s)
{
	return (struct ch_place){
		.database = chclient_database(s->c),
		.cluster = s->peer->cluster,
		.replicated = s->peer->replicated,
	};
}

bool
ch_side_name(const struct table_ident *ident, char *to, struct err *err)
{
	PeerdWorker__MirrorTable t = PEERD_WORKER__MIRROR_TABLE__INIT;

	t.destination_schema = (char *)(uintptr_t)ident->schema;
	t.destination_name = (char *)(uintptr_t)ident->name;
	return ch_table_name(&t, to, err);
}

bool
ch_side_table(struct ch_side *s, struct arena *a, const struct table *t, struct ch_table **ct_r,
    struct err *err)
{
	const struct ch_table_config cfg = {
		.mirror = s->mirror,
		.opt = &s->opt,
		.caps = chclient_caps(s->c),
		.place = ch_side_place(s),
	};

	return ch_table_new(a, &cfg, t, ct_r, err);
}

static const struct ch_found_column *
columns_of(struct arena *a, const struct ch_rows *rows)
{
	struct ch_found_column *cols = arena_zalloc(a, rows->nrows * sizeof(*cols));
	size_t i;

	for (i = 0; i < rows->nrows; i++) {
		cols[i].name = ch_cell_str(rows, i, 0);
		cols[i].type = ch_cell_str(rows, i, 1);
		cols[i].default_kind = ch_cell_str(rows, i, 2);
	}
	return cols;
}

bool
ch_side_find(struct ch_side *s, struct arena *a, const struct ch_table *ct,
    const struct ch_found_table **found_r, struct err *err)
{
	struct ch_rows table, columns;
	struct ch_found_table *f;

	if (!chclient_query(s->c, a, ch_ddl_table_query(ct, a), &table, err))
		return false;
	if (table.nrows == 0) {
		*found_r = NULL;
		return true;
	}
	if (!chclient_query(s->c, a, ch_ddl_columns_query(ct, a), &columns, err))
		return false;
	f = arena_zalloc(a, sizeof(*f));
	f->engine = ch_cell_str(&table, 0, 0);
	f->engine_full = ch_cell_str(&table, 0, 1);
	f->sorting_key = ch_cell_str(&table, 0, 2);
	f->cols = columns_of(a, &columns);
	f->ncols = (unsigned)columns.nrows;
	*found_r = f;
	return true;
}

static bool
refuse_missing(const struct ch_table *ct, struct err *err)
{
	err_set(err, ERR_CONFIG, "table \"%s\" of the destination does not exist any more",
	    ct->name);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "42P01");
	return err_hint(err, "resync the mirror");
}

bool
ch_side_bind_found(struct ch_side *s, struct arena *a, const struct table *t,
    struct ch_table **ct_r, const struct ch_found_table **found_r, struct err *err)
{
	const struct ch_found_table *found;
	struct ch_table *ct;

	if (!ch_side_table(s, a, t, &ct, err) || !ch_side_find(s, a, ct, &found, err))
		return false;
	if (found == NULL)
		return refuse_missing(ct, err);
	if (!ch_ddl_check(ct, found, err))
		return false;
	*ct_r = ct;
	*found_r = found;
	return true;
}

bool
ch_side_bind(struct ch_side *s, struct arena *a, const struct table *t, struct ch_table **ct_r,
    struct err *err)
{
	const struct ch_found_table *ignored;

	return ch_side_bind_found(s, a, t, ct_r, &ignored, err);
}

static bool
has_json(const struct ch_table *ct)
{
	uint16_t i;

	for (i = 0; i < ct->t->ncols; i++)
		if (ct->cols[i].type.kind == CH_JSON)
			return true;
	return false;
}

/* An insert has one row a key already: the server need not look for more (a fifth of its work). */
size_t
ch_insert_settings(const struct ch_table *ct, struct ch_setting *to)
{
	size_t n = 0;

	if (ch_batch_merges(ct) && ct->caps->optimize_on_insert)
		to[n++] = (struct ch_setting){ "optimize_on_insert", "0" };
	if (ct->place.cluster[0] != '\0')
		to[n++] = (struct ch_setting){ "insert_distributed_sync", "1" };
	if (has_json(ct))
		to[n++] = (struct ch_setting){ "input_format_binary_read_json_as_string", "1" };
	return n;
}

bool
ch_side_run(struct ch_side *s, const struct ch_statements *list, struct err *err)
{
	unsigned i;

	for (i = 0; i < list->n; i++)
		if (!chclient_run(s->c, err, "%s", list->sql[i]))
			return false;
	return true;
}
