/*
 * metrics - numbers about peerd, as Prometheus text
 *
 * METRICS is the one list of families. Nothing is stored here: at each scrape
 * every source is asked and calls metrics_add() for each of its samples, in
 * any order; the registry sorts them by family. Counters are kept by whom they
 * belong to and start at zero with the daemon.
 *
 *	metrics_add(m, METRIC_MIRROR_LAG_BYTES, 12, "mirror", name, NULL);
 */
#ifndef PEERD_CONTROL_METRICS_H
#define PEERD_CONTROL_METRICS_H

#include <stdint.h>

struct buf;
struct http_server;
struct metrics;
struct metrics_registry;
struct service;

/* X(NAME, type, exposed name, help) */
#define METRICS(X)                                                                             \
	X(BUILD_INFO, gauge, "peerd_build_info", "Always 1; the version is in the labels")     \
	X(READY, gauge, "peerd_ready", "Whether the service takes calls")                      \
	X(UPTIME, gauge, "peerd_uptime_seconds", "Since the start of the daemon")              \
	X(START_TIME, gauge, "process_start_time_seconds", "Start of the daemon, Unix time")   \
	X(CPU, counter, "process_cpu_seconds_total", "User and system time of the daemon")     \
	X(RSS, gauge, "process_resident_memory_bytes", "Resident memory of the daemon")        \
	X(FDS, gauge, "process_open_fds", "Open file descriptors of the daemon")               \
	X(HTTP_REQUESTS, counter, "peerd_http_requests_total", "HTTP answers by status")       \
	X(HTTP_CONNECTIONS, gauge, "peerd_http_connections", "Open HTTP connections")          \
	X(PEERS, gauge, "peerd_peers", "Peers in the catalog")                                 \
	X(MIRROR_STATE, gauge, "peerd_mirror_state", "1 for the state the mirror is in")       \
	X(MIRROR_TROUBLE, gauge, "peerd_mirror_in_trouble",                                    \
	    "1 while an error is retried or the mirror has failed")                            \
	X(MIRROR_LAG_BYTES, gauge, "peerd_mirror_lag_bytes",                                   \
	    "WAL of the source not yet durable on the destination")                            \
	X(MIRROR_LAG_SECONDS, gauge, "peerd_mirror_lag_seconds",                               \
	    "Age of the newest change when it became durable")                                 \
	X(MIRROR_RATE, gauge, "peerd_mirror_rows_per_second", "Changes applied, recent rate")  \
	X(MIRROR_ROWS, counter, "peerd_mirror_rows_total", "Changes applied")                  \
	X(MIRROR_ROWS_LOADED, counter, "peerd_mirror_snapshot_rows_total",                     \
	    "Rows loaded by the snapshot")                                                     \
	X(MIRROR_TABLE_ROWS, counter, "peerd_mirror_table_rows_total",                         \
	    "Changes applied by destination table and operation")                              \
	X(MIRROR_BATCHES, counter, "peerd_mirror_batches_total", "Batches applied")            \
	X(MIRROR_LSN, gauge, "peerd_mirror_confirmed_lsn", "Position confirmed to the source") \
	X(WORKER_UP, gauge, "peerd_worker_up", "1 while the mirror's worker runs")             \
	X(WORKER_RESTARTS, counter, "peerd_worker_restarts_total", "Restarts of the worker")   \
	X(WORKER_RSS, gauge, "peerd_worker_resident_memory_bytes",                             \
	    "Resident memory of the worker")                                                   \
	X(WORKER_CPU, counter, "peerd_worker_cpu_seconds_total",                               \
	    "User and system time of the worker")

enum metric {
#define X(name, type, exposed, help) METRIC_##name,
	METRICS(X)
#undef X
	METRIC_COUNT
};

typedef void metrics_source_fn(struct metrics *m, void *arg);

/* Knows one source from the start: the process itself. */
struct metrics_registry *metrics_registry_new(void);
void metrics_registry_free(struct metrics_registry **r);
void metrics_registry_add(struct metrics_registry *r, metrics_source_fn *source, void *arg);
void metrics_registry_remove(struct metrics_registry *r, metrics_source_fn *source, void *arg);

/* Ask every source and write the text. */
void metrics_print(const struct metrics_registry *r, struct buf *out);

/* In a source. Labels: name and value in turn, then NULL. A value that is not UTF-8 is dropped. */
void metrics_add(struct metrics *m, enum metric id, double value, ...) __attribute__((sentinel));

/* ---- sources */

/* When the process started, by both clocks. */
struct metrics_start {
	int64_t mono_us;
	int64_t wall_us;
};

metrics_source_fn metrics_of_process; /* arg: const struct metrics_start */
metrics_source_fn metrics_of_service; /* arg: struct service */
metrics_source_fn metrics_of_http;    /* arg: struct http_server */

#endif
