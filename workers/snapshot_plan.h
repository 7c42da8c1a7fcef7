/*
 * snapshot_plan - how tables are cut into partitions
 *
 * Pure. A partition is a range of blocks of one relation (the table itself or
 * a leaf of it), about as many rows as asked for; the last one of a relation
 * is open-ended, so that rows beyond the size seen when planning are in it
 * too. An empty relation has one partition like any other.
 */
#ifndef PEERD_WORKERS_SNAPSHOT_PLAN_H
#define PEERD_WORKERS_SNAPSHOT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

/* Partitions of one relation at most: above, each gets more rows than asked for. */
#define SNAPSHOT_PARTITIONS_MAX 1000

/*
 * Blocks per partition. rows < 0: unknown, then a partition has as many
 * blocks as rows_wanted rows of an average width would fill. ranges: whether the source
 * can read a block range without reading the whole table (Postgres 14 on).
 */
int64_t snapshot_blocks_per_partition(int64_t blocks, int64_t rows, int64_t rows_wanted,
    bool ranges);

/*
 * A little smaller, so that `workers` at a time come out even: a partition
 * left over would be read by one worker while the others wait. One partition stays one.
 */
int64_t snapshot_even_out(int64_t blocks, int64_t per, int64_t workers);

/* The condition of one partition, "" for all of the relation; to < 0: open-ended. */
void snapshot_where(int64_t from_block, int64_t to_block, char *to, unsigned size);

#endif
