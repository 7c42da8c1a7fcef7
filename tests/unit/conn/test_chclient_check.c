#include "tests/unit/conn/chclient_fixture.h"

#define DATABASE              \
	{                     \
		OK("sh`op\n") \
	}
#define SETTINGS(rows)   \
	{                \
		OK(rows) \
	}

static const struct {
	struct fake_step steps[5];
	const char *words; /* NULL: it is */
	const char *sqlstate;
} checks[] = {
	{ { NEW, DATABASE, SETTINGS("allow_ddl\t1\nreadonly\t0\n"),
	      { OK("GRANT ALL ON *.* TO u WITH") } },
	    NULL, "" },
	{ { NEW, { OK("") } }, "database \"sh`op\" does not exist", "3D000" },
	{ { NEW, { FAKE_REPLY("404 No", CODE("81"), "") } }, "database \"sh`op\" does not exist",
	    "3D000" },
	{ { NEW, DATABASE, SETTINGS("allow_ddl\t1\nreadonly\t1\n") },
	    "the peer's user may not write to database \"sh`op\": its profile is read-only",
	    "42501" },
	{ { NEW, DATABASE, SETTINGS("allow_ddl\t0\nreadonly\t0\n") },
	    "the peer's user may not write to database \"sh`op\": its profile forbids DDL",
	    "42501" },
	{ { NEW, DATABASE, SETTINGS(""), { OK("GRANT SELECT, INSERT ON x.* TO u\n") } },
	    "the peer's user may not write to database \"sh`op\": it has no right to SELECT",
	    "42501" },
	/* what cannot be asked is not held against it */
	{ { NEW, DATABASE, SETTINGS(""), { FAKE_REPLY("403 No", CODE("497"), "") } }, NULL, "" },
	/* an old server knows no grants */
	{ { OLD, DATABASE, SETTINGS("") }, NULL, "" },
};

START_TEST(a_peer_is_checked)
{
	bool ok;

	fake_script(checks[_i].steps, 5);
	open_client();
	ok = chclient_check(c, &err);
	if (checks[_i].words == NULL) {
		ck_assert_msg(ok, "%s", err.msg);
		return;
	}
	ck_assert(!ok);
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_str_eq(err.sqlstate, checks[_i].sqlstate);
	ck_assert_msg(strncmp(err.msg, checks[_i].words, strlen(checks[_i].words)) == 0, "%s",
	    err.msg);
	ck_assert_str_ne(err.hint, "");
}
END_TEST

static const struct {
	const char *grants;
	const char *missing; /* NULL: none */
} grants[] = {
	{ "GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE ON shop.* TO u\n", NULL },
	{ "GRANT SELECT, INSERT, CREATE TABLE, DROP TABLE ON *.* TO u\n", NULL },
	{ "GRANT SELECT(a, b), INSERT(a), CREATE TABLE, DROP TABLE ON shop.t TO u\n", NULL },
	{ "GRANT SELECT ON *.* TO u\nGRANT INSERT, CREATE, DROP ON sh*.* TO u\n", NULL },
	{ "GRANT SELECT, INSERT, CREATE, DROP ON `shop`.* TO u\n", NULL },
	{ "GRANT writer TO u\n", NULL },
	{ "GRANT SELECT, INSERT, DROP ON shop.* TO u\n", "CREATE TABLE" },
	{ "GRANT SELECT, INSERT, CREATE DATABASE, DROP ON shop.* TO u\n", "CREATE TABLE" },
	{ "GRANT SELECT, INSERT, CREATE ON shop.* TO u\n", "DROP TABLE" },
	{ "GRANT SELECT, INSERT, CREATE, DROP ON shops.* TO u\n", "SELECT" },
	{ "GRANT SELECT, INSERT, CREATE, DROP ON sho.* TO u\n", "SELECT" },
	{ "GRANT INSERT, CREATE, DROP ON shop.* TO u\n", "SELECT" },
	{ "GRANT CREATE(SELECT, INSERT) ON *.* TO u\n", "SELECT" },
	{ "", "SELECT" },
};

START_TEST(grants_are_understood)
{
	char reply[512], words[64];
	struct fake_step steps[] = { NEW, { OK("shop\n") }, { OK("") }, { .raw = reply } };

	snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
	    strlen(grants[_i].grants), grants[_i].grants);
	peer.database = text("shop");
	fake_script(steps, 4);
	open_client();
	if (grants[_i].missing == NULL) {
		ck_assert_msg(chclient_check(c, &err), "%s", err.msg);
		return;
	}
	ck_assert(!chclient_check(c, &err));
	snprintf(words, sizeof(words), "it has no right to %s", grants[_i].missing);
	ck_assert_msg(strstr(err.msg, words) != NULL, "%s", err.msg);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("chclient_check");
	TCase *tc = tcase_create("chclient_check");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	LOOP(tc, a_peer_is_checked, checks);
	LOOP(tc, grants_are_understood, grants);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
