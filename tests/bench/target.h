/*
 * target - where the rows of one measurement arrive
 *
 * A target is opened for each measurement: the starting state of the workload
 * is laid out anew (for Postgres a copy of its template, else emptiness), and
 * a connection is made that the meter will not count. Then it is looked at
 * until the end is seen.
 *
 * has_all(): the marker is visible, and with it all that came before it.
 * last_id(): of the workload's only table the last id up to which all are there, 0 when it
 * is empty.
 * digest(): what the tables hold, in words that are equal for equal rows.
 */
#ifndef PEERD_BENCH_TARGET_H
#define PEERD_BENCH_TARGET_H

#include "tests/bench/bench.h"

struct target;
struct topics;

struct target_ops {
	void (*open)(struct target *t);
	void (*close)(struct target *t);
	bool (*has_all)(const struct target *t, const char *marker);
	int64_t (*last_id)(const struct target *t);
	char *(*digest)(const struct target *t); /* NULL: they cannot be read */
	long all_pause_ns; /* between two looks: as short as a look is cheap */
	long id_pause_ns;
};

struct target {
	const struct target_ops *ops;
	const struct bench *b;
	const struct workload *w;
	PGconn *conn;	       /* on TARGET_DB; Postgres only */
	struct topics *topics; /* Kafka only, see target_kafka.c */
};

extern const struct target_ops target_kafka_ops, target_mock_ops;

struct target target_open(const struct bench *b, const struct workload *w, enum side side);
void target_close(struct target *t);

#endif
