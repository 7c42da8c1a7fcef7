#include <stdlib.h>

#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conn/kerror.h"
#include "lib/conn/kwriter_int.h"

#define DEFAULT_PORT   9092
#define BACKOFF_MAX_US (2 * USEC_PER_SEC)

#define NO_LEADER 5

/* ---- brokers */

static struct kwriter_broker *
add_broker(struct kwriter *w, int32_t id, struct slice host, uint16_t port)
{
	struct kwriter_broker *b = xcalloc(1, sizeof(*b));

	b->id = id;
	b->host = xstrndup((const char *)host.p, host.n);
	b->port = port;
	STAILQ_INIT(&b->requests);
	w->brokers = xrealloc(w->brokers, (w->nbrokers + 1) * sizeof(*w->brokers));
	w->brokers[w->nbrokers++] = b;
	return b;
}

/* "host", "host:port", "[address]:port", and what librdkafka allows before it: "ssl://". */
static bool
add_server(struct kwriter *w, struct slice s, struct err *err)
{
	char *text = xstrndup((const char *)s.p, s.n), *host, *colon;
	struct err why = ERR_INIT;
	uint64_t port = DEFAULT_PORT;
	bool ok;

	host = strstr(text, "://");
	host = host != NULL ? host + 3 : text;
	host += strspn(host, " ");
	colon = strrchr(host, ':');
	if (colon != NULL && strchr(colon, ']') == NULL)
		*colon++ = '\0';
	else
		colon = NULL;
	ok = host[0] != '\0' && (colon == NULL || str_to_u64(colon, 1, UINT16_MAX, &port, &why));
	if (ok)
		add_broker(w, KWRITER_NOBODY, slice_str(host), (uint16_t)port);
	else
		err_set(err, ERR_CONFIG, "kafka_config.servers: \"%.*s\" is not host:port",
		    (int)s.n, (const char *)s.p);
	free(text);
	return ok;
}

bool
kwriter_find_bootstrap(struct kwriter *w, struct err *err)
{
	const char *p = w->cfg.servers;
	size_t n;

	for (; *p != '\0'; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		if (!add_server(w, slice_of(p, n), err))
			return false;
	}
	return true;
}

struct kwriter_broker *
kwriter_broker(struct kwriter *w, int32_t id)
{
	uint32_t i;

	for (i = 0; i < w->nbrokers; i++)
		if (w->brokers[i]->id == id && id != KWRITER_NOBODY)
			return w->brokers[i];
	return NULL;
}

/* Bootstrap servers are brokers too, and have told us their names. */
uint32_t
kwriter_count_brokers(const struct kwriter *w)
{
	uint32_t i, n = 0;

	for (i = 0; i < w->nbrokers; i++)
		n += w->brokers[i]->id != KWRITER_NOBODY;
	return n;
}

/* ---- reaching them */

static void
note_failure(struct kwriter *w, struct kwriter_broker *b)
{
	usec_t wait = KWRITER_BACKOFF_US << (b->failures < 10 ? b->failures : 10);

	b->failures++;
	b->again_at = clock_mono_us() + (wait < BACKOFF_MAX_US ? wait : BACKOFF_MAX_US);
	kwriter_wake(w, b->again_at);
	w->stale = true;
}

struct kwriter_broker *
kwriter_reach(struct kwriter *w, struct kwriter_broker *b, struct err *err)
{
	struct err why = ERR_INIT;

	if (b->conn != NULL)
		return b;
	if (clock_mono_us() < b->again_at)
		return NULL;
	if (kconn_open(&w->cfg.conn, b->host, b->port, &b->conn, &why)) {
		b->failures = 0;
		return b;
	}
	note_failure(w, b);
	if (why.code == ERR_CANCELLED || why.code == ERR_CONFIG)
		*err = why;
	else
		kwriter_tell(w, &why);
	return NULL;
}

struct kwriter_broker *
kwriter_reach_any(struct kwriter *w, struct err *err)
{
	uint32_t i;

	for (i = 0; i < w->nbrokers; i++)
		if (w->brokers[i]->conn != NULL)
			return w->brokers[i];
	for (i = w->nbrokers; i-- > 0;)
		if (kwriter_reach(w, w->brokers[i], err) != NULL || err->code != ERR_NONE)
			return w->brokers[i]->conn != NULL ? w->brokers[i] : NULL;
	return NULL;
}

/* ---- who leads what */

struct kwriter_broker *
kwriter_add_broker(struct kwriter *w, const struct kwire_broker *found)
{
	struct kwriter_broker *b = kwriter_broker(w, found->id);
	struct err moved = ERR_INIT;

	if (found->port < 1 || found->port > UINT16_MAX || found->id < 0)
		return NULL;
	if (b == NULL)
		return add_broker(w, found->id, found->host, (uint16_t)found->port);
	if (slice_eq(slice_str(b->host), found->host) && b->port == found->port)
		return b;
	free(b->host);
	b->host = xstrndup((const char *)found->host.p, found->host.n);
	b->port = (uint16_t)found->port;
	b->again_at = 0;
	err_set(&moved, ERR_TRANSIENT, "broker %d has another address", (int)b->id);
	kwriter_drop(w, b, &moved);
	return b;
}

static void
on_broker(void *arg, const struct kwire_broker *found)
{
	kwriter_add_broker(arg, found);
}

