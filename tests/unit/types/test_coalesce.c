#include "lib/types/coalesce.h"

#include <check.h>
#include <stdlib.h>

#include "tests/unit/types/change_fixture.h"

static struct arena *a;
static struct batch *b;

static void
setup(void)
{
	a = arena_new(4096);
	b = batch_new(3);
}

static void
teardown(void)
{
	batch_free(&b);
	arena_free(&a);
}

static void
print_set(struct buf *out, const struct table *t, const char *mark, struct row_set set)
{
	uint32_t i;

	for (i = 0; i < set.n; i++) {
		buf_printf(out, "%s%s", out->n > 0 ? " " : "", mark);
		fixture_row_print(out, t, set.rows[i]);
	}
}

/* The sets as text: - deletes, = updates, ? partial updates, + inserts, ! ghosts. */
static const char *
sets_text(const struct coalesced *c)
{
	const char *text;
	struct buf out;

	buf_init(&out, 4096);
	if (c->ordered)
		buf_str_add(&out, "ordered");
	print_set(&out, c->table, "-", c->deletes);
	print_set(&out, c->table, "=", c->updates);
	print_set(&out, c->table, "?", c->partials);
	print_set(&out, c->table, "+", c->inserts);
	print_set(&out, c->table, "!", c->ghosts);
	text = arena_strdup(a, buf_str(&out));
	buf_done(&out);
	return text;
}

static const char *
outcome(const char *columns, const char *script)
{
	struct coalesced *list;
	uint32_t n;

	fixture_changes(b, fixture_table(a, 0, columns), script);
	list = coalesce(a, b, 0, b->nchanges, &n);
	ck_assert_uint_eq(n, 1);
	return sets_text(list);
}

