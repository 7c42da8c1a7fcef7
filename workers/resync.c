#include "workers/resync.h"

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/sink/dest.h"
#include "lib/types/ident.h"

#define SUFFIX_LEN (sizeof(RESYNC_SUFFIX) - 1)

static void
set_name(char **field, const struct table_ident *id)
{
	char text[IDENT_TEXT_MAX];

	free(*field);
	*field = xstrdup(ident_format(id->schema, id->name, text));
}

static bool
loaded_name(const char *text, struct table_ident *id_r, struct err *err)
{
	struct table_ident id;

	if (!ident_parse_target(text, &id, err))
		return false;
	if (strlen(id.name) + SUFFIX_LEN > IDENT_MAX) {
		err_set(err, ERR_CONFIG, "\"%s" RESYNC_SUFFIX "\" is too long for a table's name",
		    id.name);
		return err_hint(err, "the table is loaded under this name before it is swapped in");
	}
	memcpy(id.name + strlen(id.name), RESYNC_SUFFIX, SUFFIX_LEN + 1);
	*id_r = id;
	return true;
}

/* A loaded table must not have the name of one that is replaced itself. */
static bool
check_free(const PeerdbFlow__FlowConnectionConfigs *mirror, const struct table_ident *loaded,
    struct err *err)
{
	struct err ignored = ERR_INIT;
	struct table_ident id;
	size_t i;

	for (i = 0; i < mirror->n_table_mappings; i++) {
		if (!ident_parse_target(mirror->table_mappings[i]->destination_table_identifier,
			&id, &ignored) ||
		    !ident_equal(&id, loaded))
			continue;
		err_set(err, ERR_CONFIG,
		    "destination table \"%s\" has the name under which a resync would load another"
		    " one",
		    id.name);
		return err_hint(err, "map the table to another name");
	}
	return true;
}

static void
cut(char *name)
{
	size_t n = strlen(name);

	if (n > SUFFIX_LEN && strcmp(name + n - SUFFIX_LEN, RESYNC_SUFFIX) == 0)
		name[n - SUFFIX_LEN] = '\0';
}

bool
resync_names(PeerdbFlow__FlowConnectionConfigs *mirror, const PeerdbPeers__Peer *destination,
    struct err *err)
{
	const struct dest_ops *kind = dest_ops_of(destination, err);
	struct table_ident id;
	size_t i;

	if (kind == NULL || kind->swap == NULL)
		return kind != NULL;
	for (i = 0; i < mirror->n_table_mappings; i++)
		if (!loaded_name(mirror->table_mappings[i]->destination_table_identifier, &id,
			err) ||
		    !check_free(mirror, &id, err))
			return false;
	for (i = 0; i < mirror->n_table_mappings; i++) {
		char **field = &mirror->table_mappings[i]->destination_table_identifier;

		if (!loaded_name(*field, &id, err))
			return false;
		set_name(field, &id);
	}
	return true;
}

bool
resync_begin(PeerdWorker__Config *config, struct err *err)
{
	if (!config->mirror->resync || config->phase == PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING)
		return true;
	config->phase = PEERDB_FLOW__FLOW_STATUS__STATUS_SETUP;
	config->mirror->has_do_initial_snapshot = config->mirror->do_initial_snapshot = true;
	return resync_names(config->mirror, config->destination, err);
}

bool
resync_clear(struct dest *d, const PeerdbFlow__FlowConnectionConfigs *mirror, struct err *err)
{
	struct table_ident id;
	size_t i;

	for (i = 0; d->ops->discard != NULL && i < mirror->n_table_mappings; i++)
		if (!ident_parse_target(mirror->table_mappings[i]->destination_table_identifier,
			&id, err) ||
		    !dest_discard(d, &id, err))
			return err_context(err, "what a resync left on the destination");
	return true;
}

static void
own_names(PeerdbFlow__FlowConnectionConfigs *mirror, PeerdWorker__MirrorTable **defs, size_t n)
{
	struct err ignored = ERR_INIT;
	struct table_ident id;
	size_t i;

	for (i = 0; i < n; i++)
		cut(defs[i]->destination_name);
	for (i = 0; i < mirror->n_table_mappings; i++) {
		char **field = &mirror->table_mappings[i]->destination_table_identifier;

		if (!ident_parse_target(*field, &id, &ignored))
			continue;
		cut(id.name);
		set_name(field, &id);
	}
}

bool
resync_end(struct dest *d, PeerdbFlow__FlowConnectionConfigs *mirror,
    PeerdWorker__MirrorTable **defs, size_t n, struct err *err)
{
	if (!mirror->resync || d->ops->swap == NULL)
		return true;
	own_names(mirror, defs, n);
	return dest_swap(d, (struct dest_tables){ defs, n }, err);
}
