#include "cmd/peerctl/ctl.h"

#include <errno.h>

#include "cmd/peerctl/args.h"
#include "cmd/peerctl/client.h"
#include "cmd/peerctl/help.h"
#include "cmd/peerctl/text.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/limits.h"
#include "lib/wire/pbjson.h"

static bool
read_answer(struct ctl *ctl, const ProtobufCMessageDescriptor *reply_desc, void *reply_r,
    struct err *err)
{
	const char *body = client_body(ctl->client);

	if (reply_desc == NULL)
		return true;
	if (!pbjson_parse_reply(reply_desc, body, strlen(body), reply_r, err))
		return err_context(err, "peerd's answer");
	return true;
}

bool
ctl_get(struct ctl *ctl, const char *path, const ProtobufCMessageDescriptor *reply_desc,
    void *reply_r, struct err *err)
{
	return client_call(ctl->client, "GET", path, NULL, err) &&
	    read_answer(ctl, reply_desc, reply_r, err);
}

bool
ctl_post(struct ctl *ctl, const char *path, const ProtobufCMessage *request,
    const ProtobufCMessageDescriptor *reply_desc, void *reply_r, struct err *err)
{
	struct buf body;
	bool ok;

	buf_init(&body, HTTP_BODY_MAX);
	pbjson_print(request, PBJSON_PRESENT_ONLY, &body);
	if (buf_overflowed(&body))
		ok = err_set(err, ERR_TOO_LARGE,
		    "the request is larger than peerd takes (%u bytes)", HTTP_BODY_MAX);
	else
		ok = client_call(ctl->client, "POST", path, buf_str(&body), err) &&
		    read_answer(ctl, reply_desc, reply_r, err);
	buf_done(&body);
	return ok;
}

static void
print_err(const struct err *err)
{
	struct buf line;

	buf_init(&line, ERR_MSG_MAX + ERR_HINT_MAX + 64);
	text_add_clean(&line, err->msg);
	fprintf(stderr, "error: %s\n", buf_str(&line));
	buf_reset(&line);
	text_add_clean(&line, err->hint);
	if (err->hint[0] != '\0')
		fprintf(stderr, "hint: %s\n", buf_str(&line));
	buf_done(&line);
}

int
ctl_refused(const struct ctl *ctl, const struct err *err)
{
	if (ctl->json && client_body(ctl->client)[0] != '\0')
		ctl_print_answer(ctl);
	print_err(err);
	return CTL_REFUSED;
}

int
ctl_usage(const struct args *a, const struct err *err)
{
	print_err(err);
	if (err->code != ERR_INVALID)
		return CTL_REFUSED;
	if (a->command != NULL)
		help_usage(stderr, a->command);
	return CTL_USAGE;
}

void
ctl_print_answer(const struct ctl *ctl)
{
	const char *body = client_body(ctl->client);
	size_t n = strlen(body);

	fputs(body, stdout);
	if (n == 0 || body[n - 1] != '\n')
		fputc('\n', stdout);
}

void
ctl_show_table(const struct ctl *ctl, const struct table *t, const char *none)
{
	struct buf out;

	if (ctl->json) {
		ctl_print_answer(ctl);
		return;
	}
	buf_init(&out, 16 * MIB);
	if (none != NULL)
		buf_printf(&out, "%s\n", none);
	else
		table_print(t, &out);
	fputs(buf_str(&out), stdout);
	buf_done(&out);
}

bool
ctl_read_message(const char *path, const ProtobufCMessageDescriptor *desc, ProtobufCMessage **msg_r,
    struct err *err)
{
	struct buf json;
	bool ok;

	ok = ctl_read_file(path, &json, err);
	if (ok && !pbjson_parse(desc, buf_str(&json), json.n, msg_r, err)) {
		err->code = ERR_DATA; /* of the file, not of the command line */
		ok = err_context(err, "file \"%s\"", path);
	}
	buf_done(&json);
	return ok;
}

bool
ctl_read_file(const char *path, struct buf *out, struct err *err)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char chunk[4096];
	bool failed;
	size_t n;

	buf_init(out, HTTP_BODY_MAX);
	if (in == NULL)
		return err_set(err, ERR_DATA, "could not open \"%s\": %s", path, strerror(errno));
	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
		buf_add(out, chunk, n);
	failed = ferror(in) != 0;
	if (in != stdin)
		fclose(in);
	if (failed)
		return err_set(err, ERR_DATA, "could not read \"%s\": %s", path, strerror(errno));
	if (buf_overflowed(out))
		return err_set(err, ERR_TOO_LARGE, "\"%s\" is larger than %u bytes", path,
		    HTTP_BODY_MAX);
	return true;
}
