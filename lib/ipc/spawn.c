#include "lib/ipc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/ipc/ipc.h"

extern char **environ;

/* What peerd itself was told in its environment is nobody else's business. */
static const char *const secret_names[] = { "PEERD_PASSWORD=", "PEERD_CATALOG_KEY=" };

static bool
environ_is_secret(const char *entry)
{
	for (size_t i = 0; i < sizeof(secret_names) / sizeof(secret_names[0]); i++)
		if (str_starts(entry, secret_names[i]))
			return true;
	return false;
}

/* The environment without secrets; the entries stay where they are. */
static char **
environ_for_worker(void)
{
	size_t n = 0, kept = 0;
	char **env;

	while (environ != NULL && environ[n] != NULL)
		n++;
	env = xcalloc(n + 1, sizeof(*env));
	for (size_t i = 0; i < n; i++)
		if (!environ_is_secret(environ[i]))
			env[kept++] = environ[i];
	return env;
}

/* Put fd at number `to`, open across exec. */
static bool
child_place_fd(int fd, int to)
{
	if (fd == to)
		return fcntl(fd, F_SETFD, 0) == 0;
	return dup2(fd, to) == to;
}

/* In the child, before exec: only async-signal-safe calls. */
static void __attribute__((noreturn))
child_exec(const char *path, char *const argv[], char *const env[], int channel)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* the terminal's Ctrl-C is for the daemon, which then stops its workers in order */
	setpgid(0, 0);
	if (null >= 0 && dup2(null, STDIN_FILENO) == STDIN_FILENO &&
	    dup2(STDERR_FILENO, STDOUT_FILENO) == STDOUT_FILENO &&
	    child_place_fd(channel, IPC_FD)) {
		close_range(IPC_FD + 1, ~0u, 0);
		signal(SIGPIPE, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execve(path, argv, env);
	}
	_exit(127);
}

/* fork with every signal blocked, so that no handler of ours runs in the child. */
static pid_t
fork_and_exec(const char *path, char *const argv[], char *const env[], int channel)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		child_exec(path, argv, env, channel);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

bool
spawn_worker(const char *path, const char *role, const char *name, pid_t *pid_r, int *fd_r,
    struct err *err)
{
	char *const argv[] = { (char *)"peerd-worker", (char *)role, (char *)name, NULL };
	char **env;
	int fds[2];
	pid_t pid;

	if (access(path, X_OK) != 0)
		return err_set(err, ERR_TRANSIENT, "could not start worker \"%s\": %s", path,
		    strerror(errno));
	if (!fd_socketpair(fds, err))
		return false;
	env = environ_for_worker();
	pid = fork_and_exec(path, argv, env, fds[1]);
	free(env);
	fd_close(&fds[1]);
	if (pid < 0) {
		fd_close(&fds[0]);
		return err_set(err, ERR_TRANSIENT, "could not start a worker process: %s",
		    strerror(errno));
	}
	*pid_r = pid;
	*fd_r = fds[0];
	return true;
}
