#include "lib/sink/ch_meta.h"

#include <inttypes.h>
#include <uthash.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/chclient.h"

#define SQL_MAX	    (64 * MIB) /* entries of all tables of a mirror in one statement */
#define EPOCH_SHIFT 32

static const char *const kind_texts[] = {
#define X(kind, text) [CH_META_##kind] = (text),
	CH_META_KINDS(X)
#undef X
};

#define NKINDS (sizeof(kind_texts) / sizeof(kind_texts[0]))

struct entry {
	struct ch_meta_entry e;
	const char *key;
	UT_hash_handle hh;
};

struct ch_meta {
	struct chclient *c;
	const PeerdbPeers__ClickhouseConfig *peer;
	struct arena *a;       /* lives as long as the handle */
	const char *mirror;    /* a literal, quoted */
	const char *table;     /* qualified, quoted */
	uint64_t number;       /* the last one given */
	struct entry *entries; /* by key; those that are not there any more too */
};

/* ---- entries in memory */

static bool
is_there(const struct ch_meta_entry *e)
{
	return e->lsn != 0 || e->words[0] != '\0';
}

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

static struct entry *
find(const struct ch_meta *m, enum ch_meta_kind kind, const char *name)
{
	struct buf key;
	struct entry *x;

	buf_init(&key, MIB);
	buf_printf(&key, "%s %s", kind_texts[kind], name);
	HASH_FIND_STR(m->entries, buf_str(&key), x);
	buf_done(&key);
	return x;
}

static struct entry *
add(struct ch_meta *m, enum ch_meta_kind kind, const char *name)
{
	struct entry *x = arena_zalloc(m->a, sizeof(*x));

	x->key = arena_printf(m->a, "%s %s", kind_texts[kind], name);
	x->e = (struct ch_meta_entry){ .kind = kind, .words = "", .hint = "" };
	x->e.name = arena_strdup(m->a, name);
	HASH_ADD_KEYPTR(hh, m->entries, x->key, strlen(x->key), x);
	return x;
}

/* Nothing is allocated for a checkpoint that moves on, once a second for years. */
static void
remember(struct ch_meta *m, const struct ch_meta_entry *e)
{
	const char *words = or_empty(e->words), *hint = or_empty(e->hint);
	struct entry *x;

	if (e->kind == CH_META_LOADED)
		return;
	x = find(m, e->kind, or_empty(e->name));
	if (x == NULL)
		x = add(m, e->kind, or_empty(e->name));
	x->e.lsn = e->lsn;
	x->e.words = words[0] != '\0' ? arena_strdup(m->a, words) : "";
	x->e.hint = hint[0] != '\0' ? arena_strdup(m->a, hint) : "";
}

const struct ch_meta_entry *
ch_meta_find(const struct ch_meta *m, enum ch_meta_kind kind, const char *name)
{
	const struct entry *x = find(m, kind, name);

	return x != NULL && is_there(&x->e) ? &x->e : NULL;
}

lsn_t
ch_meta_checkpoint(const struct ch_meta *m)
{
	const struct ch_meta_entry *e = ch_meta_find(m, CH_META_CHECKPOINT, "");

	return e != NULL ? e->lsn : LSN_INVALID;
}

/* ---- reading */

static uint64_t
cell_u64(const struct ch_rows *rows, size_t row, size_t col)
{
	return strtoull(ch_cell_str(rows, row, col), NULL, 10);
}

/* What a table or database that is not there says is: nothing. */
static bool
query(struct ch_meta *m, struct buf *sql, struct arena *a, struct ch_rows *rows_r, struct err *err)
{
	struct err why = ERR_INIT;
	bool ok = chclient_query(m->c, a, buf_str(sql), rows_r, &why);

	buf_done(sql);
	if (ok)
		return true;
	if (strcmp(why.sqlstate, "42P01") == 0) {
		*rows_r = (struct ch_rows){ .nrows = 0 };
		return true;
	}
	*err = why;
	return false;
}

static void
read_row(struct ch_meta *m, const struct ch_rows *rows, size_t row)
{
	struct ch_meta_entry e = {
		.name = ch_cell_str(rows, row, 1),
		.lsn = cell_u64(rows, row, 2),
		.words = ch_cell_str(rows, row, 3),
		.hint = ch_cell_str(rows, row, 4),
	};

	if (m->number < cell_u64(rows, row, 5))
		m->number = cell_u64(rows, row, 5);
	for (size_t k = 0; k < NKINDS; k++)
		if (strcmp(ch_cell_str(rows, row, 0), kind_texts[k]) == 0) {
			e.kind = (enum ch_meta_kind)k;
			remember(m, &e);
		}
}

