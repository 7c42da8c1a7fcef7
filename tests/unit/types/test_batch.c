#include <check.h>
#include <stdlib.h>

#include "lib/base/limits.h"
#include "lib/types/batch.h"
#include "tests/unit/types/table_fixture.h"

static struct arena *a;
static struct table *t[2];
static struct batch *b;

static void
setup(void)
{
	a = arena_new(4096);
	t[0] = fixture_table(a, 0, "id:1 note");
	t[1] = fixture_table(a, 1, "id:1");
	b = batch_new(2);
}

static void
teardown(void)
{
	batch_free(&b);
	ck_assert_ptr_null(b);
	arena_free(&a);
}

static void
add(struct table *table, enum change_op op)
{
	const struct row *r = fixture_row(b->arena, table, "1|x");

	batch_add(b, table, op, op == CHANGE_INSERT ? NULL : r, false,
	    op == CHANGE_DELETE ? NULL : r);
}

/*
 * What a stream brings, a letter each: c a change, T a TRUNCATE, D a DDL
 * statement, 1 to 9 a commit at that position.
 */
static void
play(const char *script)
{
	for (; *script != '\0'; script++) {
		if (*script == 'c')
			add(t[0], CHANGE_INSERT);
		else if (*script == 'T')
			batch_truncate(b, t, 2, false, false);
		else if (*script == 'D')
			batch_ddl(b, "ALTER TABLE t");
		else if (*script == 'M')
			batch_message(b, &(struct logical_message){ .prefix = "p" });
		else
			batch_commit(b, (lsn_t)(*script - '0'), 100 * (*script - '0'));
	}
}

/* Segments in one line: "0-2@5" changes 0 and 1 up to the commit at 5, then barriers T, D and M. */
static const char *
segments(void)
{
	const struct segment *s;
	struct buf text;
	uint32_t i;
	const char *line;

	buf_init(&text, 4096);
	for (i = 0; i < b->nsegments; i++) {
		s = &b->segments[i];
		buf_str_add(&text, i > 0 ? " " : "");
		if (s->kind == SEGMENT_CHANGES)
			buf_printf(&text, "%u-%u", s->from, s->to);
		else
			buf_char(&text, " TDM"[s->kind]);
		if (s->commit_lsn != LSN_INVALID)
			buf_printf(&text, "@%u", (unsigned)s->commit_lsn);
	}
	line = arena_strdup(a, buf_str(&text));
	buf_done(&text);
	return line;
}

static const struct {
	const char *script, *segments;
	bool at_commit;
} scripts[] = {
	{ "", "", true },
	/* whole transactions: one segment up to the last commit */
	{ "c1", "0-1@1", true },
	{ "ccc1", "0-3@1", true },
	{ "c1cc2c3", "0-4@3", true },
	/* an open transaction at the end */
	{ "c", "0-1", false },
	{ "c1c", "0-1@1 1-2", false },
	{ "cc1c2cc", "0-3@2 3-5", false },
	/* barriers */
	{ "T1", "T@1", true },
	{ "T", "T", false },
	{ "D1", "D@1", true },
	{ "cT1", "0-1 T@1", true },
	{ "c1T2", "0-1@1 T@2", true },
	{ "c1T", "0-1@1 T", false },
	{ "cT", "0-1 T", false },
	{ "Tc1", "T 0-1@1", true },
	{ "Tc", "T 0-1", false },
	{ "T1c", "T@1 0-1", false },
	{ "T1c2", "T@1 0-1@2", true },
	{ "TT1", "T T@1", true },
	{ "TD1", "T D@1", true },
	{ "M1", "M@1", true },
	{ "c1M2cMc3", "0-1@1 M@2 1-2 M 2-3@3", true },
	{ "c1ccTc2c3", "0-1@1 1-3 T 3-5@3", true },
	{ "c1cTcDc2", "0-1@1 1-2 T 2-3 D 3-4@2", true },
	{ "cTc1T2", "0-1 T 1-2@1 T@2", true },
	/* the commit of what an earlier batch began */
	{ "1", "0-0@1", true },
	{ "1c2", "0-0@1 0-1@2", true },
	{ "1c", "0-0@1 0-1", false },
	{ "1T2", "0-0@1 T@2", true },
	{ "12", "0-0@2", true },
};

