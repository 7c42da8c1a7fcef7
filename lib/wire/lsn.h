/*
 * lsn - a position in a source's write-ahead log
 *
 * 64 bits, shown the way Postgres does: two hexadecimal halves, "16/B374D848".
 * 0 (LSN_INVALID) means "none". Source: src/include/access/xlogdefs.h.
 */
#ifndef PEERD_WIRE_LSN_H
#define PEERD_WIRE_LSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t lsn_t;
typedef uint32_t relid_t; /* pg_class.oid of the source */

#define LSN_INVALID  ((lsn_t)0)
#define LSN_TEXT_MAX 20 /* "FFFFFFFF/FFFFFFFF" and its NUL, rounded up */

struct lsn_text {
	char s[LSN_TEXT_MAX];
	size_t n; /* without its NUL */
};

/* lsn_str(l) lives until the end of the enclosing block: for printf arguments. */
#define lsn_str(lsn) (lsn_format(lsn).s)
struct lsn_text lsn_format(lsn_t lsn);

/* False (and *lsn_r untouched) unless the whole of s is an LSN. */
bool lsn_parse(const char *s, lsn_t *lsn_r);

#endif
