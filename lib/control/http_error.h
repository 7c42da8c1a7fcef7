/*
 * http_error - a struct err as the body of an HTTP answer
 *
 *	{"code": 3, "message": "...", "hint": "...", "details": [...]}
 *
 * code is the gRPC number; hint is left out when empty. details holds a
 * google.rpc ErrorInfo for err->reason and, where the reason is about named
 * things, a PreconditionFailure with a violation for each. Calls that tell
 * more (status FAILED, currentFlowState) pass it as extra.
 */
#ifndef PEERD_CONTROL_HTTP_ERROR_H
#define PEERD_CONTROL_HTTP_ERROR_H

struct buf;
struct err;

/* Members put beside the message; NULL and -1 leave them out. */
struct http_error_extra {
	const char *status;		/* "status" */
	int mirror_state;		/* "currentFlowState", enum FlowStatus */
};

#define HTTP_ERROR_NO_EXTRA	{ .mirror_state = -1 }

/* extra may be NULL. The status to send is err_http_status(err->code). */
void	http_error_print(const struct err *err, const struct http_error_extra *extra,
	    struct buf *out);

/* For answers HTTP has and the table of errors has not (403, 405, 429, 431). */
int	http_error_grpc_code(int http_status, const struct err *err);
void	http_error_print_status(int http_status, const struct err *err, struct buf *out);

#endif
