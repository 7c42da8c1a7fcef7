#include "lib/base/proctitle.h"

#include <stdarg.h>
#include <unistd.h>

#include "lib/base/mem.h"

extern char **environ;

static char *title_start;
static size_t title_size;

/* The kernel reads the title from the contiguous block argv[0] .. last environ string. */
void
proctitle_init(int argc, char **argv)
{
	char *end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
	char **copy;
	int i, n = 0;

	while (environ[n] != NULL)
		n++;
	copy = xcalloc((size_t)n + 1, sizeof(*copy));
	for (i = 0; i < n; i++) {
		if (environ[i] == end)
			end += strlen(environ[i]) + 1;
		copy[i] = xstrdup(environ[i]);
	}
	environ = copy;
	title_start = argv[0];
	title_size = (size_t)(end - argv[0]);
}

void
proctitle_set(const char *fmt, ...)
{
	va_list ap;
	int n;

	if (title_size < 2)
		return;
	va_start(ap, fmt);
	n = vsnprintf(title_start, title_size, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < title_size)
		memset(title_start + n, '\0', title_size - (size_t)n);
}
