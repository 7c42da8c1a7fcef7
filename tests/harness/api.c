#include "tests/harness/api.h"

#include <curl/curl.h>
#include <openssl/evp.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/base/str.h"
#include "tests/harness/daemon.h"
#include "tests/harness/fail.h"

#define CALL_TIMEOUT_S 120L
#define REPLY_MAX      (64 * MIB)
#define STEP_MAX       128 /* longest name in a JSON path */

static struct {
	const struct daemon *daemon;
	struct buf body, headers;
	cJSON *json;
	struct reply reply;
} api;

void
api_use(const struct daemon *d)
{
	api.daemon = d;
}

char *
api_basic(const char *user, const char *password)
{
	char *plain = text("%s:%s", user, password);
	size_t n = strlen(plain);
	char *coded = text("%*s", (int)(4 * ((n + 2) / 3)), "");

	EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)plain, (int)n);
	return text("Basic %s", coded);
}

static size_t
take_bytes(char *p, size_t size, size_t n, void *to)
{
	buf_add(to, p, size * n);
	return buf_overflowed(to) ? 0 : size * n;
}

static char *
url_of(const char *path)
{
	if (str_starts(path, "//"))
		return text("%s%s", api.daemon->url, path + 1);
	return text("%s/api/v1%s", api.daemon->url, path);
}

static struct curl_slist *
headers_of(const char *authorization, const char *body)
{
	struct curl_slist *list = NULL;

	if (authorization != NULL)
		list = curl_slist_append(list, text("Authorization: %s", authorization));
	if (body != NULL)
		list = curl_slist_append(list, "Content-Type: application/json");
	return curl_slist_append(list, "Expect:");
}

static void
forget_last(void)
{
	cJSON_Delete(api.json);
	api.json = NULL;
	buf_done(&api.body);
	buf_done(&api.headers);
	buf_init(&api.body, REPLY_MAX);
	buf_init(&api.headers, 1 * MIB);
}

static CURLcode
perform(CURL *h, const char *method, const char *body)
{
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(h, CURLOPT_TIMEOUT, CALL_TIMEOUT_S);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_bytes);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, &api.body);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, take_bytes);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, &api.headers);
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	if (body != NULL) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
	}
	return curl_easy_perform(h);
}

const struct reply *
api_call_as(const char *authorization, const char *method, const char *path, const char *body)
{
	CURL *h = curl_easy_init();
	struct curl_slist *headers = headers_of(authorization, body);
	CURLcode rc;

	forget_last();
	curl_easy_setopt(h, CURLOPT_URL, url_of(path));
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	rc = perform(h, method, body);
	api.reply.status = 0;
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &api.reply.status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(h);
	/* a server may answer and close before it has read all of a body it refuses */
	if (rc != CURLE_OK && api.reply.status == 0)
		test_fail("%s %s: %s", method, path, curl_easy_strerror(rc));
	api.json = cJSON_Parse(buf_str(&api.body));
	api.reply.body = buf_str(&api.body);
	api.reply.headers = buf_str(&api.headers);
	api.reply.json = api.json;
	return &api.reply;
}

const struct reply *
api_call(const char *method, const char *path, const char *body)
{
	return api_call_as(api_basic("", DAEMON_PASSWORD), method, path, body);
}

const struct reply *
api_get(const char *path)
{
	return api_call("GET", path, NULL);
}

const struct reply *
api_post(const char *path, const char *body)
{
	return api_call("POST", path, body);
}

const struct reply *
api_expect(long status, const struct reply *r)
{
	if (r->status != status)
		test_fail("the answer is %ld, not %ld: %.2000s", r->status, status, r->body);
	return r;
}

static const cJSON *
step_into(const cJSON *json, const char *name)
{
	struct err err;
	uint64_t i;

	if (cJSON_IsArray(json) && str_to_u64(name, 0, INT32_MAX, &i, &err))
		return cJSON_GetArrayItem(json, (int)i);
	return cJSON_GetObjectItemCaseSensitive(json, name);
}

const cJSON *
field_at(const cJSON *json, const char *path)
{
	char name[STEP_MAX];

	while (json != NULL && *path != '\0') {
		size_t n = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		json = step_into(json, name);
		path += path[n] == '.' ? n + 1 : n;
	}
	return json;
}

char *
field_text(const cJSON *json, const char *path)
{
	const cJSON *at = field_at(json, path);
	char *printed, *copy;

	if (at == NULL)
		return text("(absent)");
	if (cJSON_IsString(at))
		return text("%s", at->valuestring);
	printed = cJSON_PrintUnformatted(at);
	copy = text("%s", printed);
	cJSON_free(printed);
	return copy;
}