START_TEST(segments_end_on_commits)
{
	play(scripts[_i].script);
	batch_close(b);
	ck_assert_str_eq(segments(), scripts[_i].segments);
}
END_TEST

START_TEST(knows_whether_it_is_at_a_commit)
{
	play(scripts[_i].script);
	ck_assert(batch_at_commit(b) == scripts[_i].at_commit);
	batch_close(b);
	ck_assert(batch_at_commit(b) == scripts[_i].at_commit);
}
END_TEST

START_TEST(only_nothing_is_empty)
{
	play(scripts[_i].script);
	ck_assert(batch_empty(b) == (scripts[_i].script[0] == '\0'));
}
END_TEST

START_TEST(closing_twice_changes_nothing)
{
	play(scripts[_i].script);
	batch_close(b);
	batch_close(b);
	ck_assert_str_eq(segments(), scripts[_i].segments);
}
END_TEST

START_TEST(reset_makes_it_new)
{
	play(scripts[_i].script);
	batch_close(b);
	batch_reset(b);
	ck_assert(batch_empty(b));
	ck_assert(batch_at_commit(b));
	play("cc7");
	batch_close(b);
	ck_assert_str_eq(segments(), "0-2@7");
}
END_TEST

START_TEST(positions_are_of_first_and_last_commit)
{
	ck_assert_uint_eq(b->end_lsn, LSN_INVALID);
	play("c3c4c6c");
	ck_assert_uint_eq(b->start_lsn, 3);
	ck_assert_uint_eq(b->end_lsn, 6);
	ck_assert_int_eq(b->commit_us, 600);
}
END_TEST

START_TEST(counts_by_table_and_operation)
{
	add(t[0], CHANGE_INSERT);
	add(t[1], CHANGE_DELETE);
	add(t[1], CHANGE_UPDATE);
	add(t[1], CHANGE_DELETE);
	ck_assert_uint_eq(b->counts[0][CHANGE_INSERT], 1);
	ck_assert_uint_eq(b->counts[0][CHANGE_DELETE], 0);
	ck_assert_uint_eq(b->counts[1][CHANGE_UPDATE], 1);
	ck_assert_uint_eq(b->counts[1][CHANGE_DELETE], 2);
}
END_TEST

START_TEST(reset_forgets_counts)
{
	add(t[1], CHANGE_DELETE);
	batch_reset(b);
	ck_assert_uint_eq(b->counts[1][CHANGE_DELETE], 0);
}
END_TEST

START_TEST(knows_which_transaction_a_change_is_of)
{
	const struct transaction tx[] = {
		{ .xid = 7, .commit_lsn = 70, .commit_us = 1 },
		{ .xid = 8, .commit_lsn = 80, .commit_us = 2 },
	};

	batch_begin(b, &tx[0]);
	play("c");
	batch_begin(b, &tx[0]);
	play("c1");
	batch_begin(b, &tx[1]);
	play("c2");
	ck_assert_uint_eq(2, b->ntransactions);
	ck_assert_uint_eq(7, b->transactions[0].xid);
	ck_assert_uint_eq(0, b->transactions[0].from);
	ck_assert_uint_eq(8, b->transactions[1].xid);
	ck_assert_uint_eq(2, b->transactions[1].from);
	batch_reset(b);
	ck_assert_uint_eq(0, b->ntransactions);
}
END_TEST

START_TEST(truncate_keeps_its_tables)
{
	struct table *list[] = { t[1] };

	batch_truncate(b, list, 1, true, true);
	list[0] = NULL;
	ck_assert_uint_eq(b->segments[0].ntables, 1);
	ck_assert_ptr_eq(b->segments[0].tables[0], t[1]);
	ck_assert(b->segments[0].cascade);
	ck_assert(b->segments[0].restart);
}
END_TEST

START_TEST(ddl_keeps_its_statement)
{
	char sql[] = "ALTER TABLE t ADD x int";

	batch_ddl(b, sql);
	memset(sql, 'x', sizeof(sql) - 1);
	ck_assert_str_eq(b->segments[0].sql, "ALTER TABLE t ADD x int");
}
END_TEST

