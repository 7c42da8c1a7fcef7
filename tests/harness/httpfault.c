#include "tests/harness/httpfault_int.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "tests/harness/fail.h"
#include "tests/harness/port.h"

#define RULES_MAX   32
#define CLIENTS_MAX 128 /* at a time */

struct rule_state {
	struct httpfault_rule rule;
	unsigned matched, hits;
};

/* A place for a connection; whoever takes the place next joins the thread that has ended. */
struct slot {
	enum {
		SLOT_UNUSED,
		SLOT_BUSY,
		SLOT_ENDED
	} state;
	pthread_t thread;
	int fd;
};

struct httpfault {
	int listener, port, server_port;
	char *url;
	pthread_t acceptor;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t released;
	struct rule_state rules[RULES_MAX];
	struct slot slots[CLIENTS_MAX];
	unsigned nrules, requests, connections, waiting;
	unsigned round; /* counts releases */
	uint64_t seed;
	bool is_over;
};

/* ---- rules */

static bool
by_chance(struct httpfault *f, unsigned percent)
{
	f->seed = f->seed * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
	return percent == 0 || (f->seed >> 33) % 100 < percent;
}

static bool
applies(struct httpfault *f, struct rule_state *s, struct slice request)
{
	const struct httpfault_rule *r = &s->rule;

	if (r->match != NULL && memmem(request.p, request.n, r->match, strlen(r->match)) == NULL)
		return false;
	if (s->matched++ < r->skip || (r->times > 0 && s->hits >= r->times))
		return false;
	return by_chance(f, r->percent);
}

struct httpfault_rule
httpfault_fate(struct httpfault *f, struct slice request)
{
	struct httpfault_rule fate = { .kind = HTTPFAULT_PASS };

	pthread_mutex_lock(&f->lock);
	f->requests++;
	for (unsigned i = 0; i < f->nrules; i++)
		if (applies(f, &f->rules[i], request)) {
			f->rules[i].hits++;
			fate = f->rules[i].rule;
			break;
		}
	pthread_mutex_unlock(&f->lock);
	return fate;
}

void
httpfault_wait(struct httpfault *f)
{
	unsigned round;

	pthread_mutex_lock(&f->lock);
	round = f->round;
	f->waiting++;
	while (f->round == round && !f->is_over)
		pthread_cond_wait(&f->released, &f->lock);
	f->waiting--;
	pthread_mutex_unlock(&f->lock);
}

int
httpfault_server(const struct httpfault *f)
{
	return f->server_port;
}

/* ---- connections */

/*
 * A real end, so that a client that is still sending hears of it. The number of
 * the descriptor stays taken until the slot is empty.
 */
static void
hang_up(int fd)
{
	int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup2(nowhere, fd);
	fd_close(&nowhere);
}

static void *
serve(void *arg)
{
	struct client *c = arg;

	buf_init(&c->in, HTTPFAULT_HEAD_MAX + HTTPFAULT_PIECE_BYTES);
	c->arena = arena_new(HTTPFAULT_PIECE_BYTES);
	while (client_serve(c))
		continue;
	hang_up(c->fd);
	buf_done(&c->in);
	arena_free(&c->arena);
	pthread_mutex_lock(&c->f->lock);
	c->slot->state = SLOT_ENDED; /* with its descriptor, lest another gets the number */
	pthread_mutex_unlock(&c->f->lock);
	free(c);
	return NULL;
}

static void
slot_empty(struct slot *slot)
{
	if (slot->state == SLOT_UNUSED)
		return;
	pthread_join(slot->thread, NULL);
	fd_close(&slot->fd);
	slot->state = SLOT_UNUSED;
}

/* A place nobody is in; NULL when all are taken. */
static struct slot *
find_slot(struct httpfault *f)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (f->slots[i].state != SLOT_BUSY) {
			slot_empty(&f->slots[i]);
			return &f->slots[i];
		}
	return NULL;
}

static void
take_client(struct httpfault *f, int fd)
{
	struct client *c = xcalloc(1, sizeof(*c));
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*c = (struct client){ .f = f, .slot = find_slot(f), .fd = fd, .server = -1 };
	if (c->slot == NULL) {
		close(fd);
		free(c);
		return;
	}
	f->connections++;
	c->slot->fd = fd;
	c->slot->state = SLOT_BUSY;
	if (pthread_create(&c->slot->thread, NULL, serve, c) != 0)
		abort();
}

static void *
accept_all(void *arg)
{
	struct httpfault *f = arg;
	int fd;

	while ((fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		pthread_mutex_lock(&f->lock);
		take_client(f, fd);
		pthread_mutex_unlock(&f->lock);
	}
	return NULL;
}

/* ---- what the test calls */

static int
listening(int port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 64) != 0)
		test_fail("could not listen on port %d: %m", port);
	return fd;
}

struct httpfault *
httpfault_new(int server_port, uint64_t seed)
{
	struct httpfault *f = xcalloc(1, sizeof(*f));

	f->server_port = server_port;
	f->seed = seed;
	f->port = port_take();
	f->url = text("http://127.0.0.1:%d", f->port);
	f->listener = listening(f->port);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->released, NULL);
	if (pthread_create(&f->acceptor, NULL, accept_all, f) != 0)
		test_fail("could not start a thread");
	return f;
}

void
httpfault_free(struct httpfault **fp)
{
	struct httpfault *f = *fp;

	if (f == NULL)
		return;
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->acceptor, NULL);
	fd_close(&f->listener);
	pthread_mutex_lock(&f->lock);
	f->is_over = true;
	pthread_cond_broadcast(&f->released);
	pthread_mutex_unlock(&f->lock);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (f->slots[i].state != SLOT_UNUSED)
			shutdown(f->slots[i].fd, SHUT_RDWR);
		slot_empty(&f->slots[i]);
	}
	MEM_FREE(*fp);
}

int
httpfault_port(const struct httpfault *f)
{
	return f->port;
}

const char *
httpfault_url(const struct httpfault *f)
{
	return f->url;
}

unsigned
httpfault_add(struct httpfault *f, struct httpfault_rule rule)
{
	unsigned i;

	pthread_mutex_lock(&f->lock);
	i = f->nrules;
	if (i < RULES_MAX)
		f->rules[f->nrules++] = (struct rule_state){ .rule = rule };
	pthread_mutex_unlock(&f->lock);
	if (i == RULES_MAX)
		test_fail("more than %d rules of trouble", RULES_MAX);
	return i;
}

void
httpfault_clear(struct httpfault *f)
{
	pthread_mutex_lock(&f->lock);
	f->nrules = 0;
	pthread_mutex_unlock(&f->lock);
}

void
httpfault_release(struct httpfault *f)
{
	pthread_mutex_lock(&f->lock);
	f->round++;
	pthread_cond_broadcast(&f->released);
	pthread_mutex_unlock(&f->lock);
}

static unsigned
look(struct httpfault *f, const unsigned *at)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = *at;
	pthread_mutex_unlock(&f->lock);
	return n;
}

unsigned
httpfault_requests(struct httpfault *f)
{
	return look(f, &f->requests);
}

unsigned
httpfault_connections(struct httpfault *f)
{
	return look(f, &f->connections);
}

unsigned
httpfault_hits(struct httpfault *f, unsigned rule)
{
	return look(f, &f->rules[rule].hits);
}

unsigned
httpfault_open(struct httpfault *f)
{
	unsigned n = 0;

	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		n += f->slots[i].state == SLOT_BUSY;
	pthread_mutex_unlock(&f->lock);
	return n;
}

unsigned
httpfault_waiting(struct httpfault *f)
{
	return look(f, &f->waiting);
}
