/*
 * What can be said of a peer without changing anything on the server.
 */
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "lib/conn/chclient_int.h"

static bool
no_right(struct chclient *c, const char *why, struct err *err)
{
	err_set(err, ERR_CONFIG, "the peer's user may not write to database \"%s\": %s",
	    c->database, why);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "42501");
	return err_hint(err,
	    "grant it SELECT, INSERT, ALTER, CREATE TABLE, DROP TABLE and TRUNCATE there");
}

static bool
check_database(struct chclient *c, struct arena *a, struct err *err)
{
	struct ch_rows rows = { .nrows = 0 };
	struct buf sql;
	bool ok;

	if (strcmp(c->database, "system") == 0 ||
	    strcasecmp(c->database, "information_schema") == 0)
		return err_set(err, ERR_CONFIG, "database \"%s\" is the server's own", c->database);
	buf_init(&sql, MIB);
	buf_str_add(&sql, "SELECT name FROM system.databases WHERE name = ");
	ch_literal(&sql, slice_str(c->database));
	ok = chclient_query(c, a, buf_str(&sql), &rows, err);
	buf_done(&sql);
	if (ok && rows.nrows > 0)
		return true;
	if (!ok && strcmp(err->sqlstate, "3D000") != 0)
		return false;
	err_set(err, ERR_CONFIG, "database \"%s\" does not exist", c->database);
	snprintf(err->sqlstate, sizeof(err->sqlstate), "3D000");
	return err_hint(err, "create it with CREATE DATABASE, or name another one");
}

/* Settings of the session that forbid what we do; values that allow it. */
static bool
check_settings(struct chclient *c, struct arena *a, struct err *err)
{
	static const struct {
		const char *name, *wanted, *words;
	} wants[] = {
		{ "allow_ddl", "1", "its profile forbids DDL (setting allow_ddl)" },
		{ "readonly", "0", "its profile is read-only (setting readonly)" },
	};
	struct ch_rows rows;

	if (!chclient_query(c, a,
		"SELECT name, value FROM system.settings"
		" WHERE name IN ('allow_ddl', 'readonly') ORDER BY name",
		&rows, err))
		return false;
	for (size_t i = 0; i < rows.nrows; i++)
		for (size_t k = 0; k < sizeof(wants) / sizeof(wants[0]); k++)
			if (strcmp(ch_cell_str(&rows, i, 0), wants[k].name) == 0 &&
			    strcmp(ch_cell_str(&rows, i, 1), wants[k].wanted) != 0)
				return no_right(c, wants[k].words, err);
	return true;
}

/* ---- grants: "GRANT SELECT, INSERT(a, b), CREATE TABLE ON db.* TO u", or of a role */

/* Whether the list before ON has the right, or one that includes it. */
static bool
list_has(const char *list, size_t n, const char *right)
{
	size_t first = strcspn(right, " "), len;
	const char *end = list + n;

	for (; list < end; list += len) {
		list += strspn(list, ", ");
		len = strcspn(list, ",(");
		if (list + len > end)
			len = (size_t)(end - list);
		if ((len == 3 && memcmp(list, "ALL", 3) == 0) ||
		    (len == strlen(right) && memcmp(list, right, len) == 0) ||
		    (len == first && memcmp(list, right, first) == 0))
			return true;
		if (list[len] == '(')
			len += strcspn(list + len, ")") + 1;
	}
	return false;
}

/* Whether what stands after ON is about the database: *.*, db.t, `db`.*, d*.* */
static bool
is_about(const char *target, const char *database)
{
	size_t n;

	if (target[0] == '`')
		target++;
	n = strcspn(target, "*`. ");
	return strncmp(target, database, n) == 0 && (target[n] == '*' || database[n] == '\0');
}

static bool
is_granted(const struct ch_rows *rows, const char *database, const char *right)
{
	const char *line, *on;

	for (size_t i = 0; i < rows->nrows; i++) {
		line = ch_cell_str(rows, i, 0);
		on = strstr(line, " ON ");
		if (!str_starts(line, "GRANT "))
			continue;
		if (on == NULL) /* a role: who knows what it may */
			return true;
		line += strlen("GRANT ");
		if (list_has(line, (size_t)(on - line), right) && is_about(on + 4, database))
			return true;
	}
	return false;
}

/* Grants on some tables only pass: they may be those of the mirror. */
static bool
check_grants(struct chclient *c, struct arena *a, struct err *err)
{
	static const char *const rights[] = { "SELECT", "INSERT", "CREATE TABLE", "DROP TABLE" };
	struct err ignored = ERR_INIT;
	struct ch_rows rows;

	/* what cannot be asked is found out when tables are made */
	if (!c->caps.grants || !chclient_query(c, a, "SHOW GRANTS", &rows, &ignored))
		return true;
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if (!is_granted(&rows, c->database, rights[i]))
			return no_right(c, arena_printf(a, "it has no right to %s", rights[i]),
			    err);
	return true;
}

bool
chclient_check(struct chclient *c, struct err *err)
{
	struct arena *a = arena_new(16 * KIB);
	bool ok = check_database(c, a, err) && check_settings(c, a, err) && check_grants(c, a, err);

	arena_free(&a);
	return ok;
}
