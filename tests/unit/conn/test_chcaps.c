#include "lib/conn/chcaps.h"

#include <check.h>
#include <stdlib.h>

#include "lib/base/err.h"

START_TEST(a_new_server_can_do_everything)
{
	struct err err = ERR_INIT;
	struct ch_caps caps;

	ck_assert(ch_caps_of("26.7.2.1", &caps, &err));
	ck_assert_str_eq(caps.version, "26.7.2.1");
#define X(flag, year, release) ck_assert_msg(caps.flag, #flag);
	CH_CAPS(X)
#undef X
}
END_TEST

START_TEST(the_oldest_server_can_do_nothing_special)
{
	struct err err = ERR_INIT;
	struct ch_caps caps;

	ck_assert(ch_caps_of("18.16.1", &caps, &err));
#define X(flag, year, release) ck_assert_msg(!caps.flag, #flag);
	CH_CAPS(X)
#undef X
}
END_TEST

START_TEST(a_flag_begins_with_its_release)
{
	struct err err = ERR_INIT;
	struct ch_caps before, since;
	char version[32];

#define X(flag, year, release)                                            \
	snprintf(version, sizeof(version), "%d.%d.9", year, release - 1); \
	ck_assert(ch_caps_of(version, &before, &err));                    \
	snprintf(version, sizeof(version), "%d.%d.1-lts", year, release); \
	ck_assert(ch_caps_of(version, &since, &err));                     \
	ck_assert_msg(!before.flag && since.flag, #flag);
	CH_CAPS(X)
#undef X
}
END_TEST

static const struct {
	const char *version;
	enum err_code code;
} bad_versions[] = {
	{ "18.14.19", ERR_CONFIG },
	{ "1.1.54394", ERR_CONFIG },
	{ "", ERR_PROTOCOL },
	{ "v26.7", ERR_PROTOCOL },
	{ "26", ERR_PROTOCOL },
	{ "26.", ERR_PROTOCOL },
	{ "-1.2", ERR_PROTOCOL },
};

START_TEST(another_version_is_refused)
{
	struct err err = ERR_INIT;
	struct ch_caps caps;

	ck_assert(!ch_caps_of(bad_versions[_i].version, &caps, &err));
	ck_assert_int_eq(err.code, bad_versions[_i].code);
}
END_TEST

#define LOOP(tc, test, rows) \
	tcase_add_loop_test(tc, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))

int
main(void)
{
	Suite *s = suite_create("chcaps");
	TCase *tc = tcase_create("chcaps");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, a_new_server_can_do_everything);
	tcase_add_test(tc, the_oldest_server_can_do_nothing_special);
	tcase_add_test(tc, a_flag_begins_with_its_release);
	LOOP(tc, another_version_is_refused, bad_versions);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
