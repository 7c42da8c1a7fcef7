#include "catalog/sqlite_int.h"

#include "lib/base/mem.h"

/*
 * A page hangs on the bound it was asked with: the rows next to before_id
 * counting down, or next to after_id counting up, whatever the order they are
 * then shown in. With both or neither the order itself decides.
 */
struct paging
paging_of(const struct catalog_range *range)
{
	bool below = range->before_id > 0, above = range->after_id > 0;
	bool up = below == above ? range->ascending : above;

	return (struct paging){
		.up = up,
		.reverse = up != range->ascending,
		.before = below ? range->before_id : INT64_MAX,
		.after = above ? range->after_id : INT64_MIN,
		.limit = range->limit > 0 ? range->limit : 0,
	};
}

void
paging_bind(const struct paging *pg, struct stmt *s)
{
	stmt_int(s, pg->before);
	stmt_int(s, pg->after);
	stmt_int(s, pg->limit);
}

void
paging_turn(const struct paging *pg, struct rows *rows, size_t size)
{
	char *low = rows->p, *high = low + (rows->n > 0 ? rows->n - 1 : 0) * size;
	void *spare;

	if (!pg->reverse || rows->n < 2)
		return;
	spare = xmalloc(size);
	for (; low < high; low += size, high -= size) {
		memcpy(spare, low, size);
		memcpy(low, high, size);
		memcpy(high, spare, size);
	}
	free(spare);
}

bool
paging_read(struct stmt *s, bool ascending, struct catalog_page *page_r, struct err *err)
{
	if (stmt_next(s, err) != STMT_ROW)
		return false;
	page_r->total = col_int(s, 0);
	page_r->skipped = col_int(s, ascending ? 1 : 2);
	stmt_end(s);
	return true;
}
