/*
 * httpc_int - what the files of httpc share
 */
#ifndef PEERD_CONN_HTTPC_INT_H
#define PEERD_CONN_HTTPC_INT_H

#include <sys/queue.h>

#include <curl/curl.h>
#include <event2/event.h>

#include "lib/conn/httpc.h"

struct httpc_request {
	LIST_ENTRY(httpc_request) entry; /* of those under way in the event loop */
	struct httpc *h;
	CURL *easy;
	struct curl_slist own_header; /* goes before everybody's */
	const struct slice *body;
	size_t nbody;
	size_t slice; /* the next byte to send */
	size_t offset;
	struct httpc_answer answer;
	httpc_done_fn *done;
	void *arg;
	char why[CURL_ERROR_SIZE];
};

struct httpc {
	char *origin;  /* "https://host:port" */
	char *address; /* "host:port", for messages */
	char *user_agent;
	bool files; /* the next three are names of files */
	char *certificate;
	char *private_key;
	char *root_ca;
	usec_t connect_timeout;
	usec_t stall_timeout;
	const struct pgconn_interrupt *intr;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	CURLM *waiting; /* of httpc_call() */

	/* of httpc_send(), when there is a loop */
	struct event_base *loop;
	CURLM *multi;
	struct event *timer;
	LIST_HEAD(, httpc_request) requests;
	bool delivering;
	bool doomed; /* to be destroyed when that is over */
};

/* Why the transfer failed, unless err says so already. */
void httpc_error(struct httpc_request *rq, CURLcode code, struct err *err);

#endif
