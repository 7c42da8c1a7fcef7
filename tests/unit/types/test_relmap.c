#include "lib/types/relmap.h"

#include <check.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "tests/unit/types/table_fixture.h"

#define LSN 0x1234500
#define UNKNOWN_RELID 999

static struct arena *a;
static struct table *tables[2];
static struct relmap *m;
static char identity; /* pg_class.relreplident of what is announced */
static struct err err;
static struct table *found;

static void
setup(void)
{
	a = arena_new(4096);
	tables[0] = fixture_table(a, 0, "id:1 x y ~twice");
	tables[0]->def = fixture_def(a, 0, "id:1 x y ~twice");
	tables[1] = fixture_table(a, 1, "id:1");
	m = relmap_new(tables, 2);
	err = (struct err)ERR_INIT;
	found = NULL;
	identity = 'd';
}

static void
teardown(void)
{
	relmap_free(&m);
	ck_assert_ptr_null(m);
	arena_free(&a);
}

/* A Relation message as the stream brings it; "x/23" is a column of another type, "x/25/7" of
 * another modifier. */
static void
write_column(struct buf *b, const char *spec, size_t n)
{
	bool key = spec[0] == '*';
	const char *name = arena_strndup(a, spec + key, n - key), *slash = strchr(name, '/');
	uint32_t type = FIXTURE_TYPE, modifier = UINT32_MAX;
	char *end;

	if (slash != NULL) {
		type = (uint32_t)strtoul(slash + 1, &end, 10);
		modifier = *end == '/' ? (uint32_t)strtoul(end + 1, NULL, 10) : modifier;
	}
	buf_char(b, key ? 1 : 0);
	buf_add(b, name, slash != NULL ? (size_t)(slash - name) : strlen(name));
	buf_char(b, 0);
	buf_u32(b, type);
	buf_u32(b, modifier);
}

static struct pgoutput_relation
relation(relid_t relid, const char *name, const char *columns)
{
	struct pgoutput_msg msg;
	uint16_t ncols = 0;
	struct buf b, cols;
	size_t n;

	buf_init(&b, 4096);
	buf_init(&cols, 4096);
	for (; *columns != '\0'; columns += n + strspn(columns + n, " "), ncols++) {
		n = strcspn(columns, " ");
		write_column(&cols, columns, n);
	}
	buf_char(&b, 'R');
	buf_u32(&b, relid);
	buf_add(&b, "public", 7);
	buf_add(&b, name, strlen(name) + 1);
	buf_char(&b, identity);
	buf_u16(&b, ncols);
	buf_add(&b, cols.p, cols.n);
	ck_assert(pgoutput_decode(arena_dup_slice(a, buf_slice(&b)), &msg, &err));
	buf_done(&b);
	buf_done(&cols);
	return msg.relation;
}

static enum relmap_verdict
announce(relid_t relid, const char *name, const char *columns)
{
	struct pgoutput_relation rel = relation(relid, name, columns);

	return relmap_relation(m, &rel, &found, &err);
}

/* Values between bars: "7", "~" NULL, "?" unchanged; form: of the values that are there. */
static struct pgoutput_tuple
tuple(const char *values, char form)
{
	struct pgoutput_tuple tup = { .ncols = 0 };
	struct buf b;
	size_t n;

	buf_init(&b, 4096);
	for (; *values != '\0'; values += n + (values[n] == '|'), tup.ncols++) {
		n = strcspn(values, "|");
		if (n == 1 && (*values == '~' || *values == '?')) {
			buf_char(&b, *values == '~' ? 'n' : 'u');
			continue;
		}
		buf_char(&b, form);
		buf_u32(&b, (uint32_t)n);
		buf_add(&b, values, n);
	}
	tup.values = rbuf_of(arena_dup_slice(a, buf_slice(&b)));
	buf_done(&b);
	return tup;
}

