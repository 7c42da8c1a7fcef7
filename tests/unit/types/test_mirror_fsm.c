/*
 * The mirror's life: the walks that people see, what is illegal, and that no
 * entry of the table leads out of it.
 */
#include "lib/types/mirror_fsm.h"

#include <check.h>
#include <string.h>

#define S(name) PEERDB_FLOW__FLOW_STATUS__STATUS_##name
#define STATES	(S(MODIFYING) + 1)

struct walk {
	const char *name;
	enum mirror_event events[8]; /* up to EV_COUNT */
	const char *shown;	     /* states after each, and the last action */
};

static const struct walk walks[] = {
	{ "create, pause, resume",
	    { EV_SETUP_LOADS, EV_LOAD_STREAMS, EV_PAUSE_ASKED, EV_ENDED, EV_RUN_ASKED, EV_COUNT },
	    "SNAPSHOT RUNNING PAUSING PAUSED RUNNING run" },
	{ "without a snapshot", { EV_SETUP_STREAMS, EV_COUNT }, "RUNNING none" },
	{ "snapshot only", { EV_SETUP_LOADS, EV_LOAD_COMPLETES, EV_ENDED, EV_COUNT },
	    "SNAPSHOT COMPLETED COMPLETED none" },
	{ "completed is dropped without a worker",
	    { EV_SETUP_LOADS, EV_LOAD_COMPLETES, EV_DROP_ASKED, EV_COUNT },
	    "SNAPSHOT COMPLETED TERMINATED forget" },
	{ "pause in a snapshot goes back to it",
	    { EV_SETUP_LOADS, EV_PAUSE_ASKED, EV_ENDED, EV_RUN_ASKED, EV_COUNT },
	    "SNAPSHOT PAUSING PAUSED SNAPSHOT run" },
	{ "pause in setup goes back to it", { EV_PAUSE_ASKED, EV_DIED, EV_RUN_ASKED, EV_COUNT },
	    "PAUSING PAUSED SETUP run" },
	{ "the snapshot ends while it is being paused",
	    { EV_SETUP_LOADS, EV_PAUSE_ASKED, EV_LOAD_STREAMS, EV_ENDED, EV_RUN_ASKED, EV_COUNT },
	    "SNAPSHOT PAUSING PAUSING PAUSED RUNNING run" },
	{ "a pause is taken back",
	    { EV_SETUP_STREAMS, EV_PAUSE_ASKED, EV_RUN_ASKED, EV_ENDED, EV_COUNT },
	    "RUNNING PAUSING RUNNING RUNNING run" },
	{ "trouble keeps the state", { EV_SETUP_STREAMS, EV_DIED, EV_DIED, EV_COUNT },
	    "RUNNING RUNNING RUNNING back_off" },
	{ "failed and resumed", { EV_SETUP_LOADS, EV_FAILED, EV_RUN_ASKED, EV_COUNT },
	    "SNAPSHOT FAILED SNAPSHOT run" },
	{ "an interrupted load is set up anew",
	    { EV_SETUP_LOADS, EV_DIED, EV_SETUP_LOADS, EV_LOAD_STREAMS, EV_COUNT },
	    "SNAPSHOT SNAPSHOT SNAPSHOT RUNNING none" },
	{ "drop", { EV_SETUP_STREAMS, EV_DROP_ASKED, EV_ENDED, EV_DROPPED, EV_COUNT },
	    "RUNNING TERMINATING TERMINATING TERMINATED forget" },
	{ "a drop that fails is tried again",
	    { EV_DROP_ASKED, EV_FAILED, EV_DIED, EV_DROP_ASKED, EV_DROPPED, EV_COUNT },
	    "TERMINATING TERMINATING TERMINATING TERMINATING TERMINATED forget" },
	{ "resync winds up and begins anew",
	    { EV_SETUP_STREAMS, EV_RESYNC_ASKED, EV_ENDED, EV_SETUP_LOADS, EV_LOAD_STREAMS,
		EV_COUNT },
	    "RUNNING RESYNC SETUP SNAPSHOT RUNNING none" },
	{ "resync stops a worker", { EV_SETUP_LOADS, EV_RESYNC_ASKED, EV_COUNT },
	    "SNAPSHOT RESYNC wind_up" },
	{ "resync hears nothing of the earlier run",
	    { EV_SETUP_LOADS, EV_RESYNC_ASKED, EV_LOAD_STREAMS, EV_LOAD_COMPLETES, EV_FAILED,
		EV_SETUP_LOADS, EV_COUNT },
	    "SNAPSHOT RESYNC RESYNC RESYNC SETUP SNAPSHOT none" },
	{ "resync twice", { EV_RESYNC_ASKED, EV_RESYNC_ASKED, EV_DIED, EV_COUNT },
	    "RESYNC RESYNC SETUP run" },
	{ "resync of a paused one",
	    { EV_SETUP_STREAMS, EV_PAUSE_ASKED, EV_ENDED, EV_RESYNC_ASKED, EV_ENDED, EV_COUNT },
	    "RUNNING PAUSING PAUSED RESYNC SETUP run" },
	{ "resync while pausing", { EV_PAUSE_ASKED, EV_RESYNC_ASKED, EV_ENDED, EV_COUNT },
	    "PAUSING RESYNC SETUP run" },
	{ "resync of a failed one", { EV_FAILED, EV_RESYNC_ASKED, EV_ENDED, EV_COUNT },
	    "FAILED RESYNC SETUP run" },
	{ "resync of a completed one",
	    { EV_SETUP_LOADS, EV_LOAD_COMPLETES, EV_RESYNC_ASKED, EV_ENDED, EV_COUNT },
	    "SNAPSHOT COMPLETED RESYNC SETUP run" },
	{ "a drop wins over a resync",
	    { EV_SETUP_STREAMS, EV_RESYNC_ASKED, EV_DROP_ASKED, EV_ENDED, EV_DROPPED, EV_COUNT },
	    "RUNNING RESYNC TERMINATING TERMINATING TERMINATED forget" },
	{ "failed is dropped", { EV_FAILED, EV_DROP_ASKED, EV_COUNT }, "FAILED TERMINATING drop" },
};

