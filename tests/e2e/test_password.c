/*
 * The source's password changes under a running mirror: it waits for somebody
 * to tell peerd, shows why, and goes on at once when that is done.
 */
#include "tests/harness/api.h"
#include "tests/harness/cluster.h"
#include "tests/harness/fail.h"
#include "tests/harness/mirror.h"
#include "tests/harness/poll.h"
#include "tests/harness/rig.h"
#include "tests/harness/sql.h"
#include "tests/harness/suite.h"

#define WAIT_MS 30000
#define ROLE	"CREATE ROLE reader LOGIN SUPERUSER PASSWORD 'before'"

static char *
reader_body(const char *password)
{
	return json("{'allow_update': true, 'peer': {'name': 'reader', 'type': 3,"
		    " 'postgres_config': {'host': 'localhost', 'port': %d, 'user': 'reader',"
		    " 'password': '%s', 'database': 'app'}}}",
	    rig.source->port, password);
}

static void
password_init(void)
{
	rig_init();
	on_source(ROLE);
	on_source("CREATE TABLE t (id int PRIMARY KEY)");
	on_source("INSERT INTO t SELECT generate_series(1, 100)");
	api_expect(200, api_post("/peers/create", reader_body("before")));
	api_expect(200,
	    api_post("/flows/cdc/create",
		json("{'connection_configs': {'flow_job_name': 'm', 'source_name': 'reader',"
		     " 'destination_name': 'dst', 'do_initial_snapshot': true,"
		     " 'soft_delete_col_name': '', 'table_mappings': [{"
		     " 'source_table_identifier': 'public.t',"
		     " 'destination_table_identifier': 'public.t'}]}}")));
	mirror_wait("m", "STATUS_RUNNING");
}

START_TEST(changed_password_is_waited_for)
{
	on_source("ALTER ROLE reader PASSWORD 'after'");
	on_source(
	    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'");
	ck_assert(poll_until(WAIT_MS,
	    strstr(mirror_errors("m"), "password authentication failed") != NULL));
	ck_assert_str_eq("STATUS_RUNNING", mirror_state("m"));
	on_source("INSERT INTO t SELECT generate_series(101, 200)");
	api_expect(200, api_post("/peers/create", reader_body("after")));
	expect_equal("t");
	ck_assert_str_eq("STATUS_RUNNING", mirror_state("m"));
}
END_TEST

static Suite *
password_suite(void)
{
	Suite *s = suite_create("password");
	TCase *tc = suite_case(s, "changed", rig_clusters_init, rig_clusters_done, password_init,
	    rig_done);

	suite_test(tc, changed_password_is_waited_for);
	return s;
}

int
main(void)
{
	return suite_main(password_suite());
}
