#include "lib/control/supervisor.h"

#include <event2/event.h>
#include <signal.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/ipc/ipc.h"
#include "lib/ipc/spawn.h"

#define STUCK_MS 2000 /* from a closed channel to the exit */

struct child {
	TAILQ_ENTRY(child) entry;
	struct supervisor *sup;
	pid_t pid;
	struct ipc *ch; /* NULL: closed */
	struct child_owner owner;
	struct event *deadline;
	const char *deadline_words;
	struct event *ladder;
	bool term_sent;
	bool reaped;
	bool disowned;
	struct child_end end;
};

struct supervisor {
	struct event_base *base;
	const char *worker_path;
	struct event *sigchld;
	TAILQ_HEAD(, child) children;
	void (*on_none)(void *arg);
	void *on_none_arg;
};

static struct timeval
ms_timeval(int ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };
}

static void
timer_set(struct event *ev, int ms)
{
	struct timeval tv = ms_timeval(ms);

	evtimer_add(ev, &tv);
}

/* ---- the end of a child */

static void
child_free(struct child *c)
{
	TAILQ_REMOVE(&c->sup->children, c, entry);
	ipc_free(&c->ch);
	event_free(c->deadline);
	event_free(c->ladder);
	free(c);
}

static void
child_describe_exit(struct child_end *end)
{
	int code = WEXITSTATUS(end->status);

	if (WIFSIGNALED(end->status))
		err_set(&end->why, ERR_BUG, "worker was killed by signal %d (%s)",
		    WTERMSIG(end->status), strsignal(WTERMSIG(end->status)));
	else if (code == EX_OSERR)
		err_set(&end->why, ERR_BUG, "worker ran out of memory");
	else if (code == 127)
		err_set(&end->why, ERR_TRANSIENT, "worker could not be executed");
	else if (code != 0)
		err_set(&end->why, ERR_BUG, "worker exited with status %d", code);
}

/* Reaped, and all that it said is delivered. */
static void
child_finish(struct child *c)
{
	struct supervisor *sup = c->sup;

	if (c->end.why.code == ERR_NONE)
		child_describe_exit(&c->end);
	if (!c->disowned)
		c->owner.on_end(c->owner.arg, &c->end);
	child_free(c);
	if (TAILQ_EMPTY(&sup->children) && sup->on_none != NULL)
		sup->on_none(sup->on_none_arg);
}

static void
child_on_close(void *arg, const struct err *why)
{
	struct child *c = arg;

	if (c->reaped) {
		ipc_free(&c->ch);
		child_finish(c);
		return;
	}
	if (why->code != ERR_NONE)
		child_kill(c, why->code, why->msg);
	else if (!c->end.stopping)
		timer_set(c->ladder, STUCK_MS);
	ipc_free(&c->ch);
}

static void
child_reap(struct child *c)
{
	if (c->reaped || waitpid(c->pid, &c->end.status, WNOHANG) != c->pid)
		return;
	c->reaped = true;
	event_del(c->deadline);
	event_del(c->ladder);
	if (c->ch == NULL)
		child_finish(c);
	else /* its last words are still to be read; a grandchild may hold it open */
		timer_set(c->ladder, STUCK_MS);
}

static void
supervisor_on_sigchld(evutil_socket_t sig, short what, void *arg)
{
	struct supervisor *sup = arg;
	struct child *c, *next;

	(void)sig;
	(void)what;
	for (c = TAILQ_FIRST(&sup->children); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		child_reap(c);
	}
}

/* ---- deadlines and the ladder */

static void
child_signal(struct child *c, int sig)
{
	if (!c->reaped)
		kill(c->pid, sig); /* not reaped, so the number is still its own */
}

void
child_kill(struct child *c, enum err_code code, const char *words)
{
	if (c->end.why.code == ERR_NONE)
		err_set(&c->end.why, code, "%s", words);
	c->end.killed = true;
	event_del(c->deadline);
	child_signal(c, SIGKILL);
	ipc_free(&c->ch); /* what it still says does not count */
}

static void
child_on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	(void)fd;
	(void)what;
	child_kill(c, ERR_TIMEOUT, c->deadline_words);
}

static void
child_on_ladder(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	(void)fd;
	(void)what;
	if (c->reaped) {
		ipc_free(&c->ch);
		child_finish(c);
	} else if (!c->term_sent) {
		c->term_sent = true;
		child_signal(c, SIGTERM);
		timer_set(c->ladder, CHILD_TERM_MS);
	} else {
		child_kill(c, ERR_TIMEOUT, "worker did not stop and was killed");
	}
}

void
child_set_deadline(struct child *c, int ms, const char *words)
{
	c->deadline_words = words;
	if (ms > 0)
		timer_set(c->deadline, ms);
	else
		event_del(c->deadline);
}

void
child_stop(struct child *c, int grace_ms)
{
	if (c->reaped || c->term_sent)
		return;
	c->end.stopping = true;
	event_del(c->deadline);
	timer_set(c->ladder, grace_ms);
}

void
child_release(struct child **cp, int grace_ms)
{
	struct child *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	c->disowned = true;
	ipc_free(&c->ch);
	if (!c->reaped)
		child_stop(c, grace_ms);
}

/* ---- starting */

struct child *
child_start(struct supervisor *sup, const char *role, const char *name, uint64_t generation,
    const struct child_owner *owner, struct err *err)
{
	struct ipc_callbacks cb = { owner->handlers, child_on_close, NULL, NULL };
	struct child *c;
	pid_t pid;
	int fd;

	if (!spawn_worker(sup->worker_path, role, name, &pid, &fd, err))
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->sup = sup;
	c->pid = pid;
	c->owner = *owner;
	cb.arg = c;
	c->ch = ipc_new(sup->base, fd, generation, &cb);
	c->deadline = evtimer_new(sup->base, child_on_deadline, c);
	c->ladder = evtimer_new(sup->base, child_on_ladder, c);
	TAILQ_INSERT_TAIL(&sup->children, c, entry);
	child_set_deadline(c, CHILD_HELLO_MS, "worker did not say hello");
	return c;
}

void *
child_owner_arg(const struct child *c)
{
	return c->owner.arg;
}

struct ipc *
child_channel(struct child *c)
{
	return c->ch;
}

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

/* ---- the supervisor */

struct supervisor *
supervisor_new(struct event_base *base, const char *worker_path)
{
	struct supervisor *sup = xcalloc(1, sizeof(*sup));

	sup->base = base;
	sup->worker_path = worker_path;
	TAILQ_INIT(&sup->children);
	sup->sigchld = evsignal_new(base, SIGCHLD, supervisor_on_sigchld, sup);
	event_add(sup->sigchld, NULL);
	return sup;
}

void
supervisor_on_none(struct supervisor *sup, void (*on_none)(void *arg), void *arg)
{
	sup->on_none = on_none;
	sup->on_none_arg = arg;
	if (on_none != NULL && TAILQ_EMPTY(&sup->children))
		on_none(arg);
}

void
supervisor_free(struct supervisor **supp)
{
	struct supervisor *sup = *supp;
	struct child *c;

	*supp = NULL;
	if (sup == NULL)
		return;
	while ((c = TAILQ_FIRST(&sup->children)) != NULL) {
		child_signal(c, SIGKILL);
		if (!c->reaped)
			waitpid(c->pid, NULL, 0);
		child_free(c);
	}
	event_free(sup->sigchld);
	free(sup);
}
