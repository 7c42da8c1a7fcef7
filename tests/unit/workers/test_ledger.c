#include "workers/ledger.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define START 100

/*
 * Events in order, a letter and a position each:
 *	c	a change of an open transaction (position 0)
 *	e	a commit that ends there
 *	r	a keepalive: all before it was received
 *	d	durable up to there
 *	?	confirm; the last one's answer is compared
 */
struct event {
	char kind;
	lsn_t lsn;
};

static const struct {
	const char *what;
	struct event events[12];
	lsn_t confirm;
	bool idle;
} scripts[] = {
	{ "nothing", { { 0 } }, START, true },
	{ "a keepalive on an idle stream", { { 'r', 200 } }, 200, true },
	{ "a commit without changes", { { 'e', 200 } }, 200, true },
	{ "a change that is open", { { 'c', 0 } }, START, false },
	{ "a keepalive past an open change", { { 'c', 0 }, { 'r', 300 } }, START, false },
	{ "a commit not yet durable", { { 'c', 0 }, { 'e', 200 } }, START, false },
	{ "and a keepalive after it", { { 'c', 0 }, { 'e', 200 }, { 'r', 300 } }, START, false },
	{ "durable", { { 'c', 0 }, { 'e', 200 }, { 'd', 200 } }, 200, true },
	{ "durable, and a keepalive came between",
	    { { 'c', 0 }, { 'e', 200 }, { 'r', 300 }, { 'd', 200 } }, 300, true },
	{ "durable, and another commit without changes",
	    { { 'c', 0 }, { 'e', 200 }, { 'e', 250 }, { 'd', 200 } }, 250, true },
	{ "the first of two is durable",
	    { { 'c', 0 }, { 'e', 200 }, { 'c', 0 }, { 'e', 300 }, { 'd', 200 } }, 200, false },
	{ "both are", { { 'c', 0 }, { 'e', 200 }, { 'c', 0 }, { 'e', 300 }, { 'd', 300 } }, 300,
	    true },
	{ "the next one is open", { { 'c', 0 }, { 'e', 200 }, { 'c', 0 }, { 'd', 200 } }, 200,
	    false },
	{ "a late durable after more was received",
	    { { 'c', 0 }, { 'e', 200 }, { 'r', 250 }, { 'c', 0 }, { 'd', 200 }, { 'r', 400 } }, 200,
	    false },
	{ "positions behind what is known",
	    { { 'r', 300 }, { '?', 0 }, { 'r', 200 }, { 'd', 150 }, { 'e', 250 } }, 300, true },
	{ "never backwards: idle, then busy", { { 'r', 300 }, { '?', 0 }, { 'c', 0 } }, 300,
	    false },
	{ "never backwards: idle, then a commit not yet durable",
	    { { 'r', 300 }, { '?', 0 }, { 'c', 0 }, { 'e', 400 } }, 300, false },
};

static void
play(struct ledger *l, struct event ev)
{
	if (ev.kind == 'c')
		ledger_change(l);
	else if (ev.kind == 'e')
		ledger_commit(l, ev.lsn);
	else if (ev.kind == 'r')
		ledger_received(l, ev.lsn);
	else if (ev.kind == 'd')
		ledger_durable(l, ev.lsn);
	else if (ev.kind == '?')
		ledger_confirm(l);
}

static struct ledger
after(const struct event *events)
{
	struct ledger l;

	ledger_init(&l, START);
	for (; events->kind != '\0'; events++)
		play(&l, *events);
	return l;
}

START_TEST(confirms_what_may_be_forgotten)
{
	struct ledger l = after(scripts[_i].events);
	lsn_t lsn = ledger_confirm(&l);

	ck_assert_msg(lsn == scripts[_i].confirm, "%s: %u", scripts[_i].what, (unsigned)lsn);
}
END_TEST

START_TEST(idle_when_nothing_is_on_its_way)
{
	struct ledger l = after(scripts[_i].events);

	ck_assert_msg(ledger_idle(&l) == scripts[_i].idle, "%s", scripts[_i].what);
}
END_TEST

START_TEST(asking_changes_nothing)
{
	struct ledger l = after(scripts[_i].events);
	lsn_t lsn = ledger_confirm(&l);

	ck_assert_uint_eq(ledger_confirm(&l), lsn);
	ck_assert(ledger_idle(&l) == scripts[_i].idle);
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *s = suite_create("ledger");
	TCase *tc = tcase_create("ledger");
	SRunner *sr = srunner_create(s);
	int failed;

	LOOP(tc, confirms_what_may_be_forgotten, scripts);
	LOOP(tc, idle_when_nothing_is_on_its_way, scripts);
	LOOP(tc, asking_changes_nothing, scripts);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
