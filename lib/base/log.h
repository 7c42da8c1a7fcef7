/*
 * log - one line a fact, to standard error
 *
 * Three severities with fixed meaning: info (normal), warn (odd but handled),
 * error (something was lost or stopped). bug() is for our own broken
 * invariants: it writes the place and aborts. Library floors never log; the
 * programs log once, where an error stops travelling.
 *
 * A line: "2026-01-02T03:04:05.678Z info  mirror=orders pid=4121: words".
 * Line breaks in what is logged become blanks, so a line is always one line.
 */
#ifndef PEERD_BASE_LOG_H
#define PEERD_BASE_LOG_H

#include <stdarg.h>

enum log_level {
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR
};

/* Whom a line is about; an empty string for the program itself. */
struct log_subject {
	char text[160];
};

void log_set_program(const char *name);

void log_info(const struct log_subject *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void log_warn(const struct log_subject *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void log_error(const struct log_subject *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

const char *log_level_name(enum log_level level); /* "info" "warn" "error" */

#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
void bug_at(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), noreturn));

#endif
