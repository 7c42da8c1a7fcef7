#include "lib/sink/ch_int.h"

#include <check.h>
#include <stdlib.h>

#include "lib/base/limits.h"
#include "lib/conn/chcaps.h"
#include "tests/unit/types/change_fixture.h"

#define N(a)	  (sizeof(a) / sizeof((a)[0]))
#define FIRST_LSN 100 /* of a script's changes; they are 10 apart */
#define ROWS_MAX  MIB

static struct arena *a;
static struct batch *b;
static struct ch_caps caps;
static struct ch_options opt;
static struct err err;
static PeerdbFlow__FlowConnectionConfigs mirror;
static PeerdbFlow__TableMapping map;

static void
setup(void)
{
	static PeerdbFlow__TableMapping *maps = &map;

	a = arena_new(65536);
	b = batch_new(2);
	opt = (struct ch_options){ .nullable = true };
	err_clear(&err);
	ck_assert(ch_caps_of("26.7.2.1", &caps, &err));
	peerdb_flow__flow_connection_configs__init(&mirror);
	peerdb_flow__table_mapping__init(&map);
	map.source_table_identifier = arena_strdup(a, "public.t0");
	mirror.table_mappings = &maps;
	mirror.n_table_mappings = 1;
}

static void
teardown(void)
{
	batch_free(&b);
	arena_free(&a);
}

/* ---- tables: those with a second name are sorted by that column first */

static struct ch_table *
make_table(const char *columns, const char *first)
{
	struct ch_table_config cfg = {
		.mirror = &mirror,
		.opt = &opt,
		.caps = &caps,
		.place = { .database = "db", .cluster = "" },
	};
	static PeerdbFlow__ColumnSetting set, *sets = &set;
	PeerdWorker__MirrorTable *def = fixture_def(a, 0, columns);
	struct ch_table *ct;
	size_t i;

	for (i = 0; i < def->n_columns; i++) {
		def->columns[i]->destination_name = def->columns[i]->name;
		def->columns[i]->base_oid = FIXTURE_TYPE;
		def->columns[i]->base_name = arena_strdup(a, "text");
		def->columns[i]->base_kind = arena_strdup(a, "b");
		def->columns[i]->not_null = def->columns[i]->key_position > 0;
	}
	if (first != NULL) {
		peerdb_flow__column_setting__init(&set);
		set.source_name = arena_strdup(a, first);
		set.ordering = 1;
		map.columns = &sets;
		map.n_columns = 1;
	}
	ck_assert_msg(ch_table_new(a, &cfg, table_new(a, 0, def), &ct, &err), "%s", err.msg);
	return ct;
}

/* ---- changes: "/" between words begins another transaction, which commits at its word's end */

static void
number_changes(uint32_t from)
{
	uint32_t i;

	for (i = from; i < b->nchanges; i++) {
		if (b->changes[i].old != NULL)
			((struct row *)b->changes[i].old)->lsn = FIRST_LSN + 10 * i;
		if (b->changes[i].new != NULL)
			((struct row *)b->changes[i].new)->lsn = FIRST_LSN + 10 * i;
	}
}

static void
add_transaction(struct table *t, const char *script, lsn_t commit_lsn)
{
	struct transaction tx = { .xid = 1, .commit_lsn = commit_lsn };
	uint32_t from = b->nchanges;

	batch_begin(b, &tx);
	fixture_changes(b, t, script);
	number_changes(from);
	batch_commit(b, commit_lsn + 8, 0);
}

static void
print_image(struct buf *out, const struct table *t, const struct ch_image *im)
{
	buf_printf(out, "%s%c", out->n > 0 ? " " : "", im->deleted ? '-' : '+');
	fixture_row_print(out, t, im->row);
	buf_printf(out, "@%llu", (unsigned long long)im->version);
	if (im->lookup == NULL)
		return;
	buf_str_add(out, "<");
	fixture_row_print(out, t, im->lookup);
}

