#include "lib/control/http_error.h"

#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/wire/json.h"
#include "lib/wire/pbjson.h"
#include "protos/flow.pb-c.h"

#define ERROR_DOMAIN "peerdb.io"

/* What a reason's ErrorInfo says beyond its name. */
static const struct reason_metadata {
	const char *reason;
	const char *key;
	const char *value; /* NULL: the first subject */
} metadata_table[] = {
	{ "MIRROR", "offendingField", "flow_job_name" },
	{ "TABLES_NOT_IN_PUBLICATION", "publication", NULL },
};

static const struct reason_metadata *
metadata_find(const char *reason)
{
	for (size_t i = 0; i < sizeof(metadata_table) / sizeof(metadata_table[0]); i++)
		if (strcmp(metadata_table[i].reason, reason) == 0)
			return &metadata_table[i];
	return NULL;
}

/* Cut the next name off the newline separated subjects; NULL at the end. */
static char *
next_subject(char **subjects)
{
	char *name = *subjects;
	size_t n = strcspn(name, "\n");

	if (n == 0)
		return NULL;
	*subjects = name + n + (name[n] == '\n');
	name[n] = '\0';
	return name;
}

static cJSON *
add_detail(cJSON *details, const char *type)
{
	cJSON *detail = cJSON_CreateObject();

	cJSON_AddStringToObject(detail, "@type", type);
	cJSON_AddItemToArray(details, detail);
	return detail;
}

static void
add_error_info(cJSON *details, const char *reason, char **subjects)
{
	const struct reason_metadata *m = metadata_find(reason);
	cJSON *info = add_detail(details, "type.googleapis.com/google.rpc.ErrorInfo"), *metadata;
	const char *value;

	cJSON_AddItemToObject(info, "reason", json_text(reason));
	cJSON_AddStringToObject(info, "domain", ERROR_DOMAIN);
	metadata = cJSON_AddObjectToObject(info, "metadata");
	if (m == NULL)
		return;
	value = m->value != NULL ? m->value : next_subject(subjects);
	if (value != NULL)
		cJSON_AddItemToObject(metadata, m->key, json_text(value));
}

static void
add_violations(cJSON *details, const struct err *err, char *subjects)
{
	cJSON *failure, *list, *violation;
	const char *name = next_subject(&subjects);

	if (name == NULL)
		return;
	failure = add_detail(details, "type.googleapis.com/google.rpc.PreconditionFailure");
	list = cJSON_AddArrayToObject(failure, "violations");
	for (; name != NULL; name = next_subject(&subjects)) {
		violation = cJSON_CreateObject();
		cJSON_AddItemToObject(violation, "type", json_text(err->reason));
		cJSON_AddItemToObject(violation, "subject", json_text(name));
		cJSON_AddItemToObject(violation, "description", json_text(err->msg));
		cJSON_AddItemToArray(list, violation);
	}
}

static void
add_details(cJSON *body, const struct err *err)
{
	cJSON *details = cJSON_AddArrayToObject(body, "details");
	char *subjects, *rest;

	if (err->reason[0] == '\0')
		return;
	subjects = rest = xstrdup(err->subjects);
	add_error_info(details, err->reason, &rest);
	add_violations(details, err, rest);
	free(subjects);
}

static void
add_extra(cJSON *body, const struct http_error_extra *extra)
{
	const ProtobufCEnumDescriptor *states = &peerdb_flow__flow_status__descriptor;

	if (extra->status != NULL)
		cJSON_AddStringToObject(body, "status", extra->status);
	if (extra->mirror_state != -1)
		cJSON_AddStringToObject(body, "currentFlowState",
		    pbjson_enum_name(states, extra->mirror_state));
}

void
http_error_print(const struct err *err, const struct http_error_extra *extra, struct buf *out)
{
	cJSON *body = cJSON_CreateObject();
	char *text;

	cJSON_AddNumberToObject(body, "code", err_grpc_code(err->code));
	cJSON_AddItemToObject(body, "message", json_text(err->msg));
	if (err->hint[0] != '\0')
		cJSON_AddItemToObject(body, "hint", json_text(err->hint));
	add_details(body, err);
	if (extra != NULL)
		add_extra(body, extra);
	text = cJSON_PrintUnformatted(body);
	buf_str_add(out, text);
	cJSON_free(text);
	cJSON_Delete(body);
}
