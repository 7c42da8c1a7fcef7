/*
 * relmap - from a stream's relation ids to the mirror's tables
 *
 * The stream announces a relation before its first change and again whenever
 * its definition may have changed; every announcement is compared with the
 * table's columns. Bytes come from wire/pgoutput, meaning from types/table;
 * no I/O. Relations that the mirror does not have are remembered as ignored.
 *
 * A re-announcement reuses its entry.
 */
#ifndef PEERD_TYPES_RELMAP_H
#define PEERD_TYPES_RELMAP_H

#include "lib/types/row.h"
#include "lib/types/table.h"
#include "lib/wire/pgoutput.h"

struct relmap;
struct batch;

enum relmap_verdict {
	RELMAP_SAME,	      /* as known */
	RELMAP_IGNORED,	      /* not mirrored, or stopped */
	RELMAP_COLUMNS_ADDED, /* unknown columns: load the table anew, then relmap_remap() */
	RELMAP_MISMATCH,      /* a column went away or changed its type: err says which */
};

struct relmap *relmap_new(struct table **tables, uint32_t ntables);
void relmap_free(struct relmap **m);

enum relmap_verdict relmap_relation(struct relmap *m, const struct pgoutput_relation *rel,
    struct table **t_r, struct err *err);

/* The table's columns have been extended in place: map the stream's columns again. */
bool relmap_remap(struct relmap *m, const struct pgoutput_relation *rel, struct err *err);

/* The table of a relation; NULL: ignored. False: never announced (ERR_PROTOCOL). */
bool relmap_table(struct relmap *m, relid_t relid, struct table **t_r, struct err *err);

/*
 * Do its updates and deletes name rows by what the table is matched by? Not after
 * ALTER TABLE ... REPLICA IDENTITY. Call after relmap_table() for the same relid.
 */
bool relmap_identifies(struct relmap *m, relid_t relid);

/*
 * A tuple of that relation, of the change at lsn, as a row of its table. Call
 * after relmap_table() for the same relid.
 */
bool relmap_row(struct relmap *m, relid_t relid, const struct pgoutput_tuple *tuple, lsn_t lsn,
    struct arena *a, const struct row **row_r, struct err *err);

#endif
