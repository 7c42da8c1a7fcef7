/*
 * Where the numbers come from: this process, the service, the HTTP server.
 */
#include <dirent.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/control/http_server.h"
#include "lib/control/metrics.h"
#include "lib/control/service.h"
#include "lib/wire/pbjson.h"

/* ---- this process */

static double
seconds(usec_t us)
{
	return (double)us / (double)USEC_PER_SEC;
}

/* 0 where /proc cannot tell. */
static double
resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long total, resident = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%ld %ld", &total, &resident) != 2)
		resident = 0;
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static int
open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -3; /* ".", ".." and the directory's own */

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static double
cpu_seconds(void)
{
	struct rusage ru;

	if (getrusage(RUSAGE_SELF, &ru) == -1)
		return 0;
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

void
metrics_of_process(struct metrics *m, void *arg)
{
	const struct metrics_start *start = arg;

	metrics_add(m, METRIC_BUILD_INFO, 1, "version", PEERD_VERSION, NULL);
	metrics_add(m, METRIC_UPTIME, seconds(clock_mono_us() - start->mono_us), NULL);
	metrics_add(m, METRIC_START_TIME, seconds(start->wall_us), NULL);
	metrics_add(m, METRIC_CPU, cpu_seconds(), NULL);
	metrics_add(m, METRIC_RSS, resident_bytes(), NULL);
	metrics_add(m, METRIC_FDS, open_fds(), NULL);
}

/* ---- the service */

static const char *
state_name(int state)
{
	return pbjson_enum_name(&peerdb_flow__flow_status__descriptor, state);
}

static void
add_worker(struct metrics *m, const struct service_mirror *mi)
{
	metrics_add(m, METRIC_WORKER_UP, mi->worker_pid != 0, "mirror", mi->name, NULL);
	metrics_add(m, METRIC_WORKER_RESTARTS, (double)mi->restarts, "mirror", mi->name, NULL);
	if (mi->worker_pid == 0)
		return;
	metrics_add(m, METRIC_WORKER_RSS, (double)mi->worker_rss_bytes, "mirror", mi->name, NULL);
	metrics_add(m, METRIC_WORKER_CPU, seconds(mi->worker_cpu_us), "mirror", mi->name, NULL);
}

static void
add_mirror(const struct service_mirror *mi, void *arg)
{
	struct metrics *m = arg;
	const char *name = mi->name;

	metrics_add(m, METRIC_MIRROR_STATE, 1, "mirror", name, "source", mi->source, "destination",
	    mi->destination, "state", state_name(mi->state), NULL);
	metrics_add(m, METRIC_MIRROR_TROUBLE, mi->in_trouble, "mirror", name, NULL);
	if (mi->lag_bytes != -1)
		metrics_add(m, METRIC_MIRROR_LAG_BYTES, (double)mi->lag_bytes, "mirror", name,
		    NULL);
	if (mi->lag_us != -1)
		metrics_add(m, METRIC_MIRROR_LAG_SECONDS, seconds(mi->lag_us), "mirror", name,
		    NULL);
	metrics_add(m, METRIC_MIRROR_RATE, mi->rows_per_second, "mirror", name, NULL);
	metrics_add(m, METRIC_MIRROR_ROWS, (double)mi->rows_synced, "mirror", name, NULL);
	metrics_add(m, METRIC_MIRROR_ROWS_LOADED, (double)mi->rows_loaded, "mirror", name, NULL);
	metrics_add(m, METRIC_MIRROR_BATCHES, (double)mi->batches, "mirror", name, NULL);
	metrics_add(m, METRIC_MIRROR_LSN, (double)mi->confirmed_lsn, "mirror", name, NULL);
	add_worker(m, mi);
}

static void
add_table(const struct service_table *t, void *arg)
{
	const struct {
		const char *op;
		int64_t rows;
	} ops[] = { { "insert", t->inserts }, { "update", t->updates }, { "delete", t->deletes } };

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		metrics_add(arg, METRIC_MIRROR_TABLE_ROWS, (double)ops[i].rows, "mirror", t->mirror,
		    "table", t->destination, "op", ops[i].op, NULL);
}

void
metrics_of_service(struct metrics *m, void *arg)
{
	struct service *svc = arg;

	metrics_add(m, METRIC_READY, service_is_ready(svc), NULL);
	metrics_add(m, METRIC_PEERS, service_peer_count(svc), NULL);
	service_each_mirror(svc, add_mirror, m);
	service_each_table(svc, add_table, m);
}

/* ---- the HTTP server */

static void
add_status(void *arg, int status, uint64_t count)
{
	char code[12];

	snprintf(code, sizeof(code), "%d", status);
	metrics_add(arg, METRIC_HTTP_REQUESTS, (double)count, "code", code, NULL);
}

void
metrics_of_http(struct metrics *m, void *arg)
{
	const struct http_server *s = arg;

	metrics_add(m, METRIC_HTTP_CONNECTIONS, http_server_connections(s), NULL);
	http_server_each_status(s, add_status, m);
}
