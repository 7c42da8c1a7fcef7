/*
 * engine - libchdb, ClickHouse's engine as a library, behind plain calls
 *
 * The library is loaded at run time; the program does not need it to build.
 * engine_open() once, before any thread; then each thread makes sessions of
 * its own. A session is what one HTTP request is to a ClickHouse server: its
 * SET and USE are seen by nobody else. Sessions work side by side.
 *
 *	session_new()
 *	session_query() for SET, USE, the statement itself
 *	or insert_begin(), insert_add() ..., insert_end() or insert_cancel()
 *	session_free()
 *
 * An insert that is cancelled leaves none of the rows that the engine had not
 * yet written as a block of their own, as with a server whose client goes away.
 *
 * Errors: the engine's exception as text ("Code: 60. DB::Exception: ..."),
 * appended to a buffer of the caller's; see exception.h.
 */
#ifndef PEERD_CHDBD_ENGINE_H
#define PEERD_CHDBD_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/slice.h"

struct buf;
struct err;
struct session;
struct insert;

struct progress {
	uint64_t read_rows, read_bytes;
	uint64_t written_rows, written_bytes;
};

struct answer {
	struct slice bytes; /* the engine's, until answer_done() */
	struct progress progress;
	void *handle;
};

bool engine_open(const char *library, const char *data, struct err *err);
const char *engine_version(void); /* "26.7.2.1" */
void engine_close(void);

struct session *session_new(void);
void session_free(struct session **s);

/* format: of an answer whose query names none. *answer_r only on success. */
bool session_query(struct session *s, struct slice query, const char *format,
    struct answer *answer_r, struct buf *words);
bool session_run(struct session *s, const char *statement, struct buf *words);
void answer_done(struct answer *answer);

/* query: an INSERT up to its FORMAT clause, without it. */
struct insert *insert_begin(struct session *s, struct slice query, const char *format,
    struct buf *words);
bool insert_add(struct insert *in, struct slice bytes, struct buf *words);
bool insert_end(struct insert **in, struct progress *progress_r, struct buf *words);
void insert_cancel(struct insert **in); /* NULL is fine */

#endif
