#include "tests/harness/bank.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/poll.h"
#include "tests/harness/sql.h"

#define CLIENTS_MAX   8
#define ACCOUNTS      10000 /* times scale */
#define DOCS	      50
#define STATEMENT_MAX 2048
#define PAUSE_NS      8000000 /* between transactions: load, not saturation */
#define RECONNECT_MS  120000
#define END_MS	      60000

struct bank_load {
	int clients;
	pid_t pids[CLIENTS_MAX];
	struct shared {
		volatile bool stop, paused;
		volatile int64_t commits[CLIENTS_MAX];
	} * shared;
};

/* A load process. */
struct client {
	const struct cluster *cluster;
	const char *database;
	int number; /* its rows of shared things, so that clients do not wait for each other */
	uint64_t random;
	int scale;
	PGconn *c;
};

const char bank_tables[] = "public.accounts,public.tellers,public.branches,public.history,"
			   "public.items,public.docs,public.bag,public.scratch,public.counters,"
			   "public.ballast,public.marker";

const char *const bank_table_names[] = { "accounts", "tellers", "branches", "history", "items",
	"docs", "bag", "scratch", "counters", "ballast", "marker", NULL };

uint64_t
bank_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u); /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void
bank_create(PGconn *c, int scale)
{
	sql_exec(c,
	    "CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL, filler text);"
	    "CREATE TABLE tellers (id int PRIMARY KEY, balance bigint NOT NULL);"
	    "CREATE TABLE branches (id int PRIMARY KEY, balance bigint NOT NULL);"
	    "CREATE TABLE history (account int, delta bigint, at timestamptz DEFAULT now());"
	    "CREATE TABLE items (id bigint PRIMARY KEY, code text, v int NOT NULL);"
	    "CREATE TABLE docs (id int PRIMARY KEY, n int, body text, digest text);"
	    "CREATE TABLE bag (a int, b int);"
	    "CREATE TABLE scratch (client int, id int, PRIMARY KEY (client, id));"
	    "CREATE TABLE counters (name text PRIMARY KEY, n bigint NOT NULL);"
	    "CREATE TABLE ballast (id int PRIMARY KEY, v text);"
	    "CREATE TABLE marker (id int PRIMARY KEY, n bigint)");
	sql_exec(c,
	    "ALTER TABLE history REPLICA IDENTITY FULL; ALTER TABLE bag REPLICA IDENTITY FULL;"
	    "ALTER TABLE docs ALTER body SET STORAGE EXTERNAL");
	sql_exec(c,
	    "INSERT INTO accounts SELECT i, 0, repeat('f', 50) FROM generate_series(1, %d) i",
	    ACCOUNTS * scale);
	sql_exec(c,
	    "INSERT INTO tellers SELECT i, 0 FROM generate_series(1, 100) i;"
	    "INSERT INTO branches SELECT i, 0 FROM generate_series(1, 10) i;"
	    "INSERT INTO counters SELECT k || i, 0 FROM unnest(ARRAY['items', 'v', 'bag', "
	    "'scratch']) k,"
	    "generate_series(0, %d) i;"
	    "INSERT INTO marker VALUES (1, 0)",
	    CLIENTS_MAX - 1);
	sql_exec(c,
	    "INSERT INTO docs SELECT i, 0, b, md5(b) FROM (SELECT i, repeat(md5(i::text), 300) b "
	    "FROM generate_series(1, %d) i) x",
	    DOCS);
	sql_exec(c, "INSERT INTO ballast SELECT i, repeat('b', 100) FROM generate_series(1, %d) i",
	    ACCOUNTS * scale * 3);
}

/* ---- the transactions; each writes its statements, which are sent as one */

static unsigned
up_to(struct client *k, unsigned n)
{
	return (unsigned)(bank_random(&k->random) % n);
}

