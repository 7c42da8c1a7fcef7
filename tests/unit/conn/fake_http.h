/*
 * fake_http - an HTTP server that does what a test says
 *
 * Runs in threads of the test's process, on a free port of 127.0.0.1. Each
 * request takes the next step of the script, whichever connection it comes on,
 * and is kept for the test to look at once its answer is there.
 */
#ifndef PEERD_TESTS_FAKE_HTTP_H
#define PEERD_TESTS_FAKE_HTTP_H

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"

#define FAKE_REQUESTS_MAX 32

struct fake_step {
	const char *status; /* of an answer that we write: "200 OK" */
	const char *headers;
	const char *body;
	size_t missing;	  /* bytes that are announced more than there are */
	const char *raw;  /* or bytes as they are */
	size_t raw_bytes; /* of them; 0: a string */
	size_t read_body; /* answer after so many bytes of the body; 0: after all */
	bool close;	  /* after the answer */
	bool hang;	  /* keep the connection and say nothing (more) */
};

struct fake_seen {
	int connection; /* 1, 2, ... */
	struct buf head;
	struct buf body; /* as far as it was read */
};

static struct {
	int listener;
	uint16_t port;
	SSL_CTX *tls;	      /* NULL: plain */
	const char *greeting; /* said to whoever connects, before anything is read */
	pthread_t acceptor;
	int living; /* connections whose threads have not ended */
	pthread_cond_t ended;
	pthread_mutex_t lock;
	const struct fake_step *steps;
	size_t nsteps;
	size_t nseen;
	struct fake_seen seen[FAKE_REQUESTS_MAX];
	int connections;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER };

struct fake_conn {
	int fd;
	int number;
	SSL *ssl;
};

static ssize_t
fake_read(struct fake_conn *c, void *to, size_t n)
{
	return c->ssl != NULL ? SSL_read(c->ssl, to, (int)n) : recv(c->fd, to, n, 0);
}

static void
fake_write(struct fake_conn *c, const char *p, size_t n)
{
	if (n == 0)
		return;
	if (c->ssl != NULL)
		(void)SSL_write(c->ssl, p, (int)n);
	else
		(void)!send(c->fd, p, n, MSG_NOSIGNAL);
}

static bool
fake_read_more(struct fake_conn *c, struct buf *in, size_t max)
{
	char bytes[4096];
	ssize_t n = fake_read(c, bytes, max < sizeof(bytes) ? max : sizeof(bytes));

	if (n > 0)
		buf_add(in, bytes, (size_t)n);
	return n > 0;
}

static bool
fake_read_head(struct fake_conn *c, struct buf *head)
{
	while (head->n < 4 || memcmp(head->p + head->n - 4, "\r\n\r\n", 4) != 0)
		if (!fake_read_more(c, head, 1))
			return false;
	return true;
}

static size_t
fake_length(const struct buf *head)
{
	const char *at = strcasestr(buf_str(head), "\r\nContent-Length:");

	return at != NULL ? strtoul(at + strlen("\r\nContent-Length:"), NULL, 10) : 0;
}

/* Wait until the client goes away. */
static void
fake_hang(struct fake_conn *c)
{
	char bytes[4096];

	while (fake_read(c, bytes, sizeof(bytes)) > 0)
		;
}

static void
fake_answer(struct fake_conn *c, const struct fake_step *step)
{
	struct buf out;

	buf_init(&out, MIB);
	if (step->raw != NULL)
		buf_add(&out, step->raw, step->raw_bytes > 0 ? step->raw_bytes : strlen(step->raw));
	if (step->status != NULL)
		buf_printf(&out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", step->status,
		    strlen(step->body) + step->missing, step->headers, step->body);
	fake_write(c, buf_str(&out), out.n);
	buf_done(&out);
}

/* One request; false: no more on this connection. */
static bool
fake_serve(struct fake_conn *c)
{
	struct fake_step step = { .close = true };
	struct fake_seen seen = { .connection = c->number };
	size_t want;

	buf_init(&seen.head, MIB);
	buf_init(&seen.body, 64 * MIB);
	if (!fake_read_head(c, &seen.head)) {
		buf_done(&seen.head);
		return false;
	}
	pthread_mutex_lock(&fake.lock);
	if (fake.nseen < fake.nsteps)
		step = fake.steps[fake.nseen];
	want = fake_length(&seen.head);
	if (step.read_body > 0 && step.read_body < want)
		want = step.read_body;
	while (seen.body.n < want && fake_read_more(c, &seen.body, want - seen.body.n))
		;
	fake.seen[fake.nseen++] = seen;
	pthread_mutex_unlock(&fake.lock);
	fake_answer(c, &step);
	if (step.hang)
		fake_hang(c);
	return !step.close && !step.hang;
}

