#include "tests/bench/workload.h"

#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/janitor.h"
#include "tests/harness/proc.h"
#include "tests/harness/sql.h"

#define PROCEDURES   "tests/bench/workload.sql"
#define SLOT_WAIT_MS 60000
#define TPCB_CHANGES 4 /* of one transaction: three updates and an insert */
#define TPCB_CLIENTS 4
#define TAIL_CHANGES 120000 /* more than a batch of peerd's holds */

struct workload workloads[] = {
	{ .name = "snapshot_narrow",
	    .title = "snapshot, pgbench accounts",
	    .kind = KIND_SNAPSHOT,
	    .tables = "accounts",
	    .make = "CALL make_accounts('accounts')",
	    .base = 5000000,
	    .goal = 2 },
	{ .name = "snapshot_wide",
	    .title = "snapshot, ten types of column",
	    .kind = KIND_SNAPSHOT,
	    .tables = "events",
	    .make = "CALL make_events('events')",
	    .base = 3000000,
	    .goal = 2 },
	{ .name = "insert_1",
	    .title = "inserts, 1 a transaction",
	    .kind = KIND_STREAM,
	    .tables = "insert_1",
	    .make = "CALL make_notes('insert_1')",
	    .write = "CALL write_inserts('insert_1', 1)",
	    .changes = 500000,
	    .per = 1,
	    .goal = 1.25 },
	{ .name = "insert_100",
	    .title = "inserts, 100 a transaction",
	    .kind = KIND_STREAM,
	    .tables = "insert_100",
	    .make = "CALL make_notes('insert_100')",
	    .write = "CALL write_inserts('insert_100', 100)",
	    .changes = 1000000,
	    .per = 100,
	    .goal = 1.25 },
	{ .name = "update_1",
	    .title = "updates of random rows, 1 a transaction",
	    .kind = KIND_STREAM,
	    .tables = "update_1",
	    .make = "CALL make_accounts('update_1')",
	    .write = "CALL write_updates('update_1', 1)",
	    .base = 2000000,
	    .changes = 400000,
	    .per = 1,
	    .goal = 1.5 },
	{ .name = "update_1000",
	    .title = "updates of random rows, 1,000 a transaction",
	    .kind = KIND_STREAM,
	    .tables = "update_1000",
	    .make = "CALL make_accounts('update_1000')",
	    .write = "CALL write_updates('update_1000', 1000)",
	    .base = 2000000,
	    .changes = 500000,
	    .per = 1000,
	    .goal = 1.2 },
	{ .name = "delete_100",
	    .title = "deletes, 100 a transaction",
	    .kind = KIND_STREAM,
	    .tables = "delete_100",
	    .make = "CALL make_notes('delete_100')",
	    .write = "CALL write_deletes('delete_100', 100)",
	    .base = 2000000,
	    .changes = 500000,
	    .per = 100,
	    .goal = 1.2 },
	{ .name = "tpcb",
	    .title = "pgbench TPC-B",
	    .kind = KIND_STREAM,
	    .tables = "pgbench_accounts,pgbench_branches,pgbench_tellers,pgbench_history",
	    .base = 20,
	    .changes = 400000,
	    .per = TPCB_CHANGES,
	    .goal = 1.5 },
	{ .name = "latency",
	    .title = "latency at 1,000 transactions a second",
	    .kind = KIND_LATENCY,
	    .tables = "latency",
	    .make = "CALL make_notes('latency')",
	    .changes = 5000,
	    .per = 1 },
	{ .name = "ch_snapshot",
	    .title = "snapshot, ten types of column",
	    .kind = KIND_SNAPSHOT,
	    .to = TO_CLICKHOUSE,
	    .tables = "events",
	    .make = "CALL make_events('events')",
	    .check = "concat(count(*), ' rows, sum ', sum(n))",
	    .base = 3000000,
	    .goal = 0.6 },
	{ .name = "ch_insert_100",
	    .title = "inserts, 100 a transaction",
	    .kind = KIND_STREAM,
	    .to = TO_CLICKHOUSE,
	    .tables = "ch_insert_100",
	    .make = "CALL make_notes('ch_insert_100')",
	    .write = "CALL write_inserts('ch_insert_100', 100)",
	    .check = "concat(count(*), ' rows, sum ', sum(id))",
	    .changes = 3000000,
	    .per = 100,
	    .goal = 0.8 },
	{ .name = "ch_update_1000",
	    .title = "updates of random rows, 1,000 a transaction",
	    .kind = KIND_STREAM,
	    .to = TO_CLICKHOUSE,
	    .tables = "ch_update_1000",
	    .make = "CALL make_accounts('ch_update_1000')",
	    .write = "CALL write_updates('ch_update_1000', 1000)",
	    .check = "concat('sum ', sum(abalance))", /* the rest never came: it is 0 */
	    .base = 2000000,
	    .changes = 3000000,
	    .per = 1000,
	    .goal = 0.8 },
	{ .name = "ch_latency",
	    .title = "latency at 1,000 transactions a second",
	    .kind = KIND_LATENCY,
	    .to = TO_CLICKHOUSE,
	    .tables = "latency",
	    .make = "CALL make_notes('latency')",
	    .changes = 10000,
	    .per = 1,
	    .goal = 5000 },
	{ .name = "kafka_insert_100",
	    .title = "inserts, 100 a transaction",
	    .kind = KIND_STREAM,
	    .to = TO_KAFKA,
	    .tables = "kafka_insert_100",
	    .make = "CALL make_notes('kafka_insert_100')",
	    .write = "CALL write_inserts('kafka_insert_100', 100)",
	    .check = "sum(id)",
	    .key = "id",
	    .summed = "id",
	    .changes = 3000000,
	    .per = 100,
	    .goal = 0.8 },
	{ .name = "kafka_update_1000",
	    .title = "updates of random rows, 1,000 a transaction",
	    .kind = KIND_STREAM,
	    .to = TO_KAFKA,
	    .tables = "kafka_update_1000",
	    .make = "CALL make_accounts('kafka_update_1000')",
	    .write = "CALL write_updates('kafka_update_1000', 1000)",
	    .check = "sum(abalance)", /* the rest never came: it is 0 */
	    .key = "aid",
	    .summed = "abalance",
	    .base = 2000000,
	    .changes = 3000000,
	    .per = 1000,
	    .goal = 0.8 },
	{ .name = "kafka_latency",
	    .title = "exactly once",
	    .kind = KIND_LATENCY,
	    .to = TO_KAFKA,
	    .tables = "latency",
	    .make = "CALL make_notes('latency')",
	    .key = "id",
	    .changes = 10000,
	    .per = 1,
	    .goal = 100 },
	{ .name = "kafka_latency_loose",
	    .title = "at least once",
	    .kind = KIND_LATENCY,
	    .to = TO_KAFKA,
	    .tables = "latency",
	    .make = "CALL make_notes('latency')",
	    .key = "id",
	    .settings = "'env': {'PEERD_KAFKA_EXACTLY_ONCE': 'false'}, ",
	    .changes = 10000,
	    .per = 1,
	    .goal = 10 },
	{ .name = "ch_formats",
	    .title = "formats, ten types of column",
	    .kind = KIND_FORMATS,
	    .to = TO_CLICKHOUSE,
	    .base = 1000000 },
};

