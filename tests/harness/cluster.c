#include "tests/harness/cluster.h"

#include <signal.h>

#include "lib/base/mem.h"
#include "tests/harness/fail.h"
#include "tests/harness/files.h"
#include "tests/harness/janitor.h"
#include "tests/harness/poll.h"
#include "tests/harness/port.h"
#include "tests/harness/proc.h"
#include "tests/harness/sql.h"

#define START_MS	60000
#define STOP_MS		60000
#define SOCKET_PATH_MAX 90 /* sun_path has 108 bytes; the file's own name needs some */

static const char conf[] = "listen_addresses = '127.0.0.1, ::1'\n"
			   "max_connections = 120\n"
			   "max_wal_senders = 24\n"
			   "max_replication_slots = 24\n"
			   "wal_level = logical\n"
			   "fsync = off\n"
			   "full_page_writes = off\n"
			   "shared_buffers = '64MB'\n"
			   "max_wal_size = '2GB'\n"
			   "log_line_prefix = '%m [%p] %a '\n"
			   "log_checkpoints = off\n"
			   "lc_messages = 'C'\n";

static const char hba[] = "local all all trust\n"
			  "local replication all trust\n"
			  "host all all 127.0.0.1/32 scram-sha-256\n"
			  "host all all ::1/128 scram-sha-256\n"
			  "host replication all 127.0.0.1/32 scram-sha-256\n"
			  "host replication all ::1/128 scram-sha-256\n";

char *
cluster_program(const char *name)
{
	char *path = file_newest(text("/usr/lib/postgresql/*/bin/%s", name));

	if (path == NULL)
		test_fail("no %s below /usr/lib/postgresql: run make deps", name);
	return path;
}

static void
initdb(const struct cluster *c)
{
	const char *const argv[] = {
		cluster_program("initdb"),
		"-D",
		c->data,
		"-U",
		CLUSTER_USER,
		"-A",
		"trust",
		"-E",
		"UTF8",
		"--locale=C.UTF-8",
		"--no-sync",
		"--no-instructions",
		NULL,
	};
	struct proc_spec spec = { .argv = argv, .log = c->log, .unprivileged = true };

	if (proc_run(&spec) != 0)
		test_fail("initdb failed, see %s", c->log);
}

static void
configure(const struct cluster *c, const char *settings)
{
	file_write(text("%s/pg_hba.conf", c->data), hba);
	file_append(text("%s/postgresql.conf", c->data),
	    text("%sport = %d\nunix_socket_directories = '%s'\n%s\n", conf, c->port, c->sockets,
		settings != NULL ? settings : ""));
}

/* The temporary directory may be too deep for a socket's path. */
static char *
socket_directory(const char *name)
{
	char *path = tmp_path("%s.sock", name);

	if (strlen(path) <= SOCKET_PATH_MAX)
		return path;
	test_fail("TMPDIR is too long for Unix sockets: %s", path);
}

struct cluster *
cluster_new(const char *name, const char *settings)
{
	struct cluster *c = xcalloc(1, sizeof(*c));
	PGconn *conn;

	c->name = name;
	c->data = tmp_path("%s", name);
	c->sockets = socket_directory(name);
	c->log = log_path("%s.log", name);
	c->port = port_take();
	directory_make(c->data); /* initdb closes it to others */
	directory_make(c->sockets);
	initdb(c);
	configure(c, settings);
	cluster_start(c);
	conn = cluster_connect(c, "postgres");
	sql_exec(conn, "ALTER ROLE " CLUSTER_USER " PASSWORD %s",
	    sql_literal(conn, CLUSTER_PASSWORD));
	sql_close(&conn);
	return c;
}

void
cluster_free(struct cluster **c)
{
	if (*c == NULL)
		return;
	cluster_stop(*c, CLUSTER_IMMEDIATE);
	tmp_remove((*c)->data);
	tmp_remove((*c)->sockets);
	MEM_FREE(*c);
}

