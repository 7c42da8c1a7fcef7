#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/conn/pgconn.h"
#include "lib/conn/pgslot.h"
#include "workers/check_int.h"

#define PARTITION_ROOT_VERSION 130000 /* partitioned tables can be published as one */
#define FILTER_VERSION	       150000 /* publications can leave out rows and columns */

static void
add_table_names(struct buf *b, const PeerdWorker__SetupDone *tables)
{
	for (size_t i = 0; i < tables->n_tables; i++) {
		buf_str_add(b, i > 0 ? ", " : "");
		pgconn_qualified(b, tables->tables[i]->source_schema,
		    tables->tables[i]->source_name);
	}
}

/* hint: the statement that makes the publication this mirror needs. */
static bool
hint_create(const struct pginfo_server *s, const char *publication,
    const PeerdWorker__SetupDone *tables, const char *where, struct err *err)
{
	struct buf sql;

	buf_init(&sql, CHECK_TEXT_MAX);
	buf_str_add(&sql, "CREATE PUBLICATION ");
	pgconn_ident(&sql, publication);
	buf_str_add(&sql, " FOR TABLE ");
	add_table_names(&sql, tables);
	if (s->version >= PARTITION_ROOT_VERSION)
		buf_str_add(&sql, " WITH (publish_via_partition_root = true)");
	err_hint(err, "%s%s", buf_str(&sql), where);
	buf_done(&sql);
	return false;
}

static bool
check_partitioned(const struct pginfo_server *s, const PeerdWorker__SetupDone *tables,
    struct err *err)
{
	const PeerdWorker__MirrorTable *t;
	size_t i;

	for (i = 0; i < tables->n_tables; i++) {
		t = tables->tables[i];
		if (!t->partitioned || s->version >= PARTITION_ROOT_VERSION)
			continue;
		err_set(err, ERR_CONFIG,
		    "%s.%s is partitioned, which the source can publish from version 13 on",
		    t->source_schema, t->source_name);
		return err_hint(err, "upgrade the source, or mirror the partitions one by one");
	}
	return true;
}

/* ---- a publication of our own */

static const char not_owned_query[] =
    "SELECT format('%I.%I', n.nspname, c.relname), quote_ident(current_user)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid = ANY ($1::oid[]) AND NOT pg_has_role(c.relowner, 'USAGE')"
    " ORDER BY 1 LIMIT 1";

static bool
check_owner(const struct check *ck, const struct pginfo_server *s, const char *publication,
    const PeerdWorker__SetupDone *tables, struct err *err)
{
	struct buf relids;
	PGresult *res;
	bool ok;

	buf_init(&relids, CHECK_TEXT_MAX);
	res = pgconn_query(ck->src, err, not_owned_query, 1, check_array_relids(&relids, tables));
	buf_done(&relids);
	if (res == NULL)
		return false;
	ok = PQntuples(res) == 0;
	if (!ok) {
		err_set(err, ERR_CONFIG,
		    "role %s does not own %s, so it cannot create a publication for it",
		    pgcell(res, 0, 1), pgcell(res, 0, 0));
		hint_create(s, publication, tables,
		    "; as an owner of the tables, and give its name as publication_name", err);
	}
	PQclear(res);
	return ok;
}

static const char own_query[] =
    "SELECT puballtables, pg_has_role(pubowner, 'USAGE') FROM pg_publication WHERE pubname = $1";

/* One of our name may be there from an earlier mirror: it is made to fit, if that can be done. */
static bool
check_leftover(const struct check *ck, const char *publication, struct err *err)
{
	PGresult *res = pgconn_query(ck->src, err, own_query, 1, publication);
	bool ok = true;

	if (res == NULL)
		return false;
	if (PQntuples(res) > 0 && (pgcell_bool(res, 0, 0) || !pgcell_bool(res, 0, 1))) {
		ok = err_set(err, ERR_CONFIG, "publication \"%s\" already exists and %s",
		    publication,
		    pgcell_bool(res, 0, 0) ? "is for all tables" : "belongs to another role");
		err_hint(err, "DROP PUBLICATION \"%s\" on the source, or give a publication_name",
		    publication);
	}
	PQclear(res);
	return ok;
}

static bool
check_own(const struct check *ck, const struct pginfo_server *s, const char *publication,
    const PeerdWorker__SetupDone *tables, struct err *err)
{
	if (s->in_recovery) {
		err_set(err, ERR_CONFIG,
		    "the source is a standby, no publication can be created there");
		return hint_create(s, publication, tables,
		    "; on the primary, and give its name as publication_name", err);
	}
	if (!s->create_database) {
		err_set(err, ERR_CONFIG,
		    "role \"%s\" may not create a publication in database \"%s\"", s->role,
		    s->database);
		return err_hint(err, "GRANT CREATE ON DATABASE \"%s\" TO \"%s\"", s->database,
		    s->role);
	}
	return check_owner(ck, s, publication, tables, err) && check_leftover(ck, publication, err);
}