static void
write_transfer(struct client *k, char *to)
{
	int delta = (int)up_to(k, 10001) - 5000;

	snprintf(to, STATEMENT_MAX,
	    "UPDATE accounts SET balance = balance + %d WHERE id = %u;"
	    "UPDATE tellers SET balance = balance + %d WHERE id = %u;"
	    "UPDATE branches SET balance = balance + %d WHERE id = %u;"
	    "INSERT INTO history (account, delta) VALUES (1, %d)",
	    delta, up_to(k, (unsigned)(ACCOUNTS * k->scale)) + 1, delta,
	    (unsigned)k->number * 10 + up_to(k, 10) + 1, delta, (unsigned)k->number + 1, delta);
}

/* Items of a client have ids that are its number modulo CLIENTS_MAX. */
static void
write_new_item(struct client *k, char *to)
{
	unsigned v = up_to(k, 100);

	snprintf(to, STATEMENT_MAX,
	    "INSERT INTO items SELECT coalesce(max(id), %d) + %d, 'new', %u FROM items WHERE id %% "
	    "%d = %d;"
	    "UPDATE counters SET n = n + 1 WHERE name = 'items%d';"
	    "UPDATE counters SET n = n + %u WHERE name = 'v%d'",
	    k->number, CLIENTS_MAX, v, CLIENTS_MAX, k->number, k->number, v, k->number);
}

static void
write_lost_item(struct client *k, char *to)
{
	snprintf(to, STATEMENT_MAX,
	    "WITH gone AS (DELETE FROM items WHERE id = (SELECT id FROM items WHERE id %% %d = %d "
	    "ORDER BY hashint8(id + %u) LIMIT 1) RETURNING v), "
	    "fewer AS (UPDATE counters SET n = n - (SELECT count(*) FROM gone) WHERE name = "
	    "'items%d') "
	    "UPDATE counters SET n = n - (SELECT coalesce(sum(v), 0) FROM gone) WHERE name = 'v%d'",
	    CLIENTS_MAX, k->number, up_to(k, 1000), k->number, k->number);
}

/* Keys change: one row moves far away, and two change places. */
static void
write_moved_item(struct client *k, char *to)
{
	int mine = k->number;

	snprintf(to, STATEMENT_MAX,
	    "UPDATE items SET id = -id - %d, code = 'moved' WHERE id = (SELECT max(id) FROM items "
	    "WHERE id > 0 AND id %% %d = %d);"
	    "UPDATE items SET id = (SELECT coalesce(max(id), 0) FROM items WHERE id %% %d = %d) + "
	    "%d, "
	    "code = code || '+' WHERE id = (SELECT min(id) FROM items WHERE id > 0 AND id %% %d = "
	    "%d)",
	    (CLIENTS_MAX - 2 * mine % CLIENTS_MAX) % CLIENTS_MAX, CLIENTS_MAX, mine, CLIENTS_MAX,
	    mine, CLIENTS_MAX, CLIENTS_MAX, mine);
}

static void
write_doc(struct client *k, char *to)
{
	unsigned id = up_to(k, DOCS / CLIENTS_MAX) * CLIENTS_MAX + (unsigned)k->number + 1;

	if (up_to(k, 4) > 0)
		snprintf(to, STATEMENT_MAX, "UPDATE docs SET n = n + 1 WHERE id = %u", id);
	else
		snprintf(to, STATEMENT_MAX,
		    "UPDATE docs SET n = n + 1 WHERE id = %u;"
		    "UPDATE docs SET body = repeat(md5(n::text), 300), "
		    "digest = md5(repeat(md5(n::text), 300)) WHERE id = %u;"
		    "UPDATE docs SET n = n + 1 WHERE id = %u",
		    id, id, id);
}

static void
write_bag(struct client *k, char *to)
{
	if (up_to(k, 3) > 0)
		snprintf(to, STATEMENT_MAX,
		    "INSERT INTO bag SELECT %d, %u FROM generate_series(1, 2);"
		    "UPDATE counters SET n = n + 2 * %u WHERE name = 'bag%d'",
		    k->number, k->number * 10u, k->number * 10u, k->number);
	else
		snprintf(to, STATEMENT_MAX,
		    "WITH gone AS (DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag WHERE a "
		    "= %d) "
		    "RETURNING b) UPDATE counters SET n = n - (SELECT coalesce(sum(b), 0) FROM "
		    "gone) "
		    "WHERE name = 'bag%d'",
		    k->number, k->number);
}

