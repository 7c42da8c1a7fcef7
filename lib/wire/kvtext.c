#include "lib/wire/kvtext.h"

#include <ctype.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

static void
skip_blanks(const char **p)
{
	while (isspace((unsigned char)**p))
		++*p;
}

static bool
take_quoted(const char **p, struct buf *value, struct err *err)
{
	for (++*p; **p != '\''; ++*p) {
		if (**p == '\\' && (*p)[1] != '\0')
			++*p;
		if (**p == '\0')
			return err_set(err, ERR_INVALID,
			    "a quoted value in the keyword = value pairs has no end");
		buf_char(value, **p);
	}
	++*p;
	return true;
}

static void
take_plain(const char **p, struct buf *value)
{
	for (; **p != '\0' && !isspace((unsigned char)**p); ++*p) {
		if (**p == '\\' && (*p)[1] != '\0')
			++*p;
		buf_char(value, **p);
	}
}

bool
kvtext_next(const char **p, struct buf *key, struct buf *value, bool *more_r, struct err *err)
{
	buf_reset(key);
	buf_reset(value);
	skip_blanks(p);
	if (**p == '\0') {
		*more_r = false;
		return true;
	}
	for (; **p != '\0' && **p != '=' && !isspace((unsigned char)**p); ++*p)
		buf_char(key, **p);
	skip_blanks(p);
	if (key->n == 0 || **p != '=')
		return err_set(err, ERR_INVALID, "expected keyword = value pairs");
	++*p;
	skip_blanks(p);
	if (**p != '\'')
		take_plain(p, value);
	else if (!take_quoted(p, value, err))
		return false;
	*more_r = true;
	return true;
}
