/*
 * fixture - a catalog in a directory of its own, and completions that take notes
 *
 * The SQLite backend answers before a call returns, so a test makes the call
 * and looks at the notes. Everything is static: each test program has its own.
 */
#ifndef PEERD_TESTS_CATALOG_FIXTURE_H
#define PEERD_TESTS_CATALOG_FIXTURE_H

#include <check.h>
#include <ftw.h>
#include <sqlite3.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "protos/flow.pb-c.h"

/* base64 of 32 times 'a', 'b' */
#define KEY_A "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
#define KEY_B "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI="

static char dir[64];
static struct catalog_options options;
static struct catalog *cat;
static struct err err;

/* What the last completion said. */
static struct {
	int calls;
	struct err err;
} answer;

static inline void
on_done(void *arg, const struct err *why)
{
	answer.calls++;
	err_clear(&answer.err);
	if (why != NULL)
		answer.err = *why;
}

static inline int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static inline void
make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/peerd-catalog-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	options = (struct catalog_options){ .dir = dir };
}

static inline void
remove_dir(void)
{
	catalog_close(&cat);
	nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void
open_catalog(void)
{
	ck_assert_msg(catalog_open(&options, &cat, &err), "%s", err.msg);
}

static inline void
setup(void)
{
	make_dir();
	open_catalog();
}

static inline void
reopen(void)
{
	catalog_close(&cat);
	open_catalog();
}

/* The completion has come, once, and said this. */
static inline void
expect(enum err_code code)
{
	ck_assert_int_eq(answer.calls, 1);
	ck_assert_msg(answer.err.code == code, "got %s: %s", err_code_name(answer.err.code),
	    answer.err.msg);
	answer.calls = 0;
}

static inline char *
path_in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Run SQL on the file beside the catalog; a first column of a first row comes back as text. */
static inline const char *
sql(const char *text)
{
	static char result[1024];
	sqlite3_stmt *st = NULL;
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path_in_dir("peerd.db"), &db), SQLITE_OK);
	ck_assert_msg(sqlite3_prepare_v2(db, text, -1, &st, NULL) == SQLITE_OK, "%s: %s", text,
	    sqlite3_errmsg(db));
	result[0] = '\0';
	if (sqlite3_step(st) == SQLITE_ROW && sqlite3_column_text(st, 0) != NULL)
		snprintf(result, sizeof(result), "%s", (const char *)sqlite3_column_text(st, 0));
	ck_assert_msg(sqlite3_finalize(st) == SQLITE_OK, "%s: %s", text, sqlite3_errmsg(db));
	sqlite3_close(db);
	return result;
}

static inline void
add_peer(const char *name, const char *config)
{
	struct catalog_peer p = { .name = name, .type = 3, .config = slice_str(config) };

	catalog_peer_insert(cat, &p, on_done, NULL);
	expect(ERR_NONE);
}

/* A mirror from peer "src" to "dst", which must be there. */
static inline void
add_mirror(const char *name)
{
	struct catalog_mirror m = {
		.name = name,
		.source = "src",
		.destination = "dst",
		.config = slice_str("mirror config"),
		.state = { .wanted = CATALOG_WANT_RUNNING,
		    .status = PEERDB_FLOW__FLOW_STATUS__STATUS_SETUP,
		    .phase = PEERDB_FLOW__FLOW_STATUS__STATUS_SETUP },
	};

	catalog_mirror_insert(cat, &m, on_done, NULL);
	expect(ERR_NONE);
}

static inline void
setup_mirror(void)
{
	setup();
	add_peer("src", "source config");
	add_peer("dst", "destination config");
	add_mirror("m");
}

static inline int
run_suite(const char *name, TCase *tc)
{
	Suite *s = suite_create(name);
	SRunner *sr;
	int failed;

	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}

#endif
