/*
 * json - cJSON for strangers' bytes
 *
 * cJSON forgives much: control characters, bad escapes, "\u0000" (which cuts
 * a string short), 01 and 1., bytes that are not UTF-8. json_parse() checks
 * the text strictly first, so that what reaches cJSON means the same to every
 * reader, and bounds its depth and its number of values.
 *
 * The tree is the caller's: cJSON_Delete().
 *
 * Errors: ERR_INVALID with the byte offset, counted from 0; ERR_TOO_LARGE.
 */
#ifndef PEERD_WIRE_JSON_H
#define PEERD_WIRE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

struct err;

/* Running out of memory shall end the process in cJSON too (mem.h). Any number of calls. */
void json_use_our_memory(void);

bool json_parse(const char *text, size_t n, cJSON **tree_r, struct err *err);

/* A string; what is not UTF-8 in it, as a server's message may be, becomes '?'. */
cJSON *json_text(const char *s);

#endif
