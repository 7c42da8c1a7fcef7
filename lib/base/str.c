#include "lib/base/str.h"

#include <errno.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "lib/base/err.h"

bool
str_to_u64(const char *s, uint64_t min, uint64_t max, uint64_t *v_r, struct err *err)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (s[0] < '0' || s[0] > '9' || *end != '\0')
		return err_set(err, ERR_INVALID, "\"%s\" is not a whole number", s);
	if (errno != 0 || v < min || v > max)
		return err_set(err, ERR_INVALID, "%s is out of range (%llu to %llu)", s,
		    (unsigned long long)min, (unsigned long long)max);
	*v_r = v;
	return true;
}

bool
str_to_i64(const char *s, int64_t min, int64_t max, int64_t *v_r, struct err *err)
{
	const char *digits = s[0] == '-' ? s + 1 : s;
	long long v;
	char *end;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (digits[0] < '0' || digits[0] > '9' || *end != '\0')
		return err_set(err, ERR_INVALID, "\"%s\" is not a whole number", s);
	if (errno != 0 || v < min || v > max)
		return err_set(err, ERR_INVALID, "%s is out of range (%lld to %lld)", s,
		    (long long)min, (long long)max);
	*v_r = v;
	return true;
}

bool
str_copy(char *to, size_t size, const char *from)
{
	size_t n = strlen(from);
	bool fits = n < size;

	if (!fits)
		n = size - 1;
	memcpy(to, from, n);
	to[n] = '\0';
	return fits;
}

bool
str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Length of the UTF-8 sequence at p (RFC 3629: no overlongs, no surrogates), 0 if malformed. */
static size_t
utf8_sequence(const uint8_t *p, size_t left)
{
	uint32_t c;
	size_t i, n;

	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > left)
		return 0;
	c = p[0] & (0xffu >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return c >= 0xd800 && c <= 0xdfff ? 0 : n;
}

bool
str_utf8_valid(const char *s, size_t n)
{
	size_t i = 0, step;

	while (i < n) {
		step = utf8_sequence((const uint8_t *)s + i, n - i);
		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

unsigned
str_distance(const char *a, const char *b)
{
	unsigned row[65], prev, next;
	size_t la = strlen(a), lb = strlen(b), i, j;

	if (la > 64 || lb > 64)
		return 64;
	for (j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (i = 1; i <= la; i++) {
		prev = row[0]++;
		for (j = 1; j <= lb; j++) {
			next = prev + (a[i - 1] != b[j - 1]);
			prev = row[j];
			if (row[j] + 1 < next)
				next = row[j] + 1;
			if (row[j - 1] + 1 < next)
				next = row[j - 1] + 1;
			row[j] = next;
		}
	}
	return row[lb];
}

bool
str_equal_const_time(const char *a, const char *b)
{
	size_t n = strlen(b);
	bool same_length = strlen(a) == n;

	return CRYPTO_memcmp(same_length ? a : b, b, n) == 0 && same_length;
}

bool
str_to_bool(const char *s, bool *v_r)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "true", true }, { "t", true }, { "1", true }, { "on", true },
		{ "false", false }, { "f", false }, { "0", false }, { "off", false } };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(words[i].word, s) == 0) {
			*v_r = words[i].value;
			return true;
		}
	return false;
}
