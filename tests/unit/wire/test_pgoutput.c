/*
 * Messages drawn by hand from the PostgreSQL documentation, "Logical
 * Replication Message Formats", protocol version 1: hexadecimal bytes, and
 * text in single quotes.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/wire/pgoutput.h"

#define BEGIN  "'B' 00000016b374d848 0002937487e0c000 000002da"
#define COMMIT "'C' 00 00000016b374d848 00000016b374d878 0002937487e0c000"
#define ORIGIN "'O' 00000000000000ff 'node' 00"
#define RELATION                                        \
	"'R' 00004001 'public' 00 'orders' 00 'd' 0002" \
	" 01 'id' 00 00000017 ffffffff  00 'note' 00 00000413 0000000e"
#define REL_SYS	  "'R' 00004002 00 'pg_class' 00 'n' 0000"
#define TYPE	  "'Y' 00004003 'public' 00 'mood' 00"
#define INSERT	  "'I' 00004001 'N' 0003 't' 00000001 '7' 'n' 'b' 00000004 00000007"
#define INSERT_0  "'I' 00004001 'N' 0000"
#define EMPTY	  "'I' 00004001 'N' 0001 't' 00000000"
#define UPDATE	  "'U' 00004001 'N' 0002 't' 00000001 '7' 'u'"
#define UPDATE_K  "'U' 00004001 'K' 0002 't' 00000001 '7' 'n' 'N' 0002 't' 00000001 '8' 'u'"
#define UPDATE_O  "'U' 00004001 'O' 0001 't' 00000001 'a' 'N' 0001 't' 00000001 'b'"
#define DELETE_K  "'D' 00004001 'K' 0002 't' 00000001 '7' 'n'"
#define DELETE_O  "'D' 00004001 'O' 0001 'n'"
#define TRUNCATE  "'T' 00000002 03 00004001 00004002"
#define TRUNC_0	  "'T' 00000000 00"
#define MESSAGE_0 "'M' 00 00000000000000aa 00 00000000"
#define MESSAGE	  "'M' 01 00000000000000aa 'prefix' 00 00000003 'abc'"

static struct buf bytes;
static struct err err;
static struct pgoutput_msg m;

static void
setup(void)
{
	buf_init(&bytes, 4096);
	err = (struct err)ERR_INIT;
}

static void
teardown(void)
{
	buf_done(&bytes);
}

/* One item of a drawing: quoted text, or a run of hexadecimal digits. */
static const char *
draw_item(const char *p)
{
	char pair[3] = { 0 };

	if (*p == '\'') {
		size_t n = strcspn(p + 1, "'");

		buf_add(&bytes, p + 1, n);
		return p + n + 2;
	}
	memcpy(pair, p, 2);
	buf_char(&bytes, (char)strtoul(pair, NULL, 16));
	return p + 2;
}

static struct slice
draw(const char *drawing)
{
	buf_reset(&bytes);
	while (*(drawing += strspn(drawing, " ")) != '\0')
		drawing = draw_item(drawing);
	return buf_slice(&bytes);
}

static void
decode(const char *drawing)
{
	ck_assert_msg(pgoutput_decode(draw(drawing), &m, &err), "%s: %s", drawing, err.msg);
}

/* In memory of exactly their size, so that the sanitizer sees a read beyond them. */
static bool
decode_exact(struct slice s)
{
	uint8_t *exact = malloc(s.n > 0 ? s.n : 1);
	bool ok;

	if (s.n > 0)
		memcpy(exact, s.p, s.n);
	err_clear(&err);
	ok = pgoutput_decode(slice_of(exact, s.n), &m, &err);
	free(exact);
	return ok;
}

static const struct {
	const char *drawing;
	enum pgoutput_kind kind;
} good[] = {
	{ BEGIN, PGOUTPUT_BEGIN },
	{ COMMIT, PGOUTPUT_COMMIT },
	{ ORIGIN, PGOUTPUT_ORIGIN },
	{ RELATION, PGOUTPUT_RELATION },
	{ REL_SYS, PGOUTPUT_RELATION },
	{ TYPE, PGOUTPUT_TYPE },
	{ INSERT, PGOUTPUT_INSERT },
	{ INSERT_0, PGOUTPUT_INSERT },
	{ EMPTY, PGOUTPUT_INSERT },
	{ UPDATE, PGOUTPUT_UPDATE },
	{ UPDATE_K, PGOUTPUT_UPDATE },
	{ UPDATE_O, PGOUTPUT_UPDATE },
	{ DELETE_K, PGOUTPUT_DELETE },
	{ DELETE_O, PGOUTPUT_DELETE },
	{ TRUNCATE, PGOUTPUT_TRUNCATE },
	{ TRUNC_0, PGOUTPUT_TRUNCATE },
	{ MESSAGE, PGOUTPUT_MESSAGE },
	{ MESSAGE_0, PGOUTPUT_MESSAGE },
};

