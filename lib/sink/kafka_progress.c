#include "lib/sink/kafka_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conn/kclient.h"
#include "lib/wire/json.h"

#define KEY_SIZE 256

static const char topic_config[] =
    "cleanup.policy=compact segment.bytes=16777216 min.cleanable.dirty.ratio=0.1";

/* Of a partition of a snapshot. */
struct mark {
	char *key;
	struct kafka_loaded loaded;
};

struct kafka_progress {
	struct kafka_progress_config cfg;
	struct kclient *reader, *peeker; /* NULL: at rest */
	int64_t offset;			 /* read so far */
	bool concerned;			 /* while peeking: there is something of ours */

	lsn_t lsn;
	char *snapshot;
	struct kafka_stopped *stopped;
	size_t nstopped;
	struct mark *marks;
	size_t nmarks, marks_cap;
};

/* ---- what is known */

lsn_t
kafka_progress_lsn(const struct kafka_progress *p)
{
	return p->lsn;
}

const char *
kafka_progress_snapshot(const struct kafka_progress *p)
{
	return p->snapshot;
}

const struct kafka_stopped *
kafka_progress_stopped(const struct kafka_progress *p, const char *table)
{
	size_t i;

	for (i = 0; i < p->nstopped; i++)
		if (strcmp(p->stopped[i].table, table) == 0)
			return &p->stopped[i];
	return NULL;
}

static struct mark *
find_mark(const struct kafka_progress *p, const char *key)
{
	size_t i;

	for (i = 0; i < p->nmarks; i++)
		if (strcmp(p->marks[i].key, key) == 0)
			return &p->marks[i];
	return NULL;
}

static const char *
mark_key(const struct kafka_progress *p, uint32_t table, int32_t partition, char *to)
{
	snprintf(to, KEY_SIZE, "%s/%s/%u/%d", p->cfg.mirror, p->snapshot, table, partition);
	return to;
}

struct kafka_loaded
kafka_progress_loaded(const struct kafka_progress *p, uint32_t table, int32_t partition)
{
	char key[KEY_SIZE];
	const struct mark *m = find_mark(p, mark_key(p, table, partition, key));

	return m != NULL ? m->loaded : (struct kafka_loaded){ .rows = 0 };
}

/* ---- changing it */

void
kafka_progress_set_lsn(struct kafka_progress *p, lsn_t lsn)
{
	p->lsn = lsn;
}

void
kafka_progress_set_snapshot(struct kafka_progress *p, const char *id)
{
	char *copy = xstrdup(id);

	free(p->snapshot);
	p->snapshot = copy;
}

void
kafka_progress_add_stopped(struct kafka_progress *p, const char *table, const char *error,
    const char *hint)
{
	if (kafka_progress_stopped(p, table) != NULL)
		return;
	p->stopped = xrealloc(p->stopped, (p->nstopped + 1) * sizeof(*p->stopped));
	p->stopped[p->nstopped++] = (struct kafka_stopped){
		.table = xstrdup(table),
		.error = xstrdup(error),
		.hint = xstrdup(hint),
	};
}

static void
forget_stopped(struct kafka_progress *p)
{
	size_t i;

	for (i = 0; i < p->nstopped; i++) {
		free(p->stopped[i].table);
		free(p->stopped[i].error);
		free(p->stopped[i].hint);
	}
	MEM_FREE(p->stopped);
	p->nstopped = 0;
}

void
kafka_progress_clear(struct kafka_progress *p)
{
	p->lsn = LSN_INVALID;
	kafka_progress_set_snapshot(p, "");
	forget_stopped(p);
}

static void
note_mark(struct kafka_progress *p, const char *key, struct kafka_loaded loaded)
{
	struct mark *m = find_mark(p, key);

	if (m == NULL && p->nmarks == p->marks_cap) {
		p->marks_cap = p->marks_cap > 0 ? 2 * p->marks_cap : 16;
		p->marks = xrealloc(p->marks, p->marks_cap * sizeof(*p->marks));
	}
	if (m == NULL) {
		m = &p->marks[p->nmarks++];
		m->key = xstrdup(key);
	}
	m->loaded = loaded;
}

static void
forget_mark(struct kafka_progress *p, const char *key)
{
	struct mark *m = find_mark(p, key);

	if (m == NULL)
		return;
	free(m->key);
	*m = p->marks[--p->nmarks];
}

/* ---- texts */

static char *
print_and_free(cJSON *o)
{
	char *text = cJSON_PrintUnformatted(o);

	cJSON_Delete(o);
	return text;
}

static void
add_stopped(cJSON *list, const struct kafka_stopped *s)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "table", s->table);
	cJSON_AddItemToObject(o, "error", json_text(s->error));
	cJSON_AddItemToObject(o, "hint", json_text(s->hint));
	cJSON_AddItemToArray(list, o);
}

