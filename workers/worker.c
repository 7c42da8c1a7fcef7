#include "workers/worker.h"

#include <signal.h>
#include <stdarg.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/base/proctitle.h"
#include "lib/sink/dest.h"
#include "workers/drop.h"
#include "workers/resync.h"
#include "workers/setup.h"

#define CONNECT_TIMEOUT (30 * USEC_PER_SEC)
#define FLUSH_MS	2000

/* ---- ends */

static void
send_failed(struct worker *w, const struct err *err)
{
	PeerdWorker__Failed msg = PEERD_WORKER__FAILED__INIT;
	PeerdWorker__Error packed = PEERD_WORKER__ERROR__INIT;

	ipc_error_pack(err, &packed);
	msg.error = &packed;
	ipc_send(w->ipc, IPC_FAILED, 0, &msg);
	ipc_flush(w->ipc, FLUSH_MS);
}

/* The exit status is for people who look at the daemon's log; FAILED says it all. */
static int
exit_status(enum err_code code)
{
	switch (err_policy(code)) {
	case ERR_POLICY_RETRY:
		return EX_TEMPFAIL;
	case ERR_POLICY_USER:
		return EX_CONFIG;
	case ERR_POLICY_BOUNDED:
		return EX_SOFTWARE;
	default:
		return EX_OK;
	}
}

void
worker_exit_failed(struct worker *w, const struct err *err)
{
	if (w->stopping)
		worker_exit_done(w);
	send_failed(w, err);
	_exit(exit_status(err->code));
}

void
worker_exit_done(struct worker *w)
{
	PeerdWorker__Drained msg = PEERD_WORKER__DRAINED__INIT;

	if (w->pause)
		ipc_send(w->ipc, IPC_DRAINED, 0, &msg);
	ipc_flush(w->ipc, FLUSH_MS);
	_exit(EX_OK);
}

/* ---- what others ask for */

bool
worker_connect(struct worker *w, bool source, enum pgconn_mode mode, struct pgconn **c_r,
    struct err *err)
{
	const PeerdbPeers__Peer *peer = source ? w->config->source : w->config->destination;
	char what[96];

	snprintf(what, sizeof(what), "peerd_%s", w->config->mirror->flow_job_name);
	if (pgconn_open(peer->postgres_config, what, mode, CONNECT_TIMEOUT, &w->intr, c_r, err))
		return true;
	return err_context(err, "%s peer \"%s\"", source ? "source" : "destination", peer->name);
}

bool
worker_open_dest(struct worker *w, struct dest **d_r, struct err *err)
{
	const struct dest_config cfg = {
		.peer = w->config->destination,
		.mirror = w->config->mirror,
		.what = arena_printf(w->mirror, "peerd_%s", w->config->mirror->flow_job_name),
		.timeout = CONNECT_TIMEOUT,
		.intr = &w->intr,
	};

	return dest_open(&cfg, d_r, err) ||
	    err_context(err, "destination peer \"%s\"", cfg.peer->name);
}

