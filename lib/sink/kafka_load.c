#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/conn/pgconn.h"
#include "lib/sink/kafka_int.h"
#include "lib/sink/loader.h"

/*
 * A partition goes out in chunks, each a Kafka transaction that ends with a
 * mark: so many of the partition's rows are in. The same snapshot gives the same
 * rows in the same order, so whoever loads a partition after another was
 * killed leaves out as many as the mark says. Small chunks keep readers, who
 * see nothing behind an open transaction, from waiting.
 *
 * A partition has a transactional id of its own, so that a loader that was
 * given up and is still alive is shut out. Without transactions the mark is
 * written when a chunk is stored, and rows may come twice.
 */

/* A transaction takes seconds; that of a loader that was killed hides the mirror's position. */
#define TRANSACTION_TIMEOUT (60 * USEC_PER_SEC)

#define CHUNK_ROWS 200000
#define CHUNK_US   (5 * USEC_PER_SEC)

#define ANOTHER_ATTEMPT "another attempt at the snapshot has begun"

struct kafka_loader {
	struct loader base;
	struct kafka_options opt;
	struct arena *process;
	struct kafka_encoder *e;
	struct kclient *k; /* of the partition, with transactions */
	struct kafka_out out;
	struct kafka_progress_config progress_cfg;
	struct kafka_progress *progress;
	struct kafka_table **tables; /* by index; NULL: not made yet */
	uint32_t ntables;

	/* the partition under way */
	const struct table *t;
	struct kafka_table *kt;
	int32_t partition;
	char name[KAFKA_ID_SIZE]; /* of it, for headers */
	int64_t skip;		  /* rows that are in already */
	int64_t row;		  /* the next one */
	int64_t stored;
	bool begun; /* a chunk is under way */
	usec_t begun_at;
};

/* ---- chunks */

static bool
still_on(struct kafka_loader *l, struct err *err)
{
	return strcmp(kafka_progress_snapshot(l->progress), l->base.cfg->snapshot_id) == 0 ||
	    err_set(err, ERR_TRANSIENT, ANOTHER_ATTEMPT);
}

static bool
chunk_begin(struct kafka_loader *l, struct err *err)
{
	if (l->begun)
		return true;
	l->begun = true;
	l->begun_at = clock_mono_us();
	return kclient_begin(l->k, err);
}

static bool
chunk_end(struct kafka_loader *l, bool done, struct err *err)
{
	const struct kafka_loaded loaded = { .rows = l->row, .done = done };

	if (!l->opt.exactly_once && !kclient_commit(l->k, err))
		return false;
	if (!kafka_progress_read(l->progress, err) || !still_on(l, err) ||
	    !kafka_progress_send_loaded(l->progress, l->k, l->t->index, l->partition, loaded,
		err) ||
	    !kclient_commit(l->k, err))
		return false;
	l->stored = l->row;
	l->begun = false;
	return true;
}

static bool
chunk_is_full(const struct kafka_loader *l)
{
	return l->row - l->stored >= CHUNK_ROWS || clock_mono_us() - l->begun_at >= CHUNK_US;
}

/* ---- rows */

static bool
put_row(struct kafka_loader *l, const struct row_value *values, usec_t now, struct err *err)
{
	const struct kafka_origin o = {
		.position = (uint64_t)l->row,
		.table_position = (uint64_t)l->row,
		.partition = l->name,
		.now_us = now,
	};
	struct kafka_records list = { .n = 0 };

	if (l->row++ < l->skip)
		return true;
	return kafka_snapshot_build(l->e, l->kt, values, &o, &list, err) &&
	    kafka_out_send(&l->out, &list, err);
}

static void
tell_trouble(struct kafka_loader *l)
{
	const struct loader_config *cfg = l->base.cfg;
	char words[512];

	if (cfg->on_warning != NULL && kclient_trouble(l->k, words, sizeof(words)))
		cfg->on_warning(cfg->arg, words);
}

static bool
kafka_put(struct loader *base, struct slice rows, struct err *err)
{
	struct kafka_loader *l = (struct kafka_loader *)base;
	const struct row_value *values;
	usec_t now = clock_wall_us();

	if (!chunk_begin(l, err))
		return false;
	while (kafka_copy_next(l->e, l->kt, &rows, &values, err))
		if (!put_row(l, values, now, err))
			return false;
	if (rows.n > 0)
		return false;
	tell_trouble(l);
	return l->row <= l->skip || !chunk_is_full(l) || chunk_end(l, false, err);
}

/* ---- partitions */

static bool
look_up(struct kafka_loader *l, const struct table *t, struct err *err)
{
	uint32_t n = l->ntables;

	if (t->index >= n) {
		l->ntables = 2 * t->index + 16;
		l->tables = xrealloc(l->tables, l->ntables * sizeof(struct kafka_table *));
		memset(l->tables + n, 0, (l->ntables - n) * sizeof(struct kafka_table *));
	}
	if (l->tables[t->index] == NULL &&
	    !kafka_table_new(l->e, l->process, t, &l->tables[t->index], err))
		return false;
	l->kt = l->tables[t->index];
	return true;
}

