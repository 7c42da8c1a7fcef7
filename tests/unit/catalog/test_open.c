/*
 * Opening: an empty directory, an old catalog, a foreign or newer file, keys
 * that fit or do not, a directory that belongs to someone else.
 */
#include "tests/unit/catalog/fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "catalog/migrations.h"

static char seen_config[256];

static void
on_peers(void *arg, const struct err *why, const struct catalog_peer *rows, size_t n)
{
	on_done(arg, why);
	seen_config[0] = '\0';
	if (n > 0)
		snprintf(seen_config, sizeof(seen_config), "%.*s", (int)rows[0].config.n,
		    (const char *)rows[0].config.p);
}

static void
expect_config(const char *config)
{
	catalog_peers_load(cat, on_peers, NULL);
	expect(ERR_NONE);
	ck_assert_str_eq(seen_config, config);
}

static void
expect_refused(enum err_code code, const char *words)
{
	ck_assert(!catalog_open(&options, &cat, &err));
	ck_assert_ptr_null(cat);
	ck_assert_msg(err.code == code, "%s: %s", err_code_name(err.code), err.msg);
	ck_assert_msg(strstr(err.msg, words) != NULL, "%s", err.msg);
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(stat(path_in_dir(name), &st), 0);
	return st.st_mode & 0777;
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(path_in_dir(name), "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(chmod(path_in_dir(name), mode), 0);
}

START_TEST(an_empty_directory_becomes_a_catalog)
{
	char version[16];

	open_catalog();
	snprintf(version, sizeof(version), "%d", catalog_schema_version());
	ck_assert_str_eq(sql("PRAGMA user_version"), version);
	ck_assert_str_eq(sql("PRAGMA journal_mode"), "wal");
	ck_assert_str_eq(sql("SELECT name FROM status_names WHERE number = 1"), "STATUS_RUNNING");
	ck_assert_str_eq(sql("SELECT name FROM peer_type_names WHERE number = 3"), "POSTGRES");
}
END_TEST

START_TEST(a_missing_directory_is_made_for_us_alone)
{
	char deeper[96];
	struct stat st;

	snprintf(deeper, sizeof(deeper), "%s/state", dir);
	options.dir = deeper;
	open_catalog();
	ck_assert_int_eq(stat(deeper, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
}
END_TEST

START_TEST(nobody_else_may_read_the_files)
{
	umask(0);
	open_catalog();
	add_peer("p", "secret");
	ck_assert_uint_eq(mode_of("peerd.db"), 0600);
	ck_assert_uint_eq(mode_of("peerd.db-wal"), 0600);
	ck_assert_uint_eq(mode_of("catalog.key"), 0600);
}
END_TEST

START_TEST(the_secret_is_nowhere_in_the_files)
{
	static const char *const files[] = { "peerd.db", "peerd.db-wal" };
	char bytes[512 * 1024];
	size_t i;
	ssize_t n;
	int fd;

	open_catalog();
	add_peer("p", "hunter2-hunter2");
	for (i = 0; i < 2; i++) {
		fd = open(path_in_dir(files[i]), O_RDONLY);
		n = read(fd, bytes, sizeof(bytes));
		close(fd);
		ck_assert_int_gt(n, 0);
		ck_assert_ptr_null(memmem(bytes, (size_t)n, "hunter2", 7));
	}
}
END_TEST

START_TEST(opening_again_changes_nothing)
{
	open_catalog();
	add_peer("p", "secret");
	reopen();
	reopen();
	expect_config("secret");
}
END_TEST

START_TEST(one_peerd_at_a_time)
{
	struct catalog *second = NULL;

	open_catalog();
	ck_assert(!catalog_open(&options, &second, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "another peerd"));
	reopen();
}
END_TEST

START_TEST(a_newer_schema_is_refused)
{
	open_catalog();
	catalog_close(&cat);
	sql("PRAGMA user_version = 4711");
	expect_refused(ERR_CONFIG, "schema version 4711");
	ck_assert(err.hint[0] != '\0');
}
END_TEST

START_TEST(a_foreign_database_is_refused)
{
	sql("CREATE TABLE phones (number TEXT)");
	expect_refused(ERR_CONFIG, "is not a catalog of peerd");
	ck_assert_str_eq(sql("SELECT count(*) FROM sqlite_schema"), "1");
}
END_TEST

START_TEST(a_file_that_is_no_database_is_refused)
{
	char text[4096];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	write_file("peerd.db", text, 0600);
	expect_refused(ERR_DATA, "not a database");
}
END_TEST

START_TEST(a_half_done_migration_leaves_nothing)
{
	/* a catalog of version 0 whose first step meets a table of its name */
	sql("CREATE TABLE peers (x)");
	sql("PRAGMA application_id = 1886544945");
	expect_refused(ERR_BUG, "migrating the catalog to version 1");
	ck_assert_str_eq(sql("PRAGMA user_version"), "0");
	ck_assert_str_eq(sql("SELECT count(*) FROM sqlite_schema"), "1");
}
END_TEST

/* ---- keys */

START_TEST(the_key_file_is_made_once)
{
	char before[128];

	open_catalog();
	add_peer("p", "secret");
	snprintf(before, sizeof(before), "%s", sql("SELECT key_id FROM peers"));
	reopen();
	expect_config("secret");
	ck_assert_str_eq(sql("SELECT key_id FROM peers"), before);
}
END_TEST

START_TEST(a_key_from_outside_needs_no_file)
{
	options.keys = "k1:" KEY_A;
	open_catalog();
	add_peer("p", "secret");
	ck_assert_int_ne(access(path_in_dir("catalog.key"), F_OK), 0);
	ck_assert_str_eq(sql("SELECT key_id FROM peers"), "k1");
}
END_TEST

START_TEST(rotation_seals_everything_again)
{
	options.keys = "k1:" KEY_A;
	open_catalog();
	add_peer("p", "secret");
	options.keys = "k2:" KEY_B ",k1:" KEY_A;
	reopen();
	ck_assert_str_eq(sql("SELECT key_id FROM peers"), "k2");
	options.keys = "k2:" KEY_B;
	reopen();
	expect_config("secret");
}
END_TEST

START_TEST(moving_from_the_file_to_a_given_key)
{
	open_catalog();
	add_peer("p", "secret");
	options.keys = "k1:" KEY_A;
	reopen();
	ck_assert_str_eq(sql("SELECT key_id FROM peers"), "k1");
	ck_assert_int_eq(unlink(path_in_dir("catalog.key")), 0);
	reopen();
	expect_config("secret");
}
END_TEST

START_TEST(a_wrong_key_is_refused_at_start)
{
	options.keys = "k1:" KEY_A;
	open_catalog();
	add_peer("p", "secret");
	catalog_close(&cat);
	options.keys = "k2:" KEY_B;
	expect_refused(ERR_CONFIG, "\"k1\"");
	options.keys = "k1:" KEY_B;
	expect_refused(ERR_DATA, "does not open");
}
END_TEST

START_TEST(a_lost_key_file_is_not_replaced)
{
	open_catalog();
	add_peer("p", "secret");
	catalog_close(&cat);
	ck_assert_int_eq(unlink(path_in_dir("catalog.key")), 0);
	expect_refused(ERR_CONFIG, "there is no key");
	ck_assert_int_ne(access(path_in_dir("catalog.key"), F_OK), 0);
}
END_TEST

START_TEST(a_key_file_others_may_read_is_refused)
{
	write_file("catalog.key", KEY_A "\n", 0644);
	expect_refused(ERR_CONFIG, "may be read by others");
	ck_assert_ptr_nonnull(strstr(err.hint, "chmod 600"));
}
END_TEST

START_TEST(a_malformed_key_file_is_named)
{
	write_file("catalog.key", "\n", 0600);
	expect_refused(ERR_CONFIG, "catalog.key");
}
END_TEST

START_TEST(a_damaged_secret_is_named)
{
	open_catalog();
	add_peer("p", "secret");
	catalog_close(&cat);
	sql("UPDATE peers SET config = zeroblob(length(config))");
	expect_refused(ERR_DATA, "peers \"p\"");
}
END_TEST

/* ---- the wrong user */

START_TEST(a_directory_of_someone_else_is_refused)
{
	ck_assert_int_eq(chmod(dir, 0555), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	ck_assert(!catalog_open(&options, &cat, &err));
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, dir));
}
END_TEST

int
main(void)
{
	TCase *tc = tcase_create("open");

	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	tcase_add_test(tc, an_empty_directory_becomes_a_catalog);
	tcase_add_test(tc, a_missing_directory_is_made_for_us_alone);
	tcase_add_test(tc, nobody_else_may_read_the_files);
	tcase_add_test(tc, the_secret_is_nowhere_in_the_files);
	tcase_add_test(tc, opening_again_changes_nothing);
	tcase_add_test(tc, one_peerd_at_a_time);
	tcase_add_test(tc, a_newer_schema_is_refused);
	tcase_add_test(tc, a_foreign_database_is_refused);
	tcase_add_test(tc, a_file_that_is_no_database_is_refused);
	tcase_add_test(tc, a_half_done_migration_leaves_nothing);
	tcase_add_test(tc, the_key_file_is_made_once);
	tcase_add_test(tc, a_key_from_outside_needs_no_file);
	tcase_add_test(tc, rotation_seals_everything_again);
	tcase_add_test(tc, moving_from_the_file_to_a_given_key);
	tcase_add_test(tc, a_wrong_key_is_refused_at_start);
	tcase_add_test(tc, a_lost_key_file_is_not_replaced);
	tcase_add_test(tc, a_key_file_others_may_read_is_refused);
	tcase_add_test(tc, a_malformed_key_file_is_named);
	tcase_add_test(tc, a_damaged_secret_is_named);
	tcase_add_test(tc, a_directory_of_someone_else_is_refused);
	return run_suite("open", tc);
}