/* Images as text: + alive, - deleted; the version; behind "<" the row to be looked up. */
static const char *
images_text(const struct ch_table *ct, lsn_t before)
{
	const struct ch_table *tables[2] = { ct, ct };
	struct ch_images *list;
	const char *text;
	struct buf out;
	uint32_t n, i;

	batch_close(b);
	list = ch_batch_images(a, b, 0, b->nchanges, before, tables, &n);
	buf_init(&out, 65536);
	for (i = 0; n > 0 && i < list[0].n; i++)
		print_image(&out, ct->t, &list[0].v[i]);
	text = arena_strdup(a, buf_str(&out));
	buf_done(&out);
	return text;
}

static const struct images_case {
	const char *columns;
	const char *first; /* ordering */
	const char *script;
	const char *images;
} images_cases[] = {
	{ "k:1 v", NULL, "+1|a", "+1|a@100" },
	{ "k:1 v", NULL, "+1|a =1|b", "+1|b@110" },
	{ "k:1 v", NULL, "=1|a +2|b", "+1|a@100 +2|b@110" },
	/* what the row looked like is kept, the version is the deletion's */
	{ "k:1 v", NULL, "=1|a -1|~", "-1|a@110" },
	{ "k:1 v", NULL, "-1|~", "-1|~@100" },
	{ "k:1 v", NULL, "x1|z", "-1|z@100" },
	/* inserted and deleted: it may have been sent before, so it is told */
	{ "k:1 v", NULL, "+1|a -1|~", "-1|a@110" },
	{ "k:1 v", NULL, "-1|~ +1|b", "+1|b@110" },
	{ "k:1 v", NULL, "k1|~>2|a", "-1|~@100 +2|a@100" },
	{ "k:1 v", NULL, "+1|a k1|~>2|a k2|~>3|a", "-1|a@110 -2|a@120 +3|a@120" },
	/* two rows trade their keys by way of a third */
	{ "k:1 v", NULL, "k1|~>3|a k2|~>1|b k3|~>2|a", "+1|b@110 -3|a@120 +2|a@120" },
	/* unsent values: from the run, from the old row, from the destination */
	{ "k:1 v", NULL, "+1|a =1|?", "+1|a@110" },
	{ "k:1 v", NULL, "o1|a>1|?", "+1|a@100" },
	{ "k:1 v", NULL, "=1|?", "+1|?@100<1|?" },
	{ "k:1 v w", NULL, "=1|?|x =1|?|y", "+1|?|y@110<1|?|x" },
	{ "k:1 v w", NULL, "=1|?|x =1|b|?", "+1|b|x@110" },
	{ "k:1 v", NULL, "k1|~>2|?", "-1|~@100 +2|?@100<1|~" },
	{ "k:1 v w", NULL, "=1|?|x k1|~|~>2|?|x", "-1|?|x@110 +2|?|x@110<1|?|x" },
	/* sorted by more than the key: the row at the old place must go */
	{ "k:1 s", "s", "+1|a", "+1|a@100" },
	{ "k:1 s", "s", "=1|b", "+1|b@100<1|b" },
	{ "k:1 s", "s", "-1|~", "-1|~@100<1|~" },
	{ "k:1 s", "s", "x1|a", "-1|a@100" },
	{ "k:1 s", "s", "o1|a>1|b", "-1|a@100 +1|b@100" },
	{ "k:1 s v", "s", "o1|a|x>1|a|y", "+1|a|y@100" },
	{ "k:1 s", "s", "=1|a =1|b", "-1|a@110 +1|b@110<1|a" },
	{ "k:1 s", "s", "-1|~ +1|b", "-1|~@100<1|~ +1|b@110" },
	{ "k:1 s", "s", "+1|a -1|~ +1|b", "-1|a@110 +1|b@120" },
	/* no key: rows are known by all they are; equal ones that came here are counted */
	{ "a b", NULL, "+1|x o1|x>1|y", "-1|x@110 +1|y@110" },
	{ "a b", NULL, "+1|x +1|x x1|x", "+1|x@120" },
	{ "a b", NULL, "+1|x +1|x x1|x x1|x", "-1|x@130" },
	{ "a b", NULL, "o1|x>1|x", "+1|x@100" },
	{ "a b", NULL, "x1|x +1|x", "+1|x@110" },
};

START_TEST(changes_become_images)
{
	const struct images_case *k = &images_cases[_i];
	struct ch_table *ct = make_table(k->columns, k->first);

	add_transaction((struct table *)ct->t, k->script, 1000);
	ck_assert_str_eq(images_text(ct, 0), k->images);
}
END_TEST

