/*
 * The channel: frames there and back, and every kind of frame a broken or
 * hostile process could send.
 */
#include "lib/ipc/ipc.h"

#include <check.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "protos/worker.pb-c.h"

struct seen {
	struct ipc *ch;
	int hellos;
	int32_t last_pid;
	uint32_t last_request;
	int closes;
	struct err why;
	int drains;
	bool free_in_handler;
};

static struct event_base *base;

static void
on_hello(void *arg, uint32_t request_id, const ProtobufCMessage *msg)
{
	struct seen *s = arg;

	s->hellos++;
	s->last_pid = ((const PeerdWorker__Hello *)msg)->pid;
	s->last_request = request_id;
	if (s->free_in_handler)
		ipc_free(&s->ch);
}

static void
on_close(void *arg, const struct err *why)
{
	struct seen *s = arg;

	s->closes++;
	s->why = *why;
	ipc_free(&s->ch);
}

static void
on_drain(void *arg)
{
	((struct seen *)arg)->drains++;
}

static const struct ipc_handler handlers[] = {
	{ IPC_HELLO, on_hello },
	{ 0, NULL },
};

static void
seen_open(struct seen *s, int fd, uint64_t generation)
{
	struct ipc_callbacks cb = { handlers, on_close, on_drain, s };

	*s = (struct seen){ .ch = ipc_new(base, fd, generation, &cb) };
}

/* Run the loop until *what reaches n, failing after five seconds. */
static void
run_until(const int *what, int n)
{
	usec_t deadline = clock_mono_us() + 5 * USEC_PER_SEC;
	struct timeval tick = { .tv_usec = 10000 };

	while (*what < n) {
		ck_assert_msg(clock_mono_us() < deadline, "nothing happened in time");
		event_base_loopexit(base, &tick);
		event_base_loop(base, EVLOOP_ONCE);
	}
}

static void
setup(void)
{
	base = event_base_new();
}

static void
teardown(void)
{
	event_base_free(base);
}

static void
pair(int fds[2])
{
	struct err err = ERR_INIT;

	ck_assert(fd_socketpair(fds, &err));
}

static void
put_frame(struct buf *b, uint32_t length, uint16_t type, uint16_t zero, uint64_t generation)
{
	buf_u32(b, length);
	buf_u16(b, type);
	buf_u16(b, zero);
	buf_u32(b, 7);
	buf_u64(b, generation);
}

static void
send_bytes(int fd, const struct buf *b)
{
	ck_assert_int_eq(send(fd, b->p, b->n, MSG_NOSIGNAL), (ssize_t)b->n);
}

START_TEST(messages_travel_both_ways)
{
	PeerdWorker__Hello hello = PEERD_WORKER__HELLO__INIT;
	struct seen a, b;
	int fds[2];

	pair(fds);
	seen_open(&a, fds[0], 9);
	seen_open(&b, fds[1], 0);
	hello.has_pid = true;
	hello.pid = 4711;
	ipc_send(b.ch, IPC_HELLO, 3, &hello);
	run_until(&a.hellos, 1);
	ck_assert_int_eq(a.last_pid, 4711);
	ck_assert_uint_eq(a.last_request, 3);
	ck_assert_uint_eq(ipc_generation(b.ch), 0);
	ipc_send(a.ch, IPC_HELLO, 4, &hello);
	run_until(&b.hellos, 1);
	ck_assert_uint_eq(ipc_generation(b.ch), 9);
	ipc_free(&b.ch);
	run_until(&a.closes, 1);
	ck_assert_int_eq(a.why.code, ERR_NONE);
}
END_TEST

START_TEST(frames_of_another_generation_are_dropped)
{
	struct seen a;
	struct buf b;
	int fds[2];

	pair(fds);
	seen_open(&a, fds[0], 9);
	buf_init(&b, 4096);
	put_frame(&b, 0, IPC_HELLO, 0, 8);
	put_frame(&b, 0, IPC_HELLO, 0, 9);
	put_frame(&b, 0, IPC_HELLO, 0, 10);
	send_bytes(fds[1], &b);
	fd_close(&fds[1]);
	run_until(&a.closes, 1);
	ck_assert_int_eq(a.hellos, 1);
	ck_assert_int_eq(a.why.code, ERR_NONE);
	buf_done(&b);
}
END_TEST

struct hostile {
	const char *name;
	uint32_t length;
	uint16_t type;
	uint16_t zero;
	const char *payload; /* sent after the header */
	const char *words;   /* in the error */
};

