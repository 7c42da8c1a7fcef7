/*
 * peerd - the control plane
 *
 * Wires catalog, service and listeners to one event loop, says when it is
 * ready, and takes everything down in order on SIGTERM or SIGINT.
 *
 * Exit codes: 0 stopped as asked, 1 could not start or go on, 2 usage.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "cmd/peerd/options.h"
#include "lib/base/err.h"
#include "lib/base/events.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/control/http_rest.h"
#include "lib/control/metrics.h"
#include "lib/control/service.h"
#include "lib/control/tls.h"

#define EXIT_USAGE   2
#define STOP_SECONDS 25 /* the ladder of a worker is shorter */

struct daemon {
	struct options options;
	struct event_base *base;
	struct event *sigterm;
	struct event *sigint;
	struct event *sighup;
	struct event *stop_timer;
	struct catalog *catalog;
	struct service *svc;
	struct metrics_registry *metrics;
	struct tls_context *tls;
	struct http_rest *rest;
	char *socket_path;
	bool stopping;
	unsigned waiting_for; /* parts that have not stopped yet */
	int exit_code;
};

/* One line to a person, before there is a log worth reading. */
static void
complain(const struct err *err)
{
	fprintf(stderr, "peerd: %s\n", err->msg);
	if (err->hint[0] != '\0')
		fprintf(stderr, "hint: %s\n", err->hint);
}

/* ---- stopping */

static void
daemon_part_stopped(void *arg)
{
	struct daemon *d = arg;

	if (--d->waiting_for == 0)
		event_base_loopexit(d->base, NULL);
}

static void
daemon_on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	log_warn(NULL, "not everything stopped in time, leaving");
	event_base_loopexit(d->base, NULL);
}

static void
daemon_stop(struct daemon *d)
{
	struct timeval tv = { .tv_sec = STOP_SECONDS };

	d->stopping = true;
	sd_notify(0, "STOPPING=1");
	evtimer_add(d->stop_timer, &tv);
	d->waiting_for = 2;
	http_rest_stop(d->rest, daemon_part_stopped, d);
	service_stop(d->svc, daemon_part_stopped, d);
}

static void
daemon_on_term(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	if (d->stopping || d->rest == NULL) {
		event_base_loopexit(d->base, NULL);
		return;
	}
	log_info(NULL, "stopping on signal %d", (int)sig);
	daemon_stop(d);
}

static void
daemon_on_hup(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;
	struct err err = ERR_INIT;

	(void)sig;
	(void)what;
	if (d->tls == NULL)
		return;
	if (tls_reload(d->tls, &err))
		log_info(NULL, "certificate read again");
	else
		log_error(NULL, "certificate not read again: %s", err.msg);
}

/* ---- starting */

static void
daemon_say_ready(struct daemon *d)
{
	const char *where = d->options.http_listen;
	int host = (int)(strrchr(where, ':') - where);

	log_info(NULL, "ready http=%.*s:%u socket=%s", host, where, http_rest_port(d->rest),
	    d->socket_path);
	sd_notify(0, "READY=1");
}

static bool
daemon_listen(struct daemon *d, struct err *err)
{
	const struct http_rest_options options = {
		.base = d->base,
		.svc = d->svc,
		.metrics = d->metrics,
		.listen = d->options.http_listen,
		.socket_path = d->socket_path,
		.password = d->options.password,
		.open_metrics = strcmp(d->options.open_metrics, "yes") == 0,
		.tls = d->tls,
	};

	return http_rest_new(&options, &d->rest, err);
}

static void
daemon_on_started(void *arg, const struct err *failed)
{
	struct daemon *d = arg;
	struct err err = failed != NULL ? *failed : (struct err)ERR_INIT;

	if (failed == NULL && daemon_listen(d, &err)) {
		daemon_say_ready(d);
		return;
	}
	complain(&err);
	d->exit_code = EXIT_FAILURE;
	event_base_loopexit(d->base, NULL);
}

static void
daemon_watch_signals(struct daemon *d)
{
	d->sigterm = evsignal_new(d->base, SIGTERM, daemon_on_term, d);
	d->sigint = evsignal_new(d->base, SIGINT, daemon_on_term, d);
	d->sighup = evsignal_new(d->base, SIGHUP, daemon_on_hup, d);
	event_add(d->sigterm, NULL);
	event_add(d->sigint, NULL);
	event_add(d->sighup, NULL);
	d->stop_timer = evtimer_new(d->base, daemon_on_stop_timer, d);
}

static bool
daemon_open(struct daemon *d, struct err *err)
{
	const struct catalog_options catalog = {
		.dir = d->options.state_dir,
		.keys = d->options.catalog_key,
	};
	struct service_options service = {
		.base = d->base,
		.worker_path = d->options.worker_path,
		.version = PEERD_VERSION,
	};

	if (!catalog_open(&catalog, &d->catalog, err))
		return false;
	if (d->options.tls_certificate != NULL &&
	    !tls_open(d->options.tls_certificate, d->options.tls_key, &d->tls, err))
		return false;
	d->socket_path = xasprintf("%s/peerd.sock", d->options.state_dir);
	service.catalog = d->catalog;
	d->svc = service_new(&service);
	d->metrics = metrics_registry_new();
	metrics_registry_add(d->metrics, metrics_of_service, d->svc);
	return true;
}

static void
daemon_done(struct daemon *d)
{
	http_rest_free(&d->rest);
	service_free(&d->svc);
	metrics_registry_free(&d->metrics);
	tls_free(&d->tls);
	catalog_close(&d->catalog);
	event_done(&d->sigterm);
	event_done(&d->sigint);
	event_done(&d->sighup);
	event_done(&d->stop_timer);
	event_base_free(d->base);
	free(d->socket_path);
}

static int
daemon_run(struct daemon *d)
{
	struct err err = ERR_INIT;

	d->base = event_base_new();
	daemon_watch_signals(d);
	if (daemon_open(d, &err)) {
		service_start(d->svc, daemon_on_started, d);
		event_base_dispatch(d->base);
		if (d->exit_code == EXIT_SUCCESS)
			log_info(NULL, "stopped");
	} else {
		complain(&err);
		d->exit_code = EXIT_FAILURE;
	}
	daemon_done(d);
	return d->exit_code;
}

/* 0 to 2 must be open, or the next file would be taken for one of them. */
static void
hold_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct daemon d = { .exit_code = EXIT_SUCCESS };
	struct err err = ERR_INIT;

	hold_standard_fds();
	signal(SIGPIPE, SIG_IGN);
	event_set_mem_functions(xmalloc, xrealloc, free);
	if (!options_read(argc, argv, &d.options, &err) ||
	    (!d.options.help && !d.options.version && !options_check(&d.options, &err))) {
		complain(&err);
		d.exit_code = EXIT_USAGE;
	} else if (d.options.help)
		options_help();
	else if (d.options.version)
		printf("peerd %s\n", PEERD_VERSION);
	else if (d.options.check_only)
		options_print(&d.options);
	else
		daemon_run(&d);
	options_free(&d.options);
	libevent_global_shutdown();
	return d.exit_code;
}
