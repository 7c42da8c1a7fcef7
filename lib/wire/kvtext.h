/*
 * kvtext - keyword = value pairs in one string, as libpq reads them
 *
 *	host=db1 options = '-c statement_timeout=0' password='it\'s'
 *
 * Blanks separate pairs and may stand around the equals sign; a value with
 * blanks stands in single quotes; a backslash takes the next character as it
 * is.
 *
 * Errors: ERR_INVALID, never quoting the text, which may hold a secret.
 */
#ifndef PEERD_WIRE_KVTEXT_H
#define PEERD_WIRE_KVTEXT_H

#include <stdbool.h>

struct buf;
struct err;

/*
 * The next pair of *p, which moves past it. more_r says whether there was one.
 * key and value are the caller's and overwritten.
 */
bool kvtext_next(const char **p, struct buf *key, struct buf *value, bool *more_r, struct err *err);

#endif
