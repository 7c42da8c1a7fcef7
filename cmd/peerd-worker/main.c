/*
 * peerd-worker - what talks to databases; started by peerd, not by hand
 *
 *	peerd-worker mirror NAME	run a mirror
 *	peerd-worker snapshot NAME	load partitions for a mirror
 *	peerd-worker probe		answer one question about a database
 *
 * Everything else comes over the channel on fd 3 (lib/ipc/ipc.h).
 */
#include <sysexits.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/proctitle.h"
#include "workers/probe.h"
#include "workers/worker.h"

static int
run_probe(const char *name)
{
	(void)name;
	return probe_main();
}

static const struct {
	const char *name;
	bool wants_mirror;
	int (*run)(const char *mirror);
} roles[] = {
	{ "mirror", true, worker_main },
	{ "snapshot", true, snapshot_worker_main },
	{ "probe", false, run_probe },
};

static int
usage(void)
{
	fprintf(stderr,
	    "usage: peerd-worker mirror NAME | snapshot NAME | probe\n"
	    "Started by peerd, with a channel on file descriptor 3.\n");
	return EX_USAGE;
}

static int
print_version(void)
{
	printf("peerd-worker %s\n", PEERD_VERSION);
	return 0;
}

/* The arguments' memory becomes the process title, so the name is kept apart. */
static int
run_role(size_t role, int argc, char **argv)
{
	char *mirror = roles[role].wants_mirror ? xstrdup(argv[2]) : NULL;
	int status;

	proctitle_init(argc, argv);
	log_set_program("peerd-worker");
	status = roles[role].run(mirror);
	free(mirror);
	return status;
}

int
main(int argc, char **argv)
{
	const char *role = argc > 1 ? argv[1] : "";
	size_t i;

	if (strcmp(role, "--version") == 0)
		return print_version();
	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (strcmp(roles[i].name, role) == 0 && argc == (roles[i].wants_mirror ? 3 : 2))
			return run_role(i, argc, argv);
	return usage();
}
