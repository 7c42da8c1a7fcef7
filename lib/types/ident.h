/*
 * ident - names of tables as people write them
 *
 * A table is named schema.table. A part may stand in double quotes (a quote
 * inside is doubled), and must when it contains a dot or begins with a quote;
 * otherwise a part is taken as it is: case, blanks and all. Two spellings of
 * one table (public.t, "public"."t") therefore give equal structs, and
 * ident_format() writes the shortest spelling that reads back the same.
 *
 * Not every destination has schemas: there a table may have one part only, and
 * its schema is empty.
 *
 * Errors: ERR_CONFIG naming the identifier and the form it should have.
 */
#ifndef PEERD_TYPES_IDENT_H
#define PEERD_TYPES_IDENT_H

#include <stdbool.h>

#include "lib/base/limits.h"

struct err;

struct table_ident {
	char schema[IDENT_MAX + 1];
	char name[IDENT_MAX + 1];
};

/* Room for any ident_format(): every byte of both parts doubled, quotes, a dot. */
#define IDENT_TEXT_MAX (4 * IDENT_MAX + 8)

bool ident_parse_table(const char *text, struct table_ident *t_r, struct err *err);
bool ident_parse_target(const char *text, struct table_ident *t_r, struct err *err); /* schema "" */
bool ident_equal(const struct table_ident *a, const struct table_ident *b);

/* to holds IDENT_TEXT_MAX bytes; returned for use in place. */
const char *ident_format(const char *schema, const char *name, char *to);

#endif
