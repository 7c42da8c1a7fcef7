/*
 * A table's share of a run, in parts: rows that must be looked up are asked for
 * before they are encoded; what is encoded is inserted when it is enough, or
 * all. A few tables at a time.
 */
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/sink/ch_int.h"

#define FLOWS_MAX   4
#define LOOKUPS_MAX 500			     /* rows asked for at a time: they may be large */
#define BODY_SOON   (16 * MIB)		     /* of an insert: then it is sent */
#define BODY_MAX    (4ull * WAL_MESSAGE_MAX) /* one row may be a gigabyte, and grow as hex */
#define QUERY_MAX   (64 * MIB)
#define TELL_EVERY  (60 * USEC_PER_SEC)

struct ch_flow {
	struct ch_sink *s;
	struct ch_target *target;
	struct ch_images images;
	uint32_t from, to, max_lookups; /* the part under way */
	struct arena *part;		/* what was found for it */
	struct ch_call ask, insert;
	struct buf sql, body;
	uint64_t rows; /* in body */
	struct slice body_slice;
	char token[64];
};

static void flow_next(struct ch_flow *f);
static void start_more(struct ch_sink *s);

static void
flow_done(struct ch_flow *f)
{
	ch_call_done(&f->ask);
	ch_call_done(&f->insert);
	arena_free(&f->part);
	buf_done(&f->sql);
	buf_done(&f->body);
}

/* What the mirror wants to be cleared is counted all the same, and told now and then. */
static void
tell_cleared(struct ch_flow *f)
{
	const struct sink_callbacks *cb = f->s->base.cb;
	uint64_t count = f->images.ct->cleared;
	struct ch_target *g = f->target;
	usec_t now = clock_mono_us();

	if (count == g->cleared_told || (g->told_at != 0 && now - g->told_at < TELL_EVERY))
		return;
	g->cleared_told = count;
	g->told_at = now;
	cb->on_warning(cb->arg,
	    arena_printf(f->s->run,
		"table %s: %llu values so far did not fit and were replaced (on_lossy_value = "
		"null)",
		g->t->destination_label, (unsigned long long)count));
}

static void
flow_end(struct ch_flow *f)
{
	struct ch_sink *s = f->s;

	tell_cleared(f);
	flow_done(f);
	s->active--;
	start_more(s);
}

/* The table cannot go on, the others can; or it is the whole mirror that cannot. */
static void
flow_fail(struct ch_flow *f, const struct err *err)
{
	if (err->code != ERR_DATA) {
		ch_sink_fail(f->s, err);
		return;
	}
	ch_sink_stop_table(f->s, f->target->t, err);
	flow_end(f);
}

/* ---- inserting */

static void
on_inserted(void *arg, const struct ch_answer *answer, const struct err *err)
{
	struct ch_flow *f = arg;
	struct err why;

	if (err != NULL) {
		why = *err;
		err_context(&why, "table %s", f->target->t->destination_label);
		flow_fail(f, &why);
		return;
	}
	buf_reset(&f->body);
	f->rows = 0;
	flow_next(f);
}

/*
 * The token is this insert's alone: the server drops it when it comes again
 * because its answer was lost, and nothing else. Without one it would compare
 * contents, and drop rows that come again after a TRUNCATE.
 */
static void
insert(struct ch_flow *f)
{
	struct ch_sink *s = f->s;

	snprintf(f->token, sizeof(f->token), "peerd-%016llx-%llu", (unsigned long long)s->nonce,
	    (unsigned long long)++s->tokens);
	f->body_slice = buf_slice(&f->body);
	f->insert.post = (struct ch_post){
		.sql = f->target->insert,
		.settings = f->target->settings,
		.nsettings = f->target->nsettings,
		.body = &f->body_slice,
		.nbody = 1,
		.token = f->token,
		.rows = f->rows,
	};
	ch_call_send(&f->insert);
}

/* ---- encoding */

/* Nobody has the values but the source: they are in the row there, or come with a later change. */
static bool
ask_source(struct ch_flow *f, struct ch_image *im, struct err *err)
{
	const struct sink_callbacks *cb = f->s->base.cb;
	const struct row *row;

	if (!cb->find_row(cb->arg, f->target->t, im->row, f->s->run, &row, err))
		return false;
	if (row == NULL)
		im->skip = true;
	else
		im->row = row_merge(f->s->run, f->target->t, row, im->row);
	return true;
}

static bool
encode_image(struct ch_flow *f, struct ch_image *im, const struct ch_founds *founds,
    struct err *err)
{
	const struct ch_table *ct = f->images.ct;
	struct ch_founds part = { .n = 0 };

	if (im->lookup != NULL) {
		if (!ch_toast_find(ct, im, founds, &part, err) ||
		    (ch_toast_is_missing(ct, im, &part) && !ask_source(f, im, err)))
			return false;
	}
	return ch_batch_encode(ct, im, &part, &f->body, &f->rows, err);
}

