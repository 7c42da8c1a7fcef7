/*
 * change_fixture - changes of a table written as text
 *
 *	+row		insert			=row		update, no old row sent
 *	-row		delete, old key sent	k<row>row	update, old key sent
 *	xrow		delete, old row sent	o<row>row	update, whole old row sent
 *
 * Rows as in table_fixture.h; the two of an update stand around a ">", and
 * blanks separate changes: "+1|a k1|~>2|b -2|~".
 */
#ifndef PEERD_UNIT_CHANGE_FIXTURE_H
#define PEERD_UNIT_CHANGE_FIXTURE_H

#include "lib/types/batch.h"
#include "tests/unit/types/table_fixture.h"

static inline void
fixture_change(struct batch *b, struct table *t, char kind, const char *first, const char *second)
{
	const struct row *x = fixture_row(b->arena, t, first);
	const struct row *y = second != NULL ? fixture_row(b->arena, t, second) : NULL;

	if (kind == '+')
		batch_add(b, t, CHANGE_INSERT, NULL, false, x);
	else if (kind == '=')
		batch_add(b, t, CHANGE_UPDATE, NULL, false, x);
	else if (kind == '-' || kind == 'x')
		batch_add(b, t, CHANGE_DELETE, x, kind == 'x', NULL);
	else
		batch_add(b, t, CHANGE_UPDATE, x, kind == 'o', y);
}

static inline void
fixture_changes(struct batch *b, struct table *t, const char *script)
{
	char *first, *second;
	size_t n;

	for (; *script != '\0'; script += n + strspn(script + n, " ")) {
		n = strcspn(script, " ");
		first = arena_strndup(b->arena, script + 1, n - 1);
		second = strchr(first, '>');
		if (second != NULL)
			*second++ = '\0';
		fixture_change(b, t, *script, first, second);
	}
}

#endif
