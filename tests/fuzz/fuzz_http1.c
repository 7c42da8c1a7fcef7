/*
 * Heads, chunked bodies and queries from strangers. What is accepted must keep
 * its promises: no control characters, one framing, decoded text is UTF-8.
 */
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/wire/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool holds)
{
	if (!holds)
		abort();
}

static bool
on_param(void *arg, const char *name, const char *value, struct err *err)
{
	expect(str_utf8_valid(name, strlen(name)) && str_utf8_valid(value, strlen(value)));
	return true;
}

static void
try_head(struct arena *a, struct slice bytes)
{
	struct err err = ERR_INIT;
	struct http1_head h;
	size_t n = http1_head_length(bytes);
	int status = 0;

	expect(n <= bytes.n);
	if (n == 0)
		return;
	if (!http1_head_parse(slice_of(bytes.p, n), a, &h, &status, &err)) {
		expect(status >= 400 && err.code != ERR_NONE);
		return;
	}
	expect(h.path[0] == '/' || strcmp(h.path, "*") == 0);
	expect(h.nheaders <= HTTP1_HEADERS_MAX);
	expect(http1_header_count(&h, "Content-Length") +
		http1_header_count(&h, "Transfer-Encoding") <=
	    1);
	(void)http1_query_each(a, h.query, on_param, NULL, &err);
}

static void
try_chunks(struct slice bytes)
{
	struct http1_chunks c = HTTP1_CHUNKS_INIT;
	struct err err = ERR_INIT;
	size_t used = 0;
	struct buf out;

	buf_init(&out, 4096);
	while (bytes.n > 0 && !http1_chunks_done(&c) && !buf_overflowed(&out)) {
		size_t n = bytes.n > 7 ? 7 : bytes.n;

		if (!http1_chunks_feed(&c, slice_of(bytes.p, n), &used, &out, &err))
			break;
		expect(used <= n);
		bytes = slice_of(bytes.p + used, bytes.n - used);
	}
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(4096);
	struct err err = ERR_INIT;
	const char *text;

	try_head(a, slice_of(data, size));
	try_chunks(slice_of(data, size));
	if (http1_decode(a, slice_of(data, size), true, &text, &err))
		expect(str_utf8_valid(text, strlen(text)));
	arena_free(&a);
	return 0;
}
