#include "catalog/migrations.h"

#include <sqlite3.h>

#include "catalog/sqlite_int.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

/* "prd1": marks a SQLite file as a catalog, so that no other is migrated by mistake. */
#define APPLICATION_ID 0x70726431

static const char *const migrations[] = {
	catalog_migration_001,
};

#define MIGRATIONS ((int)(sizeof(migrations) / sizeof(migrations[0])))

int
catalog_schema_version(void)
{
	return MIGRATIONS;
}

static bool
pragma_int(sqlite3 *db, const char *sql, int *v_r, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc;

	rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*v_r = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || sqlite_fail(db, err);
}

static bool
migrate_step(sqlite3 *db, int version, struct err *err)
{
	char *mark = xasprintf("PRAGMA user_version = %d; PRAGMA application_id = %d;", version,
	    APPLICATION_ID);
	bool ok;

	ok = sqlite_exec(db, "BEGIN IMMEDIATE", err) &&
	    sqlite_exec(db, migrations[version - 1], err) && sqlite_exec(db, mark, err) &&
	    sqlite_exec(db, "COMMIT", err);
	free(mark);
	if (ok)
		return true;
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return err_context(err, "migrating the catalog to version %d", version);
}

bool
catalog_migrate(sqlite3 *db, struct err *err)
{
	int version, application, tables;

	if (!pragma_int(db, "PRAGMA user_version", &version, err) ||
	    !pragma_int(db, "PRAGMA application_id", &application, err) ||
	    !pragma_int(db, "SELECT count(*) FROM sqlite_schema", &tables, err))
		return false;
	if (application != APPLICATION_ID && tables > 0) {
		err_set(err, ERR_CONFIG, "\"%s\" is not a catalog of peerd",
		    sqlite3_db_filename(db, "main"));
		return err_hint(err, "move it away, or give another --state-dir");
	}
	if (version > MIGRATIONS) {
		err_set(err, ERR_CONFIG,
		    "the catalog has schema version %d, this peerd knows up to %d", version,
		    MIGRATIONS);
		return err_hint(err,
		    "run the newer peerd again, or restore the backup of the "
		    "catalog made before the upgrade");
	}
	while (version < MIGRATIONS)
		if (!migrate_step(db, ++version, err))
			return false;
	return true;
}