static const struct hostile hostile_frames[] = {
	{ "unknown type", 0, 999, 0, "", "unknown type" },
	{ "type zero", 0, 0, 0, "", "unknown type" },
	{ "type without a handler", 0, IPC_STOP, 0, "", "unknown type" },
	{ "reserved field set", 0, IPC_HELLO, 1, "", "unknown type" },
	{ "over the type's ceiling", 1025, IPC_HELLO, 0, "", "size limit" },
	{ "four gigabytes announced", UINT32_MAX, IPC_HELLO, 0, "", "size limit" },
	{ "string longer than the frame", 3, IPC_HELLO, 0,
	    "\x0a\x7f"
	    "x",
	    "malformed" },
	{ "varint without an end", 2, IPC_HELLO, 0, "\x10\xff", "malformed" },
	{ "not protobuf at all", 4, IPC_HELLO, 0, "GET ", "malformed" },
	{ "cut inside the payload", 100, IPC_HELLO, 0, "abc", "inside a frame" },
};

START_TEST(hostile_frames_end_the_channel)
{
	const struct hostile *h = &hostile_frames[_i];
	struct seen a;
	struct buf b;
	int fds[2];

	pair(fds);
	seen_open(&a, fds[0], 9);
	buf_init(&b, 4096);
	put_frame(&b, h->length, h->type, h->zero, 9);
	buf_str_add(&b, h->payload);
	send_bytes(fds[1], &b);
	fd_close(&fds[1]);
	run_until(&a.closes, 1);
	ck_assert_msg(a.why.code == ERR_PROTOCOL, "%s: code %d", h->name, a.why.code);
	ck_assert_msg(strstr(a.why.msg, h->words) != NULL, "%s: %s", h->name, a.why.msg);
	ck_assert_int_eq(a.hellos, 0);
	buf_done(&b);
}
END_TEST

START_TEST(a_bad_frame_is_refused_before_its_payload_comes)
{
	struct seen a;
	struct buf b;
	int fds[2];

	pair(fds);
	seen_open(&a, fds[0], 9);
	buf_init(&b, 4096);
	put_frame(&b, 100 * MIB, IPC_HELLO, 0, 9);
	send_bytes(fds[1], &b);
	run_until(&a.closes, 1);
	ck_assert_int_eq(a.why.code, ERR_PROTOCOL);
	fd_close(&fds[1]);
	buf_done(&b);
}
END_TEST

START_TEST(frames_arriving_byte_by_byte)
{
	struct seen a;
	struct buf b;
	int fds[2];

	pair(fds);
	seen_open(&a, fds[0], 9);
	buf_init(&b, 4096);
	put_frame(&b, 2, IPC_HELLO, 0, 9);
	buf_str_add(&b, "\x10\x05");
	for (size_t i = 0; i < b.n; i++) {
		ck_assert_int_eq(send(fds[1], b.p + i, 1, 0), 1);
		event_base_loop(base, EVLOOP_NONBLOCK);
		ck_assert_int_eq(a.hellos, i + 1 == b.n);
	}
	ck_assert_int_eq(a.last_pid, 5);
	ipc_free(&a.ch);
	fd_close(&fds[1]);
	buf_done(&b);
}
END_TEST

START_TEST(many_frames_then_the_end)
{
	struct seen a;
	struct buf b;
	int fds[2];

	pair(fds);
	seen_open(&a, fds[0], 9);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 1000; i++)
		put_frame(&b, 0, IPC_HELLO, 0, 9);
	send_bytes(fds[1], &b);
	fd_close(&fds[1]);
	run_until(&a.closes, 1);
	ck_assert_int_eq(a.hellos, 1000);
	ck_assert_int_eq(a.why.code, ERR_NONE);
	buf_done(&b);
}
END_TEST

