#include "lib/base/err.h"

struct err_row {
	const char *name;
	int grpc;
	int http;
	const char *sqlstate;
	enum err_policy policy;
};

static const struct err_row err_rows[ERR_COUNT] = {
#define X(name, grpc, http, state, policy) \
	[ERR_##name] = { #name, grpc, http, state, ERR_POLICY_##policy },
	ERR_CODES(X)
#undef X
};

/* What did not fit was cut off, perhaps inside a character: then without it. */
static void
cut_at_character(char *text, size_t size)
{
	size_t n = strlen(text);

	if (n + 1 < size || ((unsigned char)text[n - 1] & 0x80) == 0)
		return;
	while (n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
		n--;
	text[n > 0 ? n - 1 : 0] = '\0';
}

bool
err_vset(struct err *err, enum err_code code, const char *fmt, va_list ap)
{
	err_clear(err);
	err->code = code;
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	cut_at_character(err->msg, sizeof(err->msg));
	return false;
}

bool
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, code, fmt, ap);
	va_end(ap);
	return false;
}

bool
err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	cut_at_character(err->hint, sizeof(err->hint));
	return false;
}

bool
err_context(struct err *err, const char *fmt, ...)
{
	size_t n = strlen(err->msg);
	va_list ap;

	if (n + 3 >= sizeof(err->msg))
		return false;
	memcpy(err->msg + n, ": ", 3);
	va_start(ap, fmt);
	vsnprintf(err->msg + n + 2, sizeof(err->msg) - n - 2, fmt, ap);
	va_end(ap);
	cut_at_character(err->msg, sizeof(err->msg));
	return false;
}

void
err_reason(struct err *err, const char *reason)
{
	snprintf(err->reason, sizeof(err->reason), "%s", reason);
}

void
err_subject(struct err *err, const char *name)
{
	size_t n = strlen(err->subjects);

	snprintf(err->subjects + n, sizeof(err->subjects) - n, "%s%s", n > 0 ? "\n" : "", name);
}

void
err_clear(struct err *err)
{
	err->code = ERR_NONE;
	err->msg[0] = err->hint[0] = err->reason[0] = err->subjects[0] = err->sqlstate[0] = '\0';
}

const char *
err_code_name(enum err_code code)
{
	return err_rows[code].name;
}

int
err_grpc_code(enum err_code code)
{
	return err_rows[code].grpc;
}

int
err_http_status(enum err_code code)
{
	return err_rows[code].http;
}

const char *
err_sqlstate(enum err_code code)
{
	return err_rows[code].sqlstate;
}

enum err_policy
err_policy(enum err_code code)
{
	return err_rows[code].policy;
}
