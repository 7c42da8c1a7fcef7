#include "lib/sink/ch_chunks.h"

#include <poll.h>

#include <event2/event.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/chclient.h"
#include "lib/types/backoff.h"

/* A value of Postgres takes up to 1 GiB and twice that as hexadecimal digits. */
#define BODY_MAX      (4ull * WAL_MESSAGE_MAX)
#define BODY_KEEP     (128 * MIB) /* memory that is not given back between chunks */
#define RETRY_US      (600 * USEC_PER_SEC)
#define RETRY_FIRST   (200 * USEC_PER_MSEC)
#define RETRY_MAX     (10 * USEC_PER_SEC)
#define OVERLOAD_WAIT (5 * USEC_PER_SEC) /* at least, when the server asks for less */

enum chunk_state {
	CHUNK_FREE, /* or being filled */
	CHUNK_SENT,
	CHUNK_STORED,
	CHUNK_FAILED, /* err says why; to be sent again at retry_at */
};

struct chunk {
	enum chunk_state state;
	struct buf body;
	struct slice whole;
	const struct ch_chunks_to *to;
	char *token;
	uint64_t rows;
	struct chclient_request *rq;
	struct backoff pause;
	usec_t failing_since, retry_at;
	struct err err;
};

struct ch_chunks {
	struct event_base *loop;
	struct chclient *c;
	struct ch_chunks_callbacks cb;
	struct chunk chunks[2];
	unsigned filling;
};

/* One insert is one block: nothing is cut by rows, nothing put together. */
static const struct ch_setting one_block[] = {
	{ "max_insert_block_size", "10000000" },
	{ "min_insert_block_size_rows", "0" },
	{ "min_insert_block_size_bytes", "0" },
};

#define ONE_BLOCK (sizeof(one_block) / sizeof(one_block[0]))

/* ---- one chunk */

static void
note_failure(struct chunk *k, const struct err *err)
{
	usec_t now = clock_mono_us(), wait = backoff_next(&k->pause, (uint32_t)now);

	if (chclient_is_overloaded(err) && wait < OVERLOAD_WAIT)
		wait = OVERLOAD_WAIT;
	if (k->failing_since == 0)
		k->failing_since = now;
	k->retry_at = now + wait;
	k->err = *err;
	k->state = CHUNK_FAILED;
}

static void
on_done(void *arg, const struct ch_answer *answer, const struct err *err)
{
	struct chunk *k = arg;

	(void)answer;
	k->rq = NULL;
	if (err != NULL)
		note_failure(k, err);
	else
		k->state = CHUNK_STORED;
}

static void
post(struct ch_chunks *ks, struct chunk *k)
{
	struct ch_setting settings[ONE_BLOCK + CH_CHUNKS_SETTINGS_MAX];
	const struct ch_post post = {
		.sql = k->to->insert,
		.settings = settings,
		.nsettings = ONE_BLOCK + k->to->nsettings,
		.body = &k->whole,
		.nbody = 1,
		.token = k->token,
		.rows = k->rows,
	};
	struct err err = ERR_INIT;

	memcpy(settings, one_block, sizeof(one_block));
	memcpy(settings + ONE_BLOCK, k->to->settings, k->to->nsettings * sizeof(*settings));
	if (!ks->cb.may_send(ks->cb.arg, &err)) {
		note_failure(k, &err);
		return;
	}
	k->state = CHUNK_SENT;
	k->rq = chclient_send(ks->c, &post, on_done, k);
}

static void
release(struct chunk *k)
{
	MEM_FREE(k->token);
	if (k->body.cap > BODY_KEEP)
		buf_done(&k->body);
	else
		buf_reset(&k->body);
	k->state = CHUNK_FREE;
	k->failing_since = 0;
	backoff_reset(&k->pause);
}

/* ---- trouble */

static bool
may_mend(const struct chunk *k)
{
	return err_policy(k->err.code) == ERR_POLICY_RETRY &&
	    clock_mono_us() - k->failing_since < RETRY_US;
}

/* The first time, and when it goes on for long. */
static void
warn(struct ch_chunks *ks, const struct chunk *k)
{
	struct buf words;

	if (k->pause.failures != 1 && k->pause.failures % 10 != 0)
		return;
	buf_init(&words, 2 * ERR_MSG_MAX);
	buf_printf(&words, "%s; the rows will be sent again", k->err.msg);
	ks->cb.on_warning(ks->cb.arg, buf_str(&words));
	buf_done(&words);
}

static void
mend(struct ch_chunks *ks, struct chunk *k, bool wait)
{
	usec_t left = k->retry_at - clock_mono_us();

	if (left > 0 && !wait)
		return;
	warn(ks, k);
	if (left > 0)
		poll(NULL, 0, (int)(left / USEC_PER_MSEC) + 1);
	post(ks, k);
}

/* ---- both */

/* Let a chunk go on; wait: until it is in. */
static bool
advance(struct ch_chunks *ks, struct chunk *k, bool wait, struct err *err)
{
	while (k->state != CHUNK_FREE) {
		if (k->state == CHUNK_SENT)
			event_base_loop(ks->loop, wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
		if (k->state == CHUNK_STORED)
			release(k);
		if (k->state == CHUNK_FAILED && !may_mend(k)) {
			*err = k->err;
			return false;
		}
		if (k->state == CHUNK_FAILED)
			mend(ks, k, wait);
		if (!wait)
			break;
	}
	return true;
}

static struct chunk *
other(struct ch_chunks *ks)
{
	return &ks->chunks[!ks->filling];
}

struct buf *
ch_chunks_body(struct ch_chunks *ks)
{
	return &ks->chunks[ks->filling].body;
}

bool
ch_chunks_turn(struct ch_chunks *ks, struct err *err)
{
	return advance(ks, other(ks), false, err);
}

bool
ch_chunks_send(struct ch_chunks *ks, const struct ch_chunks_to *to, const char *token,
    uint64_t rows, struct err *err)
{
	struct chunk *k = &ks->chunks[ks->filling];

	if (buf_overflowed(&k->body))
		return err_set(err, ERR_TOO_LARGE, "a row takes more than %llu bytes",
		    (unsigned long long)BODY_MAX);
	if (!advance(ks, other(ks), true, err))
		return false;
	k->to = to;
	k->token = xstrdup(token);
	k->rows = rows;
	k->whole = buf_slice(&k->body);
	post(ks, k);
	ks->filling = !ks->filling;
	return true;
}

bool
ch_chunks_drain(struct ch_chunks *ks, struct err *err)
{
	return advance(ks, other(ks), true, err);
}

/* ---- life */

struct ch_chunks *
ch_chunks_new(struct event_base *loop, struct chclient *c, const struct ch_chunks_callbacks *cb)
{
	struct ch_chunks *ks = xcalloc(1, sizeof(*ks));

	ks->loop = loop;
	ks->c = c;
	ks->cb = *cb;
	for (size_t i = 0; i < 2; i++) {
		buf_init(&ks->chunks[i].body, BODY_MAX);
		ks->chunks[i].pause = (struct backoff){ .first = RETRY_FIRST, .max = RETRY_MAX };
	}
	return ks;
}

void
ch_chunks_free(struct ch_chunks **ks)
{
	if (*ks == NULL)
		return;
	for (size_t i = 0; i < 2; i++) {
		chclient_cancel(&(*ks)->chunks[i].rq);
		buf_done(&(*ks)->chunks[i].body);
		free((*ks)->chunks[i].token);
	}
	MEM_FREE(*ks);
}
