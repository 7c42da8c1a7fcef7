#include "lib/conn/kwriter.h"

#include <stdlib.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/kerror.h"
#include "lib/conn/kwriter_int.h"

/* A batch's bytes when compression makes it no smaller, and its header. */
#define PACKED_EXTRA (64 * KIB)

/* ---- failures and trouble */

void
kwriter_fail_as(struct kwriter *w, const struct err *err)
{
	if (w->failed)
		return;
	w->failed = true;
	w->why = *err;
	w->may_repeat = w->cfg.transactional_id != NULL && err->code == ERR_TRANSIENT;
}

static void
describe(struct err *err, int16_t code, const char *what)
{
	kerror_set(err, code, NULL);
	err_context(err, "%s", what);
}

void
kwriter_fail(struct kwriter *w, int16_t code, const char *what)
{
	struct err err = ERR_INIT;

	describe(&err, code, what);
	kwriter_fail_as(w, &err);
	if (kerror_is_fencing(code))
		w->may_repeat = false;
}

void
kwriter_tell(struct kwriter *w, const struct err *err)
{
	w->trouble = *err;
	w->cfg.on_trouble(w->cfg.arg, err);
}

void
kwriter_trouble(struct kwriter *w, int16_t code, const char *what)
{
	struct err err = ERR_INIT;

	describe(&err, code, what);
	kwriter_tell(w, &err);
}

bool
kwriter_timed_out(struct kwriter *w, const char *what, struct err *err)
{
	if (w->trouble.code != ERR_NONE)
		*err = w->trouble;
	else
		err_set(err, ERR_TRANSIENT, "no answer within %d s",
		    (int)(w->cfg.timeout / USEC_PER_SEC));
	return err_context(err, "%s", what);
}

bool
kwriter_may_repeat(const struct kwriter *w)
{
	return w->failed && w->may_repeat;
}

/* ---- life */

struct kwriter *
kwriter_new(const struct kwriter_config *cfg)
{
	struct kwriter *w = xcalloc(1, sizeof(*w));

	w->cfg = *cfg;
	w->producer.id = KWRITER_NOBODY;
	w->seed = (unsigned)clock_mono_us();
	TAILQ_INIT(&w->busy);
	buf_init(&w->packed, 2 * cfg->batch_bytes + PACKED_EXTRA);
	return w;
}

void
kwriter_free(struct kwriter **wp)
{
	struct kwriter *w = *wp;

	*wp = NULL;
	if (w == NULL)
		return;
	kwriter_forget_all(w);
	kwriter_free_cluster(w);
	buf_done(&w->packed);
	free(w);
}

/* All servers that are known are tried, once. */
bool
kwriter_connect(struct kwriter *w, uint32_t *brokers_r, struct err *err)
{
	if (w->nbrokers == 0 && !kwriter_find_bootstrap(w, err))
		return false;
	if (!kwriter_look(w, err))
		return err->code != ERR_NONE ? false : kwriter_timed_out(w, "connecting", err);
	*brokers_r = kwriter_count_brokers(w);
	return true;
}

bool
kwriter_fence(struct kwriter *w, struct err *err)
{
	return kwriter_abort(w, err);
}

/* ---- records, and what becomes of them */

bool
kwriter_begin(struct kwriter *w, struct err *err)
{
	if (w->failed)
		*err = w->why;
	return !w->failed;
}

bool
kwriter_send(struct kwriter *w, const struct kclient_record *r, struct err *err)
{
	uint32_t before = w->nbatches;
	struct kwriter_topic *t;

	if (!kwriter_begin(w, err))
		return false;
	t = kwriter_topic(w, r->topic, err);
	if (t == NULL || !kwriter_put(w, t, r, err))
		return false;
	if (w->nbatches != before && !kwriter_turn(w, 0, err))
		return false;
	while (w->bytes > w->cfg.queue_bytes) {
		kwriter_close_all(w);
		if (!kwriter_turn(w, KWRITER_STEP_MS, err))
			return false;
	}
	return true;
}

bool
kwriter_commit(struct kwriter *w, struct err *err)
{
	if (!kwriter_begin(w, err))
		return false;
	kwriter_close_all(w);
	while (w->nbatches > 0)
		if (!kwriter_turn(w, KWRITER_STEP_MS, err))
			return false;
	return kwriter_end_txn(w, err);
}

bool
kwriter_abort(struct kwriter *w, struct err *err)
{
	kwriter_forget_all(w);
	if (!kwriter_name_producer(w, err))
		return false;
	w->in_txn = false;
	w->failed = false;
	err_clear(&w->why);
	return true;
}