static const char *
row_text(const char *values, char form)
{
	struct pgoutput_tuple tup = tuple(values, form);
	const struct row *r;

	ck_assert_msg(relmap_row(m, FIXTURE_RELID(0), &tup, LSN, a, &r, &err), "%s", err.msg);
	ck_assert_uint_eq(LSN, r->lsn);
	return fixture_row_text(a, tables[0], r);
}

/* ---- announcements */

static const struct {
	relid_t relid;
	const char *name, *columns;
	enum relmap_verdict verdict;
	const char *words;
} announced[] = {
	{ FIXTURE_RELID(0), "t0", "id x y", RELMAP_SAME, "" },
	{ FIXTURE_RELID(0), "t0", "y id x", RELMAP_SAME, "" },
	/* generated columns may be in the stream */
	{ FIXTURE_RELID(0), "t0", "id x y twice", RELMAP_SAME, "" },
	/* a renamed table has its old id */
	{ FIXTURE_RELID(0), "renamed", "id x y", RELMAP_SAME, "" },
	{ UNKNOWN_RELID, "elsewhere", "id", RELMAP_IGNORED, "" },
	{ FIXTURE_RELID(0), "t0", "id x y z", RELMAP_COLUMNS_ADDED, "" },
	{ FIXTURE_RELID(0), "t0", "id x", RELMAP_MISMATCH,
	    "column \"y\" of public.t0 was dropped or renamed on the source" },
	{ FIXTURE_RELID(0), "t0", "id x z", RELMAP_MISMATCH, "column \"y\"" },
	{ FIXTURE_RELID(0), "t0", "", RELMAP_MISMATCH, "column \"id\"" },
	{ FIXTURE_RELID(0), "t0", "id x/23 y", RELMAP_MISMATCH,
	    "column \"x\" of public.t0 changed its type on the source" },
	{ FIXTURE_RELID(0), "t0", "id x y/25/7", RELMAP_MISMATCH, "column \"y\"" },
	{ UNKNOWN_RELID, "t0", "id x y", RELMAP_MISMATCH,
	    "table public.t0 was dropped and created again on the source" },
};

START_TEST(announcement_is_compared)
{
	ck_assert_int_eq(announce(announced[_i].relid, announced[_i].name, announced[_i].columns),
	    announced[_i].verdict);
	if (announced[_i].verdict != RELMAP_MISMATCH)
		return;
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_msg(strstr(err.msg, announced[_i].words) != NULL, "%s", err.msg);
	ck_assert_str_ne(err.hint, "");
}
END_TEST

START_TEST(announcement_gives_the_table)
{
	announce(announced[_i].relid, announced[_i].name, announced[_i].columns);
	if (announced[_i].verdict == RELMAP_IGNORED)
		ck_assert_ptr_null(found);
	else
		ck_assert_ptr_eq(found, tables[0]);
}
END_TEST

START_TEST(excluded_columns_are_no_news)
{
	PeerdWorker__MirrorTable *def = fixture_def(a, 0, "id:1 x y");
	char *excluded[] = { arena_strdup(a, "secret") };

	def->excluded = excluded;
	def->n_excluded = 1;
	tables[0]->def = def;
	ck_assert_int_eq(announce(FIXTURE_RELID(0), "t0", "id secret x y"), RELMAP_SAME);
}
END_TEST

START_TEST(stopped_table_is_ignored)
{
	tables[0]->stopped = true;
	ck_assert_int_eq(announce(FIXTURE_RELID(0), "t0", "other columns"), RELMAP_IGNORED);
}
END_TEST

START_TEST(a_later_announcement_counts)
{
	announce(FIXTURE_RELID(0), "t0", "id x y");
	ck_assert_str_eq(row_text("1|a|b", 't'), "1|a|b");
	announce(FIXTURE_RELID(0), "t0", "y x id");
	ck_assert_str_eq(row_text("b|a|1", 't'), "1|a|b");
}
END_TEST

/* ---- new columns */

