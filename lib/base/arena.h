/*
 * arena - memory owned by a lifetime
 *
 * Allocate freely, give everything back at once: arena_reset() keeps the
 * blocks for the next round, arena_free() returns them. Five lifetimes exist:
 * process, mirror, batch, message, request; an arena is passed explicitly and
 * named after the one it serves. Nothing in it is freed singly.
 *
 * Alignment is 8. Not safe across threads.
 */
#ifndef PEERD_BASE_ARENA_H
#define PEERD_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"

struct arena;

/* block: usual block size in bytes; larger requests get a block of their own. */
struct arena *arena_new(size_t block);
void arena_free(struct arena **a);
void arena_reset(struct arena *a);

void *arena_alloc(struct arena *a, size_t n) __attribute__((returns_nonnull));
void *arena_zalloc(struct arena *a, size_t n) __attribute__((returns_nonnull));
void *arena_dup(struct arena *a, const void *p, size_t n) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t n) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));
struct slice arena_dup_slice(struct arena *a, struct slice s);

/* Bytes handed out since the last reset: what a ceiling is compared with. */
size_t arena_used(const struct arena *a);

#endif