/* Only client 0 truncates; the others fill nothing here, so nobody waits for the lock long. */
static void
write_scratch(struct client *k, char *to)
{
	if (k->number == 0 && up_to(k, 8) == 0)
		snprintf(to, STATEMENT_MAX,
		    "TRUNCATE scratch; UPDATE counters SET n = 0 WHERE name LIKE 'scratch%%'");
	else if (k->number == 0)
		snprintf(to, STATEMENT_MAX,
		    "INSERT INTO scratch SELECT 0, coalesce(max(id), 0) + g FROM scratch, "
		    "generate_series(1, 3) g GROUP BY g;"
		    "UPDATE counters SET n = (SELECT count(*) FROM scratch) WHERE name = "
		    "'scratch0'");
	else
		write_transfer(k, to);
}

/* Large enough to be cut into several chunks on the way. */
static void
write_large(struct client *k, char *to)
{
	int delta = (int)up_to(k, 100);
	unsigned rows = 300 + up_to(k, 1500);

	snprintf(to, STATEMENT_MAX,
	    "UPDATE accounts SET balance = balance + %d WHERE id <= %u;"
	    "INSERT INTO history (account, delta) SELECT id, %d FROM accounts WHERE id <= %u;"
	    "UPDATE tellers SET balance = balance + %d WHERE id = %d;"
	    "UPDATE branches SET balance = balance + %d WHERE id = %d",
	    delta, rows, delta, rows, delta * (int)rows, k->number * 10 + 1, delta * (int)rows,
	    k->number + 1);
}

static void
write_rolled_back(struct client *k, char *to)
{
	snprintf(to, STATEMENT_MAX,
	    "UPDATE accounts SET balance = balance + 1000000 WHERE id <= %u;"
	    "INSERT INTO items VALUES (%d, 'never', 1); DELETE FROM bag WHERE a = %d; SELECT 1 / 0",
	    up_to(k, 50), -1000000 - k->number, k->number);
}

static const struct {
	int share;
	void (*write)(struct client *k, char *to);
} kinds[] = {
	{ 40, write_transfer },
	{ 15, write_new_item },
	{ 8, write_lost_item },
	{ 12, write_moved_item },
	{ 10, write_doc },
	{ 8, write_bag },
	{ 4, write_scratch },
	{ 1, write_large },
	{ 2, write_rolled_back },
};

static void
write_any(struct client *k, char *to)
{
	int at = (int)up_to(k, 100);
	size_t i = 0;

	while (at >= kinds[i].share)
		at -= kinds[i++].share;
	kinds[i].write(k, to);
}

/* ---- the processes */

static bool
reconnected(struct client *k)
{
	sql_close(&k->c);
	k->c = cluster_try_connect(k->cluster, k->database);
	return k->c != NULL;
}

/* Several statements in one message are one transaction. */
static bool
run_one(struct client *k)
{
	char statements[STATEMENT_MAX];

	if (k->c == NULL || PQstatus(k->c) != CONNECTION_OK)
		if (!poll_until(RECONNECT_MS, reconnected(k)))
			test_fail("the load cannot reach the %s server", k->cluster->name);
	write_any(k, statements);
	return sql_try(k->c, statements);
}

static void
run_client(struct client *k, struct shared *shared)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	while (!shared->stop) {
		if (!shared->paused && run_one(k))
			shared->commits[k->number]++;
		nanosleep(&pause, NULL);
	}
}

static int
scale_of(const struct cluster *c, const char *database)
{
	PGconn *conn = cluster_connect(c, database);
	int scale = (int)(sql_i64(conn, "SELECT count(*) FROM accounts") / ACCOUNTS);

	sql_close(&conn);
	return scale;
}

