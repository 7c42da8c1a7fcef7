/*
 * chrig - what end-to-end tests with a ClickHouse destination stand on
 *
 * A rig (rig.h) without a destination cluster, and beside it ClickHouse servers
 * of the kinds that are installed; per test a database `app` on
 * the server of the test's kind, a proxy in front of it (httpfault.h) through
 * which peerd reaches it, and the peer "dst".
 *
 * chrig_suite() makes the suite, a case for each kind. A test asks chrig.kind
 * where the kinds differ.
 */
#ifndef PEERD_HARNESS_CHRIG_H
#define PEERD_HARNESS_CHRIG_H

#include <check.h>

#include "tests/harness/clickhouse.h"

struct httpfault;

struct chrig {
	enum clickhouse_kind kind;
	struct clickhouse *ch;
	struct httpfault *proxy;
};

extern struct chrig chrig;

/* A suite with a case for each kind that is there; add() puts tests into it. */
Suite *chrig_suite(const char *name, void (*add)(TCase *tc, enum clickhouse_kind kind));

/* The body of peers/create; user NULL: CLICKHOUSE_USER. more: JSON with ' for ", or "". */
char *chrig_peer_body(const char *name, int port, const char *database, const char *user,
    const char *password, const char *more);

/*
 * Fail unless the two queries give the same rows, as tab separated text, now or
 * within the time: one for the source, one for ClickHouse.
 */
void chrig_expect_equal(const char *source, const char *destination, int ms);

#endif
