#include "lib/wire/lsn.h"

#include <inttypes.h>

struct lsn_text
lsn_format(lsn_t lsn)
{
	struct lsn_text t;

	snprintf(t.s, sizeof(t.s), "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
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