const size_t workload_count = sizeof(workloads) / sizeof(*workloads);

/* A size at the run's scale: whole transactions, and never nothing. */
static int
scaled(const struct bench *b, int n, int per)
{
	int units = (int)(n / per * b->scale + 0.5);

	return n == 0 ? 0 : (units > 0 ? units : 1) * per;
}

static int
scaled_base(const struct bench *b, const struct workload *w)
{
	return scaled(b, w->base, 1);
}

static int
scaled_changes(const struct bench *b, const struct workload *w)
{
	return scaled(b, w->changes, w->write == NULL ? w->per * TPCB_CLIENTS : w->per);
}

int64_t
workload_rows(const struct bench *b, const struct workload *w)
{
	return w->changes == 0 ? scaled_base(b, w) : scaled_changes(b, w);
}

int64_t
workload_transactions(const struct bench *b, const struct workload *w)
{
	return w->kind == KIND_STREAM ? scaled_changes(b, w) / w->per : 0;
}

char *
workload_publication(const struct workload *w)
{
	return text("bench_%s", w->name);
}

static char *
base_slot(const struct workload *w)
{
	return text("base_%s", w->name);
}

static char *
template_name(const struct workload *w)
{
	return text("start_%s", w->name);
}

static void
load_procedures(PGconn *c)
{
	FILE *f = fopen(PROCEDURES, "re");
	char bytes[64 * 1024];
	size_t n;

	if (f == NULL)
		test_fail("could not read %s (run it through scripts/bench): %m", PROCEDURES);
	n = fread(bytes, 1, sizeof(bytes) - 1, f);
	fclose(f);
	bytes[n] = '\0';
	sql_exec(c, "%s", bytes);
}

