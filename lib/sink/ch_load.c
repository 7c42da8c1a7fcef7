#include <event2/event.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/sink/ch_chunks.h"
#include "lib/sink/ch_dest_int.h"
#include "lib/sink/ch_encode.h"
#include "lib/sink/ch_fence.h"
#include "lib/sink/loader.h"

/*
 * A partition is sent as chunks of rows, whose tokens tell mirror, attempt,
 * table, partition and chunk. It may be sent again after its loader was killed:
 * the same snapshot gives the same rows in the same order, and they are cut at
 * the same places, by rows and bytes alone. Servers without tokens store such
 * rows twice, until they merge. When a partition is in, an entry of kind
 * `loaded` says so: ATTEMPT/table/partition.
 *
 * A loader of an earlier attempt must not add to what a later one loads: each
 * looks who is on before every chunk, and a chunk that comes too late meets the
 * fence (ch_fence.h).
 */

/* Fewer and larger inserts cost the server less, a loader has two in memory. */
#define CHUNK_ROWS  250000
#define CHUNK_BYTES (64 * MIB)
#define NAME_SIZE   256

/* A table as the server has it. */
struct target {
	struct ch_table *ct; /* NULL: not looked up yet */
	const char *fence;   /* NULL: none */
	const char *insert;
};

struct ch_loader {
	struct loader base;
	struct ch_side side;
	struct event_base *loop;
	struct ch_meta *meta;
	struct ch_chunks *chunks;
	struct arena *process;
	struct target *targets; /* by index */
	uint32_t ntargets;

	/* the partition under way */
	struct ch_table *ct;
	const char *fence;
	struct ch_chunks_to to;
	struct ch_setting settings[CH_INSERT_SETTINGS_MAX];
	int32_t partition;
	uint32_t nchunks; /* sent */
	uint64_t filled;  /* rows in the chunk that fills */
	int64_t rows;	  /* in all of them */
	bool begun;	  /* COPY's header was seen */
	bool ended;	  /* COPY's trailer was seen */
};

/* ---- names */

static const char *
partition_name(const struct ch_loader *l, char *to)
{
	snprintf(to, NAME_SIZE, "%s/%u/%d", l->base.cfg->snapshot_id, l->ct->t->index,
	    l->partition);
	return to;
}

static const char *
chunk_token(const struct ch_loader *l, char *to)
{
	char name[NAME_SIZE];

	snprintf(to, 2 * NAME_SIZE, "%s/%s/%u", l->base.cfg->mirror->flow_job_name,
	    partition_name(l, name), l->nchunks);
	return to;
}

/* ---- what the chunks ask */

static bool
may_send(void *arg, struct err *err)
{
	struct ch_loader *l = arg;
	bool on;

	if (!ch_meta_is_attempt(l->meta, l->base.cfg->snapshot_id, &on, err))
		return false;
	return on || err_set(err, ERR_CANCELLED, CH_ANOTHER_ATTEMPT);
}

/* Nothing to try again for this loader, but for those above. */
static bool
given_up(struct ch_loader *l, struct err *err)
{
	if (err->code == ERR_CANCELLED || ch_fence_tells(l->fence, err))
		err_set(err, ERR_TRANSIENT, CH_ANOTHER_ATTEMPT);
	return err_context(err, "destination table %s", l->ct->t->destination_label);
}

static void
on_warning(void *arg, const char *words)
{
	const struct loader_config *cfg = ((struct ch_loader *)arg)->base.cfg;

	if (cfg->on_warning != NULL)
		cfg->on_warning(cfg->arg, words);
}

/* ---- COPY's binary form, around the rows */

/*
 * header	"PGCOPY\n\377\r\n\0", u32 flags, u32 n, n bytes
 * trailer	u16 -1
 */
static bool
read_header(struct rbuf *r, struct err *err)
{
	static const uint8_t signature[11] = "PGCOPY\n\377\r\n";
	struct slice s = rbuf_bytes(r, sizeof(signature));

	rbuf_u32(r);
	rbuf_bytes(r, rbuf_u32(r));
	if (rbuf_ok(r) && memcmp(s.p, signature, s.n) == 0)
		return true;
	return err_set(err, ERR_PROTOCOL, "the source did not send a binary COPY");
}

