#include "lib/conn/kconn.h"

#include <curl/curl.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conn/kerror.h"
#include "lib/conn/kscram.h"

#define OUT_MAX	     (2048ULL * MIB) /* who sends keeps within bounds of his own */
#define OUT_KEPT     (16 * MIB)
#define ANSWER_MAX   (16 * MIB)
#define READ_BYTES   (64 * KIB)
#define STEP_MS	     100
#define KEEPALIVE_S  30L
#define LENGTH_BYTES 4

/* What we speak, and so what a broker must. */
static const struct {
	enum kwire_api api;
	struct kwire_range known;
} spoken[] = {
	{ KWIRE_PRODUCE, { 3, 7 } },
	{ KWIRE_METADATA, { 1, 4 } },
	{ KWIRE_FIND_COORDINATOR, { 1, 1 } },
	{ KWIRE_INIT_PRODUCER_ID, { 0, 0 } },
	{ KWIRE_ADD_PARTITIONS, { 0, 0 } },
	{ KWIRE_END_TXN, { 0, 0 } },
	{ KWIRE_SASL_HANDSHAKE, { 1, 1 } },
	{ KWIRE_SASL_AUTHENTICATE, { 0, 0 } },
};

#define N(list) (sizeof(list) / sizeof((list)[0]))

struct kconn {
	CURL *easy;
	int fd;
	char *name;
	char *client_id;
	int32_t correlation;
	int16_t versions[N(spoken)]; /* that we agreed on */
	struct buf out;
	size_t sent;	/* of out */
	size_t request; /* where in out the one being made begins */
	struct buf in;
	size_t taken; /* of in */
	char why[CURL_ERROR_SIZE];
};

/* ---- the transport */

static void
set_pem(CURL *e, CURLoption option, const char *text)
{
	struct curl_blob pem = { .flags = CURL_BLOB_NOCOPY };

	if (text == NULL || text[0] == '\0')
		return;
	pem.data = (void *)(uintptr_t)text;
	pem.len = strlen(text);
	curl_easy_setopt(e, option, &pem);
}

struct waiting {
	const struct kconn_config *cfg;
	struct err *err;
	usec_t deadline;
};

static int
on_progress(void *arg, curl_off_t all, curl_off_t now, curl_off_t up_all, curl_off_t up_now)
{
	struct waiting *w = arg;

	(void)all;
	(void)now;
	(void)up_all;
	(void)up_now;
	return w->cfg->go_on(w->cfg->arg, w->err) ? 0 : 1;
}

static void
set_up(struct kconn *c, const struct kconn_config *cfg, struct waiting *w)
{
	CURL *e = c->easy;

	curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https"); /* bare TCP and TLS to curl */
	curl_easy_setopt(e, CURLOPT_SSL_ENABLE_ALPN, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S / 3);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(cfg->timeout / USEC_PER_MSEC));
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->why);
	curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(e, CURLOPT_XFERINFODATA, w);
	set_pem(e, CURLOPT_CAINFO_BLOB, cfg->root_ca);
	set_pem(e, CURLOPT_SSLCERT_BLOB, cfg->certificate);
	set_pem(e, CURLOPT_SSLKEY_BLOB, cfg->private_key);
}

static bool
is_tls(CURLcode code)
{
	return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ||
	    code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE ||
	    code == CURLE_SSL_CIPHER;
}

/* A broker that goes away in the middle of the handshake is away, and nothing else. */
static bool
was_cut(const struct kconn *c)
{
	return strstr(c->why, "SSL_ERROR_SYSCALL") != NULL || strstr(c->why, "reset") != NULL;
}

static bool
transport_failed(const struct kconn *c, CURLcode code, struct err *err)
{
	const char *words = c->why[0] != '\0' ? c->why : curl_easy_strerror(code);

	if (code == CURLE_ABORTED_BY_CALLBACK && err->code != ERR_NONE)
		return false;
	err_clear(err);
	if (!is_tls(code) || was_cut(c))
		return err_set(err, ERR_TRANSIENT, "%s: %s", c->name, words);
	err_set(err, ERR_CONFIG, "%s: TLS: %s", c->name, words);
	return err_hint(err, "check root_ca, certificate, private_key and disable_tls");
}