START_TEST(other_engines_get_every_change)
{
	struct ch_table *ct;

	map.engine = PEERDB_FLOW__TABLE_ENGINE__CH_ENGINE_MERGE_TREE;
	ct = make_table("k:1 v", NULL);
	add_transaction((struct table *)ct->t, "+1|a =1|? =1|b -1|~", 1000);
	ck_assert_str_eq(images_text(ct, 0), "+1|a@100 +1|a@110 +1|b@120 -1|b@130");
}
END_TEST

/* ---- versions */

/* An INSERT may stand in the WAL before the DELETE that it waited for. */
START_TEST(versions_ascend_from_commit_to_commit)
{
	struct ch_table *ct = make_table("k:1 v", NULL);
	struct table *t = (struct table *)ct->t;

	add_transaction(t, "+9|x -1|~", 500);
	add_transaction(t, "+1|b", 600);
	ck_assert_str_eq(images_text(ct, 0), "+9|x@100 +1|b@500");
}
END_TEST

START_TEST(the_commit_before_the_batch_counts)
{
	struct ch_table *ct = make_table("k:1 v", NULL);

	add_transaction((struct table *)ct->t, "+1|a =2|b", 1000);
	ck_assert_str_eq(images_text(ct, 105), "+1|a@105 +2|b@110");
}
END_TEST

START_TEST(an_open_transaction_is_not_the_one_before_the_next)
{
	struct ch_table *ct = make_table("k:1 v", NULL);
	struct transaction open = { .xid = 2, .commit_lsn = 900 };

	ck_assert_uint_eq(ch_batch_before_next(b, 7), 7);
	add_transaction((struct table *)ct->t, "+1|a", 500);
	ck_assert_uint_eq(ch_batch_before_next(b, 7), 500);
	batch_begin(b, &open);
	fixture_changes(b, (struct table *)ct->t, "+2|a");
	batch_close(b);
	ck_assert_uint_eq(ch_batch_before_next(b, 7), 500);
	batch_reset(b);
	batch_begin(b, &open);
	fixture_changes(b, (struct table *)ct->t, "+3|a");
	batch_close(b);
	ck_assert_uint_eq(ch_batch_before_next(b, 7), 7);
}
END_TEST

START_TEST(stopped_tables_are_left_out)
{
	struct ch_table *ct = make_table("k:1 v", NULL);

	add_transaction((struct table *)ct->t, "+1|a", 1000);
	((struct table *)ct->t)->stopped = true;
	ck_assert_str_eq(images_text(ct, 0), "");
}
END_TEST

/* ---- rows that are there already */

/*
 * As the server would answer: "7|a|~@5+" is a row with its key, two more of the
 * columns that were asked for and its version; "-" in the end: deleted.
 */
static void
put_text(struct buf *to, bool nullable, const char *value, size_t n)
{
	bool null = n == 1 && *value == '~';

	if (nullable)
		buf_char(to, null);
	if (null)
		return;
	buf_char(to, (char)n);
	buf_add(to, value, n);
}

static void
put_answer(struct buf *to, const char *rows)
{
	uint64_t version;
	char *end;
	size_t n;

	while (*rows != '\0') {
		n = strcspn(rows, "|@");
		put_text(to, false, rows, n);
		for (rows += n; *rows == '|'; rows += n) {
			n = strcspn(++rows, "|@");
			put_text(to, true, rows, n);
		}
		version = strtoull(rows + 1, &end, 10);
		buf_char(to, *end == '-');
		buf_add(to, &version, sizeof(version));
		rows = end + 1 + (end[1] == ' ');
	}
}

static void
print_encoded(struct buf *out, const struct ch_table *ct, struct rbuf r)
{
	uint64_t version;
	uint16_t i;
	uint8_t n;
	bool deleted;

	while (rbuf_left(&r) > 0) {
		buf_str_add(out, out->n > 0 ? " " : "");
		for (i = 0; i < ct->t->ncols; i++) {
			bool null = ct->cols[i].type.nullable && rbuf_u8(&r) == 1;

			n = null ? 0 : rbuf_u8(&r);
			buf_str_add(out, i > 0 ? "|" : "");
			if (null)
				buf_char(out, '~');
			else
				buf_add(out, rbuf_bytes(&r, n).p, n);
		}
		deleted = rbuf_u8(&r) == 1;
		memcpy(&version, rbuf_bytes(&r, 8).p, 8);
		buf_printf(out, "@%llu%c", (unsigned long long)version, deleted ? '-' : '+');
	}
	ck_assert(rbuf_done(&r));
}

