/*
 * Mirrors: every column there and back, state and its history, generations
 * that only grow, and what a dropped mirror leaves behind.
 */
#include "tests/unit/catalog/fixture.h"

#define SETUP	 PEERDB_FLOW__FLOW_STATUS__STATUS_SETUP
#define SNAPSHOT PEERDB_FLOW__FLOW_STATUS__STATUS_SNAPSHOT
#define RUNNING	 PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING

static struct {
	size_t n;
	struct catalog_mirror m;
	char source[64], destination[64], config[64], tables[64], error[64], hint[64];
} seen;

static void
copy_slice(char *to, size_t size, struct slice s)
{
	snprintf(to, size, "%.*s", (int)s.n, (const char *)s.p);
}

static void
on_mirrors(void *arg, const struct err *why, const struct catalog_mirror *rows, size_t n)
{
	on_done(arg, why);
	seen.n = n;
	if (n == 0)
		return;
	seen.m = rows[0];
	snprintf(seen.source, sizeof(seen.source), "%s", rows[0].source);
	snprintf(seen.destination, sizeof(seen.destination), "%s", rows[0].destination);
	snprintf(seen.error, sizeof(seen.error), "%s", rows[0].state.error);
	snprintf(seen.hint, sizeof(seen.hint), "%s", rows[0].state.error_hint);
	copy_slice(seen.config, sizeof(seen.config), rows[0].config);
	copy_slice(seen.tables, sizeof(seen.tables), rows[0].tables);
}

static void
load(void)
{
	catalog_mirrors_load(cat, on_mirrors, NULL);
	expect(ERR_NONE);
}

static struct catalog_mirror_state
state(int32_t status)
{
	return (struct catalog_mirror_state){ .wanted = CATALOG_WANT_RUNNING,
		.status = status,
		.phase = status };
}

static void
set_state(const struct catalog_mirror_state *s, const char *event)
{
	catalog_mirror_set_state(cat, "m", s, event, on_done, NULL);
	expect(ERR_NONE);
}

START_TEST(a_new_mirror_comes_back_as_it_was)
{
	usec_t now = clock_wall_us();

	reopen();
	load();
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.source, "src");
	ck_assert_str_eq(seen.destination, "dst");
	ck_assert_str_eq(seen.config, "mirror config");
	ck_assert_str_eq(seen.tables, "");
	ck_assert_int_eq(seen.m.state.wanted, CATALOG_WANT_RUNNING);
	ck_assert_int_eq(seen.m.state.status, SETUP);
	ck_assert_int_eq(seen.m.state.phase, SETUP);
	ck_assert_uint_eq(seen.m.generation, 0);
	ck_assert_uint_eq(seen.m.next_batch_id, 1);
	ck_assert_uint_eq(seen.m.checkpoint, 0);
	ck_assert_int_le(seen.m.created_us, now);
	ck_assert_str_eq(seen.error, "");
}
END_TEST

START_TEST(a_name_is_taken_once)
{
	struct catalog_mirror m = { .name = "m",
		.source = "src",
		.destination = "dst",
		.state = state(SETUP) };

	catalog_mirror_insert(cat, &m, on_done, NULL);
	expect(ERR_EXISTS);
	ck_assert_str_eq(answer.err.msg, "mirror \"m\" exists already");
}
END_TEST

START_TEST(its_peers_must_exist)
{
	struct catalog_mirror m = { .name = "n",
		.source = "src",
		.destination = "nowhere",
		.state = state(SETUP) };

	catalog_mirror_insert(cat, &m, on_done, NULL);
	expect(ERR_NOT_FOUND);
	ck_assert_str_eq(answer.err.msg, "peer \"nowhere\" does not exist");
	load();
	ck_assert_uint_eq(seen.n, 1);
}
END_TEST

START_TEST(config_and_tables_change)
{
	catalog_mirror_set_config(cat, "m", slice_str("new config"), on_done, NULL);
	expect(ERR_NONE);
	catalog_mirror_set_tables(cat, "m", slice_str("tables"), on_done, NULL);
	expect(ERR_NONE);
	load();
	ck_assert_str_eq(seen.config, "new config");
	ck_assert_str_eq(seen.tables, "tables");
}
END_TEST

