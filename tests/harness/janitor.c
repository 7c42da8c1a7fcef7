#include "tests/harness/janitor.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "tests/harness/fail.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"

#define POLITE_MS 8000 /* Postgres removes its shared memory when asked by SIGQUIT */
#define FORCED_MS 5000
#define LEFT_MAX  256

static char *root, *logs;
static const char *kept; /* what remove_one() spares; NULL for nothing */
static pid_t self;

static void
make_directories(void)
{
	const char *base = getenv("TMPDIR");
	const char *wanted = getenv("PEERD_TEST_LOG_DIR");

	root = text("%s/peerd-test.XXXXXX", base != NULL && *base != '\0' ? base : "/tmp");
	if (mkdtemp(root) == NULL || chmod(root, 0755) != 0)
		test_fail("could not make a directory like %s: %m", root);
	logs = wanted != NULL ? text("%s", wanted) : text("%s/logs", root);
	if (mkdir(logs, 0755) != 0 && errno != EEXIST)
		test_fail("could not make %s: %m", logs);
}

/* Settings of the caller's own Postgres must not leak into the tests. */
static void
forget_pg_environment(void)
{
	static const char *const names[] = {
		"PGHOST",
		"PGHOSTADDR",
		"PGPORT",
		"PGUSER",
		"PGPASSWORD",
		"PGDATABASE",
		"PGSERVICE",
		"PGPASSFILE",
		"PGOPTIONS",
		"PGSSLMODE",
		"PGDATA",
		"PGCLIENTENCODING",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unsetenv(names[i]);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (kept == NULL || !str_starts(path, kept))
		(void)remove(path); /* a directory that still holds the logs stays */
	return 0;
}

void
tmp_remove(const char *path)
{
	nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

static void
remove_directories(bool keep_logs)
{
	kept = keep_logs ? logs : NULL;
	tmp_remove(root);
	if (keep_logs)
		fprintf(stderr, "logs are kept in %s\n", logs);
}

static void
reap(pid_t program, int *status_r, bool *ended_r)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == program) {
			*status_r = status;
			*ended_r = true;
		}
}

/* Everything below us gets the signal; as parents go, their children become ours. */
static size_t
signal_the_rest(int sig)
{
	pid_t left[LEFT_MAX];
	size_t n = proc_find_below(getpid(), "", left, LEFT_MAX);

	for (size_t i = 0; i < n; i++)
		kill(left[i], sig);
	return n;
}

static bool
nobody_left(void)
{
	int status;
	bool ended;

	reap(0, &status, &ended);
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static void
print_the_rest(void)
{
	pid_t left[LEFT_MAX];
	size_t n = proc_find_below(getpid(), "", left, LEFT_MAX);

	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "left behind: pid %d: %s\n", (int)left[i], proc_title(left[i]));
}

static bool
stop_the_rest(bool is_leak)
{
	if (nobody_left())
		return false;
	if (is_leak)
		print_the_rest();
	signal_the_rest(SIGQUIT);
	if (!poll_until(POLITE_MS, nobody_left()))
		(void)poll_until(FORCED_MS, signal_the_rest(SIGKILL) == 0 && nobody_left());
	return true;
}

static int
exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Wait for the program's end or for a signal that asks for ours. */
static int
watch(pid_t program, const sigset_t *awaited)
{
	bool ended = false;
	int status = 0;
	int sig;

	while (!ended) {
		reap(program, &status, &ended);
		if (ended || sigwait(awaited, &sig) != 0 || sig == SIGCHLD)
			continue;
		kill(program, SIGKILL);
		waitpid(program, NULL, 0);
		return 128 + sig;
	}
	return exit_status(status);
}

static void __attribute__((noreturn)) be_the_janitor(pid_t program, const sigset_t *awaited)
{
	int rc = watch(program, awaited);
	bool leaked = stop_the_rest(rc == 0);

	if (leaked && rc == 0)
		rc = 1;
	remove_directories(rc != 0);
	fflush(NULL);
	_exit(rc);
}

void
janitor_start(void)
{
	sigset_t awaited, before;
	pid_t program;

	forget_pg_environment();
	make_directories();
	sigemptyset(&awaited);
	for (size_t i = 0; i < 4; i++)
		sigaddset(&awaited, (const int[]){ SIGCHLD, SIGTERM, SIGINT, SIGHUP }[i]);
	sigprocmask(SIG_BLOCK, &awaited, &before);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	self = getpid();
	fflush(NULL);
	program = fork();
	if (program < 0)
		test_fail("could not fork: %m");
	if (program > 0)
		be_the_janitor(program, &awaited);
	sigprocmask(SIG_SETMASK, &before, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

pid_t
janitor_pid(void)
{
	return self;
}

static char *
path_below(const char *directory, const char *fmt, va_list ap)
{
	return text("%s/%s", directory, text_v(fmt, ap));
}

char *
tmp_path(const char *fmt, ...)
{
	va_list ap;
	char *path;

	va_start(ap, fmt);
	path = path_below(root, fmt, ap);
	va_end(ap);
	return path;
}

char *
log_path(const char *fmt, ...)
{
	va_list ap;
	char *path;

	va_start(ap, fmt);
	path = path_below(logs, fmt, ap);
	va_end(ap);
	return path;
}
