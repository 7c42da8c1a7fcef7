/*
 * drop - remove what a mirror left behind (TASK_DROP)
 *
 * On the source the slot and the publication, if they have their default
 * names; on the destination the mirror's rows in the metadata schema.
 * Destination tables stay. What is missing is fine, so a drop that was cut
 * short is simply repeated. config.skip_source_drop and skip_destination_drop
 * leave a side alone, without connecting to it.
 *
 * Errors: as pgconn.h; the side that failed is named.
 */
#ifndef PEERD_WORKERS_DROP_H
#define PEERD_WORKERS_DROP_H

#include <stdbool.h>

#include "protos/worker.pb-c.h"

struct err;
struct pgconn_interrupt;

bool drop_run(const PeerdWorker__Config *config, const struct pgconn_interrupt *intr,
    struct err *err);

#endif
