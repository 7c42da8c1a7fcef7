#include "tests/bench/formats.h"

#include <lz4frame.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "tests/bench/engine.h"
#include "tests/bench/meter.h"
#include "tests/harness/clickhouse.h"
#include "tests/harness/fail.h"
#include "tests/harness/proc.h"

#define BODY_MAX (2048ull * MIB)
#define MILLION	 1e6

/* The table that peerd makes for `events`, and rows like its. */
#define WIDE                                                                             \
	"(id Int64, n Nullable(Int32), amount Nullable(Decimal(12, 2)), "                \
	"f Nullable(Float64), ts Nullable(DateTime64(6, 'UTC')), u Nullable(UUID), "     \
	"body Nullable(String), doc Nullable(String), ok Nullable(Bool), "               \
	"tags Array(Nullable(String)), _peerdb_is_deleted UInt8, _peerdb_version UInt64" \
	") ENGINE = ReplacingMergeTree(_peerdb_version, _peerdb_is_deleted) ORDER BY id"

#define MD5_OF(i) "lower(hex(MD5(toString(" i "))))"

static const char rows_of[] =
    "INSERT INTO formats.wide WITH number + 1 AS i SELECT i, i * 7919 %% 1000003, "
    "toDecimal64(i * 31337 %% 100000000, 2) / 100, sqrt(i) * 1.000001, "
    "toDateTime64('2024-01-01', 6, 'UTC') + toIntervalMillisecond(i * 1700), "
    "reinterpretAsUUID(MD5(toString(i))), "
    "substring(concat(" MD5_OF("i + 1") ", ' ', " MD5_OF(
	"i + 2") "), 1, 52 + i %% 17), "
		 "concat('{\"ab\": ', if(i %% 2 = 0, 'true', 'false'), ', \"ms\": ', toString(i %% "
		 "5000), "
		 "', \"ref\": \"https://x.y/', toString(i %% 77777), '\", \"page\": \"/p/', "
		 "toString(i %% 1009), '\", \"sess\": \"', " MD5_OF(
		     "i + 3") ", '\", \"user\": \"u', "
			      "toString(i %% 99991), '\"}'), i %% 3 = 0, "
			      "[concat('t', toString(i %% 97)), concat('k', toString(i %% 1013))], "
			      "0, 0 "
			      "FROM numbers(%d)";

static const struct {
	const char *title;
	const char *name;
	bool packed;
} formats[FORMAT_COUNT] = {
	[FORMAT_ROWBINARY] = { "RowBinary", "RowBinary", false },
	[FORMAT_ROWBINARY_LZ4] = { "RowBinary, LZ4", "RowBinary", true },
	[FORMAT_NATIVE] = { "Native", "Native", false },
	[FORMAT_NATIVE_LZ4] = { "Native, LZ4", "Native", true },
	[FORMAT_JSON] = { "JSONEachRow", "JSONEachRow", false },
};

const char *
format_title(enum format f)
{
	return formats[f].title;
}

void
formats_prepare(const struct bench *b, int rows)
{
	bench_say("preparing rows in every format");
	clickhouse_exec(b->engine, "CREATE DATABASE formats");
	clickhouse_exec(b->engine, "CREATE TABLE formats.wide " WIDE);
	clickhouse_exec(b->engine, rows_of, rows);
}

static void
pack(const struct buf *plain, struct buf *packed)
{
	const LZ4F_preferences_t how = {
		.frameInfo = { .contentSize = plain->n, .blockSizeID = LZ4F_max256KB },
	};
	size_t max = LZ4F_compressFrameBound(plain->n, &how);

	packed->n = LZ4F_compressFrame(buf_room(packed, max), max, plain->p, plain->n, &how);
	if (LZ4F_isError(packed->n))
		test_fail("LZ4: %s", LZ4F_getErrorName(packed->n));
}

static double
engine_cpu(const struct bench *b)
{
	return proc_cpu_seconds(clickhouse_pid(b->engine));
}

static struct format_cost
per_million(struct format_cost c, int rows)
{
	double share = MILLION / rows;

	return (struct format_cost){
		.seconds = c.seconds * share,
		.megabytes = c.megabytes * share,
		.client_cpu = c.client_cpu * share,
		.engine_cpu = c.engine_cpu * share,
	};
}

struct format_cost
formats_measure(const struct bench *b, enum format f, int rows)
{
	const char *header = formats[f].packed ? "Content-Encoding: lz4" : NULL;
	struct buf plain, packed;
	const struct buf *body = formats[f].packed ? &packed : &plain;
	struct format_cost c;
	usec_t began;

	buf_init(&plain, BODY_MAX);
	buf_init(&packed, BODY_MAX);
	clickhouse_fetch(b->engine, text("SELECT * FROM formats.wide FORMAT %s", formats[f].name),
	    &plain);
	clickhouse_exec(b->engine, "CREATE OR REPLACE TABLE formats.again AS formats.wide");
	c.client_cpu = -cpu_self();
	c.engine_cpu = -engine_cpu(b);
	began = clock_mono_us();
	if (formats[f].packed)
		pack(&plain, &packed);
	engine_insert(b->engine, "formats.again", formats[f].name, buf_slice(body), header, rows);
	c.seconds = (double)(clock_mono_us() - began) / USEC_PER_SEC;
	c.client_cpu += cpu_self();
	c.engine_cpu += engine_cpu(b);
	c.megabytes = (double)body->n / MILLION;
	buf_done(&plain);
	buf_done(&packed);
	return per_million(c, rows);
}