static bool
at_trailer(const struct rbuf *r)
{
	return rbuf_left(r) >= 2 && r->p[0] == 0xff && r->p[1] == 0xff;
}

/* ---- rows */

static bool
send_chunk(struct ch_loader *l, struct err *err)
{
	char token[2 * NAME_SIZE];

	if (!ch_chunks_send(l->chunks, &l->to, chunk_token(l, token), l->filled, err))
		return given_up(l, err);
	l->nchunks++;
	l->rows += (int64_t)l->filled;
	l->filled = 0;
	return true;
}

static bool
put_row(struct ch_loader *l, struct rbuf *r, struct err *err)
{
	struct buf *body = ch_chunks_body(l->chunks);

	if (!ch_encode_copy_row(l->ct, r, body, err))
		return false;
	if (l->fence != NULL)
		buf_char(body, 0);
	l->filled++;
	if (l->filled < CHUNK_ROWS && body->n < CHUNK_BYTES)
		return true;
	return send_chunk(l, err);
}

static bool
ch_put(struct loader *base, struct slice rows, struct err *err)
{
	struct ch_loader *l = (struct ch_loader *)base;
	struct rbuf r = rbuf_of(rows);

	if (!l->begun && !read_header(&r, err))
		return false;
	l->begun = true;
	while (rbuf_left(&r) > 0) {
		if (at_trailer(&r)) {
			rbuf_u16(&r);
			l->ended = true;
		} else if (l->ended) {
			return err_set(err, ERR_PROTOCOL, "rows after the end of a COPY");
		} else if (!put_row(l, &r, err)) {
			return false;
		}
	}
	return ch_chunks_turn(l->chunks, err) || given_up(l, err);
}

/* ---- partitions */

static struct target *
target_of(struct ch_loader *l, const struct table *t)
{
	uint32_t n = l->ntargets;

	if (t->index >= n) {
		l->ntargets = 2 * t->index + 16;
		l->targets = xrealloc(l->targets, l->ntargets * sizeof(*l->targets));
		memset(l->targets + n, 0, (l->ntargets - n) * sizeof(*l->targets));
	}
	return &l->targets[t->index];
}

static bool
look_up(struct ch_loader *l, const struct table *t, struct target *target_r, struct err *err)
{
	const char *attempt = l->base.cfg->snapshot_id;
	struct target *known = target_of(l, t), new;
	const struct ch_found_table *found;

	if (known->ct == NULL) {
		if (!ch_side_bind_found(&l->side, l->process, t, &new.ct, &found, err) ||
		    !ch_fence_look(&l->side, l->process, found, attempt, &new.fence, err))
			return false;
		new.insert = ch_ddl_insert_fenced(new.ct, new.fence, l->process);
		*known = new;
	}
	*target_r = *known;
	return true;
}

static bool
look_for_mark(struct ch_loader *l, int64_t *before_r, struct err *err)
{
	char name[NAME_SIZE];
	uint64_t rows;
	bool there;

	if (!ch_meta_look(l->meta, CH_META_LOADED, partition_name(l, name), &there, &rows, err))
		return false;
	*before_r = there ? (int64_t)rows : LOADER_NEW;
	return true;
}

static void
aim(struct ch_loader *l, const struct target *to)
{
	l->ct = to->ct;
	l->fence = to->fence;
	l->to = (struct ch_chunks_to){
		.insert = to->insert,
		.settings = l->settings,
		.nsettings = ch_insert_settings(to->ct, l->settings),
	};
}

static bool
ch_begin(struct loader *base, const struct table *t, int32_t partition, int64_t *before_r,
    struct err *err)
{
	struct ch_loader *l = (struct ch_loader *)base;
	struct target to;
	bool on;

	if (!ch_meta_is_attempt(l->meta, base->cfg->snapshot_id, &on, err))
		return false;
	if (!on)
		return err_set(err, ERR_TRANSIENT, CH_ANOTHER_ATTEMPT);
	if (!look_up(l, t, &to, err))
		return false;
	aim(l, &to);
	l->partition = partition;
	l->nchunks = 0;
	l->filled = 0;
	l->rows = 0;
	l->begun = l->ended = false;
	return look_for_mark(l, before_r, err);
}

