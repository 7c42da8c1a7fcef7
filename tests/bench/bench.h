/*
 * bench - what the parts of the benchmark share
 *
 * One run has one `struct bench`: two clusters, the daemon when peerd takes
 * part, the meter and the results. Work is described by a table of workloads
 * (workload.c); each is measured once a round for each side that takes part.
 * Any failure ends the program (test_fail), so calls report no errors.
 *
 * Sizes are those of a scale, 1 being the full run. Times are seconds.
 */
#ifndef PEERD_BENCH_BENCH_H
#define PEERD_BENCH_BENCH_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#define SOURCE_DB "bench"     /* holds every table and backlog */
#define TARGET_DB "bench"     /* made anew for every measurement */
#define RUN_SLOT  "bench_run" /* the copy of a backlog's slot that one run consumes */

struct cluster;
struct daemon;
struct meter;
struct report;

/* Who moves the rows. Drain only reads the slot: the limit of any reader. */
enum side {
	SIDE_NATIVE,
	SIDE_PEERD,
	SIDE_DRAIN,
	SIDE_COUNT
};

enum kind {
	KIND_SNAPSHOT,
	KIND_STREAM,
	KIND_LATENCY
};

struct workload {
	const char *name; /* of the case, its publication and destination template */
	const char *title;
	enum kind kind;
	const char *tables; /* comma-separated */
	const char *make;   /* statement that makes them; NULL: pgbench does */
	const char *write;  /* statement that writes the backlog; NULL: pgbench does */
	int base;	    /* rows at the start (for pgbench: its scale) */
	int changes;	    /* row changes of the backlog */
	int per;	    /* changes a transaction */
	double goal;	    /* least ratio of native's time to peerd's; latency: see report.c */
	bool wanted;	    /* takes part in this run */
	bool compared;	    /* both sides were found to end up equal */
	const char *digest; /* of the destination's tables after the first run */
};

struct bench {
	struct cluster *source, *destination;
	struct daemon *daemon; /* NULL when peerd takes no part */
	PGconn *src;	       /* superuser on SOURCE_DB */
	double scale;
	int rounds;
	bool with[SIDE_COUNT];
	struct meter *meter;
	struct report *report;
	const char *output; /* the JSON file */
};

const char *side_name(enum side s);

/* Connection string for another program, over TCP with the password. */
char *bench_conninfo(const struct cluster *c, const char *database);

void bench_say(const char *fmt, ...)
    __attribute__((format(printf, 1, 2))); /* to stderr, with the time */

#endif