PGconn *
cluster_try_connect(const struct cluster *c, const char *database)
{
	PGconn *conn = PQconnectdb(
	    text("host=%s port=%d user=%s dbname=%s", c->sockets, c->port, CLUSTER_USER, database));

	PQsetNoticeProcessor(conn, sql_ignore_notice, NULL);
	if (PQstatus(conn) != CONNECTION_OK)
		sql_close(&conn);
	return conn;
}

PGconn *
cluster_connect(const struct cluster *c, const char *database)
{
	return sql_open(
	    text("host=%s port=%d user=%s dbname=%s", c->sockets, c->port, CLUSTER_USER, database));
}

static bool
answers(const struct cluster *c)
{
	PGconn *conn = cluster_try_connect(c, "postgres");
	bool ok = conn != NULL;

	sql_close(&conn);
	return ok;
}

void
cluster_start(const struct cluster *c)
{
	const char *const argv[] = { cluster_program("postgres"), "-D", c->data, NULL };
	struct proc_spec spec = {
		.argv = argv,
		.log = c->log,
		.unprivileged = true,
		.adopted = true,
	};
	pid_t pid = proc_start(&spec);

	if (!poll_until(START_MS, answers(c) || !proc_alive(pid)) || !proc_alive(pid))
		test_fail("the %s server did not start, see %s", c->name, c->log);
}

pid_t
cluster_pid(const struct cluster *c)
{
	return file_read_pid(text("%s/postmaster.pid", c->data));
}

void
cluster_stop(const struct cluster *c, enum cluster_stop how)
{
	pid_t pid = cluster_pid(c);

	if (pid == 0)
		return;
	kill(pid, how == CLUSTER_FAST ? SIGINT : SIGQUIT);
	if (!proc_wait_gone(pid, STOP_MS))
		test_fail("the %s server did not stop", c->name);
}

void
cluster_restart(const struct cluster *c, enum cluster_stop how)
{
	cluster_stop(c, how);
	cluster_start(c);
}

bool
cluster_listens_on(const struct cluster *c, const char *address)
{
	const char *const names[] = { "host", "port", NULL };
	const char *const values[] = { address, text("%d", c->port), NULL };

	return PQpingParams(names, values, 0) == PQPING_OK;
}

bool
cluster_kill_backend(const struct cluster *c, const char *where)
{
	PGconn *conn = cluster_try_connect(c, "postgres");
	PGresult *res;
	int pid = 0;

	if (conn == NULL)
		return false;
	res = PQexec(conn,
	    text("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
		 "AND (%s) ORDER BY random() LIMIT 1",
		where));
	if (PQntuples(res) == 1)
		sscanf(PQgetvalue(res, 0, 0), "%d", &pid);
	PQclear(res);
	sql_close(&conn);
	return pid > 0 && kill(pid, SIGKILL) == 0;
}

/* Run a query that makes statements, then the statements. */
static void
exec_each(PGconn *conn, const char *query)
{
	PGresult *res = PQexec(conn, query);

	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		test_fail("%s\nfailed: %s", query, PQerrorMessage(conn));
	for (int i = 0; i < PQntuples(res); i++)
		sql_exec(conn, "%s", PQgetvalue(res, i, 0));
	PQclear(res);
}

void
cluster_wipe(const struct cluster *c)
{
	PGconn *conn = cluster_connect(c, "postgres");

	sql_exec(conn,
	    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots "
	    "WHERE active_pid IS NOT NULL");
	sql_wait(conn, STOP_MS, "0", "SELECT count(*) FROM pg_replication_slots WHERE active");
	exec_each(conn,
	    "SELECT format('SELECT pg_drop_replication_slot(%L)', slot_name) "
	    "FROM pg_replication_slots");
	exec_each(conn,
	    "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database "
	    "WHERE NOT datistemplate AND datname <> 'postgres'");
	exec_each(conn,
	    "SELECT format('DROP ROLE %I', rolname) FROM pg_roles "
	    "WHERE oid >= 16384 AND rolname <> '" CLUSTER_USER "'");
	sql_close(&conn);
}