START_TEST(the_whole_state_is_stored)
{
	struct catalog_mirror_state s = {
		.wanted = CATALOG_WANT_DROPPED,
		.status = PEERDB_FLOW__FLOW_STATUS__STATUS_TERMINATING,
		.phase = SNAPSHOT,
		.drop_stats = true,
		.skip_destination_drop = true,
		.error_code = ERR_CONFIG,
		.error = "slot is gone",
		.error_hint = "make it again",
	};

	set_state(&s, "drop_asked");
	reopen();
	load();
	ck_assert_int_eq(seen.m.state.wanted, CATALOG_WANT_DROPPED);
	ck_assert_int_eq(seen.m.state.status, s.status);
	ck_assert_int_eq(seen.m.state.phase, SNAPSHOT);
	ck_assert(seen.m.state.drop_stats);
	ck_assert(seen.m.state.skip_destination_drop);
	ck_assert_int_eq(seen.m.state.error_code, ERR_CONFIG);
	ck_assert_str_eq(seen.error, "slot is gone");
	ck_assert_str_eq(seen.hint, "make it again");
}
END_TEST

START_TEST(a_config_comes_with_the_state_or_stays)
{
	struct catalog_mirror_state s = state(SETUP);

	s.config = slice_str("for a resync");
	set_state(&s, "resync_asked");
	load();
	ck_assert_str_eq(seen.config, "for a resync");
	s = state(SNAPSHOT);
	set_state(&s, "setup_done");
	load();
	ck_assert_str_eq(seen.config, "for a resync");
	ck_assert_int_eq(seen.m.state.status, SNAPSHOT);
}
END_TEST

START_TEST(a_trouble_leaves_the_state_alone)
{
	struct err why = ERR_INIT;

	err_set(&why, ERR_TRANSIENT, "connection lost");
	err_hint(&why, "wait");
	catalog_mirror_set_error(cat, "m", &why, NULL, NULL);
	load();
	ck_assert_str_eq(seen.error, "connection lost");
	ck_assert_str_eq(seen.hint, "wait");
	ck_assert_int_eq(seen.m.state.error_code, ERR_TRANSIENT);
	ck_assert_int_eq(seen.m.state.status, SETUP);
	catalog_mirror_set_error(cat, "m", NULL, NULL, NULL);
	load();
	ck_assert_str_eq(seen.error, "");
	ck_assert_int_eq(seen.m.state.error_code, ERR_NONE);
}
END_TEST

START_TEST(generations_only_grow)
{
	catalog_mirror_set_generation(cat, "m", 7, on_done, NULL);
	expect(ERR_NONE);
	reopen();
	catalog_mirror_set_generation(cat, "m", 7, on_done, NULL);
	expect(ERR_BUG);
	load();
	ck_assert_uint_eq(seen.m.generation, 7);
}
END_TEST

START_TEST(the_checkpoint_never_goes_back)
{
	catalog_mirror_set_checkpoint(cat, "m", 0x1600000020, NULL, NULL);
	catalog_mirror_set_checkpoint(cat, "m", 0x1600000010, NULL, NULL);
	load();
	ck_assert_uint_eq(seen.m.checkpoint, 0x1600000020);
	ck_assert(catalog_flush(cat, &err));
	ck_assert_str_eq(sql("SELECT checkpoint FROM v_mirrors"), "16/20");
}
END_TEST

static void
call_set_config(const char *name)
{
	catalog_mirror_set_config(cat, name, slice_str(""), on_done, NULL);
}

static void
call_set_tables(const char *name)
{
	catalog_mirror_set_tables(cat, name, slice_str(""), on_done, NULL);
}

static void
call_set_state(const char *name)
{
	struct catalog_mirror_state s = state(RUNNING);

	catalog_mirror_set_state(cat, name, &s, "x", on_done, NULL);
}

static void
call_set_generation(const char *name)
{
	catalog_mirror_set_generation(cat, name, 9, on_done, NULL);
}

static void
call_set_checkpoint(const char *name)
{
	catalog_mirror_set_checkpoint(cat, name, 1, on_done, NULL);
}

static void
call_set_error(const char *name)
{
	catalog_mirror_set_error(cat, name, NULL, on_done, NULL);
}

static void
call_delete(const char *name)
{
	catalog_mirror_delete(cat, name, true, on_done, NULL);
}

static void (*const calls[])(const char *name) = { call_set_config, call_set_tables, call_set_state,
	call_set_generation, call_set_checkpoint, call_set_error, call_delete };

START_TEST(an_unknown_mirror_is_not_found)
{
	calls[_i]("other");
	expect(ERR_NOT_FOUND);
	ck_assert_str_eq(answer.err.msg, "mirror \"other\" does not exist");
}
END_TEST

/* ---- history */

static struct catalog_state_change changes[8];
static char events[8][32];
static size_t n_changes;

static void
on_history(void *arg, const struct err *why, const struct catalog_state_change *rows, size_t n)
{
	size_t i;

	on_done(arg, why);
	n_changes = n;
	for (i = 0; i < n && i < 8; i++) {
		changes[i] = rows[i];
		snprintf(events[i], sizeof(events[i]), "%s", rows[i].event);
	}
}

