#include "lib/wire/lsn.h"

#include <inttypes.h>

static char *
put_hex(char *to, uint32_t v)
{
	int shift = 28;

	while (shift > 0 && v >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*to++ = "0123456789ABCDEF"[v >> shift & 15];
	return to;
}

/* By hand, for every change of a stream has one. */
struct lsn_text
lsn_format(lsn_t lsn)
{
	struct lsn_text t;
	char *end = put_hex(t.s, (uint32_t)(lsn >> 32));

	*end++ = '/';
	end = put_hex(end, (uint32_t)lsn);
	*end = '\0';
	t.n = (size_t)(end - t.s);
	return t;
}

bool
lsn_parse(const char *s, lsn_t *lsn_r)
{
	uint32_t hi, lo;
	int used = -1;

	if (strlen(s) > 17 || strspn(s, "0123456789abcdefABCDEF/") != strlen(s))
		return false;
	if (sscanf(s, "%8" SCNx32 "/%8" SCNx32 "%n", &hi, &lo, &used) != 2 || used < 0 ||
	    s[used] != '\0')
		return false;
	*lsn_r = (lsn_t)hi << 32 | lo;
	return true;
}
