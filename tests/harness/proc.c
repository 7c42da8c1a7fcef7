#include "tests/harness/proc.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "tests/harness/fail.h"
#include "tests/harness/janitor.h"
#include "tests/harness/poll.h"

#define ANCESTORS_MAX 16
#define PROC_FILE_MAX 4096 /* what we look for stands in the first bytes */

static const struct passwd *
unprivileged_user(void)
{
	const struct passwd *pw = getpwnam("postgres");

	if (pw == NULL)
		pw = getpwnam("nobody");
	if (pw == NULL)
		test_fail("neither a user postgres nor a user nobody exists to run servers as");
	return pw;
}

void
proc_own_file(const char *path)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return;
	pw = unprivileged_user();
	if (chown(path, pw->pw_uid, pw->pw_gid) != 0)
		test_fail("could not give %s to %s: %m", path, pw->pw_name);
}

static bool
drop_privileges(void)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return true;
	pw = unprivileged_user();
	return initgroups(pw->pw_name, pw->pw_gid) == 0 && setgid(pw->pw_gid) == 0 &&
	    setuid(pw->pw_uid) == 0;
}

static void
redirect_to(const char *log)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (fd < 0)
		return;
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

/* In the new process: become the program, tied to the parent's life. */
static void __attribute__((noreturn)) become(const struct proc_spec *spec, pid_t parent)
{
	if (spec->log != NULL)
		redirect_to(spec->log);
	if (spec->adopted) {
		setpgid(0, 0);
		while (getppid() != parent) /* until the one between us is gone */
			sched_yield();
	}
	if (spec->unprivileged && !drop_privileges())
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of user would have cleared it */
	if (getppid() != parent)
		_exit(126);
	if (spec->env != NULL)
		putenv((char *)spec->env);
	close_range(3, ~0U, 0);
	execvp(spec->argv[0], (char *const *)spec->argv);
	fprintf(stderr, "could not run %s: %m\n", spec->argv[0]);
	_exit(127);
}

static pid_t
start_tied(const struct proc_spec *spec)
{
	pid_t self = getpid();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		test_fail("could not fork: %m");
	if (pid == 0)
		become(spec, self);
	return pid;
}

/* Fork twice, so that the janitor inherits the grandchild; a pipe brings its id. */
static pid_t
start_adopted(const struct proc_spec *spec)
{
	pid_t middle, pid = 0;
	int fds[2];

	fflush(NULL);
	if (pipe(fds) != 0 || (middle = fork()) < 0)
		test_fail("could not fork: %m");
	if (middle == 0) {
		pid = fork();
		if (pid == 0)
			become(spec, janitor_pid());
		_exit(write(fds[1], &pid, sizeof(pid)) == sizeof(pid) ? 0 : 1);
	}
	close(fds[1]);
	waitpid(middle, NULL, 0);
	if (read(fds[0], &pid, sizeof(pid)) != sizeof(pid) || pid <= 0)
		test_fail("could not start %s", spec->argv[0]);
	close(fds[0]);
	return pid;
}

pid_t
proc_start(const struct proc_spec *spec)
{
	return spec->adopted ? start_adopted(spec) : start_tied(spec);
}

int
proc_run(const struct proc_spec *spec)
{
	pid_t pid = start_tied(spec);
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			test_fail("could not wait for %s: %m", spec->argv[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A file of /proc, zero bytes turned into blanks; "" when the process is gone. */
static const char *
read_proc(pid_t pid, const char *name, char *to, size_t size)
{
	char path[64];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	f = fopen(path, "re");
	if (f != NULL) {
		n = fread(to, 1, size - 1, f);
		fclose(f);
	}
	while (n > 0 && to[n - 1] == '\0')
		n--;
	for (size_t i = 0; i < n; i++)
		if (to[i] == '\0')
			to[i] = ' ';
	to[n] = '\0';
	return to;
}

char *
proc_title(pid_t pid)
{
	char bytes[PROC_FILE_MAX];

	return text("%s", read_proc(pid, "cmdline", bytes, sizeof(bytes)));
}

/* The fields of /proc/PID/stat after the command name, which may hold anything. */
static bool
read_stat(pid_t pid, char *state_r, pid_t *parent_r, unsigned long *ticks_r)
{
	char bytes[PROC_FILE_MAX];
	const char *rest = strrchr(read_proc(pid, "stat", bytes, sizeof(bytes)), ')');
	unsigned long user, sys;
	int parent;

	if (rest == NULL ||
	    sscanf(rest, ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", state_r, &parent,
		&user, &sys) != 4)
		return false;
	*parent_r = parent;
	*ticks_r = user + sys;
	return true;
}

bool
proc_alive(pid_t pid)
{
	unsigned long ticks;
	pid_t parent;
	char state;

	return read_stat(pid, &state, &parent, &ticks) && state != 'Z' && state != 'X';
}

bool
proc_wait_gone(pid_t pid, int ms)
{
	bool gone = poll_until(ms, !proc_alive(pid));

	if (gone)
		waitpid(pid, NULL, WNOHANG); /* ours or the janitor's; either reaps it */
	return gone;
}

bool
proc_wait_reaped(pid_t pid, int ms)
{
	return poll_until(ms, kill(pid, 0) != 0 && errno == ESRCH);
}

double
proc_cpu_seconds(pid_t pid)
{
	unsigned long ticks;
	pid_t parent;
	char state;

	if (!read_stat(pid, &state, &parent, &ticks))
		return -1;
	return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

long
proc_rss_kb(pid_t pid, bool peak)
{
	char bytes[PROC_FILE_MAX];
	const char *at = strstr(read_proc(pid, "status", bytes, sizeof(bytes)),
	    peak ? "VmHWM:" : "VmRSS:");
	long kb;

	return at != NULL && sscanf(at, "%*s %ld", &kb) == 1 ? kb : -1;
}

static bool
is_below(pid_t pid, pid_t root)
{
	unsigned long ticks;
	pid_t parent;
	char state;

	for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		if (!read_stat(pid, &state, &parent, &ticks) || (i == 0 && state == 'Z'))
			return false;
		if (parent == root)
			return true;
		pid = parent;
	}
	return false;
}

static bool
title_starts(pid_t pid, const char *prefix)
{
	char bytes[PROC_FILE_MAX];

	return str_starts(read_proc(pid, "cmdline", bytes, sizeof(bytes)), prefix);
}

size_t
proc_find_below(pid_t root, const char *prefix, pid_t *pids_r, size_t max)
{
	const struct dirent *entry;
	struct err err;
	uint64_t pid;
	size_t n = 0;
	DIR *d = opendir("/proc");

	while (d != NULL && n < max && (entry = readdir(d)) != NULL)
		if (str_to_u64(entry->d_name, 1, INT32_MAX, &pid, &err) &&
		    is_below((pid_t)pid, root) && title_starts((pid_t)pid, prefix))
			pids_r[n++] = (pid_t)pid;
	if (d != NULL)
		closedir(d);
	return n;
}
