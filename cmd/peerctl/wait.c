#include "cmd/peerctl/wait.h"

#include "cmd/peerctl/ctl.h"
#include "cmd/peerctl/overview.h"
#include "cmd/peerctl/screen.h"
#include "cmd/peerctl/text.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"

#define POLL_MS	    250
#define SILENCE_MAX (60 * USEC_PER_SEC) /* how long peerd may not answer */

#define STATE(name) (1u << PEERDB_FLOW__FLOW_STATUS__STATUS_##name)
#define ENDED	    (STATE(FAILED) | STATE(TERMINATING) | STATE(TERMINATED))

const struct wait_goal wait_created = { .done = STATE(RUNNING) | STATE(COMPLETED),
	.failed = ENDED };
const struct wait_goal wait_paused = { .done = STATE(PAUSED), .failed = ENDED | STATE(COMPLETED) };
const struct wait_goal wait_resumed = { .done = STATE(RUNNING) | STATE(COMPLETED),
	.failed = ENDED,
	.grace_ms = 3000 };
const struct wait_goal wait_dropped = { .done = STATE(TERMINATED), .gone = true };

struct waiting {
	struct ctl *ctl;
	const char *mirror;
	const struct wait_goal *goal;
	struct screen screen;
	int shown_status; /* -1: none yet */
	int shown_tenth;
	char shown_error[256];
	usec_t started;
	usec_t heard; /* when peerd last answered */
};

static int
snapshot_percent(const PeerdbRoute__MirrorOverview *m)
{
	double weight = 0, done = 0;

	for (size_t i = 0; i < m->n_tables; i++) {
		double w = m->tables[i]->rows_estimated > 0 ? (double)m->tables[i]->rows_estimated
							    : 1;

		weight += w;
		done += w * overview_table_fraction(m->tables[i]);
	}
	return weight > 0 ? (int)(100 * done / weight) : 0;
}

/* Trouble that passes keeps the state; say it once. */
static void
show_error(struct waiting *w, const PeerdbRoute__MirrorOverview *m)
{
	struct buf line;

	buf_init(&line, 8192);
	text_add_clean(&line, m->error_message);
	if (strncmp(buf_str(&line), w->shown_error, sizeof(w->shown_error) - 1) != 0) {
		str_copy(w->shown_error, sizeof(w->shown_error), buf_str(&line));
		if (line.n > 0)
			printf("%s: error: %s\n", m->name, buf_str(&line));
	}
	buf_done(&line);
}

static void
show_line(struct waiting *w, const PeerdbRoute__MirrorOverview *m)
{
	bool loading = m->status == PEERDB_FLOW__FLOW_STATUS__STATUS_SNAPSHOT;
	int tenth = loading ? snapshot_percent(m) / 10 : 0;

	show_error(w, m);
	if ((int)m->status == w->shown_status && tenth <= w->shown_tenth)
		return;
	w->shown_status = (int)m->status;
	w->shown_tenth = tenth;
	if (loading)
		printf("%s: SNAPSHOT %d%%\n", m->name, snapshot_percent(m));
	else
		printf("%s: %s\n", m->name, overview_state(m->status));
	fflush(stdout);
}

static void
show_bars(struct waiting *w, const PeerdbRoute__MirrorOverview *m)
{
	struct buf text;

	buf_init(&text, MIB);
	buf_printf(&text, "%s: %s\n", m->name, overview_state(m->status));
	overview_print_bars(m, &text);
	if (m->error_message[0] != '\0') {
		buf_str_add(&text, "  error: ");
		text_add_clean(&text, m->error_message);
		buf_char(&text, '\n');
	}
	screen_draw(&w->screen, buf_str(&text));
	buf_done(&text);
}

static void
show(struct waiting *w, const PeerdbRoute__MirrorOverview *m)
{
	if (w->ctl->json)
		return;
	if (w->ctl->tty)
		show_bars(w, m);
	else
		show_line(w, m);
}

static int
failed(struct waiting *w, const PeerdbRoute__MirrorOverview *m)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_CONFIG, "mirror \"%s\" is %s%s%s", m->name, overview_state(m->status),
	    m->error_message[0] != '\0' ? ": " : "", m->error_message);
	err_hint(&err, "%s", m->error_hint);
	return ctl_refused(w->ctl, &err);
}

static int
gone(struct waiting *w)
{
	struct err err = ERR_INIT;

	if (w->goal->gone) {
		if (!w->ctl->json)
			printf("%s: dropped\n", w->mirror);
		return CTL_DONE;
	}
	err_set(&err, ERR_NOT_FOUND, "mirror \"%s\" does not exist any more", w->mirror);
	return ctl_refused(w->ctl, &err);
}

/* One look; -1 to go on waiting, else the exit code. */
static int
look(struct waiting *w, const PeerdbRoute__MirrorOverview *m)
{
	if (m == NULL)
		return gone(w);
	if (w->goal->failed & 1u << m->status &&
	    clock_mono_us() - w->started >= w->goal->grace_ms * USEC_PER_MSEC)
		return failed(w, m);
	show(w, m);
	return w->goal->done & 1u << m->status ? CTL_DONE : -1;
}

int
wait_for(struct ctl *ctl, const char *mirror, const struct wait_goal *goal)
{
	struct waiting w = { .ctl = ctl,
		.mirror = mirror,
		.goal = goal,
		.shown_status = -1,
		.started = clock_mono_us(),
		.heard = clock_mono_us() };
	int code = -1;

	while (code < 0) {
		PeerdbRoute__MirrorOverviewResponse *all = NULL;
		struct err err = ERR_INIT;

		if (overview_fetch(ctl, &all, &err)) {
			w.heard = clock_mono_us();
			code = look(&w, overview_find(all, mirror));
			overview_free(&all);
		} else if (err.code != ERR_TRANSIENT || clock_mono_us() - w.heard > SILENCE_MAX) {
			code = ctl_refused(ctl, &err);
		}
		if (code < 0)
			screen_pause_ms(POLL_MS);
	}
	return code;
}