static void
tell_cleared(struct ch_loader *l)
{
	struct buf words;

	if (l->ct->cleared == 0)
		return;
	buf_init(&words, KIB);
	buf_printf(&words,
	    "table %s: %llu values that ClickHouse cannot hold were stored as NULL or as the"
	    " type's default (on_lossy_value)",
	    l->ct->t->source_label, (unsigned long long)l->ct->cleared);
	on_warning(l, buf_str(&words));
	buf_done(&words);
	l->ct->cleared = 0;
}

static bool
mark(struct ch_loader *l, struct err *err)
{
	char name[NAME_SIZE];
	const struct ch_meta_entry e = {
		.kind = CH_META_LOADED,
		.name = partition_name(l, name),
		.lsn = (uint64_t)l->rows,
		.words = l->base.cfg->snapshot_id,
	};

	return ch_meta_put(l->meta, &e, 1, err);
}

static bool
ch_end(struct loader *base, int64_t rows, struct err *err)
{
	struct ch_loader *l = (struct ch_loader *)base;

	if (!l->ended)
		return err_set(err, ERR_PROTOCOL, "the COPY of %s has no end",
		    l->ct->t->source_label);
	if (l->filled > 0 && !send_chunk(l, err))
		return false;
	if (!ch_chunks_drain(l->chunks, err))
		return given_up(l, err);
	if (l->rows != rows)
		return err_set(err, ERR_BUG, "%lld rows read from %s, %lld sent", (long long)rows,
		    l->ct->t->source_label, (long long)l->rows);
	tell_cleared(l);
	return mark(l, err);
}

/* ORDER BY is all there is of keys. */
static bool
ch_build_keys(struct loader *base, const struct table *t, struct err *err)
{
	struct ch_loader *l = (struct ch_loader *)base;
	struct target to;

	return look_up(l, t, &to, err) && ch_fence_lower(&l->side, to.ct, to.fence, err);
}

static bool
ch_select(struct loader *base, const struct table *t, struct buf *list)
{
	struct ch_loader *l = (struct ch_loader *)base;
	uint16_t i;

	(void)t;
	for (i = 0; i < l->ct->t->ncols; i++) {
		buf_str_add(list, i > 0 ? ", " : "");
		ch_column_select(&l->ct->cols[i], list);
	}
	return true;
}

/* ---- life */

static void
ch_close(struct loader *base)
{
	struct ch_loader *l = (struct ch_loader *)base;

	ch_chunks_free(&l->chunks);
	ch_meta_close(&l->meta);
	chclient_close(&l->side.c);
	if (l->loop != NULL)
		event_base_free(l->loop);
	arena_free(&l->process);
	free(l->targets);
	free(l);
}

static const struct loader_ops ch_loader_ops = {
	.select = ch_select,
	.begin = ch_begin,
	.put = ch_put,
	.end = ch_end,
	.build_keys = ch_build_keys,
	.close = ch_close,
};

static bool
open_side(struct ch_loader *l, struct err *err)
{
	const struct loader_config *cfg = l->base.cfg;
	const struct chclient_config client = {
		.peer = cfg->peer->clickhouse_config,
		.loop = l->loop,
		.what = cfg->what,
		.connect_timeout = cfg->timeout,
	};

	l->side.peer = cfg->peer->clickhouse_config;
	l->side.mirror = cfg->mirror;
	return ch_side_options(&l->side, err) && chclient_open(&client, &l->side.c, err) &&
	    ch_meta_open(l->side.c, l->side.peer, cfg->mirror->flow_job_name, &l->meta, err);
}

bool
ch_loader_open(const struct loader_config *cfg, struct loader **l_r, struct err *err)
{
	struct ch_loader *l = xcalloc(1, sizeof(*l));
	const struct ch_chunks_callbacks cb = {
		.may_send = may_send,
		.on_warning = on_warning,
		.arg = l,
	};

	l->base.ops = &ch_loader_ops;
	l->base.cfg = cfg;
	l->process = arena_new(64 * KIB);
	l->loop = event_base_new();
	if (l->loop == NULL)
		bug("no event loop");
	if (!open_side(l, err)) {
		ch_close(&l->base);
		return false;
	}
	l->chunks = ch_chunks_new(l->loop, l->side.c, &cb);
	*l_r = &l->base;
	return true;
}
