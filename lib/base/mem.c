#include "lib/base/mem.h"

#include <stdarg.h>
#include <sysexits.h>
#include <unistd.h>

static void *
mem_check(void *p)
{
	static const char words[] = "out of memory\n";

	if (p != NULL)
		return p;
	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
		_exit(EX_OSERR);
	_exit(EX_OSERR);
}

void *
xmalloc(size_t n)
{
	return mem_check(malloc(n > 0 ? n : 1));
}

void *
xcalloc(size_t count, size_t n)
{
	return mem_check(calloc(count > 0 ? count : 1, n > 0 ? n : 1));
}

void *
xrealloc(void *p, size_t n)
{
	return mem_check(realloc(p, n > 0 ? n : 1));
}

char *
xstrdup(const char *s)
{
	return mem_check(strdup(s));
}

char *
xstrndup(const char *s, size_t n)
{
	return mem_check(strndup(s, n));
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return mem_check(s);
}

void
mem_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}
