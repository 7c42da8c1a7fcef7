/*
 * setup - everything that must stand before a mirror can copy anything
 *
 * In this order: the source's tables are looked up, the checks of check.h are
 * repeated, then on the destination what dest_prepare() makes (metadata, types,
 * tables), then on the source the publication; and the slot, when there is no
 * initial snapshot (with one, whoever takes the snapshot creates the slot, for
 * its exported snapshot dies with the connection). initial_snapshot_only needs
 * neither publication nor slot.
 *
 * Nothing is undone on failure and everything may be repeated: setup can be
 * killed anywhere and run again.
 *
 * Errors: as the floors below give them; ERR_CONFIG carries the next step.
 */
#ifndef PEERD_WORKERS_SETUP_H
#define PEERD_WORKERS_SETUP_H

#include <stdbool.h>

#include "protos/worker.pb-c.h"

struct dest;
struct err;
struct pgconn;

/* Borrowed; src is a plain connection, not inside a transaction. */
struct setup {
	const PeerdWorker__Config *config;
	struct pgconn *src;
	struct dest *dst;
};

/* done_r: malloc'd; protobuf_c_message_free_unpacked() when done with. */
bool setup_run(const struct setup *s, PeerdWorker__SetupDone **done_r, struct err *err);

#endif
