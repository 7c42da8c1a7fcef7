/*
 * peers - peerctl peers ...
 */
#include "cmd/peerctl/args.h"
#include "cmd/peerctl/client.h"
#include "cmd/peerctl/ctl.h"
#include "cmd/peerctl/text.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/wire/pbfield.h"
#include "lib/wire/pbjson.h"
#include "protos/route.pb-c.h"

#include <ctype.h>

/* ---- a peer from the command line ----------------------------------------- */

/* "postgres" sets type POSTGRES and opens postgres_config; prefix_r is "peer.postgres_config." */
static bool
set_type(ProtobufCMessage *req, const char *type, char *prefix_r, size_t size, struct err *err)
{
	struct err ignored;
	char name[32];
	size_t n;

	for (n = 0; n < sizeof(name) - 1 && type[n] != '\0'; n++)
		name[n] = (char)tolower((unsigned char)type[n]);
	name[n] = '\0';
	snprintf(prefix_r, size, "%s_config", name);
	if (pbfield_find(&peerdb_peers__peer__descriptor, prefix_r) == NULL) {
		err_set(err, ERR_INVALID, "unknown peer type \"%s\"", type);
		return err_hint(err, "known types: postgres, clickhouse, kafka");
	}
	snprintf(prefix_r, size, "peer.%s_config.", name);
	for (n = 0; name[n] != '\0'; n++)
		name[n] = (char)toupper((unsigned char)name[n]);
	return pbjson_set_field(req, "peer.type", name, &ignored)
	    ? true
	    : err_set(err, ERR_INVALID, "unknown peer type \"%s\"", type);
}

static bool
set_field(ProtobufCMessage *req, const char *prefix, const char *pair, const char *value,
    struct err *err)
{
	const char *equals = strchr(pair, '=');
	char name[256];

	if (equals == NULL || equals == pair)
		return err_set(err, ERR_INVALID, "expected KEY=VALUE, not \"%s\"", pair);
	snprintf(name, sizeof(name), "%s%.*s", prefix, (int)(equals - pair), pair);
	return pbjson_set_field(req, name, value != NULL ? value : equals + 1, err);
}

/* --from-file KEY=FILE: certificates and passwords that shall not stand in a command line */
static bool
set_from_file(ProtobufCMessage *req, const char *prefix, const char *pair, struct err *err)
{
	const char *equals = strchr(pair, '=');
	struct buf text;
	bool ok;

	if (equals == NULL)
		return err_set(err, ERR_INVALID, "expected KEY=FILE, not \"%s\"", pair);
	ok = ctl_read_file(equals + 1, &text, err);
	if (ok && text.n > 0 && text.p[text.n - 1] == '\n')
		text.p[--text.n] = '\0';
	ok = ok && set_field(req, prefix, pair, buf_str(&text), err);
	if (text.p != NULL)
		mem_wipe(text.p, text.n);
	buf_done(&text);
	return ok;
}

static bool
peer_from_words(const struct args *a, ProtobufCMessage *req, struct err *err)
{
	char prefix[64];

	if (a->n_words < 2)
		return err_set(err, ERR_INVALID, "a peer wants a name and a type, or --file");
	if (!set_type(req, a->words[1], prefix, sizeof(prefix), err) ||
	    !pbjson_set_field(req, "peer.name", a->words[0], err))
		return false;
	for (int i = 2; i < a->n_words; i++)
		if (!set_field(req, prefix, a->words[i], NULL, err))
			return false;
	for (int i = 0; i < a->n_given; i++)
		if (strcmp(a->given[i].option->name, "from-file") == 0 &&
		    !set_from_file(req, prefix, a->given[i].value, err))
			return false;
	return true;
}

static bool
set_options(const struct args *a, ProtobufCMessage *req, struct err *err)
{
	for (int i = 0; i < a->n_given; i++)
		if (a->given[i].option->field != NULL &&
		    !pbjson_set_field(req, a->given[i].option->field, a->given[i].value, err))
			return false;
	return true;
}

