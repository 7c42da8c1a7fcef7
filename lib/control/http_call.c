/*
 * A request as a call of FlowService: its body, query and path parameters
 * together are the request message.
 */
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/control/http_error.h"
#include "lib/control/http_rest_int.h"
#include "lib/control/service.h"
#include "lib/wire/http1.h"
#include "lib/wire/pbfield.h"
#include "lib/wire/pbjson.h"

/* ---- replies */

void
http_reply_json(struct http_request *req, int status, const struct buf *body)
{
	http_reply(req, status, "application/json", buf_slice(body));
}

void
http_reply_error(struct http_request *req, int status, const struct err *err,
    const struct http_error_extra *extra)
{
	struct buf body;

	buf_init(&body, HTTP_REPLY_MAX);
	http_error_print(err, extra, &body);
	http_reply_json(req, status != 0 ? status : err_http_status(err->code), &body);
	buf_done(&body);
}

static void
reply_message(struct http_request *req, const ProtobufCMessage *msg)
{
	struct err err = ERR_INIT;
	struct buf body;

	buf_init(&body, HTTP_REPLY_MAX);
	pbjson_print(msg, 0, &body);
	if (buf_overflowed(&body)) {
		err_set(&err, ERR_TOO_LARGE, "the answer exceeds %u bytes", HTTP_REPLY_MAX);
		http_reply_error(req, 500, &err, NULL);
	} else {
		http_reply_json(req, 200, &body);
	}
	buf_done(&body);
}

/* ---- the request message */

/* The plain field a parameter names, in either spelling; NULL when there is none. */
static const ProtobufCFieldDescriptor *
plain_field(const ProtobufCMessage *msg, const char *name)
{
	const ProtobufCMessageDescriptor *d = msg->descriptor;
	char json_name[PBFIELD_NAME_MAX];

	for (unsigned i = 0; i < d->n_fields; i++) {
		pbfield_json_name(&d->fields[i], json_name);
		if (strcmp(d->fields[i].name, name) == 0 || strcmp(json_name, name) == 0)
			return pbfield_is_repeated(&d->fields[i]) ? NULL : &d->fields[i];
	}
	return NULL;
}

/* One of two values would be dropped in silence. */
static bool
set_param(ProtobufCMessage *msg, const char *name, const char *value, struct err *err)
{
	const ProtobufCFieldDescriptor *f = plain_field(msg, name);

	if (f != NULL && pbfield_is_present(msg, f))
		return err_set(err, ERR_INVALID, "field \"%s\" is given twice", f->name);
	return pbjson_set_field(msg, name, value, err);
}

static bool
set_query_param(void *arg, const char *name, const char *value, struct err *err)
{
	return set_param(arg, name, value, err) || err_context(err, "in the query string");
}

static bool
set_path_params(struct arena *a, const struct http_match *match, ProtobufCMessage *msg,
    struct err *err)
{
	const struct http_param *p;
	const char *value;

	for (size_t i = 0; i < match->nparams; i++) {
		p = &match->params[i];
		if (!http1_decode(a, p->value, false, &value, err) ||
		    !set_param(msg, arena_strndup(a, (const char *)p->name.p, p->name.n), value,
			err))
			return err_context(err, "in the path");
	}
	return true;
}

/* Content types are not looked at: curl -d calls JSON a form. Codings would be. */
static bool
check_coding(const struct http_request *req, struct err *err)
{
	const char *coding = http_request_header(req, "Content-Encoding");

	if (coding == NULL || strcasecmp(coding, "identity") == 0)
		return true;
	err_set(err, ERR_INVALID, "compressed request bodies are not supported");
	return err_hint(err, "send the JSON as it is");
}

static bool
read_message(struct http_request *req, const struct http_match *match,
    const ProtobufCMessageDescriptor *desc, ProtobufCMessage **msg_r, struct err *err)
{
	ProtobufCMessage *msg;

	if (!check_coding(req, err))
		return false;
	if (!pbjson_parse(desc, (const char *)req->body.p, req->body.n, &msg, err)) {
		if (str_starts(err->msg, "invalid JSON"))
			err_hint(err, "the body must be one JSON object in UTF-8");
		return false;
	}
	if (!http1_query_each(req->arena, req->query, set_query_param, msg, err) ||
	    !set_path_params(req->arena, match, msg, err)) {
		protobuf_c_message_free_unpacked(msg, NULL);
		return false;
	}
	*msg_r = msg;
	return true;
}

/* ---- the call */

static void
on_done(void *arg, const struct rpc_outcome *outcome)
{
	struct http_pending *p = arg;
	struct http_error_extra extra = {
		.status = outcome->status_name,
		.mirror_state = outcome->mirror_state,
	};

	if (outcome->err != NULL)
		http_reply_error(p->req, 0, outcome->err, &extra);
	else
		reply_message(p->req, outcome->response);
	free(p);
}

/* A request that cannot be read fails like the call it should have become. */
static void
refuse_message(struct http_request *req, const char *rpc, const struct err *err)
{
	static const struct {
		const char *rpc;
		const char *status;
	} table[] = {
		{ "ValidatePeer", "INVALID" },
		{ "CreatePeer", "FAILED" },
	};
	struct http_error_extra extra = { .mirror_state = -1 };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].rpc, rpc) == 0)
			extra.status = table[i].status;
	http_reply_error(req, 0, err, &extra);
}

static const char *
principal(const struct http_request *req)
{
	return req->local ? "control socket" : req->address;
}

void
http_call_serve(struct http_rest *rest, struct http_request *req, const struct http_match *match)
{
	const ProtobufCServiceDescriptor *service = &peerdb_route__flow_service__descriptor;
	int method = rpc_method_find(match->route->rpc);
	struct err err = ERR_INIT;
	struct http_pending *p;
	ProtobufCMessage *msg;
	struct rpc_call *call;

	if (method == -1)
		bug("the route %s leads nowhere", match->route->path);
	if (!read_message(req, match, service->methods[method].input, &msg, &err)) {
		refuse_message(req, match->route->rpc, &err);
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->rest = rest;
	p->req = req;
	req->user = p;
	call = rpc_begin(rest->svc, (unsigned)method, msg, principal(req), on_done, p);
	if (call != NULL) /* else p is gone already */
		p->call = call;
}
