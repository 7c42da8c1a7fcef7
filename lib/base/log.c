#include "lib/base/log.h"

#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"

#define LOG_LINE_MAX 8192

static const char *log_program = "peerd";

void
log_set_program(const char *name)
{
	log_program = name;
}

const char *
log_level_name(enum log_level level)
{
	static const char *const names[] = { "info", "warn", "error" };

	return names[level];
}

static void
log_write(enum log_level level, const char *subject, const char *fmt, va_list ap)
{
	char words[LOG_LINE_MAX], line[LOG_LINE_MAX + 512], when[40];
	int n;
	char *p;

	vsnprintf(words, sizeof(words), fmt, ap);
	for (p = words; *p != '\0'; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	clock_format(clock_wall_us(), when, sizeof(when));
	n = snprintf(line, sizeof(line), "%s %-5s %s%s%s: %s\n", when, log_level_name(level),
	    log_program, subject[0] != '\0' ? " " : "", subject, words);
	if (n >= (int)sizeof(line)) {
		n = (int)sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	/* one write, so that lines of several processes do not mix; a full pipe loses the line */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

#define LOG_BODY(level)                                      \
	va_list ap;                                          \
	va_start(ap, fmt);                                   \
	log_write(level, s != NULL ? s->text : "", fmt, ap); \
	va_end(ap)

void
log_info(const struct log_subject *s, const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_INFO);
}

void
log_warn(const struct log_subject *s, const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_WARN);
}

void
log_error(const struct log_subject *s, const char *fmt, ...)
{
	LOG_BODY(LOG_LEVEL_ERROR);
}

void
bug_at(const char *file, int line, const char *fmt, ...)
{
	char words[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	log_error(NULL, "bug at %s:%d: %s", file, line, words);
	abort();
}