START_TEST(kind_is_known)
{
	decode(good[_i].drawing);
	ck_assert_int_eq(m.kind, good[_i].kind);
}
END_TEST

START_TEST(cut_anywhere_is_malformed)
{
	struct slice whole = draw(good[_i].drawing);
	size_t n;

	for (n = 0; n < whole.n; n++) {
		ck_assert_msg(!decode_exact(slice_of(whole.p, n)), "%zu of %zu bytes", n, whole.n);
		ck_assert_int_eq(err.code, ERR_PROTOCOL);
	}
	ck_assert(decode_exact(whole));
}
END_TEST

START_TEST(bytes_left_over_are_malformed)
{
	draw(good[_i].drawing);
	buf_char(&bytes, '\0');
	ck_assert(!decode_exact(buf_slice(&bytes)));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
}
END_TEST

START_TEST(failure_leaves_the_output_alone)
{
	struct slice whole = draw(good[_i].drawing);

	m.kind = PGOUTPUT_ORIGIN;
	m.begin = (struct pgoutput_begin){ .final_lsn = 1, .commit_time = 2, .xid = 3 };
	decode_exact(slice_of(whole.p, whole.n - 1));
	ck_assert_int_eq(m.kind, PGOUTPUT_ORIGIN);
	ck_assert_uint_eq(m.begin.final_lsn, 1);
	ck_assert_int_eq(m.begin.commit_time, 2);
	ck_assert_uint_eq(m.begin.xid, 3);
}
END_TEST

static const char *const bad[] = {
	"",
	"00",
	"'X'", /* unknown */
	"'b' 00000016b374d848 0002937487e0c000 000002da",
	"'S' 000002da 01", /* streaming was not asked for */
	"c2 00000016b374d848 0002937487e0c000 000002da",
	"'I' 00004001 'K' 0001 'n'", /* an insert has no old row */
	"'I' 00004001 'K' 0001 'n' 'N' 0001 'n'",
	"'I' 00004001 'X' 0001 'n'",
	"'U' 00004001 'K' 0001 'n'", /* an update has a new row */
	"'U' 00004001 'K' 0001 'n' 'K' 0001 'n'",
	"'U' 00004001 'N' 0001 'n' 'N' 0001 'n'",
	"'U' 00004001 'N' 0001 'n' 'O' 0001 'n'",
	"'D' 00004001 'N' 0001 'n'", /* a delete has only an old row */
	"'D' 00004001 'K' 0001 'n' 'N' 0001 'n'",
	"'I' 00004001 'N' 0001 'x'",	      /* no form of a value */
	"'I' 00004001 'N' 0001 't' ffffffff", /* longer than the message */
	"'I' 00004001 'N' 0002 't' ffffffff 'n'",
	"'I' 00004001 'N' ffff 'n'", /* fewer values than announced */
	"'T' ffffffff 00 00004001",
	"'T' 00000001 00",
	"'R' 00004001 'public' 00 'orders' 00 'd' ffff 01 'id' 00 00000017 ffffffff",
	"'R' 00004001 'public'", /* the name does not end */
	"'M' 01 00000000000000aa 'prefix' 00 ffffffff 'abc'",
};

START_TEST(malformed_is_refused)
{
	ck_assert(!decode_exact(draw(bad[_i])));
	ck_assert_int_eq(err.code, ERR_PROTOCOL);
	ck_assert_str_ne(err.msg, "");
}
END_TEST

START_TEST(begin_has_its_fields)
{
	decode(BEGIN);
	ck_assert_uint_eq(m.begin.final_lsn, 0x16b374d848ull);
	ck_assert_int_eq(m.begin.commit_time, 0x2937487e0c000ll);
	ck_assert_uint_eq(m.begin.xid, 730);
}
END_TEST

START_TEST(commit_has_its_fields)
{
	decode(COMMIT);
	ck_assert_uint_eq(m.commit.commit_lsn, 0x16b374d848ull);
	ck_assert_uint_eq(m.commit.end_lsn, 0x16b374d878ull);
	ck_assert_int_eq(m.commit.commit_time, 0x2937487e0c000ll);
}
END_TEST

START_TEST(relation_has_its_fields)
{
	decode(RELATION);
	ck_assert_uint_eq(m.relation.relid, 0x4001);
	ck_assert_str_eq(m.relation.schema, "public");
	ck_assert_str_eq(m.relation.name, "orders");
	ck_assert_int_eq(m.relation.identity, 'd');
	ck_assert_uint_eq(m.relation.ncols, 2);
}
END_TEST

static const struct pgoutput_column columns[] = {
	{ .key = true, .name = "id", .type_oid = 23, .type_modifier = -1 },
	{ .key = false, .name = "note", .type_oid = 1043, .type_modifier = 14 },
};

