/*
 * The text Prometheus reads: families together, labels escaped.
 */
#include "tests/unit/control/http_fixture.h"

static struct metrics_registry *r;
static struct buf out;

static void
setup(void)
{
	r = metrics_registry_new();
	buf_init(&out, 1 << 20);
}

static void
teardown(void)
{
	metrics_registry_free(&r);
	buf_done(&out);
}

static const char *
scrape(void)
{
	buf_reset(&out);
	metrics_print(r, &out);
	return buf_str(&out);
}

static void
odd_source(struct metrics *m, void *arg)
{
	metrics_add(m, METRIC_MIRROR_ROWS, 1, "mirror", "a\"b\\c\nd", NULL);
	metrics_add(m, METRIC_MIRROR_BATCHES, 2, "mirror", "x", NULL);
	metrics_add(m, METRIC_MIRROR_ROWS, 9007199254740991, "mirror", "\xff", "op", "insert",
	    NULL);
}

START_TEST(families_stand_together)
{
	metrics_registry_add(r, odd_source, NULL);
	ck_assert_ptr_nonnull(strstr(scrape(),
	    "# TYPE peerd_mirror_rows_total counter\n"
	    "peerd_mirror_rows_total{mirror=\"a\\\"b\\\\c\\nd\"} 1\n"
	    "peerd_mirror_rows_total{op=\"insert\"} 9007199254740991\n"
	    "# HELP peerd_mirror_batches_total Batches applied\n"
	    "# TYPE peerd_mirror_batches_total counter\n"
	    "peerd_mirror_batches_total{mirror=\"x\"} 2\n"));
	metrics_registry_remove(r, odd_source, NULL);
	ck_assert_ptr_null(strstr(scrape(), "peerd_mirror_rows_total"));
}
END_TEST

static const char *const process_lines[] = {
	"\nprocess_resident_memory_bytes ",
	"\nprocess_cpu_seconds_total ",
	"\nprocess_open_fds ",
	"\nprocess_start_time_seconds ",
	"\npeerd_uptime_seconds ",
	"\npeerd_build_info{version=\"",
};

START_TEST(process_tells_of_itself)
{
	ck_assert_ptr_nonnull(strstr(scrape(), process_lines[_i]));
	ck_assert_ptr_null(strstr(scrape(), "process_resident_memory_bytes 0\n"));
}
END_TEST

static const char *const mirror_lines[] = {
	"\npeerd_ready 1\n",
	"\npeerd_peers 2\n",
	",destination=\"b\",state=\"STATUS_RUNNING\"} 1\n",
	"\npeerd_mirror_lag_bytes{mirror=\"orders\"} 4096\n",
	"\npeerd_mirror_lag_seconds{mirror=\"orders\"} 1.5\n",
	"\npeerd_mirror_rows_total{mirror=\"orders\"} 12\n",
	"\npeerd_mirror_batches_total{mirror=\"orders\"} 3\n",
	"{mirror=\"orders\",table=\"public.t\",op=\"insert\"} 3\n",
	"{mirror=\"orders\",table=\"public.t\",op=\"update\"} 0\n",
	"{mirror=\"orders\",table=\"public.t\",op=\"delete\"} 1\n",
	"\npeerd_worker_up{mirror=\"orders\"} 1\n",
};

START_TEST(service_tells_of_mirrors)
{
	fake = (struct service){ .ready = true };
	metrics_registry_add(r, metrics_of_service, &fake);
	ck_assert_ptr_nonnull(strstr(scrape(), mirror_lines[_i]));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("metrics");
	TCase *tc = tcase_create("metrics");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, families_stand_together);
	tcase_add_loop_test(tc, process_tells_of_itself, 0, COUNT(process_lines));
	tcase_add_loop_test(tc, service_tells_of_mirrors, 0, COUNT(mirror_lines));
	suite_add_tcase(s, tc);
	return http_run(s);
}
