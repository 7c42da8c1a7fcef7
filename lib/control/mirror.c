#include "lib/control/mirror.h"

#include <event2/event.h>

#include "lib/base/events.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/control/mirror_counts.h"
#include "lib/control/service_int.h"

#define BACKOFF_FIRST  (500 * USEC_PER_MSEC)
#define BACKOFF_MAX    (60 * USEC_PER_SEC)
#define STORE_AGAIN_MS 1000

static void mirror_pump(struct mirror *m);

/* ---- memory */

static void
mirror_on_store_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	mirror_pump(arg);
}

static bool
mirror_unpack(struct mirror *m, const struct catalog_mirror *row, struct err *err)
{
	m->config = peerdb_flow__flow_connection_configs__unpack(NULL, row->config.n,
	    row->config.p);
	if (row->tables.n > 0)
		m->tables = peerd_worker__setup_done__unpack(NULL, row->tables.n, row->tables.p);
	if (m->config == NULL || (row->tables.n > 0 && m->tables == NULL))
		return err_set(err, ERR_DATA, "the catalog's row is damaged");
	return true;
}

static void
mirror_take_state(struct mirror *m, const struct catalog_mirror_state *s)
{
	m->wanted = s->wanted;
	m->state = (mirror_state_t)s->status;
	m->phase = (mirror_state_t)s->phase;
	m->drop_stats = s->drop_stats;
	m->skip_destination_drop = s->skip_destination_drop;
	if (s->error_code == ERR_NONE)
		return;
	err_set(&m->error, (enum err_code)s->error_code, "%s", s->error);
	err_hint(&m->error, "%s", s->error_hint);
}

struct mirror *
mirror_new(struct service *svc, const struct catalog_mirror *row, struct err *err)
{
	struct mirror *m = xcalloc(1, sizeof(*m));

	m->svc = svc;
	STAILQ_INIT(&m->changes);
	m->name = xstrdup(row->name);
	snprintf(m->subject.text, sizeof(m->subject.text), "mirror=%s", row->name);
	m->snapshot_id = xstrdup("");
	m->store_again = evtimer_new(svc->options.base, mirror_on_store_again, m);
	m->backoff = (struct backoff){ .first = BACKOFF_FIRST, .max = BACKOFF_MAX };
	m->id = row->id;
	m->created_us = row->created_us;
	m->generation = row->generation;
	m->next_batch_id = row->next_batch_id;
	m->confirmed_lsn = row->checkpoint;
	m->lag_bytes = m->lag_us = -1;
	mirror_take_state(m, &row->state);
	if (!mirror_unpack(m, row, err))
		mirror_free(&m);
	return m;
}

static void
mirror_change_free(struct mirror_change *c, const struct err *err)
{
	if (c->done != NULL)
		c->done(c->arg, err);
	free(c);
}

void
mirror_free(struct mirror **mp)
{
	struct mirror *m = *mp;
	struct mirror_change *c;
	struct err err = ERR_INIT;

	*mp = NULL;
	if (m == NULL)
		return;
	err_set(&err, ERR_NOT_FOUND, "mirror \"%s\" is gone", m->name);
	while ((c = STAILQ_FIRST(&m->changes)) != NULL) {
		STAILQ_REMOVE_HEAD(&m->changes, entry);
		mirror_change_free(c, &err);
	}
	child_release(&m->child, 0);
	mirror_load_reset(m, "", 0);
	mirror_counts_free(&m->counts);
	event_done(&m->retry);
	event_done(&m->proof);
	event_free(m->store_again);
	if (m->config != NULL)
		peerdb_flow__flow_connection_configs__free_unpacked(m->config, NULL);
	if (m->tables != NULL)
		peerd_worker__setup_done__free_unpacked(m->tables, NULL);
	free(m->snapshot_id);
	free(m->name);
	free(m);
}