char *
kafka_progress_text(const struct kafka_progress *p)
{
	cJSON *o = cJSON_CreateObject(), *list;
	size_t i;

	json_use_our_memory();
	if (p->lsn != LSN_INVALID)
		cJSON_AddStringToObject(o, "lsn", lsn_str(p->lsn));
	if (p->snapshot[0] != '\0')
		cJSON_AddStringToObject(o, "snapshot", p->snapshot);
	if (p->nstopped > 0) {
		list = cJSON_AddArrayToObject(o, "stopped");
		for (i = 0; i < p->nstopped; i++)
			add_stopped(list, &p->stopped[i]);
	}
	return print_and_free(o);
}

static const char *
text_at(const cJSON *o, const char *name)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

	return s != NULL ? s : "";
}

static bool
take_mirror(struct kafka_progress *p, const cJSON *o)
{
	const char *lsn = text_at(o, "lsn");
	const cJSON *s;

	kafka_progress_clear(p);
	if (lsn[0] != '\0' && !lsn_parse(lsn, &p->lsn))
		return false;
	kafka_progress_set_snapshot(p, text_at(o, "snapshot"));
	cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(o, "stopped"))
	    kafka_progress_add_stopped(p, text_at(s, "table"), text_at(s, "error"),
		text_at(s, "hint"));
	return cJSON_IsObject(o);
}

static bool
take_mark(struct kafka_progress *p, const char *key, const cJSON *o)
{
	const cJSON *rows = cJSON_GetObjectItemCaseSensitive(o, "rows");

	if (!cJSON_IsNumber(rows))
		return false;
	note_mark(p, key,
	    (struct kafka_loaded){
		.rows = (int64_t)cJSON_GetNumberValue(rows),
		.done = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "done")),
	    });
	return true;
}

static bool
take_text(struct kafka_progress *p, const char *key, const char *text, struct err *err)
{
	bool own = strcmp(key, p->cfg.mirror) == 0, ok;
	cJSON *o;

	if (!json_parse(text, strlen(text), &o, err))
		return false;
	ok = own ? take_mirror(p, o) : take_mark(p, key, o);
	cJSON_Delete(o);
	return ok || err_set(err, ERR_PROTOCOL, "it is not peerd's");
}

bool
kafka_progress_take(struct kafka_progress *p, const char *key, const char *text, struct err *err)
{
	if (text != NULL && !take_text(p, key, text, err)) {
		err->code = ERR_PROTOCOL;
		return err_context(err, "record \"%s\" of topic " KAFKA_PROGRESS_TOPIC, key);
	}
	if (text == NULL && strcmp(key, p->cfg.mirror) == 0)
		kafka_progress_clear(p);
	else if (text == NULL)
		forget_mark(p, key);
	return true;
}

/* ---- reading */

static bool
is_ours(const struct kafka_progress *p, struct slice key)
{
	size_t n = strlen(p->cfg.mirror);

	return key.n >= n && memcmp(key.p, p->cfg.mirror, n) == 0 &&
	    (key.n == n || key.p[n] == '/');
}

static bool
take(void *arg, const struct kclient_message *m, struct err *err)
{
	struct kafka_progress *p = arg;
	char *key, *text = NULL;
	bool ok;

	if (!is_ours(p, m->key))
		return true;
	key = xstrndup((const char *)m->key.p, m->key.n);
	if (m->value.p != NULL)
		text = xstrndup((const char *)m->value.p, m->value.n);
	ok = kafka_progress_take(p, key, text, err);
	free(key);
	free(text);
	return ok;
}

/* "mirror/snapshot/table/partition" */
static bool
read_mark_key(const struct kafka_progress *p, struct slice key, uint32_t *table_r,
    int32_t *partition_r)
{
	char text[KEY_SIZE];

	if (key.n <= strlen(p->cfg.mirror) || key.n >= sizeof(text))
		return false;
	memcpy(text, key.p, key.n);
	text[key.n] = '\0';
	return sscanf(text + strlen(p->cfg.mirror), "/%*[^/]/%" SCNu32 "/%" SCNd32, table_r,
		   partition_r) == 2;
}

static bool
peek(void *arg, const struct kclient_message *m, struct err *err)
{
	struct kafka_progress *p = arg;
	uint32_t table;
	int32_t partition;

	if (!is_ours(p, m->key))
		return true;
	p->concerned = true;
	return p->cfg.shut_out == NULL || !read_mark_key(p, m->key, &table, &partition) ||
	    p->cfg.shut_out(p->cfg.arg, table, partition, err);
}

