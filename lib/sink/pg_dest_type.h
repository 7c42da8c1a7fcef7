/*
 * pg_dest_type - may values of one Postgres type go into a column of another?
 *
 * Pure. The same type fits, if its modifier is not narrower; so do varchar and
 * char into text and a small integer into a larger one. Nothing that would
 * change a value silently does, save an unbounded numeric into a bounded one,
 * where the user has said so by making the column.
 */
#ifndef PEERD_SINK_PG_DEST_TYPE_H
#define PEERD_SINK_PG_DEST_TYPE_H

#include <stdbool.h>
#include <stdint.h>

struct pg_type {
	uint32_t oid;
	int32_t modifier; /* -1: none */
	const char *name; /* format_type(), qualified; tells a user's types apart */
};

bool pg_type_fits(const struct pg_type *from, const struct pg_type *to);

#endif
