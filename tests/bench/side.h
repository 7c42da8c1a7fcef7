/*
 * side - one way of moving rows, as the measurements drive it
 *
 * Calls come in this order, for every measurement on a fresh target:
 * ready (not timed), then snapshot or stream (the clock starts before it), for
 * a snapshot copied until it is true, then stop (not timed). What a side does
 * not measure it need not have.
 *
 * snapshot: copy the workload's tables and follow from there; copied is true
 * once they are complete, with their keys, and in the stream's hands.
 * stream: follow RUN_SLOT into the target, copying nothing.
 */
#ifndef PEERD_BENCH_SIDE_H
#define PEERD_BENCH_SIDE_H

#include "tests/bench/target.h"

struct side_ops {
	void (*ready)(const struct bench *b, const struct workload *w);
	void (*snapshot)(const struct bench *b, const struct workload *w);
	bool (*copied)(const struct target *t);
	void (*stream)(const struct bench *b, const struct workload *w);
	void (*stop)(const struct bench *b);
	char *(*trouble)(const struct bench *b); /* words on why it does not get on */
};

extern const struct side_ops side_native, side_peerd, side_mock, side_pipe;

/* Start the daemon and make its peer "src". */
void side_peerd_open(struct bench *b);
void side_peerd_close(struct bench *b);

#endif
