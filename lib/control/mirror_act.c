/*
 * What is done with a mirror: its worker started, drained, stopped, started
 * again after a while, sent to clean up; its rows deleted.
 */
#include <event2/event.h>
#include <sys/random.h>

#include "lib/base/str.h"
#include "lib/control/mirror.h"
#include "lib/control/service_int.h"

#define ATTEMPTS_MAX  5	    /* of what trying again rarely mends, at one checkpoint */
#define SLOW_RETRY_MS 60000 /* where somebody has to change a password or a grant */
#define PROOF_MS      60000

#define DRAIN_MS   120000 /* to finish the batch, before SIGTERM */
#define RESTART_MS 30000
#define HALT_MS	   10000

static void mirror_start_worker(struct mirror *m);

static bool
mirror_is(const struct mirror *m, mirror_state_t state)
{
	return m->state == state;
}

/* ---- timers */

static void
mirror_set_timer(struct mirror *m, struct event **ev, event_callback_fn fn, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (*ev == NULL)
		*ev = evtimer_new(m->svc->options.base, fn, m);
	evtimer_add(*ev, &tv);
}

static void
mirror_cancel_timer(struct event *ev)
{
	if (ev != NULL)
		event_del(ev);
}

static void
mirror_on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mirror_start_worker(arg);
}

static void
mirror_on_proof(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mirror_proved_healthy(arg);
}

void
mirror_proved_healthy(struct mirror *m)
{
	m->attempts = 0;
	backoff_reset(&m->backoff);
	mirror_cancel_timer(m->proof);
	if (!m->in_trouble)
		mirror_show_error(m, NULL);
}

/* ---- the end of a worker */

/* Errors that a running mirror may get over when somebody mends a right, a password, a name. */
static bool
error_may_mend(const struct mirror *m, const struct err *err)
{
	bool loaded = mirror_is(m, PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING) ||
	    mirror_is(m, PEERDB_FLOW__FLOW_STATUS__STATUS_SNAPSHOT);

	return loaded && err->code == ERR_CONFIG &&
	    (str_starts(err->sqlstate, "28") || str_starts(err->sqlstate, "08") ||
		strcmp(err->sqlstate, "42501") == 0);
}

static enum mirror_event
mirror_judge_failure(struct mirror *m, const struct err *err)
{
	switch (err_policy(err->code)) {
	case ERR_POLICY_USER:
		return error_may_mend(m, err) ? EV_DIED : EV_FAILED;
	case ERR_POLICY_BOUNDED:
		return ++m->attempts > ATTEMPTS_MAX ? EV_FAILED : EV_DIED;
	default:
		return EV_DIED;
	}
}

static enum mirror_event
mirror_judge_end(struct mirror *m, const struct child_end *end, struct err *why_r)
{
	if (m->dropped)
		return EV_DROPPED;
	*why_r = m->failed.code != ERR_NONE ? m->failed : end->why;
	if (m->state == PEERDB_FLOW__FLOW_STATUS__STATUS_COMPLETED && why_r->code == ERR_NONE)
		return EV_ENDED; /* it was done */
	if (m->asked_to_stop && (why_r->code == ERR_NONE || end->killed)) {
		if (end->killed)
			log_warn(&m->subject, "%s", end->why.msg);
		err_clear(why_r);
		return EV_ENDED;
	}
	if (why_r->code == ERR_NONE)
		err_set(why_r, ERR_BUG, "worker ended without being asked to");
	return mirror_judge_failure(m, why_r);
}

static void
mirror_forget_progress(struct mirror *m)
{
	m->lag_bytes = m->lag_us = -1;
	m->rows_per_second = 0;
	m->worker_rss = m->worker_cpu_us = 0;
}

static void
mirror_on_end(void *arg, const struct child_end *end)
{
	struct mirror *m = arg;
	struct mirror_change change = { .why = ERR_INIT };

	m->child = NULL;
	mirror_cancel_timer(m->proof);
	mirror_forget_progress(m);
	if (m->svc->stopping)
		return;
	change.event = mirror_judge_end(m, end, &change.why);
	mirror_change(m, &change);
}

/* ---- starting a worker */

static bool
mirror_may_start(const struct mirror *m)
{
	return mirror_state_has_worker(m->state) && m->child == NULL && !m->svc->stopping;
}

static void
mirror_spawn(struct mirror *m)
{
	const struct child_owner owner = { mirror_handlers, mirror_on_end, m };
	struct child_end end = { .status = 0 };

	m->asked_to_stop = m->dropped = m->in_trouble = false;
	err_clear(&m->failed);
	m->child = child_start(m->svc->sup, "mirror", m->name, m->generation, &owner, &end.why);
	if (m->child == NULL) {
		mirror_on_end(m, &end);
		return;
	}
	m->starts++;
	mirror_set_timer(m, &m->proof, mirror_on_proof, PROOF_MS);
	log_info(&m->subject, "worker started, pid %d, generation %llu", (int)child_pid(m->child),
	    (unsigned long long)m->generation);
}

