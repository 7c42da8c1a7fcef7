/*
 * ch_chunks - rows of a snapshot on their way to ClickHouse
 *
 * There are two chunks: one is filled while the other is under way. A chunk is
 * one insert with a token, made so that the server stores it as one block, so
 * that a server which knows the token stores it once, however often it comes.
 *
 *	ch_chunks_body()	append rows here ...
 *	ch_chunks_turn()	and call this now and then: what is under way goes on
 *	ch_chunks_send()	the filled one is complete; waits until the other is in
 *	ch_chunks_drain()	waits until all is in
 *
 * What fails in a way that may pass (no connection, too many parts, no memory)
 * is sent again with growing pauses for as long as RETRY_US, which on_warning()
 * is told of. may_send() is asked before every attempt, and ends it when false.
 *
 * Errors: as chclient.h and may_send() give them; after one only free.
 */
#ifndef PEERD_SINK_CH_CHUNKS_H
#define PEERD_SINK_CH_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct ch_chunks;
struct ch_setting;
struct chclient;
struct err;
struct event_base;

/* Where chunks go. */
struct ch_chunks_to {
	const char *insert; /* the statement */
	const struct ch_setting *settings;
	size_t nsettings; /* CH_CHUNKS_SETTINGS_MAX at most */
};

#define CH_CHUNKS_SETTINGS_MAX 4

struct ch_chunks_callbacks {
	bool (*may_send)(void *arg, struct err *err);
	void (*on_warning)(void *arg, const char *words);
	void *arg;
};

/* Everything is borrowed. The loop is the client's, and nobody else runs it. */
struct ch_chunks *ch_chunks_new(struct event_base *loop, struct chclient *c,
    const struct ch_chunks_callbacks *cb);
void ch_chunks_free(struct ch_chunks **k); /* what is under way is cut off */

/* RowBinary; an empty one may be left so. */
struct buf *ch_chunks_body(struct ch_chunks *k);

/* to: lent until the drain. token: copied. */
bool ch_chunks_send(struct ch_chunks *k, const struct ch_chunks_to *to, const char *token,
    uint64_t rows, struct err *err);
bool ch_chunks_turn(struct ch_chunks *k, struct err *err);
bool ch_chunks_drain(struct ch_chunks *k, struct err *err);

#endif
