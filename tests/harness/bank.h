/*
 * bank - a workload whose every committed state satisfies an invariant
 *
 * Tables of a small bank and their bookkeeping. Each transaction touches
 * several of them and keeps sums and counts in step, so a destination that
 * shows a state the source never had is caught by one query:
 *
 *	accounts, tellers, branches, history	TPC-B: four equal sums
 *	items		rows come, go and change keys; counters knows count and sum
 *	docs		large values, seldom changed beside a small one; digests agree
 *	bag		no key, duplicates, REPLICA IDENTITY FULL; counters knows the sum
 *	scratch		filled and truncated; counters knows the count
 *	ballast		never changed, makes a snapshot last
 *	marker		one row, for bank_mark()
 *
 * The load runs in processes of its own, which reconnect when the server goes
 * away, and is reproducible by seed as far as the moment allows.
 */
#ifndef PEERD_HARNESS_BANK_H
#define PEERD_HARNESS_BANK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

struct cluster;
struct bank_load;

/* Names of all tables, "public.accounts,public.tellers,...", and each singly, NULL-terminated. */
extern const char bank_tables[];
extern const char *const bank_table_names[];

/* scale: 1 is 10,000 accounts. */
void bank_create(PGconn *c, int scale);

struct bank_load *bank_load_start(const struct cluster *c, const char *database, int clients,
    uint64_t seed);
void bank_load_pause(struct bank_load *l, bool pause); /* between two transactions */
int64_t bank_load_commits(const struct bank_load *l);
void bank_load_stop(struct bank_load **l); /* every client finishes its transaction first */

/* One state's answer: "ok", which invariant is broken and by how much, or NULL: no answer. */
const char *bank_check(PGconn *c);

/* Write the marker (false: the source fell); read it on the destination (-1: none). */
bool bank_mark(PGconn *c, int64_t n);
int64_t bank_marked(PGconn *c);

/* Small, fast, reproducible random numbers. */
uint64_t bank_random(uint64_t *state);

#endif
