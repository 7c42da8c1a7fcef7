/*
 * Sealing: what goes in comes out under the right key, in the right place, and
 * under no other; key texts are read strictly.
 */
#include "catalog/seal.h"

#include <check.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

#define KEY_A "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
#define KEY_B "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI="

static struct arena *a;
static struct seal_ring ring;
static struct err err;

static void
setup(void)
{
	a = arena_new(1024);
	ck_assert(seal_ring_add(&ring, "one:" KEY_A, &err));
}

static void
teardown(void)
{
	seal_ring_done(&ring);
	arena_free(&a);
}

static struct sealed
seal(const char *plain)
{
	struct sealed sealed;

	ck_assert(seal_close(&ring, "peers", "p", slice_str(plain), a, &sealed, &err));
	return sealed;
}

static const char *const texts[] = { "", "x", "a secret", "with \xc3\xa9 and \n a line break" };

START_TEST(what_is_sealed_opens)
{
	struct sealed sealed = seal(texts[_i]);
	struct slice plain;

	ck_assert_str_eq(sealed.key_id, "one");
	ck_assert(seal_open(&ring, "peers", "p", &sealed, a, &plain, &err));
	ck_assert(slice_eq(plain, slice_str(texts[_i])));
}
END_TEST

START_TEST(the_same_text_never_seals_to_the_same_bytes)
{
	struct sealed first = seal("secret"), second = seal("secret");

	ck_assert(!slice_eq(first.blob, second.blob));
	ck_assert_ptr_null(memmem(first.blob.p, first.blob.n, "secret", 6));
}
END_TEST

START_TEST(any_changed_byte_is_noticed)
{
	struct sealed sealed = seal("secret");
	uint8_t *bytes = arena_dup(a, sealed.blob.p, sealed.blob.n);
	struct slice plain;

	ck_assert_int_lt(_i, (int)sealed.blob.n);
	bytes[_i] ^= 1;
	sealed.blob.p = bytes;
	ck_assert(!seal_open(&ring, "peers", "p", &sealed, a, &plain, &err));
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_ptr_nonnull(strstr(err.msg, "peers \"p\" does not open"));
}
END_TEST

START_TEST(a_cut_value_is_noticed)
{
	struct sealed sealed = seal("");
	struct slice plain;

	for (sealed.blob.n--; sealed.blob.n > 0; sealed.blob.n--) {
		ck_assert(!seal_open(&ring, "peers", "p", &sealed, a, &plain, &err));
		ck_assert_int_eq(err.code, ERR_DATA);
	}
}
END_TEST

START_TEST(a_value_is_bound_to_its_place)
{
	struct sealed sealed = seal("secret");
	struct slice plain;

	ck_assert(!seal_open(&ring, "peers", "q", &sealed, a, &plain, &err));
	ck_assert(!seal_open(&ring, "alerts", "p", &sealed, a, &plain, &err));
	ck_assert_int_eq(err.code, ERR_DATA);
}
END_TEST

START_TEST(a_missing_key_is_named)
{
	struct sealed sealed = seal("secret");
	struct seal_ring other = { 0 };
	struct slice plain;

	ck_assert(seal_ring_add(&other, "two:" KEY_B, &err));
	ck_assert(!seal_open(&other, "peers", "p", &sealed, a, &plain, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.msg, "\"one\""));
	ck_assert(err.hint[0] != '\0');
}
END_TEST

START_TEST(another_key_of_the_same_name_does_not_open)
{
	struct sealed sealed = seal("secret");
	struct seal_ring other = { 0 };
	struct slice plain;

	ck_assert(seal_ring_add(&other, "one:" KEY_B, &err));
	ck_assert(!seal_open(&other, "peers", "p", &sealed, a, &plain, &err));
	ck_assert_int_eq(err.code, ERR_DATA);
}
END_TEST

START_TEST(several_keys_open_and_the_first_seals)
{
	struct sealed sealed = seal("secret");
	struct seal_ring both = { 0 };
	struct slice plain;

	ck_assert(seal_ring_add(&both, " two:" KEY_B " , one:" KEY_A "\n", &err));
	ck_assert_uint_eq(both.n, 2);
	ck_assert(seal_open(&both, "peers", "p", &sealed, a, &plain, &err));
	ck_assert(seal_close(&both, "peers", "p", plain, a, &sealed, &err));
	ck_assert_str_eq(sealed.key_id, "two");
}
END_TEST

START_TEST(a_key_without_a_name_is_called_by_its_hash)
{
	struct seal_ring r = { 0 };

	ck_assert(seal_ring_add(&r, KEY_A "," KEY_B "," KEY_A, &err));
	ck_assert_uint_eq(r.n, 2);
	ck_assert_str_eq(r.keys[0].id, "3ba3f5f4");
	ck_assert_str_ne(r.keys[0].id, r.keys[1].id);
}
END_TEST

static const struct {
	const char *text;
	const char *says;
} bad_keys[] = {
	{ "", "not base64 of 32 bytes" },
	{ "password", "not base64 of 32 bytes" },
	{ "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYQ==", "not base64 of 32 bytes" },
	{ "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh", "not base64 of 32 bytes" },
	{ "YWFhYWFhYWFh!WFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=", "not base64 of 32 bytes" },
	{ ":" KEY_A, "malformed id" },
	{ "a/b:" KEY_A, "malformed id" },
	{ "a234567890123456789012345678901234:" KEY_A, "malformed id" },
	{ KEY_A ",", "not base64 of 32 bytes" },
	{ KEY_A " " KEY_B, "not separated by commas" },
	{ "x:" KEY_A ",x:" KEY_B, "two different catalog keys" },
};

START_TEST(malformed_keys_are_refused)
{
	struct seal_ring r = { 0 };

	ck_assert(!seal_ring_add(&r, bad_keys[_i].text, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	ck_assert_msg(strstr(err.msg, bad_keys[_i].says) != NULL, "%s", err.msg);
	ck_assert_ptr_null(strstr(err.msg, "YWFh"));
	ck_assert_ptr_null(strstr(err.hint, "YWFh"));
}
END_TEST

START_TEST(too_many_keys_are_refused)
{
	struct seal_ring r = { 0 };
	char text[SEAL_KEY_TEXT_MAX];
	int i;

	for (i = 0; i < SEAL_KEYS_MAX; i++) {
		ck_assert(seal_key_make(text, &err));
		ck_assert_msg(seal_ring_add(&r, text, &err), "%s", err.msg);
	}
	ck_assert(seal_key_make(text, &err));
	ck_assert(!seal_ring_add(&r, text, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("seal");
	TCase *tc = tcase_create("seal");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, what_is_sealed_opens, 0, sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(tc, the_same_text_never_seals_to_the_same_bytes);
	tcase_add_loop_test(tc, any_changed_byte_is_noticed, 0, 12 + 6 + 16);
	tcase_add_test(tc, a_cut_value_is_noticed);
	tcase_add_test(tc, a_value_is_bound_to_its_place);
	tcase_add_test(tc, a_missing_key_is_named);
	tcase_add_test(tc, another_key_of_the_same_name_does_not_open);
	tcase_add_test(tc, several_keys_open_and_the_first_seals);
	tcase_add_test(tc, a_key_without_a_name_is_called_by_its_hash);
	tcase_add_loop_test(tc, malformed_keys_are_refused, 0,
	    sizeof(bad_keys) / sizeof(bad_keys[0]));
	tcase_add_test(tc, too_many_keys_are_refused);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
