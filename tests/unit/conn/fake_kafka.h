/*
 * fake_kafka - three Kafka brokers that misbehave as a test says
 *
 * One topic, one thread; what they keep is in fake_kafka_broker.h. A record's
 * value begins with a number of four bytes; the logs are of those.
 */
#ifndef PEERD_TESTS_FAKE_KAFKA_H
#define PEERD_TESTS_FAKE_KAFKA_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/conn/fake_kafka_broker.h"

/* ---- misbehaving */

/* Faults that a writer has to survive without a word to its caller. */
static const struct fake_fault fake_survivable[] = {
	{ KWIRE_PRODUCE, FAKE_REFUSE, 19, 0, 0, 0 },
	{ KWIRE_PRODUCE, FAKE_DO_REFUSE, 20, 0, 0, 0 },
	{ KWIRE_PRODUCE, FAKE_DO_REFUSE, 7, 0, 0, 0 },
	{ KWIRE_PRODUCE, FAKE_CUT, 0, 0, 0, 0 },
	{ KWIRE_PRODUCE, FAKE_DO_CUT, 0, 0, 0, 0 },
	{ KWIRE_PRODUCE, FAKE_CUT_DO, 0, 0, 0, 0 },
	{ KWIRE_PRODUCE, FAKE_HALF, 0, 0, 0, 0 },
	{ KWIRE_PRODUCE, FAKE_MOVE, 0, 0, 0, 0 },
	{ KWIRE_PRODUCE, FAKE_OTHER_PLACE, 0, 0, 0, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_REFUSE, 51, 0, 0, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_DO_CUT, 0, 0, 0, 0 },
	{ KWIRE_ADD_PARTITIONS, FAKE_MOVE, 0, 0, 0, 0 },
	{ KWIRE_END_TXN, FAKE_DO_CUT, 0, 0, 0, 0 },
	{ KWIRE_END_TXN, FAKE_REFUSE, 14, 0, 0, 0 },
	{ KWIRE_METADATA, FAKE_CUT, 0, 0, 0, 0 },
};

static const struct fake_fault *
fake_draw(enum kwire_api api)
{
	size_t n = sizeof(fake_survivable) / sizeof(fake_survivable[0]);
	const struct fake_fault *f;
	size_t i, at;

	if (fake.odds == 0 || (unsigned)rand_r(&fake.seed) % 1000 >= fake.odds)
		return NULL;
	for (i = 0, at = (unsigned)rand_r(&fake.seed); i < n; i++) {
		f = &fake_survivable[(at + i) % n];
		if (f->api == api)
			return f;
	}
	return NULL;
}

static const struct fake_fault *
fake_find_fault(enum kwire_api api)
{
	unsigned nth = fake.requests[api]++;
	size_t i;

	for (i = 0; i < fake.nfaults; i++)
		if (fake.faults[i].api == api && nth >= fake.faults[i].skip &&
		    nth < fake.faults[i].skip + fake.faults[i].times)
			return &fake.faults[i];
	return fake_draw(api);
}

static void
fake_hang_up(struct fake_kconn *c)
{
	close(c->fd);
	c->fd = -1;
	buf_done(&c->in);
}

static void
fake_go_down(int broker)
{
	size_t i;

	fake.refusals[broker] = FAKE_REFUSALS;
	for (i = 0; i < FAKE_CONNS; i++)
		if (fake.conns[i].fd >= 0 && fake.conns[i].broker == broker)
			fake_hang_up(&fake.conns[i]);
}

static bool
fake_is_done(enum fake_deed deed)
{
	return deed == FAKE_DO_REFUSE || deed == FAKE_DO_CUT || deed == FAKE_HALF ||
	    deed == FAKE_GARBAGE || deed == FAKE_OTHER_ID || deed == FAKE_OTHER_PLACE ||
	    deed == FAKE_MOVE;
}

static bool
fake_is_cut(enum fake_deed deed)
{
	return deed == FAKE_CUT || deed == FAKE_DO_CUT || deed == FAKE_CUT_DO ||
	    deed == FAKE_HALF || deed == FAKE_DOWN;
}

/* ---- requests */

static void
fake_answer(int fd, uint32_t correlation, const struct buf *body, bool half)
{
	struct buf frame;

	buf_init(&frame, MIB);
	buf_u32(&frame, (uint32_t)body->n + 4);
	buf_u32(&frame, correlation);
	buf_add(&frame, body->p, body->n);
	(void)!send(fd, frame.p, half ? frame.n / 2 : frame.n, MSG_NOSIGNAL);
	buf_done(&frame);
}

