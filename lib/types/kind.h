/*
 * kind - the API's generic names for Postgres types ("int32", "array_string")
 *
 * Shown beside columns and used in type conversions; values are never carried
 * by kind. What has no kind of its own is "string" ("array_string").
 */
#ifndef PEERD_TYPES_KIND_H
#define PEERD_TYPES_KIND_H

#include <stdbool.h>

/* typname and typtype are pg_type's, of the element when array. */
const char *kind_of_postgres(const char *typname, char typtype, bool array);

#endif
