/*
 * Small texts that people write: names of tables, keyword = value pairs,
 * positions, times, numbers. What is taken reads back the same once printed.
 */
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/types/ident.h"
#include "lib/wire/kvtext.h"
#include "lib/wire/lsn.h"
#include "lib/wire/rfc3339.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VALUE_MAX 4096

static void
expect(bool holds)
{
	if (!holds)
		abort();
}

static void
try_ident(const char *text)
{
	char printed[IDENT_TEXT_MAX];
	struct table_ident t, again;
	struct err err = ERR_INIT;

	if (!ident_parse_table(text, &t, &err)) {
		expect(err.code == ERR_CONFIG && err.msg[0] != '\0');
		return;
	}
	ident_format(t.schema, t.name, printed);
	expect(ident_parse_table(printed, &again, &err));
	expect(ident_equal(&t, &again));
}

/* As libpq would read it: in quotes, with a backslash before quotes and backslashes. */
static void
check_quoted(const char *value)
{
	struct buf text, key, again;
	struct err err = ERR_INIT;
	const char *p;
	bool more;

	buf_init(&text, 2 * VALUE_MAX + 16);
	buf_init(&key, 16);
	buf_init(&again, VALUE_MAX);
	buf_str_add(&text, " k = '");
	for (p = value; *p != '\0'; p++) {
		if (*p == '\'' || *p == '\\')
			buf_char(&text, '\\');
		buf_char(&text, *p);
	}
	buf_char(&text, '\'');
	p = buf_str(&text);
	expect(kvtext_next(&p, &key, &again, &more, &err) && more);
	expect(strcmp(buf_str(&key), "k") == 0 && strcmp(buf_str(&again), value) == 0);
	expect(*p == '\0');
	buf_done(&text);
	buf_done(&key);
	buf_done(&again);
}

static void
try_pairs(const char *text)
{
	const char *p = text, *before;
	struct err err = ERR_INIT;
	struct buf key, value;
	bool more = true;

	buf_init(&key, VALUE_MAX);
	buf_init(&value, VALUE_MAX);
	while (more) {
		before = p;
		if (!kvtext_next(&p, &key, &value, &more, &err)) {
			expect(err.code == ERR_INVALID && err.msg[0] != '\0');
			break;
		}
		expect(!more || p > before);
		if (more && !buf_overflowed(&value))
			check_quoted(buf_str(&value));
	}
	buf_done(&key);
	buf_done(&value);
}

static void
try_lsn(const char *text)
{
	lsn_t lsn, again;

	if (lsn_parse(text, &lsn))
		expect(lsn_parse(lsn_str(lsn), &again) && again == lsn);
}

static void
try_time(const char *text)
{
	char printed[RFC3339_SIZE];
	int64_t s, s2;
	int32_t ns, ns2;

	if (!rfc3339_parse(text, &s, &ns))
		return;
	rfc3339_print(s, ns, printed);
	expect(rfc3339_parse(printed, &s2, &ns2));
	expect(s == s2 && ns == ns2);
}

static void
try_number(const char *text)
{
	struct err err = ERR_INIT;
	char printed[32];
	uint64_t u, u2;
	int64_t i, i2;

	if (str_to_u64(text, 0, UINT64_MAX, &u, &err)) {
		snprintf(printed, sizeof(printed), "%llu", (unsigned long long)u);
		expect(str_to_u64(printed, u, u, &u2, &err) && u == u2);
	}
	if (str_to_i64(text, INT64_MIN, INT64_MAX, &i, &err)) {
		snprintf(printed, sizeof(printed), "%lld", (long long)i);
		expect(str_to_i64(printed, i, i, &i2, &err) && i == i2);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	try_ident(text);
	try_pairs(text);
	try_lsn(text);
	try_time(text);
	try_number(text);
	(void)str_utf8_valid(text, size);
	(void)str_distance(text, "replication_slot_name");
	free(text);
	return 0;
}
