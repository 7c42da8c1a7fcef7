#include "catalog/sqlite_int.h"

#include "lib/base/arena.h"
#include "lib/base/mem.h"

#define ROWS_ARENA (16 * 1024)

/* ---- what SQLite says, in our words */

struct sqlite_says {
	int rc; /* primary or extended */
	enum err_code code;
	const char *what;
	const char *hint;
};

static const struct sqlite_says says[] = {
	{ SQLITE_CONSTRAINT_UNIQUE, ERR_EXISTS, "it exists already", "" },
	{ SQLITE_CONSTRAINT_PRIMARYKEY, ERR_EXISTS, "it exists already", "" },
	{ SQLITE_CONSTRAINT_FOREIGNKEY, ERR_IN_USE,
	    "something it refers to is missing, or refers to it", "" },
	{ SQLITE_FULL, ERR_TRANSIENT, "could not write the catalog",
	    "free space in the file system of the state directory" },
	{ SQLITE_IOERR, ERR_TRANSIENT, "could not read or write the catalog",
	    "check the disk of the state directory; the system's log may say more" },
	{ SQLITE_BUSY, ERR_TRANSIENT, "the catalog is locked by another program",
	    "nothing but peerd may write to peerd.db" },
	{ SQLITE_READONLY, ERR_CONFIG, "the catalog is read-only",
	    "peerd.db and its directory must belong to the user peerd runs as" },
	{ SQLITE_CANTOPEN, ERR_CONFIG, "could not open the catalog",
	    "the state directory must exist and belong to the user peerd runs as" },
	{ SQLITE_PERM, ERR_CONFIG, "the catalog may not be opened", "" },
	{ SQLITE_NOTADB, ERR_DATA, "the catalog is not a database file",
	    "restore peerd.db from a backup" },
	{ SQLITE_CORRUPT, ERR_DATA, "the catalog is damaged", "restore peerd.db from a backup" },
	{ SQLITE_TOOBIG, ERR_TOO_LARGE, "too large for the catalog", "" },
};

bool
sqlite_fail(sqlite3 *db, struct err *err)
{
	int extended = sqlite3_extended_errcode(db);
	const char *words = sqlite3_errmsg(db);
	size_t i;

	for (i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		if (says[i].rc != extended && says[i].rc != (extended & 0xff))
			continue;
		err_set(err, says[i].code, "%s: %s", says[i].what, words);
		return says[i].hint[0] == '\0' ? false : err_hint(err, "%s", says[i].hint);
	}
	return err_set(err, ERR_BUG, "the catalog refused a statement: %s", words);
}

bool
sqlite_exec(sqlite3 *db, const char *sql, struct err *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK || sqlite_fail(db, err);
}

/* ---- statements */

static const char *const texts[Q_COUNT] = {
#define X(name, sql) [Q_##name] = sql,
	CATALOG_QUERIES(X)
#undef X
};

bool
stmt_prepare_all(struct catalog *c, struct err *err)
{
	int q;

	for (q = 0; q < Q_COUNT; q++)
		if (sqlite3_prepare_v3(c->db, texts[q], -1, SQLITE_PREPARE_PERSISTENT, &c->stmts[q],
			NULL) != SQLITE_OK)
			return sqlite_fail(c->db, err);
	return true;
}

void
stmt_finalize_all(struct catalog *c)
{
	int q;

	for (q = 0; q < Q_COUNT; q++) {
		sqlite3_finalize(c->stmts[q]);
		c->stmts[q] = NULL;
	}
}

struct stmt
stmt_for(struct catalog *c, enum query q)
{
	return (struct stmt){ .c = c, .st = c->stmts[q] };
}

static void
note_bind(struct stmt *s, int rc)
{
	if (s->rc == SQLITE_OK)
		s->rc = rc;
}

void
stmt_text(struct stmt *s, const char *v)
{
	note_bind(s, sqlite3_bind_text(s->st, ++s->bound, v != NULL ? v : "", -1, SQLITE_STATIC));
}

void
stmt_int(struct stmt *s, int64_t v)
{
	note_bind(s, sqlite3_bind_int64(s->st, ++s->bound, v));
}

/* An empty slice has no address to speak of, which SQLite would take for NULL. */
void
stmt_blob(struct stmt *s, struct slice v)
{
	const void *p = v.n > 0 ? (const void *)v.p : "";

	note_bind(s, sqlite3_bind_blob64(s->st, ++s->bound, p, v.n, SQLITE_STATIC));
}

void
stmt_end(struct stmt *s)
{
	sqlite3_reset(s->st);
	sqlite3_clear_bindings(s->st);
}

enum stmt_step
stmt_next(struct stmt *s, struct err *err)
{
	int rc = s->rc == SQLITE_OK ? sqlite3_step(s->st) : s->rc;

	if (rc == SQLITE_ROW)
		return STMT_ROW;
	if (rc != SQLITE_DONE)
		sqlite_fail(s->c->db, err);
	stmt_end(s);
	return rc == SQLITE_DONE ? STMT_DONE : STMT_ERROR;
}

bool
stmt_run(struct stmt *s, struct err *err)
{
	enum stmt_step step;

	while ((step = stmt_next(s, err)) == STMT_ROW)
		;
	return step == STMT_DONE;
}

bool
stmt_run_on(struct stmt *s, const char *kind, const char *name, struct err *err)
{
	if (!stmt_run(s, err))
		return false;
	if (sqlite3_changes(s->c->db) == 0)
		return err_set(err, ERR_NOT_FOUND, "%s \"%s\" does not exist", kind, name);
	return true;
}

bool
stmt_number(struct stmt *s, int64_t none, int64_t *v_r, struct err *err)
{
	enum stmt_step step = stmt_next(s, err);

	if (step == STMT_ERROR)
		return false;
	*v_r = none;
	if (step == STMT_ROW) {
		*v_r = col_int(s, 0);
		stmt_end(s);
	}
	return true;
}

/* ---- columns */

int64_t
col_int(const struct stmt *s, int i)
{
	return sqlite3_column_int64(s->st, i);
}

const char *
col_text(const struct stmt *s, int i, struct arena *a)
{
	const char *v = (const char *)sqlite3_column_text(s->st, i);

	return arena_strdup(a, v != NULL ? v : "");
}

struct slice
col_blob(const struct stmt *s, int i, struct arena *a)
{
	const void *p = sqlite3_column_blob(s->st, i);
	size_t n = (size_t)sqlite3_column_bytes(s->st, i);

	return n > 0 ? slice_of(arena_dup(a, p, n), n) : slice_of("", 0);
}

/* ---- rows */

/* The next row, zeroed; valid until the next push. */
static void *
rows_push(struct rows *r, size_t size)
{
	void *row;

	if (r->n == r->cap) {
		r->cap = r->cap > 0 ? r->cap * 2 : 16;
		r->p = xrealloc(r->p, r->cap * size);
	}
	row = (char *)r->p + r->n++ * size;
	memset(row, 0, size);
	return row;
}

bool
rows_read(struct rows *r, struct stmt *s, size_t size, row_read_fn *read, struct err *err)
{
	enum stmt_step step;

	r->strings = arena_new(ROWS_ARENA);
	while ((step = stmt_next(s, err)) == STMT_ROW) {
		if (!read(s, r->strings, rows_push(r, size), err)) {
			stmt_end(s);
			break;
		}
	}
	if (step != STMT_DONE)
		rows_done(r);
	return step == STMT_DONE;
}

void
rows_done(struct rows *r)
{
	free(r->p);
	arena_free(&r->strings);
	*r = (struct rows){ 0 };
}
