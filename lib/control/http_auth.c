#include "lib/control/http_auth.h"

#include <arpa/inet.h>
#include <openssl/evp.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/control/uthash.h"

#define ADDRESS_MAX	64
#define GUESSERS_MAX	4096
#define FORGET_AFTER	(600 * USEC_PER_SEC)
#define FREE_GUESSES	3 /* a person mistypes */
#define DELAY_FIRST	(250 * USEC_PER_MSEC)
#define DELAY_DOUBLINGS 4

struct guesser {
	char address[ADDRESS_MAX];
	unsigned failures;
	usec_t last;
	usec_t answer_at; /* when its latest wrong password is answered */
	UT_hash_handle hh;
};

struct http_auth {
	char *password;
	struct guesser *guessers; /* in the order of their first guess */
};

struct http_auth *
http_auth_new(const char *password)
{
	struct http_auth *auth = xcalloc(1, sizeof(*auth));

	if (password != NULL && password[0] != '\0')
		auth->password = xstrdup(password);
	return auth;
}

static void
guesser_forget(struct http_auth *auth, struct guesser *g)
{
	HASH_DEL(auth->guessers, g);
	free(g);
}

void
http_auth_free(struct http_auth **auth)
{
	struct guesser *g, *next;

	if (*auth == NULL)
		return;
	HASH_ITER (hh, (*auth)->guessers, g, next)
		guesser_forget(*auth, g);
	if ((*auth)->password != NULL)
		mem_wipe((*auth)->password, strlen((*auth)->password));
	MEM_FREE((*auth)->password);
	MEM_FREE(*auth);
}

bool
http_auth_needed(const struct http_auth *auth)
{
	return auth->password != NULL;
}

/* ---- who guesses */

/* An IPv6 client owns a whole /64, so that is its address here. */
static void
address_key(const char *address, char key_r[ADDRESS_MAX])
{
	struct in6_addr in6;

	(void)str_copy(key_r, ADDRESS_MAX, address);
	if (inet_pton(AF_INET6, address, &in6) != 1)
		return;
	memset(in6.s6_addr + 8, 0, 8);
	(void)inet_ntop(AF_INET6, &in6, key_r, ADDRESS_MAX);
}

static struct guesser *
guesser_find(struct http_auth *auth, const char *key, usec_t now)
{
	struct guesser *g;

	HASH_FIND_STR(auth->guessers, key, g);
	if (g != NULL && now - g->last > FORGET_AFTER) {
		guesser_forget(auth, g);
		return NULL;
	}
	return g;
}

static void
forget_longest_quiet(struct http_auth *auth)
{
	struct guesser *g, *next, *quiet = auth->guessers;

	HASH_ITER (hh, auth->guessers, g, next)
		if (g->last < quiet->last)
			quiet = g;
	guesser_forget(auth, quiet);
}

static struct guesser *
guesser_add(struct http_auth *auth, const char *key)
{
	struct guesser *g;

	if (HASH_COUNT(auth->guessers) >= GUESSERS_MAX)
		forget_longest_quiet(auth);
	g = xcalloc(1, sizeof(*g));
	(void)str_copy(g->address, sizeof(g->address), key);
	HASH_ADD_STR(auth->guessers, address, g);
	return g;
}

/* Note a wrong password; how long its answer waits behind the earlier ones. */
static int
guesser_failed(struct guesser *g, usec_t now)
{
	unsigned doublings;

	g->last = now;
	if (++g->failures <= FREE_GUESSES)
		return 0;
	doublings = g->failures - FREE_GUESSES - 1;
	if (doublings > DELAY_DOUBLINGS)
		doublings = DELAY_DOUBLINGS;
	if (g->answer_at < now)
		g->answer_at = now;
	g->answer_at += DELAY_FIRST << doublings;
	return (int)((g->answer_at - now) / USEC_PER_MSEC);
}

/* ---- what is in the header */

static bool
basic_matches(const char *password, const char *text)
{
	size_t n = strlen(text);
	unsigned char *plain = xcalloc(1, n + 4);
	const char *colon = NULL;
	bool matches = false;

	if (EVP_DecodeBlock(plain, (const unsigned char *)text, (int)n) > 0)
		colon = strchr((const char *)plain, ':');
	if (colon != NULL)
		matches = str_equal_const_time(colon + 1, password);
	mem_wipe(plain, n + 4);
	free(plain);
	return matches;
}

static const char *
after_scheme(const char *header, const char *scheme)
{
	size_t n = strlen(scheme);

	if (strncasecmp(header, scheme, n) != 0 || header[n] != ' ')
		return NULL;
	header += n;
	return header + strspn(header, " ");
}

static enum http_auth_verdict
credentials_check(const struct http_auth *auth, const char *header, size_t count)
{
	const char *basic, *bearer;

	if (count != 1 || header == NULL)
		return HTTP_AUTH_MISSING;
	basic = after_scheme(header, "Basic");
	bearer = after_scheme(header, "Bearer");
	if (basic != NULL && basic_matches(auth->password, basic))
		return HTTP_AUTH_OK;
	if (bearer != NULL && str_equal_const_time(bearer, auth->password))
		return HTTP_AUTH_OK;
	return basic != NULL || bearer != NULL ? HTTP_AUTH_WRONG : HTTP_AUTH_MISSING;
}

enum http_auth_verdict
http_auth_check(struct http_auth *auth, const char *address, const char *header, size_t count,
    usec_t now, int *delay_ms_r)
{
	enum http_auth_verdict verdict;
	char key[ADDRESS_MAX];
	struct guesser *g;

	*delay_ms_r = 0;
	if (auth->password == NULL)
		return HTTP_AUTH_OK;
	address_key(address, key);
	g = guesser_find(auth, key, now);
	if (g != NULL && g->answer_at - now > HTTP_AUTH_WAIT_MAX)
		return HTTP_AUTH_TOO_MANY;
	verdict = credentials_check(auth, header, count);
	if (verdict == HTTP_AUTH_WRONG)
		*delay_ms_r = guesser_failed(g != NULL ? g : guesser_add(auth, key), now);
	return verdict;
}
