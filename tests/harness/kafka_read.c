#include "tests/harness/kafka.h"

#include <sys/wait.h>
#include <cjson/cJSON.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "tests/harness/fail.h"
#include "tests/harness/files.h"
#include "tests/harness/janitor.h"
#include "tests/harness/poll.h"
#include "tests/harness/proc.h"

#define READ_MS	   60000
#define FIRST_ROOM 256

/* ---- what kcat -J prints: an object a line, headers as names and values in turn */

static const char *
keep_string(struct arena *a, const cJSON *item)
{
	return cJSON_IsString(item) ? arena_strdup(a, item->valuestring) : NULL;
}

static void
keep_headers(struct arena *a, const cJSON *list, struct kafka_record *r)
{
	size_t n = (size_t)cJSON_GetArraySize(list) / 2;
	struct kafka_header *headers = arena_alloc(a, (n + 1) * sizeof(*headers));
	const cJSON *item = list != NULL ? list->child : NULL;

	for (size_t i = 0; i < n; i++) {
		headers[i].name = keep_string(a, item);
		headers[i].value = keep_string(a, item->next);
		item = item->next->next;
	}
	r->headers = headers;
	r->n_headers = n;
}

static struct kafka_record *
next_record(struct kafka_records *rs, size_t *room)
{
	if (rs->n == *room) {
		*room = *room == 0 ? FIRST_ROOM : 2 * *room;
		rs->v = xrealloc(rs->v, *room * sizeof(*rs->v));
	}
	return &rs->v[rs->n++];
}

static void
keep_line(struct kafka_records *rs, size_t *room, const char *line)
{
	cJSON *o = cJSON_Parse(line);
	struct kafka_record *r;

	if (!cJSON_IsObject(o))
		test_fail("kcat printed no record: %.200s", line);
	r = next_record(rs, room);
	r->partition = (int)cJSON_GetNumberValue(cJSON_GetObjectItem(o, "partition"));
	r->offset = (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(o, "offset"));
	r->time_ms = (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(o, "ts"));
	r->key = keep_string(rs->arena, cJSON_GetObjectItem(o, "key"));
	r->value = keep_string(rs->arena, cJSON_GetObjectItem(o, "payload"));
	keep_headers(rs->arena, cJSON_GetObjectItem(o, "headers"), r);
	cJSON_Delete(o);
}

static struct kafka_records
keep_lines(const char *path)
{
	struct kafka_records rs = { .arena = arena_new(64 * KIB) };
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0, room = 0;

	if (f == NULL)
		test_fail("could not read %s: %m", path);
	while (getline(&line, &size, f) > 0)
		keep_line(&rs, &room, line);
	free(line);
	fclose(f);
	return rs;
}

/* ---- running it */

static void
run(const char *const *argv, const char *out, const char *errors, int ms)
{
	struct proc_spec spec = { .argv = argv, .log = out };
	pid_t pid = proc_start(&spec);
	int status = 0;

	if (!poll_until(ms, waitpid(pid, &status, WNOHANG) == pid)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		test_fail("kcat did not come to an end within %d ms: %.1000s", ms,
		    file_read(errors));
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		test_fail("kcat failed: %.1000s", file_read(errors));
}

struct kafka_records
kafka_read(const struct kafka *k, const char *topic, const struct kafka_reading *reading)
{
	static const struct kafka_reading everything;
	const struct kafka_reading *r = reading != NULL ? reading : &everything;
	const char *out = tmp_path("kcat.%d.out", (int)getpid());
	const char *errors = tmp_path("kcat.%d.err", (int)getpid());
	const char *const argv[] = {
		"sh",
		"-c",
		"exec kcat \"$@\" 2>\"$0\"",
		errors,
		"-C",
		"-J",
		"-q",
		"-b",
		kafka_servers(k, KAFKA_PLAIN),
		"-t",
		topic,
		"-o",
		r->from > 0 ? text("%lld", (long long)r->from) : "beginning",
		"-X",
		text("isolation.level=read_%scommitted", r->with_uncommitted ? "un" : ""),
		"-X",
		"fetch.wait.max.ms=1", /* an end is what has nothing behind it for so long */
		r->count > 0 ? text("-c%zu", r->count) : "-e",
		NULL,
	};
	struct kafka_records rs;

	run(argv, out, errors, r->timeout_ms > 0 ? r->timeout_ms : READ_MS);
	rs = keep_lines(out);
	unlink(out);
	unlink(errors);
	return rs;
}

void
kafka_records_free(struct kafka_records *r)
{
	MEM_FREE(r->v);
	arena_free(&r->arena);
	r->n = 0;
}

const char *
kafka_header(const struct kafka_record *r, const char *name)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (strcmp(r->headers[i].name, name) == 0)
			return r->headers[i].value;
	return NULL;
}