START_TEST(message_keeps_its_bytes)
{
	char prefix[] = "audit", content[] = "a\0b";
	const struct logical_message m = {
		.prefix = prefix,
		.content = slice_of(content, 3),
		.lsn = 77,
	};
	const struct logical_message *kept;

	batch_message(b, &m);
	memset(prefix, 'x', sizeof(prefix) - 1);
	memset(content, 'x', sizeof(content) - 1);
	kept = b->segments[0].message;
	ck_assert_str_eq(kept->prefix, "audit");
	ck_assert_uint_eq(kept->content.n, 3);
	ck_assert_mem_eq(kept->content.p, "a\0b", 3);
	ck_assert_uint_eq(kept->lsn, 77);
}
END_TEST

START_TEST(a_message_alone_is_no_transaction_at_its_end)
{
	const struct transaction alone = { .commit_lsn = 70 }, tx = { .xid = 7, .commit_lsn = 70 };

	batch_begin(b, &alone);
	play("M1");
	batch_begin(b, &tx);
	play("c2");
	ck_assert_uint_eq(2, b->ntransactions);
	ck_assert_uint_eq(0, b->transactions[0].xid);
	ck_assert_uint_eq(7, b->transactions[1].xid);
}
END_TEST

static const char *const openers[] = { "c", "T", "D", "M", "1" };

START_TEST(opens_with_its_first_change)
{
	usec_t before = clock_wall_us(), opened;

	ck_assert_int_eq(b->opened_us, 0);
	play(openers[_i]);
	opened = b->opened_us;
	ck_assert_int_ge(opened, before);
	play("cTD");
	ck_assert_int_eq(b->opened_us, opened);
}
END_TEST

START_TEST(changes_survive_growth)
{
	uint32_t i;

	for (i = 0; i < 5000; i++)
		add(t[i % 2], (enum change_op)(i % CHANGE_OPS));
	for (i = 0; i < 5000; i++) {
		ck_assert_ptr_eq(b->changes[i].table, t[i % 2]);
		ck_assert_uint_eq(b->changes[i].op, i % CHANGE_OPS);
	}
}
END_TEST

START_TEST(full_at_the_mirrors_limit)
{
	play("cc");
	ck_assert(!batch_full(b, 3));
	play("c");
	ck_assert(batch_full(b, 3));
}
END_TEST

START_TEST(full_at_the_byte_limit)
{
	arena_alloc(b->arena, BATCH_BYTES_MAX - 8);
	ck_assert(!batch_full(b, UINT32_MAX));
	arena_alloc(b->arena, 8);
	ck_assert(batch_full(b, UINT32_MAX));
}
END_TEST

START_TEST(full_of_messages)
{
	uint32_t i;

	for (i = 0; i < BATCH_CHANGES_MAX && !batch_full(b, UINT32_MAX); i++)
		batch_message(b, &(struct logical_message){ .prefix = "" });
	ck_assert(batch_full(b, UINT32_MAX));
}
END_TEST

START_TEST(full_at_the_change_limit)
{
	uint32_t i;

	for (i = 0; i < BATCH_CHANGES_MAX; i++) {
		ck_assert(!batch_full(b, UINT32_MAX));
		batch_add(b, t[0], CHANGE_INSERT, NULL, false, NULL);
	}
	ck_assert(batch_full(b, UINT32_MAX));
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *s = suite_create("batch");
	TCase *tc = tcase_create("batch");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	LOOP(tc, segments_end_on_commits, scripts);
	LOOP(tc, knows_whether_it_is_at_a_commit, scripts);
	LOOP(tc, only_nothing_is_empty, scripts);
	LOOP(tc, closing_twice_changes_nothing, scripts);
	LOOP(tc, reset_makes_it_new, scripts);
	tcase_add_test(tc, positions_are_of_first_and_last_commit);
	tcase_add_test(tc, counts_by_table_and_operation);
	tcase_add_test(tc, reset_forgets_counts);
	tcase_add_test(tc, knows_which_transaction_a_change_is_of);
	tcase_add_test(tc, truncate_keeps_its_tables);
	tcase_add_test(tc, ddl_keeps_its_statement);
	tcase_add_test(tc, message_keeps_its_bytes);
	tcase_add_test(tc, a_message_alone_is_no_transaction_at_its_end);
	LOOP(tc, opens_with_its_first_change, openers);
	tcase_add_test(tc, changes_survive_growth);
	tcase_add_test(tc, full_at_the_mirrors_limit);
	tcase_add_test(tc, full_at_the_byte_limit);
	tcase_add_test(tc, full_of_messages);
	tcase_add_test(tc, full_at_the_change_limit);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
