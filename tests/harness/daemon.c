#include "tests/harness/daemon.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "tests/harness/fail.h"
#include "tests/harness/janitor.h"
#include "tests/harness/poll.h"
#include "tests/harness/port.h"
#include "tests/harness/proc.h"

#define READY_MS   30000
#define STOP_MS	   30000
#define GONE_MS	   15000
#define LINE_BYTES 8192

char *
daemon_program(const char *name)
{
	const char *dir = getenv("PEERD_BIN_DIR");

	return text("%s/%s", dir != NULL ? dir : "build/bin", name);
}

struct daemon *
daemon_new(const char *name)
{
	struct daemon *d = xcalloc(1, sizeof(*d));

	d->state = tmp_path("%s.%d", name, (int)getpid());
	d->log = log_path("%s.%d.log", name, (int)getpid());
	d->http_port = port_take();
	d->sql_port = port_take();
	d->url = text("http://127.0.0.1:%d", d->http_port);
	if (mkdir(d->state, 0700) != 0)
		test_fail("could not make %s: %m", d->state);
	daemon_start(d);
	return d;
}

void
daemon_free(struct daemon **d)
{
	if (*d == NULL)
		return;
	daemon_stop(*d);
	MEM_FREE(*d);
}

/* Does a line of the log beyond the offset hold the words? */
static bool
log_has_after(const struct daemon *d, long offset, const char *words)
{
	FILE *f = fopen(d->log, "re");
	char line[LINE_BYTES];
	bool found = false;

	if (f == NULL)
		return false;
	fseek(f, offset, SEEK_SET);
	while (!found && fgets(line, sizeof(line), f) != NULL)
		found = strstr(line, words) != NULL;
	fclose(f);
	return found;
}

static long
log_size(const struct daemon *d)
{
	struct stat st;

	return stat(d->log, &st) == 0 ? (long)st.st_size : 0;
}

bool
daemon_log_has(const struct daemon *d, const char *words)
{
	return log_has_after(d, 0, words);
}

void
daemon_start(struct daemon *d)
{
	const char *const argv[] = {
		daemon_program("peerd"),
		"--state-dir",
		d->state,
		"--http-listen",
		text("127.0.0.1:%d", d->http_port),
		"--sql-listen",
		text("127.0.0.1:%d", d->sql_port),
		NULL,
	};
	struct proc_spec spec = {
		.argv = argv,
		.env = "PEERD_PASSWORD=" DAEMON_PASSWORD,
		.log = d->log,
	};
	long offset = log_size(d);

	d->pid = proc_start(&spec);
	if (!poll_until(READY_MS,
		log_has_after(d, offset, "peerd: ready") || !proc_alive(d->pid)) ||
	    !proc_alive(d->pid))
		test_fail("peerd did not become ready, see %s", d->log);
}

static bool
no_workers(void)
{
	pid_t pid;

	return daemon_workers("", &pid, 1) == 0;
}

void
daemon_stop(struct daemon *d)
{
	int status = 0;

	if (d->pid == 0)
		return;
	kill(d->pid, SIGTERM);
	if (!poll_until(STOP_MS, waitpid(d->pid, &status, WNOHANG) == d->pid))
		test_fail("peerd did not stop within %d ms of SIGTERM", STOP_MS);
	d->pid = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		test_fail("peerd ended with wait status 0x%x, see %s", status, d->log);
	if (!poll_until(GONE_MS, no_workers()))
		test_fail("peerd is gone but left %s", proc_title(daemon_worker("")));
	daemon_expect_no_report(d);
}

void
daemon_kill(struct daemon *d)
{
	kill(d->pid, SIGKILL);
	waitpid(d->pid, NULL, 0);
	d->pid = 0;
}

/* "/path/peerd-worker KIND NAME" at first, "peerd-worker: KIND NAME STATE ..." later. */
static bool
is_worker(pid_t pid, const char *kind)
{
	const char *title = proc_title(pid);
	size_t program = strcspn(title, " ");
	const char *slash = memrchr(title, '/', program);
	const char *name = slash != NULL ? slash + 1 : title;
	size_t n = strlen(kind);

	if (!str_starts(name, "peerd-worker"))
		return false;
	title += program + (title[program] == ' ');
	return strncmp(title, kind, n) == 0 && (n == 0 || title[n] == ' ' || title[n] == '\0');
}

size_t
daemon_workers(const char *kind, pid_t *pids_r, size_t max)
{
	pid_t all[DAEMON_WORKERS_MAX * 4];
	size_t n = proc_find_below(janitor_pid(), "", all, sizeof(all) / sizeof(*all));
	size_t found = 0;

	for (size_t i = 0; i < n && found < max; i++)
		if (is_worker(all[i], kind))
			pids_r[found++] = all[i];
	return found;
}

pid_t
daemon_worker(const char *kind)
{
	pid_t pid;

	return daemon_workers(kind, &pid, 1) == 1 ? pid : 0;
}

void
daemon_expect_no_report(const struct daemon *d)
{
	static const char *const signs[] = {
		"AddressSanitizer",
		"LeakSanitizer",
		"runtime error:",
		"peerd: bug",
		": bug: ",
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
		if (daemon_log_has(d, signs[i]))
			test_fail("\"%s\" stands in %s", signs[i], d->log);
}
