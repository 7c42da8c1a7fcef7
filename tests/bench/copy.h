/*
 * copy - COPY in the binary format, as bare as it can be
 *
 * copy_begin() starts a COPY that the caller then reads or writes through
 * libpq; the other two do just that, to its end. Both may run in a thread of
 * their own, each with connections of its own.
 */
#ifndef PEERD_BENCH_COPY_H
#define PEERD_BENCH_COPY_H

#include <libpq-fe.h>

struct meter;

void copy_begin(PGconn *c, const char *statement, ExecStatusType expected);

void copy_discard(PGconn *from, struct meter *m); /* the meter is ticked on the way */
void copy_relay(PGconn *from, PGconn *to);

#endif
