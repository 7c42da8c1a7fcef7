#include "lib/ipc/ipc.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/events.h"
#include "lib/base/fd.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/base/slice.h"
#include "lib/base/str.h"
#include "protos/worker.pb-c.h"

#define HEADER_BYTES 20
#define READ_BYTES   (64 * 1024)
#define WRITE_VECS   8

struct ipc {
	struct event_base *base;
	int fd;
	uint64_t generation;
	struct ipc_callbacks cb;
	struct evbuffer *in;
	struct evbuffer *out;
	struct event *ev_read;
	struct event *ev_write;
	struct event *ev_turn; /* more to dispatch, or the end to tell */
	bool congested;
	bool ended; /* nothing more will be read */
	bool told;  /* on_close was called */
	struct err why;
	bool busy;  /* inside a callback of the owner */
	bool freed; /* the owner freed us from inside it */
};

/* What the type number of a frame stands for. */
struct frame_type {
	enum ipc_type type;
	const ProtobufCMessageDescriptor *desc;
	uint32_t max;
};

static const struct frame_type ipc_types[] = {
#define X(name, number, message, max) { IPC_##name, &peerd_worker__##message##__descriptor, (max) },
	IPC_TYPES(X)
#undef X
};

/* Drawn in ipc.h. */
struct frame {
	uint32_t length;
	uint16_t type;
	uint32_t request_id;
	uint64_t generation;
	const struct frame_type *ft;
};

static const struct frame_type *
frame_type_find(unsigned type)
{
	for (size_t i = 0; i < sizeof(ipc_types) / sizeof(ipc_types[0]); i++)
		if (ipc_types[i].type == type)
			return &ipc_types[i];
	return NULL;
}

static const ProtobufCMessageDescriptor *
message_desc(const void *msg)
{
	return ((const ProtobufCMessage *)msg)->descriptor;
}

/* ---- the end of a channel */

static void
ipc_destroy(struct ipc *ch)
{
	event_done(&ch->ev_read);
	event_done(&ch->ev_write);
	event_done(&ch->ev_turn);
	if (ch->in != NULL)
		evbuffer_free(ch->in);
	if (ch->out != NULL)
		evbuffer_free(ch->out);
	fd_close(&ch->fd);
	free(ch);
}

/* After a callback of the owner: true when the channel is gone. */
static bool
ipc_left_callback(struct ipc *ch)
{
	ch->busy = false;
	if (!ch->freed)
		return false;
	ipc_destroy(ch);
	return true;
}

/* Reading is over; the owner hears so from ev_turn, never from inside its own call. */
static void
ipc_end(struct ipc *ch, const struct err *why)
{
	if (ch->ended)
		return;
	ch->ended = true;
	if (why != NULL) {
		ch->why = *why;
		evbuffer_drain(ch->in, evbuffer_get_length(ch->in));
	}
	event_del(ch->ev_read);
	event_active(ch->ev_turn, EV_TIMEOUT, 0);
}

static void
ipc_break(struct ipc *ch, const char *words)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_PROTOCOL, "%s", words);
	ch->ended = false;
	ipc_end(ch, &err);
}

static bool
ipc_tell_closed(struct ipc *ch)
{
	ch->told = true;
	event_del(ch->ev_write);
	ch->busy = true;
	ch->cb.on_close(ch->cb.arg, &ch->why);
	return ipc_left_callback(ch);
}

/* ---- receiving */

static const struct ipc_handler *
ipc_handler_find(const struct ipc *ch, enum ipc_type type)
{
	for (const struct ipc_handler *h = ch->cb.handlers; h->fn != NULL; h++)
		if (h->type == type)
			return h;
	return NULL;
}

/* false: not all of the header is here yet. */
static bool
frame_read_header(struct evbuffer *in, struct frame *f_r)
{
	uint8_t head[HEADER_BYTES];
	struct frame f;
	struct rbuf r;

	if (evbuffer_copyout(in, head, sizeof(head)) < (ev_ssize_t)sizeof(head))
		return false;
	r = rbuf_of(slice_of(head, sizeof(head)));
	f.length = rbuf_u32(&r);
	f.type = rbuf_u16(&r);
	f.ft = rbuf_u16(&r) == 0 ? frame_type_find(f.type) : NULL;
	f.request_id = rbuf_u32(&r);
	f.generation = rbuf_u64(&r);
	*f_r = f;
	return true;
}

static bool
ipc_generation_fits(struct ipc *ch, uint64_t generation)
{
	if (ch->generation == 0)
		ch->generation = generation;
	return generation == 0 || generation == ch->generation;
}