/* ---- a publication of the user's */

static const char given_query[] =
    "SELECT pubinsert AND pubupdate AND pubdelete, pubtruncate, %s FROM pg_publication"
    " WHERE pubname = $1";

static bool
check_operations(const struct check *ck, const struct pginfo_server *s, const char *publication,
    const PeerdWorker__SetupDone *tables, bool *via_root_r, struct err *err)
{
	bool found, complete, truncate;
	char query[256];
	PGresult *res;

	snprintf(query, sizeof(query), given_query,
	    s->version >= PARTITION_ROOT_VERSION ? "pubviaroot" : "false");
	res = pgconn_query(ck->src, err, query, 1, publication);
	if (res == NULL)
		return false;
	found = PQntuples(res) > 0;
	complete = found && pgcell_bool(res, 0, 0);
	truncate = found && pgcell_bool(res, 0, 1);
	*via_root_r = found && pgcell_bool(res, 0, 2);
	PQclear(res);
	if (!found) {
		err_set(err, ERR_CONFIG, "publication \"%s\" does not exist on the source",
		    publication);
		return hint_create(s, publication, tables, "", err);
	}
	if (complete && truncate)
		return true;
	err_set(err, ERR_CONFIG, "publication \"%s\" does not publish %s", publication,
	    complete ? "truncate" : "insert, update and delete");
	return err_hint(err,
	    "ALTER PUBLICATION \"%s\" SET (publish = 'insert, update, delete,"
	    " truncate')",
	    publication);
}

/*
 * One row a table, or one for each column that the publication leaves out.
 * %s and %s: what publications may leave out, by server version
 */
static const char members_query[] =
    "SELECT w.i - 1, p.tablename IS NOT NULL, %s FROM unnest($2::oid[]) WITH ORDINALITY w(oid, i)"
    " JOIN pg_class c ON c.oid = w.oid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_publication_tables p ON p.pubname = $1 AND p.schemaname = n.nspname"
    "  AND p.tablename = c.relname%s ORDER BY w.i";

static const char left_out_columns[] =
    " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " AND a.attgenerated = '' AND a.attname <> ALL (p.attnames)";

static PGresult *
query_members(const struct check *ck, const struct pginfo_server *s, const char *publication,
    const PeerdWorker__SetupDone *tables, struct err *err)
{
	bool can_filter = s->version >= FILTER_VERSION;
	struct buf relids;
	char query[1024];
	PGresult *res;

	buf_init(&relids, CHECK_TEXT_MAX);
	snprintf(query, sizeof(query), members_query,
	    can_filter ? "p.rowfilter, a.attname" : "NULL, NULL",
	    can_filter ? left_out_columns : "");
	res = pgconn_query(ck->src, err, query, 2, publication,
	    check_array_relids(&relids, tables));
	buf_done(&relids);
	return res;
}

static const PeerdWorker__MirrorTable *
row_table(const PGresult *res, int row, const PeerdWorker__SetupDone *tables)
{
	return tables->tables[pgcell_i64(res, row, 0)];
}

static const char *
row_name(const PGresult *res, int row, const PeerdWorker__SetupDone *tables, char *text)
{
	const PeerdWorker__MirrorTable *t = row_table(res, row, tables);

	return ident_format(t->source_schema, t->source_name, text);
}

/* A partitioned table counts as a member only when it is published under its own name. */
static bool
refuse_absent(const PGresult *res, const char *publication, const PeerdWorker__SetupDone *tables,
    bool via_root, struct err *err)
{
	char text[IDENT_TEXT_MAX];
	bool partitioned = false;
	struct buf names;
	int i;

	buf_init(&names, CHECK_TEXT_MAX);
	for (i = 0; i < PQntuples(res); i++) {
		if (pgcell_bool(res, i, 1))
			continue;
		partitioned |= row_table(res, i, tables)->partitioned;
		buf_printf(&names, "%s%s", names.n > 0 ? ", " : "", row_name(res, i, tables, text));
	}
	err_set(err, ERR_CONFIG, "tables are not in publication \"%s\": %s", publication,
	    buf_str(&names));
	if (partitioned && !via_root)
		err_hint(err,
		    "ALTER PUBLICATION \"%s\" SET (publish_via_partition_root = true);"
		    " and ADD TABLE what is not in it",
		    publication);
	else
		err_hint(err, "ALTER PUBLICATION \"%s\" ADD TABLE %s", publication,
		    buf_str(&names));
	buf_done(&names);
	err_reason(err, "TABLES_NOT_IN_PUBLICATION");
	err_subject(err, publication);
	for (i = 0; i < PQntuples(res); i++)
		if (!pgcell_bool(res, i, 1))
			err_subject(err, row_name(res, i, tables, text));
	return false;
}