void
worker_log(struct worker *w, enum log_level level, const char *fmt, ...)
{
	PeerdWorker__LogLine msg = PEERD_WORKER__LOG_LINE__INIT;
	char words[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	msg.level = (char *)log_level_name(level);
	msg.message = words;
	ipc_send(w->ipc, IPC_LOG_LINE, 0, &msg);
}

void
worker_set_tables(struct worker *w, PeerdWorker__MirrorTable **defs, size_t n)
{
	size_t i;

	w->ntables = (uint32_t)n;
	w->tables = arena_zalloc(w->mirror, (n + 1) * sizeof(struct table *));
	for (i = 0; i < n; i++)
		w->tables[i] = table_new(w->mirror, (uint32_t)i, defs[i]);
}

PeerdWorker__MirrorTable **
worker_defs(const struct worker *w)
{
	PeerdWorker__MirrorTable **defs = xcalloc(w->ntables, sizeof(*defs));
	uint32_t i;

	for (i = 0; i < w->ntables; i++)
		defs[i] = (PeerdWorker__MirrorTable *)w->tables[i]->def;
	return defs;
}

void
worker_table_state(struct worker *w, const struct table *t, PeerdWorker__TableState state,
    const struct err *err)
{
	PeerdWorker__TableStateChange msg = PEERD_WORKER__TABLE_STATE_CHANGE__INIT;
	PeerdWorker__Error packed = PEERD_WORKER__ERROR__INIT;

	msg.source = (char *)t->source_label;
	msg.has_state = true;
	msg.state = state;
	if (err != NULL) {
		ipc_error_pack(err, &packed);
		msg.error = &packed;
	}
	ipc_send(w->ipc, IPC_TABLE_STATE, 0, &msg);
}

void
worker_stop_table(struct worker *w, struct table *t, const struct err *why)
{
	table_stop(w->mirror, t, why);
	worker_table_state(w, t, PEERD_WORKER__TABLE_STATE__TABLE_ERROR, why);
}

void
worker_title(struct worker *w, const char *state)
{
	proctitle_set("peerd-worker: mirror %s %s", w->config->mirror->flow_job_name, state);
}

/* ---- phases */

/*
 * Run the loop until someone breaks it. Waiting calls made from its callbacks
 * cannot run it again, so while it runs they do not listen to the daemon.
 */
static void
run_loop(struct worker *w)
{
	w->intr.fd = -1;
	event_base_dispatch(w->loop);
	w->intr.fd = IPC_FD;
}

static void
stream(struct worker *w)
{
	struct err err = ERR_INIT;
	uint32_t i;

	worker_title(w, "RUNNING");
	if (!cdc_start(w, &err))
		worker_exit_failed(w, &err);
	for (i = 0; i < w->ntables; i++)
		if (!w->tables[i]->stopped)
			worker_table_state(w, w->tables[i],
			    PEERD_WORKER__TABLE_STATE__TABLE_RUNNING, NULL);
	run_loop(w);
}

void
worker_snapshot_done(struct worker *w, lsn_t lsn)
{
	PeerdWorker__SnapshotDone msg = PEERD_WORKER__SNAPSHOT_DONE__INIT;

	msg.has_lsn = true;
	msg.lsn = lsn;
	ipc_send(w->ipc, IPC_SNAPSHOT_DONE, 0, &msg);
	w->snapshot = NULL;
	if (w->config->mirror->initial_snapshot_only || w->stopping)
		worker_exit_done(w);
	event_base_loopbreak(w->loop);
}

static void
load(struct worker *w)
{
	struct err err = ERR_INIT;

	worker_title(w, "SNAPSHOT");
	if (!snapshot_start(w, &err))
		worker_exit_failed(w, &err);
	if (w->snapshot != NULL)
		run_loop(w);
}

static void
set_up(struct worker *w)
{
	struct setup s = { .config = w->config };
	PeerdWorker__SetupDone *done = NULL;
	struct err err = ERR_INIT;

	worker_title(w, "SETUP");
	if (!worker_connect(w, true, PGCONN_PLAIN, &s.src, &err) ||
	    !worker_open_dest(w, &s.dst, &err) ||
	    (w->config->mirror->resync && !resync_clear(s.dst, w->config->mirror, &err)) ||
	    !setup_run(&s, &done, &err))
		worker_exit_failed(w, &err);
	pgconn_close(&s.src);
	dest_close(&s.dst);
	ipc_send(w->ipc, IPC_SETUP_DONE, 0, done);
	worker_set_tables(w, done->tables, done->n_tables); /* done lives on */
}

static void
drop(struct worker *w)
{
	PeerdWorker__Dropped msg = PEERD_WORKER__DROPPED__INIT;
	struct err err = ERR_INIT;

	worker_title(w, "TERMINATING");
	if (!drop_run(w->config, &w->intr, &err))
		worker_exit_failed(w, &err);
	ipc_send(w->ipc, IPC_DROPPED, 0, &msg);
	worker_exit_done(w);
}

/* Changes are read from Postgres only. */
static void
demand_postgres(struct worker *w)
{
	struct err err = ERR_INIT;

	if (w->source != NULL)
		return;
	err_set(&err, ERR_UNIMPLEMENTED, "source peer \"%s\" is not a Postgres peer",
	    w->config->source->name);
	worker_exit_failed(w, &err);
}

static void
begin(struct worker *w)
{
	PeerdWorker__Ready ready = PEERD_WORKER__READY__INIT;
	struct err err = ERR_INIT;
	bool set_up_needed;

	ipc_send(w->ipc, IPC_READY, 0, &ready);
	demand_postgres(w);
	if (!resync_begin(w->config, &err))
		worker_exit_failed(w, &err);
	if (w->config->task == PEERD_WORKER__TASK__TASK_DROP)
		drop(w);
	set_up_needed = w->config->phase == PEERDB_FLOW__FLOW_STATUS__STATUS_SETUP;
	if (set_up_needed)
		set_up(w);
	else
		worker_set_tables(w, w->config->tables, w->config->n_tables);
	if (w->stopping)
		worker_exit_done(w);
	if (w->config->phase != PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING &&
	    (!set_up_needed || w->config->mirror->do_initial_snapshot))
		load(w);
	stream(w);
}

/* ---- the daemon's messages */

/* The work starts when the loop has been left: it runs the loop itself. */
static void
on_config(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	struct worker *w = arg;
	uint8_t *packed;
	size_t n;

	if (w->config != NULL)
		return;
	n = protobuf_c_message_get_packed_size(msg);
	packed = xmalloc(n);
	protobuf_c_message_pack(msg, packed);
	w->config = peerd_worker__config__unpack(NULL, n, packed);
	mem_wipe(packed, n);
	free(packed);
	if (w->config == NULL || w->config->mirror == NULL || w->config->source == NULL ||
	    w->config->destination == NULL)
		bug("incomplete configuration");
	if (w->config->source->config_case == PEERDB_PEERS__PEER__CONFIG_POSTGRES_CONFIG)
		w->source = w->config->source->postgres_config;
	event_base_loopbreak(w->loop);
}

static void
on_stop(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	const PeerdWorker__Stop *stop = (const PeerdWorker__Stop *)msg;
	struct worker *w = arg;

	w->stopping = true;
	w->pause = stop->pause;
	if (w->cdc != NULL)
		cdc_stop(w->cdc);
	else if (w->snapshot != NULL || w->config == NULL)
		worker_exit_done(w); /* an interrupted snapshot starts over */
}

/* Nobody is left to work for; what is not durable will be sent again to a successor. */
static void
on_close(void *arg, const struct err *why)
{
	_exit(EX_OK);
}

static const struct ipc_handler handlers[] = {
	{ IPC_CONFIG, on_config },
	{ IPC_STOP, on_stop },
	{ 0, NULL },
};

/* Called while pgconn waits: hear the daemon out, then say whether to go on. */
static bool
hear_daemon(void *arg)
{
	struct worker *w = arg;

	event_base_loop(w->loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	return !w->stopping;
}

/* libevent rounds timers up to milliseconds unless asked for better. */
static struct event_base *
new_loop(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *loop;

	event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER);
	loop = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (loop == NULL)
		bug("no event loop");
	return loop;
}

static void
on_sigterm(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	w->stopping = true;
	if (w->cdc != NULL)
		cdc_stop(w->cdc);
	else
		worker_exit_done(w);
}

int
worker_main(const char *mirror)
{
	PeerdWorker__Hello hello = PEERD_WORKER__HELLO__INIT;
	static struct worker w;
	struct ipc_callbacks cb = { .handlers = handlers, .on_close = on_close, .arg = &w };

	signal(SIGPIPE, SIG_IGN);
	w.loop = new_loop();
	w.mirror = arena_new(64 * KIB);
	snprintf(w.subject.text, sizeof(w.subject.text), "mirror=%s pid=%d", mirror, (int)getpid());
	w.ipc = ipc_new(w.loop, IPC_FD, 0, &cb);
	w.intr = (struct pgconn_interrupt){ .fd = IPC_FD, .check = hear_daemon, .arg = &w };
	event_add(evsignal_new(w.loop, SIGTERM, on_sigterm, &w), NULL);
	hello.version = (char *)PEERD_VERSION;
	hello.has_pid = true;
	hello.pid = (int32_t)getpid();
	ipc_send(w.ipc, IPC_HELLO, 0, &hello);
	run_loop(&w);
	begin(&w);
	return EX_OK;
}
