#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/wire/kvtext.h"

static bool
read_all(const char *text, struct buf *out, struct err *err)
{
	struct buf key, value;
	bool more = true, ok;

	buf_init(&key, 1024);
	buf_init(&value, 1024);
	while ((ok = kvtext_next(&text, &key, &value, &more, err)) && more)
		buf_printf(out, "[%s|%s]", buf_str(&key), buf_str(&value));
	buf_done(&key);
	buf_done(&value);
	return ok;
}

static const struct {
	const char *text, *pairs;
} good[] = {
	{ "", "" },
	{ "  ", "" },
	{ "a=b", "[a|b]" },
	{ " a = b  c=d ", "[a|b][c|d]" },
	{ "options='-c x=1 -c y=2' b=", "[options|-c x=1 -c y=2][b|]" },
	{ "p='it\\'s' q=a\\ b r=\\\\", "[p|it's][q|a b][r|\\]" },
	{ "a='' b=x=y", "[a|][b|x=y]" },
	{ "a=b\\", "[a|b\\]" },
};

START_TEST(reads_pairs)
{
	struct err err = ERR_INIT;
	struct buf out;

	buf_init(&out, 4096);
	ck_assert_msg(read_all(good[_i].text, &out, &err), "%s", err.msg);
	ck_assert_str_eq(buf_str(&out), good[_i].pairs);
	buf_done(&out);
}
END_TEST

static const char *const bad[] = { "a", "=b", "a b", "a='b", "a='b\\'", "a='b\\", "x=1 y" };

START_TEST(refuses_without_quoting)
{
	struct err err = ERR_INIT;
	struct buf out;

	buf_init(&out, 4096);
	ck_assert(!read_all(bad[_i], &out, &err));
	ck_assert_int_eq(err.code, ERR_INVALID);
	buf_done(&out);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("kvtext");
	TCase *tc = tcase_create("kvtext");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(tc, reads_pairs, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tc, refuses_without_quoting, 0, sizeof(bad) / sizeof(bad[0]));
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
