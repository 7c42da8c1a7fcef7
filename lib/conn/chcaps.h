/*
 * chcaps - what a ClickHouse server can do
 *
 * Known from its version alone, once a connection. Every choice that depends
 * on the server goes by one of these flags; version numbers stand in this list
 * and nowhere else. A release named here is one that surely has the feature;
 * the first that had it may be a little older.
 */
#ifndef PEERD_CONN_CHCAPS_H
#define PEERD_CONN_CHCAPS_H

#include <stdbool.h>

struct err;

/* The oldest server that peerd works with. */
#define CH_VERSION_MIN_YEAR    18
#define CH_VERSION_MIN_RELEASE 16

/* X(flag, year, release): from version year.release on */
#define CH_CAPS(X)                                                                    \
	X(low_cardinality, 19, 17)	/* LowCardinality without a setting */        \
	X(if_not_exists, 19, 17)	/* ALTER TABLE ADD COLUMN IF NOT EXISTS */    \
	X(nullable_key, 20, 12)		/* table setting allow_nullable_key */        \
	X(datetime64, 20, 3)		/* DateTime64(P) */                           \
	X(grants, 20, 8)		/* SHOW GRANTS */                             \
	X(exchange, 20, 12)		/* EXCHANGE TABLES; databases are Atomic */   \
	X(create_or_replace, 21, 2)	/* CREATE OR REPLACE TABLE */                 \
	X(optimize_on_insert, 21, 2)	/* setting optimize_on_insert */              \
	X(wide_numbers, 21, 11)		/* Int256, UInt256, Decimal256 (P to 76) */   \
	X(date32, 21, 11)		/* Date32 */                                  \
	X(async_insert, 21, 12)		/* setting async_insert, which we turn off */ \
	X(bool_type, 22, 1)		/* Bool */                                    \
	X(wide_dates, 22, 8)		/* Date32, DateTime64 from 1900 to 2299 */    \
	X(ephemeral, 22, 8)		/* EPHEMERAL columns, in RowBinary too */     \
	X(dedup_token, 22, 8)		/* insert_deduplication_token and */          \
					/* non_replicated_deduplication_window */     \
	X(is_deleted, 23, 3)		/* ReplacingMergeTree(version, is_deleted) */ \
	X(whole_body, 23, 3)		/* half a body is refused; LZ4 is read */     \
	X(drop_any_size, 23, 12)	/* setting max_table_size_to_drop */          \
	X(json, 25, 3)			/* JSON */                                    \
	X(coalescing_merge_tree, 25, 6) /* CoalescingMergeTree */                     \
	X(time64, 25, 6)		/* Time64, with enable_time_time64_type=1 */

struct ch_caps {
	char version[64]; /* as the server has it: "26.7.2.1" */
	unsigned year;
	unsigned release;
#define X(flag, year, release) bool flag;
	CH_CAPS(X)
#undef X
};

/*
 * From the server's version(). ERR_CONFIG when it is older than peerd works
 * with; ERR_PROTOCOL when it is no version.
 */
bool ch_caps_of(const char *version, struct ch_caps *caps_r, struct err *err);

#endif
