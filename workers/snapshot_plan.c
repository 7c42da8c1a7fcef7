#include "workers/snapshot_plan.h"

#define ROWS_PER_BLOCK_GUESS 80 /* of 100 bytes each in 8 kB */

int64_t
snapshot_blocks_per_partition(int64_t blocks, int64_t rows, int64_t rows_wanted, bool ranges)
{
	int64_t per, least = (blocks + SNAPSHOT_PARTITIONS_MAX - 1) / SNAPSHOT_PARTITIONS_MAX;
	double share;

	if (!ranges || blocks <= 1)
		return blocks > 0 ? blocks : 1;
	if (rows > 0)
		share = (double)blocks * (double)rows_wanted / (double)rows;
	else
		share = (double)(rows_wanted / ROWS_PER_BLOCK_GUESS);
	per = share < (double)blocks ? (int64_t)share : blocks;
	if (per < least)
		per = least;
	return per > 0 ? per : 1;
}

int64_t
snapshot_even_out(int64_t blocks, int64_t per, int64_t workers)
{
	int64_t n = (blocks + per - 1) / per, even = (n + workers - 1) / workers * workers;

	if (n <= 1 || even > SNAPSHOT_PARTITIONS_MAX)
		return per;
	return (blocks + even - 1) / even;
}

void
snapshot_where(int64_t from_block, int64_t to_block, char *to, unsigned size)
{
	int n = 0;

	to[0] = '\0';
	if (from_block > 0)
		n = snprintf(to, size, "ctid >= '(%lld,0)'::tid", (long long)from_block);
	if (to_block >= 0)
		snprintf(to + n, size - (unsigned)n, "%sctid < '(%lld,0)'::tid",
		    n > 0 ? " AND " : "", (long long)to_block);
}