START_TEST(remap_takes_the_new_columns)
{
	struct pgoutput_relation rel = relation(FIXTURE_RELID(0), "t0", "id x y z");

	ck_assert_int_eq(relmap_relation(m, &rel, &found, &err), RELMAP_COLUMNS_ADDED);
	*tables[0] = *fixture_table(a, 0, "id:1 x y z");
	ck_assert(relmap_remap(m, &rel, &err));
	ck_assert_str_eq(row_text("1|a|b|c", 't'), "1|a|b|c");
}
END_TEST

static const struct {
	const char *read, *words;
} remaps[] = {
	{ "id:1 x y w", "was dropped or renamed" },
	{ "id:1 x y", "changed again" },
};

START_TEST(remap_wants_what_was_announced)
{
	struct pgoutput_relation rel = relation(FIXTURE_RELID(0), "t0", "id x y z");

	relmap_relation(m, &rel, &found, &err);
	*tables[0] = *fixture_table(a, 0, remaps[_i].read);
	ck_assert(!relmap_remap(m, &rel, &err));
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_msg(strstr(err.msg, remaps[_i].words) != NULL, "%s", err.msg);
}
END_TEST

/* ---- replica identity */

static const struct {
	const char *table, *announced;
	char identity;
	bool identifies;
} identities[] = {
	{ "id:1 x", "*id x", 'd', true },
	{ "id:1 x", "*id *x", 'f', true },
	{ "a:2 b:1 x", "*a *b x", 'i', true },
	{ "a:2 b:1 x", "*a b x", 'i', false },
	{ "id:1 x", "id x", 'n', false },
	{ "id:1 x", "id *x", 'i', false },
	{ "x y", "*x *y", 'f', true },
	{ "x y", "*x y", 'd', false },
	{ "x y", "x y", 'n', false },
};

START_TEST(old_rows_may_lack_the_key)
{
	*tables[0] = *fixture_table(a, 0, identities[_i].table);
	identity = identities[_i].identity;
	ck_assert_int_eq(announce(FIXTURE_RELID(0), "t0", identities[_i].announced), RELMAP_SAME);
	ck_assert(relmap_identifies(m, FIXTURE_RELID(0)) == identities[_i].identifies);
}
END_TEST

START_TEST(identity_of_the_last_announcement_counts)
{
	announce(FIXTURE_RELID(0), "t0", "*id x y");
	announce(FIXTURE_RELID(0), "t0", "id x y");
	ck_assert(!relmap_identifies(m, FIXTURE_RELID(0)));
	announce(FIXTURE_RELID(0), "t0", "*id x y");
	ck_assert(relmap_identifies(m, FIXTURE_RELID(0)));
}
END_TEST

/* ---- changes */

START_TEST(table_of_a_relation)
{
	announce(FIXTURE_RELID(0), "t0", "id x y");
	announce(FIXTURE_RELID(1), "t1", "id");
	ck_assert(relmap_table(m, FIXTURE_RELID(0), &found, &err));
	ck_assert_ptr_eq(found, tables[0]);
	ck_assert(relmap_table(m, FIXTURE_RELID(1), &found, &err));
	ck_assert_ptr_eq(found, tables[1]);
}
END_TEST

START_TEST(ignored_relation_has_no_table)
{
	announce(UNKNOWN_RELID, "elsewhere", "id");
	found = tables[0];
	ck_assert(relmap_table(m, UNKNOWN_RELID, &found, &err));
	ck_assert_ptr_null(found);
}
END_TEST

START_TEST(table_stopped_later_has_none_either)
{
	announce(FIXTURE_RELID(0), "t0", "id x y");
	tables[0]->stopped = true;
	ck_assert(relmap_table(m, FIXTURE_RELID(0), &found, &err));
	ck_assert_ptr_null(found);
}
END_TEST

START_TEST(unannounced_relation_is_nonsense)
{
	ck_assert(!relmap_table(m, FIXTURE_RELID(0), &found, &err));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
}
END_TEST

