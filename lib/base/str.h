/*
 * str - numbers and names from text, checked
 *
 * Errors: ERR_INVALID naming what was expected. Outputs only on success.
 */
#ifndef PEERD_BASE_STR_H
#define PEERD_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* Decimal digits only (a leading '-' for i64), nothing before or after. */
bool str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *v_r, struct err *err);
bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *v_r, struct err *err);

/* true, t, 1, on and their opposites, in any case. */
bool str_to_bool(const char *s, bool *v_r);

/* Copy with truncation, always terminated; returns whether all of it fitted. */
bool str_copy(char *to, size_t size, const char *from);

bool str_starts(const char *s, const char *prefix);
bool str_utf8_valid(const char *s, size_t n);

/* Levenshtein distance, for "did you mean"; strings over 64 bytes count as far apart. */
unsigned str_distance(const char *a, const char *b);

/* Equal or not in time that depends only on the lengths: for passwords. */
bool str_equal_const_time(const char *a, const char *b);

#endif
