/*
 * bench - what the parts of the benchmark share
 *
 * One run has one `struct bench`: the source, the destinations that the wanted
 * workloads go to, the daemon when peerd takes part, the meter and the results.
 * Work is described by a table of workloads (workload.c); each is measured once
 * a round for each side that takes part. Any failure ends the program
 * (test_fail), so calls report no errors.
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

struct clickhouse;
struct cluster;
struct daemon;
struct kafka;
struct meter;
struct report;

/* Who moves the rows. */
enum side {
	SIDE_NATIVE, /* Postgres' own logical replication */
	SIDE_PEERD,
	SIDE_MOCK,   /* peerd, into librdkafka's mock cluster: the limit of the client */
	SIDE_PIPE,   /* COPY to COPY and nothing else: the limit of any snapshot of Postgres */
	SIDE_DRAIN,  /* only reads the source: the limit of any reader */
	SIDE_ENGINE, /* only inserts the same rows: the limit of the destination */
	SIDE_COUNT
};

enum kind {
	KIND_SNAPSHOT,
	KIND_STREAM,
	KIND_LATENCY,
	KIND_FORMATS, /* no mirror: see formats.h */
	KIND_COUNT
};

enum destination {
	TO_POSTGRES,
	TO_CLICKHOUSE,
	TO_KAFKA,
	TO_COUNT
};

struct workload {
	const char *name; /* of the case, its publication and destination template */
	const char *title;
	enum kind kind;
	enum destination to;
	const char *tables; /* comma-separated */
	const char *make;   /* statement that makes them; NULL: pgbench does */
	const char *write;  /* statement that writes the backlog; NULL: pgbench does */
	const char *check;  /* expression over the table, equal at a destination of another kind */
	const char *key;    /* Kafka: its column, and the one that is summed up in `check` */
	const char *summed;
	const char *settings; /* of the mirror, beside those of every one; NULL: none */
	int base;	      /* rows at the start (for pgbench: its scale) */
	int changes;	      /* row changes of the backlog */
	int per;	      /* changes a transaction */
	double goal;	      /* what for is said by report.h */
	bool wanted;	      /* takes part in this run */
	bool compared;	      /* both sides were found to end up equal */
	const char *digest;   /* what the tables of the destination are expected to hold */
	uint64_t last_lsn;    /* of the backlog's last change, see measure_learn_end() */
};

struct bench {
	struct cluster *source;
	struct cluster *destination; /* NULL when no workload goes to Postgres */
	struct clickhouse *engine;   /* NULL when none goes to ClickHouse */
	struct kafka *broker;	     /* NULL when none goes to Kafka; and the mock */
	struct kafka *mock;
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
const char *destination_name(enum destination to); /* "postgres", as --only knows it */

/* Connection string for another program, over TCP with the password. */
char *bench_conninfo(const struct cluster *c, const char *database);

void bench_say(const char *fmt, ...)
    __attribute__((format(printf, 1, 2))); /* to stderr, with the time */

#endif
