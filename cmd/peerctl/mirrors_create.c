/*
 * mirrors_create - peerctl mirrors create
 */
#include "cmd/peerctl/args.h"
#include "cmd/peerctl/client.h"
#include "cmd/peerctl/ctl.h"
#include "cmd/peerctl/wait.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/wire/pbfield.h"
#include "lib/wire/pbjson.h"
#include "protos/route.pb-c.h"

/* The first c outside of double quotes, or NULL. */
static const char *
find_unquoted(const char *s, char c)
{
	bool quoted = false;

	for (; *s != '\0'; s++) {
		if (*s == '"')
			quoted = !quoted;
		else if (*s == c && !quoted)
			return s;
	}
	return NULL;
}

/* "source:destination", or "source": see name_destinations() */
static bool
add_table(PeerdbFlow__FlowConnectionConfigs *c, const char *text, struct err *err)
{
	const char *colon = find_unquoted(text, ':');
	char *from = colon != NULL ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
	const char *to = colon != NULL ? colon + 1 : NULL;
	ProtobufCMessage *t = pbmsg_new(&peerdb_flow__table_mapping__descriptor);
	bool ok;

	ok = from[0] != '\0' && (to == NULL || to[0] != '\0')
	    ? true
	    : err_set(err, ERR_INVALID, "expected SOURCE:DESTINATION, not \"%s\"", text);
	ok = ok && pbjson_set_field(t, "source_table_identifier", from, err) &&
	    (to == NULL || pbjson_set_field(t, "destination_table_identifier", to, err));
	pbfield_append(&c->base, pbfield_find(c->base.descriptor, "table_mappings"),
	    (union pbvalue){ .msg = t });
	free(from);
	return ok;
}

static PeerdbFlow__TableMapping *
find_table(const PeerdbFlow__FlowConnectionConfigs *c, const char *source, size_t n)
{
	for (size_t i = 0; i < c->n_table_mappings; i++) {
		const char *have = c->table_mappings[i]->source_table_identifier;

		if (strlen(have) == n && strncmp(have, source, n) == 0)
			return c->table_mappings[i];
	}
	return NULL;
}

/* "table:column,column" */
static bool
add_exclude(PeerdbFlow__FlowConnectionConfigs *c, const char *text, struct err *err)
{
	const char *colon = find_unquoted(text, ':'), *from, *comma;
	PeerdbFlow__TableMapping *t;
	char *column;
	bool ok = true;

	if (colon == NULL || colon[1] == '\0')
		return err_set(err, ERR_INVALID, "expected TABLE:COLUMN, not \"%s\"", text);
	t = find_table(c, text, (size_t)(colon - text));
	if (t == NULL)
		return err_set(err, ERR_INVALID, "no --table has the source \"%.*s\"",
		    (int)(colon - text), text);
	for (from = colon + 1; from != NULL && ok; from = comma != NULL ? comma + 1 : NULL) {
		comma = strchr(from, ',');
		column = comma != NULL ? xstrndup(from, (size_t)(comma - from)) : xstrdup(from);
		ok = pbjson_set_field(&t->base, "exclude", column, err);
		free(column);
	}
	return ok;
}

/* "NAME=VALUE" */
static bool
add_env(PeerdbFlow__FlowConnectionConfigs *c, const char *text, struct err *err)
{
	const char *equals = strchr(text, '=');
	char name[256];

	if (equals == NULL || equals == text)
		return err_set(err, ERR_INVALID, "expected NAME=VALUE, not \"%s\"", text);
	snprintf(name, sizeof(name), "env.%.*s", (int)(equals - text), text);
	return pbjson_set_field(&c->base, name, equals + 1, err);
}

/* Options that are more than a field, in the order in which they depend on each other. */
static const struct {
	const char *option;
	bool (*add)(PeerdbFlow__FlowConnectionConfigs *c, const char *text, struct err *err);
} composed[] = {
	{ "table", add_table },
	{ "exclude", add_exclude },
	{ "env", add_env },
};

static bool
apply_composed(const struct args *a, PeerdbFlow__FlowConnectionConfigs *c, struct err *err)
{
	for (size_t k = 0; k < sizeof(composed) / sizeof(composed[0]); k++)
		for (int i = 0; i < a->n_given; i++)
			if (strcmp(a->given[i].option->name, composed[k].option) == 0 &&
			    !composed[k].add(c, a->given[i].value, err))
				return false;
	return true;
}

