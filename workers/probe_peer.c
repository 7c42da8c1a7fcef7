#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "workers/probe_int.h"

#define ADDRESS_MAX 1024

/* ---- why a connection failed, and what to do about it */

static const struct {
	const char *words; /* of libpq's or the server's message */
	const char *hint;
} causes[] = {
	{ "could not translate host name", "check the host's name and this machine's DNS" },
	{ "could not resolve host", "check the host's name and this machine's DNS" },
	{ "Failed to resolve", "check the host's name and this machine's DNS" },
	{ "SSL handshake failed", "check disable_tls, root_ca, certificate and private_key" },
	{ "Connection refused",
	    "check host and port; is the server running and does its"
	    " listen_addresses include this address?" },
	{ "timeout expired", "check host and port; a firewall may be in the way" },
	{ "timed out", "check host and port; a firewall may be in the way" },
	{ "no answer within", "check host and port; a firewall may be in the way" },
	{ "No route to host", "check the host's address and the network in between" },
	{ "Network is unreachable", "check the host's address and the network in between" },
	{ "No such file or directory", "check the socket directory given as host, and the port" },
	{ "password authentication failed", "check user and password" },
	{ "no password supplied", "give the peer a password" },
	{ "Peer authentication failed", "connect over TCP, or allow the role in pg_hba.conf" },
	{ "no pg_hba.conf entry",
	    "add a line for this user, database and address to the server's"
	    " pg_hba.conf and reload it" },
	{ "pg_hba.conf rejects", "change the server's pg_hba.conf and reload it" },
	{ "database \"", "create the database, or correct its name" },
	{ "role \"", "create the role, or correct its name" },
	{ "server does not support SSL", "turn TLS on at the server, or set sslmode to prefer" },
	{ "certificate", "check root_ca, tls_host and the client certificate" },
	{ "SSL", "check sslmode, root_ca and client_tls" },
	{ "too many clients", "raise max_connections, or free connections on the server" },
	{ "remaining connection slots",
	    "raise max_connections, or free connections on the server" },
	{ "starting up", "try again when the server is up" },
};

static bool
explain(struct err *err)
{
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (strstr(err->msg, causes[i].words) != NULL)
			return err_hint(err, "%s", causes[i].hint);
	return false;
}

/* "failed to validate peer x: could not connect to db:5432: ..." */
static bool
connect_failed(const struct dest_ops *kind, const PeerdbPeers__Peer *peer, struct err *err)
{
	struct err cause = *err;
	struct buf at;

	if (err->code == ERR_CANCELLED)
		return false;
	buf_init(&at, ADDRESS_MAX);
	kind->address(peer, &at);
	err_set(err, ERR_CONFIG, "failed to validate peer %s: could not connect%s%s: %s",
	    peer->name, at.n > 0 ? " to " : "", buf_str(&at), cause.msg);
	buf_done(&at);
	err_hint(err, "%s", cause.hint);
	memcpy(err->sqlstate, cause.sqlstate, sizeof(err->sqlstate));
	err_reason(err, "SOURCE_VALIDATION_FAILED");
	return explain(err);
}

/* ---- ValidatePeer, CreatePeer */

static bool
validate(struct dest *d, struct err *err)
{
	struct err cause;

	if (dest_validate(d, err))
		return true;
	cause = *err;
	err_set(err, cause.code, "failed to validate peer %s: %s", d->cfg.peer->name, cause.msg);
	err_reason(err, "SOURCE_VALIDATION_FAILED");
	return err_hint(err, "%s", cause.hint);
}

static bool
check_peer(struct probe *p, const PeerdbPeers__Peer *peer, struct err *err)
{
	const struct dest_ops *kind = dest_ops_of(peer, err);
	struct dest *d;
	bool ok;

	if (kind == NULL)
		return false;
	if (!probe_open_dest(p, peer, NULL, &d, err))
		return connect_failed(kind, peer, err);
	ok = validate(d, err);
	dest_close(&d);
	return ok;
}

static char *
valid_words(const PeerdbPeers__Peer *peer)
{
	struct err ignored = ERR_INIT;

	return xasprintf("%s peer %s is valid", dest_ops_of(peer, &ignored)->name, peer->name);
}

bool
probe_validate_peer(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out,
    struct err *err)
{
	PeerdbRoute__ValidatePeerResponse *r = (PeerdbRoute__ValidatePeerResponse *)out;

	(void)in;
	if (!check_peer(p, p->req->peer, err))
		return false;
	r->has_status = true;
	r->status = PEERDB_ROUTE__VALIDATE_PEER_STATUS__VALID;
	r->message = valid_words(p->req->peer);
	return true;
}

bool
probe_create_peer(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out,
    struct err *err)
{
	PeerdbRoute__CreatePeerResponse *r = (PeerdbRoute__CreatePeerResponse *)out;

	(void)in;
	if (!check_peer(p, p->req->peer, err))
		return false;
	r->has_status = true;
	r->status = PEERDB_ROUTE__CREATE_PEER_STATUS__CREATED;
	return true;
}

/* ---- GetPeerInfo: what only the server knows of it */

bool
probe_peer_info(struct probe *p, const ProtobufCMessage *in, ProtobufCMessage *out, struct err *err)
{
	PeerdbRoute__PeerInfoResponse *r = (PeerdbRoute__PeerInfoResponse *)out;
	const PeerdbPeers__Peer *peer = p->req->peer;
	struct dest *d;

	(void)in;
	if (!probe_open_dest(p, peer, NULL, &d, err))
		return peer != NULL && err_context(err, "peer \"%s\"", peer->name);
	r->version = xstrdup(dest_version(d));
	dest_close(&d);
	return true;
}