/* A CreatePeerRequest, which holds what validate needs too. */
static bool
peer_request(const struct args *a, PeerdbRoute__CreatePeerRequest **req_r, struct err *err)
{
	const ProtobufCMessageDescriptor *desc = &peerdb_route__create_peer_request__descriptor;
	const char *file = args_value(a, "file");
	ProtobufCMessage *req = NULL;
	bool ok;

	if (file != NULL && a->n_words > 0)
		return err_set(err, ERR_INVALID,
		    "--file and a peer in the command line exclude "
		    "each other");
	if (file != NULL) {
		ok = ctl_read_message(file, desc, &req, err);
	} else {
		req = pbmsg_new(desc);
		ok = peer_from_words(a, req, err);
	}
	ok = ok && set_options(a, req, err);
	if (ok)
		*req_r = (PeerdbRoute__CreatePeerRequest *)req;
	else if (req != NULL)
		protobuf_c_message_free_unpacked(req, NULL);
	return ok;
}

/* ---- the commands ------------------------------------------------------- */

static int
done(const struct ctl *ctl, const char *name, const char *what)
{
	if (ctl->json)
		ctl_print_answer(ctl);
	else
		printf("peer %s %s\n", name, what);
	return CTL_DONE;
}

int
run_peers_create(struct ctl *ctl, const struct args *a)
{
	PeerdbRoute__CreatePeerRequest *req = NULL;
	struct err err = ERR_INIT;
	int code;

	if (!peer_request(a, &req, &err))
		return ctl_usage(a, &err);
	if (ctl_post(ctl, "/peers/create", &req->base, NULL, NULL, &err))
		code = done(ctl, req->peer != NULL ? req->peer->name : "", "created");
	else
		code = ctl_refused(ctl, &err);
	protobuf_c_message_free_unpacked(&req->base, NULL);
	return code;
}

int
run_peers_validate(struct ctl *ctl, const struct args *a)
{
	PeerdbRoute__ValidatePeerRequest check = PEERDB_ROUTE__VALIDATE_PEER_REQUEST__INIT;
	PeerdbRoute__CreatePeerRequest *req = NULL;
	struct err err = ERR_INIT;
	int code;

	if (!peer_request(a, &req, &err))
		return ctl_usage(a, &err);
	check.peer = req->peer;
	if (ctl_post(ctl, "/peers/validate", &check.base, NULL, NULL, &err))
		code = done(ctl, req->peer != NULL ? req->peer->name : "", "is valid");
	else
		code = ctl_refused(ctl, &err);
	protobuf_c_message_free_unpacked(&req->base, NULL);
	return code;
}

int
run_peers_drop(struct ctl *ctl, const struct args *a)
{
	PeerdbRoute__DropPeerRequest req = PEERDB_ROUTE__DROP_PEER_REQUEST__INIT;
	struct err err = ERR_INIT;

	req.peer_name = (char *)(uintptr_t)a->words[0];
	if (!ctl_post(ctl, "/peers/drop", &req.base, NULL, NULL, &err))
		return ctl_refused(ctl, &err);
	return done(ctl, a->words[0], "dropped");
}

int
run_peers_list(struct ctl *ctl, const struct args *a)
{
	static const char *const heads[] = { "PEER", "TYPE" };
	PeerdbRoute__ListPeersResponse *all = NULL;
	struct err err = ERR_INIT;
	struct table *t;

	if (!ctl_get(ctl, "/peers/list", &peerdb_route__list_peers_response__descriptor, &all,
		&err))
		return ctl_refused(ctl, &err);
	t = table_new("ll", heads);
	for (size_t i = 0; i < all->n_items; i++) {
		table_cell(t, "%s", all->items[i]->name);
		table_cell(t, "%s",
		    pbjson_enum_name(&peerdb_peers__dbtype__descriptor, all->items[i]->type));
	}
	ctl_show_table(ctl, t, all->n_items == 0 ? "no peers" : NULL);
	table_free(&t);
	protobuf_c_message_free_unpacked(&all->base, NULL);
	return CTL_DONE;
}