void
mirror_load_reset(struct mirror *m, const char *snapshot_id, size_t n)
{
	for (size_t i = 0; i < m->nload; i++) {
		free(m->load[i].source);
		free(m->load[i].destination);
	}
	MEM_FREE(m->load);
	free(m->snapshot_id);
	m->snapshot_id = xstrdup(snapshot_id);
	m->load = n > 0 ? xcalloc(n, sizeof(*m->load)) : NULL;
	m->nload = n;
}

struct mirror_load *
mirror_load_find(struct mirror *m, const char *source)
{
	for (size_t i = 0; i < m->nload; i++)
		if (strcmp(m->load[i].source, source) == 0)
			return &m->load[i];
	return NULL;
}

int64_t
mirror_rows_loaded(const struct mirror *m)
{
	int64_t rows = 0;

	for (size_t i = 0; i < m->nload; i++)
		rows += m->load[i].rows;
	return rows;
}

/* ---- what it did before this peerd */

static void
mirror_on_ledger(void *arg, const struct err *err, const char *snapshot_id,
    const struct catalog_load_table *rows, size_t n)
{
	struct mirror *m = arg;

	if (err != NULL) {
		log_error(&m->subject, "could not read the snapshot's ledger: %s", err->msg);
		return;
	}
	mirror_load_reset(m, snapshot_id, n);
	for (size_t i = 0; i < n; i++)
		m->load[i] = (struct mirror_load){
			.source = xstrdup(rows[i].source),
			.destination = xstrdup(rows[i].destination),
			.partitions_total = rows[i].partitions_total,
			.partitions_done = rows[i].partitions_done,
			.rows_estimated = rows[i].rows_estimated,
			.rows_durable = rows[i].rows,
			.rows = rows[i].rows,
		};
}

static void
mirror_on_totals(void *arg, const struct err *err, const struct catalog_totals *t)
{
	struct mirror *m = arg;

	if (err != NULL) {
		log_error(&m->subject, "could not read what was done before: %s", err->msg);
		return;
	}
	m->batches = (uint64_t)t->batches;
	m->rows_synced = t->batch_rows;
}

void
mirror_recall(struct mirror *m)
{
	catalog_load_list(m->svc->options.catalog, m->name, mirror_on_ledger, m);
	catalog_totals_get(m->svc->options.catalog, m->name, mirror_on_totals, m);
}

/* ---- its log */

void
mirror_note(struct mirror *m, enum log_level level, const char *fmt, ...)
{
	char words[ERR_MSG_MAX + ERR_HINT_MAX];
	struct catalog_log line = { .mirror = m->name, .message = words };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	line.level = log_level_name(level);
	line.at_us = clock_wall_us();
	catalog_log_add(m->svc->options.catalog, &line, NULL, NULL);
	service_flush_soon(m->svc);
}

/* A message with its hint, as one line. */
static void
mirror_note_error(struct mirror *m, const char *what, const struct err *why)
{
	const char *between = why->hint[0] != '\0' ? "; hint: " : "";

	log_error(&m->subject, "%s%s%s%s", what, why->msg, between, why->hint);
	mirror_note(m, LOG_LEVEL_ERROR, "%s%s%s%s", what, why->msg, between, why->hint);
}

void
mirror_show_error(struct mirror *m, const struct err *why)
{
	struct err none = ERR_INIT;
	const struct err *shown = why != NULL ? why : &none;

	if (m->error.code == shown->code && strcmp(m->error.msg, shown->msg) == 0)
		return;
	m->error = *shown;
	if (why != NULL)
		mirror_note_error(m, "trouble, trying again: ", why);
	else
		mirror_note(m, LOG_LEVEL_INFO, "the trouble is over");
	catalog_mirror_set_error(m->svc->options.catalog, m->name, why, NULL, NULL);
	service_flush_soon(m->svc);
}

/* ---- changes */