/* The stream's columns are "y twice id x": another order, and one that does not travel. */
static const struct {
	const char *tuple, *row;
} rows[] = {
	{ "b|2|1|a", "1|a|b" },
	{ "?|~|1|~", "1|~|?" },
	{ "~|?|1|a", "1|a|~" },
};

START_TEST(row_has_the_tables_columns)
{
	announce(FIXTURE_RELID(0), "t0", "y twice id x");
	ck_assert_str_eq(row_text(rows[_i].tuple, 't'), rows[_i].row);
}
END_TEST

START_TEST(row_may_be_binary)
{
	struct pgoutput_tuple tup = tuple("1|a|~", 'b');
	const struct row *r;

	tables[0]->binary = true;
	announce(FIXTURE_RELID(0), "t0", "id x y");
	ck_assert(relmap_row(m, FIXTURE_RELID(0), &tup, LSN, a, &r, &err));
	ck_assert(!r->text);
	ck_assert_str_eq(fixture_row_text(a, tables[0], r), "1|a|~");
}
END_TEST

/* A tuple that does not fit what was announced: columns id, x, y in the form the table takes. */
static const struct {
	const char *tuple;
	char form;
	bool binary;
} misfits[] = {
	{ "1|a", 't', false },
	{ "1|a|b|c", 't', false },
	{ "1|a|b", 'b', false },
	{ "1|a|b", 't', true },
};

START_TEST(misfit_is_refused)
{
	struct pgoutput_tuple tup = tuple(misfits[_i].tuple, misfits[_i].form);
	const struct row *r = NULL;

	tables[0]->binary = misfits[_i].binary;
	announce(FIXTURE_RELID(0), "t0", "id x y");
	ck_assert(!relmap_row(m, FIXTURE_RELID(0), &tup, LSN, a, &r, &err));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
	ck_assert_ptr_null(r);
}
END_TEST

START_TEST(form_of_what_does_not_travel_is_free)
{
	struct pgoutput_tuple tup = tuple("9", 'b');
	struct pgoutput_tuple rest = tuple("1|a|b", 't');
	struct buf both;
	const struct row *r;

	announce(FIXTURE_RELID(0), "t0", "twice id x y");
	buf_init(&both, 4096);
	buf_add(&both, tup.values.p, rbuf_left(&tup.values));
	buf_add(&both, rest.values.p, rbuf_left(&rest.values));
	tup = (struct pgoutput_tuple){ .ncols = 4, .values = rbuf_of(buf_slice(&both)) };
	ck_assert(relmap_row(m, FIXTURE_RELID(0), &tup, LSN, a, &r, &err));
	ck_assert_str_eq(fixture_row_text(a, tables[0], r), "1|a|b");
	buf_done(&both);
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *s = suite_create("relmap");
	TCase *tc = tcase_create("relmap");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	LOOP(tc, announcement_is_compared, announced);
	LOOP(tc, announcement_gives_the_table, announced);
	tcase_add_test(tc, excluded_columns_are_no_news);
	tcase_add_test(tc, stopped_table_is_ignored);
	tcase_add_test(tc, a_later_announcement_counts);
	tcase_add_test(tc, remap_takes_the_new_columns);
	LOOP(tc, remap_wants_what_was_announced, remaps);
	LOOP(tc, old_rows_may_lack_the_key, identities);
	tcase_add_test(tc, identity_of_the_last_announcement_counts);
	tcase_add_test(tc, table_of_a_relation);
	tcase_add_test(tc, ignored_relation_has_no_table);
	tcase_add_test(tc, table_stopped_later_has_none_either);
	tcase_add_test(tc, unannounced_relation_is_nonsense);
	LOOP(tc, row_has_the_tables_columns, rows);
	tcase_add_test(tc, row_may_be_binary);
	LOOP(tc, misfit_is_refused, misfits);
	tcase_add_test(tc, form_of_what_does_not_travel_is_free);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
