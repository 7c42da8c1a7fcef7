/*
 * Values in Postgres' text form become JSON in every style, whatever the text
 * is and whatever type it claims to be: either JSON that a strict reader takes,
 * or a refusal. Two bytes choose type and settings, the rest is the text.
 */
#include <stdint.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/sink/kafka_value.h"
#include "lib/wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOCAL 16500 /* an extension's type */

static const struct {
	const char *base;
	uint32_t oid;
	int32_t modifier;
} types[] = {
	{ "bool", 16, -1 },
	{ "int8", 20, -1 },
	{ "float8", 701, -1 },
	{ "text", 25, -1 },
	{ "bytea", 17, -1 },
	{ "numeric", 1700, -1 },
	{ "numeric", 1700, 655366 },
	{ "date", 1082, -1 },
	{ "time", 1083, -1 },
	{ "time", 1083, 2 },
	{ "timetz", 1266, -1 },
	{ "timestamp", 1114, -1 },
	{ "timestamp", 1114, 3 },
	{ "timestamptz", 1184, -1 },
	{ "interval", 1186, -1 },
	{ "point", 600, -1 },
	{ "bit", 1560, 1 },
	{ "varbit", 1562, -1 },
	{ "hstore", LOCAL, -1 },
	{ "vector", LOCAL, -1 },
	{ "geometry", LOCAL, -1 },
};

#define TYPES (sizeof(types) / sizeof(types[0]))

/* Duplicate keys of an hstore and the like are the reader's business; nesting is bounded. */
static void
expect_json(const struct buf *out)
{
	struct err err = ERR_INIT;
	cJSON *tree;

	if (!json_parse(buf_str(out), out->n, &tree, &err) && err.code != ERR_TOO_LARGE)
		abort();
	if (err.code == ERR_NONE)
		cJSON_Delete(tree);
}

static void
try_styles(PeerdWorker__Column *def, const struct kafka_options *opt, struct slice text,
    struct kafka_writer *w, struct buf *out)
{
	struct row_value v = { .len = (uint32_t)text.n, .p = text.p };
	struct arena *a = arena_new(4096);
	struct kafka_column c;
	int style;

	for (style = 0; style < KAFKA_STYLES; style++) {
		kafka_column_init(&c, a, def, (enum kafka_style)style, opt);
		buf_reset(out);
		w->out = out;
		if (kafka_put_value(w, &c, v) == KAFKA_PUT_OK)
			expect_json(out);
	}
	arena_free(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kafka_options opt = { .lossy = KAFKA_LOSSY_ERROR };
	PeerdWorker__Column def;
	struct kafka_writer w;
	char name[16];
	struct buf out;
	uint8_t *text;

	/* what no server sends: it checks encodings, and has no NUL */
	if (size < 2 || !str_utf8_valid((const char *)data + 2, size - 2) ||
	    memchr(data + 2, '\0', size - 2) != NULL)
		return 0;
	peerd_worker__column__init(&def);
	str_copy(name, sizeof(name), types[data[0] % TYPES].base);
	def.name = def.base_name = name;
	def.base_oid = types[data[0] % TYPES].oid;
	def.base_modifier = types[data[0] % TYPES].modifier;
	def.dimensions = data[0] / TYPES % 3;
	opt.decimals = data[1] % 4;
	opt.times = data[1] / 4 % 3;
	opt.binary = data[1] / 12 % 3;
	opt.schemas = data[1] / 36 % 2;
	text = malloc(size - 2 > 0 ? size - 2 : 1); /* its end is watched */
	memcpy(text, data + 2, size - 2);
	kafka_writer_init(&w);
	buf_init(&out, 64 * 1024 * 1024);
	try_styles(&def, &opt, slice_of(text, size - 2), &w, &out);
	kafka_writer_done(&w);
	buf_done(&out);
	free(text);
	return 0;
}