/* What of the part fits into the insert. */
static void
encode(struct ch_flow *f, const struct ch_founds *founds)
{
	struct err err = ERR_INIT;

	for (; f->from < f->to && f->body.n < BODY_SOON; f->from++) {
		if (!encode_image(f, &f->images.v[f->from], founds, &err)) {
			flow_fail(f, &err);
			return;
		}
	}
	if (buf_overflowed(&f->body)) {
		err_set(&err, ERR_DATA, "a row of %s is too large", f->target->t->source_label);
		flow_fail(f, &err);
		return;
	}
	flow_next(f);
}

/* ---- asking */

static void
on_found(void *arg, const struct ch_answer *answer, const struct err *err)
{
	struct ch_flow *f = arg;
	const struct ch_image *images = f->images.v + f->from;
	struct ch_founds founds;
	struct err why = ERR_INIT;

	if (err != NULL && err->code == ERR_TOO_LARGE && f->max_lookups > 1) {
		f->max_lookups /= 2;
		flow_next(f);
		return;
	}
	arena_reset(f->part);
	if (err != NULL)
		why = *err;
	else if (ch_toast_parse(f->images.ct, images, f->to - f->from, answer->text, f->part,
		     &founds, &why)) {
		encode(f, &founds);
		return;
	}
	err_context(&why, "table %s", f->target->t->destination_label);
	flow_fail(f, &why);
}

static void
ask(struct ch_flow *f)
{
	static const struct ch_setting settings[] = {
		{ "max_query_size", "134217728" },
		{ "output_format_binary_write_json_as_string", "1" },
	};
	const struct ch_image *images = f->images.v + f->from;
	struct err err = ERR_INIT;

	buf_reset(&f->sql);
	if (!ch_toast_query(f->images.ct, images, f->to - f->from, &f->sql, &err)) {
		flow_fail(f, &err);
		return;
	}
	f->ask.post = (struct ch_post){
		.sql = buf_str(&f->sql),
		.settings = settings,
		.nsettings = f->images.ct->caps->json ? 2 : 1,
		.large_answer = true,
	};
	ch_call_send(&f->ask);
}

/* ---- the order of things */

/* Take images into the part; returns how many of them want a row that is there already. */
static uint32_t
take_part(struct ch_flow *f)
{
	uint32_t lookups = 0;

	for (f->to = f->from; f->to < f->images.n; f->to++) {
		if (f->images.v[f->to].lookup == NULL)
			continue;
		if (lookups == f->max_lookups)
			break;
		lookups++;
	}
	return lookups;
}

static bool
refuse_unknown_place(struct ch_flow *f)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_DATA,
	    "%s is sorted by more than its key, and rows cannot be looked up by a key of this type",
	    f->target->t->source_label);
	err_hint(&err, "ALTER TABLE %s REPLICA IDENTITY FULL, or take the ordering from columns",
	    f->target->t->source_label);
	flow_fail(f, &err);
	return false;
}

static void
flow_next(struct ch_flow *f)
{
	static const struct ch_founds nothing = { .n = 0 };

	if (f->rows > 0 && (f->from == f->images.n || f->body.n >= BODY_SOON))
		insert(f);
	else if (f->from == f->images.n)
		flow_end(f);
	else if (take_part(f) == 0)
		encode(f, &nothing);
	else if (ch_toast_can_ask(f->images.ct))
		ask(f);
	else if (!ch_batch_is_wide(f->images.ct) || refuse_unknown_place(f))
		encode(f, &nothing);
}

static void
flow_begin(struct ch_sink *s, struct ch_flow *f)
{
	f->part = arena_new(64 * KIB);
	ch_call_init(&f->ask, s, on_found, f);
	ch_call_init(&f->insert, s, on_inserted, f);
	buf_init(&f->sql, QUERY_MAX);
	buf_init(&f->body, BODY_MAX);
	f->max_lookups = LOOKUPS_MAX;
	flow_next(f);
}

static void
start_more(struct ch_sink *s)
{
	while (s->active < FLOWS_MAX && s->next_flow < s->nflows) {
		s->active++;
		flow_begin(s, &s->flows[s->next_flow++]);
	}
	if (s->active == 0 && s->flows != NULL) {
		s->flows = NULL;
		ch_sink_run_done(s);
	}
}

void
ch_flow_start(struct ch_sink *s, struct ch_images *images, uint32_t n)
{
	uint32_t i;

	s->flows = arena_zalloc(s->run, (n + 1) * sizeof(*s->flows));
	s->nflows = n;
	s->next_flow = 0;
	for (i = 0; i < n; i++) {
		s->flows[i].s = s;
		s->flows[i].images = images[i];
		s->flows[i].target = &s->targets[images[i].ct->t->index];
	}
	start_more(s);
}

void
ch_flow_cancel(struct ch_sink *s)
{
	uint32_t i;

	for (i = 0; s->flows != NULL && i < s->next_flow; i++)
		flow_done(&s->flows[i]);
	s->flows = NULL;
}