START_TEST(every_change_of_status_is_history)
{
	struct catalog_mirror_state snapshot = state(SNAPSHOT), running = state(RUNNING);

	set_state(&snapshot, "setup_done");
	set_state(&snapshot, "same_again");
	set_state(&running, "snapshot_done");
	catalog_history_list(cat, "m", 8, on_history, NULL);
	expect(ERR_NONE);
	ck_assert_uint_eq(n_changes, 3);
	ck_assert_str_eq(events[0], "snapshot_done");
	ck_assert_int_eq(changes[0].from, SNAPSHOT);
	ck_assert_int_eq(changes[0].to, RUNNING);
	ck_assert_str_eq(events[1], "setup_done");
	ck_assert_str_eq(events[2], "created");
	ck_assert_int_eq(changes[2].from, 0);
	catalog_history_list(cat, "m", 1, on_history, NULL);
	expect(ERR_NONE);
	ck_assert_uint_eq(n_changes, 1);
}
END_TEST

START_TEST(state_since_moves_with_the_status_only)
{
	struct catalog_mirror_state s = state(SNAPSHOT);
	usec_t since;

	set_state(&s, "setup_done");
	load();
	since = seen.m.state_us;
	s.error = "trouble";
	set_state(&s, "trouble");
	load();
	ck_assert_int_eq(seen.m.state_us, since);
	ck_assert_int_ge(seen.m.updated_us, since);
}
END_TEST

/* ---- the end */

static void
add_history(void)
{
	struct catalog_counts counts = { .destination = "public.t", .inserts = 5 };
	struct catalog_batch b = { .batch_id = 3, .start_lsn = 1, .end_lsn = 2, .rows = 5 };
	struct catalog_log l = { .mirror = "m", .level = "info", .message = "hello" };

	catalog_batch_add(cat, "m", &b, &counts, 1, NULL, NULL);
	catalog_log_add(cat, &l, NULL, NULL);
}

static void
drop(bool stats)
{
	catalog_mirror_delete(cat, "m", stats, on_done, NULL);
	expect(ERR_NONE);
	load();
	ck_assert_uint_eq(seen.n, 0);
}

START_TEST(a_dropped_mirror_leaves_its_history)
{
	add_history();
	load();
	ck_assert_uint_eq(seen.m.next_batch_id, 4);
	drop(false);
	ck_assert_str_eq(sql("SELECT count(*) FROM v_batches"), "1");
	ck_assert_str_eq(sql("SELECT count(*) FROM v_logs"), "1");
	ck_assert_str_eq(sql("SELECT count(*) FROM v_state_history"), "1");
}
END_TEST

START_TEST(unless_that_shall_go_too)
{
	add_history();
	drop(true);
	ck_assert_str_eq(sql("SELECT count(*) FROM v_batches"), "0");
	ck_assert_str_eq(sql("SELECT count(*) FROM v_table_counts"), "0");
	ck_assert_str_eq(sql("SELECT count(*) FROM batch_totals"), "0");
	ck_assert_str_eq(sql("SELECT count(*) FROM v_logs"), "0");
	ck_assert_str_eq(sql("SELECT count(*) FROM v_state_history"), "0");
}
END_TEST

START_TEST(a_new_mirror_of_the_name_counts_from_one)
{
	add_history();
	drop(false);
	add_mirror("m");
	load();
	ck_assert_uint_eq(seen.m.next_batch_id, 1);
	ck_assert_str_eq(sql("SELECT count(*) FROM v_batches"), "0");
	ck_assert_str_eq(sql("SELECT count(*) FROM v_logs"), "1");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("mirrors");

	tcase_add_checked_fixture(tc, setup_mirror, remove_dir);
	tcase_add_test(tc, a_new_mirror_comes_back_as_it_was);
	tcase_add_test(tc, a_name_is_taken_once);
	tcase_add_test(tc, its_peers_must_exist);
	tcase_add_test(tc, config_and_tables_change);
	tcase_add_test(tc, the_whole_state_is_stored);
	tcase_add_test(tc, a_config_comes_with_the_state_or_stays);
	tcase_add_test(tc, a_trouble_leaves_the_state_alone);
	tcase_add_test(tc, generations_only_grow);
	tcase_add_test(tc, the_checkpoint_never_goes_back);
	tcase_add_loop_test(tc, an_unknown_mirror_is_not_found, 0,
	    sizeof(calls) / sizeof(calls[0]));
	tcase_add_test(tc, every_change_of_status_is_history);
	tcase_add_test(tc, state_since_moves_with_the_status_only);
	tcase_add_test(tc, a_dropped_mirror_leaves_its_history);
	tcase_add_test(tc, unless_that_shall_go_too);
	tcase_add_test(tc, a_new_mirror_of_the_name_counts_from_one);
	return run_suite("mirrors", tc);
}
