#include "lib/base/arena.h"
#include "lib/base/mem.h"

struct block {
	struct block *next;
	size_t size;
	size_t used;
	uint8_t data[] __attribute__((aligned(8)));
};

struct arena {
	size_t block;
	size_t used;
	struct block *cur;   /* blocks in use, newest first */
	struct block *spare; /* emptied by reset, all of the usual size */
};

struct arena *
arena_new(size_t block)
{
	struct arena *a = xcalloc(1, sizeof(*a));

	a->block = block;
	return a;
}

static void
blocks_free(struct block *b)
{
	while (b != NULL) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
}

void
arena_free(struct arena **a)
{
	if (*a == NULL)
		return;
	blocks_free((*a)->cur);
	blocks_free((*a)->spare);
	MEM_FREE(*a);
}

void
arena_reset(struct arena *a)
{
	struct block *b, *next;

	for (b = a->cur; b != NULL; b = next) {
		next = b->next;
		if (b->size != a->block) {
			free(b);
			continue;
		}
		b->used = 0;
		b->next = a->spare;
		a->spare = b;
	}
	a->cur = NULL;
	a->used = 0;
}

static struct block *
arena_block(struct arena *a, size_t n)
{
	struct block *b = a->spare;

	if (n <= a->block && b != NULL) {
		a->spare = b->next;
	} else {
		b = xmalloc(sizeof(*b) + (n > a->block ? n : a->block));
		b->size = n > a->block ? n : a->block;
		b->used = 0;
	}
	b->next = a->cur;
	a->cur = b;
	return b;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct block *b = a->cur;
	void *p;

	n = (n + 7) & ~(size_t)7;
	if (b == NULL || b->size - b->used < n)
		b = arena_block(a, n);
	p = b->data + b->used;
	b->used += n;
	a->used += n;
	return p;
}

void *
arena_zalloc(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

void *
arena_dup(struct arena *a, const void *p, size_t n)
{
	void *copy = arena_alloc(a, n);

	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}

char *
arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *copy = arena_alloc(a, n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	s = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

struct slice
arena_dup_slice(struct arena *a, struct slice s)
{
	return slice_of(arena_dup(a, s.p, s.n), s.n);
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}
