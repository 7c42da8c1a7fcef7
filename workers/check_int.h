/*
 * check_int - shared by the check files only
 */
#ifndef PEERD_WORKERS_CHECK_INT_H
#define PEERD_WORKERS_CHECK_INT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/conn/pginfo.h"
#include "lib/types/ident.h"
#include "workers/check.h"

#define CHECK_TEXT_MAX (16u << 20) /* the names of a mirror's tables as one parameter */

/* The relids of the tables as an array literal. */
const char *check_array_relids(struct buf *b, const PeerdWorker__SetupDone *tables);

/* Is the source's column one of those that are mirrored? */
bool check_is_mirrored(const PeerdWorker__MirrorTable *t, const char *column);

/* check_publication.c: what carries the changes */
bool check_publication(const struct check *ck, const struct pginfo_server *s,
    const PeerdWorker__SetupDone *tables, struct err *err);
bool check_slot(const struct check *ck, const struct pginfo_server *s, struct err *err);

#endif
