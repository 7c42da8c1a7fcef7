/*
 * pg_fence - only one worker at a time writes a mirror's destination
 *
 * An advisory lock that lives as long as its session. A session that a killed
 * worker left behind, perhaps in the middle of a commit, still holds it: wait
 * for its end, then help it along. Whatever is read under the lock is final.
 *
 * Errors: as pgconn.h; ERR_TRANSIENT when the other session will not end.
 */
#ifndef PEERD_SINK_PG_FENCE_H
#define PEERD_SINK_PG_FENCE_H

#include <stdbool.h>

struct err;
struct pgconn;

/* Held until the connection is closed. */
bool pg_fence(struct pgconn *dst, const char *mirror, struct err *err);

#endif