static const struct found_case {
	const char *columns;
	const char *first;
	const char *script;
	const char *found;   /* key, and what is lacking; all columns if sorted by more */
	const char *written; /* "?": to be asked of the source */
} found_cases[] = {
	{ "k:1 v w", NULL, "=1|?|x", "1|old@5+", "1|old|x@100+" },
	{ "k:1 v w", NULL, "=1|?|x", "1|~@5+", "1|~|x@100+" },
	{ "k:1 v w", NULL, "=1|?|x", "2|old@5+", "?" },
	{ "k:1 v w", NULL, "=1|?|x", "", "?" },
	{ "k:1 v w", NULL, "=1|?|x", "1|old@5-", "?" },
	/* a repetition */
	{ "k:1 v w", NULL, "=1|?|x", "1|old@100+", "1|old|x@100+" },
	{ "k:1 v w", NULL, "=1|?|x", "1|new@101+", "" },
	{ "k:1 v w", NULL, "=1|?|x", "1|~@300-", "" },
	/* the row moved; another one may have its old key by now */
	{ "k:1 v w", NULL, "k1|~|~>2|?|x", "1|old@5+", "1|~|~@100- 2|old|x@100+" },
	{ "k:1 v w", NULL, "k1|~|~>2|?|x", "1|other@300+", "?" },
	{ "k:1 v w", NULL, "k1|~|~>2|?|x", "1|~@100-", "?" },
	/* sorted by more than the key */
	{ "k:1 s v", "s", "=1|b|x", "1|a|w@5+", "1|a|w@100- 1|b|x@100+" },
	{ "k:1 s v", "s", "=1|a|x", "1|a|w@5+", "1|a|x@100+" },
	{ "k:1 s v", "s", "=1|b|?", "1|a|w@5+", "1|a|w@100- 1|b|w@100+" },
	{ "k:1 s v", "s", "=1|b|?", "1|a|w@5- 1|c|y@7+", "1|c|y@100- 1|b|y@100+" },
	{ "k:1 s v", "s", "-1|~|~", "1|a|w@5+ 1|b|w@4+", "1|a|w@100- 1|b|w@100-" },
	{ "k:1 s v", "s", "-1|~|~", "1|a|w@5+ 1|b|w@101+", "1|a|w@100-" },
	{ "k:1 s v", "s", "-1|~|~", "", "" },
};

static void
print_image_encoded(struct buf *out, const struct ch_table *ct, struct ch_image *im,
    const struct ch_founds *founds)
{
	struct ch_founds part = { .n = 0 };
	struct buf bytes;
	uint64_t rows = 0;

	if (im->lookup != NULL) {
		ck_assert(ch_toast_find(ct, im, founds, &part, &err));
		if (ch_toast_is_missing(ct, im, &part)) {
			buf_reset(out);
			buf_str_add(out, "?");
			return;
		}
	}
	buf_init(&bytes, ROWS_MAX);
	ck_assert_msg(ch_batch_encode(ct, im, &part, &bytes, &rows, &err), "%s", err.msg);
	print_encoded(out, ct, rbuf_of(buf_slice(&bytes)));
	buf_done(&bytes);
}

START_TEST(what_was_found_completes_a_row)
{
	const struct found_case *k = &found_cases[_i];
	struct ch_table *ct = make_table(k->columns, k->first);
	const struct ch_table *tables[2] = { ct, ct };
	struct ch_founds founds;
	struct ch_images *im;
	struct buf answer, out;
	uint32_t n, i;

	add_transaction((struct table *)ct->t, k->script, 1000);
	batch_close(b);
	im = ch_batch_images(a, b, 0, b->nchanges, 0, tables, &n);
	buf_init(&answer, ROWS_MAX);
	buf_init(&out, ROWS_MAX);
	put_answer(&answer, k->found);
	ck_assert(ch_toast_parse(ct, im->v, im->n, buf_slice(&answer), a, &founds, &err));
	for (i = 0; i < im->n; i++)
		print_image_encoded(&out, ct, &im->v[i], &founds);
	ck_assert_str_eq(buf_str(&out), k->written);
	buf_done(&answer);
	buf_done(&out);
}
END_TEST

