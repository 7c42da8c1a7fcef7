/*
 * chparams - how to reach a ClickHouse server, from a peer's configuration
 *
 * HTTPS unless disable_tls says otherwise; when it is not given and port is
 * 8123, on which servers speak plain HTTP, and no field asks for TLS, HTTP.
 * tls_certificate_directory (tls.crt, tls.key, perhaps ca.crt) goes before the
 * certificates given as text. User and password travel as headers, never in a
 * URL. The fields s3 and s3_* are of no use here: nothing is staged.
 *
 * Errors: ERR_CONFIG for values that cannot work, without repeating secrets.
 */
#ifndef PEERD_CONN_CHPARAMS_H
#define PEERD_CONN_CHPARAMS_H

#include <stdbool.h>

#include "lib/conn/httpc.h"
#include "protos/peers.pb-c.h"

struct err;

#define CHPARAMS_OWNED 5

struct chparams {
	struct httpc_config http; /* but for loop, intr, timeouts, user_agent */
	bool compress;		  /* bodies, if the server takes it */
	const char *headers[3];
	char *owned[CHPARAMS_OWNED];
	int nowned;
};

/* Borrows from cfg. p is initialised even on failure: call chparams_done() in both cases. */
bool chparams_build(struct chparams *p, const PeerdbPeers__ClickhouseConfig *cfg, struct err *err);
void chparams_done(struct chparams *p);

#endif