/* A table in ClickHouse is a name in the peer's database; of other peers the server tells more. */
static bool
is_clickhouse(struct ctl *ctl, const char *peer)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
	PeerdbRoute__PeerTypeResponse *r = NULL;
	struct err ignored = ERR_INIT;
	struct buf path;
	bool yes;

	if (peer[0] == '\0' || peer[strspn(peer, letters)] != '\0')
		return false;
	buf_init(&path, KIB);
	buf_printf(&path, "/peers/type/%s", peer);
	yes = ctl_get(ctl, buf_str(&path), &peerdb_route__peer_type_response__descriptor, &r,
		  &ignored) &&
	    strcmp(r->peer_type, "CLICKHOUSE") == 0;
	buf_done(&path);
	if (r != NULL)
		protobuf_c_message_free_unpacked(&r->base, NULL);
	return yes;
}

static const char *
last_part(const char *name)
{
	const char *dot;

	while ((dot = find_unquoted(name, '.')) != NULL)
		name = dot + 1;
	return name;
}

/* Tables without a DST: the same name, or as much of it as the destination has. */
static bool
name_destinations(struct ctl *ctl, PeerdbFlow__FlowConnectionConfigs *c, struct err *err)
{
	bool asked = false, bare = false, ok = true;

	for (size_t i = 0; ok && i < c->n_table_mappings; i++) {
		PeerdbFlow__TableMapping *t = c->table_mappings[i];
		const char *from = t->source_table_identifier;

		if (t->destination_table_identifier[0] != '\0')
			continue;
		if (!asked)
			bare = is_clickhouse(ctl, c->destination_name);
		asked = true;
		ok = pbjson_set_field(&t->base, "destination_table_identifier",
		    bare ? last_part(from) : from, err);
	}
	return ok;
}

/* What the command line says, over what the file said. */
static bool
apply_args(const struct args *a, PeerdbRoute__CreateCDCFlowRequest *req, struct err *err)
{
	ProtobufCMessage *msg = &req->base;

	if (a->n_words > 0 &&
	    !pbjson_set_field(msg, "connection_configs.flow_job_name", a->words[0], err))
		return false;
	for (int i = 0; i < a->n_given; i++)
		if (a->given[i].option->field != NULL &&
		    !pbjson_set_field(msg, a->given[i].option->field, a->given[i].value, err))
			return false;
	if (req->connection_configs == NULL || req->connection_configs->flow_job_name[0] == '\0')
		return err_set(err, ERR_INVALID, "a mirror wants a name, or --file");
	if (!apply_composed(a, req->connection_configs, err))
		return false;
	if (req->connection_configs->has_do_initial_snapshot || args_has(a, "file"))
		return true;
	return pbjson_set_field(msg, "connection_configs.do_initial_snapshot", "true", err);
}

static bool
mirror_request(struct ctl *ctl, const struct args *a, PeerdbRoute__CreateCDCFlowRequest **req_r,
    struct err *err)
{
	const ProtobufCMessageDescriptor *desc = &peerdb_route__create_cdcflow_request__descriptor;
	const char *file = args_value(a, "file");
	ProtobufCMessage *req = NULL;
	bool ok = true;

	if (file != NULL)
		ok = ctl_read_message(file, desc, &req, err);
	else
		req = pbmsg_new(desc);
	ok = ok && apply_args(a, (PeerdbRoute__CreateCDCFlowRequest *)req, err) &&
	    name_destinations(ctl, ((PeerdbRoute__CreateCDCFlowRequest *)req)->connection_configs,
		err);
	if (ok)
		*req_r = (PeerdbRoute__CreateCDCFlowRequest *)req;
	else if (req != NULL)
		protobuf_c_message_free_unpacked(req, NULL);
	return ok;
}

static int
created(struct ctl *ctl, const struct args *a, const char *name)
{
	bool check_only = args_has(a, "validate-only");
	bool wait = args_has(a, "wait") && !check_only;

	if (ctl->json)
		ctl_print_answer(ctl);
	else if (!wait)
		printf("mirror %s %s\n", name, check_only ? "is valid" : "created");
	return wait ? wait_for(ctl, name, &wait_created) : CTL_DONE;
}

int
run_mirrors_create(struct ctl *ctl, const struct args *a)
{
	const char *path = args_has(a, "validate-only") ? "/mirrors/cdc/validate"
							: "/flows/cdc/create";
	PeerdbRoute__CreateCDCFlowRequest *req = NULL;
	struct err err = ERR_INIT;
	int code;

	if (!mirror_request(ctl, a, &req, &err))
		return ctl_usage(a, &err);
	if (ctl_post(ctl, path, &req->base, NULL, NULL, &err))
		code = created(ctl, a, req->connection_configs->flow_job_name);
	else
		code = ctl_refused(ctl, &err);
	protobuf_c_message_free_unpacked(&req->base, NULL);
	return code;
}