/* Trouble that is retried stays beside the state; what else is to be shown now? */
static const struct err *
change_error(const struct mirror *m, const struct mirror_change *c)
{
	static const struct err none = ERR_INIT;

	if (c->why.code != ERR_NONE)
		return c->step.next == PEERDB_FLOW__FLOW_STATUS__STATUS_COMPLETED ? &none : &c->why;
	return c->step.next == m->state ? &m->error : &none;
}

static struct catalog_mirror_state
change_state(const struct mirror *m, const struct mirror_change *c)
{
	const struct err *error = change_error(m, c);

	return (struct catalog_mirror_state){
		.wanted = c->wanted != 0 ? c->wanted : m->wanted,
		.status = (int32_t)c->step.next,
		.phase = (int32_t)c->step.phase,
		.drop_stats = m->drop_stats || c->drop_stats,
		.skip_destination_drop = m->skip_destination_drop || c->skip_destination_drop,
		.error_code = (int32_t)error->code,
		.error = error->msg,
		.error_hint = error->hint,
	};
}

/* A resync that was asked for is on until the data is there. */
static bool
change_resyncs(const struct mirror *m, const struct mirror_change *c)
{
	return c->event == EV_RESYNC_ASKED ||
	    (m->config->resync && c->step.phase != PEERDB_FLOW__FLOW_STATUS__STATUS_RUNNING);
}

/* Is there anything in it that the catalog does not know? */
static bool
change_is_new(const struct mirror *m, const struct mirror_change *c,
    const struct catalog_mirror_state *s)
{
	return change_resyncs(m, c) != m->config->resync || s->wanted != m->wanted ||
	    s->status != (int32_t)m->state || s->phase != (int32_t)m->phase ||
	    s->drop_stats != m->drop_stats || s->skip_destination_drop != m->skip_destination_drop;
}

static void
mirror_log_move(struct mirror *m, const struct mirror_change *c)
{
	const char *event = mirror_event_name(c->event);
	const char *from = mirror_state_name(m->state);
	const char *to = mirror_state_name(c->step.next);

	if (c->why.code != ERR_NONE)
		mirror_note_error(m, c->step.next == m->state ? "trouble, trying again: " : "",
		    &c->why);
	if (c->step.next == m->state)
		return;
	log_info(&m->subject, "%s -> %s (%s)", from, to, event);
	mirror_note(m, LOG_LEVEL_INFO, "%s -> %s (%s)", from, to, event);
}

static struct mirror_change *
mirror_take_change(struct mirror *m)
{
	struct mirror_change *c = STAILQ_FIRST(&m->changes);

	STAILQ_REMOVE_HEAD(&m->changes, entry);
	return c;
}

/* Stored: now it is so. The action may free the mirror, if it is FORGET. */
static void
mirror_apply(struct mirror *m)
{
	struct mirror_change *c = mirror_take_change(m);
	struct catalog_mirror_state s = change_state(m, c);
	struct err error = *change_error(m, c);
	enum mirror_action action = c->step.action;

	mirror_log_move(m, c);
	if (s.status != (int32_t)m->state)
		m->attempts = 0;
	m->config->has_resync = m->config->resync = change_resyncs(m, c);
	m->wanted = s.wanted;
	m->state = c->step.next;
	m->phase = c->step.phase;
	m->drop_stats = s.drop_stats;
	m->skip_destination_drop = s.skip_destination_drop;
	m->error = error;
	mirror_change_free(c, NULL);
	mirror_act(m, action);
	if (action != MIRROR_ACT_FORGET)
		mirror_pump(m);
}

/* Of what nobody waits for, nothing may be lost: the change stays and is stored again. */
static void
mirror_store_failed(struct mirror *m, const struct err *err)
{
	struct timeval tv = { .tv_sec = STORE_AGAIN_MS / 1000 };

	log_error(&m->subject, "state could not be stored: %s", err->msg);
	if (STAILQ_FIRST(&m->changes)->done == NULL) {
		evtimer_add(m->store_again, &tv);
		return;
	}
	mirror_change_free(mirror_take_change(m), err);
	mirror_pump(m);
}

