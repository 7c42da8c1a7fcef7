/*
 * janitor - the process above a test program that sees to it that nothing stays behind
 *
 * janitor_start() makes the temporary directory and forks. The child returns
 * and is the test program; the parent stays above it as a child subreaper, so
 * whatever the tests start, however it detached itself, ends up below the
 * janitor once its own parent is gone. When the program ends (or a signal asks
 * for the end) the janitor stops what is left, removes the directory and exits
 * with the program's status. A process left over turns success into failure.
 *
 * Logs go to PEERD_TEST_LOG_DIR when that is set; otherwise they live in the
 * temporary directory and are kept when the program fails.
 */
#ifndef PEERD_HARNESS_JANITOR_H
#define PEERD_HARNESS_JANITOR_H

#include <sys/types.h>

void janitor_start(void);
pid_t janitor_pid(void);

void tmp_remove(const char *path); /* with all that is in it */
char *tmp_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *log_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
