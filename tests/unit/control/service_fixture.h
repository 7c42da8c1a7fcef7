/*
 * service_fixture - a service over a catalog of its own, with fake workers
 *
 * Calls are made as JSON and answered as JSON: api("CreatePeer", "{...}").
 * A failed call answers as "CODE message" with the hint in last_err.
 */
#ifndef PEERD_TESTS_SERVICE_FIXTURE_H
#define PEERD_TESTS_SERVICE_FIXTURE_H

#include <check.h>
#include <event2/event.h>
#include <ftw.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/control/service.h"
#include "lib/wire/pbjson.h"
#include "tests/unit/control/fake_worker.h"

#define FIXTURE_DEADLINE_US (20 * USEC_PER_SEC)

static char state_dir[64];
static char self_path[4096];
static struct event_base *base;
static struct catalog *catalog;
static struct service *svc;
static struct buf last;
static struct err last_err;
static int last_state;
static const char *last_status;
static bool answered;

static inline void
turn(void)
{
	struct timeval tick = { .tv_usec = 5000 };

	event_base_loopexit(base, &tick);
	event_base_loop(base, EVLOOP_ONCE);
}

#define run_until(condition)                                                             \
	do {                                                                             \
		usec_t deadline_ = clock_mono_us() + FIXTURE_DEADLINE_US;                \
		while (!(condition)) {                                                   \
			ck_assert_msg(clock_mono_us() < deadline_, "waited in vain: %s", \
			    #condition);                                                 \
			turn();                                                          \
		}                                                                        \
	} while (0)

static inline void
on_started(void *arg, const struct err *err)
{
	ck_assert_msg(err == NULL, "%s", err != NULL ? err->msg : "");
	*(bool *)arg = true;
}

static inline void
on_stopped(void *arg)
{
	*(bool *)arg = true;
}

static inline void
open_service(void)
{
	const struct catalog_options co = { .dir = state_dir };
	struct service_options so = { .version = "test", .worker_path = self_path };
	struct err err = ERR_INIT;
	bool started = false;

	ck_assert_msg(catalog_open(&co, &catalog, &err), "%s", err.msg);
	so.base = base;
	so.catalog = catalog;
	svc = service_new(&so);
	ck_assert(!service_is_ready(svc));
	service_start(svc, on_started, &started);
	run_until(started);
	ck_assert(service_is_ready(svc));
}

/* orderly: as on SIGTERM; else as after kill -9, but for the memory. */
static inline void
close_service(bool orderly)
{
	bool stopped = !orderly;

	if (orderly)
		service_stop(svc, on_stopped, &stopped);
	run_until(stopped);
	service_free(&svc);
	catalog_close(&catalog);
}

static inline int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void
fixture_init(void)
{
	ssize_t n = readlink("/proc/self/exe", self_path, sizeof(self_path) - 1);

	ck_assert_int_gt(n, 0);
	self_path[n] = '\0';
	signal(SIGPIPE, SIG_IGN);
	snprintf(state_dir, sizeof(state_dir), "/tmp/peerd-unit.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(state_dir));
	buf_init(&last, 8 * MIB);
	base = event_base_new();
	open_service();
}

static inline void
fixture_done(void)
{
	close_service(true);
	event_base_free(base);
	buf_done(&last);
	nftw(state_dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void
on_answer(void *arg, const struct rpc_outcome *outcome)
{
	(void)arg;
	answered = true;
	last_state = outcome->mirror_state;
	last_status = outcome->status_name;
	buf_reset(&last);
	err_clear(&last_err);
	if (outcome->err != NULL) {
		last_err = *outcome->err;
		buf_printf(&last, "%s %s", err_code_name(last_err.code), last_err.msg);
	} else {
		pbjson_print(outcome->response, 0, &last);
	}
}

static inline ProtobufCMessage *
request_parse(int method, const char *json)
{
	struct err err = ERR_INIT;
	ProtobufCMessage *msg;

	ck_assert_int_ge(method, 0);
	ck_assert_msg(pbjson_parse(peerdb_route__flow_service__descriptor.methods[method].input,
			  json, strlen(json), &msg, &err),
	    "%s: %s", json, err.msg);
	return msg;
}

static inline const char *
api(const char *method, const char *json)
{
	int index = rpc_method_find(method);

	answered = false;
	rpc_begin(svc, (unsigned)index, request_parse(index, json), "test", on_answer, NULL);
	run_until(answered);
	return buf_str(&last);
}

static inline bool
has(const char *words)
{
	return strstr(buf_str(&last), words) != NULL;
}

#define expect(method, json, words)                                                 \
	do {                                                                        \
		const char *got_ = api(method, json);                               \
		ck_assert_msg(strstr(got_, words) != NULL, "%s: %s", method, got_); \
	} while (0)

/* ---- the usual cast */

#define PEER(name, host)                                                                    \
	"{\"peer\":{\"name\":\"" name "\",\"type\":3,\"postgres_config\":{\"host\":\"" host \
	"\",\"port\":5432,\"user\":\"u\",\"password\":\"sesame\",\"database\":\"d\"}}"

#define MIRROR(name, more)                                                               \
	"{\"connection_configs\":{\"flow_job_name\":\"" name "\",\"source_name\":\"a\"," \
	"\"destination_name\":\"b\",\"table_mappings\":[{\"source_table_identifier\":"   \
	"\"public.t\",\"destination_table_identifier\":\"public.t\"}]" more "}}"

#define LOADS	",\"do_initial_snapshot\":true"
#define STREAMS ",\"do_initial_snapshot\":false"

static inline void
make_peers(void)
{
	expect("CreatePeer", PEER("a", "source") "}", "CREATED");
	expect("CreatePeer", PEER("b", "destination") "}", "CREATED");
}

static inline bool
mirror_is_in(const char *name, const char *state)
{
	char json[256], words[128];

	snprintf(json, sizeof(json), "{\"flow_job_name\":\"%s\"}", name);
	snprintf(words, sizeof(words), "\"currentFlowState\":\"STATUS_%s\"", state);
	api("MirrorStatus", json);
	return has(words);
}

static inline bool
overview_has(const char *words)
{
	api("MirrorOverview", "{}");
	return has(words);
}

static inline void
ask_state(const char *name, const char *state, const char *words)
{
	char json[256];

	snprintf(json, sizeof(json),
	    "{\"flow_job_name\":\"%s\",\"requested_flow_state\":\"STATUS_%s\"}", name, state);
	expect("FlowStateChange", json, words);
}

#endif