static bool
wake(struct kafka_progress *p, struct kclient **k, enum kclient_role role, struct err *err)
{
	const struct kclient_config cfg = {
		.peer = p->cfg.peer,
		.role = role,
		.what = p->cfg.what,
		.timeout = p->cfg.timeout,
		.intr = p->cfg.intr,
	};

	return *k != NULL || (kclient_open(&cfg, k, err) && kclient_connect(*k, err));
}

void
kafka_progress_rest(struct kafka_progress *p)
{
	kclient_close(&p->reader);
	kclient_close(&p->peeker);
}

/* Is there something of ours between what we may see and the end? */
static bool
look_ahead(struct kafka_progress *p, struct err *err)
{
	int64_t offset = p->offset, end;

	p->concerned = false;
	return wake(p, &p->peeker, KCLIENT_PEEKER, err) &&
	    kclient_read(p->peeker, KAFKA_PROGRESS_TOPIC, 0, &offset, &end, peek, p, err);
}

static bool
read_all(struct kafka_progress *p, struct err *err)
{
	usec_t deadline = clock_mono_us() + p->cfg.timeout;
	int64_t end;

	for (;;) {
		if (!kclient_read(p->reader, KAFKA_PROGRESS_TOPIC, 0, &p->offset, &end, take, p,
			err))
			return false;
		if (p->offset >= end)
			return true;
		if (!look_ahead(p, err) || !p->concerned)
			return err->code == ERR_NONE;
		if (clock_mono_us() > deadline)
			return err_set(err, ERR_TRANSIENT,
			    "topic " KAFKA_PROGRESS_TOPIC
			    ": another mirror's transaction is open and hides our position");
	}
}

bool
kafka_progress_read(struct kafka_progress *p, struct err *err)
{
	uint32_t partitions;

	if (!wake(p, &p->reader, KCLIENT_READER, err) ||
	    !kclient_find_topic(p->reader, KAFKA_PROGRESS_TOPIC, &partitions, err))
		return false;
	return partitions == 0 || read_all(p, err);
}

bool
kafka_progress_create(struct kafka_progress *p, uint32_t replication_factor, struct err *err)
{
	const struct kclient_topic topic = {
		.name = KAFKA_PROGRESS_TOPIC,
		.partitions = 1,
		.replication_factor = replication_factor,
		.config = topic_config,
	};
	uint32_t partitions;
	bool created;

	if (!wake(p, &p->reader, KCLIENT_READER, err) ||
	    !kclient_find_topic(p->reader, KAFKA_PROGRESS_TOPIC, &partitions, err))
		return false;
	return partitions > 0 || kclient_create_topic(p->reader, &topic, &created, err);
}

/* ---- writing */

static bool
send_text(struct kclient *writer, const char *key, const char *text, struct err *err)
{
	const struct kclient_record r = {
		.topic = KAFKA_PROGRESS_TOPIC,
		.partition = 0,
		.key = slice_str(key),
		.value = text != NULL ? slice_str(text) : slice_of(NULL, 0),
	};

	return kclient_send(writer, &r, err);
}

bool
kafka_progress_send(const struct kafka_progress *p, struct kclient *writer, struct err *err)
{
	char *text = kafka_progress_text(p);
	bool ok = send_text(writer, p->cfg.mirror, text, err);

	free(text);
	return ok;
}

bool
kafka_progress_send_loaded(const struct kafka_progress *p, struct kclient *writer, uint32_t table,
    int32_t partition, struct kafka_loaded loaded, struct err *err)
{
	char key[KEY_SIZE], text[64];

	snprintf(text, sizeof(text), "{\"rows\":%lld,\"done\":%s}", (long long)loaded.rows,
	    loaded.done ? "true" : "false");
	return send_text(writer, mark_key(p, table, partition, key), text, err);
}

bool
kafka_progress_send_forget(const struct kafka_progress *p, struct kclient *writer, bool all,
    struct err *err)
{
	size_t i;

	for (i = 0; i < p->nmarks; i++)
		if (!send_text(writer, p->marks[i].key, NULL, err))
			return false;
	return !all || send_text(writer, p->cfg.mirror, NULL, err);
}

/* ---- life */

struct kafka_progress *
kafka_progress_new(const struct kafka_progress_config *cfg)
{
	struct kafka_progress *p = xcalloc(1, sizeof(*p));

	p->cfg = *cfg;
	p->snapshot = xstrdup("");
	return p;
}

void
kafka_progress_free(struct kafka_progress **pp)
{
	struct kafka_progress *p = *pp;
	size_t i;

	*pp = NULL;
	if (p == NULL)
		return;
	kafka_progress_rest(p);
	forget_stopped(p);
	for (i = 0; i < p->nmarks; i++)
		free(p->marks[i].key);
	free(p->marks);
	free(p->snapshot);
	free(p);
}
