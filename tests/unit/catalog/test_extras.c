/*
 * Settings, tags, alerts, scripts; and the views, which show no secret.
 */
#include "tests/unit/catalog/fixture.h"

#include "catalog/extras.h"

static struct {
	size_t n;
	int64_t id;
	char a[64], b[64], c[64];
} seen;

static void
note(size_t n, int64_t id, const char *a, const char *b, const char *c)
{
	seen.n = n;
	seen.id = id;
	snprintf(seen.a, sizeof(seen.a), "%s", a);
	snprintf(seen.b, sizeof(seen.b), "%s", b);
	snprintf(seen.c, sizeof(seen.c), "%s", c);
}

static void
on_settings(void *arg, const struct err *why, const struct catalog_setting *rows, size_t n)
{
	on_done(arg, why);
	note(n, 0, n > 0 ? rows[0].name : "", n > 0 ? rows[0].value : "", "");
}

static void
on_tags(void *arg, const struct err *why, const struct catalog_tag *rows, size_t n)
{
	on_done(arg, why);
	note(n, 0, n > 0 ? rows[0].key : "", n > 0 ? rows[0].value : "", "");
}

static void
on_alerts(void *arg, const struct err *why, const struct catalog_alert *rows, size_t n)
{
	on_done(arg, why);
	if (n > 0)
		note(n, rows[0].id, rows[0].service_type, rows[0].config, rows[0].mirrors);
	else
		note(0, 0, "", "", "");
}

static void
on_scripts(void *arg, const struct err *why, const struct catalog_script *rows, size_t n)
{
	char source[64] = "";

	on_done(arg, why);
	if (n > 0)
		snprintf(source, sizeof(source), "%.*s", (int)rows[0].source.n,
		    (const char *)rows[0].source.p);
	note(n, n > 0 ? rows[0].id : 0, n > 0 ? rows[0].name : "", n > 0 ? rows[0].lang : "",
	    source);
}

static int64_t saved_id;

static void
on_saved(void *arg, const struct err *why, int64_t id)
{
	on_done(arg, why);
	saved_id = id;
}

START_TEST(settings_are_set_and_cleared)
{
	catalog_setting_set(cat, "A", "1", on_done, NULL);
	expect(ERR_NONE);
	catalog_setting_set(cat, "A", "2", on_done, NULL);
	expect(ERR_NONE);
	catalog_settings_load(cat, on_settings, NULL);
	expect(ERR_NONE);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.a, "A");
	ck_assert_str_eq(seen.b, "2");
	catalog_setting_set(cat, "A", NULL, on_done, NULL);
	expect(ERR_NONE);
	catalog_settings_load(cat, on_settings, NULL);
	expect(ERR_NONE);
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

START_TEST(tags_are_replaced_as_a_whole)
{
	struct catalog_tag two[] = { { "b", "2" }, { "a", "1" } }, one[] = { { "c", "3" } };

	catalog_tags_replace(cat, "m", two, 2, on_done, NULL);
	expect(ERR_NONE);
	catalog_tags_list(cat, "m", on_tags, NULL);
	expect(ERR_NONE);
	ck_assert_uint_eq(seen.n, 2);
	ck_assert_str_eq(seen.a, "a");
	catalog_tags_replace(cat, "m", one, 1, on_done, NULL);
	expect(ERR_NONE);
	catalog_tags_list(cat, "m", on_tags, NULL);
	expect(ERR_NONE);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.b, "3");
	catalog_tags_replace(cat, "other", one, 1, on_done, NULL);
	expect(ERR_NOT_FOUND);
}
END_TEST

static void
save_alert(int64_t id, const char *config, enum err_code code)
{
	struct catalog_alert alert = { .id = id,
		.service_type = "slack",
		.config = config,
		.mirrors = "[\"m\"]" };

	catalog_alert_save(cat, &alert, on_saved, NULL);
	expect(code);
}

START_TEST(alerts_are_saved_sealed)
{
	save_alert(-1, "token one", ERR_NONE);
	ck_assert_int_eq(saved_id, 1);
	save_alert(1, "token two", ERR_NONE);
	ck_assert_int_eq(saved_id, 1);
	reopen();
	catalog_alerts_load(cat, on_alerts, NULL);
	expect(ERR_NONE);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.a, "slack");
	ck_assert_str_eq(seen.b, "token two");
	ck_assert_str_eq(seen.c, "[\"m\"]");
	ck_assert_str_eq(sql("SELECT instr(config, 'token') FROM alerts"), "0");
}
END_TEST

START_TEST(an_unknown_alert_is_not_found)
{
	save_alert(7, "x", ERR_NOT_FOUND);
	catalog_alert_delete(cat, 7, on_done, NULL);
	expect(ERR_NOT_FOUND);
	ck_assert_str_eq(answer.err.msg, "alert \"7\" does not exist");
	save_alert(-1, "x", ERR_NONE);
	catalog_alert_delete(cat, saved_id, on_done, NULL);
	expect(ERR_NONE);
	catalog_alerts_load(cat, on_alerts, NULL);
	expect(ERR_NONE);
	ck_assert_uint_eq(seen.n, 0);
}
END_TEST

