/*
 * sink_fixture - a Postgres sink without a server
 *
 * The program's own PQsend...() take the place of libpq's: what would be sent
 * becomes a line of text in fx.sent, parameters in brackets, NULL as ~. A
 * PREPARE is not a line of its own; its text stands where it is executed.
 * Binary parameters are shown in hexadecimal.
 *
 *	fx_begin(columns)	a sink with two tables: one made as in table_fixture.h,
 *				the other with the one column "k:1"
 *	fx_end()
 */
#ifndef PEERD_UNIT_SINK_FIXTURE_H
#define PEERD_UNIT_SINK_FIXTURE_H

#include "lib/sink/pg_int.h"
#include "tests/unit/types/change_fixture.h"

#define FX_TYPE	      23 /* of every destination column */
#define FX_ARRAY_TYPE 1007
#define FX_SQL_MAX    (1 << 20)

struct sink_fixture {
	struct arena *a;
	struct pg_sink s;
	struct pg_table pt[2];
	PeerdbFlow__FlowConnectionConfigs mirror;
	struct sink_config cfg;
	Oid types[FIXTURE_COLS], array_types[FIXTURE_COLS];
	char *equals[FIXTURE_COLS];
	struct buf sent;
	struct buf prepared; /* name TAB text LF, all of them */
	Oid last_types[4 * FIXTURE_COLS];
	int prepares;
};

static struct sink_fixture fx;

static inline void
fx_table(uint32_t index, const char *columns)
{
	fx.pt[index] = (struct pg_table){
		.t = fixture_table(fx.a, index, columns),
		.name = arena_printf(fx.a, "\"copy\".\"d%u\"", index),
		.types = fx.types,
		.array_types = fx.array_types,
		.equals = fx.equals,
		.unique = true,
	};
}

static inline void
fx_begin(const char *columns)
{
	uint16_t i;

	memset(&fx, 0, sizeof(fx));
	fx.a = arena_new(65536);
	buf_init(&fx.sent, FX_SQL_MAX);
	buf_init(&fx.prepared, FX_SQL_MAX);
	buf_init(&fx.s.scratch, FX_SQL_MAX);
	peerdb_flow__flow_connection_configs__init(&fx.mirror);
	fx.mirror.flow_job_name = arena_strdup(fx.a, "orders");
	fx.cfg.mirror = &fx.mirror;
	for (i = 0; i < FIXTURE_COLS; i++) {
		fx.types[i] = FX_TYPE;
		fx.array_types[i] = FX_ARRAY_TYPE;
		fx.equals[i] = arena_strdup(fx.a, "=");
	}
	fx_table(0, columns);
	fx_table(1, "k:1");
	fx.s.cfg = &fx.cfg;
	fx.s.meta = "_peerdb_internal";
	fx.s.soft_delete = fx.s.synced_at = "";
	fx.s.tables = fx.pt;
	fx.s.arena = arena_new(65536);
}

static inline void
fx_end(void)
{
	pg_stmt_free_all(&fx.pt[0].stmts);
	pg_stmt_free_all(&fx.pt[1].stmts);
	pg_stmt_free_all(&fx.s.own_stmts);
	free(fx.s.tasks.v);
	free(fx.s.values);
	free(fx.s.lengths);
	free(fx.s.formats);
	buf_done(&fx.s.scratch);
	buf_done(&fx.sent);
	buf_done(&fx.prepared);
	arena_free(&fx.s.arena);
	arena_free(&fx.a);
}

/* ---- libpq's place */

static inline void
fx_show_param(const char *value, int length, int format)
{
	int i;

	if (value == NULL)
		buf_char(&fx.sent, '~');
	else if (format == 0)
		buf_str_add(&fx.sent, value);
	else
		for (i = 0; i < length; i++)
			buf_printf(&fx.sent, "%02x", (uint8_t)value[i]);
}

int
PQsendPrepare(PGconn *pq, const char *name, const char *sql, int nparams, const Oid *types)
{
	int i;

	buf_printf(&fx.prepared, "%s\t%s\n", name, sql);
	for (i = 0; i < nparams && i < 4 * FIXTURE_COLS; i++)
		fx.last_types[i] = types[i];
	fx.prepares++;
	return 1;
}

int
PQsendQueryPrepared(PGconn *pq, const char *name, int nparams, const char *const *values,
    const int *lengths, const int *formats, int result_format)
{
	const char *key = arena_printf(fx.a, "%s\t", name);
	const char *sql = strstr(buf_str(&fx.prepared), key) + strlen(key);
	int i;

	buf_add(&fx.sent, sql, strcspn(sql, "\n"));
	buf_str_add(&fx.sent, " [");
	for (i = 0; i < nparams; i++) {
		buf_str_add(&fx.sent, i > 0 ? ", " : "");
		fx_show_param(values[i], lengths[i], formats[i]);
	}
	buf_str_add(&fx.sent, "]\n");
	return 1;
}

int
PQsendQueryParams(PGconn *pq, const char *sql, int nparams, const Oid *types,
    const char *const *values, const int *lengths, const int *formats, int result_format)
{
	buf_printf(&fx.sent, "%s\n", sql);
	return 1;
}

#endif
