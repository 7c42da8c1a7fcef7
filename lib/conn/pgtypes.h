/*
 * pgtypes - the source's own types, made to exist on the destination
 *
 * Columns keep their real types, so before a table is created every enum,
 * domain, composite and range it uses must be there under the same qualified
 * name, and the extensions whose types it uses. pgtypes_copy() walks from the
 * columns to all types they are made of and creates what is missing, schemas
 * included, in one transaction of the destination (pgtxn.h). Several mirrors
 * may do so at once: an advisory lock orders them.
 *
 * What exists already is kept: same name and kind are demanded, missing enum
 * labels are added in place, a composite must have the same attributes.
 * Collations of the user's own are not copied; where the destination lacks one
 * the type is created without it.
 *
 * Errors: ERR_CONFIG naming type and column, with the next step, for what
 * cannot be made; else as pgconn.h.
 */
#ifndef PEERD_CONN_PGTYPES_H
#define PEERD_CONN_PGTYPES_H

#include <stdbool.h>
#include <stddef.h>

#include "protos/worker.pb-c.h"

struct err;
struct pgconn;

bool pgtypes_copy(struct pgconn *src, struct pgconn *dst, PeerdWorker__MirrorTable *const *tables,
    size_t ntables, struct err *err);

/* Whether the database has a collation of this name ("pg_catalog.\"C\"") for its encoding. */
bool pgtypes_has_collation(struct pgconn *c, const char *qualified, bool *yes_r, struct err *err);

/* CREATE SCHEMA unless it exists; looking first, for it may exist and we lack the right to create.
 */
bool pgtypes_make_schema(struct pgconn *c, const char *schema, struct err *err);

#endif
