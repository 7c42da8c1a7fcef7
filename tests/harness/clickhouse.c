#include "tests/harness/clickhouse.h"

#include <sys/stat.h>
#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <unistd.h>
#include <openssl/evp.h>

#include "lib/base/mem.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/janitor.h"
#include "tests/harness/poll.h"
#include "tests/harness/port.h"
#include "tests/harness/proc.h"

#define START_MS 60000
#define STOP_MS	 30000

static const char *const kind_names[CLICKHOUSE_KINDS] = {
	[CH_CURRENT] = "current",
	[CH_OLD] = "old",
};

const char *
clickhouse_kind_name(enum clickhouse_kind kind)
{
	return kind_names[kind];
}

/* ---- what is installed */

/* As scripts/install-clickhouse has it. */
static char *
cache(void)
{
	const char *wanted = getenv("PEERD_CACHE_DIR");
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	if (wanted != NULL && *wanted != '\0')
		return text("%s", wanted);
	if (getuid() == 0)
		return text("/var/cache/peerd");
	if (xdg != NULL && *xdg != '\0')
		return text("%s/peerd", xdg);
	return text("%s/.cache/peerd", home != NULL ? home : "");
}

/* The newest file of a name with a version in it; NULL when there is none. */
static char *
newest(const char *pattern)
{
	glob_t found;
	char *path = NULL;

	if (glob(pattern, 0, NULL, &found) == 0)
		path = text("%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return path;
}

static char *
library(void)
{
	return newest(text("%s/chdb-*/libchdb.so", cache()));
}

static char *
old_server(void)
{
	return newest(text("%s/clickhouse-*/usr/sbin/clickhouse-server", cache()));
}

bool
clickhouse_available(enum clickhouse_kind kind)
{
	const char *path = kind == CH_CURRENT ? library() : old_server();

	if (path != NULL)
		return true;
	fprintf(stderr,
	    "SKIPPED: no ClickHouse server of the kind \"%s\" below %s: "
	    "run scripts/install-clickhouse\n",
	    kind_names[kind], cache());
	return false;
}

/* ---- directories and configuration */

static void
write_file(const char *path, const char *content)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(content, f) < 0 || fclose(f) != 0)
		test_fail("could not write %s: %m", path);
}

static void
make_directory(const char *path)
{
	if (mkdir(path, 0755) != 0)
		test_fail("could not make %s: %m", path);
	proc_own_file(path);
}

/* Users are configured by the hash of their password. */
static char *
sha256_hex(const char *s)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char *hex = text("%*s", 2 * EVP_MAX_MD_SIZE, "");

	EVP_Digest(s, strlen(s), digest, &n, EVP_sha256(), NULL);
	for (unsigned i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return hex;
}

static char *
user_xml(const char *name, const char *profile)
{
	return text("<%s><password_sha256_hex>%s</password_sha256_hex>"
		    "<networks><ip>127.0.0.1</ip></networks>"
		    "<profile>%s</profile><quota>default</quota></%s>",
	    name, sha256_hex(CLICKHOUSE_PASSWORD), profile, name);
}

static void
configure_old(const struct clickhouse *c)
{
	write_file(text("%s/config.xml", c->data),
	    text("<yandex><logger><level>warning</level><console>1</console></logger>"
		 "<http_port>%d</http_port><tcp_port>%d</tcp_port>"
		 "<interserver_http_port>%d</interserver_http_port>"
		 "<listen_host>127.0.0.1</listen_host><timezone>UTC</timezone>"
		 "<path>%s/data/</path><tmp_path>%s/tmp/</tmp_path>"
		 "<users_config>%s/users.xml</users_config>"
		 "<default_profile>default</default_profile>"
		 "<default_database>default</default_database>"
		 "<mark_cache_size>67108864</mark_cache_size></yandex>\n",
		c->port, port_take(), port_take(), c->data, c->data, c->data));
	write_file(text("%s/users.xml", c->data),
	    text("<yandex><profiles><default/><reader><readonly>1</readonly></reader></profiles>"
		 "<users>%s%s</users><quotas><default/></quotas></yandex>\n",
		user_xml(CLICKHOUSE_USER, "default"), user_xml(CLICKHOUSE_READER, "reader")));
	make_directory(text("%s/data", c->data));
	make_directory(text("%s/tmp", c->data));
}

/* ---- life */

struct clickhouse *
clickhouse_new(enum clickhouse_kind kind, const char *name)
{
	struct clickhouse *c = xcalloc(1, sizeof(*c));

	c->kind = kind;
	c->name = name;
	c->data = tmp_path("%s", name);
	c->log = log_path("%s.log", name);
	c->port = port_take();
	c->url = text("http://127.0.0.1:%d", c->port);
	make_directory(c->data);
	if (kind == CH_OLD)
		configure_old(c);
	clickhouse_start(c);
	return c;
}

void
clickhouse_free(struct clickhouse **c)
{
	if (*c == NULL)
		return;
	clickhouse_stop(*c, CLICKHOUSE_KILL);
	tmp_remove((*c)->data);
	MEM_FREE(*c);
}

static pid_t
start_current(const struct clickhouse *c)
{
	const char *const argv[] = {
		daemon_program("../tests/chdbd/chdbd"),
		library(),
		c->data,
		text("%d", c->port),
		CLICKHOUSE_USER,
		CLICKHOUSE_READER,
		NULL,
	};
	struct proc_spec spec = {
		.argv = argv,
		.env = "CHDBD_PASSWORD=" CLICKHOUSE_PASSWORD,
		.log = c->log,
		.adopted = true,
	};

	return proc_start(&spec);
}

static pid_t
start_old(const struct clickhouse *c)
{
	const char *const argv[] = { old_server(), text("--config-file=%s/config.xml", c->data),
		NULL };
	struct proc_spec spec = {
		.argv = argv,
		.log = c->log,
		.unprivileged = true,
		.adopted = true,
	};

	return proc_start(&spec);
}

static bool
answers(const struct clickhouse *c)
{
	struct clickhouse_request ping = { .url = text("%s/ping", c->url) };

	return clickhouse_call(c, &ping).status == 200;
}

void
clickhouse_start(const struct clickhouse *c)
{
	pid_t pid = c->kind == CH_CURRENT ? start_current(c) : start_old(c);

	write_file(text("%s/pid", c->data), text("%d\n", (int)pid));
	if (!poll_until(START_MS, answers(c) || !proc_alive(pid)) || !proc_alive(pid))
		test_fail("the %s server did not start, see %s", c->name, c->log);
}

pid_t
clickhouse_pid(const struct clickhouse *c)
{
	FILE *f = fopen(text("%s/pid", c->data), "re");
	int pid = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	fclose(f);
	return pid > 0 && proc_alive(pid) ? pid : 0;
}

/* The janitor has reaped it; a zombie may have threads that still hold the data. */
static bool
is_gone(pid_t pid)
{
	return kill(pid, 0) != 0 && errno == ESRCH;
}

void
clickhouse_stop(const struct clickhouse *c, enum clickhouse_stop how)
{
	pid_t pid = clickhouse_pid(c);

	if (pid == 0)
		return;
	kill(pid, how == CLICKHOUSE_KILL ? SIGKILL : SIGTERM);
	if (!poll_until(STOP_MS, is_gone(pid)))
		test_fail("the %s server did not stop", c->name);
}

void
clickhouse_restart(const struct clickhouse *c, enum clickhouse_stop how)
{
	clickhouse_stop(c, how);
	clickhouse_start(c);
}
