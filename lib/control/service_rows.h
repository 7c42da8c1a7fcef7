/*
 * service_rows - rows of the catalog as messages of the API
 *
 * Everything is made in the arena given; texts are copied, so the rows may go.
 */
#ifndef PEERD_CONTROL_SERVICE_ROWS_H
#define PEERD_CONTROL_SERVICE_ROWS_H

#include "catalog/catalog.h"
#include "protos/route.pb-c.h"

struct arena;
struct mirror;

/* NULL for 0. */
Google__Protobuf__Timestamp *rows_timestamp(struct arena *a, usec_t us);

/* reverse: the last row first. */
PeerdbRoute__CDCBatch **rows_batches(struct arena *a, const struct catalog_batch *rows, size_t n,
    bool reverse);

/* m says what is under way in tables that are not finished; NULL gives NULL. */
PeerdbRoute__CloneTableSummary **rows_clones(struct arena *a, struct mirror *m,
    const struct catalog_load_table *rows, size_t n);

PeerdbRoute__CDCRowCounts *rows_counts(struct arena *a, int64_t inserts, int64_t updates,
    int64_t deletes);

#endif
