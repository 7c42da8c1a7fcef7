/*
 * contract - what the tests of the API's answers share
 *
 * get() and post() expect 200 and leave the answer in `last`, until the next
 * call; expect_field() compares one value of it, found by its path (api.h).
 */
#ifndef PEERD_E2E_CONTRACT_H
#define PEERD_E2E_CONTRACT_H

#include <check.h>

#include "tests/harness/api.h"
#include "tests/harness/rig.h"

#define WAIT_MS 30000

#define expect_field(path, value) ck_assert_str_eq(value, field_text(last->json, path))

static const struct reply *last;

static inline void
get(const char *path)
{
	last = api_expect(200, api_get(path));
}

static inline void
post(const char *path, const char *body)
{
	last = api_expect(200, api_post(path, body));
}

/* A daemon with its peers, and a table of 100 rows on the source. */
static inline void
contract_init(void)
{
	rig_init();
	on_source("CREATE TABLE t (id int PRIMARY KEY, v text)");
	on_source("INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 100) i");
}

#endif
