#include "catalog/sqlite_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/keyfile.h"
#include "catalog/migrations.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "protos/flow.pb-c.h"
#include "protos/peers.pb-c.h"

/*
 * WAL lets readers look on while peerd writes; FULL makes a commit survive the
 * machine, not only the process. Nobody else writes, so a lock is waited for
 * only as long as the loop may stand still.
 */
static const char settings[] = "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA foreign_keys = ON;"
			       "PRAGMA trusted_schema = OFF;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA journal_size_limit = 67108864;";

#define BUSY_MS 2000

/* ---- opening */

static bool
dir_make(const char *dir, struct err *err)
{
	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return true;
	err_set(err, ERR_CONFIG, "could not make the state directory \"%s\": %m", dir);
	return err_hint(err,
	    "make it, owned by the user peerd runs as, or give another --state-dir");
}

/* One peerd at a time: the lock goes with the process, however that ends. */
static bool
dir_lock(struct catalog *c, const char *dir, struct err *err)
{
	char *path = xasprintf("%s/peerd.lock", dir);
	bool ok;

	c->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ok = c->lock_fd >= 0 && flock(c->lock_fd, LOCK_EX | LOCK_NB) == 0;
	if (!ok && errno == EWOULDBLOCK) {
		err_set(err, ERR_CONFIG, "another peerd uses the state directory \"%s\"", dir);
		err_hint(err, "stop it, or give another --state-dir");
	} else if (!ok) {
		err_set(err, ERR_CONFIG, "could not lock \"%s\": %m", path);
		err_hint(err, "the state directory must belong to the user peerd runs as");
	}
	free(path);
	return ok;
}

/* Made here and not by SQLite, so that nobody else may ever read it. */
static bool
file_make(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(err, ERR_CONFIG, "could not open the catalog \"%s\": %m", path);
	fd_close(&fd);
	return true;
}

static bool
db_open(struct catalog *c, const char *dir, struct err *err)
{
	char *path = xasprintf("%s/peerd.db", dir);
	bool ok = false;

	if (!file_make(path, err))
		goto out;
	if (sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK) {
		sqlite_fail(c->db, err);
		goto out;
	}
	sqlite3_extended_result_codes(c->db, 1);
	sqlite3_busy_timeout(c->db, BUSY_MS);
	ok = sqlite_exec(c->db, settings, err) && catalog_migrate(c->db, err) &&
	    stmt_prepare_all(c, err);
out:
	free(path);
	return ok;
}

static bool
names_fill(struct catalog *c, enum query q, const ProtobufCEnumDescriptor *d, struct err *err)
{
	struct stmt s;
	unsigned i;

	for (i = 0; i < d->n_values; i++) {
		s = stmt_for(c, q);
		stmt_int(&s, d->values[i].value);
		stmt_text(&s, d->values[i].name);
		if (!stmt_run(&s, err))
			return false;
	}
	return true;
}

/* A key is made only for an empty catalog: a new one could not open what is there. */
static bool
keys_load(struct catalog *c, const struct catalog_options *o, struct err *err)
{
	struct stmt s = stmt_for(c, Q_SEALED_COUNT);
	bool given = o->keys != NULL && o->keys[0] != '\0';
	int64_t sealed;

	if (!stmt_number(&s, 0, &sealed, err))
		return false;
	if (given && !seal_ring_add(&c->ring, o->keys, err))
		return false;
	if (!keyfile_load(o->dir, !given && sealed == 0, &c->ring, err))
		return false;
	if (c->ring.n > 0)
		return true;
	err_set(err, ERR_CONFIG, "the catalog holds sealed secrets, but there is no key");
	return err_hint(err, "give PEERD_CATALOG_KEY, or put %s/%s back", o->dir, KEYFILE_NAME);
}

static void
note_outcome(void *arg, const struct err *err)
{
	*(bool *)arg = err == NULL;
}

/* What every start puts right, in one transaction: names of numbers, seals of older keys. */
static bool
start_fill(struct catalog *c, struct err *err)
{
	bool ok;

	ok = write_begin(c, err) &&
	    names_fill(c, Q_STATUS_NAME, &peerdb_flow__flow_status__descriptor, err) &&
	    names_fill(c, Q_PEER_TYPE_NAME, &peerdb_peers__dbtype__descriptor, err) &&
	    peers_reseal(c, err) && alerts_reseal(c, err);
	write_end(c, ok, WRITE_AT_ONCE, err, note_outcome, &ok);
	return ok;
}

