/*
 * codec - Content-Encoding: gzip, deflate, lz4 (frames), zstd
 *
 * A decoder takes a compressed body in pieces of any size and hands out plain
 * bytes, as much at a time as fits the caller's buffer. decoder_whole() tells
 * whether what came so far ends where a compressed stream ends: a body of the
 * right length may still be half a stream.
 *
 * Errors: false for bytes that are not of the encoding.
 */
#ifndef PEERD_CHDBD_CODEC_H
#define PEERD_CHDBD_CODEC_H

#include <stdbool.h>

#include "lib/base/slice.h"

struct buf;
struct codec;
struct decoder;

const struct codec *codec_find(const char *name);	       /* NULL when unknown */
const struct codec *codec_choose(const char *accept_encoding); /* NULL: send it plain */
const char *codec_name(const struct codec *c);
void codec_encode(const struct codec *c, struct slice in, struct buf *out);

struct decoder *decoder_new(const struct codec *c);
void decoder_free(struct decoder **d); /* NULL is fine */

/* Fills out up to its ceiling; *in shrinks by what was used. */
bool decoder_feed(struct decoder *d, struct slice *in, struct buf *out);
bool decoder_whole(const struct decoder *d);

#endif
