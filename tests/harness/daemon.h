/*
 * daemon - a peerd of the test's own
 *
 * Runs $PEERD_BIN_DIR/peerd (default build/bin) on ports and a state directory
 * of its own; it dies with the process that started it. daemon_start() returns
 * once peerd has said that it is ready.
 *
 * daemon_stop() is also an examination: peerd must leave cleanly, take its
 * workers along, and neither may have made a sanitizer speak.
 */
#ifndef PEERD_HARNESS_DAEMON_H
#define PEERD_HARNESS_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DAEMON_PASSWORD	   "correct horse: battery/staple"
#define DAEMON_WORKERS_MAX 32

struct daemon {
	char *state;
	char *log;
	char *url; /* http://127.0.0.1:PORT */
	int http_port;
	int sql_port;
	pid_t pid; /* 0 while it is down */
};

struct daemon *daemon_new(const char *name);
void daemon_free(struct daemon **d); /* stops it; NULL is fine */

void daemon_start(struct daemon *d);
void daemon_stop(struct daemon *d);
void daemon_kill(struct daemon *d); /* kill -9 */

/* Workers of a kind: "" for all, "mirror", "mirror NAME", "snapshot NAME", "probe". */
size_t daemon_workers(const char *kind, pid_t *pids_r, size_t max);
pid_t daemon_worker(const char *kind); /* the first, or 0 */

bool daemon_log_has(const struct daemon *d, const char *words);
void daemon_expect_no_report(const struct daemon *d); /* of a sanitizer */

char *daemon_program(const char *name); /* path of a built program */

#endif
