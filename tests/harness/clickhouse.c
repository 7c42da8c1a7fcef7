#include "tests/harness/clickhouse.h"

#include <signal.h>
#include <openssl/evp.h>

#include "lib/base/mem.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/files.h"
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

static char *
library(void)
{
	return cache_newest("chdb-*/libchdb.so");
}

static char *
old_server(void)
{
	return cache_newest("clickhouse-*/usr/sbin/clickhouse-server");
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
	    kind_names[kind], cache_directory());
	return false;
}

/* ---- directories and configuration */

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
	file_write(text("%s/config.xml", c->data),
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
	file_write(text("%s/users.xml", c->data),
	    text("<yandex><profiles><default/><reader><readonly>1</readonly></reader></profiles>"
		 "<users>%s%s</users><quotas><default/></quotas></yandex>\n",
		user_xml(CLICKHOUSE_USER, "default"), user_xml(CLICKHOUSE_READER, "reader")));
	directory_make(text("%s/data", c->data));
	directory_make(text("%s/tmp", c->data));
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
	directory_make(c->data);
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

	file_write_pid(text("%s/pid", c->data), pid);
	if (!poll_until(START_MS, answers(c) || !proc_alive(pid)) || !proc_alive(pid))
		test_fail("the %s server did not start, see %s", c->name, c->log);
}

pid_t
clickhouse_pid(const struct clickhouse *c)
{
	return file_read_pid(text("%s/pid", c->data));
}

void
clickhouse_stop(const struct clickhouse *c, enum clickhouse_stop how)
{
	pid_t pid = clickhouse_pid(c);

	if (pid == 0)
		return;
	kill(pid, how == CLICKHOUSE_KILL ? SIGKILL : SIGTERM);
	if (!proc_wait_reaped(pid, STOP_MS))
		test_fail("the %s server did not stop", c->name);
}

void
clickhouse_restart(const struct clickhouse *c, enum clickhouse_stop how)
{
	clickhouse_stop(c, how);
	clickhouse_start(c);
}
