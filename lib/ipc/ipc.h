/*
 * ipc - the channel between a process and the one it started
 *
 * A stream socket (fd 3 in the child) carrying frames:
 *
 *	u32 length of what follows the header   u16 type   u16 zero
 *	u32 request id                          u64 generation      (big-endian)
 *	payload: one packed message of protos/worker.proto
 *
 * The type says which message; ipc_types (one table) gives its
 * descriptor and its ceiling in bytes. A malformed frame (unknown type, over
 * the ceiling, does not unpack) ends the channel: the owner hears on_close
 * with ERR_PROTOCOL and deals with that one peer only.
 *
 * The generation numbers the lives of a mirror's worker; a frame whose
 * generation is not the channel's own is dropped silently. 0 is always taken: the
 * sender has not heard its number yet (a worker's HELLO).
 *
 * Sending never blocks: bytes queue up in memory. ipc_congested() is true
 * above IPC_HIGH_BYTES; whoever produces then waits for on_drain. More than
 * IPC_QUEUE_MAX queued ends the channel.
 *
 * Everything happens in the caller's event loop (libevent). At most
 * IPC_FRAMES_PER_TURN frames are dispatched per callback. Handlers may free
 * the channel. Messages given to handlers are freed after the handler returns.
 */
#ifndef PEERD_IPC_IPC_H
#define PEERD_IPC_IPC_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

struct err;
struct event_base;
struct ipc;

#define IPC_FD		    3
#define IPC_HIGH_BYTES	    (4u << 20)
#define IPC_FRAMES_PER_TURN 64

/* X(NAME, number, message of peerd_worker in protobuf-c spelling, ceiling in bytes) */
#define IPC_TYPES(X)                                          \
	/* daemon (or mirror worker) to its child */          \
	X(CONFIG, 1, config, IPC_FRAME_MAX)                   \
	X(STOP, 2, stop, 64)                                  \
	X(PROBE_REQUEST, 3, probe_request, IPC_FRAME_MAX)     \
	X(SNAPSHOT_CONFIG, 4, snapshot_config, IPC_FRAME_MAX) \
	X(SNAPSHOT_ASSIGN, 5, snapshot_assign, 64 * 1024)     \
	/* child to parent */                                 \
	X(HELLO, 32, hello, 1024)                             \
	X(READY, 33, ready, 64)                               \
	X(SETUP_DONE, 34, setup_done, IPC_FRAME_MAX)          \
	X(SNAPSHOT_PLAN, 35, snapshot_plan, IPC_FRAME_MAX)    \
	X(PARTITION_DONE, 36, partition_done, 64 * 1024)      \
	X(SNAPSHOT_PROGRESS, 37, snapshot_progress, 64)       \
	X(TABLE_STATE, 38, table_state_change, 64 * 1024)     \
	X(SNAPSHOT_DONE, 39, snapshot_done, 64)               \
	X(BATCH, 40, batch, IPC_FRAME_MAX)                    \
	X(PROGRESS, 41, progress, 1024)                       \
	X(LOG_LINE, 43, log_line, 64 * 1024)                  \
	X(DRAINED, 44, drained, 64)                           \
	X(DROPPED, 45, dropped, 64)                           \
	X(FAILED, 46, failed, 64 * 1024)                      \
	X(PROBE_REPLY, 47, probe_reply, IPC_FRAME_MAX)        \
	X(TABLES, 48, setup_done, IPC_FRAME_MAX) /* table definitions changed (DDL) */

enum ipc_type {
#define X(name, number, message, max) IPC_##name = (number),
	IPC_TYPES(X)
#undef X
};

/* One row of a receiver's dispatch table; the table ends with { 0, NULL }. */
struct ipc_handler {
	enum ipc_type type;
	void (*fn)(void *arg, uint32_t request_id, const ProtobufCMessage *msg);
};

struct ipc_callbacks {
	const struct ipc_handler *handlers; /* a type without a row is a protocol error */
	void (*on_close)(void *arg, const struct err *why); /* once; why->code NONE: plain EOF */
	void (*on_drain)(void *arg);			    /* may be NULL */
	void *arg;
};

/* Takes over fd (made non-blocking). generation 0: adopt that of the first frame received. */
struct ipc *ipc_new(struct event_base *base, int fd, uint64_t generation,
    const struct ipc_callbacks *cb);
void ipc_free(struct ipc **ch);

/* msg must be of the type's message; it is packed at once and stays the caller's. */
void ipc_send(struct ipc *ch, enum ipc_type type, uint32_t request_id, const void *msg);
bool ipc_congested(const struct ipc *ch);
uint64_t ipc_generation(const struct ipc *ch);
int ipc_fd(const struct ipc *ch);

/* Write out what is queued, blocking up to timeout_ms: before a process exits. */
bool ipc_flush(struct ipc *ch, int timeout_ms);

/* A struct err as a message and back. The message borrows from err. */
struct PeerdWorker__Error;
void ipc_error_pack(const struct err *err, struct PeerdWorker__Error *msg_r);
void ipc_error_unpack(const struct PeerdWorker__Error *msg, struct err *err_r);

#endif