START_TEST(a_cut_answer_is_an_error)
{
	struct ch_table *ct = make_table("k:1 v", NULL);
	const struct ch_table *tables[2] = { ct, ct };
	struct ch_founds founds;
	struct ch_images *im;
	struct buf answer;
	uint32_t n;
	size_t cut;

	add_transaction((struct table *)ct->t, "=1|?", 1000);
	batch_close(b);
	im = ch_batch_images(a, b, 0, b->nchanges, 0, tables, &n);
	buf_init(&answer, ROWS_MAX);
	put_answer(&answer, "1|old@5+");
	for (cut = 1; cut < answer.n; cut++)
		ck_assert(
		    !ch_toast_parse(ct, im->v, im->n, slice_of(answer.p, cut), a, &founds, &err));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
	buf_done(&answer);
}
END_TEST

static const char *
query(struct ch_table *ct, const char *script)
{
	const struct ch_table *tables[2] = { ct, ct };
	struct ch_images *im;
	const char *text;
	struct buf sql;
	uint32_t n;

	add_transaction((struct table *)ct->t, script, 1000);
	batch_close(b);
	im = ch_batch_images(a, b, 0, b->nchanges, 0, tables, &n);
	buf_init(&sql, ROWS_MAX);
	ck_assert(ch_toast_query(ct, im->v, im->n, &sql, &err));
	text = arena_strdup(a, buf_str(&sql));
	buf_done(&sql);
	return text;
}

START_TEST(only_what_is_lacking_is_asked_for)
{
	ck_assert_str_eq(query(make_table("k:1 j:2 v w", NULL), "=1|it's|?|x +2|b|c|d =3|\\|?|~"),
	    "SELECT `k`, `j`, `v`, `_peerdb_is_deleted`, `_peerdb_version` FROM `db`.`copy.d0`"
	    " WHERE (`k`, `j`) IN (SELECT k0, k1 FROM (SELECT CAST('[\\'1\\',\\'3\\']' AS "
	    "Array(String)) AS k0, CAST('[\\'it\\\\\\'s\\',\\'\\\\\\\\\\']' AS Array(String)) AS "
	    "k1) ARRAY JOIN k0, k1) ORDER BY `_peerdb_version` DESC LIMIT 1 BY `k`, `j`"
	    " FORMAT RowBinary");
}
END_TEST

START_TEST(a_row_sorted_by_more_is_asked_for_as_a_whole)
{
	ck_assert_str_eq(query(make_table("k:1 s v", "s"), "=1|b|x"),
	    "SELECT `k`, `s`, `v`, `_peerdb_is_deleted`, `_peerdb_version` FROM `db`.`copy.d0`"
	    " WHERE (`k`) IN (SELECT k0 FROM (SELECT CAST('[\\'1\\']' AS Array(String)) AS k0)"
	    " ARRAY JOIN k0) ORDER BY `_peerdb_version` DESC LIMIT 1 BY `s`, `k`"
	    " FORMAT RowBinary");
}
END_TEST

static Suite *
ch_batch_suite(void)
{
	Suite *s = suite_create("ch_batch");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, changes_become_images, 0, N(images_cases));
	tcase_add_test(tc, other_engines_get_every_change);
	tcase_add_test(tc, versions_ascend_from_commit_to_commit);
	tcase_add_test(tc, the_commit_before_the_batch_counts);
	tcase_add_test(tc, an_open_transaction_is_not_the_one_before_the_next);
	tcase_add_test(tc, stopped_tables_are_left_out);
	tcase_add_loop_test(tc, what_was_found_completes_a_row, 0, N(found_cases));
	tcase_add_test(tc, a_cut_answer_is_an_error);
	tcase_add_test(tc, only_what_is_lacking_is_asked_for);
	tcase_add_test(tc, a_row_sorted_by_more_is_asked_for_as_a_whole);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	SRunner *sr = srunner_create(ch_batch_suite());
	int failed;

	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
