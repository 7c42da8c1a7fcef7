/*
 * migrations - the schema of the catalog, step by step
 *
 * Step N takes a database of version N-1 to version N; the version is SQLite's
 * user_version. A step that has been released never changes: add a file
 * migrations/NNN_name.c and a row to the table in migrations.c instead. Each
 * step runs in a transaction of its own, so a crash leaves a whole version.
 */
#ifndef PEERD_CATALOG_MIGRATIONS_H
#define PEERD_CATALOG_MIGRATIONS_H

#include <stdbool.h>

struct err;
struct sqlite3;

extern const char catalog_migration_001[];

/* The version this program works with. */
int catalog_schema_version(void);

/* CONFIG when the database is newer than that, or not a catalog at all. */
bool catalog_migrate(struct sqlite3 *db, struct err *err);

#endif
