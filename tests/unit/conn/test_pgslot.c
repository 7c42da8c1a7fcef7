#include "lib/conn/pgslot.h"

#include <check.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

static struct arena *a;

static void
setup(void)
{
	a = arena_new(1024);
}

static void
teardown(void)
{
	arena_free(&a);
}

/* ---- names */

static const struct {
	const char *given_slot, *given_publication; /* NULL: absent */
	const char *slot, *publication;
	bool slot_ours, publication_ours;
} name_rows[] = {
	{ NULL, NULL, "peerflow_slot_m", "peerflow_pub_m", true, true },
	{ "", "", "peerflow_slot_m", "peerflow_pub_m", true, true },
	{ "peerflow_slot_m", "peerflow_pub_m", "peerflow_slot_m", "peerflow_pub_m", true, true },
	{ "peerflow_slot_m2", "peerflow_pub_", "peerflow_slot_m2", "peerflow_pub_", false, false },
	{ "mine", "All \"of it", "mine", "All \"of it", false, false },
};

START_TEST(what_is_given_wins_and_is_not_ours)
{
	PeerdbFlow__FlowConnectionConfigs cfg = PEERDB_FLOW__FLOW_CONNECTION_CONFIGS__INIT;

	cfg.flow_job_name = (char *)(uintptr_t) "m";
	if (name_rows[_i].given_slot != NULL) {
		cfg.replication_slot_name = (char *)(uintptr_t)name_rows[_i].given_slot;
		cfg.publication_name = (char *)(uintptr_t)name_rows[_i].given_publication;
	}
	ck_assert_str_eq(pgslot_name(a, &cfg), name_rows[_i].slot);
	ck_assert_str_eq(pgslot_publication(a, &cfg), name_rows[_i].publication);
	ck_assert_int_eq(pgslot_name_is_ours(&cfg), name_rows[_i].slot_ours);
	ck_assert_int_eq(pgslot_publication_is_ours(&cfg), name_rows[_i].publication_ours);
}
END_TEST

/* ---- can an existing slot be used */

#define GOOD .exists = true, .here = true, .plugin = "pgoutput", .database = "d"

static const struct {
	struct pgslot_state st;
	const char *words; /* of the error; NULL: usable */
} state_rows[] = {
	{ { GOOD }, NULL },
	{ { GOOD, .active_pid = 7 }, NULL },
	{ { .exists = false }, "does not exist" },
	{ { .exists = true, .here = true, .plugin = "wal2json" },
	    "not a logical slot of pgoutput" },
	{ { .exists = true, .plugin = "" }, "not a logical slot of pgoutput" }, /* physical */
	{ { .exists = true, .plugin = "pgoutput", .database = "d" }, "belongs to database \"d\"" },
	{ { GOOD, .temporary = true }, "is temporary" },
	{ { GOOD, .lost = true }, "is lost" },
};

START_TEST(a_slot_that_cannot_serve_is_refused_with_a_way_out)
{
	struct err err = ERR_INIT;
	bool ok = pgslot_usable("s", &state_rows[_i].st, &err);

	ck_assert_int_eq(ok, state_rows[_i].words == NULL);
	if (ok)
		return;
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, state_rows[_i].words));
	ck_assert_int_gt(strlen(err.hint), 0);
}
END_TEST

#define ROWS(x) (int)(sizeof(x) / sizeof((x)[0]))

int
main(void)
{
	Suite *s = suite_create("pgslot");
	TCase *tc = tcase_create("pgslot");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, what_is_given_wins_and_is_not_ours, 0, ROWS(name_rows));
	tcase_add_loop_test(tc, a_slot_that_cannot_serve_is_refused_with_a_way_out, 0,
	    ROWS(state_rows));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
