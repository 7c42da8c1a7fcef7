/*
 * probe_int - shared by the probe files only
 */
#ifndef PEERD_WORKERS_PROBE_INT_H
#define PEERD_WORKERS_PROBE_INT_H

#include <stdbool.h>

#include "lib/conn/pgconn.h"
#include "lib/sink/dest.h"
#include "protos/route.pb-c.h"
#include "protos/worker.pb-c.h"

/* One call under way. */
struct probe {
	const PeerdWorker__ProbeRequest *req;
	struct pgconn_interrupt intr; /* the daemon hung up */
};

/*
 * in is the call's unpacked request, out its empty response: everything put
 * into out is malloc'd and freed with it.
 */
typedef bool probe_fn(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out,
    struct err *err);

/* The peer's configuration; ERR_UNIMPLEMENTED for what is not Postgres, ERR_INVALID for none. */
bool probe_config(const PeerdbPeers__Peer *peer, const PeerdbPeers__PostgresConfig **cfg_r,
    struct err *err);

/* Connect to a Postgres peer; its name is in the error. */
bool probe_open(struct probe *p, const PeerdbPeers__Peer *peer, struct pgconn **c_r,
    struct err *err);

/* Connect to a peer of any kind. mirror: that it is the destination of, or NULL. */
bool probe_open_dest(struct probe *p, const PeerdbPeers__Peer *peer,
    const PeerdbFlow__FlowConnectionConfigs *mirror, struct dest **d_r, struct err *err);

/* Append a copy to a repeated string field. */
void probe_add_string(char ***v, size_t *n, const char *s);

/* Append an initialised message of `size` bytes to a repeated message field. */
#define PROBE_ADD(out, field, type_init, item)                       \
	do {                                                         \
		(item) = xmalloc(sizeof(*(item)));                   \
		type_init(item);                                     \
		(out)->field = xrealloc((out)->field,                \
		    ((out)->n_##field + 1) * sizeof(*(out)->field)); \
		(out)->field[(out)->n_##field++] = (item);           \
	} while (0)

/* probe_peer.c */
probe_fn probe_validate_peer;
probe_fn probe_create_peer;
probe_fn probe_peer_info;

/* probe_mirror.c */
probe_fn probe_check_mirror;
probe_fn probe_row_counts;

/* probe_browse.c */
probe_fn probe_schemas;
probe_fn probe_tables;
probe_fn probe_all_tables;
probe_fn probe_columns;
probe_fn probe_publications;

/* probe_stat.c */
probe_fn probe_slots;
probe_fn probe_activity;

#endif
