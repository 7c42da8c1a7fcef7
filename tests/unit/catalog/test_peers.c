/*
 * Peers: stored, changed, dropped; what mirrors use stays.
 */
#include "tests/unit/catalog/fixture.h"

static struct {
	size_t n;
	struct catalog_peer first;
	char name[64];
	char config[64];
} seen;

static void
on_peers(void *arg, const struct err *why, const struct catalog_peer *rows, size_t n)
{
	on_done(arg, why);
	seen.n = n;
	if (n == 0)
		return;
	seen.first = rows[0];
	snprintf(seen.name, sizeof(seen.name), "%s", rows[0].name);
	snprintf(seen.config, sizeof(seen.config), "%.*s", (int)rows[0].config.n,
	    (const char *)rows[0].config.p);
}

static void
load(void)
{
	catalog_peers_load(cat, on_peers, NULL);
	expect(ERR_NONE);
}

START_TEST(none_at_first)
{
	load();
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

START_TEST(a_peer_comes_back_as_it_was)
{
	usec_t before = clock_wall_us();

	add_peer("b", "second");
	add_peer("a", "first");
	reopen();
	load();
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_str_eq(seen.name, "a");
	ck_assert_str_eq(seen.config, "first");
	ck_assert_int_eq(seen.first.type, 3);
	ck_assert_int_ge(seen.first.created_us, before);
	ck_assert_int_eq(seen.first.updated_us, seen.first.created_us);
}
END_TEST

START_TEST(an_empty_config_is_a_config)
{
	add_peer("a", "");
	load();
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.config, "");
}
END_TEST

START_TEST(a_name_is_taken_once)
{
	struct catalog_peer p = { .name = "a", .type = 3, .config = slice_str("other") };

	add_peer("a", "first");
	catalog_peer_insert(cat, &p, on_done, NULL);
	expect(ERR_EXISTS);
	ck_assert_str_eq(answer.err.msg, "peer \"a\" exists already");
	load();
	ck_assert_str_eq(seen.config, "first");
}
END_TEST

START_TEST(an_update_replaces_the_config)
{
	struct catalog_peer p = { .name = "a", .type = 8, .config = slice_str("new") };

	catalog_peer_update(cat, &p, on_done, NULL);
	expect(ERR_NOT_FOUND);
	add_peer("a", "old");
	catalog_peer_update(cat, &p, on_done, NULL);
	expect(ERR_NONE);
	load();
	ck_assert_str_eq(seen.config, "new");
	ck_assert_int_eq(seen.first.type, 8);
	ck_assert_int_ge(seen.first.updated_us, seen.first.created_us);
}
END_TEST

START_TEST(a_peer_in_use_is_not_dropped)
{
	add_peer("src", "");
	add_peer("dst", "");
	add_mirror("m1");
	add_mirror("m2");
	catalog_peer_delete(cat, "dst", on_done, NULL);
	expect(ERR_IN_USE);
	ck_assert_str_eq(answer.err.subjects, "m1\nm2");
	ck_assert(answer.err.hint[0] != '\0');
	load();
	ck_assert_uint_eq(seen.n, 2);
}
END_TEST

START_TEST(a_dropped_peer_is_gone)
{
	add_peer("a", "");
	catalog_peer_delete(cat, "a", on_done, NULL);
	expect(ERR_NONE);
	catalog_peer_delete(cat, "a", on_done, NULL);
	expect(ERR_NOT_FOUND);
	load();
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("peers");

	tcase_add_checked_fixture(tc, setup, remove_dir);
	tcase_add_test(tc, none_at_first);
	tcase_add_test(tc, a_peer_comes_back_as_it_was);
	tcase_add_test(tc, an_empty_config_is_a_config);
	tcase_add_test(tc, a_name_is_taken_once);
	tcase_add_test(tc, an_update_replaces_the_config);
	tcase_add_test(tc, a_peer_in_use_is_not_dropped);
	tcase_add_test(tc, a_dropped_peer_is_gone);
	return run_suite("peers", tc);
}