/* Columns are id (the key), x, and t, which may be an unchanged TOAST value. */
static const struct {
	const char *script, *sets;
} cases[] = {
	/* one change */
	{ "+1|a|b", "+1|a|b" },
	{ "=1|a|b", "=1|a|b" },
	{ "=1|a|?", "?1|a|?" },
	{ "-1|~|~", "-1|~|~" },
	{ "x1|a|b", "-1|a|b" },
	{ "k1|~|~>2|a|b", "-1|~|~ +2|a|b" },
	{ "o1|a|b>1|c|d", "=1|c|d" },
	{ "o1|a|b>1|c|?", "=1|c|b" },
	{ "o1|a|b>2|c|?", "-1|a|b +2|c|b" },
	/* an old key that did not change is an update */
	{ "k1|~|~>1|a|b", "=1|a|b" },
	{ "k1|~|~>1|a|?", "?1|a|?" },

	/* after an insert */
	{ "+1|a|b =1|c|d", "+1|c|d" },
	{ "+1|a|b =1|c|?", "+1|c|b" },
	{ "+1|a|~ =1|c|?", "+1|c|~" },
	{ "+1|a|b =1|c|? =1|d|?", "+1|d|b" },
	{ "+1|a|b -1|~|~", "!1|a|b" },
	{ "+1|a|b =1|c|? -1|~|~", "!1|c|b" },
	{ "+1|a|b -1|~|~ +1|c|d", "+1|c|d" },
	{ "+1|a|b k1|~|~>2|c|d", "+2|c|d !1|a|b" },
	{ "+1|a|b k1|~|~>2|c|?", "+2|c|b !1|a|b" },
	{ "+1|a|b k1|~|~>2|c|? -2|~|~", "!1|a|b !2|c|b" },
	{ "+1|a|b k1|~|~>2|c|? k2|~|~>1|d|?", "+1|d|b !2|c|b" },

	/* after an update */
	{ "=1|a|b =1|c|d", "=1|c|d" },
	{ "=1|a|b =1|c|?", "=1|c|b" },
	{ "=1|a|? =1|c|d", "=1|c|d" },
	{ "=1|a|? =1|c|?", "?1|c|?" },
	{ "=1|a|b -1|~|~", "-1|a|b" },
	{ "=1|a|? -1|~|~", "-1|a|?" },
	{ "=1|a|b -1|~|~ +1|c|d", "=1|c|d" },
	{ "=1|a|? -1|~|~ +1|c|d", "=1|c|d" },
	{ "=1|a|b k1|~|~>2|c|d", "-1|a|b +2|c|d" },
	{ "=1|a|b k1|~|~>2|c|?", "-1|a|b +2|c|b" },

	/* after a delete */
	{ "-1|~|~ +1|a|b", "=1|a|b" },
	{ "-1|~|~ +1|a|b =1|c|?", "=1|c|b" },
	{ "-1|~|~ +1|a|b -1|~|~", "-1|a|b" },
	{ "-1|~|~ +1|a|b k1|~|~>2|c|?", "-1|a|b +2|c|b" },
	{ "-1|~|~ +1|a|b -1|~|~ +1|c|d", "=1|c|d" },

	/* after a key update */
	{ "k1|~|~>2|a|b =2|c|?", "-1|~|~ +2|c|b" },
	{ "k1|~|~>2|a|b -2|~|~", "-1|~|~ !2|a|b" },
	{ "k1|~|~>2|a|b +1|c|d", "=1|c|d +2|a|b" },
	{ "k1|~|~>2|a|b k2|~|~>1|c|d", "=1|c|d !2|a|b" },
	{ "k1|~|~>2|a|b k2|~|~>3|c|d", "-1|~|~ +3|c|d !2|a|b" },
	{ "-2|~|~ k1|~|~>2|a|b", "-1|~|~ =2|a|b" },
	/* two rows change places by way of a third key */
	{ "k1|~|~>3|a|b k2|~|~>1|c|d k3|~|~>2|a|b", "=1|c|d =2|a|b !3|a|b" },

	/* a key moves while a value stayed unsent: nobody here knows it */
	{ "k1|~|~>2|a|?", "ordered" },
	{ "=1|a|? k1|~|~>2|c|?", "ordered" },
	{ "k1|~|~>2|a|b k2|~|~>3|c|? k9|~|~>8|x|?", "ordered" },
	{ "+5|a|b k1|~|~>2|a|? =5|c|d", "ordered" },

	/* a stream that contradicts itself */
	{ "+1|a|b +1|c|d -9|~|~", "ordered" },
	{ "=1|a|b +1|c|d", "ordered" },
	{ "-1|~|~ =1|a|b", "ordered" },
	{ "+1|a|b k2|~|~>1|c|d", "ordered" },

	/* several keys: deletes and updates by key, inserts as they came */
	{ "-3|~|~ -1|~|~ -2|~|~", "-1|~|~ -2|~|~ -3|~|~" },
	{ "=3|a|b =1|c|d =2|e|f", "=1|c|d =2|e|f =3|a|b" },
	{ "+3|a|b +1|c|d =2|e|f", "=2|e|f +3|a|b +1|c|d" },
	{ "+1|a|b =2|c|d -3|~|~ =4|e|?", "-3|~|~ =2|c|d ?4|e|? +1|a|b" },

	/* inserts alone are taken as they are */
	{ "+2|a|b +1|c|d +3|e|f", "+2|a|b +1|c|d +3|e|f" },
};

START_TEST(run_amounts_to)
{
	ck_assert_str_eq(outcome("id:1 x t", cases[_i].script), cases[_i].sets);
}
END_TEST

/* The same on other keys: the order of keys, what is compared, where it stands. */
static const struct {
	const char *columns, *script, *sets;
} keys[] = {
	{ "x a:1 b:2", "=u|1|2 =v|1|3 =w|1|2", "=w|1|2 =v|1|3" },
	{ "x a:2 b:1", "-~|1|9 -~|2|1", "-~|2|1 -~|1|9" },
	{ "a:1 b:2 x", "k1|2|~>1|3|v", "-1|2|~ +1|3|v" },
	{ "a:1 b:2 x", "k1|2|~>1|2|v", "=1|2|v" },
	/* a key that is itself an unchanged TOAST value: its old form comes with it */
	{ "k:1 x", "klong|~>?|a", "ordered" },
	{ "k:1 x", "+long|a klong|~>?|b", "+long|b" },
	{ "k:1 x", "olong|a>?|b", "=long|b" },
};

START_TEST(keys_of_any_form)
{
	ck_assert_str_eq(outcome(keys[_i].columns, keys[_i].script), keys[_i].sets);
}
END_TEST

