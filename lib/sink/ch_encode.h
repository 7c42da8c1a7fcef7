/*
 * ch_encode - Postgres values to ClickHouse's RowBinary
 *
 * One encoder for snapshot and stream: a value in Postgres' binary form and
 * the same value in text form give the same bytes. Nothing is allocated for a
 * value unless an array's element needs its escapes undone.
 *
 * RowBinary (all integers little-endian):
 *
 *	Nullable(T)		u8 1, or u8 0 and T
 *	LowCardinality(T)	T
 *	String, JSON		varint length, bytes
 *	Array(T)		varint count, T...
 *	Decimal(p, s)		integer of 4, 8, 16 or 32 bytes, value * 10^s
 *	Date u16 days, Date32 i32 days; DateTime u32 seconds; DateTime64(p),
 *	Time64(p) i64 ticks of 10^-p seconds; all since 1970-01-01
 *	UUID			two u64, high half first
 *	Bool			u8
 *
 * A row is its columns in table order, then (ch_ddl_insert() names them alike)
 * _peerdb_source_schema if there is one, the deleted flag, the version.
 *
 * out keeps what it held before when a call fails, except that it may have
 * overflowed: ask buf_overflowed() once for a whole chunk.
 *
 * Errors: ERR_DATA for a value that the type cannot hold, with the column, and
 * from ch_encode_row() the table and the row's key too; ERR_PROTOCOL for bytes
 * that are no value of the source's type.
 */
#ifndef PEERD_SINK_CH_ENCODE_H
#define PEERD_SINK_CH_ENCODE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/slice.h"
#include "lib/sink/ch_types.h"
#include "lib/types/row.h"

/* One value. v.len may be ROW_NULL but not ROW_UNCHANGED. */
bool ch_encode_value(const struct ch_column *c, struct row_value v, bool text, struct buf *out,
    struct err *err);

/* No value: NULL if the type has it, else its default. Never fails. */
void ch_encode_absent(const struct ch_column *c, struct buf *out);

/*
 * A row of the stream. In a deleted one a NULL stands for "not sent" and is
 * written as ch_encode_absent() does. No value may be ROW_UNCHANGED.
 */
bool ch_encode_row(const struct ch_table *ct, const struct row *r, uint64_t version, bool deleted,
    struct buf *out, struct err *err);

/* What ends a row, for who writes its columns one by one. */
void ch_encode_meta(const struct ch_table *ct, uint64_t version, bool deleted, struct buf *out);

/*
 * A row of the snapshot: the next one of binary COPY (u16 columns, values), its
 * columns as ch_column_select() has them. Header and trailer are the caller's
 * business. Version and flag are 0.
 */
bool ch_encode_copy_row(const struct ch_table *ct, struct rbuf *rows, struct buf *out,
    struct err *err);

#endif
