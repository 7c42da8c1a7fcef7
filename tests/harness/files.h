/*
 * files - what fixtures write, and where programs of other people are kept
 *
 * Calls fail the test, with the path, when the system refuses.
 */
#ifndef PEERD_HARNESS_FILES_H
#define PEERD_HARNESS_FILES_H

#include <sys/types.h>

/* Created or replaced, readable by all. */
void file_write(const char *path, const char *content);
void file_append(const char *path, const char *content);
char *file_read(const char *path); /* "" when there is none; lives as long as the process */

/* The last path, by name, that a shell's pattern matches; NULL when none does. */
char *file_newest(const char *pattern);

/* Of the user that unprivileged servers run as. */
void directory_make(const char *path);

void file_write_pid(const char *path, pid_t pid);
pid_t file_read_pid(const char *path); /* 0 when there is none, or it does not run */

/*
 * Servers brought by scripts/install-* lie in one cache: $PEERD_CACHE_DIR, else
 * /var/cache/peerd for root, else ~/.cache/peerd. cache_newest() is
 * file_newest() of a pattern below it.
 */
char *cache_directory(void);
char *cache_newest(const char *pattern);

#endif