bool
catalog_open(const struct catalog_options *o, struct catalog **c_r, struct err *err)
{
	struct catalog *c = xcalloc(1, sizeof(*c));

	c->lock_fd = -1;
	c->batches_kept = o->batches_kept > 0 ? o->batches_kept : CATALOG_BATCHES_KEPT;
	c->logs_kept = o->logs_kept > 0 ? o->logs_kept : CATALOG_LOGS_KEPT;
	if (!dir_make(o->dir, err) || !dir_lock(c, o->dir, err) || !db_open(c, o->dir, err) ||
	    !keys_load(c, o, err) || !start_fill(c, err)) {
		catalog_close(&c);
		return false;
	}
	*c_r = c;
	return true;
}

void
catalog_close(struct catalog **c)
{
	struct err ignored = ERR_INIT;

	if (*c == NULL)
		return;
	if ((*c)->db != NULL)
		catalog_flush(*c, &ignored);
	stmt_finalize_all(*c);
	sqlite3_close((*c)->db);
	seal_ring_done(&(*c)->ring);
	fd_close(&(*c)->lock_fd);
	free((*c)->waiters);
	MEM_FREE(*c);
}

/* ---- writes */

static bool
transaction_open(const struct catalog *c)
{
	return !sqlite3_get_autocommit(c->db);
}

bool
write_begin(struct catalog *c, struct err *err)
{
	if (!transaction_open(c) && !sqlite_exec(c->db, "BEGIN IMMEDIATE", err))
		return false;
	c->in_savepoint = sqlite_exec(c->db, "SAVEPOINT fact", err);
	return c->in_savepoint;
}

/* Answers may make new writes, so the list is taken off first. */
static void
waiters_answer(struct catalog *c, const struct err *err)
{
	struct waiter *list = c->waiters;
	size_t i, n = c->n_waiters;

	c->waiters = NULL;
	c->n_waiters = c->waiters_cap = 0;
	for (i = 0; i < n; i++)
		list[i].done(list[i].arg, err);
	free(list);
}

static void
waiter_add(struct catalog *c, catalog_done_fn *done, void *arg)
{
	if (c->n_waiters == c->waiters_cap) {
		c->waiters_cap = c->waiters_cap > 0 ? c->waiters_cap * 2 : 16;
		c->waiters = xrealloc(c->waiters, c->waiters_cap * sizeof(*c->waiters));
	}
	c->waiters[c->n_waiters++] = (struct waiter){ .done = done, .arg = arg };
}

static void
note_lost(struct catalog *c, const struct err *err)
{
	if (c->lost.code == ERR_NONE)
		c->lost = *err;
}

/* The open transaction is gone or cannot be finished: whoever waits for it hears so. */
static void
transaction_lost(struct catalog *c, const struct err *err)
{
	if (transaction_open(c))
		sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	note_lost(c, err);
	waiters_answer(c, err);
}

static bool
commit(struct catalog *c, struct err *err)
{
	if (transaction_open(c) && !sqlite_exec(c->db, "COMMIT", err)) {
		transaction_lost(c, err);
		return false;
	}
	waiters_answer(c, NULL);
	return true;
}

/* Some failures (a full disk) end the whole transaction, the others only the savepoint. */
static void
write_undo(struct catalog *c, const struct err *err)
{
	bool undone = transaction_open(c) &&
	    sqlite3_exec(c->db, "ROLLBACK TO fact; RELEASE fact", NULL, NULL, NULL) == SQLITE_OK;

	if (!undone)
		transaction_lost(c, err);
}

void
write_end(struct catalog *c, bool ok, enum write_kind kind, struct err *err, catalog_done_fn *done,
    void *arg)
{
	bool begun = c->in_savepoint;

	c->in_savepoint = false;
	if (ok)
		ok = sqlite_exec(c->db, "RELEASE fact", err);
	if (!ok && begun)
		write_undo(c, err);
	if (ok && kind == WRITE_GROUPED) {
		if (done != NULL)
			waiter_add(c, done, arg);
		return;
	}
	if (ok)
		ok = commit(c, err);
	if (!ok && done == NULL)
		note_lost(c, err);
	if (done != NULL)
		done(arg, ok ? NULL : err);
}

bool
catalog_flush(struct catalog *c, struct err *err)
{
	struct err failed = ERR_INIT;

	commit(c, &failed);
	if (c->lost.code == ERR_NONE)
		return true;
	*err = c->lost;
	err_clear(&c->lost);
	return false;
}