static bool
connect_to(struct kconn *c, const struct kconn_config *cfg, const char *host, uint16_t port,
    struct waiting *w)
{
	bool bare6 = strchr(host, ':') != NULL && host[0] != '[';
	curl_socket_t fd = CURL_SOCKET_BAD;
	CURLcode code;
	char *url;

	url = xasprintf("%s://%s%s%s:%u", cfg->tls ? "https" : "http", bare6 ? "[" : "", host,
	    bare6 ? "]" : "", port);
	c->easy = curl_easy_init();
	if (c->easy == NULL)
		bug("libcurl gives no handle");
	set_up(c, cfg, w);
	curl_easy_setopt(c->easy, CURLOPT_URL, url);
	free(url);
	code = curl_easy_perform(c->easy);
	curl_easy_setopt(c->easy, CURLOPT_XFERINFODATA, NULL);
	if (code != CURLE_OK)
		return transport_failed(c, code, w->err);
	curl_easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &fd);
	c->fd = fd;
	return true;
}

/* ---- frames */

int16_t
kconn_version(const struct kconn *c, enum kwire_api api)
{
	size_t i;

	for (i = 0; i < N(spoken); i++)
		if (spoken[i].api == api)
			return c->versions[i];
	return 0;
}

struct buf *
kconn_request(struct kconn *c, enum kwire_api api, int32_t *correlation_r)
{
	*correlation_r = ++c->correlation;
	c->request = kwire_begin(&c->out, api, kconn_version(c, api), *correlation_r, c->client_id);
	return &c->out;
}

void
kconn_end(struct kconn *c)
{
	kwire_end(&c->out, c->request);
}

int
kconn_fd(const struct kconn *c)
{
	return c->fd;
}

short
kconn_events(const struct kconn *c)
{
	return (short)(c->sent < c->out.n ? POLLIN | POLLOUT : POLLIN);
}

const char *
kconn_name(const struct kconn *c)
{
	return c->name;
}

static bool
lost(const struct kconn *c, CURLcode code, struct err *err)
{
	return err_set(err, ERR_TRANSIENT, "%s: connection lost: %s", c->name,
	    curl_easy_strerror(code));
}

static bool
write_some(struct kconn *c, struct err *err)
{
	CURLcode code = CURLE_OK;
	size_t n;

	while (c->sent < c->out.n) {
		code = curl_easy_send(c->easy, c->out.p + c->sent, c->out.n - c->sent, &n);
		if (code == CURLE_AGAIN)
			return true;
		if (code != CURLE_OK)
			return lost(c, code, err);
		c->sent += n;
	}
	buf_reset(&c->out);
	c->sent = 0;
	if (c->out.cap > OUT_KEPT)
		buf_done(&c->out);
	return true;
}

static bool
read_some(struct kconn *c, struct err *err)
{
	CURLcode code;
	uint8_t *to;
	size_t n;

	buf_consume(&c->in, c->taken);
	c->taken = 0;
	for (;;) {
		to = buf_room(&c->in, READ_BYTES);
		if (to == NULL)
			return err_set(err, ERR_PROTOCOL, "%s: too large an answer", c->name);
		code = curl_easy_recv(c->easy, to, READ_BYTES, &n);
		if (code == CURLE_AGAIN)
			return true;
		if (code != CURLE_OK)
			return lost(c, code, err);
		if (n == 0)
			return err_set(err, ERR_TRANSIENT, "%s: disconnected", c->name);
		c->in.n += n;
	}
}

bool
kconn_io(struct kconn *c, struct err *err)
{
	if (buf_overflowed(&c->out))
		bug("more is sent to a broker than there is room for");
	return write_some(c, err) && read_some(c, err);
}

