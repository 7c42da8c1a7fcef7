/*
 * mirror_check - is this mirror's configuration fit to be tried?
 *
 * What can be said without connecting: names and their lengths, required
 * fields, identifiers, duplicates, options that exclude each other, what
 * peerd does not serve (yet). Pure.
 *
 * Errors: INVALID (CONFIG for identifiers) naming the field; UNIMPLEMENTED.
 */
#ifndef PEERD_CONTROL_MIRROR_CHECK_H
#define PEERD_CONTROL_MIRROR_CHECK_H

#include <stdbool.h>

#include "protos/flow.pb-c.h"

struct err;

#define MIRROR_SLOT_PREFIX	  "peerflow_slot_"
#define MIRROR_PUBLICATION_PREFIX "peerflow_pub_"

#define MIRROR_SLOT_MAX 128

/* The given name, or the usual one. */
void mirror_slot_name(const PeerdbFlow__FlowConnectionConfigs *config, char to[MIRROR_SLOT_MAX]);

bool mirror_check(const PeerdbFlow__FlowConnectionConfigs *config, struct err *err);

/* Postgres tables have a schema. peer_type: the destination's, a DBType. */
bool mirror_check_destinations(const PeerdbFlow__FlowConnectionConfigs *config, int peer_type,
    struct err *err);

#endif