static struct fake_task
fake_task(int broker, struct slice request, struct buf *to, enum kwire_api *api_r,
    uint32_t *correlation_r)
{
	struct fake_task t = { .broker = broker, .go = true, .to = to, .r = rbuf_of(request) };

	*api_r = (enum kwire_api)rbuf_u16(&t.r);
	t.version = (int16_t)rbuf_u16(&t.r);
	*correlation_r = rbuf_u32(&t.r);
	fake_string(&t.r);
	return t;
}

/* The request whose connection was cut before it was heard. */
static void
fake_hear_late(bool now)
{
	enum kwire_api api;
	uint32_t correlation;
	struct fake_task t;
	struct buf to;

	if (fake.late.n == 0 || (!now && fake.late_in-- > 0))
		return;
	buf_init(&to, MIB);
	t = fake_task(fake.late_broker, buf_slice(&fake.late), &to, &api, &correlation);
	fake_do(api, &t);
	buf_done(&to);
	buf_reset(&fake.late);
}

static void
fake_misbehave(struct fake_kconn *c, const struct fake_fault *f, struct slice request,
    struct fake_task *t)
{
	t->go = fake_is_done(f->deed);
	t->code = f->code;
	t->other_place = f->deed == FAKE_OTHER_PLACE;
	fake.fired++;
	if (f->deed == FAKE_MOVE)
		fake.leader = (fake.leader + 1) % FAKE_BROKERS;
	if (f->deed == FAKE_CUT_DO && fake.late.n == 0) {
		buf_add(&fake.late, request.p, request.n);
		fake.late_broker = c->broker;
		fake.late_in = fake.lateness;
	}
	if (f->deed == FAKE_STOP) {
		c->silent = true;
		kclient_stop(fake.client);
	}
}

static void
fake_say(struct fake_kconn *c, const struct fake_fault *f, uint32_t correlation, struct buf *body)
{
	if (f != NULL && f->deed == FAKE_GARBAGE)
		memset(body->p, 0x5a, body->n);
	if (f != NULL && f->deed == FAKE_OTHER_ID)
		correlation += 1000;
	if (!c->silent && (f == NULL || !fake_is_cut(f->deed) || f->deed == FAKE_HALF))
		fake_answer(c->fd, correlation, body, f != NULL && f->deed == FAKE_HALF);
	if (f != NULL && f->deed == FAKE_DOWN)
		fake_go_down(c->broker);
	else if (f != NULL && fake_is_cut(f->deed))
		fake_hang_up(c);
}

static void
fake_serve_one(struct fake_kconn *c, struct slice request)
{
	const struct fake_fault *f;
	enum kwire_api api;
	uint32_t correlation;
	struct fake_task t;
	struct buf body;

	buf_init(&body, MIB);
	fake_hear_late(false);
	t = fake_task(c->broker, request, &body, &api, &correlation);
	f = fake_find_fault(api);
	if (f != NULL)
		fake_misbehave(c, f, request, &t);
	fake_do(api, &t);
	fake_say(c, f, correlation, &body);
	buf_done(&body);
}

/* For how many requests behind it does the next one wait? Looks without counting it. */
static unsigned
fake_hold_of(struct slice request)
{
	struct rbuf r = rbuf_of(request);
	uint16_t api = rbuf_u16(&r);
	size_t i;

	for (i = 0; i < fake.nfaults; i++)
		if (fake.faults[i].api == api && fake.requests[api] >= fake.faults[i].skip &&
		    fake.requests[api] < fake.faults[i].skip + fake.faults[i].times)
			return fake.faults[i].hold;
	return 0;
}

static unsigned
fake_count_waiting(const struct fake_kconn *c)
{
	struct rbuf r = rbuf_of(buf_slice(&c->in));
	unsigned n = 0;

	for (rbuf_bytes(&r, rbuf_u32(&r)); rbuf_ok(&r); rbuf_bytes(&r, rbuf_u32(&r)))
		n++;
	return n;
}

static bool
fake_holds(struct fake_kconn *c, struct slice request)
{
	unsigned hold = fake_hold_of(request);
	usec_t now = clock_mono_us();

	if (c->held == 0 && hold > 0)
		c->held = now + FAKE_HOLD_US;
	if (hold > 0 && now < c->held && fake_count_waiting(c) <= hold)
		return true;
	c->held = 0;
	return false;
}

