/*
 * chclient_int - what the files of chclient share
 */
#ifndef PEERD_CONN_CHCLIENT_INT_H
#define PEERD_CONN_CHCLIENT_INT_H

#include <sys/queue.h>

#include "lib/conn/chclient.h"
#include "lib/conn/httpc.h"

struct chclient {
	struct httpc *http;
	struct ch_caps caps;
	char *database;
	bool compress; /* bodies of inserts */
	LIST_HEAD(, chclient_request) requests;
};

/* A post made ready: what httpc needs, and what it borrows. */
struct chpost {
	struct httpc_post http;
	char *target;
	char *front;	      /* the statement, when it goes before the data */
	struct slice *slices; /* the body, when it is not just the caller's */
	struct buf packed;    /* the body, compressed */
	uint64_t rows;	      /* to be found written; 0: unknown */
	bool token;
};

void chpost_build(struct chpost *p, const struct chclient *c, const struct ch_post *post);
void chpost_done(struct chpost *p);

size_t chpack_size(const struct slice *slices, size_t n);

/* One frame of all slices. to: initialised here; done by the caller. */
void chpack_lz4(const struct slice *slices, size_t nslices, struct buf *to);
void chpack_gzip(const struct slice *slices, size_t nslices, bool small, struct buf *to);

/* What an HTTP answer means. http_err: that of the transfer, or NULL. */
bool chanswer_read(const struct chpost *p, const struct httpc_answer *http,
    const struct err *http_err, struct ch_answer *answer_r, struct err *err);

/* True, with err, when the answer holds an exception, as far as it came. */
bool cherror_exception(const struct httpc_answer *http, struct err *err);

/* False, with err, when a whole answer is not that of a request carried out. */
bool cherror_check(const struct httpc_answer *http, struct err *err);

#endif