static const struct {
	const char *script, *sets;
} keyless[] = {
	{ "+1|a +1|a", "+1|a +1|a" },
	{ "+1|a x1|a", "ordered" },
	{ "o1|a>1|b", "ordered" },
	{ "x1|a", "ordered" },
};

START_TEST(without_key_only_inserts_are_a_set)
{
	ck_assert_str_eq(outcome("x y", keyless[_i].script), keyless[_i].sets);
}
END_TEST

START_TEST(ordered_keeps_every_change)
{
	struct table *t = fixture_table(a, 0, "id:1 x t");
	struct coalesced *list;
	uint32_t i, n;

	fixture_changes(b, t, "+5|a|b =5|c|? k1|~|~>2|a|? -5|~|~");
	list = coalesce(a, b, 0, 4, &n);
	ck_assert_uint_eq(list->nchanges, 4);
	for (i = 0; i < 4; i++)
		ck_assert_ptr_eq(list->changes[i], &b->changes[i]);
}
END_TEST

START_TEST(tables_come_in_order_of_first_touch)
{
	struct table *t0 = fixture_table(a, 0, "id:1"), *t2 = fixture_table(a, 2, "id:1");
	struct coalesced *list;
	uint32_t n;

	fixture_changes(b, t2, "=7");
	fixture_changes(b, t0, "+1");
	fixture_changes(b, t2, "-8");
	list = coalesce(a, b, 0, 3, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_ptr_eq(list[0].table, t2);
	ck_assert_str_eq(sets_text(&list[0]), "-8 =7");
	ck_assert_ptr_eq(list[1].table, t0);
	ck_assert_str_eq(sets_text(&list[1]), "+1");
}
END_TEST

START_TEST(stopped_table_is_left_out)
{
	struct table *t0 = fixture_table(a, 0, "id:1"), *t1 = fixture_table(a, 1, "id:1");
	struct coalesced *list;
	uint32_t n;

	fixture_changes(b, t0, "=1");
	fixture_changes(b, t1, "=1");
	t0->stopped = true;
	list = coalesce(a, b, 0, 2, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_ptr_eq(list[0].table, t1);
}
END_TEST

START_TEST(only_the_run_is_looked_at)
{
	struct table *t = fixture_table(a, 0, "id:1");
	struct coalesced *list;
	uint32_t n;

	fixture_changes(b, t, "+1 -2 +3 -4");
	list = coalesce(a, b, 1, 3, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(sets_text(list), "-2 +3");
}
END_TEST

START_TEST(an_empty_run_touches_nothing)
{
	uint32_t n = 99;

	coalesce(a, b, 0, 0, &n);
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* More keys than the table of keys is born with, so that probing wraps and chains. */
START_TEST(many_keys_stay_apart)
{
	struct table *t = fixture_table(a, 0, "id:1 x");
	struct coalesced *list;
	uint32_t i, n;

	for (i = 0; i < 3000; i++) {
		fixture_change(b, t, '=', arena_printf(a, "%04u|a", i % 1000), NULL);
		fixture_change(b, t, '-', arena_printf(a, "%04u|~", 1000 + i), NULL);
	}
	list = coalesce(a, b, 0, b->nchanges, &n);
	ck_assert_uint_eq(list->updates.n, 1000);
	ck_assert_uint_eq(list->deletes.n, 3000);
	for (i = 0; i < 1000; i++)
		ck_assert_str_eq(fixture_row_text(a, t, list->updates.rows[i]),
		    arena_printf(a, "%04u|a", i));
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *s = suite_create("coalesce");
	TCase *tc = tcase_create("coalesce");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	LOOP(tc, run_amounts_to, cases);
	LOOP(tc, keys_of_any_form, keys);
	LOOP(tc, without_key_only_inserts_are_a_set, keyless);
	tcase_add_test(tc, ordered_keeps_every_change);
	tcase_add_test(tc, tables_come_in_order_of_first_touch);
	tcase_add_test(tc, stopped_table_is_left_out);
	tcase_add_test(tc, only_the_run_is_looked_at);
	tcase_add_test(tc, an_empty_run_touches_nothing);
	tcase_add_test(tc, many_keys_stay_apart);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
