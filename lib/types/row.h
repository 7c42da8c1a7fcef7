/*
 * row - one row image, as bytes
 *
 * data holds the table's columns in table order, each as a big-endian length
 * and that many bytes: exactly the body of a binary COPY row, so a row whose
 * values are in binary form goes to COPY verbatim. Two lengths are special:
 * ROW_NULL and ROW_UNCHANGED (an unchanged TOAST value that the source did
 * not send). In a text row every value is followed by a NUL that its length
 * does not count, so that values serve as C strings.
 *
 * Rows live in a batch's arena and are never changed once built.
 */
#ifndef PEERD_TYPES_ROW_H
#define PEERD_TYPES_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/slice.h"
#include "lib/wire/lsn.h"

#define ROW_NULL      0xffffffffu
#define ROW_UNCHANGED 0xfffffffeu

struct row {
	lsn_t lsn;	    /* WAL position of the change that brought it; 0: none. For one key
			     * it ascends in commit order, but for an INSERT that waited for a
			     * DELETE of its key to commit */
	uint32_t size;	    /* bytes of data */
	uint16_t unchanged; /* columns that are ROW_UNCHANGED */
	bool text;
	uint8_t data[];
};

/* One value while a row is being built or read. */
struct row_value {
	uint32_t len; /* or ROW_NULL, ROW_UNCHANGED */
	const uint8_t *p;
};

struct table;

struct row *row_new(struct arena *a, lsn_t lsn, const struct row_value *values, uint16_t ncols,
    bool text);

/* Read the next value; *at starts at row->data. */
static inline struct row_value
row_next(const struct row *r, const uint8_t **at)
{
	struct row_value v;

	memcpy(&v.len, *at, 4);
	v.len = __builtin_bswap32(v.len);
	v.p = *at + 4;
	*at += 4;
	if (v.len < ROW_UNCHANGED)
		*at += v.len + (r->text ? 1 : 0);
	return v;
}

/* All values of a row, in table order. */
void row_values(const struct row *r, uint16_t ncols, struct row_value *values_r);

/* The key's bytes: length and value of each key column. The hash and the comparison agree. */
uint64_t row_key_hash(const struct table *t, const struct row *r);
int row_key_compare(const struct table *t, const struct row *a, const struct row *b);

/* newer, with its unchanged values taken from older (which may leave some unchanged too). */
struct row *row_merge(struct arena *a, const struct table *t, const struct row *older,
    const struct row *newer);

/* Has every key column a value? */
bool row_has_key(const struct table *t, const struct row *r);

/*
 * new, with the key's values that were not sent (unchanged TOAST) taken from
 * old, which is NULL or has at least the key; NULL when they are nowhere.
 */
const struct row *row_complete_key(struct arena *a, const struct table *t, const struct row *old,
    const struct row *new);

#endif
