#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/sink/dest.h"
#include "lib/sink/kafka_int.h"
#include "lib/sink/kafka_topic.h"
#include "lib/sink/sink.h"

/*
 * Topics are the tables here. They may be shared, by the mirror's template or
 * with others, and what was once sent stays: nothing is emptied, and nothing is
 * dropped with the mirror.
 */

struct kafka_dest {
	struct dest base;
	struct kclient *reader;
	struct kclient *writer; /* NULL until something is written */
	struct kafka_progress_config progress_cfg;
	struct kafka_progress *progress; /* of a mirror's calls */
	struct kafka_options opt;	 /* likewise */
};

/* ---- pure */

static void
kafka_address(const PeerdbPeers__Peer *peer, struct buf *to)
{
	const PeerdbPeers__KafkaConfig *cfg = peer->kafka_config;
	size_t i;

	for (i = 0; i < cfg->n_servers; i++)
		buf_printf(to, "%s%s", i > 0 ? "," : "", cfg->servers[i]);
}

/* What the topic is called, the mirror's settings say: dest_check() looks at that. */
static bool
kafka_check_name(const struct table_ident *name, struct err *err)
{
	(void)name;
	(void)err;
	return true;
}

/* Postgres' text is exact, and the same in the snapshot and the stream. */
static bool
kafka_binary_ok(const PeerdWorker__Column *column)
{
	(void)column;
	return false;
}

const char *
kafka_transactional_id(const char *mirror, char *to)
{
	snprintf(to, KAFKA_ID_SIZE, "peerd-%s", mirror);
	return to;
}

const char *
kafka_loader_id(const char *mirror, uint32_t table, int32_t partition, char *to)
{
	snprintf(to, KAFKA_ID_SIZE, "peerd-%s-snapshot-%u-%d", mirror, table, (int)partition);
	return to;
}

/* ---- life */

static void
kafka_close(struct dest *base)
{
	struct kafka_dest *d = (struct kafka_dest *)base;

	kafka_progress_free(&d->progress);
	kclient_close(&d->writer);
	kclient_close(&d->reader);
	free(d);
}

static bool
open_client(struct kafka_dest *d, enum kclient_role role, const char *id, struct kclient **k_r,
    struct err *err)
{
	const struct kclient_config cfg = {
		.peer = d->base.cfg.peer->kafka_config,
		.role = role,
		.what = d->base.cfg.what,
		.transactional_id = id,
		.timeout = d->base.cfg.timeout,
		.intr = d->base.cfg.intr,
	};

	return kclient_open(&cfg, k_r, err) && kclient_connect(*k_r, err);
}

static bool
kafka_open(const struct dest_config *cfg, struct dest **d_r, struct err *err)
{
	struct kafka_dest *d = xcalloc(1, sizeof(*d));

	d->base.ops = &dest_kafka;
	d->base.cfg = *cfg;
	if (!open_client(d, KCLIENT_READER, NULL, &d->reader, err)) {
		kafka_close(&d->base);
		return false;
	}
	*d_r = &d->base;
	return true;
}

/* ---- a peer */

/* The settings of a writer are looked at here too; what it may write is a mirror's question. */
static bool
kafka_validate(struct dest *base, struct err *err)
{
	struct kafka_dest *d = (struct kafka_dest *)base;
	struct kclient *writer = NULL;
	bool ok = open_client(d, KCLIENT_WRITER, NULL, &writer, err);

	kclient_close(&writer);
	return ok;
}

static const char *
kafka_version(struct dest *base)
{
	return kclient_version(((struct kafka_dest *)base)->reader);
}

/* ---- a mirror: what is needed for its calls */

/* It has been given up: what it may have left open would hide our position for a minute. */
static bool
shut_out_loader(void *arg, uint32_t table, int32_t partition, struct err *err)
{
	struct kafka_dest *d = arg;
	struct kclient *writer = NULL;
	char id[KAFKA_ID_SIZE];
	bool ok;

	kafka_loader_id(d->base.cfg.mirror->flow_job_name, table, partition, id);
	ok = open_client(d, KCLIENT_WRITER, id, &writer, err) && kclient_fence(writer, err);
	kclient_close(&writer);
	return ok;
}

static bool
need_progress(struct kafka_dest *d, struct err *err)
{
	const PeerdbFlow__FlowConnectionConfigs *mirror = d->base.cfg.mirror;

	if (!kafka_options_from(mirror, &d->opt, err))
		return false;
	if (d->progress != NULL)
		return true;
	d->progress_cfg = (struct kafka_progress_config){
		.peer = d->base.cfg.peer->kafka_config,
		.mirror = mirror->flow_job_name,
		.what = d->base.cfg.what,
		.timeout = d->base.cfg.timeout,
		.intr = d->base.cfg.intr,
		.shut_out = shut_out_loader,
		.arg = d,
	};
	d->progress = kafka_progress_new(&d->progress_cfg);
	return true;
}

