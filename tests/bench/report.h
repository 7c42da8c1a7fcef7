/*
 * report - what was measured: a line each as it comes, then a table and a file
 *
 * Figures are medians over the rounds with their spread (least to greatest).
 * Ratios are of the same round: the time of native, of the pipe, of the drain
 * or of the engine divided by peerd's, so how fast peerd is, theirs being 1. Of
 * latencies it is peerd's divided by native's: below 1 peerd is faster.
 *
 * A workload's goal is the least ratio: to native's time for one that goes to
 * Postgres, to that of the drain otherwise. Of a latency without a rival
 * it is the greatest p99 in milliseconds.
 */
#ifndef PEERD_BENCH_REPORT_H
#define PEERD_BENCH_REPORT_H

#include "tests/bench/bench.h"
#include "tests/bench/formats.h"
#include "tests/bench/measure.h"

#define PIPE_GOAL	 0.93 /* at least so much of the pipe's speed */
#define LATENCY_P50_GOAL 2.0  /* at most so many times native's */
#define LATENCY_P99_GOAL 3.0

struct report *report_new(void);
void report_free(struct report **r);

/* Store it and print its line. */
void report_add(struct report *r, const struct bench *b, const struct workload *w, enum side side,
    int round, const struct measure *m);

void report_add_cost(struct report *r, enum format f, int round, const struct format_cost *c);

void report_print(const struct report *r, const struct bench *b); /* the tables, as Markdown */
void report_write(const struct report *r, const struct bench *b); /* the JSON file */

#endif
