#include <check.h>
#include <stdlib.h>

#include "tests/unit/sink/sink_fixture.h"

static struct batch *b;

/* ---- a segment as the list of its tasks */

static const char *const stmt_names[STMT_KINDS] = {
	[STMT_INSERT] = "insert",
	[STMT_UPSERT] = "upsert",
	[STMT_UPDATE] = "update",
	[STMT_DELETE] = "delete",
	[STMT_DELETE_ARRAY] = "delete array",
	[STMT_SOFT_DELETE] = "soft delete",
	[STMT_SOFT_DELETE_ARRAY] = "soft delete array",
};

static void
print_task(struct buf *out, const struct task *task)
{
	if (out->n > 0)
		buf_str_add(out, "; ");
	if (task->pt != NULL && task->pt->t->index > 0)
		buf_printf(out, "%s ", task->pt->t->destination_name);
	if (task->kind == TASK_SQL)
		buf_str_add(out, task->sql);
	else if (task->kind == TASK_CHECKPOINT)
		buf_str_add(out, "checkpoint");
	else if (task->kind == TASK_ORDERED)
		buf_printf(out, "ordered %u", task->c->nchanges);
	else if (task->kind == TASK_COPY)
		buf_printf(out, "copy %u", task->set.n);
	else
		buf_printf(out, "%s%s %u", stmt_names[task->stmt],
		    task->kind == TASK_SINGLES ? " singly" : "", task->set.n);
}

/* Without the BEGIN, checkpoint and COMMIT around them. */
static const char *
tasks_text(uint32_t from, uint32_t to)
{
	const char *text;
	struct buf out;
	uint32_t i;

	buf_init(&out, 65536);
	for (i = from; i < to; i++)
		print_task(&out, &fx.s.tasks.v[i]);
	text = arena_strdup(fx.a, buf_str(&out));
	buf_done(&out);
	return text;
}

static void
begin(const char *columns, const char *soft_delete, bool binary)
{
	fx_begin(columns);
	fx.s.soft_delete = soft_delete;
	fx.pt[0].t->binary = binary;
	b = batch_new(2);
	fx.s.b = b;
}

static void
end(void)
{
	batch_free(&b);
	fx_end();
}

static const char *
inner_tasks(void)
{
	batch_commit(b, 7, 1);
	batch_close(b);
	pg_tasks_build(&fx.s, &b->segments[0]);
	return tasks_text(1, fx.s.tasks.n - 2);
}

/* Columns id, x. */
static const struct {
	const char *changes, *soft_delete;
	bool binary;
	enum pg_mode mode;
	const char *tasks;
} cases[] = {
	{ "+1|a +2|b", "", false, MODE_FAST, "insert 2" },
	{ "=1|a =2|b", "", false, MODE_FAST, "update 2" },
	{ "=1|?", "", false, MODE_FAST, "update singly 1" },
	{ "-1|~", "", false, MODE_FAST, "delete 1" },
	{ "-1|~ -2|~", "", false, MODE_FAST, "delete 2" },
	/* binary keys fit into one array */
	{ "-1|~", "", true, MODE_FAST, "delete 1" },
	{ "-1|~ -2|~", "", true, MODE_FAST, "delete array 2" },
	{ "-1|~ -2|~", "_del", true, MODE_FAST, "soft delete array 2" },
	/* rows go before rows come */
	{ "+1|a =2|b =3|? -4|~", "", false, MODE_FAST,
	    "delete 1; update 1; update singly 1; insert 1" },
	/* kept rows: deletes flag, inserts take over */
	{ "+1|a", "_del", false, MODE_FAST, "upsert 1" },
	{ "-1|~", "_del", false, MODE_FAST, "soft delete 1" },
	{ "-1|~ +1|a", "_del", false, MODE_FAST, "update 1" },
	/* a row that came and went leaves nothing, or a flagged one */
	{ "+1|a -1|~", "", false, MODE_FAST, "" },
	{ "+1|a -1|~", "_del", false, MODE_FAST, "upsert 1; soft delete 1" },
	{ "+1|a -1|~ +2|b", "_del", false, MODE_FAST, "upsert 1; soft delete 1; upsert 1" },
	/* what cannot be told apart, and the careful mode */
	{ "k1|~>2|?", "", false, MODE_FAST, "ordered 1" },
	{ "+1|a =2|b -3|~", "", false, MODE_UPSERT, "delete 1; update 1; insert 1" },
	{ "+1|a =2|b -3|~", "_del", false, MODE_UPSERT, "soft delete 1; update 1; upsert 1" },
	{ "+1|a =2|b -3|~", "", false, MODE_ORDERED, "ordered 3" },
};