struct bank_load *
bank_load_start(const struct cluster *c, const char *database, int clients, uint64_t seed)
{
	struct bank_load *l = xcalloc(1, sizeof(*l));
	int scale = scale_of(c, database);

	l->clients = clients;
	l->shared = mmap(NULL, sizeof(*l->shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (l->shared == MAP_FAILED || clients > CLIENTS_MAX)
		test_fail("could not start %d load clients: %m", clients);
	fflush(NULL);
	for (int i = 0; i < clients; i++) {
		struct client k = { c, database, i, seed * CLIENTS_MAX + (uint64_t)i, scale, NULL };

		l->pids[i] = fork();
		if (l->pids[i] < 0)
			test_fail("could not fork: %m");
		if (l->pids[i] > 0)
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_client(&k, l->shared);
		_exit(0);
	}
	return l;
}

int64_t
bank_load_commits(const struct bank_load *l)
{
	int64_t sum = 0;

	for (int i = 0; i < l->clients; i++)
		sum += l->shared->commits[i];
	return sum;
}

void
bank_load_pause(struct bank_load *l, bool pause)
{
	l->shared->paused = pause;
}

void
bank_load_stop(struct bank_load **l)
{
	int status;

	if (*l == NULL)
		return;
	(*l)->shared->stop = true;
	for (int i = 0; i < (*l)->clients; i++) {
		if (!poll_until(END_MS, waitpid((*l)->pids[i], &status, WNOHANG) != 0))
			test_fail("a load client does not end");
		if (status != 0)
			test_fail("a load client ended with wait status 0x%x", status);
	}
	munmap((*l)->shared, sizeof(*(*l)->shared));
	MEM_FREE(*l);
}

/* ---- looking */

#define SUM(column, table) "(SELECT coalesce(sum(" column "), 0) FROM " table ")"
#define KEPT(name)	   "(SELECT sum(n) FROM counters WHERE name ~ '^" name "[0-9]$')"
#define UNEQUAL(a, b, words)                                                                     \
	"CASE WHEN " a " IS DISTINCT FROM " b " THEN format(' " words ": %s and %s;', " a ", " b \
	") ELSE '' END"

/* clang-format off */
static const char check_query[] =
	"SELECT coalesce(nullif("
	UNEQUAL(SUM("balance", "accounts"), SUM("delta", "history"), "accounts and history") " || "
	UNEQUAL(SUM("balance", "tellers"), SUM("delta", "history"), "tellers and history") " || "
	UNEQUAL(SUM("balance", "branches"), SUM("delta", "history"), "branches and history") " || "
	UNEQUAL("(SELECT count(*) FROM items)", KEPT("items"), "items and counter") " || "
	UNEQUAL(SUM("v", "items"), KEPT("v"), "values of items and counter") " || "
	UNEQUAL(SUM("b", "bag"), KEPT("bag"), "bag and counter") " || "
	UNEQUAL("(SELECT count(*) FROM scratch)", KEPT("scratch"), "scratch and counter") " || "
	UNEQUAL("(SELECT count(*) FROM docs WHERE digest = md5(body))", "(SELECT count(*) FROM docs)",
	    "docs with the right digest and docs") ", ''), 'ok')";
/* clang-format on */

const char *
bank_check(PGconn *c)
{
	PGresult *res = PQexec(c, check_query);
	const char *words = NULL;

	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		words = strcmp(PQgetvalue(res, 0, 0), "ok") == 0
		    ? "ok"
		    : text("%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	return words;
}

bool
bank_mark(PGconn *c, int64_t n)
{
	return sql_try(c, text("UPDATE marker SET n = %lld", (long long)n));
}

int64_t
bank_marked(PGconn *c)
{
	PGresult *res = PQexec(c, "SELECT n FROM marker");
	long long n = -1;

	if (PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) == 1)
		(void)sscanf(PQgetvalue(res, 0, 0), "%lld", &n);
	PQclear(res);
	return n;
}