START_TEST(alerts_follow_the_key)
{
	options.keys = "k1:" KEY_A;
	catalog_close(&cat);
	remove_dir();
	make_dir();
	options.keys = "k1:" KEY_A;
	open_catalog();
	save_alert(-1, "token", ERR_NONE);
	options.keys = "k2:" KEY_B ",k1:" KEY_A;
	reopen();
	ck_assert_str_eq(sql("SELECT key_id FROM alerts"), "k2");
	catalog_alerts_load(cat, on_alerts, NULL);
	expect(ERR_NONE);
	ck_assert_str_eq(seen.b, "token");
}
END_TEST

static void
save_script(int64_t id, const char *name, const char *source, enum err_code code)
{
	struct catalog_script s = { .id = id,
		.name = name,
		.lang = "lua",
		.source = slice_str(source) };

	catalog_script_save(cat, &s, on_saved, NULL);
	expect(code);
}

START_TEST(scripts_are_saved_by_name)
{
	save_script(-1, "one", "return 1", ERR_NONE);
	save_script(-1, "one", "return 2", ERR_EXISTS);
	save_script(saved_id + 5, "two", "", ERR_NOT_FOUND);
	catalog_scripts_load(cat, on_scripts, NULL);
	expect(ERR_NONE);
	ck_assert_uint_eq(seen.n, 1);
	ck_assert_str_eq(seen.c, "return 1");
	save_script(seen.id, "renamed", "return 3", ERR_NONE);
	catalog_scripts_load(cat, on_scripts, NULL);
	expect(ERR_NONE);
	ck_assert_str_eq(seen.a, "renamed");
	ck_assert_str_eq(seen.c, "return 3");
	catalog_script_delete(cat, seen.id, on_done, NULL);
	expect(ERR_NONE);
	catalog_script_delete(cat, seen.id, on_done, NULL);
	expect(ERR_NOT_FOUND);
}
END_TEST

/* ---- views */

static const char *const views[] = { "v_peers", "v_mirrors", "v_state_history", "v_snapshot_tables",
	"v_snapshot_partitions", "v_batches", "v_table_counts", "v_logs", "v_settings", "v_tags",
	"v_alerts", "v_scripts" };

START_TEST(a_view_reads_and_has_no_blob)
{
	char text[128];

	snprintf(text, sizeof(text), "SELECT count(*) FROM %s", views[_i]);
	ck_assert_int_eq(sql(text)[0] >= '0', 1);
	snprintf(text, sizeof(text),
	    "SELECT count(*) FROM pragma_table_info('%s') "
	    "WHERE type = 'BLOB'",
	    views[_i]);
	ck_assert_str_eq(sql(text), "0");
}
END_TEST

START_TEST(every_view_is_listed_here)
{
	char n[16];

	snprintf(n, sizeof(n), "%zu", sizeof(views) / sizeof(views[0]));
	ck_assert_str_eq(sql("SELECT count(*) FROM sqlite_schema WHERE type = 'view'"), n);
}
END_TEST

START_TEST(views_show_names_times_and_positions)
{
	struct catalog_batch b = { .batch_id = 1,
		.start_lsn = 0x1600000010,
		.end_lsn = 0x16FFFFFFFF,
		.rows = 3,
		.start_us = 1700000000123456,
		.end_us = 0 };

	catalog_batch_add(cat, "m", &b, NULL, 0, NULL, NULL);
	ck_assert(catalog_flush(cat, &err));
	ck_assert_str_eq(sql("SELECT type FROM v_peers"), "POSTGRES");
	ck_assert_str_eq(sql("SELECT wanted || ' ' || status || ' ' || batches FROM v_mirrors"),
	    "running STATUS_SETUP 1");
	ck_assert_str_eq(sql("SELECT start_lsn || ' ' || end_lsn FROM v_batches"),
	    "16/10 16/FFFFFFFF");
	ck_assert_str_eq(sql("SELECT started_at FROM v_batches"), "2023-11-14T22:13:20.123Z");
	ck_assert_str_eq(sql("SELECT ended_at IS NULL FROM v_batches"), "1");
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("extras");

	tcase_add_checked_fixture(tc, setup_mirror, remove_dir);
	tcase_add_test(tc, settings_are_set_and_cleared);
	tcase_add_test(tc, tags_are_replaced_as_a_whole);
	tcase_add_test(tc, alerts_are_saved_sealed);
	tcase_add_test(tc, an_unknown_alert_is_not_found);
	tcase_add_test(tc, alerts_follow_the_key);
	tcase_add_test(tc, scripts_are_saved_by_name);
	tcase_add_loop_test(tc, a_view_reads_and_has_no_blob, 0, sizeof(views) / sizeof(views[0]));
	tcase_add_test(tc, every_view_is_listed_here);
	tcase_add_test(tc, views_show_names_times_and_positions);
	return run_suite("extras", tc);
}