/* Hand one whole frame to its handler; true when the channel is gone. */
static bool
ipc_deliver(struct ipc *ch, const struct frame *f, const struct ipc_handler *h)
{
	const uint8_t *p = evbuffer_pullup(ch->in, (ev_ssize_t)(HEADER_BYTES + (size_t)f->length));
	ProtobufCMessage *msg;

	msg = protobuf_c_message_unpack(f->ft->desc, NULL, f->length, p + HEADER_BYTES);
	evbuffer_drain(ch->in, HEADER_BYTES + (size_t)f->length);
	if (msg == NULL) {
		ipc_break(ch, "received a frame whose message is malformed");
		return false;
	}
	ch->busy = true;
	if (ipc_generation_fits(ch, f->generation))
		h->fn(ch->cb.arg, f->request_id, msg);
	protobuf_c_message_free_unpacked(msg, NULL);
	return ipc_left_callback(ch);
}

enum next_frame {
	FRAME_NONE,
	FRAME_DONE,
	FRAME_GONE
};

static enum next_frame
ipc_next_frame(struct ipc *ch)
{
	const struct ipc_handler *h;
	struct frame f;

	if (!frame_read_header(ch->in, &f))
		return FRAME_NONE;
	h = f.ft != NULL ? ipc_handler_find(ch, f.ft->type) : NULL;
	if (h == NULL) {
		ipc_break(ch, "received a frame of unknown type");
		return FRAME_NONE;
	}
	if (f.length > f.ft->max) {
		ipc_break(ch, "received a frame over its size limit");
		return FRAME_NONE;
	}
	if (evbuffer_get_length(ch->in) < HEADER_BYTES + (size_t)f.length)
		return FRAME_NONE;
	return ipc_deliver(ch, &f, h) ? FRAME_GONE : FRAME_DONE;
}

/* Dispatch up to a turn's worth of frames, then tell the end if it has come. */
static void
ipc_turn(evutil_socket_t fd, short what, void *arg)
{
	struct ipc *ch = arg;
	enum next_frame next = FRAME_DONE;

	(void)fd;
	(void)what;
	for (int i = 0; i < IPC_FRAMES_PER_TURN && next == FRAME_DONE; i++)
		next = ipc_next_frame(ch);
	if (next == FRAME_GONE)
		return;
	if (next == FRAME_DONE) {
		event_active(ch->ev_turn, EV_TIMEOUT, 0);
		return;
	}
	if (!ch->ended || ch->told)
		return;
	if (evbuffer_get_length(ch->in) > 0 && ch->why.code == ERR_NONE)
		err_set(&ch->why, ERR_PROTOCOL, "the channel ended inside a frame");
	ipc_tell_closed(ch);
}

static void
ipc_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct ipc *ch = arg;
	int n = evbuffer_read(ch->in, fd, READ_BYTES);

	(void)what;
	if (n > 0)
		ipc_turn(fd, 0, ch);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		ipc_end(ch, NULL);
}

/* ---- sending */

/* false: the socket takes no more for now, or ever. */
static bool
ipc_write_some(struct ipc *ch)
{
	struct evbuffer_iovec vec[WRITE_VECS];
	struct msghdr mh = { .msg_iov = (struct iovec *)vec };
	int n = evbuffer_peek(ch->out, -1, NULL, vec, WRITE_VECS);
	ssize_t sent;

	mh.msg_iovlen = (size_t)(n < WRITE_VECS ? n : WRITE_VECS);
	sent = sendmsg(ch->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent >= 0) {
		evbuffer_drain(ch->out, (size_t)sent);
		return true;
	}
	if (errno != EAGAIN && errno != EINTR) /* the reader finds the end of it */
		evbuffer_drain(ch->out, evbuffer_get_length(ch->out));
	return errno == EINTR;
}

static void
ipc_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct ipc *ch = arg;

	(void)fd;
	(void)what;
	ipc_write_some(ch);
	if (evbuffer_get_length(ch->out) > 0)
		event_add(ch->ev_write, NULL);
	if (!ch->congested || evbuffer_get_length(ch->out) > IPC_HIGH_BYTES / 4)
		return;
	ch->congested = false;
	if (ch->cb.on_drain == NULL)
		return;
	ch->busy = true;
	ch->cb.on_drain(ch->cb.arg);
	ipc_left_callback(ch);
}

static void
ipc_append(struct ipc *ch, const struct frame_type *ft, uint32_t request_id, const void *msg,
    size_t length)
{
	struct evbuffer_iovec vec;
	uint8_t *p;

	if (evbuffer_reserve_space(ch->out, (ev_ssize_t)(HEADER_BYTES + length), &vec, 1) != 1)
		_exit(EX_OSERR);
	p = vec.iov_base;
	put_u32(p, (uint32_t)length);
	put_u16(p + 4, (uint16_t)ft->type);
	put_u16(p + 6, 0);
	put_u32(p + 8, request_id);
	put_u64(p + 12, ch->generation);
	protobuf_c_message_pack(msg, p + HEADER_BYTES);
	vec.iov_len = HEADER_BYTES + length;
	evbuffer_commit_space(ch->out, &vec, 1);
}

