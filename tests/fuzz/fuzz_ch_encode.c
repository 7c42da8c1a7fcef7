/*
 * Values for ClickHouse: whatever bytes come for a column, in either form,
 * they are written or refused, and what is written is the same for any other
 * way to say the same type. The first byte picks the type, the second the form.
 */
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/conn/chcaps.h"
#include "lib/sink/ch_encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX (16 * MIB)

static const struct {
	const char *typname;
	uint32_t oid;
} types[] = { { "bool", 16 }, { "int4", 23 }, { "int8", 20 }, { "float4", 700 }, { "float8", 701 },
	{ "numeric", 1700 }, { "char", 18 }, { "text", 25 }, { "bytea", 17 }, { "json", 114 },
	{ "jsonb", 3802 }, { "uuid", 2950 }, { "date", 1082 }, { "time", 1083 }, { "timetz", 1266 },
	{ "timestamp", 1114 }, { "interval", 1186 }, { "inet", 869 }, { "macaddr", 829 },
	{ "varbit", 1562 }, { "point", 600 }, { "hstore", 20000 }, { "vector", 20000 },
	{ "halfvec", 20000 }, { "sparsevec", 20000 }, { "geometry", 20000 } };

#define TYPES (sizeof(types) / sizeof(types[0]))

static void
expect(bool holds)
{
	if (!holds)
		abort();
}

/* Once as its own type, once as String; an error has words and leaves nothing behind. */
static void
encode(PeerdWorker__Column *def, struct row_value v, bool text, const char *type)
{
	PeerdbFlow__ColumnSetting set = PEERDB_FLOW__COLUMN_SETTING__INIT;
	struct ch_options opt = { .nullable = true };
	struct err err = ERR_INIT;
	struct ch_column c;
	struct ch_caps caps;
	struct buf out;
	bool ok;

	expect(ch_caps_of("26.7", &caps, &err));
	set.destination_type = (char *)type;
	expect(ch_column_init(&c, def, &set, &opt, &caps, &err));
	buf_init(&out, OUT_MAX);
	ok = ch_encode_value(&c, v, text, &out, &err);
	expect(ok || (out.n == 0 && err.msg[0] != '\0'));
	expect(ok || err.code == ERR_DATA || err.code == ERR_PROTOCOL);
	expect(!ok || out.n > 0 || buf_overflowed(&out));
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PeerdWorker__Column def = PEERD_WORKER__COLUMN__INIT;
	static char name[] = "c";
	struct row_value v;

	if (size < 2)
		return 0;
	def.name = name;
	def.base_name = def.type_name = (char *)types[data[0] % TYPES].typname;
	def.type_oid = def.base_oid = types[data[0] % TYPES].oid;
	def.dimensions = data[1] >> 1 & 3;
	v = (struct row_value){ .len = (uint32_t)size - 2, .p = data + 2 };
	encode(&def, v, data[1] & 1, "");
	encode(&def, v, data[1] & 1, "String");
	return 0;
}
