#include "tests/harness/mirror.h"

#include "lib/base/buf.h"
#include "lib/base/limits.h"
#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/poll.h"

static char *
printed(cJSON *json)
{
	char *words = cJSON_PrintUnformatted(json);
	char *copy = text("%s", words);

	cJSON_free(words);
	cJSON_Delete(json);
	return copy;
}

char *
peer_body(const char *name, const struct cluster *c, const char *database, const char *host)
{
	cJSON *body = cJSON_CreateObject();
	cJSON *peer = cJSON_AddObjectToObject(body, "peer");
	cJSON *config;

	cJSON_AddStringToObject(peer, "name", name);
	cJSON_AddNumberToObject(peer, "type", 3);
	config = cJSON_AddObjectToObject(peer, "postgres_config");
	cJSON_AddStringToObject(config, "host", host != NULL ? host : "localhost");
	cJSON_AddNumberToObject(config, "port", c->port);
	cJSON_AddStringToObject(config, "user", CLUSTER_USER);
	cJSON_AddStringToObject(config, "password", CLUSTER_PASSWORD);
	cJSON_AddStringToObject(config, "database", database);
	return printed(body);
}

void
peer_create(const char *name, const struct cluster *c, const char *database)
{
	api_expect(200, api_post("/peers/create", peer_body(name, c, database, NULL)));
}

char *
mapping(const char *source, const char *destination)
{
	cJSON *one = cJSON_CreateObject();

	cJSON_AddStringToObject(one, "source_table_identifier", source);
	cJSON_AddStringToObject(one, "destination_table_identifier", destination);
	return printed(one);
}

/* One "a" or "a:b" of the list; returns where the next begins. */
static const char *
add_mapping(struct buf *b, const char *at)
{
	size_t n = strcspn(at, ",");
	char *one = text("%.*s", (int)n, at);
	char *colon = strchr(one, ':');

	if (colon != NULL)
		*colon = '\0';
	buf_printf(b, "%s%s", b->n > 1 ? ", " : "", mapping(one, colon != NULL ? colon + 1 : one));
	at += n;
	return *at == ',' ? at + 1 : at;
}

static char *
mappings_of(const char *tables)
{
	struct buf b;
	char *copy;

	if (*tables == '[')
		return text("%s", tables);
	buf_init(&b, 1 * MIB);
	buf_char(&b, '[');
	while (*tables != '\0')
		tables = add_mapping(&b, tables);
	buf_char(&b, ']');
	copy = text("%s", buf_str(&b));
	buf_done(&b);
	return copy;
}

char *
mirror_body(const char *name, const char *tables, const char *options)
{
	const char *more = options != NULL ? json("%s", options) : "";
	bool has_initial = strstr(more, "do_initial_snapshot") != NULL;

	return text("{\"connection_configs\": {\"flow_job_name\": \"%s\", "
		    "\"source_name\": \"src\", \"destination_name\": \"dst\", "
		    "\"table_mappings\": %s%s%s%s}}",
	    name, mappings_of(tables), has_initial ? "" : ", \"do_initial_snapshot\": true",
	    *more != '\0' ? ", " : "", more);
}

void
mirror_create(const char *name, const char *tables, const char *options)
{
	api_expect(200, api_post("/flows/cdc/create", mirror_body(name, tables, options)));
}

void
mirror_run(const char *name, const char *tables, const char *options)
{
	mirror_create(name, tables, options);
	mirror_wait(name, "STATUS_RUNNING");
}

char *
mirror_state(const char *name)
{
	const struct reply *r = api_post("/mirrors/status", json("{'flowJobName': '%s'}", name));

	if (r->status == 404)
		return text("STATUS_UNKNOWN");
	return field_text(api_expect(200, r)->json, "currentFlowState");
}

char *
mirror_errors(const char *name)
{
	const struct reply *r = api_post("/mirrors/logs",
	    json("{'flow_job_name': '%s', 'level': 'error', 'num_per_page': 20}", name));
	const cJSON *one;
	char *all = text("%s", "");

	cJSON_ArrayForEach(one, field_at(api_expect(200, r)->json, "errors"))
	    all = text("%s%s%s", all, *all != '\0' ? "; " : "", field_text(one, "errorMessage"));
	return all;
}

void
mirror_wait(const char *name, const char *state)
{
	const char *last = "";

	if (!poll_until(MIRROR_WAIT_MS,
		strcmp(last = mirror_state(name), state) == 0 ||
		    (strcmp(last, "STATUS_FAILED") == 0)) ||
	    strcmp(last, state) != 0)
		test_fail("mirror %s is %s, not %s: %s", name, last, state, mirror_errors(name));
}

static void
ask_for(const char *name, const char *state)
{
	api_expect(200,
	    api_post("/mirrors/state_change",
		json("{'flow_job_name': '%s', 'requested_flow_state': '%s'}", name, state)));
}

void
mirror_change(const char *name, const char *state)
{
	ask_for(name, state);
	mirror_wait(name, state);
}

void
mirror_drop(const char *name)
{
	ask_for(name, "STATUS_TERMINATING");
	mirror_wait(name, "STATUS_UNKNOWN");
}