START_TEST(relation_has_its_columns)
{
	struct pgoutput_column c;
	size_t i;

	decode(RELATION);
	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		c = pgoutput_next_column(&m.relation.cols);
		ck_assert_int_eq(c.key, columns[i].key);
		ck_assert_str_eq(c.name, columns[i].name);
		ck_assert_uint_eq(c.type_oid, columns[i].type_oid);
		ck_assert_int_eq(c.type_modifier, columns[i].type_modifier);
	}
	ck_assert(rbuf_done(&m.relation.cols));
}
END_TEST

START_TEST(message_has_its_fields)
{
	decode(MESSAGE);
	ck_assert(m.message.transactional);
	ck_assert_uint_eq(m.message.lsn, 0xaa);
	ck_assert_str_eq(m.message.prefix, "prefix");
	ck_assert_uint_eq(m.message.content.n, 3);
	ck_assert_mem_eq(m.message.content.p, "abc", 3);
	decode(MESSAGE_0);
	ck_assert(!m.message.transactional);
	ck_assert_str_eq(m.message.prefix, "");
	ck_assert_uint_eq(m.message.content.n, 0);
}
END_TEST

START_TEST(no_schema_means_pg_catalog)
{
	decode(REL_SYS);
	ck_assert_str_eq(m.relation.schema, "pg_catalog");
}
END_TEST

/* A tuple's values in one line: form, then length and bytes of what was sent. */
static const char *
tuple_text(struct pgoutput_tuple t)
{
	static char text[256];
	struct pgoutput_value v;
	struct buf b;
	uint16_t i;

	buf_init(&b, sizeof(text) - 1);
	for (i = 0; i < t.ncols; i++) {
		v = pgoutput_next_value(&t.values);
		buf_printf(&b, "%s%c", i > 0 ? " " : "", v.form);
		if (v.form == 't')
			buf_printf(&b, "%zu:%.*s", v.bytes.n, (int)v.bytes.n,
			    (const char *)v.bytes.p);
		else if (v.form == 'b')
			buf_printf(&b, "%zu:%02x%02x%02x%02x", v.bytes.n, v.bytes.p[0],
			    v.bytes.p[1], v.bytes.p[2], v.bytes.p[3]);
	}
	snprintf(text, sizeof(text), "%s", buf_str(&b));
	buf_done(&b);
	return text;
}

static const struct {
	const char *drawing;
	char old_form;
	const char *old, *new; /* NULL: none */
} changes[] = {
	{ INSERT, '\0', NULL, "t1:7 n b4:00000007" },
	{ INSERT_0, '\0', NULL, "" },
	{ EMPTY, '\0', NULL, "t0:" },
	{ UPDATE, '\0', NULL, "t1:7 u" },
	{ UPDATE_K, 'K', "t1:7 n", "t1:8 u" },
	{ UPDATE_O, 'O', "t1:a", "t1:b" },
	{ DELETE_K, 'K', "t1:7 n", NULL },
	{ DELETE_O, 'O', "n", NULL },
};

START_TEST(change_has_its_tuples)
{
	decode(changes[_i].drawing);
	ck_assert_uint_eq(m.change.relid, 0x4001);
	ck_assert_int_eq(m.change.old_form, changes[_i].old_form);
	ck_assert(m.change.has_new == (changes[_i].new != NULL));
	if (changes[_i].old != NULL)
		ck_assert_str_eq(tuple_text(m.change.old), changes[_i].old);
	if (changes[_i].new != NULL)
		ck_assert_str_eq(tuple_text(m.change.new), changes[_i].new);
}
END_TEST

START_TEST(truncate_has_its_relations)
{
	decode(TRUNCATE);
	ck_assert_uint_eq(m.truncate.flags, PGOUTPUT_TRUNCATE_CASCADE | PGOUTPUT_TRUNCATE_RESTART);
	ck_assert_uint_eq(m.truncate.nrels, 2);
	ck_assert_uint_eq(rbuf_u32(&m.truncate.relids), 0x4001);
	ck_assert_uint_eq(rbuf_u32(&m.truncate.relids), 0x4002);
	ck_assert(rbuf_done(&m.truncate.relids));
}
END_TEST

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	Suite *s = suite_create("pgoutput");
	TCase *tc = tcase_create("pgoutput");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	LOOP(tc, kind_is_known, good);
	LOOP(tc, cut_anywhere_is_malformed, good);
	LOOP(tc, bytes_left_over_are_malformed, good);
	LOOP(tc, failure_leaves_the_output_alone, good);
	LOOP(tc, malformed_is_refused, bad);
	tcase_add_test(tc, begin_has_its_fields);
	tcase_add_test(tc, commit_has_its_fields);
	tcase_add_test(tc, relation_has_its_fields);
	tcase_add_test(tc, relation_has_its_columns);
	tcase_add_test(tc, message_has_its_fields);
	tcase_add_test(tc, no_schema_means_pg_catalog);
	LOOP(tc, change_has_its_tuples, changes);
	tcase_add_test(tc, truncate_has_its_relations);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
