#include "lib/base/err.h"
#include "lib/conn/httpc_int.h"

/* Each with libcurl's own words behind it. */
static const struct failure {
	CURLcode curl;
	enum err_code code;
	const char *words;
	const char *hint;
} failures[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, ERR_CONFIG, "could not find the host", "check the host" },
	{ CURLE_SSL_CONNECT_ERROR, ERR_CONFIG, "TLS failed",
	    "check that the port speaks TLS, and the certificates" },
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_CONFIG, "the server's certificate is not trusted",
	    "give the authority that signed it as root_ca, and the name it bears as tls_host" },
	{ CURLE_SSL_CERTPROBLEM, ERR_CONFIG, "the client certificate is of no use",
	    "give certificate and private_key as PEM text that belong together" },
	{ CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, "the authority's certificate is of no use",
	    "give root_ca as PEM text" },
	{ CURLE_SSL_CIPHER, ERR_CONFIG, "TLS failed", "" },
	{ CURLE_UNSUPPORTED_PROTOCOL, ERR_CONFIG, "the server does not speak HTTP",
	    "check the port" },
	{ CURLE_WEIRD_SERVER_REPLY, ERR_CONFIG, "the server does not speak HTTP",
	    "check the port" },
	{ CURLE_URL_MALFORMAT, ERR_CONFIG, "the host is not a host name", "check the host" },
	{ CURLE_COULDNT_CONNECT, ERR_TRANSIENT, "could not connect",
	    "check the host and port, and that the server is running" },
	{ CURLE_GOT_NOTHING, ERR_TRANSIENT, "the connection was closed without an answer", "" },
	{ CURLE_SEND_ERROR, ERR_TRANSIENT, "the connection was cut", "" },
	{ CURLE_RECV_ERROR, ERR_TRANSIENT, "the connection was cut", "" },
	{ CURLE_PARTIAL_FILE, ERR_TRANSIENT, "the connection was cut", "" },
	{ CURLE_BAD_CONTENT_ENCODING, ERR_PROTOCOL, "the answer could not be decompressed", "" },
};

static const struct failure *
failure_of(CURLcode code)
{
	static const struct failure other = { CURLE_OK, ERR_PROTOCOL, "the request failed", "" };

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (failures[i].curl == code)
			return &failures[i];
	return &other;
}

/* A handshake that broke off is the network's; a server's TLS alert may come when reading. */
static enum err_code
code_of(const struct failure *f, const char *words)
{
	if (f->curl == CURLE_SSL_CONNECT_ERROR && strstr(words, "SSL_ERROR_SYSCALL") != NULL)
		return ERR_TRANSIENT;
	if (f->curl == CURLE_RECV_ERROR && strstr(words, "alert") != NULL)
		return ERR_CONFIG;
	return f->code;
}

static bool
timed_out(const struct httpc_request *rq, struct err *err)
{
	curl_off_t connected = 0;

	curl_easy_getinfo(rq->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
	if (connected == 0) {
		err_set(err, ERR_TIMEOUT, "no connection to %s within %d s", rq->h->address,
		    (int)(rq->h->connect_timeout / USEC_PER_SEC));
		return err_hint(err, "check the host and port, and that the server is running");
	}
	return err_set(err, ERR_TIMEOUT, "no answer from %s for %d s", rq->h->address,
	    (int)(rq->h->stall_timeout / USEC_PER_SEC));
}

static bool
answer_too_large(const struct httpc_request *rq, struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "an answer of more than %zu bytes from %s",
	    rq->answer.body.max, rq->h->address);
}

/* Where the system refused, its own words are the clearest. */
static const char *
why(const struct httpc_request *rq, CURLcode code)
{
	long os_errno = 0;

	curl_easy_getinfo(rq->easy, CURLINFO_OS_ERRNO, &os_errno);
	if (os_errno != 0 && failure_of(code)->code == ERR_TRANSIENT)
		return strerror((int)os_errno);
	return rq->why[0] != '\0' ? rq->why : curl_easy_strerror(code);
}

void
httpc_error(struct httpc_request *rq, CURLcode code, struct err *err)
{
	const struct failure *f = failure_of(code);

	if (code == CURLE_OPERATION_TIMEDOUT) {
		timed_out(rq, err);
		return;
	}
	if (code == CURLE_WRITE_ERROR) {
		answer_too_large(rq, err);
		return;
	}
	err_set(err, code_of(f, rq->why), "%s at %s: %s", f->words, rq->h->address, why(rq, code));
	if (f->hint[0] != '\0')
		err_hint(err, "%s", f->hint);
	if (err->code == ERR_CONFIG)
		snprintf(err->sqlstate, sizeof(err->sqlstate), "08001");
}
