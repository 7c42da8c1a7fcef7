/*
 * engine - what ClickHouse takes when nobody stands before it
 *
 * engine_take_rows() fetches the rows that a mirror has just left in its
 * table, as RowBinary; engine_insert_rows() inserts them from memory, in one
 * request, into an empty table of the same definition.
 */
#ifndef PEERD_BENCH_ENGINE_H
#define PEERD_BENCH_ENGINE_H

#include <stdint.h>

#include "lib/base/buf.h"

struct clickhouse;

struct engine_rows {
	struct buf bytes;
	int64_t count; /* at most a million: the time is then that of a part */
};

void engine_take_rows(const struct clickhouse *c, const char *table, struct engine_rows *rows_r);
void engine_insert_rows(const struct clickhouse *c, const struct engine_rows *rows);
void engine_drop_rows(struct engine_rows *rows);

/* INSERT of a whole body into a table; fails unless `rows` rows were written. */
void engine_insert(const struct clickhouse *c, const char *table, const char *format,
    struct slice body, const char *header, int64_t rows);

#endif
