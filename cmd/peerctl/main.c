/*
 * peerctl - the command line of peerd
 *
 * A pure client of the REST API: it knows options and how to show answers,
 * peerd knows everything else.
 */
#include <stdbool.h>
#include <unistd.h>

#include "cmd/peerctl/args.h"
#include "cmd/peerctl/client.h"
#include "cmd/peerctl/ctl.h"
#include "cmd/peerctl/help.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

#define DEFAULT_SOCKET "/var/lib/peerd/peerd.sock"

/* A call may have to wait for a database at the other end of the world. */
#define CALL_TIMEOUT_S	   120
#define COMPLETE_TIMEOUT_S 2

/* --help and --version, and a command line that is not finished. */
static bool
answer_alone(const struct args *a, int *code_r)
{
	bool help = args_has(a, "help");

	*code_r = CTL_DONE;
	if (args_has(a, "version")) {
		puts("peerctl " PEERD_VERSION);
		return true;
	}
	if (!help && a->command != NULL)
		return false;
	if (!help)
		*code_r = CTL_USAGE;
	if (a->command != NULL)
		help_command(stdout, a->command);
	else if (a->group != NULL)
		help_group(help ? stdout : stderr, a->group);
	else
		help_program(help ? stdout : stderr);
	return true;
}

/* The first line of the file, or of the environment. */
static bool
read_password(const struct args *a, struct buf *text, const char **password_r, struct err *err)
{
	const char *file = args_value(a, "password-file");

	*password_r = getenv("PEERD_PASSWORD");
	if (file == NULL)
		return true;
	if (!ctl_read_file(file, text, err))
		return false;
	if (text->n > 0)
		text->p[strcspn(buf_str(text), "\r\n")] = '\0';
	*password_r = buf_str(text);
	return true;
}

static bool
configure(const struct args *a, struct client_config *config_r, struct buf *password,
    struct err *err)
{
	const char *socket = args_value(a, "socket"), *from_env = getenv("PEERD_SOCKET");

	*config_r = (struct client_config){
		.url = args_value(a, "url"),
		.socket = socket != NULL		      ? socket
		    : from_env != NULL && from_env[0] != '\0' ? from_env
							      : DEFAULT_SOCKET,
		.ca_file = args_value(a, "ca-file"),
		.timeout_s = a->command->summary != NULL ? CALL_TIMEOUT_S : COMPLETE_TIMEOUT_S,
	};
	if (socket != NULL && config_r->url != NULL)
		return err_set(err, ERR_INVALID, "--socket and --url exclude each other");
	return read_password(a, password, &config_r->password, err);
}

static int
run(const struct args *a)
{
	struct client_config config;
	struct err err = ERR_INIT;
	struct buf password = { 0 };
	struct ctl ctl = { .json = args_has(a, "json"), .tty = isatty(STDOUT_FILENO) };
	int code;

	if (!args_check_words(a, &err) || !configure(a, &config, &password, &err)) {
		buf_done(&password);
		return ctl_usage(a, &err);
	}
	ctl.client = client_new(&config);
	code = a->command->run(&ctl, a);
	client_free(&ctl.client);
	buf_done(&password);
	return code;
}

int
main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct args a;
	int code;

	if (!args_parse(&a, argc, argv, &err))
		code = ctl_usage(&a, &err);
	else if (!answer_alone(&a, &code))
		code = run(&a);
	args_done(&a);
	if (fflush(stdout) != 0 && code == CTL_DONE)
		code = CTL_REFUSED;
	return code;
}
