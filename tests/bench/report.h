/*
 * report - what was measured: a line each as it comes, then a table and a file
 *
 * Figures are medians over the rounds with their spread (least to greatest).
 * A ratio is native's time divided by peerd's of the same round: above 1 peerd
 * is faster. Of latencies it is peerd's divided by native's: below 1 it is.
 */
#ifndef PEERD_BENCH_REPORT_H
#define PEERD_BENCH_REPORT_H

#include "tests/bench/bench.h"
#include "tests/bench/measure.h"

#define LATENCY_P50_GOAL 2.0 /* at most so many times native's */
#define LATENCY_P99_GOAL 3.0

struct report *report_new(void);
void report_free(struct report **r);

/* Store it and print its line. */
void report_add(struct report *r, const struct bench *b, const struct workload *w, enum side side,
    int round, const struct measure *m);

void report_print(const struct report *r, const struct bench *b); /* the tables, as Markdown */
void report_write(const struct report *r, const struct bench *b); /* the JSON file */

#endif
