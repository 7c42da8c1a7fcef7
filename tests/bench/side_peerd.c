#include "tests/bench/side.h"

#include "tests/bench/workload.h"
#include "tests/harness/api.h"
#include "tests/harness/chrig.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/kafka.h"
#include "tests/harness/mirror.h"

#define MIRROR "bench"

/* Into Postgres the same rows as the other side: no columns of our own, deletes delete. */
static const char *const options[TO_COUNT] = {
	[TO_POSTGRES] = "'soft_delete_col_name': '', 'synced_at_col_name': '', ",
	[TO_CLICKHOUSE] = "",
	[TO_KAFKA] = "",
};

void
side_peerd_open(struct bench *b)
{
	b->daemon = daemon_new("bench");
	api_use(b->daemon);
	peer_create("src", b->source, SOURCE_DB);
}

void
side_peerd_close(struct bench *b)
{
	daemon_free(&b->daemon);
}

static void
create_clickhouse_peer(const struct clickhouse *c)
{
	api_expect(200,
	    api_post("/peers/create", chrig_peer_body("dst", c->port, TARGET_DB, NULL, NULL, "")));
}

static void
create_kafka_peer(const struct kafka *k)
{
	api_expect(200,
	    api_post("/peers/create",
		json("{'peer': {'name': 'dst', 'type': 'KAFKA', 'kafka_config': "
		     "{'servers': ['%s'], 'disable_tls': true}}}",
		    kafka_servers(k, KAFKA_PLAIN))));
}

/* The first time there is none. */
static void
drop_peer(void)
{
	api_post("/peers/drop", json("{'peer_name': 'dst'}"));
}

/* "dst" is whatever this workload goes to. */
static void
peerd_ready(const struct bench *b, const struct workload *w)
{
	drop_peer();
	if (w->to == TO_POSTGRES)
		peer_create("dst", b->destination, TARGET_DB);
	else if (w->to == TO_CLICKHOUSE)
		create_clickhouse_peer(b->engine);
	else
		create_kafka_peer(b->broker);
}

static void
mock_ready(const struct bench *b, const struct workload *w)
{
	(void)w;
	drop_peer();
	create_kafka_peer(b->mock);
}

/* "a,b" as "public.a,public.b"; the destination has a schema in Postgres only. */
static char *
mapped(const struct workload *w, const char *tables)
{
	char *rest = text("%s", tables), *all = text("%s", ""), *table;

	while ((table = strsep(&rest, ",")) != NULL)
		all = text("%s%spublic.%s%s%s", all, *all != '\0' ? "," : "", table,
		    w->to == TO_POSTGRES ? "" : ":", w->to == TO_POSTGRES ? "" : table);
	return all;
}

static void
peerd_snapshot(const struct bench *b, const struct workload *w)
{
	mirror_create(MIRROR, mapped(w, w->tables),
	    text("%s'do_initial_snapshot': true, 'publication_name': '%s'", options[w->to],
		workload_publication(w)));
}

static bool
peerd_copied(const struct target *t)
{
	const char *state = mirror_state(MIRROR);

	if (strcmp(state, "STATUS_FAILED") == 0)
		test_fail("the mirror failed: %s", mirror_errors(MIRROR));
	return strcmp(state, "STATUS_RUNNING") == 0;
}

static void
peerd_stream(const struct bench *b, const struct workload *w)
{
	mirror_create(MIRROR, mapped(w, text("%s,marker", w->tables)),
	    text("%s%s'do_initial_snapshot': false, 'publication_name': '%s', "
		 "'replication_slot_name': '" RUN_SLOT "'",
		options[w->to], w->settings != NULL ? w->settings : "", workload_publication(w)));
}

static void
peerd_stop(const struct bench *b)
{
	mirror_drop(MIRROR);
}

static char *
peerd_trouble(const struct bench *b)
{
	return text("the mirror is %s: %s (log: %s)", mirror_state(MIRROR), mirror_errors(MIRROR),
	    b->daemon->log);
}

const struct side_ops side_peerd = {
	.ready = peerd_ready,
	.snapshot = peerd_snapshot,
	.copied = peerd_copied,
	.stream = peerd_stream,
	.stop = peerd_stop,
	.trouble = peerd_trouble,
};

/* The same, into the mock cluster. */
const struct side_ops side_mock = {
	.ready = mock_ready,
	.stream = peerd_stream,
	.stop = peerd_stop,
	.trouble = peerd_trouble,
};
