/*
 * http_error - a struct err as the body of an HTTP answer
 *
 *	{"code": 3, "message": "...", "hint": "...", "details": [...]}
 *
 * code is the gRPC number; hint is left out when empty. details holds a
 * google.rpc.ErrorInfo for err->reason and, for the names the reason is about,
 * a PreconditionFailure with one violation each. Where a reason's metadata is
 * a name too (the publication that lacks tables), it is the first subject.
 *
 * The status to send is err_http_status(err->code), unless HTTP knows better.
 */
#ifndef PEERD_CONTROL_HTTP_ERROR_H
#define PEERD_CONTROL_HTTP_ERROR_H

struct buf;
struct err;

/* Members some calls put beside the message. */
struct http_error_extra {
	const char *status; /* "status"; NULL: none */
	int mirror_state;   /* "currentFlowState", enum FlowStatus; -1: none */
};

/* extra may be NULL. */
void http_error_print(const struct err *err, const struct http_error_extra *extra, struct buf *out);

#endif
