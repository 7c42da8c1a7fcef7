/*
 * peer_check - is this peer's configuration fit to be tried?
 *
 * What can be said without connecting: names, types, required fields, what
 * peerd does not serve (yet). Pure.
 *
 * Errors: INVALID naming the field; UNIMPLEMENTED naming the types that work.
 */
#ifndef PEERD_CONTROL_PEER_CHECK_H
#define PEERD_CONTROL_PEER_CHECK_H

#include <stdbool.h>

#include "protos/peers.pb-c.h"

struct err;

/* ^[a-z_][a-z0-9_]*$, at most IDENT_MAX bytes; what: "peer name" or the field's name. */
bool name_check(const char *name, const char *what, struct err *err);

bool peer_check(const PeerdbPeers__Peer *peer, struct err *err);

/* What a sound configuration's owner should know nevertheless; NULL: nothing. */
const char *peer_check_note(const PeerdbPeers__Peer *peer);

/* The type has a destination (or source) side in this version. */
bool peer_check_serves(const PeerdbPeers__Peer *peer, struct err *err);

const char *peer_type_name(int type); /* "POSTGRES"; "unknown type" for no known number */

#endif
