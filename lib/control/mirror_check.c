#include "lib/control/mirror_check.h"

#include <ctype.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/control/peer_check.h"
#include "lib/types/ident.h"

typedef PeerdbFlow__FlowConnectionConfigs mirror_config_t;

/* ---- names */

void
mirror_slot_name(const mirror_config_t *c, char to[MIRROR_SLOT_MAX])
{
	if (c->replication_slot_name[0] != '\0')
		snprintf(to, MIRROR_SLOT_MAX, "%s", c->replication_slot_name);
	else
		snprintf(to, MIRROR_SLOT_MAX, MIRROR_SLOT_PREFIX "%s", c->flow_job_name);
}

static bool
check_job_name(const char *name, struct err *err)
{
	size_t max = IDENT_MAX - strlen(MIRROR_SLOT_PREFIX);

	if (!name_check(name, "flow_job_name", err))
		return false;
	if (strlen(name) <= max)
		return true;
	err_set(err, ERR_INVALID,
	    "flow_job_name \"%s\" is too long: \"" MIRROR_SLOT_PREFIX
	    "%s\" would pass the %d bytes of a slot's name",
	    name, name, IDENT_MAX);
	return err_hint(err, "use at most %zu characters", max);
}

static bool
check_slot_name(const char *name, struct err *err)
{
	size_t n = strlen(name);

	if (n <= IDENT_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n)
		return true;
	err_set(err, ERR_INVALID, "replication_slot_name \"%s\" is not valid", name);
	return err_hint(err, "use at most %d lower-case letters, digits and underscores",
	    IDENT_MAX);
}

static bool
check_names(const mirror_config_t *c, struct err *err)
{
	if (!check_job_name(c->flow_job_name, err) ||
	    !check_slot_name(c->replication_slot_name, err))
		return false;
	if (strlen(c->publication_name) > IDENT_MAX)
		return err_set(err, ERR_INVALID, "publication_name is longer than %d bytes",
		    IDENT_MAX);
	if (c->source_name[0] == '\0')
		return err_set(err, ERR_INVALID, "source_name is required");
	if (c->destination_name[0] == '\0')
		return err_set(err, ERR_INVALID, "destination_name is required");
	return true;
}

/* ---- tables */

struct checked_table {
	struct table_ident source;
	struct table_ident destination;
};

static int
table_ident_order(const struct table_ident *a, const struct table_ident *b)
{
	int order = strcmp(a->schema, b->schema);

	return order != 0 ? order : strcmp(a->name, b->name);
}

static int
order_by_source(const void *a, const void *b)
{
	return table_ident_order(&((const struct checked_table *)a)->source,
	    &((const struct checked_table *)b)->source);
}

static int
order_by_destination(const void *a, const void *b)
{
	return table_ident_order(&((const struct checked_table *)a)->destination,
	    &((const struct checked_table *)b)->destination);
}

static bool
refuse_duplicate(const struct table_ident *t, const char *what, struct err *err)
{
	char text[IDENT_TEXT_MAX];

	ident_format(t->schema, t->name, text);
	err_set(err, ERR_INVALID, "%s table %s is mapped more than once", what, text);
	err_subject(err, text);
	return false;
}

static bool
check_duplicates(struct checked_table *t, size_t n, struct err *err)
{
	qsort(t, n, sizeof(*t), order_by_source);
	for (size_t i = 1; i < n; i++)
		if (ident_equal(&t[i - 1].source, &t[i].source))
			return refuse_duplicate(&t[i].source, "source", err);
	qsort(t, n, sizeof(*t), order_by_destination);
	for (size_t i = 1; i < n; i++)
		if (ident_equal(&t[i - 1].destination, &t[i].destination))
			return refuse_duplicate(&t[i].destination, "destination", err);
	return true;
}

/*
 * Decimal(38, 10), DateTime64(6, 'America/Port-au-Prince'). It ends up in a
 * statement: between quotes there is nothing that could end or escape them.
 */
static bool
is_type_text(const char *s)
{
	bool quoted = false;

	if (s[0] != '\0' && !isalpha((unsigned char)s[0]))
		return false;
	for (; *s != '\0'; s++) {
		if (*s == '\'')
			quoted = !quoted;
		else if (!isalnum((unsigned char)*s) &&
		    strchr(quoted ? "_/+-" : "(), ", *s) == NULL)
			return false;
	}
	return !quoted;
}

static bool
check_columns(const PeerdbFlow__TableMapping *tm, struct err *err)
{
	for (size_t i = 0; i < tm->n_columns; i++) {
		const PeerdbFlow__ColumnSetting *col = tm->columns[i];

		if (col->source_name[0] == '\0')
			return err_set(err, ERR_INVALID, "a column of table %s has no source_name",
			    tm->source_table_identifier);
		if (!is_type_text(col->destination_type))
			return err_set(err, ERR_INVALID,
			    "destination_type \"%s\" of column \"%s\" is not a type",
			    col->destination_type, col->source_name);
	}
	return true;
}

static bool
check_table(const PeerdbFlow__TableMapping *tm, struct checked_table *t_r, struct err *err)
{
	return ident_parse_table(tm->source_table_identifier, &t_r->source, err) &&
	    ident_parse_target(tm->destination_table_identifier, &t_r->destination, err) &&
	    check_columns(tm, err);
}

static bool
check_tables(const mirror_config_t *c, struct err *err)
{
	struct checked_table *t;
	bool ok = true;

	if (c->n_table_mappings == 0)
		return err_set(err, ERR_INVALID, "table_mappings needs at least one table");
	t = xcalloc(c->n_table_mappings, sizeof(*t));
	for (size_t i = 0; ok && i < c->n_table_mappings; i++)
		ok = check_table(c->table_mappings[i], &t[i], err);
	ok = ok && check_duplicates(t, c->n_table_mappings, err);
	free(t);
	return ok;
}

bool
mirror_check_destinations(const mirror_config_t *c, int peer_type, struct err *err)
{
	struct table_ident ignored;

	if (peer_type != PEERDB_PEERS__DBTYPE__POSTGRES)
		return true;
	for (size_t i = 0; i < c->n_table_mappings; i++)
		if (!ident_parse_table(c->table_mappings[i]->destination_table_identifier, &ignored,
			err))
			return false;
	return true;
}

/* ---- options */

static bool
check_options(const mirror_config_t *c, struct err *err)
{
	if (!c->has_do_initial_snapshot) {
		err_set(err, ERR_INVALID, "do_initial_snapshot is required");
		return err_hint(err,
		    "true copies the rows there are, false only what changes from now on");
	}
	if (c->initial_snapshot_only && !c->do_initial_snapshot)
		return err_set(err, ERR_INVALID,
		    "initial_snapshot_only needs do_initial_snapshot to be true");
	if (c->resync && !c->do_initial_snapshot)
		return err_set(err, ERR_INVALID, "resync needs do_initial_snapshot to be true");
	if (c->script[0] != '\0')
		return err_set(err, ERR_UNIMPLEMENTED,
		    "scripts are not available in this version of peerd");
	return true;
}

bool
mirror_check(const mirror_config_t *config, struct err *err)
{
	return check_names(config, err) && check_tables(config, err) && check_options(config, err);
}
