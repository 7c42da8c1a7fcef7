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
 */
struct event {
	char kind;
	lsn_t lsn;
};

static const struct {
	const char *what;
	struct event events[12];
	lsn_t durable;
	bool idle, behind;
} scripts[] = {
	{ "nothing", { { 0 } }, START, true, false },
	{ "a keepalive on an idle stream", { { 'r', 200 } }, START, true, true },
	{ "a commit without changes", { { 'e', 200 } }, START, true, true },
	{ "what was received is durable", { { 'r', 200 }, { 'd', 200 } }, 200, true, false },
	{ "and then more was", { { 'r', 200 }, { 'r', 300 }, { 'd', 200 } }, 200, true, true },
	{ "a change that is open", { { 'c', 0 } }, START, false, false },
	{ "a keepalive past an open change", { { 'c', 0 }, { 'r', 300 } }, START, false, false },
	{ "a commit not yet durable", { { 'c', 0 }, { 'e', 200 } }, START, false, false },
	{ "and a keepalive after it", { { 'c', 0 }, { 'e', 200 }, { 'r', 300 } }, START, false,
	    false },
	{ "durable", { { 'c', 0 }, { 'e', 200 }, { 'd', 200 } }, 200, true, false },
	{ "durable, and a keepalive came between",
	    { { 'c', 0 }, { 'e', 200 }, { 'r', 300 }, { 'd', 200 } }, 200, true, true },
	{ "durable, and another commit without changes",
	    { { 'c', 0 }, { 'e', 200 }, { 'e', 250 }, { 'd', 200 } }, 200, true, true },
	{ "the first of two is durable",
	    { { 'c', 0 }, { 'e', 200 }, { 'c', 0 }, { 'e', 300 }, { 'd', 200 } }, 200, false,
	    false },
	{ "both are", { { 'c', 0 }, { 'e', 200 }, { 'c', 0 }, { 'e', 300 }, { 'd', 300 } }, 300,
	    true, false },
	{ "the next one is open", { { 'c', 0 }, { 'e', 200 }, { 'c', 0 }, { 'd', 200 } }, 200,
	    false, false },
	{ "positions behind what is known",
	    { { 'r', 300 }, { 'd', 300 }, { 'r', 200 }, { 'd', 150 }, { 'e', 250 } }, 300, true,
	    false },
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

START_TEST(knows_where_it_is)
{
	struct ledger l = after(scripts[_i].events);

	ck_assert_msg(l.durable == scripts[_i].durable, "%s: %u", scripts[_i].what,
	    (unsigned)l.durable);
	ck_assert_msg(ledger_idle(&l) == scripts[_i].idle, "%s", scripts[_i].what);
	ck_assert_msg(ledger_behind(&l) == scripts[_i].behind, "%s", scripts[_i].what);
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

	LOOP(tc, knows_where_it_is, scripts);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