START_TEST(segment_becomes_tasks)
{
	begin("id:1 x", cases[_i].soft_delete, cases[_i].binary);
	fx.s.mode = cases[_i].mode;
	fixture_changes(b, fx.pt[0].t, cases[_i].changes);
	ck_assert_str_eq(inner_tasks(), cases[_i].tasks);
	end();
}
END_TEST

/* How many rows are inserted, whether deleted ones are kept, whether the key is unique there. */
static const struct {
	uint32_t rows;
	const char *soft_delete;
	bool unique;
	enum pg_mode mode;
	const char *tasks;
} inserts[] = {
	{ 999, "", true, MODE_FAST, "insert 999" },
	{ 1000, "", true, MODE_FAST, "copy 1000" },
	{ 999, "_del", true, MODE_FAST, "upsert 999" },
	{ 1000, "_del", true, MODE_FAST, "copy 1000" },
	{ 1000, "_del", true, MODE_UPSERT, "upsert 1000" },
	/* nothing there keeps a deleted row and its successor apart */
	{ 1000, "_del", false, MODE_UPSERT, "ordered 1000" },
	{ 999, "_del", false, MODE_FAST, "ordered 999" },
};

START_TEST(many_rows_are_copied)
{
	uint32_t i;

	begin("id:1 x", inserts[_i].soft_delete, false);
	fx.s.mode = inserts[_i].mode;
	fx.pt[0].unique = inserts[_i].unique;
	for (i = 0; i < inserts[_i].rows; i++)
		fixture_change(b, fx.pt[0].t, '+', arena_printf(fx.a, "%u|a", i), NULL);
	ck_assert_str_eq(inner_tasks(), inserts[_i].tasks);
	end();
}
END_TEST

/* ---- two tables, one with key and one with the key alone */

static void
setup(void)
{
	begin("id:1 x", "", false);
}

START_TEST(tables_follow_each_other)
{
	fixture_changes(b, fx.pt[1].t, "=1");
	fixture_changes(b, fx.pt[0].t, "+1|a");
	fixture_changes(b, fx.pt[1].t, "-2");
	ck_assert_str_eq(inner_tasks(), "d1 delete 1; d1 update 1; insert 1");
}
END_TEST

START_TEST(ordered_keeps_the_order_over_tables)
{
	fx.s.mode = MODE_ORDERED;
	fixture_changes(b, fx.pt[1].t, "=1");
	fixture_changes(b, fx.pt[0].t, "+1|a +2|a");
	fixture_changes(b, fx.pt[1].t, "-2");
	ck_assert_str_eq(inner_tasks(), "d1 ordered 1; ordered 2; d1 ordered 1");
}
END_TEST

START_TEST(ordered_leaves_stopped_tables_out)
{
	fx.s.mode = MODE_ORDERED;
	fx.pt[1].t->stopped = true;
	fixture_changes(b, fx.pt[0].t, "+1|a");
	fixture_changes(b, fx.pt[1].t, "=1");
	fixture_changes(b, fx.pt[0].t, "+2|a");
	ck_assert_str_eq(inner_tasks(), "ordered 2");
}
END_TEST

/* ---- around the tasks */

static const struct {
	bool tx_open, commits;
	const char *tasks;
} frames[] = {
	{ false, true, "BEGIN; insert 1; checkpoint; COMMIT" },
	{ false, false, "BEGIN; insert 1" },
	{ true, false, "SAVEPOINT peerd; insert 1; RELEASE SAVEPOINT peerd" },
	{ true, true, "SAVEPOINT peerd; insert 1; RELEASE SAVEPOINT peerd; checkpoint; COMMIT" },
};

START_TEST(transaction_frames_the_tasks)
{
	fx.s.tx_open = frames[_i].tx_open;
	fixture_changes(b, fx.pt[0].t, "+1|a");
	if (frames[_i].commits)
		batch_commit(b, 7, 1);
	batch_close(b);
	pg_tasks_build(&fx.s, &b->segments[0]);
	ck_assert_str_eq(tasks_text(0, fx.s.tasks.n), frames[_i].tasks);
}
END_TEST

START_TEST(a_lone_commit_commits)
{
	fx.s.tx_open = true;
	batch_commit(b, 7, 1);
	batch_close(b);
	pg_tasks_build(&fx.s, &b->segments[0]);
	ck_assert_str_eq(tasks_text(0, fx.s.tasks.n),
	    "SAVEPOINT peerd; RELEASE SAVEPOINT peerd; checkpoint; COMMIT");
}
END_TEST

/* ---- barriers */

