#include "lib/base/slice.h"

const char *
rbuf_cstr(struct rbuf *r)
{
	const uint8_t *nul = r->failed ? NULL : memchr(r->p, '\0', rbuf_left(r));
	const char *s = (const char *)r->p;

	if (nul == NULL) {
		r->failed = true;
		return "";
	}
	r->p = nul + 1;
	return s;
}
