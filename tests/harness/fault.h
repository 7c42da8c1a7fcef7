/*
 * fault - what the fault proofs have in common
 *
 *	fault_DESTINATION [--short | --long] [--seed N] [--rounds N] [--seconds N]
 *
 * A proof keeps a mirror FAULT_MIRROR of the bank (bank.h) under load, and in
 * every round inflicts a fault that the seed has chosen. Here are options and
 * chance, the source with its load, the faults that need no destination, and
 * the waiting for a mirror that must always come back:
 *
 *	fault_begin()		janitor, options, source cluster with the bank,
 *				daemon, peer "src"
 *	fault_load_start()
 *	while (fault_next_round())
 *		...
 *	fault_load_stop()
 *	fault_end()		daemon and source
 *
 * Who is at fault is told by fault_give_up(), with round and seed: it ends the
 * program with exit code 1.
 */
#ifndef PEERD_HARNESS_FAULT_H
#define PEERD_HARNESS_FAULT_H

#include <sys/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/clock.h"

struct bank_load;
struct cluster;
struct daemon;

#define FAULT_MIRROR	    "bank"
#define FAULT_DATABASE	    "app"
#define FAULT_ROLE	    "mirror_role" /* what the mirror connects as, and nobody else */
#define FAULT_ROLE_PASSWORD "role-secret"
#define FAULT_CATCH_UP_MS   120000
#define FAULT_DELAY_MS	    300
#define FAULT_ANEW_EVERY    7 /* rounds between two snapshots, on average */

/* Small partitions, so that a snapshot can be hit in many places. */
#define FAULT_SNAPSHOT_OPTIONS                     \
	"'snapshot_num_rows_per_partition': 2000," \
	"'snapshot_max_parallel_workers': 2, 'snapshot_num_tables_in_parallel': 2"

struct fault_run {
	const char *name; /* of the program */
	uint64_t seed, random;
	int rounds, scale, round;
	usec_t end;	       /* no new round begins after it */
	const char *inflicted; /* the last fault chosen */
	struct cluster *source;
	struct daemon *daemon;
	struct bank_load *load;
	int64_t commits; /* of the load, as far as it has been stopped */
	int64_t mark;	 /* the last one written */
};

extern struct fault_run fault;

/* A kind of fault; inflict() says whether it found something to hit. */
struct fault_kind {
	const char *name;
	int share; /* of 100 in a list */
	bool (*inflict)(void);
};

/* rounds: of a short run. */
void fault_begin(int argc, char **argv, const char *name, int rounds);
void fault_end(void);
bool fault_next_round(void);
void fault_give_up(const char *words) __attribute__((noreturn));

unsigned fault_up_to(unsigned n);
const struct fault_kind *fault_choose(const struct fault_kind *list);

/* A database FAULT_DATABASE and the role for the mirror, and the peer that names them. */
void fault_make_database(const struct cluster *c);
void fault_create_peer(const char *name, const struct cluster *c);

void fault_load_start(void);
void fault_load_stop(void);
int64_t fault_commits(void);

/* ---- the mirror */

void fault_mark(void); /* write the next mark on the source, when it lets us */
bool fault_mirror_runs(void);
void fault_mirror_wait(void); /* until it runs */

/* ---- faults */

bool fault_kill_process(pid_t pid);
bool fault_kill_mirror_worker(void);
bool fault_kill_snapshot_worker(void);
bool fault_kill_daemon(void);
bool fault_restart_daemon(void);
bool fault_kill_backend(const struct cluster *c);
bool fault_terminate_backends(const struct cluster *c);
bool fault_kill_source_backend(void);
bool fault_crash_source(void);
bool fault_restart_source(void);

#endif