static bool
open_writer(struct kafka_loader *l, struct err *err)
{
	const struct loader_config *cfg = l->base.cfg;
	char id[KAFKA_ID_SIZE];
	const struct kclient_config client = {
		.peer = cfg->peer->kafka_config,
		.role = KCLIENT_WRITER,
		.what = cfg->what,
		.transactional_id = l->opt.exactly_once ? id : NULL,
		.transaction_timeout = TRANSACTION_TIMEOUT,
		.timeout = cfg->timeout,
	};

	if (l->k != NULL && !l->opt.exactly_once)
		return true;
	kafka_loader_id(cfg->mirror->flow_job_name, l->t->index, l->partition, id);
	kclient_close(&l->k);
	if (!kclient_open(&client, &l->k, err) || !kclient_connect(l->k, err))
		return false;
	l->out.k = l->k;
	return kclient_fence(l->k, err);
}

static bool
kafka_begin(struct loader *base, const struct table *t, int32_t partition, int64_t *before_r,
    struct err *err)
{
	struct kafka_loader *l = (struct kafka_loader *)base;
	struct kafka_loaded loaded;

	l->t = t;
	l->partition = partition;
	snprintf(l->name, sizeof(l->name), "%s/%u/%d", base->cfg->snapshot_id, t->index, partition);
	if (!look_up(l, t, err) || !open_writer(l, err) || !kafka_progress_read(l->progress, err) ||
	    !still_on(l, err))
		return false;
	loaded = kafka_progress_loaded(l->progress, t->index, partition);
	*before_r = loaded.done ? loaded.rows : LOADER_NEW;
	l->skip = l->stored = loaded.rows;
	l->row = 0;
	l->begun = false;
	return true;
}

static bool
kafka_end(struct loader *base, int64_t rows, struct err *err)
{
	struct kafka_loader *l = (struct kafka_loader *)base;

	if (l->row != rows || rows < l->skip)
		return err_set(err, ERR_BUG, "%lld rows read from %s, %lld sent", (long long)rows,
		    l->t->source_label, (long long)l->row);
	return chunk_begin(l, err) && chunk_end(l, true, err);
}

static bool
kafka_build_keys(struct loader *l, const struct table *t, struct err *err)
{
	(void)l;
	(void)t;
	(void)err;
	return true;
}

static bool
kafka_select(struct loader *l, const struct table *t, struct buf *list)
{
	uint16_t i;

	(void)l;
	for (i = 0; i < t->ncols; i++) {
		buf_str_add(list, i > 0 ? ", " : "");
		pgconn_ident(list, t->cols[i].name);
	}
	return false;
}

/* ---- life */

static void
kafka_close(struct loader *base)
{
	struct kafka_loader *l = (struct kafka_loader *)base;

	kafka_progress_free(&l->progress);
	kclient_close(&l->k);
	kafka_encoder_free(&l->e);
	arena_free(&l->process);
	free(l->tables);
	free(l);
}

static const struct loader_ops kafka_loader_ops = {
	.select = kafka_select,
	.begin = kafka_begin,
	.put = kafka_put,
	.end = kafka_end,
	.build_keys = kafka_build_keys,
	.close = kafka_close,
};

static bool
prepare(struct kafka_loader *l, struct err *err)
{
	const struct loader_config *cfg = l->base.cfg;
	struct kafka_encoder_config encoder = {
		.opt = &l->opt,
		.mirror = cfg->mirror->flow_job_name,
		.database = cfg->database,
	};

	if (!kafka_options_from(cfg->mirror, &l->opt, err))
		return false;
	l->e = kafka_encoder_new(&encoder, err);
	if (l->e == NULL)
		return false;
	l->out = (struct kafka_out){ .e = l->e, .opt = &l->opt };
	l->progress_cfg = (struct kafka_progress_config){
		.peer = cfg->peer->kafka_config,
		.mirror = cfg->mirror->flow_job_name,
		.what = cfg->what,
		.timeout = cfg->timeout,
	};
	l->progress = kafka_progress_new(&l->progress_cfg);
	return kafka_progress_read(l->progress, err);
}

bool
kafka_loader_open(const struct loader_config *cfg, struct loader **l_r, struct err *err)
{
	struct kafka_loader *l = xcalloc(1, sizeof(*l));

	l->base.ops = &kafka_loader_ops;
	l->base.cfg = cfg;
	l->process = arena_new(64 * KIB);
	if (!prepare(l, err)) {
		kafka_close(&l->base);
		return false;
	}
	*l_r = &l->base;
	return true;
}