static struct kwriter_topic *
find_topic(struct kwriter *w, struct slice name)
{
	uint32_t i, n;

	for (n = 0; n < w->ntopics; n++) {
		i = (w->last_topic + n) % w->ntopics;
		if (slice_eq(slice_str(w->topics[i]->name), name)) {
			w->last_topic = i;
			return w->topics[i];
		}
	}
	return NULL;
}

static void
make_partitions(struct kwriter *w, struct kwriter_topic *t, uint32_t n)
{
	struct kwriter_partition *p;
	uint32_t i;

	t->partitions = xcalloc(n, sizeof(*t->partitions));
	t->npartitions = n;
	t->sticky = (uint32_t)rand_r(&w->seed) % n;
	for (i = 0; i < n; i++) {
		p = &t->partitions[i];
		p->topic = t;
		p->index = (int32_t)i;
		p->leader = KWRITER_NOBODY;
		STAILQ_INIT(&p->batches);
		buf_init(&p->open.records, w->cfg.batch_bytes);
	}
}

static void
on_topic(void *arg, struct slice name, int16_t error, uint32_t partitions)
{
	struct kwriter *w = arg;

	w->topic_at = find_topic(w, name);
	if (w->topic_at == NULL)
		return;
	w->topic_at->error = error;
	if (w->topic_at->npartitions == 0 && partitions > 0 && error == 0)
		make_partitions(w, w->topic_at, partitions);
}

/* Partitions that were added meanwhile are for the next writer: keys stay where they are. */
static void
on_partition(void *arg, int32_t index, int16_t error, int32_t leader)
{
	struct kwriter *w = arg;
	struct kwriter_partition *p;

	if (w->topic_at == NULL || index < 0 || (uint32_t)index >= w->topic_at->npartitions)
		return;
	p = &w->topic_at->partitions[index];
	if (leader < 0 || error == NO_LEADER)
		w->stale = true;
	if (p->leader == leader)
		return;
	p->leader = leader;
	p->proven = false;
}

static bool
ask_metadata(struct kwriter *w, struct kwriter_broker *b, struct buf *answer, struct err *err)
{
	const char **names = xcalloc(w->ntopics + 1, sizeof(*names));
	int32_t correlation;
	struct buf *to;
	uint32_t i;

	for (i = 0; i < w->ntopics; i++)
		names[i] = w->topics[i]->name;
	to = kconn_request(b->conn, KWIRE_METADATA, &correlation);
	kwire_put_metadata(to, kconn_version(b->conn, KWIRE_METADATA), names, w->ntopics);
	free(names);
	return kwriter_ask(w, b, KWIRE_METADATA, correlation, answer, err);
}

bool
kwriter_look(struct kwriter *w, struct err *err)
{
	static const struct kwire_metadata_fns fns = { on_broker, on_topic, on_partition };
	struct kwriter_broker *b;
	struct buf answer;
	int16_t version;
	bool ok;

	w->looked_at = clock_mono_us();
	b = kwriter_reach_any(w, err);
	if (b == NULL)
		return false;
	version = kconn_version(b->conn, KWIRE_METADATA);
	if (!ask_metadata(w, b, &answer, err))
		return false;
	w->stale = false;
	ok = kwire_read_metadata(buf_slice(&answer), version, &fns, w);
	buf_done(&answer);
	return ok || err_set(err, ERR_PROTOCOL, "metadata cannot be read");
}

/* ---- topics */

static struct kwriter_topic *
add_topic(struct kwriter *w, const char *name)
{
	struct kwriter_topic *t = xcalloc(1, sizeof(*t));

	t->name = xstrdup(name);
	w->topics = xrealloc(w->topics, (w->ntopics + 1) * sizeof(*w->topics));
	w->topics[w->ntopics] = t;
	w->last_topic = w->ntopics++;
	return t;
}

/* A topic that was made a moment ago is not known to all brokers yet. */
static bool
wait_for(struct kwriter *w, struct kwriter_topic *t, struct err *err)
{
	usec_t deadline = clock_mono_us() + w->cfg.timeout;

	while (t->npartitions == 0) {
		if (kwriter_look(w, err) && t->npartitions > 0)
			return true;
		if (err->code != ERR_NONE)
			return false;
		if (t->error != 0 && (!kerror_is_passing(t->error) || clock_mono_us() > deadline)) {
			kerror_set(err, t->error, NULL);
			return err_context(err, "topic \"%s\"", t->name);
		}
		if (!kwriter_pause(w, KWRITER_BACKOFF_US, err))
			return false;
	}
	return true;
}

struct kwriter_topic *
kwriter_topic(struct kwriter *w, const char *name, struct err *err)
{
	struct kwriter_topic *t = find_topic(w, slice_str(name));

	if (t == NULL)
		t = add_topic(w, name);
	return t->npartitions > 0 || wait_for(w, t, err) ? t : NULL;
}

/* ---- the end */

static void
free_topic(struct kwriter_topic *t)
{
	uint32_t i;

	for (i = 0; i < t->npartitions; i++)
		buf_done(&t->partitions[i].open.records);
	free(t->partitions);
	free(t->name);
	free(t);
}

void
kwriter_free_cluster(struct kwriter *w)
{
	struct err closed = ERR_INIT;
	uint32_t i;

	for (i = 0; i < w->nbrokers; i++) {
		kwriter_drop(w, w->brokers[i], &closed);
		free(w->brokers[i]->host);
		free(w->brokers[i]);
	}
	for (i = 0; i < w->ntopics; i++)
		free_topic(w->topics[i]);
	free(w->brokers);
	free(w->topics);
}