static void
fake_serve(struct fake_kconn *c)
{
	struct rbuf r;
	struct slice request;
	uint32_t n;

	while (c->fd >= 0) {
		r = rbuf_of(buf_slice(&c->in));
		n = rbuf_u32(&r);
		request = rbuf_bytes(&r, n);
		if (!rbuf_ok(&r) || fake_holds(c, request))
			return;
		fake_serve_one(c, request);
		if (c->fd >= 0)
			buf_consume(&c->in, request.n + 4);
	}
}

/* ---- the thread */

static void
fake_accept(int broker)
{
	int fd = accept4(fake.listeners[broker], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i;

	if (fd < 0)
		return;
	for (i = 0; i < FAKE_CONNS && fake.conns[i].fd >= 0; i++)
		;
	if (fake.refusals[broker] > 0 || i == FAKE_CONNS) {
		fake.refusals[broker] -= fake.refusals[broker] > 0;
		close(fd);
		return;
	}
	fake.conns[i] = (struct fake_kconn){ .fd = fd, .broker = broker };
	buf_init(&fake.conns[i].in, 64 * MIB);
}

static void
fake_read(struct fake_kconn *c)
{
	ssize_t n = recv(c->fd, buf_room(&c->in, 64 * KIB), 64 * KIB, 0);

	if (n > 0)
		c->in.n += (size_t)n;
	else if (n == 0 || errno != EAGAIN) {
		fake_hang_up(c);
		return;
	}
	fake_serve(c);
}

static void *
fake_run(void *arg)
{
	struct pollfd fds[1 + FAKE_BROKERS + FAKE_CONNS];
	int i;

	(void)arg;
	for (;;) {
		fds[0] = (struct pollfd){ .fd = fake.wake[0], .events = POLLIN };
		for (i = 0; i < FAKE_BROKERS; i++)
			fds[1 + i] = (struct pollfd){ fake.listeners[i], POLLIN, 0 };
		for (i = 0; i < FAKE_CONNS; i++)
			fds[1 + FAKE_BROKERS + i] = (struct pollfd){ fake.conns[i].fd, POLLIN, 0 };
		poll(fds, 1 + FAKE_BROKERS + FAKE_CONNS, 20);
		if (fds[0].revents != 0)
			return NULL;
		pthread_mutex_lock(&fake.lock);
		for (i = 0; i < FAKE_CONNS; i++)
			if (fake.conns[i].fd >= 0 && fds[1 + FAKE_BROKERS + i].revents != 0)
				fake_read(&fake.conns[i]);
			else if (fake.conns[i].fd >= 0 && fake.conns[i].held != 0)
				fake_serve(&fake.conns[i]);
		for (i = 0; i < FAKE_BROKERS; i++)
			if (fds[1 + i].revents != 0)
				fake_accept(i);
		pthread_mutex_unlock(&fake.lock);
	}
}

static void
fake_listen(int broker)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert(bind(fd, (struct sockaddr *)&at, n) == 0 && listen(fd, 16) == 0);
	ck_assert(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
	fake.listeners[broker] = fd;
	fake.ports[broker] = ntohs(at.sin_port);
}

static void
fake_start(void)
{
	int i;

	for (i = 0; i < FAKE_CONNS; i++)
		fake.conns[i].fd = -1;
	for (i = 0; i < FAKE_BROKERS; i++)
		fake_listen(i);
	for (i = 0; i < FAKE_PARTITIONS; i++)
		fake.logs[i].epoch = -1;
	fake.last_producer = 1;
	fake.lateness = FAKE_LATE;
	snprintf(fake.servers, sizeof(fake.servers), "127.0.0.1:%u", fake.ports[0]);
	buf_init(&fake.late, MIB);
	ck_assert(pipe2(fake.wake, O_CLOEXEC) == 0);
	ck_assert(pthread_create(&fake.thread, NULL, fake_run, NULL) == 0);
}

static void
fake_stop(void)
{
	int i;

	close(fake.wake[1]);
	pthread_join(fake.thread, NULL);
	close(fake.wake[0]);
	for (i = 0; i < FAKE_CONNS; i++)
		if (fake.conns[i].fd >= 0)
			fake_hang_up(&fake.conns[i]);
	for (i = 0; i < FAKE_BROKERS; i++)
		close(fake.listeners[i]);
	buf_done(&fake.late);
}

/* From now on, counted from 0; with the lock, for the thread may run. */
static void
fake_set_faults(const struct fake_fault *faults, size_t n)
{
	pthread_mutex_lock(&fake.lock);
	fake.faults = faults;
	fake.nfaults = n;
	fake.fired = 0;
	memset(fake.requests, 0, sizeof(fake.requests));
	pthread_mutex_unlock(&fake.lock);
}

#endif
