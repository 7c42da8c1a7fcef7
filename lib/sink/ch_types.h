/*
 * ch_types - what a Postgres column becomes in ClickHouse
 *
 * One table (ch_types.c) says for every Postgres type which family it belongs
 * to and which ClickHouse type it gets; docs/clickhouse.md shows the same
 * table, and a test compares them. A server that lacks a type (struct
 * ch_caps) gets the next best exact one, in the end String.
 *
 *	ch_options_from()	once a mirror
 *	ch_table_new()		once a table: names, types, order of the key
 *	ch_column_bind()	when the table exists already with another type
 *
 * Then a column has its encoder (ch_encode.h) and its text (ch_ddl.h).
 *
 * NULL: a column that may be NULL on the source is Nullable(T), elements of
 * arrays are always. Arrays cannot be Nullable in ClickHouse, so a NULL array
 * is a value that does not fit. What happens to values that do not fit is
 * ch_options.lossy_null.
 *
 * Errors: ERR_INVALID for a setting that is not understood; ERR_CONFIG for a
 * type that cannot hold what the source column holds.
 */
#ifndef PEERD_SINK_CH_TYPES_H
#define PEERD_SINK_CH_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/types/table.h"
#include "protos/flow.pb-c.h"
#include "protos/peers.pb-c.h"

struct err;
struct ch_caps; /* lib/conn/chcaps.h */
struct ch_codec;
struct ch_pg_type;

/* ---- settings of a mirror, from its env */

enum ch_binary_format {
	CH_BINARY_RAW,
	CH_BINARY_HEX,
	CH_BINARY_BASE64
};

struct ch_options {
	bool lossy_null;	/* what does not fit becomes NULL or the default; else an error */
	bool nullable;		/* columns follow the source's nullability; else NULL -> default */
	bool numeric_as_string; /* numeric without precision is String */
	bool json_type;		/* json and jsonb are JSON where the server has it */
	bool source_schema;	/* a column _peerdb_source_schema, first in the key */
	bool time64;		/* time is Time64 where the server has it */
	bool keep_rows;		/* a load adds to the rows that a table has that was found */
	enum ch_binary_format binary; /* of bytea */
	uint64_t flush_seconds;	      /* how long changes are gathered for an insert */
};

bool ch_options_from(const PeerdbFlow__FlowConnectionConfigs *mirror, struct ch_options *opt_r,
    struct err *err);

/* ---- ClickHouse types */

enum ch_kind {
	CH_BOOL,
	CH_INT,
	CH_UINT,
	CH_FLOAT,
	CH_DECIMAL,
	CH_STRING,
	CH_FIXED_STRING,
	CH_UUID,
	CH_DATE,
	CH_DATE32,
	CH_DATETIME,
	CH_DATETIME64,
	CH_TIME64,
	CH_JSON
};

struct ch_type {
	enum ch_kind kind;
	uint8_t width;	   /* bytes of a value, 0: it carries its length */
	uint8_t precision; /* Decimal: digits; DateTime64, Time64: digits of a second */
	uint8_t scale;	   /* Decimal */
	uint8_t dims;	   /* how many Array() are around it */
	bool nullable;	   /* of an array: the elements */
	bool low_cardinality;
	uint32_t length; /* FixedString */
	char zone[40];	 /* DateTime, DateTime64; may be empty */
};

/* Room for any ch_type_format(). */
#define CH_TYPE_TEXT_MAX 256

/* False: not a type that peerd writes (ERR_CONFIG naming it). */
bool ch_type_parse(const char *text, struct ch_type *t_r, struct err *err);
const char *ch_type_format(const struct ch_type *t, char *to); /* to: CH_TYPE_TEXT_MAX */

/* ---- columns and tables */

/* A Postgres type as the encoder sees it, domains and arrays taken off. */
struct ch_source {
	const struct ch_pg_type *type; /* row of the table in ch_types.c */
	int32_t modifier;
	uint8_t dims;	/* of an array as declared, at least 1; 0: no array */
	char delimiter; /* between an array's elements in text */
};

struct ch_column {
	const PeerdWorker__Column *def;
	const char *name; /* in ClickHouse */
	struct ch_source source;
	struct ch_type type;
	const struct ch_options *opt;
	const struct ch_caps *caps;
	const struct ch_codec *codec; /* how a value, or an array's element, is written */
	const struct ch_codec *words; /* how it is written for people, in messages */
	uint64_t *cleared;	      /* values that did not fit and were replaced, if not NULL */
	/* what the codec needs at hand: limits and factors */
	int64_t min, max, offset;
	int64_t multiply, divide;
};

/* Where tables live: from the peer. */
struct ch_place {
	const char *database;
	const char *cluster; /* "" */
	bool replicated;
};

struct ch_table {
	const struct table *t;
	const PeerdbFlow__TableMapping *map;
	const struct ch_options *opt;
	const struct ch_caps *caps;
	struct ch_place place;
	const char *name;	/* bare table name in place.database */
	struct ch_column *cols; /* t->ncols of them, in table order */
	uint16_t norder;
	uint16_t *order; /* columns of ORDER BY: key, or columns[].ordering and then key */
	const char *synced_column; /* NULL: none */
	const char *deleted_column;
	const char *schema_column; /* NULL: none */
	PeerdbFlow__TableEngine engine;
	uint64_t cleared; /* see ch_column.cleared */
};

#define CH_VERSION_COLUMN "_peerdb_version"

/* What a struct ch_table is made from; everything is borrowed and outlives the table. */
struct ch_table_config {
	const PeerdbFlow__FlowConnectionConfigs *mirror;
	const struct ch_options *opt;
	const struct ch_caps *caps;
	struct ch_place place;
};

bool ch_table_new(struct arena *a, const struct ch_table_config *cfg, const struct table *t,
    struct ch_table **ct_r, struct err *err);

/* set: the mapping's settings for the column, or NULL. */
bool ch_column_init(struct ch_column *c, const PeerdWorker__Column *def,
    const PeerdbFlow__ColumnSetting *set, const struct ch_options *opt, const struct ch_caps *caps,
    struct err *err);

/* Encode for this type instead of the one that was chosen: the table exists with it. */
bool ch_column_bind(struct ch_column *c, const char *type_text, struct err *err);

/*
 * Has the column's type a binary decoder? If not its values must come as text:
 * in the snapshot's SELECT as ch_column_select() writes it, and in the stream
 * of changes as a whole.
 */
bool ch_column_binary_ok(const PeerdWorker__Column *def);

/* The column in the source's SELECT list, as binary COPY shall carry it. */
void ch_column_select(const struct ch_column *c, struct buf *sql);

/*
 * The table's name in ClickHouse: the mapping's identifier is one bare name,
 * "public.t" included. to holds CH_NAME_MAX + 1 bytes.
 */
#define CH_NAME_MAX 200
bool ch_table_name(const PeerdWorker__MirrorTable *def, char *to, struct err *err);

/* The column that is 1 in the row a DELETE leaves. */
const char *ch_deleted_column(struct arena *a, const PeerdbFlow__FlowConnectionConfigs *mirror);

/* ---- the mapping as a table, for docs and tests */

struct ch_mapping {
	const char *postgres;	/* as people write it */
	const char *clickhouse; /* on a current server */
	bool binary;
};

/* The i-th row; false after the last. */
bool ch_mapping_at(unsigned i, struct ch_mapping *m_r);

#endif
