#include "tests/chdbd/exception.h"

#include "lib/base/buf.h"
#include "tests/chdbd/engine.h"

/* What ClickHouse's HTTP interface answers; any other code is a 500. */
static const struct {
	int status;
	int codes[32]; /* up to a zero */
} statuses[] = {
	{ 400,
	    { 6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321,
		376, 427, 441, 675, 676 } },
	{ 401, { 194 } },
	{ 403, { 192, 193, 497, 512, 516 } },
	{ 404, { 46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511 } },
	{ 408, { 159 } },
	{ 411, { 381 } },
	{ 413, { 229 } },
	{ 415, { 779 } },
	{ 501, { 48 } },
	{ 503, { 76, 209, 439 } },
};

static const char *
exception_name(enum exception e)
{
	switch (e) {
#define X(name, code)          \
	case EXCEPTION_##name: \
		return #name;
		EXCEPTIONS(X)
#undef X
	}
	return "UNKNOWN_EXCEPTION";
}

void
exception_write(struct buf *words, enum exception e, const char *fmt, ...)
{
	va_list ap;

	buf_printf(words, "Code: %d. DB::Exception: ", (int)e);
	va_start(ap, fmt);
	buf_vprintf(words, fmt, ap);
	va_end(ap);
	buf_printf(words, ". (%s) (version %s)\n", exception_name(e), engine_version());
}

int
exception_code(const char *words)
{
	const char *at = strstr(words, "Code: ");
	int code;

	return at != NULL && sscanf(at, "Code: %d", &code) == 1 ? code : 0;
}

int
exception_status(int code)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		for (const int *c = statuses[i].codes; *c != 0; c++)
			if (*c == code)
				return statuses[i].status;
	return 500;
}
