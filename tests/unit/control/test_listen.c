/*
 * Addresses to listen on, and the control socket.
 */
#include "lib/control/listen.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

static char path[64];

static void
setup(void)
{
	snprintf(path, sizeof(path), "/tmp/peerd-listen-%d.sock", (int)getpid());
}

static void
teardown(void)
{
	(void)unlink(path);
}

static const struct {
	const char *where;
	const char *host; /* NULL: refused */
	int port;
} addresses[] = {
	{ "127.0.0.1:3000", "127.0.0.1", 3000 },
	{ "localhost:0", "localhost", 0 },
	{ "[::1]:65535", "::1", 65535 },
	{ ":80", "", 80 },
	{ "*:80", "", 80 },
	{ "::1:80", NULL, 0 },
	{ "localhost", NULL, 0 },
	{ "localhost:", NULL, 0 },
	{ "localhost:65536", NULL, 0 },
	{ "localhost:-1", NULL, 0 },
	{ "localhost:http", NULL, 0 },
	{ "", NULL, 0 },
};

START_TEST(address_is_taken_apart)
{
	struct err err = ERR_INIT;
	char host[64] = "";
	uint16_t port = 0;
	bool ok = listen_parse(addresses[_i].where, host, sizeof(host), &port, &err);

	ck_assert_int_eq(ok, addresses[_i].host != NULL);
	if (!ok) {
		ck_assert_int_eq(err.code, ERR_INVALID);
		ck_assert_str_ne(err.hint, "");
		return;
	}
	ck_assert_str_eq(host, addresses[_i].host);
	ck_assert_uint_eq(port, (unsigned)addresses[_i].port);
}
END_TEST

static const struct {
	const char *where;
	bool loopback;
} free_ports[] = {
	{ "127.0.0.1:0", true },
	{ "localhost:0", true },
	{ "0.0.0.0:0", false },
	{ ":0", false },
};

START_TEST(port_is_found_and_taken)
{
	struct listen_set set, again;
	struct err err = ERR_INIT;
	char where[64];

	ck_assert_msg(listen_tcp(free_ports[_i].where, &set, &err), "%s", err.msg);
	ck_assert_uint_gt(set.n, 0);
	ck_assert_uint_ne(set.port, 0);
	ck_assert_int_eq(set.loopback, free_ports[_i].loopback);
	snprintf(where, sizeof(where), "127.0.0.1:%u", set.port);
	ck_assert(!listen_tcp(where, &again, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	listen_close(&set);
	ck_assert_msg(listen_tcp(where, &again, &err), "%s", err.msg);
	listen_close(&again);
}
END_TEST

START_TEST(unknown_host_is_told)
{
	struct listen_set set;
	struct err err = ERR_INIT;

	ck_assert(!listen_tcp("no.such.host.invalid:1", &set, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
}
END_TEST

START_TEST(control_socket_is_private)
{
	struct err err = ERR_INIT;
	struct stat st;
	int fd, second;

	ck_assert_msg(listen_unix(path, &fd, &err), "%s", err.msg);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert(!listen_unix(path, &second, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	fd_close(&fd);
	/* its owner died: the file is still there, and is replaced */
	ck_assert_msg(listen_unix(path, &fd, &err), "%s", err.msg);
	fd_close(&fd);
}
END_TEST

START_TEST(only_sockets_are_replaced)
{
	FILE *f = fopen(path, "w");
	struct err err = ERR_INIT;
	int fd;

	ck_assert_ptr_nonnull(f);
	fclose(f);
	ck_assert(!listen_unix(path, &fd, &err));
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(long_path_is_refused)
{
	char long_path[200];
	struct err err = ERR_INIT;
	int fd;

	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	ck_assert(!listen_unix(long_path, &fd, &err));
	ck_assert_str_ne(err.hint, "");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("listen");
	TCase *tc = tcase_create("listen");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, address_is_taken_apart, 0,
	    sizeof(addresses) / sizeof(addresses[0]));
	tcase_add_loop_test(tc, port_is_found_and_taken, 0,
	    sizeof(free_ports) / sizeof(free_ports[0]));
	tcase_add_test(tc, unknown_host_is_told);
	tcase_add_test(tc, control_socket_is_private);
	tcase_add_test(tc, only_sockets_are_replaced);
	tcase_add_test(tc, long_path_is_refused);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
