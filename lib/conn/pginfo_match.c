#include "lib/conn/pginfo.h"

#include "lib/base/err.h"
#include "lib/conn/pgconn.h"

/*
 * The destination's columns. A built-in type is the same where its oid is the
 * same; a user's where its qualified name is.
 */
static const char query[] =
    "SELECT a.attname, a.atttypid, format_type(a.atttypid, NULL)"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped";

#define FIRST_LOCAL_OID 10000 /* from here on servers number types by themselves */

/* type_name has a modifier in parentheses or brackets of an array that the other lacks. */
static bool
same_type(const PeerdWorker__Column *c, uint32_t oid, const char *name)
{
	size_t n = strlen(name);

	if (c->type_oid < FIRST_LOCAL_OID || oid < FIRST_LOCAL_OID)
		return c->type_oid == oid;
	return strncmp(c->type_name, name, n) == 0 &&
	    (c->type_name[n] == '\0' || c->type_name[n] == '(');
}

static void
match_column(PeerdWorker__Column *c, const PGresult *res)
{
	for (int i = 0; i < PQntuples(res); i++)
		if (strcmp(pgcell(res, i, 0), c->destination_name) == 0 &&
		    !same_type(c, (uint32_t)pgcell_i64(res, i, 1), pgcell(res, i, 2)))
			c->binary = false;
}

bool
pginfo_match_destination(struct pgconn *dst, PeerdWorker__MirrorTable *t, struct err *err)
{
	PGresult *res;
	size_t i;

	res = pgconn_query(dst, err, query, 2, t->destination_schema, t->destination_name);
	if (res == NULL)
		return false;
	for (i = 0; i < t->n_columns; i++)
		match_column(t->columns[i], res);
	PQclear(res);
	return true;
}