bool
kconn_next(struct kconn *c, struct kconn_answer *a_r, struct err *err)
{
	struct rbuf r = rbuf_of(slice_of(c->in.p + c->taken, c->in.n - c->taken));
	uint32_t n;

	if (c->in.n - c->taken < LENGTH_BYTES)
		return false;
	n = rbuf_u32(&r);
	if (n < LENGTH_BYTES || n > ANSWER_MAX - LENGTH_BYTES) {
		err_set(err, ERR_CONFIG, "%s: does not answer as Kafka does", c->name);
		return err_hint(err, "check the servers, and disable_tls");
	}
	if (rbuf_left(&r) < n)
		return false;
	a_r->correlation = (int32_t)rbuf_u32(&r);
	a_r->body = rbuf_bytes(&r, n - LENGTH_BYTES);
	c->taken += LENGTH_BYTES + n;
	return true;
}

/* ---- the greeting, which is waited for */

static bool
wait_a_little(const struct kconn *c, const struct waiting *w)
{
	struct pollfd fd = { .fd = c->fd, .events = kconn_events(c) };

	poll(&fd, 1, STEP_MS);
	if (!w->cfg->go_on(w->cfg->arg, w->err))
		return false;
	if (clock_mono_us() < w->deadline)
		return true;
	return err_set(w->err, ERR_TRANSIENT, "%s: no answer within %d s", c->name,
	    (int)(w->cfg->timeout / USEC_PER_SEC));
}

/* The request that was just ended; its answer. */
static bool
ask(struct kconn *c, const struct waiting *w, struct slice *body_r)
{
	struct kconn_answer a;

	while (kconn_io(c, w->err)) {
		if (kconn_next(c, &a, w->err)) {
			*body_r = a.body;
			return a.correlation == c->correlation ||
			    err_set(w->err, ERR_PROTOCOL, "%s: answers out of order", c->name);
		}
		if (w->err->code != ERR_NONE || !wait_a_little(c, w))
			return false;
	}
	return false;
}

static bool
nonsense(const struct kconn *c, struct err *err)
{
	return err_set(err, ERR_PROTOCOL, "%s: an answer cannot be read", c->name);
}

static bool
agree(struct kconn *c, struct slice answer, size_t i, struct err *err)
{
	struct kwire_range range;
	int16_t code;

	if (!kwire_read_versions(answer, spoken[i].api, &code, &range))
		return nonsense(c, err);
	if (code != 0)
		return kerror_set(err, code, NULL);
	if (range.max < spoken[i].known.min || range.min > spoken[i].known.max)
		return err_set(err, ERR_CONFIG,
		    "%s: the broker is of a version that peerd does not speak", c->name);
	c->versions[i] = range.max < spoken[i].known.max ? range.max : spoken[i].known.max;
	return true;
}

/* SASL's requests are not asked about by those who do not use it. */
static bool
greet(struct kconn *c, const struct waiting *w)
{
	bool sasl = w->cfg->username != NULL && w->cfg->username[0] != '\0';
	struct slice answer;
	int32_t correlation;
	size_t i;

	kconn_request(c, KWIRE_API_VERSIONS, &correlation);
	kconn_end(c);
	if (!ask(c, w, &answer)) {
		if (w->err->code == ERR_TRANSIENT)
			err_hint(w->err, "check the servers, and disable_tls");
		return false;
	}
	for (i = 0; i < N(spoken); i++)
		if ((sasl || spoken[i].api != KWIRE_SASL_HANDSHAKE) &&
		    (sasl || spoken[i].api != KWIRE_SASL_AUTHENTICATE) &&
		    !agree(c, answer, i, w->err))
			return false;
	return true;
}

/* ---- SASL */

static bool
refused(const struct kconn *c, int16_t code, struct slice words, struct err *err)
{
	if (words.n == 0)
		words = slice_str(rd_kafka_err2str((rd_kafka_resp_err_t)code));
	err_set(err, ERR_CONFIG, "%s: %.*s", c->name, (int)words.n, (const char *)words.p);
	return err_hint(err, "check username, password and sasl");
}