static void
run_pgbench(const struct cluster *c, const char *database, const char *const *options)
{
	const char *argv[24] = {
		cluster_program("pgbench"),
		"-h",
		c->sockets,
		"-p",
		text("%d", c->port),
		"-U",
		CLUSTER_USER,
		"-n",
	};
	struct proc_spec spec = {
		.argv = argv,
		.env = "PGOPTIONS=-c synchronous_commit=off",
		.log = log_path("pgbench.log"),
	};
	size_t n = 8;

	while (*options != NULL)
		argv[n++] = *options++;
	argv[n] = database;
	if (proc_run(&spec) != 0)
		test_fail("pgbench failed, see %s", spec.log);
}

/* The tables of a workload, with so many rows, in a database that has the procedures. */
static void
make_tables(const struct cluster *c, const char *database, const struct workload *w, int base)
{
	const char *const init[] = { "-i", "-I", "dtGp", "-s", text("%d", base), NULL };
	PGconn *conn = cluster_connect(c, database);

	if (w->make != NULL) {
		sql_exec(conn, "SET bench.base = %d", base);
		sql_exec(conn, "%s", w->make);
	} else {
		run_pgbench(c, database, init);
		sql_exec(conn, "ALTER TABLE pgbench_history REPLICA IDENTITY FULL");
	}
	sql_exec(conn, "VACUUM (ANALYZE, FREEZE)");
	sql_close(&conn);
}

static void
write_changes(const struct bench *b, const struct workload *w)
{
	int changes = scaled_changes(b, w);
	const char *const load[] = {
		"-c",
		text("%d", TPCB_CLIENTS),
		"-j",
		"2",
		"-M",
		"prepared",
		"--random-seed=1",
		"-t",
		text("%d", changes / TPCB_CHANGES / TPCB_CLIENTS),
		NULL,
	};

	if (w->write == NULL) {
		run_pgbench(b->source, SOURCE_DB, load);
		return;
	}
	sql_exec(b->src, "SET bench.base = %d", scaled_base(b, w));
	sql_exec(b->src, "SET bench.changes = %d", changes);
	sql_exec(b->src, "%s", w->write);
	sql_exec(b->src, "RESET synchronous_commit");
}

/*
 * What gathers changes would wait for more when the marker has come, and then
 * its wait would be measured: so more does come, as much as it can want.
 */
static void
write_tail(const struct bench *b, const struct workload *w)
{
	sql_exec(b->src, "CALL write_tail('%s', %d)", w->name, TAIL_CHANGES);
}

static void
write_backlog(const struct bench *b, const struct workload *w)
{
	sql_exec(b->src, "SELECT pg_create_logical_replication_slot('%s', 'pgoutput')",
	    base_slot(w));
	write_changes(b, w);
	sql_exec(b->src, "INSERT INTO marker VALUES ('%s')", w->name);
	if (w->to == TO_CLICKHOUSE)
		write_tail(b, w);
}

