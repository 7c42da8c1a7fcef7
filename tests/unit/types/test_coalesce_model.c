/*
 * coalesce() against a model: changes that a source could really send are
 * applied one by one to a small table of plain C, and as the sets that
 * coalesce() makes of them to another; both must end alike. Every sequence of
 * up to DEPTH changes on two keys is tried, and long random ones on more.
 */
#include "lib/types/coalesce.h"

#include <check.h>
#include <stdlib.h>

#include "tests/unit/types/table_fixture.h"

#define KEYS   8
#define DEPTH  5
#define ROUNDS 400
#define LENGTH 60
#define SEED   20240607u

/* One row by its key: x changes with every update, t only when it is sent. */
struct model_row {
	bool there;
	bool t_known; /* the run so far has brought t */
	uint32_t x, t;
};

enum identity {
	IDENTITY_KEY,
	IDENTITY_FULL
};

/* What the source does; the second half leaves t unsent. */
enum act {
	ACT_INSERT,
	ACT_DELETE,
	ACT_UPDATE,
	ACT_MOVE,
	ACT_UPDATE_UNSENT,
	ACT_MOVE_UNSENT,
	ACTS
};

struct deed {
	enum act act;
	uint32_t key, to;
};

struct world {
	enum identity identity;
	uint32_t nkeys;
	struct model_row before[KEYS], now[KEYS];
	uint32_t stamp; /* the next value */
	bool ordered;	/* the sets cannot tell: t moved unsent */
};

static struct arena *lasting; /* the table's, which is for all worlds */
static struct arena *a;	      /* one world's */
static struct table *t;
static struct batch *b;
static char story[4096]; /* what was done, for a failure's words */

static void
setup(void)
{
	a = arena_new(65536);
	lasting = arena_new(4096);
	t = fixture_table(lasting, 0, "id:1 x t");
	b = batch_new(1);
}

static void
teardown(void)
{
	batch_free(&b);
	arena_free(&a);
	arena_free(&lasting);
}

/* ---- the source */

static bool
possible(const struct world *w, struct deed d)
{
	bool moves = d.act == ACT_MOVE || d.act == ACT_MOVE_UNSENT;

	if (moves != (d.to != d.key) || w->now[d.key].there == (d.act == ACT_INSERT))
		return false;
	return !moves || !w->now[d.to].there;
}

static const struct row *
row_of(uint32_t key, struct model_row r, bool t_sent)
{
	return fixture_row(a, t,
	    t_sent ? arena_printf(a, "%u|%u|%u", key, r.x, r.t)
		   : arena_printf(a, "%u|%u|?", key, r.x));
}

static const struct row *
old_row(const struct world *w, uint32_t key)
{
	if (w->identity == IDENTITY_FULL)
		return row_of(key, w->now[key], true);
	return fixture_row(a, t, arena_printf(a, "%u|~|~", key));
}

static void
perform_insert(struct world *w, uint32_t key)
{
	w->now[key] =
	    (struct model_row){ .there = true, .t_known = true, .x = w->stamp, .t = w->stamp };
	batch_add(b, t, CHANGE_INSERT, NULL, false, row_of(key, w->now[key], true));
}

static void
perform_delete(struct world *w, uint32_t key)
{
	batch_add(b, t, CHANGE_DELETE, old_row(w, key), w->identity == IDENTITY_FULL, NULL);
	w->now[key].there = false;
}

static void
perform_update(struct world *w, struct deed d)
{
	bool full = w->identity == IDENTITY_FULL, sent = d.act == ACT_UPDATE || d.act == ACT_MOVE;
	const struct row *old = full || d.to != d.key ? old_row(w, d.key) : NULL;
	struct model_row r = w->now[d.key];

	r.x = w->stamp;
	r.t = sent ? w->stamp : r.t;
	r.t_known = r.t_known || sent || full;
	if (d.to != d.key && !r.t_known)
		w->ordered = true;
	w->now[d.key].there = false;
	w->now[d.to] = r;
	batch_add(b, t, CHANGE_UPDATE, old, full, row_of(d.to, r, sent));
}