/* Marks of partitions count for the number only. */
static bool
read_all(struct ch_meta *m, struct err *err)
{
	struct arena *a = arena_new(16 * KIB);
	struct ch_rows rows;
	struct buf sql;
	size_t i;
	bool ok;

	buf_init(&sql, MIB);
	buf_printf(&sql,
	    "SELECT kind, if(kind = '%s', '', name) AS entry, argMax(lsn, number),"
	    " argMax(words, number), argMax(hint, number), max(number)"
	    " FROM %s WHERE mirror = %s GROUP BY kind, entry",
	    kind_texts[CH_META_LOADED], m->table, m->mirror);
	ok = query(m, &sql, a, &rows, err);
	for (i = 0; ok && i < rows.nrows; i++)
		read_row(m, &rows, i);
	m->number = ((m->number >> EPOCH_SHIFT) + 1) << EPOCH_SHIFT;
	arena_free(&a);
	return ok;
}

static bool
look(struct ch_meta *m, enum ch_meta_kind kind, const char *name, struct arena *a,
    struct ch_meta_entry *e_r, struct err *err)
{
	struct ch_rows rows;
	struct buf sql;

	buf_init(&sql, MIB);
	buf_printf(&sql,
	    "SELECT argMax(lsn, number), argMax(words, number), argMax(hint, number)"
	    " FROM %s WHERE mirror = %s AND kind = '%s' AND name = ",
	    m->table, m->mirror, kind_texts[kind]);
	ch_literal(&sql, slice_str(name));
	if (!query(m, &sql, a, &rows, err))
		return false;
	*e_r = (struct ch_meta_entry){ .kind = kind, .name = name, .words = "", .hint = "" };
	if (rows.nrows > 0) {
		e_r->lsn = cell_u64(&rows, 0, 0);
		e_r->words = ch_cell_str(&rows, 0, 1);
		e_r->hint = ch_cell_str(&rows, 0, 2);
	}
	return true;
}

bool
ch_meta_look(struct ch_meta *m, enum ch_meta_kind kind, const char *name, bool *there_r,
    uint64_t *lsn_r, struct err *err)
{
	struct arena *a = arena_new(KIB);
	struct ch_meta_entry e;
	bool ok = look(m, kind, name, a, &e, err);

	if (ok) {
		*there_r = is_there(&e);
		*lsn_r = e.lsn;
	}
	arena_free(&a);
	return ok;
}

bool
ch_meta_is_attempt(struct ch_meta *m, const char *snapshot_id, bool *yes_r, struct err *err)
{
	struct arena *a = arena_new(KIB);
	struct ch_meta_entry e;
	bool ok = look(m, CH_META_SNAPSHOT, "", a, &e, err);

	if (ok)
		*yes_r = strcmp(e.words, snapshot_id) == 0;
	arena_free(&a);
	return ok;
}

/* ---- writing */

static void
add_text(struct buf *sql, const char *text)
{
	buf_str_add(sql, ", ");
	ch_literal(sql, slice_str(or_empty(text)));
}

static void
add_values(struct ch_meta *m, const struct ch_meta_entry *e, struct buf *sql)
{
	buf_printf(sql, "(%s, '%s'", m->mirror, kind_texts[e->kind]);
	add_text(sql, e->name);
	buf_printf(sql, ", %" PRIu64, e->lsn);
	add_text(sql, e->words);
	add_text(sql, e->hint);
	buf_printf(sql, ", %" PRIu64 ")", ++m->number);
}

void
ch_meta_statement(struct ch_meta *m, const struct ch_meta_entry *entries, size_t n, struct buf *sql)
{
	size_t i;

	buf_printf(sql, "INSERT INTO %s (mirror, kind, name, lsn, words, hint, number) VALUES ",
	    m->table);
	for (i = 0; i < n; i++) {
		buf_str_add(sql, i > 0 ? ", " : "");
		add_values(m, &entries[i], sql);
		remember(m, &entries[i]);
	}
}

bool
ch_meta_put(struct ch_meta *m, const struct ch_meta_entry *entries, size_t n, struct err *err)
{
	struct buf sql;
	bool ok;

	if (n == 0)
		return true;
	buf_init(&sql, SQL_MAX);
	ch_meta_statement(m, entries, n, &sql);
	ok = chclient_run(m->c, err, "%s", buf_str(&sql));
	buf_done(&sql);
	return ok || err_context(err, "table %s of the destination", CH_META_TABLE);
}

/* A row without lsn and words for each that is there. */
static bool
put_out(struct ch_meta *m, bool (*is_wanted)(enum ch_meta_kind), struct err *err)
{
	struct ch_meta_entry *gone = xcalloc(HASH_COUNT(m->entries) + 1, sizeof(*gone));
	struct entry *x, *next;
	size_t n = 0;
	bool ok;

	HASH_ITER (hh, m->entries, x, next)
		if (is_there(&x->e) && is_wanted(x->e.kind))
			gone[n++] = (struct ch_meta_entry){ .kind = x->e.kind, .name = x->e.name };
	ok = ch_meta_put(m, gone, n, err);
	free(gone);
	return ok;
}

