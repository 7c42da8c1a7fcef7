#include "cmd/peerctl/client.h"

#include <curl/curl.h>
#include <errno.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/mem.h"
#include "lib/wire/json.h"

#define ANSWER_MAX (64 * MIB) /* an overview of many thousand tables */
#define CONNECT_S  10L

struct client {
	const struct client_config config;
	CURL *curl;
	struct curl_slist *headers;
	struct buf body;
	char why[CURL_ERROR_SIZE];
};

struct client *
client_new(const struct client_config *config)
{
	struct client init = { .config = *config }, *c = xmalloc(sizeof(*c));

	memcpy(c, &init, sizeof(*c));
	curl_global_init(CURL_GLOBAL_DEFAULT);
	c->curl = curl_easy_init();
	c->headers = curl_slist_append(NULL, "Content-Type: application/json");
	buf_init(&c->body, ANSWER_MAX);
	return c;
}

void
client_free(struct client **c)
{
	if (*c == NULL)
		return;
	curl_easy_cleanup((*c)->curl);
	curl_slist_free_all((*c)->headers);
	curl_global_cleanup();
	buf_done(&(*c)->body);
	MEM_FREE(*c);
}

const char *
client_body(const struct client *c)
{
	return buf_str(&c->body);
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct buf *body = arg;

	buf_add(body, p, size * n);
	return buf_overflowed(body) ? 0 : size * n;
}

static void
prepare_target(struct client *c, const char *path, char *url, size_t size)
{
	size_t n = c->config.url != NULL ? strlen(c->config.url) : 0;

	if (c->config.url == NULL) {
		snprintf(url, size, "http://peerd/api/v1%s", path);
		curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->config.socket);
		curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
		return;
	}
	while (n > 0 && c->config.url[n - 1] == '/')
		n--;
	snprintf(url, size, "%.*s/api/v1%s", (int)n, c->config.url, path);
	if (c->config.password != NULL) {
		curl_easy_setopt(c->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(c->curl, CURLOPT_USERNAME, "peerctl");
		curl_easy_setopt(c->curl, CURLOPT_PASSWORD, c->config.password);
	}
	if (c->config.ca_file != NULL)
		curl_easy_setopt(c->curl, CURLOPT_CAINFO, c->config.ca_file);
}

static void
prepare(struct client *c, const char *method, const char *path, const char *body)
{
	char url[2048];

	curl_easy_reset(c->curl); /* keeps the connection */
	prepare_target(c, path, url, sizeof(url));
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, c->config.timeout_s);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->why);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &c->body);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
	if (body != NULL) {
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
	}
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
}

static bool
unreachable(const struct client *c, CURLcode code, struct err *err)
{
	const char *why = c->why[0] != '\0' ? c->why : curl_easy_strerror(code);
	long os_errno = 0;

	curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &os_errno);
	if (c->config.url != NULL) {
		err_set(err, ERR_TRANSIENT, "could not talk to peerd at %s: %s", c->config.url,
		    why);
		return err_hint(err, "is it running, and is this its address?");
	}
	err_set(err, ERR_TRANSIENT, "could not talk to peerd at %s: %s", c->config.socket,
	    code == CURLE_COULDNT_CONNECT && os_errno != 0 ? strerror((int)os_errno) : why);
	return err_hint(err,
	    os_errno == EACCES || os_errno == EPERM
		? "run this as a user who may write to the socket, or use --url with the password"
		: "is it running? --socket or PEERD_SOCKET names another socket");
}

static enum err_code
code_of_status(long status)
{
	for (int code = ERR_NONE + 1; code < ERR_COUNT; code++)
		if (err_http_status(code) == status && code != ERR_CONFIG && code != ERR_DATA)
			return code;
	return ERR_PROTOCOL;
}

static const char *
member_text(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

/* The body of an error is {"code", "message", "hint"}; from a stranger it may be anything. */
static bool
refused(const struct client *c, long status, struct err *err)
{
	struct err ignored;
	cJSON *tree = NULL;

	if (!json_parse(buf_str(&c->body), c->body.n, &tree, &ignored) ||
	    member_text(tree, "message")[0] == '\0') {
		err_set(err, code_of_status(status), "answered with status %ld and no message",
		    status);
		err_hint(err, "is this the address of a peerd?");
	} else {
		err_set(err, code_of_status(status), "%s", member_text(tree, "message"));
		err_hint(err, "%s", member_text(tree, "hint"));
	}
	if (status == 401 && c->config.url != NULL && err->hint[0] == '\0')
		err_hint(err, "set PEERD_PASSWORD or use --password-file");
	cJSON_Delete(tree);
	return false;
}

bool
client_call(struct client *c, const char *method, const char *path, const char *body,
    struct err *err)
{
	long status = 0;
	CURLcode code;

	buf_reset(&c->body);
	c->why[0] = '\0';
	prepare(c, method, path, body);
	code = curl_easy_perform(c->curl);
	if (code != CURLE_OK)
		return unreachable(c, code, err);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	return status >= 200 && status < 300 ? true : refused(c, status, err);
}
