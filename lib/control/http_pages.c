/*
 * The pages beside the API, for orchestrators and Prometheus.
 */
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/control/http_rest_int.h"
#include "lib/control/metrics.h"
#include "lib/control/service.h"

static bool
always_open(const struct http_rest *rest)
{
	return true;
}

static bool
metrics_are_open(const struct http_rest *rest)
{
	return rest->open_metrics;
}

static void
serve_status(struct http_request *req, const char *status)
{
	struct buf body;

	buf_init(&body, 64);
	buf_printf(&body, "{\"status\":\"%s\"}", status);
	http_reply_json(req, 200, &body);
	buf_done(&body);
}

static void
serve_healthz(struct http_rest *rest, struct http_request *req)
{
	serve_status(req, "ok");
}

static void
serve_readyz(struct http_rest *rest, struct http_request *req)
{
	struct err err = ERR_INIT;

	if (service_is_ready(rest->svc)) {
		serve_status(req, "ready");
		return;
	}
	err_set(&err, ERR_TRANSIENT, "peerd is starting or stopping");
	http_reply_error(req, 0, &err, NULL);
}

static void
serve_metrics(struct http_rest *rest, struct http_request *req)
{
	struct err err = ERR_INIT;
	struct buf text;

	buf_init(&text, HTTP_REPLY_MAX);
	metrics_print(rest->metrics, &text);
	if (buf_overflowed(&text)) {
		err_set(&err, ERR_TOO_LARGE, "the metrics exceed %u bytes", HTTP_REPLY_MAX);
		http_reply_error(req, 500, &err, NULL);
	} else {
		http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&text));
	}
	buf_done(&text);
}

static const struct http_page pages[] = {
	{ "/healthz", always_open, serve_healthz },
	{ "/readyz", always_open, serve_readyz },
	{ "/metrics", metrics_are_open, serve_metrics },
};

const struct http_page *
http_page_find(const char *path)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strcmp(pages[i].path, path) == 0)
			return &pages[i];
	return NULL;
}