/*
 * As servers hang up on a client that is still sending: what it sends is read
 * for a while, for a reset would take the answer from it.
 */
static void
fake_linger(int fd)
{
	const struct timeval patience = { .tv_sec = 1 };
	char dust[4096];

	shutdown(fd, SHUT_WR);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (recv(fd, dust, sizeof(dust), 0) > 0)
		;
}

static void *
fake_connection(void *arg)
{
	struct fake_conn *c = arg;

	if (fake.tls != NULL) {
		c->ssl = SSL_new(fake.tls);
		SSL_set_fd(c->ssl, c->fd);
	}
	if (fake.greeting != NULL)
		fake_write(c, fake.greeting, strlen(fake.greeting));
	if (c->ssl == NULL || SSL_accept(c->ssl) == 1)
		while (fake_serve(c))
			;
	SSL_free(c->ssl);
	OPENSSL_thread_stop();
	fake_linger(c->fd);
	close(c->fd);
	free(c);
	pthread_mutex_lock(&fake.lock);
	fake.living--;
	pthread_cond_signal(&fake.ended);
	pthread_mutex_unlock(&fake.lock);
	return NULL;
}

static void *
fake_accept(void *arg)
{
	struct fake_conn *c;
	pthread_t thread;
	int fd;

	while ((fd = accept(fake.listener, NULL, NULL)) >= 0) {
		c = xcalloc(1, sizeof(*c));
		c->fd = fd;
		c->number = ++fake.connections;
		pthread_mutex_lock(&fake.lock);
		fake.living++;
		pthread_mutex_unlock(&fake.lock);
		pthread_create(&thread, NULL, fake_connection, c);
		pthread_detach(thread);
	}
	return arg;
}

static inline void
fake_start(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);

	signal(SIGPIPE, SIG_IGN);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fake.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fake.listener, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(fake.listener, 16), 0);
	getsockname(fake.listener, (struct sockaddr *)&at, &n);
	fake.port = ntohs(at.sin_port);
	pthread_create(&fake.acceptor, NULL, fake_accept, NULL);
}

/* The client has hung up before: nobody is left who speaks to it. */
static inline void
fake_stop(void)
{
	shutdown(fake.listener, SHUT_RDWR);
	pthread_join(fake.acceptor, NULL);
	close(fake.listener);
	pthread_mutex_lock(&fake.lock);
	while (fake.living > 0)
		pthread_cond_wait(&fake.ended, &fake.lock);
	pthread_mutex_unlock(&fake.lock);
	for (size_t i = 0; i < fake.nseen; i++) {
		buf_done(&fake.seen[i].head);
		buf_done(&fake.seen[i].body);
	}
}

/* steps must last until they were taken. */
static inline void
fake_script(const struct fake_step *steps, size_t n)
{
	pthread_mutex_lock(&fake.lock);
	fake.steps = steps;
	fake.nsteps = n;
	pthread_mutex_unlock(&fake.lock);
}

#define FAKE_SCRIPT(...)                                          \
	static const struct fake_step script[] = { __VA_ARGS__ }; \
	fake_script(script, sizeof(script) / sizeof(script[0]))

/* The request of that number, when its answer was received. */
static inline const struct fake_seen *
fake_seen(size_t i)
{
	const struct fake_seen *seen;

	pthread_mutex_lock(&fake.lock);
	ck_assert_uint_lt(i, fake.nseen);
	seen = &fake.seen[i];
	pthread_mutex_unlock(&fake.lock);
	return seen;
}

static inline size_t
fake_count(void)
{
	size_t n;

	pthread_mutex_lock(&fake.lock);
	n = fake.nseen;
	pthread_mutex_unlock(&fake.lock);
	return n;
}

/* A step's answer. */
#define FAKE_REPLY(status_, headers_, body_) \
	.status = (status_), .headers = (headers_), .body = (body_)

#endif