void
ipc_send(struct ipc *ch, enum ipc_type type, uint32_t request_id, const void *msg)
{
	const struct frame_type *ft = frame_type_find(type);
	size_t length;

	if (ch->ended)
		return;
	assert(ft != NULL && message_desc(msg) == ft->desc);
	length = protobuf_c_message_get_packed_size(msg);
	if (length > ft->max) {
		ipc_break(ch, "a message to send is over its size limit");
		return;
	}
	if (evbuffer_get_length(ch->out) + length > IPC_QUEUE_MAX) {
		ipc_break(ch, "the other side does not read, too much is queued for it");
		return;
	}
	ipc_append(ch, ft, request_id, msg, length);
	ch->congested = ch->congested || evbuffer_get_length(ch->out) > IPC_HIGH_BYTES;
	event_add(ch->ev_write, NULL);
}

bool
ipc_flush(struct ipc *ch, int timeout_ms)
{
	usec_t deadline = clock_mono_us() + timeout_ms * USEC_PER_MSEC;
	usec_t left = timeout_ms * USEC_PER_MSEC;

	while (evbuffer_get_length(ch->out) > 0 && left >= 0) {
		struct pollfd pfd = { .fd = ch->fd, .events = POLLOUT };

		if (poll(&pfd, 1, (int)(left / USEC_PER_MSEC)) > 0)
			ipc_write_some(ch);
		left = deadline - clock_mono_us();
	}
	return evbuffer_get_length(ch->out) == 0;
}

bool
ipc_congested(const struct ipc *ch)
{
	return ch->congested;
}

/* ---- life */

struct ipc *
ipc_new(struct event_base *base, int fd, uint64_t generation, const struct ipc_callbacks *cb)
{
	struct ipc *ch = xcalloc(1, sizeof(*ch));

	evutil_make_socket_nonblocking(fd);
	evutil_make_socket_closeonexec(fd);
	*ch = (struct ipc){ .base = base, .fd = fd, .generation = generation, .cb = *cb };
	ch->in = evbuffer_new();
	ch->out = evbuffer_new();
	ch->ev_read = event_new(base, fd, EV_READ | EV_PERSIST, ipc_on_readable, ch);
	ch->ev_write = event_new(base, fd, EV_WRITE, ipc_on_writable, ch);
	ch->ev_turn = event_new(base, -1, 0, ipc_turn, ch);
	if (!ch->in || !ch->out || !ch->ev_read || !ch->ev_write || !ch->ev_turn)
		_exit(EX_OSERR);
	event_add(ch->ev_read, NULL);
	return ch;
}

void
ipc_free(struct ipc **chp)
{
	struct ipc *ch = *chp;

	*chp = NULL;
	if (ch == NULL)
		return;
	if (!ch->busy) {
		ipc_destroy(ch);
		return;
	}
	ch->freed = true;
	event_del(ch->ev_read);
	event_del(ch->ev_write);
	event_del(ch->ev_turn);
}

uint64_t
ipc_generation(const struct ipc *ch)
{
	return ch->generation;
}

int
ipc_fd(const struct ipc *ch)
{
	return ch->fd;
}

/* ---- errors as messages */

void
ipc_error_pack(const struct err *err, PeerdWorker__Error *msg_r)
{
	PeerdWorker__Error msg = PEERD_WORKER__ERROR__INIT;

	msg.has_code = true;
	msg.code = (int32_t)err->code;
	msg.message = (char *)err->msg;
	msg.hint = (char *)err->hint;
	msg.reason = (char *)err->reason;
	msg.subjects = (char *)err->subjects;
	msg.sqlstate = (char *)err->sqlstate;
	*msg_r = msg;
}

void
ipc_error_unpack(const PeerdWorker__Error *msg, struct err *err_r)
{
	bool known = msg->code >= 0 && msg->code < ERR_COUNT;

	err_clear(err_r);
	err_r->code = known ? (enum err_code)msg->code : ERR_BUG;
	str_copy(err_r->msg, sizeof(err_r->msg), msg->message);
	str_copy(err_r->hint, sizeof(err_r->hint), msg->hint);
	str_copy(err_r->reason, sizeof(err_r->reason), msg->reason);
	str_copy(err_r->subjects, sizeof(err_r->subjects), msg->subjects);
	str_copy(err_r->sqlstate, sizeof(err_r->sqlstate), msg->sqlstate);
}