static const char *const action_names[] = {
	[MIRROR_ACT_NONE] = "none",
	[MIRROR_ACT_RUN] = "run",
	[MIRROR_ACT_DRAIN] = "drain",
	[MIRROR_ACT_BACK_OFF] = "back_off",
	[MIRROR_ACT_WIND_UP] = "wind_up",
	[MIRROR_ACT_DROP] = "drop",
	[MIRROR_ACT_FORGET] = "forget",
};

START_TEST(walks_through_the_table)
{
	const struct walk *w = &walks[_i];
	struct mirror_step step = { S(SETUP), S(SETUP), MIRROR_ACT_NONE };
	char shown[256] = "";
	size_t n = 0;

	for (const enum mirror_event *ev = w->events; *ev != EV_COUNT; ev++) {
		ck_assert_msg(mirror_fsm_step(step.next, step.phase, *ev, &step),
		    "%s: %s is illegal in %s", w->name, mirror_event_name(*ev),
		    mirror_state_name(step.next));
		n += (size_t)snprintf(shown + n, sizeof(shown) - n, "%s ",
		    mirror_state_name(step.next) + strlen("STATUS_"));
	}
	snprintf(shown + n, sizeof(shown) - n, "%s", action_names[step.action]);
	ck_assert_msg(strcmp(shown, w->shown) == 0, "%s: %s", w->name, shown);
}
END_TEST

struct illegal {
	mirror_state_t state;
	enum mirror_event event;
};

static const struct illegal illegals[] = {
	{ S(UNKNOWN), EV_RUN_ASKED },
	{ S(RUNNING), EV_SETUP_LOADS },
	{ S(RUNNING), EV_LOAD_STREAMS },
	{ S(RUNNING), EV_DROPPED },
	{ S(SETUP), EV_LOAD_STREAMS },
	{ S(COMPLETED), EV_RUN_ASKED },
	{ S(COMPLETED), EV_PAUSE_ASKED },
	{ S(FAILED), EV_PAUSE_ASKED },
	{ S(PAUSED), EV_SETUP_STREAMS },
	{ S(TERMINATING), EV_RUN_ASKED },
	{ S(TERMINATING), EV_PAUSE_ASKED },
	{ S(TERMINATED), EV_RUN_ASKED },
	{ S(TERMINATED), EV_RESYNC_ASKED },
	{ S(TERMINATING), EV_RESYNC_ASKED },
	{ S(RESYNC), EV_PAUSE_ASKED },
	{ (mirror_state_t)-1, EV_RUN_ASKED },
	{ (mirror_state_t)99, EV_RUN_ASKED },
	{ S(RUNNING), EV_COUNT },
};

START_TEST(illegal_events_are_refused_and_change_nothing)
{
	struct mirror_step step = { S(PAUSED), S(SNAPSHOT), MIRROR_ACT_DRAIN };

	ck_assert(!mirror_fsm_step(illegals[_i].state, S(RUNNING), illegals[_i].event, &step));
	ck_assert_int_eq(step.next, S(PAUSED));
	ck_assert_int_eq(step.phase, S(SNAPSHOT));
	ck_assert_int_eq(step.action, MIRROR_ACT_DRAIN);
}
END_TEST

START_TEST(every_entry_stays_in_the_table)
{
	static const mirror_state_t phases[] = { S(SETUP), S(SNAPSHOT), S(RUNNING) };
	struct mirror_step step;

	for (int state = 0; state < STATES; state++)
		for (int ev = 0; ev < EV_COUNT; ev++)
			for (int p = 0; p < 3; p++) {
				if (!mirror_fsm_step(state, phases[p], ev, &step))
					continue;
				ck_assert_int_ne(step.next, S(UNKNOWN));
				ck_assert(step.phase == S(SETUP) || step.phase == S(SNAPSHOT) ||
				    step.phase == S(RUNNING));
				/* only a state that has a worker asks for one */
				if (step.action == MIRROR_ACT_RUN ||
				    step.action == MIRROR_ACT_BACK_OFF)
					ck_assert(mirror_state_has_worker(step.next));
			}
}
END_TEST

START_TEST(a_worker_may_end_in_any_state_that_has_one)
{
	struct mirror_step step;

	for (int state = 0; state < STATES; state++) {
		if (!mirror_state_has_worker(state))
			continue;
		ck_assert(mirror_fsm_step(state, S(RUNNING), EV_ENDED, &step));
		ck_assert(mirror_fsm_step(state, S(RUNNING), EV_DIED, &step));
		ck_assert(mirror_fsm_step(state, S(RUNNING), EV_FAILED, &step));
		ck_assert(mirror_fsm_step(state, S(RUNNING), EV_DROP_ASKED, &step));
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mirror_fsm");
	TCase *tc = tcase_create("mirror_fsm");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, walks_through_the_table, 0, sizeof(walks) / sizeof(walks[0]));
	tcase_add_loop_test(tc, illegal_events_are_refused_and_change_nothing, 0,
	    sizeof(illegals) / sizeof(illegals[0]));
	tcase_add_test(tc, every_entry_stays_in_the_table);
	tcase_add_test(tc, a_worker_may_end_in_any_state_that_has_one);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