static void
perform(struct world *w, struct deed d)
{
	size_t n = strlen(story);

	snprintf(story + n, sizeof(story) - n, " %d(%u,%u)", d.act, d.key, d.to);
	w->stamp++;
	if (d.act == ACT_INSERT)
		perform_insert(w, d.key);
	else if (d.act == ACT_DELETE)
		perform_delete(w, d.key);
	else
		perform_update(w, d);
}

/* A world whose rows are there as the bits of mask say. */
static struct world
world_begin(enum identity identity, uint32_t nkeys, uint32_t mask)
{
	struct world w = { .identity = identity, .nkeys = nkeys, .stamp = 1000 };
	uint32_t k;

	arena_reset(a);
	batch_reset(b);
	for (k = 0; k < nkeys; k++)
		w.now[k] = (struct model_row){ .there = (mask >> k & 1) != 0, .x = k, .t = k };
	memcpy(w.before, w.now, sizeof(w.now));
	snprintf(story, sizeof(story), ": identity %d, rows %x:", identity, mask);
	return w;
}

/* ---- the destination */

struct place {
	struct model_row rows[KEYS];
	bool touched[KEYS]; /* a key is in one set at most */
};

static uint32_t
number(struct row_value v)
{
	return (uint32_t)strtoul((const char *)v.p, NULL, 10);
}

/* The key's row; a row that is (or is not) to be there before. */
static struct model_row *
touch(struct place *p, const struct row_value *v, bool there)
{
	uint32_t key = number(v[0]);

	ck_assert_msg(!p->touched[key], "key %u is in two sets after%s", key, story);
	ck_assert_msg(p->rows[key].there == there, "key %u %s there after%s", key,
	    there ? "is not" : "is", story);
	p->touched[key] = true;
	return &p->rows[key];
}

static void
apply_set(struct place *p, struct row_set set, bool there_before, bool there_after)
{
	struct row_value v[3];
	struct model_row *r;
	uint32_t i;

	for (i = 0; i < set.n; i++) {
		row_values(set.rows[i], 3, v);
		r = touch(p, v, there_before);
		r->there = there_after;
		if (!there_after)
			continue;
		r->x = number(v[1]);
		if (v[2].len != ROW_UNCHANGED)
			r->t = number(v[2]);
	}
}

static void
assert_form(struct row_set set, bool whole, const char *what)
{
	uint32_t i;

	for (i = 0; i < set.n; i++)
		ck_assert_msg((set.rows[i]->unchanged == 0) == whole,
		    "%s, unsent values: %u, after%s", what, set.rows[i]->unchanged, story);
}

static void
assert_sorted(struct row_set set)
{
	uint32_t i;

	for (i = 1; i < set.n; i++)
		ck_assert_msg(row_key_compare(t, set.rows[i - 1], set.rows[i]) < 0,
		    "not sorted after%s", story);
}

static void
assert_same(const struct place *p, const struct world *w)
{
	uint32_t k;

	for (k = 0; k < w->nkeys; k++) {
		ck_assert_msg(p->rows[k].there == w->now[k].there, "key %u %s after%s", k,
		    w->now[k].there ? "is gone" : "was left", story);
		if (w->now[k].there)
			ck_assert_msg(p->rows[k].x == w->now[k].x && p->rows[k].t == w->now[k].t,
			    "key %u is %u, %u instead of %u, %u after%s", k, p->rows[k].x,
			    p->rows[k].t, w->now[k].x, w->now[k].t, story);
	}
}

/* Ghosts are gone when all is done, and were not there before. */
static void
apply(struct place *p, const struct coalesced *c)
{
	apply_set(p, c->deletes, true, false);
	apply_set(p, c->updates, true, true);
	apply_set(p, c->partials, true, true);
	apply_set(p, c->inserts, false, true);
	apply_set(p, c->ghosts, false, false);
}