/* Whoever writes for the mirror is shut out, and what is known was read after that. */
static bool
need_writer(struct kafka_dest *d, struct err *err)
{
	char id[KAFKA_ID_SIZE];

	if (!need_progress(d, err))
		return false;
	kafka_transactional_id(d->base.cfg.mirror->flow_job_name, id);
	if (d->writer == NULL &&
	    (!open_client(d, KCLIENT_WRITER, d->opt.exactly_once ? id : NULL, &d->writer, err) ||
		!kclient_fence(d->writer, err)))
		return false;
	return kafka_progress_read(d->progress, err);
}

/* marks: of partitions that were loaded, to be forgotten too */
static bool
store(struct kafka_dest *d, bool marks, struct err *err)
{
	return kclient_begin(d->writer, err) &&
	    (!marks || kafka_progress_send_forget(d->progress, d->writer, false, err)) &&
	    kafka_progress_send(d->progress, d->writer, err) && kclient_commit(d->writer, err);
}

/* ---- topics */

/* Called for each of a mirror's topics; t is NULL for those of no table. */
typedef bool topic_fn(struct kafka_dest *d, const char *topic, PeerdWorker__MirrorTable *t,
    struct err *err);

static bool
each_other_topic(struct kafka_dest *d, topic_fn *fn, struct err *err)
{
	const struct kafka_options *opt = &d->opt;
	const struct {
		bool wanted;
		const char *template;
	} others[] = {
		{ (opt->controls & (KAFKA_CONTROL_DDL | KAFKA_CONTROL_MESSAGE)) != 0,
		    opt->control_topic },
		{ opt->transaction_topic[0] != '\0', opt->transaction_topic },
		{ opt->oversize == KAFKA_OVERSIZE_DEAD_LETTER, opt->dead_letter_topic },
	};
	char topic[KAFKA_TOPIC_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].wanted &&
		    (!kafka_topic_of(others[i].template, d->base.cfg.mirror->flow_job_name, NULL,
			 topic, err) ||
			!fn(d, topic, NULL, err)))
			return false;
	return true;
}

static bool
each_topic(struct kafka_dest *d, struct dest_tables tables, topic_fn *fn, struct err *err)
{
	struct arena *a = arena_new(64 * KIB);
	char topic[KAFKA_TOPIC_MAX + 1];
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < tables.n; i++)
		ok = kafka_topic_of(d->opt.topic, d->base.cfg.mirror->flow_job_name,
			 table_new(a, (uint32_t)i, tables.v[i]), topic, err) &&
		    fn(d, topic, tables.v[i], err);
	arena_free(&a);
	return ok && each_other_topic(d, fn, err);
}

static bool
check_topic(struct kafka_dest *d, const char *topic, PeerdWorker__MirrorTable *t, struct err *err)
{
	uint32_t partitions;

	(void)t;
	if (!kclient_find_topic(d->reader, topic, &partitions, err))
		return false;
	if (partitions > 0 || d->opt.topic_create)
		return true;
	err_set(err, ERR_CONFIG, "topic \"%s\" does not exist", topic);
	return err_hint(err, "create it, or set PEERD_KAFKA_TOPIC_CREATE to true");
}

static bool
make_topic(struct kafka_dest *d, const char *topic, PeerdWorker__MirrorTable *t, struct err *err)
{
	const struct kclient_topic new = {
		.name = topic,
		.partitions = d->opt.partitions,
		.replication_factor = d->opt.replication_factor,
		.config = d->opt.topic_config,
	};
	bool created = false;
	uint32_t partitions;

	if (!check_topic(d, topic, t, err) ||
	    !kclient_find_topic(d->reader, topic, &partitions, err))
		return false;
	if (partitions == 0 && !kclient_create_topic(d->reader, &new, &created, err))
		return false;
	if (t != NULL) {
		t->has_created = true;
		t->created = created;
	}
	return true;
}

static bool
check_progress_topic(struct kafka_dest *d, struct err *err)
{
	if (check_topic(d, KAFKA_PROGRESS_TOPIC, NULL, err))
		return true;
	if (err->code != ERR_CONFIG)
		return false;
	return err_hint(err,
	    "create it with one partition and cleanup.policy=compact, or set"
	    " PEERD_KAFKA_TOPIC_CREATE to true");
}

static bool
kafka_check(struct dest *base, struct pgconn *src, struct dest_tables tables, bool again,
    struct err *err)
{
	struct kafka_dest *d = (struct kafka_dest *)base;

