#include "lib/control/http_routes.h"

#include <limits.h>

#include "lib/base/str.h"

#define ROUTE_PATH_MAX 128

const struct http_route http_routes[] = {
	{ "ValidatePeer", "POST", "/peers/validate" },
	{ "CreatePeer", "POST", "/peers/create" },
	{ "DropPeer", "POST", "/peers/drop" },
	{ "ListPeers", "GET", "/peers/list" },
	{ "GetPeerInfo", "GET", "/peers/info/{peer_name}" },
	{ "GetPeerType", "GET", "/peers/type/{peer_name}" },
	{ "GetSchemas", "GET", "/peers/schemas" },
	{ "GetPublications", "GET", "/peers/publications" },
	{ "GetTablesInSchema", "GET", "/peers/tables" },
	{ "GetAllTables", "GET", "/peers/tables/all" },
	{ "GetColumns", "GET", "/peers/columns" },
	{ "GetColumnsTypeConversion", "GET", "/peers/columns/all_type_conversions" },
	{ "GetSlotInfo", "GET", "/peers/slots/{peer_name}" },
	{ "GetSlotLagHistory", "POST", "/peers/slots/lag_history" },
	{ "GetStatInfo", "GET", "/peers/stats/{peer_name}" },

	{ "ValidateCDCMirror", "POST", "/mirrors/cdc/validate" },
	{ "CreateCDCFlow", "POST", "/flows/cdc/create" },
	{ "CreateQRepFlow", "POST", "/flows/qrep/create" },
	{ "FlowStateChange", "POST", "/mirrors/state_change" },
	{ "MirrorStatus", "POST", "/mirrors/status" },
	{ "ListMirrors", "GET", "/mirrors/list" },
	{ "ListMirrorNames", "GET", "/mirrors/names" },
	{ "ListMirrorLogs", "POST", "/mirrors/logs" },
	{ "GetCDCBatches", "GET", "/mirrors/cdc/batches/{flow_job_name}" },
	{ "CDCBatches", "POST", "/mirrors/cdc/batches" },
	{ "CDCGraph", "POST", "/mirrors/cdc/graph" },
	{ "InitialLoadSummary", "GET", "/mirrors/cdc/initial_load/{parent_mirror_name}" },
	{ "CDCTableTotalCounts", "GET", "/mirrors/cdc/table_total_counts/{flow_job_name}" },
	{ "TotalRowsSyncedByMirror", "GET", "/mirrors/total_rows_synced/{flow_job_name}" },
	{ "GetMirrorRowCounts", "POST", "/mirrors/row_counts" },
	{ "ResetMirrorSequences", "POST", "/mirrors/sequences/reset" },
	{ "CancelTableAddition", "POST", "/flows/cdc/cancel_table_addition" },
	{ "MirrorOverview", "GET", "/mirrors/overview" },

	{ "CreateOrReplaceFlowTags", "POST", "/flows/tags" },
	{ "GetFlowTags", "GET", "/flows/tags/{flow_name}" },
	{ "GetAlertConfigs", "GET", "/alerts/config" },
	{ "PostAlertConfig", "POST", "/alerts/config" },
	{ "DeleteAlertConfig", "DELETE", "/alerts/config/{id}" },
	{ "GetDynamicSettings", "GET", "/dynamic_settings" },
	{ "PostDynamicSetting", "POST", "/dynamic_settings" },
	{ "GetScripts", "GET", "/scripts/{id}" },
	{ "PostScript", "POST", "/scripts" },
	{ "DeleteScript", "DELETE", "/scripts/{id}" },

	{ "GetVersion", "GET", "/version" },
	{ "GetInstanceInfo", "GET", "/instance/info" },
	{ "Maintenance", "POST", "/instance/maintenance" },
	{ "GetMaintenanceStatus", "GET", "/instance/maintenance/status" },
	{ "SkipSnapshotWaitFlows", "POST", "/instance/maintenance/skip-snapshot-wait" },
};
const size_t http_routes_count = sizeof(http_routes) / sizeof(http_routes[0]);

/* The path behind its prefix; NULL when it has none. */
static const char *
below_prefix(const char *path)
{
	static const char *const prefixes[] = { "/api/v1", "/v1" };

	for (size_t i = 0; i < 2; i++) {
		const char *rest = path + strlen(prefixes[i]);

		if (str_starts(path, prefixes[i]) && *rest == '/')
			return rest;
	}
	return NULL;
}

/* The segment that *path begins with, and step over it: "/a/b" gives "a", leaves "/b". */
static struct slice
next_segment(const char **path)
{
	const char *start = *path + 1;
	size_t n = strcspn(start, "/");

	*path = start + n;
	return slice_of(start, n);
}

static bool
segment_match(struct slice pattern, struct slice got, struct http_match *m)
{
	if (pattern.n == 0 || pattern.p[0] != '{')
		return slice_eq(pattern, got);
	if (got.n == 0 || m->nparams == HTTP_PARAMS_MAX)
		return false;
	m->params[m->nparams++] = (struct http_param){
		.name = slice_of(pattern.p + 1, pattern.n - 2),
		.value = got,
	};
	return true;
}

static bool
path_match(const char *pattern, const char *path, struct http_match *m)
{
	m->nparams = 0;
	while (*pattern == '/' && *path == '/')
		if (!segment_match(next_segment(&pattern), next_segment(&path), m))
			return false;
	return *pattern == '\0' && *path == '\0';
}

static void
allow_add(struct http_match *m, const char *method)
{
	size_t n = strlen(m->allow);

	snprintf(m->allow + n, sizeof(m->allow) - n, "%s%s%s", n > 0 ? ", " : "", method,
	    strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

void
http_route_match(const char *method, const char *path, struct http_match *match_r)
{
	const char *below = below_prefix(path);
	struct http_match m = { 0 };

	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	for (size_t i = 0; below != NULL && i < http_routes_count; i++) {
		if (!path_match(http_routes[i].path, below, &m))
			continue;
		allow_add(&m, http_routes[i].method);
		if (strcmp(http_routes[i].method, method) == 0) {
			m.route = &http_routes[i];
			break;
		}
	}
	*match_r = m;
}

/* How unlike: a parameter may be anything, even left out, so only what stands before it counts. */
static unsigned
route_distance(const char *pattern, const char *path)
{
	char wanted[ROUTE_PATH_MAX], got[ROUTE_PATH_MAX];
	char *param, *end = got;

	if (!str_copy(got, sizeof(got), path) || !str_copy(wanted, sizeof(wanted), pattern))
		return UINT_MAX;
	param = strstr(wanted, "/{");
	if (param == NULL)
		return str_distance(wanted, got);
	*param = '\0';
	for (const char *p = wanted; *p != '\0'; p++)
		if (*p == '/' && *end != '\0')
			end += 1 + strcspn(end + 1, "/");
	*end = '\0';
	return str_distance(wanted, got);
}

const char *
http_route_nearest(const char *path)
{
	const char *below = below_prefix(path), *nearest = NULL;
	unsigned best = UINT_MAX, distance;

	if (below == NULL)
		below = path;
	for (size_t i = 0; i < http_routes_count; i++) {
		distance = route_distance(http_routes[i].path, below);
		if (distance < best) {
			nearest = http_routes[i].path;
			best = distance;
		}
	}
	return nearest != NULL && best <= strlen(nearest) / 3 ? nearest : NULL;
}
