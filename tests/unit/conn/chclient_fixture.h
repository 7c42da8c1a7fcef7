/*
 * chclient_fixture - a client of a scripted server
 */
#ifndef PEERD_TESTS_CHCLIENT_FIXTURE_H
#define PEERD_TESTS_CHCLIENT_FIXTURE_H

#include "tests/unit/conn/fake_http.h"

#include <event2/event.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"
#include "lib/conn/chclient.h"

#define PASSWORD "s3cret&=%"

#define OK(body) FAKE_REPLY("200 OK", "", body)
#define VERSION(version)         \
	{                        \
		OK(version "\n") \
	}
#define NEW VERSION("26.7.2.1")
#define OLD VERSION("18.16.1.0")

static PeerdbPeers__ClickhouseConfig peer;
static struct chclient_config cfg;
static struct chclient *c;
static struct event_base *loop;
static struct arena *a;
static struct err err;

static inline char *
text(const char *s)
{
	return (char *)(uintptr_t)s; /* messages hold char *; nothing here writes to them */
}

static inline void
setup(void)
{
	fake_start();
	loop = event_base_new();
	a = arena_new(4096);
	peerdb_peers__clickhouse_config__init(&peer);
	peer.host = text("127.0.0.1");
	peer.port = fake.port;
	peer.user = text("u ser");
	peer.password = text(PASSWORD);
	peer.database = text("sh`op");
	peer.has_disable_tls = peer.disable_tls = true;
	cfg = (struct chclient_config){ .peer = &peer, .loop = loop, .what = "peerd test" };
	err = (struct err)ERR_INIT;
}

static inline void
teardown(void)
{
	chclient_close(&c);
	arena_free(&a);
	event_base_free(loop);
	fake_stop();
}

static inline void
open_client(void)
{
	ck_assert_msg(chclient_open(&cfg, &c, &err), "%s", err.msg);
}

static inline bool
head_has(size_t request, const char *words)
{
	return strcasestr(buf_str(&fake_seen(request)->head), words) != NULL;
}

#define CODE(n) "X-ClickHouse-Exception-Code: " n "\r\n"

#define LOOP(tc, test, rows) \
	tcase_add_loop_test(tc, test, 0, (int)(sizeof(rows) / sizeof((rows)[0])))

#endif
