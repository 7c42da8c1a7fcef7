/*
 * mem - allocation that does not fail
 *
 * A process that runs out of memory writes one line and exits with EX_OSERR;
 * its supervisor restarts it. So no caller checks for NULL.
 */
#ifndef PEERD_BASE_MEM_H
#define PEERD_BASE_MEM_H

#include <stddef.h>

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t n) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* Free *p and leave NULL behind: MEM_FREE(x->name). */
#define MEM_FREE(p)                \
	do {                       \
		free((void *)(p)); \
		(p) = NULL;        \
	} while (0)

/* Overwrite a secret in a way the compiler may not remove. */
void mem_wipe(void *p, size_t n);

#endif
