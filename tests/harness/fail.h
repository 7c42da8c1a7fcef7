/*
 * fail - how the harness gives up, and texts that live as long as the process
 *
 * Inside a Check test test_fail() fails that test with the message; in a
 * program with a main of its own (the fault proof) it prints the message and
 * exits 1. Either way it does not return, so harness calls report no errors.
 *
 * text() formats into memory that belongs to the process: a test is a short
 * process of its own, so nothing needs freeing and nothing dangles. json()
 * does the same and turns ' into ", which keeps request bodies readable:
 *
 *	api_post("/peers/drop", json("{'peer_name': '%s'}", name));
 */
#ifndef PEERD_HARNESS_FAIL_H
#define PEERD_HARNESS_FAIL_H

#include <stdarg.h>
#include <stdbool.h>

extern bool test_under_check; /* set once by suite.c */

void test_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
char *text_v(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0), returns_nonnull));
char *json(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

#endif
