/*
 * Any bytes on the channel between daemon and worker: every frame is handed to
 * its handler or ends the channel, which is told exactly once and in words.
 */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/ipc/ipc.h"
#include "protos/worker.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX 65536 /* what a socket takes at once */
#define TURNS \
	(INPUT_MAX / 20 / IPC_FRAMES_PER_TURN + 8) /* of the loop, for frames of a header each */

static void
expect(bool holds)
{
	if (!holds)
		abort();
}

static void
on_message(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	expect(msg->descriptor != NULL);
}

static void
on_close(void *arg, const struct err *why)
{
	int *closed = arg;

	expect(why->code == ERR_NONE || why->code == ERR_PROTOCOL);
	expect((why->code == ERR_NONE) == (why->msg[0] == '\0'));
	(*closed)++;
}

static const struct ipc_handler handlers[] = {
#define X(name, number, message, max) { IPC_##name, on_message },
	IPC_TYPES(X)
#undef X
	    { 0, NULL }
};

/* The generation comes from the input's first byte: 0 adopts, others drop. */
static void
play(struct event_base *loop, const uint8_t *data, size_t size)
{
	int closed = 0, fds[2], turns;
	struct ipc_callbacks cb = { .handlers = handlers, .on_close = on_close, .arg = &closed };
	struct err err = ERR_INIT;
	struct ipc *ch;

	expect(fd_socketpair(fds, &err));
	ch = ipc_new(loop, fds[0], data[0], &cb);
	expect(write(fds[1], data + 1, size - 1) == (ssize_t)size - 1);
	fd_close(&fds[1]);
	for (turns = 0; turns < TURNS; turns++)
		event_base_loop(loop, EVLOOP_NONBLOCK);
	expect(closed == 1);
	ipc_free(&ch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *loop;

	if (loop == NULL)
		loop = event_base_new();
	if (size > 0 && size <= INPUT_MAX)
		play(loop, data, size);
	return 0;
}