static void
create_database(const struct cluster *c, const char *name, const char *template)
{
	PGconn *conn = cluster_connect(c, "postgres");

	sql_exec(conn, "DROP DATABASE IF EXISTS %s WITH (FORCE)", name);
	sql_exec(conn, "CREATE DATABASE %s TEMPLATE %s STRATEGY file_copy", name, template);
	sql_close(&conn);
}

static void
add_procedures(const struct cluster *c, const char *database)
{
	PGconn *conn = cluster_connect(c, database);

	load_procedures(conn);
	sql_close(&conn);
}

void
workload_prepare_source(const struct bench *b)
{
	create_database(b->source, SOURCE_DB, "template0");
	add_procedures(b->source, SOURCE_DB);
}

/* Two workloads may read the same tables. */
static bool
has_tables(const struct bench *b, const struct workload *w)
{
	return w->make != NULL &&
	    strcmp(sql_text(b->src, "SELECT to_regclass('%s')", w->tables), "(null)") != 0;
}

static void
make_template(const struct bench *b, const struct workload *w, int base)
{
	create_database(b->destination, template_name(w), "template0");
	add_procedures(b->destination, template_name(w));
	make_tables(b->destination, template_name(w), w, base);
}

void
workload_prepare(const struct bench *b, const struct workload *w)
{
	int base = scaled_base(b, w);

	bench_say("preparing %s", w->name);
	if (!has_tables(b, w))
		make_tables(b->source, SOURCE_DB, w, base);
	sql_exec(b->src, "CREATE PUBLICATION %s FOR TABLE %s%s", workload_publication(w), w->tables,
	    w->kind == KIND_SNAPSHOT ? "" : ", marker");
	if (w->to == TO_POSTGRES && w->kind != KIND_SNAPSHOT)
		make_template(b, w, base);
	if (w->kind == KIND_STREAM)
		write_backlog(b, w);
}

void
workload_make_empty(const struct bench *b, const struct workload *w)
{
	add_procedures(b->destination, TARGET_DB);
	make_tables(b->destination, TARGET_DB, w, 0);
}

void
workload_reset_target(const struct bench *b, const struct workload *w)
{
	create_database(b->destination, TARGET_DB,
	    w->kind == KIND_SNAPSHOT ? "template0" : template_name(w));
}

void
workload_copy_slot(const struct bench *b, const struct workload *w)
{
	sql_exec(b->src, "SELECT pg_copy_logical_replication_slot('%s', '%s')", base_slot(w),
	    RUN_SLOT);
}

void
workload_new_slot(const struct bench *b)
{
	sql_exec(b->src, "SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", RUN_SLOT);
}

#define RUN_SLOTS "FROM pg_replication_slots WHERE slot_name NOT LIKE 'base\\_%%'"

void
workload_drop_slots(const struct bench *b)
{
	sql_exec(b->src, "SELECT pg_terminate_backend(active_pid) " RUN_SLOTS " AND active");
	sql_wait(b->src, SLOT_WAIT_MS, "0", "SELECT count(*) " RUN_SLOTS " AND active");
	sql_exec(b->src, "SELECT pg_drop_replication_slot(slot_name) " RUN_SLOTS);
}

char *
workload_digest(const struct bench *b, const struct workload *w)
{
	PGconn *conn = cluster_connect(b->destination, TARGET_DB);
	char *tables = text("%s", w->tables), *rest = tables, *table;
	char *digest = text("%s", "");

	while ((table = strsep(&rest, ",")) != NULL)
		digest = text("%s %s: %s", digest, table,
		    sql_text(conn,
			"SELECT count(*) || ' rows, sum ' || "
			"coalesce(sum(hashtext(t::text)::bigint), 0) "
			"FROM %s t",
			table));
	sql_close(&conn);
	return digest;
}