static void
check_outcome(const struct world *w)
{
	struct coalesced *c;
	struct place p = { 0 };
	uint32_t n;

	c = coalesce(a, b, 0, b->nchanges, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(c->nchanges, b->nchanges);
	ck_assert_msg(c->ordered == w->ordered, "%s after%s", c->ordered ? "ordered" : "sets",
	    story);
	if (c->ordered)
		return;
	memcpy(p.rows, w->before, sizeof(p.rows));
	apply(&p, c);
	assert_same(&p, w);
	assert_form(c->updates, true, "update");
	assert_form(c->inserts, true, "insert");
	assert_form(c->ghosts, true, "ghost");
	assert_form(c->partials, false, "partial update");
	assert_sorted(c->deletes);
	assert_sorted(c->updates);
}

/* ---- every short sequence */

/* Play path[0..n) in a new world; false: its last deed is not possible there. */
static bool
try_path(enum identity identity, uint32_t mask, const struct deed *path, uint32_t n)
{
	struct world w = world_begin(identity, 2, mask);
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (!possible(&w, path[i]))
			return false;
		perform(&w, path[i]);
	}
	check_outcome(&w);
	return true;
}

static uint32_t
explore(enum identity identity, uint32_t mask, struct deed *path, uint32_t n)
{
	uint32_t act, key, to, tried = 0;

	if (n == DEPTH)
		return 0;
	for (act = 0; act < ACTS; act++) {
		for (key = 0; key < 2; key++) {
			for (to = 0; to < 2; to++) {
				path[n] = (struct deed){ (enum act)act, key, to };
				if (try_path(identity, mask, path, n + 1))
					tried += 1 + explore(identity, mask, path, n + 1);
			}
		}
	}
	return tried;
}

/* Which of the two rows are there at first; what begins with the other one is the same. */
static const struct {
	enum identity identity;
	uint32_t mask;
} beginnings[] = {
	{ IDENTITY_KEY, 0 },
	{ IDENTITY_KEY, 1 },
	{ IDENTITY_KEY, 3 },
	{ IDENTITY_FULL, 0 },
	{ IDENTITY_FULL, 1 },
	{ IDENTITY_FULL, 3 },
};

START_TEST(every_short_sequence)
{
	struct deed path[DEPTH];

	ck_assert_uint_gt(explore(beginnings[_i].identity, beginnings[_i].mask, path, 0), 1000);
}
END_TEST

/* ---- long random ones */

static uint32_t random_state;

static uint32_t
random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % n;
}

static struct deed
random_deed(const struct world *w, bool move_unsent)
{
	struct deed d;

	do {
		d.act = (enum act)random_below(move_unsent ? ACTS : ACT_MOVE_UNSENT);
		d.key = random_below(w->nkeys);
		d.to = d.act == ACT_MOVE || d.act == ACT_MOVE_UNSENT ? random_below(w->nkeys)
								     : d.key;
	} while (!possible(w, d));
	return d;
}

START_TEST(long_random_sequences)
{
	uint32_t round, i, length;
	struct world w;

	for (round = 0; round < ROUNDS; round++) {
		random_state = SEED + round;
		/* never full, so that something is always possible */
		w = world_begin((enum identity)_i, KEYS, random_below(1u << (KEYS - 1)));
		length = 1 + random_below(LENGTH);
		for (i = 0; i < length; i++)
			perform(&w, random_deed(&w, round % 4 == 0));
		check_outcome(&w);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("coalesce against a model");
	TCase *tc = tcase_create("model");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_short_sequence, 0,
	    sizeof(beginnings) / sizeof(beginnings[0]));
	tcase_add_loop_test(tc, long_random_sequences, IDENTITY_KEY, IDENTITY_FULL + 1);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
