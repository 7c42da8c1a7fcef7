/*
 * workload - the table of what is measured, and its preparation
 *
 * A snapshot's table lies on the source. A stream's changes are a backlog: its
 * tables lie in their starting state on the source and, for Postgres, in a
 * template database of the destination (into ClickHouse a change is a row,
 * whatever was there before); a base slot marks the beginning, then the changes
 * and a row in `marker` are written once. Copies of the base slot replay them,
 * and a run is over when the marker is visible at the destination. Workloads
 * that name the same tables share them.
 */
#ifndef PEERD_BENCH_WORKLOAD_H
#define PEERD_BENCH_WORKLOAD_H

#include "tests/bench/bench.h"

extern struct workload workloads[];
extern const size_t workload_count;

void workload_prepare_source(const struct bench *b); /* the database and its procedures */
void workload_prepare(const struct bench *b, const struct workload *w);

/* Rows that one run moves, and source transactions they come in (0 for a snapshot). */
int64_t workload_rows(const struct bench *b, const struct workload *w);
int64_t workload_transactions(const struct bench *b, const struct workload *w);

/* The workload's empty tables, with their keys, in the target database. */
void workload_make_empty(const struct bench *b, const struct workload *w);

/* A fresh target database in Postgres: the starting state of the workload, or empty. */
void workload_reset_target(const struct bench *b, const struct workload *w);

/* RUN_SLOT: a copy of the base slot, or one that begins now. */
void workload_copy_slot(const struct bench *b, const struct workload *w);
void workload_new_slot(const struct bench *b);
void workload_drop_slots(const struct bench *b); /* all but the base slots */

char *workload_publication(const struct workload *w);

/* A checksum over all rows of the workload's tables in the target database. */
char *workload_digest(const struct bench *b, const struct workload *w);

#endif
