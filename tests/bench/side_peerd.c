#include "tests/bench/side.h"

#include "tests/bench/workload.h"
#include "tests/harness/api.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"

#define MIRROR "bench"

/* The same rows as the other side: no columns of our own, deletes delete. */
#define SAME_ROWS "'soft_delete_col_name': '', 'synced_at_col_name': ''"

void
side_peerd_open(struct bench *b)
{
	b->daemon = daemon_new("bench");
	api_use(b->daemon);
	peer_create("src", b->source, SOURCE_DB);
	peer_create("dst", b->destination, TARGET_DB);
}

void
side_peerd_close(struct bench *b)
{
	daemon_free(&b->daemon);
}

static void
peerd_ready(const struct bench *b, const struct workload *w)
{
	api_use(b->daemon);
}

/* "a,b" as "public.a,public.b". */
static char *
qualified(const char *tables)
{
	char *rest = text("%s", tables), *all = text("%s", ""), *table;

	while ((table = strsep(&rest, ",")) != NULL)
		all = text("%s%spublic.%s", all, *all != '\0' ? "," : "", table);
	return all;
}

static void
peerd_snapshot(const struct bench *b, const struct workload *w)
{
	mirror_create(MIRROR, qualified(w->tables),
	    text("'do_initial_snapshot': true, "
		 "'publication_name': '%s', " SAME_ROWS,
		workload_publication(w)));
}

static bool
peerd_copied(const struct bench *b, PGconn *target)
{
	const char *state = mirror_state(MIRROR);

	if (strcmp(state, "STATUS_FAILED") == 0)
		test_fail("the mirror failed: %s", mirror_errors(MIRROR));
	return strcmp(state, "STATUS_RUNNING") == 0;
}

static void
peerd_stream(const struct bench *b, const struct workload *w)
{
	mirror_create(MIRROR, qualified(text("%s,marker", w->tables)),
	    text("'do_initial_snapshot': false, 'publication_name': '%s', "
		 "'replication_slot_name': '" RUN_SLOT "', " SAME_ROWS,
		workload_publication(w)));
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
