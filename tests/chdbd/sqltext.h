/*
 * sqltext - where an INSERT's statement ends and its rows begin
 *
 * ClickHouse's HTTP interface takes one text: the parameter `query`, a line
 * feed, the body. Rows of an INSERT ... FORMAT follow the format's name there,
 * after blanks and one line feed. Only so much of SQL is understood here:
 * quotes, comments, parentheses, words.
 */
#ifndef PEERD_CHDBD_SQLTEXT_H
#define PEERD_CHDBD_SQLTEXT_H

#include <stdbool.h>

#include "lib/base/slice.h"

#define SQLTEXT_FORMAT_MAX 64

enum sqltext_kind {
	SQLTEXT_STATEMENT, /* all of the text is for the engine to read */
	SQLTEXT_ROWS,	   /* an INSERT, then rows in a format */
	SQLTEXT_OPEN,	   /* an INSERT that has not said where its rows come from */
};

struct sqltext {
	struct slice statement; /* of SQLTEXT_ROWS: up to FORMAT, without it */
	char format[SQLTEXT_FORMAT_MAX];
	struct slice rows; /* those in the text already */
};

enum sqltext_kind sqltext_split(struct slice text, struct sqltext *parts_r);

/* Nothing follows a semicolon. The engine would run several statements, a server does not. */
bool sqltext_is_single(struct slice text);

#endif