static bool
choose_mechanism(struct kconn *c, const struct waiting *w)
{
	struct slice answer;
	int32_t correlation;
	struct buf offered;
	int16_t code;
	bool ok;

	kwire_put_string(kconn_request(c, KWIRE_SASL_HANDSHAKE, &correlation), w->cfg->mechanism);
	kconn_end(c);
	if (!ask(c, w, &answer))
		return false;
	buf_init(&offered, KIB);
	ok = kwire_read_handshake(answer, &code, &offered) || nonsense(c, w->err);
	if (ok && code != 0) {
		err_set(w->err, ERR_CONFIG, "%s: the broker does not take sasl %s, but: %s",
		    c->name, w->cfg->mechanism, buf_str(&offered));
		ok = err_hint(w->err, "check sasl");
	}
	buf_done(&offered);
	return ok;
}

/* Our message of the mechanism out, the broker's in. */
static bool
exchange(struct kconn *c, const struct waiting *w, struct slice token, struct slice *token_r)
{
	struct slice answer, words;
	int32_t correlation;
	int16_t code;

	kwire_put_bytes(kconn_request(c, KWIRE_SASL_AUTHENTICATE, &correlation), token);
	kconn_end(c);
	if (!ask(c, w, &answer))
		return false;
	if (c->out.p != NULL)
		mem_wipe(c->out.p, c->out.cap); /* all of it is out; it was a secret */
	if (!kwire_read_authenticate(answer, &code, &words, token_r))
		return nonsense(c, w->err);
	return code == 0 || refused(c, code, words, w->err);
}

static bool
log_in_plain(struct kconn *c, const struct waiting *w)
{
	struct slice ignored;
	struct buf token;
	bool ok;

	buf_init(&token, 64 * KIB);
	buf_char(&token, '\0');
	buf_str_add(&token, w->cfg->username);
	buf_char(&token, '\0');
	buf_str_add(&token, w->cfg->password);
	ok = exchange(c, w, buf_slice(&token), &ignored);
	mem_wipe(token.p, token.cap);
	buf_done(&token);
	return ok;
}

static bool
log_in_scram(struct kconn *c, const struct waiting *w)
{
	struct kscram *s = kscram_new(w->cfg->mechanism, w->cfg->username, w->cfg->password, NULL);
	struct slice theirs, ours;
	bool ok;

	if (s == NULL)
		return err_set(w->err, ERR_CONFIG, "sasl \"%s\" is not known", w->cfg->mechanism);
	ok = exchange(c, w, kscram_first(s), &theirs) && kscram_answer(s, theirs, &ours, w->err) &&
	    exchange(c, w, ours, &theirs) && kscram_verify(s, theirs, w->err);
	kscram_free(&s);
	return ok;
}

static bool
log_in(struct kconn *c, const struct waiting *w)
{
	if (w->cfg->username == NULL || w->cfg->username[0] == '\0')
		return true;
	return choose_mechanism(c, w) &&
	    (strcasecmp(w->cfg->mechanism, "PLAIN") == 0 ? log_in_plain(c, w) : log_in_scram(c, w));
}

/* ---- life */

bool
kconn_open(const struct kconn_config *cfg, const char *host, uint16_t port, struct kconn **c_r,
    struct err *err)
{
	struct waiting w = { .cfg = cfg, .err = err, .deadline = clock_mono_us() + cfg->timeout };
	struct kconn *c = xcalloc(1, sizeof(*c));

	c->fd = -1;
	c->name = xasprintf("%s:%u", host, port);
	c->client_id = xstrdup(cfg->client_id);
	buf_init(&c->out, OUT_MAX);
	buf_init(&c->in, ANSWER_MAX + READ_BYTES);
	if (!connect_to(c, cfg, host, port, &w) || !greet(c, &w) || !log_in(c, &w)) {
		kconn_close(&c);
		return false;
	}
	*c_r = c;
	return true;
}

void
kconn_close(struct kconn **cp)
{
	struct kconn *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	curl_easy_cleanup(c->easy);
	buf_done(&c->out);
	buf_done(&c->in);
	free(c->name);
	free(c->client_id);
	free(c);
}
