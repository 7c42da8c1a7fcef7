/*
 * proctitle - what ps and top show of a process
 *
 * proctitle_init() takes over the memory of argv and environ (the latter is
 * moved away first), so call it at the start of main and use its copies.
 */
#ifndef PEERD_BASE_PROCTITLE_H
#define PEERD_BASE_PROCTITLE_H

void proctitle_init(int argc, char **argv);
void proctitle_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
