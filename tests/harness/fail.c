#include "tests/harness/fail.h"

#include <check.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/limits.h"

bool test_under_check;

void
test_fail(const char *fmt, ...)
{
	va_list ap;
	const char *words;

	va_start(ap, fmt);
	words = text_v(fmt, ap);
	va_end(ap);
	if (test_under_check)
		ck_abort_msg("%.4000s", words);
	fprintf(stderr, "%s\n", words);
	exit(1);
}

char *
text_v(const char *fmt, va_list ap)
{
	static struct arena *process;
	struct buf b;
	char *copy;

	if (process == NULL)
		process = arena_new(64 * KIB);
	buf_init(&b, 64 * MIB);
	buf_vprintf(&b, fmt, ap);
	copy = arena_strdup(process, buf_str(&b));
	buf_done(&b);
	return copy;
}

char *
text(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = text_v(fmt, ap);
	va_end(ap);
	return s;
}

char *
json(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = text_v(fmt, ap);
	va_end(ap);
	for (char *p = s; (p = strchr(p, '\'')) != NULL; p++)
		*p = '"';
	return s;
}
