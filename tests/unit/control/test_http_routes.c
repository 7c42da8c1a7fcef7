/*
 * The route table against the service's descriptor: every call can be reached,
 * and no path parameter leads nowhere.
 */
#include "lib/control/http_routes.h"

#include <check.h>

#include "protos/route.pb-c.h"

static const ProtobufCServiceDescriptor *const service = &peerdb_route__flow_service__descriptor;

static const ProtobufCMethodDescriptor *
method_of(const struct http_route *route)
{
	for (unsigned i = 0; i < service->n_methods; i++)
		if (strcmp(service->methods[i].name, route->rpc) == 0)
			return &service->methods[i];
	return NULL;
}

START_TEST(every_call_has_one_route)
{
	for (unsigned i = 0; i < service->n_methods; i++) {
		int found = 0;

		for (size_t r = 0; r < http_routes_count; r++)
			found += strcmp(http_routes[r].rpc, service->methods[i].name) == 0;
		ck_assert_msg(found == 1, "%s has %d routes", service->methods[i].name, found);
	}
	ck_assert_uint_eq(http_routes_count, service->n_methods);
}
END_TEST

START_TEST(route_leads_to_its_call)
{
	const struct http_route *route = &http_routes[_i];
	const ProtobufCMethodDescriptor *m = method_of(route);
	struct http_match match;
	char path[256], param[64];

	ck_assert_msg(m != NULL, "%s is no call", route->rpc);
	snprintf(path, sizeof(path), "/api/v1%s", route->path);
	http_route_match(route->method, path, &match);
	ck_assert_ptr_eq(match.route, route);
	http_route_match(route->method, path + strlen("/api"), &match);
	ck_assert_ptr_eq(match.route, route);
	for (size_t i = 0; i < match.nparams; i++) {
		snprintf(param, sizeof(param), "%.*s", (int)match.params[i].name.n,
		    (const char *)match.params[i].name.p);
		ck_assert_msg(protobuf_c_message_descriptor_get_field_by_name(m->input, param) !=
			NULL,
		    "%s has no field %s", route->rpc, param);
	}
}
END_TEST

START_TEST(routes_are_distinct)
{
	for (size_t i = 0; i < http_routes_count; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert(strcmp(http_routes[i].path, http_routes[j].path) != 0 ||
			    strcmp(http_routes[i].method, http_routes[j].method) != 0);
}
END_TEST

START_TEST(parameters_are_segments)
{
	struct http_match m;

	http_route_match("HEAD", "/v1/peers/info/a%2Fb", &m);
	ck_assert_str_eq(m.route->rpc, "GetPeerInfo");
	ck_assert_uint_eq(m.nparams, 1);
	ck_assert(slice_eq(m.params[0].name, slice_str("peer_name")));
	ck_assert(slice_eq(m.params[0].value, slice_str("a%2Fb")));
	http_route_match("POST", "/v1/peers/slots/lag_history", &m);
	ck_assert_str_eq(m.route->rpc, "GetSlotLagHistory");
	http_route_match("GET", "/v1/peers/slots/lag_history", &m);
	ck_assert_str_eq(m.route->rpc, "GetSlotInfo");
}
END_TEST

static const struct {
	const char *path;
	const char *nearest;
} typos[] = {
	{ "/v1/peers/lits", "/peers/list" },
	{ "/api/v1/peer/list", "/peers/list" },
	{ "/peers/list", "/peers/list" },
	{ "/v1/flows/cdc/creat", "/flows/cdc/create" },
	{ "/v1/peers/info/", "/peers/info/{peer_name}" },
	{ "/v1/peers/type", "/peers/type/{peer_name}" },
	{ "/v1/peer/info/some_long_name", "/peers/info/{peer_name}" },
	{ "/v1/mirrors/totalrows_synced/m/x", "/mirrors/total_rows_synced/{flow_job_name}" },
	{ "/", NULL },
	{ "/index.html", NULL },
};

START_TEST(nearest_path_is_found)
{
	const char *nearest = http_route_nearest(typos[_i].path);

	if (typos[_i].nearest == NULL)
		ck_assert_ptr_null(nearest);
	else
		ck_assert_pstr_eq(nearest, typos[_i].nearest);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("http_routes");
	TCase *tc = tcase_create("http_routes");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, every_call_has_one_route);
	tcase_add_loop_test(tc, route_leads_to_its_call, 0, (int)http_routes_count);
	tcase_add_test(tc, routes_are_distinct);
	tcase_add_test(tc, parameters_are_segments);
	tcase_add_loop_test(tc, nearest_path_is_found, 0, sizeof(typos) / sizeof(typos[0]));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