static const struct {
	bool restart;
	const char *soft_delete, *synced_at;
	bool stopped;
	const char *tasks;
} truncates[] = {
	{ false, "", "", false, "TRUNCATE \"copy\".\"d0\", \"copy\".\"d1\"" },
	{ true, "", "_at", false, "TRUNCATE \"copy\".\"d0\", \"copy\".\"d1\" RESTART IDENTITY" },
	{ false, "", "", true, "TRUNCATE \"copy\".\"d0\"" },
	{ true, "_del", "", true,
	    "UPDATE \"copy\".\"d0\" SET \"_del\" = TRUE WHERE \"_del\" IS NOT TRUE" },
	{ false, "_del", "_at", false,
	    "UPDATE \"copy\".\"d0\" SET \"_del\" = TRUE, \"_at\" = CURRENT_TIMESTAMP"
	    " WHERE \"_del\" IS NOT TRUE; "
	    "UPDATE \"copy\".\"d1\" SET \"_del\" = TRUE, \"_at\" = CURRENT_TIMESTAMP"
	    " WHERE \"_del\" IS NOT TRUE" },
};

START_TEST(truncate_becomes_statements)
{
	struct table *tables[] = { fx.pt[0].t, fx.pt[1].t };

	fx.s.soft_delete = truncates[_i].soft_delete;
	fx.s.synced_at = truncates[_i].synced_at;
	fx.pt[1].t->stopped = truncates[_i].stopped;
	batch_truncate(b, tables, 2, true, truncates[_i].restart);
	ck_assert_str_eq(inner_tasks(), truncates[_i].tasks);
}
END_TEST

START_TEST(ddl_is_sent_as_it_is)
{
	batch_ddl(b, "ALTER TABLE t ADD x int");
	ck_assert_str_eq(inner_tasks(), "ALTER TABLE t ADD x int");
}
END_TEST

/* ---- what is sent */

/* Send every task of the batch's one segment; returns how many calls it took. */
static uint32_t
send_all(void)
{
	uint32_t i, calls = 0;
	bool done;

	for (i = 0; i < fx.s.tasks.n; i++) {
		done = false;
		while (!done) {
			ck_assert(pg_task_send(&fx.s, &fx.s.tasks.v[i], &done));
			calls++;
			fx.s.flight_n = 0; /* their results have come */
		}
	}
	return calls;
}

#define T "\"copy\".\"d0\""
#define CHECKPOINT                                                                 \
	"UPDATE \"_peerdb_internal\".\"peerdb_mirror_jobs\" SET lsn_offset = $1,"  \
	" sync_batch_id = $2, updated_at = now() WHERE mirror_job_name = 'orders'" \
	" [0000000000000007, 0000000000000003]\nCOMMIT\n"
#define INSERT_ONE "INSERT INTO " T " (\"id\", \"x\") OVERRIDING SYSTEM VALUE VALUES ($1, $2)"
#define UPSERT_ONE                                                                 \
	INSERT_ONE " ON CONFLICT (\"id\") DO UPDATE SET \"id\" = EXCLUDED.\"id\"," \
		   " \"x\" = EXCLUDED.\"x\", \"_del\" = FALSE"

static const struct {
	const char *changes, *soft_delete;
	bool binary;
	enum pg_mode mode;
	const char *sent;
} sendings[] = {
	{ "+1|a", "", false, MODE_FAST, INSERT_ONE " [1, a]\n" },
	{ "+1|~", "", false, MODE_FAST, INSERT_ONE " [1, ~]\n" },
	{ "+1|a", "", true, MODE_FAST, INSERT_ONE " [31, 61]\n" },
	{ "=1|? -2|~", "", false, MODE_FAST,
	    "DELETE FROM " T " AS d WHERE d.\"id\" = $1 [2]\n"
	    "UPDATE " T " AS d SET \"id\" = d.\"id\" WHERE d.\"id\" = $1 [1]\n" },
	/* array_recv: dimensions, no NULLs, element type, elements, lower bound, then the keys */
	{ "-1|~ -22|~", "", true, MODE_FAST,
	    "DELETE FROM " T " AS d WHERE d.\"id\" = ANY ($1)"
	    " [00000001000000000000001700000002000000010000000131000000023232]\n" },
	/* one by one */
	{ "+1|a =1|b k1|~>2|c -2|~", "", false, MODE_ORDERED,
	    INSERT_ONE " [1, a]\n"
		       "UPDATE " T " AS d SET \"x\" = $2 WHERE d.\"id\" = $1 [1, b]\n"
		       "UPDATE " T
		       " AS d SET \"id\" = $1, \"x\" = $2 WHERE d.\"id\" = $3 [2, c, 1]\n"
		       "DELETE FROM " T " AS d WHERE d.\"id\" = $1 [2]\n" },
	{ "k1|~>2|?", "", false, MODE_FAST,
	    "UPDATE " T " AS d SET \"id\" = $1 WHERE d.\"id\" = $2 [2, 1]\n" },
	{ "o1|a>1|? o1|a>2|?", "", false, MODE_ORDERED,
	    "UPDATE " T " AS d SET \"x\" = $2 WHERE d.\"id\" = $1 [1, a]\n"
	    "UPDATE " T " AS d SET \"id\" = $1, \"x\" = $2 WHERE d.\"id\" = $3 [2, a, 1]\n" },
	{ "k1|~>1|b", "", false, MODE_ORDERED,
	    "UPDATE " T " AS d SET \"x\" = $2 WHERE d.\"id\" = $1 [1, b]\n" },
	/* kept rows: one that is flagged makes room for a row that moves to its key */
	{ "+1|a k1|~>2|c -2|~", "_del", false, MODE_ORDERED,
	    UPSERT_ONE " [1, a]\n"
		       "DELETE FROM " T " AS d WHERE d.\"id\" = $1 AND d.\"_del\" IS TRUE [2]\n"
		       "UPDATE " T " AS d SET \"id\" = $1, \"x\" = $2, \"_del\" = FALSE"
		       " WHERE d.\"id\" = $3 [2, c, 1]\n"
		       "UPDATE " T " AS d SET \"_del\" = TRUE WHERE d.\"id\" = $1 [2]\n" },
};