/* The worker's number is stored before it lives, so no two lives ever share one. */
static void
mirror_on_generation(void *arg, const struct err *err)
{
	struct mirror *m = arg;
	struct mirror_change change = { .event = EV_DIED };

	m->starting = false;
	if (!mirror_may_start(m))
		return;
	if (err == NULL) {
		m->generation++;
		mirror_spawn(m);
		return;
	}
	change.why = *err;
	mirror_change(m, &change);
}

static void
mirror_start_worker(struct mirror *m)
{
	if (m->starting || !mirror_may_start(m))
		return;
	m->starting = true;
	catalog_mirror_set_generation(m->svc->options.catalog, m->name, m->generation + 1,
	    mirror_on_generation, m);
}

/* ---- stopping one */

static void
mirror_stop_worker(struct mirror *m, bool pause, int grace_ms)
{
	PeerdWorker__Stop stop = PEERD_WORKER__STOP__INIT;

	stop.has_pause = true;
	stop.pause = pause;
	if (child_channel(m->child) != NULL)
		ipc_send(child_channel(m->child), IPC_STOP, 0, &stop);
	m->asked_to_stop = true;
	child_stop(m->child, grace_ms);
}

void
mirror_restart_worker(struct mirror *m)
{
	mirror_cancel_timer(m->retry);
	backoff_reset(&m->backoff);
	m->attempts = 0;
	if (m->child == NULL)
		mirror_start_worker(m);
	else if (!m->asked_to_stop)
		mirror_stop_worker(m, false, RESTART_MS);
}

void
mirror_shut(struct mirror *m)
{
	mirror_cancel_timer(m->retry);
	if (m->child != NULL)
		mirror_stop_worker(m, false, HALT_MS);
}

/* ---- the actions */

static void
act_none(struct mirror *m)
{
	if (!mirror_state_has_worker(m->state))
		mirror_cancel_timer(m->retry);
}

/* A worker that is on its way out is followed by another when it has ended. */
static void
act_run(struct mirror *m)
{
	mirror_cancel_timer(m->retry);
	backoff_reset(&m->backoff);
	m->attempts = 0;
	mirror_start_worker(m);
}

static void
act_drain(struct mirror *m)
{
	mirror_cancel_timer(m->retry);
	if (m->child != NULL)
		mirror_stop_worker(m, true, DRAIN_MS);
	else
		mirror_event(m, EV_ENDED);
}

static void
act_back_off(struct mirror *m)
{
	uint32_t random = 0;
	usec_t delay;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)clock_mono_us();
	delay = backoff_next(&m->backoff, random) / USEC_PER_MSEC;
	if (err_policy(m->error.code) == ERR_POLICY_USER)
		delay = SLOW_RETRY_MS;
	mirror_set_timer(m, &m->retry, mirror_on_retry, delay);
}

/* Nothing that the worker has under way is of use any more. */
static void
act_wind_up(struct mirror *m)
{
	mirror_cancel_timer(m->retry);
	if (m->child != NULL)
		mirror_stop_worker(m, false, HALT_MS);
	else
		mirror_event(m, EV_ENDED);
}

/* First the end of the worker that replicates, then one that cleans up. */
static void
act_drop(struct mirror *m)
{
	mirror_cancel_timer(m->retry);
	backoff_reset(&m->backoff);
	if (m->child != NULL)
		mirror_stop_worker(m, false, HALT_MS);
	else
		mirror_start_worker(m);
}

static void
mirror_on_forgotten(void *arg, const struct err *err)
{
	struct mirror *m = arg;

	if (err != NULL) {
		log_error(&m->subject, "could not be deleted from the catalog: %s", err->msg);
		return;
	}
	log_info(&m->subject, "dropped");
	HASH_DEL(m->svc->mirrors, m);
	mirror_free(&m);
}

static void
act_forget(struct mirror *m)
{
	catalog_mirror_delete(m->svc->options.catalog, m->name, m->drop_stats, mirror_on_forgotten,
	    m);
}

void
mirror_act(struct mirror *m, enum mirror_action action)
{
	static void (*const actions[MIRROR_ACT_COUNT])(struct mirror *) = {
		[MIRROR_ACT_NONE] = act_none,
		[MIRROR_ACT_RUN] = act_run,
		[MIRROR_ACT_DRAIN] = act_drain,
		[MIRROR_ACT_BACK_OFF] = act_back_off,
		[MIRROR_ACT_WIND_UP] = act_wind_up,
		[MIRROR_ACT_DROP] = act_drop,
		[MIRROR_ACT_FORGET] = act_forget,
	};

	actions[action](m);
}

void
mirror_begin(struct mirror *m)
{
	if (mirror_is(m, PEERDB_FLOW__FLOW_STATUS__STATUS_PAUSING) ||
	    mirror_is(m, PEERDB_FLOW__FLOW_STATUS__STATUS_RESYNC))
		mirror_event(m, EV_ENDED);
	else if (mirror_is(m, PEERDB_FLOW__FLOW_STATUS__STATUS_TERMINATED))
		mirror_event(m, EV_DROP_ASKED);
	else
		mirror_start_worker(m);
}