static bool
check_left_out(const PGresult *res, int row, const char *publication,
    const PeerdWorker__SetupDone *tables, struct err *err)
{
	char text[IDENT_TEXT_MAX];
	const char *name = row_name(res, row, tables, text);

	if (!PQgetisnull(res, row, 2)) {
		err_set(err, ERR_CONFIG, "publication \"%s\" leaves out rows of %s", publication,
		    name);
		return err_hint(err, "publish the table without WHERE");
	}
	if (PQgetisnull(res, row, 3) ||
	    !check_is_mirrored(row_table(res, row, tables), pgcell(res, row, 3)))
		return true;
	err_set(err, ERR_CONFIG, "publication \"%s\" leaves out column \"%s\" of %s", publication,
	    pgcell(res, row, 3), name);
	return err_hint(err, "publish the column, or exclude it from the mirror");
}

static bool
check_members(const struct check *ck, const struct pginfo_server *s, const char *publication,
    const PeerdWorker__SetupDone *tables, bool via_root, struct err *err)
{
	PGresult *res = query_members(ck, s, publication, tables, err);
	bool ok = true;
	int i;

	if (res == NULL)
		return false;
	for (i = 0; ok && i < PQntuples(res); i++)
		if (!pgcell_bool(res, i, 1))
			ok = refuse_absent(res, publication, tables, via_root, err);
	for (i = 0; ok && i < PQntuples(res); i++)
		ok = check_left_out(res, i, publication, tables, err);
	PQclear(res);
	return ok;
}

bool
check_publication(const struct check *ck, const struct pginfo_server *s,
    const PeerdWorker__SetupDone *tables, struct err *err)
{
	struct arena *a = arena_new(1024);
	const char *publication = pgslot_publication(a, ck->mirror);
	bool via_root = false, ok;

	ok = check_partitioned(s, tables, err);
	if (ok && pgslot_publication_is_ours(ck->mirror))
		ok = check_own(ck, s, publication, tables, err);
	else if (ok)
		ok = check_operations(ck, s, publication, tables, &via_root, err) &&
		    check_members(ck, s, publication, tables, via_root, err);
	arena_free(&a);
	return ok;
}

/* ---- the slot */

static bool
check_slot_name(const char *slot, struct err *err)
{
	size_t n = strlen(slot);

	if (n <= IDENT_MAX && slot[strspn(slot, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0')
		return true;
	err_set(err, ERR_INVALID, "replication slot name \"%s\" is not valid", slot);
	return err_hint(err, "use at most %d lower case letters, digits and underscores",
	    IDENT_MAX);
}

static bool
check_slot_exists(const struct check *ck, const char *slot, const struct pgslot_state *st,
    struct err *err)
{
	if (ck->again && pgslot_name_is_ours(ck->mirror))
		return true;
	if (pgslot_name_is_ours(ck->mirror)) {
		err_set(err, ERR_CONFIG, "replication slot \"%s\" already exists on the source",
		    slot);
		return err_hint(err,
		    "if nothing else uses it: SELECT pg_drop_replication_slot('%s');"
		    " otherwise give another replication_slot_name",
		    slot);
	}
	if (!pgslot_usable(slot, st, err))
		return false;
	if (st->active_pid == 0 || ck->again)
		return true;
	err_set(err, ERR_CONFIG, "replication slot \"%s\" is in use by process %d of the source",
	    slot, st->active_pid);
	return err_hint(err, "stop its reader, or give another replication_slot_name");
}

static bool
check_slot_free(const struct pginfo_server *s, struct err *err)
{
	if (s->replication_slots < s->max_replication_slots)
		return true;
	err_set(err, ERR_CONFIG, "all %d replication slots of the source are in use",
	    s->max_replication_slots);
	return err_hint(err,
	    "ALTER SYSTEM SET max_replication_slots = %d, then restart the source;"
	    " or drop one of: SELECT slot_name FROM pg_replication_slots WHERE NOT active",
	    s->max_replication_slots + 10);
}

bool
check_slot(const struct check *ck, const struct pginfo_server *s, struct err *err)
{
	struct arena *a = arena_new(1024);
	const char *slot = pgslot_name(a, ck->mirror);
	struct pgslot_state st;
	bool ok;

	ok = check_slot_name(slot, err) && pgslot_read(ck->src, slot, &st, err) &&
	    (st.exists ? check_slot_exists(ck, slot, &st, err) : check_slot_free(s, err));
	arena_free(&a);
	return ok;
}
