#include "lib/sink/dest.h"

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/sink/loader.h"
#include "lib/sink/sink.h"

static const struct dest_ops *const kinds[] = {
	&dest_postgres,
	&dest_clickhouse,
	&dest_kafka,
};

#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool
refuse_kind(const PeerdbPeers__Peer *peer, struct err *err)
{
	struct buf names;
	size_t i;

	buf_init(&names, 256);
	for (i = 0; i < NKINDS; i++)
		buf_printf(&names, "%s%s", i > 0 ? ", " : "", kinds[i]->name);
	err_set(err, ERR_UNIMPLEMENTED, "peer \"%s\" is of a type that is not supported",
	    peer->name);
	err_hint(err, "peers of these types are: %s", buf_str(&names));
	buf_done(&names);
	return false;
}

const struct dest_ops *
dest_ops_of(const PeerdbPeers__Peer *peer, struct err *err)
{
	size_t i;

	if (peer == NULL || peer->config_case == PEERDB_PEERS__PEER__CONFIG__NOT_SET) {
		err_set(err, ERR_INVALID, "the peer has no configuration");
		return NULL;
	}
	for (i = 0; i < NKINDS; i++)
		if (kinds[i]->config_case == peer->config_case)
			return kinds[i];
	refuse_kind(peer, err);
	return NULL;
}

bool
dest_open(const struct dest_config *cfg, struct dest **d_r, struct err *err)
{
	const struct dest_ops *ops = dest_ops_of(cfg->peer, err);

	return ops != NULL && ops->open(cfg, d_r, err);
}

bool
dest_loader_open(const struct loader_config *cfg, struct loader **l_r, struct err *err)
{
	const struct dest_ops *ops = dest_ops_of(cfg->peer, err);

	return ops != NULL && ops->loader_open(cfg, l_r, err);
}

struct sink *
dest_sink_new(const struct sink_config *cfg, struct err *err)
{
	const struct dest_ops *ops = dest_ops_of(cfg->peer, err);

	return ops != NULL ? ops->sink_new(cfg) : NULL;
}

void
dest_choose_forms(const struct dest_ops *ops, struct dest_tables tables)
{
	PeerdWorker__Column *c;
	size_t i, j;

	for (i = 0; i < tables.n; i++)
		for (j = 0; j < tables.v[i]->n_columns; j++) {
			c = tables.v[i]->columns[j];
			c->has_binary = true;
			c->binary = ops->binary_ok(c);
		}
}
