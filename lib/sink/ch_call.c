#include "lib/base/events.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "lib/sink/ch_int.h"

#define FIRST_WAIT (100 * USEC_PER_MSEC)
#define SLOW_WAIT  USEC_PER_SEC /* the server has asked for less */
#define LONG_WAIT  (15 * USEC_PER_SEC)

/* Then the worker starts anew, and the daemon shows what is wrong. */
#define PATIENCE (2 * 60 * USEC_PER_SEC)

#define WARN_EVERY (60 * USEC_PER_SEC)

static void
warn(struct ch_sink *s, const struct err *err)
{
	usec_t now = clock_mono_us();
	char *words;

	if (s->warned_at != 0 && now - s->warned_at < WARN_EVERY)
		return;
	s->warned_at = now;
	words = arena_printf(s->arena, "%s; trying again", err->msg);
	s->base.cb->on_warning(s->base.cb->arg, words);
}

static bool
may_repeat(struct ch_call *c, const struct err *err)
{
	usec_t now = clock_mono_us();

	if (err_policy(err->code) != ERR_POLICY_RETRY)
		return false;
	if (c->failing_since == 0)
		c->failing_since = now;
	return now - c->failing_since < PATIENCE;
}

static void
wait_and_repeat(struct ch_call *c, const struct err *err)
{
	usec_t wait = backoff_next(&c->backoff, (uint32_t)clock_mono_us());
	struct timeval tv;

	if (chclient_is_overloaded(err) && wait < SLOW_WAIT)
		wait = SLOW_WAIT;
	tv = (struct timeval){ .tv_sec = wait / USEC_PER_SEC, .tv_usec = wait % USEC_PER_SEC };
	warn(c->s, err);
	event_add(c->timer, &tv);
}

static void
on_answer(void *arg, const struct ch_answer *answer, const struct err *err)
{
	struct ch_call *c = arg;

	c->rq = NULL;
	if (err != NULL && may_repeat(c, err)) {
		wait_and_repeat(c, err);
		return;
	}
	c->failing_since = 0;
	backoff_reset(&c->backoff);
	c->done(c->arg, answer, err);
}

static void
send_now(evutil_socket_t fd, short what, void *arg)
{
	struct ch_call *c = arg;

	c->rq = chclient_send(c->s->side.c, &c->post, on_answer, c);
}

void
ch_call_init(struct ch_call *c, struct ch_sink *s, ch_call_fn *done, void *arg)
{
	*c = (struct ch_call){
		.s = s,
		.done = done,
		.arg = arg,
		.backoff = { .first = FIRST_WAIT, .max = LONG_WAIT },
		.timer = event_new(s->cfg->loop, -1, 0, send_now, c),
	};
}

void
ch_call_send(struct ch_call *c)
{
	send_now(-1, 0, c);
}

void
ch_call_done(struct ch_call *c)
{
	chclient_cancel(&c->rq);
	event_done(&c->timer);
}
