/*
 * text - numbers, bars and tables for people
 *
 * Everything is written into a buffer; whoever shows it decides where.
 */
#ifndef PEERD_CMD_PEERCTL_TEXT_H
#define PEERD_CMD_PEERCTL_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct buf;

#define TEXT_NUMBER 32 /* room for each of the next three */

const char *text_count(int64_t n, char to[TEXT_NUMBER]);     /* 1,234,567 */
const char *text_bytes(int64_t n, char to[TEXT_NUMBER]);     /* 1.2 MiB; "-" below 0 */
const char *text_duration(int64_t ms, char to[TEXT_NUMBER]); /* 0.1 s; "-" below 0 */

/* [#####---------------] for a fraction from 0 to 1 */
void text_add_bar(struct buf *out, double fraction);

/* s on one line and without what a terminal might obey. */
void text_add_clean(struct buf *out, const char *s);

/* Characters that s takes on a terminal, which is to say: code points. */
size_t text_width(const char *s);

#define TABLE_COLUMNS_MAX 10

/*
 * Rows of cells under headings, as wide as they need to be. A note is a line
 * of its own under the last row.
 */
struct table;

/* align: a letter a column, 'l' or 'r'. heads are borrowed. */
struct table *table_new(const char *align, const char *const *heads);
void table_free(struct table **t);
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_note(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_print(const struct table *t, struct buf *out);

#endif
