#include "lib/control/mirror_counts.h"

#include "catalog/catalog.h"
#include "lib/base/mem.h"
#include "lib/control/uthash.h"

/* One table; the pointer to the first stands for all. */
struct mirror_counts {
	struct catalog_counts sums; /* its destination is owned */
	UT_hash_handle hh;
};

static struct mirror_counts *
counts_of(struct mirror_counts **counts, const char *destination)
{
	struct mirror_counts *c;
	char *name;

	HASH_FIND_STR(*counts, destination, c);
	if (c != NULL)
		return c;
	c = xcalloc(1, sizeof(*c));
	name = xstrdup(destination);
	c->sums.destination = name;
	HASH_ADD_KEYPTR(hh, *counts, name, strlen(name), c);
	return c;
}

void
mirror_counts_add(struct mirror_counts **counts, const struct catalog_counts *batch, size_t ntables)
{
	for (size_t i = 0; i < ntables; i++) {
		struct mirror_counts *c = counts_of(counts, batch[i].destination);

		c->sums.inserts += batch[i].inserts;
		c->sums.updates += batch[i].updates;
		c->sums.deletes += batch[i].deletes;
	}
}

void
mirror_counts_free(struct mirror_counts **counts)
{
	struct mirror_counts *c, *next;

	HASH_ITER (hh, *counts, c, next) {
		HASH_DEL(*counts, c);
		MEM_FREE(c->sums.destination);
		free(c);
	}
}

void
mirror_counts_each(const struct mirror_counts *counts,
    void (*fn)(void *arg, const struct catalog_counts *sums), void *arg)
{
	for (const struct mirror_counts *c = counts; c != NULL; c = c->hh.next)
		fn(arg, &c->sums);
}
