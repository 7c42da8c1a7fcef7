/*
 * meter - CPU seconds and memory of the processes of one measurement
 *
 * Watches four trees: the source server, the destination server, the engine (the
 * server that a run goes to when that is not Postgres) and peerd.
 * Between meter_begin() and meter_end() the caller ticks it while it waits;
 * a tick that comes too soon costs nothing. Counted are the processes that
 * appear in between: walsenders and other backends of the source, apply
 * workers and other backends of the destination, peerd's workers. Those that
 * were there at the beginning (the benchmark's own connections) and the
 * servers' background processes (checkpointer, walwriter ...) are not; the
 * whole machine's CPU time holds them all.
 *
 * What a process uses after its last tick is lost: TICK_MS bounds the error.
 */
#ifndef PEERD_BENCH_METER_H
#define PEERD_BENCH_METER_H

#include <sys/types.h>

struct meter;

/* CPU in seconds. */
struct usage {
	double source;		/* walsender and other backends */
	double destination;	/* apply worker and other backends */
	double worker;		/* peerd-worker, all of them */
	double daemon;		/* peerd */
	double engine;		/* ClickHouse or Kafka, what it does in the background too */
	double machine;		/* everything, background processes and the benchmark too */
	double worker_peak_mib; /* largest peak RSS (VmHWM) of a worker */
};

/* The processes at the roots; 0: takes no part. */
struct meter_roots {
	pid_t source, destination, daemon;
};

struct meter *meter_new(struct meter_roots roots);
void meter_free(struct meter **m);

void meter_begin(struct meter *m, pid_t engine); /* 0: none takes part */
void meter_tick(struct meter *m);
void meter_end(struct meter *m, struct usage *u_r);

/* The seconds that all cores need, if they did nothing but what was counted for somebody. */
double usage_least_seconds(const struct usage *u);

/* What part of the cores' time the machine was busy, in percent. */
double usage_busy(const struct usage *u, double seconds);

double cpu_self(void); /* CPU seconds of the calling process so far */

#endif
