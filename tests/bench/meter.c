#include "tests/bench/meter.h"

#include <sys/resource.h>
#include <stdbool.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "tests/harness/fail.h"
#include "tests/harness/proc.h"

#define TICK_MS	    50
#define SEEN_MAX    512
#define DEPTH_MAX   3 /* daemon, mirror worker, snapshot worker */
#define KIB_PER_MIB 1024.0

enum tree {
	TREE_SOURCE,
	TREE_DESTINATION,
	TREE_ENGINE,
	TREE_DAEMON,
	TREE_COUNT
};

struct seen {
	pid_t pid;
	enum tree tree;
	bool counted;
	double base, last;
	long peak_kb;
};

struct meter {
	pid_t roots[TREE_COUNT];
	struct seen seen[SEEN_MAX];
	size_t n;
	bool begun;
	usec_t ticked;
	double machine;
};

struct meter *
meter_new(struct meter_roots roots)
{
	struct meter *m = xcalloc(1, sizeof(*m));

	m->roots[TREE_SOURCE] = roots.source;
	m->roots[TREE_DESTINATION] = roots.destination;
	m->roots[TREE_DAEMON] = roots.daemon;
	return m;
}

void
meter_free(struct meter **m)
{
	MEM_FREE(*m);
}

double
cpu_self(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / USEC_PER_SEC;
}

/* Busy time of all cores: user, nice, system, irq, softirq. */
static double
cpu_machine(void)
{
	unsigned long long t[7] = { 0 };
	FILE *f = fopen("/proc/stat", "re");

	if (f == NULL ||
	    fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3], &t[4],
		&t[5], &t[6]) != 7)
		test_fail("could not read /proc/stat");
	fclose(f);
	return (double)(t[0] + t[1] + t[2] + t[5] + t[6]) / (double)sysconf(_SC_CLK_TCK);
}

static double
cores(void)
{
	return (double)sysconf(_SC_NPROCESSORS_ONLN);
}

double
usage_least_seconds(const struct usage *u)
{
	return (u->source + u->destination + u->worker + u->daemon + u->engine) / cores();
}

double
usage_busy(const struct usage *u, double seconds)
{
	return seconds > 0 ? 100 * u->machine / cores() / seconds : 0;
}

/* A server's title after "postgres: " says what it is; these are nobody's work in particular. */
static bool
is_background(pid_t pid)
{
	static const char *const titles[] = {
		"checkpointer",
		"background writer",
		"walwriter",
		"autovacuum",
		"stats collector",
		"logical replication launcher",
		"archiver",
		"io worker",
	};
	char path[64], title[128] = "";
	const char *what;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	what = fgets(title, sizeof(title), f) != NULL ? strstr(title, ": ") : NULL;
	fclose(f);
	for (size_t i = 0; what != NULL && i < sizeof(titles) / sizeof(*titles); i++)
		if (str_starts(what + 2, titles[i]))
			return true;
	return false;
}

static struct seen *
find(struct meter *m, pid_t pid, enum tree tree)
{
	struct seen *s;

	for (size_t i = 0; i < m->n; i++)
		if (m->seen[i].pid == pid)
			return &m->seen[i];
	if (m->n == SEEN_MAX)
		test_fail("more than %d processes in one measurement", SEEN_MAX);
	s = &m->seen[m->n++];
	*s = (struct seen){ .pid = pid, .tree = tree, .counted = m->begun };
	return s;
}

/* These two work themselves, the other roots only start others. */
static bool
is_worker_root(const struct meter *m, pid_t pid)
{
	return pid == m->roots[TREE_DAEMON] || pid == m->roots[TREE_ENGINE];
}

static void
look_at(struct meter *m, pid_t pid, enum tree tree)
{
	struct seen *s = find(m, pid, tree);
	double cpu;

	if (m->begun && !s->counted && !is_worker_root(m, pid))
		return;
	if ((tree == TREE_SOURCE || tree == TREE_DESTINATION) && is_background(pid)) {
		s->counted = false;
		return;
	}
	cpu = proc_cpu_seconds(pid);
	if (cpu < 0)
		return;
	s->last = cpu;
	if (!m->begun)
		s->base = cpu;
	if (tree == TREE_DAEMON && pid != m->roots[TREE_DAEMON]) {
		long kb = proc_rss_kb(pid, true);

		s->peak_kb = kb > s->peak_kb ? kb : s->peak_kb;
	}
}

static void
look_below(struct meter *m, pid_t pid, enum tree tree, int depth)
{
	char path[64];
	FILE *f;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	while (f != NULL && fscanf(f, "%d", &child) == 1) {
		look_at(m, child, tree);
		if (depth > 1)
			look_below(m, child, tree, depth - 1);
	}
	if (f != NULL)
		fclose(f);
}

static void
look(struct meter *m)
{
	m->ticked = clock_mono_us();
	look_below(m, m->roots[TREE_SOURCE], TREE_SOURCE, 1);
	if (m->roots[TREE_DESTINATION] != 0)
		look_below(m, m->roots[TREE_DESTINATION], TREE_DESTINATION, 1);
	if (m->roots[TREE_ENGINE] != 0)
		look_at(m, m->roots[TREE_ENGINE], TREE_ENGINE);
	if (m->roots[TREE_DAEMON] != 0) {
		look_at(m, m->roots[TREE_DAEMON], TREE_DAEMON);
		look_below(m, m->roots[TREE_DAEMON], TREE_DAEMON, DEPTH_MAX);
	}
}

void
meter_begin(struct meter *m, pid_t engine)
{
	m->roots[TREE_ENGINE] = engine;
	m->n = 0;
	m->begun = false;
	look(m);
	m->begun = true;
	m->machine = cpu_machine();
}

void
meter_tick(struct meter *m)
{
	if (clock_mono_us() - m->ticked >= TICK_MS * USEC_PER_MSEC)
		look(m);
}

static void
add_up(const struct meter *m, const struct seen *s, struct usage *u)
{
	double cpu = s->last - s->base;
	double peak = (double)s->peak_kb / KIB_PER_MIB;

	if (s->pid == m->roots[TREE_DAEMON])
		u->daemon += cpu;
	else if (s->pid == m->roots[TREE_ENGINE])
		u->engine += cpu;
	else if (!s->counted)
		return;
	else if (s->tree == TREE_SOURCE)
		u->source += cpu;
	else if (s->tree == TREE_DESTINATION)
		u->destination += cpu;
	else
		u->worker += cpu;
	if (peak > u->worker_peak_mib)
		u->worker_peak_mib = peak;
}

void
meter_end(struct meter *m, struct usage *u_r)
{
	struct usage u = { .machine = cpu_machine() - m->machine };

	look(m);
	for (size_t i = 0; i < m->n; i++)
		add_up(m, &m->seen[i], &u);
	*u_r = u;
}
