/*
 * table - a mirrored table as the data path needs it
 *
 * Built once from a MirrorTable of protos/worker.proto and kept in the
 * mirror's arena. Only columns that travel are in it: neither excluded ones
 * nor generated ones (the destination computes those itself).
 *
 * Keys are what changes are matched by. A table without one (REPLICA IDENTITY
 * FULL and no primary key) has nkeys == 0: its rows are matched whole.
 */
#ifndef PEERD_TYPES_TABLE_H
#define PEERD_TYPES_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/wire/lsn.h"
#include "protos/worker.pb-c.h"

struct column {
	const char *name;	 /* on the source */
	const char *destination; /* on the destination */
	const char *type_name;	 /* with modifier, qualified: usable in SQL */
	uint32_t type_oid;
	int32_t type_modifier;
	bool key;
};

struct table {
	uint32_t index; /* position in the mirror */
	relid_t relid;
	const char *source_schema, *source_name;
	const char *destination_schema, *destination_name; /* schema: "" where there is none */
	const char *destination_label; /* schema.table or table, as the mirror's mapping has it */
	const char *source_label;
	uint16_t ncols;
	struct column *cols;
	uint16_t nkeys;
	uint16_t *keys;			/* column indexes, in key order */
	bool binary;			/* every column may travel in binary form */
	bool stopped;			/* in error: its changes are left out */
	const char *error, *error_hint; /* why; empty while it goes on */
	const PeerdWorker__MirrorTable *def;
};

struct table *table_new(struct arena *mirror, uint32_t index, const PeerdWorker__MirrorTable *def);

/* From now on its changes are left out. The first reason is kept, in a. */
struct err;
void table_stop(struct arena *a, struct table *t, const struct err *why);

#endif