START_TEST(a_handler_may_free_the_channel)
{
	struct seen a;
	struct buf b;
	int fds[2];

	pair(fds);
	seen_open(&a, fds[0], 9);
	a.free_in_handler = true;
	buf_init(&b, 4096);
	put_frame(&b, 0, IPC_HELLO, 0, 9);
	put_frame(&b, 0, IPC_HELLO, 0, 9);
	send_bytes(fds[1], &b);
	run_until(&a.hellos, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(a.hellos, 1);
	ck_assert_int_eq(a.closes, 0);
	fd_close(&fds[1]);
	buf_done(&b);
}
END_TEST

/* A log line of 60 KiB; the other side does not read. */
static void
send_long_line(struct ipc *ch)
{
	static char words[60 * 1024];
	PeerdWorker__LogLine line = PEERD_WORKER__LOG_LINE__INIT;

	memset(words, 'x', sizeof(words) - 1);
	line.message = words;
	ipc_send(ch, IPC_LOG_LINE, 0, &line);
}

START_TEST(congestion_is_told_and_passes)
{
	static char sink[256 * 1024];
	struct seen a;
	int fds[2];

	pair(fds);
	seen_open(&a, fds[0], 9);
	while (!ipc_congested(a.ch))
		send_long_line(a.ch);
	while (a.drains == 0) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		ck_assert_int_ge(recv(fds[1], sink, sizeof(sink), 0), 0);
	}
	ck_assert(!ipc_congested(a.ch));
	ipc_free(&a.ch);
	fd_close(&fds[1]);
}
END_TEST

START_TEST(a_reader_that_never_reads_is_given_up)
{
	struct seen a;
	int fds[2];

	pair(fds);
	seen_open(&a, fds[0], 9);
	for (size_t sent = 0; sent <= IPC_QUEUE_MAX; sent += 60 * 1024)
		send_long_line(a.ch);
	run_until(&a.closes, 1);
	ck_assert_int_eq(a.why.code, ERR_PROTOCOL);
	fd_close(&fds[1]);
}
END_TEST

START_TEST(flush_writes_or_gives_up_in_time)
{
	static char sink[1 << 20];
	struct seen a;
	int fds[2];

	pair(fds);
	seen_open(&a, fds[0], 9);
	send_long_line(a.ch);
	ck_assert(ipc_flush(a.ch, 1000));
	ck_assert_int_gt(recv(fds[1], sink, sizeof(sink), 0), 60000);
	while (!ipc_congested(a.ch))
		send_long_line(a.ch);
	ck_assert(!ipc_flush(a.ch, 20));
	ipc_free(&a.ch);
	fd_close(&fds[1]);
}
END_TEST

START_TEST(sending_to_the_dead_does_no_harm)
{
	struct seen a;
	int fds[2];

	pair(fds);
	seen_open(&a, fds[0], 9);
	fd_close(&fds[1]);
	send_long_line(a.ch);
	run_until(&a.closes, 1);
	ck_assert_int_eq(a.why.code, ERR_NONE);
}
END_TEST

START_TEST(errors_travel)
{
	struct err there, err = ERR_INIT;
	PeerdWorker__Error msg;

	err_set(&err, ERR_CONFIG, "wal_level is \"replica\"");
	err_hint(&err, "set it to logical");
	err_reason(&err, "WAL_LEVEL");
	err_subject(&err, "a");
	err_subject(&err, "b");
	str_copy(err.sqlstate, sizeof(err.sqlstate), "55000");
	ipc_error_pack(&err, &msg);
	ipc_error_unpack(&msg, &there);
	ck_assert_mem_eq(&err.code, &there.code, sizeof(err.code));
	ck_assert_str_eq(err.msg, there.msg);
	ck_assert_str_eq(err.hint, there.hint);
	ck_assert_str_eq(err.reason, there.reason);
	ck_assert_str_eq(err.subjects, there.subjects);
	ck_assert_str_eq(err.sqlstate, there.sqlstate);
	msg.code = 4000;
	ipc_error_unpack(&msg, &there);
	ck_assert_int_eq(there.code, ERR_BUG);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ipc");
	TCase *tc = tcase_create("ipc");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, messages_travel_both_ways);
	tcase_add_test(tc, frames_of_another_generation_are_dropped);
	tcase_add_loop_test(tc, hostile_frames_end_the_channel, 0,
	    sizeof(hostile_frames) / sizeof(hostile_frames[0]));
	tcase_add_test(tc, a_bad_frame_is_refused_before_its_payload_comes);
	tcase_add_test(tc, frames_arriving_byte_by_byte);
	tcase_add_test(tc, many_frames_then_the_end);
	tcase_add_test(tc, a_handler_may_free_the_channel);
	tcase_add_test(tc, congestion_is_told_and_passes);
	tcase_add_test(tc, a_reader_that_never_reads_is_given_up);
	tcase_add_test(tc, flush_writes_or_gives_up_in_time);
	tcase_add_test(tc, sending_to_the_dead_does_no_harm);
	tcase_add_test(tc, errors_travel);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