START_TEST(tasks_are_sent)
{
	const char *want;

	begin("id:1 x", sendings[_i].soft_delete, sendings[_i].binary);
	fx.s.mode = sendings[_i].mode;
	b->id = 3;
	fixture_changes(b, fx.pt[0].t, sendings[_i].changes);
	inner_tasks();
	send_all();
	want = arena_printf(fx.a, "BEGIN\n%s%s", sendings[_i].sent, CHECKPOINT);
	ck_assert_str_eq(buf_str(&fx.sent), want);
	end();
}
END_TEST

#define WHOLE_X(n) "w.\"x\"::text IS NOT DISTINCT FROM $" #n "::text"
#define PICK(n)                                                     \
	"(d.tableoid, d.ctid) = (SELECT w.tableoid, w.ctid FROM " T \
	" AS w WHERE " WHOLE_X(n) " LIMIT 1)"

START_TEST(rows_without_key_are_matched_whole)
{
	begin("x", "", false);
	b->id = 3;
	fixture_changes(b, fx.pt[0].t, "+a oa>b xb");
	inner_tasks();
	send_all();
	ck_assert_str_eq(buf_str(&fx.sent),
	    "BEGIN\nINSERT INTO " T " (\"x\") OVERRIDING SYSTEM VALUE VALUES ($1) [a]\n"
	    "UPDATE " T " AS d SET \"x\" = $1 WHERE " PICK(2) " [b, a]\n"
							      "DELETE FROM " T " AS d WHERE " PICK(
								  1) " [b]\n" CHECKPOINT);
	end();
}
END_TEST

/* 123 rows: one statement of 100, two of 10, three of one. */
START_TEST(many_rows_share_statements)
{
	uint32_t i;

	for (i = 0; i < 123; i++)
		fixture_change(b, fx.pt[0].t, '=', arena_printf(fx.a, "%u|a", i), NULL);
	inner_tasks();
	ck_assert_uint_eq(send_all(), 1 + 6 + 1 + 1);
	ck_assert_int_eq(fx.prepares, 3 + 1);
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

static TCase *
two_tables(void)
{
	TCase *tc = tcase_create("two tables");

	tcase_add_checked_fixture(tc, setup, end);
	tcase_add_test(tc, tables_follow_each_other);
	tcase_add_test(tc, ordered_keeps_the_order_over_tables);
	tcase_add_test(tc, ordered_leaves_stopped_tables_out);
	LOOP(tc, transaction_frames_the_tasks, frames);
	tcase_add_test(tc, a_lone_commit_commits);
	LOOP(tc, truncate_becomes_statements, truncates);
	tcase_add_test(tc, ddl_is_sent_as_it_is);
	tcase_add_test(tc, many_rows_share_statements);
	return tc;
}

int
main(void)
{
	Suite *s = suite_create("pg_tasks");
	TCase *tc = tcase_create("one table");
	SRunner *sr = srunner_create(s);
	int failed;

	LOOP(tc, segment_becomes_tasks, cases);
	LOOP(tc, many_rows_are_copied, inserts);
	LOOP(tc, tasks_are_sent, sendings);
	tcase_add_test(tc, rows_without_key_are_matched_whole);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, two_tables());
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