/*
 * Marks of partitions bear their attempt's id and mean nothing to another one,
 * so it does not matter when the server gets to it, or that it may not.
 */
static void
clear_marks(struct ch_meta *m)
{
	struct err ignored = ERR_INIT;

	chclient_run(m->c, &ignored, "ALTER TABLE %s DELETE WHERE mirror = %s AND kind = '%s'",
	    m->table, m->mirror, kind_texts[CH_META_LOADED]);
}

static bool
is_of_a_run(enum ch_meta_kind kind)
{
	return kind != CH_META_CREATED;
}

static bool
is_any(enum ch_meta_kind kind)
{
	(void)kind;
	return true;
}

bool
ch_meta_restart(struct ch_meta *m, struct err *err)
{
	bool loaded = ch_meta_find(m, CH_META_SNAPSHOT, "") != NULL;

	if (!put_out(m, is_of_a_run, err))
		return false;
	if (loaded)
		clear_marks(m);
	return true;
}

bool
ch_meta_forget(struct ch_meta *m, struct err *err)
{
	bool known = m->entries != NULL;

	if (!put_out(m, is_any, err))
		return false;
	if (known)
		clear_marks(m);
	return true;
}

/* ---- the table */

/*
 * One table for all nodes, also of a cluster with shards: a replica each. A
 * path by name is for servers whose databases are not Atomic.
 */
static void
add_engine(const struct ch_meta *m, struct buf *sql)
{
	const struct ch_caps *caps = chclient_caps(m->c);
	struct buf path;

	if (!m->peer->replicated) {
		buf_str_add(sql, "ReplacingMergeTree(number)");
		return;
	}
	buf_init(&path, KIB);
	if (caps->exchange)
		buf_str_add(&path, "/clickhouse/tables/{uuid}/all");
	else
		buf_printf(&path, "/clickhouse/tables/%s/" CH_META_TABLE, chclient_database(m->c));
	buf_str_add(sql, "ReplicatedReplacingMergeTree(");
	ch_literal(sql, buf_slice(&path));
	buf_str_add(sql, ", '{shard}-{replica}', number)");
	buf_done(&path);
}

bool
ch_meta_create(struct ch_meta *m, struct err *err)
{
	struct buf sql;
	bool ok;

	buf_init(&sql, MIB);
	buf_printf(&sql, "CREATE TABLE IF NOT EXISTS %s", m->table);
	if (m->peer->cluster[0] != '\0') {
		buf_str_add(&sql, " ON CLUSTER ");
		ch_ident(&sql, m->peer->cluster);
	}
	buf_str_add(&sql,
	    " (mirror String, kind String, name String, lsn UInt64, words String, hint String,"
	    " number UInt64, at DateTime DEFAULT now()) ENGINE = ");
	add_engine(m, &sql);
	buf_str_add(&sql, " ORDER BY (mirror, kind, name)");
	ok = chclient_run(m->c, err, "%s", buf_str(&sql));
	buf_done(&sql);
	return ok;
}

/* ---- life */

static const char *
literal(struct arena *a, const char *text)
{
	const char *copy;
	struct buf b;

	buf_init(&b, MIB);
	ch_literal(&b, slice_str(text));
	copy = arena_strdup(a, buf_str(&b));
	buf_done(&b);
	return copy;
}

static const char *
qualified(struct arena *a, const char *database, const char *name)
{
	const char *copy;
	struct buf b;

	buf_init(&b, MIB);
	ch_qualified(&b, database, name);
	copy = arena_strdup(a, buf_str(&b));
	buf_done(&b);
	return copy;
}

bool
ch_meta_open(struct chclient *c, const PeerdbPeers__ClickhouseConfig *peer, const char *mirror,
    struct ch_meta **m_r, struct err *err)
{
	struct ch_meta *m = xcalloc(1, sizeof(*m));

	m->a = arena_new(4 * KIB);
	m->c = c;
	m->peer = peer;
	m->mirror = literal(m->a, mirror);
	m->table = qualified(m->a, chclient_database(c), CH_META_TABLE);
	if (!read_all(m, err)) {
		ch_meta_close(&m);
		return false;
	}
	*m_r = m;
	return true;
}

void
ch_meta_close(struct ch_meta **m)
{
	if (*m == NULL)
		return;
	HASH_CLEAR(hh, (*m)->entries);
	arena_free(&(*m)->a);
	MEM_FREE(*m);
}