static void
mirror_on_stored(void *arg, const struct err *err)
{
	struct mirror *m = arg;

	m->storing = false;
	if (err != NULL)
		mirror_store_failed(m, err);
	else
		mirror_apply(m);
}

/* What can be asked for in a state in which not everything can. */
static const char *
state_hint(mirror_state_t state)
{
	switch (state) {
	case PEERDB_FLOW__FLOW_STATUS__STATUS_FAILED:
		return "a failed mirror can be resumed, resynced or terminated";
	case PEERDB_FLOW__FLOW_STATUS__STATUS_COMPLETED:
		return "a completed mirror can be resynced or terminated";
	case PEERDB_FLOW__FLOW_STATUS__STATUS_RESYNC:
		return "the earlier run is being wound up: try again in a moment";
	case PEERDB_FLOW__FLOW_STATUS__STATUS_TERMINATING:
	case PEERDB_FLOW__FLOW_STATUS__STATUS_TERMINATED:
		return "it is being dropped";
	default:
		return "";
	}
}

static void
mirror_refuse_change(struct mirror *m)
{
	struct mirror_change *c = mirror_take_change(m);
	struct err err = ERR_INIT;

	err_set(&err, ERR_CONFIG, "illegal state change requested: mirror \"%s\" is in %s", m->name,
	    mirror_state_name(m->state));
	err_hint(&err, "%s", state_hint(m->state));
	if (c->done == NULL)
		log_warn(&m->subject, "%s does not fit %s, ignoring", mirror_event_name(c->event),
		    mirror_state_name(m->state));
	mirror_change_free(c, &err);
}

/* The first change that fits the state; those before it are refused. */
static struct mirror_change *
mirror_next_change(struct mirror *m)
{
	struct mirror_change *c;

	while ((c = STAILQ_FIRST(&m->changes)) != NULL) {
		if (mirror_fsm_step(m->state, m->phase, c->event, &c->step))
			return c;
		mirror_refuse_change(m);
	}
	return NULL;
}

/* With the state, in one write, the configuration if the change touches it. */
static void
mirror_store_change(struct mirror *m, const struct mirror_change *c, struct catalog_mirror_state *s)
{
	PeerdbFlow__FlowConnectionConfigs config = *m->config;
	uint8_t *packed = NULL;
	size_t n;

	if (change_resyncs(m, c) != config.resync) {
		config.has_resync = config.resync = !config.resync;
		packed = message_pack(&config.base, &n);
		s->config = slice_of(packed, n);
	}
	catalog_mirror_set_state(m->svc->options.catalog, m->name, s, mirror_event_name(c->event),
	    mirror_on_stored, m);
	free(packed);
}

/* Carry out the next change, unless one is on its way to the catalog. */
static void
mirror_pump(struct mirror *m)
{
	struct mirror_change *c = m->storing ? NULL : mirror_next_change(m);
	struct catalog_mirror_state s;

	if (c == NULL)
		return;
	s = change_state(m, c);
	m->storing = true;
	if (change_is_new(m, c, &s)) {
		mirror_store_change(m, c, &s);
		return;
	}
	if (c->why.code != ERR_NONE) {
		catalog_mirror_set_error(m->svc->options.catalog, m->name, &c->why, NULL, NULL);
		service_flush_soon(m->svc);
	}
	mirror_on_stored(m, NULL);
}

void
mirror_change(struct mirror *m, const struct mirror_change *change)
{
	struct mirror_change *c = xmalloc(sizeof(*c));

	*c = *change;
	STAILQ_INSERT_TAIL(&m->changes, c, entry);
	mirror_pump(m);
}

void
mirror_event(struct mirror *m, enum mirror_event event)
{
	const struct mirror_change c = { .event = event };

	mirror_change(m, &c);
}
