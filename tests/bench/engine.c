#include "tests/bench/engine.h"

#include "lib/base/limits.h"
#include "tests/bench/bench.h"
#include "tests/harness/clickhouse.h"
#include "tests/harness/fail.h"

#define ROWS_MAX  1000000
#define BYTES_MAX (2048ull * MIB)

/* As peerd inserts: one body, one block. */
#define ONE_BLOCK                        \
	"max_insert_block_size=10000000" \
	"&min_insert_block_size_rows=0"  \
	"&min_insert_block_size_bytes=0"

void
engine_insert(const struct clickhouse *c, const char *table, const char *format, struct slice body,
    const char *header, int64_t rows)
{
	struct clickhouse_request r = {
		.query = text("INSERT INTO %s FORMAT %s", table, format),
		.settings = ONE_BLOCK,
		.body = body.p,
		.body_len = body.n,
		.header = header,
	};
	struct clickhouse_reply reply = clickhouse_call(c, &r);

	if (reply.status != 200 || reply.written != rows)
		test_fail("%s: status %ld, %lld rows of %lld: %.500s", r.query, reply.status,
		    (long long)reply.written, (long long)rows, reply.body);
}

void
engine_take_rows(const struct clickhouse *c, const char *table, struct engine_rows *rows_r)
{
	int64_t all = clickhouse_i64(c, "SELECT count() FROM " TARGET_DB ".%s", table);
	struct engine_rows rows = { .count = all < ROWS_MAX ? all : ROWS_MAX };

	if (rows.count == 0)
		test_fail("%s is empty: the engine alone has nothing to insert", table);
	buf_init(&rows.bytes, BYTES_MAX);
	clickhouse_fetch(c,
	    text("SELECT * FROM " TARGET_DB ".%s LIMIT %lld FORMAT RowBinary", table,
		(long long)rows.count),
	    &rows.bytes);
	clickhouse_exec(c, "CREATE OR REPLACE TABLE " TARGET_DB ".again AS " TARGET_DB ".%s",
	    table);
	*rows_r = rows;
}

void
engine_insert_rows(const struct clickhouse *c, const struct engine_rows *rows)
{
	engine_insert(c, TARGET_DB ".again", "RowBinary", buf_slice(&rows->bytes), NULL,
	    rows->count);
}

void
engine_drop_rows(struct engine_rows *rows)
{
	buf_done(&rows->bytes);
}
