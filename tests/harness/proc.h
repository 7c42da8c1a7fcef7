/*
 * proc - starting, finding and ending processes
 *
 * A process is started in one of two ways. Tied to the caller: it is a child
 * in the caller's process group and is killed when the caller dies, which is
 * what the daemon of one test wants. Adopted: it belongs to the janitor, in a
 * group of its own, and outlives the test that (re)started it, which is what a
 * server shared by a whole program wants.
 *
 * When the tests run as root, `unprivileged` runs the program as an ordinary
 * user (postgres, else nobody), because Postgres refuses root.
 */
#ifndef PEERD_HARNESS_PROC_H
#define PEERD_HARNESS_PROC_H

#include <sys/types.h>
#include <stdbool.h>
#include <stddef.h>

struct proc_spec {
	const char *const *argv; /* NULL-terminated; argv[0] is the path */
	const char *env;	 /* one NAME=value to add, or NULL */
	const char *log;	 /* stdout and stderr are appended here; NULL: inherited */
	bool unprivileged;
	bool adopted;
};

pid_t proc_start(const struct proc_spec *spec);
int proc_run(const struct proc_spec *spec); /* waits; exit status, or 128 + signal */
void proc_own_file(const char *path);	    /* gives it to the unprivileged user */

bool proc_alive(pid_t pid); /* a zombie is not alive */
bool proc_wait_gone(pid_t pid, int ms);

/* Of one that the janitor reaps: a zombie may have threads that hold ports and files. */
bool proc_wait_reaped(pid_t pid, int ms);
char *proc_title(pid_t pid);		/* the command line, blanks between; "" when gone */
long proc_rss_kb(pid_t pid, bool peak); /* -1 when gone */
double proc_cpu_seconds(pid_t pid);	/* user and system time so far; -1 when gone */

/* Live descendants of root (itself excluded) whose title begins with prefix. */
size_t proc_find_below(pid_t root, const char *prefix, pid_t *pids_r, size_t max);

#endif
