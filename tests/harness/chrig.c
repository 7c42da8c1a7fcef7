#include "tests/harness/chrig.h"

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "tests/harness/api.h"
#include "tests/harness/fail.h"
#include "tests/harness/httpfault.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define SEED	 1
#define TEXT_MAX (256 * MIB)
#define SHOWN	 1500 /* bytes of a difference */

struct chrig chrig;

static struct clickhouse *servers[CLICKHOUSE_KINDS];

/* ---- peers */

char *
chrig_peer_body(const char *name, int port, const char *database, const char *user,
    const char *password, const char *more)
{
	cJSON *config = cJSON_CreateObject();
	char *words, *body;

	cJSON_AddStringToObject(config, "host", "127.0.0.1");
	cJSON_AddNumberToObject(config, "port", port);
	cJSON_AddStringToObject(config, "user", user != NULL ? user : CLICKHOUSE_USER);
	cJSON_AddStringToObject(config, "password",
	    password != NULL ? password : CLICKHOUSE_PASSWORD);
	cJSON_AddStringToObject(config, "database", database);
	cJSON_AddBoolToObject(config, "disable_tls", true);
	words = cJSON_PrintUnformatted(config);
	words[strlen(words) - 1] = '\0'; /* more goes before the closing brace */
	body = text("{\"peer\": {\"name\": \"%s\", \"type\": 8, \"clickhouse_config\": %s%s}}}",
	    name, words, json("%s", more));
	cJSON_free(words);
	cJSON_Delete(config);
	return body;
}

/* ---- comparing */

/* Rows as ClickHouse prints them: \N for NULL, backslashes before what would break a line. */
static char *
source_text(const char *query)
{
	PGresult *res = PQexec(rig.s, text("COPY (%s) TO STDOUT", query));
	struct buf b;
	char *row, *copy;

	if (PQresultStatus(res) != PGRES_COPY_OUT)
		test_fail("%s: %s", query, PQerrorMessage(rig.s));
	PQclear(res);
	buf_init(&b, TEXT_MAX);
	while (PQgetCopyData(rig.s, &row, 0) > 0) {
		buf_str_add(&b, row);
		PQfreemem(row);
	}
	PQclear(PQgetResult(rig.s));
	if (b.n > 0)
		b.p[b.n - 1] = '\0'; /* without the last line feed, as the other side */
	copy = text("%s", buf_str(&b));
	buf_done(&b);
	return copy;
}

/* From the line on in which they differ. */
static char *
difference(const char *a, const char *b)
{
	size_t i, line = 0;

	for (i = 0; a[i] != '\0' && a[i] == b[i]; i++)
		if (a[i] == '\n')
			line = i + 1;
	return text("source:\n%.*s\nClickHouse:\n%.*s", SHOWN, a + line, SHOWN, b + line);
}

void
chrig_expect_equal(const char *source, const char *destination, int ms)
{
	char *a = NULL, *b = NULL;

	if (!poll_until(ms,
		strcmp(a = source_text(source), b = clickhouse_text(chrig.ch, "%s", destination)) ==
		    0))
		test_fail("%s\n%s\nerrors: %s", destination, difference(a, b), mirror_errors(""));
}

/* ---- life */

static void
begin(enum clickhouse_kind kind)
{
	chrig.kind = kind;
	chrig.ch = servers[kind];
	clickhouse_wipe(chrig.ch);
	clickhouse_exec(chrig.ch, "CREATE DATABASE app");
	chrig.proxy = httpfault_new(chrig.ch->port, SEED);
	rig_init();
	api_expect(200,
	    api_post("/peers/create",
		chrig_peer_body("dst", httpfault_port(chrig.proxy), "app", NULL, NULL, "")));
}

static void
begin_current(void)
{
	begin(CH_CURRENT);
}

static void
begin_old(void)
{
	begin(CH_OLD);
}

static void
end(void)
{
	httpfault_clear(chrig.proxy);
	httpfault_release(chrig.proxy);
	rig_done();
	httpfault_free(&chrig.proxy);
}

static void
start_current(void)
{
	rig_source_init();
	servers[CH_CURRENT] = clickhouse_new(CH_CURRENT, "chdbd");
}

static void
start_old(void)
{
	rig_source_init();
	servers[CH_OLD] = clickhouse_new(CH_OLD, "clickhouse");
}

static void
stop(void)
{
	clickhouse_free(&servers[CH_CURRENT]);
	clickhouse_free(&servers[CH_OLD]);
	rig_clusters_done();
}

Suite *
chrig_suite(const char *name, void (*add)(TCase *tc, enum clickhouse_kind kind))
{
	Suite *s = suite_create(name);

	if (clickhouse_available(CH_CURRENT))
		add(suite_case(s, "current", start_current, stop, begin_current, end), CH_CURRENT);
	if (clickhouse_available(CH_OLD))
		add(suite_case(s, "old", start_old, stop, begin_old, end), CH_OLD);
	return s;
}
