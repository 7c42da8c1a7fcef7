/*
 * rig - what most end-to-end tests stand on
 *
 * Two clusters per test program (rig_clusters_*, unchecked fixtures) and, per
 * test, a fresh database `app` on each, a daemon of its own and the peers "src"
 * and "dst" (rig_*, checked fixtures). rig_done() also looks for leaks: no slot
 * may be left that belongs to no mirror, and daemon_stop() examines the rest.
 *
 * rig.s and rig.d are superuser connections to the source and destination.
 */
#ifndef PEERD_HARNESS_RIG_H
#define PEERD_HARNESS_RIG_H

#include <libpq-fe.h>

struct cluster;
struct daemon;

struct rig {
	struct cluster *source, *destination;
	struct daemon *daemon;
	PGconn *s, *d;
};

extern struct rig rig;

void rig_clusters_init(void);
void rig_source_init(void); /* no destination: rig.d stays NULL, and there is no peer "dst" */
void rig_clusters_done(void);

void rig_init(void);
void rig_done(void);

/* For a test that runs in a process forked from the one that made the rig. */
void rig_reconnect(void);

/* Fail unless source and destination hold no trace of the mirror NAME. */
void rig_expect_no_trace(const char *name);

/* Wait until the mirror's slot has been confirmed up to the source's present position. */
void rig_wait_confirmed(const char *mirror, int ms);

/* Run on the source, and on both. */
void on_source(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void on_both(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The table is equal on both sides, now or soon. */
void expect_equal(const char *table);

#endif
