/*
 * mirror_counts - changes applied, by destination table, since peerd started
 *
 * For the metrics; what has to last is in the catalog. NULL is an empty one.
 */
#ifndef PEERD_CONTROL_MIRROR_COUNTS_H
#define PEERD_CONTROL_MIRROR_COUNTS_H

#include <stddef.h>
#include <stdint.h>

struct catalog_counts;
struct mirror_counts;

void mirror_counts_add(struct mirror_counts **counts, const struct catalog_counts *batch,
    size_t ntables);
void mirror_counts_free(struct mirror_counts **counts);

/* fn with each table's sums; borrowed until it returns. */
void mirror_counts_each(const struct mirror_counts *counts,
    void (*fn)(void *arg, const struct catalog_counts *sums), void *arg);

#endif