	(void)src;
	(void)again;
	return kafka_options_from(base->cfg.mirror, &d->opt, err) && check_progress_topic(d, err) &&
	    each_topic(d, tables, check_topic, err);
}

static bool
kafka_prepare(struct dest *base, struct pgconn *src, struct dest_tables tables, struct err *err)
{
	struct kafka_dest *d = (struct kafka_dest *)base;

	(void)src;
	return need_progress(d, err) && check_progress_topic(d, err) &&
	    kafka_progress_create(d->progress, d->opt.replication_factor, err) &&
	    each_topic(d, tables, make_topic, err);
}

/* A topic takes any columns. */
static bool
kafka_prepare_columns(struct dest *d, struct pgconn *src, PeerdWorker__MirrorTable *t,
    struct err *err)
{
	(void)d;
	(void)src;
	(void)t;
	(void)err;
	return true;
}

static bool
kafka_extend(struct dest *d, struct pgconn *src, const PeerdWorker__MirrorTable *old,
    PeerdWorker__MirrorTable *fresh, struct err *err)
{
	(void)old;
	return kafka_prepare_columns(d, src, fresh, err);
}

/* ---- the mirror's position */

static bool
kafka_restart(struct dest *base, struct err *err)
{
	struct kafka_dest *d = (struct kafka_dest *)base;

	if (!need_writer(d, err))
		return false;
	kafka_progress_clear(d->progress);
	return store(d, true, err);
}

static bool
kafka_checkpoint_init(struct dest *base, lsn_t lsn, struct err *err)
{
	struct kafka_dest *d = (struct kafka_dest *)base;

	if (!need_writer(d, err))
		return false;
	if (kafka_progress_lsn(d->progress) != LSN_INVALID)
		return true;
	kafka_progress_set_lsn(d->progress, lsn);
	kafka_progress_set_snapshot(d->progress, "");
	return store(d, true, err);
}

static bool
kafka_take_over(struct dest *base, lsn_t *checkpoint_r, struct err *err)
{
	struct kafka_dest *d = (struct kafka_dest *)base;

	if (!need_writer(d, err))
		return false;
	*checkpoint_r = kafka_progress_lsn(d->progress);
	return true;
}

/*
 * What an earlier attempt has committed stays in the topics: a record cannot be
 * taken back. Its loaders look whose attempt is on before each commit, and are
 * shut out when a loader of ours begins the same partition.
 */
static bool
kafka_load_begin(struct dest *base, const char *snapshot_id, struct dest_tables tables,
    struct err *err)
{
	struct kafka_dest *d = (struct kafka_dest *)base;

	(void)tables;
	if (!need_writer(d, err))
		return false;
	kafka_progress_clear(d->progress);
	kafka_progress_set_snapshot(d->progress, snapshot_id);
	return store(d, true, err);
}

static bool
kafka_forget(struct dest *base, struct err *err)
{
	struct kafka_dest *d = (struct kafka_dest *)base;
	uint32_t partitions;

	if (!kclient_find_topic(d->reader, KAFKA_PROGRESS_TOPIC, &partitions, err))
		return false;
	if (partitions == 0)
		return true;
	return need_writer(d, err) && kclient_begin(d->writer, err) &&
	    kafka_progress_send_forget(d->progress, d->writer, true, err) &&
	    kclient_commit(d->writer, err);
}

/* A topic holds changes, not rows. */
static bool
kafka_count(struct dest *d, const char *identifier, usec_t deadline, struct dest_count *count_r,
    struct err *err)
{
	(void)d;
	(void)deadline;
	(void)count_r;
	return err_set(err, ERR_UNIMPLEMENTED, "topic \"%s\" has no rows to be counted",
	    identifier);
}

const struct dest_ops dest_kafka = {
	.name = "KAFKA",
	.config_case = PEERDB_PEERS__PEER__CONFIG_KAFKA_CONFIG,
	.address = kafka_address,
	.check_name = kafka_check_name,
	.binary_ok = kafka_binary_ok,
	.open = kafka_open,
	.sink_new = sink_kafka_new,
	.loader_open = kafka_loader_open,
	.validate = kafka_validate,
	.version = kafka_version,
	.check = kafka_check,
	.prepare = kafka_prepare,
	.prepare_columns = kafka_prepare_columns,
	.restart = kafka_restart,
	.checkpoint_init = kafka_checkpoint_init,
	.take_over = kafka_take_over,
	.load_begin = kafka_load_begin,
	.extend = kafka_extend,
	.forget = kafka_forget,
	.count = kafka_count,
	.close = kafka_close,
};
